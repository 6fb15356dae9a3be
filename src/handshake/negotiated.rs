//! [`Negotiated`]: what a handshake has agreed on, for the application.

use crate::code_point::{CipherSuite, NamedGroup};
use crate::identity::Peer;

/// What a handshake has agreed on.
#[derive(Clone, Debug)]
pub struct Negotiated {
    pub(crate) cipher_suite: CipherSuite,
    pub(crate) group: NamedGroup,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) server_name: Option<String>,
    pub(crate) peer: Option<Peer>,
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

    /// Who the peer is: always there on a client, and on a server whose client showed a certificate.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }
}
