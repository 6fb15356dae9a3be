//! [`RevocationLists`]: certificate revocation lists (CRLs; RFC 5280, section 5), replaced while a
//! program runs. [`InForce`]: the lists of one moment.
//!
//! ```text
//! CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm, signatureValue }
//! tbsCertList ::= SEQUENCE {
//!     version, signature, issuer, thisUpdate, nextUpdate,
//!     revokedCertificates SEQUENCE OF ... OPTIONAL, crlExtensions [0]
//! }
//! ```
//!
//! Path validation looks certificates up, and verifies a list's signature once it knows the
//! issuer's key. This file adds the rest: of two lists for the same certificates the newer one
//! counts, in whatever order they are given; a signature is verified only once, since lists may be
//! long; an issuer's other lists are checked too; and a digest identifies the lists in force.

use core::cmp::Reverse;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use der::{Reader, SliceReader, Tag};
use rustls_pki_types as pki;
use webpki::{
    CertRevocationList, Error as WebpkiError, ExpirationPolicy, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use crate::crypto::hash;
use crate::crypto::signature::{KEY_LEN, VerifyingKey};
use crate::error::{CertificateError, ConfigError, Error};
use crate::identity::certificate::Certificate;
use crate::identity::der::{context, inside, malformed, time, value, whole};
use crate::identity::distinguished_name::DistinguishedName;
use crate::identity::pem;
use crate::identity::validity::Validity;
use crate::time::Now;

/// Certificate revocation lists (CRLs): the certificates that their issuers revoked before they
/// expire.
///
/// Given to a [`Trust`](crate::Trust::with_revocation_lists), the lists are checked for every
/// certificate between a peer and its root. So there must be a list from each authority on the
/// path, including the root. A certificate that no list covers is refused, unless
/// [`allow_unknown`](Self::allow_unknown) is set; so is one whose list has expired (nextUpdate),
/// unless [`allow_expired`](Self::allow_expired) is set.
///
/// A list counts if the key that issued the certificate signed it with Ed25519, from the moment it
/// is given, whatever its thisUpdate. Of two lists for the same certificates, the newer one counts
/// (thisUpdate, then the CRL number). So give different names to different authorities. Delta and
/// indirect lists are not supported. An authority's list may be split by issuing distribution
/// points: give all parts, since a certificate without a distribution point is looked up in those
/// that are there, and is revoked if any of them names it.
///
/// All clones share the same lists. [`reload_pem`](Self::reload_pem) replaces them in all clones
/// while connections are made. The new lists then apply to new connections and to sessions: no
/// session that only the former lists allowed is resumed. Open connections stay open. A list does
/// not replace a newer one, so whoever delivers the lists cannot undo a revocation while the
/// process runs.
///
/// A trusted key ([`Trust::key_for`](crate::Trust::key_for), [`Trust::keys`](crate::Trust::keys))
/// replaces the whole path, so no list applies to it. To revoke it, stop trusting it.
///
/// ```
/// use fleeting::{Authority, ClientAuth, RevocationLists, Server, Validity};
///
/// let authority = Authority::new("Example CA")?;
/// let (alice, bob) = (authority.issue_client("alice")?, authority.issue_client("bob")?);
///
/// let first = authority.revocation_list().revoke(&alice).issue_pem()?;
/// let lists = RevocationLists::from_pem(&first)?;
/// let server = Server::builder()
///     .identity(authority.issue_server(["db.internal"])?)
///     .client_auth(ClientAuth::Required(authority.trust().with_revocation_lists(lists.clone())))
///     .build()?;
///
/// // Later, while the server runs.
/// let second = authority.revocation_list().following(&first).revoke(&bob).issue_pem()?;
/// lists.reload_pem(second)?;
/// # Ok::<(), fleeting::Error>(())
/// ```
#[doc(alias = "crl")]
#[derive(Clone)]
pub struct RevocationLists {
    lists: Arc<RwLock<Vec<Arc<List>>>>,
    unknown_allowed: bool,
    expired_allowed: bool,
}

/// One list, parsed once.
struct List {
    list: CertRevocationList<'static>,
    /// With tag and length.
    issuer: Vec<u8>,
    age: Age,
    next_update: Duration,
    /// SHA-256 of the whole list.
    digest: [u8; 32],
    /// The signed part, with tag and length.
    signed: Vec<u8>,
    signature: Vec<u8>,
    /// The key that its signature was verified with.
    signer: OnceLock<[u8; KEY_LEN]>,
    /// Whether a check of its signature with an issuer's key has failed.
    refuted: AtomicBool,
    /// The age of the last list before it for the same certificates whose signature was verified.
    floor: Option<Age>,
}

/// The age of a list: of two, the later one is newer. RFC 5280, 5.2.3: the number decides if the
/// times are equal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Age {
    this_update: Duration,
    /// The length of cRLNumber without leading zeros, and its bytes. Empty if there is no number.
    number: (usize, Vec<u8>),
}

