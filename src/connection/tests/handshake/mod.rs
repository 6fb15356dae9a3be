//! Hellos, flights and the negotiated parameters, in both roles.

pub(super) mod authorities;
pub(super) mod client_flight;
pub(super) mod client_hello;
pub(super) mod groups;
pub(super) mod raw_keys;
pub(super) mod revocation;
pub(super) mod server_flight;
pub(super) mod server_hello;
pub(super) mod states;
