//! The receiving stand-in: it follows a script.

use core::time::Duration;
use std::collections::VecDeque;

use crate::connection::notice::Notice;
use crate::connection::send::send_side::SendSide;
use crate::connection::status::Status;
use crate::crypto::random::SystemRandom;
use crate::error::Error;
use crate::secret::Secret;
use crate::time::Now;

/// What is received.
#[derive(Clone)]
pub(crate) enum Event {
    /// Nothing has arrived: the transport is read.
    Wait,
    /// A KeyUpdate, which may request one of ours.
    KeyUpdate { asks: bool },
    /// Data under a key that the peer should have renewed.
    Late,
    /// A fault that ends the connection.
    Fault(Error),
}

#[derive(Default)]
pub(crate) struct Receiver {
    script: VecDeque<Event>,
    pub(crate) records: RecordReceiver,
    failed: Option<Error>,
    /// How many records it knows to be sealed.
    pub(crate) sealed: usize,
}

impl Receiver {
    pub(crate) fn saw(&self, _: Notice<'_>) {}

    pub(crate) fn is_limited(&self) -> bool {
        false
    }

    /// There are no epochs here.
    pub(crate) fn epoch(&self) -> u64 {
        0
    }

    pub(crate) fn export_epoch(
        &self,
        _: u64,
        _: &[u8],
        _: &[u8],
        _: usize,
    ) -> Result<Secret, Error> {
        unreachable!("an epoch's exporter")
    }

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        None
    }
}

#[derive(Default)]
pub(crate) struct RecordReceiver {
    pub(crate) ended: bool,
    pub(crate) deframer: Deframer,
}

impl RecordReceiver {
    pub(crate) fn received(&mut self, _: usize) {}
}

#[derive(Default)]
pub(crate) struct Deframer;

impl Deframer {
    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut []
    }

    pub(crate) fn held(&self) -> &[u8] {
        &[]
    }

    pub(crate) fn consume(&mut self, _: usize) {}

    pub(crate) fn filled_nothing(&mut self) {}
}

impl Receiver {
    pub(crate) fn new(script: impl Into<VecDeque<Event>>) -> Self {
        Self {
            script: script.into(),
            ..Self::default()
        }
    }

    pub(crate) fn flood_limit(&mut self, sending: &mut impl SendSide) {
        self.sealed += sending.take_sealed();
    }

    /// Processes one event a call, followed by one byte of data.
    pub(crate) fn process_into(
        &mut self,
        _: &mut [u8],
        _: Now,
        _: &mut SystemRandom,
        sending: &mut impl SendSide,
    ) -> Result<(usize, Status), Error> {
        if let Some(error) = self.failed.clone().or_else(|| sending.failure().cloned()) {
            return Err(error);
        }
        match self.script.pop_front() {
            None => return Ok((0, Status::Closed)),
            Some(Event::Wait) => return Ok((0, Status::NeedsInput)),
            Some(Event::KeyUpdate { asks }) => {
                sending.key_update(asks);
                self.flood_limit(sending);
            }
            Some(Event::Late) => {
                if !sending.cannot_ask() {
                    sending.ask_key_update().unwrap();
                }
            }
            Some(Event::Fault(error)) => {
                return Err(self.failed.insert(sending.fail(error)).clone());
            }
        }
        Ok((1, Status::Data))
    }
}
