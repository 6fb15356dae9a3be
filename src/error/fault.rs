//! [`Fault`]: what a peer did wrong, and the alert that answers it.

use core::fmt;
use std::sync::Arc;

use super::certificate::CertificateError;
use super::illegal::Illegal;
use super::list::{List, Names, Protocols};
use crate::code_point::{
    AlertDescription, CertificateType, CipherSuite, ContentType, ExtensionType, NamedGroup,
    ProtocolVersion, SignatureScheme,
};

/// What was wrong with what the peer sent: what was expected and what came.
///
/// [`Error`](crate::Error#faults) has a table of all faults: alert, usual cause and remedy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The peer sent a handshake message that is not accepted in this state.
    Unexpected {
        /// The messages that would have been accepted.
        expected: &'static str,
        /// The message that came.
        got: &'static str,
    },
    /// The peer sent a record of a type that is not accepted in this state (RFC 9846, section 5).
    UnexpectedRecord {
        /// The type that came.
        got: ContentType,
    },
    /// The peer does not speak TLS, but another protocol.
    NotTls {
        /// The protocol, as far as its first bytes tell, such as `HTTP`.
        protocol: &'static str,
    },
    /// A ChangeCipherSpec is not the single byte 0x01, is protected, or comes where it is not
    /// allowed (RFC 9846, section 5).
    ChangeCipherSpec,
    /// Other bytes followed a message that changes keys in the same record (RFC 9846, 5.1).
    NotAligned {
        /// The message that changes keys.
        message: &'static str,
    },
    /// A record of another type came inside a handshake message that is split over records (RFC
    /// 9846, 5.1).
    Interleaved {
        /// The type that came.
        got: ContentType,
    },
    /// A handshake or alert record has no content (RFC 9846, 5.1 and 5.4).
    EmptyFragment {
        /// The record's type.
        content_type: ContentType,
    },
    /// A protected record consists of padding alone, without a content type (RFC 9846, 5.4).
    NoContentType,
    /// A protected record does not open (RFC 9846, 5.2).
    BadRecordMac,
    /// A record is too long (RFC 9846, 5.1 and 5.2).
    RecordOverflow {
        /// Its length in bytes.
        length: usize,
        /// The longest allowed, in bytes.
        limit: usize,
    },
    /// A message does not follow its syntax.
    Decode {
        /// The message.
        message: &'static str,
        /// The field or extension.
        field: &'static str,
        /// What is wrong with it.
        problem: DecodeProblem,
    },
    /// A handshake message is longer than the configuration allows.
    MessageTooLong {
        /// Its length in bytes.
        length: usize,
        /// The longest allowed, in bytes.
        limit: usize,
    },
    /// A message of this side would be too long for its own length fields, because of a cookie or
    /// ticket that the peer wants back in it.
    DoesNotFit {
        /// The message.
        message: &'static str,
    },
    /// The peer sent more of something legal than is reasonable, such as empty records, KeyUpdates
    /// or tickets.
    TooMany {
        /// What came too often.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// The client sent more early data than its ticket allows (RFC 9846, 4.7.1).
    TooMuchEarlyData {
        /// The allowed size in bytes.
        limit: u32,
    },
    /// A message has the same extension twice (RFC 9846, 4.3).
    DuplicateExtension {
        /// The message.
        message: &'static str,
        /// The extension.
        extension: ExtensionType,
    },
    /// A message has a known extension that does not belong in it (RFC 9846, 4.3).
    MisplacedExtension {
        /// The message.
        message: &'static str,
        /// The extension.
        extension: ExtensionType,
    },
    /// A message answers an extension that was not sent (RFC 9846, 4.3).
    UnsolicitedExtension {
        /// The message.
        message: &'static str,
        /// The extension.
        extension: ExtensionType,
    },
    /// A message lacks a required extension (RFC 9846, 9.2).
    MissingExtension {
        /// The message.
        message: &'static str,
        /// The extension.
        extension: ExtensionType,
    },
    /// A field has a value that is not allowed.
    Illegal(Illegal),
    /// The peer does not offer or choose TLS 1.3 (RFC 9846, 4.3.1).
    Version {
        /// The versions that the peer offered or chose.
        got: Vec<ProtocolVersion>,
    },
    /// A hello's legacy_version is not that of TLS 1.2, or it alone names TLS 1.3 (RFC 9846, 4.2.2
    /// and 4.2.3).
    LegacyVersion(ProtocolVersion),
    /// The two sides have no cipher suite in common.
    NoCommonSuite {
        /// What the client offered.
        offered: Vec<CipherSuite>,
        /// What this server accepts.
        accepted: Vec<CipherSuite>,
    },
    /// The two sides have no group in common.
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
    /// The two sides have no certificate type in common (RFC 7250, 4.2).
    NoCommonCertificateType {
        /// What the client offered.
        offered: Vec<CertificateType>,
        /// What this server can send or accepts.
        accepted: Vec<CertificateType>,
    },
    /// The two sides have no application protocol (ALPN) in common (RFC 7301, 3.2).
    NoCommonProtocol {
        /// What the client offered.
        offered: Vec<Vec<u8>>,
        /// What this server accepts.
        accepted: Vec<Vec<u8>>,
    },
    /// No identity is configured for the name that the client asked for (RFC 6066, section 3).
    UnrecognizedName {
        /// The name.
        name: String,
        /// The names that this server has identities for, at most 16 of them.
        served: Vec<String>,
        /// How many more names it has.
        more: usize,
    },
    /// The signature in CertificateVerify is wrong (RFC 9846, 4.5.2).
    BadSignature,
    /// The Finished message is wrong (RFC 9846, 4.5.3).
    BadFinished,
    /// The binder of the chosen PSK is wrong (RFC 9846, 4.3.11.2).
    BadBinder,
    /// The server knows none of the client's PSKs and has nothing else to authenticate with (RFC
    /// 9846, 4.3.11 and F.6).
    UnknownPsk,
    /// The server accepted none of the client's PSKs, and the client trusts nothing else.
    PskNotTaken,
    /// A client certificate is required, but none came (RFC 9846, 4.5.1.3).
    CertificateRequired {
        /// The subjects of the authorities that this server trusts, at most 16 of them. Empty if
        /// it trusts keys alone.
        trusted: Vec<String>,
        /// How many more authorities it trusts.
        more: usize,
    },
    /// The peer's certificate or key was not accepted.
    Certificate(CertificateError),
    /// The application's `authorize` hook refused a peer whose certificate is valid.
    Denied(Arc<dyn std::error::Error + Send + Sync>),
    /// An internal error of this library. It is not the peer's fault.
    Internal {
        /// What failed.
        what: &'static str,
    },
    /// The random number generator failed. It is not the peer's fault.
    Random,
    /// The holder of this side's private key did not sign. It is not the peer's fault.
    Signer(Arc<dyn std::error::Error + Send + Sync>),
}

