//! Joining: handshake bytes, however they were cut into records, become whole messages (RFC 9846,
//! 5.1).

use crate::error::Fault;

/// The header of a handshake message: its type and a length of three bytes (RFC 9846, section 4).
const MESSAGE_HEADER_LEN: usize = 4;

/// Proof that a message ended its record: keys may change after it.
///
/// RFC 9846, 5.1: a message that changes keys must end its record. The handlers of such messages
/// ask for this, and only a [`Joiner`] makes it.
#[derive(Debug)]
pub(crate) struct Aligned(());

/// A complete message with its header, and the proof that it ended its record, if it did.
pub(crate) type Joined = (Vec<u8>, Option<Aligned>);

/// Collects the handshake bytes of one direction.
///
/// [`next`](Self::next) takes everything out before the next record's bytes are pushed, so it holds
/// at most one message and one record.
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

    /// Takes the next message with its header, if it is complete, and the proof that it ended its
    /// record, if it did.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::MessageTooLong`] if the message, header included, is longer than `limit`,
    /// as soon as its header has arrived.
    pub(crate) fn next(&mut self, limit: usize) -> Result<Option<Joined>, Fault> {
        let pending = self.buffer.get(self.start..).unwrap_or_default();
        let Some([_, length @ ..]) = pending.first_chunk::<MESSAGE_HEADER_LEN>() else {
            return Ok(None);
        };
        let [high, middle, low] = *length;
        let length = usize::try_from(u32::from_be_bytes([0, high, middle, low]))
            .unwrap_or(usize::MAX)
            .saturating_add(MESSAGE_HEADER_LEN);
        if length > limit {
            return Err(Fault::MessageTooLong { length, limit });
        }
        let Some((message, rest)) = pending.split_at_checked(length) else {
            // A header alone does not reserve memory: the buffer grows with the bytes that have
            // come.
            self.buffer.drain(..self.start);
            self.start = 0;
            return Ok(None);
        };
        let aligned = rest.is_empty().then_some(Aligned(()));
        let message = message.to_vec();
        self.start += length;
        if aligned.is_some() {
            // Handshake bytes are rare once connected, so their memory is freed.
            *self = Self::default();
        }
        Ok(Some((message, aligned)))
    }

    /// Returns true if a message has begun and not ended. A record of another type is then a fault
    /// (RFC 9846, 5.1).
    pub(crate) fn is_mid_message(&self) -> bool {
        self.start < self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::AlertDescription;
    use proptest::prelude::*;

    const LIMIT: usize = 1 << 16;

    fn message(message_type: u8, length: usize) -> Vec<u8> {
        let [.., high, middle, low] = length.to_be_bytes();
        let mut bytes = vec![message_type, high, middle, low];
        bytes.extend((0..length).map(|i| i.to_le_bytes()[0]));
        bytes
    }

    /// Returns the complete messages, and whether each ended its record.
    fn drain(joiner: &mut Joiner) -> Vec<(Vec<u8>, bool)> {
        core::iter::from_fn(|| joiner.next(LIMIT).unwrap())
            .map(|(bytes, aligned)| (bytes, aligned.is_some()))
            .collect()
    }

    #[test]
    fn messages_in_one_record_come_apart_and_the_last_is_aligned() {
        // RFC 9846, 5.1.
        let mut joiner = Joiner::default();
        joiner.push(&[message(8, 5), message(11, 0), message(20, 32)].concat());
        assert_eq!(
            drain(&mut joiner),
            [
                (message(8, 5), false),
                (message(11, 0), false),
                (message(20, 32), true)
            ]
        );
        assert!(!joiner.is_mid_message());
        assert_eq!(joiner.buffer.capacity(), 0);
    }

    #[test]
    fn a_message_that_more_bytes_follow_is_not_aligned() {
        // RFC 9846, 5.1: not even by one byte of the next.
        let mut joiner = Joiner::default();
        joiner.push(&[&message(20, 32)[..], &[4]].concat());
        assert_eq!(drain(&mut joiner), [(message(20, 32), false)]);
        assert!(joiner.is_mid_message());
        joiner.push(&message(4, 3)[1..]);
        assert_eq!(drain(&mut joiner), [(message(4, 3), true)]);
    }

    #[test]
    fn a_message_over_the_limit_is_refused_by_its_header() {
        for length in [LIMIT - 3, (1 << 24) - 1] {
            let mut joiner = Joiner::default();
            let bytes = message(11, length);
            joiner.push(&bytes[..3]);
            assert!(joiner.next(LIMIT).unwrap().is_none());
            joiner.push(&bytes[3..4]);
            let fault = joiner.next(LIMIT).unwrap_err();
            assert!(matches!(
                fault,
                Fault::MessageTooLong { length: got, limit: LIMIT } if got == length + 4
            ));
            assert_eq!(fault.alert(), AlertDescription::INTERNAL_ERROR);
        }
        let mut joiner = Joiner::default();
        joiner.push(&message(11, LIMIT - 4));
        assert_eq!(drain(&mut joiner), [(message(11, LIMIT - 4), true)]);
    }

    #[test]
    fn a_header_alone_reserves_nothing() {
        let mut joiner = Joiner::default();
        joiner.push(&message(11, LIMIT - 4)[..4]);
        assert!(joiner.next(LIMIT).unwrap().is_none());
        assert!(joiner.buffer.capacity() < 64);
    }

    proptest! {
        #[test]
        fn every_cut_gives_the_same_messages(
            lengths in prop::collection::vec(0usize..600, 1..8),
            cuts in prop::collection::vec(1usize..700, 1..40),
        ) {
            let messages: Vec<_> = (0..)
                .zip(&lengths)
                .map(|(i, &length)| message(i, length))
                .collect();
            let bytes = messages.concat();
            let ends: Vec<_> = messages
                .iter()
                .scan(0, |end, m| {
                    *end += m.len();
                    Some(*end)
                })
                .collect();
            let (mut joiner, mut got, mut at) = (Joiner::default(), Vec::new(), 0);
            for cut in cuts.into_iter().cycle() {
                if at == bytes.len() {
                    break;
                }
                let until = bytes.len().min(at + cut);
                joiner.push(&bytes[at..until]);
                at = until;
                got.extend(
                    drain(&mut joiner)
                        .into_iter()
                        .map(|(message, aligned)| (message, aligned, at)),
                );
                prop_assert_eq!(joiner.is_mid_message(), at != 0 && !ends.contains(&at));
            }
            prop_assert_eq!(got.len(), messages.len());
            for ((message, aligned, at), (expected, end)) in
                got.into_iter().zip(messages.iter().zip(ends))
            {
                prop_assert_eq!(&message, expected);
                // Aligned: the record's end is the message's.
                prop_assert_eq!(aligned, at == end);
            }
        }
    }
}
