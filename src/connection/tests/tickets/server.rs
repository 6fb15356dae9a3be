//! Tickets at our server (RFC 9846, 4.3.9, 4.3.11 and 4.7.1): which it accepts, and what happens to
//! the others. `given.rs` tests which ones it issues.

use core::time::Duration;

use crate::code_point::{CertificateType, CipherSuite, ExtensionType, SignatureScheme};
use crate::connection::tests::puppet::client::{add, asking_server, remove, required, set};
use crate::connection::tests::puppet::server::encrypted_extensions;
use crate::connection::tests::puppet::session::{Psk, Ticket};
use crate::connection::tests::puppet::{
    APPLICATION_DATA, HANDSHAKE, Keys, Puppet, WORLD, certificate_message, extension, message, now,
    plain, refused, server,
};
use crate::connection::{Connection, Status};
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::{DecodeProblem, Fault};
use crate::handshake::Question;
use crate::identity::{Identity, Trust, Validity};
use crate::key_schedule::EarlySecret;
use crate::message::ClientHelloExtension::{
    Alpn, ClientCertificateType, EarlyData, KeyShare, PskKeyExchangeModes, ServerCertificateType,
    ServerName, SignatureAlgorithms, SupportedGroups,
};
use crate::message::{self, ClientHello, Message};
use crate::secret::Secret;
use crate::server::{ClientAuth, Server, ServerBuilder};
use crate::session::TicketKeys;

const HOUR: Duration = Duration::from_secs(3600);

fn builder() -> ServerBuilder {
    Server::builder().identity(WORLD.server.clone())
}

/// Returns a ticket of this server, issued to the puppet as a client.
fn ticket_of(server: &Server) -> Ticket {
    Puppet::tickets_of(server).pop().expect("a ticket")
}

/// Returns true if this server, some time later, resumes the session of this ticket.
fn takes_later(server: &Server, ticket: &Ticket, later: Duration) -> bool {
    let mut puppet = Puppet::calling_with_ticket(server, ticket);
    puppet.later = later;
    puppet.is_resumed()
}

fn takes(server: &Server, ticket: &Ticket) -> bool {
    takes_later(server, ticket, Duration::ZERO)
}

/// Asserts that a PSK is refused in START. The alert is in the clear.
macro_rules! refused_hello {
    ($puppet:expr, $edit:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {{
        let mut puppet = $puppet;
        let hello = puppet.make_client_hello($edit);
        refused!(puppet, plain(HANDSHAKE, &hello), "START", $alert, $fault $(if $guard)?);
    }};
}

// ---- what is taken ----

/// The peer of a resumed connection is that of the first handshake, which proved it. Of its chain
/// only the leaf remains.
#[test]
fn the_peer_is_the_earlier_one() {
    for client_auth in [required(), ClientAuth::Optional(WORLD.authority.trust())] {
        let server = asking_server(client_auth);
        let mut ticket = ticket_of(&server);
        for _ in 0..3 {
            let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
            puppet.say_client_hello();
            puppet.hear_flight();
            ticket = puppet.finish_for_tickets().remove(0);
            let negotiated = puppet.us.negotiated().unwrap();
            assert!(negotiated.resumed());
            let peer = negotiated.peer().expect("the client");
            assert_eq!(peer.certificates(), &WORLD.client.certificates()[..1]);
            assert_eq!(peer.public_key(), WORLD.client.public_key());
        }
    }
    // A client without a certificate stays anonymous.
    let optional = asking_server(ClientAuth::Optional(WORLD.authority.trust()));
    let mut puppet = Puppet::calling_for_tickets(&optional);
    puppet.lead_server_to("WAIT_CERT");
    puppet.say(&certificate_message(&[], &[])).unwrap();
    let ticket = puppet.finish_for_tickets().remove(0);
    let mut puppet = Puppet::calling_with_ticket(&optional, &ticket);
    assert!(puppet.is_resumed());
    assert!(puppet.us.negotiated().unwrap().peer().is_none());
}

/// "also when its session is resumed": a hook that has changed its mind refuses with access_denied
/// (6.2).
#[test]
fn the_authorize_hook_is_asked_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    let (allowed, calls) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicUsize::new(0)),
    );
    let server = builder()
        .client_auth(required())
        .authorize({
            let (allowed, calls) = (Arc::clone(&allowed), Arc::clone(&calls));
            move |peer| {
                assert_eq!(peer.public_key(), WORLD.client.public_key());
                calls.fetch_add(1, Ordering::SeqCst);
                if allowed.load(Ordering::SeqCst) {
                    Ok(())
                } else {
                    Err("not any more")
                }
            }
        })
        .build()
        .unwrap();
    let ticket = ticket_of(&server);
    assert!(takes(&server, &ticket));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    allowed.store(false, Ordering::SeqCst);
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    puppet.lead_server_to("WAIT_FINISHED");
    let finished = puppet.finished();
    let record = puppet.record(HANDSHAKE, &finished);
    refused!(
        puppet,
        record,
        "WAIT_FINISHED",
        49,
        Fault::Denied(reason) if reason.to_string() == "not any more"
    );
}

