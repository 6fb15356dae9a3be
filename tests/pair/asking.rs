//! All questions of a handshake, in the orders in which they can be asked: the configuration, then
//! either whether early data was seen before or a signature; and a signature of the client.
//!
//! RFC 9846, 4.5.1: a PSK replaces the certificate, so a server that asks whether early data is new
//! asks for no signature.

use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use fleeting::{
    AlertDescription, Answer, CipherSuite, Client, ClientAuth, ClientBuilder, Connection,
    EarlyData, Error, ExternalPsk, Identity, NamedGroup, PskIdentity, PskNames, PublicKey,
    Question, ReplayEntry, ReplayGuard, ReplayVerdict, Server, ServerBuilder, SessionCache, Status,
    TicketKeys, Trust, Validity,
};

use crate::cast::{DAY, cast, seen};
use crate::support::{End, NAME, NOW, Pair, Seeded, records};
use crate::wire::{PRE_SHARED_KEY, hellos};

const CONFIGURATION: Status = Status::Ask(Question::Configuration);
const REPLAY: Status = Status::Ask(Question::Replay);
const SIGNATURE: Status = Status::Ask(Question::Signature);

/// How long a ClientHello is fresh, according to the documentation of `early_data_window`.
const WINDOW: Duration = Duration::from_secs(10);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public_key(seed: u8) -> PublicKey {
    key(seed).verifying_key().to_bytes().into()
}

/// The server's key, and the client's.
const SERVER: u8 = 1;
const CLIENT: u8 = 2;

/// What the connections of a test share. Both sides ask every question, and the application has
/// their keys.
#[derive(Clone)]
struct World {
    client: Identity,
    server: Identity,
    sessions: SessionCache,
    keys: TicketKeys,
}

impl World {
    fn new() -> Self {
        let validity = Validity::between(NOW.unix - DAY, NOW.unix + DAY).unwrap();
        let certificate = || cast().root.certificate().validity(validity);
        Self {
            client: Identity::asking(
                certificate()
                    .client("a client")
                    .issue_for(public_key(CLIENT))
                    .unwrap(),
            )
            .unwrap(),
            server: Identity::asking(
                certificate()
                    .server([NAME])
                    .issue_for(public_key(SERVER))
                    .unwrap(),
            )
            .unwrap(),
            sessions: SessionCache::new(8),
            keys: TicketKeys::rotating(),
        }
    }

    fn client(&self) -> ClientBuilder {
        let client = Client::builder()
            .trust(cast().root.trust())
            .identity(self.client.clone());
        client
            .groups([NamedGroup::X25519, NamedGroup::SECP256R1])
            .sessions(self.sessions.clone())
            .early_data(true)
            .alpn(["a"])
    }

    fn server(&self) -> ServerBuilder {
        let server = Server::builder()
            .identity(self.server.clone())
            .ticket_keys(self.keys.clone())
            .alpn(["a"]);
        server
            .client_auth(ClientAuth::Required(cast().root.trust()))
            .early_data(1000, ReplayGuard::asking("a store"))
    }

    /// A connection whose server has no configuration yet.
    fn pair(&self, client: ClientBuilder, seed: u64) -> Pair {
        let mut rng = Seeded(seed);
        let connection = client
            .build()
            .unwrap()
            .connection(NAME, NOW, &mut rng)
            .unwrap();
        Pair {
            client: End::new(connection, rng),
            server: End::new(Connection::undecided(NOW), Seeded(!seed)),
        }
    }

    /// Makes a full handshake, which leaves tickets.
    fn visit(&self, server: ServerBuilder) {
        let mut pair = self.pair(self.client(), 1);
        answer_all(&mut pair, &server.build().unwrap(), ReplayVerdict::Fresh);
        pair.server.write(b"");
        pair.settle();
        assert!(!self.sessions.is_empty());
    }

