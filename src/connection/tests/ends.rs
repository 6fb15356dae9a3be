//! Ends that are nobody's fault: limits of time, and the application's own from outside.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::client::{Client, ClientBuilder};
use crate::connection::Status;
use crate::connection::split::Shared;
use crate::connection::tests::puppet::client::required;
use crate::connection::tests::puppet::server::{key_update, new_session_ticket};
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, Side, WORLD, now, server,
};
use crate::crypto::random::SystemRandom;
use crate::error::{ConfigError, Error, TimeLimit};
use crate::handshake::Connections;
use crate::identity::PublicKey;
use crate::server::{Server, ServerBuilder};
use crate::time::Now;

const AGE: Duration = Duration::from_secs(10);

fn clients() -> ClientBuilder {
    Client::builder().trust(WORLD.authority.trust())
}

fn servers() -> ServerBuilder {
    Server::builder().identity(WORLD.server.clone())
}

fn aging() -> [Puppet; 2] {
    both(
        clients().max_connection_age(AGE),
        servers().max_connection_age(AGE),
    )
}

/// Our client and our server, connected at the time 0.
fn both(client: ClientBuilder, server: ServerBuilder) -> [Puppet; 2] {
    [
        Puppet::serving_at(&client.build().unwrap(), "CONNECTED"),
        Puppet::calling_at(&server.build().unwrap(), "CONNECTED"),
    ]
}

fn millis(millis: u64) -> Now {
    Now {
        monotonic: Duration::from_millis(millis),
        ..now()
    }
}

fn is_expired(error: &Error, expected: TimeLimit) -> bool {
    matches!(error, Error::Expired { limit } if *limit == expected)
}

impl Puppet {
    fn at(&mut self, time: u64) -> Result<Status, Error> {
        self.us.process(millis(time), &mut SystemRandom)
    }

    /// The bytes arrive, and are not processed.
    fn arrive(&mut self, bytes: &[u8]) {
        let space = self.us.input();
        space[..bytes.len()].copy_from_slice(bytes);
        self.us.received(bytes.len());
    }

    #[track_caller]
    fn next_is(&self, time: u64) {
        let next = self.us.next_timeout();
        assert_eq!(next, Some(Duration::from_millis(time)));
    }

    /// We have sent close_notify, and nothing else.
    #[track_caller]
    fn hears_the_end(&mut self) {
        // RFC 9846, 6.1: warning(1), close_notify(0).
        assert_eq!(self.hear_type(ALERT).content, [1, 0]);
        self.hears_nothing();
    }

    /// Nothing is read or written any more, and no key is left.
    #[track_caller]
    fn is_over(&mut self, is: impl Fn(&Error) -> bool) {
        let write = self.us.write(b"x").unwrap_err();
        let rekey = self.us.rekey().unwrap_err();
        let process = self.at(u64::MAX).unwrap_err();
        let again = self.at(0).unwrap_err();
        let export = self.us.export_keying_material(b"x", b"", 1).unwrap_err();
        for error in [write, rekey, process, again, export] {
            assert!(is(&error), "{error}");
        }
        assert!(is(self.us.error().unwrap()));
        assert!(!self.us.sender.is_open() && !self.us.receiver.records.is_open());
        assert!(self.us.negotiated().is_none() && self.us.receiver.established.is_none());
        assert_eq!(self.us.next_timeout(), None);
        assert_eq!(self.us.id(), None);
        self.us.close();
        self.hears_nothing();
    }
}

// ---- limits of time ----

#[test]
fn without_limits_nothing_is_kept() {
    for mut puppet in both(clients(), servers()) {
        assert!(puppet.us.receiver.running.is_none() && puppet.us.sender.running.is_none());
        assert_eq!(puppet.us.next_timeout(), None);
        assert_eq!(puppet.us.id(), None);
        assert_eq!(puppet.at(u64::MAX).unwrap(), Status::NeedsInput);
        puppet.us.write(b"x").unwrap();
    }
}

