//! Certificate, CertificateVerify and Finished of the server, then our own flight (RFC 9846, 4.5).

use crate::client::config::Client;
use crate::client::post_handshake::{Connected, Memory};
use crate::client::server_parameters::CertificateRequested;
use crate::code_point::CertificateType;
use crate::error::{DecodeProblem, Fault};
use crate::handshake::authentication::Shown;
use crate::handshake::{Context, Established, Event, Keys, Negotiated, Proof, Signer, Wire, authentication, finished};
use crate::identity::{ServerName, VerifiedIdentity};
use crate::level::Level;
use crate::message::{Certificate, CertificateVerify, Finished};
use crate::session::{SessionKey, StoredSessions};

/// WAIT_CERT.
pub(crate) struct WaitCertificate {
    pub(crate) client: Client,
    pub(crate) name: Option<ServerName>,
    /// None where no sessions are kept.
    pub(crate) stored: Option<StoredSessions>,
    pub(crate) keys: Keys,
    pub(crate) alpn: Option<Vec<u8>>,
    /// How we show who we are, if we are asked (RFC 7250).
    pub(crate) client_certificate_type: CertificateType,
    /// How the server shows who it is.
    pub(crate) server_certificate_type: CertificateType,
    /// What the server wants to know of us, if anything.
    pub(crate) request: Option<CertificateRequested>,
}

impl WaitCertificate {
    /// Verifies the server's chain or key for the name.
    pub(crate) fn on_certificate(
        mut self,
        message: &Certificate<'_>,
        wire: &Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<WaitCertificateVerify, Fault> {
        let trust = &self.client.config.trust;
        let identity = match authentication::shown(message, self.server_certificate_type)? {
            Shown::Chain(chain) => trust.verify_server(&chain, self.name.as_ref(), cx.now)?,
            Shown::Key(key) => trust.verify_server_key(key, self.name.as_ref())?,
            // RFC 9846, 4.5.1.3: "If the server supplies an empty Certificate message, the client MUST abort the handshake with a decode_error".
            Shown::Nothing => {
                return Err(Fault::Decode { message: "Certificate", field: "certificate_list", problem: DecodeProblem::Empty });
            }
        };
        // Revocation lists may have come since the ClientHello: the session is good as long as what the server was accepted under now.
        if let Some(stored) = &mut self.stored {
            let own = self.client.config.identity.as_ref();
            stored.put_under(SessionKey::under(self.name.as_ref(), identity.trust_digest(), own, None));
        }
        self.keys.transcript.add(wire.bytes);
        Ok(WaitCertificateVerify { known: self, identity })
    }
}

/// WAIT_CV: the chain is trusted; whether the server holds its key is open.
pub(crate) struct WaitCertificateVerify {
    known: WaitCertificate,
    identity: VerifiedIdentity,
}

impl WaitCertificateVerify {
    /// Verifies that the server holds its certificate's key.
    pub(crate) fn on_certificate_verify(mut self, message: &CertificateVerify<'_>, wire: &Wire<'_>) -> Result<WaitFinished, Fault> {
        let digest = self.known.keys.transcript.digest();
        let server = authentication::verify(self.identity, Signer::Server, &digest, message)?;
        self.known.keys.transcript.add(wire.bytes);
        Ok(WaitFinished { known: self.known, server: Proof::Signature(server) })
    }
}

/// WAIT_FINISHED.
pub(crate) struct WaitFinished {
    pub(crate) known: WaitCertificate,
    pub(crate) server: Proof,
}

impl WaitFinished {
    /// Verifies the server's Finished, asks the application, sends our flight and installs the application keys.
    pub(crate) fn on_finished(self, message: &Finished<'_>, wire: Wire<'_>, cx: &mut Context<'_>) -> Result<Connected, Fault> {
        let WaitCertificate { client, name, stored, mut keys, alpn, client_certificate_type, request, .. } = self.known;
        let verified = finished::verify(&keys.server_finished, &keys.transcript.digest(), message)?;
        keys.transcript.add(wire.bytes);
        let aligned = wire.aligned("Finished")?;
        let server = self.server.confirm(&verified, cx.now);
        if let Some(peer) = &server.peer {
            client.config.settings.authorize(peer)?;
        }

        // RFC 9846, 7.1: both application secrets cover the transcript up to the server's Finished.
        let digest = keys.transcript.digest();
        let client_traffic = keys.main.client_traffic(&digest);
        let server_traffic = keys.main.server_traffic(&digest);
        let exporter = keys.main.exporter(&digest);

        // RFC 9846, E.4: "immediately before its second flight".
        if client.config.compatibility_mode {
            cx.sink.change_cipher_spec();
        }
        if let Some(request) = request {
            send_certificate(&client, &request, client_certificate_type, &mut keys, cx)?;
        }
        let own = finished::make(&keys.client_finished, &mut keys.transcript)?;
        cx.sink.write(Level::Handshake, &own);
        cx.sink.install_write(Level::Application, keys.suite, client_traffic);
        cx.sink.install_read(aligned, Level::Application, keys.suite, server_traffic);
        let negotiated = Negotiated {
            cipher_suite: keys.suite.code_point(),
            group: keys.group,
            alpn,
            server_name: name.as_ref().and_then(ServerName::dns).map(str::to_owned),
            peer: server.peer.clone(),
            resumed: server.resumed,
        };
        let memory = stored.map(|stored| Box::new(Memory::new(stored, keys, server)));
        let stored = memory.as_ref().map(|memory| memory.stored.clone());
        cx.sink.event(Event::Connected(Established { negotiated, exporter, stored }));
        Ok(Connected { memory })
    }
}

/// Answers a CertificateRequest.
fn send_certificate(
    client: &Client,
    request: &CertificateRequested,
    certificate_type: CertificateType,
    keys: &mut Keys,
    cx: &mut Context<'_>,
) -> Result<(), Fault> {
    let write = |message: &[u8]| cx.sink.write(Level::Handshake, message);
    match &client.config.identity {
        Some(identity) if request.suits_us => {
            authentication::prove(identity, certificate_type, Signer::Client, &mut keys.transcript, write)
        }
        // RFC 9846, 4.5.1: "If ... no suitable certificate is available, the client MUST send a Certificate message containing no
        // certificates". Whether that will do is the server's to say.
        _ => {
            let empty = Certificate { certificate_request_context: &[], certificate_list: Vec::new() }.encode()?;
            keys.transcript.add(&empty);
            cx.sink.write(Level::Handshake, &empty);
            Ok(())
        }
    }
}
