//! The guarantees of the groups, on both backends. Here: both sides agree, and private keys. In the
//! submodules: vectors, and invalid shares.

mod refusals;
mod vectors;

use proptest::prelude::*;
use rand_core::{TryCryptoRng, TryRng};

use super::*;
use crate::code_point::AlertDescription;
use crate::crypto::random::SystemRandom;
use crate::testing::broken::Broken;

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let bytes: Vec<_> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect();
    bytes.try_into().unwrap()
}

/// Makes a key of any group from its private bytes.
fn key(backend: Backend, group: Group, private: &[u8]) -> EphemeralKey {
    let key = EphemeralKey::from_private(backend, group, private).unwrap();
    assert_eq!(key.backends(), backend_of_each_part(backend, group));
    key
}

impl EphemeralKey {
    /// Returns the backend of each part.
    fn backends(&self) -> Vec<Backend> {
        match &self.private {
            Private::X25519MlKem768(key, x25519) => vec![key.backend(), x25519.backend()],
            Private::X25519(key) => vec![key.backend()],
            Private::Secp256r1(key) => vec![key.backend()],
        }
    }
}

fn backend_of_each_part(backend: Backend, group: Group) -> Vec<Backend> {
    vec![backend; if group == Group::X25519MlKem768 { 2 } else { 1 }]
}

/// Randomness from a seed: a counter, mixed.
struct Seeded(u64);

impl TryRng for Seeded {
    type Error = getrandom::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.try_next_u64()? as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}

/// Randomness whose bytes are all the same.
struct Stuck(u8);

impl TryRng for Stuck {
    type Error = getrandom::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_ne_bytes([self.0; 4]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_ne_bytes([self.0; 8]))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.fill(self.0);
        Ok(())
    }
}

impl TryCryptoRng for Stuck {}

#[track_caller]
fn refused(fault: Option<Fault>, expected: &Illegal) {
    let fault = fault.expect("refused");
    assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
    assert!(
        matches!(&fault, Fault::Illegal(illegal) if illegal == expected),
        "{fault:?}"
    );
}

// ---- the groups ----

#[test]
fn registry() {
    // RFC 9846, 4.3.7; RFC 10024, "IANA Considerations".
    let groups = [
        (Group::X25519MlKem768, 0x11ec, true),
        (Group::X25519, 0x001d, false),
        (Group::Secp256r1, 0x0017, false),
    ];
    assert_eq!(groups.map(|(group, ..)| group), Group::ALL);
    for (group, code_point, post_quantum) in groups {
        assert_eq!(group.code_point(), NamedGroup(code_point));
        assert_eq!(Group::from_code_point(NamedGroup(code_point)), Some(group));
        assert_eq!(group.is_post_quantum(), post_quantum);
    }
    assert_eq!(Group::from_code_point(NamedGroup(0x11eb)), None);
}

#[test]
fn both_sides_agree() {
    // RFC 10024, "Construction"; RFC 9846, 4.3.8.2 and 7.4.2.
    let lengths = [
        (Group::X25519MlKem768, 1216, 1120, 64),
        (Group::X25519, 32, 32, 32),
        (Group::Secp256r1, 65, 65, 32),
    ];
    for ((group, from_client, from_server, shared), (client_backend, server_backend)) in
        lengths.into_iter().flat_map(|lengths| {
            Backend::all().into_iter().flat_map(move |one| {
                Backend::all()
                    .into_iter()
                    .map(move |other| (lengths, (one, other)))
            })
        })
    {
        let client = EphemeralKey::generate_on(client_backend, group, &mut SystemRandom).unwrap();
        assert_eq!(
            client.backends(),
            backend_of_each_part(client_backend, group)
        );
        assert_eq!(
            (client.group(), client.public().len()),
            (group, from_client)
        );
        let (share, secret) =
            respond_on(server_backend, group, client.public(), &mut SystemRandom).unwrap();
        assert_eq!((share.len(), secret.len()), (from_server, shared));
        assert!(client.agree(&share).unwrap().expose() == secret.expose());
    }
}

/// A generator with a seed determines every byte. With the system's generator, each part uses the
/// fastest backend.
#[test]
fn a_seed_decides_everything() {
    for group in Group::ALL {
        let conversation = |seed| {
            let mut rng = Seeded(seed);
            let client = EphemeralKey::generate(group, &mut rng).unwrap();
            let offer = client.public().to_vec();
            let (share, secret) = respond(group, &offer, &mut rng).unwrap();
            assert!(client.agree(&share).unwrap().expose() == secret.expose());
            (offer, share, secret.expose().to_vec())
        };
        assert_eq!(conversation(1), conversation(1));
        let (one, other) = (conversation(1), conversation(2));
        assert!(one.0 != other.0 && one.1 != other.1 && one.2 != other.2);
    }
    let seeded = EphemeralKey::generate(Group::X25519MlKem768, &mut Seeded(1)).unwrap();
    assert_eq!(seeded.backends(), [Backend::Portable, backend()]);
    let system = EphemeralKey::generate(Group::X25519MlKem768, &mut SystemRandom).unwrap();
    assert_eq!(system.backends(), [backend(), backend()]);
}

