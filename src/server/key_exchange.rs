//! ClientHello in, ServerHello out: version, suite, group and handshake keys (RFC 9846, 4.2).
//!
//! 1. [`Start::on_client_hello`] takes the hello; without a configuration it asks for one.
//! 2. [`ReceivedClientHello::choose`] checks the hello and selects suite and group. If that needs another hello, `retry.rs` asks for it.
//! 3. [`answer`] takes the PSK that the client offers, if it is a good one (`psk.rs`), and its early data, if that is fresh (`early_data.rs`), and sends the
//!    whole first flight: ServerHello here, the rest in `server_parameters.rs` and `authentication.rs`.

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
use crate::server::authentication::Flight;
use crate::server::client_hello::ClientHello as OfferedHello;
use crate::server::config::Server;
use crate::server::early_data::{self, Decision, Judgement};
use crate::server::psk::{self, TakenPsk};
use crate::server::retry::{self, StartRetried, Wanted};
use crate::server::server_parameters::{self, Negotiated, Parameters};
use crate::session::{ReplayEntry, ReplayVerdict};

/// START.
pub(crate) struct Start {
    /// None where the application chooses when it has seen the ClientHello.
    pub(crate) server: Option<Server>,
}

impl Start {
    pub(crate) fn on_client_hello(self, hello: &ClientHello<'_>, wire: Wire<'_>, cx: &mut Context<'_>) -> Result<Reply, Fault> {
        let bytes = wire.bytes;
        let aligned = wire.aligned("ClientHello")?;
        match self.server {
            Some(server) => negotiate(&server, hello, bytes, aligned, cx),
            None => Ok(Reply::Undecided(Box::new(ReceivedClientHello { offered: OfferedHello::new(hello, bytes), aligned }))),
        }
    }
}

/// What a ClientHello leads to.
#[expect(clippy::large_enum_variant, reason = "taken apart as soon as it is returned")]
pub(crate) enum Reply {
    /// The application is to choose the configuration.
    Undecided(Box<ReceivedClientHello>),
    /// A HelloRetryRequest is sent.
    Retry(StartRetried),
    /// The application is to say whether this ClientHello has come before.
    Unchecked(Box<Unchecked>),
    /// The first flight is sent, or begun.
    Flight(Flight),
}

/// RECVD_CH, waiting for the application to choose a configuration.
pub(crate) struct ReceivedClientHello {
    pub(crate) offered: OfferedHello,
    aligned: Aligned,
}

impl ReceivedClientHello {
    /// Goes on with the configuration that was chosen.
    pub(crate) fn choose(self, server: &Server, cx: &mut Context<'_>) -> Result<Reply, Fault> {
        let bytes = self.offered.as_bytes();
        negotiate(server, &decode_again(bytes)?, bytes, self.aligned, cx)
    }
}

/// RECVD_CH, waiting for the application to say whether this ClientHello, and its early data, has come before.
pub(crate) struct Unchecked {
    entry: ReplayEntry,
    accepted: Decision,
    client_hello: Vec<u8>,
    aligned: Aligned,
    prepared: Prepared,
}

impl Unchecked {
    /// What the store is asked for.
    pub(crate) fn entry(&self) -> ReplayEntry {
        self.entry
    }

    /// Goes on with what the store says.
    pub(crate) fn checked(self, verdict: ReplayVerdict, cx: &mut Context<'_>) -> Result<Flight, Fault> {
        let hello = decode_again(&self.client_hello)?;
        // RFC 9846, 8.2: an entry is kept "as long as the expected_arrival_time is inside the window". What says that it is new after that may have
        // forgotten it.
        let verdict = if cx.now.unix > self.entry.expires() { ReplayVerdict::Unavailable } else { verdict };
        self.prepared.answer(&hello, &self.client_hello, self.aligned, self.accepted.unless_seen(verdict), cx)
    }
}

fn decode_again(bytes: &[u8]) -> Result<ClientHello<'_>, Fault> {
    match Message::decode(bytes)? {
        Message::ClientHello(hello) => Ok(hello),
        _ => Err(Fault::Internal { what: "decoding the ClientHello again" }),
    }
}

/// What a ClientHello and the configuration have in common, and the client's share of it.
pub(crate) struct Selected {
    pub(crate) suite: Suite,
    pub(crate) group: Group,
    pub(crate) share: Vec<u8>,
    pub(crate) parameters: Parameters,
}

/// Selects suite and group, and sends the first flight, or a HelloRetryRequest. Every check comes before the first byte is written.
fn negotiate(server: &Server, hello: &ClientHello<'_>, bytes: &[u8], aligned: Aligned, cx: &mut Context<'_>) -> Result<Reply, Fault> {
    check_version(hello)?;
    // RFC 9846, 4.2.2: "this list MUST contain exactly one byte, set to zero".
    if hello.compression_methods != [0] {
        return Err(Illegal::Compression.into());
    }
    check_mandatory_extensions(hello)?;
    let suite = select_suite(server, hello)?;
    let group = select_group(server, hello)?;
    check_record_size_limit(hello)?;
    let parameters = server_parameters::select(server, hello)?;
    if hello.pre_shared_key().is_none() {
        check_without_psk(&parameters, hello)?;
    }
    let wants_retry = group.is_none() || server.config.retry_cookie;
    if wants_retry && parameters.identity.is_none() {
        // RFC 9846, F.6: which suite a retry names says which PSKs are known, so only who holds one hears of it.
        let before = Transcript::new(suite.hash());
        if psk::select(server, hello, bytes, &before, suite, &parameters, cx.now)?.is_none() {
            check_without_psk(&parameters, hello)?;
        }
    }
    match group {
        Some((group, share)) if !server.config.retry_cookie => {
            let selected = Selected { suite, group, share: share.to_vec(), parameters };
            answer(server, hello, bytes, aligned, selected, Transcript::new(suite.hash()), cx)
        }
        shared => {
            let wanted = if shared.is_none() { best_group(server, hello) } else { None };
            let first = ClientHelloTranscript::new(bytes);
            retry::send(server, hello, first, Wanted { suite, group: wanted, parameters }, cx).map(Reply::Retry)
        }
    }
}

