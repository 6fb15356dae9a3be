//! Alerts (RFC 9846, section 6), in both roles: the two that close, those that end the connection,
//! and the ways in which an alert must not arrive.

use core::time::Duration;

use crate::code_point::{AlertDescription, ContentType};
use crate::connection::Status;
use crate::connection::tests::puppet::client::{asking_server, required};
use crate::connection::tests::puppet::server::{encrypted_extensions, key_update};
use crate::connection::tests::puppet::{ALERT, APPLICATION_DATA, Puppet, now, plain, refused};
use crate::crypto::random::SystemRandom;
use crate::error::{DecodeProblem, Error, Fault};
use crate::time::Now;

/// Connections in the clear, under handshake keys and under application keys, in both roles.
fn all() -> [Puppet; 6] {
    let ([a, b], [c, d], [e, f]) = (
        Puppet::both_in_the_clear(),
        Puppet::both_in_handshake(),
        Puppet::both_connected(),
    );
    [a, b, c, d, e, f]
}

// ---- error alerts ----

/// "All the alerts listed in Section 6.2 ... MUST be treated as error alerts when received
/// regardless of the AlertLevel in the message. Unknown Alert types MUST be treated as error
/// alerts." None is answered; "MUST NOT allow any further data to be sent or received".
#[test]
fn error_alerts_end_the_connection() {
    let listed = [
        10, 20, 22, 40, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 70, 71, 80, 86, 109, 110, 112, 113,
        115, 116, 117, 120,
    ];
    // no_certificate and no_renegotiation were once warnings. The others are unknown.
    let others = [1, 30, 41, 60, 91, 100, 111, 114, 121, 254, 255];
    for description in listed.into_iter().chain(others) {
        for level in [1, 2, 0, 255] {
            for mut puppet in all() {
                let error = puppet.alert(level, description).unwrap_err();
                assert!(
                    matches!(
                        error,
                        Error::AlertReceived { alert: AlertDescription(got), .. }
                            if got == description
                    ),
                    "{error}"
                );
                puppet.has_failed(&error, None);
            }
        }
    }
}

/// Output that waited for the transport is not sent after an error alert.
#[test]
fn an_error_alert_stops_what_waits() {
    for mut puppet in Puppet::both_connected() {
        puppet.us.write(b"waits").unwrap();
        assert!(!puppet.us.output().is_empty());
        let error = puppet.alert(2, 80).unwrap_err();
        assert!(puppet.us.output().is_empty());
        puppet.has_failed(&error, None);
    }
}

/// Data that arrived before the alert can still be read. The error is returned after it.
#[test]
fn data_before_an_error_alert() {
    for mut puppet in Puppet::both_connected() {
        let bytes = [
            puppet.record(APPLICATION_DATA, b"before"),
            puppet.record(ALERT, &[2, 80]),
            puppet.record(APPLICATION_DATA, b"after"),
        ]
        .concat();
        let error = puppet.feed(&bytes).unwrap_err();
        assert!(matches!(
            error,
            Error::AlertReceived {
                alert: AlertDescription(80),
                ..
            }
        ));
        assert_eq!(puppet.delivered, b"before");
    }
}

// ---- alerts of the wrong form ----

/// 5.1: "a record with an Alert type MUST contain exactly one message". A shorter or longer one
/// does not follow the syntax.
#[test]
fn an_alert_has_two_bytes() {
    for (content, expected) in [
        (&[2][..], DecodeProblem::Truncated),
        (&[1, 0, 1], DecodeProblem::TrailingBytes),
        (&[1, 90, 1, 0], DecodeProblem::TrailingBytes),
        (&[2, 40, 2, 40], DecodeProblem::TrailingBytes),
    ] {
        for mut puppet in all() {
            let (state, record) = (puppet.state(), puppet.record(ALERT, content));
            refused!(
                puppet,
                record,
                state,
                50,
                Fault::Decode { message: "Alert", problem, .. } if problem == expected
            );
        }
    }
}

// ---- alerts in the clear ----

/// A.1: "clients may send alerts that derive from post-ServerHello messages in the clear". This
/// ends once one of their protected records has opened.
#[test]
fn a_client_may_fail_in_the_clear() {
    for state in ["WAIT_CERT", "WAIT_FINISHED"] {
        for description in [0, 40, 48, 255] {
            let mut puppet = Puppet::server_at(state);
            let error = puppet.feed(&plain(ALERT, &[2, description])).unwrap_err();
            assert!(
                matches!(error, Error::AlertReceived { alert: AlertDescription(got), .. }
                    if got == description),
                "{error}"
            );
            puppet.has_failed(&error, None);
        }
    }
    for state in ["WAIT_CV", "WAIT_FINISHED"] {
        let mut puppet = Puppet::calling_at(&asking_server(required()), state);
        refused!(
            puppet,
            plain(ALERT, &[2, 48]),
            state,
            10,
            Fault::UnexpectedRecord {
                got: ContentType(21)
            }
        );
    }
}

