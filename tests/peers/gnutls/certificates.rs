//! Handshakes with certificates, resumption, groups, record sizes and refusals, with GnuTLS's
//! `gnutls-cli` and `gnutls-serv`.

use std::io::Write;

use fleeting::{
    AlertDescription, CertificateError, Client, ClientAuth, ClientBuilder, Error, Fault, Identity,
    NamedGroup, Server, ServerBuilder,
};

use crate::gnutls::commands::{
    RESUME, echo, end_first, exporters_agree, gnutls_cli, gnutls_serv, priority, with_identity,
};
use crate::program::{
    BULK, Door, Tls, World, assert_alert_received, assert_fault, connect, cut, exchange, expect,
    expect_end, exported, read_error, wait_until,
};
use crate::speaker::{P256, X25519};
use crate::support::{CLIENT_NAME, SERVER_NAME, SUITES, lines};
use crate::wire::PRE_SHARED_KEY;

#[test]
#[ignore = "needs gnutls-cli"]
fn gnutls_cli_talks_to_us() {
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
            let mut arguments = vec!["--alpn", "z", "--alpn", "y", "--alpn", "x"];
            if shown {
                arguments.extend(with_identity(&world.client));
            }
            let mut program = gnutls_cli(&world, &door, &priority(suite), &arguments);
            let mut stream = door.accept(&server, &program).unwrap();
            assert_eq!(stream.cipher_suite(), suite.0);
            assert_eq!(stream.server_name(), Some(SERVER_NAME));
            assert_eq!(stream.alpn(), Some(&b"x"[..]));
            assert_eq!(
                stream.peer().and_then(|peer| peer.common_name()).as_deref(),
                shown.then_some(CLIENT_NAME)
            );
            program.wait_for("- Application protocol: x");
            program.wait_for("- Handshake was completed");
            exporters_agree(&stream, &program);

            exchange(&mut stream, &program, "bulk", BULK);
            // It requests that we renew our keys too (RFC 9846, 4.7.3).
            program.type_in("^rekey^\n");
            program.wait_for("- Rekey was completed");
            exchange(&mut stream, &program, "^rekey^", 100);
            stream.rekey().unwrap();
            exchange(&mut stream, &program, "rekey", BULK);
            exchange(&mut stream, &program, "rekeyed", 100);

            if shown {
                // The connection ends at the end of its input.
                program.end_input();
                expect_end(&mut stream, &program);
                stream.close().unwrap();
            } else {
                stream.close().unwrap();
                program.wait_for("- Peer has closed the GnuTLS connection");
                // It then ends without a close_notify.
                let error = read_error(&mut stream);
                assert!(matches!(error, Error::Truncated), "{error:?}");
            }
            program.finish_well();
        }
    }
}

#[test]
#[ignore = "needs gnutls-serv"]
fn we_talk_to_gnutls_serv() {
    let world = World::new();
    for suite in SUITES {
        for (asked, shown) in [
            (&["--disable-client-cert"][..], false),
            (&["--disable-client-cert"], true),
            (&["--verify-client-cert"], false),
            (&["--verify-client-cert"], true),
            (&["--verify-client-cert", "--require-client-cert"], true),
        ] {
            println!("{}, {asked:?}, certificate shown: {shown}", suite.1);
            let arguments = [asked, &["--alpn", "y", "--alpn", "x"]].concat();
            let (program, port) = gnutls_serv(&world, &world.server, &priority(suite), &arguments);
            let mut client = Client::builder()
                .trust(world.pki.authority.trust())
                .alpn(["z", "x", "y"]);
            if shown {
                client = client.identity(world.pki.client.clone());
            }
            let mut stream = connect(&client.build().unwrap(), port).unwrap();
            assert_eq!(stream.cipher_suite(), suite.0);
            assert!(
                [Some(&b"x"[..]), Some(b"y")].contains(&stream.alpn()),
                "{:?}",
                stream.alpn()
            );
            assert_eq!(
                stream.peer().unwrap().certificates(),
                world.pki.server.certificates()
            );
            exporters_agree(&stream, &program);

            echo(&mut stream, &program, "bulk", BULK);
            for _ in 0..3 {
                stream.rekey().unwrap();
                echo(&mut stream, &program, "rekey", 100);
            }
            echo(&mut stream, &program, "rekeyed", BULK);
            stream.close().unwrap();
            expect_end(&mut stream, &program);
        }
    }
}

