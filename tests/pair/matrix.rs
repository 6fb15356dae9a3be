//! Every way to make a well configured connection: it completes, and both sides agree about it.
//!
//! `cargo test` tries each value of each dimension with each value of every other dimension. The
//! full product is ignored there, and runs optimized.

use std::collections::BTreeSet;

use fleeting::{
    CipherSuite, Client, ClientAuth, EarlyData, NamedGroup, ReplayGuard, Server, SessionCache,
    Status, TicketKeys,
};

use crate::cast::{self, Credential, Seen};
use crate::support::{Pair, SUITES, Seeded, data, records};
use crate::wire::{
    self, COOKIE, EARLY_DATA, KEY_SHARE, PRE_SHARED_KEY, SUPPORTED_VERSIONS, Transport, hellos,
};

/// Why the server asks for another ClientHello.
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

/// Where the keys come from, and what early data is sent before the server answers.
///
/// Early data is only sent with a ticket (RFC 9846, 4.3.10; we allow none directly under an
/// external PSK), so it is not a dimension of its own. The previous connection tries it as well,
/// still without a ticket, and is told that it may send none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    Full,
    /// There was a previous connection, which left a ticket.
    Ticket,
    /// There is a ticket, and the client sends early data. The server takes it, unless it asks for
    /// another ClientHello.
    Early,
    /// The server took early data when it issued the ticket, but takes none now.
    EarlyNotTaken,
    /// The server that issued the ticket has another replay guard (RFC 9846, 8.2: another zone).
    EarlyElsewhere,
}

impl Session {
    const ALL: [Self; 5] = [
        Self::Full,
        Self::Ticket,
        Self::Early,
        Self::EarlyNotTaken,
        Self::EarlyElsewhere,
    ];

    fn early(self) -> bool {
        matches!(
            self,
            Self::Early | Self::EarlyNotTaken | Self::EarlyElsewhere
        )
    }
}

/// The external PSK that the client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Psk {
    None,
    /// Neither side has or trusts anything else.
    Alone,
    /// Each side also has and trusts something else, which is not used.
    Beside,
    /// Like `Beside`, but the server knows only another PSK, so the other credentials are used.
    Unknown,
}

impl Psk {
    const ALL: [Self; 4] = [Self::None, Self::Alone, Self::Beside, Self::Unknown];

    /// Returns true if the two sides authenticate by the PSK.
    fn taken(self) -> bool {
        matches!(self, Self::Alone | Self::Beside)
    }
}

/// What the server asks of the client, and what the client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// The client has a credential, and is not asked for it.
    No,
    OptionalShown,
    /// The client is asked, and has no credential.
    OptionalNothing,
    Required,
}

impl Asked {
    const ALL: [Self; 4] = [
        Self::No,
        Self::OptionalShown,
        Self::OptionalNothing,
        Self::Required,
    ];
}

const GROUPS: [NamedGroup; 3] = [
    NamedGroup::X25519_MLKEM768,
    NamedGroup::X25519,
    NamedGroup::SECP256R1,
];

/// The record size limit of each side: content, content type and padding (RFC 8449).
const CLIENT_LIMIT: u16 = 64;
const SERVER_LIMIT: u16 = 101;

/// The sizes of the early data, a record each, which add up to what the ticket allows. One is
/// longer than the server's limit, which the client does not know yet.
const EARLY: [usize; 3] = [1, 199, 100];
const MAX_EARLY_DATA: usize = EARLY[0] + EARLY[1] + EARLY[2];

#[derive(Clone, Copy, Debug)]
struct Cell {
    retry: Retry,
    session: Session,
    psk: Psk,
    asked: Asked,
    server: Credential,
    client: Credential,
    suite: CipherSuite,
    group: NamedGroup,
    transport: Transport,
}

/// The number of values in each dimension.
const SIZES: [usize; 9] = [4, 5, 4, 4, 2, 2, 3, 3, 3];

/// A cell as the indices of its values.
type Place = [usize; 9];

/// Returns the full product, without the impossible cells.
fn product() -> Vec<Place> {
    let place = |mut number: usize| {
        SIZES.map(|size| {
            let at = number % size;
            number /= size;
            at
        })
    };
    (0..SIZES.iter().product())
        .map(place)
        .filter(|place| Cell::at(*place).is_possible())
        .collect()
}

impl Cell {
    fn at(
        [
            retry,
            session,
            psk,
            asked,
            server,
            client,
            suite,
            group,
            transport,
        ]: Place,
    ) -> Self {
        Self {
            retry: Retry::ALL[retry],
            session: Session::ALL[session],
            psk: Psk::ALL[psk],
            asked: Asked::ALL[asked],
            server: Credential::ALL[server],
            client: Credential::ALL[client],
            suite: SUITES[suite],
            group: GROUPS[group],
            transport: Transport::ALL[transport],
        }
    }

