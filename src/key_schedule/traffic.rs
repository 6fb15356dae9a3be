//! Traffic secrets: record keys, Finished keys, and the next generation (RFC 9846, 4.5.3, 7.2 and
//! 7.3).

use zeroize::Zeroizing;

use super::label::{self, Label};
use crate::crypto::aead::AeadKey;
use crate::crypto::hash::{Digest, HashAlgorithm};
use crate::crypto::hkdf::Prk;
use crate::crypto::hmac::HmacKey;
use crate::crypto::suite::Suite;
use crate::secret::Secret;

/// One direction's secret at one stage: `[sender]_handshake_traffic_secret`,
/// `[sender]_application_traffic_secret_N` or `client_early_traffic_secret`.
pub(crate) struct TrafficSecret(Prk);

impl TrafficSecret {
    pub(super) fn new(secret: Prk) -> Self {
        Self(secret)
    }

    /// Derives `[sender]_write_key`, expanded for the suite's AEAD, and `[sender]_write_iv`.
    pub(crate) fn keys(&self, suite: Suite) -> (AeadKey, Iv) {
        let key = label::expand(&self.0, Label::KEY, b"", suite.key_len());
        (
            AeadKey::new(suite, key.expose()),
            Iv(label::expand(&self.0, Label::IV, b"", Iv::LEN)),
        )
    }

    /// Derives the key for this side's Finished, whose base key this secret is.
    pub(crate) fn finished_key(&self) -> FinishedKey {
        FinishedKey::new(&self.0)
    }

    /// Derives application_traffic_secret_N+1, the secret after a KeyUpdate. This one is wiped.
    pub(crate) fn next(self) -> Self {
        self.rest().next()
    }

    /// Keeps only what the next generation needs.
    pub(crate) fn rest(self) -> RestingSecret {
        RestingSecret {
            hash: self.0.algorithm(),
            secret: self.0.into_secret(),
        }
    }

    /// Returns the secret itself, for the key log.
    pub(crate) fn secret(&self) -> &Secret {
        self.0.secret()
    }

    #[cfg(test)]
    pub(crate) fn from_bytes(hash: HashAlgorithm, secret: &[u8]) -> Self {
        Self(Prk::from_secret(hash, Secret::copy_of(secret)))
    }
}

/// A traffic secret whose keys are in use, until the next KeyUpdate. It does not keep HMAC's pads,
/// which cost two compressions of the hash to compute again, and which every idle connection would
/// hold twice.
pub(crate) struct RestingSecret {
    hash: HashAlgorithm,
    secret: Secret,
}

impl RestingSecret {
    /// Derives application_traffic_secret_N+1 (RFC 9846, 7.2). This one is wiped.
    pub(crate) fn next(self) -> TrafficSecret {
        let current = Prk::from_secret(self.hash, self.secret);
        let next = label::expand(&current, Label::TRAFFIC_UPDATE, b"", self.hash.output_len());
        TrafficSecret(Prk::from_secret(self.hash, next))
    }
}

/// `[sender]_write_iv`, from which a record's nonce is made.
pub(crate) struct Iv(Secret);

impl Iv {
    /// iv_length: the larger of 8 and N_MIN, which is 12 for each of our AEADs (RFC 9846, 5.3).
    pub(crate) const LEN: usize = Suite::NONCE_LEN;

    /// Writes the nonce of the record with this sequence number: the number, padded to the left
    /// with zeros, XORed with the IV (RFC 9846, 5.3). It is as secret as the IV, so it is written
    /// where the caller wipes it: a value that is returned leaves copies on the stack.
    #[inline]
    pub(crate) fn nonce_into(&self, sequence: u64, nonce: &mut Zeroizing<[u8; Self::LEN]>) {
        nonce.copy_from_slice(self.0.expose());
        // Written in the words of 8 and 4 bytes by which it is loaded: the CPU delays a load that
        // follows stores of other sizes.
        let [.., a, b, c, d] = sequence.to_be_bytes();
        if let Some((left, right)) = nonce.split_first_chunk_mut()
            && let Some(right) = right.first_chunk_mut()
        {
            *left = (u64::from_be_bytes(*left) ^ (sequence >> 32)).to_be_bytes();
            *right = (u32::from_be_bytes(*right) ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes();
        }
    }

    #[cfg(test)]
    pub(crate) fn nonce(&self, sequence: u64) -> Zeroizing<[u8; Self::LEN]> {
        let mut nonce = Zeroizing::new([0; Self::LEN]);
        self.nonce_into(sequence, &mut nonce);
        nonce
    }

    #[cfg(test)]
    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }
}

/// finished_key: makes and checks the verify_data of one side's Finished (RFC 9846, 4.5.3).
pub(crate) struct FinishedKey(HmacKey);

impl FinishedKey {
    /// Derives it from a base key: a handshake traffic secret, or a binder_key (RFC 9846,
    /// 4.3.11.2).
    pub(super) fn new(base: &Prk) -> Self {
        let key = label::expand(base, Label::FINISHED, b"", base.algorithm().output_len());
        Self(HmacKey::new(base.algorithm(), key.expose()))
    }

    /// Returns the verify_data for a transcript that ends before the Finished itself.
    pub(crate) fn verify_data(&self, transcript: &Digest) -> Vec<u8> {
        // A digest and an HMAC of the same hash have the same length.
        let mut tag = vec![0; transcript.as_bytes().len()];
        self.0.tag_into(&[transcript.as_bytes()], &mut tag);
        tag
    }

    /// Returns true if this is the verify_data for the transcript, in constant time.
    pub(crate) fn verify(&self, transcript: &Digest, verify_data: &[u8]) -> bool {
        self.0.verify(&[transcript.as_bytes()], verify_data)
    }
}