// ---- resumption, groups, retries ----

/// A server with other keys cannot use the ticket.
#[test]
#[ignore = "needs gnutls-cli"]
fn gnutls_cli_resumes() {
    let world = World::new();
    let trust = || world.pki.authority.trust();
    for suite in SUITES {
        for (client_auth, shown) in [
            (ClientAuth::None, false),
            (ClientAuth::Optional(trust()), false),
            (ClientAuth::Required(trust()), true),
        ] {
            for anew in [false, true] {
                println!(
                    "{}, {client_auth:?}, a server with other keys: {anew}",
                    suite.1
                );
                let server = || {
                    Server::builder()
                        .identity(world.pki.server.clone())
                        .client_auth(client_auth.clone())
                        .build()
                        .unwrap()
                };
                let first = server();
                let second = if anew { server() } else { first.clone() };
                let mut arguments = RESUME.to_vec();
                if shown {
                    arguments.extend(with_identity(&world.client));
                }
                let door = Door::open();
                let mut program = gnutls_cli(&world, &door, &priority(suite), &arguments);
                let stream = door.accept(&first, &program).unwrap();
                assert!(!stream.resumed());
                end_first(stream, &program);

                let mut stream = door.accept(&second, &program).unwrap();
                assert_eq!(stream.resumed(), !anew);
                assert!(stream.get_ref().client_offered(PRE_SHARED_KEY));
                assert_eq!(stream.cipher_suite(), suite.0);
                assert_eq!(stream.server_name(), Some(SERVER_NAME));
                assert_eq!(
                    stream.peer().and_then(|peer| peer.common_name()).as_deref(),
                    shown.then_some(CLIENT_NAME)
                );
                program.wait_for("- Simple Client Mode");
                assert_eq!(
                    program.times("*** This is a resumed session"),
                    usize::from(!anew)
                );
                exchange(&mut stream, &program, "bulk", BULK);
                program.type_in("^rekey^\n");
                program.wait_for("- Rekey was completed");
                exchange(&mut stream, &program, "^rekey^", 100);
                stream.rekey().unwrap();
                exchange(&mut stream, &program, "rekey", BULK);
                program.end_input();
                expect_end(&mut stream, &program);
                stream.close().unwrap();
                program.finish_well();
            }
        }
    }
}

/// A full handshake is followed by two resumed ones. Then the server is restarted.
#[test]
#[ignore = "needs gnutls-serv"]
fn we_resume_with_gnutls_serv() {
    let world = World::new();
    for suite in SUITES {
        for (asked, shown) in [
            (&["--disable-client-cert"][..], false),
            (&["--verify-client-cert"], false),
            (&["--verify-client-cert", "--require-client-cert"], true),
        ] {
            println!("{}, {asked:?}", suite.1);
            let mut client = Client::builder().trust(world.pki.authority.trust());
            if shown {
                client = client.identity(world.pki.client.clone());
            }
            let client = client.build().unwrap();
            for anew in [false, true] {
                let (program, port) = gnutls_serv(&world, &world.server, &priority(suite), asked);
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
                    let line = format!("to connection {number}\n");
                    stream.write_all(line.as_bytes()).unwrap();
                    expect(&mut stream, line.as_bytes(), &program);
                    wait_until("its word on resumption", || {
                        program.times("*** This is a resumed session") == number - 1
                    });
                    stream.close().unwrap();
                    expect_end(&mut stream, &program);
                }
            }
        }
    }
}

