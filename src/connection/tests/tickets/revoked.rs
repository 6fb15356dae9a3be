//! Sessions that end for good: revoked by a server, forgotten by a client.

use crate::client::{Client, ClientBuilder};
use crate::connection::Connection;
use crate::connection::tests::deliver;
use crate::connection::tests::puppet::{WORLD, now};
use crate::crypto::random::SystemRandom;
use crate::error::{ConfigError, Error};
use crate::handshake::EarlyData;
use crate::identity::Authority;
use crate::server::{ClientAuth, LiveServer, Server, ServerBuilder};
use crate::session::{
    ExternalPsk, PskNames, ReplayGuard, RevokedSessions, SessionCache, TicketKey, TicketKeys,
};

const NAME: &str = "db.internal";

const SECRET: &[u8] = b"a secret that both sides received";

fn servers(revoked: &RevokedSessions) -> ServerBuilder {
    let authority = &WORLD.authority;
    Server::builder()
        .identity(authority.issue_server([NAME, "other.internal"]).unwrap())
        .client_auth(ClientAuth::Optional(authority.trust()))
        .revoked_sessions(revoked.clone())
}

fn clients() -> ClientBuilder {
    Client::builder().trust(WORLD.authority.trust())
}

fn alice() -> Client {
    clients().identity(WORLD.client.clone()).build().unwrap()
}

/// Both sides of a connection whose handshake is complete. Tickets wait at the server.
fn connected(client: &Client, server: &Server, name: &str) -> [Connection; 2] {
    let mut ours = client.connection(name, now(), &mut SystemRandom).unwrap();
    let mut theirs = server.connection(now());
    deliver(&mut ours, &mut theirs).unwrap();
    deliver(&mut theirs, &mut ours).unwrap();
    deliver(&mut ours, &mut theirs).unwrap();
    assert!(!ours.is_handshaking() && !theirs.is_handshaking());
    [ours, theirs]
}

/// The server sends its tickets. Returns how many sessions the client has.
fn take_tickets([ours, theirs]: &mut [Connection; 2], client: &Client) -> usize {
    theirs.write(b"x").unwrap();
    deliver(theirs, ours).unwrap();
    assert_eq!(ours.plaintext(), b"x");
    ours.consume(1);
    client.config.sessions.len()
}

/// Connects, which must not fail, and takes the tickets. Returns whether a session was resumed.
#[track_caller]
fn resumes(client: &Client, server: &Server) -> bool {
    let mut both = connected(client, server, NAME);
    let resumed = both[0].negotiated().unwrap().resumed();
    assert_eq!(both[1].negotiated().unwrap().resumed(), resumed);
    assert!(take_tickets(&mut both, client) > 0);
    resumed
}

/// The tickets of one peer are refused, those of a chain of resumptions too. The full handshake
/// that takes their place begins a new chain at once.
#[test]
fn those_of_one_key() {
    let revoked = RevokedSessions::in_memory(10);
    let server = servers(&revoked).build().unwrap();
    let bob = WORLD.authority.issue_client("bob").unwrap();
    let bob = clients().identity(bob).build().unwrap();
    let everybody = [alice(), bob, clients().build().unwrap()];
    for client in &everybody {
        assert!(!resumes(client, &server));
        assert!(resumes(client, &server) && resumes(client, &server));
    }
    revoked.revoke_key(&WORLD.client.public_key());
    let [alice, bob, anonymous] = &everybody;
    // Each ticket that she has leads to a full handshake; a later one resumes.
    let fulls = (0..10).take_while(|_| !resumes(alice, &server)).count();
    assert!((1..=4).contains(&fulls), "{fulls}");
    assert!(resumes(alice, &server) && resumes(bob, &server) && resumes(anonymous, &server));
}

/// With one ticket a connection, each step is exact.
#[test]
fn a_chain_of_resumptions_ends() {
    let revoked = RevokedSessions::in_memory(10);
    let server = servers(&revoked).build().unwrap();
    let alice = clients()
        .identity(WORLD.client.clone())
        .tickets(1, 1)
        .build()
        .unwrap();
    for _ in 0..3 {
        assert!(!resumes(&alice, &server));
        for _ in 0..3 {
            assert!(resumes(&alice, &server));
        }
        revoked.revoke_key(&WORLD.client.public_key());
    }
    // Of all, including a client that nobody knows.
    let anonymous = clients().tickets(1, 1).build().unwrap();
    assert!(!resumes(&anonymous, &server) && resumes(&anonymous, &server));
    revoked.revoke_all();
    for client in [&alice, &anonymous] {
        assert!(!resumes(client, &server) && resumes(client, &server));
    }
}

