//! What the update is for: somebody who knows every secret of an epoch, and has recorded
//! everything, reads nothing of the next one. After a plain KeyUpdate, they go on reading.
//!
//! The adversary knows all secrets that both sides have ever made, up to a moment: more than a copy
//! of both memories. It also knows all that is public. It tries each secret as a traffic secret, of
//! this and of later generations, and as what the next epoch begins with, together with every
//! shared secret that it knows or can think of.

use super::pairs::Pair;
use super::{REQUEST, RESPONSE, TYPE, client, server};
use crate::client::Client;
use crate::connection::tests::puppet::{Keys, WORLD};
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::key_exchange::Group;
use crate::crypto::suite::Suite;
use crate::handshake::RekeyPolicy;
use crate::key_schedule::{Epoch, EpochSecrets, TrafficSecret};
use crate::secret::{Secret, recorder};
use crate::server::Server;

/// The length of a record's header.
const HEADER_LEN: usize = 5;

const SUITE: Suite = Suite::Aes128GcmSha256;
const HASH: HashAlgorithm = HashAlgorithm::Sha256;

/// Splits what was recorded into records.
fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let length = usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
        let (record, rest) = bytes.split_at(HEADER_LEN + length);
        records.push(record);
        bytes = rest;
    }
    records
}

/// Opens a record under this secret, or one of its next generations, as one of its first records.
fn open(secret: TrafficSecret, generations: usize, record: &[u8]) -> Option<Vec<u8>> {
    let (header, body) = record.split_at(HEADER_LEN);
    let mut keys = Keys::new(SUITE, secret);
    for generation in 0..generations {
        if generation > 0 {
            keys.update();
        }
        let opened = (0..8).find_map(|sequence| keys.try_open(sequence, header, body));
        if opened.is_some() {
            return opened;
        }
    }
    None
}

/// What the adversary has: secrets, and what it takes for shared secrets.
struct Adversary {
    secrets: Vec<Vec<u8>>,
    shared: Vec<Vec<u8>>,
}

fn as_long_as_a_hash(secrets: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut secrets: Vec<_> = secrets
        .into_iter()
        .filter(|secret| secret.len() == HASH.output_len())
        .collect();
    secrets.sort();
    secrets.dedup();
    secrets
}

impl Adversary {
    /// Learns everything that this thread has made since the recording began.
    fn learns_all() -> Self {
        let secrets = as_long_as_a_hash(recorder::take_made());
        assert!(secrets.len() > 10, "{}", secrets.len());
        let shared = [secrets.clone(), vec![vec![0; 32]]].concat();
        Self { secrets, shared }
    }

    /// Reads a record with what it knows, and with the keys that are derived from that alone.
    fn reads(&self, record: &[u8]) -> Option<Vec<u8>> {
        self.secrets
            .iter()
            .find_map(|secret| open(TrafficSecret::from_bytes(HASH, secret), 3, record))
    }

    /// Reads a record of the next epoch: `transcript` is what its transcript hash covers.
    fn reads_next(&self, transcript: &[u8], record: &[u8]) -> bool {
        self.shared.iter().any(|shared| {
            let shared = Secret::copy_of(shared);
            self.secrets.iter().any(|salt| {
                let epoch = Epoch::from_parts(HASH, salt, HASH.hash(b""));
                let (_, EpochSecrets { client, server, .. }) =
                    epoch.next(&shared, HASH.hash(transcript));
                open(client, 1, record).is_some() || open(server, 1, record).is_some()
            })
        })
    }
}

/// A pair with the fastest group, whose one shared secret is as long as a hash.
fn pair(extended: bool) -> Pair {
    let client = if extended {
        client()
    } else {
        Client::builder().trust(WORLD.authority.trust())
    };
    let server = if extended {
        server()
    } else {
        Server::builder()
            .identity(WORLD.server.clone())
            .without_tickets()
    };
    let client = client
        .groups([Group::X25519.code_point()])
        .cipher_suites([SUITE.code_point()])
        .rekey_policy(RekeyPolicy::never());
    Pair::with(&client.build().unwrap(), &server.build().unwrap())
}

/// Writes this in both directions, and returns the two records.
fn data(pair: &mut Pair) -> Vec<Vec<u8>> {
    pair.recorded = Default::default();
    pair.converses();
    let recorded: Vec<Vec<u8>> = pair
        .recorded
        .iter()
        .flat_map(|bytes| records(bytes))
        .map(<[u8]>::to_vec)
        .collect();
    assert_eq!(recorded.len(), 2);
    recorded
}

#[test]
fn after_a_key_update_the_adversary_reads_on() {
    recorder::take_made();
    let mut pair = pair(false);
    let adversary = Adversary::learns_all();
    for record in data(&mut pair) {
        assert!(adversary.reads(&record).is_some());
    }
    pair.client.rekey().unwrap();
    pair.exchange();
    pair.exchange();
    for record in data(&mut pair) {
        assert!(adversary.reads(&record).is_some());
    }
}

#[test]
fn after_an_extended_one_it_reads_nothing() {
    for client_begins in [true, false] {
        recorder::take_made();
        let mut pair = pair(true);
        let mut adversary = Adversary::learns_all();
        for record in data(&mut pair) {
            assert!(adversary.reads(&record).is_some());
        }
        let before = pair.client.receiver.extended().unwrap().transcript();
        pair.recorded = Default::default();
        if client_begins {
            pair.client.rekey().unwrap();
        } else {
            pair.server.rekey().unwrap();
        }
        pair.exchange();
        pair.exchange();
        assert_eq!((pair.client.epoch(), pair.server.epoch()), (1, 1));
        let made = as_long_as_a_hash(recorder::take_made());
        // The adversary reads the messages of the update.
        let messages: Vec<Vec<u8>> = pair
            .recorded
            .iter()
            .flat_map(|bytes| records(bytes))
            .map(|record| adversary.reads(record).unwrap())
            .map(|mut inner| {
                assert_eq!(inner.pop(), Some(22));
                assert_eq!(inner[0], TYPE);
                inner
            })
            .collect();
        let of = |kind| messages.iter().find(|message| message[4] == kind).unwrap();
        let (request, response) = (of(REQUEST), of(RESPONSE));
        let transcript = [&before[..], request, response].concat();
        // What is public may be tried as the shared secret.
        for message in [request, response] {
            adversary.shared.push(message[9..].to_vec());
        }
        let new = data(&mut pair);
        for record in &new {
            assert!(adversary.reads(record).is_none());
            assert!(!adversary.reads_next(&transcript, record));
        }
        // All that is missing is the shared secret of the fresh exchange: with it, the adversary
        // would read. So it has tried the right things.
        adversary.shared = made;
        for record in &new {
            assert!(adversary.reads_next(&transcript, record));
        }
    }
}
