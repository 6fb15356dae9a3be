//! Handshakes with certificates, resumption, groups and refusals, with OpenSSL's `s_client` and
//! `s_server`.

use std::io::Write;

use fleeting::{
    AlertDescription, CertificateError, Client, ClientAuth, ClientBuilder, Error, Fault,
    NamedGroup, Server, ServerBuilder,
};

use crate::openssl::commands::{
    count, exporters_agree, s_client, s_server, with_identity, with_session,
};
use crate::program::{
    BULK, Door, Program, Tls, World, assert_alert_received, assert_fault, connect, cut, exchange,
    expect_end, read_error, wait_until,
};
use crate::speaker::{P256, X25519};
use crate::support::{CLIENT_NAME, SERVER_NAME, SUITES, Suite};
use crate::wire::PRE_SHARED_KEY;

/// Returns in how many connections `s_server` has seen our client certificate.
fn times_seen(program: &Program) -> usize {
    program.times(&format!("\nsubject=CN = {CLIENT_NAME}\n"))
        + program.times(&format!("\nsubject=CN={CLIENT_NAME}\n"))
}

/// Covers what both roles share once connected: exporter, data, KeyUpdate.
fn converse(world: &World, stream: &mut Tls, program: &Program, suite: Suite) {
    assert_eq!(stream.cipher_suite(), suite.0);
    assert_eq!(stream.group(), X25519);
    exporters_agree(stream, program);

    exchange(stream, program, "bulk", BULK);

    // OpenSSL sends a KeyUpdate without a request (RFC 9846, 4.7.3).
    program.type_in("k\n");
    wait_until("OpenSSL's KeyUpdate", || {
        count(world, ">>>", "KeyUpdate") == 1
    });
    exchange(stream, program, "k", 100);
    assert_eq!(
        count(world, "<<<", "KeyUpdate"),
        0,
        "we answered without a request"
    );
    // OpenSSL sends one with a request, which we answer before our next data.
    program.type_in("K\n");
    wait_until("OpenSSL's KeyUpdate", || {
        count(world, ">>>", "KeyUpdate") == 2
    });
    exchange(stream, program, "K", 100);
    assert_eq!(count(world, "<<<", "KeyUpdate"), 1);
    // Our KeyUpdate always has a request, which OpenSSL answers before its next data.
    stream.rekey().unwrap();
    exchange(stream, program, "rekey", BULK);
    exchange(stream, program, "rekeyed", BULK);
    assert_eq!(
        (
            count(world, "<<<", "KeyUpdate"),
            count(world, ">>>", "KeyUpdate")
        ),
        (2, 3)
    );
}

#[test]
#[ignore = "needs openssl"]
fn s_client_talks_to_us() {
    let world = World::new();
    let trust = || world.pki.authority.trust();
    for suite in SUITES {
        for (client_auth, shown) in [
            (ClientAuth::None, false),
            (ClientAuth::Optional(trust()), false),
            (ClientAuth::Optional(trust()), true),
            (ClientAuth::Required(trust()), true),
        ] {
            println!("{}, {client_auth:?}, certificate shown: {shown}", suite.1);
            let server = Server::builder()
                .identity(world.pki.server.clone())
                .client_auth(client_auth)
                .alpn(["x", "y"])
                .build()
                .unwrap();
            let door = Door::open();
            let mut arguments = vec![
                "-CAfile",
                &world.ca,
                "-ciphersuites",
                suite.1,
                "-alpn",
                "z,y,x",
            ];
            if shown {
                arguments.extend(with_identity(&world.client));
            }
            let mut program = s_client(&world, &door, &arguments);
            let mut stream = door.accept(&server, &program).unwrap();
            assert_eq!(stream.server_name(), Some(SERVER_NAME));
            assert_eq!(stream.alpn(), Some(&b"x"[..]));
            assert_eq!(
                stream.peer().and_then(|peer| peer.common_name()).as_deref(),
                shown.then_some(CLIENT_NAME)
            );
            program.wait_for("ALPN protocol: x");
            program.wait_for("Verify return code: 0 (ok)");
            converse(&world, &mut stream, &program, suite);

            if shown {
                program.type_in("Q\n");
                expect_end(&mut stream, &program);
                stream.close().unwrap();
            } else {
                stream.close().unwrap();
                program.wait_for("closed\n");
                expect_end(&mut stream, &program);
            }
            program.finish_well();
        }
    }
}

