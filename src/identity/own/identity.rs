//! [`Identity`]: our own key, here or elsewhere, and the certificates that we show with it.

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::crypto::random::SystemRandom;
use crate::crypto::signature::{SIGNATURE_LEN, SigningKey, VerifyingKey};
use crate::error::{CertificateError, ConfigError, Error, Fault, Said};
use crate::identity::alt_name::AltName;
use crate::identity::certificate::Certificate;
use crate::identity::certificate::MAX_CHAIN;
use crate::identity::certificate_info::CertificateInfo;
use crate::identity::own::pkcs8;
use crate::identity::own::self_signed::self_signed;
use crate::identity::own::signer::{Held, Signer};
use crate::identity::public_key::PublicKey;
use crate::identity::signature_hash::server_end_point;
use crate::identity::{pem, profile, server_name};
use crate::secret::Secret;

/// Who we are: an Ed25519 key, and a chain of certificates for it.
///
/// A key without certificates ([`generate`](Self::generate), [`from_key_pem`](Self::from_key_pem))
/// is sent as a raw public key (RFC 7250) to peers that support it, and in a self-signed
/// certificate without a name to others. All other identities send their chain.
///
/// The key can be held elsewhere, by something that signs with it and never reveals it
/// ([`with_signer`](Self::with_signer), [`asking`](Self::asking)).
///
/// It is cheap to clone: the key exists once, and is wiped when the last clone is dropped.
///
/// ```
/// use fleeting::{Authority, Identity, Trust};
///
/// // Named by an authority. The same PEM can come from files:
/// // Identity::from_pem_files("chain.pem", "key.pem")
/// let issued = Authority::new("Example CA")?.issue_server(["db.internal"])?;
/// let again = Identity::from_pem(issued.chain_pem(), issued.key_pem()?.expose())?;
/// assert_eq!(again.public_key(), issued.public_key());
///
/// // Known by its key alone.
/// let server = Identity::generate()?;
/// let whom_clients_trust = Trust::key_for("db.internal", server.public_key());
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    key: Held,
    public_key: PublicKey,
    /// DER, with the certificate of `key` first.
    chain: Vec<Vec<u8>>,
    /// The DNS names in the first certificate.
    names: Vec<String>,
    /// Whether the chain says nothing beyond the key.
    nameless: bool,
    /// What a peer learns of us, for errors.
    said: Arc<Said>,
    /// The channel binding `tls-server-end-point` of the first certificate.
    server_end_point: Option<Arc<[u8]>>,
}

