//! The stages of the key schedule: the left side of the diagram.
//!
//! Each stage is consumed by the step to the next, and wiped with it: what a stage can no longer
//! derive, or cannot derive yet, does not compile.

use super::exporter::ExporterSecret;
use super::label::{self, Label};
use super::resumption::{BinderKey, PskKind, ResumptionSecret};
use super::traffic::TrafficSecret;
use crate::crypto::hash::{Digest, HashAlgorithm};
use crate::crypto::hkdf::Prk;
use crate::secret::Secret;

/// The longest output of our hashes, as zeros: it replaces a secret that is not available.
const ZEROS: [u8; HashAlgorithm::MAX_OUTPUT_LEN] = [0; HashAlgorithm::MAX_OUTPUT_LEN];

/// The early_secret: everything that is known before the key exchange.
pub(crate) struct EarlySecret(Prk);

impl EarlySecret {
    /// Begins with the PSK that was selected or is being offered, or with zeros if there is none.
    pub(crate) fn new(hash: HashAlgorithm, psk: Option<&Secret>) -> Self {
        Self(Prk::extract(
            hash,
            zeros(hash),
            psk.map_or(zeros(hash), Secret::expose),
        ))
    }

    /// Derives the key for the binder of this PSK.
    pub(crate) fn binder_key(&self, kind: PskKind) -> BinderKey {
        let empty = self.0.algorithm().hash(b"");
        BinderKey::new(Prk::from_secret(
            self.0.algorithm(),
            label::derive(&self.0, kind.label(), &empty),
        ))
    }

    /// Derives client_early_traffic_secret. The transcript is ClientHello.
    pub(crate) fn client_early_traffic(&self, transcript: &Digest) -> TrafficSecret {
        traffic(&self.0, Label::CLIENT_EARLY_TRAFFIC, transcript)
    }

    /// Derives early_exporter_secret. The transcript is ClientHello.
    pub(crate) fn early_exporter(&self, transcript: &Digest) -> ExporterSecret {
        ExporterSecret::new(
            self.0.algorithm(),
            label::derive(&self.0, Label::EARLY_EXPORTER, transcript),
        )
    }

    /// Derives the next stage, with the result of the key exchange.
    pub(crate) fn into_handshake(self, shared: Secret) -> HandshakeSecret {
        HandshakeSecret(next_stage(&self.0, shared.expose()))
    }

    #[cfg(test)]
    pub(crate) fn secret(&self) -> &Secret {
        self.0.secret()
    }
}

/// The handshake_secret: includes the key exchange; the peer is not authenticated yet.
pub(crate) struct HandshakeSecret(Prk);

impl HandshakeSecret {
    /// Derives client_handshake_traffic_secret. The transcript is ClientHello...ServerHello.
    pub(crate) fn client_traffic(&self, transcript: &Digest) -> TrafficSecret {
        traffic(&self.0, Label::CLIENT_HANDSHAKE_TRAFFIC, transcript)
    }

    /// Derives server_handshake_traffic_secret. The transcript is ClientHello...ServerHello.
    pub(crate) fn server_traffic(&self, transcript: &Digest) -> TrafficSecret {
        traffic(&self.0, Label::SERVER_HANDSHAKE_TRAFFIC, transcript)
    }

    /// Derives the next stage, which adds no secret.
    pub(crate) fn into_main(self) -> MainSecret {
        MainSecret(next_stage(&self.0, zeros(self.0.algorithm())))
    }

    #[cfg(test)]
    pub(crate) fn secret(&self) -> &Secret {
        self.0.secret()
    }
}

/// The main_secret: the source of the application's keys.
#[doc(alias = "master_secret")]
pub(crate) struct MainSecret(Prk);

impl MainSecret {
    /// Derives client_application_traffic_secret_0. The transcript is ClientHello...server
    /// Finished.
    pub(crate) fn client_traffic(&self, transcript: &Digest) -> TrafficSecret {
        traffic(&self.0, Label::CLIENT_APPLICATION_TRAFFIC, transcript)
    }

    /// Derives server_application_traffic_secret_0. The transcript is ClientHello...server
    /// Finished.
    pub(crate) fn server_traffic(&self, transcript: &Digest) -> TrafficSecret {
        traffic(&self.0, Label::SERVER_APPLICATION_TRAFFIC, transcript)
    }

    /// Derives exporter_secret. The transcript is ClientHello...server Finished.
    pub(crate) fn exporter(&self, transcript: &Digest) -> ExporterSecret {
        self.exporter_by(Label::EXPORTER_SECRET, transcript)
    }

    pub(super) fn exporter_by(&self, label: Label<'_>, transcript: &Digest) -> ExporterSecret {
        ExporterSecret::new(
            self.0.algorithm(),
            label::derive(&self.0, label, transcript),
        )
    }

    /// Derives resumption_secret, from which tickets' PSKs are derived. The transcript is
    /// ClientHello...client Finished.
    pub(crate) fn into_resumption(self, transcript: &Digest) -> ResumptionSecret {
        let resumption = label::derive(&self.0, Label::RESUMPTION_SECRET, transcript);
        ResumptionSecret::new(self.0.algorithm(), resumption)
    }

    pub(super) fn algorithm(&self) -> HashAlgorithm {
        self.0.algorithm()
    }

    /// Makes the stage that an extended key update derives.
    pub(super) fn from_prk(prk: Prk) -> Self {
        Self(prk)
    }

    /// Returns Derive-Secret(main_secret, "derived", ""): the salt of the next stage.
    pub(super) fn derived(&self) -> Secret {
        salt_of_next(&self.0)
    }

    #[cfg(test)]
    pub(crate) fn secret(&self) -> &Secret {
        self.0.secret()
    }
}

/// HKDF-Extract(Derive-Secret(stage, "derived", ""), input): one step down the left side.
fn next_stage(stage: &Prk, input: &[u8]) -> Prk {
    Prk::extract(stage.algorithm(), salt_of_next(stage).expose(), input)
}

fn salt_of_next(stage: &Prk) -> Secret {
    label::derive(stage, Label::DERIVED, &stage.algorithm().hash(b""))
}

fn traffic(stage: &Prk, label: Label<'_>, transcript: &Digest) -> TrafficSecret {
    TrafficSecret::new(Prk::from_secret(
        stage.algorithm(),
        label::derive(stage, label, transcript),
    ))
}

/// Returns "0": a string of Hash.length zero bytes.
fn zeros(hash: HashAlgorithm) -> &'static [u8] {
    ZEROS.get(..hash.output_len()).unwrap_or(&ZEROS)
}
