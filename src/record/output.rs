//! [`Output`]: the buffer in which records are made, and wait for the transport.
//!
//! ```text
//! buffer:  ....[waiting.......................][draft....|room...............]
//!              records, for the transport      where the next record is made
//! ```
//!
//! 1. [`reserve`](Output::reserve): makes room for everything that one call sends, so that the
//!    buffer grows once.
//! 2. [`room`](Output::room), [`append`](Output::append): a record is sealed after those that wait.
//! 3. [`waiting`](Output::waiting), [`sent`](Output::sent): the transport takes them.
//! 4. [`give_back`](Output::give_back): frees the memory if nothing waits when the connection
//!    becomes idle.
//!
//! A record can be begun and finished later: [`draft`](Output::draft), [`keep`](Output::keep),
//! [`release`](Output::release). Its content is not encrypted yet, so no copy of it is left in the
//! buffer when it moves. A record that is made meanwhile goes before it.
//!
//! A `Vec` that is cleared and extended would write every byte twice, first as a zero, and copy the
//! content once more to the place where it is encrypted. So the buffer stays initialized over its
//! whole length, and a busy connection keeps it: no zero is written after it has grown.

use core::ops::Range;

use zeroize::Zeroize;

/// The buffer that an idle connection keeps: room for a small answer, so that exchanging small
/// messages allocates nothing.
const IDLE: usize = 512;

/// The send buffer.
#[derive(Default)]
pub(crate) struct Output {
    /// Initialized over its whole length.
    buffer: Vec<u8>,
    waiting: Range<usize>,
    /// The length of the draft, which follows the bytes that wait.
    draft: usize,
}

impl Output {
    /// Returns the bytes that wait for the transport.
    pub(crate) fn waiting(&self) -> &[u8] {
        self.buffer.get(self.waiting.clone()).unwrap_or_default()
    }

    /// Accounts for `count` bytes that the transport took. A larger number than waits counts as all
    /// of them.
    pub(crate) fn sent(&mut self, count: usize) {
        self.waiting.start += count.min(self.waiting.len());
        if self.waiting.is_empty() && self.draft == 0 {
            self.waiting = 0..0;
        }
    }

    /// Makes room for `length` bytes after those that wait, including the draft.
    pub(crate) fn reserve(&mut self, length: usize) {
        let (waits, draft) = (self.waiting.len(), self.draft);
        if self.room_left() >= length {
            return;
        }
        let kept = self.waiting.start..self.waiting.end + draft;
        // Fewer bytes are moved than were sent, so that a caller that sends little at a time does
        // not pay for it each time.
        if kept.len() <= kept.start && self.buffer.len() - waits >= length {
            self.buffer.copy_within(kept, 0);
            self.wipe_draft();
        } else {
            // Twice what waits, so that many small records are seldom moved.
            let size = (2 * waits + draft + length).max(IDLE);
            if kept.is_empty() {
                // The old buffer is freed first, so that there are never two.
                self.buffer = Vec::new();
            }
            let mut grown = vec![0; size];
            if let Some((place, kept)) = grown.get_mut(..kept.len()).zip(self.buffer.get(kept)) {
                place.copy_from_slice(kept);
            }
            self.wipe_draft();
            self.buffer = grown;
        }
        self.waiting = 0..waits;
        self.draft = draft;
    }

    /// Returns `length` bytes after those that wait and the draft, for a record. Their content is
    /// unspecified.
    pub(crate) fn room(&mut self, length: usize) -> &mut [u8] {
        self.reserve(self.draft.saturating_add(length));
        self.buffer
            .get_mut(self.waiting.end + self.draft..)
            .and_then(|room| room.get_mut(..length))
            .unwrap_or_default()
    }

    /// Returns the number of bytes after those that wait that are free without moving anything.
    fn room_left(&self) -> usize {
        self.buffer.len() - self.waiting.end
    }

    /// Turns the first `length` bytes of the [`room`](Self::room) into a record that waits, before
    /// the draft.
    pub(crate) fn append(&mut self, length: usize) {
        let end = self.waiting.end + self.draft;
        let length = length.min(self.buffer.len() - end);
        if self.draft > 0
            && let Some(both) = self.buffer.get_mut(self.waiting.end..end + length)
        {
            both.rotate_right(length);
        }
        self.waiting.end += length;
    }

