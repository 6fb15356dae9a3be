//! fleeting against rustls 0.23, in memory, in both directions.

mod early_data;
mod ends;
mod groups;
mod pair;
mod raw_keys;
mod resumption;
mod signing;
#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use fleeting::{
    AlertDescription, CertificateError, Client, ClientAuth, Error, Fault, Identity, Server,
    SystemRandom,
};
use pair::{
    Auth, PLAIN, Pair, Setting, chain, provider, roots, their_server, with_our_server,
    with_their_client, with_their_server, with_this_server,
};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use support::{CLIENT_NAME, Pki, SERVER_NAME, SUITES, lines, now};

/// More than a connection buffers, so that both directions fill up and continue several times.
const BULK: usize = 300_000;

// ---- what works ----

/// Covers both directions, all suites, and every client certificate policy, with a certificate and
/// without: authentication, exporters, data, closing.
#[test]
fn talks() {
    let pki = Pki::new();
    let client_auth = [
        (Auth::None, false),
        (Auth::None, true),
        (Auth::Optional, false),
        (Auth::Optional, true),
        (Auth::Required, true),
    ];
    for we_serve in [false, true] {
        for suite in SUITES {
            for (auth, shown) in client_auth {
                println!(
                    "we serve: {we_serve}, {}, client certificate {auth:?}, shown: {shown}",
                    suite.1
                );
                let setting = Setting {
                    suite,
                    auth,
                    client: shown.then(|| pki.client.clone()),
                    ..PLAIN
                };
                let mut pair = if we_serve {
                    with_their_client(&pki, setting)
                } else {
                    with_their_server(&pki, setting)
                };
                pair.run().assert_connected();

                let negotiated = pair.ours.negotiated().unwrap();
                assert_eq!(negotiated.cipher_suite(), suite.0);
                assert_eq!(negotiated.group(), fleeting::NamedGroup::X25519_MLKEM768);
                assert!(!negotiated.resumed());
                assert_eq!(negotiated.server_name(), Some(SERVER_NAME));
                assert_eq!(negotiated.alpn(), None);
                let proven = shown && auth != Auth::None;
                let (we_see, they_see) = if we_serve {
                    (proven.then_some(&pki.client), Some(&pki.server))
                } else {
                    (Some(&pki.server), proven.then_some(&pki.client))
                };
                assert_eq!(
                    negotiated.peer().map(|peer| peer.certificates()),
                    we_see.map(|identity| identity.certificates())
                );
                assert_eq!(
                    pair.theirs.peer_certificates(),
                    they_see.map(|identity| chain(identity).0).as_deref()
                );
                if we_serve && proven {
                    assert_eq!(
                        negotiated.peer().unwrap().common_name().as_deref(),
                        Some(CLIENT_NAME)
                    );
                }

                pair.exporters_agree();
                pair.exchange(BULK);
                pair.exporters_agree();
                pair.close(we_serve);
            }
        }
    }
}

/// Delivers chunks of 1 to 255 bytes, and everything at once.
#[test]
fn talks_at_any_fragmentation() {
    let pki = Pki::new();
    for chunk in [1, 2, 3, 5, 7, 255, usize::MAX] {
        for we_serve in [false, true] {
            let setting = Setting {
                auth: Auth::Required,
                client: Some(pki.client.clone()),
                ..PLAIN
            };
            let mut pair = if we_serve {
                with_their_client(&pki, setting)
            } else {
                with_their_server(&pki, setting)
            };
            pair.chunk = chunk;
            pair.run().assert_connected();
            pair.exchange(40_000);
            pair.close(!we_serve);
        }
    }
}

