//! What the benchmarks share: a private PKI, and a pair of connections in memory.

#![allow(dead_code, reason = "each benchmark uses a part")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleeting::{Authority, CipherSuite, Client, ClientAuth, Connection, Now, Server, Status, SystemRandom};

pub const NAME: &str = "bench.internal";

pub const SUITES: [CipherSuite; 3] =
    [CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_AES_256_GCM_SHA384, CipherSuite::TLS_CHACHA20_POLY1305_SHA256];

/// Both sides' configurations: a root and an intermediate authority, so that each chain has two certificates on the wire.
pub struct Setup {
    pub client: Client,
    pub server: Server,
}

impl Setup {
    pub fn new(suite: CipherSuite, client_certificate: bool) -> Self {
        let root = Authority::new("bench root").expect("a root");
        let issuer = Authority::builder("bench issuer").build_under(&root).expect("an intermediate authority");
        let mut client = Client::builder().trust(root.trust()).cipher_suites([suite]);
        let mut server = Server::builder().identity(issuer.issue_server([NAME]).expect("a server's certificate")).cipher_suites([suite]);
        if client_certificate {
            client = client.identity(issuer.issue_client("bench client").expect("a client's certificate"));
            server = server.client_auth(ClientAuth::Required(root.trust()));
        }
        Self { client: client.build().expect("a client"), server: server.build().expect("a server") }
    }

    /// Two connections that have not spoken yet; the ClientHello waits in the client's output.
    pub fn start(&self) -> Pair {
        let client = self.client.connection(NAME, now(), &mut SystemRandom).expect("a client's connection");
        Pair { client, server: self.server.connection(now()) }
    }

    /// Two connections after the handshake.
    pub fn connect(&self) -> Pair {
        let mut pair = self.start();
        pair.handshake();
        pair
    }
}

pub fn now() -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { monotonic: Duration::ZERO, unix }
}

/// A client and a server joined by memory.
pub struct Pair {
    pub client: Connection,
    pub server: Connection,
}

impl Pair {
    pub fn handshake(&mut self) {
        deliver(&mut self.client, &mut self.server);
        deliver(&mut self.server, &mut self.client);
        deliver(&mut self.client, &mut self.server);
        assert!(!self.client.is_handshaking() && !self.server.is_handshaking());
    }
}

/// Moves all that one side has to send to the other, which takes the plaintext and throws it away. Returns how many bytes of it there were.
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
