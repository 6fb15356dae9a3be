//! [`Counters`]: what all connections of a configuration did, in numbers; [`Stats`]: what one
//! connection did.
//!
//! ```text
//! Client, Server ── Totals ── 8 x Mutex<Book> ─┬─ what is rare: handshakes, alerts, tickets
//!                                              ├─ what connections that ended have moved
//! a connection ── Tally ── Flow ───────────────┴─ the Flow of each open connection
//! ```
//!
//! A [`Flow`] is written by its connection alone, so counting a record is an addition without a
//! lock and without a cache line that other connections write. In return a snapshot visits all open
//! connections. It includes everything that happened before it was taken. Of a record that is
//! counted meanwhile, it may have the one number and not yet the other.
//!
//! There are several books so that many threads do not wait for each other. All that one connection
//! counts is in one of them, so the numbers of handshakes and connections agree with each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sync::{AtomicUsize, Count, Mutex, MutexGuard, Ordering, PoisonError};

/// How many books there are.
const BOOKS: usize = 8;

macro_rules! counters {
    ($($(#[$docs:meta])* $field:ident,)*) => {
        /// What all connections of a [`Client`](crate::Client) or a [`Server`](crate::Server) did
        /// since it was built. All clones count together, and so do the configurations of a
        /// [`LiveServer`](crate::LiveServer).
        ///
        /// All numbers only grow, except `connections_open`. A snapshot includes everything that
        /// happened before it was taken, and its numbers of handshakes and connections agree with
        /// each other. Taking one costs some nanoseconds for each open connection.
        ///
        /// A handshake counts as begun when its connection is made, and ends in exactly one way: it
        /// completes as one of `handshakes_full`, `handshakes_resumed` and `handshakes_psk`, it
        /// fails in one of the seven ways of `handshakes_failed_*`, or it is abandoned.
        ///
        /// ```
        /// use fleeting::{Authority, Server};
        ///
        /// # fn main() -> Result<(), fleeting::Error> {
        /// let authority = Authority::new("my services")?;
        /// let server =
        ///     Server::builder().identity(authority.issue_server(["db.internal"])?).build()?;
        /// // ... serve ...
        /// let counters = server.counters();
        /// println!(
        ///     "{} connections, {} handshakes failed",
        ///     counters.connections_open,
        ///     counters.handshakes_failed(),
        /// );
        /// # Ok(())
        /// # }
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[$docs])* pub $field: u64,)*
        }

        impl Counters {
            fn add(&mut self, other: &Self) {
                $(self.$field = self.$field.wrapping_add(other.$field);)*
            }
        }
    };
}

