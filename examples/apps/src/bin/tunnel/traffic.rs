//! What one connection has carried, and when it last did.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::Counts;

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Direction {
    /// From the accepted connection to the one that was made for it.
    Forward,
    Back,
}

impl Direction {
    pub fn opposite(self) -> Self {
        match self {
            Self::Forward => Self::Back,
            Self::Back => Self::Forward,
        }
    }
}

/// The bytes of one connection.
#[derive(Debug)]
pub struct Traffic {
    counts: Arc<Counts>,
    forward: AtomicU64,
    back: AtomicU64,
    start: Instant,
    /// When something last moved, in milliseconds from the start.
    last: AtomicU64,
}

impl Traffic {
    pub fn new(counts: Arc<Counts>) -> Self {
        Self {
            counts,
            forward: AtomicU64::new(0),
            back: AtomicU64::new(0),
            start: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    /// Adds what the other side's socket has taken.
    pub fn add(&self, direction: Direction, count: usize) {
        let count = count as u64;
        match direction {
            Direction::Forward => self.forward.fetch_add(count, Relaxed),
            Direction::Back => self.back.fetch_add(count, Relaxed),
        };
        self.counts.bytes(direction, count);
        self.last
            .store(self.start.elapsed().as_millis() as u64, Relaxed);
    }

    pub fn forward(&self) -> u64 {
        self.forward.load(Relaxed)
    }

    pub fn back(&self) -> u64 {
        self.back.load(Relaxed)
    }

    /// Returns when nothing has moved for this long, from now on.
    pub async fn idle(&self, limit: Duration) {
        let from = self.start.elapsed();
        loop {
            let last = Duration::from_millis(self.last.load(Relaxed)).max(from);
            let end = last.saturating_add(limit);
            match end.checked_sub(self.start.elapsed()) {
                // The timer counts in milliseconds too.
                Some(left) if !left.is_zero() => tokio::time::sleep(left).await,
                _ => return,
            }
        }
    }
}
