//! Early data that our client offers and the server rejects (RFC 9846, 4.3.10), or accepts when it
//! must not; and how a connection with early data fails.

use core::mem;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;

use crate::client::Client;
use crate::connection::Status;
use crate::connection::tests::puppet::early_server::{
    alpn, builder, early_client, known_early, ticket_for, visited,
};
use crate::connection::tests::puppet::retry::{cookie, selected_group};
use crate::connection::tests::puppet::server::encrypted_extensions;
use crate::connection::tests::puppet::session::known;
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Puppet, extension, message, now, plain,
    refused,
};
use crate::crypto::key_exchange::Group;
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::{DecodeProblem, Error, Fault, Illegal};
use crate::handshake::EarlyData;
use crate::message::ServerHelloExtension;
use crate::secret::Secret;
use crate::session::{ExternalPsk, PskNames, SessionCache};
use crate::time::Now;

/// How a server rejects early data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// EncryptedExtensions has no early_data.
    Silence,
    /// No PSK is selected: a full handshake.
    NoPsk,
    /// The selected PSK is not the first.
    OtherPsk,
    /// A HelloRetryRequest, for another share or with a cookie.
    Group,
    Cookie,
    /// No PSK is selected after the retry.
    RetryWithoutPsk,
}

impl Rejection {
    pub(crate) const ALL: [Self; 6] = [
        Self::Silence,
        Self::NoPsk,
        Self::OtherPsk,
        Self::Group,
        Self::Cookie,
        Self::RetryWithoutPsk,
    ];
}

/// The external PSK that may be offered after that of the session.
fn external() -> ExternalPsk {
    ExternalPsk::new(
        "us and them",
        [7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5, 9, 0, 4, 5, 2],
        PskNames {
            own: "us",
            peer: "them",
        },
    )
    .unwrap()
}

/// A client that offers early data to a server that will reject it in this way has sent its hello.
pub(crate) fn offered_to_be_rejected(rejection: Rejection, mode: bool) -> Puppet {
    let cache = SessionCache::new(10);
    let client = || builder().compatibility_mode(mode).sessions(cache.clone());
    // The session is one of a client with the same PSK.
    let client = if rejection == Rejection::OtherPsk {
        client().external_psk(external())
    } else {
        client()
    }
    .build()
    .unwrap();
    let psk = known_early(&client, 1000);
    if rejection == Rejection::OtherPsk {
        Puppet::offered_before(&client, &psk)
    } else {
        Puppet::offered_under(&client, &psk)
    }
}

impl Puppet {
    /// Rejects the early data, after all of it has been heard.
    pub(crate) fn reject(&mut self, rejection: Rejection) {
        self.reject_late(rejection, |_| {});
    }

    /// Rejects the early data. `hear` hears the rest of it after our client was told.
    pub(crate) fn reject_late(&mut self, rejection: Rejection, hear: impl Fn(&mut Self)) {
        let (session, early) = (self.psk.take(), self.read.take());
        match rejection {
            Rejection::Silence => {
                self.psk = session;
                self.say_server_hello();
                let handshake = mem::replace(&mut self.read, early);
                assert!(self.us.takes_early_data());
                self.say(&encrypted_extensions(&[])).unwrap();
                hear(self);
                self.read = handshake;
            }
            Rejection::NoPsk | Rejection::OtherPsk => {
                if rejection == Rejection::NoPsk {
                    self.say_server_hello();
                } else {
                    let hello = self.server_hello(|hello| {
                        hello
                            .extensions
                            .as_mut()
                            .unwrap()
                            .push(ServerHelloExtension::PreSharedKey(1))
                    });
                    self.say(&hello).unwrap();
                    self.psk = Some(Secret::copy_of(external().as_client()[0].key.expose()));
                    self.install_handshake_keys();
                }
                let handshake = mem::replace(&mut self.read, early);
                hear(self);
                self.read = handshake;
            }
            Rejection::Group | Rejection::Cookie | Rejection::RetryWithoutPsk => {
                // The cookie comes without a request for another share (4.2.4).
                let retry = if rejection == Rejection::Cookie {
                    self.retry(&[cookie(b"a cookie")])
                } else {
                    self.group = Group::Secp256r1;
                    self.retry(&[selected_group(0x0017)])
                };
                self.say_retry_alone(&retry);
                self.read = early;
                hear(self);
                // The next messages are in the clear again.
                self.read = None;
                self.hear_second_hello();
                // 4.3.10: "A client MUST NOT include the "early_data" extension in its followup
                // ClientHello."
                assert!(!self.offer().early_data() && self.offer().pre_shared_key().is_some());
                if rejection != Rejection::RetryWithoutPsk {
                    self.psk = session;
                }
                self.say_server_hello();
            }
        }
        assert!(!self.us.takes_early_data() && self.us.early_data_left() == 0);
    }
}

