//! A server that chooses its configuration by the ClientHello. While it asks, nothing is read, and
//! faults are found once it has chosen.

use crate::code_point::CipherSuite;
use crate::connection::tests::puppet::client::{asking_server, required};
use crate::connection::tests::puppet::{CHANGE_CIPHER_SPEC, Puppet, WORLD, now, plain, server};
use crate::connection::{Connection, Status};
use crate::crypto::random::SystemRandom;
use crate::error::{Error, Fault};
use crate::handshake::Question;
use crate::server::Server;

fn undecided() -> Puppet {
    let mut puppet = Puppet::calling(&server());
    puppet.us = Connection::undecided(now());
    puppet
}

const ASKS: Status = Status::Ask(Question::Configuration);

#[test]
fn nothing_is_read_while_it_asks() {
    let mut puppet = undecided();
    let hello = puppet.make_client_hello(|_| {});
    puppet.transcript.extend_from_slice(&hello);
    // After the ClientHello come records that may follow it, and records that may not.
    let bytes = [
        plain(22, &hello),
        plain(CHANGE_CIPHER_SPEC, &[1]),
        plain(22, b"wrong"),
    ]
    .concat();
    assert_eq!(puppet.feed(&bytes).unwrap(), ASKS);
    puppet.hears_nothing();
    assert_eq!(
        puppet.us.client_hello().unwrap().server_name(),
        Some("db.internal")
    );
    assert_eq!(puppet.us.client_hello().unwrap().as_bytes(), hello);
    assert_eq!(puppet.feed(&[]).unwrap(), ASKS);
    assert!(puppet.us.is_handshaking() && puppet.us.next_timeout().is_some());

    puppet
        .us
        .choose(&asking_server(required()), now(), &mut SystemRandom)
        .unwrap();
    puppet.hear_flight();
    assert_eq!(puppet.state(), "WAIT_CERT");
    let error = puppet.feed(&[]).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Protocol {
                state: "WAIT_CERT",
                fault: Fault::UnexpectedRecord { .. }
            }
        ),
        "{error}"
    );
    puppet.has_failed(&error, Some(10));
}

#[test]
fn the_choice_is_made_once_and_when_asked() {
    let mut puppet = undecided();
    let choose = |puppet: &mut Puppet| puppet.us.choose(&server(), now(), &mut SystemRandom);
    assert!(matches!(
        choose(&mut puppet),
        Err(Error::WrongState {
            call: "choose",
            state: "START"
        })
    ));
    puppet.say_client_hello();
    choose(&mut puppet).unwrap();
    assert!(matches!(
        choose(&mut puppet),
        Err(Error::WrongState {
            call: "choose",
            state: "WAIT_FINISHED"
        })
    ));
    puppet.hear_flight();
    puppet.lead_server_to("CONNECTED");
    puppet.send(b"data").unwrap();
    assert_eq!(puppet.delivered, b"data");
}

/// The checks of RFC 9846, 4.2.2 and 4.3 are made with the configuration: they send the same
/// alerts, in RECVD_CH.
#[test]
fn what_is_wrong_shows_with_the_choice() {
    let other = Server::builder()
        .identity(WORLD.server.clone())
        .cipher_suites([CipherSuite(0x1303)])
        .build()
        .unwrap();
    let mut puppet = undecided();
    puppet.say_client_hello();
    let error = puppet
        .us
        .choose(&other, now(), &mut SystemRandom)
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Protocol {
                state: "RECVD_CH",
                fault: Fault::NoCommonSuite { .. }
            }
        ),
        "{error}"
    );
    puppet.has_failed(&error, Some(40));
}

#[test]
fn the_deadline_holds_while_it_asks() {
    let mut puppet = undecided();
    puppet.say_client_hello();
    let late = crate::time::Now {
        monotonic: puppet.us.next_timeout().unwrap(),
        ..now()
    };
    let error = puppet.us.process(late, &mut SystemRandom).unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout));
    assert_eq!(puppet.hear().unwrap().content, [1, 90]);
    assert_eq!(puppet.hear().unwrap().content, [1, 0]);
    puppet.has_failed(&error, None);
}
