//! [`Fault`]: what a peer did wrong, and the alert that answers it.

use core::fmt;
use std::sync::Arc;

use super::certificate::CertificateError;
use crate::code_point::{
    AlertDescription, CertificateType, CipherSuite, ContentType, ExtensionType, NamedGroup,
    ProtocolVersion, SignatureScheme,
};

/// What was wrong with what the peer sent: what was expected and what came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// A handshake message that this state does not accept.
    Unexpected {
        /// The messages that would have been accepted.
        expected: &'static str,
        /// The message that came.
        got: &'static str,
    },
    /// A record of a type that this state does not accept (RFC 9846, section 5).
    UnexpectedRecord {
        /// The type that came.
        got: ContentType,
    },
    /// A ChangeCipherSpec that is not the single byte 0x01, is protected, or comes where none may
    /// (RFC 9846, section 5).
    ChangeCipherSpec,
    /// Bytes of another message followed a message that changes keys, in the same record (RFC 9846,
    /// 5.1).
    NotAligned {
        /// The message that changes keys.
        message: &'static str,
    },
    /// A record of another type inside a handshake message that is split over records (RFC 9846,
    /// 5.1).
    Interleaved {
        /// The type that came.
        got: ContentType,
    },
    /// A handshake or alert record without content (RFC 9846, 5.1 and 5.4).
    EmptyFragment {
        /// The record's type.
        content_type: ContentType,
    },
    /// A protected record of padding alone: no content type in it (RFC 9846, 5.4).
    NoContentType,
    /// A protected record does not open (RFC 9846, 5.2).
    BadRecordMac,
    /// A record that is too long (RFC 9846, 5.1 and 5.2).
    RecordOverflow {
        /// Its length in bytes.
        length: usize,
        /// The longest allowed, in bytes.
        limit: usize,
    },
    /// Bytes that do not follow the syntax.
    Decode {
        /// The message.
        message: &'static str,
        /// The field or extension.
        field: &'static str,
        /// What is wrong with it.
        problem: DecodeProblem,
    },
    /// A handshake message longer than the configuration allows.
    MessageTooLong {
        /// Its length in bytes.
        length: usize,
        /// The longest allowed, in bytes.
        limit: usize,
    },
    /// A message of ours that is too long for its own length fields, because of what the peer asked
    /// to be sent back in it (a cookie, a ticket).
    DoesNotFit {
        /// The message.
        message: &'static str,
    },
    /// More of something legal than is reasonable: empty records, KeyUpdates, tickets and the like.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// More early data than the ticket allowed, which says how much (RFC 9846, 4.7.1).
    TooMuchEarlyData {
        /// How much is allowed, in bytes.
        limit: u32,
    },
    /// The same extension twice in one message (RFC 9846, 4.3).
    DuplicateExtension {
        /// The message.
        message: &'static str,
        /// The extension.
        extension: ExtensionType,
    },
    /// A known extension in a message where it does not belong (RFC 9846, 4.3).
    MisplacedExtension {
        /// The message.
        message: &'static str,
        /// The extension.
        extension: ExtensionType,
    },
    /// An answer to an extension that was not asked (RFC 9846, 4.3).
    UnsolicitedExtension {
        /// The message.
        message: &'static str,
        /// The extension.
        extension: ExtensionType,
    },
    /// An extension that must be there and is not (RFC 9846, 9.2).
    MissingExtension {
        /// The message.
        message: &'static str,
        /// The extension.
        extension: ExtensionType,
    },
    /// A field with a value that it must not have.
    Illegal(Illegal),
    /// The peer does not speak TLS 1.3, or says so in the wrong words (RFC 9846, 4.2.2, 4.2.3 and
    /// 4.3.1).
    Version {
        /// What it offered or chose.
        got: Vec<ProtocolVersion>,
    },
    /// No cipher suite in common.
    NoCommonSuite {
        /// What the client offered.
        offered: Vec<CipherSuite>,
        /// What this server accepts.
        accepted: Vec<CipherSuite>,
    },
    /// No group in common.
    NoCommonGroup {
        /// What the client offered.
        offered: Vec<NamedGroup>,
        /// What this server accepts.
        accepted: Vec<NamedGroup>,
    },
    /// The peer does not accept Ed25519 signatures, the only ones that fleeting makes.
    NoCommonScheme {
        /// What the peer accepts.
        offered: Vec<SignatureScheme>,
    },
    /// No certificate type in common (RFC 7250, 4.2).
    NoCommonCertificateType {
        /// What the client offered.
        offered: Vec<CertificateType>,
    },
    /// No application protocol (ALPN) in common (RFC 7301, 3.2).
    NoCommonProtocol {
        /// What the client offered.
        offered: Vec<Vec<u8>>,
    },
    /// No identity is configured for the name the client asked for (RFC 6066, section 3).
    UnrecognizedName {
        /// The name.
        name: String,
    },
    /// The signature in CertificateVerify is wrong (RFC 9846, 4.5.2).
    BadSignature,
    /// The Finished message is wrong (RFC 9846, 4.5.3).
    BadFinished,
    /// The binder of the PSK that was chosen is wrong (RFC 9846, 4.3.11.2).
    BadBinder,
    /// None of the client's PSKs is known here, and there is nothing else to authenticate with (RFC
    /// 9846, 4.3.11 and F.6).
    UnknownPsk,
    /// The server took none of our PSKs, and we trust nothing else.
    PskNotTaken,
    /// A client certificate is required, and none came (RFC 9846, 4.5.1.3).
    CertificateRequired,
    /// The peer's certificate or key was not accepted.
    Certificate(CertificateError),
    /// The application's `authorize` hook refused a peer whose certificate is valid.
    Denied(Arc<dyn std::error::Error + Send + Sync>),
    /// The secret half of something needed here did not do its work; not the peer's fault.
    Internal {
        /// What failed.
        what: &'static str,
    },
    /// The random number generator failed; not the peer's fault.
    Random,
    /// What holds our own key elsewhere did not sign; not the peer's fault.
    Signer(Arc<dyn std::error::Error + Send + Sync>),
}

