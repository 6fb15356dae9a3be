//! [`CallerBuffer`]: the application's buffer while records are opened into it.

/// The application's buffer: the first bytes are filled, the others are still free.
pub(crate) struct CallerBuffer<'a> {
    buffer: &'a mut [u8],
    filled: usize,
}

impl<'a> CallerBuffer<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, filled: 0 }
    }

    /// Returns the free part.
    pub(crate) fn rest(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// Marks the first `count` bytes of the free part as filled.
    pub(crate) fn advance(&mut self, count: usize) {
        self.filled += count.min(self.buffer.len() - self.filled);
    }

    /// Returns how many bytes are filled.
    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    /// Returns true if there was room and none is left.
    pub(crate) fn is_full(&self) -> bool {
        self.filled > 0 && self.filled == self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_when_there_was_room_and_none_is_left() {
        let mut buffer = [0; 3];
        let mut out = CallerBuffer::new(&mut buffer);
        assert!(!out.is_full());
        out.rest()[0] = 1;
        out.advance(1);
        assert_eq!(
            (out.filled(), out.rest().len(), out.is_full()),
            (1, 2, false)
        );
        // More than there is room for counts as all of it.
        out.advance(7);
        assert_eq!(
            (out.filled(), out.rest().len(), out.is_full()),
            (3, 0, true)
        );
        assert_eq!(buffer[0], 1);
        assert!(!CallerBuffer::new(&mut []).is_full());
    }
}
