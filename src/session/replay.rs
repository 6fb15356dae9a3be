//! [`ReplayGuard`]: early data is accepted at most once (RFC 9846, 8.2, "Client Hello Recording").
//!
//! ```text
//! a ClientHello with early data, its binder verified, fresh by its age (8.3)
//!   │  zone       the ticket was given out in this zone, and no other zone takes it
//!   v
//! ReplayEntry     key = SHA-256(zone, binder), and when freshness alone refuses it
//!   v
//! ReplayGuard ─┬─ in memory: two generations, each dropped when all of it has expired
//!              ├─ a ReplayStore, which several servers may share
//!              └─ the application, which answers later
//!   v
//! ReplayVerdict
//! ```
//!
//! Whatever is not known to be fresh is refused: the early data, never the handshake, which
//! continues without it.
//!
//! RFC 9846, 8.2, has a server that was just started refuse early data "as long as any portion of
//! their recording window overlaps the startup time". Here the zone does that, without a clock: a
//! guard in memory draws its zone when it is first needed, and accepts early data only under
//! tickets of that zone. So whatever it accepts was sent after it began to remember. It never
//! accepts anything from before a restart, or anything that another process may have accepted.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::crypto::hash::sha256;
use crate::crypto::random::{self, Rng};
use crate::error::Fault;
use crate::time::Now;

/// Remembers which early data a server has accepted, so that it accepts none twice.
///
/// Early data arrives before the server has sent anything, so anyone who recorded it can send it
/// again, and the copy looks like the original. A guard records each ClientHello whose early data
/// was accepted, for as long as the server considers that ClientHello fresh. After that, the server
/// rejects a copy because of its age. A guard that cannot tell whether it has seen a ClientHello
/// rejects the early data. The connection then continues without it. The client learns that, and
/// may send the same data after the handshake.
///
/// | guard | accepts early data under | accepts none |
/// |---|---|---|
/// | [`in_memory`] | tickets of servers with this guard | after a restart, in another process |
/// | [`with_store`] | tickets of servers with a store of this name | if the store is unavailable |
/// | [`asking`] | the same | the same |
///
/// If a guard accepts no early data, the session still resumes, without it. A clone is another
/// handle to the same guard: give one to each `Server` of a process that is to accept the others'
/// early data. Servers with a different [`early_data_window`] never accept each other's early data,
/// because one server could still consider fresh what the other has forgotten.
///
/// [`in_memory`]: Self::in_memory
/// [`with_store`]: Self::with_store
/// [`asking`]: Self::asking
/// [`early_data_window`]: crate::ServerBuilder::early_data_window
///
/// # What it does not prevent
///
/// RFC 9846, section 8 and appendix F.5, and RFC 8470 for HTTP, describe what is left to the
/// application. In short:
///
/// * **A client that tries again.** An attacker on the network can let early data through and hold
///   the answer back. If the client then sends the same data on another connection, or again after
///   that connection's handshake because the early data was rejected, the server receives it twice,
///   on two genuine connections.
/// * **Delay.** Early data can be held back and delivered later within the window, after data that
///   was sent after it.
/// * **Loss of forward secrecy.** Whoever learns the key that sealed the ticket can decrypt the
///   early data sent under it, even years later.
///
/// So do not accept as early data what must not happen twice or out of order, whatever the guard.
///
/// ```
/// use fleeting::ReplayGuard;
///
/// // 2 × 10 s (the window) × 1000 connections with early data a second.
/// let guard = ReplayGuard::in_memory(20_000);
/// let same = guard.clone();
/// # drop((guard, same));
/// ```
#[derive(Clone)]
pub struct ReplayGuard {
    keeper: Arc<Keeper>,
    /// See [`Self::for_window`].
    window: Duration,
}

/// Where a guard remembers.
enum Keeper {
    Memory {
        capacity: usize,
        generations: Mutex<Generations>,
        /// Drawn on first use.
        place: OnceLock<[u8; 32]>,
    },
    Store {
        place: [u8; 32],
        store: Box<dyn ReplayStore>,
    },
    Application {
        place: [u8; 32],
    },
}