#[test]
fn a_limit_of_nothing_is_refused() {
    let zero = Duration::ZERO;
    let errors = [
        clients().max_connection_age(zero).build().map(drop),
        servers().max_connection_age(zero).build().map(drop),
        clients().idle_timeout(zero).build().map(drop),
        servers().idle_timeout(zero).build().map(drop),
    ];
    let names = ["max_connection_age", "idle_timeout"];
    for (error, expected) in errors.into_iter().zip(names.iter().flat_map(|n| [n, n])) {
        let Err(Error::Config(ConfigError::Setting { name, .. })) = error else {
            panic!("{error:?}");
        };
        assert_eq!(name, *expected);
    }
}

/// Whatever it does, the connection ends at that age, and not before.
#[test]
fn at_an_age() {
    for mut puppet in aging() {
        for time in [0, 4_000, 9_999] {
            puppet.next_is(10_000);
            assert_eq!(puppet.at(time).unwrap(), Status::NeedsInput);
            puppet.us.write(b"x").unwrap();
            puppet.hear_data(b"x");
            puppet.hears_nothing();
        }
        let error = puppet.at(10_000).unwrap_err();
        assert!(is_expired(&error, TimeLimit::ConnectionAge), "{error}");
        puppet.hears_the_end();
        puppet.is_over(|error| is_expired(error, TimeLimit::ConnectionAge));
    }
}

/// The handshake has a limit of its own, and its time counts.
#[test]
fn the_age_begins_with_the_connection() {
    let server = servers().max_connection_age(AGE).build().unwrap();
    let mut puppet = Puppet::calling_at(&server, "WAIT_FINISHED");
    // The default of 30 seconds.
    puppet.next_is(30_000);
    assert_eq!(puppet.at(20_000).unwrap(), Status::NeedsInput);
    puppet.say_client_finished();
    assert!(!puppet.us.is_handshaking());
    puppet.next_is(10_000);
    let error = puppet.at(20_000).unwrap_err();
    assert!(is_expired(&error, TimeLimit::ConnectionAge), "{error}");
}

/// Only application data counts.
#[test]
fn without_data_for_so_long() {
    for mut puppet in both(clients().idle_timeout(AGE), servers().idle_timeout(AGE)) {
        puppet.next_is(10_000);
        let data = puppet.record(APPLICATION_DATA, b"data");
        puppet.arrive(&data);
        assert_eq!(puppet.at(4_000).unwrap(), Status::Data);
        puppet.us.consume(4);
        puppet.next_is(14_000);

        assert_eq!(puppet.at(6_000).unwrap(), Status::NeedsInput);
        puppet.us.write(b"x").unwrap();
        puppet.hear_data(b"x");
        puppet.next_is(16_000);

        let mut other = puppet.protect(APPLICATION_DATA, b"", 0);
        other.extend(puppet.protect(HANDSHAKE, &key_update(0), 0));
        puppet.write.as_mut().unwrap().update();
        if puppet.side == Side::Server {
            other.extend(puppet.protect(HANDSHAKE, &new_session_ticket(), 0));
        }
        puppet.arrive(&other);
        assert_eq!(puppet.at(7_000).unwrap(), Status::NeedsInput);
        puppet.us.rekey().unwrap();
        puppet.hear_update(1);
        puppet.us.write(b"").unwrap();
        puppet.us.set_corked(true).unwrap();
        puppet.us.write(b"gathered").unwrap();
        puppet.next_is(16_000);

        assert_eq!(puppet.at(15_999).unwrap(), Status::NeedsInput);
        let error = puppet.at(16_000).unwrap_err();
        assert!(is_expired(&error, TimeLimit::Idle), "{error}");
        // What was accepted before goes out.
        puppet.hear_data(b"gathered");
        puppet.hears_the_end();
        puppet.is_over(|error| is_expired(error, TimeLimit::Idle));
    }
}