    /// A client that has only a PSK is asked for nothing and presents nothing, which the first
    /// values stand for.
    fn is_possible(&self) -> bool {
        self.psk != Psk::Alone
            || (self.asked, self.server, self.client)
                == (Asked::ALL[0], Credential::ALL[0], Credential::ALL[0])
    }

    /// Returns a client that offers everything. Its share is for the group that will be used,
    /// unless a retry is to ask for that.
    fn client(&self, sessions: &SessionCache) -> Client {
        let mut client = Client::builder()
            .alpn(["a", "b"])
            .groups(GROUPS)
            .key_shares(
                GROUPS
                    .into_iter()
                    .filter(|group| !self.retry.group() || *group != self.group),
            )
            .sessions(sessions.clone())
            .early_data(self.session.early());
        if self.psk != Psk::None {
            client = client.external_psk(cast::cast().psk_at_client.clone());
        }
        if self.psk != Psk::Alone {
            client = client.trust(self.server.trust_in_server());
            if self.asked != Asked::OptionalNothing {
                client = client.identity(self.client.client().clone());
            }
        }
        if self.transport == Transport::Cut {
            client = client.record_size_limit(CLIENT_LIMIT);
        }
        client.build().unwrap()
    }

    /// Returns a server that takes one suite and one group, and early data if it has a guard.
    fn server(&self, ticket_keys: &TicketKeys, guard: Option<&ReplayGuard>) -> Server {
        let mut server = Server::builder()
            .ticket_keys(ticket_keys.clone())
            .alpn(["b"])
            .cipher_suites([self.suite])
            .groups([self.group])
            .retry_cookie(self.retry.cookie());
        server = match self.psk {
            Psk::None => server,
            Psk::Alone | Psk::Beside => server.external_psks([cast::cast().psk_at_server.clone()]),
            Psk::Unknown => server.external_psks([cast::cast().other_psk_at_server.clone()]),
        };
        if self.psk != Psk::Alone {
            let trust = self.client.trust_in_client();
            server = server
                .identity(self.server.server().clone())
                .client_auth(match self.asked {
                    Asked::No => ClientAuth::None,
                    Asked::OptionalShown | Asked::OptionalNothing => ClientAuth::Optional(trust),
                    Asked::Required => ClientAuth::Required(trust),
                });
        }
        if let Some(guard) = guard {
            server = server.early_data(u32::try_from(MAX_EARLY_DATA).unwrap(), guard.clone());
        }
        if self.transport == Transport::Cut {
            server = server.record_size_limit(SERVER_LIMIT);
        }
        server.build().unwrap()
    }
}

/// What a cell must lead to.
struct Expected {
    resumed: bool,
    early_data: EarlyData,
    /// The extensions of the HelloRetryRequest, if one is sent.
    retry: Option<Vec<u16>>,
    /// The index of the selected PSK in the last ClientHello.
    selected: Option<u8>,
    /// What the client sees of the server, and the server of the client. Nothing if they
    /// authenticate by the external PSK.
    server: Option<Seen>,
    client: Option<Seen>,
}

fn expected(cell: &Cell) -> Expected {
    let resumed = cell.session != Session::Full;
    // RFC 9846, 4.2.4: supported_versions is always there, key_share and cookie if they are asked
    // for.
    let asks_for = [
        (true, SUPPORTED_VERSIONS),
        (cell.retry.group(), KEY_SHARE),
        (cell.retry.cookie(), COOKIE),
    ];
    let asks_for = asks_for
        .into_iter()
        .filter_map(|(asked, extension)| asked.then_some(extension))
        .collect();
    // The session is offered first. RFC 9258, section 5.1: a PSK is imported once for each KDF,
    // here for SHA-256 first. RFC 9846, 4.2.2: after a retry, those that do not fit its suite are
    // left out.
    let behind = cell.suite == CipherSuite::TLS_AES_256_GCM_SHA384 && cell.retry == Retry::None;
    let by_credential = !cell.psk.taken();
    Expected {
        resumed,
        early_data: match cell.session {
            Session::Full | Session::Ticket => EarlyData::NotOffered,
            // RFC 9846, 4.3.10: a HelloRetryRequest rejects early data.
            Session::Early if cell.retry == Retry::None => EarlyData::Accepted,
            Session::Early | Session::EarlyNotTaken | Session::EarlyElsewhere => {
                EarlyData::Rejected
            }
        },
        retry: (cell.retry != Retry::None).then_some(asks_for),
        selected: if resumed {
            Some(0)
        } else {
            cell.psk.taken().then_some(behind.into())
        },
        server: by_credential.then(|| cell.server.seen_server()),
        client: match cell.asked {
            Asked::No | Asked::OptionalNothing => None,
            Asked::OptionalShown | Asked::Required => {
                by_credential.then(|| cell.client.seen_client(resumed))
            }
        },
    }
}

