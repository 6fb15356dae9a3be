//! Our connection and one of rustls', joined in memory, and functions to make each for a test.
//!
//! rustls runs with the provider rustls-graviola, because it needs no C compiler. It needs an
//! x86-64 CPU with AES, PCLMULQDQ, SSSE3, AVX2, BMI2 and ADX, or an aarch64 one with the
//! cryptographic extensions.

use std::io::{Read, Write};
use std::sync::Arc;

use fleeting::{
    AlertDescription, Client, ClientAuth, ClientBuilder, Connection, Error, Fault, Identity, Now,
    Server, ServerBuilder, Status, SystemRandom,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, ServerConfig, ServerConnection,
    WantsVerifier,
};

use crate::support::{Pki, SERVER_NAME, SUITES, Suite, lines, now};

/// Our connection and one of theirs, joined in memory.
pub struct Pair {
    pub ours: Connection,
    pub theirs: rustls::Connection,
    /// What each side received.
    pub our_inbox: Vec<u8>,
    pub their_inbox: Vec<u8>,
    /// What each side received as early data, if it is the server.
    pub our_early: Vec<u8>,
    pub their_early: Vec<u8>,
    /// Each side's first error.
    pub our_error: Option<Error>,
    pub their_error: Option<rustls::Error>,
    /// How many bytes are delivered to the other side at once.
    pub chunk: usize,
    /// The time that we are told.
    pub now: Now,
}

impl Pair {
    pub fn new(ours: Connection, theirs: impl Into<rustls::Connection>) -> Self {
        let (our_inbox, their_inbox, our_early, their_early) = Default::default();
        let theirs = theirs.into();
        Self {
            ours,
            theirs,
            our_inbox,
            their_inbox,
            our_early,
            their_early,
            our_error: None,
            their_error: None,
            chunk: 1021,
            now: now(),
        }
    }

    /// Moves bytes until neither side has anything to send.
    pub fn run(&mut self) -> &mut Self {
        while self.deliver_to_them() | self.deliver_to_us() {}
        self
    }

    /// Delivers one chunk of our output to rustls.
    pub fn deliver_to_them(&mut self) -> bool {
        let output = self.ours.output();
        let mut chunk = &output[..output.len().min(self.chunk)];
        if chunk.is_empty() {
            return false;
        }
        if self.their_error.is_some() {
            let all = output.len();
            self.ours.sent(all);
            return true;
        }
        let count = self.theirs.read_tls(&mut chunk).unwrap();
        self.ours.sent(count);
        match self.theirs.process_new_packets() {
            Ok(state) => {
                let mut plaintext = vec![0; state.plaintext_bytes_to_read()];
                self.theirs.reader().read_exact(&mut plaintext).unwrap();
                self.their_inbox.extend(plaintext);
                if let rustls::Connection::Server(theirs) = &mut self.theirs
                    && let Some(mut early) = theirs.early_data()
                {
                    early.read_to_end(&mut self.their_early).unwrap();
                }
            }
            Err(error) => self.their_error = Some(error),
        }
        true
    }

    /// Delivers all of rustls' output to us.
    pub fn deliver_to_us(&mut self) -> bool {
        let mut wire = Vec::new();
        while self.theirs.wants_write() {
            self.theirs.write_tls(&mut wire).unwrap();
        }
        for mut chunk in wire.chunks(self.chunk) {
            while !chunk.is_empty() {
                let space = self.ours.input();
                let count = space.len().min(chunk.len());
                space[..count].copy_from_slice(&chunk[..count]);
                self.ours.received(count);
                chunk = &chunk[count..];
                self.process();
            }
        }
        !wire.is_empty()
    }

