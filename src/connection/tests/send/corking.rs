//! Gathered small writes: the records that result, and what is sent before, between and after them.

use proptest::prelude::*;

use crate::connection::tests::key_updates::{MOST_RECORDS, MOST_UPDATES};
use crate::connection::tests::puppet::{ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, Side, server};
use crate::connection::tests::sans_io::write::{FULL, PADDINGS, bytes};
use crate::error::Error;
use crate::record::Padding;

impl Puppet {
    /// Our client and our server under application keys, corked.
    fn both_corked() -> [Self; 2] {
        let mut both = Self::both_connected();
        for puppet in &mut both {
            puppet.us.set_corked(true).unwrap();
            assert!(puppet.us.is_corked());
        }
        both
    }

    /// Our server, connected, with tickets that wait for its first data.
    pub(in crate::connection) fn with_tickets() -> Self {
        let mut puppet = Self::calling_for_tickets(&server());
        puppet.say_client_hello();
        puppet.hear_flight();
        puppet.lead_server_to("WAIT_FINISHED");
        let finished = puppet.finished();
        puppet.say(&finished).unwrap();
        puppet.install_application_keys(Side::Client);
        puppet
    }

    #[track_caller]
    fn gather(&mut self, data: &[u8]) {
        assert_eq!(self.us.write(data).unwrap(), data.len());
        self.hears_nothing();
    }

    #[track_caller]
    fn hear_close(&mut self) {
        assert_eq!(self.hear_type(ALERT).content, [1, 0]);
        self.hears_nothing();
    }
}

// ---- the records ----

#[test]
fn small_writes_become_full_records() {
    for mut puppet in Puppet::both_corked() {
        let data = bytes(100_000, 1);
        let mut heard = Vec::new();
        for part in data.chunks(100) {
            assert_eq!(puppet.us.write(part).unwrap(), 100);
            heard.extend(puppet.hear_all());
        }
        assert!(heard.iter().map(Vec::len).eq([FULL; 6]));
        puppet.us.flush().unwrap();
        heard.extend(puppet.hear_all());
        assert_eq!(heard[6].len(), 100_000 - 6 * FULL);
        assert!(heard.concat() == data);
        puppet.us.flush().unwrap();
        puppet.hears_nothing();
    }
}

#[test]
fn what_is_gathered_is_filled_up() {
    for (gathered, buffers, records, left) in [
        (0, &[FULL][..], &[FULL][..], 0),
        (0, &[FULL + 10], &[FULL], 10),
        (100, &[FULL], &[FULL], 100),
        (100, &[FULL - 100], &[FULL], 0),
        (100, &[FULL - 101], &[], FULL - 1),
        (100, &[40_000], &[FULL, FULL], 40_100 - 2 * FULL),
        (100, &[50, FULL, 50], &[FULL], 200),
        (FULL - 1, &[1, 1, 1], &[FULL], 2),
    ] {
        let [mut puppet, _] = Puppet::both_corked();
        let first = bytes(gathered, 1);
        puppet.gather(&first);
        let buffers: Vec<Vec<u8>> = buffers
            .iter()
            .zip(2..)
            .map(|(length, seed)| bytes(*length, seed))
            .collect();
        assert_eq!(
            puppet.us.write_vectored(&buffers).unwrap(),
            buffers.concat().len()
        );
        let mut heard = puppet.hear_all();
        assert_eq!(heard.iter().map(Vec::len).collect::<Vec<_>>(), records);
        puppet.us.flush().unwrap();
        let rest = puppet.hear_all();
        assert_eq!(rest.concat().len(), left);
        heard.extend(rest);
        assert!(heard.concat() == [first, buffers.concat()].concat());
    }
}

/// The lent buffer is as long as requested. If the record that was begun has no space for it,
/// another one begins.
#[test]
fn what_is_lent_joins_what_is_gathered() {
    for (gathered, asked, written, records) in [
        (0, 100, 100, &[][..]),
        (100, 100, 60, &[]),
        (FULL - 100, 100, 100, &[FULL]),
        (FULL - 100, 101, 101, &[FULL - 100]),
        (FULL - 100, 101, 0, &[FULL - 100]),
        (10, 20_000, FULL, &[10, FULL]),
        (10, 20_000, FULL - 1, &[10]),
    ] {
        let [mut puppet, _] = Puppet::both_corked();
        let data = bytes(gathered + written, 3);
        puppet.gather(&data[..gathered]);
        let write = |place: &mut [u8]| {
            assert_eq!(place.len(), asked.min(FULL));
            place[..written].copy_from_slice(&data[gathered..]);
            written
        };
        assert_eq!(puppet.us.write_with(asked, write).unwrap(), written);
        let mut heard = puppet.hear_all();
        assert_eq!(heard.iter().map(Vec::len).collect::<Vec<_>>(), records);
        puppet.us.flush().unwrap();
        heard.extend(puppet.hear_all());
        assert!(heard.concat() == data);
    }
}

