//! Connections that this side ends: rustls sees an orderly end.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use fleeting::{Connections, Error, Now, RevokedSessions};

use crate::pair::{
    PLAIN, Pair, our_client, our_server, their_client, their_server, to_our_server, to_their_server,
};
use crate::support::{Pki, SERVER_NAME};

/// What we wrote arrives, then the end, and no alert.
fn ends_in_order(pair: &mut Pair, is: impl Fn(&Error) -> bool) {
    pair.run();
    assert!(is(pair.our_error.as_ref().unwrap()), "{:?}", pair.our_error);
    assert_eq!(pair.their_error, None);
    assert_eq!(pair.their_inbox, b"written before");
    // rustls: Ok(0) after close_notify alone, and an error without one.
    assert_eq!(pair.theirs.reader().read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_limit_of_time() {
    let pki = Pki::new();
    let limit = Duration::from_secs(60);
    for we_serve in [false, true] {
        for idle in [false, true] {
            let mut pair = if we_serve {
                let ours = our_server(&pki, &PLAIN);
                let ours = if idle {
                    ours.idle_timeout(limit)
                } else {
                    ours.max_connection_age(limit)
                };
                let theirs = Arc::new(their_client(&pki, &PLAIN));
                to_our_server(&ours.build().unwrap(), &theirs, SERVER_NAME)
            } else {
                let ours = our_client(&pki, &PLAIN);
                let ours = if idle {
                    ours.idle_timeout(limit)
                } else {
                    ours.max_connection_age(limit)
                };
                let theirs = Arc::new(their_server(&pki, &PLAIN));
                to_their_server(&ours.build().unwrap(), &theirs, SERVER_NAME)
            };
            pair.run();
            pair.assert_connected();
            let end = pair.ours.next_timeout().unwrap();
            pair.ours.write(b"written before").unwrap();
            pair.now = Now::new(end.max(pair.ours.next_timeout().unwrap()), pair.now.unix);
            pair.process();
            ends_in_order(&mut pair, |error| matches!(error, Error::Expired { .. }));
        }
    }
}

/// rustls' client has tickets. After a revocation it connects all the same, by a full handshake.
#[test]
fn a_revoked_client() {
    let pki = Pki::new();
    let connections = Connections::new();
    let revoked = RevokedSessions::in_memory(10);
    let ours = our_server(&pki, &PLAIN)
        .connections(connections.clone())
        .revoked_sessions(revoked.clone())
        .build()
        .unwrap();
    let theirs = Arc::new(their_client(&pki, &PLAIN));
    let meet = || {
        let mut pair = to_our_server(&ours, &theirs, SERVER_NAME);
        pair.run().exchange(100);
        let resumed = pair.ours.negotiated().unwrap().resumed();
        (pair, resumed)
    };
    let (mut pair, resumed) = meet();
    assert!(!resumed && meet().1);
    pair.their_inbox.clear();
    pair.ours.write(b"written before").unwrap();
    revoked.revoke_all();
    assert_eq!(connections.end_all(), 1);
    pair.process();
    ends_in_order(&mut pair, |error| matches!(error, Error::Ended));
    // It had several tickets, each of which leads to a full handshake.
    let fulls = (0..9).take_while(|_| !meet().1).count();
    assert!((1..=4).contains(&fulls), "{fulls}");
}