    /// A returning client with early data. Its server asks for its configuration.
    fn again(&self, seed: u64, early: &[u8]) -> Pair {
        let mut pair = self.pair(self.client(), seed);
        assert_eq!(
            pair.client.connection.write_early_data(early).unwrap(),
            early.len()
        );
        let flight = pair.client.send(usize::MAX);
        pair.server.receive(&flight, usize::MAX);
        assert_eq!(pair.server.status.clone().unwrap(), CONFIGURATION);
        pair
    }

    /// Like `again`, but the server is chosen and asks whether the early data was seen before.
    fn again_to(&self, server: &Server, seed: u64, early: &[u8]) -> Pair {
        let mut pair = self.again(seed, early);
        choose(&mut pair.server, server);
        assert_eq!(pair.server.status.clone().unwrap(), REPLAY);
        pair
    }
}

/// Returns a server that received a copy of a client's flight, and has its configuration.
fn copy(flight: &[u8], server: &Server) -> End {
    let mut end = End::new(Connection::undecided(NOW), Seeded(99));
    end.receive(flight, usize::MAX);
    choose(&mut end, server);
    end
}

fn choose(end: &mut End, server: &Server) {
    end.connection
        .choose(server, end.now, &mut end.rng)
        .unwrap();
    end.process();
}

fn answer(end: &mut End, answer: Answer) {
    end.connection
        .answer(answer, end.now, &mut end.rng)
        .unwrap();
    end.process();
}

fn sign(end: &mut End, seed: u8) {
    let signature = key(seed).sign(end.connection.to_sign().unwrap());
    answer(end, Answer::Signature(signature.to_vec()));
}

/// Moves bytes and answers all questions until neither side has anything to send. Returns the
/// questions, and who asked each.
fn answer_all(
    pair: &mut Pair,
    server: &Server,
    verdict: ReplayVerdict,
) -> Vec<(&'static str, Question)> {
    let mut asked = Vec::new();
    loop {
        pair.settle();
        let mut done = true;
        for (who, seed, end) in [
            ("client", CLIENT, &mut pair.client),
            ("server", SERVER, &mut pair.server),
        ] {
            if let Ok(Status::Ask(question)) = end.status {
                done = false;
                asked.push((who, question));
                match question {
                    Question::Configuration => choose(end, server),
                    Question::Replay => answer(end, Answer::Replay(verdict)),
                    Question::Signature => sign(end, seed),
                    _ => panic!("{question:?}"),
                }
            }
        }
        if done {
            return asked;
        }
    }
}

fn outcomes(pair: &Pair) -> [EarlyData; 2] {
    [&pair.client, &pair.server].map(|end| end.connection.negotiated().unwrap().early_data())
}

/// Data in both directions.
fn converse(pair: &mut Pair) {
    pair.assert_same_view();
    pair.client.read.clear();
    pair.server.read.clear();
    pair.client.write(b"to the server");
    pair.server.write(b"to the client");
    pair.settle();
    assert_eq!(
        (&pair.server.read[..], &pair.client.read[..]),
        (&b"to the server"[..], &b"to the client"[..])
    );
}

// ---- orders ----

#[test]
fn everything_is_asked_in_order() {
    use Question::{Configuration, Replay, Signature};
    let full = [
        ("server", Configuration),
        ("server", Signature),
        ("client", Signature),
    ];
    let resumed = [("server", Configuration), ("server", Replay)];
    for (verdict, outcome) in [
        (ReplayVerdict::Fresh, EarlyData::Accepted),
        (ReplayVerdict::Seen, EarlyData::Rejected),
        (ReplayVerdict::Unavailable, EarlyData::Rejected),
    ] {
        let world = World::new();
        let server = world.server().build().unwrap();
        let mut pair = world.pair(world.client(), 1);
        assert_eq!(answer_all(&mut pair, &server, verdict), full);
        converse(&mut pair);
        assert_eq!(outcomes(&pair), [EarlyData::NotOffered; 2]);
        for (end, seed) in [(&pair.client, SERVER), (&pair.server, CLIENT)] {
            assert_eq!(seen(&end.connection).unwrap().key, public_key(seed));
        }

        let mut pair = world.again(2, b"GET /");
        assert_eq!(answer_all(&mut pair, &server, verdict), resumed);
        assert_eq!(outcomes(&pair), [outcome; 2]);
        assert_eq!(
            pair.server.early,
            if outcome == EarlyData::Accepted {
                &b"GET /"[..]
            } else {
                b""
            }
        );
        converse(&mut pair);
        // A session without early data asks only for the configuration.
        let mut pair = world.pair(world.client().early_data(false), 3);
        assert_eq!(answer_all(&mut pair, &server, verdict), resumed[..1]);
        assert!(pair.client.connection.negotiated().unwrap().resumed());
        converse(&mut pair);
    }
}

