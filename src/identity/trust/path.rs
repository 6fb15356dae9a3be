//! A path from a peer's certificate to a trusted root, by rustls-webpki: issuers, signatures,
//! dates, names, name constraints, path lengths, extended key usage and revocation. KeyUsage, which
//! webpki does not check, is checked here.

use core::time::Duration;

use rustls_pki_types as pki;
use webpki::{EndEntityCert, Error, VerifiedPath};

use crate::crypto::signature::VerifyingKey;
use crate::error::{CertificateError, shown};
use crate::identity::alt_name::AltName;
use crate::identity::certificate::{Certificate, MAX_CHAIN};
use crate::identity::distinguished_name::DistinguishedName;
use crate::identity::server_name::ServerName;
use crate::identity::signature_hash::SignatureHash;
use crate::identity::trust::revocation_lists::InForce;
use crate::identity::validity::{Validity, date_before_1970};
use crate::time::Now;

/// The only signature algorithm. It uses the verdicts on signatures that the revocation lists in
/// force have stored.
struct Ed25519<'a>(Option<&'a InForce>);

impl core::fmt::Debug for Ed25519<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Ed25519")
    }
}

impl pki::SignatureVerificationAlgorithm for Ed25519<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), pki::InvalidSignature> {
        if let Some(good) = self
            .0
            .and_then(|lists| lists.is_signed(message, signature, public_key))
        {
            return if good {
                Ok(())
            } else {
                Err(pki::InvalidSignature)
            };
        }
        let key = <&[u8; 32]>::try_from(public_key).map_err(|_| pki::InvalidSignature)?;
        let key = VerifyingKey::parse(key).map_err(|_| pki::InvalidSignature)?;
        key.verify(message, signature)
            .map_err(|_| pki::InvalidSignature)
    }

    fn public_key_alg_id(&self) -> pki::AlgorithmIdentifier {
        pki::alg_id::ED25519
    }

    fn signature_alg_id(&self) -> pki::AlgorithmIdentifier {
        pki::alg_id::ED25519
    }
}

/// The role of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

/// Trusted roots, read once.
#[derive(Clone, Default)]
pub(crate) struct Roots {
    anchors: Vec<pki::TrustAnchor<'static>>,
    /// Their subjects with tag and length, for certificate_authorities.
    pub(crate) subjects: Vec<Vec<u8>>,
    /// How many CAs each root allows below it, which webpki does not store.
    path_lengths: Vec<Option<u8>>,
}

impl Roots {
    /// Adds a CA certificate. Its dates are not checked: it is trusted because it is configured
    /// (RFC 5280, 6.1.1 (d)).
    pub(crate) fn add(&mut self, der: &[u8]) -> Result<(), CertificateError> {
        let certificate = Certificate::parse(der)?;
        certificate.public_key()?;
        // Stricter than RFC 5280: if a leaf became a root, its holder could issue certificates for
        // any name. Its key can be trusted instead.
        let constraints = certificate.check_may_issue()?;
        let owned = pki::CertificateDer::from(der);
        self.anchors.push(
            webpki::anchor_from_trusted_cert(&owned)
                .map_err(|error| reason(&error, &[der]))?
                .to_owned(),
        );
        self.subjects.push(certificate.subject.to_vec());
        self.path_lengths.push(constraints.path_length);
        Ok(())
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.anchors.extend(other.anchors);
        self.subjects.extend(other.subjects);
        self.path_lengths.extend(other.path_lengths);
    }

