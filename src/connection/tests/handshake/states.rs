//! Every pair of state and message, on both sides, against the arrows of RFC 9846, appendix A.

use crate::code_point::ExtensionType;
use crate::connection::tests::puppet::client::{SERVER_STATES, asking_server, required};
use crate::connection::tests::puppet::early_client::{builder, guard, ticket_of};
use crate::connection::tests::puppet::server::{
    CLIENT_STATES, certificate_request, encrypted_extensions, key_update, new_session_ticket,
};
use crate::connection::tests::puppet::session::known;
use crate::connection::tests::puppet::{Puppet, client, message, refused, server};
use crate::crypto::key_exchange::Group;
use crate::error::Fault;
use crate::message::{RETRY_RANDOM, ServerHello, ServerHelloExtension};
use crate::server::ClientAuth;

/// The "Recv" arrows of A.1 without a PSK, and what 4.7 allows in CONNECTED: state, message, next
/// state.
const CLIENT_ARROWS: [(&str, &str, &str); 10] = [
    ("WAIT_SH", "HelloRetryRequest", "WAIT_SH"),
    ("WAIT_SH", "ServerHello", "WAIT_EE"),
    ("WAIT_EE", "EncryptedExtensions", "WAIT_CERT_CR"),
    ("WAIT_CERT_CR", "CertificateRequest", "WAIT_CERT"),
    ("WAIT_CERT_CR", "Certificate", "WAIT_CV"),
    ("WAIT_CERT", "Certificate", "WAIT_CV"),
    ("WAIT_CV", "CertificateVerify", "WAIT_FINISHED"),
    ("WAIT_FINISHED", "Finished", "CONNECTED"),
    ("CONNECTED", "NewSessionTicket", "CONNECTED"),
    ("CONNECTED", "KeyUpdate", "CONNECTED"),
];

/// The same arrows of A.2, for a server that asks for client certificates.
const SERVER_ARROWS: [(&str, &str, &str); 5] = [
    ("START", "ClientHello", "WAIT_CERT"),
    ("WAIT_CERT", "Certificate", "WAIT_CV"),
    ("WAIT_CV", "CertificateVerify", "WAIT_FINISHED"),
    ("WAIT_FINISHED", "Finished", "CONNECTED"),
    ("CONNECTED", "KeyUpdate", "CONNECTED"),
];

/// Every message of section 4, by its name in an error; then types that TLS 1.3 does not have.
const MESSAGES: [&str; 16] = [
    "ClientHello",
    "ServerHello",
    "HelloRetryRequest",
    "NewSessionTicket",
    "EndOfEarlyData",
    "EncryptedExtensions",
    "CertificateRequest",
    "Certificate",
    "CertificateVerify",
    "Finished",
    "KeyUpdate",
    "a message_hash, which is never sent",
    "a HelloRequest of an older version",
    "a ServerHelloDone of an older version",
    "a ClientKeyExchange of an older version",
    "a handshake message of an unknown type",
];

/// Changes a ServerHello to a HelloRetryRequest for secp256r1, which our client supports but sends
/// no share for.
fn retry(hello: &mut ServerHello<'_>) {
    hello.random = RETRY_RANDOM;
    let extensions = hello.extensions.as_mut().unwrap();
    extensions.truncate(1);
    extensions.push(ServerHelloExtension::Unknown {
        extension_type: ExtensionType(51),
        data: &[0x00, 0x17],
    });
}

/// Returns a message of this name: the right one if it is the puppet's turn to send it, otherwise
/// one that can be parsed.
fn make(puppet: &mut Puppet, name: &str) -> Vec<u8> {
    match name {
        "ClientHello" if puppet.state() == "START" => puppet.make_client_hello(|_| {}),
        "ClientHello" => Puppet::calling(&server()).make_client_hello(|_| {}),
        "ServerHello" if puppet.state() == "WAIT_SH" => puppet.server_hello(|_| {}),
        "ServerHello" => Puppet::serving(&client()).server_hello(|_| {}),
        "HelloRetryRequest" if puppet.state() == "WAIT_SH" => puppet.server_hello(retry),
        "HelloRetryRequest" => Puppet::serving(&client()).server_hello(retry),
        "NewSessionTicket" => new_session_ticket(),
        "EndOfEarlyData" => message(5, &[]),
        "EncryptedExtensions" => encrypted_extensions(&[]),
        "CertificateRequest" => certificate_request(),
        "Certificate" => puppet.certificate(),
        "CertificateVerify" => puppet.certificate_verify(),
        "Finished" if puppet.schedule.is_some() => puppet.finished(),
        "Finished" => message(20, &[0; 32]),
        "KeyUpdate" => key_update(0),
        "a message_hash, which is never sent" => message(254, &[0; 32]),
        "a HelloRequest of an older version" => message(0, &[]),
        "a ServerHelloDone of an older version" => message(14, &[]),
        "a ClientKeyExchange of an older version" => message(16, &[0; 33]),
        "a handshake message of an unknown type" => message(99, b"?"),
        other => panic!("{other}"),
    }
}

