//! ClientHello (RFC 9846, 4.2.2): what the client offers.

mod extension;

pub(crate) use extension::ClientHelloExtension;

use crate::code_point::{
    CertificateType, CipherSuite, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion,
    PskKeyExchangeMode, SignatureScheme,
};
use crate::error::{Fault, Illegal};
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::block::{self, Extension};
use crate::message::extensions::key_share::KeyShareEntry;
use crate::message::extensions::pre_shared_key::OfferedPsks;
use crate::message::extensions::server_name::ServerName;
use crate::message::extensions::tls_flags::TlsFlags;

/// The first message of a connection, and the second one after a HelloRetryRequest.
///
/// ```text
/// uint16 ProtocolVersion;
/// opaque Random[32];
/// uint8 CipherSuite[2];
///
/// struct {
///     ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
///     Random random;
///     opaque legacy_session_id<0..32>;
///     CipherSuite cipher_suites<2..2^16-2>;
///     opaque legacy_compression_methods<1..2^8-1>;
///     Extension extensions<7..2^16-1>;
/// } ClientHello;
/// ```
///
/// A hello that does not offer TLS 1.3 is read too, so that it can be answered with
/// protocol_version: it may lack the extensions, or have fewer than the 7 bytes that
/// supported_versions alone takes. The server checks the values of `legacy_version` and
/// `compression_methods`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello<'a> {
    pub(crate) legacy_version: ProtocolVersion,
    pub(crate) random: [u8; 32],
    #[doc(alias = "legacy_session_id")]
    pub(crate) session_id: &'a [u8],
    pub(crate) cipher_suites: Vec<CipherSuite>,
    #[doc(alias = "legacy_compression_methods")]
    pub(crate) compression_methods: &'a [u8],
    /// `None` if the message ends before them, as only hellos from before TLS 1.2 do.
    pub(crate) extensions: Option<Vec<ClientHelloExtension<'a>>>,
}

