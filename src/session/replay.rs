//! [`ReplayGuard`]: at most once for each early data (RFC 9846, 8.2, "Client Hello Recording").
//!
//! ```text
//! a ClientHello with early data, its binder verified, fresh by its age (8.3)
//!   │  zone       the ticket was given out in this zone, and no other zone takes it
//!   v
//! ReplayEntry     key = SHA-256(zone, binder), and when freshness alone refuses it
//!   v
//! ReplayGuard ─┬─ in memory: two generations, each dropped when all of it has expired ─┐
//!              ├─ a ReplayStore, which several servers may share ──────────────────────┼─> ReplayVerdict
//!              └─ the application, which answers later ────────────────────────────────┘
//! ```
//!
//! Whatever is not known to be fresh is refused: the early data, never the handshake, which goes on
//! without them.
//!
//! RFC 9846, 8.2, has a server that was just started refuse early data "as long as any portion of
//! their recording window overlaps the startup time". Here the zone does that and needs no clock: a
//! guard in memory draws its zone when it is first needed, and takes early data under tickets of
//! that zone alone. So whatever it accepts was sent after it began to remember, and nothing from
//! before a restart, and nothing that another process may have accepted, is ever accepted by it.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::crypto::hash::sha256;
use crate::crypto::random::{self, Rng};
use crate::error::Fault;
use crate::time::Now;

/// What a server remembers, so that it takes no early data twice.
///
/// Early data come before the server has said anything, so whoever saw them on the wire can send
/// them again, and nothing in them tells the copy from the original. A guard records each
/// ClientHello whose early data were taken, for as long as they would be taken again; after that
/// their age refuses them. It counts only if it never forgets early, so a guard that cannot tell
/// refuses. The connection goes on without the early data then, and the client, which learns that,
/// may send the same after the handshake.
///
/// | guard | takes early data under | and nothing of them |
/// |---|---|---|
/// | [`in_memory`](Self::in_memory) | tickets that a server with this guard gave out | after a restart, in another process |
/// | [`with_store`](Self::with_store) | tickets of all servers whose store has the same name | where the store says [`Unavailable`](ReplayVerdict::Unavailable) |
/// | [`asking`](Self::asking) | the same | the same |
///
/// The session itself resumes everywhere as it did, only without early data. A clone is another
/// handle on the same guard; give one to each `Server` of a process that is to take the others'
/// early data. Servers with different windows of time never take each other's: what one of them may
/// forget already could still be fresh for the other.
///
/// # What it does not prevent
///
/// RFC 9846, section 8 and appendix F.5, and for HTTP RFC 8470, say what is left to the
/// application; in short:
///
/// * **A client that tries again.** Somebody on the wire can let early data through and keep the
///   answer back. If the client then sends the same on another connection, or after the handshake
///   because they were refused there, the server gets it twice, by two connections that are both
///   genuine.
/// * **Waiting.** Early data can be held back, and delivered within the window of time after what
///   came later: before them an account was there, after them it is again.
/// * **Their forward secrecy.** Whoever learns the ticket's key reads them, years later too.
///
/// So take nothing as early data that must not happen twice, or out of turn, whatever guard there
/// is.
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

