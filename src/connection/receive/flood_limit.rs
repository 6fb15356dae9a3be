//! [`FloodLimit`]: how much a peer may send that carries no application data (empty records,
//! KeyUpdates, tickets, user_canceled alerts). Each is legal, costs us work, and is therefore
//! bounded.
//!
//! The rule: a peer may send one of them for each of 64, which its application data restores, for
//! each record of application data that we seal, of which at most 2^17 are kept for later, and for
//! each second that passes between our reads, of which at most 1,024 are kept.
//!
//! So a peer that renews its keys now and then, or hides in cover traffic, may live as long as it
//! likes (RFC 9846, 4.7.3 and 5.1); and one that asks for new keys with every record that it
//! receives, as a JDK does, may do so however late we read it. Such a peer costs us no more than we
//! have spent on it. Our answers to its KeyUpdates do not count, or it could earn one request with
//! another.
//!
//! Tickets are counted apart, by a simpler rule: 1,024 since the last application data either way,
//! less one a second.

use core::time::Duration;

use crate::error::Fault;

/// How many records and messages without application data may follow application data.
const BUCKET: usize = 64;

/// How many records of ours may allow one more each. It is more than a peer can have sent unread: a
/// KeyUpdate for each fills 3.5 MB of socket buffers.
const MAX_SEALED: usize = 1 << 17;

/// How many seconds may allow one more each.
const MAX_SECONDS: usize = 1024;

/// How many tickets in a row are of use to a client, which stores a few of them.
const MAX_USEFUL_TICKETS: usize = 64;

/// How many tickets in a row may come. Those beyond use are skipped, which costs little.
const MAX_IDLE_TICKETS: usize = 1024;

/// Counts down what the peer may still send without application data, and counts its tickets.
#[derive(Debug)]
pub(crate) struct FloodLimit {
    /// What is left of the 64.
    bucket: usize,
    /// What is left of the records that we sealed.
    sealed: usize,
    /// What is left of the seconds that passed.
    seconds: usize,
    tickets: usize,
    /// Bytes have arrived of which the time is not known yet.
    arrived: bool,
    /// When bytes last arrived, less the part of a second that has not been counted. None before
    /// the first ones.
    since: Option<Duration>,
}

impl Default for FloodLimit {
    fn default() -> Self {
        Self {
            bucket: BUCKET,
            sealed: 0,
            seconds: 0,
            tickets: 0,
            arrived: false,
            since: None,
        }
    }
}

impl FloodLimit {
    /// Application data was received.
    pub(crate) fn data(&mut self) {
        self.bucket = BUCKET;
        self.tickets = 0;
    }

    /// We have sealed `count` more records of application data.
    pub(crate) fn sealed(&mut self, count: usize) {
        self.sealed = self.sealed.saturating_add(count).min(MAX_SEALED);
        if count > 0 {
            self.tickets = 0;
        }
    }

    /// Bytes have arrived. [`tick`](Self::tick) says when.
    pub(crate) fn arrived(&mut self) {
        self.arrived = true;
    }

    /// Counts the time up to now if bytes have arrived since the last call. `now` is monotonic.
    ///
    /// What arrived at once was sent without a pause, however slowly it is processed; and what was
    /// sent while nobody read arrives at once.
    pub(crate) fn tick(&mut self, now: Duration) {
        if !core::mem::take(&mut self.arrived) {
            return;
        }
        let since = self.since.get_or_insert(now);
        let seconds = now.saturating_sub(*since).as_secs();
        *since = since.saturating_add(Duration::from_secs(seconds));
        let seconds = usize::try_from(seconds).unwrap_or(usize::MAX);
        self.seconds = self.seconds.saturating_add(seconds).min(MAX_SECONDS);
        self.tickets = self.tickets.saturating_sub(seconds);
    }

    /// Counts one record or message that is not a ticket.
    pub(crate) fn add(&mut self, what: &'static str) -> Result<(), Fault> {
        // The bucket first, because data refills it.
        for left in [&mut self.bucket, &mut self.sealed, &mut self.seconds] {
            if *left > 0 {
                *left -= 1;
                return Ok(());
            }
        }
        Err(Fault::TooMany {
            what,
            limit: BUCKET,
        })
    }

    /// Counts one ticket.
    pub(crate) fn add_ticket(&mut self) -> Result<(), Fault> {
        if self.tickets >= MAX_IDLE_TICKETS {
            return Err(Fault::TooMany {
                what: "tickets without application data",
                limit: MAX_IDLE_TICKETS,
            });
        }
        self.tickets += 1;
        Ok(())
    }

    /// Returns true if one more ticket is of no use.
    pub(crate) fn has_enough_tickets(&self) -> bool {
        self.tickets >= MAX_USEFUL_TICKETS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spends what is allowed, and returns how much that was.
    fn spend(idle: &mut FloodLimit) -> usize {
        let mut count = 0;
        while idle.add("messages").is_ok() {
            count += 1;
        }
        count
    }

    fn read_at(idle: &mut FloodLimit, seconds: u64) {
        idle.arrived();
        idle.tick(Duration::from_secs(seconds));
    }

    #[test]
    fn a_burst_is_bounded_and_a_rate_is_not() {
        let mut idle = FloodLimit::default();
        for second in 0..100_000 {
            read_at(&mut idle, second);
            idle.add("messages").unwrap();
        }
        assert_eq!(spend(&mut idle), 63);
        read_at(&mut idle, 1_000_000);
        assert_eq!(spend(&mut idle), 1024);
        idle.data();
        assert_eq!(spend(&mut idle), 64);
    }

    #[test]
    fn each_source_has_its_own_cap() {
        for (sealed, seconds, allowed) in [
            (0, 0, 64),
            (1, 0, 65),
            (0, 1, 65),
            ((1 << 17) - 1, 1023, 64 + (1 << 17) - 1 + 1023),
            (1 << 17, 1024, 64 + (1 << 17) + 1024),
            ((1 << 17) + 1, 1025, 64 + (1 << 17) + 1024),
            (usize::MAX, u64::MAX, 64 + (1 << 17) + 1024),
        ] {
            let mut idle = FloodLimit::default();
            read_at(&mut idle, 0);
            idle.sealed(sealed);
            read_at(&mut idle, seconds);
            assert_eq!(spend(&mut idle), allowed, "{sealed}, {seconds}");
        }
    }

    #[test]
    fn no_time_passes_without_bytes() {
        let mut idle = FloodLimit::default();
        read_at(&mut idle, 5);
        idle.tick(Duration::from_secs(10));
        assert_eq!(spend(&mut idle), 64);
        // They arrived after all that time.
        read_at(&mut idle, 12);
        assert_eq!(spend(&mut idle), 7);
        // A clock that goes back takes nothing away and gives nothing.
        read_at(&mut idle, 1);
        assert_eq!(spend(&mut idle), 0);
    }
}
