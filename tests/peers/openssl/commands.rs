//! OpenSSL's commands `s_client` and `s_server`: how they are started, and what they print.
//!
//! Both send their standard input and print what they receive. A line that begins with `K` is a
//! command: renew the keys and request the same of the peer. With `k`: renew them without a
//! request. With `Q`: close. `-msgfile` gets a line for every message.

use crate::program::{BULK, Door, Files, Program, Tls, World, exchange, expect_end, exported};
use crate::support::SERVER_NAME;

const INSTALL: &str = "apt-get install openssl";

/// Starts `s_client`, which connects to us and checks our certificate and our name.
pub fn s_client(world: &World, door: &Door, more: &[&str]) -> Program {
    let target = format!("127.0.0.1:{}", door.port());
    let messages = world.folder.path("messages");
    let fixed = [
        "s_client",
        "-connect",
        &target,
        "-servername",
        SERVER_NAME,
        "-verify_hostname",
        SERVER_NAME,
        "-verify_return_error",
    ];
    let rest = [
        "-msgfile",
        &messages,
        "-msg",
        "-keymatexport",
        "EXPORTER-test",
        "-keymatexportlen",
        "32",
    ];
    Program::start("openssl", INSTALL, fixed.iter().chain(&rest).chain(more))
}

/// Starts `s_server` with this identity. Returns the server and its port. It serves one connection,
/// or as many in sequence as a second `-naccept` says.
pub fn s_server(world: &World, files: &Files, more: &[&str]) -> (Program, u16) {
    let mut arguments = vec!["-cert", &files.chain, "-key", &files.key];
    // An empty file would be an error.
    if !std::fs::read(&files.issuers).unwrap().is_empty() {
        arguments.extend(["-cert_chain", &files.issuers]);
    }
    arguments.extend(more);
    nameless_s_server(world, &arguments)
}

/// Like `s_server`, but without an identity unless the arguments give one.
pub fn nameless_s_server(world: &World, more: &[&str]) -> (Program, u16) {
    let messages = world.folder.path("messages");
    let fixed = [
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-naccept",
        "1",
        "-msgfile",
        &messages,
        "-msg",
        "-verify_return_error",
    ];
    let rest = ["-keymatexport", "EXPORTER-test", "-keymatexportlen", "32"];
    let program = Program::start("openssl", INSTALL, fixed.iter().chain(&rest).chain(more));
    let port = program.wait_for_line("ACCEPT 127.0.0.1:").parse().unwrap();
    (program, port)
}

/// Returns how many of these messages it has sent (`>>>`) or received (`<<<`).
pub fn count(world: &World, direction: &str, message: &str) -> usize {
    world
        .folder
        .read("messages")
        .lines()
        .filter(|line| line.starts_with(direction) && line.contains(message))
        .count()
}

/// The arguments with which `s_client` presents this certificate.
pub fn with_identity(files: &Files) -> [&str; 6] {
    let Files {
        chain,
        key,
        issuers,
    } = files;
    ["-cert", chain, "-key", key, "-cert_chain", issuers]
}

/// The arguments for a file in which `s_client` keeps its session. With `use_it`, it resumes that
/// session.
pub fn with_session(file: &str, use_it: bool) -> Vec<&str> {
    if use_it {
        vec!["-sess_in", file, "-sess_out", file]
    } else {
        vec!["-sess_out", file]
    }
}

pub fn exporters_agree(stream: &Tls, program: &Program) {
    let theirs = program.wait_for_line("Keying material: ");
    assert_eq!(theirs, exported(stream).to_uppercase());
}

/// Sends data and renews keys in both directions.
pub fn exchange_and_rekey(stream: &mut Tls, program: &Program, what: &str) {
    exchange(stream, program, what, BULK);
    stream.rekey().unwrap();
    exchange(stream, program, &format!("{what} K"), 100);
}

/// Like `exchange_and_rekey`, after which `s_client` ends the connection.
pub fn end_with_s_client(mut stream: Tls, mut program: Program) {
    exporters_agree(&stream, &program);
    exchange_and_rekey(&mut stream, &program, "bulk");
    program.type_in("Q\n");
    expect_end(&mut stream, &program);
    stream.close().unwrap();
    program.finish_well();
}
