//! Early data that our server rejects (RFC 9846, 4.3.10): "Ignore the extension and return a
//! regular 1-RTT response. The server then skips past early data by attempting to deprotect
//! received records using the handshake traffic key, discarding records which fail deprotection (up
//! to the configured max_early_data_size)."

use crate::code_point::PskKeyExchangeMode;
use crate::connection::tests::puppet::client::{add, asking_server, required};
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Keys, Puppet, plain, refused, server,
};
use crate::crypto::hash::HashAlgorithm;
use crate::error::{Error, Fault};
use crate::handshake::SkipMode;
use crate::key_schedule::EarlySecret;
use crate::message::{ClientHelloExtension, OfferedPsks, PskIdentity};
use crate::secret::Secret;
use crate::server::Server;

/// How much our server skips, in bytes of ciphertext. This is our policy.
const BUDGET: usize = 64 * 1024;

/// Returns a client that offers early data under an unknown ticket, and the keys of its early data.
fn offering(server: &Server) -> (Puppet, Vec<u8>, Keys) {
    let puppet = Puppet::calling(server);
    let hello = puppet.make_client_hello(|hello| {
        add(hello, ClientHelloExtension::EarlyData);
        add(
            hello,
            ClientHelloExtension::PskKeyExchangeModes(vec![PskKeyExchangeMode(1)]),
        );
        add(
            hello,
            ClientHelloExtension::PreSharedKey(OfferedPsks {
                identities: vec![PskIdentity {
                    identity: b"a ticket nobody knows",
                    obfuscated_ticket_age: 7,
                }],
                binders: vec![&[0xb1; 32]],
            }),
        );
    });
    let psk = Secret::copy_of(&[0x95; 32]);
    let early = EarlySecret::new(HashAlgorithm::Sha256, Some(&psk))
        .client_early_traffic(&HashAlgorithm::Sha256.hash(&hello));
    let keys = Keys::new(puppet.suite, early);
    (puppet, hello, keys)
}

/// Returns such a client after it has sent its hello and heard the server's flight.
fn rejected(server: &Server) -> (Puppet, Keys) {
    let (mut puppet, hello, keys) = offering(server);
    puppet.say(&hello).unwrap();
    let flight = puppet.hear_flight();
    // ServerHello has no pre_shared_key(41). EncryptedExtensions has only server_name, and no
    // early_data(42).
    assert_eq!(flight[1], [8, 0, 0, 6, 0, 4, 0, 0, 0, 0]);
    (puppet, keys)
}

fn early(keys: &mut Keys, content: &[u8]) -> Vec<u8> {
    keys.seal(0x0303, &[content, &[APPLICATION_DATA]].concat())
}

/// A full handshake follows, with and without a client certificate, whatever early data arrived: of
/// any length, with the ChangeCipherSpec of a client that offers early data (E.4), even with an
/// EndOfEarlyData.
#[test]
fn it_is_skipped() {
    for server in [server(), asking_server(required())] {
        for count in [0, 1, 2, 10] {
            let (mut puppet, mut keys) = rejected(&server);
            puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
            for index in 0..count {
                let record = early(&mut keys, &vec![0xed; index * 300]);
                puppet.feed(&record).unwrap();
            }
            let end = keys.seal(0x0303, &[5, 0, 0, 0, HANDSHAKE]);
            puppet.feed(&end).unwrap();
            puppet.lead_server_to("CONNECTED");
            puppet.send(b"data").unwrap();
            assert_eq!(puppet.delivered, b"data");
        }
    }
}

/// Early data may arrive in one read with the ClientHello. Records too short for a tag are skipped
/// too, as they do not open either.
#[test]
fn it_may_come_with_the_client_hello() {
    let (mut puppet, hello, mut keys) = offering(&server());
    puppet.transcript.extend_from_slice(&hello);
    let bytes = [
        plain(HANDSHAKE, &hello),
        plain(CHANGE_CIPHER_SPEC, &[1]),
        early(&mut keys, b"GET / HTTP/1.1"),
        plain(APPLICATION_DATA, &[]),
        plain(APPLICATION_DATA, &[7; 15]),
        early(&mut keys, &[0; 16384]),
    ];
    puppet.feed(&bytes.concat()).unwrap();
    puppet.hear_flight();
    puppet.lead_server_to("CONNECTED");
    assert!(puppet.delivered.is_empty());
}

