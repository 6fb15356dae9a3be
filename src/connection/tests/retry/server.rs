//! HelloRetryRequest of our server (RFC 9846, 4.2.4): when it is sent, and what is refused in the
//! second ClientHello.

use crate::code_point::{
    CertificateType, CipherSuite, NamedGroup, ProtocolVersion, PskKeyExchangeMode, SignatureScheme,
};
use crate::connection::tests::puppet::client::{add, add_raw, asking_server, required, set};
use crate::connection::tests::puppet::retry::Asked;
use crate::connection::tests::puppet::session::{Psk, Ticket};
use crate::connection::tests::puppet::{
    APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Keys, Puppet, WORLD, plain, refused, server,
};
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::key_exchange::Group;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Illegal};
use crate::key_schedule::EarlySecret;
use crate::message::ClientHelloExtension::{
    Alpn, ClientCertificateType, Cookie, EarlyData, KeyShare, Padding, PskKeyExchangeModes,
    RecordSizeLimit, ServerCertificateType, ServerName, SignatureAlgorithms,
    SignatureAlgorithmsCert, SupportedGroups, SupportedVersions, TicketRequest,
};
use crate::message::{self, ClientHello, KeyShareEntry};
use crate::secret::Secret;
use crate::server::{Server, ServerBuilder};

/// How much early data our server skips, in bytes of ciphertext. This is our policy.
const BUDGET: usize = 64 * 1024;

fn builder() -> ServerBuilder {
    Server::builder().identity(WORLD.server.clone())
}

fn with_cookie() -> Server {
    builder().retry_cookie(true).build().unwrap()
}

fn named(groups: &[u16]) -> Vec<NamedGroup> {
    groups.iter().copied().map(NamedGroup).collect()
}

/// Asserts that the second ClientHello leads to a complete handshake, and data both ways.
#[track_caller]
fn completes(puppet: &mut Puppet) {
    puppet.hear_flight();
    let group = puppet.group.code_point();
    puppet.lead_server_to("CONNECTED");
    puppet.send(b"question").unwrap();
    assert_eq!(puppet.delivered, b"question");
    assert_eq!(puppet.us.write(b"answer").unwrap(), 6);
    assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"answer");
    assert_eq!(puppet.us.negotiated().unwrap().group(), group);
}

// ---- when it is sent ----

/// 4.2.4: "if it is able to find an acceptable set of parameters but the ClientHello does not
/// contain sufficient information". Our server requests its first choice of the client's groups,
/// with each suite, with and without client authentication and the client's compatibility mode.
#[test]
fn no_share_fits() {
    for server in [server(), asking_server(required())] {
        for suite in Suite::ALL {
            for session_id in [vec![], vec![0x1d; 32]] {
                let mut puppet = Puppet::calling_without_share(&server);
                puppet.suite = suite;
                puppet.session_id = session_id;
                assert_eq!(
                    puppet.say_first(),
                    Asked {
                        group: Some(NamedGroup(0x0017)),
                        cookie: None
                    }
                );
                assert_eq!(puppet.state(), "START");
                puppet.share(Group::Secp256r1);
                puppet.say_client_hello();
                completes(&mut puppet);
            }
        }
    }
}

/// 4.3.8: client_shares "MAY be empty if the client is requesting a HelloRetryRequest". Our
/// server's order then decides.
#[test]
fn no_share_at_all() {
    for (groups, expected) in [
        (&[0x0017][..], Group::Secp256r1),
        (&[0x0017, 0x001d], Group::X25519),
        (&[0x0017, 0x001d, 0x11ec], Group::X25519MlKem768),
        (&[0x0a0a, 0x0018, 0x001d], Group::X25519),
    ] {
        let mut puppet = Puppet::calling(&server());
        puppet.groups = named(groups);
        let hello = puppet.make_client_hello(|hello| set(hello, KeyShare(vec![])));
        puppet.say(&hello).unwrap();
        assert_eq!(
            puppet.hear_retry(),
            Asked {
                group: Some(expected.code_point()),
                cookie: None
            }
        );
        puppet.share(expected);
        puppet.say_client_hello();
        completes(&mut puppet);
    }
}

