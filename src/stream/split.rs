//! [`ReadHalf`] and [`WriteHalf`]: a stream for two threads, one that reads and one that writes.
//!
//! ```text
//! ReadHalf ── ReceiveHalf, the transport's reader
//!     └─ notes ─┐
//! WriteHalf ────┴─ Shared: Mutex<SendHalf, the transport's writer>
//! ```
//!
//! Writing holds the lock. Reading only tries it: to send an alert, and to free memory before it
//! waits.

use core::fmt;
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

#[cfg(feature = "tokio")]
use crate::connection::ASKED;
use crate::connection::{Notes, ReceiveHalf, SendHalf, Shared, Status};
use crate::error::Error;
use crate::handshake::Negotiated;
use crate::secret::Secret;
use crate::stream::clock::Clock;
use crate::stream::collected::Collected;
use crate::stream::transport;
use crate::time::Now;

/// A transport that can be split into a reader and a writer, for
/// [`Stream::into_split`](crate::Stream::into_split).
///
/// Implemented for `TcpStream`, `UnixStream` and [`Pair`]. Any other transport can be made a `Pair`
/// before the handshake, `client.connect(name, Pair { reader, writer })`, or implement this trait.
///
/// A socket is split with `try_clone`, which uses one more file descriptor. Both are the same
/// socket: time-outs and blocking mode apply to both halves.
pub trait Split {
    /// The part that is read.
    type Reader: Read;
    /// The part that is written. The read half uses it too, for the alert that says why it ends.
    type Writer: Write + Send + 'static;

    /// Splits the transport.
    ///
    /// # Errors
    ///
    /// Returns the system's errors, such as a lack of file descriptors.
    fn split(self) -> io::Result<(Self::Reader, Self::Writer)>;
}

impl Split for TcpStream {
    type Reader = Self;
    type Writer = Self;

    fn split(self) -> io::Result<(Self, Self)> {
        Ok((self.try_clone()?, self))
    }
}

#[cfg(unix)]
impl Split for std::os::unix::net::UnixStream {
    type Reader = Self;
    type Writer = Self;

    fn split(self) -> io::Result<(Self, Self)> {
        Ok((self.try_clone()?, self))
    }
}

/// A transport made of a reader and a writer, such as a program's output and input.
#[derive(Debug)]
pub struct Pair<R, W> {
    /// The part that is read.
    pub reader: R,
    /// The part that is written.
    pub writer: W,
}

impl<R: Read, W> Read for Pair<R, W> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.reader.read(out)
    }
}

impl<R, W: Write> Write for Pair<R, W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.writer.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl<R: Read, W: Write + Send + 'static> Split for Pair<R, W> {
    type Reader = R;
    type Writer = W;

    fn split(self) -> io::Result<(R, W)> {
        Ok((self.reader, self.writer))
    }
}

/// What the lock protects.
struct LockedWriter<W> {
    writing: SendHalf,
    /// `None` after the write half was dropped.
    io: Option<W>,
    /// The transport's error that ended sending.
    broken: Option<Error>,
}

