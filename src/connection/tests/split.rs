//! A connection in two halves: what one half receives and the other must do about it, in both
//! roles.

use core::time::Duration;

use crate::code_point::AlertDescription;

use crate::connection::split::{ReceiveHalf, SendHalf, Shared};
use crate::connection::tests::key_updates::{MOST_RECORDS, MOST_UPDATES};
use crate::connection::tests::puppet::{ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, now};
use crate::connection::{Connection, Status};
use crate::error::{Error, Fault};
use crate::handshake::RekeyPolicy;
use crate::time::Now;

/// The connection under test, split into halves, and its peer.
pub(super) struct Halves {
    pub(super) puppet: Puppet,
    pub(super) reading: ReceiveHalf,
    shared: Shared<SendHalf, Error>,
}

impl Halves {
    fn both() -> [Self; 2] {
        Puppet::both_connected().map(Self::of)
    }

    pub(super) fn of(mut puppet: Puppet) -> Self {
        let (reading, writing, notes) =
            std::mem::replace(&mut puppet.us, Connection::undecided(now())).split();
        Self {
            puppet,
            reading,
            shared: Shared::new(writing, notes),
        }
    }

    /// The writing half does this, and the peer hears the result.
    pub(super) fn writing<T>(
        &mut self,
        work: impl FnOnce(&mut SendHalf, &crate::connection::Notes<Error>) -> T,
    ) -> T {
        let raw = &mut self.puppet.raw;
        self.shared.work(
            |writing, notes| {
                let result = work(writing, notes);
                raw.extend_from_slice(writing.output());
                writing.sent(usize::MAX);
                result
            },
            |_, _| {},
        )
    }

    pub(super) fn try_write(&mut self, data: &[u8]) -> Result<usize, Error> {
        self.writing(|writing, notes| writing.write(&[data], notes))
    }

    #[track_caller]
    pub(super) fn write(&mut self, data: &[u8]) {
        assert_eq!(self.try_write(data).unwrap(), data.len());
    }

    /// The reading half receives this. Returns the resulting data.
    pub(super) fn reading(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        self.reading_at(bytes, now())
    }

    /// The reading half receives the peer's close_notify.
    pub(super) fn reading_to_the_end(&mut self, close: &[u8]) {
        self.reading.input()[..close.len()].copy_from_slice(close);
        self.reading.received(close.len());
        let status = self
            .reading
            .process_into(&mut [0; 10], now(), &self.shared.notes);
        assert_eq!(status.unwrap(), (0, Status::Closed));
    }

    fn reading_at(&mut self, mut bytes: &[u8], now: Now) -> Result<Vec<u8>, Error> {
        let mut read = Vec::new();
        loop {
            let mut out = [0; 10];
            match self
                .reading
                .process_into(&mut out, now, &self.shared.notes)?
            {
                (0, Status::NeedsInput) if bytes.is_empty() => return Ok(read),
                (0, Status::NeedsInput) => {
                    let space = self.reading.input();
                    let count = space.len().min(bytes.len());
                    space[..count].copy_from_slice(&bytes[..count]);
                    self.reading.received(count);
                    bytes = &bytes[count..];
                }
                (0, status) => panic!("{status:?}"),
                (count, _) => read.extend_from_slice(&out[..count]),
            }
        }
    }

    /// The peer renews its keys.
    #[track_caller]
    fn update(&mut self, request_update: u8) {
        let record = self.puppet.take_update(request_update);
        assert!(self.reading(&record).unwrap().is_empty());
        // Reading sends nothing.
        assert_eq!(
            self.shared
                .work(|writing, _| writing.output().len(), |_, _| {}),
            0
        );
    }
}

// ---- RFC 9846, 4.7.3 ----

