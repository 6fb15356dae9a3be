//! Where early data ends: a verdict that comes too late, a server or a client that is no longer
//! accepted, a configuration that takes less, tickets that are old; and whose early data it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleeting::{
    Answer, Client, ClientAuth, ClientBuilder, ConfigError, EarlyData, Error, NamedGroup, Now,
    Question, ReplayEntry, ReplayGuard, ReplayVerdict, Server, ServerBuilder, Status,
};

use crate::early_data::world::World;
use crate::support::{End, NAME, NOW, Pair, Seeded, pki};

const SECOND: Duration = Duration::from_secs(1);

fn known_client(world: &World) -> ClientBuilder {
    world
        .client()
        .identity(pki().client.clone())
        .groups([NamedGroup::X25519])
}

fn asking_server(world: &World) -> ServerBuilder {
    world
        .server()
        .client_auth(ClientAuth::Required(pki().authority.trust()))
}

/// Returns a connection that begins this long after the first.
fn pair_after(client: &Client, server: &Server, after: Duration) -> Pair {
    let seed = after.as_secs() + 1;
    Pair::between_at(client, server, [later(after); 2], NAME, seed)
}

/// Makes a full handshake, which leaves tickets.
fn visit(world: &World, client: &Client, server: &Server) {
    world.leave_tickets(&mut pair_after(client, server, Duration::ZERO));
}

fn later(after: Duration) -> Now {
    Now::new(after, NOW.unix + after)
}

/// A store that forgets entries once they expire.
#[derive(Default)]
struct Store(Mutex<Vec<ReplayEntry>>);

impl Store {
    fn ask(&self, entry: ReplayEntry, now: Duration) -> ReplayVerdict {
        let mut seen = self.0.lock().unwrap();
        seen.retain(|seen| now <= seen.expires());
        if seen.contains(&entry) {
            return ReplayVerdict::Seen;
        }
        seen.push(entry);
        ReplayVerdict::Fresh
    }
}

/// RFC 9846, 8.2: an entry is kept "as long as the expected_arrival_time is inside the window", so
/// a verdict after that proves nothing.
#[test]
fn a_verdict_that_comes_after_the_window_rejects() {
    let (world, store) = (World::new(), Store::default());
    let client = known_client(&world).build().unwrap();
    let server = asking_server(&world)
        .early_data(1000, ReplayGuard::asking("a store"))
        .build()
        .unwrap();
    visit(&world, &client, &server);
    let mut pair = pair_after(&client, &server, Duration::ZERO);
    pair.client.connection.write_early_data(b"pay").unwrap();
    let flight = pair.client.send(usize::MAX);
    let mut taken = Vec::new();
    // The window is 10 seconds. The second copy arrives within it, but the store is asked after it,
    // and has forgotten the first.
    for (received, asked) in [(0, 0), (9, 11)] {
        let mut end = End::new(server.connection(later(SECOND * received)), Seeded(3));
        end.now = later(SECOND * received);
        end.receive(&flight, usize::MAX);
        assert_eq!(end.status.clone().unwrap(), Status::Ask(Question::Replay));
        end.now = later(SECOND * asked);
        let verdict = store.ask(end.connection.replay_entry().unwrap(), end.now.unix);
        assert_eq!(verdict, ReplayVerdict::Fresh);
        end.connection
            .answer(Answer::Replay(verdict), end.now, &mut Seeded(9))
            .unwrap();
        end.process();
        taken.push(end.early);
    }
    assert_eq!(taken, [&b"pay"[..], b""]);
}

#[test]
fn a_server_that_is_not_let_in_any_more_hears_nothing_early() {
    let world = World::new();
    let denied = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&denied);
    let client = known_client(&world).authorize(move |_| {
        if flag.load(Ordering::Relaxed) {
            Err("not that one")
        } else {
            Ok(())
        }
    });
    let client = client.build().unwrap();
    let server = asking_server(&world)
        .early_data(1000, ReplayGuard::in_memory(10))
        .build()
        .unwrap();
    visit(&world, &client, &server);
    denied.store(true, Ordering::Relaxed);
    let mut pair = pair_after(&client, &server, SECOND);
    assert_eq!(pair.client.connection.write_early_data(b"pay").unwrap(), 0);
    pair.settle();
    assert!(matches!(pair.client.error(), Error::Protocol { fault, .. } if fault.alert().0 == 49));
    assert!(matches!(pair.server.error(), Error::AlertReceived { alert, .. } if alert.0 == 49));
    assert!(pair.server.early.is_empty());
}