impl<W: Write> LockedWriter<W> {
    /// Sends all that waits. Returns an error if the connection has failed, as what waited then may
    /// have been discarded.
    fn send(&mut self, notes: &Notes<Error>) -> io::Result<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone().into());
        }
        let Some(io) = &mut self.io else {
            return Ok(());
        };
        loop {
            // Each call of the transport may take long, and the other half may fail meanwhile.
            self.writing.look(notes);
            if self.writing.output().is_empty() {
                let Some(error) = notes.failure() else {
                    return Ok(());
                };
                // This flushes the alert. Nobody is there to receive another error.
                let _ = transport::flush(io);
                return Err(error.clone().into());
            }
            if let Err(error) = transport::send_once(io, &mut self.writing) {
                // Nobody may be there to take the alert, and then nothing else is to be waited for.
                return Err(match notes.failure() {
                    Some(failure) if transport::is_pause(&error) => failure.clone().into(),
                    _ => self.note(error),
                });
            }
        }
    }

    /// Ends the connection if it is over, before a call that may wait for the transport, and sends
    /// what waits.
    fn begin(&mut self, clock: Clock, notes: &Notes<Error>) -> io::Result<()> {
        if self.writing.is_limited() {
            self.writing.at(clock.monotonic(), notes);
        }
        self.send(notes)
    }

    fn send_or_wait(&mut self, notes: &Notes<Error>) -> io::Result<()> {
        match self.send(notes) {
            Err(error) if transport::is_pause(&error) => Ok(()),
            result => result,
        }
    }

    /// Sends what waits, and the answer to a KeyUpdate, as far as the transport takes it now.
    #[cfg(feature = "tokio")]
    fn send_meanwhile(&mut self, clock: Clock, notes: &Notes<Error>) {
        self.writing.at(clock.monotonic(), notes);
        // This takes the note in any case.
        let wants_write = self.writing.wants_write(notes);
        // An error is kept for the next call that writes.
        if self.broken.is_none()
            && wants_write
            && self.writing.answer_key_update(notes).is_ok()
            && self.send(notes).is_ok()
            && let Some(io) = &mut self.io
            && let Err(error) = transport::flush(io)
        {
            self.note(error);
        }
    }

    fn flush(&mut self, notes: &Notes<Error>) -> io::Result<()> {
        self.writing.flush(notes)?;
        self.send(notes)?;
        if !self.writing.is_corked() {
            self.writing.rest();
        }
        let Some(io) = &mut self.io else {
            return Ok(());
        };
        transport::flush(io).map_err(|error| self.note(error))
    }

    /// Keeps an error that ends sending: a record that the transport has partly lost cannot be
    /// repeated.
    fn note(&mut self, error: io::Error) -> io::Error {
        if transport::is_pause(&error) {
            return error;
        }
        self.writing.transport_failed(&error);
        self.broken.insert(error.into()).clone().into()
    }

    /// Tells the peer why the connection has failed, or that it is closed, if it still listens.
    fn last_words(&mut self, notes: &Notes<Error>) {
        self.writing.look(notes);
        if let (Some(io), None) = (&mut self.io, &self.broken) {
            transport::attempt(io, &mut self.writing);
        }
    }
}

/// The other half, as the read half sees it.
trait Partner: Send + Sync {
    fn notes(&self) -> &Notes<Error>;
    fn last_words(&self);
    /// Frees memory because the connection is about to wait, unless the other half is at work.
    fn rest(&self);
    /// Sends what waits, and the answer to a KeyUpdate, unless the other half is at work.
    #[cfg(feature = "tokio")]
    fn send_meanwhile(&self, clock: Clock);
}

impl<W: Write + Send> Partner for Shared<LockedWriter<W>, Error> {
    fn notes(&self) -> &Notes<Error> {
        &self.notes
    }

    fn last_words(&self) {
        self.settle(LockedWriter::last_words);
    }

    fn rest(&self) {
        self.try_work(|writer| writer.writing.rest(), LockedWriter::last_words);
    }

    #[cfg(feature = "tokio")]
    fn send_meanwhile(&self, clock: Clock) {
        self.try_work(
            |writer| writer.send_meanwhile(clock, &self.notes),
            LockedWriter::last_words,
        );
    }
}

/// Creates the halves.
pub(super) fn halves<R: Read, W: Write + Send + 'static>(
    (reader, writer): (R, W),
    (reading, writing, notes): (ReceiveHalf, SendHalf, u8),
    broken: Option<Error>,
    clock: Clock,
    negotiated: Negotiated,
    early_data: Collected,
) -> (ReadHalf<R>, WriteHalf<W>) {
    let shared = Arc::new(Shared::new(
        LockedWriter {
            writing,
            io: Some(writer),
            broken,
        },
        notes,
    ));
    let negotiated = Arc::new(negotiated);
    (
        ReadHalf {
            io: reader,
            reading,
            partner: shared.clone(),
            clock,
            now: clock.now(),
            negotiated: negotiated.clone(),
            early_data,
        },
        WriteHalf {
            shared,
            clock,
            negotiated,
        },
    )
}

