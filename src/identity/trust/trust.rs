//! [`Trust`]: whom we trust.
//!
//! A peer is accepted if its key is trusted for the wanted name, or else if its certificates lead
//! to a root and contain the wanted name.

use core::fmt;
use core::slice;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::crypto::signature::VerifyingKey;
use crate::error::{CertificateError, ConfigError, Error};
use crate::identity::certificate::Certificate;
use crate::identity::peer::{Trusted, VerifiedIdentity};
use crate::identity::pem;
use crate::identity::public_key::PublicKey;
use crate::identity::server_name::ServerName;
use crate::identity::trust::digest::{self, Entries};
use crate::identity::trust::path::{self, Role, Roots};
use crate::identity::trust::revocation_lists::{InForce, RevocationLists};
use crate::identity::trust::svid;
use crate::identity::uri;
use crate::time::Now;

/// The longest list of our authorities, in bytes. A message has room for 65,535 bytes of extensions
/// in all (RFC 9846, 4.3).
const MAX_AUTHORITIES_LEN: usize = 16_384;

/// Whom to trust: authorities (roots), and keys. A root is trusted for as long as it is configured:
/// its own dates are not checked, so an expired root stays trusted until it is removed. A set of
/// keys ([`keys`](Self::keys)) does not tell their holders apart: if it contains this side's own
/// key, a connection that is led back to this side is accepted too.
///
/// A root vouches for the names in the certificates that it issued. If a key is bound to a name
/// ([`key_for`](Self::key_for)), only the key is checked: the issuer, names and dates of a
/// certificate that contains it are ignored, so the certificate may be self-signed or expired. If
/// both sides support RFC 7250, the key can also arrive without a certificate (a raw public key).
///
/// It is cheap to clone.
///
/// ```
/// use fleeting::{Authority, Identity, Trust};
///
/// let authority = Authority::new("Example CA")?;
/// let roots = Trust::roots_from_pem(authority.certificate_pem())?;
///
/// let old_server = Identity::generate()?.public_key();
/// let both = roots.and(Trust::key_for("legacy.internal", old_server));
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone)]
pub struct Trust(Arc<Inner>);

/// A certificate of a bundle that [`Trust::usable_roots_from_pem`] left out.
///
/// `Display` writes its position, its subject and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedRoot {
    /// Its position among the certificates of the bundle, counted from 0.
    pub index: usize,
    /// Its subject as text (RFC 4514), unless it is too malformed to be read.
    pub subject: Option<String>,
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// Why it cannot be a root.
    pub error: CertificateError,
}

impl fmt::Display for SkippedRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, error, .. } = self;
        let subject = self.subject.as_deref().unwrap_or("no readable subject");
        write!(
            f,
            "certificate {index} (the first is 0; {subject}) is not used as a root: {error}"
        )
    }
}

#[derive(Clone, Default)]
struct Inner {
    roots: Roots,
    /// Roots that are trusted for the SPIFFE IDs of one trust domain, and for nothing else.
    domains: BTreeMap<String, Roots>,
    /// Keys that are trusted for one name.
    bound: Vec<(ServerName, PublicKey)>,
    /// Keys that are trusted for every name.
    keys: Vec<PublicKey>,
    /// Revocation lists; empty if none are checked.
    revocation: Vec<RevocationLists>,
    /// The first invalid argument, reported by `check`, so that making a `Trust` from constants
    /// needs no `?`.
    defect: Option<Error>,
    /// The digest of everything except the revocation lists. It is made on first use, since it
    /// takes a while with thousands of keys.
    digest: OnceLock<[u8; 32]>,
}

impl Trust {
    /// Trusts the authorities whose certificates are in a PEM text, or the one whose certificate is
    /// given as DER. Sections of other kinds are ignored. The dates of a root are not checked (RFC
    /// 5280, 6.1.1 (d)): to end trust in a root, remove it.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if there is no certificate, if one is malformed, not an
    /// authority's (CA), or not Ed25519, or if a `BEGIN` or `END` in the text is not part of a
    /// section. A server's own certificate is not an authority's: trust its key with
    /// [`key_for`](Self::key_for). To leave out what is not Ed25519, as in a bundle of public CAs,
    /// use [`usable_roots_from_pem`](Self::usable_roots_from_pem).
    pub fn roots_from_pem(pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::roots_from_der(pem::certificates(pem.as_ref())?)
    }

