//! [`Notes`]: what the two halves of a connection tell each other without a lock.

use crate::sync::{AtomicU8, AtomicU32, OnceLock, Ordering};

/// The peer asked for a KeyUpdate of ours, or an extended key update owes it a message.
pub(crate) const ASKED: u8 = 1;
/// We asked for a KeyUpdate of the peer's that has not come. The sending half sets this note, the
/// receiving half clears it.
pub(crate) const AWAITED: u8 = 2;
/// The peer is to be asked for a KeyUpdate. The receiving half sets this note, and clears it if the
/// peer renews its key by itself. The sending half clears it once it has asked.
pub(crate) const WANTED: u8 = 8;
/// The connection has failed.
const FAILED: u8 = 4;

/// So many sealed records are counted at most while nobody takes them. It is more than the
/// receiving half uses, and far from the end of the number.
const MAX_SEALED: u32 = 1 << 20;

/// What the halves tell each other without a lock.
pub(crate) struct Notes<E> {
    bits: AtomicU8,
    /// How many records of application data the sending half has sealed since the receiving half
    /// last asked.
    sealed: AtomicU32,
    failure: OnceLock<E>,
}

impl<E> Notes<E> {
    /// Begins with `notes` set.
    pub(super) fn new(notes: u8) -> Self {
        Self {
            bits: AtomicU8::new(notes),
            sealed: AtomicU32::new(0),
            failure: OnceLock::new(),
        }
    }

    pub(crate) fn has(&self, note: u8) -> bool {
        self.bits.load(Ordering::Acquire) & note != 0
    }

    /// Leaves a note. One that is there already costs no more than a load.
    pub(crate) fn leave(&self, note: u8) {
        if !self.has(note) {
            self.bits.fetch_or(note, Ordering::AcqRel);
        }
    }

    /// Removes a note. Returns true if it was there.
    pub(crate) fn take(&self, note: u8) -> bool {
        self.has(note) && self.bits.fetch_and(!note, Ordering::AcqRel) & note != 0
    }

    /// Notes that `count` records of application data were sealed.
    pub(crate) fn add_sealed(&self, count: usize) {
        if count > 0 && self.sealed.load(Ordering::Relaxed) < MAX_SEALED {
            let count = u32::try_from(count).unwrap_or(MAX_SEALED).min(MAX_SEALED);
            self.sealed.fetch_add(count, Ordering::AcqRel);
        }
    }

    /// Returns how many were sealed since the last call. Without any, it costs no more than a load.
    pub(crate) fn take_sealed(&self) -> usize {
        if self.sealed.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let count = self.sealed.swap(0, Ordering::AcqRel);
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has(FAILED)
    }

    /// Returns the error that the connection failed with, whichever half found it.
    pub(crate) fn failure(&self) -> Option<&E> {
        if self.has_failed() {
            self.failure.get()
        } else {
            None
        }
    }

    /// Notes that the connection has failed. The first error is final and is returned.
    pub(crate) fn fail(&self, error: E) -> &E {
        let first = self.failure.get_or_init(|| error);
        self.leave(FAILED);
        first
    }
}
