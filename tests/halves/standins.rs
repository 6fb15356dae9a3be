//! What the halves import from the rest of the library.

pub(crate) mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU8, Ordering, fence};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    // Loom has no OnceLock. This one is filled at most once, and looked into only behind a note.
    pub(crate) use std::sync::{OnceLock, PoisonError, TryLockError};
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
        /// Our own alert.
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
            if let Self::Protocol(alert) = self { Some(*alert) } else { None }
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
    /// As in the library.
    #[derive(Debug, PartialEq, Eq)]
    pub(crate) enum KeyUpdateRequest {
        NotRequested,
        Requested,
    }
}

pub(crate) mod record {
    use crate::error::Error;

    pub(crate) struct SealError;

    impl SealError {
        pub(crate) fn in_state(self, state: &'static str) -> Error {
            Error::WrongState { call: "seal", state }
        }
    }
}
