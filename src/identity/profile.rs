//! What all certificates that we make have in common, whoever signs them.

use crate::crypto::hash::HashAlgorithm;
use crate::identity::distinguished_name::plain;
use crate::identity::public_key::PublicKey;

/// RFC 5280, A.1: ub-common-name, in characters.
const MAX_COMMON_NAME: usize = 64;

/// A serial number from random bytes: positive, and 16 bytes long (RFC 5280, 4.1.2.2, allows 20).
pub(crate) fn serial(mut random: [u8; 16]) -> [u8; 16] {
    if let Some(first) = random.first_mut() {
        *first = *first & 0x3f | 0x40;
    }
    random
}

/// The first 160 bits of SHA-256 of the key (RFC 7093, section 2, method 1).
pub(crate) fn key_identifier(key: &PublicKey) -> Vec<u8> {
    HashAlgorithm::Sha256
        .hash(key.as_bytes())
        .as_bytes()
        .iter()
        .copied()
        .take(20)
        .collect()
}

/// A common name that fits, or nothing: it is for people, so a long one is left out.
pub(crate) fn fitting_common_name(text: &str) -> Option<&str> {
    (!text.is_empty() && text.chars().count() <= MAX_COMMON_NAME && text.chars().all(plain))
        .then_some(text)
}
