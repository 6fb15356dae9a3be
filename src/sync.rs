//! What threads meet at: the standard library's types, all in one place, so that a model checker
//! can stand in for them (`tests/halves/`).

pub(crate) use core::sync::atomic::{AtomicU8, Ordering, fence};
pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
