//! [`SendSide`]: what the receiving half demands of the one that sends.

use crate::code_point::AlertDescription;
use crate::connection::send::sender::Sender;
use crate::error::Error;

/// What the receiving half demands of the one that sends.
pub(crate) trait SendSide {
    /// That half itself, for a handshake to write to.
    fn sender(&mut self) -> Option<&mut Sender>;

    /// A KeyUpdate came; `answer` is whether it asks for one of ours before our next data. Says whether it answers one of ours.
    fn key_update(&mut self, answer: bool) -> bool;

    /// Whether application data was written since this was asked last, as far as the receiving half was not told.
    fn has_written(&mut self) -> bool;

    /// What the connection failed with, if the half that sends found it.
    fn failure(&self) -> Option<&Error>;

    /// The connection has failed: the alert for the peer, if there is one, is the last that goes out, and the keys are wiped. The first error sticks:
    /// returns that.
    fn fail(&mut self, error: Error) -> Error;
}

impl SendSide for Sender {
    fn sender(&mut self) -> Option<&mut Sender> {
        Some(self)
    }

    fn key_update(&mut self, answer: bool) -> bool {
        self.key_updates.received(answer)
    }

    fn has_written(&mut self) -> bool {
        false
    }

    fn failure(&self) -> Option<&Error> {
        None
    }

    fn fail(&mut self, error: Error) -> Error {
        // RFC 9846, section 6: after an error alert nothing further is sent, not even what waits.
        if let Error::AlertReceived(_) = error {
            self.discard();
        }
        match error.alert() {
            // RFC 9846, 6.1: user_canceled "MUST be followed by a close_notify".
            Some(alert @ AlertDescription::USER_CANCELED) => self.end(&[alert, AlertDescription::CLOSE_NOTIFY]),
            Some(alert) => self.end(&[alert]),
            None => self.end(&[]),
        }
        error
    }
}
