//! dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017): two classes of
//! inputs, the same work, and a t-test on its times.
//!
//! ```text
//! 1. prepare   the input of one call, of a class drawn at random, at the same addresses for both
//! 2. measure   that call by the CPU's time stamp counter, fenced
//! 3. crop      the measurements at many percentiles: interruptions make a call longer, and hide
//!              differences
//! 4. compare   Welch's t for each crop: beyond 10, the classes almost surely take different times
//! ```
//!
//! Other programs run on the machine, and a t-test over so many calls finds the smallest
//! disturbance. So a test that fails is repeated twice: time that depends on a secret fails each
//! time, and by far, as the control does.

#![expect(unsafe_code, reason = "reading the time stamp counter")]

use std::arch::x86_64::{__rdtscp, _mm_lfence};
use std::hint::black_box;

use fleeting::CipherSuite;
use fleeting::internals::Aead;

use crate::leaky;

/// The length of a text in bytes: two batches of the widest kernel, and a tail.
const LEN: usize = 1100;

/// The number of calls that a test measures, half of them in each class, and of those before that
/// are not measured.
const CALLS: usize = 200_000;
const WARM_UP: usize = 5_000;

/// The value of t beyond which the paper is sure that two classes differ.
const THRESHOLD: f64 = 10.0;

const ATTEMPTS: usize = 3;

/// The number of measurements that each class must have for a crop to count.
const FEWEST: f64 = 500.0;