/// Data is sent when uncorking, and when the connection closes.
#[test]
fn what_ends_it_sends() {
    for mut puppet in Puppet::both_corked() {
        puppet.gather(b"one");
        puppet.gather(b"two");
        puppet.us.set_corked(true).unwrap();
        puppet.hears_nothing();
        puppet.us.set_corked(false).unwrap();
        assert!(!puppet.us.is_corked());
        puppet.hear_data(b"onetwo");
        puppet.us.write(b"three").unwrap();
        puppet.hear_data(b"three");
        puppet.us.set_corked(true).unwrap();
        puppet.gather(b"four");
        puppet.us.close();
        puppet.hear_data(b"four");
        puppet.hear_close();
        assert!(matches!(puppet.us.write(b"five"), Err(Error::Closed)));
        puppet.us.flush().unwrap();
        puppet.us.set_corked(false).unwrap();
        puppet.hears_nothing();
    }
}

/// The transport accepts nothing: four records may wait, and one more is gathered after them. The
/// waiting records can be sent without it.
#[test]
fn what_may_wait_is_bounded() {
    let [mut puppet, _] = Puppet::both_corked();
    let mut sent = 0;
    while puppet.us.write(&[7; 1000]).unwrap() == 1000 {
        sent += 1000;
    }
    assert!(sent < 4 * FULL + 1000, "{sent}");
    assert_eq!(puppet.us.write(b"x").unwrap(), 0);
    assert_eq!(
        puppet
            .us
            .write_with(1, |_| panic!("there is no room"))
            .unwrap(),
        0
    );
    puppet.take(50_000);
    puppet.us.write(b"x").unwrap();
    puppet.us.flush().unwrap();
    let mut heard = puppet.hear_all().concat();
    assert_eq!(heard.pop(), Some(b'x'));
    assert!(heard.len() >= sent && heard.iter().all(|byte| *byte == 7));
}

/// RFC 8449, section 4, and RFC 9846, 5.4: the limit and the padding apply to the resulting record.
#[test]
fn limit_and_padding() {
    for padding in PADDINGS {
        let [mut puppet, _] = Puppet::both_corked();
        puppet.us.sender.padding = padding;
        puppet.us.sender.limit(1001);
        let mut heard = Vec::new();
        for _ in 0..45 {
            puppet.us.write(&[7; 70]).unwrap();
            while let Some(record) = puppet.hear() {
                assert_eq!((record.content.len(), record.padding), (1000, 0));
                heard.extend(record.content);
            }
        }
        puppet.us.flush().unwrap();
        let record = puppet.hear_type(APPLICATION_DATA);
        let padded = match padding {
            Padding::None => 150,
            Padding::Block(100) => 200,
            Padding::PowerOfTwo => 256,
            _ => 1000,
        };
        assert_eq!(
            (record.content.len(), record.content.len() + record.padding),
            (150, padded)
        );
        puppet.hears_nothing();
        assert_eq!(heard.len(), 3000);
    }
}

// ---- what is not data ----

/// RFC 9846, 4.7.3: the answer is sent "prior to sending its next Application Data record", which
/// is the one that is being gathered. So that record is under the new keys.
#[test]
fn the_answer_to_a_key_update_comes_before_what_is_gathered() {
    for length in [1, 10, 100, 16_000] {
        for mut puppet in Puppet::both_corked() {
            let data = bytes(2 * length, 5);
            puppet.gather(&data[..length]);
            puppet.update(1);
            puppet.hear_update(0);
            puppet.hears_nothing();
            puppet.us.write(&data[length..]).unwrap();
            puppet.us.flush().unwrap();
            assert!(puppet.hear_all().concat() == data);
        }
    }
}

