//! What the examples share: a report of what a handshake agreed on.
#![allow(dead_code, reason = "not every example uses all of it")]

use std::fmt::Write as _;
use std::io::{Read, Write};

use fleeting::{Peer, Stream};

/// Whatever went wrong, in one line: fleeting's errors say what was expected, what came and what to do.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What was negotiated, a line for each thing.
pub fn report<S: Read + Write>(tls: &Stream<S>) -> String {
    let mut out = String::new();
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(out, "  {what:<14} {value}");
    };
    line("protocol", "TLS 1.3");
    line("cipher suite", &tls.cipher_suite().to_string());
    line("group", &tls.group().to_string());
    line("server name", tls.server_name().unwrap_or("none sent"));
    line("ALPN", &tls.alpn().map_or("none".into(), String::from_utf8_lossy));
    match tls.peer() {
        Some(peer) => line("peer", &describe(peer)),
        None => line("peer", "not asked who it is"),
    }
    out
}

/// A peer in one line: its subject, its names and its key.
pub fn describe(peer: &Peer) -> String {
    let names = peer.names();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    format!("{}{names}, key {}", peer.subject(), peer.public_key())
}
