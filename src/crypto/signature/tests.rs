//! Signatures are accepted exactly if `verify_strict` accepts them, and both backends make the same
//! ones.

use std::collections::HashSet;

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use proptest::prelude::*;
use sha2::{Digest, Sha512};

use super::*;
use crate::crypto::random::SystemRandom;

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let bytes: Vec<_> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    bytes.try_into().unwrap()
}

fn key(backend: Backend, seed: [u8; 32]) -> SigningKey {
    SigningKey::from_seed_with(backend, Secret::copy_of(&seed)).unwrap()
}

#[test]
fn rfc_8032() {
    // RFC 8032, 7.1: tests 1 and 2.
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            &b""[..],
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &b"\x72"[..],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ] {
        for backend in Backend::all() {
            let key = key(backend, bytes(seed));
            assert_eq!(key.public_key(), bytes(public));
            assert_eq!(key.sign(message), bytes(signature));
            assert!(key.seed().expose() == bytes::<32>(seed));
        }
        let key = VerifyingKey::parse(&bytes(public)).unwrap();
        assert_eq!(key.verify(message, &bytes::<64>(signature)), Ok(()));
        assert_eq!(
            key.verify(b"another", &bytes::<64>(signature)),
            Err(InvalidSignature)
        );
        assert_eq!(key.to_bytes(), bytes(public));
    }
}

#[test]
fn each_backend_is_used() {
    for backend in Backend::all() {
        match (backend, key(backend, [7; 32]).key) {
            (Backend::Portable, Key::Portable(_)) => {}
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            (Backend::Graviola, Key::Graviola(_)) => {}
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            _ => panic!("{backend:?} was asked for"),
        }
    }
}

#[test]
fn a_generated_key_signs_and_a_seed_of_another_length_is_none() {
    let key = SigningKey::generate(&mut SystemRandom).unwrap();
    let verifying = VerifyingKey::parse(&key.public_key()).unwrap();
    assert_eq!(verifying.verify(b"message", &key.sign(b"message")), Ok(()));
    assert_eq!(
        SigningKey::from_seed(Secret::copy_of(&[7; 31])).err(),
        Some(InvalidKey)
    );
    assert_eq!(
        verifying.verify(b"message", &key.sign(b"message")[..63]),
        Err(InvalidSignature)
    );
}

#[test]
fn the_small_order_encodings_are_those_of_the_eight_torsion() {
    let torsion: HashSet<_> = EIGHT_TORSION
        .iter()
        .map(|point| point.compress().to_bytes())
        .collect();
    assert_eq!(torsion.len(), 8);
    assert_eq!(torsion, SMALL_ORDER.into_iter().collect());
}

/// Returns the verdict of `verify_strict`, starting from bytes.
fn strict(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    ed25519_dalek::VerifyingKey::from_bytes(key).is_ok_and(|key| {
        key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature))
            .is_ok()
    })
}

/// Returns the verdict of RFC 8032's equation without cofactor, which ignores the order of A and R.
fn lax(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    use ed25519_dalek::Verifier;
    ed25519_dalek::VerifyingKey::from_bytes(key).is_ok_and(|key| {
        key.verify(message, &ed25519_dalek::Signature::from_bytes(signature))
            .is_ok()
    })
}

fn ours(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::parse(key).is_ok_and(|key| key.verify(message, signature).is_ok())
}

/// Makes a signature under A = aB + T with R = rB + T', for any encodings. It satisfies the
/// equation up to a point of small order.
fn forge(a: Scalar, public: &[u8; 32], r: Scalar, r_bytes: &[u8; 32], message: &[u8]) -> [u8; 64] {
    let k = Scalar::from_bytes_mod_order_wide(
        &Sha512::new()
            .chain_update(r_bytes)
            .chain_update(public)
            .chain_update(message)
            .finalize()
            .into(),
    );
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(r_bytes);
    signature[32..].copy_from_slice(&(r + k * a).to_bytes());
    signature
}

#[test]
fn says_what_verify_strict_says_of_points_with_a_small_order_part() {
    let (mut accepted, mut only_lax, mut small_r_under_a_good_key) = (0, 0, 0);
    for a in [Scalar::ZERO, Scalar::from(0x1234_5678_9abc_def1_u64)] {
        for r in [Scalar::ZERO, Scalar::from(0xfedc_ba98_7654_3211_u64)] {
            for torsion_a in EIGHT_TORSION {
                let public = (EdwardsPoint::mul_base(&a) + torsion_a)
                    .compress()
                    .to_bytes();
                for torsion_r in EIGHT_TORSION {
                    let r_bytes = (EdwardsPoint::mul_base(&r) + torsion_r)
                        .compress()
                        .to_bytes();
                    for message in 0u8..16 {
                        let signature = forge(a, &public, r, &r_bytes, &[message]);
                        let verdict = ours(&public, &[message], &signature);
                        assert_eq!(verdict, strict(&public, &[message], &signature));
                        let lax = lax(&public, &[message], &signature);
                        accepted += usize::from(verdict);
                        only_lax += usize::from(lax && !verdict);
                        small_r_under_a_good_key +=
                            usize::from(lax && r == Scalar::ZERO && a != Scalar::ZERO);
                    }
                }
            }
        }
    }
    // Each of the cases that make a difference occurred.
    assert!(
        accepted >= 16 && only_lax >= 16 && small_r_under_a_good_key >= 16,
        "{accepted} {only_lax} {small_r_under_a_good_key}"
    );
}

