//! [`SendHalf`]: the half of a split connection that sends.
//!
//! Another thread may hold it behind the lock of [`Shared`](super::Shared). Before it does
//! anything, it reads the notes that the receiving half has left.

use core::ops::Deref;
use core::time::Duration;
use std::io;

use crate::code_point::AlertDescription;
use crate::connection::notice::Notice;
use crate::connection::send::send_side::SendSide;
use crate::connection::send::sender::Sender;
use crate::connection::split::notes::{ASKED, AWAITED, Notes, WANTED};
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

    /// Frees the output's memory if nothing waits.
    pub(crate) fn rest(&mut self) {
        self.sender.rest();
    }

    /// Tells the time, on the monotonic clock, and ends the connection if it is over. The other
    /// half then ends when it has read what was received.
    pub(crate) fn at(&mut self, now: Duration, notes: &Notes<Error>) {
        self.sender.at(now);
        if let Some(error) = self.sender.over() {
            notes.fail(error);
            self.look(notes);
        }
    }

    /// Returns true if the connection can end by time, or from outside.
    pub(crate) fn is_limited(&self) -> bool {
        self.sender.is_limited()
    }

    /// Returns when the connection is over, on the monotonic clock.
    #[cfg(feature = "tokio")]
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.sender.next_timeout()
    }

    /// Returns true if so many bytes would only be gathered.
    pub(crate) fn gathers(&self, length: usize) -> bool {
        self.sender.gathers(length)
    }

    /// Like [`Connection::write_vectored`](crate::Connection::write_vectored).
    pub(crate) fn write<B: Deref<Target = [u8]>>(
        &mut self,
        buffers: &[B],
        notes: &Notes<Error>,
    ) -> Result<usize, Error> {
        self.write_by(notes, |sender| sender.data(buffers))
    }

    /// Like [`Connection::write_with`](crate::Connection::write_with).
    pub(crate) fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
        notes: &Notes<Error>,
    ) -> Result<usize, Error> {
        self.write_by(notes, |sender| sender.data_with(length, write))
    }

    fn write_by(
        &mut self,
        notes: &Notes<Error>,
        write: impl FnOnce(&mut Sender) -> Result<usize, SealError>,
    ) -> Result<usize, Error> {
        self.begin(notes)?;
        self.seal(notes, write)
    }

    /// Seals records. Those of application data are noted before they can be sent, so that nothing
    /// that the peer sends in answer is read before. So is a request for a KeyUpdate.
    fn seal<T>(
        &mut self,
        notes: &Notes<Error>,
        seal: impl FnOnce(&mut Sender) -> Result<T, SealError>,
    ) -> Result<T, Error> {
        let pending = &self.sender.key_updates;
        let (awaited, wanted) = (pending.awaited(), pending.wants());
        let result = seal(&mut self.sender);
        // One that was awaited already may have come by now, so nothing is noted then.
        if !awaited && self.sender.key_updates.awaited() {
            notes.leave(AWAITED);
            notes.take(WANTED);
        } else if !wanted && self.sender.key_updates.wants() {
            // It could not be begun yet.
            notes.leave(WANTED);
        }
        notes.add_sealed(self.sender.take_sealed());
        result.map_err(|error| self.fail(error, notes))
    }

    /// Like [`Connection::set_corked`](crate::Connection::set_corked).
    pub(crate) fn set_corked(&mut self, corked: bool, notes: &Notes<Error>) -> Result<(), Error> {
        self.sender.corked = corked;
        if corked { Ok(()) } else { self.flush(notes) }
    }

    pub(crate) fn is_corked(&self) -> bool {
        self.sender.corked
    }

    /// Like [`Connection::flush`](crate::Connection::flush). Sends what the peer asked for as well.
    pub(crate) fn flush(&mut self, notes: &Notes<Error>) -> Result<(), Error> {
        self.look(notes);
        self.hear(notes);
        self.seal(notes, |sender| {
            sender.flush()?;
            sender.pay_key_update()
        })
    }

    /// Seals the answer to a KeyUpdate if one is owed, and nothing else.
    #[cfg(feature = "tokio")]
    pub(crate) fn answer_key_update(&mut self, notes: &Notes<Error>) -> Result<(), Error> {
        self.hear(notes);
        self.seal(notes, Sender::pay_key_update)
    }

    /// Returns true if something waits for the transport, or would after [`flush`](Self::flush)
    /// because the peer asked for it.
    pub(crate) fn wants_write(&mut self, notes: &Notes<Error>) -> bool {
        self.hear(notes);
        !self.output().is_empty() || self.sender.owes_key_update()
    }

    /// Renews the keys of both directions, like [`Connection::rekey`](crate::Connection::rekey).
    pub(crate) fn rekey(&mut self, notes: &Notes<Error>) -> Result<(), Error> {
        self.begin(notes)?;
        self.seal(notes, Sender::flush)?;
        // A key that may not be renewed any more does not end the connection.
        self.seal(notes, |sender| Ok(sender.key_update(true)))?
            .map_err(|error| error.in_state(STATE))
    }

    /// Puts close_notify in the output and wipes the keys.
    pub(crate) fn close(&mut self, notes: &Notes<Error>) {
        self.hear(notes);
        self.sender.end(&[AlertDescription::CLOSE_NOTIFY]);
        notes.add_sealed(self.sender.take_sealed());
    }

    /// Sends nothing more, not even what waits: wipes the keys and frees the memory.
    pub(crate) fn abandon(&mut self) {
        self.sender.end(&[]);
        self.sender.discard();
    }

    /// Takes over a failure that the other half noted: puts the alert in the output, or drops what
    /// waits there, and wipes the keys. Repeating it changes nothing.
    pub(crate) fn look(&mut self, notes: &Notes<Error>) {
        if let Some(error) = notes.failure() {
            SendSide::fail(&mut self.sender, error.clone());
        }
    }

    /// Reports an error of the transport, which ends this direction.
    pub(crate) fn transport_failed(&self, error: &io::Error) {
        self.sender.saw(Notice::TransportFailed(error));
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

    /// Takes over what the other half has received.
    fn hear(&mut self, notes: &Notes<Error>) {
        self.sender
            .key_updates
            .heard(notes.take(ASKED), notes.has(AWAITED), notes.has(WANTED));
    }

    fn fail(&mut self, error: SealError, notes: &Notes<Error>) -> Error {
        let error = notes.fail(error.in_state(STATE)).clone();
        self.look(notes);
        error
    }
}
