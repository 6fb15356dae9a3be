//! Writing: the application's data becomes records, directly or gathered first; new keys; the end.

use core::ops::Deref;

use crate::code_point::AlertDescription;
use crate::connection::notice::Notice;
use crate::connection::sans_io::connection::Connection;
use crate::connection::send::sender::Sender;
use crate::error::Error;
use crate::record::SealError;

impl Connection {
    /// Takes data for the peer, as much as the output has room for, and returns how many bytes it
    /// took. 0 means that the output must be sent first.
    ///
    /// # Errors
    /// Returns [`Error::WrongState`] during the handshake, [`Error::Closed`] after
    /// [`close`](Self::close), [`Error::KeyLimit`], [`Error::Expired`], [`Error::Ended`], or the
    /// error that the connection failed with.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, Error> {
        self.write_vectored(&[data])
    }

    /// Like [`write`](Self::write), from several buffers. Small ones share a record; one that fills
    /// a record is encrypted from where it is.
    ///
    /// # Errors
    /// Returns the errors of `write`.
    pub fn write_vectored<B: Deref<Target = [u8]>>(
        &mut self,
        buffers: &[B],
    ) -> Result<usize, Error> {
        self.write_by("write", |sender| sender.data(buffers))
    }

    /// Like [`write`](Self::write), but the caller produces the data directly in the record buffer,
    /// which saves a copy.
    ///
    /// `write` receives a buffer of up to `length` bytes, limited by the size of a record (16384
    /// bytes, or what the peer accepts), and returns how many bytes it wrote. The buffer's initial
    /// content is unspecified. `write` is not called if the output must be sent first; the result
    /// is then 0.
    ///
    /// # Errors
    /// Returns the errors of [`write`](Self::write).
    pub fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<usize, Error> {
        self.write_by("write_with", |sender| sender.data_with(length, write))
    }

    /// Sets whether data is gathered until it fills a record, so that many small writes become few
    /// records.
    ///
    /// Gathered data does not appear in the [`output`](Self::output) until its record is full, or
    /// until [`flush`](Self::flush), [`close`](Self::close), [`rekey`](Self::rekey), uncorking, or
    /// a [`write_with`](Self::write_with) that asks for more than the rest of the record. It is
    /// gathered in the place where it will be encrypted, so this costs no further copy, and is
    /// never more than one record. Early data is not gathered.
    ///
    /// # Errors
    /// Returns the errors of `flush`.
    pub fn set_corked(&mut self, corked: bool) -> Result<(), Error> {
        self.sender.corked = corked;
        if corked { Ok(()) } else { self.flush() }
    }

    /// Returns true if data is gathered: see [`set_corked`](Self::set_corked).
    pub fn is_corked(&self) -> bool {
        self.sender.corked
    }

    /// Seals the data that was gathered while [corked](Self::set_corked), if there is any, into the
    /// output, and the answer to a KeyUpdate if one is owed.
    ///
    /// # Errors
    /// Returns [`Error::KeyLimit`]. Returns no error once the connection has failed or was closed,
    /// as nothing is gathered then.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.end_if_over();
        let flushed = self
            .sender
            .flush()
            .and_then(|()| self.sender.pay_key_update());
        self.or_fail(flushed)
    }

    /// Seals the answer to a KeyUpdate into the output if one is owed, and nothing else.
    #[cfg(feature = "tokio")]
    pub(crate) fn answer_key_update(&mut self) -> Result<(), Error> {
        let answered = self.sender.pay_key_update();
        self.or_fail(answered)
    }

    /// Returns true if something waits for the transport, or would after [`flush`](Self::flush)
    /// because the peer asked for it.
    pub(crate) fn wants_write(&self) -> bool {
        !self.output().is_empty() || self.sender.owes_key_update()
    }

    fn write_by(
        &mut self,
        call: &'static str,
        write: impl FnOnce(&mut Sender) -> Result<usize, SealError>,
    ) -> Result<usize, Error> {
        self.check_writable(call)?;
        let written = write(&mut self.sender);
        self.or_fail(written)
    }

    /// Ends the connection if something cannot be sealed.
    pub(crate) fn or_fail<T>(&mut self, sealed: Result<T, SealError>) -> Result<T, Error> {
        sealed.map_err(|error| {
            let error = self.seal_error(error);
            self.fail(error)
        })
    }

    /// Renews the keys of both directions: this side's with the next record, the peer's when it
    /// answers (RFC 9846, 4.7.3).
    ///
    /// Where [extended key updates](crate::ClientBuilder::extended_key_update) were agreed on, this
    /// begins one: the keys of both directions change when the peer has answered, and data is sent
    /// under the old key until then. One that cannot begin yet, because another is running or was
    /// begun within the last 125 ms, begins with a later call that sends.
    ///
    /// # Errors
    /// Returns the errors of [`write`](Self::write).
    pub fn rekey(&mut self) -> Result<(), Error> {
        self.check_writable("rekey")?;
        // What was written before is protected by the old keys.
        let flushed = self.sender.flush();
        self.or_fail(flushed)?;
        self.sender
            .key_update(true)
            .map_err(|error| self.seal_error(error))
    }

    /// Sends no more: close_notify goes to the output, and our sending keys are wiped. Reading
    /// remains possible. During the handshake this cancels it, and sends user_canceled first.
    pub fn close(&mut self) {
        if self.is_handshaking() {
            self.cancel(Error::Closed);
        } else {
            self.sender.end(&[AlertDescription::CLOSE_NOTIFY]);
        }
    }

    /// Cancels the handshake because of `error`, which is not the peer's.
    pub(crate) fn cancel(&mut self, error: Error) {
        self.sender.saw(Notice::Failed(&error));
        // RFC 9846, 6.1: "the sender is canceling the handshake for some reason unrelated to a
        // protocol failure".
        self.sender.end(&[
            AlertDescription::USER_CANCELED,
            AlertDescription::CLOSE_NOTIFY,
        ]);
        self.receiver.end(error);
    }

    pub(crate) fn check_writable(&mut self, call: &'static str) -> Result<(), Error> {
        self.end_if_over();
        if let Some(error) = self.ended() {
            return Err(error);
        }
        if !self.sender.is_open() {
            return Err(Error::Closed);
        }
        // Checked on what only a complete handshake leaves behind, so that even a caught panic in
        // the application's hook does not let data through.
        if self.receiver.established.is_none() {
            return Err(Error::WrongState {
                call,
                state: self.receiver.machine.state_name(),
            });
        }
        Ok(())
    }
}