/// 4.5.1: there is no Certificate with a PSK. The alert is under the application key.
#[test]
fn no_certificate_with_a_psk() {
    let server = asking_server(required());
    let ticket = ticket_of(&server);
    let messages: [fn(&Puppet) -> Vec<u8>; 3] = [
        Puppet::certificate,
        |_| certificate_message(&[], &[]),
        Puppet::certificate_verify,
    ];
    for make in messages {
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        puppet.lead_server_to("WAIT_FINISHED");
        let record = make(&puppet);
        let record = puppet.record(HANDSHAKE, &record);
        refused!(
            puppet,
            record,
            "WAIT_FINISHED",
            10,
            Fault::Unexpected {
                expected: "Finished",
                ..
            }
        );
    }
}

/// 4.7.1: "Any ticket MUST only be resumed with a cipher suite that has the same KDF hash
/// algorithm". Another suite with the same hash is allowed.
#[test]
fn the_suite_may_change_and_the_hash_may_not() {
    let (aes128, aes256, chacha) = (0x1301, 0x1302, 0x1303);
    let server = server();
    for (first, second, resumed) in [
        (aes128, aes128, true),
        (aes128, chacha, true),
        (chacha, aes128, true),
        (aes128, aes256, false),
        (aes256, chacha, false),
    ] {
        let suite = |code_point| Suite::from_code_point(CipherSuite(code_point)).unwrap();
        let mut puppet = Puppet::calling_for_tickets(&server);
        puppet.suite = suite(first);
        let ticket = puppet.finish_for_tickets().remove(0);
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        puppet.suite = suite(second);
        assert_eq!(puppet.is_resumed(), resumed, "{first:x} {second:x}");
        assert_eq!(puppet.us.negotiated().unwrap().cipher_suite().0, second);
    }
}

/// The first known ticket of several is selected, and its index is returned (4.3.11). Unknown ones
/// are ignored. At most 8 are tried, which is our limit.
#[test]
fn the_first_known_of_several() {
    let server = server();
    let [one, two] = &Puppet::tickets_of(&server)[..] else {
        panic!("not two tickets")
    };
    for before in 0..8 {
        let mut puppet = Puppet::calling_with_ticket(&server, one);
        puppet.psks.splice(0..0, vec![Psk::unknown(); before]);
        puppet.psks.push(two.psk());
        // `hear_flight` uses the PSK that the server's index selects: a wrong one would lead to
        // other keys.
        assert!(puppet.is_resumed());
    }
    for before in [8, 9, 50] {
        let mut puppet = Puppet::calling_with_ticket(&server, one);
        puppet.psks.splice(0..0, vec![Psk::unknown(); before]);
        assert!(!puppet.is_resumed());
    }
    // The binders have different lengths.
    let mut puppet = Puppet::calling_with_ticket(&server, one);
    puppet.psks.insert(
        0,
        Psk {
            suite: Suite::Aes256GcmSha384,
            key: vec![7; 48],
            ..Psk::unknown()
        },
    );
    puppet.psks.push(Psk {
        suite: Suite::Aes256GcmSha384,
        key: vec![7; 48],
        ..Psk::unknown()
    });
    assert!(puppet.is_resumed());
}

