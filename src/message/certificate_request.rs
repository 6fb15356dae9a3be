//! CertificateRequest (RFC 9846, 4.4.2): the server asks the client to authenticate.

use crate::code_point::{ExtensionType, HandshakeType, SignatureScheme};
use crate::error::Fault;
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::block::{self, Extension};
use crate::message::extensions::oid_filters::{self, OidFilter};
use crate::message::extensions::placement::Place;
use crate::message::extensions::{certificate_authorities, code_points};

/// The request, and the requirements for its answer.
///
/// ```text
/// struct {
///     opaque certificate_request_context<0..2^8-1>;
///     Extension extensions<0..2^16-1>;
/// } CertificateRequest;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateRequest<'a> {
    /// Repeated in the Certificate. Empty in the main handshake.
    pub(crate) certificate_request_context: &'a [u8],
    pub(crate) extensions: Vec<CertificateRequestExtension<'a>>,
}

/// The extensions of a CertificateRequest, in the order of RFC 9846, 4.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CertificateRequestExtension<'a> {
    /// RFC 9846, 4.3.3: the signatures that the server accepts in CertificateVerify. Required.
    SignatureAlgorithms(Vec<SignatureScheme>),
    /// RFC 9846, 4.3.3: the signatures that the server accepts in certificates.
    SignatureAlgorithmsCert(Vec<SignatureScheme>),
    /// RFC 9846, 4.3.4: the authorities that the server prefers, in DER.
    CertificateAuthorities(Vec<&'a [u8]>),
    /// RFC 9846, 4.3.5: what the client's certificate must contain.
    OidFilters(Vec<OidFilter<'a>>),
    /// Any other, which a client must ignore.
    Unknown {
        extension_type: ExtensionType,
        data: &'a [u8],
    },
}

impl<'a> CertificateRequest<'a> {
    pub(crate) const NAME: &'static str = "CertificateRequest";

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        Ok(Self {
            certificate_request_context: r.vec8("certificate_request_context", ..)?,
            extensions: block::read(r)?,
        })
    }

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::CERTIFICATE_REQUEST, Self::NAME, |w| {
            w.opaque8(self.certificate_request_context);
            block::write(&self.extensions, w);
        })
    }

    pub(crate) fn signature_algorithms(&self) -> Option<&[SignatureScheme]> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                CertificateRequestExtension::SignatureAlgorithms(schemes) => {
                    Some(schemes.as_slice())
                }
                _ => None,
            })
    }

    pub(crate) fn signature_algorithms_cert(&self) -> Option<&[SignatureScheme]> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                CertificateRequestExtension::SignatureAlgorithmsCert(schemes) => {
                    Some(schemes.as_slice())
                }
                _ => None,
            })
    }

    pub(crate) fn certificate_authorities(&self) -> Option<&[&'a [u8]]> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                CertificateRequestExtension::CertificateAuthorities(authorities) => {
                    Some(authorities.as_slice())
                }
                _ => None,
            })
    }

    pub(crate) fn oid_filters(&self) -> Option<&[OidFilter<'a>]> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                CertificateRequestExtension::OidFilters(filters) => Some(filters.as_slice()),
                _ => None,
            })
    }
}

impl<'a> Extension<'a> for CertificateRequestExtension<'a> {
    const PLACE: Place = Place::CertificateRequest;

    fn read(extension_type: ExtensionType, r: &mut Reader<'a>) -> Result<Option<Self>, Fault> {
        Ok(Some(match extension_type {
            ExtensionType::SIGNATURE_ALGORITHMS => {
                Self::SignatureAlgorithms(code_points::read_schemes(
                    r,
                    "signature_algorithms.supported_signature_algorithms",
                )?)
            }
            ExtensionType::SIGNATURE_ALGORITHMS_CERT => {
                Self::SignatureAlgorithmsCert(code_points::read_schemes(
                    r,
                    "signature_algorithms_cert.supported_signature_algorithms",
                )?)
            }
            ExtensionType::CERTIFICATE_AUTHORITIES => {
                Self::CertificateAuthorities(certificate_authorities::read(r)?)
            }
            ExtensionType::OID_FILTERS => Self::OidFilters(oid_filters::read(r)?),
            _ => return Ok(None),
        }))
    }

    fn unknown(extension_type: ExtensionType, data: &'a [u8]) -> Self {
        Self::Unknown {
            extension_type,
            data,
        }
    }

    fn extension_type(&self) -> ExtensionType {
        match self {
            Self::SignatureAlgorithms(_) => ExtensionType::SIGNATURE_ALGORITHMS,
            Self::SignatureAlgorithmsCert(_) => ExtensionType::SIGNATURE_ALGORITHMS_CERT,
            Self::CertificateAuthorities(_) => ExtensionType::CERTIFICATE_AUTHORITIES,
            Self::OidFilters(_) => ExtensionType::OID_FILTERS,
            Self::Unknown { extension_type, .. } => *extension_type,
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::SignatureAlgorithms(schemes) | Self::SignatureAlgorithmsCert(schemes) => {
                code_points::write_schemes(schemes, w)
            }
            Self::CertificateAuthorities(authorities) => {
                certificate_authorities::write(authorities, w)
            }
            Self::OidFilters(filters) => oid_filters::write(filters, w),
            Self::Unknown { data, .. } => w.bytes(data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::message::testing::{bytes, extension, message_with, round_trip, whole_message};

    fn request(message: Message<'static>) -> CertificateRequest<'static> {
        match message {
            Message::CertificateRequest(request) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_whole_one() {
        let bytes = bytes("0d 00000d  02 c0de  0008  000d 0004 0002 0807");
        let request = request(whole_message(bytes, "CertificateRequest", |_| false));
        assert_eq!(
            request,
            CertificateRequest {
                certificate_request_context: &[0xc0, 0xde],
                extensions: vec![CertificateRequestExtension::SignatureAlgorithms(vec![
                    SignatureScheme::ED25519
                ])],
            }
        );
        assert_eq!(
            request.signature_algorithms(),
            Some(&[SignatureScheme::ED25519][..])
        );
        assert_eq!(request.signature_algorithms_cert(), None);
        assert_eq!(request.certificate_authorities(), None);
        assert_eq!(request.oid_filters(), None);
    }

    #[test]
    fn signature_schemes() {
        let asked = request(extension(
            Place::CertificateRequest,
            ExtensionType::SIGNATURE_ALGORITHMS_CERT,
            "0002 0807",
        ));
        assert_eq!(
            asked.signature_algorithms_cert(),
            Some(&[SignatureScheme::ED25519][..])
        );
        assert_eq!(asked.signature_algorithms(), None);
        extension(
            Place::CertificateRequest,
            ExtensionType::SIGNATURE_ALGORITHMS,
            "0004 0807 0403",
        );
    }

    /// Extensions that belong there but that we do not read are kept (RFC 9846, 4.3: server_name,
    /// status_request, compress_certificate).
    #[test]
    fn others_that_belong_there_are_kept() {
        for extension_type in [
            ExtensionType::SERVER_NAME,
            ExtensionType::STATUS_REQUEST,
            ExtensionType::COMPRESS_CERTIFICATE,
        ] {
            let asked = request(round_trip(
                message_with(Place::CertificateRequest, &[(extension_type, &[1])]).leak(),
            ));
            assert_eq!(
                asked.extensions,
                [CertificateRequestExtension::Unknown {
                    extension_type,
                    data: &[1]
                }]
            );
        }
    }
}
