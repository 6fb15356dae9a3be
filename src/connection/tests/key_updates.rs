//! KeyUpdate (RFC 9846, 4.7.3) and the limits on key usage (5.5), in both roles.

use crate::connection::Status;
use crate::connection::tests::puppet::server::{key_update, new_session_ticket};
use crate::connection::tests::puppet::{
    APPLICATION_DATA, HANDSHAKE, Puppet, message, now, refused, server,
};
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::{Error, Fault, Illegal};

/// 4.7.3: "the number of key updates" is never to "exceed 2^48-1".
pub(crate) const MOST_UPDATES: u64 = (1 << 48) - 1;
/// 5.5: 2^24.5 records, rounded down, for AES-GCM.
pub(crate) const MOST_RECORDS: u64 = 23_726_566;

/// The length of a record with a KeyUpdate: header, message, content type and tag.
const ANSWER: usize = 5 + 5 + 1 + 16;

impl Puppet {
    /// Sends a KeyUpdate under the old keys, and changes the keys.
    pub(crate) fn update(&mut self, request_update: u8) {
        let record = self.take_update(request_update);
        self.feed(&record).unwrap();
    }

    pub(crate) fn take_update(&mut self, request_update: u8) -> Vec<u8> {
        let record = self.protect(HANDSHAKE, &key_update(request_update), 0);
        self.write.as_mut().unwrap().update();
        record
    }

    /// Hears a KeyUpdate under the old keys, and changes the keys.
    #[track_caller]
    pub(crate) fn hear_update(&mut self, request_update: u8) {
        assert_eq!(
            self.hear_type(HANDSHAKE).content,
            key_update(request_update)
        );
        self.read.as_mut().unwrap().update();
    }

    #[track_caller]
    pub(crate) fn hear_data(&mut self, data: &[u8]) {
        assert_eq!(self.hear_type(APPLICATION_DATA).content, data);
    }
}

// ---- KeyUpdates of the peer ----

/// "Upon receiving a KeyUpdate, the receiver MUST update its receiving keys"; update_not_requested
/// is not answered.
#[test]
fn the_peers_keys_move_on() {
    for mut puppet in Puppet::both_connected() {
        for _ in 0..20 {
            puppet.update(0);
            puppet.send(b"x").unwrap();
        }
        assert_eq!(puppet.delivered, [b'x'; 20]);
        puppet.hears_nothing();
        puppet.us.write(b"our keys stay").unwrap();
        puppet.hear_data(b"our keys stay");
    }
}

/// "After sending a KeyUpdate message, the sender SHALL send all its traffic using the next
/// generation of keys". Records under the old keys no longer open.
#[test]
fn old_keys_after_a_key_update() {
    for mut puppet in Puppet::both_connected() {
        puppet.say(&key_update(0)).unwrap();
        let record = puppet.protect(APPLICATION_DATA, b"old", 0);
        refused!(puppet, record, "CONNECTED", 20, Fault::BadRecordMac);
    }
}

/// "both sides MUST enforce that a KeyUpdate with the old key is received before accepting any
/// messages encrypted with the new key".
#[test]
fn new_keys_before_a_key_update() {
    for content in [&key_update(0)[..], b"data"] {
        for mut puppet in Puppet::both_connected() {
            puppet.write.as_mut().unwrap().update();
            let content_type = if content == b"data" {
                APPLICATION_DATA
            } else {
                HANDSHAKE
            };
            let record = puppet.protect(content_type, content, 0);
            refused!(puppet, record, "CONNECTED", 20, Fault::BadRecordMac);
        }
    }
}

/// "If an implementation receives any other value, it MUST terminate the connection with an
/// "illegal_parameter" alert."
#[test]
fn other_values() {
    for value in [2, 3, 127, 255] {
        for mut puppet in Puppet::both_connected() {
            let record = puppet.protect(HANDSHAKE, &key_update(value), 0);
            refused!(
                puppet,
                record,
                "CONNECTED",
                47,
                Fault::Illegal(Illegal::KeyUpdateRequest(got)) if got == value
            );
        }
    }
    for body in [&[][..], &[0, 0], &[1, 0]] {
        for mut puppet in Puppet::both_connected() {
            let record = puppet.protect(HANDSHAKE, &message(24, body), 0);
            refused!(
                puppet,
                record,
                "CONNECTED",
                50,
                Fault::Decode {
                    message: "KeyUpdate",
                    ..
                }
            );
        }
    }
}

