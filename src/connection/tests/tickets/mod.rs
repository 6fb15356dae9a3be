//! Tickets (RFC 9846, 4.3.11 and 4.7.1), in both roles.

pub(super) mod client;
pub(super) mod given;
mod revoked;
pub(super) mod server;
