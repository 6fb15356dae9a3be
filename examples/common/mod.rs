//! What the examples share: how they end, and a report of what a handshake negotiated.
#![allow(dead_code, reason = "not every example uses all of it")]

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::process::ExitCode;

use fleeting::{Peer, Stream};

/// Any error. The `Display` of fleeting's errors says what was expected, what came and what to do.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Prints an error with `Display`. If `main` returned it, Rust would print it with `Debug`, which
/// lacks the explanation.
pub fn exit_code(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", env!("CARGO_CRATE_NAME"));
            ExitCode::FAILURE
        }
    }
}

/// Finds the cause of a failure on a stream over a blocking socket. A peer that has closed its
/// socket may have sent an alert before, which can still be read. A time-out of the socket means
/// that the peer was silent.
pub fn explain<S: Read + Write>(tls: &mut Stream<S>, failure: Failure) -> Failure {
    match failure.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => match tls.read(&mut [0]) {
            Err(alert) if alert.kind() == ErrorKind::InvalidData => alert.into(),
            _ => failure,
        },
        Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            "the peer was silent for too long".into()
        }
        _ => failure,
    }
}

/// Returns what was negotiated, one item per line.
pub fn report<S: Read + Write>(tls: &Stream<S>) -> String {
    let mut out = String::new();
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(out, "  {what:<14} {value}");
    };
    line("protocol", "TLS 1.3");
    line("cipher suite", &tls.cipher_suite().to_string());
    line("group", &tls.group().to_string());
    line(
        "handshake",
        if tls.resumed() {
            "resumed, without certificates"
        } else {
            "full"
        },
    );
    line("server name", tls.server_name().unwrap_or("none sent"));
    line(
        "ALPN",
        &tls.alpn().map_or("none".into(), String::from_utf8_lossy),
    );
    match tls.peer() {
        Some(peer) => line("peer", &describe(peer)),
        None => line("peer", "not authenticated"),
    }
    out
}

/// Describes a peer in one line: its authenticated subject and names, and its key.
pub fn describe(peer: &Peer) -> String {
    let known = [
        vec![peer.subject()],
        peer.names(),
        vec![format!("key {}", peer.public_key())],
    ]
    .concat();
    known
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}
