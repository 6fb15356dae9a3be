//! [`Padding`]: how many zeros hide a record's length (RFC 9846, 5.4).

/// How records of application data are padded, so that their lengths reveal less about their
/// content (RFC 9846, 5.4 and F.3).
///
/// Padding never makes a record longer than the maximum: 16 KiB of content and padding, or less if
/// the peer's record_size_limit is lower (RFC 8449).
///
/// ```
/// use fleeting::Padding;
///
/// // Every record looks like one of 1, 2, 3 ... times 512 bytes.
/// let padding = Padding::Block(512);
/// # let _ = padding;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Padding {
    /// No padding: a record is as long as its content.
    #[default]
    None,
    /// Pads to the next multiple of this many bytes of content. 0 and 1 mean [`None`](Self::None).
    Block(u16),
    /// Pads to the next power of two: many lengths look alike, at a cost of up to twice the bytes.
    PowerOfTwo,
    /// Pads every record to the maximum: 16 KiB of content and padding, or less if the peer's
    /// record_size_limit is lower. Only the number of records shows.
    Full,
}

impl Padding {
    /// Returns how many zeros to add to `content` bytes, if a record has room for `max_fragment`
    /// bytes of both.
    pub(crate) fn amount(self, content: usize, max_fragment: usize) -> usize {
        let padded = match self {
            Self::None | Self::Block(0 | 1) => content,
            Self::Block(block) => content
                .checked_next_multiple_of(usize::from(block))
                .unwrap_or(content)
                .max(usize::from(block)),
            Self::PowerOfTwo => content.checked_next_power_of_two().unwrap_or(content),
            Self::Full => max_fragment,
        };
        padded.min(max_fragment).saturating_sub(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_policy_pads_as_it_says() {
        let amounts = |padding: Padding| {
            [0, 1, 15, 16, 17, 16383, 16384].map(|content| padding.amount(content, 16384))
        };
        assert_eq!(amounts(Padding::None), [0; 7]);
        assert_eq!(amounts(Padding::Block(0)), [0; 7]);
        assert_eq!(amounts(Padding::Block(1)), [0; 7]);
        assert_eq!(amounts(Padding::Block(16)), [16, 15, 1, 0, 15, 1, 0]);
        assert_eq!(
            amounts(Padding::Block(10_000)),
            [10_000, 9_999, 9_985, 9_984, 9_983, 1, 0]
        );
        assert_eq!(amounts(Padding::PowerOfTwo), [1, 0, 1, 0, 15, 1, 0]);
        assert_eq!(
            amounts(Padding::Full),
            [16384, 16383, 16369, 16368, 16367, 1, 0]
        );
    }

    proptest! {
        #[test]
        fn never_over_the_limit(block: u16, content in 0usize..20_000, max in 0usize..=16384) {
            for padding in [
                Padding::None,
                Padding::Block(block),
                Padding::PowerOfTwo,
                Padding::Full,
            ] {
                let amount = padding.amount(content, max);
                prop_assert!(amount == 0 || content + amount <= max);
            }
        }
    }
}
