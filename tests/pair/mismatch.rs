//! Configurations that do not fit each other, and retries that somebody changed on the way. The
//! standard's answer to each is written out.

use fleeting::{
    AlertDescription, Authority, CertificateError, CipherSuite, Client, ClientAuth, ClientBuilder,
    ConfigError, Error, Fault, Identity, Illegal, NamedGroup, PublicKey, Server, ServerBuilder,
    SessionCache, Trust,
};

use crate::cast::{self, Credential, cast};
use crate::support::{End, NAME, Pair};
use crate::wire::{COOKIE, Hello, KEY_SHARE, Transport, hellos};
use Credential::{Certificate, RawKey};
use Expected::{ClientRefuses, Connected, ServerRefuses};

/// The outcome of a handshake.
enum Expected {
    /// The client ends the handshake with such an error and this alert (RFC 9846, 6).
    ClientRefuses(fn(&Fault) -> bool, AlertDescription),
    ServerRefuses(fn(&Fault) -> bool, AlertDescription),
    /// The handshake completes. Contains the client's key as the server sees it, and how many
    /// ClientHellos there were.
    Connected(Option<PublicKey>, usize),
}

/// One side found the fault and sent an alert, and the other side received it.
fn assert_refused(
    refuses: &End,
    hears: &End,
    fault_is: fn(&Fault) -> bool,
    alert: AlertDescription,
    what: &str,
) {
    let error = refuses.status.as_ref().expect_err(what);
    assert!(
        matches!(error, Error::Protocol { fault, .. } if fault_is(fault)),
        "{what}: {error:?}"
    );
    assert_eq!(error.alert(), Some(alert), "{what}");
    assert!(
        matches!(hears.status, Err(Error::AlertReceived { alert: heard, .. }) if heard == alert),
        "{what}: {:?}",
        hears.status
    );
    for end in [refuses, hears] {
        assert!(
            end.connection.negotiated().is_none() && end.read.is_empty(),
            "{what}"
        );
    }
}

impl Expected {
    fn check(&self, pair: &mut Pair, what: &str) {
        match self {
            ClientRefuses(fault_is, alert) => {
                assert_refused(&pair.client, &pair.server, *fault_is, *alert, what)
            }
            ServerRefuses(fault_is, alert) => {
                assert_refused(&pair.server, &pair.client, *fault_is, *alert, what)
            }
            Connected(client, rounds) => {
                assert!(
                    pair.client.status.is_ok() && pair.server.status.is_ok(),
                    "{what}"
                );
                pair.assert_same_view();
                assert_eq!(
                    cast::seen(&pair.server.connection).map(|seen| seen.key),
                    *client,
                    "{what}"
                );
                assert_eq!(hellos(&pair.client.sent).len(), *rounds, "{what}");
            }
        }
    }
}

fn client(server: Credential) -> ClientBuilder {
    Client::builder().trust(server.trust_in_server())
}

fn server(credential: Credential) -> ServerBuilder {
    Server::builder().identity(credential.server().clone())
}

fn required(client: Credential) -> ClientAuth {
    ClientAuth::Required(client.trust_in_client())
}

fn optional(client: Credential) -> ClientAuth {
    ClientAuth::Optional(client.trust_in_client())
}

fn self_signed(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Certificate(CertificateError::SelfSigned { .. })
    )
}

fn unknown_issuer(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Certificate(CertificateError::UnknownIssuer { .. })
    )
}

fn untrusted_key(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Certificate(CertificateError::UntrustedKey { .. })
    )
}

fn certificate_required(fault: &Fault) -> bool {
    matches!(fault, Fault::CertificateRequired { .. })
}

fn no_common_group(fault: &Fault) -> bool {
    matches!(fault, Fault::NoCommonGroup { .. })
}

