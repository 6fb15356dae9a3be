//! [`Stream`]: a connection over a transport, as a stream of bytes in each direction.
//!
//! ```text
//! write(data) ─> Connection::write ─> output ─> io.write
//!                encrypted from where it is; up to four full records a call; full ones if corked
//! read(out) <── Connection::process_into <── input <── io.read
//!                decrypted to where it belongs; at most one call of the transport
//! ```
//!
//! The two directions fail separately: what the peer sent before it went away can be read after a
//! write has failed.

use core::fmt;
use std::io::{self, BufRead, Read, Write};

use crate::connection::{Connection, Status};
use crate::crypto::random::SystemRandom;
use crate::error::Error;
use crate::handshake::Negotiated;
use crate::stream::clock::Clock;
use crate::stream::collected::Collected;
use crate::stream::split::{self, ReadHalf, Split, WriteHalf};
use crate::stream::transport::{self, Transport};
use crate::time::Now;

/// A TLS 1.3 connection over the transport `S`: data written to it is encrypted and sent, received
/// data is decrypted and read from it.
///
/// # The end
///
/// Each direction ends separately. [`close`](Self::close) tells the peer that this side sends no
/// more; reading continues. `read` returns `Ok(0)` only after the peer has closed its side, and
/// then everything that it sent has been read. If the connection was cut instead, `read` returns an
/// error of kind `UnexpectedEof`, from which `io::Error::downcast::<fleeting::Error>()` gives
/// [`Error::Truncated`]; or the transport's own error, such as `ConnectionReset`.
///
/// `Ok` from `write`, `flush` and `close` means that the transport has the bytes, not that the peer
/// has them. TCP resets a connection that is closed while received data is unread, and data on its
/// way is then lost. To be sure that the peer received everything, read until `Ok(0)` before
/// dropping the stream, or its last half.
///
/// Dropping the stream without `close` makes one attempt to close it, and to send what was gathered
/// while [corked](Self::set_corked). This waits no longer than the transport's own time-out. No
/// attempt is made while the thread panics: the peer has not received everything then, and should
/// see that.
///
/// # Non-blocking transports, and time-outs
///
/// No data is lost on `WouldBlock` or `TimedOut`: repeat the same call to continue. `Interrupted`
/// is retried internally.
///
/// * If `read` returns one of these errors, it has consumed no plaintext.
/// * If `write` returns one of these errors, it has accepted nothing. `Ok(n)` means that `n` bytes
///   are encrypted (or gathered, see below). They have been sent, or are sent before anything else
///   by the next call of `write`, `flush` or `close`. So a program that has nothing more to write
///   must call `flush` until it returns `Ok`. [`wants_write`](Self::wants_write) returns true if
///   something waits.
///
/// `write_all` and `writeln!` do not report how much was accepted when they return one of these
/// errors. If such errors are possible, also from a socket's time-out, use `write`.
///
/// Any other error of the transport while sending is final: bytes are missing then, and every later
/// write returns the error again. What the peer sent before can still be read, such as the alert
/// that says why it left.
///
/// # Peers that renew their keys
///
/// When the peer asks for new keys (a KeyUpdate; RFC 9846, 4.7.3), the answer is sent before the
/// next data, or by `flush`. Reading does not send it, because it could then wait for a peer that
/// waits for this side to read. A program that only reads should flush now and then:
/// [`wants_write`](Self::wants_write) returns true if there is an answer to send. The same holds
/// for the request to a peer that should renew its key ([`RekeyPolicy`](crate::RekeyPolicy)).
///
/// A program that only writes does not notice that the peer asks. Some peers then ask again and
/// again: a JDK does so with every record that it receives after the first 2^37 bytes, or after the
/// limit in its `jdk.tls.keyLimits`. Once the socket buffers are full in both directions, the JDK
/// waits for this side to read, this side waits for the JDK to read, and both stand still. To
/// prevent that, read now and then, or [split](Self::into_split) the stream and let another thread
/// read.
///
/// # Limits of time
///
/// If [`max_connection_age`](crate::ServerBuilder::max_connection_age) or
/// [`idle_timeout`](crate::ServerBuilder::idle_timeout) is reached, or the connection is ended
/// through [`Connections`](crate::Connections), what was written is sent, then close_notify. What
/// was received can still be read, and then reading and writing return an error of kind
/// `ConnectionAborted`, which is an [`Error::Expired`] or [`Error::Ended`].
///
/// There is no thread in the background: the end is noticed when a call begins, or returns from the
/// transport. A `read` that waits in a blocking transport ends late, unless the transport has a
/// time-out of its own, after which the call is repeated.
///
/// # Many small writes
///
/// Each `write` creates at least one record and calls the transport, unless the stream is
/// [corked](Self::set_corked). A program that writes small pieces can cork the stream, and call
/// `flush` when the peer should receive everything.
///
/// # Memory
///
/// The buffers grow with the amounts written and read at once, up to about 66 KB in each direction.
/// They are kept while data flows, so that neither calls nor records allocate. When `read` has no
/// data left and must wait for the peer, it shrinks them to 512 bytes in each direction. This is
/// enough for messages of up to 490 bytes, one at a time. For longer messages the buffers must grow
/// again after each such wait: one allocation for sending and two or three for receiving, whatever
/// the amount of data until the next wait.
///
/// During the handshake, the receiving buffer grows only as the bytes of a record arrive: to 4 KiB
/// at first, and then to at most twice what has come.
///
/// # Stack
///
/// A handshake needs up to 144 KiB of stack, and 320 KiB in an unoptimized build. Reading and
/// writing need up to 48 and 256 KiB. The [guide](crate::guide#stack) has the details.
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
///     tls.read_line(&mut line)?; // `Stream` implements `BufRead`
///     tls.write_all(b"hello, client")?;
///     tls.close()?;
///     Ok(line)
/// });
///
/// let mut tls = client.connect("db.internal", TcpStream::connect(address)?)?;
/// println!("{} {}", tls.cipher_suite(), tls.group());
/// tls.write_all(b"hello, server\n")?;
/// let mut answer = String::new();
/// tls.read_to_string(&mut answer)?; // until the server's close(), so it is complete
/// assert_eq!(answer, "hello, client");
/// assert_eq!(served.join().unwrap()?, "hello, server\n");
/// # Ok(())
/// # }
/// ```
pub struct Stream<S: Read + Write> {
    io: Transport<S>,
    pub(super) connection: Connection,
    clock: Clock,
    /// When the transport was last read. What it delivered is processed as of then, without reading
    /// the clock for each record.
    now: Now,
    /// Kept here, as a failed connection forgets it.
    pub(super) negotiated: Negotiated,
    pub(super) early_data: Collected,
    /// The transport's error that ended sending.
    broken: Option<Error>,
}