/// The read half of a [`Stream`](crate::Stream): see
/// [`Stream::into_split`](crate::Stream::into_split).
///
/// After it is dropped nothing more is read. The peer is not told, and writes until the transport
/// is full.
pub struct ReadHalf<R> {
    io: R,
    reading: ReceiveHalf,
    partner: Arc<dyn Partner>,
    clock: Clock,
    /// When the transport was last read.
    now: Now,
    negotiated: Arc<Negotiated>,
    early_data: Collected,
}

impl<R: Read> ReadHalf<R> {
    /// Returns what the handshake agreed on, and who the peer is.
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Returns the number of the current epoch: see [`Stream::epoch`](crate::Stream::epoch).
    pub fn epoch(&self) -> u64 {
        self.reading.epoch()
    }

    /// Derives keying material from the secrets of one epoch: see
    /// [`Stream::export_epoch_keying_material`](crate::Stream::export_epoch_keying_material).
    ///
    /// # Errors
    ///
    /// Returns the errors of that call.
    pub fn export_epoch_keying_material(
        &self,
        epoch: u64,
        label: impl AsRef<[u8]>,
        context: impl AsRef<[u8]>,
        length: usize,
    ) -> Result<Secret, Error> {
        self.reading
            .export_epoch(epoch, label.as_ref(), context.as_ref(), length)
    }

    /// Returns, at a server, the early data that arrived before the handshake was complete, unless
    /// the stream's [`take_early_data`](crate::Stream::take_early_data) has returned it. A second
    /// call returns nothing. What is not taken is read, before the data that was sent later.
    pub fn take_early_data(&mut self) -> Vec<u8> {
        self.early_data.take()
    }

    /// Returns the part of the transport that is read.
    pub fn get_ref(&self) -> &R {
        &self.io
    }

    #[cfg(feature = "tokio")]
    pub(super) fn get_mut(&mut self) -> &mut R {
        &mut self.io
    }

    /// Sends what waits, and the answer to a KeyUpdate, as far as the transport takes it now. For
    /// transports that never wait.
    #[cfg(feature = "tokio")]
    pub(super) fn send_meanwhile(&self) {
        self.partner.send_meanwhile(self.clock);
    }

    /// Returns how long the connection may still wait before it is over, if it can be. Zero if it
    /// is.
    #[cfg(feature = "tokio")]
    pub(super) fn time_left(&self) -> Option<core::time::Duration> {
        let end = self.reading.next_timeout()?;
        Some(end.saturating_sub(self.clock.monotonic()))
    }

    /// Processes what was received, and receives until there is data for `out`, or data to hold if
    /// `out` is empty.
    fn fill(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.reading.is_limited() {
            self.now = self.clock.now();
        }
        loop {
            let result = self
                .reading
                .process_into(out, self.now, self.partner.notes());
            // The alert is sent only after the data before it has been read: the transport may have
            // no room.
            match result.inspect_err(|_| self.partner.last_words())? {
                (0, Status::NeedsInput) => {
                    if self.reading.is_empty() {
                        self.partner.rest();
                    }
                    transport::receive(&mut self.io, &mut self.reading)
                        .inspect_err(|error| self.reading.transport_failed(error))?;
                    self.now = self.clock.now();
                }
                (0, Status::Ask(_) | Status::EarlyData) => {
                    return Err(Error::WrongState {
                        call: "read",
                        state: "the handshake",
                    }
                    .into());
                }
                (count, _) => return Ok(count),
            }
        }
    }
}

impl<R: Read> Read for ReadHalf<R> {
    /// Like reading from a [`Stream`](crate::Stream): returns `Ok(0)` after the peer's
    /// close_notify, or if `out` is empty.
    ///
    /// Waits only for the reader of the transport, with one exception: if it fails with an error
    /// that the peer should know, and the other half is not working, it first makes one attempt to
    /// send the alert, which takes as long as the transport lets a write wait.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        match self.early_data.read(out) {
            Some(count) => Ok(count),
            None => self.fill(out),
        }
    }
}

