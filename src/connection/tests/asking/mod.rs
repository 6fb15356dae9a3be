//! The questions of a handshake to the application, in both roles.

pub(super) mod configuration;
pub(super) mod signature;
