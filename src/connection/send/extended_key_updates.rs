//! Extended key updates that we begin and answer, in the place of KeyUpdates
//! (draft-ietf-tls-extended-key-update).
//!
//! One is begun when a KeyUpdate would be sent: by the program, by the policy, to ask the peer, or
//! before a key's limit. It renews the keys of both directions. Nothing waits for it: data is sent
//! under the old key until the update is complete. What the update owes the peer is sent like the
//! answer to a KeyUpdate (see `key_updates.rs`), and before our next data.

use core::time::Duration;

use crate::connection::notice::Notice;
use crate::connection::send::sender::Sender;
use crate::crypto::random::{Rng, SystemRandom};
use crate::handshake::ExtendedKeyUpdates;
use crate::record::SealError;

/// No update is begun sooner after the last. A peer of ours accepts ten a second.
const PAUSE: Duration = Duration::from_millis(125);

/// How many records a key must have left for an update to be begun: those of the longest request,
/// 1,225 bytes with X25519MLKEM768, in the shortest records, and of a finish.
const MIN_RECORDS: u64 = 32;

impl Sender {
    /// Keys are renewed by extended key updates from now on.
    pub(crate) fn agree(&mut self, extended: ExtendedKeyUpdates) {
        self.extended = Some(extended);
        self.renewal.policy.pause = self.renewal.policy.pause.max(PAUSE);
    }

    /// Returns true if a message of an update is owed, or if one is to be begun and can be now.
    pub(super) fn owes_extended(&self) -> bool {
        self.is_open() && (self.key_updates.owed() || self.begins_extended())
    }

    /// Returns true if an update is to be begun and can be now.
    fn begins_extended(&self) -> bool {
        self.key_updates.wants()
            && self.renewal.may_update()
            && self
                .extended
                .as_ref()
                .is_some_and(ExtendedKeyUpdates::can_begin)
    }

    /// Sends what is owed, and begins an update if one is wanted.
    pub(super) fn pay_extended(&mut self) -> Result<(), SealError> {
        if self.key_updates.owed() {
            self.send_extended()?;
        }
        if self.key_updates.wants() {
            self.begin_extended(false)?;
        }
        Ok(())
    }

    /// Sends the response or the finish that is owed, under the current key, and moves on to the
    /// next.
    pub(crate) fn send_extended(&mut self) -> Result<(), SealError> {
        self.key_updates.paid();
        let Some(owed) = self.extended.as_ref().and_then(ExtendedKeyUpdates::take) else {
            return Ok(());
        };
        self.message(&owed.message);
        self.flush_messages()?;
        self.install(owed.suite, owed.secret);
        self.renewal.updated();
        self.saw(Notice::KeyUpdateSent);
        Ok(())
    }

    /// Begins an update, or notes that one is wanted if the last was begun just now. If one is
    /// running, that renews the keys; `again` begins another after it, whose keys are of now.
    pub(super) fn begin_extended(&mut self, again: bool) -> Result<(), SealError> {
        if self.key_updates.owed() {
            self.send_extended()?;
        }
        let Some(seal) = &self.seal else {
            return Ok(());
        };
        if seal.records_left() < MIN_RECORDS {
            return if again {
                Err(SealError::KeyLimit)
            } else {
                Ok(())
            };
        }
        if self.key_updates.awaited() {
            self.key_updates.running(again);
            return Ok(());
        }
        if !self.renewal.may_update() {
            self.key_updates.want();
            return Ok(());
        }
        let Some(extended) = &self.extended else {
            return Ok(());
        };
        let request = with_random(|rng| extended.begin(rng)).map_err(|_| SealError::Internal {
            what: "making a key share for an extended key update",
        })?;
        match request {
            Some(request) => {
                self.message(&request);
                self.flush_messages()?;
                self.renewal.began();
                self.key_updates.began();
            }
            None => self.key_updates.running(again),
        }
        Ok(())
    }
}

/// Calls this with the system's random number generator: no call that sends is given one.
#[cfg(not(all(test, target_os = "linux")))]
fn with_random<T>(begin: impl FnOnce(&mut Rng<'_>) -> T) -> T {
    begin(&mut SystemRandom)
}

#[cfg(all(test, target_os = "linux"))]
use seeded::with_random;

/// For the search of another process's memory, which must make the same keys.
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod seeded {
    use std::cell::RefCell;

    use super::{Rng, SystemRandom};
    use crate::testing::seeded::Seeded;

    thread_local! {
        static SEEDED: RefCell<Option<Seeded>> = const { RefCell::new(None) };
    }

    /// The updates that this thread begins from now on use numbers from this seed.
    pub(crate) fn seed_updates(seed: u64) {
        SEEDED.set(Some(Seeded(seed)));
    }

    pub(super) fn with_random<T>(begin: impl FnOnce(&mut Rng<'_>) -> T) -> T {
        SEEDED.with_borrow_mut(|seeded| match seeded {
            Some(seeded) => begin(seeded),
            None => begin(&mut SystemRandom),
        })
    }
}