/// OpenSSL CVE-2026-2673: a server used the share that was sent, although both sides supported and
/// preferred a better group. Ours requests a share of the group that is secure against quantum
/// computers.
#[test]
fn cve_2026_2673_retry_to_the_better_group() {
    for (groups, share) in [
        (&[Group::X25519MlKem768, Group::X25519][..], Group::X25519),
        // The client's order does not matter.
        (&[Group::X25519, Group::X25519MlKem768], Group::X25519),
        (
            &[Group::Secp256r1, Group::X25519, Group::X25519MlKem768],
            Group::Secp256r1,
        ),
    ] {
        let mut puppet = Puppet::calling_with(&server(), groups, share);
        puppet.say_client_hello();
        assert_eq!(
            puppet.hear_retry(),
            Asked {
                group: Some(NamedGroup(0x11ec)),
                cookie: None
            }
        );
        puppet.share(Group::X25519MlKem768);
        puppet.say_client_hello();
        completes(&mut puppet);
    }
}

/// There is no retry for a group that is no better, that is not configured, or that the
/// configuration puts after the group of the share.
#[test]
fn a_share_that_will_do_is_taken() {
    let groups = |groups: &[u16]| builder().groups(named(groups)).build().unwrap();
    for (server, supported, share) in [
        (
            server(),
            &[Group::X25519, Group::Secp256r1][..],
            Group::Secp256r1,
        ),
        (server(), &[Group::X25519, Group::Secp256r1], Group::X25519),
        (
            server(),
            &[Group::X25519MlKem768, Group::X25519],
            Group::X25519MlKem768,
        ),
        (
            groups(&[0x001d, 0x0017]),
            &[Group::X25519MlKem768, Group::X25519],
            Group::X25519,
        ),
        (
            groups(&[0x001d, 0x11ec]),
            &[Group::X25519MlKem768, Group::X25519],
            Group::X25519,
        ),
    ] {
        let mut puppet = Puppet::calling_with(&server, supported, share);
        puppet.say_client_hello();
        completes(&mut puppet);
    }
}

/// Without a common group the server sends handshake_failure (4.2.1), and no retry.
#[test]
fn no_group_in_common_is_no_retry() {
    let mut puppet = Puppet::calling(&builder().groups(named(&[0x11ec])).build().unwrap());
    puppet.groups = named(&[0x001d, 0x0018]);
    let hello = puppet.make_client_hello(|_| {});
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        40,
        Fault::NoCommonGroup { offered, .. } if offered == named(&[0x001d, 0x0018])
    );
}

// ---- the cookie ----

/// 4.3.2: each connection has its own cookie, alone or with a group.
#[test]
fn a_cookie_is_asked_for() {
    let mut seen = Vec::new();
    for group in [Group::X25519, Group::X25519MlKem768] {
        let mut puppet = Puppet::calling_with(&with_cookie(), &[group], group);
        puppet.say_client_hello();
        let Asked {
            group: None,
            cookie: Some(cookie),
        } = puppet.hear_retry()
        else {
            panic!("a group, or no cookie")
        };
        let cookie: &'static [u8] = cookie.leak();
        assert!(!seen.contains(&cookie));
        seen.push(cookie);
        let hello = puppet.make_client_hello(|hello| add(hello, Cookie(cookie)));
        puppet.say(&hello).unwrap();
        completes(&mut puppet);
    }

    let mut puppet = Puppet::calling_with(
        &with_cookie(),
        &[Group::X25519MlKem768, Group::X25519],
        Group::X25519,
    );
    puppet.say_client_hello();
    let Asked {
        group: Some(NamedGroup(0x11ec)),
        cookie: Some(cookie),
    } = puppet.hear_retry()
    else {
        panic!("no group, or no cookie")
    };
    puppet.share(Group::X25519MlKem768);
    let cookie: &'static [u8] = cookie.leak();
    let hello = puppet.make_client_hello(|hello| add(hello, Cookie(cookie)));
    puppet.say(&hello).unwrap();
    completes(&mut puppet);
}

