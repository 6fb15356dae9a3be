//! Early data (0-RTT) from OpenSSL's `s_client` and to its `s_server`, 3.0 or newer. Debian:
//! `apt-get install openssl`.
//!
//! `s_client` sends a file if its session allows it, and prints the outcome. `s_server` prints
//! early data, and does not answer it. With anti-replay, its default, it keeps the sessions itself
//! and uses each once.

use std::io::Write;

use fleeting::{
    Client, ClientAuth, EarlyData, ReplayEntry, ReplayGuard, ReplayStore, ReplayVerdict, Server,
    ServerBuilder, SessionCache, Status, SystemRandom, TicketKeys,
};

use crate::openssl::commands::{
    count, end_with_s_client, exchange_and_rekey, s_client, s_server, with_identity, with_session,
};
use crate::program::{
    Door, Program, Tls, World, accept_early, connect, connect_early, expect_end, settle,
};
use crate::speaker::{P256, X25519};
use crate::support::{CLIENT_NAME, SUITES, lines, now};
use crate::wire::{EARLY_DATA, PRE_SHARED_KEY};

/// How much early data a server accepts and a client sends, in bytes: several records.
const MAX_SIZE: u32 = 40_000;
const SIZE: usize = 40_000;

const ANSWER: &[u8] = b"1 answer before all else\n";

fn guard() -> ReplayGuard {
    ReplayGuard::in_memory(100)
}

// ---- s_client to us ----

/// A full handshake is followed by early data under its tickets, and under the tickets of
/// connections that had early data.
#[test]
#[ignore = "needs openssl"]
fn s_client_sends_early_data() {
    let world = World::new();
    let trust = world.pki.authority.trust();
    let early = lines("early", SIZE);
    let file = world.folder.write("early", &early);
    for suite in SUITES {
        for (client_auth, shown) in [
            (ClientAuth::None, false),
            (ClientAuth::Required(trust.clone()), true),
        ] {
            println!("{}, {client_auth:?}", suite.1);
            let builder = Server::builder()
                .identity(world.pki.server.clone())
                .client_auth(client_auth)
                .alpn(["x", "y"]);
            let server = builder.early_data(MAX_SIZE, guard()).build().unwrap();
            let session = world.folder.path("session");
            for number in 1..=3 {
                let mut arguments = vec![
                    "-CAfile",
                    &world.ca,
                    "-ciphersuites",
                    suite.1,
                    "-early_data",
                    &file,
                ];
                arguments.extend(with_session(&session, number > 1));
                if shown {
                    arguments.extend(with_identity(&world.client));
                    arguments.extend(["-alpn", "z,y"]);
                }
                let door = Door::open();
                let program = s_client(&world, &door, &arguments);
                let (stream, received) =
                    accept_early(&server, door.wait(&program), ANSWER).unwrap();
                let accepted = number > 1;
                assert!(
                    received == if accepted { &early[..] } else { b"" },
                    "received {} bytes",
                    received.len()
                );
                assert_eq!(
                    stream.early_data(),
                    if accepted {
                        EarlyData::Accepted
                    } else {
                        EarlyData::NotOffered
                    }
                );
                assert_eq!(stream.get_ref().client_offered(EARLY_DATA), accepted);
                assert_eq!(
                    (stream.resumed(), stream.cipher_suite()),
                    (accepted, suite.0)
                );
                assert_eq!(stream.alpn(), shown.then_some(&b"y"[..]));
                assert_eq!(
                    stream.peer().and_then(|peer| peer.common_name()).as_deref(),
                    shown.then_some(CLIENT_NAME)
                );
                program.wait_for(if accepted {
                    "\nEarly data was accepted\n"
                } else {
                    "\nEarly data was not sent\n"
                });
                if accepted {
                    program.wait_for(ANSWER);
                }
                assert_eq!(
                    count(&world, ">>>", "EndOfEarlyData"),
                    usize::from(accepted)
                );
                end_with_s_client(stream, program);
            }
        }
    }
}

