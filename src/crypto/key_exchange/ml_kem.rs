//! ML-KEM-768 (FIPS 203).
//!
//! ```text
//! client                                              server
//! DecapsulationKey::generate -> encapsulation key ───>  encapsulate -> (ciphertext, shared secret)
//! decapsulate -> shared secret                    <───
//! ```
//!
//! Decapsulation never fails: a ciphertext that was not made for the key gives a secret that nobody
//! else has (FIPS 203, algorithm 18, "implicit rejection"), and the handshake fails because the
//! keys derived from it do not match.
//!
//! graviola draws the randomness of both operations itself, from the operating system: its
//! functions that take it as an argument are not part of the documented interface. So graviola is
//! used only if the caller's generator is the system's too ([`is_system`]). A generator with a
//! state determines every byte, so the portable implementation is used for it on every CPU. A
//! conversation can then be replayed from a seed, at a few times the cost for this group.

use ml_kem::MlKem768;
use ml_kem::kem::{Decapsulate, KeyExport};

use crate::crypto::backend::Backend;
use crate::crypto::random::{Rng, is_system, secret};
use crate::crypto::scrub::scrubbed_kem;
use crate::error::Fault;
use crate::secret::Secret;

/// The length of an encapsulation key in bytes.
pub(super) const ENCAPSULATION_KEY_LEN: usize = 1184;

/// The length of a ciphertext in bytes.
pub(super) const CIPHERTEXT_LEN: usize = 1088;

/// The length in bytes of d and z, from which a key pair is made.
pub(super) const SEED_LEN: usize = 64;

/// The length in bytes of m, which is encapsulated, and of the shared secret.
const LEN: usize = 32;

/// The private key, in one allocation. Its secrets are wiped when it is used or dropped.
pub(super) enum DecapsulationKey {
    /// The seed, from which the key is made again when it is used. So only 64 bytes in a `Secret`
    /// are kept until the server answers, at the cost of one more key generation.
    Portable(Secret),
    #[cfg(all(
        feature = "accelerate",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    Graviola(graviola_key::Held),
}

impl DecapsulationKey {
    /// Generates a key, and returns it with its encapsulation key.
    pub(super) fn generate(backend: Backend, rng: &mut Rng<'_>) -> Result<(Self, Vec<u8>), Fault> {
        match column(backend, rng) {
            Backend::Portable => portable_key(secret(rng, SEED_LEN)?),
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            Backend::Graviola => scrubbed_kem(|| {
                let key = graviola::key_agreement::mlkem768::DecapKey::generate()
                    .map_err(|_| Fault::Random)?;
                Ok(graviola_key::hold(key))
            }),
        }
    }

    /// Makes the key of this seed, for test vectors.
    #[cfg(test)]
    pub(super) fn from_seed(backend: Backend, seed: &Secret) -> Result<(Self, Vec<u8>), Fault> {
        match backend {
            Backend::Portable => portable_key(Secret::copy_of(seed.expose())),
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            Backend::Graviola => scrubbed_kem(|| {
                let seed = seed.expose().try_into().unwrap();
                Ok(graviola_key::hold(
                    graviola::key_agreement::mlkem768::DecapKey::keygen_internal(seed),
                ))
            }),
        }
    }

    #[cfg(test)]
    pub(super) fn backend(&self) -> Backend {
        match self {
            Self::Portable(_) => Backend::Portable,
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            Self::Graviola(_) => Backend::Graviola,
        }
    }

    /// Returns the shared secret.
    pub(super) fn decapsulate(self, ciphertext: &[u8; CIPHERTEXT_LEN]) -> Result<Secret, Fault> {
        match self {
            Self::Portable(seed) => {
                let seed = array::<SEED_LEN>(&seed)?;
                Ok(scrubbed_kem(|| {
                    let key = ml_kem::DecapsulationKey::<MlKem768>::from_seed((*seed).into());
                    Secret::copy_of(&key.decapsulate(ciphertext.into()))
                }))
            }
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            Self::Graviola(key) => graviola_key::decapsulate(key, ciphertext),
        }
    }
}

/// Returns the ciphertext for an encapsulation key, and the shared secret. `None` if the key fails
/// the check of FIPS 203, 7.2: one of its coefficients is not below 3329.
pub(super) fn encapsulate(
    backend: Backend,
    encapsulation_key: &[u8; ENCAPSULATION_KEY_LEN],
    rng: &mut Rng<'_>,
) -> Result<Option<(Vec<u8>, Secret)>, Fault> {
    match column(backend, rng) {
        Backend::Portable => {
            let message = secret(rng, LEN)?;
            portable_encapsulate(encapsulation_key, &message)
        }
        #[cfg(all(
            feature = "accelerate",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ))]
        Backend::Graviola => scrubbed_kem(|| {
            let Ok(key) =
                graviola::key_agreement::mlkem768::EncapKey::from_bytes(encapsulation_key)
            else {
                return Ok(None);
            };
            let (shared, ciphertext) = key.encaps().map_err(|_| Fault::Random)?;
            Ok(Some((
                ciphertext.as_ref().to_vec(),
                Secret::copy_of(shared.as_ref()),
            )))
        }),
    }
}

