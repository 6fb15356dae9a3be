//! Signatures that the application makes (RFC 9846, 4.5.2), for a server and for a client: late,
//! wrong, or never.
//!
//! ed25519-dalek makes them here, whatever the crate itself signs with.

use core::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha512};

use crate::client::Client;
use crate::code_point::AlertDescription;
use crate::connection::Status;
use crate::connection::tests::puppet::client::required;
use crate::connection::tests::puppet::server::certificate_request_with;
use crate::connection::tests::puppet::session::known;
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, Puppet, Side, WORLD, extension, message, now,
    plain, server,
};
use crate::crypto::key_exchange::Group;
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::{Error, Fault};
use crate::handshake::{Answer, Question};
use crate::identity::{Identity, PublicKey};
use crate::server::Server;
use crate::session::ReplayVerdict;
use crate::time::Now;

const ASKS: Status = Status::Ask(Question::Signature);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public_key() -> PublicKey {
    key().verifying_key().to_bytes().into()
}

fn our_server() -> Server {
    let chain = WORLD
        .authority
        .certificate()
        .server(["db.internal"])
        .issue_for(public_key())
        .unwrap();
    Server::builder()
        .identity(Identity::asking(chain).unwrap())
        .client_auth(required())
        .build()
        .unwrap()
}

fn our_client() -> Client {
    let chain = WORLD
        .authority
        .certificate()
        .client("me")
        .issue_for(public_key())
        .unwrap();
    Client::builder()
        .trust(WORLD.authority.trust())
        .identity(Identity::asking(chain).unwrap())
        .build()
        .unwrap()
}

impl Puppet {
    /// Returns our server with its question, and everything that it sent has been heard.
    fn server_asks(suite: Suite) -> Self {
        let mut puppet = Self::calling(&our_server());
        puppet.suite = suite;
        puppet.server_is_asked()
    }

    fn server_is_asked(mut self) -> Self {
        let hello = self.make_client_hello(|_| {});
        assert_eq!(self.say(&hello).unwrap(), ASKS);
        self.hear_server_hello();
        // encrypted_extensions(8), certificate_request(13), certificate(11): RFC 9846, 2, figure 1.
        let heard = [0; 3].map(|_| self.hear_message()[0]);
        assert_eq!(heard, [8, 13, 11]);
        self.waits()
    }

    /// Returns our client with its question, and everything that it sent has been heard.
    fn client_asks(suite: Suite) -> Self {
        let mut puppet = Self::serving(&our_client());
        puppet.suite = suite;
        puppet.lead_to("WAIT_CERT");
        puppet.lead_to("WAIT_FINISHED");
        puppet.say_finished();
        puppet.hear_change_cipher_spec();
        assert_eq!(puppet.hear_message()[0], 11);
        puppet.waits()
    }

    /// Returns one of each, with its question.
    fn both_ask() -> [Self; 2] {
        [
            Self::server_asks(Suite::Aes128GcmSha256),
            Self::client_asks(Suite::Aes128GcmSha256),
        ]
    }

    /// Checks that everything before the signature was sent, in whole records, and that the
    /// question remains.
    fn waits(mut self) -> Self {
        assert!(self.heard_all_messages());
        self.hears_nothing();
        assert_eq!(self.feed(&[]).unwrap(), ASKS);
        assert!(
            self.us.is_handshaking()
                && self.us.negotiated().is_none()
                && self.us.next_timeout().is_some()
        );
        self
    }

    /// Returns the side that asks.
    fn asked(&self) -> Side {
        if self.side == Side::Client {
            Side::Server
        } else {
            Side::Client
        }
    }

