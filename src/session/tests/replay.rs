//! What is remembered about early data, and what must never be forgotten.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::crypto::random::SystemRandom;
use crate::error::Fault;
use crate::session::ReplayVerdict::{Fresh, Seen, Unavailable};
use crate::session::{ReplayEntry, ReplayGuard, ReplayStore, ReplayVerdict};
use crate::testing::broken::{Broken, Zeros};

const WINDOW: Duration = Duration::from_secs(10);

fn entry(number: usize, expires: Duration) -> ReplayEntry {
    ReplayEntry::new(&[7; 16], &number.to_be_bytes(), expires)
}

/// Returns what a guard that answers at once says about this entry at this time.
fn says(guard: &ReplayGuard, entry: &ReplayEntry, now: Duration) -> ReplayVerdict {
    guard
        .check_and_insert(entry, at(now))
        .expect("a guard that answers at once")
}

fn zone(guard: &ReplayGuard) -> [u8; 16] {
    guard.zone(&mut SystemRandom).unwrap()
}

#[test]
fn an_entry_is_fresh_once() {
    // RFC 9846, section 8: "would accept 0-RTT for the same 0-RTT handshake at most once".
    let guard = ReplayGuard::in_memory(10);
    let (first, second) = (entry(1, NOW + WINDOW), entry(2, NOW + WINDOW));
    assert_eq!(says(&guard, &first, NOW), Fresh);
    assert_eq!(says(&guard, &first, NOW), Seen);
    assert_eq!(says(&guard.clone(), &first, NOW), Seen);
    assert_eq!(says(&guard, &second, NOW), Fresh);
    // This holds until the last moment at which its age would be accepted, and after it.
    for later in [WINDOW - MILLI, WINDOW, WINDOW + MILLI, HOUR] {
        for entry in [&first, &second] {
            assert_ne!(says(&guard, entry, NOW + later), Fresh, "{later:?}");
        }
    }
}

#[test]
fn an_entry_is_found_in_both_generations() {
    let guard = ReplayGuard::in_memory(10);
    let entries = [
        entry(1, NOW + WINDOW),
        entry(2, NOW + 2 * WINDOW),
        entry(3, NOW + 3 * WINDOW),
    ];
    // The first becomes the old generation at the next call, because the old one is empty.
    assert_eq!(says(&guard, &entries[0], NOW), Fresh);
    assert_eq!(guard.kept(), (1, 0));
    assert_eq!(says(&guard, &entries[1], NOW), Fresh);
    assert_eq!(guard.kept(), (1, 1));
    assert!(
        entries[..2]
            .iter()
            .all(|entry| says(&guard, entry, NOW) == Seen)
    );
    // The last moment of the first generation is part of it.
    assert_eq!(says(&guard, &entries[0], NOW + WINDOW), Seen);
    assert_eq!(guard.kept(), (1, 1));
    // The old generation is dropped, and the young one becomes old.
    assert_eq!(says(&guard, &entries[1], NOW + WINDOW + MILLI), Seen);
    assert_eq!(guard.kept(), (0, 1));
    assert_eq!(says(&guard, &entries[2], NOW + WINDOW + MILLI), Fresh);
    assert_eq!(guard.kept(), (1, 1));
    assert!(
        entries[1..]
            .iter()
            .all(|entry| says(&guard, entry, NOW + 2 * WINDOW) == Seen)
    );
}

#[test]
fn what_expires_late_keeps_its_generation() {
    let guard = ReplayGuard::in_memory(10);
    for (number, life) in [(0, WINDOW), (1, WINDOW), (2, HOUR), (3, WINDOW)] {
        assert_eq!(says(&guard, &entry(number, NOW + life), NOW), Fresh);
    }
    assert_eq!(guard.kept(), (3, 1));
    assert_eq!(
        says(&guard, &entry(2, NOW + HOUR), NOW + WINDOW + SECOND),
        Seen
    );
    assert_eq!(guard.kept(), (0, 3));
    assert_eq!(says(&guard, &entry(2, NOW + HOUR), NOW + HOUR), Seen);
    assert_eq!(guard.kept(), (0, 3));
    assert_eq!(
        says(&guard, &entry(4, NOW + 2 * HOUR), NOW + HOUR + SECOND),
        Fresh
    );
    assert_eq!(guard.kept(), (1, 0));
}

