//! External PSKs: what is imported, refused, found and shown.

use std::time::Instant;

use crate::crypto::hash::HashAlgorithm;
use crate::error::{ConfigError, Error};
use crate::key_schedule::{EarlySecret, PskKind};
use crate::message::testing::hex;
use crate::session::{ExternalPsk, ExternalPsks, PskNames, WirePsk};

/// The bytes 00 to 1f.
fn secret() -> Vec<u8> {
    (0..32).collect()
}

fn named(identity: &str, own: &str, peer: &str) -> ExternalPsk {
    ExternalPsk::new(identity, secret(), PskNames { own, peer }).unwrap()
}

fn sensor() -> ExternalPsk {
    named("2026-07", "sensor 17", "collector")
}

fn collector() -> ExternalPsk {
    named("2026-07", "collector", "sensor 17")
}

fn same(ours: &[WirePsk], other: &[WirePsk]) -> bool {
    let equal = |ours: &WirePsk, other: &WirePsk| {
        ours.identity == other.identity
            && ours.hash == other.hash
            && ours.kind == other.kind
            && ours.key.expose() == other.key.expose()
    };
    ours.len() == other.len()
        && ours
            .iter()
            .zip(other)
            .all(|(ours, other)| equal(ours, other))
}

#[test]
fn what_goes_over_the_wire() {
    // RFC 9258, 5.1: ImportedIdentity, written out, with the Context of "Addressing Selfie": the
    // client's name first. The keys were computed by OpenSSL and by Python, as in the importer's
    // own test.
    let (identity, sensor_name, collector_name) = (
        "0007 323032362d3037",
        "09 73656e736f72203137",
        "09 636f6c6c6563746f72",
    );
    for (psks, client, server, keys) in [
        (
            sensor().as_client(),
            sensor_name,
            collector_name,
            [
                "4ee10b599a3f358e7d2d0ad51ddecbb144fb737a39ea4ac928baf52b98292b36",
                "48c541604574c0cb3375343b6f286d4f95ae09f438a5401993f33bc206aef4f1\
                 7584c4cdd2978bc18afa5782afd8341b",
            ],
        ),
        (
            sensor().as_server(),
            collector_name,
            sensor_name,
            [
                "bf41112ad63cee26bed28f123357071b5ab62b870d1ca9b21c4fcaaafc71d5d2",
                "7a91b589c95370d59601072561238bad7748226a3fdbc313e3be341518baf66b\
                 7f9a02e469d05f47d67c5a188ec02bf0",
            ],
        ),
    ] {
        assert_eq!(psks.len(), 2);
        let hashes = [
            (HashAlgorithm::Sha256, "0001"),
            (HashAlgorithm::Sha384, "0002"),
        ];
        for ((psk, (hash, kdf)), key) in psks.iter().zip(hashes).zip(keys) {
            assert_eq!(
                psk.identity,
                hex(&format!("{identity} 0014 {client} {server} 0304 {kdf}"))
            );
            assert_eq!((psk.hash, psk.kind), (hash, PskKind::Imported));
            assert!(psk.key.expose() == hex(key), "{hash:?}");
        }
    }

    // RFC 9846, 4.3.11: this PSK is not imported, and used with SHA-256.
    let psk = ExternalPsk::not_imported("2026-07", secret()).unwrap();
    for psks in [psk.as_client(), psk.as_server()] {
        let [psk] = psks else {
            panic!("{} PSKs", psks.len())
        };
        assert_eq!(
            (&psk.identity[..], psk.hash, psk.kind),
            (
                b"2026-07".as_slice(),
                HashAlgorithm::Sha256,
                PskKind::External
            )
        );
        assert!(psk.key.expose() == secret());
    }
}