/// A cookie that is missing, wrong, cut, longer, of another connection, or was not issued.
#[test]
fn wrong_cookies() {
    let asked = || {
        let mut puppet = Puppet::calling(&with_cookie());
        puppet.say_client_hello();
        let cookie = puppet.hear_retry().cookie.unwrap();
        (puppet, cookie)
    };
    let other = asked().1;
    type Change<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;
    let changes: [Change<'_>; 6] = [
        &|_| None,
        &|cookie| Some([&cookie[..31], &[cookie[31] ^ 1]].concat()),
        &|cookie| Some([&[cookie[0] ^ 0x80], &cookie[1..]].concat()),
        &|cookie| Some(cookie[..31].to_vec()),
        &|cookie| Some([cookie, &[0]].concat()),
        &|_| Some(other.clone()),
    ];
    for change in changes {
        let (mut puppet, cookie) = asked();
        let hello = puppet.make_client_hello(|hello| {
            if let Some(cookie) = change(&cookie) {
                add(hello, Cookie(cookie.leak()));
            }
        });
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            47,
            Fault::Illegal(Illegal::HelloChanged { field: "cookie" })
        );
    }
    let mut puppet = Puppet::asked_again(&server());
    let hello = puppet.make_client_hello(|hello| add(hello, Cookie(b"crumbs")));
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        47,
        Fault::Illegal(Illegal::HelloChanged { field: "cookie" })
    );
}

// ---- what is wrong with the second ClientHello ----