/// RFC 9846, 4.2.2: a second ClientHello has no early data, so nothing has to be new. The
/// configuration is chosen only once.
#[test]
fn after_a_retry() {
    use Question::{Configuration, Signature};
    for change in [
        |server: ServerBuilder| server.groups([NamedGroup::SECP256R1]),
        |server: ServerBuilder| server.retry_cookie(true),
    ] {
        let world = World::new();
        let server = change(world.server()).build().unwrap();
        let mut pair = world.pair(world.client(), 1);
        assert_eq!(
            answer_all(&mut pair, &server, ReplayVerdict::Fresh),
            [
                ("server", Configuration),
                ("server", Signature),
                ("client", Signature)
            ]
        );
        assert!(hellos(&pair.server.sent)[0].is_retry());
        converse(&mut pair);

        // The tickets come from a server that did not ask for another ClientHello.
        world.sessions.clear();
        world.visit(world.server());
        let mut pair = world.again(2, b"GET /");
        assert_eq!(
            answer_all(&mut pair, &server, ReplayVerdict::Fresh),
            [("server", Configuration)]
        );
        assert!(hellos(&pair.server.sent)[0].is_retry());
        assert_eq!(outcomes(&pair), [EarlyData::Rejected; 2]);
        assert!(
            pair.server.early.is_empty() && pair.client.connection.negotiated().unwrap().resumed()
        );
        converse(&mut pair);
    }
}

/// A ticket that this server cannot use: a full handshake follows, and early data is skipped while
/// the server waits for a signature.
#[test]
fn a_signature_while_early_data_is_skipped() {
    let world = World::new();
    world.visit(world.server());
    let elsewhere = World {
        keys: TicketKeys::rotating(),
        ..world.clone()
    };
    let server = elsewhere.server().build().unwrap();
    let mut pair = elsewhere.again(2, b"GET /");
    choose(&mut pair.server, &server);
    assert_eq!(pair.server.status.clone().unwrap(), SIGNATURE);
    assert_eq!(
        pair.client.connection.write_early_data(&[7; 500]).unwrap(),
        500
    );
    let more = pair.client.send(usize::MAX);
    pair.server.receive(&more, 100);
    assert_eq!(pair.server.status.clone().unwrap(), SIGNATURE);
    let asked = answer_all(&mut pair, &server, ReplayVerdict::Fresh);
    assert_eq!(
        asked,
        [
            ("server", Question::Signature),
            ("client", Question::Signature)
        ]
    );
    assert_eq!(outcomes(&pair), [EarlyData::Rejected; 2]);
    assert!(pair.server.early.is_empty());
    converse(&mut pair);
}