#[test]
fn what_one_offers_the_other_accepts() {
    let (sensor, collector) = (sensor(), collector());
    assert!(same(sensor.as_client(), collector.as_server()));
    assert!(same(collector.as_client(), sensor.as_server()));
    assert_eq!(
        (sensor.identity(), collector.identity()),
        (b"2026-07".as_slice(), b"2026-07".as_slice())
    );
    assert_eq!(
        (sensor.own_name(), sensor.peer_name()),
        (Some("sensor 17"), Some("collector"))
    );
    assert_eq!(
        (collector.own_name(), collector.peer_name()),
        (Some("collector"), Some("sensor 17"))
    );
    let not_imported = ExternalPsk::not_imported("2026-07", secret()).unwrap();
    assert_eq!(
        (not_imported.own_name(), not_imported.peer_name()),
        (None, None)
    );
    // These have the maximum length.
    let (a, b) = ("a".repeat(255), "b".repeat(255));
    let longest =
        |own, peer| ExternalPsk::new([7; 1024], secret(), PskNames { own, peer }).unwrap();
    assert!(same(
        longest(&a, &b).as_client(),
        longest(&b, &a).as_server()
    ));
    assert_eq!(
        longest(&a, &b).as_client()[0].identity.len(),
        2 + 1024 + 2 + 256 + 256 + 2 + 2
    );
}

#[test]
fn what_comes_back_is_unknown() {
    // RFC 9258, "Addressing Selfie": a node that is client and server receives its own ClientHello.
    for party in [
        sensor(),
        collector(),
        named("x", "a", "ab"),
        named("x", "ab", "a"),
        named("x", "a", "A"),
    ] {
        let accepted = ExternalPsks::new(vec![party.clone()]).unwrap();
        for (offered, expected) in party.as_client().iter().zip(party.as_server()) {
            assert!(accepted.find(&offered.identity).is_none());
            assert!(offered.key.expose() != expected.key.expose());
        }
    }
    // A third node with the same secret is still another node.
    let third =
        ExternalPsks::new(vec![named("2026-07", "another collector", "sensor 17")]).unwrap();
    assert!(
        sensor()
            .as_client()
            .iter()
            .all(|offered| third.find(&offered.identity).is_none())
    );
}

#[test]
fn nobody_is_both_parties() {
    // RFC 9258, "Addressing Selfie": what the sensor offers as a client would be accepted by its
    // own server.
    let another_secret = ExternalPsk::new(
        "2026-07",
        &secret()[1..],
        PskNames {
            own: "collector",
            peer: "sensor 17",
        },
    )
    .unwrap();
    for psks in [
        vec![sensor(), collector()],
        vec![collector(), sensor()],
        vec![sensor(), named("x", "a", "b"), another_secret],
    ] {
        let refused = ExternalPsks::new(psks).err();
        assert!(matches!(
            refused,
            Some(ConfigError::Setting { name: "external_psks", reason })
                if reason.contains("two parties")
        ));
    }
    // The two directions may have two secrets, and a server may have several names.
    let psks = vec![
        sensor(),
        named("2026-08", "collector", "sensor 17"),
        named("2026-07", "sensor 18", "collector"),
    ];
    assert!(ExternalPsks::new(psks).is_ok());
}

#[test]
fn no_two_pairs_of_names_are_the_same_bytes() {
    let all = [
        ("a", "bc"),
        ("ab", "c"),
        ("a\u{1}b", "c"),
        ("a", "b\u{1}c"),
        ("\u{1}b", "a"),
        ("\0", "\0\0"),
        ("\0\0\0", "\0"),
    ];
    let psks = all.iter().map(|(own, peer)| named("identity", own, peer));
    // This identity looks as if it contained the beginning of a context.
    let psks = psks.chain([
        named("identity\0\u{5}\u{1}a", "b", "c"),
        named("identit", "y", "a"),
    ]);
    let psks: Vec<_> = psks.collect();
    let count = psks.len();
    let mut wire: Vec<_> = psks
        .iter()
        .flat_map(|psk| psk.as_client().iter().map(|wire| wire.identity.clone()))
        .collect();
    wire.sort();
    wire.dedup();
    assert_eq!(wire.len(), 2 * count);
    assert!(ExternalPsks::new(psks).is_ok());
}

