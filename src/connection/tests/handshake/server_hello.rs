//! What our client refuses in a ServerHello (RFC 9846, 4.2.3, 4.3.1 and 4.3.8), and what it
//! accepts.

use crate::client::Client;
use crate::code_point::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion};
use crate::connection::tests::puppet::{
    Puppet, Side, WORLD, client, message, now, plain, refused, vector,
};
use crate::crypto::random::SystemRandom;
use crate::error::{DecodeProblem, Fault, Illegal};
use crate::message::{KeyShareEntry, ServerHello, ServerHelloExtension};

/// Asserts that a ServerHello with one change is refused in WAIT_SH. The alert is in the clear, as
/// there are no keys yet.
macro_rules! refused_hello {
    ($edit:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {{
        let mut puppet = Puppet::serving(&client());
        let hello = puppet.server_hello($edit);
        refused!(puppet, plain(22, &hello), "WAIT_SH", $alert, $fault $(if $guard)?);
    }};
}

fn extensions<'a, 'b>(hello: &'b mut ServerHello<'a>) -> &'b mut Vec<ServerHelloExtension<'a>> {
    hello.extensions.as_mut().unwrap()
}

fn without(hello: &mut ServerHello<'_>, index: usize) {
    extensions(hello).remove(index);
}

fn unknown(extension_type: u16, data: &'static [u8]) -> ServerHelloExtension<'static> {
    ServerHelloExtension::Unknown {
        extension_type: ExtensionType(extension_type),
        data,
    }
}

fn share(group: u16, key_exchange: &'static [u8]) -> ServerHelloExtension<'static> {
    ServerHelloExtension::KeyShare(KeyShareEntry {
        group: NamedGroup(group),
        key_exchange,
    })
}

/// 4.2.3: "A client which receives a legacy_session_id_echo field that does not match what it sent
/// ... illegal_parameter".
#[test]
fn session_id_echo() {
    refused_hello!(
        |hello| hello.session_id_echo = &[],
        47,
        Fault::Illegal(Illegal::SessionIdEcho)
    );
    refused_hello!(
        |hello| hello.session_id_echo = &[7; 32],
        47,
        Fault::Illegal(Illegal::SessionIdEcho)
    );
    refused_hello!(
        |hello| hello.session_id_echo = &hello.session_id_echo[..31],
        47,
        Fault::Illegal(Illegal::SessionIdEcho)
    );
    // `opaque legacy_session_id_echo<0..32>`.
    let too_long = Fault::Decode {
        message: "ServerHello",
        field: "legacy_session_id_echo",
        problem: DecodeProblem::Length,
    };
    refused_hello!(
        |hello| hello.session_id_echo = &[7; 33],
        50,
        fault if fault.to_string() == too_long.to_string()
    );

    // Without compatibility mode no session id was sent, so none may be returned.
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .compatibility_mode(false)
        .build()
        .unwrap();
    let mut puppet = Puppet::serving(&client);
    assert!(puppet.session_id.is_empty());
    let hello = puppet.server_hello(|hello| hello.session_id_echo = &[7; 32]);
    refused!(
        puppet,
        plain(22, &hello),
        "WAIT_SH",
        47,
        Fault::Illegal(Illegal::SessionIdEcho)
    );
}

/// 4.2.3: "A client which receives a cipher suite that was not offered MUST abort the handshake
/// with an "illegal_parameter" alert."
#[test]
fn cipher_suite() {
    for suite in [0x0000, 0x00ff, 0x0a0a, 0x1304, 0x1305, 0xc02b] {
        refused_hello!(
            |hello| hello.cipher_suite = CipherSuite(suite),
            47,
            Fault::Illegal(Illegal::SuiteNotOffered(got)) if got.0 == suite
        );
    }
    // This suite is implemented, but was not offered.
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .cipher_suites([CipherSuite(0x1301)])
        .build()
        .unwrap();
    let mut puppet = Puppet::serving(&client);
    let hello = puppet.server_hello(|hello| hello.cipher_suite = CipherSuite(0x1303));
    refused!(
        puppet,
        plain(22, &hello),
        "WAIT_SH",
        47,
        Fault::Illegal(Illegal::SuiteNotOffered(CipherSuite(0x1303)))
    );
}

/// 4.2.3: "If a TLS 1.3 ServerHello is received with any other value in this field, ...
/// illegal_parameter".
#[test]
fn compression_method() {
    for method in [1, 64, 255] {
        refused_hello!(
            |hello| hello.compression_method = method,
            47,
            Fault::Illegal(Illegal::Compression)
        );
    }
}

/// 4.3.1: "a version not offered by the client or ... prior to TLS 1.3": illegal_parameter.
#[test]
fn selected_version() {
    for version in [0x0300, 0x0303, 0x0305, 0x7f1c, 0x0a0a] {
        refused_hello!(
            |hello| extensions(hello)[0] = ServerHelloExtension::SupportedVersions(
                ProtocolVersion(version)
            ),
            47,
            Fault::Illegal(Illegal::VersionNotOffered(got)) if got.0 == version
        );
    }
}

/// E.1: "If the version chosen by the server is not supported by the client ... protocol_version".
#[test]
fn older_version() {
    refused_hello!(
        |hello| without(hello, 0),
        70,
        Fault::Version { got } if got == [ProtocolVersion(0x0303)]
    );
    // These have no extensions, which TLS 1.0 allows, or those of TLS 1.2 (renegotiation_info,
    // ec_point_formats).
    for version in [0x0300, 0x0301, 0x0302, 0x0303] {
        refused_hello!(
            |hello| {
                hello.legacy_version = ProtocolVersion(version);
                hello.extensions = None;
            },
            70,
            Fault::Version { got } if got == [ProtocolVersion(version)]
        );
    }
    refused_hello!(
        |hello| hello.extensions = Some(vec![unknown(0xff01, &[0]), unknown(11, &[1, 0])]),
        70,
        Fault::Version { got } if got == [ProtocolVersion(0x0303)]
    );
}

/// 4.2.3: "A client which receives a TLS 1.3 Server Hello with a legacy_version value not equal to
/// 0x0303 ... protocol_version".
#[test]
fn legacy_version() {
    for version in [0x0300, 0x0302, 0x0304, 0xffff] {
        refused_hello!(
            |hello| hello.legacy_version = ProtocolVersion(version),
            70,
            Fault::LegacyVersion(got) if got.0 == version
        );
    }
}

/// What is wrong is the field, and not the version of the peer; 0x0304 there without
/// supported_versions too.
#[test]
fn a_wrong_legacy_version_is_called_that() {
    for (version, name) in [(0x0304, "TLS 1.3"), (0x0302, "TLS 1.1")] {
        let mut puppet = Puppet::serving(&client());
        let hello = puppet.server_hello(|hello| hello.legacy_version = ProtocolVersion(version));
        let text = puppet.say(&hello).unwrap_err().to_string();
        let expected = format!("legacy_version must be TLS 1.2 in every hello, but is {name}");
        assert!(text.contains(&expected), "{text}");
    }
    let mut puppet = Puppet::serving(&client());
    let hello = puppet.server_hello(|hello| {
        hello.legacy_version = ProtocolVersion(0x0304);
        without(hello, 0);
    });
    let text = puppet.say(&hello).unwrap_err().to_string();
    assert!(
        text.contains("legacy_version must be TLS 1.2 in every hello, but is TLS 1.3"),
        "{text}"
    );
}

/// 4.2.3: "TLS 1.3 clients receiving a ServerHello indicating TLS 1.2 or below MUST check that the
/// last 8 bytes are not equal to either of these values. ... illegal_parameter".
#[test]
fn downgrade_mark() {
    for (version, last) in [(0x0303, 1), (0x0303, 0), (0x0302, 0), (0x0301, 0)] {
        refused_hello!(
            |hello| {
                hello.random[24..]
                    .copy_from_slice(&[0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, last]);
                hello.legacy_version = ProtocolVersion(version);
                hello.extensions = None;
            },
            47,
            Fault::Illegal(Illegal::Downgrade)
        );
    }
    // A TLS 1.3 ServerHello may contain the mark. Other bytes in its place are not a mark.
    let mut puppet = Puppet::serving(&client());
    let hello = puppet.server_hello(|hello| hello.random[24..].copy_from_slice(b"DOWNGRD\x01"));
    puppet.say(&hello).unwrap();
    refused_hello!(
        |hello| {
            hello.random[24..].copy_from_slice(b"DOWNGRD\x02");
            hello.extensions = None;
        },
        70,
        Fault::Version { .. }
    );
}

/// 4.3: an answer to an extension that was not sent is unsupported_extension. Here no PSK was
/// offered.
#[test]
fn unsolicited_extension() {
    refused_hello!(
        |hello| extensions(hello).push(ServerHelloExtension::PreSharedKey(0)),
        110,
        Fault::UnsolicitedExtension {
            message: "ServerHello",
            extension: ExtensionType(41)
        }
    );
    for extension_type in [0x0a0a, 23, 34, 0xff01, 0xfe0d] {
        refused_hello!(
            |hello| extensions(hello).push(unknown(extension_type, &[])),
            110,
            Fault::UnsolicitedExtension { message: "ServerHello", extension }
                if extension.0 == extension_type
        );
    }
}

/// 4.3: "If an implementation receives an extension which it recognizes and which is not specified
/// for the message in which it appears, it MUST abort the handshake with an "illegal_parameter"
/// alert." These are the table's rows without SH.
#[test]
fn misplaced_extension() {
    for extension_type in [
        0, 5, 10, 13, 14, 15, 16, 19, 20, 21, 27, 28, 42, 44, 45, 47, 48, 49, 50, 58,
    ] {
        refused_hello!(
            |hello| extensions(hello).push(unknown(extension_type, &[])),
            47,
            Fault::MisplacedExtension { message: "ServerHello", extension }
                if extension.0 == extension_type
        );
    }
}

/// 4.3: "There MUST NOT be more than one extension of the same type in a given extension block."
#[test]
fn duplicate_extension() {
    refused_hello!(
        |hello| {
            let again = extensions(hello)[1].clone();
            extensions(hello).push(again);
        },
        47,
        Fault::DuplicateExtension {
            message: "ServerHello",
            extension: ExtensionType(51)
        }
    );
    refused_hello!(
        |hello| extensions(hello).push(ServerHelloExtension::SupportedVersions(ProtocolVersion(
            0x0304
        ))),
        47,
        Fault::DuplicateExtension {
            message: "ServerHello",
            extension: ExtensionType(43)
        }
    );
    refused_hello!(
        |hello| extensions(hello).extend([unknown(0x0a0a, &[]), unknown(0x0a0a, &[])]),
        47,
        Fault::DuplicateExtension {
            message: "ServerHello",
            extension: ExtensionType(0x0a0a)
        }
    );
}

/// 9.2: "key_share" is REQUIRED for ECDHE key exchange.
#[test]
fn missing_key_share() {
    refused_hello!(
        |hello| without(hello, 1),
        109,
        Fault::MissingExtension {
            message: "ServerHello",
            extension: ExtensionType(51)
        }
    );
}

/// 4.3.8: "Servers MUST NOT send a KeyShareEntry for any group not indicated in the client's
/// "supported_groups" extension".
#[test]
fn group_not_offered() {
    for group in [0x0017, 0x0018, 0x001e, 0x0100, 0x0a0a] {
        refused_hello!(
            |hello| extensions(hello)[1] = share(group, &[4; 65]),
            47,
            Fault::Illegal(Illegal::GroupNotOffered(got)) if got.0 == group
        );
    }
}

/// 4.3.8.2: "This is 32 bytes for X25519".
#[test]
fn share_of_the_wrong_length() {
    for length in [1, 31, 33, 64, 65] {
        refused_hello!(
            |hello| extensions(hello)[1] = share(0x001d, &[9; 65][..length]),
            47,
            Fault::Illegal(Illegal::KeyShare {
                group: NamedGroup(0x001d)
            })
        );
    }
    // `opaque key_exchange<1..2^16-1>`.
    refused_hello!(
        |hello| extensions(hello)[1] = share(0x001d, &[]),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
}

/// 7.4.2: the all-zero shared secret, by every encoding of a point of small order (RFC 7748, 6.1).
#[test]
fn share_of_small_order() {
    let eight: [u8; 32] = [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, //
        0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8,
        0x00,
    ];
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let mut high_bit = [0; 32];
    high_bit[31] = 0x80;
    for point in [[0; 32], one, eight, minus_one, high_bit] {
        let point: &'static [u8] = Vec::from(point).leak();
        refused_hello!(
            |hello| extensions(hello)[1] = share(0x001d, point),
            47,
            Fault::Illegal(Illegal::ZeroSharedSecret {
                group: NamedGroup(0x001d)
            })
        );
    }
}

/// Section 6: a message that "cannot be parsed according to the syntax" is refused with
/// decode_error.
#[test]
fn syntax() {
    // 4.3: "receivers MUST abort the handshake with a "decode_error" alert if there is data left
    // over after parsing the structure".
    refused_hello!(
        |hello| extensions(hello)[0] = unknown(43, &[3, 4, 0]),
        50,
        Fault::Decode {
            message: "ServerHello",
            problem: DecodeProblem::TrailingBytes,
            ..
        }
    );
    refused_hello!(
        |hello| extensions(hello)[0] = unknown(43, &[3]),
        50,
        Fault::Decode {
            message: "ServerHello",
            problem: DecodeProblem::Truncated,
            ..
        }
    );
    let whole = |puppet: &mut Puppet| puppet.server_hello(|_| {})[4..].to_vec();
    // The message has one more byte, or is cut anywhere, with its length changed accordingly.
    let mut puppet = Puppet::serving(&client());
    let body = [whole(&mut puppet), vec![0]].concat();
    refused!(
        puppet,
        plain(22, &message(2, &body)),
        "WAIT_SH",
        50,
        Fault::Decode {
            problem: DecodeProblem::TrailingBytes,
            ..
        }
    );
    for cut in [0, 1, 2, 33, 34, 35, 66, 67, 69, 70, 71, 72, 75, 100] {
        let mut puppet = Puppet::serving(&client());
        let body = whole(&mut puppet);
        // Cut before the extensions, it is a ServerHello of an older version, not a malformed one.
        let alert = if cut == 70 { 70 } else { 50 };
        refused!(
            puppet,
            plain(22, &message(2, &body[..cut])),
            "WAIT_SH",
            alert,
            Fault::Decode { .. } | Fault::Version { .. }
        );
    }
    // The block of extensions is longer than the message.
    let mut puppet = Puppet::serving(&client());
    let mut body = whole(&mut puppet);
    body[71] += 1;
    refused!(
        puppet,
        plain(22, &message(2, &body)),
        "WAIT_SH",
        50,
        Fault::Decode {
            problem: DecodeProblem::Truncated,
            ..
        }
    );
}

/// Checks what our client offers: RFC 9846, 4.2.2, 4.3 and 9.2.
#[test]
fn the_client_hello_is_as_it_must_be() {
    let mut puppet = Puppet::new(
        Side::Server,
        client()
            .connection("db.internal", now(), &mut SystemRandom)
            .unwrap(),
    );
    let record = puppet.hear_type(22);
    // 5.1: "a record containing an initial ClientHello SHOULD have version 0x0301".
    assert_eq!(record.version, 0x0301);
    puppet.client_hello = record.content;
    puppet.hears_nothing();
    let hello = puppet.offer();
    assert_eq!(hello.legacy_version, ProtocolVersion(0x0303));
    assert_eq!(hello.compression_methods, [0]);
    // 4.2.2: in compatibility mode "a new 32-byte value".
    assert_eq!(hello.session_id.len(), 32);
    assert_eq!(
        hello.supported_versions(),
        Some(&[ProtocolVersion(0x0304)][..])
    );
    assert_eq!(hello.server_name(), Some("db.internal"));
    assert!(hello.signature_algorithms().is_some() && hello.signature_algorithms_cert().is_none());
    // 4.3.8: shares "MUST appear in the same order" as their groups, none twice.
    let groups = hello.supported_groups().unwrap();
    let shares: Vec<_> = hello
        .key_share()
        .unwrap()
        .iter()
        .map(|share| share.group)
        .collect();
    assert_eq!(
        shares,
        groups
            .iter()
            .copied()
            .filter(|group| shares.contains(group))
            .collect::<Vec<_>>()
    );
    // 4.3.2: "Clients MUST NOT use cookies in their initial ClientHello".
    assert!(
        hello.cookie().is_none()
            && hello.pre_shared_key().is_none()
            && !hello.early_data()
            && !hello.post_handshake_auth()
    );

    // 4.3.8: "MUST NOT reuse a key share for multiple connections"; random and session id are fresh
    // too.
    let other = Puppet::serving(&client());
    let again = other.offer();
    assert_ne!(
        hello.key_share().unwrap()[0].key_exchange,
        again.key_share().unwrap()[0].key_exchange
    );
    assert_ne!(hello.random, again.random);
    assert_ne!(hello.session_id, again.session_id);
}

/// The length of any handshake message is limited before its content arrives.
#[test]
fn unknown_handshake_length_is_bounded_before_it_is_waited_for() {
    // A header that announces 2^24-1 bytes is refused at once.
    let mut puppet = Puppet::serving(&client());
    refused!(
        puppet,
        plain(22, &[2, 0xff, 0xff, 0xff]),
        "WAIT_SH",
        50,
        Fault::Decode {
            message: "ServerHello",
            field: "length",
            ..
        }
    );
    let mut puppet = Puppet::serving(&client());
    let length = vector(3, &[0; 81917]);
    refused!(
        puppet,
        plain(22, &[&[2], &length[..3]].concat()),
        "WAIT_SH",
        50,
        Fault::Decode {
            message: "ServerHello",
            field: "length",
            ..
        }
    );
}
