//! Sealing: content becomes a record (RFC 9846, 5.1, 5.2 and 5.4).
//!
//! ```text
//! struct {
//!     opaque content[TLSPlaintext.length];
//!     ContentType type;
//!     uint8 zeros[length_of_padding];
//! } TLSInnerPlaintext;
//! ```
//!
//! The content is encrypted from the caller's buffer into its place in the record. If the caller
//! wrote it there already, it is encrypted in place.

use zeroize::{Zeroize, Zeroizing};

use super::header;
use super::limits::{HEADER_LEN, MAX_FRAGMENT, MAX_INNER, MIN_MAX_INNER, OVERHEAD, TAG_LEN};
use super::output::Output;
use super::protection::{KeyUse, Protection};
use crate::code_point::ContentType;
use crate::crypto::suite::Suite;
use crate::error::{Error, Fault};
use crate::key_schedule::{Iv, TrafficSecret};

/// legacy_record_version of all records but an initial ClientHello's (RFC 9846, 5.1).
const VERSION: u16 = 0x0303;
const INITIAL_VERSION: u16 = 0x0301;

/// The maximum number of times that a sender's keys are renewed (RFC 9846, 4.7.3).
const MAX_UPDATES: u64 = (1 << 48) - 1;

/// The number of records that application data may not use at the end of a key's life. They are for
/// the KeyUpdate that ends it, or for the alert that reports the failure.
const RESERVE: u64 = 2;

/// The reason why a record was not sealed.
#[derive(Clone, Debug)]
pub(crate) enum SealError {
    /// The key has protected the maximum number of records, or was renewed the maximum number of
    /// times (RFC 9846, 5.5 and 4.7.3).
    KeyLimit,
    /// An internal error.
    Internal {
        /// What failed.
        what: &'static str,
    },
}

impl SealError {
    /// Makes the connection's error. `state` is the connection's state.
    pub(crate) fn in_state(self, state: &'static str) -> Error {
        match self {
            Self::KeyLimit => Error::KeyLimit,
            Self::Internal { what } => Error::Protocol {
                state,
                fault: Fault::Internal { what },
            },
        }
    }
}

/// The sending direction: its keys and its sequence number.
pub(crate) struct Seal {
    protection: Option<Protection>,
    max_inner: usize,
    updates: u64,
}

impl Seal {
    /// Creates a sending direction without keys: records are not protected.
    pub(crate) fn plaintext() -> Self {
        Self {
            protection: None,
            max_inner: MAX_INNER,
            updates: 0,
        }
    }

    /// Creates a sending direction with the keys of this secret, beginning at record 0.
    pub(crate) fn protected(suite: Suite, secret: TrafficSecret) -> Self {
        Self {
            protection: Some(Protection::new(suite, secret)),
            ..Self::plaintext()
        }
    }

    /// Returns true if there are keys.
    pub(crate) fn is_protected(&self) -> bool {
        self.protection.is_some()
    }

    /// Sets the peer's limit for protected records, which counts content, content type and padding
    /// (RFC 8449, section 4).
    pub(crate) fn set_max_inner(&mut self, limit: usize) {
        self.max_inner = limit.clamp(MIN_MAX_INNER, MAX_INNER);
    }

    /// Returns the longest content that a record may have.
    pub(crate) fn max_fragment(&self) -> usize {
        if self.is_protected() {
            self.max_inner.saturating_sub(1)
        } else {
            MAX_FRAGMENT
        }
    }

    /// Returns how many more records these keys may seal. At 0 nothing more is sent. Without keys
    /// there is no limit.
    pub(crate) fn records_left(&self) -> u64 {
        self.protection
            .as_ref()
            .map_or(u64::MAX, Protection::records_left)
    }

    /// Returns what these keys have protected.
    pub(crate) fn used(&self) -> KeyUse {
        self.protection
            .as_ref()
            .map_or_else(KeyUse::default, Protection::used)
    }