/// Makes each connection twice, with a client certificate, so that a retry also occurs with a
/// ticket.
#[test]
#[ignore = "needs gnutls-cli"]
fn gnutls_cli_is_led_to_a_group() {
    let world = World::new();
    type Row = (
        &'static str,
        &'static [&'static str],
        fn(ServerBuilder) -> ServerBuilder,
        NamedGroup,
        bool,
    );
    let rows: [Row; 6] = [
        // It sends shares for secp256r1 and X25519.
        ("", &[], |ours| ours, X25519, false),
        ("", &[], |ours| ours.groups([P256]), P256, false),
        (
            ":-GROUP-ALL:+GROUP-SECP256R1",
            &[],
            |ours| ours,
            P256,
            false,
        ),
        (
            "",
            &["--single-key-share"],
            |ours| ours.groups([X25519]),
            X25519,
            true,
        ),
        (
            ":-GROUP-ALL:+GROUP-SECP384R1:+GROUP-X25519",
            &["--single-key-share"],
            |ours| ours,
            X25519,
            true,
        ),
        (
            ":-GROUP-ALL:+GROUP-SECP384R1:+GROUP-SECP256R1",
            &["--single-key-share"],
            |ours| ours.retry_cookie(true),
            P256,
            true,
        ),
    ];
    for (groups, arguments, ours, group, retried) in rows {
        println!("{groups} {arguments:?} to {group}, retried: {retried}");
        let server = Server::builder()
            .identity(world.pki.server.clone())
            .client_auth(ClientAuth::Required(world.pki.authority.trust()));
        let server = ours(server).build().unwrap();
        let door = Door::open();
        let arguments = [&RESUME, arguments, &with_identity(&world.client)].concat();
        let mut program = gnutls_cli(
            &world,
            &door,
            &format!("NORMAL:-VERS-ALL:+VERS-TLS1.3{groups}"),
            &arguments,
        );
        let agrees = |stream: &Tls, resumed: bool| {
            assert_eq!(
                (stream.group(), stream.get_ref().retried(), stream.resumed()),
                (group, retried, resumed)
            );
            assert_eq!(
                stream.peer().unwrap().common_name().as_deref(),
                Some(CLIENT_NAME)
            );
        };
        let stream = door.accept(&server, &program).unwrap();
        agrees(&stream, false);
        let first = exported(&stream);
        end_first(stream, &program);

        let mut stream = door.accept(&server, &program).unwrap();
        agrees(&stream, true);
        program.wait_for("- Simple Client Mode");
        program.wait_for("*** This is a resumed session");
        program.wait_for(if group == P256 {
            "(ECDHE-SECP256R1)"
        } else {
            "(ECDHE-X25519)"
        });
        for exported in [first, exported(&stream)] {
            program.wait_for(format!("- Key material: {exported}\n"));
        }
        exchange(&mut stream, &program, "bulk", BULK);
        program.end_input();
        expect_end(&mut stream, &program);
        stream.close().unwrap();
        program.finish_well();
    }
}

/// Makes each connection twice, with a client certificate, so that a retry also occurs with a
/// ticket.
#[test]
#[ignore = "needs gnutls-serv"]
fn gnutls_serv_leads_us_to_a_group() {
    let world = World::new();
    type Row = (
        &'static str,
        fn(ClientBuilder) -> ClientBuilder,
        NamedGroup,
        bool,
    );
    let rows: [Row; 5] = [
        ("", |ours| ours, X25519, false),
        (
            "",
            |ours| ours.groups([P256, X25519]).key_shares([X25519]),
            P256,
            true,
        ),
        (":-GROUP-ALL:+GROUP-SECP256R1", |ours| ours, P256, true),
        (
            ":-GROUP-ALL:+GROUP-SECP256R1",
            |ours| ours.key_shares([P256]),
            P256,
            false,
        ),
        (
            ":-GROUP-ALL:+GROUP-X25519",
            |ours| ours.key_shares([P256]),
            X25519,
            true,
        ),
    ];
    for (groups, ours, group, retried) in rows {
        println!("{groups} leads to {group}, retried: {retried}");
        let client = Client::builder()
            .trust(world.pki.authority.trust())
            .identity(world.pki.client.clone());
        let client = ours(client).build().unwrap();
        let arguments = ["--verify-client-cert", "--require-client-cert"];
        let (program, port) = gnutls_serv(
            &world,
            &world.server,
            &format!("NORMAL:-VERS-ALL:+VERS-TLS1.3{groups}"),
            &arguments,
        );
        for resumed in [false, true] {
            let mut stream = connect(&client, port).unwrap();
            assert_eq!(
                (stream.group(), stream.get_ref().retried(), stream.resumed()),
                (group, retried, resumed)
            );
            if !resumed {
                program.wait_for(if group == P256 {
                    "(ECDHE-SECP256R1)"
                } else {
                    "(ECDHE-X25519)"
                });
                exporters_agree(&stream, &program);
            }
            echo(&mut stream, &program, "bulk", BULK);
            wait_until("its word on resumption", || {
                program.times("*** This is a resumed session") == usize::from(resumed)
            });
            stream.close().unwrap();
            expect_end(&mut stream, &program);
        }
    }
}

