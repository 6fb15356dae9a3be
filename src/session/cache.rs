//! [`SessionCache`]: what a client remembers of the servers it has connected to.
//!
//! An entry is found only by what the client asked for, never by what a peer said: a server cannot
//! put a session where another one is looked up. The key is more than a name: it includes whom the
//! client trusts, which identity it shows, and which external PSK it offers. So a session made
//! under one `Trust` is not found under another, and a session that shows our identity is not used
//! by somebody else.

use core::fmt;
use core::ops::Bound::{Excluded, Unbounded};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::crypto::hash::{HashAlgorithm, Hasher};
use crate::identity::{Identity, ServerName, Trust};
use crate::session::external::ExternalPsk;
use crate::session::session::{EarlyTerms, MAX_LIFETIME, MAX_TICKET_LEN, Session, has_happened};
use crate::time::Now;

/// The number of sessions kept for one key. This many connections can be resumed at the same time,
/// and no server takes the room of the others. Our own servers send no more on one connection.
pub(crate) const PER_SERVER: usize = 8;

/// The number of servers whose sessions one call searches for expired ones.
const SWEPT: usize = 4;

/// How many names that were forgotten are remembered, so that only connections to these store no
/// more sessions.
const MAX_FORGOTTEN: usize = 64;

const DEFAULT_CAPACITY: usize = 256;

/// The sessions that a client can resume.
///
/// A session is used for one connection (RFC 9846, C.4), and only within the lifetime that its
/// server set, at most 7 days, and while the server's certificate is valid. The cache holds at most
/// eight sessions for one server, and [a maximum number](Self::new) in all. If it is full, a new
/// session replaces one of the server whose last ticket is oldest. Dropped sessions are wiped.
///
/// Expired sessions are not used. They are removed gradually: each call that stores or looks up a
/// session removes those of a few servers. There is no background thread, so an idle process keeps
/// expired sessions until the next call.
///
/// A clone is another handle to the same sessions. Clients that share a cache resume each other's
/// sessions only if they have the same trust, the same identity and the same [external
/// PSK](crate::ExternalPsk).
///
/// ```
/// use fleeting::SessionCache;
///
/// let sessions = SessionCache::new(1000);
/// let shared = sessions.clone();
/// assert!(shared.is_empty());
///
/// // For example, if servers must no longer link new connections to earlier ones.
/// sessions.clear();
/// ```
#[derive(Clone)]
pub struct SessionCache(Arc<Mutex<Inner>>);

impl SessionCache {
    /// Creates a cache for `capacity` sessions in all; 0 stores none.
    ///
    /// A session takes a few hundred bytes, plus the server's ticket (at most 16 KiB) and the
    /// server's certificates, which the sessions of one connection share (up to
    /// `max_handshake_size`).
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            capacity,
            ..Inner::default()
        })))
    }

    /// Returns the number of sessions, including expired ones that have not been removed yet.
    pub fn len(&self) -> usize {
        self.lock().len
    }

    /// Returns the maximum number of sessions.
    pub fn capacity(&self) -> usize {
        self.lock().capacity
    }

    /// Returns true if the cache holds no sessions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all sessions. The next connections use full handshakes. Connections that exist
    /// already continue, and store no more sessions.
    pub fn clear(&self) {
        let mut inner = self.lock();
        let (capacity, begun) = (inner.capacity, inner.begun);
        *inner = Inner {
            capacity,
            begun,
            cleared: begun,
            ..Inner::default()
        };
    }

    /// Removes all sessions of this name, of any trust and identity. Connections to it that exist
    /// store no more.
    pub(crate) fn forget(&self, name: &ServerName) {
        self.lock().forget_name(name_digest(Some(name)));
    }

    /// Locks the sessions. Every call leaves them consistent before anything can panic, so the lock
    /// of a thread that panicked is still good.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SessionCache {
    /// Room for 256 sessions.
    fn default() -> Self {
        Self::new(DEFAULT_CAPACITY)
    }
}

