//! Every secret, key and Finished of RFC 8448's traces, derived from what the two sides knew. What
//! the traces do not cover is compared with the formulas of the standard.

use crate::crypto::hash::{Digest, HashAlgorithm, Hasher};
use crate::crypto::hkdf::Prk;
use crate::crypto::hmac::HmacKey;
use crate::crypto::suite::Suite;
use crate::error::ConfigError;
use crate::key_schedule::resumption::PskKind;
use crate::key_schedule::stages::{EarlySecret, MainSecret};
use crate::key_schedule::traffic::{FinishedKey, TrafficSecret};
use crate::secret::Secret;
use crate::testing::rfc8448::{Trace, trace};

const HASH: HashAlgorithm = HashAlgorithm::Sha256;

/// A handshake's transcript, message by message.
struct Transcript(Hasher);

impl Transcript {
    /// Begins with ClientHello...ServerHello. After a HelloRetryRequest a message_hash replaces the
    /// first ClientHello (RFC 9846, 4.1).
    fn of_hellos(trace: &Trace) -> Self {
        let mut transcript = Self(Hasher::new(HASH));
        let first = trace.message("record_client_hello_1");
        if trace.find("record_hello_retry_request").is_some() {
            transcript.0.update(&[254, 0, 0, 32]);
            transcript.0.update(HASH.hash(first).as_bytes());
            transcript
                .0
                .update(trace.message("record_hello_retry_request"));
            transcript.0.update(trace.message("record_client_hello_2"));
        } else {
            transcript.0.update(first);
        }
        transcript.0.update(trace.message("record_server_hello"));
        transcript
    }

    /// Adds those of these messages that are in the trace.
    fn add(&mut self, trace: &Trace, names: &[&str]) -> Digest {
        for message in names.iter().filter_map(|name| trace.find(name)) {
            self.0.update(message);
        }
        self.0.digest()
    }
}

fn assert_is(secret: &Secret, trace: &Trace, name: &str) {
    assert_eq!(secret.expose(), trace.get(name), "{name}");
}

/// Compares `[sender]_write_iv`. The key is tested by sealing with it (see `record::traces`).
fn assert_iv(secret: &TrafficSecret, trace: &Trace, name: &str) {
    assert_is(secret.keys(Suite::Aes128GcmSha256).1.secret(), trace, name);
}

/// Asserts that the verify_data is the trace's Finished without its header, and that no other is
/// accepted.
fn assert_finished(key: &FinishedKey, transcript: &Digest, message: &[u8]) {
    let (header, verify_data) = message.split_at(4);
    assert_eq!(header, [20, 0, 0, 32]);
    assert_eq!(key.verify_data(transcript), verify_data);
    assert!(key.verify(transcript, verify_data));
    for bit in 0..8 * verify_data.len() {
        let mut wrong = verify_data.to_vec();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(!key.verify(transcript, &wrong));
    }
    assert!(!key.verify(transcript, &verify_data[..31]));
    assert!(!key.verify(transcript, &[verify_data, &[0]].concat()));
    assert!(!key.verify(transcript, b""));
}

/// Follows a trace from the key exchange to the end of the handshake.
fn follows_the_trace(name: &str, psk: Option<&Secret>) {
    let trace = trace(name);
    let early = EarlySecret::new(HASH, psk);
    assert_is(early.secret(), &trace, "early_secret");

    let mut transcript = Transcript::of_hellos(&trace);
    let hellos = transcript.0.digest();
    let handshake = early.into_handshake(Secret::copy_of(trace.get("shared_secret")));
    assert_is(handshake.secret(), &trace, "handshake_secret");
    let (client, server) = (
        handshake.client_traffic(&hellos),
        handshake.server_traffic(&hellos),
    );
    assert_is(client.secret(), &trace, "client_handshake_traffic_secret");
    assert_iv(&client, &trace, "client_handshake_iv");
    assert_is(server.secret(), &trace, "server_handshake_traffic_secret");
    assert_iv(&server, &trace, "server_handshake_iv");

    let before_finished = transcript.add(
        &trace,
        &[
            "server_encrypted_extensions",
            "server_certificate_request",
            "server_certificate",
            "server_certificate_verify",
        ],
    );
    assert_finished(
        &server.finished_key(),
        &before_finished,
        trace.get("server_finished"),
    );

    let server_finished = transcript.add(&trace, &["server_finished"]);
    let main = handshake.into_main();
    assert_is(main.secret(), &trace, "main_secret");
    let exporter = main.exporter(&server_finished);
    assert_is(exporter.secret(), &trace, "exporter_secret");
    let (client_data, server_data) = (
        main.client_traffic(&server_finished),
        main.server_traffic(&server_finished),
    );
    assert_is(
        client_data.secret(),
        &trace,
        "client_application_traffic_secret_0",
    );
    assert_iv(&client_data, &trace, "client_application_iv");
    assert_is(
        server_data.secret(),
        &trace,
        "server_application_traffic_secret_0",
    );
    assert_iv(&server_data, &trace, "server_application_iv");

    if trace.find("record_end_of_early_data").is_some() {
        transcript.0.update(&[5, 0, 0, 0]);
    }
    let before_finished =
        transcript.add(&trace, &["client_certificate", "client_certificate_verify"]);
    assert_finished(
        &client.finished_key(),
        &before_finished,
        trace.get("client_finished"),
    );

    let client_finished = transcript.add(&trace, &["client_finished"]);
    let resumption = main.into_resumption(&client_finished);
    assert_is(resumption.secret(), &trace, "resumption_secret");
    if let Some(psk) = trace.find("resumption_psk") {
        // The trace's NewSessionTicket has the ticket_nonce 0000.
        assert!(resumption.psk(&[0, 0]).expose() == psk);
        assert!(resumption.psk(&[0, 1]).expose() != psk);
    }
}

