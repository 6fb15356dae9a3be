//! Early data that our server has accepted (RFC 9846, 4.3.10): what may arrive, and how it is read.
//! `end.rs` tests its end, and `skipped.rs` rejected early data, which is skipped.

use crate::code_point::{AlertDescription, ContentType};
use crate::connection::Status;
use crate::connection::tests::puppet::client::{add, required};
use crate::connection::tests::puppet::early_client::{builder, early, guard, taking, ticket_of};
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Keys, Puppet, Side, now, plain, refused,
};
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::{Error, Fault};
use crate::handshake::EarlyData;
use crate::message::ClientHelloExtension::RecordSizeLimit;
use crate::server::Server;

/// 4.6: `struct {} EndOfEarlyData;`
pub(crate) const END: [u8; 4] = [5, 0, 0, 0];

/// Returns `length` bytes, no two places of which look alike.
fn data(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 251) as u8 ^ at as u8).collect()
}

/// Returns a client that offers early data, the hello that it has not sent yet, and its early keys.
pub(crate) fn about_to(server: &Server) -> (Puppet, Vec<u8>) {
    let mut puppet = Puppet::calling_early(server, &ticket_of(server));
    let hello = puppet.make_client_hello(|_| {});
    puppet.derive_early_keys(&hello);
    puppet.transcript.extend_from_slice(&hello);
    (puppet, hello)
}

/// Completes the handshake from WAIT_EOED, and sends data both ways.
#[track_caller]
pub(crate) fn completes(puppet: &mut Puppet) {
    let before = puppet.early_data.clone();
    puppet.lead_server_to("CONNECTED");
    puppet.send(b"late").unwrap();
    assert_eq!(
        (&puppet.delivered[..], &puppet.early_data),
        (&b"late"[..], &before)
    );
    puppet.us.write(b"answer").unwrap();
    assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"answer");
    assert_eq!(
        puppet.us.negotiated().unwrap().early_data(),
        EarlyData::Accepted
    );
}

// ---- what may come ----

/// Covers every suite, with and without a client certificate in the first handshake, and with and
/// without the client's compatibility mode.
#[test]
fn it_is_received() {
    for server in [
        taking(1000),
        builder()
            .client_auth(required())
            .early_data(1000, guard())
            .build()
            .unwrap(),
    ] {
        for suite in Suite::ALL {
            for session_id in [vec![], vec![0x1d; 32]] {
                let mut puppet = Puppet::calling_for_tickets(&server);
                puppet.suite = suite;
                let ticket = puppet.finish_for_tickets().remove(0);
                // 4.7.1: `uint32 max_early_data_size;`
                assert_eq!(ticket.max_early_data_size, Some(1000));
                let mut puppet = Puppet::calling_early(&server, &ticket);
                puppet.session_id = session_id;
                puppet.say_client_hello();
                // 4.3.10: "Return its own "early_data" extension in EncryptedExtensions", which is
                // Empty there; server_name is not answered in a resumption (RFC 6066, section 3).
                assert_eq!(puppet.hear_flight()[1], [8, 0, 0, 6, 0, 4, 0, 42, 0, 0]);
                puppet.send(b"early").unwrap();
                assert_eq!(
                    (&puppet.early_data[..], puppet.state()),
                    (&b"early"[..], "WAIT_EOED")
                );
                assert!(puppet.us.is_handshaking() && puppet.us.negotiated().is_none());
                completes(&mut puppet);
                assert!(puppet.us.negotiated().unwrap().resumed());
            }
        }
    }
}

/// Early data may be empty.
#[test]
fn nothing_but_its_end() {
    let mut puppet = Puppet::accepted(1000);
    completes(&mut puppet);
    assert!(puppet.early_data.is_empty());
}

/// Early data may be in records of every length, up to the longest. The ChangeCipherSpec of E.4
/// comes before it, and others may come anywhere.
#[test]
fn in_many_records() {
    let bytes = data(50_000);
    for size in [1, 7, 1000, 16384] {
        let bytes = if size == 1 { &bytes[..300] } else { &bytes };
        let mut puppet = Puppet::accepted(50_000);
        puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
        for (number, part) in bytes.chunks(size).enumerate() {
            puppet.send(part).unwrap();
            if number < 10 {
                puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
            }
        }
        assert!(puppet.early_data == bytes);
        completes(&mut puppet);
    }
}

