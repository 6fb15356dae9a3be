//! [`Reader`] and [`Writer`]: the presentation language of RFC 9846, section 3.
//!
//! ```text
//! uint8 uint16[2]; uint8 uint24[3]; uint8 uint32[4];     numbers, big-endian
//! opaque name[n];                                        n bytes
//! opaque name<floor..ceiling>;                           a length in as few bytes as hold the
//!                                                        ceiling, then the bytes
//! ```
//!
//! A `Reader` returns slices of the message. Every call names the field it reads, so that an error
//! says `ClientHello.key_share.client_shares ends early`. A `Writer` inserts the length before a
//! vector once its content is written. If any content is too long for its length field,
//! [`Writer::message`] returns an error.

use core::ops::RangeBounds;

use crate::code_point::HandshakeType;
use crate::error::{DecodeProblem, Fault};

/// The bytes of a message, or of a part of it, that have not been read yet.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    message: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Creates a reader for `bytes`, which belong to `message`.
    pub(crate) fn new(message: &'static str, bytes: &'a [u8]) -> Self {
        Self {
            message,
            rest: bytes,
        }
    }

    /// Returns the number of bytes left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Makes the error for a field of this message.
    pub(crate) fn fault(&self, field: &'static str, problem: DecodeProblem) -> Fault {
        Fault::Decode {
            message: self.message,
            field,
            problem,
        }
    }

    /// `opaque field[len];`
    pub(crate) fn bytes(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], Fault> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| self.fault(field, DecodeProblem::Truncated))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// `opaque field[N];`
    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Fault> {
        let (array, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| self.fault(field, DecodeProblem::Truncated))?;
        self.rest = rest;
        Ok(*array)
    }

    /// Reads all bytes left.
    pub(crate) fn remainder(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// `uint8 field;`
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, Fault> {
        self.array(field).map(u8::from_be_bytes)
    }

    /// `uint16 field;`
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, Fault> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// `uint32 field;`
    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, Fault> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// `uint24 field;`, always a length.
    pub(crate) fn u24(&mut self, field: &'static str) -> Result<usize, Fault> {
        self.length::<3>(field)
    }

    /// `opaque field<allowed>;` with a length of one byte.
    pub(crate) fn vec8(
        &mut self,
        field: &'static str,
        allowed: impl RangeBounds<usize>,
    ) -> Result<&'a [u8], Fault> {
        self.vector::<1>(field, allowed)
    }

    /// `opaque field<allowed>;` with a length of two bytes.
    pub(crate) fn vec16(
        &mut self,
        field: &'static str,
        allowed: impl RangeBounds<usize>,
    ) -> Result<&'a [u8], Fault> {
        self.vector::<2>(field, allowed)
    }

    /// `opaque field<allowed>;` with a length of three bytes.
    pub(crate) fn vec24(
        &mut self,
        field: &'static str,
        allowed: impl RangeBounds<usize>,
    ) -> Result<&'a [u8], Fault> {
        self.vector::<3>(field, allowed)
    }

    /// Reads a vector with a length of one byte, and returns a reader for its elements.
    pub(crate) fn list8(
        &mut self,
        field: &'static str,
        allowed: impl RangeBounds<usize>,
    ) -> Result<Reader<'a>, Fault> {
        Ok(Reader::new(self.message, self.vec8(field, allowed)?))
    }

    /// Reads a vector with a length of two bytes, and returns a reader for its elements.
    pub(crate) fn list16(
        &mut self,
        field: &'static str,
        allowed: impl RangeBounds<usize>,
    ) -> Result<Reader<'a>, Fault> {
        Ok(Reader::new(self.message, self.vec16(field, allowed)?))
    }

    /// Reads a vector with a length of three bytes, and returns a reader for its elements.
    pub(crate) fn list24(
        &mut self,
        field: &'static str,
        allowed: impl RangeBounds<usize>,
    ) -> Result<Reader<'a>, Fault> {
        Ok(Reader::new(self.message, self.vec24(field, allowed)?))
    }

    /// Reads everything left as 16-bit code points.
    pub(crate) fn code_points<T>(
        &mut self,
        field: &'static str,
        code_point: impl Fn(u16) -> T,
    ) -> Result<Vec<T>, Fault> {
        let (pairs, odd) = self.remainder().as_chunks::<2>();
        if !odd.is_empty() {
            // RFC 9846, 3.4: the length must be an exact multiple of the length of an element.
            return Err(self.fault(field, DecodeProblem::Length));
        }
        Ok(pairs
            .iter()
            .map(|pair| code_point(u16::from_be_bytes(*pair)))
            .collect())
    }

    /// Reads the items of a list until nothing is left.
    pub(crate) fn items<T>(
        mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut items = Vec::new();
        while !self.is_empty() {
            items.push(read(&mut self)?);
        }
        Ok(items)
    }

    /// Returns an error if anything is left.
    pub(crate) fn end(&self, field: &'static str) -> Result<(), Fault> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.fault(field, DecodeProblem::TrailingBytes))
        }
    }

    /// Reads a length of `W` bytes.
    fn length<const W: usize>(&mut self, field: &'static str) -> Result<usize, Fault> {
        // W is 1, 2 or 3, so the shift never loses a bit.
        Ok(self
            .array::<W>(field)?
            .iter()
            .fold(0, |length, byte| (length << 8) | usize::from(*byte)))
    }

    fn vector<const W: usize>(
        &mut self,
        field: &'static str,
        allowed: impl RangeBounds<usize>,
    ) -> Result<&'a [u8], Fault> {
        let length = self.length::<W>(field)?;
        if !allowed.contains(&length) {
            return Err(self.fault(
                field,
                if length == 0 {
                    DecodeProblem::Empty
                } else {
                    DecodeProblem::Length
                },
            ));
        }
        self.bytes(field, length)
    }
}

