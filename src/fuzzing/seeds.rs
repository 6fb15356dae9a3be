//! Inputs to begin with, made by the library itself. They are written to `fuzz/corpus/` by `just fuzz-seeds`.

use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::connection::{Connection, Status};
use crate::fuzzing::parties::{CLIENT_KEY, Fixed, NAME, identity, new_client, new_server, now};
use crate::identity::{Authority, Peer, Trust, Validity};
use crate::message::Message;

/// Each seed: its target, its file's name and its content.
pub fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = messages();
    let (from_client, from_server) = conversation();
    for fragment in [1, 13, 127] {
        let mut seed = |target, name: String, head: &[u8], wire: &[u8]| seeds.push((target, name, [head, wire].concat()));
        seed("client", format!("conversation-{fragment}"), &[fragment], &from_server);
        seed("server", format!("conversation-{fragment}"), &[fragment], &from_client);
        seed("server", format!("undecided-{fragment}"), &[0x80 | fragment], &from_client);
        seed("record", format!("client-{fragment}"), &[fragment, fragment], &from_client);
        seed("record", format!("server-{fragment}"), &[fragment, fragment], &from_server);
    }
    seeds.extend(texts());
    seeds
}

/// The messages of RFC 8448, alone or in an unprotected record, and the two kinds that it has in protected records or not at all.
fn messages() -> Vec<(&'static str, String, Vec<u8>)> {
    let values = include_str!("../../tests/vectors/rfc8448.txt").lines().filter_map(|line| line.split_once(" = "));
    let mut messages: Vec<Vec<u8>> = values.filter_map(|(_, hex)| bytes(hex)).collect();
    let in_records: Vec<_> = messages.iter().filter_map(|value| Some(value.strip_prefix(&[22])?.get(4..)?.to_vec())).collect();
    messages.extend(in_records);
    messages.extend([vec![5, 0, 0, 0], vec![24, 0, 0, 1, 1]]);
    messages.sort();
    messages.dedup();
    let named = messages.iter().filter_map(|bytes| Some((Message::decode(bytes).ok()?.name(), bytes)));
    named.enumerate().map(|(at, (name, bytes))| ("messages", format!("{at:02}-{name}"), bytes.clone())).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    hex.as_bytes().chunks(2).map(|byte| u8::from_str_radix(core::str::from_utf8(byte).ok()?, 16).ok()).collect()
}

/// A handshake with both certificates, data and new keys both ways, and both ends: what the client sent, and what the server sent.
fn conversation() -> (Vec<u8>, Vec<u8>) {
    let (mut client, mut server) = (new_client(), new_server());
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

fn deliver(from: &mut Connection, to: &mut Connection, random: &mut Fixed, wire: &mut Vec<u8>) {
    while !from.output().is_empty() {
        let space = to.input();
        let count = space.len().min(from.output().len());
        space[..count].copy_from_slice(&from.output()[..count]);
        wire.extend_from_slice(&from.output()[..count]);
        to.received(count);
        from.sent(count);
        while to.process(now(), random).expect("an honest peer") == Status::Data {
            to.consume(to.plaintext().len());
        }
    }
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