fn early_data_of(puppet: &Puppet) -> EarlyData {
    puppet
        .us
        .negotiated()
        .expect("a complete handshake")
        .early_data()
}

// ---- rejected ----

/// 4.6: "If the server does not send an "early_data" extension in EncryptedExtensions, then the
/// client MUST NOT send an EndOfEarlyData message." And 4.3.10: "A TLS implementation SHOULD NOT
/// automatically resend early data".
#[test]
fn it_is_rejected() {
    for rejection in Rejection::ALL {
        for (mode, early) in [
            (true, &b"GET /"[..]),
            (false, b"GET /"),
            (true, b""),
            (false, b""),
        ] {
            let mut puppet = offered_to_be_rejected(rejection, mode);
            if !early.is_empty() {
                puppet.write_early(early);
            }
            puppet.reject(rejection);
            assert_eq!(puppet.us.write_early_data(b"more").unwrap(), 0);
            assert!(matches!(
                puppet.us.write(b"data"),
                Err(Error::WrongState { call: "write", .. })
            ));
            puppet.lead_to("WAIT_FINISHED");
            puppet.say_finished();
            // E.4: ChangeCipherSpec followed the first hello, and is not repeated.
            let flight = puppet.hear_client_flight();
            assert_eq!(
                flight.iter().map(|message| message[0]).collect::<Vec<_>>(),
                [20],
                "{rejection:?}"
            );
            puppet.hears_nothing();
            assert_eq!(early_data_of(&puppet), EarlyData::Rejected);
            let resumed = matches!(
                rejection,
                Rejection::Silence | Rejection::Group | Rejection::Cookie
            );
            assert_eq!(puppet.us.negotiated().unwrap().resumed(), resumed);
            assert_eq!(
                puppet.us.negotiated().unwrap().external_psk().is_some(),
                rejection == Rejection::OtherPsk
            );

            assert_eq!(puppet.us.write_early_data(b"more").unwrap(), 0);
            puppet.us.write(b"ordinary").unwrap();
            assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"ordinary");
            puppet.hears_nothing();
            puppet.send(b"answer").unwrap();
            assert_eq!(puppet.delivered, b"answer");
        }
    }
}

/// E.4, and 5.1: after early data the second hello is in the clear, in a record of version 0x0303,
/// without a ChangeCipherSpec before it.
#[test]
fn the_second_hello_is_in_the_clear() {
    for mode in [true, false] {
        let mut puppet = offered_to_be_rejected(Rejection::Group, mode);
        puppet.write_early(b"GET /");
        puppet.read = None;
        let retry = puppet.retry(&[cookie(b"a cookie")]);
        puppet.feed(&plain(HANDSHAKE, &retry)).unwrap();
        let output = puppet.us.output();
        // There is one record of handshake(22), version 0x0303, that begins with client_hello(1),
        // and nothing else.
        assert_eq!((&output[..3], output[5]), (&[22, 3, 3][..], 1));
        assert_eq!(
            usize::from(u16::from_be_bytes([output[3], output[4]])),
            output.len() - 5
        );
    }
}

/// 4.7.1 and F.1: a ticket is used once, whatever happened to its early data.
#[test]
fn the_ticket_is_used_up() {
    for rejection in Rejection::ALL {
        let cache = SessionCache::new(10);
        let builder = builder().sessions(cache.clone());
        let client = if rejection == Rejection::OtherPsk {
            builder.external_psk(external())
        } else {
            builder
        }
        .build()
        .unwrap();
        let psk = known_early(&client, 1000);
        let mut puppet = match rejection {
            Rejection::OtherPsk => Puppet::offered_before(&client, &psk),
            _ => Puppet::offered_under(&client, &psk),
        };
        assert!(cache.is_empty());
        puppet.write_early(b"GET /");
        puppet.reject(rejection);
        puppet.lead_to("CONNECTED");
        assert!(cache.is_empty());
        assert!(!Puppet::serving(&client).offer().early_data());
    }
}