    /// Like [`roots_from_pem`](Self::roots_from_pem), from a file.
    ///
    /// # Errors
    ///
    /// Returns the errors of `roots_from_pem`, or [`Error::Config`] with [`ConfigError::File`]. An
    /// error about the content is in [`ConfigError::InFile`].
    pub fn roots_from_pem_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        pem::from_file(path.as_ref(), |text| Self::roots_from_pem(text))
    }

    /// Trusts those authorities in a PEM text that can be trusted, and returns the others with the
    /// reason: for bundles whose content is somebody else's decision.
    ///
    /// ```
    /// # fn load(bundle: &str) -> Result<fleeting::Trust, fleeting::Error> {
    /// let (trust, skipped) = fleeting::Trust::usable_roots_from_pem(bundle)?;
    /// for root in skipped {
    ///     eprintln!("{root}");
    /// }
    /// # Ok(trust)
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if the text is not well-formed PEM or has no certificate, or the
    /// error of the first certificate if none can be used.
    pub fn usable_roots_from_pem(pem: impl AsRef<[u8]>) -> Result<(Self, Vec<SkippedRoot>), Error> {
        let mut roots = Roots::default();
        let mut skipped = Vec::new();
        for (index, der) in pem::certificates(pem.as_ref())?.into_iter().enumerate() {
            if let Err(error) = roots.add(&der) {
                let subject = Certificate::parse(&der)
                    .ok()
                    .and_then(|root| root.subject_text());
                skipped.push(SkippedRoot {
                    index,
                    subject,
                    der,
                    error,
                });
            }
        }
        match skipped.first() {
            Some(SkippedRoot { index, error, .. }) if roots.is_empty() => {
                Err(ConfigError::Certificate {
                    index: *index,
                    error: error.clone(),
                }
                .into())
            }
            _ => Ok((Self::with_roots(roots), skipped)),
        }
    }

    /// Like [`usable_roots_from_pem`](Self::usable_roots_from_pem), from a file.
    ///
    /// # Errors
    ///
    /// Returns the errors of `usable_roots_from_pem`, or [`Error::Config`] with
    /// [`ConfigError::File`]. An error about the content is in [`ConfigError::InFile`].
    pub fn usable_roots_from_pem_file(
        path: impl AsRef<Path>,
    ) -> Result<(Self, Vec<SkippedRoot>), Error> {
        pem::from_file(path.as_ref(), |text| Self::usable_roots_from_pem(text))
    }

    /// Like [`roots_from_pem`](Self::roots_from_pem), from DER.
    ///
    /// # Errors
    ///
    /// Returns the errors of `roots_from_pem`.
    pub fn roots_from_der(
        certificates: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Self, Error> {
        let mut roots = Roots::default();
        for (index, der) in certificates.into_iter().enumerate() {
            roots
                .add(der.as_ref())
                .map_err(|error| ConfigError::Certificate { index, error })?;
        }
        if roots.is_empty() {
            return Err(ConfigError::Missing {
                what: "a root certificate",
            }
            .into());
        }
        Ok(Self::with_roots(roots))
    }

    /// Trusts the authorities in a PEM text, or the one that is given as DER, for the SPIFFE IDs of
    /// one trust domain, such as `example.org`, and for nothing else: a certificate under them is
    /// for no DNS name, no address and no common name. Roots of several trust domains are combined
    /// with [`and`](Self::and), and none of them can name a member of another domain. Roots without
    /// a trust domain vouch for no SPIFFE ID.
    ///
    /// A client connects to a SPIFFE ID in place of a name. A server authorizes by
    /// [`Peer::spiffe_id`](crate::Peer::spiffe_id). The certificate must be an X.509-SVID: its only
    /// URI is the SPIFFE ID, and it may not issue anything.
    ///
    /// ```
    /// use fleeting::{Authority, Client, ClientAuth, Server, Trust};
    ///
    /// # fn main() -> Result<(), fleeting::Error> {
    /// let authority = Authority::new("example.org")?;
    /// let issue = |id| authority.certificate().server([id]).client(id).issue();
    /// let trust = Trust::spiffe_roots_from_pem("example.org", authority.certificate_pem())?;
    ///
    /// let server = Server::builder()
    ///     .identity(issue("spiffe://example.org/db")?)
    ///     .client_auth(ClientAuth::Required(trust.clone()))
    ///     .authorize(|peer| match peer.spiffe_id().as_deref() {
    ///         Some("spiffe://example.org/web") => Ok(()),
    ///         _ => Err("only the web servers are admitted"),
    ///     })
    ///     .build()?;
    /// let client =
    ///     Client::builder().identity(issue("spiffe://example.org/web")?).trust(trust).build()?;
    /// // let mut tls = client.connect("spiffe://example.org/db", tcp)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`roots_from_pem`](Self::roots_from_pem), or [`Error::Config`] with
    /// [`ConfigError::Setting`] if the name is not a trust domain's.
    pub fn spiffe_roots_from_pem(domain: &str, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        if !uri::is_trust_domain(domain) {
            let reason = "a trust domain has lower-case letters, digits, dots, dashes and \
                          underscores, such as example.org";
            return Err(ConfigError::Setting {
                name: "trust domain",
                reason,
            }
            .into());
        }
        let roots = Self::roots_from_pem(pem)?.0.roots.clone();
        Ok(Self::from(Inner {
            domains: BTreeMap::from([(domain.to_owned(), roots)]),
            ..Inner::default()
        }))
    }

    /// Like [`spiffe_roots_from_pem`](Self::spiffe_roots_from_pem), from a file.
    ///
    /// # Errors
    ///
    /// Returns the errors of `spiffe_roots_from_pem`, or [`Error::Config`] with
    /// [`ConfigError::File`]. An error about the content is in [`ConfigError::InFile`].
    pub fn spiffe_roots_from_pem_file(domain: &str, path: impl AsRef<Path>) -> Result<Self, Error> {
        pem::from_file(path.as_ref(), |text| {
            Self::spiffe_roots_from_pem(domain, text)
        })
    }

    fn with_roots(roots: Roots) -> Self {
        Self::from(Inner {
            roots,
            ..Inner::default()
        })
    }

    /// Trusts one key for one name: a server's, if it is reached by that name, or a client's, whose
    /// name [`Peer::names`](crate::Peer::names) then returns. The key may come raw (RFC 7250) or in
    /// a certificate, whose other content is ignored. A key can be bound to several names.
    ///
    /// An invalid name or key is reported by the `build()` of the configuration that receives this
    /// `Trust`.
    ///
    /// ```
    /// use fleeting::{Identity, Trust};
    ///
    /// let server = Identity::generate()?;
    /// let trust = Trust::key_for("db.internal", server.public_key());
    /// # Ok::<(), fleeting::Error>(())
    /// ```
    pub fn key_for(name: &str, key: impl Into<PublicKey>) -> Self {
        let key = key.into();
        let mut inner = Inner {
            defect: defect(&key),
            ..Inner::default()
        };
        match ServerName::parse(name) {
            Ok(name) => inner.bound.push((name, key)),
            Err(error) => inner.defect = Some(error.into()),
        }
        Self::from(inner)
    }

    /// Trusts a set of keys for every name, and without a name.
    ///
    /// This gives up what a name is for: **each holder of one of these keys can answer in place of
    /// every other** (RFC 9846, F.9), so a client that wants one of them may be connected to
    /// another. Use it if that makes no difference, for example among equal members of a mesh, or
    /// if the application compares [`Peer::public_key`](crate::Peer::public_key) itself. Otherwise
    /// use [`key_for`](Self::key_for).
    ///
    /// This side's own key is no exception: leave it out unless other holders share it. Otherwise
    /// whoever controls the network can connect this side to itself.
    pub fn keys(keys: impl IntoIterator<Item = impl Into<PublicKey>>) -> Self {
        let keys: Vec<PublicKey> = keys.into_iter().map(Into::into).collect();
        Self::from(Inner {
            defect: keys.iter().find_map(defect),
            keys,
            ..Inner::default()
        })
    }

    /// Like [`roots_from_der`](Self::roots_from_der), with the error kept for `check`.
    #[cfg(any(test, fuzzing, feature = "authority"))]
    pub(crate) fn root(certificate: Option<&Vec<u8>>) -> Self {
        Self::roots_from_der(certificate).unwrap_or_else(|error| {
            Self::from(Inner {
                defect: Some(error),
                ..Inner::default()
            })
        })
    }

    /// Checks certificate revocation lists (CRLs) for every certificate between a peer and its
    /// root. [`RevocationLists`] says how; they can be replaced while connections are made. They do
    /// not apply to trusted keys.
    ///
    /// It can be called several times. All lists are then in force, and
    /// [`allow_unknown`](RevocationLists::allow_unknown) or
    /// [`allow_expired`](RevocationLists::allow_expired) applies only if all of them set it.
    #[must_use]
    #[doc(alias = "crl")]
    pub fn with_revocation_lists(self, lists: RevocationLists) -> Self {
        let mut all = Arc::unwrap_or_clone(self.0);
        all.revocation.push(lists);
        Self::from(all)
    }

    /// Trusts both: a peer that either accepts is accepted. Revocation lists of either apply to
    /// both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (mut all, more) = (Arc::unwrap_or_clone(self.0), Arc::unwrap_or_clone(other.0));
        all.roots.extend(more.roots);
        for (domain, roots) in more.domains {
            all.domains.entry(domain).or_default().extend(roots);
        }
        all.bound.extend(more.bound);
        all.keys.extend(more.keys);
        all.revocation.extend(more.revocation);
        all.defect = all.defect.or(more.defect);
        all.digest = OnceLock::new();
        Self::from(all)
    }

    /// Returns what was wrong with the arguments, for the `build()` that receives this. Whoever
    /// they name is not trusted in any case.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.0.defect {
            Some(error) => Err(error.clone()),
            None if !self.holds_roots() && !self.holds_keys() => Err(ConfigError::Missing {
                what: "a root or a key to trust",
            }
            .into()),
            None if !self.0.revocation.is_empty() && !self.holds_roots() => {
                let reason = "they do not apply to trusted keys, and there is no root; to revoke a \
                              key, stop trusting it";
                Err(ConfigError::Setting {
                    name: "with_revocation_lists",
                    reason,
                }
                .into())
            }
            None => Ok(()),
        }
    }

    /// Returns true if a peer without certificates can be accepted by a key, for one name or for
    /// every name.
    pub(crate) fn holds_keys(&self) -> bool {
        !self.0.bound.is_empty() || !self.0.keys.is_empty()
    }

    /// Returns true if a peer with certificates can be accepted by a root.
    pub(crate) fn holds_roots(&self) -> bool {
        self.root_count() > 0
    }

    pub(crate) fn root_count(&self) -> usize {
        self.all_roots().map(|roots| roots.subjects.len()).sum()
    }

    /// Returns the roots without a trust domain, and those of each domain.
    fn all_roots(&self) -> impl Iterator<Item = &Roots> {
        core::iter::once(&self.0.roots).chain(self.0.domains.values())
    }

    /// Returns the SHA-256 of everything that decides now whether a peer is accepted. It is the
    /// same wherever the same roots and keys are trusted and the same revocation lists are in
    /// force, in any order. A session is resumed only under the configuration that accepted its
    /// peer.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest_under(InForce::of(&self.0.revocation).as_ref())
    }

    fn digest_under(&self, lists: Option<&InForce>) -> [u8; 32] {
        let entries = self.0.digest.get_or_init(|| {
            // The fields are named one by one, so that a new one is not forgotten.
            let Inner {
                roots,
                domains,
                bound,
                keys,
                revocation: _,
                defect: _,
                digest: _,
            } = &*self.0;
            let mut entries = Entries::default();
            roots.fields().for_each(|fields| entries.add_root(&fields));
            for (domain, roots) in domains {
                roots
                    .fields()
                    .for_each(|fields| entries.add_domain_root(domain, &fields));
            }
            bound
                .iter()
                .for_each(|(name, key)| entries.add_bound(name, key));
            keys.iter().for_each(|key| entries.add_key(key));
            entries.digest()
        });
        lists.map_or(*entries, |lists| digest::with_lists(entries, lists))
    }

    /// Returns true if a server can be accepted without a name: only by a key that is trusted for
    /// every name.
    pub(crate) fn accepts_unnamed(&self) -> bool {
        !self.0.keys.is_empty()
    }

    /// Returns the names of the roots in DER, each once, for certificate_authorities (RFC 9846,
    /// 4.3.4). Empty if keys are trusted as well, as their holders would find no authority of
    /// theirs in the list; and if the list would be too long, since a part of it would exclude
    /// somebody.
    pub(crate) fn authorities(&self) -> Vec<&[u8]> {
        if self.holds_keys() {
            return Vec::new();
        }
        let names: BTreeSet<_> = self
            .all_roots()
            .flat_map(|roots| &roots.subjects)
            .map(Vec::as_slice)
            .collect();
        let len: usize = names.iter().map(|name| 2 + name.len()).sum();
        if len > MAX_AUTHORITIES_LEN {
            Vec::new()
        } else {
            names.into_iter().collect()
        }
    }

    /// Verifies a server that sent `chain`, leaf first, as the one called `name`. Without a name,
    /// only keys can vouch for it.
    pub(crate) fn verify_server(
        &self,
        chain: &[&[u8]],
        name: Option<&ServerName>,
        now: Now,
    ) -> Result<VerifiedIdentity, CertificateError> {
        self.verify(chain, Role::Server, name.is_some(), now, name, |bound| {
            Some(bound) == name
        })
    }

    /// Returns the subjects of the first trusted roots, for errors, and how many more there are.
    pub(crate) fn root_names(&self) -> (Vec<String>, usize) {
        self.0.roots.names()
    }

    /// Verifies a client that sent `chain`, leaf first.
    pub(crate) fn verify_client(
        &self,
        chain: &[&[u8]],
        now: Now,
    ) -> Result<VerifiedIdentity, CertificateError> {
        self.verify(chain, Role::Client, true, now, None, |_| true)
    }

    /// Verifies a server that sent this raw public key, a SubjectPublicKeyInfo (RFC 7250), as the
    /// one called `name`. Without a name, only keys that are trusted for every name can vouch for
    /// it, as with certificates.
    pub(crate) fn verify_server_key(
        &self,
        spki: &[u8],
        name: Option<&ServerName>,
    ) -> Result<VerifiedIdentity, CertificateError> {
        self.verify_key(spki, |bound| Some(bound) == name)
    }

    /// Verifies a client that sent this raw public key.
    pub(crate) fn verify_client_key(
        &self,
        spki: &[u8],
    ) -> Result<VerifiedIdentity, CertificateError> {
        self.verify_key(spki, |_| true)
    }

    fn verify_key(
        &self,
        spki: &[u8],
        may_be: impl Fn(&ServerName) -> bool,
    ) -> Result<VerifiedIdentity, CertificateError> {
        let public_key = PublicKey::from_raw(spki)?;
        let key =
            VerifyingKey::parse(public_key.as_bytes()).map_err(|_| CertificateError::Malformed)?;
        // Roots are not used: an authority has signed nothing here.
        let trusted = self
            .vouch(public_key, may_be)
            .ok_or_else(|| untrusted(public_key))?;
        Ok(VerifiedIdentity::new(
            &[],
            public_key,
            key,
            trusted,
            self.digest(),
        ))
    }

    /// Returns why a key is trusted, if it is: for those of its names that `may_be` accepts, or for
    /// every name.
    fn vouch(
        &self,
        public_key: PublicKey,
        may_be: impl Fn(&ServerName) -> bool,
    ) -> Option<Trusted> {
        // CertificateVerify proves that the peer holds the key, so nothing compared here is secret.
        let bound = self
            .0
            .bound
            .iter()
            .filter(|(name, key)| *key == public_key && may_be(name))
            .map(|(name, _)| name);
        let bound: BTreeSet<_> = bound.collect();
        if !bound.is_empty() {
            return Some(Trusted::Bound(
                bound.into_iter().map(ServerName::to_string).collect(),
            ));
        }
        self.0.keys.contains(&public_key).then_some(Trusted::Key)
    }

    fn verify(
        &self,
        chain: &[&[u8]],
        role: Role,
        may_ask_roots: bool,
        now: Now,
        name: Option<&ServerName>,
        may_be: impl Fn(&ServerName) -> bool,
    ) -> Result<VerifiedIdentity, CertificateError> {
        let leaf = Certificate::parse(chain.first().ok_or(CertificateError::Malformed)?)?;
        let public_key = leaf
            .public_key()
            .map_err(|_| path::unsupported(leaf.signature_algorithm))?;
        leaf.check_may_sign()?;
        let key =
            VerifyingKey::parse(public_key.as_bytes()).map_err(|_| CertificateError::Malformed)?;
        // Taken once, so that the digest names the lists that the path was checked with, even if a
        // reload comes in between.
        let lists = InForce::of(&self.0.revocation);
        let trusted = match self.vouch(public_key, may_be) {
            Some(trusted) => trusted,
            None if !self.holds_roots() || !may_ask_roots => {
                return Err(untrusted(public_key));
            }
            None => self.by_path(&leaf, chain, role, name, lists.as_ref(), now)?,
        };
        Ok(VerifiedIdentity::new(
            chain,
            public_key,
            key,
            trusted,
            self.digest_under(lists.as_ref()),
        ))
    }
}

