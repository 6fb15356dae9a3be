//! The AEADs alone, with no TLS round them: what of a record's cost is the cipher's, and what is the record layer's.

use std::hint::black_box;
use std::time::Instant;

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::{Aes128Enc, Aes256Enc};
use fleeting::CipherSuite;
use fleeting::internals;

use crate::measure::{Block, Figures, Unit};

/// Bytes that are sealed, and then opened, between two looks at the clock: they stay in the first two caches.
const BATCH: usize = 64 * 1024;

/// So many batches; the median of them counts, so that an interrupt does not.
const BATCHES: usize = 101;

const NONCE: [u8; 12] = [7; 12];
/// As long as a record's header.
const AAD: [u8; 5] = [23, 3, 3, 64, 17];
const TAG_LEN: usize = 16;

/// AES-GCM, in place; `record` is the text with room for the tag behind it.
trait Aead {
    /// `key` of 16 or of 32 bytes.
    fn new(key: &[u8]) -> Self;
    fn seal(&self, record: &mut [u8]);
    fn open(&self, record: &mut [u8]) -> bool;
}

/// What is measured of a cipher: its key of so many bytes set up, or texts of so many bytes sealed and opened.
#[derive(Clone, Copy)]
pub struct Measure {
    key_len: usize,
    size: Option<usize>,
}

impl Measure {
    pub fn all() -> Vec<Self> {
        let sizes = [None, Some(64), Some(256), Some(1024), Some(1400), Some(16 * 1024)];
        [16, 32].into_iter().flat_map(|key_len| sizes.map(|size| Self { key_len, size })).collect()
    }

    pub fn block(&self, rounds: Vec<Vec<Figures>>) -> Block {
        let name = format!("AES-{}-GCM", self.key_len * 8);
        match self.size {
            None => Block { name, rows: &[("key set-up", Unit::Nanoseconds)], rounds },
            Some(size) => {
                Block { name: format!("{name}, {size} bytes"), rows: &[("seal", Unit::Nanoseconds), ("open", Unit::Nanoseconds)], rounds }
            }
        }
    }

    fn run<A: Aead>(self) -> Figures {
        let key = vec![0x5a; self.key_len];
        let Some(size) = self.size else {
            return vec![median(|| timed(1000, || (0..1000).for_each(|_| drop(black_box(A::new(black_box(&key)))))))];
        };
        let key = A::new(&key);
        let count = BATCH / size;
        let mut records = vec![vec![0x5a; size + TAG_LEN]; count];
        let (mut seal, mut open) = (Vec::new(), Vec::new());
        // One batch more first.
        for batch in 0..=BATCHES {
            let sealing = timed(count, || records.iter_mut().for_each(|record| key.seal(record)));
            let opening = timed(count, || records.iter_mut().for_each(|record| assert!(key.open(record), "what was sealed opens")));
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

type Run = fn(Measure) -> Figures;

/// Each cipher's name, and the measure run with it.
pub const CIPHERS: [(&str, Run); 4] = [
    ("fleeting", Measure::run::<internals::Aead>),
    ("aws-lc-rs", Measure::run::<aws_lc_rs::aead::LessSafeKey>),
    ("ring", Measure::run::<ring::aead::LessSafeKey>),
    ("aes-gcm", Measure::run::<RustCrypto>),
];

impl Aead for internals::Aead {
    fn new(key: &[u8]) -> Self {
        let suite = if key.len() == 16 { CipherSuite::TLS_AES_128_GCM_SHA256 } else { CipherSuite::TLS_AES_256_GCM_SHA384 };
        Self::new(suite, key).expect("a key")
    }

    fn seal(&self, record: &mut [u8]) {
        let (text, tag) = record.split_last_chunk_mut::<TAG_LEN>().expect("room for the tag");
        *tag = self.seal(&NONCE, &AAD, &[], text);
    }

    fn open(&self, record: &mut [u8]) -> bool {
        let (text, tag) = record.split_last_chunk_mut::<TAG_LEN>().expect("a tag");
        self.open(&NONCE, &AAD, text, tag, &mut [])
    }
}

/// aws-lc-rs has ring's interface: the two that rustls's providers call.
macro_rules! like_ring {
    ($library:ident) => {
        impl Aead for $library::aead::LessSafeKey {
            fn new(key: &[u8]) -> Self {
                let algorithm = if key.len() == 16 { &$library::aead::AES_128_GCM } else { &$library::aead::AES_256_GCM };
                Self::new($library::aead::UnboundKey::new(algorithm, key).expect("a key"))
            }

            fn seal(&self, record: &mut [u8]) {
                use $library::aead::{Aad, Nonce};
                let (text, tag) = record.split_last_chunk_mut::<TAG_LEN>().expect("room for the tag");
                let made = self.seal_in_place_separate_tag(Nonce::assume_unique_for_key(NONCE), Aad::from(AAD), text).expect("sealed");
                tag.copy_from_slice(made.as_ref());
            }

            fn open(&self, record: &mut [u8]) -> bool {
                use $library::aead::{Aad, Nonce};
                self.open_in_place(Nonce::assume_unique_for_key(NONCE), Aad::from(AAD), record).is_ok()
            }
        }
    };
}

like_ring!(aws_lc_rs);
like_ring!(ring);

enum RustCrypto {
    Aes128(Box<AesGcm<Aes128Enc, U12>>),
    Aes256(Box<AesGcm<Aes256Enc, U12>>),
}

impl Aead for RustCrypto {
    fn new(key: &[u8]) -> Self {
        match key.len() {
            16 => Self::Aes128(Box::new(KeyInit::new_from_slice(key).expect("a key"))),
            _ => Self::Aes256(Box::new(KeyInit::new_from_slice(key).expect("a key"))),
        }
    }

    fn seal(&self, record: &mut [u8]) {
        let (text, tag) = record.split_last_chunk_mut::<TAG_LEN>().expect("room for the tag");
        let made = match self {
            Self::Aes128(key) => key.encrypt_inout_detached(&NONCE.into(), &AAD, text.into()),
            Self::Aes256(key) => key.encrypt_inout_detached(&NONCE.into(), &AAD, text.into()),
        };
        *tag = made.expect("sealed").into();
    }

    fn open(&self, record: &mut [u8]) -> bool {
        let (text, tag) = record.split_last_chunk_mut::<TAG_LEN>().expect("a tag");
        let tag = (&*tag).into();
        match self {
            Self::Aes128(key) => key.decrypt_inout_detached(&NONCE.into(), &AAD, text.into(), tag),
            Self::Aes256(key) => key.decrypt_inout_detached(&NONCE.into(), &AAD, text.into(), tag),
        }
        .is_ok()
    }
}
