//! The rules of RFC 9846 that a connection must enforce, each broken once.
//!
//! `puppet/` is the peer. The other files hold the tests, by what the peer does wrong.

mod alerts;
mod asking;
mod compatibility;
mod early_data;
mod ends;
mod extended_key_update;
mod external_psk;
mod handshake;
mod key_updates;
mod lessons;
mod puppet;
mod receive;
mod record_size_limit;
mod rekey_policy;
mod retry;
mod sans_io;
mod send;
mod split;
mod tickets;

use core::time::Duration;

use super::*;
use crate::code_point::{AlertDescription, ContentType};
use crate::crypto::random::SystemRandom;
use crate::error::Fault;
use crate::identity::Authority;

fn now() -> Now {
    let unix = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Now {
        monotonic: Duration::ZERO,
        unix,
    }
}

fn deliver(from: &mut Connection, to: &mut Connection) -> Result<Status, Error> {
    while !from.output().is_empty() {
        let space = to.input();
        let count = space.len().min(from.output().len());
        space[..count].copy_from_slice(&from.output()[..count]);
        to.received(count);
        from.sent(count);
        to.process(now(), &mut SystemRandom)?;
    }
    to.process(now(), &mut SystemRandom)
}

#[test]
fn hello() {
    let authority = Authority::new("test").unwrap();
    let client = Client::builder()
        .trust(authority.trust())
        .identity(authority.issue_client("me").unwrap())
        .alpn(["h2", "x"])
        .build()
        .unwrap();
    let server = Server::builder()
        .identity(authority.issue_server(["db.internal"]).unwrap())
        .client_auth(crate::server::ClientAuth::Required(authority.trust()))
        .alpn(["x"])
        .build()
        .unwrap();
    let mut c = client
        .connection("db.internal", now(), &mut SystemRandom)
        .unwrap();
    let mut s = server.connection(now());
    deliver(&mut c, &mut s).unwrap();
    deliver(&mut s, &mut c).unwrap();
    deliver(&mut c, &mut s).unwrap();
    assert!(!c.is_handshaking() && !s.is_handshaking());
    c.write(b"hello").unwrap();
    assert_eq!(deliver(&mut c, &mut s).unwrap(), Status::Data);
    assert_eq!(s.plaintext(), b"hello");
    s.consume(5);
    s.rekey().unwrap();
    s.write(b"hi").unwrap();
    assert_eq!(deliver(&mut s, &mut c).unwrap(), Status::Data);
    assert_eq!(c.plaintext(), b"hi");
    c.consume(2);
    assert_eq!(deliver(&mut s, &mut c).unwrap(), Status::NeedsInput);
    c.write(b"again").unwrap();
    c.close();
    assert_eq!(deliver(&mut c, &mut s).unwrap(), Status::Data);
    s.consume(5);
    assert_eq!(deliver(&mut c, &mut s).unwrap(), Status::Closed);
}

#[test]
fn a_close_notify_in_the_clear_does_not_end_a_connected_stream() {
    let authority = Authority::new("test").unwrap();
    let client = Client::builder().trust(authority.trust()).build().unwrap();
    let server = Server::builder()
        .identity(authority.issue_server(["db.internal"]).unwrap())
        .build()
        .unwrap();
    let mut c = client
        .connection("db.internal", now(), &mut SystemRandom)
        .unwrap();
    let mut s = server.connection(now());
    deliver(&mut c, &mut s).unwrap();
    deliver(&mut s, &mut c).unwrap();
    deliver(&mut c, &mut s).unwrap();
    for side in [&mut c, &mut s] {
        assert!(!side.is_handshaking());
        // warning(1), close_notify(0).
        side.input()[..7].copy_from_slice(&[21, 3, 3, 0, 2, 1, 0]);
        side.received(7);
        let error = side.process(now(), &mut SystemRandom).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Protocol {
                    fault: Fault::UnexpectedRecord {
                        got: ContentType::ALERT
                    },
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(error.alert(), Some(AlertDescription::UNEXPECTED_MESSAGE));
    }
}
