//! Every way to a connection that is configured well: it completes, and both sides agree on what it is.
//!
//! Each dimension is tried with each value of every other one in `cargo test`; the full product is ignored there, and run optimized.

use std::collections::BTreeSet;

use fleeting::{CipherSuite, Client, ClientAuth, NamedGroup, Server, SessionCache, Status};

use crate::cast::{self, Credential, Seen};
use crate::support::{Pair, SUITES, Seeded, data};
use crate::wire::{self, COOKIE, KEY_SHARE, PRE_SHARED_KEY, SUPPORTED_VERSIONS, Transport, hellos};

/// What the server asks for another ClientHello for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    None,
    Group,
    Cookie,
    Both,
}

impl Retry {
    const ALL: [Self; 4] = [Self::None, Self::Group, Self::Cookie, Self::Both];

    fn group(self) -> bool {
        matches!(self, Self::Group | Self::Both)
    }

    fn cookie(self) -> bool {
        matches!(self, Self::Cookie | Self::Both)
    }
}

/// Where the keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    Full,
    /// Another connection was there before, and left a ticket.
    Ticket,
}

impl Session {
    const ALL: [Self; 2] = [Self::Full, Self::Ticket];
}

/// What the server wants to know of the client, and what that has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// The client could say who it is, and is not asked.
    No,
    OptionalShown,
    /// The client is asked, and has nothing to show.
    OptionalNothing,
    Required,
}

impl Asked {
    const ALL: [Self; 4] = [Self::No, Self::OptionalShown, Self::OptionalNothing, Self::Required];
}

const GROUPS: [NamedGroup; 3] = [NamedGroup::X25519_MLKEM768, NamedGroup::X25519, NamedGroup::SECP256R1];

/// Where records are cut, the longest that either side takes: content, content type and padding (RFC 8449).
const CLIENT_LIMIT: u16 = 64;
const SERVER_LIMIT: u16 = 101;

#[derive(Clone, Copy, Debug)]
struct Cell {
    retry: Retry,
    session: Session,
    asked: Asked,
    server: Credential,
    client: Credential,
    suite: CipherSuite,
    group: NamedGroup,
    transport: Transport,
}

/// How many values each dimension has.
const SIZES: [usize; 8] = [4, 2, 4, 2, 2, 3, 3, 3];

/// A cell as the places of its values.
type Place = [usize; 8];

/// The full product.
fn product() -> Vec<Place> {
    let place = |mut number: usize| {
        SIZES.map(|size| {
            let at = number % size;
            number /= size;
            at
        })
    };
    (0..SIZES.iter().product()).map(place).collect()
}

impl Cell {
    fn at([retry, session, asked, server, client, suite, group, transport]: Place) -> Self {
        Self {
            retry: Retry::ALL[retry],
            session: Session::ALL[session],
            asked: Asked::ALL[asked],
            server: Credential::ALL[server],
            client: Credential::ALL[client],
            suite: SUITES[suite],
            group: GROUPS[group],
            transport: Transport::ALL[transport],
        }
    }

    /// Offers everything; with a share for the group that will be taken only if no retry is to ask for one.
    fn client(&self, sessions: &SessionCache) -> Client {
        let mut client = Client::builder()
            .trust(self.server.trust_in_server())
            .alpn(["a", "b"])
            .groups(GROUPS)
            .key_shares(GROUPS.into_iter().filter(|group| !self.retry.group() || *group != self.group))
            .sessions(sessions.clone());
        if self.asked != Asked::OptionalNothing {
            client = client.identity(self.client.client().clone());
        }
        if self.transport == Transport::Cut {
            client = client.record_size_limit(CLIENT_LIMIT);
        }
        client.build().unwrap()
    }

