//! What is compared: each TLS stack behind the same two traits, so that the same harness drives
//! them all.

use std::io::{Read, Write};
use std::net::TcpStream;

use fleeting::{Authority, Identity};

/// The name that every client asks for.
pub const SERVER_NAME: &str = "server.test";

/// How a connection begins.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// A full handshake: X25519, the server's certificate, no tickets.
    Full,
    /// The same, and the server demands a certificate of the client.
    ClientCertificate,
    /// The same as `Full`, with X25519MLKEM768.
    Hybrid,
    /// By the ticket that the connection before left behind, with X25519 (psk_dhe_ke); leaves one
    /// ticket behind. The first one is full.
    Resumed,
}

impl Kind {
    pub const ALL: [Self; 4] = [
        Self::Full,
        Self::ClientCertificate,
        Self::Hybrid,
        Self::Resumed,
    ];
}

/// A TLS stack, configured for each kind: TLS 1.3, TLS_AES_128_GCM_SHA256, the kind's one group.
pub trait Stack: Sync {
    fn name(&self) -> String;
    /// Whether it can do this at all.
    fn supports(&self, kind: Kind) -> bool;
    /// A client's connection.
    fn client(&self, kind: Kind) -> Box<dyn End>;
    /// A server's connection.
    fn server(&self, kind: Kind) -> Box<dyn End>;
    /// A client over TCP, by what the library offers for that; of `Kind::Full`. The handshake may
    /// wait for the first byte that is written.
    fn connect(&self, tcp: TcpStream) -> Box<dyn Write>;
    /// The same at the server, which reads.
    fn accept(&self, tcp: TcpStream) -> Box<dyn Read>;
}

/// One end of a connection. `input` holds what the other end has sent and is taken whole; what goes
/// back is added to `output`.
pub trait End {
    /// Goes on with the handshake. Returns whether it is done.
    fn handshake(&mut self, input: &mut Vec<u8>, output: &mut Vec<u8>) -> bool;
    /// Writes all of `data` in one call, as an application would, and lets the transport take it.
    fn write(&mut self, data: &[u8], output: &mut Vec<u8>);
    /// Reads all that `input` holds into `buffer`, over and over, and returns how many bytes that
    /// was.
    fn read(&mut self, input: &mut Vec<u8>, buffer: &mut [u8]) -> usize;
    /// Begins a read while there is nothing to read: what an idle connection does.
    fn wait(&mut self);
    /// What the handshake agreed on.
    fn agreed(&self) -> Agreed;
}

pub struct Agreed {
    /// By its RFC name.
    pub suite: String,
    /// How many certificates of the peer's there are.
    pub certificates: usize,
    pub resumed: bool,
}

/// A small private PKI, the same for all.
pub struct Credentials {
    pub root: Authority,
    pub server: Identity,
    pub client: Identity,
}

impl Credentials {
    pub fn new(intermediate: bool) -> Self {
        let root = Authority::new("Benchmark Root").expect("an authority");
        let issuer = match intermediate {
            true => Authority::builder("Benchmark Intermediate")
                .build_under(&root)
                .expect("an authority"),
            false => root.clone(),
        };
        let server = issuer.issue_server([SERVER_NAME]).expect("a certificate");
        let client = issuer.issue_client("client.test").expect("a certificate");
        Self {
            root,
            server,
            client,
        }
    }
}
