//! Who authenticates how, and what is negotiated.

use std::io::{Read, Write};

use fleeting::{
    AlertDescription, Authority, CertificateError, CipherSuite, Client, ClientAuth, ConfigError,
    Error, ExternalPsk, Fault, Handshake, Identity, NameError, NamedGroup, Progress, PskNames,
    Question, Server, Stream, TicketKeys, Trust,
};

use crate::pipe::{End, wide_pipe};
use crate::side::streams;

const NAME: &str = "db.internal";

/// Runs a handshake. Returns how it ends on each side.
fn shake(
    client: &Client,
    name: &str,
    server: &Server,
) -> (Result<Stream<End>, Error>, Result<Stream<End>, Error>) {
    let (a, b) = wide_pipe();
    let (mut a, mut b) = (Some(client.start(name, a).unwrap()), Some(server.start(b)));
    let (mut left, mut right) = (None, None);
    for _ in 0..10 {
        advance(&mut a, &mut left);
        advance(&mut b, &mut right);
    }
    (
        left.expect("the client hangs"),
        right.expect("the server hangs"),
    )
}

fn advance(side: &mut Option<Handshake<End>>, result: &mut Option<Result<Stream<End>, Error>>) {
    match side.take().map(Handshake::advance) {
        None => {}
        Some(Ok(Progress::Done(stream))) => *result = Some(Ok(stream)),
        Some(Ok(Progress::WouldBlock(again))) => *side = Some(again),
        Some(Ok(Progress::Ask(question, _))) => panic!("{question:?} has no answer here"),
        Some(Ok(Progress::EarlyData(..))) => panic!("none was sent"),
        Some(Err(error)) => *result = Some(Err(error)),
    }
}

fn both(client: &Client, name: &str, server: &Server) -> (Stream<End>, Stream<End>) {
    let (left, right) = shake(client, name, server);
    let (mut left, mut right) = (left.unwrap(), right.unwrap());
    let mut text = [0; 5];
    left.write_all(b"hello").unwrap();
    right.read_exact(&mut text).unwrap();
    right.write_all(&text).unwrap();
    left.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"hello");
    (left, right)
}

fn authority() -> Authority {
    Authority::new("tests").unwrap()
}

fn server(authority: &Authority) -> fleeting::ServerBuilder {
    Server::builder().identity(authority.issue_server([NAME]).unwrap())
}

fn client(authority: &Authority) -> fleeting::ClientBuilder {
    Client::builder().trust(authority.trust())
}

#[test]
fn both_sides_know_what_was_agreed_on() {
    let authority = authority();
    let server = server(&authority)
        .client_auth(ClientAuth::Required(authority.trust()))
        .build()
        .unwrap();
    let alice = authority.issue_client("alice").unwrap();
    let all = [
        CipherSuite::TLS_AES_128_GCM_SHA256,
        CipherSuite::TLS_AES_256_GCM_SHA384,
        CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
    ];
    for suite in all {
        let client = client(&authority)
            .identity(alice.clone())
            .cipher_suites([suite])
            .build()
            .unwrap();
        let (a, b) = both(&client, "DB.internal.", &server);
        for side in [&a, &b] {
            assert_eq!(side.cipher_suite(), suite);
            assert_eq!(side.group(), NamedGroup::X25519_MLKEM768);
            assert_eq!(side.server_name(), Some(NAME));
            assert_eq!(side.alpn(), None);
        }
        assert_eq!(a.peer().unwrap().names(), [NAME]);
        assert_eq!(b.peer().unwrap().common_name().as_deref(), Some("alice"));
        assert_eq!(b.peer().unwrap().public_key(), alice.public_key());
    }
}