    /// Returns the first `length` bytes after those that wait, where the draft is and can grow.
    pub(crate) fn draft(&mut self, length: usize) -> &mut [u8] {
        self.reserve(length);
        self.buffer
            .get_mut(self.waiting.end..)
            .and_then(|room| room.get_mut(..length))
            .unwrap_or_default()
    }

    /// Keeps the first `length` bytes of [`draft`](Self::draft) as the draft.
    pub(crate) fn keep(&mut self, length: usize) {
        self.draft = length.min(self.room_left());
    }

    /// Returns the length of the draft.
    pub(crate) fn drafted(&self) -> usize {
        self.draft
    }

    /// Makes the draft the beginning of the [`room`](Self::room), so that it can become a record.
    pub(crate) fn release(&mut self) {
        self.draft = 0;
    }

    /// Wipes the draft.
    pub(crate) fn wipe_draft(&mut self) {
        let draft = core::mem::take(&mut self.draft);
        self.buffer
            .get_mut(self.waiting.end..)
            .and_then(|room| room.get_mut(..draft))
            .unwrap_or_default()
            .zeroize();
    }

    /// Frees a large buffer in which nothing waits.
    pub(crate) fn give_back(&mut self) {
        if self.waiting.is_empty() && self.draft == 0 && self.buffer.len() > IDLE {
            self.buffer = Vec::new();
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.wipe_draft();
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
        assert!(
            output.buffer.len() <= 2 * 16_000 + 1000,
            "{}",
            output.buffer.len()
        );
    }

    /// A byte that occurs only in drafts.
    const DRAFT: u8 = 0xdd;

    /// Returns how many bytes of drafts there are, anywhere in the buffer.
    fn traces(output: &Output) -> usize {
        output.buffer.iter().filter(|byte| **byte == DRAFT).count()
    }

    /// Makes the draft longer.
    fn prolong(output: &mut Output, length: usize) {
        let kept = output.drafted();
        output.draft(kept + length)[kept..].fill(DRAFT);
        output.keep(kept + length);
    }

    #[test]
    fn a_draft_is_given_back_only_when_it_is_a_record() {
        let mut output = Output::default();
        prolong(&mut output, 1000);
        output.give_back();
        assert_eq!(traces(&output), 1000);
        output.wipe_draft();
        assert_eq!((traces(&output), output.drafted()), (0, 0));
        output.give_back();
        assert_eq!(output.buffer.capacity(), 0);
    }

    #[test]
    fn a_draft_that_grows_is_moved_seldom() {
        let (mut output, mut moves) = (Output::default(), 0);
        for _ in 0..16_000 {
            let place = output.buffer.as_ptr();
            prolong(&mut output, 1);
            moves += usize::from(place != output.buffer.as_ptr());
        }
        assert!(
            moves <= 6 && output.buffer.len() <= 40_000,
            "{moves} moves, {} bytes",
            output.buffer.len()
        );
    }

    proptest! {
        /// A record can be begun and finished later. It is placed where it is finished, and no copy
        /// of its draft remains anywhere else.
        #[test]
        fn what_is_begun_stays_apart(
            steps in prop::collection::vec(
                (0usize..2000, 0usize..2000, 0usize..2500, any::<bool>(), any::<bool>()),
                0..60,
            )
        ) {
            let (mut output, mut expected, mut number) = (Output::default(), Vec::new(), 0);
            for (record, more, sent, makes, finishes) in steps {
                number = (number + 1) % 200;
                if makes {
                    push(&mut output, &vec![number; record]);
                    expected.extend(vec![number; record]);
                }
                prolong(&mut output, more);
                if finishes {
                    let length = output.drafted();
                    output.reserve(length + 10);
                    output.release();
                    output.room(length + 10).fill(200);
                    output.append(length + 10);
                    expected.extend(vec![200; length + 10]);
                }
                prop_assert_eq!(output.waiting(), &expected);
                output.sent(sent);
                expected.drain(..sent.min(expected.len()));
                output.give_back();
                prop_assert_eq!(output.waiting(), &expected);
                let kept = output.drafted();
                prop_assert!(output.draft(kept).iter().all(|byte| *byte == DRAFT));
                prop_assert_eq!(traces(&output), kept);
            }
        }

        #[test]
        fn what_goes_in_comes_out(
            steps in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..2000), 0usize..2000, any::<bool>()),
                0..60,
            )
        ) {
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