fn run(rows: impl IntoIterator<Item = (&'static str, ClientBuilder, ServerBuilder, Expected)>) {
    for (what, client, server, expected) in rows {
        // There is no cache, so nothing is remembered from one transport to the next.
        let (client, server) = (
            client.sessions(SessionCache::new(0)).build().unwrap(),
            server.build().unwrap(),
        );
        for transport in Transport::ALL {
            expected.check(&mut cast::handshake(&client, &server, transport, 1), what);
        }
    }
}

/// The server's identity. RFC 9846, 6.2: unknown_ca if no path leads to a trust anchor, or the key
/// is not a known one.
#[test]
fn servers() {
    let refused_key = || ClientRefuses(untrusted_key, AlertDescription::UNKNOWN_CA);
    let refused_self_signed = || ClientRefuses(self_signed, AlertDescription::UNKNOWN_CA);
    let refused_chain = || ClientRefuses(unknown_issuer, AlertDescription::UNKNOWN_CA);
    let stranger = || Server::builder().identity(Identity::generate().unwrap());
    let pinned = Trust::key_for(NAME, Certificate.server().public_key());
    let elsewhere = Trust::key_for("elsewhere.internal", RawKey.server().public_key());
    let both = RawKey.trust_in_server().and(Certificate.trust_in_server());
    run([
        // RFC 7250, 4.1: a client that does not accept raw keys does not offer them, so the key
        // comes in a certificate, which no root issued.
        (
            "a key where roots are trusted",
            client(Certificate),
            server(RawKey),
            refused_self_signed(),
        ),
        (
            "a certificate where another key is trusted",
            client(RawKey),
            server(Certificate),
            refused_key(),
        ),
        (
            "an unknown key where keys are trusted",
            client(RawKey),
            stranger(),
            refused_key(),
        ),
        (
            "an unknown key where roots are trusted",
            client(Certificate),
            stranger(),
            refused_self_signed(),
        ),
        // The client offers both kinds, and this server presents its key. Trusted roots do not make
        // up for an unknown key.
        (
            "an unknown key where both are trusted",
            client(Certificate).trust(both.clone()),
            stranger(),
            refused_key(),
        ),
        (
            "a stranger's certificate",
            client(Certificate),
            Server::builder().identity(cast::server_of(&cast().stranger)),
            refused_chain(),
        ),
        // RFC 9846, F.9: a key is bound to a name.
        (
            "the key of another name",
            Client::builder().trust(elsewhere),
            server(RawKey),
            refused_key(),
        ),
        // The following rows fit.
        (
            "a certificate whose key is trusted",
            Client::builder().trust(pinned),
            server(Certificate),
            Connected(None, 1),
        ),
        (
            "a key where both are trusted",
            Client::builder().trust(both.clone()),
            server(RawKey),
            Connected(None, 1),
        ),
        (
            "a certificate where both are trusted",
            Client::builder().trust(both),
            server(Certificate),
            Connected(None, 1),
        ),
    ]);
}

/// The client's identity. RFC 9846, 4.5.1.3: without a certificate the server continues or sends
/// certificate_required. A certificate that is presented is verified in both cases.
#[test]
fn clients() {
    let refused_key = || ServerRefuses(untrusted_key, AlertDescription::UNKNOWN_CA);
    let refused_chain = || ServerRefuses(unknown_issuer, AlertDescription::UNKNOWN_CA);
    let refused_self_signed = || ServerRefuses(self_signed, AlertDescription::UNKNOWN_CA);
    let nothing = || ServerRefuses(certificate_required, AlertDescription::CERTIFICATE_REQUIRED);
    let with = |credential: Credential| client(Certificate).identity(credential.client().clone());
    let ask = |client_auth| server(Certificate).client_auth(client_auth);
    let unknown = || client(Certificate).identity(Identity::generate().unwrap());
    let stranger = || client(Certificate).identity(cast::client_of(&cast().stranger));
    let pinned = |name| Trust::key_for(name, Certificate.client().public_key());
    let key = |credential: Credential| Some(credential.client().public_key());
    run([
        (
            "nothing to show where a certificate is required",
            client(Certificate),
            ask(required(Certificate)),
            nothing(),
        ),
        (
            "nothing to show where a key is required",
            client(Certificate),
            ask(required(RawKey)),
            nothing(),
        ),
        (
            "nothing to show where a certificate is optional",
            client(Certificate),
            ask(optional(Certificate)),
            Connected(None, 1),
        ),
        (
            "nothing to show where a key is optional",
            client(Certificate),
            ask(optional(RawKey)),
            Connected(None, 1),
        ),
        // RFC 9846, 4.3.4: the authorities that the server names guide a choice, and these clients
        // have none.
        (
            "a key where roots are required",
            with(RawKey),
            ask(required(Certificate)),
            refused_self_signed(),
        ),
        (
            "a key where roots are optional",
            with(RawKey),
            ask(optional(Certificate)),
            refused_self_signed(),
        ),
        (
            "a stranger's certificate where one is required",
            stranger(),
            ask(required(Certificate)),
            refused_chain(),
        ),
        (
            "a stranger's certificate where one is optional",
            stranger(),
            ask(optional(Certificate)),
            refused_chain(),
        ),
        (
            "a certificate where another key is required",
            with(Certificate),
            ask(required(RawKey)),
            refused_key(),
        ),
        (
            "a certificate where another key is optional",
            with(Certificate),
            ask(optional(RawKey)),
            refused_key(),
        ),
        (
            "an unknown key where a key is required",
            unknown(),
            ask(required(RawKey)),
            refused_key(),
        ),
        (
            "an unknown key where a key is optional",
            unknown(),
            ask(optional(RawKey)),
            refused_key(),
        ),
        // The following rows fit.
        (
            "a certificate whose key is trusted",
            with(Certificate),
            ask(ClientAuth::Required(pinned("client.internal"))),
            Connected(key(Certificate), 1),
        ),
        (
            "a key where both are trusted",
            with(RawKey),
            ask(ClientAuth::Required(
                RawKey.trust_in_client().and(cast().root.trust()),
            )),
            Connected(key(RawKey), 1),
        ),
        (
            "a certificate where both are trusted",
            with(Certificate),
            ask(ClientAuth::Required(
                RawKey.trust_in_client().and(cast().root.trust()),
            )),
            Connected(key(Certificate), 1),
        ),
    ]);
}

/// RFC 9846, 4.2.1: "If there is no overlap between the received "supported_groups" and the groups
/// supported by the server, then the server MUST abort the handshake with a "handshake_failure" or
/// an "insufficient_security" alert". A retry helps only if there is a group in common.
#[test]
fn suites_and_groups() {
    let (hybrid, x25519, p256) = (
        NamedGroup::X25519_MLKEM768,
        NamedGroup::X25519,
        NamedGroup::SECP256R1,
    );
    let refused = || ServerRefuses(no_common_group, AlertDescription::HANDSHAKE_FAILURE);
    let offers = |groups: &[NamedGroup], shares: &[NamedGroup]| {
        client(RawKey)
            .groups(groups.to_vec())
            .key_shares(shares.to_vec())
    };
    let takes = |groups: &[NamedGroup]| server(RawKey).groups(groups.to_vec());
    let suite = |suite| [suite];
    run([
        (
            "no suite in common",
            client(RawKey).cipher_suites(suite(CipherSuite::TLS_AES_128_GCM_SHA256)),
            server(RawKey).cipher_suites([
                CipherSuite::TLS_AES_256_GCM_SHA384,
                CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
            ]),
            ServerRefuses(
                |fault| matches!(fault, Fault::NoCommonSuite { .. }),
                AlertDescription::HANDSHAKE_FAILURE,
            ),
        ),
        (
            "no group in common",
            offers(&[x25519], &[x25519]),
            takes(&[p256]),
            refused(),
        ),
        (
            "no group in common, and no share",
            offers(&[hybrid, x25519], &[]),
            takes(&[p256]),
            refused(),
        ),
        (
            "no group in common, and a cookie wanted",
            offers(&[p256], &[p256]),
            takes(&[x25519]).retry_cookie(true),
            refused(),
        ),
        // The following rows fit.
        (
            "no share at all",
            offers(&[x25519, p256], &[]),
            takes(&[p256, x25519]),
            Connected(None, 2),
        ),
        (
            "a share for the second best",
            offers(&[p256, x25519], &[p256]),
            takes(&[x25519, p256]),
            Connected(None, 1),
        ),
        // RFC 10024 and the policy of `ServerBuilder::groups`: secrecy against quantum computers is
        // worth a round trip.
        (
            "a share for the second best, where the best is a hybrid",
            offers(&[x25519, hybrid], &[x25519]),
            takes(&[hybrid, x25519]),
            Connected(None, 2),
        ),
        (
            "the hybrid is the second best",
            offers(&[x25519, hybrid], &[x25519]),
            takes(&[x25519, hybrid]),
            Connected(None, 1),
        ),
        (
            "the defaults",
            client(RawKey),
            server(RawKey),
            Connected(None, 1),
        ),
        (
            "the defaults, where the server is old",
            client(RawKey),
            takes(&[x25519]),
            Connected(None, 1),
        ),
        (
            "the defaults, where the server knows the third alone",
            client(RawKey),
            takes(&[p256]),
            Connected(None, 2),
        ),
        (
            "the defaults, where the client knows the third alone",
            offers(&[p256], &[p256]),
            server(RawKey),
            Connected(None, 1),
        ),
    ]);
}

#[test]
fn a_share_for_a_group_that_is_not_offered_is_refused() {
    let error = client(RawKey)
        .groups([NamedGroup::X25519])
        .key_shares([NamedGroup::SECP256R1])
        .build()
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Config(ConfigError::Setting {
                name: "key_shares",
                ..
            })
        ),
        "{error:?}"
    );
}

