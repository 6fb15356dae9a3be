//! SHA-256 and SHA-384 for the transcript: updated step by step, and read at any point. The SHA-2
//! family for one string.

use core::fmt;

use sha2::Digest as _;

/// The hash of a cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HashAlgorithm {
    Sha256,
    Sha384,
}

impl HashAlgorithm {
    /// Both hashes.
    pub(crate) const ALL: [Self; 2] = [Self::Sha256, Self::Sha384];

    /// The longest output, in bytes.
    pub(crate) const MAX_OUTPUT_LEN: usize = 48;

    /// Returns `Hash.length` of RFC 9846, section 7, in bytes.
    pub(crate) fn output_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    /// Returns the hash of one string.
    pub(crate) fn hash(self, bytes: &[u8]) -> Digest {
        match self {
            Self::Sha256 => Digest::new(&sha2::Sha256::digest(bytes)),
            Self::Sha384 => Digest::new(&sha2::Sha384::digest(bytes)),
        }
    }
}

/// Returns the SHA-256 of one string, for digests that do not depend on the cipher suite: our own,
/// and channel bindings.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

/// Returns the SHA-224 of one string.
pub(crate) fn sha224(bytes: &[u8]) -> [u8; 28] {
    sha2::Sha224::digest(bytes).into()
}

/// Returns the SHA-384 of one string.
pub(crate) fn sha384(bytes: &[u8]) -> [u8; 48] {
    sha2::Sha384::digest(bytes).into()
}

/// Returns the SHA-512 of one string.
pub(crate) fn sha512(bytes: &[u8]) -> [u8; 64] {
    sha2::Sha512::digest(bytes).into()
}

/// A running hash.
#[derive(Clone)]
pub(crate) enum Hasher {
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
}

impl Hasher {
    pub(crate) fn new(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            HashAlgorithm::Sha384 => Self::Sha384(sha2::Sha384::new()),
        }
    }

    pub(crate) fn algorithm(&self) -> HashAlgorithm {
        match self {
            Self::Sha256(_) => HashAlgorithm::Sha256,
            Self::Sha384(_) => HashAlgorithm::Sha384,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
        }
    }

    /// Returns the hash of the input so far. More may follow.
    pub(crate) fn digest(&self) -> Digest {
        match self {
            Self::Sha256(hash) => Digest::new(&hash.clone().finalize()),
            Self::Sha384(hash) => Digest::new(&hash.clone().finalize()),
        }
    }
}

/// A hash value: of the transcript, so public, and comparable with `==`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest {
    /// The value, then zeros.
    bytes: [u8; HashAlgorithm::MAX_OUTPUT_LEN],
    len: u8,
}

impl Digest {
    fn new(value: &[u8]) -> Self {
        let mut bytes = [0; HashAlgorithm::MAX_OUTPUT_LEN];
        let mut len = 0;
        for (byte, value) in bytes.iter_mut().zip(value) {
            *byte = *value;
            len += 1;
        }
        Self { bytes, len }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_the_examples_of_fips_180() {
        // FIPS 180-2, B.1, and 180-2 D.1: the hash of "abc".
        assert_eq!(
            format!("{:?}", HashAlgorithm::Sha256.hash(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            HashAlgorithm::Sha256.hash(b"abc").as_bytes(),
            sha256(b"abc")
        );
        assert_eq!(
            format!("{:?}", HashAlgorithm::Sha384.hash(b"abc")),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7"
        );
    }

    #[test]
    fn can_be_read_on_the_way() {
        for algorithm in HashAlgorithm::ALL {
            let mut hasher = Hasher::new(algorithm);
            assert_eq!(hasher.digest(), algorithm.hash(b""));
            hasher.update(b"Client");
            assert_eq!(hasher.digest(), algorithm.hash(b"Client"));
            hasher.update(b"Hello");
            assert_eq!(hasher.digest(), algorithm.hash(b"ClientHello"));
            assert_eq!(hasher.digest().as_bytes().len(), algorithm.output_len());
            assert_eq!(hasher.algorithm(), algorithm);
        }
    }
}
