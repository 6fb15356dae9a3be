//! Deframing: bytes from the transport become records, in the buffer they were read into (RFC 9846,
//! 5.1).
//!
//! ```text
//! buffer:  ....[held......]....[pending......................][space...........]
//!              opened, not     not opened yet, the last        the transport reads
//!              read yet        record perhaps incomplete       into this
//! ```
//!
//! 1. [`space`](Deframer::space), [`filled`](Deframer::filled): the transport adds bytes after the
//!    pending ones.
//! 2. [`next`](Deframer::next): returns the next whole record, which is opened in place through
//!    [`bytes`](Deframer::bytes).
//! 3. [`hold`](Deframer::hold): application data waits in the buffer until the application takes it
//!    ([`held`](Deframer::held), [`consume`](Deframer::consume)).
//!
//! The amount read at once follows the peer. An idle connection has a small buffer, because it may
//! wait for days. A read that fills all its space makes the next one larger, up to several records
//! in one call. A read that does not fill it means that the transport is empty, and the memory is
//! freed once the last record is taken. The size that the last busy period needed is remembered,
//! and the next one begins with it after the first small read. So no clock is needed.
//!
//! A transport that never waits says when it has nothing ([`filled_nothing`]). Then the buffer is
//! freed, and until then it may be as large as the last message needed: a read of a thousand bytes
//! is one call.
//!
//! [`filled_nothing`]: Deframer::filled_nothing
//!
//! During the handshake, when anyone can be the peer, there is room only for the record that has
//! begun, and not for all of a long one before its bytes come. A peer that announces a record and
//! stalls makes this side hold little.

use core::ops::Range;

use super::header::Header;
use super::limits::{HEADER_LEN, MAX_CIPHERTEXT};
use crate::code_point::ContentType;
use crate::error::Fault;

/// The buffer of an idle connection: enough for a small request, and small enough to have
/// thousands.
const IDLE: usize = 512;

/// The buffer that a record gets during the handshake when its header has come: enough for the
/// usual ClientHello and for a server's certificates. It doubles each time that it is full.
const HANDSHAKING: usize = 4096;

/// The longest possible record.
const RECORD: usize = HEADER_LEN + MAX_CIPHERTEXT;

/// The buffer of a busy connection: a call reads several records, which share its cost.
const BUSY: usize = 4 * RECORD;

/// The receive buffer.
pub(crate) struct Deframer {
    /// Initialized over its whole length.
    buffer: Vec<u8>,
    held: Range<usize>,
    pending: Range<usize>,
    /// Whether the handshake is complete.
    connected: bool,
    /// The buffer's size according to the last read: [`IDLE`], [`RECORD`] or [`BUSY`], or during
    /// the handshake as it is.
    appetite: usize,
    /// The size with which a busy period begins: [`RECORD`], or [`BUSY`] if the last one got that
    /// busy.
    habit: usize,
    /// The longest read of this busy period.
    longest: usize,
    /// Whether the transport never waits, and what was read from it since it last had nothing.
    never_waits: bool,
    period: usize,
    /// With how much space a period begins: [`IDLE`], or more if the transport never waits.
    begin: usize,
}

impl Deframer {
    /// Creates an empty buffer, which allocates nothing before it is used.
    pub(crate) fn new() -> Self {
        Self {
            buffer: Vec::new(),
            held: 0..0,
            pending: 0..0,
            connected: false,
            appetite: IDLE,
            habit: RECORD,
            longest: 0,
            never_waits: false,
            period: 0,
            begin: IDLE,
        }
    }

    /// The transport returns at once if it has nothing, and then says so: from now on, no memory is
    /// held while nothing comes.
    #[cfg(any(test, feature = "tokio"))]
    pub(crate) fn never_waits(&mut self) {
        self.never_waits = true;
    }

    /// The handshake is complete: from now on, the buffer may take the room for fast reads.
    pub(crate) fn connected(&mut self) {
        self.connected = true;
        self.appetite = IDLE;
    }