/// One read may contain the ClientHello and everything that a client can send before it has
/// received anything.
#[test]
fn in_one_read_with_the_client_hello() {
    let (mut puppet, hello) = about_to(&taking(20_000));
    let keys = puppet.early.as_mut().unwrap();
    let (one, two, three) = (
        early(keys, b"GET /"),
        early(keys, &data(16384)),
        early(keys, b"!"),
    );
    let bytes = [
        plain(HANDSHAKE, &hello),
        plain(CHANGE_CIPHER_SPEC, &[1]),
        one,
        two,
        three,
    ]
    .concat();
    puppet.feed(&bytes).unwrap();
    assert!(puppet.early_data == [&b"GET /"[..], &data(16384), b"!"].concat());
    puppet.hear_flight();
    completes(&mut puppet);
}

#[test]
fn byte_by_byte() {
    let (mut puppet, hello) = about_to(&taking(1000));
    let keys = puppet.early.as_mut().unwrap();
    let bytes = [
        plain(HANDSHAKE, &hello),
        plain(CHANGE_CIPHER_SPEC, &[1]),
        early(keys, b"GET /"),
        early(keys, &data(500)),
    ]
    .concat();
    for byte in bytes {
        puppet.feed(&[byte]).unwrap();
    }
    assert_eq!(puppet.early_data, [&b"GET /"[..], &data(500)].concat());
    puppet.hear_flight();
    puppet.transcript.extend_from_slice(&END);
    for byte in puppet.record(HANDSHAKE, &END) {
        puppet.feed(&[byte]).unwrap();
    }
    puppet.install_deferred_keys();
    completes(&mut puppet);
}

/// One read may contain the client's whole second flight and its first data. Early data is told
/// apart from the rest.
#[test]
fn its_end_and_what_follows_in_one_read() {
    let mut puppet = Puppet::accepted(1000);
    let mut bytes = puppet.protect(APPLICATION_DATA, b"early", 0);
    bytes.extend(puppet.record(HANDSHAKE, &END));
    puppet.transcript.extend_from_slice(&END);
    puppet.install_deferred_keys();
    let finished = puppet.finished();
    bytes.extend(puppet.record(HANDSHAKE, &finished));
    puppet.install_application_keys(Side::Client);
    bytes.extend(puppet.protect(APPLICATION_DATA, b"late", 0));
    puppet.feed(&bytes).unwrap();
    assert_eq!(
        (&puppet.early_data[..], &puppet.delivered[..]),
        (&b"early"[..], &b"late"[..])
    );
    assert_eq!(puppet.state(), "CONNECTED");
}

/// 5.1: "Zero-length fragments of Application Data ... MAY be sent". The limit to those in a row is
/// ours, and the usual one.
#[test]
fn empty_records() {
    let mut puppet = Puppet::accepted(1000);
    for _ in 0..3 {
        for _ in 0..64 {
            puppet.send(b"").unwrap();
        }
        puppet.send(b"x").unwrap();
    }
    for padding in 0..64 {
        let record = puppet.protect(APPLICATION_DATA, b"", padding);
        puppet.feed(&record).unwrap();
    }
    assert_eq!(puppet.early_data, b"xxx");
    refused!(
        puppet,
        puppet.protect(APPLICATION_DATA, b"", 0),
        "WAIT_EOED",
        10,
        Fault::TooMany {
            what: "empty records",
            limit: 64
        }
    );
}

/// 4.3.11.3: "servers MUST process the client's ClientHello and then immediately send their flight
/// of messages, rather than waiting for the client's EndOfEarlyData message before sending its
/// ServerHello". It also waits neither for early data to arrive nor for it to be read.
#[test]
fn the_flight_goes_at_once() {
    let (mut puppet, hello) = about_to(&taking(1000));
    let record = early(puppet.early.as_mut().unwrap(), b"early");
    hand_over(&mut puppet, &[plain(HANDSHAKE, &hello), record].concat());
    assert_eq!(
        puppet.us.process(now(), &mut SystemRandom).unwrap(),
        Status::EarlyData
    );
    let flight: Vec<u8> = puppet
        .hear_flight()
        .iter()
        .map(|message| message[0])
        .collect();
    // ServerHello, EncryptedExtensions, Finished.
    assert_eq!(flight, [2, 8, 20]);
    puppet.hears_nothing();
    assert_eq!(puppet.us.early_plaintext(), b"early");
}

