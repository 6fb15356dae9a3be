//! External PSKs with OpenSSL's `s_client` and `s_server`, 3.0 or newer. Debian:
//! `apt-get install openssl`.
//!
//! Both take an identity and a secret in hexadecimal digits. They use PSKs only without import, and
//! with SHA-256.

use std::io::Write;

use fleeting::{
    AlertDescription, CipherSuite, Client, EarlyData, Fault, NamedGroup, ReplayGuard, Server,
    SessionCache,
};

use crate::openssl::commands::{
    count, end_with_s_client, exchange_and_rekey, nameless_s_server, s_client, s_server,
    with_session,
};
use crate::program::{
    Door, Tls, World, accept_early, assert_alert_received, assert_fault, connect, connect_early,
    expect_end, settle,
};
use crate::psk::{HEX, WRONG_HEX, psk};
use crate::speaker::{P256, X25519};
use crate::support::{SUITES, Suite, lines};
use crate::wire::PRE_SHARED_KEY;

const IDENTITY: &str = "sensor 17";

const KNOWN: [&str; 4] = ["-psk_identity", IDENTITY, "-psk", HEX];

const UNKNOWN: [&str; 4] = ["-psk_identity", "sensor 18", "-psk", HEX];

const WRONG: [&str; 4] = ["-psk_identity", IDENTITY, "-psk", WRONG_HEX];

/// The suites with SHA-256, in OpenSSL's order.
const SHA256_SUITES: [Suite; 2] = [SUITES[2], SUITES[0]];

/// How much early data is sent and accepted, in bytes.
const SIZE: usize = 1024;

/// Asserts that only the PSK authenticated the peer.
fn assert_known(stream: &Tls, resumed: bool) {
    assert_eq!(
        stream.external_psk().unwrap().identity(),
        IDENTITY.as_bytes()
    );
    assert!(stream.peer().is_none());
    assert_eq!(stream.resumed(), resumed);
}

// ---- what works ----

/// A client offers only the PSK, or has certificates too. Then it uses the tickets of that
/// connection, with early data.
#[test]
#[ignore = "needs openssl"]
fn s_client_comes_with_a_psk() {
    let world = World::new();
    let early = lines("early", SIZE);
    let file = world.folder.write("early", &early);
    let all = SUITES.map(|suite| suite.1).join(":");
    let alone = || Server::builder().external_psks([psk(IDENTITY)]);
    let beside = || alone().identity(world.pki.server.clone());
    let (chacha, aes) = (SHA256_SUITES[0].0, SHA256_SUITES[1].0);
    // Its suites and groups, our configuration, and the suite and group agreed on. If all suites
    // are offered, the PSK's hash limits the choice.
    type Row<'a> = (
        &'a str,
        &'a str,
        fleeting::ServerBuilder,
        CipherSuite,
        NamedGroup,
        bool,
    );
    let rows: [Row<'_>; 5] = [
        (SHA256_SUITES[0].1, "X25519", alone(), chacha, X25519, false),
        (SHA256_SUITES[1].1, "X25519", beside(), aes, X25519, false),
        (
            &all,
            "P-256",
            alone().cipher_suites([SUITES[1].0, aes]),
            aes,
            P256,
            false,
        ),
        (
            &all,
            "P-384:X25519",
            beside().cipher_suites([aes]),
            aes,
            X25519,
            true,
        ),
        (
            SHA256_SUITES[0].1,
            "X25519",
            alone().retry_cookie(true),
            chacha,
            X25519,
            true,
        ),
    ];
    for (suites, groups, server, suite, group, retried) in rows {
        println!("{suites}, {groups}, retried: {retried}");
        let server = server
            .early_data(1024, ReplayGuard::in_memory(100))
            .build()
            .unwrap();
        let session = world.folder.path("session");
        for resumed in [false, true] {
            let fixed = [
                "-ciphersuites",
                suites,
                "-groups",
                groups,
                "-early_data",
                &file,
                "-CAfile",
                &world.ca,
            ];
            let arguments = [&fixed, &KNOWN[..], &with_session(&session, resumed)].concat();
            let door = Door::open();
            let program = s_client(&world, &door, &arguments);
            let (stream, received) =
                accept_early(&server, door.wait(&program), b"1 answer\n").unwrap();
            assert_known(&stream, resumed);
            assert_eq!(
                (
                    stream.cipher_suite(),
                    stream.group(),
                    stream.get_ref().retried()
                ),
                (suite, group, retried)
            );
            let outcome = match (resumed, retried) {
                (false, _) => EarlyData::NotOffered,
                (true, false) => EarlyData::Accepted,
                (true, true) => EarlyData::Rejected,
            };
            assert_eq!(stream.early_data(), outcome);
            assert_eq!(
                received,
                if outcome == EarlyData::Accepted {
                    &early[..]
                } else {
                    b""
                }
            );
            program.wait_for("\nReused, TLSv1.3");
            assert_eq!(count(&world, "<<<", "Certificate"), 0);
            end_with_s_client(stream, program);
        }
    }
}

