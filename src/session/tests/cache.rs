//! What a client remembers, and for which connections.

use proptest::prelude::*;

use super::*;
use crate::secret::recorder;
use crate::session::session::MAX_TICKET_LEN;
use crate::session::{ClientSession, PER_SERVER, SessionCache, SessionKey, StoredSessions};

/// Another connection that uses the cache.
fn connection(cache: &SessionCache, key: SessionKey) -> StoredSessions {
    StoredSessions::new(cache, key)
}

/// A session with this number as its ticket.
fn numbered(number: u16) -> ClientSession {
    ClientSession {
        session: plain(),
        ticket: number.to_be_bytes().to_vec().into(),
        age_add: 0,
        lifetime: 2 * HOUR,
        received: NOW,
        early: None,
    }
}

fn number(session: &ClientSession) -> u16 {
    u16::from_be_bytes(session.ticket.as_slice().try_into().unwrap())
}

fn put(cache: &SessionCache, key: SessionKey, number: u16) {
    connection(cache, key).put(numbered(number), at(NOW));
    cache.assert_in_order();
}

fn take(cache: &SessionCache, key: SessionKey) -> Option<u16> {
    let taken = connection(cache, key)
        .take(at(NOW))
        .map(|session| number(&session));
    cache.assert_in_order();
    taken
}

fn name(name: &str) -> ServerName {
    ServerName::parse(name).unwrap()
}

fn trust() -> Trust {
    Trust::keys([[0x58; 32]])
}

/// The key of a client that connects to this name.
fn key(text: &str) -> SessionKey {
    SessionKey::new(Some(&name(text)), &trust(), None, None)
}

#[test]
fn a_session_is_used_once_and_the_newest_first() {
    // RFC 9846, C.4.
    let cache = SessionCache::default();
    assert!(cache.is_empty() && take(&cache, key("a")).is_none());
    (1..=3).for_each(|number| put(&cache, key("a"), number));
    put(&cache, key("b"), 9);
    assert_eq!(cache.len(), 4);
    assert_eq!(
        [(); 4].map(|()| take(&cache, key("a"))),
        [Some(3), Some(2), Some(1), None]
    );
    assert_eq!(
        (take(&cache, key("b")), take(&cache, key("b"))),
        (Some(9), None)
    );
    assert!(cache.is_empty());
}

#[test]
fn no_server_takes_the_room_of_the_others() {
    let cache = SessionCache::new(100);
    put(&cache, key("b"), 9);
    (1..=10).for_each(|number| put(&cache, key("a"), number));
    assert_eq!(cache.len(), 9);
    assert_eq!(
        [(); 9].map(|()| take(&cache, key("a"))),
        [10, 9, 8, 7, 6, 5, 4, 3, 0].map(|number| (number > 0).then_some(number))
    );
    assert_eq!(take(&cache, key("b")), Some(9));
}

#[test]
fn a_cache_does_not_grow() {
    // OpenSSL CVE-2024-2511: sessions accumulated despite a limit, until the memory was full.
    let keys: Vec<_> = (0..500)
        .map(|number| key(&format!("host-{number}")))
        .collect();
    for capacity in [0, 1, 3, 50] {
        let cache = SessionCache::new(capacity);
        for (number, key) in (0..).zip(
            keys.iter()
                .chain(&keys[..20])
                .flat_map(|key| [key; PER_SERVER + 2]),
        ) {
            put(&cache, *key, number);
            assert!(cache.len() <= capacity);
        }
        assert_eq!(cache.len(), capacity);
        // Sessions of other servers do not add to that.
        for (number, key) in (0..).zip(&keys) {
            put(&cache, *key, number);
            take(&cache, *key);
        }
        assert!(cache.len() <= capacity);
    }
}

#[test]
fn the_server_goes_first_that_has_been_silent_for_the_longest() {
    let cache = SessionCache::new(4);
    for (text, number) in [("a", 1), ("b", 2), ("a", 3), ("c", 4), ("d", 5)] {
        put(&cache, key(text), number);
    }
    assert_eq!(take(&cache, key("b")), None);
    put(&cache, key("e"), 6);
    put(&cache, key("f"), 7);
    // For one server, the oldest is removed.
    assert_eq!(
        (take(&cache, key("a")), take(&cache, key("c"))),
        (None, Some(4))
    );
    assert_eq!(cache.len(), 3);
}

