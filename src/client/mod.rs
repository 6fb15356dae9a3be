//! The client's half of the handshake (RFC 9846, A.1).
//!
//! ```text
//!                            START
//!              Send ClientHello |                        offer.rs, key_exchange.rs
//!          [K_send = early data] |                        early_data.rs
//!                               v
//!                            WAIT_SH <-----+
//!                               |          | Recv HelloRetryRequest, once
//!                               +----------+ Send ClientHello
//!                               | Recv ServerHello       key_exchange.rs
//!                               | K_recv = handshake
//!                               v
//!                            WAIT_EE
//!                               | Recv EncryptedExtensions           server_parameters.rs
//!                  Using        |
//!                  PSK +--------+--------+ Using certificate
//!                      |                 v
//!                      |            WAIT_CERT_CR
//!                      |     Recv |             | Recv CertificateRequest     server_parameters.rs
//!                      |  Certif- |             v
//!                      |  icate   |         WAIT_CERT
//!                      |          |             | Recv Certificate            authentication.rs
//!                      |          v             v
//!                      |              WAIT_CV
//!                      |                 | Recv CertificateVerify           authentication.rs
//!                      v                 v
//!                          WAIT_FINISHED
//!                               | Recv Finished                      authentication.rs
//!                               | [Send EndOfEarlyData]              early_data.rs
//!                               | [Send Certificate [+ CertificateVerify]]   ──> Ask: a signature?
//!                               | Send Finished
//!                               | K_send = K_recv = application
//!                               v
//!                           CONNECTED                                post_handshake.rs
//! ```
//!
//! K_send = handshake comes with ServerHello here, not with the server's Finished, so that alerts
//! between the two are encrypted, as the note in A.1 asks. If early data is sent, an alert uses the
//! key that waits.

pub(crate) mod authentication;
pub(crate) mod certificate_request;
pub(crate) mod config;
pub(crate) mod early_data;
pub(crate) mod key_exchange;
#[cfg(feature = "key-log")]
mod key_log;
pub(crate) mod offer;
pub(crate) mod post_handshake;
pub(crate) mod server_parameters;

use crate::client::authentication::{
    AfterFinished, Unsigned, WaitCertificate, WaitCertificateVerify, WaitFinished,
};
use crate::client::key_exchange::{First, Retried, WaitServerHello};
use crate::client::post_handshake::Connected;
use crate::client::server_parameters::{
    AfterParameters, WaitCertificateOrRequest, WaitEncryptedExtensions,
};
use crate::error::{Fault, Said};
use crate::handshake::{Answer, Context, Question, Step, Wire};
use crate::identity::ServerName;
use crate::message::Message;

pub use config::{Client, ClientBuilder};

/// A state of RFC 9846, A.1. Each holds exactly what it knows.
///
/// All but the last are boxed: a connected connection is then small, and moving it moves only what
/// is in use. The unused room of a large enum is moved with it, and whatever was there on the
/// stack, including keys, would live as long as the connection.
pub(crate) enum State {
    WaitServerHello(Box<WaitServerHello<First>>),
    WaitServerHelloRetried(Box<WaitServerHello<Retried>>),
    WaitEncryptedExtensions(Box<WaitEncryptedExtensions>),
    WaitCertificateOrRequest(Box<WaitCertificateOrRequest>),
    WaitCertificate(Box<WaitCertificate>),
    WaitCertificateVerify(Box<WaitCertificateVerify>),
    WaitFinished(Box<WaitFinished>),
    Connected(Connected),
}

/// A step that waits for the application's answer.
pub(crate) enum Suspended {
    Signature(Box<Unsigned>),
}

/// START: sends the ClientHello. `early_data` is whether the application is able to send early
/// data.
pub(crate) fn start(
    client: &Client,
    name: Option<ServerName>,
    early_data: bool,
    cx: &mut Context<'_>,
) -> Result<State, Fault> {
    Ok(State::WaitServerHello(Box::new(WaitServerHello::start(
        client.clone(),
        name,
        early_data,
        cx,
    )?)))
}

