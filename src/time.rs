//! [`Now`]: time, as the caller tells it.
//!
//! Nothing below the streams reads a clock, so a whole conversation can be replayed or simulated.
//! It stands on the lowest floor because certificates, tickets and both state machines ask for it.

use core::time::Duration;

/// The time of one call, on two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since any fixed moment, on a clock that never goes back: for time-outs.
    pub monotonic: Duration,
    /// Time since 1970-01-01 00:00:00 UTC without leap seconds: for the validity of certificates.
    pub unix: Duration,
}
