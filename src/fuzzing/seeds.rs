//! Inputs for the fuzzer to begin with, made by the library itself. `just fuzz-seeds` writes them
//! to `fuzz/corpus/`.

use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_cert::crl::{CertificateList, TbsCertList};
use x509_cert::der::asn1::{Ia5String, ObjectIdentifier, OctetString};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};

use crate::fuzzing::aead;
use crate::fuzzing::parties::{
    ASKING, CERTIFICATE, CLIENT_KEY, COOKIE, Choice, EARLY, Fixed, NAME, NO_SHARES, PSK, SECP256R1,
    TICKET, X25519, deliver, identity, new_client, new_server, now,
};
use crate::fuzzing::revocation::{BY_BELOW, BY_ROOT, WHOLE, scene};
use crate::identity::{Authority, Peer, Trust, Validity};
use crate::message::Message;

/// Every kind of handshake: its name, and how client and server are set up.
const CONVERSATIONS: [(&str, Choice, Choice); 17] = [
    ("conversation", 0, 0),
    ("certificates", CERTIFICATE, CERTIFICATE),
    ("x25519", 0, X25519),
    ("secp256r1", SECP256R1, 0),
    ("retried", 0, SECP256R1),
    ("retried-by-cookie", 0, COOKIE),
    ("retried-by-both", NO_SHARES, COOKIE),
    ("resumed", TICKET, 0),
    ("resumed-x25519", TICKET, X25519),
    ("resumed-retried", TICKET, SECP256R1),
    ("resumed-retried-by-cookie", TICKET, COOKIE),
    ("asking", ASKING, ASKING),
    ("psk", PSK, 0),
    ("psk-retried", PSK, SECP256R1),
    ("resumed-early", TICKET | EARLY, 0),
    ("resumed-early-asking", TICKET | EARLY, ASKING),
    ("resumed-early-retried", TICKET | EARLY, SECP256R1),
];

/// Returns the seeds: the target, the file name and the content of each.
pub fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut hellos = Vec::new();
    for (name, client, server) in CONVERSATIONS {
        let (from_client, from_server) = conversation(client, server);
        hellos.extend(
            [&from_client, &from_server]
                .into_iter()
                .filter_map(|wire| first_message(wire)),
        );
        let simplest = name == "conversation";
        let fragments: &[u8] = if simplest { &[1, 13, 127] } else { &[61] };
        for fragment in fragments {
            let mut seed = |target, name: &str, head: &[u8], wire: &[u8]| {
                seeds.push((target, format!("{name}-{fragment}"), [head, wire].concat()));
            };
            seed("client", name, &[*fragment, client], &from_server);
            seed("server", name, &[*fragment, server], &from_client);
            if simplest || name == "resumed" {
                seed(
                    "server",
                    &format!("undecided-{name}"),
                    &[0x80 | fragment, server],
                    &from_client,
                );
            }
            if simplest {
                seed("record", "client", &[*fragment, *fragment], &from_client);
                seed("record", "server", &[*fragment, *fragment], &from_server);
            }
        }
    }
    seeds.extend(messages(hellos));
    seeds.extend(texts());
    seeds.extend(revocation_lists());
    seeds.extend(aead::seeds());
    seeds
}

/// Returns the content of the first record.
fn first_message(wire: &[u8]) -> Option<Vec<u8>> {
    let [22, 3, _, high, low, rest @ ..] = wire else {
        return None;
    };
    Some(
        rest.get(..usize::from(u16::from_be_bytes([*high, *low])))?
            .to_vec(),
    )
}

/// Returns the messages of RFC 8448, alone or in an unprotected record, the two kinds of message
/// that it has in protected records or not at all, and some of ours.
fn messages(ours: Vec<Vec<u8>>) -> Vec<(&'static str, String, Vec<u8>)> {
    let values = include_str!("../../tests/vectors/rfc8448.txt")
        .lines()
        .filter_map(|line| line.split_once(" = "));
    let mut messages: Vec<Vec<u8>> = values.filter_map(|(_, hex)| bytes(hex)).collect();
    let in_records: Vec<_> = messages
        .iter()
        .filter_map(|value| Some(value.strip_prefix(&[22])?.get(4..)?.to_vec()))
        .collect();
    messages.extend(in_records);
    messages.extend([vec![5, 0, 0, 0], vec![24, 0, 0, 1, 1]]);
    messages.extend(ours);
    messages.sort();
    messages.dedup();
    let named = messages
        .iter()
        .filter_map(|bytes| Some((Message::decode(bytes).ok()?.name(), bytes)));
    named
        .enumerate()
        .map(|(at, (name, bytes))| ("messages", format!("{at:02}-{name}"), bytes.clone()))
        .collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    hex.as_bytes()
        .chunks(2)
        .map(|byte| u8::from_str_radix(core::str::from_utf8(byte).ok()?, 16).ok())
        .collect()
}

