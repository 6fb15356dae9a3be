//! Messages as a whole: their header, the traces of RFC 8448, and arbitrary messages and bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::testing::{breach, fault, message, round_trip};
use super::*;
use crate::code_point::{
    AlertDescription, CertificateType, CipherSuite, ExtensionType, NamedGroup, ProtocolVersion,
    PskKeyExchangeMode, SignatureScheme,
};
use crate::error::DecodeProblem;
use crate::testing::rfc8448::{Trace, trace};

/// Returns every message with one of these names in the traces of RFC 8448. A message whose name
/// begins with `record_` is taken out of its record.
fn traced(names: &[&str]) -> Vec<&'static [u8]> {
    let traces = [
        "simple_1rtt",
        "resumed_0rtt",
        "hello_retry_request",
        "client_authentication",
        "middlebox_compatibility",
    ]
    .map(trace);
    let message = |name: &&str, trace: &Trace| -> Option<&'static [u8]> {
        let found = trace.find(name)?;
        Some(
            if name.starts_with("record_") {
                trace.message(name)
            } else {
                found
            }
            .to_vec()
            .leak(),
        )
    };
    traces
        .iter()
        .flat_map(|trace| {
            names
                .iter()
                .filter_map(|name| message(name, trace))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_messages_of_rfc_8448_are_read_and_made_again() {
    for (names, message_name, number) in [
        (
            &["record_client_hello_1", "record_client_hello_2"][..],
            "ClientHello",
            6,
        ),
        (&["record_hello_retry_request"], "HelloRetryRequest", 1),
        (&["record_server_hello"], "ServerHello", 5),
        (&["server_encrypted_extensions"], "EncryptedExtensions", 5),
        (&["server_certificate_request"], "CertificateRequest", 1),
        (
            &["server_certificate", "client_certificate"],
            "Certificate",
            5,
        ),
        (
            &["server_certificate_verify", "client_certificate_verify"],
            "CertificateVerify",
            5,
        ),
        (&["server_finished", "client_finished"], "Finished", 10),
        (&["new_session_ticket"], "NewSessionTicket", 1),
    ] {
        let messages = traced(names);
        assert_eq!(messages.len(), number, "{message_name}");
        for bytes in messages {
            assert_eq!(round_trip(bytes).name(), message_name);
        }
    }
}

/// RFC 8448, section 3, as its text explains it.
#[test]
fn the_first_client_hello_of_rfc_8448_says_what_it_says() {
    let Message::ClientHello(hello) = round_trip(traced(&["record_client_hello_1"])[0]) else {
        panic!("not a ClientHello")
    };
    assert_eq!(hello.server_name(), Some("server"));
    assert_eq!(
        hello.supported_versions(),
        Some(&[ProtocolVersion::TLS1_3][..])
    );
    assert_eq!(
        hello.cipher_suites,
        [
            CipherSuite(0x1301),
            CipherSuite(0x1303),
            CipherSuite(0x1302)
        ]
    );
    assert_eq!(
        hello.supported_groups().unwrap().first(),
        Some(&NamedGroup::X25519)
    );
    assert_eq!(hello.key_share().unwrap().len(), 1);
    assert_eq!(hello.key_share().unwrap()[0].key_exchange.len(), 32);
    assert_eq!(
        hello.psk_key_exchange_modes(),
        Some(&[PskKeyExchangeMode::PSK_DHE_KE][..])
    );
    assert_eq!(hello.record_size_limit(), Some(0x4001));
}

/// RFC 8448, section 4: the ClientHello prefix that its binder covers is 477 bytes long.
#[test]
fn the_binder_of_rfc_8448_covers_the_hello_up_to_its_list() {
    let bytes = traced(&["record_client_hello_1"])[1];
    let Message::ClientHello(hello) = round_trip(bytes) else {
        panic!("not a ClientHello")
    };
    assert_eq!(hello.pre_shared_key().unwrap().binders, traced(&["binder"]));
    assert!(hello.early_data());
    assert_eq!(bytes.len() - hello.binders_len(), 477);
}

/// RFC 8448, section 5: the cookie of the HelloRetryRequest comes back, with one share of the group
/// that it names.
#[test]
fn the_retry_of_rfc_8448_is_answered() {
    let Message::HelloRetryRequest(retry) = round_trip(traced(&["record_hello_retry_request"])[0])
    else {
        panic!("not a retry")
    };
    let Message::ClientHello(hello) = round_trip(traced(&["record_client_hello_2"])[0]) else {
        panic!("not a ClientHello")
    };
    assert_eq!(retry.key_share(), Some(NamedGroup::SECP256R1));
    assert!(retry.cookie().is_some());
    assert_eq!(retry.cookie(), hello.cookie());
    assert_eq!(hello.key_share().unwrap().len(), 1);
    assert_eq!(hello.key_share().unwrap()[0].group, NamedGroup::SECP256R1);
}

#[test]
fn the_header_tells_the_length() {
    assert_eq!(
        breach(&[]),
        ("Handshake", "msg_type", DecodeProblem::Truncated)
    );
    assert_eq!(
        breach(&[20, 0, 0]),
        ("Handshake", "length", DecodeProblem::Truncated)
    );
    assert_eq!(
        breach(&[20, 0, 0, 2, 7]),
        ("Handshake", "length", DecodeProblem::Truncated)
    );
    assert_eq!(
        breach(&[20, 0, 0, 1, 7, 7]),
        ("Handshake", "length", DecodeProblem::TrailingBytes)
    );
}

/// RFC 9846, section 4 and B.3: every other type belongs to an older version or is unknown.
/// message_hash is never sent.
#[test]
fn messages_that_tls_1_3_does_not_have_are_unexpected() {
    for msg_type in 0..=255 {
        let empty = message(msg_type, &[]);
        match msg_type {
            // EndOfEarlyData is empty. The syntax allows an empty Finished too.
            5 | 20 => assert!(Message::decode(&empty).is_ok()),
            // 240 is an ExtendedKeyUpdate: a connection refuses it as unknown, if it was not agreed
            // on.
            1 | 2 | 4 | 8 | 11 | 13 | 15 | 24 | 240 => assert_eq!(
                fault(&empty).alert(),
                AlertDescription::DECODE_ERROR,
                "{msg_type}"
            ),
            _ => assert_eq!(
                fault(&empty).alert(),
                AlertDescription::UNEXPECTED_MESSAGE,
                "{msg_type}"
            ),
        }
    }
    let hello_request = fault(&message(0, &[]));
    assert!(
        hello_request.to_string().contains("HelloRequest"),
        "{hello_request}"
    );
}

/// RFC 9846, 4.1: "message_hash || 00 00 Hash.length || Hash(ClientHello1)".
#[test]
fn the_synthetic_message_of_a_retry() {
    assert_eq!(
        message_hash(&[0xab; 32]).unwrap(),
        [&[254, 0, 0, 32][..], &[0xab; 32]].concat()
    );
    assert_eq!(
        message_hash(&[0xab; 48]).unwrap(),
        [&[254, 0, 0, 48][..], &[0xab; 48]].concat()
    );
}

#[test]
fn opaque_bytes_are_borrowed() {
    let bytes = traced(&["server_certificate"])[0];
    let Message::Certificate(certificate) = round_trip(bytes) else {
        panic!("not a Certificate")
    };
    let inside = bytes.as_ptr_range();
    assert!(inside.contains(&certificate.certificate_list[0].cert_data.as_ptr()));
}

fn opaque(
    length: impl Into<proptest::collection::SizeRange>,
) -> impl Strategy<Value = &'static [u8]> {
    vec(any::<u8>(), length).prop_map(|bytes| &*bytes.leak())
}

fn random() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>()
}

