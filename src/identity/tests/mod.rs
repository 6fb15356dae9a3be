//! Complete scenarios (issue, load, verify), and everything that must be refused.
//!
//! ```text
//! forge                    certificates that `Authority` would not issue, by rcgen
//! refusals                 RULES: each wrong certificate with its typed error and its alert
//! trust                    roots, keys bound to names, sets of keys, and their sums
//! raw_keys                 raw public keys (RFC 7250)
//! acceptance               the offline check of certificates
//! digest                   the same trust has the same digest, any other has another
//! revocation_lists         certificate revocation lists, replaced while they are in force
//! peer                     a peer that a ticket remembers, and until when it is trusted
//! pem                      what is read as PEM, and that nothing of it is lost
//! spiffe                   SPIFFE IDs, and trust domains
//! request                  certification requests
//! reload                   files that change while they are watched
//! identity                 PKCS#8, chains: what an Identity is made of
//! signature_hash           the hash in a signature, and the channel binding that is made with it
//! signer                   keys that are held elsewhere
//! self_signed              the certificate that a key makes for itself
//! authority                what Authority makes, read again
//! revocation_list_builder  and the lists that it makes
//! words                    what errors say
//! damage                   every byte changed, cut and added; random input
//! programs                 openssl as judge (ignored: it may be missing)
//! ```

mod acceptance;
mod authority;
mod certificate_info;
mod damage;
mod digest;
mod forge;
mod identity;
mod oracle;
mod peer;
mod pem;
mod programs;
mod raw_keys;
mod refusals;
mod reload;
mod request;
mod revocation_list_builder;
mod revocation_lists;
mod self_signed;
mod signature_hash;
mod signer;
mod spiffe;
mod trust;
mod words;

use core::time::Duration;
use std::time::SystemTime;

use crate::error::CertificateError;
use crate::identity::{Identity, PublicKey, ServerName, Trust, VerifiedIdentity};
use crate::time::Now;

/// The current time, for certificates that were just made.
fn now() -> Now {
    at(SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap())
}

fn at(unix: Duration) -> Now {
    Now {
        monotonic: Duration::ZERO,
        unix,
    }
}

fn chain(identity: &Identity) -> Vec<&[u8]> {
    identity.certificates().iter().map(Vec::as_slice).collect()
}

fn name(text: &str) -> ServerName {
    ServerName::parse(text).unwrap()
}

/// Verifies as a client that connects to `host`.
fn as_server(
    trust: &Trust,
    chain: &[&[u8]],
    host: &str,
) -> Result<VerifiedIdentity, CertificateError> {
    trust.verify_server(chain, Some(&name(host)), now())
}

/// Makes the error for a certificate with this subject that expired at this Unix time.
fn expired(subject: &str, not_after: u64) -> CertificateError {
    CertificateError::Expired {
        subject: subject.to_owned(),
        not_after: Duration::from_secs(not_after),
    }
}

/// Makes the error for a certificate with this subject that is not valid before this Unix time.
fn not_valid_yet(subject: &str, not_before: u64) -> CertificateError {
    CertificateError::NotValidYet {
        subject: subject.to_owned(),
        not_before: Duration::from_secs(not_before),
    }
}

/// Makes the error for a chain that ends at this issuer, where these roots are trusted.
fn unknown_issuer(issuer: &str, trusted: &[&str]) -> CertificateError {
    CertificateError::UnknownIssuer {
        issuer: issuer.to_owned(),
        trusted: trusted.iter().map(|name| name.to_string()).collect(),
        more: 0,
    }
}

/// Makes the error for a key that is not trusted.
fn untrusted(key: impl Into<PublicKey>) -> CertificateError {
    CertificateError::UntrustedKey {
        key: key.into().to_string(),
    }
}

/// Returns the PEM text under this name in `tests/vectors/certificates.txt`.
fn vector(name: &str) -> &'static str {
    let all = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/certificates.txt"
    ));
    all.split("\n= ")
        .find_map(|part| part.strip_prefix(name)?.strip_prefix('\n'))
        .unwrap_or_else(|| panic!("no vector {name}"))
}

fn vector_der(name: &str) -> Vec<u8> {
    crate::identity::pem::certificates(vector(name).as_bytes())
        .unwrap()
        .remove(0)
}
