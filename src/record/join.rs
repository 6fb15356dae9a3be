//! Joining: handshake bytes, however they were cut into records, become whole messages (RFC 9846,
//! 5.1).

use crate::code_point::HandshakeType;

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

/// The header of a message, some of which may not have come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageHeader {
    pub(crate) message_type: HandshakeType,
    /// The length of the message in bytes, header included.
    pub(crate) length: usize,
}

impl MessageHeader {
    /// Returns how many bytes follow the header.
    pub(crate) fn body_length(self) -> usize {
        self.length - MESSAGE_HEADER_LEN
    }
}

/// Collects the handshake bytes of one direction.
///
/// Everything is taken out before the next record's bytes are pushed, and a message that is too
/// long is refused or skipped by its header. So it holds at most one message and one record.
#[derive(Default)]
pub(crate) struct Joiner {
    buffer: Vec<u8>,
    /// Where the next message begins.
    start: usize,
    /// How many bytes of a skipped message are still to come.
    skipping: usize,
}

impl Joiner {
    /// Adds the content of a handshake record.
    pub(crate) fn push(&mut self, fragment: &[u8]) {
        let skipped = fragment.len().min(self.skipping);
        self.skipping -= skipped;
        self.buffer
            .extend_from_slice(fragment.get(skipped..).unwrap_or_default());
    }

    /// Returns the header of the next message, as soon as it has arrived.
    pub(crate) fn header(&self) -> Option<MessageHeader> {
        let [message_type, high, middle, low] = *self
            .buffer
            .get(self.start..)?
            .first_chunk::<MESSAGE_HEADER_LEN>()?;
        let length = u32::from_be_bytes([0, high, middle, low]);
        Some(MessageHeader {
            message_type: HandshakeType(message_type),
            length: usize::try_from(length)
                .unwrap_or(usize::MAX)
                .saturating_add(MESSAGE_HEADER_LEN),
        })
    }

    /// Takes the next message with its header, if it is complete, and the proof that it ended its
    /// record, if it did.
    pub(crate) fn next(&mut self) -> Option<Joined> {
        let length = self.header()?.length;
        let pending = self.buffer.get(self.start..).unwrap_or_default();
        let Some((message, rest)) = pending.split_at_checked(length) else {
            // A header alone does not reserve memory: the buffer grows with the bytes that have
            // come.
            self.buffer.drain(..self.start);
            self.start = 0;
            return None;
        };
        let aligned = rest.is_empty().then_some(Aligned(()));
        let message = message.to_vec();
        self.advance(length);
        Some((message, aligned))
    }

    /// Drops the next message, whose header has arrived: what has come of it, and what is still to
    /// come.
    pub(crate) fn skip(&mut self) {
        if let Some(MessageHeader { length, .. }) = self.header() {
            let pending = self.buffer.len().saturating_sub(self.start);
            self.skipping = length.saturating_sub(pending);
            self.advance(length.min(pending));
        }
    }

    /// Moves on by so many bytes of the buffer.
    fn advance(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.buffer.len() {
            // Handshake bytes are rare once connected, so their memory is freed.
            self.buffer = Vec::new();
            self.start = 0;
        }
    }

    /// Returns true if a message has begun and not ended. A record of another type is then a fault
    /// (RFC 9846, 5.1).
    pub(crate) fn is_mid_message(&self) -> bool {
        self.skipping > 0 || self.start < self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(message_type: u8, length: usize) -> Vec<u8> {
        let [.., high, middle, low] = length.to_be_bytes();
        let mut bytes = vec![message_type, high, middle, low];
        bytes.extend((0..length).map(|i| i.to_le_bytes()[0]));
        bytes
    }

    /// Returns the complete messages, and whether each ended its record.
    fn drain(joiner: &mut Joiner) -> Vec<(Vec<u8>, bool)> {
        core::iter::from_fn(|| joiner.next())
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
    fn the_header_is_known_before_the_message() {
        // RFC 9846, section 4: "uint24 length".
        for length in [0, 1, 65536, (1 << 24) - 1] {
            let mut joiner = Joiner::default();
            let bytes = message(11, length);
            joiner.push(&bytes[..3]);
            assert_eq!(joiner.header(), None);
            assert!(joiner.next().is_none());
            joiner.push(&bytes[3..4]);
            let (message_type, length) = (HandshakeType::CERTIFICATE, length + 4);
            assert_eq!(
                joiner.header(),
                Some(MessageHeader {
                    message_type,
                    length
                })
            );
        }
    }

    #[test]
    fn a_header_alone_reserves_nothing() {
        let mut joiner = Joiner::default();
        joiner.push(&message(11, 65536)[..4]);
        assert!(joiner.next().is_none());
        assert!(joiner.buffer.capacity() < 64);
    }

    #[test]
    fn a_skipped_message_is_not_held() {
        let mut joiner = Joiner::default();
        let long = message(4, 65536);
        joiner.push(&[&message(8, 5)[..], &long[..100]].concat());
        assert_eq!(joiner.next().unwrap().0, message(8, 5));
        joiner.skip();
        for part in long[100..].chunks(10_000) {
            assert!(joiner.is_mid_message() && joiner.header().is_none());
            assert!(joiner.next().is_none());
            joiner.push(part);
            assert_eq!(joiner.buffer.capacity(), 0);
        }
        assert!(!joiner.is_mid_message());
    }

    #[test]
    fn a_message_after_a_skipped_one_is_read() {
        let bytes = [
            message(4, 300),
            message(24, 1),
            message(4, 7),
            message(8, 2),
        ]
        .concat();
        for cut in 4..bytes.len() {
            let mut joiner = Joiner::default();
            let mut got = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                joiner.push(part);
                while let Some(header) = joiner.header() {
                    if header.message_type == HandshakeType::NEW_SESSION_TICKET {
                        joiner.skip();
                    } else if let Some((message, aligned)) = joiner.next() {
                        got.push((message, aligned.is_some()));
                    } else {
                        break;
                    }
                }
            }
            assert!(!joiner.is_mid_message());
            let first_ends_record = cut == 4 + 300 + 4 + 1;
            assert_eq!(
                got,
                [(message(24, 1), first_ends_record), (message(8, 2), true)]
            );
        }
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
