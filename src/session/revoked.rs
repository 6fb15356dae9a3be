//! [`RevokedSessions`]: sessions that a server resumes no more, although their tickets have not
//! expired.
//!
//! Revocations are counted. A ticket carries the count at the beginning of the full handshake that
//! its session goes back to, its *generation*. A revocation refuses the tickets of one peer, or of
//! all, that have a lower one: no clock decides whether a proof came before or after. When a ticket
//! is opened, and before one is sealed, the two are compared ([`RevokedSessions::permits`]).
//!
//! A ticket is bound to the memory that counted its generation (the *zone*), so a memory that knows
//! nothing of a revocation opens none of the tickets.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::crypto::random::{self, Rng};
use crate::error::Fault;
use crate::identity::{Peer, PublicKey};
use crate::session::external::ExternalPsk;
use crate::session::session::{CLOCK_SKEW, Whose};
use crate::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use crate::time::Now;

/// The sessions that a server resumes no more: a handle to revoke the tickets of one peer, or of
/// all, from any thread.
///
/// Use it when a client logs out, or when its key, or a ticket, may be in other hands. A client
/// that presents a revoked ticket performs a full handshake, in which it must prove its identity
/// again; its early data is rejected. Whether it is then admitted is for
/// [`authorize`](crate::ServerBuilder::authorize), the trust, and the certificate revocation lists
/// to say. Connections that run continue: [`Connections::end_key`](crate::Connections::end_key)
/// ends them.
///
/// A revocation covers every session whose full handshake had begun before, with all that was
/// resumed from it since. Connections that exist send no more tickets that open, including those
/// whose handshake is in progress. A later full handshake is not affected.
///
/// # Memory
///
/// A revocation is remembered until all tickets that it covers have expired: for twice the longest
/// [`ticket_lifetime`](crate::ServerBuilder::ticket_lifetime) of the servers that use this handle,
/// and a minute. There is room for a [maximum number](Self::in_memory) of peers. If there are more,
/// nothing is forgotten: the sessions of all peers are revoked instead.
///
/// The memory ends with the process. So it needs ticket keys that end with it too, the default
/// ([`TicketKeys::rotating`](crate::TicketKeys::rotating)): with keys that other servers share, or
/// that were installed, [`build`](crate::ServerBuilder::build) refuses it. A clone is another
/// handle to the same memory. Give one to each configuration of a
/// [`LiveServer`](crate::LiveServer), beside the ticket keys: a configuration with another memory
/// opens none of the earlier tickets.
///
/// ```
/// use fleeting::{Authority, ClientAuth, RevokedSessions, Server};
///
/// # fn main() -> Result<(), fleeting::Error> {
/// let authority = Authority::new("my services")?;
/// let revoked = RevokedSessions::in_memory(10_000);
/// let server = Server::builder()
///     .identity(authority.issue_server(["db.internal"])?)
///     .client_auth(ClientAuth::Required(authority.trust()))
///     .revoked_sessions(revoked.clone())
///     .build()?;
///
/// // Alice logs out:
/// let alice = authority.issue_client("alice")?.public_key();
/// revoked.revoke_key(&alice);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RevokedSessions(Arc<Memory>);

struct Memory {
    capacity: usize,
    /// Names this memory in the tickets that it covers. Drawn when the first of them is sealed.
    zone: OnceLock<[u8; 16]>,
    revoked: Mutex<Revoked>,
}

/// Whose sessions are revoked: the key, or the fingerprint of the external PSK.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Revokee {
    Key([u8; 32]),
    Psk([u8; 32]),
}

#[derive(Default)]
struct Revoked {
    /// The number of revocations so far.
    generation: u64,
    /// The tickets of all peers are refused if their generation is lower.
    all: u64,
    /// The tickets of these are refused if their generation is lower.
    of: BTreeMap<Revokee, u64>,
    /// The same, in the order of revocation, each with the unix time at which its tickets have
    /// expired. `None` as long as nobody has told the time since.
    queue: VecDeque<(Revokee, Option<Duration>)>,
    /// The longest lifetime of a ticket.
    lifetime: Duration,
}

impl RevokedSessions {
    /// Remembers revocations in the memory of this process, for up to `capacity` peers, with about
    /// 150 bytes for each. With 0, each revocation revokes the sessions of all.
    pub fn in_memory(capacity: usize) -> Self {
        Self(Arc::new(Memory {
            capacity,
            zone: OnceLock::new(),
            revoked: Mutex::default(),
        }))
    }

