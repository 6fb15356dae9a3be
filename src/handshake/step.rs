//! What one step of a state machine is given, and what it gives back.

use crate::crypto::random::Rng;
use crate::error::Fault;
use crate::handshake::sink::Sink;
use crate::record::Aligned;
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
    /// RFC 9846, 5.1: "Implementations MUST verify that all messages immediately preceding a key change align with a record boundary".
    /// A handler asks for it before it writes anything.
    pub(crate) fn aligned(self, message: &'static str) -> Result<Aligned, Fault> {
        self.aligned.ok_or(Fault::NotAligned { message })
    }
}

/// What a step leads to: the next state, or a question that only the application can answer. Nothing is read while it waits.
pub(crate) enum Step<State, Suspended> {
    /// The next state.
    Next(State),
    /// The question, and the state that takes the answer.
    Ask(Question, Suspended),
}

/// What a handshake waits for the application to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// Which configuration serves this client: look at `client_hello()` and answer with `choose(server)`.
    Configuration,
}
