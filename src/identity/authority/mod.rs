//! A small private PKI.

#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod authority;
pub(super) mod issue;
mod name_constraints;
mod revocation_list_builder;

pub use authority::{Authority, AuthorityBuilder, CertificateBuilder};
pub use issue::Validity;
pub use revocation_list_builder::RevocationListBuilder;
