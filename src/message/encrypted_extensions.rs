//! EncryptedExtensions (RFC 9846, 4.4.1): the server's answers that can be encrypted.

use crate::code_point::{CertificateType, ExtensionType, HandshakeType, NamedGroup};
use crate::error::Fault;
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::block::{self, Extension};
use crate::message::extensions::placement::Place;
use crate::message::extensions::tls_flags::TlsFlags;
use crate::message::extensions::{alpn, code_points};

/// The first protected message of a handshake.
///
/// ```text
/// struct {
///     Extension extensions<0..2^16-1>;
/// } EncryptedExtensions;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EncryptedExtensions<'a> {
    pub(crate) extensions: Vec<EncryptedExtension<'a>>,
}

/// The extensions of EncryptedExtensions, in the order of RFC 9846, 4.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EncryptedExtension<'a> {
    /// RFC 9846, 4.3.7: the groups that the server prefers. They must not be acted on before the
    /// handshake is complete.
    SupportedGroups(Vec<NamedGroup>),
    /// RFC 9846, 4.3.10: `struct {} Empty;` the early data was accepted.
    EarlyData,
    /// RFC 6066, section 3: empty; the server has used the name.
    ServerName,
    /// RFC 7301, 3.1: the protocol that the server chose.
    Alpn(&'a [u8]),
    /// RFC 7250: `CertificateType client_certificate_type;`
    ClientCertificateType(CertificateType),
    /// RFC 7250: `CertificateType server_certificate_type;`
    ServerCertificateType(CertificateType),
    /// RFC 8449: `uint16 RecordSizeLimit;`. The client refuses a value under 64.
    RecordSizeLimit(u16),
    /// RFC 9149: `struct { uint8 expected_count; } ServerTicketRequestHint;`
    TicketRequest { expected_count: u8 },
    /// draft-ietf-tls-tlsflags: the server's answers to the client's flags.
    TlsFlags(TlsFlags<'a>),
    /// Any other, which nobody can have requested.
    Unknown {
        extension_type: ExtensionType,
        data: &'a [u8],
    },
}

impl<'a> EncryptedExtensions<'a> {
    pub(crate) const NAME: &'static str = "EncryptedExtensions";

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        Ok(Self {
            extensions: block::read(r)?,
        })
    }

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::ENCRYPTED_EXTENSIONS, Self::NAME, |w| {
            block::write(&self.extensions, w)
        })
    }

    pub(crate) fn supported_groups(&self) -> Option<&[NamedGroup]> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                EncryptedExtension::SupportedGroups(groups) => Some(groups.as_slice()),
                _ => None,
            })
    }

    pub(crate) fn early_data(&self) -> bool {
        self.extensions
            .iter()
            .any(|extension| matches!(extension, EncryptedExtension::EarlyData))
    }

    /// Returns true if the server says that it has used the name.
    pub(crate) fn server_name(&self) -> bool {
        self.extensions
            .iter()
            .any(|extension| matches!(extension, EncryptedExtension::ServerName))
    }

    pub(crate) fn alpn(&self) -> Option<&'a [u8]> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                EncryptedExtension::Alpn(protocol) => Some(*protocol),
                _ => None,
            })
    }

    pub(crate) fn client_certificate_type(&self) -> Option<CertificateType> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                EncryptedExtension::ClientCertificateType(certificate_type) => {
                    Some(*certificate_type)
                }
                _ => None,
            })
    }

    pub(crate) fn server_certificate_type(&self) -> Option<CertificateType> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                EncryptedExtension::ServerCertificateType(certificate_type) => {
                    Some(*certificate_type)
                }
                _ => None,
            })
    }

    pub(crate) fn record_size_limit(&self) -> Option<u16> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                EncryptedExtension::RecordSizeLimit(limit) => Some(*limit),
                _ => None,
            })
    }

    /// Returns expected_count.
    pub(crate) fn ticket_request(&self) -> Option<u8> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                EncryptedExtension::TicketRequest { expected_count } => Some(*expected_count),
                _ => None,
            })
    }

    pub(crate) fn tls_flags(&self) -> Option<TlsFlags<'a>> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                EncryptedExtension::TlsFlags(flags) => Some(*flags),
                _ => None,
            })
    }

    /// Returns the types of the extensions, to compare with those that were requested.
    pub(crate) fn extension_types(&self) -> impl Iterator<Item = ExtensionType> {
        self.extensions.iter().map(Extension::extension_type)
    }
}

