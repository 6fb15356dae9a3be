//! [`GcmKey`]: AES-GCM with the vector instructions of x86-64.

#![cfg_attr(
    not(test),
    expect(
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "lengths, none of them a peer's alone; the indices are of arrays whose length is \
                  known"
    )
)]

mod gcm;
mod setup;
mod vector;

use zeroize::Zeroize;

use self::gcm::{Expanded, POWERS, Text, crypt, tag_bytes};
use self::vector::{Broad, Middle, Narrow, Wide};
use crate::crypto::kernel::width::Width;

/// The number of vectors in a batch: enough to keep the CPU's AES units busy.
const VECTORS: usize = 8;

/// The split of a text is a multiple of this: the widest vector, in bytes.
const WIDEST: usize = 64;

/// The limit on a text in blocks, so that the counter does not wrap (SP 800-38D, 5.2.1.1). No
/// record comes near it.
const MAX_BLOCKS: usize = u32::MAX as usize - 2;

/// An expanded key, on the heap and wiped on drop, with the proof that this CPU can use it.
pub(crate) struct GcmKey {
    expanded: Tables,
    proof: Proof,
}

enum Tables {
    Aes128(Box<Expanded<11>>),
    Aes256(Box<Expanded<15>>),
}

#[derive(Clone, Copy)]
enum Proof {
    Narrow(Narrow),
    Middle(Middle),
    Broad(Broad),
}

impl Proof {
    fn new(width: Width) -> Option<Self> {
        match width {
            Width::AesNi => Narrow::detect().map(Self::Narrow),
            Width::Avx2 => Middle::detect().map(Self::Middle),
            Width::Avx512 => Broad::detect().map(Self::Broad),
        }
    }

    fn narrow(self) -> Narrow {
        match self {
            Self::Narrow(w) => w.narrow(),
            Self::Middle(w) => w.narrow(),
            Self::Broad(w) => w.narrow(),
        }
    }

    /// Returns the number of bytes in a batch.
    fn batch(self) -> usize {
        match self {
            Self::Narrow(_) => 16 * VECTORS,
            Self::Middle(_) => 32 * VECTORS,
            Self::Broad(_) => 64 * VECTORS,
        }
    }
}

impl GcmKey {
    /// Returns true if this CPU supports the width.
    pub(crate) fn runs(width: Width) -> bool {
        Proof::new(width).is_some()
    }

    /// Expands a key of 16 or 32 bytes. `None` for another length, or if the CPU does not support
    /// the width.
    pub(crate) fn new(width: Width, key: &[u8]) -> Option<Self> {
        let proof = Proof::new(width)?;
        let expanded = if let Ok(key) = key.try_into() {
            let mut out = Box::new(Expanded {
                powers: [0; POWERS],
                round_keys: [0; 11],
            });
            // SAFETY: the proof says that the CPU has the instructions.
            unsafe { setup::expand_128(proof.narrow(), key, &mut out) };
            Tables::Aes128(out)
        } else {
            let key = key.try_into().ok()?;
            let mut out = Box::new(Expanded {
                powers: [0; POWERS],
                round_keys: [0; 15],
            });
            // SAFETY: as above.
            unsafe { setup::expand_256(proof.narrow(), key, &mut out) };
            Tables::Aes256(out)
        };
        Some(Self { expanded, proof })
    }

    pub(crate) fn width(&self) -> Width {
        match self.proof {
            Proof::Narrow(_) => Width::AesNi,
            Proof::Middle(_) => Width::Avx2,
            Proof::Broad(_) => Width::Avx512,
        }
    }

    /// Returns the powers of H times x and the round keys, as they are in memory: they must not
    /// stay behind.
    #[cfg(test)]
    pub(crate) fn blocks(&self) -> Vec<u128> {
        match &self.expanded {
            Tables::Aes128(expanded) => [&expanded.powers[..], &expanded.round_keys].concat(),
            Tables::Aes256(expanded) => [&expanded.powers[..], &expanded.round_keys].concat(),
        }
    }

    pub(crate) fn is_aes_128(&self) -> bool {
        matches!(self.expanded, Tables::Aes128(_))
    }

