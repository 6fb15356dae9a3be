//! ClientHello in, ServerHello out: version, suite, group and handshake keys (RFC 9846, 4.2).
//!
//! 1. [`Start::on_client_hello`] takes the hello; without a configuration it asks for one.
//! 2. [`ReceivedClientHello::choose`] checks the hello and selects suite and group. If that needs another hello, `retry.rs` asks for it.
//! 3. [`answer`] takes the session that the client offers, if it is a good one (`ticket.rs`), and sends the whole first flight: ServerHello here, the rest
//!    in `server_parameters.rs` and `authentication.rs`.

use crate::code_point::{ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme};
use crate::crypto::key_exchange::{self, Group};
use crate::crypto::random;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Illegal};
use crate::handshake::settings::MIN_RECORD_SIZE_LIMIT;
use crate::handshake::sink::SkipMode;
use crate::handshake::{ClientHelloTranscript, Context, Keys, Transcript, Wire};
use crate::key_schedule::EarlySecret;
use crate::level::Level;
use crate::message::{ClientHello, KeyShareEntry, Message, ServerHello, ServerHelloExtension};
use crate::record::Aligned;
use crate::server::authentication::Flight2;
use crate::server::client_hello::ClientHello as OfferedHello;
use crate::server::config::Server;
use crate::server::retry::{self, StartRetried, Wanted};
use crate::server::server_parameters::{self, Negotiated, Parameters};
use crate::server::ticket;

/// How many bytes of early data records are skipped for a client whose early data we do not take. A client may send as much as a ticket from
/// some other server of this name once allowed; rustls and OpenSSL allow 16 KiB.
pub(crate) const SKIPPED_EARLY_DATA: usize = 64 * 1024;

/// START.
pub(crate) struct Start {
    /// None where the application chooses when it has seen the ClientHello.
    pub(crate) server: Option<Server>,
}

impl Start {
    pub(crate) fn on_client_hello(self, hello: &ClientHello<'_>, wire: Wire<'_>, cx: &mut Context<'_>) -> Result<AfterClientHello, Fault> {
        let bytes = wire.bytes;
        let aligned = wire.aligned("ClientHello")?;
        match self.server {
            Some(server) => negotiate(&server, hello, bytes, aligned, cx).map(AfterClientHello::Answered),
            None => Ok(AfterClientHello::Undecided(ReceivedClientHello { offered: OfferedHello::new(hello, bytes), aligned })),
        }
    }
}

/// Where a ClientHello leads.
#[expect(clippy::large_enum_variant, reason = "taken apart as soon as it is returned")]
pub(crate) enum AfterClientHello {
    /// There is a configuration, and an answer.
    Answered(Answer),
    /// The application is to choose the configuration.
    Undecided(ReceivedClientHello),
}

/// What a ClientHello is answered with.
#[expect(clippy::large_enum_variant, reason = "taken apart as soon as it is returned")]
pub(crate) enum Answer {
    /// The whole first flight.
    Flight(Flight2),
    /// A HelloRetryRequest.
    Retry(StartRetried),
}

/// RECVD_CH, waiting for the application to choose a configuration.
pub(crate) struct ReceivedClientHello {
    pub(crate) offered: OfferedHello,
    aligned: Aligned,
}

impl ReceivedClientHello {
    /// Goes on with the configuration that was chosen.
    pub(crate) fn choose(self, server: &Server, cx: &mut Context<'_>) -> Result<Answer, Fault> {
        let bytes = self.offered.as_bytes();
        match Message::decode(bytes)? {
            Message::ClientHello(hello) => negotiate(server, &hello, bytes, self.aligned, cx),
            _ => Err(Fault::Internal { what: "decoding the ClientHello again" }),
        }
    }
}

/// What a ClientHello and the configuration have in common, and the client's share of it.
pub(crate) struct Selected<'a> {
    pub(crate) suite: Suite,
    pub(crate) group: Group,
    pub(crate) share: &'a [u8],
    pub(crate) parameters: Parameters,
}

