//! What the handshake asks the application, in both roles.

pub(super) mod configuration;
pub(super) mod signature;
