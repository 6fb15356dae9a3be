//! Makes certificates (RFC 5280, section 4), through the builder of `x509-cert`, and revocation lists (section 5).
//!
//! A leaf says what it is for (KeyUsage, extended key usage) and for whom (subjectAltName; the subject only repeats it for people); a CA says how far
//! its word reaches. The keys' identifiers are the first 160 bits of SHA-256 of the key (RFC 7093, section 2, method 1), not SHA-1.

use core::time::Duration;
use std::collections::BTreeSet;
use std::time::SystemTime;

use ed25519_dalek::ed25519::{self, signature};
use ed25519_dalek::pkcs8::{ALGORITHM_OID, PublicKeyBytes, spki};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::certificate::{TbsCertificate, Version};
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::der::asn1::{Any, BitString, Ia5String, ObjectIdentifier, OctetString, Uint};
use x509_cert::der::{self, DateTime, Decode, Encode, Tag};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlNumber, ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{Criticality, Extension, ToExtension};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Time;

use crate::crypto::hash::HashAlgorithm;
use crate::crypto::signature::{SigningKey, VerifyingKey};
use crate::error::{ConfigError, Error};
use crate::identity::certificate::{AltName, plain};
use crate::identity::public_key::PublicKey;
use crate::identity::server_name::ServerName;
use crate::identity::trust::revocation_lists::Fields;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// RFC 5280, A.1: ub-common-name, in characters.
const MAX_COMMON_NAME: usize = 64;

/// 9999-12-31T23:59:59Z, the end of X.509's time; as notAfter it means "no end" (RFC 5280, 4.1.2.5).
const END_OF_TIME: Duration = Duration::from_secs(253_402_300_799);

/// How long before now a certificate becomes valid: clocks differ.
const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// From when to when a certificate is valid, in seconds.
///
/// ```
/// use core::time::Duration;
/// use fleeting::Validity;
///
/// let quarter = Validity::days(90);
/// let year_2030 = Validity::between(Duration::from_secs(1_893_456_000), Duration::from_secs(1_924_991_999))?;
/// assert_eq!(year_2030.not_before(), Duration::from_secs(1_893_456_000));
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    not_before: Duration,
    not_after: Duration,
}

impl Validity {
    /// So many days from now, by the system's clock; and from five minutes ago, since clocks differ.
    ///
    /// # Panics
    ///
    /// On targets without a clock (`wasm32-unknown-unknown`): use [`between`](Self::between) there.
    pub fn days(days: u32) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // X.509 knows whole seconds only.
        let now = Duration::from_secs(now.as_secs());
        let not_after = now.saturating_add(Duration::from_secs(86_400 * u64::from(days))).min(END_OF_TIME);
        Self { not_before: now.saturating_sub(BACKDATED), not_after }
    }

    /// From one moment to another, both given as time since 1970-01-01 00:00:00 UTC.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Setting`] if the second is not after the first, or later than the year 9999.
    pub fn between(not_before: Duration, not_after: Duration) -> Result<Self, Error> {
        let reason = if not_after <= not_before {
            "it ends before it begins"
        } else if not_after > END_OF_TIME {
            "it ends after the year 9999"
        } else {
            return Ok(Self { not_before, not_after });
        };
        Err(ConfigError::Setting { name: "validity", reason }.into())
    }

    /// Always: for certificates that only carry a key.
    pub fn unlimited() -> Self {
        Self { not_before: Duration::ZERO, not_after: END_OF_TIME }
    }

    /// The first moment, as time since 1970-01-01 00:00:00 UTC.
    pub fn not_before(&self) -> Duration {
        self.not_before
    }

    /// The last moment, as time since 1970-01-01 00:00:00 UTC.
    pub fn not_after(&self) -> Duration {
        self.not_after
    }

    /// No longer than the issuer's: a path is no better than its shortest certificate.
    pub(crate) fn within(self, issuer: Self) -> Self {
        Self { not_before: self.not_before.max(issuer.not_before), not_after: self.not_after.min(issuer.not_after) }
    }

    /// Reads what stands in a certificate, with tag and length.
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let validity = x509_cert::time::Validity::<x509_cert::certificate::Rfc5280>::from_der(der).ok()?;
        Some(Self { not_before: validity.not_before.to_unix_duration(), not_after: validity.not_after.to_unix_duration() })
    }

    fn to_x509(self) -> der::Result<x509_cert::time::Validity> {
        // RFC 5280, 4.1.2.5: UTCTime through the year 2049, which `Time::from` sees to.
        let time = |at: Duration| DateTime::from_unix_duration(Duration::from_secs(at.as_secs())).map(Time::from);
        Ok(x509_cert::time::Validity::new(time(self.not_before)?, time(self.not_after)?))
    }
}