/// "the receiver MUST send a KeyUpdate of its own with request_update set to "update_not_requested"
/// prior to sending its next Application Data record". The answer is under the old keys, and the
/// data under the new ones. It is sent once, however many requests came in the meantime.
#[test]
fn what_is_asked_of_the_one_is_answered_by_the_other() {
    for mut halves in Halves::both() {
        for requests in [1, 1, 3] {
            for _ in 0..requests {
                halves.update(1);
            }
            halves.puppet.hears_nothing();
            for data in [&b"first"[..], b"second"] {
                halves.write(data);
                if data == b"first" {
                    halves.puppet.hear_update(0);
                }
                halves.puppet.hear_data(data);
                halves.puppet.hears_nothing();
            }
        }
        halves.update(0);
        halves.write(b"not asked");
        halves.puppet.hear_data(b"not asked");
    }
}

/// This holds for every way of sending data.
#[test]
fn the_answer_comes_before_data_of_any_kind() {
    let lent = |place: &mut [u8]| {
        place.copy_from_slice(b"lent");
        4
    };
    for mut halves in Halves::both() {
        halves.update(1);
        halves
            .writing(|writing, notes| writing.write_with(4, lent, notes))
            .unwrap();
        halves.puppet.hear_update(0);
        halves.puppet.hear_data(b"lent");

        // Data that was gathered before the request counts as data that is sent afterwards.
        halves
            .writing(|writing, notes| writing.set_corked(true, notes))
            .unwrap();
        assert!(halves.writing(|writing, _| writing.is_corked()));
        halves.write(b"gathered");
        halves.update(1);
        halves.puppet.hears_nothing();
        halves
            .writing(|writing, notes| writing.flush(notes))
            .unwrap();
        halves.puppet.hear_update(0);
        halves.puppet.hear_data(b"gathered");

        halves.write(b"uncorked");
        halves.update(1);
        halves
            .writing(|writing, notes| writing.set_corked(false, notes))
            .unwrap();
        halves.puppet.hear_update(0);
        halves.puppet.hear_data(b"uncorked");

        halves
            .writing(|writing, notes| writing.set_corked(true, notes))
            .unwrap();
        halves.write(b"the end");
        halves.update(1);
        halves.writing(SendHalf::close);
        halves.puppet.hear_update(0);
        halves.puppet.hear_data(b"the end");
        assert_eq!(halves.puppet.hear_type(ALERT).content, [1, 0]);
        halves.puppet.hears_nothing();
    }
}

/// "Until receiving a subsequent KeyUpdate from the peer, the sender MUST NOT send another
/// KeyUpdate with request_update set to update_requested."
#[test]
fn one_request_at_a_time() {
    for mut halves in Halves::both() {
        for _ in 0..2 {
            for request_update in [1, 0, 0] {
                halves
                    .writing(|writing, notes| writing.rekey(notes))
                    .unwrap();
                halves.puppet.hear_update(request_update);
            }
            // The reading half receives the answer.
            halves.update(0);
        }
        // The gathered data is older.
        halves
            .writing(|writing, notes| writing.set_corked(true, notes))
            .unwrap();
        halves.write(b"old");
        halves
            .writing(|writing, notes| writing.rekey(notes))
            .unwrap();
        halves.puppet.hear_data(b"old");
        halves.puppet.hear_update(1);
    }
}

/// A request from before the split counts too, and its answer is not an idle message.
#[test]
fn a_request_from_before() {
    for mut puppet in Puppet::both_connected() {
        puppet.us.rekey().unwrap();
        puppet.hear_update(1);
        let mut halves = Halves::of(puppet);
        halves
            .writing(|writing, notes| writing.rekey(notes))
            .unwrap();
        halves.puppet.hear_update(0);
        halves.update(0);
        halves
            .writing(|writing, notes| writing.rekey(notes))
            .unwrap();
        halves.puppet.hear_update(1);
        // 64 KeyUpdates without a request of ours are allowed. This answer does not count.
        for _ in 0..65 {
            halves.update(0);
        }
    }
}

