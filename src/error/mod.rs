//! [`Error`]: one error, one alert.
//!
//! What a peer does wrong is a [`Fault`]: what was expected, what came, and the alert that answers
//! it. A fault becomes an [`Error`] where the state it was found in is known, in one place. The
//! first error of a connection sticks: every later call returns it again.

mod certificate;
mod config;
mod fault;
#[cfg(test)]
mod tests;

use core::fmt;
use std::io;
use std::sync::Arc;

pub use certificate::CertificateError;
pub use config::{ConfigError, NameError};
pub use fault::{DecodeProblem, Fault, Illegal};

use crate::code_point::AlertDescription;

/// Why a connection, or the making of one, failed.
///
/// It is `Send`, `Sync` and `Clone`, and becomes an [`io::Error`] by `From`, from which
/// `io::Error::downcast::<fleeting::Error>()` gives it back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// What the peer sent was refused, and the alert [`Fault::alert`] was sent to it.
    Protocol {
        /// The state that refused it, by its name in RFC 9846, appendix A.
        state: &'static str,
        /// What was wrong.
        fault: Fault,
    },
    /// The peer ended the connection with this alert.
    AlertReceived(AlertDescription),
    /// The transport ended without the peer's close_notify: what was read so far may not be all
    /// that was sent (RFC 9846, 6.1).
    Truncated,
    /// The handshake took longer than the configuration allows.
    HandshakeTimeout,
    /// The transport failed.
    Io(Arc<io::Error>),
    /// A configuration that cannot work.
    Config(ConfigError),
    /// A server name that is none.
    Name(NameError),
    /// The random number generator failed.
    Random,
    /// What holds our own key elsewhere ([`Signer`](crate::Signer)) failed, or its signature is not
    /// one by this key.
    Signer(Arc<dyn std::error::Error + Send + Sync>),
    /// A key reached the number of records it may protect (RFC 9846, 5.5), and could not be
    /// renewed.
    KeyLimit,
    /// Writing after `close()`.
    Closed,
    /// The application refused to answer a question of the handshake, and this alert was sent.
    Refused(AlertDescription),
    /// The handshake asks something that `connect`, `accept` and `finish` cannot hand over: the
    /// name of the [`Question`](crate::Question).
    Asked(&'static str),
    /// A call that this state of the connection does not allow, such as answering a question that
    /// was not asked.
    WrongState {
        /// The call.
        call: &'static str,
        /// The state it was made in.
        state: &'static str,
    },
}

impl Error {
    /// The alert that this error sends to the peer, if any: none answers a cut connection or an
    /// alert.
    pub fn alert(&self) -> Option<AlertDescription> {
        match self {
            Self::Protocol { fault, .. } => Some(fault.alert()),
            Self::Random | Self::Signer(_) | Self::KeyLimit => {
                Some(AlertDescription::INTERNAL_ERROR)
            }
            // RFC 9846, 6.1: cancelling for a reason of our own; the connection adds the
            // close_notify that has to follow.
            Self::HandshakeTimeout => Some(AlertDescription::USER_CANCELED),
            Self::Refused(alert) => Some(*alert),
            Self::AlertReceived(_)
            | Self::Truncated
            | Self::Io(_)
            | Self::Config(_)
            | Self::Name(_)
            | Self::Closed
            | Self::Asked(_)
            | Self::WrongState { .. } => None,
        }
    }
}

