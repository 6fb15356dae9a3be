//! The traces of RFC 8448 through the code of this folder: the transcript of a retry, keys,
//! Finished and binders, from the messages and private keys alone.

use core::time::Duration;

use crate::code_point::NamedGroup;
use crate::crypto::backend::Backend;
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::key_exchange::{EphemeralKey, Group};
use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::handshake::psk::Psk;
use crate::handshake::{ClientHelloTranscript, Keys, SecretLog, Transcript, finished};
use crate::key_schedule::EarlySecret;
use crate::message::{ClientHello, Message};
use crate::secret::Secret;
use crate::session::{Session, Whose};
use crate::testing::rfc8448::{Trace, trace};

const HASH: HashAlgorithm = HashAlgorithm::Sha256;
const SUITE: Suite = Suite::Aes128GcmSha256;

fn client_hello<'a>(trace: &'a Trace, record: &str) -> ClientHello<'a> {
    match Message::decode(trace.message(record)) {
        Ok(Message::ClientHello(hello)) => hello,
        other => panic!("{other:?}"),
    }
}

/// Follows a trace from ServerHello to the client's Finished. `before` ends with the last
/// ClientHello, which had the share of `key`.
fn follows_the_trace(trace: &Trace, key: EphemeralKey, early: EarlySecret, before: Transcript) {
    let Ok(Message::ServerHello(server_hello)) =
        Message::decode(trace.message("record_server_hello"))
    else {
        panic!("no ServerHello")
    };
    let share = server_hello.key_share().unwrap();
    assert_eq!(share.group, key.group().code_point());
    let shared = key.agree(share.key_exchange).unwrap();
    assert_eq!(shared.expose(), trace.get("shared_secret"));

    let mut transcript = before;
    transcript.add(trace.message("record_server_hello"));
    let (mut keys, traffic) = Keys::derive(
        SUITE,
        share.group,
        early,
        shared,
        transcript,
        SecretLog::default(),
    );
    assert_eq!(
        traffic.client.secret().expose(),
        trace.get("client_handshake_traffic_secret")
    );
    assert_eq!(
        traffic.server.secret().expose(),
        trace.get("server_handshake_traffic_secret")
    );
    assert_eq!(keys.main.secret().expose(), trace.get("main_secret"));

    for message in [
        "server_encrypted_extensions",
        "server_certificate",
        "server_certificate_verify",
    ]
    .iter()
    .filter_map(|name| trace.find(name))
    {
        keys.transcript.add(message);
    }
    let Ok(Message::Finished(theirs)) = Message::decode(trace.get("server_finished")) else {
        panic!("no Finished")
    };
    finished::verify(&keys.server_finished, &keys.transcript.digest(), &theirs).unwrap();
    assert!(matches!(
        finished::verify(&keys.client_finished, &keys.transcript.digest(), &theirs),
        Err(Fault::BadFinished)
    ));
    // Made from the same keys, our own Finished is the same.
    let server = finished::make(&keys.server_finished, &mut keys.transcript).unwrap();
    assert_eq!(server, trace.get("server_finished"));
    let digest = keys.transcript.digest();
    assert_eq!(
        keys.main.client_traffic(&digest).secret().expose(),
        trace.get("client_application_traffic_secret_0")
    );
    assert_eq!(
        keys.main.server_traffic(&digest).secret().expose(),
        trace.get("server_application_traffic_secret_0")
    );

    if trace.find("record_end_of_early_data").is_some() {
        keys.transcript.add(&[5, 0, 0, 0]);
    }
    let own = finished::make(&keys.client_finished, &mut keys.transcript).unwrap();
    assert_eq!(own, trace.get("client_finished"));
    let digest = keys.transcript.digest();
    assert_eq!(
        keys.main.into_resumption(&digest).secret().expose(),
        trace.get("resumption_secret")
    );
}

/// Section 5, whose transcript begins with a message_hash, and whose second ClientHello has a share
/// of secp256r1.
#[test]
fn rfc8448_section_5_hello_retry_request() {
    for backend in Backend::all() {
        let trace = trace("hello_retry_request");
        let key = EphemeralKey::from_private(
            backend,
            Group::Secp256r1,
            trace.get("client_secp256r1_private"),
        )
        .unwrap();
        let second = client_hello(&trace, "record_client_hello_2");
        let [share] = second.key_share().unwrap() else {
            panic!("not one share")
        };
        assert_eq!(
            (share.group, share.key_exchange),
            (NamedGroup(0x0017), key.public())
        );

        let Ok(Message::HelloRetryRequest(retry)) =
            Message::decode(trace.message("record_hello_retry_request"))
        else {
            panic!("no retry")
        };
        assert_eq!(retry.key_share(), Some(share.group));
        assert_eq!(retry.cookie(), second.cookie());
        let first = ClientHelloTranscript::new(trace.message("record_client_hello_1"));
        let mut transcript = first
            .with_retry(HASH, trace.message("record_hello_retry_request"))
            .unwrap();
        transcript.add(trace.message("record_client_hello_2"));
        follows_the_trace(&trace, key, EarlySecret::new(HASH, None), transcript);
    }
}

