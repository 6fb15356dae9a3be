//! The server's half of the handshake (RFC 9846, A.2).
//!
//! ```text
//!                              START <-----+
//!               Recv ClientHello |         | Send HelloRetryRequest, once    retry.rs
//!                                v         |
//!                            RECVD_CH -----+
//!                                | ──> Ask: which configuration?
//!                                | Select parameters              negotiation.rs, psk.rs,
//!                                | ──> Ask: seen before?          ticket.rs, early_data.rs
//!                                v
//!                            NEGOTIATED
//!                                | Send ServerHello               key_exchange.rs
//!                                | K_send = handshake
//!                                | Send EncryptedExtensions       server_parameters.rs
//!                                | [Send CertificateRequest]
//!                                | [Send Certificate              authentication.rs
//!                                |  ──> Ask: a signature?
//!                                |  + CertificateVerify]
//!                                | Send Finished
//!                                | K_send = application
//!                   +------------+------------+
//!                   | K_recv = handshake      | K_recv = early data
//!                   |                         v
//!                   |                     WAIT_EOED               client_flight.rs
//!                   |                         | Recv EndOfEarlyData
//!                   |                         | K_recv = handshake
//!                   +------------+------------+
//!                                v
//!                          WAIT_FLIGHT2
//!                       No auth  |  Cert-based client auth
//!                   +------------+------------+
//!                   |                         v
//!                   |                     WAIT_CERT               client_flight.rs
//!                   |              Recv empty |   | Recv Certificate
//!                   |              Certificate|   v
//!                   |                         | WAIT_CV           client_flight.rs
//!                   v                         v   v
//!                          WAIT_FINISHED <--------+               client_flight.rs
//!                                | Recv Finished
//!                                | K_recv = application
//!                                | [Send NewSessionTicket]        ticket.rs
//!                                v
//!                            CONNECTED                            post_handshake.rs
//! ```
//!
//! NEGOTIATED and WAIT_FLIGHT2 are passed within one step: no message is received in them.

pub(crate) mod authentication;
pub(crate) mod client_flight;
pub(crate) mod client_hello;
pub(crate) mod config;
pub(crate) mod early_data;
pub(crate) mod ends;
pub(crate) mod key_exchange;
#[cfg(feature = "key-log")]
mod key_log;
pub(crate) mod live;
pub(crate) mod negotiation;
pub(crate) mod parameters;
pub(crate) mod post_handshake;
pub(crate) mod psk;
pub(crate) mod retry;
pub(crate) mod server_parameters;
pub(crate) mod ticket;

use crate::error::{Fault, Said};
use crate::handshake::{Answer, Context, Negotiated, Proof, Question, Step, Wire};
use crate::message::Message;
use crate::server::authentication::{Flight, Flight2, Unsigned};
use crate::server::client_flight::{
    AfterCertificate, WaitCertificate, WaitCertificateVerify, WaitEndOfEarlyData, WaitFinished,
};
use crate::server::key_exchange::{Answered, Unchecked};
use crate::server::negotiation::{ReceivedClientHello, Reply, Start};
use crate::server::post_handshake::Connected;
use crate::server::retry::StartRetried;

pub use client_hello::ClientHello;
pub use config::{ClientAuth, Server, ServerBuilder};
pub use live::LiveServer;

/// A state of RFC 9846, A.2. Each variant holds exactly what that state knows.
///
/// All but the first and the last are boxed. So the state of an established connection is small,
/// and moving it copies only what is in use. Moving a large enum also copies its unused space, and
/// whatever was on the stack there, including keys, would live as long as the connection.
pub(crate) enum State {
    Start(Start),
    StartRetried(Box<StartRetried>),
    WaitEndOfEarlyData(Box<WaitEndOfEarlyData>),
    WaitCertificate(Box<WaitCertificate>),
    WaitCertificateVerify(Box<WaitCertificateVerify>),
    WaitFinished(Box<WaitFinished>),
    Connected(Connected),
}

/// A state that waits for the application's answer.
pub(crate) enum Suspended {
    Configuration(Box<ReceivedClientHello>),
    Replay(Box<Unchecked>),
    Signature(Box<Unsigned>),
}

/// START: waits for a ClientHello. Without a configuration, the ClientHello then leads to the
/// question for one.
pub(crate) fn start(server: Option<Server>) -> State {
    State::Start(Start { server })
}

/// The table of legal messages. Any pair that is not in it is answered with unexpected_message.
pub(crate) fn step(
    state: State,
    message: Message<'_>,
    wire: Wire<'_>,
    cx: &mut Context<'_>,
) -> Result<Step<State, Suspended>, Fault> {
    use State::*;
    Ok(Step::Next(match (state, message) {
        (Start(s), Message::ClientHello(m)) => return Ok(s.on_client_hello(&m, wire, cx)?.into()),
        (StartRetried(s), Message::ClientHello(m)) => {
            return Ok(s.on_client_hello(&m, wire, cx)?.into());
        }
        (WaitEndOfEarlyData(s), Message::EndOfEarlyData(_)) => {
            WaitFinished(Box::new(s.on_end_of_early_data(wire, cx)?))
        }
        (WaitCertificate(s), Message::Certificate(m)) => s.on_certificate(&m, &wire, cx)?.into(),
        (WaitCertificateVerify(s), Message::CertificateVerify(m)) => {
            WaitFinished(Box::new(s.on_certificate_verify(&m, &wire)?))
        }
        (WaitFinished(s), Message::Finished(m)) => Connected(s.on_finished(&m, wire, cx)?),
        (Connected(s), Message::KeyUpdate(m)) => {
            s.key_updates.on_key_update(&m, wire, cx)?;
            Connected(s)
        }
        (Connected(s), Message::ExtendedKeyUpdate(m)) => {
            s.key_updates.on_extended_key_update(&m, wire, cx)?;
            Connected(s)
        }
        (state, message) => {
            return Err(Fault::Unexpected {
                expected: state.expects(),
                got: message.name(),
            });
        }
    }))
}

