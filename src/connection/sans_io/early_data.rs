//! Early data: sent and received before the handshake is complete (RFC 9846, 4.3.10).

use crate::connection::machine::Machine;
use crate::connection::sans_io::connection::Connection;
use crate::error::Error;
use crate::handshake::Negotiated;

impl Connection {
    /// Returns early data that the client sent and the application has not yet
    /// [consumed](Self::consume) (RFC 9846, 4.3.10). Nothing else is processed before it is
    /// consumed, so that it is never mixed with data from after the handshake.
    ///
    /// The sender holds the session's key, but **the data may be a replay**: until
    /// [`is_handshaking`](Self::is_handshaking) returns false, nobody has proven to be present. If
    /// the data is kept until then, nobody but the client itself can have sent it twice.
    pub fn early_plaintext(&self) -> &[u8] {
        if self.receiver.records.is_early_data() {
            self.receiver.records.deframer.held()
        } else {
            &[]
        }
    }

    /// Returns what a server knows of the handshake while it reads early data: what was agreed on,
    /// and whose session it is. **The client has not proven to be present yet.** It becomes
    /// [`negotiated`](Self::negotiated) when the handshake is complete.
    pub fn early_negotiated(&self) -> Option<Negotiated> {
        match &self.receiver.machine {
            Machine::Server(state) => state.early_negotiated(),
            _ => None,
        }
    }

    /// Takes data to send before the handshake is complete, as much as the output has room for, and
    /// returns how many bytes it took.
    ///
    /// * For a client this is early data. It can be sent as soon as the connection is made, if it
    ///   is [allowed](crate::ClientBuilder::early_data) and a session permits it, up to
    ///   [`early_data_left`](Self::early_data_left) bytes. [`Negotiated::early_data`] tells
    ///   afterwards whether the server accepted or rejected it, always as a whole. Nothing is sent
    ///   again automatically. **Early data can be replayed**: see
    ///   [`ClientBuilder::early_data`](crate::ClientBuilder::early_data).
    /// * For a server this is an answer to early data that it accepted. Only the holder of the
    ///   session's key can read it, but whether the client is present is known only when the
    ///   handshake is complete.
    ///
    /// Returns 0 if the output must be sent first, or if nothing may be sent early: not yet, no
    /// longer, or not at all.
    ///
    /// # Errors
    /// Returns the error that the connection failed with, [`Error::Closed`] after
    /// [`close`](Self::close), or [`Error::KeyLimit`].
    pub fn write_early_data(&mut self, data: &[u8]) -> Result<usize, Error> {
        if let Some(error) = &self.receiver.failed {
            return Err(error.clone());
        }
        let written = match &self.receiver.machine {
            _ if !self.takes_early_data() => Ok(0),
            // The server's Finished is sent, so its sending key is the application's.
            Machine::Server(_) => self
                .sender
                .data(&[data])
                .and_then(|taken| self.sender.flush().map(|()| taken)),
            _ => self.sender.early_data(data),
        };
        self.or_fail(written)
    }

    /// Returns true if [`write_early_data`](Self::write_early_data) may be called now.
    pub fn takes_early_data(&self) -> bool {
        match &self.receiver.machine {
            Machine::Client(_) => self.sender.early_data_left() > 0,
            Machine::Server(state) => state.accepted_early_data(),
            Machine::ClientAsking(_) | Machine::ServerAsking(_) | Machine::Failed => false,
        }
    }

    /// Returns how many bytes of early data a client may still [send](Self::write_early_data): 0
    /// once the server has answered, or if none is offered.
    pub fn early_data_left(&self) -> usize {
        self.sender.early_data_left()
    }
}
