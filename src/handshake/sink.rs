//! [`Sink`]: receives the handshake's decisions.
//!
//! The state machines take nothing out of a connection. They tell a sink what they decided, so
//! information flows one way. The TCP connection is a sink (it splits messages into records and
//! protects alerts), and so is a recorder in a test. A QUIC stack could be one.

use crate::crypto::suite::Suite;
use crate::handshake::extended_key_update::ExtendedStep;
use crate::handshake::negotiated::Established;
use crate::key_schedule::TrafficSecret;
use crate::level::Level;
use crate::record::Aligned;

/// Receives the handshake's decisions.
pub(crate) trait Sink {
    /// Sends a handshake message, with its header, under the keys of `level`.
    fn send(&mut self, level: Level, message: &[u8]);

    /// Installs new sending keys, from the next message on.
    fn install_send(&mut self, level: Level, suite: Suite, secret: TrafficSecret);

    /// Installs new receiving keys, from the next record on. The token proves that the message
    /// which brought them ended its record (RFC 9846, 5.1).
    fn install_receive(
        &mut self,
        aligned: Aligned,
        level: Level,
        suite: Suite,
        secret: TrafficSecret,
    );

    /// Allows the client to send `max_size` bytes of early data under these keys (RFC 9846,
    /// 4.3.10), until it sends under other keys.
    fn offer_early_data(&mut self, suite: Suite, secret: TrafficSecret, max_size: u32);

    /// Keeps new sending keys for later: early data continues under the current ones until
    /// [`end_early_data`](Self::end_early_data). An alert is sent under the new keys at once (RFC
    /// 9846, A.1: clients "SHOULD first rekey to the handshake keys if possible").
    fn defer_send(&mut self, suite: Suite, secret: TrafficSecret);

    /// Ends early data. The deferred keys take over; if there are none, after a HelloRetryRequest,
    /// sending is unprotected again.
    fn end_early_data(&mut self);

    /// Accepts the client's early data: records are received under these keys, with at most
    /// `max_size` bytes of application data, until [`install_receive`](Self::install_receive).
    fn accept_early_data(
        &mut self,
        aligned: Aligned,
        suite: Suite,
        secret: TrafficSecret,
        max_size: u32,
    );

    /// Moves on to the next generation of the peer's application keys. `answer` is true if the peer
    /// asks us to renew ours too (RFC 9846, 4.7.3).
    fn update_receive(&mut self, aligned: Aligned, answer: bool);

    /// A message of an extended key update came. What it led to is kept in the connection's
    /// [`ExtendedKeyUpdates`](crate::handshake::ExtendedKeyUpdates).
    fn extended_key_update(&mut self, step: ExtendedStep);

    /// Limits the TLSInnerPlaintext of protected records that we send (content, content type and
    /// padding) to `limit` bytes, under the current and all later keys (RFC 8449, section 4). A
    /// value below 64 or above the standard's maximum counts as that bound.
    fn limit_send(&mut self, limit: usize);

    /// Limits what we receive in the same way, from the next record on. Records already received
    /// under the current keys must have kept the limit too, except early data, whose sender has not
    /// seen the limit yet.
    fn limit_receive(&mut self, limit: usize);

    /// Sends the dummy ChangeCipherSpec of middlebox compatibility mode now, unless it was sent
    /// before (RFC 9846, E.4).
    fn change_cipher_spec(&mut self);

    /// Sends the dummy ChangeCipherSpec immediately before the next message or alert, unless it was
    /// sent before.
    fn owe_change_cipher_spec(&mut self);

    /// Drops records of early data that we rejected, up to `budget` bytes of ciphertext (RFC 9846,
    /// 4.3.10).
    fn skip_early_data(&mut self, mode: SkipMode, budget: usize);

    /// Reports an event to the application.
    fn event(&mut self, event: Event);
}

/// How rejected early data is recognized (RFC 9846, 4.3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SkipMode {
    /// After a ServerHello: records that do not open under the handshake key are skipped. The first
    /// record that opens ends this.
    Trial,
    /// After a HelloRetryRequest, without keys: records of outer type application_data are skipped.
    /// The second ClientHello ends this.
    OuterType,
}

/// What the application should learn from a handshake: by what it negotiated, or by counters.
pub(crate) enum Event {
    /// A client offers a ticket, which is thereby used up.
    TicketOffered,
    /// A server rejects early data because it was seen before.
    ReplayRefused,
    /// The handshake is complete on our side: both Finished messages are sent and verified.
    Connected(Established),
}