#[test]
#[ignore = "needs openssl"]
fn we_talk_to_s_server() {
    let world = World::new();
    for suite in SUITES {
        for (asked, shown) in [
            (None, false),
            (None, true),
            (Some("-verify"), false),
            (Some("-verify"), true),
            (Some("-Verify"), true),
        ] {
            println!("{}, {asked:?}, certificate shown: {shown}", suite.1);
            let mut arguments = vec!["-ciphersuites", suite.1, "-alpn", "y,x"];
            if let Some(asked) = asked {
                arguments.extend([asked, "3", "-CAfile", &world.ca]);
            }
            let (mut program, port) = s_server(&world, &world.server, &arguments);
            let mut client = Client::builder()
                .trust(world.pki.authority.trust())
                .alpn(["z", "x", "y"]);
            if shown {
                client = client.identity(world.pki.client.clone());
            }
            let mut stream = connect(&client.build().unwrap(), port).unwrap();
            assert_eq!(stream.alpn(), Some(&b"y"[..]));
            assert_eq!(
                stream.peer().unwrap().certificates(),
                world.pki.server.certificates()
            );
            if shown && asked.is_some() {
                assert_eq!(
                    program.wait_for_line("subject=").replace(' ', ""),
                    format!("CN={CLIENT_NAME}")
                );
            }
            converse(&world, &mut stream, &program, suite);
            assert_eq!(count(&world, ">>>", "NewSessionTicket"), 2);

            if shown {
                stream.close().unwrap();
                program.wait_for("shutting down SSL");
                expect_end(&mut stream, &program);
            } else {
                // `s_server` closes the socket without an alert.
                program.type_in("Q\n");
                let error = read_error(&mut stream);
                assert!(matches!(error, Error::Truncated), "{error:?}");
            }
            program.finish_well();
        }
    }
}

// ---- resumption, groups, retries ----

/// A full handshake is followed by two resumed ones, then one at a server with other keys, which
/// cannot use the ticket, and one resumed there.
#[test]
#[ignore = "needs openssl"]
fn s_client_resumes() {
    let world = World::new();
    let trust = || world.pki.authority.trust();
    for suite in SUITES {
        for (client_auth, shown) in [
            (ClientAuth::None, false),
            (ClientAuth::Optional(trust()), false),
            (ClientAuth::Required(trust()), true),
        ] {
            println!("{}, {client_auth:?}", suite.1);
            let server = || {
                Server::builder()
                    .identity(world.pki.server.clone())
                    .client_auth(client_auth.clone())
                    .build()
                    .unwrap()
            };
            let (first, other, session) = (server(), server(), world.folder.path("session"));
            for (number, (server, resumed)) in (1..).zip([
                (&first, false),
                (&first, true),
                (&first, true),
                (&other, false),
                (&other, true),
            ]) {
                let mut arguments = vec!["-CAfile", &world.ca, "-ciphersuites", suite.1];
                arguments.extend(with_session(&session, number > 1));
                if shown {
                    arguments.extend(with_identity(&world.client));
                }
                let door = Door::open();
                let mut program = s_client(&world, &door, &arguments);
                let mut stream = door.accept(server, &program).unwrap();
                assert_eq!(stream.resumed(), resumed, "connection {number}");
                assert_eq!(stream.get_ref().client_offered(PRE_SHARED_KEY), number > 1);
                assert_eq!(stream.server_name(), Some(SERVER_NAME));
                assert_eq!(
                    stream.peer().and_then(|peer| peer.common_name()).as_deref(),
                    shown.then_some(CLIENT_NAME)
                );
                program.wait_for(if resumed {
                    "\nReused, TLSv1.3"
                } else {
                    "\nNew, TLSv1.3"
                });
                program.wait_for("Verify return code: 0 (ok)");
                converse(&world, &mut stream, &program, suite);
                assert_eq!(
                    count(&world, "<<<", "NewSessionTicket"),
                    if resumed { 1 } else { 2 }
                );
                program.type_in("Q\n");
                expect_end(&mut stream, &program);
                stream.close().unwrap();
                program.finish_well();
            }
        }
    }
}

