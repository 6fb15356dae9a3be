//! [`Handshake`]: a handshake in progress over a transport. It can pause and go on.
//!
//! 1. [`Client::start`], [`Server::start`] or [`Handshake::undecided`] makes one. Nothing is sent
//!    or received yet.
//! 2. [`Handshake::advance`] goes as far as the transport lets it.
//! 3. It ends as a [`Stream`], or as an error after one attempt to send the alert that tells the
//!    peer why.
//!
//! [`Client::connect`] and [`Server::accept`] are the same without the pauses, and so is
//! [`Handshake::finish`], for those who have sent early data.

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
use crate::stream::early_data::EarlyDataWriter;
use crate::stream::transport;

/// A handshake in progress over the transport `S`.
///
/// For transports that do not block, for handshakes with a deadline, and for servers that look at
/// the ClientHello before they choose a configuration:
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use fleeting::{Authority, Client, Error, Handshake, Progress, Server, Stream};
///
/// /// Serves each name by a configuration of its own.
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
///             // Only from a configuration that takes early data; neither does.
///             Progress::EarlyData(_, going_on) => handshake = going_on,
///             // Only with a transport that does not block, or has a time-out. Here one would wait
///             // until it is ready.
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
#[must_use = "a handshake goes on when it is advanced"]
pub struct Handshake<S> {
    io: S,
    connection: Connection,
    clock: Clock,
}

/// How far a handshake came; see [`Handshake::advance`].
#[derive(Debug)]
#[must_use = "it holds the handshake"]
pub enum Progress<S: Read + Write> {
    /// It is complete.
    Done(Stream<S>),
    /// The transport takes or has no more now, or its time-out has passed: advance again when it is
    /// ready.
    WouldBlock(Handshake<S>),
    /// Nothing goes on before this is answered: [`Question::Configuration`] by
    /// [`Handshake::choose`], any other by [`Handshake::answer`]; or, each of them, by
    /// [`Handshake::refuse`]. What was to be sent by then is sent. The time until the answer counts
    /// as the handshake's.
    Ask(Question, Handshake<S>),
    /// Some of the client's early data, before it is known that the client is there: **it may be a
    /// replay**. There may be more. It can be answered at once, by [`Handshake::early_data`]. Who
    /// would rather wait keeps it until the handshake is [`Done`](Self::Done), as
    /// [`Server::accept`] does.
    EarlyData(Vec<u8>, Handshake<S>),
}

impl Client {
    /// Connects to the server of that name, a DNS name or an IP address, over a transport that
    /// leads there. When this returns, the server has proven who it is, and data can be written and
    /// read.
    ///
    /// A server that wants a certificate of this client judges it afterwards: its refusal is the
    /// alert that the first `read` returns. A `write` before that may succeed, or find the pipe
    /// broken: `read` then says why.
    ///
    /// How long this takes at most is for the transport to say, as with
    /// `TcpStream::set_read_timeout`: `handshake_timeout` is looked at whenever a call of the
    /// transport returns, and cannot interrupt one.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for a name that is none; whatever the handshake fails with, after the server
    /// has been told by an alert. A transport that does not block, or whose time-out passes, ends
    /// it with an [`Error::Io`] of the kind `WouldBlock` or `TimedOut`: for these there is
    /// [`start`](Self::start).
    pub fn connect<S: Read + Write>(&self, name: &str, io: S) -> Result<Stream<S>, Error> {
        // There is no moment at which the caller could send early data.
        Handshake::client(self, Some(ServerName::parse(name)?), false, io)?.finish()
    }

    /// As [`connect`](Self::connect), to a server that has no name and is known by its key alone.
    ///
    /// # Errors
    ///
    /// As `connect`; [`Error::Config`] if the configuration does not
    /// [`allow`](crate::ClientBuilder::allow_unnamed) it.
    pub fn connect_unnamed<S: Read + Write>(&self, io: S) -> Result<Stream<S>, Error> {
        self.check_unnamed()?;
        Handshake::client(self, None, false, io)?.finish()
    }

    /// Begins what [`connect`](Self::connect) does, to be [advanced](Handshake::advance) as the
    /// transport allows. Nothing is sent yet. If the configuration
    /// [allows](crate::ClientBuilder::early_data) it, [`Handshake::early_data`] can be sent first.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for a name that is none, [`Error::Random`].
    pub fn start<S: Read + Write>(&self, name: &str, io: S) -> Result<Handshake<S>, Error> {
        Handshake::client(self, Some(ServerName::parse(name)?), true, io)
    }

    /// Begins what [`connect_unnamed`](Self::connect_unnamed) does.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the configuration does not
    /// [`allow`](crate::ClientBuilder::allow_unnamed) it, [`Error::Random`].
    pub fn start_unnamed<S: Read + Write>(&self, io: S) -> Result<Handshake<S>, Error> {
        self.check_unnamed()?;
        Handshake::client(self, None, true, io)
    }
}