/// What was sealed before and waits does not open, and a handshake in progress gets no tickets,
/// whether it is a full one or not.
#[test]
fn connections_that_exist_get_no_fresh_tickets() {
    let revoked = RevokedSessions::in_memory(10);
    let server = servers(&revoked).build().unwrap();
    let alice = alice();
    let key = WORLD.client.public_key();

    let mut both = connected(&alice, &server, NAME);
    revoked.revoke_key(&key);
    assert_eq!(take_tickets(&mut both, &alice), 2);
    for _ in 0..2 {
        let both = connected(&alice, &server, NAME);
        assert!(!both[0].negotiated().unwrap().resumed());
    }
    assert!(alice.config.sessions.is_empty());

    for resuming in [false, true] {
        if resuming {
            assert!(!resumes(&alice, &server));
        }
        let mut ours = alice.connection(NAME, now(), &mut SystemRandom).unwrap();
        let mut theirs = server.connection(now());
        deliver(&mut ours, &mut theirs).unwrap();
        revoked.revoke_key(&key);
        deliver(&mut theirs, &mut ours).unwrap();
        deliver(&mut ours, &mut theirs).unwrap();
        assert_eq!(ours.negotiated().unwrap().resumed(), resuming);
        alice.forget_all();
        let before = alice.config.sessions.len();
        let counted = server.counters().tickets_issued;
        assert_eq!(take_tickets(&mut [ours, theirs], &alice), before);
        assert_eq!(server.counters().tickets_issued, counted);
    }
}

/// A revoked ticket takes its early data with it, and the handshake is a full one.
#[test]
fn early_data_is_rejected() {
    let revoked = RevokedSessions::in_memory(10);
    let server = servers(&revoked)
        .early_data(1000, ReplayGuard::in_memory(100))
        .build()
        .unwrap();
    let alice = clients()
        .identity(WORLD.client.clone())
        .early_data(true)
        .tickets(1, 1)
        .build()
        .unwrap();
    assert!(!resumes(&alice, &server));
    for (revoke, outcome) in [(false, EarlyData::Accepted), (true, EarlyData::Rejected)] {
        if revoke {
            revoked.revoke_key(&WORLD.client.public_key());
        }
        let mut ours = alice.connection(NAME, now(), &mut SystemRandom).unwrap();
        assert_eq!(ours.write_early_data(b"early").unwrap(), 5);
        let mut theirs = server.connection(now());
        deliver(&mut ours, &mut theirs).unwrap();
        assert_eq!(theirs.early_plaintext().is_empty(), revoke);
        theirs.consume(5);
        theirs.process(now(), &mut SystemRandom).unwrap();
        deliver(&mut theirs, &mut ours).unwrap();
        deliver(&mut ours, &mut theirs).unwrap();
        let negotiated = theirs.negotiated().unwrap();
        assert_eq!(negotiated.resumed(), !revoke);
        assert_eq!(negotiated.early_data(), outcome);
        take_tickets(&mut [ours, theirs], &alice);
    }
}

#[test]
fn those_of_an_external_psk() {
    let psk = |own, peer| ExternalPsk::new(b"1", SECRET, PskNames { own, peer }).unwrap();
    let held = psk("hub", "sensor");
    let revoked = RevokedSessions::in_memory(10);
    let server = servers(&revoked)
        .external_psks([held.clone()])
        .build()
        .unwrap();
    let sensor = Client::builder()
        .external_psk(psk("sensor", "hub"))
        .tickets(1, 1);
    let sensor = sensor.build().unwrap();
    let alice = clients()
        .identity(WORLD.client.clone())
        .tickets(1, 1)
        .build()
        .unwrap();
    for client in [&sensor, &alice] {
        assert!(!resumes(client, &server) && resumes(client, &server));
    }
    revoked.revoke_psk(&held);
    assert!(resumes(&alice, &server));
    // The PSK itself stays valid.
    assert!(!resumes(&sensor, &server));
    let both = connected(&sensor, &server, NAME);
    assert!(both[1].negotiated().unwrap().external_psk().is_some());
}

/// Nothing is forgotten for lack of room: then the sessions of all are revoked.
#[test]
fn a_full_memory_fails_closed() {
    let revoked = RevokedSessions::in_memory(2);
    let server = servers(&revoked).build().unwrap();
    let anonymous = clients().tickets(1, 1).build().unwrap();
    let others = [(); 3].map(|()| WORLD.authority.issue_client("other").unwrap().public_key());
    assert!(!resumes(&anonymous, &server));
    for key in [0, 1, 0, 1, 1] {
        revoked.revoke_key(&others[key]);
        assert!(resumes(&anonymous, &server));
    }
    revoked.revoke_key(&others[2]);
    assert!(!resumes(&anonymous, &server) && resumes(&anonymous, &server));
    // There is room again.
    revoked.revoke_key(&others[2]);
    assert!(resumes(&anonymous, &server));
    let none = RevokedSessions::in_memory(0);
    let server = servers(&none).build().unwrap();
    assert!(!resumes(&anonymous, &server));
    none.revoke_key(&others[0]);
    assert!(!resumes(&anonymous, &server));
}

