//! [`Error`]: one error, one alert.
//!
//! What a peer does wrong is a [`Fault`]: what was expected, what came, and the alert that answers
//! it. A fault becomes an [`Error`] in one place, where the state it was found in is known. The
//! first error of a connection sticks: every later call returns it again.

mod certificate;
mod class;
mod config;
mod fault;
mod illegal;
mod list;
mod received;
#[cfg(test)]
mod tests;
mod time_limit;

use core::fmt;
use std::io;
use std::sync::Arc;

pub use certificate::CertificateError;
pub use config::{ConfigError, NameError};
pub use fault::{DecodeProblem, Fault};
pub use illegal::Illegal;
pub(crate) use list::shown;
pub use received::{Offer, Said, Side};
pub use time_limit::TimeLimit;

use crate::code_point::AlertDescription;
use class::{Class, class_of_received};
use received::Received;

/// Why a connection, or an attempt to configure or open one, failed.
///
/// It is `Send`, `Sync` and `Clone`. It converts into an [`io::Error`] by `From`;
/// `io::Error::downcast::<fleeting::Error>()` gives it back.
#[doc = include_str!("faults.md")]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// What the peer sent was refused, or processing it failed on this side ([`Fault::Internal`]).
    /// The alert [`Fault::alert`] was sent to the peer.
    Protocol {
        /// The state that refused it, by its name in RFC 9846, appendix A.
        state: &'static str,
        /// What was wrong.
        fault: Fault,
    },
    /// The peer ended the connection with an alert.
    AlertReceived {
        /// The alert.
        alert: AlertDescription,
        /// The peer.
        from: Side,
        /// What this side had said, which the alert may answer.
        said: Said,
    },
    /// The transport ended without the peer's close_notify: what was read so far may be incomplete
    /// (RFC 9846, 6.1).
    Truncated,
    /// A client connected to this server and closed or reset the connection without sending a byte,
    /// as health checks of load balancers and port scans do. It is rarely worth a line in a log.
    NothingReceived,
    /// The handshake took longer than the configuration allows.
    HandshakeTimeout,
    /// The transport failed.
    Io(Arc<io::Error>),
    /// A configuration is not valid.
    Config(ConfigError),
    /// A server name is not valid.
    Name(NameError),
    /// The random number generator failed.
    Random,
    /// The holder of this side's private key ([`Signer`](crate::Signer)) failed, or returned a
    /// signature that is not made with this key.
    Signer(Arc<dyn std::error::Error + Send + Sync>),
    /// A key reached the number of records it may protect (RFC 9846, 5.5) and could not be renewed.
    KeyLimit,
    /// The connection reached a limit of time and was closed.
    Expired {
        /// The limit.
        limit: TimeLimit,
    },
    /// The application ended the connection from outside
    /// ([`RunningConnection::end`](crate::RunningConnection::end)).
    Ended,
    /// Data was to be sent after `close()`, or `close()` canceled the handshake.
    Closed,
    /// The application refused to answer a question of the handshake, and this alert was sent to
    /// the peer.
    Refused(AlertDescription),
    /// The handshake asks a question that `connect`, `accept` and `finish` cannot hand over: the
    /// name of the [`Question`](crate::Question).
    Asked(&'static str),
    /// A call is not allowed in this state of the connection, such as an answer to a question that
    /// was not asked.
    WrongState {
        /// The call.
        call: &'static str,
        /// The state it was made in.
        state: &'static str,
    },
}

impl Error {
    /// Returns the alert that this error sends to the peer, if any. A cut connection and a received
    /// alert are not answered.
    pub fn alert(&self) -> Option<AlertDescription> {
        match self {
            Self::Protocol { fault, .. } => Some(fault.alert()),
            Self::Random | Self::Signer(_) | Self::KeyLimit => {
                Some(AlertDescription::INTERNAL_ERROR)
            }
            // RFC 9846, 6.1: this side cancels for a reason of its own. The connection adds the
            // close_notify that has to follow.
            Self::HandshakeTimeout => Some(AlertDescription::USER_CANCELED),
            // RFC 9846, 6.1: nothing was wrong.
            Self::Expired { .. } | Self::Ended => Some(AlertDescription::CLOSE_NOTIFY),
            Self::Refused(alert) => Some(*alert),
            Self::AlertReceived { .. }
            | Self::Truncated
            | Self::NothingReceived
            | Self::Io(_)
            | Self::Config(_)
            | Self::Name(_)
            | Self::Closed
            | Self::Asked(_)
            | Self::WrongState { .. } => None,
        }
    }
}

/// What a program decides by. Each error is in at most one of these classes. A mistake in a call, a
/// defect of this library, a generator that failed, and what the application itself refused are in
/// none.
impl Error {
    /// Returns true if the same attempt may succeed later, without any change: a time-out, a
    /// transport that failed or was cut, records that were changed on the way, a peer that failed
    /// for a reason of its own, a key's holder that did not sign, or a key that reached its limit.
    ///
    /// It says nothing about data: what was sent before the error may have been processed. Whether
    /// a request may be sent again is for the application to decide. A server has nothing to try
    /// again, but its client may.
    pub fn is_retryable(&self) -> bool {
        self.class() == Class::Retry
    }

    /// Returns true if a setting has to change, here or at the peer, because the two sides have
    /// something that TLS needs not in common, or because a setting is not valid. Trying again
    /// without that fails in the same way.
    pub fn is_configuration(&self) -> bool {
        self.class() == Class::Configuration
    }

    /// Returns true if one side did not accept who the other is: a certificate, a key, a PSK, or an
    /// `authorize` hook that said no. Trying again fails in the same way until somebody renews,
    /// trusts or authorizes. It can also be an attack.
    pub fn is_authentication(&self) -> bool {
        self.class() == Class::Authentication
    }

