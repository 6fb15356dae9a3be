//! ServerHello (RFC 9846, 4.2.3): what the server chose.

use crate::code_point::{CipherSuite, ExtensionType, HandshakeType, ProtocolVersion};
use crate::error::Fault;
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::block::{self, Extension};
use crate::message::extensions::key_share::KeyShareEntry;
use crate::message::extensions::placement::Place;

/// The server's choice.
///
/// ```text
/// struct {
///     ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
///     Random random;
///     opaque legacy_session_id_echo<0..32>;
///     CipherSuite cipher_suite;
///     uint8 legacy_compression_method = 0;
///     Extension extensions<6..2^16-1>;
/// } ServerHello;
/// ```
///
/// A ServerHello of an older version is read too, so that it can be answered with protocol_version.
/// It may lack the extensions. If supported_versions is not among them, all are
/// [`Unknown`](ServerHelloExtension::Unknown) (RFC 9846, 4.3.1: look for that one first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello<'a> {
    pub(crate) legacy_version: ProtocolVersion,
    /// Never the random of a HelloRetryRequest.
    pub(crate) random: [u8; 32],
    #[doc(alias = "legacy_session_id_echo")]
    pub(crate) session_id_echo: &'a [u8],
    pub(crate) cipher_suite: CipherSuite,
    #[doc(alias = "legacy_compression_method")]
    pub(crate) compression_method: u8,
    /// `None` if the message ends before them, as only messages of older versions do.
    pub(crate) extensions: Option<Vec<ServerHelloExtension<'a>>>,
}

/// The extensions of a ServerHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerHelloExtension<'a> {
    /// RFC 9846, 4.3.1: `ProtocolVersion selected_version;`
    SupportedVersions(ProtocolVersion),
    /// RFC 9846, 4.3.8: `KeyShareEntry server_share;`
    KeyShare(KeyShareEntry<'a>),
    /// RFC 9846, 4.3.11: `uint16 selected_identity;`
    PreSharedKey(u16),
    /// Any other, which nobody can have requested.
    Unknown {
        extension_type: ExtensionType,
        data: &'a [u8],
    },
}

/// The fields before the extensions, which a HelloRetryRequest has too.
pub(crate) struct Fields<'a> {
    pub(crate) legacy_version: ProtocolVersion,
    pub(crate) random: [u8; 32],
    pub(crate) session_id_echo: &'a [u8],
    pub(crate) cipher_suite: CipherSuite,
    pub(crate) compression_method: u8,
}

impl<'a> Fields<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        Ok(Self {
            legacy_version: ProtocolVersion(r.u16("legacy_version")?),
            random: r.array("random")?,
            session_id_echo: r.vec8("legacy_session_id_echo", 0..=32)?,
            cipher_suite: CipherSuite(r.u16("cipher_suite")?),
            compression_method: r.u8("legacy_compression_method")?,
        })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u16(self.legacy_version.0);
        w.bytes(&self.random);
        w.opaque8(self.session_id_echo);
        w.u16(self.cipher_suite.0);
        w.u8(self.compression_method);
    }
}

impl<'a> ServerHello<'a> {
    pub(crate) const NAME: &'static str = "ServerHello";

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let Fields {
            legacy_version,
            random,
            session_id_echo,
            cipher_suite,
            compression_method,
        } = Fields::read(r)?;
        let extensions = if r.is_empty() {
            None
        } else if block::contains(r, ExtensionType::SUPPORTED_VERSIONS)? {
            Some(block::read(r)?)
        } else {
            Some(block::read_older(r)?)
        };
        Ok(Self {
            legacy_version,
            random,
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
            random,
            session_id_echo,
            cipher_suite,
            compression_method,
            ..
        } = *self;
        Writer::message(HandshakeType::SERVER_HELLO, Self::NAME, |w| {
            Fields {
                legacy_version,
                random,
                session_id_echo,
                cipher_suite,
                compression_method,
            }
            .write(w);
            if let Some(extensions) = &self.extensions {
                block::write(extensions, w);
            }
        })
    }

    /// Returns the version that the server chose. `None` from a server of an older version.
    #[doc(alias = "selected_version")]
    pub(crate) fn supported_versions(&self) -> Option<ProtocolVersion> {
        self.find(|extension| match extension {
            ServerHelloExtension::SupportedVersions(version) => Some(*version),
            _ => None,
        })
    }

    pub(crate) fn key_share(&self) -> Option<&KeyShareEntry<'a>> {
        self.find(|extension| match extension {
            ServerHelloExtension::KeyShare(share) => Some(share),
            _ => None,
        })
    }

    /// Returns the index of the PSK that the server chose.
    #[doc(alias = "selected_identity")]
    pub(crate) fn pre_shared_key(&self) -> Option<u16> {
        self.find(|extension| match extension {
            ServerHelloExtension::PreSharedKey(index) => Some(*index),
            _ => None,
        })
    }

    /// Returns the types of the extensions, to compare with those that were requested.
    pub(crate) fn extension_types(&self) -> impl Iterator<Item = ExtensionType> {
        self.extensions
            .iter()
            .flatten()
            .map(Extension::extension_type)
    }

    fn find<'s, T>(
        &'s self,
        pick: impl FnMut(&'s ServerHelloExtension<'a>) -> Option<T>,
    ) -> Option<T> {
        self.extensions.as_ref()?.iter().find_map(pick)
    }
}