// ---- invalid answers ----

/// 4.3: an answer to an extension that was not sent is refused. After a retry early data is not
/// offered any more.
#[test]
fn an_answer_that_was_not_asked() {
    let off = builder().early_data(false).build().unwrap();
    let unsolicited = |mut puppet: Puppet| {
        puppet.lead_to("WAIT_EE");
        let record = puppet.record(HANDSHAKE, &encrypted_extensions(&extension(42, &[])));
        refused!(
            puppet,
            record,
            "WAIT_EE",
            110,
            Fault::UnsolicitedExtension { message: "EncryptedExtensions", extension }
                if extension.0 == 42
        );
    };
    unsolicited(Puppet::serving(&off));
    unsolicited(Puppet::serving(&early_client()));
    // The session is resumed by a client that does not offer early data, or under a ticket that
    // allows none.
    for client in [off, early_client()] {
        let psk = if client.config.early_data {
            known(&client)
        } else {
            known_early(&client, 1000)
        };
        let mut puppet = Puppet::serving(&client);
        puppet.select(&psk);
        unsolicited(puppet);
    }
    for rejection in [
        Rejection::Group,
        Rejection::Cookie,
        Rejection::RetryWithoutPsk,
    ] {
        let mut puppet = offered_to_be_rejected(rejection, true);
        puppet.write_early(b"GET /");
        puppet.reject(rejection);
        unsolicited(puppet);
    }
}

/// These EncryptedExtensions accept early data, and are refused with illegal_parameter(47) under
/// the handshake key.
#[track_caller]
fn refused_terms(puppet: &mut Puppet, extensions: &[u8], what: &str) {
    let record = puppet.record(
        HANDSHAKE,
        &encrypted_extensions(&[extensions, &extension(42, &[])].concat()),
    );
    refused!(
        puppet,
        record,
        "WAIT_EE",
        47,
        Fault::Illegal(Illegal::EarlyDataTerms { field }) if field == what
    );
}

/// 4.3.11: "If the server supplies an "early_data" extension, the client MUST verify that the
/// server's selected_identity is 0. If any other value is returned, the client MUST abort the
/// handshake with an "illegal_parameter" alert."
#[test]
fn accepted_under_another_psk_or_none() {
    for rejection in [Rejection::OtherPsk, Rejection::NoPsk] {
        for early in [&b"GET /"[..], b""] {
            let mut puppet = offered_to_be_rejected(rejection, true);
            if !early.is_empty() {
                puppet.write_early(early);
            }
            puppet.reject(rejection);
            refused_terms(&mut puppet, &[], "the PSK");
        }
    }
}

/// 4.3.10: "it MUST verify that the following values are the same as those associated with the
/// selected PSK: The selected TLS version number; The selected cipher suite; The selected ALPN
/// protocol, if any". We check this too, because the data was sent for those values.
#[test]
fn accepted_on_other_terms() {
    // TLS_CHACHA20_POLY1305_SHA256 has the same hash as the session's TLS_AES_128_GCM_SHA256.
    let mut puppet = Puppet::offered();
    puppet.suite = Suite::ChaCha20Poly1305Sha256;
    puppet.lead_to("WAIT_EE");
    refused_terms(&mut puppet, &[], "the cipher suite");
    // Without accepting early data, the handshake is valid.
    let mut puppet = Puppet::offered();
    puppet.suite = Suite::ChaCha20Poly1305Sha256;
    puppet.lead_to("CONNECTED");
    assert_eq!(early_data_of(&puppet), EarlyData::Rejected);

    // The session's protocol, and the server's answer.
    for (before, now) in [
        (Some(&b"a"[..]), Some(&b"b"[..])),
        (Some(b"a"), None),
        (None, Some(b"a")),
    ] {
        let [before, now] = [before, now].map(|protocol| protocol.map(alpn).unwrap_or_default());
        let client = builder().alpn(["a", "b"]).build().unwrap();
        for accepted in [true, false] {
            let psk = visited(&client, Suite::Aes128GcmSha256, &before, &ticket_for(1000));
            let mut puppet = Puppet::offered_under(&client, &psk);
            puppet.write_early(b"GET /");
            puppet.lead_to("WAIT_EE");
            if accepted {
                refused_terms(&mut puppet, &now, "the ALPN protocol");
            } else {
                puppet.say_parameters(&now);
                puppet.lead_to("CONNECTED");
                assert_eq!(early_data_of(&puppet), EarlyData::Rejected);
            }
        }
    }
}

