//! [`Handshake`]: a handshake in progress over a transport, which can pause and continue.
//!
//! 1. [`Client::start`], [`Server::start`] or [`Handshake::undecided`] creates one. Nothing is sent
//!    or received yet.
//! 2. [`Handshake::advance`] continues as far as the transport allows.
//! 3. It ends with a [`Stream`], or with an error after one attempt to send the alert that tells
//!    the peer why.
//!
//! [`Client::connect`] and [`Server::accept`] do the same without the pauses, and so does
//! [`Handshake::finish`] after early data was sent.

use core::fmt;
use core::time::Duration;
use std::io::{self, Read, Write};

use crate::client::Client;
use crate::code_point::AlertDescription;
use crate::connection::{Connection, Status};
use crate::crypto::random::SystemRandom;
use crate::error::Error;
use crate::handshake::{Answer, Negotiated, Question};
use crate::identity::ServerName;
use crate::server::{ClientHello, LiveServer, Server};
use crate::session::ReplayEntry;
use crate::stream::blocking::Stream;
use crate::stream::clock::Clock;
use crate::stream::collected::Collected;
use crate::stream::early_data::EarlyDataWriter;
use crate::stream::transport;

/// A handshake in progress over the transport `S`.
///
/// Use it for non-blocking transports, for handshakes with a deadline, and for servers that read
/// the ClientHello before they choose a configuration:
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use fleeting::{Authority, Client, Error, Handshake, Progress, Server, Stream};
///
/// /// Serves each name with its own configuration.
/// fn accept(tcp: TcpStream, shop: &Server, wiki: &Server) -> Result<Stream<TcpStream>, Error> {
///     let mut handshake = Handshake::undecided(tcp);
///     loop {
///         match handshake.advance()? {
///             Progress::Done(stream) => return Ok(stream),
///             Progress::Ask(_, asking) => {
///                 let name = asking.client_hello().and_then(|hello| hello.server_name());
///                 let server = if name == Some("shop.internal") { shop } else { wiki };
///                 handshake = asking.choose(server)?;
///             }
///             // Only with a configuration that accepts early data; these do not.
///             Progress::EarlyData(_, next) => handshake = next,
///             // Only with a transport that does not block or has a time-out. A real program
///             // waits here until the transport is ready.
///             Progress::WouldBlock(waiting) => handshake = waiting,
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authority = Authority::new("my services")?;
/// let shop = Server::builder()
///     .identity(authority.issue_server(["shop.internal"])?)
///     .alpn(["shop"])
///     .build()?;
/// let wiki = Server::builder().identity(authority.issue_server(["wiki.internal"])?).build()?;
/// let client = Client::builder().trust(authority.trust()).alpn(["shop", "http/1.1"]).build()?;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let tcp = TcpStream::connect(listener.local_addr()?)?;
/// let server = std::thread::spawn(move || accept(listener.accept()?.0, &shop, &wiki));
/// let stream = client.connect("shop.internal", tcp)?;
/// assert_eq!(stream.alpn(), Some(&b"shop"[..]));
/// # server.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a handshake does nothing until it is advanced"]
pub struct Handshake<S> {
    io: S,
    connection: Connection,
    clock: Clock,
    /// Until when it may take. The connection forgets it once the handshake is complete, which may
    /// be before all of it is sent.
    deadline: Duration,
}

/// The progress of a handshake, returned by [`Handshake::advance`].
#[derive(Debug)]
#[must_use = "it holds the handshake"]
pub enum Progress<S: Read + Write> {
    /// The handshake is complete.
    Done(Stream<S>),
    /// The transport would block, or its time-out has passed: advance again when it is ready.
    WouldBlock(Handshake<S>),
    /// The handshake waits for an answer: to [`Question::Configuration`] through
    /// [`Handshake::choose`], to any other question through [`Handshake::answer`], or a refusal
    /// through [`Handshake::refuse`]. What was to be sent before has been sent. The time until the
    /// answer counts as part of the handshake.
    Ask(Question, Handshake<S>),
    /// A part of the client's early data, before the client has proven to be present: **it may be a
    /// replay**. More may follow. It can be answered at once through [`Handshake::early_data`]. If
    /// the data is kept until the handshake is [`Done`](Self::Done), as [`Server::accept`] does,
    /// nobody but the client itself can have sent it twice.
    EarlyData(Vec<u8>, Handshake<S>),
}