#[test]
fn a_clock_that_goes_back_brings_nothing_back() {
    let guard = ReplayGuard::in_memory(10);
    let (seen, later) = (entry(1, NOW + WINDOW), NOW + HOUR);
    assert_eq!(says(&guard, &seen, NOW), Fresh);
    // Both generations are replaced.
    assert_eq!(says(&guard, &entry(2, later + WINDOW), later), Fresh);
    assert_eq!(says(&guard, &entry(3, later + WINDOW), later), Fresh);
    // Its age would be accepted again. The entry was forgotten, but the guard knows until when
    // entries were forgotten.
    assert_eq!(says(&guard, &seen, NOW), Unavailable);
    assert_eq!(says(&guard, &entry(4, NOW + WINDOW), NOW), Unavailable);
    // Even the smallest step is refused.
    assert_eq!(says(&guard, &seen, NOW + WINDOW), Unavailable);
    // An entry that expires later cannot have been forgotten, so the stored entries decide.
    assert_eq!(
        says(&guard, &entry(4, NOW + WINDOW + MILLI), NOW + MILLI),
        Fresh
    );
    assert_eq!(
        says(&guard, &entry(4, NOW + WINDOW + MILLI), NOW + MILLI),
        Seen
    );
    assert_eq!(says(&guard, &entry(2, later + WINDOW), NOW), Seen);
    // If nothing was forgotten, a clock that goes back has no effect.
    let guard = ReplayGuard::in_memory(10);
    assert_eq!(says(&guard, &seen, NOW), Fresh);
    assert_eq!(
        says(&guard, &entry(2, NOW - DAY), NOW - DAY - WINDOW),
        Fresh
    );
    assert_eq!(says(&guard, &seen, NOW - DAY), Seen);
}

#[test]
fn a_full_guard_refuses_until_something_has_expired() {
    let guard = ReplayGuard::in_memory(5);
    let entries: Vec<_> = (0..7).map(|number| entry(number, NOW + WINDOW)).collect();
    let verdicts: Vec<_> = entries
        .iter()
        .map(|entry| says(&guard, entry, NOW))
        .collect();
    assert_eq!(
        verdicts,
        [Fresh, Fresh, Fresh, Fresh, Fresh, Unavailable, Unavailable]
    );
    // Stored entries are still known, and refused ones were not stored.
    assert!(
        entries[..5]
            .iter()
            .all(|entry| says(&guard, entry, NOW + WINDOW) == Seen)
    );
    assert!(
        entries[5..]
            .iter()
            .all(|entry| says(&guard, entry, NOW + WINDOW) == Unavailable)
    );
    // The first generation is dropped, and the second with the next call.
    let later = NOW + WINDOW + MILLI;
    for number in 10..15 {
        assert_eq!(says(&guard, &entry(number, later + WINDOW), later), Fresh);
    }
    assert_eq!(says(&guard, &entry(15, later + WINDOW), later), Unavailable);
}

#[test]
fn no_room_takes_nothing() {
    let guard = ReplayGuard::in_memory(0);
    for number in 0..3 {
        assert_eq!(says(&guard, &entry(number, NOW + WINDOW), NOW), Unavailable);
    }
    assert_eq!(guard.kept(), (0, 0));
}

#[test]
fn a_guard_does_not_grow() {
    // 100 entries a second for ten minutes need twice the window's space.
    let room = 2 * 100 * 10;
    for (capacity, refused) in [(room, false), (room / 2, true)] {
        let guard = ReplayGuard::in_memory(capacity);
        let mut unavailable = 0;
        for number in 0..60_000_usize {
            let now = NOW + 10 * MILLI * u32::try_from(number).unwrap();
            match says(&guard, &entry(number, now + WINDOW), now) {
                Fresh => {}
                Unavailable => unavailable += 1,
                other => panic!("{other:?}"),
            }
            let (young, old) = guard.kept();
            assert!(young + old <= capacity);
        }
        assert_eq!(unavailable > 0, refused, "{unavailable} of {capacity}");
    }
}

