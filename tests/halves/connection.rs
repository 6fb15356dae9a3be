//! `crate::connection`: the halves, and stand-ins for what they are halves of.

#[path = "../../src/connection/halves.rs"]
mod halves;
#[path = "../../src/connection/rekey.rs"]
mod rekey;
#[path = "../../src/connection/sending.rs"]
mod sending;
#[path = "../../src/connection/shared.rs"]
mod shared;
#[path = "../../src/connection/status.rs"]
mod status;

pub(crate) use halves::{Reading, Writing};
pub(crate) use sans_io::Connection;
pub(crate) use shared::{Notes, Shared};
pub(crate) use status::Status;

pub(crate) mod sans_io {
    use super::outbound::Outbound;
    use super::receiver::Receiver;

    pub(crate) struct Connection {
        pub(crate) receiver: Receiver,
        pub(crate) outbound: Outbound,
    }

    impl Connection {
        pub(crate) fn input(&mut self) -> &mut [u8] {
            &mut []
        }

        pub(crate) fn received(&mut self, _: usize) {}

        pub(crate) fn received_end(&mut self) {}

        pub(crate) fn output(&self) -> &[u8] {
            self.outbound.waiting()
        }

        pub(crate) fn sent(&mut self, count: usize) {
            self.outbound.sent(count);
        }
    }
}

/// What sends. A record is one byte, also of data: [`DATA`](outbound::DATA) and the like, or its alert's number.
pub(crate) mod outbound {
    use core::ops::Deref;
    use core::time::Duration;

    use super::rekey::KeyUpdates;
    use crate::code_point::AlertDescription;
    use crate::message::KeyUpdateRequest;
    use crate::record::SealError;

    pub(crate) const DATA: u8 = b'd';
    pub(crate) const REQUEST: u8 = b'r';
    pub(crate) const ANSWER: u8 = b'a';

    pub(crate) struct Outbound {
        open: bool,
        records: Vec<u8>,
        pub(super) corked: bool,
        /// How many records of data are gathered.
        gathered: usize,
        pub(super) key_updates: KeyUpdates,
    }

    impl Default for Outbound {
        fn default() -> Self {
            Self { open: true, records: Vec::new(), corked: false, gathered: 0, key_updates: KeyUpdates::default() }
        }
    }

    impl Outbound {
        pub(crate) fn waiting(&self) -> &[u8] {
            &self.records
        }

        pub(crate) fn sent(&mut self, count: usize) {
            self.records.drain(..count);
        }

        pub(crate) fn rest(&mut self) {}

        pub(crate) fn discard(&mut self) {
            self.records.clear();
            self.gathered = 0;
        }

        pub(crate) fn is_open(&self) -> bool {
            self.open
        }

        pub(crate) fn drop_old_tickets(&mut self, _: impl FnOnce() -> Duration) {}

        pub(crate) fn data<B: Deref<Target = [u8]>>(&mut self, buffers: &[B]) -> Result<usize, SealError> {
            assert!(self.open, "data under no key");
            if buffers.is_empty() {
                // What the half that sends fails with itself.
                return Err(SealError);
            }
            let length = buffers.iter().map(|buffer| buffer.len()).sum();
            self.gathered += length;
            if !self.corked {
                self.flush()?;
            }
            Ok(length)
        }

        pub(crate) fn data_with(&mut self, length: usize, write: impl FnOnce(&mut [u8]) -> usize) -> Result<usize, SealError> {
            let mut place = vec![0; length];
            let written = write(&mut place);
            self.data(&[&place[..written]])
        }

        pub(crate) fn flush(&mut self) -> Result<(), SealError> {
            if self.gathered > 0 {
                self.answer_key_update()?;
                let gathered = std::mem::take(&mut self.gathered);
                self.records.resize(self.records.len() + gathered, DATA);
            }
            Ok(())
        }

        pub(crate) fn answer_key_update(&mut self) -> Result<(), SealError> {
            if self.owes_key_update() { self.key_update(false) } else { Ok(()) }
        }

        pub(crate) fn owes_key_update(&self) -> bool {
            self.open && self.key_updates.owed()
        }

        pub(crate) fn key_update(&mut self, ask: bool) -> Result<(), SealError> {
            self.records.push(match self.key_updates.send(ask) {
                KeyUpdateRequest::Requested => REQUEST,
                KeyUpdateRequest::NotRequested => ANSWER,
            });
            Ok(())
        }

        pub(crate) fn end(&mut self, alerts: &[AlertDescription]) {
            if std::mem::replace(&mut self.open, false) {
                let _ = self.flush();
                self.records.extend(alerts.iter().map(|alert| alert.0));
            }
        }
    }
}

/// What receives: a script.
pub(crate) mod receiver {
    use std::collections::VecDeque;

    use super::sending::Sending;
    use super::status::Status;
    use crate::crypto::random::SystemRandom;
    use crate::error::Error;
    use crate::time::Now;

    /// What comes.
    #[derive(Clone)]
    pub(crate) enum Event {
        /// Nothing is there: the transport is asked.
        Wait,
        /// A KeyUpdate; whether it asks for one of ours.
        KeyUpdate { asks: bool },
        /// What ends the connection.
        Fault(Error),
    }

    #[derive(Default)]
    pub(crate) struct Receiver {
        script: VecDeque<Event>,
        pub(super) inbound: Inbound,
        failed: Option<Error>,
    }

    #[derive(Default)]
    pub(super) struct Inbound {
        pub(super) ended: bool,
        pub(super) deframer: Deframer,
    }

    impl Inbound {
        pub(super) fn received(&mut self, _: usize) {}
    }

    #[derive(Default)]
    pub(super) struct Deframer;

    impl Deframer {
        pub(super) fn is_empty(&self) -> bool {
            true
        }

        pub(super) fn space(&mut self) -> &mut [u8] {
            &mut []
        }

        pub(super) fn held(&self) -> &[u8] {
            &[]
        }

        pub(super) fn consume(&mut self, _: usize) {}
    }

    impl Receiver {
        pub(crate) fn new(script: impl Into<VecDeque<Event>>) -> Self {
            Self { script: script.into(), ..Self::default() }
        }

        /// One event a call, with a byte of data behind it.
        pub(super) fn process_into(
            &mut self,
            _: &mut [u8],
            _: Now,
            _: &mut SystemRandom,
            sending: &mut impl Sending,
        ) -> Result<(usize, Status), Error> {
            if let Some(error) = self.failed.clone().or_else(|| sending.failure().cloned()) {
                return Err(error);
            }
            match self.script.pop_front() {
                None => return Ok((0, Status::Closed)),
                Some(Event::Wait) => return Ok((0, Status::NeedsInput)),
                Some(Event::KeyUpdate { asks }) => _ = sending.key_update(asks),
                Some(Event::Fault(error)) => return Err(self.failed.insert(sending.fail(error)).clone()),
            }
            Ok((1, Status::Data))
        }
    }
}