fn untrusted(key: PublicKey) -> CertificateError {
    CertificateError::UntrustedKey {
        key: key.to_string(),
    }
}

impl Trust {
    /// Verifies that a chain leads to a root that may vouch for the name that is wanted: a root of
    /// its trust domain for a SPIFFE ID, and a root without a trust domain for every other name.
    /// A client may have either kind of name. If it has a SPIFFE ID of a known domain, that counts
    /// first.
    fn by_path(
        &self,
        leaf: &Certificate<'_>,
        chain: &[&[u8]],
        role: Role,
        name: Option<&ServerName>,
        lists: Option<&InForce>,
        now: Now,
    ) -> Result<Trusted, CertificateError> {
        let svid = |wanted: Option<&ServerName>| {
            let id = wanted.and_then(ServerName::spiffe_id);
            let domain = match id.and_then(uri::spiffe_trust_domain) {
                Some(domain) => domain,
                None => svid::spiffe_id(leaf)?.1,
            };
            let roots = self.0.domains.get(domain);
            // No root vouches for another domain.
            let roots = roots.ok_or_else(|| path::unknown_issuer(&Roots::default(), chain))?;
            let expires = path::verify(roots, chain, role, &[], lists, now)?;
            let (found, _) = svid::spiffe_id(leaf)?;
            match id {
                Some(wanted) if wanted != found => Err(CertificateError::WrongName {
                    expected: wanted.to_owned(),
                    presented: vec![found.to_owned()],
                    more: 0,
                }),
                _ => Ok(Trusted::Svid { expires }),
            }
        };
        let by_name = || {
            let names = name.map(slice::from_ref).unwrap_or_default();
            let expires = path::verify(&self.0.roots, chain, role, names, lists, now)?;
            Ok(Trusted::Path { expires })
        };
        match name {
            Some(name) if name.spiffe_id().is_some() => svid(Some(name)),
            Some(_) => by_name(),
            None if self.0.domains.is_empty() => by_name(),
            None if self.0.roots.is_empty() => svid(None),
            None => svid(None).or_else(|_| by_name()),
        }
    }
}

fn defect(key: &PublicKey) -> Option<Error> {
    let reason = "these 32 bytes are not an Ed25519 public key, or one for which anyone can sign";
    VerifyingKey::parse(key.as_bytes())
        .is_err()
        .then(|| ConfigError::PublicKey { reason }.into())
}

impl From<Inner> for Trust {
    fn from(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("roots", &self.root_count())
            .field("trust_domains", &self.0.domains.keys())
            .field("keys_for", &self.0.bound)
            .field("keys", &self.0.keys)
            .field("revocation", &self.0.revocation)
            .finish()
    }
}
