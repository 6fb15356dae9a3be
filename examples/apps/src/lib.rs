//! What the applications share.

pub mod listener;
pub mod pki;
pub mod postgres;
pub mod rpc;