/// Who remembers.
enum Keeper {
    Memory {
        capacity: usize,
        generations: Mutex<Generations>,
        /// Drawn when it is first needed.
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
    /// A guard that remembers in this process's memory, and begins with a zone that nobody else
    /// has: the tickets of other processes, and of this one before its last start, allow no early
    /// data here.
    ///
    /// There is room for this many entries, of 50 to 100 bytes each, and none is taken before it is
    /// needed. When it is full, early data are refused until some have expired; nothing is
    /// forgotten for another. An entry goes after one to two times its life, so two times as many
    /// are needed as early data come in within the window of time, and four times if clients'
    /// clocks are far off. With 0 none are ever taken.
    ///
    /// A clock that is set back brings nothing back: what was forgotten is refused by its date from
    /// then on. One that was far ahead for a while leaves entries that expire then; at worst early
    /// data are refused until the process is started anew.
    ///
    /// **A process that is copied must make its guard after that**: two copies of one guard (after
    /// a `fork`, or from the snapshot of a virtual machine that is started twice) each take the
    /// same early data once. So does one that goes back to a snapshot.
    pub fn in_memory(capacity: usize) -> Self {
        Self::new(Keeper::Memory {
            capacity,
            generations: Mutex::default(),
            place: OnceLock::new(),
        })
    }

    /// A guard that asks `store`, at once and on the thread of the connection; `zone` is the
    /// store's name, the same at all servers that share it, and different for different stores.
    ///
    /// Where the answer takes a while, on an event loop say, [`asking`](Self::asking) is better.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use std::sync::{Arc, Mutex};
    /// use std::time::{Duration, SystemTime, UNIX_EPOCH};
    /// use fleeting::{ReplayEntry, ReplayGuard, ReplayStore, ReplayVerdict};
    ///
    /// /// A store of one's own. One for several machines would be a database that adds a key only
    /// /// if it is not there, and says which.
    /// #[derive(Default)]
    /// struct Seen(Mutex<BTreeMap<[u8; 32], Duration>>);
    ///
    /// /// How far the clocks of all servers may be apart.
    /// const SKEW: Duration = Duration::from_secs(5);
    ///
    /// impl ReplayStore for Seen {
    ///     fn check_and_insert(&self, entry: &ReplayEntry) -> ReplayVerdict {
    ///         let (Ok(mut seen), Ok(now)) =
    ///             (self.0.lock(), SystemTime::now().duration_since(UNIX_EPOCH))
    ///         else {
    ///             return ReplayVerdict::Unavailable;
    ///         };
    ///         // What has expired may have been forgotten already.
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
    /// // This one forgets all with the process, so it has a new name each time. One that lasts has
    /// // one that lasts.
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

    /// A guard that asks the application, which then asks a store wherever it is, and answers when
    /// it knows: the handshake waits, at [`Question::Replay`](crate::Question::Replay). `accept`
    /// cannot ask, and fails with [`Error::Asked`](crate::Error::Asked). `zone` is the store's name
    /// as for [`with_store`](Self::with_store); what [`ReplayStore`] says of a store holds for this
    /// one too.
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

    /// The same guard, for a server whose early data stay fresh for this long.
    ///
    /// An entry expires by the window of the server that records it. A server with a longer one
    /// would find the same ClientHello fresh after it was forgotten, so each window makes a zone of
    /// its own: also where the configuration changes while the memory stays.
    pub(crate) fn for_window(&self, window: Duration) -> Self {
        Self {
            keeper: Arc::clone(&self.keeper),
            window,
        }
    }

    /// What a ticket is marked with whose early data this guard looks after.
    ///
    /// # Errors
    ///
    /// [`Fault::Random`], while none has been drawn.
    pub(crate) fn zone(&self, rng: &mut Rng<'_>) -> Result<[u8; 16], Fault> {
        let place = match &*self.keeper {
            Keeper::Memory { place, .. } => match place.get() {
                Some(place) => place,
                None => {
                    let drawn = random::array(rng)?;
                    // A generator that does nothing must not put all processes into one zone.
                    if drawn == [0; 32] {
                        return Err(Fault::Random);
                    }
                    // Another thread may have been faster: then its zone is everybody's.
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

    /// Whether an entry is new, which from then on it is not. Nothing if that is for the
    /// application to say.
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
                // There may be many, and others wait for the lock.
                drop(expired);
                Some(verdict)
            }
            Keeper::Store { store, .. } => Some(store.check_and_insert(entry)),
            Keeper::Application { .. } => None,
        }
    }
}

/// Where it remembers, and how much; nothing of what.
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

/// A store's name in a form that no other name has.
fn named(name: &[u8]) -> [u8; 32] {
    sha256(&[b"fleeting replay store 1", name].concat())
}

/// Every step leaves the generations in order before anything can panic, so a thread that did
/// spoils nothing.
fn lock(generations: &Mutex<Generations>) -> MutexGuard<'_, Generations> {
    generations.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where several servers remember together which early data they have taken.
///
/// One call is one step, whatever other servers do at the same time: of all calls with the same
/// [`key`](ReplayEntry::key), exactly one may be answered with [`ReplayVerdict::Fresh`]. So "look,
/// then insert" is not enough; a database's "insert if absent" is. Each of these lets early data
/// through twice:
///
/// * **Forgetting before [`expires`](ReplayEntry::expires)**: to make room, in a restart, by a
///   clock that is ahead of the servers'. A store that has lost anything says
///   [`Unavailable`](ReplayVerdict::Unavailable) until all that it may have lost has expired, or
///   comes back under another zone name.
/// * **Copies that disagree**: a replica that is read before it knows, a fail-over to one that does
///   not know yet.
/// * **Calling new what has expired by its own clock**: a call that comes late, as after a pause,
///   finds nothing. It is answered with [`Unavailable`](ReplayVerdict::Unavailable).
///
/// A store may say [`Seen`](ReplayVerdict::Seen) of what it has not seen (a Bloom filter does):
/// that costs a round trip and no more.
///
/// A call that blocks blocks its connection, and one that panics takes its connection with it.
/// Others go on: no lock is held meanwhile.
pub trait ReplayStore: Send + Sync {
    /// Whether `entry` is new, and if so records it until it [expires](ReplayEntry::expires).
    fn check_and_insert(&self, entry: &ReplayEntry) -> ReplayVerdict;
}

impl<T: ReplayStore + ?Sized> ReplayStore for Arc<T> {
    fn check_and_insert(&self, entry: &ReplayEntry) -> ReplayVerdict {
        (**self).check_and_insert(entry)
    }
}

/// What a guard says of one ClientHello. Early data are taken after the first alone; the handshake
/// goes on after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayVerdict {
    /// It was not there, and is recorded now.
    Fresh,
    /// It was there, or may have been.
    Seen,
    /// Nobody can tell: there is no room, or no answer from where it would be recorded.
    Unavailable,
}

/// One ClientHello with early data, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayEntry {
    key: [u8; 32],
    expires: Duration,
}

