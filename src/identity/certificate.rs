//! [`Certificate`]: the fields of an X.509 certificate (RFC 5280, 4.1) that we read ourselves,
//! borrowed from its DER.
//!
//! ```text
//! Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
//! tbsCertificate ::= SEQUENCE {
//!     version [0], serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo,
//!     issuerUniqueID [1] OPTIONAL, subjectUniqueID [2] OPTIONAL, extensions [3] OPTIONAL
//! }
//! ```
//!
//! Path validation reads the same bytes with its own parser. This one is for what that leaves out
//! (KeyUsage), for pinned keys, which need no path, for names that are shown, and for issuing.
//! Nothing is allocated before the whole certificate has been read.

use der::asn1::ObjectIdentifier;
use der::{Reader, SliceReader, Tag};

use crate::error::CertificateError;
use crate::identity::alt_name::{self, AltName};
use crate::identity::der::{context, inside, malformed, value, whole};
use crate::identity::distinguished_name::DistinguishedName;
use crate::identity::extensions::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use crate::identity::public_key::PublicKey;

/// The longest certificate that is read, in bytes. Path validation has the same limit.
const MAX_LEN: usize = 65_535;

/// The maximum number of extensions of a certificate. The profiles in use have about ten. Thousands
/// of empty ones would make a certificate slow to read, and path validation reads it again for each
/// step of its search.
const MAX_EXTENSIONS: usize = 32;

/// The maximum number of certificates that we send, and that are used of those that a peer sends.
/// Chains of private PKIs have two or three. The search for a path has its own limits besides.
pub(crate) const MAX_CHAIN: usize = 10;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Certificate<'a> {
    /// DER without tag and length.
    pub(crate) serial: &'a [u8],
    /// The object identifier with its parameters: DER without the SEQUENCE around them.
    pub(crate) signature_algorithm: &'a [u8],
    /// DER with tag and length; so are the next three.
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) spki: &'a [u8],
    pub(crate) validity: &'a [u8],
    /// The extensions that we know: the DER inside their OCTET STRING.
    pub(crate) key_usage: Option<&'a [u8]>,
    pub(crate) extended_key_usage: Option<&'a [u8]>,
    pub(crate) basic_constraints: Option<&'a [u8]>,
    pub(crate) subject_alt_name: Option<&'a [u8]>,
    pub(crate) subject_key_identifier: Option<&'a [u8]>,
    pub(crate) name_constraints: Option<&'a [u8]>,
}