/// The server's configuration limits the early data that it holds in memory, whatever its tickets
/// allowed. (It cannot take a part: the client uses the limit of its ticket.)
#[test]
fn a_ticket_that_allowed_more_allows_none() {
    let (world, guard) = (World::new(), ReplayGuard::in_memory(10));
    let client = known_client(&world).build().unwrap();
    visit(
        &world,
        &client,
        &asking_server(&world)
            .early_data(11, guard.clone())
            .build()
            .unwrap(),
    );
    for (max_size, expected) in [(10, EarlyData::Rejected), (11, EarlyData::Accepted)] {
        let server = asking_server(&world)
            .early_data(max_size, guard.clone())
            .build()
            .unwrap();
        let mut pair = pair_after(&client, &server, SECOND * max_size);
        pair.client.connection.write_early_data(&[7; 11]).unwrap();
        pair.settle();
        assert_eq!(
            pair.server.connection.negotiated().unwrap().early_data(),
            expected
        );
    }
}

/// According to the docs of `early_data_window`, a ticket is as old as its handshake.
#[test]
fn a_ticket_that_waited_for_longer_than_the_window_resumes_without() {
    let world = World::new();
    let client = known_client(&world).build().unwrap();
    let server = asking_server(&world)
        .early_data(1000, ReplayGuard::in_memory(10))
        .build()
        .unwrap();
    for (waited, expected) in [(9, EarlyData::Accepted), (12, EarlyData::Rejected)] {
        world.sessions.clear();
        let mut pair = pair_after(&client, &server, Duration::ZERO);
        pair.settle();
        for end in [&mut pair.client, &mut pair.server] {
            end.now = later(SECOND * waited);
            end.process();
        }
        pair.server.write(b"the first data");
        pair.settle();
        let mut pair = pair_after(&client, &server, SECOND * (waited + 20));
        assert!(pair.client.connection.write_early_data(b"GET /").unwrap() > 0);
        pair.settle();
        let negotiated = pair.server.connection.negotiated().unwrap();
        assert_eq!(
            (negotiated.resumed(), negotiated.early_data()),
            (true, expected),
            "{waited}"
        );
    }
}

#[test]
fn it_is_known_whose_it_is() {
    let world = World::new();
    let client = known_client(&world).alpn(["a"]).build().unwrap();
    let server = asking_server(&world)
        .early_data(1000, ReplayGuard::in_memory(10))
        .build()
        .unwrap();
    visit(&world, &client, &server);
    let mut pair = pair_after(&client, &server, SECOND);
    assert!(pair.server.connection.early_negotiated().is_none());
    pair.client.connection.write_early_data(b"GET /").unwrap();
    let flight = pair.client.send(usize::MAX);
    pair.server.receive(&flight, usize::MAX);
    assert_eq!(pair.server.early, b"GET /");
    let early = pair.server.connection.early_negotiated().unwrap();
    assert!(pair.server.connection.negotiated().is_none());
    assert!(pair.client.connection.early_negotiated().is_none());
    pair.settle();
    assert!(pair.server.connection.early_negotiated().is_none());
    let negotiated = pair.server.connection.negotiated().unwrap();
    for negotiated in [&early, negotiated] {
        assert_eq!(
            negotiated.peer().unwrap().public_key(),
            pki().client.public_key()
        );
        assert_eq!(
            (negotiated.alpn(), negotiated.server_name()),
            (Some(&b"a"[..]), Some(NAME))
        );
        assert_eq!(
            (negotiated.resumed(), negotiated.early_data()),
            (true, EarlyData::Accepted)
        );
        assert_eq!(
            (negotiated.group(), negotiated.cipher_suite()),
            (NamedGroup::X25519, early.cipher_suite())
        );
    }
}

#[test]
fn what_could_never_be_accepted_is_not_offered() {
    let world = World::new();
    let guard = || ReplayGuard::in_memory(10);
    for builder in [
        asking_server(&world).early_data(0, guard()),
        asking_server(&world)
            .early_data(1000, guard())
            .without_tickets(),
    ] {
        assert!(matches!(
            builder.build(),
            Err(Error::Config(ConfigError::Setting {
                name: "early_data",
                ..
            }))
        ));
    }
}
