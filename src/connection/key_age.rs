//! [`KeyAge`]: how long a key has been in use, by the time that the connection is told.

use core::time::Duration;

/// The age of one direction's key. All times are on the monotonic clock.
#[derive(Debug)]
pub(super) struct KeyAge {
    now: Duration,
    since: Duration,
}

impl KeyAge {
    pub(super) fn new(now: Duration) -> Self {
        Self { now, since: now }
    }

    /// Tells the time. It never goes back.
    pub(super) fn at(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// A new key is in use from now on.
    pub(super) fn begin(&mut self) {
        self.since = self.now;
    }

    pub(super) fn now(&self) -> Duration {
        self.now
    }

    pub(super) fn age(&self) -> Duration {
        self.now.saturating_sub(self.since)
    }
}