/// 4.3.10: `struct {} Empty;` in EncryptedExtensions. 4.3: the server's other handshake messages
/// must not contain it.
#[test]
fn an_answer_of_the_wrong_shape_or_place() {
    let mut puppet = Puppet::offered();
    puppet.lead_to("WAIT_EE");
    let record = puppet.record(
        HANDSHAKE,
        &encrypted_extensions(&extension(42, &[0, 0, 0, 1])),
    );
    refused!(
        puppet,
        record,
        "WAIT_EE",
        50,
        Fault::Decode {
            problem: DecodeProblem::TrailingBytes,
            ..
        }
    );
    let mut puppet = Puppet::offered();
    let retry = puppet.retry(&[cookie(b"a cookie"), extension(42, &[])]);
    refused!(
        puppet,
        plain(HANDSHAKE, &retry),
        "WAIT_SH",
        47,
        Fault::MisplacedExtension { extension, .. } if extension.0 == 42
    );
}

/// 4.6: "Servers MUST NOT send this message, and clients receiving it MUST terminate the connection
/// with an "unexpected_message" alert."
#[test]
fn end_of_early_data_from_a_server() {
    for state in ["WAIT_SH", "WAIT_EE", "WAIT_FINISHED", "CONNECTED"] {
        let mut puppet = Puppet::accepted_at(state);
        let record = puppet.record(HANDSHAKE, &message(5, &[]));
        refused!(
            puppet,
            record,
            state,
            10,
            Fault::Unexpected {
                got: "EndOfEarlyData",
                ..
            }
        );
    }
}

// ---- ends ----

/// A.1: "clients may send alerts that derive from post-ServerHello messages in the clear or with
/// the early data keys. If clients need to send such alerts, they SHOULD first rekey to the
/// handshake keys if possible." `has_failed` hears the alert under the early key until ServerHello,
/// then under the handshake key. Early data may or may not be waiting to be sent.
#[test]
fn a_breach_in_each_state() {
    for state in ["WAIT_SH", "WAIT_EE", "WAIT_FINISHED", "CONNECTED"] {
        for waiting in [&b""[..], b"more"] {
            let mut puppet = Puppet::accepted_at(state);
            let taken = puppet.us.write_early_data(waiting).unwrap();
            let error = puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[2])).unwrap_err();
            assert_eq!(error.alert().unwrap().0, 10);
            if taken > 0 {
                puppet.hear_early(b"more");
            }
            puppet.has_failed(&error, Some(10));
            assert_eq!(
                puppet.us.write_early_data(b"x").unwrap_err().to_string(),
                error.to_string()
            );
            assert!(!puppet.us.takes_early_data() && puppet.us.early_data_left() == 0);
        }
    }
    // After a HelloRetryRequest there are no keys.
    let mut puppet = Puppet::offered();
    puppet.write_early(b"GET /");
    puppet.read = None;
    puppet.ask_for(Group::Secp256r1);
    refused!(
        puppet,
        plain(CHANGE_CIPHER_SPEC, &[2]),
        "WAIT_SH",
        10,
        Fault::ChangeCipherSpec
    );
}

