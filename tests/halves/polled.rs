//! `crate::stream::tokio`: the async halves.

#[path = "../../src/stream/tokio/async_split.rs"]
pub(crate) mod async_split;
#[path = "../../src/stream/tokio/polled.rs"]
mod polled;
#[path = "../../src/stream/tokio/timer.rs"]
mod timer;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::receive::receiver::Event;
use async_split::{AsyncReadHalf, AsyncWriteHalf};
use polled::Polled;

/// Like `crate::stream::halves`, for two tasks.
pub(crate) fn halves<const N: usize, R, W>(
    script: [Event; N],
    (reader, writer): (R, W),
) -> (AsyncReadHalf<R>, AsyncWriteHalf<W>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let io = (Polled::new(reader), Polled::new(writer));
    async_split::halves(crate::stream::halves(script, io))
}
