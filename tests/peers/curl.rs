//! curl as an HTTP/1.1 client of our server, 7.88 or newer, built with OpenSSL. Debian:
//! `apt-get install curl`.
//!
//! Exit codes of curl: 35 if the handshake failed, 56 if receiving failed, 60 if the server's
//! certificate was not accepted.

use std::io::{BufRead, Write};

use fleeting::{AlertDescription, CertificateError, ClientAuth, Error, Fault, Server};

use crate::program::{
    BULK, Door, Files, Program, Tls, World, assert_alert_received, assert_fault, expect,
    expect_end, read_error,
};
use crate::support::{CLIENT_NAME, SERVER_NAME, SUITES, lines};

const INSTALL: &str = "apt-get install curl";

/// Starts curl, which connects to us and checks our certificate and our name.
fn curl(world: &World, door: &Door, more: &[&str]) -> Program {
    let url = format!("https://{SERVER_NAME}:{}/", door.port());
    let resolve = format!("{SERVER_NAME}:{}:127.0.0.1", door.port());
    // The user who runs the tests may have a ~/.curlrc and a proxy.
    let fixed = [
        "--disable",
        "--noproxy",
        "*",
        "--silent",
        "--show-error",
        "--fail",
        "--http1.1",
        "--resolve",
        &resolve,
    ];
    Program::start(
        "curl",
        INSTALL,
        fixed
            .iter()
            .chain(&["--cacert", &world.ca, &url])
            .chain(more),
    )
}

fn with_identity(files: &Files) -> [&str; 4] {
    ["--cert", &files.chain, "--key", &files.key]
}

/// Reads the head of a request and returns it.
fn request(stream: &mut Tls) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "{head}");
    }
    head
}

fn exit_code(program: &mut Program) -> i32 {
    program.finish().code().unwrap()
}

/// Covers a GET whose answer ends with the connection, and a POST on a connection that is used
/// twice.
#[test]
#[ignore = "needs curl"]
fn curl_asks_us() {
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
            let builder = Server::builder()
                .identity(world.pki.server.clone())
                .client_auth(client_auth);
            let server = builder.alpn(["http/1.1"]).build().unwrap();
            let mut arguments = vec!["--tls13-ciphers", suite.1, "--tlsv1.3"];
            if shown {
                arguments.extend(with_identity(&world.client));
            }
            let answer = lines("the server", BULK);
            let connected = |stream: &Tls| {
                assert_eq!(stream.cipher_suite(), suite.0);
                assert_eq!(stream.server_name(), Some(SERVER_NAME));
                assert_eq!(stream.alpn(), Some(&b"http/1.1"[..]));
                assert_eq!(
                    stream.peer().and_then(|peer| peer.common_name()).as_deref(),
                    shown.then_some(CLIENT_NAME)
                );
            };

            // Without a length, only close_notify shows that the answer is complete.
            let door = Door::open();
            let mut program = curl(&world, &door, &arguments);
            let mut stream = door.accept(&server, &program).unwrap();
            connected(&stream);
            assert!(request(&mut stream).starts_with("GET / HTTP/1.1\r\n"));
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                .unwrap();
            stream.write_all(&answer[..BULK / 2]).unwrap();
            stream.rekey().unwrap();
            stream.write_all(&answer[BULK / 2..]).unwrap();
            stream.close().unwrap();
            expect_end(&mut stream, &program);
            program.wait_for(&answer);
            program.finish_well();

            let door = Door::open();
            let upload = lines("the client", BULK);
            let file = format!("@{}", world.folder.write("upload", &upload));
            let again = format!("https://{SERVER_NAME}:{}/again", door.port());
            let expect_none = ["--header", "Expect:", "--data-binary", &file, &again];
            let mut program = curl(&world, &door, &[&arguments[..], &expect_none].concat());
            let mut stream = door.accept(&server, &program).unwrap();
            connected(&stream);
            for target in ["/", "/again"] {
                let head = request(&mut stream);
                assert!(
                    head.starts_with(&format!("POST {target} HTTP/1.1\r\n")),
                    "{head}"
                );
                assert!(
                    head.contains(&format!("Content-Length: {}\r\n", upload.len())),
                    "{head}"
                );
                expect(&mut stream, &upload, &program);
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                    answer.len()
                )
                .unwrap();
                // The KeyUpdate precedes the answer, which curl reads before its next request. That
                // request then comes under renewed keys (RFC 9846, 4.7.3).
                stream.rekey().unwrap();
                stream.write_all(&answer).unwrap();
            }
            expect_end(&mut stream, &program);
            stream.close().unwrap();
            program.wait_for([&answer[..], &answer].concat());
            program.finish_well();
        }
    }
}

