//! Ed25519 (RFC 8032): the only signatures that are made or accepted.
//!
//! Every machine accepts the same signatures, which are those that `ed25519_dalek`'s
//! `verify_strict` accepts: the equation without cofactor, S below the group order, R in its only
//! canonical encoding, and neither A nor R of small order. `verify_strict` decompresses R to find
//! its order, which takes a tenth of its time. `verify`, which recomputes R and compares encodings,
//! can give the same verdict: there are eight points of small order, and a canonical encoding that
//! differs from all of theirs is not one of them. The order of A is checked when the key is parsed.

use ed25519_dalek::Signer;

use crate::crypto::backend::{Backend, backend};
use crate::crypto::random::{Rng, secret};
use crate::crypto::scrub::scrubbed;
use crate::error::Fault;
use crate::secret::Secret;

/// The length of a signature in bytes.
pub(crate) const SIGNATURE_LEN: usize = 64;

/// The length of a public key, and of a private key's seed, in bytes.
pub(crate) const KEY_LEN: usize = 32;

/// A private key. It is wiped on drop.
pub(crate) struct SigningKey {
    seed: Secret,
    key: Key,
    public: [u8; KEY_LEN],
}

/// The key in the backend's form, so that signing need not compute the public key again.
enum Key {
    Portable(Box<ed25519_dalek::SigningKey>),
    #[cfg(all(
        feature = "accelerate",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    Graviola(Box<graviola::signing::eddsa::Ed25519SigningKey>),
}

impl SigningKey {
    /// Makes the key from what RFC 8032 calls the private key: 32 random bytes.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidKey`] if it is not 32 bytes.
    pub(crate) fn from_seed(seed: Secret) -> Result<Self, InvalidKey> {
        Self::from_seed_with(backend(), seed)
    }

    pub(crate) fn from_seed_with(backend: Backend, seed: Secret) -> Result<Self, InvalidKey> {
        let bytes: &[u8; KEY_LEN] = seed.expose().try_into().map_err(|_| InvalidKey)?;
        let (key, public) = scrubbed(|| match backend {
            Backend::Portable => {
                let key = Box::new(ed25519_dalek::SigningKey::from_bytes(bytes));
                let public = key.verifying_key().to_bytes();
                Ok((Key::Portable(key), public))
            }
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            Backend::Graviola => {
                let key = Box::new(
                    graviola::signing::eddsa::Ed25519SigningKey::from_bytes(bytes)
                        .map_err(|_| InvalidKey)?,
                );
                let public = key.public_key().as_bytes();
                Ok((Key::Graviola(key), public))
            }
        })?;
        Ok(Self { seed, key, public })
    }

    pub(crate) fn generate(rng: &mut Rng<'_>) -> Result<Self, Fault> {
        Self::from_seed(secret(rng, KEY_LEN)?).map_err(|InvalidKey| Fault::Internal {
            what: "the length of an Ed25519 key",
        })
    }

    pub(crate) fn seed(&self) -> &Secret {
        &self.seed
    }

    pub(crate) fn public_key(&self) -> [u8; KEY_LEN] {
        self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        scrubbed(|| match &self.key {
            Key::Portable(key) => key.sign(message).to_bytes(),
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            Key::Graviola(key) => key.sign(message),
        })
    }
}

/// A public key: a point of the curve, not of small order.
#[derive(Clone)]
pub(crate) struct VerifyingKey(ed25519_dalek::VerifyingKey);

/// The bytes are not an Ed25519 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidKey;

/// The bytes are not this key's signature of this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidSignature;

impl VerifyingKey {
    pub(crate) fn parse(bytes: &[u8; KEY_LEN]) -> Result<Self, InvalidKey> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| InvalidKey)?;
        // A key of small order accepts signatures that nobody made.
        if key.is_weak() {
            Err(InvalidKey)
        } else {
            Ok(Self(key))
        }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let signature =
            ed25519_dalek::Signature::from_slice(signature).map_err(|_| InvalidSignature)?;
        if SMALL_ORDER.contains(signature.r_bytes()) {
            return Err(InvalidSignature);
        }
        ed25519_dalek::Verifier::verify(&self.0, message, &signature).map_err(|_| InvalidSignature)
    }

    pub(crate) fn to_bytes(&self) -> [u8; KEY_LEN] {
        self.0.to_bytes()
    }
}

/// The canonical encodings of the points whose order divides 8. Other encodings need no entry,
/// because `verify` recomputes a canonical one.
const SMALL_ORDER: [[u8; 32]; 8] = {
    const fn y(low: u8, middle: u8, high: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = low;
        bytes[31] = high;
        bytes
    }
    const fn with_sign(mut bytes: [u8; 32]) -> [u8; 32] {
        bytes[31] |= 0x80;
        bytes
    }
    [
        // Order 1: y = 1. Order 2: y = -1. Order 4: y = 0.
        y(0x01, 0, 0),
        y(0xec, 0xff, 0x7f),
        y(0, 0, 0),
        with_sign(y(0, 0, 0)),
        // Order 8.
        ORDER_8,
        with_sign(ORDER_8),
        ORDER_8_NEGATED,
        with_sign(ORDER_8_NEGATED),
    ]
};

const ORDER_8: [u8; 32] = [
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
    0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
];

const ORDER_8_NEGATED: [u8; 32] = [
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
    0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
];

#[cfg(test)]
mod tests;
