//! [`TicketKeys`]: the key that seals tickets now, and those that can still open one.
//!
//! Keys come and go while servers use them. The lock is held while keys are looked up, but not
//! while randomness is drawn or anything is sealed or opened.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::crypto::random::Rng;
use crate::error::Fault;
use crate::session::external::ExternalPsks;
use crate::session::session::MAX_LIFETIME;
use crate::session::tickets::ticket::{self, OpenedTicket, TicketContent};
use crate::session::tickets::ticket_key::TicketKey;
use crate::time::Now;

/// The maximum number of generated keys. Usually there are three or four; a clock that jumps makes
/// more.
const MAX_OWN: usize = 32;

/// How long an installed key is kept after it has expired by the clock. The clock may be wrong, and
/// the key does not come back by itself.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest lifetime that a ticket can state.
const SHORTEST: Duration = Duration::from_secs(1);

/// The keys that seal a server's tickets.
///
/// A ticket contains everything that a server must know of a session, so the server itself stores
/// nothing. Another server accepts the ticket too if it has these keys, the same
/// [identity's](crate::Identity) key for the name, and the same [`ClientAuth`](crate::ClientAuth).
///
/// An expired key is not used. A generated key is wiped by the next call that seals or opens a
/// ticket: there is no background thread, so an idle process keeps it until then. An installed key
/// is kept for another day first, so that a clock that was wrong for a while does not cost the key.
/// The next [`install`](Self::install) wipes it sooner. All keys are wiped with the last clone.
///
/// A clone is another handle to the same keys: give one to each `Server` that is to accept the
/// others' tickets. Each server still checks what a ticket allows against its own configuration.
///
/// ```
/// use std::time::{Duration, SystemTime, UNIX_EPOCH};
/// use fleeting::{TicketKey, TicketKeys};
///
/// // One process: keys are generated when needed, and replaced in time.
/// let keys = TicketKeys::rotating();
///
/// // Several processes or machines: they share keys from a common store. Keys can be installed
/// // while servers run.
/// let shared = TicketKeys::empty();
/// let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
/// let hour = Duration::from_secs(60 * 60);
/// # let (this_hour, next_hour) = ([1; 32], [2; 32]);
/// shared.install(TicketKey::new(this_hour, now, now + hour, now + 3 * hour)?);
/// shared.install(TicketKey::new(next_hour, now + hour, now + 2 * hour, now + 4 * hour)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TicketKeys(Arc<Ring>);

struct Ring {
    rotates: bool,
    keys: Mutex<Keys>,
}

/// A sealed session, for a NewSessionTicket.
pub(crate) struct SealedTicket {
    pub(crate) ticket: Vec<u8>,
    /// Whole seconds, at least one and at most 7 days.
    pub(crate) lifetime: Duration,
}

impl TicketKeys {
    /// Creates random keys: the first when the first ticket is sealed, and a new one whenever half
    /// of a ticket's lifetime has passed. They are known to this process alone and are gone when it
    /// ends.
    ///
    /// A key that is [installed](Self::install) as well is used instead while it may seal.
    pub fn rotating() -> Self {
        Self::new(true)
    }

    /// Creates a set without keys, for those that are [installed](Self::install). While none of
    /// them may seal, no tickets are sent.
    pub fn empty() -> Self {
        Self::new(false)
    }

    /// Adds a key. Servers can be using the others meanwhile.
    ///
    /// If several installed keys may seal, the one with the latest `encrypt_from` is used. The key
    /// replaces one with the same secret: to stop using a key, install it again with times in the
    /// past.
    pub fn install(&self, key: TicketKey) {
        let mut keys = self.lock();
        // There is no clock here, so the time of the last call for a ticket is used.
        let seen = keys.seen;
        keys.installed
            .retain(|held| held.name() != key.name() && held.may_decrypt_at(seen));
        keys.installed.push(Arc::new(key));
    }

    /// Removes all keys. Tickets that were issued before become invalid: clients that present one
    /// perform a full handshake.
    ///
    /// A [rotating](Self::rotating) set creates a new key for the next ticket. Otherwise no tickets
    /// are sealed until a key is [installed](Self::install).
    pub fn clear(&self) {
        let cleared = core::mem::take(&mut *self.lock());
        drop(cleared);
    }

    /// Returns true if there may be keys that others have too, or that do not end with this
    /// process.
    pub(crate) fn may_be_shared(&self) -> bool {
        !self.0.rotates || !self.lock().installed.is_empty()
    }

    /// Returns true if there is a key that may seal a ticket now, or one would be created.
    pub(crate) fn may_seal(&self, now: Now) -> bool {
        self.0.rotates || self.current(now).to_seal(SHORTEST, now).is_some()
    }

