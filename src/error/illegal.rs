//! [`Illegal`]: a field with a value that is not allowed.

use core::fmt;

use super::list::Protocol;
use crate::code_point::{
    CertificateType, CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme,
};

/// A field with a value that is not allowed. Each is answered with the alert illegal_parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Illegal {
    /// The ServerHello does not echo the client's session id (RFC 9846, 4.2.3).
    SessionIdEcho,
    /// A compression method is not null (RFC 9846, 4.2.2 and 4.2.3).
    Compression,
    /// The server chose a cipher suite that was not offered (RFC 9846, 4.2.3).
    SuiteNotOffered(CipherSuite),
    /// The server chose another cipher suite than in its HelloRetryRequest (RFC 9846, 4.2.4).
    SuiteChanged {
        /// The suite of the HelloRetryRequest.
        retry: CipherSuite,
        /// The suite that came.
        got: CipherSuite,
    },
    /// The server chose a version that was not offered (RFC 9846, 4.3.1).
    VersionNotOffered(ProtocolVersion),
    /// ServerHello.random carries the mark of a downgrade: something between the two sides made the
    /// client look older than it is (RFC 9846, 4.2.3).
    Downgrade,
    /// The server chose a group that was not offered or shared (RFC 9846, 4.3.8).
    GroupNotOffered(NamedGroup),
    /// The server chose another group than in its HelloRetryRequest (RFC 9846, 4.3.8).
    GroupChanged {
        /// The group of the HelloRetryRequest.
        retry: NamedGroup,
        /// The group that came.
        got: NamedGroup,
    },
    /// A HelloRetryRequest asks for nothing, or for a share that was already sent (RFC 9846, 4.2.4
    /// and 4.3.8).
    RetryWithoutChange,
    /// The second ClientHello differs from the first where it must not (RFC 9846, 4.2.2).
    HelloChanged {
        /// The field or extension.
        field: &'static str,
    },
    /// A ClientHello has two key shares for one group, or a key share for a group that is not in
    /// supported_groups (RFC 9846, 4.3.8).
    KeyShares(NamedGroup),
    /// A key share has the wrong length or is not a point of the curve (RFC 9846, 4.3.8.2).
    KeyShare {
        /// The share's group.
        group: NamedGroup,
    },
    /// A key share has small order, so the shared secret is all zeros (RFC 9846, 7.4.2).
    ZeroSharedSecret {
        /// The share's group.
        group: NamedGroup,
    },
    /// A list repeats an entry, which is not allowed in it.
    DuplicateEntry {
        /// The list.
        list: &'static str,
    },
    /// The peer signed with a signature scheme that was not offered (RFC 9846, 4.5.2).
    SchemeNotOffered(SignatureScheme),
    /// The server chose an ALPN protocol that was not offered (RFC 7301, 3.1).
    ProtocolNotOffered(Vec<u8>),
    /// The server chose a certificate type that was not offered (RFC 7250, 4.2).
    CertificateTypeNotOffered(CertificateType),
    /// The peer's record_size_limit is below 64 (RFC 8449, section 4).
    RecordSizeLimit(u16),
    /// A certificate_request_context is not the one that was sent, or is not empty where it must be
    /// (RFC 9846, 4.4.2 and 4.5.1).
    RequestContext,
    /// The peer sent more than one raw public key (RFC 9846, 4.5.1).
    RawKeys(usize),
    /// A KeyUpdateRequest has a value above 1 (RFC 9846, 4.7.3).
    KeyUpdateRequest(u8),
    /// tls_flags sets no flag, or ends with a byte of zeros (draft-ietf-tls-tlsflags).
    TlsFlags,
    /// The server answers a flag in tls_flags that was not offered (draft-ietf-tls-tlsflags).
    FlagNotOffered,
    /// An ExtendedKeyUpdate has a key share for another group than that of the handshake
    /// (draft-ietf-tls-extended-key-update).
    UpdateGroup {
        /// The group of the handshake.
        negotiated: NamedGroup,
        /// The group that came.
        got: NamedGroup,
    },
    /// pre_shared_key is not the last extension (RFC 9846, 4.3.11).
    PskNotLast,
    /// The number of binders differs from the number of PSK identities (RFC 9846, 4.3.11).
    BinderCount {
        /// How many identities came.
        identities: usize,
        /// How many binders came.
        binders: usize,
    },
    /// The server chose a PSK identity that was not offered (RFC 9846, 4.3.11).
    PskIndex(u16),
    /// The server chose a cipher suite with another hash than that of the chosen PSK (RFC 9846,
    /// 4.3.11).
    PskHash {
        /// The suite that came.
        suite: CipherSuite,
    },
    /// The server chose a PSK without a key share, which was not offered (RFC 9846, 4.3.9 and
    /// 4.3.11).
    PskWithoutKeyShare,
    /// The server accepted early data with another cipher suite or ALPN protocol than that of its
    /// session, or under another PSK than the first (RFC 9846, 4.3.10 and 4.3.11).
    EarlyDataTerms {
        /// What differs.
        field: &'static str,
    },
    /// A host_name in server_name is neither a DNS name in ASCII nor an IP address (RFC 6066,
    /// section 3).
    ServerName,
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionIdEcho => f.write_str(
                "the server's ServerHello does not repeat the client's legacy_session_id",
            ),
            Self::Compression => {
                f.write_str("expected the compression method null, but the peer named another")
            }
            Self::SuiteNotOffered(suite) => {
                write!(f, "the server chose {suite}, which was not offered")
            }
            Self::SuiteChanged { retry, got } => {
                write!(
                    f,
                    "the server asked for a retry with {retry}, but then chose {got}"
                )
            }
            Self::VersionNotOffered(version) => {
                write!(f, "the server chose {version}, which was not offered")
            }
            Self::Downgrade => f.write_str(
                "the server's ServerHello.random carries the mark of a downgrade: the ClientHello \
                 was changed on the way",
            ),
            Self::GroupNotOffered(group) => {
                write!(
                    f,
                    "the server chose the group {group}, which was not offered"
                )
            }
            Self::GroupChanged { retry, got } => {
                write!(
                    f,
                    "the server asked for a key share of {retry}, but then chose {got}"
                )
            }
            Self::RetryWithoutChange => f.write_str(
                "the server's HelloRetryRequest asks for nothing that was not sent already",
            ),
            Self::HelloChanged { field } => {
                write!(
                    f,
                    "the client's second ClientHello changes {field}, which is not allowed"
                )
            }
            Self::KeyShares(group) => write!(
                f,
                "the client's key share for {group} is repeated, or the group is not in its \
                 supported_groups"
            ),
            Self::KeyShare { group } => write!(f, "the peer's key share for {group} is malformed"),
            Self::ZeroSharedSecret { group } => write!(
                f,
                "the peer's key share for {group} has small order, so the shared secret would be \
                 no secret"
            ),
            Self::DuplicateEntry { list } => write!(f, "the peer's {list} repeats an entry"),
            Self::SchemeNotOffered(scheme) => {
                write!(f, "the peer signed with {scheme}, which was not offered")
            }
            Self::ProtocolNotOffered(name) => {
                write!(
                    f,
                    "the server chose the ALPN protocol {}, which was not offered",
                    Protocol(name)
                )
            }
            Self::CertificateTypeNotOffered(certificate_type) => {
                write!(
                    f,
                    "the server chose the certificate type {certificate_type}, which was not \
                     offered"
                )
            }
            Self::RecordSizeLimit(limit) => {
                write!(
                    f,
                    "the peer's record_size_limit is {limit}, which is below 64"
                )
            }
            Self::RequestContext => {
                f.write_str("the peer's certificate_request_context is not the expected one")
            }
            Self::RawKeys(count) => {
                write!(
                    f,
                    "expected one raw public key, but the peer sent {count} raw public keys"
                )
            }
            Self::KeyUpdateRequest(value) => {
                write!(
                    f,
                    "expected a KeyUpdateRequest of 0 or 1, but the peer sent {value}"
                )
            }
            Self::TlsFlags => {
                f.write_str("the peer's tls_flags sets no flag, or ends with a byte of zeros")
            }
            Self::FlagNotOffered => {
                f.write_str("the server answers a flag in tls_flags that was not offered")
            }
            Self::UpdateGroup { negotiated, got } => {
                write!(
                    f,
                    "the connection uses the group {negotiated}, but the peer's \
                     ExtendedKeyUpdate has a key share for {got}"
                )
            }
            Self::PskNotLast => {
                f.write_str("pre_shared_key must be the last extension of the client's ClientHello")
            }
            Self::BinderCount {
                identities,
                binders,
            } => {
                write!(
                    f,
                    "the client sent {identities} PSK identities, but {binders} binders"
                )
            }
            Self::PskIndex(index) => {
                write!(
                    f,
                    "the server chose the PSK with index {index}, which was not offered"
                )
            }
            Self::PskHash { suite } => {
                write!(
                    f,
                    "the server chose {suite} together with a PSK of another hash"
                )
            }
            Self::PskWithoutKeyShare => {
                f.write_str("the server chose a PSK without a key share, which was not offered")
            }
            Self::EarlyDataTerms { field } => {
                write!(
                    f,
                    "the server accepted early data, but {field} is not that of the resumed session"
                )
            }
            Self::ServerName => f.write_str(
                "the client's server_name is neither a DNS name in ASCII nor an IP address",
            ),
        }
    }
}
