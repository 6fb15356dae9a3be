//! A ticket is offered again after something else has changed. It is resumed if the change makes no
//! difference, and otherwise ignored: the handshake is then a full one, and never fails because of
//! the ticket.

use std::sync::OnceLock;
use std::time::Duration;

use fleeting::{
    AlertDescription, CertificateError, CipherSuite, Client, ClientAuth, ClientBuilder, Error,
    Fault, Identity, NamedGroup, Server, ServerBuilder, SessionCache, Status, TicketKey,
    TicketKeys, Trust, Validity,
};

use crate::cast::{self, Credential::Certificate, DAY, OTHER_NAME, cast};
use crate::support::{NAME, NOW, Pair, Seeded};
use crate::wire::{COOKIE, KEY_SHARE, PRE_SHARED_KEY, Transport, hellos};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

// The first and the last share a hash, SHA-256.
const AES_128: CipherSuite = CipherSuite::TLS_AES_128_GCM_SHA256;
const AES_256: CipherSuite = CipherSuite::TLS_AES_256_GCM_SHA384;
const CHACHA: CipherSuite = CipherSuite::TLS_CHACHA20_POLY1305_SHA256;

/// The configuration of a connection: changes to a client and a server that authenticate by
/// certificates, and that share a cache and ticket keys with the connections before and after.
#[derive(Clone, Copy)]
struct Setup {
    client: fn(ClientBuilder) -> ClientBuilder,
    server: fn(ServerBuilder) -> ServerBuilder,
    name: &'static str,
    /// The time on the two clocks, after the start of the test.
    client_clock: Duration,
    server_clock: Duration,
}

const PLAIN: Setup = Setup {
    client: |client| client,
    server: |server| server,
    name: NAME,
    client_clock: Duration::ZERO,
    server_clock: Duration::ZERO,
};

/// This much later, by both clocks.
const fn at(clock: Duration) -> Setup {
    Setup {
        client_clock: clock,
        server_clock: clock,
        ..PLAIN
    }
}

/// What the connections of a row share.
struct Shared {
    sessions: SessionCache,
    keys: TicketKeys,
}

impl Shared {
    fn new() -> Self {
        Self {
            sessions: SessionCache::new(8),
            keys: TicketKeys::rotating(),
        }
    }

    fn connect(&self, setup: Setup, seed: u64) -> Pair {
        let client = Client::builder()
            .trust(Certificate.trust_in_server())
            .identity(Certificate.client().clone())
            .sessions(self.sessions.clone());
        let server = Server::builder()
            .identity(Certificate.server().clone())
            .client_auth(ClientAuth::Required(Certificate.trust_in_client()))
            .ticket_keys(self.keys.clone());
        let (client, server): (Client, Server) = (
            (setup.client)(client).build().unwrap(),
            (setup.server)(server).build().unwrap(),
        );
        let mut clocks = [NOW; 2];
        clocks[0].unix += setup.client_clock;
        clocks[1].unix += setup.server_clock;
        let mut pair = Pair::between_at(&client, &server, clocks, setup.name, seed);
        Transport::Whole.settle(&mut pair, &mut Seeded(0));
        // Tickets are sent with the server's first data, even if it is empty.
        if pair.server.connection.negotiated().is_some() {
            pair.server.write(b"");
            Transport::Whole.settle(&mut pair, &mut Seeded(0));
        }
        pair
    }
}

/// A connection that leaves tickets (`then`), and another one after it (`now`).
struct Row<'a> {
    what: &'a str,
    then: Setup,
    now: Setup,
    expected: Expected,
}

/// What happens to the ticket.
enum Expected {
    /// The client does not offer it.
    NotOffered,
    /// The server ignores it.
    Ignored,
    /// The server asks for another ClientHello with a suite whose hash is not the ticket's, and the
    /// client leaves the ticket out of it.
    LeftOut,
    Resumed,
    /// The session is resumed after a retry.
    ResumedAfterRetry,
}

use Expected::{Ignored, LeftOut, NotOffered, Resumed, ResumedAfterRetry};

impl Row<'_> {
    fn run(&self) {
        let shared = Shared::new();
        let before = shared.connect(self.then, 1);
        assert_connected(&before, false, self.what);
        let after = shared.connect(self.now, 2);
        let (resumed, offered): (bool, &[bool]) = match self.expected {
            NotOffered => (false, &[false]),
            Ignored => (false, &[true]),
            LeftOut => (false, &[true, false]),
            Resumed => (true, &[true]),
            ResumedAfterRetry => (true, &[true, true]),
        };
        assert_connected(&after, resumed, self.what);
        let offers: Vec<_> = hellos(&after.client.sent)
            .iter()
            .map(|hello| hello.extension(PRE_SHARED_KEY).is_some())
            .collect();
        assert_eq!(
            offers, offered,
            "{}: pre_shared_key in each ClientHello",
            self.what
        );
        assert_eq!(
            after.client.connection.negotiated().unwrap().server_name(),
            Some(self.now.name)
        );
    }
}

