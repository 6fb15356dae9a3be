//! Stateless tickets: [`TicketContent`] sealed into bytes that the client keeps and cannot read,
//! and opened again as an [`OpenedTicket`].
//!
//! ```text
//! struct {
//!     opaque key_name[16];
//!     opaque salt[32];
//!     opaque encrypted_state[n];
//!     opaque tag[16];
//! } Ticket;                                  additional data: version, key_name, binding
//!
//! struct {                                   what is encrypted
//!     CipherSuite cipher_suite;
//!     NamedGroup group;
//!     uint64 since;                          unix time in milliseconds
//!     uint64 generation;                     of RevokedSessions, at that time
//!     uint64 issued;                         the same
//!     uint32 ticket_lifetime;                seconds
//!     uint32 ticket_age_add;
//!     opaque psk<32..48>;                    Hash.length of the suite
//!     uint8 whose;                           0 nobody's, 1 a peer's, 2 an external PSK's
//!     select (whose) {
//!         case 1: opaque peer<1..2^16-1>;    what Peer::to_ticket writes
//!         case 2: opaque fingerprint[32];
//!     };
//!     uint8 early;                           1 if early data may come, 0 if not
//!     select (early) { case 1:
//!         opaque zone[16];                   of the replay guard
//!         uint32 max_early_data_size;
//!         opaque alpn<0..2^8-1>;             empty if no protocol was agreed on
//!     };
//! } State;
//! ```
//!
//! `ticket_age_add` and the zone are for early data: the age that the client states for the ticket,
//! and the guard that remembers what came under it.
//!
//! Of an external PSK, the ticket holds only what distinguishes it from all others. The server that
//! opens the ticket must still have the PSK, so removing it, or replacing its secret, ends its
//! sessions.
//!
//! Version and binding are authenticated and not sent: a server that opens a ticket knows both, and
//! a ticket with others does not open. Opening takes one lookup of the name, one AEAD operation,
//! and a parse of bytes that we wrote ourselves.

use core::time::Duration;

use zeroize::Zeroizing;

use crate::code_point::{CipherSuite, NamedGroup};
use crate::crypto::random::{self, Rng};
use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::identity::Peer;
use crate::message::Reader;
use crate::secret::Secret;
use crate::session::external::ExternalPsks;
use crate::session::session::{
    EarlyTerms, MAX_LIFETIME, MAX_TICKET_LEN, Session, Whose, has_happened,
};
use crate::session::tickets::ticket_key::{NAME_LEN, SALT_LEN, TicketKey};
use crate::time::Now;

/// The format described above. Another format has another number, and neither opens under the
/// other.
const VERSION: u8 = 4;

/// The length in bytes of the state without the PSK, whose it is, and the terms of early data.
const FIXED_LEN: usize = 2 + 2 + 8 + 8 + 8 + 4 + 4 + 1 + 1 + 1;

/// The length in bytes of the terms of early data, without the protocol's name.
const FIXED_EARLY_LEN: usize = 16 + 4 + 1;

/// The content of a ticket, apart from the time.
pub(crate) struct TicketContent<'a> {
    pub(crate) session: &'a Session,
    /// How many revocations came before the full handshake of the session.
    pub(crate) generation: u64,
    /// The `ticket_age_add` that is sent with it.
    pub(crate) age_add: u32,
    /// The terms of early data and its zone, if it is allowed.
    pub(crate) early: Option<(&'a EarlyTerms, [u8; 16])>,
}

/// The content of a ticket that was opened.
pub(crate) struct OpenedTicket {
    pub(crate) session: Session,
    /// Like in [`TicketContent`].
    pub(crate) generation: u64,
    /// Unix time, to the millisecond.
    pub(crate) issued: Duration,
    pub(crate) age_add: u32,
    /// Like in [`TicketContent`].
    pub(crate) early: Option<(EarlyTerms, [u8; 16])>,
}

/// The beginning of a ticket, which is not encrypted.
pub(crate) struct Header<'a> {
    pub(crate) name: &'a [u8; NAME_LEN],
    salt: &'a [u8; SALT_LEN],
    sealed: &'a [u8],
}