#[test]
fn of_many_threads_one_is_first() {
    const THREADS: usize = 8;
    let guard = ReplayGuard::in_memory(100_000);
    let barrier = Barrier::new(THREADS);
    let fresh: Vec<AtomicUsize> = (0..500).map(|_| AtomicUsize::new(0)).collect();
    let zones = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (guard, barrier, fresh, zones) = (guard.clone(), &barrier, &fresh, &zones);
            scope.spawn(move || {
                barrier.wait();
                zones.lock().unwrap().insert(zone(&guard));
                for (number, fresh) in fresh.iter().enumerate() {
                    // Each thread has its own clock, which replaces generations. Each entry has the
                    // same time everywhere.
                    let expires = NOW + SECOND * u32::try_from(number).unwrap();
                    let now = expires - WINDOW + SECOND * u32::try_from(thread).unwrap();
                    if says(&guard, &entry(number, expires), now) == Fresh {
                        fresh.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(zones.into_inner().unwrap().len(), 1);
    let fresh: BTreeSet<_> = fresh
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .collect();
    assert!(
        fresh.contains(&1) && fresh.iter().all(|count| *count <= 1),
        "{fresh:?}"
    );

    // With a single clock, exactly one thread is told that the entry is fresh, each time.
    let guard = ReplayGuard::in_memory(100_000);
    for number in 0..200 {
        let count = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    count.fetch_add(
                        usize::from(says(&guard, &entry(number, NOW + WINDOW), NOW) == Fresh),
                        Ordering::Relaxed,
                    );
                });
            }
        });
        assert_eq!(count.into_inner(), 1);
    }
}

#[test]
fn a_thread_that_panics_spoils_nothing() {
    let guard = ReplayGuard::in_memory(10);
    assert_eq!(says(&guard, &entry(1, NOW + WINDOW), NOW), Fresh);
    guard.poison();
    assert_eq!(says(&guard, &entry(1, NOW + WINDOW), NOW), Seen);
    assert_eq!(says(&guard, &entry(2, NOW + WINDOW), NOW), Fresh);
    assert!(format!("{guard:?}").contains("len: 2"));
}

#[test]
fn a_zone_is_a_guards_own() {
    let guard = ReplayGuard::in_memory(10);
    assert_eq!(zone(&guard), zone(&guard.clone()));
    assert_eq!(zone(&guard), zone(&guard));
    // These are two nodes that share nothing, and a node after a restart.
    let zones: BTreeSet<_> = (0..100)
        .map(|_| zone(&ReplayGuard::in_memory(10)))
        .collect();
    assert_eq!(zones.len(), 100);
    assert!(!zones.contains(&zone(&guard)));
}

#[test]
fn a_stores_zone_is_its_name() {
    let name = |name: &str| zone(&ReplayGuard::with_store(name, Arc::new(Shared::default())));
    assert_eq!(name("eu-west"), name("eu-west"));
    assert_eq!(name("eu-west"), zone(&ReplayGuard::asking("eu-west")));
    let zones: BTreeSet<_> = ["eu-west", "eu-west ", "EU-west", "eu-wes", "", "\0"]
        .map(name)
        .into();
    assert_eq!(zones.len(), 6);
    // The zone is the same as in the last version, because servers of several versions share a
    // store.
    let place = Sha256::digest(b"fleeting replay store 1eu-west");
    let told = Sha256::digest([b"fleeting replay zone 1", &place[..], &[0; 16]].concat());
    assert_eq!(name("eu-west"), told[..16]);
    let told = Sha256::digest(
        [
            b"fleeting replay zone 1",
            &place[..],
            &10_000_000_000_u128.to_be_bytes(),
        ]
        .concat(),
    );
    assert_eq!(
        zone(&ReplayGuard::asking("eu-west").for_window(WINDOW)),
        told[..16]
    );
    // No randomness is needed.
    assert!(ReplayGuard::asking("eu-west").zone(&mut Broken).is_ok());
}

#[test]
fn each_window_has_a_zone_of_its_own() {
    // With a shorter window, one server would forget what another still finds fresh.
    for guard in [
        ReplayGuard::in_memory(10),
        ReplayGuard::with_store("eu-west", Arc::new(Shared::default())),
        ReplayGuard::asking("eu-west"),
    ] {
        let zones: BTreeSet<_> = [1, 10, 10, 60]
            .map(|seconds| zone(&guard.for_window(seconds * SECOND)))
            .into();
        assert_eq!(zones.len(), 3);
    }
    // The memory is the same.
    let guard = ReplayGuard::in_memory(10);
    assert_eq!(
        says(&guard.for_window(WINDOW), &entry(1, NOW + WINDOW), NOW),
        Fresh
    );
    assert_eq!(
        says(&guard.for_window(2 * WINDOW), &entry(1, NOW + WINDOW), NOW),
        Seen
    );
}

