//! HelloRetryRequest (RFC 9846, 4.2.4): what the server needs before it can choose.
//!
//! It is a message of type server_hello with the same fields, distinguished by one value of the
//! random.

use crate::code_point::{CipherSuite, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion};
use crate::error::{DecodeProblem, Fault};
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::block::{self, Extension};
use crate::message::extensions::placement::Place;
use crate::message::server_hello::Fields;

/// The random that makes a ServerHello a HelloRetryRequest: the SHA-256 of "HelloRetryRequest" (RFC
/// 9846, 4.2.3).
pub(crate) const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8,
    0x91, //
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The server's request for another ClientHello: a ServerHello whose random is always
/// [`RETRY_RANDOM`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HelloRetryRequest<'a> {
    pub(crate) legacy_version: ProtocolVersion,
    #[doc(alias = "legacy_session_id_echo")]
    pub(crate) session_id_echo: &'a [u8],
    pub(crate) cipher_suite: CipherSuite,
    #[doc(alias = "legacy_compression_method")]
    pub(crate) compression_method: u8,
    pub(crate) extensions: Vec<RetryExtension<'a>>,
}

/// The extensions of a HelloRetryRequest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RetryExtension<'a> {
    /// RFC 9846, 4.3.1: `ProtocolVersion selected_version;`
    SupportedVersions(ProtocolVersion),
    /// RFC 9846, 4.3.2: `opaque cookie<1..2^16-1>;`
    Cookie(&'a [u8]),
    /// RFC 9846, 4.3.8: `NamedGroup selected_group;`
    KeyShare(NamedGroup),
    /// Any other, which nobody can have requested.
    Unknown {
        extension_type: ExtensionType,
        data: &'a [u8],
    },
}

impl<'a> HelloRetryRequest<'a> {
    pub(crate) const NAME: &'static str = "HelloRetryRequest";

    /// Returns true if the body of a message of type server_hello is a HelloRetryRequest. RFC 9846,
    /// 4.2.3: the random is checked before anything else.
    pub(crate) fn is(body: &[u8]) -> bool {
        body.get(2..34) == Some(&RETRY_RANDOM)
    }

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let Fields {
            legacy_version,
            random: _,
            session_id_echo,
            cipher_suite,
            compression_method,
        } = Fields::read(r)?;
        let extensions: Vec<_> = block::read(r)?;
        if extensions.is_empty() {
            // `Extension extensions<6..2^16-1>;`: this message exists in TLS 1.3 only.
            return Err(r.fault("extensions", DecodeProblem::Empty));
        }
        Ok(Self {
            legacy_version,
            session_id_echo,
            cipher_suite,
            compression_method,
            extensions,
        })
    }

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        let Self {
            legacy_version,
            session_id_echo,
            cipher_suite,
            compression_method,
            ..
        } = *self;
        Writer::message(HandshakeType::SERVER_HELLO, Self::NAME, |w| {
            Fields {
                legacy_version,
                random: RETRY_RANDOM,
                session_id_echo,
                cipher_suite,
                compression_method,
            }
            .write(w);
            block::write(&self.extensions, w);
        })
    }

    /// Returns the version that the server chose.
    #[doc(alias = "selected_version")]
    pub(crate) fn supported_versions(&self) -> Option<ProtocolVersion> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                RetryExtension::SupportedVersions(version) => Some(*version),
                _ => None,
            })
    }

    pub(crate) fn cookie(&self) -> Option<&'a [u8]> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                RetryExtension::Cookie(cookie) => Some(*cookie),
                _ => None,
            })
    }

    /// Returns the group for which the server wants a share.
    #[doc(alias = "selected_group")]
    pub(crate) fn key_share(&self) -> Option<NamedGroup> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                RetryExtension::KeyShare(group) => Some(*group),
                _ => None,
            })
    }

    /// Returns the types of the extensions, to compare with those that were requested.
    pub(crate) fn extension_types(&self) -> impl Iterator<Item = ExtensionType> {
        self.extensions.iter().map(Extension::extension_type)
    }
}

