//! [`Destination`]: the application's buffer, while records are opened into it.

/// Where the application wants its data: the first bytes are there, the others are still to be filled.
pub(super) struct Destination<'a> {
    buffer: &'a mut [u8],
    filled: usize,
}

impl<'a> Destination<'a> {
    pub(super) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, filled: 0 }
    }

    /// Where the next bytes belong.
    pub(super) fn rest(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// So many bytes of the rest are there now.
    pub(super) fn advance(&mut self, count: usize) {
        self.filled += count.min(self.buffer.len() - self.filled);
    }

    /// How many bytes are there.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Whether there was room, and none is left.
    pub(super) fn is_full(&self) -> bool {
        self.filled > 0 && self.filled == self.buffer.len()
    }
}
