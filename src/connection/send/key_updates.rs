//! KeyUpdates that we send: owed to the peer, asked for by the application, or due before a key's
//! limit (RFC 9846, 4.7.3 and 5.5). [`PendingKeyUpdates`] records which are owed and awaited.
//!
//! [`PendingKeyUpdates`]: super::pending_key_updates::PendingKeyUpdates

use crate::code_point::ContentType;
use crate::connection::send::sender::{MAX_WAITING, RENEWAL_RESERVE, Sender};
use crate::message::KeyUpdate;
use crate::record::{Seal, SealError};

impl Sender {
    /// Renews the key before its limit. RFC 9846, 5.5: "do a key update ... prior to reaching these
    /// limits".
    pub(super) fn renew(&mut self) -> Result<(), SealError> {
        if self
            .seal
            .as_ref()
            .is_some_and(|seal| seal.records_left() <= RENEWAL_RESERVE && seal.can_update())
        {
            self.key_update(false)?;
        }
        Ok(())
    }

    /// Sends the KeyUpdate that the peer asked for, if there is room.
    pub(crate) fn answer_key_update(&mut self) -> Result<(), SealError> {
        // The output is bounded: a peer that asks and does not read gets its answer once it has
        // read.
        if self.waiting().len() < MAX_WAITING {
            self.pay_key_update()
        } else {
            Ok(())
        }
    }

    /// Sends the KeyUpdate that the peer asked for, if we still may.
    pub(super) fn pay_key_update(&mut self) -> Result<(), SealError> {
        if self.owes_key_update() {
            self.key_update(false)
        } else {
            Ok(())
        }
    }

    /// Returns true if the peer asked for a KeyUpdate that we have not sent and still may send.
    ///
    /// RFC 9846, 4.7.3: "If a sending implementation receives a KeyUpdate with request_update set
    /// to update_requested, it MUST NOT send its own KeyUpdate if that would cause it to exceed
    /// these limits and SHOULD instead ignore the update_requested flag."
    pub(crate) fn owes_key_update(&self) -> bool {
        self.key_updates.owed() && self.seal.as_ref().is_some_and(Seal::can_update)
    }

    /// Sends a KeyUpdate under the old key and moves on to the next (RFC 9846, 4.7.3). `ask`
    /// requests the peer's too.
    pub(crate) fn key_update(&mut self, ask: bool) -> Result<(), SealError> {
        let Some(seal) = &mut self.seal else {
            return Ok(());
        };
        if !seal.can_update() {
            return Err(SealError::KeyLimit);
        }
        let message = KeyUpdate {
            request_update: self.key_updates.send(ask),
        }
        .encode()
        .map_err(|_| SealError::Internal {
            what: "writing a KeyUpdate",
        })?;
        seal.seal(ContentType::HANDSHAKE, &message, 0, &mut self.records)?;
        seal.update()
    }
}
