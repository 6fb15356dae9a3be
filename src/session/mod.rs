//! Pre-shared keys (RFC 9846, 2.2): those that two parties received outside of TLS, and those that
//! one connection leaves for the next (4.7.1).
//!
//! ```text
//! external/    ExternalPsk: a secret from outside, and what is offered and accepted under it
//! session      Session: what resumption carries, and its bounds; Whose, EarlyTerms
//!
//! server                                                   client
//! tickets/     TicketKeys: seals and opens ── ticket ──>   cache   SessionCache: sessions by what
//!              tickets, with a TicketKey   <── ticket ──           was asked for, each used once
//! replay       ReplayGuard: no early data twice
//! revoked      RevokedSessions: tickets that are refused before they expire
//! ```
//!
//! A server stores nothing: a session is entirely in its sealed ticket. A ticket that does not
//! open, for whatever reason, is not an error: the handshake is then a full one. What a ticket is
//! bound to (the server's name, whom it trusts, ...) is 32 bytes that the server passes in.

mod cache;
mod external;
mod replay;
mod revoked;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod session;
mod tickets;

#[cfg(test)]
mod tests;

pub use cache::SessionCache;
pub(crate) use cache::{ClientSession, PER_SERVER, SessionKey, StoredSessions};
pub use external::{ExternalPsk, PskIdentity, PskNames};
pub(crate) use external::{ExternalPsks, WirePsk};
pub use replay::{ReplayEntry, ReplayGuard, ReplayStore, ReplayVerdict};
pub use revoked::RevokedSessions;
pub(crate) use session::{EarlyTerms, MAX_TICKET_LEN, Session, Whose};
pub(crate) use tickets::{OpenedTicket, TicketContent};
pub use tickets::{TicketKey, TicketKeys};