// ---- how much ----

/// 4.7.1: "Only Application Data payload (i.e., plaintext but not padding or the inner content type
/// byte) is counted. A server receiving more than max_early_data_size bytes of 0-RTT data SHOULD
/// terminate the connection with an "unexpected_message" alert."
#[test]
fn no_more_than_the_ticket_allows() {
    for parts in [&[1000][..], &[999, 1], &[1; 1000], &[0, 500, 0, 500, 0]] {
        let mut puppet = Puppet::accepted(1000);
        for (number, length) in parts.iter().enumerate() {
            let padding = if number < 20 { 16384 - length } else { 0 };
            let record = puppet.protect(APPLICATION_DATA, &vec![7; *length], padding);
            puppet.feed(&record).unwrap();
        }
        assert_eq!(puppet.early_data.len(), 1000);
        // There is one byte more than allowed. An empty record does not count.
        puppet.send(b"").unwrap();
        refused!(
            puppet,
            puppet.protect(APPLICATION_DATA, b"x", 0),
            "WAIT_EOED",
            10,
            Fault::TooMuchEarlyData { limit: 1000 }
        );
        assert_eq!(puppet.early_data.len(), 1000);
    }
    // A record that exceeds the limit is refused as a whole.
    for (before, over) in [(0, 1001), (0, 16384), (1000, 16384), (999, 2), (1, 1000)] {
        let mut puppet = Puppet::accepted(1000);
        puppet.send(&vec![7; before]).unwrap();
        let record = puppet.protect(APPLICATION_DATA, &vec![7; over], 0);
        refused!(
            puppet,
            record,
            "WAIT_EOED",
            10,
            Fault::TooMuchEarlyData { limit: 1000 }
        );
    }
    // Exactly the limit is accepted, and the handshake completes. After it, data is not limited.
    let mut puppet = Puppet::accepted(1000);
    puppet.send(&[7; 1000]).unwrap();
    completes(&mut puppet);
    puppet.send(&[7; 16384]).unwrap();
    assert_eq!(puppet.delivered.len(), 4 + 16384);
}

/// "The maximum amount of 0-RTT data that the client is allowed to send when using this ticket".
/// The limit in the ticket applies, not that of a later one.
#[test]
fn what_the_ticket_said_counts() {
    let (guard, keys) = (guard(), crate::session::TicketKeys::rotating());
    let taking = |max_size| {
        builder()
            .ticket_keys(keys.clone())
            .early_data(max_size, guard.clone())
            .build()
            .unwrap()
    };
    for (then, now) in [(10, 1000), (10, 10)] {
        let ticket = ticket_of(&taking(then));
        assert_eq!(ticket.max_early_data_size, Some(then));
        let mut puppet = Puppet::accepted_by(&taking(now), &ticket);
        puppet
            .send(&vec![7; usize::try_from(then).unwrap()])
            .unwrap();
        let record = puppet.protect(APPLICATION_DATA, b"x", 0);
        refused!(
            puppet,
            record,
            "WAIT_EOED",
            10,
            Fault::TooMuchEarlyData { limit } if limit == then
        );
    }
}

