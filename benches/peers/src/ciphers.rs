//! The AEADs of the libraries that can be linked into one program.

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::{Aes128Enc, Aes256Enc};
use fleeting::CipherSuite;
use fleeting::internals;

use crate::harness::aead::{AAD, Aead, Measure, NONCE, TAG_LEN};
use crate::harness::measure::Figures;

type Run = fn(Measure) -> Figures;

/// Each cipher's name, and the measure run with it.
pub const ALL: [(&str, Run); 4] = [
    ("fleeting", Measure::run::<internals::Aead>),
    ("aws-lc-rs", Measure::run::<aws_lc_rs::aead::LessSafeKey>),
    ("ring", Measure::run::<ring::aead::LessSafeKey>),
    ("aes-gcm", Measure::run::<RustCrypto>),
];

impl Aead for internals::Aead {
    fn new(key: &[u8]) -> Self {
        let suite = if key.len() == 16 {
            CipherSuite::TLS_AES_128_GCM_SHA256
        } else {
            CipherSuite::TLS_AES_256_GCM_SHA384
        };
        Self::new(suite, key).expect("a key")
    }

    fn seal(&mut self, record: &mut [u8]) {
        let (text, tag) = record
            .split_last_chunk_mut::<TAG_LEN>()
            .expect("room for the tag");
        *tag = Self::seal(self, &NONCE, &AAD, &[], text);
    }

    fn open(&mut self, record: &mut [u8]) -> bool {
        let (text, tag) = record.split_last_chunk_mut::<TAG_LEN>().expect("a tag");
        Self::open(self, &NONCE, &AAD, text, tag, &mut [])
    }
}

/// aws-lc-rs has ring's interface: the two that rustls's providers call.
macro_rules! like_ring {
    ($library:ident) => {
        impl Aead for $library::aead::LessSafeKey {
            fn new(key: &[u8]) -> Self {
                let algorithm = if key.len() == 16 {
                    &$library::aead::AES_128_GCM
                } else {
                    &$library::aead::AES_256_GCM
                };
                Self::new($library::aead::UnboundKey::new(algorithm, key).expect("a key"))
            }

            fn seal(&mut self, record: &mut [u8]) {
                use $library::aead::{Aad, Nonce};
                let (text, tag) = record
                    .split_last_chunk_mut::<TAG_LEN>()
                    .expect("room for the tag");
                let made = self
                    .seal_in_place_separate_tag(
                        Nonce::assume_unique_for_key(NONCE),
                        Aad::from(AAD),
                        text,
                    )
                    .expect("sealed");
                tag.copy_from_slice(made.as_ref());
            }

            fn open(&mut self, record: &mut [u8]) -> bool {
                use $library::aead::{Aad, Nonce};
                self.open_in_place(Nonce::assume_unique_for_key(NONCE), Aad::from(AAD), record)
                    .is_ok()
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

    fn seal(&mut self, record: &mut [u8]) {
        let (text, tag) = record
            .split_last_chunk_mut::<TAG_LEN>()
            .expect("room for the tag");
        let made = match self {
            Self::Aes128(key) => key.encrypt_inout_detached(&NONCE.into(), &AAD, text.into()),
            Self::Aes256(key) => key.encrypt_inout_detached(&NONCE.into(), &AAD, text.into()),
        };
        *tag = made.expect("sealed").into();
    }

    fn open(&mut self, record: &mut [u8]) -> bool {
        let (text, tag) = record.split_last_chunk_mut::<TAG_LEN>().expect("a tag");
        let tag = (&*tag).into();
        match self {
            Self::Aes128(key) => key.decrypt_inout_detached(&NONCE.into(), &AAD, text.into(), tag),
            Self::Aes256(key) => key.decrypt_inout_detached(&NONCE.into(), &AAD, text.into(), tag),
        }
        .is_ok()
    }
}
