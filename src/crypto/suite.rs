//! [`Suite`]: the cipher suites that are implemented.

use crate::code_point::CipherSuite;
use crate::crypto::hash::HashAlgorithm;

/// A cipher suite of RFC 9846, B.4: an AEAD and the hash of the key schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Aes128GcmSha256,
    Aes256GcmSha384,
    ChaCha20Poly1305Sha256,
}

impl Suite {
    /// All suites, in the order of the registry.
    pub(crate) const ALL: [Self; 3] = [
        Self::Aes128GcmSha256,
        Self::Aes256GcmSha384,
        Self::ChaCha20Poly1305Sha256,
    ];

    /// The length of the per-record nonce and of the static IV, in bytes, for every suite (RFC
    /// 9846, 5.3).
    pub(crate) const NONCE_LEN: usize = 12;

    /// The length of the authentication tag in bytes, for every suite.
    pub(crate) const TAG_LEN: usize = 16;

    pub(crate) fn from_code_point(code_point: CipherSuite) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|suite| suite.code_point() == code_point)
    }

    pub(crate) fn code_point(self) -> CipherSuite {
        match self {
            Self::Aes128GcmSha256 => CipherSuite::TLS_AES_128_GCM_SHA256,
            Self::Aes256GcmSha384 => CipherSuite::TLS_AES_256_GCM_SHA384,
            Self::ChaCha20Poly1305Sha256 => CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
        }
    }

    /// Returns the hash of the key schedule and the transcript.
    pub(crate) fn hash(self) -> HashAlgorithm {
        match self {
            Self::Aes128GcmSha256 | Self::ChaCha20Poly1305Sha256 => HashAlgorithm::Sha256,
            Self::Aes256GcmSha384 => HashAlgorithm::Sha384,
        }
    }

    /// Returns the length of the AEAD's key in bytes.
    pub(crate) fn key_len(self) -> usize {
        match self {
            Self::Aes128GcmSha256 => 16,
            Self::Aes256GcmSha384 | Self::ChaCha20Poly1305Sha256 => 32,
        }
    }

    /// Returns how many records one key may protect.
    pub(crate) fn record_limit(self) -> u64 {
        match self {
            // RFC 9846, 5.5: 2^24.5 full-size records, rounded down. Short records count as full
            // ones, which keeps a margin at no cost.
            Self::Aes128GcmSha256 | Self::Aes256GcmSha384 => 23_726_566,
            // RFC 9846, 5.5: the sequence number would wrap first, and 5.3 forbids that. The last
            // number is never used.
            Self::ChaCha20Poly1305Sha256 => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_points_are_those_of_the_registry() {
        // RFC 9846, B.4.
        assert_eq!(
            Suite::from_code_point(CipherSuite(0x1301)),
            Some(Suite::Aes128GcmSha256)
        );
        assert_eq!(
            Suite::from_code_point(CipherSuite(0x1302)),
            Some(Suite::Aes256GcmSha384)
        );
        assert_eq!(
            Suite::from_code_point(CipherSuite(0x1303)),
            Some(Suite::ChaCha20Poly1305Sha256)
        );
        assert_eq!(Suite::from_code_point(CipherSuite(0x1304)), None);
        assert_eq!(Suite::from_code_point(CipherSuite(0)), None);
    }

    #[test]
    fn the_record_limit_is_two_to_the_24_and_a_half() {
        // RFC 9846, 5.5: limit <= 2^24.5 < limit + 1, squared to avoid floating point.
        let limit = u128::from(Suite::Aes128GcmSha256.record_limit());
        assert!(limit * limit <= 1 << 49 && (limit + 1) * (limit + 1) > 1 << 49);
        assert_eq!(
            Suite::Aes256GcmSha384.record_limit(),
            Suite::Aes128GcmSha256.record_limit()
        );
    }
}
