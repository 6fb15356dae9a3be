//! The transcript hash (RFC 9846, 4.1): over every message of the main handshake, in order, headers
//! included.

use crate::crypto::hash::{Digest, HashAlgorithm, Hasher};
use crate::error::Fault;
use crate::message;

/// The ClientHello, kept as bytes until the cipher suite determines the hash.
pub(crate) struct ClientHelloTranscript(Vec<u8>);

impl ClientHelloTranscript {
    pub(crate) fn new(client_hello: &[u8]) -> Self {
        Self(client_hello.to_vec())
    }

    /// Begins to hash, as the suite is known.
    pub(crate) fn with_hash(self, algorithm: HashAlgorithm) -> Transcript {
        let mut transcript = Transcript::new(algorithm);
        transcript.add(&self.0);
        transcript
    }

    /// Begins to hash after a HelloRetryRequest was received or sent, which determines the hash: a
    /// message_hash replaces the first ClientHello, and the second is to come.
    pub(crate) fn with_retry(
        self,
        algorithm: HashAlgorithm,
        retry: &[u8],
    ) -> Result<Transcript, Fault> {
        let mut transcript = Transcript::new(algorithm);
        transcript.add(&message::message_hash(algorithm.hash(&self.0).as_bytes())?);
        transcript.add(retry);
        Ok(transcript)
    }

    /// Returns the ClientHello, with its header.
    pub(crate) fn client_hello(&self) -> &[u8] {
        &self.0
    }
}

/// The running hash over the handshake's messages.
pub(crate) struct Transcript(Hasher);

impl Transcript {
    /// Begins before the first message.
    pub(crate) fn new(algorithm: HashAlgorithm) -> Self {
        Self(Hasher::new(algorithm))
    }

    /// Adds a message with its header.
    pub(crate) fn add(&mut self, message: &[u8]) {
        self.0.update(message);
    }

    /// Returns the Transcript-Hash of all messages so far.
    pub(crate) fn digest(&self) -> Digest {
        self.0.digest()
    }

    /// Returns the Transcript-Hash of all messages so far and `part`, the beginning of another,
    /// which is what a PSK's binder covers (RFC 9846, 4.3.11.2).
    pub(crate) fn digest_with(&self, part: &[u8]) -> Digest {
        let mut hasher = self.0.clone();
        hasher.update(part);
        hasher.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_hash_of_the_concatenation() {
        let mut transcript = ClientHelloTranscript::new(b"one").with_hash(HashAlgorithm::Sha384);
        assert_eq!(
            transcript.digest().as_bytes(),
            HashAlgorithm::Sha384.hash(b"one").as_bytes()
        );
        transcript.add(b"two");
        assert_eq!(
            transcript.digest().as_bytes(),
            HashAlgorithm::Sha384.hash(b"onetwo").as_bytes()
        );
    }

    /// RFC 9846, 4.1: "Transcript-Hash(ClientHello1, HelloRetryRequest, ... Mn) =
    /// Hash(message_hash || 00 00 Hash.length || Hash(ClientHello1) || HelloRetryRequest || ... ||
    /// Mn)".
    #[test]
    fn a_message_hash_stands_for_the_first_client_hello_after_a_retry() {
        let algorithm = HashAlgorithm::Sha256;
        let first = algorithm.hash(b"one");
        let expected = [&[254, 0, 0, 32], first.as_bytes(), b"retry", b"two"].concat();
        let mut transcript = ClientHelloTranscript::new(b"one")
            .with_retry(algorithm, b"retry")
            .unwrap();
        assert_eq!(transcript.digest_with(b"two"), algorithm.hash(&expected));
        transcript.add(b"two");
        assert_eq!(transcript.digest(), algorithm.hash(&expected));
    }
}