/// Both sides are connected and know each other's identity, from this handshake or an earlier one.
fn assert_connected(pair: &Pair, resumed: bool, what: &str) {
    for end in [&pair.client, &pair.server] {
        assert!(
            matches!(end.status, Ok(Status::NeedsInput)),
            "{what}: {:?}",
            end.status
        );
        assert_eq!(
            end.connection.negotiated().expect(what).resumed(),
            resumed,
            "{what}"
        );
    }
    pair.assert_same_view();
    assert!(cast::seen(&pair.client.connection).is_some(), "{what}");
}

fn run<'a>(rows: impl IntoIterator<Item = Row<'a>>) {
    for row in rows {
        row.run();
    }
}

/// RFC 9846, 4.7.1: "Any ticket MUST only be resumed with a cipher suite that has the same KDF hash
/// algorithm".
#[test]
fn with_other_suites_and_groups() {
    let then = Setup {
        server: |server| server.cipher_suites([AES_128]),
        ..PLAIN
    };
    let now = |server| Setup { server, ..PLAIN };
    run([
        Row {
            what: "nothing changed",
            then: PLAIN,
            now: PLAIN,
            expected: Resumed,
        },
        Row {
            what: "the same hash",
            then,
            now: now(|server| server.cipher_suites([CHACHA])),
            expected: Resumed,
        },
        Row {
            what: "the same hash, and back",
            then: Setup {
                server: |server| server.cipher_suites([CHACHA]),
                ..PLAIN
            },
            now: then,
            expected: Resumed,
        },
        Row {
            what: "another hash",
            then,
            now: now(|server| server.cipher_suites([AES_256])),
            expected: Ignored,
        },
        Row {
            what: "another hash, and back",
            then: Setup {
                server: |server| server.cipher_suites([AES_256]),
                ..PLAIN
            },
            now: then,
            expected: Ignored,
        },
        Row {
            what: "a hash that the client does not offer any more",
            then,
            now: Setup {
                client: |client| client.cipher_suites([AES_256]),
                ..PLAIN
            },
            expected: NotOffered,
        },
        Row {
            what: "the same hash, and a retry by group",
            then,
            now: now(|server| {
                server
                    .cipher_suites([CHACHA])
                    .groups([NamedGroup::SECP256R1])
            }),
            expected: ResumedAfterRetry,
        },
        Row {
            what: "the same hash, and a cookie",
            then,
            now: now(|server| server.cipher_suites([CHACHA]).retry_cookie(true)),
            expected: ResumedAfterRetry,
        },
        Row {
            what: "another hash, and a retry by group",
            then,
            now: now(|server| {
                server
                    .cipher_suites([AES_256])
                    .groups([NamedGroup::SECP256R1])
            }),
            expected: LeftOut,
        },
        Row {
            what: "another hash, and a cookie",
            then,
            now: now(|server| server.cipher_suites([AES_256]).retry_cookie(true)),
            expected: LeftOut,
        },
        // RFC 9846, 4.3.10: the application's protocol only binds early data.
        Row {
            what: "another protocol of the application's",
            then: Setup {
                client: |client| client.alpn(["a", "b"]),
                server: |server| server.alpn(["a"]),
                ..PLAIN
            },
            now: Setup {
                client: |client| client.alpn(["a", "b"]),
                server: |server| server.alpn(["b"]),
                ..PLAIN
            },
            expected: Resumed,
        },
    ]);
}

