//! Two of ours.

use core::time::Duration;

use super::{client, server};
use crate::client::Client;
use crate::connection::{Connection, Status};
use crate::crypto::key_exchange::Group;
use crate::crypto::random::SystemRandom;
use crate::handshake::RekeyPolicy;
use crate::server::Server;
use crate::testing::seeded::Seeded;
use crate::time::Now;

/// Two connections, and what is between them.
pub(super) struct Pair {
    pub(super) client: Connection,
    pub(super) server: Connection,
    now: Now,
    /// The records that each side sent: the client's, then the server's.
    pub(super) recorded: [Vec<u8>; 2],
}

fn deliver(from: &mut Connection, to: &mut Connection, now: Now, record: &mut Vec<u8>) -> Vec<u8> {
    let mut read = Vec::new();
    loop {
        let space = to.input();
        let count = space.len().min(from.output().len());
        space[..count].copy_from_slice(&from.output()[..count]);
        record.extend_from_slice(&from.output()[..count]);
        to.received(count);
        from.sent(count);
        while let Status::Data = to.process(now, &mut SystemRandom).unwrap() {
            read.extend_from_slice(to.plaintext());
            to.consume(usize::MAX);
        }
        if from.output().is_empty() {
            return read;
        }
    }
}

impl Pair {
    pub(super) fn with(client: &Client, server: &Server) -> Self {
        let now = super::now();
        let mut pair = Self {
            client: client
                .connection("db.internal", now, &mut SystemRandom)
                .unwrap(),
            server: server.connection(now),
            now,
            recorded: [Vec::new(), Vec::new()],
        };
        for _ in 0..4 {
            pair.exchange();
        }
        assert!(!pair.client.is_handshaking() && !pair.server.is_handshaking());
        pair
    }

    pub(super) fn new() -> Self {
        Self::with(&client().build().unwrap(), &server().build().unwrap())
    }

    /// Each side receives what the other has sent. Returns the data that the client and the server
    /// read.
    pub(super) fn exchange(&mut self) -> [Vec<u8>; 2] {
        let now = self.now;
        let [by_client, by_server] = &mut self.recorded;
        let to_server = deliver(&mut self.client, &mut self.server, now, by_client);
        let to_client = deliver(&mut self.server, &mut self.client, now, by_server);
        [to_client, to_server]
    }

    pub(super) fn later(&mut self, by: Duration) {
        self.now.monotonic += by;
        self.exchange();
    }

    /// Data goes both ways.
    pub(super) fn converses(&mut self) {
        self.client.write(b"to the server").unwrap();
        self.server.write(b"to the client").unwrap();
        let read = self.exchange();
        assert_eq!(read, [b"to the client".to_vec(), b"to the server".to_vec()]);
    }

    pub(super) fn updates_and_converses(&mut self, epoch: u64) {
        self.later(Duration::from_secs(1));
        self.client.rekey().unwrap();
        self.exchange();
        self.exchange();
        assert_eq!((self.client.epoch(), self.server.epoch()), (epoch, epoch));
        self.converses();
    }
}

#[test]
fn either_side_begins() {
    for group in Group::ALL.into_iter().filter(|group| group.is_available()) {
        let client = client().groups([group.code_point()]).build().unwrap();
        let mut pair = Pair::with(&client, &server().build().unwrap());
        assert_eq!(
            pair.client.negotiated().unwrap().group(),
            group.code_point()
        );
        for round in 0..10 {
            pair.updates_and_converses(2 * round + 1);
            pair.later(Duration::from_secs(1));
            pair.server.rekey().unwrap();
            pair.exchange();
            pair.exchange();
            assert_eq!(pair.client.epoch(), 2 * round + 2);
            assert_eq!(pair.server.epoch(), 2 * round + 2);
            pair.converses();
            let exported = [&pair.client, &pair.server].map(|side| {
                side.export_epoch_keying_material(2 * round + 2, b"label", b"context", 40)
                    .unwrap()
                    .expose()
                    .to_vec()
            });
            assert_eq!(exported[0], exported[1]);
        }
    }
}

