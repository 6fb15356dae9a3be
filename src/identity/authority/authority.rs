//! [`Authority`]: a small private PKI.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use x509_cert::ext::pkix::NameConstraints;

use crate::crypto::random::{self, SystemRandom};
use crate::crypto::signature::SigningKey;
use crate::error::{CertificateError, ConfigError, Error, NameError};
use crate::identity::authority::issue::{self, Issuer, Purpose, Template, Validity};
use crate::identity::authority::name_constraints;
use crate::identity::authority::revocation_list_builder::RevocationListBuilder;
use crate::identity::certificate::MAX_CHAIN;
use crate::identity::certificate::{AltName, Certificate};
use crate::identity::own::Identity;
use crate::identity::own::pkcs8;
use crate::identity::pem;
use crate::identity::public_key::PublicKey;
use crate::identity::trust::Trust;
use crate::identity::trust::path::{self, Role, Roots};
use crate::secret::Secret;
use crate::time::Now;

/// How long an authority is valid if nothing else is said, in days.
const AUTHORITY_DAYS: u32 = 3650;

/// How long a certificate is valid if nothing else is said, in days.
const LEAF_DAYS: u32 = 365;

/// Issues Ed25519 certificates to one's own servers and clients, who then know each other by name.
///
/// Its key is the most valuable one there is: who has it can be anybody. Keep it ([`key_pem`](Self::key_pem)) where only you can read it, and hand out
/// the certificate ([`certificate_pem`](Self::certificate_pem)). Cheap to clone.
///
/// ```
/// use fleeting::{Authority, Trust, Validity};
///
/// let authority = Authority::new("Example CA")?;
/// let server = authority.issue_server(["db.internal", "10.0.0.7"])?;
/// let client = authority.issue_client("alice")?;
/// let trust = authority.trust(); // or, elsewhere, Trust::roots_from_pem(authority.certificate_pem())
///
/// // An authority below it, for one department, and a certificate for a week.
/// let below = Authority::builder("Example CA, databases").permit(["db.internal"]).build_under(&authority)?;
/// let short = below.certificate().server(["a.db.internal"]).validity(Validity::days(7)).issue()?;
/// assert_eq!(short.certificates().len(), 2);
///
/// // Another day.
/// let authority = Authority::from_pem(authority.certificate_pem(), authority.key_pem().expose())?;
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    key: SigningKey,
    /// DER: its own certificate, then those above it, up to the root as far as known.
    chain: Vec<Vec<u8>>,
    validity: Validity,
}

impl Authority {
    /// A root with a fresh key, valid for ten years, with no limit to what it may issue.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a name that is empty, longer than 64 characters, or has control characters in it, [`Error::Random`].
    ///
    /// # Panics
    ///
    /// On targets without a clock (`wasm32-unknown-unknown`), unless the builder is given a validity.
    pub fn new(name: &str) -> Result<Self, Error> {
        Self::builder(name).build()
    }

    /// An authority with settings of its own.
    pub fn builder(name: &str) -> AuthorityBuilder {
        AuthorityBuilder { name: name.to_owned(), validity: None, path_length: None, permitted: Vec::new() }
    }

    /// From its certificate, followed by those above it if it is not a root ([`chain_pem`](Self::chain_pem)), and its key as PKCS#8.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], as [`Identity::from_pem`]; and if the certificate is not an authority's (a CA's).
    pub fn from_pem(certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, Error> {
        let chain = pem::certificates(certificate.as_ref())?;
        let key = pkcs8::read(pem::private_key(key.as_ref())?.expose())?;
        if chain.len() >= MAX_CHAIN {
            return Err(ConfigError::Certificate { index: MAX_CHAIN, error: CertificateError::TooComplex }.into());
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
                own = Some(Validity::from_der(certificate.validity).ok_or(failed(CertificateError::Malformed))?);
            }
        }
        let validity = own.ok_or(ConfigError::Missing { what: "the authority's certificate" })?;
        Ok(Self(Arc::new(Inner { key, chain, validity })))
    }

    /// Its certificate as PEM text, for those who are to trust it.
    pub fn certificate_pem(&self) -> String {
        pem::write_certificates(self.0.chain.first().map(Vec::as_slice))
    }

