//! Our tickets in rustls' client, and rustls' tickets in ours.

use std::sync::Arc;

use fleeting::SessionCache;
use rustls::HandshakeKind;

use crate::pair::{
    Auth, PLAIN, Pair, Setting, our_client, our_server, their_client, their_server, to_our_server,
    to_their_server,
};
use crate::support::{CLIENT_NAME, Pki, SERVER_NAME, SUITES};

const CLIENT_AUTH: [(Auth, bool); 4] = [
    (Auth::None, false),
    (Auth::Optional, false),
    (Auth::Optional, true),
    (Auth::Required, true),
];

/// Returns true if both sides report a resumed session.
fn was_resumed(pair: &Pair) -> bool {
    pair.assert_connected();
    let resumed = pair.ours.negotiated().unwrap().resumed();
    let kind = if resumed {
        HandshakeKind::Resumed
    } else {
        HandshakeKind::Full
    };
    assert_eq!(pair.theirs.handshake_kind(), Some(kind));
    pair.exporters_agree();
    resumed
}

/// Covers all suites and every client certificate policy, with a certificate and without. The
/// client's certificate is known in each connection.
#[test]
fn resumes() {
    let pki = Pki::new();
    for we_serve in [false, true] {
        for suite in SUITES {
            for (auth, shown) in CLIENT_AUTH {
                println!(
                    "we serve: {we_serve}, {}, client certificate {auth:?}, shown: {shown}",
                    suite.1
                );
                let setting = Setting {
                    suite,
                    auth,
                    client: shown.then(|| pki.client.clone()),
                    ..PLAIN
                };
                let meet: &mut dyn FnMut() -> Pair = if we_serve {
                    let (ours, theirs) = (
                        our_server(&pki, &setting).build().unwrap(),
                        Arc::new(their_client(&pki, &setting)),
                    );
                    &mut move || to_our_server(&ours, &theirs, SERVER_NAME)
                } else {
                    let (ours, theirs) = (
                        our_client(&pki, &setting).build().unwrap(),
                        Arc::new(their_server(&pki, &setting)),
                    );
                    &mut move || to_their_server(&ours, &theirs, SERVER_NAME)
                };
                for number in 1..=4 {
                    let mut pair = meet();
                    pair.run();
                    assert_eq!(was_resumed(&pair), number > 1, "connection {number}");
                    let negotiated = pair.ours.negotiated().unwrap();
                    assert_eq!(negotiated.cipher_suite(), suite.0);
                    assert_eq!(negotiated.server_name(), Some(SERVER_NAME));
                    let leaf = negotiated.peer().map(|peer| peer.certificates()[0].clone());
                    let name = negotiated.peer().and_then(|peer| peer.common_name());
                    let (we_see, they_see) = if we_serve {
                        assert_eq!(name.as_deref(), shown.then_some(CLIENT_NAME));
                        (shown.then_some(&pki.client), Some(&pki.server))
                    } else {
                        (Some(&pki.server), shown.then_some(&pki.client))
                    };
                    assert_eq!(
                        leaf,
                        we_see.map(|identity| identity.certificates()[0].clone())
                    );
                    let their_leaf = pair
                        .theirs
                        .peer_certificates()
                        .map(|chain| chain[0].to_vec());
                    assert_eq!(
                        their_leaf,
                        they_see.map(|identity| identity.certificates()[0].clone())
                    );

                    pair.exchange(40_000);
                    pair.ours.rekey().unwrap();
                    pair.theirs.refresh_traffic_keys().unwrap();
                    pair.exchange(40_000);
                    pair.exchange(40_000);
                    pair.close(number % 2 == 0);
                }
            }
        }
    }
}

/// A server whose keys do not open the ticket makes a full handshake, and issues its own ticket.
#[test]
fn other_keys_mean_a_full_handshake() {
    let pki = Pki::new();
    for (auth, shown) in CLIENT_AUTH {
        let setting = Setting {
            auth,
            client: shown.then(|| pki.client.clone()),
            ..PLAIN
        };
        let servers = [(); 2].map(|()| our_server(&pki, &setting).build().unwrap());
        let theirs = Arc::new(their_client(&pki, &setting));
        let kinds = [0, 0, 1, 1].map(|which: usize| {
            let mut pair = to_our_server(&servers[which], &theirs, SERVER_NAME);
            pair.run().exchange(100);
            was_resumed(&pair)
        });
        assert_eq!(kinds, [false, true, false, true], "{auth:?}");

        // rustls either keeps sessions itself, or seals them into the tickets.
        for stateless in [false, true] {
            let cache = SessionCache::new(16);
            let ours = our_client(&pki, &setting)
                .sessions(cache.clone())
                .build()
                .unwrap();
            let servers = [(); 2].map(|()| {
                let mut theirs = their_server(&pki, &setting);
                theirs.send_tls13_tickets = 1;
                if stateless {
                    theirs.ticketer = rustls_graviola::Ticketer::new().unwrap();
                }
                Arc::new(theirs)
            });
            let kinds = [0, 0, 1, 1].map(|which: usize| {
                let mut pair = to_their_server(&ours, &servers[which], SERVER_NAME);
                // A ticket is used only once, whatever the outcome.
                assert!(cache.is_empty());
                pair.run().exchange(100);
                assert_eq!(cache.len(), 1);
                was_resumed(&pair)
            });
            assert_eq!(
                kinds,
                [false, true, false, true],
                "{auth:?}, stateless: {stateless}"
            );
        }
    }
}

/// A client that can use tickets says so (RFC 9846, 4.3.9). It accepts as many as a server sends,
/// and keeps a few.
#[test]
fn takes_any_number_of_tickets() {
    let pki = Pki::new();
    for (tickets, kept) in [(0, 0), (1, 1), (8, 8), (16, 8)] {
        let cache = SessionCache::new(16);
        let ours = our_client(&pki, &PLAIN)
            .sessions(cache.clone())
            .build()
            .unwrap();
        let mut theirs = their_server(&pki, &PLAIN);
        theirs.send_tls13_tickets = tickets;
        let mut pair = to_their_server(&ours, &Arc::new(theirs), SERVER_NAME);
        pair.run().exchange(100);
        assert_eq!(cache.len(), kept, "{tickets}");
        // All tickets are in one record, and the data in another.
        assert_eq!(pair.their_sequence_numbers().0, u64::from(tickets > 0) + 1);
    }
}

/// A session that one `Client` received is not used by another `Client` with its own cache.
#[test]
fn sessions_stay_with_their_client() {
    let pki = Pki::new();
    let theirs = Arc::new(their_server(&pki, &PLAIN));
    for _ in 0..2 {
        let ours = our_client(&pki, &PLAIN).build().unwrap();
        for resumed in [false, true] {
            let mut pair = to_their_server(&ours, &theirs, SERVER_NAME);
            pair.run().exchange(100);
            assert_eq!(was_resumed(&pair), resumed);
        }
    }
    let ours = our_client(&pki, &PLAIN)
        .sessions(SessionCache::new(0))
        .build()
        .unwrap();
    for _ in 0..2 {
        let mut pair = to_their_server(&ours, &theirs, SERVER_NAME);
        pair.run().exchange(100);
        assert!(!was_resumed(&pair));
    }
    let ours = our_server(&pki, &PLAIN).without_tickets().build().unwrap();
    let theirs = Arc::new(their_client(&pki, &PLAIN));
    for _ in 0..2 {
        let mut pair = to_our_server(&ours, &theirs, SERVER_NAME);
        pair.run().exchange(100);
        assert!(!was_resumed(&pair));
    }
}
