//! The runtime's clock keeps the time limit. Here it stands still, and jumps when all tasks wait.

use std::time::Duration;

use fleeting::{
    AlertDescription, AsyncHandshake, AsyncProgress, Error, Pair, Question, ReplayGuard,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::Instant;

use crate::{NAME, builders, fetch_ticket, inner, polled};

const LIMIT: Duration = Duration::from_secs(77);

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    let (client, server) = builders();
    let client = client.handshake_timeout(LIMIT).build().unwrap();
    let server = server.handshake_timeout(LIMIT).build().unwrap();

    let begin = Instant::now();
    let (here, _there) = duplex(1 << 16);
    let error = client.connect_async(NAME, here).await.unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error}");
    assert_eq!(begin.elapsed().as_secs(), LIMIT.as_secs());

    let begin = Instant::now();
    let (mut here, there) = duplex(1 << 16);
    let (accepted, ()) = tokio::join!(server.accept_async(there), async {
        // A byte now and then does not prolong it.
        for byte in [22, 3, 1, 2] {
            here.write_all(&[byte]).await.unwrap();
            tokio::time::sleep(LIMIT / 5).await;
        }
    });
    let error = accepted.unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error}");
    assert_eq!(begin.elapsed().as_secs(), LIMIT.as_secs());
    // The peer is told.
    let mut alert = Vec::new();
    here.read_to_end(&mut alert).await.unwrap();
    assert_eq!(alert[..5], [21, 3, 3, 0, 2]);
}

/// A peer that reads nothing does not keep the task either.
#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_given_up() {
    let (client, _) = builders();
    let client = client.handshake_timeout(LIMIT).build().unwrap();
    let begin = Instant::now();
    let (here, _there) = duplex(10);
    let error = client.connect_async(NAME, here).await.unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error}");
    assert_eq!(begin.elapsed().as_secs(), LIMIT.as_secs());
}

/// The time until an answer counts.
#[tokio::test(start_paused = true)]
async fn a_late_answer_is_too_late() {
    let (client, server) = builders();
    let (client, server) = (client.build().unwrap(), server.build().unwrap());
    let (here, there) = duplex(1 << 16);
    let (client, late) = tokio::join!(client.connect_async(NAME, here), async {
        let mut handshake = AsyncHandshake::undecided(there);
        let progress = handshake.advance().await.unwrap();
        assert!(matches!(
            progress,
            AsyncProgress::Ask(Question::Configuration)
        ));
        tokio::time::sleep(handshake.time_left()).await;
        assert_eq!(handshake.time_left(), Duration::ZERO);
        handshake.choose(&server).unwrap_err()
    });
    assert!(matches!(late, Error::HandshakeTimeout), "{late}");
    let client = client.unwrap_err();
    assert!(
        matches!(client, Error::HandshakeTimeout)
            || matches!(
                client,
                Error::AlertReceived {
                    alert: AlertDescription::USER_CANCELED,
                    ..
                }
            ),
        "{client:?}"
    );
}

/// Between two tries of the application, `advance` sees the time too.
#[tokio::test(start_paused = true)]
async fn an_advance_after_the_time_fails() {
    let (client, _) = builders();
    let client = client.handshake_timeout(LIMIT).build().unwrap();
    let (here, _there) = duplex(1 << 16);
    let mut handshake = client.start_async(NAME, here).unwrap();
    assert!(
        tokio::time::timeout(LIMIT / 2, handshake.advance())
            .await
            .is_err()
    );
    tokio::time::advance(LIMIT).await;
    for _ in 0..2 {
        let error = handshake.advance().await.unwrap_err();
        assert!(matches!(error, Error::HandshakeTimeout), "{error}");
    }
}

/// The handshake is complete, and its last flight cannot be sent.
#[tokio::test(start_paused = true)]
async fn a_flight_that_nobody_takes_is_given_up() {
    let (client, server) = builders();
    let client = client.handshake_timeout(LIMIT).build().unwrap();
    let server = server.build().unwrap();
    // Less than the client's flight.
    let (to_server, from_client) = tokio::io::simplex(300);
    let (to_client, from_server) = tokio::io::simplex(1 << 16);
    let begin = Instant::now();
    let connecting = client.connect_async(
        NAME,
        Pair {
            reader: to_client,
            writer: from_client,
        },
    );
    let serving = async {
        let mut handshake = AsyncHandshake::undecided(Pair {
            reader: to_server,
            writer: from_server,
        });
        handshake.advance().await.unwrap();
        let mut handshake = handshake.choose(&server).unwrap();
        // This sends the server's flight. Afterwards nothing is read.
        assert!(polled(1, handshake.advance()).await.is_none());
        tokio::time::sleep(2 * LIMIT).await;
        drop(handshake);
    };
    let (connected, ()) = tokio::join!(connecting, serving);
    let error = connected.unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error}");
    assert_eq!(begin.elapsed().as_secs(), 2 * LIMIT.as_secs());
}

/// Nor does a peer that reads nothing hold a writer of early data.
#[tokio::test(start_paused = true)]
async fn early_data_that_nobody_takes_is_given_up() {
    let (client, server) = builders();
    let client = client
        .early_data(true)
        .handshake_timeout(LIMIT)
        .build()
        .unwrap();
    let server = server
        .early_data(100_000, ReplayGuard::in_memory(100))
        .build()
        .unwrap();
    fetch_ticket(&client, &server).await;

    let begin = Instant::now();
    let (here, _there) = duplex(100);
    let mut handshake = client.start_async(NAME, here).unwrap();
    let mut early = handshake.early_data().unwrap();
    let error = early.write_all(&[7; 90_000]).await.unwrap_err();
    assert!(matches!(inner(error), Error::HandshakeTimeout));
    assert_eq!(begin.elapsed().as_secs(), LIMIT.as_secs());
    let error = handshake.finish().await.unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error}");
}
