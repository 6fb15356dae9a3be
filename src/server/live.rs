//! [`LiveServer`]: a [`Server`] that can be replaced while it serves.

use core::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::server::config::Server;

/// A server's configuration that can be replaced while it serves: with a renewed certificate, other
/// revocation lists, another [`Trust`](crate::Trust).
///
/// Every connection has the whole of the configuration that was current when it began, or when it
/// was [chosen](crate::Handshake::choose), and keeps it: replacing it neither disturbs a handshake
/// nor ends a connection. All clones are the same server.
///
/// Give the same [`TicketKeys`](crate::TicketKeys) to each configuration. Without, each makes keys
/// of its own, and the tickets that clients hold are worth nothing after a replacement: they get in
/// all the same, by full handshakes. Tickets are bound to the identity's key, and to whom the
/// server trusts, as well: a renewed certificate for the same key keeps them, one for a fresh key
/// does not. Where early data is taken, give each the same [`ReplayGuard`](crate::ReplayGuard) too:
/// a new one rejects the early data of all clients that hold tickets.
///
/// (Revocation lists alone are replaced by
/// [`RevocationLists::reload_pem`](crate::RevocationLists::reload_pem), and need none of this.)
///
/// ```
/// use fleeting::{Authority, Error, Identity, LiveServer, Server, TicketKeys};
///
/// # fn main() -> Result<(), Error> {
/// let authority = Authority::new("my services")?;
/// let first = authority.issue_server(["db.internal"])?;
///
/// let keys = TicketKeys::rotating();
/// let configured =
///     |identity| Server::builder().identity(identity).ticket_keys(keys.clone()).build();
/// let server = LiveServer::new(configured(first.clone())?);
///
/// // Where connections come in; each thread has a clone.
/// // let mut tls = server.accept(tcp)?;
///
/// // When the certificate is to be renewed, here for the same key. What is wrong with it shows
/// // before anything is replaced.
/// let chain = authority.certificate().server(["db.internal"]).issue_for(first.public_key())?;
/// let renewed = configured(Identity::from_pem(chain, first.key_pem()?.expose())?)?;
/// server.replace(renewed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LiveServer(Arc<RwLock<Server>>);

impl LiveServer {
    /// Serves with this configuration at first.
    pub fn new(server: Server) -> Self {
        Self(Arc::new(RwLock::new(server)))
    }

    /// The configuration of this moment, as for [`Handshake::choose`](crate::Handshake::choose).
    pub fn current(&self) -> Server {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Serves with this configuration from now on, in every clone; the former one comes back.
    pub fn replace(&self, server: Server) -> Server {
        // The former one is not dropped here, under the lock: that could take long.
        core::mem::replace(
            &mut *self.0.write().unwrap_or_else(PoisonError::into_inner),
            server,
        )
    }
}

impl From<Server> for LiveServer {
    fn from(server: Server) -> Self {
        Self::new(server)
    }
}

impl fmt::Debug for LiveServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LiveServer").field(&self.current()).finish()
    }
}