// ---- what is answered ----

/// "If the request_update field is set to "update_requested", then the receiver MUST send a
/// KeyUpdate of its own with request_update set to "update_not_requested" prior to sending its next
/// Application Data record." "Both sender and receiver MUST encrypt their KeyUpdate messages with
/// the old keys."
#[test]
fn a_request_is_answered() {
    for mut puppet in Puppet::both_connected() {
        for _ in 0..3 {
            puppet.update(1);
            puppet.hear_update(0);
            puppet.hears_nothing();
            puppet.us.write(b"under new keys").unwrap();
            puppet.hear_data(b"under new keys");
            puppet.send(b"x").unwrap();
        }
    }
}

/// The mechanism "causes an implementation which receives multiple KeyUpdates while it is silent to
/// respond with a single update."
#[test]
fn several_requests_get_one_answer() {
    for mut puppet in Puppet::both_connected() {
        let bytes: Vec<u8> = [1, 0, 1, 1]
            .into_iter()
            .flat_map(|request| puppet.take_update(request))
            .collect();
        puppet.feed(&bytes).unwrap();
        puppet.hear_update(0);
        puppet.hears_nothing();
        puppet.us.write(b"data").unwrap();
        puppet.hear_data(b"data");
    }
}

/// This holds also if the application writes before everything received was processed.
#[test]
fn the_answer_comes_before_data() {
    for mut puppet in Puppet::both_connected() {
        let bytes = [
            puppet.take_update(1),
            puppet.record(APPLICATION_DATA, b"question"),
        ]
        .concat();
        puppet.us.input()[..bytes.len()].copy_from_slice(&bytes);
        puppet.us.received(bytes.len());
        assert_eq!(
            puppet.us.process(now(), &mut SystemRandom).unwrap(),
            Status::Data
        );
        assert!(puppet.us.output().is_empty());
        puppet.us.write(b"answer").unwrap();
        puppet.hear_update(0);
        puppet.hear_data(b"answer");
        puppet.us.consume(usize::MAX);
        puppet.feed(&[]).unwrap();
        puppet.hears_nothing();
    }
}

/// While an answer has not gone out, requests that arrive add none: it is sent after them, and
/// before our next data. So a peer that asks again and again cannot make answers accumulate.
#[test]
fn a_request_adds_no_answer_to_one_that_is_unsent() {
    for mut puppet in Puppet::both_connected() {
        for _ in 0..3 {
            for _ in 0..100 {
                puppet.update(1);
                puppet.send(b"x").unwrap();
                assert_eq!(puppet.us.output().len(), ANSWER);
            }
            // Its last byte counts.
            puppet.take(ANSWER - 1);
            puppet.update(1);
            assert_eq!(puppet.us.output().len(), 1);
            puppet.us.write(b"data").unwrap();
            puppet.hear_update(0);
            puppet.hear_data(b"data");
            puppet.hears_nothing();
        }
        // A request that arrives afterwards has an answer of its own.
        puppet.update(1);
        puppet.take(ANSWER);
        puppet.update(1);
        puppet.hear_update(0);
        puppet.hear_update(0);
        puppet.hears_nothing();
    }
}

/// Neither does one behind data that waits, nor one that a `rekey` has asked the peer to answer.
#[test]
fn an_answer_can_wait_behind_data() {
    for mut puppet in Puppet::both_connected() {
        puppet.us.write(b"before").unwrap();
        puppet.update(1);
        puppet.us.write(b"between").unwrap();
        puppet.update(1);
        puppet.us.write(b"after").unwrap();
        puppet.hear_data(b"before");
        puppet.hear_update(0);
        puppet.hear_data(b"between");
        puppet.hear_data(b"after");
        puppet.hears_nothing();
    }
    // A request of ours is no answer, however long it waits.
    for mut puppet in Puppet::both_connected() {
        puppet.us.rekey().unwrap();
        puppet.update(1);
        puppet.update(1);
        puppet.hear_update(1);
        puppet.hear_update(0);
        puppet.hears_nothing();
    }
}