    /// Revokes the sessions of the peer with this key, whether the key was in a certificate or not.
    pub fn revoke_key(&self, key: &PublicKey) {
        self.revoke(Revokee::Key(*key.as_bytes()));
    }

    /// Revokes the sessions that began with this external PSK. The PSK itself stays valid.
    pub fn revoke_psk(&self, psk: &ExternalPsk) {
        self.revoke(Revokee::Psk(*psk.fingerprint()));
    }

    /// Revokes the sessions of all, including clients that did not authenticate.
    pub fn revoke_all(&self) {
        self.lock().revoke_all();
    }

    fn revoke(&self, whose: Revokee) {
        let mut revoked = self.lock();
        // There is only one place for each.
        if revoked.of.contains_key(&whose) {
            revoked.queue.retain(|(other, _)| *other != whose);
        } else if revoked.of.len() >= self.0.capacity {
            return revoked.revoke_all();
        }
        revoked.generation = revoked.generation.saturating_add(1);
        let generation = revoked.generation;
        revoked.of.insert(whose, generation);
        revoked.queue.push_back((whose, None));
    }

    /// Notes that tickets live up to so long.
    pub(crate) fn cover(&self, lifetime: Duration) {
        let mut revoked = self.lock();
        revoked.lifetime = revoked.lifetime.max(lifetime);
    }

    /// Returns the generation of a full handshake that begins now.
    pub(crate) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Returns true unless the session is revoked.
    pub(crate) fn permits(&self, whose: &Whose, generation: u64, now: Now) -> bool {
        let whose = match whose {
            Whose::Nobody => None,
            Whose::Peer(peer) => Some(Revokee::Key(*Peer::public_key(peer).as_bytes())),
            Whose::Psk(psk) => Some(Revokee::Psk(*psk.fingerprint())),
        };
        let mut revoked = self.lock();
        revoked.at(now);
        let oldest = whose
            .and_then(|whose| revoked.of.get(&whose).copied())
            .unwrap_or_default()
            .max(revoked.all);
        generation >= oldest
    }

    /// Returns what names this memory in tickets, if one was sealed.
    pub(crate) fn zone(&self) -> Option<&[u8; 16]> {
        self.0.zone.get()
    }

    /// Returns what names this memory in tickets, for one to be sealed.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::Random`] if it must be drawn and cannot be.
    pub(crate) fn draw_zone(&self, rng: &mut Rng<'_>) -> Result<&[u8; 16], Fault> {
        if let Some(zone) = self.zone() {
            return Ok(zone);
        }
        let drawn = random::array(rng)?;
        // A generator that fills in nothing must not give all memories one name, nor that of none.
        if drawn == [0; 16] {
            return Err(Fault::Random);
        }
        Ok(self.0.zone.get_or_init(|| drawn))
    }

    fn lock(&self) -> MutexGuard<'_, Revoked> {
        // Nothing panics under the lock.
        self.0
            .revoked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Revoked {
    fn revoke_all(&mut self) {
        self.generation = self.generation.saturating_add(1);
        self.all = self.generation;
        self.of.clear();
        self.queue.clear();
    }

    /// Tells the time: forgets what covers no ticket any more.
    ///
    /// All tickets have expired after one lifetime. A ticket key seals for half of one and opens
    /// for one more, so after two the key is gone too, and setting the clock back does not bring
    /// the tickets back.
    fn at(&mut self, now: Now) {
        let expires = now
            .unix
            .saturating_add(self.lifetime.saturating_mul(2))
            .saturating_add(CLOCK_SKEW);
        for (_, unknown) in self.queue.iter_mut().rev() {
            if unknown.is_some() {
                break;
            }
            *unknown = Some(expires);
        }
        while let Some((whose, Some(expires))) = self.queue.front()
            && now.unix > *expires
        {
            self.of.remove(whose);
            self.queue.pop_front();
        }
    }
}

/// Shows how many peers are remembered, but not which.
impl fmt::Debug for RevokedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revoked = self.lock();
        f.debug_struct("RevokedSessions")
            .field("len", &revoked.of.len())
            .field("capacity", &self.0.capacity)
            .finish_non_exhaustive()
    }
}
