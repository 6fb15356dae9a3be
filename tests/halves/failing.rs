//! One half finds a failure; the peer and the other half learn of it.

use std::io::{self, Read, Write};

use crate::code_point::AlertDescription;
use crate::connection::receive::receiver::Event;
use crate::connection::send::sender::DATA;
use crate::error::Error;
use crate::stream::race;

const BAD: Error = Error::Protocol(AlertDescription::BAD_RECORD_MAC);
const RECEIVED: Error = Error::AlertReceived(AlertDescription::BAD_RECORD_MAC);

fn inner<T>(result: io::Result<T>) -> Option<Error> {
    result.err().map(Error::from)
}

/// If the reading half fails, the alert has been sent once both calls have returned, whichever half
/// held the lock. Nothing is sent after it.
#[test]
fn a_failure_is_always_settled() {
    race(
        [Event::Fault(BAD)],
        |_| (),
        |mut reader| assert_eq!(inner(reader.read(&mut [0])), Some(BAD)),
        |mut writer| {
            for _ in 0..2 {
                if let Err(error) = writer.write(b"x") {
                    assert_eq!(Error::from(error), BAD);
                }
            }
            writer
        },
        |_, mut writer, wire| {
            let records = wire.records();
            let Some((last, before)) = records.split_last() else {
                panic!("no alert")
            };
            assert!(
                *last == AlertDescription::BAD_RECORD_MAC.0
                    && before.iter().all(|record| *record == DATA),
                "{records:?}"
            );
            assert_eq!(inner(writer.write(b"x")), Some(BAD));
            assert_eq!(wire.records(), records);
        },
    );
}

/// The first error is final: both halves return it, and the peer receives its alert.
#[test]
fn both_fail() {
    race(
        [Event::Fault(BAD)],
        |_| (),
        |mut reader| inner(reader.read(&mut [0])).unwrap(),
        |mut writer| {
            let error = inner(writer.write_vectored(&[])).unwrap();
            (writer, error)
        },
        |first, (mut writer, second), wire| {
            assert_eq!(first, second);
            assert_eq!(inner(writer.write(b"x")), Some(first.clone()));
            assert_eq!(wire.records(), [first.alert().unwrap().0]);
        },
    );
}

/// The reading half tries the lock before it waits, and does not keep a failure from being settled.
#[test]
fn a_failure_beside_a_wait_is_settled() {
    const OURS: Error = Error::Protocol(AlertDescription::INTERNAL_ERROR);
    race(
        [Event::Wait],
        |_| (),
        |mut reader| {
            assert!(
                [OURS, Error::Io(io::ErrorKind::WouldBlock)]
                    .contains(&inner(reader.read(&mut [0])).unwrap())
            )
        },
        |mut writer| {
            assert_eq!(inner(writer.write_vectored(&[])), Some(OURS));
            writer
        },
        |(), _, wire| assert_eq!(wire.records(), [AlertDescription::INTERNAL_ERROR.0]),
    );
}

/// RFC 9846, section 6: after a fatal alert of the peer "nothing further" is sent. What waits is
/// dropped, and `write` and `flush` then return the error.
#[test]
fn what_is_said_to_be_sent_was_sent() {
    race(
        [Event::Fault(RECEIVED)],
        |_| (),
        |mut reader| assert_eq!(inner(reader.read(&mut [0])), Some(RECEIVED)),
        |mut writer| {
            let said = writer.write(b"xy");
            let flushed = writer.flush();
            assert!(said.is_ok() || flushed.is_err());
            for error in said
                .as_ref()
                .err()
                .into_iter()
                .chain(flushed.as_ref().err())
            {
                assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&RECEIVED));
            }
            said.unwrap_or_default()
        },
        |(), said, wire| assert!(wire.records().len() >= said, "{said}"),
    );
}

/// Dropping the writing half too tells the peer why the connection ends, or closes it if no failure
/// is known yet. Either is sent only once.
#[test]
fn what_is_dropped_while_the_other_half_fails_says_one_thing() {
    race(
        [Event::Fault(BAD)],
        |writer| _ = writer.write(b"x").unwrap(),
        |mut reader| assert_eq!(inner(reader.read(&mut [0])), Some(BAD)),
        drop,
        |(), (), wire| {
            let wire = wire.records();
            let ends = [
                AlertDescription::CLOSE_NOTIFY.0,
                AlertDescription::BAD_RECORD_MAC.0,
            ];
            assert!(
                matches!(wire[..], [DATA, end] if ends.contains(&end)),
                "{wire:?}"
            );
        },
    );
}
