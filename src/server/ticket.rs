//! Resumption without state on the server (RFC 9846, 4.3.11 and 4.7.1): tickets are sent after the
//! handshake, and come back with a ClientHello.
//!
//! A ticket is bound to what was decided when it was issued: the server name, our key, whether
//! clients are asked for certificates, and whom we trust. A ticket that does not match is ignored,
//! and the handshake is a full one. So a change of roots, or of revocation lists while the server
//! runs, invalidates earlier tickets.

use core::time::Duration;

use crate::crypto::hash::sha256;
use crate::crypto::random;
use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::handshake::authentication::Authenticated;
use crate::handshake::{Context, Keys};
use crate::level::Level;
use crate::message::{ClientHello, NewSessionTicket, TicketExtension};
use crate::server::config::{ClientAuth, Server};
use crate::server::parameters::Parameters;
use crate::session::{
    EarlyTerms, MAX_TICKET_LEN, OpenedTicket, RevokedSessions, Session, TicketContent, Whose,
};
use crate::time::Now;

/// How many tickets a client receives after a full handshake, and after a resumed one, if it does
/// not say how many it wants (RFC 9149).
const DEFAULT_COUNTS: (u8, u8) = (2, 1);

/// The maximum number of tickets for a client.
const MAX_COUNT: u8 = 8;

/// How many bytes the tickets of one connection have together, at most. They wait until something
/// is sent, so an idle connection holds them. One always fits.
const MAX_TOTAL_LEN: usize = MAX_TICKET_LEN;

/// The longest ClientHello, in bytes, whose extensions are no longer than they may be
/// (`Extension extensions<8..2^16-1>`), whatever else is in it.
const MAX_HELLO_LEN: usize = 65_535;

/// How many bytes pre_shared_key, with one binder, and early_data have at most, without the ticket.
const RESUMING_LEN: usize = (4 + 2 + 2 + 4 + 2 + 1 + 48) + 4;

/// How many bytes a client's next ClientHello may be longer for other reasons, such as extensions
/// that only test whether servers ignore them.
const SPARE: usize = 192;

/// Opens one of our tickets. Returns the session in it if this connection may resume it.
pub(crate) fn open(
    server: &Server,
    ticket: &[u8],
    suite: Suite,
    parameters: &Parameters,
    now: Now,
) -> Option<OpenedTicket> {
    let config = &server.config;
    let opened = unseal(server, ticket, parameters, now)?;
    let session = &opened.session;
    // The binding ensures this already, but admission should not depend on a digest alone.
    let authenticated = !matches!(
        (&session.whose, &config.client_auth),
        (Whose::Nobody, ClientAuth::Required(_))
    );
    // RFC 9846, 4.7.1: "Any ticket MUST only be resumed with a cipher suite that has the same KDF
    // hash algorithm".
    let good = authenticated
        && session.suite.hash() == suite.hash()
        && age(session.since, now) < config.max_session_age
        && permits(server, &session.whose, opened.generation, now);
    good.then_some(opened)
}

/// Returns how many bytes of early data one of our tickets allows. The session in it need not be
/// one that this connection may resume.
pub(crate) fn early_data_size(
    server: &Server,
    ticket: &[u8],
    parameters: &Parameters,
    now: Now,
) -> Option<u32> {
    let (terms, _) = unseal(server, ticket, parameters, now)?.early?;
    Some(terms.max_size)
}

fn unseal(
    server: &Server,
    ticket: &[u8],
    parameters: &Parameters,
    now: Now,
) -> Option<OpenedTicket> {
    let config = &server.config;
    // Without a zone, no ticket was sealed yet under this memory of revocations.
    let zone = match &config.revoked_sessions {
        Some(revoked) => Some(revoked.zone()?),
        None => None,
    };
    config.ticket_keys.as_ref()?.open(
        ticket,
        &binding(server, parameters, zone),
        config.ticket_lifetime,
        &config.external_psks,
        now,
    )
}

/// Returns the generation of a full handshake that begins now.
pub(crate) fn generation(server: &Server) -> u64 {
    let revoked = server.config.revoked_sessions.as_ref();
    revoked.map_or(0, RevokedSessions::generation)
}

/// Returns true unless the session is revoked.
fn permits(server: &Server, whose: &Whose, generation: u64, now: Now) -> bool {
    let revoked = server.config.revoked_sessions.as_ref();
    revoked.is_none_or(|revoked| revoked.permits(whose, generation, now))
}

/// Returns how many tickets the client receives (RFC 9149, section 3).
pub(crate) fn count(server: &Server, hello: &ClientHello<'_>, resumed: bool, now: Now) -> u8 {
    // RFC 9846, 4.7.1: "If the client's hello contained a suitable psk_key_exchange_modes
    // extension".
    if !hello.offers_psk_dhe_ke()
        || !server
            .config
            .ticket_keys
            .as_ref()
            .is_some_and(|keys| keys.may_seal(now))
    {
        return 0;
    }
    let (new_session, resumption) = hello.ticket_request().unwrap_or(DEFAULT_COUNTS);
    if resumed { resumption } else { new_session }.min(MAX_COUNT)
}

