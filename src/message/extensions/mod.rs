//! Extensions (RFC 9846, 4.3): the block that contains them, and the content of each.
//!
//! Each extension whose content is more than a number or a list of code points has a file. The
//! others are in the enum of the message that has them. The order is that of RFC 9846, 4.3, then
//! those of other documents.

pub(crate) mod block;
pub(crate) mod placement;

pub(crate) mod certificate_authorities;
pub(crate) mod code_points;
pub(crate) mod key_share;
pub(crate) mod oid_filters;
pub(crate) mod pre_shared_key;

pub(crate) mod alpn;
pub(crate) mod server_name;
pub(crate) mod tls_flags;
