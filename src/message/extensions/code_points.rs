//! Extensions that are lists of code points, in the order of preference.
//!
//! ```text
//! struct {
//!     select (Handshake.msg_type) {
//!         case client_hello:
//!              ProtocolVersion versions<2..254>;
//!         case server_hello: /* and HelloRetryRequest */
//!              ProtocolVersion selected_version;
//!     };
//! } SupportedVersions;
//!
//! struct {
//!     SignatureScheme supported_signature_algorithms<2..2^16-2>;
//! } SignatureSchemeList;
//!
//! struct {
//!     NamedGroup named_group_list<2..2^16-1>;
//! } NamedGroupList;
//!
//! struct {
//!     PskKeyExchangeMode ke_modes<1..255>;
//! } PskKeyExchangeModes;
//!
//! struct {                                                        /* RFC 7250, section 3 */
//!     select(ClientOrServerExtension) {
//!         case client:
//!           CertificateType client_certificate_types<1..2^8-1>;
//!         case server:
//!           CertificateType client_certificate_type;
//!     }
//! } ClientCertTypeExtension;                    /* ServerCertTypeExtension is the same */
//! ```

use crate::code_point::{
    CertificateType, NamedGroup, ProtocolVersion, PskKeyExchangeMode, SignatureScheme,
};
use crate::error::Fault;
use crate::message::codec::{Reader, Writer};

/// Reads supported_versions in a ClientHello.
pub(crate) fn read_versions(r: &mut Reader<'_>) -> Result<Vec<ProtocolVersion>, Fault> {
    let field = "supported_versions.versions";
    r.list8(field, 2..=254)?.code_points(field, ProtocolVersion)
}

pub(crate) fn write_versions(versions: &[ProtocolVersion], w: &mut Writer) {
    w.vec8(|w| versions.iter().for_each(|version| w.u16(version.0)));
}

/// Reads signature_algorithms or signature_algorithms_cert.
pub(crate) fn read_schemes(
    r: &mut Reader<'_>,
    field: &'static str,
) -> Result<Vec<SignatureScheme>, Fault> {
    r.list16(field, 2..=65534)?
        .code_points(field, SignatureScheme)
}

pub(crate) fn write_schemes(schemes: &[SignatureScheme], w: &mut Writer) {
    w.vec16(|w| schemes.iter().for_each(|scheme| w.u16(scheme.0)));
}

/// Reads supported_groups.
pub(crate) fn read_groups(r: &mut Reader<'_>) -> Result<Vec<NamedGroup>, Fault> {
    let field = "supported_groups.named_group_list";
    r.list16(field, 2..)?.code_points(field, NamedGroup)
}

pub(crate) fn write_groups(groups: &[NamedGroup], w: &mut Writer) {
    w.vec16(|w| groups.iter().for_each(|group| w.u16(group.0)));
}

/// Reads psk_key_exchange_modes.
pub(crate) fn read_modes(r: &mut Reader<'_>) -> Result<Vec<PskKeyExchangeMode>, Fault> {
    Ok(r.vec8("psk_key_exchange_modes.ke_modes", 1..)?
        .iter()
        .copied()
        .map(PskKeyExchangeMode)
        .collect())
}

pub(crate) fn write_modes(modes: &[PskKeyExchangeMode], w: &mut Writer) {
    w.vec8(|w| modes.iter().for_each(|mode| w.u8(mode.0)));
}

/// Reads client_certificate_type or server_certificate_type in a ClientHello.
pub(crate) fn read_certificate_types(
    r: &mut Reader<'_>,
    field: &'static str,
) -> Result<Vec<CertificateType>, Fault> {
    Ok(r.vec8(field, 1..)?
        .iter()
        .copied()
        .map(CertificateType)
        .collect())
}

