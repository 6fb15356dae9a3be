//! Whom we trust: roots, and keys bound to names; and what authorities revoked.
//!
//! ```text
//! trust              Trust: from a peer's certificates, or its raw key, to a VerifiedIdentity
//! path               certificate -> root, by rustls-webpki, with Ed25519 as the only algorithm
//! svid               the SPIFFE ID of a certificate
//! revocation_lists   RevocationLists: the certificates that authorities revoked
//! digest             two `Trust`s have the same digest if they decide the same
//! ```

mod acceptance;
mod digest;
pub(super) mod path;
pub(super) mod revocation_lists;
pub(super) mod svid;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod trust;

pub use acceptance::Acceptance;
pub use revocation_lists::RevocationLists;
pub use trust::{SkippedRoot, Trust};
