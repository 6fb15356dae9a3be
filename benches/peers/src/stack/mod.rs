//! What is compared: each TLS stack behind the same two traits, so that the same harness drives them all.

mod fleeting;
mod openssl;
mod rustls;

use ::fleeting::{Authority, Identity};

/// The name that every client asks for.
pub const SERVER_NAME: &str = "server.test";

/// A TLS stack, configured: TLS 1.3, TLS_AES_128_GCM_SHA256 and X25519 alone, no tickets.
pub trait Stack {
    fn name(&self) -> String;
    /// A client's connection; with `client_auth` it has a certificate to show.
    fn client(&self, client_auth: bool) -> Box<dyn End>;
    /// A server's connection; with `client_auth` it demands a certificate.
    fn server(&self, client_auth: bool) -> Box<dyn End>;
}

/// One end of a connection. `input` holds what the other end has sent and is taken whole; what goes back is added to `output`.
pub trait End {
    /// Goes on with the handshake. Returns whether it is done.
    fn handshake(&mut self, input: &mut Vec<u8>, output: &mut Vec<u8>) -> bool;
    /// Writes all of `data` in one call, as an application would, and lets the transport take it.
    fn write(&mut self, data: &[u8], output: &mut Vec<u8>);
    /// Reads all that `input` holds into `buffer`, over and over, and returns how many bytes that was.
    fn read(&mut self, input: &mut Vec<u8>, buffer: &mut [u8]) -> usize;
    /// Begins a read while there is nothing to read: what an idle connection does.
    fn wait(&mut self);
    /// What the handshake agreed on: the suite by its RFC name, and how many certificates the peer has sent.
    fn agreed(&self) -> (String, usize);
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
            true => Authority::builder("Benchmark Intermediate").build_under(&root).expect("an authority"),
            false => root.clone(),
        };
        let server = issuer.issue_server([SERVER_NAME]).expect("a certificate");
        let client = issuer.issue_client("client.test").expect("a certificate");
        Self { root, server, client }
    }
}

pub fn all(credentials: &Credentials) -> Vec<Box<dyn Stack>> {
    vec![
        Box::new(fleeting::Fleeting::new(credentials)),
        Box::new(rustls::Rustls::new("aws-lc-rs", ::rustls::crypto::aws_lc_rs::default_provider(), credentials)),
        Box::new(rustls::Rustls::new("ring", ::rustls::crypto::ring::default_provider(), credentials)),
        Box::new(rustls::Rustls::new("graviola", rustls_graviola::default_provider(), credentials)),
        Box::new(openssl::Openssl::new(credentials)),
    ]
}