/// What a certificate is for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// A leaf, for these roles; for any, if neither is set.
    Leaf { server: bool, client: bool },
    /// A CA with so many CAs below it, and the names that it may issue for (any, without constraints).
    Authority { path_length: Option<u8>, constraints: Option<NameConstraints> },
}

/// What goes into a certificate.
pub(crate) struct Template<'a> {
    pub(crate) serial: [u8; 16],
    pub(crate) common_name: Option<&'a str>,
    pub(crate) names: &'a [AltName],
    pub(crate) purpose: Purpose,
    pub(crate) validity: Validity,
    pub(crate) key: PublicKey,
}

/// Who signs it: nobody but the key itself, or a CA.
pub(crate) enum Issuer<'a> {
    Itself(&'a SigningKey),
    Authority {
        key: &'a SigningKey,
        /// The issuer's subject and SubjectKeyIdentifier, as they stand in its certificate.
        subject: &'a [u8],
        key_identifier: Option<&'a [u8]>,
    },
}

/// A serial number from random bytes: positive, and 16 bytes long (RFC 5280, 4.1.2.2, allows 20).
pub(crate) fn serial(mut random: [u8; 16]) -> [u8; 16] {
    if let Some(first) = random.first_mut() {
        *first = *first & 0x3f | 0x40;
    }
    random
}

/// The first 160 bits of SHA-256 of the key (RFC 7093, section 2, method 1).
pub(crate) fn key_identifier(key: &PublicKey) -> Vec<u8> {
    HashAlgorithm::Sha256.hash(key.as_bytes()).as_bytes().iter().copied().take(20).collect()
}

/// A name as it is written for `issue`: a DNS name, which may begin with `*.`, or an IP address.
pub(crate) fn alt_name(text: &str) -> Result<AltName, Error> {
    let (wildcard, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
    let name = ServerName::parse(rest)?;
    match (name.dns(), name.ip()) {
        (Some(dns), _) => Ok(AltName::Dns(if wildcard { format!("*.{dns}") } else { dns.to_owned() })),
        (None, Some(ip)) if !wildcard => Ok(AltName::Ip(ip)),
        _ => Err(crate::error::NameError::Invalid.into()),
    }
}

/// A common name that fits, or nothing: it is for people, so a long one is left out.
pub(crate) fn fitting_common_name(text: &str) -> Option<&str> {
    (!text.is_empty() && text.chars().count() <= MAX_COMMON_NAME && text.chars().all(plain)).then_some(text)
}

/// Signs a certificate; the result is DER.
pub(crate) fn issue(template: &Template<'_>, issuer: &Issuer<'_>) -> Result<Vec<u8>, ConfigError> {
    let failed = |reason| move |_| ConfigError::Issue { reason };
    let subject = name(template.common_name).map_err(failed("the subject cannot be encoded"))?;
    let (key, issuer_name, issuer_id) = match issuer {
        Issuer::Itself(key) => (*key, subject.clone(), None),
        Issuer::Authority { key, subject, key_identifier } => {
            (*key, Name::from_der(subject).map_err(failed("the authority's name cannot be read"))?, *key_identifier)
        }
    };
    let extensions = extensions(template, &subject, issuer_id).map_err(failed("an extension cannot be encoded"))?;
    let validity = template.validity.to_x509().map_err(failed("its dates cannot be encoded"))?;
    let serial = SerialNumber::new(&template.serial).map_err(failed("its serial number cannot be encoded"))?;
    let spki = spki::SubjectPublicKeyInfoOwned::from_der(&template.key.to_spki()).map_err(failed("the key cannot be encoded"))?;

    let profile = Profile { issuer: issuer_name, subject, extensions };
    let built = CertificateBuilder::new(profile, serial, validity, spki)
        .and_then(|certificate| certificate.build::<_, ed25519::Signature>(&Signer(key)))
        .map_err(|_| ConfigError::Issue { reason: "the certificate cannot be built" })?;
    built.to_der().map_err(failed("the certificate cannot be encoded"))
}

/// What goes into a certificate revocation list.
pub(crate) struct RevocationTemplate<'a> {
    /// Lists that it takes over, in DER.
    pub(crate) former: &'a [Vec<u8>],
    /// Serial numbers, big-endian.
    pub(crate) serials: &'a [Vec<u8>],
    /// From thisUpdate to nextUpdate.
    pub(crate) validity: Validity,
}