/// Shows the number of sessions, and nothing of their content.
impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("SessionCache")
            .field("len", &inner.len)
            .field("capacity", &inner.capacity)
            .finish()
    }
}

/// What the client asked for; never what a peer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionKey {
    /// First, so that the keys of one name stand together.
    name: [u8; 32],
    rest: [u8; 32],
}

impl SessionKey {
    /// Makes the key. There is no trust if only a PSK is accepted.
    pub(crate) fn new<'t>(
        name: Option<&ServerName>,
        trust: impl Into<Option<&'t Trust>>,
        identity: Option<&Identity>,
        psk: Option<&ExternalPsk>,
    ) -> Self {
        Self::under(
            name,
            &trust.into().map(Trust::digest).unwrap_or_default(),
            identity,
            psk,
        )
    }

    /// Makes the key with the digest that the trust had at some moment.
    pub(crate) fn under(
        name: Option<&ServerName>,
        trust_digest: &[u8; 32],
        identity: Option<&Identity>,
        psk: Option<&ExternalPsk>,
    ) -> Self {
        let mut hasher = Hasher::new(HashAlgorithm::Sha256);
        hasher.update(b"fleeting session key v3");
        // Each part has a fixed length, or a length before it, so different inputs are different
        // bytes.
        hasher.update(trust_digest);
        match identity {
            None => hasher.update(&[0]),
            Some(identity) => {
                hasher.update(&[1]);
                hasher.update(identity.public_key().as_bytes());
                identity
                    .certificates()
                    .iter()
                    .for_each(|certificate| opaque(&mut hasher, certificate));
            }
        }
        match psk {
            None => hasher.update(&[0]),
            Some(psk) => {
                hasher.update(&[1]);
                hasher.update(psk.fingerprint());
            }
        }
        Self {
            name: name_digest(name),
            rest: digest(&hasher),
        }
    }
}

/// Returns a digest of a server's name, or of none.
fn name_digest(name: Option<&ServerName>) -> [u8; 32] {
    let mut hasher = Hasher::new(HashAlgorithm::Sha256);
    hasher.update(b"fleeting session name v1");
    match name {
        None => hasher.update(&[0]),
        Some(name) => {
            hasher.update(&[if name.dns().is_some() { 1 } else { 2 }]);
            opaque(&mut hasher, name.to_string().as_bytes());
        }
    }
    digest(&hasher)
}

fn digest(hasher: &Hasher) -> [u8; 32] {
    let mut digest = [0; 32];
    for (out, byte) in digest.iter_mut().zip(hasher.digest().as_bytes()) {
        *out = *byte;
    }
    digest
}

/// Hashes bytes, after their length.
fn opaque(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
    hasher.update(bytes);
}

/// A session at the client, with the ticket that represents it at the server.
pub(crate) struct ClientSession {
    pub(crate) session: Session,
    /// Sent in the clear, so no longer secret then. It is private until then, so it is wiped.
    pub(crate) ticket: Zeroizing<Vec<u8>>,
    pub(crate) age_add: u32,
    /// The lifetime that the server stated.
    pub(crate) lifetime: Duration,
    /// Unix time.
    pub(crate) received: Duration,
    /// `None` if the ticket allows no early data.
    pub(crate) early: Option<EarlyTerms>,
}

impl ClientSession {
    /// Returns the `obfuscated_ticket_age` (RFC 9846, 4.3.11.1).
    pub(crate) fn obfuscated_age(&self, now: Now) -> u32 {
        // In whole milliseconds. No ticket gets older than 32 bits can count.
        let age =
            u32::try_from(now.unix.saturating_sub(self.received).as_millis()).unwrap_or(u32::MAX);
        age.wrapping_add(self.age_add)
    }