/// The rules by which a server accepts clients: after any change of them, earlier tickets are
/// ignored.
#[test]
fn where_clients_are_asked_otherwise() {
    fn none(server: ServerBuilder) -> ServerBuilder {
        server.client_auth(ClientAuth::None)
    }
    fn optional(server: ServerBuilder) -> ServerBuilder {
        server.client_auth(ClientAuth::Optional(Certificate.trust_in_client()))
    }
    fn required(server: ServerBuilder) -> ServerBuilder {
        server.client_auth(ClientAuth::Required(Certificate.trust_in_client()))
    }
    fn one_root_more(server: ServerBuilder) -> ServerBuilder {
        server.client_auth(ClientAuth::Required(
            cast().stranger.trust().and(Certificate.trust_in_client()),
        ))
    }
    fn the_same_roots_in_another_order(server: ServerBuilder) -> ServerBuilder {
        server.client_auth(ClientAuth::Required(
            Certificate.trust_in_client().and(cast().stranger.trust()),
        ))
    }
    fn one_key_more(server: ServerBuilder) -> ServerBuilder {
        let key = Trust::key_for("client.internal", cast().stranger.public_key());
        server.client_auth(ClientAuth::Required(Certificate.trust_in_client().and(key)))
    }
    type Mode = fn(ServerBuilder) -> ServerBuilder;
    let modes: [(&str, Mode); 5] = [
        ("none", none),
        ("optional", optional),
        ("required", required),
        ("one root more", one_root_more),
        ("one key more", one_key_more),
    ];
    for (then, server_then) in modes {
        for (now, server_now) in modes {
            let expected = if then == now { Resumed } else { Ignored };
            let what = &format!("{then}, then {now}");
            run([Row {
                what,
                then: Setup {
                    server: server_then,
                    ..PLAIN
                },
                now: Setup {
                    server: server_now,
                    ..PLAIN
                },
                expected,
            }]);
        }
    }
    run([Row {
        what: "the same roots in another order",
        then: Setup {
            server: one_root_more,
            ..PLAIN
        },
        now: Setup {
            server: the_same_roots_in_another_order,
            ..PLAIN
        },
        expected: Resumed,
    }]);
}

/// What a client requires: the server's name, whom it trusts, and its own identity. A session is
/// offered only if all of these are the same.
#[test]
fn where_the_client_asks_for_something_else() {
    let now = |client| Setup { client, ..PLAIN };
    run([
        Row {
            what: "another name",
            then: PLAIN,
            now: Setup {
                name: OTHER_NAME,
                ..PLAIN
            },
            expected: NotOffered,
        },
        Row {
            what: "one root more",
            then: PLAIN,
            now: now(|client| {
                client.trust(Certificate.trust_in_server().and(cast().stranger.trust()))
            }),
            expected: NotOffered,
        },
        Row {
            what: "the certificate's key instead of its root",
            then: PLAIN,
            now: now(|client| {
                client.trust(Trust::key_for(NAME, Certificate.server().public_key()))
            }),
            expected: NotOffered,
        },
        Row {
            what: "another certificate of the client's",
            then: PLAIN,
            now: now(|client| client.identity(cast::client_of(&cast().root))),
            expected: NotOffered,
        },
        Row {
            what: "another cache",
            then: PLAIN,
            now: now(|client| client.sessions(SessionCache::new(8))),
            expected: NotOffered,
        },
        Row {
            what: "no cache",
            then: PLAIN,
            now: now(|client| client.sessions(SessionCache::new(0))),
            expected: NotOffered,
        },
        Row {
            what: "no cache before",
            then: now(|client| client.sessions(SessionCache::new(0))),
            now: PLAIN,
            expected: NotOffered,
        },
        // RFC 9149, 1.1: clients decline resumption "by sending a ticket request with count of
        // zero".
        Row {
            what: "no tickets wanted",
            then: now(|client| client.tickets(0, 0)),
            now: PLAIN,
            expected: NotOffered,
        },
    ]);
}

/// Ticket keys as two processes install them from a common store.
fn installed(
    keys: impl IntoIterator<Item = ([u8; 32], Duration, Duration, Duration)>,
) -> TicketKeys {
    let ring = TicketKeys::empty();
    for (secret, from, until, decrypt) in keys {
        ring.install(
            TicketKey::new(
                secret,
                NOW.unix + from,
                NOW.unix + until,
                NOW.unix + decrypt,
            )
            .unwrap(),
        );
    }
    ring
}