impl RevocationLists {
    /// Reads all lists in a PEM text (`X509 CRL`), or the one that is given as DER.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if there is no list, if a `BEGIN` or `END` in the text is not part
    /// of a section, or if one is malformed, not signed with Ed25519, or of an unsupported kind.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::from_der(pem::revocation_lists(pem.as_ref())?)
    }

    /// Like [`from_pem`](Self::from_pem), from a file of any length.
    ///
    /// # Errors
    ///
    /// Returns the errors of `from_pem`, or [`Error::Config`] with [`ConfigError::File`]. An error
    /// about the content is in [`ConfigError::InFile`].
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        Self::from_pem(read_file(path)?).map_err(pem::in_file(path))
    }

    /// Like [`from_pem`](Self::from_pem), from DER.
    ///
    /// # Errors
    ///
    /// Returns the errors of `from_pem`.
    pub fn from_der(lists: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Self, Error> {
        Ok(Self {
            lists: Arc::new(RwLock::new(read_all(lists)?)),
            unknown_allowed: false,
            expired_allowed: false,
        })
    }

    /// Replaces all lists, in every clone, by those in a PEM text. Lists that are not in the text
    /// are no longer in force.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`from_pem`](Self::from_pem), or [`Error::Config`] with
    /// [`ConfigError::RevocationList`] if a list is older than the one in force for the same
    /// certificates, unless that one turned out not to be signed by their issuer. All former lists
    /// then stay in force. To return to an older list on purpose, first reload the others without
    /// it, or create new `RevocationLists`.
    pub fn reload_pem(&self, pem: impl AsRef<[u8]>) -> Result<(), Error> {
        self.reload_der(pem::revocation_lists(pem.as_ref())?)
    }

    /// Like [`reload_pem`](Self::reload_pem), from a file.
    ///
    /// # Errors
    ///
    /// Returns the errors of `reload_pem`, or [`Error::Config`] with [`ConfigError::File`]. An
    /// error about the content is in [`ConfigError::InFile`].
    pub fn reload_pem_file(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        self.reload_pem(read_file(path)?)
            .map_err(pem::in_file(path))
    }

    /// Like [`reload_pem`](Self::reload_pem), from DER.
    ///
    /// # Errors
    ///
    /// Returns the errors of `reload_pem`.
    pub fn reload_der(
        &self,
        lists: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<(), Error> {
        // All lists are parsed before any is replaced, and outside of the lock.
        let mut lists = read_all(lists)?;
        let mut held = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        for former in held.iter() {
            let same = lists
                .iter()
                .enumerate()
                .filter(|(_, list)| list.scope() == former.scope());
            if let Some((index, newest)) = same.max_by_key(|(_, list)| &list.age)
                && former.least().is_some_and(|least| newest.age < *least)
            {
                let reason = "it is older than the one in force (thisUpdate, CRL number)";
                return Err(ConfigError::RevocationList { index, reason }.into());
            }
        }
        for list in lists.iter_mut().filter_map(Arc::get_mut) {
            let same = held.iter().filter(|former| former.scope() == list.scope());
            list.floor = same.filter_map(|former| former.proven()).max().cloned();
        }
        let former = core::mem::replace(&mut *held, lists);
        // They may be long, so they are freed outside of the lock.
        drop((held, former));
        Ok(())
    }

    /// Returns when the first of the lists that are held expires: the earliest nextUpdate, as time
    /// since 1970-01-01 00:00:00 UTC. A newer list must be loaded before.
    pub fn next_update(&self) -> Option<Duration> {
        self.periods()
            .iter()
            .map(|(_, period)| period.not_after)
            .min()
    }

    /// Returns each list's issuer as text, and its period from thisUpdate to nextUpdate.
    pub(crate) fn periods(&self) -> Vec<(String, Validity)> {
        let held = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        let period = |list: &Arc<List>| {
            let issuer = DistinguishedName::read(&list.issuer).map(|name| name.text());
            let period = Validity {
                not_before: list.age.this_update,
                not_after: list.next_update,
            };
            (issuer.unwrap_or_default(), period)
        };
        held.iter().map(period).collect()
    }

    /// Accepts certificates that no list covers, such as those of authorities that publish none. It
    /// applies to this handle and to clones made of it later.
    #[must_use]
    pub fn allow_unknown(mut self) -> Self {
        self.unknown_allowed = true;
        self
    }

    /// Uses lists that have expired, for when an old list is better than no service. It applies to
    /// this handle and to clones made of it later.
    #[must_use]
    pub fn allow_expired(mut self) -> Self {
        self.expired_allowed = true;
        self
    }
}

impl fmt::Debug for RevocationLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationLists")
            .field(
                "lists",
                &self
                    .lists
                    .read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .len(),
            )
            .field("unknown_allowed", &self.unknown_allowed)
            .field("expired_allowed", &self.expired_allowed)
            .finish()
    }
}

