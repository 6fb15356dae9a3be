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

    /// TLS-Exporter(label, context_value, key_length). No context is the same as an empty one.
    ///
    /// # Errors
    ///
    /// Returns an error if the label is empty or longer than 249 bytes, or if the length is 0 or
    /// more than 255 times the hash.
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
        let label = Label::new(label).ok_or(refused("a label has 1 to 249 bytes"))?;
        // Refused here, before memory is taken for it.
        if length == 0 || length > label::MAX_BLOCKS * self.hash.output_len() {
            return Err(refused(
                "a length is 1 byte to 255 times the hash's: 8160 for SHA-256, 12240 for SHA-384",
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

    /// The secret itself, for the key log.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }
}
