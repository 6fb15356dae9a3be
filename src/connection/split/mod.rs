//! A connection in two halves, one for each of two threads: [`ReceiveHalf`] and [`SendHalf`], and
//! what they share.
//!
//! The halves communicate through [`Notes`]; [`Shared`] holds the lock around the sending half.

mod notes;
mod receive_half;
mod send_half;
mod shared;

use crate::connection::sans_io::Connection;

pub(crate) use notes::Notes;
#[cfg(feature = "tokio")]
pub(crate) use notes::{ASKED, WANTED};
pub(crate) use receive_half::ReceiveHalf;
pub(crate) use send_half::SendHalf;
pub(crate) use shared::Shared;

impl Connection {
    /// Splits a connection after its handshake. Returns the halves, and the notes to begin with.
    pub(crate) fn split(mut self) -> (ReceiveHalf, SendHalf, u8) {
        self.receiver.flood_limit(&mut self.sender);
        let notes = if self.sender.key_updates.awaited() {
            notes::AWAITED
        } else {
            0
        };
        // What is wanted is known to the sending half.
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
