//! [`Authority`]: a small private PKI.

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use x509_cert::ext::pkix::NameConstraints;

use crate::crypto::random::SystemRandom;
use crate::crypto::signature::SigningKey;
use crate::error::{CertificateError, ConfigError, Error, NameError};
use crate::identity::alt_name::AltName;
use crate::identity::authority::certificate_builder::CertificateBuilder;
use crate::identity::authority::encode::certificate::{self, Purpose, SignedBy, Template};
use crate::identity::authority::issuer::{Issuer, common_name, serial};
use crate::identity::authority::name_constraints;
use crate::identity::authority::revocation_list_builder::RevocationListBuilder;
use crate::identity::certificate::{Certificate, MAX_CHAIN};
use crate::identity::certificate_info::CertificateInfo;
use crate::identity::own::{Identity, pkcs8};
use crate::identity::pem;
use crate::identity::public_key::PublicKey;
use crate::identity::trust::Trust;
use crate::identity::trust::path::MAX_AUTHORITIES;
use crate::identity::validity::Validity;
use crate::secret::Secret;

/// How long an authority is valid by default, in days.
const AUTHORITY_DAYS: u32 = 3650;

/// A private certificate authority: issues Ed25519 certificates to your own servers and clients,
/// which then know each other by name.
///
/// Its key is the most valuable one of all: whoever has it can impersonate anyone. Store it
/// ([`key_pem`](Self::key_pem)) where only you can read it, and distribute the certificate
/// ([`certificate_pem`](Self::certificate_pem)). It is cheap to clone.
///
/// ```
/// use fleeting::{Authority, Trust, Validity};
///
/// let authority = Authority::new("Example CA")?;
/// let server = authority.issue_server(["db.internal", "10.0.0.7"])?;
/// let client = authority.issue_client("alice")?;
/// // or, elsewhere, Trust::roots_from_pem(authority.certificate_pem())
/// let trust = authority.trust();
///
/// // An authority below it for one department, and a certificate that is valid for a week.
/// let below = Authority::builder("Example CA, databases")
///     .permit(["db.internal"])
///     .build_under(&authority)?;
/// let short =
///     below.certificate().server(["a.db.internal"]).validity(Validity::days(7)).issue()?;
/// assert_eq!(short.certificates().len(), 2);
///
/// // Later: load the authority again.
/// let authority = Authority::from_pem(authority.certificate_pem(), authority.key_pem().expose())?;
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone)]
pub struct Authority(Arc<Issuer>);

impl Authority {
    /// Creates a root with a new key, valid for ten years, without limits on what it may issue.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if the name is empty, longer than 64 characters, or contains
    /// control characters, or [`Error::Random`].
    ///
    /// # Panics
    ///
    /// Panics on targets without a clock (`wasm32-unknown-unknown`). Give the builder a validity
    /// there.
    pub fn new(name: &str) -> Result<Self, Error> {
        Self::builder(name).build()
    }

    /// Begins an authority with settings of its own.
    pub fn builder(name: &str) -> AuthorityBuilder {
        AuthorityBuilder {
            name: name.to_owned(),
            validity: None,
            path_length: None,
            permitted: Vec::new(),
        }
    }

    /// Loads an authority from its certificate, followed by those above it if it is not a root
    /// ([`chain_pem`](Self::chain_pem)), and from its key as PKCS#8.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Identity::from_pem`], or [`Error::Config`] if the certificate is not
    /// an authority's (CA).
    pub fn from_pem(certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, Error> {
        let chain = pem::certificates(certificate.as_ref())?;
        let key = pkcs8::read(pem::private_key(key.as_ref())?.expose())?;
        if chain.len() >= MAX_CHAIN {
            return Err(ConfigError::Certificate {
                index: MAX_CHAIN,
                error: CertificateError::TooComplex,
            }
            .into());
        }
        let mut own = None;
        for (index, der) in chain.iter().enumerate() {
            let failed = |error| ConfigError::Certificate { index, error };
            let certificate = Certificate::parse(der).map_err(failed)?;
            certificate.check_may_issue().map_err(failed)?;
            let public_key = certificate.public_key().map_err(failed)?;
            if index == 0 {
                if *public_key.as_bytes() != key.public_key() {
                    return Err(ConfigError::KeyMismatch.into());
                }
                own = Some(
                    Validity::from_der(certificate.validity)
                        .ok_or(failed(CertificateError::Malformed))?,
                );
            }
        }
        let validity = own.ok_or(ConfigError::Missing {
            what: "the authority's certificate",
        })?;
        Ok(Self(Arc::new(Issuer {
            key,
            chain,
            validity,
        })))
    }

    /// Like [`from_pem`](Self::from_pem), from two files.
    ///
    /// # Errors
    ///
    /// Returns the errors of `from_pem`, or [`Error::Config`] with [`ConfigError::File`]. An error
    /// about the content is in [`ConfigError::InFile`].
    pub fn from_pem_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, Error> {
        let chain = pem::from_file(certificate.as_ref(), |text| Ok(pem::certificates(text)?))?;
        let chain = pem::write_certificates(chain.iter().map(Vec::as_slice));
        pem::from_file(key.as_ref(), |key| Self::from_pem(chain, key))
    }

    /// Returns what its certificate says: subject, issuer, serial number, validity and fingerprint.
    /// `None` if one of these cannot be read.
    pub fn certificate_info(&self) -> Option<CertificateInfo> {
        CertificateInfo::read(self.0.chain.first()?)
    }

    /// Returns its certificate as PEM text, for those who are to trust it.
    pub fn certificate_pem(&self) -> String {
        pem::write_certificates(self.0.chain.first().map(Vec::as_slice))
    }

    /// Returns its certificate as PEM text, followed by those above it if it is not a root, to be
    /// stored for [`from_pem`](Self::from_pem). Do not give it to those who are to trust this
    /// authority: they would trust everything that the root does.
    pub fn chain_pem(&self) -> String {
        pem::write_certificates(self.0.chain.iter().map(Vec::as_slice))
    }

    /// Returns the same certificates in DER.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.0.chain
    }

