//! A client and a server that resume sessions and accept early data.

use std::sync::OnceLock;
use std::time::Duration;

use fleeting::{
    Authority, Client, ClientBuilder, Connection, Identity, NamedGroup, ReplayGuard, Server,
    ServerBuilder, SessionCache, Status, TicketKeys, Validity,
};

use crate::support::{End, NAME, NOW, Pair, Seeded};

/// The certificates are valid at [`NOW`] and by the system's clock, which streams read.
fn authority() -> &'static (Authority, Identity) {
    static AUTHORITY: OnceLock<(Authority, Identity)> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let day = Duration::from_secs(86_400);
        let validity = Validity::between(NOW.unix - day, NOW.unix + 10_000 * day).unwrap();
        let authority = Authority::builder("observed").validity(validity);
        let authority = authority.build().unwrap();
        let server = authority.certificate().server([NAME]).validity(validity);
        let server = server.issue().unwrap();
        (authority, server)
    })
}

pub struct World {
    pub keys: TicketKeys,
    pub client: Client,
    pub server: Server,
}

impl World {
    pub fn new() -> Self {
        let (sessions, keys) = (SessionCache::new(8), TicketKeys::rotating());
        let client = Self::client_with(&sessions).build().unwrap();
        let server = Self::server_with(&keys)
            .early_data(1_000, ReplayGuard::in_memory(100))
            .build()
            .unwrap();
        Self {
            keys,
            client,
            server,
        }
    }

    pub fn client_with(sessions: &SessionCache) -> ClientBuilder {
        Client::builder()
            .trust(authority().0.trust())
            .groups([NamedGroup::X25519])
            .alpn(["a"])
            .sessions(sessions.clone())
            .early_data(true)
    }

    pub fn server_with(keys: &TicketKeys) -> ServerBuilder {
        Server::builder()
            .identity(authority().1.clone())
            .alpn(["a"])
            .ticket_keys(keys.clone())
    }

    /// Begins a connection between the two.
    pub fn pair(&self, seed: u64) -> Pair {
        Pair::between(&self.client, &self.server, seed)
    }

    /// Completes a handshake, lets the server send `data`, which brings the tickets, and drops the
    /// connection.
    pub fn visit(&self, data: &[u8]) {
        let mut pair = self.pair(1);
        pair.settle();
        pair.server.write(data);
        pair.settle();
        assert_eq!(pair.client.read, data);
    }
}

/// Returns a server's end that does not know its configuration yet.
pub fn undecided() -> End {
    End::new(Connection::undecided(NOW), Seeded(7))
}

pub fn server_end(server: &Server) -> End {
    End::new(server.connection(NOW), Seeded(9))
}

/// Begins a client's connection.
pub fn client_end(client: &Client) -> End {
    let mut rng = Seeded(3);
    let connection = client.connection(NAME, NOW, &mut rng).unwrap();
    End::new(connection, rng)
}

/// Returns true if the connection waits for an answer.
pub fn asks(end: &End) -> bool {
    matches!(end.status, Ok(Status::Ask(_)))
}
