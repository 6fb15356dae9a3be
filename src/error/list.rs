//! [`List`]: what one side offers or accepts, in the text of an error.

use core::fmt;

/// How many entries of a peer's list the text of an error repeats.
const ENTRIES_SHOWN: usize = 16;

/// A list of names or code points in the text of an error. Its length is bounded, because a peer
/// may have written it.
pub(super) struct List<'a, T>(pub(super) &'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (index, item) in self.0.iter().take(ENTRIES_SHOWN).enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{item}")?;
        }
        match self.0.len().saturating_sub(ENTRIES_SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// How many bytes of a protocol's name the text of an error repeats.
const NAME_SHOWN: usize = 32;

/// The name of an ALPN protocol in the text of an error. It is escaped and its length is bounded,
/// because an unauthenticated peer may have written it, and it ends up in logs.
pub(super) struct Protocol<'a>(pub(super) &'a [u8]);

impl fmt::Display for Protocol<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_at_checked(NAME_SHOWN) {
            Some((shown, [_, ..])) => write!(f, "{}...", shown.escape_ascii()),
            _ => self.0.escape_ascii().fmt(f),
        }
    }
}

/// A list of ALPN protocols in the text of an error.
pub(super) struct Protocols<'a>(pub(super) &'a [Vec<u8>]);

impl fmt::Display for Protocols<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|name| Protocol(name)).collect();
        List(&names).fmt(f)
    }
}

/// Returns the first names for an error, as many as its text repeats, and how many more there are.
/// `text` is called for those alone.
pub(crate) fn shown<T>(
    mut names: impl Iterator<Item = T>,
    text: impl Fn(T) -> String,
) -> (Vec<String>, usize) {
    let shown = names.by_ref().take(ENTRIES_SHOWN).map(text).collect();
    (shown, names.count())
}

/// Names of which a list holds the first, and how many more there are.
pub(super) struct Names<'a>(pub(super) &'a [String], pub(super) usize);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        List(self.0).fmt(f)?;
        match self.1 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
