//! [`Sender`]: handshake messages, alerts and application data become records in one buffer, in
//! order.

use core::time::Duration;
use std::sync::Arc;

use crate::code_point::ContentType;
use crate::connection::notice::Notice;
use crate::connection::observer::Observer;
use crate::connection::send::pending_key_updates::PendingKeyUpdates;
use crate::connection::send::renewal::Renewal;
use crate::connection::send::tickets::WaitingTickets;
use crate::crypto::suite::Suite;
use crate::error::Error;
#[cfg(test)]
use crate::handshake::RekeyPolicy;
use crate::handshake::{ExtendedKeyUpdates, Running, Settings};
use crate::key_schedule::TrafficSecret;
use crate::record::{MAX_FRAGMENT, MAX_INNER, OVERHEAD, Output, Padding, Seal, SealError};

/// How many bytes of records may wait for the transport before `write` takes no more: four full
/// records with their overhead, so that one call of the transport carries several.
pub(super) const MAX_WAITING: usize = 4 * (MAX_FRAGMENT + OVERHEAD);

/// How many records before the end of a key's life it is renewed, whatever the policy says.
pub(super) const RENEWAL_RESERVE: u64 = 1024;

/// The same, where an update needs the peer's answer.
pub(super) const EXTENDED_RESERVE: u64 = 1 << 22;

/// The sending side of a connection: its keys, and what waits for the transport.
pub(crate) struct Sender {
    /// None once nothing can be sent any more: after close_notify or a fatal alert. The keys are
    /// gone then.
    pub(super) seal: Option<Seal>,
    /// Records for the transport.
    pub(super) records: Output,
    /// Handshake messages that wait to be sealed into records together.
    pub(super) messages: Vec<u8>,
    pub(super) tickets: WaitingTickets,
    /// How many bytes of early data a client may still send. None if that is over or never began.
    pub(super) early_data_left: Option<usize>,
    /// The keys that replace those of early data.
    pub(super) deferred: Option<(Suite, TrafficSecret)>,
    /// The next message is a client's first ClientHello (RFC 9846, 5.1: its record has version
    /// 0x0301).
    initial: bool,
    change_cipher_spec: ChangeCipherSpec,
    /// The peer's limit for a protected record, for the current and all later keys.
    max_inner: usize,
    pub(crate) padding: Padding,
    /// Data is gathered until it fills a record, in the place where that record will be encrypted.
    pub(crate) corked: bool,
    pub(crate) key_updates: PendingKeyUpdates,
    pub(super) renewal: Renewal,
    /// `None` if extended key updates were not agreed on, and once nothing can be sent any more.
    pub(super) extended: Option<ExtendedKeyUpdates>,
    /// How many records of application data were sealed that the receiving side has not counted
    /// yet.
    pub(crate) sealed: usize,
    /// What can end the connection from when it is established, if anything can: while anything
    /// can be sent.
    pub(crate) running: Option<Arc<Running>>,
    /// Counts what is sent.
    pub(crate) observer: Observer,
    /// A failure to seal for a sink, whose methods return nothing.
    failure: Option<SealError>,
}

/// The dummy ChangeCipherSpec of RFC 9846, E.4, which is sent at most once a connection: with a
/// HelloRetryRequest it stands before the second ClientHello or after the retry, and not where it
/// would stand without one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ChangeCipherSpec {
    NotSent,
    /// It precedes the next message or alert.
    Owed,
    Sent,
}

impl Sender {
    /// Creates the sending side at this time, on the monotonic clock.
    pub(crate) fn new(is_client: bool, observer: Observer, now: Duration) -> Self {
        Self {
            seal: Some(Seal::plaintext()),
            records: Output::default(),
            messages: Vec::new(),
            tickets: WaitingTickets::default(),
            early_data_left: None,
            deferred: None,
            initial: is_client,
            change_cipher_spec: ChangeCipherSpec::NotSent,
            max_inner: MAX_INNER,
            padding: Padding::None,
            corked: false,
            key_updates: PendingKeyUpdates::default(),
            renewal: Renewal::new(now),
            extended: None,
            sealed: 0,
            running: None,
            observer,
            failure: None,
        }
    }

    /// Applies the configuration that was chosen.
    pub(crate) fn configure(&mut self, settings: &Settings) {
        self.padding = settings.padding;
        self.renewal.policy = settings.rekey_policy;
    }

    /// Returns the bytes that wait for the transport.
    pub(crate) fn waiting(&self) -> &[u8] {
        self.records.waiting()
    }

    /// Accounts for `count` bytes that the transport took.
    pub(crate) fn sent(&mut self, count: usize) {
        self.records.sent(count);
        self.key_updates.sent(count);
        if !self.is_open() {
            self.rest();
        }
    }

    /// Frees the output's memory if nothing waits: the connection is about to wait, or has ended.
    pub(crate) fn rest(&mut self) {
        self.records.give_back();
    }

    /// Drops what waits for the transport and what is gathered.
    pub(crate) fn discard(&mut self) {
        self.sent(usize::MAX);
        self.records.wipe_draft();
    }

    /// Returns true if anything can still be sent.
    pub(crate) fn is_open(&self) -> bool {
        self.seal.is_some()
    }

    /// Takes a handshake message, to be sealed together with its neighbours.
    pub(crate) fn message(&mut self, message: &[u8]) {
        self.messages.extend_from_slice(message);
    }

