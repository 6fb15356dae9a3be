//! What remains of a connection that failed: its first error, its alert, and what was received
//! before it.

use std::time::Duration;

use fleeting::{AlertDescription, Connection, Error, Fault, Server, Status};

use crate::support::{End, NAME, NOW, Options, Pair, data, pki, records};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Every call returns the same error, and no more bytes move.
fn assert_stuck(end: &mut End) {
    let first = format!("{:?}", end.error());
    let output = end.connection.output().to_vec();
    for _ in 0..2 {
        end.process();
        assert_eq!(format!("{:?}", end.error()), first);
        for result in [
            end.connection.write(b"x").map(drop),
            end.connection.rekey(),
            end.connection
                .export_keying_material(b"a", b"", 32)
                .map(drop),
            end.connection
                .choose(&Options::default().server(), NOW, &mut end.rng),
        ] {
            assert_eq!(format!("{:?}", result.unwrap_err()), first);
        }
        end.receive(&[23, 3, 3, 0, 17], 2);
        end.receive(&data(0, 40_000), usize::MAX);
        end.end();
        end.connection.close();
        end.now.monotonic = TIMEOUT;
    }
    assert_eq!(end.connection.output(), output, "it sends no more");
    assert!(end.connection.plaintext().is_empty());
    assert_eq!(end.connection.next_timeout(), None);
    assert!(end.connection.negotiated().is_none() && end.connection.client_hello().is_none());
}

/// Sends two records of data at once: the first is sound, the second is not.
fn with_a_broken_record(pair: &mut Pair) {
    pair.client.write(&data(0, 700));
    pair.client.write(&data(700, 700));
    let mut bytes = pair.client.send(usize::MAX);
    *bytes.last_mut().unwrap() ^= 1;
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let space = pair.server.connection.input();
        let count = space.len().min(rest.len());
        space[..count].copy_from_slice(&rest[..count]);
        pair.server.connection.received(count);
        rest = &rest[count..];
    }
}

#[test]
fn what_came_before_is_still_read() {
    let mut pair = Options::default().connected();
    with_a_broken_record(&mut pair);
    let connection = &mut pair.server.connection;
    assert_eq!(
        connection.process(NOW, &mut pair.server.rng).unwrap(),
        Status::Data
    );
    assert_eq!(connection.plaintext(), data(0, 700));
    connection.consume(100);
    // The error is not reported before all of the data is read.
    assert_eq!(
        connection.process(NOW, &mut pair.server.rng).unwrap(),
        Status::Data
    );
    assert_eq!(connection.plaintext(), data(100, 600));
    assert!(connection.output().is_empty());
    pair.server.process();
    assert!(matches!(
        pair.server.error(),
        Error::Protocol {
            state: "CONNECTED",
            fault: Fault::BadRecordMac
        }
    ));
    assert!(pair.server.read == data(100, 600));
    assert_stuck(&mut pair.server);

    // The output is one record with one alert, which the client reads.
    assert_eq!(records(pair.server.connection.output()).len(), 1);
    pair.settle();
    assert!(matches!(
        pair.client.error(),
        Error::AlertReceived {
            alert: AlertDescription::BAD_RECORD_MAC,
            ..
        }
    ));
    assert!(
        pair.client.connection.output().is_empty(),
        "nothing answers an alert"
    );
    assert_stuck(&mut pair.client);
}

#[test]
fn what_was_held_when_it_failed_is_still_read() {
    let mut pair = Options::default().connected();
    pair.client.write(&data(0, 50));
    let bytes = pair.client.send(usize::MAX);
    pair.server.connection.input()[..bytes.len()].copy_from_slice(&bytes);
    pair.server.connection.received(bytes.len());
    pair.server.work(0);
    pair.server.end();
    assert!(pair.server.read == data(0, 50));
    assert!(matches!(pair.server.error(), Error::Truncated));
    assert_stuck(&mut pair.server);
    assert!(pair.server.connection.output().is_empty());
}

#[test]
fn what_waited_goes_out_before_the_alert() {
    let mut pair = Options::default().connected();
    pair.server.write(&data(0, 3000));
    with_a_broken_record(&mut pair);
    pair.server.process();
    pair.settle();
    assert!(pair.client.read == data(0, 3000));
    assert!(matches!(
        pair.client.error(),
        Error::AlertReceived {
            alert: AlertDescription::BAD_RECORD_MAC,
            ..
        }
    ));
}

/// The two alerts of RFC 9846, 6.1, in unprotected records: user_canceled(90), then
/// close_notify(0), both warnings.
const GIVEN_UP: [u8; 14] = [21, 3, 3, 0, 2, 1, 90, 21, 3, 3, 0, 2, 1, 0];