impl Fault {
    /// The connection's error; `state` is where it was. What is not the peer's doing is no
    /// [`Error::Protocol`].
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
            Self::Protocol { state, fault } => write!(
                f,
                "in {state}: {fault} (answered with the alert {})",
                fault.alert()
            ),
            Self::AlertReceived(alert) => match alert_hint(*alert) {
                Some(hint) => write!(
                    f,
                    "the peer ended the connection with the alert {alert}: {hint}"
                ),
                None => write!(f, "the peer ended the connection with the alert {alert}"),
            },
            Self::Truncated => f.write_str(
                "the connection was cut before the peer's close_notify: what was read may be \
                 incomplete; the peer crashed, was cut off, or closes without saying so, or this \
                 side shut the transport down: connect again to ask anew",
            ),
            Self::HandshakeTimeout => f.write_str(
                "the handshake took longer than handshake_timeout allows: the peer is slow, or \
                 speaks another protocol, or our own answer to a question took too long",
            ),
            Self::Io(error) => write!(f, "the transport failed: {error}"),
            Self::Config(error) => write!(f, "configuration: {error}"),
            Self::Name(error) => write!(f, "server name: {error}"),
            Self::Random => f.write_str("the system's random number generator failed"),
            Self::Signer(reason) => write!(
                f,
                "our own key, which is held elsewhere, did not sign: {reason}; look after what \
                 holds it, and at which key it has, and connect again"
            ),
            Self::KeyLimit => f.write_str(
                "a key has protected as many records as it may, and could not be renewed: open a \
                 new connection",
            ),
            Self::Closed => f.write_str("written after close(): nothing can follow a close_notify"),
            Self::Refused(alert) => write!(
                f,
                "the application refused the handshake, with the alert {alert}"
            ),
            Self::Asked(question) => {
                write!(
                    f,
                    "the handshake asks a question ({question}) that connect, accept and finish do \
                     not hand over: use start() and advance()"
                )
            }
            Self::WrongState { call, state } => write!(
                f,
                "{call} cannot be called now: the connection is in {state}"
            ),
        }
    }
}

/// What the receiver of an alert can do about it.
fn alert_hint(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::HANDSHAKE_FAILURE => {
            "it has no cipher suite, group or signature scheme in common with us; fleeting \
             authenticates by Ed25519 alone"
        }
        AlertDescription::UNKNOWN_CA => {
            "it does not trust the issuer of our certificate; give it the root, or send the chain \
             that leads there; or, where it knows keys, ours is not among them"
        }
        AlertDescription::BAD_CERTIFICATE
        | AlertDescription::UNSUPPORTED_CERTIFICATE
        | AlertDescription::CERTIFICATE_UNKNOWN => {
            "it refused our certificate; look at its names, its purpose (extended key usage) and \
             its log"
        }
        AlertDescription::CERTIFICATE_EXPIRED => {
            "our certificate is out of date for it; renew it, or set its clock"
        }
        AlertDescription::CERTIFICATE_REQUIRED => {
            "it wants a client certificate; configure an identity that it trusts: from one of its \
             authorities, or with a key that it knows"
        }
        AlertDescription::CLOSE_NOTIFY => {
            "it gave up before the handshake was over, as after a time-out"
        }
        AlertDescription::DECRYPT_ERROR => {
            "a signature or a Finished of ours is wrong for it; or, with an external PSK, it has \
             another secret, or does not know the identity and names"
        }
        AlertDescription::MISSING_EXTENSION => {
            "it wants more than we offer: a client that has an external PSK alone is told so by a \
             server that has a certificate and does not know the PSK"
        }
        AlertDescription::INTERNAL_ERROR => {
            "something failed on its side, for no fault of ours: its log says what"
        }
        AlertDescription::PROTOCOL_VERSION => "it does not speak TLS 1.3",
        AlertDescription::NO_APPLICATION_PROTOCOL => {
            "it serves none of the ALPN protocols we offered"
        }
        AlertDescription::UNRECOGNIZED_NAME => "it does not serve the name we asked for",
        AlertDescription::ACCESS_DENIED => "it knows who we are and does not let us in",
        _ => return None,
    })
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Protocol { fault, .. } => Some(fault),
            Self::Io(error) => Some(error),
            Self::Config(error) => Some(error),
            Self::Name(error) => Some(error),
            Self::Signer(reason) => Some(&**reason),
            Self::AlertReceived(_)
            | Self::Truncated
            | Self::HandshakeTimeout
            | Self::Random
            | Self::KeyLimit
            | Self::Closed
            | Self::Refused(_)
            | Self::Asked(_)
            | Self::WrongState { .. } => None,
        }
    }
}

impl From<io::Error> for Error {
    /// A transport's error; an `Error` that travelled inside an [`io::Error`] comes out again.
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
            Error::Protocol { .. } | Error::AlertReceived(_) => io::ErrorKind::InvalidData,
            Error::Truncated => io::ErrorKind::UnexpectedEof,
            Error::HandshakeTimeout => io::ErrorKind::TimedOut,
            Error::Io(error) => error.kind(),
            Error::Config(_) | Error::Name(_) | Error::Asked(_) | Error::WrongState { .. } => {
                io::ErrorKind::InvalidInput
            }
            Error::Random | Error::Signer(_) | Error::KeyLimit => io::ErrorKind::Other,
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
