//! [`AsyncReadHalf`] and [`AsyncWriteHalf`]: a stream for two tasks, one that reads and one that
//! writes.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::io::{self, BufRead, IoSlice, Read, Write};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, tcp};

use crate::error::Error;
use crate::handshake::Negotiated;
use crate::secret::Secret;
use crate::stream::split::{Pair, ReadHalf, Split, WriteHalf};
use crate::stream::tokio::polled::{Caller, Polled};
use crate::stream::tokio::timer::Timer;

/// An async transport that can be split into a reader and a writer, for
/// [`AsyncStream::into_split`](crate::AsyncStream::into_split).
///
/// Implemented for tokio's `TcpStream`, `UnixStream` and `DuplexStream`, and for [`Pair`]. Any
/// other transport can be made a `Pair` before the handshake, or implement this trait.
pub trait AsyncSplit {
    /// The part that is read.
    type Reader: AsyncRead + Unpin;
    /// The part that is written. The read half uses it too, for the alert that says why it ends.
    type Writer: AsyncWrite + Unpin + Send + 'static;

    /// Splits the transport.
    fn split(self) -> (Self::Reader, Self::Writer);
}

impl AsyncSplit for TcpStream {
    type Reader = tcp::OwnedReadHalf;
    type Writer = tcp::OwnedWriteHalf;

    fn split(self) -> (Self::Reader, Self::Writer) {
        self.into_split()
    }
}

#[cfg(unix)]
impl AsyncSplit for tokio::net::UnixStream {
    type Reader = tokio::net::unix::OwnedReadHalf;
    type Writer = tokio::net::unix::OwnedWriteHalf;

    fn split(self) -> (Self::Reader, Self::Writer) {
        self.into_split()
    }
}

impl AsyncSplit for DuplexStream {
    type Reader = tokio::io::ReadHalf<Self>;
    type Writer = tokio::io::WriteHalf<Self>;

    fn split(self) -> (Self::Reader, Self::Writer) {
        tokio::io::split(self)
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin + Send + 'static> AsyncSplit for Pair<R, W> {
    type Reader = R;
    type Writer = W;

    fn split(self) -> (R, W) {
        (self.reader, self.writer)
    }
}

impl<R: AsyncRead + Unpin, W: Unpin> AsyncRead for Pair<R, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, out)
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Pair<R, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(cx)
    }
}

impl<S: AsyncSplit> Split for Polled<S> {
    type Reader = Polled<S::Reader>;
    type Writer = Polled<S::Writer>;

    fn split(self) -> io::Result<(Self::Reader, Self::Writer)> {
        Ok(Polled::split(self, S::split))
    }
}

pub(super) fn halves<R, W>(
    (reader, writer): (ReadHalf<Polled<R>>, WriteHalf<Polled<W>>),
) -> (AsyncReadHalf<R>, AsyncWriteHalf<W>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    (
        AsyncReadHalf(reader, Timer::default()),
        AsyncWriteHalf(writer, Timer::default()),
    )
}

/// The read half of an [`AsyncStream`](crate::AsyncStream): see
/// [`AsyncStream::into_split`](crate::AsyncStream::into_split).
///
/// After it is dropped nothing more is read. The peer is not told, and writes until the transport
/// is full.
///
/// While a `read` waits, the answer to a KeyUpdate and what the other half's writes left behind are
/// sent, as far as the transport takes them and unless the other half is sending.
pub struct AsyncReadHalf<R>(ReadHalf<Polled<R>>, Timer);

impl<R: AsyncRead + Unpin> AsyncReadHalf<R> {
    /// Returns what the handshake agreed on, and who the peer is.
    pub fn negotiated(&self) -> &Negotiated {
        self.0.negotiated()
    }

    /// Returns the number of the current epoch: see [`Stream::epoch`](crate::Stream::epoch).
    pub fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    /// Derives keying material from the secrets of one epoch: see
    /// [`ReadHalf::export_epoch_keying_material`].
    ///
    /// # Errors
    ///
    /// Returns the errors of that call.
    pub fn export_epoch_keying_material(
        &self,
        epoch: u64,
        label: impl AsRef<[u8]>,
        context: impl AsRef<[u8]>,
        length: usize,
    ) -> Result<Secret, Error> {
        self.0
            .export_epoch_keying_material(epoch, label, context, length)
    }

    /// Returns the early data that was collected: see
    /// [`ReadHalf::take_early_data`](crate::ReadHalf::take_early_data).
    pub fn take_early_data(&mut self) -> Vec<u8> {
        self.0.take_early_data()
    }

