//! [`Secret`]: the one holder of secret bytes.
//!
//! Everything an attacker must not learn (private keys, shared secrets, the key schedule, traffic
//! keys, PEM text of a key) lives in a `Secret`: on the heap, filled in place, wiped when dropped.
//! It is not `Clone`, `Copy`, `Debug` or `PartialEq`, so a copy, a log line or a comparison that
//! leaks timing has to be written out (MACs are compared where they are made, in `crypto::hmac`),
//! and [`expose`](Secret::expose) can be searched for.
//!
//! Moving a `Secret` moves a pointer. A state of the handshake that is consumed leaves no copy of
//! its secrets behind on the stack.

use zeroize::Zeroize;

/// Secret bytes on the heap, overwritten with zeros when dropped.
pub struct Secret(Box<[u8]>);

impl Secret {
    /// `len` zero bytes, handed to `fill` in place, so that the secret never stands anywhere else.
    pub(crate) fn filled(len: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut secret = Self::allocate(len);
        fill(&mut secret.0);
        secret
    }

    /// As [`filled`](Self::filled), where filling can fail; what was written so far is wiped then.
    pub(crate) fn try_filled<E>(
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut secret = Self::allocate(len);
        fill(&mut secret.0)?;
        Ok(secret)
    }

    /// A copy of bytes that somebody else holds and wipes.
    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        Self::filled(bytes.len(), |out| out.copy_from_slice(bytes))
    }

    /// A secret can be used only through this call, which can be searched for.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The length in bytes, which is not secret.
    #[expect(
        clippy::len_without_is_empty,
        reason = "an empty secret has no use, and no caller asks"
    )]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The only place that allocates memory for secrets: page locking and the like would go here.
    fn allocate(len: usize) -> Self {
        Self(vec![0; len].into_boxed_slice())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        #[cfg(test)]
        recorder::record(&self.0);
        self.0.zeroize();
    }
}

/// Copies every secret that is dropped on this thread: for the test that looks for them in the
/// memory of another process, which misses none that way, however new.
#[cfg(test)]
pub(crate) mod recorder {
    use std::cell::RefCell;

    thread_local! {
        static DROPPED: RefCell<Option<Vec<Vec<u8>>>> = const { RefCell::new(None) };
    }

    pub(super) fn record(secret: &[u8]) {
        DROPPED.with_borrow_mut(|dropped| {
            dropped
                .iter_mut()
                .for_each(|dropped| dropped.push(secret.to_vec()))
        });
    }

    /// What was dropped since the last call, or nothing if this is the first: recording begins with
    /// it.
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
    fn a_failed_fill_hands_on_the_error() {
        assert_eq!(
            Secret::try_filled(4, |_| Err("no entropy")).err(),
            Some("no entropy")
        );
    }
}
