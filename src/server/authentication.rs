//! Our Certificate, CertificateVerify and Finished, then those of the client (RFC 9846, 4.5).

use crate::error::Fault;
use crate::handshake::{Context, Event, Keys, Negotiated, SignatureVerified, Signer, Wire, authentication, finished};
use crate::identity::VerifiedIdentity;
use crate::key_schedule::{ExporterSecret, TrafficSecret};
use crate::level::Level;
use crate::message::{Certificate, CertificateVerify, Finished};
use crate::server::config::{ClientAuth, Server};
use crate::server::post_handshake::Connected;
use crate::server::server_parameters::Parameters;

/// Sends Certificate, CertificateVerify and Finished, and takes the application key for what we send.
pub(crate) fn send(server: Server, mut keys: Keys, parameters: Parameters, cx: &mut Context<'_>) -> Result<Flight2, Fault> {
    authentication::prove(&parameters.identity, Signer::Server, &mut keys.transcript, |message| cx.sink.write(Level::Handshake, message))?;
    let own = finished::make(&keys.server_finished, &mut keys.transcript)?;
    cx.sink.write(Level::Handshake, &own);

    // RFC 9846, 7.1: both application secrets, and the exporter's, cover the transcript up to the server's Finished.
    let digest = keys.transcript.digest();
    let server_traffic = keys.main.server_traffic(&digest);
    let client_traffic = keys.main.client_traffic(&digest);
    let exporter = keys.main.exporter(&digest);
    // RFC 9846, 4.5.3: what follows our Finished, alerts about the client's authentication too, goes out under the application key.
    // Application data does not go out yet: before the client's Finished nobody knows who would read it.
    cx.sink.install_write(Level::Application, keys.suite, server_traffic);

    let asked = server.config.client_auth.trust().is_some();
    let wait = WaitCertificate { server, keys, parameters, client_traffic, exporter };
    Ok(if asked { Flight2::Certificate(wait) } else { Flight2::Finished(WaitFinished { known: wait, client: None }) })
}

/// WAIT_FLIGHT2: what the client's flight begins with.
#[expect(clippy::large_enum_variant, reason = "taken apart as soon as it is returned")]
pub(crate) enum Flight2 {
    /// The client was asked who it is.
    Certificate(WaitCertificate),
    /// It was not.
    Finished(WaitFinished),
}

/// WAIT_CERT.
pub(crate) struct WaitCertificate {
    server: Server,
    keys: Keys,
    parameters: Parameters,
    client_traffic: TrafficSecret,
    exporter: ExporterSecret,
}

impl WaitCertificate {
    /// Verifies the client's chain or key, if it shows one.
    pub(crate) fn on_certificate(
        mut self,
        message: &Certificate<'_>,
        wire: &Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<AfterCertificate, Fault> {
        let chain = authentication::received_chain(message)?;
        let next = match &self.server.config.client_auth {
            // RFC 9846, 4.5.1.3: "the server MAY at its discretion either continue the handshake without client authentication ...
            ClientAuth::Optional(_) if chain.is_empty() => None,
            // ... or abort the handshake with a certificate_required alert."
            ClientAuth::Required(_) if chain.is_empty() => return Err(Fault::CertificateRequired),
            ClientAuth::Optional(trust) | ClientAuth::Required(trust) => Some(trust.verify_client(&chain, cx.now)?),
            ClientAuth::None => return Err(Fault::Internal { what: "a client certificate that was not asked for" }),
        };
        self.keys.transcript.add(wire.bytes);
        Ok(match next {
            Some(identity) => AfterCertificate::Verify(WaitCertificateVerify { known: self, identity }),
            None => AfterCertificate::Finished(WaitFinished { known: self, client: None }),
        })
    }
}

/// Where a client's Certificate leads.
pub(crate) enum AfterCertificate {
    /// It shows a chain: its signature comes next.
    Verify(WaitCertificateVerify),
    /// It is empty, which is allowed.
    Finished(WaitFinished),
}

/// WAIT_CV: the chain is trusted; whether the client holds its key is open.
pub(crate) struct WaitCertificateVerify {
    known: WaitCertificate,
    identity: VerifiedIdentity,
}

impl WaitCertificateVerify {
    /// Verifies that the client holds its certificate's key.
    pub(crate) fn on_certificate_verify(mut self, message: &CertificateVerify<'_>, wire: &Wire<'_>) -> Result<WaitFinished, Fault> {
        let digest = self.known.keys.transcript.digest();
        let client = authentication::verify(self.identity, Signer::Client, &digest, message)?;
        self.known.keys.transcript.add(wire.bytes);
        Ok(WaitFinished { known: self.known, client: Some(client) })
    }
}

/// WAIT_FINISHED.
pub(crate) struct WaitFinished {
    known: WaitCertificate,
    /// None where the client was not asked who it is, or did not say.
    client: Option<SignatureVerified>,
}

impl WaitFinished {
    /// Verifies the client's Finished, asks the application, and takes the application key for what the client sends.
    pub(crate) fn on_finished(self, message: &Finished<'_>, wire: Wire<'_>, cx: &mut Context<'_>) -> Result<Connected, Fault> {
        let WaitCertificate { server, keys, parameters, client_traffic, exporter } = self.known;
        let verified = finished::verify(&keys.client_finished, &keys.transcript.digest(), message)?;
        let aligned = wire.aligned("Finished")?;
        let peer = self.client.map(|client| client.into_peer(&verified));
        if let Some(peer) = &peer {
            server.config.settings.authorize(peer)?;
        }
        cx.sink.install_read(aligned, Level::Application, keys.suite, client_traffic);
        let negotiated = Negotiated {
            cipher_suite: keys.suite.code_point(),
            group: keys.group,
            alpn: parameters.alpn,
            server_name: parameters.server_name,
            peer,
        };
        cx.sink.event(Event::Connected(negotiated, exporter));
        Ok(Connected)
    }
}
