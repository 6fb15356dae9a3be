//! [`FloodLimit`]: how much a peer may send that carries no application data (empty records,
//! KeyUpdates, tickets, user_canceled alerts). Each is legal, costs us work, and is therefore
//! bounded.

use core::time::Duration;

use crate::error::Fault;

/// How many records and messages in a row may carry no application data.
const MAX_IDLE_MESSAGES: usize = 64;

/// How long it takes to forgive one of them. The bound is a rate, not a number: a connection that
/// renews its keys now and then, or hides in cover traffic, may live as long as it likes (RFC 9846,
/// 4.7.3 and 5.1).
const FORGIVEN_AFTER: Duration = Duration::from_secs(1);

/// Counts what came since the last application data, less what time has forgiven.
#[derive(Debug, Default)]
pub(crate) struct FloodLimit {
    count: usize,
    /// Up to when time has been counted.
    since: Duration,
}

impl FloodLimit {
    /// Starts again from zero: application data was received or sent.
    pub(crate) fn reset(&mut self) {
        self.count = 0;
    }

    /// Counts one record or message. `now` is monotonic.
    pub(crate) fn add(&mut self, what: &'static str, now: Duration) -> Result<(), Fault> {
        while self.count > 0 && now.saturating_sub(self.since) >= FORGIVEN_AFTER {
            self.count -= 1;
            self.since += FORGIVEN_AFTER;
        }
        if self.count == 0 {
            self.since = now;
        }
        self.count += 1;
        if self.count > MAX_IDLE_MESSAGES {
            Err(Fault::TooMany {
                what,
                limit: MAX_IDLE_MESSAGES,
            })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_bounded_and_a_rate_is_not() {
        let mut idle = FloodLimit::default();
        for second in 0..100_000 {
            idle.add("messages", Duration::from_secs(second)).unwrap();
        }
        let now = Duration::from_secs(1_000_000);
        for _ in 0..64 {
            idle.add("messages", now).unwrap();
        }
        assert!(matches!(
            idle.add("messages", now),
            Err(Fault::TooMany {
                what: "messages",
                limit: 64
            })
        ));
    }

    #[test]
    fn a_second_forgives_one() {
        let mut idle = FloodLimit::default();
        for _ in 0..64 {
            idle.add("messages", Duration::ZERO).unwrap();
        }
        idle.add("messages", Duration::from_secs(1)).unwrap();
        assert!(idle.add("messages", Duration::from_millis(1999)).is_err());
    }
}