    /// Returns true if it may be used now.
    fn is_current(&self, now: Now) -> bool {
        // RFC 9846, 4.3.11.1: no ticket older than its lifetime. 4.7.1: none older than 7 days,
        // whatever its lifetime, and a lifetime of 0 ends at once. The 7 days apply to the whole
        // chain of resumptions, because nobody has authenticated since it began.
        let age = now.unix.saturating_sub(self.received);
        let chain = now.unix.saturating_sub(self.session.since);
        let within = !self.lifetime.is_zero()
            && age <= self.lifetime
            && age <= MAX_LIFETIME
            && chain <= MAX_LIFETIME;
        within && has_happened(self.received, now) && self.session.is_current(now)
    }
}

/// One connection's sessions in a cache: it takes one to resume, and stores those that are
/// forgotten if it fails.
#[derive(Clone)]
pub(crate) struct StoredSessions {
    cache: SessionCache,
    key: SessionKey,
    /// Its number among the connections that use the cache.
    connection: u64,
}

impl StoredSessions {
    /// For a connection that begins.
    pub(crate) fn new(cache: &SessionCache, key: SessionKey) -> Self {
        let mut inner = cache.lock();
        inner.begun = inner.begun.saturating_add(1);
        let connection = inner.begun;
        drop(inner);
        Self {
            cache: cache.clone(),
            key,
            connection,
        }
    }

    /// Stores sessions under this key from now on. Nothing has been stored yet.
    pub(crate) fn put_under(&mut self, key: SessionKey) {
        self.key = key;
    }

    /// Takes the newest session out of the cache. RFC 9846, C.4: clients SHOULD NOT reuse a ticket.
    pub(crate) fn take(&self, now: Now) -> Option<ClientSession> {
        self.cache.lock().take(&self.key, now)
    }

    /// Stores a session, and drops others if the cache is full.
    pub(crate) fn put(&self, session: ClientSession, now: Now) {
        self.cache
            .lock()
            .put(self.key, self.connection, session, now);
    }

    /// Removes what the connection has stored. RFC 9846, 6: what was established in a failed
    /// connection is forgotten, and its tickets discarded.
    pub(crate) fn forget(&self) {
        self.cache.lock().forget(&self.key, self.connection);
    }
}

#[derive(Default)]
struct Inner {
    capacity: usize,
    len: usize,
    servers: BTreeMap<SessionKey, Server>,
    /// The keys in the order of their last `put`, which is given as a count.
    by_time: BTreeMap<u64, SessionKey>,
    puts: u64,
    /// Where in `by_time` the last sweep ended.
    swept: u64,
    /// The number of connections so far.
    begun: u64,
    /// The number of connections before the last `clear`.
    cleared: u64,
    /// The number of connections before each name was last forgotten.
    forgotten: BTreeMap<[u8; 32], u64>,
}

#[derive(Default)]
struct Server {
    last_put: u64,
    /// Oldest first, never empty.
    sessions: VecDeque<Kept>,
}

struct Kept {
    /// The connection that stored it.
    connection: u64,
    session: ClientSession,
}

impl Inner {
    fn take(&mut self, key: &SessionKey, now: Now) -> Option<ClientSession> {
        let mut found = None;
        if let Some(server) = self.servers.get_mut(key) {
            while found.is_none()
                && let Some(Kept { session, .. }) = server.sessions.pop_back()
            {
                self.len = self.len.saturating_sub(1);
                found = session.is_current(now).then_some(session);
            }
        }
        self.drop_if_empty(key);
        self.sweep(now);
        found
    }

