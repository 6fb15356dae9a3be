//! Which secrets both sides log, and that they decrypt what was sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleeting::{
    CipherSuite, Client, ClientBuilder, Connection, EarlyData, KeyLog, NamedGroup, Now,
    ReplayGuard, Secret, Server, ServerBuilder, SessionCache, Status, TicketKeys,
};
use sha2::{Digest, Sha256, Sha384};

use crate::opened::{Opened, expand, opened};
use crate::support::{End, NAME, NOW, Pair, SUITES, Seeded, pki, records};

/// Keeps what is logged: label, client random, secret.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Line>>>);

type Line = (String, [u8; 32], Vec<u8>);

impl KeyLog for Kept {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &Secret) {
        let line = (label.to_owned(), *client_random, secret.expose().to_vec());
        self.0.lock().unwrap().push(line);
    }
}

impl Kept {
    fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A client and a server with a log each.
struct World {
    client: Client,
    server: Server,
    /// The same server, without early data.
    refusing: Server,
    of_client: Kept,
    of_server: Kept,
}

fn client(suite: CipherSuite) -> ClientBuilder {
    Client::builder()
        .trust(pki().authority.trust())
        .cipher_suites([suite])
        .groups([NamedGroup::X25519, NamedGroup::SECP256R1])
        .key_shares([NamedGroup::X25519])
}

fn server() -> ServerBuilder {
    Server::builder().identity(pki().server.clone())
}

impl World {
    fn new(suite: CipherSuite) -> Self {
        let (of_client, of_server) = (Kept::default(), Kept::default());
        let keys = TicketKeys::rotating();
        let serving = || {
            server()
                .ticket_keys(keys.clone())
                .key_log(of_server.clone())
        };
        Self {
            client: client(suite)
                .sessions(SessionCache::new(8))
                .early_data(true)
                .key_log(of_client.clone())
                .build()
                .unwrap(),
            server: serving()
                .early_data(1_000, ReplayGuard::in_memory(100))
                .build()
                .unwrap(),
            refusing: serving().build().unwrap(),
            of_client,
            of_server,
        }
    }
}

/// Connects a pair. Data and updates of the keys go both ways. Returns the pair.
fn talk(mut pair: Pair) -> Pair {
    pair.settle();
    pair.assert_same_view();
    for round in 0..3_u8 {
        // Extended key updates are limited by time.
        let later = Duration::from_secs(1 + u64::from(round));
        let now = Now::new(NOW.monotonic + later, NOW.unix + later);
        (pair.client.now, pair.server.now) = (now, now);
        pair.client.write(&[b'a' + round; 40]);
        pair.server.write(&[b'A' + round; 50]);
        pair.settle();
        pair.client.connection.rekey().unwrap();
        pair.settle();
    }
    pair.client.write(b"the client's last");
    pair.server.write(b"the server's last");
    pair.settle();
    assert!(pair.client.read.ends_with(b"the server's last"));
    assert!(pair.server.read.ends_with(b"the client's last"));
    pair
}

const FULL: [&str; 5] = [
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
];

const EARLY: &str = "CLIENT_EARLY_TRAFFIC_SECRET";

fn labels(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|(label, ..)| label.as_str()).collect()
}

/// Returns the Random of the first ClientHello: after the headers of record and message, and
/// legacy_version.
fn client_random(pair: &Pair) -> [u8; 32] {
    pair.client.sent[11..43].try_into().unwrap()
}

fn secret_of<'a>(lines: &'a [Line], wanted: &str) -> &'a [u8] {
    let line = lines.iter().find(|(label, ..)| label == wanted).unwrap();
    &line.2
}

/// Computes what [`End::export`] returns (RFC 9846, 7.5).
fn export(suite: CipherSuite, secret: &[u8]) -> Vec<u8> {
    let hash = |bytes: &[u8]| match suite {
        CipherSuite::TLS_AES_256_GCM_SHA384 => Sha384::digest(bytes).to_vec(),
        _ => Sha256::digest(bytes).to_vec(),
    };
    let derived = expand(suite, secret, b"EXPORTER-pair", &hash(b""), secret.len());
    expand(suite, &derived, b"exporter", &hash(b"context"), 40)
}