    /// Returns how many CAs may be below this anchor. If the anchor was added twice, the larger
    /// number counts.
    fn path_length(&self, anchor: &pki::TrustAnchor<'_>) -> usize {
        let same = self
            .anchors
            .iter()
            .zip(&self.path_lengths)
            .filter(|(one, _)| *one == anchor);
        same.map(|(_, length)| length.map_or(usize::MAX, usize::from))
            .max()
            .unwrap_or(0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Returns the first subjects as text, for errors, and how many more there are.
    pub(crate) fn names(&self) -> (Vec<String>, usize) {
        shown(self.subjects.iter(), |subject| name_text(subject))
    }

    /// Returns everything that [`verify`] decides by, for each root: subject, key, name
    /// constraints, path length.
    pub(crate) fn fields(&self) -> impl Iterator<Item = [Vec<u8>; 4]> {
        self.anchors
            .iter()
            .zip(&self.path_lengths)
            .map(|(anchor, path_length)| {
                // The fields are named one by one, so that a field of a new version is not
                // forgotten.
                let pki::TrustAnchor {
                    subject,
                    subject_public_key_info,
                    name_constraints,
                } = anchor;
                // No constraints and empty constraints are different.
                let constraints = name_constraints
                    .as_ref()
                    .map(|constraints| [&[1], &**constraints].concat());
                [
                    subject.to_vec(),
                    subject_public_key_info.to_vec(),
                    constraints.unwrap_or_default(),
                    path_length.iter().copied().collect(),
                ]
            })
    }
}

/// Verifies that `chain`, leaf first, leads to one of `roots`, and that the leaf is for `name`, if
/// there is one. Returns until when it does, as Unix time: the earliest notAfter of the leaf and
/// the issuers on the path, or the earliest nextUpdate of the lists that vouch for them.
pub(crate) fn verify(
    roots: &Roots,
    chain: &[&[u8]],
    role: Role,
    names: &[ServerName],
    revocation: Option<&InForce>,
    now: Now,
) -> Result<Duration, CertificateError> {
    let (leaf, others) = chain.split_first().ok_or(CertificateError::Malformed)?;
    let Issuers { issuers, left_out } = Issuers::among(others);
    let leaf_der = pki::CertificateDer::from(*leaf);
    let leaf_end = EndEntityCert::try_from(&leaf_der).map_err(|error| reason(&error, chain))?;
    let usage = match role {
        Role::Server => webpki::KeyUsage::server_auth(),
        Role::Client => webpki::KeyUsage::client_auth(),
    };
    let lists = revocation.map(InForce::lists).unwrap_or_default();
    let options = revocation
        .map(|revocation| revocation.options(&lists))
        .transpose()?;
    let path = leaf_end
        .verify_for_usage(
            &[&Ed25519(revocation)],
            &roots.anchors,
            &issuers,
            pki::UnixTime::since_unix_epoch(now.unix),
            usage,
            options,
            Some(&|path| {
                let mut depth = 0;
                let mut below = Certificate::parse(leaf).map_err(|_| Error::BadDer)?;
                let ders: Vec<_> = path
                    .intermediate_certificates()
                    .map(|issuer| issuer.der())
                    .collect();
                for der in &ders {
                    let issuer = Certificate::parse(der).map_err(|_| Error::BadDer)?;
                    check_not_revoked(revocation, &below, issuer.spki)?;
                    below = issuer;
                    // RFC 5280, 6.1.4 (n): keyCertSign, on every certificate between the leaf and
                    // the root.
                    issuer
                        .check_may_issue()
                        .map_err(|_| Error::EndEntityUsedAsCa)?;
                    // RFC 5280, 6.1.4 (l): self-issued certificates do not count.
                    depth += usize::from(!issuer.is_self_issued());
                }
                check_not_revoked(revocation, &below, &path.anchor().subject_public_key_info)?;
                // RFC 5280, 6.2: a root's own path length may limit its paths. OpenSSL checks it,
                // so nobody expects less.
                if depth > roots.path_length(path.anchor()) {
                    Err(Error::PathLenConstraintViolated)
                } else {
                    Ok(())
                }
            }),
        )
        .map_err(|error| match (reason(&error, chain), left_out) {
            // These are only guesses, but better than saying that the issuer is missing, or that
            // another of its name did not sign.
            (CertificateError::UnknownIssuer { .. }, Some(left_out)) => left_out,
            (CertificateError::UnknownIssuer { .. }, None) => unknown_issuer(roots, chain),
            (CertificateError::BadSignature, Some(CertificateError::TooComplex)) => {
                CertificateError::TooComplex
            }
            (error, _) => error,
        })?;
    for name in names {
        let wanted = name.to_pki().ok_or(CertificateError::Malformed)?;
        leaf_end
            .verify_is_valid_for_subject_name(&wanted)
            .map_err(|error| match error {
                Error::CertNotValidForName(_) => wrong_name(name, leaf),
                other => reason(&other, chain),
            })?;
    }
    expires(leaf, &path, revocation, now)
}

/// Returns an error if a list of the certificate's issuer, whose SubjectPublicKeyInfo is `issuer`,
/// revokes it. Path validation has checked only one of these lists.
fn check_not_revoked(
    revocation: Option<&InForce>,
    certificate: &Certificate<'_>,
    issuer: &[u8],
) -> Result<(), Error> {
    // Path validation has verified a signature with this key, so it is Ed25519, and its last 32
    // bytes are the whole key (RFC 8410, section 4).
    let key = issuer.last_chunk::<32>().ok_or(Error::BadDer)?;
    if revocation.is_some_and(|lists| lists.revokes(certificate, key)) {
        Err(Error::CertRevoked)
    } else {
        Ok(())
    }
}

/// Returns when the first certificate of a path expires, or the first list that vouches for one.
/// The root's dates are not checked, as in [`Roots::add`].
fn expires(
    leaf: &[u8],
    path: &VerifiedPath<'_>,
    revocation: Option<&InForce>,
    now: Now,
) -> Result<Duration, CertificateError> {
    let expires = |der: &[u8]| {
        let certificate = Certificate::parse(der)?;
        let not_after = Validity::from_der(certificate.validity)
            .ok_or(CertificateError::Malformed)?
            .not_after();
        let listed = revocation.and_then(|revocation| revocation.expires(certificate.issuer, now));
        Ok(listed.map_or(not_after, |listed| not_after.min(listed)))
    };
    path.intermediate_certificates()
        .try_fold(expires(leaf)?, |earliest, issuer| {
            Ok(earliest.min(expires(&issuer.der())?))
        })
}

/// How many distinct certificates of a chain with one subject are used, and how many keys they may
/// have: four and two, for a CA that renews its key and certifies the old one and the new one with
/// each of them (RFC 4210, 4.4).
///
/// webpki tries every order of issuers whose names fit, before it checks a signature. Nine with one
/// name have 9! orders, and its budget of 200,000 steps ends that only after seconds. It uses a key
/// under one name once in a path, so with these limits the search has at most 213 steps, each of
/// which reads the chain once.
const MAX_ONE_SUBJECT: usize = 4;
const MAX_KEYS_OF_SUBJECT: usize = 2;

/// The certificates of a chain that may be between the leaf and a root.
#[derive(Default)]
struct Issuers<'a> {
    /// Each once.
    issuers: Vec<pki::CertificateDer<'a>>,
    /// Why the first of those that were left out was.
    left_out: Option<CertificateError>,
}

impl<'a> Issuers<'a> {
    /// RFC 9846, 4.5.1: there may be extraneous ones, in any order. Those beyond the limits are
    /// left out, so a path that needs none of them is found.
    fn among(others: &[&'a [u8]]) -> Self {
        let (others, surplus) = others
            .split_at_checked(MAX_CHAIN - 1)
            .unwrap_or((others, &[]));
        let (mut found, mut read) = (Self::default(), Vec::new());
        for &der in others {
            match Certificate::parse(der) {
                Ok(_) if found.issuers.iter().any(|known| **known == *der) => {}
                Ok(certificate) if is_surplus(&read, &certificate) => {
                    found.left_out.get_or_insert(CertificateError::TooComplex);
                }
                Ok(certificate) => {
                    found.issuers.push(der.into());
                    read.push(certificate);
                }
                Err(error) => {
                    found.left_out.get_or_insert(error);
                }
            }
        }
        if !surplus.is_empty() {
            found.left_out.get_or_insert(CertificateError::TooComplex);
        }
        found
    }
}

/// Returns true if there are enough certificates with the subject of this one.
fn is_surplus(read: &[Certificate<'_>], certificate: &Certificate<'_>) -> bool {
    let same = read
        .iter()
        .filter(|known| known.subject == certificate.subject);
    let mut keys: Vec<_> = same.clone().map(|known| known.spki).collect();
    keys.push(certificate.spki);
    keys.sort_unstable();
    keys.dedup();
    same.count() >= MAX_ONE_SUBJECT || keys.len() > MAX_KEYS_OF_SUBJECT
}

/// The number of authorities that may be between a certificate and its root. It is path
/// validation's own limit.
#[cfg(any(test, fuzzing, feature = "authority"))]
pub(crate) const MAX_AUTHORITIES: usize = 6;

/// Makes the error for a chain that leads to no root.
pub(super) fn unknown_issuer(roots: &Roots, chain: &[&[u8]]) -> CertificateError {
    let certificates: Vec<_> = certificates(chain).take(MAX_CHAIN).collect();
    let Some(leaf) = certificates.first() else {
        return CertificateError::Malformed;
    };
    if leaf.is_self_issued() {
        return match leaf.public_key() {
            Ok(key) => CertificateError::SelfSigned {
                key: key.to_string(),
            },
            Err(error) => error,
        };
    }
    // From issuer to issuer, up to the one that the peer did not send, or to one that issued
    // itself. Each step goes to another certificate, unless they form a circle.
    let mut last = leaf;
    for _ in &certificates {
        match certificates
            .iter()
            .find(|above| above.subject == last.issuer)
        {
            Some(above) if !last.is_self_issued() => last = above,
            _ => break,
        }
    }
    let (trusted, more) = roots.names();
    CertificateError::UnknownIssuer {
        issuer: name_text(last.issuer),
        trusted,
        more,
    }
}

/// Returns a name as text, for an error. It may be a stranger's.
fn name_text(name: &[u8]) -> String {
    let text = DistinguishedName::read(name).map(|name| name.text());
    text.map_or_else(|_| NO_NAME.to_owned(), cut)
}

/// Makes the error for a certificate without the wanted name. The certificate is a stranger's, but
/// only DNS names and addresses get into the error: no control characters, and at most 253 bytes
/// each.
fn wrong_name(expected: &ServerName, leaf: &[u8]) -> CertificateError {
    let mut presented = Certificate::parse(leaf)
        .map(|leaf| leaf.alt_names())
        .unwrap_or_default();
    presented.retain(|name| !matches!(name, AltName::Uri(_)));
    let (presented, more) = shown(presented.iter(), AltName::to_string);
    CertificateError::WrongName {
        expected: expected.to_string(),
        presented,
        more,
    }
}

/// Makes the error for an algorithm on the path that is not Ed25519.
pub(crate) fn unsupported(signature_algorithm: &[u8]) -> CertificateError {
    // RFC 9846, 4.5.1.3: a certificate that would have to be validated with MD5 MUST, and with
    // SHA-1 SHOULD, be answered with bad_certificate.
    if SignatureHash::of(signature_algorithm).is_some_and(SignatureHash::is_broken) {
        CertificateError::BrokenHash
    } else {
        CertificateError::UnsupportedAlgorithm
    }
}

/// Returns the error of path validation as ours. `chain` is what was validated.
fn reason(error: &Error, chain: &[&[u8]]) -> CertificateError {
    match error {
        Error::CertExpired { not_after, .. } => {
            let not_after = Duration::from_secs(not_after.as_secs());
            CertificateError::Expired {
                subject: subject_with(chain, |validity| validity.not_after() == not_after),
                not_after,
            }
        }
        Error::CertNotValidYet { not_before, .. } => {
            let not_before = Duration::from_secs(not_before.as_secs());
            CertificateError::NotValidYet {
                subject: subject_with(chain, |validity| validity.not_before() == not_before),
                not_before,
            }
        }
        Error::BadDerTime => certificates(chain)
            .find_map(|certificate| date_before_1970(certificate.validity))
            .map_or(CertificateError::Malformed, |date| {
                CertificateError::DateBefore1970 { date }
            }),
        // `unknown_issuer` completes it.
        Error::UnknownIssuer | Error::CertDistrusted => CertificateError::UnknownIssuer {
            issuer: String::new(),
            trusted: Vec::new(),
            more: 0,
        },
        Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        Error::UnsupportedSignatureAlgorithmContext(context) => {
            unsupported(&context.signature_algorithm_id)
        }
        Error::UnsupportedSignatureAlgorithmForPublicKeyContext(context) => {
            unsupported(&context.signature_algorithm_id)
        }
        // Our own reader, which names the extension, has accepted it; versions it accepts as path
        // validation does.
        Error::UnsupportedCriticalExtension => CertificateError::UnsupportedExtension { id: None },
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
            CertificateError::ExtendedKeyUsage
        }
        Error::NameConstraintViolation => CertificateError::NameConstraint,
        Error::CaUsedAsEndEntity => CertificateError::AuthorityAsLeaf,
        Error::EndEntityUsedAsCa => CertificateError::IssuerNotAnAuthority,
        Error::PathLenConstraintViolated => CertificateError::PathTooLong,
        Error::MaximumSignatureChecksExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => CertificateError::TooComplex,
        Error::CertRevoked => CertificateError::Revoked,
        Error::UnknownRevocationStatus => CertificateError::UnknownRevocation,
        Error::CrlExpired { .. } => CertificateError::RevocationListExpired,
        Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => {
            CertificateError::RevocationListNotIssuers
        }
        // All other errors are about encoding. New variants cannot be mapped better.
        _ => CertificateError::Malformed,
    }
}

fn certificates<'a>(chain: &[&'a [u8]]) -> impl Iterator<Item = Certificate<'a>> {
    chain.iter().filter_map(|der| Certificate::parse(der).ok())
}

/// What stands for a name that cannot be read.
const NO_NAME: &str = "no readable name";

/// The longest subject that an error contains, in characters.
const SUBJECT_SHOWN: usize = 128;

/// Returns the subject of the certificate with this validity, or its first name if the subject is
/// empty. It is a stranger's, but control characters are escaped in it.
fn subject_with(chain: &[&[u8]], has: impl Fn(Validity) -> bool) -> String {
    let subject = certificates(chain)
        .find(|certificate| Validity::from_der(certificate.validity).is_some_and(&has))
        .and_then(|certificate| {
            let subject = certificate.subject_text().filter(|text| !text.is_empty());
            subject.or_else(|| certificate.alt_names().first().map(AltName::to_string))
        });
    subject.map_or_else(|| NO_NAME.to_owned(), cut)
}

/// Cuts a name to the length that an error contains.
fn cut(mut name: String) -> String {
    if let Some((end, _)) = name.char_indices().nth(SUBJECT_SHOWN) {
        name.truncate(end);
        name.push_str("...");
    }
    name
}
