//! ChangeCipherSpec and the middlebox compatibility mode (RFC 9846, section 5 and E.4), on and off,
//! in both roles.

use crate::client::Client;
use crate::connection::tests::puppet::client::{asking_server, required};
use crate::connection::tests::puppet::early_server::early_client;
use crate::connection::tests::puppet::server::certificate_request;
use crate::connection::tests::puppet::{
    CHANGE_CIPHER_SPEC, HANDSHAKE, Puppet, Side, WORLD, message, plain, refused, server,
};
use crate::crypto::key_exchange::Group;
use crate::error::Fault;

/// Returns the outer types of all records that were sent, in order. Keys are changed as the
/// standard requires.
fn types_heard(puppet: &mut Puppet) -> Vec<u8> {
    let mut types = Vec::new();
    let output = puppet.us.output().to_vec();
    let mut rest = &output[..];
    while let [content_type, _, _, high, low, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([high, low]));
        if content_type == CHANGE_CIPHER_SPEC {
            assert_eq!(rest[..6], [20, 3, 3, 0, 1, 1]);
        }
        types.push(content_type);
        rest = &rest[5 + length..];
    }
    types
}

fn client(compatibility_mode: bool) -> Client {
    Client::builder()
        .trust(WORLD.authority.trust())
        .identity(WORLD.client.clone())
        .compatibility_mode(compatibility_mode)
        .build()
        .unwrap()
}

/// E.4: "If not offering early data, the client sends a dummy change_cipher_spec record immediately
/// before its second flight."
#[test]
fn the_clients_change_cipher_spec() {
    for (mode, with_certificate) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut puppet = Puppet::serving(&client(mode));
        // 4.2.2: "In compatibility mode ..., this field MUST be non-empty ... Otherwise, it MUST be
        // set as a zero-length list".
        assert_eq!(puppet.session_id.len(), if mode { 32 } else { 0 });
        puppet.lead_to("WAIT_CERT_CR");
        if with_certificate {
            puppet.say(&certificate_request()).unwrap();
        }
        puppet.lead_to("WAIT_FINISHED");
        puppet.hears_nothing();
        puppet.say_finished();
        assert_eq!(
            types_heard(&mut puppet),
            if mode { vec![20, 23] } else { vec![23] }
        );
        puppet.hear_client_flight();
        puppet.us.write(b"data").unwrap();
        assert_eq!(types_heard(&mut puppet), [23]);
    }
}

/// E.4: it stands before the client's second flight, and so before a protected alert in its place:
/// a middlebox must not see a protected record first. An alert in the clear needs none.
#[test]
fn it_stands_before_the_first_protected_alert() {
    let refused = |mut puppet: Puppet| {
        let state = puppet.state();
        // A message that comes in no state: HelloRequest of TLS 1.2.
        let record = puppet.record(HANDSHAKE, &message(0, &[]));
        puppet.feed(&record).unwrap_err();
        (state, types_heard(&mut puppet))
    };
    let closed = |mut puppet: Puppet| {
        let state = puppet.state();
        puppet.us.close();
        (state, types_heard(&mut puppet))
    };
    for (mode, first) in [(true, &[20][..]), (false, &[])] {
        let at = |state| Puppet::serving_at(&client(mode), state);
        for state in [
            "WAIT_EE",
            "WAIT_CERT_CR",
            "WAIT_CERT",
            "WAIT_CV",
            "WAIT_FINISHED",
        ] {
            assert_eq!(refused(at(state)), (state, [first, &[23]].concat()));
            // 6.1: user_canceled and close_notify.
            assert_eq!(closed(at(state)), (state, [first, &[23, 23]].concat()));
        }
        assert_eq!(refused(at("WAIT_SH")), ("WAIT_SH", vec![21]));
        assert_eq!(closed(at("WAIT_SH")), ("WAIT_SH", vec![21, 21]));
        assert_eq!(refused(at("CONNECTED")), ("CONNECTED", vec![23]));
    }
    // The server's Finished is right, and the application does not let the server in.
    let denying = Client::builder()
        .trust(WORLD.authority.trust())
        .authorize(|_| Err::<(), _>("no"))
        .build()
        .unwrap();
    let mut puppet = Puppet::serving_at(&denying, "WAIT_FINISHED");
    let finished = puppet.finished();
    puppet.say(&finished).unwrap_err();
    assert_eq!(types_heard(&mut puppet), [20, 23]);
}

