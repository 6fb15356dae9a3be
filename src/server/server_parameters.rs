//! Name, application protocol, EncryptedExtensions and CertificateRequest (RFC 9846, 4.4).

use crate::code_point::SignatureScheme;
use crate::error::Fault;
use crate::handshake::{Context, Keys};
use crate::identity::Identity;
use crate::level::Level;
use crate::message::{CertificateRequest, CertificateRequestExtension, ClientHello, EncryptedExtension, EncryptedExtensions};
use crate::server::authentication::{self, Flight2};
use crate::server::config::Server;

/// What the ClientHello and the configuration decide besides the keys.
pub(crate) struct Parameters {
    pub(crate) identity: Identity,
    pub(crate) server_name: Option<String>,
    pub(crate) alpn: Option<Vec<u8>>,
}

/// Decides them; nothing is sent yet.
pub(crate) fn select(server: &Server, hello: &ClientHello<'_>) -> Result<Parameters, Fault> {
    let server_name = hello.server_name().map(str::to_ascii_lowercase);
    let identity = server.config.identity_for(server_name.as_deref())?.clone();
    let alpn = select_protocol(&server.config.settings.alpn, hello.alpn())?;
    Ok(Parameters { identity, server_name, alpn })
}

/// The first protocol of ours that the client offers.
fn select_protocol(served: &[Vec<u8>], offered: Option<&[&[u8]]>) -> Result<Option<Vec<u8>>, Fault> {
    match offered {
        // A server that does not speak ALPN leaves the extension unanswered; so does one whose client does not.
        None => Ok(None),
        Some(_) if served.is_empty() => Ok(None),
        // RFC 7301, 3.2: "In the event that the server supports no protocols that the client advertises, then the server SHALL respond with
        // a fatal no_application_protocol alert."
        Some(offered) => match served.iter().find(|protocol| offered.contains(&protocol.as_slice())) {
            Some(protocol) => Ok(Some(protocol.clone())),
            None => Err(Fault::NoCommonProtocol { offered: offered.iter().map(|name| name.to_vec()).collect() }),
        },
    }
}

/// NEGOTIATED: ServerHello is sent and the handshake keys are installed.
pub(crate) struct Negotiated {
    pub(crate) server: Server,
    pub(crate) keys: Keys,
    pub(crate) parameters: Parameters,
}

impl Negotiated {
    /// Sends EncryptedExtensions, [CertificateRequest], and what `authentication.rs` adds.
    pub(crate) fn send_flight(mut self, cx: &mut Context<'_>) -> Result<Flight2, Fault> {
        let mut extensions = Vec::new();
        // RFC 6066, section 3: a server that used the name "SHALL include an extension of type server_name", empty.
        if self.parameters.server_name.is_some() {
            extensions.push(EncryptedExtension::ServerName);
        }
        if let Some(protocol) = &self.parameters.alpn {
            extensions.push(EncryptedExtension::Alpn(protocol));
        }
        let encrypted_extensions = EncryptedExtensions { extensions }.encode()?;
        self.keys.transcript.add(&encrypted_extensions);
        cx.sink.write(Level::Handshake, &encrypted_extensions);

        if self.server.config.client_auth.trust().is_some() {
            let request = CertificateRequest {
                // RFC 9846, 4.4.2: empty in the main handshake.
                certificate_request_context: &[],
                extensions: vec![CertificateRequestExtension::SignatureAlgorithms(vec![SignatureScheme::ED25519])],
            }
            .encode()?;
            self.keys.transcript.add(&request);
            cx.sink.write(Level::Handshake, &request);
        }
        authentication::send(self.server, self.keys, self.parameters, cx)
    }
}