    /// Takes one suite and one group.
    fn server(&self) -> Server {
        let trust = self.client.trust_in_client();
        let mut server = Server::builder()
            .identity(self.server.server().clone())
            .alpn(["b"])
            .cipher_suites([self.suite])
            .groups([self.group])
            .retry_cookie(self.retry.cookie())
            .client_auth(match self.asked {
                Asked::No => ClientAuth::None,
                Asked::OptionalShown | Asked::OptionalNothing => ClientAuth::Optional(trust),
                Asked::Required => ClientAuth::Required(trust),
            });
        if self.transport == Transport::Cut {
            server = server.record_size_limit(SERVER_LIMIT);
        }
        server.build().unwrap()
    }
}

/// What a cell leads to.
struct Expected {
    resumed: bool,
    /// The extensions of the HelloRetryRequest, if one is sent.
    retry: Option<Vec<u16>>,
    /// Whom the client sees, and the server.
    server: Seen,
    client: Option<Seen>,
}

fn expected(cell: &Cell) -> Expected {
    let resumed = cell.session == Session::Ticket;
    // RFC 9846, 4.2.4: supported_versions is always there, key_share and cookie for what is asked.
    let asks_for = [(true, SUPPORTED_VERSIONS), (cell.retry.group(), KEY_SHARE), (cell.retry.cookie(), COOKIE)];
    let asks_for = asks_for.into_iter().filter_map(|(asked, extension)| asked.then_some(extension)).collect();
    Expected {
        resumed,
        retry: (cell.retry != Retry::None).then_some(asks_for),
        server: cell.server.seen_server(),
        client: match cell.asked {
            Asked::No | Asked::OptionalNothing => None,
            Asked::OptionalShown | Asked::Required => Some(cell.client.seen_client(resumed)),
        },
    }
}

fn run(cell: &Cell) {
    let sessions = SessionCache::new(8);
    let (client, server) = (cell.client(&sessions), cell.server());
    if cell.session == Session::Ticket {
        let before = Cell { session: Session::Full, ..*cell };
        check(&before, &mut cast::handshake(&client, &server, cell.transport, 1));
    }
    let mut pair = cast::handshake(&client, &server, cell.transport, 2);
    check(cell, &mut pair);
    // RFC 9149: two tickets were asked for at first; one that is used is replaced.
    assert_eq!(sessions.len(), 2);
}

fn check(cell: &Cell, pair: &mut Pair) {
    let expected = expected(cell);
    for end in [&pair.client, &pair.server] {
        assert_eq!(*end.status.as_ref().unwrap(), Status::NeedsInput);
        let negotiated = end.connection.negotiated().expect("a complete handshake");
        assert_eq!(negotiated.cipher_suite(), cell.suite);
        assert_eq!(negotiated.group(), cell.group);
        assert_eq!(negotiated.resumed(), expected.resumed);
        assert_eq!(negotiated.alpn(), Some(&b"b"[..]));
    }
    assert_eq!(cast::seen(&pair.client.connection), Some(expected.server));
    assert_eq!(cast::seen(&pair.server.connection), expected.client);
    pair.assert_same_view();
    check_hellos(cell, expected.retry, pair);

    echo(cell.transport, pair);
    if cell.transport == Transport::Cut {
        // RFC 8449, section 4: protected records alone are limited; RFC 9846, 5.2: the tag's 16 bytes come on top.
        for (sent, limit) in [(&pair.client.sent, SERVER_LIMIT), (&pair.server.sent, CLIENT_LIMIT)] {
            let longest = crate::support::records(sent).iter().filter(|record| record[0] == 23).map(Vec::len).max();
            assert_eq!(longest, Some(5 + usize::from(limit) + 16));
        }
    }
}