    /// Returns the state in which it asks: RFC 9846, A.1 and A.2.
    fn asks_in(&self) -> &'static str {
        if self.asked() == Side::Server {
            "NEGOTIATED"
        } else {
            "WAIT_FINISHED"
        }
    }

    fn sign(&self) -> Answer {
        Answer::Signature(key().sign(self.us.to_sign().unwrap()).to_vec())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), Error> {
        self.us.answer(answer, now(), &mut SystemRandom)
    }

    /// Checks what follows the right answer, and that the connection then works.
    fn goes_on(&mut self) {
        let signature = self.sign();
        self.answer(signature).unwrap();
        assert_eq!(self.us.to_sign(), None);
        let signed = self.signed_content(self.asked());
        let flight = if self.asked() == Side::Server {
            self.hear_to_finished()
        } else {
            self.hear_client_flight()
        };
        // certificate_verify(15): `SignatureScheme algorithm; opaque signature<0..2^16-1>;`,
        // ed25519 is 0x0807.
        assert_eq!(
            flight[0],
            message(
                15,
                &[&[8, 7, 0, 64][..], &key().sign(&signed).to_bytes()].concat()
            )
        );
        assert_eq!(
            flight.iter().map(|message| message[0]).collect::<Vec<_>>(),
            [15, 20]
        );
    }

    fn completes(&mut self) {
        self.goes_on();
        if self.asked() == Side::Server {
            self.lead_server_to("CONNECTED");
        }
        self.send(b"data").unwrap();
        assert!(self.delivered.ends_with(b"data"));
        self.us.write(b"answer").unwrap();
        assert_eq!(self.hear_type(APPLICATION_DATA).content, b"answer");
    }
}

// ---- what is to be signed ----

/// RFC 9846, 4.5.2: 64 spaces, the context string, a zero byte, and the transcript's hash. The same
/// holds after a HelloRetryRequest.
#[test]
fn what_is_to_be_signed() {
    for (suite, length) in [
        (Suite::Aes128GcmSha256, 32),
        (Suite::Aes256GcmSha384, 48),
        (Suite::ChaCha20Poly1305Sha256, 32),
    ] {
        let retried = || {
            let mut puppet = Puppet::calling_without_share(&our_server());
            puppet.suite = suite;
            puppet.say_first();
            puppet.share(Group::Secp256r1);
            puppet.server_is_asked()
        };
        let retried_client = || {
            let mut puppet = Puppet::serving(&our_client());
            puppet.suite = suite;
            puppet.ask_for(Group::Secp256r1);
            puppet.lead_to("WAIT_CERT");
            puppet.lead_to("WAIT_FINISHED");
            puppet.say_finished();
            assert_eq!(puppet.hear_message()[0], 11);
            puppet.waits()
        };
        for mut puppet in [
            Puppet::server_asks(suite),
            retried(),
            Puppet::client_asks(suite),
            retried_client(),
        ] {
            let context: &[u8] = match puppet.asked() {
                Side::Server => b"TLS 1.3, server CertificateVerify",
                Side::Client => b"TLS 1.3, client CertificateVerify",
            };
            let asked = puppet.us.to_sign().unwrap();
            assert_eq!(asked.len(), 64 + 33 + 1 + length);
            assert_eq!(
                asked,
                [&[b' '; 64], context, &[0], puppet.digest().as_bytes()].concat()
            );
            assert!(puppet.us.client_hello().is_none() && puppet.us.replay_entry().is_none());
            puppet.completes();
        }
    }
}

/// No signature is needed from a client that is not asked for a certificate or has no suitable one,
/// or for a resumed session.
#[test]
fn what_is_not_asked() {
    let mut puppet = Puppet::serving_at(&our_client(), "CONNECTED");
    assert_eq!(puppet.us.to_sign(), None);
    assert!(matches!(
        puppet.answer(Answer::Signature(vec![0; 64])),
        Err(Error::WrongState {
            call: "answer",
            state: "CONNECTED"
        })
    ));
    puppet.send(b"data").unwrap();

    // RFC 9846, 4.5.1: the server asks for ecdsa_secp256r1_sha256(0x0403), so the answer is an
    // empty Certificate.
    let mut puppet = Puppet::serving_at(&our_client(), "WAIT_CERT_CR");
    puppet
        .say(&certificate_request_with(
            &[],
            &extension(13, &[0, 2, 0x04, 0x03]),
        ))
        .unwrap();
    puppet.lead_to("WAIT_FINISHED");
    puppet.say_finished();
    assert_eq!(puppet.hear_client_flight()[0], message(11, &[0, 0, 0, 0]));
    assert_eq!(puppet.state(), "CONNECTED");

    let client = our_client();
    let psk = known(&client);
    Puppet::resuming_at(&client, &psk, "CONNECTED");

    let server = our_server();
    let mut puppet = Puppet::calling_for_tickets(&server).server_is_asked();
    puppet.goes_on();
    for ticket in puppet.finish_for_tickets() {
        assert!(Puppet::calling_with_ticket(&server, &ticket).is_resumed());
    }
}

