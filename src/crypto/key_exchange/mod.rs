//! Ephemeral key exchange in the shape of a KEM, which fits hybrid groups with ML-KEM too:
//!
//! ```text
//! client                                          server
//! EphemeralKey::generate -> public()  ─────────>  respond(client's share) -> (share, secret)
//! agree(server's share)  -> secret    <─────────
//! ```
//!
//! The groups (RFC 10024, RFC 7748, RFC 9846, 4.3.8.2), and the content of
//! `KeyShareEntry.key_exchange`, in bytes:
//!
//! ```text
//!                  client's share              server's share         shared secret
//! X25519MLKEM768   encapsulation key || X25519 ciphertext || X25519   ML-KEM's || X25519's
//!                  1184              +  32     1088       +  32       32       +  32
//! X25519           32                          32                     32
//! secp256r1        4 || X || Y: 65             65                     X: 32
//! ```
//!
//! Each key is generated for one handshake and consumed by `agree`; none is pooled. The X25519 half
//! of the hybrid has its own key, even if a client sends an X25519 share too: RFC 9846, 4.3.8,
//! requires the values of all shares to be "generated independently", and the document of the
//! hybrid makes no exception. One key for both would save the client one multiplication of the base
//! point, at most about 20 us, and make the secrecy of each exchange depend on the other.

mod ml_kem;
mod secp256r1;
#[cfg(test)]
mod tests;
mod x25519;

use crate::code_point::NamedGroup;
use crate::crypto::backend::{Backend, backend};
use crate::crypto::random::Rng;
use crate::crypto::scrub::scrubbed;
use crate::error::{Fault, Illegal};
use crate::secret::Secret;

/// The groups that are implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    X25519MlKem768,
    X25519,
    Secp256r1,
}

impl Group {
    /// All groups, best first.
    pub(crate) const ALL: [Self; 3] = [Self::X25519MlKem768, Self::X25519, Self::Secp256r1];

    pub(crate) fn from_code_point(code_point: NamedGroup) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|group| group.code_point() == code_point)
    }

    /// Returns true if this build, on this CPU, can compute it.
    pub(crate) fn is_available(self) -> bool {
        match self {
            Self::X25519MlKem768 | Self::X25519 => true,
            Self::Secp256r1 => secp256r1::is_available(),
        }
    }

    pub(crate) fn code_point(self) -> NamedGroup {
        match self {
            Self::X25519MlKem768 => NamedGroup::X25519_MLKEM768,
            Self::X25519 => NamedGroup::X25519,
            Self::Secp256r1 => NamedGroup::SECP256R1,
        }
    }

    /// Returns true if a recorded exchange stays secret from a future quantum computer.
    pub(crate) fn is_post_quantum(self) -> bool {
        match self {
            Self::X25519MlKem768 => true,
            Self::X25519 | Self::Secp256r1 => false,
        }
    }
}

/// The private half of one handshake's key share. It is wiped on drop.
pub(crate) struct EphemeralKey {
    private: Private,
    public: Vec<u8>,
}

/// One variant for each group.
enum Private {
    X25519MlKem768(ml_kem::DecapsulationKey, x25519::PrivateKey),
    X25519(x25519::PrivateKey),
    Secp256r1(secp256r1::PrivateKey),
}

impl EphemeralKey {
    pub(crate) fn generate(group: Group, rng: &mut Rng<'_>) -> Result<Self, Fault> {
        Self::generate_on(backend(), group, rng)
    }

    pub(crate) fn generate_on(
        backend: Backend,
        group: Group,
        rng: &mut Rng<'_>,
    ) -> Result<Self, Fault> {
        match group {
            Group::X25519MlKem768 => {
                let (key, encapsulation_key) = ml_kem::DecapsulationKey::generate(backend, rng)?;
                Self::hybrid(
                    key,
                    encapsulation_key,
                    x25519::PrivateKey::generate(backend, rng)?,
                )
            }
            Group::X25519 => Self::x25519(x25519::PrivateKey::generate(backend, rng)?),
            Group::Secp256r1 => {
                let (key, public) = secp256r1::PrivateKey::generate(backend, rng)?;
                Ok(Self {
                    private: Private::Secp256r1(key),
                    public: public.to_vec(),
                })
            }
        }
    }

    /// Makes a key from these bytes: a scalar, after ML-KEM's seed in the hybrid.
    #[cfg(test)]
    pub(crate) fn from_private(
        backend: Backend,
        group: Group,
        private: &[u8],
    ) -> Result<Self, Fault> {
        match group {
            Group::X25519MlKem768 => {
                let (seed, scalar) = private.split_at(ml_kem::SEED_LEN);
                let (key, encapsulation_key) =
                    ml_kem::DecapsulationKey::from_seed(backend, &Secret::copy_of(seed))?;
                Self::hybrid(
                    key,
                    encapsulation_key,
                    x25519::PrivateKey::from_scalar(backend, Secret::copy_of(scalar)),
                )
            }
            Group::X25519 => Self::x25519(x25519::PrivateKey::from_scalar(
                backend,
                Secret::copy_of(private),
            )),
            Group::Secp256r1 => {
                let (key, public) =
                    secp256r1::PrivateKey::from_scalar(backend, Secret::copy_of(private))?
                        .ok_or(Fault::Random)?;
                Ok(Self {
                    private: Private::Secp256r1(key),
                    public: public.to_vec(),
                })
            }
        }
    }