#[test]
fn each_half_is_fresh() {
    let keys =
        [(); 2].map(|()| EphemeralKey::generate(Group::X25519MlKem768, &mut SystemRandom).unwrap());
    let alone = EphemeralKey::generate(Group::X25519, &mut SystemRandom).unwrap();
    let [one, other] = keys.each_ref().map(|key| key.public().split_at(1184));
    assert!(one.0 != other.0 && one.1 != other.1 && one.1 != alone.public());
    let [one, other] = [(); 2].map(|()| {
        respond(Group::X25519MlKem768, keys[0].public(), &mut SystemRandom)
            .unwrap()
            .0
    });
    assert!(one[..1088] != other[..1088] && one[1088..] != other[1088..]);
}

/// RFC 10024, "Shared secret": ML-KEM's secret comes first. In the client's share the encapsulation
/// key is first, in the server's the ciphertext.
#[test]
fn the_hybrid_is_what_its_parts_are() {
    for backend in Backend::all() {
        let (seed, scalar, message, other) = ([1; 64], [2; 32], [3; 32], [4; 32]);
        let client = key(
            backend,
            Group::X25519MlKem768,
            &[&seed[..], &scalar].concat(),
        );
        let (ml_kem, encapsulation_key) =
            ml_kem::DecapsulationKey::from_seed(Backend::Portable, &Secret::copy_of(&seed))
                .unwrap();
        let x25519 = key(Backend::Portable, Group::X25519, &scalar);
        assert_eq!(
            client.public(),
            [&encapsulation_key, x25519.public()].concat()
        );

        let peer = key(Backend::Portable, Group::X25519, &other);
        let (ciphertext, first) = ml_kem::encapsulate_message(
            backend,
            encapsulation_key[..].try_into().unwrap(),
            &Secret::copy_of(&message),
        )
        .unwrap()
        .unwrap();
        assert!(
            ml_kem
                .decapsulate(ciphertext[..].try_into().unwrap())
                .unwrap()
                .expose()
                == first.expose()
        );
        let share = [&ciphertext, peer.public()].concat();
        let second = x25519.agree(peer.public()).unwrap();
        assert!(
            client.agree(&share).unwrap().expose() == [first.expose(), second.expose()].concat()
        );
    }
}

/// FIPS 203, 6.3: a damaged ciphertext gives another secret, and no error that would reveal the
/// damage.
#[test]
fn a_damaged_ciphertext_is_rejected_implicitly() {
    let private = [&[5; 64][..], &[6; 32]].concat();
    let (mut share, secret) = respond(
        Group::X25519MlKem768,
        key(Backend::Portable, Group::X25519MlKem768, &private).public(),
        &mut SystemRandom,
    )
    .unwrap();
    share[700] ^= 1;
    let mut rejected = Vec::new();
    for backend in Backend::all() {
        let got = key(backend, Group::X25519MlKem768, &private)
            .agree(&share)
            .unwrap();
        assert!(
            got.expose()[..32] != secret.expose()[..32]
                && got.expose()[32..] == secret.expose()[32..]
        );
        rejected.push(got.expose().to_vec());
    }
    assert!(rejected.iter().all(|secret| *secret == rejected[0]));
}

// ---- private keys ----