/// How a field breaks the syntax of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeProblem {
    /// The bytes end inside the field.
    Truncated,
    /// Bytes follow where the field should have ended.
    TrailingBytes,
    /// The field's length is out of range.
    Length,
    /// The field is empty, which is not allowed.
    Empty,
}

impl Fault {
    /// Returns the alert that answers this fault (RFC 9846, 6.2).
    pub fn alert(&self) -> AlertDescription {
        match self {
            Self::Unexpected { .. }
            | Self::UnexpectedRecord { .. }
            | Self::NotTls { .. }
            | Self::ChangeCipherSpec
            | Self::NotAligned { .. }
            | Self::Interleaved { .. }
            | Self::EmptyFragment { .. }
            | Self::NoContentType
            | Self::TooMany { .. }
            | Self::TooMuchEarlyData { .. } => AlertDescription::UNEXPECTED_MESSAGE,
            Self::BadRecordMac => AlertDescription::BAD_RECORD_MAC,
            Self::RecordOverflow { .. } => AlertDescription::RECORD_OVERFLOW,
            Self::Decode { .. } => AlertDescription::DECODE_ERROR,
            Self::DuplicateExtension { .. }
            | Self::MisplacedExtension { .. }
            | Self::Illegal(_) => AlertDescription::ILLEGAL_PARAMETER,
            Self::UnsolicitedExtension { .. } => AlertDescription::UNSUPPORTED_EXTENSION,
            Self::MissingExtension { .. } => AlertDescription::MISSING_EXTENSION,
            Self::Version { .. } | Self::LegacyVersion(_) => AlertDescription::PROTOCOL_VERSION,
            Self::NoCommonSuite { .. }
            | Self::NoCommonGroup { .. }
            | Self::NoCommonScheme { .. }
            | Self::PskNotTaken => AlertDescription::HANDSHAKE_FAILURE,
            Self::NoCommonCertificateType { .. } => AlertDescription::UNSUPPORTED_CERTIFICATE,
            Self::NoCommonProtocol { .. } => AlertDescription::NO_APPLICATION_PROTOCOL,
            Self::UnrecognizedName { .. } => AlertDescription::UNRECOGNIZED_NAME,
            // RFC 9846, F.6: an unknown PSK looks like one with a wrong binder. (6.2 would allow
            // unknown_psk_identity, and decrypt_error too.)
            Self::BadSignature | Self::BadFinished | Self::BadBinder | Self::UnknownPsk => {
                AlertDescription::DECRYPT_ERROR
            }
            Self::CertificateRequired { .. } => AlertDescription::CERTIFICATE_REQUIRED,
            Self::Certificate(error) => error.alert(),
            Self::Denied(_) => AlertDescription::ACCESS_DENIED,
            // 6.2: decode_error "should never be observed in communication between proper
            // implementations". A proper one may send a message that is too long for us: that we
            // do not have the memory for it is "unrelated to the peer or the correctness of the
            // protocol".
            Self::MessageTooLong { .. }
            | Self::DoesNotFit { .. }
            | Self::Internal { .. }
            | Self::Random
            | Self::Signer(_) => AlertDescription::INTERNAL_ERROR,
        }
    }
}

