//! GnuTLS's commands `gnutls-cli` and `gnutls-serv`: how they are started, and what they print.
//!
//! The client sends its standard input, treats `^rekey^` as a command, and prints what it receives.
//! The server sends back what it receives. Both prefer secp256r1. The client sends shares of that
//! and of X25519, or of secp256r1 only. The server takes the client's first group, with or without
//! a share.

use std::io::Write;

use crate::program::{Door, Files, Program, Tls, World, expect, expect_end, exported, free_port};
use crate::support::{SERVER_NAME, Suite, lines};

const INSTALL: &str = "apt-get install gnutls-bin";

/// The priority string for TLS 1.3 only, with this suite.
pub fn priority(suite: Suite) -> String {
    let cipher = match suite.1 {
        "TLS_AES_128_GCM_SHA256" => "AES-128-GCM",
        "TLS_AES_256_GCM_SHA384" => "AES-256-GCM",
        _ => "CHACHA20-POLY1305",
    };
    format!("NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+{cipher}")
}

/// Starts `gnutls-cli`, which connects to us and checks our certificate and our name.
pub fn gnutls_cli(world: &World, door: &Door, priority: &str, more: &[&str]) -> Program {
    let port = door.port().to_string();
    let fixed = [
        "-p",
        &port,
        "127.0.0.1",
        "--sni-hostname",
        SERVER_NAME,
        "--verify-hostname",
        SERVER_NAME,
        "--x509cafile",
        &world.ca,
    ];
    let rest = [
        "--priority",
        priority,
        "--inline-commands",
        "--keymatexport",
        "EXPORTER-test",
        "--keymatexportsize",
        "32",
    ];
    Program::start("gnutls-cli", INSTALL, fixed.iter().chain(&rest).chain(more))
}

/// Starts `gnutls-serv`. Returns the server and its port.
pub fn gnutls_serv(world: &World, files: &Files, priority: &str, more: &[&str]) -> (Program, u16) {
    // It cannot find a free port, so another program may take the port first.
    for _ in 0..10 {
        let number = free_port();
        let port = number.to_string();
        let fixed = [
            "--echo",
            "-p",
            &port,
            "--x509certfile",
            &files.chain,
            "--x509keyfile",
            &files.key,
            "--x509cafile",
            &world.ca,
        ];
        let rest = [
            "--priority",
            priority,
            "--keymatexport",
            "EXPORTER-test",
            "--keymatexportsize",
            "32",
        ];
        let program = Program::start(
            "gnutls-serv",
            INSTALL,
            fixed.iter().chain(&rest).chain(more),
        );
        let said = program.wait_for_line("Echo Server listening on IPv4 0.0.0.0 port ");
        if said.ends_with("done") {
            return (program, number);
        }
    }
    panic!("gnutls-serv found no port in ten attempts");
}

pub fn exporters_agree(stream: &Tls, program: &Program) {
    assert_eq!(program.wait_for_line("- Key material: "), exported(stream));
}

/// Sends data to `gnutls-serv`, which sends it back.
pub fn echo(stream: &mut Tls, program: &Program, what: &str, length: usize) {
    // It sends back what it has read before it reads more, so sending everything at once would fill
    // both directions.
    for piece in lines(what, length).chunks(8192) {
        stream
            .write_all(piece)
            .unwrap_or_else(|error| panic!("{error}.{}", program.report()));
        expect(stream, piece, program);
    }
}

pub fn with_identity(files: &Files) -> [&str; 4] {
    ["--x509certfile", &files.chain, "--x509keyfile", &files.key]
}

/// `gnutls-cli --resume` connects, disconnects when it has a ticket, and connects again.
pub const RESUME: [&str; 2] = ["--resume", "--waitresumption"];

/// Ends the first of its two connections. It prints what it knows about that one only after the
/// second.
pub fn end_first(mut stream: Tls, program: &Program) {
    // It waits for a ticket, which is sent with our first data.
    stream.close().unwrap();
    expect_end(&mut stream, program);
}