/// Runs a handshake with both keys proved or remembered, then data and new keys in both directions,
/// until both sides close. Returns what the client sent and what the server sent.
fn conversation(client: Choice, server: Choice) -> (Vec<u8>, Vec<u8>) {
    let (mut client, mut server, of_client, of_server) =
        (new_client(client), new_server(server), client, server);
    let (mut client_random, mut server_random) = (Fixed::new(2), Fixed::new(2));
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    for turn in 0..8 {
        deliver(
            &mut client,
            &mut server,
            of_server,
            &mut server_random,
            &mut from_client,
        );
        deliver(
            &mut server,
            &mut client,
            of_client,
            &mut client_random,
            &mut from_server,
        );
        match turn {
            2 | 4 => {
                for connection in [&mut client, &mut server] {
                    connection
                        .write(b"hello")
                        .expect("a handshake that is done");
                }
            }
            3 => client.rekey().expect("a handshake that is done"),
            5 => server.rekey().expect("a handshake that is done"),
            6 => {
                client.close();
                server.close();
            }
            _ => {}
        }
    }
    (from_client, from_server)
}

/// Returns certificates for the fixed key, each followed by its root, and texts.
fn texts() -> Vec<(&'static str, String, Vec<u8>)> {
    let day = Duration::from_secs(24 * 60 * 60);
    let validity =
        Validity::between(now().unix - day, now().unix + 1000 * day).expect("a validity");
    let root = Authority::builder("fuzzing")
        .validity(validity)
        .build()
        .expect("an authority");
    let below = Authority::builder("below")
        .validity(validity)
        .permit(["internal"])
        .build_under(&root)
        .expect("an authority");
    let key = identity().public_key();
    let chains = [
        (
            "server",
            root.certificate()
                .validity(validity)
                .server([NAME, "*.db.internal", "10.0.0.7", "::1"])
                .issue_for(key),
        ),
        (
            "below",
            below
                .certificate()
                .validity(validity)
                .server([NAME])
                .issue_for(key),
        ),
        (
            "client",
            below
                .certificate()
                .validity(validity)
                .client("reporting.internal")
                .issue_for(key),
        ),
        ("self-signed", Ok(identity().chain_pem())),
    ];
    let mut seeds = Vec::new();
    for (name, chain) in chains {
        let chain = chain.expect("a certificate");
        let all = [chain.as_str(), &root.certificate_pem()].concat();
        let ders =
            CertificateDer::pem_slice_iter(all.as_bytes()).map(|der| der.expect("what we write"));
        let framed = ders.flat_map(|der| {
            [
                &u16::try_from(der.len())
                    .expect("a short certificate")
                    .to_be_bytes()[..],
                &der,
            ]
            .concat()
        });
        seeds.push(("certificates", name.into(), framed.collect()));
        seeds.push((
            "pem",
            name.into(),
            [chain.as_str(), CLIENT_KEY].concat().into_bytes(),
        ));
    }
    let known = Trust::key_for(NAME, key)
        .verify_client_key(&key.to_spki())
        .expect("a key that is trusted");
    seeds.push(("certificates", "raw-key".into(), key.to_spki().to_vec()));
    seeds.push((
        "certificates",
        "peer".into(),
        Peer::from_verified(known).to_ticket(),
    ));
    seeds.push(("pem", "public-key".into(), key.to_string().into_bytes()));
    seeds.push((
        "pem",
        "authority".into(),
        [below.chain_pem().as_bytes(), below.key_pem().expose()].concat(),
    ));
    seeds
}

/// The serial number of the authority below the root in `tests/vectors/revocation.txt`. [`LEAF`] is
/// that of the server.
const BELOW: &[u8] = &[0x52; 16];
const LEAF: &[u8] = &[0x53; 16];