    /// Returns its private key as PKCS#8 in PEM.
    pub fn key_pem(&self) -> Secret {
        pem::write_private_key(&pkcs8::write(&self.0.key))
    }

    /// Returns its public key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from(self.0.key.public_key())
    }

    /// Returns trust in what it issues and in what authorities below it issue. An authority below
    /// another does not include what the one above issues, which has a trust of its own.
    ///
    /// So `ClientAuth::Required(databases.trust())` admits the clients that this department named.
    /// Limits in certificates above ([`permit`](AuthorityBuilder::permit),
    /// [`path_length`](AuthorityBuilder::path_length)) are not checked then. They still hold if
    /// [`build_under`](AuthorityBuilder::build_under) created this authority, since it repeats
    /// them.
    pub fn trust(&self) -> Trust {
        Trust::root(self.0.chain.first())
    }

    /// Issues a server's identity: a new key, and a certificate for these names, DNS names or IP
    /// addresses, valid for a year. A DNS name may begin with `*.`, followed by two labels or more.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Name`] if a name is invalid, [`Error::Config`] if there is no name or if no
    /// peer would accept the certificate, for example because the authority may not issue for a
    /// name, or [`Error::Random`].
    ///
    /// # Panics
    ///
    /// Panics on targets without a clock (`wasm32-unknown-unknown`). Use
    /// [`certificate`](Self::certificate) with a validity there.
    pub fn issue_server<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Identity, Error> {
        self.certificate().server(names).issue()
    }

    /// Issues a client's identity: a new key, and a certificate with this common name, valid for a
    /// year. If the name is also a valid DNS name, it is added to subjectAltName.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if the name is empty, longer than 64 characters, or contains
    /// control characters, or if no peer would accept the certificate, for example because the
    /// authority may not issue for the name; or [`Error::Random`].
    ///
    /// # Panics
    ///
    /// Panics on targets without a clock, like [`issue_server`](Self::issue_server).
    pub fn issue_client(&self, name: &str) -> Result<Identity, Error> {
        self.certificate().client(name).issue()
    }

    /// Begins a certificate with settings of its own.
    pub fn certificate(&self) -> CertificateBuilder<'_> {
        CertificateBuilder::new(&self.0)
    }

    /// Begins a certificate revocation list (CRL) of certificates that it issued.
    #[doc(alias = "crl")]
    pub fn revocation_list(&self) -> RevocationListBuilder<'_> {
        RevocationListBuilder::new(&self.0)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The settings of a new [`Authority`].
///
/// ```
/// use fleeting::{Authority, Validity};
///
/// let authority = Authority::builder("Example CA")
///     .validity(Validity::days(30))
///     .path_length(0)
///     .permit(["example.org"])
///     .build()?;
/// assert!(authority.issue_server(["www.example.org"]).is_ok());
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AuthorityBuilder {
    name: String,
    validity: Option<Validity>,
    path_length: Option<u8>,
    permitted: Vec<String>,
}

impl AuthorityBuilder {
    /// Sets how long the authority is valid. Defaults to ten years from now.
    #[must_use]
    pub fn validity(mut self, validity: Validity) -> Self {
        self.validity = Some(validity);
        self
    }

    /// Sets how many authorities may be between it and a leaf. Defaults to no limit for a root, and
    /// to 0 for an authority below another, which never gets more than the one above allows.
    #[must_use]
    pub fn path_length(mut self, authorities: u8) -> Self {
        self.path_length = Some(authorities);
        self
    }

