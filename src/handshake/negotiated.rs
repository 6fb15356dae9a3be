//! [`Negotiated`]: what a handshake agreed on, for the application. [`Established`]: everything
//! that it leaves to the connection.

use std::sync::Arc;

use crate::code_point::{CipherSuite, NamedGroup};
use crate::handshake::extended_key_update::ExtendedKeyUpdates;
use crate::identity::Peer;
use crate::key_schedule::ExporterSecret;
use crate::session::{ExternalPsk, StoredSessions, Whose};

/// Everything that a complete handshake leaves to the connection.
pub(crate) struct Established {
    pub(crate) negotiated: Negotiated,
    /// The secret from which the application's keying material is derived.
    pub(crate) exporter: ExporterSecret,
    /// `None` if extended key updates were not agreed on.
    pub(crate) extended: Option<ExtendedKeyUpdates>,
    /// The sessions that this connection stores in a client's cache, to be forgotten if it fails.
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
    pub(crate) extended_key_update: bool,
    pub(crate) server_end_point: Option<Arc<[u8]>>,
}

/// The outcome of early data (RFC 9846, 4.3.10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyData {
    /// The client offered none: it was not configured to, or had no session that allows it.
    #[default]
    NotOffered,
    /// The server accepted all early data, which it receives before any other data. There may be
    /// none: only the client knows whether it sent any.
    Accepted,
    /// The server rejected all early data, for reasons that it need not give. Nothing is sent again
    /// automatically (F.5): only the application knows whether that is right, because the ALPN
    /// protocol or other state of the connection may differ now.
    Rejected,
}

impl Negotiated {
    /// Returns the cipher suite that protects the records.
    pub fn cipher_suite(&self) -> CipherSuite {
        self.cipher_suite
    }

    /// Returns the group of the key exchange.
    pub fn group(&self) -> NamedGroup {
        self.group
    }

    /// Returns the negotiated application protocol, or `None` if a side does not use ALPN (RFC
    /// 7301).
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// Returns the DNS name that the client asked for, in lower case, or `None` if it sent no name.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Returns the peer, if it authenticated with a certificate or a key. A server always does,
    /// unless an [`external_psk`](Self::external_psk) is used.
    pub fn peer(&self) -> Option<&Peer> {
        self.whose.peer()
    }

    /// Returns the external PSK with which both sides authenticated, if one was used. Its
    /// [`peer_name`](ExternalPsk::peer_name) names the peer.
    pub fn external_psk(&self) -> Option<&ExternalPsk> {
        self.whose.psk()
    }

    /// Returns true if this connection resumed an earlier one.
    ///
    /// [`peer`](Self::peer) is then the peer that authenticated in the earlier connection; it does
    /// not prove its identity again. A server then has only the client's own certificate, without
    /// the chain above it.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Returns the outcome of the client's early data.
    pub fn early_data(&self) -> EarlyData {
        self.early_data
    }

    /// Returns true if both sides agreed to renew keys by
    /// [extended key updates](crate::ClientBuilder::extended_key_update).
    pub fn extended_key_update(&self) -> bool {
        self.extended_key_update
    }

    /// Returns the channel binding `tls-server-end-point` (RFC 5929): the hash of the server's
    /// certificate, by the hash function of that certificate's signature. It is the same on both
    /// sides. Use it for protocols that know no other channel binding, such as PostgreSQL's;
    /// otherwise [`Stream::channel_binding`](crate::Stream::channel_binding) is better, because it
    /// is different for every connection.
    ///
    /// `None` if it is not defined: if the signature has no hash function of its own, as Ed25519
    /// has none, or if the server showed no certificate. So it exists only if an authority with an
    /// RSA or ECDSA key issued the certificate for the server's Ed25519 key, which a client can
    /// accept by the key ([`Trust::key_for`](crate::Trust::key_for)), but not by a root. Hash
    /// functions of the SHA-3 family are not supported.
    ///
    /// On a [resumed](Self::resumed) connection the client returns that of the certificate that the
    /// server showed in the full handshake, and the server that of the certificate that it would
    /// show now. If the certificate was renewed for the same key in between, the two differ, and
    /// the authentication that uses them fails until the next full handshake.
    pub fn server_end_point(&self) -> Option<&[u8]> {
        self.server_end_point.as_deref()
    }
}
