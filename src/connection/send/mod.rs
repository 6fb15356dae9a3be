//! What goes out.
//!
//! ```text
//! messages, tickets, KeyUpdates, alerts ─┬─> Sender: seal ─> output
//! application data ─> gathered ──────────┘
//! ```
//!
//! [`SendSide`](send_side::SendSide) is what receiving demands of sending.

mod alerts;
mod data;
mod early_data;
mod extended_key_updates;
mod key_updates;
pub(super) mod pending_key_updates;
mod renewal;
pub(super) mod send_side;
pub(super) mod sender;
mod tickets;

#[cfg(all(test, target_os = "linux"))]
pub(crate) use extended_key_updates::seeded::seed_updates;