/// RFC 8449, section 4: a client that sends early data does not know our limit yet. It knows it for
/// what it sends after that.
#[test]
fn our_record_size_limit_is_not_held_against_it() {
    let server = builder()
        .early_data(20_000, guard())
        .record_size_limit(64)
        .build()
        .unwrap();
    let ticket = ticket_of(&server);
    let negotiated = || {
        let mut puppet = Puppet::calling_early(&server, &ticket);
        let hello = puppet.make_client_hello(|hello| add(hello, RecordSizeLimit(16385)));
        puppet.derive_early_keys(&hello);
        puppet.say(&hello).unwrap();
        // EncryptedExtensions: record_size_limit(28) of 64, early_data(42).
        let answers = puppet.hear_flight().remove(1);
        assert!(
            answers.windows(6).any(|part| part == [0, 28, 0, 2, 0, 64]) && puppet.is_accepted()
        );
        let record = puppet.protect(APPLICATION_DATA, &[7; 16384], 0);
        puppet.feed(&record).unwrap();
        let record = puppet.protect(APPLICATION_DATA, b"", 16384);
        puppet.feed(&record).unwrap();
        assert_eq!(puppet.early_data.len(), 16384);
        // EndOfEarlyData is still under the early key.
        let end = puppet.protect(HANDSHAKE, &END, 100);
        puppet.transcript.extend_from_slice(&END);
        puppet.feed(&end).unwrap();
        puppet.install_deferred_keys();
        puppet
    };
    let mut puppet = negotiated();
    completes(&mut puppet);
    // The limit includes content, content type and padding: 64 bytes are accepted, one more is not.
    let record = puppet.protect(APPLICATION_DATA, &[7; 63], 0);
    puppet.feed(&record).unwrap();
    refused!(
        puppet,
        puppet.protect(APPLICATION_DATA, &[7; 63], 1),
        "CONNECTED",
        22,
        Fault::RecordOverflow {
            length: 65,
            limit: 64
        }
    );
    let mut puppet = negotiated();
    let finished = puppet.finished();
    let record = puppet.protect(HANDSHAKE, &finished, 64 - finished.len());
    refused!(
        puppet,
        record,
        "WAIT_FINISHED",
        22,
        Fault::RecordOverflow {
            length: 65,
            limit: 64
        }
    );
}

// ---- records that do not open ----

/// 4.3.10: "if the server fails to decrypt a 0-RTT record following an accepted "early_data"
/// extension, it MUST terminate the connection with a "bad_record_mac" alert". Nothing is skipped.
#[test]
fn a_flipped_record() {
    for at in 5..5 + 4 + 1 + 16 {
        let mut puppet = Puppet::accepted(1000);
        puppet.send(b"good").unwrap();
        let mut record = puppet.protect(APPLICATION_DATA, b"data", 0);
        record[at] ^= 0x10;
        refused!(puppet, record, "WAIT_EOED", 20, Fault::BadRecordMac);
        assert_eq!(puppet.early_data, b"good");
    }
    // This holds also for the first and the last record.
    let mut puppet = Puppet::accepted(1000);
    let mut record = puppet.protect(APPLICATION_DATA, b"data", 0);
    record[7] ^= 1;
    refused!(puppet, record, "WAIT_EOED", 20, Fault::BadRecordMac);
    let mut puppet = Puppet::accepted(1000);
    let mut record = puppet.record(HANDSHAKE, &END);
    record[5] ^= 1;
    refused!(puppet, record, "WAIT_EOED", 20, Fault::BadRecordMac);
}

/// A record is missing, repeated, or in another order.
#[test]
fn records_in_another_order() {
    for order in [&[1][..], &[0, 0], &[0, 2], &[0, 1, 1], &[0, 1, 0]] {
        let mut puppet = Puppet::accepted(1000);
        let records: Vec<Vec<u8>> = (0..3)
            .map(|number| puppet.protect(APPLICATION_DATA, &[number], 0))
            .collect();
        let (last, good) = order.split_last().unwrap();
        for number in good {
            puppet.feed(&records[*number]).unwrap();
        }
        refused!(
            puppet,
            records[*last].clone(),
            "WAIT_EOED",
            20,
            Fault::BadRecordMac
        );
    }
}