impl<'a> Extension<'a> for RetryExtension<'a> {
    const PLACE: Place = Place::HelloRetryRequest;

    fn read(extension_type: ExtensionType, r: &mut Reader<'a>) -> Result<Option<Self>, Fault> {
        Ok(Some(match extension_type {
            ExtensionType::SUPPORTED_VERSIONS => Self::SupportedVersions(ProtocolVersion(
                r.u16("supported_versions.selected_version")?,
            )),
            ExtensionType::COOKIE => Self::Cookie(r.vec16("cookie", 1..)?),
            ExtensionType::KEY_SHARE => {
                Self::KeyShare(NamedGroup(r.u16("key_share.selected_group")?))
            }
            _ => return Ok(None),
        }))
    }

    fn unknown(extension_type: ExtensionType, data: &'a [u8]) -> Self {
        Self::Unknown {
            extension_type,
            data,
        }
    }

    fn extension_type(&self) -> ExtensionType {
        match self {
            Self::SupportedVersions(_) => ExtensionType::SUPPORTED_VERSIONS,
            Self::Cookie(_) => ExtensionType::COOKIE,
            Self::KeyShare(_) => ExtensionType::KEY_SHARE,
            Self::Unknown { extension_type, .. } => *extension_type,
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::SupportedVersions(version) => w.u16(version.0),
            Self::Cookie(cookie) => w.opaque16(cookie),
            Self::KeyShare(group) => w.u16(group.0),
            Self::Unknown { data, .. } => w.bytes(data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::message::testing::{
        breach, extension, hex, message, message_with, round_trip, whole_message,
    };

    fn body(random: &[u8], extensions: &str) -> Vec<u8> {
        [
            &hex("0303")[..],
            random,
            &hex("02 5e5f  1302  00"),
            &hex(extensions),
        ]
        .concat()
    }

    #[test]
    fn a_whole_one() {
        let bytes = message(
            2,
            &body(
                &RETRY_RANDOM,
                "0014  002b 0002 0304  0033 0002 001d  002c 0004 0002 c00c",
            ),
        );
        let Message::HelloRetryRequest(retry) =
            whole_message(bytes.leak(), "HelloRetryRequest", |_| false)
        else {
            panic!("not a retry")
        };
        assert_eq!(
            retry,
            HelloRetryRequest {
                legacy_version: ProtocolVersion::TLS1_2,
                session_id_echo: &[0x5e, 0x5f],
                cipher_suite: CipherSuite::TLS_AES_256_GCM_SHA384,
                compression_method: 0,
                extensions: vec![
                    RetryExtension::SupportedVersions(ProtocolVersion::TLS1_3),
                    RetryExtension::KeyShare(NamedGroup::X25519),
                    RetryExtension::Cookie(&[0xc0, 0x0c]),
                ],
            }
        );
        assert_eq!(retry.supported_versions(), Some(ProtocolVersion::TLS1_3));
        assert_eq!(retry.cookie(), Some(&[0xc0, 0x0c][..]));
        assert!(retry.extension_types().eq([
            ExtensionType::SUPPORTED_VERSIONS,
            ExtensionType::KEY_SHARE,
            ExtensionType::COOKIE
        ]));
    }

    /// RFC 9846, 4.2.3: the random alone decides, and every bit of it counts.
    #[test]
    fn a_random_one_bit_off_is_a_server_hello() {
        let extensions = "0006 002b 0002 0304";
        assert_eq!(
            round_trip(message(2, &body(&RETRY_RANDOM, extensions)).leak()).name(),
            "HelloRetryRequest"
        );
        for bit in 0..256 {
            let mut random = RETRY_RANDOM;
            random[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                round_trip(message(2, &body(&random, extensions)).leak()).name(),
                "ServerHello"
            );
        }
    }

    #[test]
    fn extensions_of_a_number_or_of_bytes() {
        extension(
            Place::HelloRetryRequest,
            ExtensionType::SUPPORTED_VERSIONS,
            "0304",
        );
        extension(Place::HelloRetryRequest, ExtensionType::COOKIE, "0002 c00c");
        // opaque cookie<1..2^16-1>;
        let bytes = message_with(
            Place::HelloRetryRequest,
            &[(ExtensionType::COOKIE, &[0, 0])],
        );
        assert_eq!(
            breach(&bytes),
            ("HelloRetryRequest", "cookie", DecodeProblem::Empty)
        );
    }

    /// `Extension extensions<6..2^16-1>;`: unlike a ServerHello, this message exists in TLS 1.3
    /// only.
    #[test]
    fn a_retry_has_extensions() {
        assert_eq!(
            breach(&message(2, &body(&RETRY_RANDOM, "0000"))),
            ("HelloRetryRequest", "extensions", DecodeProblem::Empty)
        );
        assert_eq!(
            breach(&message(2, &body(&RETRY_RANDOM, ""))),
            ("HelloRetryRequest", "extensions", DecodeProblem::Truncated)
        );
    }
}
