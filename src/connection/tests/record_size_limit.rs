//! A limit for protected records in each direction (RFC 8449, section 4), in both roles: it counts "the content type and padding added in TLS 1.3 (that is,
//! the complete length of TLSInnerPlaintext)".

use crate::client::Client;
use crate::connection::tests::puppet::{ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, Side, WORLD, message, plain, refused};
use crate::connection::tests::puppet_client::{asking_server, required};
use crate::connection::tests::puppet_server::{certificate_request, encrypted_extensions, key_update};
use crate::error::{Error, Fault};
use crate::record::Padding;

/// "Endpoints MUST NOT send a record_size_limit extension with a value smaller than 64."
const LEAST: usize = 64;

impl Puppet {
    fn limit_write(&mut self, limit: usize) {
        self.decide(|sink| sink.limit_write(limit)).unwrap();
    }

    fn limit_read(&mut self, limit: usize) {
        self.decide(|sink| sink.limit_read(limit)).unwrap();
    }

    /// The lengths of the TLSInnerPlaintexts that wait to be sent: what the tag of 16 bytes leaves of a record.
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

/// Each record but the last is as long as may be.
#[track_caller]
fn are_cut_at(limit: usize, lengths: &[usize]) {
    let (last, others) = lengths.split_last().expect("records");
    assert!(others.iter().all(|length| *length == limit) && *last <= limit, "{limit}: {lengths:?}");
}

// ---- what we send ----

/// "An endpoint MUST NOT generate a protected record with plaintext that is larger than the RecordSizeLimit value it receives from its peer."
/// "Unprotected messages are not subject to this limit."
#[test]
fn our_handshake_stays_within_it() {
    for limit in [LEAST, LEAST + 1, 500, 16385] {
        let mut puppet = Puppet::calling(&asking_server(required()));
        puppet.limit_write(limit);
        puppet.say_client_hello();
        // ServerHello, which no key protects, is one record of more than 64 bytes.
        let output = puppet.us.output();
        assert!(output[0] == HANDSHAKE && output[5] == 2 && usize::from(output[4]) > LEAST, "{:?}", &output[..9]);
        are_cut_at(limit, &puppet.inner_lengths());
        puppet.hear_flight();
        puppet.lead_server_to("CONNECTED");

        let client = Client::builder().trust(WORLD.authority.trust()).identity(WORLD.client.clone()).build().unwrap();
        let mut puppet = Puppet::serving(&client);
        puppet.lead_to("WAIT_CERT_CR");
        puppet.limit_write(limit);
        puppet.say(&certificate_request()).unwrap();
        puppet.lead_to("WAIT_FINISHED");
        puppet.say_finished();
        are_cut_at(limit, &puppet.inner_lengths());
        assert_eq!(puppet.hear_client_flight().len(), 3);
        puppet.lead_to("CONNECTED");
    }
}

/// Padding counts, and makes way for it.
#[test]
fn our_data_and_its_padding_stay_within_it() {
    // 200 = 3 * 63 + 11 bytes of content, and one of type in each record.
    for (padding, lengths) in [
        (Padding::None, [64, 64, 64, 12]),
        (Padding::PowerOfTwo, [64, 64, 64, 17]),
        (Padding::Block(32), [64, 64, 64, 33]),
        (Padding::Block(1000), [64; 4]),
        (Padding::Full, [64; 4]),
    ] {
        for mut puppet in Puppet::both_connected() {
            puppet.limit_write(LEAST);
            puppet.us.outbound.padding = padding;
            assert_eq!(puppet.us.write(&[7; 200]).unwrap(), 200);
            assert_eq!(puppet.inner_lengths(), lengths, "{padding:?}");
            for length in [63, 63, 63, 11] {
                assert_eq!(puppet.hear_type(APPLICATION_DATA).content, vec![7; length]);
            }
        }
    }
    // "Even if a larger record size limit is provided by a peer, an endpoint MUST NOT send records larger than the protocol-defined limit".
    for mut puppet in Puppet::both_connected() {
        puppet.limit_write(65535);
        puppet.us.outbound.padding = Padding::Full;
        puppet.us.write(&[7; 16385]).unwrap();
        assert_eq!(puppet.inner_lengths(), [16385; 2]);
    }
}

/// Keys come and go; the limit is the connection's.
#[test]
fn it_outlives_our_keys() {
    let mut puppet = Puppet::server_at("START");
    puppet.limit_write(LEAST);
    puppet.lead_server_to("CONNECTED");
    for mut puppet in [puppet].into_iter().chain(Puppet::both_connected()) {
        puppet.limit_write(LEAST);
        for _ in 0..3 {
            puppet.us.rekey().unwrap();
            puppet.us.write(&[7; 100]).unwrap();
            // KeyUpdate: a header of 4 bytes, its value, its type.
            assert_eq!(puppet.inner_lengths(), [6, 64, 38]);
            puppet.hear_type(HANDSHAKE);
            puppet.read.as_mut().unwrap().update();
            puppet.hear_type(APPLICATION_DATA);
            puppet.hear_type(APPLICATION_DATA);
            // The answer, so that the next may ask again.
            let answer = puppet.protect(HANDSHAKE, &key_update(0), 0);
            puppet.write.as_mut().unwrap().update();
            puppet.feed(&answer).unwrap();
        }
    }
}

/// Under the least limit there is, alerts go out whole.
#[test]
fn alerts_fit() {
    for mut puppet in Puppet::both_in_handshake().into_iter().chain(Puppet::both_connected()) {
        puppet.limit_write(LEAST);
        puppet.us.outbound.padding = Padding::Full;
        let state = puppet.state();
        refused!(puppet, plain(APPLICATION_DATA, &[0x55; 30]), state, 20, Fault::BadRecordMac);
    }
    for mut puppet in Puppet::both_connected() {
        puppet.limit_write(LEAST);
        puppet.us.close();
        assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);
    }
}