/// A handshake message that is being written.
pub(crate) struct Writer {
    bytes: Vec<u8>,
    fits: bool,
}

impl Writer {
    /// Writes a whole handshake message: its header, and what `body` writes.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::DoesNotFit`] if a vector is too long for its length field. A peer can cause
    /// that: a cookie or a ticket close to 2^16 bytes must go into a ClientHello that has other
    /// extensions too.
    pub(crate) fn message(
        msg_type: HandshakeType,
        name: &'static str,
        body: impl FnOnce(&mut Self),
    ) -> Result<Vec<u8>, Fault> {
        let mut writer = Self {
            bytes: Vec::with_capacity(256),
            fits: true,
        };
        writer.u8(msg_type.0);
        writer.vec24(body);
        if writer.fits {
            Ok(writer.bytes)
        } else {
            Err(Fault::DoesNotFit { message: name })
        }
    }

    /// `opaque field[n];`
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// `uint8 field;`
    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// `uint16 field;`
    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// `uint32 field;`
    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes a vector with a length of one byte.
    pub(crate) fn vec8(&mut self, content: impl FnOnce(&mut Self)) {
        self.vector::<1>(content);
    }

    /// Writes a vector with a length of two bytes.
    pub(crate) fn vec16(&mut self, content: impl FnOnce(&mut Self)) {
        self.vector::<2>(content);
    }

    /// Writes a vector with a length of three bytes.
    pub(crate) fn vec24(&mut self, content: impl FnOnce(&mut Self)) {
        self.vector::<3>(content);
    }

    /// `opaque field<..2^8-1>;`
    pub(crate) fn opaque8(&mut self, bytes: &[u8]) {
        self.vec8(|w| w.bytes(bytes));
    }

    /// `opaque field<..2^16-1>;`
    pub(crate) fn opaque16(&mut self, bytes: &[u8]) {
        self.vec16(|w| w.bytes(bytes));
    }

    /// `opaque field<..2^24-1>;`
    pub(crate) fn opaque24(&mut self, bytes: &[u8]) {
        self.vec24(|w| w.bytes(bytes));
    }

