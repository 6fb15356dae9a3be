//! What is decided before the first flight is sent, and carried from one step to the next.

use crate::code_point::CertificateType;
use crate::handshake::psk::SelectedPsk;
use crate::handshake::{EarlyData, Keys};
use crate::identity::Identity;
use crate::key_schedule::TrafficSecret;
use crate::server::config::Server;

/// What the ClientHello and the configuration decide besides the keys.
pub(crate) struct Parameters {
    /// None where the server takes PSKs alone.
    pub(crate) identity: Option<Identity>,
    pub(crate) server_name: Option<String>,
    pub(crate) alpn: Option<Vec<u8>>,
    /// How we show who we are (RFC 7250).
    pub(crate) server_certificate_type: CertificateType,
    /// How the client shows who it is, if it is asked.
    pub(crate) client_certificate_type: CertificateType,
    /// Whom we trust, if the client is asked who it is: at first as it is when the ClientHello
    /// comes, then as it was when the client was accepted.
    pub(crate) trust_digest: [u8; 32],
    /// How many tickets the client gets.
    pub(crate) tickets: u8,
    /// Early data came before a HelloRetryRequest.
    pub(crate) early_data_skipped: bool,
}

/// NEGOTIATED: ServerHello is sent and the handshake keys are installed.
pub(crate) struct Negotiated {
    pub(crate) server: Server,
    pub(crate) keys: Keys,
    pub(crate) parameters: Parameters,
    /// The PSK that is taken: then nobody shows certificates.
    pub(crate) psk: Option<SelectedPsk>,
    pub(crate) early_data: EarlyData,
    /// The client's handshake secret, where early data comes first.
    pub(crate) client_handshake: Option<TrafficSecret>,
}
