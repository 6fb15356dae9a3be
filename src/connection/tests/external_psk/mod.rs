//! External PSKs (RFC 9846, 4.3.11; RFC 9258), in both roles.

pub(super) mod client;
pub(super) mod server;