/// The lists of one moment, the newest of each scope (issuer and distribution point): a peer is
/// checked against, and its session bound to, one and the same set.
pub(crate) struct InForce {
    /// Never empty, but nothing depends on that.
    lists: Vec<Arc<List>>,
    unknown_allowed: bool,
    expired_allowed: bool,
}

impl InForce {
    /// Returns the lists of all handles together. What all of them allow is allowed.
    pub(crate) fn of(handles: &[RevocationLists]) -> Option<Self> {
        if handles.is_empty() {
            return None;
        }
        let mut lists = Vec::new();
        for handle in handles {
            lists.extend(
                handle
                    .lists
                    .read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .iter()
                    .cloned(),
            );
        }
        // Path validation uses the first list that fits.
        lists.sort_by(|one, other| one.order().cmp(&other.order()));
        lists.dedup_by(|later, first| later.scope() == first.scope());
        Some(Self {
            lists,
            unknown_allowed: handles.iter().all(|handle| handle.unknown_allowed),
            expired_allowed: handles.iter().all(|handle| handle.expired_allowed),
        })
    }

    pub(crate) fn lists(&self) -> Vec<&CertRevocationList<'_>> {
        self.lists.iter().map(|list| &list.list).collect()
    }

    /// Returns the options with which path validation checks `lists`, which are
    /// [`lists`](Self::lists).
    pub(crate) fn options<'a>(
        &self,
        lists: &'a [&'a CertRevocationList<'a>],
    ) -> Result<RevocationOptions<'a>, CertificateError> {
        // Everything is set explicitly: by default, expired lists would be accepted.
        let options = RevocationOptionsBuilder::new(lists)
            .map_err(|_| CertificateError::UnknownRevocation)?;
        let status = if self.unknown_allowed {
            UnknownStatusPolicy::Allow
        } else {
            UnknownStatusPolicy::Deny
        };
        let expiration = if self.expired_allowed {
            ExpirationPolicy::Ignore
        } else {
            ExpirationPolicy::Enforce
        };
        Ok(options
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(status)
            .with_expiration_policy(expiration)
            .build())
    }

    /// Returns true if a list of the issuer with this key names the certificate. Path validation
    /// uses only the first list that fits; this checks the others too. It compares only the serial
    /// number, since no two certificates of an issuer have the same (RFC 5280, 4.1.2.2).
    pub(crate) fn revokes(
        &self,
        certificate: &Certificate<'_>,
        issuer_key: &[u8; KEY_LEN],
    ) -> bool {
        let named = |list: &List| {
            list.issuer == certificate.issuer
                && list
                    .list
                    .find_serial(certificate.serial)
                    .is_ok_and(|found| found.is_some())
        };
        self.lists
            .iter()
            .any(|list| named(list) && list.is_signed_by(issuer_key))
    }

    /// Returns whether the list with this content and signature is signed with this key. `None` if
    /// it is not one of these lists. A positive verdict is stored: hashing a list of many megabytes
    /// for each peer would take far longer than everything else, and anyone who knows a certificate
    /// could cause it, even without its key.
    pub(crate) fn is_signed(&self, content: &[u8], signature: &[u8], key: &[u8]) -> Option<bool> {
        let list = self
            .lists
            .iter()
            .find(|list| list.signature == signature && list.signed == content)?;
        Some(list.is_signed_by(key))
    }

    /// Returns the last moment at which none of this issuer's lists has expired, as Unix time.
    /// `None` if that does not matter. Lists that have already expired vouch for nobody. `issuer`
    /// has tag and length.
    pub(crate) fn expires(&self, issuer: &[u8], now: Now) -> Option<Duration> {
        let lists = self.lists.iter().filter(|list| {
            !self.expired_allowed && list.issuer == issuer && now.unix < list.next_update
        });
        lists
            .map(|list| list.next_update.saturating_sub(Duration::from_secs(1)))
            .min()
    }

    /// Returns the digests of the lists, for [`digest`](crate::identity::trust::digest).
    pub(crate) fn digests(&self) -> impl Iterator<Item = [u8; 32]> {
        self.lists.iter().map(|list| list.digest)
    }

    pub(crate) fn allowed(&self) -> [bool; 2] {
        [self.unknown_allowed, self.expired_allowed]
    }
}