#[test]
fn what_is_refused() {
    let names = PskNames {
        own: "a",
        peer: "b",
    };
    let reason = |result: Result<ExternalPsk, Error>| match result {
        Err(Error::Config(ConfigError::Setting {
            name: "ExternalPsk",
            reason,
        })) => reason,
        Err(error) => panic!("{error}"),
        Ok(psk) => panic!("{psk:?}"),
    };
    // RFC 9257, section 6: a secret has at least 128 bits, some of which must be random.
    for len in [0, 1, 15] {
        assert!(
            reason(ExternalPsk::new("x", &secret()[..len], names)).contains("less than 16 bytes")
        );
        assert!(
            reason(ExternalPsk::not_imported("x", &secret()[..len])).contains("less than 16 bytes")
        );
    }
    for byte in [0, b' ', 0xff] {
        for len in [16, 32, 100] {
            assert!(
                reason(ExternalPsk::new("x", vec![byte; len], names)).contains("one byte repeated")
            );
            assert!(
                reason(ExternalPsk::not_imported("x", vec![byte; len]))
                    .contains("one byte repeated")
            );
        }
    }
    // RFC 9846, 4.3.11: opaque identity<1..2^16-1>.
    assert!(reason(ExternalPsk::new("", secret(), names)).contains("identity is empty"));
    assert!(reason(ExternalPsk::not_imported("", secret())).contains("identity is empty"));
    assert!(reason(ExternalPsk::new([1; 1025], secret(), names)).contains("more than 1024 bytes"));
    assert!(
        reason(ExternalPsk::not_imported([1; 1025], secret())).contains("more than 1024 bytes")
    );
    // RFC 9258, "Addressing Selfie".
    let long = "n".repeat(256);
    for (own, peer, why) in [
        ("", "b", "a name is empty"),
        ("a", "", "a name is empty"),
        ("", "", "a name is empty"),
        (&long, "b", "more than 255 bytes"),
        ("a", &long, "more than 255 bytes"),
        ("a", "a", "both names are the same"),
    ] {
        assert!(
            reason(ExternalPsk::new("x", secret(), PskNames { own, peer })).contains(why),
            "{own:?} {peer:?}"
        );
    }

    // These are just acceptable. With a single bit set, a secret counts as filled, since its
    // quality cannot be judged.
    let mut one_bit = [0; 16];
    for at in [0, 7, 15] {
        one_bit.fill(0);
        one_bit[at] = 1;
        assert!(
            ExternalPsk::new("x", one_bit, names).is_ok()
                && ExternalPsk::not_imported([1; 1024], one_bit).is_ok()
        );
    }
}

#[test]
fn identities_are_bytes_and_compared_whole() {
    // RFC 9257, 6.1.1. GnuTLS CVE-2026-42010: an identity was confused with another one that is the
    // same up to a NUL.
    let identities: [&[u8]; 11] = [
        b"admin",
        b"admin\0",
        b"admin\0x",
        b"\0",
        b"\0\0",
        b"\0admin",
        b"\xff\xfe",
        b"\xff",
        b"Admin",
        b"admin ",
        "\u{e9}".as_bytes(),
    ];
    let unknown: [&[u8]; 8] = [
        b"",
        b"admi",
        b"admin\0y",
        b"admin\0\0",
        b"\0\0\0",
        b"\xfe",
        b"ADMIN",
        b"e\xcc\x81",
    ];
    let all = ExternalPsks::new(
        identities
            .iter()
            .map(|identity| ExternalPsk::not_imported(identity, secret()).unwrap())
            .collect(),
    )
    .unwrap();
    for identity in identities {
        let (psk, wire) = all.find(identity).unwrap();
        assert_eq!((psk.identity(), &wire.identity[..]), (identity, identity));
    }
    assert!(unknown.iter().all(|identity| all.find(identity).is_none()));

    let names = PskNames {
        own: "server",
        peer: "client",
    };
    let all = ExternalPsks::new(
        identities
            .iter()
            .map(|identity| ExternalPsk::new(identity, secret(), names).unwrap())
            .collect(),
    )
    .unwrap();
    let client = PskNames {
        own: "client",
        peer: "server",
    };
    for identity in identities {
        for offered in ExternalPsk::new(identity, secret(), client)
            .unwrap()
            .as_client()
        {
            let (psk, wire) = all.find(&offered.identity).unwrap();
            assert_eq!((psk.identity(), wire.hash), (identity, offered.hash));
            assert!(wire.key.expose() == offered.key.expose());
            let len = offered.identity.len();
            assert!((0..len).all(|cut| all.find(&offered.identity[..cut]).is_none()));
            assert!(all.find(&[&offered.identity[..], &[0]].concat()).is_none());
        }
    }
    for identity in unknown.iter().filter(|identity| !identity.is_empty()) {
        assert!(
            ExternalPsk::new(identity, secret(), client)
                .unwrap()
                .as_client()
                .iter()
                .all(|wire| all.find(&wire.identity).is_none())
        );
    }
}