/// Both begin at once: one update results, and neither side is left waiting.
#[test]
fn both_begin_at_once() {
    let mut pair = Pair::new();
    for epoch in 1..50 {
        pair.later(Duration::from_secs(1));
        pair.client.rekey().unwrap();
        pair.server.rekey().unwrap();
        for _ in 0..3 {
            pair.converses();
        }
        assert_eq!((pair.client.epoch(), pair.server.epoch()), (epoch, epoch));
        assert!(!pair.client.wants_write() && !pair.server.wants_write());
    }
}

/// A record size limit of 64 bytes: each message takes many records.
#[test]
fn in_the_smallest_records() {
    let client = client()
        .groups([Group::X25519MlKem768.code_point()])
        .record_size_limit(64)
        .build()
        .unwrap();
    let server = server().record_size_limit(64).build().unwrap();
    let mut pair = Pair::with(&client, &server);
    for epoch in 1..4 {
        pair.updates_and_converses(epoch);
    }
}

/// Conversations from seeds: policies, amounts, fragments and pauses at random, and updates that
/// both sides begin at any time. Every byte arrives once.
#[test]
fn conversations_from_seeds() {
    let mut epochs = 0;
    for seed in 0..30 {
        let random = &mut Seeded(seed);
        let mut policy = || {
            RekeyPolicy::never()
                .records(1 + random.next() % 50)
                .bytes(1 + random.next() % 200_000)
                .age(Duration::from_secs(1 + random.next() % 3600))
        };
        let client = client().rekey_policy(policy()).build().unwrap();
        let server = server().rekey_policy(policy()).build().unwrap();
        let mut pair = Pair::with(&client, &server);
        // What was written by each side, and read by the other.
        let (mut written, mut read) = ([0_u64; 2], [0_u64; 2]);
        let byte = |at: u64| u8::try_from(at % 251).unwrap();
        let mut wires = [Vec::new(), Vec::new()];
        let mut step = |pair: &mut Pair, random: &mut Seeded, everything: bool| {
            for index in [0, 1] {
                let Pair {
                    client,
                    server,
                    now,
                    ..
                } = pair;
                let sides = if index == 0 {
                    (client, server)
                } else {
                    (server, client)
                };
                let (from, to) = sides;
                if !everything {
                    match random.next() % 10 {
                        0..=5 => {
                            let length = random.next() % [10, 1000, 40_000][index];
                            let start = written[index];
                            let data: Vec<u8> = (start..start + length).map(byte).collect();
                            written[index] += from.write(&data).unwrap() as u64;
                        }
                        6 => from.rekey().unwrap(),
                        7 => from.flush().unwrap(),
                        _ => {}
                    }
                }
                wires[index].extend_from_slice(from.output());
                from.sent(usize::MAX);
                let mut count = wires[index].len();
                if !everything {
                    count = count.min(usize::try_from(random.next() % 60_000).unwrap());
                }
                let mut arriving = wires[index].drain(..count).collect::<Vec<_>>();
                while !arriving.is_empty() {
                    let space = to.input();
                    let part = space.len().min(arriving.len());
                    space[..part].copy_from_slice(&arriving[..part]);
                    arriving.drain(..part);
                    to.received(part);
                    while let Status::Data = to.process(*now, &mut SystemRandom).unwrap() {
                        for got in to.plaintext() {
                            assert_eq!(*got, byte(read[index]), "seed {seed}");
                            read[index] += 1;
                        }
                        to.consume(usize::MAX);
                    }
                }
                to.process(*now, &mut SystemRandom).unwrap();
            }
        };
        for _ in 0..2000 {
            pair.now.monotonic += Duration::from_millis(match random.next() % 10 {
                0..=5 => random.next() % 100,
                6..=8 => random.next() % 60_000,
                _ => random.next() % 40_000_000,
            });
            step(&mut pair, random, false);
        }
        for _ in 0..10 {
            step(&mut pair, random, true);
        }
        assert_eq!(read, written, "seed {seed}");
        assert!(written.iter().all(|count| *count > 100));
        assert_eq!(pair.client.epoch(), pair.server.epoch(), "seed {seed}");
        epochs += pair.client.epoch();
    }
    assert!(epochs > 3000, "{epochs}");
}