pub fn run() -> Result<(), String> {
    let control = largest_t(&mut Comparison {
        right: [7; 16],
        other: [7; 16],
    });
    println!("leaky::compares: |t| up to {control:.1}, which must be found");
    if control < THRESHOLD {
        return Err("a comparison that ends at the first difference was not found".into());
    }

    let mut wrong = Vec::new();
    for width in ["aes-ni", "avx2", "avx512"] {
        for suite in [
            CipherSuite::TLS_AES_128_GCM_SHA256,
            CipherSuite::TLS_AES_256_GCM_SHA384,
        ] {
            for classes in [
                Classes::SealedKey,
                Classes::SealedText,
                Classes::OpenedKey,
                Classes::WrongTag,
            ] {
                let Some(mut record) = Record::new(width, suite, classes) else {
                    println!("{suite}, {width}: this CPU cannot");
                    break;
                };
                let mut attempts = Vec::new();
                while attempts.len() < ATTEMPTS && attempts.iter().all(|t| *t >= THRESHOLD) {
                    attempts.push(largest_t(&mut record));
                }
                println!(
                    "{suite}, {width}, {}: |t| up to {attempts:.1?}",
                    classes.name()
                );
                if attempts.iter().all(|t| *t >= THRESHOLD) {
                    wrong.push(format!(
                        "{suite}, {width}: the time depends on {}",
                        classes.name()
                    ));
                }
            }
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// The same work on inputs of two classes.
trait Work {
    fn prepare(&mut self, second: bool, random: &mut Random);
    fn call(&mut self);
}

/// What differs between the classes.
#[derive(Clone, Copy)]
enum Classes {
    SealedKey,
    SealedText,
    OpenedKey,
    WrongTag,
}

impl Classes {
    fn name(self) -> &'static str {
        match self {
            Self::SealedKey => "the key that seals, fixed or random",
            Self::SealedText => "the text that is sealed, zeros or random",
            Self::OpenedKey => "the key that opens, fixed or random",
            Self::WrongTag => "where the tag is wrong, in its first or its last byte",
        }
    }
}

/// One record.
struct Record {
    width: &'static str,
    suite: CipherSuite,
    classes: Classes,
    /// Drawn again for each call. Both classes make their key and their text of these, so that they
    /// read and write the same places in memory.
    drawn_key: Vec<u8>,
    drawn_text: Vec<u8>,
    /// The key of this call.
    key_bytes: Vec<u8>,
    /// What the call reads and writes.
    key: Option<Aead>,
    buffer: Vec<u8>,
    tag: [u8; 16],
}

const NONCE: [u8; 12] = *b"fixed nonces";

impl Record {
    fn new(width: &'static str, suite: CipherSuite, classes: Classes) -> Option<Self> {
        let len = if suite == CipherSuite::TLS_AES_128_GCM_SHA256 {
            16
        } else {
            32
        };
        let key = Aead::with_width(width, suite, &vec![7; len])?;
        Some(Self {
            width,
            suite,
            classes,
            drawn_key: vec![0; len],
            drawn_text: vec![0; LEN],
            key_bytes: vec![0; len],
            key: Some(key),
            buffer: vec![0; LEN],
            tag: [0; 16],
        })
    }
}

impl Work for Record {
    /// Takes the same steps for both classes: for either it draws and copies bytes, and expands a
    /// key.
    fn prepare(&mut self, second: bool, random: &mut Random) {
        random.fill(&mut self.drawn_key);
        random.fill(&mut self.drawn_text);
        let (random_key, random_text) = match self.classes {
            Classes::SealedKey | Classes::OpenedKey => (second, false),
            Classes::SealedText => (false, second),
            Classes::WrongTag => (false, false),
        };
        let mask = |is_random: bool| black_box(if is_random { 0xff } else { 0 });
        let key_mask = mask(random_key);
        for (place, byte) in self.key_bytes.iter_mut().zip(&self.drawn_key) {
            *place = (byte & key_mask) | (7 & !key_mask);
        }
        // The old key is dropped first, so that the new one takes its place in memory.
        self.key = None;
        let key = self.key.insert(
            Aead::with_width(self.width, self.suite, &self.key_bytes)
                .expect("the width was there before"),
        );
        let text_mask = mask(random_text);
        for (place, byte) in self.buffer.iter_mut().zip(&self.drawn_text) {
            *place = byte & text_mask;
        }
        match self.classes {
            Classes::SealedKey | Classes::SealedText => {}
            Classes::OpenedKey => self.tag = key.seal(&NONCE, b"aad", b"", &mut self.buffer),
            Classes::WrongTag => {
                self.tag = key.seal(&NONCE, b"aad", b"", &mut self.buffer);
                self.tag[if second { 15 } else { 0 }] ^= 1;
            }
        }
    }

    fn call(&mut self) {
        let Some(key) = &self.key else { return };
        match self.classes {
            Classes::SealedKey | Classes::SealedText => {
                _ = black_box(key.seal(&NONCE, b"aad", b"", &mut self.buffer))
            }
            Classes::OpenedKey | Classes::WrongTag => {
                _ = black_box(key.open(&NONCE, b"aad", &mut self.buffer, &self.tag, &mut []))
            }
        }
    }
}

/// The control: a comparison that leaks.
struct Comparison {
    right: [u8; 16],
    other: [u8; 16],
}

impl Work for Comparison {
    fn prepare(&mut self, second: bool, _: &mut Random) {
        self.other = self.right;
        self.other[if second { 15 } else { 0 }] ^= 1;
    }

    fn call(&mut self) {
        black_box(leaky::compares(&self.right, &self.other));
    }
}

/// Measures, and compares the two classes at every crop.
fn largest_t(work: &mut dyn Work) -> f64 {
    let mut random = Random(ticks() | 1);
    let mut times = Vec::with_capacity(CALLS);
    for number in 0..WARM_UP + CALLS {
        let second = random.next() >> 63 == 1;
        work.prepare(second, &mut random);
        let before = ticks();
        work.call();
        let time = ticks() - before;
        if number >= WARM_UP {
            times.push((time, second));
        }
    }
    times.sort_by_key(|(time, _)| *time);
    // The percentiles are those of the paper's own program, closer and closer to the longest time,
    // and all measurements.
    let crops = (1..=100)
        .map(|number| (CALLS as f64 * (1.0 - 0.5_f64.powf(f64::from(number) / 10.0))) as usize)
        .chain([CALLS]);
    let mut classes = [Sums::default(); 2];
    let mut added = 0;
    crops.fold(0.0, |largest, crop| {
        times[added..crop].iter().for_each(|(time, second)| {
            classes[usize::from(*second)].add((time - times[0].0) as f64)
        });
        added = crop;
        largest.max(welch(&classes).abs())
    })
}

/// Sums over the times of one class.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, time: f64) {
        self.count += 1.0;
        self.sum += time;
        self.squares += time * time;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    /// Returns the variance of the mean.
    fn variance(&self) -> f64 {
        (self.squares / self.count - self.mean() * self.mean()) / (self.count - 1.0)
    }
}

fn welch([first, second]: &[Sums; 2]) -> f64 {
    if first.count < FEWEST || second.count < FEWEST {
        return 0.0;
    }
    // A crop in which all times are equal has no variance, and no difference either.
    (first.mean() - second.mean()) / (first.variance() + second.variance()).max(1e-9).sqrt()
}

/// Reads the time after everything before is done and before anything after it begins.
fn ticks() -> u64 {
    // SAFETY: SSE2 is part of x86-64. Every CPU with AES-NI has RDTSCP, and the systems on which
    // Rust's `std` runs allow programs to use it.
    unsafe {
        _mm_lfence();
        let now = __rdtscp(&mut 0);
        _mm_lfence();
        now
    }
}

/// xorshift64*: fast, and not for secrets.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}