    /// Its certificate as PEM text, followed by those above it if it is not a root: to be kept, for [`from_pem`](Self::from_pem). Not for those who
    /// are to trust it, who would then trust all that the root does.
    pub fn chain_pem(&self) -> String {
        pem::write_certificates(self.0.chain.iter().map(Vec::as_slice))
    }

    /// The same in DER.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.0.chain
    }

    /// Its private key as PKCS#8 in PEM.
    pub fn key_pem(&self) -> Secret {
        pem::write_private_key(&pkcs8::write(&self.0.key))
    }

    /// Its public key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from(self.0.key.public_key())
    }

    /// Trust in what it issues, and in what authorities below it do; in nothing else, if it stands below another: the one above has a trust of its own.
    ///
    /// So `ClientAuth::Required(databases.trust())` lets in whom that department named. What certificates above forbid
    /// ([`permit`](AuthorityBuilder::permit), [`path_length`](AuthorityBuilder::path_length)) is not asked for then; it holds all the same where
    /// [`build_under`](AuthorityBuilder::build_under) made this one, since that repeats it.
    pub fn trust(&self) -> Trust {
        Trust::root(self.0.chain.first())
    }

    /// A server's identity: a fresh key, and a certificate for these names, DNS or IP, valid for a year; a DNS name may begin with `*.`.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for a name that is none; [`Error::Config`] without a name; [`Error::Random`].
    pub fn issue_server<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<Identity, Error> {
        self.certificate().server(names).issue()
    }

    /// A client's identity: a fresh key, and a certificate with this common name, valid for a year. If the name could be a DNS name it stands in
    /// subjectAltName too.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a name that is empty, longer than 64 characters, or has control characters in it; [`Error::Random`].
    pub fn issue_client(&self, name: &str) -> Result<Identity, Error> {
        self.certificate().client(name).issue()
    }

    /// A certificate with settings of its own.
    pub fn certificate(&self) -> CertificateBuilder<'_> {
        CertificateBuilder { authority: self, common_name: None, names: Vec::new(), server: false, client: false, validity: None }
    }

    /// A certificate revocation list (CRL): which of the certificates that it issued are taken back.
    #[doc(alias = "crl")]
    pub fn revocation_list(&self) -> RevocationListBuilder<'_> {
        RevocationListBuilder::new(self)
    }

    /// Its own certificate.
    pub(crate) fn own(&self) -> Result<Certificate<'_>, ConfigError> {
        let own = self.0.chain.first().and_then(|der| Certificate::parse(der).ok());
        own.ok_or(ConfigError::Missing { what: "the authority's certificate" })
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.0.key
    }

    pub(crate) fn validity(&self) -> Validity {
        self.0.validity
    }

    fn sign(&self, template: &Template<'_>) -> Result<Vec<u8>, Error> {
        let own = self.own()?;
        let issuer = Issuer::Authority { key: &self.0.key, subject: own.subject, key_identifier: own.key_identifier() };
        Ok(issue::issue(template, &issuer)?)
    }

    /// Whether a peer that trusts the root would accept a certificate: if not (a name that is not permitted, a path too long), better now than then.
    fn check(&self, leaf: &[u8], role: Role, validity: Validity) -> Result<(), Error> {
        let failed = |error| ConfigError::Certificate { index: 0, error };
        let mut roots = Roots::default();
        roots.add(self.0.chain.last().map_or(leaf, Vec::as_slice)).map_err(failed)?;
        let chain: Vec<&[u8]> = core::iter::once(leaf).chain(self.0.chain.iter().map(Vec::as_slice)).collect();
        let now = Now { monotonic: Duration::ZERO, unix: validity.not_before() };
        path::verify(&roots, &chain, role, None, None, now).map_err(failed)?;
        Ok(())
    }

    /// A certificate, and what a peer needs between it and the root, which it has.
    fn chain_for(&self, leaf: Vec<u8>) -> Vec<Vec<u8>> {
        let mut chain: Vec<_> = core::iter::once(leaf).chain(self.0.chain.iter().cloned()).collect();
        chain.pop_if(|top| Certificate::parse(top).is_ok_and(|top| top.is_self_issued()));
        chain
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.0.chain.first().and_then(|der| Certificate::parse(der).ok()?.subject_text());
        f.debug_struct("Authority").field("subject", &subject).field("public_key", &self.public_key()).finish_non_exhaustive()
    }
}