/// RFC 9846, 4.5.1 and 4.4.2: with a PSK there is neither Certificate nor CertificateRequest.
#[test]
fn an_external_psk_asks_for_no_signature() {
    let world = World::new();
    let psk =
        |own, peer| ExternalPsk::new("site 4", [7, 8].repeat(16), PskNames { own, peer }).unwrap();
    let server = world
        .server()
        .external_psks([psk("hub", "sensor")])
        .build()
        .unwrap();
    // The first client sends a share. The second sends none, so there is a HelloRetryRequest.
    for shares in [vec![NamedGroup::X25519], vec![]] {
        let mut pair = world.pair(
            world
                .client()
                .external_psk(psk("sensor", "hub"))
                .key_shares(shares.clone()),
            1,
        );
        assert_eq!(
            answer_all(&mut pair, &server, ReplayVerdict::Fresh),
            [("server", Question::Configuration)]
        );
        assert_eq!(hellos(&pair.server.sent)[0].is_retry(), shares.is_empty());
        assert!(
            pair.server
                .connection
                .negotiated()
                .unwrap()
                .external_psk()
                .is_some()
        );
        converse(&mut pair);
        world.sessions.clear();
    }
}

/// RFC 7250: keys without certificates, in identities whose private keys are elsewhere.
#[test]
fn raw_public_keys() {
    let validity = Validity::between(NOW.unix - DAY, NOW.unix + DAY).unwrap();
    let asking = |seed| {
        Identity::asking(
            cast()
                .stranger
                .certificate()
                .validity(validity)
                .client("x")
                .issue_for(public_key(seed))
                .unwrap(),
        )
    };
    let named = |seed| {
        cast()
            .stranger
            .certificate()
            .validity(validity)
            .server([NAME])
            .issue_for(public_key(seed))
            .unwrap()
    };
    let client = Client::builder()
        .trust(Trust::key_for(NAME, public_key(SERVER)))
        .identity(asking(CLIENT).unwrap());
    let server = Server::builder().identity(Identity::asking(named(SERVER)).unwrap());
    let server = server
        .client_auth(ClientAuth::Required(Trust::keys([public_key(CLIENT)])))
        .build()
        .unwrap();
    let mut pair = World::new().pair(client, 1);
    let asked = answer_all(&mut pair, &server, ReplayVerdict::Fresh);
    assert_eq!(
        asked.iter().map(|(who, _)| *who).collect::<Vec<_>>(),
        ["server", "server", "client"]
    );
    for (end, seed) in [(&pair.client, SERVER), (&pair.server, CLIENT)] {
        assert_eq!(seen(&end.connection).unwrap().key, public_key(seed));
    }
    converse(&mut pair);
}

// ---- Question::Replay ----

/// Nothing is sent before the answer. What arrives meanwhile, cut anywhere, is available after it.
#[test]
fn early_data_waits_for_a_late_answer() {
    for fragment in [usize::MAX, 1] {
        let world = World::new();
        world.visit(world.server());
        let server = world.server().build().unwrap();
        let mut pair = world.again_to(&server, 2, b"one, ");
        for part in [&b"two, "[..], b"three"] {
            pair.client.connection.write_early_data(part).unwrap();
            let more = pair.client.send(usize::MAX);
            pair.server.receive(&more, fragment);
            pair.server.process();
            assert_eq!(pair.server.status.clone().unwrap(), REPLAY);
        }
        assert!(pair.server.connection.output().is_empty() && pair.server.early.is_empty());
        assert!(
            pair.server.connection.is_handshaking() && !pair.server.connection.takes_early_data()
        );
        assert!(
            pair.server.connection.to_sign().is_none()
                && pair.server.connection.client_hello().is_none()
        );
        // The answer comes as late as is allowed.
        pair.server.now.unix += WINDOW;
        answer(&mut pair.server, Answer::Replay(ReplayVerdict::Fresh));
        assert_eq!(pair.server.early, b"one, two, three");
        assert_eq!(pair.server.connection.write_early_data(b"four").unwrap(), 4);
        pair.settle();
        assert_eq!(pair.client.read, b"four");
        assert_eq!(outcomes(&pair), [EarlyData::Accepted; 2]);
        converse(&mut pair);
    }
}

