//! How handshake messages are divided into records (RFC 9846, 5.1), in both roles.

use crate::code_point::ContentType;
use crate::connection::Connection;
use crate::connection::tests::puppet::client::{asking_server, required};
use crate::connection::tests::puppet::server::{
    certificate_request, encrypted_extensions, key_update, new_session_ticket,
};
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Puppet, Side, client, now, plain,
    refused, server,
};
use crate::error::Fault;

/// Asserts that a message with something after it in its record is refused.
macro_rules! refused_to_align {
    ($puppet:expr, $message:expr, $follower:expr, $state:expr, $name:literal) => {{
        let record = $puppet.record(22, &[&$message[..], &$follower[..]].concat());
        refused!(
            $puppet,
            record,
            $state,
            10,
            Fault::NotAligned { message: $name }
        );
    }};
}

/// Returns what may follow a message in its record: a byte of the next message, half of it, all of
/// it, and more.
fn followers() -> Vec<Vec<u8>> {
    let ticket = new_session_ticket();
    vec![
        ticket[..1].to_vec(),
        ticket[..4].to_vec(),
        ticket[..9].to_vec(),
        ticket.clone(),
        [ticket.clone(), ticket].concat(),
    ]
}

/// "Handshake messages MUST NOT span key changes. Implementations MUST verify that all messages
/// immediately preceding a key change align with a record boundary; if not, then they MUST
/// terminate the connection with an "unexpected_message" alert."
#[test]
fn messages_that_change_keys_end_their_record() {
    for follower in followers() {
        let mut puppet = Puppet::client_at("WAIT_SH");
        let hello = puppet.server_hello(|_| {});
        refused_to_align!(puppet, hello, follower, "WAIT_SH", "ServerHello");

        let mut puppet = Puppet::client_at("WAIT_FINISHED");
        let finished = puppet.finished();
        refused_to_align!(puppet, finished, follower, "WAIT_FINISHED", "Finished");

        let mut puppet = Puppet::calling(&server());
        let hello = puppet.make_client_hello(|_| {});
        refused_to_align!(puppet, hello, follower, "START", "ClientHello");

        for server in [server(), asking_server(required())] {
            let mut puppet = Puppet::calling_at(&server, "WAIT_FINISHED");
            let finished = puppet.finished();
            refused_to_align!(puppet, finished, follower, "WAIT_FINISHED", "Finished");
        }

        for mut puppet in Puppet::both_connected() {
            refused_to_align!(puppet, key_update(0), follower, "CONNECTED", "KeyUpdate");
        }
        for mut puppet in Puppet::both_connected() {
            refused_to_align!(puppet, key_update(1), follower, "CONNECTED", "KeyUpdate");
        }
    }
    for mut puppet in Puppet::both_connected() {
        refused_to_align!(
            puppet,
            key_update(0),
            key_update(0),
            "CONNECTED",
            "KeyUpdate"
        );
    }
}

/// A server that asks for its configuration checks before it asks.
#[test]
fn an_undecided_server_checks_too() {
    let mut puppet = Puppet::calling(&server());
    puppet.us = Connection::undecided(now());
    let hello = puppet.make_client_hello(|_| {});
    refused_to_align!(puppet, hello, [1], "START", "ClientHello");
}

