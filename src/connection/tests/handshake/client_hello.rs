//! What our server refuses in a ClientHello (RFC 9846, 4.2.2, 4.3 and 9.2), and what it accepts.

use crate::code_point::{
    CipherSuite, ExtensionType, NamedGroup, ProtocolVersion, PskKeyExchangeMode, SignatureScheme,
};
use crate::connection::tests::puppet::client::{add, add_raw, remove, set};
use crate::connection::tests::puppet::{Puppet, WORLD, message, plain, refused, server};
use crate::error::{DecodeProblem, Fault, Illegal};
use crate::message::ClientHelloExtension::{
    Alpn, Cookie, KeyShare, PreSharedKey, PskKeyExchangeModes,
};
use crate::message::ClientHelloExtension::{
    ServerName, SignatureAlgorithms, SupportedGroups, SupportedVersions,
};
use crate::message::{self, ClientHello, KeyShareEntry, OfferedPsks, PskIdentity};
use crate::server::Server;

/// Asserts that a ClientHello with one change is refused in START. The alert is in the clear, as
/// there are no keys yet.
macro_rules! refused_hello {
    ($edit:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {
        refused_by!(&server(), $edit, $alert, $fault $(if $guard)?)
    };
}

macro_rules! refused_by {
    ($server:expr, $edit:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {{
        let mut puppet = Puppet::calling($server);
        let hello = puppet.make_client_hello($edit);
        refused!(puppet, plain(22, &hello), "START", $alert, $fault $(if $guard)?);
    }};
}

/// Asserts that a ClientHello with one change leads to a complete handshake and data both ways.
#[track_caller]
fn accepted(server: &Server, edit: impl FnOnce(&mut ClientHello<'_>)) -> Puppet {
    let mut puppet = Puppet::calling(server);
    let hello = puppet.make_client_hello(edit);
    puppet.say(&hello).unwrap();
    puppet.hear_flight();
    puppet.lead_server_to("CONNECTED");
    puppet.send(b"question").unwrap();
    assert_eq!(puppet.delivered, b"question");
    assert_eq!(puppet.us.write(b"answer").unwrap(), 6);
    assert_eq!(puppet.hear_type(23).content, b"answer");
    puppet
}

fn versions(list: &[u16]) -> Vec<ProtocolVersion> {
    list.iter().copied().map(ProtocolVersion).collect()
}

fn groups(list: &[u16]) -> Vec<NamedGroup> {
    list.iter().copied().map(NamedGroup).collect()
}

fn share(group: u16, key_exchange: &'static [u8]) -> KeyShareEntry<'static> {
    KeyShareEntry {
        group: NamedGroup(group),
        key_exchange,
    }
}

/// Returns the shares of a hello, to be changed.
fn shares<'a, 'b>(hello: &'b mut ClientHello<'a>) -> &'b mut Vec<KeyShareEntry<'a>> {
    let mut extensions = hello.extensions.as_mut().unwrap().iter_mut();
    extensions
        .find_map(|extension| {
            if let KeyShare(shares) = extension {
                Some(shares)
            } else {
                None
            }
        })
        .unwrap()
}

// ---- the version ----

/// E.2: "If the "supported_versions" extension is absent and the server only supports versions
/// greater than ClientHello.legacy_version, the server MUST abort the handshake with a
/// "protocol_version" alert."
#[test]
fn older_versions_alone() {
    for legacy in [0x0300, 0x0301, 0x0302, 0x0303] {
        refused_hello!(
            |hello| {
                hello.legacy_version = ProtocolVersion(legacy);
                remove(hello, SupportedVersions(Vec::new()));
            },
            70,
            Fault::Version { got } if got == versions(&[legacy])
        );
        // 4.2.2: "TLS 1.3 servers might receive ClientHello messages without an extensions field
        // from prior versions".
        refused_hello!(
            |hello| {
                hello.legacy_version = ProtocolVersion(legacy);
                hello.extensions = None;
                hello.compression_methods = &[1, 0];
            },
            70,
            Fault::Version { got } if got == versions(&[legacy])
        );
    }
    // 4.3.1: "even if ClientHello.legacy_version is 0x0304 or later".
    refused_hello!(
        |hello| {
            hello.legacy_version = ProtocolVersion(0x0304);
            remove(hello, SupportedVersions(Vec::new()));
        },
        70,
        Fault::LegacyVersion(ProtocolVersion(0x0304))
    );
}

/// 4.3.1: "Servers MUST be prepared to receive ClientHellos that include this extension but do not
/// include 0x0304 in the list of versions."
#[test]
fn supported_versions_without_tls_1_3() {
    for list in [
        &[0x0303][..],
        &[0x0303, 0x0302, 0x0301],
        &[0x0305],
        &[0x0a0a, 0x7f1c],
    ] {
        refused_hello!(
            |hello| set(hello, SupportedVersions(versions(list))),
            70,
            Fault::Version { got } if got == versions(list)
        );
    }
}

/// 4.3.1: unknown versions are ignored in any place, and older ones do not matter.
#[test]
fn supported_versions_with_others() {
    for list in [
        &[0x0304, 0x0303, 0x0302, 0x0301][..],
        &[0x0a0a, 0x0304, 0x0303],
        &[0x7f1c, 0x0305, 0x0303, 0x0304],
    ] {
        accepted(&server(), |hello| {
            set(hello, SupportedVersions(versions(list)))
        });
    }
}

/// 4.2.2: "A server which receives a legacy_version value not equal to 0x0303 MUST abort the
/// handshake with a "protocol_version" alert."
#[test]
fn legacy_version() {
    for legacy in [0x0000, 0x0300, 0x0301, 0x0302, 0x0304, 0xffff] {
        refused_hello!(
            |hello| hello.legacy_version = ProtocolVersion(legacy),
            70,
            Fault::LegacyVersion(got) if got.0 == legacy
        );
    }
}

/// What is wrong is the field, and not the version of the peer; 0x0304 there without
/// supported_versions too.
#[test]
fn a_wrong_legacy_version_is_called_that() {
    for with_supported_versions in [true, false] {
        let mut puppet = Puppet::calling(&server());
        let hello = puppet.make_client_hello(|hello| {
            hello.legacy_version = ProtocolVersion(0x0304);
            if !with_supported_versions {
                remove(hello, SupportedVersions(Vec::new()));
            }
        });
        let text = puppet.say(&hello).unwrap_err().to_string();
        let expected = "legacy_version must be TLS 1.2 in every hello, but is TLS 1.3";
        assert!(text.contains(expected), "{text}");
    }
}

// ---- the legacy fields ----

/// 4.2.2: "this list MUST contain exactly one byte, set to zero ... illegal_parameter".
#[test]
fn compression_methods() {
    for methods in [&[1][..], &[0, 0], &[0, 1], &[1, 0]] {
        refused_hello!(
            |hello| hello.compression_methods = methods,
            47,
            Fault::Illegal(Illegal::Compression)
        );
    }
    // `opaque legacy_compression_methods<1..2^8-1>`
    refused_hello!(
        |hello| hello.compression_methods = &[],
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
}

/// `opaque legacy_session_id<0..32>`, echoed with any content (4.2.3). `hear_flight` checks the
/// echo.
#[test]
fn session_id() {
    refused_hello!(
        |hello| hello.session_id = &[1; 33],
        50,
        Fault::Decode {
            problem: DecodeProblem::Length,
            ..
        }
    );
    for length in [0, 1, 31, 32] {
        let mut puppet = Puppet::calling(&server());
        puppet.session_id = vec![7; length];
        puppet.lead_server_to("CONNECTED");
    }
}

// ---- required extensions ----

/// 9.2: "Servers receiving a ClientHello which does not conform to these requirements MUST abort
/// the handshake with a "missing_extension" alert."
#[test]
fn missing_extensions() {
    let missing = |fault: Fault, extension: u16| {
        matches!(
            fault,
            Fault::MissingExtension { message: "ClientHello", extension: got } if got.0 == extension
        )
    };
    refused_hello!(
        |hello| remove(hello, SignatureAlgorithms(Vec::new())),
        109,
        fault if missing(fault.clone(), 13)
    );
    refused_hello!(
        |hello| remove(hello, SupportedGroups(Vec::new())),
        109,
        fault if missing(fault.clone(), 10)
    );
    refused_hello!(
        |hello| remove(hello, KeyShare(Vec::new())),
        109,
        fault if missing(fault.clone(), 51)
    );
    // "Servers requiring this extension SHOULD respond to a ClientHello lacking a "server_name"
    // extension ... "missing_extension"".
    let by_name = Server::builder()
        .identity_by_name(WORLD.server.clone())
        .build()
        .unwrap();
    refused_by!(
        &by_name,
        |hello| remove(hello, ServerName(Vec::new())),
        109,
        fault if missing(fault.clone(), 0)
    );
    accepted(&by_name, |_| {});
    accepted(&server(), |hello| remove(hello, ServerName(Vec::new())));
}

// ---- nothing in common ----

/// 4.2.1: "If the server is unable to negotiate a supported set of parameters ...
/// "handshake_failure"".
#[test]
fn no_common_suite() {
    for list in [&[0x1304][..], &[0xc02b, 0xc02f, 0x009c], &[0x0a0a]] {
        refused_hello!(
            |hello| hello.cipher_suites = list.iter().copied().map(CipherSuite).collect(),
            40,
            Fault::NoCommonSuite { offered, .. }
                if offered.iter().map(|suite| suite.0).eq(list.iter().copied())
        );
    }
    let other = Server::builder()
        .identity(WORLD.server.clone())
        .cipher_suites([CipherSuite(0x1303)])
        .build()
        .unwrap();
    refused_by!(
        &other,
        |_| {},
        40,
        Fault::NoCommonSuite { accepted, .. } if accepted == [CipherSuite(0x1303)]
    );
}

#[test]
fn no_common_group() {
    refused_hello!(
        |hello| {
            set(hello, SupportedGroups(groups(&[0x001e, 0x0018])));
            set(hello, KeyShare(vec![share(0x0018, &[4; 97])]));
        },
        40,
        Fault::NoCommonGroup { offered, .. } if offered == groups(&[0x001e, 0x0018])
    );
}

#[test]
fn no_common_scheme() {
    for list in [&[0x0403][..], &[0x0804, 0x0401, 0x0808], &[0x0a0a]] {
        refused_hello!(
            |hello| set(
                hello,
                SignatureAlgorithms(list.iter().copied().map(SignatureScheme).collect()),
            ),
            40,
            Fault::NoCommonScheme { offered }
                if offered.iter().map(|scheme| scheme.0).eq(list.iter().copied())
        );
    }
    // 9.1: our profile has only Ed25519, which the error states.
    let fault = Fault::NoCommonScheme {
        offered: vec![SignatureScheme(0x0403)],
    };
    assert!(
        fault.to_string().contains("ed25519")
            && fault.to_string().contains("ecdsa_secp256r1_sha256"),
        "{fault}"
    );
}

/// RFC 7301, 3.2: "no_application_protocol".
#[test]
fn no_common_protocol() {
    let server = Server::builder()
        .identity(WORLD.server.clone())
        .alpn(["h2", "http/1.1"])
        .build()
        .unwrap();
    refused_by!(
        &server,
        |hello| add(hello, Alpn(vec![b"h3", b"H2"])),
        120,
        Fault::NoCommonProtocol { offered, .. } if offered == [b"h3".to_vec(), b"H2".to_vec()]
    );
    // The server's order decides, a GREASE name is ignored, and a client without ALPN is accepted.
    let puppet = accepted(&server, |hello| {
        add(hello, Alpn(vec![&[0x0a, 0x0a], b"http/1.1", b"h2"]))
    });
    assert_eq!(puppet.us.negotiated().unwrap().alpn(), Some(&b"h2"[..]));
    assert_eq!(
        accepted(&server, |_| {}).us.negotiated().unwrap().alpn(),
        None
    );
    // `opaque ProtocolName<1..2^8-1>; protocol_name_list<2..2^16-1>`
    refused_by!(
        &server,
        |hello| add(hello, Alpn(vec![b"h2", b""])),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
    refused_by!(
        &server,
        |hello| add(hello, Alpn(vec![])),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
}

/// RFC 6066, section 3: "unrecognized_name"; not more than one name of a type.
#[test]
fn server_names() {
    let by_name = Server::builder()
        .identity_by_name(WORLD.server.clone())
        .build()
        .unwrap();
    let host = |name: &'static str| ServerName(vec![message::ServerName::HostName(name)]);
    refused_by!(
        &by_name,
        |hello| set(hello, host("other.internal")),
        112,
        Fault::UnrecognizedName { name, .. } if name == "other.internal"
    );
    accepted(&by_name, |hello| set(hello, host("DB.Internal")));
    accepted(&server(), |hello| set(hello, host("other.internal")));
    for name in ["db.internal:443", "db internal", "dü.internal"] {
        refused_hello!(
            |hello| set(hello, host(name)),
            47,
            Fault::Illegal(Illegal::ServerName)
        );
    }
    refused_hello!(
        |hello| {
            set(
                hello,
                ServerName(vec![
                    message::ServerName::HostName("db.internal"),
                    message::ServerName::HostName("db.internal"),
                ]),
            );
        },
        47,
        Fault::Illegal(Illegal::DuplicateEntry {
            list: "server_name_list"
        })
    );
    refused_hello!(
        |hello| set(hello, ServerName(vec![])),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
}

/// RFC 6066, section 3: "without a trailing dot"; "Literal IPv4 and IPv6 addresses are not
/// permitted". Clients send both: the dot is left out, and an address counts as no name at all.
#[test]
fn server_names_that_are_not_permitted() {
    let host = |name: &'static str| ServerName(vec![message::ServerName::HostName(name)]);
    let by_name = || Server::builder().identity_by_name(WORLD.server.clone());
    // The default identity serves a client that names nobody.
    let with_default = by_name().identity(WORLD.server.clone()).build().unwrap();
    for (name, meant) in [
        ("DB.Internal.", Some("db.internal")),
        ("192.0.2.1", None),
        ("2001:db8::1", None),
        ("[::1]", None),
    ] {
        for retried in [false, true] {
            let mut puppet = Puppet::calling(&with_default);
            if retried {
                let hello = puppet.make_client_hello(|hello| {
                    shares(hello).clear();
                    set(hello, host(name));
                });
                puppet.say(&hello).unwrap();
                puppet.hear_retry();
            }
            let hello = puppet.make_client_hello(|hello| set(hello, host(name)));
            puppet.say(&hello).unwrap();
            // EncryptedExtensions: the answer to server_name(0), where there was a name.
            let answer: &[u8] = match meant {
                Some(_) => &[0, 4, 0, 0, 0, 0],
                None => &[0, 0],
            };
            let flight = puppet.hear_flight();
            assert_eq!(flight[1], message(8, answer), "{name}");
            puppet.lead_server_to("CONNECTED");
            assert_eq!(puppet.us.negotiated().unwrap().server_name(), meant);
        }
    }
    accepted(&by_name().build().unwrap(), |hello| {
        set(hello, host("db.internal."));
    });
    // RFC 9846, 9.2: "a ClientHello lacking a "server_name" extension".
    refused_by!(
        &by_name().build().unwrap(),
        |hello| set(hello, host("192.0.2.1")),
        109,
        Fault::MissingExtension { extension, .. } if extension.0 == 0
    );
}

// ---- key shares ----

/// 4.3.8: "Clients MUST NOT offer multiple KeyShareEntry values for the same group", nor "for
/// groups not listed in the client's "supported_groups" extension". "Servers MAY check for
/// violations of these rules and abort ... "illegal_parameter"".
#[test]
fn key_shares() {
    refused_hello!(
        |hello| {
            let again = shares(hello)[0].clone();
            shares(hello).push(again);
        },
        47,
        Fault::Illegal(Illegal::KeyShares(NamedGroup(0x001d)))
    );
    refused_hello!(
        |hello| shares(hello).push(share(0x0017, &[4; 65])),
        47,
        Fault::Illegal(Illegal::KeyShares(NamedGroup(0x0017)))
    );
    // 4.3.7: "The "named_group_list" MUST NOT contain any duplicate entries."
    refused_hello!(
        |hello| set(hello, SupportedGroups(groups(&[0x001d, 0x0017, 0x001d]))),
        47,
        Fault::Illegal(Illegal::DuplicateEntry {
            list: "supported_groups"
        })
    );
    // "the values MAY be a non-contiguous subset of the "supported_groups" extension".
    accepted(&server(), |hello| {
        set(
            hello,
            SupportedGroups(groups(&[0x0a0a, 0x001e, 0x0017, 0x001d, 0x0018])),
        );
        shares(hello).insert(0, share(0x0a0a, &[0]));
        shares(hello).push(share(0x0018, &[4; 97]));
    });
    // Each "MUST appear in the same order", which we do not check.
    accepted(&server(), |hello| {
        set(hello, SupportedGroups(groups(&[0x001d, 0x0017])));
        shares(hello).insert(0, share(0x0017, &[4; 65]));
    });
}

/// 4.3.8.2: a share has 32 bytes. 7.4.2: the all-zero shared secret is refused.
#[test]
fn key_share_that_is_none() {
    for length in [1, 31, 33, 64] {
        refused_hello!(
            |hello| set(hello, KeyShare(vec![share(0x001d, &[9; 64][..length])])),
            47,
            Fault::Illegal(Illegal::KeyShare {
                group: NamedGroup(0x001d)
            })
        );
    }
    refused_hello!(
        |hello| set(hello, KeyShare(vec![share(0x001d, &[])])),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
    for first in [0, 1] {
        let mut point = [0; 32];
        point[0] = first;
        let point: &'static [u8] = Vec::from(point).leak();
        refused_hello!(
            |hello| set(hello, KeyShare(vec![share(0x001d, point)])),
            47,
            Fault::Illegal(Illegal::ZeroSharedSecret {
                group: NamedGroup(0x001d)
            })
        );
    }
}

/// 4.3.8: "receiving implementations MUST permit reuse by the peer". Our own share is new each
/// time.
#[test]
fn a_client_may_use_its_share_again() {
    let mut puppet = Puppet::calling(&server());
    let hello = puppet.make_client_hello(|_| {});
    let mut again = Puppet::calling(&server());
    again.say(&hello).unwrap();
    let other = again.hear_message();
    puppet.say(&hello).unwrap();
    let one = puppet.hear_flight().swap_remove(0);
    puppet.lead_server_to("CONNECTED");
    // ServerHello has a header, version, random, echo, suite and compression. Its extensions end
    // with a share of 32 bytes.
    assert_ne!(one[6..38], other[6..38], "random");
    assert_ne!(one[one.len() - 32..], other[other.len() - 32..], "share");
}

// ---- extensions in general ----

/// 4.3: "There MUST NOT be more than one extension of the same type in a given extension block",
/// unknown ones included.
#[test]
fn duplicate_extensions() {
    for extension_type in [0, 10, 13, 43, 51] {
        refused_hello!(
            |hello| {
                // The content does not matter, because duplicates are found before it is parsed.
                add_raw(hello, extension_type, &[0, 2, 0, 0]);
            },
            47,
            Fault::DuplicateExtension { message: "ClientHello", extension }
                if extension.0 == extension_type
        );
    }
    for extension_type in [23, 0x0a0a, 0xff01, 65037] {
        refused_hello!(
            |hello| {
                add_raw(hello, extension_type, b"");
                add_raw(hello, extension_type, b"x");
            },
            47,
            Fault::DuplicateExtension { extension, .. } if extension.0 == extension_type
        );
    }
}

/// 4.3: the only row of the table without CH.
#[test]
fn misplaced_extension() {
    refused_hello!(
        |hello| add_raw(hello, 48, &[0, 0]),
        47,
        Fault::MisplacedExtension {
            message: "ClientHello",
            extension: ExtensionType(48)
        }
    );
}

/// 9.3: "A server receiving a ClientHello MUST correctly ignore all unrecognized cipher suites,
/// extensions, and other parameters." The GREASE values of RFC 8701, and what TLS 1.2 would have
/// required, are in every list at once.
#[test]
fn unknown_values_are_ignored() {
    let puppet = accepted(&server(), |hello| {
        hello.cipher_suites = [0x1a1a, 0x00ff, 0xc02b, 0x1304, 0x1301, 0x5600]
            .into_iter()
            .map(CipherSuite)
            .collect();
        set(
            hello,
            SupportedVersions(versions(&[0xfafa, 0x0304, 0x0303])),
        );
        set(hello, SupportedGroups(groups(&[0x2a2a, 0x001d, 0x0100])));
        set(
            hello,
            SignatureAlgorithms(
                [0x3a3a, 0x0401, 0x0201, 0x0807]
                    .into_iter()
                    .map(SignatureScheme)
                    .collect(),
            ),
        );
        shares(hello).insert(0, share(0x2a2a, &[0]));
        add(
            hello,
            PskKeyExchangeModes([0x0b, 1, 0].into_iter().map(PskKeyExchangeMode).collect()),
        );
        add(hello, Alpn(vec![&[0x4a, 0x4a], b"h2"]));
        // extended_main_secret, renegotiation_info, ec_point_formats, session_ticket, SCT,
        // status_request_v2, encrypted_client_hello.
        for (extension_type, data) in [
            (23, &[][..]),
            (0xff01, &[0]),
            (11, &[1, 0]),
            (35, &[]),
            (18, &[]),
            (17, &[1, 2]),
            (65037, &[9]),
        ] {
            add_raw(hello, extension_type, data);
        }
        // These are known but not answered: post_handshake_auth, record_size_limit, status_request,
        // padding, certificate types.
        for (extension_type, data) in [
            (49, &[][..]),
            (28, &[0x40, 1]),
            (5, &[1, 0, 0, 0, 0]),
            (21, &[0; 64]),
            (20, &[2, 2, 0]),
            (27, &[2, 0, 2]),
            (58, &[1, 1]),
        ] {
            add_raw(hello, extension_type, data);
        }
        add_raw(hello, 0x5a5a, b"");
        add_raw(hello, 0x6a6a, &[0]);
    });
    assert_eq!(
        puppet.us.negotiated().unwrap().cipher_suite(),
        CipherSuite(0x1301)
    );
}

/// 4.3.2 requires no check for a cookie that was not sent, and a server without a HelloRetryRequest
/// has nothing to compare it with.
#[test]
fn cookie_that_was_not_sent() {
    accepted(&server(), |hello| add(hello, Cookie(b"crumbs")));
    refused_hello!(
        |hello| add(hello, Cookie(b"")),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
}

/// Section 6: "cannot be parsed according to the syntax (e.g., have a length extending beyond the
/// message boundary or contain an out-of-range length)": decode_error.
#[test]
fn syntax() {
    for (extension_type, data) in [
        (28, &[0x40][..]),
        (28, &[0x40, 0, 0]),
        (42, &[0]),
        (45, &[0]),
        (45, &[1, 1, 1]),
        (47, &[0, 0]),
        (49, &[0]),
        (50, &[0, 0]),
        (50, &[0, 1, 8]),
    ] {
        refused_hello!(
            |hello| add_raw(hello, extension_type, data),
            50,
            Fault::Decode {
                message: "ClientHello",
                ..
            }
        );
    }
    refused_hello!(
        |hello| set(hello, SupportedVersions(vec![])),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
    refused_hello!(
        |hello| set(hello, SupportedGroups(vec![])),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
    refused_hello!(
        |hello| set(hello, SignatureAlgorithms(vec![])),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
    refused_hello!(
        |hello| hello.cipher_suites = vec![],
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );

    let body = Puppet::calling(&server()).make_client_hello(|_| {})[4..].to_vec();
    let refused = |body: &[u8]| {
        let mut puppet = Puppet::calling(&server());
        refused!(
            puppet,
            plain(22, &message(1, body)),
            "START",
            50,
            Fault::Decode {
                message: "ClientHello",
                ..
            }
        );
    };
    refused(&[&body[..], &[0]].concat());
    // All cuts are tried except the one before the extensions: version, random, session id, one
    // suite, one compression method.
    let before_extensions = 2 + 32 + 33 + 4 + 2;
    for cut in (0..body.len()).filter(|cut| *cut != before_extensions) {
        refused(&body[..cut]);
    }
}

// ---- PSKs, of which this server has none ----

fn psks(identities: usize, binders: usize) -> OfferedPsks<'static> {
    OfferedPsks {
        identities: vec![
            PskIdentity {
                identity: b"a ticket nobody knows",
                obfuscated_ticket_age: 12345
            };
            identities
        ],
        binders: vec![&[0xb1; 32]; binders],
    }
}

fn modes() -> message::ClientHelloExtension<'static> {
    PskKeyExchangeModes(vec![PskKeyExchangeMode(1)])
}

/// 4.3.11: "Any unknown PSKs ... SHOULD simply be ignored. If no acceptable PSKs are found, the
/// server SHOULD perform a non-PSK handshake".
#[test]
fn unknown_psks_are_ignored() {
    for identities in [1, 2, 30] {
        accepted(&server(), |hello| {
            add(hello, modes());
            add(hello, PreSharedKey(psks(identities, identities)));
        });
    }
}

/// 4.3.9: "If clients offer "pre_shared_key" without a "psk_key_exchange_modes" extension, servers
/// MUST abort the handshake." 6.2 has missing_extension for that.
#[test]
fn psk_without_modes() {
    refused_hello!(
        |hello| add(hello, PreSharedKey(psks(1, 1))),
        109,
        Fault::MissingExtension {
            message: "ClientHello",
            extension: ExtensionType(45)
        }
    );
}

/// 4.3.11: "Servers MUST check that it is the last extension and otherwise fail the handshake with
/// an "illegal_parameter" alert."
#[test]
fn psk_that_is_not_last() {
    refused_hello!(
        |hello| {
            add(hello, PreSharedKey(psks(1, 1)));
            add(hello, modes());
        },
        47,
        Fault::Illegal(Illegal::PskNotLast)
    );
}

/// 4.3.11: binders are "one for each value in the identities list". The syntax of both lists is
/// checked.
#[test]
fn psk_syntax() {
    for (identities, binders) in [(1, 2), (2, 1), (3, 30)] {
        refused_hello!(
            |hello| {
                add(hello, modes());
                add(hello, PreSharedKey(psks(identities, binders)));
            },
            47,
            Fault::Illegal(Illegal::BinderCount { identities: i, binders: b })
                if (i, b) == (identities, binders)
        );
    }
    for (identities, binders) in [(0, 1), (1, 0)] {
        refused_hello!(
            |hello| {
                add(hello, modes());
                add(hello, PreSharedKey(psks(identities, binders)));
            },
            50,
            Fault::Decode {
                problem: DecodeProblem::Empty,
                ..
            }
        );
    }
    // `opaque PskBinderEntry<32..255>`
    refused_hello!(
        |hello| {
            add(hello, modes());
            let mut psks = psks(2, 2);
            psks.binders[0] = &[1; 31];
            add(hello, PreSharedKey(psks));
        },
        50,
        Fault::Decode {
            problem: DecodeProblem::Length,
            ..
        }
    );
}

/// All three suites work in both roles.
#[test]
fn every_suite() {
    for suite in crate::crypto::suite::Suite::ALL {
        let mut puppet = Puppet::calling(&server());
        puppet.suite = suite;
        puppet.lead_server_to("CONNECTED");
        puppet.send(b"question").unwrap();
        assert_eq!(puppet.delivered, b"question");

        let mut puppet = Puppet::client_with_suite(suite);
        puppet.send(b"answer").unwrap();
        assert_eq!(puppet.delivered, b"answer");
        assert_eq!(
            puppet.us.negotiated().unwrap().cipher_suite(),
            suite.code_point()
        );
    }
}