/// Records are refused under any other key: the client's next ones, the server's own, or those of
/// another hello. So is garbage, also of length zero.
#[test]
fn records_under_other_keys() {
    let handshake = |puppet: &mut Puppet, content_type, content: &[u8]| {
        puppet
            .deferred
            .as_mut()
            .unwrap()
            .seal(0x0303, &[content, &[content_type]].concat())
    };
    let mut puppet = Puppet::accepted(1000);
    let record = handshake(&mut puppet, APPLICATION_DATA, b"data");
    refused!(puppet, record, "WAIT_EOED", 20, Fault::BadRecordMac);
    let mut puppet = Puppet::accepted(1000);
    puppet.send(b"good").unwrap();
    let finished = puppet.finished();
    let record = handshake(&mut puppet, HANDSHAKE, &finished);
    refused!(puppet, record, "WAIT_EOED", 20, Fault::BadRecordMac);
    let mut puppet = Puppet::accepted(1000);
    let keys = puppet
        .schedule
        .as_mut()
        .unwrap()
        .client_application
        .take()
        .unwrap();
    let record = early(&mut Keys::new(puppet.suite, keys), b"data");
    refused!(puppet, record, "WAIT_EOED", 20, Fault::BadRecordMac);
    let mut puppet = Puppet::accepted(1000);
    let record = early(puppet.read.as_mut().unwrap(), b"data");
    puppet.read.as_mut().unwrap().sequence = 0;
    refused!(puppet, record, "WAIT_EOED", 20, Fault::BadRecordMac);
    // These are for the same ticket but another hello.
    let server = taking(1000);
    let ticket = ticket_of(&server);
    let mut other = Puppet::calling_early(&server, &ticket);
    let hello = other.make_client_hello(|hello| hello.random = [0xc2; 32]);
    other.derive_early_keys(&hello);
    let mut puppet = Puppet::accepted_by(&server, &ticket);
    refused!(
        puppet,
        early(other.early.as_mut().unwrap(), b"data"),
        "WAIT_EOED",
        20,
        Fault::BadRecordMac
    );
    for garbage in [&[][..], &[7; 15], &[7; 16], &[7; 17], &[0; 16640]] {
        let mut puppet = Puppet::accepted(1000);
        refused!(
            puppet,
            plain(APPLICATION_DATA, garbage),
            "WAIT_EOED",
            20,
            Fault::BadRecordMac
        );
    }
}

/// "it MUST comply with the same error-handling requirements specified for all records".
#[test]
fn other_records_are_what_they_always_are() {
    let mut puppet = Puppet::accepted(1000);
    refused!(
        puppet,
        [23, 3, 3, 0x41, 0x01],
        "WAIT_EOED",
        22,
        Fault::RecordOverflow {
            length: 16641,
            limit: 16640
        }
    );
    let mut puppet = Puppet::accepted(20_000);
    let record = puppet.protect(APPLICATION_DATA, &[7; 16384], 1);
    refused!(
        puppet,
        record,
        "WAIT_EOED",
        22,
        Fault::RecordOverflow { .. }
    );
    let mut puppet = Puppet::accepted(1000);
    refused!(
        puppet,
        puppet.protect_inner(&[0; 20]),
        "WAIT_EOED",
        10,
        Fault::NoContentType
    );
    let mut puppet = Puppet::accepted(1000);
    refused!(
        puppet,
        puppet.protect(99, b"?", 0),
        "WAIT_EOED",
        10,
        Fault::UnexpectedRecord {
            got: ContentType(99)
        }
    );
    let mut puppet = Puppet::accepted(1000);
    refused!(
        puppet,
        puppet.protect(CHANGE_CIPHER_SPEC, &[1], 0),
        "WAIT_EOED",
        10,
        Fault::ChangeCipherSpec
    );
    let mut puppet = Puppet::accepted(1000);
    refused!(
        puppet,
        plain(CHANGE_CIPHER_SPEC, &[2]),
        "WAIT_EOED",
        10,
        Fault::ChangeCipherSpec
    );
    let mut puppet = Puppet::accepted(1000);
    refused!(
        puppet,
        puppet.protect(HANDSHAKE, b"", 3),
        "WAIT_EOED",
        10,
        Fault::EmptyFragment {
            content_type: ContentType::HANDSHAKE
        }
    );
    let mut puppet = Puppet::accepted(1000);
    refused!(
        puppet,
        plain(HANDSHAKE, &END),
        "WAIT_EOED",
        10,
        Fault::UnexpectedRecord {
            got: ContentType::HANDSHAKE
        }
    );
}

// ---- alerts ----