/// "Once a record is deprotected successfully, it is treated as the start of the client's second
/// flight". After that nothing is skipped.
#[test]
fn nothing_is_skipped_after_the_second_flight_began() {
    let (mut puppet, mut keys) = rejected(&asking_server(required()));
    let before = early(&mut keys, b"before");
    puppet.feed(&before).unwrap();
    puppet.lead_server_to("WAIT_CV");
    refused!(
        puppet,
        early(&mut keys, b"after"),
        "WAIT_CV",
        20,
        Fault::BadRecordMac
    );

    // A record with a fragment of a message counts too.
    let (mut puppet, mut keys) = rejected(&server());
    let finished = puppet.finished();
    let part = puppet.record(HANDSHAKE, &finished[..5]);
    puppet.feed(&part).unwrap();
    refused!(
        puppet,
        early(&mut keys, b"after"),
        "WAIT_FINISHED",
        20,
        Fault::BadRecordMac
    );
}

/// Nothing is skipped if no early data was offered.
#[test]
fn nothing_is_skipped_that_was_not_offered() {
    let (_, _, mut keys) = offering(&server());
    for state in ["WAIT_CERT", "WAIT_FINISHED"] {
        let mut puppet = Puppet::server_at(state);
        refused!(
            puppet,
            early(&mut keys, b"data"),
            state,
            20,
            Fault::BadRecordMac
        );
    }
}

/// "up to the configured max_early_data_size". The budget counts ciphertext, because content cannot
/// be distinguished from padding.
#[test]
fn the_budget() {
    // 4 records of 16 KiB of ciphertext: 16384 - 16 of tag - 1 of type.
    let content = vec![0xed; 16384 - 17];
    let (mut puppet, mut keys) = rejected(&server());
    for _ in 0..BUDGET / 16384 {
        let record = early(&mut keys, &content);
        assert_eq!(record.len(), 5 + 16384);
        puppet.feed(&record).unwrap();
    }
    puppet.lead_server_to("CONNECTED");

    let (mut puppet, mut keys) = rejected(&server());
    for _ in 0..BUDGET / 16384 {
        let record = early(&mut keys, &content);
        puppet.feed(&record).unwrap();
    }
    refused!(
        puppet,
        early(&mut keys, b""),
        "WAIT_FINISHED",
        20,
        Fault::BadRecordMac
    );
}

/// Empty records count too.
#[test]
fn the_budget_in_empty_records() {
    let (mut puppet, _) = rejected(&server());
    let empty = plain(APPLICATION_DATA, &[]);
    puppet.feed(&empty.repeat(BUDGET)).unwrap();
    refused!(puppet, empty, "WAIT_FINISHED", 20, Fault::BadRecordMac);
}

/// Only records that do not open are skipped. Limits and types are checked as usual.
#[test]
fn other_rules_hold_while_skipping() {
    let (mut puppet, _) = rejected(&server());
    refused!(
        puppet,
        [23, 3, 3, 0x41, 0x01],
        "WAIT_FINISHED",
        22,
        Fault::RecordOverflow {
            length: 16641,
            limit: 16640
        }
    );
    let (mut puppet, _) = rejected(&server());
    refused!(
        puppet,
        [99, 3, 3, 0, 1],
        "WAIT_FINISHED",
        10,
        Fault::UnexpectedRecord { .. }
    );
    let (mut puppet, _) = rejected(&server());
    refused!(
        puppet,
        plain(HANDSHAKE, &[20, 0, 0, 0]),
        "WAIT_FINISHED",
        10,
        Fault::UnexpectedRecord { .. }
    );
    let (mut puppet, _) = rejected(&server());
    let record = puppet.protect(APPLICATION_DATA, b"under the handshake key", 0);
    refused!(
        puppet,
        record,
        "WAIT_FINISHED",
        10,
        Fault::UnexpectedRecord { .. }
    );
    // A client that gives up sends an alert in the clear, or under its handshake key.
    let (mut puppet, mut keys) = rejected(&server());
    puppet.feed(&early(&mut keys, b"data")).unwrap();
    assert!(matches!(
        puppet.feed(&plain(ALERT, &[2, 48])),
        Err(Error::AlertReceived { alert, .. }) if alert.0 == 48
    ));
    let (mut puppet, mut keys) = rejected(&server());
    puppet.feed(&early(&mut keys, b"data")).unwrap();
    assert!(
        matches!(puppet.alert(2, 48), Err(Error::AlertReceived { alert, .. }) if alert.0 == 48)
    );
}