    /// Appends one record with this content and padding to `out`.
    ///
    /// # Errors
    ///
    /// Returns [`SealError::KeyLimit`] if no record is left, or for application data if at most 2
    /// are left, so that a KeyUpdate or an alert can still be sent. Returns [`SealError::Internal`]
    /// for what must not be sent: an empty handshake message or alert, a protected
    /// ChangeCipherSpec, or a record over the limit. On error nothing is appended.
    pub(crate) fn seal(
        &mut self,
        content_type: ContentType,
        content: &[u8],
        padding: usize,
        out: &mut Output,
    ) -> Result<(), SealError> {
        if self.protection.is_none() {
            return append_plaintext(content_type, VERSION, content, out);
        }
        self.protect(content_type, content, content.len(), padding, out)
    }

    /// Returns the first `length` bytes of the place of the next record's content, which the caller
    /// can write, [keep](Self::keep_lent) and [seal](Self::seal_lent) there. They begin with what
    /// is kept.
    pub(crate) fn lend(out: &mut Output, length: usize) -> &mut [u8] {
        out.draft(length.saturating_add(OVERHEAD))
            .get_mut(HEADER_LEN..)
            .and_then(|room| room.get_mut(..length))
            .unwrap_or_default()
    }

    /// Keeps the first `length` bytes of what was [lent](Self::lend), which are application data,
    /// until they are sealed.
    ///
    /// # Errors
    ///
    /// Returns [`SealError::KeyLimit`] if no record is left for them. Then nothing is kept, and
    /// what was kept is wiped.
    pub(crate) fn keep_lent(&self, length: usize, out: &mut Output) -> Result<(), SealError> {
        out.keep(HEADER_LEN + length);
        if self.records_left() > RESERVE {
            return Ok(());
        }
        out.wipe_draft();
        Err(SealError::KeyLimit)
    }

    /// Returns how many bytes are [kept](Self::keep_lent).
    pub(crate) fn lent(out: &Output) -> usize {
        out.drafted().saturating_sub(HEADER_LEN)
    }

    /// Appends one record of application data with what is [kept](Self::keep_lent), whose first
    /// bytes are replaced by `head`. Otherwise this is like [`seal`](Self::seal). Nothing is kept
    /// afterwards.
    pub(crate) fn seal_lent(
        &mut self,
        head: &[u8],
        padding: usize,
        out: &mut Output,
    ) -> Result<(), SealError> {
        let length = Self::lent(out);
        out.reserve(length.saturating_add(padding).saturating_add(OVERHEAD));
        out.release();
        let sealed = self.protect(ContentType::APPLICATION_DATA, head, length, padding, out);
        if sealed.is_err() {
            Self::lend(out, length).zeroize();
        }
        sealed
    }

    /// Seals `content_len` bytes: `head`, followed by what is already at the content's place after
    /// the length of `head`.
    fn protect(
        &mut self,
        content_type: ContentType,
        head: &[u8],
        content_len: usize,
        padding: usize,
        out: &mut Output,
    ) -> Result<(), SealError> {
        let protection = self
            .protection
            .as_mut()
            .ok_or(Self::internal("protecting a record before there are keys"))?;
        let reserve = match content_type {
            ContentType::APPLICATION_DATA => RESERVE,
            // RFC 9846, 5.1 and 5.4: these are not sent empty.
            ContentType::HANDSHAKE | ContentType::ALERT if content_len > 0 => 0,
            _ => return Err(Self::internal("protecting a record of this type")),
        };
        // RFC 9846, 5.5: no record over the limit, which is below the end of the sequence number
        // (5.3).
        if protection.records_left() <= reserve {
            return Err(SealError::KeyLimit);
        }
        // RFC 9846, 5.4: padding counts.
        if content_len.saturating_add(padding) >= self.max_inner {
            return Err(Self::internal("keeping a record within the limit"));
        }
        let length = content_len + padding + OVERHEAD;
        let record = out.room(length);
        let (header, inner, tag) =
            parts(record).ok_or(Self::internal("finding room for a record"))?;
        let (content_type_byte, zeros) = inner
            .get_mut(content_len..)
            .and_then(<[u8]>::split_first_mut)
            .ok_or(Self::internal("finding room for a record"))?;
        *content_type_byte = content_type.0;
        // RFC 9846, 5.4: the padding is zeros.
        zeros.fill(0);
        *header = header::encode(
            ContentType::APPLICATION_DATA,
            VERSION,
            inner.len() + TAG_LEN,
        )
        .ok_or(Self::internal("keeping a record within the limit"))?;
        let inner_len = inner.len();
        let mut nonce = Zeroizing::new([0; Iv::LEN]);
        protection.nonce_into(&mut nonce);
        match protection.key().seal(&nonce, header, head, inner) {
            Ok(made) => *tag = made,
            Err(_) => {
                inner.zeroize();
                return Err(Self::internal("encrypting a record"));
            }
        }
        protection.advance(inner_len);
        out.append(length);
        Ok(())
    }