/// RFC 9846, 8.2: the key is derived from what was validated. A copy has the same key, whenever and
/// wherever it arrives, and nothing else has it.
#[test]
fn what_is_looked_for() {
    let world = World::new();
    world.visit(world.server());
    let server = world.server().build().unwrap();
    let entry = |end: &End| end.connection.replay_entry().unwrap();
    let mut pair = world.again(2, b"pay");
    assert_eq!(pair.server.connection.replay_entry(), None);
    let flight = pair.client.sent.clone();
    choose(&mut pair.server, &server);
    let first = entry(&pair.server);
    // The ticket was issued at NOW, and its age is 0.
    assert_eq!(first.expires(), NOW.unix + WINDOW);

    // A copy arrives at another connection, at another server of that zone, later, and followed by
    // other early data.
    let hello = records(&flight)[0].clone();
    for copied in [
        copy(&flight, &server),
        copy(&flight, &world.server().build().unwrap()),
        copy(&hello, &server),
    ] {
        assert_eq!(entry(&copied), first);
    }
    let mut late = End::new(Connection::undecided(NOW), Seeded(5));
    late.now.unix += WINDOW;
    late.receive(&flight, usize::MAX);
    choose(&mut late, &server);
    assert_eq!(entry(&late), first);
    // After that its age makes the server refuse it, and nobody has to remember it.
    let mut stale = End::new(Connection::undecided(NOW), Seeded(5));
    stale.now.unix += WINDOW + Duration::from_millis(1);
    stale.receive(&flight, usize::MAX);
    choose(&mut stale, &server);
    assert_eq!(
        (stale.status.unwrap(), stale.connection.replay_entry()),
        (Status::NeedsInput, None)
    );

    // Another ClientHello, under another ticket, has another key.
    let other = world.again_to(&server, 3, b"pay");
    assert_ne!(entry(&other.server).key(), first.key());
    assert_eq!(entry(&other.server).expires(), first.expires());

    // After the answer there is no entry.
    answer(&mut pair.server, Answer::Replay(ReplayVerdict::Fresh));
    assert_eq!(pair.server.connection.replay_entry(), None);
}

/// The store's name and the window determine the zone. In another zone the server does not ask,
/// because it takes no early data.
#[test]
fn another_zone_does_not_ask() {
    let world = World::new();
    world.visit(world.server());
    for (server, asks) in [
        (world.server(), true),
        (
            world
                .server()
                .early_data(1000, ReplayGuard::asking("a store")),
            true,
        ),
        (
            world
                .server()
                .early_data(1000, ReplayGuard::asking("another store")),
            false,
        ),
        (
            world.server().early_data(1000, ReplayGuard::in_memory(10)),
            false,
        ),
        (
            world.server().early_data_window(Duration::from_secs(3)),
            false,
        ),
        (world.server().alpn(["b", "a"]), true),
    ] {
        let mut pair = world.again(2, b"GET /");
        choose(&mut pair.server, &server.build().unwrap());
        assert_eq!(pair.server.status.clone().unwrap() == REPLAY, asks);
        // Another visit, so that there are enough unused tickets.
        world.visit(world.server());
    }
    let world = World::new();
    let short = || world.server().early_data_window(Duration::from_secs(3));
    world.visit(short());
    let pair = world.again_to(&short().build().unwrap(), 2, b"GET /");
    assert_eq!(
        pair.server.connection.replay_entry().unwrap().expires(),
        NOW.unix + Duration::from_secs(3)
    );
}

