//! [`AsyncStream`]: a connection over an async transport.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, BufRead, IoSlice, Read, Write};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::code_point::{CipherSuite, NamedGroup};
use crate::counters::Stats;
use crate::error::Error;
use crate::handshake::EarlyData;
use crate::identity::Peer;
use crate::secret::Secret;
use crate::session::ExternalPsk;
use crate::stream::blocking::Stream;
use crate::stream::tokio::async_split::{self, AsyncReadHalf, AsyncSplit, AsyncWriteHalf};
use crate::stream::tokio::polled::{Caller, Polled};
use crate::stream::tokio::timer::Timer;

/// A TLS 1.3 connection over the async transport `S`: [`Stream`] for async programs.
///
/// It implements tokio's `AsyncRead`, `AsyncBufRead` and `AsyncWrite`.
///
/// # The end
///
/// `shutdown` sends close_notify after everything that was written, and shuts the transport down
/// for writing; reading continues until the peer closes its side. `read` returns `Ok(0)` only then.
/// If the connection was cut instead, it returns an error of kind `UnexpectedEof`, from which
/// `io::Error::downcast::<fleeting::Error>()` gives [`Error::Truncated`].
///
/// Dropping the stream without `shutdown` makes one attempt to send what waits and close_notify,
/// without waiting and without the runtime. What the transport does not take at once is lost, so
/// call `shutdown`, and read until `Ok(0)` to be sure that the peer received everything.
///
/// # Dropped futures
///
/// All calls may be dropped while they wait, for example in `select!` or by a time-out. A `read`
/// has consumed nothing then, and a `write` has accepted nothing. `write_all` and other calls that
/// write several times do not say how much they wrote before they were dropped; use `write` where
/// that matters. Data that a `write` has accepted is sent once, whatever is dropped later. A
/// dropped `shutdown` may have closed this side already: repeat it.
///
/// # Sending
///
/// `Ok(n)` from `write` means that `n` bytes are encrypted, or gathered while
/// [corked](Self::set_corked). What the transport does not take at once is sent by the next
/// `write`, `flush` or `shutdown`, and also while a `read` waits: a program that writes a request
/// and reads the answer does not stand still. Gathered data is sent by `flush` only.
///
/// When the peer asks for new keys (a KeyUpdate; RFC 9846, 4.7.3), the answer is sent before the
/// next data, by `flush`, or while a `read` waits. A program that only writes should read now and
/// then, or [split](Self::into_split) the stream:
/// [`Stream`](Stream#peers-that-renew-their-keys) says why.
///
/// # Limits of time
///
/// If the configuration limits the time of connections, the runtime's timer ends a call that waits
/// when the limit is reached, and a connection that is ended through
/// [`Connections`](crate::Connections) wakes it. So the runtime must have its timer enabled.
/// Between calls nothing is noticed: see [`Stream`](Stream#limits-of-time).
///
/// # Memory, stack, errors
///
/// They are those of [`Stream`].
pub struct AsyncStream<S: AsyncRead + AsyncWrite + Unpin> {
    stream: Stream<Polled<S>>,
    timer: Timer,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncStream<S> {
    pub(super) fn new(mut stream: Stream<Polled<S>>) -> Self {
        stream.never_waits();
        stream.connection.set_waker(stream.get_ref().waker());
        Self {
            stream,
            timer: Timer::default(),
        }
    }

    /// Sends close_notify after everything that was written, and wipes the sending keys, like
    /// `shutdown`. The transport itself is not shut down. Reading continues.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Stream::close`].
    pub async fn close(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_sending(cx, Stream::close)).await
    }

