//! Deframing: bytes from the transport become records, in the buffer they were read into (RFC 9846, 5.1).
//!
//! ```text
//! buffer:  ....[held......]....[pending......................][space...........]
//!              opened, not     records not looked at yet,      where the transport
//!              read yet        the last perhaps cut            reads into
//! ```
//!
//! 1. [`space`](Deframer::space), [`filled`](Deframer::filled): the transport puts bytes behind those that are pending.
//! 2. [`next`](Deframer::next): the next whole record, opened in place through [`bytes`](Deframer::bytes).
//! 3. [`hold`](Deframer::hold): application data waits here until the application takes it: [`held`](Deframer::held), [`consume`](Deframer::consume).
//!
//! How much is read at once follows the peer. A connection that waits for the first byte of something does so with a small buffer, as it may wait
//! for days; a read that fills all the space it was given makes the next one larger, up to several records in one call; one that does not
//! means that the transport is empty, and with the last record taken the memory goes back. So there is no clock in it, and nobody to ask.

use core::ops::Range;

use super::header::Header;
use super::limits::{HEADER_LEN, MAX_CIPHERTEXT};
use crate::code_point::ContentType;
use crate::error::Fault;

/// The buffer of a connection that waits: enough for a small request, small enough to have thousands of.
const IDLE: usize = 512;

/// The longest record there can be.
const RECORD: usize = HEADER_LEN + MAX_CIPHERTEXT;

/// The buffer of a connection that is busy: several records a call, so that the call's price is shared.
const BUSY: usize = 4 * RECORD;

/// The inbound buffer.
pub(crate) struct Deframer {
    /// Initialized over its whole length.
    buffer: Vec<u8>,
    held: Range<usize>,
    pending: Range<usize>,
    /// How much to offer when nothing is pending: [`IDLE`], [`RECORD`] or [`BUSY`].
    appetite: usize,
}

impl Deframer {
    /// An empty one, which allocates nothing before it is used.
    pub(crate) fn new() -> Self {
        Self { buffer: Vec::new(), held: 0..0, pending: 0..0, appetite: IDLE }
    }

    /// Where the transport reads into; never empty. What was pending or held may move.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.held.is_empty() && self.pending.is_empty() {
            self.start_over();
        } else {
            self.make_room();
        }
        self.buffer.get_mut(self.pending.end..).unwrap_or_default()
    }

    /// Nothing is in the buffer: it gets the size that fits.
    fn start_over(&mut self) {
        self.held = 0..0;
        self.pending = 0..0;
        if self.buffer.len() != self.appetite {
            // Freed first, so that there are never two.
            self.buffer = Vec::new();
            self.buffer = vec![0; self.appetite];
        }
    }

    /// Something is in the buffer: the record that has begun must fit.
    fn make_room(&mut self) {
        let missing = self.pending_record().saturating_sub(self.pending.len()).max(1);
        // Less than a record behind what is pending is a small read, which costs as much as a large one; moving what is pending is cheaper.
        if self.buffer.len() - self.pending.end < RECORD {
            self.compact();
        }
        let wanted = self.pending.end + missing;
        if self.buffer.len() < wanted {
            let length = wanted.max(self.appetite);
            self.buffer.reserve_exact(length - self.buffer.len());
            self.buffer.resize(length, 0);
        }
    }

    /// The length of the record that pending bytes begin, as far as they say.
    fn pending_record(&self) -> usize {
        match self.peek() {
            Some(Ok(header)) => HEADER_LEN + header.length,
            // A bad header is refused by `next`, not here.
            Some(Err(_)) | None => HEADER_LEN,
        }
    }

    /// Moves what is held and pending to the front.
    fn compact(&mut self) {
        let held = self.held.len();
        self.buffer.copy_within(self.held.clone(), 0);
        self.buffer.copy_within(self.pending.clone(), held);
        self.held = 0..held;
        self.pending = held..held + self.pending.len();
    }

    /// The transport has read `count` bytes into the space. More than there was space for counts as all of it.
    pub(crate) fn filled(&mut self, count: usize) {
        let space = self.buffer.len() - self.pending.end;
        self.appetite = match self.appetite {
            _ if count < space => IDLE,
            IDLE => RECORD,
            _ => BUSY,
        };
        self.pending.end += count.min(space);
    }

    /// The next record, if it is whole: its header, and where its body is. The body stays there until [`space`](Self::space) is called.
    ///
    /// `protected` says whether a protected record may come: where there are keys, or where early data is skipped.
    ///
    /// # Errors
    ///
    /// Those of [`Header::parse`], and [`Fault::UnexpectedRecord`] for a protected record where none may come: as soon as the header is there.
    pub(crate) fn next(&mut self, protected: bool) -> Result<Option<(Header, Range<usize>)>, Fault> {
        let Some(header) = self.peek().transpose()? else {
            return Ok(None);
        };
        if header.content_type == ContentType::APPLICATION_DATA && !protected {
            return Err(Fault::UnexpectedRecord { got: header.content_type });
        }
        let begin = self.pending.start + HEADER_LEN;
        let body = begin..begin + header.length;
        if body.end > self.pending.end {
            return Ok(None);
        }
        self.pending.start = body.end;
        Ok(Some((header, body)))
    }

    fn peek(&self) -> Option<Result<Header, Fault>> {
        let bytes = self.buffer.get(self.pending.clone())?.first_chunk()?;
        Some(Header::parse(*bytes))
    }

    /// The body of a record that [`next`](Self::next) has just given.
    pub(crate) fn bytes(&mut self, body: Range<usize>) -> &mut [u8] {
        self.buffer.get_mut(body).unwrap_or_default()
    }

    /// Keeps these bytes, the content of a record that was just opened, for the application. They come after those already held.
    pub(crate) fn hold(&mut self, content: Range<usize>) {
        if content.is_empty() || content.end > self.pending.start {
            return;
        }
        if self.held.is_empty() {
            self.held = content;
        } else if self.held.end <= content.start {
            // Two contents never touch: at least a header and a tag lie between.
            self.buffer.copy_within(content.clone(), self.held.end);
            self.held.end += content.len();
        }
    }

    /// What the application has not read yet.
    pub(crate) fn held(&self) -> &[u8] {
        self.buffer.get(self.held.clone()).unwrap_or_default()
    }

    /// The application has read `count` of the bytes held.
    pub(crate) fn consume(&mut self, count: usize) {
        self.held.start += count.min(self.held.len());
    }

    /// The bytes that are pending: of records that [`next`](Self::next) has not given, the last perhaps cut.
    pub(crate) fn buffered(&self) -> usize {
        self.pending.len()
    }

    /// Forgets what is pending: after a close_notify, what the peer sends is ignored (RFC 9846, 6.1).
    pub(crate) fn discard(&mut self) {
        self.pending.start = self.pending.end;
    }
}
