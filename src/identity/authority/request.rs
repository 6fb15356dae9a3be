//! [`CertificationRequest`]: a key that its holder wants to have certified (PKCS #10; RFC 2986).
//!
//! ```text
//! CertificationRequest ::= SEQUENCE { certificationRequestInfo, signatureAlgorithm, signature }
//! CertificationRequestInfo ::= SEQUENCE {
//!     version INTEGER { v1(0) }, subject Name, subjectPKInfo, attributes [0] SET OF Attribute
//! }
//! Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET }
//! ```

use std::path::Path;

use der::{Reader, SliceReader, Tag};
use rustls_pki_types::alg_id;
use x509_cert::der::Encode;
use x509_cert::der::asn1::{BitString, SetOfVec};
use x509_cert::der::{self as encoding, Decode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};
use x509_cert::spki;

use crate::crypto::signature::VerifyingKey;
use crate::error::{CertificateError, ConfigError, Error};
use crate::identity::alt_name::{self, AltName};
use crate::identity::authority::encode::certificate::{general_name, name};
use crate::identity::authority::encode::parts::extension;
use crate::identity::der::{context, inside, malformed, value, whole};
use crate::identity::distinguished_name::DistinguishedName;
use crate::identity::own::Identity;
use crate::identity::public_key::PublicKey;
use crate::identity::{pem, profile};

/// The maximum number of attributes, and of extensions in one of them. OpenSSL and others write one
/// attribute.
const MAX_PARTS: usize = 32;

/// A certification request (CSR, PKCS #10): a public key whose holder has proven to have the
/// private key, and the names that it asks for.
///
/// The names are a wish. Whoever issues the certificate decides about them:
///
/// ```
/// use fleeting::{Authority, CertificationRequest, Identity};
///
/// // On the machine that keeps the key. Or: openssl req -new -key key.pem -subj /CN=db -out db.csr
/// let key = Identity::generate()?;
/// let pem = CertificationRequest::make_pem(&key, ["db.internal"])?;
///
/// // On the authority's machine.
/// let authority = Authority::new("Example CA")?;
/// let request = CertificationRequest::from_pem(pem)?;
/// assert_eq!(request.names(), ["db.internal"]);
/// let chain: String =
///     authority.certificate().server(["db.internal"]).issue_for(request.public_key())?;
///
/// // Back on the first machine.
/// let identity = Identity::from_pem(chain, key.key_pem()?.expose())?;
/// # Ok::<(), fleeting::Error>(())
/// ```
#[doc(alias = "csr")]
#[doc(alias = "pkcs10")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificationRequest {
    public_key: PublicKey,
    subject: String,
    common_name: Option<String>,
    names: Vec<String>,
}

impl CertificationRequest {
    /// Reads the only request in a PEM text (`CERTIFICATE REQUEST`), or the one that is given as
    /// DER, and verifies its signature: whoever made it has the private key.
    ///
    /// Extensions other than subjectAltName are ignored: the authority decides about them.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if there is not exactly one request, if it is malformed, if its
    /// key is not Ed25519, or if its signature is wrong.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        Ok(read(&pem::request(pem.as_ref())?)?)
    }

    /// Like [`from_pem`](Self::from_pem), from a file.
    ///
    /// # Errors
    ///
    /// Returns the errors of `from_pem`, or [`Error::Config`] with [`ConfigError::File`]. An error
    /// about the content is in [`ConfigError::InFile`].
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        pem::from_file(path.as_ref(), |text| Self::from_pem(text))
    }

    /// Makes a request for the key of an identity, which may be a key alone
    /// ([`Identity::generate`](crate::Identity::generate)), and for these names, DNS names, IP
    /// addresses or URIs. Returns it as PEM text. The first name becomes the common name too, if
    /// it has at most 64 characters.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Name`] if a name is invalid; [`Error::Signer`] if the key is held elsewhere
    /// and could not sign; [`Error::Config`] with [`ConfigError::KeyElsewhere`] if only the
    /// application can sign with it ([`Identity::asking`](crate::Identity::asking)).
    pub fn make_pem<'a>(
        identity: &Identity,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<String, Error> {
        let names = names
            .into_iter()
            .map(AltName::parse_or_uri)
            .collect::<Result<Vec<_>, _>>()?;
        let unencodable = |_| ConfigError::Request {
            reason: "it cannot be encoded",
        };
        let info = info(identity, &names).map_err(unencodable)?;
        let signed = info.to_der().map_err(unencodable)?;
        let signature = identity
            .sign(&signed)
            .map_err(|fault| fault.in_state("REQUEST"))?
            .ok_or(ConfigError::KeyElsewhere)?;
        let encode = || {
            CertReq {
                info,
                algorithm: spki::AlgorithmIdentifierOwned {
                    oid: ed25519_dalek::pkcs8::ALGORITHM_OID,
                    parameters: None,
                },
                signature: BitString::from_bytes(&signature)?,
            }
            .to_der()
        };
        Ok(pem::write_request(&encode().map_err(unencodable)?))
    }

    /// Returns the public key, for [`CertificateBuilder::issue_for`].
    ///
    /// [`CertificateBuilder::issue_for`]: crate::CertificateBuilder::issue_for
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Returns the subject that it asks for, as text (RFC 4514), such as `CN=db`. Empty if it asks
    /// for none.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the common name in the subject that it asks for.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// Returns the names that it asks for (subjectAltName): DNS names, IP addresses and URIs.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