// ---- record_size_limit ----

/// Asserts that each side obeys the other's limit (RFC 8449) on content and its type, to which a
/// record adds 16 bytes. (GnuTLS adds the type to its option.)
fn assert_kept(stream: &Tls, ours: usize, theirs: usize) {
    assert_eq!(
        stream.get_ref().longest_records(),
        (theirs + 1 + 16, ours + 16)
    );
}

#[test]
#[ignore = "needs gnutls-cli"]
fn gnutls_cli_and_we_keep_to_record_sizes() {
    let world = World::new();
    let trust = world.pki.authority.trust();
    let builder = Server::builder()
        .identity(world.pki.server.clone())
        .client_auth(ClientAuth::Required(trust));
    let server = builder.record_size_limit(520).build().unwrap();
    let door = Door::open();
    let arguments = [&["--recordsize", "600"], &with_identity(&world.client)[..]].concat();
    let mut program = gnutls_cli(&world, &door, &priority(SUITES[0]), &arguments);
    let mut stream = door.accept(&server, &program).unwrap();
    exchange(&mut stream, &program, "a line", 32);
    // It splits its certificates, but loses input that is longer than a record.
    let bulk = lines("bulk", BULK);
    stream.write_all(&bulk).unwrap();
    program.wait_for(&bulk);
    assert_kept(&stream, 520, 600);
    program.end_input();
    expect_end(&mut stream, &program);
    program.finish_well();
}

#[test]
#[ignore = "needs gnutls-serv"]
fn gnutls_serv_and_we_keep_to_record_sizes() {
    let world = World::new();
    let arguments = [
        "--recordsize",
        "600",
        "--require-client-cert",
        "--verify-client-cert",
    ];
    let (program, port) = gnutls_serv(&world, &world.server, &priority(SUITES[0]), &arguments);
    let client = Client::builder()
        .trust(world.pki.authority.trust())
        .identity(world.pki.client.clone());
    let mut stream = connect(&client.record_size_limit(520).build().unwrap(), port).unwrap();
    echo(&mut stream, &program, "bulk", BULK);
    assert_kept(&stream, 520, 600);
    stream.close().unwrap();
    expect_end(&mut stream, &program);
}

// ---- what is refused, as the other side sees it ----

#[test]
#[ignore = "needs gnutls-cli"]
fn gnutls_cli_refuses_our_certificate() {
    let world = World::new();
    // The alert is the same for any reason.
    let alert = AlertDescription::BAD_CERTIFICATE;
    for server in [
        world.pki.untrusted_server(),
        world.pki.expired_server(),
        world.pki.wrongly_named_server(),
    ] {
        let server = Server::builder().identity(server).build().unwrap();
        let door = Door::open();
        let program = gnutls_cli(&world, &door, &priority(SUITES[0]), &[]);
        let error = door.accept(&server, &program).unwrap_err();
        assert_alert_received(&error, alert, &program);
    }
}

