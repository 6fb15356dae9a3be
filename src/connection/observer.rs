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
use crate::counters::{Counters, Direction, Stats, Tally, Totals};
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
        let Shared {
            side, tally, phase, ..
        } = &*self.0;
        match notice {
            Notice::Asked(_) | Notice::Answered(_) => {}
            Notice::Connected(negotiated, _) => {
                phase.store(CONNECTED, Ordering::Relaxed);
                tally.count(|counters| connected(counters, negotiated, *side));
            }
            Notice::Failed(error) => match phase.swap(FAILED, Ordering::Relaxed) {
                HANDSHAKE => {
                    tally.count(|counters| *handshake_failure(counters, error) += 1);
                    #[cfg(feature = "tracing")]
                    return self.0.trace.handshake_failed(error);
                }
                CONNECTED => tally.count(|counters| match error {
                    Error::Truncated => counters.connections_truncated += 1,
                    _ => counters.connections_failed += 1,
                }),
                _ => return,
            },
            Notice::TransportFailed(error) if is_pause(error) => return,
            Notice::TransportFailed(_) => {
                // In the handshake it is one of the reasons why that fails.
                let connected =
                    phase.compare_exchange(CONNECTED, FAILED, Ordering::Relaxed, Ordering::Relaxed);
                if connected.is_err() {
                    return;
                }
                tally.count(|counters| counters.connections_failed += 1);
            }
            Notice::Closed => tally.count(|counters| counters.connections_closed += 1),
            Notice::TicketOffered => tally.count(|counters| counters.tickets_used += 1),
            Notice::TicketReceived => tally.count(|counters| counters.tickets_received += 1),
            Notice::TicketsIssued(count) => {
                tally.count(|counters| counters.tickets_issued += count);
            }
            Notice::ReplayRefused => tally.count(|counters| counters.replays_refused += 1),
            Notice::KeyUpdateSent => tally.flow.sent.key_update(),
            Notice::KeyUpdateReceived => tally.flow.received.key_update(),
            Notice::AlertSent(alert) if is_error(alert) => {
                tally.count(|counters| counters.alerts_sent += 1);
            }
            Notice::AlertReceived(alert) if is_error(alert) => {
                tally.count(|counters| counters.alerts_received += 1);
            }
            Notice::AlertSent(_) | Notice::AlertReceived(_) => {}
        }
        #[cfg(feature = "tracing")]
        self.0.trace.notice(notice);
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
