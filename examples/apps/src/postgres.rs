//! [`Tls`]: TLS for tokio-postgres, ready to be copied.
//!
//! ```no_run
//! # async fn connect(client: fleeting::Client) -> Result<(), tokio_postgres::Error> {
//! use apps::postgres::Tls;
//! use tokio_postgres::Config;
//! use tokio_postgres::config::SslMode;
//!
//! let mut config: Config = "host=db.internal user=alice dbname=app".parse()?;
//! // The default is `prefer`, which sends everything in the clear if the server wants that.
//! config.ssl_mode(SslMode::Require);
//! let (session, connection) = config.connect(Tls::new(client)).await?;
//! tokio::spawn(connection);
//! let row = session.query_one("SELECT current_user::text", &[]).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The host of the connection string is the name that the server must prove. Servers before
//! PostgreSQL 18 agree on keys with secp256r1 alone, which is a feature of fleeting, on by default.
//! `sslnegotiation=direct` (PostgreSQL 17) needs a client with the ALPN protocol `postgresql`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use fleeting::{AsyncStream, Client, Error};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

/// Connects with this client.
#[derive(Clone, Debug)]
pub struct Tls(Client);

impl Tls {
    /// Connects with this client, which shows its certificate if the server asks.
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Encrypted<S>;
    type TlsConnect = Connect;
    type Error = Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Connect, Error> {
        let (client, host) = (self.0.clone(), host.to_owned());
        Ok(Connect { client, host })
    }
}

/// Connects to one server.
#[derive(Debug)]
pub struct Connect {
    client: Client,
    host: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Connect {
    type Stream = Encrypted<S>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Encrypted<S>, Error>> + Send>>;

    fn connect(self, io: S) -> Self::Future {
        Box::pin(async move {
            let stream = self.client.connect_async(&self.host, io).await?;
            Ok(Encrypted(stream))
        })
    }
}

/// An encrypted connection to a server.
#[derive(Debug)]
pub struct Encrypted<S: AsyncRead + AsyncWrite + Unpin>(AsyncStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    /// The only channel binding that PostgreSQL knows depends on the signature in the server's
    /// certificate. If that is Ed25519, there is none, and `channel_binding=require` is refused.
    fn channel_binding(&self) -> ChannelBinding {
        match self.0.server_end_point() {
            Some(hash) => ChannelBinding::tls_server_end_point(hash.to_vec()),
            None => ChannelBinding::none(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