/// What to do about messages that no correct implementation of TLS 1.3 sends.
const REPORT: &str = "report this to the maintainers of the peer's TLS implementation";

impl Fault {
    /// Returns the fault of a hello without supported_versions, which chooses or offers the version
    /// in its legacy_version (RFC 9846, 4.3.1). TLS 1.3 cannot be negotiated there.
    pub(crate) fn without_supported_versions(legacy: ProtocolVersion) -> Self {
        if legacy > ProtocolVersion::TLS1_2 {
            Self::LegacyVersion(legacy)
        } else {
            Self::Version { got: vec![legacy] }
        }
    }

    /// Returns what the reader of the error can do, unless the fault's text says so itself.
    pub(super) fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unexpected { .. }
            | Self::ChangeCipherSpec
            | Self::NotAligned { .. }
            | Self::Interleaved { .. }
            | Self::EmptyFragment { .. }
            | Self::NoContentType
            | Self::TooMany { .. }
            | Self::TooMuchEarlyData { .. }
            | Self::Decode { .. }
            | Self::DuplicateExtension { .. }
            | Self::MisplacedExtension { .. }
            | Self::UnsolicitedExtension { .. }
            | Self::LegacyVersion(_) => REPORT,
            Self::Illegal(Illegal::Downgrade) => "connect again over a network that can be trusted",
            Self::Illegal(_) => REPORT,
            Self::UnexpectedRecord { .. } | Self::RecordOverflow { .. } => {
                "check that the peer speaks TLS at this address and port"
            }
            Self::NotTls { .. } => {
                "check the address and the port; if the peer sends something before TLS begins \
                 (STARTTLS, a PROXY header), read that first and hand the transport over then"
            }
            Self::BadRecordMac | Self::BadFinished => {
                "connect again, and if that fails look for what changes the traffic"
            }
            Self::MessageTooLong { .. } => "raise it if the peer needs more",
            Self::DoesNotFit { .. } => "make the peer send a shorter one",
            // RFC 6066, section 3: an address is not sent.
            Self::MissingExtension {
                extension: ExtensionType::SERVER_NAME,
                ..
            } => {
                "a client that connects by an IP address sends no name: let it connect by a name, \
                 or configure an identity for every client with identity()"
            }
            Self::MissingExtension {
                extension: ExtensionType::PRE_SHARED_KEY,
                ..
            } => {
                "this server accepts external PSKs alone: configure the client with one \
                 (external_psk()), or this server with an identity"
            }
            Self::MissingExtension {
                message: "ClientHello",
                extension: ExtensionType::SIGNATURE_ALGORITHMS,
            } => {
                "the client accepts no certificate, but only a PSK that this server does not \
                 know: configure the same external PSK on both sides, or trust() in the client"
            }
            Self::MissingExtension { .. } => {
                "configure the peer to offer it, or this side not to require it"
            }
            Self::Version { .. } => "enable TLS 1.3 in the peer",
            Self::NoCommonSuite { .. } => "configure the same cipher suite on both sides",
            Self::NoCommonGroup { .. } => "configure the same group on both sides",
            Self::NoCommonScheme { .. } => "enable ed25519 in the peer",
            Self::NoCommonCertificateType { .. } => {
                "configure the same type (X.509 or raw public keys) on both sides"
            }
            Self::NoCommonProtocol { .. } => "configure the same protocol on both sides",
            Self::UnrecognizedName { .. } => {
                "configure one with identity_for(), or one for every name with identity()"
            }
            Self::BadSignature => "configure the peer with the private key of its certificate",
            Self::BadBinder => "configure the same secret on both sides",
            Self::CertificateRequired { .. } => "configure the client with an identity",
            Self::Certificate(_)
            | Self::Denied(_)
            | Self::UnknownPsk
            | Self::PskNotTaken
            | Self::Internal { .. }
            | Self::Random
            | Self::Signer(_) => return None,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { expected, got } => {
                write!(f, "expected {expected}, but the peer sent {got}")
            }
            Self::UnexpectedRecord { got } => {
                write!(
                    f,
                    "the peer sent a record of type {got}, which is not allowed at this point"
                )
            }
            Self::NotTls { protocol } => write!(f, "the peer speaks {protocol}, not TLS"),
            Self::ChangeCipherSpec => f.write_str(
                "the peer sent a ChangeCipherSpec that is malformed, protected or not allowed at \
                 this point",
            ),
            Self::NotAligned { message } => {
                write!(
                    f,
                    "the peer's {message} changes keys and must end its record, but other bytes \
                     followed it"
                )
            }
            Self::Interleaved { got } => write!(
                f,
                "expected the rest of a split handshake message, but the peer sent a record of \
                 type {got}"
            ),
            Self::EmptyFragment { content_type } => {
                write!(
                    f,
                    "the peer sent an empty record of type {content_type}, which must have content"
                )
            }
            Self::NoContentType => f.write_str(
                "the peer sent a protected record of padding alone, which must have a content type",
            ),
            Self::BadRecordMac => f.write_str(
                "a record from the peer does not open: it was changed on the way, or the keys of \
                 the two sides differ",
            ),
            Self::RecordOverflow { length, limit } => {
                write!(
                    f,
                    "the peer sent a record of {length} bytes, but at most {limit} are allowed"
                )
            }
            Self::Decode {
                message,
                field,
                problem,
            } => {
                write!(
                    f,
                    "the peer sent a malformed message: {message}.{field} {problem}"
                )
            }
            Self::MessageTooLong { length, limit } => write!(
                f,
                "the peer sent a handshake message of {length} bytes, but max_handshake_size \
                 allows {limit}"
            ),
            Self::DoesNotFit { message } => write!(
                f,
                "the cookie or ticket that the peer wants back is too long for the {message} of \
                 this side"
            ),
            Self::TooMany { what, limit } => {
                write!(f, "the peer sent more {what} than are accepted ({limit})")
            }
            Self::TooMuchEarlyData { limit } => {
                write!(
                    f,
                    "the peer sent more early data than its ticket allows ({limit} bytes)"
                )
            }
            Self::DuplicateExtension { message, extension } => {
                write!(
                    f,
                    "the peer's {message} has the extension {extension} twice"
                )
            }
            Self::MisplacedExtension { message, extension } => {
                write!(
                    f,
                    "the peer's {message} has the extension {extension}, which does not belong \
                     there"
                )
            }
            Self::UnsolicitedExtension { message, extension } => {
                write!(
                    f,
                    "the peer's {message} has the extension {extension}, which was not asked for"
                )
            }
            Self::MissingExtension { message, extension } => {
                write!(
                    f,
                    "the peer's {message} lacks the extension {extension}, which is required"
                )
            }
            Self::Illegal(illegal) => illegal.fmt(f),
            Self::Version { got } => {
                write!(f, "expected TLS 1.3, but the peer speaks {}", List(got))
            }
            Self::LegacyVersion(got) => write!(
                f,
                "legacy_version must be {} in every hello, but is {got}",
                ProtocolVersion::TLS1_2
            ),
            Self::NoCommonSuite { offered, accepted } => {
                write!(
                    f,
                    "no cipher suite in common: the client offers {}, and this server accepts {}",
                    List(offered),
                    List(accepted)
                )
            }
            Self::NoCommonGroup { offered, accepted } => write!(
                f,
                "no group for key exchange in common: the client offers {}, and this server \
                 accepts {}",
                List(offered),
                List(accepted)
            ),
            Self::NoCommonScheme { offered } => write!(
                f,
                "the peer does not accept ed25519 signatures, the only ones that fleeting makes; \
                 it accepts {}",
                List(offered)
            ),
            Self::NoCommonCertificateType { offered, accepted } => write!(
                f,
                "no certificate type in common: the client offers {}, and this server accepts {}",
                List(offered),
                List(accepted)
            ),
            Self::NoCommonProtocol { offered, accepted } => write!(
                f,
                "no ALPN protocol in common: the client offers {}, and this server accepts {}",
                Protocols(offered),
                Protocols(accepted)
            ),
            Self::UnrecognizedName { name, served, more } => write!(
                f,
                "this server has no identity for the name {name:?}, which the client asked for, \
                 but for {}",
                Names(served, *more)
            ),
            Self::BadSignature => f.write_str(
                "the signature in the peer's CertificateVerify is wrong: the peer does not hold \
                 the private key of its certificate",
            ),
            Self::BadFinished => f.write_str(
                "the peer's Finished message is wrong: the two sides saw different handshakes",
            ),
            Self::BadBinder => f.write_str(
                "the binder of the client's PSK is wrong: the two sides hold different secrets for \
                 its identity, or saw different ClientHellos",
            ),
            Self::UnknownPsk => f.write_str(
                "none of the client's PSKs is known here or fits the offered suites and modes, and \
                 there is no certificate to use instead: configure the same identity, names and \
                 secret on both sides",
            ),
            Self::PskNotTaken => f.write_str(
                "the server accepted none of this client's PSKs, and the client trusts nothing \
                 else: configure the same identity, names and secret on both sides",
            ),
            Self::CertificateRequired { trusted, more } if trusted.is_empty() && *more == 0 => f
                .write_str(
                    "a client certificate is required, but the client sent none; this server \
                     trusts clients by their keys",
                ),
            Self::CertificateRequired { trusted, more } => write!(
                f,
                "a client certificate is required, but the client sent none; this server trusts \
                 those of {}",
                Names(trusted, *more)
            ),
            Self::Certificate(error) => {
                write!(f, "the peer's certificate was not accepted: {error}")
            }
            Self::Denied(reason) => {
                write!(
                    f,
                    "the peer was not authorized by this application: {reason}"
                )
            }
            Self::Internal { what } => {
                write!(f, "internal error in fleeting ({what}): please report it")
            }
            Self::Random => f.write_str(
                "the system's random number generator failed: check that this process may use it",
            ),
            Self::Signer(reason) => write!(
                f,
                "the private key of this side is held elsewhere, and its holder did not sign: \
                 {reason}"
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