/// A server has its handshake keys once it has sent ServerHello, and after the handshake neither
/// side sends anything in the clear. Otherwise a forged close_notify could cut the conversation
/// unnoticed.
#[test]
fn nobody_else_may() {
    for alert in [[1, 0], [1, 90], [2, 40]] {
        for state in [
            "WAIT_EE",
            "WAIT_CERT_CR",
            "WAIT_CERT",
            "WAIT_CV",
            "WAIT_FINISHED",
            "CONNECTED",
        ] {
            let mut puppet = Puppet::client_at(state);
            refused!(
                puppet,
                plain(ALERT, &alert),
                state,
                10,
                Fault::UnexpectedRecord {
                    got: ContentType(21)
                }
            );
        }
        let mut puppet = Puppet::server_at("CONNECTED");
        refused!(
            puppet,
            plain(ALERT, &alert),
            "CONNECTED",
            10,
            Fault::UnexpectedRecord {
                got: ContentType(21)
            }
        );
        // A KeyUpdate brings new keys, but does not allow alerts in the clear again.
        for mut puppet in Puppet::both_connected() {
            puppet.say(&key_update(0)).unwrap();
            puppet.write.as_mut().unwrap().update();
            refused!(
                puppet,
                plain(ALERT, &alert),
                "CONNECTED",
                10,
                Fault::UnexpectedRecord {
                    got: ContentType(21)
                }
            );
        }
    }
}

// ---- close_notify ----

/// 6.1: "Any data received after a closure alert has been received MUST be ignored." The level is
/// ignored too.
#[test]
fn what_follows_a_close_notify_is_ignored() {
    for level in [1, 2, 0] {
        for mut puppet in Puppet::both_connected() {
            let bytes = [
                puppet.record(APPLICATION_DATA, b"before"),
                puppet.record(ALERT, &[level, 0]),
                puppet.record(APPLICATION_DATA, b"after"),
            ];
            assert_eq!(puppet.feed(&bytes.concat()).unwrap(), Status::Closed);
            assert_eq!(puppet.delivered, b"before");
            // This holds for anything: data, an alert, a wrong record, or bytes that are not a
            // record.
            let data = puppet.record(APPLICATION_DATA, b"after");
            let alert = puppet.record(ALERT, &[2, 80]);
            for more in [
                &data[..],
                &alert,
                &plain(APPLICATION_DATA, &[0; 40]),
                &[0xff; 5000],
            ] {
                assert_eq!(puppet.feed(more).unwrap(), Status::Closed);
            }
            puppet.us.received_end();
            assert_eq!(puppet.feed(&[]).unwrap(), Status::Closed);
            assert_eq!(puppet.delivered, b"before");
            assert!(puppet.us.error().is_none());
            puppet.hears_nothing();
        }
    }
}

/// 6.1: "This does not have any effect on its read side": the peer's close_notify does not discard
/// our own writes, and does not cause a close_notify of ours.
#[test]
fn our_side_stays_open_after_the_peers_close_notify() {
    for mut puppet in Puppet::both_connected() {
        puppet.us.write(b"one, ").unwrap();
        assert_eq!(puppet.alert(1, 0).unwrap(), Status::Closed);
        puppet.us.write(b"two").unwrap();
        puppet.us.rekey().unwrap();
        puppet.us.write(b", three").unwrap();
        assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"one, ");
        assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"two");
        assert_eq!(puppet.hear_type(22).content, key_update(1));
        puppet.read.as_mut().unwrap().update();
        assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b", three");
        puppet.us.close();
        assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);
        puppet.hears_nothing();
        assert!(puppet.us.negotiated().is_some());
    }
}

