//! [`Connection`]: one state machine, an inbound and an outbound half, and the application's view of them.

use core::fmt;
use core::time::Duration;

use crate::client::{self, Client};
use crate::code_point::AlertDescription;
use crate::connection::destination::Destination;
use crate::connection::inbound::Inbound;
use crate::connection::limits::Limits;
use crate::connection::machine::Machine;
use crate::connection::outbound::Outbound;
use crate::connection::receiver::Receiver;
use crate::connection::sink::{Decided, Handshake};
use crate::connection::status::Status;
use crate::crypto::random::Rng;
use crate::error::{Error, Fault};
use crate::handshake::{Answer, Context, Negotiated};
use crate::identity::ServerName;
use crate::record::SealError;
use crate::secret::Secret;
use crate::server::{self, ClientHello, Server};
use crate::session::ReplayEntry;
use crate::time::Now;

/// A TLS 1.3 connection without I/O: ciphertext in, plaintext out, and back.
///
/// # The contract
///
/// 1. Make one with [`Client::connection`], [`Server::connection`] or [`Connection::undecided`].
/// 2. **Send** whatever [`output`](Self::output) gives, whenever it is not empty, and tell by [`sent`](Self::sent) how much went out. This holds
///    after an error too: the alert is in there.
/// 3. **Receive** into [`input`](Self::input), tell by [`received`](Self::received) how much came, or by [`received_end`](Self::received_end) that
///    no more will.
/// 4. Then call [`process`](Self::process), and do what the [`Status`] says, until it says [`Status::NeedsInput`] or [`Status::Closed`]. To have application
///    data in a buffer of yours, call [`process_into`](Self::process_into) instead.
/// 5. When [`is_handshaking`](Self::is_handshaking) has become false, [`write`](Self::write). Finish with [`close`](Self::close).
/// 6. While the handshake lasts, call `process` at [`next_timeout`](Self::next_timeout) at the latest. The time that the application itself takes, for
///    an answer or with early data, counts too.
/// 7. At [`Status::Ask`] nothing more is received or processed before the answer: [`choose`](Self::choose), [`answer`](Self::answer) or
///    [`refuse`](Self::refuse). What waits in the output can be sent meanwhile.
/// 8. Early data, where both configurations allow it: a client may [`write_early_data`](Self::write_early_data) from the beginning; a server reads it at
///    [`Status::EarlyData`] as [`early_plaintext`](Self::early_plaintext), may answer it by `write_early_data`, and goes on when it is consumed.
///
/// The first error sticks: every later call returns it again. Plaintext that was received before it can still be read.
///
/// ```
/// use std::time::Duration;
/// use fleeting::{Authority, Client, Connection, Now, Server, Status, SystemRandom};
///
/// /// Moves what one side has to send to the other, and lets it work.
/// fn deliver(from: &mut Connection, to: &mut Connection, now: Now) -> Result<Status, fleeting::Error> {
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
/// # let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
/// let now = Now { monotonic: Duration::ZERO, unix };
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
    pub(super) receiver: Receiver,
    pub(super) outbound: Outbound,
}

impl Connection {
    /// `early_data` is whether the caller could send any.
    pub(crate) fn client(client: &Client, name: Option<ServerName>, early_data: bool, now: Now, rng: &mut Rng<'_>) -> Result<Self, Error> {
        let mut connection = Self::new(Machine::Failed, Inbound::new(true), Outbound::new(true), (&client.config.settings).into(), now);
        connection.outbound.padding = client.config.settings.padding;
        let mut sink = Handshake { outbound: Some(&mut connection.outbound), decided: Decided::default() };
        let state = client::start(client, name, early_data, &mut Context { now, rng, sink: &mut sink });
        connection.receiver.machine = Machine::Client(state.map_err(|fault| fault.in_state("START"))?);
        connection.outbound.flush_messages().map_err(|error| error.in_state("START"))?;
        connection.outbound.take_failure("START")?;
        Ok(connection)
    }

    pub(super) fn server(server: Option<&Server>, now: Now) -> Self {
        let limits = server.map(|server| Limits::from(&server.config.settings)).unwrap_or_default();
        let machine = Machine::Server(server::start(server.cloned()));
        let mut connection = Self::new(machine, Inbound::new(false), Outbound::new(false), limits, now);
        connection.outbound.padding = server.map(|server| server.config.settings.padding).unwrap_or_default();
        connection
    }