#[test]
fn a_server_is_found_by_what_was_asked_for_and_not_by_what_it_says() {
    // wolfSSL CVE-2026-94419: entries were found by a value that the peer had sent, so one server
    // could store a session where another's was looked up.
    let cache = SessionCache::default();
    let peer = peer_until(NOW + DAY);
    assert_eq!(peer.names(), ["db.internal", "*.a.example"]);
    let asked = SessionKey::new(Some(&name("other.internal")), &trust(), None, None);
    let mut session = numbered(1);
    // A server chooses its name freely, and sends another server's ticket.
    session.session.whose = Whose::Peer(peer);
    session.ticket = numbered(2).ticket;
    connection(&cache, asked).put(session, at(NOW));
    for says in ["db.internal", "www.example", "example"] {
        assert!(take(&cache, key(says)).is_none());
    }
    assert_eq!(take(&cache, asked), Some(2));
}

#[test]
fn one_clients_trust_does_not_pass_to_another() {
    let authority = Authority::new("one").unwrap();
    let other = Authority::new("other").unwrap();
    let pinned = Identity::generate().unwrap().public_key();
    let me = authority.issue_client("me").unwrap();
    let same_key = Identity::from_key_pem(me.key_pem().unwrap().expose()).unwrap();
    let host = name("db.internal");
    let address = ServerName::parse("10.0.0.7").unwrap();
    let (roots, others) = (authority.trust(), other.trust());
    let both = roots.clone().and(others.clone());
    let (psk, other_secret, other_identity) = (
        external_psk("one", 1),
        external_psk("one", 2),
        external_psk("other", 1),
    );
    let mut keys = Vec::new();
    for trust in [
        &roots,
        &others,
        &both,
        &Trust::keys([pinned]),
        &Trust::key_for("db.internal", pinned),
    ] {
        for name in [None, Some(&host), Some(&name("db.interna")), Some(&address)] {
            for identity in [
                None,
                Some(&me),
                Some(&same_key),
                Some(&authority.issue_client("me").unwrap()),
            ] {
                for psk in [None, Some(&psk), Some(&other_secret), Some(&other_identity)] {
                    keys.push(SessionKey::new(name, trust, identity, psk));
                }
            }
        }
    }
    let count = keys.len();
    assert_eq!(count, 5 * 4 * 4 * 4);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);

    let cache = SessionCache::default();
    let shared = cache.clone();
    put(
        &cache,
        SessionKey::new(Some(&host), &roots, Some(&me), None),
        1,
    );
    assert!(
        take(
            &shared,
            SessionKey::new(Some(&host), &both, Some(&me), None)
        )
        .is_none()
    );
    assert!(take(&shared, SessionKey::new(Some(&host), &roots, None, None)).is_none());
    assert!(
        take(
            &shared,
            SessionKey::new(Some(&host), &roots, Some(&me), Some(&psk))
        )
        .is_none()
    );
    // This is the same trust, built separately.
    let again = Trust::roots_from_pem(authority.certificate_pem()).unwrap();
    put(
        &cache,
        SessionKey::new(Some(&host), &roots, None, Some(&psk)),
        2,
    );
    let me_again = Identity::from_pem(me.chain_pem(), me.key_pem().unwrap().expose()).unwrap();
    assert_eq!(
        take(
            &shared,
            SessionKey::new(Some(&name("DB.internal.")), &again, Some(&me_again), None)
        ),
        Some(1)
    );
    assert_eq!(
        take(
            &shared,
            SessionKey::new(Some(&host), &again, None, Some(&external_psk("one", 1)))
        ),
        Some(2)
    );
}

/// Returns true if this session can be taken at this time, after it was stored on receipt.
fn usable(make: impl Fn() -> ClientSession, now: Duration) -> bool {
    let cache = SessionCache::default();
    let session = make();
    let received = at(session.received);
    connection(&cache, key("a")).put(session, received);
    let taken = connection(&cache, key("a")).take(at(now)).is_some();
    // Either way it is removed.
    assert!(cache.is_empty());
    cache.assert_in_order();
    taken
}