/// Returns lists of every kind that path validation distinguishes, each after its signer and its
/// length.
fn revocation_lists() -> Vec<(&'static str, String, Vec<u8>)> {
    let day = Duration::from_secs(24 * 60 * 60);
    let [root, below] = &scene().authorities;
    let whole = |authority: &Authority, from: u32, to: u32, serials: &[&[u8]]| {
        // Days, where 10 is now.
        let validity = Validity::between(
            now().unix + day * from - day * 10,
            now().unix + day * to - day * 10,
        )
        .expect("a validity");
        let list = authority.revocation_list().validity(validity);
        serials
            .iter()
            .fold(list, |list, serial| list.revoke_serial(serial))
            .issue_der()
            .expect("a list")
    };
    let tbs = |authority, from, to, serials: &[&[u8]], change: &dyn Fn(&mut TbsCertList)| {
        let mut list = CertificateList::from_der(&whole(authority, from, to, serials))
            .expect("what we write")
            .tbs_cert_list;
        change(&mut list);
        list.to_der().expect("a list")
    };
    let current = |authority, serials: &[&[u8]]| tbs(authority, 9, 20, serials, &|_| ());
    let at = |uri: &str| {
        let uri = GeneralName::UniformResourceIdentifier(Ia5String::new(uri).expect("a URI"));
        let point = IssuingDistributionPoint {
            distribution_point: Some(DistributionPointName::FullName(vec![uri])),
            only_contains_user_certs: true,
            only_contains_ca_certs: false,
            only_some_reasons: None,
            indirect_crl: false,
            only_contains_attribute_certs: false,
        };
        tbs(below, 9, 20, &[LEAF], &|list| {
            let extn_value = OctetString::new(point.to_der().expect("a distribution point"))
                .expect("a short one");
            // RFC 5280, 5.2.5; `to_extension` writes another's identifier.
            let extension = Extension {
                extn_id: ObjectIdentifier::new_unwrap("2.5.29.28"),
                critical: true,
                extn_value,
            };
            list.crl_extensions.get_or_insert_default().push(extension);
        })
    };
    let with_reason = tbs(below, 9, 20, &[b"\x01", LEAF, BELOW], &|list| {
        for entry in list.revoked_certificates.iter_mut().flatten() {
            // RFC 5280, 5.3.1: reasonCode, an ENUMERATED; keyCompromise(1).
            let reason = OctetString::new([0x0a, 1, 1]).expect("three bytes");
            let extension = Extension {
                extn_id: ObjectIdentifier::new_unwrap("2.5.29.21"),
                critical: false,
                extn_value: reason,
            };
            entry.crl_entry_extensions = Some(vec![extension]);
        }
    });
    let nothing = (BY_ROOT, current(root, &[]));
    let rows = [
        (
            "good",
            vec![nothing.clone(), (BY_BELOW, current(below, &[]))],
        ),
        (
            "good-whole",
            vec![
                (WHOLE, whole(root, 9, 20, &[])),
                (WHOLE, whole(below, 9, 20, &[b"\x01"])),
            ],
        ),
        (
            "revoked",
            vec![nothing.clone(), (BY_BELOW, current(below, &[LEAF]))],
        ),
        (
            "revoked-authority",
            vec![
                (BY_ROOT, current(root, &[BELOW])),
                (BY_BELOW, current(below, &[])),
            ],
        ),
        (
            "revoked-by-the-newer",
            vec![
                (BY_BELOW, tbs(below, 1, 20, &[], &|_| ())),
                (BY_BELOW, current(below, &[LEAF])),
                nothing.clone(),
            ],
        ),
        (
            "revoked-for-a-reason",
            vec![nothing.clone(), (BY_BELOW, with_reason)],
        ),
        (
            "revoked-at-its-point",
            vec![nothing.clone(), (BY_BELOW, at("http://db.internal/1"))],
        ),
        ("unknown", vec![(BY_BELOW, current(below, &[]))]),
        (
            "unknown-at-another-point",
            vec![nothing.clone(), (BY_BELOW, at("http://db.internal/2"))],
        ),
        (
            "expired",
            vec![nothing.clone(), (BY_BELOW, tbs(below, 1, 9, &[], &|_| ()))],
        ),
        ("not-issuers", vec![nothing, (BY_ROOT, current(below, &[]))]),
    ];
    let framed = |(signer, list): (u8, Vec<u8>)| {
        [
            &[signer][..],
            &u16::try_from(list.len())
                .expect("a short list")
                .to_be_bytes(),
            &list,
        ]
        .concat()
    };
    rows.map(|(name, lists)| {
        (
            "revocation",
            name.to_owned(),
            lists.into_iter().flat_map(framed).collect(),
        )
    })
    .into()
}
