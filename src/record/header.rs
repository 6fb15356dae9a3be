//! The five bytes in front of every record (RFC 9846, 5.1 and 5.2).
//!
//! ```text
//! struct {
//!     ContentType type;
//!     ProtocolVersion legacy_record_version;
//!     uint16 length;
//!     opaque fragment[TLSPlaintext.length];
//! } TLSPlaintext;
//! ```

use super::limits::{HEADER_LEN, MAX_CIPHERTEXT, MAX_FRAGMENT};
use crate::code_point::ContentType;
use crate::error::Fault;

/// A record's header, whose type and length are legal.
///
/// The received bytes are kept. The version in them is ignored (RFC 9846, 5.1), but the AEAD
/// authenticates the header together with the ciphertext (5.2), so a flipped bit in any of the five
/// bytes is detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The outer type. A protected record has application_data.
    pub(crate) content_type: ContentType,
    /// The number of bytes that follow the header.
    pub(crate) length: usize,
    bytes: [u8; HEADER_LEN],
}

impl Header {
    /// Checks a header as soon as it has arrived, before waiting for the bytes that it announces.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::NotTls`] for bytes of another protocol, [`Fault::UnexpectedRecord`] for
    /// another unknown type, [`Fault::RecordOverflow`] for a
    /// length over the type's limit, and [`Fault::ChangeCipherSpec`] for a ChangeCipherSpec whose
    /// length is not 1.
    #[inline]
    pub(crate) fn parse(bytes: [u8; HEADER_LEN]) -> Result<Self, Fault> {
        let [content_type, _, _, high, low] = bytes;
        let content_type = ContentType(content_type);
        let length = usize::from(u16::from_be_bytes([high, low]));
        let limit = match content_type {
            // RFC 9846, 5.2: the type of every protected record, whatever is inside.
            ContentType::APPLICATION_DATA => MAX_CIPHERTEXT,
            ContentType::ALERT | ContentType::HANDSHAKE => MAX_FRAGMENT,
            ContentType::CHANGE_CIPHER_SPEC if length == 1 => 1,
            // RFC 9846, section 5: any other value than the single byte 0x01 is unexpected_message.
            ContentType::CHANGE_CIPHER_SPEC => return Err(Fault::ChangeCipherSpec),
            // RFC 9846, section 5: an unexpected record type is unexpected_message too.
            got => {
                return Err(match other_protocol(&bytes) {
                    Some(protocol) => Fault::NotTls { protocol },
                    None => Fault::UnexpectedRecord { got },
                });
            }
        };
        // RFC 9846, 5.1 and 5.2: record_overflow.
        if length > limit {
            return Err(Fault::RecordOverflow { length, limit });
        }
        Ok(Self {
            content_type,
            length,
            bytes,
        })
    }

    /// Returns the header as received: the AEAD's additional_data.
    pub(crate) fn bytes(&self) -> &[u8; HEADER_LEN] {
        &self.bytes
    }
}

/// Returns the protocol whose first bytes, from a client or from a server, these can be. None of
/// them begins with a record's type, so this decides nothing but words.
fn other_protocol(bytes: &[u8; HEADER_LEN]) -> Option<&'static str> {
    Some(match bytes {
        b"GET /" | b"GET h" | b"HEAD " | b"POST " | b"PUT /" | b"PATCH" | b"DELET" | b"OPTIO"
        | b"CONNE" | b"TRACE" | b"PRI *" | b"HTTP/" => "HTTP",
        b"SSH-2" | b"SSH-1" => "SSH",
        b"EHLO " | b"HELO " | [b'2', b'2', b'0', b' ' | b'-', _] => "SMTP or FTP",
        b"* OK " => "IMAP",
        [b'+', b'O', b'K', b' ', _] => "POP3",
        b"<?xml" | b"<stre" => "XMPP",
        b"PROXY" | b"\r\n\r\n\0" => "the PROXY protocol",
        b"*1\r\n$" | b"*2\r\n$" | b"*3\r\n$" | b"PING\r" => "Redis",
        // The start of SSLRequest, whose length is 8.
        [0, 0, 0, 8, 4] => "PostgreSQL",
        // A packet's length and its number, 0; then the protocol's version.
        [_, 0, 0, 0, 10] => "MySQL",
        // CONNECT, its length, and the beginning of "MQTT".
        [0x10, _, 0, 4, b'M'] => "MQTT",
        // A length with the first bit set, client_hello, and the version (RFC 6101, appendix E).
        [0x80..=0xff, _, 1, 0 | 3, _] => "SSL 2.0",
        text if text
            .iter()
            .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')) =>
        {
            "plain text"
        }
        _ => return None,
    })
}