/// Asserts that a difference between the ClientHellos that 4.2.2 does not allow is refused.
macro_rules! refused_change {
    ($first:expr, $second:expr, $field:expr) => {{
        let mut puppet = Puppet::calling_without_share(&server());
        let first: fn(&mut ClientHello<'_>) = $first;
        let hello = puppet.make_client_hello(|hello| {
            set(hello, KeyShare(vec![]));
            first(hello);
        });
        puppet.say(&hello).unwrap();
        puppet.hear_retry();
        puppet.share(Group::Secp256r1);
        let hello = puppet.make_client_hello(|hello| {
            first(hello);
            let second: fn(&mut ClientHello<'_>) = $second;
            second(hello);
        });
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            47,
            Fault::Illegal(Illegal::HelloChanged { field: $field })
        );
    }};
}

/// 4.2.2: "the client MUST send the same ClientHello without modification, except as follows".
#[test]
fn changed_fields() {
    refused_change!(|_| {}, |hello| hello.random[0] ^= 1, "random");
    refused_change!(|_| {}, |hello| hello.random[31] ^= 0x80, "random");
    refused_change!(|_| {}, |hello| hello.session_id = &[], "legacy_session_id");
    refused_change!(
        |_| {},
        |hello| hello.session_id = &[7; 32],
        "legacy_session_id"
    );
    refused_change!(
        |_| {},
        |hello| hello.legacy_version = ProtocolVersion(0x0304),
        "legacy_version"
    );
    refused_change!(
        |_| {},
        |hello| hello.compression_methods = &[0, 1],
        "legacy_compression_methods"
    );
    refused_change!(
        |_| {},
        |hello| hello.cipher_suites.push(CipherSuite(0x1303)),
        "cipher_suites"
    );
    refused_change!(
        |_| {},
        |hello| hello.cipher_suites = vec![CipherSuite(0x1303)],
        "cipher_suites"
    );
    refused_change!(
        |hello| hello.cipher_suites.push(CipherSuite(0x1302)),
        |hello| hello.cipher_suites.reverse(),
        "cipher_suites"
    );
}

/// The same for every extension but those that 4.2.2 names. RFC 9149, section 3: "a client MUST NOT
/// change the value of ClientTicketRequest".
#[test]
fn changed_extensions() {
    fn name(name: &'static str) -> message::ClientHelloExtension<'static> {
        ServerName(vec![message::ServerName::HostName(name)])
    }
    fn all(hello: &mut ClientHello<'_>) {
        add(hello, Alpn(vec![b"h2"]));
        add(hello, RecordSizeLimit(16385));
        add(
            hello,
            TicketRequest {
                new_session_count: 1,
                resumption_count: 1,
            },
        );
        add(hello, PskKeyExchangeModes(vec![PskKeyExchangeMode(1)]));
        add(hello, ClientCertificateType(vec![CertificateType(0)]));
        add(hello, ServerCertificateType(vec![CertificateType(0)]));
        add(
            hello,
            SignatureAlgorithmsCert(vec![SignatureScheme(0x0807)]),
        );
        add_raw(hello, 0x0a0a, b"grease");
    }
    let changes: [fn(&mut ClientHello<'_>); 16] = [
        |hello| set(hello, name("other.internal")),
        |hello| set(hello, SupportedGroups(vec![NamedGroup(0x0017)])),
        |hello| {
            set(
                hello,
                SupportedGroups(vec![
                    NamedGroup(0x001e),
                    NamedGroup(0x0017),
                    NamedGroup(0x001d),
                ]),
            )
        },
        |hello| {
            set(
                hello,
                SignatureAlgorithms(vec![SignatureScheme(0x0807), SignatureScheme(0x0403)]),
            )
        },
        |hello| {
            set(
                hello,
                SupportedVersions(vec![ProtocolVersion(0x0304), ProtocolVersion(0x0303)]),
            )
        },
        |hello| set(hello, SupportedVersions(vec![ProtocolVersion(0x0303)])),
        |hello| set(hello, Alpn(vec![b"h3"])),
        |hello| set(hello, RecordSizeLimit(16384)),
        |hello| {
            set(
                hello,
                TicketRequest {
                    new_session_count: 2,
                    resumption_count: 1,
                },
            )
        },
        |hello| {
            set(
                hello,
                TicketRequest {
                    new_session_count: 1,
                    resumption_count: 0,
                },
            )
        },
        |hello| {
            set(
                hello,
                PskKeyExchangeModes(vec![PskKeyExchangeMode(0), PskKeyExchangeMode(1)]),
            )
        },
        |hello| set(hello, ClientCertificateType(vec![CertificateType(2)])),
        |hello| {
            set(
                hello,
                ServerCertificateType(vec![CertificateType(2), CertificateType(0)]),
            )
        },
        |hello| {
            set(
                hello,
                SignatureAlgorithmsCert(vec![SignatureScheme(0x0403)]),
            )
        },
        // One suite is missing, or the order is another.
        |hello| drop(hello.extensions.as_mut().unwrap().remove(0)),
        |hello| hello.extensions.as_mut().unwrap().swap(0, 1),
    ];
    for change in changes {
        let mut puppet = Puppet::calling_without_share(&server());
        let hello = puppet.make_client_hello(|hello| {
            set(hello, KeyShare(vec![]));
            all(hello);
        });
        puppet.say(&hello).unwrap();
        puppet.hear_retry();
        puppet.share(Group::Secp256r1);
        let hello = puppet.make_client_hello(|hello| {
            all(hello);
            change(hello);
        });
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            47,
            Fault::Illegal(Illegal::HelloChanged {
                field: "extensions"
            })
        );
    }
}

/// 4.2.2: "Servers MUST ignore unrecognized extensions". We cannot know which of them may change.
/// encrypted_client_hello must change.
#[test]
fn unknown_extensions_may_change() {
    let changes: [fn(&mut ClientHello<'_>); 4] = [
        |hello| add_raw(hello, 0x0a0a, b"grease"),
        |hello| add_raw(hello, 0x0a0a, b"Grease"),
        |hello| add_raw(hello, 0x1a1a, b""),
        |_| {},
    ];
    for change in changes {
        let mut puppet = Puppet::calling_without_share(&server());
        let hello = puppet.make_client_hello(|hello| {
            set(hello, KeyShare(vec![]));
            add_raw(hello, 0x0a0a, b"grease");
        });
        puppet.say(&hello).unwrap();
        puppet.hear_retry();
        puppet.share(Group::Secp256r1);
        let hello = puppet.make_client_hello(change);
        puppet.say(&hello).unwrap();
        completes(&mut puppet);
    }
}

/// 4.2.2: "Optionally adding, removing, or changing the length of the "padding" extension".
#[test]
fn padding_may_change() {
    for (first, second) in [
        (None, Some(100)),
        (Some(100), None),
        (Some(100), Some(30)),
        (Some(0), Some(1)),
    ] {
        let mut puppet = Puppet::calling_without_share(&server());
        let pad = |hello: &mut ClientHello<'_>, length: Option<usize>| {
            if let Some(length) = length {
                add(hello, Padding(&[0; 100][..length]));
            }
        };
        let hello = puppet.make_client_hello(|hello| {
            set(hello, KeyShare(vec![]));
            pad(hello, first);
        });
        puppet.say(&hello).unwrap();
        puppet.hear_retry();
        puppet.share(Group::Secp256r1);
        let hello = puppet.make_client_hello(|hello| pad(hello, second));
        puppet.say(&hello).unwrap();
        completes(&mut puppet);
    }
}

/// 4.2.2: "a list containing a single KeyShareEntry from the indicated group". If none was
/// indicated, the shares must be the same as before.
#[test]
fn wrong_shares() {
    fn share(group: u16, key_exchange: &'static [u8]) -> KeyShareEntry<'static> {
        KeyShareEntry {
            group: NamedGroup(group),
            key_exchange,
        }
    }
    let lists: [fn() -> Vec<KeyShareEntry<'static>>; 5] = [
        Vec::new,
        || vec![share(0x001e, &[9; 56])],
        || vec![share(0x001e, &[9; 56]), share(0x0017, &[4; 65])],
        || vec![share(0x0017, &[4; 65]), share(0x0017, &[4; 65])],
        || vec![share(0x001d, &[9; 32])],
    ];
    for list in lists {
        let mut puppet = Puppet::asked_again(&server());
        let hello = puppet.make_client_hello(|hello| set(hello, KeyShare(list())));
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            47,
            Fault::Illegal(Illegal::HelloChanged { field: "key_share" })
        );
    }
    let mut puppet = Puppet::calling(&with_cookie());
    puppet.say_client_hello();
    let cookie: &'static [u8] = puppet.hear_retry().cookie.unwrap().leak();
    puppet.share(Group::X25519);
    let hello = puppet.make_client_hello(|hello| add(hello, Cookie(cookie)));
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        47,
        Fault::Illegal(Illegal::HelloChanged { field: "key_share" })
    );

    // These are not points of the curve (4.3.8.2), with the right length and with another.
    for point in [&[4; 65][..], &[4; 64], &[9; 32], &[2; 33]] {
        let mut puppet = Puppet::asked_again(&server());
        let point: &'static [u8] = point.to_vec().leak();
        let hello =
            puppet.make_client_hello(|hello| set(hello, KeyShare(vec![share(0x0017, point)])));
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            47,
            Fault::Illegal(Illegal::KeyShare {
                group: NamedGroup(0x0017)
            })
        );
    }
}