/// Returns all encodings whose y is not below the field's order, with either sign.
fn not_canonical() -> impl Iterator<Item = [u8; 32]> {
    (0xed_u8..=0xff).flat_map(|low| {
        [0x7f, 0xff].map(|high| {
            let mut bytes = [0xff; 32];
            bytes[0] = low;
            bytes[31] = high;
            bytes
        })
    })
}

#[test]
fn says_what_verify_strict_says_of_encodings_that_are_not_canonical() {
    let mut points = 0;
    // RFC 8032, 5.1.3 also refuses a sign on x = 0.
    let mut negative_zero = [[0; 32], SMALL_ORDER[1]];
    negative_zero[0][0] = 1;
    for encoding in not_canonical().chain(negative_zero.map(|mut bytes| {
        bytes[31] |= 0x80;
        bytes
    })) {
        points += usize::from(CompressedEdwardsY(encoding).decompress().is_some());
        for message in 0u8..16 {
            // The encoding is used as A. If its order is small, a = 0. Otherwise nobody knows a,
            // and both reject the signature.
            for torsion in EIGHT_TORSION {
                let signature = forge(
                    Scalar::ZERO,
                    &encoding,
                    Scalar::ZERO,
                    &torsion.compress().to_bytes(),
                    &[message],
                );
                assert_eq!(
                    ours(&encoding, &[message], &signature),
                    strict(&encoding, &[message], &signature)
                );
            }
            // The encoding is used as R.
            let a = Scalar::from(0x1234_5678_9abc_def1_u64);
            for torsion in EIGHT_TORSION {
                let public = (EdwardsPoint::mul_base(&a) + torsion).compress().to_bytes();
                let signature = forge(a, &public, Scalar::ZERO, &encoding, &[message]);
                assert!(!strict(&public, &[message], &signature));
                assert!(!ours(&public, &[message], &signature));
            }
        }
    }
    assert!(points > 8, "some of them are points: {points}");
}

#[test]
fn small_order_keys_are_refused_when_parsed() {
    for encoding in SMALL_ORDER.into_iter().chain(not_canonical()) {
        let weak =
            ed25519_dalek::VerifyingKey::from_bytes(&encoding).map_or(true, |key| key.is_weak());
        assert_eq!(VerifyingKey::parse(&encoding).is_err(), weak);
    }
    for encoding in SMALL_ORDER {
        assert_eq!(VerifyingKey::parse(&encoding).err(), Some(InvalidKey));
    }
}

#[test]
fn s_is_below_the_order() {
    // RFC 8032, 5.1.7: S + L satisfies the equation too, and is refused.
    let key = key(Backend::Portable, [7; 32]);
    let mut signature = key.sign(b"message");
    let order: [u8; 32] = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert!(!strict(&key.public_key(), b"message", &signature));
    assert!(!ours(&key.public_key(), b"message", &signature));
}

proptest! {
    #[test]
    fn backends_sign_alike(seed: [u8; 32], message: Vec<u8>) {
        let expected = key(Backend::Portable, seed);
        for backend in Backend::all() {
            let key = key(backend, seed);
            prop_assert_eq!(key.public_key(), expected.public_key());
            prop_assert_eq!(key.sign(&message), expected.sign(&message));
        }
        prop_assert!(ours(
            &expected.public_key(),
            &message,
            &expected.sign(&message)
        ));
    }

    #[test]
    fn says_what_verify_strict_says_of_anything(
        seed: [u8; 32],
        message: Vec<u8>,
        flips in prop::collection::vec((0usize..96, any::<u8>()), 0..3),
    ) {
        let key = key(Backend::Portable, seed);
        let (mut public, mut signature) = (key.public_key(), key.sign(&message));
        for (at, flip) in flips {
            match at.checked_sub(32) {
                Some(at) => signature[at] ^= flip,
                None => public[at] ^= flip,
            }
        }
        prop_assert_eq!(
            ours(&public, &message, &signature),
            strict(&public, &message, &signature)
        );
    }

    #[test]
    fn says_what_verify_strict_says_of_random_bytes(
        public: [u8; 32],
        message: Vec<u8>,
        r: [u8; 32],
        s: [u8; 32],
    ) {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r);
        signature[32..].copy_from_slice(&s);
        prop_assert_eq!(
            ours(&public, &message, &signature),
            strict(&public, &message, &signature)
        );
    }
}
