//! The client's second flight (RFC 9846, 4.5 and 4.6): EndOfEarlyData after early data; Certificate
//! and CertificateVerify if the client was asked for them; Finished.

use crate::code_point::CertificateType;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Side};
use crate::handshake::authentication::Shown;
use crate::handshake::{
    Context, EarlyData, Established, Event, KeyUpdates, Keys, Negotiated, Proof, Role, Wire,
    authentication, finished,
};
use crate::identity::{Identity, VerifiedIdentity};
use crate::key_schedule::{ExporterSecret, TrafficSecret};
use crate::level::Level;
use crate::message::{Certificate, CertificateVerify, Finished};
use crate::server::config::{ClientAuth, Server};
use crate::server::parameters::Parameters;
use crate::server::post_handshake::Connected;
use crate::server::ticket;
use crate::session::Whose;

/// WAIT_EOED: early data is received under its own keys, and the handshake keys wait.
pub(crate) struct WaitEndOfEarlyData {
    pub(crate) next: WaitFinished,
    pub(crate) client_handshake: TrafficSecret,
}

impl WaitEndOfEarlyData {
    /// Ends early data: the client's flight continues under the handshake keys.
    pub(crate) fn on_end_of_early_data(
        mut self,
        wire: Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<WaitFinished, Fault> {
        let bytes = wire.bytes;
        let aligned = wire.aligned("EndOfEarlyData")?;
        let suite = self.next.on_end_of_early_data(bytes);
        cx.sink
            .install_receive(aligned, Level::Handshake, suite, self.client_handshake);
        Ok(self.next)
    }
}

/// WAIT_CERT.
pub(crate) struct WaitCertificate {
    pub(super) server: Server,
    pub(super) keys: Keys,
    pub(super) parameters: Parameters,
    pub(super) early_data: EarlyData,
    pub(super) client_traffic: TrafficSecret,
    pub(super) exporter: ExporterSecret,
    /// exporter_secret_0, if extended key updates were agreed on.
    pub(super) epoch_exporter: Option<ExporterSecret>,
}

impl WaitCertificate {
    /// Verifies the client's chain or key, if it sends one.
    pub(crate) fn on_certificate(
        mut self,
        message: &Certificate<'_>,
        wire: &Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<AfterCertificate, Fault> {
        let trust = self
            .server
            .config
            .client_auth
            .trust()
            .ok_or(Fault::Internal {
                what: "a client certificate that was not asked for",
            })?;
        let next = match authentication::shown(message, self.parameters.client_certificate_type)? {
            Shown::Chain(chain) => Some(trust.verify_client(&chain, cx.now)?),
            Shown::Key(key) => Some(trust.verify_client_key(key)?),
            // RFC 9846, 4.5.1.3: "the server MAY at its discretion either continue the handshake
            // without client authentication or abort the handshake with a certificate_required
            // alert."
            Shown::Nothing if matches!(self.server.config.client_auth, ClientAuth::Optional(_)) => {
                None
            }
            Shown::Nothing => {
                let (trusted, more) = trust.root_names();
                return Err(Fault::CertificateRequired { trusted, more });
            }
        };
        // Revocation lists may have been loaded since the ClientHello, and others may be before the
        // Finished. What counts is the trust with which the client was accepted.
        if let Some(identity) = &next {
            self.parameters.trust_digest = *identity.trust_digest();
        }
        self.keys.transcript.add(wire.bytes);
        Ok(match next {
            Some(identity) => AfterCertificate::Verify(WaitCertificateVerify {
                known: self,
                identity,
            }),
            None => AfterCertificate::Finished(WaitFinished {
                known: self,
                client: Proof::None,
            }),
        })
    }
}

/// The state that follows the client's Certificate.
pub(crate) enum AfterCertificate {
    /// It has a chain or key, and the client's signature comes next.
    Verify(WaitCertificateVerify),
    /// It is empty, which is allowed.
    Finished(WaitFinished),
}

/// WAIT_CV: the client's chain or key is trusted. Whether the client holds the private key is not
/// known yet.
pub(crate) struct WaitCertificateVerify {
    pub(super) known: WaitCertificate,
    identity: VerifiedIdentity,
}

impl WaitCertificateVerify {
    /// Verifies that the client holds the private key of its certificate.
    pub(crate) fn on_certificate_verify(
        mut self,
        message: &CertificateVerify<'_>,
        wire: &Wire<'_>,
    ) -> Result<WaitFinished, Fault> {
        let digest = self.known.keys.transcript.digest();
        let client = authentication::verify(self.identity, Role::Client, &digest, message)?;
        self.known.keys.transcript.add(wire.bytes);
        Ok(WaitFinished {
            known: self.known,
            client: Proof::Signature(client),
        })
    }
}

/// WAIT_FINISHED.
pub(crate) struct WaitFinished {
    pub(super) known: WaitCertificate,
    pub(super) client: Proof,
}

impl WaitFinished {
    /// Adds the end of early data to the transcript, before the client's Finished (RFC 9846, 4.1).
    /// Returns the suite of the keys.
    pub(crate) fn on_end_of_early_data(&mut self, message: &[u8]) -> Suite {
        self.known.keys.transcript.add(message);
        self.known.keys.suite
    }

