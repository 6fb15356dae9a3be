//! Writing: the application's data becomes records, from where it is, or gathered first.

use core::ops::Deref;

use crate::code_point::AlertDescription;
use crate::connection::sans_io::connection::Connection;
use crate::connection::send::sender::Sender;
use crate::error::Error;
use crate::record::SealError;

impl Connection {
    /// Takes data for the peer, as much as may wait in the output, and returns how much; 0 means that the output has to be sent first.
    ///
    /// # Errors
    /// [`Error::WrongState`] while the handshake lasts, [`Error::Closed`] after [`close`](Self::close), [`Error::KeyLimit`], and the error that the
    /// connection failed with.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, Error> {
        self.write_vectored(&[data])
    }

    /// As [`write`](Self::write), from several buffers. Small ones share a record; one that fills a record is encrypted from where it is.
    ///
    /// # Errors
    /// As `write`.
    pub fn write_vectored<B: Deref<Target = [u8]>>(&mut self, buffers: &[B]) -> Result<usize, Error> {
        self.write_by("write", |sender| sender.data(buffers))
    }

    /// Lends the place where the next record's content is encrypted, so that what is made there is not copied. `write` gets up to `length` bytes, as many as a
    /// record may have (16384, or what the peer takes), and returns how many it has written; what was in there before is of no meaning. It is not called
    /// when the output has to be sent first; 0 is returned then.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_with(&mut self, length: usize, write: impl FnOnce(&mut [u8]) -> usize) -> Result<usize, Error> {
        self.write_by("write_with", |sender| sender.data_with(length, write))
    }

    /// While corked, data is gathered until it fills a record, so that many small writes become few records: what does not fill one yet is not in the
    /// [`output`](Self::output) before [`flush`](Self::flush), [`close`](Self::close), [`rekey`](Self::rekey) or the end of being corked; or a
    /// [`write_with`](Self::write_with) that asks for more than the record that was begun has room for. It stands where it will be encrypted, so this costs no further copy, and is
    /// never more than one record. Early data is not gathered.
    ///
    /// # Errors
    /// As `flush`.
    pub fn set_corked(&mut self, corked: bool) -> Result<(), Error> {
        self.sender.corked = corked;
        if corked { Ok(()) } else { self.flush() }
    }

    /// Whether data is gathered.
    pub fn is_corked(&self) -> bool {
        self.sender.corked
    }

    /// Makes a record of what was gathered while [corked](Self::set_corked), if anything was; it goes to the output.
    ///
    /// # Errors
    /// [`Error::KeyLimit`]; none after the connection has failed or was closed, as nothing is gathered then.
    pub fn flush(&mut self) -> Result<(), Error> {
        let flushed = self.sender.flush();
        self.or_fail(flushed)
    }

    fn write_by(&mut self, call: &'static str, write: impl FnOnce(&mut Sender) -> Result<usize, SealError>) -> Result<usize, Error> {
        self.check_writable(call)?;
        // A peer that listens alone may ask for new keys as often as it likes (RFC 9846, 4.7.3: a receiver does not limit updates): what it sends is
        // idle only as long as nothing goes the other way either.
        self.receiver.records.flood_limit.reset();
        let written = write(&mut self.sender);
        self.or_fail(written)
    }

    /// What cannot be sealed ends the connection.
    pub(crate) fn or_fail<T>(&mut self, sealed: Result<T, SealError>) -> Result<T, Error> {
        sealed.map_err(|error| {
            let error = self.seal_error(error);
            self.fail(error)
        })
    }

    /// Renews the keys of both directions: ours with the next record, the peer's when it answers (RFC 9846, 4.7.3).
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn rekey(&mut self) -> Result<(), Error> {
        self.check_writable("rekey")?;
        // What was written before is protected by the old keys.
        self.flush()?;
        self.sender.key_update(true).map_err(|error| self.seal_error(error))
    }

    /// Says that we send no more: close_notify goes to the output, and our keys for sending are wiped. Reading goes on. During the handshake it
    /// gives up, and says user_canceled first.
    pub fn close(&mut self) {
        if self.is_handshaking() {
            // RFC 9846, 6.1: "the sender is canceling the handshake for some reason unrelated to a protocol failure".
            self.sender.end(&[AlertDescription::USER_CANCELED, AlertDescription::CLOSE_NOTIFY]);
            self.receiver.end(Error::Closed);
        } else {
            self.sender.end(&[AlertDescription::CLOSE_NOTIFY]);
        }
    }

    pub(crate) fn check_writable(&self, call: &'static str) -> Result<(), Error> {
        if let Some(error) = &self.receiver.failed {
            return Err(error.clone());
        }
        if !self.sender.is_open() {
            return Err(Error::Closed);
        }
        // Asked of what only a complete handshake leaves behind, so that not even a panic in the application's hook, caught, opens this door.
        if self.receiver.established.is_none() {
            return Err(Error::WrongState { call, state: self.receiver.machine.state_name() });
        }
        Ok(())
    }
}
