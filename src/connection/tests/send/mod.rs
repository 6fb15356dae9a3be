//! Outgoing records.

pub(super) mod corking;
