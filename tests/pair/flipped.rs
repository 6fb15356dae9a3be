//! Every byte of a handshake is changed on the way, in each direction. At least one side fails, and
//! never do both complete with different views.

use std::time::Duration;

use fleeting::{AlertDescription, Error, Fault};

use crate::support::{End, NOW, Options, Pair, SUITES, records};

/// Returns true for the bytes that may change unnoticed: the two of legacy_record_version in the
/// header of an unprotected record.
///
/// RFC 9846, 5.1: it "MUST be ignored for all purposes". In a protected record it is part of the
/// additional data, so it cannot change.
pub fn may_change(stream: &[u8], at: usize) -> bool {
    let mut start = 0;
    records(stream).iter().any(|record| {
        let version = start + 1..start + 3;
        start += record.len();
        record[0] != 23 && version.contains(&at)
    })
}

/// Moves the bytes of a handshake, changes the one at `at` in this direction, and then waits until
/// the timeout.
fn handshake(pair: &mut Pair, from_client: bool, at: usize, mask: u8) {
    fn carry(from: &mut End, to: &mut End, change: Option<(usize, u8)>) -> bool {
        let before = from.sent.len();
        let mut bytes = from.send(usize::MAX);
        if let Some((at, mask)) = change
            && let Some(byte) = at.checked_sub(before).and_then(|at| bytes.get_mut(at))
        {
            *byte ^= mask;
        }
        to.receive(&bytes, usize::MAX);
        !bytes.is_empty()
    }
    while carry(
        &mut pair.client,
        &mut pair.server,
        from_client.then_some((at, mask)),
    ) | carry(
        &mut pair.server,
        &mut pair.client,
        (!from_client).then_some((at, mask)),
    ) {}
    // With a longer length a side waits for bytes that do not come.
    for end in [&mut pair.client, &mut pair.server] {
        end.now.monotonic = NOW.monotonic + Duration::from_secs(30);
        end.process();
    }
}

/// Changes each byte of the handshake in one direction, by each mask.
fn flip_everywhere(options: Options, from_client: bool, masks: &[u8]) {
    let sound = options.connected();
    let stream = if from_client {
        &sound.client.sent
    } else {
        &sound.server.sent
    };
    for at in 0..stream.len() {
        for mask in masks {
            let mut pair = options.pair();
            handshake(&mut pair, from_client, at, *mask);
            check(
                &pair,
                may_change(stream, at),
                &format!("byte {at} by {mask:#04x}"),
            );
        }
    }
}

fn check(pair: &Pair, harmless: bool, what: &str) {
    let errors = [&pair.client, &pair.server].map(|end| end.status.as_ref().err());
    if harmless {
        assert!(errors.iter().all(Option::is_none), "{what}: {errors:?}");
        return pair.assert_same_view();
    }
    // One side refuses the change. The other side receives an alert, refuses what it then cannot
    // read, or was already connected and waits for what never comes.
    let refused: Vec<_> = errors
        .iter()
        .flatten()
        .filter(|error| !matches!(error, Error::AlertReceived { .. }))
        .collect();
    assert!(!refused.is_empty(), "{what}: nobody noticed: {errors:?}");
    for error in &refused {
        assert!(
            matches!(error, Error::Protocol { .. } | Error::HandshakeTimeout),
            "{what}: {error}"
        );
        assert!(
            !matches!(
                error,
                Error::Protocol {
                    fault: Fault::Internal { .. },
                    ..
                }
            ),
            "{what}: {error}"
        );
    }
    for (told, other) in [(errors[0], errors[1]), (errors[1], errors[0])] {
        if let (Some(Error::AlertReceived { alert: heard, .. }), Some(other)) = (told, other) {
            // RFC 9846, 6.1: user_canceled is followed by a close_notify, which ends the connection
            // for the other side.
            let timeout = matches!(other, Error::HandshakeTimeout);
            let said = if timeout {
                AlertDescription::CLOSE_NOTIFY
            } else {
                other.alert().unwrap()
            };
            assert_eq!(*heard, said, "{what}: {other}");
        }
    }
    assert!(pair.client.read.is_empty() && pair.server.read.is_empty());
}

const EACH_BIT: [u8; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

#[test]
fn what_the_client_says() {
    flip_everywhere(Options::default(), true, &EACH_BIT);
}

#[test]
fn what_the_server_says() {
    flip_everywhere(
        Options {
            suite: SUITES[2],
            ..Options::default()
        },
        false,
        &EACH_BIT,
    );
}

#[test]
fn without_client_authentication() {
    let options = Options {
        client_auth: false,
        suite: SUITES[1],
        ..Options::default()
    };
    flip_everywhere(options, true, &[0x01, 0xff]);
    flip_everywhere(options, false, &[0x01, 0xff]);
}