    pub fn process(&mut self) -> Option<Status> {
        loop {
            match self.ours.process(self.now, &mut SystemRandom) {
                Ok(Status::Data) => {
                    self.our_inbox.extend(self.ours.plaintext());
                    self.ours.consume(usize::MAX);
                }
                Ok(Status::EarlyData) => {
                    self.our_early.extend(self.ours.early_plaintext());
                    self.ours.consume(usize::MAX);
                }
                Ok(status) => return Some(status),
                Err(error) => {
                    self.our_error.get_or_insert(error);
                    return None;
                }
            }
        }
    }

    pub fn assert_connected(&self) {
        assert!(
            self.our_error.is_none() && self.their_error.is_none(),
            "{:?}, {:?}",
            self.our_error,
            self.their_error
        );
        assert!(!self.ours.is_handshaking() && !self.theirs.is_handshaking());
    }

    /// Sends `length` bytes in both directions at once, and checks what arrived.
    pub fn exchange(&mut self, length: usize) {
        let (our_data, their_data) = (lines("fleeting", length), lines("rustls", length));
        let (mut ours, mut theirs) = (&our_data[..], &their_data[..]);
        while !ours.is_empty() || !theirs.is_empty() {
            ours = &ours[self.ours.write(ours).unwrap()..];
            theirs = &theirs[self.theirs.writer().write(theirs).unwrap()..];
            self.run();
        }
        self.assert_connected();
        assert!(
            std::mem::take(&mut self.their_inbox) == our_data,
            "rustls received something else"
        );
        assert!(
            std::mem::take(&mut self.our_inbox) == their_data,
            "we received something else"
        );
    }

    pub fn exporters_agree(&self) {
        for (context, length) in [(&b""[..], 32), (b"context", 64), (&[7; 300], 1)] {
            let theirs = self
                .theirs
                .export_keying_material(vec![0; length], b"EXPORTER-test", Some(context))
                .unwrap();
            assert_eq!(
                self.ours
                    .export_keying_material(b"EXPORTER-test", context, length)
                    .unwrap()
                    .expose(),
                theirs
            );
        }
        // RFC 9846, 7.5: "If no context is provided, the context_value is zero length."
        let theirs = self
            .theirs
            .export_keying_material([0; 32], b"EXPORTER-test", None)
            .unwrap();
        assert_eq!(
            self.ours
                .export_keying_material(b"EXPORTER-test", b"", 32)
                .unwrap()
                .expose(),
            theirs
        );
    }

    /// Sends close_notify from both sides, one after the other. A half-closed connection still
    /// carries data.
    pub fn close(&mut self, we_begin: bool) {
        if we_begin {
            self.ours.close();
            self.run();
            assert_eq!(self.theirs.reader().read(&mut [0; 8]).unwrap(), 0);
            self.theirs.writer().write_all(b"last words").unwrap();
            self.theirs.send_close_notify();
            self.run();
            assert_eq!(std::mem::take(&mut self.our_inbox), b"last words");
            assert_eq!(self.process(), Some(Status::Closed));
        } else {
            self.theirs.send_close_notify();
            self.run();
            assert_eq!(self.process(), Some(Status::Closed));
            self.ours.write(b"last words").unwrap();
            self.ours.close();
            self.run();
            assert_eq!(std::mem::take(&mut self.their_inbox), b"last words");
            assert_eq!(self.theirs.reader().read(&mut [0; 8]).unwrap(), 0);
        }
        self.ours.received_end();
        assert_eq!(self.process(), Some(Status::Closed));
    }

    /// Returns how many records rustls' current keys have protected: sent and received.
    pub fn their_sequence_numbers(self) -> (u64, u64) {
        let secrets = self.theirs.dangerous_extract_secrets().unwrap();
        (secrets.tx.0, secrets.rx.0)
    }

    /// Asserts that we refused for this reason, and rustls read this alert.
    pub fn assert_we_refused(&self, is_reason: impl Fn(&Fault) -> bool, alert: AlertDescription) {
        match &self.our_error {
            Some(Error::Protocol { fault, .. }) if is_reason(fault) => {
                assert_eq!(fault.alert(), alert)
            }
            other => panic!("{other:?}, and rustls {:?}", self.their_error),
        }
        assert_eq!(
            self.their_error,
            Some(rustls::Error::AlertReceived(alert.0.into()))
        );
    }

