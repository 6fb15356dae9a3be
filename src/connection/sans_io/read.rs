//! Reading: what was received goes where the application wants it.

use crate::connection::receive::caller_buffer::CallerBuffer;
use crate::connection::sans_io::connection::Connection;
use crate::connection::status::Status;
use crate::crypto::random::Rng;
use crate::error::Error;
use crate::time::Now;

impl Connection {
    /// Works on what was received, up to the first application data.
    ///
    /// A generator without a state of its own (size zero) counts as the system's for ML-KEM: see [`SystemRandom`](crate::SystemRandom).
    ///
    /// # Errors
    /// The first error sticks. The alert for the peer, if there is one, waits in the output.
    pub fn process(&mut self, now: Now, rng: &mut Rng<'_>) -> Result<Status, Error> {
        self.receiver.process(&mut CallerBuffer::new(&mut []), now, rng, &mut self.sender)
    }

    /// As [`process`](Self::process), and puts application data into `out`: what was held, then record after record, each decrypted from the buffer it was
    /// received into to where it belongs, without a copy. Goes on until `out` is full, or nothing more was received. Returns how many bytes of `out`
    /// are filled, and what to do next: [`Status::Data`] where there may be more to read. Of the rest of `out` nothing is to be relied on.
    ///
    /// Early data is not among it: [`Status::EarlyData`] says that it waits in [`early_plaintext`](Self::early_plaintext).
    ///
    /// # Errors
    /// As `process`. What came before an error is returned first, and the error by the next call.
    pub fn process_into(&mut self, out: &mut [u8], now: Now, rng: &mut Rng<'_>) -> Result<(usize, Status), Error> {
        self.receiver.process_into(out, now, rng, &mut self.sender)
    }

    /// What the peer sent and the application has not yet [`consume`](Self::consume)d. Early data is not among it.
    pub fn plaintext(&self) -> &[u8] {
        if self.receiver.records.is_early_data() { &[] } else { self.receiver.records.deframer.held() }
    }

    /// The application has taken the first `count` bytes of [`plaintext`](Self::plaintext), or of [`early_plaintext`](Self::early_plaintext).
    pub fn consume(&mut self, count: usize) {
        self.receiver.records.deframer.consume(count);
    }
}