/// This holds also if `flush` or `close` is called before received bytes are processed.
#[test]
fn an_answer_that_is_owed_comes_before_what_is_gathered() {
    for closes in [false, true] {
        for mut puppet in Puppet::both_corked() {
            puppet.gather(b"gathered");
            puppet.us.sender.key_updates.received(true);
            if closes {
                puppet.us.close()
            } else {
                puppet.us.flush().unwrap()
            }
            puppet.hear_update(0);
            puppet.hear_data(b"gathered");
            if closes {
                puppet.hear_close()
            } else {
                puppet.hears_nothing()
            }
        }
    }
}

/// Data that was written before keys are renewed is protected by the old ones.
#[test]
fn new_keys_come_behind_what_is_gathered() {
    for mut puppet in Puppet::both_corked() {
        puppet.gather(b"old");
        puppet.us.rekey().unwrap();
        puppet.hear_data(b"old");
        puppet.hear_update(1);
        puppet.gather(b"new");
        puppet.us.flush().unwrap();
        puppet.hear_data(b"new");
    }
}

/// Tickets are sent with the first data, not before it in a separate call of the transport.
#[test]
fn tickets_wait_for_what_is_gathered() {
    let mut puppet = Puppet::with_tickets();
    puppet.us.set_corked(true).unwrap();
    puppet.gather(b"gathered");
    puppet.us.flush().unwrap();
    let tickets = puppet.hear_type(HANDSHAKE);
    assert_eq!(tickets.content[0], 4);
    puppet.hear_data(b"gathered");
    puppet.hears_nothing();
}

/// RFC 9846, section 6: after a fatal alert both sides forget their tickets. Gathered data is sent
/// before the alert, without tickets.
#[test]
fn no_tickets_with_a_fatal_alert() {
    let mut puppet = Puppet::with_tickets();
    puppet.us.set_corked(true).unwrap();
    puppet.gather(b"gathered");
    let error = puppet
        .feed(&[
            23, 3, 3, 0, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
        ])
        .unwrap_err();
    puppet.hear_data(b"gathered");
    puppet.has_failed(&error, Some(20));
}

/// Bytes that a closure wrote before it panicked are not visible to the next closure, which claims
/// to have written more than it did.
#[test]
fn a_panic_leaves_nothing_in_what_was_lent() {
    for mut puppet in Puppet::both_corked() {
        puppet.gather(b"gathered");
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            puppet.us.write_with(6, |place| {
                place.copy_from_slice(b"secret");
                std::panic::resume_unwind(Box::new("on purpose, without a message"))
            })
        }));
        assert!(unwound.is_err());
        assert_eq!(puppet.us.write_with(6, |place| place.len()).unwrap(), 6);
        puppet.us.flush().unwrap();
        puppet.hear_data(b"gathered\0\0\0\0\0\0");
    }
}

/// Accepted data is sent as if it had not been gathered: before our alert, and not after the
/// peer's.
#[test]
fn alerts() {
    for mut puppet in Puppet::both_corked() {
        puppet.gather(b"gathered");
        let error = puppet.alert(2, 80).unwrap_err();
        assert!(matches!(error, Error::AlertReceived { .. }));
        puppet.has_failed(&error, None);
    }
    for mut puppet in Puppet::both_corked() {
        puppet.gather(b"gathered");
        let error = puppet
            .feed(&[
                23, 3, 3, 0, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
            ])
            .unwrap_err();
        puppet.hear_data(b"gathered");
        puppet.has_failed(&error, Some(20));
        puppet.us.flush().unwrap();
        puppet.hears_nothing();
    }
}

/// RFC 9846, 5.5: data is not accepted if no record is left for it.
#[test]
fn what_is_gathered_can_be_sealed() {
    for mut puppet in Puppet::both_corked() {
        let start = MOST_RECORDS - 5;
        puppet.us.sender.start_at(start, MOST_UPDATES);
        puppet.read.as_mut().unwrap().sequence = start;
        for _ in 0..3 {
            puppet.gather(b"gathered");
            puppet.us.flush().unwrap();
            puppet.hear_data(b"gathered");
        }
        let error = puppet.us.write(b"too much").unwrap_err();
        assert!(matches!(error, Error::KeyLimit), "{error}");
        puppet.has_failed(&error, Some(80));
    }
    // While keys can be renewed, they are.
    for lends in [false, true] {
        for mut puppet in Puppet::both_corked() {
            let start = MOST_RECORDS - 1024;
            puppet.us.sender.start_at(start, 0);
            puppet.read.as_mut().unwrap().sequence = start;
            let zeros = |place: &mut [u8]| {
                place.fill(0);
                8
            };
            let written = if lends {
                puppet.us.write_with(8, zeros)
            } else {
                puppet.us.write(&[0; 8])
            };
            assert_eq!(written.unwrap(), 8);
            puppet.us.flush().unwrap();
            puppet.hear_update(0);
            puppet.hear_data(&[0; 8]);
        }
    }
}

