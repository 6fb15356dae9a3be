//! What is written is read, in order, once. Both sides agree, and both end with `Closed`.

use fleeting::{Connection, Error, Padding, Question, Status};
use proptest::prelude::*;

use crate::support::{End, NAME, NOW, Options, Pair, SUITES, Seeded, data, pki};

/// One side of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// What an application or the transport does.
#[derive(Clone, Copy, Debug)]
enum Action {
    /// The application writes this many bytes.
    Write(Side, usize),
    Rekey(Side),
    Close(Side),
    /// The transport takes this many bytes and delivers them to the other side in fragments. The
    /// application does not read.
    Deliver(Side, usize, usize),
    /// The application reads this many bytes.
    Read(Side, usize),
}

/// A pair, and the data that it must deliver.
struct Model {
    pair: Pair,
    /// The bytes that each side was given to write.
    written: [Vec<u8>; 2],
    closed: [bool; 2],
}

impl Model {
    fn new(options: Options) -> Self {
        Self {
            pair: options.pair(),
            written: [Vec::new(), Vec::new()],
            closed: [false; 2],
        }
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.pair.client,
            Side::Server => &mut self.pair.server,
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Write(side, count) => self.write(side, count),
            Action::Rekey(side) => {
                let closed = self.closed[side as usize];
                let end = self.end(side);
                let result = end.connection.rekey();
                match result {
                    Ok(()) => assert!(!closed && !end.connection.is_handshaking()),
                    Err(Error::Closed) => assert!(closed),
                    Err(error) => assert!(
                        matches!(error, Error::WrongState { call: "rekey", .. })
                            && end.connection.is_handshaking()
                    ),
                }
            }
            // Closing during the handshake ends it, which another test covers.
            Action::Close(side) if self.end(side).connection.is_handshaking() => {}
            Action::Close(side) => {
                self.end(side).connection.close();
                self.closed[side as usize] = true;
            }
            Action::Deliver(from, count, fragment) => {
                let bytes = self.end(from).send(count);
                let to = self.end(if from == Side::Client {
                    Side::Server
                } else {
                    Side::Client
                });
                for fragment in bytes.chunks(fragment) {
                    let mut rest = fragment;
                    while !rest.is_empty() {
                        let space = to.connection.input();
                        let count = space.len().min(rest.len());
                        space[..count].copy_from_slice(&rest[..count]);
                        to.connection.received(count);
                        rest = &rest[count..];
                        to.work(0);
                        to.status.as_ref().unwrap();
                    }
                }
            }
            Action::Read(side, count) => {
                self.end(side).work(count);
                self.end(side).status.as_ref().unwrap();
            }
        }
    }

    fn write(&mut self, side: Side, count: usize) {
        let bytes = data(self.written[side as usize].len(), count);
        let closed = self.closed[side as usize];
        let end = self.end(side);
        let waiting = end.connection.output().len();
        let result = end.connection.write(&bytes);
        let handshaking = end.connection.is_handshaking();
        match result {
            Ok(taken) => {
                assert!(!closed && !handshaking && taken <= count);
                assert!(
                    taken == count || end.connection.output().len() >= 65_536,
                    "only a full output stops it"
                );
                assert!(taken > 0 || count == 0 || waiting >= 65_536);
                self.written[side as usize].extend_from_slice(&bytes[..taken]);
            }
            Err(Error::Closed) => assert!(closed),
            Err(error) => assert!(
                matches!(error, Error::WrongState { call: "write", .. }) && handshaking,
                "{error}"
            ),
        }
    }

    /// Delivers everything, closes both sides, and compares.
    fn finish(mut self) {
        self.pair.settle();
        self.pair.client.process();
        self.pair.server.process();
        self.pair.settle();
        self.pair.assert_same_view();
        for side in [Side::Client, Side::Server] {
            self.act(Action::Close(side));
        }
        self.pair.settle();
        for end in [&mut self.pair.client, &mut self.pair.server] {
            assert_eq!(*end.status.as_ref().unwrap(), Status::Closed);
            // The status stays the same at the end of the transport, and with more calls.
            end.end();
            end.process();
            assert_eq!(*end.status.as_ref().unwrap(), Status::Closed);
            assert!(matches!(end.connection.write(b"more"), Err(Error::Closed)));
        }
        let [by_client, by_server] = self.written;
        assert!(
            self.pair.server.read == by_client,
            "the server reads what the client wrote"
        );
        assert!(
            self.pair.client.read == by_server,
            "the client reads what the server wrote"
        );
    }
}