impl Suspended {
    /// Returns the question to the application.
    pub(crate) fn question(&self) -> Question {
        match self {
            Self::Configuration(_) => Question::Configuration,
            Self::Replay(_) => Question::Replay,
            Self::Signature(_) => Question::Signature,
        }
    }

    /// Returns the state's name in RFC 9846, A.2.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Configuration(_) | Self::Replay(_) => "RECVD_CH",
            Self::Signature(_) => "NEGOTIATED",
        }
    }

    /// Continues with the chosen configuration. Returns `self` if none was asked for.
    pub(crate) fn choose(
        self,
        server: &Server,
        cx: &mut Context<'_>,
    ) -> Result<Result<Step<State, Self>, Fault>, Self> {
        match self {
            Self::Configuration(s) => Ok(s.choose(server, cx).map(Step::from)),
            other => Err(other),
        }
    }

    /// Continues with the answer. Returns `self` if it does not answer this question.
    pub(crate) fn answer(
        self,
        answer: Answer,
        cx: &mut Context<'_>,
    ) -> Result<Result<Step<State, Self>, Fault>, Self> {
        match (self, answer) {
            (Self::Replay(s), Answer::Replay(verdict)) => {
                Ok(s.checked(verdict, cx).map(Step::from))
            }
            (Self::Signature(s), Answer::Signature(signature)) => Ok(s
                .signed(&signature, cx)
                .map(|flight2| Step::Next(flight2.into()))),
            (other, _) => Err(other),
        }
    }
}

impl From<Reply> for Step<State, Suspended> {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Undecided(s) => Self::Ask(Suspended::Configuration(s)),
            Reply::Retry(s) => Self::Next(State::StartRetried(Box::new(s))),
            Reply::Answered(answered) => answered.into(),
        }
    }
}

impl From<Answered> for Step<State, Suspended> {
    fn from(answered: Answered) -> Self {
        match answered {
            Answered::Unchecked(s) => Self::Ask(Suspended::Replay(s)),
            Answered::Flight(flight) => flight.into(),
        }
    }
}

impl From<Flight> for Step<State, Suspended> {
    fn from(flight: Flight) -> Self {
        match flight {
            Flight::Sent(flight2) => Self::Next(flight2.into()),
            Flight::Unsigned(s) => Self::Ask(Suspended::Signature(s)),
        }
    }
}

impl From<Flight2> for State {
    fn from(flight2: Flight2) -> Self {
        match flight2 {
            Flight2::EndOfEarlyData(s) => Self::WaitEndOfEarlyData(Box::new(s)),
            Flight2::Certificate(s) => Self::WaitCertificate(Box::new(s)),
            Flight2::Finished(s) => Self::WaitFinished(Box::new(s)),
        }
    }
}

impl From<AfterCertificate> for State {
    fn from(after: AfterCertificate) -> Self {
        match after {
            AfterCertificate::Verify(s) => Self::WaitCertificateVerify(Box::new(s)),
            AfterCertificate::Finished(s) => Self::WaitFinished(Box::new(s)),
        }
    }
}

impl State {
    /// Returns what is known of the handshake while its early data is read.
    pub(crate) fn early_negotiated(&self) -> Option<Negotiated> {
        match self {
            Self::WaitEndOfEarlyData(s) => s.next.early_negotiated(),
            Self::WaitFinished(s) => s.early_negotiated(),
            _ => None,
        }
    }

    /// Returns true if early data is accepted and our Finished is sent, but the end of early data
    /// or the client's Finished has not arrived.
    pub(crate) fn accepted_early_data(&self) -> bool {
        match self {
            Self::WaitEndOfEarlyData(_) => true,
            Self::WaitFinished(s) => s.accepted_early_data(),
            _ => false,
        }
    }

    /// Returns the state's name in RFC 9846, A.2.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Start(_) | Self::StartRetried(_) => "START",
            Self::WaitEndOfEarlyData(_) => "WAIT_EOED",
            Self::WaitCertificate(_) => "WAIT_CERT",
            Self::WaitCertificateVerify(_) => "WAIT_CV",
            Self::WaitFinished(_) => "WAIT_FINISHED",
            Self::Connected(_) => "CONNECTED",
        }
    }

    /// Returns what this server has said, which an alert may answer.
    pub(crate) fn said(&self) -> Said {
        let parameters = match self {
            Self::WaitCertificate(s) => &s.parameters,
            Self::WaitCertificateVerify(s) => &s.known.parameters,
            Self::WaitFinished(s) if !matches!(s.client, Proof::Psk(_)) => &s.known.parameters,
            // Under a PSK no certificate was sent.
            Self::WaitFinished(_)
            | Self::WaitEndOfEarlyData(_)
            | Self::Start(_)
            | Self::StartRetried(_)
            | Self::Connected(_) => return Said::Nothing,
        };
        match &parameters.identity {
            Some(identity) => Said::clone(identity.said()),
            None => Said::Nothing,
        }
    }

    /// Returns the messages that the table accepts in this state, for the text of an error.
    pub(crate) fn expects(&self) -> &'static str {
        match self {
            Self::Start(_) | Self::StartRetried(_) => "ClientHello",
            Self::WaitEndOfEarlyData(_) => "EndOfEarlyData",
            Self::WaitCertificate(_) => "Certificate",
            Self::WaitCertificateVerify(_) => "CertificateVerify",
            Self::WaitFinished(_) => "Finished",
            Self::Connected(s) => s.key_updates.expects(),
        }
    }
}
