//! The server's half of the handshake (RFC 9846, A.2).
//!
//! ```text
//!                              START <-----+
//!               Recv ClientHello |         | Send HelloRetryRequest, once    retry.rs
//!                                v         |
//!                            RECVD_CH -----+
//!                                | ──> Ask: which configuration?
//!                                | Select parameters              key_exchange.rs, ticket.rs
//!                                v
//!                            NEGOTIATED
//!                                | Send ServerHello               key_exchange.rs
//!                                | K_send = handshake
//!                                | Send EncryptedExtensions       server_parameters.rs
//!                                | [Send CertificateRequest]
//!                                | [Send Certificate + CertificateVerify]   authentication.rs
//!                                | Send Finished
//!                                | K_send = application
//!                                | K_recv = handshake
//!                                v
//!                          WAIT_FLIGHT2
//!                       No auth  |  Cert-based client auth
//!                   +------------+------------+
//!                   |                         v
//!                   |                     WAIT_CERT               authentication.rs
//!                   |              Recv empty |   | Recv Certificate
//!                   |              Certificate|   v
//!                   |                         | WAIT_CV           authentication.rs
//!                   v                         v   v
//!                          WAIT_FINISHED <--------+               authentication.rs
//!                                | Recv Finished
//!                                | K_recv = application
//!                                | [Send NewSessionTicket]        ticket.rs
//!                                v
//!                            CONNECTED                            post_handshake.rs
//! ```
//!
//! NEGOTIATED and WAIT_FLIGHT2 are passed through within one step: nothing is received in them.

pub(crate) mod authentication;
pub(crate) mod client_hello;
pub(crate) mod config;
pub(crate) mod key_exchange;
pub(crate) mod live;
pub(crate) mod post_handshake;
pub(crate) mod retry;
pub(crate) mod server_parameters;
pub(crate) mod ticket;

use crate::error::Fault;
use crate::handshake::{Context, Question, Step, Wire};
use crate::message::Message;
use crate::server::authentication::{AfterCertificate, Flight2, WaitCertificate, WaitCertificateVerify, WaitFinished};
use crate::server::key_exchange::{AfterClientHello, Answer, Start};
use crate::server::post_handshake::Connected;
use crate::server::retry::StartRetried;

pub use client_hello::ClientHello;
pub use config::{ClientAuth, Server, ServerBuilder};
pub(crate) use key_exchange::ReceivedClientHello;
pub use live::LiveServer;

/// A state of RFC 9846, A.2; each holds exactly what it knows.
///
/// Boxed, but for the last: a connection that is connected is small then, and moving it moves nothing but what is in use. The unused room of a large
/// enum is moved with it, and whatever stood there on the stack, keys too, would live as long as the connection.
pub(crate) enum State {
    Start(Start),
    StartRetried(Box<StartRetried>),
    WaitCertificate(Box<WaitCertificate>),
    WaitCertificateVerify(Box<WaitCertificateVerify>),
    WaitFinished(Box<WaitFinished>),
    Connected(Connected),
}

/// START: waits for a ClientHello. Without a configuration it asks for one then.
pub(crate) fn start(server: Option<Server>) -> State {
    State::Start(Start { server })
}

/// What is legal: any pair not in this table is unexpected_message.
pub(crate) fn step(
    state: State,
    message: Message<'_>,
    wire: Wire<'_>,
    cx: &mut Context<'_>,
) -> Result<Step<State, ReceivedClientHello>, Fault> {
    use State::*;
    Ok(match (state, message) {
        (Start(s), Message::ClientHello(m)) => match s.on_client_hello(&m, wire, cx)? {
            AfterClientHello::Answered(answer) => Step::Next(answer.into()),
            AfterClientHello::Undecided(suspended) => Step::Ask(Question::Configuration, suspended),
        },
        (StartRetried(s), Message::ClientHello(m)) => Step::Next(s.on_client_hello(&m, wire, cx)?.into()),
        (WaitCertificate(s), Message::Certificate(m)) => Step::Next(s.on_certificate(&m, &wire, cx)?.into()),
        (WaitCertificateVerify(s), Message::CertificateVerify(m)) => {
            Step::Next(WaitFinished(Box::new(s.on_certificate_verify(&m, &wire)?)))
        }
        (WaitFinished(s), Message::Finished(m)) => Step::Next(Connected(s.on_finished(&m, wire, cx)?)),
        (Connected(s), Message::KeyUpdate(m)) => Step::Next(Connected(s.on_key_update(&m, wire, cx)?)),
        (state, message) => return Err(Fault::Unexpected { expected: state.expects(), got: message.name() }),
    })
}

/// Answers [`Question::Configuration`].
pub(crate) fn choose(suspended: ReceivedClientHello, server: &Server, cx: &mut Context<'_>) -> Result<State, Fault> {
    Ok(suspended.choose(server, cx)?.into())
}

impl From<Answer> for State {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Flight(flight2) => flight2.into(),
            Answer::Retry(s) => Self::StartRetried(Box::new(s)),
        }
    }
}

impl From<Flight2> for State {
    fn from(flight2: Flight2) -> Self {
        match flight2 {
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
    /// The state's name in RFC 9846, A.2.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Start(_) | Self::StartRetried(_) => "START",
            Self::WaitCertificate(_) => "WAIT_CERT",
            Self::WaitCertificateVerify(_) => "WAIT_CV",
            Self::WaitFinished(_) => "WAIT_FINISHED",
            Self::Connected(_) => "CONNECTED",
        }
    }

    /// What the table accepts in this state, for an error's text.
    pub(crate) fn expects(&self) -> &'static str {
        match self {
            Self::Start(_) | Self::StartRetried(_) => "ClientHello",
            Self::WaitCertificate(_) => "Certificate",
            Self::WaitCertificateVerify(_) => "CertificateVerify",
            Self::WaitFinished(_) => "Finished",
            Self::Connected(_) => "KeyUpdate",
        }
    }
}
