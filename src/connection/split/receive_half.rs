//! [`ReceiveHalf`]: the half of a split connection that receives.
//!
//! It never sends by itself. A KeyUpdate that the peer asks for is noted for the other half, which
//! sends it before its next data or at a flush: sealing it here would need the lock, and sending it
//! could wait for a peer that does not read (RFC 9846, 4.7.3 asks only for the former). A failure
//! is noted too, and so is the alert that somebody has to send at once; see
//! [`Shared`](super::Shared).

#[cfg(feature = "tokio")]
use core::time::Duration;
use std::io;

use crate::connection::notice::Notice;
use crate::connection::receive::receiver::Receiver;
use crate::connection::send::send_side::SendSide;
use crate::connection::send::sender::Sender;
use crate::connection::split::notes::{ASKED, AWAITED, Notes, WANTED};
use crate::connection::status::Status;
use crate::crypto::random::SystemRandom;
use crate::error::Error;
use crate::record::SealError;
use crate::secret::Secret;
use crate::time::Now;

/// The half that receives: records, and the state machine that they feed.
pub(crate) struct ReceiveHalf {
    pub(super) receiver: Receiver,
}

impl ReceiveHalf {
    pub(crate) fn input(&mut self) -> &mut [u8] {
        self.receiver.records.deframer.space()
    }

    /// Returns true if neither a partial record nor unread plaintext is buffered.
    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.records.deframer.is_empty()
    }

    pub(crate) fn received(&mut self, count: usize) {
        self.receiver.records.received(count);
    }

    pub(crate) fn received_nothing(&mut self) {
        self.receiver.records.deframer.filled_nothing();
    }

    pub(crate) fn received_end(&mut self) {
        self.receiver.records.ended = true;
    }

    /// Returns true if the connection can end by time, or from outside.
    pub(crate) fn is_limited(&self) -> bool {
        self.receiver.is_limited()
    }

    /// Returns when the connection is over, on the monotonic clock.
    #[cfg(feature = "tokio")]
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.receiver.next_timeout()
    }

    pub(crate) fn plaintext(&self) -> &[u8] {
        self.receiver.records.deframer.held()
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.receiver.records.deframer.consume(count);
    }

    /// Like [`Connection::epoch`](crate::Connection::epoch).
    pub(crate) fn epoch(&self) -> u64 {
        self.receiver.epoch()
    }

    /// Like [`Connection::export_epoch_keying_material`].
    ///
    /// [`Connection::export_epoch_keying_material`]: crate::Connection::export_epoch_keying_material
    pub(crate) fn export_epoch(
        &self,
        epoch: u64,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<Secret, Error> {
        self.receiver.export_epoch(epoch, label, context, length)
    }

    /// Reports an error of the transport, which ends this direction.
    pub(crate) fn transport_failed(&self, error: &io::Error) {
        self.receiver.saw(Notice::TransportFailed(error));
    }

    /// Like [`Connection::process_into`](crate::Connection::process_into).
    pub(crate) fn process_into(
        &mut self,
        out: &mut [u8],
        now: Now,
        mut notes: &Notes<Error>,
    ) -> Result<(usize, Status), Error> {
        self.receiver
            .process_into(out, now, &mut SystemRandom, &mut notes)
    }
}

/// What receiving demands of sending is left as a note for the other half.
impl SendSide for &Notes<Error> {
    fn sender(&mut self) -> Option<&mut Sender> {
        None
    }

    fn key_update(&mut self, answer: bool) -> bool {
        if answer {
            self.leave(ASKED);
        }
        self.take(WANTED);
        self.take(AWAITED)
    }

    fn owe_extended(&mut self) -> Result<(), SealError> {
        self.leave(ASKED);
        Ok(())
    }

    fn cannot_ask(&self) -> bool {
        self.has(AWAITED | WANTED)
    }

    fn ask_key_update(&mut self) -> Result<(), SealError> {
        self.leave(WANTED);
        Ok(())
    }

    fn take_sealed(&mut self) -> usize {
        Notes::take_sealed(self)
    }

    fn failure(&self) -> Option<&Error> {
        Notes::failure(self)
    }

    fn fail(&mut self, error: Error) -> Error {
        Notes::fail(self, error).clone()
    }
}
