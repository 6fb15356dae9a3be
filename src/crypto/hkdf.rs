//! HKDF (RFC 5869), writing straight into a [`Secret`].
//!
//! A [`Prk`] keeps HMAC's pads, computed once, beside its bytes: most secrets of the key schedule are expanded two to four times, and each
//! expansion then takes two compressions and not four. The bytes stay because the key log shows them.

use ::hkdf::{GenericHkdf, Hkdf, HmacImpl};
use sha2::{Sha256, Sha384};

use crate::crypto::hash::HashAlgorithm;
use crate::crypto::scrub::scrubbed_hash;
use crate::secret::Secret;

/// A pseudorandom key: what HKDF-Extract makes and HKDF-Expand takes; wiped when dropped.
pub(crate) struct Prk {
    secret: Secret,
    pads: Pads,
}

/// HMAC's state after each pad.
enum Pads {
    Sha256(Box<Hkdf<Sha256>>),
    Sha384(Box<Hkdf<Sha384>>),
}

/// More output was asked for than HKDF can give: 255 times the hash's length (RFC 5869, 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputTooLong;

impl Prk {
    /// HKDF-Extract. An empty salt is as good as a string of zeros (RFC 5869, 2.2).
    pub(crate) fn extract(algorithm: HashAlgorithm, salt: &[u8], ikm: &[u8]) -> Self {
        scrubbed_hash(algorithm, || match algorithm {
            HashAlgorithm::Sha256 => {
                let (secret, pads) = extract(salt, ikm);
                Self { secret, pads: Pads::Sha256(pads) }
            }
            HashAlgorithm::Sha384 => {
                let (secret, pads) = extract(salt, ikm);
                Self { secret, pads: Pads::Sha384(pads) }
            }
        })
    }

    /// A secret that HKDF made before: at least as long as the hash's output (RFC 5869, 2.3).
    ///
    /// # Panics
    ///
    /// If it is shorter: a mistake in the calling code, never of a peer.
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

    /// The key itself, for the key log and for secrets that are kept without being expanded.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The key itself; the pads are wiped.
    pub(crate) fn into_secret(self) -> Secret {
        self.secret
    }

    /// HKDF-Expand to `len` bytes, where `info` is all parts one after the other.
    ///
    /// # Panics
    ///
    /// If `len` is over 255 times the hash's length. The key schedule asks for 48 bytes at most; an application that chooses a length is
    /// answered by [`expand_into`](Self::expand_into).
    #[expect(clippy::expect_used, reason = "the lengths are the key schedule's, all far below the limit")]
    pub(crate) fn expand(&self, info: &[&[u8]], len: usize) -> Secret {
        Secret::try_filled(len, |out| self.expand_into(info, out)).expect("the key schedule asks for less than 255 blocks")
    }

    /// HKDF-Expand into `out`.
    ///
    /// # Errors
    ///
    /// [`OutputTooLong`], and nothing is written.
    pub(crate) fn expand_into(&self, info: &[&[u8]], out: &mut [u8]) -> Result<(), OutputTooLong> {
        scrubbed_hash(self.algorithm(), || match &self.pads {
            Pads::Sha256(pads) => pads.expand_multi_info(info, out),
            Pads::Sha384(pads) => pads.expand_multi_info(info, out),
        })
        .map_err(|::hkdf::InvalidLength| OutputTooLong)
    }
}

fn extract<H: HmacImpl>(salt: &[u8], ikm: &[u8]) -> (Secret, Box<GenericHkdf<H>>) {
    let (prk, pads) = GenericHkdf::extract(Some(salt), ikm);
    (Secret::copy_of(&prk), Box::new(pads))
}

#[expect(clippy::expect_used, reason = "every secret of the key schedule is as long as its hash")]
fn pads<H: HmacImpl>(secret: &Secret) -> Box<GenericHkdf<H>> {
    Box::new(GenericHkdf::from_prk(secret.expose()).expect("a secret of the key schedule is as long as its hash"))
}