#[test]
fn no_zone_comes_from_a_generator_that_fails() {
    let guard = ReplayGuard::in_memory(10);
    assert!(matches!(guard.zone(&mut Broken), Err(Fault::Random)));
    // All processes would have the same zone.
    assert!(matches!(guard.zone(&mut Zeros), Err(Fault::Random)));
    let drawn = zone(&guard);
    assert_eq!(guard.zone(&mut Broken).unwrap(), drawn);
}

#[test]
fn an_entry_is_known_by_its_zone_and_its_binder() {
    let key = |zone, binder: &[u8]| *ReplayEntry::new(&[zone; 16], binder, NOW).key();
    assert_eq!(
        key(1, &[2; 32])[..],
        Sha256::digest([&b"fleeting replay entry 1"[..], &[1; 16], &[2; 32]].concat())[..]
    );
    let keys: BTreeSet<_> = [
        key(1, &[2; 32]),
        key(2, &[2; 32]),
        key(1, &[3; 32]),
        key(1, &[2; 48]),
        key(1, &[]),
    ]
    .into();
    assert_eq!(keys.len(), 5);
    // The time is not part of its key.
    let (sooner, later) = (entry(1, NOW), entry(1, NOW + WINDOW));
    assert_eq!(
        (sooner.key(), sooner.expires(), later.expires()),
        (later.key(), NOW, NOW + WINDOW)
    );
}

/// A store like one that several servers share, which can be unreachable.
#[derive(Default)]
struct Shared {
    seen: Mutex<BTreeMap<[u8; 32], Duration>>,
    away: AtomicBool,
}

impl ReplayStore for Shared {
    fn check_and_insert(&self, entry: &ReplayEntry) -> ReplayVerdict {
        if self.away.load(Ordering::Relaxed) {
            return Unavailable;
        }
        match self
            .seen
            .lock()
            .unwrap()
            .insert(*entry.key(), entry.expires())
        {
            None => Fresh,
            Some(_) => Seen,
        }
    }
}

#[test]
fn nodes_that_share_a_store_take_it_once_together() {
    let store = Arc::new(Shared::default());
    let nodes = [(); 3].map(|()| ReplayGuard::with_store("eu-west", Arc::clone(&store)));
    let entry = ReplayEntry::new(&zone(&nodes[0]), &[1; 32], NOW + WINDOW);
    assert_eq!(
        [0, 1, 2, 0].map(|node| says(&nodes[node], &entry, NOW)),
        [Fresh, Seen, Seen, Seen]
    );
    assert_eq!(
        store.seen.lock().unwrap().get(entry.key()),
        Some(&(NOW + WINDOW))
    );
    // The node was restarted, but not the store.
    let again = ReplayGuard::with_store("eu-west", Arc::clone(&store));
    assert_eq!(
        (zone(&again), says(&again, &entry, NOW)),
        (zone(&nodes[1]), Seen)
    );
    // The store's answer is passed on.
    store.away.store(true, Ordering::Relaxed);
    assert_eq!(says(&nodes[0], &entry, NOW), Unavailable);
}

#[test]
fn nodes_that_share_nothing_do_not_share_a_zone() {
    // RFC 9846, 8.2: "having a single storage zone be authoritative for a given ticket and refusing
    // 0-RTT for that ticket in any other zone".
    let nodes = [
        ReplayGuard::in_memory(10),
        ReplayGuard::in_memory(10),
        ReplayGuard::with_store("eu-west", Arc::new(Shared::default())),
    ];
    let zones: BTreeSet<_> = nodes.iter().map(zone).collect();
    assert_eq!(zones.len(), 3);
    // Without separate zones, each node would accept it.
    let entry = ReplayEntry::new(&zone(&nodes[0]), &[1; 32], NOW + WINDOW);
    assert!(nodes.iter().all(|node| says(node, &entry, NOW) == Fresh));
    // Under the zones of the two nodes it is not the same entry.
    assert_ne!(
        entry.key(),
        ReplayEntry::new(&zone(&nodes[1]), &[1; 32], NOW + WINDOW).key()
    );
}

#[test]
fn the_application_is_asked() {
    let guard = ReplayGuard::asking("eu-west");
    assert_eq!(guard.check_and_insert(&entry(1, NOW), at(NOW)), None);
}

