//! The standard library's types that threads share, all in one place, so that a model checker can
//! replace them (`tests/halves/`).

pub(crate) use core::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering, fence};
pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

/// A number that one thread at a time changes, and any thread reads.
#[derive(Default)]
pub(crate) struct Count(Inner);

#[cfg(target_has_atomic = "64")]
type Inner = core::sync::atomic::AtomicU64;

#[cfg(not(target_has_atomic = "64"))]
type Inner = Mutex<u64>;

#[cfg(target_has_atomic = "64")]
impl Count {
    /// Adds `number`. Not `fetch_add`: nobody else writes, and a locked instruction costs as much
    /// as encrypting 100 bytes.
    pub(crate) fn add(&self, number: u64) {
        let sum = self.0.load(Ordering::Relaxed).wrapping_add(number);
        self.0.store(sum, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(not(target_has_atomic = "64"))]
impl Count {
    pub(crate) fn add(&self, number: u64) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = sum.wrapping_add(number);
    }

    pub(crate) fn get(&self) -> u64 {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