#[test]
fn the_earlier_of_two_limits_holds() {
    let limits = |idle, age| {
        let server = servers()
            .idle_timeout(Duration::from_secs(idle))
            .max_connection_age(Duration::from_secs(age));
        Puppet::calling_at(&server.build().unwrap(), "CONNECTED")
    };
    for (idle, age, limit) in [
        (3, 5, TimeLimit::Idle),
        (5, 3, TimeLimit::ConnectionAge),
        (3, 3, TimeLimit::ConnectionAge),
    ] {
        let mut puppet = limits(idle, age);
        puppet.next_is(3_000);
        // Also if both have passed.
        let error = puppet.at(9_000).unwrap_err();
        assert!(is_expired(&error, limit), "{error}");
    }
}

/// What arrived before is read, whichever call notices the end first.
#[test]
fn what_was_received_is_read_first() {
    for writes in [false, true] {
        for mut puppet in aging() {
            let records = [&b"one"[..], b"two"].map(|data| puppet.record(APPLICATION_DATA, data));
            puppet.arrive(&records.concat());
            assert_eq!(puppet.at(10_000).unwrap(), Status::Data);
            if writes {
                let error = puppet.us.write(b"x").unwrap_err();
                assert!(is_expired(&error, TimeLimit::ConnectionAge), "{error}");
                puppet.hears_the_end();
                assert!(!puppet.us.sender.is_open());
            }
            assert_eq!(puppet.us.plaintext(), b"one");
            puppet.us.consume(3);
            // The limit stays reached, although data has moved and the time is an earlier one.
            assert_eq!(puppet.at(0).unwrap(), Status::Data);
            assert_eq!(puppet.us.plaintext(), b"two");
            puppet.us.consume(3);
            let error = puppet.at(0).unwrap_err();
            assert!(is_expired(&error, TimeLimit::ConnectionAge), "{error}");
            if !writes {
                puppet.hears_the_end();
            }
            puppet.is_over(|error| is_expired(error, TimeLimit::ConnectionAge));
        }
    }
}

/// Each direction that is still open is closed.
#[test]
fn a_half_closed_connection_ends_too() {
    for mut puppet in aging() {
        assert_eq!(puppet.alert(1, 0).unwrap(), Status::Closed);
        puppet.next_is(10_000);
        puppet.us.write(b"x").unwrap();
        puppet.hear_data(b"x");
        assert_eq!(puppet.at(9_999).unwrap(), Status::Closed);
        let error = puppet.at(10_000).unwrap_err();
        assert!(is_expired(&error, TimeLimit::ConnectionAge), "{error}");
        puppet.hears_the_end();
        puppet.is_over(|error| is_expired(error, TimeLimit::ConnectionAge));
    }
    for mut puppet in aging() {
        puppet.us.close();
        puppet.hears_the_end();
        puppet.next_is(10_000);
        assert_eq!(puppet.send(b"data").unwrap(), Status::NeedsInput);
        let error = puppet.at(10_000).unwrap_err();
        assert!(is_expired(&error, TimeLimit::ConnectionAge), "{error}");
        puppet.hears_nothing();
        puppet.is_over(|error| is_expired(error, TimeLimit::ConnectionAge));
    }
    // Nothing is left to end.
    for mut puppet in aging() {
        puppet.us.close();
        puppet.hears_the_end();
        assert_eq!(puppet.alert(1, 0).unwrap(), Status::Closed);
        assert_eq!(puppet.us.next_timeout(), None);
        assert_eq!(puppet.at(10_000).unwrap(), Status::Closed);
    }
}

