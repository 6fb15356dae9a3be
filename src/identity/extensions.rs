//! The certificate extensions whose content we read ourselves (RFC 5280, 4.2.1).

use der::asn1::{BitStringRef, ObjectIdentifier};
use der::{Decode, Reader, SliceReader, Tag};

use crate::error::CertificateError;
use crate::identity::der::{inside, malformed};

/// RFC 5280, 4.2.1.3:
///
/// ```text
/// KeyUsage ::= BIT STRING { digitalSignature (0), ... keyCertSign (5), cRLSign (6), ... }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyUsage(u16);

/// The number of bits that are defined: up to decipherOnly (8).
const KEY_USAGES: usize = 9;

impl KeyUsage {
    /// Reads the extension's content. Bits that are not defined are ignored.
    pub(crate) fn read(der: &[u8]) -> Result<Self, CertificateError> {
        let bits = BitStringRef::from_der(der).map_err(malformed)?;
        if bits.bit_len() > 16 {
            return Err(CertificateError::Malformed);
        }
        let asserted = (0..KEY_USAGES)
            .zip(bits.bits())
            .filter(|(_, asserted)| *asserted);
        Ok(Self(asserted.fold(0, |all, (bit, _)| all | 1 << bit)))
    }

    pub(crate) fn digital_signature(self) -> bool {
        self.0 & 1 != 0
    }

    pub(crate) fn key_cert_sign(self) -> bool {
        self.0 & 1 << 5 != 0
    }

    pub(crate) fn crl_sign(self) -> bool {
        self.0 & 1 << 6 != 0
    }

    /// Returns true if all bits that `other` asserts are asserted here too.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// RFC 5280, 4.2.1.9:
///
/// ```text
/// BasicConstraints ::= SEQUENCE {
///     cA                      BOOLEAN DEFAULT FALSE,
///     pathLenConstraint       INTEGER (0..MAX) OPTIONAL }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BasicConstraints {
    pub(crate) ca: bool,
    /// At most 255: a longer path is never accepted.
    pub(crate) path_length: Option<u8>,
}

impl BasicConstraints {
    /// Reads the extension's content.
    pub(crate) fn read(der: &[u8]) -> Result<Self, CertificateError> {
        let mut outer = SliceReader::new(der).map_err(malformed)?;
        let mut content = inside(&mut outer, Tag::Sequence)?;
        outer.finish().map_err(malformed)?;
        let ca = Option::<bool>::decode(&mut content).map_err(malformed)?;
        let path_length = Option::<u8>::decode(&mut content).map_err(malformed)?;
        content.finish().map_err(malformed)?;
        Ok(Self {
            ca: ca.unwrap_or_default(),
            path_length,
        })
    }
}

/// RFC 5280, 4.2.1.12:
///
/// ```text
/// ExtKeyUsageSyntax ::= SEQUENCE SIZE (1..MAX) OF KeyPurposeId
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExtendedKeyUsage(Vec<ObjectIdentifier>);

impl ExtendedKeyUsage {
    /// Reads the extension's content.
    pub(crate) fn read(der: &[u8]) -> Result<Self, CertificateError> {
        let mut outer = SliceReader::new(der).map_err(malformed)?;
        let mut content = inside(&mut outer, Tag::Sequence)?;
        outer.finish().map_err(malformed)?;
        let mut purposes = Vec::new();
        while !content.is_finished() {
            purposes.push(ObjectIdentifier::decode(&mut content).map_err(malformed)?);
        }
        Ok(Self(purposes))
    }

    /// Returns true if all purposes in `other` are here too.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        other.0.iter().all(|purpose| self.0.contains(purpose))
    }
}
