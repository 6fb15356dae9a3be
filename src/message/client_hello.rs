//! ClientHello (RFC 9846, 4.2.2): what the client offers.

use crate::code_point::{
    CertificateType, CipherSuite, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion, PskKeyExchangeMode, SignatureScheme,
};
use crate::error::{Fault, Illegal};
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::block::{self, Extension};
use crate::message::extensions::key_share::{self, KeyShareEntry};
use crate::message::extensions::placement::Place;
use crate::message::extensions::pre_shared_key::OfferedPsks;
use crate::message::extensions::server_name::{self, ServerName};
use crate::message::extensions::{alpn, certificate_authorities, code_points};

/// The first message of a connection, and the second one after a HelloRetryRequest.
///
/// ```text
/// uint16 ProtocolVersion;
/// opaque Random[32];
/// uint8 CipherSuite[2];
///
/// struct {
///     ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
///     Random random;
///     opaque legacy_session_id<0..32>;
///     CipherSuite cipher_suites<2..2^16-2>;
///     opaque legacy_compression_methods<1..2^8-1>;
///     Extension extensions<7..2^16-1>;
/// } ClientHello;
/// ```
///
/// A hello that offers no TLS 1.3 is read as well, so that it can be answered with protocol_version: it may lack the extensions, or have
/// fewer than the 7 bytes that supported_versions alone takes. The values of `legacy_version` and `compression_methods` are for the server to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello<'a> {
    pub(crate) legacy_version: ProtocolVersion,
    pub(crate) random: [u8; 32],
    #[doc(alias = "legacy_session_id")]
    pub(crate) session_id: &'a [u8],
    pub(crate) cipher_suites: Vec<CipherSuite>,
    #[doc(alias = "legacy_compression_methods")]
    pub(crate) compression_methods: &'a [u8],
    /// None if the message ends before them, which only hellos from before TLS 1.2 do.
    pub(crate) extensions: Option<Vec<ClientHelloExtension<'a>>>,
}

