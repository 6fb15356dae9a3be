//! KeyUpdates that we send: owed to the peer, asked for by the application, due by the policy or
//! before a key's limit, or to ask the peer for its own (RFC 9846, 4.7.3 and 5.5).
//! [`PendingKeyUpdates`] records which are owed and awaited, [`Renewal`] knows the policy.
//!
//! A request to the peer goes out like an answer.
//!
//! When the peer's request is answered:
//!
//! 1. before our next data, as RFC 9846 requires, and by `flush`;
//! 2. once all that was received is processed, the answer is put in the output, for a program that
//!    sends its output when the transport takes it;
//! 3. never by a call of a stream that reads: if that waited for the peer to read while the peer
//!    waits for us to read, neither would return, and a transport cannot be asked whether it would
//!    wait. So two programs that use blocking streams wait for each other for ever only if they
//!    would without KeyUpdates that need an answer too (`tests/stream/waiting.rs`);
//! 4. at most one answer is unsent. It also answers what arrives until it is sent.
//!
//! [`PendingKeyUpdates`]: super::pending_key_updates::PendingKeyUpdates
//! [`Renewal`]: super::renewal::Renewal

use crate::code_point::ContentType;
use crate::connection::notice::Notice;
use crate::connection::send::sender::{EXTENDED_RESERVE, MAX_WAITING, RENEWAL_RESERVE, Sender};
use crate::message::{KeyUpdate, KeyUpdateRequest};
use crate::record::{Seal, SealError};

impl Sender {
    /// Renews the key before the next data, if the policy demands it, or before the AEAD's limit.
    /// RFC 9846, 5.5: "do a key update ... prior to reaching these limits".
    pub(super) fn renew(&mut self) -> Result<(), SealError> {
        if self.seal.as_ref().is_some_and(|seal| {
            (seal.records_left() <= self.renewal_reserve()
                || self.renewal.due(seal.used()).is_some())
                && seal.can_update()
        }) {
            self.key_update(false)?;
        }
        Ok(())
    }

    /// Returns how many records before the end of a key's life it is renewed, whatever the policy
    /// says. An extended key update needs an answer, which takes time.
    fn renewal_reserve(&self) -> u64 {
        match self.extended {
            None => RENEWAL_RESERVE,
            Some(_) => EXTENDED_RESERVE,
        }
    }

    /// Asks the peer for a new key, as soon as there is room for that. Ours is renewed too.
    pub(crate) fn ask_key_update(&mut self) -> Result<(), SealError> {
        self.key_updates.want();
        self.answer_key_update()
    }

    /// Sends the KeyUpdates that the peer asked for or is to be asked by, if there is room.
    pub(crate) fn answer_key_update(&mut self) -> Result<(), SealError> {
        // The output is bounded: a peer that asks and does not read gets its answer once it has
        // read.
        if self.waiting().len() < MAX_WAITING {
            self.pay_key_update()
        } else {
            Ok(())
        }
    }

    /// Sends the KeyUpdates that the peer asked for or is to be asked by, if we still may. A
    /// request does not count as an answer, so these can be two.
    pub(crate) fn pay_key_update(&mut self) -> Result<(), SealError> {
        if self.extended.is_some() {
            return self.pay_extended();
        }
        while self.owes_key_update() {
            self.key_update(self.key_updates.wants())?;
        }
        Ok(())
    }

    /// Returns true if the peer asked for a KeyUpdate, or is to be asked for one, and we have not
    /// sent ours and still may.
    ///
    /// RFC 9846, 4.7.3: "If a sending implementation receives a KeyUpdate with request_update set
    /// to update_requested, it MUST NOT send its own KeyUpdate if that would cause it to exceed
    /// these limits and SHOULD instead ignore the update_requested flag."
    pub(crate) fn owes_key_update(&self) -> bool {
        if self.extended.is_some() {
            return self.owes_extended();
        }
        (self.key_updates.owed() || self.key_updates.wants()) && self.can_key_update()
    }

    /// Returns true if another KeyUpdate may be sent.
    pub(super) fn can_key_update(&self) -> bool {
        self.seal.as_ref().is_some_and(Seal::can_update)
    }

    /// Sends a KeyUpdate under the old key and moves on to the next (RFC 9846, 4.7.3). `ask`
    /// requests the peer's too. Where extended key updates were agreed on, begins one instead.
    pub(crate) fn key_update(&mut self, ask: bool) -> Result<(), SealError> {
        if self.extended.is_some() {
            return self.begin_extended(ask);
        }
        let Some(seal) = &mut self.seal else {
            return Ok(());
        };
        if !seal.can_update() {
            return Err(SealError::KeyLimit);
        }
        let request_update = self.key_updates.send(ask);
        let message = KeyUpdate { request_update }
            .encode()
            .map_err(|_| SealError::Internal {
                what: "writing a KeyUpdate",
            })?;
        seal.seal(ContentType::HANDSHAKE, &message, 0, &mut self.records)?;
        seal.update()?;
        self.renewal.updated();
        self.observer.saw(Notice::KeyUpdateSent);
        if request_update == KeyUpdateRequest::NotRequested {
            self.key_updates.waits(self.records.waiting().len());
        }
        Ok(())
    }
}