/// E.4: not again before an alert, if it went out with the early data or before the second
/// ClientHello. (`hear_offer` and `ask_for` hear it there.)
#[test]
fn it_does_not_go_out_again_with_an_alert() {
    let refused = |mut puppet: Puppet| {
        let record = puppet.record(HANDSHAKE, &message(0, &[]));
        puppet.feed(&record).unwrap_err();
        types_heard(&mut puppet)
    };
    let early = || Puppet::offered_by(&early_client());
    // Under the early key, as there is no other yet.
    assert_eq!(refused(early()), [23]);
    for state in ["WAIT_EE", "WAIT_FINISHED"] {
        let mut puppet = early();
        puppet.lead_to(state);
        assert_eq!(refused(puppet), [23]);
    }
    let retried = || {
        let mut puppet = Puppet::serving(&client(true));
        puppet.ask_for(Group::Secp256r1);
        puppet
    };
    assert_eq!(refused(retried()), [21]);
    for state in ["WAIT_EE", "WAIT_FINISHED"] {
        let mut puppet = retried();
        puppet.lead_to(state);
        assert_eq!(refused(puppet), [23]);
    }
}

/// E.4: "The server sends a dummy change_cipher_spec record immediately after its first handshake
/// message", and "if the client sends a non-empty session ID, the server MUST send the
/// change_cipher_spec".
#[test]
fn the_servers_change_cipher_spec() {
    for (length, expected) in [(32, &[22, 20, 23][..]), (1, &[22, 20, 23]), (0, &[22, 23])] {
        let mut puppet = Puppet::calling(&server());
        puppet.session_id = vec![5; length];
        puppet.say_client_hello();
        assert_eq!(types_heard(&mut puppet), expected);
        puppet.hear_flight();
        puppet.lead_server_to("CONNECTED");
        puppet.us.write(b"data").unwrap();
        assert_eq!(types_heard(&mut puppet), [23]);
    }
}

/// E.4: it precedes the client's second flight, which "may either be before its second ClientHello
/// or before its encrypted handshake flight", and follows the server's first message, "either ... a
/// ServerHello or a HelloRetryRequest". Each side sends it only once.
#[test]
fn it_goes_out_once() {
    let mut puppet = Puppet::serving(&client(true));
    puppet.decide(|sink| sink.change_cipher_spec()).unwrap();
    puppet.hear_type(CHANGE_CIPHER_SPEC);
    puppet.lead_to("WAIT_FINISHED");
    puppet.say_finished();
    assert_eq!(types_heard(&mut puppet), [23]);

    let mut puppet = Puppet::calling(&server());
    puppet.decide(|sink| sink.change_cipher_spec()).unwrap();
    puppet.hear_type(CHANGE_CIPHER_SPEC);
    puppet.say_client_hello();
    assert_eq!(types_heard(&mut puppet), [22, 23]);
}

/// Section 5: "after the first ClientHello message has been sent or received". So it is also
/// dropped between the two hellos of a client that received a HelloRetryRequest.
#[test]
fn it_is_dropped_between_the_hellos() {
    let mut puppet = Puppet::calling(&server());
    // A server sends this with its HelloRetryRequest.
    puppet.decide(|sink| sink.change_cipher_spec()).unwrap();
    puppet.hear_type(CHANGE_CIPHER_SPEC);
    puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
    puppet.say_client_hello();
    assert_eq!(puppet.state(), "WAIT_FINISHED");
    puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
}

/// Section 5: "at any time after the first ClientHello message has been sent or received and before
/// the peer's Finished message has been received and MUST simply drop it". So it may arrive in
/// every state between, with or without compatibility mode.
#[test]
fn it_is_dropped_in_the_handshake() {
    for mode in [true, false] {
        let mut puppet = Puppet::serving(&client(mode));
        for state in [
            "WAIT_SH",
            "WAIT_EE",
            "WAIT_CERT_CR",
            "WAIT_CERT",
            "WAIT_CV",
            "WAIT_FINISHED",
        ] {
            puppet.lead_to(state);
            for _ in 0..5 {
                puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
            }
            assert_eq!(puppet.state(), state);
            puppet.hears_nothing();
        }
        puppet.lead_to("CONNECTED");
    }
    for length in [0, 32] {
        let mut puppet = Puppet::calling(&asking_server(required()));
        puppet.session_id = vec![5; length];
        for state in ["WAIT_CERT", "WAIT_CV", "WAIT_FINISHED"] {
            puppet.lead_server_to(state);
            for _ in 0..10 {
                puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
            }
            assert_eq!(puppet.state(), state);
            puppet.hears_nothing();
        }
        puppet.lead_server_to("CONNECTED");
    }
}

