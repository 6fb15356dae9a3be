//! HKDF-Expand-Label and Derive-Secret (RFC 9846, 7.1): the only place where a label is combined
//! with a secret.
//!
//! ```text
//! struct {
//!     uint16 length = Length;
//!     opaque label<7..255> = "tls13 " + Label;
//!     opaque context<0..255> = Context;
//! } HkdfLabel;
//! ```
//!
//! The structure is passed to HKDF in parts, so that it is never assembled, and the output is
//! written directly into a [`Secret`].

use crate::crypto::hash::Digest;
use crate::crypto::hkdf::Prk;
use crate::secret::Secret;

const PREFIX: &[u8] = b"tls13 ";

/// The maximum output of HKDF-Expand, as a multiple of the length of its hash (RFC 5869, 2.3).
pub(super) const MAX_BLOCKS: usize = 255;

/// A label of 1 to 249 bytes: with the prefix it fits its length byte.
#[derive(Clone, Copy)]
pub(super) struct Label<'a> {
    text: &'a [u8],
    /// The length byte: for the prefix and the text together.
    length: u8,
}

/// The labels of RFC 9846: those of the diagram (7.1) from top to bottom, then those of 7.3, 4.5.3,
/// 7.2, 7.5 and 4.7.1. The two labels of RFC 9258 are among them, and that of
/// draft-ietf-tls-extended-key-update.
impl Label<'static> {
    pub(super) const EXTERNAL_BINDER: Self = Self::fixed("ext binder");
    pub(super) const RESUMPTION_BINDER: Self = Self::fixed("res binder");
    pub(super) const IMPORTED_BINDER: Self = Self::fixed("imp binder");
    pub(super) const CLIENT_EARLY_TRAFFIC: Self = Self::fixed("c e traffic");
    pub(super) const EARLY_EXPORTER: Self = Self::fixed("e exp master");
    pub(super) const DERIVED: Self = Self::fixed("derived");
    pub(super) const CLIENT_HANDSHAKE_TRAFFIC: Self = Self::fixed("c hs traffic");
    pub(super) const SERVER_HANDSHAKE_TRAFFIC: Self = Self::fixed("s hs traffic");
    pub(super) const CLIENT_APPLICATION_TRAFFIC: Self = Self::fixed("c ap traffic");
    pub(super) const SERVER_APPLICATION_TRAFFIC: Self = Self::fixed("s ap traffic");
    pub(super) const EXPORTER_SECRET: Self = Self::fixed("exp master");
    pub(super) const EPOCH_EXPORTER: Self = Self::fixed("exporter eku");
    pub(super) const RESUMPTION_SECRET: Self = Self::fixed("res master");
    pub(super) const KEY: Self = Self::fixed("key");
    pub(super) const IV: Self = Self::fixed("iv");
    pub(super) const FINISHED: Self = Self::fixed("finished");
    pub(super) const TRAFFIC_UPDATE: Self = Self::fixed("traffic upd");
    pub(super) const EXPORTER: Self = Self::fixed("exporter");
    pub(super) const RESUMPTION: Self = Self::fixed("resumption");
    pub(super) const DERIVED_PSK: Self = Self::fixed("derived psk");

    /// Makes a label that is written in this crate. All are made in constants, so a wrong length
    /// does not compile.
    #[expect(
        clippy::panic,
        reason = "called from the constants above alone, where a panic stops the compiler"
    )]
    const fn fixed(text: &'static str) -> Self {
        match Self::new(text.as_bytes()) {
            Some(label) => label,
            None => panic!("a label has 1 to 249 bytes"),
        }
    }
}

impl<'a> Label<'a> {
    /// The maximum length of a label's text, in bytes.
    pub(super) const MAX: usize = 255 - PREFIX.len();

    /// Makes a label from the caller's text. `None` if it is empty or longer than
    /// [`MAX`](Self::MAX).
    pub(super) const fn new(text: &'a [u8]) -> Option<Self> {
        if text.is_empty() || text.len() > Self::MAX {
            return None;
        }
        // The range was checked, so the lowest byte is the whole number. `u8::try_from` cannot be
        // called in a constant.
        let [.., length] = (PREFIX.len() + text.len()).to_be_bytes();
        Some(Self { text, length })
    }
}

/// Computes HKDF-Expand-Label(Secret, Label, Context, Length).
///
/// The context is a digest, or a ticket's nonce, which is `<0..255>` on the wire. The length is at
/// most [`MAX_BLOCKS`] times the hash's: the key schedule sets it, or the exporter has checked it.
pub(super) fn expand(prk: &Prk, label: Label<'_>, context: &[u8], length: usize) -> Secret {
    debug_assert!(context.len() <= 255 && length <= MAX_BLOCKS * prk.algorithm().output_len());
    let [.., length_high, length_low] = length.to_be_bytes();
    let [.., context_length] = context.len().to_be_bytes();
    prk.expand(
        &[
            &[length_high, length_low, label.length],
            PREFIX,
            label.text,
            &[context_length],
            context,
        ],
        length,
    )
}

/// Computes Derive-Secret(Secret, Label, Messages), from the messages' Transcript-Hash.
pub(super) fn derive(prk: &Prk, label: Label<'_>, transcript: &Digest) -> Secret {
    expand(
        prk,
        label,
        transcript.as_bytes(),
        prk.algorithm().output_len(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::HashAlgorithm;

    /// Computes HKDF-Expand-Label with the structure of the standard, assembled in one piece.
    fn expand_by_the_book(prk: &Prk, label: &[u8], context: &[u8], length: u16) -> Secret {
        let mut info = length.to_be_bytes().to_vec();
        info.push(u8::try_from(6 + label.len()).unwrap());
        info.extend_from_slice(b"tls13 ");
        info.extend_from_slice(label);
        info.push(u8::try_from(context.len()).unwrap());
        info.extend_from_slice(context);
        prk.expand(&[&info], length.into())
    }

    #[test]
    fn the_parts_are_the_structure() {
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
            let prk = Prk::extract(algorithm, b"salt", b"input");
            for label in [&b"k"[..], b"key", &[b'l'; Label::MAX]] {
                for context in [&b""[..], b"context", &[7; 255]] {
                    for length in [1, 12, 16, 32, 48, 300] {
                        let ours = expand(&prk, Label::new(label).unwrap(), context, length.into());
                        assert!(
                            ours.expose()
                                == expand_by_the_book(&prk, label, context, length).expose(),
                            "{length}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_label_fits_its_length_byte() {
        assert!(Label::new(b"").is_none());
        assert_eq!(Label::new(b"k").unwrap().length, 7);
        assert_eq!(Label::new(&[b'l'; 249]).unwrap().length, 255);
        assert!(Label::new(&[b'l'; 250]).is_none());
    }
}
