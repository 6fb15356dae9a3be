//! Pre-shared keys: the source of a ticket's PSK, and the binder that proves possession of a PSK
//! (RFC 9846, 4.3.11.2 and 4.7.1).

use super::label::{self, Label};
use super::traffic::FinishedKey;
use crate::crypto::hash::{Digest, HashAlgorithm};
use crate::crypto::hkdf::Prk;
use crate::secret::Secret;

/// The origin of a PSK. The labels differ, so that one kind cannot replace the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PskKind {
    /// Provisioned outside of TLS, and used directly.
    External,
    /// Provisioned outside of TLS, and imported (RFC 9258, 5.2).
    Imported,
    /// From the resumption_secret of an earlier connection.
    Resumption,
}

impl PskKind {
    pub(super) fn label(self) -> Label<'static> {
        match self {
            Self::External => Label::EXTERNAL_BINDER,
            Self::Imported => Label::IMPORTED_BINDER,
            Self::Resumption => Label::RESUMPTION_BINDER,
        }
    }
}

/// binder_key: makes and verifies the binder of one PSK.
///
/// A binder is computed like a Finished, with the binder_key as its base key, over the ClientHello
/// up to its list of binders.
pub(crate) struct BinderKey(FinishedKey);

impl BinderKey {
    pub(super) fn new(binder_key: Prk) -> Self {
        Self(FinishedKey::new(&binder_key))
    }

    /// Returns the binder for the transcript up to the truncated ClientHello.
    pub(crate) fn binder(&self, transcript: &Digest) -> Vec<u8> {
        self.0.verify_data(transcript)
    }

    /// Returns true if this is the binder for the transcript, in constant time.
    pub(crate) fn verify(&self, transcript: &Digest, binder: &[u8]) -> bool {
        self.0.verify(transcript, binder)
    }
}

/// resumption_secret: the source of the PSKs of a connection's tickets.
#[doc(alias = "resumption_master_secret")]
pub(crate) struct ResumptionSecret {
    hash: HashAlgorithm,
    secret: Secret,
}

impl ResumptionSecret {
    pub(super) fn new(hash: HashAlgorithm, secret: Secret) -> Self {
        Self { hash, secret }
    }

    /// Derives the PSK of the ticket with this ticket_nonce, `opaque ticket_nonce<0..255>`.
    pub(crate) fn psk(&self, ticket_nonce: &[u8]) -> Secret {
        let prk = Prk::from_secret(self.hash, Secret::copy_of(self.secret.expose()));
        label::expand(
            &prk,
            Label::RESUMPTION,
            ticket_nonce,
            self.hash.output_len(),
        )
    }

    #[cfg(test)]
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }
}