// ---- late ----

/// What arrives while it asks is not processed, and is available afterwards, whether right or
/// wrong.
#[test]
fn what_comes_meanwhile_waits() {
    let [mut server, mut client] = Puppet::both_ask();
    // A server may send data before our Finished (RFC 9846, 4.5.3). A client can send no more than
    // this.
    let data = [
        client.protect(APPLICATION_DATA, b"early ", 7),
        client.protect(APPLICATION_DATA, &[9; 16384], 0),
    ]
    .concat();
    for piece in data.chunks(1000) {
        assert_eq!(client.feed(piece).unwrap(), ASKS);
    }
    assert_eq!(server.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap(), ASKS);
    assert!(client.delivered.is_empty());
    for puppet in [&mut server, &mut client] {
        puppet.hears_nothing();
        puppet.completes();
    }
    assert_eq!(
        client.delivered,
        [&b"early "[..], &[9; 16384], b"data"].concat()
    );

    for mut puppet in Puppet::both_ask() {
        // RFC 9846, 5: an unknown record type is answered with unexpected_message(10).
        assert_eq!(puppet.feed(&[99, 3, 3, 0, 1, 0]).unwrap(), ASKS);
        puppet.goes_on();
        let error = puppet.feed(&[]).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Protocol {
                    fault: Fault::UnexpectedRecord { .. },
                    ..
                }
            ),
            "{error}"
        );
        puppet.has_failed(&error, Some(10));
    }
}

/// If the peer left with an alert, that is noticed after the answer. What we would have sent is
/// discarded after its alert.
#[test]
fn the_peer_left_meanwhile() {
    for (level, alert) in [(2, 40), (2, 80), (2, 255), (1, 48)] {
        for mut puppet in Puppet::both_ask() {
            assert_eq!(puppet.alert(level, alert).unwrap(), ASKS);
            puppet.us.received_end();
            let signature = puppet.sign();
            puppet.answer(signature).unwrap();
            let error = puppet.feed(&[]).unwrap_err();
            assert!(
                matches!(error, Error::AlertReceived { alert: received, .. }
                    if received.0 == alert),
                "{error}"
            );
            puppet.has_failed(&error, None);
        }
    }
    // The alert is in the clear, from a client that does not have our keys.
    let mut puppet = Puppet::server_asks(Suite::Aes128GcmSha256);
    assert_eq!(puppet.feed(&plain(ALERT, &[2, 50])).unwrap(), ASKS);
    let signature = puppet.sign();
    puppet.answer(signature).unwrap();
    assert!(matches!(puppet.feed(&[]), Err(Error::AlertReceived { alert, .. }) if alert.0 == 50));

    // The peer left without an alert. In the last case the answer is wrong too, and the connection
    // fails because of that.
    for mut puppet in Puppet::both_ask() {
        puppet.us.received_end();
        assert_eq!(puppet.feed(&[]).unwrap(), ASKS);
        puppet.goes_on();
        let error = puppet.feed(&[]).unwrap_err();
        assert!(matches!(error, Error::Truncated), "{error}");
        puppet.has_failed(&error, None);
    }
    for mut puppet in Puppet::both_ask() {
        puppet.alert(2, 40).unwrap();
        puppet.us.received_end();
        let error = puppet.answer(Answer::Signature(Vec::new())).unwrap_err();
        assert!(matches!(error, Error::Signer(_)), "{error}");
        puppet.has_failed(&error, Some(80));
    }
}

