//! [`ClientHello`]: what a client offers, for choosing a configuration.

use crate::code_point::{CipherSuite, NamedGroup, SignatureScheme};
use crate::message;
#[cfg(doc)]
use crate::session::PskIdentity;

/// What a client offers. Nothing in it is authenticated yet.
#[derive(Clone, Debug)]
pub struct ClientHello {
    server_name: Option<String>,
    alpn: Vec<Vec<u8>>,
    cipher_suites: Vec<CipherSuite>,
    groups: Vec<NamedGroup>,
    signature_schemes: Vec<SignatureScheme>,
    psk_identities: Vec<Vec<u8>>,
    bytes: Vec<u8>,
}

impl ClientHello {
    pub(crate) fn new(hello: &message::ClientHello<'_>, bytes: &[u8]) -> Self {
        let psks = hello
            .pre_shared_key()
            .map(|offered| offered.identities.as_slice())
            .unwrap_or_default();
        Self {
            server_name: hello.server_name().map(str::to_ascii_lowercase),
            alpn: hello
                .alpn()
                .unwrap_or_default()
                .iter()
                .map(|name| name.to_vec())
                .collect(),
            cipher_suites: hello.cipher_suites.clone(),
            groups: hello.supported_groups().unwrap_or_default().to_vec(),
            signature_schemes: hello.signature_algorithms().unwrap_or_default().to_vec(),
            psk_identities: psks.iter().map(|psk| psk.identity.to_vec()).collect(),
            bytes: bytes.to_vec(),
        }
    }

    /// Returns the DNS name that the client asks for (SNI), in lower case and without a trailing
    /// dot. `None` if it sends no name, or an IP address, which is not permitted (RFC 6066, section
    /// 3).
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Returns the application protocols that it offers, in its order of preference.
    pub fn alpn(&self) -> impl Iterator<Item = &[u8]> {
        self.alpn.iter().map(Vec::as_slice)
    }

    /// Returns the cipher suites that it offers, in its order of preference, including unknown
    /// ones.
    pub fn cipher_suites(&self) -> &[CipherSuite] {
        &self.cipher_suites
    }

    /// Returns the groups that it offers, in its order of preference, including unknown ones.
    pub fn groups(&self) -> &[NamedGroup] {
        &self.groups
    }

    /// Returns the signature schemes that it accepts, in its order of preference, including unknown
    /// ones.
    pub fn signature_schemes(&self) -> &[SignatureScheme] {
        &self.signature_schemes
    }

    /// Returns the identities of the PSKs that it offers, in its order of preference, as they came:
    /// tickets and external PSKs. [`PskIdentity::parse`] reads imported ones.
    pub fn psk_identities(&self) -> impl Iterator<Item = &[u8]> {
        self.psk_identities.iter().map(Vec::as_slice)
    }

    /// Returns the whole message as it came, with its 4-byte header (RFC 9846, 4.2.2).
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}
