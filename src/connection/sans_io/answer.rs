//! Answers to what the handshake asks the application ([`Question`](crate::Question)).

use crate::code_point::AlertDescription;
use crate::connection::machine::Machine;
use crate::connection::notice::Notice;
use crate::connection::sans_io::connection::Connection;
use crate::connection::sink::{ConnectionSink, Decided};
use crate::crypto::random::Rng;
use crate::error::{Error, Fault};
use crate::handshake::{Answer, Context, Question};
use crate::server::{ClientHello, Server};
use crate::session::ReplayEntry;
use crate::time::Now;

impl Connection {
    /// Returns the client's offer while [`Question::Configuration`](crate::Question::Configuration)
    /// waits for an answer.
    pub fn client_hello(&self) -> Option<&ClientHello> {
        self.receiver.machine.client_hello()
    }

    /// Returns the entry to look up in the replay store while
    /// [`Question::Replay`](crate::Question::Replay) waits for an answer.
    pub fn replay_entry(&self) -> Option<ReplayEntry> {
        self.receiver.machine.replay_entry()
    }

    /// Returns the bytes to sign with Ed25519 (RFC 8032), unmodified, while
    /// [`Question::Signature`](crate::Question::Signature) waits for an answer. They are the
    /// content of RFC 9846, 4.5.2.
    pub fn to_sign(&self) -> Option<&[u8]> {
        self.receiver.machine.to_sign()
    }

    /// Answers [`Question::Configuration`](crate::Question::Configuration): the handshake continues
    /// with the configuration of `server`.
    ///
    /// # Errors
    /// Returns [`Error::WrongState`] if no configuration was asked for. Otherwise returns the
    /// errors of [`process`](Self::process), if the ClientHello is not acceptable.
    pub fn choose(&mut self, server: &Server, now: Now, rng: &mut Rng<'_>) -> Result<(), Error> {
        if self.receiver.machine.question() == Some(Question::Configuration) {
            // From here on, this configuration counts what happens.
            let observer = self.receiver.observer.chosen(server);
            self.receiver.observer = observer.clone();
            self.sender.observer = observer;
        }
        self.go_on("choose", now, rng, |machine, cx| machine.choose(server, cx))?;
        self.receiver.settings = (&server.config.settings).into();
        self.sender.padding = server.config.settings.padding;
        Ok(())
    }

    /// Answers any other [`Question`](crate::Question).
    ///
    /// # Errors
    /// Returns [`Error::WrongState`] if the answer is not one to the question that was asked, and
    /// [`Error::Signer`] if a signature is not one by our key over [`to_sign`](Self::to_sign).
    /// Otherwise returns the errors of [`process`](Self::process).
    pub fn answer(&mut self, answer: Answer, now: Now, rng: &mut Rng<'_>) -> Result<(), Error> {
        self.go_on("answer", now, rng, |machine, cx| machine.answer(answer, cx))
    }

    /// Refuses: the handshake ends, and the peer receives `alert`. The usual ones are
    /// unrecognized_name, access_denied and internal_error. The connection has then failed with
    /// [`Error::Refused`].
    ///
    /// # Errors
    /// Returns [`Error::WrongState`] if nothing was asked, and the error that the connection had
    /// failed with before.
    pub fn refuse(&mut self, alert: AlertDescription) -> Result<(), Error> {
        if let Some(error) = &self.receiver.failed {
            return Err(error.clone());
        }
        if self.receiver.machine.question().is_none() {
            return Err(Error::WrongState {
                call: "refuse",
                state: self.receiver.machine.state_name(),
            });
        }
        self.fail(Error::Refused(alert));
        Ok(())
    }

    /// Continues after a question. `answered` gives the machine back if the answer does not fit the
    /// question.
    fn go_on(
        &mut self,
        call: &'static str,
        now: Now,
        rng: &mut Rng<'_>,
        answered: impl FnOnce(Machine, &mut Context<'_>) -> Result<Result<Machine, Fault>, Machine>,
    ) -> Result<(), Error> {
        if let Some(error) = &self.receiver.failed {
            return Err(error.clone());
        }
        // An answer can take long, and it may be the last thing that the handshake waits for.
        if self.receiver.is_late(now) {
            return Err(self.fail(Error::HandshakeTimeout));
        }
        let state = self.receiver.machine.state_name();
        let question = self.receiver.machine.question();
        let mut sink = ConnectionSink {
            sender: Some(&mut self.sender),
            decided: Decided::default(),
        };
        let machine = core::mem::replace(&mut self.receiver.machine, Machine::Failed);
        let result = answered(
            machine,
            &mut Context {
                now,
                rng,
                sink: &mut sink,
            },
        );
        let decided = sink.decided;
        if let (Ok(_), Some(question)) = (&result, question) {
            self.receiver.saw(Notice::Answered(question));
        }
        let applied = match result {
            Err(machine) => {
                self.receiver.machine = machine;
                return Err(Error::WrongState { call, state });
            }
            Ok(Ok(machine)) => {
                self.receiver.machine = machine;
                self.receiver.apply(decided, now, &mut self.sender)
            }
            Ok(Err(fault)) => Err(fault.in_state(state)),
        };
        applied.map_err(|error| self.fail(error))
    }
}