/// RFC 9846, 6.1: a close_notify in the handshake ends it. For a client that has sent everything,
/// it ends the server's data.
#[test]
fn the_peer_closed_meanwhile() {
    let [mut server, mut client] = Puppet::both_ask();
    assert_eq!(server.alert(1, 0).unwrap(), ASKS);
    let signature = server.sign();
    server.answer(signature).unwrap();
    let error = server.feed(&[]).unwrap_err();
    assert!(
        matches!(
            error,
            Error::AlertReceived {
                alert: AlertDescription::CLOSE_NOTIFY,
                ..
            }
        ),
        "{error}"
    );
    server.has_failed(&error, None);

    client.send(b"all").unwrap();
    assert_eq!(client.alert(1, 0).unwrap(), ASKS);
    client.goes_on();
    assert_eq!(client.feed(&[]).unwrap(), Status::Closed);
    assert_eq!(client.delivered, b"all");
    client.us.write(b"still").unwrap();
    assert_eq!(client.hear_type(APPLICATION_DATA).content, b"still");
}

/// RFC 9846, 6.1: user_canceled(90), and the close_notify(0) that MUST follow it. They are sent
/// whether `process` is late or the answer.
#[test]
fn never_is_too_late() {
    for by_answer in [false, true] {
        for mut puppet in Puppet::both_ask() {
            let late = Now {
                monotonic: puppet.us.next_timeout().unwrap(),
                ..now()
            };
            let just = Now {
                monotonic: late.monotonic - Duration::from_nanos(1),
                ..late
            };
            assert_eq!(puppet.us.process(just, &mut SystemRandom).unwrap(), ASKS);
            let signature = puppet.sign();
            let error = match by_answer {
                true => puppet
                    .us
                    .answer(signature, late, &mut SystemRandom)
                    .unwrap_err(),
                false => puppet.us.process(late, &mut SystemRandom).unwrap_err(),
            };
            assert!(matches!(error, Error::HandshakeTimeout), "{error}");
            gave_up(&mut puppet, &error);
        }
    }
}

/// Checks that the connection sent user_canceled and close_notify under the current keys, and
/// nothing else.
fn gave_up(puppet: &mut Puppet, error: &Error) {
    for alert in [90, 0] {
        let record = puppet.hear().expect("an alert");
        assert_eq!(
            (record.outer, record.content_type, record.content),
            (APPLICATION_DATA, ALERT, vec![1, alert])
        );
    }
    puppet.has_failed(error, None);
}

#[test]
fn who_closes_gives_up() {
    for mut puppet in Puppet::both_ask() {
        let signature = puppet.sign();
        puppet.us.close();
        gave_up(&mut puppet, &Error::Closed);
        assert!(matches!(puppet.answer(signature), Err(Error::Closed)));
        assert!(matches!(
            puppet.us.refuse(AlertDescription::INTERNAL_ERROR),
            Err(Error::Closed)
        ));
        assert_eq!(puppet.us.to_sign(), None);
    }
}

// ---- wrong ----

/// Anything but our signature over the content to be signed is refused. RFC 9846, 6.2:
/// internal_error(80), "unrelated to the peer". None of it is sent.
#[test]
fn a_wrong_signature() {
    type Make = fn(&[u8]) -> Vec<u8>;
    fn good(content: &[u8]) -> Vec<u8> {
        key().sign(content).to_vec()
    }
    fn with_bit(content: &[u8], at: usize) -> Vec<u8> {
        let mut signature = good(content);
        signature[at / 8] ^= 1 << (at % 8);
        signature
    }
    fn of_the_other_side(content: &[u8]) -> Vec<u8> {
        let other: &[u8] = if content[73..].starts_with(b"server") {
            b"client"
        } else {
            b"server"
        };
        [&content[..73], other, &content[79..]].concat()
    }
    let all: [(Make, &str); 12] = [
        (|_| Vec::new(), "0 bytes"),
        (|content| good(content)[..63].to_vec(), "63 bytes"),
        (|content| [&good(content)[..], &[0]].concat(), "65 bytes"),
        (|content| good(content).repeat(2000), "128000 bytes"),
        (|_| vec![0; 64], "another key"),
        (|_| vec![0xff; 64], "another key"),
        (|content| with_bit(content, 0), "another key"),
        (|content| with_bit(content, 511), "another key"),
        (
            |content| SigningKey::from_bytes(&[8; 32]).sign(content).to_vec(),
            "another key",
        ),
        // Signatures over the other side's context, over a message that an agent hashed first, and
        // over an incomplete message.
        (|content| good(&of_the_other_side(content)), "another key"),
        (|content| good(&Sha512::digest(content)), "another key"),
        (|content| good(&content[98..]), "another key"),
    ];
    for (make, reason) in all {
        for mut puppet in Puppet::both_ask() {
            let signature = make(puppet.us.to_sign().unwrap());
            let error = puppet.answer(Answer::Signature(signature)).unwrap_err();
            assert!(
                matches!(error, Error::Signer(_)) && error.to_string().contains(reason),
                "{error}"
            );
            assert_eq!(error.alert(), Some(AlertDescription(80)));
            puppet.has_failed(&error, Some(80));
            // A better signature afterwards is too late.
            let again = puppet.answer(Answer::Signature(vec![0; 64])).unwrap_err();
            assert_eq!(again.to_string(), error.to_string());
        }
    }
}

