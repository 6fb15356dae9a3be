//! The decisions that are made before the first flight is sent, and passed from one step to the
//! next.

use crate::code_point::CertificateType;
use crate::handshake::psk::SelectedPsk;
use crate::handshake::{EarlyData, Keys};
use crate::identity::Identity;
use crate::key_schedule::TrafficSecret;
use crate::server::config::Server;

/// What the ClientHello and the configuration decide, apart from the keys.
pub(crate) struct Parameters {
    /// `None` if the server accepts only PSKs.
    pub(crate) identity: Option<Identity>,
    pub(crate) server_name: Option<String>,
    pub(crate) alpn: Option<Vec<u8>>,
    /// The type of our certificate (RFC 7250).
    pub(crate) server_certificate_type: CertificateType,
    /// The type of the client's certificate, if one is requested.
    pub(crate) client_certificate_type: CertificateType,
    /// The digest of whom we trust, if the client is asked for a certificate: first as of the
    /// ClientHello, then as of the moment when the client's certificate was accepted.
    pub(crate) trust_digest: [u8; 32],
    /// How many bytes the client's next ClientHello has without the ticket in it: the longer one,
    /// if there are two.
    pub(crate) next_hello_len: usize,
    /// Whether keys are renewed by extended key updates.
    pub(crate) extended_key_update: bool,
    /// How many tickets the client receives.
    pub(crate) tickets: u8,
    /// How many revocations came before the full handshake of the session: this one, unless it
    /// resumes another.
    pub(crate) generation: u64,
    /// Whether early data was offered before a HelloRetryRequest.
    pub(crate) early_data_skipped: bool,
}

/// NEGOTIATED: ServerHello is sent and the handshake keys are installed.
pub(crate) struct Negotiated {
    pub(crate) server: Server,
    pub(crate) keys: Keys,
    pub(crate) parameters: Parameters,
    /// The selected PSK. With one, no certificates are sent.
    pub(crate) psk: Option<SelectedPsk>,
    pub(crate) early_data: EarlyData,
    /// The client's handshake secret, if early data comes before it is used.
    pub(crate) client_handshake: Option<TrafficSecret>,
}