#[test]
fn exported_keys_are_the_same_on_both_sides() {
    let authority = authority();
    let (client, server) = (
        client(&authority).build().unwrap(),
        server(&authority).build().unwrap(),
    );
    let (mut a, mut b) = both(&client, NAME, &server);
    let export = |tls: &Stream<End>, label, context: &str| {
        tls.export_keying_material(label, context, 48)
            .unwrap()
            .expose()
            .to_vec()
    };
    let (first, other) = (
        export(&a, "EXPERIMENTAL one", "c"),
        export(&a, "EXPERIMENTAL two", "c"),
    );
    assert_eq!(first, export(&b, "EXPERIMENTAL one", "c"));
    assert_ne!(first, other);
    assert_ne!(first, export(&a, "EXPERIMENTAL one", "d"));
    assert!(matches!(
        a.export_keying_material("", "", 16),
        Err(Error::Config(_))
    ));

    // RFC 9266, section 2: the exporter with this label, an empty context and 32 bytes.
    let binding = a.channel_binding().unwrap();
    assert_eq!(binding, b.channel_binding().unwrap());
    assert_eq!(
        binding[..],
        *a.export_keying_material("EXPORTER-Channel-Binding", "", 32)
            .unwrap()
            .expose()
    );
    let (c, _d) = both(&client, NAME, &server);
    assert_ne!(binding, c.channel_binding().unwrap());

    // RFC 9846, 7.5: the exporter does not change with the keys.
    a.rekey().unwrap();
    a.write_all(b"x").unwrap();
    b.read_exact(&mut [0]).unwrap();
    assert_eq!(
        (a.channel_binding().unwrap(), b.channel_binding().unwrap()),
        (binding, binding)
    );
}

/// Returns a server with a certificate that openssl made for its Ed25519 key, and the hash of that
/// certificate by `openssl dgst`.
fn certified_by_openssl(certificate: &str) -> (Identity, String) {
    let vectors = include_str!("../vectors/certificates.txt");
    let find = |name: &str| {
        let start = format!("\n= {name}\n");
        let (_, rest) = vectors.split_once(&start).unwrap();
        rest.split("\n= ").next().unwrap()
    };
    let identity = Identity::from_pem(find(certificate), find("leaf-key")).unwrap();
    let hash = find("end-points").lines().find_map(|line| {
        let (name, hash) = line.split_once(' ').unwrap();
        (name == certificate).then(|| hash.to_owned())
    });
    (identity, hash.unwrap())
}