    /// Seals the messages that wait into as few records as they need.
    ///
    /// RFC 9846, 5.1: messages do not span a key change, so this is called before one, and the last
    /// message ends its record.
    pub(crate) fn flush_messages(&mut self) -> Result<(), SealError> {
        let messages = core::mem::take(&mut self.messages);
        if !messages.is_empty() {
            self.send_owed_change_cipher_spec()?;
        }
        let Some(seal) = &mut self.seal else {
            return Ok(());
        };
        for fragment in messages.chunks(seal.max_fragment().max(1)) {
            if self.initial {
                Seal::initial_client_hello(fragment, &mut self.records)?;
            } else {
                seal.seal(ContentType::HANDSHAKE, fragment, 0, &mut self.records)?;
            }
        }
        self.initial &= messages.is_empty();
        Ok(())
    }

    /// Takes a NewSessionTicket message, to be sent with the first data.
    pub(crate) fn ticket(&mut self, message: &[u8]) {
        self.tickets.add(message);
    }

    /// Tells the time, on the monotonic clock: keys and the tickets that wait are that old.
    pub(crate) fn at(&mut self, now: Duration) {
        self.renewal.age.at(now);
        self.tickets.drop_old(now);
        if let Some(running) = &self.running {
            running.lifetime().at(now);
        }
    }

    /// Returns true if the connection can end by time, or from outside.
    pub(crate) fn is_limited(&self) -> bool {
        self.running.is_some()
    }

    /// Returns the error that the connection ends with, if it is over.
    pub(crate) fn over(&self) -> Option<Error> {
        self.running.as_ref()?.over()
    }

    /// Returns when the connection is over, on the monotonic clock.
    #[cfg(feature = "tokio")]
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.running.as_ref()?.lifetime().deadline()
    }

    /// Sends the tickets that wait.
    pub(super) fn send_tickets(&mut self) -> Result<(), SealError> {
        let sent = self.tickets.send(self.seal.as_mut(), &mut self.records)?;
        if sent > 0 {
            self.saw(Notice::TicketsIssued(sent));
        }
        Ok(())
    }

    /// Reports what happened.
    pub(crate) fn saw(&self, notice: Notice<'_>) {
        self.observer.saw(notice);
    }

    /// Installs new keys, from the next message on.
    pub(crate) fn install(&mut self, suite: Suite, secret: TrafficSecret) {
        self.note(Self::flush_messages);
        if self.seal.is_some() {
            let mut seal = Seal::protected(suite, secret);
            seal.set_max_inner(self.max_inner);
            self.seal = Some(seal);
            self.renewal.age.begin();
        }
    }

    /// Sets the peer's limit for protected records, from the next one on (RFC 8449, section 4).
    pub(crate) fn limit(&mut self, max_inner: usize) {
        self.max_inner = max_inner;
        if let Some(seal) = &mut self.seal {
            seal.set_max_inner(max_inner);
        }
    }

    /// Sends the dummy ChangeCipherSpec, unless it was sent before.
    pub(crate) fn change_cipher_spec(&mut self) {
        self.owe_change_cipher_spec();
        self.note(Self::send_owed_change_cipher_spec);
    }

    /// Sends the dummy ChangeCipherSpec before the next message or alert, unless it was sent
    /// before.
    pub(crate) fn owe_change_cipher_spec(&mut self) {
        self.note(Self::flush_messages);
        if self.change_cipher_spec == ChangeCipherSpec::NotSent {
            self.change_cipher_spec = ChangeCipherSpec::Owed;
        }
    }

    /// Sends the dummy ChangeCipherSpec if it is owed.
    pub(super) fn send_owed_change_cipher_spec(&mut self) -> Result<(), SealError> {
        if self.change_cipher_spec != ChangeCipherSpec::Owed || self.seal.is_none() {
            return Ok(());
        }
        self.change_cipher_spec = ChangeCipherSpec::Sent;
        Seal::change_cipher_spec(&mut self.records)
    }

    /// Returns what the key has protected.
    #[cfg(test)]
    pub(crate) fn key_used(&self) -> crate::record::KeyUse {
        self.seal.as_ref().unwrap().used()
    }

    #[cfg(test)]
    pub(crate) fn set_rekey_policy(&mut self, policy: RekeyPolicy) {
        self.renewal.policy = policy;
    }

    /// Acts as if `sequence` records had been sealed under the current keys and `updates`
    /// KeyUpdates sent, without a policy that would have renewed the keys before.
    #[cfg(test)]
    pub(crate) fn start_at(&mut self, sequence: u64, updates: u64) {
        self.set_rekey_policy(RekeyPolicy::never());
        let seal = self.seal.as_mut().unwrap();
        seal.start_at(sequence);
        seal.set_updates(updates);
    }

    /// Returns the failure that was kept, for the connection to end with.
    pub(crate) fn take_failure(&mut self, state: &'static str) -> Result<(), Error> {
        self.failure
            .take()
            .map_or(Ok(()), |error| Err(error.in_state(state)))
    }

    /// Keeps a failure to seal for [`take_failure`](Self::take_failure): a sink returns nothing.
    pub(super) fn note(&mut self, write: impl FnOnce(&mut Self) -> Result<(), SealError>) {
        if let Err(error) = write(self) {
            self.failure.get_or_insert(error);
        }
    }
}