counters! {
    /// Handshakes begun. Handshakes whose configuration is chosen when the ClientHello has arrived
    /// ([`Handshake::undecided`](crate::Handshake::undecided)) are counted by the configuration
    /// that is chosen, and from then on.
    handshakes_begun,
    /// Complete handshakes in which certificates or raw keys were verified.
    handshakes_full,
    /// Complete handshakes that resumed an earlier connection.
    handshakes_resumed,
    /// Complete handshakes in which both sides authenticated with an external PSK.
    handshakes_psk,
    /// Handshakes that failed because a setting here or at the peer has to change
    /// ([`Error::is_configuration`](crate::Error::is_configuration)).
    handshakes_failed_configuration,
    /// Handshakes that failed because one side did not accept who the other is
    /// ([`Error::is_authentication`](crate::Error::is_authentication)).
    handshakes_failed_authentication,
    /// Handshakes that failed because the peer broke the protocol or does not speak TLS
    /// ([`Error::is_peer_fault`](crate::Error::is_peer_fault)).
    handshakes_failed_peer_fault,
    /// Handshakes that took longer than
    /// [`handshake_timeout`](crate::ServerBuilder::handshake_timeout), or than the transport's own
    /// time-out.
    handshakes_failed_timeout,
    /// Handshakes in which a client closed the connection without sending a byte
    /// ([`Error::NothingReceived`](crate::Error::NothingReceived)), as health checks and port scans
    /// do.
    handshakes_failed_untouched,
    /// Handshakes that failed for another reason that may be gone later, such as a transport that
    /// failed or was cut ([`Error::is_retryable`](crate::Error::is_retryable)).
    handshakes_failed_retryable,
    /// Handshakes that failed in another way: refused by the application, or by an alert that gives
    /// no usable reason.
    handshakes_failed_other,
    /// Handshakes that this side's application gave up: closed or dropped before they were
    /// complete.
    handshakes_abandoned,
    /// Complete handshakes whose early data the server accepted.
    early_data_accepted,
    /// Complete handshakes whose early data the server rejected.
    early_data_rejected,
    /// Early data that a server rejected because the replay guard, or the application's answer,
    /// said that it had been seen before.
    replays_refused,
    /// Tickets that a server sent.
    tickets_issued,
    /// Tickets that a client received, including those that it did not store.
    tickets_received,
    /// Tickets used. A client counts those that it offered, whether or not the server accepted
    /// them. A server counts those that resumed a session.
    tickets_used,
    /// Records of application data sent, including early data.
    records_sent,
    /// Bytes of application data sent, including early data. Padding and overhead do not count.
    bytes_sent,
    /// Records of application data received, including accepted early data and empty records.
    records_received,
    /// Bytes of application data received, including accepted early data.
    bytes_received,
    /// KeyUpdates sent: how often a sending key was renewed (RFC 9846, 4.7.3).
    key_updates_sent,
    /// KeyUpdates received: how often a peer renewed its key.
    key_updates_received,
    /// Error alerts sent (RFC 9846, 6.2). The closure alerts close_notify and user_canceled do not
    /// count.
    alerts_sent,
    /// Error alerts received. The closure alerts close_notify and user_canceled do not count.
    alerts_received,
    /// Connections that exist now, in handshake or after it, until they are dropped.
    connections_open,
    /// Connections that the peer closed with close_notify after the handshake.
    connections_closed,
    /// Connections whose transport ended after the handshake without the peer's close_notify
    /// ([`Error::Truncated`](crate::Error::Truncated)).
    connections_truncated,
    /// Connections that this side ended after the handshake because of a limit of time
    /// ([`Error::Expired`](crate::Error::Expired)) or through
    /// [`Connections`](crate::Connections) ([`Error::Ended`](crate::Error::Ended)).
    connections_ended,
    /// Connections that failed in another way after the handshake: by an alert, by what the peer
    /// sent, or by an error of the transport, even if the peer has closed its side before.
    connections_failed,
}

impl Counters {
    /// Returns how many handshakes were completed.
    pub fn handshakes_completed(&self) -> u64 {
        self.handshakes_full
            .wrapping_add(self.handshakes_resumed)
            .wrapping_add(self.handshakes_psk)
    }

    /// Returns how many handshakes failed, in any of the seven ways. Those that were abandoned do
    /// not count.
    pub fn handshakes_failed(&self) -> u64 {
        [
            self.handshakes_failed_configuration,
            self.handshakes_failed_authentication,
            self.handshakes_failed_peer_fault,
            self.handshakes_failed_timeout,
            self.handshakes_failed_untouched,
            self.handshakes_failed_retryable,
            self.handshakes_failed_other,
        ]
        .into_iter()
        .fold(0, u64::wrapping_add)
    }

    /// Returns how many handshakes are in progress now.
    pub fn handshakes_in_progress(&self) -> u64 {
        self.handshakes_begun
            .wrapping_sub(self.handshakes_completed())
            .wrapping_sub(self.handshakes_failed())
            .wrapping_sub(self.handshakes_abandoned)
    }

    /// Adds what one connection has moved.
    fn add_flow(&mut self, moved: &Stats) {
        self.add(&Self {
            records_sent: moved.records_sent,
            bytes_sent: moved.bytes_sent,
            key_updates_sent: moved.key_updates_sent,
            records_received: moved.records_received,
            bytes_received: moved.bytes_received,
            key_updates_received: moved.key_updates_received,
            ..Self::default()
        });
    }
}

