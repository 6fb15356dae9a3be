//! Early data: sent and received before the handshake is complete (RFC 9846, 4.3.10).

use crate::connection::machine::Machine;
use crate::connection::sans_io::connection::Connection;
use crate::error::Error;
use crate::handshake::Negotiated;

impl Connection {
    /// Early data that the client sent and the application has not yet [`consume`](Self::consume)d (RFC 9846, 4.3.10). Nothing else is processed before it
    /// is taken, so that it is never mixed with what comes after the handshake.
    ///
    /// Whoever sent it holds the session's key; but **it may be a replay**, and until [`is_handshaking`](Self::is_handshaking) is false nobody has shown to be
    /// there. To be safe from that, keep it until then.
    pub fn early_plaintext(&self) -> &[u8] {
        if self.receiver.records.is_early_data() { self.receiver.records.deframer.held() } else { &[] }
    }

    /// What a server knows of the handshake while it reads early data: what was agreed on, and whose session it is. **Nobody has shown to be there yet**: it
    /// becomes [`negotiated`](Self::negotiated) when the handshake is complete.
    pub fn early_negotiated(&self) -> Option<Negotiated> {
        match &self.receiver.machine {
            Machine::Server(state) => state.early_negotiated(),
            _ => None,
        }
    }

    /// Takes data to be sent before the handshake is complete, as much as may wait in the output, and returns how much.
    ///
    /// * A client: early data, from the moment when the connection is made, if it was [allowed](crate::ClientBuilder::early_data) and a session allows it;
    ///   up to [`early_data_left`](Self::early_data_left) bytes. What the server does with it says [`Negotiated::early_data`] afterwards: all of it is
    ///   accepted, or all rejected, and nothing is sent again by itself. It can be replayed: see there.
    /// * A server: its answer to early data that it has accepted. It reaches nobody who does not hold the session's key; but whether the client is there
    ///   is known only when the handshake is complete.
    ///
    /// 0 means that the output has to be sent first, or that nothing may be sent early: not now, not any more, or not at all.
    ///
    /// # Errors
    /// The error that the connection failed with, [`Error::Closed`] after [`close`](Self::close), [`Error::KeyLimit`].
    pub fn write_early_data(&mut self, data: &[u8]) -> Result<usize, Error> {
        if let Some(error) = &self.receiver.failed {
            return Err(error.clone());
        }
        let written = match &self.receiver.machine {
            _ if !self.takes_early_data() => Ok(0),
            // Its Finished is sent, so its key is that of the application.
            Machine::Server(_) => self.sender.data(&[data]).and_then(|taken| self.sender.flush().map(|()| taken)),
            _ => self.sender.early_data(data),
        };
        self.or_fail(written)
    }

    /// Whether something may be sent [early](Self::write_early_data) now.
    pub fn takes_early_data(&self) -> bool {
        match &self.receiver.machine {
            Machine::Client(_) => self.sender.early_data_left() > 0,
            Machine::Server(state) => state.accepted_early_data(),
            Machine::ClientAsking(_) | Machine::ServerAsking(_) | Machine::Failed => false,
        }
    }

    /// How many bytes of early data a client may still [send](Self::write_early_data); 0 when the server has answered, or where none is offered.
    pub fn early_data_left(&self) -> usize {
        self.sender.early_data_left()
    }
}
