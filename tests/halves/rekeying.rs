//! One half requests and answers KeyUpdates, and the other receives them (RFC 9846, 4.7.3).

use std::io::{Read, Write};
use std::sync::Arc;

use crate::connection::Shared;
use crate::connection::receive::receiver::Event;
use crate::connection::send::sender::{ANSWER, DATA, REQUEST};
use crate::error::Error;
use crate::stream::race;

/// A request noted by the reading half is answered once: by the current write or by the next one.
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

/// Without data, `flush` answers a request.
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
/// KeyUpdate with request_update set to update_requested." Once one was received, the next `rekey`
/// requests again.
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
            // The answer arrived before the second `rekey`, or before the third.
            assert!(
                wire == [REQUEST, REQUEST, ANSWER] || wire == [REQUEST, ANSWER, REQUEST],
                "{wire:?}"
            );
        },
    );
}

/// A peer that is late is asked once, by the current write or by the next one.
#[test]
fn a_late_peer_is_asked_once() {
    race(
        [Event::Late, Event::Late],
        |_| (),
        |mut reader| {
            for _ in 0..2 {
                reader.read_exact(&mut [0]).unwrap();
            }
        },
        |mut writer| {
            writer.write_all(b"x").unwrap();
            writer.write_all(b"x").unwrap();
            writer
        },
        |_, mut writer, wire| {
            writer.write_all(b"x").unwrap();
            writer.flush().unwrap();
            let wire = wire.records();
            let requests = wire.iter().filter(|record| **record == REQUEST).count();
            assert!(
                requests == 1 && wire.len() == 4 && wire[3] == DATA,
                "{wire:?}"
            );
        },
    );
}

/// It is asked again once it has renewed its key, and not before.
#[test]
fn a_late_peer_is_asked_again_after_its_answer() {
    race(
        [Event::Late, Event::KeyUpdate { asks: false }, Event::Late],
        |_| (),
        |mut reader| {
            for _ in 0..3 {
                reader.read_exact(&mut [0]).unwrap();
            }
        },
        |mut writer| {
            writer.write_all(b"x").unwrap();
            writer
        },
        |_, mut writer, wire| {
            writer.flush().unwrap();
            writer.flush().unwrap();
            let wire = wire.records();
            // The KeyUpdate counts as an answer only if the request was sent before it.
            let requests = wire.iter().filter(|record| **record == REQUEST).count();
            assert!(
                (1..=2).contains(&requests) && !wire.contains(&ANSWER),
                "{wire:?}"
            );
        },
    );
}

/// Gathered data is sent when it is flushed: the answer to a request that has arrived by then
/// precedes it.
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

/// The reading half knows of each record of data before the record is sent, and counts it once.
#[test]
fn sealed_records_are_counted_once() {
    loom::model(|| {
        let shared = Arc::new(Shared::<usize, Error>::new(0, 0));
        let there = shared.clone();
        let writing = loom::thread::spawn(move || {
            for count in [1, 2] {
                there.work(
                    |sent, notes| {
                        notes.add_sealed(count);
                        *sent += count;
                    },
                    |_, _| (),
                );
            }
        });
        let mut known = 0;
        for _ in 0..2 {
            let mut sent = 0;
            shared.try_work(|inside| sent = *inside, |_, _| ());
            known += shared.notes.take_sealed();
            assert!(known >= sent, "{known} of {sent}");
        }
        writing.join().unwrap();
        assert_eq!(known + shared.notes.take_sealed(), 3);
    });
}