/// The legal messages of each state. Any pair that is not in this table is unexpected_message.
pub(crate) fn step(
    state: State,
    message: Message<'_>,
    wire: Wire<'_>,
    cx: &mut Context<'_>,
) -> Result<Step<State, Suspended>, Fault> {
    use State::*;
    Ok(Step::Next(match (state, message) {
        (WaitServerHello(s), Message::ServerHello(m)) => {
            WaitEncryptedExtensions(Box::new(s.on_server_hello(&m, wire, cx)?))
        }
        (WaitServerHello(s), Message::HelloRetryRequest(m)) => {
            WaitServerHelloRetried(Box::new(s.on_retry(&m, &wire, cx)?))
        }
        (WaitServerHelloRetried(s), Message::ServerHello(m)) => {
            WaitEncryptedExtensions(Box::new(s.on_server_hello(&m, wire, cx)?))
        }
        (WaitEncryptedExtensions(s), Message::EncryptedExtensions(m)) => {
            s.on_encrypted_extensions(&m, &wire, cx)?.into()
        }
        (WaitCertificateOrRequest(s), Message::CertificateRequest(m)) => {
            WaitCertificate(Box::new(s.on_certificate_request(&m, &wire)?))
        }
        (WaitCertificateOrRequest(s), Message::Certificate(m)) => {
            WaitCertificateVerify(Box::new(s.without_request().on_certificate(&m, &wire, cx)?))
        }
        (WaitCertificate(s), Message::Certificate(m)) => {
            WaitCertificateVerify(Box::new(s.on_certificate(&m, &wire, cx)?))
        }
        (WaitCertificateVerify(s), Message::CertificateVerify(m)) => {
            WaitFinished(Box::new(s.on_certificate_verify(&m, &wire)?))
        }
        (WaitFinished(s), Message::Finished(m)) => match s.on_finished(&m, wire, cx)? {
            AfterFinished::Connected(s) => Connected(s),
            AfterFinished::Unsigned(s) => return Ok(Step::Ask(Suspended::Signature(s))),
        },
        (Connected(s), Message::NewSessionTicket(m)) => Connected(s.on_new_session_ticket(&m, cx)?),
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
    /// Returns the state's name in RFC 9846, A.1.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Signature(_) => "WAIT_FINISHED",
        }
    }

    /// Returns what the application is asked.
    pub(crate) fn question(&self) -> Question {
        match self {
            Self::Signature(_) => Question::Signature,
        }
    }

    /// Continues with the application's answer. Returns the step as it was if the answer does not
    /// fit the question.
    pub(crate) fn answer(
        self,
        answer: Answer,
        cx: &mut Context<'_>,
    ) -> Result<Result<State, Fault>, Self> {
        match (self, answer) {
            (Self::Signature(s), Answer::Signature(signature)) => {
                Ok(s.signed(&signature, cx).map(State::Connected))
            }
            (other, _) => Err(other),
        }
    }
}

impl From<AfterParameters> for State {
    fn from(after: AfterParameters) -> Self {
        match after {
            AfterParameters::Certificate(s) => Self::WaitCertificateOrRequest(Box::new(s)),
            AfterParameters::Finished(s) => Self::WaitFinished(Box::new(s)),
        }
    }
}

impl State {
    /// Returns the state's name in RFC 9846, A.1.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::WaitServerHello(_) | Self::WaitServerHelloRetried(_) => "WAIT_SH",
            Self::WaitEncryptedExtensions(_) => "WAIT_EE",
            Self::WaitCertificateOrRequest(_) => "WAIT_CERT_CR",
            Self::WaitCertificate(_) => "WAIT_CERT",
            Self::WaitCertificateVerify(_) => "WAIT_CV",
            Self::WaitFinished(_) => "WAIT_FINISHED",
            Self::Connected(_) => "CONNECTED",
        }
    }

    /// Returns what this client has said, which an alert may answer.
    pub(crate) fn said(&self) -> Said {
        let (client, name) = match self {
            Self::WaitServerHello(s) => (&s.offer.client, &s.offer.name),
            Self::WaitServerHelloRetried(s) => (&s.offer.client, &s.offer.name),
            Self::WaitEncryptedExtensions(s) => (&s.offer.client, &s.offer.name),
            Self::WaitCertificateOrRequest(s) => (&s.0.client, &s.0.name),
            Self::WaitCertificate(s) => (&s.client, &s.name),
            Self::WaitCertificateVerify(s) => (&s.known.client, &s.known.name),
            Self::WaitFinished(s) => (&s.known.client, &s.known.name),
            Self::Connected(s) => {
                return s.said.as_deref().cloned().unwrap_or(Said::Nothing);
            }
        };
        client.said(name.as_ref())
    }

    /// Returns what the table accepts in this state, for an error's text.
    pub(crate) fn expects(&self) -> &'static str {
        match self {
            Self::WaitServerHello(_) => "ServerHello or HelloRetryRequest",
            // RFC 9846, 4.2.4: a second HelloRetryRequest is unexpected.
            Self::WaitServerHelloRetried(_) => "ServerHello",
            Self::WaitEncryptedExtensions(_) => "EncryptedExtensions",
            Self::WaitCertificateOrRequest(_) => "CertificateRequest or Certificate",
            Self::WaitCertificate(_) => "Certificate",
            Self::WaitCertificateVerify(_) => "CertificateVerify",
            Self::WaitFinished(_) => "Finished",
            Self::Connected(s) => match s.key_updates.extended {
                None => "NewSessionTicket or KeyUpdate",
                Some(_) => "NewSessionTicket or ExtendedKeyUpdate",
            },
        }
    }
}