/// Whichever half notices the end, both return the error, and close_notify is sent once.
#[test]
fn halves_end_together() {
    let is = |error: &Error| is_expired(error, TimeLimit::ConnectionAge);
    for reads_first in [false, true] {
        for mut puppet in aging() {
            let data = puppet.record(APPLICATION_DATA, b"data");
            puppet.arrive(&data);
            let vacant = crate::connection::Connection::undecided(now());
            let (mut reading, sending, notes) = core::mem::replace(&mut puppet.us, vacant).split();
            let shared: Shared<_, Error> = Shared::new(sending, notes);
            assert!(reading.is_limited());
            let mut out = [0; 10];
            let mut read = |time| reading.process_into(&mut out, millis(time), &shared.notes);
            let write = || {
                shared.work(
                    |writing, notes| {
                        assert!(writing.is_limited() || notes.failure().is_some());
                        writing.at(AGE, notes);
                        writing.write(&[&b"x"[..]], notes)
                    },
                    |writing, notes| writing.look(notes),
                )
            };
            if !reads_first {
                assert!(is(&write().unwrap_err()));
            }
            // What was received before is not lost.
            assert_eq!(read(10_000).unwrap(), (4, Status::Data));
            assert!(is(&read(10_000).unwrap_err()));
            assert!(is(&write().unwrap_err()));
            assert!(is(&read(0).unwrap_err()));
            shared.work(
                |writing, notes| {
                    puppet.raw.extend_from_slice(writing.output());
                    writing.sent(usize::MAX);
                    assert!(writing.rekey(notes).is_err_and(|error| is(&error)));
                },
                |_, _| {},
            );
            puppet.hears_the_end();
        }
    }
}

// ---- from outside ----

fn listing(connections: &Connections) -> Server {
    servers()
        .client_auth(required())
        .connections(connections.clone())
        .build()
        .unwrap()
}

fn alice() -> PublicKey {
    WORLD.client.public_key()
}

#[test]
fn a_connection_is_listed_while_it_runs() {
    let connections = Connections::new();
    let server = listing(&connections);
    let mut puppet = Puppet::calling_at(&server, "WAIT_FINISHED");
    assert!(connections.is_empty() && puppet.us.id().is_none());
    puppet.say_client_finished();
    let second = Puppet::calling_at(&server, "CONNECTED");

    let ids: Vec<_> = connections.list().iter().map(|one| one.id()).collect();
    assert_eq!(ids, [0, 1]);
    assert_eq!((puppet.us.id(), second.us.id()), (Some(0), Some(1)));
    let [first, _] = &connections.list()[..] else {
        panic!("{connections:?}");
    };
    assert!(first.is_running());
    assert_eq!(first.peer().unwrap().public_key(), alice());
    let negotiated = puppet.us.negotiated().unwrap();
    assert_eq!(first.negotiated().cipher_suite(), negotiated.cipher_suite());
    assert!(now().unix - first.began() < Duration::from_secs(60));
    // Without a limit of time, nobody has to look at the clock.
    assert_eq!(puppet.us.next_timeout(), None);

    // Dropped, closed in both directions, failed: all leave the list.
    drop(second);
    assert_eq!(connections.len(), 1);
    assert_eq!(puppet.alert(1, 0).unwrap(), Status::Closed);
    assert!(first.is_running());
    puppet.us.close();
    assert!(connections.is_empty() && !first.is_running() && !first.end());
    let mut failing = Puppet::calling_at(&server, "CONNECTED");
    assert_eq!(connections.list()[0].id(), 2);
    failing.feed(&[0xff; 600]).unwrap_err();
    assert!(connections.is_empty());
    assert!(matches!(failing.us.error(), Some(Error::Protocol { .. })));
}

#[test]
fn a_peers_connections_are_ended() {
    let connections = Connections::new();
    let mut alices = [(); 2].map(|()| Puppet::calling_at(&listing(&connections), "CONNECTED"));
    let anonymous = servers().connections(connections.clone()).build().unwrap();
    let mut other = Puppet::calling_at(&anonymous, "CONNECTED");
    assert_eq!(connections.of_key(&WORLD.server.public_key()).len(), 0);
    assert_eq!(connections.of_key(&alice()).len(), 2);
    assert_eq!(connections.end_key(&alice()), 2);
    assert_eq!(connections.end_key(&alice()), 0);

    let [reads, writes] = &mut alices;
    // The next call ends it, whether it is one that reads or one that writes.
    assert_eq!(reads.us.next_timeout(), Some(Duration::ZERO));
    assert!(matches!(reads.at(0), Err(Error::Ended)));
    assert!(matches!(writes.us.write(b"x"), Err(Error::Ended)));
    for ended in [reads, writes] {
        ended.hears_the_end();
        ended.is_over(|error| matches!(error, Error::Ended));
    }
    assert_eq!(other.at(0).unwrap(), Status::NeedsInput);
    other.us.write(b"x").unwrap();
    other.hear_data(b"x");
    assert_eq!(connections.end_all(), 1);
    assert!(matches!(other.at(0), Err(Error::Ended)));
    assert!(connections.is_empty());
}