/// A program that only reads answers by `flush`, even if it has not processed all that it received.
#[test]
fn a_flush_answers() {
    for mut puppet in Puppet::both_connected() {
        for _ in 0..3 {
            let bytes = [
                puppet.take_update(1),
                puppet.record(APPLICATION_DATA, b"data"),
            ]
            .concat();
            puppet.us.input()[..bytes.len()].copy_from_slice(&bytes);
            puppet.us.received(bytes.len());
            assert_eq!(
                puppet.us.process(now(), &mut SystemRandom).unwrap(),
                Status::Data
            );
            puppet.us.consume(usize::MAX);
            puppet.hears_nothing();
            for _ in 0..2 {
                puppet.us.flush().unwrap();
            }
            puppet.hear_update(0);
            puppet.hears_nothing();
        }
    }
}

// ---- what we ask for ----

/// "Until receiving a subsequent KeyUpdate from the peer, the sender MUST NOT send another
/// KeyUpdate with request_update set to "update_requested"." Our own keys can still be renewed.
#[test]
fn at_most_one_request_is_outstanding() {
    for mut puppet in Puppet::both_connected() {
        for _ in 0..2 {
            puppet.us.rekey().unwrap();
            puppet.us.write(b"one").unwrap();
            puppet.us.rekey().unwrap();
            puppet.us.rekey().unwrap();
            puppet.us.write(b"two").unwrap();
            puppet.hear_update(1);
            puppet.hear_data(b"one");
            puppet.hear_update(0);
            puppet.hear_update(0);
            puppet.hear_data(b"two");
            puppet.update(0);
            puppet.hears_nothing();
        }
    }
}

/// "implementations may receive an arbitrary number of messages between sending a KeyUpdate with
/// request_update set to "update_requested" and receiving the peer's KeyUpdate".
#[test]
fn data_before_the_answer() {
    for mut puppet in Puppet::both_connected() {
        puppet.us.rekey().unwrap();
        puppet.hear_update(1);
        for _ in 0..100 {
            puppet.send(b"x").unwrap();
        }
        puppet.update(0);
        puppet.send(b"y").unwrap();
        assert_eq!(puppet.delivered.len(), 101);
    }
}

/// "If implementations independently send their own KeyUpdates with request_update set to
/// "update_requested", and they cross in flight, then each side will also send a response, with the
/// result that each side increments by two generations."
#[test]
fn requests_that_cross() {
    for mut puppet in Puppet::both_connected() {
        puppet.us.rekey().unwrap();
        puppet.update(1);
        puppet.hear_update(1);
        puppet.hear_update(0);
        puppet.hears_nothing();
        puppet.update(0);
        puppet.hears_nothing();
        puppet.us.write(b"ours").unwrap();
        puppet.hear_data(b"ours");
        puppet.send(b"theirs").unwrap();
        assert_eq!(puppet.delivered, b"theirs");
    }
}

/// Our own request does not answer an earlier one: an answer has update_not_requested.
#[test]
fn a_request_is_no_answer() {
    for mut puppet in Puppet::both_connected() {
        let bytes = [
            puppet.take_update(1),
            puppet.record(APPLICATION_DATA, b"question"),
        ]
        .concat();
        puppet.us.input()[..bytes.len()].copy_from_slice(&bytes);
        puppet.us.received(bytes.len());
        assert_eq!(
            puppet.us.process(now(), &mut SystemRandom).unwrap(),
            Status::Data
        );
        puppet.us.rekey().unwrap();
        puppet.us.write(b"answer").unwrap();
        puppet.hear_update(1);
        puppet.hear_update(0);
        puppet.hear_data(b"answer");
    }
}

/// Before the handshake is complete, keys cannot be renewed.
#[test]
fn no_rekey_in_the_handshake() {
    let ([a, b], [c, d]) = (Puppet::both_in_the_clear(), Puppet::both_in_handshake());
    for mut puppet in [a, b, c, d] {
        let state = puppet.state();
        assert!(matches!(
            puppet.us.rekey(),
            Err(Error::WrongState { call: "rekey", state: at }) if at == state
        ));
        assert!(matches!(
            puppet.us.write(b"early"),
            Err(Error::WrongState { call: "write", state: at }) if at == state
        ));
        puppet.hears_nothing();
        assert!(puppet.us.error().is_none());
    }
}

// ---- limits ----

