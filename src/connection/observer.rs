//! [`Observer`]: the one place where what happens to a connection is counted, and traced.
//!
//! Both sides of a connection hold it, also when they are split. What they report is a [`Notice`],
//! and each is reported in one place. Records are counted by a call of their own, because there are
//! many.

use std::io;
use std::sync::Arc;

use crate::client::Client;
use crate::code_point::AlertDescription;
use crate::connection::notice::Notice;
#[cfg(feature = "tracing")]
use crate::connection::trace::Trace;
use crate::counters::{Counters, Direction, Flow, Stats, Tally, Totals};
use crate::error::{Error, Side};
use crate::handshake::{EarlyData, Negotiated};
use crate::identity::ServerName;
use crate::server::Server;
use crate::sync::{AtomicU8, Ordering};

/// What both sides of a connection report to.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Shared>);

struct Shared {
    side: Side,
    tally: Tally,
    phase: AtomicU8,
    #[cfg(feature = "tracing")]
    trace: Arc<Trace>,
}

/// In handshake.
const HANDSHAKE: u8 = 0;
/// Connected, and not failed.
const CONNECTED: u8 = 1;
/// Failed.
const FAILED: u8 = 2;

impl Observer {
    /// Begins with a client's connection to the server called `name`.
    pub(crate) fn client(client: &Client, name: Option<&ServerName>) -> Self {
        Self::begin(Side::Client, Some(&client.totals), name)
    }

    /// Begins with a server's connection. Without a configuration, nothing is counted yet.
    pub(crate) fn server(server: Option<&Server>) -> Self {
        Self::begin(Side::Server, server.map(|server| &server.totals), None)
    }

    fn begin(side: Side, totals: Option<&Arc<Totals>>, name: Option<&ServerName>) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = name;
        Self(Arc::new(Shared {
            side,
            tally: Tally::begin(totals),
            phase: AtomicU8::new(HANDSHAKE),
            #[cfg(feature = "tracing")]
            trace: Arc::new(Trace::begin(side, name)),
        }))
    }

    /// Returns one that has nothing to report, not even its end.
    pub(crate) fn idle() -> Self {
        Self(Arc::new(Shared {
            side: Side::Server,
            tally: Tally::begin(None),
            phase: AtomicU8::new(FAILED),
            #[cfg(feature = "tracing")]
            trace: Arc::new(Trace::none()),
        }))
    }

    /// Returns the observer of the same connection from when its configuration is chosen, which
    /// counts it from then on.
    pub(crate) fn chosen(&self, server: &Server) -> Self {
        // What replaces it will say how the handshake ends.
        self.0.phase.store(FAILED, Ordering::Relaxed);
        Self(Arc::new(Shared {
            side: Side::Server,
            tally: Tally::begin(Some(&server.totals)),
            phase: AtomicU8::new(HANDSHAKE),
            #[cfg(feature = "tracing")]
            trace: self.0.trace.clone(),
        }))
    }

    pub(crate) fn side(&self) -> Side {
        self.0.side
    }

    /// Returns what this connection has moved.
    pub(crate) fn stats(&self) -> Stats {
        self.0.tally.stats()
    }

    /// Returns where the sending side counts records.
    pub(crate) fn sent(&self) -> &Direction {
        &self.0.tally.flow.sent
    }

    /// Returns where the receiving side counts records.
    pub(crate) fn received(&self) -> &Direction {
        &self.0.tally.flow.received
    }

    /// Reports what happened.
    pub(crate) fn saw(&self, notice: Notice<'_>) {
        let phase = &self.0.phase;
        let before = match notice {
            Notice::Connected(..) => phase.swap(CONNECTED, Ordering::Relaxed),
            Notice::Failed(_) => phase.swap(FAILED, Ordering::Relaxed),
            Notice::TransportFailed(error) if is_pause(error) => return,
            // In the handshake it is one of the reasons why that fails.
            Notice::TransportFailed(_) => phase
                .compare_exchange(CONNECTED, FAILED, Ordering::Relaxed, Ordering::Relaxed)
                .unwrap_or(FAILED),
            _ => CONNECTED,
        };
        // Only the first failure counts.
        if before == FAILED {
            return;
        }
        let in_handshake = before == HANDSHAKE;
        self.0.count(notice, in_handshake);
        #[cfg(feature = "tracing")]
        self.0.trace.notice(notice, in_handshake);
    }
}

