//! A connection in two halves, one a thread: [`Reading`] and [`Writing`]. What they have to tell each other goes through [`Notes`].
//!
//! The half that reads never sends for itself. A KeyUpdate that the peer asks for is noted, and goes out before the next data or by a flush; RFC 9846, 4.7.3 asks
//! for the former alone: sealing it from here would need the lock, and sending it could wait for a peer that does not read. A failure is noted too, and the one
//! thing that somebody has to do about it at once; see [`Shared`](super::shared::Shared).

use core::ops::Deref;
use core::time::Duration;

use crate::code_point::AlertDescription;
use crate::connection::outbound::Outbound;
use crate::connection::receiver::Receiver;
use crate::connection::sans_io::Connection;
use crate::connection::sending::Sending;
use crate::connection::shared::{ASKED, AWAITED, Notes, WROTE};
use crate::connection::status::Status;
use crate::crypto::random::SystemRandom;
use crate::error::Error;
use crate::record::SealError;
use crate::time::Now;

/// Where a connection is when it has two halves.
const STATE: &str = "CONNECTED";

impl Connection {
    /// The two halves, after the handshake, and the notes that they begin with.
    pub(crate) fn split(self) -> (Reading, Writing, u8) {
        let notes = if self.outbound.key_updates.awaited() { AWAITED } else { 0 };
        (Reading { receiver: self.receiver }, Writing { outbound: self.outbound }, notes)
    }
}

impl Sending for &Notes<Error> {
    fn outbound(&mut self) -> Option<&mut Outbound> {
        None
    }

    fn key_update(&mut self, answer: bool) -> bool {
        if answer {
            self.leave(ASKED);
        }
        self.take(AWAITED)
    }

    fn has_written(&mut self) -> bool {
        self.take(WROTE)
    }

    fn failure(&self) -> Option<&Error> {
        Notes::failure(self)
    }

    fn fail(&mut self, error: Error) -> Error {
        Notes::fail(self, error).clone()
    }
}

/// The half that receives.
pub(crate) struct Reading {
    receiver: Receiver,
}

impl Reading {
    pub(crate) fn input(&mut self) -> &mut [u8] {
        self.receiver.inbound.deframer.space()
    }

    /// Whether nothing is there: of a record, or to be read.
    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.inbound.deframer.is_empty()
    }

    pub(crate) fn received(&mut self, count: usize) {
        self.receiver.inbound.received(count);
    }

    pub(crate) fn received_end(&mut self) {
        self.receiver.inbound.ended = true;
    }

    pub(crate) fn plaintext(&self) -> &[u8] {
        self.receiver.inbound.deframer.held()
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.receiver.inbound.deframer.consume(count);
    }

    /// As [`Connection::process_into`].
    pub(crate) fn process_into(&mut self, out: &mut [u8], now: Now, mut notes: &Notes<Error>) -> Result<(usize, Status), Error> {
        self.receiver.process_into(out, now, &mut SystemRandom, &mut notes)
    }
}

/// The half that sends.
pub(crate) struct Writing {
    outbound: Outbound,
}

impl Writing {
    pub(crate) fn output(&self) -> &[u8] {
        self.outbound.waiting()
    }

    pub(crate) fn sent(&mut self, count: usize) {
        self.outbound.sent(count);
    }

    /// Memory that is there for much to send goes back, if nothing is to be sent.
    pub(crate) fn rest(&mut self) {
        self.outbound.rest();
    }

    pub(crate) fn drop_old_tickets(&mut self, now: impl FnOnce() -> Duration) {
        self.outbound.drop_old_tickets(now);
    }

    /// Takes data for the peer, as [`Connection::write_vectored`].
    pub(crate) fn write<B: Deref<Target = [u8]>>(&mut self, buffers: &[B], notes: &Notes<Error>) -> Result<usize, Error> {
        self.write_by(notes, |outbound| outbound.data(buffers))
    }

    /// As [`Connection::write_with`].
    pub(crate) fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
        notes: &Notes<Error>,
    ) -> Result<usize, Error> {
        self.write_by(notes, |outbound| outbound.data_with(length, write))
    }

    fn write_by(&mut self, notes: &Notes<Error>, write: impl FnOnce(&mut Outbound) -> Result<usize, SealError>) -> Result<usize, Error> {
        self.begin(notes)?;
        notes.leave(WROTE);
        write(&mut self.outbound).map_err(|error| self.fail(error, notes))
    }

    /// As [`Connection::set_corked`].
    pub(crate) fn set_corked(&mut self, corked: bool, notes: &Notes<Error>) -> Result<(), Error> {
        self.outbound.corked = corked;
        if corked { Ok(()) } else { self.flush(notes) }
    }

    pub(crate) fn is_corked(&self) -> bool {
        self.outbound.corked
    }

    /// As [`Connection::flush`]. What the peer asked for goes out as well.
    pub(crate) fn flush(&mut self, notes: &Notes<Error>) -> Result<(), Error> {
        self.look(notes);
        self.hear(notes);
        self.outbound.flush().and_then(|()| self.outbound.answer_key_update()).map_err(|error| self.fail(error, notes))
    }

    /// Whether something waits for the transport, or would by [`flush`](Self::flush) because the peer asked for it.
    pub(crate) fn wants_write(&mut self, notes: &Notes<Error>) -> bool {
        self.hear(notes);
        !self.output().is_empty() || self.outbound.owes_key_update()
    }

    /// Renews the keys of both directions, as [`Connection::rekey`].
    pub(crate) fn rekey(&mut self, notes: &Notes<Error>) -> Result<(), Error> {
        self.begin(notes)?;
        self.outbound.flush().map_err(|error| self.fail(error, notes))?;
        let asks = !self.outbound.key_updates.awaited();
        self.outbound.key_update(true).map_err(|error| error.in_state(STATE))?;
        // Before it goes out: the answer cannot come earlier. Where one was awaited already it may have come by now.
        if asks {
            notes.leave(AWAITED);
        }
        Ok(())
    }

    /// close_notify goes to the output, and the keys are wiped.
    pub(crate) fn close(&mut self, notes: &Notes<Error>) {
        self.hear(notes);
        self.outbound.end(&[AlertDescription::CLOSE_NOTIFY]);
    }

    /// Nothing more is sent, not even what waits: the keys are wiped, and the memory goes back.
    pub(crate) fn abandon(&mut self) {
        self.outbound.end(&[]);
        self.outbound.discard();
    }

    /// Takes over a failure that the other half noted: the alert goes to the output, or what waits there does not go out any more, and the keys are wiped. Doing it
    /// again changes nothing.
    pub(crate) fn look(&mut self, notes: &Notes<Error>) {
        if let Some(error) = notes.failure() {
            Sending::fail(&mut self.outbound, error.clone());
        }
    }

    fn begin(&mut self, notes: &Notes<Error>) -> Result<(), Error> {
        self.look(notes);
        if let Some(error) = notes.failure() {
            return Err(error.clone());
        }
        if !self.outbound.is_open() {
            return Err(Error::Closed);
        }
        self.hear(notes);
        Ok(())
    }

    /// What the other half has received.
    fn hear(&mut self, notes: &Notes<Error>) {
        self.outbound.key_updates.heard(notes.take(ASKED), notes.has(AWAITED));
    }

    fn fail(&mut self, error: SealError, notes: &Notes<Error>) -> Error {
        let error = notes.fail(error.in_state(STATE)).clone();
        self.look(notes);
        error
    }
}
