//! [`Connections`]: the connections of a server that run now, to be listed and ended. [`Running`]:
//! what one of them shares with whoever ends it.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

use crate::error::Error;
use crate::handshake::lifetime::{Lifetime, TimeLimits};
use crate::handshake::negotiated::Negotiated;
use crate::identity::{Peer, PublicKey};
use crate::sync::{Mutex, MutexGuard, PoisonError};
use crate::time::Now;

/// The connections of a server that run now: a handle to list them, to find those of one peer, and
/// to end them from any thread.
///
/// A server keeps no list unless it is given one by
/// [`ServerBuilder::connections`](crate::ServerBuilder::connections). A connection is in it from
/// when its handshake is complete until it has failed, is closed in both directions, or is dropped.
/// A clone is another handle to the same list: give one to each server whose connections belong
/// together, and to each configuration of a [`LiveServer`](crate::LiveServer).
///
/// # What ending does
///
/// A connection that is ended returns [`Error::Ended`](crate::Error::Ended) from its next call that
/// reads or writes. What was written before is still sent, then close_notify, and the keys of both
/// directions are wiped. What was received before can still be read. The peer sees an orderly end:
/// no alert tells it why, and it keeps its tickets, which
/// [`RevokedSessions`](crate::RevokedSessions) can revoke. Because the peer cannot tell this end
/// from any other, the protocol above must itself say where a message ends.
///
/// A pending read or write of an [`AsyncStream`](crate::AsyncStream) is woken. A thread that waits
/// in a blocking transport is not, as only the transport could wake it: the connection ends when
/// that call returns. [`Stream::on_end`](crate::Stream::on_end) sets a hook that shuts the
/// program's socket down for reading, which wakes the thread. Until then, what the connection holds
/// stays in memory.
///
/// A peer can connect again. So first let [`authorize`](crate::ServerBuilder::authorize) refuse it,
/// then revoke its sessions, and then end its connections. Nothing is missed then: a connection
/// that `authorize` has admitted, and that another thread completes at that moment, ends too.
///
/// ```
/// use fleeting::{Authority, ClientAuth, Connections, PublicKey, RevokedSessions, Server};
///
/// # fn main() -> Result<(), fleeting::Error> {
/// let authority = Authority::new("my services")?;
/// let connections = Connections::new();
/// let revoked = RevokedSessions::in_memory(10_000);
/// let server = Server::builder()
///     .identity(authority.issue_server(["db.internal"])?)
///     .client_auth(ClientAuth::Required(authority.trust()))
///     .connections(connections.clone())
///     .revoked_sessions(revoked.clone())
///     .build()?;
///
/// // ... serve; and when a client's key is lost:
/// let forget = |key: &PublicKey| {
///     revoked.revoke_key(key);
///     connections.end_key(key)
/// };
/// # let lost = authority.issue_client("alice")?.public_key();
/// assert_eq!(forget(&lost), 0); // none was running
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<List>>);

#[derive(Default)]
struct List {
    running: BTreeMap<u64, Weak<Running>>,
    /// The number of the next connection.
    next: u64,
    /// How often connections of one key, or of all, were ended.
    ends: u64,
    /// Whose they were, of the last of these calls. `None` for all.
    last_ends: VecDeque<Option<PublicKey>>,
}

/// How many calls that end connections are remembered. More than other threads make while one
/// completes a handshake.
const MAX_ENDS: usize = 16;

impl List {
    /// Returns true if this peer's connections were ended since `ends`, or may have been.
    fn ended_since(&self, ends: u64, negotiated: &Negotiated) -> bool {
        let since = usize::try_from(self.ends.saturating_sub(ends)).unwrap_or(usize::MAX);
        let key = negotiated.peer().map(Peer::public_key);
        let mut last = self.last_ends.iter().rev().take(since);
        since > self.last_ends.len() || last.any(|ended| ended.is_none() || *ended == key)
    }
}

impl Connections {
    /// Creates an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the connections that run now, the oldest first. To find those of a name or an
    /// external PSK, look at what each has [negotiated](RunningConnection::negotiated).
    pub fn list(&self) -> Vec<RunningConnection> {
        self.find(|_| true)
    }

    /// Returns the running connections of the peer with this key, the oldest first.
    pub fn of_key(&self, key: &PublicKey) -> Vec<RunningConnection> {
        self.find(|negotiated| negotiated.peer().map(Peer::public_key) == Some(*key))
    }

    /// Ends all running connections of the peer with this key. Returns how many.
    pub fn end_key(&self, key: &PublicKey) -> usize {
        self.note_end(Some(*key));
        end(self.of_key(key))
    }

    /// Ends all running connections. Returns how many.
    pub fn end_all(&self) -> usize {
        self.note_end(None);
        end(self.list())
    }

    /// Notes that connections are being ended, for those that will be in the list too late to be
    /// found.
    fn note_end(&self, key: Option<PublicKey>) {
        let mut list = self.lock();
        list.ends = list.ends.saturating_add(1);
        if list.last_ends.len() >= MAX_ENDS {
            list.last_ends.pop_front();
        }
        list.last_ends.push_back(key);
    }