    /// Appends the record of a client's first ClientHello to `out`.
    ///
    /// RFC 9846, 5.1: it SHOULD have version 0x0301, for servers and middleboxes that expect no
    /// other.
    pub(crate) fn initial_client_hello(message: &[u8], out: &mut Output) -> Result<(), SealError> {
        append_plaintext(ContentType::HANDSHAKE, INITIAL_VERSION, message, out)
    }

    /// Appends the ChangeCipherSpec of middlebox compatibility mode to `out`. It is never
    /// protected, even if there are keys (RFC 9846, E.4).
    pub(crate) fn change_cipher_spec(out: &mut Output) -> Result<(), SealError> {
        append_plaintext(ContentType::CHANGE_CIPHER_SPEC, VERSION, &[1], out)
    }

    /// Returns true if the keys may be renewed once more.
    ///
    /// RFC 9846, 4.7.3: if they may not, the peer's update_requested is ignored.
    pub(crate) fn can_update(&self) -> bool {
        self.is_protected() && self.updates < MAX_UPDATES
    }

    /// Changes to the next generation of keys, after a KeyUpdate was sealed with these (RFC 9846,
    /// 4.7.3).
    pub(crate) fn update(&mut self) -> Result<(), SealError> {
        if !self.can_update() {
            return Err(SealError::KeyLimit);
        }
        self.protection = self.protection.take().map(Protection::next);
        self.updates += 1;
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn start_at(&mut self, sequence: u64) {
        self.protection.as_mut().unwrap().start_at(sequence);
    }

    #[cfg(test)]
    pub(crate) fn set_updates(&mut self, updates: u64) {
        self.updates = updates;
    }

    fn internal(what: &'static str) -> SealError {
        SealError::Internal { what }
    }
}

/// Splits the room for a protected record into its header, the part that is encrypted, and its tag.
fn parts(record: &mut [u8]) -> Option<(&mut [u8; HEADER_LEN], &mut [u8], &mut [u8; TAG_LEN])> {
    let (header, rest) = record.split_first_chunk_mut()?;
    let (inner, tag) = rest.split_last_chunk_mut()?;
    Some((header, inner, tag))
}

/// Appends a TLSPlaintext.
fn append_plaintext(
    content_type: ContentType,
    version: u16,
    content: &[u8],
    out: &mut Output,
) -> Result<(), SealError> {
    // RFC 9846, 5.1: application data is never written unprotected; nothing else is sent empty, or
    // longer than 2^14.
    if content_type == ContentType::APPLICATION_DATA
        || content.is_empty()
        || content.len() > MAX_FRAGMENT
    {
        return Err(SealError::Internal {
            what: "writing an unprotected record",
        });
    }
    let header =
        header::encode(content_type, version, content.len()).ok_or(SealError::Internal {
            what: "writing an unprotected record",
        })?;
    let length = HEADER_LEN + content.len();
    let (place, rest) = out
        .room(length)
        .split_first_chunk_mut()
        .ok_or(SealError::Internal {
            what: "finding room for a record",
        })?;
    *place = header;
    rest.copy_from_slice(content);
    out.append(length);
    Ok(())
}
