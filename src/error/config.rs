//! [`ConfigError`] and [`NameError`]: why a setting, a file, a key or a name is refused.

use core::fmt;

/// Why a setting, a file, a key or another argument is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A PEM text has no section of the expected kind.
    NoPemSection {
        /// The section that was looked for, such as `CERTIFICATE` or `PRIVATE KEY`.
        wanted: &'static str,
        /// The section that the text has instead, if any, such as `PRIVATE KEY`.
        found: Option<String>,
    },
    /// A text is not well-formed PEM (RFC 7468).
    Pem {
        /// The number of the line, counted from 1.
        line: usize,
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// A file could not be read.
    File {
        /// The path of the file.
        path: String,
        /// Why this failed.
        reason: String,
    },
    /// A key log file (feature `key-log`) cannot be opened, or is refused because others may read
    /// it.
    KeyLogFile {
        /// The path of the file.
        path: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// The content of a file cannot be used.
    InFile {
        /// The path of the file.
        path: String,
        /// Why its content is refused.
        error: Box<ConfigError>,
    },
    /// A certificate is not well-formed, or cannot be used for its purpose.
    Certificate {
        /// Its position in the chain or file, counted from 0.
        index: usize,
        /// What is wrong with it.
        error: super::certificate::CertificateError,
    },
    /// Certificates that were checked with [`Trust::check_server`](crate::Trust::check_server) or
    /// [`Trust::check_client`](crate::Trust::check_client) would not be accepted.
    NotAccepted {
        /// Why they would be refused.
        error: super::certificate::CertificateError,
    },
    /// A certificate revocation list (CRL) cannot be used.
    RevocationList {
        /// Its position in the file, counted from 0.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A private key is not well-formed PKCS#8 for Ed25519 (RFC 8410).
    Key {
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// The private key does not belong to the first certificate of the chain.
    KeyMismatch,
    /// The private key was asked for, but is held elsewhere.
    KeyElsewhere,
    /// A text is not a public key.
    PublicKey {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A required value is missing.
    Missing {
        /// What is missing, and how to set it.
        what: &'static str,
    },
    /// A setting has a value that is not allowed.
    Setting {
        /// The setting.
        name: &'static str,
        /// What is wrong with its value.
        reason: &'static str,
    },
    /// A certification request (CSR) cannot be used.
    Request {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A certificate or a revocation list cannot be issued.
    Issue {
        /// Why this failed.
        reason: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPemSection {
                wanted,
                found: Some(found),
            } => {
                write!(
                    f,
                    "expected a PEM section {wanted:?}, found {found:?}: check whether two \
                     arguments are swapped"
                )
            }
            Self::NoPemSection {
                wanted,
                found: None,
            } => {
                write!(
                    f,
                    "expected a PEM section {wanted:?}, found none: check the file or text"
                )
            }
            Self::Pem { line, reason } => write!(f, "line {line} of the PEM is refused: {reason}"),
            Self::File { path, reason } => write!(f, "cannot read {path:?}: {reason}"),
            Self::KeyLogFile { path, reason } => {
                write!(f, "cannot log secrets to {path:?}: {reason}")
            }
            Self::InFile { path, error } => write!(f, "{path:?}: {error}"),
            Self::Certificate { index, error } => {
                write!(
                    f,
                    "certificate {index} (the first is 0) cannot be used: {error}"
                )
            }
            Self::NotAccepted { error } => {
                write!(f, "the certificate would not be accepted: {error}")
            }
            Self::RevocationList { index, reason } => {
                write!(
                    f,
                    "revocation list {index} (the first is 0) cannot be used: {reason}"
                )
            }
            Self::Key { reason } => write!(f, "the private key cannot be used: {reason}"),
            Self::KeyMismatch => f.write_str(
                "the private key does not belong to the first certificate: pass the key of that \
                 certificate, and the chain with it first",
            ),
            Self::KeyElsewhere => f.write_str(
                "the private key is held elsewhere and only signs for this identity: copy it where \
                 whoever holds it allows that",
            ),
            Self::PublicKey { reason } => write!(f, "the public key cannot be used: {reason}"),
            Self::Missing { what } => write!(f, "a required value is missing: {what}"),
            Self::Setting { name, reason } => write!(f, "{name} is not valid: {reason}"),
            Self::Request { reason } => {
                write!(f, "the certification request cannot be used: {reason}")
            }
            Self::Issue { reason } => {
                write!(
                    f,
                    "the certificate or revocation list cannot be issued: {reason}"
                )
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// Why a text is refused as a server name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    Empty,
    /// The name contains a port.
    Port {
        /// The name without the port.
        name: String,
    },
    /// The name is not ASCII. Write it in Punycode (`xn--...`).
    NotAscii,
    /// The name is neither a DNS name nor an IP address.
    Invalid,
    /// The name is meant as a URI, and is not a valid one.
    Uri,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "it is empty: pass a name, or use connect_unnamed to connect without one",
            ),
            Self::Port { name } => {
                write!(
                    f,
                    "it contains a port: pass {name:?} alone, and the port to the transport"
                )
            }
            Self::NotAscii => f.write_str("it is not ASCII: write it in Punycode (xn--...)"),
            Self::Invalid => f.write_str(
                "it is neither a DNS name nor an IP address: pass one without scheme or path; the \
                 last label of a DNS name is not a number",
            ),
            Self::Uri => f.write_str(
                "it is not a valid URI: a SPIFFE ID is spiffe://TRUST-DOMAIN/PATH, the trust \
                 domain in lower case, without percent-encoding, and without a slash at the end",
            ),
        }
    }
}

impl std::error::Error for NameError {}