fn end_point(side: &Stream<End>) -> String {
    let end_point = side.server_end_point().unwrap();
    end_point.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_end_point_is_the_hash_of_the_servers_certificate() {
    let keys = TicketKeys::rotating();
    let server = |identity| {
        let server = Server::builder().identity(identity);
        server.ticket_keys(keys.clone()).build().unwrap()
    };
    let (identity, expected) = certified_by_openssl("leaf-ec-sha384");
    let client = Client::builder()
        .trust(Trust::key_for(NAME, identity.public_key()))
        .build()
        .unwrap();
    let first = server(identity);
    for resumed in [false, true] {
        let (a, b) = both(&client, NAME, &first);
        assert_eq!((a.resumed(), b.resumed()), (resumed, resumed));
        assert_eq!(
            (end_point(&a), end_point(&b)),
            (expected.clone(), expected.clone())
        );
    }

    // A resumed connection shows no certificate. The client knows the old one, and the server the
    // new one.
    let (renewed, new) = certified_by_openssl("leaf-rsa-sha256");
    let (a, b) = both(&client, NAME, &server(renewed));
    assert!(a.resumed() && b.resumed());
    assert_eq!((end_point(&a), end_point(&b)), (expected, new));
}

#[test]
fn without_a_certificate_or_a_hash_there_is_no_end_point() {
    // The client's certificate has a hash. That must not matter.
    let (hashed, _) = certified_by_openssl("leaf-ec-sha384");
    let authority = authority();
    let raw = Identity::generate().unwrap();
    let pinned = |identity: &Identity| Trust::key_for(NAME, identity.public_key());
    for (server, trust) in [
        // Ed25519 has no hash function of its own.
        (authority.issue_server([NAME]).unwrap(), authority.trust()),
        (raw.clone(), pinned(&raw)),
    ] {
        let server = Server::builder()
            .identity(server)
            .client_auth(ClientAuth::Required(Trust::keys([hashed.public_key()])))
            .build()
            .unwrap();
        let client = Client::builder().trust(trust).identity(hashed.clone());
        let client = client.build().unwrap();
        for resumed in [false, true] {
            let (a, b) = both(&client, NAME, &server);
            assert_eq!((a.resumed(), b.resumed()), (resumed, resumed));
            assert_eq!((a.server_end_point(), b.server_end_point()), (None, None));
        }
    }

    // With an external PSK, the server shows no certificate.
    let psk =
        |own, peer| ExternalPsk::new("site 4", [7, 8].repeat(16), PskNames { own, peer }).unwrap();
    let server = Server::builder()
        .identity(hashed)
        .external_psks([psk("db", "web")])
        .build()
        .unwrap();
    let client = Client::builder().external_psk(psk("web", "db")).build();
    let (a, b) = both(&client.unwrap(), NAME, &server);
    assert!(a.external_psk().is_some());
    assert_eq!((a.server_end_point(), b.server_end_point()), (None, None));
}

#[test]
fn a_server_is_chosen_by_the_client_hello() {
    let authority = authority();
    let shop = Server::builder()
        .identity(authority.issue_server(["shop.internal"]).unwrap())
        .alpn(["shop/1"])
        .build()
        .unwrap();
    let wiki = Server::builder()
        .identity(authority.issue_server(["wiki.internal"]).unwrap())
        .build()
        .unwrap();
    let client = client(&authority)
        .alpn(["wiki/1", "shop/1"])
        .build()
        .unwrap();
    for (name, chosen, alpn) in [
        ("shop.internal", &shop, Some(&b"shop/1"[..])),
        ("wiki.internal", &wiki, None),
    ] {
        let (a, b) = wide_pipe();
        let mut a = client.start(name, a).unwrap();
        let Progress::WouldBlock(b) = Handshake::undecided(b).advance().unwrap() else {
            panic!("nothing has come yet")
        };
        let Progress::WouldBlock(again) = a.advance().unwrap() else {
            panic!("nobody has answered")
        };
        a = again;
        let Progress::Ask(Question::Configuration, b) = b.advance().unwrap() else {
            panic!("expected a question")
        };
        // The question is asked again until it is answered.
        let Progress::Ask(Question::Configuration, b) = b.advance().unwrap() else {
            panic!("expected the question again")
        };
        let hello = b.client_hello().unwrap();
        assert_eq!(hello.server_name(), Some(name));
        assert_eq!(hello.alpn().collect::<Vec<_>>(), [b"wiki/1", b"shop/1"]);
        assert!(!b.wants_write());
        let b = b.choose(chosen).unwrap();
        assert!(b.client_hello().is_none() && b.wants_write());
        let (a, b) = streams(a, b);
        assert_eq!((a.alpn(), b.alpn()), (alpn, alpn));
        assert_eq!(a.peer().unwrap().names(), [name]);
    }
}

#[test]
fn a_choice_can_fail() {
    let authority = authority();
    let other = server(&authority).alpn(["other/1"]).build().unwrap();
    let client = client(&authority).alpn(["mine/1"]).build().unwrap();
    let (a, b) = wide_pipe();
    let Progress::WouldBlock(a) = client.start(NAME, a).unwrap().advance().unwrap() else {
        panic!("nobody has answered")
    };
    let Progress::Ask(_, b) = Handshake::undecided(b).advance().unwrap() else {
        panic!("expected a question")
    };
    let error = b.choose(&other).map(drop).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Protocol {
                fault: Fault::NoCommonProtocol { .. },
                ..
            }
        ),
        "{error:?}"
    );
    let error = a.advance().map(drop).unwrap_err();
    assert!(
        matches!(
            error,
            Error::AlertReceived {
                alert: AlertDescription::NO_APPLICATION_PROTOCOL,
                ..
            }
        ),
        "{error:?}"
    );

    let (_, b) = wide_pipe();
    let error = other.start(b).choose(&other).map(drop).unwrap_err();
    assert!(
        matches!(error, Error::WrongState { call: "choose", .. }),
        "{error:?}"
    );
}