#[test]
fn nobody_is_two() {
    let refused = |psks: Vec<ExternalPsk>| {
        let refused = ExternalPsks::new(psks).err();
        matches!(
            refused,
            Some(ConfigError::Setting { name: "external_psks", reason })
                if reason.contains("same identity")
        )
    };
    let not_imported =
        |identity: &[u8], secret: &[u8]| ExternalPsk::not_imported(identity, secret).unwrap();
    assert!(refused(vec![sensor(), sensor()]));
    let another_secret = ExternalPsk::new(
        "2026-07",
        &secret()[1..],
        PskNames {
            own: "sensor 17",
            peer: "collector",
        },
    )
    .unwrap();
    assert!(refused(vec![sensor(), another_secret]));
    assert!(refused(vec![
        not_imported(b"a", &secret()),
        not_imported(b"a", &secret()[1..])
    ]));
    // RFC 9258, section 8: "does not prevent applications from constructing non-importer PSK
    // identities that collide with imported PSK identities".
    for wire in sensor().as_server() {
        assert!(refused(vec![
            sensor(),
            not_imported(&wire.identity, &secret())
        ]));
        assert!(refused(vec![
            not_imported(&wire.identity, &secret()),
            sensor()
        ]));
    }

    // There are several PSKs of one party, and several parties, and each lookup finds the right
    // one.
    let all = [
        sensor(),
        named("2026-08", "sensor 17", "collector"),
        named("2026-07", "sensor 17", "x"),
        not_imported(b"2026-07", &secret()),
    ];
    let found = ExternalPsks::new(all.to_vec()).unwrap();
    for psk in &all {
        for wire in psk.as_server() {
            let (found, its_wire) = found.find(&wire.identity).unwrap();
            assert!(
                found.fingerprint() == psk.fingerprint()
                    && its_wire.hash == wire.hash
                    && its_wire.key.expose() == wire.key.expose()
            );
        }
        assert_eq!(
            found.by_fingerprint(psk.fingerprint()).unwrap().identity(),
            psk.identity()
        );
    }
    assert!(!found.is_empty());
    assert!(found.by_fingerprint(&[0; 32]).is_none());

    let none = ExternalPsks::new(Vec::new()).unwrap();
    assert!(none.is_empty() && none.find(b"").is_none() && none.find(b"2026-07").is_none());
    assert!(none.by_fingerprint(sensor().fingerprint()).is_none());
    assert!(ExternalPsks::default().is_empty());
}

#[test]
fn a_thousand_are_found_without_looking_at_each() {
    let psks: Vec<_> = (0..1000)
        .map(|number| named("2026-07", "collector", &format!("sensor {number}")))
        .collect();
    let wire: Vec<_> = psks
        .iter()
        .flat_map(|psk| psk.as_server().iter().map(|wire| wire.identity.clone()))
        .collect();
    let all = ExternalPsks::new(psks.clone()).unwrap();
    for psk in &psks {
        for wire in psk.as_server() {
            let (found, its_wire) = all.find(&wire.identity).unwrap();
            assert_eq!(
                (found.peer_name(), its_wire.hash),
                (psk.peer_name(), wire.hash)
            );
        }
        assert_eq!(
            all.by_fingerprint(psk.fingerprint()).unwrap().peer_name(),
            psk.peer_name()
        );
    }

    // Looking at each would take about thirty times as long. The best of several rounds counts, so
    // that other load on the machine does not matter.
    let best = |work: &dyn Fn(&[u8]) -> bool| {
        let rounds = (0..9).map(|_| {
            let begin = Instant::now();
            assert!(wire.iter().step_by(7).all(|identity| work(identity)));
            begin.elapsed()
        });
        rounds.min().unwrap()
    };
    let found = best(&|identity| all.find(identity).is_some());
    let scanned = best(&|identity| wire.iter().any(|held| held == identity));
    assert!(found * 4 < scanned, "{found:?}, and {scanned:?} by a scan");
}