/// A full handshake is followed by two resumed ones. Then the server is restarted.
#[test]
#[ignore = "needs openssl"]
fn we_resume_with_s_server() {
    let world = World::new();
    for suite in SUITES {
        for asked in [None, Some("-verify"), Some("-Verify")] {
            println!("{}, {asked:?}", suite.1);
            let mut client = Client::builder().trust(world.pki.authority.trust());
            let mut arguments = vec!["-naccept", "3", "-ciphersuites", suite.1];
            if let Some(asked) = asked {
                arguments.extend([asked, "3", "-CAfile", &world.ca]);
                client = client.identity(world.pki.client.clone());
            }
            let client = client.build().unwrap();
            for anew in [false, true] {
                let (mut program, port) = s_server(&world, &world.server, &arguments);
                for number in 1..=3 {
                    let mut stream = connect(&client, port).unwrap();
                    assert_eq!(stream.resumed(), number > 1, "connection {number}");
                    assert_eq!(
                        stream.get_ref().client_offered(PRE_SHARED_KEY),
                        anew || number > 1
                    );
                    assert_eq!(stream.cipher_suite(), suite.0);
                    assert_eq!(
                        stream.peer().unwrap().certificates().first(),
                        world.pki.server.certificates().first()
                    );
                    exchange(
                        &mut stream,
                        &program,
                        &format!("anew: {anew} {number}"),
                        100,
                    );
                    // It prints this before it reads its standard input.
                    assert_eq!(program.times("\nReused session-id\n"), number - 1);
                    assert_eq!(
                        times_seen(&program),
                        if asked.is_some() { number } else { 0 }
                    );
                    stream.close().unwrap();
                    expect_end(&mut stream, &program);
                }
                program.finish_well();
            }
        }
    }
}

/// It sends a share for its first group only. Makes each connection twice, with a client
/// certificate, so that a retry also occurs with a ticket.
#[test]
#[ignore = "needs openssl"]
fn s_client_is_led_to_a_group() {
    let world = World::new();
    type Row = (
        &'static str,
        fn(ServerBuilder) -> ServerBuilder,
        NamedGroup,
        bool,
    );
    let rows: [Row; 6] = [
        ("P-256", |ours| ours, P256, false),
        ("P-384:X25519", |ours| ours, X25519, true),
        ("X448:P-521:P-256", |ours| ours, P256, true),
        ("P-256:X25519", |ours| ours.groups([X25519]), X25519, true),
        ("X25519:P-256", |ours| ours.groups([P256]), P256, true),
        ("P-384:X25519", |ours| ours.retry_cookie(true), X25519, true),
    ];
    let identity = with_identity(&world.client);
    for (groups, ours, group, retried) in rows {
        println!("{groups} to {group}, retried: {retried}");
        let server = Server::builder()
            .identity(world.pki.server.clone())
            .client_auth(ClientAuth::Required(world.pki.authority.trust()));
        let server = ours(server).build().unwrap();
        let session = world.folder.path("session");
        for resumed in [false, true] {
            let arguments = [
                &["-CAfile", &world.ca, "-groups", groups],
                &identity[..],
                &with_session(&session, resumed),
            ]
            .concat();
            let door = Door::open();
            let mut program = s_client(&world, &door, &arguments);
            let mut stream = door.accept(&server, &program).unwrap();
            assert_eq!(
                (stream.group(), stream.get_ref().retried(), stream.resumed()),
                (group, retried, resumed)
            );
            assert_eq!(
                stream.peer().unwrap().common_name().as_deref(),
                Some(CLIENT_NAME)
            );
            program.wait_for(if resumed {
                "\nReused, TLSv1.3"
            } else {
                "\nNew, TLSv1.3"
            });
            program.wait_for(if group == P256 {
                "Server Temp Key: ECDH, prime256v1"
            } else {
                "Server Temp Key: X25519"
            });
            exporters_agree(&stream, &program);
            exchange(&mut stream, &program, "bulk", BULK);
            assert_eq!(
                count(&world, ">>>", "ClientHello"),
                if retried { 2 } else { 1 }
            );
            program.type_in("Q\n");
            expect_end(&mut stream, &program);
            stream.close().unwrap();
            program.finish_well();
        }
    }
}

/// Makes each connection twice, with a client certificate, so that a retry also occurs with a
/// ticket.
#[test]
#[ignore = "needs openssl"]
fn s_server_leads_us_to_a_group() {
    let world = World::new();
    type Row = (
        &'static str,
        fn(ClientBuilder) -> ClientBuilder,
        NamedGroup,
        bool,
    );
    let rows: [Row; 5] = [
        ("P-256", |ours| ours, P256, true),
        ("P-256", |ours| ours.key_shares([P256]), P256, false),
        (
            "P-256",
            |ours| ours.groups([X25519, P256]).key_shares([X25519]),
            P256,
            true,
        ),
        (
            "X25519",
            |ours| ours.groups([P256, X25519]).key_shares([P256]),
            X25519,
            true,
        ),
        // It does not know the hybrid, and has no reason to ask for another share.
        ("P-256:X25519", |ours| ours, X25519, false),
    ];
    for (groups, ours, group, retried) in rows {
        println!("{groups} leads to {group}, retried: {retried}");
        let client = Client::builder()
            .trust(world.pki.authority.trust())
            .identity(world.pki.client.clone());
        let client = ours(client).build().unwrap();
        let arguments = [
            "-naccept", "2", "-groups", groups, "-Verify", "3", "-CAfile", &world.ca,
        ];
        let (mut program, port) = s_server(&world, &world.server, &arguments);
        for number in 1..=2 {
            let mut stream = connect(&client, port).unwrap();
            assert_eq!(
                (stream.group(), stream.get_ref().retried(), stream.resumed()),
                (group, retried, number == 2)
            );
            exchange(&mut stream, &program, &format!("bulk {number}"), BULK);
            assert_eq!(
                count(&world, "<<<", "ClientHello"),
                if retried { 2 * number } else { number }
            );
            assert_eq!(program.times("\nReused session-id\n"), number - 1);
            assert_eq!(times_seen(&program), number);
            stream.close().unwrap();
            expect_end(&mut stream, &program);
        }
        program.finish_well();
    }
}

