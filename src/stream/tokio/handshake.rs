//! [`AsyncHandshake`]: a handshake in progress over an async transport.
//!
//! The runtime's timer keeps the time limit, so that a peer that falls silent does not hold the
//! task for longer.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::client::Client;
use crate::code_point::AlertDescription;
use crate::error::Error;
use crate::handshake::{Answer, Negotiated, Question};
use crate::server::{ClientHello, LiveServer, Server};
use crate::session::ReplayEntry;
use crate::stream::clock::Clock;
use crate::stream::handshake::{Handshake, Stop};
use crate::stream::tokio::async_stream::AsyncStream;
use crate::stream::tokio::early_data::AsyncEarlyDataWriter;
use crate::stream::tokio::polled::{Caller, Polled};

/// A handshake in progress over the async transport `S`.
///
/// Use it for what [`connect_async`](Client::connect_async) and
/// [`accept_async`](Server::accept_async) do not do: to read the ClientHello before a configuration
/// is chosen, to answer questions, to send and receive early data. It is [`Handshake`] for async
/// programs.
///
/// [`advance`](Self::advance) continues until the application has something to do, and
/// [`finish`](Self::finish) returns the stream:
///
/// ```
/// use tokio::net::{TcpListener, TcpStream};
/// use fleeting::{
///     AlertDescription, AsyncHandshake, AsyncProgress, AsyncStream, Authority, Client, Error,
///     Question, Server,
/// };
///
/// /// Serves each name with its own configuration.
/// async fn accept(
///     tcp: TcpStream,
///     shop: &Server,
///     wiki: &Server,
/// ) -> Result<AsyncStream<TcpStream>, Error> {
///     let mut handshake = AsyncHandshake::undecided(tcp);
///     if let AsyncProgress::Ask(Question::Configuration) = handshake.advance().await? {
///         let name = handshake.client_hello().and_then(|hello| hello.server_name());
///         let server = if name == Some("shop.internal") { shop } else { wiki };
///         handshake = handshake.choose(server)?;
///     }
///     handshake.finish().await
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authority = Authority::new("my services")?;
/// let shop = Server::builder()
///     .identity(authority.issue_server(["shop.internal"])?)
///     .alpn(["shop"])
///     .build()?;
/// let wiki = Server::builder().identity(authority.issue_server(["wiki.internal"])?).build()?;
/// let client = Client::builder().trust(authority.trust()).alpn(["shop", "http/1.1"]).build()?;
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let tcp = TcpStream::connect(listener.local_addr()?).await?;
/// let serving = tokio::spawn(async move {
///     let (tcp, _) = listener.accept().await?;
///     accept(tcp, &shop, &wiki).await
/// });
/// let stream = client.connect_async("shop.internal", tcp).await?;
/// assert_eq!(stream.alpn(), Some(&b"shop"[..]));
/// # serving.await??;
/// # Ok(())
/// # }
/// ```
#[must_use = "a handshake does nothing until it is advanced"]
pub struct AsyncHandshake<S>(Handshake<Polled<S>>);

/// The progress of a handshake, returned by [`AsyncHandshake::advance`].
#[derive(Debug)]
#[non_exhaustive]
pub enum AsyncProgress {
    /// The handshake is complete: [`AsyncHandshake::finish`] returns the stream at once.
    Done,
    /// The handshake waits for an answer: see [`Progress::Ask`](crate::Progress::Ask).
    Ask(Question),
    /// A part of the client's early data, before the client has proven to be present: **it may be a
    /// replay**. See [`Progress::EarlyData`](crate::Progress::EarlyData).
    EarlyData(Vec<u8>),
}

