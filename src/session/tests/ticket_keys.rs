//! Keys that are added and removed.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Barrier;
use std::thread;

use super::*;
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::hkdf::Prk;
use crate::crypto::random::SystemRandom;
use crate::error::{ConfigError, Error, Fault};
use crate::secret::recorder;
use crate::session::tickets::ticket_keys::SealedTicket;
use crate::session::{TicketKey, TicketKeys};
use crate::testing::broken::{Broken, Zeros};

pub(super) fn key(
    secret: u8,
    encrypt_from: Duration,
    encrypt_until: Duration,
    decrypt_until: Duration,
) -> TicketKey {
    TicketKey::new([secret; 32], encrypt_from, encrypt_until, decrypt_until).unwrap()
}

fn seal(keys: &TicketKeys, now: Duration) -> Option<SealedTicket> {
    keys.seal(
        &content(&Session {
            since: now,
            ..plain()
        }),
        &BINDING,
        2 * HOUR,
        at(now),
        &mut SystemRandom,
    )
    .unwrap()
}

fn opens(keys: &TicketKeys, ticket: &SealedTicket, now: Duration) -> bool {
    keys.open(&ticket.ticket, &BINDING, MAX_LIFETIME, &no_psks(), at(now))
        .is_some()
}

/// Returns how many keys a ring holds.
fn held(keys: &TicketKeys) -> usize {
    format!("{keys:?}").matches("TicketKey {").count()
}

#[test]
fn keys_never_default() {
    // GnuTLS CVE-2020-13777: until the first rotation tickets were sealed under zeros, so anybody
    // could open and make them.
    let empty = TicketKeys::empty();
    assert!(seal(&empty, NOW).is_none());
    // One key must not seal yet, and one must not seal any more.
    empty.install(key(1, NOW + SECOND, NOW + HOUR, NOW + 2 * HOUR));
    empty.install(key(2, NOW - HOUR, NOW, NOW + 2 * HOUR));
    assert!(seal(&empty, NOW).is_none());
    assert!(seal(&empty, NOW + SECOND).is_some());

    // A key of zeros cannot be made, neither by the application nor by a generator that does
    // nothing.
    for len in [32, 48, 100] {
        let refused = TicketKey::new(vec![0; len], NOW, NOW + HOUR, NOW + HOUR);
        assert!(matches!(
            refused,
            Err(Error::Config(ConfigError::Setting {
                name: "TicketKey",
                ..
            }))
        ));
    }
    let rotating = TicketKeys::rotating();
    assert!(matches!(
        rotating.seal(&content(&plain()), &BINDING, HOUR, at(NOW), &mut Zeros),
        Err(Fault::Random)
    ));
    assert!(matches!(
        rotating.seal(&content(&plain()), &BINDING, HOUR, at(NOW), &mut Broken),
        Err(Fault::Random)
    ));
    assert_eq!(held(&rotating), 0);

    // A fresh ring opens no foreign tickets, and each ring makes its own keys.
    let ticket = seal(&rotating, NOW).unwrap();
    let other = TicketKeys::rotating();
    assert!(!opens(&other, &ticket, NOW));
    let theirs = seal(&other, NOW).unwrap();
    assert!(ticket.ticket[..16] != theirs.ticket[..16]);
    assert!(!opens(&other, &ticket, NOW) && !opens(&rotating, &theirs, NOW));
}

#[test]
fn a_generator_that_fails_makes_no_ticket() {
    let keys = TicketKeys::empty();
    keys.install(key(1, NOW, NOW + HOUR, NOW + HOUR));
    assert!(matches!(
        keys.seal(&content(&plain()), &BINDING, HOUR, at(NOW), &mut Broken),
        Err(Fault::Random)
    ));
}

#[test]
fn a_keys_times_are_exact() {
    let (from, until, gone) = (NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * HOUR);
    let keys = TicketKeys::empty();
    keys.install(key(1, from, until, gone));
    assert!(seal(&keys, from - MILLI).is_none());
    assert_eq!(seal(&keys, from).unwrap().lifetime, 2 * HOUR);
    let last = seal(&keys, until - MILLI).unwrap();
    assert!(seal(&keys, until).is_none());
    // No ticket outlives its key.
    assert_eq!(last.lifetime, HOUR);
    assert!(opens(&keys, &last, gone - 2 * MILLI));
    // Another process whose clock is ahead may already have sealed with the key.
    assert!(opens(&keys, &seal(&keys, from).unwrap(), from - SECOND));
    assert!(!opens(&keys, &last, gone));
    // A day later the key is removed, whatever the clock shows after that.
    assert!(!opens(&keys, &last, gone + DAY));
    assert_eq!(held(&keys), 0);
    assert!(!opens(&keys, &last, until));

    // Less than a second before the end no ticket is issued.
    keys.install(key(1, from, gone, gone));
    assert_eq!(seal(&keys, gone - SECOND).unwrap().lifetime, SECOND);
    assert!(seal(&keys, gone - SECOND + MILLI).is_none());
}

