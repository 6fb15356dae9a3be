//! Pre-shared keys (RFC 9846, 2.2): those that two parties were given outside of TLS, and those that one connection leaves for the next (4.7.1).
//!
//! ```text
//! external_psk ExternalPsk: a secret from outside, and what is offered and accepted under it
//! resumable    Session: what resuming passes on, and how long anything may; Whose, EarlyTerms
//!
//! server                                                       client
//! key_ring     TicketKeys: which key seals now     ── ticket ──> cache    SessionCache: by what was asked for, each once
//!   ticket     TicketContent to a ticket and back  <── ticket ──
//!   ticket_key TicketKey: its name, its time, and a one-time key for each ticket
//! replay       ReplayGuard: no early data twice
//! ```
//!
//! A server keeps nothing: all of a session stands in the ticket, sealed. A ticket that does not open, for whatever reason, is no error and says no
//! reason: the handshake is a full one then. What a ticket is bound to (the server's name, whom it trusts, ...) is 32 bytes that the server hands in.

mod cache;
mod external_psk;
mod key_ring;
mod psk_identity;
mod replay;
mod resumable;
mod ticket;
mod ticket_key;

#[cfg(test)]
mod tests;

pub use cache::SessionCache;
pub(crate) use cache::{ClientSession, PER_SERVER, SessionKey, StoredSessions};
pub use external_psk::{ExternalPsk, PskNames};
pub(crate) use external_psk::{ExternalPsks, WirePsk};
pub use key_ring::TicketKeys;
pub use psk_identity::PskIdentity;
pub use replay::{ReplayEntry, ReplayGuard, ReplayStore, ReplayVerdict};
pub(crate) use resumable::{EarlyTerms, Session, Whose};
pub(crate) use ticket::{OpenedTicket, TicketContent};
pub use ticket_key::TicketKey;