// ---- what is refused, as the other side sees it ----

#[test]
#[ignore = "needs curl"]
fn curl_refuses_our_certificate() {
    let world = World::new();
    for (server, alert) in [
        (world.pki.untrusted_server(), AlertDescription::UNKNOWN_CA),
        (
            world.pki.expired_server(),
            AlertDescription::CERTIFICATE_EXPIRED,
        ),
        (
            world.pki.client.clone(),
            AlertDescription::UNSUPPORTED_CERTIFICATE,
        ),
    ] {
        let server = Server::builder().identity(server).build().unwrap();
        let door = Door::open();
        let mut program = curl(&world, &door, &[]);
        let error = door.accept(&server, &program).unwrap_err();
        assert_alert_received(&error, alert, &program);
        assert_eq!(exit_code(&mut program), 60);
    }

    // curl itself checks the name, after the handshake, and closes.
    let server = Server::builder()
        .identity(world.pki.wrongly_named_server())
        .build()
        .unwrap();
    let door = Door::open();
    let mut program = curl(&world, &door, &[]);
    let mut stream = door.accept(&server, &program).unwrap();
    expect_end(&mut stream, &program);
    assert_eq!(exit_code(&mut program), 60);
}

#[test]
#[ignore = "needs curl"]
fn we_refuse_curl() {
    let world = World::new();
    let pki = &world.pki;
    let untrusted = world.files("untrusted", &pki.untrusted_client());
    let expired = world.files("expired", &pki.expired_client());
    let server = || {
        Server::builder()
            .identity(pki.server.clone())
            .alpn(["http/1.1"])
    };
    let required = || server().client_auth(ClientAuth::Required(pki.authority.trust()));
    type Row<'a> = (
        fleeting::ServerBuilder,
        Vec<&'a str>,
        fn(&Fault) -> bool,
        i32,
        &'a str,
    );
    let rows: [Row<'_>; 6] = [
        (
            required(),
            vec![],
            |fault| matches!(fault, Fault::CertificateRequired { .. }),
            56,
            "certificate required",
        ),
        (
            required(),
            with_identity(&untrusted).to_vec(),
            |fault| {
                matches!(
                    fault,
                    Fault::Certificate(CertificateError::UnknownIssuer { .. })
                )
            },
            56,
            "unknown ca",
        ),
        (
            required(),
            with_identity(&expired).to_vec(),
            |fault| matches!(fault, Fault::Certificate(CertificateError::Expired { .. })),
            56,
            "certificate expired",
        ),
        (
            server().alpn(["x"]),
            vec![],
            |fault| matches!(fault, Fault::NoCommonProtocol { .. }),
            35,
            "no application protocol",
        ),
        (
            server().cipher_suites([SUITES[1].0]),
            vec!["--tls13-ciphers", SUITES[0].1],
            |fault| matches!(fault, Fault::NoCommonSuite { .. }),
            35,
            "handshake failure",
        ),
        (
            server(),
            vec!["--tls-max", "1.2"],
            |fault| matches!(fault, Fault::Version { .. }),
            35,
            "protocol version",
        ),
    ];
    for (server, arguments, is_reason, code, alert) in rows {
        println!("{arguments:?}");
        let door = Door::open();
        let mut program = curl(&world, &door, &arguments);
        let error = door.accept(&server.build().unwrap(), &program).unwrap_err();
        assert_fault(&error, is_reason, &program);
        program.wait_for(alert);
        assert_eq!(exit_code(&mut program), code, "{}", program.report());
    }
}

/// curl itself treats any end as a close_notify, unless the answer has a length.
#[test]
#[ignore = "needs curl"]
fn we_see_a_cut_connection() {
    let world = World::new();
    let server = Server::builder()
        .identity(world.pki.server.clone())
        .build()
        .unwrap();
    let door = Door::open();
    let mut program = curl(&world, &door, &["--no-buffer"]);
    let mut stream = door.accept(&server, &program).unwrap();
    request(&mut stream);
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthe first half")
        .unwrap();
    program.wait_for("the first half");
    program.kill();
    let error = read_error(&mut stream);
    assert!(matches!(error, Error::Truncated), "{error:?}");
}