impl Client {
    /// Connects to the server named `name`, a DNS name or an IP address, over a transport that
    /// leads to it. When this returns, the server is authenticated, and data can be written and
    /// read.
    ///
    /// A server that requests a certificate of this client verifies it afterwards: its refusal is
    /// the alert that the first `read` returns. A `write` before that may succeed, or fail with a
    /// broken pipe: `read` then returns the reason.
    ///
    /// The maximum duration is the transport's, such as `TcpStream::set_read_timeout`:
    /// `handshake_timeout` is checked whenever a call of the transport returns, and cannot
    /// interrupt one.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Name`] if the name is invalid, or the error that the handshake failed with,
    /// after one attempt to send the server an alert. If the transport does not block or its
    /// time-out passes, returns [`Error::Io`] of kind `WouldBlock` or `TimedOut`: use
    /// [`start`](Self::start) for such transports.
    pub fn connect<S: Read + Write>(&self, name: &str, io: S) -> Result<Stream<S>, Error> {
        // The caller has no opportunity to send early data.
        Handshake::client(self, Some(name), false, io, Clock::start())?.finish()
    }

    /// Like [`connect`](Self::connect), to a server that has no name and is known by its key alone.
    ///
    /// # Errors
    ///
    /// Returns the errors of `connect`, or [`Error::Config`] if the configuration does not
    /// [allow](crate::ClientBuilder::allow_unnamed) it.
    pub fn connect_unnamed<S: Read + Write>(&self, io: S) -> Result<Stream<S>, Error> {
        Handshake::client(self, None, false, io, Clock::start())?.finish()
    }

    /// Begins what [`connect`](Self::connect) does, to be [advanced](Handshake::advance) as the
    /// transport allows. Nothing is sent yet. If the configuration
    /// [allows](crate::ClientBuilder::early_data) it, early data can be sent first:
    /// [`Handshake::early_data`].
    ///
    /// # Errors
    ///
    /// Returns [`Error::Name`] if the name is invalid, or [`Error::Random`].
    pub fn start<S: Read + Write>(&self, name: &str, io: S) -> Result<Handshake<S>, Error> {
        Handshake::client(self, Some(name), true, io, Clock::start())
    }

    /// Begins what [`connect_unnamed`](Self::connect_unnamed) does.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if the configuration does not
    /// [allow](crate::ClientBuilder::allow_unnamed) it, or [`Error::Random`].
    pub fn start_unnamed<S: Read + Write>(&self, io: S) -> Result<Handshake<S>, Error> {
        Handshake::client(self, None, true, io, Clock::start())
    }
}

impl Server {
    /// Accepts a client over a transport on which it is about to send its ClientHello. When this
    /// returns, the client is authenticated if the configuration [requires](crate::ClientAuth) it,
    /// and data can be read and written.
    ///
    /// Early data, if it is [accepted](crate::ServerBuilder::early_data), is stored until then, and
    /// is what the stream reads first, unless [`Stream::take_early_data`] takes it.
    ///
    /// The maximum duration is the transport's: see [`Client::connect`]. Without a time-out, a
    /// client that falls silent keeps the server waiting, also after its early data, and
    /// `handshake_timeout` does not help.
    ///
    /// # Errors
    ///
    /// Returns the error that the handshake failed with, after one attempt to send the client an
    /// alert. If the transport does not block or its time-out passes, returns [`Error::Io`] of kind
    /// `WouldBlock` or `TimedOut`: use [`start`](Self::start) for such transports.
    pub fn accept<S: Read + Write>(&self, io: S) -> Result<Stream<S>, Error> {
        self.start(io).finish()
    }

    /// Begins what [`accept`](Self::accept) does, to be [advanced](Handshake::advance) as the
    /// transport allows.
    pub fn start<S: Read + Write>(&self, io: S) -> Handshake<S> {
        Handshake::server(Some(self), io, Clock::start())
    }
}

