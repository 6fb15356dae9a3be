//! The input of one step of a state machine, and its result: the next state, or a question.

use crate::crypto::random::Rng;
use crate::error::Fault;
use crate::handshake::sink::Sink;
use crate::record::Aligned;
use crate::session::ReplayVerdict;
use crate::time::Now;

/// What a handler may use besides its state and the message.
pub(crate) struct Context<'a> {
    /// The time of this step.
    pub(crate) now: Now,
    /// Randomness for hellos and key shares.
    pub(crate) rng: &'a mut Rng<'a>,
    /// Receives decisions.
    pub(crate) sink: &'a mut dyn Sink,
}

/// A received message as bytes, for use beside its decoded form.
pub(crate) struct Wire<'a> {
    /// The message with its header, for the transcript.
    pub(crate) bytes: &'a [u8],
    /// The proof that it ended its record, if it did.
    aligned: Option<Aligned>,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(bytes: &'a [u8], aligned: Option<Aligned>) -> Self {
        Self { bytes, aligned }
    }

    /// Returns the proof that a message which changes keys ended its record.
    ///
    /// RFC 9846, 5.1: "Implementations MUST verify that all messages immediately preceding a key
    /// change align with a record boundary". A handler asks for the proof before it sends anything.
    pub(crate) fn aligned(self, message: &'static str) -> Result<Aligned, Fault> {
        self.aligned.ok_or(Fault::NotAligned { message })
    }
}

/// The result of a step: the next state, or a question that only the application can answer.
/// Nothing is received while it waits.
pub(crate) enum Step<State, Suspended> {
    /// The next state.
    Next(State),
    /// The suspended step, which knows its question and waits for the answer.
    Ask(Suspended),
}

/// What a handshake asks the application to decide.
///
/// Each question can also be answered with `refuse(alert)`, which ends the handshake. The peer
/// waits meanwhile, and `handshake_timeout` runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// Which configuration serves this client? Read `client_hello()`, and answer with
    /// `choose(server)`.
    Configuration,
    /// Has this ClientHello, which brings early data, been seen before? Look up `replay_entry()` in
    /// the store that all servers of its zone share, and answer with [`Answer::Replay`].
    Replay,
    /// What is the signature by an identity whose key is held [elsewhere](crate::Identity::asking)?
    /// Have `to_sign()` signed, and answer with [`Answer::Signature`].
    Signature,
}

impl Question {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Configuration => "Configuration",
            Self::Replay => "Replay",
            Self::Signature => "Signature",
        }
    }
}

/// The application's answer to a [`Question`]. ([`Question::Configuration`] is answered with
/// `choose(server)` instead.)
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The answer to [`Question::Replay`].
    Replay(ReplayVerdict),
    /// The answer to [`Question::Signature`]: 64 bytes, made with Ed25519 (RFC 8032). A signature
    /// that our own public key does not verify is never sent.
    Signature(Vec<u8>),
}
