//! HMAC (RFC 2104). The work that depends only on the key is done once.
//!
//! The key is hashed into an inner and an outer pad when an [`HmacKey`] is made: two of the four
//! compressions of a short HMAC. Every tag starts from a copy of the two states. They are as secret
//! as the key, and are on the heap.

use ::hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384};

use crate::crypto::hash::HashAlgorithm;
use crate::crypto::scrub::scrubbed_hash;

#[cfg(test)]
std::thread_local! {
    /// The number of tags that this thread has made or checked, so that tests see what a peer costs
    /// us.
    pub(crate) static TAGS: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// A key for HMAC, ready for use. It is wiped on drop.
pub(crate) struct HmacKey(Pads);

/// The state after each pad.
enum Pads {
    Sha256(Box<Hmac<Sha256>>),
    Sha384(Box<Hmac<Sha384>>),
}

impl HmacKey {
    pub(crate) fn new(algorithm: HashAlgorithm, key: &[u8]) -> Self {
        Self(scrubbed_hash(algorithm, || match algorithm {
            HashAlgorithm::Sha256 => Pads::Sha256(pads(key)),
            HashAlgorithm::Sha384 => Pads::Sha384(pads(key)),
        }))
    }

    pub(crate) fn algorithm(&self) -> HashAlgorithm {
        match self.0 {
            Pads::Sha256(_) => HashAlgorithm::Sha256,
            Pads::Sha384(_) => HashAlgorithm::Sha384,
        }
    }

    /// Writes the tag of all `parts`, one after the other, into `out`.
    ///
    /// # Panics
    ///
    /// Panics if `out` is not as long as the hash's output: an error in the calling code, never a
    /// peer's.
    pub(crate) fn tag_into(&self, parts: &[&[u8]], out: &mut [u8]) {
        scrubbed_hash(self.algorithm(), || match &self.0 {
            Pads::Sha256(pads) => out.copy_from_slice(&fed(&**pads, parts).finalize().into_bytes()),
            Pads::Sha384(pads) => out.copy_from_slice(&fed(&**pads, parts).finalize().into_bytes()),
        });
    }

    /// Returns true if `tag` is the whole tag of all `parts`. Takes constant time, except that a
    /// wrong length is rejected at once.
    pub(crate) fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        scrubbed_hash(self.algorithm(), || match &self.0 {
            Pads::Sha256(pads) => fed(&**pads, parts).verify_slice(tag).is_ok(),
            Pads::Sha384(pads) => fed(&**pads, parts).verify_slice(tag).is_ok(),
        })
    }
}

#[expect(
    clippy::expect_used,
    reason = "RFC 2104 takes keys of any length, and so does the crate"
)]
fn pads<M: KeyInit>(key: &[u8]) -> Box<M> {
    Box::new(M::new_from_slice(key).expect("HMAC takes keys of any length"))
}

fn fed<M: Mac + Clone>(pads: &M, parts: &[&[u8]]) -> M {
    #[cfg(test)]
    TAGS.set(TAGS.get() + 1);
    let mut mac = pads.clone();
    for part in parts {
        mac.update(part);
    }
    mac
}
