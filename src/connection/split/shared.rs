//! [`Shared`]: what the two halves of a connection share. One sends, and may wait in it for as long as its transport does; the other receives, and never
//! waits for the first.
//!
//! ```text
//! the half that sends:     lock ─> look at the notes ─> work ─> unlock ─> fence ─> has it failed? then try_lock ─> settle
//! the half that receives:           leave a note ─────────────> fence ─────────────────────────── try_lock ─> settle
//!     before it waits:     try_lock ─────────────────> work ─> unlock ─> fence ─> has it failed? then try_lock ─> settle
//! ```
//!
//! A note is left before the lock is tried, and looked for after it was given back. Of two threads that do both at once one sees what the other did (both
//! fences are sequentially consistent), so what was left is always settled: by whoever holds the lock, or by who left it. Trying once is therefore enough.
//!
//! Nothing here knows what is shared. `tests/halves/` runs this file, and the halves above it, under every interleaving.

use crate::connection::split::notes::Notes;
use crate::sync::{Mutex, MutexGuard, Ordering, PoisonError, TryLockError, fence};

/// What one half locks, the other only tries to, and the notes between them.
pub(crate) struct Shared<T, E> {
    inside: Mutex<T>,
    pub(crate) notes: Notes<E>,
}

impl<T, E> Shared<T, E> {
    /// `notes` are there from the beginning.
    pub(crate) fn new(inside: T, notes: u8) -> Self {
        Self { inside: Mutex::new(inside), notes: Notes::new(notes) }
    }

    /// For the half that sends: works with what is inside, and afterwards settles a failure that the other half could not.
    pub(crate) fn work<R>(&self, work: impl FnOnce(&mut T, &Notes<E>) -> R, settle: impl FnOnce(&mut T, &Notes<E>)) -> R {
        // A panic in the application's transport leaves everything as it was before that call.
        let mut inside: MutexGuard<'_, T> = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut inside, &self.notes);
        drop(inside);
        self.settle(settle);
        result
    }

    /// For the half that receives: works with what is inside unless the other half is there, and settles a failure that the other half could not meanwhile.
    pub(crate) fn try_work(&self, work: impl FnOnce(&mut T), settle: impl FnOnce(&mut T, &Notes<E>)) {
        let Some(mut inside) = self.try_lock() else { return };
        work(&mut inside);
        drop(inside);
        self.settle(settle);
    }

    /// For both: settles a failure, unless the other half is inside: that does it then.
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
