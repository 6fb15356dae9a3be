//! EncryptedExtensions and CertificateRequest: the server's other decisions, and whether it asks
//! for our identity (RFC 9846, 4.4).

use crate::client::authentication::{WaitCertificate, WaitFinished};
use crate::client::certificate_request::CertificateRequested;
use crate::client::early_data::Early;
use crate::client::offer::Offer;
use crate::code_point::{CertificateType, ExtensionType};
use crate::error::{Fault, Illegal};
use crate::handshake::psk::SelectedPsk;
use crate::handshake::settings::MIN_RECORD_SIZE_LIMIT;
use crate::handshake::{Context, Keys, Proof, Wire};
use crate::message::{CertificateRequest, EncryptedExtensions, TlsFlags};

/// WAIT_EE: the handshake keys are installed.
pub(crate) struct WaitEncryptedExtensions {
    pub(crate) offer: Offer,
    pub(crate) keys: Keys,
    /// The PSK that the server selected. With one, no certificates are sent.
    pub(crate) psk: Option<SelectedPsk>,
    pub(crate) early: Early,
}

/// The state that follows EncryptedExtensions.
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart as soon as it is returned"
)]
pub(crate) enum AfterParameters {
    /// The server authenticates with a certificate or a key.
    Certificate(WaitCertificateOrRequest),
    /// The server authenticates with a PSK.
    Finished(WaitFinished),
}

impl WaitEncryptedExtensions {
    /// Checks each answer against what was offered.
    pub(crate) fn on_encrypted_extensions(
        mut self,
        message: &EncryptedExtensions<'_>,
        wire: &Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<AfterParameters, Fault> {
        let config = &self.offer.client.config;
        // RFC 9846, 4.3: extensions must answer something that was asked.
        let asked = |extension: &ExtensionType| match *extension {
            ExtensionType::SERVER_NAME => self
                .offer
                .name
                .as_ref()
                .is_some_and(|name| name.dns().is_some()),
            ExtensionType::ALPN => !config.settings.alpn.is_empty(),
            ExtensionType::CLIENT_CERTIFICATE_TYPE => {
                !self.offer.client_certificate_types().is_empty()
            }
            ExtensionType::SERVER_CERTIFICATE_TYPE => {
                !self.offer.server_certificate_types().is_empty()
            }
            ExtensionType::RECORD_SIZE_LIMIT => true,
            ExtensionType::EARLY_DATA => self.offer.offers_early_data(),
            // RFC 9149, section 3: how many tickets the server expects to send. We accept any
            // number.
            ExtensionType::TICKET_REQUEST => self.offer.keeps_sessions(),
            ExtensionType::TLS_FLAGS => config.settings.extended_key_update,
            // RFC 9846, 4.3.7: the server's preferences, which must not be acted upon before the
            // handshake is complete. We do not use them afterwards either.
            ExtensionType::SUPPORTED_GROUPS => true,
            _ => false,
        };
        if let Some(extension) = message
            .extension_types()
            .find(|extension| !asked(extension))
        {
            return Err(Fault::UnsolicitedExtension {
                message: EncryptedExtensions::NAME,
                extension,
            });
        }
        let alpn = message
            .alpn()
            .map(|protocol| self.chosen_protocol(protocol))
            .transpose()?;
        let client_certificate_type = chosen_type(
            self.offer.client_certificate_types(),
            message.client_certificate_type(),
        )?;
        let server_certificate_type = chosen_type(
            self.offer.server_certificate_types(),
            message.server_certificate_type(),
        )?;
        if let Some(limit) = message.record_size_limit() {
            if limit < MIN_RECORD_SIZE_LIMIT {
                return Err(Illegal::RecordSizeLimit(limit).into());
            }
            // RFC 8449, section 4: from here on both sides keep the other side's limit.
            cx.sink.limit_send(limit.into());
            cx.sink
                .limit_receive(config.settings.record_size_limit.into());
        }
        let extended_key_update = match message.tls_flags() {
            None => false,
            Some(flags) if flags == TlsFlags::extended_key_update() => true,
            // draft-ietf-tls-tlsflags: an unsolicited flag is an illegal_parameter.
            Some(_) => return Err(Illegal::FlagNotOffered.into()),
        };
        let early =
            self.early
                .answered(message.early_data(), self.keys.suite, alpn.as_deref(), cx)?;
        self.keys.transcript.add(wire.bytes);
        let Offer {
            client,
            name,
            stored,
            ..
        } = self.offer;
        let known = WaitCertificate {
            client,
            name,
            stored,
            keys: self.keys,
            alpn,
            client_certificate_type,
            server_certificate_type,
            early,
            extended_key_update,
            request: None,
        };
        Ok(match self.psk {
            // RFC 9846, 4.4.2 and 4.5.1: with a PSK the server neither requests nor sends a
            // certificate.
            Some(psk) => AfterParameters::Finished(WaitFinished {
                known,
                server: Proof::Psk(psk),
            }),
            None => AfterParameters::Certificate(WaitCertificateOrRequest(known)),
        })
    }

    fn chosen_protocol(&self, protocol: &[u8]) -> Result<Vec<u8>, Fault> {
        // RFC 7301, 3.1: the answer must be one of the protocols that were offered.
        let offered = self
            .offer
            .client
            .config
            .settings
            .alpn
            .iter()
            .find(|offered| offered.as_slice() == protocol);
        offered
            .cloned()
            .ok_or_else(|| Illegal::ProtocolNotOffered(protocol.to_vec()).into())
    }
}

/// RFC 7250, 4.2: the server's choice must be one that we offered. Without a choice it is X.509.
fn chosen_type(
    offered: &[CertificateType],
    chosen: Option<CertificateType>,
) -> Result<CertificateType, Fault> {
    match chosen {
        None => Ok(CertificateType::X509),
        Some(chosen) if offered.contains(&chosen) => Ok(chosen),
        Some(chosen) => Err(Illegal::CertificateTypeNotOffered(chosen).into()),
    }
}

/// WAIT_CERT_CR: a CertificateRequest may come before the Certificate.
pub(crate) struct WaitCertificateOrRequest(pub(crate) WaitCertificate);

impl WaitCertificateOrRequest {
    /// The Certificate came first: the server does not ask for our identity.
    pub(crate) fn without_request(self) -> WaitCertificate {
        self.0
    }

    /// The server asks for our identity. The answer is sent with our Finished.
    pub(crate) fn on_certificate_request(
        mut self,
        message: &CertificateRequest<'_>,
        wire: &Wire<'_>,
    ) -> Result<WaitCertificate, Fault> {
        let identity = self.0.client.config.identity.as_ref();
        self.0.request = Some(CertificateRequested::new(
            message,
            identity,
            self.0.client_certificate_type,
        )?);
        self.0.keys.transcript.add(wire.bytes);
        Ok(self.0)
    }
}