impl ReplayGuard {
    /// Creates a guard that remembers in this process's memory. It has a zone of its own: tickets
    /// of other processes, and of this one before its last start, allow no early data here.
    ///
    /// `capacity` is the number of entries, of 50 to 100 bytes each, which are allocated when
    /// needed. When the guard is full, it rejects early data until some entries have expired; it
    /// drops none to make room. An entry is dropped after one to two times its lifetime. So provide
    /// twice as many entries as connections with early data arrive within the window, or four times
    /// as many if clients' clocks are far off. With 0, no early data is ever accepted.
    ///
    /// Setting the clock back does not make the guard accept a replay: it also rejects what would
    /// expire no later than an entry that it has dropped. If the clock was far ahead for a while,
    /// the entries recorded then do not expire before the clock reaches that time again. At worst,
    /// early data is rejected until the process restarts.
    ///
    /// **A process that is copied must create its guard after the copy**: two copies of one guard
    /// (after a `fork`, or in a virtual machine whose snapshot is started twice) each accept the
    /// same early data once. The same holds for a process that is reset to a snapshot.
    pub fn in_memory(capacity: usize) -> Self {
        Self::new(Keeper::Memory {
            capacity,
            generations: Mutex::default(),
            place: OnceLock::new(),
        })
    }

    /// Creates a guard that asks `store`, directly and on the connection's thread. `zone` is the
    /// store's name: the same at all servers that share the store, and different for different
    /// stores.
    ///
    /// If the answer can take a while, for example on an event loop, use [`asking`](Self::asking)
    /// instead.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use std::sync::{Arc, Mutex};
    /// use std::time::{Duration, SystemTime, UNIX_EPOCH};
    /// use fleeting::{ReplayEntry, ReplayGuard, ReplayStore, ReplayVerdict};
    ///
    /// /// A store in memory. For several machines, use a database that inserts a key only if it is
    /// /// absent, and says whether it was.
    /// #[derive(Default)]
    /// struct Seen(Mutex<BTreeMap<[u8; 32], Duration>>);
    ///
    /// /// The maximum difference between the clocks of all servers.
    /// const SKEW: Duration = Duration::from_secs(5);
    ///
    /// impl ReplayStore for Seen {
    ///     fn check_and_insert(&self, entry: &ReplayEntry) -> ReplayVerdict {
    ///         let (Ok(mut seen), Ok(now)) =
    ///             (self.0.lock(), SystemTime::now().duration_since(UNIX_EPOCH))
    ///         else {
    ///             return ReplayVerdict::Unavailable;
    ///         };
    ///         // An expired entry may have been dropped already.
    ///         if now > entry.expires() {
    ///             return ReplayVerdict::Unavailable;
    ///         }
    ///         seen.retain(|_, expires| now <= *expires + SKEW);
    ///         match seen.insert(*entry.key(), entry.expires()) {
    ///             None => ReplayVerdict::Fresh,
    ///             Some(_) => ReplayVerdict::Seen,
    ///         }
    ///     }
    /// }
    ///
    /// // This store is lost with the process, so it gets a new name each time. A store that
    /// // persists keeps its name.
    /// let begun = SystemTime::now().duration_since(UNIX_EPOCH)?;
    /// let store = Arc::new(Seen::default());
    /// let guard =
    ///     ReplayGuard::with_store(format!("orders, eu-west, {begun:?}"), Arc::clone(&store));
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_store(zone: impl AsRef<[u8]>, store: impl ReplayStore + 'static) -> Self {
        Self::new(Keeper::Store {
            place: named(zone.as_ref()),
            store: Box::new(store),
        })
    }

    /// Creates a guard that asks the application, which then asks a store and answers later: the
    /// handshake waits at [`Question::Replay`](crate::Question::Replay).
    ///
    /// `accept` cannot ask and returns [`Error::Asked`](crate::Error::Asked). `zone` is the store's
    /// name, as for [`with_store`](Self::with_store). The requirements of [`ReplayStore`] hold for
    /// this store too.
    pub fn asking(zone: impl AsRef<[u8]>) -> Self {
        Self::new(Keeper::Application {
            place: named(zone.as_ref()),
        })
    }

    fn new(keeper: Keeper) -> Self {
        Self {
            keeper: Arc::new(keeper),
            window: Duration::ZERO,
        }
    }

    /// Returns the same guard for a server whose early data stays fresh for this long.
    ///
    /// An entry expires by the window of the server that records it. A server with a longer window
    /// would find the same ClientHello fresh after it was forgotten. So each window has a zone of
    /// its own, also if the configuration changes while the memory stays.
    pub(crate) fn for_window(&self, window: Duration) -> Self {
        Self {
            keeper: Arc::clone(&self.keeper),
            window,
        }
    }

