//! ClientHello in: the version, and the suite, group and parameters that both sides share (RFC
//! 9846, 4.2.2).
//!
//! 1. [`Start::on_client_hello`] receives the ClientHello. Without a configuration it asks for one.
//! 2. [`ReceivedClientHello::choose`] continues with the configuration that the application chose.
//! 3. [`negotiate`] checks the ClientHello and selects suite and group. If another ClientHello is
//!    needed, `retry.rs` requests it. Otherwise `key_exchange.rs` answers.

use crate::code_point::{ExtensionType, NamedGroup, ProtocolVersion};
use crate::crypto::key_exchange::Group;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Illegal};
use crate::handshake::settings::MIN_RECORD_SIZE_LIMIT;
use crate::handshake::{ClientHelloTranscript, Context, Transcript, Wire};
use crate::message::{ClientHello, KeyShareEntry};
use crate::record::Aligned;
use crate::server::client_hello::ClientHello as OfferedHello;
use crate::server::config::Server;
use crate::server::key_exchange::{
    self, Answered, Selected, check_without_psk, decode_again, shared,
};
use crate::server::psk;
use crate::server::retry::{self, StartRetried, Wanted};
use crate::server::server_parameters;
use crate::server::ticket;

/// START.
pub(crate) struct Start {
    /// `None` if the application chooses once it has seen the ClientHello.
    pub(crate) server: Option<Server>,
}

impl Start {
    pub(crate) fn on_client_hello(
        self,
        hello: &ClientHello<'_>,
        wire: Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Reply, Fault> {
        let bytes = wire.bytes;
        let aligned = wire.aligned("ClientHello")?;
        match self.server {
            Some(server) => negotiate(&server, hello, bytes, aligned, cx),
            None => Ok(Reply::Undecided(Box::new(ReceivedClientHello {
                offered: OfferedHello::new(hello, bytes),
                aligned,
            }))),
        }
    }
}

/// The outcome of a ClientHello.
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart as soon as it is returned"
)]
pub(crate) enum Reply {
    /// The application must choose the configuration.
    Undecided(Box<ReceivedClientHello>),
    /// A HelloRetryRequest is sent.
    Retry(StartRetried),
    /// The first flight is sent, or waits for the application.
    Answered(Answered),
}

/// RECVD_CH, waiting for the application to choose a configuration.
pub(crate) struct ReceivedClientHello {
    pub(crate) offered: OfferedHello,
    aligned: Aligned,
}

impl ReceivedClientHello {
    /// Continues with the chosen configuration.
    pub(crate) fn choose(self, server: &Server, cx: &mut Context<'_>) -> Result<Reply, Fault> {
        let bytes = self.offered.as_bytes();
        negotiate(server, &decode_again(bytes)?, bytes, self.aligned, cx)
    }
}

/// Selects suite and group, and sends the first flight or a HelloRetryRequest. All checks come
/// before the first byte is sent.
fn negotiate(
    server: &Server,
    hello: &ClientHello<'_>,
    bytes: &[u8],
    aligned: Aligned,
    cx: &mut Context<'_>,
) -> Result<Reply, Fault> {
    check_version(hello)?;
    // RFC 9846, 4.2.2: "this list MUST contain exactly one byte, set to zero".
    if hello.compression_methods != [0] {
        return Err(Illegal::Compression.into());
    }
    check_mandatory_extensions(hello)?;
    let suite = select_suite(server, hello)?;
    let group = select_group(server, hello)?;
    check_record_size_limit(hello)?;
    let mut parameters = server_parameters::select(server, hello)?;
    parameters.next_hello_len = ticket::next_hello_len(server, hello, bytes.len());
    if hello.pre_shared_key().is_none() {
        check_without_psk(&parameters, hello)?;
    }
    let wants_retry = group.is_none() || server.config.retry_cookie;
    if wants_retry && parameters.identity.is_none() {
        // RFC 9846, F.6: the suite in a retry reveals which PSKs are known, so only a client that
        // holds one receives a retry.
        let before = Transcript::new(suite.hash());
        if psk::select(server, hello, bytes, &before, suite, &parameters, cx.now)?.is_none() {
            check_without_psk(&parameters, hello)?;
        }
    }
    match group {
        Some((group, share)) if !server.config.retry_cookie => {
            let selected = Selected {
                suite,
                group,
                share: share.to_vec(),
                parameters,
            };
            key_exchange::answer(
                server,
                hello,
                bytes,
                aligned,
                selected,
                Transcript::new(suite.hash()),
                cx,
            )
            .map(Reply::Answered)
        }
        shared => {
            let wanted = if shared.is_none() {
                best_group(server, hello)
            } else {
                None
            };
            let first = ClientHelloTranscript::new(bytes);
            retry::send(
                server,
                hello,
                first,
                Wanted {
                    suite,
                    group: wanted,
                    parameters,
                },
                cx,
            )
            .map(Reply::Retry)
        }
    }
}