#[test]
fn rfc8448_section_3_simple_1rtt() {
    follows_the_trace("simple_1rtt", None);
}

#[test]
fn rfc8448_section_4_resumed_0rtt() {
    let trace = trace("resumed_0rtt");
    let psk = Secret::copy_of(trace.get("psk"));
    let early = EarlySecret::new(HASH, Some(&psk));
    let hello = trace.message("record_client_hello_1");
    // RFC 9846, 4.3.11.2: up to the list of binders, which is two bytes of length, one byte of the
    // binder's length, and the binder.
    let truncated = HASH.hash(&hello[..hello.len() - 35]);
    let binder_key = early.binder_key(PskKind::Resumption);
    assert_eq!(binder_key.binder(&truncated), trace.get("binder"));
    assert!(binder_key.verify(&truncated, trace.get("binder")));
    // RFC 9846, 7.1: because of the label, one kind of PSK cannot replace another.
    for kind in [PskKind::External, PskKind::Imported] {
        assert!(
            !early
                .binder_key(kind)
                .verify(&truncated, trace.get("binder"))
        );
    }

    let transcript = HASH.hash(hello);
    assert_is(
        early.client_early_traffic(&transcript).secret(),
        &trace,
        "client_early_traffic_secret",
    );
    assert_is(
        early.early_exporter(&transcript).secret(),
        &trace,
        "early_exporter_secret",
    );
    follows_the_trace("resumed_0rtt", Some(&psk));
}

#[test]
fn rfc8448_section_5_hello_retry_request() {
    follows_the_trace("hello_retry_request", None);
}

#[test]
fn rfc8448_section_6_client_authentication() {
    follows_the_trace("client_authentication", None);
}

#[test]
fn rfc8448_section_7_middlebox_compatibility() {
    follows_the_trace("middlebox_compatibility", None);
}

/// Computes HKDF-Expand-Label as in RFC 9846, 7.1, with its structure in one piece.
fn expand_label(
    hash: HashAlgorithm,
    secret: &Secret,
    label: &str,
    context: &[u8],
    length: u16,
) -> Secret {
    let mut info = length.to_be_bytes().to_vec();
    info.push(u8::try_from(6 + label.len()).unwrap());
    info.extend_from_slice(b"tls13 ");
    info.extend_from_slice(label.as_bytes());
    info.push(u8::try_from(context.len()).unwrap());
    info.extend_from_slice(context);
    Prk::from_secret(hash, Secret::copy_of(secret.expose())).expand(&[&info], length.into())
}

/// Makes a connection's main_secret for either hash.
fn main_secret(hash: HashAlgorithm) -> MainSecret {
    EarlySecret::new(hash, None)
        .into_handshake(Secret::copy_of(&[7; 32]))
        .into_main()
}

#[test]
fn the_next_generation_is_by_the_book() {
    // RFC 9846, 7.2.
    for (hash, length) in [(HashAlgorithm::Sha256, 32), (HashAlgorithm::Sha384, 48)] {
        let mut secret = main_secret(hash).client_traffic(&hash.hash(b"transcript"));
        for _ in 0..3 {
            let expected = expand_label(hash, secret.secret(), "traffic upd", b"", length);
            secret = secret.next();
            assert!(secret.secret().expose() == expected.expose());
        }
    }
}

#[test]
fn binders_are_by_the_book() {
    // RFC 9846, 4.3.11.2, 4.5.3 and 7.1; RFC 9258, 5.2.
    for (hash, length) in [(HashAlgorithm::Sha256, 32_u8), (HashAlgorithm::Sha384, 48)] {
        let psk = Secret::copy_of(&[7; 40]);
        let transcript = hash.hash(b"ClientHello");
        let early_secret = Prk::extract(hash, &vec![0; length.into()], psk.expose()).into_secret();
        for (kind, label) in [
            (PskKind::External, "ext binder"),
            (PskKind::Imported, "imp binder"),
            (PskKind::Resumption, "res binder"),
        ] {
            let binder_key = expand_label(
                hash,
                &early_secret,
                label,
                hash.hash(b"").as_bytes(),
                length.into(),
            );
            let finished_key = expand_label(hash, &binder_key, "finished", b"", length.into());
            let mut expected = vec![0; length.into()];
            HmacKey::new(hash, finished_key.expose())
                .tag_into(&[transcript.as_bytes()], &mut expected);
            let key = EarlySecret::new(hash, Some(&psk)).binder_key(kind);
            assert_eq!(key.binder(&transcript), expected);
            assert!(key.verify(&transcript, &expected));
        }
    }
}

