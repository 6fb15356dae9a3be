//! A limit for protected records in each direction (RFC 8449, section 4), in both roles. It counts
//! "the content type and padding added in TLS 1.3 (that is, the complete length of
//! TLSInnerPlaintext)".

use crate::client::Client;
use crate::connection::tests::puppet::client::{add, asking_server, required};
use crate::connection::tests::puppet::server::{
    certificate_request, encrypted_extensions, key_update,
};
use crate::connection::tests::puppet::session::known;
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, Side, WORLD, extension, message, plain, refused,
};
use crate::error::{Error, Fault, Illegal};
use crate::message::ClientHelloExtension::RecordSizeLimit;
use crate::record::Padding;
use crate::server::Server;

/// "Endpoints MUST NOT send a record_size_limit extension with a value smaller than 64."
const LEAST: usize = 64;

impl Puppet {
    fn limit_send(&mut self, limit: usize) {
        self.decide(|sink| sink.limit_send(limit)).unwrap();
    }

    fn limit_receive(&mut self, limit: usize) {
        self.decide(|sink| sink.limit_receive(limit)).unwrap();
    }

    /// Returns the lengths of the TLSInnerPlaintexts that wait to be sent: the records without the
    /// tag of 16 bytes.
    fn inner_lengths(&self) -> Vec<usize> {
        let (mut lengths, mut rest) = (Vec::new(), self.us.output());
        while let [content_type, _, _, high, low, ..] = *rest {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if content_type == APPLICATION_DATA {
                lengths.push(length - 16);
            }
            rest = &rest[5 + length..];
        }
        lengths
    }
}

/// Asserts that each record except the last is as long as allowed.
#[track_caller]
fn are_cut_at(limit: usize, lengths: &[usize]) {
    let (last, others) = lengths.split_last().expect("records");
    assert!(
        others.iter().all(|length| *length == limit) && *last <= limit,
        "{limit}: {lengths:?}"
    );
}

// ---- what we send ----

/// "An endpoint MUST NOT generate a protected record with plaintext that is larger than the
/// RecordSizeLimit value it receives from its peer." "Unprotected messages are not subject to this
/// limit."
#[test]
fn our_handshake_stays_within_it() {
    for limit in [LEAST, LEAST + 1, 500, 16385] {
        let mut puppet = Puppet::calling(&asking_server(required()));
        puppet.limit_send(limit);
        puppet.say_client_hello();
        // ServerHello, which is unprotected, is one record of more than 64 bytes.
        let output = puppet.us.output();
        assert!(
            output[0] == HANDSHAKE && output[5] == 2 && usize::from(output[4]) > LEAST,
            "{:?}",
            &output[..9]
        );
        are_cut_at(limit, &puppet.inner_lengths());
        puppet.hear_flight();
        puppet.lead_server_to("CONNECTED");

        let client = Client::builder()
            .trust(WORLD.authority.trust())
            .identity(WORLD.client.clone())
            .build()
            .unwrap();
        let mut puppet = Puppet::serving(&client);
        puppet.lead_to("WAIT_CERT_CR");
        puppet.limit_send(limit);
        puppet.say(&certificate_request()).unwrap();
        puppet.lead_to("WAIT_FINISHED");
        puppet.say_finished();
        are_cut_at(limit, &puppet.inner_lengths());
        assert_eq!(puppet.hear_client_flight().len(), 3);
        puppet.lead_to("CONNECTED");
    }
}

/// Padding counts, and is shortened to stay within the limit.
#[test]
fn our_data_and_its_padding_stay_within_it() {
    // 200 = 3 * 63 + 11 bytes of content, plus one byte of type in each record.
    for (padding, lengths) in [
        (Padding::None, [64, 64, 64, 12]),
        (Padding::PowerOfTwo, [64, 64, 64, 17]),
        (Padding::Block(32), [64, 64, 64, 33]),
        (Padding::Block(1000), [64; 4]),
        (Padding::Full, [64; 4]),
    ] {
        for mut puppet in Puppet::both_connected() {
            puppet.limit_send(LEAST);
            puppet.us.sender.padding = padding;
            assert_eq!(puppet.us.write(&[7; 200]).unwrap(), 200);
            assert_eq!(puppet.inner_lengths(), lengths, "{padding:?}");
            for length in [63, 63, 63, 11] {
                assert_eq!(puppet.hear_type(APPLICATION_DATA).content, vec![7; length]);
            }
        }
    }
    // "Even if a larger record size limit is provided by a peer, an endpoint MUST NOT send records
    // larger than the protocol-defined limit".
    for mut puppet in Puppet::both_connected() {
        puppet.limit_send(65535);
        puppet.us.sender.padding = Padding::Full;
        puppet.us.write(&[7; 16385]).unwrap();
        assert_eq!(puppet.inner_lengths(), [16385; 2]);
    }
}

