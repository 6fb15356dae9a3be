//! [`Stream`]: a connection over a transport, as a stream of bytes in each direction.
//!
//! ```text
//! write(data) ─> Connection::write ─> output ─> io.write          encrypted from where it is; up to four full records a call; corked: full records alone
//! read(out) <── Connection::process_into <── input <── io.read    decrypted to where it belongs; no more than one call of the transport
//! ```
//!
//! The two directions fail apart from each other: what the peer said before it went away can be
//! read after a write has failed.

use core::fmt;
use std::io::{self, BufRead, Read, Write};

use crate::code_point::{CipherSuite, NamedGroup};
use crate::connection::{Connection, Status};
use crate::crypto::random::SystemRandom;
use crate::error::Error;
use crate::handshake::{EarlyData, Negotiated};
use crate::identity::Peer;
use crate::secret::Secret;
use crate::session::ExternalPsk;
use crate::stream::clock::Clock;
use crate::stream::split::{self, ReadHalf, Split, WriteHalf};
use crate::stream::transport::{self, Transport};
use crate::time::Now;

/// RFC 9266, section 2.
const CHANNEL_BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// RFC 9266, section 2: in bytes.
const CHANNEL_BINDING_LENGTH: usize = 32;

/// A TLS 1.3 connection over the transport `S`: what is written is encrypted and sent, what is
/// received is decrypted and read.
///
/// # The end
///
/// Each direction ends for itself. [`close`](Self::close) says that this side sends no more;
/// reading goes on. `read` returns `Ok(0)` only when the peer has said the same: then all that it
/// sent has been read. A connection that was cut instead is an error of the kind `UnexpectedEof`,
/// from which `io::Error::downcast::<fleeting::Error>()` gives [`Error::Truncated`]; or it is the
/// transport's own error, such as `ConnectionReset`, which is no end either.
///
/// `Ok` from `write`, `flush` and `close` means that the transport has the bytes, not that the peer
/// has. TCP resets a connection that is closed while something received is unread, and what was on
/// its way is lost then: who must be sure reads to `Ok(0)` before dropping the stream, or its last
/// half.
///
/// Dropping the stream without `close` makes one attempt to close it, and to send what was gathered
/// while [corked](Self::set_corked), which waits no longer than the transport's own time-out; and
/// none while the thread panics: what the peer has read is not all there was to come then, and it
/// should see that.
///
/// # Transports that do not block, and time-outs
///
/// `WouldBlock`, `TimedOut` and `Interrupted` lose nothing. `Interrupted` is not passed on. After
/// the other two the same call goes on where it was:
///
/// * `read` has consumed nothing of the plaintext.
/// * `write` has accepted nothing. `Ok(n)` says that `n` bytes are encrypted (or gathered, see
///   below), and that the transport has them, or else gets them before anything else, by the next
///   call of `write`, `flush` or `close`. So a program that has nothing more to write calls `flush`
///   until that says `Ok`; [`wants_write`](Self::wants_write) tells whether something waits.
///
/// `write_all` and `writeln!` lose count of what was accepted when they return one of the two:
/// where those can come, also from a time-out of a socket, call `write`.
///
/// Any other error of the transport while sending is final: bytes are missing then, and every later
/// write returns it again. What the peer sent before can still be read, such as the alert that says
/// why it left.
///
/// # Many small writes
///
/// Each `write` makes a record and a call of the transport. A program that writes little at a time
/// [corks](Self::set_corked) the stream, and calls `flush` where the peer should have all that was
/// said.
///
/// # Memory
///
/// The buffers grow with what is written and read at once, up to some 66 KB in each direction, and
/// stay while bytes move: then no call and no record allocates. Where `read` finds nothing of a
/// further message at hand and has to wait for the peer, perhaps for days, they go back: a stream
/// that waits keeps 512 bytes in each direction. Messages of up to 490 bytes, one at a time, never
/// need more. Where they are longer each such wait costs an allocation for sending and two or three
/// for receiving, however much comes between it and the next.
///
/// ```
/// use std::io::{BufRead, Read, Write};
/// use std::net::{TcpListener, TcpStream};
/// use fleeting::{Authority, Client, Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authority = Authority::new("my services")?;
/// let server = Server::builder().identity(authority.issue_server(["db.internal"])?).build()?;
/// let client = Client::builder().trust(authority.trust()).build()?;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let served = std::thread::spawn(move || -> std::io::Result<String> {
///     let mut tls = server.accept(listener.accept()?.0)?;
///     let mut line = String::new();
///     tls.read_line(&mut line)?; // it is a BufRead too
///     tls.write_all(b"hello, client")?;
///     tls.close()?;
///     Ok(line)
/// });
///
/// let mut tls = client.connect("db.internal", TcpStream::connect(address)?)?;
/// println!("{} {}", tls.cipher_suite(), tls.group());
/// tls.write_all(b"hello, server\n")?;
/// let mut answer = String::new();
/// tls.read_to_string(&mut answer)?; // up to the server's close(), and known to be complete
/// assert_eq!(answer, "hello, client");
/// assert_eq!(served.join().unwrap()?, "hello, server\n");
/// # Ok(())
/// # }
/// ```
pub struct Stream<S: Read + Write> {
    io: Transport<S>,
    connection: Connection,
    clock: Clock,
    /// When the transport was last read: what it gave is worked on as of then, without asking the
    /// clock for each record.
    now: Now,
    /// Kept here, as a connection that fails forgets it.
    negotiated: Negotiated,
    /// What `accept` collected.
    early_data: Vec<u8>,
    /// The transport's error that ended sending.
    broken: Option<Error>,
}

