//! What the applications share.

pub mod listener;
pub mod metrics;
pub mod pki;
pub mod rpc;