/// A week in which only one side sends, every ten seconds. Under the default policy our keys are
/// renewed every five minutes. rustls renews none by itself: we ask it, at most eight times while
/// we send nothing, because it accepts 32 KeyUpdates without data between them.
#[test]
fn a_week_of_one_way_traffic() {
    let pki = Pki::new();
    for we_serve in [false, true] {
        for we_send in [false, true] {
            let mut pair = if we_serve {
                with_their_client(&pki, PLAIN)
            } else {
                with_their_server(&pki, PLAIN)
            };
            pair.run().exchange(100);
            let began = pair.now;
            let mut total = 0;
            for second in (0..7 * 86_400).step_by(10) {
                pair.now.monotonic = began.monotonic + Duration::from_secs(second);
                pair.process();
                let data = lines("data", 1000);
                if we_send {
                    assert_eq!(pair.ours.write(&data).unwrap(), data.len());
                } else {
                    pair.theirs.writer().write_all(&data).unwrap();
                }
                pair.run().assert_connected();
                let inbox = if we_send {
                    &mut pair.their_inbox
                } else {
                    &mut pair.our_inbox
                };
                assert!(std::mem::take(inbox) == data, "second {second}");
                total += 1;
            }
            if we_send {
                // The other direction has not been renewed, and works.
                pair.exchange(100);
            }
            pair.exporters_agree();
            let (sent, received) = pair.their_sequence_numbers();
            if we_send {
                assert!(received <= 32, "{received} of {total} under one key");
            } else {
                // Eight requests, one each seven and a half minutes.
                let renewed = total - sent;
                assert!((340..=370).contains(&renewed), "{renewed}");
            }
        }
    }
}

/// RFC 9846, 4.7.3: a KeyUpdate from us, from them, and from both at once, after which the keys
/// change.
#[test]
fn renews_keys() {
    let pki = Pki::new();
    for we_serve in [false, true] {
        for suite in SUITES {
            let pair = || {
                let setting = Setting { suite, ..PLAIN };
                let mut pair = if we_serve {
                    with_their_client(&pki, setting)
                } else {
                    with_their_server(&pki, setting)
                };
                pair.run().exchange(BULK);
                pair
            };
            let records = u64::try_from(BULK / 16_384).unwrap();
            let (sent, received) = pair().their_sequence_numbers();
            assert!(sent > records && received > records, "{sent}, {received}");

            type Round = (&'static str, fn(&mut Pair));
            let rounds: [Round; 3] = [
                ("us", |pair| pair.ours.rekey().unwrap()),
                ("them", |pair| pair.theirs.refresh_traffic_keys().unwrap()),
                ("both", |pair| {
                    pair.ours.rekey().unwrap();
                    pair.theirs.refresh_traffic_keys().unwrap();
                }),
            ];
            for (from, renew) in rounds {
                println!("we serve: {we_serve}, {}, from {from}", suite.1);
                let mut pair = pair();
                for _ in 0..5 {
                    renew(&mut pair);
                    pair.exchange(100);
                    renew(&mut pair);
                    pair.exchange(BULK);
                }
                renew(&mut pair);
                // The answer to our request comes with the next record, so two exchanges renew both
                // directions.
                pair.exchange(100);
                pair.exchange(100);
                pair.exporters_agree();
                let (sent, received) = pair.their_sequence_numbers();
                assert!(
                    sent < 5 && received < 5,
                    "{from}: rustls' keys still count {sent} and {received} records"
                );
            }
        }
    }
}

#[test]
fn agrees_on_a_protocol() {
    let pki = Pki::new();
    type Protocols = &'static [&'static str];
    type Agreed = Option<&'static str>;
    // The server's preference decides (RFC 7301, 3.2).
    let rows: [(Protocols, Protocols, Agreed, Agreed); 5] = [
        // The columns are our protocols, theirs, the choice if they serve, and the choice if we
        // serve.
        (
            &["h2", "http/1.1"],
            &["http/1.1", "h2"],
            Some("http/1.1"),
            Some("h2"),
        ),
        (&["x"], &["y", "x"], Some("x"), Some("x")),
        (&["x"], &[], None, None),
        (&[], &["x"], None, None),
        (
            &["\u{ff}\0"],
            &["\u{ff}\0"],
            Some("\u{ff}\0"),
            Some("\u{ff}\0"),
        ),
    ];
    for (our_alpn, their_alpn, they_serve, we_serve) in rows {
        let setting = || Setting {
            our_alpn,
            their_alpn,
            ..PLAIN
        };
        for (mut pair, agreed) in [
            (with_their_server(&pki, setting()), they_serve),
            (with_their_client(&pki, setting()), we_serve),
        ] {
            pair.run().assert_connected();
            assert_eq!(
                pair.ours.negotiated().unwrap().alpn(),
                agreed.map(str::as_bytes)
            );
            assert_eq!(pair.theirs.alpn_protocol(), agreed.map(str::as_bytes));
        }
    }
}