/// "Servers ... SHOULD select a single PSK and validate solely the binder that corresponds to that
/// PSK."
#[test]
fn the_other_binders_do_not_count() {
    let server = server();
    let [one, two] = &Puppet::tickets_of(&server)[..] else {
        panic!("not two tickets")
    };
    let mut puppet = Puppet::calling_with_ticket(&server, one);
    puppet.psks.insert(0, Psk::unknown());
    puppet.psks.push(Psk {
        key: vec![0; 32],
        ..two.psk()
    });
    assert!(puppet.is_resumed());
}

/// 4.3.11: "If this value is not present or does not validate, the server MUST abort the
/// handshake"; 6.2: decrypt_error.
#[test]
fn wrong_binders() {
    let server = server();
    let [ticket, other] = &Puppet::tickets_of(&server)[..] else {
        panic!("not two tickets")
    };
    for at in [1, 16, 32] {
        let mut puppet = Puppet::calling_with_ticket(&server, ticket);
        let mut hello = puppet.make_client_hello(|_| {});
        let length = hello.len();
        hello[length - at] ^= 1;
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            51,
            Fault::BadBinder
        );
    }
    // The binder uses another ticket's key, or zeros, or the label of an external PSK.
    let mut puppet = Puppet::calling_with_ticket(&server, ticket);
    puppet.psks[0].key = other.key.clone();
    refused_hello!(puppet, |_| {}, 51, Fault::BadBinder);
    let mut puppet = Puppet::calling_with_ticket(&server, ticket);
    puppet.psks[0].key = vec![0; 32];
    refused_hello!(puppet, |_| {}, 51, Fault::BadBinder);
    let mut puppet = Puppet::calling_with_ticket(&server, ticket);
    let mut hello = puppet.make_client_hello(|_| {});
    let binders = hello.len() - 35;
    let early = EarlySecret::new(puppet.suite.hash(), Some(&Secret::copy_of(&ticket.key)));
    let binder = early
        .binder_key(crate::key_schedule::PskKind::External)
        .binder(&puppet.suite.hash().hash(&hello[..binders]));
    hello[binders + 3..].copy_from_slice(&binder);
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        51,
        Fault::BadBinder
    );
    // The binder covers everything before it.
    for at in [6, 40, 100] {
        let mut puppet = Puppet::calling_with_ticket(&server, ticket);
        let mut hello = puppet.make_client_hello(|hello| hello.random = [0; 32]);
        hello[at.min(4 + 2 + 31)] ^= 1;
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            51,
            Fault::BadBinder
        );
    }
}

/// `opaque PskBinderEntry<32..255>`: a shorter binder violates the syntax. One of another length
/// than the hash's is wrong.
#[test]
fn binders_of_the_wrong_length() {
    let server = server();
    let ticket = ticket_of(&server);
    let with = |length: usize| {
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        let hello = puppet.make_client_hello(|_| {});
        let right = hello[hello.len() - 32..].to_vec();
        puppet.psks.clear();
        let hello = puppet.make_client_hello(|hello| {
            let identities = vec![message::PskIdentity {
                identity: ticket.ticket.clone().leak(),
                obfuscated_ticket_age: ticket.age_add,
            }];
            let binder: &'static [u8] = [&right[..], &[0; 223]].concat()[..length].to_vec().leak();
            add(
                hello,
                message::ClientHelloExtension::PreSharedKey(message::OfferedPsks {
                    identities,
                    binders: vec![binder],
                }),
            );
        });
        (puppet, plain(HANDSHAKE, &hello))
    };
    for length in [33, 48, 64, 255] {
        let (mut puppet, hello) = with(length);
        refused!(puppet, hello, "START", 51, Fault::BadBinder);
    }
    for length in [0, 1, 31] {
        let (mut puppet, hello) = with(length);
        refused!(
            puppet,
            hello,
            "START",
            50,
            Fault::Decode {
                problem: DecodeProblem::Length | DecodeProblem::Empty,
                ..
            }
        );
    }
}