/// Changes a message in the clear.
type Change = fn(&mut Hello);

/// Runs a handshake with a retry by group and cookie, in which one message is changed: the
/// HelloRetryRequest, the second ClientHello, or the ServerHello.
fn with_changed(message: usize, change: Change) -> Pair {
    let client = client(RawKey)
        .groups([NamedGroup::X25519, NamedGroup::SECP256R1])
        .build()
        .unwrap();
    let server = server(RawKey)
        .groups([NamedGroup::SECP256R1])
        .retry_cookie(true)
        .build()
        .unwrap();
    let mut pair = Pair::between(&client, &server, 1);
    let mut number = 0;
    loop {
        let mut moved = 0;
        for from_client in [true, false] {
            let (from, to) = if from_client {
                (&mut pair.client, &mut pair.server)
            } else {
                (&mut pair.server, &mut pair.client)
            };
            for mut record in crate::support::records(&from.send(usize::MAX)) {
                if record[0] == 22 {
                    if number == message {
                        let mut hello = hellos(&record).remove(0);
                        change(&mut hello);
                        record = hello.write();
                    }
                    number += 1;
                }
                to.receive(&record, usize::MAX);
                moved += 1;
            }
        }
        if moved == 0 {
            return pair;
        }
    }
}

const RETRY: usize = 1;
const SECOND_HELLO: usize = 2;
const SERVER_HELLO: usize = 3;