/// Section 4: the binder that a client sends, and its verification by the server.
#[test]
fn rfc8448_section_4_resumption() {
    let trace = trace("resumed_0rtt");
    let session = Session {
        suite: SUITE,
        group: NamedGroup::X25519,
        psk: Secret::copy_of(trace.get("psk")),
        since: Duration::ZERO,
        whose: Whose::Nobody,
    };
    let psk = Psk::from(&session);
    let bytes = trace.message("record_client_hello_1");
    let hello = client_hello(&trace, "record_client_hello_1");
    let truncated = Transcript::new(HASH).digest_with(&bytes[..bytes.len() - hello.binders_len()]);
    let binder = psk.binder(&truncated);
    assert_eq!(binder, trace.get("binder"));
    assert_eq!(hello.pre_shared_key().unwrap().binders, [&binder[..]]);
    // With the binder in place, these are the bytes of the trace's ClientHello.
    assert_eq!(bytes[bytes.len() - 32..], binder);

    let other = Transcript::new(HASH).digest_with(bytes);
    assert!(matches!(psk.verify(&other, &binder), Err(Fault::BadBinder)));
    assert!(matches!(
        psk.verify(&truncated, &binder[..31]),
        Err(Fault::BadBinder)
    ));
    for selected in [psk.verify(&truncated, &binder).unwrap(), psk.early_secret()] {
        let key = EphemeralKey::from_private(
            Backend::Portable,
            Group::X25519,
            trace.get("client_x25519_private"),
        )
        .unwrap();
        let mut transcript = Transcript::new(HASH);
        transcript.add(bytes);
        follows_the_trace(&trace, key, selected, transcript);
    }
}

/// Section 3, without a PSK or a retry.
#[test]
fn rfc8448_section_3_simple_1rtt() {
    let trace = trace("simple_1rtt");
    let key = EphemeralKey::from_private(
        Backend::Portable,
        Group::X25519,
        trace.get("client_x25519_private"),
    )
    .unwrap();
    let transcript =
        ClientHelloTranscript::new(trace.message("record_client_hello_1")).with_hash(HASH);
    follows_the_trace(&trace, key, EarlySecret::new(HASH, None), transcript);
}

/// Receives the lines that RFC 9850 asks for.
#[cfg(feature = "key-log")]
#[derive(Default)]
struct Lines(std::sync::Mutex<Vec<String>>);

#[cfg(feature = "key-log")]
impl crate::handshake::KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &Secret) {
        let line = format!("{label} {} {}", hex(client_random), hex(secret.expose()));
        self.0.lock().unwrap().push(line);
    }
}

#[cfg(feature = "key-log")]
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 9850, 2.1, of sections 3 to 5: each label with the trace's secret.
#[cfg(feature = "key-log")]
#[test]
fn rfc8448_in_the_key_log() {
    for (name, offers_early_data) in [
        ("simple_1rtt", false),
        ("resumed_0rtt", true),
        ("hello_retry_request", false),
    ] {
        let trace = trace(name);
        let lines = std::sync::Arc::new(Lines::default());
        let chosen = crate::handshake::key_log::ChosenKeyLog::new(lines.clone());
        // The random follows the header and legacy_version.
        let random = trace.message("record_client_hello_1")[6..38]
            .try_into()
            .unwrap();
        let log = chosen.for_connection(random);

        let psk = trace.find("psk").map(Secret::copy_of);
        let early = EarlySecret::new(HASH, psk.as_ref());
        let mut transcript = match trace.find("record_hello_retry_request") {
            None => {
                ClientHelloTranscript::new(trace.message("record_client_hello_1")).with_hash(HASH)
            }
            Some(_) => {
                let first = ClientHelloTranscript::new(trace.message("record_client_hello_1"));
                let retry = trace.message("record_hello_retry_request");
                let mut transcript = first.with_retry(HASH, retry).unwrap();
                transcript.add(trace.message("record_client_hello_2"));
                transcript
            }
        };
        if offers_early_data {
            log.early(&early.client_early_traffic(&transcript.digest()));
        }
        transcript.add(trace.message("record_server_hello"));
        let shared = Secret::copy_of(trace.get("shared_secret"));
        let group = NamedGroup::X25519;
        let (mut keys, _) = Keys::derive(SUITE, group, early, shared, transcript, log);
        for message in [
            "server_encrypted_extensions",
            "server_certificate",
            "server_certificate_verify",
            "server_finished",
        ] {
            if let Some(message) = trace.find(message) {
                keys.transcript.add(message);
            }
        }
        let digest = keys.transcript.digest();
        keys.log.application(
            0,
            &keys.main.client_traffic(&digest),
            &keys.main.server_traffic(&digest),
            &keys.main.exporter(&digest),
        );

        let expected = [
            ("CLIENT_EARLY_TRAFFIC_SECRET", "client_early_traffic_secret"),
            (
                "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                "client_handshake_traffic_secret",
            ),
            (
                "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                "server_handshake_traffic_secret",
            ),
            (
                "CLIENT_TRAFFIC_SECRET_0",
                "client_application_traffic_secret_0",
            ),
            (
                "SERVER_TRAFFIC_SECRET_0",
                "server_application_traffic_secret_0",
            ),
            ("EXPORTER_SECRET", "exporter_secret"),
        ];
        let expected: Vec<_> = expected[usize::from(!offers_early_data)..]
            .iter()
            .map(|(label, name)| format!("{label} {} {}", hex(random), hex(trace.get(name))))
            .collect();
        assert_eq!(*lines.0.lock().unwrap(), expected, "{name}");

        // The labels of a later epoch, as the draft of extended key updates names them.
        lines.0.lock().unwrap().clear();
        keys.log.application(
            12,
            &keys.main.client_traffic(&digest),
            &keys.main.server_traffic(&digest),
            &keys.main.exporter(&digest),
        );
        let labels: Vec<_> = std::mem::take(&mut *lines.0.lock().unwrap())
            .iter()
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(
            labels,
            [
                "CLIENT_TRAFFIC_SECRET_12",
                "SERVER_TRAFFIC_SECRET_12",
                "EXPORTER_SECRET_12"
            ]
        );
    }
}