/// Decrypts what both sides sent with these secrets, and checks the exporter's. Returns the
/// client's records and the server's.
fn decrypt(suite: CipherSuite, pair: &Pair, lines: &[Line]) -> [Vec<Opened>; 2] {
    for (_, random, secret) in lines {
        assert_eq!(*random, client_random(pair));
        let sha384 = suite == CipherSuite::TLS_AES_256_GCM_SHA384;
        assert_eq!(secret.len(), if sha384 { 48 } else { 32 });
    }
    let exporter = secret_of(lines, "EXPORTER_SECRET");
    assert_eq!(export(suite, exporter), pair.client.export());

    ["CLIENT", "SERVER"].map(|side| {
        let secrets: Vec<_> = lines
            .iter()
            .filter(|(label, ..)| label.starts_with(side))
            .map(|(label, _, secret)| (label.clone(), secret.clone()))
            .collect();
        let sent = match side {
            "CLIENT" => &pair.client.sent,
            _ => &pair.server.sent,
        };
        opened(suite, sent, &secrets)
    })
}

/// Asserts that the two sides' data and their Finished were decrypted, under the right secrets.
fn assert_all_read(sides: &[Vec<Opened>; 2]) {
    for (side, records) in ["CLIENT", "SERVER"].iter().zip(sides) {
        let finished = records
            .iter()
            .rfind(|record| record.under.0 == format!("{side}_HANDSHAKE_TRAFFIC_SECRET"))
            .unwrap();
        assert_eq!(finished.content_type, 22);
        let last = records.last().unwrap();
        assert_eq!(last.content_type, 23);
        let said = format!("the {}'s last", side.to_lowercase());
        assert_eq!(last.content, said.as_bytes());
        // Each request of the client renewed both keys.
        assert_eq!(last.under, (format!("{side}_TRAFFIC_SECRET_0"), 3));
    }
}

#[test]
fn a_full_handshake_and_key_updates() {
    for suite in SUITES {
        let world = World::new(suite);
        let pair = talk(Pair::between(&world.client, &world.server, 1));
        let lines = world.of_client.take();
        // KeyUpdates are not logged.
        assert_eq!(labels(&lines), FULL);
        assert_eq!(lines, world.of_server.take());
        assert_all_read(&decrypt(suite, &pair, &lines));
    }
}

/// draft-ietf-tls-extended-key-update, "SSLKEYLOGFILE Update".
#[test]
fn the_epochs_of_extended_key_updates() {
    for suite in SUITES {
        let (of_client, of_server) = (Kept::default(), Kept::default());
        let client = client(suite)
            .extended_key_update(true)
            .key_log(of_client.clone())
            .build()
            .unwrap();
        let server = server()
            .extended_key_update(true)
            .key_log(of_server.clone())
            .build()
            .unwrap();
        let pair = talk(Pair::between(&client, &server, 1));
        let lines = of_client.take();
        let mut expected: Vec<_> = FULL.map(str::to_owned).to_vec();
        for epoch in 1..=3 {
            for label in ["CLIENT_TRAFFIC", "SERVER_TRAFFIC", "EXPORTER"] {
                expected.push(format!("{label}_SECRET_{epoch}"));
            }
        }
        assert_eq!(labels(&lines), expected);
        assert_eq!(lines, of_server.take());

        let sides = decrypt(suite, &pair, &lines);
        for (side, records) in ["CLIENT", "SERVER"].iter().zip(sides) {
            let last = records.last().unwrap();
            let said = format!("the {}'s last", side.to_lowercase());
            assert_eq!(last.content, said.as_bytes());
            assert_eq!(last.under, (format!("{side}_TRAFFIC_SECRET_3"), 0));
        }
        let exporter = secret_of(&lines, "EXPORTER_SECRET_3");
        let exported = pair.server.connection.export_epoch_keying_material(
            3,
            b"EXPORTER-pair",
            b"context",
            40,
        );
        assert_eq!(export(suite, exporter), exported.unwrap().expose());
    }
}

#[test]
fn a_wrong_secret_opens_nothing() {
    let world = World::new(SUITES[0]);
    let pair = talk(Pair::between(&world.client, &world.server, 1));
    let lines = world.of_client.take();
    for wrong in 0..lines.len() {
        let mut lines = lines.clone();
        lines[wrong].2[0] ^= 1;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            assert_all_read(&decrypt(SUITES[0], &pair, &lines));
        }));
        assert!(result.is_err(), "{}", lines[wrong].0);
    }
}