#[test]
#[ignore = "needs openssl"]
fn we_come_to_s_server_with_a_psk() {
    let world = World::new();
    let alone = || {
        Client::builder()
            .external_psk(psk(IDENTITY))
            .early_data(true)
    };
    let trusting = || alone().trust(world.pki.authority.trust());
    let (chacha, aes) = (SHA256_SUITES[0], SHA256_SUITES[1]);
    type Row<'a> = (
        &'a str,
        &'a str,
        fleeting::ClientBuilder,
        CipherSuite,
        NamedGroup,
        bool,
    );
    let all = SUITES.map(|suite| suite.1).join(":");
    let rows: [Row<'_>; 5] = [
        (chacha.1, "X25519", alone(), chacha.0, X25519, false),
        (aes.1, "X25519", trusting(), aes.0, X25519, false),
        (
            &all,
            "P-256",
            alone().key_shares([P256]),
            aes.0,
            P256,
            false,
        ),
        (
            &all,
            "X25519",
            trusting().key_shares([P256]),
            aes.0,
            X25519,
            true,
        ),
        (chacha.1, "P-256", alone(), chacha.0, P256, true),
    ];
    for (suites, groups, client, suite, group, retried) in rows {
        let sessions = SessionCache::new(8);
        let client = client.sessions(sessions.clone()).build().unwrap();
        for with_certificate in [false, true] {
            println!(
                "{suites}, {groups}, retried: {retried}, it has a certificate: {with_certificate}"
            );
            // Sessions of the previous server do not fit this one.
            sessions.clear();
            let fixed = [
                "-naccept",
                "3",
                "-ciphersuites",
                suites,
                "-groups",
                groups,
                "-early_data",
                "-max_early_data",
                "1024",
                "-no_anti_replay",
            ];
            let arguments = [&fixed[..], &KNOWN].concat();
            let (mut program, port) = if with_certificate {
                s_server(&world, &world.server, &arguments)
            } else {
                nameless_s_server(&world, &[&arguments[..], &["-nocert"]].concat())
            };
            for number in 1..=3 {
                let early = lines(&format!("early {number}"), SIZE);
                let mut stream = match number {
                    1 => connect(&client, port).unwrap(),
                    _ => connect_early(&client, port, &early).unwrap(),
                };
                assert_known(&stream, number > 1);
                assert_eq!(
                    (
                        stream.cipher_suite(),
                        stream.group(),
                        stream.get_ref().retried()
                    ),
                    (suite, group, retried)
                );
                let outcome = match (number, retried) {
                    (1, _) => EarlyData::NotOffered,
                    (_, false) => EarlyData::Accepted,
                    (_, true) => EarlyData::Rejected,
                };
                assert_eq!(stream.early_data(), outcome);
                if outcome == EarlyData::Accepted {
                    program.wait_for(&early);
                }
                settle(&mut stream, &program, &format!("{number}"));
                exchange_and_rekey(&mut stream, &program, &format!("{number}"));
                assert_eq!(count(&world, ">>>", "Certificate"), 0);
                stream.close().unwrap();
                expect_end(&mut stream, &program);
            }
            program.finish_well();
        }
    }
}