#[test]
fn a_buffer_is_kept_as_long_as_something_is_gathered() {
    for mut puppet in Puppet::both_corked() {
        let data = bytes(3000, 9);
        for part in data.chunks(500) {
            puppet.gather(part);
            // The connection waits, and frees the memory that it can.
            assert!(!puppet.us.input().is_empty());
        }
        puppet.us.flush().unwrap();
        puppet.hear_data(&data);
    }
}

#[test]
fn early_data_is_not_gathered() {
    let mut puppet = Puppet::offered();
    puppet.takes_early_data = true;
    puppet.us.set_corked(true).unwrap();
    assert_eq!(puppet.us.write_early_data(b"early").unwrap(), 5);
    puppet.hear_early(b"early");
    let mut puppet = Puppet::accepted(1000);
    puppet.us.set_corked(true).unwrap();
    assert_eq!(puppet.us.write_early_data(b"answer").unwrap(), 6);
    puppet.hear_data(b"answer");
}

/// What an application does with a corked connection.
#[derive(Clone, Debug)]
enum Deed {
    Write(Vec<usize>),
    WriteWith(usize, usize),
    Cork(bool),
    Flush,
    Rekey,
    /// The peer requests new keys.
    Asked,
    /// The transport takes this part of the waiting output.
    Send(prop::sample::Index),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let lengths = || prop_oneof![0usize..200, 0usize..40_000];
    prop::collection::vec(
        prop_oneof![
            8 => prop::collection::vec(lengths(), 0..4).prop_map(Deed::Write),
            4 => (lengths(), lengths()).prop_map(
                |(asked, written)| Deed::WriteWith(asked, written)
            ),
            1 => any::<bool>().prop_map(Deed::Cork),
            1 => Just(Deed::Flush),
            1 => Just(Deed::Rekey),
            1 => Just(Deed::Asked),
            4 => any::<prop::sample::Index>().prop_map(Deed::Send),
        ],
        1..40,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_byte_is_lost(
        deeds in deeds(),
        padding in prop::sample::select(&PADDINGS[..]),
        limit in prop_oneof![Just(16385usize), 64usize..16385],
    ) {
        let [_, mut puppet] = Puppet::both_corked();
        puppet.us.sender.padding = padding;
        puppet.us.sender.limit(limit);
        let (mut expected, mut seed) = (Vec::new(), 0);
        for deed in deeds {
            seed += 1;
            match deed {
                Deed::Write(lengths) => {
                    let buffers: Vec<Vec<u8>> =
                        lengths.iter().map(|length| bytes(*length, seed)).collect();
                    let taken = puppet.us.write_vectored(&buffers).unwrap();
                    expected.extend_from_slice(&buffers.concat()[..taken]);
                }
                Deed::WriteWith(asked, written) => {
                    let taken = puppet
                        .us
                        .write_with(asked, |place| {
                            let length = place.len();
                            place.copy_from_slice(&bytes(length, seed));
                            written
                        })
                        .unwrap();
                    expected.extend(bytes(taken, seed));
                }
                Deed::Cork(corked) => puppet.us.set_corked(corked).unwrap(),
                Deed::Flush => puppet.us.flush().unwrap(),
                Deed::Rekey => puppet.us.rekey().unwrap(),
                Deed::Asked => puppet.update(1),
                Deed::Send(part) => puppet.take(part.index(puppet.us.output().len() + 1)),
            }
        }
        puppet.us.close();
        let mut heard = Vec::new();
        let ended = loop {
            match puppet.hear() {
                Some(record) if record.content_type == APPLICATION_DATA => {
                    heard.extend(record.content)
                }
                Some(record) if record.content_type == HANDSHAKE => {
                    puppet.read.as_mut().unwrap().update()
                }
                other => break other,
            }
        };
        prop_assert_eq!(ended.unwrap().content, [1, 0]);
        prop_assert!(heard == expected);
        puppet.hears_nothing();
    }
}