impl Server {
    /// Takes a client in, over a transport on which it is about to say something. When this
    /// returns, it has proven who it is, if it was asked, and data can be read and written.
    ///
    /// Early data, where it is [taken](crate::ServerBuilder::early_data), is kept until then: see
    /// [`Stream::take_early_data`].
    ///
    /// How long this takes at most is for the transport to say: see [`Client::connect`]. A server
    /// that does without a time-out can be kept waiting by a client that falls silent, after its
    /// early data as well as before, and `handshake_timeout` does not help then.
    ///
    /// # Errors
    ///
    /// Whatever the handshake fails with, after the client has been told by an alert. A transport
    /// that does not block, or whose time-out passes, ends it with an [`Error::Io`] of the kind
    /// `WouldBlock` or `TimedOut`: for these there is [`start`](Self::start).
    pub fn accept<S: Read + Write>(&self, io: S) -> Result<Stream<S>, Error> {
        self.start(io).finish()
    }

    /// Begins what [`accept`](Self::accept) does, to be [advanced](Handshake::advance) as the
    /// transport allows.
    pub fn start<S: Read + Write>(&self, io: S) -> Handshake<S> {
        let clock = Clock::start();
        Handshake {
            io,
            connection: self.connection(clock.now()),
            clock,
        }
    }
}

impl LiveServer {
    /// As [`Server::accept`], with the configuration of this moment.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn accept<S: Read + Write>(&self, io: S) -> Result<Stream<S>, Error> {
        self.current().accept(io)
    }

    /// As [`Server::start`], with the configuration of this moment.
    pub fn start<S: Read + Write>(&self, io: S) -> Handshake<S> {
        self.current().start(io)
    }
}

/// How a handshake's drive over its transport ended.
enum Stop {
    Done,
    Pause(io::ErrorKind),
    Ask(Question),
    EarlyData,
}

impl<S: Read + Write> Handshake<S> {
    fn client(
        client: &Client,
        name: Option<ServerName>,
        early_data: bool,
        io: S,
    ) -> Result<Self, Error> {
        let clock = Clock::start();
        let connection =
            Connection::client(client, name, early_data, clock.now(), &mut SystemRandom)?;
        Ok(Self {
            io,
            connection,
            clock,
        })
    }

    /// Begins a server's handshake whose configuration is chosen when the ClientHello is there:
    /// [`advance`](Self::advance) gives [`Progress::Ask`] then.
    pub fn undecided(io: S) -> Self {
        let clock = Clock::start();
        Self {
            io,
            connection: Connection::undecided(clock.now()),
            clock,
        }
    }

    /// Goes on until the handshake is complete, a question has to be answered, or the transport
    /// says `WouldBlock` or `TimedOut`.
    ///
    /// Call it again when the transport is ready: for [writing](Self::wants_write) or else for
    /// reading; and when [`time_left`](Self::time_left) is over. While a question stands it asks
    /// that again, until it is answered or the time is over.
    ///
    /// # Errors
    ///
    /// What the handshake failed with. There was one attempt to send the alert that tells the peer.
    /// When the peer has gone while something was sent to it, the alert it left is preferred to the
    /// transport's error.
    pub fn advance(mut self) -> Result<Progress<S>, Error> {
        match self.drive()? {
            Stop::Done => Ok(Progress::Done(Stream::new(
                self.io,
                self.connection,
                self.clock,
                Vec::new(),
            )?)),
            Stop::Pause(_) => Ok(Progress::WouldBlock(self)),
            Stop::Ask(question) => Ok(Progress::Ask(question, self)),
            Stop::EarlyData => {
                let mut data = Vec::new();
                self.take_early_data(&mut data);
                Ok(Progress::EarlyData(data, self))
            }
        }
    }

    /// Goes on until the handshake is complete, over a transport that blocks: what
    /// [`Client::connect`] and [`Server::accept`] end with.
    ///
    /// # Errors
    ///
    /// As `connect` and `accept`; [`Error::Asked`] for a question, which [`advance`](Self::advance)
    /// would have handed over.
    pub fn finish(mut self) -> Result<Stream<S>, Error> {
        let mut early_data = Vec::new();
        loop {
            match self.drive()? {
                Stop::Done => return Stream::new(self.io, self.connection, self.clock, early_data),
                // No more than the configuration allows.
                Stop::EarlyData => self.take_early_data(&mut early_data),
                Stop::Pause(kind) => {
                    self.give_up();
                    return Err(io::Error::new(kind, Paused).into());
                }
                Stop::Ask(question) => {
                    // The peer has done nothing wrong, and is not to blame the time.
                    if self
                        .connection
                        .refuse(AlertDescription::INTERNAL_ERROR)
                        .is_ok()
                    {
                        transport::attempt(&mut self.io, &mut self.connection);
                    }
                    return Err(Error::Asked(question.name()));
                }
            }
        }
    }

    fn give_up(&mut self) {
        self.connection.close();
        transport::attempt(&mut self.io, &mut self.connection);
    }

