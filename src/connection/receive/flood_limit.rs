//! [`FloodLimit`]: how much a peer may send that carries no application data (empty records,
//! KeyUpdates, tickets, user_canceled alerts). Each is legal, costs us work, and is therefore
//! bounded.

use core::time::Duration;

use crate::error::Fault;

/// How many records and messages in a row may carry no application data.
const MAX_IDLE_MESSAGES: usize = 64;

/// How many tickets in a row are of use to a client, which stores a few of them.
const MAX_USEFUL_TICKETS: usize = 64;

/// How many tickets in a row may come. Those beyond use are skipped, which costs little.
const MAX_IDLE_TICKETS: usize = 1024;

/// How long it takes to forgive one of them. The bound is a rate, not a number: a connection that
/// renews its keys now and then, or hides in cover traffic, may live as long as it likes (RFC 9846,
/// 4.7.3 and 5.1).
const FORGIVEN_AFTER: Duration = Duration::from_secs(1);

/// Counts what came since the last application data, less what time has forgiven: tickets, and all
/// else.
#[derive(Debug, Default)]
pub(crate) struct FloodLimit {
    messages: Count,
    tickets: Count,
}

#[derive(Debug, Default)]
struct Count {
    count: usize,
    /// Up to when time has been counted.
    since: Duration,
}

impl FloodLimit {
    /// Starts again from zero: application data was received or sent.
    pub(crate) fn reset(&mut self) {
        self.messages.count = 0;
        self.tickets.count = 0;
    }

    /// Counts one record or message that is not a ticket. `now` is monotonic.
    pub(crate) fn add(&mut self, what: &'static str, now: Duration) -> Result<(), Fault> {
        self.messages.add(what, MAX_IDLE_MESSAGES, now)
    }

    /// Counts one ticket. `now` is monotonic.
    pub(crate) fn add_ticket(&mut self, now: Duration) -> Result<(), Fault> {
        let what = "tickets without application data";
        self.tickets.add(what, MAX_IDLE_TICKETS, now)
    }

    /// Returns true if one more ticket is of no use. `now` is monotonic.
    pub(crate) fn has_enough_tickets(&mut self, now: Duration) -> bool {
        self.tickets.forgive(now);
        self.tickets.count >= MAX_USEFUL_TICKETS
    }
}

impl Count {
    fn add(&mut self, what: &'static str, limit: usize, now: Duration) -> Result<(), Fault> {
        self.forgive(now);
        if self.count >= limit {
            return Err(Fault::TooMany { what, limit });
        }
        self.count += 1;
        Ok(())
    }

    fn forgive(&mut self, now: Duration) {
        while self.count > 0 && now.saturating_sub(self.since) >= FORGIVEN_AFTER {
            self.count -= 1;
            self.since += FORGIVEN_AFTER;
        }
        if self.count == 0 {
            self.since = now;
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