// ---- after a HelloRetryRequest ----

/// Returns a client after a HelloRetryRequest, before there are keys: "The server then ignores
/// early data by skipping all records with an external content type of "application_data"".
fn asked_again() -> (Puppet, Keys) {
    let (mut puppet, _, keys) = offering(&server());
    puppet
        .decide(|sink| sink.skip_early_data(SkipMode::OuterType, BUDGET))
        .unwrap();
    (puppet, keys)
}

/// Such records are skipped until the second ClientHello, whatever they contain. The
/// ChangeCipherSpec of a client that offers early data comes before them.
#[test]
fn records_of_its_outer_type_are_skipped_before_the_second_hello() {
    for count in [0, 1, 10] {
        let (mut puppet, mut keys) = asked_again();
        puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
        for index in 0..count {
            let record = early(&mut keys, &vec![0xed; index * 300]);
            puppet.feed(&record).unwrap();
            puppet.feed(&plain(APPLICATION_DATA, &[])).unwrap();
            puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
        }
        assert_eq!(puppet.state(), "START");
        puppet.hears_nothing();
        puppet.lead_server_to("CONNECTED");
        puppet.send(b"data").unwrap();
        assert_eq!(puppet.delivered, b"data");
    }
}

/// The first record of the second ClientHello ends the skipping: records between its parts are
/// refused, and so are records after it that do not open.
#[test]
fn the_second_hello_ends_the_skipping() {
    let (mut puppet, mut keys) = asked_again();
    let hello = puppet.make_client_hello(|_| {});
    puppet.feed(&plain(HANDSHAKE, &hello[..50])).unwrap();
    refused!(
        puppet,
        early(&mut keys, b"data"),
        "START",
        10,
        Fault::UnexpectedRecord { got } if got.0 == APPLICATION_DATA
    );

    let (mut puppet, mut keys) = asked_again();
    puppet.feed(&early(&mut keys, b"data")).unwrap();
    puppet.say_client_hello();
    puppet.hear_flight();
    refused!(
        puppet,
        early(&mut keys, b"data"),
        "WAIT_FINISHED",
        20,
        Fault::BadRecordMac
    );
}

/// Without an offer of early data, such a record is refused as always before there are keys. With
/// it, the other rules hold.
#[test]
fn without_keys_nothing_else_is_forgiven() {
    let mut puppet = Puppet::server_at("START");
    refused!(
        puppet,
        plain(APPLICATION_DATA, &[7; 30]),
        "START",
        10,
        Fault::UnexpectedRecord { got } if got.0 == APPLICATION_DATA
    );
    let (mut puppet, _) = asked_again();
    refused!(
        puppet,
        [23, 3, 3, 0x41, 0x01],
        "START",
        22,
        Fault::RecordOverflow {
            length: 16641,
            limit: 16640
        }
    );
    let (mut puppet, _) = asked_again();
    refused!(
        puppet,
        plain(HANDSHAKE, &[]),
        "START",
        10,
        Fault::EmptyFragment { .. }
    );
    let (mut puppet, _) = asked_again();
    refused!(
        puppet,
        plain(CHANGE_CIPHER_SPEC, &[2]),
        "START",
        10,
        Fault::ChangeCipherSpec
    );
    let (mut puppet, mut keys) = asked_again();
    puppet.feed(&early(&mut keys, b"data")).unwrap();
    assert!(matches!(
        puppet.feed(&plain(ALERT, &[2, 40])),
        Err(Error::AlertReceived { alert, .. }) if alert.0 == 40
    ));
}

/// The budget is the same. A record that exceeds it is refused as unexpected.
#[test]
fn the_budget_before_the_second_hello() {
    for (record, count) in [
        (plain(APPLICATION_DATA, &[7; 16384]), BUDGET / 16384),
        (plain(APPLICATION_DATA, &[]), BUDGET),
    ] {
        let (mut puppet, _) = asked_again();
        puppet.feed(&record.repeat(count)).unwrap();
        let (mut other, _) = asked_again();
        other.feed(&record.repeat(count)).unwrap();
        other.lead_server_to("CONNECTED");
        refused!(
            puppet,
            plain(APPLICATION_DATA, &[]),
            "START",
            10,
            Fault::UnexpectedRecord { got } if got.0 == APPLICATION_DATA
        );
    }
}
