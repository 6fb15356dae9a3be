//! The streams for async programs, over tokio's `AsyncRead + AsyncWrite`.
//!
//! A blocking stream over a transport that does not block is already what async needs: a call that
//! cannot go on returns `WouldBlock`, has lost nothing, and is repeated. So everything here is the
//! blocking type of the same name over a [`Polled`](polled::Polled) transport. That transport says
//! `WouldBlock` where the async one says `Pending`, after it has left the task's waker there.
//!
//! ```text
//! poll_read(cx) ─> Polled.caller = cx ─> Stream::read ─> Polled::read ─> poll_read(cx)
//!                                           └─ WouldBlock ─> Pending
//! ```
//!
//! So a future that is dropped leaves the stream as it was, or has done its work completely. No
//! lock is held while a task waits.
//!
//! * `polled.rs`: the transport.
//! * `timer.rs`: ends a call that waits when the connection is over.
//! * `handshake.rs`: handshakes, whose time limit is kept by the runtime's timer.
//! * `hyper.rs` (feature `hyper`): a connector for hyper's clients.
//! * `async_stream.rs`, `async_split.rs`, `early_data.rs`: what async programs hold.

mod async_split;
mod async_stream;
mod early_data;
mod handshake;
#[cfg(feature = "hyper")]
mod hyper;
mod polled;
mod timer;

pub use async_split::{AsyncReadHalf, AsyncSplit, AsyncWriteHalf};
pub use async_stream::AsyncStream;
pub use early_data::AsyncEarlyDataWriter;
pub use handshake::{AsyncHandshake, AsyncProgress};
#[cfg(feature = "hyper")]
pub use hyper::{HyperConnector, HyperStream};
