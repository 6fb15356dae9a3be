//! Inputs to begin with, made by the library itself. They are written to `fuzz/corpus/` by `just fuzz-seeds`.

use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::fuzzing::parties::{
    CERTIFICATE, CLIENT_KEY, COOKIE, Choice, Fixed, NAME, NO_SHARES, SECP256R1, TICKET, X25519, deliver, identity, new_client, new_server,
    now,
};
use crate::identity::{Authority, Peer, Trust, Validity};
use crate::message::Message;

/// What a client comes with and what its server wants, and what comes of it: each handshake that there is.
const CONVERSATIONS: [(&str, Choice, Choice); 11] = [
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
];

/// Each seed: its target, its file's name and its content.
pub fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut hellos = Vec::new();
    for (name, client, server) in CONVERSATIONS {
        let (from_client, from_server) = conversation(client, server);
        hellos.extend([&from_client, &from_server].into_iter().filter_map(|wire| first_message(wire)));
        let simplest = name == "conversation";
        let fragments: &[u8] = if simplest { &[1, 13, 127] } else { &[61] };
        for fragment in fragments {
            let mut seed = |target, name: &str, head: &[u8], wire: &[u8]| {
                seeds.push((target, format!("{name}-{fragment}"), [head, wire].concat()));
            };
            seed("client", name, &[*fragment, client], &from_server);
            seed("server", name, &[*fragment, server], &from_client);
            if simplest || name == "resumed" {
                seed("server", &format!("undecided-{name}"), &[0x80 | fragment, server], &from_client);
            }
            if simplest {
                seed("record", "client", &[*fragment, *fragment], &from_client);
                seed("record", "server", &[*fragment, *fragment], &from_server);
            }
        }
    }
    seeds.extend(messages(hellos));
    seeds.extend(texts());
    seeds
}

/// What is in the first record.
fn first_message(wire: &[u8]) -> Option<Vec<u8>> {
    let [22, 3, _, high, low, rest @ ..] = wire else { return None };
    Some(rest.get(..usize::from(u16::from_be_bytes([*high, *low])))?.to_vec())
}

/// The messages of RFC 8448, alone or in an unprotected record, the two kinds that it has in protected records or not at all, and some of ours.
fn messages(ours: Vec<Vec<u8>>) -> Vec<(&'static str, String, Vec<u8>)> {
    let values = include_str!("../../tests/vectors/rfc8448.txt").lines().filter_map(|line| line.split_once(" = "));
    let mut messages: Vec<Vec<u8>> = values.filter_map(|(_, hex)| bytes(hex)).collect();
    let in_records: Vec<_> = messages.iter().filter_map(|value| Some(value.strip_prefix(&[22])?.get(4..)?.to_vec())).collect();
    messages.extend(in_records);
    messages.extend([vec![5, 0, 0, 0], vec![24, 0, 0, 1, 1]]);
    messages.extend(ours);
    messages.sort();
    messages.dedup();
    let named = messages.iter().filter_map(|bytes| Some((Message::decode(bytes).ok()?.name(), bytes)));
    named.enumerate().map(|(at, (name, bytes))| ("messages", format!("{at:02}-{name}"), bytes.clone())).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    hex.as_bytes().chunks(2).map(|byte| u8::from_str_radix(core::str::from_utf8(byte).ok()?, 16).ok()).collect()
}

/// A handshake with both keys proved or remembered, data and new keys both ways, and both ends: what the client sent, and what the server sent.
fn conversation(client: Choice, server: Choice) -> (Vec<u8>, Vec<u8>) {
    let (mut client, mut server) = (new_client(client), new_server(server));
    let (mut client_random, mut server_random) = (Fixed::new(2), Fixed::new(2));
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    for turn in 0..8 {
        deliver(&mut client, &mut server, &mut server_random, &mut from_client);
        deliver(&mut server, &mut client, &mut client_random, &mut from_server);
        match turn {
            2 | 4 => {
                for connection in [&mut client, &mut server] {
                    connection.write(b"hello").expect("a handshake that is done");
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

/// Certificates for the fixed key, with their root behind them, and texts.
fn texts() -> Vec<(&'static str, String, Vec<u8>)> {
    let day = Duration::from_secs(24 * 60 * 60);
    let validity = Validity::between(now().unix - day, now().unix + 1000 * day).expect("a validity");
    let root = Authority::builder("fuzzing").validity(validity).build().expect("an authority");
    let below = Authority::builder("below").validity(validity).permit(["internal"]).build_under(&root).expect("an authority");
    let key = identity().public_key();
    let chains = [
        ("server", root.certificate().validity(validity).server([NAME, "*.db.internal", "10.0.0.7", "::1"]).issue_for(key)),
        ("below", below.certificate().validity(validity).server([NAME]).issue_for(key)),
        ("client", below.certificate().validity(validity).client("reporting.internal").issue_for(key)),
        ("self-signed", Ok(identity().chain_pem())),
    ];
    let mut seeds = Vec::new();
    for (name, chain) in chains {
        let chain = chain.expect("a certificate");
        let all = [chain.as_str(), &root.certificate_pem()].concat();
        let ders = CertificateDer::pem_slice_iter(all.as_bytes()).map(|der| der.expect("what we write"));
        let framed = ders.flat_map(|der| [&u16::try_from(der.len()).expect("a short certificate").to_be_bytes()[..], &der].concat());
        seeds.push(("certificates", name.into(), framed.collect()));
        seeds.push(("pem", name.into(), [chain.as_str(), CLIENT_KEY].concat().into_bytes()));
    }
    let known = Trust::key_for(NAME, key).verify_client_key(&key.to_spki()).expect("a key that is trusted");
    seeds.push(("certificates", "raw-key".into(), key.to_spki().to_vec()));
    seeds.push(("certificates", "peer".into(), Peer::from_verified(known).to_ticket()));
    seeds.push(("pem", "public-key".into(), key.to_string().into_bytes()));
    seeds.push(("pem", "authority".into(), [below.chain_pem().as_bytes(), below.key_pem().expose()].concat()));
    seeds
}