    /// Returns the zone that marks the tickets whose early data this guard covers.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::Random`] if a zone must be drawn and cannot be.
    pub(crate) fn zone(&self, rng: &mut Rng<'_>) -> Result<[u8; 16], Fault> {
        let place = match &*self.keeper {
            Keeper::Memory { place, .. } => match place.get() {
                Some(place) => place,
                None => {
                    let drawn = random::array(rng)?;
                    // A generator that fills in nothing must not put all processes into one zone.
                    if drawn == [0; 32] {
                        return Err(Fault::Random);
                    }
                    // If another thread was faster, its zone is used.
                    place.get_or_init(|| drawn)
                }
            },
            Keeper::Store { place, .. } | Keeper::Application { place } => place,
        };
        let digest = sha256(
            &[
                b"fleeting replay zone 1",
                &place[..],
                &self.window.as_nanos().to_be_bytes(),
            ]
            .concat(),
        );
        let mut zone = [0; 16];
        zone.iter_mut()
            .zip(digest)
            .for_each(|(out, byte)| *out = byte);
        Ok(zone)
    }

    /// Returns whether an entry is new, and records it. `None` if the application must say.
    pub(crate) fn check_and_insert(&self, entry: &ReplayEntry, now: Now) -> Option<ReplayVerdict> {
        match &*self.keeper {
            Keeper::Memory {
                capacity,
                generations,
                ..
            } => {
                let mut generations = lock(generations);
                let expired = generations.turn(now);
                let verdict = generations.check_and_insert(entry, *capacity);
                drop(generations);
                // There may be many entries, so they are freed outside of the lock.
                drop(expired);
                Some(verdict)
            }
            Keeper::Store { store, .. } => Some(store.check_and_insert(entry)),
            Keeper::Application { .. } => None,
        }
    }
}

/// Shows where it remembers, and how much, but not what.
impl fmt::Debug for ReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ReplayGuard");
        match &*self.keeper {
            Keeper::Memory {
                capacity,
                generations,
                ..
            } => out
                .field("kept", &"in memory")
                .field("len", &lock(generations).len())
                .field("capacity", capacity),
            Keeper::Store { .. } => out.field("kept", &"in a store"),
            Keeper::Application { .. } => out.field("kept", &"by the application"),
        };
        out.finish()
    }
}

/// Returns a digest of a store's name, which no other name has.
fn named(name: &[u8]) -> [u8; 32] {
    sha256(&[b"fleeting replay store 1", name].concat())
}

/// Locks the generations. Every step leaves them consistent before anything can panic, so the lock
/// of a thread that panicked is still good.
fn lock(generations: &Mutex<Generations>) -> MutexGuard<'_, Generations> {
    generations.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A store in which several servers together remember which early data they have accepted.
///
/// One call is one atomic step, whatever other servers do at the same time: of all calls with the
/// same [`key`](ReplayEntry::key), exactly one may return [`ReplayVerdict::Fresh`]. So "look up,
/// then insert" is not enough; a database's "insert if absent" is. Each of the following lets early
/// data through twice:
///
/// * **Forgetting before [`expires`](ReplayEntry::expires)**: to make room, in a restart, or by a
///   clock that is ahead of the servers'. A store that has lost anything must either return
///   [`Unavailable`](ReplayVerdict::Unavailable) until all that it may have lost has expired, or
///   get a new zone name.
/// * **Copies that disagree**: a replica that is read before it is up to date, or a fail-over to
///   one that is not.
/// * **Reporting an entry as new that has expired by the store's own clock**: a call that comes
///   late, for example after a pause, finds nothing. The answer must be
///   [`Unavailable`](ReplayVerdict::Unavailable).
///
/// A store may return [`Seen`](ReplayVerdict::Seen) for an entry that it has not seen, as a Bloom
/// filter does. That costs a round trip and nothing else.
///
/// A call that blocks, blocks its connection, and a call that panics ends its connection. Other
/// connections continue: no lock is held during the call.
pub trait ReplayStore: Send + Sync {
    /// Returns whether `entry` is new, and if so records it until it
    /// [expires](ReplayEntry::expires).
    fn check_and_insert(&self, entry: &ReplayEntry) -> ReplayVerdict;
}

