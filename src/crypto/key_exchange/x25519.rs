//! X25519 (RFC 7748, section 5), with the check of RFC 9846, 7.4.2.

use crate::crypto::backend::Backend;
use crate::crypto::random::{Rng, secret};
use crate::crypto::scrub::scrubbed;
use crate::error::Fault;
use crate::secret::Secret;

/// The length in bytes of a private key, a public key and a shared secret.
pub(super) const LEN: usize = 32;

pub(super) struct PrivateKey {
    scalar: Secret,
    backend: Backend,
}

impl PrivateKey {
    pub(super) fn generate(backend: Backend, rng: &mut Rng<'_>) -> Result<Self, Fault> {
        Ok(Self::from_scalar(backend, secret(rng, LEN)?))
    }

    /// Makes a key. RFC 7748, section 5: any 32 bytes are a scalar, once clamped.
    pub(super) fn from_scalar(backend: Backend, scalar: Secret) -> Self {
        Self { scalar, backend }
    }

    #[cfg(test)]
    pub(super) fn backend(&self) -> Backend {
        self.backend
    }

    pub(super) fn public(&self) -> Result<[u8; LEN], Fault> {
        let private = array(&self.scalar)?;
        Ok(scrubbed(|| match self.backend {
            Backend::Portable => {
                x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*private))
                    .to_bytes()
            }
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            Backend::Graviola => {
                graviola::key_agreement::x25519::StaticPrivateKey::from_array(private)
                    .public_key()
                    .as_bytes()
            }
        }))
    }

    /// Returns the shared secret. `None` if it would be all zeros.
    pub(super) fn agree(self, public: &[u8; LEN]) -> Result<Option<Secret>, Fault> {
        let private = array(&self.scalar)?;
        Ok(scrubbed(|| match self.backend {
            Backend::Portable => {
                let shared = x25519_dalek::StaticSecret::from(*private)
                    .diffie_hellman(&x25519_dalek::PublicKey::from(*public));
                shared
                    .was_contributory()
                    .then(|| Secret::copy_of(shared.as_bytes()))
            }
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            Backend::Graviola => {
                use graviola::key_agreement::x25519::{PublicKey, StaticPrivateKey};
                let shared = StaticPrivateKey::from_array(private)
                    .diffie_hellman(&PublicKey::from_array(public));
                // Its only error is the all-zero secret.
                shared.ok().map(|shared| Secret::copy_of(&shared.0))
            }
        }))
    }
}

fn array(scalar: &Secret) -> Result<&[u8; LEN], Fault> {
    scalar.expose().try_into().map_err(|_| Fault::Internal {
        what: "the length of an X25519 key",
    })
}