/// Signs a certificate revocation list; the result is DER. The builder of `x509-cert` would name, in place of the issuer's key, the one above it.
pub(crate) fn revocation_list(
    template: &RevocationTemplate<'_>,
    key: &SigningKey,
    issuer: &[u8],
    key_identifier: Option<&[u8]>,
) -> Result<Vec<u8>, ConfigError> {
    let failed = |reason| move |_| ConfigError::Issue { reason };
    let (mut revoked, mut number) = (Vec::new(), template.validity.not_before.as_secs());
    let mut validity = template.validity;
    for former in template.former {
        let (list, last, this_update) = former_list(former, issuer, key)?;
        revoked.extend(list);
        // Who has both goes by the one that begins later.
        validity.not_before = validity.not_before.max(this_update);
        // RFC 5280, 5.2.3: a monotonically increasing sequence number. Without a former list the seconds will do.
        number = number.max(last.saturating_add(1));
    }
    if validity.not_before >= validity.not_after {
        return Err(ConfigError::Issue { reason: "it ends before the authority, or the former list, begins" });
    }
    let validity = validity.to_x509().map_err(failed("its dates cannot be encoded"))?;
    for serial in template.serials {
        let serial_number = SerialNumber::new(serial).map_err(failed("a serial number is longer than 20 bytes"))?;
        revoked.push(RevokedCert { serial_number, revocation_date: validity.not_before, crl_entry_extensions: None });
    }
    // Each once, as it was revoked first.
    let mut seen = BTreeSet::new();
    revoked.retain(|entry| seen.insert(entry.serial_number.as_bytes().to_vec()));

    let unreadable = "the authority's name cannot be read";
    let issuer = Name::from_der(issuer).map_err(failed(unreadable))?;
    let extensions = list_extensions(number, key_identifier, &issuer).map_err(failed("an extension cannot be encoded"))?;
    let algorithm = spki::AlgorithmIdentifierOwned { oid: ALGORITHM_OID, parameters: None };
    let tbs_cert_list = TbsCertList {
        version: Version::V2,
        signature: algorithm.clone(),
        issuer,
        this_update: validity.not_before,
        next_update: Some(validity.not_after),
        // RFC 5280, 5.1.2.6: "When there are no revoked certificates, the revoked certificates list MUST be absent."
        revoked_certificates: (!revoked.is_empty()).then_some(revoked),
        crl_extensions: Some(extensions),
    };
    let unencodable = "the list cannot be encoded";
    let signature = key.sign(&tbs_cert_list.to_der().map_err(failed(unencodable))?);
    let signature = BitString::from_bytes(&signature).map_err(failed(unencodable))?;
    CertificateList { tbs_cert_list, signature_algorithm: algorithm, signature }.to_der().map_err(failed(unencodable))
}

/// What stands in a former list of ours, its number, and its thisUpdate.
fn former_list(der: &[u8], issuer: &[u8], key: &SigningKey) -> Result<(Vec<RevokedCert>, u64, Duration), ConfigError> {
    let malformed = ConfigError::Issue { reason: "the former list is not well-formed" };
    let (Ok(fields), Ok(list)) = (Fields::read(der), CertificateList::from_der(der)) else { return Err(malformed) };
    let signature = fields.signature.strip_prefix(&[0]).unwrap_or_default();
    let ours = VerifyingKey::parse(&key.public_key()).is_ok_and(|key| key.verify(fields.signed, signature).is_ok());
    if fields.issuer != issuer || !ours {
        return Err(ConfigError::Issue { reason: "the former list is another authority's" });
    }
    // One with a longer number is not ours, and the seconds are not beyond it.
    let number = fields.number().ok_or(ConfigError::Issue { reason: "the number of the former list is too large" })?;
    Ok((list.tbs_cert_list.revoked_certificates.unwrap_or_default(), number, fields.this_update))
}

