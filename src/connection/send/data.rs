//! Application data: sealed from where it is, joined into records, or gathered while corked.
//!
//! What is gathered stands where its record will be encrypted.

use core::ops::Deref;

use zeroize::Zeroize;

use crate::code_point::ContentType;
use crate::connection::send::sender::{MAX_WAITING, Sender};
use crate::record::{OVERHEAD, Seal, SealError};

impl Sender {
    /// Takes application data, as much of `buffers` as may wait for the transport, and returns how
    /// many bytes it took.
    ///
    /// Small buffers are joined into records. A buffer that fills a record by itself is sealed from
    /// where it is, and ends the record before it. While corked, that record is filled first, and
    /// the last one stays open.
    pub(crate) fn data<B: Deref<Target = [u8]>>(
        &mut self,
        buffers: &[B],
    ) -> Result<usize, SealError> {
        let total = buffers
            .iter()
            .fold(0usize, |sum, buffer| sum.saturating_add(buffer.len()));
        if total == 0 {
            // Sends what would precede the data.
            self.send_tickets()?;
            return self.answer_key_update().map(|()| 0);
        }
        self.reserve(Seal::lent(&self.records).saturating_add(total));
        let mut buffers = buffers
            .iter()
            .map(|buffer| &**buffer)
            .filter(|buffer| !buffer.is_empty())
            .peekable();
        let (mut taken, mut rest) = (0, buffers.next().unwrap_or_default());
        while !rest.is_empty() && self.waiting().len() < MAX_WAITING {
            let Some(seal) = &self.seal else {
                return Ok(taken);
            };
            let (max, corked, gathered) =
                (seal.max_fragment(), self.corked, Seal::lent(&self.records));
            // The part that is sealed from where it is, at the beginning of a record.
            let head_length = if gathered == 0 && (rest.len() >= max || !corked) {
                rest.len().min(max)
            } else {
                0
            };
            let (head, after) = rest.split_at(head_length);
            rest = after;
            // The greatest length that this record can have.
            let most = max.min(gathered.saturating_add(total - taken));
            let room = most + self.padding.amount(most, max);
            let mut length = gathered + head.len();
            while length < max {
                if rest.is_empty() {
                    let Some(next) = buffers.next_if(|next| next.len() < max) else {
                        break;
                    };
                    rest = next;
                }
                let (part, after) = rest.split_at(rest.len().min(max - length));
                if let Some(place) =
                    Seal::lend(&mut self.records, room).get_mut(length..length + part.len())
                {
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
                self.seal_data(head)?;
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

    /// Returns true if so many bytes would only be gathered: no record is sealed.
    pub(crate) fn gathers(&self, length: usize) -> bool {
        let gathered = Seal::lent(&self.records);
        self.corked
            && gathered > 0
            && self
                .seal
                .as_ref()
                .is_some_and(|seal| gathered.saturating_add(length) < seal.max_fragment())
    }

    /// Takes application data that `write` produces in the place where it will be encrypted.
    /// `write` receives up to `length` bytes, limited by the size of a record, and returns how many
    /// it wrote. It is not called if there is no room.
    pub(crate) fn data_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<usize, SealError> {
        let Some(max) = self.seal.as_ref().map(Seal::max_fragment) else {
            return Ok(0);
        };
        let length = length.min(max);
        if self.waiting().len() >= MAX_WAITING {
            return Ok(0);
        }
        if Seal::lent(&self.records) + length > max {
            self.flush()?;
        }
        let gathered = Seal::lent(&self.records);
        let most = gathered + length;
        let room = Seal::lend(&mut self.records, most + self.padding.amount(most, max))
            .get_mut(gathered..most)
            .unwrap_or_default();
        let mut lent = Lent { room, meant: 0 };
        lent.meant = write(&mut *lent.room).min(length);
        let written = lent.meant;
        drop(lent);
        let Some(seal) = self.seal.as_ref().filter(|_| written > 0) else {
            return Ok(0);
        };
        seal.keep_lent(gathered + written, &mut self.records)?;
        if !self.corked || gathered + written == max {
            self.flush()?;
        }
        Ok(written)
    }

    /// Seals what was gathered into a record.
    pub(crate) fn flush(&mut self) -> Result<(), SealError> {
        if Seal::lent(&self.records) > 0 {
            self.seal_gathered(&[])
        } else {
            Ok(())
        }
    }

    /// Seals a record of application data.
    pub(super) fn seal_data(&mut self, data: &[u8]) -> Result<(), SealError> {
        let Some(seal) = &mut self.seal else {
            return Ok(());
        };
        let padding = self.padding.amount(data.len(), seal.max_fragment());
        seal.seal(
            ContentType::APPLICATION_DATA,
            data,
            padding,
            &mut self.records,
        )?;
        self.sealed_one(data.len());
        Ok(())
    }

    /// Seals what was gathered into a record that begins with `head`.
    fn seal_gathered(&mut self, head: &[u8]) -> Result<(), SealError> {
        self.before_data()?;
        let Some(seal) = &mut self.seal else {
            return Ok(());
        };
        let length = Seal::lent(&self.records);
        let padding = self.padding.amount(length, seal.max_fragment());
        seal.seal_lent(head, padding, &mut self.records)?;
        self.sealed_one(length);
        Ok(())
    }

    /// Counts a record with `length` bytes of application data.
    fn sealed_one(&mut self, length: usize) {
        self.sealed = self.sealed.saturating_add(1);
        self.observer.sent().record(length);
        if let Some(running) = &self.running {
            running.lifetime().sent(self.renewal.age.now());
        }
    }

    /// Sends what must precede a record of data.
    fn before_data(&mut self) -> Result<(), SealError> {
        self.send_tickets()?;
        self.pay_key_update()?;
        self.renew()
    }

    /// Reserves room for the records of `length` bytes of data, as many as may wait: once a call,
    /// not once a record. A single record reserves its own.
    pub(super) fn reserve(&mut self, length: usize) {
        let Some(max_fragment) = self
            .seal
            .as_ref()
            .map(Seal::max_fragment)
            .filter(|max| (1..length).contains(max))
        else {
            return;
        };
        let record = max_fragment + OVERHEAD;
        let last = length % max_fragment;
        let last = if last > 0 {
            last + self.padding.amount(last, max_fragment) + OVERHEAD
        } else {
            0
        };
        let most = MAX_WAITING
            .saturating_sub(self.waiting().len())
            .div_ceil(record)
            * record;
        self.records.reserve(
            (length / max_fragment)
                .saturating_mul(record)
                .saturating_add(last)
                .min(most),
        );
    }
}

/// The room that a closure writes to. On drop, bytes that the closure wrote beyond what it
/// reported, or before it panicked, are wiped, so that they are not there for the next caller.
struct Lent<'a> {
    room: &'a mut [u8],
    meant: usize,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.room
            .get_mut(self.meant..)
            .unwrap_or_default()
            .zeroize();
    }
}