/// Each record of data that the writing half seals, in whatever way, allows one idle message more.
#[test]
fn sealed_records_are_counted() {
    for mut halves in Halves::both() {
        for _ in 0..64 {
            halves.update(1);
        }
        halves.write(b"one");
        halves
            .writing(|writing, notes| writing.write_with(5, |_| 5, notes))
            .unwrap();
        halves
            .writing(|writing, notes| writing.set_corked(true, notes))
            .unwrap();
        for renew in [false, true] {
            halves.write(b"gathered");
            halves
                .writing(|writing, notes| {
                    if renew {
                        writing.rekey(notes)
                    } else {
                        writing.flush(notes)
                    }
                })
                .unwrap();
        }
        // The answer to the `rekey`, which does not count, and one for each record.
        for _ in 0..1 + 4 {
            halves.update(1);
        }
        let record = halves.puppet.take_update(1);
        let error = halves.reading(&record).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Protocol {
                    fault: Fault::TooMany { limit: 64, .. },
                    ..
                }
            ),
            "{error}"
        );
        assert!(halves.try_write(b"too late").is_err());
    }
}

/// What the writing half sealed reaches the reading half up to 2^17 records, and time up to 1,024
/// seconds, as in one piece.
#[test]
fn the_most_that_sealing_and_time_allow() {
    const MOST_SEALED: usize = 1 << 17;
    for (sealed, seconds, allowed) in [
        (0, 0, 0),
        (MOST_SEALED - 1, 0, MOST_SEALED - 1),
        (MOST_SEALED, 0, MOST_SEALED),
        (MOST_SEALED + 1, 0, MOST_SEALED),
        (0, 1023, 1023),
        (0, 1024, 1024),
        (0, 1025, 1024),
    ] {
        let mut halves = Halves::of(Puppet::client_at("CONNECTED"));
        for _ in 0..sealed {
            halves.write(b"x");
            halves.puppet.raw.clear();
        }
        let later = Now {
            monotonic: now().monotonic + Duration::from_secs(seconds),
            ..now()
        };
        for number in 0..64 + allowed {
            let record = halves.puppet.protect(APPLICATION_DATA, &[], 0);
            let result = halves.reading_at(&record, later);
            assert!(result.is_ok(), "{sealed}, {seconds}: {number}, {result:?}");
        }
        let record = halves.puppet.protect(APPLICATION_DATA, &[], 0);
        assert!(
            matches!(
                halves.reading_at(&record, later),
                Err(Error::Protocol {
                    fault: Fault::TooMany { limit: 64, .. },
                    ..
                })
            ),
            "{sealed}, {seconds}"
        );
    }
}

// ---- failures ----

/// The writing half sends the alert after what it had gathered, and nothing else. Both halves
/// return the first error permanently.
#[test]
fn what_reading_fails_with_is_said_by_writing() {
    for mut halves in Halves::both() {
        halves
            .writing(|writing, notes| writing.set_corked(true, notes))
            .unwrap();
        halves.write(b"gathered");
        let mut record = halves.puppet.protect(APPLICATION_DATA, b"x", 0);
        record[7] ^= 1;
        let error = halves.reading(&record).unwrap_err();
        assert_eq!(error.alert(), Some(AlertDescription::BAD_RECORD_MAC));
        assert_eq!(
            halves.writing(|writing, notes| writing.flush(notes)).ok(),
            Some(())
        );
        halves.puppet.hear_data(b"gathered");
        assert_eq!(halves.puppet.hear_type(ALERT).content, [2, 20]);
        for _ in 0..2 {
            let same = |other: Error| assert_eq!(other.to_string(), error.to_string());
            same(halves.try_write(b"x").unwrap_err());
            same(
                halves
                    .writing(|writing, notes| {
                        writing.write_with(1, |_| panic!("nothing goes out"), notes)
                    })
                    .unwrap_err(),
            );
            same(
                halves
                    .writing(|writing, notes| writing.rekey(notes))
                    .unwrap_err(),
            );
            same(halves.reading(&[]).unwrap_err());
        }
        halves.puppet.hears_nothing();
    }
}