/// Selects suite and group, and sends the first flight, or a HelloRetryRequest. Every check comes before the first byte is written.
fn negotiate(server: &Server, hello: &ClientHello<'_>, bytes: &[u8], aligned: Aligned, cx: &mut Context<'_>) -> Result<Answer, Fault> {
    check_version(hello)?;
    // RFC 9846, 4.2.2: "this list MUST contain exactly one byte, set to zero".
    if hello.compression_methods != [0] {
        return Err(Illegal::Compression.into());
    }
    check_mandatory_extensions(hello)?;
    let suite = select_suite(server, hello)?;
    let group = select_group(server, hello)?;
    check_record_size_limit(hello)?;
    if hello.pre_shared_key().is_none() {
        check_schemes(hello)?;
    }
    let parameters = server_parameters::select(server, hello)?;
    match group {
        Some((group, share)) if !server.config.retry_cookie => {
            let selected = Selected { suite, group, share, parameters };
            answer(server, hello, bytes, aligned, selected, Transcript::new(suite.hash()), cx).map(Answer::Flight)
        }
        shared => {
            let wanted = if shared.is_none() { best_group(server, hello) } else { None };
            let first = ClientHelloTranscript::new(bytes);
            retry::send(server, hello, first, Wanted { suite, group: wanted, parameters }, cx).map(Answer::Retry)
        }
    }
}