impl<S: Read + Write> Stream<S> {
    /// After the handshake.
    pub(super) fn new(
        io: S,
        connection: Connection,
        clock: Clock,
        early_data: Vec<u8>,
    ) -> Result<Self, Error> {
        let negotiated = connection
            .negotiated()
            .ok_or(Error::WrongState {
                call: "Stream::new",
                state: "the handshake",
            })?
            .clone();
        Ok(Self {
            io: Transport::new(io),
            connection,
            clock,
            now: clock.now(),
            negotiated,
            early_data,
            broken: None,
        })
    }

    /// Of a connection whose handshake somebody else has moved.
    #[cfg(test)]
    pub(crate) fn over(io: S, connection: Connection) -> Self {
        Self::new(io, connection, Clock::start(), Vec::new()).unwrap()
    }

    /// Says that this side sends no more: close_notify goes out behind all that was written, and
    /// the keys for sending are wiped. Reading goes on until the peer says the same.
    ///
    /// # Errors
    ///
    /// Those of the transport; after `WouldBlock` or `TimedOut` it is to be called again. What the
    /// connection failed with, if it has failed: then there is nothing to close.
    pub fn close(&mut self) -> io::Result<()> {
        self.check_failed()?;
        self.say_close();
        self.flush()
    }

    /// Renews the keys of both directions: ours now, the peer's when it answers (RFC 9846, 4.7.3).
    /// What the old keys protected stays closed to whoever learns the new ones.
    ///
    /// # Errors
    ///
    /// As `write`: after `WouldBlock` or `TimedOut` nothing was renewed, and it can be called
    /// again.
    pub fn rekey(&mut self) -> io::Result<()> {
        self.send()?;
        self.drop_old_tickets();
        self.connection.rekey()?;
        self.send_or_wait()
    }

    /// As `write`, without a copy of what the program makes for the purpose: `write` gets the place
    /// where the next record is encrypted, up to `length` bytes of it, as many as a record may have
    /// (16384, or what the peer takes), and returns how many it has written (more than it got
    /// counts as all). What was in there before is of no meaning. Each call makes a record, as each
    /// `write` does.
    ///
    /// ```
    /// # use std::io::Write;
    /// # fn report(tls: &mut fleeting::Stream<std::net::TcpStream>, degrees: f32) -> std::io::Result<()> {
    /// tls.write_with(64, |mut place| {
    ///     let room = place.len();
    ///     let _ = writeln!(place, "temperature {degrees}"); // `&mut [u8]` is a writer
    ///     room - place.len()
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As `write`: after `WouldBlock` or `TimedOut` nothing was asked for, and it can be called
    /// again.
    pub fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> io::Result<usize> {
        self.send()?;
        self.write_by(|connection| connection.write_with(length, write))
    }