/// RFC 9846, 5.5: an error of the writing half is returned by the next read, and the peer receives
/// its alert.
#[test]
fn what_writing_fails_with_is_what_reading_gets() {
    for mut puppet in Puppet::both_connected() {
        let start = MOST_RECORDS - 2;
        puppet.us.sender.start_at(start, MOST_UPDATES);
        puppet.read.as_mut().unwrap().sequence = start;
        let mut halves = Halves::of(puppet);
        let error = halves.try_write(b"x").unwrap_err();
        assert!(matches!(error, Error::KeyLimit));
        assert_eq!(halves.puppet.hear_type(ALERT).content, [2, 80]);
        let record = halves.puppet.protect(APPLICATION_DATA, b"too late", 0);
        assert!(matches!(
            halves.reading(&record).unwrap_err(),
            Error::KeyLimit
        ));
        halves.puppet.hears_nothing();
    }
}

/// An error alert is not answered, and discards waiting and gathered output.
#[test]
fn an_error_alert_is_the_end_of_both() {
    for mut halves in Halves::both() {
        halves
            .writing(|writing, notes| writing.set_corked(true, notes))
            .unwrap();
        halves.write(b"gathered");
        let record = halves.puppet.record(ALERT, &[2, 80]);
        assert!(matches!(
            halves.reading(&record).unwrap_err(),
            Error::AlertReceived { .. }
        ));
        assert!(matches!(
            halves.try_write(b"x").unwrap_err(),
            Error::AlertReceived { .. }
        ));
        halves.writing(SendHalf::close);
        halves.puppet.hears_nothing();
    }
}

// ---- ends ----

/// Each direction ends separately: reading continues, also under new keys, but requests are no
/// longer answered.
#[test]
fn reading_goes_on_when_writing_has_ended() {
    for abandons in [false, true] {
        for mut halves in Halves::both() {
            halves.writing(|writing, notes| {
                writing.write(&[&b"waits"[..]], notes).unwrap();
                if abandons {
                    writing.abandon()
                } else {
                    writing.close(notes)
                }
            });
            if !abandons {
                halves.puppet.hear_data(b"waits");
                assert_eq!(halves.puppet.hear_type(ALERT).content, [1, 0]);
            }
            halves.update(1);
            let record = halves.puppet.protect(APPLICATION_DATA, b"a little more", 0);
            assert_eq!(halves.reading(&record).unwrap(), b"a little more");
            assert!(matches!(halves.try_write(b"x").unwrap_err(), Error::Closed));
            assert!(matches!(
                halves
                    .writing(|writing, notes| writing.rekey(notes))
                    .unwrap_err(),
                Error::Closed
            ));
            halves.puppet.hears_nothing();
        }
    }
}

/// Tickets that wait when a server's connection is split are sent with the first data of the
/// writing half, unless that comes too late.
#[test]
fn tickets_go_out_with_the_first_data() {
    for late in [false, true] {
        let puppet = Puppet::with_tickets();
        let mut halves = Halves::of(puppet);
        halves.writing(|writing, notes| writing.at(core::time::Duration::ZERO, notes));
        if late {
            halves.writing(|writing, notes| writing.at(core::time::Duration::from_secs(60), notes));
        }
        halves.write(b"data");
        if !late {
            assert_eq!(halves.puppet.hear_type(HANDSHAKE).content[0], 4);
        }
        halves.puppet.hear_data(b"data");
        halves.puppet.hears_nothing();
    }
}

// ---- keys that are renewed without anyone asking ----

/// The writing half renews its key by its own clock and by what it has sent.
#[test]
fn the_writing_half_renews_its_key() {
    for mut puppet in Puppet::both_connected() {
        puppet
            .us
            .sender
            .set_rekey_policy(RekeyPolicy::never().records(3).age(Duration::from_secs(60)));
        let mut halves = Halves::of(puppet);
        for _ in 0..3 {
            halves.write(b"x");
            halves.puppet.hear_data(b"x");
        }
        halves.write(b"x");
        halves.puppet.hear_update(0);
        halves.puppet.hear_data(b"x");
        halves.writing(|writing, notes| writing.at(Duration::from_secs(60), notes));
        halves.puppet.hears_nothing();
        halves.write(b"x");
        halves.puppet.hear_update(0);
        halves.puppet.hear_data(b"x");
        halves.puppet.hears_nothing();
    }
}

