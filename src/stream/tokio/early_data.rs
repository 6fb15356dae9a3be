//! [`AsyncEarlyDataWriter`]: what is sent before the handshake is complete (RFC 9846, 4.3.10).

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, Write};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::stream::early_data::EarlyDataWriter;
use crate::stream::tokio::polled::Polled;

/// Sends early data (client) or the answer to it (server): see
/// [`AsyncHandshake::early_data`](crate::AsyncHandshake::early_data).
///
/// It is [`EarlyDataWriter`](crate::EarlyDataWriter) for async programs. `write` accepts no more
/// than is allowed. `Ok(0)` means that no more is allowed, so check [`remaining`](Self::remaining)
/// first. Shutting it down flushes it, no more.
pub struct AsyncEarlyDataWriter<'a, S>(pub(super) EarlyDataWriter<'a, Polled<S>>);

impl<S> AsyncEarlyDataWriter<'_, S> {
    /// Returns how many bytes of early data a client may still send. 0 for a server's answer, which
    /// has no such limit.
    pub fn remaining(&self) -> usize {
        self.0.remaining()
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut EarlyDataWriter<'_, Polled<S>>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        self.0.io.begin(cx.waker());
        let result = call(&mut self.0);
        self.0.io.end(result)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for AsyncEarlyDataWriter<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(cx, |writer| writer.write(data))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |writer| writer.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<S> fmt::Debug for AsyncEarlyDataWriter<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncEarlyDataWriter")
            .field(&self.0)
            .finish()
    }
}