/// What is wrong with bytes that do not follow the syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeProblem {
    /// The bytes end inside the field.
    Truncated,
    /// Bytes follow where the field should have ended.
    TrailingBytes,
    /// The field's length is outside of its range.
    Length,
    /// The field must not be empty.
    Empty,
}

/// A field with a value that it must not have; each answers with illegal_parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Illegal {
    /// The ServerHello does not echo our session id (RFC 9846, 4.2.3).
    SessionIdEcho,
    /// A compression method other than null (RFC 9846, 4.2.2 and 4.2.3).
    Compression,
    /// A cipher suite we did not offer (RFC 9846, 4.2.3).
    SuiteNotOffered(CipherSuite),
    /// Not the cipher suite of the HelloRetryRequest (RFC 9846, 4.2.4).
    SuiteChanged {
        /// The suite of the HelloRetryRequest.
        retry: CipherSuite,
        /// The suite that came.
        got: CipherSuite,
    },
    /// A version we did not offer (RFC 9846, 4.3.1).
    VersionNotOffered(ProtocolVersion),
    /// The mark of a downgrade in ServerHello.random: somebody between us made the client look
    /// older than it is (RFC 9846, 4.2.3).
    Downgrade,
    /// A group we did not offer or share (RFC 9846, 4.3.8).
    GroupNotOffered(NamedGroup),
    /// Not the group of the HelloRetryRequest (RFC 9846, 4.3.8).
    GroupChanged {
        /// The group of the HelloRetryRequest.
        retry: NamedGroup,
        /// The group that came.
        got: NamedGroup,
    },
    /// A HelloRetryRequest that asks for nothing, or for a share already sent (RFC 9846, 4.2.4 and
    /// 4.3.8).
    RetryWithoutChange,
    /// The second ClientHello changed what it must not (RFC 9846, 4.2.2).
    HelloChanged {
        /// The field or extension.
        field: &'static str,
    },
    /// Two key shares for one group, or one for a group not in supported_groups (RFC 9846, 4.3.8).
    KeyShares(NamedGroup),
    /// A key share of the wrong length, or no point of the curve (RFC 9846, 4.3.8.2).
    KeyShare {
        /// The share's group.
        group: NamedGroup,
    },
    /// A key share of small order: the shared secret is all zeros (RFC 9846, 7.4.2).
    ZeroSharedSecret {
        /// The share's group.
        group: NamedGroup,
    },
    /// An entry twice in a list that must not repeat any.
    DuplicateEntry {
        /// The list.
        list: &'static str,
    },
    /// A signature scheme we did not offer (RFC 9846, 4.5.2).
    SchemeNotOffered(SignatureScheme),
    /// An ALPN answer we did not offer (RFC 7301, 3.1).
    ProtocolNotOffered(Vec<u8>),
    /// A certificate type we did not offer (RFC 7250, 4.2).
    CertificateTypeNotOffered(CertificateType),
    /// A record_size_limit below 64 (RFC 8449, section 4).
    RecordSizeLimit(u16),
    /// A certificate_request_context that is not the one sent, or not empty where it must be (RFC
    /// 9846, 4.4.2 and 4.5.1).
    RequestContext,
    /// More than one raw public key (RFC 9846, 4.5.1).
    RawKeys(usize),
    /// A KeyUpdateRequest over 1 (RFC 9846, 4.7.3).
    KeyUpdateRequest(u8),
    /// pre_shared_key is not the last extension (RFC 9846, 4.3.11).
    PskNotLast,
    /// Not one binder for each PSK identity (RFC 9846, 4.3.11).
    BinderCount {
        /// How many identities came.
        identities: usize,
        /// How many binders came.
        binders: usize,
    },
    /// A PSK identity that was not offered (RFC 9846, 4.3.11).
    PskIndex(u16),
    /// A cipher suite whose hash is not that of the PSK chosen with it (RFC 9846, 4.3.11).
    PskHash {
        /// The suite that came.
        suite: CipherSuite,
    },
    /// The server chose a PSK without a key share, which was not offered (RFC 9846, 4.3.9 and
    /// 4.3.11).
    PskWithoutKeyShare,
    /// Early data was accepted with another cipher suite or ALPN protocol than its session's, or
    /// under another PSK than the first (RFC 9846, 4.3.10 and 4.3.11).
    EarlyDataTerms {
        /// What differs.
        field: &'static str,
    },
    /// A host_name in server_name that is no DNS name: not ASCII, with a trailing dot, or an IP
    /// address (RFC 6066, section 3).
    ServerName,
}