/// The message that changes keys may begin in the middle of a record, after others, and may be
/// split, as long as it ends its record.
#[test]
fn messages_may_be_coalesced_and_split() {
    // All of a server's messages except ServerHello are in one record.
    let mut puppet = Puppet::client_at("WAIT_EE");
    let mut messages = Vec::new();
    let add = |puppet: &mut Puppet, messages: &mut Vec<u8>, message: Vec<u8>| {
        puppet.transcript.extend_from_slice(&message);
        messages.extend_from_slice(&message);
    };
    add(&mut puppet, &mut messages, encrypted_extensions(&[]));
    add(&mut puppet, &mut messages, certificate_request());
    let certificate = puppet.certificate();
    add(&mut puppet, &mut messages, certificate);
    let verify = puppet.certificate_verify();
    add(&mut puppet, &mut messages, verify);
    let finished = puppet.finished();
    add(&mut puppet, &mut messages, finished);
    let record = puppet.protect(HANDSHAKE, &messages, 0);
    puppet.feed(&record).unwrap();
    puppet.derive_application_secrets();
    puppet.install_application_keys(Side::Server);
    puppet.hear_client_flight();
    assert_eq!(puppet.state(), "CONNECTED");

    // Every message is split into records of this many bytes, in both roles.
    for size in [1, 2, 3, 4, 5, 7, 31, 100] {
        let mut puppet = Puppet::client_at("WAIT_SH");
        let hello = puppet.server_hello(|_| {});
        in_pieces(&mut puppet, &hello, size);
        puppet.install_handshake_keys();
        in_pieces(&mut puppet, &encrypted_extensions(&[]), size);
        let certificate = puppet.certificate();
        in_pieces(&mut puppet, &certificate, size);
        let verify = puppet.certificate_verify();
        in_pieces(&mut puppet, &verify, size);
        let finished = puppet.finished();
        in_pieces(&mut puppet, &finished, size);
        puppet.derive_application_secrets();
        puppet.install_application_keys(Side::Server);
        puppet.hear_client_flight();
        in_pieces(&mut puppet, &key_update(0), size);
        puppet.write.as_mut().unwrap().update();
        puppet.send(b"data").unwrap();
        assert_eq!(puppet.delivered, b"data");

        let mut puppet = Puppet::calling(&asking_server(required()));
        let hello = puppet.make_client_hello(|_| {});
        in_pieces(&mut puppet, &hello, size);
        puppet.hear_flight();
        let certificate = puppet.certificate();
        in_pieces(&mut puppet, &certificate, size);
        let verify = puppet.certificate_verify();
        in_pieces(&mut puppet, &verify, size);
        let finished = puppet.finished();
        in_pieces(&mut puppet, &finished, size);
        assert_eq!(puppet.state(), "CONNECTED");
    }
}

/// Sends a message in handshake records of this many bytes.
fn in_pieces(puppet: &mut Puppet, message: &[u8], size: usize) {
    puppet.transcript.extend_from_slice(message);
    for piece in message.chunks(size) {
        let record = puppet.record(HANDSHAKE, piece);
        puppet.feed(&record).unwrap();
    }
}

/// "if a handshake message is split over two or more records, there MUST NOT be any other records
/// between them": alerts, data, and ChangeCipherSpec in the clear.
#[test]
fn nothing_comes_between_the_parts_of_a_message() {
    let interleaved = |puppet: &mut Puppet, message: &[u8], content_type: u8, content: &[u8]| {
        let state = puppet.state();
        let part = puppet.record(HANDSHAKE, &message[..4]);
        puppet.feed(&part).unwrap();
        assert_eq!(puppet.state(), state);
        let record = if content_type == CHANGE_CIPHER_SPEC {
            plain(content_type, content)
        } else {
            puppet.record(content_type, content)
        };
        refused!(
            puppet,
            record,
            state,
            10,
            Fault::Interleaved { got: ContentType(got) } if got == content_type
        );
    };
    for (content_type, content) in [
        (ALERT, &[1, 0][..]),
        (ALERT, &[2, 40]),
        (CHANGE_CIPHER_SPEC, &[1]),
    ] {
        let mut puppet = Puppet::serving(&client());
        let hello = puppet.server_hello(|_| {});
        interleaved(&mut puppet, &hello, content_type, content);
        let mut puppet = Puppet::calling(&server());
        let hello = puppet.make_client_hello(|_| {});
        interleaved(&mut puppet, &hello, content_type, content);
        let [mut puppet, mut other] = Puppet::both_in_handshake();
        interleaved(
            &mut puppet,
            &encrypted_extensions(&[]),
            content_type,
            content,
        );
        let finished = other.finished();
        interleaved(&mut other, &finished, content_type, content);
    }
    for (content_type, content) in [
        (ALERT, &[1, 0][..]),
        (ALERT, &[1, 90]),
        (APPLICATION_DATA, b"data"),
        (APPLICATION_DATA, b""),
    ] {
        for mut puppet in Puppet::both_connected() {
            interleaved(&mut puppet, &key_update(0), content_type, content);
            assert!(puppet.delivered.is_empty());
        }
    }
}

/// A transport that ends inside a message was cut.
#[test]
fn a_message_that_does_not_end() {
    for mut puppet in Puppet::both_connected() {
        let record = puppet.record(HANDSHAKE, &key_update(0)[..3]);
        puppet.feed(&record).unwrap();
        puppet.us.received_end();
        let error = puppet.feed(&[]).unwrap_err();
        assert!(matches!(error, crate::error::Error::Truncated));
        puppet.has_failed(&error, None);
    }
}
