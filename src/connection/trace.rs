//! [`Trace`]: a connection's `tracing` span, and its events in that span (feature `tracing`).
//!
//! The guide's section "What operators see" lists them. The levels follow two rules.
//!
//! * A client's failures are at `INFO`, because this program asked for the connection. A server's
//!   are at `DEBUG`: anybody can cause them, and a port scan must not flood a log. The application
//!   receives every error, and can log those that it cares about.
//! * All else is at `DEBUG` if it happens at most a few times a connection, and at `TRACE` if the
//!   peer decides how often.
//!
//! Nothing secret is in a field: no keys, secrets, tickets, PSKs or their identities, and no
//! application data. What the peer may have written, such as names and the texts of errors, has no
//! character in it that could begin a line, and is recorded as a string, which subscribers quote.

use core::fmt::{self, Write as _};
use core::time::Duration;

use tracing::{Level, Span, field};

use crate::code_point::AlertDescription;
use crate::connection::notice::Notice;
use crate::error::{Error, Side};
use crate::handshake::{EarlyData, Negotiated};
use crate::identity::{ServerName, plain};

/// The target of the span and of all events, for filters.
const TARGET: &str = "fleeting";

/// How many names of a peer are recorded.
const NAMES: usize = 4;

/// How many characters of a text are recorded that the peer may have written.
const MAX_TEXT: usize = 512;

/// A connection's span.
pub(super) struct Trace {
    span: Span,
    side: Side,
}

/// Emits an event in the span. Its fields are computed only if somebody listens.
macro_rules! event {
    ($trace:expr, $level:ident, $($fields:tt)*) => {
        $trace.span.in_scope(|| tracing::event!(target: TARGET, Level::$level, $($fields)*))
    };
}

/// Emits an event for a failure of the connection: see the levels above.
macro_rules! failure {
    ($trace:expr, $($fields:tt)*) => {
        match $trace.side {
            Side::Client => event!($trace, INFO, $($fields)*),
            Side::Server => event!($trace, DEBUG, $($fields)*),
        }
    };
}

impl Trace {
    /// Begins the span, below the caller's current one. `name` is the name that a client connects
    /// to.
    pub(super) fn begin(side: Side, name: Option<&ServerName>) -> Self {
        let span = tracing::info_span!(
            target: TARGET,
            "tls",
            side = side_name(side),
            server_name = name.map(ServerName::to_string),
            peer = field::Empty,
            suite = field::Empty,
            group = field::Empty,
            alpn = field::Empty,
            resumed = field::Empty,
            duration_us = field::Empty,
        );
        let trace = Self { span, side };
        event!(trace, DEBUG, "handshake begun");
        trace
    }

    /// Returns one without a span.
    pub(super) fn none() -> Self {
        Self {
            span: Span::none(),
            side: Side::Server,
        }
    }

    pub(super) fn notice(&self, notice: Notice<'_>, in_handshake: bool) {
        match notice {
            Notice::Asked(question) => {
                event!(self, DEBUG, question = question.name(), "question asked");
            }
            Notice::Answered(question) => {
                event!(self, DEBUG, question = question.name(), "question answered");
            }
            Notice::Connected(negotiated, duration) => self.connected(negotiated, duration),
            Notice::TicketOffered => event!(self, DEBUG, "ticket offered"),
            Notice::TicketReceived => event!(self, TRACE, "ticket received"),
            Notice::TicketsIssued(count) => event!(self, DEBUG, count, "tickets issued"),
            Notice::ReplayRefused => event!(self, DEBUG, "replay refused"),
            Notice::KeyUpdateSent => event!(self, TRACE, "key update sent"),
            Notice::KeyUpdateReceived => event!(self, TRACE, "key update received"),
            Notice::AlertSent(alert) => {
                event!(self, DEBUG, alert = alert.to_string(), "alert sent");
            }
            Notice::AlertReceived(AlertDescription::USER_CANCELED) => {
                event!(self, TRACE, alert = "user_canceled", "alert received");
            }
            Notice::AlertReceived(alert) => {
                event!(self, DEBUG, alert = alert.to_string(), "alert received");
            }
            Notice::Closed => event!(self, DEBUG, "closed"),
            Notice::Failed(Error::Closed) if in_handshake => self.abandoned(),
            Notice::Failed(error) if in_handshake => failure!(
                self,
                error = text(error),
                alert = error.alert().map(|alert| alert.to_string()),
                "handshake failed"
            ),
            Notice::Failed(Error::Truncated) => failure!(self, "truncated"),
            Notice::Failed(error) if error.is_end() => {
                event!(self, DEBUG, error = text(error), "ended");
            }
            Notice::Failed(error) => failure!(
                self,
                error = text(error),
                alert = error.alert().map(|alert| alert.to_string()),
                "connection failed"
            ),
            Notice::TransportFailed(error) => {
                failure!(self, error = text(error), "transport failed");
            }
        }
    }