impl LiveServer {
    /// Like [`Server::accept`], with the configuration that is current now.
    ///
    /// # Errors
    ///
    /// Returns the errors of `Server::accept`.
    pub fn accept<S: Read + Write>(&self, io: S) -> Result<Stream<S>, Error> {
        self.current().accept(io)
    }

    /// Like [`Server::start`], with the configuration that is current now.
    pub fn start<S: Read + Write>(&self, io: S) -> Handshake<S> {
        self.current().start(io)
    }
}

/// Where driving a handshake over its transport stopped.
pub(super) enum Stop {
    Done,
    Pause(io::ErrorKind),
    Ask(Question),
    EarlyData,
}

impl<S: Read + Write> Handshake<S> {
    /// Begins a client's handshake. `early_data` says whether the caller is able to send some.
    pub(super) fn client(
        client: &Client,
        name: Option<&str>,
        early_data: bool,
        io: S,
        clock: Clock,
    ) -> Result<Self, Error> {
        let name = name.map(ServerName::parse).transpose()?;
        if name.is_none() {
            client.check_unnamed()?;
        }
        let connection =
            Connection::client(client, name, early_data, clock.now(), &mut SystemRandom)?;
        Ok(Self {
            deadline: connection.next_timeout().unwrap_or_default(),
            io,
            connection,
            clock,
        })
    }

    /// Begins a server's handshake whose configuration is chosen when the ClientHello has arrived:
    /// [`advance`](Self::advance) then returns [`Progress::Ask`].
    pub fn undecided(io: S) -> Self {
        Self::server(None, io, Clock::start())
    }

    pub(super) fn server(server: Option<&Server>, io: S, clock: Clock) -> Self {
        let now = clock.now();
        let connection = server.map_or_else(
            || Connection::undecided(now),
            |server| server.connection(now),
        );
        Self {
            deadline: connection.next_timeout().unwrap_or_default(),
            io,
            connection,
            clock,
        }
    }

    /// Continues until the handshake is complete, a question must be answered, early data has
    /// arrived, or the transport returns `WouldBlock` or `TimedOut`.
    ///
    /// Call it again when the transport is ready, for writing if [`wants_write`](Self::wants_write)
    /// returns true and otherwise for reading, and when [`time_left`](Self::time_left) is over.
    /// Until a question is answered, this call returns the same question again, or an error once
    /// the time is over.
    ///
    /// # Errors
    ///
    /// Returns the error that the handshake failed with, after one attempt to send the peer an
    /// alert. If the peer disappeared while data was being sent to it, returns the alert that it
    /// left, if there is one, rather than the transport's error.
    pub fn advance(mut self) -> Result<Progress<S>, Error> {
        match self.drive()? {
            Stop::Done => Ok(Progress::Done(self.into_stream(Vec::new())?)),
            Stop::Pause(_) => Ok(Progress::WouldBlock(self)),
            Stop::Ask(question) => Ok(Progress::Ask(question, self)),
            Stop::EarlyData => {
                let mut data = Vec::new();
                self.take_early_data(&mut data);
                Ok(Progress::EarlyData(data, self))
            }
        }
    }

    /// Continues until the handshake is complete, over a blocking transport, as [`Client::connect`]
    /// and [`Server::accept`] do.
    ///
    /// # Errors
    ///
    /// Returns the errors of `connect` and `accept`, or [`Error::Asked`] for a question, which
    /// [`advance`](Self::advance) would have returned.
    pub fn finish(mut self) -> Result<Stream<S>, Error> {
        let mut early_data = Vec::new();
        loop {
            match self.drive()? {
                Stop::Done => return self.into_stream(early_data),
                // The configuration limits how much this can be.
                Stop::EarlyData => self.take_early_data(&mut early_data),
                Stop::Pause(kind) => return Err(self.give_up(kind)),
                Stop::Ask(question) => return Err(self.cannot_answer(question)),
            }
        }
    }

    /// Gives up because the transport is not ready.
    fn give_up(&mut self, kind: io::ErrorKind) -> Error {
        let error = Error::from(io::Error::new(kind, Paused));
        if self.connection.is_handshaking() {
            self.connection.cancel(error.clone());
        } else {
            self.connection.close();
        }
        transport::attempt(&mut self.io, &mut self.connection);
        error
    }