#[test]
#[ignore = "needs gnutls-serv"]
fn gnutls_serv_refuses_our_certificate() {
    let world = World::new();
    for (client, alert) in [
        // It names its authority, which is not ours. We present our certificate all the same
        // (RFC 9846, 4.3.4), and the server decides.
        (
            Some(world.pki.untrusted_client()),
            AlertDescription::ACCESS_DENIED,
        ),
        (
            Some(world.pki.expired_client()),
            AlertDescription::ACCESS_DENIED,
        ),
        (None, AlertDescription::CERTIFICATE_REQUIRED),
    ] {
        let arguments = ["--require-client-cert", "--verify-client-cert"];
        let (program, port) = gnutls_serv(&world, &world.server, &priority(SUITES[0]), &arguments);
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
#[ignore = "needs gnutls-serv"]
fn we_refuse_gnutls_serv() {
    let world = World::new();
    let pki = &world.pki;
    type Row = (Identity, fn(&CertificateError) -> bool, u8);
    let rows: [Row; 3] = [
        (
            pki.untrusted_server(),
            |error| matches!(error, CertificateError::UnknownIssuer { .. }),
            48,
        ),
        (
            pki.expired_server(),
            |error| matches!(error, CertificateError::Expired { .. }),
            45,
        ),
        (
            pki.wrongly_named_server(),
            |error| matches!(error, CertificateError::WrongName { .. }),
            42,
        ),
    ];
    for (server, is_reason, alert) in rows {
        let (program, port) = gnutls_serv(
            &world,
            &world.files("refused", &server),
            &priority(SUITES[0]),
            &["-d", "5"],
        );
        let client = Client::builder()
            .trust(pki.authority.trust())
            .build()
            .unwrap();
        let error = connect(&client, port).unwrap_err();
        assert!(
            matches!(
                &error,
                Error::Protocol { fault: Fault::Certificate(reason), .. } if is_reason(reason)
            ),
            "{error}"
        );
        program.wait_for(format!("Alert[2|{alert}]"));
    }
}

#[test]
#[ignore = "needs gnutls-cli"]
fn we_refuse_gnutls_cli() {
    let world = World::new();
    let pki = &world.pki;
    let untrusted = world.files("untrusted", &pki.untrusted_client());
    let plain = priority(SUITES[0]);
    let server = || Server::builder().identity(pki.server.clone()).alpn(["x"]);
    let required = || server().client_auth(ClientAuth::Required(pki.authority.trust()));
    type Row<'a> = (
        fleeting::ServerBuilder,
        &'a str,
        Vec<&'a str>,
        fn(&Fault) -> bool,
        u8,
    );
    let rows: [Row<'_>; 6] = [
        (
            required(),
            &plain,
            vec![],
            |fault| matches!(fault, Fault::CertificateRequired { .. }),
            116,
        ),
        (
            required(),
            &plain,
            with_identity(&untrusted).to_vec(),
            |fault| {
                matches!(
                    fault,
                    Fault::Certificate(CertificateError::UnknownIssuer { .. })
                )
            },
            48,
        ),
        (
            server(),
            &plain,
            vec!["--alpn", "y"],
            |fault| matches!(fault, Fault::NoCommonProtocol { .. }),
            120,
        ),
        (
            server().cipher_suites([SUITES[1].0]),
            &plain,
            vec![],
            |fault| matches!(fault, Fault::NoCommonSuite { .. }),
            40,
        ),
        (
            server(),
            "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1",
            vec![],
            |fault| matches!(fault, Fault::NoCommonGroup { .. }),
            40,
        ),
        (
            server(),
            "NORMAL:-VERS-ALL:+VERS-TLS1.2",
            vec![],
            |fault| matches!(fault, Fault::Version { .. }),
            70,
        ),
    ];
    for (server, priority, arguments, is_reason, alert) in rows {
        println!("{priority} {arguments:?}");
        let door = Door::open();
        let program = gnutls_cli(&world, &door, priority, &arguments);
        let error = door.accept(&server.build().unwrap(), &program).unwrap_err();
        assert_fault(&error, is_reason, &program);
        program.wait_for(format!("*** Received alert [{alert}]"));
    }
}

#[test]
#[ignore = "needs gnutls-cli"]
fn both_see_a_cut_connection() {
    let world = World::new();
    let server = Server::builder()
        .identity(world.pki.server.clone())
        .build()
        .unwrap();
    for we_vanish in [false, true] {
        let door = Door::open();
        let mut program = gnutls_cli(&world, &door, &priority(SUITES[0]), &[]);
        let mut stream = door.accept(&server, &program).unwrap();
        stream.write_all(b"1 last line\n").unwrap();
        program.wait_for("1 last line\n");
        if we_vanish {
            cut(stream);
            program.wait_for("The TLS connection was non-properly terminated");
        } else {
            program.kill();
            let error = read_error(&mut stream);
            assert!(matches!(error, Error::Truncated), "{error:?}");
        }
    }
}
