//! ClientHello in, ServerHello out: version, suite, group and handshake keys (RFC 9846, 4.2).
//!
//! 1. [`Start::on_client_hello`] takes the hello; without a configuration it asks for one.
//! 2. [`ReceivedClientHello::choose`] checks the hello, selects, and sends the whole first flight: ServerHello here, the rest in
//!    `server_parameters.rs` and `authentication.rs`.

use crate::code_point::{ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme};
use crate::crypto::key_exchange::{self, Group};
use crate::crypto::random;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Illegal};
use crate::handshake::{ClientHelloTranscript, Context, Keys, SkipMode, Wire};
use crate::level::Level;
use crate::message::{ClientHello, KeyShareEntry, Message, ServerHello, ServerHelloExtension};
use crate::record::Aligned;
use crate::server::authentication::Flight2;
use crate::server::client_hello::ClientHello as OfferedHello;
use crate::server::config::Server;
use crate::server::server_parameters::{self, Negotiated};

/// How many bytes of early data records are skipped for a client whose early data we do not take. A client may send as much as a ticket from
/// some other server of this name once allowed; rustls and OpenSSL allow 16 KiB.
const SKIPPED_EARLY_DATA: usize = 64 * 1024;

/// START.
pub(crate) struct Start {
    /// None where the application chooses when it has seen the ClientHello.
    pub(crate) server: Option<Server>,
}

impl Start {
    pub(crate) fn on_client_hello(self, hello: &ClientHello<'_>, wire: Wire<'_>, cx: &mut Context<'_>) -> Result<AfterClientHello, Fault> {
        let bytes = wire.bytes;
        let aligned = wire.aligned("ClientHello")?;
        Ok(match self.server {
            Some(server) => AfterClientHello::Sent(negotiate(&server, hello, bytes, aligned, cx)?),
            None => AfterClientHello::Undecided(ReceivedClientHello { offered: OfferedHello::new(hello, bytes), aligned }),
        })
    }
}

/// Where a ClientHello leads.
#[expect(clippy::large_enum_variant, reason = "taken apart as soon as it is returned")]
pub(crate) enum AfterClientHello {
    /// The first flight is sent.
    Sent(Flight2),
    /// The application is to choose the configuration.
    Undecided(ReceivedClientHello),
}

/// RECVD_CH, waiting for the application to choose a configuration.
pub(crate) struct ReceivedClientHello {
    pub(crate) offered: OfferedHello,
    aligned: Aligned,
}

impl ReceivedClientHello {
    /// Goes on with the configuration that was chosen.
    pub(crate) fn choose(self, server: &Server, cx: &mut Context<'_>) -> Result<Flight2, Fault> {
        let bytes = self.offered.as_bytes();
        match Message::decode(bytes)? {
            Message::ClientHello(hello) => negotiate(server, &hello, bytes, self.aligned, cx),
            _ => Err(Fault::Internal { what: "decoding the ClientHello again" }),
        }
    }
}

/// Selects the parameters and sends the first flight. Every check comes before the first byte is written.
fn negotiate(server: &Server, hello: &ClientHello<'_>, bytes: &[u8], aligned: Aligned, cx: &mut Context<'_>) -> Result<Flight2, Fault> {
    check_version(hello)?;
    // RFC 9846, 4.2.2: "this list MUST contain exactly one byte, set to zero".
    if hello.compression_methods != [0] {
        return Err(Illegal::Compression.into());
    }
    check_mandatory_extensions(hello)?;
    let suite = select_suite(server, hello)?;
    let (group, client_share) = select_share(hello)?;
    check_schemes(hello)?;
    let parameters = server_parameters::select(server, hello)?;

    let (share, shared) = key_exchange::respond(group, client_share, cx.rng)?;
    let server_hello = ServerHello {
        legacy_version: ProtocolVersion::TLS1_2,
        random: random::array::<32>(cx.rng)?,
        session_id_echo: hello.session_id,
        cipher_suite: suite.code_point(),
        compression_method: 0,
        extensions: Some(vec![
            ServerHelloExtension::SupportedVersions(ProtocolVersion::TLS1_3),
            ServerHelloExtension::KeyShare(KeyShareEntry { group: group.code_point(), key_exchange: &share }),
        ]),
    }
    .encode()?;
    let mut transcript = ClientHelloTranscript::new(bytes).with_hash(suite.hash());
    transcript.add(&server_hello);
    let (keys, traffic) = Keys::derive(suite, group.code_point(), shared, transcript);

    cx.sink.write(Level::Plaintext, &server_hello);
    // RFC 9846, E.4: "immediately after its first handshake message", and a must if the session id is not empty.
    if !hello.session_id.is_empty() {
        cx.sink.change_cipher_spec();
    }
    cx.sink.install_write(Level::Handshake, suite, traffic.server);
    cx.sink.install_read(aligned, Level::Handshake, suite, traffic.client);
    // RFC 9846, 4.3.10: we ignore the extension, return a regular 1-RTT response, and skip what does not open.
    if hello.early_data() {
        cx.sink.skip_early_data(SkipMode::Trial, SKIPPED_EARLY_DATA);
    }
    Negotiated { server: server.clone(), keys, parameters }.send_flight(cx)
}

