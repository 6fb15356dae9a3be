//! The sending stand-in. Every record is one byte: [`DATA`], [`REQUEST`], [`ANSWER`], or the number
//! of an alert.

use core::ops::Deref;
use core::time::Duration;

use crate::code_point::AlertDescription;
use crate::connection::notice::Notice;
use crate::connection::send::pending_key_updates::PendingKeyUpdates;
use crate::error::Error;
use crate::message::KeyUpdateRequest;
use crate::record::SealError;

pub(crate) const DATA: u8 = b'd';
pub(crate) const REQUEST: u8 = b'r';
pub(crate) const ANSWER: u8 = b'a';

pub(crate) struct Sender {
    open: bool,
    records: Vec<u8>,
    pub(crate) corked: bool,
    /// The number of gathered data records.
    gathered: usize,
    pub(crate) key_updates: PendingKeyUpdates,
    pub(crate) sealed: usize,
}

impl Default for Sender {
    fn default() -> Self {
        Self {
            open: true,
            records: Vec::new(),
            corked: false,
            gathered: 0,
            key_updates: PendingKeyUpdates::default(),
            sealed: 0,
        }
    }
}

impl Sender {
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.records
    }

    pub(crate) fn sent(&mut self, count: usize) {
        self.records.drain(..count);
        self.key_updates.sent(count);
    }

    pub(crate) fn rest(&mut self) {}

    /// Nobody requests an extended key update here.
    pub(crate) fn send_extended(&mut self) -> Result<(), SealError> {
        unreachable!("an extended key update")
    }

    pub(crate) fn saw(&self, _: Notice<'_>) {}

    pub(crate) fn discard(&mut self) {
        self.records.clear();
        self.gathered = 0;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    pub(crate) fn at(&mut self, _: Duration) {}

    pub(crate) fn is_limited(&self) -> bool {
        false
    }

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        None
    }

    pub(crate) fn over(&self) -> Option<Error> {
        None
    }

    pub(crate) fn gathers(&self, _: usize) -> bool {
        false
    }

    pub(crate) fn data<B: Deref<Target = [u8]>>(
        &mut self,
        buffers: &[B],
    ) -> Result<usize, SealError> {
        assert!(self.open, "data under no key");
        if buffers.is_empty() {
            // A failure that the writing half itself finds.
            return Err(SealError);
        }
        let length = buffers.iter().map(|buffer| buffer.len()).sum();
        self.gathered += length;
        if !self.corked {
            self.flush()?;
        }
        Ok(length)
    }

    pub(crate) fn data_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<usize, SealError> {
        let mut place = vec![0; length];
        let written = write(&mut place);
        self.data(&[&place[..written]])
    }

    pub(crate) fn flush(&mut self) -> Result<(), SealError> {
        if self.gathered > 0 {
            self.pay_key_update()?;
            let gathered = std::mem::take(&mut self.gathered);
            self.sealed += gathered;
            self.records.resize(self.records.len() + gathered, DATA);
        }
        Ok(())
    }

    pub(crate) fn pay_key_update(&mut self) -> Result<(), SealError> {
        while self.owes_key_update() {
            self.key_update(self.key_updates.wants())?;
        }
        Ok(())
    }

    pub(crate) fn owes_key_update(&self) -> bool {
        self.open && (self.key_updates.owed() || self.key_updates.wants())
    }

    pub(crate) fn can_key_update(&self) -> bool {
        self.open
    }

    pub(crate) fn ask_key_update(&mut self) -> Result<(), SealError> {
        self.key_updates.want();
        self.pay_key_update()
    }

    pub(crate) fn key_update(&mut self, ask: bool) -> Result<(), SealError> {
        match self.key_updates.send(ask) {
            KeyUpdateRequest::Requested => self.records.push(REQUEST),
            KeyUpdateRequest::NotRequested => {
                self.records.push(ANSWER);
                self.key_updates.waits(self.records.len());
            }
        }
        Ok(())
    }

    pub(crate) fn end(&mut self, alerts: &[AlertDescription]) {
        if std::mem::replace(&mut self.open, false) {
            let _ = self.flush();
            self.records.extend(alerts.iter().map(|alert| alert.0));
        }
    }
}