    /// Returns what the handshake is about to agree on, for the reader of its early data.
    pub(crate) fn early_negotiated(&self) -> Option<Negotiated> {
        match &self.client {
            Proof::Psk(psk) if self.accepted_early_data() => Some(agreed(
                &self.known.keys,
                &self.known.parameters,
                psk.whose.clone(),
                psk.resumed,
                self.known.early_data,
            )),
            _ => None,
        }
    }

    pub(crate) fn accepted_early_data(&self) -> bool {
        self.known.early_data == EarlyData::Accepted
    }

    /// Verifies the client's Finished, asks the application's `authorize` hook, and installs the
    /// application keys for receiving.
    pub(crate) fn on_finished(
        self,
        message: &Finished<'_>,
        wire: Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Connected, Fault> {
        let WaitCertificate {
            server,
            mut keys,
            parameters,
            early_data,
            client_traffic,
            exporter,
            epoch_exporter,
        } = self.known;
        let verified = finished::verify(&keys.client_finished, &keys.transcript.digest(), message)?;
        keys.transcript.add(wire.bytes);
        let aligned = wire.aligned("Finished")?;
        let client = self.client.confirm(&verified, cx.now);
        if let Some(peer) = client.whose.peer() {
            server.config.settings.authorize(peer)?;
        }
        cx.sink
            .install_receive(aligned, Level::Application, keys.suite, client_traffic);
        let negotiated = agreed(
            &keys,
            &parameters,
            client.whose.clone(),
            client.resumed,
            early_data,
        );
        let (extended, keys) = match epoch_exporter {
            Some(exporter_0) => (Some(keys.into_extended(Side::Server, exporter_0)?), None),
            None => (None, Some(keys)),
        };
        cx.sink.event(Event::Connected(Established {
            negotiated,
            exporter,
            extended: extended.clone(),
            stored: None,
        }));
        // Tickets are not sent where extended key updates are enabled.
        if let Some(keys) = keys {
            ticket::send(&server, &parameters, keys, &client, cx)?;
        }
        Ok(Connected {
            key_updates: KeyUpdates { extended },
        })
    }
}

fn agreed(
    keys: &Keys,
    parameters: &Parameters,
    whose: Whose,
    resumed: bool,
    early_data: EarlyData,
) -> Negotiated {
    // A raw key and an external PSK take the place of our certificate, also in what is resumed.
    let shown = parameters.identity.as_ref().filter(|_| {
        parameters.server_certificate_type == CertificateType::X509 && whose.psk().is_none()
    });
    Negotiated {
        server_end_point: shown.and_then(Identity::server_end_point),
        cipher_suite: keys.suite.code_point(),
        group: keys.group,
        alpn: parameters.alpn.clone(),
        server_name: parameters.server_name.clone(),
        whose,
        resumed,
        early_data,
        extended_key_update: parameters.extended_key_update,
    }
}
