//! The AEADs alone, with no TLS round them: what of a record's cost is the cipher's, and what is
//! the record layer's.

use std::hint::black_box;
use std::time::Instant;

use super::measure::{Block, Figures, Unit};

/// Bytes that are sealed, and then opened, between two looks at the clock: they stay in the first
/// two caches.
const BATCH: usize = 64 * 1024;

/// So many batches; the median of them counts, so that an interrupt does not.
const BATCHES: usize = 101;

pub const NONCE: [u8; 12] = [7; 12];
/// As long as a record's header.
pub const AAD: [u8; 5] = [23, 3, 3, 64, 17];
pub const TAG_LEN: usize = 16;

/// AES-GCM, in place; `record` is the text with room for the tag behind it.
pub trait Aead {
    /// `key` of 16 or of 32 bytes.
    fn new(key: &[u8]) -> Self;
    fn seal(&mut self, record: &mut [u8]);
    fn open(&mut self, record: &mut [u8]) -> bool;
}

/// What is measured of a cipher: its key of so many bytes set up, or texts of so many bytes sealed
/// and opened.
#[derive(Clone, Copy)]
pub struct Measure {
    key_len: usize,
    size: Option<usize>,
}

impl Measure {
    pub fn all() -> Vec<Self> {
        let sizes = [
            None,
            Some(64),
            Some(256),
            Some(1024),
            Some(1400),
            Some(16 * 1024),
        ];
        [16, 32]
            .into_iter()
            .flat_map(|key_len| sizes.map(|size| Self { key_len, size }))
            .collect()
    }

    pub fn name(&self) -> String {
        let cipher = format!("AES-{}-GCM", self.key_len * 8);
        match self.size {
            None => cipher,
            Some(size) => format!("{cipher}, {size} bytes"),
        }
    }

    pub fn block(&self, rounds: Vec<Vec<Figures>>) -> Block {
        let rows: &[_] = match self.size {
            None => &[("key set-up", Unit::Nanoseconds)],
            Some(_) => &[("seal", Unit::Nanoseconds), ("open", Unit::Nanoseconds)],
        };
        Block {
            name: self.name(),
            rows,
            rounds,
        }
    }

    pub fn run<A: Aead>(self) -> Figures {
        let key = vec![0x5a; self.key_len];
        let Some(size) = self.size else {
            return vec![median(|| {
                timed(1000, || {
                    (0..1000).for_each(|_| drop(black_box(A::new(black_box(&key)))))
                })
            })];
        };
        let mut key = A::new(&key);
        let count = BATCH / size;
        let mut records = vec![vec![0x5a; size + TAG_LEN]; count];
        let (mut seal, mut open) = (Vec::new(), Vec::new());
        // One batch more first.
        for batch in 0..=BATCHES {
            let sealing = timed(count, || {
                records.iter_mut().for_each(|record| key.seal(record))
            });
            let opening = timed(count, || {
                records
                    .iter_mut()
                    .for_each(|record| assert!(key.open(record), "what was sealed opens"))
            });
            if batch > 0 {
                seal.push(sealing);
                open.push(opening);
            }
        }
        vec![middle(seal), middle(open)]
    }
}

/// Nanoseconds for each of `count`.
fn timed(count: usize, f: impl FnOnce()) -> f64 {
    let began = Instant::now();
    f();
    began.elapsed().as_nanos() as f64 / count as f64
}

fn median(mut f: impl FnMut() -> f64) -> f64 {
    middle((0..11).map(|_| f()).collect())
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