/// Sends the first flight; `before` is the transcript before this ClientHello.
pub(crate) fn answer(
    server: &Server,
    hello: &ClientHello<'_>,
    bytes: &[u8],
    aligned: Aligned,
    selected: Selected<'_>,
    before: Transcript,
    cx: &mut Context<'_>,
) -> Result<Flight2, Fault> {
    let Selected { suite, group, share, parameters } = selected;
    let offered = ticket::select(server, hello, bytes, &before, suite, &parameters, cx.now)?;
    // Whether a PSK that was offered will do is known only now: without one there must be a signature.
    if offered.is_none() {
        check_schemes(hello)?;
    }

    let (own_share, shared) = key_exchange::respond(group, share, cx.rng)?;
    let mut extensions = vec![
        ServerHelloExtension::SupportedVersions(ProtocolVersion::TLS1_3),
        ServerHelloExtension::KeyShare(KeyShareEntry { group: group.code_point(), key_exchange: &own_share }),
    ];
    let (early, resumed) = match offered {
        Some(offered) => {
            extensions.push(ServerHelloExtension::PreSharedKey(offered.index));
            (offered.early, Some(offered.resumed))
        }
        None => (EarlySecret::new(suite.hash(), None), None),
    };
    let server_hello = ServerHello {
        legacy_version: ProtocolVersion::TLS1_2,
        random: random::array::<32>(cx.rng)?,
        session_id_echo: hello.session_id,
        cipher_suite: suite.code_point(),
        compression_method: 0,
        extensions: Some(extensions),
    }
    .encode()?;
    let mut transcript = before;
    transcript.add(bytes);
    transcript.add(&server_hello);
    let (keys, traffic) = Keys::derive(suite, group.code_point(), early, shared, transcript);

    cx.sink.write(Level::Plaintext, &server_hello);
    // RFC 9846, E.4: "immediately after its first handshake message", and a must if the session id is not empty.
    if !hello.session_id.is_empty() {
        cx.sink.change_cipher_spec();
    }
    // RFC 8449, section 4: protected records keep to the limit from the first one on; the client's, from when it knows of ours.
    if let Some(limit) = hello.record_size_limit() {
        cx.sink.limit_write(limit.into());
        cx.sink.limit_read(server.config.settings.record_size_limit.into());
    }
    cx.sink.install_write(Level::Handshake, suite, traffic.server);
    cx.sink.install_read(aligned, Level::Handshake, suite, traffic.client);
    // RFC 9846, 4.3.10: we ignore the extension, return a regular 1-RTT response, and skip what does not open.
    if hello.early_data() {
        cx.sink.skip_early_data(SkipMode::Trial, SKIPPED_EARLY_DATA);
    }
    Negotiated { server: server.clone(), keys, parameters, resumed }.send_flight(hello, cx)
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

/// RFC 9846, 9.2 and 4.3.9: which extensions must be there. Every handshake agrees a key, with a PSK too, as psk_ke is not accepted.
fn check_mandatory_extensions(hello: &ClientHello<'_>) -> Result<(), Fault> {
    let missing = |extension| Err(Fault::MissingExtension { message: "ClientHello", extension });
    // Without a PSK there must be a signature; whether the PSK will do is seen later.
    if hello.signature_algorithms().is_none() && hello.pre_shared_key().is_none() {
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

/// The group to agree with, and the client's share for it; None where the client has to be asked for another share.
///
/// The best group that both support is worth a round trip only if it brings what the shares at hand do not: secrecy against quantum computers, or a key at all.
fn select_group<'a>(server: &Server, hello: &ClientHello<'a>) -> Result<Option<(Group, &'a [u8])>, Fault> {
    let groups = hello.supported_groups().unwrap_or_default();
    check_shares(groups, hello.key_share().unwrap_or_default())?;
    let best = best_group(server, hello).ok_or_else(|| Fault::NoCommonGroup {
        offered: groups.to_vec(),
        accepted: server.config.settings.groups.iter().map(|group| group.code_point()).collect(),
    })?;
    Ok(shared(server, hello).filter(|(group, _)| group.is_post_quantum() || !best.is_post_quantum()))
}

/// The first group of ours that the client supports.
fn best_group(server: &Server, hello: &ClientHello<'_>) -> Option<Group> {
    let supported = hello.supported_groups().unwrap_or_default();
    server.config.settings.groups.iter().find(|group| supported.contains(&group.code_point())).copied()
}

/// The first group of ours that the client sent a share for.
pub(crate) fn shared<'a>(server: &Server, hello: &ClientHello<'a>) -> Option<(Group, &'a [u8])> {
    let shares = hello.key_share().unwrap_or_default();
    let share = |group: &Group| Some((*group, shares.iter().find(|share| share.group == group.code_point())?.key_exchange));
    server.config.settings.groups.iter().find_map(share)
}

/// RFC 9846, 4.3.8: each share is for a group in supported_groups, and none is repeated. 4.3.7: nor is a group. The order of shares is not looked at
/// ("Servers MAY check"): we do not go by it, and rustls' clients put the group first that a server led them to.
fn check_shares(groups: &[NamedGroup], shares: &[KeyShareEntry<'_>]) -> Result<(), Fault> {
    let mut groups = groups.to_vec();
    groups.sort_unstable();
    if repeated(&groups).is_some() {
        return Err(Illegal::DuplicateEntry { list: "supported_groups" }.into());
    }
    let mut shares: Vec<_> = shares.iter().map(|share| share.group).collect();
    shares.sort_unstable();
    let unsupported = || shares.iter().find(|share| groups.binary_search(share).is_err());
    match repeated(&shares).or_else(unsupported) {
        Some(group) => Err(Illegal::KeyShares(*group).into()),
        None => Ok(()),
    }
}

fn repeated(sorted: &[NamedGroup]) -> Option<&NamedGroup> {
    sorted.windows(2).find_map(|pair| if let [one, other] = pair { (one == other).then_some(one) } else { None })
}

/// RFC 8449, section 4: "An endpoint MUST treat receipt of a smaller value as a fatal error and generate an illegal_parameter alert".
fn check_record_size_limit(hello: &ClientHello<'_>) -> Result<(), Fault> {
    match hello.record_size_limit() {
        Some(limit) if limit < MIN_RECORD_SIZE_LIMIT => Err(Illegal::RecordSizeLimit(limit).into()),
        _ => Ok(()),
    }
}

/// RFC 9846, 4.3.3: the client must accept the one kind of signature we make, in CertificateVerify. (4.5.1.2: a chain that
/// signature_algorithms_cert does not cover is sent all the same, as there is no other.)
fn check_schemes(hello: &ClientHello<'_>) -> Result<(), Fault> {
    let missing = Fault::MissingExtension { message: "ClientHello", extension: ExtensionType::SIGNATURE_ALGORITHMS };
    let schemes = hello.signature_algorithms().ok_or(missing)?;
    if schemes.contains(&SignatureScheme::ED25519) { Ok(()) } else { Err(Fault::NoCommonScheme { offered: schemes.to_vec() }) }
}
