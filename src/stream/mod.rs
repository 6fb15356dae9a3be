//! What applications hold: a connection over a transport, which is anything `Read + Write`.
//!
//! ```text
//! Client::connect / Server::accept ─── loops over ───────────────┐
//! Client::start / Server::start / Handshake::undecided ─> Handshake ─advance─> Progress ─> Stream
//! ```
//!
//! * `handshake.rs`: a handshake in progress, which can pause and continue.
//! * `early_data.rs`: what is sent before it is complete; `collected.rs`: what a server received.
//! * `blocking.rs`: the stream after it; `facts.rs`: what it tells of its connection.
//! * `split.rs`: the two halves of a stream, for two threads.
//! * `transport.rs`: bytes between the sans-IO core and the transport, for both; the meaning of the
//!   transport's errors.
//! * `tokio/` (feature `tokio`): the same for async transports.
//! * `clock.rs`: the system's clocks. Connections are given the time.

mod blocking;
mod clock;
mod collected;
mod early_data;
mod facts;
mod handshake;
mod split;
#[cfg(feature = "tokio")]
mod tokio;
mod transport;

pub use blocking::Stream;
pub use early_data::EarlyDataWriter;
pub use handshake::{Handshake, Progress};
pub use split::{Pair, ReadHalf, Split, WriteHalf};
#[cfg(feature = "tokio")]
pub use tokio::{
    AsyncEarlyDataWriter, AsyncHandshake, AsyncProgress, AsyncReadHalf, AsyncSplit, AsyncStream,
    AsyncWriteHalf,
};
#[cfg(feature = "hyper")]
pub use tokio::{HyperConnector, HyperStream};