impl<S: Read + Write> Stream<S> {
    /// Creates the stream after the handshake.
    pub(super) fn new(
        io: S,
        connection: Connection,
        clock: Clock,
        early_data: Collected,
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

    /// Frees the memory for sending if nothing waits. Data that is gathered stays.
    #[cfg(feature = "tokio")]
    pub(super) fn rest(&mut self) {
        if !self.connection.is_corked() {
            self.connection.rest();
        }
    }

    /// The transport returns `WouldBlock` instead of waiting.
    #[cfg(feature = "tokio")]
    pub(super) fn never_waits(&mut self) {
        self.connection.never_waits();
    }

    /// Returns how long the connection may still wait before it is over, if it can be. Zero if it
    /// is.
    #[cfg(feature = "tokio")]
    pub(super) fn time_left(&self) -> Option<core::time::Duration> {
        let end = self.connection.next_timeout()?;
        Some(end.saturating_sub(self.clock.monotonic()))
    }

    /// Creates the stream of a connection whose handshake somebody else has driven.
    #[cfg(test)]
    pub(crate) fn over(io: S, connection: Connection) -> Self {
        Self::new(io, connection, Clock::start(), Collected::default()).unwrap()
    }

    /// Closes this side: close_notify is sent after everything that was written, and the sending
    /// keys are wiped. Reading continues until the peer closes its side.
    ///
    /// # Errors
    ///
    /// Returns the transport's errors; after `WouldBlock` or `TimedOut`, call it again. If the
    /// connection has failed, returns that error, as there is nothing to close.
    pub fn close(&mut self) -> io::Result<()> {
        self.check_failed()?;
        self.say_close();
        self.flush()
    }

    /// Renews the keys of both directions: this side's now, the peer's when it answers (RFC 9846,
    /// 4.7.3). Whoever learns the new keys cannot decrypt what the old keys protected.
    ///
    /// Where [extended key updates](crate::ClientBuilder::extended_key_update) were agreed on, this
    /// begins one: the keys of both directions change when the peer has answered, and data is sent
    /// under the old key until then. One that cannot begin yet, because another is running or was
    /// begun within the last 125 ms, begins with a later call that sends.
    ///
    /// # Errors
    ///
    /// Returns the errors of `write`. After `WouldBlock` or `TimedOut` nothing was renewed: call it
    /// again.
    pub fn rekey(&mut self) -> io::Result<()> {
        self.begin_sending()?;
        self.tell_time();
        self.connection.rekey()?;
        self.send_or_wait()
    }

    /// Like `write`, but the caller produces the data directly in the record buffer.
    ///
    /// `write` receives a buffer of up to `length` bytes, limited by the size of a record (16384
    /// bytes, or what the peer accepts), and returns how many bytes it wrote. A larger number
    /// counts as the whole buffer. The buffer's initial content is unspecified. Unless the
    /// stream is [corked](Self::set_corked), a call that writes anything creates one record.
    ///
    /// ```
    /// # use std::io::{self, Write};
    /// # type Tls = fleeting::Stream<std::net::TcpStream>;
    /// # fn report(tls: &mut Tls, degrees: f32) -> io::Result<()> {
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
    /// Returns the errors of `write`. After `WouldBlock` or `TimedOut` the closure was not called:
    /// call again.
    pub fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> io::Result<usize> {
        self.begin_sending()?;
        self.write_by(length, |connection| connection.write_with(length, write))
    }

    /// Sets whether written data is gathered.
    ///
    /// While corked, [`write`](Write::write) sends only full records, so that many small writes
    /// become few records and few calls of the transport. Data that does not fill a record is sent
    /// by [`flush`](Write::flush), [`close`](Self::close) and [`rekey`](Self::rekey), when the
    /// stream is uncorked or dropped, and by a [`write_with`](Self::write_with) that asks for more
    /// than the rest of the record. It is gathered in the place where it will be encrypted, and is
    /// at most one record.
    ///
    /// ```
    /// # use std::io::{self, Write};
    /// # type Tls = fleeting::Stream<std::net::TcpStream>;
    /// # fn answer(tls: &mut Tls, lines: &[String]) -> io::Result<()> {
    /// tls.set_corked(true)?;
    /// for line in lines {
    ///     writeln!(tls, "{line}")?;
    /// }
    /// tls.set_corked(false) // or `flush`, and stay corked
    /// # }
    /// ```
    ///
    /// Reading does not flush: flush a gathered request before waiting for its answer. After
    /// [`close`](Self::close) this has no effect.
    ///
    /// # Errors
    ///
    /// Returns the errors of `write`, except `WouldBlock` and `TimedOut`: what the transport does
    /// not take is sent by the next call of `write`, `flush` or `close`.
    pub fn set_corked(&mut self, corked: bool) -> io::Result<()> {
        self.tell_time();
        self.connection
            .set_corked(corked)
            .inspect_err(|_| self.last_words())?;
        self.send_or_wait()?;
        self.check_failed()
    }

    /// Returns true if written data is gathered.
    pub fn is_corked(&self) -> bool {
        self.connection.is_corked()
    }

    /// Returns true if bytes wait to be sent, including the answer to a KeyUpdate, so that `flush`
    /// should be called when the transport is ready for writing. Data that is
    /// [gathered](Self::set_corked) does not count.
    pub fn wants_write(&self) -> bool {
        self.broken.is_none() && self.connection.wants_write()
    }

    /// Returns the transport.
    pub fn get_ref(&self) -> &S {
        self.io.get()
    }

    /// Returns the transport, to set its options. Bytes that are read from it or written to it
    /// directly are missing in the connection.
    pub fn get_mut(&mut self) -> &mut S {
        self.io.get_mut()
    }

    /// Returns the transport as it is. Nothing is sent, not even data that was
    /// [gathered](Self::set_corked), and received data that was not read is lost. To end the
    /// connection properly, first [`close`](Self::close) it and read to the end.
    pub fn into_inner(mut self) -> S {
        self.io.take()
    }

    /// Splits the stream into two halves, one for a thread that reads and one for a thread that
    /// writes. Only transports that implement [`Split`] can be split.
    ///
    /// Reading continues while a write waits for the transport. There is one exception: if reading
    /// fails and no write is in progress, the read half makes one attempt to send the alert, which
    /// takes as long as the transport lets a write wait.
    ///
    /// If the connection fails in one half, the next call of the other half returns the same error.
    /// Errors of the transport are different. After an error while sending, all later writes return
    /// that error, but reading continues: it may return data, or the alert of a peer that is gone.
    ///
    /// A KeyUpdate that the peer asks for is sent with the next data or flush. Early data that
    /// [`take_early_data`](Self::take_early_data) has not taken is available from
    /// [`ReadHalf::take_early_data`]. Of the exporters, only that of an
    /// [epoch](ReadHalf::export_epoch_keying_material) is in a half, the one that reads: derive
    /// other keying material before the split.
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
    ///     std::io::copy(&mut reader, &mut writer) // dropping `writer` sends close_notify
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
    /// Returns the error that the connection failed with, or the system's error if the transport
    /// cannot be split. The stream is lost then.
    #[expect(
        clippy::type_complexity,
        reason = "two halves, each with its own part of the transport"
    )]
    pub fn into_split(mut self) -> io::Result<(ReadHalf<S::Reader>, WriteHalf<S::Writer>)>
    where
        S: Split,
    {
        self.check_failed()?;
        let io = self.io.take().split()?;
        let connection = std::mem::replace(&mut self.connection, Connection::vacant(self.now));
        let early_data = std::mem::take(&mut self.early_data);
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

    /// Passes the time on: a program that only writes never tells the connection the time
    /// otherwise.
    fn tell_time(&mut self) {
        self.connection.at(self.clock.monotonic());
    }

    /// Ends the connection if it is over, before a call that may wait for the transport, and sends
    /// what waits.
    fn begin_sending(&mut self) -> io::Result<()> {
        if self.connection.is_limited() {
            self.tell_time();
        }
        self.send()
    }

    /// Reads the clock before a call that reads, if the connection can be over.
    fn begin_receiving(&mut self) {
        if self.connection.is_limited() {
            self.now = self.clock.now();
        }
    }

    fn say_close(&mut self) {
        self.tell_time();
        self.connection.close();
    }

    /// Writes up to `length` bytes, once everything that was accepted before has been sent.
    fn write_by(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut Connection) -> Result<usize, Error>,
    ) -> io::Result<usize> {
        if !self.connection.gathers(length) {
            self.tell_time();
        }
        let accepted = write(&mut self.connection).inspect_err(|_| self.last_words())?;
        self.send_or_wait()?;
        Ok(accepted)
    }

    /// Returns the connection's error: accepted data that was not sent when the connection failed
    /// is discarded.
    fn check_failed(&self) -> io::Result<()> {
        self.connection
            .ended()
            .map_or(Ok(()), |error| Err(error.into()))
    }

    /// Sends all that waits.
    fn send(&mut self) -> io::Result<()> {
        self.check_sending()?;
        transport::send(self.io.get_mut(), &mut self.connection).map_err(|error| {
            // Nobody may be there to take the alert, and then nothing else is to be waited for.
            match self.connection.ended() {
                Some(failure) if transport::is_pause(&error) => failure.into(),
                _ => self.note(error),
            }
        })
    }

    /// Sends as much of what waits as the transport takes. The rest is sent later.
    fn send_or_wait(&mut self) -> io::Result<()> {
        match self.send() {
            Err(error) if transport::is_pause(&error) => Ok(()),
            result => result,
        }
    }

    /// Sends what waits, and the answer to a KeyUpdate, as far as the transport takes it now. Data
    /// that is gathered stays. For transports that never wait.
    #[cfg(feature = "tokio")]
    pub(super) fn send_meanwhile(&mut self) {
        // An error is kept for the next call that writes.
        if self.wants_write()
            && self.connection.answer_key_update().is_ok()
            && self.send().is_ok()
            && let Err(error) = transport::flush(self.io.get_mut())
        {
            self.note(error);
        }
    }

    /// Keeps an error that ends sending: a caller may try again, and a record that the transport
    /// has partly lost cannot be repeated.
    fn note(&mut self, error: io::Error) -> io::Error {
        if transport::is_pause(&error) {
            return error;
        }
        self.connection.transport_failed(&error);
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

    /// Receives until there is plaintext, or until the peer has sent everything.
    fn fill(&mut self) -> io::Result<()> {
        self.begin_receiving();
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

    /// Returns the error for a status that belongs to the handshake, which is complete.
    fn unfinished(&self) -> io::Error {
        Error::WrongState {
            call: "read",
            state: "the handshake",
        }
        .into()
    }

    fn receive(&mut self) -> io::Result<()> {
        // Nothing is sent here, not even the answer to a KeyUpdate:
        // `connection/send/key_updates.rs` says why.
        transport::receive(self.io.get_mut(), &mut self.connection)
            .inspect_err(|error| self.connection.transport_failed(error))?;
        self.now = self.clock.now();
        Ok(())
    }
}

impl<S: Read + Write> Read for Stream<S> {
    /// Reads what is there, and waits for the transport only if nothing is. Returns `Ok(0)` after
    /// the peer's close_notify, or if `out` is empty.
    ///
    /// Sends nothing, with one exception: if it fails with an error that the peer should know, one
    /// attempt to send the alert comes first, and takes as long as the transport lets a write wait.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if let Some(count) = self.early_data.read(out) {
            return Ok(count);
        }
        self.begin_receiving();
        loop {
            let result = self
                .connection
                .process_into(out, self.now, &mut SystemRandom);
            // The alert is sent only after the data before it has been read: the transport may have
            // no room.
            match result.inspect_err(|_| self.last_words())? {
                (0, Status::NeedsInput) => self.receive()?,
                (0, Status::Ask(_) | Status::EarlyData) => return Err(self.unfinished()),
                (count, _) => return Ok(count),
            }
        }
    }
}