    /// Returns true if the peer broke the protocol: it has a defect, it does not speak TLS, or
    /// somebody changes the traffic.
    pub fn is_peer_fault(&self) -> bool {
        self.class() == Class::PeerFault
    }

    /// Returns true for an end that is nobody's fault: what was received before it can still be
    /// read.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Self::Expired { .. } | Self::Ended)
    }

    fn class(&self) -> Class {
        match self {
            Self::Protocol { fault, .. } => fault.class(),
            Self::AlertReceived { alert, said, .. } => class_of_received(*alert, said),
            Self::Truncated
            | Self::NothingReceived
            | Self::HandshakeTimeout
            | Self::Io(_)
            | Self::Signer(_)
            | Self::KeyLimit
            | Self::Expired { .. } => Class::Retry,
            Self::Config(_) | Self::Name(_) => Class::Configuration,
            Self::Random
            | Self::Ended
            | Self::Closed
            | Self::Refused(_)
            | Self::Asked(_)
            | Self::WrongState { .. } => Class::Other,
        }
    }
}

impl Fault {
    /// Converts the fault into the connection's error; `state` is the state it was found in.
    /// [`Fault::Random`] and [`Fault::Signer`] have an error of their own, every other fault
    /// becomes [`Error::Protocol`].
    pub(crate) fn in_state(self, state: &'static str) -> Error {
        match self {
            Self::Random => Error::Random,
            Self::Signer(reason) => Error::Signer(reason),
            fault => Error::Protocol { state, fault },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol { state, fault } => {
                write!(f, "{fault}")?;
                if let Some(advice) = fault.advice() {
                    write!(f, "; {advice}")?;
                }
                write!(
                    f,
                    " (ended by this side, state: {state}, alert sent: {})",
                    fault.alert()
                )
            }
            Self::AlertReceived { alert, from, said } => Received {
                alert: *alert,
                from: *from,
                said,
            }
            .fmt(f),
            Self::Truncated => f.write_str(
                "the transport ended before the peer sent close_notify, so what was read may be \
                 incomplete: the peer crashed, was cut off or closes without close_notify, or this \
                 side shut the transport down; connect and ask again",
            ),
            Self::NothingReceived => f.write_str(
                "the client closed the connection without sending anything, as health checks and \
                 port scans do",
            ),
            Self::HandshakeTimeout => f.write_str(
                "the handshake took longer than handshake_timeout allows: the peer is slow or \
                 speaks another protocol, or the answer of this side to a question took too long",
            ),
            Self::Io(error) => write!(f, "the transport failed: {error}"),
            Self::Config(error) => write!(f, "invalid configuration: {error}"),
            Self::Name(error) => write!(f, "invalid server name: {error}"),
            Self::Random => f.write_str(
                "the system's random number generator failed: check that this process may use it",
            ),
            Self::Signer(reason) => write!(
                f,
                "the private key of this side is held elsewhere, and its holder did not sign: \
                 {reason}; check that the holder works and has the right key, and connect again"
            ),
            Self::KeyLimit => f.write_str(
                "a key has protected as many records as it may and could not be renewed: open a \
                 new connection",
            ),
            Self::Expired { limit } => write!(
                f,
                "the connection reached the limit that {limit} sets, and this side closed it: \
                 open a new connection"
            ),
            Self::Ended => f.write_str(
                "this application ended the connection through its list of running connections",
            ),
            Self::Closed => f.write_str(
                "this side called close(), so nothing more can be sent: open a new connection",
            ),
            Self::Refused(alert) => {
                write!(
                    f,
                    "this application refused the handshake (alert sent: {alert})"
                )
            }
            Self::Asked(question) => write!(
                f,
                "the handshake asks a question ({question}) that connect, accept and finish cannot \
                 hand over: use start() and advance() instead"
            ),
            Self::WrongState { call, state } => write!(
                f,
                "{call} cannot be called now: complete the handshake before data is sent, and \
                 answer only what was asked (state: {state})"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Protocol { fault, .. } => Some(fault),
            Self::Io(error) => Some(error),
            Self::Config(error) => Some(error),
            Self::Name(error) => Some(error),
            Self::Signer(reason) => Some(&**reason),
            Self::AlertReceived { .. }
            | Self::Truncated
            | Self::NothingReceived
            | Self::HandshakeTimeout
            | Self::Random
            | Self::KeyLimit
            | Self::Expired { .. }
            | Self::Ended
            | Self::Closed
            | Self::Refused(_)
            | Self::Asked(_)
            | Self::WrongState { .. } => None,
        }
    }
}

impl From<io::Error> for Error {
    /// Converts an error of the transport. An `Error` that was converted into an [`io::Error`] is
    /// given back.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(inner) => inner,
            Err(error) => Self::Io(Arc::new(error)),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Protocol { .. } | Error::AlertReceived { .. } => io::ErrorKind::InvalidData,
            Error::Truncated | Error::NothingReceived => io::ErrorKind::UnexpectedEof,
            Error::HandshakeTimeout => io::ErrorKind::TimedOut,
            Error::Io(error) => error.kind(),
            Error::Config(_) | Error::Name(_) | Error::Asked(_) | Error::WrongState { .. } => {
                io::ErrorKind::InvalidInput
            }
            Error::Random | Error::Signer(_) | Error::KeyLimit => io::ErrorKind::Other,
            Error::Expired { .. } | Error::Ended => io::ErrorKind::ConnectionAborted,
            Error::Closed => io::ErrorKind::BrokenPipe,
            Error::Refused(_) => io::ErrorKind::PermissionDenied,
        };
        Self::new(kind, error)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}