#[test]
fn a_handshake_that_takes_too_long() {
    let options = Options::default();
    // The client receives nothing.
    let mut client = options.client_end();
    assert_eq!(client.connection.next_timeout(), Some(TIMEOUT));
    client.send(usize::MAX);
    client.now.monotonic = TIMEOUT - Duration::from_nanos(1);
    client.process();
    assert_eq!(*client.status.as_ref().unwrap(), Status::NeedsInput);
    client.now.monotonic = TIMEOUT;
    client.process();
    assert!(matches!(client.error(), Error::HandshakeTimeout));
    assert_eq!(
        client.error().alert(),
        Some(AlertDescription::USER_CANCELED)
    );
    assert_eq!(client.connection.output(), GIVEN_UP);
    assert_stuck(&mut client);

    // The server receives nothing at all.
    let mut server = options.server_end();
    assert_eq!(server.connection.next_timeout(), Some(TIMEOUT));
    server.now.monotonic = TIMEOUT;
    server.process();
    assert!(matches!(server.error(), Error::HandshakeTimeout));
    assert_eq!(server.connection.output(), GIVEN_UP);

    // The server receives no Finished. Its alerts are protected, and the client, which is
    // connected, reads them as the end of the stream.
    let mut pair = options.pair();
    let hello = pair.client.send(usize::MAX);
    pair.server.receive(&hello, usize::MAX);
    pair.server.now.monotonic = TIMEOUT;
    pair.server.process();
    assert!(matches!(pair.server.error(), Error::HandshakeTimeout));
    pair.settle();
    assert_eq!(*pair.client.status.as_ref().unwrap(), Status::Closed);

    // The server waits for its configuration.
    let mut server = End::new(Connection::undecided(NOW), options.server_end().rng);
    server.receive(&hello, usize::MAX);
    server.now.monotonic = TIMEOUT;
    server.process();
    assert!(matches!(server.error(), Error::HandshakeTimeout));
    assert_stuck(&mut server);
}

#[test]
fn time_does_not_matter_once_connected() {
    let mut pair = Options::default().connected();
    for end in [&mut pair.client, &mut pair.server] {
        assert_eq!(end.connection.next_timeout(), None);
        end.now.monotonic = Duration::from_secs(1_000_000_000);
        end.process();
        assert_eq!(*end.status.as_ref().unwrap(), Status::NeedsInput);
    }
}

#[test]
fn the_limit_is_a_setting_counted_from_the_beginning() {
    let server = Server::builder()
        .identity(pki().server.clone())
        .handshake_timeout(Duration::from_millis(5))
        .build()
        .unwrap();
    let began = fleeting::Now::new(Duration::from_secs(77), NOW.unix);
    assert_eq!(
        server.connection(began).next_timeout(),
        Some(Duration::from_millis(77_005))
    );
}

#[test]
fn giving_up_during_the_handshake() {
    let options = Options::default();
    let mut pair = options.pair();
    let hello = pair.client.send(usize::MAX);
    pair.server.receive(&hello, usize::MAX);
    pair.client.connection.close();
    assert_eq!(pair.client.connection.output(), GIVEN_UP);
    pair.settle();
    assert!(matches!(
        pair.server.error(),
        Error::AlertReceived {
            alert: AlertDescription::CLOSE_NOTIFY,
            ..
        }
    ));
    assert!(pair.server.connection.negotiated().is_none());
    assert!(pair.client.connection.negotiated().is_none());
    assert!(matches!(
        pair.client.connection.write(b"x"),
        Err(Error::Closed)
    ));
}

#[test]
fn a_generator_that_fails_ends_the_handshake() {
    struct Broken;
    impl rand_core::TryRng for Broken {
        type Error = getrandom::Error;
        fn try_next_u32(&mut self) -> Result<u32, getrandom::Error> {
            Err(getrandom::Error::UNSUPPORTED)
        }
        fn try_next_u64(&mut self) -> Result<u64, getrandom::Error> {
            Err(getrandom::Error::UNSUPPORTED)
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), getrandom::Error> {
            Err(getrandom::Error::UNSUPPORTED)
        }
    }
    impl rand_core::TryCryptoRng for Broken {}

    let options = Options::default();
    assert!(matches!(
        options.client().connection(NAME, NOW, &mut Broken),
        Err(Error::Random)
    ));
    let hello = options.client_end().send(usize::MAX);
    let mut server = options.server_end();
    server.connection.input()[..hello.len()].copy_from_slice(&hello);
    server.connection.received(hello.len());
    server.status = server.connection.process(NOW, &mut Broken);
    assert!(matches!(server.error(), Error::Random));
    // RFC 9846, 6.2: internal_error(80), fatal, in the clear, and no part of a hello before it.
    assert_eq!(server.connection.output(), [21, 3, 3, 0, 2, 2, 80]);
    assert_stuck(&mut server);
}
