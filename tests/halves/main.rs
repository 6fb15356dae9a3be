//! Runs the two halves of a stream under every interleaving of their threads, with loom.
//!
//! The tests run the library's own files: `stream/split.rs`, `connection/split/`, and the parts
//! about KeyUpdates and alerts that these need. Stand-ins replace what else these files import.
//! They are as simple as possible: a record is one byte, and what is received is a script.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "the library's own files, of which a test uses only a part"
)]

#[path = "../../src/code_point.rs"]
mod code_point;
mod connection;
mod standins;
mod stream;
#[path = "../../src/time.rs"]
mod time;

mod failing;
#[cfg(feature = "tokio")]
mod polling;
mod rekeying;

// The library's files import the stand-ins by these paths.
use standins::{crypto, error, handshake, message, record, secret, sync};
