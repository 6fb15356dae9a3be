//! Until when a session is valid.

use super::*;

#[test]
fn a_session_ends_with_its_peers_certificate() {
    // RFC 9846, 4.7.1; RFC 5280, 4.1.2.5: the last second is included in a certificate's validity.
    let expires = Duration::from_secs((NOW + DAY).as_secs());
    let session = session(Suite::Aes128GcmSha256, Some(peer_until(expires)));
    assert!(session.is_current(at(expires + SECOND - MILLI)));
    assert!(!session.is_current(at(expires + SECOND)));
    assert_eq!(session.peer_expires_in(at(NOW)), Some(expires - NOW));
    assert_eq!(
        session.peer_expires_in(at(expires + DAY)),
        Some(Duration::ZERO)
    );
    assert_eq!(plain().peer_expires_in(at(NOW)), None);
}

#[test]
fn a_session_from_the_future_is_none() {
    // The clock was set back. The clocks of two machines may differ by a minute.
    let session = plain();
    assert!(session.is_current(at(session.since - 60 * SECOND)));
    assert!(!session.is_current(at(session.since - 60 * SECOND - MILLI)));
}
