//! The transcript hash (RFC 9846, 4.1): over every message of the main handshake, in order, headers included.

use crate::crypto::hash::{Digest, HashAlgorithm, Hasher};

/// The ClientHello, kept as bytes until the cipher suite says which hash to use.
pub(crate) struct ClientHelloTranscript(Vec<u8>);

impl ClientHelloTranscript {
    pub(crate) fn new(client_hello: &[u8]) -> Self {
        Self(client_hello.to_vec())
    }

    /// The suite is known: hashing begins.
    pub(crate) fn with_hash(self, algorithm: HashAlgorithm) -> Transcript {
        let mut transcript = Transcript(Hasher::new(algorithm));
        transcript.add(&self.0);
        transcript
    }
}

/// The running hash over the handshake's messages.
pub(crate) struct Transcript(Hasher);

impl Transcript {
    /// Appends a message with its header.
    pub(crate) fn add(&mut self, message: &[u8]) {
        self.0.update(message);
    }

    /// Transcript-Hash of all messages so far.
    pub(crate) fn digest(&self) -> Digest {
        self.0.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_hash_of_the_concatenation() {
        let mut transcript = ClientHelloTranscript::new(b"one").with_hash(HashAlgorithm::Sha384);
        assert_eq!(transcript.digest().as_bytes(), HashAlgorithm::Sha384.hash(b"one").as_bytes());
        transcript.add(b"two");
        assert_eq!(transcript.digest().as_bytes(), HashAlgorithm::Sha384.hash(b"onetwo").as_bytes());
    }
}
