//! ServerHello out: the PSK, early data, and the handshake keys (RFC 9846, 4.2.3).
//!
//! [`answer`] selects a PSK that the client offers, if it is valid (`psk.rs`), accepts its early
//! data, if that is fresh (`early_data.rs`), and sends the whole first flight: ServerHello here,
//! the rest in `server_parameters.rs` and `authentication.rs`.

use crate::code_point::{ExtensionType, ProtocolVersion, SignatureScheme};
use crate::crypto::key_exchange::{self, Group};
use crate::crypto::random;
use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::handshake::sink::SkipMode;
use crate::handshake::{Context, Keys, Transcript};
use crate::key_schedule::EarlySecret;
use crate::level::Level;
use crate::message::{ClientHello, KeyShareEntry, Message, ServerHello, ServerHelloExtension};
use crate::record::Aligned;
use crate::server::authentication::Flight;
use crate::server::config::Server;
use crate::server::early_data::{self, Decision, Judgement};
use crate::server::parameters::{Negotiated, Parameters};
use crate::server::psk::{self, TakenPsk};
use crate::session::{ReplayEntry, ReplayVerdict};

/// How a ClientHello that needs no retry is answered.
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart as soon as it is returned"
)]
pub(crate) enum Answered {
    /// The application must say whether this ClientHello has come before.
    Unchecked(Box<Unchecked>),
    /// The first flight is sent, or its first part.
    Flight(Flight),
}

/// RECVD_CH, waiting for the application to say whether this ClientHello, and its early data, has
/// come before.
pub(crate) struct Unchecked {
    entry: ReplayEntry,
    accepted: Decision,
    client_hello: Vec<u8>,
    aligned: Aligned,
    prepared: Prepared,
}

impl Unchecked {
    /// Returns the entry to look up in the store.
    pub(crate) fn entry(&self) -> ReplayEntry {
        self.entry
    }

    /// Continues with the store's verdict.
    pub(crate) fn checked(
        self,
        verdict: ReplayVerdict,
        cx: &mut Context<'_>,
    ) -> Result<Flight, Fault> {
        let hello = decode_again(&self.client_hello)?;
        // RFC 9846, 8.2: an entry is kept "as long as the expected_arrival_time is inside the
        // window". A store that calls it new after that may have forgotten it.
        let verdict = if cx.now.unix > self.entry.expires() {
            ReplayVerdict::Unavailable
        } else {
            verdict
        };
        let decision = self.accepted.unless_seen(verdict, cx);
        self.prepared
            .answer(&hello, &self.client_hello, self.aligned, decision, cx)
    }
}

pub(crate) fn decode_again(bytes: &[u8]) -> Result<ClientHello<'_>, Fault> {
    match Message::decode(bytes)? {
        Message::ClientHello(hello) => Ok(hello),
        _ => Err(Fault::Internal {
            what: "decoding the ClientHello again",
        }),
    }
}

/// What the ClientHello and the configuration have in common, and the client's share for it.
pub(crate) struct Selected {
    pub(crate) suite: Suite,
    pub(crate) group: Group,
    pub(crate) share: Vec<u8>,
    pub(crate) parameters: Parameters,
}

/// Selects the PSK, decides about early data, and sends the first flight. `before` is the
/// transcript before this ClientHello.
pub(crate) fn answer(
    server: &Server,
    hello: &ClientHello<'_>,
    bytes: &[u8],
    aligned: Aligned,
    mut selected: Selected,
    before: Transcript,
    cx: &mut Context<'_>,
) -> Result<Answered, Fault> {
    let offered = psk::select(
        server,
        hello,
        bytes,
        &before,
        selected.suite,
        &selected.parameters,
        cx.now,
    )?;
    // Only now is it known whether an offered PSK can be used. Without one, a signature is
    // required.
    if offered.is_none() {
        check_without_psk(&selected.parameters, hello)?;
    }
    // A session keeps the generation of its full handshake, however often it is resumed.
    if let Some(generation) = offered.as_ref().and_then(|offered| offered.generation) {
        selected.parameters.generation = generation;
    }
    let judgement = early_data::judge(
        server,
        hello,
        offered.as_ref(),
        selected.suite,
        selected.parameters.alpn.as_deref(),
        cx,
    )?;
    let prepared = Prepared {
        server: server.clone(),
        selected,
        before,
        psk: offered.map(|offered| offered.taken),
    };
    match judgement {
        Judgement::Decided(decision) => prepared
            .answer(hello, bytes, aligned, decision, cx)
            .map(Answered::Flight),
        Judgement::Ask(entry, accepted) => Ok(Answered::Unchecked(Box::new(Unchecked {
            entry,
            accepted,
            client_hello: bytes.to_vec(),
            aligned,
            prepared,
        }))),
    }
}