/// Encodes a header. Returns `None` if the length does not fit its two bytes.
pub(super) fn encode(
    content_type: ContentType,
    version: u16,
    length: usize,
) -> Option<[u8; HEADER_LEN]> {
    let [major, minor] = version.to_be_bytes();
    let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
    Some([content_type.0, major, minor, high, low])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::AlertDescription;

    fn parse(content_type: u8, length: usize) -> Result<Header, Fault> {
        Header::parse(encode(ContentType(content_type), 0x0303, length).unwrap())
    }

    #[test]
    fn each_type_has_its_limit() {
        // RFC 9846, 5.1 and 5.2.
        for (content_type, limit) in [(21, 16384), (22, 16384), (23, 16640)] {
            for length in [0, 1, 16384, limit] {
                assert_eq!(parse(content_type, length).unwrap().length, length);
            }
            let fault = parse(content_type, limit + 1).unwrap_err();
            assert!(matches!(
                fault,
                Fault::RecordOverflow { length, limit: l } if length == limit + 1 && l == limit
            ));
            assert_eq!(fault.alert(), AlertDescription(22));
        }
    }

    #[test]
    fn a_change_cipher_spec_has_one_byte() {
        assert_eq!(
            parse(20, 1).unwrap().content_type,
            ContentType::CHANGE_CIPHER_SPEC
        );
        for length in [0, 2, 16384] {
            let fault = parse(20, length).unwrap_err();
            assert!(matches!(fault, Fault::ChangeCipherSpec));
            assert_eq!(fault.alert(), AlertDescription(10));
        }
    }

    #[test]
    fn an_unknown_type_is_unexpected() {
        for content_type in (0..=255).filter(|t| !(20..=23).contains(t)) {
            let fault = parse(content_type, 1).unwrap_err();
            assert!(matches!(fault, Fault::UnexpectedRecord { got } if got.0 == content_type));
            assert_eq!(fault.alert(), AlertDescription(10));
        }
    }

    /// What programs of other protocols send first to a TLS port, and what a client finds at a port
    /// that is not TLS's.
    #[test]
    fn another_protocol_is_named() {
        for (bytes, name) in [
            (b"GET /", "HTTP"),
            (b"POST ", "HTTP"),
            (b"DELET", "HTTP"),
            (b"PRI *", "HTTP"),
            (b"HTTP/", "HTTP"),
            (b"SSH-2", "SSH"),
            (b"220 m", "SMTP or FTP"),
            (b"220-m", "SMTP or FTP"),
            (b"EHLO ", "SMTP or FTP"),
            (b"* OK ", "IMAP"),
            (b"+OK D", "POP3"),
            (b"<?xml", "XMPP"),
            (b"PROXY", "the PROXY protocol"),
            (b"\r\n\r\n\0", "the PROXY protocol"),
            (b"\0\0\0\x08\x04", "PostgreSQL"),
            (b"\x4a\0\0\0\x0a", "MySQL"),
            (b"\x10\x1a\0\x04M", "MQTT"),
            (b"*1\r\n$", "Redis"),
            (b"\x80\x2e\x01\x03\x01", "SSL 2.0"),
            (b"hello", "plain text"),
        ] {
            let fault = Header::parse(*bytes).unwrap_err();
            let text = fault.to_string();
            assert!(text.contains(name) && text.contains("not TLS"), "{text}");
            assert_eq!(fault.alert(), AlertDescription(10));
        }
        // Anything else is what its first byte says.
        for bytes in [b"\xff\x03\x03\0\x01", b"\x18\x03\x03\0\x03", b"GET \0"] {
            let text = Header::parse(*bytes).unwrap_err().to_string();
            assert!(!text.contains("not TLS"), "{text}");
        }
    }

    #[test]
    fn the_version_decides_nothing_and_is_kept() {
        for version in [0x0000, 0x0301, 0x0303, 0x0304, 0xffff] {
            let bytes = encode(ContentType::HANDSHAKE, version, 7).unwrap();
            assert_eq!(Header::parse(bytes).unwrap().bytes(), &bytes);
        }
    }
}