/// Our limit: up to 32 are dropped, wherever they are. The next one is refused with
/// unexpected_message.
#[test]
fn the_thirty_third_is_refused() {
    for (mut puppet, later) in [
        (Puppet::client_at("WAIT_SH"), "WAIT_CV"),
        (Puppet::server_at("WAIT_FINISHED"), "WAIT_FINISHED"),
    ] {
        for _ in 0..16 {
            puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
        }
        if puppet.side == Side::Server {
            puppet.lead_to(later);
        }
        for _ in 16..32 {
            puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
        }
        refused!(
            puppet,
            plain(CHANGE_CIPHER_SPEC, &[1]),
            later,
            10,
            Fault::TooMany { limit: 32, .. }
        );
    }
}

/// Section 5: "before the first ClientHello message or after the peer's Finished message, it MUST
/// be treated as an unexpected record type".
#[test]
fn too_early_and_too_late() {
    let mut puppet = Puppet::server_at("START");
    refused!(
        puppet,
        plain(CHANGE_CIPHER_SPEC, &[1]),
        "START",
        10,
        Fault::ChangeCipherSpec
    );
    for mut puppet in Puppet::both_connected() {
        refused!(
            puppet,
            plain(CHANGE_CIPHER_SPEC, &[1]),
            "CONNECTED",
            10,
            Fault::ChangeCipherSpec
        );
    }
    for mut puppet in Puppet::both_connected() {
        puppet.send(b"data").unwrap();
        refused!(
            puppet,
            plain(CHANGE_CIPHER_SPEC, &[1]),
            "CONNECTED",
            10,
            Fault::ChangeCipherSpec
        );
    }
}

/// Section 5: "An implementation which receives any other change_cipher_spec value ... MUST abort
/// the handshake with an "unexpected_message" alert." (`receive/record_receiver.rs` tests a
/// protected one, `receive/alignment.rs` one inside a message.)
#[test]
fn any_other_value() {
    for content in [&[][..], &[0], &[2], &[255], &[1, 1], &[1, 0], &[1; 100]] {
        for state in ["WAIT_SH", "WAIT_EE", "WAIT_FINISHED", "CONNECTED"] {
            let mut puppet = Puppet::client_at(state);
            refused!(
                puppet,
                plain(CHANGE_CIPHER_SPEC, content),
                state,
                10,
                Fault::ChangeCipherSpec
            );
        }
        for state in ["START", "WAIT_CERT", "WAIT_FINISHED", "CONNECTED"] {
            let mut puppet = Puppet::server_at(state);
            refused!(
                puppet,
                plain(CHANGE_CIPHER_SPEC, content),
                state,
                10,
                Fault::ChangeCipherSpec
            );
        }
    }
    // It is refused by its header alone, if that is enough.
    let mut puppet = Puppet::client_at("WAIT_SH");
    refused!(
        puppet,
        [20, 3, 3, 0x40, 0],
        "WAIT_SH",
        10,
        Fault::ChangeCipherSpec
    );
}

/// It is not a handshake message: it is not in the transcript, and messages that belong together
/// may come before and after it.
#[test]
fn it_stands_between_whole_messages() {
    let mut puppet = Puppet::client_at("WAIT_EE");
    let ee = crate::connection::tests::puppet::server::encrypted_extensions(&[]);
    puppet.transcript.extend_from_slice(&ee);
    let bytes = [
        plain(CHANGE_CIPHER_SPEC, &[1]),
        puppet.record(HANDSHAKE, &ee),
        plain(CHANGE_CIPHER_SPEC, &[1]),
    ]
    .concat();
    puppet.feed(&bytes).unwrap();
    puppet.lead_to("CONNECTED");
}