/// Checks the version, which comes first (RFC 9846, 4.3.1 and 4.2.2).
fn check_version(hello: &ClientHello<'_>) -> Result<(), Fault> {
    let Some(versions) = hello.supported_versions() else {
        // RFC 9846, 4.3.1: without the extension the client speaks TLS 1.2 or older.
        return Err(Fault::without_supported_versions(hello.legacy_version));
    };
    if !versions.contains(&ProtocolVersion::TLS1_3) {
        return Err(Fault::Version {
            got: versions.to_vec(),
        });
    }
    // RFC 9846, 4.2.2: "A server which receives a legacy_version value not equal to 0x0303 MUST
    // abort the handshake with a protocol_version".
    if hello.legacy_version != ProtocolVersion::TLS1_2 {
        return Err(Fault::LegacyVersion(hello.legacy_version));
    }
    Ok(())
}

/// RFC 9846, 9.2 and 4.3.9: checks that the required extensions are present. Every handshake agrees
/// on keys, with a PSK too, as psk_ke is not accepted.
fn check_mandatory_extensions(hello: &ClientHello<'_>) -> Result<(), Fault> {
    let missing = |extension| {
        Err(Fault::MissingExtension {
            message: "ClientHello",
            extension,
        })
    };
    // Without a PSK, a signature is required. Whether the PSK can be used is checked later.
    if hello.signature_algorithms().is_none() && hello.pre_shared_key().is_none() {
        return missing(ExtensionType::SIGNATURE_ALGORITHMS);
    }
    if hello.supported_groups().is_none() {
        return missing(ExtensionType::SUPPORTED_GROUPS);
    }
    if hello.key_share().is_none() {
        return missing(ExtensionType::KEY_SHARE);
    }
    // RFC 9846, 4.3.9: "If clients offer pre_shared_key without a psk_key_exchange_modes extension,
    // servers MUST abort the handshake."
    if hello.pre_shared_key().is_some() && hello.psk_key_exchange_modes().is_none() {
        return missing(ExtensionType::PSK_KEY_EXCHANGE_MODES);
    }
    Ok(())
}

/// Returns the first of our suites that the client offers, or, if the client offers external PSKs
/// that we know, the first that fits one of them.
fn select_suite(server: &Server, hello: &ClientHello<'_>) -> Result<Suite, Fault> {
    let suites = &server.config.settings.suites;
    let mut common = suites
        .iter()
        .filter(|suite| hello.cipher_suites.contains(&suite.code_point()));
    let first = common.clone().next();
    let fits = common.find(|suite| psk::suits_external_psks(server, hello, suite.hash()));
    fits.or(first).copied().ok_or_else(|| Fault::NoCommonSuite {
        offered: hello.cipher_suites.clone(),
        accepted: server.config.settings.suite_code_points(),
    })
}

/// Returns the group for the key exchange and the client's share for it, or `None` if the client
/// must be asked for another share.
///
/// The best group that both sides support is worth a round trip only if it brings what the
/// available shares do not: secrecy against quantum computers, or a key at all.
fn select_group<'a>(
    server: &Server,
    hello: &ClientHello<'a>,
) -> Result<Option<(Group, &'a [u8])>, Fault> {
    let groups = hello.supported_groups().unwrap_or_default();
    check_shares(groups, hello.key_share().unwrap_or_default())?;
    let best = best_group(server, hello).ok_or_else(|| Fault::NoCommonGroup {
        offered: groups.to_vec(),
        accepted: server.config.settings.group_code_points(),
    })?;
    Ok(shared(server, hello)
        .filter(|(group, _)| group.is_post_quantum() || !best.is_post_quantum()))
}

/// Returns the first of our groups that the client supports.
fn best_group(server: &Server, hello: &ClientHello<'_>) -> Option<Group> {
    let supported = hello.supported_groups().unwrap_or_default();
    server
        .config
        .settings
        .groups
        .iter()
        .find(|group| supported.contains(&group.code_point()))
        .copied()
}

/// RFC 9846, 4.3.8: each share is for a group in supported_groups, and none is repeated. 4.3.7: nor
/// is a group. The order of shares is not checked ("Servers MAY check"): we do not use it, and
/// clients of rustls put the group first that a server led them to.
fn check_shares(groups: &[NamedGroup], shares: &[KeyShareEntry<'_>]) -> Result<(), Fault> {
    let mut groups = groups.to_vec();
    groups.sort_unstable();
    if repeated(&groups).is_some() {
        return Err(Illegal::DuplicateEntry {
            list: "supported_groups",
        }
        .into());
    }
    let mut shares: Vec<_> = shares.iter().map(|share| share.group).collect();
    shares.sort_unstable();
    let unsupported = || {
        shares
            .iter()
            .find(|share| groups.binary_search(share).is_err())
    };
    match repeated(&shares).or_else(unsupported) {
        Some(group) => Err(Illegal::KeyShares(*group).into()),
        None => Ok(()),
    }
}

fn repeated(sorted: &[NamedGroup]) -> Option<&NamedGroup> {
    sorted.windows(2).find_map(|pair| {
        if let [one, other] = pair {
            (one == other).then_some(one)
        } else {
            None
        }
    })
}

/// RFC 8449, section 4: "An endpoint MUST treat receipt of a smaller value as a fatal error and
/// generate an illegal_parameter alert".
fn check_record_size_limit(hello: &ClientHello<'_>) -> Result<(), Fault> {
    match hello.record_size_limit() {
        Some(limit) if limit < MIN_RECORD_SIZE_LIMIT => Err(Illegal::RecordSizeLimit(limit).into()),
        _ => Ok(()),
    }
}
