//! [`Connection`]: the type, the contract of its calls, and what it knows.

use core::fmt;
use core::time::Duration;
use std::io;

use crate::client::{self, Client};
use crate::connection::limits::Limits;
use crate::connection::machine::Machine;
use crate::connection::notice::Notice;
use crate::connection::observer::Observer;
use crate::connection::receive::receiver::Receiver;
use crate::connection::receive::record_receiver::RecordReceiver;
use crate::connection::send::sender::Sender;
use crate::connection::sink::{ConnectionSink, Decided};
use crate::counters::Stats;
use crate::crypto::random::Rng;
use crate::error::{Error, Side};
use crate::handshake::{Context, Negotiated};
use crate::identity::ServerName;
use crate::record::SealError;
use crate::secret::Secret;
use crate::server::{self, Server};
use crate::time::Now;

/// A TLS 1.3 connection without I/O: ciphertext in, plaintext out, and back.
///
/// # The contract
///
/// 1. Make one with [`Client::connection`], [`Server::connection`] or [`Connection::undecided`].
/// 2. **Send** what [`output`](Self::output) returns whenever it is not empty, and report to
///    [`sent`](Self::sent) how much went out. Do so after an error too: the output holds the alert.
/// 3. **Receive** into [`input`](Self::input) and report to [`received`](Self::received) how much
///    arrived, or to [`received_end`](Self::received_end) that nothing more will.
/// 4. Then call [`process`](Self::process) and act on the [`Status`](crate::Status), until it is
///    `NeedsInput` or `Closed`. To have application data placed in a buffer of your own, call
///    [`process_into`](Self::process_into) instead.
/// 5. Once [`is_handshaking`](Self::is_handshaking) returns false, [`write`](Self::write). Finish
///    with [`close`](Self::close).
/// 6. Call `process` no later than [`next_timeout`](Self::next_timeout): during the handshake, and
///    afterwards if the configuration limits the time of connections. In the handshake, the time
///    that the application takes to answer a question or to read early data counts too.
///    Afterwards `process` tells the time by which keys are renewed
///    ([`RekeyPolicy`](crate::RekeyPolicy)), so call it now and then, even if the program only
///    writes.
/// 7. At `Status::Ask`, nothing more is received or processed until the application calls
///    [`choose`](Self::choose), [`answer`](Self::answer) or [`refuse`](Self::refuse). Output can be
///    sent meanwhile.
/// 8. Early data needs the consent of both configurations. A client may call
///    [`write_early_data`](Self::write_early_data) from the start. A server reads early data at
///    `Status::EarlyData` through [`early_plaintext`](Self::early_plaintext), may answer it with
///    `write_early_data`, and continues once it is consumed.
///
/// The first error is final: every later call returns it again. Plaintext that was received before
/// the error can still be read.
///
/// Beginning a client's connection and processing a handshake need up to 144 KiB of stack, and
/// 320 KiB in an unoptimized build. The calls after it need up to 48 and 256 KiB. The
/// [guide](crate::guide#stack) has the details.
///
/// ```
/// use std::time::Instant;
/// use fleeting::{Authority, Client, Connection, Now, Server, Status, SystemRandom};
///
/// /// Moves what one side has to send to the other, and lets it work.
/// fn deliver(
///     from: &mut Connection,
///     to: &mut Connection,
///     now: Now,
/// ) -> Result<Status, fleeting::Error> {
///     while !from.output().is_empty() {
///         let space = to.input();
///         let count = space.len().min(from.output().len());
///         space[..count].copy_from_slice(&from.output()[..count]);
///         to.received(count);
///         from.sent(count);
///         to.process(now, &mut SystemRandom)?;
///     }
///     to.process(now, &mut SystemRandom)
/// }
///
/// # fn main() -> Result<(), fleeting::Error> {
/// let authority = Authority::new("example")?;
/// let client = Client::builder().trust(authority.trust()).build()?;
/// let server = Server::builder().identity(authority.issue_server(["db.internal"])?).build()?;
///
/// let now = Now::since(Instant::now());
/// let mut client = client.connection("db.internal", now, &mut SystemRandom)?;
/// let mut server = server.connection(now);
/// deliver(&mut client, &mut server, now)?; // ClientHello
/// deliver(&mut server, &mut client, now)?; // ServerHello ... Finished
/// deliver(&mut client, &mut server, now)?; // Finished
///
/// client.write(b"hello")?;
/// assert_eq!(deliver(&mut client, &mut server, now)?, Status::Data);
/// assert_eq!(server.plaintext(), b"hello");
/// # Ok(())
/// # }
/// ```
pub struct Connection {
    pub(crate) receiver: Receiver,
    pub(crate) sender: Sender,
}

