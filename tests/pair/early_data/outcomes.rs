//! Early data: accepted, rejected, and seen before (RFC 9846, 4.3.10 and section 8).

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleeting::{
    AlertDescription, ClientAuth, ClientBuilder, EarlyData, Error, Fault, NamedGroup, ReplayEntry,
    ReplayGuard, ReplayStore, ReplayVerdict, Server, ServerBuilder,
};

use crate::early_data::world::World;
use crate::support::{End, NOW, Pair, Seeded, pki};

/// How much early data a server here takes, in bytes.
const MAX_SIZE: u32 = 1000;

impl World {
    fn visitor(&self) -> ClientBuilder {
        self.client()
            .groups([NamedGroup::X25519, NamedGroup::SECP256R1])
            .alpn(["a"])
    }

    /// A connection of this world's client with that server, before anything has moved.
    fn pair(&self, server: &Server, seed: u64) -> Pair {
        Pair::between(&self.visitor().build().unwrap(), server, seed)
    }

    /// Makes a full handshake, which leaves tickets and removes those before it.
    fn visit(&self, server: &Server) {
        self.sessions.clear();
        let mut pair = self.pair(server, 1);
        assert_eq!(
            pair.client
                .connection
                .write_early_data(b"too early")
                .unwrap(),
            0
        );
        self.leave_tickets(&mut pair);
        assert_eq!(outcomes(&pair), [EarlyData::NotOffered; 2]);
    }
}

fn outcomes(pair: &Pair) -> [EarlyData; 2] {
    [&pair.client, &pair.server].map(|end| end.connection.negotiated().unwrap().early_data())
}

fn guard() -> ReplayGuard {
    ReplayGuard::in_memory(100)
}

#[test]
fn is_accepted_and_answered_before_the_handshake_is_complete() {
    let world = World::new();
    let server = world
        .server()
        .early_data(MAX_SIZE, guard())
        .build()
        .unwrap();
    world.visit(&server);
    let mut pair = world.pair(&server, 2);
    assert_eq!(pair.client.connection.early_data_left(), 1000);
    assert_eq!(
        pair.client.connection.write_early_data(b"GET /").unwrap(),
        5
    );
    assert_eq!(pair.client.connection.early_data_left(), 995);
    let flight = pair.client.send(usize::MAX);
    pair.server.receive(&flight, usize::MAX);
    assert_eq!(pair.server.early, b"GET /");
    assert!(pair.server.connection.is_handshaking());
    assert_eq!(pair.server.connection.write_early_data(b"200").unwrap(), 3);
    let answer = pair.server.send(usize::MAX);
    pair.client.receive(&answer, usize::MAX);
    // The client has its answer one round trip after it began.
    assert_eq!(pair.client.read, b"200");
    assert!(!pair.client.connection.is_handshaking());
    pair.settle();
    assert_eq!(outcomes(&pair), [EarlyData::Accepted; 2]);
    pair.assert_same_view();
    pair.client.write(b"and then");
    pair.server.write(b"and then");
    pair.settle();
    assert_eq!(
        (&pair.server.early[..], &pair.server.read[..]),
        (&b"GET /"[..], &b"and then"[..])
    );
    assert_eq!(pair.client.read, b"200and then");
}

#[test]
fn is_rejected_and_not_sent_again() {
    // The server takes no early data any more, has another guard, wants another share, or speaks
    // another protocol.
    type Change = fn(ServerBuilder) -> ServerBuilder;
    let changes: [Change; 4] = [
        |server| server,
        |server| server.early_data(MAX_SIZE, guard()),
        |server| {
            server
                .early_data(MAX_SIZE, guard())
                .groups([NamedGroup::SECP256R1])
        },
        |server| server.early_data(MAX_SIZE, guard()).retry_cookie(true),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let world = World::new();
        world.visit(
            &world
                .server()
                .early_data(MAX_SIZE, guard())
                .build()
                .unwrap(),
        );
        let mut pair = world.pair(&change(world.server()).build().unwrap(), 2);
        assert_eq!(
            pair.client.connection.write_early_data(b"GET /").unwrap(),
            5
        );
        pair.settle();
        assert_eq!(outcomes(&pair), [EarlyData::Rejected; 2], "{number}");
        pair.assert_same_view();
        assert!(pair.client.connection.negotiated().unwrap().resumed());
        assert_eq!(pair.client.connection.early_data_left(), 0);
        assert_eq!(
            pair.client.connection.write_early_data(b"GET /").unwrap(),
            0
        );
        pair.client.write(b"later");
        pair.settle();
        assert_eq!(
            (&pair.server.early[..], &pair.server.read[..]),
            (&b""[..], &b"later"[..]),
            "{number}"
        );
    }
}