/// "Because TLS 1.3 forbids renegotiation, if a server has negotiated TLS 1.3 and receives a
/// ClientHello at any other time": unexpected_message.
#[test]
fn a_third_client_hello() {
    let mut puppet = Puppet::asked_again(&server());
    let hello = puppet.make_client_hello(|_| {});
    puppet.say(&hello).unwrap();
    puppet.hear_flight();
    let record = puppet.record(HANDSHAKE, &hello);
    refused!(
        puppet,
        record,
        "WAIT_FINISHED",
        10,
        Fault::Unexpected {
            expected: "Finished",
            got: "ClientHello"
        }
    );
}

/// wolfSSL CVE-2022-39173: suites that were repeated in both ClientHellos overflowed a list of
/// common suites.
#[test]
fn cve_2022_39173_duplicate_suites_in_both_client_hellos() {
    let many = |hello: &mut ClientHello<'_>| {
        hello.cipher_suites = [0x1301, 0x1303, 0x1302]
            .repeat(10_000)
            .into_iter()
            .map(CipherSuite)
            .collect()
    };
    let server = builder().build().unwrap();
    let mut puppet = Puppet::calling_without_share(&server);
    let first = puppet.make_client_hello(|hello| {
        set(hello, KeyShare(vec![]));
        many(hello);
    });
    let records = |hello: &[u8]| -> Vec<u8> {
        hello
            .chunks(16384)
            .flat_map(|part| plain(HANDSHAKE, part))
            .collect()
    };
    puppet.transcript.extend_from_slice(&first);
    puppet.feed(&records(&first)).unwrap();
    puppet.hear_retry();
    puppet.share(Group::Secp256r1);
    let second = puppet.make_client_hello(many);
    puppet.transcript.extend_from_slice(&second);
    puppet.feed(&records(&second)).unwrap();
    completes(&mut puppet);
}

// ---- PSKs ----

/// Our server has sent a retry to a client with one of its tickets and no suitable share.
fn retried_with(server: &Server, psks: impl FnOnce(&Ticket) -> Vec<Psk>) -> (Puppet, Ticket) {
    let [ticket, _] = &Puppet::tickets_of(server)[..] else {
        panic!("not two tickets")
    };
    let mut puppet = Puppet::calling_without_share(server);
    puppet.modes = vec![1];
    puppet.psks = psks(ticket);
    assert_eq!(puppet.say_first().group, Some(NamedGroup(0x0017)));
    puppet.share(Group::Secp256r1);
    (puppet, ticket.clone())
}

