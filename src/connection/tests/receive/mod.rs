//! Incoming records.

pub(super) mod alignment;
pub(super) mod flood_limit;
pub(super) mod long_messages;
pub(super) mod record_receiver;