fn info(identity: &Identity, names: &[AltName]) -> encoding::Result<CertReqInfo> {
    let first = names.first().map(AltName::to_string);
    let subject = name(first.as_deref().and_then(profile::fitting_common_name))?;
    let mut attributes = SetOfVec::new();
    if !names.is_empty() {
        let names = names
            .iter()
            .map(general_name)
            .collect::<encoding::Result<_>>()?;
        let extensions = vec![extension(&SubjectAltName(names), &subject)?];
        attributes.insert(ExtensionReq(extensions).try_into()?)?;
    }
    Ok(CertReqInfo {
        version: Version::V1,
        subject,
        public_key: spki::SubjectPublicKeyInfoOwned::from_der(&identity.spki())?,
        attributes,
    })
}

fn read(der: &[u8]) -> Result<CertificationRequest, ConfigError> {
    let refused = |reason| ConfigError::Request { reason };
    let fields = Fields::read(der)
        .map_err(|_| refused("it is not a well-formed PKCS #10 request (RFC 2986)"))?;
    let public_key = PublicKey::from_spki(fields.spki).ok_or(refused(
        "its key is not Ed25519: make one with openssl genpkey -algorithm ed25519",
    ))?;
    let signed = fields.algorithm == alg_id::ED25519.as_ref()
        && VerifyingKey::parse(public_key.as_bytes())
            .is_ok_and(|key| key.verify(fields.info, fields.signature).is_ok());
    if !signed {
        return Err(refused(
            "its signature is wrong, so nothing proves that who sent it has the private key",
        ));
    }
    let unreadable = |_| refused("its subject or a name in it cannot be read");
    let subject = DistinguishedName::read(fields.subject).map_err(unreadable)?;
    let names = fields.names.map(alt_name::read_names).transpose();
    let names = names.map_err(unreadable)?.unwrap_or_default();
    Ok(CertificationRequest {
        public_key,
        subject: subject.text(),
        common_name: subject.common_name(),
        names: names.iter().map(AltName::to_string).collect(),
    })
}

/// The fields of a request, borrowed from its DER.
struct Fields<'a> {
    /// The signed part, with tag and length; so are the next two.
    info: &'a [u8],
    subject: &'a [u8],
    spki: &'a [u8],
    /// subjectAltName, the DER inside of its OCTET STRING.
    names: Option<&'a [u8]>,
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(der: &'a [u8]) -> Result<Self, CertificateError> {
        let mut outer = SliceReader::new(der).map_err(malformed)?;
        let mut request = inside(&mut outer, Tag::Sequence)?;
        outer.finish().map_err(malformed)?;
        let info = whole(&mut request, Tag::Sequence)?;
        let algorithm = value(&mut request, Tag::Sequence)?;
        let signature = value(&mut request, Tag::BitString)?
            .strip_prefix(&[0])
            .ok_or(CertificateError::Malformed)?;
        request.finish().map_err(malformed)?;

        let mut outer = SliceReader::new(info).map_err(malformed)?;
        let mut fields = inside(&mut outer, Tag::Sequence)?;
        if value(&mut fields, Tag::Integer)? != [0] {
            return Err(CertificateError::Malformed);
        }
        let subject = whole(&mut fields, Tag::Sequence)?;
        let spki = whole(&mut fields, Tag::Sequence)?;
        // Some tools leave an empty set out.
        let mut names = None;
        if !fields.is_finished() {
            let mut attributes = inside(&mut fields, context(0, true))?;
            for attribute in parts(&mut attributes)? {
                let mut attribute = attribute;
                let id = value(&mut attribute, Tag::ObjectIdentifier)?;
                let mut values = inside(&mut attribute, Tag::Set)?;
                attribute.finish().map_err(malformed)?;
                // id-ExtensionReq, 1.2.840.113549.1.9.14 (RFC 2985, 5.4.2), has one value.
                if id == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e] {
                    let mut extensions = inside(&mut values, Tag::Sequence)?;
                    values.finish().map_err(malformed)?;
                    for extension in parts(&mut extensions)? {
                        if let Some(found) = subject_alt_name(extension)?
                            && names.replace(found).is_some()
                        {
                            return Err(CertificateError::Malformed);
                        }
                    }
                }
            }
        }
        fields.finish().map_err(malformed)?;
        Ok(Self {
            info,
            subject,
            spki,
            names,
            algorithm,
            signature,
        })
    }
}

/// Returns the elements of a SEQUENCE OF or SET OF SEQUENCE.
fn parts<'a>(list: &mut SliceReader<'a>) -> Result<Vec<SliceReader<'a>>, CertificateError> {
    let mut parts = Vec::new();
    while !list.is_finished() {
        if parts.len() == MAX_PARTS {
            return Err(CertificateError::TooComplex);
        }
        parts.push(inside(list, Tag::Sequence)?);
    }
    Ok(parts)
}

/// Returns the content of an extension if it is subjectAltName (id-ce 17).
fn subject_alt_name<'a>(
    mut extension: SliceReader<'a>,
) -> Result<Option<&'a [u8]>, CertificateError> {
    let id = value(&mut extension, Tag::ObjectIdentifier)?;
    if Tag::peek(&extension).map_err(malformed)? == Tag::Boolean {
        value(&mut extension, Tag::Boolean)?;
    }
    let content = value(&mut extension, Tag::OctetString)?;
    extension.finish().map_err(malformed)?;
    Ok((id == [0x55, 0x1d, 17]).then_some(content))
}
