//! Limits on what peers that nobody knows yet can take from others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// From this many entries on, those that have no effect are looked for.
const SWEEP: usize = 1024;

/// A token bucket. It holds the tokens of one second.
#[derive(Debug)]
pub struct Bucket {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub fn new(per_second: u32, now: Instant) -> Self {
        Self {
            per_second: per_second.into(),
            tokens: per_second.into(),
            filled: now,
        }
    }

    /// Takes a token, or returns how long it takes until there is one.
    fn try_take(&mut self, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64(
            (1.0 - self.tokens) / self.per_second,
        ))
    }

    /// Waits for a token.
    pub async fn take(&mut self) {
        while let Err(wait) = self.try_take(Instant::now()) {
            // The timer counts in milliseconds.
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled);
        let more = passed.as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + more).min(self.per_second);
        self.filled = now;
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.per_second
    }
}

/// What each address may take: a number of handshakes at a time, and half of the handshakes a
/// second. So one address does not keep others from connecting.
#[derive(Clone, Debug)]
pub struct Addresses(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    at_a_time: u32,
    per_second: Option<u32>,
    shares: HashMap<IpAddr, Share>,
    sweep: usize,
}

#[derive(Debug)]
struct Share {
    running: u32,
    bucket: Option<Bucket>,
}

impl Share {
    /// Returns true if a new one would be the same.
    fn is_idle(&mut self, now: Instant) -> bool {
        self.running == 0
            && self
                .bucket
                .as_mut()
                .is_none_or(|bucket| bucket.is_full(now))
    }
}

/// A handshake that counts for its address until this is dropped.
#[derive(Debug)]
pub struct Place {
    addresses: Addresses,
    key: IpAddr,
}

impl Addresses {
    pub fn new(at_a_time: u32, handshakes_per_second: Option<u32>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            at_a_time,
            per_second: handshakes_per_second.map(|rate| (rate / 2).max(1)),
            shares: HashMap::new(),
            sweep: SWEEP,
        })))
    }

    /// Begins a handshake, unless the address has its share already.
    pub fn enter(&self, address: IpAddr, now: Instant) -> Option<Place> {
        let key = key(address);
        let mut inner = self.lock();
        if inner.shares.len() >= inner.sweep {
            inner.shares.retain(|_, share| !share.is_idle(now));
            inner.sweep = SWEEP.max(2 * inner.shares.len());
        }
        let (at_a_time, per_second) = (inner.at_a_time, inner.per_second);
        let share = inner.shares.entry(key).or_insert_with(|| Share {
            running: 0,
            bucket: per_second.map(|rate| Bucket::new(rate, now)),
        });
        if share.running >= at_a_time {
            return None;
        }
        if let Some(bucket) = &mut share.bucket {
            bucket.try_take(now).ok()?;
        }
        share.running += 1;
        Some(Place {
            addresses: self.clone(),
            key,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.addresses.lock();
        if let Some(share) = inner.shares.get_mut(&self.key) {
            share.running -= 1;
            if share.is_idle(Instant::now()) {
                inner.shares.remove(&self.key);
            }
        }
    }
}

/// A customer of a network usually has 64 bits of IPv6 addresses to choose from.
fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_bucket_gives_what_it_is_told() {
        let start = Instant::now();
        let mut bucket = Bucket::new(5, start);
        let mut now = start;
        let mut take = |count| {
            for _ in 0..count {
                while let Err(wait) = bucket.try_take(now) {
                    now += wait;
                }
            }
            now - start
        };
        assert_eq!(take(5), Duration::ZERO);
        let took = take(20).as_secs_f64();
        assert!((3.99..4.01).contains(&took), "{took}");
        // It does not hold more than one second's.
        let later = start + 100 * SECOND;
        for _ in 0..5 {
            bucket.try_take(later).unwrap();
        }
        bucket.try_take(later).unwrap_err();
    }

    #[test]
    fn an_address_has_its_share() {
        let now = Instant::now();
        let addresses = Addresses::new(2, Some(8));
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let places = [addresses.enter(one, now), addresses.enter(one, now)];
        assert!(places.iter().all(Option::is_some));
        assert!(addresses.enter(one, now).is_none());
        assert!(addresses.enter(other, now).is_some());
        drop(places);
        // Two of its four for this second are left.
        for left in [true, true, false] {
            assert_eq!(addresses.enter(one, now).is_some(), left);
        }
        assert!(addresses.enter(one, now + SECOND).is_some());
    }

    #[test]
    fn addresses_that_are_gone_are_forgotten() {
        let mut now = Instant::now();
        let addresses = Addresses::new(1, Some(8));
        for number in 0..100_000_u32 {
            assert!(addresses.enter(IpAddr::V4(number.into()), now).is_some());
            now += SECOND / 1000;
        }
        assert!(addresses.lock().shares.len() <= 2 * SWEEP);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let [one, same, other, mapped] = ["fd00::1", "fd00::2", "fd00:0:0:1::1", "::ffff:10.0.0.1"]
            .map(|text| key(text.parse().unwrap()));
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_eq!(mapped, IpAddr::from([10, 0, 0, 1]));
    }
}