// ---- what we receive ----

/// "A TLS endpoint that receives a record larger than its advertised limit MUST generate a fatal "record_overflow" alert".
#[test]
fn one_byte_over_is_refused() {
    for limit in [LEAST, 65, 1000, 16384] {
        for (content, padding) in [(limit - 1, 0), (limit - 2, 1), (1, limit - 2), (0, limit - 1)] {
            for mut puppet in Puppet::both_connected() {
                puppet.limit_read(limit);
                let record = puppet.protect(APPLICATION_DATA, &vec![7; content], padding);
                puppet.feed(&record).unwrap();
                assert_eq!(puppet.delivered, vec![7; content]);
                let record = puppet.protect(APPLICATION_DATA, &vec![7; content], padding + 1);
                refused!(puppet, record, "CONNECTED", 22, Fault::RecordOverflow { length, limit: l } if length == limit + 1 && l == limit);
            }
        }
    }
    for mut puppet in Puppet::both_in_handshake() {
        puppet.limit_read(LEAST);
        let content = if puppet.side == Side::Server { encrypted_extensions(&[]) } else { puppet.finished() };
        let record = puppet.protect(HANDSHAKE, &content, LEAST - content.len());
        let state = puppet.state();
        refused!(puppet, record, state, 22, Fault::RecordOverflow { length: 65, limit: 64 });
    }
    // One that does not open is no record of the peer's, however long.
    for mut puppet in Puppet::both_connected() {
        puppet.limit_read(LEAST);
        refused!(puppet, plain(APPLICATION_DATA, &[0x55; 100]), "CONNECTED", 20, Fault::BadRecordMac);
    }
}

/// It holds for protected records alone, and for those of every later key.
#[test]
fn it_outlives_the_peers_keys() {
    let mut puppet = Puppet::server_at("START");
    puppet.limit_read(LEAST);
    // A ClientHello of more than 64 bytes in one record: no key protects it.
    puppet.lead_server_to("CONNECTED");
    let mut other = Puppet::client_at("WAIT_EE");
    other.limit_read(LEAST);
    for make in [|_: &Puppet| encrypted_extensions(&[]), Puppet::certificate, Puppet::certificate_verify] {
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
        refused!(puppet, record, "CONNECTED", 22, Fault::RecordOverflow { length: 65, limit: 64 });
    }
}

/// The server's EncryptedExtensions say that it keeps to the limit, and come in a record that it holds for.
#[test]
fn the_record_that_brings_it_is_within_it() {
    for (padding, within) in [(LEAST - 7, true), (LEAST - 6, false)] {
        let mut puppet = Puppet::client_at("WAIT_EE");
        let record = puppet.protect(HANDSHAKE, &message(8, &[0, 0]), padding);
        puppet.feed(&record).unwrap();
        match puppet.decide(|sink| sink.limit_read(LEAST)) {
            Ok(()) => assert!(within),
            Err(Error::Protocol { fault: fault @ Fault::RecordOverflow { length: 65, limit: 64 }, .. }) => {
                assert!(!within);
                assert_eq!(fault.alert().0, 22);
            }
            Err(other) => panic!("{other}"),
        }
    }
}