    /// Seals a session into a ticket for at most `lifetime`, or less if the peer's certificate or
    /// the key ends earlier. Returns `None` if no key may seal, or if less than a second is left.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::Random`].
    pub(crate) fn seal(
        &self,
        content: &TicketContent<'_>,
        binding: &[u8; 32],
        lifetime: Duration,
        now: Now,
        rng: &mut Rng<'_>,
    ) -> Result<Option<SealedTicket>, Fault> {
        let lifetime = lifetime
            .min(MAX_LIFETIME)
            .min(content.session.peer_expires_in(now).unwrap_or(MAX_LIFETIME));
        if lifetime.as_secs() == 0 {
            return Ok(None);
        }
        let Some(key) = self.key_to_seal(lifetime, now, rng)? else {
            return Ok(None);
        };
        let lifetime = Duration::from_secs(
            lifetime
                .min(key.decrypt_until().saturating_sub(now.unix))
                .as_secs(),
        );
        if lifetime.is_zero() {
            return Ok(None);
        }
        Ok(ticket::seal(&key, content, binding, lifetime, now, rng)?
            .map(|ticket| SealedTicket { ticket, lifetime }))
    }

    /// Opens a ticket. Returns `None` whatever is wrong with it: an unknown or expired key, another
    /// binding, a modification, an expired lifetime (its own, or `lifetime`, which may have become
    /// shorter since), or an external PSK that is no longer among `psks` or has another secret.
    pub(crate) fn open(
        &self,
        ticket: &[u8],
        binding: &[u8; 32],
        lifetime: Duration,
        psks: &ExternalPsks,
        now: Now,
    ) -> Option<OpenedTicket> {
        let ticket = ticket::Header::split(ticket)?;
        let key = self
            .current(now)
            .find(|key| key.name() == ticket.name && key.may_decrypt(now))?;
        ticket::open(&key, &ticket, binding, lifetime, psks, now)
    }

    fn new(rotates: bool) -> Self {
        Self(Arc::new(Ring {
            rotates,
            keys: Mutex::new(Keys::default()),
        }))
    }

    fn key_to_seal(
        &self,
        lifetime: Duration,
        now: Now,
        rng: &mut Rng<'_>,
    ) -> Result<Option<Arc<TicketKey>>, Fault> {
        let found = self.current(now).to_seal(lifetime, now);
        if found.is_some() || !self.0.rotates {
            return Ok(found);
        }
        let made = Arc::new(TicketKey::generate(lifetime, now, rng)?);
        let mut keys = self.current(now);
        // Another thread may have added one meanwhile.
        Ok(Some(keys.to_seal(lifetime, now).unwrap_or_else(|| {
            keys.add_own(Arc::clone(&made));
            made
        })))
    }

    /// Returns the keys, after dropping our own that have expired, and the installed ones that
    /// expired long ago.
    fn current(&self, now: Now) -> MutexGuard<'_, Keys> {
        let mut keys = self.lock();
        keys.own.retain(|key| key.may_decrypt(now));
        keys.installed
            .retain(|key| now.unix < key.decrypt_until().saturating_add(GRACE));
        keys.seen = now.unix;
        keys
    }

    /// Locks the keys. Every step leaves them in a valid state, so the lock of a thread that
    /// panicked is still good.
    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows the keys by their names and times, but nothing of their secrets.
impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.lock();
        let mut out = f.debug_struct("TicketKeys");
        out.field("rotating", &self.0.rotates)
            .field("installed", &keys.installed)
            .field("own", &keys.own);
        out.finish()
    }
}

#[derive(Default)]
struct Keys {
    installed: Vec<Arc<TicketKey>>,
    own: Vec<Arc<TicketKey>>,
    /// Unix time of the last call that used the keys.
    seen: Duration,
}

impl Keys {
    fn find(&self, is: impl Fn(&TicketKey) -> bool) -> Option<Arc<TicketKey>> {
        self.installed
            .iter()
            .chain(&self.own)
            .find(|key| is(key))
            .cloned()
    }

    fn to_seal(&self, lifetime: Duration, now: Now) -> Option<Arc<TicketKey>> {
        let may_seal = |key: &&Arc<TicketKey>| key.may_encrypt(now);
        let lasts =
            |key: &TicketKey, lifetime| key.decrypt_until().saturating_sub(now.unix) >= lifetime;
        let installed = self
            .installed
            .iter()
            .filter(may_seal)
            .filter(|key| lasts(key, SHORTEST))
            .max_by_key(|key| key.encrypt_from());
        // Of our own, the one that expires first but late enough, since servers may have different
        // lifetimes.
        let own = || {
            self.own
                .iter()
                .filter(may_seal)
                .filter(|key| lasts(key, lifetime))
                .min_by_key(|key| key.decrypt_until())
        };
        installed.or_else(own).cloned()
    }

    fn add_own(&mut self, key: Arc<TicketKey>) {
        if self.own.len() >= MAX_OWN
            && let Some((first, _)) = self
                .own
                .iter()
                .enumerate()
                .min_by_key(|(_, key)| key.decrypt_until())
        {
            self.own.remove(first);
        }
        self.own.push(key);
    }
}

#[cfg(test)]
impl TicketKeys {
    /// Poisons the lock, like a thread that panics while it holds it.
    pub(crate) fn poison(&self) {
        let keys = self.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = keys.lock();
            panic!("on purpose");
        });
        assert!(panicked.join().is_err() && self.0.keys.is_poisoned());
    }
}