/// 4.3.9: "If clients offer "pre_shared_key" without a "psk_key_exchange_modes" extension, servers
/// MUST abort the handshake", whether the PSK is known or not; "MUST NOT select a key exchange mode
/// that is not listed". With psk_ke alone the handshake is a full one.
#[test]
fn modes() {
    let server = server();
    let ticket = ticket_of(&server);
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    puppet.modes = Vec::new();
    refused_hello!(
        puppet,
        |_| {},
        109,
        Fault::MissingExtension {
            message: "ClientHello",
            extension: ExtensionType(45)
        }
    );
    for modes in [&[0][..], &[0x0b], &[2, 0]] {
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        puppet.modes = modes.to_vec();
        puppet.say_client_hello();
        assert_eq!(puppet.hear_flight().len(), 5);
        assert_eq!(puppet.finish_for_tickets(), []);
        assert!(!puppet.us.negotiated().unwrap().resumed());
    }
    // The server "MUST NOT send a "psk_key_exchange_modes" extension", and accepts psk_dhe_ke
    // anywhere in the list.
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    puppet.modes = vec![0x0b, 0, 1];
    assert!(puppet.is_resumed());
    // `PskKeyExchangeMode ke_modes<1..255>`
    refused_hello!(
        Puppet::calling(&server),
        |hello| add(hello, PskKeyExchangeModes(vec![])),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
}

/// 9.2: the extensions that a ClientHello with a PSK must also have. A key share is required in
/// every mode that we support, signature_algorithms only if the PSK cannot be used.
#[test]
fn extensions_beside_a_psk() {
    let server = server();
    let ticket = ticket_of(&server);
    let resuming = || Puppet::calling_with_ticket(&server, &ticket);
    let missing = |fault: Fault, extension: u16| {
        matches!(
            fault,
            Fault::MissingExtension { message: "ClientHello", extension: got } if got.0 == extension
        )
    };
    refused_hello!(
        resuming(),
        |hello| remove(hello, KeyShare(vec![])),
        109,
        fault if missing(fault.clone(), 51)
    );
    refused_hello!(
        resuming(),
        |hello| remove(hello, SupportedGroups(vec![])),
        109,
        fault if missing(fault.clone(), 10)
    );
    refused_hello!(
        resuming(),
        |hello| {
            remove(hello, SupportedGroups(vec![]));
            remove(hello, KeyShare(vec![]));
        },
        109,
        fault if missing(fault.clone(), 10)
    );
    let without_signatures = |mut puppet: Puppet| {
        let hello = puppet.make_client_hello(|hello| remove(hello, SignatureAlgorithms(vec![])));
        (puppet.say(&hello), puppet)
    };
    let (said, mut puppet) = without_signatures(resuming());
    said.unwrap();
    assert_eq!(puppet.hear_flight().len(), 3);
    let mut puppet = resuming();
    puppet.psks = vec![Psk::unknown()];
    refused_hello!(
        puppet,
        |hello| remove(hello, SignatureAlgorithms(vec![])),
        109,
        fault if missing(fault.clone(), 13)
    );
    // The same holds for schemes that we do not support.
    let mut puppet = resuming();
    let hello = puppet
        .make_client_hello(|hello| set(hello, SignatureAlgorithms(vec![SignatureScheme(0x0403)])));
    puppet.say(&hello).unwrap();
    assert_eq!(puppet.hear_flight().len(), 3);
    let mut puppet = resuming();
    puppet.psks = vec![Psk::unknown()];
    refused_hello!(
        puppet,
        |hello| set(hello, SignatureAlgorithms(vec![SignatureScheme(0x0403)])),
        40,
        Fault::NoCommonScheme { .. }
    );
}

/// RFC 6066, section 3: "When resuming a session, the server MUST NOT include a server_name
/// extension". A full handshake answers it.
#[test]
fn server_name_is_not_answered_again() {
    let server = builder().alpn(["h2"]).build().unwrap();
    let alpn = |hello: &mut ClientHello<'_>| add(hello, Alpn(vec![b"h2"]));
    // `ProtocolName protocol_name_list<2..2^16-1>`
    let chosen = extension(16, &[0, 3, 2, b'h', b'2']);
    let answers = |puppet: &mut Puppet| {
        let hello = puppet.make_client_hello(alpn);
        puppet.say(&hello).unwrap();
        puppet.hear_flight()[1].clone()
    };
    let mut puppet = Puppet::calling_for_tickets(&server);
    assert_eq!(
        answers(&mut puppet),
        encrypted_extensions(&[extension(0, &[]), chosen.clone()].concat())
    );
    let mut ticket = puppet.finish_for_tickets().remove(0);
    // The name is still the connection's, and the session's.
    for _ in 0..2 {
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        assert_eq!(answers(&mut puppet), encrypted_extensions(&chosen));
        ticket = puppet.finish_for_tickets().remove(0);
        let negotiated = puppet.us.negotiated().unwrap();
        assert!(negotiated.resumed());
        assert_eq!(negotiated.server_name(), Some("db.internal"));
    }
    // A ticket that is not taken resumes nothing.
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    puppet.psks = vec![Psk::unknown()];
    assert_eq!(
        answers(&mut puppet),
        encrypted_extensions(&[extension(0, &[]), chosen].concat())
    );
}

/// RFC 7250 does not cover the server's type in a resumption, where no certificate is presented.
/// rustls' clients expect the same answer as in a full handshake.
#[test]
fn certificate_types_with_a_psk() {
    let server = Server::builder()
        .identity(Identity::generate().unwrap())
        .build()
        .unwrap();
    let raw =
        |hello: &mut ClientHello<'_>| add(hello, ServerCertificateType(vec![CertificateType(2)]));
    let mut puppet = Puppet::calling_for_tickets(&server);
    let hello = puppet.make_client_hello(raw);
    puppet.say(&hello).unwrap();
    assert_eq!(
        puppet.hear_flight()[1],
        message(8, &[&[0, 9, 0, 0, 0, 0][..], &extension(20, &[2])].concat())
    );
    let ticket = puppet.finish_for_tickets().remove(0);
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    let hello = puppet.make_client_hello(raw);
    puppet.say(&hello).unwrap();
    let flight = puppet.hear_flight();
    assert_eq!(flight[1], encrypted_extensions(&extension(20, &[2])));
    assert_eq!(flight.len(), 3);
}

/// RFC 7250, 4.2: "If the TLS server does not send a certificate_request payload ... the
/// client_certificate_type payload in the server hello MUST be omitted". It is answered all the
/// same to a client that offers raw keys alone: no answer means X.509, which such a client (rustls)
/// refuses in every handshake.
#[test]
fn the_clients_certificate_type_with_a_psk() {
    let server = asking_server(ClientAuth::Optional(Trust::keys([WORLD
        .client
        .public_key()])));
    for (offered, full, resumed) in [
        (&[][..], None, None),
        (&[0], Some(0), None),
        (&[0, 2], Some(2), None),
        (&[2, 0], Some(2), None),
        (&[2, 1], Some(2), Some(2)),
        (&[2], Some(2), Some(2)),
    ] {
        let answers = |puppet: &mut Puppet| {
            let hello = puppet.make_client_hello(|hello| {
                if !offered.is_empty() {
                    let types = offered.iter().copied().map(CertificateType).collect();
                    add(hello, ClientCertificateType(types));
                }
            });
            puppet.say(&hello).unwrap();
            match Message::decode(&puppet.hear_flight()[1]).unwrap() {
                Message::EncryptedExtensions(answers) => {
                    answers.client_certificate_type().map(|answer| answer.0)
                }
                other => panic!("{other:?}"),
            }
        };
        let mut puppet = Puppet::calling_for_tickets(&server);
        assert_eq!(answers(&mut puppet), full, "{offered:?}");
        puppet.say(&certificate_message(&[], &[])).unwrap();
        let ticket = puppet.finish_for_tickets().remove(0);
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        assert_eq!(answers(&mut puppet), resumed, "{offered:?}");
        puppet.finish_for_tickets();
        assert!(puppet.us.negotiated().unwrap().resumed());
    }
}

/// A configuration that is chosen by the ClientHello accepts its own tickets, as if it had been
/// there from the start.
#[test]
fn a_configuration_that_is_chosen_late() {
    let chosen = asking_server(required());
    let ticket = ticket_of(&chosen);
    for (server, resumed) in [(&chosen, true), (&server(), false)] {
        let mut puppet = Puppet::calling_with_ticket(server, &ticket);
        puppet.us = Connection::undecided(now());
        let hello = puppet.make_client_hello(|_| {});
        assert_eq!(
            puppet.say(&hello).unwrap(),
            Status::Ask(Question::Configuration)
        );
        puppet.us.choose(server, now(), &mut SystemRandom).unwrap();
        puppet.hear_flight();
        puppet.finish_for_tickets();
        assert_eq!(puppet.us.negotiated().unwrap().resumed(), resumed);
    }
}

// ---- what is ignored ----

/// 4.3.11: "Any unknown PSKs ... SHOULD simply be ignored". A ticket with any change, or with
/// another length, is unknown.
#[test]
fn tampered_tickets() {
    let server = server();
    let ticket = ticket_of(&server);
    let length = ticket.ticket.len();
    let tampered = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut other = ticket.clone();
        change(&mut other.ticket);
        assert!(!takes(&server, &other));
    };
    for at in (0..length).step_by(7).chain([length - 1]) {
        tampered(&|ticket| ticket[at] ^= 1 << (at % 8));
    }
    tampered(&|ticket| ticket.push(0));
    tampered(&|ticket| ticket.truncate(length - 1));
    tampered(&|ticket| *ticket = ticket[1..].to_vec());
    tampered(&|ticket| ticket.truncate(1));
    tampered(&|ticket| *ticket = [&ticket[..], ticket].concat());
    tampered(&|ticket| ticket.fill(0));
    assert!(takes(&server, &ticket));
}

