//! The lock and the notes between two halves of a stream (`src/connection/shared.rs`), run under every interleaving of their threads by loom.

#[allow(dead_code, unreachable_pub, reason = "the library's own file, of which a test uses a part")]
#[path = "../src/connection/shared.rs"]
mod shared;

/// What stands in for the library's `sync`.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU8, Ordering, fence};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    // Loom has no OnceLock. This one is filled at most once, and looked into only behind a note.
    pub(crate) use std::sync::{OnceLock, PoisonError, TryLockError};
}

use loom::sync::Arc;
use loom::thread;

use crate::shared::{ASKED, AWAITED, Notes, Shared};

/// What stands in for the half that sends.
#[derive(Default)]
struct Sender {
    records: usize,
    answers: usize,
    /// The alert went out, and the keys are gone.
    ended: bool,
    error: &'static str,
}

fn settle(sender: &mut Sender, notes: &Notes<&'static str>) {
    if let Some(error) = notes.failure() {
        sender.ended = true;
        sender.error = error;
    }
}

fn write(shared: &Shared<Sender, &'static str>) {
    shared.work(
        |sender, notes| {
            settle(sender, notes);
            if !sender.ended {
                sender.answers += usize::from(notes.take(ASKED));
                sender.records += 1;
            }
        },
        settle,
    );
}

/// What the half that reads fails with is settled when both have come back, whoever was inside.
#[test]
fn a_failure_is_always_settled() {
    loom::model(|| {
        let shared = Arc::new(Shared::new(Sender::default(), 0));
        let other = shared.clone();
        let reading = thread::spawn(move || {
            other.notes.fail("reading");
            other.settle(settle);
        });
        write(&shared);
        write(&shared);
        reading.join().unwrap();
        shared.work(|sender, _| assert!(sender.ended && sender.error == "reading"), |_, _| {});
    });
}

/// The first error sticks, and both see the same one.
#[test]
fn both_fail() {
    loom::model(|| {
        let shared = Arc::new(Shared::new(Sender::default(), 0));
        let other = shared.clone();
        let reading = thread::spawn(move || {
            let first = *other.notes.fail("reading");
            other.settle(settle);
            first
        });
        let mut first = "";
        shared.work(
            |sender, notes| {
                first = notes.fail("writing");
                settle(sender, notes);
            },
            settle,
        );
        assert_eq!(reading.join().unwrap(), first);
        shared.work(|sender, notes| assert!(sender.ended && sender.error == first && notes.failure() == Some(&first)), |_, _| {});
    });
}

/// A request that the half that reads notes is answered once: by what is written next, if not by what is written now.
#[test]
fn a_request_is_answered_once() {
    loom::model(|| {
        let shared = Arc::new(Shared::new(Sender::default(), AWAITED));
        let other = shared.clone();
        let reading = thread::spawn(move || {
            other.notes.leave(ASKED);
            assert!(other.notes.take(AWAITED), "nobody else takes it");
        });
        write(&shared);
        reading.join().unwrap();
        write(&shared);
        write(&shared);
        shared.work(|sender, notes| assert!(sender.answers == 1 && sender.records == 3 && !notes.has(AWAITED)), |_, _| {});
    });
}
