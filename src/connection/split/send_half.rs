//! [`SendHalf`]: the half of a split connection that sends.
//!
//! Another thread may hold it behind the lock of [`Shared`](super::Shared). Before it works, it looks
//! at the notes that the receiving half has left.

use core::ops::Deref;
use core::time::Duration;

use crate::code_point::AlertDescription;
use crate::connection::send::send_side::SendSide;
use crate::connection::send::sender::Sender;
use crate::connection::split::notes::{ASKED, AWAITED, Notes, WROTE};
use crate::error::Error;
use crate::record::SealError;

/// The state that errors name: a connection is split only when the handshake is complete.
const STATE: &str = "CONNECTED";

/// The half that sends.
pub(crate) struct SendHalf {
    pub(super) sender: Sender,
}

impl SendHalf {
    pub(crate) fn output(&self) -> &[u8] {
        self.sender.waiting()
    }

    pub(crate) fn sent(&mut self, count: usize) {
        self.sender.sent(count);
    }

    /// Memory that is there for much to send goes back, if nothing is to be sent.
    pub(crate) fn rest(&mut self) {
        self.sender.rest();
    }

    pub(crate) fn drop_old_tickets(&mut self, now: impl FnOnce() -> Duration) {
        self.sender.drop_old_tickets(now);
    }

    /// Takes data for the peer, as [`Connection::write_vectored`].
    pub(crate) fn write<B: Deref<Target = [u8]>>(&mut self, buffers: &[B], notes: &Notes<Error>) -> Result<usize, Error> {
        self.write_by(notes, |sender| sender.data(buffers))
    }

    /// As [`Connection::write_with`].
    pub(crate) fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
        notes: &Notes<Error>,
    ) -> Result<usize, Error> {
        self.write_by(notes, |sender| sender.data_with(length, write))
    }

    fn write_by(&mut self, notes: &Notes<Error>, write: impl FnOnce(&mut Sender) -> Result<usize, SealError>) -> Result<usize, Error> {
        self.begin(notes)?;
        notes.leave(WROTE);
        write(&mut self.sender).map_err(|error| self.fail(error, notes))
    }

    /// As [`Connection::set_corked`].
    pub(crate) fn set_corked(&mut self, corked: bool, notes: &Notes<Error>) -> Result<(), Error> {
        self.sender.corked = corked;
        if corked { Ok(()) } else { self.flush(notes) }
    }

    pub(crate) fn is_corked(&self) -> bool {
        self.sender.corked
    }

    /// As [`Connection::flush`]. What the peer asked for goes out as well.
    pub(crate) fn flush(&mut self, notes: &Notes<Error>) -> Result<(), Error> {
        self.look(notes);
        self.hear(notes);
        self.sender.flush().and_then(|()| self.sender.answer_key_update()).map_err(|error| self.fail(error, notes))
    }

    /// Whether something waits for the transport, or would by [`flush`](Self::flush) because the peer asked for it.
    pub(crate) fn wants_write(&mut self, notes: &Notes<Error>) -> bool {
        self.hear(notes);
        !self.output().is_empty() || self.sender.owes_key_update()
    }

    /// Renews the keys of both directions, as [`Connection::rekey`].
    pub(crate) fn rekey(&mut self, notes: &Notes<Error>) -> Result<(), Error> {
        self.begin(notes)?;
        self.sender.flush().map_err(|error| self.fail(error, notes))?;
        let asks = !self.sender.key_updates.awaited();
        self.sender.key_update(true).map_err(|error| error.in_state(STATE))?;
        // Before it goes out: the answer cannot come earlier. Where one was awaited already it may have come by now.
        if asks {
            notes.leave(AWAITED);
        }
        Ok(())
    }

    /// close_notify goes to the output, and the keys are wiped.
    pub(crate) fn close(&mut self, notes: &Notes<Error>) {
        self.hear(notes);
        self.sender.end(&[AlertDescription::CLOSE_NOTIFY]);
    }

    /// Nothing more is sent, not even what waits: the keys are wiped, and the memory goes back.
    pub(crate) fn abandon(&mut self) {
        self.sender.end(&[]);
        self.sender.discard();
    }

    /// Takes over a failure that the other half noted: the alert goes to the output, or what waits there does not go out any more, and the keys are wiped. Doing it
    /// again changes nothing.
    pub(crate) fn look(&mut self, notes: &Notes<Error>) {
        if let Some(error) = notes.failure() {
            SendSide::fail(&mut self.sender, error.clone());
        }
    }

    fn begin(&mut self, notes: &Notes<Error>) -> Result<(), Error> {
        self.look(notes);
        if let Some(error) = notes.failure() {
            return Err(error.clone());
        }
        if !self.sender.is_open() {
            return Err(Error::Closed);
        }
        self.hear(notes);
        Ok(())
    }

    /// What the other half has received.
    fn hear(&mut self, notes: &Notes<Error>) {
        self.sender.key_updates.heard(notes.take(ASKED), notes.has(AWAITED));
    }

    fn fail(&mut self, error: SealError, notes: &Notes<Error>) -> Error {
        let error = notes.fail(error.in_state(STATE)).clone();
        self.look(notes);
        error
    }
}