#[test]
fn who_shares_a_key_shares_tickets() {
    let [here, there] = [TicketKeys::empty(), TicketKeys::rotating()];
    here.install(key(1, NOW, NOW + HOUR, NOW + 3 * HOUR));
    there.install(key(1, NOW, NOW + HOUR, NOW + 3 * HOUR));
    let tickets = [seal(&here, NOW).unwrap(), seal(&there, NOW).unwrap()];
    assert!(
        tickets
            .iter()
            .all(|ticket| opens(&here, ticket, NOW) && opens(&there, ticket, NOW))
    );
    let other = TicketKeys::empty();
    other.install(key(2, NOW, NOW + HOUR, NOW + 3 * HOUR));
    assert!(tickets.iter().all(|ticket| !opens(&other, ticket, NOW)));
    // A clone is the same ring.
    let clone = other.clone();
    clone.install(key(1, NOW, NOW + HOUR, NOW + 3 * HOUR));
    assert!(tickets.iter().all(|ticket| opens(&other, ticket, NOW)));
}

#[test]
fn the_newest_key_seals_and_the_others_open() {
    let keys = TicketKeys::empty();
    keys.install(key(2, NOW + HOUR, NOW + 3 * HOUR, NOW + 5 * HOUR));
    keys.install(key(1, NOW, NOW + 2 * HOUR, NOW + 4 * HOUR));
    let [first, second] = [
        seal(&keys, NOW + HOUR - MILLI).unwrap(),
        seal(&keys, NOW + HOUR).unwrap(),
    ];
    assert!(first.ticket[..16] != second.ticket[..16]);
    assert!(opens(&keys, &first, NOW + 2 * HOUR) && opens(&keys, &second, NOW + 2 * HOUR));

    // A key that is installed again gets other times, which is how to revoke a key.
    keys.install(key(2, NOW + HOUR, NOW + HOUR + MILLI, NOW + HOUR + MILLI));
    assert_eq!(held(&keys), 2);
    let third = seal(&keys, NOW + HOUR + MILLI).unwrap();
    assert!(third.ticket[..16] == first.ticket[..16]);
    assert!(!opens(&keys, &second, NOW + HOUR + MILLI));
}

#[test]
fn a_clock_that_was_wrong_for_a_while_costs_no_installed_key() {
    let keys = TicketKeys::empty();
    keys.install(key(1, NOW, NOW + HOUR, NOW + 3 * HOUR));
    let ticket = seal(&keys, NOW).unwrap();
    let (wrong, too_wrong) = (NOW + 3 * HOUR + DAY - MILLI, NOW + 3 * HOUR + DAY);
    // Meanwhile the key is not used.
    assert!(
        seal(&keys, wrong).is_none() && !opens(&keys, &ticket, wrong) && !keys.may_seal(at(wrong))
    );
    assert_eq!(held(&keys), 1);
    assert!(opens(&keys, &ticket, NOW) && seal(&keys, NOW).is_some());
    // The next call keeps the key if the clock is right again, and removes it if the clock still
    // shows that the key has expired.
    keys.install(key(2, NOW, NOW + HOUR, NOW + 6 * DAY));
    assert_eq!(held(&keys), 2);
    assert!(!opens(&keys, &ticket, wrong));
    keys.install(key(3, NOW, NOW + HOUR, NOW + 6 * DAY));
    assert_eq!(held(&keys), 2);
    assert!(!opens(&keys, &ticket, NOW));
    // No key is kept for ever.
    keys.install(key(1, NOW, NOW + HOUR, NOW + 3 * HOUR));
    assert!(!opens(&keys, &ticket, too_wrong));
    assert_eq!(held(&keys), 2);
}