/// 6.1: user_canceled, "followed by a close_notify", after `close` and after a timeout of the
/// handshake.
#[test]
fn given_up_in_each_state() {
    for state in ["WAIT_SH", "WAIT_EE", "WAIT_FINISHED"] {
        for late in [false, true] {
            let mut puppet = Puppet::accepted_at(state);
            assert_eq!(puppet.us.write_early_data(b"more").unwrap(), 4);
            let error = if late {
                let deadline = puppet.us.next_timeout().unwrap();
                let before = Now {
                    monotonic: deadline - Duration::from_nanos(1),
                    ..now()
                };
                assert_eq!(
                    puppet.us.process(before, &mut SystemRandom).unwrap(),
                    Status::NeedsInput
                );
                let error = puppet
                    .us
                    .process(
                        Now {
                            monotonic: deadline,
                            ..now()
                        },
                        &mut SystemRandom,
                    )
                    .unwrap_err();
                assert!(matches!(error, Error::HandshakeTimeout));
                error
            } else {
                puppet.us.close();
                Error::Closed
            };
            puppet.hear_early(b"more");
            puppet.end_early_data();
            assert_eq!(puppet.hear_type(ALERT).content, [1, 90]);
            assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);
            puppet.has_failed(&error, None);
            assert_eq!(
                puppet.us.write_early_data(b"x").unwrap_err().to_string(),
                error.to_string()
            );
            assert_eq!(puppet.us.early_data_left(), 0);
        }
    }
}

/// 6.2: after an alert from the server nothing is sent any more, not even waiting output.
#[test]
fn an_alert_of_the_servers() {
    for state in ["WAIT_SH", "WAIT_EE", "WAIT_FINISHED", "CONNECTED"] {
        let mut puppet = Puppet::accepted_at(state);
        puppet.us.write_early_data(b"more").unwrap();
        let error = puppet.alert(2, 40).unwrap_err();
        assert!(matches!(error, Error::AlertReceived { alert, .. } if alert.0 == 40));
        puppet.has_failed(&error, None);
        assert_eq!(puppet.us.early_data_left(), 0);
    }
}

/// A client whose application can change its mind about the server.
fn doubtful() -> (Client, Arc<AtomicBool>) {
    let refuses = Arc::new(AtomicBool::new(false));
    let hook = refuses.clone();
    let client = builder().authorize(move |_| {
        if hook.load(Ordering::SeqCst) {
            Err("not any more")
        } else {
            Ok(())
        }
    });
    (client.build().unwrap(), refuses)
}

/// The application refuses when the server's Finished is verified. 4.6: a server that accepted
/// early data receives EndOfEarlyData before the alert, which is under the handshake key (A.1). A
/// server that rejected it receives only the alert. access_denied(49).
#[test]
fn refused_by_the_application() {
    for accepted in [true, false] {
        let (client, refuses) = doubtful();
        let mut puppet = Puppet::offered_by(&client);
        refuses.store(true, Ordering::SeqCst);
        puppet.takes_early_data = accepted;
        puppet.write_early(b"GET /");
        puppet.lead_to("WAIT_FINISHED");
        let finished = puppet.finished();
        let record = puppet.record(HANDSHAKE, &finished);
        let error = puppet.feed(&record).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Protocol {
                    fault: Fault::Denied(_),
                    state: "WAIT_FINISHED"
                }
            ),
            "{error}"
        );
        puppet.hear_end_of_early_data();
        puppet.has_failed(&error, Some(49));
        assert!(client.config.sessions.is_empty());
    }
}

/// Section 6: implementations "MUST forget the secret values and keys established in failed
/// connections". This includes their tickets.
#[test]
fn tickets_of_a_connection_that_failed() {
    for accepted in [true, false] {
        let client = early_client();
        let mut puppet = Puppet::offered_by(&client);
        puppet.takes_early_data = accepted;
        puppet.write_early(b"GET /");
        puppet.lead_to("CONNECTED");
        for number in 1..=2 {
            puppet.say(&ticket_for(1000)).unwrap();
            assert_eq!(client.config.sessions.len(), number);
        }
        refused!(
            puppet,
            plain(CHANGE_CIPHER_SPEC, &[1]),
            "CONNECTED",
            10,
            Fault::ChangeCipherSpec
        );
        assert!(client.config.sessions.is_empty());
        assert!(Puppet::serving(&client).offered_ticket().is_none());
    }
    // The session with which a handshake began is not returned to the cache either.
    for state in ["WAIT_SH", "WAIT_EE", "WAIT_FINISHED"] {
        let client = early_client();
        let mut puppet = Puppet::offered_by(&client);
        puppet.takes_early_data = true;
        puppet.lead_to(state);
        refused!(
            puppet,
            plain(CHANGE_CIPHER_SPEC, &[2]),
            state,
            10,
            Fault::ChangeCipherSpec
        );
        assert!(client.config.sessions.is_empty());
    }
}
