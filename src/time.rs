//! [`Now`]: the time, given by the caller.
//!
//! Nothing below the streams reads a clock, so a whole conversation can be replayed or simulated.
//! This file is on the lowest floor because certificates, tickets and both state machines need it.

use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The time of one call, on two clocks.
///
/// ```
/// use std::time::{Duration, Instant};
/// use fleeting::Now;
///
/// let start = Instant::now(); // when the program, or the connection, began
/// let now = Now::since(start);
/// # assert!(now.unix > now.monotonic);
///
/// // A simulation sets its own time.
/// let now = Now::new(Duration::from_millis(20), Duration::from_secs(1_800_000_000));
/// # assert_eq!(now.monotonic.as_millis(), 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Now {
    /// The time since any fixed moment, on a clock that never goes back. It is used for time-outs
    /// and rates.
    pub monotonic: Duration,
    /// The time since 1970-01-01 00:00:00 UTC without leap seconds. It is used for the validity of
    /// certificates and the age of tickets.
    pub unix: Duration,
}

impl Now {
    /// Creates a `Now` from two times: `monotonic` since any fixed moment, `unix` since 1970-01-01
    /// 00:00:00 UTC.
    pub const fn new(monotonic: Duration, unix: Duration) -> Self {
        Self { monotonic, unix }
    }

    /// Reads the system's clocks. `monotonic` is the time since `start`, which must be the same in
    /// all calls for one connection.
    ///
    /// If the system's clock is before 1970, `unix` is zero: then no certificate is valid yet.
    ///
    /// # Panics
    ///
    /// Panics on targets without a clock (`wasm32-unknown-unknown`). Use [`new`](Self::new) there.
    pub fn since(start: Instant) -> Self {
        Self::elapsed(start, Instant::now())
    }

    /// Like [`since`](Self::since), if the monotonic clock shows `now`.
    pub(crate) fn elapsed(start: Instant, now: Instant) -> Self {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::new(now.saturating_duration_since(start), unix)
    }
}
