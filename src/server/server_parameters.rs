//! Name, application protocol, EncryptedExtensions and CertificateRequest (RFC 9846, 4.4).

use crate::code_point::{CertificateType, EXTENDED_KEY_UPDATE_FLAG, SignatureScheme};
use crate::error::Fault;
use crate::handshake::{Context, EarlyData};
use crate::identity::{Identity, Trust};
use crate::level::Level;
use crate::message::{
    CertificateRequest, CertificateRequestExtension, ClientHello, EncryptedExtension,
    EncryptedExtensions, TlsFlags,
};
use crate::server::authentication::{self, Flight};
use crate::server::config::Server;
use crate::server::parameters::{Negotiated, Parameters};
use crate::server::ticket;

/// Selects the parameters. Nothing is sent yet.
pub(crate) fn select(server: &Server, hello: &ClientHello<'_>) -> Result<Parameters, Fault> {
    let server_name = hello.server_name().map(str::to_ascii_lowercase);
    let identity = server
        .config
        .identity_for(
            server_name.as_deref(),
            hello.certificate_authorities().unwrap_or_default(),
        )?
        .cloned();
    let alpn = select_protocol(&server.config.settings.alpn, hello.alpn())?;
    let server_certificate_type = match &identity {
        Some(identity) => own_type(identity, hello.server_certificate_type())?,
        None => CertificateType::X509,
    };
    let client_certificate_type = match server.config.client_auth.trust() {
        Some(trust) => client_type(trust, hello.client_certificate_type())?,
        None => CertificateType::X509,
    };
    let trust_digest = server
        .config
        .client_auth
        .trust()
        .map(Trust::digest)
        .unwrap_or_default();
    Ok(Parameters {
        identity,
        server_name,
        alpn,
        server_certificate_type,
        client_certificate_type,
        trust_digest,
        next_hello_len: 0,
        extended_key_update: server.config.settings.extended_key_update
            && hello
                .tls_flags()
                .is_some_and(|flags| flags.has(EXTENDED_KEY_UPDATE_FLAG)),
        tickets: 0,
        generation: ticket::generation(server),
        early_data_skipped: false,
    })
}

/// Returns the type of our certificate (RFC 7250, 4.2). A client that names none accepts only
/// X.509.
fn own_type(
    identity: &Identity,
    offered: Option<&[CertificateType]>,
) -> Result<CertificateType, Fault> {
    let best = if identity.prefers_raw_key() {
        [CertificateType::RAW_PUBLIC_KEY, CertificateType::X509]
    } else {
        [CertificateType::X509, CertificateType::RAW_PUBLIC_KEY]
    };
    common_type(offered, &best)
}

/// Returns the type of the client's certificate (RFC 7250, 4.2). Raw keys are accepted only if keys
/// are trusted, as no root can vouch for one.
fn client_type(
    trust: &Trust,
    offered: Option<&[CertificateType]>,
) -> Result<CertificateType, Fault> {
    let best: &[_] = match (trust.holds_keys(), trust.holds_roots()) {
        (false, _) => &[CertificateType::X509],
        (true, true) => &[CertificateType::X509, CertificateType::RAW_PUBLIC_KEY],
        (true, false) => &[CertificateType::RAW_PUBLIC_KEY, CertificateType::X509],
    };
    common_type(offered, best)
}

fn common_type(
    offered: Option<&[CertificateType]>,
    best: &[CertificateType],
) -> Result<CertificateType, Fault> {
    let Some(offered) = offered else {
        return Ok(CertificateType::X509);
    };
    let common = best.iter().find(|own| offered.contains(own));
    common
        .copied()
        .ok_or_else(|| Fault::NoCommonCertificateType {
            offered: offered.to_vec(),
            accepted: best.to_vec(),
        })
}

/// Returns the first of our protocols that the client offers.
fn select_protocol(
    served: &[Vec<u8>],
    offered: Option<&[&[u8]]>,
) -> Result<Option<Vec<u8>>, Fault> {
    match offered {
        // The extension is answered only if both sides use ALPN.
        None => Ok(None),
        Some(_) if served.is_empty() => Ok(None),
        // RFC 7301, 3.2: "In the event that the server supports no protocols that the client
        // advertises, then the server SHALL respond with a fatal no_application_protocol alert."
        Some(offered) => match served
            .iter()
            .find(|protocol| offered.contains(&protocol.as_slice()))
        {
            Some(protocol) => Ok(Some(protocol.clone())),
            None => Err(Fault::NoCommonProtocol {
                offered: offered.iter().map(|name| name.to_vec()).collect(),
                accepted: served.to_vec(),
            }),
        },
    }
}

