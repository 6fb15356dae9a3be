//! Early data that our server does not take (RFC 9846, 4.3.10): "Ignore the extension and return a
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

/// How much our server skips, counted in bytes of ciphertext: a policy of ours.
const BUDGET: usize = 64 * 1024;

/// A client that offers early data under a ticket nobody knows, and the keys it protects them with.
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

/// The hello is said; the server's flight is heard.
fn rejected(server: &Server) -> (Puppet, Keys) {
    let (mut puppet, hello, keys) = offering(server);
    puppet.say(&hello).unwrap();
    let flight = puppet.hear_flight();
    // ServerHello has no pre_shared_key(41), EncryptedExtensions no early_data(42): server_name
    // alone.
    assert_eq!(flight[1], [8, 0, 0, 6, 0, 4, 0, 0, 0, 0]);
    (puppet, keys)
}

fn early(keys: &mut Keys, content: &[u8]) -> Vec<u8> {
    keys.seal(0x0303, &[content, &[APPLICATION_DATA]].concat())
}

/// A full handshake, with and without a client certificate, whatever early data came: of any
/// length, with the ChangeCipherSpec of a client that offers early data (E.4), an EndOfEarlyData
/// even.
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

/// In one read with the ClientHello; and records too short for a tag, which cannot open either.
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
/// flight": from there on nothing is skipped.
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

    // A fragment of a message is a record as well.
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

/// Nor where no early data was offered.
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

/// "up to the configured max_early_data_size": the budget counts ciphertext, as nothing can be told
/// from padding.
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

/// An empty record is no way around it.
#[test]
fn the_budget_in_empty_records() {
    let (mut puppet, _) = rejected(&server());
    let empty = plain(APPLICATION_DATA, &[]);
    puppet.feed(&empty.repeat(BUDGET)).unwrap();
    refused!(puppet, empty, "WAIT_FINISHED", 20, Fault::BadRecordMac);
}

/// Skipping forgives a record that does not open, and nothing else: limits and types are as ever.
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
    // A client that gives up says so in the clear, or under its handshake key.
    let (mut puppet, mut keys) = rejected(&server());
    puppet.feed(&early(&mut keys, b"data")).unwrap();
    assert!(matches!(
        puppet.feed(&plain(ALERT, &[2, 48])),
        Err(Error::AlertReceived(alert)) if alert.0 == 48
    ));
    let (mut puppet, mut keys) = rejected(&server());
    puppet.feed(&early(&mut keys, b"data")).unwrap();
    assert!(matches!(puppet.alert(2, 48), Err(Error::AlertReceived(alert)) if alert.0 == 48));
}

// ---- after a HelloRetryRequest ----

/// A server that asks again and offers no keys yet: "The server then ignores early data by skipping
/// all records with an external content type of "application_data"".
fn asked_again() -> (Puppet, Keys) {
    let (mut puppet, _, keys) = offering(&server());
    puppet
        .decide(|sink| sink.skip_early_data(SkipMode::OuterType, BUDGET))
        .unwrap();
    (puppet, keys)
}

/// Until the second ClientHello, whatever is in them; the ChangeCipherSpec of a client that offers
/// early data stands before them.
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

/// The second ClientHello ends it, with its first record: there is nothing to skip inside of it,
/// and behind it nothing that would not open.
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

/// Without it such a record is what it always is before there are keys, and the other rules hold
/// with it.
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
        Err(Error::AlertReceived(alert)) if alert.0 == 40
    ));
}

/// The budget is the same; over it the record is one that must not come.
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