/// Returns how many bytes the client's next ClientHello has without the ticket in it, after one of
/// `len` bytes.
pub(crate) fn next_hello_len(server: &Server, hello: &ClientHello<'_>, len: usize) -> usize {
    // The next ticket takes the place of this one. External PSKs come back beside it.
    let ticket = hello
        .pre_shared_key()
        .and_then(|offered| offered.identities.first())
        .filter(|psk| server.config.external_psks.find(psk.identity).is_none());
    match ticket {
        Some(psk) => len.saturating_sub(psk.identity.len()),
        None => len.saturating_add(RESUMING_LEN),
    }
}

/// Sends the tickets. The client's Finished must be verified and in the transcript.
pub(crate) fn send(
    server: &Server,
    parameters: &Parameters,
    keys: Keys,
    client: &Authenticated,
    cx: &mut Context<'_>,
) -> Result<(), Fault> {
    let Some(ticket_keys) = server
        .config
        .ticket_keys
        .as_ref()
        .filter(|_| parameters.tickets > 0)
        // One that is sealed now would be refused when it comes back.
        .filter(|_| permits(server, &client.whose, parameters.generation, cx.now))
    else {
        return Ok(());
    };
    let left = server
        .config
        .max_session_age
        .saturating_sub(age(client.since, cx.now));
    let lifetime = server.config.ticket_lifetime.min(left);
    let zone = match &server.config.revoked_sessions {
        Some(revoked) => Some(revoked.draw_zone(cx.rng)?),
        None => None,
    };
    let binding = binding(server, parameters, zone);
    // A ticket that makes the client's next ClientHello longer than we accept would cost the client
    // that connection.
    let max_len = MAX_HELLO_LEN
        .min(server.config.settings.max_handshake_size)
        .saturating_sub(parameters.next_hello_len)
        .saturating_sub(SPARE);
    let early = match &server.config.early_data {
        Some(config) => Some((
            EarlyTerms {
                max_size: config.max_size,
                alpn: parameters.alpn.clone(),
            },
            config.guard.zone(cx.rng)?,
        )),
        None => None,
    };
    let early_data = early.as_ref().map(|(terms, _)| TicketExtension::EarlyData {
        max_early_data_size: terms.max_size,
    });
    // RFC 9846, 7.1: the resumption_secret covers the transcript up to the client's Finished.
    let resumption = keys.main.into_resumption(&keys.transcript.digest());
    let mut left_len = MAX_TOTAL_LEN;
    for number in 0..parameters.tickets {
        // RFC 9846, 4.7.1: "unique across all tickets issued on this connection". One byte, because
        // wolfSSL accepts at most 8.
        let ticket_nonce = [number];
        let session = Session {
            suite: keys.suite,
            group: keys.group,
            psk: resumption.psk(&ticket_nonce),
            since: client.since,
            whose: client.whose.clone(),
        };
        // RFC 9846, 4.7.1: "The server MUST generate a fresh value for each ticket it sends."
        let ticket_age_add = u32::from_be_bytes(random::array(cx.rng)?);
        let content = TicketContent {
            session: &session,
            generation: parameters.generation,
            age_add: ticket_age_add,
            early: early.as_ref().map(|(terms, zone)| (terms, *zone)),
        };
        // Without a key to seal with, or without time left, no ticket is sent.
        let Some(sealed) = ticket_keys.seal(&content, &binding, lifetime, cx.now, cx.rng)? else {
            return Ok(());
        };
        // The others would be as long.
        let len = sealed.ticket.len();
        if len > max_len.min(left_len) {
            return Ok(());
        }
        left_len -= len;
        let message = NewSessionTicket {
            ticket_lifetime: sealed.lifetime.as_secs().try_into().unwrap_or(u32::MAX),
            ticket_age_add,
            ticket_nonce: &ticket_nonce,
            ticket: &sealed.ticket,
            extensions: early_data.iter().cloned().collect(),
        };
        cx.sink.send(Level::Application, &message.encode()?);
    }
    Ok(())
}

/// Returns a digest of what must be the same when a ticket comes back. It is the same in every
/// process with the same configuration.
fn binding(server: &Server, parameters: &Parameters, zone: Option<&[u8; 16]>) -> [u8; 32] {
    let name = parameters.server_name.as_deref().unwrap_or_default();
    let client_auth = client_auth_digest(&server.config.client_auth, &parameters.trust_digest);
    let own_key = parameters
        .identity
        .as_ref()
        .map(|identity| *identity.public_key().as_bytes())
        .unwrap_or_default();
    let bound = [
        b"fleeting ticket binding 2",
        &client_auth[..],
        &own_key,
        // Of the memory of revocations. None has only zeros.
        zone.unwrap_or(&[0; 16]),
        name.as_bytes(),
    ]
    .concat();
    sha256(&bound)
}

/// Returns a digest of what decides about clients: whether they are asked for a certificate, and
/// whom we trust.
fn client_auth_digest(client_auth: &ClientAuth, trust_digest: &[u8; 32]) -> [u8; 32] {
    let mode = match client_auth {
        ClientAuth::None => 0,
        ClientAuth::Optional(_) => 1,
        ClientAuth::Required(_) => 2,
    };
    sha256(&[&[mode][..], trust_digest].concat())
}

/// Returns the time since certificates were last verified: zero if the clock was set back.
fn age(since: Duration, now: Now) -> Duration {
    now.unix.saturating_sub(since)
}
