//! rustls by its buffered connections, with any provider.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, Connection, HandshakeKind, NamedGroup,
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, version,
};

use crate::harness::stack::{Agreed, Credentials, End, Kind, SERVER_NAME, Stack};

pub struct Rustls {
    name: String,
    /// For each kind that the provider has the group for.
    configs: [Option<(Arc<ClientConfig>, Arc<ServerConfig>)>; 4],
}

impl Rustls {
    pub fn new(
        name: &str,
        mut provider: CryptoProvider,
        ticketer: Arc<dyn ProducesTickets>,
        credentials: &Credentials,
    ) -> Self {
        provider
            .cipher_suites
            .retain(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
        let mut roots = RootCertStore::empty();
        roots
            .add(certificates(&credentials.root.certificate_pem()).remove(0))
            .expect("a root");
        let roots = Arc::new(roots);
        let key = |identity: &fleeting::Identity| {
            PrivateKeyDer::from_pem_slice(identity.key_pem().expect("a key").expose())
                .expect("a key")
        };

        let configs = Kind::ALL.map(|kind| {
            let mut provider = provider.clone();
            let wanted = if kind == Kind::Hybrid {
                NamedGroup::X25519MLKEM768
            } else {
                NamedGroup::X25519
            };
            provider.kx_groups.retain(|group| group.name() == wanted);
            if provider.kx_groups.is_empty() {
                return None;
            }
            let provider = Arc::new(provider);

            let builder = ClientConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(&[&version::TLS13])
                .expect("TLS 1.3");
            let builder = builder.with_root_certificates(roots.clone());
            let mut client = match kind {
                Kind::ClientCertificate => {
                    let chain = certificates(&credentials.client.chain_pem());
                    builder
                        .with_client_auth_cert(chain, key(&credentials.client))
                        .expect("a client")
                }
                _ => builder.with_no_client_auth(),
            };
            client.resumption = if kind == Kind::Resumed {
                Resumption::in_memory_sessions(8)
            } else {
                Resumption::disabled()
            };

            let builder = ServerConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(&[&version::TLS13])
                .expect("TLS 1.3");
            let builder = match kind {
                Kind::ClientCertificate => {
                    let verifier =
                        WebPkiClientVerifier::builder_with_provider(roots.clone(), provider)
                            .build();
                    builder.with_client_cert_verifier(verifier.expect("a verifier"))
                }
                _ => builder.with_no_client_auth(),
            };
            let chain = certificates(&credentials.server.chain_pem());
            let mut server = builder
                .with_single_cert(chain, key(&credentials.server))
                .expect("a server");
            server.session_storage = Arc::new(NoServerSessionStorage {});
            server.send_tls13_tickets = usize::from(kind == Kind::Resumed);
            if kind == Kind::Resumed {
                server.ticketer = ticketer.clone();
            }
            Some((Arc::new(client), Arc::new(server)))
        });
        Self {
            name: format!("rustls, {name}"),
            configs,
        }
    }

    pub fn stack_name(&self) -> &str {
        &self.name
    }

    /// The name to ask for, and the client of `Kind::Full`.
    pub fn full_client(&self) -> (ServerName<'static>, Arc<ClientConfig>) {
        let name = ServerName::try_from(SERVER_NAME).expect("a name");
        (name, self.configs(Kind::Full).0.clone())
    }

    pub fn full_server(&self) -> Arc<ServerConfig> {
        self.configs(Kind::Full).1.clone()
    }

    fn configs(&self, kind: Kind) -> &(Arc<ClientConfig>, Arc<ServerConfig>) {
        self.configs[kind as usize]
            .as_ref()
            .expect("a kind that is supported")
    }
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|certificate| certificate.expect("a certificate"))
        .collect()
}

impl Stack for Rustls {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn supports(&self, kind: Kind) -> bool {
        self.configs[kind as usize].is_some()
    }

    fn client(&self, kind: Kind) -> Box<dyn End> {
        let name = ServerName::try_from(SERVER_NAME).expect("a name");
        let connection =
            ClientConnection::new(self.configs(kind).0.clone(), name).expect("a connection");
        Box::new(Connection::from(connection))
    }

    fn server(&self, kind: Kind) -> Box<dyn End> {
        let connection = ServerConnection::new(self.configs(kind).1.clone()).expect("a connection");
        Box::new(Connection::from(connection))
    }

    fn connect(&self, tcp: TcpStream) -> Box<dyn Write> {
        let name = ServerName::try_from(SERVER_NAME).expect("a name");
        Box::new(StreamOwned::new(
            ClientConnection::new(self.configs(Kind::Full).0.clone(), name).expect("a connection"),
            tcp,
        ))
    }

    fn accept(&self, tcp: TcpStream) -> Box<dyn Read> {
        Box::new(StreamOwned::new(
            ServerConnection::new(self.configs(Kind::Full).1.clone()).expect("a connection"),
            tcp,
        ))
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

    fn agreed(&self) -> Agreed {
        let suite = self
            .negotiated_cipher_suite()
            .expect("a handshake that is done")
            .suite();
        Agreed {
            suite: format!("{suite:?}").replace("TLS13_", "TLS_"),
            certificates: self.peer_certificates().map_or(0, <[_]>::len),
            resumed: self.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}
