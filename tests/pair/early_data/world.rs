//! [`World`]: what the clients and servers of a test with early data share.

use fleeting::{Client, ClientBuilder, Server, ServerBuilder, SessionCache, TicketKeys};

use crate::support::{Pair, pki};

/// The client's sessions and the server's ticket keys.
pub struct World {
    pub sessions: SessionCache,
    pub keys: TicketKeys,
}

impl World {
    pub fn new() -> Self {
        Self {
            sessions: SessionCache::new(8),
            keys: TicketKeys::rotating(),
        }
    }

    pub fn client(&self) -> ClientBuilder {
        Client::builder()
            .trust(pki().authority.trust())
            .sessions(self.sessions.clone())
            .early_data(true)
    }

    pub fn server(&self) -> ServerBuilder {
        Server::builder()
            .identity(pki().server.clone())
            .ticket_keys(self.keys.clone())
            .alpn(["a"])
    }

    /// Makes the handshake of this pair, which leaves tickets.
    pub fn leave_tickets(&self, pair: &mut Pair) {
        pair.settle();
        // Tickets are sent with the server's first data, even if it is empty.
        pair.server.write(b"");
        pair.settle();
        assert!(!self.sessions.is_empty());
    }
}