impl<S: Read + Write> BufRead for Stream<S> {
    /// Returns received and decrypted data without a copy: at most one record.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.early_data.rest().is_empty() {
            return Ok(self.early_data.rest());
        }
        self.fill()?;
        Ok(self.connection.plaintext())
    }

    fn consume(&mut self, count: usize) {
        if self.early_data.rest().is_empty() {
            self.connection.consume(count);
        } else {
            self.early_data.consume(count);
        }
    }
}

impl<S: Read + Write> Write for Stream<S> {
    /// Encrypts up to four full records of `data` and sends them. See [`Stream`] for the meaning of
    /// `Ok(n)` on a non-blocking transport.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[io::IoSlice::new(data)])
    }

    /// Like `write`. Small buffers share a record, and all records are sent together.
    fn write_vectored(&mut self, buffers: &[io::IoSlice<'_>]) -> io::Result<usize> {
        // What was accepted earlier is sent first. Nothing more is accepted until the transport has
        // taken it, so that a program that does not flush learns here that it must wait.
        self.begin_sending()?;
        let length = buffers.iter().map(|buffer| buffer.len()).sum();
        self.write_by(length, |connection| connection.write_vectored(buffers))
    }

    /// Sends everything that was accepted, including data that was [gathered](Stream::set_corked)
    /// and the answer to a KeyUpdate, and flushes the transport. If the connection has failed, some
    /// of it may not have been sent, so the error is returned.
    fn flush(&mut self) -> io::Result<()> {
        self.tell_time();
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
