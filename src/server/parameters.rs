//! The decisions made before the first flight, which one step passes to the next.

use crate::code_point::CertificateType;
use crate::handshake::psk::SelectedPsk;
use crate::handshake::{EarlyData, Keys};
use crate::identity::Identity;
use crate::key_schedule::TrafficSecret;
use crate::server::config::Server;

/// What the ClientHello and the configuration decide, apart from the keys.
pub(crate) struct Parameters {
    /// None if the server accepts only PSKs.
    pub(crate) identity: Option<Identity>,
    pub(crate) server_name: Option<String>,
    pub(crate) alpn: Option<Vec<u8>>,
    /// How we show our identity (RFC 7250).
    pub(crate) server_certificate_type: CertificateType,
    /// How the client shows its identity, if it is asked.
    pub(crate) client_certificate_type: CertificateType,
    /// Whom we trust, if the client is asked for its identity: at first when the ClientHello
    /// arrives, then when the client was accepted.
    pub(crate) trust_digest: [u8; 32],
    /// How many tickets the client receives.
    pub(crate) tickets: u8,
    /// Early data came before a HelloRetryRequest.
    pub(crate) early_data_skipped: bool,
}

/// NEGOTIATED: ServerHello is sent and the handshake keys are installed.
pub(crate) struct Negotiated {
    pub(crate) server: Server,
    pub(crate) keys: Keys,
    pub(crate) parameters: Parameters,
    /// The accepted PSK: then nobody shows certificates.
    pub(crate) psk: Option<SelectedPsk>,
    pub(crate) early_data: EarlyData,
    /// The client's handshake secret, if early data comes first.
    pub(crate) client_handshake: Option<TrafficSecret>,
}
