//! Our Certificate, CertificateVerify and Finished (RFC 9846, 4.5). The client's are in
//! `client_flight.rs`.
//!
//! If our private key is held elsewhere, our flight is sent in two parts: [`Unsigned`] waits for
//! the signature between them.

use crate::error::Fault;
use crate::handshake::authentication::signed_content;
use crate::handshake::{Context, Proof, Role, authentication, finished};
use crate::identity::Identity;
use crate::level::Level;
use crate::server::client_flight::{WaitCertificate, WaitEndOfEarlyData, WaitFinished};
use crate::server::parameters::Negotiated;

/// Sends Finished, and before it Certificate and CertificateVerify, unless a PSK authenticates us.
/// Installs the application keys for sending.
pub(crate) fn send(mut negotiated: Negotiated, cx: &mut Context<'_>) -> Result<Flight, Fault> {
    if negotiated.psk.is_some() {
        return finish(negotiated, cx).map(Flight::Sent);
    }
    let parameters = &negotiated.parameters;
    let identity = parameters.identity.clone().ok_or(Fault::Internal {
        what: "showing who we are",
    })?;
    let certificate = authentication::show(
        &identity,
        parameters.server_certificate_type,
        &mut negotiated.keys.transcript,
    )?;
    cx.sink.send(Level::Handshake, &certificate);
    let to_sign = signed_content(Role::Server, &negotiated.keys.transcript.digest());
    match identity.sign(&to_sign)? {
        Some(signature) => attest(negotiated, &signature, cx).map(Flight::Sent),
        None => Ok(Flight::Unsigned(Box::new(Unsigned {
            negotiated,
            identity,
            to_sign,
        }))),
    }
}

/// How far our first flight is sent.
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart as soon as it is returned"
)]
pub(crate) enum Flight {
    /// All of it is sent.
    Sent(Flight2),
    /// Our private key is held elsewhere.
    Unsigned(Box<Unsigned>),
}

/// Our Certificate is sent, and CertificateVerify waits for a signature that the application gets
/// from elsewhere.
pub(crate) struct Unsigned {
    negotiated: Negotiated,
    identity: Identity,
    to_sign: Vec<u8>,
}

impl Unsigned {
    /// Returns the bytes to sign (RFC 9846, 4.5.2).
    pub(crate) fn to_sign(&self) -> &[u8] {
        &self.to_sign
    }

    /// Continues with the signature, if it is valid.
    pub(crate) fn signed(self, signature: &[u8], cx: &mut Context<'_>) -> Result<Flight2, Fault> {
        let signature = self.identity.check_signature(&self.to_sign, signature)?;
        attest(self.negotiated, &signature, cx)
    }
}

/// Sends CertificateVerify and the rest.
fn attest(
    mut negotiated: Negotiated,
    signature: &[u8],
    cx: &mut Context<'_>,
) -> Result<Flight2, Fault> {
    let verify = authentication::attest(signature, &mut negotiated.keys.transcript)?;
    cx.sink.send(Level::Handshake, &verify);
    finish(negotiated, cx)
}

/// Sends Finished.
fn finish(negotiated: Negotiated, cx: &mut Context<'_>) -> Result<Flight2, Fault> {
    let Negotiated {
        server,
        mut keys,
        parameters,
        psk,
        early_data,
        client_handshake,
    } = negotiated;
    let own = finished::make(&keys.server_finished, &mut keys.transcript)?;
    cx.sink.send(Level::Handshake, &own);

    // RFC 9846, 7.1: both application secrets and the exporter's cover the transcript up to the
    // server's Finished.
    let digest = keys.transcript.digest();
    let server_traffic = keys.main.server_traffic(&digest);
    let client_traffic = keys.main.client_traffic(&digest);
    let exporter = keys.main.exporter(&digest);
    let epoch_exporter = parameters
        .extended_key_update
        .then(|| keys.main.epoch_exporter(&digest));
    keys.log
        .application(0, &client_traffic, &server_traffic, &exporter);
    // RFC 9846, 4.5.3: everything after our Finished is sent under the application key, including
    // alerts about the client's authentication. Application data is not sent yet, since before the
    // client's Finished nobody knows who would read it. The answer to early data is the exception:
    // its sender holds the PSK.
    cx.sink
        .install_send(Level::Application, keys.suite, server_traffic);

    let asked = server.config.client_auth.trust().is_some();
    let wait = WaitCertificate {
        server,
        keys,
        parameters,
        early_data,
        client_traffic,
        exporter,
        epoch_exporter,
    };
    Ok(match (psk, client_handshake) {
        (Some(psk), None) => Flight2::Finished(WaitFinished {
            known: wait,
            client: Proof::Psk(psk),
        }),
        (Some(psk), Some(client_handshake)) => {
            let next = WaitFinished {
                known: wait,
                client: Proof::Psk(psk),
            };
            Flight2::EndOfEarlyData(WaitEndOfEarlyData {
                next,
                client_handshake,
            })
        }
        (None, _) if asked => Flight2::Certificate(wait),
        (None, _) => Flight2::Finished(WaitFinished {
            known: wait,
            client: Proof::None,
        }),
    })
}

/// WAIT_FLIGHT2: the state that the client's flight begins in.
pub(crate) enum Flight2 {
    /// Early data is accepted: it comes first, then its end.
    EndOfEarlyData(WaitEndOfEarlyData),
    /// The client was asked for a certificate.
    Certificate(WaitCertificate),
    /// The client was not asked for a certificate.
    Finished(WaitFinished),
}