#[test]
fn a_session_expires_with_its_ticket() {
    // RFC 9846, 4.3.11.1: no ticket of an age greater than its ticket_lifetime.
    let make = || numbered(1);
    assert!(usable(make, NOW) && usable(make, NOW + 2 * HOUR));
    assert!(!usable(make, NOW + 2 * HOUR + MILLI));
    assert!(!usable(make, Duration::MAX));
    // RFC 9846, 4.7.1: the value of zero means to discard it at once.
    let make = || ClientSession {
        lifetime: Duration::ZERO,
        ..numbered(1)
    };
    assert!(!usable(make, NOW));
}

#[test]
fn a_session_expires_after_a_week() {
    // RFC 9846, 4.7.1: not for longer than 7 days, regardless of the ticket_lifetime.
    let lifetime = Duration::from_secs(u32::MAX.into());
    let make = || ClientSession {
        lifetime,
        session: Session {
            since: NOW,
            ..plain()
        },
        ..numbered(1)
    };
    assert!(usable(make, NOW + 7 * DAY));
    assert!(!usable(make, NOW + 7 * DAY + MILLI));
    // The time counts from the handshake in which an identity was proven.
    let make = || ClientSession {
        lifetime,
        session: Session {
            since: NOW - DAY,
            ..plain()
        },
        ..numbered(1)
    };
    assert!(usable(make, NOW + 6 * DAY));
    assert!(!usable(make, NOW + 6 * DAY + MILLI));
}

#[test]
fn a_session_expires_with_its_servers_certificate() {
    // RFC 9846, 4.7.1.
    let expires = Duration::from_secs((NOW + HOUR).as_secs());
    let peer = peer_until(expires);
    let make = || ClientSession {
        session: session(Suite::Aes128GcmSha256, Some(peer.clone())),
        ..numbered(1)
    };
    assert!(usable(make, expires));
    assert!(!usable(make, expires + SECOND));
    let make = || ClientSession {
        received: expires + SECOND,
        ..make()
    };
    assert!(!usable(make, expires));
}

#[test]
fn a_session_from_the_future_is_not_used() {
    let make = || numbered(1);
    assert!(usable(make, NOW - 60 * SECOND));
    assert!(!usable(make, NOW - 60 * SECOND - MILLI));
    assert!(!usable(make, Duration::ZERO));
}

#[test]
fn what_has_expired_gives_way_to_what_has_not() {
    let cache = SessionCache::default();
    let short = |number| ClientSession {
        lifetime: SECOND,
        ..numbered(number)
    };
    put(&cache, key("a"), 1);
    connection(&cache, key("a")).put(short(2), at(NOW));
    connection(&cache, key("a")).put(short(3), at(NOW));
    connection(&cache, key("b")).put(short(4), at(NOW));
    assert_eq!(cache.len(), 4);
    let later = at(NOW + HOUR);
    assert_eq!(
        connection(&cache, key("a"))
            .take(later)
            .map(|session| number(&session)),
        Some(1)
    );
    cache.assert_in_order();
    // The session for b was removed although nobody requested it.
    assert!(cache.is_empty());
}

#[test]
fn what_nobody_asks_for_any_more_goes_too() {
    let short = |number| ClientSession {
        lifetime: SECOND,
        ..numbered(number)
    };
    let later = at(NOW + HOUR);
    let putting = |cache: &SessionCache| {
        connection(cache, key("new")).put(
            ClientSession {
                received: later.unix,
                ..numbered(1)
            },
            later,
        )
    };
    let asking =
        |cache: &SessionCache| assert!(connection(cache, key("unknown")).take(later).is_none());
    for (call, grows) in [(&putting as &dyn Fn(&SessionCache), 1), (&asking, 0)] {
        let cache = SessionCache::default();
        // Valid sessions come first, and between the expired ones.
        for number in 0..20 {
            put(&cache, key(&format!("good-{number}")), number);
            connection(&cache, key(&format!("short-{number}"))).put(short(number), at(NOW));
        }
        assert_eq!(cache.len(), 40);
        let psk = plain().psk.expose().to_vec();
        recorder::take();
        call(&cache);
        cache.assert_in_order();
        // Each call removes only a few.
        assert_eq!(cache.len(), 38 + grows);
        assert_eq!(
            recorder::take()
                .iter()
                .filter(|dropped| **dropped == psk)
                .count(),
            2
        );
        (0..12).for_each(|_| call(&cache));
        cache.assert_in_order();
        assert_eq!(cache.len(), 20 + if grows > 0 { PER_SERVER } else { 0 });
        assert!((0..20).all(|number| take(&cache, key(&format!("good-{number}"))) == Some(number)));
    }
}