fn list<T: core::fmt::Debug + 'static>(value: fn(u16) -> T) -> impl Strategy<Value = Vec<T>> {
    vec(any::<u16>().prop_map(value), 1..8)
}

/// Makes an extension of a type that has no meaning here.
fn unknown() -> impl Strategy<Value = (ExtensionType, &'static [u8])> {
    (1000..u16::MAX, opaque(0..20)).prop_map(|(number, data)| (ExtensionType(number), data))
}

fn key_share() -> impl Strategy<Value = KeyShareEntry<'static>> {
    (any::<u16>(), opaque(1..70)).prop_map(|(group, key_exchange)| KeyShareEntry {
        group: NamedGroup(group),
        key_exchange,
    })
}

fn offered_psks() -> impl Strategy<Value = OfferedPsks<'static>> {
    vec((opaque(1..40), any::<u32>(), opaque(32..=255)), 1..4).prop_map(|psks| OfferedPsks {
        identities: psks
            .iter()
            .map(|psk| PskIdentity {
                identity: psk.0,
                obfuscated_ticket_age: psk.1,
            })
            .collect(),
        binders: psks.iter().map(|psk| psk.2).collect(),
    })
}

fn server_names() -> impl Strategy<Value = Vec<ServerName<'static>>> {
    (
        "[a-z]{1,20}(\\.[a-z]{2,5})?",
        proptest::option::of((1..=255_u8, opaque(0..9))),
    )
        .prop_map(|(host, other)| {
            let mut names = vec![ServerName::HostName(host.leak())];
            names.extend(other.map(|(name_type, name)| ServerName::Other { name_type, name }));
            names
        })
}

