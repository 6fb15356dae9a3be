//! Key exchange groups, and the retries that lead to them.

use std::sync::Arc;

use fleeting::{AlertDescription, ClientBuilder, Fault, NamedGroup, ServerBuilder};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::{HandshakeKind, NamedGroup as Theirs};

use crate::pair::{
    Auth, PLAIN, Pair, Setting, our_client, our_server, their_client, their_server, to_our_server,
    to_their_server,
};
use crate::support::{CLIENT_NAME, Pki, SERVER_NAME, SUITES, Suite};

const HYBRID: NamedGroup = NamedGroup::X25519_MLKEM768;
const X25519: NamedGroup = NamedGroup::X25519;
const P256: NamedGroup = NamedGroup::SECP256R1;

/// Groups of rustls.
type Groups = &'static [Theirs];

/// A full handshake and a resumed one use the same group, with or without a retry alike.
fn meet_twice(meet: impl Fn() -> Pair, group: NamedGroup, retried: bool) {
    for resumed in [false, true] {
        let mut pair = meet();
        pair.run().assert_connected();
        let negotiated = pair.ours.negotiated().unwrap();
        assert_eq!((negotiated.group(), negotiated.resumed()), (group, resumed));
        assert_eq!(
            pair.theirs
                .negotiated_key_exchange_group()
                .map(|theirs| u16::from(theirs.name())),
            Some(group.0)
        );
        // rustls does not report it for a resumed handshake.
        let kind = if resumed {
            HandshakeKind::Resumed
        } else if retried {
            HandshakeKind::FullWithHelloRetryRequest
        } else {
            HandshakeKind::Full
        };
        assert_eq!(pair.theirs.handshake_kind(), Some(kind));
        assert!(negotiated.peer().is_some() && pair.theirs.peer_certificates().is_some());
        pair.exporters_agree();
        pair.exchange(40_000);
        pair.close(resumed);
    }
}

/// Keeps only tickets, so that a second connection is retried like the first.
#[derive(Debug)]
struct WithoutHints(ClientSessionMemoryCache);

