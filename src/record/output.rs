//! [`Output`]: where records are made, and wait for the transport.
//!
//! ```text
//! buffer:  ....[waiting.......................][room.........................]
//!              records, for the transport      where the next record is made
//! ```
//!
//! 1. [`reserve`](Output::reserve): room for all that one call has to say, so that the buffer grows once.
//! 2. [`room`](Output::room), [`append`](Output::append): a record is sealed behind those that wait.
//! 3. [`waiting`](Output::waiting), [`sent`](Output::sent): the transport takes them.
//! 4. [`give_back`](Output::give_back): nothing waits, and the connection is about to: so does its memory, elsewhere.
//!
//! A `Vec` that is cleared and extended would write every byte twice, once as a zero, and the content a third time on its way to where it is
//! encrypted. So the buffer stays initialized over its whole length, and a busy connection keeps it: no zero is written after it has grown.

use core::ops::Range;

/// What an idle connection keeps: room for a small answer, so that the exchange of such allocates nothing.
const IDLE: usize = 512;

/// The outbound buffer.
#[derive(Default)]
pub(crate) struct Output {
    /// Initialized over its whole length.
    buffer: Vec<u8>,
    waiting: Range<usize>,
}

impl Output {
    /// What waits for the transport.
    pub(crate) fn waiting(&self) -> &[u8] {
        self.buffer.get(self.waiting.clone()).unwrap_or_default()
    }

    /// The transport took `count` bytes; more than waited counts as all of them.
    pub(crate) fn sent(&mut self, count: usize) {
        self.waiting.start += count.min(self.waiting.len());
        if self.waiting.is_empty() {
            self.waiting = 0..0;
        }
    }

    /// Makes room for `length` bytes behind what waits.
    pub(crate) fn reserve(&mut self, length: usize) {
        let waits = self.waiting.len();
        if self.room_left() >= length {
            return;
        }
        // What moves is less than what went, so that a caller who sends little at a time does not pay for it each time.
        if waits <= self.waiting.start && self.buffer.len() - waits >= length {
            self.buffer.copy_within(self.waiting.clone(), 0);
        } else {
            // As much again as waits, so that many small records are moved seldom.
            let size = (2 * waits + length).max(IDLE);
            if waits == 0 {
                // Freed first, so that there are never two.
                self.buffer = Vec::new();
            }
            let mut grown = vec![0; size];
            if let Some(place) = grown.get_mut(..waits) {
                place.copy_from_slice(self.waiting());
            }
            self.buffer = grown;
        }
        self.waiting = 0..waits;
    }

    /// `length` bytes behind what waits, for a record; what stands in them is of no meaning.
    pub(crate) fn room(&mut self, length: usize) -> &mut [u8] {
        self.reserve(length);
        self.buffer.get_mut(self.waiting.end..).and_then(|room| room.get_mut(..length)).unwrap_or_default()
    }

    /// How many bytes of room there are without anything being moved.
    pub(crate) fn room_left(&self) -> usize {
        self.buffer.len() - self.waiting.end
    }

    /// The first `length` bytes of the [`room`](Self::room) have become a record, which waits now.
    pub(crate) fn append(&mut self, length: usize) {
        self.waiting.end += length.min(self.room_left());
    }

    /// Frees a large buffer in which nothing waits.
    pub(crate) fn give_back(&mut self) {
        if self.waiting.is_empty() && self.buffer.len() > IDLE {
            self.buffer = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Makes a record of these bytes.
    fn push(output: &mut Output, bytes: &[u8]) {
        output.room(bytes.len()).copy_from_slice(bytes);
        output.append(bytes.len());
    }

    #[test]
    fn a_buffer_is_kept_while_busy_and_given_back_when_idle() {
        let mut output = Output::default();
        output.reserve(5000);
        let place = output.buffer.as_ptr();
        for _ in 0..100 {
            push(&mut output, &[1; 5000]);
            output.give_back();
            output.sent(5000);
        }
        assert_eq!(output.buffer.as_ptr(), place);
        output.give_back();
        assert_eq!(output.buffer.capacity(), 0);
        // A small one stays.
        push(&mut output, &[1; 10]);
        output.sent(10);
        output.give_back();
        assert_eq!(output.buffer.len(), IDLE);
    }

    #[test]
    fn a_reader_that_never_takes_all_makes_it_no_larger() {
        let mut output = Output::default();
        push(&mut output, &[1; 16_000]);
        for _ in 0..10_000 {
            push(&mut output, &[2; 1000]);
            output.sent(1000);
        }
        assert_eq!(output.waiting(), vec![2; 16_000]);
        assert!(output.buffer.len() <= 2 * 16_000 + 1000, "{}", output.buffer.len());
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(steps in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..2000), 0usize..2000, any::<bool>()), 0..60)) {
            let (mut output, mut expected) = (Output::default(), Vec::new());
            for (record, sent, rests) in steps {
                push(&mut output, &record);
                expected.extend_from_slice(&record);
                prop_assert_eq!(output.waiting(), &expected);
                output.sent(sent);
                expected.drain(..sent.min(expected.len()));
                prop_assert_eq!(output.waiting(), &expected);
                if rests {
                    output.give_back();
                }
            }
            output.sent(usize::MAX);
            prop_assert!(output.waiting().is_empty());
        }
    }
}