/// A conversation with several records each way, rekeys by both sides, and one direction closed
/// before the other.
fn converse(options: Options, fragment: usize) -> Pair {
    let mut pair = options.pair();
    pair.settle_in(fragment);
    pair.assert_same_view();
    pair.client.write(&data(0, 100));
    pair.server.write(&data(0, 1));
    pair.settle_in(fragment);
    pair.client.connection.rekey().unwrap();
    pair.client.write(&data(100, 20_000));
    pair.settle_in(fragment);
    pair.server.connection.rekey().unwrap();
    pair.server.connection.rekey().unwrap();
    pair.server.write(&data(1, 300));
    pair.settle_in(fragment);
    pair.client.write(&data(20_100, 3));
    pair.client.connection.close();
    pair.settle_in(fragment);
    assert_eq!(*pair.server.status.as_ref().unwrap(), Status::Closed);
    // The other direction is still open (RFC 9846, 6.1).
    pair.server.write(&data(301, 700));
    pair.server.connection.close();
    pair.settle_in(fragment);
    assert_eq!(*pair.client.status.as_ref().unwrap(), Status::Closed);
    assert!(pair.server.read == data(0, 20_103) && pair.client.read == data(0, 1001));
    pair.assert_same_view();
    pair
}

#[test]
fn at_every_fragmentation() {
    for (index, fragment) in [1, 2, 3, 5, 7, 13, 251, 1021, 16_411, usize::MAX]
        .into_iter()
        .enumerate()
    {
        converse(
            Options {
                suite: SUITES[index % 3],
                seed: index.try_into().unwrap(),
                ..Options::default()
            },
            fragment,
        );
    }
}

#[test]
fn with_every_suite_policy_and_kind_of_authentication() {
    for suite in SUITES {
        for client_auth in [false, true] {
            for padding in [
                Padding::None,
                Padding::Block(512),
                Padding::PowerOfTwo,
                Padding::Full,
            ] {
                let pair = converse(
                    Options {
                        suite,
                        client_auth,
                        padding,
                        seed: 7,
                    },
                    4096,
                );
                let (client, server) = (
                    pair.client.connection.negotiated().unwrap(),
                    pair.server.connection.negotiated().unwrap(),
                );
                assert_eq!(
                    (client.cipher_suite(), client.alpn(), client.server_name()),
                    (suite, Some(&b"b"[..]), Some(NAME))
                );
                assert_eq!(
                    client.peer().unwrap().public_key(),
                    pki().server.public_key()
                );
                assert_eq!(
                    server.peer().map(|peer| peer.public_key()),
                    client_auth.then(|| pki().client.public_key())
                );
            }
        }
    }
}

#[test]
fn a_seed_gives_the_same_bytes() {
    for suite in SUITES {
        let bytes = |seed| {
            let pair = converse(
                Options {
                    suite,
                    seed,
                    ..Options::default()
                },
                1000,
            );
            (pair.client.sent, pair.server.sent)
        };
        let (once, again, other) = (bytes(1), bytes(1), bytes(2));
        assert!(once == again);
        assert!(once.0 != other.0 && once.1 != other.1);
    }
}

#[test]
fn padding_hides_the_length() {
    // The bytes that a protected record adds to its content and padding: header, content type, tag.
    const OVERHEAD: usize = 5 + 1 + 16;
    for (padding, padded) in [
        (Padding::None, [1, 600]),
        (Padding::Block(512), [512, 1024]),
        (Padding::Full, [16_384; 2]),
    ] {
        let mut pair = Options {
            padding,
            ..Options::default()
        }
        .connected();
        for (length, padded) in [1, 600].into_iter().zip(padded) {
            pair.client.write(&data(0, length));
            assert_eq!(pair.client.connection.output().len(), padded + OVERHEAD);
            pair.settle();
        }
        assert_eq!(pair.server.read.len(), 601);
    }
}