#[test]
fn a_replay_is_not_taken_twice() {
    let world = World::new();
    let guard = guard();
    let build = |guard: &ReplayGuard| {
        world
            .server()
            .early_data(MAX_SIZE, guard.clone())
            .build()
            .unwrap()
    };
    let server = build(&guard);
    world.visit(&server);
    let mut pair = world.pair(&server, 2);
    pair.client.connection.write_early_data(b"pay").unwrap();
    let flight = pair.client.send(usize::MAX);
    for (server, seconds, taken) in [
        (&server, 0, true),
        (&server, 0, false),
        (&build(&guard), 5, false),
        (&server, 60, false),
    ] {
        let mut end = End::new(server.connection(NOW), Seeded(3));
        end.now.unix += Duration::from_secs(seconds);
        end.receive(&flight, usize::MAX);
        assert_eq!(end.early, if taken { &b"pay"[..] } else { b"" });
        assert!(end.status.is_ok() && end.connection.is_handshaking());
    }
}

/// The client still holds its session, so the server knows its identity, but `authorize` no longer
/// accepts it.
#[test]
fn of_a_client_that_is_not_let_in_is_not_taken() {
    let world = World::new();
    let closed = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&closed);
    let trust = pki().authority.trust();
    let server = world
        .server()
        .early_data(MAX_SIZE, guard())
        .client_auth(ClientAuth::Required(trust))
        .authorize(move |_| {
            if asked.load(Ordering::Relaxed) {
                Err("not any more")
            } else {
                Ok(())
            }
        });
    let (server, client) = (
        server.build().unwrap(),
        world
            .visitor()
            .identity(pki().client.clone())
            .build()
            .unwrap(),
    );
    for (seed, expected) in [(1, EarlyData::NotOffered), (2, EarlyData::Accepted)] {
        let mut pair = Pair::between(&client, &server, seed);
        pair.client.connection.write_early_data(b"GET /").unwrap();
        pair.settle();
        pair.server.write(b"");
        pair.settle();
        assert_eq!(outcomes(&pair), [expected; 2]);
    }
    closed.store(true, Ordering::Relaxed);
    let mut pair = Pair::between(&client, &server, 3);
    assert_eq!(
        pair.client.connection.write_early_data(b"GET /").unwrap(),
        5
    );
    pair.settle();
    assert_eq!(pair.server.early, b"");
    assert!(matches!(
        pair.server.error(),
        Error::Protocol {
            fault: Fault::Denied(_),
            ..
        }
    ));
    assert!(matches!(
        pair.client.error(),
        Error::AlertReceived {
            alert: AlertDescription(49),
            ..
        }
    ));
}

// ---- several servers ----

/// A store that several servers share, and that can be unreachable.
#[derive(Default)]
struct Store {
    seen: Mutex<HashSet<[u8; 32]>>,
    away: AtomicBool,
}

impl ReplayStore for Store {
    fn check_and_insert(&self, entry: &ReplayEntry) -> ReplayVerdict {
        match self.away.load(Ordering::SeqCst) {
            true => ReplayVerdict::Unavailable,
            false if self.seen.lock().unwrap().insert(*entry.key()) => ReplayVerdict::Fresh,
            false => ReplayVerdict::Seen,
        }
    }
}

/// Returns true if this server takes the early data of a client's first flight. Asserts that it
/// takes all or none, and that the handshake continues in either case.
fn takes(server: &Server, flight: &[u8]) -> bool {
    let mut end = End::new(server.connection(NOW), Seeded(3));
    end.receive(flight, usize::MAX);
    assert!(end.status.is_ok() && end.connection.is_handshaking());
    assert_eq!(
        end.early,
        if end.connection.takes_early_data() {
            &b"pay"[..]
        } else {
            b""
        }
    );
    end.connection.takes_early_data()
}

impl World {
    /// A node that shares the ticket keys of this world.
    fn node(&self, guard: ReplayGuard) -> Server {
        self.server().early_data(MAX_SIZE, guard).build().unwrap()
    }

    /// Returns the first flight of a client that has been at this server.
    fn flight(&self, server: &Server, seed: u64) -> Vec<u8> {
        self.visit(server);
        let mut pair = self.pair(server, seed);
        assert_eq!(pair.client.connection.write_early_data(b"pay").unwrap(), 3);
        pair.client.send(usize::MAX)
    }

