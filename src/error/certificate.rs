//! [`CertificateError`]: why a peer's certificate or key was not accepted.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use der::DateTime;

use super::list::Names;
use crate::code_point::AlertDescription;

/// Why a peer's certificate or key was not accepted.
///
/// [`Error`](crate::Error#certificates) has a table of all of them: alert, usual cause and remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// No path from the certificate to a trusted root was found.
    UnknownIssuer {
        /// The issuer where the path ends, as text (RFC 4514), at most 128 characters of it.
        issuer: String,
        /// The subjects of the trusted roots, at most 16 of them, in the same form.
        trusted: Vec<String>,
        /// How many more roots are trusted.
        more: usize,
    },
    /// The certificate names itself as its issuer, no root vouches for it, and its key is not
    /// trusted.
    SelfSigned {
        /// Its key as text, as [`PublicKey`](crate::PublicKey) writes and reads it.
        key: String,
    },
    /// The key is not among the keys that are trusted for this name.
    UntrustedKey {
        /// The key as text, as [`PublicKey`](crate::PublicKey) writes and reads it.
        key: String,
    },
    /// The certificate, or one on its path, has expired.
    Expired {
        /// The subject of the expired certificate as text (RFC 4514), or its first name if the
        /// subject is empty, at most 128 characters of it.
        subject: String,
        /// Its last moment, as time since 1970-01-01 00:00:00 UTC.
        not_after: Duration,
    },
    /// The certificate, or one on its path, is not valid yet.
    NotValidYet {
        /// The subject of the certificate that is not valid yet, as in
        /// [`Expired`](Self::Expired).
        subject: String,
        /// Its first moment, as time since 1970-01-01 00:00:00 UTC.
        not_before: Duration,
    },
    /// The certificate, or one on its path, has a date before 1970.
    DateBefore1970 {
        /// The date, such as `1950-01-01`.
        date: String,
    },
    /// The certificate does not name the expected peer.
    WrongName {
        /// The expected name.
        expected: String,
        /// The DNS names and IP addresses in the certificate, at most 16 of them. If a SPIFFE ID
        /// was expected, the one in the certificate.
        presented: Vec<String>,
        /// How many more names the certificate has.
        more: usize,
    },
    /// The certificate has no SPIFFE ID that counts: it is not an X.509-SVID.
    NotAnSvid {
        /// What it lacks.
        reason: &'static str,
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
    /// A certificate is not of X.509 version 3, as RFC 9846, 4.5.1.2 requires it, even if its key
    /// is trusted.
    UnsupportedVersion {
        /// The version, such as 1, or 0 if it is no version at all.
        version: u8,
    },
    /// A certificate has a critical extension that is not supported.
    UnsupportedExtension {
        /// The extension's object identifier, such as `2.5.29.32`, if it can be read.
        id: Option<String>,
    },
    /// The certificate's key usage does not allow digitalSignature (RFC 9846, 4.5.1.2).
    KeyUsage,
    /// The certificate's extended key usage does not allow its role (server or client).
    ExtendedKeyUsage,
    /// A name constraint on the path forbids a name.
    NameConstraint,
    /// The peer's own certificate is an authority's (CA).
    AuthorityAsLeaf,
    /// The certificate is given as an authority's (CA), but it is not one.
    NotAnAuthority,
    /// A certificate on the path issued another one, but is not an authority's (CA).
    IssuerNotAnAuthority,
    /// The path is longer than an authority on it, or its root, allows (pathLenConstraint).
    PathTooLong,
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
            Self::UnknownIssuer { .. } | Self::SelfSigned { .. } | Self::UntrustedKey { .. } => {
                AlertDescription::UNKNOWN_CA
            }
            Self::Expired { .. } | Self::NotValidYet { .. } => {
                AlertDescription::CERTIFICATE_EXPIRED
            }
            Self::WrongName { .. }
            | Self::NotAnSvid { .. }
            | Self::Malformed
            | Self::BadSignature
            | Self::BrokenHash
            | Self::DateBefore1970 { .. }
            | Self::NameConstraint
            | Self::AuthorityAsLeaf
            | Self::NotAnAuthority
            | Self::IssuerNotAnAuthority
            | Self::PathTooLong
            | Self::TooComplex => AlertDescription::BAD_CERTIFICATE,
            Self::UnsupportedAlgorithm
            | Self::UnsupportedVersion { .. }
            | Self::UnsupportedExtension { .. }
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
            Self::UnknownIssuer {
                issuer,
                trusted,
                more,
            } => write!(
                f,
                "no path leads from it to a trusted root (issued by {issuer}; trusted: {}): add \
                 its root to the trust, or configure the peer to send its whole chain; a peer \
                 without an authority is trusted by its key (Trust::key_for)",
                Names(trusted, *more)
            ),
            Self::SelfSigned { key } => write!(
                f,
                "it names itself as its issuer, so it is self-signed, and no root vouches for it: \
                 if {key} is the peer's key, trust it with Trust::key_for (or, if an authority of \
                 the same name issued the certificate, add that one's certificate as a root)",
            ),
            Self::UntrustedKey { key } => write!(
                f,
                "its key {key} is not among the trusted keys (for the expected name, if there is \
                 one): if it is the peer's, add the key to the trust (Trust::key_for)",
            ),
            Self::Expired { subject, not_after } => write!(
                f,
                "the certificate of {subject} expired at {}: renew it, or correct the clock of \
                 this machine",
                Date(*not_after)
            ),
            Self::NotValidYet { subject, not_before } => write!(
                f,
                "the certificate of {subject} is not valid before {}: compare the clocks of this \
                 machine and of the issuer",
                Date(*not_before)
            ),
            Self::DateBefore1970 { date } => write!(
                f,
                "it, or a certificate on its path, has the date {date}, but dates before 1970 are \
                 not supported: have it issued with a later one"
            ),
            Self::WrongName { expected, presented, .. } if presented.is_empty() => {
                write!(
                    f,
                    "it is not for {expected:?}: it has no DNS name and no IP address; issue one \
                     that has"
                )
            }
            Self::WrongName { expected, presented, more } => {
                let names: Vec<_> = presented
                    .iter()
                    .map(|name| name.escape_debug().to_string())
                    .collect();
                let names = Names(&names, *more);
                write!(f, "it is not for {expected:?}, but for {names}")?;
                // RFC 6066, section 3: server_name carries no literal addresses.
                if expected.parse::<IpAddr>().is_ok() {
                    f.write_str(
                        " (an IP address is not sent as server_name, so the server could not \
                         choose a certificate by it)",
                    )?;
                }
                if presented.iter().any(|name| is_too_wide(name)) {
                    f.write_str(" (a wildcard must have two labels after it)")?;
                }
                f.write_str(": connect by such a name, or issue one for the expected name")
            }
            Self::NotAnSvid { reason } => write!(
                f,
                "it is not an X.509-SVID, because {reason}: have one issued with a SPIFFE ID \
                 (spiffe://TRUST-DOMAIN/PATH) as its only URI"
            ),
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
            Self::UnsupportedVersion { version } => write!(
                f,
                "it is of X.509 version {version}, but TLS 1.3 requires version 3: have it issued \
                 with extensions (for openssl x509 -req, add -extfile)"
            ),
            Self::UnsupportedExtension { id } => write!(
                f,
                "it has a critical extension{}{} that is not supported: have it issued without it, \
                 or not critical",
                if id.is_some() { " " } else { "" },
                id.as_deref().unwrap_or_default()
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
            Self::AuthorityAsLeaf => f.write_str(
                "it is an authority's (CA), which is not accepted as a peer's own: have one issued \
                 that is not a CA, or trust its key with Trust::key_for",
            ),
            Self::NotAnAuthority => f.write_str(
                "it is not an authority's (basicConstraints CA, key usage keyCertSign): give the \
                 certificate of its issuer, or trust a peer by its own certificate with \
                 Trust::key_for",
            ),
            Self::IssuerNotAnAuthority => f.write_str(
                "an issuer on its path is not an authority (basicConstraints CA, key usage \
                 keyCertSign): have it issued by one",
            ),
            Self::PathTooLong => f.write_str(
                "its path is longer than an authority on it allows (path length in \
                 basicConstraints): have it issued by an authority that is nearer to the root",
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

/// A moment since 1970, as text in the form of RFC 3339.
pub(super) struct Date(pub(super) Duration);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_unix_duration(self.0) {
            Ok(date) => date.fmt(f),
            // After the year 9999.
            Err(_) => write!(f, "{} seconds after 1970-01-01", self.0.as_secs()),
        }
    }
}

/// Returns true for a wildcard with a single label after it, such as `*.internal`, which path
/// validation does not accept for any name.
fn is_too_wide(name: &str) -> bool {
    name.strip_prefix("*.")
        .is_some_and(|rest| !rest.contains('.'))
}
