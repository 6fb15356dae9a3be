//! What a memory of revocations forgets, and when.

use core::time::Duration;

use crate::identity::{Identity, PublicKey};
use crate::session::RevokedSessions;
use crate::session::external::{ExternalPsk, PskNames};
use crate::session::session::Whose;
use crate::testing::broken::{Broken, Zeros};
use crate::time::Now;

const HOUR: Duration = Duration::from_secs(3600);

fn at(unix: Duration) -> Now {
    Now {
        monotonic: Duration::ZERO,
        unix: Duration::from_secs(1_800_000_000) + unix,
    }
}

fn psk(identity: u8) -> ExternalPsk {
    let names = PskNames {
        own: "hub",
        peer: "sensor",
    };
    ExternalPsk::new([identity], (0..32).collect::<Vec<u8>>(), names).unwrap()
}

fn key() -> PublicKey {
    Identity::generate().unwrap().public_key()
}

/// It remembers for two lifetimes and a minute after it was first told the time, by the longest
/// lifetime of a configuration.
#[test]
fn it_forgets_when_all_tickets_have_expired() {
    let revoked = RevokedSessions::in_memory(10);
    revoked.cover(HOUR);
    revoked.cover(Duration::from_secs(1));
    let whose = Whose::Psk(psk(1));
    assert!(revoked.permits(&whose, 0, at(Duration::ZERO)));
    revoked.revoke_psk(&psk(1));
    // Nobody has told the time for so long.
    assert!(!revoked.permits(&whose, 0, at(HOUR * 100)));
    let last = HOUR * 102 + Duration::from_secs(60);
    assert!(!revoked.permits(&whose, 0, at(last)));
    // A later one of another peer, and again of the same.
    revoked.revoke_psk(&psk(2));
    let other = Whose::Psk(psk(2));
    assert!(!revoked.permits(&other, 0, at(last)));
    let later = last + Duration::from_nanos(1);
    assert!(revoked.permits(&whose, 0, at(later)));
    assert!(!revoked.permits(&other, 1, at(later)));
    revoked.revoke_psk(&psk(2));
    assert!(!revoked.permits(&other, 2, at(later)) && revoked.permits(&other, 3, at(later)));
    let later = later + HOUR * 2 + Duration::from_secs(60);
    assert!(!revoked.permits(&other, 2, at(later)));
    assert!(revoked.permits(&other, 2, at(later + Duration::from_nanos(1))));
    assert!(format!("{revoked:?}").contains("len: 0"));
}

/// A generation is a count, so what counts is the order, and not the clock.
#[test]
fn a_later_generation_is_permitted() {
    let revoked = RevokedSessions::in_memory(10);
    let whose = Whose::Psk(psk(1));
    let now = at(HOUR);
    let before = revoked.generation();
    revoked.revoke_key(&key());
    let between = revoked.generation();
    revoked.revoke_psk(&psk(1));
    let after = revoked.generation();
    assert!(before < between && between < after);
    assert!(!revoked.permits(&whose, before, now) && !revoked.permits(&whose, between, now));
    assert!(revoked.permits(&whose, after, now));
    assert!(revoked.permits(&Whose::Psk(psk(2)), before, now));
    assert!(revoked.permits(&Whose::Nobody, before, now));
    revoked.revoke_all();
    for whose in [&whose, &Whose::Psk(psk(2)), &Whose::Nobody] {
        assert!(!revoked.permits(whose, after, now));
        assert!(revoked.permits(whose, revoked.generation(), now));
    }
    // It never expires, since it costs no memory.
    assert!(!revoked.permits(&Whose::Nobody, after, at(HOUR * 100_000)));
}

/// However often, there is room for one entry each.
#[test]
fn the_same_peer_takes_one_place() {
    let revoked = RevokedSessions::in_memory(2);
    let (first, second, third) = (key(), key(), key());
    for _ in 0..100 {
        revoked.revoke_key(&first);
        revoked.revoke_key(&second);
    }
    assert!(revoked.permits(&Whose::Nobody, 0, at(HOUR)));
    assert!(format!("{revoked:?}").contains("len: 2"));
    revoked.revoke_key(&third);
    assert!(!revoked.permits(&Whose::Nobody, 200, at(HOUR)));
    assert!(revoked.permits(&Whose::Nobody, 201, at(HOUR)));
    assert!(format!("{revoked:?}").contains("len: 0"));
}

#[test]
fn its_name_is_drawn_once() {
    let revoked = RevokedSessions::in_memory(2);
    assert_eq!(revoked.zone(), None);
    revoked.draw_zone(&mut Broken).unwrap_err();
    revoked.draw_zone(&mut Zeros).unwrap_err();
    assert_eq!(revoked.zone(), None);
    let mut system = crate::crypto::random::SystemRandom;
    let drawn = *revoked.draw_zone(&mut system).unwrap();
    assert_eq!(revoked.clone().draw_zone(&mut system).unwrap(), &drawn);
    assert_eq!(revoked.zone(), Some(&drawn));
    let other = RevokedSessions::in_memory(2);
    assert_ne!(other.draw_zone(&mut system).unwrap(), &drawn);
}