/// Tries every message in every state. `at` leads to a state.
fn try_all(
    states: &[&str],
    arrows: &[(&str, &str, &str)],
    at: impl Fn(&str) -> Puppet,
    expects: impl Fn(&str) -> &'static str,
) {
    let mut legal = 0;
    for state in states {
        for name in MESSAGES {
            let mut puppet = at(state);
            assert_eq!(puppet.state(), *state);
            let message = make(&mut puppet, name);
            match arrows
                .iter()
                .find(|(from, by, _)| from == state && *by == name)
            {
                Some((_, _, next)) => {
                    puppet
                        .say(&message)
                        .unwrap_or_else(|error| panic!("{name} in {state}: {error}"));
                    assert_eq!(puppet.state(), *next, "{name} in {state}");
                    legal += 1;
                }
                None => {
                    // RFC 9846, section 4: "A peer which receives a handshake message in an
                    // unexpected order MUST abort the handshake with an "unexpected_message"
                    // alert."
                    let record = puppet.record(22, &message);
                    refused!(
                        puppet,
                        record,
                        state,
                        10,
                        Fault::Unexpected { expected, got }
                            if expected == expects(state) && got == name
                    );
                }
            }
        }
    }
    assert_eq!(legal, arrows.len());
}

#[test]
fn client_accepts_the_arrows_of_a_1_and_nothing_else() {
    try_all(
        &CLIENT_STATES,
        &CLIENT_ARROWS,
        Puppet::client_at,
        |state| match state {
            "WAIT_SH" => "ServerHello or HelloRetryRequest",
            "WAIT_EE" => "EncryptedExtensions",
            "WAIT_CERT_CR" => "CertificateRequest or Certificate",
            "WAIT_CERT" => "Certificate",
            "WAIT_CV" => "CertificateVerify",
            "WAIT_FINISHED" => "Finished",
            "CONNECTED" => "NewSessionTicket or KeyUpdate",
            other => panic!("{other}"),
        },
    );
}

#[test]
fn server_accepts_the_arrows_of_a_2_and_nothing_else() {
    try_all(
        &SERVER_STATES,
        &SERVER_ARROWS,
        |state| Puppet::calling_at(&asking_server(required()), state),
        |state| match state {
            "START" => "ClientHello",
            "WAIT_CERT" => "Certificate",
            "WAIT_CV" => "CertificateVerify",
            "WAIT_FINISHED" => "Finished",
            "CONNECTED" => "KeyUpdate",
            other => panic!("{other}"),
        },
    );
}

/// A.2: without client authentication WAIT_FINISHED follows immediately, and accepts only a
/// Finished.
#[test]
fn server_without_client_auth_waits_for_finished_alone() {
    for name in MESSAGES.into_iter().filter(|name| *name != "Finished") {
        let mut puppet = Puppet::server_at("WAIT_FINISHED");
        let message = make(&mut puppet, name);
        let record = puppet.record(22, &message);
        refused!(
            puppet,
            record,
            "WAIT_FINISHED",
            10,
            Fault::Unexpected { expected: "Finished", got } if got == name
        );
    }
}

/// A.2: an empty Certificate leads from WAIT_CERT to WAIT_FINISHED, where CertificateVerify is not
/// allowed (RFC 9846, 4.5.2).
#[test]
fn server_expects_no_certificate_verify_after_an_empty_certificate() {
    let optional =
        || ClientAuth::Optional(crate::connection::tests::puppet::WORLD.authority.trust());
    let mut puppet = Puppet::calling_at(&asking_server(optional()), "WAIT_CERT");
    puppet.say(&message(11, &[0, 0, 0, 0])).unwrap();
    assert_eq!(puppet.state(), "WAIT_FINISHED");
    let verify = puppet.certificate_verify();
    let record = puppet.record(22, &verify);
    refused!(
        puppet,
        record,
        "WAIT_FINISHED",
        10,
        Fault::Unexpected {
            expected: "Finished",
            got: "CertificateVerify"
        }
    );

    let mut puppet = Puppet::calling_at(&asking_server(optional()), "WAIT_CERT");
    puppet.say(&message(11, &[0, 0, 0, 0])).unwrap();
    puppet.say_client_finished();
    assert_eq!(puppet.state(), "CONNECTED");
    assert!(puppet.us.negotiated().unwrap().peer().is_none());
}

