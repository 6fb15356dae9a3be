//! [`Clock`]: the system's clocks, which streams read so that nothing below has to.

use std::time::Instant;

use crate::time::Now;

/// The system's clocks. The monotonic one counts from the creation of this value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    pub(super) fn now(self) -> Now {
        Now::since(self.origin)
    }
}