    /// Returns the part of the transport that is read.
    pub fn get_ref(&self) -> &R {
        self.0.get_ref().get_ref()
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(&mut ReadHalf<Polled<R>>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let poll = |half: &mut ReadHalf<Polled<R>>| {
            half.get_mut().begin(Caller::Reader, cx.waker());
            let result = call(half);
            let polled = half.get_mut().end(result);
            match &polled {
                Poll::Pending => half.send_meanwhile(),
                // The other half may wait to write.
                Poll::Ready(Err(_)) => half.get_ref().wake(),
                Poll::Ready(Ok(_)) => {}
            }
            polled
        };
        self.1.poll(&mut self.0, poll, ReadHalf::time_left, |half| {
            half.get_ref().waker()
        })
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for AsyncReadHalf<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let place = out.initialize_unfilled();
        let polled = self.get_mut().poll(cx, |half| half.read(place));
        polled.map_ok(|count| out.advance(count))
    }
}

impl<R: AsyncRead + Unpin> AsyncBufRead for AsyncReadHalf<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        match this.poll(cx, |half| half.fill_buf().map(|_| ())) {
            // The data is there now, so this does not use the transport.
            Poll::Ready(Ok(())) => Poll::Ready(this.0.fill_buf()),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        self.get_mut().0.consume(count);
    }
}

impl<R: fmt::Debug> fmt::Debug for AsyncReadHalf<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncReadHalf").field(&self.0).finish()
    }
}

/// The write half of an [`AsyncStream`](crate::AsyncStream): see
/// [`AsyncStream::into_split`](crate::AsyncStream::into_split).
///
/// Dropping it makes one attempt to send what waits and close_notify, without waiting. Call
/// `shutdown` to be sure.
pub struct AsyncWriteHalf<W: AsyncWrite + Unpin>(WriteHalf<Polled<W>>, Timer);

impl<W: AsyncWrite + Unpin> AsyncWriteHalf<W> {
    /// Returns what the handshake agreed on, and who the peer is.
    pub fn negotiated(&self) -> &Negotiated {
        self.0.negotiated()
    }

    /// Sends close_notify after everything that was written: see
    /// [`AsyncStream::close`](crate::AsyncStream::close).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`WriteHalf::close`].
    pub async fn close(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx, WriteHalf::close)).await
    }

    /// Renews the keys of both directions: see [`AsyncStream::rekey`](crate::AsyncStream::rekey).
    ///
    /// # Errors
    ///
    /// Returns the errors of `write`.
    pub async fn rekey(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx, WriteHalf::rekey)).await
    }

    /// Like `write`, but the caller produces the data directly in the record buffer: see
    /// [`AsyncStream::write_with`](crate::AsyncStream::write_with).
    ///
    /// # Errors
    ///
    /// Returns the errors of `write`.
    pub async fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> io::Result<usize> {
        let mut write = Some(write);
        poll_fn(|cx| {
            self.poll(cx, |half| {
                half.write_with(length, |place| write.take().map_or(0, |write| write(place)))
            })
        })
        .await
    }

    /// Sets whether written data is gathered: see
    /// [`AsyncStream::set_corked`](crate::AsyncStream::set_corked).
    ///
    /// # Errors
    ///
    /// Returns the errors of `write`.
    pub fn set_corked(&mut self, corked: bool) -> io::Result<()> {
        self.0.set_corked(corked)
    }

    /// Returns true if written data is gathered.
    pub fn is_corked(&self) -> bool {
        self.0.is_corked()
    }

    /// Returns true if bytes wait to be sent: see [`WriteHalf::wants_write`].
    pub fn wants_write(&self) -> bool {
        self.0.wants_write()
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(&mut WriteHalf<Polled<W>>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let poll = |half: &mut WriteHalf<Polled<W>>| {
            half.with_io(|io| io.begin(Caller::Writer, cx.waker()));
            let mut polled = Poll::Pending;
            let result = call(half);
            half.with_io(|io| polled = io.end(result));
            if polled.is_ready() {
                half.send_meanwhile();
            }
            polled
        };
        self.1
            .poll(&mut self.0, poll, WriteHalf::time_left, |half| {
                let mut waker = Waker::noop().clone();
                half.with_io(|io| waker = io.waker());
                waker
            })
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for AsyncWriteHalf<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll(cx, |half| half.write(data))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll(cx, |half| half.write_vectored(buffers))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll(cx, Write::flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll(cx, |half| {
            half.close()?;
            let mut result = Ok(());
            half.with_io(|io| result = io.shut_down());
            result
        })
    }
}

impl<W: AsyncWrite + Unpin> fmt::Debug for AsyncWriteHalf<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncWriteHalf").field(&self.0).finish()
    }
}
