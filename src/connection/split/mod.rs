//! A connection in two halves, one for each of two threads: [`ReceiveHalf`] and [`SendHalf`], and
//! what they share.
//!
//! The halves communicate through [`Notes`]; [`Shared`] holds the lock around the sending half.

mod notes;
mod receive_half;
mod send_half;
mod shared;

use crate::connection::sans_io::Connection;

#[cfg(feature = "tokio")]
pub(crate) use notes::ASKED;
pub(crate) use notes::Notes;
pub(crate) use receive_half::ReceiveHalf;
pub(crate) use send_half::SendHalf;
pub(crate) use shared::Shared;

impl Connection {
    /// Splits a connection after its handshake. Returns the halves, and the notes to begin with.
    pub(crate) fn split(mut self) -> (ReceiveHalf, SendHalf, u8) {
        self.receiver.flood_limit(&mut self.sender);
        let mut notes = 0;
        if self.sender.key_updates.awaited() {
            notes |= notes::AWAITED;
        }
        if self.sender.key_updates.wants() {
            notes |= notes::WANTED;
        }
        (
            ReceiveHalf {
                receiver: self.receiver,
            },
            SendHalf {
                sender: self.sender,
            },
            notes,
        )
    }
}