#[test]
fn all_keys_can_be_forgotten() {
    let keys = TicketKeys::rotating();
    let own = seal(&keys, NOW).unwrap();
    keys.install(key(1, NOW, NOW + HOUR, NOW + 3 * HOUR));
    let shared = seal(&keys, NOW).unwrap();
    let secret = Prk::extract(HashAlgorithm::Sha256, b"fleeting ticket v1", &[1; 32])
        .secret()
        .expose()
        .to_vec();
    recorder::take();
    keys.clone().clear();
    assert!(recorder::take().contains(&secret));
    assert_eq!(held(&keys), 0);
    assert!(!opens(&keys, &own, NOW) && !opens(&keys, &shared, NOW));
    // The ring continues with a new key, which opens none of the earlier tickets.
    let next = seal(&keys, NOW).unwrap();
    assert!(
        next.ticket[..16] != own.ticket[..16]
            && opens(&keys, &next, NOW)
            && !opens(&keys, &own, NOW)
    );

    let installed = TicketKeys::empty();
    installed.install(key(1, NOW, NOW + HOUR, NOW + 3 * HOUR));
    installed.clear();
    assert!(seal(&installed, NOW).is_none());
    installed.install(key(2, NOW, NOW + HOUR, NOW + 3 * HOUR));
    assert!(seal(&installed, NOW).is_some());
}

#[test]
fn a_ring_says_whether_it_may_seal() {
    let rotating = TicketKeys::rotating();
    assert!(rotating.may_seal(at(NOW)));
    assert_eq!(held(&rotating), 0);
    let keys = TicketKeys::empty();
    assert!(!keys.may_seal(at(NOW)));
    let until = NOW + HOUR;
    keys.install(key(1, NOW, until, until));
    for now in [
        NOW - MILLI,
        NOW,
        until - SECOND,
        until - SECOND + MILLI,
        until - MILLI,
        until,
    ] {
        assert_eq!(
            keys.may_seal(at(now)),
            seal(&keys, now).is_some(),
            "{now:?}"
        );
    }
    assert!(keys.may_seal(at(NOW)) && !keys.may_seal(at(until - MILLI)));

    // An installed key with less than a second left does not block others.
    rotating.install(key(1, NOW, until, until));
    assert!(seal(&rotating, until - MILLI).is_some());
    keys.install(key(2, NOW - HOUR, until, until + HOUR));
    assert!(keys.may_seal(at(until - MILLI)) && seal(&keys, until - MILLI).is_some());
}

#[test]
fn a_ring_rotates_by_itself() {
    let keys = TicketKeys::rotating();
    assert_eq!(held(&keys), 0);
    let mut names = std::collections::BTreeSet::new();
    let mut tickets: Vec<(Duration, SealedTicket)> = Vec::new();
    for minute in 0..24 * 60 {
        let now = NOW + minute * 60 * SECOND;
        let ticket = seal(&keys, now).unwrap();
        assert_eq!(ticket.lifetime, 2 * HOUR);
        names.insert(ticket.ticket[..16].to_vec());
        tickets.push((now, ticket));
        if minute % 30 == 0 {
            for (sealed, ticket) in &tickets {
                assert_eq!(opens(&keys, ticket, now), now <= *sealed + 2 * HOUR);
            }
        }
        assert!(held(&keys) <= 4, "{}", held(&keys));
    }
    // There is a new key each hour.
    assert_eq!(names.len(), 24);
}

#[test]
fn an_installed_key_goes_before_a_rings_own() {
    let keys = TicketKeys::rotating();
    let own = seal(&keys, NOW).unwrap();
    keys.install(key(1, NOW, NOW + HOUR, NOW + 3 * HOUR));
    let shared = seal(&keys, NOW).unwrap();
    assert!(own.ticket[..16] != shared.ticket[..16]);
    assert!(opens(&keys, &own, NOW) && opens(&keys, &shared, NOW));
    assert!(seal(&keys, NOW + HOUR - MILLI).unwrap().ticket[..16] == shared.ticket[..16]);
    let own_again = seal(&keys, NOW + HOUR).unwrap();
    assert!(own_again.ticket[..16] != shared.ticket[..16]);
}

#[test]
fn lifetimes_may_differ_where_servers_do() {
    let keys = TicketKeys::rotating();
    let name = |lifetime, now| {
        let sealed = keys
            .seal(
                &content(&plain()),
                &BINDING,
                lifetime,
                at(now),
                &mut SystemRandom,
            )
            .unwrap()
            .unwrap();
        assert_eq!(sealed.lifetime, lifetime);
        sealed.ticket[..16].to_vec()
    };
    let (short, long) = (name(HOUR, NOW), name(7 * DAY, NOW));
    assert!(short != long);
    assert!(name(HOUR, NOW) == short && name(7 * DAY, NOW) == long && name(SECOND, NOW) == short);
    assert_eq!(held(&keys), 2);
}

