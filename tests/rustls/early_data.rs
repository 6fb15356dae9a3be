//! Early data to rustls' server and from its client, and what either server sends before the
//! handshake is complete (RFC 9846, 4.3.10 and 4.5.3).

use std::io::Write;
use std::sync::Arc;

use fleeting::{Client, EarlyData, NamedGroup, ReplayGuard, ServerBuilder, TicketKeys};
use rustls::server::StoresServerSessions;
use rustls::{ClientConfig, HandshakeKind, ServerConfig};

use crate::BULK;
use crate::pair::{
    Auth, PLAIN, Pair, Setting, our_client, our_server, their_client, their_server, to_our_server,
    to_their_server,
};
use crate::support::{CLIENT_NAME, Pki, SERVER_NAME, SUITES, lines};

/// The early data in bytes that a server accepts: several records.
const MAX_SIZE: u32 = 40_000;

/// The same as a length: anything beyond it is not sent early.
const ALL: usize = 40_000;

fn guard() -> ReplayGuard {
    ReplayGuard::in_memory(100)
}

/// rustls' client, with early data.
fn their_early_client(pki: &Pki, setting: &Setting) -> Arc<ClientConfig> {
    let mut theirs = their_client(pki, setting);
    theirs.enable_early_data = true;
    Arc::new(theirs)
}

/// rustls' server with early data, which answers early. Servers with the same storage share their
/// sessions.
fn their_early_server(
    pki: &Pki,
    setting: &Setting,
    sessions: &Arc<dyn StoresServerSessions>,
) -> ServerConfig {
    let mut theirs = their_server(pki, setting);
    theirs.session_storage = sessions.clone();
    theirs.max_early_data_size = MAX_SIZE;
    theirs.send_half_rtt_data = true;
    theirs
}

fn their_sessions() -> Arc<dyn StoresServerSessions> {
    rustls::server::ServerSessionMemoryCache::new(16)
}

fn our_early_client(pki: &Pki, setting: &Setting) -> Client {
    our_client(pki, setting).early_data(true).build().unwrap()
}

/// Sends as much early data with rustls' client as it accepts.
fn they_send_early(pair: &mut Pair, data: &[u8]) -> usize {
    let rustls::Connection::Client(theirs) = &mut pair.theirs else {
        panic!("not a client")
    };
    theirs
        .early_data()
        .expect("no early data is allowed")
        .write(data)
        .unwrap()
}

/// Sends as much early data with our client as it accepts.
fn we_send_early(pair: &mut Pair, mut data: &[u8]) -> usize {
    let mut sent = 0;
    while let count @ 1.. = pair.ours.write_early_data(data).unwrap() {
        sent += count;
        data = &data[count..];
        while pair.deliver_to_them() {}
    }
    sent
}

/// Returns the outcome on which both sides agree.
fn outcome(pair: &mut Pair) -> EarlyData {
    pair.assert_connected();
    pair.exporters_agree();
    let negotiated = pair.ours.negotiated().unwrap();
    let kind = if negotiated.resumed() {
        HandshakeKind::Resumed
    } else {
        HandshakeKind::Full
    };
    let outcome = negotiated.early_data();
    assert_eq!(pair.theirs.handshake_kind(), Some(kind));
    let accepted = match &mut pair.theirs {
        rustls::Connection::Client(theirs) => theirs.is_early_data_accepted(),
        rustls::Connection::Server(theirs) => theirs.early_data().is_some(),
    };
    assert_eq!(accepted, outcome == EarlyData::Accepted);
    outcome
}

/// Runs a full handshake that leaves tickets. There is no early data without one.
fn visit(mut pair: Pair) {
    if let rustls::Connection::Client(theirs) = &mut pair.theirs {
        assert!(theirs.early_data().is_none());
    }
    assert_eq!(pair.ours.write_early_data(b"too early").unwrap(), 0);
    pair.run().exchange(100);
    assert_eq!(outcome(&mut pair), EarlyData::NotOffered);
    assert!(!pair.ours.negotiated().unwrap().resumed());
}

