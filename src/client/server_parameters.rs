//! EncryptedExtensions and CertificateRequest: what else the server decided, and whether it wants to know us (RFC 9846, 4.4).

use crate::client::authentication::WaitCertificate;
use crate::client::config::Client;
use crate::code_point::{ExtensionType, SignatureScheme};
use crate::error::{Fault, Illegal};
use crate::handshake::{Keys, Wire};
use crate::identity::{Identity, ServerName};
use crate::message::{CertificateRequest, EncryptedExtensions};

/// WAIT_EE: the handshake keys are installed.
pub(crate) struct WaitEncryptedExtensions {
    pub(crate) client: Client,
    pub(crate) name: Option<ServerName>,
    pub(crate) keys: Keys,
}

impl WaitEncryptedExtensions {
    /// Checks each answer against what was asked.
    pub(crate) fn on_encrypted_extensions(
        mut self,
        message: &EncryptedExtensions<'_>,
        wire: &Wire<'_>,
    ) -> Result<WaitCertificateOrRequest, Fault> {
        // RFC 9846, 4.3: every answer is to something that was asked.
        let asked = |extension: &ExtensionType| match *extension {
            ExtensionType::SERVER_NAME => self.name.as_ref().is_some_and(|name| name.dns().is_some()),
            ExtensionType::ALPN => !self.client.config.settings.alpn.is_empty(),
            // RFC 9846, 4.3.7: the server's preferences, not to be acted upon before the handshake is complete; we do not afterwards.
            ExtensionType::SUPPORTED_GROUPS => true,
            _ => false,
        };
        if let Some(extension) = message.extension_types().find(|extension| !asked(extension)) {
            return Err(Fault::UnsolicitedExtension { message: EncryptedExtensions::NAME, extension });
        }
        let alpn = message.alpn().map(|protocol| self.chosen_protocol(protocol)).transpose()?;
        self.keys.transcript.add(wire.bytes);
        Ok(WaitCertificateOrRequest(WaitCertificate { client: self.client, name: self.name, keys: self.keys, alpn, request: None }))
    }

    fn chosen_protocol(&self, protocol: &[u8]) -> Result<Vec<u8>, Fault> {
        // RFC 7301, 3.1: the answer is one of those that were offered.
        let offered = self.client.config.settings.alpn.iter().find(|offered| offered.as_slice() == protocol);
        offered.cloned().ok_or_else(|| Illegal::ProtocolNotOffered(protocol.to_vec()).into())
    }
}

/// WAIT_CERT_CR: a CertificateRequest may come before the Certificate.
pub(crate) struct WaitCertificateOrRequest(WaitCertificate);

/// What a CertificateRequest asked for.
pub(crate) struct CertificateRequested {
    /// Whether our certificate, if we have one, is what the server asks for.
    pub(crate) suits_us: bool,
}

impl WaitCertificateOrRequest {
    /// The Certificate came at once: the server does not ask who we are.
    pub(crate) fn without_request(self) -> WaitCertificate {
        self.0
    }

    /// The server asks who we are; the answer goes out with our Finished.
    pub(crate) fn on_certificate_request(mut self, message: &CertificateRequest<'_>, wire: &Wire<'_>) -> Result<WaitCertificate, Fault> {
        // RFC 9846, 4.4.2: "This field SHALL be zero length unless used for the post-handshake authentication exchanges".
        if !message.certificate_request_context.is_empty() {
            return Err(Illegal::RequestContext.into());
        }
        // RFC 9846, 4.4.2: "The signature_algorithms extension MUST be specified". Unknown extensions are ignored.
        let schemes = message
            .signature_algorithms()
            .ok_or(Fault::MissingExtension { message: CertificateRequest::NAME, extension: ExtensionType::SIGNATURE_ALGORITHMS })?;
        // RFC 9846, 4.5.2: a client signs with one of those schemes. 4.5.1.2: its certificate MUST match the filters it knows. (That it SHOULD be
        // issued by one of certificate_authorities is left to the server: a path may lead there that only the server knows.)
        let filters = message.oid_filters().unwrap_or_default();
        let passes = |identity: &Identity| {
            filters.iter().all(|filter| identity.matches_filter(filter.certificate_extension_oid, filter.certificate_extension_values))
        };
        let suits_us = schemes.contains(&SignatureScheme::ED25519) && self.0.client.config.identity.as_ref().is_some_and(passes);
        self.0.request = Some(CertificateRequested { suits_us });
        self.0.keys.transcript.add(wire.bytes);
        Ok(self.0)
    }
}