/// RFC 5280, 5.2: both are REQUIRED.
fn list_extensions(number: u64, key_identifier: Option<&[u8]>, issuer: &Name) -> der::Result<Vec<Extension>> {
    let mut out = vec![extension(&CrlNumber(Uint::new(&number.to_be_bytes())?), issuer)?];
    if let Some(id) = key_identifier {
        let id = AuthorityKeyIdentifier { key_identifier: Some(OctetString::new(id)?), ..AuthorityKeyIdentifier::default() };
        out.push(extension(&id, issuer)?);
    }
    Ok(out)
}

fn name(common_name: Option<&str>) -> der::Result<Name> {
    let mut rdns = RdnSequence::default();
    if let Some(text) = common_name {
        let attribute = AttributeTypeAndValue { oid: COMMON_NAME, value: Any::new(Tag::Utf8String, text.as_bytes())? };
        rdns.push(RelativeDistinguishedName::try_from(vec![attribute])?);
    }
    Name::from_der(&rdns.to_der()?)
}

fn general_name(name: &AltName) -> der::Result<GeneralName> {
    Ok(match name {
        AltName::Dns(text) => GeneralName::DnsName(Ia5String::new(text)?),
        AltName::Ip(ip) => GeneralName::from(*ip),
        AltName::Uri(text) => GeneralName::UniformResourceIdentifier(Ia5String::new(text)?),
    })
}

fn extensions(template: &Template<'_>, subject: &Name, issuer_id: Option<&[u8]>) -> der::Result<Vec<Extension>> {
    let mut out = Vec::new();
    let mut add = |extension: Extension| out.push(extension);
    match &template.purpose {
        Purpose::Leaf { server, client } => {
            // An empty SEQUENCE, since FALSE is the default: the certificate says that it is no CA's.
            add(extension(&BasicConstraints { ca: false, path_len_constraint: None }, subject)?);
            // RFC 9846, 4.5.1.2: digitalSignature, and nothing else is done with the key.
            add(extension(&KeyUsage(KeyUsages::DigitalSignature.into()), subject)?);
            let purposes: Vec<_> =
                [(server, SERVER_AUTH), (client, CLIENT_AUTH)].into_iter().filter(|(on, _)| **on).map(|(_, id)| id).collect();
            if !purposes.is_empty() {
                add(extension(&ExtendedKeyUsage(purposes), subject)?);
            }
        }
        Purpose::Authority { path_length, constraints } => {
            add(extension(&BasicConstraints { ca: true, path_len_constraint: *path_length }, subject)?);
            add(extension(&KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign), subject)?);
            if let Some(constraints) = constraints {
                add(extension(constraints, subject)?);
            }
        }
    }
    if !template.names.is_empty() {
        add(extension(&SubjectAltName(template.names.iter().map(general_name).collect::<der::Result<_>>()?), subject)?);
    }
    add(extension(&SubjectKeyIdentifier(OctetString::new(key_identifier(&template.key))?), subject)?);
    if let Some(id) = issuer_id {
        let id = AuthorityKeyIdentifier { key_identifier: Some(OctetString::new(id)?), ..AuthorityKeyIdentifier::default() };
        add(extension(&id, subject)?);
    }
    Ok(out)
}

fn extension<T: Criticality + der::oid::AssociatedOid + Encode>(content: &T, subject: &Name) -> der::Result<Extension> {
    content.to_extension(subject, &[])
}

/// Hands ready-made parts to the builder.
struct Profile {
    issuer: Name,
    subject: Name,
    extensions: Vec<Extension>,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _: spki::SubjectPublicKeyInfoRef<'_>,
        _: spki::SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}

/// Our key, as the builder wants one.
struct Signer<'a>(&'a SigningKey);

impl signature::Keypair for Signer<'_> {
    type VerifyingKey = PublicKeyBytes;

    fn verifying_key(&self) -> PublicKeyBytes {
        PublicKeyBytes(self.0.public_key())
    }
}

impl signature::Signer<ed25519::Signature> for Signer<'_> {
    fn try_sign(&self, message: &[u8]) -> Result<ed25519::Signature, signature::Error> {
        Ok(ed25519::Signature::from_bytes(&self.0.sign(message)))
    }
}

impl spki::DynSignatureAlgorithmIdentifier for Signer<'_> {
    fn signature_algorithm_identifier(&self) -> spki::Result<spki::AlgorithmIdentifierOwned> {
        // RFC 8410, section 3: the parameters MUST be absent.
        Ok(spki::AlgorithmIdentifierOwned { oid: ALGORITHM_OID, parameters: None })
    }
}