    /// Asserts that rustls refused for this reason, and we read this alert.
    pub fn assert_they_refused(
        &self,
        is_reason: impl Fn(&rustls::Error) -> bool,
        alert: AlertDescription,
    ) {
        assert!(
            self.their_error.as_ref().is_some_and(is_reason),
            "{:?}, and we {:?}",
            self.their_error,
            self.our_error
        );
        assert!(
            matches!(self.our_error, Some(Error::AlertReceived { alert: received, .. })
                if received == alert),
            "{:?}",
            self.our_error
        );
    }
}

pub fn provider() -> CryptoProvider {
    #[cfg(target_arch = "x86_64")]
    for (feature, there) in [
        ("aes", std::arch::is_x86_feature_detected!("aes")),
        (
            "pclmulqdq",
            std::arch::is_x86_feature_detected!("pclmulqdq"),
        ),
        ("ssse3", std::arch::is_x86_feature_detected!("ssse3")),
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("bmi2", std::arch::is_x86_feature_detected!("bmi2")),
        ("adx", std::arch::is_x86_feature_detected!("adx")),
    ] {
        assert!(
            there,
            "these tests need a CPU with {feature}: rustls' cryptography (graviola) does not run \
             without it"
        );
    }
    rustls_graviola::default_provider()
}

/// Returns the provider with the setting's suite and groups.
pub fn provider_with(setting: &Setting) -> Arc<CryptoProvider> {
    let mut provider = provider();
    provider
        .cipher_suites
        .retain(|candidate| u16::from(candidate.suite()) == setting.suite.0.0);
    assert_eq!(provider.cipher_suites.len(), 1);
    if let Some(groups) = setting.their_groups {
        let find = |wanted: &rustls::NamedGroup| {
            *provider
                .kx_groups
                .iter()
                .find(|group| group.name() == *wanted)
                .unwrap()
        };
        provider.kx_groups = groups.iter().map(find).collect();
    }
    Arc::new(provider)
}

pub fn chain(identity: &Identity) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().unwrap().expose()).unwrap();
    (
        identity
            .certificates()
            .iter()
            .cloned()
            .map(CertificateDer::from)
            .collect(),
        key,
    )
}

pub fn roots(pki: &Pki) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pki.authority.certificate_pem().as_bytes()).unwrap())
        .unwrap();
    roots
}

/// How rustls' server asks for a client certificate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Auth {
    None,
    Optional,
    Required,
}

/// What one conversation varies. Everything else is valid.
#[derive(Clone)]
pub struct Setting {
    pub suite: Suite,
    pub auth: Auth,
    pub server: Option<Identity>,
    pub client: Option<Identity>,
    pub our_alpn: &'static [&'static str],
    pub their_alpn: &'static [&'static str],
    /// The groups of rustls in order of preference, if not its default. A client sends a share for
    /// the first.
    pub their_groups: Option<&'static [rustls::NamedGroup]>,
    /// If true, rustls' server names the authorities of the client certificates that it accepts.
    pub names_authorities: bool,
    pub name: &'static str,
}

pub const PLAIN: Setting = Setting {
    suite: SUITES[0],
    auth: Auth::None,
    server: None,
    client: None,
    our_alpn: &[],
    their_alpn: &[],
    their_groups: None,
    names_authorities: true,
    name: SERVER_NAME,
};

fn wire(protocols: &[&str]) -> Vec<Vec<u8>> {
    protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect()
}

/// Makes our client and rustls' server.
pub fn with_their_server(pki: &Pki, setting: Setting) -> Pair {
    with_this_server(pki, their_server(pki, &setting), setting)
}

pub fn with_this_server(pki: &Pki, theirs: ServerConfig, setting: Setting) -> Pair {
    to_their_server(
        &our_client(pki, &setting).build().unwrap(),
        &Arc::new(theirs),
        setting.name,
    )
}

