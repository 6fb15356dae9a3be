//! [`Now`]: the time, given by the caller.
//!
//! Nothing below the streams reads a clock, so a whole conversation can be replayed or simulated.
//! This file is on the lowest floor because certificates, tickets and both state machines need it.

use core::time::Duration;

/// The time of one call, on two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The time since any fixed moment, on a clock that never goes back. It is used for time-outs.
    pub monotonic: Duration,
    /// The time since 1970-01-01 00:00:00 UTC without leap seconds. It is used for the validity of
    /// certificates and the age of tickets.
    pub unix: Duration,
}