/// A configuration that replaces another one knows what was revoked if it has the same memory. One
/// with another memory, or with none, opens no ticket of the former.
#[test]
fn a_live_server_remembers() {
    let revoked = RevokedSessions::in_memory(10);
    let keys = TicketKeys::rotating();
    let identity = WORLD.authority.issue_server([NAME]).unwrap();
    let configured = |revoked: Option<&RevokedSessions>| {
        let server = Server::builder()
            .identity(identity.clone())
            .client_auth(ClientAuth::Optional(WORLD.authority.trust()))
            .ticket_keys(keys.clone());
        match revoked {
            Some(revoked) => server.revoked_sessions(revoked.clone()),
            None => server,
        }
        .build()
        .unwrap()
    };
    let live = LiveServer::new(configured(Some(&revoked)));
    let alice = clients()
        .identity(WORLD.client.clone())
        .tickets(1, 1)
        .build()
        .unwrap();
    assert!(!resumes(&alice, &live.current()) && resumes(&alice, &live.current()));
    live.replace(configured(Some(&revoked)));
    assert!(resumes(&alice, &live.current()));
    revoked.revoke_key(&WORLD.client.public_key());
    live.replace(configured(Some(&revoked)));
    assert!(!resumes(&alice, &live.current()) && resumes(&alice, &live.current()));

    let other = RevokedSessions::in_memory(10);
    for revoked in [Some(&other), None, Some(&revoked)] {
        live.replace(configured(revoked));
        assert!(!resumes(&alice, &live.current()) && resumes(&alice, &live.current()));
    }
}

/// "others who have the ticket keys, and this server after a restart, would not know".
#[test]
fn shared_ticket_keys_are_refused() {
    let revoked = RevokedSessions::in_memory(10);
    let refused = |server: ServerBuilder| {
        matches!(
            server.build(),
            Err(Error::Config(ConfigError::Setting {
                name: "revoked_sessions",
                ..
            }))
        )
    };
    let installed = TicketKeys::rotating();
    let key = TicketKey::new([7; 32], now().unix, now().unix * 2, now().unix * 3);
    installed.install(key.unwrap());
    assert!(refused(servers(&revoked).ticket_keys(TicketKeys::empty())));
    assert!(refused(servers(&revoked).ticket_keys(installed)));
    assert!(!refused(servers(&revoked)));
    assert!(!refused(
        servers(&revoked).ticket_keys(TicketKeys::rotating())
    ));
    assert!(!refused(servers(&revoked).without_tickets()));
}

// ---- the client ----

#[test]
fn a_client_forgets_one_name() {
    let server = servers(&RevokedSessions::in_memory(1)).build().unwrap();
    let cache = SessionCache::new(100);
    let make = |builder: ClientBuilder| builder.sessions(cache.clone()).build().unwrap();
    // They share a cache, and find different sessions in it.
    let other = Authority::new("another").unwrap();
    let both = [
        make(clients()),
        make(clients().trust(WORLD.authority.trust().and(other.trust()))),
    ];
    let meet = |client: &Client, name| {
        let mut both = connected(client, &server, name);
        take_tickets(&mut both, client);
        both[0].negotiated().unwrap().resumed()
    };
    for client in &both {
        assert!(!meet(client, NAME) && !meet(client, "other.internal"));
    }
    // This one exists, and has not received its tickets.
    let mut late = connected(&both[0], &server, "other.internal");
    let mut gone = connected(&both[0], &server, NAME);
    both[0].forget("DB.internal").unwrap();
    let kept = cache.len();
    assert_eq!(take_tickets(&mut gone, &both[0]), kept);
    assert!(take_tickets(&mut late, &both[0]) > kept);
    for client in &both {
        assert!(!meet(client, NAME) && meet(client, "other.internal"));
        assert!(meet(client, NAME));
    }
    both[0].forget_all();
    assert!(cache.is_empty());
    assert!(matches!(both[0].forget("no name"), Err(Error::Name(_))));
    // However many names were forgotten, what exists stores nothing under them.
    let mut gone = connected(&both[0], &server, NAME);
    both[0].forget(NAME).unwrap();
    for number in 0..200 {
        both[0].forget(&format!("host{number}.internal")).unwrap();
    }
    assert_eq!(take_tickets(&mut gone, &both[0]), 0);
    assert!(!meet(&both[0], NAME) && meet(&both[0], NAME));
}
