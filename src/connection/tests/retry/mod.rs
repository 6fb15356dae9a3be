//! HelloRetryRequest (RFC 9846, 4.2.4), in both roles.

pub(super) mod client;
pub(super) mod server;
