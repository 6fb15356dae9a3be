//! The two halves of a stream, run under every interleaving of their threads by loom.
//!
//! What runs are the library's own files: `stream/split.rs`, `connection/split/`, and what they
//! need to know of a KeyUpdate and an alert. What else they import stands in for the library here,
//! and is as simple as can be: a record is one byte, and what is received is a script.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "the library's own files, of which a test uses a part"
)]

#[path = "../../src/code_point.rs"]
mod code_point;
mod connection;
mod standins;
mod stream;
#[path = "../../src/time.rs"]
mod time;

mod failing;
mod rekeying;

// Where the library's files look for what stands in.
use standins::{crypto, error, handshake, message, record, sync};