impl Connection {
    /// Begins a client's connection. `early_data` says whether the caller is able to send early
    /// data.
    pub(crate) fn client(
        client: &Client,
        name: Option<ServerName>,
        early_data: bool,
        now: Now,
        rng: &mut Rng<'_>,
    ) -> Result<Self, Error> {
        let observer = Observer::client(client, name.as_ref());
        let mut connection = Self::new(
            Machine::Failed,
            RecordReceiver::new(true),
            observer,
            (&client.config.settings).into(),
            now,
        );
        connection.sender.configure(&client.config.settings);
        let mut sink = ConnectionSink {
            sender: Some(&mut connection.sender),
            decided: Decided::default(),
        };
        let state = client::start(
            client,
            name,
            early_data,
            &mut Context {
                now,
                rng,
                sink: &mut sink,
            },
        );
        let begun = state
            .map_err(|fault| fault.in_state("START"))
            .and_then(|state| {
                connection.receiver.machine = Machine::Client(state);
                connection
                    .sender
                    .flush_messages()
                    .map_err(|error| error.in_state("START"))?;
                connection.sender.take_failure("START")
            });
        match begun {
            Ok(()) => Ok(connection),
            Err(error) => Err(connection.fail(error)),
        }
    }

    /// Returns a connection that stands where one was moved out. Nobody uses it, so nothing is
    /// counted or traced.
    pub(crate) fn vacant(now: Now) -> Self {
        Self::new(
            Machine::Failed,
            RecordReceiver::new(false),
            Observer::idle(),
            Limits::default(),
            now,
        )
    }

    pub(crate) fn server(server: Option<&Server>, now: Now) -> Self {
        let limits = server
            .map(|server| Limits::from(&server.config.settings))
            .unwrap_or_default();
        let machine = Machine::Server(server::start(server.cloned()));
        let observer = Observer::server(server);
        let mut connection = Self::new(machine, RecordReceiver::new(false), observer, limits, now);
        if let Some(server) = server {
            connection.sender.configure(&server.config.settings);
        }
        connection
    }

    fn new(
        machine: Machine,
        records: RecordReceiver,
        observer: Observer,
        settings: Limits,
        now: Now,
    ) -> Self {
        let is_client = observer.side() == Side::Client;
        Self {
            sender: Sender::new(is_client, observer.clone(), now.monotonic),
            receiver: Receiver::new(machine, records, settings, observer, now),
        }
    }

    /// Begins a server's connection whose configuration is chosen when the ClientHello has arrived.
    ///
    /// `process` then returns [`Status::Ask`](crate::Status::Ask) with
    /// [`Question::Configuration`](crate::Question::Configuration). Read
    /// [`client_hello`](Self::client_hello) and call [`choose`](Self::choose).
    pub fn undecided(now: Now) -> Self {
        Self::server(None, now)
    }

    // ---- transport ----

    /// Returns the space to receive into, at least one byte. It grows with the traffic and is small
    /// while there is none.
    pub fn input(&mut self) -> &mut [u8] {
        if self.receiver.records.deframer.is_empty() {
            self.sender.rest();
        }
        self.receiver.records.deframer.space()
    }

    /// Tells the connection that `count` bytes were received into [`input`](Self::input).
    pub fn received(&mut self, count: usize) {
        self.receiver.records.received(count);
    }

    /// Tells the connection that the transport has ended: nothing more will be received.
    pub fn received_end(&mut self) {
        self.receiver.records.ended = true;
    }

    /// Tells the connection that nothing was received.
    pub(crate) fn received_nothing(&mut self) {
        self.receiver.records.deframer.filled_nothing();
    }

    /// Frees the output's memory if nothing waits.
    #[cfg(feature = "tokio")]
    pub(crate) fn rest(&mut self) {
        self.sender.rest();
    }