    fn put(&mut self, key: SessionKey, connection: u64, session: ClientSession, now: Now) {
        let forgotten = self.forgotten.get(&key.name).copied().unwrap_or_default();
        if self.capacity == 0 || connection <= self.cleared.max(forgotten) {
            return;
        }
        if session.ticket.is_empty()
            || session.ticket.len() > MAX_TICKET_LEN
            || !session.is_current(now)
        {
            return;
        }
        self.puts = self.puts.saturating_add(1);
        let server = self.servers.entry(key).or_default();
        self.by_time.remove(&server.last_put);
        server.last_put = self.puts;
        self.by_time.insert(self.puts, key);
        server.sessions.push_back(Kept {
            connection,
            session,
        });
        self.len = self.len.saturating_add(1);
        if server.sessions.len() > PER_SERVER {
            self.drop_oldest(&key);
        }
        while self.len > self.capacity
            && let Some((_, least_recent)) = self.by_time.first_key_value()
        {
            let least_recent = *least_recent;
            self.drop_oldest(&least_recent);
        }
        self.sweep(now);
    }

    /// Drops the expired sessions of the next few servers, in turn, so that sessions that nobody
    /// looks up are wiped too.
    fn sweep(&mut self, now: Now) {
        for _ in 0..SWEPT.min(self.servers.len()) {
            let next = self
                .by_time
                .range((Excluded(self.swept), Unbounded))
                .next()
                .or_else(|| self.by_time.first_key_value());
            let Some((time, key)) = next.map(|(time, key)| (*time, *key)) else {
                return;
            };
            self.swept = time;
            self.retain(&key, |kept| kept.session.is_current(now));
        }
    }

    fn forget_name(&mut self, name: [u8; 32]) {
        if !self.forgotten.contains_key(&name) && self.forgotten.len() >= MAX_FORGOTTEN {
            // No connection that exists stores a session then, whatever its name.
            self.cleared = self.begun;
            self.forgotten.clear();
        }
        self.forgotten.insert(name, self.begun);
        let all = SessionKey {
            name,
            rest: [0; 32],
        }..=SessionKey {
            name,
            rest: [0xff; 32],
        };
        let keys: Vec<_> = self.servers.range(all).map(|(key, _)| *key).collect();
        for key in keys {
            self.retain(&key, |_| false);
        }
    }

    fn forget(&mut self, key: &SessionKey, connection: u64) {
        self.retain(key, |kept| kept.connection != connection);
    }

    fn retain(&mut self, key: &SessionKey, keep: impl Fn(&Kept) -> bool) {
        if let Some(server) = self.servers.get_mut(key) {
            let before = server.sessions.len();
            server.sessions.retain(keep);
            self.len = self
                .len
                .saturating_sub(before.saturating_sub(server.sessions.len()));
        }
        self.drop_if_empty(key);
    }

    fn drop_oldest(&mut self, key: &SessionKey) {
        if let Some(server) = self.servers.get_mut(key)
            && server.sessions.pop_front().is_some()
        {
            self.len = self.len.saturating_sub(1);
        }
        self.drop_if_empty(key);
    }

    fn drop_if_empty(&mut self, key: &SessionKey) {
        if self
            .servers
            .get(key)
            .is_some_and(|server| server.sessions.is_empty())
            && let Some(server) = self.servers.remove(key)
        {
            self.by_time.remove(&server.last_put);
        }
    }
}

#[cfg(test)]
impl SessionCache {
    /// Poisons the lock, like a thread that panics while it holds it.
    pub(super) fn poison(&self) {
        let cache = self.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = cache.lock();
            panic!("on purpose");
        });
        assert!(panicked.join().is_err() && self.0.is_poisoned());
    }

    /// Checks that the counts are right, and that nothing empty is left.
    pub(super) fn assert_in_order(&self) {
        let inner = self.lock();
        assert_eq!(
            inner.len,
            inner
                .servers
                .values()
                .map(|server| server.sessions.len())
                .sum::<usize>()
        );
        assert!(inner.len <= inner.capacity);
        assert!(
            inner
                .servers
                .values()
                .all(|server| (1..=PER_SERVER).contains(&server.sessions.len()))
        );
        assert_eq!(inner.by_time.len(), inner.servers.len());
        assert!(inner.by_time.iter().all(|(time, key)| {
            inner
                .servers
                .get(key)
                .is_some_and(|server| server.last_put == *time)
        }));
    }
}