/// "If a sending implementation receives a KeyUpdate with request_update set to "update_requested",
/// it MUST NOT send its own KeyUpdate if that would cause it to exceed these limits and SHOULD
/// instead ignore the "update_requested" flag."
#[test]
fn requests_at_the_limit_of_updates() {
    for mut puppet in Puppet::both_connected() {
        puppet.us.sender.start_at(0, MOST_UPDATES - 1);
        puppet.update(1);
        puppet.hear_update(0);
        // That was the last KeyUpdate.
        for _ in 0..3 {
            puppet.update(1);
            puppet.hears_nothing();
            puppet.us.write(b"the old keys do").unwrap();
            puppet.hear_data(b"the old keys do");
            puppet.send(b"x").unwrap();
        }
        assert!(matches!(puppet.us.rekey(), Err(Error::KeyLimit)));
        puppet.hears_nothing();
        puppet.us.write(b"still").unwrap();
        puppet.hear_data(b"still");
    }
}

/// "receiving implementations MUST NOT enforce this rule". 5.5 has the same: "Receiving
/// implementations SHOULD NOT enforce these limits".
#[test]
fn the_peer_may_go_on() {
    let mut puppet = Puppet::client_at("CONNECTED");
    for _ in 0..1000 {
        puppet.update(0);
        puppet.send(b"x").unwrap();
    }
    assert_eq!(puppet.delivered.len(), 1000);
}

/// 5.5: "Implementations MUST either close the connection or do a key update ... prior to reaching
/// these limits."
#[test]
fn keys_are_renewed_before_their_limit() {
    for suite in [Suite::Aes128GcmSha256, Suite::Aes256GcmSha384] {
        let mut calling = Puppet::calling(&server());
        calling.suite = suite;
        calling.lead_server_to("CONNECTED");
        for mut puppet in [Puppet::client_with_suite(suite), calling] {
            let start = MOST_RECORDS - 1100;
            puppet.us.sender.start_at(start, 0);
            puppet.read.as_mut().unwrap().sequence = start;
            let mut renewed_after = None;
            for count in 0..1200 {
                puppet.us.write(b"x").unwrap();
                let record = puppet.hear().unwrap();
                if record.content_type == HANDSHAKE {
                    // We renew our own keys by ourselves. The peer must renew its own.
                    assert_eq!(record.content, key_update(0));
                    assert_eq!(renewed_after.replace(count), None, "renewed twice");
                    puppet.read.as_mut().unwrap().update();
                    puppet.hear_data(b"x");
                } else {
                    assert_eq!(record.content, b"x");
                }
                puppet.hears_nothing();
            }
            assert!(
                renewed_after.is_some_and(|count| count < 1100),
                "{renewed_after:?}"
            );
        }
    }
}

/// Keys are also renewed within one call: a long write may exceed the limit.
#[test]
fn keys_are_renewed_within_a_write() {
    for mut puppet in Puppet::both_connected() {
        let start = MOST_RECORDS - 1025;
        puppet.us.sender.start_at(start, 0);
        puppet.read.as_mut().unwrap().sequence = start;
        assert_eq!(puppet.us.write(&[7; 3 * 16384]).unwrap(), 3 * 16384);
        puppet.hear_data(&[7; 16384]);
        puppet.hear_update(0);
        puppet.hear_data(&[7; 16384]);
        puppet.hear_data(&[7; 16384]);
        puppet.hears_nothing();
    }
}

/// If keys cannot be renewed any more, the connection ends before the limit, while an alert can
/// still be sent: "an eventual need to terminate".
#[test]
fn keys_that_cannot_be_renewed() {
    for mut puppet in Puppet::both_connected() {
        let start = MOST_RECORDS - 10;
        puppet.us.sender.start_at(start, MOST_UPDATES);
        puppet.read.as_mut().unwrap().sequence = start;
        let mut sent = 0;
        let error = loop {
            match puppet.us.write(b"x") {
                Ok(count) => sent += count,
                Err(error) => break error,
            }
            puppet.hear_data(b"x");
        };
        assert!(matches!(error, Error::KeyLimit), "{error}");
        assert!((1..10).contains(&sent), "{sent}");
        // internal_error(80): the peer is not at fault.
        puppet.has_failed(&error, Some(80));
        assert!(puppet.read.as_ref().unwrap().sequence <= MOST_RECORDS);
    }
}