#[test]
fn exporters_depend_on_everything_and_on_nothing_else() {
    let mut pair = Options::default().connected();
    let export = |end: &End, label: &[u8], context: &[u8], length| {
        end.connection
            .export_keying_material(label, context, length)
            .unwrap()
            .expose()
            .to_vec()
    };
    let secrets: Vec<_> = [
        (&b"a"[..], &b""[..], 32),
        (b"b", b"", 32),
        (b"a", b"x", 32),
        (b"a", b"", 33),
    ]
    .into_iter()
    .map(|(label, context, length)| {
        let secret = export(&pair.client, label, context, length);
        assert_eq!(secret, export(&pair.server, label, context, length));
        assert_eq!(secret.len(), length);
        secret
    })
    .collect();
    // RFC 9846, 7.5: the length is an input too.
    for (index, secret) in secrets.iter().enumerate() {
        assert!(
            secrets[..index]
                .iter()
                .all(|other| other[..32] != secret[..32])
        );
    }
    // The exported secret belongs to the connection, not to a generation of its keys.
    pair.client.connection.rekey().unwrap();
    pair.client.connection.close();
    pair.settle();
    assert_eq!(export(&pair.client, b"a", b"", 32), secrets[0]);
    assert_eq!(export(&pair.server, b"a", b"", 32), secrets[0]);
}

#[test]
fn a_server_chosen_late_is_the_same_server() {
    for fragment in [1, 100, usize::MAX] {
        let options = Options::default();
        let mut client = options.client_end();
        let mut server = End::new(Connection::undecided(NOW), Seeded(!options.seed));
        let hello = client.send(usize::MAX);
        // The server reads nothing while it waits.
        server.receive(&hello, fragment);
        assert_eq!(
            *server.status.as_ref().unwrap(),
            Status::Ask(Question::Configuration)
        );
        let asked = server.connection.client_hello().unwrap();
        assert_eq!(asked.server_name(), Some(NAME));
        assert_eq!(asked.alpn().collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(asked.as_bytes(), &hello[5..]);
        assert!(server.connection.output().is_empty());
        server.process();
        assert_eq!(
            *server.status.as_ref().unwrap(),
            Status::Ask(Question::Configuration)
        );
        server
            .connection
            .choose(&options.server(), NOW, &mut server.rng)
            .unwrap();
        assert!(matches!(
            server
                .connection
                .choose(&options.server(), NOW, &mut server.rng),
            Err(Error::WrongState {
                call: "choose",
                state: "WAIT_CERT"
            })
        ));
        let mut pair = Pair { client, server };
        pair.settle_in(fragment);
        pair.assert_same_view();
        assert!(pair.server.sent == options.connected().server.sent);
    }
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Server)]
}

/// Sizes of every order of magnitude, up to more than an output holds.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..20usize, 4 => 0..2000usize, 2 => 16_370..16_400usize, 1 => 0..100_000usize]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (side(), size()).prop_map(|(side, count)| Action::Write(side, count)),
        2 => side().prop_map(Action::Rekey),
        10 => (side(), size(), 1..3000usize).prop_map(
            |(side, count, fragment)| Action::Deliver(side, count, fragment)
        ),
        6 => (side(), size()).prop_map(|(side, count)| Action::Read(side, count)),
        1 => side().prop_map(Action::Close),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    let padding = prop_oneof![
        Just(Padding::None),
        any::<u16>().prop_map(Padding::Block),
        Just(Padding::PowerOfTwo),
        Just(Padding::Full)
    ];
    (
        prop::sample::select(&SUITES[..]),
        any::<bool>(),
        padding,
        any::<u64>(),
    )
        .prop_map(|(suite, client_auth, padding, seed)| Options {
            suite,
            client_auth,
            padding,
            seed,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn at_any_interleaving(
        options in options(),
        actions in prop::collection::vec(action(), 0..100),
        handshake in any::<bool>(),
        fragment in 1..5000usize,
    ) {
        let mut model = Model::new(options);
        if handshake {
            model.pair.settle_in(fragment);
        }
        for action in actions {
            model.act(action);
        }
        model.finish();
    }
}