#[test]
fn the_wrong_answer_to_a_replay() {
    let world = World::new();
    world.visit(world.server());
    let server = world.server().build().unwrap();
    let mut pair = world.again_to(&server, 2, b"GET /");
    let entry: ReplayEntry = pair.server.connection.replay_entry().unwrap();
    let end = &mut pair.server;
    for signature in [Vec::new(), vec![0; 64]] {
        let error = end
            .connection
            .answer(Answer::Signature(signature), NOW, &mut end.rng)
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::WrongState {
                    call: "answer",
                    state: "RECVD_CH"
                }
            ),
            "{error}"
        );
    }
    let error = end
        .connection
        .choose(&server, NOW, &mut end.rng)
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::WrongState {
                call: "choose",
                state: "RECVD_CH"
            }
        ),
        "{error}"
    );
    end.process();
    assert_eq!(end.status.clone().unwrap(), REPLAY);
    assert_eq!(end.connection.replay_entry(), Some(entry));
    answer(end, Answer::Replay(ReplayVerdict::Fresh));
    let error = end
        .connection
        .answer(Answer::Replay(ReplayVerdict::Seen), NOW, &mut end.rng)
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::WrongState {
                call: "answer",
                state: "WAIT_EOED"
            }
        ),
        "{error}"
    );
    let error = end
        .connection
        .refuse(AlertDescription::ACCESS_DENIED)
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::WrongState {
                call: "refuse",
                state: "WAIT_EOED"
            }
        ),
        "{error}"
    );
    pair.settle();
    assert_eq!(outcomes(&pair), [EarlyData::Accepted; 2]);
    assert_eq!(pair.server.early, b"GET /");
}

/// A client that has left is noticed when the answer comes. Its early data, which it wanted to
/// send, is still delivered.
#[test]
fn the_client_left_before_the_answer() {
    let world = World::new();
    world.visit(world.server());
    let server = world.server().build().unwrap();
    for (seed, verdict, early) in [
        (2, ReplayVerdict::Fresh, &b"GET /"[..]),
        (3, ReplayVerdict::Seen, b""),
    ] {
        let mut pair = world.again_to(&server, seed, b"GET /");
        pair.server.end();
        assert_eq!(pair.server.status.clone().unwrap(), REPLAY);
        answer(&mut pair.server, Answer::Replay(verdict));
        assert_eq!(pair.server.early, early);
        assert!(
            matches!(pair.server.error(), Error::Truncated),
            "{}",
            pair.server.error()
        );
        world.visit(world.server());

        // A client that closes says so after its early data. RFC 9846, 6.1: user_canceled, and
        // close_notify.
        let mut pair = world.again_to(&server, seed + 10, b"GET /");
        pair.client.connection.close();
        let last = pair.client.send(usize::MAX);
        pair.server.receive(&last, usize::MAX);
        assert_eq!(pair.server.status.clone().unwrap(), REPLAY);
        answer(&mut pair.server, Answer::Replay(ReplayVerdict::Fresh));
        assert_eq!(pair.server.early, b"GET /");
        assert!(
            matches!(
                pair.server.error(),
                Error::AlertReceived {
                    alert: AlertDescription::CLOSE_NOTIFY,
                    ..
                }
            ),
            "{}",
            pair.server.error()
        );
        world.visit(world.server());
    }
}

// ---- questions that are not answered ----

/// Returns each question with a server that asks it. Its alert for the client is in the clear
/// before there are keys, and under the server's keys after.
fn each(seed: u64) -> Vec<(Question, Pair)> {
    let world = World::new();
    let server = world.server().build().unwrap();
    world.visit(world.server());
    let configuration = world.again(seed, b"early");
    world.visit(world.server());
    let replay = world.again_to(&server, seed, b"early");
    let fresh = World::new();
    let mut signature = fresh.pair(fresh.client(), seed);
    signature.settle();
    choose(&mut signature.server, &server);
    let all = vec![
        (Question::Configuration, configuration),
        (Question::Replay, replay),
        (Question::Signature, signature),
    ];
    for (question, pair) in &all {
        assert_eq!(pair.server.status.clone().unwrap(), Status::Ask(*question));
    }
    all
}

