//! ServerHello and HelloRetryRequest (RFC 9846, 4.2.3 and 4.2.4): what the server chose, or what it needs to choose.
//!
//! Both are a message of type server_hello, told apart by the random:
//!
//! ```text
//! struct {
//!     ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
//!     Random random;
//!     opaque legacy_session_id_echo<0..32>;
//!     CipherSuite cipher_suite;
//!     uint8 legacy_compression_method = 0;
//!     Extension extensions<6..2^16-1>;
//! } ServerHello;
//! ```

use crate::code_point::{CipherSuite, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion};
use crate::error::{DecodeProblem, Fault};
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::block::{self, Extension};
use crate::message::extensions::key_share::KeyShareEntry;
use crate::message::extensions::placement::Place;

/// The random that makes a ServerHello a HelloRetryRequest: the SHA-256 of "HelloRetryRequest" (RFC 9846, 4.2.3).
pub(crate) const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, //
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The server's choice.
///
/// A ServerHello of an older version is read as well, so that it can be answered with protocol_version: it may lack the extensions, and
/// without supported_versions among them they are all [`Unknown`](ServerHelloExtension::Unknown) (RFC 9846, 4.3.1: look for that one first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello<'a> {
    pub(crate) legacy_version: ProtocolVersion,
    /// Never [`RETRY_RANDOM`].
    pub(crate) random: [u8; 32],
    #[doc(alias = "legacy_session_id_echo")]
    pub(crate) session_id_echo: &'a [u8],
    pub(crate) cipher_suite: CipherSuite,
    #[doc(alias = "legacy_compression_method")]
    pub(crate) compression_method: u8,
    /// None if the message ends before them, as only those of older versions do.
    pub(crate) extensions: Option<Vec<ServerHelloExtension<'a>>>,
}

/// What can stand in a ServerHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerHelloExtension<'a> {
    /// RFC 9846, 4.3.1: `ProtocolVersion selected_version;`
    SupportedVersions(ProtocolVersion),
    /// RFC 9846, 4.3.8: `KeyShareEntry server_share;`
    KeyShare(KeyShareEntry<'a>),
    /// RFC 9846, 4.3.11: `uint16 selected_identity;`
    PreSharedKey(u16),
    /// Any other, which nobody can have asked for.
    Unknown { extension_type: ExtensionType, data: &'a [u8] },
}

/// The server's request for another ClientHello.
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

/// What can stand in a HelloRetryRequest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RetryExtension<'a> {
    /// RFC 9846, 4.3.1: `ProtocolVersion selected_version;`
    SupportedVersions(ProtocolVersion),
    /// RFC 9846, 4.3.2: `opaque cookie<1..2^16-1>;`
    Cookie(&'a [u8]),
    /// RFC 9846, 4.3.8: `NamedGroup selected_group;`
    KeyShare(NamedGroup),
    /// Any other, which nobody can have asked for.
    Unknown { extension_type: ExtensionType, data: &'a [u8] },
}

/// What a message of type server_hello is.
pub(crate) enum Hello<'a> {
    Server(ServerHello<'a>),
    Retry(HelloRetryRequest<'a>),
}

impl<'a> Hello<'a> {
    /// Reads the body, without the handshake header.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Fault> {
        // RFC 9846, 4.2.3: look at the random before anything else.
        if body.get(2..34) == Some(&RETRY_RANDOM) {
            let mut r = Reader::new(HelloRetryRequest::NAME, body);
            let retry = HelloRetryRequest::read(&mut r)?;
            r.end("extensions")?;
            Ok(Self::Retry(retry))
        } else {
            let mut r = Reader::new(ServerHello::NAME, body);
            let hello = ServerHello::read(&mut r)?;
            r.end("extensions")?;
            Ok(Self::Server(hello))
        }
    }
}

/// The fields before the extensions.
struct Fields<'a> {
    legacy_version: ProtocolVersion,
    random: [u8; 32],
    session_id_echo: &'a [u8],
    cipher_suite: CipherSuite,
    compression_method: u8,
}

impl<'a> Fields<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        Ok(Self {
            legacy_version: ProtocolVersion(r.u16("legacy_version")?),
            random: r.array("random")?,
            session_id_echo: r.vec8("legacy_session_id_echo", 0..=32)?,
            cipher_suite: CipherSuite(r.u16("cipher_suite")?),
            compression_method: r.u8("legacy_compression_method")?,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.u16(self.legacy_version.0);
        w.bytes(&self.random);
        w.opaque8(self.session_id_echo);
        w.u16(self.cipher_suite.0);
        w.u8(self.compression_method);
    }
}

impl<'a> ServerHello<'a> {
    pub(crate) const NAME: &'static str = "ServerHello";

    fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let Fields { legacy_version, random, session_id_echo, cipher_suite, compression_method } = Fields::read(r)?;
        let extensions = if r.is_empty() {
            None
        } else if block::contains(r, ExtensionType::SUPPORTED_VERSIONS)? {
            Some(block::read(r)?)
        } else {
            Some(block::read_older(r)?)
        };
        Ok(Self { legacy_version, random, session_id_echo, cipher_suite, compression_method, extensions })
    }

    /// The whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        let Self { legacy_version, random, session_id_echo, cipher_suite, compression_method, .. } = *self;
        Writer::message(HandshakeType::SERVER_HELLO, Self::NAME, |w| {
            Fields { legacy_version, random, session_id_echo, cipher_suite, compression_method }.write(w);
            if let Some(extensions) = &self.extensions {
                block::write(extensions, w);
            }
        })
    }

    /// The version the server chose; None from a server of an older one.
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

    /// The index of the PSK that the server chose.
    #[doc(alias = "selected_identity")]
    pub(crate) fn pre_shared_key(&self) -> Option<u16> {
        self.find(|extension| match extension {
            ServerHelloExtension::PreSharedKey(index) => Some(*index),
            _ => None,
        })
    }

    /// The types of the extensions that are there, to be held against what was asked.
    pub(crate) fn extension_types(&self) -> impl Iterator<Item = ExtensionType> {
        self.extensions.iter().flatten().map(Extension::extension_type)
    }

    fn find<'s, T>(&'s self, pick: impl FnMut(&'s ServerHelloExtension<'a>) -> Option<T>) -> Option<T> {
        self.extensions.as_ref()?.iter().find_map(pick)
    }
}

impl<'a> HelloRetryRequest<'a> {
    pub(crate) const NAME: &'static str = "HelloRetryRequest";

    fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let Fields { legacy_version, random: _, session_id_echo, cipher_suite, compression_method } = Fields::read(r)?;
        let extensions: Vec<_> = block::read(r)?;
        if extensions.is_empty() {
            // Extension extensions<6..2^16-1>; this message exists in TLS 1.3 only.
            return Err(r.fault("extensions", DecodeProblem::Empty));
        }
        Ok(Self { legacy_version, session_id_echo, cipher_suite, compression_method, extensions })
    }

    /// The whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        let Self { legacy_version, session_id_echo, cipher_suite, compression_method, .. } = *self;
        Writer::message(HandshakeType::SERVER_HELLO, Self::NAME, |w| {
            Fields { legacy_version, random: RETRY_RANDOM, session_id_echo, cipher_suite, compression_method }.write(w);
            block::write(&self.extensions, w);
        })
    }

    /// The version the server chose.
    #[doc(alias = "selected_version")]
    pub(crate) fn supported_versions(&self) -> Option<ProtocolVersion> {
        self.extensions.iter().find_map(|extension| match extension {
            RetryExtension::SupportedVersions(version) => Some(*version),
            _ => None,
        })
    }

    pub(crate) fn cookie(&self) -> Option<&'a [u8]> {
        self.extensions.iter().find_map(|extension| match extension {
            RetryExtension::Cookie(cookie) => Some(*cookie),
            _ => None,
        })
    }

    /// The group that the server wants a share for.
    #[doc(alias = "selected_group")]
    pub(crate) fn key_share(&self) -> Option<NamedGroup> {
        self.extensions.iter().find_map(|extension| match extension {
            RetryExtension::KeyShare(group) => Some(*group),
            _ => None,
        })
    }

    /// The types of the extensions that are there, to be held against what was asked.
    pub(crate) fn extension_types(&self) -> impl Iterator<Item = ExtensionType> {
        self.extensions.iter().map(Extension::extension_type)
    }
}

impl<'a> Extension<'a> for ServerHelloExtension<'a> {
    const PLACE: Place = Place::ServerHello;

    fn read(extension_type: ExtensionType, r: &mut Reader<'a>) -> Result<Option<Self>, Fault> {
        Ok(Some(match extension_type {
            ExtensionType::SUPPORTED_VERSIONS => Self::SupportedVersions(ProtocolVersion(r.u16("supported_versions.selected_version")?)),
            ExtensionType::KEY_SHARE => Self::KeyShare(KeyShareEntry::read(r)?),
            ExtensionType::PRE_SHARED_KEY => Self::PreSharedKey(r.u16("pre_shared_key.selected_identity")?),
            _ => return Ok(None),
        }))
    }

    fn unknown(extension_type: ExtensionType, data: &'a [u8]) -> Self {
        Self::Unknown { extension_type, data }
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

impl<'a> Extension<'a> for RetryExtension<'a> {
    const PLACE: Place = Place::HelloRetryRequest;

    fn read(extension_type: ExtensionType, r: &mut Reader<'a>) -> Result<Option<Self>, Fault> {
        Ok(Some(match extension_type {
            ExtensionType::SUPPORTED_VERSIONS => Self::SupportedVersions(ProtocolVersion(r.u16("supported_versions.selected_version")?)),
            ExtensionType::COOKIE => Self::Cookie(r.vec16("cookie", 1..)?),
            ExtensionType::KEY_SHARE => Self::KeyShare(NamedGroup(r.u16("key_share.selected_group")?)),
            _ => return Ok(None),
        }))
    }

    fn unknown(extension_type: ExtensionType, data: &'a [u8]) -> Self {
        Self::Unknown { extension_type, data }
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