    /// Returns how often connections were ended. Asked before a handshake is complete.
    pub(crate) fn ends(&self) -> u64 {
        self.lock().ends
    }

    /// Returns the number of running connections.
    pub fn len(&self) -> usize {
        self.lock().running.len()
    }

    /// Returns true if no connection runs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, wanted: impl Fn(&Negotiated) -> bool) -> Vec<RunningConnection> {
        // A connection that ends meanwhile takes itself out of the list, which needs the lock. So
        // none is dropped while it is held.
        let running: Vec<Arc<Running>> = {
            let list = self.lock();
            list.running.values().filter_map(Weak::upgrade).collect()
        };
        running
            .iter()
            .filter_map(|running| Some((running, running.listed.as_ref()?)))
            .filter(|(_, listed)| wanted(&listed.negotiated))
            .map(|(running, listed)| RunningConnection {
                running: Arc::downgrade(running),
                id: listed.id,
                began: listed.began,
                negotiated: listed.negotiated.clone(),
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // Nothing panics under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end(connections: Vec<RunningConnection>) -> usize {
    connections
        .iter()
        .filter(|connection| connection.end())
        .count()
}

/// Shows the number of connections.
impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// A connection of a [`Connections`] list, as it was when it was listed. It does not keep the
/// connection alive.
#[derive(Clone)]
pub struct RunningConnection {
    running: Weak<Running>,
    id: u64,
    began: Duration,
    negotiated: Negotiated,
}

impl RunningConnection {
    /// Returns its number, which no other connection of the list has or had. The connection itself
    /// returns it too: [`Connection::id`](crate::Connection::id),
    /// [`Stream::connection_id`](crate::Stream::connection_id).
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns when its handshake was complete, since 1970-01-01 00:00:00 UTC, as in
    /// [`Now::unix`](crate::Now::unix).
    pub fn began(&self) -> Duration {
        self.began
    }

    /// Returns what its handshake agreed on.
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Returns the peer, if it authenticated with a certificate or a key.
    pub fn peer(&self) -> Option<&Peer> {
        self.negotiated.peer()
    }

    /// Returns true while it runs and nothing has ended it.
    pub fn is_running(&self) -> bool {
        self.running
            .upgrade()
            .is_some_and(|running| running.lifetime.over().is_none())
    }

    /// Ends it: see [`Connections`]. Returns false if it had ended before.
    pub fn end(&self) -> bool {
        self.running
            .upgrade()
            .is_some_and(|running| running.lifetime.end())
    }
}

impl fmt::Debug for RunningConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningConnection")
            .field("id", &self.id)
            .field("began", &self.began)
            .field("negotiated", &self.negotiated)
            .finish_non_exhaustive()
    }
}

/// What both sides of a connection share with whoever may end it. When both are gone, or have
/// ended, the connection leaves the list.
pub(crate) struct Running {
    lifetime: Lifetime,
    listed: Option<Listed>,
}

struct Listed {
    connections: Connections,
    id: u64,
    began: Duration,
    negotiated: Negotiated,
}

impl Running {
    /// Begins with the complete handshake. Returns `None` if the configuration asks for neither
    /// limits nor a list. The connection was made at `began`, on the monotonic clock. `ends` is
    /// what [`Connections::ends`] returned before the peer was admitted.
    pub(crate) fn begin(
        limits: TimeLimits,
        connections: Option<&Connections>,
        negotiated: &Negotiated,
        began: Duration,
        ends: u64,
        now: Now,
    ) -> Option<Arc<Self>> {
        if limits.age.is_none() && limits.idle.is_none() && connections.is_none() {
            return None;
        }
        let lifetime = Lifetime::begin(limits, began, now.monotonic);
        let Some(connections) = connections else {
            return Some(Arc::new(Self {
                lifetime,
                listed: None,
            }));
        };
        let mut list = connections.lock();
        let id = list.next;
        list.next = list.next.wrapping_add(1);
        let running = Arc::new(Self {
            lifetime,
            listed: Some(Listed {
                connections: connections.clone(),
                id,
                began: now.unix,
                negotiated: negotiated.clone(),
            }),
        });
        list.running.insert(id, Arc::downgrade(&running));
        let is_ended = list.ended_since(ends, negotiated);
        drop(list);
        if is_ended {
            running.lifetime.end();
        }
        Some(running)
    }

    pub(crate) fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }

    /// Returns the error that the connection ends with, if it is over.
    pub(crate) fn over(&self) -> Option<Error> {
        self.lifetime.over()
    }

    /// Returns its number in the list.
    pub(crate) fn id(&self) -> Option<u64> {
        self.listed.as_ref().map(|listed| listed.id)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(listed) = &self.listed {
            listed.connections.lock().running.remove(&listed.id);
        }
    }
}