/// 4.2.2: "recomputing the "obfuscated_ticket_age" and binder values"; the binder covers
/// message_hash, HelloRetryRequest and the second ClientHello up to the binders (4.3.11.2).
#[test]
fn a_session_is_resumed_after_a_retry() {
    let server = server();
    let (mut puppet, _) = retried_with(&server, |ticket| vec![ticket.psk()]);
    puppet.psks[0].obfuscated_ticket_age += 40;
    assert!(puppet.is_resumed());
    assert_eq!(puppet.us.negotiated().unwrap().group(), NamedGroup(0x0017));

    // A binder over only the second ClientHello is wrong.
    let (mut puppet, _) = retried_with(&server, |ticket| vec![ticket.psk()]);
    let transcript = core::mem::take(&mut puppet.transcript);
    let hello = puppet.make_client_hello(|_| {});
    puppet.transcript = transcript;
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        51,
        Fault::BadBinder
    );
}

/// GnuTLS CVE-2025-6395: a null pointer was used if a second ClientHello lacked the PSK of the
/// first one. Removing it is allowed: "(optionally) removing any PSKs".
#[test]
fn cve_2025_6395_psk_removed_in_the_second_client_hello() {
    for psks in 1..4 {
        for left in 0..psks {
            let (mut puppet, _) = retried_with(&server(), |_| vec![Psk::unknown(); psks]);
            puppet.psks.truncate(left);
            assert!(!puppet.is_resumed());
        }
    }
    // If a known PSK is left, it is selected.
    let server = server();
    for before in [0, 1, 2] {
        let (mut puppet, ticket) = retried_with(&server, |ticket| {
            let mut psks = vec![Psk::unknown(); before];
            psks.push(ticket.psk());
            psks.push(Psk::unknown());
            psks
        });
        puppet.psks = vec![ticket.psk()];
        assert!(puppet.is_resumed());
    }
    // All PSKs are removed, but psk_key_exchange_modes stays.
    let (mut puppet, _) = retried_with(&server, |ticket| vec![ticket.psk()]);
    puppet.psks.clear();
    assert!(!puppet.is_resumed());
}

/// PSKs must not be added or reordered.
#[test]
fn psks_are_not_added() {
    let server = server();
    type Change<'a> = &'a dyn Fn(&Ticket) -> Vec<Psk>;
    let changes: [Change<'_>; 5] = [
        &|ticket| vec![ticket.psk(), Psk::unknown(), Psk::unknown()],
        &|ticket| vec![Psk::unknown(), ticket.psk()],
        &|_| {
            vec![Psk {
                identity: b"another".to_vec(),
                ..Psk::unknown()
            }]
        },
        &|ticket| vec![ticket.psk(), ticket.psk()],
        &|ticket| {
            vec![
                ticket.psk(),
                Psk {
                    identity: b"another".to_vec(),
                    ..Psk::unknown()
                },
            ]
        },
    ];
    for change in changes {
        let (mut puppet, ticket) =
            retried_with(&server, |ticket| vec![ticket.psk(), Psk::unknown()]);
        puppet.psks = change(&ticket);
        let hello = puppet.make_client_hello(|_| {});
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            47,
            Fault::Illegal(Illegal::HelloChanged {
                field: "pre_shared_key"
            })
        );
    }
    // There were none before.
    let ticket = Puppet::tickets_of(&server).remove(0);
    let mut puppet = Puppet::calling_without_share(&server);
    puppet.modes = vec![1];
    puppet.say_first();
    puppet.share(Group::Secp256r1);
    puppet.psks = vec![ticket.psk()];
    let hello = puppet.make_client_hello(|_| {});
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        47,
        Fault::Illegal(Illegal::HelloChanged {
            field: "pre_shared_key"
        })
    );
}

// ---- early data ----

/// Returns a client that offered early data and received a retry, with the required changes made,
/// and its early keys.
fn retried_with_early_data(server: &Server) -> (Puppet, Keys) {
    let mut puppet = Puppet::calling_without_share(server);
    puppet.modes = vec![1];
    puppet.psks = vec![Psk::unknown()];
    let hello = puppet.make_client_hello(|hello| {
        set(hello, KeyShare(vec![]));
        add(hello, EarlyData);
    });
    puppet.say(&hello).unwrap();
    let psk = Secret::copy_of(&Psk::unknown().key);
    let early = EarlySecret::new(HashAlgorithm::Sha256, Some(&psk))
        .client_early_traffic(&HashAlgorithm::Sha256.hash(&hello));
    let keys = Keys::new(puppet.suite, early);
    puppet.hear_retry();
    puppet.share(Group::Secp256r1);
    (puppet, keys)
}