#[test]
fn what_a_failed_connection_left_is_forgotten() {
    // RFC 9846, section 6: the PSKs of tickets from a failed connection SHOULD be discarded if
    // possible.
    let cache = SessionCache::default();
    let (failed, fine, elsewhere) = (
        connection(&cache, key("a")),
        connection(&cache, key("a")),
        connection(&cache, key("b")),
    );
    for (number, from) in [(1, &failed), (2, &fine), (3, &failed), (4, &elsewhere)] {
        from.put(numbered(number), at(NOW));
    }
    failed.clone().forget();
    cache.assert_in_order();
    assert_eq!(cache.len(), 2);
    // Other connections lose nothing, and a second call does nothing.
    failed.forget();
    assert_eq!(
        (
            take(&cache, key("a")),
            take(&cache, key("a")),
            take(&cache, key("b"))
        ),
        (Some(2), None, Some(4))
    );
}

#[test]
fn after_clear_all_connections_begin_anew() {
    let cache = SessionCache::new(10);
    let before = connection(&cache, key("a"));
    before.put(numbered(1), at(NOW));
    cache.clone().clear();
    assert!(cache.is_empty());
    // This connection began before, and may be resumed from a session before.
    before.put(numbered(2), at(NOW));
    assert!(cache.is_empty() && before.take(at(NOW)).is_none());
    let after = connection(&cache, key("a"));
    after.put(numbered(3), at(NOW));
    before.clone().put(numbered(4), at(NOW));
    before.forget();
    assert_eq!((cache.len(), cache.capacity()), (1, 10));
    assert_eq!(take(&cache, key("a")), Some(3));
}

#[test]
fn the_age_of_a_ticket_is_obscured() {
    // RFC 9846, 4.3.11.1: milliseconds, plus ticket_age_add, modulo 2^32.
    let session = |age_add| ClientSession {
        age_add,
        ..numbered(1)
    };
    assert_eq!(session(7).obfuscated_age(at(NOW)), 7);
    assert_eq!(
        session(7).obfuscated_age(at(NOW + Duration::from_micros(1_234_999))),
        1241
    );
    assert_eq!(session(u32::MAX).obfuscated_age(at(NOW + SECOND)), 999);
    assert_eq!(session(0).obfuscated_age(at(NOW + 7 * DAY)), 604_800_000);
    assert_eq!(session(7).obfuscated_age(at(NOW - SECOND)), 7);
}

#[test]
fn a_ticket_that_cannot_be_used_is_not_kept() {
    let cache = SessionCache::default();
    let with = |ticket: Vec<u8>| ClientSession {
        ticket: ticket.into(),
        ..numbered(1)
    };
    connection(&cache, key("a")).put(with(Vec::new()), at(NOW));
    connection(&cache, key("a")).put(with(vec![1; MAX_TICKET_LEN + 1]), at(NOW));
    assert!(cache.is_empty());
    connection(&cache, key("a")).put(with(vec![1; MAX_TICKET_LEN]), at(NOW));
    assert_eq!(cache.len(), 1);
}

#[test]
fn what_goes_is_wiped() {
    let cache = SessionCache::new(2);
    let psk = plain().psk.expose().to_vec();
    let wiped = || {
        recorder::take()
            .iter()
            .filter(|dropped| **dropped == psk)
            .count()
    };
    wiped();
    put(&cache, key("a"), 1);
    put(&cache, key("a"), 2);
    assert_eq!(wiped(), 0);
    put(&cache, key("b"), 3);
    assert_eq!(wiped(), 1);
    cache.clear();
    assert_eq!(wiped(), 2);
    assert!(cache.is_empty());
    // The capacity is the same as before.
    (1..=3).for_each(|number| put(&cache, key("c"), number));
    assert_eq!((cache.len(), wiped()), (2, 1));
    let clone = cache.clone();
    drop(cache);
    assert_eq!(wiped(), 0);
    drop(clone);
    assert_eq!(wiped(), 2);
}