    fn hybrid(
        key: ml_kem::DecapsulationKey,
        mut public: Vec<u8>,
        x25519: x25519::PrivateKey,
    ) -> Result<Self, Fault> {
        public.extend_from_slice(&x25519.public()?);
        Ok(Self {
            private: Private::X25519MlKem768(key, x25519),
            public,
        })
    }

    fn x25519(key: x25519::PrivateKey) -> Result<Self, Fault> {
        let public = key.public()?.to_vec();
        Ok(Self {
            private: Private::X25519(key),
            public,
        })
    }

    pub(crate) fn group(&self) -> Group {
        match self.private {
            Private::X25519MlKem768(..) => Group::X25519MlKem768,
            Private::X25519(_) => Group::X25519,
            Private::Secp256r1(_) => Group::Secp256r1,
        }
    }

    /// Returns our `KeyShareEntry.key_exchange`.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// Computes the shared secret from the peer's `KeyShareEntry.key_exchange`.
    ///
    /// # Errors
    ///
    /// Returns an error if the share has the wrong length, is not a point of the curve, or makes
    /// the shared secret predictable.
    pub(crate) fn agree(self, peer_share: &[u8]) -> Result<Secret, Fault> {
        let group = self.group();
        match self.private {
            Private::X25519MlKem768(key, x25519) => {
                // RFC 10024, "Server share": "the client MUST check if the ciphertext length
                // matches the selected group".
                let (ciphertext, peer) = peer_share.split_last_chunk().ok_or(malformed(group))?;
                let ciphertext = ciphertext.try_into().map_err(|_| malformed(group))?;
                let shared = agree_x25519(group, x25519, peer)?;
                Ok(concatenate(&key.decapsulate(ciphertext)?, &shared))
            }
            // RFC 9846, 4.3.8.2: the public value of X25519 is 32 bytes.
            Private::X25519(key) => agree_x25519(
                group,
                key,
                peer_share.try_into().map_err(|_| malformed(group))?,
            ),
            // RFC 9846, 4.3.8.2: "peers MUST validate each other's public value Q".
            Private::Secp256r1(key) => key.agree(peer_share)?.ok_or(malformed(group).into()),
        }
    }
}

/// Answers a client's share: returns our share and the shared secret.
///
/// # Errors
///
/// Returns the errors of [`EphemeralKey::agree`], and one for an encapsulation key that fails its
/// check.
pub(crate) fn respond(
    group: Group,
    peer_share: &[u8],
    rng: &mut Rng<'_>,
) -> Result<(Vec<u8>, Secret), Fault> {
    respond_on(backend(), group, peer_share, rng)
}

pub(crate) fn respond_on(
    backend: Backend,
    group: Group,
    peer_share: &[u8],
    rng: &mut Rng<'_>,
) -> Result<(Vec<u8>, Secret), Fault> {
    match group {
        Group::X25519MlKem768 => {
            let (encapsulation_key, peer) =
                peer_share.split_last_chunk().ok_or(malformed(group))?;
            let encapsulation_key = encapsulation_key.try_into().map_err(|_| malformed(group))?;
            // RFC 10024, "Server share": "the server MUST perform the encapsulation key check
            // described in Section 7.2 of FIPS 203".
            let (mut share, first) =
                ml_kem::encapsulate(backend, encapsulation_key, rng)?.ok_or(malformed(group))?;
            let key = x25519::PrivateKey::generate(backend, rng)?;
            share.extend_from_slice(&key.public()?);
            Ok((share, concatenate(&first, &agree_x25519(group, key, peer)?)))
        }
        Group::X25519 | Group::Secp256r1 => {
            let key = EphemeralKey::generate_on(backend, group, rng)?;
            let share = key.public().to_vec();
            Ok((share, key.agree(peer_share)?))
        }
    }
}

fn agree_x25519(
    group: Group,
    key: x25519::PrivateKey,
    peer: &[u8; x25519::LEN],
) -> Result<Secret, Fault> {
    // RFC 9846, 7.4.2: the all-zero shared secret is refused. RFC 10024, "Shared secret": this
    // holds in the hybrid too.
    key.agree(peer)?
        .ok_or(Fault::Illegal(Illegal::ZeroSharedSecret {
            group: group.code_point(),
        }))
}

/// Joins the secrets of the hybrid. RFC 10024, "Shared secret": "the concatenation of the ML-KEM
/// shared secret and the X25519 shared secret".
fn concatenate(ml_kem: &Secret, x25519: &Secret) -> Secret {
    let (first, second) = (ml_kem.expose(), x25519.expose());
    scrubbed(|| {
        Secret::filled(first.len() + second.len(), |out| {
            let (head, tail) = out.split_at_mut(first.len());
            head.copy_from_slice(first);
            tail.copy_from_slice(second);
        })
    })
}

fn malformed(group: Group) -> Illegal {
    Illegal::KeyShare {
        group: group.code_point(),
    }
}