impl<R: Read> BufRead for ReadHalf<R> {
    /// Returns received and decrypted data without a copy: at most one record.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.early_data.rest().is_empty() {
            return Ok(self.early_data.rest());
        }
        self.fill(&mut [])?;
        Ok(self.reading.plaintext())
    }

    fn consume(&mut self, count: usize) {
        if self.early_data.rest().is_empty() {
            self.reading.consume(count);
        } else {
            self.early_data.consume(count);
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for ReadHalf<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf")
            .field("io", &self.io)
            .field("negotiated", &self.negotiated)
            .finish_non_exhaustive()
    }
}

/// The write half of a [`Stream`](crate::Stream): see
/// [`Stream::into_split`](crate::Stream::into_split).
///
/// Dropping it makes one attempt to [`close`](Self::close), and to send what was gathered while
/// [corked](Self::set_corked), unless the thread panics; and wipes its keys. The other half
/// continues to read.
///
/// # Peers that renew their keys
///
/// The answer to a KeyUpdate that the [`ReadHalf`] has received is sent before the next data, or by
/// `flush`. So is the request to a peer that should renew its key. If nobody reads the other half,
/// a peer that asks again and again makes both sides stand still, as with a
/// [`Stream`](crate::Stream#peers-that-renew-their-keys) that only writes: let a thread read, even
/// if no data is expected.
///
/// # Memory
///
/// Its buffer grows with the amount written at once, up to about 66 KB. It is freed, except for 512
/// bytes, when the other half next waits for the peer, unless this half is working then; and by
/// `flush`, for programs that only write. So a program that flushes after every write of more than
/// 490 bytes pays for an allocation each time; without the flushes, no write allocates. Written
/// data is sent without a flush. Call `flush` for transports with a buffer of their own, and when
/// nothing more will be written for long. While [corked](Self::set_corked), `flush` sends the
/// gathered data and keeps the buffer.
pub struct WriteHalf<W: Write> {
    shared: Arc<Shared<LockedWriter<W>, Error>>,
    clock: Clock,
    negotiated: Arc<Negotiated>,
}

impl<W: Write> WriteHalf<W> {
    /// Returns what the handshake agreed on, and who the peer is.
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Closes this side: close_notify is sent after everything that was written, and the sending
    /// keys are wiped.
    ///
    /// The other half continues to read until the peer closes too. To end it sooner, shut the
    /// transport down through a `try_clone` of [`ReadHalf::get_ref`]: the read half then returns
    /// [`Error::Truncated`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Stream::close`](crate::Stream::close).
    pub fn close(&mut self) -> io::Result<()> {
        let clock = self.clock;
        self.work(|sender, notes| {
            sender.writing.at(clock.monotonic(), notes);
            sender.writing.look(notes);
            if let Some(error) = notes.failure() {
                return Err(error.clone().into());
            }
            sender.writing.close(notes);
            sender.flush(notes)
        })
    }

    /// Renews the keys of both directions: see [`Stream::rekey`](crate::Stream::rekey).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Stream::rekey`](crate::Stream::rekey).
    pub fn rekey(&mut self) -> io::Result<()> {
        let clock = self.clock;
        self.work(|sender, notes| {
            sender.begin(clock, notes)?;
            sender.writing.at(clock.monotonic(), notes);
            sender.writing.rekey(notes)?;
            sender.send_or_wait(notes)
        })
    }

    /// Like [`Stream::write_with`](crate::Stream::write_with). The read half does not wait
    /// meanwhile, whatever `write` does.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Stream::write_with`](crate::Stream::write_with).
    pub fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> io::Result<usize> {
        self.write_by(length, |writing, notes| {
            writing.write_with(length, write, notes)
        })
    }

