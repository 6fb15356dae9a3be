//! [`PendingKeyUpdates`]: whether we owe the peer a KeyUpdate, and whether we await one from it
//! (RFC 9846, 4.7.3). `key_updates.rs` sends them.
//!
//! The keys themselves are updated where they live: in `record::Seal`, which also counts the
//! generations, for what we send, and in `record::Open` for what we receive.

use crate::message::KeyUpdateRequest;

/// The KeyUpdates of one connection that have been asked for and not sent yet.
#[derive(Debug, Default)]
pub(crate) struct PendingKeyUpdates {
    /// The peer asked for one that we have not sent yet.
    owed: bool,
    /// We asked for one that has not come yet.
    awaited: bool,
    /// We are to ask for one.
    wanted: bool,
    /// We are to begin another extended key update once the one that is running is complete.
    again: bool,
    /// How many bytes wait for the transport up to the end of the last one that can be an answer.
    unsent: usize,
}

impl PendingKeyUpdates {
    /// Accounts for a KeyUpdate from the peer; `answer` is whether it asks for ours. Returns true
    /// if it answers a request of ours.
    ///
    /// RFC 9846, 4.7.3: several requests before our answer are answered by a single update.
    pub(crate) fn received(&mut self, answer: bool) -> bool {
        self.asked(answer);
        self.wanted = false;
        core::mem::take(&mut self.awaited)
    }

    /// Accounts for whether the peer asked. An answer that has not gone out yet is sent after what
    /// it asked, and so answers that too: at most one waits, however often the peer asks.
    fn asked(&mut self, asked: bool) {
        self.owed |= asked && self.unsent == 0;
    }

    /// Takes over what another thread received: whether an update was asked for, whether the
    /// answer to ours is still to come, and whether the peer is to be asked.
    pub(crate) fn heard(&mut self, asked: bool, awaited: bool, wanted: bool) {
        self.asked(asked);
        self.awaited = awaited;
        self.wanted = wanted;
    }

    /// The peer is to be asked for one.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
    }

    /// Returns true if the peer is to be asked for one. RFC 9846, 4.7.3: not while one is awaited.
    pub(crate) fn wants(&self) -> bool {
        (self.wanted || self.again) && !self.awaited
    }

    /// Returns true if we asked for one that has not come yet.
    pub(crate) fn awaited(&self) -> bool {
        self.awaited
    }

    /// Returns true if one must go out before the next application data.
    pub(crate) fn owed(&self) -> bool {
        self.owed
    }

    /// Accounts for a KeyUpdate that is about to be sent, and returns its content. `ask` is whether
    /// the peer should renew its keys too.
    ///
    /// RFC 9846, 4.7.3: an answer has "request_update set to update_not_requested", and where two
    /// requests cross, "each side will also send a response". So a request does not settle what is
    /// owed.
    pub(crate) fn send(&mut self, ask: bool) -> KeyUpdateRequest {
        // RFC 9846, 4.7.3: "Until receiving a subsequent KeyUpdate from the peer, the sender MUST
        // NOT send another KeyUpdate with request_update set to update_requested."
        if ask && !self.awaited {
            self.awaited = true;
            self.wanted = false;
            KeyUpdateRequest::Requested
        } else {
            self.owed = false;
            KeyUpdateRequest::NotRequested
        }
    }

    /// An extended key update was begun: the peer's part of it is awaited.
    pub(crate) fn began(&mut self) {
        self.awaited = true;
        self.wanted = false;
        self.again = false;
    }

    /// An extended key update is running, or none is possible. `again` wants another after it.
    pub(crate) fn running(&mut self, again: bool) {
        self.wanted = false;
        self.again |= again;
    }

    /// What an extended key update owes is about to be sent.
    pub(crate) fn paid(&mut self) {
        self.owed = false;
    }

    /// Accounts for a KeyUpdate that can be an answer and is the last of `waiting` bytes that wait
    /// for the transport.
    pub(crate) fn waits(&mut self, waiting: usize) {
        self.unsent = waiting;
    }

    /// Accounts for `count` bytes that the transport took.
    pub(crate) fn sent(&mut self, count: usize) {
        self.unsent = self.unsent.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_requests_are_answered_by_one_update() {
        let mut updates = PendingKeyUpdates::default();
        assert!(!updates.owed());
        updates.received(true);
        updates.received(true);
        assert!(updates.owed());
        assert_eq!(updates.send(false), KeyUpdateRequest::NotRequested);
        assert!(!updates.owed());
    }

    #[test]
    fn an_unsent_answer_answers_what_is_asked_meanwhile() {
        let mut updates = PendingKeyUpdates::default();
        updates.received(true);
        updates.send(false);
        updates.waits(100);
        updates.received(true);
        updates.heard(true, false, false);
        updates.sent(99);
        updates.received(true);
        assert!(!updates.owed());
        updates.sent(1);
        updates.received(true);
        assert!(updates.owed());
    }

    #[test]
    fn asking_is_no_answer() {
        let mut updates = PendingKeyUpdates::default();
        updates.received(true);
        assert_eq!(updates.send(true), KeyUpdateRequest::Requested);
        assert!(updates.owed());
        assert_eq!(updates.send(true), KeyUpdateRequest::NotRequested);
        assert!(!updates.owed());
    }

    #[test]
    fn at_most_one_request_is_outstanding() {
        let mut updates = PendingKeyUpdates::default();
        assert_eq!(updates.send(true), KeyUpdateRequest::Requested);
        assert_eq!(updates.send(true), KeyUpdateRequest::NotRequested);
        assert!(updates.received(false), "an answer to ours");
        assert!(!updates.received(false), "not asked for");
        assert_eq!(updates.send(true), KeyUpdateRequest::Requested);
    }
}