    /// Gathers what is written, or no longer. While corked, [`write`](Write::write) sends full
    /// records alone, so that many small writes become few records and few calls of the transport.
    /// What does not fill a record yet is sent by [`flush`](Write::flush), by
    /// [`close`](Self::close), by [`rekey`](Self::rekey), and when the stream is uncorked or
    /// dropped; and by [`write_with`](Self::write_with), if the record that was begun has no room
    /// for the length that it asks for. It stands where it will be encrypted, and is at most one
    /// record.
    ///
    /// ```
    /// # use std::io::Write;
    /// # fn answer(tls: &mut fleeting::Stream<std::net::TcpStream>, lines: &[String]) -> std::io::Result<()> {
    /// tls.set_corked(true)?;
    /// for line in lines {
    ///     writeln!(tls, "{line}")?;
    /// }
    /// tls.set_corked(false) // or `flush`, and stay corked
    /// # }
    /// ```
    ///
    /// Reading does not flush: a question that was gathered has to be flushed before its answer is
    /// waited for. After [`close`](Self::close) there is nothing to gather, and nothing happens.
    ///
    /// # Errors
    ///
    /// Those of `write`, but for `WouldBlock` and `TimedOut`: what the transport does not take then
    /// goes out by the next call of `write`, `flush` or `close`.
    pub fn set_corked(&mut self, corked: bool) -> io::Result<()> {
        self.drop_old_tickets();
        self.connection
            .set_corked(corked)
            .inspect_err(|_| self.last_words())?;
        self.send_or_wait()?;
        self.check_failed()
    }

    /// Whether what is written is gathered.
    pub fn is_corked(&self) -> bool {
        self.connection.is_corked()
    }

    /// Who the peer is, if it showed a certificate or a key: a server always, a client that was
    /// asked. With an [`external_psk`](Self::external_psk) nobody does.
    pub fn peer(&self) -> Option<&Peer> {
        self.negotiated.peer()
    }

    /// What protects the records.
    pub fn cipher_suite(&self) -> CipherSuite {
        self.negotiated.cipher_suite()
    }

    /// What agreed the keys.
    pub fn group(&self) -> NamedGroup {
        self.negotiated.group()
    }

    /// The application protocol, if both sides speak ALPN (RFC 7301).
    pub fn alpn(&self) -> Option<&[u8]> {
        self.negotiated.alpn()
    }

    /// The DNS name the client asked for, if any, in lower case.
    pub fn server_name(&self) -> Option<&str> {
        self.negotiated.server_name()
    }

    /// Whether this connection resumed an earlier one. Then [`peer`](Self::peer) is who proved its
    /// identity there, and was not asked again; a server knows that client's own certificate alone,
    /// without those above it.
    pub fn resumed(&self) -> bool {
        self.negotiated.resumed()
    }

    /// The PSK that both sides held, if that is how they know each other; then there is no
    /// [`peer`](Self::peer).
    pub fn external_psk(&self) -> Option<&ExternalPsk> {
        self.negotiated.external_psk()
    }

    /// What became of the client's early data: as a client, whether the server has what was sent.
    /// What it rejected is not sent again by itself.
    pub fn early_data(&self) -> EarlyData {
        self.negotiated.early_data()
    }