impl<T: ReplayStore + ?Sized> ReplayStore for Arc<T> {
    fn check_and_insert(&self, entry: &ReplayEntry) -> ReplayVerdict {
        (**self).check_and_insert(entry)
    }
}

/// A guard's verdict on one ClientHello. Early data is accepted only after [`Fresh`](Self::Fresh).
/// The handshake continues after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayVerdict {
    /// The entry is new and has been recorded.
    Fresh,
    /// The entry was there, or may have been.
    Seen,
    /// The guard cannot tell: there is no room, or no answer from the store.
    Unavailable,
}

/// The record of one ClientHello with early data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayEntry {
    key: [u8; 32],
    expires: Duration,
}

impl ReplayEntry {
    /// Makes the entry of a ClientHello whose `binder` was verified under a ticket of `zone`, and
    /// which is no longer fresh after `expires`. That time follows from the ticket, the ClientHello
    /// and the guard's window alone, so a copy has the same.
    pub(crate) fn new(zone: &[u8; 16], binder: &[u8], expires: Duration) -> Self {
        // RFC 9846, 8.2: "The server MUST derive the storage key only from validated sections of
        // the ClientHello."
        Self {
            key: sha256(&[b"fleeting replay entry 1", &zone[..], binder].concat()),
            expires,
        }
    }

    /// Returns the digest that identifies the ClientHello. It is not secret.
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Returns until when the entry must be remembered, as the time since 1970-01-01 00:00:00 UTC,
    /// inclusive. It is a time of the servers' clocks: a store with a clock of its own must add the
    /// maximum difference.
    pub fn expires(&self) -> Duration {
        self.expires
    }
}

/// The entries in memory. They are dropped by generation, when its last entry has expired.
#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
    /// The latest `expires` of all entries that have been dropped.
    forgotten: Option<Duration>,
}

/// A sorted set rather than a hash table: peers choose the keys, and no insertion must move all
/// entries.
#[derive(Default)]
struct Generation {
    keys: BTreeSet<[u8; 32]>,
    /// The latest `expires` of all keys.
    latest: Duration,
}

impl Generations {
    /// Takes out the old generation if it has expired, or is empty, and puts the young one in its
    /// place.
    fn turn(&mut self, now: Now) -> Option<Generation> {
        if now.unix <= self.old.latest {
            return None;
        }
        if !self.old.keys.is_empty() {
            self.forgotten = self.forgotten.max(Some(self.old.latest));
        }
        let young = core::mem::take(&mut self.young);
        Some(core::mem::replace(&mut self.old, young))
    }

    fn check_and_insert(&mut self, entry: &ReplayEntry, capacity: usize) -> ReplayVerdict {
        if self.young.keys.contains(&entry.key) || self.old.keys.contains(&entry.key) {
            return ReplayVerdict::Seen;
        }
        // An entry that expires no later than one that was dropped may have been dropped itself.
        // Its age should have refused it. If that did not happen, the clock was set back. This
        // check uses no clock, so no clock can defeat it.
        if self
            .forgotten
            .is_some_and(|forgotten| entry.expires <= forgotten)
            || self.len() >= capacity
        {
            return ReplayVerdict::Unavailable;
        }
        self.young.latest = self.young.latest.max(entry.expires);
        self.young.keys.insert(entry.key);
        ReplayVerdict::Fresh
    }

    fn len(&self) -> usize {
        self.young.keys.len().saturating_add(self.old.keys.len())
    }
}

#[cfg(test)]
impl ReplayGuard {
    /// Poisons the lock, like a thread that panics while it holds it.
    pub(super) fn poison(&self) {
        let Keeper::Memory { generations, .. } = &*self.keeper else {
            panic!("not in memory")
        };
        std::thread::scope(|scope| {
            let panicked = scope.spawn(|| {
                let _guard = lock(generations);
                panic!("on purpose");
            });
            assert!(panicked.join().is_err());
        });
        assert!(generations.is_poisoned());
    }

    /// Returns the number of entries in the young generation and in the old one.
    pub(super) fn kept(&self) -> (usize, usize) {
        let Keeper::Memory {
            capacity,
            generations,
            ..
        } = &*self.keeper
        else {
            panic!("not in memory")
        };
        let generations = lock(generations);
        assert!(generations.len() <= *capacity);
        (generations.young.keys.len(), generations.old.keys.len())
    }
}
