//! [`Handshake`]: a handshake in progress over a transport. It can pause and go on.
//!
//! 1. [`Client::start`], [`Server::start`] or [`Handshake::undecided`] makes one. Nothing is sent or received yet.
//! 2. [`Handshake::advance`] goes as far as the transport lets it.
//! 3. It ends as a [`Stream`], or as an error after one attempt to send the alert that tells the peer why.
//!
//! [`Client::connect`] and [`Server::accept`] are the same without the pauses.

use core::fmt;
use core::time::Duration;
use std::io::{self, Read, Write};

use crate::client::Client;
use crate::connection::{Connection, Status};
use crate::crypto::random::SystemRandom;
use crate::error::Error;
use crate::handshake::Question;
use crate::server::{ClientHello, LiveServer, Server};
use crate::stream::blocking::Stream;
use crate::stream::clock::Clock;
use crate::stream::transport;

/// A handshake in progress over the transport `S`.
///
/// For transports that do not block, for handshakes with a deadline, and for servers that look at the ClientHello before they choose a
/// configuration:
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
///             // Only with a transport that does not block, or has a time-out. Here one would wait until it is ready.
///             Progress::WouldBlock(waiting) => handshake = waiting,
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authority = Authority::new("my services")?;
/// let shop = Server::builder().identity(authority.issue_server(["shop.internal"])?).alpn(["shop"]).build()?;
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
    /// The transport takes or has no more now, or its time-out has passed: advance again when it is ready.
    WouldBlock(Handshake<S>),
    /// Nothing goes on before this is answered: [`Question::Configuration`] by [`Handshake::choose`].
    Ask(Question, Handshake<S>),
}

impl Client {
    /// Connects to the server of that name, a DNS name or an IP address, over a transport that leads there. When this returns, the server has proven
    /// who it is, and data can be written and read.
    ///
    /// A server that wants a certificate of this client judges it afterwards: its refusal is the alert that the first `read` returns.
    /// A `write` before that may succeed, or find the pipe broken: `read` then says why.
    ///
    /// How long this takes at most is for the transport to say, as with `TcpStream::set_read_timeout`: `handshake_timeout` is looked at whenever a
    /// call of the transport returns, and cannot interrupt one.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for a name that is none; whatever the handshake fails with, after the server has been told by an alert. A transport that does not
    /// block, or whose time-out passes, ends it with an [`Error::Io`] of the kind `WouldBlock` or `TimedOut`: for these there is [`start`](Self::start).
    pub fn connect<S: Read + Write>(&self, name: &str, io: S) -> Result<Stream<S>, Error> {
        self.start(name, io)?.finish()
    }

    /// As [`connect`](Self::connect), to a server that has no name and is known by its key alone.
    ///
    /// # Errors
    ///
    /// As `connect`; [`Error::Config`] if the configuration does not [`allow`](crate::ClientBuilder::allow_unnamed) it.
    pub fn connect_unnamed<S: Read + Write>(&self, io: S) -> Result<Stream<S>, Error> {
        self.start_unnamed(io)?.finish()
    }

    /// Begins what [`connect`](Self::connect) does, to be [advanced](Handshake::advance) as the transport allows. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for a name that is none, [`Error::Random`].
    pub fn start<S: Read + Write>(&self, name: &str, io: S) -> Result<Handshake<S>, Error> {
        let clock = Clock::start();
        let connection = self.connection(name, clock.now(), &mut SystemRandom)?;
        Ok(Handshake { io, connection, clock })
    }

    /// Begins what [`connect_unnamed`](Self::connect_unnamed) does.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the configuration does not [`allow`](crate::ClientBuilder::allow_unnamed) it, [`Error::Random`].
    pub fn start_unnamed<S: Read + Write>(&self, io: S) -> Result<Handshake<S>, Error> {
        let clock = Clock::start();
        let connection = self.connection_unnamed(clock.now(), &mut SystemRandom)?;
        Ok(Handshake { io, connection, clock })
    }
}

impl Server {
    /// Takes a client in, over a transport on which it is about to say something. When this returns, it has proven who it is, if it was asked, and
    /// data can be read and written.
    ///
    /// How long this takes at most is for the transport to say: see [`Client::connect`]. A server that does without a time-out can be kept
    /// waiting.
    ///
    /// # Errors
    ///
    /// Whatever the handshake fails with, after the client has been told by an alert. A transport that does not block, or whose time-out passes, ends it
    /// with an [`Error::Io`] of the kind `WouldBlock` or `TimedOut`: for these there is [`start`](Self::start).
    pub fn accept<S: Read + Write>(&self, io: S) -> Result<Stream<S>, Error> {
        self.start(io).finish()
    }