impl Client {
    /// Connects to the server named `name`, a DNS name or an IP address, over a transport that
    /// leads to it: [`connect`](Self::connect) for async programs. When this returns, the server is
    /// authenticated, and data can be written and read.
    ///
    /// It takes no longer than
    /// [`handshake_timeout`](crate::ClientBuilder::handshake_timeout), by the runtime's timer. If
    /// the future is dropped, the connection is gone.
    ///
    /// ```
    /// use fleeting::{Authority, Client, Server};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let authority = Authority::new("my services")?;
    /// let server = Server::builder().identity(authority.issue_server(["db.internal"])?).build()?;
    /// let client = Client::builder().trust(authority.trust()).build()?;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let address = listener.local_addr()?;
    /// tokio::spawn(async move {
    ///     let (tcp, _) = listener.accept().await?;
    ///     let mut tls = server.accept_async(tcp).await?;
    ///     tls.write_all(b"hello, client").await?;
    ///     tls.shutdown().await // close_notify: the client sees that this is all
    /// });
    ///
    /// let tcp = TcpStream::connect(address).await?;
    /// let mut tls = client.connect_async("db.internal", tcp).await?;
    /// let mut greeting = String::new();
    /// tls.read_to_string(&mut greeting).await?;
    /// assert_eq!(greeting, "hello, client");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`Error::Name`] if the name is invalid, or the error that the handshake failed with,
    /// after one attempt to send the server an alert.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime whose timer is enabled.
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub async fn connect_async<S>(&self, name: &str, io: S) -> Result<AsyncStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // The caller has no opportunity to send early data.
        let handshake = AsyncHandshake::client(self, Some(name), false, io)?;
        handshake.finish().await
    }

    /// Like [`connect_async`](Self::connect_async), to a server that has no name and is known by
    /// its key alone.
    ///
    /// # Errors
    ///
    /// Returns the errors of `connect_async`, or [`Error::Config`] if the configuration does not
    /// [allow](crate::ClientBuilder::allow_unnamed) it.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime whose timer is enabled.
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub async fn connect_unnamed_async<S>(&self, io: S) -> Result<AsyncStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = AsyncHandshake::client(self, None, false, io)?;
        handshake.finish().await
    }

    /// Begins what [`connect_async`](Self::connect_async) does, to be
    /// [advanced](AsyncHandshake::advance). Nothing is sent yet. If the configuration
    /// [allows](crate::ClientBuilder::early_data) it, early data can be sent first:
    /// [`AsyncHandshake::early_data`].
    ///
    /// # Errors
    ///
    /// Returns [`Error::Name`] if the name is invalid, or [`Error::Random`].
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub fn start_async<S>(&self, name: &str, io: S) -> Result<AsyncHandshake<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        AsyncHandshake::client(self, Some(name), true, io)
    }

    /// Begins what [`connect_unnamed_async`](Self::connect_unnamed_async) does.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if the configuration does not
    /// [allow](crate::ClientBuilder::allow_unnamed) it, or [`Error::Random`].
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub fn start_unnamed_async<S>(&self, io: S) -> Result<AsyncHandshake<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        AsyncHandshake::client(self, None, true, io)
    }
}

impl Server {
    /// Accepts a client over a transport on which it is about to send its ClientHello:
    /// [`accept`](Self::accept) for async programs. When this returns, the client is authenticated
    /// if the configuration [requires](crate::ClientAuth) it, and data can be read and written.
    ///
    /// It takes no longer than
    /// [`handshake_timeout`](crate::ServerBuilder::handshake_timeout), by the runtime's timer. If
    /// the future is dropped, the connection is gone. So that one client does not keep others
    /// waiting, call it in a task for each connection, not in the loop that accepts them.
    ///
    /// Early data, if it is [accepted](crate::ServerBuilder::early_data), is stored until then, and
    /// is what the stream reads first, unless [`AsyncStream::take_early_data`] takes it.
    ///
    /// # Errors
    ///
    /// Returns the error that the handshake failed with, after one attempt to send the client an
    /// alert.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime whose timer is enabled.
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub async fn accept_async<S>(&self, io: S) -> Result<AsyncStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.start_async(io).finish().await
    }

    /// Begins what [`accept_async`](Self::accept_async) does, to be
    /// [advanced](AsyncHandshake::advance).
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub fn start_async<S>(&self, io: S) -> AsyncHandshake<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        AsyncHandshake::server(Some(self), io)
    }
}

impl LiveServer {
    /// Like [`Server::accept_async`], with the configuration that is current now.
    ///
    /// # Errors
    ///
    /// Returns the errors of `Server::accept_async`.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime whose timer is enabled.
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub async fn accept_async<S>(&self, io: S) -> Result<AsyncStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.start_async(io).finish().await
    }

    /// Like [`Server::start_async`], with the configuration that is current now.
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub fn start_async<S>(&self, io: S) -> AsyncHandshake<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.current().start_async(io)
    }
}

