//! What one direction needs to protect records: its secret, the keys from it, and the sequence
//! number (RFC 9846, 5.2 to 5.5).

use zeroize::Zeroizing;

use crate::crypto::aead::AeadKey;
use crate::crypto::suite::Suite;
use crate::key_schedule::{Iv, RestingSecret, TrafficSecret};

/// One direction's keys of one generation. The sequence number belongs to the keys: it starts at 0
/// with each new key.
pub(super) struct Protection {
    suite: Suite,
    /// Kept for the next generation.
    secret: RestingSecret,
    key: AeadKey,
    iv: Iv,
    sequence: u64,
    /// The lengths of the TLSInnerPlaintexts that were protected.
    bytes: u64,
}

/// What a key has protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyUse {
    pub(crate) records: u64,
    /// The lengths of the TLSInnerPlaintexts: content, content types and padding.
    pub(crate) bytes: u64,
}

impl Protection {
    pub(super) fn new(suite: Suite, secret: TrafficSecret) -> Self {
        let (key, iv) = secret.keys(suite);
        Self {
            suite,
            secret: secret.rest(),
            key,
            iv,
            sequence: 0,
            bytes: 0,
        }
    }

    /// Returns the next generation (RFC 9846, 7.2). The old secret and its keys are wiped.
    pub(super) fn next(self) -> Self {
        Self::new(self.suite, self.secret.next())
    }

    pub(super) fn key(&self) -> &AeadKey {
        &self.key
    }

    /// Writes the nonce of the next record. [`advance`](Self::advance) moves on to the one after
    /// it.
    #[inline]
    pub(super) fn nonce_into(&self, nonce: &mut Zeroizing<[u8; Iv::LEN]>) {
        self.iv.nonce_into(self.sequence, nonce);
    }

    #[cfg(test)]
    pub(super) fn nonce(&self) -> Zeroizing<[u8; Iv::LEN]> {
        self.iv.nonce(self.sequence)
    }

    /// Counts a record whose TLSInnerPlaintext has this length. The last number is never reached,
    /// so there is always a next one (see [`is_spent`](Self::is_spent)).
    pub(super) fn advance(&mut self, length: usize) {
        self.sequence = self.sequence.saturating_add(1);
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
    }

    /// Returns what these keys have protected.
    pub(super) fn used(&self) -> KeyUse {
        KeyUse {
            records: self.sequence,
            bytes: self.bytes,
        }
    }

    /// Returns true if no number is left. RFC 9846, 5.3: a sequence number does not wrap. The last
    /// one is not used.
    pub(super) fn is_spent(&self) -> bool {
        self.sequence == u64::MAX
    }

    #[cfg(test)]
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns how many more records these keys may seal (RFC 9846, 5.5).
    pub(super) fn records_left(&self) -> u64 {
        self.suite.record_limit().saturating_sub(self.sequence)
    }

    #[cfg(test)]
    pub(super) fn start_at(&mut self, sequence: u64) {
        self.sequence = sequence;
    }
}
