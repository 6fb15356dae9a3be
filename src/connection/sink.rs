//! The sink of a connection over records (`handshake::Sink`).
//!
//! What a step decides about sending is done at once; what it decides about receiving waits here until it has returned, because the message
//! that it works on is still in the inbound half's hands.

use crate::connection::outbound::Outbound;
use crate::crypto::suite::Suite;
use crate::handshake::{Event, Sink, SkipMode};
use crate::key_schedule::TrafficSecret;
use crate::level::Level;
use crate::record::Aligned;

/// The sink of a connection over records: it writes to the outbound half, and keeps what concerns the inbound half until the step is over.
pub(super) struct Handshake<'a> {
    /// None when the handshake is over and another thread may hold it: nothing is written then.
    pub(super) outbound: Option<&'a mut Outbound>,
    pub(super) decided: Decided,
}

impl Handshake<'_> {
    fn outbound(&mut self, write: impl FnOnce(&mut Outbound)) {
        match &mut self.outbound {
            Some(outbound) => write(outbound),
            None => self.decided.misplaced = Some("writing for a handshake that is over"),
        }
    }
}

/// What one step decided about the reading half, and told the application.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) read: Option<ReadKey>,
    pub(super) limit_read: Option<usize>,
    pub(super) skip_early_data: Option<(SkipMode, usize)>,
    pub(super) event: Option<Event>,
    /// A mistake of ours.
    pub(super) misplaced: Option<&'static str>,
}

/// A change of the keys for reading.
pub(super) enum ReadKey {
    Install(Suite, TrafficSecret),
    /// For so many bytes of early data.
    Early(Suite, TrafficSecret, u32),
    Update {
        answer: bool,
    },
}

impl Sink for Handshake<'_> {
    fn write(&mut self, level: Level, message: &[u8]) {
        self.outbound(|outbound| match level {
            Level::Plaintext | Level::Early | Level::Handshake => outbound.message(message),
            // After the handshake nothing is written but tickets.
            Level::Application => outbound.ticket(message),
        });
    }

    fn install_write(&mut self, _level: Level, suite: Suite, secret: TrafficSecret) {
        self.outbound(|outbound| outbound.install(suite, secret));
    }

    fn install_read(&mut self, _: Aligned, _level: Level, suite: Suite, secret: TrafficSecret) {
        self.decided.read = Some(ReadKey::Install(suite, secret));
    }

    fn offer_early_data(&mut self, suite: Suite, secret: TrafficSecret, max_size: u32) {
        self.outbound(|outbound| outbound.offer_early_data(suite, secret, max_size));
    }

    fn defer_write(&mut self, suite: Suite, secret: TrafficSecret) {
        self.outbound(|outbound| outbound.defer(suite, secret));
    }

    fn end_early_data(&mut self) {
        self.outbound(|outbound| outbound.end_early_data());
    }

    fn accept_early_data(&mut self, _: Aligned, suite: Suite, secret: TrafficSecret, max_size: u32) {
        self.decided.read = Some(ReadKey::Early(suite, secret, max_size));
    }

    fn update_read(&mut self, _: Aligned, answer: bool) {
        self.decided.read = Some(ReadKey::Update { answer });
    }

    fn limit_write(&mut self, limit: usize) {
        self.outbound(|outbound| outbound.limit(limit));
    }

    fn limit_read(&mut self, limit: usize) {
        self.decided.limit_read = Some(limit);
    }

    fn change_cipher_spec(&mut self) {
        self.outbound(|outbound| outbound.change_cipher_spec());
    }

    fn skip_early_data(&mut self, mode: SkipMode, budget: usize) {
        self.decided.skip_early_data = Some((mode, budget));
    }

    fn event(&mut self, event: Event) {
        self.decided.event = Some(event);
    }
}