/// Starts with the runtime's monotonic clock, which a test can pause and advance.
fn clock() -> Clock {
    fn runtime() -> Instant {
        tokio::time::Instant::now().into_std()
    }
    Clock::start_by(runtime)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncHandshake<S> {
    fn client(client: &Client, name: Option<&str>, early_data: bool, io: S) -> Result<Self, Error> {
        let handshake = Handshake::client(client, name, early_data, Polled::new(io), clock())?;
        Ok(Self(handshake))
    }

    fn server(server: Option<&Server>, io: S) -> Self {
        Self(Handshake::server(server, Polled::new(io), clock()))
    }

    /// Begins a server's handshake whose configuration is chosen when the ClientHello has arrived:
    /// [`advance`](Self::advance) then returns [`AsyncProgress::Ask`].
    pub fn undecided(io: S) -> Self {
        Self::server(None, io)
    }

    /// Continues until the handshake is complete, a question must be answered, or early data has
    /// arrived. What was to be sent before has been sent then.
    ///
    /// A question is answered by [`choose`](Self::choose), [`answer`](Self::answer) or
    /// [`refuse`](Self::refuse); until then this returns the same question again.
    ///
    /// The future may be dropped and the call repeated: nothing is lost.
    ///
    /// # Errors
    ///
    /// Returns the error that the handshake failed with, after one attempt to send the peer an
    /// alert. A later call returns it again.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime whose timer is enabled.
    pub async fn advance(&mut self) -> Result<AsyncProgress, Error> {
        match self.drive().await? {
            // Never returned: `drive` waits instead.
            Stop::Pause(kind) => Err(io::Error::from(kind).into()),
            Stop::Done => Ok(AsyncProgress::Done),
            Stop::Ask(question) => Ok(AsyncProgress::Ask(question)),
            Stop::EarlyData => {
                let mut data = Vec::new();
                self.0.take_early_data(&mut data);
                Ok(AsyncProgress::EarlyData(data))
            }
        }
    }

    /// Continues until the handshake is complete, and returns the stream. Early data that arrives
    /// meanwhile is what the stream reads first.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`advance`](Self::advance), or [`Error::Asked`] for a question.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime whose timer is enabled.
    pub async fn finish(mut self) -> Result<AsyncStream<S>, Error> {
        let mut early_data = Vec::new();
        loop {
            match self.drive().await? {
                Stop::Pause(_) => {}
                Stop::Done => return Ok(AsyncStream::new(self.0.into_stream(early_data)?)),
                // The configuration limits how much this can be.
                Stop::EarlyData => self.0.take_early_data(&mut early_data),
                Stop::Ask(question) => return Err(self.0.cannot_answer(question)),
            }
        }
    }

    /// Continues until there is something to do, or until the time is over.
    async fn drive(&mut self) -> Result<Stop, Error> {
        let mut timer = pin!(tokio::time::sleep(self.time_left()));
        poll_fn(|cx| {
            if let Poll::Ready(result) = self.poll(cx) {
                return Poll::Ready(result);
            }
            while timer.as_mut().poll(cx).is_ready() {
                // The handshake finds that it is late, and says so to the peer too.
                if let Poll::Ready(result) = self.poll(cx) {
                    return Poll::Ready(result);
                }
                // The two clocks may differ by less than this.
                let left = self.time_left().max(Duration::from_millis(1));
                timer.as_mut().reset(tokio::time::Instant::now() + left);
            }
            Poll::Pending
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stop, Error>> {
        self.0.get_mut().begin(Caller::Writer, cx.waker());
        let result = self.0.drive();
        let pause = match &result {
            Ok(Stop::Pause(kind)) => Err(io::Error::from(*kind)),
            _ => Ok(()),
        };
        match self.0.get_mut().end(pause) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Ready(Ok(())) => {
                if result.is_err() {
                    // The alert may not have had its turn.
                    self.0.attempt();
                }
                Poll::Ready(result)
            }
        }
    }

    /// Returns the client's offer while [`Question::Configuration`] waits for an answer.
    pub fn client_hello(&self) -> Option<&ClientHello> {
        self.0.client_hello()
    }

    /// Returns the entry to look up in the store while [`Question::Replay`] waits for an answer:
    /// see [`Connection::replay_entry`](crate::Connection::replay_entry).
    pub fn replay_entry(&self) -> Option<ReplayEntry> {
        self.0.replay_entry()
    }

    /// Returns the bytes to sign while [`Question::Signature`] waits for an answer: see
    /// [`Connection::to_sign`](crate::Connection::to_sign).
    pub fn to_sign(&self) -> Option<&[u8]> {
        self.0.to_sign()
    }

    /// Returns what a server knows of the handshake at [`AsyncProgress::EarlyData`]: see
    /// [`Connection::early_negotiated`](crate::Connection::early_negotiated).
    pub fn early_negotiated(&self) -> Option<Negotiated> {
        self.0.early_negotiated()
    }

    /// Returns a writer for data that is sent before the handshake is complete, if that is possible
    /// now: see [`Handshake::early_data`].
    pub fn early_data(&mut self) -> Option<AsyncEarlyDataWriter<'_, S>> {
        let left = self.time_left();
        let writer = self.0.early_data()?;
        Some(AsyncEarlyDataWriter::new(writer, left))
    }

    /// Answers [`Question::Configuration`]: the handshake continues with the configuration of
    /// `server`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Handshake::choose`].
    pub fn choose(self, server: &Server) -> Result<Self, Error> {
        self.0.choose(server).map(Self)
    }

    /// Refuses: ends the handshake, makes one attempt to send `alert` to the peer, and returns the
    /// transport.
    pub fn refuse(self, alert: AlertDescription) -> S {
        self.0.refuse(alert).into_inner()
    }

    /// Answers any other [`Question`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Handshake::answer`].
    pub fn answer(self, answer: Answer) -> Result<Self, Error> {
        self.0.answer(answer).map(Self)
    }
}

impl<S> AsyncHandshake<S> {
    /// Returns how long the handshake may still take: see
    /// [`handshake_timeout`](crate::ClientBuilder::handshake_timeout). The time until a question is
    /// answered counts too.
    pub fn time_left(&self) -> Duration {
        self.0.time_left()
    }

    /// Returns the transport.
    pub fn get_ref(&self) -> &S {
        self.0.get_ref().get_ref()
    }

    /// Returns the transport, to set its options. Bytes that are read from it or written to it
    /// directly are missing in the handshake.
    pub fn get_mut(&mut self) -> &mut S {
        self.0.get_mut().get_mut()
    }

    /// Gives up, and returns the transport. The peer is not told.
    pub fn into_inner(self) -> S {
        self.0.into_inner().into_inner()
    }
}

impl<S: fmt::Debug> fmt::Debug for AsyncHandshake<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncHandshake").field(&self.0).finish()
    }
}