#[test]
fn where_the_server_is_another() {
    fn first(server: ServerBuilder) -> ServerBuilder {
        server.ticket_keys(installed([([1; 32], Duration::ZERO, HOUR, 2 * HOUR)]))
    }
    fn both(server: ServerBuilder) -> ServerBuilder {
        server.ticket_keys(installed([
            ([1; 32], Duration::ZERO, HOUR, 2 * HOUR),
            ([2; 32], HOUR, 2 * HOUR, 3 * HOUR),
        ]))
    }
    fn second(server: ServerBuilder) -> ServerBuilder {
        server.ticket_keys(installed([([2; 32], Duration::ZERO, 2 * HOUR, 3 * HOUR)]))
    }
    let then = Setup {
        server: first,
        ..PLAIN
    };
    let now = |server| Setup { server, ..PLAIN };
    run([
        Row {
            what: "the same key in another process",
            then,
            now: then,
            expected: Resumed,
        },
        Row {
            what: "a newer key besides",
            then,
            now: Setup {
                server: both,
                ..at(90 * MINUTE)
            },
            expected: Resumed,
        },
        Row {
            what: "another key",
            then,
            now: now(second),
            expected: Ignored,
        },
        Row {
            what: "keys of its own",
            then: PLAIN,
            now: now(|server| server.ticket_keys(TicketKeys::rotating())),
            expected: Ignored,
        },
        Row {
            what: "no keys",
            then: PLAIN,
            now: now(|server| server.ticket_keys(TicketKeys::empty())),
            expected: Ignored,
        },
        Row {
            what: "no keys before",
            then: now(|server| server.ticket_keys(TicketKeys::empty())),
            now: PLAIN,
            expected: NotOffered,
        },
        Row {
            what: "no tickets",
            then: PLAIN,
            now: now(ServerBuilder::without_tickets),
            expected: Ignored,
        },
        Row {
            what: "no tickets before",
            then: now(ServerBuilder::without_tickets),
            now: PLAIN,
            expected: NotOffered,
        },
        Row {
            what: "another certificate of the server's",
            then: PLAIN,
            now: now(|server| server.identity(cast::server_of(&cast().root))),
            expected: Ignored,
        },
        Row {
            what: "the same certificate, chosen by name",
            then: PLAIN,
            now: now(|server| {
                server
                    .identity(cast::server_of(&cast().root))
                    .identity_by_name(Certificate.server().clone())
            }),
            expected: Resumed,
        },
    ]);
}

/// Issues a server's certificate that is valid for an hour.
fn good_for_an_hour() -> Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    let validity = Validity::between(NOW.unix - DAY, NOW.unix + HOUR).unwrap();
    IDENTITY
        .get_or_init(|| {
            cast()
                .root
                .certificate()
                .server([NAME])
                .validity(validity)
                .issue()
                .unwrap()
        })
        .clone()
}

/// A lifetime is 2 hours by default. The two clocks need not agree.
#[test]
fn when_it_is_late() {
    let by_server = |server_clock| Setup {
        server_clock,
        ..PLAIN
    };
    let second = Duration::from_secs(1);
    run([
        Row {
            what: "in time",
            then: PLAIN,
            now: at(2 * HOUR - second),
            expected: Resumed,
        },
        Row {
            what: "too late",
            then: PLAIN,
            now: at(2 * HOUR + second),
            expected: NotOffered,
        },
        Row {
            what: "too late by the server's clock",
            then: PLAIN,
            now: by_server(2 * HOUR + second),
            expected: Ignored,
        },
        // RFC 9846, 4.7.1: a server takes no ticket from the future.
        Row {
            what: "too early by the server's clock",
            then: at(HOUR),
            now: Setup {
                client_clock: HOUR,
                ..PLAIN
            },
            expected: Ignored,
        },
        Row {
            what: "too late for a shorter lifetime",
            then: Setup {
                server: |server| server.ticket_lifetime(MINUTE),
                ..PLAIN
            },
            now: at(2 * MINUTE),
            expected: NotOffered,
        },
        Row {
            what: "in time for a longer lifetime",
            then: Setup {
                server: |server| server.ticket_lifetime(7 * DAY).max_session_age(7 * DAY),
                ..PLAIN
            },
            now: Setup {
                server: |server| server.ticket_lifetime(7 * DAY).max_session_age(7 * DAY),
                ..at(7 * DAY - second)
            },
            expected: Resumed,
        },
        // The server may have become stricter after it issued the ticket.
        Row {
            what: "in time for the ticket, too late for what the server takes now",
            then: PLAIN,
            now: Setup {
                server: |server| server.ticket_lifetime(30 * MINUTE),
                ..at(HOUR)
            },
            expected: Ignored,
        },
        Row {
            what: "in time for the ticket, too late for the session",
            then: PLAIN,
            now: Setup {
                server: |server| server.max_session_age(30 * MINUTE),
                ..at(HOUR)
            },
            expected: Ignored,
        },
        // RFC 9846, 4.7.1: a ticket's use does not outlive the certificate.
        Row {
            what: "in time for the ticket, too late for the server's certificate",
            then: Setup {
                server: |server| server.identity(good_for_an_hour()),
                ..PLAIN
            },
            now: at(90 * MINUTE),
            expected: NotOffered,
        },
    ]);
}

