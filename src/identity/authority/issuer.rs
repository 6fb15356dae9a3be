//! [`Issuer`]: the key and the certificates behind an `Authority`, for what it signs.

use core::fmt;
use core::time::Duration;

use x509_cert::der::{SliceReader, Tag};

use crate::crypto::random::{self, SystemRandom};
use crate::crypto::signature::SigningKey;
use crate::error::{ConfigError, Error};
use crate::identity::authority::encode::certificate::{self, SignedBy, Template};
use crate::identity::certificate::Certificate;
use crate::identity::public_key::PublicKey;
use crate::identity::trust::path::{self, Role, Roots};
use crate::identity::validity::Validity;
use crate::identity::{der, profile};
use crate::time::Now;

/// What an authority issues with.
pub(crate) struct Issuer {
    pub(super) key: SigningKey,
    /// DER: its own certificate, then those above it, up to the root as far as known.
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) validity: Validity,
}

impl Issuer {
    /// Its own certificate.
    pub(crate) fn own(&self) -> Result<Certificate<'_>, ConfigError> {
        let own = self
            .chain
            .first()
            .and_then(|der| Certificate::parse(der).ok());
        own.ok_or(ConfigError::Missing {
            what: "the authority's certificate",
        })
    }

    /// What the AuthorityKeyIdentifier of what it issues has to say.
    pub(crate) fn key_identifier<'a>(own: &Certificate<'a>) -> Option<&'a [u8]> {
        der::value(
            &mut SliceReader::new(own.subject_key_identifier?).ok()?,
            Tag::OctetString,
        )
        .ok()
    }

    /// No longer than its own validity: a path is no better than its shortest certificate.
    pub(crate) fn limit(&self, validity: Validity) -> Validity {
        let (not_before, not_after) = (self.validity.not_before, self.validity.not_after);
        Validity {
            not_before: validity.not_before.max(not_before),
            not_after: validity.not_after.min(not_after),
        }
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

    /// Whether a peer that trusts the root would accept a certificate: if not (a name that is not
    /// permitted, a path too long), better now than then.
    pub(crate) fn check(&self, leaf: &[u8], role: Role, validity: Validity) -> Result<(), Error> {
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
        path::verify(&roots, &chain, role, None, None, now).map_err(failed)?;
        Ok(())
    }

    /// A certificate, and what a peer needs between it and the root, which it has.
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

/// A common name for a certificate, which must fit.
pub(crate) fn common_name(text: &str) -> Result<&str, Error> {
    profile::fitting_common_name(text).ok_or_else(|| {
        ConfigError::Setting {
            name: "common name",
            reason: "it is empty, longer than 64 characters, or has control characters in it",
        }
        .into()
    })
}

/// A random serial number.
pub(crate) fn serial() -> Result<[u8; 16], Error> {
    random::array(&mut SystemRandom)
        .map(profile::serial)
        .map_err(|_| Error::Random)
}