impl<'a> Header<'a> {
    /// Splits a ticket. Returns `None` if it is too short or too long to be one of ours.
    pub(crate) fn split(ticket: &'a [u8]) -> Option<Self> {
        if ticket.len() > MAX_TICKET_LEN {
            return None;
        }
        let (name, rest) = ticket.split_first_chunk()?;
        let (salt, sealed) = rest.split_first_chunk()?;
        Some(Self { name, salt, sealed })
    }
}

/// Seals a session that may be resumed for `lifetime`, in whole seconds, from now on. Returns
/// `None` if the peer's certificate makes the ticket too long.
pub(crate) fn seal(
    key: &TicketKey,
    content: &TicketContent<'_>,
    binding: &[u8; 32],
    lifetime: Duration,
    now: Now,
    rng: &mut Rng<'_>,
) -> Result<Option<Vec<u8>>, Fault> {
    let session = content.session;
    let peer = session
        .whose
        .peer()
        .map(Peer::to_ticket)
        .unwrap_or_default();
    let whose_len = match session.whose {
        Whose::Nobody => 0,
        Whose::Peer(_) => peer.len().saturating_add(2),
        Whose::Psk(_) => 32,
    };
    let len = NAME_LEN + SALT_LEN + FIXED_LEN + Suite::TAG_LEN;
    let len = len
        .saturating_add(session.psk.len())
        .saturating_add(whose_len)
        .saturating_add(early_len(content));
    if len > MAX_TICKET_LEN {
        return Ok(None);
    }
    let too_long = |_| Fault::Internal {
        what: "sealing a ticket",
    };
    let salt = random::array(rng)?;

    // Written where it is sealed, and wiped if that fails. It is never moved by growing, since all
    // room is allocated at once. It is not a `Secret`, because most of it is not secret, and its
    // bytes may occur elsewhere.
    let mut ticket = Zeroizing::new(Vec::with_capacity(len));
    ticket.extend_from_slice(key.name());
    ticket.extend_from_slice(&salt);
    ticket.extend_from_slice(&session.suite.code_point().0.to_be_bytes());
    ticket.extend_from_slice(&session.group.0.to_be_bytes());
    ticket.extend_from_slice(&millis(session.since).to_be_bytes());
    ticket.extend_from_slice(&content.generation.to_be_bytes());
    ticket.extend_from_slice(&millis(now.unix).to_be_bytes());
    ticket.extend_from_slice(
        &u32::try_from(lifetime.as_secs())
            .map_err(too_long)?
            .to_be_bytes(),
    );
    ticket.extend_from_slice(&content.age_add.to_be_bytes());
    ticket.push(u8::try_from(session.psk.len()).map_err(too_long)?);
    ticket.extend_from_slice(session.psk.expose());
    match &session.whose {
        Whose::Nobody => ticket.push(0),
        Whose::Peer(_) => {
            ticket.push(1);
            ticket.extend_from_slice(&u16::try_from(peer.len()).map_err(too_long)?.to_be_bytes());
            ticket.extend_from_slice(&peer);
        }
        Whose::Psk(psk) => {
            ticket.push(2);
            ticket.extend_from_slice(psk.fingerprint());
        }
    }
    ticket.push(u8::from(content.early.is_some()));
    if let Some((terms, zone)) = &content.early {
        let alpn = terms.alpn.as_deref().unwrap_or_default();
        ticket.extend_from_slice(zone);
        ticket.extend_from_slice(&terms.max_size.to_be_bytes());
        ticket.push(u8::try_from(alpn.len()).map_err(too_long)?);
        ticket.extend_from_slice(alpn);
    }

    let state = ticket.get_mut(NAME_LEN + SALT_LEN..).unwrap_or_default();
    let tag = key
        .one_time(&salt)
        .seal(&additional_data(key, binding), state)?;
    ticket.extend_from_slice(&tag);
    Ok(Some(core::mem::take(&mut *ticket)))
}

/// Returns how many bytes the terms of early data take, besides the one that says whether there are
/// any.
fn early_len(content: &TicketContent<'_>) -> usize {
    let alpn_len = |terms: &EarlyTerms| terms.alpn.as_ref().map_or(0, Vec::len);
    content.early.as_ref().map_or(0, |(terms, _)| {
        FIXED_EARLY_LEN.saturating_add(alpn_len(terms))
    })
}

