//! [`CertificateError`]: why a peer's certificate or key was not accepted.

use core::fmt;

use crate::code_point::AlertDescription;

/// Why a peer's certificate or key was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// No path from the certificate to a trusted root was found.
    UnknownIssuer,
    /// The key is not among the keys that are trusted for this name.
    UntrustedKey,
    /// The certificate, or one on its path, has expired.
    Expired,
    /// The certificate, or one on its path, is not valid yet.
    NotValidYet,
    /// The certificate does not name the expected peer.
    WrongName {
        /// The expected name.
        expected: String,
        /// The DNS names and IP addresses in the certificate, at most 16 of them.
        presented: Vec<String>,
        /// How many more names the certificate has.
        more: usize,
    },
    /// A certificate is not well-formed DER or X.509, or a raw public key is not encoded as in RFC
    /// 8410.
    Malformed,
    /// A signature on the path is wrong.
    BadSignature,
    /// The key (of a certificate, or raw), or a signature on the path, is not Ed25519.
    UnsupportedAlgorithm,
    /// A signature on the path is made with MD5 or SHA-1 (RFC 9846, 4.5.1.3).
    BrokenHash,
    /// A certificate has a critical extension or a version that is not supported.
    UnsupportedExtension,
    /// The certificate's key usage does not allow digitalSignature (RFC 9846, 4.5.1.2).
    KeyUsage,
    /// The certificate's extended key usage does not allow its role (server or client).
    ExtendedKeyUsage,
    /// A name constraint on the path forbids a name.
    NameConstraint,
    /// A CA certificate is used as a leaf, a leaf is used as a CA, or the path is longer than a
    /// certificate on it allows.
    PathConstraint,
    /// The chain has more certificates, or takes more work to find a path, than is allowed.
    TooComplex,
    /// The certificate, or one on its path, was revoked by its issuer.
    Revoked,
    /// No revocation list says whether the certificate, or one on its path, was revoked.
    UnknownRevocation,
    /// The revocation list for the certificate, or for one on its path, has expired.
    RevocationListExpired,
    /// The revocation list for the certificate, or for one on its path, carries its issuer's name,
    /// but that issuer did not sign it or may not sign lists.
    RevocationListNotIssuers,
}

impl CertificateError {
    /// Returns the alert that answers this error (RFC 9846, 6.2).
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
            // The fault lies in our lists: the certificate is neither corrupt (bad_certificate) nor
            // out of date (certificate_expired), and a peer that got such an alert would look in
            // the wrong place.
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
                "no path leads from it to a trusted root: add its root to the trust, or configure \
                 the peer to send its whole chain; a peer without an authority is trusted by its \
                 key",
            ),
            Self::UntrustedKey => f.write_str(
                "its key is not among the trusted keys (for the expected name, if there is one): \
                 add the key to the trust",
            ),
            Self::Expired => f.write_str(
                "it, or a certificate on its path, has expired: renew it, or correct the clock of \
                 this machine",
            ),
            Self::NotValidYet => f.write_str(
                "it, or a certificate on its path, is not valid yet: compare the clocks of this \
                 machine and of the issuer",
            ),
            Self::WrongName { expected, presented, .. } if presented.is_empty() => {
                write!(
                    f,
                    "it is not for {expected:?}: it has no DNS name and no IP address; issue one \
                     that has"
                )
            }
            Self::WrongName { expected, presented, more } => {
                write!(f, "it is not for {expected:?}, but for ")?;
                for (index, name) in presented.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, name.escape_debug())?;
                }
                if *more > 0 {
                    write!(f, " and {more} more")?;
                }
                f.write_str(": connect by such a name, or issue one for the expected name")
            }
            Self::Malformed => f.write_str(
                "it is not a well-formed X.509 certificate or public key: have it issued again"
            ),
            Self::BadSignature => f.write_str(
                "a signature on its path is wrong: a certificate was changed, or its issuer did \
                 not sign it",
            ),
            Self::UnsupportedAlgorithm => f.write_str(
                "its key, or a signature on its path, is not Ed25519, and fleeting accepts nothing \
                 else: use an Ed25519 key and an authority with one",
            ),
            Self::BrokenHash => f.write_str(
                "a signature on its path uses MD5 or SHA-1, which are not secure any more: have it \
                 issued with Ed25519",
            ),
            Self::UnsupportedExtension => f.write_str(
                "it has a critical extension or a version that is not supported: have it issued \
                 without that",
            ),
            Self::KeyUsage => f.write_str(
                "its key usage does not allow digitalSignature: have it issued with that"
            ),
            Self::ExtendedKeyUsage => f.write_str(
                "its extended key usage does not allow this role: have it issued for serverAuth or \
                 clientAuth",
            ),
            Self::NameConstraint => f.write_str(
                "a name constraint on its path forbids one of its names: have it issued by an \
                 authority that may name it",
            ),
            Self::PathConstraint => f.write_str(
                "its path is not allowed: a CA certificate is used as a leaf, a leaf as a CA, or \
                 the path is longer than a CA on it allows",
            ),
            Self::TooComplex => f.write_str(
                "its chain takes more certificates or more work than is allowed: shorten it"
            ),
            Self::Revoked => f.write_str(
                "it, or a certificate on its path, was revoked by its issuer: have a new one issued"
            ),
            Self::UnknownRevocation => f.write_str(
                "no revocation list says whether it, or a certificate on its path, was revoked: \
                 load a list from each authority, or use RevocationLists::allow_unknown",
            ),
            Self::RevocationListExpired => f.write_str(
                "the revocation list for it, or for a certificate on its path, has expired: reload \
                 a newer one, or use RevocationLists::allow_expired",
            ),
            Self::RevocationListNotIssuers => f.write_str(
                "the revocation list for it, or for a certificate on its path, is not signed by \
                 its issuer, or the issuer may not sign lists: reload a list from the issuer",
            ),
        }
    }
}

impl std::error::Error for CertificateError {}