/// Keys change, but the limit is the connection's.
#[test]
fn it_outlives_our_keys() {
    let mut puppet = Puppet::server_at("START");
    puppet.limit_send(LEAST);
    puppet.lead_server_to("CONNECTED");
    for mut puppet in [puppet].into_iter().chain(Puppet::both_connected()) {
        puppet.limit_send(LEAST);
        for _ in 0..3 {
            puppet.us.rekey().unwrap();
            puppet.us.write(&[7; 100]).unwrap();
            // KeyUpdate: a header of 4 bytes, its value, its type.
            assert_eq!(puppet.inner_lengths(), [6, 64, 38]);
            puppet.hear_type(HANDSHAKE);
            puppet.read.as_mut().unwrap().update();
            puppet.hear_type(APPLICATION_DATA);
            puppet.hear_type(APPLICATION_DATA);
            // Hear the answer, so that the next request is allowed.
            let answer = puppet.protect(HANDSHAKE, &key_update(0), 0);
            puppet.write.as_mut().unwrap().update();
            puppet.feed(&answer).unwrap();
        }
    }
}

/// Even under the smallest limit, alerts are sent whole.
#[test]
fn alerts_fit() {
    for mut puppet in Puppet::both_in_handshake()
        .into_iter()
        .chain(Puppet::both_connected())
    {
        puppet.limit_send(LEAST);
        puppet.us.sender.padding = Padding::Full;
        let state = puppet.state();
        refused!(
            puppet,
            plain(APPLICATION_DATA, &[0x55; 30]),
            state,
            20,
            Fault::BadRecordMac
        );
    }
    for mut puppet in Puppet::both_connected() {
        puppet.limit_send(LEAST);
        puppet.us.close();
        assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);
    }
}

// ---- what we receive ----

/// "A TLS endpoint that receives a record larger than its advertised limit MUST generate a fatal
/// "record_overflow" alert".
#[test]
fn one_byte_over_is_refused() {
    for limit in [LEAST, 65, 1000, 16384] {
        for (content, padding) in [
            (limit - 1, 0),
            (limit - 2, 1),
            (1, limit - 2),
            (0, limit - 1),
        ] {
            for mut puppet in Puppet::both_connected() {
                puppet.limit_receive(limit);
                let record = puppet.protect(APPLICATION_DATA, &vec![7; content], padding);
                puppet.feed(&record).unwrap();
                assert_eq!(puppet.delivered, vec![7; content]);
                let record = puppet.protect(APPLICATION_DATA, &vec![7; content], padding + 1);
                refused!(
                    puppet,
                    record,
                    "CONNECTED",
                    22,
                    Fault::RecordOverflow { length, limit: l } if length == limit + 1 && l == limit
                );
            }
        }
    }
    for mut puppet in Puppet::both_in_handshake() {
        puppet.limit_receive(LEAST);
        let content = if puppet.side == Side::Server {
            encrypted_extensions(&[])
        } else {
            puppet.finished()
        };
        let record = puppet.protect(HANDSHAKE, &content, LEAST - content.len());
        let state = puppet.state();
        refused!(
            puppet,
            record,
            state,
            22,
            Fault::RecordOverflow {
                length: 65,
                limit: 64
            }
        );
    }
    // A record that does not open is not treated as the peer's, whatever its length.
    for mut puppet in Puppet::both_connected() {
        puppet.limit_receive(LEAST);
        refused!(
            puppet,
            plain(APPLICATION_DATA, &[0x55; 100]),
            "CONNECTED",
            20,
            Fault::BadRecordMac
        );
    }
}

/// The limit applies only to protected records, under every later key too.
#[test]
fn it_outlives_the_peers_keys() {
    let mut puppet = Puppet::server_at("START");
    puppet.limit_receive(LEAST);
    // A ClientHello of more than 64 bytes is in one record, which is unprotected.
    puppet.lead_server_to("CONNECTED");
    let mut other = Puppet::client_at("WAIT_EE");
    other.limit_receive(LEAST);
    for make in [
        |_: &Puppet| encrypted_extensions(&[]),
        Puppet::certificate,
        Puppet::certificate_verify,
    ] {
        let message = make(&other);
        other.transcript.extend_from_slice(&message);
        for part in message.chunks(LEAST - 1) {
            let record = other.record(HANDSHAKE, part);
            other.feed(&record).unwrap();
        }
    }
    other.lead_to("CONNECTED");
    for mut puppet in [puppet, other] {
        for _ in 0..3 {
            puppet.send(&[7; LEAST - 1]).unwrap();
            puppet.say(&key_update(0)).unwrap();
            puppet.write.as_mut().unwrap().update();
        }
        let record = puppet.protect(APPLICATION_DATA, &[7; LEAST], 0);
        refused!(
            puppet,
            record,
            "CONNECTED",
            22,
            Fault::RecordOverflow {
                length: 65,
                limit: 64
            }
        );
    }
}

