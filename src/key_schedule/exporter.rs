//! Exporters: keying material for the application (RFC 9846, 7.5).

use super::label::{self, Label};
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::hkdf::Prk;
use crate::error::ConfigError;
use crate::secret::Secret;

/// exporter_secret or early_exporter_secret.
#[doc(alias = "exporter_master_secret")]
pub(crate) struct ExporterSecret {
    hash: HashAlgorithm,
    secret: Secret,
}

impl ExporterSecret {
    pub(super) fn new(hash: HashAlgorithm, secret: Secret) -> Self {
        Self { hash, secret }
    }

    /// Returns TLS-Exporter(label, context_value, key_length). An empty context is the same as
    /// none.
    ///
    /// # Errors
    ///
    /// Returns an error if the label is empty or longer than 249 bytes, or if the length is 0 or
    /// more than 255 times that of the hash.
    pub(crate) fn export(
        &self,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<Secret, ConfigError> {
        let refused = |reason| ConfigError::Setting {
            name: "export_keying_material",
            reason,
        };
        let label = Label::new(label).ok_or(refused("the label must be 1 to 249 bytes long"))?;
        // Checked before memory is allocated for it.
        if length == 0 || length > label::MAX_BLOCKS * self.hash.output_len() {
            return Err(refused(
                "the length must be 1 to 8160 bytes with SHA-256, or 1 to 12240 bytes with SHA-384",
            ));
        }
        let exporter = Prk::from_secret(self.hash, Secret::copy_of(self.secret.expose()));
        let derived = Prk::from_secret(
            self.hash,
            label::derive(&exporter, label, &self.hash.hash(b"")),
        );
        Ok(label::expand(
            &derived,
            Label::EXPORTER,
            self.hash.hash(context).as_bytes(),
            length,
        ))
    }

    /// Returns the secret itself, for the key log.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }
}