/// An answer to another question changes nothing. The right answer is accepted once.
#[test]
fn the_wrong_kind_of_answer() {
    for mut puppet in Puppet::both_ask() {
        let state = puppet.asks_in();
        let asked = puppet.us.to_sign().unwrap().to_vec();
        for verdict in [
            ReplayVerdict::Fresh,
            ReplayVerdict::Seen,
            ReplayVerdict::Unavailable,
        ] {
            let error = puppet.answer(Answer::Replay(verdict)).unwrap_err();
            assert!(
                matches!(error, Error::WrongState { call: "answer", state: at } if at == state),
                "{error}"
            );
        }
        let error = puppet
            .us
            .choose(&server(), now(), &mut SystemRandom)
            .unwrap_err();
        assert!(
            matches!(error, Error::WrongState { call: "choose", state: at } if at == state),
            "{error}"
        );
        for error in [
            puppet.us.write(b"data").unwrap_err(),
            puppet.us.rekey().unwrap_err(),
            puppet
                .us
                .export_keying_material(b"label", b"", 32)
                .err()
                .unwrap(),
        ] {
            assert!(
                matches!(error, Error::WrongState { state: at, .. } if at == state),
                "{error}"
            );
        }
        assert!(!puppet.us.takes_early_data());
        assert_eq!(puppet.us.write_early_data(b"early").unwrap(), 0);
        assert_eq!(puppet.us.to_sign().unwrap(), asked);
        let mut puppet = puppet.waits();

        let signature = puppet.sign();
        puppet.goes_on();
        let error = puppet.answer(signature).unwrap_err();
        assert!(
            matches!(error, Error::WrongState { call: "answer", .. }),
            "{error}"
        );
        let error = puppet
            .us
            .refuse(AlertDescription::INTERNAL_ERROR)
            .unwrap_err();
        assert!(
            matches!(error, Error::WrongState { call: "refuse", .. }),
            "{error}"
        );
        if puppet.asked() == Side::Server {
            puppet.lead_server_to("CONNECTED");
        }
        puppet.send(b"data").unwrap();
    }
}

/// The application may be unable to sign, and chooses the alert.
#[test]
fn no_signature() {
    for alert in [80, 49, 112, 200] {
        for mut puppet in Puppet::both_ask() {
            let signature = puppet.sign();
            puppet.us.refuse(AlertDescription(alert)).unwrap();
            let error = puppet.feed(&[]).unwrap_err();
            assert!(
                matches!(error, Error::Refused(told) if told.0 == alert),
                "{error}"
            );
            puppet.has_failed(&error, Some(alert));
            assert!(matches!(
                puppet.us.refuse(AlertDescription(1)),
                Err(Error::Refused(told)) if told.0 == alert
            ));
            assert!(
                matches!(puppet.answer(signature), Err(Error::Refused(told)) if told.0 == alert)
            );
        }
    }
    // Without a question nothing is refused.
    for mut puppet in Puppet::both_in_handshake() {
        let state = puppet.state();
        let error = puppet
            .us
            .refuse(AlertDescription::INTERNAL_ERROR)
            .unwrap_err();
        assert!(
            matches!(error, Error::WrongState { call: "refuse", state: at } if at == state),
            "{error}"
        );
        puppet.hears_nothing();
    }
}
