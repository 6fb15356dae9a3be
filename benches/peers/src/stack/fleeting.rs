//! fleeting by its sans-IO `Connection`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use fleeting::{
    CipherSuite, Client, ClientAuth, Connection, NamedGroup, Now, Server, SessionCache, Status,
    SystemRandom,
};

use crate::harness::stack::{Agreed, Credentials, End, Kind, SERVER_NAME, Stack};

/// For each kind.
pub struct Fleeting {
    clients: [Client; 4],
    servers: [Server; 4],
}

impl Fleeting {
    pub fn new(credentials: &Credentials) -> Self {
        let suite = [CipherSuite::TLS_AES_128_GCM_SHA256];
        let clients = Kind::ALL.map(|kind| {
            let client = Client::builder()
                .trust(credentials.root.trust())
                .cipher_suites(suite)
                .groups([group(kind)]);
            let client = match kind {
                Kind::Resumed => client.tickets(1, 1),
                _ => client.sessions(SessionCache::new(0)),
            };
            let client = if kind == Kind::ClientCertificate {
                client.identity(credentials.client.clone())
            } else {
                client
            };
            client.build().expect("a client")
        });
        let servers = Kind::ALL.map(|kind| {
            let server = Server::builder()
                .identity(credentials.server.clone())
                .cipher_suites(suite)
                .groups([group(kind)]);
            let server = if kind == Kind::Resumed {
                server
            } else {
                server.without_tickets()
            };
            let asks = if kind == Kind::ClientCertificate {
                ClientAuth::Required(credentials.root.trust())
            } else {
                ClientAuth::None
            };
            server.client_auth(asks).build().expect("a server")
        });
        Self { clients, servers }
    }
}

impl Fleeting {
    /// The name to ask for, and the client of `Kind::Full`.
    pub fn full_client(&self) -> (&'static str, Client) {
        (SERVER_NAME, self.clients[Kind::Full as usize].clone())
    }

    pub fn full_server(&self) -> Server {
        self.servers[Kind::Full as usize].clone()
    }
}

fn group(kind: Kind) -> NamedGroup {
    if kind == Kind::Hybrid {
        NamedGroup::X25519_MLKEM768
    } else {
        NamedGroup::X25519
    }
}

fn now() -> Now {
    let unix = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("a clock that is right");
    Now::new(Duration::ZERO, unix)
}

impl Stack for Fleeting {
    fn name(&self) -> String {
        "fleeting".into()
    }

    fn supports(&self, _: Kind) -> bool {
        true
    }

    fn client(&self, kind: Kind) -> Box<dyn End> {
        let now = now();
        let connection = self.clients[kind as usize]
            .connection(SERVER_NAME, now, &mut SystemRandom)
            .expect("a connection");
        Box::new(Fleet { connection, now })
    }

    fn server(&self, kind: Kind) -> Box<dyn End> {
        let now = now();
        Box::new(Fleet {
            connection: self.servers[kind as usize].connection(now),
            now,
        })
    }

    fn connect(&self, tcp: TcpStream) -> Box<dyn Write> {
        Box::new(
            self.clients[Kind::Full as usize]
                .connect(SERVER_NAME, tcp)
                .expect("a handshake"),
        )
    }

    fn accept(&self, tcp: TcpStream) -> Box<dyn Read> {
        Box::new(
            self.servers[Kind::Full as usize]
                .accept(tcp)
                .expect("a handshake"),
        )
    }
}

struct Fleet {
    connection: Connection,
    now: Now,
}

impl Fleet {
    /// Receives as much of `input` as there is space for, as one read of a socket would.
    fn receive(&mut self, input: &mut &[u8]) {
        let space = self.connection.input();
        let (now, later) = input.split_at(space.len().min(input.len()));
        space[..now.len()].copy_from_slice(now);
        self.connection.received(now.len());
        *input = later;
    }

    fn send(&mut self, output: &mut Vec<u8>) {
        let waiting = self.connection.output();
        let count = waiting.len();
        output.extend_from_slice(waiting);
        self.connection.sent(count);
    }
}

impl End for Fleet {
    fn handshake(&mut self, input: &mut Vec<u8>, output: &mut Vec<u8>) -> bool {
        let mut rest = &input[..];
        while !rest.is_empty() {
            self.receive(&mut rest);
            let status = self
                .connection
                .process(self.now, &mut SystemRandom)
                .expect("a handshake");
            assert_eq!(status, Status::NeedsInput);
        }
        input.clear();
        self.send(output);
        !self.connection.is_handshaking()
    }

    fn write(&mut self, data: &[u8], output: &mut Vec<u8>) {
        let written = self.connection.write(data).expect("a write");
        assert_eq!(written, data.len());
        self.send(output);
    }

    fn read(&mut self, input: &mut Vec<u8>, buffer: &mut [u8]) -> usize {
        let mut total = 0;
        let mut rest = &input[..];
        while !rest.is_empty() {
            self.receive(&mut rest);
            loop {
                let (count, status) = self
                    .connection
                    .process_into(buffer, self.now, &mut SystemRandom)
                    .expect("a record");
                total += count;
                if status != Status::Data {
                    break;
                }
            }
        }
        input.clear();
        total
    }

    fn wait(&mut self) {
        assert!(!self.connection.input().is_empty());
    }

    fn agreed(&self) -> Agreed {
        let agreed = self
            .connection
            .negotiated()
            .expect("a handshake that is done");
        Agreed {
            suite: agreed.cipher_suite().to_string(),
            certificates: agreed.peer().map_or(0, |peer| peer.certificates().len()),
            resumed: agreed.resumed(),
        }
    }
}
