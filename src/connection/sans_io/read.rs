//! Reading: what was received goes where the application wants it.

use crate::connection::receive::caller_buffer::CallerBuffer;
use crate::connection::sans_io::connection::Connection;
use crate::connection::status::Status;
use crate::crypto::random::Rng;
use crate::error::Error;
use crate::time::Now;

impl Connection {
    /// Processes what was received, up to the first application data.
    ///
    /// For ML-KEM, a generator without state (of size zero) counts as the system's: see
    /// [`SystemRandom`](crate::SystemRandom).
    ///
    /// # Errors
    /// The first error is final. If there is an alert for the peer, it is in the output.
    pub fn process(&mut self, now: Now, rng: &mut Rng<'_>) -> Result<Status, Error> {
        self.receiver
            .process(&mut CallerBuffer::new(&mut []), now, rng, &mut self.sender)
    }

    /// Like [`process`](Self::process), but places application data in `out`.
    ///
    /// Data that was held comes first, then record after record, each decrypted from the receive
    /// buffer to its place without a copy. Continues until `out` is full or nothing more was
    /// received. Returns how many bytes of `out` were filled, and the status: [`Status::Data`] if
    /// there may be more to read. The rest of `out` has unspecified content.
    ///
    /// Early data is not placed in `out`: at [`Status::EarlyData`] it waits in
    /// [`early_plaintext`](Self::early_plaintext).
    ///
    /// # Errors
    /// Returns the errors of `process`. Data that arrived before an error is returned first; the
    /// next call returns the error.
    pub fn process_into(
        &mut self,
        out: &mut [u8],
        now: Now,
        rng: &mut Rng<'_>,
    ) -> Result<(usize, Status), Error> {
        self.receiver.process_into(out, now, rng, &mut self.sender)
    }

    /// Returns what the peer sent and the application has not yet [consumed](Self::consume). Early
    /// data is not part of it.
    pub fn plaintext(&self) -> &[u8] {
        if self.receiver.records.is_early_data() {
            &[]
        } else {
            self.receiver.records.deframer.held()
        }
    }

    /// Removes the first `count` bytes of [`plaintext`](Self::plaintext) or of
    /// [`early_plaintext`](Self::early_plaintext): the application has taken them.
    pub fn consume(&mut self, count: usize) {
        self.receiver.records.deframer.consume(count);
    }
}