    /// Refuses, because the caller answers no questions.
    pub(super) fn cannot_answer(&mut self, question: Question) -> Error {
        // The reason is neither a mistake of the peer nor the time limit, so no other alert fits.
        let alert = AlertDescription::INTERNAL_ERROR;
        if self.connection.refuse(alert).is_ok() {
            transport::attempt(&mut self.io, &mut self.connection);
        }
        Error::Asked(question.name())
    }

    /// Makes the stream after [`Stop::Done`], with the early data that was collected.
    pub(super) fn into_stream(self, early_data: Vec<u8>) -> Result<Stream<S>, Error> {
        Stream::new(
            self.io,
            self.connection,
            self.clock,
            Collected::new(early_data),
        )
    }

    pub(super) fn take_early_data(&mut self, into: &mut Vec<u8>) {
        let data = self.connection.early_plaintext();
        into.extend_from_slice(data);
        let count = data.len();
        self.connection.consume(count);
    }

    /// Continues as far as the transport and the application allow.
    pub(super) fn drive(&mut self) -> Result<Stop, Error> {
        loop {
            let stop = match self.connection.process(self.clock.now(), &mut SystemRandom) {
                Err(error) => return Err(self.fail(error)),
                Ok(Status::Ask(question)) => Some(Stop::Ask(question)),
                Ok(Status::EarlyData) => Some(Stop::EarlyData),
                Ok(Status::NeedsInput | Status::Data | Status::Closed)
                    if !self.connection.is_handshaking() =>
                {
                    Some(Stop::Done)
                }
                Ok(Status::NeedsInput | Status::Data | Status::Closed) => None,
            };
            // Also before a question, and before early data is returned: the peer can use what is
            // ready.
            let moved = match (self.send(), stop) {
                (Err(error), _) if transport::is_gone(&error) => return Err(self.last_words(error)),
                (Ok(()), Some(stop)) => return Ok(stop),
                (Ok(()), None) => transport::receive(&mut self.io, &mut self.connection),
                (Err(error), _) => Err(error),
            };
            match moved {
                Ok(()) => {}
                Err(error) if transport::is_pause(&error) => {
                    // The deadline may have passed during the call of the transport.
                    let now = self.clock.now();
                    let late = !self.connection.is_handshaking() && now.monotonic >= self.deadline;
                    return match self.connection.process(now, &mut SystemRandom) {
                        Err(error) => Err(self.fail(error)),
                        // Complete, but not sent.
                        Ok(_) if late => {
                            let error = self.connection.fail(Error::HandshakeTimeout);
                            Err(self.fail(error))
                        }
                        Ok(_) => Ok(Stop::Pause(error.kind())),
                    };
                }
                // A health check often resets the connection instead of closing it.
                Err(error)
                    if transport::is_gone(&error) && self.connection.is_untouched_server() =>
                {
                    self.connection.received_end();
                }
                Err(error) => return Err(self.transport_failed(error)),
            }
        }
    }

    /// Ends the connection because of its transport, unless it has failed before.
    fn transport_failed(&mut self, error: io::Error) -> Error {
        let error = error.into();
        if self.connection.error().is_none() {
            self.connection.fail(error)
        } else {
            error
        }
    }

    /// Sends all that waits: the peer's answer depends on it.
    fn send(&mut self) -> io::Result<()> {
        transport::send(&mut self.io, &mut self.connection)?;
        transport::flush(&mut self.io)
    }

    /// Makes one attempt to send what waits.
    #[cfg(feature = "tokio")]
    pub(super) fn attempt(&mut self) {
        transport::attempt(&mut self.io, &mut self.connection);
    }

    /// Tells the peer why the handshake failed, if it still listens.
    fn fail(&mut self, error: Error) -> Error {
        transport::attempt(&mut self.io, &mut self.connection);
        error
    }

