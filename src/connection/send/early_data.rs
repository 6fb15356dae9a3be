//! Early data that a client sends, and the keys that replace it (RFC 9846, 4.3.10).

use crate::connection::send::sender::{MAX_WAITING, RENEWAL_RESERVE, Sender};
use crate::crypto::suite::Suite;
use crate::key_schedule::TrafficSecret;
use crate::record::{Seal, SealError};

impl Sender {
    /// Installs the keys for early data, of which `max_size` bytes may be sent.
    pub(crate) fn offer_early_data(&mut self, suite: Suite, secret: TrafficSecret, max_size: u32) {
        self.install(suite, secret);
        self.early_data_left = Some(usize::try_from(max_size).unwrap_or(usize::MAX));
    }

    /// Keeps keys that take over when early data is over.
    pub(crate) fn defer(&mut self, suite: Suite, secret: TrafficSecret) {
        self.deferred = Some((suite, secret));
    }

    /// Ends early data: the deferred keys take over, or none after a HelloRetryRequest.
    pub(crate) fn end_early_data(&mut self) {
        self.early_data_left = None;
        match self.deferred.take() {
            Some((suite, secret)) => self.install(suite, secret),
            None => {
                self.note(Self::flush_messages);
                if self.seal.is_some() {
                    self.seal = Some(Seal::plaintext());
                }
            }
        }
    }

    /// Returns how many bytes of early data may still be sent.
    pub(crate) fn early_data_left(&self) -> usize {
        self.early_data_left.unwrap_or_default()
    }

    /// Takes early data, as much as is allowed and may wait for the transport, and returns how many
    /// bytes it took.
    ///
    /// There is no KeyUpdate before the handshake is complete: no more is taken once the key is
    /// used up (RFC 9846, 5.5).
    pub(crate) fn early_data(&mut self, data: &[u8]) -> Result<usize, SealError> {
        self.reserve(data.len().min(self.early_data_left()));
        let mut taken = 0;
        while let Some(left) = self.early_data_left
            && taken < data.len()
            && left > 0
            && self.waiting().len() < MAX_WAITING
            && let Some(seal) = self
                .seal
                .as_ref()
                .filter(|seal| seal.records_left() > RENEWAL_RESERVE)
        {
            let rest = data.get(taken..).unwrap_or_default();
            let fragment = rest.get(..seal.max_fragment().min(left)).unwrap_or(rest);
            self.seal_data(fragment)?;
            taken += fragment.len();
            self.early_data_left = Some(left - fragment.len());
        }
        Ok(taken)
    }
}
