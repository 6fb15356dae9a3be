//! Secrets are wiped on drop: asserted by type, and seen by reading the freed memory.
//!
//! Types alone do not prove it. `Hmac`, `Hkdf`, `GHash` and `Poly1305` wipe through their parts,
//! without the marker, and only with features whose absence would not fail the build.

use ::hkdf::Hkdf;
use ::hmac::Hmac;
use aes_gcm::AesGcm;
use aes_gcm::aead::KeyInit;
use aes_gcm::aead::consts::U12;
use aes_gcm::aes::{Aes128Enc, Aes256Enc};
use chacha20poly1305::ChaCha20Poly1305;
use poly1305::Poly1305;
use sha2::{Digest, Sha256, Sha384};
use zeroize::ZeroizeOnDrop;

use crate::crypto::aead::AeadKey;
use crate::crypto::hkdf::Prk;
use crate::crypto::hmac::HmacKey;
use crate::crypto::key_exchange::EphemeralKey;
use crate::crypto::signature::SigningKey;

#[test]
fn by_type() {
    fn wiped<T: ZeroizeOnDrop>() {}
    wiped::<AesGcm<Aes128Enc, U12>>();
    wiped::<AesGcm<Aes256Enc, U12>>();
    wiped::<ChaCha20Poly1305>();
    wiped::<Sha256>();
    wiped::<Sha384>();
    wiped::<ed25519_dalek::SigningKey>();
    wiped::<x25519_dalek::StaticSecret>();
    wiped::<x25519_dalek::SharedSecret>();
    wiped::<ml_kem::DecapsulationKey<ml_kem::MlKem768>>();
    wiped::<p256::SecretKey>();
    wiped::<p256::ecdh::SharedSecret>();
}

/// Keys are shared between the threads of a server.
#[test]
fn can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<AeadKey>();
    shared::<HmacKey>();
    shared::<Prk>();
    shared::<EphemeralKey>();
    shared::<SigningKey>();
}

#[cfg(target_os = "linux")]
mod by_looking {
    use super::*;
    use crate::testing::memory::left;

    const KEY: [u8; 48] = *b"an odd key that has 48 bytes, and not all equal.";

    #[test]
    fn this_test_sees_what_is_not_wiped() {
        assert_eq!(left(KEY), 4);
    }

    #[test]
    fn hashes() {
        assert_eq!(left(Sha256::new_with_prefix(KEY)), 0);
        assert_eq!(left(Sha384::new_with_prefix(KEY)), 0);
        assert_eq!(
            left(<Hmac<Sha256> as KeyInit>::new_from_slice(&KEY).unwrap()),
            0
        );
        assert_eq!(
            left(<Hmac<Sha384> as KeyInit>::new_from_slice(&KEY).unwrap()),
            0
        );
        assert_eq!(left(Hkdf::<Sha256>::from_prk(&KEY).unwrap()), 0);
        assert_eq!(left(Hkdf::<Sha384>::from_prk(&KEY).unwrap()), 0);
    }

    #[test]
    fn aeads() {
        assert_eq!(
            left(AesGcm::<Aes128Enc, U12>::new_from_slice(&KEY[..16]).unwrap()),
            0
        );
        assert_eq!(
            left(AesGcm::<Aes256Enc, U12>::new_from_slice(&KEY[..32]).unwrap()),
            0
        );
        assert_eq!(
            left(ChaCha20Poly1305::new_from_slice(&KEY[..32]).unwrap()),
            0
        );
        assert_eq!(left(Poly1305::new_from_slice(&KEY[..32]).unwrap()), 0);
    }

    #[test]
    fn curves() {
        let key: [u8; 32] = KEY[..32].try_into().unwrap();
        assert_eq!(left(x25519_dalek::StaticSecret::from(key)), 0);
        assert_eq!(left(p256::SecretKey::from_bytes(&key.into()).unwrap()), 0);
        let signing = ed25519_dalek::SigningKey::from_bytes(&key);
        // Everything but the seed stays: it is the public key.
        assert_eq!(left(signing.verifying_key()), left(signing));

        #[cfg(all(
            feature = "accelerate",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ))]
        if crate::crypto::backend::backend() != crate::crypto::backend::Backend::Portable {
            assert_eq!(
                left(graviola::key_agreement::x25519::StaticPrivateKey::from_array(&key)),
                0
            );
            assert_eq!(
                left(graviola::key_agreement::p256::StaticPrivateKey::from_bytes(&key).unwrap()),
                0
            );
            assert_eq!(
                left(graviola::signing::eddsa::Ed25519SigningKey::from_bytes(&key).unwrap()),
                0
            );
        }
    }
}
