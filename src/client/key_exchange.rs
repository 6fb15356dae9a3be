//! ClientHello out, ServerHello in: suite, group and handshake keys (RFC 9846, 4.2).
//!
//! 1. [`WaitServerHello::start`] sends the ClientHello with a fresh key share.
//! 2. [`WaitServerHello::on_server_hello`] checks the answer against the offer, derives the handshake keys and installs both.

use crate::client::config::Client;
use crate::client::server_parameters::WaitEncryptedExtensions;
use crate::code_point::{CipherSuite, ExtensionType, ProtocolVersion, SignatureScheme};
use crate::crypto::key_exchange::{EphemeralKey, Group};
use crate::crypto::random;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Illegal};
use crate::handshake::{ClientHelloTranscript, Context, Keys, Wire};
use crate::identity::ServerName;
use crate::level::Level;
use crate::message::{self, ClientHello, ClientHelloExtension, KeyShareEntry, ServerHello};

/// The last 8 bytes of ServerHello.random where a server that knows TLS 1.3 negotiated TLS 1.2, or something older (RFC 9846, 4.2.3).
const DOWNGRADE_MARKS: [&[u8]; 2] = [b"DOWNGRD\x01", b"DOWNGRD\x00"];

/// The groups in supported_groups, each with a share.
const OFFERED: [Group; 1] = [Group::X25519];

/// WAIT_SH: the ClientHello is sent.
pub(crate) struct WaitServerHello {
    client: Client,
    name: Option<ServerName>,
    /// Empty, or 32 bytes in compatibility mode.
    session_id: Vec<u8>,
    /// One for each share in the ClientHello, in its order.
    shares: Vec<EphemeralKey>,
    transcript: ClientHelloTranscript,
}

impl WaitServerHello {
    /// Sends the ClientHello.
    pub(crate) fn start(client: Client, name: Option<ServerName>, cx: &mut Context<'_>) -> Result<Self, Fault> {
        let client_random = random::array::<32>(cx.rng)?;
        // RFC 9846, 4.2.2: "In compatibility mode, this field MUST be non-empty", and unpredictable.
        let session_id = if client.config.compatibility_mode { random::array::<32>(cx.rng)?.to_vec() } else { Vec::new() };
        // RFC 9846, 4.3.8: a key share is made for this connection alone.
        let shares = OFFERED.into_iter().map(|group| EphemeralKey::generate(group, cx.rng)).collect::<Result<Vec<_>, _>>()?;

        let config = &client.config;
        let mut extensions = Vec::new();
        // RFC 6066, section 3: a name, never an IP literal.
        if let Some(dns) = name.as_ref().and_then(ServerName::dns) {
            extensions.push(ClientHelloExtension::ServerName(vec![message::ServerName::HostName(dns)]));
        }
        extensions.push(ClientHelloExtension::SupportedGroups(OFFERED.iter().map(|group| group.code_point()).collect()));
        extensions.push(ClientHelloExtension::SignatureAlgorithms(vec![SignatureScheme::ED25519]));
        if !config.settings.alpn.is_empty() {
            extensions.push(ClientHelloExtension::Alpn(config.settings.alpn.iter().map(Vec::as_slice).collect()));
        }
        extensions.push(ClientHelloExtension::SupportedVersions(vec![ProtocolVersion::TLS1_3]));
        extensions.push(ClientHelloExtension::KeyShare(
            shares.iter().map(|share| KeyShareEntry { group: share.group().code_point(), key_exchange: share.public() }).collect(),
        ));

        let hello = ClientHello {
            legacy_version: ProtocolVersion::TLS1_2,
            random: client_random,
            session_id: &session_id,
            cipher_suites: config.settings.suites.iter().map(|suite| suite.code_point()).collect(),
            compression_methods: &[0],
            extensions: Some(extensions),
        }
        .encode()?;
        cx.sink.write(Level::Plaintext, &hello);

        let transcript = ClientHelloTranscript::new(&hello);
        Ok(Self { client, name, session_id, shares, transcript })
    }

    /// Checks the server's choices against the offer, and derives and installs the handshake keys.
    pub(crate) fn on_server_hello(
        mut self,
        hello: &ServerHello<'_>,
        wire: Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<WaitEncryptedExtensions, Fault> {
        check_version(hello)?;
        // RFC 9846, 4.2.3: "a legacy_session_id_echo field that does not match what it sent ... MUST abort".
        if hello.session_id_echo != self.session_id.as_slice() {
            return Err(Illegal::SessionIdEcho.into());
        }
        let suite = self.chosen_suite(hello.cipher_suite)?;
        // RFC 9846, 4.2.3: "A single byte which MUST have the value 0."
        if hello.compression_method != 0 {
            return Err(Illegal::Compression.into());
        }
        // RFC 9846, 4.3: an answer to what was not asked; no PSK was offered.
        let asked = [ExtensionType::SUPPORTED_VERSIONS, ExtensionType::KEY_SHARE];
        if let Some(extension) = hello.extension_types().find(|extension| !asked.contains(extension)) {
            return Err(Fault::UnsolicitedExtension { message: ServerHello::NAME, extension });
        }
        let server_share =
            hello.key_share().ok_or(Fault::MissingExtension { message: ServerHello::NAME, extension: ExtensionType::KEY_SHARE })?;
        // RFC 9846, 4.3.8: "A single KeyShareEntry value that is in the same group as one of the client's shares."
        let position = self.shares.iter().position(|share| share.group().code_point() == server_share.group);
        let share = position.map(|index| self.shares.swap_remove(index)).ok_or(Illegal::GroupNotOffered(server_share.group))?;
        let bytes = wire.bytes;
        let aligned = wire.aligned("ServerHello")?;

        let mut transcript = self.transcript.with_hash(suite.hash());
        transcript.add(bytes);
        let shared = share.agree(server_share.key_exchange)?;
        let (keys, traffic) = Keys::derive(suite, server_share.group, shared, transcript);
        cx.sink.install_read(aligned, Level::Handshake, suite, traffic.server);
        cx.sink.install_write(Level::Handshake, suite, traffic.client);
        Ok(WaitEncryptedExtensions { client: self.client, name: self.name, keys })
    }

    fn chosen_suite(&self, code_point: CipherSuite) -> Result<Suite, Fault> {
        // RFC 9846, 4.2.3: "A client which receives a cipher suite that was not offered MUST abort".
        let offered = self.client.config.settings.suites.iter().find(|suite| suite.code_point() == code_point);
        offered.copied().ok_or(Illegal::SuiteNotOffered(code_point).into())
    }
}

/// The version is looked at before everything else (RFC 9846, 4.3.1).
fn check_version(hello: &ServerHello<'_>) -> Result<(), Fault> {
    match hello.supported_versions() {
        Some(ProtocolVersion::TLS1_3) => {}
        Some(version) => return Err(Illegal::VersionNotOffered(version).into()),
        // RFC 9846, 4.2.3: clients which receive a ServerHello of TLS 1.2 or below check for the mark of a downgrade.
        None if DOWNGRADE_MARKS.iter().any(|mark| hello.random.ends_with(mark)) => return Err(Illegal::Downgrade.into()),
        None => return Err(Fault::Version { got: vec![hello.legacy_version] }),
    }
    // RFC 9846, 4.2.3: "a legacy_version value not equal to 0x0303 MUST abort the handshake with a protocol_version alert".
    if hello.legacy_version != ProtocolVersion::TLS1_2 {
        return Err(Fault::Version { got: vec![hello.legacy_version] });
    }
    Ok(())
}
