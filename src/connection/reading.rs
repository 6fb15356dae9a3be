//! Reading: what was received goes where the application wants it.

use crate::connection::destination::Destination;
use crate::connection::sans_io::Connection;
use crate::connection::status::Status;
use crate::crypto::random::Rng;
use crate::error::Error;
use crate::time::Now;

impl Connection {
    /// As [`process`](Self::process), and puts application data into `out`: what was held, then record after record, each decrypted from the buffer it was
    /// received into to where it belongs, without a copy. Goes on until `out` is full, or nothing more was received. Returns how many bytes of `out`
    /// are filled, and what to do next: [`Status::Data`] where there may be more to read. Of the rest of `out` nothing is to be relied on.
    ///
    /// Early data is not among it: [`Status::EarlyData`] says that it waits in [`early_plaintext`](Self::early_plaintext).
    ///
    /// # Errors
    /// As `process`. What came before an error is returned first, and the error by the next call.
    pub fn process_into(&mut self, out: &mut [u8], now: Now, rng: &mut Rng<'_>) -> Result<(usize, Status), Error> {
        let mut out = Destination::new(out);
        match self.work(&mut out, now, rng) {
            Err(_) if out.filled() > 0 => Ok((out.filled(), Status::Data)),
            result => result.map(|status| (out.filled(), status)),
        }
    }

    /// Works on what was received, until `out` is full, or something is held that does not fit.
    pub(super) fn work(&mut self, out: &mut Destination<'_>, now: Now, rng: &mut Rng<'_>) -> Result<Status, Error> {
        loop {
            if self.inbound.is_early_data() && !self.inbound.deframer.held().is_empty() {
                return Ok(Status::EarlyData);
            }
            // What was received before a failure can still be read.
            let count = self.inbound.take_held(out.rest());
            out.advance(count);
            if out.is_full() || !self.inbound.deframer.held().is_empty() {
                return Ok(Status::Data);
            }
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            match self.advance(out, now, rng) {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(error) => return Err(self.fail(error)),
            }
        }
    }
}