    /// Begins what [`accept`](Self::accept) does, to be [advanced](Handshake::advance) as the transport allows.
    pub fn start<S: Read + Write>(&self, io: S) -> Handshake<S> {
        let clock = Clock::start();
        Handshake { io, connection: self.connection(clock.now()), clock }
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
}

impl<S: Read + Write> Handshake<S> {
    /// Begins a server's handshake whose configuration is chosen when the ClientHello is there: [`advance`](Self::advance) gives
    /// [`Progress::Ask`] then.
    pub fn undecided(io: S) -> Self {
        let clock = Clock::start();
        Self { io, connection: Connection::undecided(clock.now()), clock }
    }

    /// Goes on until the handshake is complete, a question has to be answered, or the transport says `WouldBlock` or `TimedOut`.
    ///
    /// Call it again when the transport is ready: for [writing](Self::wants_write) or else for reading; and when
    /// [`time_left`](Self::time_left) is over.
    ///
    /// # Errors
    ///
    /// What the handshake failed with. There was one attempt to send the alert that tells the peer. When the peer has gone while something was sent to
    /// it, the alert it left is preferred to the transport's error.
    pub fn advance(mut self) -> Result<Progress<S>, Error> {
        match self.drive()? {
            Stop::Done => Ok(Progress::Done(Stream::new(self.io, self.connection, self.clock)?)),
            Stop::Pause(_) => Ok(Progress::WouldBlock(self)),
            Stop::Ask(question) => Ok(Progress::Ask(question, self)),
        }
    }

    /// The blocking form: a pause is an error.
    fn finish(mut self) -> Result<Stream<S>, Error> {
        match self.drive()? {
            Stop::Done => Stream::new(self.io, self.connection, self.clock),
            Stop::Pause(kind) => {
                self.connection.close();
                transport::attempt(&mut self.io, &mut self.connection);
                Err(io::Error::new(kind, Paused).into())
            }
            Stop::Ask(_) => Err(Error::WrongState { call: "accept", state: "RECVD_CH" }),
        }
    }

    fn drive(&mut self) -> Result<Stop, Error> {
        loop {
            match self.connection.process(self.clock.now(), &mut SystemRandom) {
                Err(error) => return Err(self.fail(error)),
                Ok(Status::Ask(question)) => return Ok(Stop::Ask(question)),
                Ok(Status::NeedsInput | Status::Data | Status::Closed) => {}
            }
            let complete = !self.connection.is_handshaking();
            let moved = match self.send() {
                Err(error) if transport::is_gone(&error) => return Err(self.last_words(error)),
                Ok(()) if complete => return Ok(Stop::Done),
                Ok(()) => transport::receive(&mut self.io, &mut self.connection),
                Err(error) => Err(error),
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

    /// The peer has gone and takes nothing more. What it said before says more about why than the transport's error does.
    fn last_words(&mut self, error: io::Error) -> Error {
        while transport::receive(&mut self.io, &mut self.connection).is_ok() {
            match self.connection.process(self.clock.now(), &mut SystemRandom) {
                Ok(Status::NeedsInput) => {}
                // It ended without a word; or it said something that we could answer, were it still there.
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

    /// Answers [`Question::Configuration`]: the handshake goes on with this server's configuration.
    ///
    /// # Errors
    ///
    /// As [`advance`](Self::advance), for what is wrong with the ClientHello; [`Error::WrongState`] if that was not asked.
    pub fn choose(mut self, server: &Server) -> Result<Self, Error> {
        match self.connection.choose(server, self.clock.now(), &mut SystemRandom) {
            Ok(()) => Ok(self),
            Err(error) => Err(self.fail(error)),
        }
    }
}

impl<S> Handshake<S> {
    /// Whether something waits to be sent, so that after a pause the transport has to be ready for writing; otherwise for reading.
    pub fn wants_write(&self) -> bool {
        !self.connection.output().is_empty()
    }

    /// How long the handshake may still take: see [`handshake_timeout`](crate::ClientBuilder::handshake_timeout).
    pub fn time_left(&self) -> Duration {
        self.connection.next_timeout().unwrap_or_default().saturating_sub(self.clock.now().monotonic)
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    /// The transport, to set its options. Bytes read from it or written to it are missing in the handshake.
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
        f.debug_struct("Handshake").field("io", &self.io).field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// Why `connect` and `accept` end on a pause.
#[derive(Debug)]
struct Paused;

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not ready before the handshake was complete: give the transport a longer time-out, or, if it does not block, use start() and advance()",
        )
    }
}

impl std::error::Error for Paused {}