impl<'a> Certificate<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_LEN {
            return Err(CertificateError::TooComplex);
        }
        let mut outer = SliceReader::new(der).map_err(malformed)?;
        let mut certificate = inside(&mut outer, Tag::Sequence)?;
        outer.finish().map_err(malformed)?;

        let mut tbs = inside(&mut certificate, Tag::Sequence)?;
        let signature_algorithm = value(&mut certificate, Tag::Sequence)?;
        value(&mut certificate, Tag::BitString)?;
        certificate.finish().map_err(malformed)?;

        // RFC 9846, 4.5.1.2: the certificate type MUST be X.509v3.
        let version = if Tag::peek(&tbs).map_err(malformed)? == context(0, true) {
            match value(&mut tbs, context(0, true))? {
                [0x02, 0x01, number @ 0..0x80] => number + 1,
                _ => 0,
            }
        } else {
            1
        };
        if version != 3 {
            return Err(CertificateError::UnsupportedVersion { version });
        }
        let serial = value(&mut tbs, Tag::Integer)?;
        // RFC 5280, 4.1.2.3: both places MUST have the same algorithm.
        if value(&mut tbs, Tag::Sequence)? != signature_algorithm {
            return Err(CertificateError::Malformed);
        }
        let mut parsed = Self {
            serial,
            signature_algorithm,
            issuer: whole(&mut tbs, Tag::Sequence)?,
            validity: whole(&mut tbs, Tag::Sequence)?,
            subject: whole(&mut tbs, Tag::Sequence)?,
            spki: whole(&mut tbs, Tag::Sequence)?,
            key_usage: None,
            extended_key_usage: None,
            basic_constraints: None,
            subject_alt_name: None,
            subject_key_identifier: None,
            name_constraints: None,
        };
        for unique_id in [context(1, false), context(2, false)] {
            if !tbs.is_finished() && Tag::peek(&tbs).map_err(malformed)? == unique_id {
                value(&mut tbs, unique_id)?;
            }
        }
        if !tbs.is_finished() {
            let mut tagged = inside(&mut tbs, context(3, true))?;
            let mut extensions = inside(&mut tagged, Tag::Sequence)?;
            tagged.finish().map_err(malformed)?;
            for count in 0.. {
                if extensions.is_finished() {
                    break;
                } else if count == MAX_EXTENSIONS {
                    return Err(CertificateError::TooComplex);
                }
                parsed.remember(inside(&mut extensions, Tag::Sequence)?)?;
            }
        }
        tbs.finish().map_err(malformed)?;
        Ok(parsed)
    }

    /// Stores the content of an extension that we know.
    ///
    /// `Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }`
    fn remember(&mut self, mut extension: SliceReader<'a>) -> Result<(), CertificateError> {
        let id = value(&mut extension, Tag::ObjectIdentifier)?;
        let critical = Tag::peek(&extension).map_err(malformed)? == Tag::Boolean
            && value(&mut extension, Tag::Boolean)? != [0];
        let content = value(&mut extension, Tag::OctetString)?;
        extension.finish().map_err(malformed)?;
        let field = match id {
            // id-ce, 2.5.29
            [0x55, 0x1d, 14] => &mut self.subject_key_identifier,
            [0x55, 0x1d, 15] => &mut self.key_usage,
            [0x55, 0x1d, 17] => &mut self.subject_alt_name,
            [0x55, 0x1d, 19] => &mut self.basic_constraints,
            [0x55, 0x1d, 37] => &mut self.extended_key_usage,
            // Path validation checks them; we read them only to issue.
            [0x55, 0x1d, 30] => &mut self.name_constraints,
            // Path validation reads CRL distribution points.
            [0x55, 0x1d, 31] => return Ok(()),
            // RFC 5280, 4.2: an unrecognized critical extension MUST lead to rejection, even if the
            // key is pinned.
            _ if critical => {
                return Err(CertificateError::UnsupportedExtension {
                    id: ObjectIdentifier::from_bytes(id)
                        .ok()
                        .map(|id| id.to_string()),
                });
            }
            _ => return Ok(()),
        };
        // RFC 5280, 4.2: not more than one instance of an extension.
        if field.replace(content).is_some() {
            Err(CertificateError::Malformed)
        } else {
            Ok(())
        }
    }

    pub(crate) fn public_key(&self) -> Result<PublicKey, CertificateError> {
        PublicKey::from_spki(self.spki).ok_or(CertificateError::UnsupportedAlgorithm)
    }

    /// Returns true if the issuer's name is the subject's, as in roots and self-signed
    /// certificates.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    pub(crate) fn key_usage(&self) -> Result<Option<KeyUsage>, CertificateError> {
        self.key_usage.map(KeyUsage::read).transpose()
    }

    /// Returns an error if the key may not sign a CertificateVerify.
    pub(crate) fn check_may_sign(&self) -> Result<(), CertificateError> {
        // RFC 9846, 4.5.1.2: the digitalSignature bit MUST be set if the Key Usage extension is
        // present.
        match self.key_usage()? {
            Some(usage) if !usage.digital_signature() => Err(CertificateError::KeyUsage),
            _ => Ok(()),
        }
    }

    /// Returns an error if the key may not sign certificates.
    pub(crate) fn check_may_issue(&self) -> Result<BasicConstraints, CertificateError> {
        let constraints = self
            .basic_constraints
            .map(BasicConstraints::read)
            .transpose()?;
        // RFC 5280, 6.1.4 (k) and (n): cA is TRUE; and if Key Usage is present, keyCertSign MUST be
        // set.
        match constraints {
            Some(constraints)
                if constraints.ca
                    && self.key_usage()?.is_none_or(|usage| usage.key_cert_sign()) =>
            {
                Ok(constraints)
            }
            _ => Err(CertificateError::NotAnAuthority),
        }
    }

    /// Returns true if the certificate passes an OID filter of a CertificateRequest (RFC 9846,
    /// 4.3.5). A filter that cannot be read passes none, and one for an extension without a
    /// matching rule passes all.
    pub(crate) fn matches_filter(&self, oid: &[u8], values: &[u8]) -> bool {
        // The OIDs are DER, with tag and length.
        match oid {
            // All key usage bits asserted in the request are asserted in the certificate.
            [0x06, 0x03, 0x55, 0x1d, 15] => match (self.key_usage(), KeyUsage::read(values)) {
                (Ok(Some(has)), Ok(wanted)) => has.contains(wanted),
                _ => false,
            },
            // All key purposes present in the request are found in the certificate.
            [0x06, 0x03, 0x55, 0x1d, 37] => {
                match (
                    self.extended_key_usage.map(ExtendedKeyUsage::read),
                    ExtendedKeyUsage::read(values),
                ) {
                    (Some(Ok(has)), Ok(wanted)) => has.contains(&wanted),
                    _ => false,
                }
            }
            _ => true,
        }
    }

    /// Returns the DNS names, IP addresses and URIs of subjectAltName. Names of other forms, and
    /// malformed ones, are left out.
    pub(crate) fn alt_names(&self) -> Vec<AltName> {
        self.subject_alt_name
            .and_then(|names| alt_name::read_names(names).ok())
            .unwrap_or_default()
    }

    /// Returns the subject as text (RFC 4514).
    pub(crate) fn subject_text(&self) -> Option<String> {
        Some(DistinguishedName::read(self.subject).ok()?.text())
    }

    /// Returns the issuer as text (RFC 4514).
    pub(crate) fn issuer_text(&self) -> Option<String> {
        Some(DistinguishedName::read(self.issuer).ok()?.text())
    }

    /// Returns the common name of the subject.
    pub(crate) fn common_name(&self) -> Option<String> {
        DistinguishedName::read(self.subject).ok()?.common_name()
    }
}