impl<'a> ClientHello<'a> {
    pub(crate) const NAME: &'static str = "ClientHello";

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let mut hello = Self {
            legacy_version: ProtocolVersion(r.u16("legacy_version")?),
            random: r.array("random")?,
            session_id: r.vec8("legacy_session_id", 0..=32)?,
            cipher_suites: r
                .list16("cipher_suites", 2..=65534)?
                .code_points("cipher_suites", CipherSuite)?,
            compression_methods: r.vec8("legacy_compression_methods", 1..)?,
            extensions: None,
        };
        // RFC 9846, 4.2.2: there are extensions if there are bytes here.
        if !r.is_empty() {
            let extensions: Vec<ClientHelloExtension<'_>> = block::read(r)?;
            // RFC 9846, 4.3.11: pre_shared_key must be the last extension.
            let psk = extensions
                .iter()
                .position(|extension| matches!(extension, ClientHelloExtension::PreSharedKey(_)));
            if psk.is_some_and(|index| index + 1 != extensions.len()) {
                return Err(Illegal::PskNotLast.into());
            }
            hello.extensions = Some(extensions);
        }
        Ok(hello)
    }

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::CLIENT_HELLO, Self::NAME, |w| {
            w.u16(self.legacy_version.0);
            w.bytes(&self.random);
            w.opaque8(self.session_id);
            w.vec16(|w| self.cipher_suites.iter().for_each(|suite| w.u16(suite.0)));
            w.opaque8(self.compression_methods);
            if let Some(extensions) = &self.extensions {
                block::write(extensions, w);
            }
        })
    }

    /// Returns how many bytes at the end of the encoded message the binders do not cover: all after
    /// PreSharedKeyExtension.identities (RFC 9846, 4.3.11.2). 0 without PSKs.
    pub(crate) fn binders_len(&self) -> usize {
        self.pre_shared_key().map_or(0, OfferedPsks::binders_len)
    }

    pub(crate) fn supported_versions(&self) -> Option<&[ProtocolVersion]> {
        self.find(|extension| match extension {
            ClientHelloExtension::SupportedVersions(versions) => Some(versions.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn cookie(&self) -> Option<&'a [u8]> {
        self.find(|extension| match extension {
            ClientHelloExtension::Cookie(cookie) => Some(*cookie),
            _ => None,
        })
    }

    pub(crate) fn signature_algorithms(&self) -> Option<&[SignatureScheme]> {
        self.find(|extension| match extension {
            ClientHelloExtension::SignatureAlgorithms(schemes) => Some(schemes.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn signature_algorithms_cert(&self) -> Option<&[SignatureScheme]> {
        self.find(|extension| match extension {
            ClientHelloExtension::SignatureAlgorithmsCert(schemes) => Some(schemes.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn certificate_authorities(&self) -> Option<&[&'a [u8]]> {
        self.find(|extension| match extension {
            ClientHelloExtension::CertificateAuthorities(authorities) => {
                Some(authorities.as_slice())
            }
            _ => None,
        })
    }

    pub(crate) fn post_handshake_auth(&self) -> bool {
        self.find(|extension| {
            matches!(extension, ClientHelloExtension::PostHandshakeAuth).then_some(())
        })
        .is_some()
    }

    pub(crate) fn supported_groups(&self) -> Option<&[NamedGroup]> {
        self.find(|extension| match extension {
            ClientHelloExtension::SupportedGroups(groups) => Some(groups.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn key_share(&self) -> Option<&[KeyShareEntry<'a>]> {
        self.find(|extension| match extension {
            ClientHelloExtension::KeyShare(shares) => Some(shares.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn psk_key_exchange_modes(&self) -> Option<&[PskKeyExchangeMode]> {
        self.find(|extension| match extension {
            ClientHelloExtension::PskKeyExchangeModes(modes) => Some(modes.as_slice()),
            _ => None,
        })
    }

    /// Returns true if psk_dhe_ke is among the modes in which the client can use a PSK.
    pub(crate) fn offers_psk_dhe_ke(&self) -> bool {
        let modes = self.psk_key_exchange_modes().unwrap_or_default();
        modes.contains(&PskKeyExchangeMode::PSK_DHE_KE)
    }

    pub(crate) fn early_data(&self) -> bool {
        self.find(|extension| matches!(extension, ClientHelloExtension::EarlyData).then_some(()))
            .is_some()
    }

    pub(crate) fn pre_shared_key(&self) -> Option<&OfferedPsks<'a>> {
        self.find(|extension| match extension {
            ClientHelloExtension::PreSharedKey(psks) => Some(psks),
            _ => None,
        })
    }

    /// Returns the DNS name in server_name, if there is one.
    pub(crate) fn server_name(&self) -> Option<&'a str> {
        self.find(|extension| match extension {
            ClientHelloExtension::ServerName(names) => names.iter().find_map(ServerName::dns_name),
            _ => None,
        })
    }

    pub(crate) fn alpn(&self) -> Option<&[&'a [u8]]> {
        self.find(|extension| match extension {
            ClientHelloExtension::Alpn(protocols) => Some(protocols.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn client_certificate_type(&self) -> Option<&[CertificateType]> {
        self.find(|extension| match extension {
            ClientHelloExtension::ClientCertificateType(types) => Some(types.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn server_certificate_type(&self) -> Option<&[CertificateType]> {
        self.find(|extension| match extension {
            ClientHelloExtension::ServerCertificateType(types) => Some(types.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn record_size_limit(&self) -> Option<u16> {
        self.find(|extension| match extension {
            ClientHelloExtension::RecordSizeLimit(limit) => Some(*limit),
            _ => None,
        })
    }

    /// Returns new_session_count and resumption_count.
    pub(crate) fn ticket_request(&self) -> Option<(u8, u8)> {
        self.find(|extension| match extension {
            ClientHelloExtension::TicketRequest {
                new_session_count,
                resumption_count,
            } => Some((*new_session_count, *resumption_count)),
            _ => None,
        })
    }

    pub(crate) fn tls_flags(&self) -> Option<TlsFlags<'a>> {
        self.find(|extension| match extension {
            ClientHelloExtension::TlsFlags(flags) => Some(*flags),
            _ => None,
        })
    }

    /// Returns true if there is an extension of this type, known or not.
    pub(crate) fn has(&self, extension_type: ExtensionType) -> bool {
        self.find(|extension| (extension.extension_type() == extension_type).then_some(()))
            .is_some()
    }

    fn find<'s, T>(
        &'s self,
        pick: impl FnMut(&'s ClientHelloExtension<'a>) -> Option<T>,
    ) -> Option<T> {
        self.extensions.as_ref()?.iter().find_map(pick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::DecodeProblem;
    use crate::message::Message;
    use crate::message::extensions::placement::Place;
    use crate::message::testing::{
        breach, extension, hex, message, message_with, round_trip, whole_message,
    };

    fn hello(message: Message<'static>) -> ClientHello<'static> {
        match message {
            Message::ClientHello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    /// The fields before the extensions, at their shortest.
    const SHORTEST: &str =
        "0303 c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1 00 0002 1301 01 00";

    #[test]
    fn a_whole_one() {
        let body = "0303 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
            02 5e5f  0004 1303 1301  01 00
            0014  002b 0003 02 0304  ff01 0001 00  002a 0000 1a1a 0000";
        let message = message(1, &hex(body)).leak();
        // The fields before the extensions take 2 + 32 + 3 + 6 + 2 = 45 bytes. A message that ends
        // there is a hello without extensions.
        let hello = hello(whole_message(message, "ClientHello", |cut| cut == 45));
        assert_eq!(
            hello,
            ClientHello {
                legacy_version: ProtocolVersion::TLS1_2,
                random: core::array::from_fn(|index| index as u8),
                session_id: &[0x5e, 0x5f],
                cipher_suites: vec![
                    CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
                    CipherSuite::TLS_AES_128_GCM_SHA256
                ],
                compression_methods: &[0],
                extensions: Some(vec![
                    ClientHelloExtension::SupportedVersions(vec![ProtocolVersion::TLS1_3]),
                    ClientHelloExtension::Unknown {
                        extension_type: ExtensionType(0xff01),
                        data: &[0]
                    },
                    ClientHelloExtension::EarlyData,
                    ClientHelloExtension::Unknown {
                        extension_type: ExtensionType(0x1a1a),
                        data: &[]
                    },
                ]),
            }
        );
        assert!(hello.early_data());
        assert_eq!(hello.binders_len(), 0);
    }

    /// RFC 9846, 4.2.2: "TLS 1.3 servers might receive ClientHello messages without an extensions
    /// field from prior versions of TLS."
    #[test]
    fn a_hello_of_an_older_version_is_read() {
        let older = hello(round_trip(message(1, &hex(SHORTEST)).leak()));
        assert_eq!(older.extensions, None);
        assert_eq!(older.supported_versions(), None);
        // A TLS 1.2 hello may have a block shorter than the 7 bytes that supported_versions takes:
        // extended_master_secret alone.
        let older = hello(round_trip(
            message(1, &hex(&format!("{SHORTEST} 0004 0017 0000"))).leak(),
        ));
        assert_eq!(older.supported_versions(), None);
        assert_eq!(
            hello(round_trip(
                message(1, &hex(&format!("{SHORTEST} 0000"))).leak()
            ))
            .extensions,
            Some(vec![])
        );
        // The server refuses other versions and compression methods, with alerts of their own.
        let body = hex(SHORTEST);
        let older = [&[3, 1], &body[2..body.len() - 2], &[2, 1, 0]].concat();
        let older = hello(round_trip(message(1, &older).leak()));
        assert_eq!(
            (older.legacy_version, older.compression_methods),
            (ProtocolVersion::TLS1_0, &[1, 0][..])
        );
    }

    #[test]
    fn lengths_out_of_range() {
        let random = "c1".repeat(32);
        let refused = |rest: &str| {
            let (_, field, problem) = breach(&message(1, &hex(&format!("0303 {random} {rest}"))));
            (field, problem)
        };
        // legacy_session_id<0..32>
        assert_eq!(
            refused(&format!("21 {} 0002 1301 01 00", "00".repeat(33))),
            ("legacy_session_id", DecodeProblem::Length)
        );
        round_trip(
            message(
                1,
                &hex(&format!(
                    "0303 {random} 20 {} 0002 1301 01 00",
                    "00".repeat(32)
                )),
            )
            .leak(),
        );
        // cipher_suites<2..2^16-2>
        assert_eq!(
            refused("00 0000 01 00"),
            ("cipher_suites", DecodeProblem::Empty)
        );
        assert_eq!(
            refused("00 0001 13 01 00"),
            ("cipher_suites", DecodeProblem::Length)
        );
        assert_eq!(
            refused("00 0003 1301 13 01 00"),
            ("cipher_suites", DecodeProblem::Length)
        );
        assert_eq!(
            refused("00 ffff 1301 01 00"),
            ("cipher_suites", DecodeProblem::Length)
        );
        // legacy_compression_methods<1..2^8-1>
        assert_eq!(
            refused("00 0002 1301 00"),
            ("legacy_compression_methods", DecodeProblem::Empty)
        );
    }

    #[test]
    fn extensions_of_a_number_or_of_nothing() {
        assert_eq!(
            hello(extension(
                Place::ClientHello,
                ExtensionType::COOKIE,
                "0003 c00c1e"
            ))
            .cookie(),
            Some(&[0xc0, 0x0c, 0x1e][..])
        );
        assert!(
            hello(extension(
                Place::ClientHello,
                ExtensionType::POST_HANDSHAKE_AUTH,
                ""
            ))
            .post_handshake_auth()
        );
        assert!(hello(extension(Place::ClientHello, ExtensionType::EARLY_DATA, "")).early_data());
        assert_eq!(
            hello(extension(
                Place::ClientHello,
                ExtensionType::RECORD_SIZE_LIMIT,
                "4001"
            ))
            .record_size_limit(),
            Some(0x4001)
        );
        assert_eq!(
            hello(extension(
                Place::ClientHello,
                ExtensionType::TICKET_REQUEST,
                "02 01"
            ))
            .ticket_request(),
            Some((2, 1))
        );
        // opaque cookie<1..2^16-1>;
        let bytes = message_with(Place::ClientHello, &[(ExtensionType::COOKIE, &[0, 0])]);
        assert_eq!(
            breach(&bytes),
            ("ClientHello", "cookie", DecodeProblem::Empty)
        );
    }

    /// RFC 7685: any number of bytes, including none.
    #[test]
    fn padding() {
        for length in [0, 1, 500] {
            let zeros = vec![0; length];
            let hello = hello(round_trip(
                message_with(Place::ClientHello, &[(ExtensionType::PADDING, &zeros)]).leak(),
            ));
            assert_eq!(
                hello.extensions,
                Some(vec![ClientHelloExtension::Padding(zeros.leak())])
            );
        }
    }

    #[test]
    fn a_hello_without_an_extension_says_none() {
        let hello = hello(round_trip(
            message(1, &hex(&format!("{SHORTEST} 0000"))).leak(),
        ));
        assert_eq!(hello.supported_versions(), None);
        assert_eq!(hello.cookie(), None);
        assert_eq!(hello.signature_algorithms(), None);
        assert_eq!(hello.signature_algorithms_cert(), None);
        assert_eq!(hello.certificate_authorities(), None);
        assert!(!hello.post_handshake_auth());
        assert_eq!(hello.supported_groups(), None);
        assert_eq!(hello.key_share(), None);
        assert_eq!(hello.psk_key_exchange_modes(), None);
        assert!(!hello.early_data());
        assert_eq!(hello.pre_shared_key(), None);
        assert_eq!(hello.server_name(), None);
        assert_eq!(hello.alpn(), None);
        assert_eq!(hello.client_certificate_type(), None);
        assert_eq!(hello.server_certificate_type(), None);
        assert_eq!(hello.record_size_limit(), None);
        assert_eq!(hello.ticket_request(), None);
    }

    /// A cookie that a peer may send (RFC 9846, 4.3.2), but that leaves no room for the other
    /// extensions of the hello that must return it.
    #[test]
    fn a_cookie_that_leaves_no_room_is_an_error() {
        let cookie = vec![7; 65520];
        let mut hello = ClientHello {
            legacy_version: ProtocolVersion::TLS1_2,
            random: [0; 32],
            session_id: &[],
            cipher_suites: vec![CipherSuite::TLS_AES_128_GCM_SHA256],
            compression_methods: &[0],
            extensions: Some(vec![ClientHelloExtension::Cookie(&cookie)]),
        };
        assert!(hello.encode().is_ok());
        hello
            .extensions
            .as_mut()
            .unwrap()
            .push(ClientHelloExtension::Alpn(vec![b"h2", b"http/1.1"]));
        let fault = hello.encode().unwrap_err();
        assert!(
            matches!(
                fault,
                Fault::DoesNotFit {
                    message: "ClientHello"
                }
            ),
            "{fault}"
        );
        assert_eq!(
            fault.alert(),
            crate::code_point::AlertDescription::INTERNAL_ERROR
        );
    }
}
