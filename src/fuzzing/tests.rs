//! Runs each target on its corpus and on fresh seeds, so that faults that the fuzzer found stay
//! fixed.

use std::fs;
use std::path::Path;

use super::parties::{EARLY_DATA, NAME, identity, new_client, new_server, now};
use super::revocation::{lists, verdict};
use super::{Driven, drive, seeds, split};
use crate::code_point::NamedGroup;
use crate::error::CertificateError;
use crate::identity::{Peer, RevocationLists, ServerName, Trust};
use crate::message::Message;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 8] = [
    ("messages", super::messages),
    ("record", super::record),
    ("client", super::client),
    ("server", super::server),
    ("certificates", super::certificates),
    ("pem", super::pem),
    ("revocation", super::revocation),
    ("aead", super::aead),
];

fn run_corpus(name: &str) {
    let (_, target) = TARGETS
        .into_iter()
        .find(|(target, _)| *target == name)
        .unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut count = 0;
    for file in
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let file = file.unwrap().path();
        // A failing test prints which file it was.
        println!("{}", file.display());
        target(&fs::read(file).unwrap());
        count += 1;
    }
    assert!(
        count > 0,
        "no seeds in {}: `just fuzz-seeds` writes them",
        folder.display()
    );
    for (_, _, seed) in seeds().iter().filter(|(target, ..)| *target == name) {
        target(seed);
        // This does a little of what the fuzzer does: it cuts every seed short and flips a bit, at
        // some places.
        for at in (0..seed.len()).step_by(seed.len() / 16 + 1) {
            target(&seed[..at]);
            let mut flipped = seed.clone();
            flipped[at] ^= 1 << (at % 8);
            target(&flipped);
        }
    }
}

#[test]
fn messages() {
    run_corpus("messages");
}

#[test]
fn record() {
    run_corpus("record");
}

#[test]
fn client() {
    run_corpus("client");
}

#[test]
fn server() {
    run_corpus("server");
}

#[test]
fn certificates() {
    run_corpus("certificates");
}

#[test]
fn pem() {
    run_corpus("pem");
}

#[test]
fn revocation() {
    run_corpus("revocation");
}

#[test]
fn aead() {
    run_corpus("aead");
}

/// The name of each seed begins with the verdict on the server.
#[test]
fn lists_say_what_they_are_called() {
    let mut verdicts = std::collections::BTreeSet::new();
    for (_, name, seed) in seeds()
        .into_iter()
        .filter(|(target, ..)| *target == "revocation")
    {
        let expected = match name.as_str() {
            name if name.starts_with("good") => None,
            name if name.starts_with("revoked") => Some(CertificateError::Revoked),
            name if name.starts_with("unknown") => Some(CertificateError::UnknownRevocation),
            "expired" => Some(CertificateError::RevocationListExpired),
            "not-issuers" => Some(CertificateError::RevocationListNotIssuers),
            name => panic!("{name}"),
        };
        assert_eq!(
            verdict([RevocationLists::from_der(lists(&seed)).unwrap()]).err(),
            expected,
            "{name}"
        );
        verdicts.insert(format!("{expected:?}"));
    }
    assert_eq!(verdicts.len(), 5);
}

/// Otherwise the fuzzer would not get beyond the first message.
#[test]
fn recorded_conversations_are_understood_to_their_end() {
    for (target, name, seed) in seeds() {
        let connection = match target {
            "client" => new_client(seed[1]),
            "server" => new_server(seed[1]),
            _ => continue,
        };
        let Driven {
            read,
            early,
            connected,
            resumed,
            external_psk,
            group,
        } = drive(connection, seed[1], &seed[2..], seed[0] & 0x7f);
        assert!(
            connected,
            "{target}/{name} does not reach the end of its handshake"
        );
        assert_eq!(read, b"hellohello", "{target}/{name}");
        assert_eq!(resumed, name.contains("resumed"), "{target}/{name}");
        assert_eq!(external_psk, name.contains("psk"), "{target}/{name}");
        let accepted = target == "server" && name.contains("early") && !name.contains("retried");
        assert_eq!(
            early,
            if accepted { EARLY_DATA } else { b"" },
            "{target}/{name}"
        );
        let expected = match &*name {
            name if name.contains("x25519") => NamedGroup::X25519,
            name if name.contains("secp256r1") || name.ends_with("retried-61") => {
                NamedGroup::SECP256R1
            }
            _ => NamedGroup::X25519_MLKEM768,
        };
        assert_eq!(group, Some(expected), "{target}/{name}");
    }
}

#[test]
fn seeds_are_what_they_should_be() {
    let of = |wanted| {
        seeds()
            .into_iter()
            .filter(move |(target, ..)| *target == wanted)
    };
    let kinds: std::collections::BTreeSet<_> = of("messages")
        .map(|(_, _, seed)| Message::decode(&seed).unwrap().name())
        .collect();
    assert_eq!(kinds.len(), 11, "{kinds:?}");
    // One retry is from RFC 8448, and three are ours: by group, by cookie, and by both.
    let retries = of("messages")
        .filter(|(_, name, _)| name.ends_with("HelloRetryRequest"))
        .count();
    assert!(retries >= 4, "{retries}");
    for (_, name, seed) in of("certificates") {
        match name.as_str() {
            "raw-key" => {
                assert!(
                    Trust::keys([identity().public_key()])
                        .verify_client_key(&seed)
                        .is_ok()
                );
                continue;
            }
            "peer" => {
                assert!(Peer::from_ticket(&seed).is_some());
                continue;
            }
            _ => {}
        }
        let chain = split(&seed);
        let (root, below) = chain.split_last().unwrap();
        let trust = Trust::roots_from_der([root])
            .unwrap()
            .and(Trust::keys([identity().public_key()]));
        let verified = match name.as_str() {
            "client" => trust.verify_client(below, now()),
            _ => trust.verify_server(below, Some(&ServerName::parse(NAME).unwrap()), now()),
        };
        assert!(verified.is_ok(), "{name}");
    }
}
