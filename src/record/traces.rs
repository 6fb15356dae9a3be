//! Every protected record of RFC 8448's traces: opened by one side, and sealed again by the other
//! to the same bytes.

use crate::code_point::ContentType;
use crate::crypto::hash::{HashAlgorithm, Hasher};
use crate::crypto::suite::Suite;
use crate::key_schedule::{EarlySecret, TrafficSecret};
use crate::record::deframe::Deframer;
use crate::record::join::Joiner;
use crate::record::open::Open;
use crate::record::output::Output;
use crate::record::seal::Seal;
use crate::secret::Secret;
use crate::testing::rfc8448::{Trace, trace};

const SUITE: Suite = Suite::Aes128GcmSha256;
const HASH: HashAlgorithm = HashAlgorithm::Sha256;

/// One direction under one secret, on both sides.
struct Channel {
    open: Open,
    seal: Seal,
}

impl Channel {
    /// Calls `secret` twice, because secrets cannot be copied.
    fn new(secret: impl Fn() -> TrafficSecret) -> Self {
        Self {
            open: Open::protected(SUITE, secret()),
            seal: Seal::protected(SUITE, secret()),
        }
    }

    /// Checks that the records in this value of the trace contain this content and nothing else,
    /// and that sealing it gives the same bytes. A ChangeCipherSpec among them is skipped.
    fn carries(&mut self, trace: &Trace, records: &str, content_type: ContentType, content: &[u8]) {
        let Some(bytes) = trace.find(records) else {
            return;
        };
        let mut deframer = Deframer::new();
        let (mut opened, mut sealed, mut rest) = (Vec::new(), Output::default(), bytes);
        loop {
            while let Some((header, body)) = deframer.next(true).unwrap() {
                let body = deframer.bytes(body);
                let got = self.open.open(&header, body, &mut []).unwrap();
                if got.content_type == ContentType::CHANGE_CIPHER_SPEC {
                    Seal::change_cipher_spec(&mut sealed).unwrap();
                    continue;
                }
                assert_eq!(got.content_type, content_type, "{records}");
                opened.extend_from_slice(&body[..got.len]);
                self.seal
                    .seal(content_type, &body[..got.len], 0, &mut sealed)
                    .unwrap();
            }
            if rest.is_empty() {
                break;
            }
            let space = deframer.space();
            let (now, later) = rest.split_at(space.len().min(rest.len()));
            space[..now.len()].copy_from_slice(now);
            deframer.filled(now.len());
            rest = later;
        }
        assert_eq!(deframer.buffered(), 0);
        assert_eq!(opened, content, "{records}");
        assert_eq!(sealed.waiting(), bytes, "{records}");
    }

    fn carries_messages(&mut self, trace: &Trace, records: &str, names: &[&str]) {
        let messages: Vec<&[u8]> = names.iter().filter_map(|name| trace.find(name)).collect();
        self.carries(trace, records, ContentType::HANDSHAKE, &messages.concat());
        // The joiner separates the messages of a record again.
        let mut joiner = Joiner::default();
        joiner.push(&messages.concat());
        for (index, message) in messages.iter().enumerate() {
            let (got, aligned) = joiner.next().unwrap();
            assert_eq!(got, *message);
            assert_eq!(aligned.is_some(), index + 1 == messages.len());
        }
        assert!(!joiner.is_mid_message());
    }
}