/// Each resumption, an hour and a half after the last, gets a new ticket. 24 hours after the full
/// handshake another one is required.
#[test]
fn a_chain_of_resumptions_ends() {
    let shared = Shared::new();
    let mut clock = Duration::ZERO;
    for number in 0..40 {
        let pair = shared.connect(at(clock), number);
        assert_connected(&pair, number % 16 != 0, &format!("connection {number}"));
        clock += 90 * MINUTE;
    }
}

/// A full handshake that is refused now stays refused, whatever was allowed when the ticket was
/// issued.
#[test]
fn a_ticket_lets_nobody_in() {
    let expired =
        |fault: &Fault| matches!(fault, Fault::Certificate(CertificateError::Expired { .. }));
    let unknown = |fault: &Fault| {
        matches!(
            fault,
            Fault::Certificate(CertificateError::UnknownIssuer { .. })
        )
    };
    let untrusted = Setup {
        server: |server| server.client_auth(ClientAuth::Required(cast().stranger.trust())),
        ..PLAIN
    };
    let other_server = Setup {
        server: |server| server.identity(cast::server_of(&cast().stranger)),
        ..PLAIN
    };
    let long = Setup {
        server: |server| server.ticket_lifetime(7 * DAY).max_session_age(60 * DAY),
        ..at(25 * DAY)
    };
    let later = Duration::from_secs(31 * 86_400);

    // The client's root is not trusted any more.
    let refused = |then, now, by_server: bool, is: fn(&Fault) -> bool, alert| {
        let shared = Shared::new();
        assert_connected(&shared.connect(then, 1), false, "the first");
        let pair = shared.connect(now, 2);
        assert!(
            hellos(&pair.client.sent)[0]
                .extension(PRE_SHARED_KEY)
                .is_some()
        );
        let (by, hears) = if by_server {
            (&pair.server, &pair.client)
        } else {
            (&pair.client, &pair.server)
        };
        assert!(
            matches!(by.error(), Error::Protocol { fault, .. } if is(fault)),
            "{}",
            by.error()
        );
        assert_eq!(by.error().alert(), Some(alert));
        assert!(
            matches!(hears.status, Err(Error::AlertReceived { alert: heard, .. })
                if heard == alert),
            "{:?}",
            hears.status
        );
    };
    refused(
        PLAIN,
        untrusted,
        true,
        unknown,
        AlertDescription::UNKNOWN_CA,
    );
    refused(
        PLAIN,
        other_server,
        false,
        unknown,
        AlertDescription::UNKNOWN_CA,
    );
    // By the server's clock the client's certificate has expired in the meantime.
    refused(
        long,
        Setup {
            server_clock: later,
            ..long
        },
        true,
        expired,
        AlertDescription::CERTIFICATE_EXPIRED,
    );
}

/// RFC 9846, 4.2.2 and 4.3.11: what a retry changes in a ClientHello with a ticket, and what it
/// does not change.
#[test]
fn the_same_ticket_goes_into_the_second_hello() {
    let shared = Shared::new();
    shared.connect(PLAIN, 1);
    let pair = shared.connect(
        Setup {
            server: |server| server.groups([NamedGroup::SECP256R1]).retry_cookie(true),
            ..PLAIN
        },
        2,
    );
    assert_connected(&pair, true, "after a retry");
    let [first, second] = hellos(&pair.client.sent)
        .try_into()
        .unwrap_or_else(|_| panic!("two hellos"));
    let identity =
        |value: &[u8]| value[2..2 + usize::from(u16::from_be_bytes([value[0], value[1]]))].to_vec();
    let binders =
        |value: &[u8]| value[2 + usize::from(u16::from_be_bytes([value[0], value[1]]))..].to_vec();
    let psks = [&first, &second].map(|hello| hello.extension(PRE_SHARED_KEY).unwrap());
    assert_eq!(identity(psks[0]), identity(psks[1]));
    assert_ne!(binders(psks[0]), binders(psks[1]), "they cover the retry");
    assert_eq!(first.random, second.random);
    assert_eq!(first.middle, second.middle);
    for (kind, value) in &first.extensions {
        assert!(
            [KEY_SHARE, PRE_SHARED_KEY].contains(kind) || second.extension(*kind) == Some(value),
            "extension {kind}"
        );
    }
    let new: Vec<_> = second
        .extensions
        .iter()
        .map(|(kind, _)| *kind)
        .filter(|kind| first.extension(*kind).is_none())
        .collect();
    assert_eq!(new, [COOKIE]);
    assert_eq!(
        second.extensions.last().unwrap().0,
        PRE_SHARED_KEY,
        "it is the last"
    );
}