    /// Sets the only names for which it may issue certificates: DNS names, each with all names
    /// below it, and IP addresses (RFC 5280, 4.2.1.10). URIs and mail addresses are then excluded.
    /// An authority below another has at most the names of that one, and all of them by default.
    ///
    /// Common names are not limited. If authorities with different powers issue to clients, check
    /// [`Peer::names`](crate::Peer::names) rather than the common name.
    #[must_use]
    pub fn permit<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.permitted.extend(names.into_iter().map(str::to_owned));
        self
    }

    /// Creates a root with a new key.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Name`] if a permitted name is invalid; [`Error::Config`] if the authority's
    /// name is empty, longer than 64 characters, or contains control characters; or
    /// [`Error::Random`].
    ///
    /// # Panics
    ///
    /// Panics on targets without a clock (`wasm32-unknown-unknown`), unless a validity is set.
    pub fn build(self) -> Result<Authority, Error> {
        let key = SigningKey::generate(&mut SystemRandom).map_err(|_| Error::Random)?;
        let validity = self
            .validity
            .unwrap_or_else(|| Validity::days(AUTHORITY_DAYS));
        let template = self.template(
            PublicKey::from(key.public_key()),
            validity,
            self.path_length,
            self.constraints()?,
        )?;
        let certificate = certificate::issue(&template, &SignedBy::Itself(&key))?;
        Ok(Authority(Arc::new(Issuer {
            key,
            chain: vec![certificate],
            validity,
        })))
    }

    /// Creates an authority below another one, with a new key. It is valid no longer than the one
    /// above.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`build`](Self::build), or [`Error::Config`] with
    /// [`ConfigError::Issue`] if the one above allows none below it, or not with these names; if
    /// the validity lies outside of that one's own; or if there would be more than 6 authorities
    /// below the root, which peers do not accept.
    ///
    /// # Panics
    ///
    /// Panics like [`build`](Self::build).
    pub fn build_under(self, above: &Authority) -> Result<Authority, Error> {
        let mut path_length = self.path_length.unwrap_or(0);
        let mut constraints = self.constraints()?;
        for (between, der) in (1u8..).zip(&above.0.chain) {
            let failed = |error| ConfigError::Certificate {
                index: usize::from(between - 1),
                error,
            };
            let certificate = Certificate::parse(der).map_err(failed)?;
            if let Some(limit) = certificate.check_may_issue().map_err(failed)?.path_length {
                let reason =
                    "an authority above allows no further authority below it (path_length)";
                path_length = path_length.min(
                    limit
                        .checked_sub(between)
                        .ok_or(ConfigError::Issue { reason })?,
                );
            }
            if let Some(more) = certificate.name_constraints {
                constraints = Some(name_constraints::narrowed(
                    constraints,
                    name_constraints::read(more)?,
                )?);
            }
        }
        // The top of the chain is the root.
        if above.0.chain.len() > MAX_AUTHORITIES {
            return Err(ConfigError::Issue {
                reason: "peers accept at most 6 authorities between a root and a certificate",
            }
            .into());
        }
        let key = SigningKey::generate(&mut SystemRandom).map_err(|_| Error::Random)?;
        let validity = above.0.limit(
            self.validity
                .unwrap_or_else(|| Validity::days(AUTHORITY_DAYS)),
        )?;
        let template = self.template(
            PublicKey::from(key.public_key()),
            validity,
            Some(path_length),
            constraints,
        )?;
        let mut chain = vec![above.0.sign(&template)?];
        chain.extend(above.0.chain.iter().cloned());
        Ok(Authority(Arc::new(Issuer {
            key,
            chain,
            validity,
        })))
    }

    /// Returns the names given to `permit` as an extension.
    fn constraints(&self) -> Result<Option<NameConstraints>, Error> {
        let mut permitted = Vec::new();
        for text in &self.permitted {
            match AltName::parse(text)? {
                AltName::Dns(name) if name.starts_with("*.") => {
                    return Err(NameError::Invalid.into());
                }
                name => permitted.push(name),
            }
        }
        let failed = |_| ConfigError::Issue {
            reason: "its name constraints cannot be encoded",
        };
        Ok(if permitted.is_empty() {
            None
        } else {
            Some(name_constraints::only(&permitted).map_err(failed)?)
        })
    }

    fn template(
        &self,
        key: PublicKey,
        validity: Validity,
        path_length: Option<u8>,
        constraints: Option<NameConstraints>,
    ) -> Result<Template<'_>, Error> {
        Ok(Template {
            serial: serial()?,
            common_name: Some(common_name(&self.name)?),
            names: &[],
            purpose: Purpose::Authority {
                path_length,
                constraints,
            },
            validity,
            key,
        })
    }
}