/// 4.2.2: "Removing the "early_data" extension ... if one was present. Early data is not permitted
/// after a HelloRetryRequest." It must not be added then either.
#[test]
fn early_data_is_removed() {
    let (mut puppet, _) = retried_with_early_data(&server());
    let hello = puppet.make_client_hello(|hello| add(hello, EarlyData));
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        47,
        Fault::Illegal(Illegal::HelloChanged {
            field: "early_data"
        })
    );
    let mut puppet = Puppet::asked_again(&server());
    let hello = puppet.make_client_hello(|hello| add(hello, EarlyData));
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        47,
        Fault::Illegal(Illegal::HelloChanged {
            field: "early_data"
        })
    );
}

/// 4.3.10: "The server then ignores early data by skipping all records with an external content
/// type of "application_data" (indicating that they are encrypted), up to the configured
/// max_early_data_size." `early_data/skipped.rs` has more tests of what is skipped.
#[test]
fn early_data_between_the_hellos_is_skipped() {
    for server in [server(), asking_server(required())] {
        let (mut puppet, mut keys) = retried_with_early_data(&server);
        puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
        for length in [0, 1, 1000, 16384] {
            puppet
                .feed(&keys.seal(
                    0x0303,
                    &[&vec![0xed; length], &[APPLICATION_DATA][..]].concat(),
                ))
                .unwrap();
        }
        puppet.say_client_hello();
        completes(&mut puppet);
        assert_eq!(puppet.us.negotiated().unwrap().group(), NamedGroup(0x0017));
    }

    let (mut puppet, mut keys) = retried_with_early_data(&server());
    for _ in 0..BUDGET / 16384 {
        puppet
            .feed(&keys.seal(0x0303, &vec![APPLICATION_DATA; 16384 - 16]))
            .unwrap();
    }
    let over = keys.seal(0x0303, &[APPLICATION_DATA]);
    refused!(
        puppet,
        over,
        "START",
        10,
        Fault::UnexpectedRecord { got } if got.0 == APPLICATION_DATA
    );
}

/// After the second ClientHello nothing more is skipped, and nothing at all if the first offered no
/// early data.
#[test]
fn early_data_after_the_second_hello_is_refused() {
    let (mut puppet, mut keys) = retried_with_early_data(&server());
    puppet.say_client_hello();
    puppet.hear_flight();
    let late = keys.seal(0x0303, &[APPLICATION_DATA]);
    refused!(puppet, late, "WAIT_FINISHED", 20, Fault::BadRecordMac);

    let (_, mut keys) = retried_with_early_data(&server());
    let mut puppet = Puppet::asked_again(&server());
    let data = keys.seal(0x0303, &[APPLICATION_DATA]);
    refused!(
        puppet,
        data,
        "START",
        10,
        Fault::UnexpectedRecord { got } if got.0 == APPLICATION_DATA
    );
}

/// A configuration is chosen after the first ClientHello. The second one is compared with the
/// first, and causes no further question.
#[test]
fn a_configuration_that_is_chosen_late() {
    use crate::connection::tests::puppet::{Side, now};
    use crate::connection::{Connection, Status};
    use crate::crypto::random::SystemRandom;
    use crate::handshake::Question;

    let mut puppet = Puppet::new(Side::Client, Connection::undecided(now()));
    puppet.session_id = vec![0x1d; 32];
    puppet.share(Group::X25519);
    puppet.groups = named(&[0x11ec, 0x001d]);
    let hello = puppet.make_client_hello(|_| {});
    assert_eq!(
        puppet.say(&hello).unwrap(),
        Status::Ask(Question::Configuration)
    );
    puppet
        .us
        .choose(&server(), now(), &mut SystemRandom)
        .unwrap();
    assert_eq!(puppet.hear_retry().group, Some(NamedGroup(0x11ec)));
    puppet.share(Group::X25519MlKem768);
    puppet.say_client_hello();
    completes(&mut puppet);
}