#[test]
fn resumption_with_early_data_that_is_accepted_and_rejected() {
    for suite in SUITES {
        let world = World::new(suite);
        for (server, outcome) in [
            (&world.server, EarlyData::NotOffered),
            (&world.server, EarlyData::Accepted),
            (&world.refusing, EarlyData::Rejected),
        ] {
            let mut pair = Pair::between(&world.client, server, 2);
            if outcome != EarlyData::NotOffered {
                pair.client.connection.write_early_data(b"early").unwrap();
            }
            let pair = talk(pair);
            let negotiated = pair.client.connection.negotiated().unwrap();
            assert_eq!(negotiated.early_data(), outcome);
            let (of_client, of_server) = (world.of_client.take(), world.of_server.take());
            let with_early = [&[EARLY][..], &FULL].concat();
            match outcome {
                EarlyData::NotOffered => {
                    assert_eq!(labels(&of_client), FULL);
                    assert_eq!(of_client, of_server);
                }
                EarlyData::Accepted => {
                    assert_eq!(labels(&of_client), with_early);
                    assert_eq!(of_client, of_server);
                }
                // RFC 9850: "a server that rejects early data will not log this secret, though a
                // client that attempts early data can do so unconditionally".
                EarlyData::Rejected => {
                    assert_eq!(labels(&of_client), with_early);
                    assert_eq!(of_client[1..], of_server);
                }
            }
            let sides = decrypt(suite, &pair, &of_client);
            assert_all_read(&sides);
            if outcome != EarlyData::NotOffered {
                assert_eq!(sides[0][0].under, (EARLY.to_owned(), 0));
                assert_eq!(sides[0][0].content, b"early");
            }
        }
    }
}

#[test]
fn a_retry_keeps_the_client_random() {
    let world = World::new(SUITES[0]);
    // A group for which the client sends no share. The first connection brings tickets, and the
    // second offers early data before it is asked to retry.
    let visit = Pair::between(&world.client, &world.server, 1);
    talk(visit);
    drop((world.of_client.take(), world.of_server.take()));
    let picky = server()
        .groups([NamedGroup::SECP256R1])
        .key_log(world.of_server.clone())
        .build()
        .unwrap();
    let mut pair = Pair::between(&world.client, &picky, 3);
    pair.client.connection.write_early_data(b"early").unwrap();
    let pair = talk(pair);
    let hellos: Vec<_> = records(&pair.client.sent)
        .into_iter()
        .filter(|record| record[0] == 22 && record[5] == 1)
        .collect();
    assert_eq!(hellos.len(), 2);
    assert_eq!(hellos[1][11..43], client_random(&pair));
    let (of_client, of_server) = (world.of_client.take(), world.of_server.take());
    assert_eq!(labels(&of_client), [&[EARLY][..], &FULL].concat());
    assert_eq!(of_client[1..], of_server);
    assert_all_read(&decrypt(SUITES[0], &pair, &of_client));
}

#[test]
fn the_chosen_configuration_logs() {
    let (chosen, other) = (Kept::default(), Kept::default());
    let chosen_server = server().key_log(chosen.clone()).build().unwrap();
    let _other_server = server().key_log(other.clone()).build().unwrap();
    let mut rng = Seeded(5);
    let client = client(SUITES[0]).build().unwrap();
    let connection = client.connection(NAME, NOW, &mut rng).unwrap();
    let mut pair = Pair {
        client: End::new(connection, rng),
        server: End::new(Connection::undecided(NOW), Seeded(7)),
    };
    pair.settle();
    assert!(matches!(pair.server.status, Ok(Status::Ask(_))));
    assert!(chosen.take().is_empty());
    let server = &mut pair.server;
    server
        .connection
        .choose(&chosen_server, NOW, &mut server.rng)
        .unwrap();
    pair.settle();
    pair.assert_same_view();
    assert_eq!(labels(&chosen.take()), FULL);
    assert!(other.take().is_empty());
}

#[test]
fn a_handshake_that_fails_logs_what_it_has_derived() {
    let log = Kept::default();
    let nobody = fleeting::Identity::generate().unwrap().public_key();
    let stranger = Client::builder()
        .trust(fleeting::Trust::key_for(NAME, nobody))
        .key_log(log.clone())
        .build()
        .unwrap();
    let server = server().build().unwrap();
    let mut pair = Pair::between(&stranger, &server, 1);
    pair.settle();
    assert!(pair.client.status.is_err());
    assert_eq!(labels(&log.take()), FULL[..2]);
}

#[test]
fn nothing_is_logged_unless_asked_for_and_debug_says_which() {
    let log = Kept::default();
    let (with, without) = (
        client(SUITES[0]).key_log(log.clone()).build().unwrap(),
        client(SUITES[0]).build().unwrap(),
    );
    assert!(format!("{with:?}").contains("key_log: true"), "{with:?}");
    assert!(format!("{without:?}").contains("key_log: false"));
    let (with, without) = (
        server().key_log(log.clone()).build().unwrap(),
        server().build().unwrap(),
    );
    assert!(format!("{with:?}").contains("key_log: true"), "{with:?}");
    assert!(format!("{without:?}").contains("key_log: false"));
    assert!(log.take().is_empty());
}
