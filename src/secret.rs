//! [`Secret`]: the only holder of secret bytes.
//!
//! Everything an attacker must not learn (private keys, shared secrets, the key schedule, traffic
//! keys, the PEM text of a key) is held in a `Secret`: on the heap, filled in place, wiped when
//! dropped. It is not `Clone`, `Copy` or `PartialEq`, and its `Debug` shows the length alone. So a
//! copy, a log line, or a comparison that leaks timing must be written out, and
//! [`expose`](Secret::expose) can be searched for. (MACs are compared where they are computed, in
//! `crypto::hmac`.)
//!
//! Moving a `Secret` moves a pointer. A state of the handshake that is consumed leaves no copy of
//! its secrets on the stack.

use core::fmt;

use zeroize::Zeroize;

/// Secret bytes on the heap, overwritten with zeros when dropped.
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Allocates `len` zero bytes and lets `fill` write the secret in place, so that it exists
    /// nowhere else.
    pub(crate) fn filled(len: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut secret = Self::allocate(len);
        fill(&mut secret.0);
        #[cfg(test)]
        recorder::made(&secret.0);
        secret
    }

    /// Like [`filled`](Self::filled), for a `fill` that can fail. The bytes written before an error
    /// are wiped.
    pub(crate) fn try_filled<E>(
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut secret = Self::allocate(len);
        fill(&mut secret.0)?;
        #[cfg(test)]
        recorder::made(&secret.0);
        Ok(secret)
    }

    /// Copies bytes that somebody else holds and wipes.
    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        Self::filled(bytes.len(), |out| out.copy_from_slice(bytes))
    }

    /// Returns the secret bytes. This is the only access to them, so every use can be searched for.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns the length in bytes, which is not secret.
    #[expect(
        clippy::len_without_is_empty,
        reason = "an empty secret has no use, and no caller asks"
    )]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Allocates zero bytes. This is the only place that allocates memory for secrets: page locking
    /// and the like would go here.
    fn allocate(len: usize) -> Self {
        Self(vec![0; len].into_boxed_slice())
    }
}

/// Shows the length, never the bytes.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Secret");
        out.field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        #[cfg(test)]
        recorder::record(&self.0);
        self.0.zeroize();
    }
}

/// Records every secret that is dropped on this thread, for the test that searches the memory of
/// another process for them, and every one that is made, for a test of what somebody who knows all
/// of them can do. So the tests miss none, however new.
#[cfg(test)]
pub(crate) mod recorder {
    use std::cell::RefCell;

    thread_local! {
        static DROPPED: RefCell<Option<Vec<Vec<u8>>>> = const { RefCell::new(None) };
        static MADE: RefCell<Option<Vec<Vec<u8>>>> = const { RefCell::new(None) };
    }

    pub(super) fn made(secret: &[u8]) {
        MADE.with_borrow_mut(|made| made.iter_mut().for_each(|made| made.push(secret.to_vec())));
    }

    /// Returns what was made since the last call. The first call returns nothing and starts the
    /// recording.
    pub(crate) fn take_made() -> Vec<Vec<u8>> {
        MADE.replace(Some(Vec::new())).unwrap_or_default()
    }

    pub(super) fn record(secret: &[u8]) {
        DROPPED.with_borrow_mut(|dropped| {
            dropped
                .iter_mut()
                .for_each(|dropped| dropped.push(secret.to_vec()))
        });
    }

    /// Returns what was dropped since the last call. The first call returns nothing and starts the
    /// recording.
    pub(crate) fn take() -> Vec<Vec<u8>> {
        DROPPED.replace(Some(Vec::new())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_filled_in_place() {
        let secret = Secret::filled(4, |out| out.copy_from_slice(b"keys"));
        assert_eq!(secret.expose(), b"keys");
        assert_eq!(secret.len(), 4);
    }

    #[test]
    fn debug_shows_the_length_and_nothing_else() {
        let secret = Secret::copy_of(b"keys");
        assert_eq!(format!("{secret:?}"), "Secret { len: 4, .. }");
        assert_eq!(format!("{secret:02x?}"), "Secret { len: 04, .. }");
    }

    #[test]
    fn a_failed_fill_hands_on_the_error() {
        assert_eq!(
            Secret::try_filled(4, |_| Err("no entropy")).err(),
            Some("no entropy")
        );
    }
}