/// Looks at the messages in the clear.
fn check_hellos(cell: &Cell, retry: Option<Vec<u16>>, pair: &Pair) {
    let (of_client, of_server) = (hellos(&pair.client.sent), hellos(&pair.server.sent));
    let rounds = if retry.is_some() { 2 } else { 1 };
    assert_eq!((of_client.len(), of_server.len()), (rounds, rounds));
    let (server_hello, retries) = of_server.split_last().unwrap();
    assert!(!server_hello.is_retry() && retries.iter().all(|hello| hello.is_retry()));
    assert_eq!(retries.first().map(|hello| hello.extensions.iter().map(|(kind, _)| *kind).collect()), retry);

    let offered = cell.session == Session::Ticket;
    assert!(of_client.iter().all(|hello| hello.extension(PRE_SHARED_KEY).is_some() == offered));
    assert_eq!(server_hello.extension(PRE_SHARED_KEY), offered.then_some(&[0, 0][..]), "the first and only one");
    let others = || GROUPS.iter().filter(|group| !cell.retry.group() || **group != cell.group).map(|group| group.0).collect::<Vec<_>>();
    assert_eq!(of_client[0].share_groups(), others());
    if let [first, second] = of_client.as_slice() {
        // RFC 9846, 4.2.2: the one share that was asked for, or else the same shares again; and the cookie, if there is one.
        if cell.retry.group() {
            assert_eq!(second.share_groups(), [cell.group.0]);
        } else {
            assert_eq!(first.extension(KEY_SHARE), second.extension(KEY_SHARE));
        }
        assert_eq!(second.extension(COOKIE), retries[0].extension(COOKIE));
    }
    // RFC 9846, E.4: each side sends one ChangeCipherSpec, with a retry too.
    assert_eq!([&pair.client.sent, &pair.server.sent].map(|sent| wire::count(sent, 20)), [1, 1]);
}

/// Data there and back again.
fn echo(transport: Transport, pair: &mut Pair) {
    let mut rng = Seeded(3);
    let question = data(0, 1000);
    pair.client.write(&question);
    transport.settle(pair, &mut rng);
    let heard = pair.server.read.clone();
    pair.server.write(&heard);
    transport.settle(pair, &mut rng);
    assert!(heard == question && pair.client.read == question);
    for end in [&pair.client, &pair.server] {
        assert_eq!(*end.status.as_ref().unwrap(), Status::NeedsInput);
    }
}

/// Runs them; a failure says which cell it was.
fn run_all(places: &[Place]) {
    struct Running(Cell);
    impl Drop for Running {
        fn drop(&mut self) {
            if std::thread::panicking() {
                println!("failed: {:?}", self.0);
            }
        }
    }
    for place in places {
        let running = Running(Cell::at(*place));
        run(&running.0);
    }
    println!("{} cells", places.len());
}

/// Two dimensions and a value of each.
type Two = [(usize, usize); 2];

fn pairs(place: &Place) -> impl Iterator<Item = Two> {
    (0..place.len()).flat_map(move |one| (0..one).map(move |other| [(one, place[one]), (other, place[other])]))
}

/// Few cells with all pairs in them: one after the other, the last of those that bring the most new ones.
fn pairwise() -> Vec<Place> {
    let all = product();
    let mut missing: BTreeSet<Two> = all.iter().flat_map(pairs).collect();
    let mut chosen = Vec::new();
    while !missing.is_empty() {
        let news = |place: &&Place| pairs(place).filter(|pair| missing.contains(pair)).count();
        let best = *all.iter().max_by_key(news).unwrap();
        missing.retain(|pair| !pairs(&best).any(|covered| covered == *pair));
        chosen.push(best);
    }
    chosen
}

#[test]
fn every_pair_of_dimensions() {
    let places = pairwise();
    // Each two of the sizes multiplied, and all of that added up.
    let covered: BTreeSet<Two> = places.iter().flat_map(pairs).collect();
    assert_eq!(covered.len(), 229);
    run_all(&places);
    assert_eq!(places.len(), 21);
}

#[test]
#[ignore = "needs an optimized build: 5184 handshakes"]
fn the_full_product() {
    let places = product();
    run_all(&places);
    assert_eq!(places.len(), 3456);
}