// ---- what is refused, as the other side sees it ----

#[test]
#[ignore = "needs openssl"]
fn s_client_refuses_our_certificate() {
    let world = World::new();
    for (server, alert) in [
        (world.pki.untrusted_server(), AlertDescription::UNKNOWN_CA),
        (
            world.pki.expired_server(),
            AlertDescription::CERTIFICATE_EXPIRED,
        ),
        (
            world.pki.wrongly_named_server(),
            AlertDescription::BAD_CERTIFICATE,
        ),
        (
            world.pki.client.clone(),
            AlertDescription::UNSUPPORTED_CERTIFICATE,
        ),
    ] {
        let server = Server::builder().identity(server).build().unwrap();
        let door = Door::open();
        let program = s_client(&world, &door, &["-CAfile", &world.ca]);
        let error = door.accept(&server, &program).unwrap_err();
        assert_alert_received(&error, alert, &program);
    }
}

#[test]
#[ignore = "needs openssl"]
fn s_server_refuses_our_certificate() {
    let world = World::new();
    for (authorities, client, alert) in [
        // It does not name its authorities.
        (
            "-verifyCAfile",
            Some(world.pki.untrusted_client()),
            AlertDescription::UNKNOWN_CA,
        ),
        // It names its authority, which is not ours. We present our certificate all the same
        // (RFC 9846, 4.3.4), and the server decides.
        (
            "-CAfile",
            Some(world.pki.untrusted_client()),
            AlertDescription::UNKNOWN_CA,
        ),
        (
            "-CAfile",
            Some(world.pki.expired_client()),
            AlertDescription::CERTIFICATE_EXPIRED,
        ),
        (
            "-CAfile",
            Some(world.pki.server.clone()),
            AlertDescription::UNSUPPORTED_CERTIFICATE,
        ),
        ("-CAfile", None, AlertDescription::CERTIFICATE_REQUIRED),
    ] {
        let (program, port) = s_server(
            &world,
            &world.server,
            &["-Verify", "3", authorities, &world.ca],
        );
        let mut builder = Client::builder().trust(world.pki.authority.trust());
        if let Some(client) = client {
            builder = builder.identity(client);
        }
        let mut stream = connect(&builder.build().unwrap(), port).unwrap();
        let error = read_error(&mut stream);
        assert_alert_received(&error, alert, &program);
    }
}

#[test]
#[ignore = "needs openssl"]
fn we_refuse_s_server() {
    let world = World::new();
    let pki = &world.pki;
    let good = || Client::builder().trust(pki.authority.trust());
    let certificate = |fault: &Fault, wanted: fn(&CertificateError) -> bool| {
        matches!(
            fault,
            Fault::Certificate(error) if wanted(error)
        )
    };
    type Row<'a> = (fleeting::Identity, &'a dyn Fn(&Fault) -> bool, u8);
    let rows: [Row<'_>; 4] = [
        (
            pki.untrusted_server(),
            &|fault| {
                certificate(fault, |error| {
                    matches!(error, CertificateError::UnknownIssuer { .. })
                })
            },
            48,
        ),
        (
            pki.expired_server(),
            &|fault| {
                certificate(fault, |error| {
                    matches!(error, CertificateError::Expired { .. })
                })
            },
            45,
        ),
        (
            pki.wrongly_named_server(),
            &|fault| {
                certificate(fault, |error| {
                    matches!(error, CertificateError::WrongName { .. })
                })
            },
            42,
        ),
        (
            pki.client.clone(),
            &|fault| certificate(fault, |error| *error == CertificateError::ExtendedKeyUsage),
            43,
        ),
    ];
    for (server, is_reason, alert) in rows {
        let files = world.files("refused", &server);
        let (program, port) = s_server(&world, &files, &[]);
        let error = connect(&good().build().unwrap(), port).unwrap_err();
        assert_fault(&error, is_reason, &program);
        program.wait_for(format!("SSL alert number {alert}\n"));
    }
}

