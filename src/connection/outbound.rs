//! What we send: handshake messages, alerts and application data become records in one buffer, in order.

use core::ops::Deref;
use core::time::Duration;

use zeroize::Zeroize;

use crate::code_point::{AlertDescription, ContentType};
use crate::connection::rekey::KeyUpdates;
use crate::crypto::suite::Suite;
use crate::error::Error;
use crate::key_schedule::TrafficSecret;
use crate::message::KeyUpdate;
use crate::record::{MAX_FRAGMENT, MAX_INNER, OVERHEAD, Output, Padding, Seal, SealError};

/// How many bytes of records may wait for the transport before `write` takes no more: four full records and their overhead, so that
/// one call of the transport carries several.
const MAX_WAITING: usize = 4 * (MAX_FRAGMENT + OVERHEAD);

/// How many records before the end of a key's life it is renewed.
const RENEWAL_RESERVE: u64 = 1024;

/// How long tickets wait for something to go out with. Their lifetime runs from when they were sealed, and the client counts it from when they come: so it
/// is mistaken by no more than this. Who hears nothing for longer is a client that only sends, or one that stays: neither misses them.
const MAX_TICKET_WAIT: Duration = Duration::from_secs(60);

/// The place that a closure writes to. What it wrote there and did not mean, or before it panicked, is not there for the next one, who might count too much.
struct Lent<'a> {
    room: &'a mut [u8],
    meant: usize,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.room.get_mut(self.meant..).unwrap_or_default().zeroize();
    }
}

/// The writing half of a connection.
pub(super) struct Outbound {
    /// None when nothing can be sent any more: after close_notify or a fatal alert. The keys are gone then.
    seal: Option<Seal>,
    /// Records, for the transport.
    records: Output,
    /// Handshake messages that wait to be packed into records together.
    messages: Vec<u8>,
    /// Tickets, until there is something else to send.
    tickets: Vec<u8>,
    /// Since when, on the monotonic clock.
    tickets_since: Option<Duration>,
    /// How many bytes of early data a client may still send; None where that is over, or was never begun.
    early_data_left: Option<usize>,
    /// The keys that take over from those of early data.
    deferred: Option<(Suite, TrafficSecret)>,
    /// The next message is a client's first ClientHello (RFC 9846, 5.1: its record says 0x0301).
    initial: bool,
    /// The dummy ChangeCipherSpec went out.
    changed_cipher_spec: bool,
    /// The peer's limit for a protected record, of these keys and all later ones.
    max_inner: usize,
    pub(super) padding: Padding,
    /// Data is gathered until it fills a record. What is gathered stands where that record will be encrypted.
    pub(super) corked: bool,
    pub(super) key_updates: KeyUpdates,
    /// What went wrong while a sink, which returns nothing, was written to.
    failure: Option<SealError>,
}

impl Outbound {
    pub(super) fn new(is_client: bool) -> Self {
        Self {
            seal: Some(Seal::plaintext()),
            records: Output::default(),
            messages: Vec::new(),
            tickets: Vec::new(),
            tickets_since: None,
            early_data_left: None,
            deferred: None,
            initial: is_client,
            changed_cipher_spec: false,
            max_inner: MAX_INNER,
            padding: Padding::None,
            corked: false,
            key_updates: KeyUpdates::default(),
            failure: None,
        }
    }

    /// What waits for the transport.
    pub(super) fn waiting(&self) -> &[u8] {
        self.records.waiting()
    }

    /// The transport took `count` bytes.
    pub(super) fn sent(&mut self, count: usize) {
        self.records.sent(count);
        if !self.is_open() {
            self.rest();
        }
    }

    /// The connection is about to wait, or has ended: the memory that it has for much to send goes back, if nothing is.
    pub(super) fn rest(&mut self) {
        self.records.give_back();
    }

    /// What waits for the transport, or to be a record, does not go out any more.
    pub(super) fn discard(&mut self) {
        self.sent(usize::MAX);
        self.records.wipe_draft();
    }

    /// Whether anything can still be sent.
    pub(super) fn is_open(&self) -> bool {
        self.seal.is_some()
    }

    /// A handshake message, to be packed with its neighbours.
    pub(super) fn message(&mut self, message: &[u8]) {
        self.messages.extend_from_slice(message);
    }