impl<'a> Extension<'a> for EncryptedExtension<'a> {
    const PLACE: Place = Place::EncryptedExtensions;

    fn read(extension_type: ExtensionType, r: &mut Reader<'a>) -> Result<Option<Self>, Fault> {
        Ok(Some(match extension_type {
            ExtensionType::SUPPORTED_GROUPS => Self::SupportedGroups(code_points::read_groups(r)?),
            ExtensionType::EARLY_DATA => Self::EarlyData,
            ExtensionType::SERVER_NAME => Self::ServerName,
            ExtensionType::ALPN => Self::Alpn(alpn::read_answer(r)?),
            ExtensionType::CLIENT_CERTIFICATE_TYPE => {
                Self::ClientCertificateType(CertificateType(r.u8("client_certificate_type")?))
            }
            ExtensionType::SERVER_CERTIFICATE_TYPE => {
                Self::ServerCertificateType(CertificateType(r.u8("server_certificate_type")?))
            }
            ExtensionType::RECORD_SIZE_LIMIT => Self::RecordSizeLimit(r.u16("record_size_limit")?),
            ExtensionType::TICKET_REQUEST => Self::TicketRequest {
                expected_count: r.u8("ticket_request.expected_count")?,
            },
            ExtensionType::TLS_FLAGS => Self::TlsFlags(TlsFlags::read(r)?),
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
            Self::SupportedGroups(_) => ExtensionType::SUPPORTED_GROUPS,
            Self::EarlyData => ExtensionType::EARLY_DATA,
            Self::ServerName => ExtensionType::SERVER_NAME,
            Self::Alpn(_) => ExtensionType::ALPN,
            Self::ClientCertificateType(_) => ExtensionType::CLIENT_CERTIFICATE_TYPE,
            Self::ServerCertificateType(_) => ExtensionType::SERVER_CERTIFICATE_TYPE,
            Self::RecordSizeLimit(_) => ExtensionType::RECORD_SIZE_LIMIT,
            Self::TicketRequest { .. } => ExtensionType::TICKET_REQUEST,
            Self::TlsFlags(_) => ExtensionType::TLS_FLAGS,
            Self::Unknown { extension_type, .. } => *extension_type,
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::SupportedGroups(groups) => code_points::write_groups(groups, w),
            Self::EarlyData | Self::ServerName => {}
            Self::Alpn(protocol) => alpn::write_answer(protocol, w),
            Self::ClientCertificateType(certificate_type)
            | Self::ServerCertificateType(certificate_type) => w.u8(certificate_type.0),
            Self::RecordSizeLimit(limit) => w.u16(*limit),
            Self::TicketRequest { expected_count } => w.u8(*expected_count),
            Self::TlsFlags(flags) => flags.write(w),
            Self::Unknown { data, .. } => w.bytes(data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::message::testing::{bytes, extension, whole_message};

    fn answers(message: Message<'static>) -> EncryptedExtensions<'static> {
        match message {
            Message::EncryptedExtensions(answers) => answers,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_whole_one() {
        let bytes = bytes("08 00000f  000d  0000 0000  0010 0005 0003 02 6832");
        let answers = answers(whole_message(bytes, "EncryptedExtensions", |_| false));
        assert_eq!(
            answers.extensions,
            [
                EncryptedExtension::ServerName,
                EncryptedExtension::Alpn(b"h2")
            ]
        );
        assert!(
            answers
                .extension_types()
                .eq([ExtensionType::SERVER_NAME, ExtensionType::ALPN])
        );
    }

    #[test]
    fn an_empty_one() {
        let answers = answers(whole_message(
            bytes("08 000002 0000"),
            "EncryptedExtensions",
            |_| false,
        ));
        assert_eq!(answers.extensions, []);
        assert!(!answers.server_name() && !answers.early_data());
        assert_eq!(
            (
                answers.alpn(),
                answers.supported_groups(),
                answers.record_size_limit(),
                answers.ticket_request()
            ),
            (None, None, None, None)
        );
        assert_eq!(
            (
                answers.client_certificate_type(),
                answers.server_certificate_type()
            ),
            (None, None)
        );
    }

    #[test]
    fn extensions_of_a_number_or_of_nothing() {
        let answer = |extension_type, data| {
            answers(extension(Place::EncryptedExtensions, extension_type, data))
        };
        assert!(answer(ExtensionType::EARLY_DATA, "").early_data());
        let answered = answer(ExtensionType::CLIENT_CERTIFICATE_TYPE, "02");
        assert_eq!(
            answered.client_certificate_type(),
            Some(CertificateType::RAW_PUBLIC_KEY)
        );
        assert_eq!(answered.server_certificate_type(), None);
        assert_eq!(
            answer(ExtensionType::SERVER_CERTIFICATE_TYPE, "00").server_certificate_type(),
            Some(CertificateType::X509)
        );
        assert_eq!(
            answer(ExtensionType::RECORD_SIZE_LIMIT, "0040").record_size_limit(),
            Some(64)
        );
        assert_eq!(
            answer(ExtensionType::TICKET_REQUEST, "02").ticket_request(),
            Some(2)
        );
    }
}