    fn new(machine: Machine, inbound: Inbound, outbound: Outbound, settings: Limits, now: Now) -> Self {
        Self { receiver: Receiver::new(machine, inbound, settings, now), outbound }
    }

    /// Begins a server's connection whose configuration is chosen when the ClientHello is there: `process` says
    /// [`Status::Ask`]`(`[`Question::Configuration`](crate::Question::Configuration)`)` then; look at [`client_hello`](Self::client_hello) and [`choose`](Self::choose).
    pub fn undecided(now: Now) -> Self {
        Self::server(None, now)
    }

    // ---- the transport's side ----

    /// Space to receive into, at least one byte. It grows with the traffic and is small while there is none.
    pub fn input(&mut self) -> &mut [u8] {
        if self.receiver.inbound.deframer.is_empty() {
            self.outbound.rest();
        }
        self.receiver.inbound.deframer.space()
    }

    /// `count` bytes were received into [`input`](Self::input).
    pub fn received(&mut self, count: usize) {
        self.receiver.inbound.received(count);
    }

    /// The transport has ended: nothing more will be received.
    pub fn received_end(&mut self) {
        self.receiver.inbound.ended = true;
    }

    /// What waits to be sent.
    pub fn output(&self) -> &[u8] {
        self.outbound.waiting()
    }

    /// `count` bytes of [`output`](Self::output) were sent.
    pub fn sent(&mut self, count: usize) {
        self.outbound.sent(count);
    }