#[test]
fn identities_are_chosen_by_name() {
    let authority = authority();
    let identities =
        ["a.internal", "*.b.internal"].map(|name| authority.issue_server([name]).unwrap());
    let [a, b] = identities.clone();
    let strict = Server::builder()
        .identity_by_name(a.clone())
        .identity_by_name(b.clone())
        .build()
        .unwrap();
    let lenient = Server::builder()
        .identity(a.clone())
        .identity_by_name(b.clone())
        .build()
        .unwrap();
    let client = client(&authority).build().unwrap();
    for (name, identity) in [("a.internal", &a), ("x.b.internal", &b)] {
        for server in [&strict, &lenient] {
            assert_eq!(
                both(&client, name, server).0.peer().unwrap().public_key(),
                identity.public_key()
            );
        }
    }
    let (left, right) = shake(&client, "c.internal", &strict);
    assert!(matches!(
        left.unwrap_err(),
        Error::AlertReceived {
            alert: AlertDescription::UNRECOGNIZED_NAME,
            ..
        }
    ));
    assert!(matches!(
        right.unwrap_err(),
        Error::Protocol {
            fault: Fault::UnrecognizedName { .. },
            ..
        }
    ));
    // RFC 9846, 9.2: "Servers requiring this extension SHOULD respond to a ClientHello lacking a
    // server_name extension by terminating the connection with a missing_extension alert." RFC
    // 6066, section 3, permits no IP addresses in it, so such a client sends none.
    let (left, right) = shake(&client, "192.0.2.1", &strict);
    assert!(matches!(
        left.unwrap_err(),
        Error::AlertReceived {
            alert: AlertDescription::MISSING_EXTENSION,
            ..
        }
    ));
    assert!(matches!(
        right.unwrap_err(),
        Error::Protocol {
            fault: Fault::MissingExtension { .. },
            ..
        }
    ));
    // The default identity is used, and the client finds that its name does not match.
    let (left, right) = shake(&client, "c.internal", &lenient);
    let error = left.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Protocol {
                fault: Fault::Certificate(CertificateError::WrongName { .. }),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        matches!(right.unwrap_err(), Error::AlertReceived { alert, .. }
            if Some(alert) == error.alert())
    );
}

#[test]
fn a_client_may_be_asked_who_it_is() {
    let authority = authority();
    let (nobody, alice) = (
        client(&authority).build().unwrap(),
        client(&authority)
            .identity(authority.issue_client("alice").unwrap())
            .build()
            .unwrap(),
    );
    let issued_by = |name| {
        client(&authority)
            .identity(Authority::new(name).unwrap().issue_client("alice").unwrap())
            .build()
            .unwrap()
    };
    // The impostor's authority has the name of the one that the server trusts. The stranger's has
    // another name.
    let (impostor, stranger) = (issued_by("tests"), issued_by("elsewhere"));

    let unasked = server(&authority).build().unwrap();
    assert!(both(&alice, NAME, &unasked).1.peer().is_none());

    let optional = server(&authority)
        .client_auth(ClientAuth::Optional(authority.trust()))
        .build()
        .unwrap();
    assert!(both(&nobody, NAME, &optional).1.peer().is_none());
    assert_eq!(
        both(&alice, NAME, &optional).1.peer().unwrap().subject(),
        "CN=alice"
    );

    let required = server(&authority)
        .client_auth(ClientAuth::Required(authority.trust()))
        .build()
        .unwrap();
    assert_eq!(
        both(&alice, NAME, &required).1.peer().unwrap().subject(),
        "CN=alice"
    );
    for (server, client, alert) in [
        (&required, &nobody, AlertDescription::CERTIFICATE_REQUIRED),
        (&required, &stranger, AlertDescription::UNKNOWN_CA),
        (&optional, &stranger, AlertDescription::UNKNOWN_CA),
        (&required, &impostor, AlertDescription::BAD_CERTIFICATE),
        (&optional, &impostor, AlertDescription::BAD_CERTIFICATE),
    ] {
        let (left, right) = shake(client, NAME, server);
        assert_eq!(right.unwrap_err().alert(), Some(alert));
        // The client's handshake was complete before the server verified its certificate.
        let error = left
            .unwrap()
            .read(&mut [0; 10])
            .unwrap_err()
            .downcast::<Error>()
            .unwrap();
        assert!(
            matches!(error, Error::AlertReceived { alert: got, .. } if got == alert),
            "{error:?}"
        );
    }
}

