//! [`Machine`]: the state machine that a connection runs, and its state.

use crate::client;
use crate::code_point::HandshakeType;
use crate::error::{Fault, Said, Side};
use crate::handshake::{Answer, Context, Question, Step};
use crate::message::{ExtendedKeyUpdate, NewSessionTicket};
use crate::record::MessageHeader;
use crate::server::{self, ClientHello, Server};
use crate::session::ReplayEntry;

/// The state machine of a connection, and its state.
pub(crate) enum Machine {
    Client(client::State),
    Server(server::State),
    /// Waits for the application's answer.
    ClientAsking(client::Suspended),
    ServerAsking(server::Suspended),
    /// A step consumed the state and failed; the connection has failed too.
    Failed,
}

impl Machine {
    pub(crate) fn state_name(&self) -> &'static str {
        match self {
            Self::Client(state) => state.name(),
            Self::Server(state) => state.name(),
            Self::ClientAsking(suspended) => suspended.name(),
            Self::ServerAsking(suspended) => suspended.name(),
            Self::Failed => "failed",
        }
    }

    /// Returns who the peer is, while something is read from it.
    pub(crate) fn peer(&self) -> Side {
        match self {
            Self::Client(_) | Self::ClientAsking(_) => Side::Server,
            Self::Server(_) | Self::ServerAsking(_) | Self::Failed => Side::Client,
        }
    }

    /// Returns what this side has said, for the text of an alert that the peer sends now.
    pub(crate) fn said(&self) -> Said {
        match self {
            Self::Client(state) => state.said(),
            Self::Server(state) => state.said(),
            // Nothing is read meanwhile, and nothing any more.
            Self::ClientAsking(_) | Self::ServerAsking(_) | Self::Failed => Said::Nothing,
        }
    }

    /// Returns what the application is asked.
    pub(crate) fn question(&self) -> Option<Question> {
        match self {
            Self::ClientAsking(suspended) => Some(suspended.question()),
            Self::ServerAsking(suspended) => Some(suspended.question()),
            Self::Client(_) | Self::Server(_) | Self::Failed => None,
        }
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        match self {
            Self::Client(state) => !matches!(state, client::State::Connected(_)),
            Self::Server(state) => !matches!(state, server::State::Connected(_)),
            Self::ClientAsking(_) | Self::ServerAsking(_) => true,
            Self::Failed => false,
        }
    }

    /// Returns true if the message need not be read: a client may ignore tickets (RFC 9846, 4.7.1).
    pub(crate) fn may_skip(&self, header: MessageHeader) -> bool {
        matches!(self, Self::Client(client::State::Connected(_)))
            && header.message_type == HandshakeType::NEW_SESSION_TICKET
            && header.length <= NewSessionTicket::MAX_LEN
    }

    /// Returns true if keys are renewed by extended key updates.
    fn is_extended(&self) -> bool {
        let key_updates = match self {
            Self::Client(client::State::Connected(state)) => &state.key_updates,
            Self::Server(server::State::Connected(state)) => &state.key_updates,
            _ => return false,
        };
        key_updates.extended.is_some()
    }

    pub(crate) fn client_hello(&self) -> Option<&ClientHello> {
        match self {
            Self::ServerAsking(server::Suspended::Configuration(suspended)) => {
                Some(&suspended.offered)
            }
            _ => None,
        }
    }

    pub(crate) fn replay_entry(&self) -> Option<ReplayEntry> {
        match self {
            Self::ServerAsking(server::Suspended::Replay(suspended)) => Some(suspended.entry()),
            _ => None,
        }
    }

    pub(crate) fn to_sign(&self) -> Option<&[u8]> {
        match self {
            Self::ServerAsking(server::Suspended::Signature(suspended)) => {
                Some(suspended.to_sign())
            }
            Self::ClientAsking(client::Suspended::Signature(suspended)) => {
                Some(suspended.to_sign())
            }
            _ => None,
        }
    }

    /// Continues with the chosen configuration. Returns the machine as it was if no configuration
    /// was asked for.
    pub(crate) fn choose(
        self,
        server: &Server,
        cx: &mut Context<'_>,
    ) -> Result<Result<Self, Fault>, Self> {
        match self {
            Self::ServerAsking(suspended) => match suspended.choose(server, cx) {
                Ok(result) => Ok(result.map(Self::from)),
                Err(suspended) => Err(Self::ServerAsking(suspended)),
            },
            other => Err(other),
        }
    }

    /// Continues with the application's answer. Returns the machine as it was if the answer does
    /// not fit the question.
    pub(crate) fn answer(
        self,
        answer: Answer,
        cx: &mut Context<'_>,
    ) -> Result<Result<Self, Fault>, Self> {
        match self {
            Self::ServerAsking(suspended) => match suspended.answer(answer, cx) {
                Ok(result) => Ok(result.map(Self::from)),
                Err(suspended) => Err(Self::ServerAsking(suspended)),
            },
            Self::ClientAsking(suspended) => match suspended.answer(answer, cx) {
                Ok(result) => Ok(result.map(Self::Client)),
                Err(suspended) => Err(Self::ClientAsking(suspended)),
            },
            other => Err(other),
        }
    }

    /// Completes the fault of a message of unknown type, which is as unexpected as any other that
    /// the state does not accept: the state names what it waits for. An ExtendedKeyUpdate is of
    /// unknown type where it was not agreed on, whatever is in it.
    pub(crate) fn expecting(&self, fault: Fault) -> Fault {
        let fault = match fault {
            Fault::Decode {
                message: ExtendedKeyUpdate::NAME,
                ..
            } if !self.is_extended() => Fault::Unexpected {
                expected: "",
                got: ExtendedKeyUpdate::NAME,
            },
            fault => fault,
        };
        match (self, fault) {
            (Self::Client(state), Fault::Unexpected { got, .. }) => Fault::Unexpected {
                expected: state.expects(),
                got,
            },
            (Self::Server(state), Fault::Unexpected { got, .. }) => Fault::Unexpected {
                expected: state.expects(),
                got,
            },
            (_, fault) => fault,
        }
    }
}

impl From<Step<client::State, client::Suspended>> for Machine {
    fn from(step: Step<client::State, client::Suspended>) -> Self {
        match step {
            Step::Next(state) => Self::Client(state),
            Step::Ask(suspended) => Self::ClientAsking(suspended),
        }
    }
}

impl From<Step<server::State, server::Suspended>> for Machine {
    fn from(step: Step<server::State, server::Suspended>) -> Self {
        match step {
            Step::Next(state) => Self::Server(state),
            Step::Ask(suspended) => Self::ServerAsking(suspended),
        }
    }
}
