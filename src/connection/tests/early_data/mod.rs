//! Early data (RFC 9846, 4.3.10 and section 8), in both roles.

pub(super) mod answered;
pub(super) mod client;
pub(super) mod client_refused;
pub(super) mod end;
pub(super) mod received;
pub(super) mod replays;
pub(super) mod skipped;
pub(super) mod terms;