#[test]
fn a_thread_that_panics_spoils_nothing() {
    let cache = SessionCache::default();
    put(&cache, key("a"), 1);
    cache.poison();
    put(&cache, key("a"), 2);
    assert_eq!(
        (take(&cache, key("a")), take(&cache, key("a"))),
        (Some(2), Some(1))
    );
}

#[test]
fn threads_share_a_cache() {
    let cache = SessionCache::new(16);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let cache = &cache;
            scope.spawn(move || {
                for turn in 0..500 {
                    let key = key(["a", "b", "c", "d", "e"][(thread + turn) % 5]);
                    let own = connection(cache, key);
                    own.put(numbered(1), at(NOW));
                    match turn % 3 {
                        0 => drop(own.take(at(NOW))),
                        1 => own.forget(),
                        _ => assert!(cache.len() <= 16),
                    }
                }
            });
        }
    });
    cache.assert_in_order();
}

#[test]
fn shows_how_many_and_nothing_of_them() {
    let cache = SessionCache::new(5);
    put(&cache, key("a"), 1);
    assert_eq!(format!("{cache:?}"), "SessionCache { len: 1, capacity: 5 }");
}

#[derive(Clone, Debug)]
enum Call {
    Put {
        key: usize,
        origin: usize,
        short: bool,
    },
    Take {
        key: usize,
    },
    Forget {
        key: usize,
        origin: usize,
    },
    Wait,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        4 => (0..6usize, 0..3usize, any::<bool>()).prop_map(
            |(key, origin, short)| Call::Put { key, origin, short }
        ),
        2 => (0..6usize).prop_map(|key| Call::Take { key }),
        1 => (0..6usize, 0..3usize).prop_map(|(key, origin)| Call::Forget { key, origin }),
        1 => Just(Call::Wait),
    ];
    prop::collection::vec(call, 0..60)
}

proptest! {
    /// After any calls, the cache is in order, nothing is used twice, and each session taken is the
    /// newest that was stored for that key.
    #[test]
    fn stays_in_order(capacity in 0..12usize, calls in calls()) {
        let cache = SessionCache::new(capacity);
        let keys = ["a", "b", "c", "d", "e", "f"].map(key);
        // There are three connections for each key.
        let connections = keys.map(|key| [(); 3].map(|()| connection(&cache, key)));
        let mut now = NOW;
        // The sessions that may be stored: number, key, origin, expiry.
        let mut model: Vec<(u16, usize, usize, Duration)> = Vec::new();
        for (number_of, call) in (0..).zip(calls) {
            match call {
                Call::Put { key, origin, short } => {
                    let lifetime = if short { 10 * SECOND } else { HOUR };
                    let session = ClientSession {
                        lifetime,
                        received: now,
                        ..numbered(number_of)
                    };
                    connections[key][origin].put(session, at(now));
                    model.push((number_of, key, origin, now + lifetime));
                }
                Call::Take { key } => {
                    let newest = model
                        .iter()
                        .rposition(|(_, of, _, expires)| *of == key && now <= *expires);
                    if let Some(taken) = connections[key][0].take(at(now)) {
                        let newest = newest.expect("a session was stored for this key");
                        prop_assert_eq!(number(&taken), model[newest].0);
                        model.remove(newest);
                    } else {
                        // All sessions of this key were evicted, and none of them returns.
                        model.retain(|(_, of, ..)| *of != key);
                    }
                }
                Call::Forget { key, origin } => {
                    connections[key][origin].forget();
                    model.retain(|(_, of, from, _)| (*of, *from) != (key, origin));
                }
                Call::Wait => now += 7 * SECOND,
            }
            cache.assert_in_order();
            prop_assert!(cache.len() <= model.len());
        }
    }
}