fn run(cell: &Cell) {
    let (sessions, ticket_keys) = (SessionCache::new(8), TicketKeys::rotating());
    let client = cell.client(&sessions);
    let [guard, another] = [(); 2].map(|()| ReplayGuard::in_memory(8));
    // The first is for the server that issues the ticket, the second for the one that receives it.
    let (before, now) = match cell.session {
        Session::Full | Session::Ticket => (None, None),
        Session::Early => (Some(&guard), Some(&guard)),
        Session::EarlyNotTaken => (Some(&guard), None),
        Session::EarlyElsewhere => (Some(&guard), Some(&another)),
    };
    if cell.session != Session::Full {
        let full = Cell {
            session: Session::Full,
            ..*cell
        };
        check(
            &full,
            &mut meet(&full, &client, &cell.server(&ticket_keys, before), 1),
        );
    }
    check(
        cell,
        &mut meet(cell, &client, &cell.server(&ticket_keys, now), 2),
    );
    // RFC 9149: two tickets were requested at first; a used one is replaced.
    assert_eq!(sessions.len(), 2);
}

/// Makes a handshake. The client sends all the early data that it may, and the server at once
/// echoes what it takes.
fn meet(cell: &Cell, client: &Client, server: &Server, seed: u64) -> Pair {
    let outcome = expected(cell).early_data;
    let mut pair = Pair::between(client, server, seed);
    let mut rng = Seeded(seed);
    let left = if outcome == EarlyData::NotOffered {
        0
    } else {
        MAX_EARLY_DATA
    };
    assert_eq!(pair.client.connection.early_data_left(), left);
    let early = data(5000, MAX_EARLY_DATA);
    let mut rest = &early[..];
    for length in EARLY {
        let (piece, more) = rest.split_at(length);
        assert_eq!(
            pair.client.connection.write_early_data(piece).unwrap(),
            length.min(left)
        );
        rest = more;
    }
    for end in [&mut pair.client, &mut pair.server] {
        assert_eq!(
            end.connection
                .write_early_data(b"no more, or not at all")
                .unwrap(),
            0
        );
    }
    let flight = pair.client.send(usize::MAX);
    cell.transport.deliver(&flight, &mut pair.server, &mut rng);
    let mut answer = Vec::new();
    if outcome == EarlyData::Accepted {
        assert!(pair.server.early == early && pair.server.connection.is_handshaking());
        answer = data(6000, 300);
        assert_eq!(
            pair.server.connection.write_early_data(&answer).unwrap(),
            answer.len()
        );
    }
    cell.transport.settle(&mut pair, &mut rng);
    // The early data was read once, and does not occur in the data after it.
    assert_eq!(
        pair.server.early.len(),
        if outcome == EarlyData::Accepted {
            MAX_EARLY_DATA
        } else {
            0
        }
    );
    assert!(pair.client.early.is_empty() && pair.server.read.is_empty());
    assert!(pair.client.read == answer);
    pair.client.read.clear();
    for end in [&mut pair.client, &mut pair.server] {
        assert_eq!(end.connection.write_early_data(b"too late").unwrap(), 0);
    }
    pair
}

fn check(cell: &Cell, pair: &mut Pair) {
    let expected = expected(cell);
    let (own, peer) = (Some(cast::PSK_CLIENT), Some(cast::PSK_SERVER));
    for (end, names) in [(&pair.client, (own, peer)), (&pair.server, (peer, own))] {
        assert_eq!(*end.status.as_ref().unwrap(), Status::NeedsInput);
        let negotiated = end.connection.negotiated().expect("a complete handshake");
        assert_eq!(negotiated.cipher_suite(), cell.suite);
        assert_eq!(negotiated.group(), cell.group);
        assert_eq!(negotiated.resumed(), expected.resumed);
        assert_eq!(negotiated.early_data(), expected.early_data);
        assert_eq!(negotiated.alpn(), Some(&b"b"[..]));
        // In a session of an external PSK, that PSK identifies the other side too.
        let psk = negotiated
            .external_psk()
            .map(|psk| (psk.own_name(), psk.peer_name()));
        assert_eq!(psk, cell.psk.taken().then_some(names));
    }
    assert_eq!(cast::seen(&pair.client.connection), expected.server);
    assert_eq!(cast::seen(&pair.server.connection), expected.client);
    pair.assert_same_view();
    check_hellos(cell, &expected, pair);
    let early_records = if expected.early_data == EarlyData::NotOffered {
        0
    } else {
        EARLY.len()
    };

    echo(cell.transport, pair);
    if cell.transport == Transport::Cut {
        // RFC 8449, section 4: the limit applies only to protected records. RFC 9846, 5.2: the tag
        // adds 16 bytes.
        for (sent, limit, early) in [
            (&pair.client.sent, SERVER_LIMIT, early_records),
            (&pair.server.sent, CLIENT_LIMIT, 0),
        ] {
            let longest = records(sent)
                .iter()
                .filter(|record| record[0] == 23)
                .skip(early)
                .map(Vec::len)
                .max();
            assert_eq!(longest, Some(5 + usize::from(limit) + 16));
        }
    }
}

