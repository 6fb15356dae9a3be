//! Java's JSSE, JDK 17, through the program `peer.java`. Debian: `apt-get install
//! openjdk-17-jdk-headless` (the JDK, because the JRE cannot run a source file).
//!
//! A JDK counts what it sends and what it receives under one key. Past its limit for what it sends,
//! it renews its keys and asks for ours. Past its limit for what it receives, it does so with every
//! record that comes, until it has an answer. The limit is 2^37 bytes by default, and 2^17 here.

use std::io::{Read, Write};
use std::thread;

use fleeting::{CipherSuite, Client, Server, Stream};
use sha2::{Digest, Sha256};

use crate::program::{Door, Program, Tls, World, connect, expect, expect_end};
use crate::support::lines;
use crate::wire::Wire;

const INSTALL: &str = "apt-get install openjdk-17-jdk-headless";

/// The limit after which a JDK asks for other keys, and the suite that it is for.
const SECURITY: &str = "jdk.tls.keyLimits=AES/GCM/NoPadding KeyUpdate 2^17\n";
const SUITE: CipherSuite = CipherSuite::TLS_AES_128_GCM_SHA256;

const ROUNDS: usize = 3;

/// The sizes of records, and how many go each way in a round: far more than the limit, and than 64.
const SIZES: [(usize, usize); 2] = [(200, 2000), (16_384, 250)];

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Client,
    Server,
}

/// Connects to a JDK on this side, which writes records of `size` bytes, `length` bytes a round.
fn start(jdk: Side, (size, length): (usize, usize), at_once: bool) -> (World, Program, Tls) {
    let world = World::new();
    let security = world.folder.write("java.security", SECURITY);
    let security = format!("-Djava.security.properties={security}");
    let door = Door::open();
    let address = format!("127.0.0.1:{}", door.port());
    let (size, length) = (size.to_string(), length.to_string());
    let (rounds, at_once) = (ROUNDS.to_string(), at_once.to_string());
    let mut arguments = vec![
        &security,
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/peer.java"),
        "--ca",
        &world.ca,
        "--size",
        &size,
        "--length",
        &length,
        "--rounds",
        &rounds,
        "--at-once",
        &at_once,
    ];
    match jdk {
        Side::Client => arguments.extend(["--connect", &address]),
        Side::Server => {
            arguments.extend(["--cert", &world.server.chain, "--key", &world.server.key]);
        }
    }
    let program = Program::start("java", INSTALL, arguments);
    let stream = match jdk {
        Side::Client => {
            let server = Server::builder()
                .identity(world.pki.server.clone())
                .cipher_suites([SUITE])
                .build()
                .unwrap();
            door.accept(&server, &program).unwrap()
        }
        Side::Server => {
            let client = Client::builder()
                .trust(world.pki.authority.trust())
                .cipher_suites([SUITE])
                .build()
                .unwrap();
            let port = program.wait_for_line("port: ").parse().unwrap();
            connect(&client, port).unwrap()
        }
    };
    assert_eq!(program.wait_for_line("suite: "), "TLS_AES_128_GCM_SHA256");
    (world, program, stream)
}

/// What we write in a round, and what the JDK writes.
fn content(length: usize) -> (Vec<u8>, Vec<u8>) {
    let theirs = (0..length.div_ceil(32))
        .flat_map(|number| format!("{number:08} from a JDK ...............\n").into_bytes())
        .take(length)
        .collect();
    let mut ours = lines("us", length);
    ours.truncate(length);
    (ours, theirs)
}

/// Asserts that the JDK has read what we wrote.
fn has_read(program: &Program, round: usize, ours: &[u8]) {
    let hash: String = Sha256::digest(ours)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(program.wait_for_line(&format!("{round}. read: ")), hash);
}

/// Asserts that it renewed its keys more often than it may without data, so that this tested
/// something.
fn has_renewed(wire: &Wire) {
    let renewals = wire.key_updates();
    assert!(renewals > 64, "only {renewals} KeyUpdates");
}

/// We write all of a round, and only then read what the JDK asked for meanwhile.
fn one_stream(jdk: Side) {
    for (size, count) in SIZES {
        println!("{count} records of {size} bytes");
        let length = size * count;
        let (_world, mut program, mut stream) = start(jdk, (size, length), false);
        let (ours, theirs) = content(length);
        for round in 1..=ROUNDS {
            for record in ours.chunks(size) {
                stream
                    .write_all(record)
                    .unwrap_or_else(|error| panic!("{error}.{}", program.report()));
            }
            has_read(&program, round, &ours);
            expect(&mut stream, &theirs, &program);
        }
        has_renewed(stream.get_ref());
        expect_end(&mut stream, &program);
        stream.close().unwrap();
        program.finish_well();
    }
}

/// Both sides write at the same time, each with one thread to write and one to read.
fn split_halves(jdk: Side) {
    for (size, count) in SIZES {
        println!("{count} records of {size} bytes");
        let length = size * count;
        let (_world, mut program, stream) = start(jdk, (size, length), true);
        let (ours, theirs) = content(length);
        let (mut reader, mut writer) = Stream::into_split(stream).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..=ROUNDS {
                    for record in ours.chunks(size) {
                        writer
                            .write_all(record)
                            .unwrap_or_else(|error| panic!("{error}.{}", program.report()));
                    }
                    has_read(&program, round, &ours);
                }
            });
            let mut received = vec![0; length];
            for _ in 0..ROUNDS {
                reader
                    .read_exact(&mut received)
                    .unwrap_or_else(|error| panic!("{error}.{}", program.report()));
                assert!(received == theirs, "received something else");
            }
        });
        has_renewed(reader.get_ref());
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        writer.close().unwrap();
        program.finish_well();
    }
}

#[test]
#[ignore = "needs java"]
fn jdk_client_renews_its_keys_on_one_stream() {
    one_stream(Side::Client);
}

#[test]
#[ignore = "needs java"]
fn jdk_server_renews_its_keys_on_one_stream() {
    one_stream(Side::Server);
}

#[test]
#[ignore = "needs java"]
fn jdk_client_renews_its_keys_on_split_halves() {
    split_halves(Side::Client);
}

#[test]
#[ignore = "needs java"]
fn jdk_server_renews_its_keys_on_split_halves() {
    split_halves(Side::Server);
}