fn set(hello: &mut Hello, kind: u16, value: &[u8]) {
    let extension = hello
        .extensions
        .iter_mut()
        .find(|(there, _)| *there == kind)
        .expect("the extension");
    extension.1 = value.to_vec();
}

/// The position of the two bytes of the chosen suite in [`Hello::middle`] of a server in
/// compatibility mode: after a session id of 32 bytes.
const SUITE: usize = 33;

/// RFC 7250: an extension that the server knows, and that a client without an identity does not
/// send. Extensions that a server does not know may be added and removed.
const CLIENT_CERTIFICATE_TYPE: u16 = 19;

#[test]
fn a_retry_that_was_changed() {
    let illegal = AlertDescription::ILLEGAL_PARAMETER;
    let rows: [(&str, usize, Change, Expected); 14] = [
        ("nothing", RETRY, |_| {}, Connected(None, 2)),
        // RFC 9846, 4.3.8: the group was offered, but no share for it was sent.
        (
            "a retry for a group that was shared",
            RETRY,
            |hello| set(hello, KEY_SHARE, &NamedGroup::X25519.0.to_be_bytes()),
            ClientRefuses(
                |fault| matches!(fault, Fault::Illegal(Illegal::RetryWithoutChange)),
                illegal,
            ),
        ),
        (
            "a retry for a group that was not offered",
            RETRY,
            |hello| {
                set(
                    hello,
                    KEY_SHARE,
                    &NamedGroup::X25519_MLKEM768.0.to_be_bytes(),
                )
            },
            ClientRefuses(
                |fault| matches!(fault, Fault::Illegal(Illegal::GroupNotOffered(_))),
                illegal,
            ),
        ),
        // RFC 9846, 4.2.4: the retry would change nothing.
        (
            "a retry for nothing",
            RETRY,
            |hello| hello.extensions.truncate(1),
            ClientRefuses(
                |fault| matches!(fault, Fault::Illegal(Illegal::RetryWithoutChange)),
                illegal,
            ),
        ),
        // RFC 9846, 4.2.4: the retry may contain no extension that the client did not offer, except
        // the cookie.
        (
            "a retry with an unknown extension",
            RETRY,
            |hello| hello.extensions.push((0x7777, Vec::new())),
            ClientRefuses(
                |fault| matches!(fault, Fault::UnsolicitedExtension { .. }),
                AlertDescription::UNSUPPORTED_EXTENSION,
            ),
        ),
        // RFC 9846, 4.2.3: the suite was not offered, or the session id is not the client's.
        (
            "a retry with a suite that was not offered",
            RETRY,
            |hello| hello.middle[SUITE + 1] = 4,
            ClientRefuses(
                |fault| matches!(fault, Fault::Illegal(Illegal::SuiteNotOffered(_))),
                illegal,
            ),
        ),
        (
            "a retry with another session id",
            RETRY,
            |hello| hello.middle[1] ^= 1,
            ClientRefuses(
                |fault| matches!(fault, Fault::Illegal(Illegal::SessionIdEcho)),
                illegal,
            ),
        ),
        // RFC 9846, 4.2.2: these must not change from one ClientHello to the next.
        (
            "a second hello with another random",
            SECOND_HELLO,
            |hello| hello.random[0] ^= 1,
            ServerRefuses(
                |fault| {
                    matches!(
                        fault,
                        Fault::Illegal(Illegal::HelloChanged { field: "random" })
                    )
                },
                illegal,
            ),
        ),
        (
            "a second hello with another cookie",
            SECOND_HELLO,
            |hello| {
                hello
                    .extensions
                    .iter_mut()
                    .find(|(kind, _)| *kind == COOKIE)
                    .unwrap()
                    .1[2] ^= 1
            },
            ServerRefuses(
                |fault| {
                    matches!(
                        fault,
                        Fault::Illegal(Illegal::HelloChanged { field: "cookie" })
                    )
                },
                illegal,
            ),
        ),
        (
            "a second hello without the cookie",
            SECOND_HELLO,
            |hello| hello.extensions.retain(|(kind, _)| *kind != COOKIE),
            ServerRefuses(
                |fault| {
                    matches!(
                        fault,
                        Fault::Illegal(Illegal::HelloChanged { field: "cookie" })
                    )
                },
                illegal,
            ),
        ),
        (
            "a second hello without the share",
            SECOND_HELLO,
            |hello| set(hello, KEY_SHARE, &[0, 0]),
            ServerRefuses(
                |fault| {
                    matches!(
                        fault,
                        Fault::Illegal(Illegal::HelloChanged { field: "key_share" })
                    )
                },
                illegal,
            ),
        ),
        (
            "a second hello with one more extension",
            SECOND_HELLO,
            |hello| hello.extensions.push((CLIENT_CERTIFICATE_TYPE, vec![1, 0])),
            ServerRefuses(
                |fault| {
                    matches!(
                        fault,
                        Fault::Illegal(Illegal::HelloChanged {
                            field: "extensions"
                        })
                    )
                },
                illegal,
            ),
        ),
        // RFC 9846, 4.2.4 and 4.3.8: the ServerHello must keep the suite and the group of the
        // retry.
        (
            "an answer with another suite",
            SERVER_HELLO,
            |hello| hello.middle[SUITE + 1] ^= 3,
            ClientRefuses(
                |fault| matches!(fault, Fault::Illegal(Illegal::SuiteChanged { .. })),
                illegal,
            ),
        ),
        (
            "an answer with another group",
            SERVER_HELLO,
            |hello| {
                set(
                    hello,
                    KEY_SHARE,
                    &[&NamedGroup::X25519.0.to_be_bytes()[..], &[0, 32], &[9; 32]].concat(),
                )
            },
            ClientRefuses(
                |fault| matches!(fault, Fault::Illegal(Illegal::GroupChanged { .. })),
                illegal,
            ),
        ),
    ];
    for (what, message, change, expected) in rows {
        expected.check(&mut with_changed(message, change), what);
    }
}

