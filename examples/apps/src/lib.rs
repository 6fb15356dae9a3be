//! What the applications share.

pub mod listener;
pub mod pki;
pub mod rpc;