#[test]
fn each_can_be_refused() {
    for alert in [
        AlertDescription::UNRECOGNIZED_NAME,
        AlertDescription::ACCESS_DENIED,
        AlertDescription::INTERNAL_ERROR,
    ] {
        for (question, mut pair) in each(2) {
            pair.server.connection.refuse(alert).unwrap();
            pair.settle();
            assert!(
                matches!(pair.client.error(), Error::AlertReceived { alert: told, .. }
                    if *told == alert),
                "{question:?}: {}",
                pair.client.error()
            );
            for _ in 0..2 {
                pair.server.process();
                assert!(
                    matches!(pair.server.error(), Error::Refused(told) if *told == alert),
                    "{}",
                    pair.server.error()
                );
            }
            assert_eq!(pair.server.error().alert(), Some(alert));
            // The alert is fatal(2), in a record of its own. In the clear it can be read here.
            let last = records(&pair.server.sent).pop().unwrap();
            if question != Question::Signature {
                assert_eq!(last, [21, 3, 3, 0, 2, 2, alert.0]);
                assert_eq!(pair.server.sent, last, "nothing was sent before");
            } else {
                assert_eq!(last[0], 23);
            }
            assert!(pair.server.early.is_empty());
            let late = pair
                .server
                .connection
                .answer(Answer::Replay(ReplayVerdict::Fresh), NOW, &mut Seeded(1))
                .unwrap_err();
            assert!(
                matches!(late, Error::Refused(told) if told == alert),
                "{late}"
            );
        }
    }
}

/// RFC 9846, 6.1: user_canceled, and then close_notify, which ends the connection for the client.
#[test]
fn each_can_be_given_up() {
    for by_time in [false, true] {
        for (question, mut pair) in each(2) {
            if by_time {
                pair.server.now.monotonic = pair.server.connection.next_timeout().unwrap();
                pair.server.process();
                assert!(matches!(pair.server.error(), Error::HandshakeTimeout));
            } else {
                pair.server.connection.close();
                pair.server.process();
                assert!(matches!(pair.server.error(), Error::Closed));
            }
            assert_eq!(pair.server.connection.next_timeout(), None);
            pair.settle();
            let error = pair.client.error();
            assert!(
                matches!(
                    error,
                    Error::AlertReceived {
                        alert: AlertDescription::CLOSE_NOTIFY,
                        ..
                    }
                ),
                "{question:?}: {error}"
            );
            if question != Question::Signature {
                assert_eq!(
                    pair.server.sent,
                    [21, 3, 3, 0, 2, 1, 90, 21, 3, 3, 0, 2, 1, 0]
                );
            }
        }
    }
}

// ---- Question::Configuration ----

/// Everything that a client says about itself, as RFC 9846, 4.3 encodes it. A choice by any of it
/// is valid.
#[test]
fn a_choice_by_what_the_client_says() {
    let psk =
        |own, peer| ExternalPsk::new("site 4", [7, 8].repeat(16), PskNames { own, peer }).unwrap();
    let world = World::new();
    let client = world
        .client()
        .external_psk(psk("sensor", "hub"))
        .alpn(["x/2", "a"]);
    let mut pair = world.pair(
        client.cipher_suites([CipherSuite::TLS_AES_128_GCM_SHA256]),
        1,
    );
    let flight = pair.client.send(usize::MAX);
    // The hello is cut at every byte. The server asks once all of it is there, and not before.
    for at in 0..flight.len() {
        pair.server.receive(&flight[at..=at], 1);
        assert_eq!(
            pair.server.status.clone().unwrap() == CONFIGURATION,
            at + 1 == flight.len()
        );
        assert_eq!(
            pair.server.connection.client_hello().is_some(),
            at + 1 == flight.len()
        );
    }
    let hello = pair.server.connection.client_hello().unwrap();
    assert_eq!(hello.as_bytes(), &flight[5..]);
    assert_eq!(hello.server_name(), Some(NAME));
    assert_eq!(hello.alpn().collect::<Vec<_>>(), [b"x/2", &b"a"[..]]);
    assert_eq!(hello.groups(), [NamedGroup::X25519, NamedGroup::SECP256R1]);
    assert_eq!(hello.cipher_suites(), [CipherSuite::TLS_AES_128_GCM_SHA256]);
    // RFC 9846, 4.3.3: ed25519(0x0807).
    assert_eq!(
        hello
            .signature_schemes()
            .iter()
            .map(|scheme| scheme.0)
            .collect::<Vec<_>>(),
        [0x0807]
    );
    // RFC 9258, 5.1: an identity that names the PSK and its use.
    let identities: Vec<_> = hello.psk_identities().collect();
    let on_the_wire = hellos(&flight)[0]
        .extension(PRE_SHARED_KEY)
        .unwrap()
        .to_vec();
    for identity in &identities {
        let expected = PskIdentity {
            identity: b"site 4",
            client: "sensor",
            server: "hub",
        };
        assert_eq!(PskIdentity::parse(identity), Some(expected));
        assert!(
            on_the_wire
                .windows(identity.len())
                .any(|window| window == *identity)
        );
    }
    assert!(!identities.is_empty());

    let by_psk = world
        .server()
        .external_psks([psk("hub", "sensor")])
        .alpn(["x/2"])
        .build()
        .unwrap();
    choose(&mut pair.server, &by_psk);
    assert_eq!(
        pair.server
            .connection
            .client_hello()
            .map(|hello| hello.as_bytes().len()),
        None
    );
    pair.settle();
    assert_eq!(
        pair.server.connection.negotiated().unwrap().alpn(),
        Some(&b"x/2"[..])
    );
    converse(&mut pair);
}