// ---- their client, our server ----

#[test]
fn we_take_theirs_and_answer_it_early() {
    let pki = Pki::new();
    for suite in SUITES {
        for (auth, shown) in [
            (Auth::None, false),
            (Auth::Optional, true),
            (Auth::Required, true),
        ] {
            let (our_alpn, their_alpn): (&[_], &[_]) = if shown {
                (&["x", "y"], &["y"])
            } else {
                (&[], &[])
            };
            let setting = Setting {
                suite,
                auth,
                client: shown.then(|| pki.client.clone()),
                our_alpn,
                their_alpn,
                ..PLAIN
            };
            let ours = our_server(&pki, &setting)
                .early_data(MAX_SIZE, guard())
                .build()
                .unwrap();
            let theirs = their_early_client(&pki, &setting);
            visit(to_our_server(&ours, &theirs, SERVER_NAME));
            for (chunk, length) in [(1021, 100), (1, 100), (usize::MAX, ALL + 1), (7, ALL)] {
                println!(
                    "{}, client certificate {auth:?}, {length} bytes in pieces of {chunk}",
                    suite.1
                );
                let mut pair = to_our_server(&ours, &theirs, SERVER_NAME);
                pair.chunk = chunk;
                let data = lines("early", length);
                assert_eq!(they_send_early(&mut pair, &data[..length]), length.min(ALL));
                pair.deliver_to_us();
                assert!(
                    pair.our_early == data[..length.min(ALL)],
                    "we received something else"
                );
                assert!(pair.ours.is_handshaking() && pair.ours.takes_early_data());
                assert_eq!(pair.ours.write_early_data(b"at once").unwrap(), 7);
                while pair.deliver_to_them() {}
                // This happens after one round trip.
                assert_eq!(std::mem::take(&mut pair.their_inbox), b"at once");
                assert!(!pair.theirs.is_handshaking() && pair.ours.is_handshaking());
                pair.run();
                assert_eq!(outcome(&mut pair), EarlyData::Accepted);
                let negotiated = pair.ours.negotiated().unwrap();
                assert_eq!(negotiated.cipher_suite(), suite.0);
                assert_eq!(negotiated.alpn(), shown.then_some(&b"y"[..]));
                assert_eq!(
                    negotiated
                        .peer()
                        .and_then(|peer| peer.common_name())
                        .as_deref(),
                    shown.then_some(CLIENT_NAME)
                );
                pair.exchange(BULK);
                pair.ours.rekey().unwrap();
                pair.exchange(100);
                pair.close(shown);
                assert_eq!(pair.our_early.len(), length.min(ALL));
            }
        }
    }
}