impl Shared {
    fn count(&self, notice: Notice<'_>, in_handshake: bool) {
        let Flow { sent, received, .. } = &*self.tally.flow;
        let count = |count: &dyn Fn(&mut Counters)| self.tally.count(count);
        match notice {
            Notice::Connected(negotiated, _) => count(&|c| connected(c, negotiated, self.side)),
            Notice::Failed(error) if in_handshake => count(&|c| *handshake_failure(c, error) += 1),
            Notice::Failed(Error::Truncated) => count(&|c| c.connections_truncated += 1),
            Notice::Failed(error) if error.is_end() => count(&|c| c.connections_ended += 1),
            Notice::Failed(_) | Notice::TransportFailed(_) => {
                count(&|c| c.connections_failed += 1);
            }
            Notice::Closed => count(&|c| c.connections_closed += 1),
            Notice::TicketOffered => count(&|c| c.tickets_used += 1),
            Notice::TicketReceived => count(&|c| c.tickets_received += 1),
            Notice::TicketsIssued(many) => count(&|c| c.tickets_issued += many),
            Notice::ReplayRefused => count(&|c| c.replays_refused += 1),
            Notice::KeyUpdateSent => sent.key_update(),
            Notice::KeyUpdateReceived => received.key_update(),
            Notice::AlertSent(alert) if is_error(alert) => count(&|c| c.alerts_sent += 1),
            Notice::AlertReceived(alert) if is_error(alert) => count(&|c| c.alerts_received += 1),
            Notice::AlertSent(_)
            | Notice::AlertReceived(_)
            | Notice::Asked(_)
            | Notice::Answered(_) => {}
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if *self.phase.get_mut() == HANDSHAKE {
            self.tally
                .count(|counters| counters.handshakes_abandoned += 1);
            #[cfg(feature = "tracing")]
            self.trace.abandoned();
        }
    }
}

/// RFC 9846, 6.2. The closure alerts of 6.1 are the ordinary end.
fn is_error(alert: AlertDescription) -> bool {
    !matches!(
        alert,
        AlertDescription::CLOSE_NOTIFY | AlertDescription::USER_CANCELED
    )
}

/// Returns true for a transport that is not ready, or whose own time-out has passed.
fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn connected(counters: &mut Counters, negotiated: &Negotiated, side: Side) {
    if negotiated.resumed() {
        counters.handshakes_resumed += 1;
        // A client counted it when it was offered.
        counters.tickets_used += u64::from(side == Side::Server);
    } else if negotiated.external_psk().is_some() {
        counters.handshakes_psk += 1;
    } else {
        counters.handshakes_full += 1;
    }
    match negotiated.early_data() {
        EarlyData::NotOffered => {}
        EarlyData::Accepted => counters.early_data_accepted += 1,
        EarlyData::Rejected => counters.early_data_rejected += 1,
    }
}

/// Returns the one counter of this failure.
fn handshake_failure<'a>(counters: &'a mut Counters, error: &Error) -> &'a mut u64 {
    match error {
        Error::Closed => &mut counters.handshakes_abandoned,
        Error::NothingReceived => &mut counters.handshakes_failed_untouched,
        Error::HandshakeTimeout => &mut counters.handshakes_failed_timeout,
        Error::Io(error) if is_pause(error) => &mut counters.handshakes_failed_timeout,
        error if error.is_configuration() => &mut counters.handshakes_failed_configuration,
        error if error.is_authentication() => &mut counters.handshakes_failed_authentication,
        error if error.is_peer_fault() => &mut counters.handshakes_failed_peer_fault,
        error if error.is_retryable() => &mut counters.handshakes_failed_retryable,
        _ => &mut counters.handshakes_failed_other,
    }
}
