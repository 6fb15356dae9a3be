//! Certificate (RFC 9846, 4.5.1): the sender's identity.

use crate::code_point::{ExtensionType, HandshakeType};
use crate::error::Fault;
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::block::{self, Extension};
use crate::message::extensions::placement::Place;

/// A chain of certificates, the sender's own first.
///
/// ```text
/// struct {
///     opaque certificate_request_context<0..2^8-1>;
///     CertificateEntry certificate_list<0..2^24-1>;
/// } Certificate;
/// ```
///
/// The handshake decides whether the list may be empty: a client's may, a server's may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate<'a> {
    /// The context of the CertificateRequest. Empty from a server.
    pub(crate) certificate_request_context: &'a [u8],
    pub(crate) certificate_list: Vec<CertificateEntry<'a>>,
}

/// One certificate.
///
/// ```text
/// enum {
///     X509(0),
///     RawPublicKey(2),
///     (255)
/// } CertificateType;
///
/// struct {
///     select (certificate_type) {
///         case RawPublicKey:
///           /* From RFC 7250 ASN.1_subjectPublicKeyInfo */
///           opaque ASN1_subjectPublicKeyInfo<1..2^24-1>;
///
///         case X509:
///           opaque cert_data<1..2^24-1>;
///     };
///     Extension extensions<0..2^16-1>;
/// } CertificateEntry;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateEntry<'a> {
    /// DER: an X.509 certificate, or the SubjectPublicKeyInfo of a raw public key.
    #[doc(alias = "ASN1_subjectPublicKeyInfo")]
    pub(crate) cert_data: &'a [u8],
    pub(crate) extensions: Vec<CertificateEntryExtension<'a>>,
}

/// An extension of a certificate. We request none of those that exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CertificateEntryExtension<'a> {
    /// RFC 9846, 4.5.1.1: a CertificateStatus of RFC 6066, section 8, kept as bytes.
    StatusRequest(&'a [u8]),
    /// Any other.
    Unknown {
        extension_type: ExtensionType,
        data: &'a [u8],
    },
}

impl<'a> Certificate<'a> {
    pub(crate) const NAME: &'static str = "Certificate";

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        Ok(Self {
            certificate_request_context: r.vec8("certificate_request_context", ..)?,
            certificate_list: r.list24("certificate_list", ..)?.items(|r| {
                Ok(CertificateEntry {
                    cert_data: r.vec24("certificate_list.cert_data", 1..)?,
                    extensions: block::read(r)?,
                })
            })?,
        })
    }

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::CERTIFICATE, Self::NAME, |w| {
            w.opaque8(self.certificate_request_context);
            w.vec24(|w| {
                for entry in &self.certificate_list {
                    w.opaque24(entry.cert_data);
                    block::write(&entry.extensions, w);
                }
            });
        })
    }

    /// Returns the types of the extensions, to compare with those that were requested.
    pub(crate) fn extension_types(&self) -> impl Iterator<Item = ExtensionType> {
        self.certificate_list
            .iter()
            .flat_map(|entry| &entry.extensions)
            .map(Extension::extension_type)
    }
}

impl<'a> CertificateEntry<'a> {
    /// Makes an entry without extensions.
    pub(crate) fn new(cert_data: &'a [u8]) -> Self {
        Self {
            cert_data,
            extensions: Vec::new(),
        }
    }
}

impl<'a> Extension<'a> for CertificateEntryExtension<'a> {
    const PLACE: Place = Place::Certificate;

    fn read(extension_type: ExtensionType, r: &mut Reader<'a>) -> Result<Option<Self>, Fault> {
        Ok(match extension_type {
            ExtensionType::STATUS_REQUEST => Some(Self::StatusRequest(r.remainder())),
            _ => None,
        })
    }

    fn unknown(extension_type: ExtensionType, data: &'a [u8]) -> Self {
        Self::Unknown {
            extension_type,
            data,
        }
    }

    fn extension_type(&self) -> ExtensionType {
        match self {
            Self::StatusRequest(_) => ExtensionType::STATUS_REQUEST,
            Self::Unknown { extension_type, .. } => *extension_type,
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::StatusRequest(data) | Self::Unknown { data, .. } => w.bytes(data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::DecodeProblem;
    use crate::message::Message;
    use crate::message::testing::{
        breach, bytes, hex, message, message_with, round_trip, whole_message,
    };

    fn certificate(message: Message<'static>) -> Certificate<'static> {
        match message {
            Message::Certificate(certificate) => certificate,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_whole_one() {
        let bytes =
            bytes("0b 000017  01 c0  000012  000002 3000 0005 0005 0001 01  000001 31 0000");
        let certificate = certificate(whole_message(bytes, "Certificate", |_| false));
        assert_eq!(
            certificate,
            Certificate {
                certificate_request_context: &[0xc0],
                certificate_list: vec![
                    CertificateEntry {
                        cert_data: &[0x30, 0x00],
                        extensions: vec![CertificateEntryExtension::StatusRequest(&[1])]
                    },
                    CertificateEntry::new(&[0x31]),
                ],
            }
        );
        assert!(
            certificate
                .extension_types()
                .eq([ExtensionType::STATUS_REQUEST])
        );
    }

    /// RFC 9846, 4.5.1: a client's list may be empty. The handshake refuses an empty list from a
    /// server.
    #[test]
    fn an_empty_one() {
        let certificate = certificate(whole_message(
            bytes("0b 000004  00  000000"),
            "Certificate",
            |_| false,
        ));
        assert_eq!(certificate.certificate_list, []);
    }

    #[test]
    fn lengths_out_of_range() {
        // cert_data<1..2^24-1>
        let bytes = message(11, &hex("00  000005  000000 0000"));
        assert_eq!(
            breach(&bytes),
            (
                "Certificate",
                "certificate_list.cert_data",
                DecodeProblem::Empty
            )
        );
        // The list ends inside an entry's extensions.
        let bytes = message(11, &hex("00  000005  000001 30 00"));
        assert_eq!(
            breach(&bytes),
            ("Certificate", "extensions", DecodeProblem::Truncated)
        );
    }

    #[test]
    fn an_extension_nobody_knows_is_kept() {
        let extension_type = ExtensionType(18); // signed_certificate_timestamp
        let certificate = certificate(round_trip(
            message_with(Place::Certificate, &[(extension_type, &[9])]).leak(),
        ));
        let entry = &certificate.certificate_list[0];
        assert_eq!(
            entry.extensions,
            [CertificateEntryExtension::Unknown {
                extension_type,
                data: &[9]
            }]
        );
    }
}
