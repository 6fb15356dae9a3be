//! [`AeadKey`]: seals and opens one record.
//!
//! The nonce comes from `record`, which makes it only from its sequence number. The expanded key
//! (round keys, powers of the GHASH key) is on the heap; making it leaves copies on the stack,
//! which are overwritten. Only the encrypting half of AES's key schedule is kept, which is all that
//! GCM uses: this saves 176 bytes for AES-128 and 240 for AES-256, for every connection.

use ::aes_gcm::AesGcm;
use ::aes_gcm::aead::consts::{U12, U16};
use ::aes_gcm::aead::{AeadInOut, KeyInit};
use ::aes_gcm::aes::{Aes128Enc, Aes256Enc};
use ::chacha20poly1305::ChaCha20Poly1305;

use crate::crypto::kernel::{GcmKey, Width};
use crate::crypto::scrub::{scrubbed_kernel, scrubbed_kernel_key, scrubbed_key, scrubbed_record};
use crate::crypto::suite::Suite;
use crate::error::Fault;

type Aes128Gcm = AesGcm<Aes128Enc, U12>;
type Aes256Gcm = AesGcm<Aes256Enc, U12>;

/// A key for one direction's records, ready for use. It is wiped on drop.
pub(crate) struct AeadKey(Cipher);

/// Each is boxed (the kernel boxes its own), so that AES-128 does not take the space of AES-256.
enum Cipher {
    /// AES of either size by our own kernel.
    Kernel(GcmKey),
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
    ChaCha20Poly1305(Box<ChaCha20Poly1305>),
}

impl AeadKey {
    /// Expands a key of [`Suite::key_len`] bytes.
    ///
    /// # Panics
    ///
    /// Panics if `key` has another length: an error in the calling code, never a peer's.
    pub(crate) fn new(suite: Suite, key: &[u8]) -> Self {
        Self::with(Width::best(), suite, key)
    }

    /// Like [`new`](Self::new), with our own kernel of this width for AES-GCM, or without it.
    pub(crate) fn with(width: Option<Width>, suite: Suite, key: &[u8]) -> Self {
        assert_eq!(
            key.len(),
            suite.key_len(),
            "the key is of the suite's length"
        );
        let kernel = || {
            width
                .and_then(|width| scrubbed_kernel_key(|| GcmKey::new(width, key)))
                .map(Cipher::Kernel)
        };
        Self(match suite {
            Suite::Aes128GcmSha256 => kernel().unwrap_or_else(|| Cipher::Aes128Gcm(expand(key))),
            Suite::Aes256GcmSha384 => kernel().unwrap_or_else(|| Cipher::Aes256Gcm(expand(key))),
            Suite::ChaCha20Poly1305Sha256 => Cipher::ChaCha20Poly1305(expand(key)),
        })
    }

    pub(crate) fn suite(&self) -> Suite {
        match &self.0 {
            Cipher::Kernel(key) if key.is_aes_128() => Suite::Aes128GcmSha256,
            Cipher::Kernel(_) => Suite::Aes256GcmSha384,
            Cipher::Aes128Gcm(_) => Suite::Aes128GcmSha256,
            Cipher::Aes256Gcm(_) => Suite::Aes256GcmSha384,
            Cipher::ChaCha20Poly1305(_) => Suite::ChaCha20Poly1305Sha256,
        }
    }

    /// Encrypts into `buffer`, and returns the tag over the result and `aad`. The plaintext is
    /// `head`, followed by the content of `buffer` after that length. So a caller's bytes are
    /// sealed from where they are, without a copy.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::Internal`] if the buffer has 64 GiB or more, or is shorter than `head`.
    /// `buffer` may then be changed.
    pub(crate) fn seal(
        &self,
        nonce: &[u8; Suite::NONCE_LEN],
        aad: &[u8],
        head: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; Suite::TAG_LEN], Fault> {
        match &self.0 {
            Cipher::Kernel(key) => {
                scrubbed_kernel(key.width(), || key.seal(nonce, aad, head, buffer))
            }
            Cipher::Aes128Gcm(key) => self.seal_with(&**key, nonce, aad, head, buffer),
            Cipher::Aes256Gcm(key) => self.seal_with(&**key, nonce, aad, head, buffer),
            Cipher::ChaCha20Poly1305(key) => self.seal_with(&**key, nonce, aad, head, buffer),
        }
        .ok_or(Fault::Internal {
            what: "sealing a record",
        })
    }

