//! The AEAD, opened to this repository's own benchmarks and tests by the feature `_internals`. No part of the API: it may change or go with any version.

use crate::code_point::CipherSuite;
use crate::crypto::aead::AeadKey;
use crate::crypto::suite::Suite;

/// One key, and none of the bookkeeping that a connection does with it: whoever calls sees to it that no nonce comes twice.
pub struct Aead(AeadKey);

impl Aead {
    /// `None` for a suite that is not implemented, or a key that is not of its length.
    #[must_use]
    pub fn new(suite: CipherSuite, key: &[u8]) -> Option<Self> {
        let suite = Suite::from_code_point(suite)?;
        (key.len() == suite.key_len()).then(|| Self(AeadKey::new(suite, key)))
    }

    /// Encrypts `head`, and then what stands in `buffer` behind its length, into `buffer`; returns the tag.
    ///
    /// # Panics
    ///
    /// If `buffer` is shorter than `head`.
    #[expect(clippy::expect_used, reason = "for benchmarks and tests: a mistake in the calling code")]
    pub fn seal(&self, nonce: &[u8; 12], aad: &[u8], head: &[u8], buffer: &mut [u8]) -> [u8; 16] {
        self.0.seal(nonce, aad, head, buffer).expect("a buffer that holds the head")
    }

    /// Decrypts `buffer`, the first bytes into `head` and the others in place. `false` for a `tag` that is not theirs.
    pub fn open(&self, nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8], tag: &[u8; 16], head: &mut [u8]) -> bool {
        self.0.open(nonce, aad, buffer, tag, head).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_sealed_and_nothing_else() {
        let key = Aead::new(CipherSuite::TLS_AES_256_GCM_SHA384, &[7; 32]).unwrap();
        let mut buffer = *b"...behind";
        let tag = key.seal(&[1; 12], b"aad", b"in ", &mut buffer);
        let (mut again, mut head) = (buffer, [0; 3]);
        assert!(key.open(&[1; 12], b"aad", &mut buffer, &tag, &mut head));
        assert_eq!((&head, &buffer[3..]), (b"in ", &b"behind"[..]));
        assert!(!key.open(&[2; 12], b"aad", &mut again, &tag, &mut head));
        assert!(Aead::new(CipherSuite::TLS_AES_256_GCM_SHA384, &[7; 16]).is_none());
        assert!(Aead::new(CipherSuite::TLS_AES_128_CCM_SHA256, &[7; 16]).is_none());
    }
}