    /// Packs the messages that wait into as few records as they need.
    ///
    /// RFC 9846, 5.1: messages do not span a key change, so this comes before one, and the last of them ends its record.
    pub(super) fn flush_messages(&mut self) -> Result<(), SealError> {
        let messages = core::mem::take(&mut self.messages);
        let Some(seal) = &mut self.seal else { return Ok(()) };
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

    /// A ticket for the client, to go out with the first data, or at the end, if that is soon.
    ///
    /// Not at once: a client that only sends would never read it, and when it closes a TCP connection with something unread, its system throws away
    /// what it sent last. Besides, no handshake then waits for room that only a reading client makes.
    pub(super) fn ticket(&mut self, message: &[u8]) {
        self.tickets.extend_from_slice(message);
    }

    /// Gives up tickets that have waited for too long. `now` is monotonic, and asked for only if there are any.
    pub(super) fn drop_old_tickets(&mut self, now: impl FnOnce() -> Duration) {
        if self.tickets.is_empty() {
            return;
        }
        let now = now();
        let since = *self.tickets_since.get_or_insert(now);
        if now.saturating_sub(since) >= MAX_TICKET_WAIT {
            self.tickets = Vec::new();
        }
    }

    fn send_tickets(&mut self) -> Result<(), SealError> {
        let tickets = core::mem::take(&mut self.tickets);
        let Some(seal) = &mut self.seal else { return Ok(()) };
        tickets.chunks(seal.max_fragment().max(1)).try_for_each(|part| seal.seal(ContentType::HANDSHAKE, part, 0, &mut self.records))
    }

    /// New keys, from the next message on.
    pub(super) fn install(&mut self, suite: Suite, secret: TrafficSecret) {
        self.note(Self::flush_messages);
        if self.seal.is_some() {
            let mut seal = Seal::protected(suite, secret);
            seal.set_max_inner(self.max_inner);
            self.seal = Some(seal);
        }
    }

    /// Early data may be sent under these keys.
    pub(super) fn offer_early_data(&mut self, suite: Suite, secret: TrafficSecret, max_size: u32) {
        self.install(suite, secret);
        self.early_data_left = Some(usize::try_from(max_size).unwrap_or(usize::MAX));
    }

    /// Keys that take over when early data is over.
    pub(super) fn defer(&mut self, suite: Suite, secret: TrafficSecret) {
        self.deferred = Some((suite, secret));
    }

    /// Early data is over: the keys that were deferred take over, or none, if a HelloRetryRequest came.
    pub(super) fn end_early_data(&mut self) {
        self.early_data_left = None;
        match self.deferred.take() {
            Some((suite, secret)) => self.install(suite, secret),
            None => {
                self.note(Self::flush_messages);
                if self.seal.is_some() {
                    self.seal = Some(Seal::plaintext());
                }
            }
        }
    }

    /// How much early data may still be sent.
    pub(super) fn early_data_left(&self) -> usize {
        self.early_data_left.unwrap_or_default()
    }

    /// Early data: as much of it as is allowed, and may wait for the transport. Returns how much was taken.
    ///
    /// There is no KeyUpdate before the handshake is over: where the key is used up (RFC 9846, 5.5), no more is taken.
    pub(super) fn early_data(&mut self, data: &[u8]) -> Result<usize, SealError> {
        self.reserve(data.len().min(self.early_data_left()));
        let mut taken = 0;
        while let Some(left) = self.early_data_left
            && taken < data.len()
            && left > 0
            && self.waiting().len() < MAX_WAITING
            && let Some(seal) = self.seal.as_mut().filter(|seal| seal.records_left() > RENEWAL_RESERVE)
        {
            let rest = data.get(taken..).unwrap_or_default();
            let fragment = rest.get(..seal.max_fragment().min(left)).unwrap_or(rest);
            let padding = self.padding.amount(fragment.len(), seal.max_fragment());
            seal.seal(ContentType::APPLICATION_DATA, fragment, padding, &mut self.records)?;
            taken += fragment.len();
            self.early_data_left = Some(left - fragment.len());
        }
        Ok(taken)
    }

    /// The peer's limit for protected records, from the next one on (RFC 8449, section 4).
    pub(super) fn limit(&mut self, max_inner: usize) {
        self.max_inner = max_inner;
        if let Some(seal) = &mut self.seal {
            seal.set_max_inner(max_inner);
        }
    }

    /// The dummy ChangeCipherSpec, once a connection: after a HelloRetryRequest it stands before the second hello, or behind the retry, and not
    /// where it would without one (RFC 9846, E.4).
    pub(super) fn change_cipher_spec(&mut self) {
        if core::mem::replace(&mut self.changed_cipher_spec, true) {
            return;
        }
        self.note(|out| {
            out.flush_messages()?;
            Seal::change_cipher_spec(&mut out.records)
        });
    }

    /// Application data: as much of these buffers as may wait for the transport. Returns how much was taken.
    ///
    /// Small ones are joined into records; one that fills a record of its own is sealed from where it is, and ends the record before it. While corked that record
    /// is filled first, and the last one is left open.
    pub(super) fn data<B: Deref<Target = [u8]>>(&mut self, buffers: &[B]) -> Result<usize, SealError> {
        let total = buffers.iter().fold(0usize, |sum, buffer| sum.saturating_add(buffer.len()));
        if total == 0 {
            // What would go before it goes.
            self.send_tickets()?;
            return self.answer_key_update().map(|()| 0);
        }
        self.reserve(Seal::lent(&self.records).saturating_add(total));
        let mut buffers = buffers.iter().map(|buffer| &**buffer).filter(|buffer| !buffer.is_empty()).peekable();
        let (mut taken, mut rest) = (0, buffers.next().unwrap_or_default());
        while !rest.is_empty() && self.waiting().len() < MAX_WAITING {
            self.renew()?;
            let Some(seal) = &self.seal else { return Ok(taken) };
            let (max, corked, gathered) = (seal.max_fragment(), self.corked, Seal::lent(&self.records));
            // What begins a record that is sealed now.
            let head_length = if gathered == 0 && (rest.len() >= max || !corked) { rest.len().min(max) } else { 0 };
            let (head, after) = rest.split_at(head_length);
            rest = after;
            // The longest that this record can become.
            let most = max.min(gathered.saturating_add(total - taken));
            let room = most + self.padding.amount(most, max);
            let mut length = gathered + head.len();
            while length < max {
                if rest.is_empty() {
                    let Some(next) = buffers.next_if(|next| next.len() < max) else { break };
                    rest = next;
                }
                let (part, after) = rest.split_at(rest.len().min(max - length));
                if let Some(place) = Seal::lend(&mut self.records, room).get_mut(length..length + part.len()) {
                    place.copy_from_slice(part);
                }
                length += part.len();
                rest = after;
            }
            if rest.is_empty() {
                rest = buffers.next().unwrap_or_default();
            }
            if length == head.len() {
                self.before_data()?;
                let padding = self.padding.amount(length, max);
                let Some(seal) = &mut self.seal else { return Ok(taken) };
                seal.seal(ContentType::APPLICATION_DATA, head, padding, &mut self.records)?;
            } else {
                seal.keep_lent(length, &mut self.records)?;
                if !corked || length == max {
                    self.seal_gathered(head)?;
                }
            }
            taken += length - gathered;
        }
        Ok(taken)
    }

    /// Application data that `write` puts where it will be encrypted: it gets up to `length` bytes, as many as a record may have, and returns how many
    /// it has written. It is not called where there is no room.
    pub(super) fn data_with(&mut self, length: usize, write: impl FnOnce(&mut [u8]) -> usize) -> Result<usize, SealError> {
        let Some(max) = self.seal.as_ref().map(Seal::max_fragment) else { return Ok(0) };
        let length = length.min(max);
        if self.waiting().len() >= MAX_WAITING {
            return Ok(0);
        }
        if Seal::lent(&self.records) + length > max {
            self.flush()?;
        }
        self.renew()?;
        let gathered = Seal::lent(&self.records);
        let most = gathered + length;
        let room = Seal::lend(&mut self.records, most + self.padding.amount(most, max)).get_mut(gathered..most).unwrap_or_default();
        let mut lent = Lent { room, meant: 0 };
        lent.meant = write(&mut *lent.room).min(length);
        let written = lent.meant;
        drop(lent);
        let Some(seal) = self.seal.as_ref().filter(|_| written > 0) else { return Ok(0) };
        seal.keep_lent(gathered + written, &mut self.records)?;
        if !self.corked || gathered + written == max {
            self.flush()?;
        }
        Ok(written)
    }

    /// What was gathered becomes a record.
    pub(super) fn flush(&mut self) -> Result<(), SealError> {
        if Seal::lent(&self.records) > 0 { self.seal_gathered(&[]) } else { Ok(()) }
    }

    /// What was gathered becomes a record, of which `head` is the beginning.
    fn seal_gathered(&mut self, head: &[u8]) -> Result<(), SealError> {
        self.before_data()?;
        let Some(seal) = &mut self.seal else { return Ok(()) };
        let padding = self.padding.amount(Seal::lent(&self.records), seal.max_fragment());
        seal.seal_lent(head, padding, &mut self.records)
    }

    /// What goes out before a record of data does.
    fn before_data(&mut self) -> Result<(), SealError> {
        self.send_tickets()?;
        self.pay_key_update()
    }

    /// RFC 9846, 5.5: "do a key update ... prior to reaching these limits".
    fn renew(&mut self) -> Result<(), SealError> {
        if self.seal.as_ref().is_some_and(|seal| seal.records_left() <= RENEWAL_RESERVE && seal.can_update()) {
            self.key_update(false)?;
        }
        Ok(())
    }

    /// Makes room for the records of `length` bytes of data, as many as may wait: once a call, not once a record. A single one sees to its own.
    fn reserve(&mut self, length: usize) {
        let Some(max_fragment) = self.seal.as_ref().map(Seal::max_fragment).filter(|max| (1..length).contains(max)) else { return };
        let record = max_fragment + OVERHEAD;
        let last = length % max_fragment;
        let last = if last > 0 { last + self.padding.amount(last, max_fragment) + OVERHEAD } else { 0 };
        let most = MAX_WAITING.saturating_sub(self.waiting().len()).div_ceil(record) * record;
        self.records.reserve((length / max_fragment).saturating_mul(record).saturating_add(last).min(most));
    }

    /// Sends the KeyUpdate that the peer asked for, if there is room.
    pub(super) fn answer_key_update(&mut self) -> Result<(), SealError> {
        // What waits is bounded: a peer that asks and does not read gets its answer when it has read.
        if self.waiting().len() < MAX_WAITING { self.pay_key_update() } else { Ok(()) }
    }

    /// Sends the KeyUpdate that the peer asked for, if it did and we still may.
    fn pay_key_update(&mut self) -> Result<(), SealError> {
        if self.owes_key_update() { self.key_update(false) } else { Ok(()) }
    }

    /// Whether the peer asked for a KeyUpdate that we have not sent, and still may.
    ///
    /// RFC 9846, 4.7.3: "If a sending implementation receives a KeyUpdate with request_update set to update_requested, it MUST NOT send its own
    /// KeyUpdate if that would cause it to exceed these limits and SHOULD instead ignore the update_requested flag."
    pub(super) fn owes_key_update(&self) -> bool {
        self.key_updates.owed() && self.seal.as_ref().is_some_and(Seal::can_update)
    }

    /// Sends a KeyUpdate under the old key and moves on to the next (RFC 9846, 4.7.3).
    pub(super) fn key_update(&mut self, ask: bool) -> Result<(), SealError> {
        let Some(seal) = &mut self.seal else { return Ok(()) };
        if !seal.can_update() {
            return Err(SealError::KeyLimit);
        }
        let message = KeyUpdate { request_update: self.key_updates.send(ask) }
            .encode()
            .map_err(|_| SealError::Internal { what: "writing a KeyUpdate" })?;
        seal.seal(ContentType::HANDSHAKE, &message, 0, &mut self.records)?;
        seal.update()
    }

    /// Sends alerts, the last this side says, and wipes the keys.
    ///
    /// RFC 9846, 5.1: each in a record of its own. 6: close_notify and user_canceled are warnings, all others fatal.
    pub(super) fn end(&mut self, alerts: &[AlertDescription]) {
        // RFC 9846, A.1: clients that send alerts "SHOULD first rekey to the handshake keys if possible". Who has not heard of them reads no early data
        // either, or will say that a record does not open.
        if self.deferred.is_some() {
            self.end_early_data();
        }
        // RFC 9846, section 6: with a fatal alert the peer forgets its tickets.
        if alerts != [AlertDescription::CLOSE_NOTIFY] {
            self.tickets = Vec::new();
        }
        self.note(|out| {
            out.flush_messages()?;
            out.flush()?;
            out.send_tickets()?;
            let Some(seal) = &mut out.seal else { return Ok(()) };
            for alert in alerts {
                let warning = matches!(*alert, AlertDescription::CLOSE_NOTIFY | AlertDescription::USER_CANCELED);
                seal.seal(ContentType::ALERT, &[if warning { 1 } else { 2 }, alert.0], 0, &mut out.records)?;
            }
            Ok(())
        });
        self.seal = None;
        self.records.wipe_draft();
        self.rest();
        self.early_data_left = None;
        self.messages = Vec::new();
        self.tickets = Vec::new();
    }

    /// As if so many records had been sealed under these keys, and so many KeyUpdates sent.
    #[cfg(test)]
    pub(super) fn start_at(&mut self, sequence: u64, updates: u64) {
        let seal = self.seal.as_mut().unwrap();
        seal.start_at(sequence);
        seal.set_updates(updates);
    }

    /// The failure that was noted, for the connection to end with.
    pub(super) fn take_failure(&mut self, state: &'static str) -> Result<(), Error> {
        self.failure.take().map_or(Ok(()), |error| Err(error.in_state(state)))
    }

    fn note(&mut self, write: impl FnOnce(&mut Self) -> Result<(), SealError>) {
        if let Err(error) = write(self) {
            self.failure.get_or_insert(error);
        }
    }
}