#[test]
fn server_is_chosen_by_name() {
    let pki = Pki::new();
    let other = pki
        .authority
        .issue_server(["*.db.internal", "127.0.0.1"])
        .unwrap();
    let ours = Server::builder()
        .identity(other.clone())
        .identity_by_name(pki.server.clone())
        .build()
        .unwrap();
    for (name, identity, sni) in [
        (SERVER_NAME, &pki.server, Some(SERVER_NAME)),
        ("a.db.internal", &other, Some("a.db.internal")),
        ("A.DB.internal", &other, Some("a.db.internal")),
        // RFC 6066, section 3: "Literal IPv4 and IPv6 addresses are not permitted in "HostName"".
        ("127.0.0.1", &other, None),
    ] {
        let mut pair = with_our_server(&pki, &ours, Setting { name, ..PLAIN });
        pair.run().assert_connected();
        assert_eq!(pair.ours.negotiated().unwrap().server_name(), sni);
        assert_eq!(pair.theirs.peer_certificates().unwrap(), chain(identity).0);

        let mut pair = with_their_server(
            &pki,
            Setting {
                name,
                server: Some(identity.clone()),
                ..PLAIN
            },
        );
        pair.run().assert_connected();
        let rustls::Connection::Server(theirs) = &pair.theirs else {
            panic!("not a server")
        };
        assert_eq!(theirs.server_name(), sni);
    }
}

// ---- what is refused ----

#[test]
fn both_see_a_cut_connection() {
    let pki = Pki::new();
    for we_serve in [false, true] {
        let mut pair = if we_serve {
            with_their_client(&pki, PLAIN)
        } else {
            with_their_server(&pki, PLAIN)
        };
        pair.run().exchange(100);
        pair.ours.received_end();
        assert_eq!(pair.process(), None);
        assert!(
            matches!(pair.our_error, Some(Error::Truncated)),
            "{:?}",
            pair.our_error
        );
        assert_eq!(pair.theirs.read_tls(&mut &[][..]).unwrap(), 0);
        pair.theirs.process_new_packets().unwrap();
        assert_eq!(
            pair.theirs.reader().read(&mut [0; 8]).unwrap_err().kind(),
            std::io::ErrorKind::UnexpectedEof
        );
    }
}

#[test]
fn we_refuse_their_certificate() {
    use CertificateError::{Expired, UnknownIssuer, WrongName};
    let pki = Pki::new();
    type Row = (Identity, fn(&CertificateError) -> bool, AlertDescription);
    let rows: [Row; 4] = [
        (
            pki.untrusted_server(),
            |error| matches!(error, UnknownIssuer { .. }),
            AlertDescription::UNKNOWN_CA,
        ),
        (
            pki.expired_server(),
            |error| matches!(error, Expired { .. }),
            AlertDescription::CERTIFICATE_EXPIRED,
        ),
        (
            pki.wrongly_named_server(),
            |error| matches!(error, WrongName { .. }),
            AlertDescription::BAD_CERTIFICATE,
        ),
        (
            pki.client.clone(),
            |error| *error == CertificateError::ExtendedKeyUsage,
            AlertDescription::UNSUPPORTED_CERTIFICATE,
        ),
    ];
    for (server, is_reason, alert) in rows {
        let mut pair = with_their_server(
            &pki,
            Setting {
                server: Some(server),
                ..PLAIN
            },
        );
        pair.run().assert_we_refused(
            |fault| matches!(fault, Fault::Certificate(error) if is_reason(error)),
            alert,
        );
    }

    let rows: [Row; 3] = [
        (
            pki.untrusted_client(),
            |error| matches!(error, UnknownIssuer { .. }),
            AlertDescription::UNKNOWN_CA,
        ),
        (
            pki.expired_client(),
            |error| matches!(error, Expired { .. }),
            AlertDescription::CERTIFICATE_EXPIRED,
        ),
        (
            pki.server.clone(),
            |error| *error == CertificateError::ExtendedKeyUsage,
            AlertDescription::UNSUPPORTED_CERTIFICATE,
        ),
    ];
    for (client, is_reason, alert) in rows {
        for auth in [Auth::Optional, Auth::Required] {
            let mut pair = with_their_client(
                &pki,
                Setting {
                    auth,
                    client: Some(client.clone()),
                    ..PLAIN
                },
            );
            pair.run().assert_we_refused(
                |fault| matches!(fault, Fault::Certificate(error) if is_reason(error)),
                alert,
            );
        }
    }

    let mut pair = with_their_client(
        &pki,
        Setting {
            auth: Auth::Required,
            ..PLAIN
        },
    );
    pair.run().assert_we_refused(
        |fault| matches!(fault, Fault::CertificateRequired { .. }),
        AlertDescription::CERTIFICATE_REQUIRED,
    );
}