impl List {
    fn scope(&self) -> (&[u8], Option<&[u8]>) {
        (&self.issuer, self.list.issuing_distribution_point())
    }

    /// Orders by scope, and within a scope the newest first.
    fn order(&self) -> impl Ord + '_ {
        (self.scope(), Reverse((&self.age, self.digest)))
    }

    fn is_signed_by(&self, key: &[u8]) -> bool {
        if self.signer.get().is_some_and(|signer| signer == key) {
            return true;
        }
        let key = <&[u8; KEY_LEN]>::try_from(key).ok();
        let signer = key.filter(|key| {
            VerifyingKey::parse(key)
                .is_ok_and(|key| key.verify(&self.signed, &self.signature).is_ok())
        });
        match signer {
            // Another key can be there only if two keys made the same signature.
            Some(signer) => _ = self.signer.set(*signer),
            None => self.refuted.store(true, Ordering::Relaxed),
        }
        signer.is_some()
    }

    /// Returns the age that a list must have at least to replace this one. A list that has not been
    /// used yet counts with the age it states. One whose signature turned out to be another's does
    /// not, because a single forged list would otherwise keep out the genuine ones.
    fn least(&self) -> Option<&Age> {
        if self.refuted.load(Ordering::Relaxed) {
            self.proven()
        } else {
            Some(&self.age)
        }
    }

    /// Returns the age of the newest list, of this one and those before it, whose signature was
    /// verified.
    fn proven(&self) -> Option<&Age> {
        if self.signer.get().is_some() {
            Some(&self.age)
        } else {
            self.floor.as_ref()
        }
    }

    fn read(der: &[u8]) -> Result<Self, &'static str> {
        let read = Fields::read(der);
        // Path validation takes these for malformed.
        if let Some(reason) = read.as_ref().ok().and_then(Fields::lacks) {
            return Err(reason);
        }
        let list = OwnedCertRevocationList::from_der(der).map_err(|error| reason(&error))?;
        let read = read.map_err(|_| MALFORMED)?;
        if read.signature_algorithm != pki::alg_id::ED25519.as_ref() {
            return Err("it is not signed with Ed25519");
        }
        let number: Vec<u8> = read
            .number
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        Ok(Self {
            list: list.into(),
            issuer: read.issuer.to_vec(),
            age: Age {
                this_update: read.this_update,
                number: (number.len(), number),
            },
            next_update: read.next_update.ok_or(MALFORMED)?,
            digest: hash::sha256(der),
            signed: read.signed.to_vec(),
            // Without the number of unused bits, which path validation has checked to be 0.
            signature: read.signature.get(1..).unwrap_or_default().to_vec(),
            signer: OnceLock::new(),
            refuted: AtomicBool::new(false),
            floor: None,
        })
    }
}

