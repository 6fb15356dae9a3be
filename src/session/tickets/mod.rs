//! Tickets: sessions that a server seals and hands to its clients, without storing anything itself.
//!
//! ```text
//! ticket_keys   TicketKeys: the key that seals now, and the keys that open
//! ticket        a TicketContent to a ticket, and back
//! ticket_key    TicketKey: its name, its times, and a one-time key for each ticket
//! ```

pub(super) mod ticket;
pub(super) mod ticket_key;
pub(super) mod ticket_keys;

pub(crate) use ticket::{OpenedTicket, TicketContent};
pub use ticket_key::TicketKey;
pub use ticket_keys::TicketKeys;
