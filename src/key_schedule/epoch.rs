//! The stages after the handshake, one for each extended key update
//! (draft-ietf-tls-extended-key-update, "Updating Traffic Keys").

use super::exporter::ExporterSecret;
use super::label::Label;
use super::stages::MainSecret;
use super::traffic::TrafficSecret;
use crate::crypto::hash::{Digest, HashAlgorithm};
use crate::crypto::hkdf::Prk;
use crate::secret::Secret;

/// What a connection keeps of main_secret_N, so that an extended key update can derive
/// main_secret_N+1: Derive-Secret(main_secret_N, "derived", ""). The main_secret itself is wiped.
pub(crate) struct Epoch {
    hash: HashAlgorithm,
    salt: Secret,
    /// transcript_hash_N: public.
    transcript: Digest,
}

/// The secrets of an epoch that are in use.
pub(crate) struct EpochSecrets {
    pub(crate) client: TrafficSecret,
    pub(crate) server: TrafficSecret,
    pub(crate) exporter: ExporterSecret,
}

impl MainSecret {
    /// Derives exporter_secret_0, which is independent of exporter_secret. The transcript is
    /// ClientHello...server Finished.
    pub(crate) fn epoch_exporter(&self, transcript: &Digest) -> ExporterSecret {
        self.exporter_by(Label::EPOCH_EXPORTER, transcript)
    }

    /// Derives what an extended key update begins with. The transcript is ClientHello...client
    /// Finished: transcript_hash_0.
    pub(crate) fn into_epoch(self, transcript: Digest) -> Epoch {
        Epoch {
            hash: self.algorithm(),
            salt: self.derived(),
            transcript,
        }
    }
}

impl Epoch {
    pub(crate) fn hash(&self) -> HashAlgorithm {
        self.hash
    }

    #[cfg(test)]
    pub(crate) fn from_parts(hash: HashAlgorithm, salt: &[u8], transcript: Digest) -> Self {
        let salt = Secret::copy_of(salt);
        Self {
            hash,
            salt,
            transcript,
        }
    }

    /// Returns transcript_hash_N.
    pub(crate) fn transcript(&self) -> &Digest {
        &self.transcript
    }

    /// Derives main_secret_N+1 and what is derived from it, with the result of a fresh key
    /// exchange. The transcript is transcript_hash_N+1.
    pub(crate) fn next(self, shared: &Secret, transcript: Digest) -> (Self, EpochSecrets) {
        let main =
            MainSecret::from_prk(Prk::extract(self.hash, self.salt.expose(), shared.expose()));
        let secrets = EpochSecrets {
            client: main.client_traffic(&transcript),
            server: main.server_traffic(&transcript),
            exporter: main.exporter(&transcript),
        };
        (main.into_epoch(transcript), secrets)
    }
}