pub(crate) fn write_certificate_types(types: &[CertificateType], w: &mut Writer) {
    w.vec8(|w| {
        types
            .iter()
            .for_each(|certificate_type| w.u8(certificate_type.0))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::ExtensionType;
    use crate::error::DecodeProblem;
    use crate::message::extensions::placement::Place;
    use crate::message::testing::{breach, extension, hex, message_with, vector};
    use crate::message::{ClientHello, Message};

    fn client_hello(extension_type: ExtensionType, data: &str) -> ClientHello<'static> {
        match extension(Place::ClientHello, extension_type, data) {
            Message::ClientHello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    fn refused(extension_type: ExtensionType, data: &[u8]) -> (&'static str, DecodeProblem) {
        let (_, field, problem) =
            breach(&message_with(Place::ClientHello, &[(extension_type, data)]));
        (field, problem)
    }

    #[test]
    fn versions() {
        let hello = client_hello(ExtensionType::SUPPORTED_VERSIONS, "04 0304 0303");
        assert_eq!(
            hello.supported_versions(),
            Some(&[ProtocolVersion::TLS1_3, ProtocolVersion::TLS1_2][..])
        );
        // versions<2..254>
        let field = "supported_versions.versions";
        assert_eq!(
            refused(ExtensionType::SUPPORTED_VERSIONS, &hex("00")),
            (field, DecodeProblem::Empty)
        );
        assert_eq!(
            refused(ExtensionType::SUPPORTED_VERSIONS, &hex("01 03")),
            (field, DecodeProblem::Length)
        );
        assert_eq!(
            refused(ExtensionType::SUPPORTED_VERSIONS, &hex("03 0304 03")),
            (field, DecodeProblem::Length)
        );
        assert_eq!(
            refused(ExtensionType::SUPPORTED_VERSIONS, &vector(1, &[3; 255])),
            (field, DecodeProblem::Length)
        );
        // RFC 9846, 4.3.1: unknown versions (here one of GREASE) are ignored, so they must be
        // readable.
        assert!(
            client_hello(ExtensionType::SUPPORTED_VERSIONS, "04 7a7a 0304")
                .supported_versions()
                .is_some()
        );
    }

    #[test]
    fn signature_schemes() {
        let hello = client_hello(ExtensionType::SIGNATURE_ALGORITHMS, "0004 0807 0403");
        assert_eq!(
            hello.signature_algorithms(),
            Some(
                &[
                    SignatureScheme::ED25519,
                    SignatureScheme::ECDSA_SECP256R1_SHA256
                ][..]
            )
        );
        assert_eq!(hello.signature_algorithms_cert(), None);
        let hello = client_hello(ExtensionType::SIGNATURE_ALGORITHMS_CERT, "0002 0807");
        assert_eq!(
            hello.signature_algorithms_cert(),
            Some(&[SignatureScheme::ED25519][..])
        );
        assert_eq!(hello.signature_algorithms(), None);
        // supported_signature_algorithms<2..2^16-2>
        let field = "signature_algorithms.supported_signature_algorithms";
        assert_eq!(
            refused(ExtensionType::SIGNATURE_ALGORITHMS, &hex("0000")),
            (field, DecodeProblem::Empty)
        );
        assert_eq!(
            refused(ExtensionType::SIGNATURE_ALGORITHMS, &hex("0003 0807 08")),
            (field, DecodeProblem::Length)
        );
        assert_eq!(
            refused(ExtensionType::SIGNATURE_ALGORITHMS, &hex("ffff")),
            (field, DecodeProblem::Length)
        );
    }

    #[test]
    fn groups() {
        let hello = client_hello(ExtensionType::SUPPORTED_GROUPS, "0006 001d 0017 1a1a");
        assert_eq!(
            hello.supported_groups(),
            Some(
                &[
                    NamedGroup::X25519,
                    NamedGroup::SECP256R1,
                    NamedGroup(0x1a1a)
                ][..]
            )
        );
        // named_group_list<2..2^16-1>
        let field = "supported_groups.named_group_list";
        assert_eq!(
            refused(ExtensionType::SUPPORTED_GROUPS, &hex("0000")),
            (field, DecodeProblem::Empty)
        );
        assert_eq!(
            refused(ExtensionType::SUPPORTED_GROUPS, &hex("0003 001d 00")),
            (field, DecodeProblem::Length)
        );
        let Message::EncryptedExtensions(answer) = extension(
            Place::EncryptedExtensions,
            ExtensionType::SUPPORTED_GROUPS,
            "0002 001d",
        ) else {
            panic!("not EncryptedExtensions")
        };
        assert_eq!(answer.supported_groups(), Some(&[NamedGroup::X25519][..]));
    }

    #[test]
    fn psk_key_exchange_modes() {
        let hello = client_hello(ExtensionType::PSK_KEY_EXCHANGE_MODES, "03 01 00 2b");
        let expected = [
            PskKeyExchangeMode::PSK_DHE_KE,
            PskKeyExchangeMode::PSK_KE,
            PskKeyExchangeMode(0x2b),
        ];
        assert_eq!(hello.psk_key_exchange_modes(), Some(&expected[..]));
        // ke_modes<1..255>
        assert_eq!(
            refused(ExtensionType::PSK_KEY_EXCHANGE_MODES, &hex("00")),
            ("psk_key_exchange_modes.ke_modes", DecodeProblem::Empty)
        );
    }

    #[test]
    fn certificate_types() {
        let hello = client_hello(ExtensionType::CLIENT_CERTIFICATE_TYPE, "02 02 00");
        assert_eq!(
            hello.client_certificate_type(),
            Some(&[CertificateType::RAW_PUBLIC_KEY, CertificateType::X509][..])
        );
        assert_eq!(hello.server_certificate_type(), None);
        let hello = client_hello(ExtensionType::SERVER_CERTIFICATE_TYPE, "01 00");
        assert_eq!(
            hello.server_certificate_type(),
            Some(&[CertificateType::X509][..])
        );
        assert_eq!(
            refused(ExtensionType::SERVER_CERTIFICATE_TYPE, &hex("00")).1,
            DecodeProblem::Empty
        );
    }
}