/// Everything that is decided before the first flight, except about early data.
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
        let Self {
            server,
            selected:
                Selected {
                    suite,
                    group,
                    share,
                    parameters,
                },
            before,
            psk,
        } = self;
        let (own_share, shared) = key_exchange::respond(group, &share, cx.rng)?;
        let mut extensions = vec![
            ServerHelloExtension::SupportedVersions(ProtocolVersion::TLS1_3),
            ServerHelloExtension::KeyShare(KeyShareEntry {
                group: group.code_point(),
                key_exchange: &own_share,
            }),
        ];
        let (early, psk) = match psk {
            Some(TakenPsk {
                index,
                early,
                selected,
            }) => {
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
        let log = server.config.settings.key_log.for_connection(&hello.random);
        // RFC 9846, 7.1: the client_early_traffic_secret covers the ClientHello.
        let early_data = match decision {
            Decision::Accepted { max_size } => {
                let traffic = early.client_early_traffic(&transcript.digest());
                log.early(&traffic);
                Some((traffic, max_size))
            }
            Decision::NotOffered | Decision::Rejected => None,
        };
        transcript.add(&server_hello);
        let (keys, traffic) =
            Keys::derive(suite, group.code_point(), early, shared, transcript, log);

        cx.sink.send(Level::Plaintext, &server_hello);
        // RFC 9846, E.4: "immediately after its first handshake message". This is required if the
        // session id is not empty.
        if !hello.session_id.is_empty() {
            cx.sink.change_cipher_spec();
        }
        // RFC 8449, section 4: protected records keep the client's limit from the first one on. The
        // client keeps ours once it knows it.
        if let Some(limit) = hello.record_size_limit() {
            cx.sink.limit_send(limit.into());
            cx.sink
                .limit_receive(server.config.settings.record_size_limit.into());
        }
        cx.sink
            .install_send(Level::Handshake, suite, traffic.server);
        let client_handshake = match early_data {
            Some((early_traffic, max_size)) => {
                cx.sink
                    .accept_early_data(aligned, suite, early_traffic, max_size);
                Some(traffic.client)
            }
            None => {
                cx.sink
                    .install_receive(aligned, Level::Handshake, suite, traffic.client);
                None
            }
        };
        // RFC 9846, 4.3.10: we ignore the extension, return a regular 1-RTT response, and skip what
        // does not open.
        if hello.early_data() && client_handshake.is_none() {
            let budget = early_data::skipped(&server, hello, &parameters, cx.now);
            cx.sink.skip_early_data(SkipMode::Trial, budget);
        }
        Negotiated {
            server,
            keys,
            parameters,
            psk,
            early_data: decision.outcome(),
            client_handshake,
        }
        .send_flight(hello, cx)
    }
}

/// Returns the first of our groups that the client sent a share for.
pub(crate) fn shared<'a>(server: &Server, hello: &ClientHello<'a>) -> Option<(Group, &'a [u8])> {
    let shares = hello.key_share().unwrap_or_default();
    let share = |group: &Group| {
        Some((
            *group,
            shares
                .iter()
                .find(|share| share.group == group.code_point())?
                .key_exchange,
        ))
    };
    server.config.settings.groups.iter().find_map(share)
}

/// Checks that we can authenticate without a PSK, and that the client accepts it.
pub(crate) fn check_without_psk(
    parameters: &Parameters,
    hello: &ClientHello<'_>,
) -> Result<(), Fault> {
    if parameters.identity.is_some() {
        return check_schemes(hello);
    }
    // RFC 9846, F.6: a server that accepts only PSKs reveals no more about an unknown one than
    // about a wrong binder.
    Err(match hello.pre_shared_key() {
        Some(_) => Fault::UnknownPsk,
        None => Fault::MissingExtension {
            message: "ClientHello",
            extension: ExtensionType::PRE_SHARED_KEY,
        },
    })
}

/// RFC 9846, 4.3.3: the client must accept Ed25519, the only signatures that we make, in
/// CertificateVerify. (4.5.1.2: a chain that signature_algorithms_cert does not cover is sent
/// anyway, as there is no other.)
fn check_schemes(hello: &ClientHello<'_>) -> Result<(), Fault> {
    let missing = Fault::MissingExtension {
        message: "ClientHello",
        extension: ExtensionType::SIGNATURE_ALGORITHMS,
    };
    let schemes = hello.signature_algorithms().ok_or(missing)?;
    if schemes.contains(&SignatureScheme::ED25519) {
        Ok(())
    } else {
        Err(Fault::NoCommonScheme {
            offered: schemes.to_vec(),
        })
    }
}
