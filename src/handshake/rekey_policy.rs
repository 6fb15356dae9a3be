//! [`RekeyPolicy`]: when session keys are renewed without anyone asking (RFC 9846, 4.7.3 and 5.5).

use core::time::Duration;

use crate::record::KeyUse;

/// By how much at least a peer may exceed this policy's limits before it is asked: by the record
/// that crosses the limit, and by a server's tickets.
const PEER_RECORDS: u64 = 16;
const PEER_BYTES: u64 = 1 << 15;

/// How much one key may protect, and for how long, before it is renewed.
///
/// A key is renewed when the first of three limits is reached. This side renews the key that it
/// sends under. If the peer goes on past one and a half times a limit (and 16 records or 32 KiB
/// past it), this side asks it to renew its key. Nobody waits for a renewal, and the application
/// does not notice it.
///
/// ```
/// use std::time::Duration;
/// use fleeting::{Client, RekeyPolicy, Trust};
///
/// # fn run(trust: Trust) -> Result<(), fleeting::Error> {
/// let policy = RekeyPolicy::default().bytes(64 << 20).age(Duration::from_secs(60));
/// let client = Client::builder().trust(trust).rekey_policy(policy).build()?;
/// # Ok(())
/// # }
/// ```
///
/// # What is guaranteed
///
/// * No key of this side exceeds a limit by more than one record, with these exceptions: no key is
///   renewed because of its age more than once a second, nor more often than
///   [`max_updates_per_second`](Self::max_updates_per_second) allows; and the key of early data
///   cannot be renewed.
/// * A direction in which nothing is sent is not renewed: its key protects nothing meanwhile. It is
///   renewed before the next data.
/// * Of the peer's key nothing can be guaranteed. It is asked at most once a second, at most eight
///   times until this side sends application data, and not again before it has answered. A peer
///   that does not renew its key is not refused.
///
/// A peer of another implementation that receives more than a certain number of KeyUpdates gives up
/// the connection. Some count those without data between them, of which this policy sends at most
/// eight, beside the answers to the peer's own requests. Others count those in a second: see
/// [`max_updates_per_second`](Self::max_updates_per_second).
///
/// The connection's time is what the caller passes to
/// [`Connection::process`](crate::Connection::process). Streams read the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RekeyPolicy {
    records: u64,
    bytes: u64,
    age: Duration,
    /// The shortest time between two renewals of our own key, as far as this policy decides them.
    pub(crate) pause: Duration,
}

impl Default for RekeyPolicy {
    /// 2^20 records, 2^30 bytes (1 GiB), 5 minutes.
    ///
    /// AES-GCM would allow 23,726,566 records (RFC 9846, 5.5). A JDK asks for a new key itself
    /// after 2^37 bytes.
    fn default() -> Self {
        Self {
            records: 1 << 20,
            bytes: 1 << 30,
            age: Duration::from_secs(5 * 60),
            pause: Duration::ZERO,
        }
    }
}

impl RekeyPolicy {
    /// Keys are renewed only when the program or the peer asks, or before the AEAD's limit (RFC
    /// 9846, 5.5).
    pub const fn never() -> Self {
        Self {
            records: u64::MAX,
            bytes: u64::MAX,
            age: Duration::MAX,
            pause: Duration::ZERO,
        }
    }

    /// Sets how many records one key may protect. Every record counts.
    #[must_use]
    pub const fn records(mut self, records: u64) -> Self {
        self.records = records;
        self
    }

    /// Sets how many bytes one key may protect: content, content types and padding of its records.
    #[must_use]
    pub const fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets how long one key may be in use. A time of less than a second counts as one second.
    #[must_use]
    pub const fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Sets how often this policy may renew the sending key in a second, for peers that count. By
    /// default it is as often as the limits demand. A key exceeds the limits if data flows faster
    /// than this allows.
    ///
    /// GnuTLS ends a connection on which more than eight KeyUpdates arrive within a second. With
    /// the default limits this takes more than 8 GiB or 8 million records a second. With lower
    /// limits, and such peers, set this to 4: other renewals may come on top.
    #[must_use]
    pub const fn max_updates_per_second(mut self, count: u32) -> Self {
        self.pause = match Duration::from_secs(1).checked_div(count) {
            Some(pause) => pause,
            None => Duration::MAX,
        };
        self
    }

    /// Returns what is wrong with the settings.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.records == 0 || self.bytes == 0 || self.age.is_zero() {
            return Err(
                "its limits must be above zero; to renew no keys, use RekeyPolicy::never()",
            );
        }
        if self.pause == Duration::MAX {
            return Err("max_updates_per_second must be above zero");
        }
        Ok(())
    }

    /// Returns the limit that a key has reached.
    #[inline]
    pub(crate) fn reached(&self, used: KeyUse, age: Duration) -> Option<ReachedLimit> {
        if used.bytes >= self.bytes {
            Some(ReachedLimit::Bytes)
        } else if used.records >= self.records {
            Some(ReachedLimit::Records)
        } else if age >= self.age {
            Some(ReachedLimit::Age)
        } else {
            None
        }
    }

    /// Returns the limits past which a peer is asked for a new key: one and a half times these, so
    /// that a peer with the same policy is never asked.
    pub(crate) fn for_peer(self) -> Self {
        let half_more = |limit: u64, least: u64| limit.saturating_add(least.max(limit / 2));
        Self {
            records: half_more(self.records, PEER_RECORDS),
            bytes: half_more(self.bytes, PEER_BYTES),
            age: self.age.saturating_add(self.age / 2),
            ..self
        }
    }
}

/// A limit of a [`RekeyPolicy`] that a key has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReachedLimit {
    Bytes,
    Records,
    Age,
}
