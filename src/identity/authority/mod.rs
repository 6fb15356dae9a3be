//! A small private PKI. Everything that exists only in order to issue certificates and revocation
//! lists is here. Nothing outside this folder imports from it, except tests.
//!
//! ```text
//! authority                 Authority and AuthorityBuilder
//! certificate_builder       CertificateBuilder: one certificate
//! revocation_list_builder   RevocationListBuilder: one certificate revocation list
//! request                   CertificationRequest: what somebody else wants to have certified
//! issuer                    the key and the certificates that all of them issue with
//! name_constraints          the names that an authority may issue for
//! encode/                   what is signed, as DER
//! ```

#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod authority;
mod certificate_builder;
pub(super) mod encode;
mod issuer;
mod name_constraints;
mod request;
mod revocation_list_builder;

pub use authority::{Authority, AuthorityBuilder};
pub use certificate_builder::CertificateBuilder;
pub use request::CertificationRequest;
pub use revocation_list_builder::RevocationListBuilder;
