//! [`Shared`]: what the two halves of a connection share.
//!
//! The sending half locks it, and may wait inside for as long as its transport does. The receiving
//! half only tries the lock, and so never waits for the sending half.
//!
//! ```text
//! sending half:   lock ─> read the notes ─> work ─> unlock ─> fence ─> failed? ─> try_lock, settle
//! receiving half: leave a note ──────────────────────────> fence ──────────────> try_lock, settle
//!   before a wait: try_lock ─> work ─> unlock ───────────> fence ─> failed? ─> try_lock, settle
//! ```
//!
//! A note is left before the lock is tried, and read again after the lock was released. If two
//! threads do both at once, at least one sees what the other did, because both fences are
//! sequentially consistent. So every note is settled, by the thread that holds the lock or by the
//! one that left the note. Trying once is therefore enough.
//!
//! This file does not know what is shared. `tests/halves/` runs it, and the halves that use it,
//! under every interleaving.

use crate::connection::split::notes::Notes;
use crate::sync::{Mutex, MutexGuard, Ordering, PoisonError, TryLockError, fence};

/// The sending half behind its lock, and the notes between the halves.
pub(crate) struct Shared<T, E> {
    inside: Mutex<T>,
    pub(crate) notes: Notes<E>,
}

impl<T, E> Shared<T, E> {
    /// Begins with `notes` set.
    pub(crate) fn new(inside: T, notes: u8) -> Self {
        Self {
            inside: Mutex::new(inside),
            notes: Notes::new(notes),
        }
    }

    /// For the sending half: locks, works, and then settles a failure that the receiving half could
    /// not settle.
    pub(crate) fn work<R>(
        &self,
        work: impl FnOnce(&mut T, &Notes<E>) -> R,
        settle: impl FnOnce(&mut T, &Notes<E>),
    ) -> R {
        // A panic in the application's transport leaves everything as it was before that call.
        let mut inside: MutexGuard<'_, T> =
            self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut inside, &self.notes);
        drop(inside);
        self.settle(settle);
        result
    }

    /// For the sending half: works as long as the receiving half has left this note, and could not
    /// work itself. `work` takes the note.
    #[cfg(feature = "tokio")]
    pub(crate) fn work_on_note(
        &self,
        note: u8,
        mut work: impl FnMut(&mut T, &Notes<E>),
        settle: impl Fn(&mut T, &Notes<E>),
    ) {
        fence(Ordering::SeqCst);
        while self.notes.has(note) {
            self.work(&mut work, &settle);
            fence(Ordering::SeqCst);
        }
    }

    /// For the receiving half: works unless the sending half holds the lock, and settles a failure
    /// that the sending half could not settle meanwhile.
    pub(crate) fn try_work(
        &self,
        work: impl FnOnce(&mut T),
        settle: impl FnOnce(&mut T, &Notes<E>),
    ) {
        fence(Ordering::SeqCst);
        let Some(mut inside) = self.try_lock() else {
            return;
        };
        work(&mut inside);
        drop(inside);
        self.settle(settle);
    }

    /// For both: settles a failure, unless the other half holds the lock and will settle it itself.
    pub(crate) fn settle(&self, settle: impl FnOnce(&mut T, &Notes<E>)) {
        fence(Ordering::SeqCst);
        if self.notes.has_failed()
            && let Some(mut inside) = self.try_lock()
        {
            settle(&mut inside, &self.notes);
        }
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.inside.try_lock() {
            Ok(inside) => Some(inside),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