    /// Sets whether written data is gathered: see
    /// [`Stream::set_corked`](crate::Stream::set_corked).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Stream::set_corked`](crate::Stream::set_corked).
    pub fn set_corked(&mut self, corked: bool) -> io::Result<()> {
        let clock = self.clock;
        self.work(|sender, notes| {
            sender.writing.at(clock.monotonic(), notes);
            sender.writing.set_corked(corked, notes)?;
            sender.send_or_wait(notes)
        })
    }

    /// Returns true if written data is gathered.
    pub fn is_corked(&self) -> bool {
        self.work(|sender, _| sender.writing.is_corked())
    }

    /// Returns true if bytes wait to be sent, so that `flush` should be called when the transport
    /// is ready for writing. The answer to a KeyUpdate counts, as it is sent only with the next
    /// write or flush. Data that is [gathered](Self::set_corked) does not count.
    pub fn wants_write(&self) -> bool {
        self.work(|sender, notes| {
            sender.writing.at(self.clock.monotonic(), notes);
            sender.broken.is_none() && sender.writing.wants_write(notes)
        })
    }

    /// Writes up to `length` bytes, once everything that was accepted before has been sent.
    fn write_by(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut SendHalf, &Notes<Error>) -> Result<usize, Error>,
    ) -> io::Result<usize> {
        let clock = self.clock;
        self.work(|sender, notes| {
            sender.begin(clock, notes)?;
            if !sender.writing.gathers(length) {
                sender.writing.at(clock.monotonic(), notes);
            }
            let accepted = write(&mut sender.writing, notes)?;
            sender.send_or_wait(notes)?;
            Ok(accepted)
        })
    }

    /// Sends the answer to a KeyUpdate that the read half could not send, because this half was at
    /// work.
    #[cfg(feature = "tokio")]
    pub(super) fn send_meanwhile(&self) {
        self.shared.work_on_note(
            ASKED,
            |sender, notes| sender.send_meanwhile(self.clock, notes),
            LockedWriter::last_words,
        );
    }

    /// Returns how long the connection may still wait before it is over, if it can be. Zero if it
    /// is.
    #[cfg(feature = "tokio")]
    pub(super) fn time_left(&self) -> Option<core::time::Duration> {
        let end = self.work(|sender, _| sender.writing.next_timeout())?;
        Some(end.saturating_sub(self.clock.monotonic()))
    }

    /// Works on the transport's writer.
    #[cfg(feature = "tokio")]
    pub(super) fn with_io(&self, work: impl FnOnce(&mut W)) {
        self.work(|sender, _| sender.io.as_mut().map(work));
    }

    fn work<T>(&self, work: impl FnOnce(&mut LockedWriter<W>, &Notes<Error>) -> T) -> T {
        self.shared.work(work, LockedWriter::last_words)
    }
}

impl<W: Write> Write for WriteHalf<W> {
    /// Like writing to a [`Stream`](crate::Stream).
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[io::IoSlice::new(data)])
    }

    fn write_vectored(&mut self, buffers: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let length = buffers.iter().map(|buffer| buffer.len()).sum();
        self.write_by(length, |writing, notes| writing.write(buffers, notes))
    }

    /// Like flushing a [`Stream`](crate::Stream), gathered data included. Unless corked, it also
    /// frees memory: see [`WriteHalf`].
    fn flush(&mut self) -> io::Result<()> {
        let clock = self.clock;
        self.work(|sender, notes| {
            sender.writing.at(clock.monotonic(), notes);
            sender.flush(notes)
        })
    }
}

impl<W: Write> Drop for WriteHalf<W> {
    fn drop(&mut self) {
        let clock = self.clock;
        self.work(|sender, notes| {
            if !std::thread::panicking() {
                // If there is an alert, it takes the place of close_notify.
                sender.writing.look(notes);
                sender.writing.at(clock.monotonic(), notes);
                sender.writing.close(notes);
                sender.last_words(notes);
            }
            // What this half has allocated remains as long as the other half does.
            sender.writing.abandon();
            sender.io = None;
        });
    }
}

impl<W: Write> fmt::Debug for WriteHalf<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf")
            .field("negotiated", &self.negotiated)
            .finish_non_exhaustive()
    }
}