/// RFC 9846, 4.2.4: "If a client receives a second HelloRetryRequest in the same connection ... it
/// MUST abort the handshake with an "unexpected_message" alert."
#[test]
fn a_second_retry() {
    let client = client(RawKey)
        .groups([NamedGroup::X25519, NamedGroup::SECP256R1])
        .build()
        .unwrap();
    let server = server(RawKey)
        .groups([NamedGroup::SECP256R1])
        .build()
        .unwrap();
    let mut pair = Pair::between(&client, &server, 1);
    let hello = pair.client.send(usize::MAX);
    pair.server.receive(&hello, usize::MAX);
    let retry = pair.server.send(usize::MAX);
    pair.client.receive(&retry, usize::MAX);
    assert_eq!(hellos(&pair.client.send(usize::MAX)).len(), 1);
    pair.client.receive(&retry, usize::MAX);
    assert!(
        matches!(
            pair.client.error(),
            Error::Protocol {
                fault: Fault::Unexpected { .. },
                ..
            }
        ),
        "{}",
        pair.client.error()
    );
    assert_eq!(
        pair.client.error().alert(),
        Some(AlertDescription::UNEXPECTED_MESSAGE)
    );
}

/// All names of a certificate count: a server is selected by the last of many, a client is known by
/// all of them, and an error says how many there are.
#[test]
fn a_certificate_with_many_names() {
    let authority = Authority::builder("many names")
        .validity(cast::validity())
        .build()
        .unwrap();
    let issue = |names: &[String]| {
        let certificate = authority.certificate();
        let certificate = certificate.server(names.iter().map(String::as_str));
        certificate.validity(cast::validity()).issue().unwrap()
    };
    let names: Vec<String> = (1..1000)
        .map(|number| format!("host-{number}.example"))
        .chain([NAME.to_owned()])
        .collect();
    let default = issue(&["default.example".to_owned()]);
    let many = issue(&names);
    let server = Server::builder()
        .identity(default)
        .identity(many.clone())
        .build()
        .unwrap();
    let client = Client::builder().trust(authority.trust()).build().unwrap();
    let pair = cast::handshake(&client, &server, Transport::Whole, 1);
    assert!(pair.client.status.is_ok(), "{:?}", pair.client.status);
    let seen = cast::seen(&pair.client.connection).unwrap();
    assert_eq!(seen.key, many.public_key());
    let negotiated = pair.client.connection.negotiated().unwrap();
    assert!(negotiated.peer().unwrap().names() == names);

    let elsewhere = issue(&names[..999]);
    let server = Server::builder().identity(elsewhere).build().unwrap();
    let pair = cast::handshake(&client, &server, Transport::Whole, 2);
    let Err(Error::Protocol { fault, .. }) = &pair.client.status else {
        panic!("{:?}", pair.client.status);
    };
    assert!(
        matches!(
            fault,
            Fault::Certificate(CertificateError::WrongName { presented, more, .. })
                if presented.len() + more == 999
        ),
        "{fault}"
    );
}
