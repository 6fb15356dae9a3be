//! [`SignatureHash`]: the hash in a certificate's signature. It decides which certificates are too
//! weak, and what the channel binding [`server_end_point`] of a certificate is.

use std::sync::Arc;

use der::{Reader as _, SliceReader, Tag};

use crate::crypto::hash;
use crate::error::CertificateError;
use crate::identity::certificate::Certificate;
use crate::identity::der::{context, inside, malformed, value};

/// The only hash function of a signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureHash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl SignatureHash {
    /// Returns the hash of a signatureAlgorithm, an object identifier with its parameters in DER.
    /// `None` if the algorithm has no single hash (Ed25519, Ed448), or is unknown.
    pub(crate) fn of(algorithm: &[u8]) -> Option<Self> {
        let mut reader = SliceReader::new(algorithm).ok()?;
        match value(&mut reader, Tag::ObjectIdentifier).ok()? {
            // pkcs-1, 1.2.840.113549.1.1 (RFC 4055): RSASSA-PSS, then RSA PKCS #1 v1.5
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 10] => Self::of_pss(reader).ok()?,
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, number] => match number {
                4 => Some(Self::Md5),
                5 => Some(Self::Sha1),
                11 => Some(Self::Sha256),
                12 => Some(Self::Sha384),
                13 => Some(Self::Sha512),
                14 => Some(Self::Sha224),
                _ => None,
            },
            // ansi-X9-62 signatures, 1.2.840.10045.4 (RFC 5758, 3.2): ECDSA
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 1] => Some(Self::Sha1),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 3, number] => match number {
                1 => Some(Self::Sha224),
                2 => Some(Self::Sha256),
                3 => Some(Self::Sha384),
                4 => Some(Self::Sha512),
                _ => None,
            },
            _ => None,
        }
    }

    /// Reads the parameters of RSASSA-PSS (RFC 4055, 3.1). They name two hashes, which may differ.
    ///
    /// ```text
    /// RSASSA-PSS-params ::= SEQUENCE {
    ///     hashAlgorithm    [0] AlgorithmIdentifier DEFAULT sha1,
    ///     maskGenAlgorithm [1] AlgorithmIdentifier DEFAULT mgf1SHA1,
    ///     saltLength [2] INTEGER DEFAULT 20, trailerField [3] INTEGER DEFAULT 1 }
    /// ```
    fn of_pss(mut algorithm: SliceReader<'_>) -> Result<Option<Self>, CertificateError> {
        /// id-mgf1, 1.2.840.113549.1.1.8
        const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 8];

        let mut parameters = inside(&mut algorithm, Tag::Sequence)?;
        let mut next = |number| optional(&mut parameters, context(number, true));
        let hash = match next(0)? {
            Some(mut hash) => Self::named(&mut hash)?,
            None => Some(Self::Sha1),
        };
        let mask = match next(1)? {
            Some(mut mask) => {
                let mut mask = inside(&mut mask, Tag::Sequence)?;
                let function = value(&mut mask, Tag::ObjectIdentifier)?;
                Self::named(&mut mask)?.filter(|_| function == MGF1)
            }
            None => Some(Self::Sha1),
        };
        next(2)?;
        next(3)?;
        parameters.finish().map_err(malformed)?;
        Ok(hash.filter(|_| hash == mask))
    }

    /// Reads the AlgorithmIdentifier of a hash.
    fn named(reader: &mut SliceReader<'_>) -> Result<Option<Self>, CertificateError> {
        let mut algorithm = inside(reader, Tag::Sequence)?;
        Ok(match value(&mut algorithm, Tag::ObjectIdentifier)? {
            // id-sha1, 1.3.14.3.2.26
            [0x2b, 0x0e, 0x03, 0x02, 0x1a] => Some(Self::Sha1),
            // hashAlgs, 2.16.840.1.101.3.4.2
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, number] => match number {
                1 => Some(Self::Sha256),
                2 => Some(Self::Sha384),
                3 => Some(Self::Sha512),
                4 => Some(Self::Sha224),
                _ => None,
            },
            _ => None,
        })
    }

    /// Returns true if signatures with this hash prove nothing any more.
    pub(crate) fn is_broken(self) -> bool {
        matches!(self, Self::Md5 | Self::Sha1)
    }
}

/// Returns the content of the next element if it has this tag.
fn optional<'a>(
    reader: &mut SliceReader<'a>,
    tag: Tag,
) -> Result<Option<SliceReader<'a>>, CertificateError> {
    if reader.is_finished() || Tag::peek(reader).map_err(malformed)? != tag {
        return Ok(None);
    }
    inside(reader, tag).map(Some)
}

/// Returns the channel binding `tls-server-end-point` of a server that shows this certificate (RFC
/// 5929, section 4.1): its hash by the hash function of its signature. It is not defined for
/// signatures with none, or with several.
pub(crate) fn server_end_point(certificate: &[u8]) -> Option<Arc<[u8]>> {
    let signature_algorithm = Certificate::parse(certificate).ok()?.signature_algorithm;
    Some(match SignatureHash::of(signature_algorithm)? {
        SignatureHash::Sha224 => hash::sha224(certificate).as_slice().into(),
        // RFC 5929, 4.1: SHA-256 takes the place of MD5 and SHA-1.
        SignatureHash::Md5 | SignatureHash::Sha1 | SignatureHash::Sha256 => {
            hash::sha256(certificate).as_slice().into()
        }
        SignatureHash::Sha384 => hash::sha384(certificate).as_slice().into(),
        SignatureHash::Sha512 => hash::sha512(certificate).as_slice().into(),
    })
}