/// What can stand in a ClientHello, in the order of RFC 9846, 4.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientHelloExtension<'a> {
    /// 4.3.1: the versions the client speaks.
    SupportedVersions(Vec<ProtocolVersion>),
    /// 4.3.2: `opaque cookie<1..2^16-1>;`, copied from a HelloRetryRequest.
    Cookie(&'a [u8]),
    /// 4.3.3: the signatures the client accepts in CertificateVerify.
    SignatureAlgorithms(Vec<SignatureScheme>),
    /// 4.3.3: the signatures the client accepts in certificates.
    SignatureAlgorithmsCert(Vec<SignatureScheme>),
    /// 4.3.4: the authorities the client would like to see, in DER.
    CertificateAuthorities(Vec<&'a [u8]>),
    /// 4.3.6: `struct {} PostHandshakeAuth;`
    PostHandshakeAuth,
    /// 4.3.7: the groups the client supports.
    SupportedGroups(Vec<NamedGroup>),
    /// 4.3.8: the client's keys for some of them.
    KeyShare(Vec<KeyShareEntry<'a>>),
    /// 4.3.9: how the client would use a PSK.
    PskKeyExchangeModes(Vec<PskKeyExchangeMode>),
    /// 4.3.10: `struct {} Empty;` early data follows.
    EarlyData,
    /// 4.3.11: the PSKs the client has; always the last extension.
    PreSharedKey(OfferedPsks<'a>),
    /// RFC 6066: the server the client wants.
    ServerName(Vec<ServerName<'a>>),
    /// RFC 7301: the application protocols the client speaks.
    Alpn(Vec<&'a [u8]>),
    /// RFC 7250: the types of certificate the client can show.
    ClientCertificateType(Vec<CertificateType>),
    /// RFC 7250: the types of certificate the client accepts.
    ServerCertificateType(Vec<CertificateType>),
    /// RFC 7685: bytes without meaning, zeros if the client keeps to its document.
    Padding(&'a [u8]),
    /// RFC 8449: `uint16 RecordSizeLimit;`. A value under 64 is for the server to refuse.
    RecordSizeLimit(u16),
    /// RFC 9149: `struct { uint8 new_session_count; uint8 resumption_count; } ClientTicketRequest;`
    TicketRequest { new_session_count: u8, resumption_count: u8 },
    /// Any other, which a server must ignore.
    Unknown { extension_type: ExtensionType, data: &'a [u8] },
}

impl<'a> ClientHello<'a> {
    pub(crate) const NAME: &'static str = "ClientHello";

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let mut hello = Self {
            legacy_version: ProtocolVersion(r.u16("legacy_version")?),
            random: r.array("random")?,
            session_id: r.vec8("legacy_session_id", 0..=32)?,
            cipher_suites: r.list16("cipher_suites", 2..=65534)?.code_points("cipher_suites", CipherSuite)?,
            compression_methods: r.vec8("legacy_compression_methods", 1..)?,
            extensions: None,
        };
        // RFC 9846, 4.2.2: whether there are extensions is seen from whether there are bytes here.
        if !r.is_empty() {
            let extensions: Vec<ClientHelloExtension<'_>> = block::read(r)?;
            // RFC 9846, 4.3.11: pre_shared_key must be the last extension.
            let psk = extensions.iter().position(|extension| matches!(extension, ClientHelloExtension::PreSharedKey(_)));
            if psk.is_some_and(|index| index + 1 != extensions.len()) {
                return Err(Illegal::PskNotLast.into());
            }
            hello.extensions = Some(extensions);
        }
        Ok(hello)
    }

    /// The whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::CLIENT_HELLO, Self::NAME, |w| {
            w.u16(self.legacy_version.0);
            w.bytes(&self.random);
            w.opaque8(self.session_id);
            w.vec16(|w| self.cipher_suites.iter().for_each(|suite| w.u16(suite.0)));
            w.opaque8(self.compression_methods);
            if let Some(extensions) = &self.extensions {
                block::write(extensions, w);
            }
        })
    }

    /// How many bytes of the encoded message the binders do not cover: all after PreSharedKeyExtension.identities (RFC 9846, 4.3.11.2).
    /// 0 without PSKs.
    pub(crate) fn binders_len(&self) -> usize {
        self.pre_shared_key().map_or(0, OfferedPsks::binders_len)
    }

    pub(crate) fn supported_versions(&self) -> Option<&[ProtocolVersion]> {
        self.find(|extension| match extension {
            ClientHelloExtension::SupportedVersions(versions) => Some(versions.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn cookie(&self) -> Option<&'a [u8]> {
        self.find(|extension| match extension {
            ClientHelloExtension::Cookie(cookie) => Some(*cookie),
            _ => None,
        })
    }

    pub(crate) fn signature_algorithms(&self) -> Option<&[SignatureScheme]> {
        self.find(|extension| match extension {
            ClientHelloExtension::SignatureAlgorithms(schemes) => Some(schemes.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn signature_algorithms_cert(&self) -> Option<&[SignatureScheme]> {
        self.find(|extension| match extension {
            ClientHelloExtension::SignatureAlgorithmsCert(schemes) => Some(schemes.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn certificate_authorities(&self) -> Option<&[&'a [u8]]> {
        self.find(|extension| match extension {
            ClientHelloExtension::CertificateAuthorities(authorities) => Some(authorities.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn post_handshake_auth(&self) -> bool {
        self.find(|extension| matches!(extension, ClientHelloExtension::PostHandshakeAuth).then_some(())).is_some()
    }

    pub(crate) fn supported_groups(&self) -> Option<&[NamedGroup]> {
        self.find(|extension| match extension {
            ClientHelloExtension::SupportedGroups(groups) => Some(groups.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn key_share(&self) -> Option<&[KeyShareEntry<'a>]> {
        self.find(|extension| match extension {
            ClientHelloExtension::KeyShare(shares) => Some(shares.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn psk_key_exchange_modes(&self) -> Option<&[PskKeyExchangeMode]> {
        self.find(|extension| match extension {
            ClientHelloExtension::PskKeyExchangeModes(modes) => Some(modes.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn early_data(&self) -> bool {
        self.find(|extension| matches!(extension, ClientHelloExtension::EarlyData).then_some(())).is_some()
    }

    pub(crate) fn pre_shared_key(&self) -> Option<&OfferedPsks<'a>> {
        self.find(|extension| match extension {
            ClientHelloExtension::PreSharedKey(psks) => Some(psks),
            _ => None,
        })
    }

    /// The DNS name in server_name.
    pub(crate) fn server_name(&self) -> Option<&'a str> {
        self.find(|extension| match extension {
            ClientHelloExtension::ServerName(names) => names.iter().find_map(|name| match name {
                ServerName::HostName(name) => Some(*name),
                ServerName::Other { .. } => None,
            }),
            _ => None,
        })
    }

    pub(crate) fn alpn(&self) -> Option<&[&'a [u8]]> {
        self.find(|extension| match extension {
            ClientHelloExtension::Alpn(protocols) => Some(protocols.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn client_certificate_type(&self) -> Option<&[CertificateType]> {
        self.find(|extension| match extension {
            ClientHelloExtension::ClientCertificateType(types) => Some(types.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn server_certificate_type(&self) -> Option<&[CertificateType]> {
        self.find(|extension| match extension {
            ClientHelloExtension::ServerCertificateType(types) => Some(types.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn record_size_limit(&self) -> Option<u16> {
        self.find(|extension| match extension {
            ClientHelloExtension::RecordSizeLimit(limit) => Some(*limit),
            _ => None,
        })
    }

    /// new_session_count and resumption_count.
    pub(crate) fn ticket_request(&self) -> Option<(u8, u8)> {
        self.find(|extension| match extension {
            ClientHelloExtension::TicketRequest { new_session_count, resumption_count } => Some((*new_session_count, *resumption_count)),
            _ => None,
        })
    }

    /// Whether there is an extension of this type, known or not.
    pub(crate) fn has(&self, extension_type: ExtensionType) -> bool {
        self.find(|extension| (extension.extension_type() == extension_type).then_some(())).is_some()
    }

    fn find<'s, T>(&'s self, pick: impl FnMut(&'s ClientHelloExtension<'a>) -> Option<T>) -> Option<T> {
        self.extensions.as_ref()?.iter().find_map(pick)
    }
}

impl<'a> Extension<'a> for ClientHelloExtension<'a> {
    const PLACE: Place = Place::ClientHello;

    fn read(extension_type: ExtensionType, r: &mut Reader<'a>) -> Result<Option<Self>, Fault> {
        Ok(Some(match extension_type {
            ExtensionType::SUPPORTED_VERSIONS => Self::SupportedVersions(code_points::read_versions(r)?),
            ExtensionType::COOKIE => Self::Cookie(r.vec16("cookie", 1..)?),
            ExtensionType::SIGNATURE_ALGORITHMS => {
                Self::SignatureAlgorithms(code_points::read_schemes(r, "signature_algorithms.supported_signature_algorithms")?)
            }
            ExtensionType::SIGNATURE_ALGORITHMS_CERT => {
                Self::SignatureAlgorithmsCert(code_points::read_schemes(r, "signature_algorithms_cert.supported_signature_algorithms")?)
            }
            ExtensionType::CERTIFICATE_AUTHORITIES => Self::CertificateAuthorities(certificate_authorities::read(r)?),
            ExtensionType::POST_HANDSHAKE_AUTH => Self::PostHandshakeAuth,
            ExtensionType::SUPPORTED_GROUPS => Self::SupportedGroups(code_points::read_groups(r)?),
            ExtensionType::KEY_SHARE => Self::KeyShare(key_share::read_client_shares(r)?),
            ExtensionType::PSK_KEY_EXCHANGE_MODES => Self::PskKeyExchangeModes(code_points::read_modes(r)?),
            ExtensionType::EARLY_DATA => Self::EarlyData,
            ExtensionType::PRE_SHARED_KEY => Self::PreSharedKey(OfferedPsks::read(r)?),
            ExtensionType::SERVER_NAME => Self::ServerName(server_name::read(r)?),
            ExtensionType::ALPN => Self::Alpn(alpn::read_offer(r)?),
            ExtensionType::CLIENT_CERTIFICATE_TYPE => {
                Self::ClientCertificateType(code_points::read_certificate_types(r, "client_certificate_type.client_certificate_types")?)
            }
            ExtensionType::SERVER_CERTIFICATE_TYPE => {
                Self::ServerCertificateType(code_points::read_certificate_types(r, "server_certificate_type.server_certificate_types")?)
            }
            ExtensionType::PADDING => Self::Padding(r.remainder()),
            ExtensionType::RECORD_SIZE_LIMIT => Self::RecordSizeLimit(r.u16("record_size_limit")?),
            ExtensionType::TICKET_REQUEST => Self::TicketRequest {
                new_session_count: r.u8("ticket_request.new_session_count")?,
                resumption_count: r.u8("ticket_request.resumption_count")?,
            },
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
            Self::SignatureAlgorithms(_) => ExtensionType::SIGNATURE_ALGORITHMS,
            Self::SignatureAlgorithmsCert(_) => ExtensionType::SIGNATURE_ALGORITHMS_CERT,
            Self::CertificateAuthorities(_) => ExtensionType::CERTIFICATE_AUTHORITIES,
            Self::PostHandshakeAuth => ExtensionType::POST_HANDSHAKE_AUTH,
            Self::SupportedGroups(_) => ExtensionType::SUPPORTED_GROUPS,
            Self::KeyShare(_) => ExtensionType::KEY_SHARE,
            Self::PskKeyExchangeModes(_) => ExtensionType::PSK_KEY_EXCHANGE_MODES,
            Self::EarlyData => ExtensionType::EARLY_DATA,
            Self::PreSharedKey(_) => ExtensionType::PRE_SHARED_KEY,
            Self::ServerName(_) => ExtensionType::SERVER_NAME,
            Self::Alpn(_) => ExtensionType::ALPN,
            Self::ClientCertificateType(_) => ExtensionType::CLIENT_CERTIFICATE_TYPE,
            Self::ServerCertificateType(_) => ExtensionType::SERVER_CERTIFICATE_TYPE,
            Self::Padding(_) => ExtensionType::PADDING,
            Self::RecordSizeLimit(_) => ExtensionType::RECORD_SIZE_LIMIT,
            Self::TicketRequest { .. } => ExtensionType::TICKET_REQUEST,
            Self::Unknown { extension_type, .. } => *extension_type,
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::SupportedVersions(versions) => code_points::write_versions(versions, w),
            Self::Cookie(cookie) => w.opaque16(cookie),
            Self::SignatureAlgorithms(schemes) | Self::SignatureAlgorithmsCert(schemes) => code_points::write_schemes(schemes, w),
            Self::CertificateAuthorities(authorities) => certificate_authorities::write(authorities, w),
            Self::PostHandshakeAuth | Self::EarlyData => {}
            Self::SupportedGroups(groups) => code_points::write_groups(groups, w),
            Self::KeyShare(shares) => key_share::write_client_shares(shares, w),
            Self::PskKeyExchangeModes(modes) => code_points::write_modes(modes, w),
            Self::PreSharedKey(psks) => psks.write(w),
            Self::ServerName(names) => server_name::write(names, w),
            Self::Alpn(protocols) => alpn::write_offer(protocols, w),
            Self::ClientCertificateType(types) | Self::ServerCertificateType(types) => code_points::write_certificate_types(types, w),
            Self::Padding(data) | Self::Unknown { data, .. } => w.bytes(data),
            Self::RecordSizeLimit(limit) => w.u16(*limit),
            Self::TicketRequest { new_session_count, resumption_count } => {
                w.u8(*new_session_count);
                w.u8(*resumption_count);
            }
        }
    }
}
