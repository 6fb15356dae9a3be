//! External PSKs with GnuTLS's `gnutls-cli` and `gnutls-serv`.
//!
//! Both use PSKs without import, with SHA-256. `gnutls-serv` does not distinguish an unknown PSK
//! from a wrong one: it invents a secret.

use std::io::Write;

use fleeting::{AlertDescription, Client, Fault, Server};

use crate::gnutls::commands::{
    RESUME, echo, end_first, exporters_agree, gnutls_cli, gnutls_serv, priority,
};
use crate::program::{
    BULK, Door, World, assert_alert_received, assert_fault, connect, exchange, expect_end,
    wait_until,
};
use crate::psk::{HEX, WRONG_HEX, psk};
use crate::support::{SUITES, Suite};

const IDENTITY: &str = "sensor17";

/// The suites with SHA-256.
const SHA256_SUITES: [Suite; 2] = [SUITES[0], SUITES[2]];

fn with_psks(suite: Suite) -> String {
    format!("{}:+ECDHE-PSK:+DHE-PSK", priority(suite))
}

#[test]
#[ignore = "needs gnutls-cli"]
fn gnutls_cli_comes_with_a_psk() {
    let world = World::new();
    for suite in SHA256_SUITES {
        for with_certificate in [false, true] {
            println!("{}, we have a certificate: {with_certificate}", suite.1);
            let mut server = Server::builder().external_psks([psk(IDENTITY)]);
            if with_certificate {
                server = server.identity(world.pki.server.clone());
            }
            let server = server.build().unwrap();
            let door = Door::open();
            let arguments = [&RESUME[..], &["--pskusername", IDENTITY, "--pskkey", HEX]].concat();
            let mut program = gnutls_cli(&world, &door, &with_psks(suite), &arguments);
            let stream = door.accept(&server, &program).unwrap();
            assert_eq!(
                stream.external_psk().unwrap().identity(),
                IDENTITY.as_bytes()
            );
            assert!(stream.peer().is_none() && !stream.resumed());
            end_first(stream, &program);

            let mut stream = door.accept(&server, &program).unwrap();
            assert_eq!(
                stream.external_psk().unwrap().identity(),
                IDENTITY.as_bytes()
            );
            assert_eq!((stream.resumed(), stream.cipher_suite()), (true, suite.0));
            program.wait_for("- Simple Client Mode");
            program.wait_for("- PSK authentication.");
            exchange(&mut stream, &program, "bulk", BULK);
            stream.rekey().unwrap();
            exchange(&mut stream, &program, "rekey", 100);
            program.end_input();
            expect_end(&mut stream, &program);
            stream.close().unwrap();
            program.finish_well();
        }
    }

    // RFC 9846, F.6: if only PSKs are accepted, a wrong one and an unknown one look alike.
    type Row = (&'static str, &'static str, fn(&Fault) -> bool);
    let rows: [Row; 2] = [
        (IDENTITY, WRONG_HEX, |fault| {
            matches!(fault, Fault::BadBinder)
        }),
        ("sensor18", HEX, |fault| matches!(fault, Fault::UnknownPsk)),
    ];
    for (identity, secret, is_reason) in rows {
        let server = Server::builder()
            .external_psks([psk(IDENTITY)])
            .build()
            .unwrap();
        let door = Door::open();
        let arguments = ["--pskusername", identity, "--pskkey", secret];
        let program = gnutls_cli(&world, &door, &with_psks(SUITES[0]), &arguments);
        let error = door.accept(&server, &program).unwrap_err();
        assert_fault(&error, is_reason, &program);
        program.wait_for("*** Received alert [51]");
    }
}

#[test]
#[ignore = "needs gnutls-serv"]
fn we_come_to_gnutls_serv_with_a_psk() {
    let world = World::new();
    let file = |name, identity, secret| {
        format!(
            "--pskpasswd={}",
            world.folder.write(name, format!("{identity}:{secret}\n"))
        )
    };
    let known = file("known", IDENTITY, HEX);
    let alone = || Client::builder().external_psk(psk(IDENTITY));
    let trusting = || alone().trust(world.pki.authority.trust());
    for suite in SHA256_SUITES {
        for (trusts, client) in [(false, alone()), (true, trusting())] {
            println!("{}, we trust certificates: {trusts}", suite.1);
            let client = client.build().unwrap();
            let (program, port) = gnutls_serv(
                &world,
                &world.server,
                &with_psks(suite),
                &["--disable-client-cert", &known],
            );
            for resumed in [false, true] {
                let mut stream = connect(&client, port).unwrap();
                assert_eq!(
                    stream.external_psk().unwrap().identity(),
                    IDENTITY.as_bytes()
                );
                assert!(stream.peer().is_none());
                assert_eq!(
                    (stream.resumed(), stream.cipher_suite()),
                    (resumed, suite.0)
                );
                if !resumed {
                    exporters_agree(&stream, &program);
                }
                echo(&mut stream, &program, "bulk", BULK);
                let said = format!("- PSK authentication. Connected as '{IDENTITY}'");
                wait_until("who we are to it", || {
                    program.times(&said) == 1 + usize::from(resumed)
                });
                stream.write_all(b"last\n").unwrap();
                stream.close().unwrap();
            }
        }
    }

    for (psks, client) in [
        (file("wrong", IDENTITY, WRONG_HEX), alone()),
        (file("wrong", IDENTITY, WRONG_HEX), trusting()),
        (file("unknown", "sensor18", HEX), alone()),
        (file("unknown", "sensor18", HEX), trusting()),
    ] {
        let (program, port) = gnutls_serv(
            &world,
            &world.server,
            &with_psks(SUITES[0]),
            &["--disable-client-cert", &psks],
        );
        let error = connect(&client.build().unwrap(), port).unwrap_err();
        let alert = AlertDescription::ILLEGAL_PARAMETER;
        assert_alert_received(&error, alert, &program);
    }
}
