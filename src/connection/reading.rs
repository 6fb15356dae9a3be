//! Reading: what was received goes where the application wants it.

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
        self.receiver.process_into(out, now, rng, &mut self.outbound)
    }
}
