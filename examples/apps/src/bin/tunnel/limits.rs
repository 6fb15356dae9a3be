//! Limits on what peers that nobody knows yet can take from others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// From this many entries on, those that have no effect are looked for.
const SWEEP: usize = 1024;

/// A number of handshakes a second, as a token bucket that holds the tokens of one second. A token
/// can be taken before it is there: its taker waits, and those who come later wait longer.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    /// Below zero by what was taken in advance.
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(per_second: u32, now: Instant) -> Self {
        Self {
            per_second: per_second.into(),
            tokens: per_second.into(),
            filled: now,
        }
    }

    /// Takes a token, and returns how long to wait for it.
    fn take(&mut self, now: Instant) -> Duration {
        self.fill(now);
        self.tokens -= 1.0;
        Duration::from_secs_f64((-self.tokens / self.per_second).max(0.0))
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled);
        let more = passed.as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + more).min(self.per_second);
        self.filled = self.filled.max(now);
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.per_second
    }
}

/// The handshakes a second of all addresses together.
#[derive(Debug)]
pub struct Rate(Mutex<Bucket>);

impl Rate {
    pub fn new(per_second: u32) -> Self {
        Self(Mutex::new(Bucket::new(per_second, Instant::now())))
    }

    /// Waits until another handshake may begin.
    pub async fn turn(&self) {
        let wait = lock(&self.0).take(Instant::now());
        tokio::time::sleep(wait).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What each address may take: a number of handshakes at a time, and half of the handshakes a
/// second. So one address does not keep others from connecting.
///
/// Handshakes above the rate wait; those above the number are refused, since waiting they would
/// be in the way of others.
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
        share.running += 1;
        Some(Place {
            addresses: self.clone(),
            key,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.0)
    }
}

impl Place {
    /// Waits until another handshake of this address may begin.
    pub async fn turn(&self) {
        tokio::time::sleep(self.wait(Instant::now())).await;
    }

    fn wait(&self, now: Instant) -> Duration {
        let mut inner = self.addresses.lock();
        let bucket = inner
            .shares
            .get_mut(&self.key)
            .and_then(|share| share.bucket.as_mut());
        bucket.map_or(Duration::ZERO, |bucket| bucket.take(now))
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
        for _ in 0..5 {
            assert_eq!(bucket.take(start), Duration::ZERO);
        }
        for number in 1..=20 {
            assert_eq!(bucket.take(start), SECOND * number / 5);
        }
        // It does not hold more than one second's.
        let later = start + 100 * SECOND;
        for _ in 0..5 {
            assert_eq!(bucket.take(later), Duration::ZERO);
        }
        assert_eq!(bucket.take(later), SECOND / 5);
    }

    #[test]
    fn an_address_has_its_share() {
        // Later than what dropping a place sees, so that no time passes.
        let now = Instant::now() + 1000 * SECOND;
        let addresses = Addresses::new(2, Some(4));
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let enter = |address| addresses.enter(address, now);
        let places = [enter(one).unwrap(), enter(one).unwrap()];
        assert!(enter(one).is_none());
        // Half of four a second.
        for place in &places {
            assert_eq!(place.wait(now), Duration::ZERO);
        }
        drop(places);
        assert_eq!(enter(one).unwrap().wait(now), SECOND / 2);
        assert_eq!(enter(one).unwrap().wait(now), SECOND);
        assert_eq!(enter(other).unwrap().wait(now), Duration::ZERO);
    }

    #[test]
    fn addresses_that_are_gone_are_forgotten() {
        let mut now = Instant::now();
        let addresses = Addresses::new(1, Some(8));
        for number in 0..100_000_u32 {
            let place = addresses.enter(IpAddr::V4(number.into()), now);
            assert_eq!(place.unwrap().wait(now), Duration::ZERO);
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