/// The fields of a list that we read ourselves, borrowed from its DER.
pub(crate) struct Fields<'a> {
    /// The signed part, with tag and length.
    pub(crate) signed: &'a [u8],
    /// The INTEGER's content. `None` means version 1.
    version: Option<&'a [u8]>,
    signature_algorithm: &'a [u8],
    /// The BIT STRING's content.
    pub(crate) signature: &'a [u8],
    /// With tag and length.
    pub(crate) issuer: &'a [u8],
    pub(crate) this_update: Duration,
    next_update: Option<Duration>,
    has_extensions: bool,
    /// Empty if there is none.
    number: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, CertificateError> {
        let mut outer = SliceReader::new(der).map_err(malformed)?;
        let mut list = inside(&mut outer, Tag::Sequence)?;
        let signed = whole(&mut list, Tag::Sequence)?;
        let signature_algorithm = value(&mut list, Tag::Sequence)?;
        let signature = value(&mut list, Tag::BitString)?;
        let mut tbs = inside(
            &mut SliceReader::new(signed).map_err(malformed)?,
            Tag::Sequence,
        )?;
        let version = follows(&tbs, &[Tag::Integer])
            .then(|| value(&mut tbs, Tag::Integer))
            .transpose()?;
        value(&mut tbs, Tag::Sequence)?;
        let issuer = whole(&mut tbs, Tag::Sequence)?;
        let this_update = time(&mut tbs)?;
        let next_update = follows(&tbs, &[Tag::UtcTime, Tag::GeneralizedTime])
            .then(|| time(&mut tbs))
            .transpose()?;
        if follows(&tbs, &[Tag::Sequence]) {
            value(&mut tbs, Tag::Sequence)?;
        }
        let mut number = &[][..];
        let has_extensions = !tbs.is_finished();
        let mut extensions = if has_extensions {
            inside(&mut inside(&mut tbs, context(0, true))?, Tag::Sequence)?
        } else {
            tbs
        };
        while !extensions.is_finished() {
            let mut extension = inside(&mut extensions, Tag::Sequence)?;
            // id-ce-cRLNumber, 2.5.29.20, which is never critical.
            if value(&mut extension, Tag::ObjectIdentifier)? == [0x55, 0x1d, 20]
                && Tag::peek(&extension).map_err(malformed)? == Tag::OctetString
            {
                number = value(&mut inside(&mut extension, Tag::OctetString)?, Tag::Integer)?;
            }
        }
        Ok(Self {
            signed,
            version,
            signature_algorithm,
            signature,
            issuer,
            this_update,
            next_update,
            has_extensions,
            number,
        })
    }

    /// Returns what a list of the profile has and this one has not.
    fn lacks(&self) -> Option<&'static str> {
        if matches!(self.version, None | Some([0])) {
            // RFC 5280, 5.1.2.1: the version MUST be 2 where extensions are used, as they MUST be.
            Some(
                "it is of version 1: have the authority write version 2 (for openssl ca, set \
                 crl_extensions)",
            )
        } else if self.next_update.is_none() {
            // RFC 5280, 5.1.2.5: "Conforming CRL issuers MUST include the nextUpdate field".
            Some("it has no nextUpdate: have the authority state when the next list is due")
        } else if !self.has_extensions {
            // RFC 5280, 5.2: both are REQUIRED.
            Some(
                "it has no extensions: have the authority add a CRL number and its key identifier \
                 (for openssl ca, set crl_extensions)",
            )
        } else {
            None
        }
    }

    /// Returns cRLNumber if it is one that we could have issued.
    #[cfg(any(test, fuzzing, feature = "authority"))]
    pub(crate) fn number(&self) -> Option<u64> {
        let mut bytes = [0; 8];
        let number: Vec<u8> = self
            .number
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        bytes
            .get_mut(8_usize.checked_sub(number.len())?..)?
            .copy_from_slice(&number);
        Some(u64::from_be_bytes(bytes))
    }
}

