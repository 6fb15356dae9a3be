//! Outgoing records.

pub(super) mod corking;
pub(super) mod key_updates;