/// Settings of a new [`Authority`].
///
/// ```
/// use fleeting::{Authority, Validity};
///
/// let authority = Authority::builder("Example CA").validity(Validity::days(30)).path_length(0).permit(["example.org"]).build()?;
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
    /// How long it is valid. Without this, ten years from now.
    #[must_use]
    pub fn validity(mut self, validity: Validity) -> Self {
        self.validity = Some(validity);
        self
    }

    /// How many authorities may stand between it and a leaf. Without this there is no limit for a root, and for an authority below another it is 0;
    /// below another it is never more than that one allows.
    #[must_use]
    pub fn path_length(mut self, authorities: u8) -> Self {
        self.path_length = Some(authorities);
        self
    }

    /// The only names it may issue certificates for: DNS names, each with all names below it, and IP addresses (RFC 5280, 4.2.1.10); no URIs, and no
    /// mail addresses. An authority below another has at most the names of that one, and all of them without this.
    ///
    /// Common names are not limited by it. Where authorities of different powers issue to clients, look at
    /// [`Peer::names`](crate::Peer::names) and not at the common name.
    #[must_use]
    pub fn permit<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.permitted.extend(names.into_iter().map(str::to_owned));
        self
    }

    /// A root, with a fresh key.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for a permitted name that is none; [`Error::Config`] for a name that is empty, longer than 64 characters, or has control characters in it;
    /// [`Error::Random`].
    pub fn build(self) -> Result<Authority, Error> {
        let key = SigningKey::generate(&mut SystemRandom).map_err(|_| Error::Random)?;
        let validity = self.validity.unwrap_or_else(|| Validity::days(AUTHORITY_DAYS));
        let template = self.template(PublicKey::from(key.public_key()), validity, self.path_length, self.constraints()?)?;
        let certificate = issue::issue(&template, &Issuer::Itself(&key))?;
        Ok(Authority(Arc::new(Inner { key, chain: vec![certificate], validity })))
    }

    /// An authority below another, with a fresh key. It is valid no longer than that one.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build); and [`ConfigError::Issue`] if the one above allows none below it, or not with these names.
    pub fn build_under(self, above: &Authority) -> Result<Authority, Error> {
        let mut path_length = self.path_length.unwrap_or(0);
        let mut constraints = self.constraints()?;
        for (between, der) in (1u8..).zip(&above.0.chain) {
            let failed = |error| ConfigError::Certificate { index: usize::from(between - 1), error };
            let certificate = Certificate::parse(der).map_err(failed)?;
            if let Some(limit) = certificate.check_may_issue().map_err(failed)?.path_len_constraint {
                let reason = "an authority above allows none so far below it (path_length)";
                path_length = path_length.min(limit.checked_sub(between).ok_or(ConfigError::Issue { reason })?);
            }
            if let Some(more) = certificate.name_constraints {
                constraints = Some(name_constraints::narrowed(constraints, name_constraints::read(more)?)?);
            }
        }
        if above.0.chain.len() + 2 > MAX_CHAIN {
            return Err(ConfigError::Issue { reason: "a chain would have more certificates than are accepted" }.into());
        }
        let key = SigningKey::generate(&mut SystemRandom).map_err(|_| Error::Random)?;
        let validity = self.validity.unwrap_or_else(|| Validity::days(AUTHORITY_DAYS)).within(above.0.validity);
        let template = self.template(PublicKey::from(key.public_key()), validity, Some(path_length), constraints)?;
        let mut chain = vec![above.sign(&template)?];
        chain.extend(above.0.chain.iter().cloned());
        Ok(Authority(Arc::new(Inner { key, chain, validity })))
    }

    /// What `permit` was given, as an extension.
    fn constraints(&self) -> Result<Option<NameConstraints>, Error> {
        let mut permitted = Vec::new();
        for text in &self.permitted {
            match issue::alt_name(text)? {
                AltName::Dns(name) if name.starts_with("*.") => return Err(NameError::Invalid.into()),
                name => permitted.push(name),
            }
        }
        let failed = |_| ConfigError::Issue { reason: "its name constraints cannot be encoded" };
        Ok(if permitted.is_empty() { None } else { Some(name_constraints::only(&permitted).map_err(failed)?) })
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
            purpose: Purpose::Authority { path_length, constraints },
            validity,
            key,
        })
    }
}