impl ClientSessionStore for WithoutHints {
    fn set_kx_hint(&self, _: ServerName<'static>, _: Theirs) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<Theirs> {
        None
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(name, ticket);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(name)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
}

fn setting(pki: &Pki, suite: Suite, groups: Groups) -> Setting {
    Setting {
        suite,
        auth: Auth::Required,
        client: Some(pki.client.clone()),
        their_groups: Some(groups),
        ..PLAIN
    }
}

/// rustls' client sends a share for its first group, and with the hybrid also one for X25519. It
/// would send a share for a group that a server asked for at once the next time.
#[test]
fn their_client_is_led_to_a_group() {
    let pki = Pki::new();
    type Row = (Groups, fn(ServerBuilder) -> ServerBuilder, NamedGroup, bool);
    let rows: [Row; 9] = [
        (&[Theirs::X25519], |ours| ours, X25519, false),
        (&[Theirs::secp256r1], |ours| ours, P256, false),
        (&[Theirs::X25519MLKEM768], |ours| ours, HYBRID, false),
        (
            &[Theirs::X25519MLKEM768, Theirs::X25519],
            |ours| ours,
            HYBRID,
            false,
        ),
        (
            &[Theirs::X25519MLKEM768, Theirs::X25519],
            |ours| ours.groups([X25519, P256]),
            X25519,
            false,
        ),
        // We already have a share, but want a better group.
        (
            &[Theirs::X25519, Theirs::X25519MLKEM768],
            |ours| ours,
            HYBRID,
            true,
        ),
        (
            &[Theirs::secp384r1, Theirs::secp256r1],
            |ours| ours,
            P256,
            true,
        ),
        (
            &[Theirs::X25519, Theirs::secp256r1],
            |ours| ours.groups([P256]),
            P256,
            true,
        ),
        (
            &[Theirs::X25519, Theirs::secp256r1],
            |ours| ours.groups([P256]).retry_cookie(true),
            P256,
            true,
        ),
    ];
    for (groups, ours, group, retried) in rows {
        for suite in SUITES {
            println!("{groups:?} to {group}, {}", suite.1);
            let setting = setting(&pki, suite, groups);
            let mut theirs = their_client(&pki, &setting);
            theirs.resumption =
                Resumption::store(Arc::new(WithoutHints(ClientSessionMemoryCache::new(16))));
            let (ours, theirs) = (
                ours(our_server(&pki, &setting)).build().unwrap(),
                Arc::new(theirs),
            );
            meet_twice(
                || to_our_server(&ours, &theirs, SERVER_NAME),
                group,
                retried,
            );
        }
    }
}

/// rustls' client remembers a group that a server asked for, and sends its share first the next
/// time, before its own preference (against RFC 9846, 4.3.8).
#[test]
fn their_client_remembers_what_it_was_led_to() {
    let pki = Pki::new();
    let setting = setting(&pki, SUITES[0], &[Theirs::X25519, Theirs::X25519MLKEM768]);
    let ours = our_server(&pki, &setting)
        .without_tickets()
        .build()
        .unwrap();
    let theirs = Arc::new(their_client(&pki, &setting));
    for kind in [
        HandshakeKind::FullWithHelloRetryRequest,
        HandshakeKind::Full,
    ] {
        let mut pair = to_our_server(&ours, &theirs, SERVER_NAME);
        pair.run().assert_connected();
        assert_eq!(pair.theirs.handshake_kind(), Some(kind));
        assert_eq!(pair.ours.negotiated().unwrap().group(), HYBRID);
    }
}

/// rustls' server takes the first of our groups that it knows, with a share or without.
#[test]
fn their_server_leads_us_to_a_group() {
    let pki = Pki::new();
    type Row = (Groups, fn(ClientBuilder) -> ClientBuilder, NamedGroup, bool);
    let rows: [Row; 8] = [
        (&[Theirs::X25519], |ours| ours, X25519, false),
        (&[Theirs::X25519MLKEM768], |ours| ours, HYBRID, false),
        (
            &[Theirs::secp256r1],
            |ours| ours.key_shares([P256]),
            P256,
            false,
        ),
        (
            &[Theirs::secp256r1, Theirs::X25519],
            |ours| ours,
            X25519,
            false,
        ),
        (
            &[Theirs::secp256r1, Theirs::X25519],
            |ours| ours.groups([P256, X25519]).key_shares([X25519]),
            P256,
            true,
        ),
        (
            &[Theirs::X25519MLKEM768, Theirs::X25519],
            |ours| ours.key_shares([X25519]),
            HYBRID,
            true,
        ),
        (
            &[Theirs::X25519],
            |ours| ours.groups([HYBRID, X25519]).key_shares([HYBRID]),
            X25519,
            true,
        ),
        (
            &[Theirs::secp256r1],
            |ours| ours.groups([X25519, P256]).key_shares([X25519]),
            P256,
            true,
        ),
    ];
    for (groups, ours, group, retried) in rows {
        for suite in SUITES {
            println!("{groups:?} leads to {group}, {}", suite.1);
            let setting = setting(&pki, suite, groups);
            let (ours, theirs) = (
                ours(our_client(&pki, &setting)).build().unwrap(),
                Arc::new(their_server(&pki, &setting)),
            );
            meet_twice(
                || to_their_server(&ours, &theirs, SERVER_NAME),
                group,
                retried,
            );
        }
    }
}

/// Delivers the messages of a retry byte by byte.
#[test]
fn retries_at_any_fragmentation() {
    let pki = Pki::new();
    let setting = setting(&pki, SUITES[0], &[Theirs::secp384r1, Theirs::secp256r1]);
    for chunk in [1, 2, 3, 5, 7, 255, usize::MAX] {
        for we_serve in [false, true] {
            let mut pair = if we_serve {
                to_our_server(
                    &our_server(&pki, &setting).build().unwrap(),
                    &Arc::new(their_client(&pki, &setting)),
                    SERVER_NAME,
                )
            } else {
                to_their_server(
                    &our_client(&pki, &setting).build().unwrap(),
                    &Arc::new(their_server(&pki, &setting)),
                    SERVER_NAME,
                )
            };
            pair.chunk = chunk;
            pair.run().assert_connected();
            assert_eq!(
                pair.theirs.handshake_kind(),
                Some(HandshakeKind::FullWithHelloRetryRequest)
            );
            assert_eq!(pair.ours.negotiated().unwrap().group(), P256);
            if we_serve {
                assert_eq!(
                    pair.ours
                        .negotiated()
                        .unwrap()
                        .peer()
                        .unwrap()
                        .common_name()
                        .as_deref(),
                    Some(CLIENT_NAME)
                );
            }
            pair.exporters_agree();
            pair.exchange(40_000);
        }
    }
}

#[test]
fn no_common_group_is_refused() {
    let pki = Pki::new();
    let setting = setting(&pki, SUITES[0], &[Theirs::secp384r1]);
    let (ours, theirs) = (
        our_server(&pki, &setting).build().unwrap(),
        Arc::new(their_client(&pki, &setting)),
    );
    let mut pair = to_our_server(&ours, &theirs, SERVER_NAME);
    pair.run().assert_we_refused(
        |fault| matches!(fault, Fault::NoCommonGroup { .. }),
        AlertDescription::HANDSHAKE_FAILURE,
    );
    let (ours, theirs) = (
        our_client(&pki, &setting).build().unwrap(),
        Arc::new(their_server(&pki, &setting)),
    );
    let mut pair = to_their_server(&ours, &theirs, SERVER_NAME);
    pair.run().assert_they_refused(
        |error| matches!(error, rustls::Error::PeerIncompatible(_)),
        AlertDescription::HANDSHAKE_FAILURE,
    );
}
