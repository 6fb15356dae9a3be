//! Opening: a record becomes content (RFC 9846, 5.1, 5.2 and 5.4).
//!
//! Application data is placed in the application's buffer, as far as there is room. The rest, and
//! all other content, stays in the record's body. The type of a protected record is known only when
//! it is open, so content of another type is moved back to the body, and the application's buffer
//! is wiped of it.

use zeroize::{Zeroize, Zeroizing};

use super::header::Header;
use super::limits::{MAX_FRAGMENT, MAX_INNER, MIN_MAX_INNER, TAG_LEN};
use super::protection::{KeyUse, Protection};
use crate::code_point::ContentType;
use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::key_schedule::{Iv, TrafficSecret};

/// The content of a record. Of its `len` bytes, the first `placed` are in the caller's buffer, and
/// the others are `body[placed..len]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The content's own type. With keys, only a ChangeCipherSpec can have come unprotected.
    pub(crate) content_type: ContentType,
    /// The content's length.
    pub(crate) len: usize,
    /// The number of bytes of it in the caller's buffer: 0, unless it is application data.
    pub(crate) placed: usize,
}

/// The receiving direction: its keys and its sequence number.
pub(crate) struct Open {
    protection: Option<Protection>,
    max_inner: usize,
    longest_inner: usize,
}

impl Open {
    /// Creates a receiving direction without keys, for unprotected records.
    pub(crate) fn plaintext() -> Self {
        Self {
            protection: None,
            max_inner: MAX_INNER,
            longest_inner: 0,
        }
    }

    /// Creates a receiving direction with the keys of this secret, beginning at record 0.
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

    /// Returns true if these keys have opened nothing yet.
    ///
    /// New keys are fresh, also after a KeyUpdate. So this alone does not say that the peer may
    /// still send unprotected records.
    #[cfg(test)]
    pub(super) fn is_fresh(&self) -> bool {
        self.protection
            .as_ref()
            .is_none_or(|protection| protection.sequence() == 0)
    }

    /// Sets our limit for protected records, which counts content, content type and padding (RFC
    /// 8449, section 4).
    pub(crate) fn set_max_inner(&mut self, limit: usize) {
        self.max_inner = limit.clamp(MIN_MAX_INNER, MAX_INNER);
    }

    /// Returns what these keys have protected.
    pub(crate) fn used(&self) -> KeyUse {
        self.protection
            .as_ref()
            .map_or_else(KeyUse::default, Protection::used)
    }

    /// Returns the length of the longest TLSInnerPlaintext received.
    pub(crate) fn longest_inner(&self) -> usize {
        self.longest_inner
    }

    /// Opens a record. Application data is written to `into` as far as there is room; the rest, and
    /// all other content, stays in `body`. The part of `into` after what was placed is zeroed or
    /// unchanged.
    ///
    /// If this fails with [`Fault::BadRecordMac`], the record is not counted: the next record can
    /// be tried with the same sequence number, as a server does that skips early data (RFC 9846,
    /// 4.3.10).
    ///
    /// An unprotected ChangeCipherSpec is returned like any record, with or without keys, and is
    /// not counted. The connection decides when it may come.
    ///
    /// # Errors
    ///
    /// Returns the faults of RFC 9846, sections 5.1 to 5.4.
    pub(crate) fn open(
        &mut self,
        header: &Header,
        body: &mut [u8],
        into: &mut [u8],
    ) -> Result<Opened, Fault> {
        let opened = match (&mut self.protection, header.content_type) {
            // RFC 9846, section 5: checked before the record is opened. Any other value is
            // unexpected_message.
            (_, ContentType::CHANGE_CIPHER_SPEC) => match body {
                [1] => {
                    return Ok(Opened {
                        content_type: ContentType::CHANGE_CIPHER_SPEC,
                        len: 1,
                        placed: 0,
                    });
                }
                _ => return Err(Fault::ChangeCipherSpec),
            },
            (Some(protection), ContentType::APPLICATION_DATA) => {
                let opened = open_protected(protection, self.max_inner, header, body, into)?;
                self.longest_inner = self.longest_inner.max(body.len().saturating_sub(TAG_LEN));
                opened
            }
            // RFC 9846, section 5: application data before there are keys, or anything unprotected
            // afterwards.
            (None, got @ ContentType::APPLICATION_DATA) | (Some(_), got) => {
                return Err(Fault::UnexpectedRecord { got });
            }
            // RFC 9846, 5.1: `Header::parse` has checked this. It is for a caller with a header
            // from elsewhere.
            (None, _) if body.len() > MAX_FRAGMENT => {
                return Err(Fault::RecordOverflow {
                    length: body.len(),
                    limit: MAX_FRAGMENT,
                });
            }
            (None, content_type) => Opened {
                content_type,
                len: body.len(),
                placed: 0,
            },
        };
        match opened.content_type {
            // RFC 9846, 5.1 and 5.4: these must not be empty, even with padding.
            ContentType::HANDSHAKE | ContentType::ALERT if opened.len == 0 => {
                Err(Fault::EmptyFragment {
                    content_type: opened.content_type,
                })
            }
            ContentType::HANDSHAKE | ContentType::ALERT | ContentType::APPLICATION_DATA => {
                Ok(opened)
            }
            // RFC 9846, section 5: a protected one is unexpected_message.
            ContentType::CHANGE_CIPHER_SPEC => Err(Fault::ChangeCipherSpec),
            got => Err(Fault::UnexpectedRecord { got }),
        }
    }