/// Settings of a certificate that an [`Authority`] issues. Without [`server`](Self::server) or [`client`](Self::client) it is good for either role.
///
/// ```
/// use fleeting::{Authority, Identity, Validity};
///
/// let authority = Authority::new("Example CA")?;
/// let member = authority.certificate().server(["node-1.mesh.internal"]).client("node-1").validity(Validity::days(2)).issue()?;
///
/// // For a key that another machine made and keeps.
/// let theirs = Identity::generate()?.public_key();
/// let chain_pem: String = authority.certificate().server(["node-2.mesh.internal"]).issue_for(theirs)?;
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CertificateBuilder<'a> {
    authority: &'a Authority,
    common_name: Option<String>,
    names: Vec<String>,
    server: bool,
    client: bool,
    validity: Option<Validity>,
}

impl CertificateBuilder<'_> {
    /// For a server with these names, DNS or IP; a DNS name may begin with `*.`.
    #[must_use]
    pub fn server<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.server = true;
        self.names.extend(names.into_iter().map(str::to_owned));
        self
    }

    /// For a client with this common name. If it could be a DNS name it stands in subjectAltName too.
    #[must_use]
    pub fn client(mut self, name: &str) -> Self {
        self.client = true;
        if !self.server && matches!(issue::alt_name(name), Ok(AltName::Dns(_))) {
            self.names.push(name.to_owned());
        }
        self.common_name(name)
    }

    /// The common name in the subject. Without this it is the first name, if that is no longer than 64 characters.
    #[must_use]
    pub fn common_name(mut self, name: &str) -> Self {
        self.common_name = Some(name.to_owned());
        self
    }

    /// How long it is valid, at most as long as the authority. Without this, a year from now.
    #[must_use]
    pub fn validity(mut self, validity: Validity) -> Self {
        self.validity = Some(validity);
        self
    }

    /// A fresh key with this certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for a name that is none; [`Error::Config`] without a name, with a common name that is none, or
    /// if no peer would accept it, as with a name that the authority may not issue for; [`Error::Random`].
    pub fn issue(self) -> Result<Identity, Error> {
        let key = SigningKey::generate(&mut SystemRandom).map_err(|_| Error::Random)?;
        let leaf = self.leaf(PublicKey::from(key.public_key()))?;
        Ok(Identity::from_parts(self.authority.chain_for(leaf), key))
    }

    /// The certificate for a key that is kept elsewhere, with its chain, as PEM text.
    ///
    /// # Errors
    ///
    /// As [`issue`](Self::issue).
    pub fn issue_for(self, key: PublicKey) -> Result<String, Error> {
        let leaf = self.leaf(key)?;
        Ok(pem::write_certificates(self.authority.chain_for(leaf).iter().map(Vec::as_slice)))
    }

    fn leaf(&self, key: PublicKey) -> Result<Vec<u8>, Error> {
        let names = self.names.iter().map(|name| issue::alt_name(name)).collect::<Result<Vec<_>, _>>()?;
        if self.server && names.is_empty() {
            return Err(ConfigError::Missing { what: "a name for the server's certificate" }.into());
        }
        let first = names.first().map(AltName::to_string);
        let common_name = match &self.common_name {
            Some(name) => Some(common_name(name)?),
            None => first.as_deref().and_then(issue::fitting_common_name),
        };
        if common_name.is_none() && names.is_empty() {
            return Err(ConfigError::Missing { what: "a name for the certificate" }.into());
        }
        let validity = self.validity.unwrap_or_else(|| Validity::days(LEAF_DAYS)).within(self.authority.0.validity);
        let purpose = Purpose::Leaf { server: self.server, client: self.client };
        let leaf = self.authority.sign(&Template { serial: serial()?, common_name, names: &names, purpose, validity, key })?;
        let role = if self.client && !self.server { Role::Client } else { Role::Server };
        self.authority.check(&leaf, role, validity)?;
        Ok(leaf)
    }
}

fn common_name(text: &str) -> Result<&str, Error> {
    issue::fitting_common_name(text).ok_or_else(|| {
        ConfigError::Setting { name: "common name", reason: "it is empty, longer than 64 characters, or has control characters in it" }
            .into()
    })
}

fn serial() -> Result<[u8; 16], Error> {
    random::array(&mut SystemRandom).map(issue::serial).map_err(|_| Error::Random)
}