impl Fault {
    /// The alert that answers this fault (RFC 9846, 6.2).
    pub fn alert(&self) -> AlertDescription {
        match self {
            Self::Unexpected { .. }
            | Self::UnexpectedRecord { .. }
            | Self::ChangeCipherSpec
            | Self::NotAligned { .. }
            | Self::Interleaved { .. }
            | Self::EmptyFragment { .. }
            | Self::NoContentType
            | Self::TooMany { .. }
            | Self::TooMuchEarlyData { .. } => AlertDescription::UNEXPECTED_MESSAGE,
            Self::BadRecordMac => AlertDescription::BAD_RECORD_MAC,
            Self::RecordOverflow { .. } => AlertDescription::RECORD_OVERFLOW,
            Self::Decode { .. } | Self::MessageTooLong { .. } => AlertDescription::DECODE_ERROR,
            Self::DuplicateExtension { .. }
            | Self::MisplacedExtension { .. }
            | Self::Illegal(_) => AlertDescription::ILLEGAL_PARAMETER,
            Self::UnsolicitedExtension { .. } => AlertDescription::UNSUPPORTED_EXTENSION,
            Self::MissingExtension { .. } => AlertDescription::MISSING_EXTENSION,
            Self::Version { .. } => AlertDescription::PROTOCOL_VERSION,
            Self::NoCommonSuite { .. }
            | Self::NoCommonGroup { .. }
            | Self::NoCommonScheme { .. }
            | Self::PskNotTaken => AlertDescription::HANDSHAKE_FAILURE,
            Self::NoCommonCertificateType { .. } => AlertDescription::UNSUPPORTED_CERTIFICATE,
            Self::NoCommonProtocol { .. } => AlertDescription::NO_APPLICATION_PROTOCOL,
            Self::UnrecognizedName { .. } => AlertDescription::UNRECOGNIZED_NAME,
            // RFC 9846, F.6: a PSK that nobody knows looks like one with a wrong binder. (6.2 would
            // allow unknown_psk_identity, and decrypt_error too.)
            Self::BadSignature | Self::BadFinished | Self::BadBinder | Self::UnknownPsk => {
                AlertDescription::DECRYPT_ERROR
            }
            Self::CertificateRequired => AlertDescription::CERTIFICATE_REQUIRED,
            Self::Certificate(error) => error.alert(),
            Self::Denied(_) => AlertDescription::ACCESS_DENIED,
            Self::DoesNotFit { .. } | Self::Internal { .. } | Self::Random | Self::Signer(_) => {
                AlertDescription::INTERNAL_ERROR
            }
        }
    }
}