/// 4.7.1: an expired ticket is not accepted. A ticket whose age equals its lifetime still is. The
/// age that the client states does not count (8.2).
#[test]
fn expired_tickets() {
    let server = server();
    let ticket = ticket_of(&server);
    assert!(takes_later(
        &server,
        &ticket,
        2 * HOUR - Duration::from_secs(60)
    ));
    assert!(!takes_later(
        &server,
        &ticket,
        2 * HOUR + Duration::from_secs(1)
    ));
    for age in [0, 1, u32::MAX] {
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        puppet.psks[0].obfuscated_ticket_age = age;
        assert!(puppet.is_resumed());
    }
}

/// 4.7.1: "A server MAY treat a ticket as valid for a shorter period of time than what is stated".
/// Our server does so after its lifetime setting was reduced.
#[test]
fn a_shorter_lifetime_holds_for_tickets_from_before() {
    let keys = TicketKeys::rotating();
    let with = |lifetime| {
        builder()
            .ticket_keys(keys.clone())
            .ticket_lifetime(lifetime)
            .build()
            .unwrap()
    };
    let ticket = ticket_of(&with(4 * HOUR));
    assert_eq!(ticket.lifetime, 4 * 60 * 60);
    assert!(takes_later(
        &with(HOUR),
        &ticket,
        HOUR - Duration::from_secs(60)
    ));
    assert!(!takes_later(
        &with(HOUR),
        &ticket,
        HOUR + Duration::from_secs(60)
    ));
    assert!(takes_later(
        &with(4 * HOUR),
        &ticket,
        HOUR + Duration::from_secs(60)
    ));
}