/// The server's EncryptedExtensions confirm that it obeys our limit, and are in a record to which
/// that limit already applies.
#[test]
fn the_record_that_brings_it_is_within_it() {
    for (padding, within) in [(LEAST - 7, true), (LEAST - 6, false)] {
        let mut puppet = Puppet::client_at("WAIT_EE");
        let record = puppet.protect(HANDSHAKE, &message(8, &[0, 0]), padding);
        puppet.feed(&record).unwrap();
        match puppet.decide(|sink| sink.limit_receive(LEAST)) {
            Ok(()) => assert!(within),
            Err(Error::Protocol {
                fault:
                    fault @ Fault::RecordOverflow {
                        length: 65,
                        limit: 64,
                    },
                ..
            }) => {
                assert!(!within);
                assert_eq!(fault.alert().0, 22);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

// ---- negotiation ----

fn with_limit(bytes: u16) -> (Client, Server) {
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .identity(WORLD.client.clone())
        .record_size_limit(bytes)
        .build()
        .unwrap();
    let server = Server::builder()
        .identity(WORLD.server.clone())
        .client_auth(required())
        .record_size_limit(bytes)
        .build()
        .unwrap();
    (client, server)
}

/// "uint16 RecordSizeLimit": the client sends what its configuration says. The server sends its own
/// only as an answer. The largest value is 2^14 + 1.
#[test]
fn what_is_said() {
    for (limit, bytes) in [(64, [0, 64]), (1000, [3, 0xe8]), (16385, [0x40, 1])] {
        let (client, server) = with_limit(limit);
        assert_eq!(
            Puppet::serving(&client).offer().record_size_limit(),
            Some(limit)
        );
        let mut puppet = Puppet::calling(&server);
        let hello = puppet.make_client_hello(|hello| add(hello, RecordSizeLimit(16385)));
        puppet.say(&hello).unwrap();
        let answers = puppet.hear_flight().swap_remove(1);
        assert_eq!(
            answers,
            encrypted_extensions(&[extension(0, &[]), extension(28, &bytes)].concat())
        );
        let mut puppet = Puppet::calling(&server);
        puppet.say_client_hello();
        assert_eq!(
            puppet.hear_flight()[1],
            encrypted_extensions(&extension(0, &[]))
        );
    }
    assert_eq!(
        Puppet::client_at("WAIT_SH").offer().record_size_limit(),
        Some(16385)
    );
    for bytes in [0, 63, 16386, u16::MAX] {
        assert!(
            Client::builder()
                .trust(WORLD.authority.trust())
                .record_size_limit(bytes)
                .build()
                .is_err()
        );
        assert!(
            Server::builder()
                .identity(WORLD.server.clone())
                .record_size_limit(bytes)
                .build()
                .is_err()
        );
    }
}

/// "An endpoint MUST treat receipt of a smaller value as a fatal error and generate an
/// "illegal_parameter" alert."
#[test]
fn below_64_is_refused() {
    for limit in [0, 1, 63] {
        let mut puppet = Puppet::calling(&asking_server(required()));
        let hello = puppet.make_client_hello(|hello| add(hello, RecordSizeLimit(limit)));
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            47,
            Fault::Illegal(Illegal::RecordSizeLimit(got)) if got == limit
        );
        let mut puppet = Puppet::client_at("WAIT_EE");
        let record = puppet.record(
            HANDSHAKE,
            &encrypted_extensions(&extension(28, &limit.to_be_bytes())),
        );
        refused!(
            puppet,
            record,
            "WAIT_EE",
            47,
            Fault::Illegal(Illegal::RecordSizeLimit(got)) if got == limit
        );
    }
}

/// The flights of the server and the client are split at each other's limits. A value above the
/// protocol's limit has no effect: "A server MUST NOT enforce this restriction".
#[test]
fn each_keeps_to_what_the_other_said() {
    for limit in [64, 65, 300, 16385, 16386, u16::MAX] {
        let most = usize::from(limit).min(16385);
        let mut puppet = Puppet::calling(&asking_server(required()));
        let hello = puppet.make_client_hello(|hello| add(hello, RecordSizeLimit(limit)));
        puppet.say(&hello).unwrap();
        are_cut_at(most, &puppet.inner_lengths());
        puppet.hear_flight();
        puppet.lead_server_to("CONNECTED");
        puppet.us.write(&[7; 20_000]).unwrap();
        are_cut_at(most, &puppet.inner_lengths());

        let (client, _) = with_limit(16385);
        let mut puppet = Puppet::serving_at(&client, "WAIT_EE");
        puppet
            .say(&encrypted_extensions(&extension(28, &limit.to_be_bytes())))
            .unwrap();
        puppet.say(&certificate_request()).unwrap();
        puppet.lead_to("WAIT_FINISHED");
        puppet.say_finished();
        are_cut_at(most, &puppet.inner_lengths());
        puppet.hear_client_flight();
        puppet.us.write(&[7; 20_000]).unwrap();
        are_cut_at(most, &puppet.inner_lengths());
    }
}

/// "An endpoint that receives a record larger than its advertised limit MUST generate a fatal
/// "record_overflow" alert". The limit applies from the first protected record for which the other
/// side knew it, in both roles.
#[test]
fn ours_is_enforced_once_agreed() {
    let (client, server) = with_limit(1000);
    let connected = |agreed: bool| {
        let mut one = Puppet::serving_at(&client, "WAIT_EE");
        let answer = if agreed {
            extension(28, &[0x40, 1])
        } else {
            Vec::new()
        };
        one.say(&encrypted_extensions(&answer)).unwrap();
        one.lead_to("CONNECTED");
        let mut two = Puppet::calling(&server);
        let hello = two.make_client_hello(|hello| {
            if agreed {
                add(hello, RecordSizeLimit(16385));
            }
        });
        two.say(&hello).unwrap();
        two.hear_flight();
        two.lead_server_to("CONNECTED");
        [one, two]
    };
    for mut puppet in connected(true) {
        // The sum of content, type and padding is 1000.
        puppet.send(&[7; 999]).unwrap();
        let padded = puppet.protect(APPLICATION_DATA, &[7; 500], 499);
        puppet.feed(&padded).unwrap();
        let over = puppet.protect(APPLICATION_DATA, &[7; 500], 500);
        refused!(
            puppet,
            over,
            "CONNECTED",
            22,
            Fault::RecordOverflow {
                length: 1001,
                limit: 1000
            }
        );
    }
    // If the other side does not know the extension, only the protocol's limit applies.
    for mut puppet in connected(false) {
        puppet.send(&[7; 16384]).unwrap();
        assert_eq!(puppet.delivered.len(), 16384);
    }

    let mut puppet = Puppet::serving_at(&client, "WAIT_EE");
    puppet
        .say(&encrypted_extensions(&extension(28, &[0x40, 1])))
        .unwrap();
    let certificate = puppet.certificate();
    let over = puppet.protect(HANDSHAKE, &certificate[..100], 900);
    refused!(
        puppet,
        over,
        "WAIT_CERT_CR",
        22,
        Fault::RecordOverflow {
            length: 1001,
            limit: 1000
        }
    );
    let mut puppet = Puppet::calling(&server);
    let hello = puppet.make_client_hello(|hello| add(hello, RecordSizeLimit(16385)));
    puppet.say(&hello).unwrap();
    puppet.hear_flight();
    let certificate = puppet.certificate();
    let over = puppet.protect(HANDSHAKE, &certificate[..100], 900);
    refused!(
        puppet,
        over,
        "WAIT_CERT",
        22,
        Fault::RecordOverflow {
            length: 1001,
            limit: 1000
        }
    );
}

/// A resumed session negotiates the limits again: each side sends its current one.
#[test]
fn it_is_agreed_anew_with_a_session() {
    let (client, server) = with_limit(1000);
    let psk = known(&client);
    let mut puppet = Puppet::resuming_at(&client, &psk, "WAIT_EE");
    puppet
        .say(&encrypted_extensions(&extension(28, &[0, 64])))
        .unwrap();
    puppet.say_finished();
    are_cut_at(64, &puppet.inner_lengths());
    puppet.hear_client_flight();
    let over = puppet.protect(APPLICATION_DATA, &[7; 500], 500);
    refused!(
        puppet,
        over,
        "CONNECTED",
        22,
        Fault::RecordOverflow {
            length: 1001,
            limit: 1000
        }
    );

    let ticket = Puppet::tickets_of(&server).remove(0);
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    let hello = puppet.make_client_hello(|hello| add(hello, RecordSizeLimit(64)));
    puppet.say(&hello).unwrap();
    are_cut_at(64, &puppet.inner_lengths());
    let flight = puppet.hear_flight();
    assert_eq!(flight.len(), 3);
    assert_eq!(flight[1], encrypted_extensions(&extension(28, &[3, 0xe8])));
}
