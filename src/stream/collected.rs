//! [`Collected`]: the early data that a server received before its stream was there (RFC 9846,
//! 4.3.10).

use std::io::Read;

/// The early data that a server collected until the handshake was complete. Reading gives it before
/// all other data: who only reads the stream misses nothing. The complete handshake proves that
/// nobody else replays it on this connection (RFC 8470, section 3, relies on the same for HTTP).
/// The client may have sent it elsewhere too.
#[derive(Default)]
pub(super) struct Collected {
    data: Vec<u8>,
    /// How many bytes were read.
    read: usize,
}

impl Collected {
    pub(super) fn new(data: Vec<u8>) -> Self {
        Self { data, read: 0 }
    }

    /// Returns what was neither read nor taken.
    pub(super) fn rest(&self) -> &[u8] {
        self.data.get(self.read..).unwrap_or_default()
    }

    /// Reads some of it. `None` if there is no more.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Option<usize> {
        let count = self.rest().read(out).ok().filter(|count| *count > 0)?;
        self.consume(count);
        Some(count)
    }

    /// Removes `count` bytes from its front, and its memory with the last of them.
    pub(super) fn consume(&mut self, count: usize) {
        self.read = self.read.saturating_add(count);
        if self.rest().is_empty() {
            *self = Self::default();
        }
    }

    /// Takes the rest.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let Self { mut data, read } = core::mem::take(self);
        data.drain(..read);
        data
    }
}
