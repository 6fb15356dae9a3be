//! [`LiveServer`]: a [`Server`] that can be replaced while it serves.

use core::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::counters::Counters;
use crate::server::config::Server;

/// A server's configuration that can be replaced while it serves, for example with a renewed
/// certificate, other revocation lists or another [`Trust`](crate::Trust).
///
/// Every connection keeps the configuration that was current when it began, or that was
/// [chosen](crate::Handshake::choose) for it. Replacing the configuration neither disturbs a
/// handshake nor ends a connection. All clones are the same server.
///
/// Give the same [`TicketKeys`](crate::TicketKeys) to each configuration. Otherwise each one
/// creates keys of its own, and after a replacement the clients' tickets are ignored: their
/// handshakes are full ones. Tickets are also bound to the identity's key and to whom the server
/// trusts. A renewed certificate for the same key keeps them valid; a certificate for a new key
/// does not. If early data is accepted, give each configuration the same
/// [`ReplayGuard`](crate::ReplayGuard) too: a new one rejects the early data of all clients that
/// hold tickets.
///
/// [`Trust::check_server`](crate::Trust::check_server) tells before a replacement whether clients
/// would accept a new certificate.
///
/// [`CredentialFiles`](crate::CredentialFiles) makes a configuration anew when files change.
///
/// To replace revocation lists alone, use
/// [`RevocationLists::reload_pem`](crate::RevocationLists::reload_pem) instead.
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
/// // Where connections are accepted. Each thread has a clone.
/// // let mut tls = server.accept(tcp)?;
///
/// // To renew the certificate, here for the same key. An invalid one is reported before anything
/// // is replaced.
/// let chain = authority.certificate().server(["db.internal"]).issue_for(first.public_key())?;
/// let renewed = configured(Identity::from_pem(chain, first.key_pem()?.expose())?)?;
/// server.replace(renewed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LiveServer(Arc<RwLock<Server>>);

impl LiveServer {
    /// Creates a server that begins with this configuration.
    pub fn new(server: Server) -> Self {
        Self(Arc::new(RwLock::new(server)))
    }

    /// Returns the current configuration, as [`Handshake::choose`](crate::Handshake::choose) takes
    /// it.
    pub fn current(&self) -> Server {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sets the configuration for all later connections, of every clone. Returns the former one.
    pub fn replace(&self, mut server: Server) -> Server {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        server.totals = current.totals.clone();
        // The former configuration is not dropped under the lock, since that could take long.
        core::mem::replace(&mut *current, server)
    }

    /// Returns what all connections of this server did until now, with all its configurations.
    ///
    /// Connections that were made through a [`Server`] before it was given to
    /// [`replace`](Self::replace) do not count here.
    pub fn counters(&self) -> Counters {
        self.current().counters()
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