#[test]
fn a_clock_that_jumps_makes_no_heap_of_keys() {
    let keys = TicketKeys::rotating();
    // The clock jumps back, further each time: at that moment no key may seal yet, and none has
    // expired.
    for step in 1..1000 {
        let now = NOW - step * HOUR;
        let ticket = seal(&keys, now).unwrap();
        assert!(opens(&keys, &ticket, now));
        assert!(held(&keys) <= 32);
    }
    assert_eq!(held(&keys), 32);
    // The clock jumps forward.
    assert!(seal(&keys, NOW + 30 * DAY).is_some());
    assert_eq!(held(&keys), 1);
    assert!(seal(&keys, Duration::MAX).is_none());
}

#[test]
fn a_key_is_wiped_when_its_time_is_over() {
    let secret_of = |byte| {
        Prk::extract(HashAlgorithm::Sha256, b"fleeting ticket v1", &[byte; 32])
            .secret()
            .expose()
            .to_vec()
    };
    let secrets = [secret_of(1), secret_of(2), secret_of(3)];
    let keys = TicketKeys::empty();
    keys.install(key(1, NOW, NOW + HOUR, NOW + 2 * HOUR));
    keys.install(key(2, NOW, NOW + HOUR, NOW + 3 * HOUR));
    keys.install(key(3, NOW, NOW + 4 * DAY, NOW + 4 * DAY));
    recorder::take();
    let wiped = || {
        let dropped = recorder::take();
        secrets
            .iter()
            .map(|secret| dropped.contains(secret))
            .collect::<Vec<_>>()
    };
    // A day after its end a key is wiped by any call, even one with a ticket that does not open.
    assert!(seal(&keys, NOW + 2 * HOUR - MILLI).is_some());
    assert_eq!(wiped(), [false, false, false]);
    assert!(
        keys.open(
            &[7; 100],
            &BINDING,
            MAX_LIFETIME,
            &no_psks(),
            at(NOW + 2 * HOUR + DAY - MILLI)
        )
        .is_none()
    );
    assert_eq!(wiped(), [false, false, false]);
    assert!(
        keys.open(
            &[7; 100],
            &BINDING,
            MAX_LIFETIME,
            &no_psks(),
            at(NOW + 2 * HOUR + DAY)
        )
        .is_none()
    );
    assert_eq!(wiped(), [true, false, false]);
    assert!(seal(&keys, NOW + 3 * HOUR + DAY).is_some());
    assert_eq!(wiped(), [false, true, false]);
    let clone = keys.clone();
    drop(keys);
    assert_eq!(wiped(), [false, false, false]);
    drop(clone);
    assert_eq!(wiped(), [false, false, true]);
}

#[test]
fn threads_share_a_ring() {
    const THREADS: usize = 8;
    let keys = TicketKeys::rotating();
    let (start, clock) = (Barrier::new(THREADS), AtomicU32::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (keys, start, clock) = (&keys, &start, &clock);
            scope.spawn(move || {
                start.wait();
                for turn in 0..50 {
                    // In total this is a little over an hour: through one rotation, and never so
                    // late that a key expires before its ticket is opened.
                    let now = NOW + clock.fetch_add(10, Ordering::Relaxed) * SECOND;
                    let ticket = seal(keys, now).unwrap();
                    assert!(opens(keys, &ticket, now));
                    if thread == 0 && turn % 10 == 0 {
                        keys.install(key(turn + 1, now, now + 60 * SECOND, now + 30 * HOUR));
                    }
                }
            });
        }
    });
    // The first caller makes the key for all.
    let keys = TicketKeys::rotating();
    let start = Barrier::new(THREADS);
    let name = || {
        start.wait();
        seal(&keys, NOW).unwrap().ticket[..16].to_vec()
    };
    let names: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(name)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(names.iter().all(|name| *name == names[0]));
    assert_eq!(held(&keys), 1);
}

#[test]
fn a_thread_that_panics_spoils_nothing() {
    let keys = TicketKeys::rotating();
    let ticket = seal(&keys, NOW).unwrap();
    keys.poison();
    assert!(opens(&keys, &ticket, NOW));
    assert!(seal(&keys, NOW + DAY).is_some());
    keys.install(key(1, NOW, NOW + DAY, NOW + DAY));
    assert!(held(&keys) > 0);
}