#[test]
fn protocols_are_agreed_on() {
    let authority = authority();
    let server = server(&authority).alpn(["h2", "http/1.1"]).build().unwrap();
    let offers = |protocols: &[&str]| {
        client(&authority)
            .alpn(protocols.iter().copied())
            .build()
            .unwrap()
    };
    for (offered, agreed) in [
        (&["http/1.1", "h2"][..], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let (a, b) = both(&offers(offered), NAME, &server);
        assert_eq!(
            (a.alpn(), b.alpn()),
            (agreed.map(str::as_bytes), agreed.map(str::as_bytes))
        );
    }
    let (left, right) = shake(&offers(&["gopher"]), NAME, &server);
    assert!(matches!(
        left.unwrap_err(),
        Error::AlertReceived {
            alert: AlertDescription::NO_APPLICATION_PROTOCOL,
            ..
        }
    ));
    assert_eq!(
        right.unwrap_err().alert(),
        Some(AlertDescription::NO_APPLICATION_PROTOCOL)
    );
}

#[test]
fn a_hook_keeps_peers_out() {
    let authority = authority();
    let identity = || authority.issue_client("mallory").unwrap();
    let deny = |peer: &fleeting::Peer| -> Result<(), String> {
        Err(format!("{} is not on the list", peer.subject()))
    };

    // A server refuses a client.
    let server = server(&authority).client_auth(ClientAuth::Required(authority.trust()));
    let strict = server.authorize(deny).build().unwrap();
    let (left, right) = shake(
        &client(&authority).identity(identity()).build().unwrap(),
        NAME,
        &strict,
    );
    let error = right.unwrap_err();
    assert!(
        error.to_string().contains("CN=mallory is not on the list"),
        "{error}"
    );
    assert_eq!(error.alert(), Some(AlertDescription::ACCESS_DENIED));
    let told = left
        .unwrap()
        .read(&mut [0])
        .unwrap_err()
        .downcast::<Error>()
        .unwrap();
    assert!(matches!(
        told,
        Error::AlertReceived {
            alert: AlertDescription::ACCESS_DENIED,
            ..
        }
    ));

    // A client refuses a server before the handshake is complete.
    let plain = Server::builder()
        .identity(authority.issue_server([NAME]).unwrap())
        .build()
        .unwrap();
    let (left, right) = shake(
        &client(&authority).authorize(deny).build().unwrap(),
        NAME,
        &plain,
    );
    assert!(
        left.unwrap_err()
            .to_string()
            .contains("CN=db.internal is not on the list")
    );
    assert!(matches!(
        right.unwrap_err(),
        Error::AlertReceived {
            alert: AlertDescription::ACCESS_DENIED,
            ..
        }
    ));
}

#[test]
fn keys_that_know_each_other_need_no_authority() {
    let (ours, theirs) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let server = Server::builder()
        .identity(theirs.clone())
        .client_auth(ClientAuth::Required(Trust::keys([ours.public_key()])))
        .build()
        .unwrap();
    let trusts = |trust| {
        Client::builder()
            .trust(trust)
            .identity(ours.clone())
            .build()
            .unwrap()
    };
    let (a, b) = both(
        &trusts(Trust::key_for(NAME, theirs.public_key())),
        NAME,
        &server,
    );
    assert_eq!(a.peer().unwrap().pinned_names(), [NAME]);
    assert_eq!(a.peer().unwrap().public_key(), theirs.public_key());
    assert_eq!(b.peer().unwrap().public_key(), ours.public_key());

    // The key is bound to another name, or the trusted key is another one.
    for trust in [
        Trust::key_for("other.internal", theirs.public_key()),
        Trust::key_for(NAME, ours.public_key()),
    ] {
        let (left, right) = shake(&trusts(trust), NAME, &server);
        assert!(matches!(
            left.unwrap_err(),
            Error::Protocol {
                fault: Fault::Certificate(_),
                ..
            }
        ));
        assert!(matches!(right.unwrap_err(), Error::AlertReceived { .. }));
    }
}

#[test]
fn a_server_without_a_name() {
    let theirs = Identity::generate().unwrap();
    let server = Server::builder().identity(theirs.clone()).build().unwrap();
    let client = Client::builder()
        .trust(Trust::keys([theirs.public_key()]))
        .allow_unnamed()
        .build()
        .unwrap();
    let (a, b) = wide_pipe();
    let (a, b) = streams(client.start_unnamed(a).unwrap(), server.start(b));
    assert_eq!((a.server_name(), b.server_name()), (None, None));
    assert_eq!(a.peer().unwrap().public_key(), theirs.public_key());

    // An unnamed server must be allowed by the configuration, and a name must be valid.
    let named = Client::builder()
        .trust(Trust::keys([theirs.public_key()]))
        .build()
        .unwrap();
    let refused = |result: Result<Handshake<End>, Error>| {
        matches!(
            result.map(drop),
            Err(Error::Config(ConfigError::Setting {
                name: "allow_unnamed",
                ..
            }))
        )
    };
    assert!(refused(named.start_unnamed(wide_pipe().0)));
    assert!(matches!(
        named.start("", wide_pipe().0).map(drop),
        Err(Error::Name(NameError::Empty))
    ));
    let port = named
        .connect("db.internal:5432", wide_pipe().0)
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(port, Error::Name(NameError::Port { .. })),
        "{port:?}"
    );
}
