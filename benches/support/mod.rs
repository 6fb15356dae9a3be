//! What the benchmarks share: a private PKI, and a pair of connections in memory.

#![allow(dead_code, reason = "each benchmark uses a part")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleeting::{
    Authority, CipherSuite, Client, ClientAuth, Connection, NamedGroup, Now, Server, SessionCache,
    Status, SystemRandom,
};

pub const NAME: &str = "bench.internal";

pub const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_AES_128_GCM_SHA256,
    CipherSuite::TLS_AES_256_GCM_SHA384,
    CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
];

/// What a connection begins with.
#[derive(Clone, Copy)]
pub struct Kind {
    pub suite: CipherSuite,
    pub group: NamedGroup,
    pub client_certificate: bool,
    /// By the ticket that the connection before left behind. Otherwise there are no tickets.
    pub resumed: bool,
}

impl Kind {
    /// A full handshake with X25519, where the server alone has certificates.
    pub fn full(suite: CipherSuite) -> Self {
        Self {
            suite,
            group: NamedGroup::X25519,
            client_certificate: false,
            resumed: false,
        }
    }
}

/// Both sides' configurations: a root and an intermediate authority, so that each chain has two
/// certificates on the wire.
pub struct Setup {
    pub client: Client,
    pub server: Server,
    resumed: bool,
}

impl Setup {
    pub fn new(kind: Kind) -> Self {
        let root = Authority::new("bench root").expect("a root");
        let issuer = Authority::builder("bench issuer")
            .build_under(&root)
            .expect("an intermediate authority");
        let identity = issuer.issue_server([NAME]).expect("a server's certificate");
        let mut client = Client::builder()
            .trust(root.trust())
            .cipher_suites([kind.suite])
            .groups([kind.group]);
        let mut server = Server::builder()
            .identity(identity)
            .cipher_suites([kind.suite])
            .groups([kind.group]);
        if kind.client_certificate {
            client = client.identity(
                issuer
                    .issue_client("bench client")
                    .expect("a client's certificate"),
            );
            server = server.client_auth(ClientAuth::Required(root.trust()));
        }
        if kind.resumed {
            // One is used, one comes back.
            client = client.tickets(1, 1);
        } else {
            (client, server) = (
                client.sessions(SessionCache::new(0)),
                server.without_tickets(),
            );
        }
        let (client, server) = (
            client.build().expect("a client"),
            server.build().expect("a server"),
        );
        let setup = Self {
            client,
            server,
            resumed: kind.resumed,
        };
        if kind.resumed {
            setup.start().handshake(true);
        }
        setup
    }

    /// Two connections that have not spoken yet; the ClientHello waits in the client's output.
    pub fn start(&self) -> Pair {
        let client = self
            .client
            .connection(NAME, now(), &mut SystemRandom)
            .expect("a client's connection");
        Pair {
            client,
            server: self.server.connection(now()),
        }
    }

    /// Two connections after the handshake.
    pub fn connect(&self) -> Pair {
        let mut pair = self.start();
        pair.handshake(self.resumed);
        assert_eq!(
            pair.client.negotiated().map(|agreed| agreed.resumed()),
            Some(self.resumed)
        );
        pair
    }
}

pub fn now() -> Now {
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Now::new(Duration::ZERO, unix)
}

/// A client and a server joined by memory.
pub struct Pair {
    pub client: Connection,
    pub server: Connection,
}

impl Pair {
    /// With `tickets` also what brings them: they go out with the server's first data.
    pub fn handshake(&mut self, tickets: bool) {
        deliver(&mut self.client, &mut self.server);
        deliver(&mut self.server, &mut self.client);
        deliver(&mut self.client, &mut self.server);
        assert!(!self.client.is_handshaking() && !self.server.is_handshaking());
        if tickets {
            self.server.write(b"x").expect("written");
            deliver(&mut self.server, &mut self.client);
        }
    }
}

/// Moves all that one side has to send to the other, which takes the plaintext and throws it away.
/// Returns how many bytes of it there were.
pub fn deliver(from: &mut Connection, to: &mut Connection) -> usize {
    let mut plaintext = 0;
    while !from.output().is_empty() {
        let space = to.input();
        let count = space.len().min(from.output().len());
        space[..count].copy_from_slice(&from.output()[..count]);
        to.received(count);
        from.sent(count);
        while to.process(now(), &mut SystemRandom).expect("no error") == Status::Data {
            let available = to.plaintext().len();
            plaintext += available;
            to.consume(available);
        }
    }
    plaintext
}