impl<'a> Extension<'a> for ServerHelloExtension<'a> {
    const PLACE: Place = Place::ServerHello;

    fn read(extension_type: ExtensionType, r: &mut Reader<'a>) -> Result<Option<Self>, Fault> {
        Ok(Some(match extension_type {
            ExtensionType::SUPPORTED_VERSIONS => Self::SupportedVersions(ProtocolVersion(
                r.u16("supported_versions.selected_version")?,
            )),
            ExtensionType::KEY_SHARE => Self::KeyShare(KeyShareEntry::read(r)?),
            ExtensionType::PRE_SHARED_KEY => {
                Self::PreSharedKey(r.u16("pre_shared_key.selected_identity")?)
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
            Self::KeyShare(_) => ExtensionType::KEY_SHARE,
            Self::PreSharedKey(_) => ExtensionType::PRE_SHARED_KEY,
            Self::Unknown { extension_type, .. } => *extension_type,
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::SupportedVersions(version) => w.u16(version.0),
            Self::KeyShare(share) => share.write(w),
            Self::PreSharedKey(index) => w.u16(*index),
            Self::Unknown { data, .. } => w.bytes(data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::NamedGroup;
    use crate::error::DecodeProblem;
    use crate::message::Message;
    use crate::message::testing::{
        breach, extension, fault, hex, message, message_with, round_trip, whole_message,
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
        let random: [u8; 32] = core::array::from_fn(|index| index as u8);
        let bytes = message(
            2,
            &body(&random, "0011  002b 0002 0304  0033 0007 001d 0003 a1a2a3"),
        );
        // The fields before the extensions take 2 + 32 + 3 + 2 + 1 = 40 bytes. ServerHellos of
        // older versions need not have extensions.
        let Message::ServerHello(hello) =
            whole_message(bytes.leak(), "ServerHello", |cut| cut == 40)
        else {
            panic!("not a ServerHello")
        };
        assert_eq!(
            hello,
            ServerHello {
                legacy_version: ProtocolVersion::TLS1_2,
                random,
                session_id_echo: &[0x5e, 0x5f],
                cipher_suite: CipherSuite::TLS_AES_256_GCM_SHA384,
                compression_method: 0,
                extensions: Some(vec![
                    ServerHelloExtension::SupportedVersions(ProtocolVersion::TLS1_3),
                    ServerHelloExtension::KeyShare(KeyShareEntry {
                        group: NamedGroup::X25519,
                        key_exchange: &[0xa1, 0xa2, 0xa3]
                    }),
                ]),
            }
        );
        assert_eq!(hello.supported_versions(), Some(ProtocolVersion::TLS1_3));
        assert_eq!(hello.pre_shared_key(), None);
        assert!(
            hello
                .extension_types()
                .eq([ExtensionType::SUPPORTED_VERSIONS, ExtensionType::KEY_SHARE])
        );
    }

    /// RFC 9846, 4.3.1: supported_versions is looked for first, so a ServerHello of an older
    /// version is read whatever extensions it has.
    #[test]
    fn a_server_hello_of_an_older_version_is_read() {
        // A ServerHello of TLS 1.2: with ALPN and renegotiation_info, which TLS 1.3 has elsewhere
        // or not at all, and a key_share that makes no sense.
        let bytes = message_with(
            Place::ServerHello,
            &[
                (ExtensionType::ALPN, &hex("0003 02 6832")),
                (ExtensionType(0xff01), &[0]),
                (ExtensionType::KEY_SHARE, &[1]),
            ],
        );
        let Message::ServerHello(hello) = round_trip(bytes.leak()) else {
            panic!("not a ServerHello")
        };
        assert_eq!(hello.supported_versions(), None);
        assert_eq!(hello.key_share(), None);
        assert_eq!(hello.extensions.as_ref().unwrap().len(), 3);
        let Message::ServerHello(hello) = round_trip(message(2, &body(&[1; 32], "")).leak()) else {
            panic!("not a ServerHello")
        };
        assert_eq!(hello.extensions, None);
        assert!(matches!(
            fault(&message_with(
                Place::ServerHello,
                &[(ExtensionType::ALPN, &[]), (ExtensionType::ALPN, &[])]
            )),
            Fault::DuplicateExtension {
                message: "ServerHello",
                ..
            }
        ));
    }

    #[test]
    fn lengths_out_of_range() {
        // legacy_session_id_echo<0..32>
        let long = format!("0303 {} 21 {} 1301 00", "5e".repeat(32), "00".repeat(33));
        assert_eq!(
            breach(&message(2, &hex(&long))),
            (
                "ServerHello",
                "legacy_session_id_echo",
                DecodeProblem::Length
            )
        );
    }

    #[test]
    fn extensions_of_a_number() {
        let Message::ServerHello(hello) =
            extension(Place::ServerHello, ExtensionType::PRE_SHARED_KEY, "0001")
        else {
            panic!("not a hello")
        };
        assert_eq!(hello.pre_shared_key(), Some(1));
        let Message::ServerHello(hello) = extension(
            Place::ServerHello,
            ExtensionType::SUPPORTED_VERSIONS,
            "0303",
        ) else {
            panic!("not a hello")
        };
        assert_eq!(hello.supported_versions(), Some(ProtocolVersion::TLS1_2));
    }
}
