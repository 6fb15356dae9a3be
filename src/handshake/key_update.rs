//! The messages that renew keys after the handshake, which are the same on both sides: KeyUpdate
//! (RFC 9846, 4.7.3), or ExtendedKeyUpdate in its place.

use crate::error::Fault;
use crate::handshake::extended_key_update::ExtendedKeyUpdates;
use crate::handshake::step::{Context, Wire};
use crate::level::Level;
use crate::message::{ExtendedKeyUpdate, KeyUpdate, KeyUpdateRequest};

/// How the peer renews keys.
pub(crate) struct KeyUpdates {
    /// `None` if extended key updates were not agreed on.
    pub(crate) extended: Option<ExtendedKeyUpdates>,
}

impl KeyUpdates {
    /// Returns the message that the peer may send, for the text of an error.
    pub(crate) fn expects(&self) -> &'static str {
        match self.extended {
            Some(_) => ExtendedKeyUpdate::NAME,
            None => KeyUpdate::NAME,
        }
    }

    /// RFC 9846, 4.7.3: the peer has moved on to its next keys.
    pub(crate) fn on_key_update(
        &self,
        message: &KeyUpdate,
        wire: Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Fault> {
        // "Implementations that receive a classic KeyUpdate message after successfully negotiating
        // the Extended Key Update functionality MUST terminate the connection with an
        // "unexpected_message" alert."
        if self.extended.is_some() {
            return Err(self.unexpected(KeyUpdate::NAME));
        }
        let aligned = wire.aligned(KeyUpdate::NAME)?;
        cx.sink.update_receive(
            aligned,
            message.request_update == KeyUpdateRequest::Requested,
        );
        Ok(())
    }

    /// A message of an extended key update.
    pub(crate) fn on_extended_key_update(
        &self,
        message: &ExtendedKeyUpdate<'_>,
        wire: Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Fault> {
        let Some(extended) = &self.extended else {
            return Err(self.unexpected(ExtendedKeyUpdate::NAME));
        };
        let bytes = wire.bytes;
        let aligned = wire.aligned(ExtendedKeyUpdate::NAME).ok();
        let outcome = extended.on_message(message, bytes, aligned, cx.now.monotonic, cx.rng)?;
        if let Some((aligned, suite, secret)) = outcome.receive {
            cx.sink
                .install_receive(aligned, Level::Application, suite, secret);
        }
        cx.sink.extended_key_update(outcome.step);
        Ok(())
    }

    fn unexpected(&self, got: &'static str) -> Fault {
        Fault::Unexpected {
            expected: self.expects(),
            got,
        }
    }
}