/// 6.1: our close_notify closes only our direction. It "MUST be sent with AlertLevel=warning",
/// once, and nothing follows it.
#[test]
fn our_close_notify() {
    for mut puppet in Puppet::both_connected() {
        puppet.us.close();
        puppet.us.close();
        assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);
        assert!(matches!(puppet.us.write(b"late"), Err(Error::Closed)));
        assert!(matches!(puppet.us.rekey(), Err(Error::Closed)));
        puppet.hears_nothing();
        // Reading continues. A request for new keys cannot be answered any more.
        puppet.send(b"still here").unwrap();
        puppet.say(&key_update(1)).unwrap();
        puppet.write.as_mut().unwrap().update();
        puppet.send(b", and now").unwrap();
        assert_eq!(puppet.delivered, b"still here, and now");
        assert_eq!(puppet.alert(1, 0).unwrap(), Status::Closed);
        puppet.hears_nothing();
    }
    // A violation after it is an error, but the alert cannot be sent.
    for mut puppet in Puppet::both_connected() {
        puppet.us.close();
        puppet.hear_type(ALERT);
        let error = puppet.feed(&plain(APPLICATION_DATA, &[0; 40])).unwrap_err();
        assert!(matches!(
            error,
            Error::Protocol {
                fault: Fault::BadRecordMac,
                ..
            }
        ));
        puppet.has_failed(&error, None);
    }
}

/// 6.1: without a close_notify "the receiver cannot know that all the data that was sent has been
/// received". It is a failure in a handshake too.
#[test]
fn a_transport_that_ends_is_a_truncation() {
    for (index, mut puppet) in all().into_iter().enumerate() {
        puppet.us.received_end();
        let error = puppet.feed(&[]).unwrap_err();
        // The second is a server that has not received a byte.
        match index {
            1 => assert!(matches!(error, Error::NothingReceived), "{error}"),
            _ => assert!(matches!(error, Error::Truncated), "{error}"),
        }
        puppet.has_failed(&error, None);
    }
    for mut puppet in Puppet::both_connected() {
        puppet.send(b"some").unwrap();
        puppet.us.received_end();
        assert!(matches!(puppet.feed(&[]), Err(Error::Truncated)));
        assert_eq!(puppet.delivered, b"some");
    }
}

/// After a close_notify in a handshake, the peer has given up, and there is no end of data to
/// report.
#[test]
fn a_close_notify_in_the_handshake() {
    let ([a, b], [c, d]) = (Puppet::both_in_the_clear(), Puppet::both_in_handshake());
    for mut puppet in [a, b, c, d] {
        let error = puppet.alert(1, 0).unwrap_err();
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
        puppet.has_failed(&error, None);
    }
}

// ---- user_canceled ----

/// 6.1: "Receiving implementations SHOULD continue to read data from the peer until a
/// "close_notify" is received".
#[test]
fn user_canceled_is_ignored_until_close_notify() {
    for level in [1, 2] {
        for mut puppet in Puppet::both_connected() {
            puppet.alert(level, 90).unwrap();
            puppet.send(b"more").unwrap();
            assert_eq!(puppet.delivered, b"more");
            assert_eq!(puppet.alert(1, 0).unwrap(), Status::Closed);
            puppet.hears_nothing();
        }
        let ([a, b], [c, d]) = (Puppet::both_in_the_clear(), Puppet::both_in_handshake());
        for mut puppet in [a, b, c, d] {
            puppet.alert(level, 90).unwrap();
            puppet.hears_nothing();
            let error = puppet.alert(1, 0).unwrap_err();
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
        }
    }
    // The handshake would continue.
    let mut puppet = Puppet::client_at("WAIT_EE");
    puppet.alert(1, 90).unwrap();
    puppet.say(&encrypted_extensions(&[])).unwrap();
    puppet.lead_to("CONNECTED");
}

/// 6.1: user_canceled "MUST be followed by a close_notify". Both are warnings, each in a record of
/// its own (5.1), under the keys of the moment.
#[test]
fn our_user_canceled() {
    let ([a, b], [c, d]) = (Puppet::both_in_the_clear(), Puppet::both_in_handshake());
    for mut puppet in [a, b, c, d] {
        puppet.us.close();
        assert_eq!(puppet.hear_alert().content, [1, 90]);
        assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);
        puppet.has_failed(&Error::Closed, None);
    }
    let ([a, b], [c, d]) = (Puppet::both_in_the_clear(), Puppet::both_in_handshake());
    for mut puppet in [a, b, c, d] {
        let deadline = puppet.us.next_timeout().unwrap();
        let at = |monotonic| Now { monotonic, ..now() };
        let before = deadline - Duration::from_nanos(1);
        assert_eq!(
            puppet.us.process(at(before), &mut SystemRandom).unwrap(),
            Status::NeedsInput
        );
        let error = puppet
            .us
            .process(at(deadline), &mut SystemRandom)
            .unwrap_err();
        assert!(matches!(error, Error::HandshakeTimeout));
        assert_eq!(puppet.hear_alert().content, [1, 90]);
        assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);
        puppet.has_failed(&error, None);
    }
}
