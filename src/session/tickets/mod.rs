//! Sessions that a server hands to its clients, sealed, and keeps nothing of.
//!
//! ```text
//! ticket_keys   TicketKeys: which key seals now, and which keys open
//! ticket        TicketContent to a ticket and back
//! ticket_key    TicketKey: its name, its time, and a one-time key for each ticket
//! ```

pub(super) mod ticket;
pub(super) mod ticket_key;
pub(super) mod ticket_keys;

pub(crate) use ticket::{OpenedTicket, TicketContent};
pub use ticket_key::TicketKey;
pub use ticket_keys::TicketKeys;
