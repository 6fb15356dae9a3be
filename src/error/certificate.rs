//! [`CertificateError`]: why a peer's certificate or key was not accepted.

use core::fmt;

use crate::code_point::AlertDescription;

/// Why a peer's certificate or key was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// No path from the certificate to a trusted root was found.
    UnknownIssuer,
    /// The key is not among the trusted ones for this name.
    UntrustedKey,
    /// The certificate, or one on its path, has expired.
    Expired,
    /// The certificate, or one on its path, is not valid yet.
    NotValidYet,
    /// The certificate is for other names.
    WrongName {
        /// The name that was asked for.
        expected: String,
        /// The DNS names and IP addresses in the certificate, 16 at most.
        presented: Vec<String>,
        /// How many more there are, as far as they were read.
        more: usize,
    },
    /// A certificate is not well-formed DER or X.509, or a raw public key is not one as RFC 8410
    /// encodes it.
    Malformed,
    /// A signature on the path is wrong.
    BadSignature,
    /// The key, in a certificate or raw, or a signature on the path, is not Ed25519.
    UnsupportedAlgorithm,
    /// A signature on the path is made with MD5 or SHA-1 (RFC 9846, 4.5.1.3).
    BrokenHash,
    /// A critical extension, or a version, that is not supported.
    UnsupportedExtension,
    /// KeyUsage does not allow digitalSignature (RFC 9846, 4.5.1.2).
    KeyUsage,
    /// The extended key usage does not allow this role.
    ExtendedKeyUsage,
    /// A name constraint on the path forbids a name.
    NameConstraint,
    /// A CA certificate used as a leaf, a leaf used as a CA, or a path longer than a certificate on
    /// it allows.
    PathConstraint,
    /// More certificates, or more work to find a path, than is allowed.
    TooComplex,
    /// Revoked by its issuer, or one on its path was.
    Revoked,
    /// No revocation list says whether it, or one on its path, was revoked.
    UnknownRevocation,
    /// The revocation list for it, or for one on its path, has expired.
    RevocationListExpired,
    /// The revocation list for it, or for one on its path, is in its issuer's name, but not signed
    /// by that issuer, or one that may not sign lists.
    RevocationListNotIssuers,
}

impl CertificateError {
    /// The alert that answers it (RFC 9846, 6.2).
    pub fn alert(&self) -> AlertDescription {
        match self {
            Self::UnknownIssuer | Self::UntrustedKey => AlertDescription::UNKNOWN_CA,
            Self::Expired | Self::NotValidYet => AlertDescription::CERTIFICATE_EXPIRED,
            Self::WrongName { .. }
            | Self::Malformed
            | Self::BadSignature
            | Self::BrokenHash
            | Self::NameConstraint
            | Self::PathConstraint
            | Self::TooComplex => AlertDescription::BAD_CERTIFICATE,
            Self::UnsupportedAlgorithm
            | Self::UnsupportedExtension
            | Self::KeyUsage
            | Self::ExtendedKeyUsage => AlertDescription::UNSUPPORTED_CERTIFICATE,
            Self::Revoked => AlertDescription::CERTIFICATE_REVOKED,
            // RFC 9846, 6.2: "Some other (unspecified) issue arose in processing the certificate".
            // It is our lists' fault: the certificate is neither corrupt (bad_certificate) nor past
            // its time (certificate_expired), and a peer that was told so would look in the wrong
            // place.
            Self::UnknownRevocation
            | Self::RevocationListExpired
            | Self::RevocationListNotIssuers => AlertDescription::CERTIFICATE_UNKNOWN,
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => f.write_str(
                "no path leads to a trusted root; add its root to the trust, or have the peer send \
                 the whole chain; a peer without an authority is trusted by its key",
            ),
            Self::UntrustedKey => f.write_str(
                "its key is not among the trusted ones, for this name if one was asked for",
            ),
            Self::Expired => f.write_str("it, or one on its path, has expired"),
            Self::NotValidYet => {
                f.write_str("it, or one on its path, is not valid yet; compare the two clocks")
            }
            Self::WrongName {
                expected,
                presented,
                ..
            } if presented.is_empty() => {
                write!(
                    f,
                    "it is not for {expected:?}; it has no DNS name and no IP address"
                )
            }
            Self::WrongName {
                expected,
                presented,
                more,
            } => {
                write!(f, "it is not for {expected:?}; it names ")?;
                for (index, name) in presented.iter().enumerate() {
                    write!(
                        f,
                        "{}{}",
                        if index == 0 { "" } else { ", " },
                        name.escape_debug()
                    )?;
                }
                if *more == 0 {
                    Ok(())
                } else {
                    write!(f, " and {more} more")
                }
            }
            Self::Malformed => {
                f.write_str("it is not a well-formed X.509 certificate or public key")
            }
            Self::BadSignature => f.write_str("a signature on its path is wrong"),
            Self::UnsupportedAlgorithm => {
                f.write_str("it has a key, or a signature on its path, that is not Ed25519")
            }
            Self::BrokenHash => f.write_str(
                "a signature on its path is made with MD5 or SHA-1, which prove nothing any more",
            ),
            Self::UnsupportedExtension => {
                f.write_str("it has a critical extension or a version that is not supported")
            }
            Self::KeyUsage => f.write_str("its key usage does not allow digitalSignature"),
            Self::ExtendedKeyUsage => {
                f.write_str("its extended key usage does not allow this role (server or client)")
            }
            Self::NameConstraint => {
                f.write_str("a name constraint on its path forbids one of its names")
            }
            Self::PathConstraint => f.write_str(
                "a CA certificate stands where a leaf must, a leaf where a CA must, or the path is \
                 too long for a CA on it",
            ),
            Self::TooComplex => {
                f.write_str("its chain takes more certificates or more work than is allowed")
            }
            Self::Revoked => f.write_str("it, or one on its path, was revoked by its issuer"),
            Self::UnknownRevocation => f.write_str(
                "no revocation list says whether it, or one on its path, was revoked; each \
                 authority has to give one (or RevocationLists::allow_unknown)",
            ),
            Self::RevocationListExpired => f.write_str(
                "the revocation list for it, or for one on its path, has expired; reload a newer \
                 one (or RevocationLists::allow_expired)",
            ),
            Self::RevocationListNotIssuers => f.write_str(
                "the revocation list in its issuer's name, or in that of one on its path, is not \
                 signed by that issuer",
            ),
        }
    }
}

impl std::error::Error for CertificateError {}
