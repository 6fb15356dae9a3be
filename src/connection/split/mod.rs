//! A connection in two halves, one a thread: [`ReceiveHalf`] and [`SendHalf`], and what they share.
//!
//! What they have to tell each other goes through [`Notes`]; the sending half is locked by [`Shared`].

mod notes;
mod receive_half;
mod send_half;
mod shared;

use crate::connection::sans_io::Connection;

pub(crate) use notes::Notes;
pub(crate) use receive_half::ReceiveHalf;
pub(crate) use send_half::SendHalf;
pub(crate) use shared::Shared;

impl Connection {
    /// The two halves, after the handshake, and the notes that they begin with.
    pub(crate) fn split(self) -> (ReceiveHalf, SendHalf, u8) {
        let notes = if self.sender.key_updates.awaited() { notes::AWAITED } else { 0 };
        (ReceiveHalf { receiver: self.receiver }, SendHalf { sender: self.sender }, notes)
    }
}
