//! Joining: handshake bytes, however they were cut into records, become whole messages (RFC 9846, 5.1).

use crate::error::Fault;

/// The header of a handshake message: its type and a length of three bytes (RFC 9846, section 4).
const MESSAGE_HEADER_LEN: usize = 4;

/// Proof that a message ended its record: keys may change after it.
///
/// RFC 9846, 5.1: a message that changes keys must end its record. The handlers of such messages ask for this, and only a [`Joiner`] makes it.
#[derive(Debug)]
pub(crate) struct Aligned(());

/// A whole message, header included, and the proof that it ended its record, if it did.
pub(crate) type Joined = (Vec<u8>, Option<Aligned>);

/// Collects the handshake bytes of one direction.
///
/// Everything is taken out by [`next`](Self::next) before the next record's bytes are pushed, so it holds one message and one record at most.
#[derive(Default)]
pub(crate) struct Joiner {
    buffer: Vec<u8>,
    /// Where the next message begins.
    start: usize,
}

impl Joiner {
    /// Adds the content of a handshake record.
    pub(crate) fn push(&mut self, fragment: &[u8]) {
        self.buffer.extend_from_slice(fragment);
    }

    /// Takes the next whole message, with its header, if it is there; and the proof that it ended its record, if it did.
    ///
    /// # Errors
    ///
    /// [`Fault::MessageTooLong`] for one longer than `limit`, header included, as soon as its header is there.
    pub(crate) fn next(&mut self, limit: usize) -> Result<Option<Joined>, Fault> {
        let pending = self.buffer.get(self.start..).unwrap_or_default();
        let Some([_, length @ ..]) = pending.first_chunk::<MESSAGE_HEADER_LEN>() else {
            return Ok(None);
        };
        let [high, middle, low] = *length;
        let length = usize::try_from(u32::from_be_bytes([0, high, middle, low])).unwrap_or(usize::MAX).saturating_add(MESSAGE_HEADER_LEN);
        if length > limit {
            return Err(Fault::MessageTooLong { length, limit });
        }
        let Some((message, rest)) = pending.split_at_checked(length) else {
            // The room for what is to come is not made on the word of a header: it grows with what came.
            self.buffer.drain(..self.start);
            self.start = 0;
            return Ok(None);
        };
        let aligned = rest.is_empty().then_some(Aligned(()));
        let message = message.to_vec();
        self.start += length;
        if aligned.is_some() {
            // Handshake bytes are rare once connected: their memory goes back.
            *self = Self::default();
        }
        Ok(Some((message, aligned)))
    }

    /// Whether a message has begun and not ended: then a record of another type is a fault (RFC 9846, 5.1).
    pub(crate) fn is_mid_message(&self) -> bool {
        self.start < self.buffer.len()
    }
}
