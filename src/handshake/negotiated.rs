//! [`Negotiated`]: what a handshake has agreed on, for the application; [`Established`]: all that it leaves to the connection.

use crate::code_point::{CipherSuite, NamedGroup};
use crate::identity::Peer;
use crate::key_schedule::ExporterSecret;
use crate::session::StoredSessions;

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
    pub(crate) peer: Option<Peer>,
    pub(crate) resumed: bool,
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

    /// Who the peer is: always there on a client, and on a server whose client showed a certificate or a key.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// Whether this connection resumed an earlier one. Then [`peer`](Self::peer) is who proved its identity there, and was not asked again;
    /// a server knows that client's own certificate alone, without those above it.
    pub fn resumed(&self) -> bool {
        self.resumed
    }
}
