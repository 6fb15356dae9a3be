//! [`Sink`]: where the handshake's decisions go.
//!
//! The state machines pull nothing out of a connection. They tell a sink what they decided, and
//! facts go one way. The TCP connection is a sink (fragmentation into records, alert protection); a
//! recorder in a test is one; a QUIC stack could be one.

use crate::crypto::suite::Suite;
use crate::handshake::negotiated::Established;
use crate::key_schedule::TrafficSecret;
use crate::level::Level;
use crate::record::Aligned;

/// Where the handshake's decisions go.
pub(crate) trait Sink {
    /// A handshake message to send, with its header, under the keys of `level`.
    fn send(&mut self, level: Level, message: &[u8]);

    /// New keys for what we send, from the next message on.
    fn install_send(&mut self, level: Level, suite: Suite, secret: TrafficSecret);

    /// New keys for what we receive, from the next record on. The token proves that the message
    /// which brought them ended its record (RFC 9846, 5.1).
    fn install_receive(
        &mut self,
        aligned: Aligned,
        level: Level,
        suite: Suite,
        secret: TrafficSecret,
    );

    /// The client may send `max_size` bytes of early data under these keys (RFC 9846, 4.3.10): from
    /// here on, until what it sends has other keys.
    fn offer_early_data(&mut self, suite: Suite, secret: TrafficSecret, max_size: u32);

    /// New keys for what we send, for later: early data goes on under those of now until
    /// [`end_early_data`](Self::end_early_data). An alert does not wait (RFC 9846, A.1: clients
    /// "SHOULD first rekey to the handshake keys if possible").
    fn defer_send(&mut self, suite: Suite, secret: TrafficSecret);

    /// No more early data is sent: the keys that were deferred take over; if there are none, after
    /// a HelloRetryRequest, there is no protection again.
    fn end_early_data(&mut self);

    /// The client's early data is taken: what is received is under these keys, and at most
    /// `max_size` bytes of application data, until [`install_receive`](Self::install_receive).
    fn accept_early_data(
        &mut self,
        aligned: Aligned,
        suite: Suite,
        secret: TrafficSecret,
        max_size: u32,
    );

    /// The peer has moved on to the next generation of its application keys, and wants us to do the
    /// same if `answer` (RFC 9846, 4.7.3).
    fn update_receive(&mut self, aligned: Aligned, answer: bool);

    /// The TLSInnerPlaintext of a protected record that we send, content, content type and padding,
    /// is at most `limit` bytes long from here on, whatever keys come later (RFC 8449, section 4).
    /// What is under 64 or over what the standard allows counts as that.
    fn limit_send(&mut self, limit: usize);

    /// The same for what we receive, from the next record on; one that came before under the keys
    /// of now had to be within it too. Early data is not: whoever sends it has not heard of the
    /// limit yet.
    fn limit_receive(&mut self, limit: usize);

    /// The dummy ChangeCipherSpec of the middlebox compatibility mode stands here, unless it was
    /// sent before (RFC 9846, E.4).
    fn change_cipher_spec(&mut self);

    /// The client sends early data that we do not take: records of it are dropped, up to `budget`
    /// bytes of ciphertext (RFC 9846, 4.3.10).
    fn skip_early_data(&mut self, mode: SkipMode, budget: usize);

    /// What the application should learn.
    fn event(&mut self, event: Event);
}

/// How early data that we do not take is told from what we wait for (RFC 9846, 4.3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SkipMode {
    /// After a full answer: it does not open under the handshake key. The first record that does
    /// ends it.
    Trial,
    /// After a HelloRetryRequest, when there are no keys: its outer type is application_data. The
    /// second ClientHello ends it.
    OuterType,
}

/// What the application should learn from a handshake.
pub(crate) enum Event {
    /// The handshake is complete on our side: both Finished messages are sent and verified.
    Connected(Established),
}