/// What one connection has sent and received: application data, including early data, and
/// KeyUpdates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Records of application data sent.
    pub records_sent: u64,
    /// Bytes of application data sent. Padding and overhead do not count.
    pub bytes_sent: u64,
    /// KeyUpdates sent: how often this side's key was renewed (RFC 9846, 4.7.3).
    pub key_updates_sent: u64,
    /// Records of application data received, including empty ones.
    pub records_received: u64,
    /// Bytes of application data received, whether or not they were read.
    pub bytes_received: u64,
    /// KeyUpdates received: how often the peer renewed its key.
    pub key_updates_received: u64,
}

/// What one connection moves. Each direction is written by its own side alone, and two threads may
/// work on the two: so that they do not wait for one cache line, the two begin 64 bytes apart.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Flow {
    pub(crate) sent: Direction,
    _apart: [u64; 5],
    pub(crate) received: Direction,
}

impl Flow {
    fn stats(&self) -> Stats {
        Stats {
            records_sent: self.sent.records.get(),
            bytes_sent: self.sent.bytes.get(),
            key_updates_sent: self.sent.key_updates.get(),
            records_received: self.received.records.get(),
            bytes_received: self.received.bytes.get(),
            key_updates_received: self.received.key_updates.get(),
        }
    }
}

/// What moves in one direction.
#[derive(Default)]
pub(crate) struct Direction {
    records: Count,
    bytes: Count,
    key_updates: Count,
}

impl Direction {
    /// Counts a record with `length` bytes of application data.
    pub(crate) fn record(&self, length: usize) {
        self.records.add(1);
        self.bytes.add(u64::try_from(length).unwrap_or(u64::MAX));
    }

    pub(crate) fn key_update(&self) {
        self.key_updates.add(1);
    }
}

/// The books of a configuration.
#[derive(Default)]
pub(crate) struct Totals {
    books: [Mutex<Book>; BOOKS],
    /// Where the next connection is entered.
    next: AtomicUsize,
}

/// A part of a configuration's numbers.
#[derive(Default)]
struct Book {
    counters: Counters,
    open: BTreeMap<u64, Arc<Flow>>,
    /// The key of the next connection.
    next: u64,
}

impl Totals {
    pub(crate) fn snapshot(&self) -> Counters {
        let mut sum = Counters::default();
        for book in &self.books {
            let book = lock(book);
            sum.add(&book.counters);
            for flow in book.open.values() {
                sum.add_flow(&flow.stats());
                sum.connections_open += 1;
            }
        }
        sum
    }

    fn book(&self, number: usize) -> Option<MutexGuard<'_, Book>> {
        self.books.get(number % BOOKS).map(lock)
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    // Nothing in here panics.
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection's entry in the books of its configuration, until it is dropped.
pub(crate) struct Tally {
    pub(crate) flow: Arc<Flow>,
    /// `None` before a configuration is chosen: nothing is counted then.
    totals: Option<Arc<Totals>>,
    book: usize,
    key: u64,
}

impl Tally {
    /// Enters a connection whose handshake begins.
    pub(crate) fn begin(totals: Option<&Arc<Totals>>) -> Self {
        let mut tally = Self {
            flow: Arc::default(),
            totals: totals.cloned(),
            book: totals.map_or(0, |totals| totals.next.fetch_add(1, Ordering::Relaxed)),
            key: 0,
        };
        let flow = tally.flow.clone();
        tally.key = tally
            .book()
            .map(|mut book| {
                let key = book.next;
                book.next += 1;
                book.open.insert(key, flow);
                book.counters.handshakes_begun += 1;
                key
            })
            .unwrap_or_default();
        tally
    }

    fn book(&self) -> Option<MutexGuard<'_, Book>> {
        self.totals.as_ref()?.book(self.book)
    }

    /// Counts what is rare.
    pub(crate) fn count(&self, count: impl FnOnce(&mut Counters)) {
        if let Some(mut book) = self.book() {
            count(&mut book.counters);
        }
    }

    /// Returns what this connection has moved.
    pub(crate) fn stats(&self) -> Stats {
        self.flow.stats()
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if let Some(mut book) = self.book() {
            book.open.remove(&self.key);
            book.counters.add_flow(&self.flow.stats());
        }
    }
}
