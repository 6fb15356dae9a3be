//! What the applications share.

pub mod listener;
pub mod metrics;
pub mod mqtt;
pub mod pki;
pub mod postgres;
pub mod rpc;