impl Identity {
    /// Creates an identity from certificates in PEM, the first for the key, and from the key as
    /// PKCS#8 in PEM. A text that contains both can be given twice. DER is accepted for either.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if a section is missing (for example because the arguments are
    /// swapped), if a `BEGIN` or `END` in a text is not part of a section, if a certificate or the
    /// key is malformed or not Ed25519, if the key does not belong to the first certificate, or if
    /// that certificate may not sign (KeyUsage).
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::of_chain(pem::certificates(chain.as_ref())?, key.as_ref())
    }

    /// Like [`from_pem`](Self::from_pem), from two files, or from one file given twice.
    ///
    /// # Errors
    ///
    /// Returns the errors of `from_pem`, or [`Error::Config`] with [`ConfigError::File`]. An error
    /// about the content is in [`ConfigError::InFile`].
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, Error> {
        let chain = pem::from_file(chain.as_ref(), read_chain)?;
        pem::from_file(key.as_ref(), |text| Self::of_chain(chain, text))
    }

    /// Creates an identity from a chain and a text with its key, when each comes from a file of its
    /// own.
    pub(crate) fn of_chain(chain: Vec<Vec<u8>>, key: &[u8]) -> Result<Self, Error> {
        Self::checked(chain, pkcs8::read(pem::private_key(key)?.expose())?)
    }

    /// Like [`from_pem`](Self::from_pem), from DER: certificates, and the key as PKCS#8.
    ///
    /// # Errors
    ///
    /// Returns the errors of `from_pem`.
    pub fn from_der(
        chain: impl IntoIterator<Item = impl Into<Vec<u8>>>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        Self::checked(
            chain.into_iter().map(Into::into).collect(),
            pkcs8::read(key.as_ref())?,
        )
    }

    /// Creates an identity from a key alone, as PKCS#8 in PEM, such as [`key_pem`](Self::key_pem)
    /// returns it, for peers that know the key.
    ///
    /// Peers that support RFC 7250 receive the raw key, others a self-signed certificate without a
    /// name, which is the same each time.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if there is no key, or if it is malformed or not Ed25519.
    pub fn from_key_pem(key: impl AsRef<[u8]>) -> Result<Self, Error> {
        Ok(Self::self_certified(
            pkcs8::read(pem::private_key(key.as_ref())?.expose())?,
            None,
            &[],
        ))
    }

    /// Generates a new key, for peers that are told its public key.
    ///
    /// Peers that support RFC 7250 receive the raw key, others a self-signed certificate without a
    /// name.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        Ok(Self::self_certified(generate()?, None, &[]))
    }

    /// Generates a new key in a self-signed certificate with these names, DNS names or IP
    /// addresses, that never expires. A DNS name may begin with `*.`.
    ///
    /// Nobody vouches for the names, so a peer must know the key
    /// ([`Trust::key_for`](crate::Trust::key_for)). If several machines are to know each other,
    /// start with an [`Authority`](crate::Authority) instead.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Name`] if a name is invalid, [`Error::Config`] if there is no name, or
    /// [`Error::Random`].
    pub fn self_signed<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let names = names
            .into_iter()
            .map(AltName::parse)
            .collect::<Result<Vec<_>, _>>()?;
        let Some(first) = names.first() else {
            return Err(ConfigError::Missing {
                what: "a name for the certificate; without one there is Identity::generate",
            }
            .into());
        };
        let common_name = first.to_string();
        Ok(Self::self_certified(
            generate()?,
            profile::fitting_common_name(&common_name),
            &names,
        ))
    }

    /// Creates an identity from certificates in PEM, the first for a key that is held elsewhere,
    /// and from the [`Signer`] that signs with it.
    ///
    /// ```
    /// use std::error::Error;
    /// use fleeting::{Authority, Identity, Signer};
    ///
    /// /// Another library's key.
    /// struct Theirs(ed25519_dalek::SigningKey);
    ///
    /// impl Signer for Theirs {
    ///     fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    ///         Ok(ed25519_dalek::Signer::try_sign(&self.0, message)?.to_vec())
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn Error>> {
    /// # let mut seed = [0; 32];
    /// # getrandom::fill(&mut seed)?;
    /// let key = Theirs(ed25519_dalek::SigningKey::from_bytes(&seed));
    /// let chain = Authority::new("Example CA")?
    ///     .certificate()
    ///     .client("alice")
    ///     .issue_for(key.0.verifying_key().to_bytes().into())?;
    /// let identity = Identity::with_signer(chain, key)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`from_pem`](Self::from_pem) for the chain. Whether the signer has the
    /// right key is checked with its first signature.
    pub fn with_signer(
        chain: impl AsRef<[u8]>,
        signer: impl Signer + 'static,
    ) -> Result<Self, Error> {
        Self::held_elsewhere(chain.as_ref(), Some(Box::new(signer)))
    }

    /// Creates an identity from certificates in PEM, the first for a key with which only the
    /// application can sign.
    ///
    /// Each handshake that needs a signature stops with
    /// [`Question::Signature`](crate::Question::Signature). So it works with `start` and
    /// [`Connection`](crate::Connection). `connect` and `accept` cannot ask, and return
    /// [`Error::Asked`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`from_pem`](Self::from_pem) for the chain.
    pub fn asking(chain: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::held_elsewhere(chain.as_ref(), None)
    }

    /// Returns the public key, for peers to trust.
    pub fn public_key(&self) -> PublicKey {
        self.0.public_key
    }

    /// Returns the certificates in DER, our own first. For a key alone
    /// ([`generate`](Self::generate), [`from_key_pem`](Self::from_key_pem)) it is the certificate
    /// without a name that peers without support for raw public keys receive.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.0.chain
    }

    /// Returns what our own certificate says: subject, issuer, serial number, validity and
    /// fingerprint. `None` if one of these cannot be read.
    pub fn certificate_info(&self) -> Option<CertificateInfo> {
        CertificateInfo::read(self.0.chain.first()?)
    }

    /// Returns the certificates as PEM text, our own first.
    ///
    /// For a key alone ([`generate`](Self::generate)) this is the certificate without a name, and
    /// an identity made from it with [`from_pem`](Self::from_pem) shows that certificate to every
    /// peer. To restore the raw key, use [`from_key_pem`](Self::from_key_pem) with
    /// [`key_pem`](Self::key_pem).
    pub fn chain_pem(&self) -> String {
        pem::write_certificates(self.0.chain.iter().map(Vec::as_slice))
    }

    /// Returns the private key as PKCS#8 in PEM. Store it where nobody else can read it.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] with [`ConfigError::KeyElsewhere`] if the key is not held here
    /// ([`with_signer`](Self::with_signer), [`asking`](Self::asking)).
    pub fn key_pem(&self) -> Result<Secret, Error> {
        match &self.0.key {
            Held::Here(key) => Ok(pem::write_private_key(&pkcs8::write(key))),
            Held::Elsewhere { .. } => Err(ConfigError::KeyElsewhere.into()),
        }
    }

    /// Returns what a raw public key is on the wire (RFC 7250, section 3).
    pub(crate) fn spki(&self) -> [u8; 44] {
        self.0.public_key.to_spki()
    }

    /// Returns true if a peer that supports raw public keys (RFC 7250) receives ours instead of the
    /// chain, which says no more.
    pub(crate) fn prefers_raw_key(&self) -> bool {
        self.0.nameless
    }

    /// Returns what a peer learns of us, for errors.
    pub(crate) fn said(&self) -> &Arc<Said> {
        &self.0.said
    }

    /// Returns the channel binding `tls-server-end-point` (RFC 5929) of a server that shows our
    /// certificate, if it is defined.
    pub(crate) fn server_end_point(&self) -> Option<Arc<[u8]>> {
        self.0.server_end_point.clone()
    }

    /// Returns the DNS names in our certificate.
    pub(crate) fn dns_names(&self) -> &[String] {
        &self.0.names
    }

    /// Signs what a CertificateVerify covers (RFC 9846, 4.5.2). `None` if the application must be
    /// asked.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Option<[u8; SIGNATURE_LEN]>, Fault> {
        self.0.key.sign(message)
    }

    /// Returns the application's answer if it is a signature of this message by our key.
    pub(crate) fn check_signature(
        &self,
        message: &[u8],
        signature: &[u8],
    ) -> Result<[u8; SIGNATURE_LEN], Fault> {
        self.0.key.check(message, signature)
    }

    /// Returns true if the certificate is for this DNS name, to choose an identity by `server_name`
    /// (RFC 9846, 4.5.1.2; RFC 6066, section 3).
    pub(crate) fn matches_name(&self, name: &str) -> bool {
        self.0
            .names
            .iter()
            .any(|pattern| server_name::covers(pattern, name))
    }

    /// Returns true if there is a name that [`matches_name`](Self::matches_name) could find.
    pub(crate) fn has_dns_names(&self) -> bool {
        !self.0.names.is_empty()
    }

    /// Returns true if a certificate of the chain was issued by one of these authorities, names in
    /// DER as in certificate_authorities (RFC 9846, 4.3.4 and 4.5.1.2).
    pub(crate) fn is_issued_by(&self, authorities: &[&[u8]]) -> bool {
        self.0
            .chain
            .iter()
            .filter_map(|der| Certificate::parse(der).ok())
            .any(|certificate| authorities.contains(&certificate.issuer))
    }

    /// Returns true if the certificate passes an OID filter of a CertificateRequest (RFC 9846,
    /// 4.3.5). `oid` and `values` are in DER.
    pub(crate) fn matches_filter(&self, oid: &[u8], values: &[u8]) -> bool {
        self.leaf()
            .is_some_and(|leaf| leaf.matches_filter(oid, values))
    }

    /// Creates an identity with a chain from elsewhere, which must be for this key.
    fn checked(chain: Vec<Vec<u8>>, key: SigningKey) -> Result<Self, Error> {
        if *check_chain(&chain)?.as_bytes() != key.public_key() {
            return Err(ConfigError::KeyMismatch.into());
        }
        Ok(Self::from_parts(chain, key))
    }

    fn held_elsewhere(chain: &[u8], signer: Option<Box<dyn Signer>>) -> Result<Self, Error> {
        let chain = pem::certificates(chain)?;
        let public_key = check_chain(&chain)?;
        let key =
            VerifyingKey::parse(public_key.as_bytes()).map_err(|_| ConfigError::Certificate {
                index: 0,
                error: CertificateError::Malformed,
            })?;
        Ok(Self::assembled(
            chain,
            Held::Elsewhere { key, signer },
            public_key,
            false,
        ))
    }

    /// Creates an identity with a chain that is known to be for this key.
    pub(crate) fn from_parts(chain: Vec<Vec<u8>>, key: SigningKey) -> Self {
        let public_key = PublicKey::from(key.public_key());
        Self::assembled(chain, Held::Here(key), public_key, false)
    }

    fn assembled(chain: Vec<Vec<u8>>, key: Held, public_key: PublicKey, nameless: bool) -> Self {
        let names = chain
            .first()
            .and_then(|leaf| Certificate::parse(leaf).ok())
            .map(|leaf| leaf.alt_names())
            .unwrap_or_default();
        let names = names
            .into_iter()
            .filter_map(|name| {
                if let AltName::Dns(name) = name {
                    Some(name)
                } else {
                    None
                }
            })
            .collect();
        let said = match chain.first().and_then(|leaf| CertificateInfo::read(leaf)) {
            Some(info) if !nameless => Said::Certificate {
                subject: info.subject().to_owned(),
                issuer: info.issuer().to_owned(),
                not_after: info.validity().not_after(),
            },
            _ => Said::Key {
                key: public_key.to_string(),
            },
        };
        let server_end_point = chain.first().and_then(|leaf| server_end_point(leaf));
        Self(Arc::new(Inner {
            key,
            public_key,
            chain,
            names,
            nameless,
            said: Arc::new(said),
            server_end_point,
        }))
    }

    fn self_certified(key: SigningKey, common_name: Option<&str>, names: &[AltName]) -> Self {
        let certificate = self_signed(&key, common_name, names);
        let public_key = PublicKey::from(key.public_key());
        Self::assembled(
            vec![certificate],
            Held::Here(key),
            public_key,
            names.is_empty(),
        )
    }

    fn leaf(&self) -> Option<Certificate<'_>> {
        Certificate::parse(self.0.chain.first()?).ok()
    }
}