/// Makes several extensions of different types, in any order.
fn several<T: Clone + core::fmt::Debug + 'static>(
    all: Vec<BoxedStrategy<T>>,
) -> impl Strategy<Value = Vec<T>> {
    (0..=all.len())
        .prop_flat_map(move |number| {
            proptest::sample::subsequence(all.clone(), number).prop_shuffle()
        })
        .prop_flat_map(|some| some)
}

fn client_hello() -> impl Strategy<Value = Message<'static>> {
    use ClientHelloExtension as E;
    let certificate_types = || vec(any::<u8>().prop_map(CertificateType), 1..4);
    let extensions = several(vec![
        list(ProtocolVersion).prop_map(E::SupportedVersions).boxed(),
        opaque(1..99).prop_map(E::Cookie).boxed(),
        list(SignatureScheme)
            .prop_map(E::SignatureAlgorithms)
            .boxed(),
        list(SignatureScheme)
            .prop_map(E::SignatureAlgorithmsCert)
            .boxed(),
        vec(opaque(1..9), 1..4)
            .prop_map(E::CertificateAuthorities)
            .boxed(),
        Just(E::PostHandshakeAuth).boxed(),
        list(NamedGroup).prop_map(E::SupportedGroups).boxed(),
        vec(key_share(), 0..4).prop_map(E::KeyShare).boxed(),
        vec(any::<u8>().prop_map(PskKeyExchangeMode), 1..4)
            .prop_map(E::PskKeyExchangeModes)
            .boxed(),
        Just(E::EarlyData).boxed(),
        server_names().prop_map(E::ServerName).boxed(),
        vec(opaque(1..9), 1..4).prop_map(E::Alpn).boxed(),
        certificate_types()
            .prop_map(E::ClientCertificateType)
            .boxed(),
        certificate_types()
            .prop_map(E::ServerCertificateType)
            .boxed(),
        opaque(0..99).prop_map(E::Padding).boxed(),
        any::<u16>().prop_map(E::RecordSizeLimit).boxed(),
        any::<[u8; 2]>()
            .prop_map(|[new_session_count, resumption_count]| E::TicketRequest {
                new_session_count,
                resumption_count,
            })
            .boxed(),
        unknown()
            .prop_map(|(extension_type, data)| E::Unknown {
                extension_type,
                data,
            })
            .boxed(),
    ]);
    let extensions = (
        extensions,
        proptest::option::of(offered_psks().prop_map(E::PreSharedKey)),
    )
        .prop_map(|(mut extensions, psks)| {
            extensions.extend(psks);
            extensions
        });
    (
        any::<u16>(),
        random(),
        opaque(0..=32),
        list(CipherSuite),
        opaque(1..4),
        proptest::option::of(extensions),
    )
        .prop_map(
            |(version, random, session_id, cipher_suites, compression_methods, extensions)| {
                let legacy_version = ProtocolVersion(version);
                Message::ClientHello(ClientHello {
                    legacy_version,
                    random,
                    session_id,
                    cipher_suites,
                    compression_methods,
                    extensions,
                })
            },
        )
}

