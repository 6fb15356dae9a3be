//! [`ConfigError`] and [`NameError`]: what is refused before a connection begins.

use core::fmt;

/// A configuration that cannot work, refused where it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A PEM text has no section of the kind that was looked for.
    NoPemSection {
        /// The section, as `CERTIFICATE` or `PRIVATE KEY`.
        wanted: &'static str,
        /// What the text has instead, as `PRIVATE KEY`, if anything.
        found: Option<String>,
    },
    /// A file could not be read.
    File {
        /// Its path.
        path: String,
        /// Why.
        reason: String,
    },
    /// A certificate is not well-formed, or not fit to be used.
    Certificate {
        /// Its place in the chain or file, from 0.
        index: usize,
        /// What is wrong with it.
        error: super::certificate::CertificateError,
    },
    /// A certificate revocation list (CRL) that cannot be used.
    RevocationList {
        /// Its place in the file, from 0.
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
    /// The private key was asked for, and is held elsewhere.
    KeyElsewhere,
    /// Text that is not a public key.
    PublicKey {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Something that must be set is not.
    Missing {
        /// What, and how to set it.
        what: &'static str,
    },
    /// A setting has a value it must not have.
    Setting {
        /// The setting.
        name: &'static str,
        /// What is wrong with its value.
        reason: &'static str,
    },
    /// A certificate, or a revocation list, could not be issued.
    Issue {
        /// Why.
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
                    "expected a PEM section {wanted:?}, found {found:?}; are two arguments swapped?"
                )
            }
            Self::NoPemSection {
                wanted,
                found: None,
            } => write!(f, "expected a PEM section {wanted:?}, found none"),
            Self::File { path, reason } => write!(f, "cannot read {path:?}: {reason}"),
            Self::Certificate { index, error } => write!(f, "certificate {index}: {error}"),
            Self::RevocationList { index, reason } => {
                write!(f, "revocation list {index}: {reason}")
            }
            Self::Key { reason } => write!(f, "private key: {reason}"),
            Self::KeyMismatch => {
                f.write_str("the private key does not belong to the first certificate")
            }
            Self::KeyElsewhere => f.write_str(
                "the private key is held elsewhere, and only signs for this identity: whoever \
                 holds it can copy it, if anybody can",
            ),
            Self::PublicKey { reason } => write!(f, "public key: {reason}"),
            Self::Missing { what } => write!(f, "missing: {what}"),
            Self::Setting { name, reason } => write!(f, "{name}: {reason}"),
            Self::Issue { reason } => write!(f, "cannot issue the certificate or list: {reason}"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// A server name that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    Empty,
    /// The name has a port in it.
    Port {
        /// The name without it.
        name: String,
    },
    /// The name is not ASCII: write it in Punycode (`xn--...`).
    NotAscii,
    /// The name is no DNS name and no IP address.
    Invalid,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("it is empty; a connection without a name is made by connect_unnamed")
            }
            Self::Port { name } => write!(
                f,
                "it has a port in it; give {name:?} alone, and the port to the transport"
            ),
            Self::NotAscii => f.write_str("it is not ASCII; write it in Punycode (xn--...)"),
            Self::Invalid => f.write_str("it is neither a DNS name nor an IP address"),
        }
    }
}

impl std::error::Error for NameError {}
