//! [`AsyncEarlyDataWriter`]: what is sent before the handshake is complete (RFC 9846, 4.3.10).

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, Write};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::error::Error;
use crate::stream::early_data::EarlyDataWriter;
use crate::stream::tokio::polled::{Caller, Polled};

/// Sends early data (client) or the answer to it (server): see
/// [`AsyncHandshake::early_data`](crate::AsyncHandshake::early_data).
///
/// It is [`EarlyDataWriter`](crate::EarlyDataWriter) for async programs. `write` accepts no more
/// than is allowed. `Ok(0)` means that no more is allowed, so check [`remaining`](Self::remaining)
/// first. `shutdown` does the same as `flush`.
///
/// A call takes no longer than the handshake may, by the runtime's timer.
pub struct AsyncEarlyDataWriter<'a, S> {
    writer: EarlyDataWriter<'a, Polled<S>>,
    /// When the time is over. The timer begins when a call has to wait.
    deadline: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<'a, S> AsyncEarlyDataWriter<'a, S> {
    pub(super) fn new(writer: EarlyDataWriter<'a, Polled<S>>, left: Duration) -> Self {
        Self {
            writer,
            deadline: Instant::now() + left,
            timer: None,
        }
    }

    /// Returns how many bytes of early data a client may still send. 0 for a server's answer, which
    /// has no such limit.
    pub fn remaining(&self) -> usize {
        self.writer.remaining()
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut EarlyDataWriter<'_, Polled<S>>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        self.writer.io.begin(Caller::Writer, cx.waker());
        let result = call(&mut self.writer);
        let polled = self.writer.io.end(result);
        if polled.is_pending() {
            let deadline = self.deadline;
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(Error::HandshakeTimeout.into()));
            }
        }
        polled
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
            .field(&self.writer)
            .finish()
    }
}
