//! The record layer's sizes (RFC 9846, 5.1 and 5.2), in bytes.

use crate::crypto::suite::Suite;

/// The longest content of a record.
pub(crate) const MAX_FRAGMENT: usize = 1 << 14;

/// The longest TLSInnerPlaintext: content, content type and padding (RFC 9846, 5.4).
pub(crate) const MAX_INNER: usize = MAX_FRAGMENT + 1;

/// The lowest limit that a peer may set for a TLSInnerPlaintext (RFC 8449, section 4).
pub(crate) const MIN_MAX_INNER: usize = 64;

/// The longest encrypted_record. It allows an AEAD to add 255 bytes, of which ours use 16.
pub(crate) const MAX_CIPHERTEXT: usize = MAX_FRAGMENT + 256;

/// The length of every record's header.
pub(crate) const HEADER_LEN: usize = 5;

/// The length of the authentication tag of each of our AEADs.
pub(crate) const TAG_LEN: usize = Suite::TAG_LEN;

/// The number of bytes that protection adds to content and padding: header, content type and tag.
pub(crate) const OVERHEAD: usize = HEADER_LEN + 1 + TAG_LEN;
