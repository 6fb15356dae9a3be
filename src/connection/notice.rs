//! [`Notice`]: what happens to a connection, for its [`Observer`](super::observer::Observer).

use core::time::Duration;
use std::io;

use crate::code_point::AlertDescription;
use crate::error::Error;
use crate::handshake::{Negotiated, Question};

/// Something that happened to a connection.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(feature = "tracing"),
    expect(dead_code, reason = "some fields are for events alone")
)]
pub(crate) enum Notice<'a> {
    /// The application is asked.
    Asked(Question),
    /// The application has answered.
    Answered(Question),
    /// The handshake is complete, after this time.
    Connected(&'a Negotiated, Duration),
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