    /// The transport never waits: it is always told whether something was received.
    #[cfg(feature = "tokio")]
    pub(crate) fn never_waits(&mut self) {
        self.receiver.records.deframer.never_waits();
    }

    /// Returns true for a server to which no client has sent anything.
    pub(crate) fn is_untouched_server(&self) -> bool {
        self.receiver.is_untouched_server()
    }

    /// Returns the bytes that wait to be sent.
    pub fn output(&self) -> &[u8] {
        self.sender.waiting()
    }

    /// Tells the connection that the first `count` bytes of [`output`](Self::output) were sent.
    ///
    /// Call this before [`received`](Self::received) reports what the peer may have sent in answer:
    /// a KeyUpdate in the output answers all requests for one that arrive until it is sent.
    pub fn sent(&mut self, count: usize) {
        self.sender.sent(count);
    }

    /// Returns the time, as a [`Now::monotonic`], at which [`process`](Self::process) must be
    /// called even if nothing was received. `None` if there is no such time. It changes with the
    /// data that moves.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.receiver.next_timeout().or_else(|| self.end_of_life())
    }

    /// Returns true if so many bytes would only be gathered.
    pub(crate) fn gathers(&self, length: usize) -> bool {
        self.sender.gathers(length)
    }

    pub(crate) fn fail(&mut self, error: Error) -> Error {
        self.receiver.fail(error, &mut self.sender)
    }

    /// Reports an error of the transport after the handshake, which ends one direction.
    pub(crate) fn transport_failed(&self, error: &io::Error) {
        self.sender.saw(Notice::TransportFailed(error));
    }

    pub(crate) fn seal_error(&self, error: SealError) -> Error {
        self.receiver.seal_error(error)
    }

    /// Returns true while the handshake is in progress: false once it is complete, and false once
    /// it has failed.
    pub fn is_handshaking(&self) -> bool {
        self.receiver.machine.is_handshaking()
    }

    /// Returns the error that the connection failed with, if it has failed.
    pub fn error(&self) -> Option<&Error> {
        self.receiver.failed.as_ref()
    }

    /// Returns what this connection has sent and received until now.
    pub fn stats(&self) -> Stats {
        self.receiver.observer.stats()
    }

    /// Returns what the handshake agreed on, once it is complete.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.receiver
            .established
            .as_ref()
            .map(|established| &established.negotiated)
    }

    /// Derives keying material for the application: the same on both sides, and known to nobody
    /// else (RFC 9846, 7.5).
    ///
    /// `label` names the use (RFC 5705, section 4), `context` may be empty, and `length` is in
    /// bytes.
    ///
    /// # Errors
    /// Returns [`Error::WrongState`] during the handshake, [`Error::Config`] if the label is empty
    /// or too long or if the length is 0 or too large, or the error that the connection failed
    /// with.
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<Secret, Error> {
        if let Some(error) = &self.receiver.failed {
            return Err(error.clone());
        }
        let state = self.receiver.machine.state_name();
        let established = self
            .receiver
            .established
            .as_ref()
            .ok_or(Error::WrongState {
                call: "export_keying_material",
                state,
            })?;
        Ok(established.exporter.export(label, context, length)?)
    }

    /// Returns how many [extended key updates](crate::ClientBuilder::extended_key_update) are
    /// complete on this side: the number of the current epoch. The peer may be one ahead or behind.
    pub fn epoch(&self) -> u64 {
        self.receiver.epoch()
    }

    /// Derives keying material for the application from the secrets of one epoch
    /// (draft-ietf-tls-extended-key-update, "Exporter Usage After Extended Key Update"): that of
    /// the current one, or of the one before.
    ///
    /// It differs for each epoch, and from what
    /// [`export_keying_material`](Self::export_keying_material) derives, which stays the same as
    /// long as the connection. The two sides must name the same epoch. The arguments after it are
    /// those of `export_keying_material`.
    ///
    /// # Errors
    /// Returns the errors of `export_keying_material`, and [`Error::Config`] if the epoch is
    /// neither of the two or if extended key updates were not agreed on.
    pub fn export_epoch_keying_material(
        &self,
        epoch: u64,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<Secret, Error> {
        self.receiver.export_epoch(epoch, label, context, length)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("state", &self.receiver.machine.state_name())
            .field("negotiated", &self.negotiated())
            .finish_non_exhaustive()
    }
}
