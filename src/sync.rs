//! The standard library's types that threads share, all in one place, so that a model checker can
//! replace them (`tests/halves/`).

pub(crate) use core::sync::atomic::{AtomicU8, AtomicU32, Ordering, fence};
pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