    fn vector<const W: usize>(&mut self, content: impl FnOnce(&mut Self)) {
        let at = self.bytes.len();
        self.bytes(&[0; W]);
        content(self);
        let length = self.bytes.len().saturating_sub(at).saturating_sub(W);
        let big_endian = length.to_be_bytes();
        match (
            big_endian.split_last_chunk::<W>(),
            self.bytes
                .get_mut(at..)
                .and_then(|tail| tail.first_chunk_mut::<W>()),
        ) {
            (Some((excess, low)), Some(field)) if excess.iter().all(|byte| *byte == 0) => {
                *field = *low
            }
            _ => self.fits = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem<T>(result: Result<T, Fault>) -> DecodeProblem {
        match result {
            Err(Fault::Decode {
                message: "Test",
                field: "field",
                problem,
            }) => problem,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("read what it should refuse"),
        }
    }

    fn reader(bytes: &[u8]) -> Reader<'_> {
        Reader::new("Test", bytes)
    }

    #[test]
    fn reads_numbers_big_endian() {
        // RFC 9846, 3.3: the uint32 of the bytes 01 02 03 04 is 16909060.
        assert_eq!(reader(&[1, 2, 3, 4]).u32("field").unwrap(), 16_909_060);
        assert_eq!(reader(&[1, 2, 3]).u24("field").unwrap(), 0x01_02_03);
        assert_eq!(reader(&[1, 2]).u16("field").unwrap(), 0x0102);
        assert_eq!(
            problem(reader(&[1, 2, 3]).u32("field")),
            DecodeProblem::Truncated
        );
    }

    #[test]
    fn a_vectors_length_is_held_to_its_range_before_its_bytes_are_asked_for() {
        assert_eq!(reader(&[2, 7, 8]).vec8("field", 1..).unwrap(), [7, 8]);
        assert_eq!(reader(&[0, 2, 7, 8]).vec16("field", 1..).unwrap(), [7, 8]);
        assert_eq!(
            reader(&[0, 0, 2, 7, 8]).vec24("field", 1..).unwrap(),
            [7, 8]
        );
        assert_eq!(
            problem(reader(&[0]).vec8("field", 1..)),
            DecodeProblem::Empty
        );
        assert_eq!(
            problem(reader(&[33]).vec8("field", 0..=32)),
            DecodeProblem::Length
        );
        assert_eq!(
            problem(reader(&[2, 7]).vec8("field", 1..)),
            DecodeProblem::Truncated
        );
        assert_eq!(
            problem(reader(&[]).vec8("field", ..)),
            DecodeProblem::Truncated
        );
    }

    #[test]
    fn a_length_that_is_no_multiple_of_its_elements_is_refused() {
        // RFC 9846, 3.4: a 17-byte vector of uint16 would be illegal.
        assert_eq!(
            problem(reader(&[0; 17]).code_points("field", |value| value)),
            DecodeProblem::Length
        );
        assert_eq!(
            reader(&[1, 2, 3, 4])
                .code_points("field", |value| value)
                .unwrap(),
            [0x0102, 0x0304]
        );
    }

    #[test]
    fn a_vector_too_long_for_its_length_spoils_the_message() {
        let write = |length: usize| {
            Writer::message(HandshakeType::FINISHED, "Finished", |w| {
                w.opaque8(&vec![0; length])
            })
        };
        assert_eq!(write(255).unwrap().len(), 4 + 1 + 255);
        assert!(matches!(
            write(256),
            Err(Fault::DoesNotFit {
                message: "Finished"
            })
        ));
        let write = |length: usize| {
            Writer::message(HandshakeType::FINISHED, "Finished", |w| {
                w.opaque16(&vec![0; length])
            })
        };
        assert!(write(65535).is_ok());
        assert!(write(65536).is_err());
        let write = |length: usize| {
            Writer::message(HandshakeType::FINISHED, "Finished", |w| {
                w.bytes(&vec![0; length])
            })
        };
        assert!(write(0xff_ffff).is_ok());
        assert!(write(0x100_0000).is_err());
    }
}