/// Opens a ticket with its key. Returns `None` unless its session may be resumed now, the ticket is
/// no older than `lifetime`, and the external PSK that it was made under, if any, is still there.
pub(crate) fn open(
    key: &TicketKey,
    ticket: &Header<'_>,
    binding: &[u8; 32],
    lifetime: Duration,
    psks: &ExternalPsks,
    now: Now,
) -> Option<OpenedTicket> {
    let (ciphertext, tag) = ticket.sealed.split_last_chunk()?;
    let mut state = Zeroizing::new(ciphertext.to_vec());
    key.one_time(ticket.salt)
        .open(&additional_data(key, binding), &mut state, tag)
        .ok()?;
    State::decode(&state, psks)?.into_opened(lifetime, now)
}

fn additional_data(key: &TicketKey, binding: &[u8; 32]) -> Vec<u8> {
    [&[VERSION], &key.name()[..], binding].concat()
}

/// The decrypted content of a ticket.
pub(crate) struct State {
    content: OpenedTicket,
    lifetime: Duration,
}

impl State {
    /// Reads what [`seal`] wrote, and nothing else. Returns `None` also if it names an external PSK
    /// that is not there.
    pub(crate) fn decode(state: &[u8], psks: &ExternalPsks) -> Option<Self> {
        let mut r = Reader::new("Ticket", state);
        let suite = Suite::from_code_point(CipherSuite(r.u16("cipher_suite").ok()?))?;
        let group = NamedGroup(r.u16("group").ok()?);
        let since = Duration::from_millis(u64::from_be_bytes(r.array("since").ok()?));
        let generation = u64::from_be_bytes(r.array("generation").ok()?);
        let issued = Duration::from_millis(u64::from_be_bytes(r.array("issued").ok()?));
        let lifetime = Duration::from_secs(r.u32("ticket_lifetime").ok()?.into());
        if lifetime.is_zero() || lifetime > MAX_LIFETIME {
            return None;
        }
        let age_add = r.u32("ticket_age_add").ok()?;
        let hash_len = suite.hash().output_len();
        let psk = Secret::copy_of(r.vec8("psk", hash_len..=hash_len).ok()?);
        let whose = match r.u8("whose").ok()? {
            0 => Whose::Nobody,
            1 => Whose::Peer(Peer::from_ticket(r.vec16("peer", ..).ok()?)?),
            2 => Whose::Psk(psks.by_fingerprint(&r.array("fingerprint").ok()?)?.clone()),
            _ => return None,
        };
        let early = match r.u8("early").ok()? {
            0 => None,
            1 => Some(early(&mut r)?),
            _ => return None,
        };
        r.end("early").ok()?;
        let session = Session {
            suite,
            group,
            psk,
            since,
            whose,
        };
        Some(Self {
            content: OpenedTicket {
                session,
                generation,
                issued,
                age_add,
                early,
            },
            lifetime,
        })
    }

    /// Returns the content, unless the session is over, or begins in the future because the clock
    /// was set back.
    pub(crate) fn into_opened(self, lifetime: Duration, now: Now) -> Option<OpenedTicket> {
        // RFC 9846, 4.7.1: at the age that equals the lifetime it may still be used, but a server
        // "MAY treat a ticket as valid for a shorter period of time than what is stated". Compared
        // in milliseconds, like `issued`.
        let OpenedTicket {
            issued,
            ref session,
            ..
        } = self.content;
        let age = Duration::from_millis(millis(now.unix)).saturating_sub(issued);
        (age <= self.lifetime.min(lifetime) && has_happened(issued, now) && session.is_current(now))
            .then_some(self.content)
    }
}

/// Reads the terms of early data that [`seal`] wrote.
fn early(r: &mut Reader<'_>) -> Option<(EarlyTerms, [u8; 16])> {
    let zone = r.array("zone").ok()?;
    let max_size = r.u32("max_early_data_size").ok()?;
    let alpn = r.vec8("alpn", ..).ok()?;
    Some((
        EarlyTerms {
            max_size,
            alpn: (!alpn.is_empty()).then(|| alpn.to_vec()),
        },
        zone,
    ))
}

/// Returns whole milliseconds. The rest is cut off, so a session looks older, never younger.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