/// Reads the chain of an identity.
pub(crate) fn read_chain(text: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let chain = pem::certificates(text)?;
    check_chain(&chain)?;
    Ok(chain)
}

/// Returns the key of the first certificate in a chain, if peers could accept that certificate.
fn check_chain(chain: &[Vec<u8>]) -> Result<PublicKey, ConfigError> {
    if chain.len() > MAX_CHAIN {
        return Err(ConfigError::Certificate {
            index: MAX_CHAIN,
            error: CertificateError::TooComplex,
        });
    }
    let mut key = None;
    for (index, der) in chain.iter().enumerate() {
        let failed = |error| ConfigError::Certificate { index, error };
        let certificate = Certificate::parse(der).map_err(failed)?;
        if index == 0 {
            // RFC 9846, 4.5.1.2: what a peer would refuse is refused here, before a peer sees it.
            key = Some(certificate.public_key().map_err(failed)?);
            certificate.check_may_sign().map_err(failed)?;
        }
    }
    key.ok_or(ConfigError::Missing {
        what: "a certificate for the key; without one there is Identity::from_key_pem",
    })
}

/// Generates a key with the system's generator.
fn generate() -> Result<SigningKey, Error> {
    SigningKey::generate(&mut SystemRandom).map_err(|_| Error::Random)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Identity");
        out.field("public_key", &self.0.public_key)
            .field("names", &self.0.names)
            .field("certificates", &self.0.chain.len());
        out.field("key", &self.0.key);
        out.finish_non_exhaustive()
    }
}
