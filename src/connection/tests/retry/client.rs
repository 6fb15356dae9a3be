//! HelloRetryRequest at our client (RFC 9846, 4.2.4): what it refuses, and its second ClientHello.

use crate::client::Client;
use crate::code_point::{CipherSuite, NamedGroup, ProtocolVersion};
use crate::connection::tests::puppet::retry::{Retry, cookie, selected_group, selected_version};
use crate::connection::tests::puppet::session::known;
use crate::connection::tests::puppet::{
    CHANGE_CIPHER_SPEC, HANDSHAKE, Puppet, WORLD, client, extension, plain, refused,
};
use crate::crypto::key_exchange::Group;
use crate::crypto::suite::Suite;
use crate::error::{DecodeProblem, Fault, Illegal};
use crate::message::{ClientHello, ClientHelloExtension, Message, ServerHelloExtension};

/// The group that the clients of these tests offer without a share, unless a test says otherwise.
const SECP256R1: u16 = 0x0017;

/// Asserts that a HelloRetryRequest for secp256r1, with one change, is refused in WAIT_SH. The
/// alert is in the clear.
macro_rules! refused_retry {
    ($edit:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {
        refused_by!(&client(), $edit, $alert, $fault $(if $guard)?)
    };
}

macro_rules! refused_by {
    ($client:expr, $edit:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {{
        let mut puppet = Puppet::serving($client);
        let edit: &dyn Fn(&mut Retry) = &$edit;
        let retry = puppet.retry_with(|retry| {
            retry.extensions.push(selected_group(SECP256R1));
            edit(retry);
        });
        refused!(puppet, plain(HANDSHAKE, &retry), "WAIT_SH", $alert, $fault $(if $guard)?);
    }};
}

/// Asserts that after a retry for secp256r1 a ServerHello with one change is refused.
macro_rules! refused_hello {
    ($edit:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {{
        let mut puppet = Puppet::serving(&client());
        puppet.ask_for(Group::Secp256r1);
        let hello = puppet.server_hello($edit);
        refused!(puppet, plain(HANDSHAKE, &hello), "WAIT_SH", $alert, $fault $(if $guard)?);
    }};
}

fn decode(hello: &[u8]) -> ClientHello<'_> {
    match Message::decode(hello).unwrap() {
        Message::ClientHello(hello) => hello,
        other => panic!("{other:?}"),
    }
}

fn is_of(extension: &ClientHelloExtension<'_>, extension_type: u16) -> bool {
    use crate::message::ClientHelloExtension as E;
    match extension_type {
        44 => matches!(extension, E::Cookie(_)),
        51 => matches!(extension, E::KeyShare(_)),
        41 => matches!(extension, E::PreSharedKey(_)),
        other => panic!("{other}"),
    }
}

/// 4.2.2: "the client MUST send the same ClientHello without modification", except for these
/// extensions.
#[track_caller]
fn is_the_same_but_for(first: &[u8], second: &[u8], changed: &[u16]) {
    let without = |hello: &[u8]| -> Vec<u8> {
        let mut hello = decode(hello);
        hello
            .extensions
            .as_mut()
            .unwrap()
            .retain(|extension| !changed.iter().any(|changed| is_of(extension, *changed)));
        hello.encode().unwrap()
    };
    assert_eq!(without(first), without(second));
    assert_ne!(first, second);
}

// ---- the second ClientHello ----

/// 4.2.2: "replacing the list of shares with a list containing a single KeyShareEntry from the
/// indicated group". The handshake then completes with the transcript of 4.1, which the puppet
/// computes.
#[test]
fn a_retry_for_a_group() {
    for mode in [true, false] {
        for identity in [None, Some(WORLD.client.clone())] {
            let builder = Client::builder()
                .trust(WORLD.authority.trust())
                .alpn(["h2"])
                .compatibility_mode(mode);
            let client = match identity {
                Some(identity) => builder.identity(identity).build().unwrap(),
                None => builder.build().unwrap(),
            };
            let mut puppet = Puppet::serving(&client);
            let first = puppet.ask_for(Group::Secp256r1);
            is_the_same_but_for(&first, &puppet.client_hello, &[51]);
            let shares: Vec<_> = puppet
                .offer()
                .key_share()
                .unwrap()
                .iter()
                .map(|share| (share.group.0, share.key_exchange.len()))
                .collect();
            assert_eq!(shares, [(SECP256R1, 65)]);
            puppet.lead_to("CONNECTED");
            puppet.send(b"data").unwrap();
            assert_eq!(puppet.delivered, b"data");
            let negotiated = puppet.us.negotiated().unwrap();
            assert_eq!(
                (negotiated.group(), negotiated.resumed()),
                (NamedGroup(SECP256R1), false)
            );
        }
    }
}

/// The server may also request the other groups, with each suite (whose hash the message_hash
/// uses), if the client starts with another share or none.
#[test]
fn a_retry_for_each_group() {
    for suite in Suite::ALL {
        for (group, shared) in [
            (Group::X25519MlKem768, &[NamedGroup(0x001d)][..]),
            (Group::X25519, &[NamedGroup(0x11ec)]),
            (Group::X25519, &[]),
            (Group::Secp256r1, &[NamedGroup(0x001d), NamedGroup(0x11ec)]),
        ] {
            let client = Client::builder()
                .trust(WORLD.authority.trust())
                .key_shares(shared.iter().copied())
                .build()
                .unwrap();
            let mut puppet = Puppet::serving(&client);
            puppet.suite = suite;
            // 4.3.8: shares "MUST appear in the same order" as supported_groups. "This list MAY be
            // empty".
            let mut sent: Vec<_> = puppet
                .offer()
                .key_share()
                .unwrap()
                .iter()
                .map(|share| share.group)
                .collect();
            sent.sort_unstable();
            let mut wanted = shared.to_vec();
            wanted.sort_unstable();
            assert_eq!(sent, wanted);
            puppet.ask_for(group);
            puppet.lead_to("CONNECTED");
            assert_eq!(puppet.us.negotiated().unwrap().group(), group.code_point());
            assert_eq!(
                puppet.us.negotiated().unwrap().cipher_suite(),
                suite.code_point()
            );
        }
    }
}

/// 4.3.2: "the client MUST copy the contents of the extension received". 4.3.8: without a group the
/// shares stay as they are, to the byte, so their private keys are kept during the retry.
#[test]
fn a_retry_for_a_cookie() {
    for group in [Group::X25519, Group::X25519MlKem768] {
        for length in [1, 2, 32, 500, 15_000] {
            let crumbs: Vec<u8> = (0..length).map(|byte: u32| (byte % 251) as u8).collect();
            let mut puppet = Puppet::serving(&client());
            let retry = puppet.retry(&[cookie(&crumbs)]);
            let first = puppet.say_retry(&retry);
            assert_eq!(puppet.offer().cookie(), Some(&crumbs[..]));
            is_the_same_but_for(&first, &puppet.client_hello, &[44]);
            assert_eq!(decode(&first).key_share(), puppet.offer().key_share());
            puppet.group = group;
            puppet.lead_to("CONNECTED");
            assert_eq!(puppet.us.negotiated().unwrap().group(), group.code_point());
        }
    }
}

#[test]
fn a_retry_for_a_cookie_and_a_group() {
    for extensions in [
        [cookie(b"crumbs"), selected_group(SECP256R1)],
        [selected_group(SECP256R1), cookie(b"crumbs")],
    ] {
        let mut puppet = Puppet::serving(&client());
        let retry = puppet.retry(&extensions);
        let first = puppet.say_retry(&retry);
        is_the_same_but_for(&first, &puppet.client_hello, &[44, 51]);
        assert_eq!(puppet.offer().cookie(), Some(&b"crumbs"[..]));
        assert_eq!(puppet.offer().key_share().unwrap().len(), 1);
        puppet.group = Group::Secp256r1;
        puppet.lead_to("CONNECTED");
    }
}

/// 4.3.2: "Clients MUST NOT use cookies in their initial ClientHello in subsequent connections."
#[test]
fn a_cookie_is_used_once() {
    let client = client();
    let mut puppet = Puppet::serving(&client);
    let retry = puppet.retry(&[cookie(b"crumbs")]);
    puppet.say_retry(&retry);
    puppet.lead_to("CONNECTED");
    for _ in 0..2 {
        let mut puppet = Puppet::serving(&client);
        assert_eq!(puppet.offer().cookie(), None);
        // The next retry has its own cookie, or none.
        puppet.ask_for(Group::Secp256r1);
        assert_eq!(puppet.offer().cookie(), None);
    }
}

/// A cookie that leaves the ClientHello no space: `Extension extensions<7..2^16-1>`. Only the
/// server is to blame, but the failure is in our own encoding.
#[test]
fn a_cookie_that_does_not_fit() {
    // `HelloRetryRequest.extensions` has space for it: 6 bytes of supported_versions and 6 bytes
    // before the cookie.
    let crumbs = vec![7; 65535 - 12];
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .build()
        .unwrap();
    let mut puppet = Puppet::serving(&client);
    let retry = puppet.retry(&[cookie(&crumbs)]);
    let records: Vec<u8> = retry
        .chunks(16384)
        .flat_map(|part| plain(HANDSHAKE, part))
        .collect();
    refused!(
        puppet,
        records,
        "WAIT_SH",
        80,
        Fault::DoesNotFit {
            message: "ClientHello"
        }
    );
}

/// E.4: the client sends ChangeCipherSpec "immediately before its second flight. This may either be
/// before its second ClientHello or before its encrypted handshake flight". It is sent once
/// (`say_retry` and `hear_client_flight` hear it), and not without compatibility mode.
#[test]
fn one_change_cipher_spec() {
    for mode in [true, false] {
        let client = Client::builder()
            .trust(WORLD.authority.trust())
            .compatibility_mode(mode)
            .build()
            .unwrap();
        let mut puppet = Puppet::serving(&client);
        let retry = puppet.retry(&[cookie(b"crumbs")]);
        puppet.say_retry(&retry);
        assert_eq!(puppet.changed_cipher_spec, mode);
        // The server's own, after its HelloRetryRequest.
        puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
        puppet.lead_to("CONNECTED");
        assert_eq!(puppet.changed_cipher_spec, mode);
    }
}

/// A session is offered again with another binder, over the transcript with message_hash and
/// HelloRetryRequest (4.3.11.2), if its hash is that of the suite; if it is not, "the client SHOULD
/// NOT offer" it (4.2.4).
#[test]
fn a_retry_with_a_session() {
    let client = client();
    let psk = known(&client);
    let mut puppet = Puppet::serving(&client);
    let binder = |hello: &[u8]| hello[hello.len() - 32..].to_vec();
    let first = puppet.ask_for(Group::Secp256r1);
    is_the_same_but_for(&first, &puppet.client_hello, &[41, 51]);
    assert_ne!(binder(&first), binder(&puppet.client_hello));
    puppet.select(&psk);
    puppet.lead_to("CONNECTED");
    assert!(puppet.us.negotiated().unwrap().resumed());

    // TLS_AES_256_GCM_SHA384.
    known(&client);
    let mut puppet = Puppet::serving(&client);
    assert!(puppet.offered_ticket().is_some());
    puppet.suite = Suite::Aes256GcmSha384;
    let first = puppet.ask_for(Group::Secp256r1);
    is_the_same_but_for(&first, &puppet.client_hello, &[41, 51]);
    assert!(puppet.offered_ticket().is_none());
    puppet.lead_to("CONNECTED");
    assert!(!puppet.us.negotiated().unwrap().resumed());
}

/// A PSK that the second ClientHello no longer offers counts as not offered: selecting it answers
/// an extension that was not sent (4.3).
#[test]
fn a_session_that_was_taken_back_is_not_selected() {
    let client = client();
    known(&client);
    let mut puppet = Puppet::serving(&client);
    puppet.suite = Suite::Aes256GcmSha384;
    puppet.ask_for(Group::Secp256r1);
    let hello = puppet.server_hello(|hello| {
        hello
            .extensions
            .as_mut()
            .unwrap()
            .push(ServerHelloExtension::PreSharedKey(0))
    });
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "WAIT_SH",
        110,
        Fault::UnsolicitedExtension { message: "ServerHello", extension } if extension.0 == 41
    );
}

/// RFC 8448, section 5: its HelloRetryRequest asks for secp256r1, and has a cookie of 114 bytes.
#[test]
fn the_retry_of_rfc_8448() {
    let trace = crate::testing::rfc8448::trace("hello_retry_request");
    let retry = trace.message("record_hello_retry_request");
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .compatibility_mode(false)
        .build()
        .unwrap();
    let mut puppet = Puppet::serving(&client);
    let first = puppet.say_retry(retry);
    is_the_same_but_for(&first, &puppet.client_hello, &[44, 51]);
    let theirs = decode(trace.message("record_client_hello_2"));
    assert_eq!(puppet.offer().cookie().unwrap().len(), 114);
    assert_eq!(puppet.offer().cookie(), theirs.cookie());
    puppet.group = Group::Secp256r1;
    puppet.lead_to("CONNECTED");
}

// ---- what is wrong with a HelloRetryRequest ----

/// 4.3.8: "the selected_group field corresponds to a group which was provided in the
/// "supported_groups" extension".
#[test]
fn group_not_offered() {
    for group in [0x0018, 0x0019, 0x001e, 0x0100, 0x11eb, 0x11ed, 0x0a0a] {
        refused_retry!(
            |retry| retry.extensions[1] = selected_group(group),
            47,
            Fault::Illegal(Illegal::GroupNotOffered(got)) if got.0 == group
        );
    }
    // This group is implemented, but was not offered.
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .groups([NamedGroup(0x001d)])
        .build()
        .unwrap();
    refused_by!(
        &client,
        |_| {},
        47,
        Fault::Illegal(Illegal::GroupNotOffered(NamedGroup(SECP256R1)))
    );
}

/// 4.3.8: "the selected_group field does not correspond to a group which was provided in the
/// "key_share" extension"; with a cookie as well.
#[test]
fn group_already_shared() {
    for group in [0x001d, 0x11ec] {
        refused_retry!(
            |retry| retry.extensions[1] = selected_group(group),
            47,
            Fault::Illegal(Illegal::RetryWithoutChange)
        );
        refused_retry!(
            |retry| {
                retry.extensions[1] = selected_group(group);
                retry.extensions.push(cookie(b"crumbs"));
            },
            47,
            Fault::Illegal(Illegal::RetryWithoutChange)
        );
    }
}

/// 4.2.4: "if the HelloRetryRequest would not result in any change in the ClientHello":
/// illegal_parameter.
#[test]
fn nothing_changes() {
    refused_retry!(
        |retry| retry.extensions.truncate(1),
        47,
        Fault::Illegal(Illegal::RetryWithoutChange)
    );
}

/// 4.2.4: "MUST NOT contain any extensions that were not first offered by the client in its
/// ClientHello". 4.3: those that were offered are not allowed in it either.
#[test]
fn other_extensions() {
    for extension_type in [0x0a0a, 23, 34, 0xff01, 0xfe0d] {
        refused_retry!(
            |retry| retry.extensions.push(extension(extension_type, &[])),
            110,
            Fault::UnsolicitedExtension { message: "HelloRetryRequest", extension }
                if extension.0 == extension_type
        );
    }
    // The rows of 4.3's table without HRR. RFC 9149, section 3: "A client MUST abort ...
    // "illegal_parameter" ... if the "ticket_request" extension is present in any server handshake
    // message" but EncryptedExtensions.
    for extension_type in [
        0, 5, 10, 13, 14, 15, 16, 19, 20, 21, 27, 28, 41, 42, 45, 47, 48, 49, 50, 58,
    ] {
        refused_retry!(
            |retry| retry.extensions.push(extension(extension_type, &[])),
            47,
            Fault::MisplacedExtension { message: "HelloRetryRequest", extension }
                if extension.0 == extension_type
        );
    }
    refused_retry!(
        |retry| retry.extensions.push(selected_group(SECP256R1)),
        47,
        Fault::DuplicateExtension { message: "HelloRetryRequest", extension } if extension.0 == 51
    );
}

/// 4.2.4: "The server's extensions MUST contain "supported_versions"."
#[test]
fn no_supported_versions() {
    refused_retry!(
        |retry| drop(retry.extensions.remove(0)),
        109,
        Fault::MissingExtension { message: "HelloRetryRequest", extension } if extension.0 == 43
    );
}

/// 4.3.1: "a version not offered by the client or ... prior to TLS 1.3": illegal_parameter.
#[test]
fn version_not_offered() {
    for version in [0x0302, 0x0303, 0x0305, 0x7f1c] {
        refused_retry!(
            |retry| retry.extensions[0] = selected_version(version),
            47,
            Fault::Illegal(Illegal::VersionNotOffered(got)) if got.0 == version
        );
    }
}

/// 4.2.4: "MUST check the legacy_version, legacy_session_id_echo, cipher_suite, and
/// legacy_compression_method as specified in" 4.2.3.
#[test]
fn legacy_fields() {
    for version in [0x0301, 0x0302, 0x0304] {
        refused_retry!(
            |retry| retry.legacy_version = version,
            70,
            Fault::LegacyVersion(got) if got.0 == version
        );
    }
    refused_retry!(
        |retry| retry.session_id_echo = Vec::new(),
        47,
        Fault::Illegal(Illegal::SessionIdEcho)
    );
    refused_retry!(
        |retry| retry.session_id_echo[31] ^= 1,
        47,
        Fault::Illegal(Illegal::SessionIdEcho)
    );
    refused_retry!(
        |retry| retry.session_id_echo = vec![7; 33],
        50,
        Fault::Decode {
            problem: DecodeProblem::Length,
            ..
        }
    );
    for method in [1, 255] {
        refused_retry!(
            |retry| retry.compression_method = method,
            47,
            Fault::Illegal(Illegal::Compression)
        );
    }
    for suite in [0x00ff, 0x1304, 0xc02b] {
        refused_retry!(
            |retry| retry.cipher_suite = suite,
            47,
            Fault::Illegal(Illegal::SuiteNotOffered(got)) if got.0 == suite
        );
    }
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .cipher_suites([CipherSuite(0x1301)])
        .build()
        .unwrap();
    refused_by!(
        &client,
        |retry| retry.cipher_suite = 0x1303,
        47,
        Fault::Illegal(Illegal::SuiteNotOffered(CipherSuite(0x1303)))
    );
}

/// Section 6: decode_error.
#[test]
fn syntax() {
    refused_retry!(
        |retry| retry.extensions.push(cookie(b"")),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
    refused_retry!(
        |retry| retry.extensions[1] = extension(51, &[0]),
        50,
        Fault::Decode {
            problem: DecodeProblem::Truncated,
            ..
        }
    );
    // A KeyShareServerHello, which is only allowed in a ServerHello.
    refused_retry!(
        |retry| retry.extensions[1] = extension(51, &[&[0, 0x17, 0, 65][..], &[4; 65]].concat()),
        50,
        Fault::Decode {
            message: "HelloRetryRequest",
            problem: DecodeProblem::TrailingBytes,
            ..
        }
    );
}

/// 4.2.3: only the random decides. With this random, the extensions of a ServerHello make a
/// malformed retry. With one bit changed, the message is a ServerHello.
#[test]
fn the_random_decides() {
    let mut puppet = Puppet::serving(&client());
    let mut retry = puppet.retry(&[selected_group(SECP256R1)]);
    retry[4 + 2 + 31] ^= 1;
    refused!(
        puppet,
        plain(HANDSHAKE, &retry),
        "WAIT_SH",
        50,
        Fault::Decode {
            message: "ServerHello",
            ..
        }
    );
}

// ---- what is wrong with a ServerHello after it ----

/// 4.2.4: "If a client receives a second HelloRetryRequest in the same connection ...
/// "unexpected_message"". This holds whatever it requests.
#[test]
fn a_second_retry() {
    for extensions in [
        vec![selected_group(0x001d)],
        vec![cookie(b"crumbs")],
        vec![selected_group(SECP256R1)],
        vec![],
    ] {
        for first in [vec![selected_group(SECP256R1)], vec![cookie(b"first")]] {
            let mut puppet = Puppet::serving(&client());
            let retry = puppet.retry(&first);
            puppet.say_retry(&retry);
            let again = puppet.retry(&extensions);
            refused!(
                puppet,
                plain(HANDSHAKE, &again),
                "WAIT_SH",
                10,
                Fault::Unexpected {
                    expected: "ServerHello",
                    got: "HelloRetryRequest"
                }
            );
        }
    }
}

/// 4.2.4: "clients MUST check that the cipher suite supplied in the ServerHello is the same as that
/// in the HelloRetryRequest ... illegal_parameter".
#[test]
fn the_suite_changed() {
    for suite in [0x1302, 0x1303] {
        refused_hello!(
            |hello| hello.cipher_suite = CipherSuite(suite),
            47,
            Fault::Illegal(Illegal::SuiteChanged { retry: CipherSuite(0x1301), got })
                if got.0 == suite
        );
    }
    refused_hello!(
        |hello| hello.cipher_suite = CipherSuite(0x1304),
        47,
        Fault::Illegal(Illegal::SuiteNotOffered(CipherSuite(0x1304)))
    );
}

/// 4.3.8: "the client MUST verify that the selected NamedGroup in the ServerHello is the same as
/// that in the HelloRetryRequest". A group with a share in the first ClientHello is refused too.
#[test]
fn the_group_changed() {
    for group in [0x001d, 0x11ec, 0x0018] {
        let entry = crate::message::KeyShareEntry {
            group: NamedGroup(group),
            key_exchange: &[9; 32],
        };
        refused_hello!(
            |hello| hello.extensions.as_mut().unwrap()[1] = ServerHelloExtension::KeyShare(entry),
            47,
            Fault::Illegal(Illegal::GroupChanged { retry: NamedGroup(SECP256R1), got })
                if got.0 == group
        );
    }
    // After a cookie alone, the group must be one that has a share.
    let mut puppet = Puppet::serving(&client());
    let retry = puppet.retry(&[cookie(b"crumbs")]);
    puppet.say_retry(&retry);
    let entry = crate::message::KeyShareEntry {
        group: NamedGroup(SECP256R1),
        key_exchange: &[4; 65],
    };
    let hello = puppet.server_hello(|hello| {
        hello.extensions.as_mut().unwrap()[1] = ServerHelloExtension::KeyShare(entry)
    });
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "WAIT_SH",
        47,
        Fault::Illegal(Illegal::GroupNotOffered(NamedGroup(SECP256R1)))
    );
}

/// 4.2.4: "The value of selected_version in the HelloRetryRequest ... MUST be retained in the
/// ServerHello, and a client MUST abort the handshake with an "illegal_parameter" alert if the
/// value changes." A ServerHello without the extension is one of TLS 1.2.
#[test]
fn the_version_changed() {
    for version in [0x0303, 0x0305] {
        refused_hello!(
            |hello| hello.extensions.as_mut().unwrap()[0] = ServerHelloExtension::SupportedVersions(
                ProtocolVersion(version)
            ),
            47,
            Fault::Illegal(Illegal::VersionNotOffered(got)) if got.0 == version
        );
    }
    refused_hello!(
        |hello| hello
            .extensions
            .as_mut()
            .unwrap()
            .retain(|extension| matches!(extension, ServerHelloExtension::KeyShare(_))),
        47,
        Fault::Illegal(Illegal::VersionNotOffered(ProtocolVersion(0x0303)))
    );
    refused_hello!(
        |hello| hello.extensions = None,
        47,
        Fault::Illegal(Illegal::VersionNotOffered(ProtocolVersion(0x0303)))
    );
}

/// The other checks of a ServerHello are unchanged.
#[test]
fn other_rules_hold_after_a_retry() {
    refused_hello!(
        |hello| hello.session_id_echo = &[],
        47,
        Fault::Illegal(Illegal::SessionIdEcho)
    );
    refused_hello!(
        |hello| hello.compression_method = 1,
        47,
        Fault::Illegal(Illegal::Compression)
    );
    refused_hello!(
        |hello| hello.legacy_version = ProtocolVersion(0x0304),
        70,
        Fault::LegacyVersion(ProtocolVersion(0x0304))
    );
    refused_hello!(
        |hello| hello.extensions.as_mut().unwrap().truncate(1),
        109,
        Fault::MissingExtension { message: "ServerHello", extension } if extension.0 == 51
    );
    // Only a retry may contain a cookie.
    let crumbs = ServerHelloExtension::Unknown {
        extension_type: crate::code_point::ExtensionType(44),
        data: &[0, 1, 7],
    };
    refused_hello!(
        |hello| hello.extensions.as_mut().unwrap().push(crumbs),
        47,
        Fault::MisplacedExtension { message: "ServerHello", extension } if extension.0 == 44
    );
}

/// 4.1: "Transcript-Hash(ClientHello1, HelloRetryRequest, ... Mn)" begins with a message_hash. A
/// server that hashes the ClientHello itself, or leaves the retry out, has other keys: its records
/// do not open.
#[test]
fn the_transcript_is_that_of_the_standard() {
    for transcript in 0..2 {
        let mut puppet = Puppet::serving(&client());
        let retry = puppet.retry(&[cookie(b"crumbs")]);
        let first = puppet.say_retry(&retry);
        let second = puppet.client_hello.clone();
        puppet.transcript = match transcript {
            0 => [first, retry, second].concat(),
            _ => second,
        };
        puppet.say_server_hello();
        let record = puppet.record(HANDSHAKE, &[8, 0, 0, 2, 0, 0]);
        let error = puppet.feed(&record).unwrap_err();
        assert!(
            matches!(
                error,
                crate::error::Error::Protocol {
                    fault: Fault::BadRecordMac,
                    state: "WAIT_EE"
                }
            ),
            "{error}"
        );
        assert_eq!(error.alert().unwrap().0, 20);
    }
}
