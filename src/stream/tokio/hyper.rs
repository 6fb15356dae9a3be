//! [`HyperConnector`]: connections for hyper's clients.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
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
/// the protocols that the HTTP client supports: `alpn(["h2", "http/1.1"])`.
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
pub struct HyperConnector {
    client: Client,
    tcp: HttpConnector,
}

impl HyperConnector {
    /// Creates a connector. It resolves names as the system does, and sets TCP_NODELAY.
    pub fn new(client: Client) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self { client, tcp }
    }

    /// Returns what connects TCP, to set its options.
    pub fn tcp_mut(&mut self) -> &mut HttpConnector {
        &mut self.tcp
    }
}

impl Service<Uri> for HyperConnector {
    type Response = HyperStream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<HyperStream, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // A literal IPv6 address is in brackets.
        let host = uri.host().unwrap_or_default();
        let name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let client = self.client.clone();
        let connecting = self.tcp.call(uri);
        Box::pin(async move {
            let tcp = connecting.await?.into_inner();
            let stream = client.connect_async(&name, tcp).await?;
            Ok(HyperStream(TokioIo::new(stream)))
        })
    }
}

/// A connection of a [`HyperConnector`].
#[derive(Debug)]
pub struct HyperStream(TokioIo<AsyncStream<TcpStream>>);

impl HyperStream {
    /// Returns the stream.
    pub fn into_inner(self) -> AsyncStream<TcpStream> {
        self.0.into_inner()
    }
}

impl Connection for HyperStream {
    fn connected(&self) -> Connected {
        let stream = self.0.inner();
        let mut connected = stream.get_ref().connected();
        if let Some(peer) = stream.peer() {
            connected = connected.extra(peer.clone());
        }
        if stream.alpn() == Some(b"h2") {
            connected = connected.negotiated_h2();
        }
        connected
    }
}

impl Read for HyperStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

impl Write for HyperStream {
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