    /// Encrypts `head`, followed by the content of `buffer` after that length, into `buffer`, and
    /// returns the tag. `None` if the head is longer than the buffer, or for 64 GiB or more.
    pub(crate) fn seal(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        head: &[u8],
        buffer: &mut [u8],
    ) -> Option<[u8; 16]> {
        let split = self.split(head.len(), buffer.len())?;
        buffer[split..head.len()].copy_from_slice(&head[split..]);
        // The head is only read: sealing writes to the buffer.
        let head = head.as_ptr().cast_mut();
        // SAFETY: both are slices, of these lengths.
        Some(unsafe {
            self.crypt::<true>(
                nonce,
                aad,
                Text {
                    head,
                    split,
                    buffer: buffer.as_mut_ptr(),
                    len: buffer.len(),
                },
            )
        })
    }

    /// Decrypts `buffer`, the first bytes into `head` and the others in place. `None` if the tag is
    /// wrong, after overwriting the decrypted bytes with zeros. `None` also for lengths that
    /// [`seal`](Self::seal) refuses.
    pub(crate) fn open(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; 16],
        head: &mut [u8],
    ) -> Option<()> {
        let split = self.split(head.len(), buffer.len())?;
        let text = Text {
            head: head.as_mut_ptr(),
            split,
            buffer: buffer.as_mut_ptr(),
            len: buffer.len(),
        };
        // SAFETY: both are slices, of these lengths.
        let expected = unsafe { self.crypt::<false>(nonce, aad, text) };
        // This is one comparison of 128 bits.
        if u128::from_ne_bytes(expected) != u128::from_ne_bytes(*tag) {
            head[..split].zeroize();
            buffer.zeroize();
            return None;
        }
        let len = head.len();
        head[split..].copy_from_slice(&buffer[split..len]);
        Some(())
    }

    /// Returns up to which length the head is processed in its own place. No batch spans that
    /// point, and no vector of the tail does. The few bytes after it are copied.
    fn split(&self, head: usize, len: usize) -> Option<usize> {
        if head > len || len / 16 >= MAX_BLOCKS {
            return None;
        }
        let batch = self.proof.batch();
        Some(if head >= len - len % batch {
            head - head % WIDEST
        } else {
            head - head % batch
        })
    }

    /// # Safety
    /// See [`crypt`].
    unsafe fn crypt<const SEAL: bool>(&self, nonce: &[u8; 12], aad: &[u8], text: Text) -> [u8; 16] {
        // SAFETY: the proof says that the CPU has the instructions; the rest as the caller
        // promises, and `split` is as `split()` has it.
        unsafe {
            match (self.proof, &self.expanded) {
                (Proof::Narrow(w), Tables::Aes128(key)) => {
                    narrow::<11, SEAL>(w, key, nonce, aad, text)
                }
                (Proof::Narrow(w), Tables::Aes256(key)) => {
                    narrow::<15, SEAL>(w, key, nonce, aad, text)
                }
                (Proof::Middle(w), Tables::Aes128(key)) => {
                    middle::<11, SEAL>(w, key, nonce, aad, text)
                }
                (Proof::Middle(w), Tables::Aes256(key)) => {
                    middle::<15, SEAL>(w, key, nonce, aad, text)
                }
                (Proof::Broad(w), Tables::Aes128(key)) => {
                    broad::<11, SEAL>(w, key, nonce, aad, text)
                }
                (Proof::Broad(w), Tables::Aes256(key)) => {
                    broad::<15, SEAL>(w, key, nonce, aad, text)
                }
            }
        }
    }
}

impl Drop for GcmKey {
    fn drop(&mut self) {
        match &mut self.expanded {
            Tables::Aes128(expanded) => expanded.zeroize(),
            Tables::Aes256(expanded) => expanded.zeroize(),
        }
    }
}

/// # Safety
/// See [`crypt`]. This holds for all three widths.
#[target_feature(enable = "aes,pclmulqdq,avx")]
unsafe fn narrow<const R: usize, const SEAL: bool>(
    w: Narrow,
    key: &Expanded<R>,
    nonce: &[u8; 12],
    aad: &[u8],
    text: Text,
) -> [u8; 16] {
    // SAFETY: as the caller promises.
    tag_bytes(unsafe { crypt::<Narrow, VECTORS, R, SEAL>(w, key, nonce, aad, text) })
}

