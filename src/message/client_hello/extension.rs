//! The extensions of a ClientHello (RFC 9846, 4.3), and how they are read and written.

use crate::code_point::{
    CertificateType, ExtensionType, NamedGroup, ProtocolVersion, PskKeyExchangeMode,
    SignatureScheme,
};
use crate::error::Fault;
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::block::Extension;
use crate::message::extensions::key_share::{self, KeyShareEntry};
use crate::message::extensions::placement::Place;
use crate::message::extensions::pre_shared_key::OfferedPsks;
use crate::message::extensions::server_name::{self, ServerName};
use crate::message::extensions::tls_flags::TlsFlags;
use crate::message::extensions::{alpn, certificate_authorities, code_points};

/// The extensions of a ClientHello, in the order of RFC 9846, 4.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientHelloExtension<'a> {
    /// 4.3.1: the versions that the client supports.
    SupportedVersions(Vec<ProtocolVersion>),
    /// 4.3.2: `opaque cookie<1..2^16-1>;`, copied from a HelloRetryRequest.
    Cookie(&'a [u8]),
    /// 4.3.3: the signatures that the client accepts in CertificateVerify.
    SignatureAlgorithms(Vec<SignatureScheme>),
    /// 4.3.3: the signatures that the client accepts in certificates.
    SignatureAlgorithmsCert(Vec<SignatureScheme>),
    /// 4.3.4: the authorities that the client prefers, in DER.
    CertificateAuthorities(Vec<&'a [u8]>),
    /// 4.3.6: `struct {} PostHandshakeAuth;`
    PostHandshakeAuth,
    /// 4.3.7: the groups that the client supports.
    SupportedGroups(Vec<NamedGroup>),
    /// 4.3.8: the client's key shares for some of its groups.
    KeyShare(Vec<KeyShareEntry<'a>>),
    /// 4.3.9: the modes in which the client can use a PSK.
    PskKeyExchangeModes(Vec<PskKeyExchangeMode>),
    /// 4.3.10: `struct {} Empty;` early data follows.
    EarlyData,
    /// 4.3.11: the PSKs that the client offers; always the last extension.
    PreSharedKey(OfferedPsks<'a>),
    /// RFC 6066: the name of the server that the client wants.
    ServerName(Vec<ServerName<'a>>),
    /// RFC 7301: the application protocols that the client supports.
    Alpn(Vec<&'a [u8]>),
    /// RFC 7250: the types of certificate that the client can send.
    ClientCertificateType(Vec<CertificateType>),
    /// RFC 7250: the types of certificate that the client accepts.
    ServerCertificateType(Vec<CertificateType>),
    /// RFC 7685: bytes without meaning, zeros if the client follows that document.
    Padding(&'a [u8]),
    /// RFC 8449: `uint16 RecordSizeLimit;`. The server refuses a value under 64.
    RecordSizeLimit(u16),
    /// RFC 9149: `struct { uint8 new_session_count; uint8 resumption_count; } ClientTicketRequest;`
    TicketRequest {
        new_session_count: u8,
        resumption_count: u8,
    },
    /// draft-ietf-tls-tlsflags: the optional features that the client supports.
    TlsFlags(TlsFlags<'a>),
    /// Any other, which a server must ignore.
    Unknown {
        extension_type: ExtensionType,
        data: &'a [u8],
    },
}

impl<'a> Extension<'a> for ClientHelloExtension<'a> {
    const PLACE: Place = Place::ClientHello;

    fn read(extension_type: ExtensionType, r: &mut Reader<'a>) -> Result<Option<Self>, Fault> {
        Ok(Some(match extension_type {
            ExtensionType::SUPPORTED_VERSIONS => {
                Self::SupportedVersions(code_points::read_versions(r)?)
            }
            ExtensionType::COOKIE => Self::Cookie(r.vec16("cookie", 1..)?),
            ExtensionType::SIGNATURE_ALGORITHMS => {
                Self::SignatureAlgorithms(code_points::read_schemes(
                    r,
                    "signature_algorithms.supported_signature_algorithms",
                )?)
            }
            ExtensionType::SIGNATURE_ALGORITHMS_CERT => {
                Self::SignatureAlgorithmsCert(code_points::read_schemes(
                    r,
                    "signature_algorithms_cert.supported_signature_algorithms",
                )?)
            }
            ExtensionType::CERTIFICATE_AUTHORITIES => {
                Self::CertificateAuthorities(certificate_authorities::read(r)?)
            }
            ExtensionType::POST_HANDSHAKE_AUTH => Self::PostHandshakeAuth,
            ExtensionType::SUPPORTED_GROUPS => Self::SupportedGroups(code_points::read_groups(r)?),
            ExtensionType::KEY_SHARE => Self::KeyShare(key_share::read_client_shares(r)?),
            ExtensionType::PSK_KEY_EXCHANGE_MODES => {
                Self::PskKeyExchangeModes(code_points::read_modes(r)?)
            }
            ExtensionType::EARLY_DATA => Self::EarlyData,
            ExtensionType::PRE_SHARED_KEY => Self::PreSharedKey(OfferedPsks::read(r)?),
            ExtensionType::SERVER_NAME => Self::ServerName(server_name::read(r)?),
            ExtensionType::ALPN => Self::Alpn(alpn::read_offer(r)?),
            ExtensionType::CLIENT_CERTIFICATE_TYPE => {
                Self::ClientCertificateType(code_points::read_certificate_types(
                    r,
                    "client_certificate_type.client_certificate_types",
                )?)
            }
            ExtensionType::SERVER_CERTIFICATE_TYPE => {
                Self::ServerCertificateType(code_points::read_certificate_types(
                    r,
                    "server_certificate_type.server_certificate_types",
                )?)
            }
            ExtensionType::PADDING => Self::Padding(r.remainder()),
            ExtensionType::RECORD_SIZE_LIMIT => Self::RecordSizeLimit(r.u16("record_size_limit")?),
            ExtensionType::TICKET_REQUEST => Self::TicketRequest {
                new_session_count: r.u8("ticket_request.new_session_count")?,
                resumption_count: r.u8("ticket_request.resumption_count")?,
            },
            ExtensionType::TLS_FLAGS => Self::TlsFlags(TlsFlags::read(r)?),
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
            Self::TlsFlags(_) => ExtensionType::TLS_FLAGS,
            Self::Unknown { extension_type, .. } => *extension_type,
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::SupportedVersions(versions) => code_points::write_versions(versions, w),
            Self::Cookie(cookie) => w.opaque16(cookie),
            Self::SignatureAlgorithms(schemes) | Self::SignatureAlgorithmsCert(schemes) => {
                code_points::write_schemes(schemes, w)
            }
            Self::CertificateAuthorities(authorities) => {
                certificate_authorities::write(authorities, w)
            }
            Self::PostHandshakeAuth | Self::EarlyData => {}
            Self::SupportedGroups(groups) => code_points::write_groups(groups, w),
            Self::KeyShare(shares) => key_share::write_client_shares(shares, w),
            Self::PskKeyExchangeModes(modes) => code_points::write_modes(modes, w),
            Self::PreSharedKey(psks) => psks.write(w),
            Self::ServerName(names) => server_name::write(names, w),
            Self::Alpn(protocols) => alpn::write_offer(protocols, w),
            Self::ClientCertificateType(types) | Self::ServerCertificateType(types) => {
                code_points::write_certificate_types(types, w)
            }
            Self::Padding(data) | Self::Unknown { data, .. } => w.bytes(data),
            Self::RecordSizeLimit(limit) => w.u16(*limit),
            Self::TicketRequest {
                new_session_count,
                resumption_count,
            } => {
                w.u8(*new_session_count);
                w.u8(*resumption_count);
            }
            Self::TlsFlags(flags) => flags.write(w),
        }
    }
}
