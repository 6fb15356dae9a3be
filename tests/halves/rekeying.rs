//! KeyUpdates: asked for and answered by one half, received by the other (RFC 9846, 4.7.3).

use std::io::{Read, Write};

use crate::connection::receive::receiver::Event;
use crate::connection::send::sender::{ANSWER, DATA, REQUEST};
use crate::stream::race;

/// A request that the half that reads notes is answered once: by what is written next, if not by
/// what is written now.
#[test]
fn a_request_is_answered_once() {
    race(
        [Event::KeyUpdate { asks: true }],
        |_| (),
        |mut reader| reader.read(&mut [0]).unwrap(),
        |mut writer| {
            writer.write_all(b"x").unwrap();
            writer.write_all(b"x").unwrap();
            writer
        },
        |_, mut writer, wire| {
            writer.write_all(b"x").unwrap();
            let wire = wire.records();
            let answers: Vec<_> = wire.iter().filter(|record| **record == ANSWER).collect();
            assert!(
                answers.len() == 1 && wire.len() == 4 && wire[3] == DATA,
                "{wire:?}"
            );
        },
    );
}

/// Without data as well: by a flush.
#[test]
fn a_request_is_answered_by_a_flush() {
    race(
        [Event::KeyUpdate { asks: true }],
        |_| (),
        |mut reader| reader.read(&mut [0]).unwrap(),
        |mut writer| {
            if writer.wants_write() {
                writer.flush().unwrap();
                assert!(!writer.wants_write());
            }
            writer
        },
        |_, mut writer, wire| {
            assert_eq!(writer.wants_write(), wire.records().is_empty());
            writer.flush().unwrap();
            assert_eq!(wire.records(), [ANSWER]);
        },
    );
}

/// "Until receiving a subsequent KeyUpdate from the peer, the sender MUST NOT send another
/// KeyUpdate with request_update set to update_requested." When it has come, the next one asks
/// again.
#[test]
fn one_request_at_a_time() {
    race(
        [Event::KeyUpdate { asks: false }],
        |writer| writer.rekey().unwrap(),
        |mut reader| reader.read(&mut [0]).unwrap(),
        |mut writer| {
            writer.rekey().unwrap();
            writer
        },
        |_, mut writer, wire| {
            writer.rekey().unwrap();
            let wire = wire.records();
            // The answer has come before the second one, or before the third.
            assert!(
                wire == [REQUEST, REQUEST, ANSWER] || wire == [REQUEST, ANSWER, REQUEST],
                "{wire:?}"
            );
        },
    );
}

/// What is gathered is data that is sent when it is flushed: an answer that was asked for by then
/// goes before it.
#[test]
fn what_is_gathered_comes_behind_the_answer() {
    race(
        [Event::KeyUpdate { asks: true }],
        |writer| {
            writer.set_corked(true).unwrap();
            writer.write_all(b"x").unwrap();
        },
        |mut reader| reader.read(&mut [0]).unwrap(),
        |mut writer| {
            writer.flush().unwrap();
            writer
        },
        |_, mut writer, wire| {
            writer.write_all(b"x").unwrap();
            writer.set_corked(false).unwrap();
            let wire = wire.records();
            assert!(
                wire == [ANSWER, DATA, DATA] || wire == [DATA, ANSWER, DATA],
                "{wire:?}"
            );
        },
    );
}
