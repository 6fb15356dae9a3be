//! [`Clock`]: the system's clocks, which streams read so that nothing below has to.

use std::time::{Duration, Instant};

use crate::time::Now;

/// The system's clocks. The monotonic one counts from the creation of this value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
    monotonic: fn() -> Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self::start_by(Instant::now)
    }

    /// Starts with the monotonic clock that `monotonic` reads, such as an async runtime's.
    pub(super) fn start_by(monotonic: fn() -> Instant) -> Self {
        Self {
            origin: monotonic(),
            monotonic,
        }
    }

    /// Returns the time on the monotonic clock alone.
    pub(super) fn monotonic(self) -> Duration {
        (self.monotonic)().saturating_duration_since(self.origin)
    }

    pub(super) fn now(self) -> Now {
        Now::elapsed(self.origin, (self.monotonic)())
    }
}