impl ReplayEntry {
    /// For a ClientHello whose `binder` was verified, under a ticket of `zone`, and which is not
    /// fresh any more after `expires`: a time that follows from the ticket, the ClientHello and the
    /// guard's window alone, so that a copy has the same.
    pub(crate) fn new(zone: &[u8; 16], binder: &[u8], expires: Duration) -> Self {
        // RFC 9846, 8.2: "The server MUST derive the storage key only from validated sections of
        // the ClientHello."
        Self {
            key: sha256(&[b"fleeting replay entry 1", &zone[..], binder].concat()),
            expires,
        }
    }

    /// What the ClientHello is known by: a digest, no secret, and of no use to anybody else.
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// How long it must be remembered, as the time since 1970-01-01 00:00:00 UTC, that moment
    /// included. The clock meant is that of the servers: a store with another one adds how far
    /// these may be apart.
    pub fn expires(&self) -> Duration {
        self.expires
    }
}

/// What was recorded in memory. An entry goes with its generation, when the last of that has
/// expired.
#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
    /// The latest `expires` of all that has been forgotten.
    forgotten: Option<Duration>,
}

/// Sorted, and not hashed: peers choose the keys, and no insertion has to move all that are there.
#[derive(Default)]
struct Generation {
    keys: BTreeSet<[u8; 32]>,
    /// The latest `expires` of all keys.
    latest: Duration,
}

impl Generations {
    /// Takes out the old generation if it has expired, and then the young one takes its place. An
    /// empty one has.
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
        // What expires no later than something that was forgotten may have been forgotten itself.
        // Its age should have refused it; that it did not means that the clock was set back. This
        // looks at no clock, so no clock can undo it.
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
    /// As a thread leaves it that panics where it must not.
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

    /// How many entries there are in the young generation, and in the old one.
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