#[test]
#[ignore = "needs openssl"]
fn we_refuse_s_client() {
    let world = World::new();
    let pki = &world.pki;
    let untrusted = world.files("untrusted", &pki.untrusted_client());
    let expired = world.files("expired", &pki.expired_client());
    let server = || Server::builder().identity(pki.server.clone()).alpn(["x"]);
    let required = || server().client_auth(ClientAuth::Required(pki.authority.trust()));
    type Row<'a> = (
        fleeting::ServerBuilder,
        Vec<&'a str>,
        fn(&Fault) -> bool,
        u8,
    );
    let rows: [Row<'_>; 8] = [
        (
            required(),
            vec![],
            |fault| matches!(fault, Fault::CertificateRequired { .. }),
            116,
        ),
        (
            required(),
            vec!["-cert", &untrusted.chain, "-key", &untrusted.key],
            |fault| {
                matches!(
                    fault,
                    Fault::Certificate(CertificateError::UnknownIssuer { .. })
                )
            },
            48,
        ),
        (
            required(),
            vec!["-cert", &expired.chain, "-key", &expired.key],
            |fault| matches!(fault, Fault::Certificate(CertificateError::Expired { .. })),
            45,
        ),
        (
            server(),
            vec!["-alpn", "y"],
            |fault| matches!(fault, Fault::NoCommonProtocol { .. }),
            120,
        ),
        (
            server().cipher_suites([SUITES[1].0]),
            vec!["-ciphersuites", SUITES[0].1],
            |fault| matches!(fault, Fault::NoCommonSuite { .. }),
            40,
        ),
        (
            server(),
            vec!["-groups", "P-384"],
            |fault| matches!(fault, Fault::NoCommonGroup { .. }),
            40,
        ),
        (
            server(),
            vec!["-sigalgs", "ecdsa_secp256r1_sha256"],
            |fault| matches!(fault, Fault::NoCommonScheme { .. }),
            40,
        ),
        (
            server(),
            vec!["-tls1_2"],
            |fault| matches!(fault, Fault::Version { .. }),
            70,
        ),
    ];
    for (server, arguments, is_reason, alert) in rows {
        println!("{arguments:?}");
        let door = Door::open();
        let program = s_client(
            &world,
            &door,
            &[&["-CAfile", &world.ca], &arguments[..]].concat(),
        );
        let error = door.accept(&server.build().unwrap(), &program).unwrap_err();
        assert_fault(&error, is_reason, &program);
        program.wait_for(format!("SSL alert number {alert}\n"));
    }
}

#[test]
#[ignore = "needs openssl"]
fn nothing_in_common_with_s_server() {
    let world = World::new();
    for (arguments, alert) in [
        (
            vec!["-alpn", "y"],
            AlertDescription::NO_APPLICATION_PROTOCOL,
        ),
        (
            vec!["-ciphersuites", SUITES[0].1],
            AlertDescription::HANDSHAKE_FAILURE,
        ),
        (
            vec!["-groups", "P-384"],
            AlertDescription::HANDSHAKE_FAILURE,
        ),
        (vec!["-tls1_2"], AlertDescription::PROTOCOL_VERSION),
    ] {
        println!("{arguments:?}");
        let (program, port) = s_server(&world, &world.server, &arguments);
        let client = Client::builder()
            .trust(world.pki.authority.trust())
            .alpn(["x"])
            .cipher_suites([SUITES[1].0])
            .build()
            .unwrap();
        let error = connect(&client, port).unwrap_err();
        assert_alert_received(&error, alert, &program);
    }
}

#[test]
#[ignore = "needs openssl"]
fn both_see_a_cut_connection() {
    let world = World::new();
    let server = Server::builder()
        .identity(world.pki.server.clone())
        .build()
        .unwrap();
    for we_vanish in [false, true] {
        let door = Door::open();
        let mut program = s_client(&world, &door, &["-CAfile", &world.ca]);
        let mut stream = door.accept(&server, &program).unwrap();
        stream.write_all(b"1 last line\n").unwrap();
        program.wait_for("1 last line\n");
        if we_vanish {
            cut(stream);
            program.wait_for("unexpected eof while reading");
            assert!(!program.finish().success());
        } else {
            program.kill();
            let error = read_error(&mut stream);
            assert!(matches!(error, Error::Truncated), "{error:?}");
        }
    }
}