/// The version comes first (RFC 9846, 4.3.1 and 4.2.2).
fn check_version(hello: &ClientHello<'_>) -> Result<(), Fault> {
    let Some(versions) = hello.supported_versions() else {
        // RFC 9846, 4.3.1: without the extension the client speaks TLS 1.2 or older.
        return Err(Fault::Version { got: vec![hello.legacy_version] });
    };
    if !versions.contains(&ProtocolVersion::TLS1_3) {
        return Err(Fault::Version { got: versions.to_vec() });
    }
    // RFC 9846, 4.2.2: "A server which receives a legacy_version value not equal to 0x0303 MUST abort the handshake with a protocol_version".
    if hello.legacy_version != ProtocolVersion::TLS1_2 {
        return Err(Fault::Version { got: vec![hello.legacy_version] });
    }
    Ok(())
}

/// RFC 9846, 9.2 and 4.3.9: which extensions must be there. We authenticate with a certificate, so signature_algorithms is needed in any case.
fn check_mandatory_extensions(hello: &ClientHello<'_>) -> Result<(), Fault> {
    let missing = |extension| Err(Fault::MissingExtension { message: "ClientHello", extension });
    if hello.signature_algorithms().is_none() {
        return missing(ExtensionType::SIGNATURE_ALGORITHMS);
    }
    if hello.supported_groups().is_none() {
        return missing(ExtensionType::SUPPORTED_GROUPS);
    }
    if hello.key_share().is_none() {
        return missing(ExtensionType::KEY_SHARE);
    }
    // RFC 9846, 4.3.9: "If clients offer pre_shared_key without a psk_key_exchange_modes extension, servers MUST abort the handshake."
    if hello.pre_shared_key().is_some() && hello.psk_key_exchange_modes().is_none() {
        return missing(ExtensionType::PSK_KEY_EXCHANGE_MODES);
    }
    Ok(())
}

/// The first suite of our list that the client offers.
fn select_suite(server: &Server, hello: &ClientHello<'_>) -> Result<Suite, Fault> {
    let suites = &server.config.settings.suites;
    let common = suites.iter().find(|suite| hello.cipher_suites.contains(&suite.code_point()));
    common.copied().ok_or_else(|| Fault::NoCommonSuite {
        offered: hello.cipher_suites.clone(),
        accepted: suites.iter().map(|suite| suite.code_point()).collect(),
    })
}

/// The first group of ours that the client supports, and its share for it.
fn select_share<'a>(hello: &ClientHello<'a>) -> Result<(Group, &'a [u8]), Fault> {
    let groups = hello.supported_groups().unwrap_or_default();
    let shares = hello.key_share().unwrap_or_default();
    check_shares(groups, shares)?;
    let common = Group::ALL.iter().filter(|group| groups.contains(&group.code_point()));
    let mut shared = common.filter_map(|group| Some((*group, shares.iter().find(|share| share.group == group.code_point())?)));
    shared.next().map(|(group, share)| (group, share.key_exchange)).ok_or_else(|| Fault::NoCommonGroup {
        offered: groups.to_vec(),
        accepted: Group::ALL.iter().map(|group| group.code_point()).collect(),
    })
}

/// RFC 9846, 4.3.8: each share is for a group in supported_groups, in its order, and none is repeated. 4.3.7: nor is a group.
fn check_shares(groups: &[NamedGroup], shares: &[KeyShareEntry<'_>]) -> Result<(), Fault> {
    let mut sorted = groups.to_vec();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
        return Err(Illegal::DuplicateEntry { list: "supported_groups" }.into());
    }
    // One pass over both lists: every share must be found behind the one before it.
    let mut rest = groups.iter();
    for share in shares {
        if !rest.any(|group| *group == share.group) {
            return Err(Illegal::KeyShares(share.group).into());
        }
    }
    Ok(())
}

/// RFC 9846, 4.3.3: the client must accept the one kind of signature we make, in CertificateVerify. (4.5.1.2: a chain that
/// signature_algorithms_cert does not cover is sent all the same, as there is no other.)
fn check_schemes(hello: &ClientHello<'_>) -> Result<(), Fault> {
    let schemes = hello.signature_algorithms().unwrap_or_default();
    if schemes.contains(&SignatureScheme::ED25519) { Ok(()) } else { Err(Fault::NoCommonScheme { offered: schemes.to_vec() }) }
}