fn server_hello() -> impl Strategy<Value = Message<'static>> {
    use ServerHelloExtension as E;
    let extensions = several(vec![
        key_share().prop_map(E::KeyShare).boxed(),
        any::<u16>().prop_map(E::PreSharedKey).boxed(),
        unknown()
            .prop_map(|(extension_type, data)| E::Unknown {
                extension_type,
                data,
            })
            .boxed(),
    ]);
    (
        any::<[u16; 3]>(),
        random(),
        opaque(0..=32),
        any::<u8>(),
        proptest::option::of(extensions),
    )
        .prop_map(
            |(
                [version, suite, selected],
                random,
                session_id_echo,
                compression_method,
                mut extensions,
            )| {
                // Without supported_versions this would be a hello of an older version, whose
                // extensions are all unknown.
                if let Some(extensions) = &mut extensions {
                    extensions.push(E::SupportedVersions(ProtocolVersion(selected)));
                }
                let (legacy_version, cipher_suite) = (ProtocolVersion(version), CipherSuite(suite));
                Message::ServerHello(ServerHello {
                    legacy_version,
                    random,
                    session_id_echo,
                    cipher_suite,
                    compression_method,
                    extensions,
                })
            },
        )
}

fn hello_retry_request() -> impl Strategy<Value = Message<'static>> {
    use RetryExtension as E;
    let extensions = several(vec![
        opaque(1..99).prop_map(E::Cookie).boxed(),
        any::<u16>()
            .prop_map(|group| E::KeyShare(NamedGroup(group)))
            .boxed(),
        unknown()
            .prop_map(|(extension_type, data)| E::Unknown {
                extension_type,
                data,
            })
            .boxed(),
    ]);
    (any::<[u16; 3]>(), opaque(0..=32), any::<u8>(), extensions).prop_map(
        |([version, suite, selected], session_id_echo, compression_method, mut extensions)| {
            extensions.push(E::SupportedVersions(ProtocolVersion(selected)));
            let (legacy_version, cipher_suite) = (ProtocolVersion(version), CipherSuite(suite));
            Message::HelloRetryRequest(HelloRetryRequest {
                legacy_version,
                session_id_echo,
                cipher_suite,
                compression_method,
                extensions,
            })
        },
    )
}

fn encrypted_extensions() -> impl Strategy<Value = Message<'static>> {
    use EncryptedExtension as E;
    several(vec![
        list(NamedGroup).prop_map(E::SupportedGroups).boxed(),
        Just(E::EarlyData).boxed(),
        Just(E::ServerName).boxed(),
        opaque(1..9).prop_map(E::Alpn).boxed(),
        any::<u8>()
            .prop_map(|value| E::ClientCertificateType(CertificateType(value)))
            .boxed(),
        any::<u8>()
            .prop_map(|value| E::ServerCertificateType(CertificateType(value)))
            .boxed(),
        any::<u16>().prop_map(E::RecordSizeLimit).boxed(),
        any::<u8>()
            .prop_map(|expected_count| E::TicketRequest { expected_count })
            .boxed(),
        unknown()
            .prop_map(|(extension_type, data)| E::Unknown {
                extension_type,
                data,
            })
            .boxed(),
    ])
    .prop_map(|extensions| Message::EncryptedExtensions(EncryptedExtensions { extensions }))
}

fn certificate_request() -> impl Strategy<Value = Message<'static>> {
    use CertificateRequestExtension as E;
    let filters =
        proptest::collection::hash_map(opaque(1..9), opaque(0..9), 0..4).prop_map(|filters| {
            let filter = |(certificate_extension_oid, certificate_extension_values)| OidFilter {
                certificate_extension_oid,
                certificate_extension_values,
            };
            filters.into_iter().map(filter).collect()
        });
    let extensions = several(vec![
        list(SignatureScheme)
            .prop_map(E::SignatureAlgorithms)
            .boxed(),
        list(SignatureScheme)
            .prop_map(E::SignatureAlgorithmsCert)
            .boxed(),
        vec(opaque(1..9), 1..4)
            .prop_map(E::CertificateAuthorities)
            .boxed(),
        filters.prop_map(E::OidFilters).boxed(),
        unknown()
            .prop_map(|(extension_type, data)| E::Unknown {
                extension_type,
                data,
            })
            .boxed(),
    ]);
    (opaque(0..=255), extensions).prop_map(|(certificate_request_context, extensions)| {
        Message::CertificateRequest(CertificateRequest {
            certificate_request_context,
            extensions,
        })
    })
}

