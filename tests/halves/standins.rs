//! Stand-ins for what the halves import from the rest of the library.

pub(crate) mod sync {
    use std::ops::{Deref, DerefMut};

    pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU32, Ordering, fence};
    // Loom has no OnceLock. This one is filled at most once, and is read only after a note was
    // seen.
    pub(crate) use std::sync::{OnceLock, PoisonError, TryLockError};

    use loom::sync::atomic::AtomicBool;

    /// A lock that orders no more than acquiring and releasing do, like the standard library's.
    /// Loom's own is sequentially consistent, and its `try_lock` waits for another `try_lock`.
    pub(crate) struct Mutex<T> {
        locked: AtomicBool,
        inside: std::sync::Mutex<T>,
    }

    pub(crate) struct MutexGuard<'a, T> {
        locked: &'a AtomicBool,
        inside: Option<std::sync::MutexGuard<'a, T>>,
    }

    impl<T> Mutex<T> {
        pub(crate) fn new(inside: T) -> Self {
            Self {
                locked: AtomicBool::new(false),
                inside: std::sync::Mutex::new(inside),
            }
        }

        pub(crate) fn try_lock(
            &self,
        ) -> Result<MutexGuard<'_, T>, TryLockError<MutexGuard<'_, T>>> {
            match self
                .locked
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => Ok(MutexGuard {
                    locked: &self.locked,
                    inside: Some(self.inside.try_lock().expect("one at a time")),
                }),
                Err(_) => Err(TryLockError::WouldBlock),
            }
        }

        pub(crate) fn lock(&self) -> Result<MutexGuard<'_, T>, PoisonError<MutexGuard<'_, T>>> {
            loop {
                match self.try_lock() {
                    Ok(guard) => return Ok(guard),
                    Err(TryLockError::Poisoned(poisoned)) => return Err(poisoned),
                    Err(TryLockError::WouldBlock) => loom::thread::yield_now(),
                }
            }
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.inside.as_ref().unwrap()
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.inside.as_mut().unwrap()
        }
    }

    impl<T> Drop for MutexGuard<'_, T> {
        fn drop(&mut self) {
            self.inside = None;
            self.locked.store(false, Ordering::Release);
        }
    }
}

pub(crate) mod crypto {
    pub(crate) mod random {
        pub(crate) struct SystemRandom;
    }
}

pub(crate) mod error {
    use std::fmt;
    use std::io;

    use crate::code_point::AlertDescription;

    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Error {
        /// A failure for which we send the alert.
        Protocol(AlertDescription),
        AlertReceived(AlertDescription),
        Truncated,
        Closed,
        WrongState {
            call: &'static str,
            state: &'static str,
        },
        Io(io::ErrorKind),
    }

    impl Error {
        pub(crate) fn alert(&self) -> Option<AlertDescription> {
            if let Self::Protocol(alert) = self {
                Some(*alert)
            } else {
                None
            }
        }
    }

    impl fmt::Display for Error {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Debug::fmt(self, f)
        }
    }

    impl std::error::Error for Error {}

    impl From<Error> for io::Error {
        fn from(error: Error) -> Self {
            Self::other(error)
        }
    }

    impl From<io::Error> for Error {
        fn from(error: io::Error) -> Self {
            let kind = error.kind();
            error.downcast().unwrap_or(Self::Io(kind))
        }
    }
}

pub(crate) mod handshake {
    #[derive(Debug)]
    pub struct Negotiated;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Question {}
}

pub(crate) mod message {
    /// Like the library's type.
    #[derive(Debug, PartialEq, Eq)]
    pub(crate) enum KeyUpdateRequest {
        NotRequested,
        Requested,
    }
}

pub(crate) mod record {
    use crate::code_point::AlertDescription;
    use crate::error::Error;

    #[derive(Debug)]
    pub(crate) struct SealError;

    impl SealError {
        pub(crate) fn in_state(self, _: &'static str) -> Error {
            Error::Protocol(AlertDescription::INTERNAL_ERROR)
        }
    }
}

pub(crate) mod secret {
    pub struct Secret;
}