#[test]
fn we_reject_theirs() {
    let pki = Pki::new();
    let p256 = [NamedGroup::SECP256R1];
    // The first group is the one for which the client sends a share.
    let setting = Setting {
        our_alpn: &["x", "y"],
        their_alpn: &["x", "y"],
        their_groups: Some(&[rustls::NamedGroup::X25519, rustls::NamedGroup::secp256r1]),
        ..PLAIN
    };
    type Change<'a> = &'a dyn Fn(ServerBuilder) -> ServerBuilder;
    let takes_it = |server: ServerBuilder| server.early_data(MAX_SIZE, guard());
    let rows: [(&str, Change<'_>, bool); 7] = [
        ("no early data", &|server| server, true),
        ("another guard", &takes_it, true),
        (
            "a full guard",
            &|server| server.early_data(MAX_SIZE, ReplayGuard::in_memory(0)),
            true,
        ),
        (
            "another protocol",
            &|server| takes_it(server).alpn(["y", "x"]),
            true,
        ),
        (
            "another group",
            &|server| takes_it(server).groups(p256),
            true,
        ),
        (
            "a cookie",
            &|server| takes_it(server).retry_cookie(true),
            true,
        ),
        (
            "other ticket keys",
            &|server| takes_it(server).ticket_keys(TicketKeys::rotating()),
            false,
        ),
    ];
    for (what, change, resumed) in rows {
        for length in [1, ALL] {
            println!("{what}, {length} bytes");
            let keys = TicketKeys::rotating();
            let builder = || our_server(&pki, &setting).ticket_keys(keys.clone());
            let theirs = their_early_client(&pki, &setting);
            visit(to_our_server(
                &takes_it(builder()).build().unwrap(),
                &theirs,
                SERVER_NAME,
            ));
            let mut pair = to_our_server(&change(builder()).build().unwrap(), &theirs, SERVER_NAME);
            assert_eq!(
                they_send_early(&mut pair, &lines("early", length)[..length]),
                length
            );
            pair.run();
            assert_eq!(outcome(&mut pair), EarlyData::Rejected);
            assert_eq!(pair.ours.negotiated().unwrap().resumed(), resumed);
            assert_eq!(
                pair.theirs.handshake_kind() == Some(HandshakeKind::Full),
                !resumed
            );
            pair.exchange(BULK);
            pair.close(false);
            assert!(pair.our_early.is_empty());
        }
    }
}

// ---- our client, their server ----

#[test]
fn they_take_ours_and_answer_it_early() {
    let pki = Pki::new();
    for suite in SUITES {
        for alpn in [&["x"][..], &[]] {
            let setting = Setting {
                suite,
                our_alpn: alpn,
                their_alpn: alpn,
                ..PLAIN
            };
            let ours = our_early_client(&pki, &setting);
            let theirs = Arc::new(their_early_server(&pki, &setting, &their_sessions()));
            visit(to_their_server(&ours, &theirs, SERVER_NAME));
            for (chunk, length) in [(1021, 100), (1, 100), (usize::MAX, ALL + 1), (7, ALL)] {
                println!("{}, {alpn:?}, {length} bytes in pieces of {chunk}", suite.1);
                let mut pair = to_their_server(&ours, &theirs, SERVER_NAME);
                pair.chunk = chunk;
                assert_eq!(pair.ours.early_data_left(), ALL);
                let data = lines("early", length);
                assert_eq!(we_send_early(&mut pair, &data[..length]), length.min(ALL));
                while pair.deliver_to_them() {}
                assert!(
                    pair.their_early == data[..length.min(ALL)],
                    "rustls received something else"
                );
                assert!(pair.theirs.is_handshaking());
                pair.theirs.writer().write_all(b"at once").unwrap();
                pair.deliver_to_us();
                assert_eq!(std::mem::take(&mut pair.our_inbox), b"at once");
                assert!(pair.theirs.is_handshaking() && !pair.ours.is_handshaking());
                pair.run();
                assert_eq!(outcome(&mut pair), EarlyData::Accepted);
                assert_eq!(
                    pair.ours.negotiated().unwrap().alpn(),
                    alpn.first().map(|alpn| alpn.as_bytes())
                );
                pair.exchange(BULK);
                pair.ours.rekey().unwrap();
                pair.exchange(100);
                pair.close(alpn.is_empty());
                assert_eq!(pair.their_early.len(), length.min(ALL));
            }
        }
    }
}

#[test]
fn they_reject_ours() {
    let pki = Pki::new();
    let setting = Setting {
        our_alpn: &["x", "y"],
        their_alpn: &["x", "y"],
        ..PLAIN
    };
    type Change<'a> = &'a dyn Fn(&mut ServerConfig);
    let other_group = Setting {
        their_groups: Some(&[rustls::NamedGroup::secp256r1]),
        ..setting.clone()
    };
    let rows: [(&str, Change<'_>, &Setting, bool); 4] = [
        (
            "no early data",
            &|theirs| theirs.max_early_data_size = 0,
            &setting,
            true,
        ),
        (
            "another protocol",
            &|theirs| theirs.alpn_protocols.reverse(),
            &setting,
            true,
        ),
        ("another group", &|_| (), &other_group, true),
        (
            "other sessions",
            &|theirs| theirs.session_storage = their_sessions(),
            &setting,
            false,
        ),
    ];
    for (what, change, second, resumed) in rows {
        // A server that rejects early data skips 16 KiB, and counts a record each time it looks at
        // it: here twice.
        for length in [1, 8000] {
            println!("{what}, {length} bytes");
            let sessions = their_sessions();
            let ours = our_early_client(&pki, &setting);
            visit(to_their_server(
                &ours,
                &Arc::new(their_early_server(&pki, &setting, &sessions)),
                SERVER_NAME,
            ));
            let mut theirs = their_early_server(&pki, second, &sessions);
            change(&mut theirs);
            let mut pair = to_their_server(&ours, &Arc::new(theirs), SERVER_NAME);
            assert_eq!(
                we_send_early(&mut pair, &lines("early", length)[..length]),
                length
            );
            pair.run();
            assert_eq!(outcome(&mut pair), EarlyData::Rejected);
            assert_eq!(pair.ours.negotiated().unwrap().resumed(), resumed);
            assert_eq!(
                pair.ours.negotiated().unwrap().group() == NamedGroup::SECP256R1,
                second.their_groups.is_some()
            );
            assert_eq!(pair.ours.write_early_data(b"late").unwrap(), 0);
            pair.exchange(BULK);
            pair.close(true);
            assert!(pair.their_early.is_empty());
        }
    }
}

/// RFC 9846, 4.5.3: a server may send before the client's Finished, even without early data to
/// answer.
#[test]
fn we_read_what_they_say_first() {
    let pki = Pki::new();
    for chunk in [1, usize::MAX] {
        let ours = our_early_client(&pki, &PLAIN);
        let theirs = Arc::new(their_early_server(&pki, &PLAIN, &their_sessions()));
        for resumed in [false, true] {
            let mut pair = to_their_server(&ours, &theirs, SERVER_NAME);
            pair.chunk = chunk;
            pair.theirs.writer().write_all(b"welcome").unwrap();
            while pair.deliver_to_them() {}
            pair.deliver_to_us();
            assert_eq!(std::mem::take(&mut pair.our_inbox), b"welcome");
            assert!(pair.theirs.is_handshaking() && !pair.ours.is_handshaking());
            pair.run().exchange(BULK);
            // Early data was offered, since a session allows it, but none was sent.
            let offered = if resumed {
                EarlyData::Accepted
            } else {
                EarlyData::NotOffered
            };
            assert_eq!(outcome(&mut pair), offered);
        }
    }
}

/// RFC 9846, F.5: early data is only used if the applications of both sides ask for it.
#[test]
fn none_is_offered_unless_asked_for() {
    let pki = Pki::new();
    let ours = our_server(&pki, &PLAIN)
        .early_data(MAX_SIZE, guard())
        .build()
        .unwrap();
    let theirs = Arc::new(their_client(&pki, &PLAIN));
    let their_server = Arc::new(their_early_server(&pki, &PLAIN, &their_sessions()));
    let our_client = our_client(&pki, &PLAIN).build().unwrap();
    let meet = |meet: &dyn Fn() -> Pair| {
        for resumed in [false, true] {
            let mut pair = meet();
            assert_eq!(pair.ours.write_early_data(b"no").unwrap(), 0);
            pair.run().exchange(100);
            assert_eq!(outcome(&mut pair), EarlyData::NotOffered);
            assert_eq!(pair.ours.negotiated().unwrap().resumed(), resumed);
        }
    };
    meet(&|| to_our_server(&ours, &theirs, SERVER_NAME));
    meet(&|| to_their_server(&our_client, &their_server, SERVER_NAME));
}