    /// When to call [`process`](Self::process) even if nothing is received, as a [`Now::monotonic`] time.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.receiver.next_timeout()
    }

    /// Works on what was received, up to the first application data.
    ///
    /// A generator without a state of its own (size zero) counts as the system's for ML-KEM: see [`SystemRandom`](crate::SystemRandom).
    ///
    /// # Errors
    /// The first error sticks. The alert for the peer, if there is one, waits in the output.
    pub fn process(&mut self, now: Now, rng: &mut Rng<'_>) -> Result<Status, Error> {
        self.receiver.process(&mut Destination::new(&mut []), now, rng, &mut self.outbound)
    }

    /// Before something is sent, at a time that `process` may not have been told: tickets that have waited for too long stay here.
    pub(crate) fn drop_old_tickets(&mut self, now: impl FnOnce() -> Now) {
        self.outbound.drop_old_tickets(|| now().monotonic);
    }

    pub(super) fn fail(&mut self, error: Error) -> Error {
        self.receiver.fail(error, &mut self.outbound)
    }

    pub(super) fn seal_error(&self, error: SealError) -> Error {
        self.receiver.seal_error(error)
    }

    // ---- the application's side ----

    /// What the peer sent and the application has not yet [`consume`](Self::consume)d. Early data is not among it.
    pub fn plaintext(&self) -> &[u8] {
        if self.receiver.inbound.is_early_data() { &[] } else { self.receiver.inbound.deframer.held() }
    }

    /// Early data that the client sent and the application has not yet [`consume`](Self::consume)d (RFC 9846, 4.3.10). Nothing else is processed before it
    /// is taken, so that it is never mixed with what comes after the handshake.
    ///
    /// Whoever sent it holds the session's key; but **it may be a replay**, and until [`is_handshaking`](Self::is_handshaking) is false nobody has shown to be
    /// there. To be safe from that, keep it until then.
    pub fn early_plaintext(&self) -> &[u8] {
        if self.receiver.inbound.is_early_data() { self.receiver.inbound.deframer.held() } else { &[] }
    }

    /// What a server knows of the handshake while it reads early data: what was agreed on, and whose session it is. **Nobody has shown to be there yet**: it
    /// becomes [`negotiated`](Self::negotiated) when the handshake is complete.
    pub fn early_negotiated(&self) -> Option<Negotiated> {
        match &self.receiver.machine {
            Machine::Server(state) => state.early_negotiated(),
            _ => None,
        }
    }

    /// The application has taken the first `count` bytes of [`plaintext`](Self::plaintext), or of [`early_plaintext`](Self::early_plaintext).
    pub fn consume(&mut self, count: usize) {
        self.receiver.inbound.deframer.consume(count);
    }

    /// Takes data to be sent before the handshake is complete, as much as may wait in the output, and returns how much.
    ///
    /// * A client: early data, from the moment when the connection is made, if it was [allowed](crate::ClientBuilder::early_data) and a session allows it;
    ///   up to [`early_data_left`](Self::early_data_left) bytes. What the server does with it says [`Negotiated::early_data`] afterwards: all of it is
    ///   accepted, or all rejected, and nothing is sent again by itself. It can be replayed: see there.
    /// * A server: its answer to early data that it has accepted. It reaches nobody who does not hold the session's key; but whether the client is there
    ///   is known only when the handshake is complete.
    ///
    /// 0 means that the output has to be sent first, or that nothing may be sent early: not now, not any more, or not at all.
    ///
    /// # Errors
    /// The error that the connection failed with, [`Error::Closed`] after [`close`](Self::close), [`Error::KeyLimit`].
    pub fn write_early_data(&mut self, data: &[u8]) -> Result<usize, Error> {
        if let Some(error) = &self.receiver.failed {
            return Err(error.clone());
        }
        let written = match &self.receiver.machine {
            _ if !self.takes_early_data() => Ok(0),
            // Its Finished is sent, so its key is that of the application.
            Machine::Server(_) => self.outbound.data(&[data]).and_then(|taken| self.outbound.flush().map(|()| taken)),
            _ => self.outbound.early_data(data),
        };
        self.or_fail(written)
    }

    /// Whether something may be sent [early](Self::write_early_data) now.
    pub fn takes_early_data(&self) -> bool {
        match &self.receiver.machine {
            Machine::Client(_) => self.outbound.early_data_left() > 0,
            Machine::Server(state) => state.accepted_early_data(),
            Machine::ClientAsking(_) | Machine::ServerAsking(_) | Machine::Failed => false,
        }
    }

    /// How many bytes of early data a client may still [send](Self::write_early_data); 0 when the server has answered, or where none is offered.
    pub fn early_data_left(&self) -> usize {
        self.outbound.early_data_left()
    }

    /// Renews the keys of both directions: ours with the next record, the peer's when it answers (RFC 9846, 4.7.3).
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn rekey(&mut self) -> Result<(), Error> {
        self.check_writable("rekey")?;
        // What was written before is protected by the old keys.
        self.flush()?;
        self.outbound.key_update(true).map_err(|error| self.seal_error(error))
    }

    /// Says that we send no more: close_notify goes to the output, and our keys for sending are wiped. Reading goes on. During the handshake it
    /// gives up, and says user_canceled first.
    pub fn close(&mut self) {
        if self.is_handshaking() {
            // RFC 9846, 6.1: "the sender is canceling the handshake for some reason unrelated to a protocol failure".
            self.outbound.end(&[AlertDescription::USER_CANCELED, AlertDescription::CLOSE_NOTIFY]);
            self.receiver.end(Error::Closed);
        } else {
            self.outbound.end(&[AlertDescription::CLOSE_NOTIFY]);
        }
    }

    pub(super) fn check_writable(&self, call: &'static str) -> Result<(), Error> {
        if let Some(error) = &self.receiver.failed {
            return Err(error.clone());
        }
        if !self.outbound.is_open() {
            return Err(Error::Closed);
        }
        // Asked of what only a complete handshake leaves behind, so that not even a panic in the application's hook, caught, opens this door.
        if self.receiver.established.is_none() {
            return Err(Error::WrongState { call, state: self.receiver.machine.state_name() });
        }
        Ok(())
    }

    // ---- answering questions ----

    /// What the client asked for, while [`Question::Configuration`](crate::Question::Configuration) waits for its answer.
    pub fn client_hello(&self) -> Option<&ClientHello> {
        self.receiver.machine.client_hello()
    }

    /// What to look for in the store of ClientHellos that have been seen, while [`Question::Replay`](crate::Question::Replay) waits for its answer.
    pub fn replay_entry(&self) -> Option<ReplayEntry> {
        self.receiver.machine.replay_entry()
    }

    /// What to sign, by Ed25519 (RFC 8032) and as it is, while [`Question::Signature`](crate::Question::Signature) waits for its answer: the content of RFC 9846, 4.5.2.
    pub fn to_sign(&self) -> Option<&[u8]> {
        self.receiver.machine.to_sign()
    }

    /// Answers [`Question::Configuration`](crate::Question::Configuration): the handshake goes on with this server's configuration.
    ///
    /// # Errors
    /// [`Error::WrongState`] if that was not asked; otherwise as [`process`](Self::process), for what is wrong with the ClientHello.
    pub fn choose(&mut self, server: &Server, now: Now, rng: &mut Rng<'_>) -> Result<(), Error> {
        self.go_on("choose", now, rng, |machine, cx| machine.choose(server, cx))?;
        self.receiver.settings = (&server.config.settings).into();
        self.outbound.padding = server.config.settings.padding;
        Ok(())
    }

    /// Answers any other [`Question`](crate::Question).
    ///
    /// # Errors
    /// [`Error::WrongState`] if that was not asked; [`Error::Signer`] for a signature that is not one of our key over what was to be signed; otherwise as
    /// [`process`](Self::process).
    pub fn answer(&mut self, answer: Answer, now: Now, rng: &mut Rng<'_>) -> Result<(), Error> {
        self.go_on("answer", now, rng, |machine, cx| machine.answer(answer, cx))
    }

    /// Answers no: the handshake ends, and the peer gets this alert; unrecognized_name, access_denied and internal_error are the usual ones. What the
    /// connection has failed with then is [`Error::Refused`].
    ///
    /// # Errors
    /// [`Error::WrongState`] if nothing was asked, and the error that the connection had failed with before.
    pub fn refuse(&mut self, alert: AlertDescription) -> Result<(), Error> {
        if let Some(error) = &self.receiver.failed {
            return Err(error.clone());
        }
        if self.receiver.machine.question().is_none() {
            return Err(Error::WrongState { call: "refuse", state: self.receiver.machine.state_name() });
        }
        self.fail(Error::Refused(alert));
        Ok(())
    }

    /// Goes on from a question; `answered` gives the machine back if it was not that which is asked.
    fn go_on(
        &mut self,
        call: &'static str,
        now: Now,
        rng: &mut Rng<'_>,
        answered: impl FnOnce(Machine, &mut Context<'_>) -> Result<Result<Machine, Fault>, Machine>,
    ) -> Result<(), Error> {
        if let Some(error) = &self.receiver.failed {
            return Err(error.clone());
        }
        // An answer can take long, and be the last that the handshake waits for.
        if self.receiver.is_late(now) {
            return Err(self.fail(Error::HandshakeTimeout));
        }
        let state = self.receiver.machine.state_name();
        let mut sink = Handshake { outbound: Some(&mut self.outbound), decided: Decided::default() };
        let machine = core::mem::replace(&mut self.receiver.machine, Machine::Failed);
        let result = answered(machine, &mut Context { now, rng, sink: &mut sink });
        let decided = sink.decided;
        let applied = match result {
            Err(machine) => {
                self.receiver.machine = machine;
                return Err(Error::WrongState { call, state });
            }
            Ok(Ok(machine)) => {
                self.receiver.machine = machine;
                self.receiver.apply(decided, now, &mut self.outbound)
            }
            Ok(Err(fault)) => Err(fault.in_state(state)),
        };
        applied.map_err(|error| self.fail(error))
    }

    // ---- what is known ----

    /// Whether the handshake is still going on: not when it is complete, and not when it has failed.
    pub fn is_handshaking(&self) -> bool {
        self.receiver.machine.is_handshaking()
    }

    /// What the connection failed with, if it has.
    pub fn error(&self) -> Option<&Error> {
        self.receiver.failed.as_ref()
    }

    /// What the handshake has agreed on, once it is complete.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.receiver.established.as_ref().map(|established| &established.negotiated)
    }

    /// Keying material for the application, the same on both sides and known to nobody else (RFC 9846, 7.5). `label` says what for (RFC 5705,
    /// section 4); `length` is in bytes.
    ///
    /// # Errors
    /// [`Error::WrongState`] while the handshake lasts, [`Error::Config`] for a label or a length that is too long.
    pub fn export_keying_material(&self, label: &[u8], context: &[u8], length: usize) -> Result<Secret, Error> {
        if let Some(error) = &self.receiver.failed {
            return Err(error.clone());
        }
        let state = self.receiver.machine.state_name();
        let established = self.receiver.established.as_ref().ok_or(Error::WrongState { call: "export_keying_material", state })?;
        Ok(established.exporter.export(label, context, length)?)
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