    /// At a server: the early data that came before the handshake was complete, once, if
    /// [`Server::accept`](crate::Server::accept) or [`Handshake::finish`](crate::Handshake::finish)
    /// collected it. What is read from the stream came after it.
    ///
    /// That the handshake is complete says that this client sent it, on this connection, now. It
    /// may have sent the same elsewhere: see [`ReplayGuard`](crate::ReplayGuard).
    pub fn take_early_data(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.early_data)
    }

    /// Keying material for the application, the same on both sides and known to nobody else (RFC
    /// 9846, 7.5). `label` says what for (RFC 5705, section 4); `length` is in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a label or a length that is empty or too long; what the connection
    /// failed with.
    pub fn export_keying_material(
        &self,
        label: impl AsRef<[u8]>,
        context: impl AsRef<[u8]>,
        length: usize,
    ) -> Result<Secret, Error> {
        self.connection
            .export_keying_material(label.as_ref(), context.as_ref(), length)
    }

    /// What ties an authentication above TLS, such as SCRAM, to this connection: `tls-exporter`
    /// (RFC 9266). It is the same on both sides, different for every connection, and need not be
    /// kept secret.
    ///
    /// # Errors
    ///
    /// What the connection failed with.
    pub fn channel_binding(&self) -> Result<[u8; CHANNEL_BINDING_LENGTH], Error> {
        let exported = self.connection.export_keying_material(
            CHANNEL_BINDING_LABEL,
            b"",
            CHANNEL_BINDING_LENGTH,
        )?;
        let mut binding = [0; CHANNEL_BINDING_LENGTH];
        binding.copy_from_slice(exported.expose());
        Ok(binding)
    }

    /// Whether something waits to be sent, so that `flush` should be called when the transport is
    /// ready for writing: the answer to a KeyUpdate, too. What is [gathered](Self::set_corked)
    /// waits for more, not for the transport.
    pub fn wants_write(&self) -> bool {
        self.broken.is_none() && !self.connection.output().is_empty()
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        self.io.get()
    }

    /// The transport, to set its options. Bytes read from it or written to it are missing in the
    /// connection.
    pub fn get_mut(&mut self) -> &mut S {
        self.io.get_mut()
    }

    /// Gives the transport back as it is: nothing is sent, not even what was
    /// [gathered](Self::set_corked), and what was received and not read is lost. To end the
    /// connection properly [`close`](Self::close) it and read to the end before.
    pub fn into_inner(mut self) -> S {
        self.io.take()
    }

    /// Two halves, for a thread that reads and one that writes. Neither waits for the other:
    /// reading goes on while a write waits for its transport.
    ///
    /// What one half fails with, the other one gets next, but for an error of the transport: one
    /// while sending is what sending says from then on, and leaves reading as it is, which may tell
    /// more, such as the alert of a peer that has gone. The halves are not to be had for all
    /// transports: [`Split`] says what there is. A KeyUpdate that the peer asks for goes out with
    /// what is written or flushed next. What [`take_early_data`](Self::take_early_data) has not
    /// taken, [`ReadHalf::take_early_data`] does. Exports come before: the halves have none.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::net::{TcpListener, TcpStream};
    /// use fleeting::{Authority, Client, Server};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let authority = Authority::new("my services")?;
    /// let server =
    ///     Server::builder().identity(authority.issue_server(["echo.internal"])?).build()?;
    /// let client = Client::builder().trust(authority.trust()).build()?;
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let echo = std::thread::spawn(move || -> std::io::Result<u64> {
    ///     let (mut reader, mut writer) = server.accept(listener.accept()?.0)?.into_split()?;
    ///     // and says close_notify when `writer` is dropped
    ///     std::io::copy(&mut reader, &mut writer)
    /// });
    ///
    /// let (mut reader, mut writer) =
    ///     client.connect("echo.internal", TcpStream::connect(address)?)?.into_split()?;
    /// let writing = std::thread::spawn(move || -> std::io::Result<()> {
    ///     writer.write_all(&[7; 1_000_000])?;
    ///     writer.close()
    /// });
    /// let mut back = Vec::new();
    /// reader.read_to_end(&mut back)?;
    /// assert_eq!(back, [7; 1_000_000]);
    /// # writing.join().unwrap()?;
    /// # echo.join().unwrap()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What the connection failed with, and the system's error if the transport cannot be taken
    /// apart; the stream is lost then.
    #[expect(
        clippy::type_complexity,
        reason = "two halves, each with its own part of the transport"
    )]
    pub fn into_split(mut self) -> io::Result<(ReadHalf<S::Reader>, WriteHalf<S::Writer>)>
    where
        S: Split,
    {
        if let Some(error) = self.connection.error() {
            return Err(error.clone().into());
        }
        let io = self.io.take().split()?;
        let connection = std::mem::replace(&mut self.connection, Connection::undecided(self.now));
        let early_data = self.take_early_data();
        Ok(split::halves(
            io,
            connection.split(),
            self.broken.take(),
            self.clock,
            self.negotiated.clone(),
            early_data,
        ))
    }

    // ---- sending ----

    fn check_sending(&self) -> io::Result<()> {
        match &self.broken {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    }

    /// A program that only writes never tells the connection the time otherwise.
    fn drop_old_tickets(&mut self) {
        let clock = self.clock;
        self.connection.drop_old_tickets(|| clock.now());
    }

    fn say_close(&mut self) {
        self.drop_old_tickets();
        self.connection.close();
    }

    /// Writes when all that was accepted before is sent.
    fn write_by(
        &mut self,
        write: impl FnOnce(&mut Connection) -> Result<usize, Error>,
    ) -> io::Result<usize> {
        self.drop_old_tickets();
        let accepted = write(&mut self.connection).inspect_err(|_| self.last_words())?;
        self.send_or_wait()?;
        Ok(accepted)
    }

    /// What was accepted and not sent when the connection failed is thrown away: that is told by
    /// the error.
    fn check_failed(&self) -> io::Result<()> {
        self.connection
            .error()
            .map_or(Ok(()), |error| Err(error.clone().into()))
    }

    /// Sends all that waits.
    fn send(&mut self) -> io::Result<()> {
        self.check_sending()?;
        transport::send(self.io.get_mut(), &mut self.connection).map_err(|error| self.note(error))
    }

    /// Sends all that waits as far as the transport takes it; the rest goes out later.
    fn send_or_wait(&mut self) -> io::Result<()> {
        match self.send() {
            Err(error) if transport::is_pause(&error) => Ok(()),
            result => result,
        }
    }

    /// Keeps an error that ends sending, as somebody may try again, and a record of which the
    /// transport has lost a part cannot be repeated.
    fn note(&mut self, error: io::Error) -> io::Error {
        if transport::is_pause(&error) {
            return error;
        }
        self.broken.insert(error.into()).clone().into()
    }

    /// Tells the peer why the connection has failed, or that it is closed, if the peer still
    /// listens.
    fn last_words(&mut self) {
        if self.broken.is_none() {
            transport::attempt(self.io.get_mut(), &mut self.connection);
        }
    }

    // ---- receiving ----

    /// Makes sure that there is plaintext, unless the peer has sent all.
    fn fill(&mut self) -> io::Result<()> {
        loop {
            match self.connection.process(self.now, &mut SystemRandom) {
                Ok(Status::Data | Status::Closed) => return Ok(()),
                Ok(Status::NeedsInput) => self.receive()?,
                Ok(Status::Ask(_) | Status::EarlyData) => return Err(self.unfinished()),
                Err(error) => {
                    self.last_words();
                    return Err(error.into());
                }
            }
        }
    }

    /// What belongs to the handshake, which is over.
    fn unfinished(&self) -> io::Error {
        Error::WrongState {
            call: "read",
            state: "the handshake",
        }
        .into()
    }

    fn receive(&mut self) -> io::Result<()> {
        // Nothing is sent here, not even the answer to a KeyUpdate: a peer that writes and does not
        // read yet would block us, and we it. RFC 9846, 4.7.3 wants that answer before our next
        // data, and there it goes.
        transport::receive(self.io.get_mut(), &mut self.connection)?;
        self.now = self.clock.now();
        Ok(())
    }
}

