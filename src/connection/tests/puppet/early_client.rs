//! The puppet with early data (RFC 9846, 4.3.10), as a client.
//!
//! ```text
//! calling_early ─> say_client_hello ─> hear_flight   (`early` holds the early keys)
//!   accepted:  `write` are the early keys ─> say_end_of_early_data ─> say_client_finished
//!   rejected:  they stay in `early` ───────────────────────────────> say_client_finished
//! ```

use crate::connection::tests::puppet::session::Ticket;
use crate::connection::tests::puppet::{APPLICATION_DATA, Keys, Puppet, WORLD, message};
use crate::handshake::EarlyData;
use crate::key_schedule::EarlySecret;
use crate::message::Message;
use crate::secret::Secret;
use crate::server::{Server, ServerBuilder};
use crate::session::ReplayGuard;

/// A guard with enough space.
pub(crate) fn guard() -> ReplayGuard {
    ReplayGuard::in_memory(1000)
}

pub(crate) fn builder() -> ServerBuilder {
    Server::builder().identity(WORLD.server.clone())
}

/// A server that accepts this much early data.
pub(crate) fn taking(max_size: u32) -> Server {
    builder().early_data(max_size, guard()).build().unwrap()
}

/// Returns a ticket of this server.
pub(crate) fn ticket_of(server: &Server) -> Ticket {
    Puppet::tickets_of(server).pop().expect("a ticket")
}

/// A record of early data.
pub(crate) fn early(keys: &mut Keys, content: &[u8]) -> Vec<u8> {
    keys.seal(0x0303, &[content, &[APPLICATION_DATA]].concat())
}

impl Puppet {
    /// Returns a client that offers early data under this ticket.
    pub(crate) fn calling_early(server: &Server, ticket: &Ticket) -> Self {
        let mut puppet = Self::calling_with_ticket(server, ticket);
        puppet.offers_early_data = true;
        puppet
    }

    /// A server with this limit has accepted early data, and waits for it.
    pub(crate) fn accepted(max_size: u32) -> Self {
        let server = taking(max_size);
        Self::accepted_by(&server, &ticket_of(&server))
    }

    /// The same, with this server and under this ticket.
    pub(crate) fn accepted_by(server: &Server, ticket: &Ticket) -> Self {
        let mut puppet = Self::calling_early(server, ticket);
        puppet.say_client_hello();
        puppet.hear_flight();
        assert_eq!(puppet.state(), "WAIT_EOED");
        puppet
    }

    /// RFC 9846, 7.1: client_early_traffic_secret covers the ClientHello, and is derived from the
    /// first PSK.
    pub(crate) fn derive_early_keys(&mut self, hello: &[u8]) {
        if self.offers_early_data {
            let psk = &self.psks[0];
            let early = EarlySecret::new(psk.suite.hash(), Some(&Secret::copy_of(&psk.key)));
            self.early = Some(Keys::new(
                psk.suite,
                early.client_early_traffic(&psk.suite.hash().hash(hello)),
            ));
        }
    }

    /// RFC 9846, 4.3.10: early_data in EncryptedExtensions accepts it. Our handshake key then waits
    /// for its end.
    pub(crate) fn defer_if_accepted(&mut self, encrypted_extensions: &[u8]) {
        let Message::EncryptedExtensions(answers) = Message::decode(encrypted_extensions).unwrap()
        else {
            panic!("{encrypted_extensions:?}")
        };
        if answers.early_data() {
            let early = self.early.take().expect("early data that was offered");
            self.deferred = self.write.replace(early);
        }
    }

    /// RFC 9846, 4.6: sends the last message under our early key. After it our handshake key is
    /// used.
    pub(crate) fn say_end_of_early_data(&mut self) {
        self.say(&message(5, &[])).unwrap();
        self.install_deferred_keys();
    }

    pub(crate) fn install_deferred_keys(&mut self) {
        self.write = Some(self.deferred.take().expect("handshake keys that wait"));
    }

    /// Returns true if early data was accepted, according to the flight. Checks that the server
    /// reports the same.
    pub(crate) fn is_accepted(&self) -> bool {
        let accepted = self.deferred.is_some();
        assert_eq!(self.us.takes_early_data(), accepted);
        assert_eq!(self.state() == "WAIT_EOED", accepted);
        accepted
    }

    /// Sends the ClientHello and some early data, and completes the handshake. Returns true if the
    /// early data is accepted.
    pub(crate) fn would_be_accepted(&mut self) -> bool {
        self.say_client_hello();
        self.completes_early()
    }

    /// The same after the ClientHello was sent.
    pub(crate) fn completes_early(&mut self) -> bool {
        self.hear_flight();
        let accepted = self.is_accepted();
        let keys = if accepted {
            &mut self.write
        } else {
            &mut self.early
        };
        let record = early(keys.as_mut().unwrap(), b"early");
        self.feed(&record).unwrap();
        self.lead_server_to("CONNECTED");
        self.send(b"late").unwrap();
        assert_eq!(self.early_data, if accepted { &b"early"[..] } else { b"" });
        assert_eq!(self.delivered, b"late");
        let negotiated = self.us.negotiated().unwrap();
        assert_eq!(
            negotiated.early_data(),
            if accepted {
                EarlyData::Accepted
            } else {
                EarlyData::Rejected
            }
        );
        assert_eq!(negotiated.resumed(), self.psk.is_some());
        accepted
    }
}
