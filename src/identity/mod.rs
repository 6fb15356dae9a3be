//! Who we are and whom we trust.
//!
//! ```text
//! own/         who we are: Identity, its PKCS#8 key, and Signer for a key held elsewhere
//! trust/       whom we trust: Trust, certification paths, revocation lists
//! authority/   a private PKI: Authority, and the certificates and lists that it issues
//! reload/      own/ and trust/ from files that change while a program runs
//!
//! certificate         the fields of an X.509 certificate (RFC 5280) that we read ourselves
//! certificate_info    CertificateInfo: what an application can learn from it
//! alt_name            the names in a certificate (subjectAltName)
//! der                 reads DER element by element
//! distinguished_name  a subject's or issuer's name as text (RFC 4514)
//! extensions          KeyUsage, BasicConstraints, ExtendedKeyUsage
//! validity            Validity: the period in which a certificate is valid
//! profile             what all certificates that we make have in common
//! pem                 PEM sections (RFC 7468)
//! public_key          PublicKey: 32 bytes, shown as base64 of the SubjectPublicKeyInfo (RFC 8410)
//! uri                 URIs in certificates, and SPIFFE IDs
//! server_name         ServerName: the server that a client wants (RFC 6066, section 3)
//! peer                VerifiedIdentity, once Trust accepted it; Peer, once the handshake proved it
//! ```
//!
//! `Trust::verify_server` or `verify_client` turns a peer's certificates into a `VerifiedIdentity`,
//! and `verify_server_key` or `verify_client_key` does so for a raw public key (RFC 7250). It has
//! the key that verifies the CertificateVerify (RFC 9846, 4.5.2). Only after that does the
//! handshake make the [`Peer`] that an application sees. A ticket carries the peer from one
//! handshake to the next (`Peer::to_ticket`).
//!
//! Everything here follows an application profile of our own (RFC 9846, 9.1): keys are Ed25519, and
//! so are the signatures on a path. Names count only in subjectAltName.

mod alt_name;
#[cfg(any(test, fuzzing, feature = "authority"))]
mod authority;
mod certificate;
mod certificate_info;
mod der;
mod distinguished_name;
mod extensions;
mod own;
mod peer;
mod pem;
mod profile;
mod public_key;
mod reload;
mod server_name;
mod trust;
mod uri;
mod validity;

#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing, feature = "authority"))]
pub use authority::{
    Authority, AuthorityBuilder, CertificateBuilder, CertificationRequest, RevocationListBuilder,
};
pub use certificate_info::CertificateInfo;
#[cfg(feature = "tracing")]
pub(crate) use distinguished_name::plain;
pub use own::{Identity, Signer};
pub use peer::Peer;
#[allow(unused_imports)] // until the floors above exist
pub(crate) use peer::VerifiedIdentity;
pub use public_key::PublicKey;
pub use reload::{CredentialFiles, Credentials, ReloadEvent, ReloadPart, Reloading};
pub use server_name::ServerName;
pub use trust::{Acceptance, RevocationLists, SkippedRoot, Trust};
pub use validity::Validity;