impl Negotiated {
    /// Sends EncryptedExtensions, CertificateRequest if clients are asked for a certificate, and
    /// what `authentication.rs` adds.
    pub(crate) fn send_flight(
        mut self,
        hello: &ClientHello<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Flight, Fault> {
        // RFC 9846, 4.4.2: "Servers which are authenticating with a resumption PSK MUST NOT send
        // the CertificateRequest message in the main handshake".
        let trust = self
            .server
            .config
            .client_auth
            .trust()
            .filter(|_| self.psk.is_none());
        let resumed = self.psk.as_ref().is_some_and(|psk| psk.resumed);
        let mut extensions = Vec::new();
        // RFC 6066, section 3: a server that used the name "SHALL include an extension of type
        // server_name", empty; "When resuming a session, the server MUST NOT".
        if self.parameters.server_name.is_some() && !resumed {
            extensions.push(EncryptedExtension::ServerName);
        }
        // RFC 9846, 4.3.7: "If the server has a group it prefers to the ones in the "key_share"
        // extension but is still willing to accept the ClientHello, it SHOULD send
        // "supported_groups" to update the client's view of its preferences". If the client does
        // not support that group, there is nothing to update.
        let supported = hello.supported_groups().unwrap_or_default();
        let groups = self.server.config.settings.group_code_points();
        if groups.iter().find(|group| supported.contains(group)) != Some(&self.keys.group) {
            extensions.push(EncryptedExtension::SupportedGroups(groups));
        }
        if let Some(protocol) = &self.parameters.alpn {
            extensions.push(EncryptedExtension::Alpn(protocol));
        }
        // RFC 7250, 4.2: the types are answered, the client's only if a certificate is requested.
        // No answer means X.509. A client that offers no X.509 may look at that under a PSK too,
        // as rustls 0.23 does, and would then fail to resume.
        if let Some(offered) = hello.client_certificate_type()
            && self.server.config.client_auth.trust().is_some()
            && (self.psk.is_none() || !offered.contains(&CertificateType::X509))
        {
            extensions.push(EncryptedExtension::ClientCertificateType(
                self.parameters.client_certificate_type,
            ));
        }
        if hello.server_certificate_type().is_some() && self.parameters.identity.is_some() {
            extensions.push(EncryptedExtension::ServerCertificateType(
                self.parameters.server_certificate_type,
            ));
        }
        if hello.record_size_limit().is_some() {
            extensions.push(EncryptedExtension::RecordSizeLimit(
                self.server.config.settings.record_size_limit,
            ));
        }
        if self.client_handshake.is_some() {
            extensions.push(EncryptedExtension::EarlyData);
        }
        self.parameters.tickets = ticket::count(&self.server, hello, resumed, cx.now);
        // RFC 9149, section 3: "A server which supports and uses a client ticket_request extension
        // MUST also send" it.
        if hello.ticket_request().is_some() && self.server.config.ticket_keys.is_some() {
            extensions.push(EncryptedExtension::TicketRequest {
                expected_count: self.parameters.tickets,
            });
        }
        // draft-ietf-tls-extended-key-update: the client's flag "MUST be acknowledged in the
        // EncryptedExtensions".
        if self.parameters.extended_key_update {
            extensions.push(EncryptedExtension::TlsFlags(TlsFlags::extended_key_update()));
        }
        let encrypted_extensions = EncryptedExtensions { extensions }.encode()?;
        self.keys.transcript.add(&encrypted_extensions);
        cx.sink.send(Level::Handshake, &encrypted_extensions);

        if let Some(trust) = trust {
            let mut extensions = vec![CertificateRequestExtension::SignatureAlgorithms(vec![
                SignatureScheme::ED25519,
            ])];
            // RFC 9846, 4.3.4: the authorities whose certificates we accept.
            let authorities = trust.authorities();
            if !authorities.is_empty() {
                extensions.push(CertificateRequestExtension::CertificateAuthorities(
                    authorities,
                ));
            }
            // RFC 9846, 4.4.2: the context is empty in the main handshake.
            let request = CertificateRequest {
                certificate_request_context: &[],
                extensions,
            }
            .encode()?;
            self.keys.transcript.add(&request);
            cx.sink.send(Level::Handshake, &request);
        }
        // If there was a retry, the first ClientHello may have offered early data; the second does
        // not.
        if self.parameters.early_data_skipped {
            self.early_data = EarlyData::Rejected;
        }
        authentication::send(self, cx)
    }
}
