//! [`Clock`]: the system's clocks. Streams read them, so that nothing below has to.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::time::Now;

/// The system's clocks; the monotonic one counts from when this was made.
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
        // A system that believes to be before 1970 has no certificate that is valid yet, and says
        // so.
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            monotonic: self.origin.elapsed(),
            unix,
        }
    }
}