    /// The application gave the handshake up.
    pub(super) fn abandoned(&self) {
        event!(self, DEBUG, "handshake abandoned");
    }

    fn connected(&self, negotiated: &Negotiated, duration: Duration) {
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        if !self.span.is_disabled() {
            if self.side == Side::Server
                && let Some(name) = negotiated.server_name()
            {
                self.span.record("server_name", text(name));
            }
            if let Some(peer) = peer(negotiated) {
                self.span.record("peer", peer);
            }
            self.span
                .record("suite", negotiated.cipher_suite().to_string());
            self.span.record("group", negotiated.group().to_string());
            if let Some(alpn) = alpn(negotiated) {
                self.span.record("alpn", alpn);
            }
            self.span.record("resumed", negotiated.resumed());
            self.span.record("duration_us", duration_us);
        }
        event!(
            self,
            DEBUG,
            peer = peer(negotiated),
            suite = negotiated.cipher_suite().to_string(),
            group = negotiated.group().to_string(),
            alpn = alpn(negotiated),
            resumed = negotiated.resumed(),
            external_psk = negotiated.external_psk().is_some(),
            duration_us,
            "handshake complete"
        );
        match negotiated.early_data() {
            EarlyData::NotOffered => {}
            EarlyData::Accepted => event!(self, DEBUG, "early data accepted"),
            EarlyData::Rejected => event!(self, DEBUG, "early data rejected"),
        }
    }
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

/// Returns the names that the peer has proven, or its public key. `None` for a peer that did not
/// authenticate by a certificate or key.
fn peer(negotiated: &Negotiated) -> Option<String> {
    let peer = negotiated.peer()?;
    let names = peer.names();
    if names.is_empty() {
        let name = peer.common_name();
        return Some(name.map_or_else(|| peer.public_key().to_string(), text));
    }
    let names: Vec<_> = names.into_iter().take(NAMES).collect();
    Some(text(names.join(",")))
}

fn alpn(negotiated: &Negotiated) -> Option<String> {
    negotiated
        .alpn()
        .map(|protocol| text(protocol.escape_ascii()))
}

/// Returns a text in which each character stands for itself alone, and that is not too long.
fn text(written: impl fmt::Display) -> String {
    let mut shown = Plain {
        text: String::new(),
        left: MAX_TEXT,
    };
    // An error means that it is full.
    if write!(shown, "{written}").is_err() {
        shown.text.push_str("...");
    }
    shown.text
}

struct Plain {
    text: String,
    left: usize,
}

impl fmt::Write for Plain {
    fn write_str(&mut self, written: &str) -> fmt::Result {
        for character in written.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            if plain(character) {
                self.text.push(character);
            } else {
                self.text.extend(character.escape_unicode());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_forges_no_line() {
        assert_eq!(text("db.internal"), "db.internal");
        assert_eq!(
            text("a\nERROR b\r\u{1b}[2J\u{202e}"),
            "a\\u{a}ERROR b\\u{d}\\u{1b}[2J\\u{202e}"
        );
        assert_eq!(text("x".repeat(MAX_TEXT)), "x".repeat(MAX_TEXT));
        assert_eq!(text("x".repeat(MAX_TEXT + 1)), "x".repeat(MAX_TEXT) + "...");
    }
}