// ---- after a HelloRetryRequest ----

/// A.1 has one arrow from WAIT_SH back to WAIT_SH, after which only a ServerHello is allowed.
/// 4.2.4: a second HelloRetryRequest is an "unexpected_message".
#[test]
fn client_after_a_retry_waits_for_server_hello_alone() {
    for name in MESSAGES {
        let mut puppet = Puppet::serving(&client());
        puppet.ask_for(Group::Secp256r1);
        assert_eq!(puppet.state(), "WAIT_SH");
        let message = make(&mut puppet, name);
        if name == "ServerHello" {
            puppet.say(&message).unwrap();
            assert_eq!(puppet.state(), "WAIT_EE");
        } else {
            let record = puppet.record(22, &message);
            refused!(
                puppet,
                record,
                "WAIT_SH",
                10,
                Fault::Unexpected { expected: "ServerHello", got } if got == name
            );
        }
    }
}

/// A.2 has one arrow from RECVD_CH back to START, after which only a ClientHello is allowed, and
/// leads on.
#[test]
fn server_after_a_retry_waits_for_client_hello_alone() {
    for name in MESSAGES {
        let mut puppet = Puppet::asked_again(&asking_server(required()));
        assert_eq!(puppet.state(), "START");
        let message = make(&mut puppet, name);
        if name == "ClientHello" {
            puppet.say(&message).unwrap();
            assert_eq!(puppet.state(), "WAIT_CERT");
        } else {
            let record = puppet.record(22, &message);
            refused!(
                puppet,
                record,
                "START",
                10,
                Fault::Unexpected { expected: "ClientHello", got } if got == name
            );
        }
    }
}

// ---- with a PSK ----

/// A.1, "Using PSK": WAIT_FINISHED follows EncryptedExtensions.
#[test]
fn client_with_a_psk_waits_for_finished_alone() {
    let arrows = [
        ("WAIT_EE", "EncryptedExtensions", "WAIT_FINISHED"),
        ("WAIT_FINISHED", "Finished", "CONNECTED"),
    ];
    let client = client();
    let at = |state: &str| {
        client.config.sessions.clear();
        Puppet::resuming_at(&client, &known(&client), state)
    };
    try_all(
        &["WAIT_EE", "WAIT_FINISHED"],
        &arrows,
        at,
        |state| match state {
            "WAIT_EE" => "EncryptedExtensions",
            _ => "Finished",
        },
    );
}

/// A.2: with a PSK there is no authentication by certificate, even if this server requires one:
/// WAIT_FINISHED follows.
#[test]
fn server_with_a_psk_waits_for_finished_alone() {
    let arrows = [
        ("START", "ClientHello", "WAIT_FINISHED"),
        ("WAIT_FINISHED", "Finished", "CONNECTED"),
    ];
    let server = asking_server(required());
    let ticket = Puppet::tickets_of(&server).remove(0);
    let at = |state: &str| {
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        puppet.lead_server_to(state);
        puppet
    };
    try_all(
        &["START", "WAIT_FINISHED"],
        &arrows,
        at,
        |state| match state {
            "START" => "ClientHello",
            _ => "Finished",
        },
    );
}

/// A.2, "K_recv = early data": if early data is accepted, WAIT_EOED accepts only its end, and
/// WAIT_FINISHED follows.
#[test]
fn server_with_early_data_waits_for_its_end_alone() {
    let arrows = [
        ("START", "ClientHello", "WAIT_EOED"),
        ("WAIT_EOED", "EndOfEarlyData", "WAIT_FINISHED"),
        ("WAIT_FINISHED", "Finished", "CONNECTED"),
        ("CONNECTED", "KeyUpdate", "CONNECTED"),
    ];
    let server = builder()
        .client_auth(required())
        .early_data(1000, guard())
        .build()
        .unwrap();
    let ticket = ticket_of(&server);
    let at = |state: &str| {
        let mut puppet = Puppet::calling_early(&server, &ticket);
        puppet.lead_server_to(state);
        puppet
    };
    try_all(
        &["START", "WAIT_EOED", "WAIT_FINISHED", "CONNECTED"],
        &arrows,
        at,
        |state| match state {
            "START" => "ClientHello",
            "WAIT_EOED" => "EndOfEarlyData",
            "WAIT_FINISHED" => "Finished",
            _ => "KeyUpdate",
        },
    );
}
