//! [`Fickle`]: a transport that moves a random part of what it could, or nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Seeded;

pub struct Fickle<S> {
    io: S,
    seed: Seeded,
    /// How many bytes were written.
    pub written: Arc<AtomicUsize>,
}

impl<S> Fickle<S> {
    pub fn new(io: S, seed: u64) -> Self {
        Self {
            io,
            seed: Seeded(seed),
            written: Arc::default(),
        }
    }

    /// Returns how many bytes may be moved. None, now and then: the task is then woken at once.
    fn limit(&mut self, cx: &mut Context<'_>) -> Option<usize> {
        match self.seed.below(8) {
            0 => {
                cx.waker().wake_by_ref();
                None
            }
            1 => Some(1),
            2 => Some(1 + self.seed.below(100)),
            _ => Some(usize::MAX),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Fickle<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(limit) = self.limit(cx) else {
            return Poll::Pending;
        };
        let mut part = out.take(limit);
        let polled = Pin::new(&mut self.io).poll_read(cx, &mut part);
        let count = part.filled().len();
        out.advance(count);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Fickle<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(limit) = self.limit(cx) else {
            return Poll::Pending;
        };
        let data = &data[..data.len().min(limit)];
        let polled = Pin::new(&mut self.io).poll_write(cx, data);
        if let Poll::Ready(Ok(count)) = polled {
            self.written.fetch_add(count, Ordering::Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.limit(cx).is_none() {
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.limit(cx).is_none() {
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