/// A connection that is admitted, and not in the list yet, is not missed.
#[test]
fn an_end_meets_a_handshake_that_completes() {
    let ends = |end: fn(&Connections)| {
        let connections = Connections::new();
        let server = servers()
            .client_auth(required())
            .connections(connections.clone())
            .authorize({
                let connections = connections.clone();
                move |_| {
                    // Another thread's call, after the hook has admitted the peer.
                    end(&connections);
                    Ok::<_, String>(())
                }
            });
        let mut puppet = Puppet::calling_at(&server.build().unwrap(), "WAIT_FINISHED");
        let finished = puppet.finished();
        match puppet.say(&finished) {
            Ok(_) => {
                assert!(!puppet.us.is_handshaking());
                puppet.us.write(b"x").unwrap();
                false
            }
            Err(error) => {
                assert!(matches!(error, Error::Ended), "{error}");
                // Tickets may come before it.
                let last = core::iter::from_fn(|| puppet.hear()).last().unwrap();
                assert_eq!((last.content_type, &last.content[..]), (ALERT, &[1, 0][..]));
                assert!(connections.is_empty());
                true
            }
        }
    };
    let other = |connections: &Connections| {
        assert_eq!(connections.end_key(&WORLD.server.public_key()), 0);
    };
    assert!(ends(|connections| {
        connections.end_key(&alice());
    }));
    assert!(ends(|connections| {
        connections.end_all();
    }));
    assert!(!ends(|_| {}) && !ends(other));
    assert!(!ends(|connections| {
        for _ in 0..16 {
            connections.end_key(&WORLD.server.public_key());
        }
    }));
    // More than are remembered: it may have been meant.
    assert!(ends(|connections| {
        for _ in 0..17 {
            connections.end_key(&WORLD.server.public_key());
        }
    }));
    // What came before the peer was admitted does not concern it.
    let connections = Connections::new();
    let server = listing(&connections);
    connections.end_key(&alice());
    connections.end_all();
    let mut puppet = Puppet::calling_at(&server, "CONNECTED");
    puppet.us.write(b"x").unwrap();
}

/// A program wakes its thread by shutting its socket down. That is not a truncation.
#[test]
fn an_end_comes_before_a_cut() {
    let connections = Connections::new();
    let mut puppet = Puppet::calling_at(&listing(&connections), "CONNECTED");
    let data = puppet.record(APPLICATION_DATA, b"data");
    puppet.arrive(&data);
    connections.end_all();
    puppet.us.received_end();
    assert_eq!(puppet.at(0).unwrap(), Status::Data);
    puppet.us.consume(4);
    assert!(matches!(puppet.at(0), Err(Error::Ended)));
    puppet.hears_the_end();
}

#[test]
fn the_hook_is_called_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let hook = |add| {
        let calls = calls.clone();
        move || {
            calls.fetch_add(add, Ordering::SeqCst);
        }
    };
    let count = || calls.load(Ordering::SeqCst);

    let connections = Connections::new();
    let puppet = Puppet::calling_at(&listing(&connections), "CONNECTED");
    // The later one takes the place of the earlier one.
    puppet.us.on_end(hook(100));
    puppet.us.on_end(hook(1));
    assert_eq!(count(), 0);
    connections.end_all();
    assert_eq!(count(), 1);
    connections.end_all();
    assert_eq!(count(), 1);
    // It has ended already.
    puppet.us.on_end(hook(10));
    assert_eq!(count(), 11);
    drop(puppet);
    assert_eq!(count(), 11);

    // Nobody can end this one.
    let puppet = Puppet::calling_at(&server(), "CONNECTED");
    puppet.us.on_end(hook(1000));
    drop(puppet);
    assert_eq!(count(), 11);
}