    /// Seals with a crate that works in place: the head is copied into the buffer first.
    fn seal_with(
        &self,
        key: &impl Portable,
        nonce: &[u8; Suite::NONCE_LEN],
        aad: &[u8],
        head: &[u8],
        buffer: &mut [u8],
    ) -> Option<[u8; Suite::TAG_LEN]> {
        buffer.get_mut(..head.len())?.copy_from_slice(head);
        scrubbed_record(self.suite(), || {
            key.encrypt_inout_detached(nonce.into(), aad, buffer.into())
        })
        .ok()
        .map(Into::into)
    }

    /// Verifies `tag` over `buffer` and `aad`, and decrypts `buffer`. The first `head.len()` bytes
    /// of the plaintext go to `head`, and the others stay at their place in `buffer`, after that
    /// length.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::BadRecordMac`] if the record does not verify. Neither `head` nor `buffer`
    /// then contains any plaintext, and their former content is lost. Returns [`Fault::Internal`]
    /// if `head` is longer than `buffer`.
    pub(crate) fn open(
        &self,
        nonce: &[u8; Suite::NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; Suite::TAG_LEN],
        head: &mut [u8],
    ) -> Result<(), Fault> {
        if head.len() > buffer.len() {
            return Err(Fault::Internal {
                what: "opening a record",
            });
        }
        match &self.0 {
            Cipher::Kernel(key) => {
                scrubbed_kernel(key.width(), || key.open(nonce, aad, buffer, tag, head))
            }
            Cipher::Aes128Gcm(key) => self.open_with(&**key, nonce, aad, buffer, tag, head),
            Cipher::Aes256Gcm(key) => self.open_with(&**key, nonce, aad, buffer, tag, head),
            Cipher::ChaCha20Poly1305(key) => self.open_with(&**key, nonce, aad, buffer, tag, head),
        }
        // RFC 9846, 5.2: a record that fails to decrypt ends the connection with bad_record_mac.
        .ok_or(Fault::BadRecordMac)
    }

    /// Opens with a crate that works in place: the head is copied out afterwards.
    fn open_with(
        &self,
        key: &impl Portable,
        nonce: &[u8; Suite::NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; Suite::TAG_LEN],
        head: &mut [u8],
    ) -> Option<()> {
        scrubbed_record(self.suite(), || {
            key.decrypt_inout_detached(nonce.into(), aad, (&mut *buffer).into(), tag.into())
                .ok()?;
            head.copy_from_slice(buffer.get(..head.len())?);
            Some(())
        })
    }