/// How many entries of a peer's list an error's text repeats.
const ENTRIES_SHOWN: usize = 16;

/// A list of names or code points, for an error's text: of bounded length, as a peer may have
/// written it.
struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (index, item) in self.0.iter().take(ENTRIES_SHOWN).enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{item}")?;
        }
        match self.0.len().saturating_sub(ENTRIES_SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { expected, got } => write!(f, "expected {expected}, got {got}"),
            Self::UnexpectedRecord { got } => write!(f, "a record of type {got} must not come now"),
            Self::ChangeCipherSpec => {
                f.write_str("a ChangeCipherSpec that is wrong or comes at the wrong time")
            }
            Self::NotAligned { message } => write!(
                f,
                "{message} changes keys and must end its record, but more followed it"
            ),
            Self::Interleaved { got } => {
                write!(f, "a record of type {got} inside a split handshake message")
            }
            Self::EmptyFragment { content_type } => {
                write!(f, "an empty record of type {content_type}")
            }
            Self::NoContentType => f.write_str("a protected record of padding alone"),
            Self::BadRecordMac => f.write_str(
                "a record does not open: it was changed on the way, or the two sides' keys differ",
            ),
            Self::RecordOverflow { length, limit } => write!(
                f,
                "a record of {length} bytes, where at most {limit} are allowed"
            ),
            Self::Decode {
                message,
                field,
                problem,
            } => write!(f, "{message}.{field} {problem}"),
            Self::MessageTooLong { length, limit } => {
                write!(
                    f,
                    "a handshake message of {length} bytes, where the configuration allows {limit} \
                     (max_handshake_size)"
                )
            }
            Self::DoesNotFit { message } => {
                write!(
                    f,
                    "our {message} would be longer than its length fields can tell: the peer's \
                     cookie or ticket leaves no room"
                )
            }
            Self::TooMany { what, limit } => write!(f, "more than {limit} {what}"),
            Self::TooMuchEarlyData { limit } => write!(
                f,
                "more than {limit} bytes of early data, which is what the ticket allows"
            ),
            Self::DuplicateExtension { message, extension } => {
                write!(f, "{message} has the extension {extension} twice")
            }
            Self::MisplacedExtension { message, extension } => {
                write!(
                    f,
                    "{message} has the extension {extension}, which does not belong there"
                )
            }
            Self::UnsolicitedExtension { message, extension } => {
                write!(
                    f,
                    "{message} answers the extension {extension}, which was not asked"
                )
            }
            Self::MissingExtension { message, extension } => {
                write!(f, "{message} lacks the extension {extension}")
            }
            Self::Illegal(illegal) => illegal.fmt(f),
            Self::Version { got } => {
                write!(f, "the peer does not speak TLS 1.3, but {}", List(got))
            }
            Self::NoCommonSuite { offered, accepted } => {
                write!(
                    f,
                    "no cipher suite in common: offered were {}, accepted are {}",
                    List(offered),
                    List(accepted)
                )
            }
            Self::NoCommonGroup { offered, accepted } => {
                write!(
                    f,
                    "no group in common: offered were {}, accepted are {}",
                    List(offered),
                    List(accepted)
                )
            }
            Self::NoCommonScheme { offered } => {
                write!(
                    f,
                    "the peer does not accept ed25519 signatures, and fleeting makes no others; it \
                     accepts {}",
                    List(offered)
                )
            }
            Self::NoCommonCertificateType { offered } => write!(
                f,
                "no certificate type in common: offered were {}",
                List(offered)
            ),
            Self::NoCommonProtocol { offered } => {
                // Escaped: nobody has vouched for these bytes, and they end up in logs.
                let names: Vec<_> = offered.iter().map(|name| name.escape_ascii()).collect();
                write!(
                    f,
                    "no ALPN protocol in common: offered were {}",
                    List(&names)
                )
            }
            Self::UnrecognizedName { name } => {
                write!(f, "no identity is configured for the name {name:?}")
            }
            Self::BadSignature => f.write_str(
                "the signature in CertificateVerify is wrong: the peer does not hold its \
                 certificate's key",
            ),
            Self::BadFinished => {
                f.write_str("the Finished message is wrong: the two sides saw different handshakes")
            }
            Self::BadBinder => f.write_str(
                "the binder of the PSK is wrong: the two sides hold different secrets under its \
                 name, or saw different ClientHellos",
            ),
            Self::UnknownPsk => f.write_str(
                "none of the client's PSKs is known here, or fits the suites and modes it offers, \
                 and there is no certificate to go on with: both sides need the same identity, \
                 names and secret",
            ),
            Self::PskNotTaken => f.write_str(
                "the server took none of our PSKs, and this client trusts nothing else: both sides \
                 need the same identity, names and secret",
            ),
            Self::CertificateRequired => {
                f.write_str("a client certificate is required, and the client sent none")
            }
            Self::Certificate(error) => {
                write!(f, "the peer's certificate was not accepted: {error}")
            }
            Self::Denied(reason) => write!(f, "the peer was not authorized: {reason}"),
            Self::Internal { what } => write!(f, "{what} failed; please report this"),
            Self::Random => f.write_str("the system's random number generator failed"),
            Self::Signer(reason) => write!(
                f,
                "our own key, which is held elsewhere, did not sign: {reason}"
            ),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Certificate(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for DecodeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "ends early",
            Self::TrailingBytes => "has bytes after its end",
            Self::Length => "has a length outside of its range",
            Self::Empty => "is empty and must not be",
        })
    }
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionIdEcho => f.write_str("ServerHello does not echo our legacy_session_id"),
            Self::Compression => f.write_str("a compression method other than null"),
            Self::SuiteNotOffered(suite) => {
                write!(f, "the server chose {suite}, which was not offered")
            }
            Self::SuiteChanged { retry, got } => write!(
                f,
                "the server asked for a retry with {retry} and then chose {got}"
            ),
            Self::VersionNotOffered(version) => {
                write!(f, "the server chose {version}, which was not offered")
            }
            Self::Downgrade => f.write_str(
                "ServerHello.random carries the mark of a downgrade: somebody in between changed \
                 our ClientHello",
            ),
            Self::GroupNotOffered(group) => write!(
                f,
                "the server chose the group {group}, which was not offered"
            ),
            Self::GroupChanged { retry, got } => write!(
                f,
                "the server asked for a share of {retry} and then chose {got}"
            ),
            Self::RetryWithoutChange => f.write_str("a HelloRetryRequest that changes nothing"),
            Self::HelloChanged { field } => write!(f, "the second ClientHello changed {field}"),
            Self::KeyShares(group) => write!(
                f,
                "the key share for {group} is repeated or not in supported_groups"
            ),
            Self::KeyShare { group } => write!(f, "the key share for {group} is malformed"),
            Self::ZeroSharedSecret { group } => {
                write!(
                    f,
                    "the key share for {group} has small order: the shared secret would be known \
                     to all"
                )
            }
            Self::DuplicateEntry { list } => write!(f, "{list} repeats an entry"),
            Self::SchemeNotOffered(scheme) => {
                write!(f, "signed with {scheme}, which was not offered")
            }
            Self::ProtocolNotOffered(name) => {
                write!(
                    f,
                    "the server chose the ALPN protocol {:?}, which was not offered",
                    String::from_utf8_lossy(name)
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
                write!(f, "a record_size_limit of {limit}, which is below 64")
            }
            Self::RequestContext => {
                f.write_str("certificate_request_context is not what it must be")
            }
            Self::RawKeys(count) => write!(f, "{count} raw public keys, where one is shown"),
            Self::KeyUpdateRequest(value) => write!(f, "a KeyUpdateRequest of {value}"),
            Self::PskNotLast => f.write_str("pre_shared_key is not the last extension"),
            Self::BinderCount {
                identities,
                binders,
            } => write!(f, "{identities} PSK identities with {binders} binders"),
            Self::PskIndex(index) => {
                write!(f, "the server chose the PSK {index}, which was not offered")
            }
            Self::PskHash { suite } => {
                write!(f, "the server chose {suite} with a PSK of another hash")
            }
            Self::PskWithoutKeyShare => {
                f.write_str("the server chose a PSK without a key share, which was not offered")
            }
            Self::EarlyDataTerms { field } => write!(
                f,
                "the server accepted early data, but {field} is not its session's"
            ),
            Self::ServerName => {
                f.write_str("server_name holds no DNS name in ASCII without a trailing dot")
            }
        }
    }
}

impl From<Illegal> for Fault {
    fn from(illegal: Illegal) -> Self {
        Self::Illegal(illegal)
    }
}

impl From<CertificateError> for Fault {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error)
    }
}
