//! Expanding a key: AES's key schedule (FIPS 197, 5.2) by AES-NI, and the powers of H.

use core::arch::x86_64::{
    _mm_aeskeygenassist_si128, _mm_and_si128, _mm_or_si128, _mm_set_epi64x, _mm_setzero_si128,
    _mm_shuffle_epi32, _mm_slli_epi64, _mm_slli_si128, _mm_srai_epi32, _mm_srli_epi64,
    _mm_xor_si128,
};

use super::gcm::{Expanded, POWERS, encrypt, multiply};
use super::vector::{Block, Narrow, Wide};

/// Expands a key of 16 bytes into `out`, in place.
#[target_feature(enable = "aes,pclmulqdq,avx")]
pub(super) fn expand_128(w: Narrow, key: &[u8; 16], out: &mut Expanded<11>) {
    // SAFETY: the key has 16 bytes.
    let mut last = unsafe { w.load(key.as_ptr()) };
    put(w, &mut out.round_keys[0], last);
    macro_rules! round {
        ($($number:literal $rcon:literal),*) => {
            $(last = next(
                last,
                _mm_shuffle_epi32::<0xff>(_mm_aeskeygenassist_si128::<$rcon>(last))
            );
            put(w, &mut out.round_keys[$number], last);)*
        };
    }
    round!(1 0x01, 2 0x02, 3 0x04, 4 0x08, 5 0x10, 6 0x20, 7 0x40, 8 0x80, 9 0x1b, 10 0x36);
    powers(w, out);
}

/// Expands a key of 32 bytes into `out`, in place.
#[target_feature(enable = "aes,pclmulqdq,avx")]
pub(super) fn expand_256(w: Narrow, key: &[u8; 32], out: &mut Expanded<15>) {
    // SAFETY: the key has 32 bytes.
    let (mut even, mut odd) = unsafe { (w.load(key.as_ptr()), w.load(key.as_ptr().add(16))) };
    put(w, &mut out.round_keys[0], even);
    put(w, &mut out.round_keys[1], odd);
    macro_rules! round {
        ($($number:literal $rcon:literal),*) => {
            $(even = next(even, _mm_shuffle_epi32::<0xff>(_mm_aeskeygenassist_si128::<$rcon>(odd)));
            put(w, &mut out.round_keys[$number], even);
            if $number < 14 {
                odd = next(odd, _mm_shuffle_epi32::<0xaa>(_mm_aeskeygenassist_si128::<0>(even)));
                put(w, &mut out.round_keys[($number + 1) % 15], odd);
            })*
        };
    }
    round!(2 0x01, 4 0x02, 6 0x04, 8 0x08, 10 0x10, 12 0x20, 14 0x40);
    powers(w, out);
}

#[inline(always)]
fn put(w: Narrow, to: &mut u128, block: Block) {
    // SAFETY: there is room for a block.
    unsafe { w.store(core::ptr::from_mut(to).cast(), block) }
}

/// Returns the running sum of the four words, plus the word derived from the previous one.
#[inline]
#[target_feature(enable = "aes,pclmulqdq,avx")]
fn next(key: Block, word: Block) -> Block {
    let key = _mm_xor_si128(key, _mm_slli_si128::<4>(key));
    let key = _mm_xor_si128(key, _mm_slli_si128::<8>(key));
    _mm_xor_si128(key, word)
}

/// Computes the powers of H, from the round keys. Each is the product of two powers of half its
/// exponent, so that many are computed at once.
#[inline]
#[target_feature(enable = "aes,pclmulqdq,avx")]
fn powers<const ROUND_KEYS: usize>(w: Narrow, out: &mut Expanded<ROUND_KEYS>) {
    let h = w.reverse(encrypt(w, out, _mm_setzero_si128()));
    // Multiplies by x: shifts by one bit and, if a bit falls out, adds the polynomial, without a
    // branch.
    let carry = _mm_srai_epi32::<31>(_mm_shuffle_epi32::<0xff>(h));
    let polynomial = _mm_set_epi64x(0xc200_0000_0000_0000_u64.cast_signed(), 1);
    let shifted = _mm_or_si128(
        _mm_slli_epi64::<1>(h),
        _mm_slli_si128::<8>(_mm_srli_epi64::<63>(h)),
    );
    let first = _mm_xor_si128(shifted, _mm_and_si128(carry, polynomial));
    put(w, &mut out.powers[POWERS - 1], first);
    for exponent in 2..=POWERS {
        let half = exponent / 2;
        // SAFETY: a power is a block.
        let [a, b] = [half, exponent - half].map(|exponent| unsafe {
            w.load(core::ptr::from_ref(&out.powers[POWERS - exponent]).cast())
        });
        put(w, &mut out.powers[POWERS - exponent], multiply(w, a, b));
    }
}