/// Like [`encapsulate`], with a given m, for test vectors.
#[cfg(test)]
pub(super) fn encapsulate_message(
    backend: Backend,
    encapsulation_key: &[u8; ENCAPSULATION_KEY_LEN],
    message: &Secret,
) -> Result<Option<(Vec<u8>, Secret)>, Fault> {
    match backend {
        Backend::Portable => portable_encapsulate(encapsulation_key, message),
        #[cfg(all(
            feature = "accelerate",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ))]
        Backend::Graviola => scrubbed_kem(|| {
            use graviola::key_agreement::mlkem768::{EncapKey, Message};
            let Ok(key) = EncapKey::from_bytes(encapsulation_key) else {
                return Ok(None);
            };
            let (shared, ciphertext) =
                key.encaps_internal(Message(message.expose().try_into().unwrap()));
            Ok(Some((
                ciphertext.as_ref().to_vec(),
                Secret::copy_of(shared.as_ref()),
            )))
        }),
    }
}

/// Returns the implementation to use with this generator.
fn column(backend: Backend, rng: &Rng<'_>) -> Backend {
    if is_system(rng) {
        backend
    } else {
        Backend::Portable
    }
}

fn portable_key(seed: Secret) -> Result<(DecapsulationKey, Vec<u8>), Fault> {
    let bytes = array::<SEED_LEN>(&seed)?;
    let encapsulation_key = scrubbed_kem(|| {
        ml_kem::DecapsulationKey::<MlKem768>::from_seed((*bytes).into())
            .encapsulation_key()
            .to_bytes()
            .to_vec()
    });
    Ok((DecapsulationKey::Portable(seed), encapsulation_key))
}

fn portable_encapsulate(
    encapsulation_key: &[u8; ENCAPSULATION_KEY_LEN],
    message: &Secret,
) -> Result<Option<(Vec<u8>, Secret)>, Fault> {
    let message = array::<LEN>(message)?;
    Ok(scrubbed_kem(|| {
        let key = ml_kem::EncapsulationKey::<MlKem768>::new(encapsulation_key.into()).ok()?;
        let (ciphertext, shared) = key.encapsulate_deterministic(message.into());
        Some((ciphertext.to_vec(), Secret::copy_of(&shared)))
    }))
}

fn array<const N: usize>(secret: &Secret) -> Result<&[u8; N], Fault> {
    secret.expose().try_into().map_err(|_| Fault::Internal {
        what: "the length of an ML-KEM seed",
    })
}

/// graviola's key, whose only operation takes it by value.
#[cfg(all(
    feature = "accelerate",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod graviola_key {
    use graviola::key_agreement::mlkem768::{Ciphertext, DecapKey};
    use zeroize::Zeroize;

    use super::{CIPHERTEXT_LEN, DecapsulationKey, Fault, Secret, scrubbed_kem};
    use crate::crypto::scrub::scrubbed;

    /// Moving the key out for [`decapsulate`] leaves its bytes where it was. `Option`'s `Zeroize`
    /// overwrites the memory of the value, even if there is none.
    pub(super) type Held = Box<Option<Key>>;

    pub(in crate::crypto::key_exchange) struct Key(DecapKey);

    impl Zeroize for Key {
        /// Does nothing: [`DecapKey`] wipes itself on drop, which follows.
        fn zeroize(&mut self) {}
    }

    pub(super) fn hold(key: DecapKey) -> (DecapsulationKey, Vec<u8>) {
        let encapsulation_key = key.encapsulation_key().as_bytes().to_vec();
        (
            DecapsulationKey::Graviola(Box::new(Some(Key(key)))),
            encapsulation_key,
        )
    }

    pub(super) fn decapsulate(
        mut key: Held,
        ciphertext: &[u8; CIPHERTEXT_LEN],
    ) -> Result<Secret, Fault> {
        let shared = scrubbed_kem(|| {
            key.take().map(|Key(key)| {
                Secret::copy_of(key.decaps(&Ciphertext::from(*ciphertext)).as_ref())
            })
        });
        // In its own frame, on a stack that was just overwritten: the last write is a `None`, whose
        // unused memory comes from that stack.
        scrubbed(|| key.zeroize());
        shared.ok_or(Fault::Internal {
            what: "a decapsulation key used twice",
        })
    }
}
