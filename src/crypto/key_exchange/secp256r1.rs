//! ECDH on secp256r1 (NIST P-256), as in RFC 9846, 4.3.8.2 and 7.4.2:
//!
//! ```text
//! struct {
//!     uint8 legacy_form = 4;
//!     opaque X[coordinate_length];        32 bytes, network byte order
//!     opaque Y[coordinate_length];
//! } UncompressedPointRepresentation;
//! ```
//!
//! The shared secret is the X coordinate of the product: 32 bytes, including leading zeros.

use crate::crypto::backend::{Backend, backend};
use crate::crypto::random::{Rng, secret};
use crate::crypto::scrub::scrubbed_p256;
use crate::error::Fault;
use crate::secret::Secret;

/// The length in bytes of a private key, a coordinate and a shared secret.
const LEN: usize = 32;

/// The length of a public key in bytes.
pub(super) const PUBLIC_LEN: usize = 1 + 2 * LEN;

/// The number of scalars that are drawn before the generator counts as broken. One in 2^32 is out
/// of range.
const DRAWS: usize = 8;

/// The prime 2^256 - 2^224 + 2^192 + 2^96 - 1 of the field (SP 800-186, 3.2.1.3), big endian.
const PRIME: [u8; LEN] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, //
    0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

/// Returns true if this build, on this CPU, can compute it: the portable implementation is behind
/// the feature `secp256r1`.
pub(super) fn is_available() -> bool {
    cfg!(any(test, feature = "secp256r1")) || backend() != Backend::Portable
}

pub(super) struct PrivateKey {
    scalar: Secret,
    backend: Backend,
}

impl PrivateKey {
    /// Generates a private key, and returns it with its public key. SP 800-56A, 5.6.1.2.2:
    /// candidates are tested, never reduced.
    pub(super) fn generate(
        backend: Backend,
        rng: &mut Rng<'_>,
    ) -> Result<(Self, [u8; PUBLIC_LEN]), Fault> {
        for _ in 0..DRAWS {
            if let Some(pair) = Self::from_scalar(backend, secret(rng, LEN)?)? {
                return Ok(pair);
            }
        }
        Err(Fault::Random)
    }

    /// Makes the key of this scalar. `None` if it is not in [1, n-1].
    pub(super) fn from_scalar(
        backend: Backend,
        scalar: Secret,
    ) -> Result<Option<(Self, [u8; PUBLIC_LEN])>, Fault> {
        let public = public(backend, array(&scalar)?);
        Ok(public.map(|public| (Self { scalar, backend }, public)))
    }

    #[cfg(test)]
    pub(super) fn backend(&self) -> Backend {
        self.backend
    }

    /// Returns the shared secret. `None` if the peer's share is not a valid point.
    pub(super) fn agree(self, peer: &[u8]) -> Result<Option<Secret>, Fault> {
        let private = array(&self.scalar)?;
        let Some(peer) = uncompressed(peer) else {
            return Ok(None);
        };
        Ok(scrubbed_p256(|| match self.backend {
            #[cfg(any(test, feature = "secp256r1"))]
            Backend::Portable => {
                let private = p256::SecretKey::from_bytes(private.into()).ok()?;
                let public = p256::PublicKey::from_sec1_bytes(peer).ok()?;
                Some(Secret::copy_of(
                    private.diffie_hellman(&public).raw_secret_bytes(),
                ))
            }
            #[cfg(not(any(test, feature = "secp256r1")))]
            Backend::Portable => {
                let _ = (private, peer);
                None
            }
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            Backend::Graviola => {
                use graviola::key_agreement::p256::{PublicKey, StaticPrivateKey};
                let private = StaticPrivateKey::from_bytes(private).ok()?;
                let public = PublicKey::from_x962_uncompressed(peer).ok()?;
                private
                    .diffie_hellman(&public)
                    .ok()
                    .map(|shared| Secret::copy_of(&shared.0))
            }
        }))
    }
}

/// Returns the public key. `None` if the scalar is out of range.
fn public(backend: Backend, private: &[u8; LEN]) -> Option<[u8; PUBLIC_LEN]> {
    scrubbed_p256(|| match backend {
        #[cfg(any(test, feature = "secp256r1"))]
        Backend::Portable => {
            use p256::elliptic_curve::sec1::ToSec1Point;
            let private = p256::SecretKey::from_bytes(private.into()).ok()?;
            private
                .public_key()
                .to_sec1_point(false)
                .as_bytes()
                .try_into()
                .ok()
        }
        #[cfg(not(any(test, feature = "secp256r1")))]
        Backend::Portable => {
            let _ = private;
            None
        }
        #[cfg(all(
            feature = "accelerate",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ))]
        Backend::Graviola => {
            let private =
                graviola::key_agreement::p256::StaticPrivateKey::from_bytes(private).ok()?;
            Some(private.public_key_uncompressed())
        }
    })
}

/// Checks a share. RFC 9846, 4.3.8.2: its form and length exclude the point at infinity (1), and
/// "both integers x and y are in the correct interval" (2), which graviola does not check. The
/// backend checks that the point is on the curve (3).
fn uncompressed(share: &[u8]) -> Option<&[u8; PUBLIC_LEN]> {
    let share: &[u8; PUBLIC_LEN] = share.try_into().ok()?;
    let (form, coordinates) = share.split_first()?;
    let canonical = coordinates
        .chunks_exact(LEN)
        .all(|coordinate| *coordinate < PRIME[..]);
    (*form == 4 && canonical).then_some(share)
}

fn array(scalar: &Secret) -> Result<&[u8; LEN], Fault> {
    scalar.expose().try_into().map_err(|_| Fault::Internal {
        what: "the length of a secp256r1 key",
    })
}