/// Selects the PSK, decides about early data, and sends the first flight; `before` is the transcript before this ClientHello.
pub(crate) fn answer(
    server: &Server,
    hello: &ClientHello<'_>,
    bytes: &[u8],
    aligned: Aligned,
    selected: Selected,
    before: Transcript,
    cx: &mut Context<'_>,
) -> Result<Reply, Fault> {
    let offered = psk::select(server, hello, bytes, &before, selected.suite, &selected.parameters, cx.now)?;
    // Whether a PSK that was offered will do is known only now: without one there must be a signature.
    if offered.is_none() {
        check_without_psk(&selected.parameters, hello)?;
    }
    let judgement = early_data::judge(server, hello, offered.as_ref(), selected.suite, selected.parameters.alpn.as_deref(), cx)?;
    let prepared = Prepared { server: server.clone(), selected, before, psk: offered.map(|offered| offered.taken) };
    match judgement {
        Judgement::Decided(decision) => prepared.answer(hello, bytes, aligned, decision, cx).map(Reply::Flight),
        Judgement::Ask(entry, accepted) => {
            Ok(Reply::Unchecked(Box::new(Unchecked { entry, accepted, client_hello: bytes.to_vec(), aligned, prepared })))
        }
    }
}

/// All that is decided before the first flight, but for early data.
struct Prepared {
    server: Server,
    selected: Selected,
    before: Transcript,
    psk: Option<TakenPsk>,
}

impl Prepared {
    /// Sends ServerHello and what follows it.
    fn answer(
        self,
        hello: &ClientHello<'_>,
        bytes: &[u8],
        aligned: Aligned,
        decision: Decision,
        cx: &mut Context<'_>,
    ) -> Result<Flight, Fault> {
        let Self { server, selected: Selected { suite, group, share, parameters }, before, psk } = self;
        let (own_share, shared) = key_exchange::respond(group, &share, cx.rng)?;
        let mut extensions = vec![
            ServerHelloExtension::SupportedVersions(ProtocolVersion::TLS1_3),
            ServerHelloExtension::KeyShare(KeyShareEntry { group: group.code_point(), key_exchange: &own_share }),
        ];
        let (early, psk) = match psk {
            Some(TakenPsk { index, early, selected }) => {
                extensions.push(ServerHelloExtension::PreSharedKey(index));
                (early, Some(selected))
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
        // RFC 9846, 7.1: the client_early_traffic_secret covers the ClientHello.
        let early_data = match decision {
            Decision::Accepted { max_size } => Some((early.client_early_traffic(&transcript.digest()), max_size)),
            Decision::NotOffered | Decision::Rejected => None,
        };
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
        let client_handshake = match early_data {
            Some((early_traffic, max_size)) => {
                cx.sink.accept_early_data(aligned, suite, early_traffic, max_size);
                Some(traffic.client)
            }
            None => {
                cx.sink.install_read(aligned, Level::Handshake, suite, traffic.client);
                None
            }
        };
        // RFC 9846, 4.3.10: we ignore the extension, return a regular 1-RTT response, and skip what does not open.
        if hello.early_data() && client_handshake.is_none() {
            cx.sink.skip_early_data(SkipMode::Trial, early_data::skipped(&server));
        }
        Negotiated { server, keys, parameters, psk, early_data: decision.outcome(), client_handshake }.send_flight(hello, cx)
    }
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

/// The first suite of our list that the client offers; one that a PSK from outside fits, if there is one.
fn select_suite(server: &Server, hello: &ClientHello<'_>) -> Result<Suite, Fault> {
    let suites = &server.config.settings.suites;
    let mut common = suites.iter().filter(|suite| hello.cipher_suites.contains(&suite.code_point()));
    let first = common.clone().next();
    let fits = common.find(|suite| psk::suits_external_psks(server, hello, suite.hash()));
    fits.or(first).copied().ok_or_else(|| Fault::NoCommonSuite {
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

/// Without a PSK we show who we are.
fn check_without_psk(parameters: &Parameters, hello: &ClientHello<'_>) -> Result<(), Fault> {
    if parameters.identity.is_some() {
        return check_schemes(hello);
    }
    // RFC 9846, F.6: a server that takes PSKs alone says no more about one that it does not know than about a wrong binder.
    Err(match hello.pre_shared_key() {
        Some(_) => Fault::UnknownPsk,
        None => Fault::MissingExtension { message: "ClientHello", extension: ExtensionType::PRE_SHARED_KEY },
    })
}

/// RFC 9846, 4.3.3: the client must accept the one kind of signature we make, in CertificateVerify. (4.5.1.2: a chain that
/// signature_algorithms_cert does not cover is sent all the same, as there is no other.)
fn check_schemes(hello: &ClientHello<'_>) -> Result<(), Fault> {
    let missing = Fault::MissingExtension { message: "ClientHello", extension: ExtensionType::SIGNATURE_ALGORITHMS };
    let schemes = hello.signature_algorithms().ok_or(missing)?;
    if schemes.contains(&SignatureScheme::ED25519) { Ok(()) } else { Err(Fault::NoCommonScheme { offered: schemes.to_vec() }) }
}