/// The reading half notes that the peer is to be asked. The writing half asks with its next data or
/// flush, and the peer's key counts as asked for until it comes.
#[test]
fn what_the_one_finds_late_the_other_asks_for() {
    for flush in [false, true] {
        for mut puppet in Puppet::both_connected() {
            puppet.us.receiver.settings.rekey_policy = RekeyPolicy::never().records(3);
            let mut halves = Halves::of(puppet);
            for round in 0..3 {
                let now = Now {
                    monotonic: Duration::from_secs(round),
                    ..now()
                };
                for _ in 0..10 {
                    let record = halves.puppet.record(APPLICATION_DATA, b"x");
                    assert_eq!(halves.reading_at(&record, now).unwrap(), b"x");
                    halves.puppet.hears_nothing();
                }
                let (wants, next) = halves.writing(|writing, notes| {
                    let wants = writing.wants_write(notes);
                    let next = if flush {
                        writing.flush(notes)
                    } else {
                        writing.write(&[&b"y"[..]], notes).map(|_| ())
                    };
                    (wants, next)
                });
                assert!(wants);
                next.unwrap();
                halves.puppet.hear_update(1);
                if !flush {
                    halves.puppet.hear_data(b"y");
                }
                for _ in 0..10 {
                    let record = halves.puppet.record(APPLICATION_DATA, b"x");
                    halves.reading_at(&record, now).unwrap();
                    halves
                        .writing(|writing, notes| writing.flush(notes))
                        .unwrap();
                    halves.puppet.hears_nothing();
                }
                halves.update(0);
            }
        }
    }
}

/// What the connection was about to ask before it was split is asked afterwards.
#[test]
fn what_is_wanted_survives_the_split() {
    for mut puppet in Puppet::both_connected() {
        puppet.us.sender.key_updates.want();
        let mut halves = Halves::of(puppet);
        halves.write(b"x");
        halves.puppet.hear_update(1);
        halves.puppet.hear_data(b"x");
        halves.update(0);
        halves.write(b"x");
        halves.puppet.hear_data(b"x");
        halves.puppet.hears_nothing();
    }
}

/// A peer that renews its key by itself, before it was asked, is not asked any more. Whether
/// something waits can be looked at as often as a program likes.
#[test]
fn what_is_no_longer_wanted_is_not_asked_for() {
    for mut puppet in Puppet::both_connected() {
        puppet.us.receiver.settings.rekey_policy = RekeyPolicy::never().records(3);
        let mut halves = Halves::of(puppet);
        for round in 0..20 {
            let now = Now {
                monotonic: Duration::from_secs(round),
                ..now()
            };
            let record = halves.puppet.record(APPLICATION_DATA, b"x");
            halves.reading_at(&record, now).unwrap();
            let wants = halves.writing(|writing, notes| writing.wants_write(notes));
            assert_eq!(wants, round >= 2);
        }
        halves.update(0);
        assert!(!halves.writing(|writing, notes| writing.wants_write(notes)));
        halves.write(b"y");
        halves.puppet.hear_data(b"y");
        halves.puppet.hears_nothing();
        // It was not counted as asked more than once.
        for _ in 0..3 {
            let record = halves.puppet.record(APPLICATION_DATA, b"x");
            halves
                .reading_at(
                    &record,
                    Now {
                        monotonic: Duration::from_secs(30),
                        ..now()
                    },
                )
                .unwrap();
        }
        halves.write(b"y");
        halves.puppet.hear_update(1);
        halves.puppet.hear_data(b"y");
    }
}
