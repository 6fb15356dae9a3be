//! [`Issuer`]: the key and the certificates with which an `Authority` signs.

use core::fmt;
use core::time::Duration;

use x509_cert::der::{SliceReader, Tag};

use crate::crypto::random::{self, SystemRandom};
use crate::crypto::signature::SigningKey;
use crate::error::{ConfigError, Error};
use crate::identity::authority::encode::certificate::{self, SignedBy, Template};
use crate::identity::certificate::Certificate;
use crate::identity::public_key::PublicKey;
use crate::identity::server_name::ServerName;
use crate::identity::trust::path::{self, Role, Roots};
use crate::identity::validity::Validity;
use crate::identity::{der, profile};
use crate::time::Now;

/// The key and the certificates of an authority.
pub(crate) struct Issuer {
    pub(super) key: SigningKey,
    /// DER: its own certificate, then those above it, up to the root as far as they are known.
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) validity: Validity,
}

impl Issuer {
    /// Returns its own certificate.
    pub(crate) fn own(&self) -> Result<Certificate<'_>, ConfigError> {
        let own = self
            .chain
            .first()
            .and_then(|der| Certificate::parse(der).ok());
        own.ok_or(ConfigError::Missing {
            what: "the authority's certificate",
        })
    }

    /// Returns the AuthorityKeyIdentifier for what it issues: its own SubjectKeyIdentifier.
    pub(crate) fn key_identifier<'a>(own: &Certificate<'a>) -> Option<&'a [u8]> {
        der::value(
            &mut SliceReader::new(own.subject_key_identifier?).ok()?,
            Tag::OctetString,
        )
        .ok()
    }

    /// Cuts a validity to its own, since a path is valid only while all its certificates are.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing is left.
    pub(crate) fn limit(&self, validity: Validity) -> Result<Validity, Error> {
        let not_before = validity.not_before.max(self.validity.not_before);
        let not_after = validity.not_after.min(self.validity.not_after);
        Validity::between(not_before, not_after).map_err(|_| {
            ConfigError::Issue {
                reason: "its validity lies outside of the authority's own",
            }
            .into()
        })
    }

    pub(crate) fn sign(&self, template: &Template<'_>) -> Result<Vec<u8>, Error> {
        let own = self.own()?;
        let signed_by = SignedBy::Authority {
            key: &self.key,
            subject: own.subject,
            key_identifier: Self::key_identifier(&own),
        };
        Ok(certificate::issue(template, &signed_by)?)
    }

    /// Checks that a peer that trusts the root would accept a certificate, for each of these names.
    /// A name that is not permitted, or a path that is too long, is reported now rather than by
    /// every peer.
    pub(crate) fn check(
        &self,
        leaf: &[u8],
        role: Role,
        names: &[ServerName],
        validity: Validity,
    ) -> Result<(), Error> {
        let failed = |error| ConfigError::Certificate { index: 0, error };
        let mut roots = Roots::default();
        roots
            .add(self.chain.last().map_or(leaf, Vec::as_slice))
            .map_err(failed)?;
        let chain: Vec<&[u8]> = core::iter::once(leaf)
            .chain(self.chain.iter().map(Vec::as_slice))
            .collect();
        let now = Now {
            monotonic: Duration::ZERO,
            unix: validity.not_before(),
        };
        path::verify(&roots, &chain, role, names, None, now).map_err(failed)?;
        Ok(())
    }

    /// Returns a certificate followed by those between it and the root. A peer has the root itself.
    pub(crate) fn chain_for(&self, leaf: Vec<u8>) -> Vec<Vec<u8>> {
        let mut chain: Vec<_> = core::iter::once(leaf)
            .chain(self.chain.iter().cloned())
            .collect();
        chain.pop_if(|top| Certificate::parse(top).is_ok_and(|top| top.is_self_issued()));
        chain
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self
            .chain
            .first()
            .and_then(|der| Certificate::parse(der).ok()?.subject_text());
        f.debug_struct("Authority")
            .field("subject", &subject)
            .field("public_key", &PublicKey::from(self.key.public_key()))
            .finish_non_exhaustive()
    }
}

/// Returns the text as a common name.
///
/// # Errors
///
/// Returns an error if it does not fit into a certificate.
pub(crate) fn common_name(text: &str) -> Result<&str, Error> {
    profile::fitting_common_name(text).ok_or_else(|| {
        ConfigError::Setting {
            name: "common name",
            reason: "it is empty, longer than 64 characters, or has control characters in it",
        }
        .into()
    })
}

/// Returns a random serial number.
pub(crate) fn serial() -> Result<[u8; 16], Error> {
    random::array(&mut SystemRandom)
        .map(profile::serial)
        .map_err(|_| Error::Random)
}
