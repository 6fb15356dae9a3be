//! Counters, of all connections of a configuration, and of one connection.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use fleeting::{
    AlertDescription, Authority, Client, Connection, Counters, EarlyData, Error, ExternalPsk,
    Handshake, LiveServer, NamedGroup, Now, Progress, PskNames, ReplayGuard, Server, SessionCache,
    Stats, Status, Stream, SystemRandom, TicketKeys,
};

use crate::pipe::{End as Pipe, wide_pipe};
use crate::support::{NAME, NOW, Pair};
use crate::world::{World, asks, client_end, server_end, undecided};

/// Asserts that these numbers have exactly these values, and all others are zero.
#[track_caller]
fn assert_counts(counters: Counters, set: impl FnOnce(&mut Counters)) {
    let mut expected = Counters::default();
    set(&mut expected);
    assert_eq!(counters, expected);
}

#[track_caller]
fn assert_stats(connection: &Connection, set: impl FnOnce(&mut Stats)) {
    let mut expected = Stats::default();
    set(&mut expected);
    assert_eq!(connection.stats(), expected);
}

/// Returns the streams of two handshakes over transports that never wait.
fn streams<A: Read + Write + Debug, B: Read + Write + Debug>(
    mut a: Handshake<A>,
    mut b: Handshake<B>,
) -> (Stream<A>, Stream<B>) {
    loop {
        match (a.advance().unwrap(), b.advance().unwrap()) {
            (Progress::Done(a), Progress::Done(b)) => return (a, b),
            (Progress::WouldBlock(waiting), Progress::WouldBlock(other)) => {
                (a, b) = (waiting, other);
            }
            (Progress::Done(a), Progress::WouldBlock(waiting)) => {
                let Progress::Done(b) = waiting.advance().unwrap() else {
                    panic!("the client has sent everything");
                };
                return (a, b);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_full_handshake_and_what_follows() {
    let world = World::new();
    assert_eq!(world.client.counters(), Counters::default());
    assert_eq!(world.server.counters(), Counters::default());

    let mut pair = world.pair(1);
    for counters in [world.client.counters(), world.server.counters()] {
        assert_counts(counters, |c| {
            c.handshakes_begun = 1;
            c.connections_open = 1;
        });
        assert_eq!(counters.handshakes_in_progress(), 1);
    }
    pair.settle();
    for counters in [world.client.counters(), world.server.counters()] {
        assert_counts(counters, |c| {
            c.handshakes_begun = 1;
            c.handshakes_full = 1;
            c.connections_open = 1;
        });
        assert_eq!(counters.handshakes_in_progress(), 0);
    }

    // Records: 10 and 0 bytes would be one record, as an empty write sends none.
    pair.client.write(b"ten bytes.");
    pair.client.write(b"");
    pair.settle();
    // 40,000 bytes fill two records and a part of a third.
    pair.server.write(&[7; 40_000]);
    pair.settle();
    pair.client.connection.rekey().unwrap();
    pair.settle();
    // The answer to the client's KeyUpdate goes out before this.
    pair.server.write(b"x");
    pair.settle();
    assert_stats(&pair.client.connection, |s| {
        (s.records_sent, s.bytes_sent, s.key_updates_sent) = (1, 10, 1);
        (s.records_received, s.bytes_received) = (4, 40_001);
        s.key_updates_received = 1;
    });
    assert_stats(&pair.server.connection, |s| {
        (s.records_sent, s.bytes_sent, s.key_updates_sent) = (4, 40_001, 1);
        (s.records_received, s.bytes_received) = (1, 10);
        s.key_updates_received = 1;
    });
    pair.client.connection.close();
    pair.settle();
    pair.server.connection.close();
    pair.settle();
    assert!(matches!(pair.client.status, Ok(Status::Closed)));

    let of_client = |c: &mut Counters| {
        c.handshakes_begun = 1;
        c.handshakes_full = 1;
        c.tickets_received = 2;
        (c.records_sent, c.bytes_sent, c.key_updates_sent) = (1, 10, 1);
        (c.records_received, c.bytes_received) = (4, 40_001);
        c.key_updates_received = 1;
        c.connections_closed = 1;
    };
    let of_server = |c: &mut Counters| {
        c.handshakes_begun = 1;
        c.handshakes_full = 1;
        c.tickets_issued = 2;
        (c.records_sent, c.bytes_sent, c.key_updates_sent) = (4, 40_001, 1);
        (c.records_received, c.bytes_received) = (1, 10);
        c.key_updates_received = 1;
        c.connections_closed = 1;
    };
    let open = |c: &mut Counters| c.connections_open = 1;
    assert_counts(world.client.counters(), |c| {
        of_client(c);
        open(c);
    });
    assert_counts(world.server.counters(), |c| {
        of_server(c);
        open(c);
    });
    // What a connection has moved is not lost with it.
    drop(pair);
    assert_counts(world.client.counters(), of_client);
    assert_counts(world.server.counters(), of_server);
    // Clones count together.
    assert_eq!(world.client.clone().counters(), world.client.counters());
}

#[test]
fn tickets_early_data_and_a_replay() {
    let world = World::new();
    world.visit(b"hello");
    let mut pair = world.pair(2);
    assert_eq!(
        pair.client.connection.write_early_data(b"early").unwrap(),
        5
    );
    let flight = pair.client.send(usize::MAX);
    pair.server.receive(&flight, usize::MAX);
    pair.settle();
    assert_eq!(pair.server.early, b"early");

    // The same first flight again.
    let mut again = server_end(&world.server);
    again.receive(&flight, usize::MAX);
    assert!(again.connection.is_handshaking() && again.early.is_empty());
    let replayed = world.server.counters();
    assert_eq!(replayed.handshakes_in_progress(), 1);
    drop(again);

    // Early data under the second ticket, for a server without it.
    let strict = World::server_with(&world.keys).build().unwrap();
    let mut rejected = Pair::between(&world.client, &strict, 4);
    rejected.client.connection.write_early_data(b"no").unwrap();
    rejected.settle();
    let outcome = rejected.client.connection.negotiated().unwrap();
    assert_eq!(outcome.early_data(), EarlyData::Rejected);
    drop((pair, rejected));

    assert_counts(world.client.counters(), |c| {
        c.handshakes_begun = 3;
        c.handshakes_full = 1;
        c.handshakes_resumed = 2;
        c.early_data_accepted = 1;
        c.early_data_rejected = 1;
        c.tickets_received = 2;
        c.tickets_used = 2;
        (c.records_received, c.bytes_received) = (1, 5);
        (c.records_sent, c.bytes_sent) = (2, 7);
    });
    assert_counts(world.server.counters(), |c| {
        c.handshakes_begun = 3;
        c.handshakes_abandoned = 1;
        c.handshakes_full = 1;
        c.handshakes_resumed = 1;
        c.early_data_accepted = 1;
        c.replays_refused = 1;
        c.tickets_issued = 2;
        c.tickets_used = 1;
        (c.records_sent, c.bytes_sent) = (1, 5);
        (c.records_received, c.bytes_received) = (1, 5);
    });
    assert_counts(strict.counters(), |c| {
        c.handshakes_begun = 1;
        c.handshakes_resumed = 1;
        c.early_data_rejected = 1;
        c.tickets_used = 1;
    });
}

#[test]
fn an_external_psk() {
    const SECRET: &[u8] = b"a secret of more than 16 bytes";
    let psk = |own, peer| ExternalPsk::new("id", SECRET, PskNames { own, peer }).unwrap();
    let of_client = psk("a client", "a server");
    let of_server = psk("a server", "a client");
    let client = Client::builder().external_psk(of_client).build().unwrap();
    let server = Server::builder()
        .external_psks([of_server])
        .build()
        .unwrap();
    let mut pair = Pair::between(&client, &server, 1);
    pair.settle();
    for counters in [client.counters(), server.counters()] {
        assert_counts(counters, |c| {
            c.handshakes_begun = 1;
            c.handshakes_psk = 1;
            c.connections_open = 1;
        });
        assert_eq!(counters.handshakes_completed(), 1);
    }
}

/// Each failure is counted once, by its kind, at both sides.
#[test]
fn failed_handshakes() {
    let stranger = Authority::new("a stranger").unwrap();
    let distrusting = Client::builder().trust(stranger.trust()).build().unwrap();
    let server = World::server_with(&TicketKeys::rotating()).build().unwrap();
    let mut pair = Pair::between(&distrusting, &server, 1);
    pair.settle();
    assert!(pair.client.error().is_authentication());
    // The client found it, and the server was told.
    assert_counts(distrusting.counters(), |c| {
        c.handshakes_begun = 1;
        c.handshakes_failed_authentication = 1;
        c.alerts_sent = 1;
        c.connections_open = 1;
    });
    assert_counts(server.counters(), |c| {
        c.handshakes_begun = 1;
        c.handshakes_failed_authentication = 1;
        c.alerts_received = 1;
        c.connections_open = 1;
    });
    // Nothing changes if the failed connections are asked again, and are dropped.
    pair.client.process();
    pair.server.process();
    pair.server.end();
    drop(pair);
    assert_counts(server.counters(), |c| {
        c.handshakes_begun = 1;
        c.handshakes_failed_authentication = 1;
        c.alerts_received = 1;
    });

    let other = World::client_with(&SessionCache::new(0)).alpn(["b"]);
    let other = other.build().unwrap();
    let mut pair = Pair::between(&other, &server, 1);
    pair.settle();
    assert!(pair.server.error().is_configuration());
    drop(pair);
    assert_counts(other.counters(), |c| {
        c.handshakes_begun = 1;
        c.handshakes_failed_configuration = 1;
        c.alerts_received = 1;
    });

    // A Finished instead of a ClientHello.
    let mut end = server_end(&server);
    end.receive(&[22, 3, 3, 0, 4, 20, 0, 0, 0], usize::MAX);
    assert!(end.error().is_peer_fault());
    drop(end);
    // A client that falls silent; one that sends nothing and leaves; one that leaves later.
    let mut end = server_end(&server);
    end.now = Now::new(Duration::from_secs(30), NOW.unix);
    end.process();
    assert!(matches!(end.error(), Error::HandshakeTimeout));
    drop(end);
    let mut end = server_end(&server);
    end.end();
    assert!(matches!(end.error(), Error::NothingReceived));
    drop(end);
    let mut end = server_end(&server);
    end.receive(&[22], 1);
    end.end();
    assert!(matches!(end.error(), Error::Truncated));
    drop(end);
    // The application closes, and drops.
    let mut end = server_end(&server);
    end.connection.close();
    assert!(matches!(end.connection.error(), Some(Error::Closed)));
    drop(end);
    drop(server_end(&server));
    assert_counts(server.counters(), |c| {
        c.handshakes_begun = 8;
        c.handshakes_failed_authentication = 1;
        c.handshakes_failed_configuration = 1;
        c.handshakes_failed_peer_fault = 1;
        c.handshakes_failed_timeout = 1;
        c.handshakes_failed_untouched = 1;
        c.handshakes_failed_retryable = 1;
        c.handshakes_abandoned = 2;
        c.alerts_received = 1;
        // no_application_protocol and unexpected_message. The time-out's user_canceled is none.
        c.alerts_sent = 2;
    });
    assert_eq!(server.counters().handshakes_failed(), 6);
    assert_eq!(server.counters().handshakes_in_progress(), 0);
}

/// The configuration that is chosen counts the connection, from then on and once.
#[test]
fn a_configuration_that_is_chosen_later() {
    let world = World::new();
    let mut client = client_end(&world.client);
    let mut server = undecided();
    server.receive(&client.send(usize::MAX), usize::MAX);
    assert!(asks(&server));
    assert_eq!(world.server.counters(), Counters::default());
    server
        .connection
        .choose(&world.server, NOW, &mut SystemRandom)
        .unwrap();
    let mut pair = Pair { client, server };
    pair.settle();
    // An answer to a question that was not asked changes nothing.
    let again = pair
        .server
        .connection
        .choose(&world.server, NOW, &mut SystemRandom);
    assert!(matches!(again, Err(Error::WrongState { .. })));
    assert_counts(world.server.counters(), |c| {
        c.handshakes_begun = 1;
        c.handshakes_full = 1;
        c.connections_open = 1;
    });
    drop(pair);

    // Refused after it was chosen, by the configuration; and by the application, before.
    let strict = World::server_with(&world.keys)
        .groups([NamedGroup::X25519_MLKEM768])
        .build()
        .unwrap();
    for _ in 0..2 {
        let mut server = undecided();
        server.receive(&client_end(&world.client).send(usize::MAX), usize::MAX);
        let chosen = server
            .connection
            .choose(&strict, NOW, &mut SystemRandom)
            .unwrap_err();
        assert!(chosen.is_configuration());
    }
    let mut server = undecided();
    server.receive(&client_end(&world.client).send(usize::MAX), usize::MAX);
    server
        .connection
        .refuse(AlertDescription::UNRECOGNIZED_NAME)
        .unwrap();
    drop(server);
    assert_counts(strict.counters(), |c| {
        c.handshakes_begun = 2;
        c.handshakes_failed_configuration = 2;
        c.alerts_sent = 2;
    });
}

#[test]
fn connections_that_end_badly_after_the_handshake() {
    let world = World::new();
    let mut pair = world.pair(1);
    pair.settle();
    pair.client.end();
    assert!(matches!(pair.client.error(), Error::Truncated));
    // A record that does not open.
    pair.server.receive(&[23, 3, 3, 0, 17], usize::MAX);
    pair.server.receive(&[0; 17], usize::MAX);
    assert!(matches!(pair.server.error(), Error::Protocol { .. }));
    drop(pair);
    assert_counts(world.client.counters(), |c| {
        c.handshakes_begun = 1;
        c.handshakes_full = 1;
        c.connections_truncated = 1;
    });
    assert_counts(world.server.counters(), |c| {
        c.handshakes_begun = 1;
        c.handshakes_full = 1;
        c.alerts_sent = 1;
        c.connections_failed = 1;
    });
}

/// A transport that fails with this error.
#[derive(Debug)]
struct Broken(io::ErrorKind);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
}

impl Write for Broken {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn transports_that_fail() {
    let world = World::new();
    for (kind, many) in [
        (io::ErrorKind::ConnectionRefused, 1),
        // Before a client has sent anything, a reset is like a close.
        (io::ErrorKind::ConnectionReset, 1),
        // A socket's time-out, which it returns as one or the other.
        (io::ErrorKind::TimedOut, 1),
        (io::ErrorKind::WouldBlock, 2),
    ] {
        for _ in 0..many {
            world.server.accept(Broken(kind)).unwrap_err();
        }
    }
    assert_counts(world.server.counters(), |c| {
        c.handshakes_begun = 5;
        c.handshakes_failed_retryable = 1;
        c.handshakes_failed_untouched = 1;
        c.handshakes_failed_timeout = 3;
    });

    // After the handshake, in each direction: once a connection.
    let (a, b) = wide_pipe();
    let client = world.client.start(NAME, a).unwrap();
    let (mut client, server) = streams(client, world.server.start(b));
    // The pipe returns `WouldBlock`, which is no failure.
    assert!(client.read(&mut [0; 10]).is_err());
    assert_eq!(world.client.counters().connections_failed, 0);
    // Its writer is deaf once the other end is gone.
    drop(server.into_inner());
    assert!(client.write(b"x").is_err() && client.write(b"x").is_err());
    drop(client);
    let counters = world.client.counters();
    assert_eq!(counters.connections_failed, 1);
    assert_eq!(counters.connections_open, 0);
    assert_eq!(counters.connections_truncated, 0);
}

/// A split connection is open until both halves are dropped, and a failure is counted once,
/// whichever half finds it.
#[test]
fn split_halves() {
    let world = World::new();
    let (a, b) = wide_pipe();
    let halves = |end: Pipe| fleeting::Pair {
        reader: end.reader(),
        writer: end,
    };
    let client = world.client.start(NAME, halves(a)).unwrap();
    let (client, server) = streams(client, world.server.start(halves(b)));
    let (mut reader, mut writer) = client.into_split().unwrap();
    let (server_reader, mut server_writer) = server.into_split().unwrap();
    writer.write_all(b"hello").unwrap();
    writer.rekey().unwrap();
    server_writer.write_all(b"four").unwrap();
    reader.read_exact(&mut [0; 4]).unwrap();
    let of_client = |c: &mut Counters| {
        c.handshakes_begun = 1;
        c.handshakes_full = 1;
        c.tickets_received = 2;
        (c.records_sent, c.bytes_sent, c.key_updates_sent) = (1, 5, 1);
        (c.records_received, c.bytes_received) = (1, 4);
    };
    assert_counts(world.client.counters(), |c| {
        of_client(c);
        c.connections_open = 1;
    });
    server_writer.write_all(b"!").unwrap();
    server_writer.close().unwrap();
    drop((server_reader, server_writer));
    assert_eq!(world.server.counters().connections_open, 0);
    drop(writer);
    assert_eq!(world.client.counters().connections_open, 1);
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    drop(reader);
    assert_counts(world.client.counters(), |c| {
        of_client(c);
        (c.records_received, c.bytes_received) = (2, 5);
        c.connections_closed = 1;
    });
}

/// A live server counts with all its configurations, and loses nothing when one is replaced.
#[test]
fn a_live_server_counts_on() {
    let world = World::new();
    let live = LiveServer::from(world.server.clone());
    let connect = |server: &Server| {
        let mut pair = Pair::between(&world.client, server, 1);
        pair.settle();
        pair
    };
    let first = connect(&live.current());
    let other = World::server_with(&world.keys)
        .early_data(1_000, ReplayGuard::in_memory(1))
        .build()
        .unwrap();
    drop(connect(&other));
    let former = live.replace(other.clone());
    let second = connect(&live.current());
    assert_eq!(live.counters().handshakes_full, 2);
    assert_eq!(live.counters().connections_open, 2);
    assert_eq!(live.counters(), live.clone().counters());
    // What it did by itself, before it became a configuration of the live server.
    assert_eq!(other.counters().handshakes_full, 1);
    assert_eq!(former.counters(), live.counters());
    drop((first, second));
    assert_eq!(live.counters().connections_open, 0);
}

/// 64 threads: nothing is lost, and the numbers agree with each other in every snapshot.
#[test]
fn many_threads() {
    const THREADS: u64 = 64;
    const EACH: u64 = 6;
    let world = World::new();
    let (client, server) = (&world.client, &world.server);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for turn in 0..EACH {
                    let mut pair = Pair::between(client, server, thread * EACH + turn);
                    if turn == 0 {
                        // Dropped in the middle.
                        let hello = pair.client.send(usize::MAX);
                        pair.server.receive(&hello, usize::MAX);
                        continue;
                    }
                    pair.settle();
                    pair.client.write(&[1; 1_000]);
                    pair.server.write(&[2; 20_000]);
                    pair.client.connection.rekey().unwrap();
                    pair.settle();
                }
            });
        }
        scope.spawn(|| {
            let mut before = Counters::default();
            while before.handshakes_completed() < THREADS * (EACH - 1) {
                let now = server.counters();
                assert!(now.handshakes_in_progress() <= now.connections_open);
                assert!(now.connections_open <= THREADS);
                assert!(now.handshakes_begun >= before.handshakes_begun);
                // No dip when a connection's numbers move from itself to the sum.
                assert!(now.bytes_sent >= before.bytes_sent);
                assert!(now.records_received >= before.records_received);
                before = now;
            }
        });
    });
    let counters = client.counters();
    let complete = THREADS * (EACH - 1);
    assert_eq!(counters.handshakes_begun, THREADS * EACH);
    assert_eq!(counters.handshakes_abandoned, THREADS);
    assert_eq!(counters.handshakes_completed(), complete);
    assert_eq!(counters.handshakes_in_progress(), 0);
    assert_eq!(counters.connections_open, 0);
    assert_eq!(counters.bytes_sent, complete * 1_000);
    assert_eq!(counters.records_sent, complete);
    assert_eq!(counters.bytes_received, complete * 20_000);
    assert_eq!(counters.records_received, complete * 2);
    assert_eq!(counters.key_updates_sent, complete);
    let server = server.counters();
    assert_eq!(server.handshakes_resumed, counters.handshakes_resumed);
    assert_eq!(server.bytes_received, counters.bytes_sent);
    assert_eq!(server.bytes_sent, counters.bytes_received);
    assert_eq!(server.key_updates_received, counters.key_updates_sent);
    assert_eq!(server.tickets_issued, counters.tickets_received);
}
