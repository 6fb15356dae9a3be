//! What all certificates that we make have in common, whoever signs them.

use crate::crypto::hash::HashAlgorithm;
use crate::identity::distinguished_name::plain;
use crate::identity::public_key::PublicKey;

/// The longest common name, in characters (RFC 5280, A.1: ub-common-name).
const MAX_COMMON_NAME: usize = 64;

/// Makes a serial number from random bytes: positive, and 16 bytes long (RFC 5280, 4.1.2.2, allows
/// 20).
pub(crate) fn serial(mut random: [u8; 16]) -> [u8; 16] {
    if let Some(first) = random.first_mut() {
        *first = *first & 0x3f | 0x40;
    }
    random
}

/// Returns the first 160 bits of SHA-256 of the key (RFC 7093, section 2, method 1).
pub(crate) fn key_identifier(key: &PublicKey) -> Vec<u8> {
    HashAlgorithm::Sha256
        .hash(key.as_bytes())
        .as_bytes()
        .iter()
        .copied()
        .take(20)
        .collect()
}

/// Returns the text if it fits as a common name. The name is only for people, so one that does not
/// fit is left out.
pub(crate) fn fitting_common_name(text: &str) -> Option<&str> {
    (!text.is_empty() && text.chars().count() <= MAX_COMMON_NAME && text.chars().all(plain))
        .then_some(text)
}
