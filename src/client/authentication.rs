//! Certificate, CertificateVerify and Finished of the server, then our own flight (RFC 9846, 4.5).
//!
//! If our key is held elsewhere, our flight is sent in two parts: [`Unsigned`] waits for the
//! signature between them.

use std::sync::Arc;

use crate::client::certificate_request::CertificateRequested;
use crate::client::config::Client;
use crate::client::early_data::Early;
use crate::client::post_handshake::{Connected, Memory};
use crate::code_point::CertificateType;
use crate::error::{DecodeProblem, Fault, Said, Side};
use crate::handshake::authentication::{Authenticated, Shown, signed_content};
use crate::handshake::{
    Context, EarlyData, Established, Event, KeyUpdates, Keys, Negotiated, Proof, Role, Wire,
    authentication, finished,
};
use crate::identity::{Identity, Peer, ServerName, VerifiedIdentity};
use crate::key_schedule::{ExporterSecret, TrafficSecret};
use crate::level::Level;
use crate::message::{Certificate, CertificateVerify, Finished};
use crate::record::Aligned;
use crate::session::{SessionKey, StoredSessions};

/// WAIT_CERT.
pub(crate) struct WaitCertificate {
    pub(crate) client: Client,
    pub(crate) name: Option<ServerName>,
    /// `None` if no sessions are stored.
    pub(crate) stored: Option<StoredSessions>,
    pub(crate) keys: Keys,
    pub(crate) alpn: Option<Vec<u8>>,
    /// The type of our certificate, if the server requests one (RFC 7250).
    pub(crate) client_certificate_type: CertificateType,
    /// The type of the server's certificate.
    pub(crate) server_certificate_type: CertificateType,
    /// The state of early data.
    pub(crate) early: Early,
    /// Whether keys are renewed by extended key updates.
    pub(crate) extended_key_update: bool,
    /// The server's CertificateRequest, if it sent one.
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
        let trust = self.client.config.trust.as_ref().ok_or(Fault::Internal {
            what: "a certificate for a client without trust",
        })?;
        let identity = match authentication::shown(message, self.server_certificate_type)? {
            Shown::Chain(chain) => trust.verify_server(&chain, self.name.as_ref(), cx.now)?,
            Shown::Key(key) => trust.verify_server_key(key, self.name.as_ref())?,
            // RFC 9846, 4.5.1.3: "If the server supplies an empty Certificate message, the client
            // MUST abort the handshake with a decode_error".
            Shown::Nothing => {
                return Err(Fault::Decode {
                    message: "Certificate",
                    field: "certificate_list",
                    problem: DecodeProblem::Empty,
                });
            }
        };
        // Revocation lists may have been replaced since the ClientHello: the session is valid as
        // long as what the server was accepted under now.
        if let Some(stored) = &mut self.stored {
            let (own, psk) = (
                self.client.config.identity.as_ref(),
                self.client.config.external_psk.as_ref(),
            );
            stored.put_under(SessionKey::under(
                self.name.as_ref(),
                identity.trust_digest(),
                own,
                psk,
            ));
        }
        self.keys.transcript.add(wire.bytes);
        Ok(WaitCertificateVerify {
            known: self,
            identity,
        })
    }
}

/// WAIT_CV: the certificate is trusted, but the server has not yet proven that it holds the key.
pub(crate) struct WaitCertificateVerify {
    pub(crate) known: WaitCertificate,
    identity: VerifiedIdentity,
}

impl WaitCertificateVerify {
    /// Verifies that the server holds the private key of its certificate.
    pub(crate) fn on_certificate_verify(
        mut self,
        message: &CertificateVerify<'_>,
        wire: &Wire<'_>,
    ) -> Result<WaitFinished, Fault> {
        let digest = self.known.keys.transcript.digest();
        let server = authentication::verify(self.identity, Role::Server, &digest, message)?;
        self.known.keys.transcript.add(wire.bytes);
        Ok(WaitFinished {
            known: self.known,
            server: Proof::Signature(server),
        })
    }
}

/// WAIT_FINISHED.
pub(crate) struct WaitFinished {
    pub(crate) known: WaitCertificate,
    pub(crate) server: Proof,
}