/// Returns true if the next element has one of these tags.
fn follows(reader: &SliceReader<'_>, tags: &[Tag]) -> bool {
    Tag::peek(reader).is_ok_and(|tag| tags.contains(&tag))
}

const MALFORMED: &str = "it is not a well-formed list (RFC 5280, section 5)";

/// Returns why path validation cannot use a list.
fn reason(error: &WebpkiError) -> &'static str {
    match error {
        WebpkiError::UnsupportedCrlVersion => "it is not of version 2",
        WebpkiError::UnsupportedDeltaCrl => {
            "it is a delta list, which is not supported: give the complete list alone"
        }
        WebpkiError::UnsupportedIndirectCrl => {
            "it is an indirect list, which is not supported: each authority has to sign its own"
        }
        WebpkiError::UnsupportedRevocationReasonsPartitioning => {
            "it is for some reasons alone, which is not supported"
        }
        WebpkiError::UnsupportedCrlIssuingDistributionPoint => {
            "its distribution point has no full name, which is not supported"
        }
        WebpkiError::UnsupportedCriticalExtension => {
            "it has a critical extension that is not supported"
        }
        // RFC 5280, 5.2.3: "Conforming CRL issuers MUST NOT use CRLNumber values longer than 20
        // octets".
        WebpkiError::InvalidCrlNumber => "its CRL number is negative or longer than 20 bytes",
        WebpkiError::BadDerTime => "it has a date that is malformed or before 1970",
        _ => MALFORMED,
    }
}

fn read_all(
    lists: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> Result<Vec<Arc<List>>, ConfigError> {
    let read = |(index, der): (usize, _)| match List::read(AsRef::as_ref(&der)) {
        Ok(list) => Ok(Arc::new(list)),
        Err(reason) => Err(ConfigError::RevocationList { index, reason }),
    };
    let lists = lists
        .into_iter()
        .enumerate()
        .map(read)
        .collect::<Result<Vec<_>, _>>()?;
    // Without any list, nothing could be said about anybody.
    if lists.is_empty() {
        Err(ConfigError::Missing {
            what: "a certificate revocation list",
        })
    } else {
        Ok(lists)
    }
}

/// Reads a file. Nothing in it is secret, and the lists of large authorities are long.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
impl RevocationLists {
    /// Returns the key that each list's signature was verified with.
    pub(crate) fn signers(&self) -> Vec<Option<[u8; KEY_LEN]>> {
        self.lists
            .read()
            .unwrap()
            .iter()
            .map(|list| list.signer.get().copied())
            .collect()
    }
}
