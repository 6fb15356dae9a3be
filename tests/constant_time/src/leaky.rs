//! Functions that leak on purpose. Each test must find them, since otherwise it would find nothing
//! else either.

use std::hint::black_box;

/// A table for which a secret is an index.
static TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = (i as u8).wrapping_mul(167) ^ 0x63;
        i += 1;
    }
    table
};

/// Looks up a byte as an S-box in a table does: the address depends on the secret.
#[inline(never)]
pub fn looks_up(secret: &[u8; 16]) -> u8 {
    TABLE[usize::from(secret[5])]
}

/// Branches on one byte of a secret that went through a vector and the stack.
#[inline(never)]
pub fn branches(secret: &[u8; 16]) -> u64 {
    let mut vector = u128::from_ne_bytes(*secret).rotate_left(8).to_ne_bytes();
    if black_box(&mut vector)[3] == 7 {
        black_box(1)
    } else {
        black_box(2) * 3
    }
}

/// Compares the way that everybody writes first.
#[inline(never)]
pub fn compares(secret: &[u8; 16], other: &[u8; 16]) -> bool {
    for (a, b) in secret.iter().zip(other) {
        if black_box(*a) != *b {
            return false;
        }
    }
    true
}

/// Divides, which takes longer for a larger quotient.
#[inline(never)]
pub fn divides(secret: &[u8; 16]) -> u64 {
    u64::from_ne_bytes(*secret.first_chunk().expect("16 bytes")) / black_box(1000)
}

/// Moves one byte of a vector register to a general register.
#[inline(never)]
pub fn moves(secret: &[u8; 16]) -> i32 {
    use std::arch::x86_64::{
        _mm_cmpgt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_setzero_si128,
    };
    // SAFETY: SSE2 is part of x86-64, and a block is 16 bytes.
    unsafe {
        _mm_movemask_epi8(_mm_cmpgt_epi8(
            _mm_setzero_si128(),
            _mm_loadu_si128(secret.as_ptr().cast()),
        ))
    }
}