/// 6.1: close_notify during the handshake ends it. Section 6: all other alerts are fatal whatever
/// their level, and are not answered.
#[test]
fn alerts_under_the_early_key() {
    for (level, description) in [(1, 0), (2, 0), (2, 40), (1, 40), (2, 255)] {
        let mut puppet = Puppet::accepted(1000);
        puppet.send(b"early").unwrap();
        let error = puppet.alert(level, description).unwrap_err();
        assert!(
            matches!(error, Error::AlertReceived { alert: AlertDescription(got), .. }
                if got == description),
            "{error}"
        );
        assert_eq!(puppet.early_data, b"early");
        puppet.has_failed(&error, None);
    }
    // 6.1: user_canceled is followed by a close_notify, and ends nothing by itself.
    let mut puppet = Puppet::accepted(1000);
    puppet.alert(1, 90).unwrap();
    puppet.send(b"early").unwrap();
    let error = puppet.alert(1, 0).unwrap_err();
    assert!(
        matches!(
            error,
            Error::AlertReceived {
                alert: AlertDescription(0),
                ..
            }
        ),
        "{error}"
    );
    // 5.1: "a record with an Alert type MUST contain exactly one message".
    for content in [&[1, 0, 1, 0][..], &[1], &[1, 0, 0]] {
        let mut puppet = Puppet::accepted(1000);
        refused!(
            puppet,
            puppet.protect(ALERT, content, 0),
            "WAIT_EOED",
            50,
            Fault::Decode {
                message: "Alert",
                ..
            }
        );
    }
}

/// A.1: a client that did not receive our flight, or cannot use it, can only send alerts in the
/// clear. Once one of its records has opened, its alerts must be protected.
#[test]
fn alerts_in_the_clear() {
    let mut puppet = Puppet::accepted(1000);
    let error = puppet.feed(&plain(ALERT, &[2, 47])).unwrap_err();
    assert!(
        matches!(
            error,
            Error::AlertReceived {
                alert: AlertDescription(47),
                ..
            }
        ),
        "{error}"
    );
    puppet.has_failed(&error, None);
    for empty in [true, false] {
        let mut puppet = Puppet::accepted(1000);
        puppet.send(if empty { b"" } else { b"early" }).unwrap();
        refused!(
            puppet,
            plain(ALERT, &[2, 47]),
            "WAIT_EOED",
            10,
            Fault::UnexpectedRecord {
                got: ContentType::ALERT
            }
        );
    }
}

/// A.1, the client's side of it: "SHOULD first rekey to the handshake keys if possible". An alert
/// under its handshake key without EndOfEarlyData before it does not open, which ends the
/// connection too.
#[test]
fn alerts_under_the_handshake_key() {
    let mut puppet = Puppet::accepted(1000);
    let alert = puppet
        .deferred
        .as_mut()
        .unwrap()
        .seal(0x0303, &[2, 51, ALERT]);
    refused!(puppet, alert, "WAIT_EOED", 20, Fault::BadRecordMac);
    let mut puppet = Puppet::accepted(1000);
    puppet.say_end_of_early_data();
    let error = puppet.alert(2, 51).unwrap_err();
    assert!(
        matches!(
            error,
            Error::AlertReceived {
                alert: AlertDescription(51),
                ..
            }
        ),
        "{error}"
    );
}

// ---- reading it ----

/// Hands bytes to the connection without processing them.
fn hand_over(puppet: &mut Puppet, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let space = puppet.us.input();
        let count = space.len().min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        puppet.us.received(count);
        bytes = &bytes[count..];
    }
}