    /// Renews the keys of both directions: this side's now, the peer's when it answers (RFC 9846,
    /// 4.7.3). Whoever learns the new keys cannot decrypt what the old keys protected.
    ///
    /// If the future is dropped while it waits, nothing was renewed.
    ///
    /// # Errors
    ///
    /// Returns the errors of `write`.
    pub async fn rekey(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_sending(cx, Stream::rekey)).await
    }

    /// Like `write`, but the caller produces the data directly in the record buffer: see
    /// [`Stream::write_with`].
    ///
    /// If the future is dropped while it waits, the closure was not called.
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
            self.poll_sending(cx, |stream| {
                stream.write_with(length, |place| write.take().map_or(0, |write| write(place)))
            })
        })
        .await
    }

    /// Sets whether written data is gathered: see [`Stream::set_corked`]. It does not wait: what
    /// the transport does not take at once is sent by the next call.
    ///
    /// # Errors
    ///
    /// Returns the errors of `write`.
    pub fn set_corked(&mut self, corked: bool) -> io::Result<()> {
        self.stream.set_corked(corked)
    }

    /// Returns true if written data is gathered.
    pub fn is_corked(&self) -> bool {
        self.stream.is_corked()
    }

    /// Returns what this connection has sent and received until now.
    pub fn stats(&self) -> Stats {
        self.stream.stats()
    }

    /// Returns the number of this connection in the server's
    /// [`Connections`](crate::Connections): see [`Stream::connection_id`].
    pub fn connection_id(&self) -> Option<u64> {
        self.stream.connection_id()
    }

    /// Returns who the peer is: see [`Stream::peer`].
    pub fn peer(&self) -> Option<&Peer> {
        self.stream.peer()
    }

    /// Returns the cipher suite that protects the records.
    pub fn cipher_suite(&self) -> CipherSuite {
        self.stream.cipher_suite()
    }

    /// Returns the group in which the keys were agreed.
    pub fn group(&self) -> NamedGroup {
        self.stream.group()
    }

    /// Returns the application protocol, if both sides support ALPN (RFC 7301).
    pub fn alpn(&self) -> Option<&[u8]> {
        self.stream.alpn()
    }

    /// Returns the DNS name that the client asked for, if any, in lower case.
    pub fn server_name(&self) -> Option<&str> {
        self.stream.server_name()
    }

    /// Returns true if this connection resumed an earlier one: see [`Stream::resumed`].
    pub fn resumed(&self) -> bool {
        self.stream.resumed()
    }

    /// Returns the external PSK with which both sides authenticated, if they did so.
    pub fn external_psk(&self) -> Option<&ExternalPsk> {
        self.stream.external_psk()
    }

    /// Returns the outcome of the client's early data: see [`Stream::early_data`].
    pub fn early_data(&self) -> EarlyData {
        self.stream.early_data()
    }

    /// Returns, at a server, the early data that was collected: see [`Stream::take_early_data`].
    pub fn take_early_data(&mut self) -> Vec<u8> {
        self.stream.take_early_data()
    }

    /// Derives keying material for the application: see [`Stream::export_keying_material`].
    ///
    /// # Errors
    ///
    /// Returns the errors of `Stream::export_keying_material`.
    pub fn export_keying_material(
        &self,
        label: impl AsRef<[u8]>,
        context: impl AsRef<[u8]>,
        length: usize,
    ) -> Result<Secret, Error> {
        self.stream.export_keying_material(label, context, length)
    }

    /// Returns true if both sides agreed to renew keys by
    /// [extended key updates](crate::ClientBuilder::extended_key_update).
    pub fn extended_key_update(&self) -> bool {
        self.stream.extended_key_update()
    }

    /// Returns the number of the current epoch: see [`Stream::epoch`].
    pub fn epoch(&self) -> u64 {
        self.stream.epoch()
    }

    /// Derives keying material from the secrets of one epoch: see
    /// [`Stream::export_epoch_keying_material`].
    ///
    /// # Errors
    ///
    /// Returns the errors of `Stream::export_epoch_keying_material`.
    pub fn export_epoch_keying_material(
        &self,
        epoch: u64,
        label: impl AsRef<[u8]>,
        context: impl AsRef<[u8]>,
        length: usize,
    ) -> Result<Secret, Error> {
        self.stream
            .export_epoch_keying_material(epoch, label, context, length)
    }

    /// Returns the channel binding `tls-exporter` (RFC 9266): see [`Stream::channel_binding`].
    ///
    /// # Errors
    ///
    /// Returns the error that the connection failed with.
    pub fn channel_binding(&self) -> Result<[u8; 32], Error> {
        self.stream.channel_binding()
    }

    /// Returns the channel binding `tls-server-end-point` (RFC 5929), if the server's certificate
    /// has one: see [`Negotiated::server_end_point`](crate::Negotiated::server_end_point).
    pub fn server_end_point(&self) -> Option<&[u8]> {
        self.stream.server_end_point()
    }

    /// Returns true if bytes wait to be sent: see [`Stream::wants_write`].
    pub fn wants_write(&self) -> bool {
        self.stream.wants_write()
    }

    /// Returns the transport.
    pub fn get_ref(&self) -> &S {
        self.stream.get_ref().get_ref()
    }

    /// Returns the transport, to set its options. Bytes that are read from it or written to it
    /// directly are missing in the connection.
    pub fn get_mut(&mut self) -> &mut S {
        self.stream.get_mut().get_mut()
    }

    /// Returns the transport as it is: see [`Stream::into_inner`].
    pub fn into_inner(self) -> S {
        self.stream.into_inner().into_inner()
    }

    /// Splits the stream into two halves, one for a task that reads and one for a task that writes.
    /// Neither waits for the other: see [`Stream::into_split`]. Only transports that implement
    /// [`AsyncSplit`] can be split; any other can be used with `tokio::io::split`.
    ///
    /// # Errors
    ///
    /// Returns the error that the connection failed with. The stream is lost then.
    #[expect(
        clippy::type_complexity,
        reason = "two halves, each with its own part of the transport"
    )]
    pub fn into_split(self) -> io::Result<(AsyncReadHalf<S::Reader>, AsyncWriteHalf<S::Writer>)>
    where
        S: AsyncSplit,
    {
        Ok(async_split::halves(self.stream.into_split()?))
    }

    fn poll_sending<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(&mut Stream<Polled<S>>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        self.poll_timed(|stream| {
            stream.get_mut().begin(Caller::Writer, cx.waker());
            let result = call(stream);
            stream.get_mut().end(result)
        })
    }

    /// Polls a call, again when the connection is over.
    fn poll_timed<T>(&mut self, poll: impl FnMut(&mut Stream<Polled<S>>) -> Poll<T>) -> Poll<T> {
        self.timer
            .poll(&mut self.stream, poll, Stream::time_left, |stream| {
                stream.get_ref().waker()
            })
    }

    fn poll_receiving<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(&mut Stream<Polled<S>>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        self.poll_timed(|stream| {
            stream.get_mut().begin(Caller::Reader, cx.waker());
            let result = call(stream);
            let polled = stream.get_mut().end(result);
            match &polled {
                Poll::Pending => poll_meanwhile(stream, cx).map(Err),
                Poll::Ready(Err(_)) => {
                    // Another task may wait to write.
                    stream.get_ref().wake();
                    polled
                }
                Poll::Ready(Ok(_)) => polled,
            }
        })
    }
}

