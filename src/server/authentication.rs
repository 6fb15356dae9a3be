//! Our Certificate, CertificateVerify and Finished, then those of the client (RFC 9846, 4.5).

use crate::error::Fault;
use crate::handshake::authentication::Shown;
use crate::handshake::psk::Resumed;
use crate::handshake::{Context, Established, Event, Keys, Negotiated, Proof, Signer, Wire, authentication, finished};
use crate::identity::VerifiedIdentity;
use crate::key_schedule::{ExporterSecret, TrafficSecret};
use crate::level::Level;
use crate::message::{Certificate, CertificateVerify, Finished};
use crate::server::config::{ClientAuth, Server};
use crate::server::post_handshake::Connected;
use crate::server::server_parameters::Parameters;
use crate::server::ticket;

/// Sends [Certificate, CertificateVerify,] and Finished, and takes the application key for what we send. Where a session is resumed its PSK says who
/// we are.
pub(crate) fn send(
    server: Server,
    mut keys: Keys,
    parameters: Parameters,
    resumed: Option<Resumed>,
    cx: &mut Context<'_>,
) -> Result<Flight2, Fault> {
    if resumed.is_none() {
        let write = |message: &[u8]| cx.sink.write(Level::Handshake, message);
        let certificate_type = parameters.server_certificate_type;
        authentication::prove(&parameters.identity, certificate_type, Signer::Server, &mut keys.transcript, write)?;
    }
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
    Ok(match resumed {
        Some(resumed) => Flight2::Finished(WaitFinished { known: wait, client: Proof::Session(resumed) }),
        None if asked => Flight2::Certificate(wait),
        None => Flight2::Finished(WaitFinished { known: wait, client: Proof::None }),
    })
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
        let trust =
            self.server.config.client_auth.trust().ok_or(Fault::Internal { what: "a client certificate that was not asked for" })?;
        let next = match authentication::shown(message, self.parameters.client_certificate_type)? {
            Shown::Chain(chain) => Some(trust.verify_client(&chain, cx.now)?),
            Shown::Key(key) => Some(trust.verify_client_key(key)?),
            // RFC 9846, 4.5.1.3: "the server MAY at its discretion either continue the handshake without client authentication or abort the
            // handshake with a certificate_required alert."
            Shown::Nothing if matches!(self.server.config.client_auth, ClientAuth::Optional(_)) => None,
            Shown::Nothing => return Err(Fault::CertificateRequired),
        };
        // Revocation lists may have come since the ClientHello, and others may come before the Finished: what counts is what the client was accepted under.
        if let Some(identity) = &next {
            self.parameters.trust_digest = *identity.trust_digest();
        }
        self.keys.transcript.add(wire.bytes);
        Ok(match next {
            Some(identity) => AfterCertificate::Verify(WaitCertificateVerify { known: self, identity }),
            None => AfterCertificate::Finished(WaitFinished { known: self, client: Proof::None }),
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
        Ok(WaitFinished { known: self.known, client: Proof::Signature(client) })
    }
}

/// WAIT_FINISHED.
pub(crate) struct WaitFinished {
    known: WaitCertificate,
    client: Proof,
}

impl WaitFinished {
    /// Verifies the client's Finished, asks the application, and takes the application key for what the client sends.
    pub(crate) fn on_finished(self, message: &Finished<'_>, wire: Wire<'_>, cx: &mut Context<'_>) -> Result<Connected, Fault> {
        let WaitCertificate { server, mut keys, parameters, client_traffic, exporter } = self.known;
        let verified = finished::verify(&keys.client_finished, &keys.transcript.digest(), message)?;
        keys.transcript.add(wire.bytes);
        let aligned = wire.aligned("Finished")?;
        let client = self.client.confirm(&verified, cx.now);
        if let Some(peer) = &client.peer {
            server.config.settings.authorize(peer)?;
        }
        cx.sink.install_read(aligned, Level::Application, keys.suite, client_traffic);
        let negotiated = Negotiated {
            cipher_suite: keys.suite.code_point(),
            group: keys.group,
            alpn: parameters.alpn.clone(),
            server_name: parameters.server_name.clone(),
            peer: client.peer.clone(),
            resumed: client.resumed,
        };
        cx.sink.event(Event::Connected(Established { negotiated, exporter, stored: None }));
        ticket::send(&server, &parameters, keys, &client, cx)?;
        Ok(Connected)
    }
}
