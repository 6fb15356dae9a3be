//! [`Observer`]: the one place where what happens to a connection is counted.
//!
//! Both sides of a connection hold it, also when they are split. What they report is a [`Notice`],
//! and each is reported in one place. Records are counted by a call of their own, because there are
//! many.

use std::io;
use std::sync::Arc;

use crate::code_point::AlertDescription;
use crate::counters::{Counters, Direction, Stats, Tally, Totals};
use crate::error::{Error, Side};
use crate::handshake::{EarlyData, Negotiated};
use crate::sync::{AtomicU8, Ordering};

/// Something that happened to a connection.
#[derive(Clone, Copy)]
pub(crate) enum Notice<'a> {
    /// The handshake is complete.
    Connected(&'a Negotiated),
    /// The connection has failed, or was canceled in the handshake. Only the first counts.
    Failed(&'a Error),
    /// A call of the transport has failed. After the handshake this ends one direction; that the
    /// transport is not ready means nothing.
    TransportFailed(&'a io::Error),
    /// The peer sends no more: it sent close_notify after the handshake.
    Closed,
    /// A client offers a ticket.
    TicketOffered,
    /// A client received a ticket.
    TicketReceived,
    /// A server sent this many tickets.
    TicketsIssued(u64),
    /// A server rejects early data because it was seen before.
    ReplayRefused,
    /// This side renewed its key.
    KeyUpdateSent,
    /// The peer renewed its key.
    KeyUpdateReceived,
    AlertSent(AlertDescription),
    AlertReceived(AlertDescription),
}

/// What both sides of a connection report to.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Shared>);

struct Shared {
    side: Side,
    tally: Tally,
    phase: AtomicU8,
}

/// In handshake.
const HANDSHAKE: u8 = 0;
/// Connected, and not failed.
const CONNECTED: u8 = 1;
/// Failed.
const FAILED: u8 = 2;

impl Observer {
    /// Begins with a connection of this side, which `totals` counts.
    pub(crate) fn begin(side: Side, totals: Option<&Arc<Totals>>) -> Self {
        Self(Arc::new(Shared {
            side,
            tally: Tally::begin(totals),
            phase: AtomicU8::new(HANDSHAKE),
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
        let Shared { side, tally, phase } = &*self.0;
        match notice {
            Notice::Connected(negotiated) => {
                phase.store(CONNECTED, Ordering::Relaxed);
                tally.count(|counters| connected(counters, negotiated, *side));
            }
            Notice::Failed(error) => match phase.swap(FAILED, Ordering::Relaxed) {
                HANDSHAKE => tally.count(|counters| *handshake_failure(counters, error) += 1),
                CONNECTED => tally.count(|counters| match error {
                    Error::Truncated => counters.connections_truncated += 1,
                    _ => counters.connections_failed += 1,
                }),
                _ => {}
            },
            Notice::TransportFailed(error) if is_pause(error) => {}
            Notice::TransportFailed(_) => {
                // In the handshake it is one of the reasons why that fails.
                let connected =
                    phase.compare_exchange(CONNECTED, FAILED, Ordering::Relaxed, Ordering::Relaxed);
                if connected.is_ok() {
                    tally.count(|counters| counters.connections_failed += 1);
                }
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
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if *self.phase.get_mut() == HANDSHAKE {
            self.tally
                .count(|counters| counters.handshakes_abandoned += 1);
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