/// Checks the messages in the clear, and the order of records.
fn check_hellos(cell: &Cell, expected: &Expected, pair: &Pair) {
    let (of_client, of_server) = (hellos(&pair.client.sent), hellos(&pair.server.sent));
    let rounds = if expected.retry.is_some() { 2 } else { 1 };
    assert_eq!((of_client.len(), of_server.len()), (rounds, rounds));
    let (server_hello, retries) = of_server.split_last().unwrap();
    assert!(!server_hello.is_retry() && retries.iter().all(|hello| hello.is_retry()));
    assert_eq!(
        retries
            .first()
            .map(|hello| hello.extensions.iter().map(|(kind, _)| *kind).collect()),
        expected.retry
    );

    let offered = expected.resumed || cell.psk != Psk::None;
    assert!(
        of_client
            .iter()
            .all(|hello| hello.extension(PRE_SHARED_KEY).is_some() == offered)
    );
    assert_eq!(
        server_hello.extension(PRE_SHARED_KEY).map(<[u8]>::to_vec),
        expected.selected.map(|index| vec![0, index])
    );
    let others = || {
        GROUPS
            .iter()
            .filter(|group| !cell.retry.group() || **group != cell.group)
            .map(|group| group.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(of_client[0].share_groups(), others());
    if let [first, second] = of_client.as_slice() {
        // RFC 9846, 4.2.2: the second hello has the requested share, or else the same shares again,
        // and the cookie if there is one.
        if cell.retry.group() {
            assert_eq!(second.share_groups(), [cell.group.0]);
        } else {
            assert_eq!(first.extension(KEY_SHARE), second.extension(KEY_SHARE));
        }
        assert_eq!(second.extension(COOKIE), retries[0].extension(COOKIE));
        // RFC 9846, 4.3.10: there is no early data after the second hello.
        assert_eq!(second.extension(EARLY_DATA), None);
    }
    let early = expected.early_data != EarlyData::NotOffered;
    assert_eq!(of_client[0].extension(EARLY_DATA), early.then_some(&[][..]));
    // RFC 9846, E.4: each side sends one ChangeCipherSpec, even with a retry. The client sends it
    // before its second flight or, with early data, after the first ClientHello.
    assert_eq!(
        [&pair.client.sent, &pair.server.sent].map(|sent| wire::count(sent, 20)),
        [1, 1]
    );
    let types: Vec<u8> = records(&pair.client.sent)
        .iter()
        .map(|record| record[0])
        .collect();
    let begins: &[u8] = match (early, expected.retry.is_some()) {
        (false, false) => &[22, 20, 23],
        (false, true) => &[22, 20, 22, 23],
        (true, false) => &[22, 20, 23, 23, 23, 23],
        (true, true) => &[22, 20, 23, 23, 23, 22, 23],
    };
    assert!(types.starts_with(begins), "{types:?}");
}

/// Sends data in both directions.
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

/// Runs these cells. A failure names the cell.
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

/// A value in each of two dimensions.
type Two = [(usize, usize); 2];

fn pairs(place: &Place) -> impl Iterator<Item = Two> {
    (0..place.len())
        .flat_map(move |one| (0..one).map(move |other| [(one, place[one]), (other, place[other])]))
}

/// Returns a few cells that contain all pairs of values. Each added cell is the last of those with
/// the most new pairs.
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
    // The products of each two sizes add up to 396. A PSK alone does not occur with 3 of the ways
    // of being asked and one kind of credential on either side.
    let covered: BTreeSet<Two> = places.iter().flat_map(pairs).collect();
    assert_eq!(covered.len(), 391);
    run_all(&places);
    assert_eq!(places.len(), 26);
}

#[test]
#[ignore = "needs an optimized build: 47628 handshakes"]
fn the_full_product() {
    let places = product();
    run_all(&places);
    // 4 retries, 5 sessions, 3 suites, 3 groups and 3 transports make 540. Each is combined with a
    // PSK alone, or with 4 * 2 * 2 ways to authenticate without a PSK, with one, and with an
    // unknown one.
    assert_eq!(places.len(), 540 * (1 + 3 * 16));
}