fn certificate() -> impl Strategy<Value = Message<'static>> {
    use CertificateEntryExtension as E;
    let extensions = several(vec![
        opaque(0..20).prop_map(E::StatusRequest).boxed(),
        unknown()
            .prop_map(|(extension_type, data)| E::Unknown {
                extension_type,
                data,
            })
            .boxed(),
    ]);
    let entry = (opaque(1..300), extensions).prop_map(|(cert_data, extensions)| CertificateEntry {
        cert_data,
        extensions,
    });
    (opaque(0..=255), vec(entry, 0..4)).prop_map(
        |(certificate_request_context, certificate_list)| {
            Message::Certificate(Certificate {
                certificate_request_context,
                certificate_list,
            })
        },
    )
}

fn new_session_ticket() -> impl Strategy<Value = Message<'static>> {
    use TicketExtension as E;
    let extensions = several(vec![
        any::<u32>()
            .prop_map(|max_early_data_size| E::EarlyData {
                max_early_data_size,
            })
            .boxed(),
        unknown()
            .prop_map(|(extension_type, data)| E::Unknown {
                extension_type,
                data,
            })
            .boxed(),
    ]);
    (
        any::<[u32; 2]>(),
        opaque(0..=255),
        opaque(1..300),
        extensions,
    )
        .prop_map(
            |([ticket_lifetime, ticket_age_add], ticket_nonce, ticket, extensions)| {
                Message::NewSessionTicket(NewSessionTicket {
                    ticket_lifetime,
                    ticket_age_add,
                    ticket_nonce,
                    ticket,
                    extensions,
                })
            },
        )
}

/// Makes a message of any kind.
fn any_message() -> impl Strategy<Value = Message<'static>> {
    prop_oneof![
        4 => client_hello(),
        2 => server_hello(),
        1 => hello_retry_request(),
        2 => encrypted_extensions(),
        1 => certificate_request(),
        1 => certificate(),
        1 => (any::<u16>(), opaque(0..300)).prop_map(|(algorithm, signature)| {
            Message::CertificateVerify(
                CertificateVerify { algorithm: SignatureScheme(algorithm), signature }
            )
        }),
        1 => opaque(0..64).prop_map(|verify_data| Message::Finished(Finished { verify_data })),
        1 => Just(Message::EndOfEarlyData(EndOfEarlyData)),
        1 => new_session_ticket(),
        1 => any::<bool>().prop_map(|requested| {
            let request_update =
                if requested { KeyUpdateRequest::Requested } else {
                    KeyUpdateRequest::NotRequested
                };
            Message::KeyUpdate(KeyUpdate { request_update })
        }),
    ]
}

/// Checks that `bytes` are decoded and encode to the same bytes, or are refused with a fault of
/// this module.
fn is_read_whole_or_refused(bytes: &[u8]) {
    match Message::decode(bytes) {
        Ok(message) => assert_eq!(message.encode().unwrap(), bytes),
        Err(fault) => assert!(
            matches!(
                fault,
                Fault::Decode { .. }
                    | Fault::Unexpected { .. }
                    | Fault::DuplicateExtension { .. }
                    | Fault::MisplacedExtension { .. }
                    | Fault::Illegal(_)
            ),
            "{fault}"
        ),
    }
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(message in any_message()) {
        let bytes = message.encode().unwrap().leak();
        prop_assert_eq!(&Message::decode(bytes).unwrap(), &message);
        prop_assert_eq!(Message::decode(bytes).unwrap().encode().unwrap(), &*bytes);
    }

    #[test]
    fn what_was_encoded_is_refused_when_cut(
        message in any_message(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = message.encode().unwrap();
        prop_assert_eq!(breach(&bytes[..cut.index(bytes.len())]).0, "Handshake");
    }

    #[test]
    fn bytes_changed_at_random_are_read_whole_or_refused(
        message in any_message(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 1..4),
    ) {
        let mut body = message.encode().unwrap();
        let msg_type = body[0];
        body.drain(..4);
        for (at, byte, how) in changes {
            if body.is_empty() {
                break;
            }
            let at = at.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => drop(body.remove(at)),
            }
        }
        is_read_whole_or_refused(&self::message(msg_type, &body));
    }

    #[test]
    fn bytes_at_random_are_read_whole_or_refused(
        msg_type in any::<u8>(),
        body in vec(any::<u8>(), 0..400),
    ) {
        is_read_whole_or_refused(&message(msg_type, &body));
        is_read_whole_or_refused(&body);
    }
}
