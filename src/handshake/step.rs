//! What one step of a state machine is given, and what it gives back: the next state, or a
//! question.

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
    /// Where decisions go.
    pub(crate) sink: &'a mut dyn Sink,
}

/// A received message as it came over the wire, beside its decoded form.
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

    /// The proof that a message which changes keys ended its record.
    ///
    /// RFC 9846, 5.1: "Implementations MUST verify that all messages immediately preceding a key
    /// change align with a record boundary". A handler asks for it before it writes anything.
    pub(crate) fn aligned(self, message: &'static str) -> Result<Aligned, Fault> {
        self.aligned.ok_or(Fault::NotAligned { message })
    }
}

/// What a step leads to: the next state, or a question that only the application can answer.
/// Nothing is read while it waits.
pub(crate) enum Step<State, Suspended> {
    /// The next state.
    Next(State),
    /// What waits for an answer; it knows the question.
    Ask(Suspended),
}

/// What a handshake waits for the application to decide. Besides its own answer each takes
/// `refuse(alert)`, which ends the handshake. The peer waits meanwhile, and `handshake_timeout`
/// runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// Which configuration serves this client: look at `client_hello()` and answer with
    /// `choose(server)`.
    Configuration,
    /// Whether this ClientHello, which brings early data, has been seen before: give
    /// `replay_entry()` to the store that all servers of its zone share, and answer with
    /// [`Answer::Replay`].
    Replay,
    /// The signature of an identity whose key is [elsewhere](crate::Identity::asking): let
    /// `to_sign()` be signed, and answer with [`Answer::Signature`].
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

/// The application's answer to a [`Question`]. (The answer to [`Question::Configuration`] is
/// `choose(server)`.)
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Question::Replay`].
    Replay(ReplayVerdict),
    /// To [`Question::Signature`]: 64 bytes, by Ed25519 (RFC 8032). One that our own public key
    /// does not confirm never goes out.
    Signature(Vec<u8>),
}