/// "Nothing else is processed before it is taken, so that it is never mixed with what comes after
/// the handshake."
#[test]
fn nothing_is_processed_while_it_is_unread() {
    let mut puppet = Puppet::accepted(1000);
    let mut bytes = puppet.protect(APPLICATION_DATA, b"early", 0);
    bytes.extend(puppet.protect(APPLICATION_DATA, b" data", 0));
    bytes.extend(puppet.record(HANDSHAKE, &END));
    puppet.transcript.extend_from_slice(&END);
    puppet.install_deferred_keys();
    let finished = puppet.finished();
    bytes.extend(puppet.record(HANDSHAKE, &finished));
    puppet.install_application_keys(Side::Client);
    bytes.extend(puppet.protect(APPLICATION_DATA, b"late", 0));
    bytes.extend(puppet.protect(APPLICATION_DATA, b"r", 0));
    bytes.extend(plain(HANDSHAKE, b"wrong"));
    hand_over(&mut puppet, &bytes);
    let work = |puppet: &mut Puppet| puppet.us.process(now(), &mut SystemRandom);
    // The flight is fed byte by byte, with any number of calls.
    let mut taken = Vec::new();
    while taken.len() < 10 {
        for _ in 0..2 {
            assert_eq!(work(&mut puppet).unwrap(), Status::EarlyData);
            assert!(puppet.us.plaintext().is_empty() && puppet.us.is_handshaking());
            assert_eq!(
                (puppet.state(), puppet.us.takes_early_data()),
                ("WAIT_EOED", true)
            );
        }
        taken.push(puppet.us.early_plaintext()[0]);
        puppet.us.consume(1);
    }
    assert_eq!(taken, b"early data");
    assert_eq!(work(&mut puppet).unwrap(), Status::Data);
    assert_eq!(
        (
            puppet.us.early_plaintext(),
            puppet.us.plaintext(),
            puppet.state()
        ),
        (&b""[..], &b"late"[..], "CONNECTED")
    );
    puppet.us.consume(4);
    assert_eq!(work(&mut puppet).unwrap(), Status::Data);
    assert_eq!(
        (puppet.us.early_plaintext(), puppet.us.plaintext()),
        (&b""[..], &b"r"[..])
    );
    puppet.us.consume(1);
    assert!(matches!(
        work(&mut puppet),
        Err(Error::Protocol {
            state: "CONNECTED",
            fault: Fault::UnexpectedRecord { .. }
        })
    ));
}

/// Early data that arrived before a failure can still be read, as early data. The error is returned
/// after it.
#[test]
fn it_stays_readable_after_a_failure() {
    let work = |puppet: &mut Puppet| puppet.us.process(now(), &mut SystemRandom);
    // A record follows that does not open.
    let mut puppet = Puppet::accepted(1000);
    let mut bytes = puppet.protect(APPLICATION_DATA, b"early", 0);
    bytes.extend(plain(APPLICATION_DATA, &[7; 30]));
    hand_over(&mut puppet, &bytes);
    assert_eq!(work(&mut puppet).unwrap(), Status::EarlyData);
    assert_eq!(puppet.us.early_plaintext(), b"early");
    puppet.us.consume(5);
    let error = work(&mut puppet).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Protocol {
                state: "WAIT_EOED",
                fault: Fault::BadRecordMac
            }
        ),
        "{error}"
    );
    puppet.has_failed(&error, Some(20));

    // The application gives up: user_canceled, then close_notify (6.1).
    let mut puppet = Puppet::accepted(1000);
    let record = puppet.protect(APPLICATION_DATA, b"early", 0);
    hand_over(&mut puppet, &record);
    assert_eq!(work(&mut puppet).unwrap(), Status::EarlyData);
    puppet.us.close();
    assert_eq!(
        (puppet.us.early_plaintext(), puppet.us.plaintext()),
        (&b"early"[..], &b""[..])
    );
    assert_eq!(work(&mut puppet).unwrap(), Status::EarlyData);
    assert!(matches!(
        puppet.us.write_early_data(b"answer"),
        Err(Error::Closed)
    ));
    puppet.us.consume(2);
    assert_eq!(puppet.us.early_plaintext(), b"rly");
    puppet.us.consume(3);
    let error = work(&mut puppet).unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");
    assert_eq!(puppet.hear_type(ALERT).content, [1, 90]);
    assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);
    puppet.has_failed(&error, None);
}

/// A stream that is cut or stops does not complete the handshake, despite its early data.
#[test]
fn it_does_not_complete_the_handshake() {
    let mut puppet = Puppet::accepted(1000);
    puppet.send(b"early").unwrap();
    puppet.us.received_end();
    let error = puppet.feed(&[]).unwrap_err();
    assert!(matches!(error, Error::Truncated), "{error}");
    puppet.has_failed(&error, None);

    let mut puppet = Puppet::accepted(1000);
    puppet.send(b"early").unwrap();
    let late = crate::time::Now {
        monotonic: puppet.us.next_timeout().unwrap(),
        ..now()
    };
    let error = puppet.us.process(late, &mut SystemRandom).unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error}");
}