/// 5.3: "If a TLS implementation would need to wrap a sequence number, it MUST either rekey or
/// terminate the connection." ChaCha20-Poly1305 has no other limit.
#[test]
fn sequence_numbers_do_not_wrap() {
    let mut puppet = Puppet::client_with_suite(Suite::ChaCha20Poly1305Sha256);
    let start = u64::MAX - 1025;
    puppet.us.sender.start_at(start, 0);
    puppet.read.as_mut().unwrap().sequence = start;
    puppet.us.write(b"x").unwrap();
    puppet.hear_data(b"x");
    puppet.us.write(b"x").unwrap();
    puppet.hear_update(0);
    puppet.hear_data(b"x");

    let mut puppet = Puppet::client_with_suite(Suite::ChaCha20Poly1305Sha256);
    let start = u64::MAX - 3;
    puppet.us.sender.start_at(start, MOST_UPDATES);
    puppet.read.as_mut().unwrap().sequence = start;
    puppet.us.write(b"x").unwrap();
    puppet.hear_data(b"x");
    let error = puppet.us.write(b"x").unwrap_err();
    assert!(matches!(error, Error::KeyLimit));
    puppet.has_failed(&error, Some(80));
}

// ---- known faults of other implementations (`lessons.rs` has the others) ----

/// Go CVE-2026-32283: a KeyUpdate followed by anything in its record. Here it is refused, whatever
/// follows: another message, a part of one, or another KeyUpdate.
#[test]
fn go_cve_2026_32283_a_key_update_ends_its_record() {
    let ticket = new_session_ticket();
    for follows in [&key_update(0)[..], &[24], &ticket, &ticket[..10], &[0; 4]] {
        for request_update in [0, 1] {
            for mut puppet in Puppet::both_connected() {
                let content = [&key_update(request_update), follows].concat();
                let record = puppet.protect(HANDSHAKE, &content, 0);
                refused!(
                    puppet,
                    record,
                    "CONNECTED",
                    10,
                    Fault::NotAligned {
                        message: "KeyUpdate"
                    }
                );
            }
        }
    }
}

/// CVE-2026-56862: updates without end. Here 64 in a row may come without data, whether they ask
/// for ours or not, and at most one answer waits.
#[test]
fn cve_2026_56862_key_updates_without_end() {
    for request_update in [0, 1] {
        for mut puppet in Puppet::both_connected() {
            for _ in 0..64 {
                puppet.update(request_update);
            }
            assert!(puppet.us.output().len() <= ANSWER);
            let record = puppet.take_update(request_update);
            let error = puppet.feed(&record).unwrap_err();
            assert!(
                matches!(
                    &error,
                    Error::Protocol {
                        fault: Fault::TooMany { limit: 64, .. },
                        ..
                    }
                ),
                "{error}"
            );
        }
    }
}

/// RUSTSEC-2026-0285: bytes after a key change. What came under the old key does not count under
/// the new one: a message does not begin before a KeyUpdate and end after it, and a record under
/// the old key does not open after it.
#[test]
fn rustsec_2026_0285_nothing_crosses_a_key_change() {
    let ticket = new_session_ticket();
    for mut puppet in Puppet::both_connected() {
        // The beginning of a message, then a KeyUpdate in a record of its own: that is the rest of
        // the message, or a message of another kind, but no KeyUpdate.
        let record = puppet.protect(HANDSHAKE, &ticket[..10], 0);
        assert_eq!(puppet.feed(&record).unwrap(), Status::NeedsInput);
        let record = puppet.protect(HANDSHAKE, &key_update(0), 0);
        assert_eq!(puppet.feed(&record).unwrap(), Status::NeedsInput);
        puppet.write.as_mut().unwrap().update();
        let record = puppet.protect(HANDSHAKE, &ticket[15..], 0);
        refused!(puppet, record, "CONNECTED", 20, Fault::BadRecordMac);
    }
    for content_type in [HANDSHAKE, APPLICATION_DATA] {
        for mut puppet in Puppet::both_connected() {
            puppet.say(&key_update(0)).unwrap();
            let record = puppet.protect(content_type, &key_update(0), 0);
            refused!(puppet, record, "CONNECTED", 20, Fault::BadRecordMac);
        }
    }
}