/// Follows a trace from the key exchange to the close_notify alerts.
fn follows_the_trace(name: &str) {
    let trace = trace(name);
    let psk = trace.find("psk").map(Secret::copy_of);
    let early = || EarlySecret::new(HASH, psk.as_ref());
    let handshake = || early().into_handshake(Secret::copy_of(trace.get("shared_secret")));

    let mut transcript = Hasher::new(HASH);
    let first = trace.message("record_client_hello_1");
    if trace.find("record_hello_retry_request").is_some() {
        transcript.update(&[254, 0, 0, 32]);
        transcript.update(HASH.hash(first).as_bytes());
        transcript.update(trace.message("record_hello_retry_request"));
        transcript.update(trace.message("record_client_hello_2"));
    } else {
        transcript.update(first);
    }
    let hello = transcript.digest();
    transcript.update(trace.message("record_server_hello"));
    let hellos = transcript.digest();

    let flight = [
        "server_encrypted_extensions",
        "server_certificate_request",
        "server_certificate",
        "server_certificate_verify",
        "server_finished",
    ];
    let mut server = Channel::new(|| handshake().server_traffic(&hellos));
    server.carries_messages(&trace, "records_server_flight", &flight);
    for message in flight.iter().filter_map(|name| trace.find(name)) {
        transcript.update(message);
    }
    let server_finished = transcript.digest();

    let mut client_early = Channel::new(|| early().client_early_traffic(&hello));
    if let Some(data) = trace.find("early_data") {
        client_early.carries(
            &trace,
            "record_client_early_data",
            ContentType::APPLICATION_DATA,
            data,
        );
        client_early.carries(
            &trace,
            "record_end_of_early_data",
            ContentType::HANDSHAKE,
            &[5, 0, 0, 0],
        );
    }
    let mut client = Channel::new(|| handshake().client_traffic(&hellos));
    client.carries_messages(
        &trace,
        "records_client_finished",
        &[
            "client_certificate",
            "client_certificate_verify",
            "client_finished",
        ],
    );

    let mut server = Channel::new(|| handshake().into_main().server_traffic(&server_finished));
    let mut client = Channel::new(|| handshake().into_main().client_traffic(&server_finished));
    server.carries_messages(&trace, "record_new_session_ticket", &["new_session_ticket"]);
    if let Some(data) = trace.find("client_data") {
        client.carries(
            &trace,
            "record_client_data",
            ContentType::APPLICATION_DATA,
            data,
        );
        server.carries(
            &trace,
            "record_server_data",
            ContentType::APPLICATION_DATA,
            trace.get("server_data"),
        );
    }
    // close_notify: warning(1), close_notify(0).
    client.carries(
        &trace,
        "record_client_close_notify",
        ContentType::ALERT,
        &[1, 0],
    );
    server.carries(
        &trace,
        "record_server_close_notify",
        ContentType::ALERT,
        &[1, 0],
    );
}

#[test]
fn rfc8448_section_3_simple_1rtt() {
    follows_the_trace("simple_1rtt");
}

#[test]
fn rfc8448_section_4_resumed_0rtt() {
    follows_the_trace("resumed_0rtt");
}

#[test]
fn rfc8448_section_5_hello_retry_request() {
    follows_the_trace("hello_retry_request");
}

#[test]
fn rfc8448_section_6_client_authentication() {
    follows_the_trace("client_authentication");
}

#[test]
fn rfc8448_section_7_middlebox_compatibility() {
    follows_the_trace("middlebox_compatibility");
}

#[test]
fn the_unprotected_records_are_sealed_to_the_same_bytes() {
    for name in [
        "simple_1rtt",
        "resumed_0rtt",
        "hello_retry_request",
        "client_authentication",
        "middlebox_compatibility",
    ] {
        let trace = trace(name);
        // RFC 9846, 5.1: version 0x0301 for the first ClientHello, 0x0303 from then on.
        let mut out = Output::default();
        Seal::initial_client_hello(trace.message("record_client_hello_1"), &mut out).unwrap();
        assert_eq!(out.waiting(), trace.get("record_client_hello_1"));
        for record in [
            "record_hello_retry_request",
            "record_client_hello_2",
            "record_server_hello",
        ] {
            if trace.find(record).is_some() {
                let mut out = Output::default();
                Seal::plaintext()
                    .seal(ContentType::HANDSHAKE, trace.message(record), 0, &mut out)
                    .unwrap();
                assert_eq!(out.waiting(), trace.get(record));
            }
        }
    }
}
