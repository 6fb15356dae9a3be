//! Connections that end by time, or from outside, while tasks wait. The runtime's clock stands
//! still, and jumps when all tasks wait.

use std::time::Duration;

use fleeting::{AsyncStream, Client, Connections, Error, Server, TimeLimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

use crate::{NAME, builders, inner};

const LIMIT: Duration = Duration::from_secs(100);

type Tls = AsyncStream<DuplexStream>;

/// A connection over a pipe with room for so many bytes. Only the server has limits.
async fn connected(client: &Client, server: &Server, room: usize) -> (Tls, Tls) {
    let (here, there) = duplex(room);
    let (client, server) =
        tokio::join!(client.connect_async(NAME, here), server.accept_async(there));
    (client.unwrap(), server.unwrap())
}

async fn aging(room: usize) -> (Tls, Tls) {
    let (client, server) = builders();
    let server = server.max_connection_age(LIMIT).build().unwrap();
    connected(&client.build().unwrap(), &server, room).await
}

async fn idling() -> (Tls, Tls) {
    let (client, server) = builders();
    let server = server.idle_timeout(LIMIT).build().unwrap();
    connected(&client.build().unwrap(), &server, 1 << 16).await
}

async fn listed(connections: &Connections, room: usize) -> (Tls, Tls) {
    let (client, server) = builders();
    let server = server.connections(connections.clone()).build().unwrap();
    connected(&client.build().unwrap(), &server, room).await
}

fn is_expired(error: std::io::Error, expected: TimeLimit) -> bool {
    matches!(inner(error), Error::Expired { limit } if limit == expected)
}

/// A read that waits ends at the deadline, and the peer sees an orderly end.
#[tokio::test(start_paused = true)]
async fn a_pending_read_ends_at_the_age() {
    let begin = Instant::now();
    let (mut client, mut server) = aging(1 << 16).await;
    sleep(LIMIT / 4).await;
    let error = server.read(&mut [0]).await.unwrap_err();
    assert_eq!(begin.elapsed().as_secs(), LIMIT.as_secs());
    assert!(is_expired(error, TimeLimit::ConnectionAge));
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    let error = server.write(b"x").await.unwrap_err();
    assert!(is_expired(error, TimeLimit::ConnectionAge));
    let error = server.shutdown().await.unwrap_err();
    assert!(is_expired(error, TimeLimit::ConnectionAge));
}

/// Data of either direction puts the deadline off, also while a read waits; a KeyUpdate does not.
#[tokio::test(start_paused = true)]
async fn a_pending_read_ends_when_idle() {
    let (mut client, mut server) = idling().await;
    let begin = Instant::now();
    let (error, ()) = tokio::join!(
        async {
            for _ in 0..3 {
                server.read_exact(&mut [0; 4]).await.unwrap();
            }
            server.read(&mut [0]).await.unwrap_err()
        },
        async {
            for _ in 0..3 {
                sleep(LIMIT * 3 / 4).await;
                client.write_all(b"data").await.unwrap();
            }
            sleep(LIMIT / 4).await;
            client.rekey().await.unwrap();
            assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        },
    );
    assert_eq!(begin.elapsed().as_secs(), (LIMIT * 9 / 4 + LIMIT).as_secs());
    assert!(is_expired(error, TimeLimit::Idle));

    let (mut client, mut server) = idling().await;
    let begin = Instant::now();
    sleep(LIMIT * 3 / 4).await;
    server.write_all(b"x").await.unwrap();
    let error = server.read(&mut [0]).await.unwrap_err();
    assert_eq!(begin.elapsed().as_secs(), (LIMIT * 7 / 4).as_secs());
    assert!(is_expired(error, TimeLimit::Idle));
    assert_eq!(client.read(&mut [0; 2]).await.unwrap(), 1);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

/// A write that waits for a peer that reads nothing ends too. There is nobody to tell.
#[tokio::test(start_paused = true)]
async fn a_pending_write_ends_at_the_age() {
    let begin = Instant::now();
    let (_client, mut server) = aging(4096).await;
    let error = server.write_all(&[7; 1_000_000]).await.unwrap_err();
    assert_eq!(begin.elapsed().as_secs(), LIMIT.as_secs());
    assert!(is_expired(error, TimeLimit::ConnectionAge));
}

/// A future that is dropped leaves the deadline where it is.
#[tokio::test(start_paused = true)]
async fn dropped_reads_end_too() {
    let begin = Instant::now();
    let (_client, mut server) = aging(1 << 16).await;
    for _ in 0..9 {
        let read = timeout(LIMIT / 10, server.read(&mut [0])).await;
        assert!(read.is_err());
    }
    let error = server.read(&mut [0]).await.unwrap_err();
    assert_eq!(begin.elapsed().as_secs(), LIMIT.as_secs());
    assert!(is_expired(error, TimeLimit::ConnectionAge));
}

/// Both halves wait, and both end.
#[tokio::test(start_paused = true)]
async fn pending_halves_end_at_the_age() {
    let begin = Instant::now();
    let (client, server) = aging(4096).await;
    let (mut reader, mut writer) = server.into_split().unwrap();
    let reading = tokio::spawn(async move { reader.read(&mut [0]).await.unwrap_err() });
    let writing = tokio::spawn(async move {
        let error = writer.write_all(&[7; 1_000_000]).await.unwrap_err();
        let again = writer.flush().await.unwrap_err();
        assert!(is_expired(again, TimeLimit::ConnectionAge));
        error
    });
    for error in [reading.await.unwrap(), writing.await.unwrap()] {
        assert!(is_expired(error, TimeLimit::ConnectionAge));
    }
    assert_eq!(begin.elapsed().as_secs(), LIMIT.as_secs());
    drop(client);
}

/// One half waits, and the other is not used.
#[tokio::test(start_paused = true)]
async fn a_half_ends_alone() {
    let begin = Instant::now();
    let (mut client, server) = aging(1 << 16).await;
    let (mut reader, mut writer) = server.into_split().unwrap();
    let error = reader.read(&mut [0]).await.unwrap_err();
    assert_eq!(begin.elapsed().as_secs(), LIMIT.as_secs());
    assert!(is_expired(error, TimeLimit::ConnectionAge));
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    let error = writer.write(b"x").await.unwrap_err();
    assert!(is_expired(error, TimeLimit::ConnectionAge));
}

/// No timer goes off: the end wakes those who wait.
#[tokio::test(start_paused = true)]
async fn an_end_from_outside_wakes_who_waits() {
    let connections = Connections::new();
    let (mut client, mut server) = listed(&connections, 1 << 16).await;
    assert_eq!(connections.list()[0].id(), server.connection_id().unwrap());
    let begin = Instant::now();
    let mut byte = [0];
    let (error, ended) = tokio::join!(server.read(&mut byte), async {
        sleep(Duration::from_secs(7)).await;
        connections.end_all()
    });
    assert_eq!((begin.elapsed().as_secs(), ended), (7, 1));
    assert!(matches!(inner(error.unwrap_err()), Error::Ended));
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert!(connections.is_empty());

    // Halves, one of which waits to write.
    let (client, server) = listed(&connections, 4096).await;
    let (mut reader, mut writer) = server.into_split().unwrap();
    let reading = tokio::spawn(async move { reader.read(&mut [0]).await.unwrap_err() });
    let writing = tokio::spawn(async move { writer.write_all(&[7; 1_000_000]).await.unwrap_err() });
    sleep(Duration::from_secs(7)).await;
    let begin = Instant::now();
    assert_eq!(connections.end_all(), 1);
    for error in [reading.await.unwrap(), writing.await.unwrap()] {
        assert!(matches!(inner(error), Error::Ended));
    }
    assert!(begin.elapsed().is_zero());
    drop(client);
    assert!(connections.is_empty());
}

/// Threads end connections at random moments, while tasks begin to wait. None stands still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wake_up_is_lost() {
    let connections = Connections::new();
    let (client, server) = builders();
    let client = client.build().unwrap();
    let server = server.connections(connections.clone()).build().unwrap();
    for round in 0..200_u32 {
        let (_client, mut tls) = connected(&client, &server, 1 << 16).await;
        let running = connections.list().remove(0);
        let ending = std::thread::spawn(move || {
            for _ in 0..round * 40 {
                std::hint::spin_loop();
            }
            assert!(running.end());
        });
        let read = crate::soon("a read", tls.read(&mut [0])).await;
        assert!(matches!(inner(read.unwrap_err()), Error::Ended));
        ending.join().unwrap();
    }
}