#[test]
fn they_refuse_our_certificate() {
    use rustls::CertificateError as Theirs;
    let pki = Pki::new();
    type Row = (Identity, fn(&Theirs) -> bool, AlertDescription);
    let rows: [Row; 4] = [
        (
            pki.untrusted_server(),
            |error| matches!(error, Theirs::UnknownIssuer),
            AlertDescription::UNKNOWN_CA,
        ),
        (
            pki.expired_server(),
            |error| matches!(error, Theirs::ExpiredContext { .. }),
            AlertDescription::CERTIFICATE_EXPIRED,
        ),
        (
            pki.wrongly_named_server(),
            |error| matches!(error, Theirs::NotValidForNameContext { .. }),
            AlertDescription::BAD_CERTIFICATE,
        ),
        (
            pki.client.clone(),
            |error| matches!(error, Theirs::InvalidPurposeContext { .. }),
            AlertDescription::UNSUPPORTED_CERTIFICATE,
        ),
    ];
    for (server, is_reason, alert) in rows {
        let mut pair = with_their_client(
            &pki,
            Setting {
                server: Some(server),
                ..PLAIN
            },
        );
        pair.run().assert_they_refused(
            |error| matches!(error, rustls::Error::InvalidCertificate(reason) if is_reason(reason)),
            alert,
        );
    }

    let rows: [Row; 3] = [
        (
            pki.untrusted_client(),
            |error| matches!(error, Theirs::UnknownIssuer),
            AlertDescription::UNKNOWN_CA,
        ),
        (
            pki.expired_client(),
            |error| matches!(error, Theirs::ExpiredContext { .. }),
            AlertDescription::CERTIFICATE_EXPIRED,
        ),
        (
            pki.server.clone(),
            |error| matches!(error, Theirs::InvalidPurposeContext { .. }),
            AlertDescription::UNSUPPORTED_CERTIFICATE,
        ),
    ];
    for (client, is_reason, alert) in rows {
        // Whether rustls names its authorities or not (RFC 9846, 4.3.4): there is one certificate.
        for (auth, names_authorities) in [
            (Auth::Optional, false),
            (Auth::Optional, true),
            (Auth::Required, false),
            (Auth::Required, true),
        ] {
            let setting = Setting {
                auth,
                client: Some(client.clone()),
                names_authorities,
                ..PLAIN
            };
            let mut pair = with_their_server(&pki, setting);
            pair.run().assert_they_refused(
                |error| {
                    matches!(
                        error,
                        rustls::Error::InvalidCertificate(reason) if is_reason(reason)
                    )
                },
                alert,
            );
        }
    }

    let mut pair = with_their_server(
        &pki,
        Setting {
            auth: Auth::Required,
            ..PLAIN
        },
    );
    pair.run().assert_they_refused(
        |error| *error == rustls::Error::NoCertificatesPresented,
        AlertDescription::CERTIFICATE_REQUIRED,
    );
}

