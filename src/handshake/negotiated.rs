//! [`Negotiated`]: what a handshake agreed on, for the application. [`Established`]: all that it
//! leaves to the connection.

use crate::code_point::{CipherSuite, NamedGroup};
use crate::identity::Peer;
use crate::key_schedule::ExporterSecret;
use crate::session::{ExternalPsk, StoredSessions, Whose};

/// What a complete handshake leaves to the connection.
pub(crate) struct Established {
    pub(crate) negotiated: Negotiated,
    /// Keying material for the application derives from it.
    pub(crate) exporter: ExporterSecret,
    /// What this connection's tickets put into a client's cache, to be forgotten if it fails.
    pub(crate) stored: Option<StoredSessions>,
}

/// What a handshake agreed on.
#[derive(Clone, Debug)]
pub struct Negotiated {
    pub(crate) cipher_suite: CipherSuite,
    pub(crate) group: NamedGroup,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) server_name: Option<String>,
    pub(crate) whose: Whose,
    pub(crate) resumed: bool,
    pub(crate) early_data: EarlyData,
}

/// The outcome of early data (RFC 9846, 4.3.10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyData {
    /// The client offered none: it was not configured to, or had no session that allows it.
    #[default]
    NotOffered,
    /// The server accepted all that was sent, before anything else. That may be nothing: only the
    /// client knows whether it sent any.
    Accepted,
    /// The server accepted none of it, for reasons that it need not give. Nothing is sent again
    /// automatically: only the application knows whether that is right, as the connection is now
    /// another one (F.5).
    Rejected,
}

impl Negotiated {
    /// Returns the cipher suite that protects the records.
    pub fn cipher_suite(&self) -> CipherSuite {
        self.cipher_suite
    }

    /// Returns the group in which the keys were agreed.
    pub fn group(&self) -> NamedGroup {
        self.group
    }

    /// Returns the application protocol, if both sides support ALPN (RFC 7301).
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// Returns the DNS name that the client asked for, if any, in lower case.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Returns who the peer is, if it authenticated with a certificate or a key. A server always
    /// does so, except with an [`external_psk`](Self::external_psk).
    pub fn peer(&self) -> Option<&Peer> {
        self.whose.peer()
    }

    /// Returns the external PSK with which both sides authenticated, if they did so. Its
    /// [`peer_name`](ExternalPsk::peer_name) is then the peer.
    pub fn external_psk(&self) -> Option<&ExternalPsk> {
        self.whose.psk()
    }

    /// Returns true if this connection resumed an earlier one.
    ///
    /// [`peer`](Self::peer) is then who authenticated in that one, and was not asked again. A
    /// server knows only the client's own certificate then, not those above it.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Returns the outcome of the client's early data.
    pub fn early_data(&self) -> EarlyData {
        self.early_data
    }
}