    /// Handles a peer that is gone and takes nothing more. What it sent before says more about the
    /// reason than the transport's error.
    fn last_words(&mut self, error: io::Error) -> Error {
        while transport::receive(&mut self.io, &mut self.connection).is_ok() {
            let status = loop {
                match self.connection.process(self.clock.now(), &mut SystemRandom) {
                    // Early data precedes what the peer sent last.
                    Ok(Status::EarlyData) => self.connection.consume(usize::MAX),
                    status => break status,
                }
            };
            match status {
                Ok(Status::NeedsInput) => {}
                // The peer left no reason, or sent something that could be answered only if it were
                // still there.
                Err(Error::Truncated | Error::NothingReceived) | Ok(_) => break,
                Err(reason) => return reason,
            }
        }
        self.transport_failed(error)
    }

    /// Returns the client's offer while [`Question::Configuration`] waits for an answer.
    pub fn client_hello(&self) -> Option<&ClientHello> {
        self.connection.client_hello()
    }

    /// Returns the entry to look up in the store while [`Question::Replay`] waits for an answer:
    /// see [`Connection::replay_entry`].
    pub fn replay_entry(&self) -> Option<ReplayEntry> {
        self.connection.replay_entry()
    }

    /// Returns the bytes to sign while [`Question::Signature`] waits for an answer: see
    /// [`Connection::to_sign`].
    pub fn to_sign(&self) -> Option<&[u8]> {
        self.connection.to_sign()
    }

    /// Returns what a server knows of the handshake at [`Progress::EarlyData`]: see
    /// [`Connection::early_negotiated`].
    pub fn early_negotiated(&self) -> Option<Negotiated> {
        self.connection.early_negotiated()
    }

    /// Returns a writer for data that is sent before the handshake is complete, if that is possible
    /// now: early data for a client whose configuration [allows](crate::ClientBuilder::early_data)
    /// it and that has a session for it, or the answer to early data for a server that accepted
    /// some.
    pub fn early_data(&mut self) -> Option<EarlyDataWriter<'_, S>> {
        let Self { io, connection, .. } = self;
        connection
            .takes_early_data()
            .then_some(EarlyDataWriter { io, connection })
    }

    /// Answers [`Question::Configuration`]: the handshake continues with the configuration of
    /// `server`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`advance`](Self::advance) if the ClientHello is not acceptable, or
    /// [`Error::WrongState`] if no configuration was asked for.
    pub fn choose(mut self, server: &Server) -> Result<Self, Error> {
        match self
            .connection
            .choose(server, self.clock.now(), &mut SystemRandom)
        {
            Ok(()) => {
                self.deadline = self.connection.next_timeout().unwrap_or(self.deadline);
                Ok(self)
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Refuses: ends the handshake, makes one attempt to send `alert` to the peer, and returns the
    /// transport.
    pub fn refuse(mut self, alert: AlertDescription) -> S {
        if self.connection.refuse(alert).is_ok() {
            transport::attempt(&mut self.io, &mut self.connection);
        }
        self.io
    }

    /// Answers any other [`Question`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Connection::answer`], after one attempt to send the peer an alert.
    pub fn answer(mut self, answer: Answer) -> Result<Self, Error> {
        match self
            .connection
            .answer(answer, self.clock.now(), &mut SystemRandom)
        {
            Ok(()) => Ok(self),
            Err(error) => Err(self.fail(error)),
        }
    }
}

impl<S> Handshake<S> {
    /// Returns true if bytes wait to be sent, so that after a pause the transport must be ready for
    /// writing; otherwise it must be ready for reading.
    pub fn wants_write(&self) -> bool {
        !self.connection.output().is_empty()
    }

    /// Returns how long the handshake may still take: see
    /// [`handshake_timeout`](crate::ClientBuilder::handshake_timeout).
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_sub(self.clock.now().monotonic)
    }

    /// Returns the transport.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    /// Returns the transport, to set its options. Bytes that are read from it or written to it
    /// directly are missing in the handshake.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.io
    }

    /// Gives up, and returns the transport. The peer is not told.
    pub fn into_inner(self) -> S {
        self.io
    }
}

impl<S: fmt::Debug> fmt::Debug for Handshake<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("io", &self.io)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

/// The reason why `connect` and `accept` end on a pause.
#[derive(Debug)]
struct Paused;

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the transport was not ready before the handshake was complete: give it a longer \
             time-out, or, if it does not block, use start() and advance()",
        )
    }
}

impl std::error::Error for Paused {}
