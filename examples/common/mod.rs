//! What the examples share: a report of what a handshake agreed on.
#![allow(dead_code, reason = "not every example uses all of it")]

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};

use fleeting::{Peer, Stream};

/// Whatever went wrong, in one line: fleeting's errors say what was expected, what came and what to do.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Why a stream over a blocking socket really failed. A peer that has closed its socket said why before, in an alert that can still be read; and a time-out
/// of the socket is silence.
pub fn explain<S: Read + Write>(tls: &mut Stream<S>, failure: Failure) -> Failure {
    match failure.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => match tls.read(&mut [0]) {
            Err(alert) if alert.kind() == ErrorKind::InvalidData => alert.into(),
            _ => failure,
        },
        Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) => "the peer was silent for too long".into(),
        _ => failure,
    }
}

/// What was negotiated, a line for each thing.
pub fn report<S: Read + Write>(tls: &Stream<S>) -> String {
    let mut out = String::new();
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(out, "  {what:<14} {value}");
    };
    line("protocol", "TLS 1.3");
    line("cipher suite", &tls.cipher_suite().to_string());
    line("group", &tls.group().to_string());
    line("handshake", if tls.resumed() { "resumed: nobody was asked again who they are" } else { "full" });
    line("server name", tls.server_name().unwrap_or("none sent"));
    line("ALPN", &tls.alpn().map_or("none".into(), String::from_utf8_lossy));
    match tls.peer() {
        Some(peer) => line("peer", &describe(peer)),
        None => line("peer", "not asked who it is"),
    }
    out
}

/// A peer in one line: its subject and its names, as far as somebody vouches for them, and its key.
pub fn describe(peer: &Peer) -> String {
    let known = [vec![peer.subject()], peer.names(), vec![format!("key {}", peer.public_key())]].concat();
    known.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}
