//! Who we are and whom we trust.
//!
//! ```text
//! name          ServerName: whom a client wants to reach (RFC 6066, section 3)
//! public_key    PublicKey: 32 bytes, shown as base64 of the SubjectPublicKeyInfo (RFC 8410)
//! pem, key      PEM sections (RFC 7468) and PKCS#8 private keys (RFC 5958, RFC 8410)
//! certificate   the fields of an X.509 certificate (RFC 5280) that we look at ourselves
//! constraints   the names that an authority may issue for
//! issue         makes certificates; authority: a private PKI, for people
//! own           Identity: our key and the chain we show; signer: a key that is held elsewhere
//! path          certificate -> root, by rustls-webpki, with Ed25519 as the only algorithm
//! revocation    RevocationLists: what authorities took back; revoking: makes such lists
//! trust         Trust: roots, and keys bound to names; digest: the same for one that says the same
//! peer          VerifiedIdentity, once Trust accepted it; Peer, once the handshake proved it
//! ```
//!
//! A peer's certificates go one way: `Trust::verify_server` or `verify_client`, or `verify_server_key` or `verify_client_key` for a raw public key
//! (RFC 7250), turns bytes into a `VerifiedIdentity`, which has the key that the CertificateVerify is checked with (RFC 9846, 4.5.2); only after that
//! does the handshake make the [`Peer`] that an application sees. A ticket carries that past the handshake (`Peer::to_ticket`).
//!
//! Everything here follows an application profile of our own (RFC 9846, 9.1): keys are Ed25519, and so are the signatures on a path. Names count
//! only in subjectAltName.

mod authority;
mod certificate;
mod constraints;
mod digest;
mod issue;
mod key;
mod name;
mod own;
mod path;
mod peer;
mod pem;
mod public_key;
mod revocation;
mod revoking;
mod signer;
mod trust;

#[cfg(test)]
mod tests;

pub use authority::{Authority, AuthorityBuilder, CertificateBuilder};
pub use issue::Validity;
pub use name::ServerName;
pub use own::Identity;
pub use peer::Peer;
#[allow(unused_imports)] // until the floors above exist
pub(crate) use peer::VerifiedIdentity;
pub use public_key::PublicKey;
pub use revocation::RevocationLists;
pub use revoking::RevocationListBuilder;
pub use signer::Signer;
pub use trust::Trust;
