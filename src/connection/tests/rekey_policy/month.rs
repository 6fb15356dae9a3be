//! Two of ours for a month of simulated time, from seeds: random policies, amounts, pauses and
//! fragments, and updates that are asked for at any time.

use core::time::Duration;
use std::collections::VecDeque;

use super::{client, server};
use crate::connection::{Connection, Status};
use crate::crypto::random::SystemRandom;
use crate::handshake::RekeyPolicy;
use crate::record::{MAX_FRAGMENT, OVERHEAD};
use crate::testing::seeded::Seeded;
use crate::time::Now;

impl Seeded {
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn length(&mut self, end: usize) -> usize {
        usize::try_from(self.below(u64::try_from(end).unwrap())).unwrap()
    }
}

/// The limits of a policy.
#[derive(Clone, Copy, Debug)]
struct Limits {
    records: u64,
    bytes: u64,
    age: Duration,
}

impl Limits {
    fn random(random: &mut Seeded) -> Self {
        Self {
            records: 1 + random.below(50),
            bytes: 1 + random.below(200_000),
            age: Duration::from_secs(1 + random.below(3600)),
        }
    }

    fn policy(self) -> RekeyPolicy {
        RekeyPolicy::never()
            .records(self.records)
            .bytes(self.bytes)
            .age(self.age)
    }
}

/// One side, what it has written and read, and what is on its way to it.
struct Side {
    connection: Connection,
    limits: Limits,
    written: u64,
    read: u64,
    wire: VecDeque<u8>,
    /// When the key was last renewed, and how often that has happened.
    renewed: Duration,
    updates: u64,
}

/// Byte `at` of what is written.
fn byte(at: u64) -> u8 {
    u8::try_from(at % 251).unwrap()
}

impl Side {
    fn write(&mut self, length: usize, now: Now) {
        let data: Vec<u8> = (0..)
            .map(|at| byte(self.written + at))
            .take(length)
            .collect();
        let mut rest = &data[..];
        while !rest.is_empty() {
            // One record at most, so that each is checked.
            let record = &rest[..rest.len().min(MAX_FRAGMENT)];
            let count = self.connection.write(record).unwrap();
            if count == 0 {
                // Four records wait. The peer gets them later.
                return;
            }
            rest = &rest[count..];
            self.written += u64::try_from(count).unwrap();
            self.check(now);
        }
    }

    /// No limit is exceeded by more than one record.
    fn check(&mut self, now: Now) {
        let used = self.connection.sender.key_used();
        let record = u64::try_from(MAX_FRAGMENT + OVERHEAD).unwrap();
        assert!(used.records <= self.limits.records, "{used:?}");
        assert!(used.bytes < self.limits.bytes + record, "{used:?}");
        self.note_updates(now);
        let age = now.monotonic - self.renewed;
        assert!(age < self.limits.age, "{age:?} of {:?}", self.limits.age);
    }

    fn note_updates(&mut self, now: Now) {
        let updates = self.connection.stats().key_updates_sent;
        if updates != self.updates {
            self.updates = updates;
            self.renewed = now.monotonic;
        }
    }

    /// Receives this much of what is on its way.
    fn receive(&mut self, count: usize, now: Now) {
        let mut count = count.min(self.wire.len());
        while count > 0 {
            let space = self.connection.input();
            let part = count.min(space.len());
            for (place, byte) in space.iter_mut().zip(self.wire.drain(..part)) {
                *place = byte;
            }
            self.connection.received(part);
            count -= part;
            self.process(now);
        }
    }

    fn process(&mut self, now: Now) {
        while let Status::Data = self.connection.process(now, &mut SystemRandom).unwrap() {
            for got in self.connection.plaintext() {
                assert_eq!(*got, byte(self.read));
                self.read += 1;
            }
            self.connection.consume(usize::MAX);
        }
    }
}

fn send(from: &mut Side, to: &mut Side) {
    let count = from.connection.output().len();
    to.wire.extend(from.connection.output());
    from.connection.sent(count);
}

/// Returns how often one side wanted the other to renew its key by itself.
fn a_month(seed: u64, alike: bool) -> usize {
    let random = &mut Seeded(seed);
    let mut now = Now::new(Duration::ZERO, super::now().unix);
    let first = Limits::random(random);
    let second = if alike { first } else { Limits::random(random) };
    let client = client(first.policy());
    let server = server(second.policy());
    let side = |connection, limits| Side {
        connection,
        limits,
        written: 0,
        read: 0,
        wire: VecDeque::new(),
        renewed: Duration::ZERO,
        updates: 0,
    };
    let mut a = side(
        client
            .connection("db.internal", now, &mut SystemRandom)
            .unwrap(),
        first,
    );
    let mut b = side(server.connection(now), second);
    while a.connection.is_handshaking() || b.connection.is_handshaking() {
        send(&mut a, &mut b);
        b.receive(usize::MAX, now);
        send(&mut b, &mut a);
        a.receive(usize::MAX, now);
    }
    let mut asked = 0;
    let month = Duration::from_secs(30 * 86_400);
    while now.monotonic < month {
        // Bursts, pauses of seconds, and nights.
        now.monotonic += Duration::from_millis(match random.below(10) {
            0..=5 => random.below(100),
            6..=8 => random.below(60_000),
            _ => random.below(40_000_000),
        });
        for side in [&mut a, &mut b] {
            side.process(now);
            let awaited = side.connection.sender.key_updates.awaited();
            match random.below(20) {
                0..=7 => {
                    let most = [10, 1000, 100_000][random.length(3)];
                    let length = 1 + random.length(most);
                    side.write(length, now);
                }
                // Without a limit of its own: the peer would be asked by `rekey` too.
                8 if !alike => {
                    side.connection.rekey().unwrap();
                }
                9 => side.connection.flush().unwrap(),
                _ => {}
            }
            asked += usize::from(!awaited && side.connection.sender.key_updates.awaited());
            side.note_updates(now);
        }
        // What is on its way arrives at once, or in parts and much later.
        send(&mut a, &mut b);
        send(&mut b, &mut a);
        for side in [&mut a, &mut b] {
            let before = side.connection.sender.key_updates.awaited();
            let part = if alike || random.below(3) > 0 {
                usize::MAX
            } else {
                random.length(20_000)
            };
            side.receive(part, now);
            asked += usize::from(!before && side.connection.sender.key_updates.awaited());
        }
    }
    for _ in 0..10 {
        send(&mut a, &mut b);
        send(&mut b, &mut a);
        a.receive(usize::MAX, now);
        b.receive(usize::MAX, now);
    }
    assert_eq!((a.read, b.read), (b.written, a.written), "seed {seed}");
    assert!(a.written > 1_000_000 && b.written > 1_000_000);
    asked
}

#[test]
fn of_two_with_policies_of_their_own() {
    let asked: usize = (0..10).map(|seed| a_month(seed, false)).sum();
    assert!(asked > 100, "{asked}");
}

/// Two with the same policy never ask each other, as each renews its key in time.
#[test]
fn of_two_with_the_same_policy() {
    for seed in 100..110 {
        assert_eq!(a_month(seed, true), 0, "seed {seed}");
    }
}