#[test]
fn nothing_in_common_is_refused() {
    let pki = Pki::new();
    // ALPN (RFC 7301, 3.2).
    let setting = || Setting {
        our_alpn: &["x"],
        their_alpn: &["y"],
        ..PLAIN
    };
    let mut pair = with_their_client(&pki, setting());
    pair.run().assert_we_refused(
        |fault| matches!(fault, Fault::NoCommonProtocol { .. }),
        AlertDescription::NO_APPLICATION_PROTOCOL,
    );
    let mut pair = with_their_server(&pki, setting());
    pair.run().assert_they_refused(
        |error| *error == rustls::Error::NoApplicationProtocol,
        AlertDescription::NO_APPLICATION_PROTOCOL,
    );

    // Cipher suites.
    let ours = Server::builder()
        .identity(pki.server.clone())
        .cipher_suites([SUITES[1].0])
        .build()
        .unwrap();
    let mut pair = with_our_server(&pki, &ours, PLAIN);
    pair.run().assert_we_refused(
        |fault| matches!(fault, Fault::NoCommonSuite { .. }),
        AlertDescription::HANDSHAKE_FAILURE,
    );
    let ours = Client::builder()
        .trust(pki.authority.trust())
        .cipher_suites([SUITES[1].0])
        .build()
        .unwrap();
    let theirs = ServerConnection::new(Arc::new(their_server(&pki, &PLAIN))).unwrap();
    let mut pair = Pair::new(
        ours.connection(SERVER_NAME, now(), &mut SystemRandom)
            .unwrap(),
        theirs,
    );
    pair.run().assert_they_refused(
        |error| matches!(error, rustls::Error::PeerIncompatible(_)),
        AlertDescription::HANDSHAKE_FAILURE,
    );

    // Names (RFC 6066, section 3).
    let ours = Server::builder()
        .identity_by_name(pki.server.clone())
        .build()
        .unwrap();
    let mut pair = with_our_server(
        &pki,
        &ours,
        Setting {
            name: "elsewhere.internal",
            ..PLAIN
        },
    );
    pair.run().assert_we_refused(
        |fault| {
            matches!(fault, Fault::UnrecognizedName { name, .. }
            if name == "elsewhere.internal")
        },
        AlertDescription::UNRECOGNIZED_NAME,
    );

    // The application rejects for its own reasons.
    let ours = Server::builder()
        .identity(pki.server.clone())
        .client_auth(ClientAuth::Required(pki.authority.trust()))
        .authorize(|peer| {
            if peer.common_name().as_deref() == Some("bob") {
                Ok(())
            } else {
                Err("not bob")
            }
        })
        .build()
        .unwrap();
    let mut pair = with_our_server(
        &pki,
        &ours,
        Setting {
            client: Some(pki.client.clone()),
            ..PLAIN
        },
    );
    pair.run().assert_we_refused(
        |fault| matches!(fault, Fault::Denied(_)),
        AlertDescription::ACCESS_DENIED,
    );
}

#[test]
fn tls_1_2_is_refused() {
    let pki = Pki::new();
    let (certificates, key) = chain(&pki.server);
    let theirs = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    let mut pair = with_this_server(&pki, theirs, PLAIN);
    pair.run().assert_they_refused(
        |error| matches!(error, rustls::Error::PeerIncompatible(_)),
        AlertDescription::PROTOCOL_VERSION,
    );

    let theirs = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots(&pki))
        .with_no_client_auth();
    let ours = Server::builder()
        .identity(pki.server.clone())
        .build()
        .unwrap();
    let mut pair = Pair::new(
        ours.connection(now()),
        ClientConnection::new(Arc::new(theirs), SERVER_NAME.try_into().unwrap()).unwrap(),
    );
    pair.run().assert_we_refused(
        |fault| matches!(fault, Fault::Version { .. }),
        AlertDescription::PROTOCOL_VERSION,
    );
}
