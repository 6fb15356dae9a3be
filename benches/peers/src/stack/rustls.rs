//! rustls by its buffered connections, with any provider.

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{CipherSuite, ClientConfig, ClientConnection, Connection, NamedGroup, RootCertStore, ServerConfig, ServerConnection, version};

use super::{Credentials, End, SERVER_NAME, Stack};

pub struct Rustls {
    name: String,
    clients: [Arc<ClientConfig>; 2],
    servers: [Arc<ServerConfig>; 2],
}

impl Rustls {
    pub fn new(name: &str, mut provider: CryptoProvider, credentials: &Credentials) -> Self {
        provider.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
        provider.cipher_suites.retain(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
        let provider = Arc::new(provider);

        let mut roots = RootCertStore::empty();
        roots.add(certificates(&credentials.root.certificate_pem()).remove(0)).expect("a root");
        let roots = Arc::new(roots);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build().expect("a verifier");
        let key = |identity: &fleeting::Identity| PrivateKeyDer::from_pem_slice(identity.key_pem().expose()).expect("a key");

        let client = || {
            let builder =
                ClientConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&version::TLS13]).expect("TLS 1.3");
            builder.with_root_certificates(roots.clone())
        };
        let known = client().with_client_auth_cert(certificates(&credentials.client.chain_pem()), key(&credentials.client));
        let server = |demanding: bool| {
            let builder =
                ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&version::TLS13]).expect("TLS 1.3");
            let builder = match demanding {
                true => builder.with_client_cert_verifier(verifier.clone()),
                false => builder.with_no_client_auth(),
            };
            let chain = certificates(&credentials.server.chain_pem());
            let mut config = builder.with_single_cert(chain, key(&credentials.server)).expect("a server");
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            Arc::new(config)
        };
        let clients = [client().with_no_client_auth(), known.expect("a client")].map(|mut config| {
            config.resumption = rustls::client::Resumption::disabled();
            Arc::new(config)
        });
        Self { name: format!("rustls, {name}"), clients, servers: [server(false), server(true)] }
    }
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(|certificate| certificate.expect("a certificate")).collect()
}

impl Stack for Rustls {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn client(&self, client_auth: bool) -> Box<dyn End> {
        let name = ServerName::try_from(SERVER_NAME).expect("a name");
        let connection = ClientConnection::new(self.clients[usize::from(client_auth)].clone(), name).expect("a connection");
        Box::new(Connection::from(connection))
    }

    fn server(&self, client_auth: bool) -> Box<dyn End> {
        let connection = ServerConnection::new(self.servers[usize::from(client_auth)].clone()).expect("a connection");
        Box::new(Connection::from(connection))
    }
}

/// A transport that has nothing at the moment.
struct Nothing;

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

fn send(connection: &mut Connection, output: &mut Vec<u8>) {
    while connection.wants_write() {
        connection.write_tls(output).expect("memory");
    }
}

impl End for Connection {
    fn handshake(&mut self, input: &mut Vec<u8>, output: &mut Vec<u8>) -> bool {
        let mut rest = &input[..];
        while !rest.is_empty() {
            self.read_tls(&mut rest).expect("memory");
            self.process_new_packets().expect("a handshake");
        }
        input.clear();
        send(self, output);
        !self.is_handshaking()
    }

    fn write(&mut self, data: &[u8], output: &mut Vec<u8>) {
        self.writer().write_all(data).expect("a write");
        send(self, output);
    }

    fn read(&mut self, input: &mut Vec<u8>, buffer: &mut [u8]) -> usize {
        let mut total = 0;
        let mut rest = &input[..];
        while !rest.is_empty() {
            self.read_tls(&mut rest).expect("memory");
            let state = self.process_new_packets().expect("a record");
            // As an application reads: into its own buffer, while there is something.
            let mut left = state.plaintext_bytes_to_read();
            while left > 0 {
                let count = self.reader().read(buffer).expect("plaintext");
                total += count;
                left -= count;
            }
        }
        input.clear();
        total
    }

    fn wait(&mut self) {
        assert!(self.reader().fill_buf().is_err());
        assert!(self.read_tls(&mut Nothing).is_err());
    }

    fn agreed(&self) -> (String, usize) {
        let suite = self.negotiated_cipher_suite().expect("a handshake that is done").suite();
        (format!("{suite:?}").replace("TLS13_", "TLS_"), self.peer_certificates().map_or(0, <[_]>::len))
    }
}