#[test]
fn a_store_that_panics_takes_no_other_with_it() {
    struct Panics(Shared);
    impl ReplayStore for Panics {
        fn check_and_insert(&self, entry: &ReplayEntry) -> ReplayVerdict {
            assert!(entry.expires() != NOW, "on purpose");
            self.0.check_and_insert(entry)
        }
    }
    let guard = ReplayGuard::with_store("eu-west", Panics(Shared::default()));
    let before = zone(&guard);
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| says(&guard, &entry(1, NOW), NOW))).is_err());
        assert_eq!(zone(&guard), before);
    }
    assert_eq!(says(&guard, &entry(1, NOW + WINDOW), NOW), Fresh);
    assert_eq!(says(&guard, &entry(1, NOW + WINDOW), NOW), Seen);
}

#[test]
fn a_guard_shows_how_much_it_keeps_and_nothing_of_it() {
    let guard = ReplayGuard::in_memory(5);
    says(&guard, &entry(1, NOW), NOW);
    assert_eq!(
        format!("{guard:?}"),
        r#"ReplayGuard { kept: "in memory", len: 1, capacity: 5 }"#
    );
    assert_eq!(
        format!(
            "{:?}",
            ReplayGuard::with_store("eu-west", Arc::new(Shared::default()))
        ),
        r#"ReplayGuard { kept: "in a store" }"#
    );
    assert_eq!(
        format!("{:?}", ReplayGuard::asking("eu-west")),
        r#"ReplayGuard { kept: "by the application" }"#
    );
}

#[derive(Clone, Debug)]
enum Step {
    /// `Old` is an earlier entry, by its index. `New` is a new one that lives this long from now.
    Old(prop::sample::Index),
    New(u64),
    Forward(u64),
    Back(u64),
}

fn steps(back: u32) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<prop::sample::Index>().prop_map(Step::Old),
        4 => (0..20_000u64).prop_map(Step::New),
        3 => (0..12_000u64).prop_map(Step::Forward),
        1 => (0..100_000u64).prop_map(Step::Forward),
        back => prop_oneof![0..2u64, 0..3_000u64, 0..100_000u64].prop_map(Step::Back),
    ];
    prop::collection::vec(step, 0..120)
}

/// Runs the steps. Returns what was asked, when, what the guard said, and whether an unlimited
/// memory would know the entry.
fn run(guard: &ReplayGuard, steps: Vec<Step>) -> Vec<(ReplayEntry, Duration, ReplayVerdict, bool)> {
    let (mut now, mut all, mut fresh, mut out) = (NOW, Vec::new(), BTreeSet::new(), Vec::new());
    for step in steps {
        let asked = match step {
            Step::Forward(millis) => {
                now += MILLI * u32::try_from(millis).unwrap();
                continue;
            }
            Step::Back(millis) => {
                now -= MILLI * u32::try_from(millis).unwrap();
                continue;
            }
            Step::Old(index) if !all.is_empty() => *index.get(&all),
            Step::Old(_) => continue,
            Step::New(life) => entry(all.len(), now + Duration::from_millis(life)),
        };
        all.push(asked);
        let verdict = says(guard, &asked, now);
        let known = fresh.contains(asked.key());
        if verdict == Fresh {
            fresh.insert(*asked.key());
        }
        out.push((asked, now, verdict, known));
    }
    out
}

proptest! {
    /// While the clock advances and there is space, a guard answers as an unlimited memory would,
    /// for every entry whose age is accepted.
    #[test]
    fn nothing_is_forgotten_before_it_expires(steps in steps(0)) {
        for (asked, now, verdict, known) in run(&ReplayGuard::in_memory(1000), steps) {
            match (now <= asked.expires(), known) {
                (true, known) => prop_assert_eq!(verdict, if known { Seen } else { Fresh }),
                (false, true) => prop_assert_ne!(verdict, Fresh),
                (false, false) => {}
            }
        }
    }

    /// Whatever the clock shows, and however little space there is, nothing is fresh twice.
    #[test]
    fn nothing_is_fresh_twice(capacity in 0..12usize, steps in steps(3)) {
        let guard = ReplayGuard::in_memory(capacity);
        for (_, _, verdict, known) in run(&guard, steps) {
            prop_assert!(!known || verdict != Fresh);
            // An entry that was never stored is not reported as seen either: in memory there are no
            // false positives.
            prop_assert!(known || verdict != Seen);
        }
        guard.kept();
    }
}