/// A chain of resumptions ends: after max_session_age the client must authenticate again, and then
/// a new chain begins.
#[test]
fn the_age_of_a_chain_is_bounded() {
    let server = builder()
        .client_auth(required())
        .max_session_age(3 * HOUR)
        .build()
        .unwrap();
    let mut ticket = ticket_of(&server);
    let mut lifetimes = vec![ticket.lifetime];
    for minutes in [60, 120, 179] {
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        puppet.later = Duration::from_secs(60 * minutes);
        puppet.say_client_hello();
        assert_eq!(puppet.hear_flight().len(), 3);
        ticket = puppet.finish_for_tickets().remove(0);
        lifetimes.push(ticket.lifetime);
    }
    // The lifetime is 2 hours, and then what is left of 3. The test itself takes about a second.
    for (lifetime, expected) in lifetimes.iter().zip([7200, 7200, 3600, 60]) {
        assert!(
            (expected - 50..=expected).contains(lifetime),
            "{lifetimes:?}"
        );
    }
    assert!(!takes_later(&server, &ticket, 3 * HOUR));
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    puppet.later = 3 * HOUR;
    puppet.say_client_hello();
    puppet.hear_flight();
    assert_eq!(puppet.finish_for_tickets()[0].lifetime, 7200);
}

/// The age that the server allows now counts, not the one when the ticket was issued.
#[test]
fn a_server_that_has_become_stricter() {
    let keys = TicketKeys::rotating();
    let before = builder().ticket_keys(keys.clone()).build().unwrap();
    let after = builder()
        .ticket_keys(keys)
        .max_session_age(HOUR)
        .build()
        .unwrap();
    let ticket = ticket_of(&before);
    assert!(takes_later(&after, &ticket, HOUR / 2));
    assert!(!takes_later(&after, &ticket, HOUR + Duration::from_secs(1)));
    assert!(takes_later(&before, &ticket, HOUR + Duration::from_secs(1)));
}