    fn take_early_data(&mut self, into: &mut Vec<u8>) {
        let data = self.connection.early_plaintext();
        into.extend_from_slice(data);
        let count = data.len();
        self.connection.consume(count);
    }

    fn drive(&mut self) -> Result<Stop, Error> {
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
            // Also before a question, and before early data is handed over: the peer has a use for
            // what is there already.
            let moved = match (self.send(), stop) {
                (Err(error), _) if transport::is_gone(&error) => return Err(self.last_words(error)),
                (Ok(()), Some(stop)) => return Ok(stop),
                (Ok(()), None) => transport::receive(&mut self.io, &mut self.connection),
                (Err(error), _) => Err(error),
            };
            match moved {
                Ok(()) => {}
                Err(error) if transport::is_pause(&error) => {
                    // The deadline may have passed while the transport was waited for.
                    return match self.connection.process(self.clock.now(), &mut SystemRandom) {
                        Err(error) => Err(self.fail(error)),
                        Ok(_) => Ok(Stop::Pause(error.kind())),
                    };
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends what waits, all the way: the peer's answer depends on it.
    fn send(&mut self) -> io::Result<()> {
        transport::send(&mut self.io, &mut self.connection)?;
        transport::flush(&mut self.io)
    }

    /// Tells the peer why, if it still listens.
    fn fail(&mut self, error: Error) -> Error {
        transport::attempt(&mut self.io, &mut self.connection);
        error
    }

    /// The peer has gone and takes nothing more. What it said before says more about why than the
    /// transport's error does.
    fn last_words(&mut self, error: io::Error) -> Error {
        while transport::receive(&mut self.io, &mut self.connection).is_ok() {
            let status = loop {
                match self.connection.process(self.clock.now(), &mut SystemRandom) {
                    // It stands before what the peer said last.
                    Ok(Status::EarlyData) => self.connection.consume(usize::MAX),
                    status => break status,
                }
            };
            match status {
                Ok(Status::NeedsInput) => {}
                // It ended without a word; or it said something that we could answer, were it still
                // there.
                Err(Error::Truncated) | Ok(_) => break,
                Err(reason) => return reason,
            }
        }
        error.into()
    }

    /// What the client asked for, while [`Question::Configuration`] waits for its answer.
    pub fn client_hello(&self) -> Option<&ClientHello> {
        self.connection.client_hello()
    }

    /// What to look for in the store, while [`Question::Replay`] waits for its answer: see
    /// [`Connection::replay_entry`].
    pub fn replay_entry(&self) -> Option<ReplayEntry> {
        self.connection.replay_entry()
    }

    /// What to sign, while [`Question::Signature`] waits for its answer: see
    /// [`Connection::to_sign`].
    pub fn to_sign(&self) -> Option<&[u8]> {
        self.connection.to_sign()
    }

    /// What a server knows of the handshake at [`Progress::EarlyData`]: see
    /// [`Connection::early_negotiated`].
    pub fn early_negotiated(&self) -> Option<Negotiated> {
        self.connection.early_negotiated()
    }

    /// Sends something before the handshake is complete, if that is possible now: early data at a
    /// client whose configuration [allows](crate::ClientBuilder::early_data) it and that has a
    /// session for it; at a server that takes early data, the answer to it.
    pub fn early_data(&mut self) -> Option<EarlyDataWriter<'_, S>> {
        let Self { io, connection, .. } = self;
        connection
            .takes_early_data()
            .then_some(EarlyDataWriter { io, connection })
    }

    /// Answers [`Question::Configuration`]: the handshake goes on with this server's configuration.
    ///
    /// # Errors
    ///
    /// As [`advance`](Self::advance), for what is wrong with the ClientHello; [`Error::WrongState`]
    /// if that was not asked.
    pub fn choose(mut self, server: &Server) -> Result<Self, Error> {
        match self
            .connection
            .choose(server, self.clock.now(), &mut SystemRandom)
        {
            Ok(()) => Ok(self),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Answers no: the handshake is over, and the peer is told by this alert. Gives the transport
    /// back.
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
    /// As [`Connection::answer`], after the peer has been told.
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
    /// Whether something waits to be sent, so that after a pause the transport has to be ready for
    /// writing; otherwise for reading.
    pub fn wants_write(&self) -> bool {
        !self.connection.output().is_empty()
    }

    /// How long the handshake may still take: see
    /// [`handshake_timeout`](crate::ClientBuilder::handshake_timeout).
    pub fn time_left(&self) -> Duration {
        self.connection
            .next_timeout()
            .unwrap_or_default()
            .saturating_sub(self.clock.now().monotonic)
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    /// The transport, to set its options. Bytes read from it or written to it are missing in the
    /// handshake.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.io
    }

    /// Gives up, and gives the transport back. The peer is not told.
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

/// Why `connect` and `accept` end on a pause.
#[derive(Debug)]
struct Paused;

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not ready before the handshake was complete: give the transport a longer time-out, \
             or, if it does not block, use start() and advance()",
        )
    }
}

impl std::error::Error for Paused {}
