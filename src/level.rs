//! [`Level`]: the stage of a connection that keys belong to.

/// The stage of a connection that keys belong to, in the order of RFC 9846, section 7.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// No keys yet: ClientHello, ServerHello, HelloRetryRequest.
    Plaintext,
    /// Keys of the client_early_traffic_secret: what a client sends before the server has answered.
    Early,
    /// Keys of a handshake traffic secret.
    Handshake,
    /// Keys of an application traffic secret, of any generation.
    Application,
}
