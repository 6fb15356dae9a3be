//! [`AeadKey`]: seals and opens one record in place.
//!
//! The nonce comes from `record`, which makes it from its sequence number and nowhere else. The expanded key (round keys, powers of the GHASH
//! key) lives on the heap: making it leaves copies on the stack, which are overwritten. Only the encrypting half of AES's key schedule is
//! kept, all that GCM uses: 176 bytes less for AES-128, 240 for AES-256, of every connection.

use ::aes_gcm::AesGcm;
use ::aes_gcm::aead::consts::U12;
use ::aes_gcm::aead::{AeadInOut, KeyInit};
use ::aes_gcm::aes::{Aes128Enc, Aes256Enc};
use ::chacha20poly1305::ChaCha20Poly1305;

use crate::crypto::scrub::{scrubbed, scrubbed_record};
use crate::crypto::suite::Suite;
use crate::error::Fault;

type Aes128Gcm = AesGcm<Aes128Enc, U12>;
type Aes256Gcm = AesGcm<Aes256Enc, U12>;

/// A key for one direction's records, ready for use; wiped when dropped.
pub(crate) struct AeadKey(Cipher);

/// Boxed one by one, so that AES-128 does not take the room of AES-256.
enum Cipher {
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
    ChaCha20Poly1305(Box<ChaCha20Poly1305>),
}

impl AeadKey {
    /// Expands a key of [`Suite::key_len`] bytes.
    ///
    /// # Panics
    ///
    /// If `key` is of another length: a mistake in the calling code, never of a peer.
    pub(crate) fn new(suite: Suite, key: &[u8]) -> Self {
        Self(scrubbed(|| match suite {
            Suite::Aes128GcmSha256 => Cipher::Aes128Gcm(expand(key)),
            Suite::Aes256GcmSha384 => Cipher::Aes256Gcm(expand(key)),
            Suite::ChaCha20Poly1305Sha256 => Cipher::ChaCha20Poly1305(expand(key)),
        }))
    }

    pub(crate) fn suite(&self) -> Suite {
        match self.0 {
            Cipher::Aes128Gcm(_) => Suite::Aes128GcmSha256,
            Cipher::Aes256Gcm(_) => Suite::Aes256GcmSha384,
            Cipher::ChaCha20Poly1305(_) => Suite::ChaCha20Poly1305Sha256,
        }
    }

    /// Encrypts `buffer` and returns the tag over it and `aad`.
    ///
    /// # Errors
    ///
    /// [`Fault::Internal`] for a buffer of 64 GiB or more, which no record is.
    pub(crate) fn seal_in_place(
        &self,
        nonce: &[u8; Suite::NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; Suite::TAG_LEN], Fault> {
        let nonce = nonce.into();
        let tag = scrubbed_record(self.suite(), || match &self.0 {
            Cipher::Aes128Gcm(key) => key.encrypt_inout_detached(nonce, aad, buffer.into()),
            Cipher::Aes256Gcm(key) => key.encrypt_inout_detached(nonce, aad, buffer.into()),
            Cipher::ChaCha20Poly1305(key) => key.encrypt_inout_detached(nonce, aad, buffer.into()),
        });
        tag.map(Into::into).map_err(|_| Fault::Internal { what: "sealing a record" })
    }

    /// Checks `tag` over `buffer` and `aad`, then decrypts `buffer`.
    ///
    /// # Errors
    ///
    /// [`Fault::BadRecordMac`]; the buffer then holds the ciphertext still, and nothing of the plaintext.
    pub(crate) fn open_in_place(
        &self,
        nonce: &[u8; Suite::NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; Suite::TAG_LEN],
    ) -> Result<(), Fault> {
        let (nonce, tag) = (nonce.into(), tag.into());
        let opened = scrubbed_record(self.suite(), || match &self.0 {
            Cipher::Aes128Gcm(key) => key.decrypt_inout_detached(nonce, aad, buffer.into(), tag),
            Cipher::Aes256Gcm(key) => key.decrypt_inout_detached(nonce, aad, buffer.into(), tag),
            Cipher::ChaCha20Poly1305(key) => key.decrypt_inout_detached(nonce, aad, buffer.into(), tag),
        });
        // RFC 9846, 5.2: a record that does not open ends the connection with bad_record_mac.
        opened.map_err(|_| Fault::BadRecordMac)
    }
}

#[expect(clippy::expect_used, reason = "the length is the suite's, by the key schedule that derived the key")]
fn expand<K: KeyInit>(key: &[u8]) -> Box<K> {
    Box::new(K::new_from_slice(key).expect("the key is of the suite's length"))
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
            assert_eq!(AeadKey::new(suite, &vec![7; suite.key_len()]).suite(), suite);
        }
    }

    proptest! {
        #[test]
        fn opens_what_it_sealed(suite in suites(), key: [u8; 32], nonce: [u8; 12], aad: Vec<u8>, plaintext in prop::collection::vec(any::<u8>(), 0..600)) {
            let key = AeadKey::new(suite, &key[..suite.key_len()]);
            let mut buffer = plaintext.clone();
            let tag = key.seal_in_place(&nonce, &aad, &mut buffer).unwrap();
            key.open_in_place(&nonce, &aad, &mut buffer, &tag).unwrap();
            prop_assert_eq!(buffer, plaintext);
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

            // One bit of nonce, additional data, ciphertext or tag, as one string.
            let mut all = [&nonce[..], &aad, &buffer, &tag].concat();
            let bit = bit.index(8 * all.len());
            all[bit / 8] ^= 1 << (bit % 8);
            let (nonce, rest) = all.split_at(12);
            let (aad, rest) = rest.split_at(5);
            let (ciphertext, tag) = rest.split_at(plaintext.len());

            let mut buffer = ciphertext.to_vec();
            let opened = key.open_in_place(nonce.try_into().unwrap(), aad, &mut buffer, tag.try_into().unwrap());
            // RFC 9846, 5.2.
            prop_assert!(matches!(opened, Err(Fault::BadRecordMac)));
            prop_assert_eq!(&buffer, ciphertext);
        }
    }
}