    /// A client offers early data to this server. Returns whether the server takes it. The session
    /// is resumed anyway.
    fn is_taken(&self, server: &Server, seed: u64) -> bool {
        let mut pair = self.pair(server, seed);
        assert_eq!(pair.client.connection.write_early_data(b"pay").unwrap(), 3);
        pair.settle();
        pair.assert_same_view();
        assert!(pair.server.connection.negotiated().unwrap().resumed());
        // New tickets for the next connection.
        pair.server.write(b"");
        pair.settle();
        let taken = outcomes(&pair) == [EarlyData::Accepted; 2];
        assert!(taken || outcomes(&pair) == [EarlyData::Rejected; 2]);
        assert_eq!(pair.server.early, if taken { &b"pay"[..] } else { b"" });
        taken
    }
}

/// RFC 9846, section 8: "sharing state to guarantee that the 0-RTT data is accepted at most once",
/// wherever it arrives first.
#[test]
fn nodes_that_share_a_store_take_it_once_together() {
    let world = World::new();
    let store = Arc::new(Store::default());
    let nodes: Vec<_> = (0..3)
        .map(|_| world.node(ReplayGuard::with_store("eu-west", Arc::clone(&store))))
        .collect();
    for first in 0..3 {
        let flight = world.flight(&nodes[0], 10 + first);
        let first = usize::try_from(first).unwrap();
        assert!(takes(&nodes[first], &flight));
        for node in &nodes {
            assert!(!takes(node, &flight));
        }
    }
    // A ticket of one node is valid at another. While the store is unreachable no node takes early
    // data, and afterwards none takes by mistake what was refused.
    world.visit(&nodes[0]);
    assert!(world.is_taken(&nodes[1], 20));
    store.away.store(true, Ordering::SeqCst);
    assert!(!world.is_taken(&nodes[1], 21));
    store.away.store(false, Ordering::SeqCst);
    assert!(world.is_taken(&nodes[2], 22));
}

/// "having a single storage zone be authoritative for a given ticket and refusing 0-RTT for that
/// ticket in any other zone" (8.2): nodes that share only ticket keys resume each other's sessions,
/// but take early data only under their own tickets.
#[test]
fn nodes_that_share_nothing_take_their_own_alone() {
    let world = World::new();
    let store = |zone: &str| ReplayGuard::with_store(zone, Store::default());
    for [one, other] in [
        [guard(), guard()],
        [store("east"), store("west")],
        [store("east"), guard()],
    ] {
        let (one, other) = (world.node(one), world.node(other));
        for (home, away) in [(&one, &other), (&other, &one)] {
            // This holds also if the other node receives it first.
            for (seed, away_first) in [(30, false), (31, true)] {
                let flight = world.flight(home, seed);
                if away_first {
                    assert!(!takes(away, &flight));
                }
                assert!(takes(home, &flight));
                assert!(!takes(away, &flight) && !takes(home, &flight));
            }
            world.visit(home);
            assert!(!world.is_taken(away, 32));
        }
    }
}

/// "When implementations are freshly started, they SHOULD reject 0-RTT as long as any portion of
/// their recording window overlaps the startup time" (8.2): after a restart a guard in memory is
/// empty, but the ticket keys may be the same.
#[test]
fn nothing_from_before_a_restart_is_taken() {
    let world = World::new();
    let before = world.node(guard());
    let (seen, held_back) = (world.flight(&before, 40), world.flight(&before, 41));
    assert!(takes(&before, &seen));
    world.visit(&before);
    drop(before);

    let after = world.node(guard());
    // Rejected are a flight that was taken before, one that had not arrived yet, and a new one
    // under an old ticket.
    assert!(!takes(&after, &seen) && !takes(&after, &held_back));
    assert!(!world.is_taken(&after, 42));
    // That connection left tickets of the new guard.
    assert!(world.is_taken(&after, 43));

    // A store outlives the server, and so do its entries.
    let world = World::new();
    let store = Arc::new(Store::default());
    let node = || world.node(ReplayGuard::with_store("here", Arc::clone(&store)));
    let (seen, held_back) = (world.flight(&node(), 50), world.flight(&node(), 51));
    assert!(takes(&node(), &seen));
    assert!(!takes(&node(), &seen));
    assert!(takes(&node(), &held_back));
    assert!(!takes(&node(), &held_back));
}
