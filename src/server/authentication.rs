//! Our Certificate, CertificateVerify and Finished, then those of the client (RFC 9846, 4.5).
//!
//! Our flight is sent in two parts where our key is elsewhere: [`Unsigned`] waits for the signature between them.

use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::handshake::authentication::{Shown, signed_content};
use crate::handshake::{Context, EarlyData, Established, Event, Keys, Negotiated as Agreed, Proof, Role, Wire, authentication, finished};
use crate::identity::{Identity, VerifiedIdentity};
use crate::key_schedule::{ExporterSecret, TrafficSecret};
use crate::level::Level;
use crate::message::{Certificate, CertificateVerify, Finished};
use crate::server::config::{ClientAuth, Server};
use crate::server::early_data::WaitEndOfEarlyData;
use crate::server::post_handshake::Connected;
use crate::server::server_parameters::{Negotiated, Parameters};
use crate::server::ticket;
use crate::session::Whose;

/// Sends [Certificate, CertificateVerify,] and Finished, and takes the application key for what we send. With a PSK it says who we are.
pub(crate) fn send(mut negotiated: Negotiated, cx: &mut Context<'_>) -> Result<Flight, Fault> {
    if negotiated.psk.is_some() {
        return finish(negotiated, cx).map(Flight::Sent);
    }
    let parameters = &negotiated.parameters;
    let identity = parameters.identity.clone().ok_or(Fault::Internal { what: "showing who we are" })?;
    let certificate = authentication::show(&identity, parameters.server_certificate_type, &mut negotiated.keys.transcript)?;
    cx.sink.write(Level::Handshake, &certificate);
    let to_sign = signed_content(Role::Server, &negotiated.keys.transcript.digest());
    match identity.sign(&to_sign)? {
        Some(signature) => attest(negotiated, &signature, cx).map(Flight::Sent),
        None => Ok(Flight::Unsigned(Box::new(Unsigned { negotiated, identity, to_sign }))),
    }
}

/// Our first flight.
#[expect(clippy::large_enum_variant, reason = "taken apart as soon as it is returned")]
pub(crate) enum Flight {
    /// All of it is sent.
    Sent(Flight2),
    /// Our key is elsewhere.
    Unsigned(Box<Unsigned>),
}

/// Our Certificate is sent; CertificateVerify waits for a signature that the application gets from elsewhere.
pub(crate) struct Unsigned {
    negotiated: Negotiated,
    identity: Identity,
    to_sign: Vec<u8>,
}

impl Unsigned {
    /// What is to be signed (RFC 9846, 4.5.2).
    pub(crate) fn to_sign(&self) -> &[u8] {
        &self.to_sign
    }

    /// Goes on with the signature, if it is one.
    pub(crate) fn signed(self, signature: &[u8], cx: &mut Context<'_>) -> Result<Flight2, Fault> {
        let signature = self.identity.check_signature(&self.to_sign, signature)?;
        attest(self.negotiated, &signature, cx)
    }
}

/// Sends CertificateVerify and what is left.
fn attest(mut negotiated: Negotiated, signature: &[u8], cx: &mut Context<'_>) -> Result<Flight2, Fault> {
    let verify = authentication::attest(signature, &mut negotiated.keys.transcript)?;
    cx.sink.write(Level::Handshake, &verify);
    finish(negotiated, cx)
}

/// Sends Finished.
fn finish(negotiated: Negotiated, cx: &mut Context<'_>) -> Result<Flight2, Fault> {
    let Negotiated { server, mut keys, parameters, psk, early_data, client_handshake } = negotiated;
    let own = finished::make(&keys.server_finished, &mut keys.transcript)?;
    cx.sink.write(Level::Handshake, &own);

    // RFC 9846, 7.1: both application secrets, and the exporter's, cover the transcript up to the server's Finished.
    let digest = keys.transcript.digest();
    let server_traffic = keys.main.server_traffic(&digest);
    let client_traffic = keys.main.client_traffic(&digest);
    let exporter = keys.main.exporter(&digest);
    // RFC 9846, 4.5.3: what follows our Finished, alerts about the client's authentication too, goes out under the application key.
    // Application data does not go out yet, since before the client's Finished nobody knows who would read it: but for the answer to early data, whose
    // sender holds the PSK.
    cx.sink.install_write(Level::Application, keys.suite, server_traffic);

    let asked = server.config.client_auth.trust().is_some();
    let wait = WaitCertificate { server, keys, parameters, early_data, client_traffic, exporter };
    Ok(match (psk, client_handshake) {
        (Some(psk), None) => Flight2::Finished(WaitFinished { known: wait, client: Proof::Psk(psk) }),
        (Some(psk), Some(client_handshake)) => {
            let next = WaitFinished { known: wait, client: Proof::Psk(psk) };
            Flight2::EndOfEarlyData(WaitEndOfEarlyData { next, client_handshake })
        }
        (None, _) if asked => Flight2::Certificate(wait),
        (None, _) => Flight2::Finished(WaitFinished { known: wait, client: Proof::None }),
    })
}

/// WAIT_FLIGHT2: what the client's flight begins with.
pub(crate) enum Flight2 {
    /// Early data, and its end.
    EndOfEarlyData(WaitEndOfEarlyData),
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
    early_data: EarlyData,
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
        let client = authentication::verify(self.identity, Role::Client, &digest, message)?;
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
    /// The end of early data stands in the transcript before the client's Finished (RFC 9846, 4.1). Says which suite the keys are for.
    pub(crate) fn on_end_of_early_data(&mut self, message: &[u8]) -> Suite {
        self.known.keys.transcript.add(message);
        self.known.keys.suite
    }

    /// What the handshake will have agreed on, for whoever reads its early data.
    pub(crate) fn early_negotiated(&self) -> Option<Agreed> {
        match &self.client {
            Proof::Psk(psk) if self.accepted_early_data() => {
                Some(agreed(&self.known.keys, &self.known.parameters, psk.whose.clone(), psk.resumed, self.known.early_data))
            }
            _ => None,
        }
    }

    pub(crate) fn accepted_early_data(&self) -> bool {
        self.known.early_data == EarlyData::Accepted
    }

    /// Verifies the client's Finished, asks the application, and takes the application key for what the client sends.
    pub(crate) fn on_finished(self, message: &Finished<'_>, wire: Wire<'_>, cx: &mut Context<'_>) -> Result<Connected, Fault> {
        let WaitCertificate { server, mut keys, parameters, early_data, client_traffic, exporter } = self.known;
        let verified = finished::verify(&keys.client_finished, &keys.transcript.digest(), message)?;
        keys.transcript.add(wire.bytes);
        let aligned = wire.aligned("Finished")?;
        let client = self.client.confirm(&verified, cx.now);
        if let Some(peer) = client.whose.peer() {
            server.config.settings.authorize(peer)?;
        }
        cx.sink.install_read(aligned, Level::Application, keys.suite, client_traffic);
        let negotiated = agreed(&keys, &parameters, client.whose.clone(), client.resumed, early_data);
        cx.sink.event(Event::Connected(Established { negotiated, exporter, stored: None }));
        ticket::send(&server, &parameters, keys, &client, cx)?;
        Ok(Connected)
    }
}

fn agreed(keys: &Keys, parameters: &Parameters, whose: Whose, resumed: bool, early_data: EarlyData) -> Agreed {
    Agreed {
        cipher_suite: keys.suite.code_point(),
        group: keys.group,
        alpn: parameters.alpn.clone(),
        server_name: parameters.server_name.clone(),
        whose,
        resumed,
        early_data,
    }
}
