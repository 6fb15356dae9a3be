//! [`HyperConnector`]: connections for hyper's clients.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tower_service::Service;

use crate::client::Client;
use crate::stream::tokio::async_stream::AsyncStream;

/// The error type that hyper's clients expect.
type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// Connects hyper's clients: `hyper_util::client::legacy::Client`, and tonic's `Endpoint` by
/// `connect_with_connector`.
///
/// Every connection is a TLS connection to the host that the URI names, whatever its scheme is; the
/// default port is that of the scheme. HTTP/2 is used if ALPN agrees on `h2`, so give the client
/// the protocols that the HTTP client supports: `alpn(["h2", "http/1.1"])`. Without its feature
/// `http2`, hyper-util panics if ALPN agrees on `h2`. Clients that only speak HTTP/2, such as
/// tonic, do so whatever ALPN agrees on.
///
/// The server's [`Peer`](crate::Peer) is among the extensions of each response.
///
/// ```
/// use fleeting::{Authority, Client, HyperConnector, Peer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authority = Authority::new("my services")?;
/// let client = Client::builder()
///     .trust(authority.trust())
///     .alpn(["http/1.1"])
///     .build()?;
/// let connector = HyperConnector::new(client);
/// // hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector)
/// # let _ = connector;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HyperConnector<C = HttpConnector> {
    client: Client,
    inner: C,
}

impl HyperConnector {
    /// Creates a connector over TCP. It resolves names as the system does, sets TCP_NODELAY, and
    /// has no time limit for connecting; the handshake has its own.
    pub fn new(client: Client) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self::over(client, tcp)
    }
}

impl<C> HyperConnector<C> {
    /// Creates a connector over the connections of another one: an `HttpConnector` with other
    /// options, a proxy's tunnel, Unix sockets. It is asked with the same URI, so an
    /// `HttpConnector` must allow `https`: `enforce_http(false)`.
    pub fn over(client: Client, inner: C) -> Self {
        Self { client, inner }
    }
}

impl<C> Service<Uri> for HyperConnector<C>
where
    C: Service<Uri>,
    C::Response: Read + Write + Connection + Unpin + Send + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    type Response = HyperStream<C::Response>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // A literal IPv6 address is in brackets.
        let host = uri.host().unwrap_or_default();
        let name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let client = self.client.clone();
        let connecting = self.inner.call(uri);
        Box::pin(async move {
            let io = TokioIo::new(connecting.await.map_err(Into::into)?);
            let stream = client.connect_async(&name, io).await?;
            Ok(HyperStream(TokioIo::new(stream)))
        })
    }
}

/// A connection of a [`HyperConnector`], over one of the connector below it.
#[derive(Debug)]
pub struct HyperStream<S: Read + Write + Unpin>(TokioIo<AsyncStream<TokioIo<S>>>);

impl<S: Read + Write + Unpin> HyperStream<S> {
    /// Returns the stream.
    pub fn into_inner(self) -> AsyncStream<TokioIo<S>> {
        self.0.into_inner()
    }
}

impl<S: Read + Write + Connection + Unpin> Connection for HyperStream<S> {
    fn connected(&self) -> Connected {
        let stream = self.0.inner();
        let mut connected = stream.get_ref().inner().connected();
        if let Some(peer) = stream.peer() {
            connected = connected.extra(peer.clone());
        }
        if stream.alpn() == Some(b"h2") {
            connected = connected.negotiated_h2();
        }
        connected
    }
}

impl<S: Read + Write + Unpin> Read for HyperStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

impl<S: Read + Write + Unpin> Write for HyperStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