#[test]
fn exporters_are_by_the_book() {
    // RFC 9846, 7.5.
    for (hash, hash_length, limit) in [
        (HashAlgorithm::Sha256, 32, 8160),
        (HashAlgorithm::Sha384, 48, 12240),
    ] {
        let exporter = main_secret(hash).exporter(&hash.hash(b"transcript"));
        let derived = expand_label(
            hash,
            exporter.secret(),
            "EXPORTER-Channel-Binding",
            hash.hash(b"").as_bytes(),
            hash_length,
        );
        for context in [&b""[..], b"context", &[1; 1000]] {
            for length in [1, 32, 33, 500, limit] {
                let expected = expand_label(
                    hash,
                    &derived,
                    "exporter",
                    hash.hash(context).as_bytes(),
                    length,
                );
                let exported = exporter
                    .export(b"EXPORTER-Channel-Binding", context, length.into())
                    .unwrap();
                assert!(exported.expose() == expected.expose());
            }
        }
        let refused = |label: &[u8], length| {
            matches!(
                exporter.export(label, b"", length),
                Err(ConfigError::Setting {
                    name: "export_keying_material",
                    ..
                })
            )
        };
        assert!(refused(b"", 32) && refused(&[b'l'; 250], 32) && !refused(&[b'l'; 249], 32));
        assert!(
            refused(b"label", 0)
                && refused(b"label", usize::from(limit) + 1)
                && refused(b"label", 1 << 16)
                && refused(b"label", usize::MAX)
        );
    }
}

#[test]
fn a_nonce_is_the_iv_with_the_sequence_number() {
    // RFC 9846, 5.3.
    let trace = trace("simple_1rtt");
    let transcript = Transcript::of_hellos(&trace).0.digest();
    let handshake =
        EarlySecret::new(HASH, None).into_handshake(Secret::copy_of(trace.get("shared_secret")));
    let (_, iv) = handshake
        .server_traffic(&transcript)
        .keys(Suite::Aes128GcmSha256);
    // 5d313eb2 671276ee 13000b30 XOR 00000000 01234567 89abcdef
    assert_eq!(*iv.nonce(0), trace.get("server_handshake_iv"));
    assert_eq!(
        *iv.nonce(0x0123_4567_89ab_cdef),
        *b"\x5d\x31\x3e\xb2\x66\x31\x33\x89\x9a\xab\xc6\xdf"
    );
    assert_eq!(
        *iv.nonce(u64::MAX),
        *b"\x5d\x31\x3e\xb2\x98\xed\x89\x11\xec\xff\xf4\xcf"
    );
}

/// draft-ietf-tls-extended-key-update, "Updating Traffic Keys" and "Exporter", written out from the
/// formulas.
#[test]
fn the_next_epoch_by_the_book() {
    for hash in HashAlgorithm::ALL {
        let length = hash.output_len();
        let derive = |secret: &[u8], label: &str, transcript: &[u8]| {
            let label = format!("tls13 {label}");
            let mut info = u16::try_from(length).unwrap().to_be_bytes().to_vec();
            info.push(label.len().try_into().unwrap());
            info.extend_from_slice(label.as_bytes());
            info.push(transcript.len().try_into().unwrap());
            info.extend_from_slice(transcript);
            Prk::from_secret(hash, Secret::copy_of(secret))
                .expand(&[&info], length)
                .expose()
                .to_vec()
        };
        let main = || {
            EarlySecret::new(hash, None)
                .into_handshake(Secret::copy_of(b"shared"))
                .into_main()
        };
        let main_0 = main().secret().expose().to_vec();
        let digest = hash.hash(b"server Finished");
        assert_eq!(
            main().epoch_exporter(&digest).secret().expose(),
            derive(&main_0, "exporter eku", digest.as_bytes())
        );
        let mut epoch = main().into_epoch(hash.hash(b"client Finished"));
        let mut current = main_0;
        for round in 1..4_u8 {
            let shared = [round; 40];
            let transcript = hash.hash(&[round]);
            let (next, secrets) = epoch.next(&Secret::copy_of(&shared), transcript);
            epoch = next;
            assert_eq!(epoch.transcript(), &transcript);
            let salt = derive(&current, "derived", hash.hash(b"").as_bytes());
            current = Prk::extract(hash, &salt, &shared)
                .secret()
                .expose()
                .to_vec();
            for (secret, label) in [
                (secrets.client.secret(), "c ap traffic"),
                (secrets.server.secret(), "s ap traffic"),
                (secrets.exporter.secret(), "exp master"),
            ] {
                assert_eq!(
                    secret.expose(),
                    derive(&current, label, transcript.as_bytes()),
                    "{label}"
                );
            }
        }
    }
}