#[test]
fn fingerprints_tell_everything_apart() {
    let imported = |identity: &str, secret: &[u8], own, peer| {
        *ExternalPsk::new(identity, secret, PskNames { own, peer })
            .unwrap()
            .fingerprint()
    };
    let not_imported = |identity: &[u8], secret: &[u8]| {
        *ExternalPsk::not_imported(identity, secret)
            .unwrap()
            .fingerprint()
    };
    let mut other = secret();
    other[31] ^= 1;
    let psk = sensor();
    let on_the_wire = &psk.as_client()[0];
    let mut all = vec![
        imported("2026-07", &secret(), "sensor 17", "collector"),
        imported("2026-07", &other, "sensor 17", "collector"),
        imported("2026-08", &secret(), "sensor 17", "collector"),
        imported("2026-07", &secret(), "sensor 18", "collector"),
        imported("2026-07", &secret(), "sensor 17", "Collector"),
        // This is the other party's.
        imported("2026-07", &secret(), "collector", "sensor 17"),
        not_imported(b"2026-07", &secret()),
        not_imported(b"2026-07", &other),
        not_imported(b"2026-08", &secret()),
        not_imported(&on_the_wire.identity, &secret()),
        // This has the same key and the same identity on the wire, but is another PSK, because the
        // binder's label differs.
        not_imported(&on_the_wire.identity, on_the_wire.key.expose()),
    ];
    // Fingerprints are the same in another process, and when computed again.
    assert_eq!(all[0], *sensor().fingerprint());
    assert_eq!(all[0], *sensor().clone().fingerprint());
    assert_eq!(all[5], *collector().fingerprint());
    assert_eq!(all[6], not_imported(b"2026-07", &secret()));
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
    // No fingerprint is a key, or a part of one.
    for wire in sensor().as_client().iter().chain(sensor().as_server()) {
        assert!(all.iter().all(|fingerprint| {
            !wire
                .key
                .expose()
                .windows(8)
                .any(|part| fingerprint.windows(8).any(|other| other == part))
        }));
    }
}

#[test]
fn a_fingerprint_stays_the_same() {
    // Tickets that another version of the crate sealed should open. The values were computed by
    // Python's hmac: HKDF-Extract(0, psk); Derive-Secret(., "imp binder", ""); its finished_key;
    // and the HMAC of the hash of "fleeting external PSK v1" and the identity on the wire.
    assert_eq!(
        sensor().fingerprint()[..],
        hex("1457fdc9a7ed56a205f2cb953ba47247acc7ad74c003cca454538c99c2365cb7")
    );
    assert_eq!(
        ExternalPsk::not_imported("2026-07", secret())
            .unwrap()
            .fingerprint()[..],
        hex("a1b08e97b12197758daac73e1d013c0573ad9313ff516f532430ce42ba402156")
    );
}

#[test]
fn one_kind_does_not_stand_in_for_another() {
    // RFC 9258, 5.2, and RFC 9846, 7.1.
    let digest = HashAlgorithm::Sha256.hash(b"ClientHello");
    let psk = sensor();
    let key = &psk.as_client()[0].key;
    let kinds = [PskKind::Imported, PskKind::External, PskKind::Resumption];
    let binders = kinds.map(|kind| {
        EarlySecret::new(HashAlgorithm::Sha256, Some(key))
            .binder_key(kind)
            .binder(&digest)
    });
    for (at, kind) in kinds.into_iter().enumerate() {
        let binder_key = EarlySecret::new(HashAlgorithm::Sha256, Some(key)).binder_key(kind);
        for (other, binder) in binders.iter().enumerate() {
            assert_eq!(binder_key.verify(&digest, binder), at == other);
        }
    }
}

#[test]
fn is_shown_by_its_names() {
    let shown = format!(
        "{:?}",
        ExternalPsk::new(
            b"\0key\xff\"",
            secret(),
            PskNames {
                own: "sensor 17",
                peer: "collector"
            }
        )
        .unwrap()
    );
    assert_eq!(
        shown,
        concat!(
            r#"ExternalPsk { identity: "\x00key\xff\"", "#,
            r#"own_name: Some("sensor 17"), peer_name: Some("collector"), .. }"#
        )
    );
    let shown = format!(
        "{:?}",
        ExternalPsk::not_imported("2026-07", secret()).unwrap()
    );
    assert_eq!(
        shown,
        r#"ExternalPsk { identity: "2026-07", own_name: None, peer_name: None, .. }"#
    );
}
