//! [`Receiver`]: the receiving side, and the state machine it feeds: all of a connection except
//! what is sent.
//!
//! It is the same in a [`Connection`](crate::Connection), which owns both sides, and in a split
//! connection's receive half, while another thread may hold the other half. What receiving demands
//! of sending goes through [`SendSide`].

use core::time::Duration;
use std::sync::Arc;

use crate::client;
use crate::code_point::{AlertDescription, ContentType, HandshakeType};
use crate::connection::limits::Limits;
use crate::connection::machine::Machine;
use crate::connection::notice::Notice;
use crate::connection::observer::Observer;
use crate::connection::receive::caller_buffer::CallerBuffer;
use crate::connection::receive::flood_limit::FloodLimit;
use crate::connection::receive::peer_key::PeerKey;
use crate::connection::receive::record_receiver::{Received, RecordReceiver};
use crate::connection::send::send_side::SendSide;
use crate::connection::sink::{ConnectionSink, Decided, ReceiveKey};
use crate::connection::status::Status;
use crate::crypto::random::Rng;
use crate::error::{ConfigError, Error, Fault};
use crate::handshake::{Context, Established, ExtendedKeyUpdates, ExtendedStep, Running, Wire};
use crate::message::Message;
use crate::record::{Open, SealError};
use crate::secret::Secret;
use crate::server;
use crate::time::Now;

/// All of a connection except what is sent.
pub(crate) struct Receiver {
    pub(crate) machine: Machine,
    pub(crate) records: RecordReceiver,
    pub(crate) settings: Limits,
    /// Counts what is received.
    pub(crate) observer: Observer,
    /// When the connection was made, on the monotonic clock.
    began: Duration,
    peer_key: PeerKey,
    pub(crate) established: Option<Established>,
    /// What can end the connection from when it is established, if anything can: until the peer has
    /// closed its side.
    pub(crate) running: Option<Arc<Running>>,
    /// How often connections were ended from outside before the last message of the handshake.
    ends: u64,
    pub(crate) failed: Option<Error>,
}

impl Receiver {
    pub(crate) fn new(
        machine: Machine,
        records: RecordReceiver,
        settings: Limits,
        observer: Observer,
        now: Now,
    ) -> Self {
        Self {
            machine,
            records,
            settings,
            observer,
            began: now.monotonic,
            peer_key: PeerKey::new(now.monotonic),
            established: None,
            running: None,
            ends: 0,
            failed: None,
        }
    }

    /// Tells the time, on the monotonic clock.
    pub(crate) fn at(&mut self, now: Duration) {
        self.peer_key.age.at(now);
        if let Some(running) = &self.running {
            running.lifetime().at(now);
        }
    }

    /// Reports what happened.
    pub(crate) fn saw(&self, notice: Notice<'_>) {
        self.observer.saw(notice);
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.machine.is_handshaking()
    }

    /// Returns true for a server to which no client has sent anything.
    pub(crate) fn is_untouched_server(&self) -> bool {
        matches!(self.machine, Machine::Server(_)) && !self.records.began
    }