/// Sends what waits while a read waits. Returns an error if the transport does not take it and will
/// not say when.
fn poll_meanwhile<S>(stream: &mut Stream<Polled<S>>, cx: &mut Context<'_>) -> Poll<io::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if !stream.wants_write() {
        return Poll::Pending;
    }
    stream.get_mut().begin(Caller::Reader, cx.waker());
    stream.send_meanwhile();
    let io = stream.get_mut();
    let error = io.take_error();
    // There is no result: what waits goes on waiting.
    let _: Poll<_> = io.end(Ok(()));
    stream.rest();
    error.map_or(Poll::Pending, Poll::Ready)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for AsyncStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let place = out.initialize_unfilled();
        let polled = self
            .get_mut()
            .poll_receiving(cx, |stream| stream.read(place));
        polled.map_ok(|count| out.advance(count))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncBufRead for AsyncStream<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        match this.poll_receiving(cx, |stream| stream.fill_buf().map(|_| ())) {
            // The data is there now, so this does not use the transport.
            Poll::Ready(Ok(())) => Poll::Ready(this.stream.fill_buf()),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        self.get_mut().stream.consume(count);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for AsyncStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_sending(cx, |stream| stream.write(data))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_sending(cx, |stream| stream.write_vectored(buffers))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_sending(cx, |stream| {
            stream.flush()?;
            stream.rest();
            Ok(())
        })
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.poll_sending(cx, |stream| {
            stream.close()?;
            stream.get_mut().shut_down()
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + fmt::Debug> fmt::Debug for AsyncStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncStream").field(&self.stream).finish()
    }
}