/// A PSK that the server does not know is ignored, and certificates are used if both sides do that.
#[test]
#[ignore = "needs openssl"]
fn an_unknown_psk_beside_a_certificate_is_ignored() {
    let world = World::new();
    let server = Server::builder()
        .identity(world.pki.server.clone())
        .external_psks([psk(IDENTITY)])
        .build()
        .unwrap();
    let door = Door::open();
    let program = s_client(
        &world,
        &door,
        &[&["-CAfile", &world.ca], &UNKNOWN[..]].concat(),
    );
    let stream = door.accept(&server, &program).unwrap();
    assert!(stream.get_ref().client_offered(PRE_SHARED_KEY) && stream.external_psk().is_none());
    program.wait_for("\nNew, TLSv1.3");
    program.wait_for("Verify return code: 0 (ok)");
    end_with_s_client(stream, program);

    let client = Client::builder()
        .external_psk(psk(IDENTITY))
        .trust(world.pki.authority.trust())
        .build()
        .unwrap();
    let (mut program, port) = s_server(&world, &world.server, &UNKNOWN);
    let mut stream = connect(&client, port).unwrap();
    assert!(stream.get_ref().client_offered(PRE_SHARED_KEY) && stream.external_psk().is_none());
    assert_eq!(
        stream.peer().unwrap().certificates(),
        world.pki.server.certificates()
    );
    exchange_and_rekey(&mut stream, &program, "bulk");
    stream.write_all(b"1 last line\n").unwrap();
    stream.close().unwrap();
    program.wait_for("1 last line\n");
    expect_end(&mut stream, &program);
    program.finish_well();
}

// ---- what is refused, as the other side sees it ----

#[test]
#[ignore = "needs openssl"]
fn we_refuse_s_clients_psk() {
    let world = World::new();
    let alone = || Server::builder().external_psks([psk(IDENTITY)]);
    let beside = || alone().identity(world.pki.server.clone());
    type Row<'a> = (
        fleeting::ServerBuilder,
        Vec<&'a str>,
        fn(&Fault) -> bool,
        u8,
    );
    let rows: [Row<'_>; 5] = [
        // RFC 9846, 4.3.11: "If this value is not present or does not validate, the server MUST
        // abort the handshake"; F.6: both look alike if only PSKs are accepted.
        (
            alone(),
            WRONG.to_vec(),
            |fault| matches!(fault, Fault::BadBinder),
            51,
        ),
        (
            alone(),
            UNKNOWN.to_vec(),
            |fault| matches!(fault, Fault::UnknownPsk),
            51,
        ),
        (
            beside(),
            WRONG.to_vec(),
            |fault| matches!(fault, Fault::BadBinder),
            51,
        ),
        (
            alone(),
            vec![],
            |fault| matches!(fault, Fault::MissingExtension { .. }),
            109,
        ),
        // The PSK does not fit the only suite that is offered.
        (
            alone(),
            [&KNOWN[..], &["-ciphersuites", SUITES[1].1]].concat(),
            |fault| matches!(fault, Fault::UnknownPsk),
            51,
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
fn s_server_refuses_our_psk() {
    let world = World::new();
    let alone = || Client::builder().external_psk(psk(IDENTITY));
    let trusting = || alone().trust(world.pki.authority.trust());
    for (client, arguments, alert) in [
        (alone(), &WRONG, AlertDescription::ILLEGAL_PARAMETER),
        (trusting(), &WRONG, AlertDescription::ILLEGAL_PARAMETER),
        // We offer no signature algorithms, and the server has only a certificate.
        (alone(), &UNKNOWN, AlertDescription::MISSING_EXTENSION),
        (trusting(), &UNKNOWN, AlertDescription::HANDSHAKE_FAILURE),
    ] {
        println!("{arguments:?}");
        let (program, port) = nameless_s_server(&world, &[&["-nocert"], &arguments[..]].concat());
        let error = connect(&client.build().unwrap(), port).unwrap_err();
        assert_alert_received(&error, alert, &program);
    }
}
