//! [`Negotiated`]: what a handshake has agreed on, for the application; [`Established`]: all that
//! it leaves to the connection.

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

/// What a handshake has agreed on.
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

/// What became of early data (RFC 9846, 4.3.10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyData {
    /// The client did not offer any: it was not asked to, or had no session that allows it.
    #[default]
    NotOffered,
    /// The server took all that was sent, before anything else. That may be nothing: whoever had
    /// the chance to send some knows whether it did.
    Accepted,
    /// The server took none of it, which it need not explain. Nothing is sent again by itself:
    /// whoever sent it knows whether that is right, now that the connection is another one (F.5).
    Rejected,
}

impl Negotiated {
    /// Protects the records.
    pub fn cipher_suite(&self) -> CipherSuite {
        self.cipher_suite
    }

    /// Agreed the keys.
    pub fn group(&self) -> NamedGroup {
        self.group
    }

    /// The application protocol, if both sides speak ALPN (RFC 7301).
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// The DNS name the client asked for, if any, in lower case.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Who the peer is, if it showed a certificate or a key: on a client always, but for an
    /// [`external_psk`](Self::external_psk).
    pub fn peer(&self) -> Option<&Peer> {
        self.whose.peer()
    }

    /// The PSK that both sides held, if that is how they know each other: its
    /// [`peer_name`](ExternalPsk::peer_name) is who the peer is then.
    pub fn external_psk(&self) -> Option<&ExternalPsk> {
        self.whose.psk()
    }

    /// Whether this connection resumed an earlier one. Then [`peer`](Self::peer) is who proved its
    /// identity there, and was not asked again; a server knows that client's own certificate alone,
    /// without those above it.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// What became of the client's early data.
    pub fn early_data(&self) -> EarlyData {
        self.early_data
    }
}