#[target_feature(enable = "aes,pclmulqdq,avx,avx2,vaes,vpclmulqdq")]
unsafe fn middle<const R: usize, const SEAL: bool>(
    w: Middle,
    key: &Expanded<R>,
    nonce: &[u8; 12],
    aad: &[u8],
    text: Text,
) -> [u8; 16] {
    // SAFETY: as the caller promises.
    tag_bytes(unsafe { crypt::<Middle, VECTORS, R, SEAL>(w, key, nonce, aad, text) })
}

#[target_feature(
    enable = "aes,pclmulqdq,avx,avx2,vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2"
)]
unsafe fn broad<const R: usize, const SEAL: bool>(
    w: Broad,
    key: &Expanded<R>,
    nonce: &[u8; 12],
    aad: &[u8],
    text: Text,
) -> [u8; 16] {
    // SAFETY: as the caller promises.
    tag_bytes(unsafe { crypt::<Broad, VECTORS, R, SEAL>(w, key, nonce, aad, text) })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::testing::memory::Memory;

    /// Counts the words of an expanded key that are still there after it was dropped and its memory
    /// freed. The first two belong to the allocator.
    fn left(key: GcmKey, forget: bool) -> usize {
        let memory = Memory::own();
        let (address, len) = match &key.expanded {
            Tables::Aes128(expanded) => {
                (std::ptr::from_ref(&**expanded).addr(), 16 * (POWERS + 11))
            }
            Tables::Aes256(expanded) => {
                (std::ptr::from_ref(&**expanded).addr(), 16 * (POWERS + 15))
            }
        };
        let (mut alive, mut freed) = (vec![0; len], vec![0; len]);
        memory.read(address, &mut alive);
        if forget {
            std::mem::forget(key)
        } else {
            drop(key)
        }
        memory.read(address, &mut freed);
        let words = alive.chunks_exact(8).zip(freed.chunks_exact(8)).skip(2);
        words
            .filter(|(alive, freed)| alive == freed && **alive != [0; 8])
            .count()
    }

    #[test]
    fn no_batch_and_no_vector_lies_on_both_sides_of_the_split() {
        for width in Width::ALL.into_iter().filter(|width| GcmKey::runs(*width)) {
            let key = GcmKey::new(width, &[7; 16]).unwrap();
            let batch = key.proof.batch();
            for len in 0..1100 {
                for head in 0..=len {
                    let split = key.split(head, len).unwrap();
                    assert!(
                        split <= head && head - split < batch && split.is_multiple_of(WIDEST),
                        "{width:?} {head} of {len}"
                    );
                    assert!(
                        split >= len - len % batch || split.is_multiple_of(batch),
                        "{width:?} {head} of {len}"
                    );
                }
                assert_eq!(key.split(len + 1, len), None);
            }
        }
    }

    /// SP 800-38D, 5.2.1.1: a text has at most 2^39 - 256 bits, which is 2^32 - 2 blocks.
    #[test]
    fn a_text_is_not_longer_than_the_counter_counts() {
        let width = Width::ALL.into_iter().find(|width| GcmKey::runs(*width));
        let Some(key) = width.and_then(|width| GcmKey::new(width, &[7; 16])) else {
            return;
        };
        assert!(key.split(0, 16 * (u32::MAX as usize - 2) - 1).is_some());
        assert_eq!(key.split(0, 16 * (u32::MAX as usize - 1)), None);
    }

    #[test]
    fn a_key_is_wiped_when_dropped() {
        for width in Width::ALL.into_iter().filter(|width| GcmKey::runs(*width)) {
            for (key, words) in [
                (&[7; 16][..], 2 * (POWERS + 11) - 2),
                (&[7; 32], 2 * (POWERS + 15) - 2),
            ] {
                assert_eq!(
                    left(GcmKey::new(width, key).unwrap(), true),
                    words,
                    "this test sees what is not wiped"
                );
                assert_eq!(left(GcmKey::new(width, key).unwrap(), false), 0);
            }
        }
    }
}