/// A session ends when the client's certificate expires.
#[test]
fn no_longer_than_the_certificate() {
    let unix = now().unix;
    let hour = Validity::between(unix - HOUR, unix + HOUR).unwrap();
    let server = asking_server(required());
    let mut puppet = Puppet::calling_for_tickets(&server);
    puppet.identity = WORLD
        .authority
        .certificate()
        .client("me")
        .validity(hour)
        .issue()
        .unwrap();
    let ticket = puppet.finish_for_tickets().remove(0);
    assert!(
        (3540..=3600).contains(&ticket.lifetime),
        "{}",
        ticket.lifetime
    );
    assert!(takes_later(&server, &ticket, Duration::from_secs(3000)));
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    puppet.later = HOUR + Duration::from_secs(5);
    assert!(!puppet.is_resumed());
}

/// A ticket is bound to the server name, our key, and the rules for clients. All of these servers
/// have the same ticket keys.
#[test]
fn a_ticket_of_another_configuration() {
    let keys = TicketKeys::rotating();
    let other = WORLD.authority.issue_server(["db.internal"]).unwrap();
    let build = |identity: &Identity, client_auth: ClientAuth| {
        Server::builder()
            .identity(identity.clone())
            .client_auth(client_auth)
            .ticket_keys(keys.clone())
            .build()
            .unwrap()
    };
    let optional = |trust| ClientAuth::Optional(trust);
    let trust = WORLD.authority.trust();
    let servers = [
        build(&WORLD.server, ClientAuth::None),
        build(&other, ClientAuth::None),
        build(&WORLD.server, optional(trust.clone())),
        build(&WORLD.server, required()),
        build(
            &WORLD.server,
            optional(trust.clone().and(WORLD.stranger.trust())),
        ),
        build(
            &WORLD.server,
            ClientAuth::Required(trust.clone().and(WORLD.stranger.trust())),
        ),
        build(
            &WORLD.server,
            ClientAuth::Required(
                trust.and(crate::identity::Trust::keys([WORLD.client.public_key()])),
            ),
        ),
    ];
    let tickets: Vec<Ticket> = servers.iter().map(ticket_of).collect();
    for (one, server) in servers.iter().enumerate() {
        for (two, ticket) in tickets.iter().enumerate() {
            assert_eq!(takes(server, ticket), one == two, "{one} {two}");
        }
    }
    // A ticket is not bound to settings that do not concern identities.
    let same = builder()
        .ticket_keys(keys)
        .alpn(["h2"])
        .padding(crate::record::Padding::PowerOfTwo)
        .build()
        .unwrap();
    assert!(takes(&same, &tickets[0]));
}