    /// Changes to the next generation of keys, after a KeyUpdate was received (RFC 9846, 4.7.3).
    /// Only the sender limits how often: a receiver MUST NOT enforce a limit.
    pub(crate) fn update(&mut self) {
        self.protection = self.protection.take().map(Protection::next);
    }

    #[cfg(test)]
    pub(super) fn start_at(&mut self, sequence: u64) {
        self.protection.as_mut().unwrap().start_at(sequence);
    }
}

fn open_protected(
    protection: &mut Protection,
    max_inner: usize,
    header: &Header,
    body: &mut [u8],
    into: &mut [u8],
) -> Result<Opened, Fault> {
    // A record too short for a tag cannot be authentic.
    let (inner, tag) = body.split_last_chunk_mut().ok_or(Fault::BadRecordMac)?;
    // RFC 9846, 5.3: a sequence number does not wrap. In practice this is never reached.
    if protection.is_spent() {
        return Err(Fault::TooMany {
            what: "records under one key",
            limit: usize::MAX,
        });
    }
    // The last byte is the type or padding, never content.
    let room = into.len().min(inner.len().saturating_sub(1));
    let head = into.get_mut(..room).unwrap_or_default();
    let mut nonce = Zeroizing::new([0; Iv::LEN]);
    protection.nonce_into(&mut nonce);
    protection
        .key()
        .open(&nonce, header.bytes(), inner, tag, head)?;
    protection.advance(inner.len());
    let (place, rest) = inner.split_at_mut(head.len());
    match judge(head, rest, max_inner) {
        Ok(opened) if opened.content_type == ContentType::APPLICATION_DATA => {
            // Removes the type and the padding if they were placed too.
            head.get_mut(opened.placed..).unwrap_or_default().fill(0);
            Ok(opened)
        }
        judged => {
            place.copy_from_slice(head);
            head.zeroize();
            judged.map(|opened| Opened {
                placed: 0,
                ..opened
            })
        }
    }
}

/// Finds the type and the content of the TLSInnerPlaintext that `head` and `rest` form together.
fn judge(head: &[u8], rest: &[u8], max_inner: usize) -> Result<Opened, Fault> {
    // RFC 9846, 5.4: the limit is for content, type and padding together. It is checked after the
    // tag, so the peer itself is at fault.
    let length = head.len() + rest.len();
    if length > max_inner {
        return Err(Fault::RecordOverflow {
            length,
            limit: max_inner,
        });
    }
    // RFC 9846, 5.4: the last byte that is not zero is the type. The scan reads only the plaintext.
    // Its time may reveal the length of the padding, but what the application does with the content
    // reveals the content's length anyway.
    let last = |bytes: &[u8]| {
        bytes
            .iter()
            .rposition(|&byte| byte != 0)
            .and_then(|at| Some((at, ContentType(*bytes.get(at)?))))
    };
    if let Some((at, content_type)) = last(rest) {
        return Ok(Opened {
            content_type,
            len: head.len() + at,
            placed: head.len(),
        });
    }
    let (len, content_type) = last(head).ok_or(Fault::NoContentType)?;
    Ok(Opened {
        content_type,
        len,
        placed: len,
    })
}