/// The handshake continues whatever the reason for the rejection, and the data after it is read.
#[test]
#[ignore = "needs openssl"]
fn we_reject_s_clients_early_data() {
    let world = World::new();
    let file = world.folder.write("early", lines("early", SIZE));
    let takes_it = |server: ServerBuilder| server.early_data(MAX_SIZE, guard());
    type Change<'a> = &'a dyn Fn(ServerBuilder) -> ServerBuilder;
    // The change to our server, whether it then accepts the ticket, and whether it retries.
    let rows: [(&str, Change<'_>, bool, bool); 6] = [
        ("no early data", &|server| server, true, false),
        ("another guard, as after a restart", &takes_it, true, false),
        (
            "another protocol",
            &|server| takes_it(server).alpn(["y", "x"]),
            true,
            false,
        ),
        (
            "another group",
            &|server| takes_it(server).groups([P256]),
            true,
            true,
        ),
        (
            "a cookie",
            &|server| takes_it(server).retry_cookie(true),
            true,
            true,
        ),
        (
            "other ticket keys",
            &|server| takes_it(server).ticket_keys(TicketKeys::rotating()),
            false,
            false,
        ),
    ];
    for (what, change, resumed, retried) in rows {
        println!("{what}");
        let keys = TicketKeys::rotating();
        let builder = || {
            Server::builder()
                .identity(world.pki.server.clone())
                .alpn(["x", "y"])
                .ticket_keys(keys.clone())
        };
        let session = world.folder.path("session");
        for (server, second) in [(takes_it(builder()), false), (change(builder()), true)] {
            let arguments = [
                "-CAfile",
                &world.ca,
                "-early_data",
                &file,
                "-alpn",
                "x,y",
                "-groups",
                "X25519:P-256",
            ];
            let door = Door::open();
            let program = s_client(
                &world,
                &door,
                &[&arguments[..], &with_session(&session, second)].concat(),
            );
            let (stream, received) =
                accept_early(&server.build().unwrap(), door.wait(&program), ANSWER).unwrap();
            assert!(received.is_empty());
            assert_eq!(
                stream.early_data(),
                if second {
                    EarlyData::Rejected
                } else {
                    EarlyData::NotOffered
                }
            );
            assert_eq!(stream.get_ref().client_offered(EARLY_DATA), second);
            assert_eq!(
                (stream.resumed(), stream.get_ref().retried()),
                (second && resumed, second && retried)
            );
            program.wait_for(if second {
                "\nEarly data was rejected\n"
            } else {
                "\nEarly data was not sent\n"
            });
            assert_eq!(count(&world, ">>>", "EndOfEarlyData"), 0);
            end_with_s_client(stream, program);
        }
    }
}

/// A store that reports everything as new.
struct Forgetful;

impl ReplayStore for Forgetful {
    fn check_and_insert(&self, _: &ReplayEntry) -> ReplayVerdict {
        ReplayVerdict::Fresh
    }
}

/// A recorded connection is replayed to the same server (RFC 9846, 8.2), which accepts the PSK but
/// no early data.
#[test]
#[ignore = "needs openssl"]
fn s_clients_early_data_is_not_taken_twice() {
    let world = World::new();
    let early = lines("early", 1000);
    let file = world.folder.write("early", &early);
    for (guard, taken_again) in [
        (guard(), false),
        (ReplayGuard::with_store("store", Forgetful), true),
    ] {
        let server = Server::builder()
            .identity(world.pki.server.clone())
            .early_data(MAX_SIZE, guard)
            .build()
            .unwrap();
        let session = world.folder.path("session");
        // A client may use a ticket twice, which is not a replay, since its ClientHello is another
        // one.
        for number in 1..=3 {
            let arguments = if number == 1 {
                with_session(&session, false)
            } else {
                vec!["-sess_in", &session]
            };
            let door = Door::open();
            let program = s_client(
                &world,
                &door,
                &[
                    &["-CAfile", &world.ca, "-early_data", &file],
                    &arguments[..],
                ]
                .concat(),
            );
            let (stream, received) = accept_early(&server, door.wait(&program), ANSWER).unwrap();
            assert_eq!(received, if number == 1 { &b""[..] } else { &early });

            if number > 1 {
                let mut replay = server.connection(now());
                let mut flight = stream.get_ref().received();
                while !flight.is_empty() {
                    let space = replay.input();
                    let (piece, later) = flight.split_at(flight.len().min(space.len()).min(256));
                    space[..piece.len()].copy_from_slice(piece);
                    replay.received(piece.len());
                    let _ = replay.process(now(), &mut SystemRandom).unwrap();
                    flight = later;
                }
                let status = replay.process(now(), &mut SystemRandom).unwrap();
                let (expected, taken) = if taken_again {
                    (Status::EarlyData, &early[..])
                } else {
                    (Status::NeedsInput, &b""[..])
                };
                assert_eq!((status, replay.early_plaintext()), (expected, taken));
                assert!(replay.is_handshaking());
            }
            end_with_s_client(stream, program);
        }
    }
}

// ---- us to s_server ----

/// Asserts that the program printed this early data.
fn assert_read(program: &Program, early: &[u8]) {
    // Its first message comes after the first record of 16 KiB.
    program.wait_for("Early data received:\n");
    early
        .chunks(16_384)
        .for_each(|piece| program.wait_for(piece));
    program.wait_for("\nEnd of early data\n");
}

/// Sends data in both directions, and ends the connection from our side.
fn end_with_s_server(mut stream: Tls, program: &Program, what: &str) {
    settle(&mut stream, program, what);
    exchange_and_rekey(&mut stream, program, what);
    stream.close().unwrap();
    expect_end(&mut stream, program);
}

#[test]
#[ignore = "needs openssl"]
fn we_send_early_data_to_s_server() {
    let world = World::new();
    for suite in SUITES {
        for (anti_replay, alpn) in [("-anti_replay", &["x"][..]), ("-no_anti_replay", &[])] {
            println!("{}, {anti_replay}", suite.1);
            let client = Client::builder()
                .trust(world.pki.authority.trust())
                .early_data(true)
                .alpn(alpn.iter().copied())
                .build()
                .unwrap();
            let arguments = [
                "-naccept",
                "3",
                "-ciphersuites",
                suite.1,
                "-early_data",
                "-max_early_data",
                "40000",
                "-recv_max_early_data",
                "40000",
                anti_replay,
            ];
            let (mut program, port) = s_server(
                &world,
                &world.server,
                &[&arguments[..], &["-alpn", "y,x"]].concat(),
            );
            let stream = connect(&client, port).unwrap();
            assert_eq!(stream.early_data(), EarlyData::NotOffered);
            end_with_s_server(stream, &program, "first");
            assert_eq!(program.times("No early data received\n"), 1);
            for number in 2..=3 {
                let early = lines(&format!("early {number}"), SIZE);
                let stream = connect_early(&client, port, &early).unwrap();
                assert_eq!(
                    (stream.early_data(), stream.cipher_suite()),
                    (EarlyData::Accepted, suite.0)
                );
                assert_eq!(stream.alpn(), alpn.first().map(|alpn| alpn.as_bytes()));
                assert!(stream.resumed());
                assert_read(&program, &early);
                end_with_s_server(stream, &program, &format!("{number}"));
                assert_eq!(count(&world, "<<<", "EndOfEarlyData"), number - 1);
            }
            program.finish_well();
        }
    }
}

/// A connection leaves a session. The next one is to the same server with another request, to a
/// server that accepts no early data, or to a restarted one.
#[test]
#[ignore = "needs openssl"]
fn s_server_rejects_our_early_data() {
    let world = World::new();
    // The additional arguments of the server, the protocols and the share of the second client,
    // whether the server is restarted, and whether it retries.
    type Row = (
        &'static str,
        &'static [&'static str],
        &'static [&'static str],
        fleeting::NamedGroup,
        bool,
        bool,
    );
    let rows: [Row; 5] = [
        (
            "it reads none",
            &["-anti_replay"],
            &["y"],
            X25519,
            false,
            false,
        ),
        (
            "another protocol",
            &["-early_data"],
            &["x", "y"],
            X25519,
            false,
            false,
        ),
        // With anti-replay it would forget its session at the first ClientHello.
        (
            "another group",
            &["-early_data", "-groups", "X25519", "-no_anti_replay"],
            &["y"],
            P256,
            false,
            true,
        ),
        (
            "started anew",
            &["-early_data"],
            &["y"],
            X25519,
            true,
            false,
        ),
        (
            "started anew, without anti-replay",
            &["-early_data", "-no_anti_replay"],
            &["y"],
            X25519,
            true,
            false,
        ),
    ];
    for (what, arguments, alpn, share, anew, retried) in rows {
        println!("{what}");
        let sessions = SessionCache::new(8);
        let builder = || {
            Client::builder()
                .trust(world.pki.authority.trust())
                .sessions(sessions.clone())
                .early_data(true)
        };
        let fixed = [
            "-alpn",
            "x,y",
            "-max_early_data",
            "40000",
            "-recv_max_early_data",
            "41000",
            "-naccept",
            "2",
        ];
        let start = || s_server(&world, &world.server, &[&fixed, arguments].concat());
        let (mut program, mut port) = start();
        end_with_s_server(
            connect(&builder().alpn(["y"]).build().unwrap(), port).unwrap(),
            &program,
            "first",
        );
        if anew {
            (program, port) = start();
        }
        let client = builder()
            .alpn(alpn.iter().copied())
            .groups([X25519, P256])
            .key_shares([share])
            .build()
            .unwrap();
        // After a retry it does not skip records that are longer than an unprotected one may be.
        let size = if retried { 16_000 } else { SIZE };
        let stream = connect_early(&client, port, &lines("early", size)).unwrap();
        assert_eq!(stream.early_data(), EarlyData::Rejected);
        assert_eq!(
            (stream.resumed(), stream.get_ref().retried()),
            (!anew, retried)
        );
        assert!(stream.get_ref().client_offered(PRE_SHARED_KEY));
        end_with_s_server(stream, &program, "second");
        assert_eq!(program.times("Early data received:"), 0);
        assert_eq!(
            program.times("Early data was rejected\n"),
            usize::from(arguments.contains(&"-early_data"))
        );
        assert_eq!(count(&world, "<<<", "EndOfEarlyData"), 0);
    }
}

/// Data beyond a server's limit is not sent early.
#[test]
#[ignore = "needs openssl"]
fn s_server_is_sent_no_more_than_it_takes() {
    let world = World::new();
    let client = Client::builder()
        .trust(world.pki.authority.trust())
        .early_data(true)
        .build()
        .unwrap();
    let (program, port) = s_server(
        &world,
        &world.server,
        &["-naccept", "2", "-early_data", "-max_early_data", "100"],
    );
    end_with_s_server(connect(&client, port).unwrap(), &program, "first");
    let mut handshake = client
        .start(crate::support::SERVER_NAME, crate::program::dial(port))
        .unwrap();
    let early = lines("early", 128);
    let mut writer = handshake.early_data().unwrap();
    assert_eq!(
        (
            writer.remaining(),
            writer.write(&early).unwrap(),
            writer.remaining()
        ),
        (100, 100, 0)
    );
    assert_eq!(writer.write(&early[100..]).unwrap(), 0);
    let stream = handshake.finish().unwrap();
    assert_eq!(stream.early_data(), EarlyData::Accepted);
    assert_read(&program, &early[..100]);
    end_with_s_server(stream, &program, "second");
}
