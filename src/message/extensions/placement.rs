//! [`belongs`]: the table of RFC 9846, 4.3, of the messages in which an extension may appear.

use crate::code_point::ExtensionType;
use Place::{
    Certificate, CertificateRequest, ClientHello, EncryptedExtensions, HelloRetryRequest,
    NewSessionTicket, ServerHello,
};

/// A message that has extensions. The variants are the columns of the table, in its order.
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
    /// Returns the message's name.
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

/// Returns true if an extension of this type may appear in this message.
///
/// Types without a row are not recognized here and may appear anywhere. The handshake decides
/// whether one that was not requested is ignored or refused. For that reason the rows of
/// delegated_credential, supported_ekt_ciphers, transparency_info, external_id_hash,
/// external_session_id, quic_transport_parameters and the two of encrypted_client_hello are left
/// out.
pub(crate) fn belongs(extension_type: ExtensionType, place: Place) -> bool {
    match extension_type {
        ExtensionType::SERVER_NAME => matches!(
            place,
            ClientHello | EncryptedExtensions | CertificateRequest
        ),
        ExtensionType::STATUS_REQUEST => {
            matches!(place, ClientHello | CertificateRequest | Certificate)
        }
        ExtensionType::SUPPORTED_GROUPS => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::SIGNATURE_ALGORITHMS => matches!(place, ClientHello | CertificateRequest),
        ExtensionType::USE_SRTP => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::HEARTBEAT => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::ALPN => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::CLIENT_CERTIFICATE_TYPE => {
            matches!(place, ClientHello | EncryptedExtensions)
        }
        ExtensionType::SERVER_CERTIFICATE_TYPE => {
            matches!(place, ClientHello | EncryptedExtensions)
        }
        ExtensionType::PADDING => matches!(place, ClientHello),
        ExtensionType::COMPRESS_CERTIFICATE => matches!(place, ClientHello | CertificateRequest),
        ExtensionType::RECORD_SIZE_LIMIT => matches!(place, ClientHello | EncryptedExtensions),
        ExtensionType::PRE_SHARED_KEY => matches!(place, ClientHello | ServerHello),
        ExtensionType::EARLY_DATA => {
            matches!(place, ClientHello | EncryptedExtensions | NewSessionTicket)
        }
        ExtensionType::SUPPORTED_VERSIONS => {
            matches!(place, ClientHello | ServerHello | HelloRetryRequest)
        }
        ExtensionType::COOKIE => matches!(place, ClientHello | HelloRetryRequest),
        ExtensionType::PSK_KEY_EXCHANGE_MODES => matches!(place, ClientHello),
        ExtensionType::CERTIFICATE_AUTHORITIES => matches!(place, ClientHello | CertificateRequest),
        ExtensionType::OID_FILTERS => matches!(place, CertificateRequest),
        ExtensionType::POST_HANDSHAKE_AUTH => matches!(place, ClientHello),
        ExtensionType::SIGNATURE_ALGORITHMS_CERT => {
            matches!(place, ClientHello | CertificateRequest)
        }
        ExtensionType::KEY_SHARE => matches!(place, ClientHello | ServerHello | HelloRetryRequest),
        ExtensionType::TICKET_REQUEST => matches!(place, ClientHello | EncryptedExtensions),
        // It may appear anywhere. Flags that nobody offered are refused by the handshake.
        ExtensionType::TLS_FLAGS => true,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::AlertDescription;
    use crate::error::Fault;
    use crate::message::testing::{fault, message_of_tls13_with};

    /// The table of RFC 9846, 4.3, without the rows whose extensions have no name here, and the row
    /// of draft-ietf-tls-tlsflags.
    const TABLE: [(u16, &str); 24] = [
        (0, "CH, EE, CR"),                    // server_name
        (5, "CH, CR, CT"),                    // status_request
        (10, "CH, EE"),                       // supported_groups
        (13, "CH, CR"),                       // signature_algorithms
        (14, "CH, EE"),                       // use_srtp
        (15, "CH, EE"),                       // heartbeat
        (16, "CH, EE"),                       // application_layer_protocol_negotiation
        (19, "CH, EE"),                       // client_certificate_type
        (20, "CH, EE"),                       // server_certificate_type
        (21, "CH"),                           // padding
        (27, "CH, CR"),                       // compress_certificate
        (28, "CH, EE"),                       // record_size_limit
        (41, "CH, SH"),                       // pre_shared_key
        (42, "CH, EE, NST"),                  // early_data
        (43, "CH, SH, HRR"),                  // supported_versions
        (44, "CH, HRR"),                      // cookie
        (45, "CH"),                           // psk_key_exchange_modes
        (47, "CH, CR"),                       // certificate_authorities
        (48, "CR"),                           // oid_filters
        (49, "CH"),                           // post_handshake_auth
        (50, "CH, CR"),                       // signature_algorithms_cert
        (51, "CH, SH, HRR"),                  // key_share
        (58, "CH, EE"),                       // ticket_request
        (62, "CH, SH, EE, CT, CR, NST, HRR"), // tls_flags
    ];

    const COLUMNS: [(&str, Place); 7] = [
        ("CH", ClientHello),
        ("SH", ServerHello),
        ("EE", EncryptedExtensions),
        ("CT", Certificate),
        ("CR", CertificateRequest),
        ("NST", NewSessionTicket),
        ("HRR", HelloRetryRequest),
    ];

    /// RFC 9846, 4.3: a recognized extension in a message for which it is not specified is an
    /// illegal_parameter.
    #[test]
    fn every_extension_is_refused_in_every_message_where_it_does_not_belong() {
        for (number, places) in TABLE {
            for (column, place) in COLUMNS {
                let extension_type = ExtensionType(number);
                let may = places.split(", ").any(|name| name == column);
                assert_eq!(
                    belongs(extension_type, place),
                    may,
                    "{extension_type} in {column}"
                );
                if !may {
                    let fault = fault(&message_of_tls13_with(place, extension_type, &[]));
                    assert!(
                        matches!(
                            fault,
                            Fault::MisplacedExtension { message, extension }
                                if message == place.message() && extension == extension_type
                        ),
                        "{fault}"
                    );
                    assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
                }
            }
        }
    }

    #[test]
    fn every_extension_with_a_name_has_a_row() {
        for number in 0..=u16::MAX {
            assert_eq!(
                ExtensionType(number).name().is_some(),
                TABLE.iter().any(|row| row.0 == number),
                "{number}"
            );
        }
    }
}
