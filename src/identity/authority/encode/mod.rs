//! What an authority signs, as DER, through `x509-cert`.

pub(crate) mod certificate;
pub(crate) mod parts;
pub(super) mod revocation_list;