impl WaitFinished {
    /// Verifies the server's Finished, calls the application's hook, sends our flight and installs
    /// the application keys.
    pub(crate) fn on_finished(
        self,
        message: &Finished<'_>,
        wire: Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<AfterFinished, Fault> {
        let WaitCertificate {
            client,
            name,
            stored,
            mut keys,
            alpn,
            client_certificate_type,
            early,
            extended_key_update,
            request,
            ..
        } = self.known;
        let verified = finished::verify(&keys.server_finished, &keys.transcript.digest(), message)?;
        keys.transcript.add(wire.bytes);
        let aligned = wire.aligned("Finished")?;
        // RFC 9846, 7.1: both application secrets cover the transcript up to the server's Finished.
        let digest = keys.transcript.digest();
        let secrets = Secrets {
            client: keys.main.client_traffic(&digest),
            server: keys.main.server_traffic(&digest),
            exporter: keys.main.exporter(&digest),
            epoch_exporter: extended_key_update.then(|| keys.main.epoch_exporter(&digest)),
        };
        keys.log
            .application(0, &secrets.client, &secrets.server, &secrets.exporter);
        // Before the hook is called: a server that accepted early data reads what comes next, even
        // an alert, only after this.
        let early_data = early.end(&mut keys, cx)?;
        let server = self.server.confirm(&verified, cx.now);
        if let Some(peer) = server.whose.peer() {
            client.config.settings.authorize(peer)?;
        }

        let identity = client
            .config
            .identity
            .clone()
            .filter(|_| request.as_ref().is_some_and(|request| request.suits_us));
        let mut flight = Flight {
            name,
            stored,
            keys,
            alpn,
            early_data,
            server,
            aligned,
            secrets,
            said: None,
        };
        match (request, identity) {
            (None, _) => {}
            (Some(_), Some(identity)) => return flight.show(identity, client_certificate_type, cx),
            // RFC 9846, 4.5.1: "If ... no suitable certificate is available, the client MUST send a
            // Certificate message containing no certificates". The server decides whether that is
            // enough.
            (Some(_), None) => {
                let empty = Certificate {
                    certificate_request_context: &[],
                    certificate_list: Vec::new(),
                }
                .encode()?;
                flight.keys.transcript.add(&empty);
                cx.sink.send(Level::Handshake, &empty);
                let why = match &client.config.identity {
                    None => "has no identity",
                    Some(_) => "has none that the server's CertificateRequest allows",
                };
                flight.said = Some(Arc::new(Said::NoCertificate { why }));
            }
        }
        flight.finish(cx).map(AfterFinished::Connected)
    }
}

/// The state that follows the server's Finished.
pub(crate) enum AfterFinished {
    Connected(Connected),
    /// Our private key is held elsewhere.
    Unsigned(Box<Unsigned>),
}

/// The traffic secrets of both sides and the exporter's secret.
struct Secrets {
    client: TrafficSecret,
    server: TrafficSecret,
    exporter: ExporterSecret,
    /// exporter_secret_0, if extended key updates were agreed on.
    epoch_exporter: Option<ExporterSecret>,
}

/// What our flight needs, up to our Finished.
struct Flight {
    name: Option<ServerName>,
    stored: Option<StoredSessions>,
    keys: Keys,
    alpn: Option<Vec<u8>>,
    early_data: EarlyData,
    server: Authenticated,
    aligned: Aligned,
    secrets: Secrets,
    /// What we answered if the server asked for our identity.
    said: Option<Arc<Said>>,
}

impl Flight {
    /// Sends Certificate, and the rest if the signature can be made here.
    fn show(
        mut self,
        identity: Identity,
        certificate_type: CertificateType,
        cx: &mut Context<'_>,
    ) -> Result<AfterFinished, Fault> {
        let certificate =
            authentication::show(&identity, certificate_type, &mut self.keys.transcript)?;
        cx.sink.send(Level::Handshake, &certificate);
        self.said = Some(identity.said().clone());
        let to_sign = signed_content(Role::Client, &self.keys.transcript.digest());
        match identity.sign(&to_sign)? {
            Some(signature) => self.attest(&signature, cx).map(AfterFinished::Connected),
            None => Ok(AfterFinished::Unsigned(Box::new(Unsigned {
                flight: self,
                identity,
                to_sign,
            }))),
        }
    }

    /// Sends CertificateVerify and the rest.
    fn attest(mut self, signature: &[u8], cx: &mut Context<'_>) -> Result<Connected, Fault> {
        let verify = authentication::attest(signature, &mut self.keys.transcript)?;
        cx.sink.send(Level::Handshake, &verify);
        self.finish(cx)
    }

    /// Sends Finished and installs the application keys.
    fn finish(self, cx: &mut Context<'_>) -> Result<Connected, Fault> {
        let Self {
            name,
            stored,
            mut keys,
            alpn,
            early_data,
            server,
            aligned,
            secrets,
            said,
        } = self;
        let own = finished::make(&keys.client_finished, &mut keys.transcript)?;
        cx.sink.send(Level::Handshake, &own);
        cx.sink
            .install_send(Level::Application, keys.suite, secrets.client);
        cx.sink
            .install_receive(aligned, Level::Application, keys.suite, secrets.server);
        let negotiated = Negotiated {
            cipher_suite: keys.suite.code_point(),
            group: keys.group,
            alpn: alpn.clone(),
            server_name: name.as_ref().and_then(ServerName::dns).map(str::to_owned),
            whose: server.whose.clone(),
            resumed: server.resumed,
            early_data,
            extended_key_update: secrets.epoch_exporter.is_some(),
            server_end_point: server.whose.peer().and_then(Peer::server_end_point),
        };
        // Sessions are not stored where extended key updates are enabled.
        let (extended, memory) = match (secrets.epoch_exporter, stored) {
            (Some(exporter_0), _) => (Some(keys.into_extended(Side::Client, exporter_0)?), None),
            (None, Some(stored)) => {
                let memory = Memory::new(stored, keys, server, alpn);
                (None, Some(Box::new(memory)))
            }
            (None, None) => (None, None),
        };
        cx.sink.event(Event::Connected(Established {
            negotiated,
            exporter: secrets.exporter,
            extended: extended.clone(),
            stored: memory.as_ref().map(|memory| memory.stored.clone()),
        }));
        Ok(Connected {
            memory,
            key_updates: KeyUpdates { extended },
            said,
        })
    }
}

/// Our Certificate is sent. CertificateVerify waits for a signature that the application obtains
/// from elsewhere.
pub(crate) struct Unsigned {
    flight: Flight,
    identity: Identity,
    to_sign: Vec<u8>,
}

impl Unsigned {
    /// Returns the bytes to sign (RFC 9846, 4.5.2).
    pub(crate) fn to_sign(&self) -> &[u8] {
        &self.to_sign
    }

    /// Continues with the signature, if it is valid.
    pub(crate) fn signed(self, signature: &[u8], cx: &mut Context<'_>) -> Result<Connected, Fault> {
        let signature = self.identity.check_signature(&self.to_sign, signature)?;
        self.flight.attest(&signature, cx)
    }
}
