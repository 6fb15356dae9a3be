//! [`SendSide`]: what receiving demands of the sending side.

use crate::code_point::AlertDescription;
use crate::connection::notice::Notice;
use crate::connection::send::sender::Sender;
use crate::error::Error;
use crate::record::SealError;

/// What receiving demands of the sending side: a [`Sender`] at hand, or notes for the thread that
/// has it.
pub(crate) trait SendSide {
    /// Returns the sender itself, for a handshake to write to. `None` if another thread may hold
    /// it.
    fn sender(&mut self) -> Option<&mut Sender>;

    /// Reports a KeyUpdate from the peer; `answer` is whether it asks for ours before our next
    /// data. Returns true if it answers a request of ours.
    fn key_update(&mut self, answer: bool) -> bool;

    /// A message of an extended key update is owed to the peer.
    fn owe_extended(&mut self) -> Result<(), SealError>;

    /// Returns true if we have asked, or are to ask, for a KeyUpdate of the peer's that has not
    /// come, and if we cannot ask.
    fn cannot_ask(&self) -> bool;

    /// Asks the peer for a KeyUpdate (RFC 9846, 4.7.3).
    fn ask_key_update(&mut self) -> Result<(), SealError>;

    /// Returns how many records of application data were sealed since the last call.
    fn take_sealed(&mut self) -> usize;

    /// Returns the error that the connection failed with, if the sending side found it.
    fn failure(&self) -> Option<&Error>;

    /// Ends sending: the alert for the peer, if there is one, is the last that goes out, and the
    /// keys are wiped. The first error is final and is returned.
    fn fail(&mut self, error: Error) -> Error;
}

impl SendSide for Sender {
    fn sender(&mut self) -> Option<&mut Sender> {
        Some(self)
    }

    fn key_update(&mut self, answer: bool) -> bool {
        self.key_updates.received(answer)
    }

    fn owe_extended(&mut self) -> Result<(), SealError> {
        self.send_extended()
    }

    fn cannot_ask(&self) -> bool {
        self.key_updates.awaited() || self.key_updates.wants() || !self.can_key_update()
    }

    fn ask_key_update(&mut self) -> Result<(), SealError> {
        self.ask_key_update()
    }

    fn take_sealed(&mut self) -> usize {
        core::mem::take(&mut self.sealed)
    }

    fn failure(&self) -> Option<&Error> {
        None
    }

    fn fail(&mut self, error: Error) -> Error {
        self.saw(Notice::Failed(&error));
        // RFC 9846, section 6: after an error alert nothing further is sent, not even what waits.
        if let Error::AlertReceived { .. } = error {
            self.discard();
        }
        match error.alert() {
            // RFC 9846, 6.1: user_canceled "MUST be followed by a close_notify".
            Some(alert @ AlertDescription::USER_CANCELED) => {
                self.end(&[alert, AlertDescription::CLOSE_NOTIFY])
            }
            Some(alert) => self.end(&[alert]),
            None => self.end(&[]),
        }
        error
    }
}