/// The ticket is offered with another name than that of the first ClientHello, or none. Case does
/// not matter.
#[test]
fn a_ticket_of_another_name() {
    /// No name, though clients send it in the place of one.
    const ADDRESS: &str = "192.0.2.1";
    let server = server();
    let host = |name: &'static str| ServerName(vec![message::ServerName::HostName(name)]);
    let ticket_for = |name: Option<&'static str>| {
        let mut puppet = Puppet::calling_for_tickets(&server);
        let hello = puppet.make_client_hello(|hello| match name {
            Some(name) => set(hello, host(name)),
            None => remove(hello, host("")),
        });
        puppet.say(&hello).unwrap();
        puppet.hear_flight();
        puppet.finish_for_tickets().remove(0)
    };
    let taken = |ticket: &Ticket, name: Option<&'static str>| {
        let mut puppet = Puppet::calling_with_ticket(&server, ticket);
        let hello = puppet.make_client_hello(|hello| match name {
            Some(name) => set(hello, host(name)),
            None => remove(hello, host("")),
        });
        puppet.say(&hello).unwrap();
        let resumed = puppet.hear_flight().len() == 3;
        puppet.finish_for_tickets();
        // 4.7.1: "implementations MUST use the value sent in the resumption ClientHello".
        let meant = name.filter(|name| *name != ADDRESS);
        assert_eq!(
            puppet.us.negotiated().unwrap().server_name(),
            meant
                .map(|name| name.trim_end_matches('.').to_ascii_lowercase())
                .as_deref()
        );
        resumed
    };
    let (one, two, none) = (
        ticket_for(Some("db.internal")),
        ticket_for(Some("other.internal")),
        ticket_for(None),
    );
    assert!(taken(&one, Some("db.internal")) && taken(&one, Some("DB.Internal")));
    assert!(taken(&two, Some("other.internal")) && taken(&none, None));
    assert!(!taken(&one, Some("other.internal")) && !taken(&one, None));
    assert!(!taken(&two, Some("db.internal")) && !taken(&none, Some("db.internal")));
    let (dotted, address) = (ticket_for(Some("db.internal.")), ticket_for(Some(ADDRESS)));
    assert!(taken(&dotted, Some("db.internal")) && taken(&one, Some("db.internal.")));
    assert!(taken(&address, None) && taken(&none, Some(ADDRESS)));
    assert!(!taken(&address, Some("db.internal")) && !taken(&one, Some(ADDRESS)));
}

// ---- early data ----

/// 4.3.10: the server ignores early data, also under a PSK that it accepts. It skips what does not
/// open.
#[test]
fn early_data_under_a_good_ticket_is_skipped() {
    for server in [server(), asking_server(required())] {
        let ticket = ticket_of(&server);
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        let hello = puppet.make_client_hello(|hello| add(hello, EarlyData));
        let psk = Secret::copy_of(&ticket.key);
        let hash = puppet.suite.hash();
        let mut keys = Keys::new(
            puppet.suite,
            EarlySecret::new(hash, Some(&psk)).client_early_traffic(&hash.hash(&hello)),
        );
        puppet.say(&hello).unwrap();
        let flight = puppet.hear_flight();
        assert_eq!(flight[1], encrypted_extensions(&[]));
        assert_eq!(flight.len(), 3);
        for _ in 0..3 {
            puppet
                .feed(&keys.seal(0x0303, &[&[0xed; 500][..], &[APPLICATION_DATA]].concat()))
                .unwrap();
        }
        puppet.finish_for_tickets();
        assert!(puppet.us.negotiated().unwrap().resumed());
        assert!(puppet.delivered.is_empty());
    }
}
