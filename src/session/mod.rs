//! Pre-shared keys (RFC 9846, 2.2): those that two parties were given outside of TLS, and those
//! that one connection leaves for the next (4.7.1).
//!
//! ```text
//! external/    ExternalPsk: a secret from outside, and what is offered and accepted under it
//! session      Session: what resuming passes on, and how long anything may; Whose, EarlyTerms
//!
//! server                                                   client
//! tickets/     TicketKeys: seals and opens ── ticket ──>   cache   SessionCache: by what was asked for, each once
//!              tickets, with a TicketKey   <── ticket ──
//! replay       ReplayGuard: no early data twice
//! ```
//!
//! A server keeps nothing: all of a session stands in the ticket, sealed. A ticket that does not
//! open, for whatever reason, is no error and says no reason: the handshake is a full one then.
//! What a ticket is bound to (the server's name, whom it trusts, ...) is 32 bytes that the server
//! hands in.

mod cache;
mod external;
mod replay;
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
pub(crate) use session::{EarlyTerms, Session, Whose};
pub(crate) use tickets::{OpenedTicket, TicketContent};
pub use tickets::{TicketKey, TicketKeys};
