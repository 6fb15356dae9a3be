//! [`ConnectionSink`]: the handshake's sink over records.
//!
//! What a step decides about sending is done at once. What it decides about receiving waits here
//! until the step has returned, because the receiver still holds the message that the step works
//! on.

use crate::connection::notice::Notice;
use crate::connection::send::sender::Sender;
use crate::crypto::suite::Suite;
use crate::handshake::{Established, Event, ExtendedStep, Sink, SkipMode};
use crate::key_schedule::TrafficSecret;
use crate::level::Level;
use crate::record::Aligned;

/// The handshake's sink over records: it writes to the sender, and keeps what concerns receiving
/// until the step is over.
pub(crate) struct ConnectionSink<'a> {
    /// None once the handshake is complete and another thread may hold the sender: nothing is
    /// written then.
    pub(crate) sender: Option<&'a mut Sender>,
    pub(crate) decided: Decided,
}

impl ConnectionSink<'_> {
    fn sender(&mut self, write: impl FnOnce(&mut Sender)) {
        match &mut self.sender {
            Some(sender) => write(sender),
            None => self.decided.misplaced = Some("writing for a handshake that is over"),
        }
    }
}

/// What one step decided about receiving, and told the application.
#[derive(Default)]
pub(crate) struct Decided {
    pub(crate) receive: Option<ReceiveKey>,
    pub(crate) limit_receive: Option<usize>,
    pub(crate) extended_key_update: Option<ExtendedStep>,
    pub(crate) skip_early_data: Option<(SkipMode, usize)>,
    pub(crate) connected: Option<Established>,
    /// An internal error.
    pub(crate) misplaced: Option<&'static str>,
}

/// A change of the receiving keys.
pub(crate) enum ReceiveKey {
    Install(Suite, TrafficSecret),
    /// Keys for at most so many bytes of early data.
    Early(Suite, TrafficSecret, u32),
    Update {
        answer: bool,
    },
}

impl Sink for ConnectionSink<'_> {
    fn send(&mut self, level: Level, message: &[u8]) {
        self.sender(|sender| match level {
            Level::Plaintext | Level::Early | Level::Handshake => sender.message(message),
            // After the handshake, only tickets are written.
            Level::Application => sender.ticket(message),
        });
    }

    fn install_send(&mut self, _level: Level, suite: Suite, secret: TrafficSecret) {
        self.sender(|sender| sender.install(suite, secret));
    }

    fn install_receive(&mut self, _: Aligned, _level: Level, suite: Suite, secret: TrafficSecret) {
        self.decided.receive = Some(ReceiveKey::Install(suite, secret));
    }

    fn offer_early_data(&mut self, suite: Suite, secret: TrafficSecret, max_size: u32) {
        self.sender(|sender| sender.offer_early_data(suite, secret, max_size));
    }

    fn defer_send(&mut self, suite: Suite, secret: TrafficSecret) {
        self.sender(|sender| sender.defer(suite, secret));
    }

    fn end_early_data(&mut self) {
        self.sender(|sender| sender.end_early_data());
    }

    fn accept_early_data(
        &mut self,
        _: Aligned,
        suite: Suite,
        secret: TrafficSecret,
        max_size: u32,
    ) {
        self.decided.receive = Some(ReceiveKey::Early(suite, secret, max_size));
    }

    fn update_receive(&mut self, _: Aligned, answer: bool) {
        self.decided.receive = Some(ReceiveKey::Update { answer });
    }

    fn extended_key_update(&mut self, step: ExtendedStep) {
        self.decided.extended_key_update = Some(step);
    }

    fn limit_send(&mut self, limit: usize) {
        self.sender(|sender| sender.limit(limit));
    }

    fn limit_receive(&mut self, limit: usize) {
        self.decided.limit_receive = Some(limit);
    }

    fn change_cipher_spec(&mut self) {
        self.sender(|sender| sender.change_cipher_spec());
    }

    fn owe_change_cipher_spec(&mut self) {
        self.sender(|sender| sender.owe_change_cipher_spec());
    }

    fn skip_early_data(&mut self, mode: SkipMode, budget: usize) {
        self.decided.skip_early_data = Some((mode, budget));
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::TicketOffered => self.sender(|sender| sender.saw(Notice::TicketOffered)),
            Event::ReplayRefused => self.sender(|sender| sender.saw(Notice::ReplayRefused)),
            Event::Connected(established) => {
                if let Some(extended) = established.extended.clone() {
                    self.sender(|sender| sender.agree(extended));
                }
                self.decided.connected = Some(established);
            }
        }
    }
}