/// A choice that has nothing in common with the client is refused with the alerts of RFC 9846,
/// 4.2.2, and of RFC 7301, 3.2.
#[test]
fn a_choice_that_does_not_fit() {
    type Change = fn(ServerBuilder) -> ServerBuilder;
    let changes: [(Change, u8); 3] = [
        (|server| server.alpn(["b"]), 120),
        (|server| server.groups([NamedGroup::X25519_MLKEM768]), 40),
        (
            |server| server.cipher_suites([CipherSuite::TLS_CHACHA20_POLY1305_SHA256]),
            40,
        ),
    ];
    for (change, alert) in changes {
        let world = World::new();
        let mut pair = world.pair(
            world
                .client()
                .cipher_suites([CipherSuite::TLS_AES_128_GCM_SHA256]),
            1,
        );
        pair.settle();
        let end = &mut pair.server;
        let error = end
            .connection
            .choose(&change(world.server()).build().unwrap(), NOW, &mut end.rng)
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Protocol {
                    state: "RECVD_CH",
                    ..
                }
            ) && error.alert().unwrap().0 == alert,
            "{error}"
        );
        // A second choice is refused.
        let again = end
            .connection
            .choose(&world.server().build().unwrap(), NOW, &mut end.rng)
            .unwrap_err();
        assert_eq!(again.to_string(), error.to_string());
        pair.settle();
        assert!(
            matches!(pair.client.error(), Error::AlertReceived { alert: told, .. }
                if told.0 == alert),
            "{}",
            pair.client.error()
        );
    }
}

/// The limits of the configuration apply once it is chosen. Its timeout counts from the start of
/// the connection.
#[test]
fn the_time_of_the_choice() {
    let world = World::new();
    let mut pair = world.pair(world.client(), 1);
    pair.settle();
    let minute = Duration::from_secs(60);
    pair.server.now.monotonic += Duration::from_secs(5);
    choose(
        &mut pair.server,
        &world.server().handshake_timeout(minute).build().unwrap(),
    );
    assert_eq!(
        pair.server.connection.next_timeout(),
        Some(NOW.monotonic + minute)
    );
    // A configuration whose timeout has already passed fails at once.
    let mut pair = world.pair(world.client(), 2);
    pair.settle();
    pair.server.now.monotonic += Duration::from_secs(5);
    choose(
        &mut pair.server,
        &world
            .server()
            .handshake_timeout(Duration::from_secs(5))
            .build()
            .unwrap(),
    );
    assert!(
        matches!(pair.server.error(), Error::HandshakeTimeout),
        "{}",
        pair.server.error()
    );
}