    /// Returns when the handshake must be complete, or when the connection is over.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        if self.is_handshaking() {
            Some(self.began.saturating_add(self.settings.handshake_timeout))
        } else {
            self.running.as_ref()?.lifetime().deadline()
        }
    }

    /// Returns true if the handshake takes too long.
    pub(crate) fn is_late(&self, now: Now) -> bool {
        self.is_handshaking()
            && self
                .next_timeout()
                .is_some_and(|deadline| now.monotonic >= deadline)
    }

    /// Returns true if the connection can end by time, or from outside.
    pub(crate) fn is_limited(&self) -> bool {
        self.running.is_some()
    }

    /// Returns the error that the connection ends with, if it is over.
    fn over(&self) -> Option<Error> {
        self.running.as_ref()?.over()
    }

    /// Processes what was received, until `out` is full or something is held that does not fit.
    pub(crate) fn process(
        &mut self,
        out: &mut CallerBuffer<'_>,
        now: Now,
        rng: &mut Rng<'_>,
        send_side: &mut impl SendSide,
    ) -> Result<Status, Error> {
        self.records.flood_limit.tick(now.monotonic);
        self.at(now.monotonic);
        loop {
            if self.records.is_early_data() && !self.records.deframer.held().is_empty() {
                return Ok(Status::EarlyData);
            }
            // What was received before a failure can still be read.
            let count = self.records.take_held(out.rest());
            out.advance(count);
            if out.is_full() || !self.records.deframer.held().is_empty() {
                return Ok(Status::Data);
            }
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            // An end that is nobody's fault waits until all that was received is read.
            let failure = send_side.failure().filter(|error| !error.is_end());
            if let Some(error) = failure.cloned() {
                return Err(self.fail(error, send_side));
            }
            match self.advance(out, now, rng, send_side) {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(error) => return Err(self.fail(error, send_side)),
            }
        }
    }

    /// Like [`process`](Self::process), into the application's buffer. Returns how many bytes were
    /// filled and the status. Data that came before an error is returned first.
    pub(crate) fn process_into(
        &mut self,
        out: &mut [u8],
        now: Now,
        rng: &mut Rng<'_>,
        send_side: &mut impl SendSide,
    ) -> Result<(usize, Status), Error> {
        let mut out = CallerBuffer::new(out);
        match self.process(&mut out, now, rng, send_side) {
            Err(_) if out.filled() > 0 => Ok((out.filled(), Status::Data)),
            result => result.map(|status| (out.filled(), status)),
        }
    }

    /// Takes one record and acts on it. Returns `None` to continue.
    fn advance(
        &mut self,
        out: &mut CallerBuffer<'_>,
        now: Now,
        rng: &mut Rng<'_>,
        send_side: &mut impl SendSide,
    ) -> Result<Option<Status>, Error> {
        if self.is_late(now) {
            return Err(Error::HandshakeTimeout);
        }
        // Every step passes here again at the time at which it was made, so new tickets are seen at
        // once.
        if let Some(sender) = send_side.sender() {
            sender.at(now.monotonic);
        }
        if let Some(question) = self.machine.question() {
            return Ok(Some(Status::Ask(question)));
        }
        if !self.records.is_open() {
            // Reading is over, but not writing.
            return match send_side.sender().and_then(|sender| sender.over()) {
                Some(error) => Err(error),
                None => Ok(Some(Status::Closed)),
            };
        }
        // Before the peer is authenticated, application data is a fault, and none of it is
        // delivered.
        let into = if self.established.is_some() {
            out.rest()
        } else {
            &mut []
        };
        match self
            .records
            .next_record(into)
            .map_err(|fault| self.protocol(fault))?
        {
            None if self.records.ended || self.over().is_some() => {
                return Err(if let Some(error) = self.over() {
                    error
                } else if self.is_untouched_server() {
                    Error::NothingReceived
                } else {
                    Error::Truncated
                });
            }
            None => {
                // All that was received is processed: one answer serves all KeyUpdates in it.
                if let Some(sender) = send_side.sender() {
                    sender
                        .answer_key_update()
                        .map_err(|error| self.seal_error(error))?;
                }
                return Ok(Some(Status::NeedsInput));
            }
            Some(Received::Nothing) => {}
            Some(Received::Handshake) => self.on_messages(now, rng, send_side)?,
            Some(Received::Alert(alert)) => self.on_alert(alert, send_side)?,
            // RFC 9846, 4.5.3: application data comes after the peer's Finished, or is early data.
            // Checked on what only a complete handshake leaves behind, so that even a caught panic
            // in the application's hook does not let data through.
            Some(Received::Data { .. } | Received::EmptyData)
                if self.established.is_none() && !self.records.is_early_data() =>
            {
                self.records.deframer.consume(usize::MAX);
                return Err(self.protocol(Fault::UnexpectedRecord {
                    got: ContentType::APPLICATION_DATA,
                }));
            }
            Some(Received::Data { placed }) => {
                // Nothing was held before.
                let length = placed + self.records.deframer.held().len();
                self.observer.received().record(length);
                out.advance(placed);
                self.records.flood_limit.data();
                if let Some(running) = &self.running {
                    running.lifetime().received(now.monotonic);
                }
                self.renew_peer_key(send_side)?;
            }
            // RFC 9846, 5.1: "Zero-length fragments of Application Data ... MAY be sent".
            Some(Received::EmptyData) => {
                self.observer.received().record(0);
                self.count_without_data("empty records", send_side)?;
            }
        }
        Ok(None)
    }

    /// Passes each complete message to the state machine.
    fn on_messages(
        &mut self,
        now: Now,
        rng: &mut Rng<'_>,
        send_side: &mut impl SendSide,
    ) -> Result<(), Error> {
        while let Some(header) = self.records.joiner.header() {
            let limit = self.settings.max_handshake_size;
            let is_too_long = header.length > limit;
            if self.machine.may_skip(header)
                && (is_too_long || self.flood_limit(send_side).has_enough_tickets())
            {
                self.records.joiner.skip();
                self.saw(Notice::TicketReceived);
                self.count_ticket(send_side)?;
                continue;
            }
            if is_too_long {
                let too_long = Fault::MessageTooLong {
                    length: header.length,
                    limit,
                };
                // What no peer may send is its fault, whatever our limit is.
                let fault = Message::check_header(header.message_type, header.body_length())
                    .map_or_else(|fault| self.machine.expecting(fault), |()| too_long);
                return Err(self.protocol(fault));
            }
            let Some((bytes, aligned)) = self.records.joiner.next() else {
                return Ok(());
            };
            if self.is_handshaking() {
                self.ends = self.settings.ends();
            }
            let state = self.machine.state_name();
            let in_state = |fault: Fault| fault.in_state(state);
            let message =
                Message::decode(&bytes).map_err(|fault| in_state(self.machine.expecting(fault)))?;

            let mut sink = ConnectionSink {
                sender: send_side.sender(),
                decided: Decided::default(),
            };
            let cx = &mut Context {
                now,
                rng,
                sink: &mut sink,
            };
            let wire = Wire::new(&bytes, aligned);
            self.machine = match core::mem::replace(&mut self.machine, Machine::Failed) {
                Machine::Client(state) => client::step(state, message, wire, cx)
                    .map_err(in_state)?
                    .into(),
                Machine::Server(state) => server::step(state, message, wire, cx)
                    .map_err(in_state)?
                    .into(),
                Machine::ClientAsking(_) | Machine::ServerAsking(_) | Machine::Failed => {
                    return Err(in_state(Fault::Internal {
                        what: "a message for no state",
                    }));
                }
            };
            let decided = sink.decided;
            if header.message_type == HandshakeType::NEW_SESSION_TICKET {
                self.saw(Notice::TicketReceived);
            }
            self.apply(decided, now, send_side)?;
        }
        Ok(())
    }

    /// Applies what a step decided about receiving, and seals what it wrote.
    pub(crate) fn apply(
        &mut self,
        decided: Decided,
        now: Now,
        send_side: &mut impl SendSide,
    ) -> Result<(), Error> {
        let state = self.machine.state_name();
        if let Some(sender) = send_side.sender() {
            sender
                .flush_messages()
                .map_err(|error| error.in_state(state))?;
            sender.take_failure(state)?;
        }
        if let Some(what) = decided.misplaced {
            return Err(self.protocol(Fault::Internal { what }));
        }
        match decided.receive {
            Some(ReceiveKey::Install(suite, secret)) => {
                self.records.install(Open::protected(suite, secret));
                self.peer_key.age.begin();
            }
            Some(ReceiveKey::Early(suite, secret, max_size)) => self
                .records
                .accept_early_data(Open::protected(suite, secret), max_size),
            Some(ReceiveKey::Update { answer }) => {
                self.records.update();
                self.peer_key.age.begin();
                self.saw(Notice::KeyUpdateReceived);
                if !send_side.key_update(answer) {
                    self.count_without_data("KeyUpdates without application data", send_side)?;
                }
            }
            // A message that changes no key, such as a ticket, carries no data once the handshake
            // is complete.
            None if !self.is_handshaking() && decided.extended_key_update.is_none() => {
                self.count_ticket(send_side)?;
            }
            None => {}
        }
        if let Some(step) = decided.extended_key_update {
            self.extended_key_update(step, send_side)?;
        }
        if let Some(limit) = decided.limit_receive {
            self.records
                .limit(limit)
                .map_err(|fault| self.protocol(fault))?;
        }
        if let Some((mode, budget)) = decided.skip_early_data {
            self.records.skip_early_data(mode, budget);
        }
        if let Some(established) = decided.connected {
            let duration = now.monotonic.saturating_sub(self.began);
            self.saw(Notice::Connected(&established.negotiated, duration));
            self.running = self
                .settings
                .begin(&established.negotiated, self.began, self.ends, now);
            if let Some(sender) = send_side.sender() {
                sender.running = self.running.clone();
            }
            self.established = Some(established);
            self.records.deframer.connected();
        }
        // RFC 9846, section 5: a ChangeCipherSpec may come "after the first ClientHello message ...
        // and before the peer's Finished message".
        self.records.in_handshake = self.is_handshaking();
        if let Some(question) = self.machine.question() {
            self.saw(Notice::Asked(question));
        }
        Ok(())
    }

    /// Acts on what a message of an extended key update led to.
    fn extended_key_update(
        &mut self,
        step: ExtendedStep,
        send_side: &mut impl SendSide,
    ) -> Result<(), Error> {
        if let ExtendedStep::Requested | ExtendedStep::Responded = step {
            send_side
                .owe_extended()
                .map_err(|error| self.seal_error(error))?;
        }
        if let ExtendedStep::Responded | ExtendedStep::Finished = step {
            self.saw(Notice::KeyUpdateReceived);
            // Whatever we asked for is done.
            send_side.key_update(false);
        }
        Ok(())
    }

    fn on_alert(
        &mut self,
        alert: AlertDescription,
        send_side: &mut impl SendSide,
    ) -> Result<(), Error> {
        self.saw(Notice::AlertReceived(alert));
        match alert {
            // RFC 9846, 6.1: during the handshake, close_notify means that the peer gave up.
            AlertDescription::CLOSE_NOTIFY if self.is_handshaking() => {
                Err(self.alert_received(alert))
            }
            // RFC 9846, 6.1: this closes only the peer's direction.
            AlertDescription::CLOSE_NOTIFY => {
                self.saw(Notice::Closed);
                self.records.close();
                if let Some(extended) = self.extended() {
                    extended.end();
                }
                self.running = None;
                Ok(())
            }
            // RFC 9846, 6.1: "Receiving implementations SHOULD continue to read data from the peer
            // until a close_notify is received".
            AlertDescription::USER_CANCELED => {
                self.count_without_data("user_canceled alerts", send_side)
            }
            // RFC 9846, section 6: all others, unknown ones included, are fatal whatever level they
            // claim.
            alert => Err(self.alert_received(alert)),
        }
    }

    /// Returns the extended key updates, if they were agreed on.
    pub(crate) fn extended(&self) -> Option<&ExtendedKeyUpdates> {
        self.established.as_ref()?.extended.as_ref()
    }

    /// Returns the number of the current epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.extended().map_or(0, ExtendedKeyUpdates::epoch)
    }

    /// Derives keying material from the secrets of an epoch.
    pub(crate) fn export_epoch(
        &self,
        epoch: u64,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<Secret, Error> {
        let call = "export_epoch_keying_material";
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let state = self.machine.state_name();
        let established = self
            .established
            .as_ref()
            .ok_or(Error::WrongState { call, state })?;
        let extended = established.extended.as_ref().ok_or(ConfigError::Setting {
            name: call,
            reason: "there are epochs only where both sides agreed to extended_key_update()",
        })?;
        Ok(extended.export(epoch, label, context, length)?)
    }

    fn alert_received(&self, alert: AlertDescription) -> Error {
        Error::AlertReceived {
            alert,
            from: self.machine.peer(),
            said: self.machine.said(),
        }
    }

    /// Asks the peer for a new key if it is late with that.
    #[inline]
    fn renew_peer_key(&mut self, send_side: &mut impl SendSide) -> Result<(), Error> {
        if self.established.is_some()
            && self
                .peer_key
                .is_late(&self.settings.rekey_policy, self.records.key_used())
        {
            self.ask_for_key(send_side)
        } else {
            Ok(())
        }
    }

    #[cold]
    fn ask_for_key(&mut self, send_side: &mut impl SendSide) -> Result<(), Error> {
        // This learns whether we have sent data.
        self.flood_limit(send_side);
        if self.peer_key.may_ask() && !send_side.cannot_ask() {
            self.peer_key.asked();
            send_side
                .ask_key_update()
                .map_err(|error| self.seal_error(error))?;
        }
        Ok(())
    }

    /// Counts a record or message that carried no application data.
    fn count_without_data(
        &mut self,
        what: &'static str,
        send_side: &mut impl SendSide,
    ) -> Result<(), Error> {
        self.flood_limit(send_side)
            .add(what)
            .map_err(|fault| self.protocol(fault))
    }

    /// Counts a ticket.
    fn count_ticket(&mut self, send_side: &mut impl SendSide) -> Result<(), Error> {
        self.flood_limit(send_side)
            .add_ticket()
            .map_err(|fault| self.protocol(fault))
    }

    /// Returns the flood limit, which knows of all that was sealed.
    pub(crate) fn flood_limit(&mut self, send_side: &mut impl SendSide) -> &mut FloodLimit {
        let sealed = send_side.take_sealed();
        self.records.flood_limit.sealed(sealed);
        if sealed > 0 {
            self.peer_key.data_sent();
        }
        &mut self.records.flood_limit
    }

    /// Ends the connection: the alert goes out, all keys are wiped, and the error is final.
    pub(crate) fn fail(&mut self, error: Error, send_side: &mut impl SendSide) -> Error {
        // RFC 9846, section 6: no session of a failed connection is used again. A connection that
        // was merely cut has not failed in this sense: its session makes the next one quick.
        if let (
            Error::Protocol { .. } | Error::AlertReceived { .. },
            Some(Established {
                stored: Some(stored),
                ..
            }),
        ) = (&error, &self.established)
        {
            stored.forget();
        }
        let error = send_side.fail(error);
        self.end(error)
    }

    /// Ends receiving: keys are wiped, and the error is final.
    pub(crate) fn end(&mut self, error: Error) -> Error {
        self.records.close();
        // RFC 9846, section 6: "forget the secret values and keys established in failed
        // connections".
        self.machine = Machine::Failed;
        self.established = None;
        self.running = None;
        self.failed = Some(error.clone());
        error
    }

    pub(crate) fn protocol(&self, fault: Fault) -> Error {
        fault.in_state(self.machine.state_name())
    }

    pub(crate) fn seal_error(&self, error: SealError) -> Error {
        error.in_state(self.machine.state_name())
    }
}