    /// Like [`seal`](Self::seal), without a head: the plaintext is in `buffer`.
    pub(crate) fn seal_in_place(
        &self,
        nonce: &[u8; Suite::NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; Suite::TAG_LEN], Fault> {
        self.seal(nonce, aad, &[], buffer)
    }

    /// Like [`open`](Self::open), without a head: the plaintext stays in `buffer`.
    pub(crate) fn open_in_place(
        &self,
        nonce: &[u8; Suite::NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; Suite::TAG_LEN],
    ) -> Result<(), Fault> {
        self.open(nonce, aad, buffer, tag, &mut [])
    }
}

/// The crates' own AEADs.
trait Portable: AeadInOut<NonceSize = U12, TagSize = U16> {}

impl<K: AeadInOut<NonceSize = U12, TagSize = U16>> Portable for K {}

#[expect(
    clippy::expect_used,
    reason = "the length is the suite's, by the key schedule that derived the key"
)]
fn expand<K: KeyInit>(key: &[u8]) -> Box<K> {
    scrubbed_key(|| Box::new(K::new_from_slice(key).expect("the key is of the suite's length")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn suites() -> impl Strategy<Value = Suite> {
        prop::sample::select(&Suite::ALL[..])
    }

    #[test]
    fn says_which_suite_it_serves() {
        for suite in Suite::ALL {
            assert_eq!(
                AeadKey::new(suite, &vec![7; suite.key_len()]).suite(),
                suite
            );
        }
    }

    #[test]
    #[should_panic(expected = "the key is of the suite's length")]
    fn a_key_of_the_other_size_is_not_taken() {
        AeadKey::new(Suite::Aes128GcmSha256, &[7; 32]);
    }

    proptest! {
        #[test]
        fn opens_what_it_sealed(
            suite in suites(),
            key: [u8; 32],
            nonce: [u8; 12],
            aad: Vec<u8>,
            plaintext in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let key = AeadKey::new(suite, &key[..suite.key_len()]);
            let mut buffer = plaintext.clone();
            let tag = key.seal_in_place(&nonce, &aad, &mut buffer).unwrap();
            key.open_in_place(&nonce, &aad, &mut buffer, &tag).unwrap();
            prop_assert_eq!(buffer, plaintext);
        }

        #[test]
        fn apart_is_the_same_as_in_place(
            suite in suites(),
            key: [u8; 32],
            nonce: [u8; 12],
            aad in prop::collection::vec(any::<u8>(), 5),
            plaintext in prop::collection::vec(any::<u8>(), 0..2000),
            split: prop::sample::Index,
        ) {
            let key = AeadKey::new(suite, &key[..suite.key_len()]);
            let split = split.index(plaintext.len() + 1);
            let mut whole = plaintext.clone();
            let tag = key.seal_in_place(&nonce, &aad, &mut whole).unwrap();

            let mut buffer = plaintext.clone();
            buffer[..split].fill(0x77);
            prop_assert_eq!(
                key.seal(&nonce, &aad, &plaintext[..split], &mut buffer)
                    .unwrap(),
                tag
            );
            prop_assert_eq!(&buffer, &whole);

            let mut head = vec![0x77; split];
            key.open(&nonce, &aad, &mut buffer, &tag, &mut head)
                .unwrap();
            prop_assert_eq!(&head, &plaintext[..split]);
            prop_assert_eq!(&buffer[split..], &plaintext[split..]);

            let mut head = vec![0x77; split];
            let wrong = tag.map(|byte| byte ^ 1);
            prop_assert!(matches!(
                key.open(&nonce, &aad, &mut whole, &wrong, &mut head),
                Err(Fault::BadRecordMac)
            ));
            prop_assert!(head.iter().all(|byte| *byte == 0x77 || *byte == 0));
        }

        #[test]
        fn refuses_any_change_and_leaves_no_plaintext(
            suite in suites(),
            key: [u8; 32],
            nonce: [u8; 12],
            aad in prop::collection::vec(any::<u8>(), 5),
            plaintext in prop::collection::vec(any::<u8>(), 0..600),
            bit: prop::sample::Index,
        ) {
            let key = AeadKey::new(suite, &key[..suite.key_len()]);
            let mut buffer = plaintext.clone();
            let tag = key.seal_in_place(&nonce, &aad, &mut buffer).unwrap();

            // A bit is flipped in the string of nonce, additional data, ciphertext and tag.
            let mut all = [&nonce[..], &aad, &buffer, &tag].concat();
            let bit = bit.index(8 * all.len());
            all[bit / 8] ^= 1 << (bit % 8);
            let (nonce, rest) = all.split_at(12);
            let (aad, rest) = rest.split_at(5);
            let (ciphertext, tag) = rest.split_at(plaintext.len());

            let mut buffer = ciphertext.to_vec();
            let opened = key.open_in_place(
                nonce.try_into().unwrap(),
                aad,
                &mut buffer,
                tag.try_into().unwrap(),
            );
            // RFC 9846, 5.2.
            prop_assert!(matches!(opened, Err(Fault::BadRecordMac)));
            prop_assert!(buffer == ciphertext || buffer.iter().all(|byte| *byte == 0));
        }
    }
}