    /// Returns the space that the transport reads into, never empty. Pending and held bytes may
    /// move.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.is_empty() {
            self.start_over();
        } else {
            self.make_room();
        }
        self.buffer.get_mut(self.pending.end..).unwrap_or_default()
    }

    /// Returns true if the buffer holds nothing, neither held nor pending bytes.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.pending.is_empty()
    }

    /// Resizes the buffer, which is empty.
    fn start_over(&mut self) {
        self.held = 0..0;
        self.pending = 0..0;
        if self.never_waits {
            let length = self.appetite.max(self.begin);
            if self.buffer.len() < length {
                self.buffer = Vec::new();
                self.buffer = vec![0; length];
            }
            return;
        }
        // If the small buffer was filled, that may have been all that there was.
        if self.buffer.len() <= IDLE {
            self.appetite = IDLE;
        }
        if self.appetite == IDLE && self.longest > IDLE {
            self.habit = if self.longest > RECORD { BUSY } else { RECORD };
            self.longest = 0;
        }
        // A busy connection keeps its buffer.
        if self.buffer.len() < self.appetite || self.appetite == IDLE && self.buffer.len() > IDLE {
            // The old buffer is freed first, so that there are never two.
            self.buffer = Vec::new();
            self.buffer = vec![0; self.appetite];
        }
    }

    /// Makes room in a buffer that is not empty, for the whole record that has begun, or during the
    /// handshake for the next part of it.
    fn make_room(&mut self) {
        let missing = self
            .pending_record()
            .saturating_sub(self.pending.len())
            .max(1);
        // With less space than a record, a read would be small, but costs as much as a large one.
        // Moving the pending bytes is cheaper.
        if self.buffer.len() - self.pending.end < RECORD {
            self.compact();
        }
        let mut length = self.appetite.max(self.pending.end + missing);
        if !self.connected {
            // At most twice what has come.
            length = length.min(HANDSHAKING.max((self.pending.end + 1).next_power_of_two()));
        }
        if self.buffer.len() < length {
            self.buffer.reserve_exact(length - self.buffer.len());
            self.buffer.resize(length, 0);
        }
    }

    /// Returns the length of the record that the pending bytes begin, as far as it is known.
    fn pending_record(&self) -> usize {
        match self.peek() {
            Some(Ok(header)) => HEADER_LEN + header.length,
            // `next` refuses a bad header.
            Some(Err(_)) | None => HEADER_LEN,
        }
    }

    /// Moves held and pending bytes to the front.
    fn compact(&mut self) {
        let held = self.held.len();
        self.buffer.copy_within(self.held.clone(), 0);
        self.buffer.copy_within(self.pending.clone(), held);
        self.held = 0..held;
        self.pending = held..held + self.pending.len();
    }

    /// Accounts for `count` bytes that the transport has read into the space. A larger number than
    /// the space counts as all of it.
    pub(crate) fn filled(&mut self, count: usize) {
        let space = self.buffer.len() - self.pending.end;
        let count = count.min(space);
        self.longest = self.longest.max(count);
        self.appetite = match self.appetite {
            _ if count < space => IDLE,
            _ if !self.connected => self.buffer.len(),
            IDLE => self.habit,
            _ => BUSY,
        };
        self.pending.end += count;
        self.period = self.period.saturating_add(count);
    }

    /// Accounts for a read that found nothing.
    pub(crate) fn filled_nothing(&mut self) {
        if !self.never_waits {
            return;
        }
        if self.period > 0 {
            // One byte more than a message: a read that does not fill its space was the last one.
            self.begin = self
                .period
                .saturating_add(1)
                .min(RECORD)
                .next_power_of_two()
                .clamp(IDLE, RECORD);
            self.period = 0;
        }
        if self.is_empty() && self.buffer.len() > IDLE {
            self.appetite = IDLE;
            self.buffer = Vec::new();
        }
    }

    /// Returns the next record, if it is complete: its header, and the place of its body, where the
    /// body stays until [`space`](Self::space) is called.
    ///
    /// `protected` is whether a protected record may come: if there are keys, or if early data is
    /// skipped.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Header::parse`], and [`Fault::UnexpectedRecord`] for a protected
    /// record that may not come, as soon as the header is there.
    #[inline]
    pub(crate) fn next(
        &mut self,
        protected: bool,
    ) -> Result<Option<(Header, Range<usize>)>, Fault> {
        let Some(header) = self.peek().transpose()? else {
            return Ok(None);
        };
        if header.content_type == ContentType::APPLICATION_DATA && !protected {
            return Err(Fault::UnexpectedRecord {
                got: header.content_type,
            });
        }
        let begin = self.pending.start + HEADER_LEN;
        let body = begin..begin + header.length;
        if body.end > self.pending.end {
            return Ok(None);
        }
        self.pending.start = body.end;
        Ok(Some((header, body)))
    }

    #[inline]
    fn peek(&self) -> Option<Result<Header, Fault>> {
        let bytes = self.buffer.get(self.pending.clone())?.first_chunk()?;
        Some(Header::parse(*bytes).map_err(|fault| match fault {
            // The peer does speak TLS, or this would not be connected.
            Fault::NotTls { .. } if self.connected => Fault::UnexpectedRecord {
                got: ContentType(bytes[0]),
            },
            fault => fault,
        }))
    }

    /// Returns the body of a record that [`next`](Self::next) has just returned.
    pub(crate) fn bytes(&mut self, body: Range<usize>) -> &mut [u8] {
        self.buffer.get_mut(body).unwrap_or_default()
    }

    /// Keeps these bytes, the content of a record that was just opened, for the application. They
    /// follow those already held.
    pub(crate) fn hold(&mut self, content: Range<usize>) {
        if content.is_empty() || content.end > self.pending.start {
            return;
        }
        if self.held.is_empty() {
            self.held = content;
        } else if self.held.end <= content.start {
            // Two contents are never adjacent: at least a header and a tag are between them.
            self.buffer.copy_within(content.clone(), self.held.end);
            self.held.end += content.len();
        }
    }

    /// Returns what the application has not read yet.
    pub(crate) fn held(&self) -> &[u8] {
        self.buffer.get(self.held.clone()).unwrap_or_default()
    }

    /// Removes the first `count` held bytes, which the application has read.
    pub(crate) fn consume(&mut self, count: usize) {
        self.held.start += count.min(self.held.len());
    }

    /// Returns the number of pending bytes: records that [`next`](Self::next) has not returned, the
    /// last perhaps incomplete.
    #[cfg(test)]
    pub(super) fn buffered(&self) -> usize {
        self.pending.len()
    }

    /// Drops pending bytes: after a close_notify, what the peer sends is ignored (RFC 9846, 6.1).
    /// Held bytes stay; if there are none, the memory is freed.
    pub(crate) fn discard(&mut self) {
        self.pending.start = self.pending.end;
        if self.held.is_empty() {
            *self = Self::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::AlertDescription;
    use crate::record::header;
    use proptest::prelude::*;

    const DATA: ContentType = ContentType::APPLICATION_DATA;
    const HANDSHAKE: ContentType = ContentType::HANDSHAKE;

    fn record(content_type: ContentType, body: &[u8]) -> Vec<u8> {
        [
            &header::encode(content_type, 0x0303, body.len()).unwrap()[..],
            body,
        ]
        .concat()
    }

    /// Returns the buffer of a connection whose handshake is complete.
    fn connected() -> Deframer {
        let mut deframer = Deframer::new();
        deframer.connected();
        deframer
    }

    /// Reads as much as fits, and returns how much that was.
    fn read(deframer: &mut Deframer, bytes: &[u8]) -> usize {
        let space = deframer.space();
        assert!(!space.is_empty());
        let count = space.len().min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        deframer.filled(count);
        count
    }

    /// Returns the bodies of all whole records.
    fn drain(deframer: &mut Deframer) -> Vec<Vec<u8>> {
        core::iter::from_fn(|| {
            let (header, body) = deframer.next(true).unwrap()?;
            assert_eq!(header.length, body.len());
            Some(deframer.bytes(body).to_vec())
        })
        .collect()
    }

    #[test]
    fn a_bad_header_is_refused_with_its_fifth_byte() {
        // RFC 9846, 5.1 and 5.2.
        for (bytes, protected, alert) in [
            ([22, 3, 3, 0x40, 1], false, 22),
            ([23, 3, 3, 0x41, 1], true, 22),
            ([24, 3, 3, 0, 1], true, 10),
            ([20, 3, 3, 0, 2], true, 10),
            (*b"GET /", false, 10),
            ([23, 3, 3, 0, 1], false, 10),
        ] {
            let mut deframer = Deframer::new();
            assert_eq!(read(&mut deframer, &bytes[..4]), 4);
            assert!(deframer.next(protected).unwrap().is_none());
            assert_eq!(read(&mut deframer, &bytes[4..]), 1);
            assert_eq!(
                deframer.next(protected).unwrap_err().alert(),
                AlertDescription(alert)
            );
        }
    }

    #[test]
    fn an_idle_connection_holds_little_and_a_busy_one_reads_much() {
        let mut deframer = connected();
        assert_eq!(deframer.buffer.capacity(), 0);
        assert_eq!(deframer.space().len(), IDLE);
        let stream = record(DATA, &[7; 16_000]).repeat(20);
        let (mut rest, mut calls, mut got) = (&stream[..], 0, 0);
        while !rest.is_empty() {
            rest = &rest[read(&mut deframer, rest)..];
            calls += 1;
            got += drain(&mut deframer).len();
            assert!(
                deframer.buffer.capacity() <= BUSY,
                "{}",
                deframer.buffer.capacity()
            );
        }
        assert_eq!(got, 20);
        // 320 KB: the first two calls are small, each later one takes up to four records.
        assert!(calls <= 10, "{calls}");
        // The last read did not fill its space, so the connection waits with the small buffer.
        assert_eq!(deframer.space().len(), IDLE);
        assert_eq!(deframer.buffer.capacity(), IDLE);
    }

    /// The buffer has room for the record that has begun and nothing else, and no more than 4 KiB
    /// or twice what has come.
    #[test]
    fn a_handshake_gets_room_as_its_bytes_come() {
        for (body, expected) in [
            (&[7; 100][..], &[512][..]),
            (&[7; 507], &[512]),
            (&[7; 1700], &[512, 1705]),
            (&[7; 4091], &[512, 4096]),
            (&[7; 10_000], &[512, 4096, 8192, 10_005]),
            (&[7; 16_384], &[512, 4096, 8192, 16_384, 16_389]),
        ] {
            let whole = record(HANDSHAKE, body);
            for cut in [1, 5, 400, usize::MAX] {
                let (mut deframer, mut rest) = (Deframer::new(), &whole[..]);
                let mut sizes = Vec::new();
                while !rest.is_empty() {
                    let next = &rest[..rest.len().min(cut)];
                    rest = &rest[read(&mut deframer, next)..];
                    sizes.push(deframer.buffer.capacity());
                    let come = whole.len() - rest.len();
                    assert!(deframer.buffer.capacity() <= (2 * come).max(4096), "{come}");
                }
                assert_eq!(drain(&mut deframer), [body]);
                sizes.dedup();
                assert_eq!(sizes, expected, "{} by {cut}", body.len());
            }
        }
        // A flight of many records does not need many reads.
        let flight = [900, 50, 1200, 150, 80].map(|length| record(DATA, &vec![7; length]));
        let flight = flight.concat();
        let (mut deframer, mut rest, mut calls) = (Deframer::new(), &flight[..], 0);
        while !rest.is_empty() {
            rest = &rest[read(&mut deframer, rest)..];
            drain(&mut deframer);
            calls += 1;
        }
        assert!(calls <= 5, "{calls}");
        // What waits for the next flight is small again.
        assert_eq!(deframer.space().len(), IDLE);
        assert_eq!(deframer.buffer.capacity(), IDLE);
    }

    #[test]
    fn what_was_busy_before_is_so_at_once() {
        let mut deframer = connected();
        let mut calls_for = |stream: &[u8]| {
            let (mut rest, mut calls) = (stream, 0);
            while !rest.is_empty() {
                rest = &rest[read(&mut deframer, rest)..];
                drain(&mut deframer);
                calls += 1;
            }
            assert_eq!(deframer.space().len(), IDLE);
            assert_eq!(deframer.buffer.capacity(), IDLE);
            calls
        };
        let stream = record(DATA, &[7; 16_000]).repeat(4);
        assert_eq!([(); 3].map(|()| calls_for(&stream)), [3, 2, 2]);
        // A small answer in between changes nothing. A single record does, because a larger buffer
        // would be freed each time.
        assert_eq!(calls_for(&record(DATA, &[7; 100])), 1);
        assert_eq!(calls_for(&stream), 2);
        assert_eq!(calls_for(&record(DATA, &[7; 16_000])), 2);
        assert_eq!(calls_for(&stream), 3);
    }

    /// A message is read in one call if the one before was as long, and nothing is held between.
    #[test]
    fn a_transport_that_never_waits_gets_room_for_a_message() {
        let mut deframer = connected();
        deframer.never_waits();
        let mut calls_for = |stream: &[u8]| {
            let (mut rest, mut calls) = (stream, 0);
            while !rest.is_empty() {
                rest = &rest[read(&mut deframer, rest)..];
                drain(&mut deframer);
                calls += 1;
            }
            let space = deframer.space().len();
            deframer.filled_nothing();
            assert!(deframer.buffer.capacity() <= IDLE);
            (calls, space)
        };
        let message = record(DATA, &[7; 1000]);
        assert_eq!(calls_for(&message).0, 2);
        assert_eq!([(); 3].map(|()| calls_for(&message)), [(1, 1024); 3]);
        assert_eq!(calls_for(&record(DATA, &[7; 100])).0, 1);
        assert_eq!(calls_for(&record(DATA, &[7; 100])), (1, IDLE));
        assert_eq!(calls_for(&message).0, 2);
        // A stream is read by several records at a time, also after a read that was short.
        let stream = record(DATA, &[7; 16_000]).repeat(20);
        assert!(calls_for(&stream).0 <= 10);
        assert_eq!(calls_for(&message), (1, RECORD));
        // What is not whole stays.
        assert_eq!(read(&mut deframer, &message[..600]), 600);
        deframer.filled_nothing();
        assert_eq!(read(&mut deframer, &message[600..]), 405);
        assert_eq!(drain(&mut deframer).len(), 1);
    }

    #[test]
    fn small_records_never_leave_the_small_buffer() {
        let mut deframer = connected();
        for _ in 0..100 {
            assert_eq!(read(&mut deframer, &record(DATA, &[7; 200])), 205);
            assert_eq!(drain(&mut deframer), [[7; 200]]);
            assert_eq!(deframer.buffer.capacity(), IDLE);
        }
    }

    #[test]
    fn nor_does_one_that_fills_it() {
        let mut deframer = connected();
        for _ in 0..100 {
            assert_eq!(
                read(&mut deframer, &record(DATA, &[7; IDLE - HEADER_LEN])),
                IDLE
            );
            assert_eq!(drain(&mut deframer).len(), 1);
            assert_eq!(deframer.space().len(), IDLE);
        }
    }

    #[test]
    fn a_record_that_has_begun_gets_its_room_at_once() {
        let mut deframer = connected();
        let whole = record(DATA, &[7; MAX_CIPHERTEXT]);
        assert_eq!(read(&mut deframer, &whole[..5]), 5);
        assert_eq!(read(&mut deframer, &whole[5..]), whole.len() - 5);
        assert_eq!(drain(&mut deframer).concat(), [7; MAX_CIPHERTEXT]);
    }

    #[test]
    fn a_transport_that_claims_too_much_gets_no_more_than_the_space() {
        let mut deframer = Deframer::new();
        deframer.space();
        deframer.filled(usize::MAX);
        assert_eq!(deframer.buffered(), IDLE);
    }

    #[test]
    fn the_end_of_the_stream_changes_nothing() {
        let mut deframer = Deframer::new();
        read(&mut deframer, &record(HANDSHAKE, b"whole")[..7]);
        assert_eq!(read(&mut deframer, b""), 0);
        assert_eq!(deframer.buffered(), 7);
        assert!(deframer.next(false).unwrap().is_none());
        deframer.discard();
        assert_eq!(deframer.buffered(), 0);
        assert!(deframer.next(false).unwrap().is_none());
    }

    #[test]
    fn what_is_not_there_cannot_be_held() {
        let mut deframer = Deframer::new();
        deframer.hold(0..10);
        assert_eq!(deframer.held(), b"");
        deframer.consume(10);
        read(&mut deframer, &record(DATA, b"data"));
        deframer.hold(5..9);
        assert_eq!(deframer.held(), b"");
        assert_eq!(deframer.bytes(5..100_000), b"");
    }

    proptest! {
        /// Holds for records and reads of any length, for any delay before the application takes
        /// the held bytes, and wherever the handshake ends.
        #[test]
        fn every_cut_gives_the_same_records(
            bodies in prop::collection::vec(
                prop_oneof![0usize..40, 400usize..600, 16_000usize..=MAX_CIPHERTEXT],
                1..24,
            ),
            reads in prop::collection::vec(
                prop_oneof![1usize..8, 1usize..2000, 1usize..100_000],
                1..16,
            ),
            takes in prop::collection::vec(
                prop_oneof![Just(0usize), 1usize..50, 1usize..50_000],
                1..16,
            ),
            handshake in 0usize..24,
        ) {
            let bodies: Vec<Vec<u8>> = (0..)
                .zip(&bodies)
                .map(|(seed, &length)| (0..length).map(|i| i.to_le_bytes()[0] ^ seed).collect())
                .collect();
            let stream: Vec<u8> = bodies.iter().flat_map(|body| record(DATA, body)).collect();
            let (mut deframer, mut rest) = (Deframer::new(), &stream[..]);
            let (mut reads, mut takes) = (reads.into_iter().cycle(), takes.into_iter().cycle());
            let (mut records, mut held, mut taken) = (0, 0, Vec::new());
            while !rest.is_empty() {
                let now = rest.len().min(reads.next().unwrap());
                rest = &rest[read(&mut deframer, &rest[..now])..];
                while let Some((header, body)) = deframer.next(true).unwrap() {
                    if records == handshake {
                        deframer.connected();
                    }
                    prop_assert_eq!(header.length, body.len());
                    prop_assert_eq!(deframer.bytes(body.clone()), &bodies[records][..]);
                    // The content is shorter than the record, as where there is a tag.
                    let content = body.start..body.end - body.len().min(16);
                    held += content.len();
                    records += 1;
                    deframer.hold(content);
                    prop_assert_eq!(deframer.held().len(), held - taken.len());
                    let take = takes.next().unwrap().min(deframer.held().len());
                    taken.extend_from_slice(&deframer.held()[..take]);
                    deframer.consume(take);
                }
            }
            prop_assert_eq!(records, bodies.len());
            prop_assert_eq!(deframer.buffered(), 0);
            taken.extend_from_slice(deframer.held());
            let contents: Vec<&[u8]> = bodies
                .iter()
                .map(|body| &body[..body.len() - body.len().min(16)])
                .collect();
            prop_assert_eq!(taken, contents.concat());
            deframer.consume(usize::MAX);
            prop_assert_eq!(deframer.held(), b"");
        }
    }
}