/// SP 800-56A, 5.6.1.2.2: a scalar is in [1, n-1], and no other is reduced to one.
#[test]
fn a_scalar_out_of_range_is_not_taken() {
    let order = hex::<32>("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let (mut below, mut above) = (order, order);
    (below[31], above[31]) = (0x50, 0x52);
    let mut one = [0; 32];
    one[31] = 1;
    let taken = |backend, scalar: [u8; 32]| {
        secp256r1::PrivateKey::from_scalar(backend, Secret::copy_of(&scalar))
            .unwrap()
            .is_some()
    };
    for backend in Backend::all() {
        assert!(taken(backend, one) && taken(backend, below));
        assert!(
            ![[0; 32], order, above, [0xff; 32]]
                .into_iter()
                .any(|scalar| taken(backend, scalar))
        );
        // A generator that gives nothing else is broken, and must not keep us drawing for ever.
        for byte in [0, 0xff] {
            let fault =
                EphemeralKey::generate_on(backend, Group::Secp256r1, &mut Stuck(byte)).err();
            assert!(matches!(fault, Some(Fault::Random)));
        }
    }
}

#[test]
fn a_generator_that_fails() {
    for group in Group::ALL {
        let share = EphemeralKey::generate(group, &mut SystemRandom)
            .unwrap()
            .public()
            .to_vec();
        for backend in Backend::all() {
            assert!(matches!(
                EphemeralKey::generate_on(backend, group, &mut Broken).err(),
                Some(Fault::Random)
            ));
            assert!(matches!(
                respond_on(backend, group, &share, &mut Broken).err(),
                Some(Fault::Random)
            ));
        }
    }
}

/// The secrets in either backend's ML-KEM key are gone from the heap after it is used, or dropped
/// without being used.
#[cfg(target_os = "linux")]
#[test]
fn nothing_stays_of_a_decapsulation_key() {
    use crate::testing::memory::Memory;
    #[cfg(all(
        feature = "accelerate",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    use crate::testing::memory::image;

    /// Returns the address of the key, and its bytes.
    fn held(key: &EphemeralKey) -> (usize, Vec<u8>) {
        match &key.private {
            Private::X25519MlKem768(ml_kem::DecapsulationKey::Portable(seed), _) => {
                (seed.expose().as_ptr().addr(), seed.expose().to_vec())
            }
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            Private::X25519MlKem768(ml_kem::DecapsulationKey::Graviola(key), _) => {
                (std::ptr::from_ref(&**key).addr(), image(&**key))
            }
            _ => unreachable!(),
        }
    }

    let [one, other] = [[8; 96], [9; 96]];
    for (backend, used) in Backend::all()
        .into_iter()
        .flat_map(|backend| [(backend, false), (backend, true)])
    {
        let peer = key(Backend::Portable, Group::X25519, &[3; 32])
            .public()
            .to_vec();
        // What does not depend on the key is not secret. The encapsulation key is not secret
        // either, but it cannot be told apart here.
        let (_, other) = held(&key(backend, Group::X25519MlKem768, &other));
        let key = key(backend, Group::X25519MlKem768, &one);
        let (at, alive) = held(&key);
        let (memory, mut freed) = (Memory::own(), vec![0; alive.len()]);
        match used {
            true => drop(key.agree(&[&[7; 1088][..], &peer].concat()).unwrap()),
            false => drop(key),
        }
        memory.read(at, &mut freed);
        let words = alive
            .chunks_exact(8)
            .zip(other.chunks_exact(8))
            .zip(freed.chunks_exact(8));
        let differ = words
            .clone()
            .filter(|((alive, other), _)| alive != other)
            .count();
        let left = words
            .filter(|((alive, other), freed)| alive != other && alive == freed)
            .count();
        // The secret in words: d and z; or, as graviola keeps no d, z and the vector s^, encoded.
        let secret = if backend == Backend::Portable {
            4 + 4
        } else {
            4 + 3 * 384 / 8
        };
        assert!(
            differ - left >= secret,
            "{backend:?}, used: {used}: {left} of {differ} words stay"
        );
    }
}

// ---- both columns ----

fn private_len(group: Group) -> usize {
    if group == Group::X25519MlKem768 {
        96
    } else {
        32
    }
}

/// Returns the share, and the outcome of agreeing, for a key of these bytes.
fn outcome(
    backend: Backend,
    group: Group,
    private: &[u8],
    peer: &[u8],
) -> (Vec<u8>, Option<Vec<u8>>) {
    let key = key(backend, group, private);
    (
        key.public().to_vec(),
        key.agree(peer).ok().map(|secret| secret.expose().to_vec()),
    )
}

proptest! {
    #[test]
    fn backends_agree_on_any_bytes(
        private: [[u8; 32]; 3],
        peer in proptest::collection::vec(any::<u8>(), 1120),
    ) {
        for (group, len) in [
            (Group::X25519MlKem768, 1120),
            (Group::X25519, 32),
            (Group::Secp256r1, 65),
        ] {
            let private = &private.as_flattened()[..private_len(group)];
            let outcomes = Backend::all()
                .into_iter()
                .map(|backend| outcome(backend, group, private, &peer[..len]));
            let outcomes: Vec<_> = outcomes.collect();
            prop_assert!(
                outcomes.iter().all(|one| *one == outcomes[0]),
                "{:?}",
                group
            );
        }
    }

    #[test]
    fn backends_agree_with_each_other(client: [[u8; 32]; 3], seed: u64, message: [u8; 32]) {
        for group in Group::ALL {
            let private = &client.as_flattened()[..private_len(group)];
            let offer = key(Backend::Portable, group, private).public().to_vec();
            let mut shared = Vec::new();
            for backend in Backend::all() {
                let (share, secret) =
                    respond_on(backend, group, &offer, &mut Seeded(seed)).unwrap();
                for backend in Backend::all() {
                    let (public, agreed) = outcome(backend, group, private, &share);
                    prop_assert!(public == offer && agreed.as_deref() == Some(secret.expose()));
                }
                shared.push((share, secret.expose().to_vec()));
            }
            // The seed determines everything, on every backend.
            prop_assert!(shared.iter().all(|one| *one == shared[0]));
        }
        let encapsulation_key = ml_kem::DecapsulationKey::from_seed(
            Backend::Portable,
            &Secret::copy_of(&client.as_flattened()[..64]),
        )
        .unwrap()
        .1;
        let encapsulated = Backend::all().into_iter().map(|backend| {
            let encapsulation_key = encapsulation_key[..].try_into().unwrap();
            let (ciphertext, shared) =
                ml_kem::encapsulate_message(backend, encapsulation_key, &Secret::copy_of(&message))
                    .unwrap()
                    .unwrap();
            (ciphertext, shared.expose().to_vec())
        });
        let encapsulated: Vec<_> = encapsulated.collect();
        prop_assert!(encapsulated.iter().all(|one| *one == encapsulated[0]));
    }
}
