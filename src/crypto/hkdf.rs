//! HKDF (RFC 5869), which writes directly into a [`Secret`].
//!
//! A [`Prk`] keeps HMAC's pads, computed once, beside its bytes: most secrets of the key schedule
//! are expanded two to four times, and each expansion then takes two compressions instead of four.
//! The bytes are kept because the key log shows them.

use ::hkdf::{GenericHkdf, Hkdf, HmacImpl};
use sha2::{Sha256, Sha384};

use crate::crypto::hash::HashAlgorithm;
use crate::crypto::scrub::scrubbed_hash;
use crate::secret::Secret;

/// A pseudorandom key: the output of HKDF-Extract and the input of HKDF-Expand. It is wiped on
/// drop.
pub(crate) struct Prk {
    secret: Secret,
    pads: Pads,
}

/// HMAC's state after each pad.
enum Pads {
    Sha256(Box<Hkdf<Sha256>>),
    Sha384(Box<Hkdf<Sha384>>),
}

/// More output was requested than HKDF can give: 255 times the hash's length (RFC 5869, 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputTooLong;

impl Prk {
    /// Computes HKDF-Extract. An empty salt is equivalent to a string of zeros (RFC 5869, 2.2).
    pub(crate) fn extract(algorithm: HashAlgorithm, salt: &[u8], ikm: &[u8]) -> Self {
        let secret = scrubbed_hash(algorithm, || match algorithm {
            HashAlgorithm::Sha256 => Secret::copy_of(&Hkdf::<Sha256>::extract(Some(salt), ikm).0),
            HashAlgorithm::Sha384 => Secret::copy_of(&Hkdf::<Sha384>::extract(Some(salt), ikm).0),
        });
        // The pads that extracting leaves are not reused: unused memory in them holds what was on
        // the stack before, which is a part of the input.
        Self::from_secret(algorithm, secret)
    }

    /// Makes a key from an earlier output of HKDF, which must be at least as long as the hash's
    /// output (RFC 5869, 2.3).
    ///
    /// # Panics
    ///
    /// Panics if it is shorter: an error in the calling code, never a peer's.
    pub(crate) fn from_secret(algorithm: HashAlgorithm, secret: Secret) -> Self {
        let pads = scrubbed_hash(algorithm, || match algorithm {
            HashAlgorithm::Sha256 => Pads::Sha256(pads(&secret)),
            HashAlgorithm::Sha384 => Pads::Sha384(pads(&secret)),
        });
        Self { secret, pads }
    }

    pub(crate) fn algorithm(&self) -> HashAlgorithm {
        match self.pads {
            Pads::Sha256(_) => HashAlgorithm::Sha256,
            Pads::Sha384(_) => HashAlgorithm::Sha384,
        }
    }

    /// Returns the key itself, for the key log and for secrets that are stored without being
    /// expanded.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Returns the key itself. The pads are wiped.
    pub(crate) fn into_secret(self) -> Secret {
        self.secret
    }

    /// Computes HKDF-Expand to `len` bytes. `info` is the concatenation of its parts.
    ///
    /// # Panics
    ///
    /// Panics if `len` is over 255 times the hash's length. The key schedule uses at most 48 bytes.
    /// For a length that an application chooses, use [`expand_into`](Self::expand_into).
    #[expect(
        clippy::expect_used,
        reason = "the lengths are the key schedule's, all far below the limit"
    )]
    pub(crate) fn expand(&self, info: &[&[u8]], len: usize) -> Secret {
        Secret::try_filled(len, |out| self.expand_into(info, out))
            .expect("the key schedule asks for less than 255 blocks")
    }

    /// Computes HKDF-Expand into `out`.
    ///
    /// # Errors
    ///
    /// Returns [`OutputTooLong`], and writes nothing.
    pub(crate) fn expand_into(&self, info: &[&[u8]], out: &mut [u8]) -> Result<(), OutputTooLong> {
        scrubbed_hash(self.algorithm(), || match &self.pads {
            Pads::Sha256(pads) => pads.expand_multi_info(info, out),
            Pads::Sha384(pads) => pads.expand_multi_info(info, out),
        })
        .map_err(|::hkdf::InvalidLength| OutputTooLong)
    }
}

#[expect(
    clippy::expect_used,
    reason = "every secret of the key schedule is as long as its hash"
)]
fn pads<H: HmacImpl>(secret: &Secret) -> Box<GenericHkdf<H>> {
    Box::new(
        GenericHkdf::from_prk(secret.expose())
            .expect("a secret of the key schedule is as long as its hash"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn rfc_5869() {
        // RFC 5869, A.1 and A.3. Wycheproof gives no PRK.
        let salt: Vec<_> = (0x00..=0x0c).collect();
        let info: Vec<_> = (0xf0..=0xf9).collect();
        for (salt, info, prk, okm) in [
            (
                &salt[..],
                &info[..],
                "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf\
                 34007208d5b887185865",
            ),
            (
                &[],
                &[],
                "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d\
                 9d201395faa4b61a96c8",
            ),
        ] {
            let extracted = Prk::extract(HashAlgorithm::Sha256, salt, &[0x0b; 22]);
            assert_eq!(extracted.algorithm(), HashAlgorithm::Sha256);
            assert!(extracted.secret().expose() == hex(prk));
            assert!(extracted.expand(&[info], 42).expose() == hex(okm));
            let loaded = Prk::from_secret(HashAlgorithm::Sha256, extracted.into_secret());
            assert!(loaded.expand(&[info], 42).expose() == hex(okm));
        }
    }

    #[test]
    fn an_empty_salt_is_a_string_of_zeros() {
        // RFC 5869, 2.2, on which RFC 9846, 7.1 relies.
        for algorithm in HashAlgorithm::ALL {
            let zeros = vec![0; algorithm.output_len()];
            let empty = Prk::extract(algorithm, &[], b"ikm");
            assert!(
                empty.secret().expose()
                    == Prk::extract(algorithm, &zeros, b"ikm").secret().expose()
            );
        }
    }

    #[test]
    fn gives_255_blocks_and_no_more() {
        // RFC 5869, 2.3.
        for algorithm in HashAlgorithm::ALL {
            let prk = Prk::extract(algorithm, b"salt", b"ikm");
            let longest = 255 * algorithm.output_len();
            assert_eq!(prk.expand_into(&[b"info"], &mut vec![0; longest]), Ok(()));
            let mut out = vec![0; longest + 1];
            assert_eq!(prk.expand_into(&[b"info"], &mut out), Err(OutputTooLong));
            assert!(out.iter().all(|byte| *byte == 0));
        }
    }
}