/// Connects these two, which may meet several times.
pub fn to_their_server(ours: &Client, theirs: &Arc<ServerConfig>, name: &str) -> Pair {
    Pair::new(
        ours.connection(name, now(), &mut SystemRandom).unwrap(),
        ServerConnection::new(theirs.clone()).unwrap(),
    )
}

pub fn our_client(pki: &Pki, setting: &Setting) -> ClientBuilder {
    let ours = Client::builder()
        .trust(pki.authority.trust())
        .alpn(setting.our_alpn.iter().copied());
    match &setting.client {
        Some(identity) => ours.identity(identity.clone()),
        None => ours,
    }
}

pub fn their_server(pki: &Pki, setting: &Setting) -> ServerConfig {
    let (chain, key) = chain(setting.server.as_ref().unwrap_or(&pki.server));
    let verifier = their_client_verifier(pki, setting);
    let theirs = their_server_builder(setting)
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    finish_server(theirs, setting)
}

pub fn their_server_builder(setting: &Setting) -> ConfigBuilder<ServerConfig, WantsVerifier> {
    ServerConfig::builder_with_provider(provider_with(setting))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
}

pub fn their_client_verifier(pki: &Pki, setting: &Setting) -> Arc<dyn ClientCertVerifier> {
    let mut verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pki)), provider_with(setting));
    if !setting.names_authorities {
        verifier = verifier.clear_root_hint_subjects();
    }
    match setting.auth {
        Auth::None => Arc::new(NoClientAuth),
        Auth::Optional => verifier.allow_unauthenticated().build().unwrap(),
        Auth::Required => verifier.build().unwrap(),
    }
}

pub fn finish_server(mut theirs: ServerConfig, setting: &Setting) -> ServerConfig {
    theirs.alpn_protocols = wire(setting.their_alpn);
    theirs.enable_secret_extraction = true;
    theirs
}

/// Makes rustls' client and our server.
pub fn with_their_client(pki: &Pki, setting: Setting) -> Pair {
    with_our_server(pki, &our_server(pki, &setting).build().unwrap(), setting)
}

pub fn with_our_server(pki: &Pki, ours: &Server, setting: Setting) -> Pair {
    to_our_server(ours, &Arc::new(their_client(pki, &setting)), setting.name)
}

/// Connects these two, which may meet several times.
pub fn to_our_server(ours: &Server, theirs: &Arc<ClientConfig>, name: &'static str) -> Pair {
    Pair::new(
        ours.connection(now()),
        ClientConnection::new(theirs.clone(), name.try_into().unwrap()).unwrap(),
    )
}

pub fn our_server(pki: &Pki, setting: &Setting) -> ServerBuilder {
    let trust = pki.authority.trust();
    let auth = match setting.auth {
        Auth::None => ClientAuth::None,
        Auth::Optional => ClientAuth::Optional(trust),
        Auth::Required => ClientAuth::Required(trust),
    };
    let identity = setting.server.as_ref().unwrap_or(&pki.server);
    Server::builder()
        .identity(identity.clone())
        .client_auth(auth)
        .alpn(setting.our_alpn.iter().copied())
}

pub fn their_client(pki: &Pki, setting: &Setting) -> ClientConfig {
    let theirs = their_client_builder(setting).with_root_certificates(roots(pki));
    let theirs = match &setting.client {
        Some(identity) => {
            let (chain, key) = chain(identity);
            theirs.with_client_auth_cert(chain, key).unwrap()
        }
        None => theirs.with_no_client_auth(),
    };
    finish_client(theirs, setting)
}

pub fn their_client_builder(setting: &Setting) -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(provider_with(setting))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
}

pub fn finish_client(mut theirs: ClientConfig, setting: &Setting) -> ClientConfig {
    theirs.alpn_protocols = wire(setting.their_alpn);
    theirs.enable_secret_extraction = true;
    theirs
}
