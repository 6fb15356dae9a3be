//! [`Class`]: what a program decides by an error. To try again, to change a configuration, to look
//! at who the peer is, or to look for a defect in it.

use super::fault::Fault;
use super::received::Said;
use crate::code_point::AlertDescription as Alert;

/// The class of an error. `Error::is_retryable` and the others say what each means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Retry,
    Configuration,
    Authentication,
    PeerFault,
    Other,
}

impl Fault {
    pub(super) fn class(&self) -> Class {
        match self {
            Self::BadRecordMac | Self::BadFinished | Self::Signer(_) => Class::Retry,
            Self::NotTls { .. }
            | Self::MessageTooLong { .. }
            | Self::DoesNotFit { .. }
            | Self::MissingExtension { .. }
            | Self::Version { .. }
            | Self::NoCommonSuite { .. }
            | Self::NoCommonGroup { .. }
            | Self::NoCommonScheme { .. }
            | Self::NoCommonCertificateType { .. }
            | Self::NoCommonProtocol { .. }
            | Self::UnrecognizedName { .. } => Class::Configuration,
            Self::BadSignature
            | Self::BadBinder
            | Self::UnknownPsk
            | Self::PskNotTaken
            | Self::CertificateRequired { .. }
            | Self::Certificate(_)
            | Self::Denied(_) => Class::Authentication,
            Self::Unexpected { .. }
            | Self::UnexpectedRecord { .. }
            | Self::ChangeCipherSpec
            | Self::NotAligned { .. }
            | Self::Interleaved { .. }
            | Self::EmptyFragment { .. }
            | Self::NoContentType
            | Self::RecordOverflow { .. }
            | Self::Decode { .. }
            | Self::TooMany { .. }
            | Self::TooMuchEarlyData { .. }
            | Self::DuplicateExtension { .. }
            | Self::MisplacedExtension { .. }
            | Self::UnsolicitedExtension { .. }
            | Self::Illegal(_)
            | Self::LegacyVersion(_) => Class::PeerFault,
            Self::Internal { .. } | Self::Random => Class::Other,
        }
    }
}

/// An alert that says that this side broke the protocol is in no class: the peer may be right.
pub(super) fn class_of_received(alert: Alert, said: &Said) -> Class {
    match alert {
        // From OpenSSL and GnuTLS this means a wrong PSK.
        Alert::ILLEGAL_PARAMETER if said.has_external_psk() => Class::Authentication,
        Alert::CLOSE_NOTIFY | Alert::BAD_RECORD_MAC | Alert::INTERNAL_ERROR => Class::Retry,
        Alert::HANDSHAKE_FAILURE
        | Alert::PROTOCOL_VERSION
        | Alert::INSUFFICIENT_SECURITY
        | Alert::MISSING_EXTENSION
        | Alert::UNRECOGNIZED_NAME
        | Alert::NO_APPLICATION_PROTOCOL => Class::Configuration,
        Alert::BAD_CERTIFICATE
        | Alert::UNSUPPORTED_CERTIFICATE
        | Alert::CERTIFICATE_REVOKED
        | Alert::CERTIFICATE_EXPIRED
        | Alert::CERTIFICATE_UNKNOWN
        | Alert::UNKNOWN_CA
        | Alert::ACCESS_DENIED
        | Alert::DECRYPT_ERROR
        | Alert::UNKNOWN_PSK_IDENTITY
        | Alert::CERTIFICATE_REQUIRED => Class::Authentication,
        _ => Class::Other,
    }
}
