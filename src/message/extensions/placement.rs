//! [`belongs`]: the table of RFC 9846, 4.3, which says in which messages an extension may appear.

use crate::code_point::ExtensionType;
use Place::{Certificate, CertificateRequest, ClientHello, EncryptedExtensions, HelloRetryRequest, NewSessionTicket, ServerHello};

/// A message that has extensions; the table's columns, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// CH
    ClientHello,
    /// SH
    ServerHello,
    /// EE
    EncryptedExtensions,
    /// CT
    Certificate,
    /// CR
    CertificateRequest,
    /// NST
    NewSessionTicket,
    /// HRR
    HelloRetryRequest,
}

impl Place {
    /// The message's name.
    pub(crate) fn message(self) -> &'static str {
        match self {
            ClientHello => "ClientHello",
            ServerHello => "ServerHello",
            EncryptedExtensions => "EncryptedExtensions",
            Certificate => "Certificate",
            CertificateRequest => "CertificateRequest",
            NewSessionTicket => "NewSessionTicket",
            HelloRetryRequest => "HelloRetryRequest",
        }
    }
}

/// Whether an extension of this type may stand in this message.
///
/// Those that have no row are not recognized here: they may stand anywhere, and whether one that nobody asked for is ignored or
/// refused is for the handshake to say. The rows of delegated_credential, supported_ekt_ciphers, transparency_info, external_id_hash,
/// external_session_id, quic_transport_parameters and the two of encrypted_client_hello are left out for that reason.
pub(crate) fn belongs(extension_type: ExtensionType, place: Place) -> bool {
    match extension_type {
        ExtensionType::SERVER_NAME => matches!(place, ClientHello | EncryptedExtensions | CertificateRequest),
        ExtensionType::STATUS_REQUEST => matches!(place, ClientHello | CertificateRequest | Certificate),
        ExtensionType::SUPPORTED_GROUPS => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::SIGNATURE_ALGORITHMS => matches!(place, ClientHello | CertificateRequest),
        ExtensionType::USE_SRTP => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::HEARTBEAT => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::ALPN => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::CLIENT_CERTIFICATE_TYPE => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::SERVER_CERTIFICATE_TYPE => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::PADDING => matches!(place, ClientHello),
        ExtensionType::COMPRESS_CERTIFICATE => matches!(place, ClientHello | CertificateRequest),
        ExtensionType::RECORD_SIZE_LIMIT => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::PRE_SHARED_KEY => matches!(place, ClientHello | ServerHello),
        ExtensionType::EARLY_DATA => matches!(place, ClientHello | EncryptedExtensions | NewSessionTicket),
        ExtensionType::SUPPORTED_VERSIONS => matches!(place, ClientHello | ServerHello | HelloRetryRequest),
        ExtensionType::COOKIE => matches!(place, ClientHello | HelloRetryRequest),
        ExtensionType::PSK_KEY_EXCHANGE_MODES => matches!(place, ClientHello),
        ExtensionType::CERTIFICATE_AUTHORITIES => matches!(place, ClientHello | CertificateRequest),
        ExtensionType::OID_FILTERS => matches!(place, CertificateRequest),
        ExtensionType::POST_HANDSHAKE_AUTH => matches!(place, ClientHello),
        ExtensionType::SIGNATURE_ALGORITHMS_CERT => matches!(place, ClientHello | CertificateRequest),
        ExtensionType::KEY_SHARE => matches!(place, ClientHello | ServerHello | HelloRetryRequest),
        ExtensionType::TICKET_REQUEST => matches!(place, ClientHello | EncryptedExtensions),
        _ => true,
    }
}
