//! Makes certificates (RFC 5280, section 4), through the builder of `x509-cert`.
//!
//! A leaf states its use (KeyUsage, extended key usage) and its names (subjectAltName; the subject
//! only repeats them for people). A CA states the limits of what it may issue. The keys'
//! identifiers are the first 160 bits of SHA-256 of the key (RFC 7093, section 2, method 1), not
//! SHA-1.

use ed25519_dalek::ed25519::{self, signature};
use ed25519_dalek::pkcs8::{ALGORITHM_OID, PublicKeyBytes, spki};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{Any, Ia5String, ObjectIdentifier, OctetString};
use x509_cert::der::{self, Decode, Encode, Tag};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages,
    NameConstraints, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;

use crate::crypto::signature::SigningKey;
use crate::error::ConfigError;
use crate::identity::alt_name::AltName;
use crate::identity::authority::encode::parts::{extension, validity};
use crate::identity::profile::key_identifier;
use crate::identity::public_key::PublicKey;
use crate::identity::validity::Validity;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// The use of a certificate.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// A leaf for these roles, or for any role if neither is set.
    Leaf { server: bool, client: bool },
    /// A CA, the number of CAs allowed below it, and the names that it may issue for (any name,
    /// without constraints).
    Authority {
        path_length: Option<u8>,
        constraints: Option<NameConstraints>,
    },
}

/// The content of a certificate.
pub(crate) struct Template<'a> {
    pub(crate) serial: [u8; 16],
    pub(crate) common_name: Option<&'a str>,
    pub(crate) names: &'a [AltName],
    pub(crate) purpose: Purpose,
    pub(crate) validity: Validity,
    pub(crate) key: PublicKey,
}

/// The signer of a certificate: its own key, or a CA.
pub(crate) enum SignedBy<'a> {
    Itself(&'a SigningKey),
    Authority {
        key: &'a SigningKey,
        /// The issuer's subject and SubjectKeyIdentifier, as in its certificate.
        subject: &'a [u8],
        key_identifier: Option<&'a [u8]>,
    },
}

/// Signs a certificate, and returns it in DER.
pub(crate) fn issue(
    template: &Template<'_>,
    signed_by: &SignedBy<'_>,
) -> Result<Vec<u8>, ConfigError> {
    let failed = |reason| move |_| ConfigError::Issue { reason };
    let subject = name(template.common_name).map_err(failed("the subject cannot be encoded"))?;
    let (key, issuer_name, issuer_id) = match signed_by {
        SignedBy::Itself(key) => (*key, subject.clone(), None),
        SignedBy::Authority {
            key,
            subject,
            key_identifier,
        } => (
            *key,
            Name::from_der(subject).map_err(failed("the authority's name cannot be read"))?,
            *key_identifier,
        ),
    };
    let extensions = extensions(template, &subject, issuer_id)
        .map_err(failed("an extension cannot be encoded"))?;
    let validity = validity(template.validity).map_err(failed("its dates cannot be encoded"))?;
    let serial = SerialNumber::new(&template.serial)
        .map_err(failed("its serial number cannot be encoded"))?;
    let spki = spki::SubjectPublicKeyInfoOwned::from_der(&template.key.to_spki())
        .map_err(failed("the key cannot be encoded"))?;

    let profile = Profile {
        issuer: issuer_name,
        subject,
        extensions,
    };
    let built = CertificateBuilder::new(profile, serial, validity, spki)
        .and_then(|certificate| certificate.build::<_, ed25519::Signature>(&Signer(key)))
        .map_err(|_| ConfigError::Issue {
            reason: "the certificate cannot be built",
        })?;
    built
        .to_der()
        .map_err(failed("the certificate cannot be encoded"))
}

pub(crate) fn name(common_name: Option<&str>) -> der::Result<Name> {
    let mut rdns = RdnSequence::default();
    if let Some(text) = common_name {
        let attribute = AttributeTypeAndValue {
            oid: COMMON_NAME,
            value: Any::new(Tag::Utf8String, text.as_bytes())?,
        };
        rdns.push(RelativeDistinguishedName::try_from(vec![attribute])?);
    }
    Name::from_der(&rdns.to_der()?)
}

pub(crate) fn general_name(name: &AltName) -> der::Result<GeneralName> {
    Ok(match name {
        AltName::Dns(text) => GeneralName::DnsName(Ia5String::new(text)?),
        AltName::Ip(ip) => GeneralName::from(*ip),
        AltName::Uri(text) => GeneralName::UniformResourceIdentifier(Ia5String::new(text)?),
    })
}

fn extensions(
    template: &Template<'_>,
    subject: &Name,
    issuer_id: Option<&[u8]>,
) -> der::Result<Vec<Extension>> {
    let mut out = Vec::new();
    let mut add = |extension: Extension| out.push(extension);
    match &template.purpose {
        Purpose::Leaf { server, client } => {
            // An empty SEQUENCE, since FALSE is the default: the certificate says that it is no
            // CA's.
            add(extension(
                &BasicConstraints {
                    ca: false,
                    path_len_constraint: None,
                },
                subject,
            )?);
            // RFC 9846, 4.5.1.2: digitalSignature, and nothing else is done with the key.
            add(extension(
                &KeyUsage(KeyUsages::DigitalSignature.into()),
                subject,
            )?);
            let purposes: Vec<_> = [(server, SERVER_AUTH), (client, CLIENT_AUTH)]
                .into_iter()
                .filter(|(on, _)| **on)
                .map(|(_, id)| id)
                .collect();
            if !purposes.is_empty() {
                add(extension(&ExtendedKeyUsage(purposes), subject)?);
            }
        }
        Purpose::Authority {
            path_length,
            constraints,
        } => {
            add(extension(
                &BasicConstraints {
                    ca: true,
                    path_len_constraint: *path_length,
                },
                subject,
            )?);
            add(extension(
                &KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign),
                subject,
            )?);
            if let Some(constraints) = constraints {
                add(extension(constraints, subject)?);
            }
        }
    }
    if !template.names.is_empty() {
        add(extension(
            &SubjectAltName(
                template
                    .names
                    .iter()
                    .map(general_name)
                    .collect::<der::Result<_>>()?,
            ),
            subject,
        )?);
    }
    add(extension(
        &SubjectKeyIdentifier(OctetString::new(key_identifier(&template.key))?),
        subject,
    )?);
    if let Some(id) = issuer_id {
        let id = AuthorityKeyIdentifier {
            key_identifier: Some(OctetString::new(id)?),
            ..AuthorityKeyIdentifier::default()
        };
        add(extension(&id, subject)?);
    }
    Ok(out)
}

/// Passes ready-made parts to the builder.
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

/// Our key, in the form that the builder needs.
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
        Ok(spki::AlgorithmIdentifierOwned {
            oid: ALGORITHM_OID,
            parameters: None,
        })
    }
}