impl<S: Read + Write> Read for Stream<S> {
    /// Reads what is there, waiting for the transport only if nothing is. `Ok(0)` is the peer's
    /// close_notify, or an empty `out`.
    ///
    /// Nothing is sent, but where it fails with what the peer should know: one attempt to send that
    /// alert comes before the error, and takes as long as the transport lets a write wait.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let result = self
                .connection
                .process_into(out, self.now, &mut SystemRandom);
            // Not before what came first has been read: the transport may have no room for it.
            match result.inspect_err(|_| self.last_words())? {
                (0, Status::NeedsInput) => self.receive()?,
                (0, Status::Ask(_) | Status::EarlyData) => return Err(self.unfinished()),
                (count, _) => return Ok(count),
            }
        }
    }
}

impl<S: Read + Write> BufRead for Stream<S> {
    /// What was received and decrypted, without a copy: at most one record.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.fill()?;
        Ok(self.connection.plaintext())
    }

    fn consume(&mut self, count: usize) {
        self.connection.consume(count);
    }
}

impl<S: Read + Write> Write for Stream<S> {
    /// Encrypts up to four full records of `data` and sends them; see [`Stream`] for what `Ok(n)`
    /// means where the transport does not block.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[io::IoSlice::new(data)])
    }

    /// As `write`; small buffers share a record, and all records go out together.
    fn write_vectored(&mut self, buffers: &[io::IoSlice<'_>]) -> io::Result<usize> {
        // What was accepted earlier goes first. Nothing more is accepted before the transport has
        // taken it, so that a program which does not flush learns here that it has to wait.
        self.send()?;
        self.write_by(|connection| connection.write_vectored(buffers))
    }

    /// Sends all that was accepted, what was [gathered](Stream::set_corked) too, and flushes the
    /// transport. If the connection has failed, not all of it may have gone out: then that is the
    /// error.
    fn flush(&mut self) -> io::Result<()> {
        self.drop_old_tickets();
        self.connection.flush().inspect_err(|_| self.last_words())?;
        self.send()?;
        transport::flush(self.io.get_mut()).map_err(|error| self.note(error))?;
        self.check_failed()
    }
}

impl<S: Read + Write> Drop for Stream<S> {
    fn drop(&mut self) {
        if !self.io.is_taken() && !std::thread::panicking() {
            self.say_close();
            self.last_words();
        }
    }
}

impl<S: Read + Write + fmt::Debug> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("io", self.io.get())
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
