//! [`Wide`]: the vector operations that the kernel uses, for each of its three widths.
//!
//! A value of these types proves that the CPU has the instructions: only [`detect`](Wide::detect)
//! makes one, after checking. So its methods are safe to call. They are inlined into callers that
//! enable the instructions (`kernel/mod.rs`).
//!
//! Lanes are the blocks of 16 bytes. `clmul` and the like work in each lane.

use core::arch::x86_64::*;

/// A block of 16 bytes in a register.
pub(super) type Block = __m128i;

/// A vector of [`BLOCKS`](Self::BLOCKS) blocks, and the instructions on it.
pub(super) trait Wide: Copy {
    type Vector: Copy;

    /// The number of blocks in a vector.
    const BLOCKS: usize;

    /// Returns a proof if the CPU and the operating system support this width.
    fn detect() -> Option<Self>;

    /// Returns the narrow width, which every width includes.
    fn narrow(self) -> Narrow;

    /// # Safety
    /// A whole vector is readable at `from`.
    unsafe fn load(self, from: *const u8) -> Self::Vector;

    /// # Safety
    /// A whole vector is writable at `to`.
    unsafe fn store(self, to: *mut u8, vector: Self::Vector);

    /// Loads the first `len` bytes, at most a vector, followed by zeros.
    ///
    /// # Safety
    /// `len` bytes are readable at `from`.
    unsafe fn load_part(self, from: *const u8, len: usize) -> Self::Vector;

    /// Stores the first `len` bytes, at most a vector.
    ///
    /// # Safety
    /// `len` bytes are writable at `to`.
    unsafe fn store_part(self, to: *mut u8, len: usize, vector: Self::Vector);

    /// Keeps the first `len` bytes, and sets the others to zero.
    fn keep(self, vector: Self::Vector, len: usize) -> Self::Vector;

    /// Repeats the block in every lane.
    fn broadcast(self, block: Block) -> Self::Vector;
    /// Puts the block in the first lane, and zeros in the others.
    fn widen(self, block: Block) -> Self::Vector;
    /// Returns the sum of all lanes.
    fn fold(self, vector: Self::Vector) -> Block;

    fn xor(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Adds numbers of 32 bits.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Reverses the bytes of each lane.
    fn reverse(self, a: Self::Vector) -> Self::Vector;
    /// Exchanges the halves of each lane.
    fn swap(self, a: Self::Vector) -> Self::Vector;
    /// Carry-less product of one half of `a` and one of `b`, selected by `HALVES` (0x01: the high
    /// half of `a`, 0x10: that of `b`).
    fn clmul<const HALVES: i32>(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn aes_round(self, state: Self::Vector, key: Self::Vector) -> Self::Vector;
    fn aes_last(self, state: Self::Vector, key: Self::Vector) -> Self::Vector;
    /// Returns the numbers 0, 1, 2 ... in the lowest 32 bits of each lane.
    fn lanes(self) -> Self::Vector;

    /// Does nothing, but the compiler does not know that: what uses the results is computed after
    /// this point, and what `a` and `b` are computed from before it.
    fn pin(self, a: &mut Self::Vector, b: &mut Self::Vector);
}

/// AES-NI, PCLMULQDQ and AVX: one block at a time.
#[derive(Clone, Copy)]
pub(super) struct Narrow(());

/// VAES, VPCLMULQDQ and AVX2: two blocks at a time.
#[derive(Clone, Copy)]
pub(super) struct Middle(());

/// VAES, VPCLMULQDQ and AVX-512: four blocks at a time.
#[derive(Clone, Copy)]
pub(super) struct Broad(());

/// The bytes 0, 1, 2 ... of a vector, to compare with a length.
static NUMBERS: [u8; 32] = {
    let mut numbers = [0; 32];
    let mut i = 0;
    while i < 32 {
        numbers[i] = i as u8;
        i += 1;
    }
    numbers
};

macro_rules! operations {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty $body:block)*) => {
        $(#[inline(always)]
        fn $name(self, $($arg: $type),*) -> $result {
            // SAFETY: there is a `self` only where the CPU has these instructions.
            unsafe { $body }
        })*
    };
}

macro_rules! memory {
    ($load:ident, $store:ident) => {
        #[inline(always)]
        unsafe fn load(self, from: *const u8) -> Self::Vector {
            // SAFETY: as the caller promises.
            unsafe { $load(from.cast()) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut u8, vector: Self::Vector) {
            // SAFETY: as the caller promises.
            unsafe { $store(to.cast(), vector) }
        }
    };
}

impl Wide for Narrow {
    type Vector = __m128i;
    const BLOCKS: usize = 1;

    fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("avx");
        found.then_some(Self(()))
    }

    #[inline(always)]
    fn narrow(self) -> Narrow {
        Narrow(())
    }

    memory!(_mm_loadu_si128, _mm_storeu_si128);

    #[inline(always)]
    unsafe fn load_part(self, from: *const u8, len: usize) -> Self::Vector {
        // SAFETY: as the caller promises; and there is a `self` only where the CPU has these
        // instructions.
        unsafe {
            if len == 16 {
                self.load(from)
            } else {
                load_pieces(from, len)
            }
        }
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut u8, len: usize, vector: Self::Vector) {
        // SAFETY: as above.
        unsafe {
            if len == 16 {
                self.store(to, vector)
            } else {
                store_pieces(to, len, vector)
            }
        }
    }

    operations! {
        fn keep(vector: __m128i, len: usize) -> __m128i {
            _mm_and_si128(
                vector,
                _mm_cmpgt_epi8(_mm_set1_epi8(len as i8), _mm_loadu_si128(NUMBERS.as_ptr().cast())),
            )
        }
        fn xor(a: __m128i, b: __m128i) -> __m128i { _mm_xor_si128(a, b) }
        fn add(a: __m128i, b: __m128i) -> __m128i { _mm_add_epi32(a, b) }
        fn reverse(a: __m128i) -> __m128i { _mm_shuffle_epi8(a, reversed()) }
        fn swap(a: __m128i) -> __m128i { _mm_shuffle_epi32::<0x4e>(a) }
        fn aes_round(state: __m128i, key: __m128i) -> __m128i { _mm_aesenc_si128(state, key) }
        fn aes_last(state: __m128i, key: __m128i) -> __m128i { _mm_aesenclast_si128(state, key) }
        fn lanes() -> __m128i { _mm_setzero_si128() }
    }

    #[inline(always)]
    fn broadcast(self, block: Block) -> Self::Vector {
        block
    }

    #[inline(always)]
    fn widen(self, block: Block) -> Self::Vector {
        block
    }

    #[inline(always)]
    fn fold(self, vector: Self::Vector) -> Block {
        vector
    }

    #[inline(always)]
    fn clmul<const HALVES: i32>(self, a: __m128i, b: __m128i) -> __m128i {
        // SAFETY: there is a `self` only where the CPU has this instruction.
        unsafe { _mm_clmulepi64_si128::<HALVES>(a, b) }
    }

    #[inline(always)]
    fn pin(self, a: &mut Self::Vector, b: &mut Self::Vector) {
        // SAFETY: there is a `self` only where the CPU has these registers.
        unsafe { pin_narrow(a, b) }
    }
}

impl Wide for Middle {
    type Vector = __m256i;
    const BLOCKS: usize = 2;

    fn detect() -> Option<Self> {
        let found = Narrow::detect().is_some()
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("vaes")
            && is_x86_feature_detected!("vpclmulqdq");
        found.then_some(Self(()))
    }

    #[inline(always)]
    fn narrow(self) -> Narrow {
        Narrow(())
    }

    memory!(_mm256_loadu_si256, _mm256_storeu_si256);

    #[inline(always)]
    unsafe fn load_part(self, from: *const u8, len: usize) -> Self::Vector {
        // SAFETY: as the caller promises; and there is a `self` only where the CPU has these
        // instructions.
        unsafe {
            let narrow = self.narrow();
            match len {
                32 => self.load(from),
                16.. => {
                    _mm256_set_m128i(narrow.load_part(from.add(16), len - 16), narrow.load(from))
                }
                _ => self.widen(narrow.load_part(from, len)),
            }
        }
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut u8, len: usize, vector: Self::Vector) {
        // SAFETY: as above.
        unsafe {
            let narrow = self.narrow();
            match len {
                32 => self.store(to, vector),
                16.. => {
                    narrow.store(to, _mm256_castsi256_si128(vector));
                    narrow.store_part(to.add(16), len - 16, _mm256_extracti128_si256::<1>(vector));
                }
                _ => narrow.store_part(to, len, _mm256_castsi256_si128(vector)),
            }
        }
    }

    operations! {
        fn keep(vector: __m256i, len: usize) -> __m256i {
            _mm256_and_si256(
                vector,
                _mm256_cmpgt_epi8(
                    _mm256_set1_epi8(len as i8),
                    _mm256_loadu_si256(NUMBERS.as_ptr().cast()),
                ),
            )
        }
        fn broadcast(block: Block) -> __m256i { _mm256_broadcastsi128_si256(block) }
        fn widen(block: Block) -> __m256i { _mm256_zextsi128_si256(block) }
        fn fold(vector: __m256i) -> Block {
            _mm_xor_si128(_mm256_castsi256_si128(vector), _mm256_extracti128_si256::<1>(vector))
        }
        fn xor(a: __m256i, b: __m256i) -> __m256i { _mm256_xor_si256(a, b) }
        fn add(a: __m256i, b: __m256i) -> __m256i { _mm256_add_epi32(a, b) }
        fn reverse(a: __m256i) -> __m256i {
            _mm256_shuffle_epi8(a, _mm256_broadcastsi128_si256(reversed()))
        }
        fn swap(a: __m256i) -> __m256i { _mm256_shuffle_epi32::<0x4e>(a) }
        fn aes_round(state: __m256i, key: __m256i) -> __m256i { _mm256_aesenc_epi128(state, key) }
        fn aes_last(state: __m256i, key: __m256i) -> __m256i {
            _mm256_aesenclast_epi128(state, key)
        }
        fn lanes() -> __m256i { _mm256_set_epi32(0, 0, 0, 1, 0, 0, 0, 0) }
    }

    #[inline(always)]
    fn clmul<const HALVES: i32>(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: there is a `self` only where the CPU has this instruction.
        unsafe { _mm256_clmulepi64_epi128::<HALVES>(a, b) }
    }

    #[inline(always)]
    fn pin(self, a: &mut Self::Vector, b: &mut Self::Vector) {
        // SAFETY: there is a `self` only where the CPU has these registers.
        unsafe { pin_middle(a, b) }
    }
}

impl Wide for Broad {
    type Vector = __m512i;
    const BLOCKS: usize = 4;

    fn detect() -> Option<Self> {
        let found = Middle::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("bmi2");
        found.then_some(Self(()))
    }

    #[inline(always)]
    fn narrow(self) -> Narrow {
        Narrow(())
    }

    #[inline(always)]
    unsafe fn load(self, from: *const u8) -> Self::Vector {
        // SAFETY: as the caller promises.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8, vector: Self::Vector) {
        // SAFETY: as the caller promises.
        unsafe { _mm512_storeu_si512(to.cast(), vector) }
    }

    #[inline(always)]
    unsafe fn load_part(self, from: *const u8, len: usize) -> Self::Vector {
        // SAFETY: as the caller promises: bytes that the mask leaves out are not touched.
        unsafe { _mm512_maskz_loadu_epi8(first(len), from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut u8, len: usize, vector: Self::Vector) {
        // SAFETY: as the caller promises: bytes that the mask leaves out are not touched.
        unsafe { _mm512_mask_storeu_epi8(to.cast(), first(len), vector) }
    }

    operations! {
        fn keep(vector: __m512i, len: usize) -> __m512i {
            _mm512_maskz_mov_epi8(first(len), vector)
        }
        fn broadcast(block: Block) -> __m512i { _mm512_broadcast_i32x4(block) }
        fn widen(block: Block) -> __m512i { _mm512_zextsi128_si512(block) }
        fn fold(vector: __m512i) -> Block {
            let half = _mm256_xor_si256(
                _mm512_castsi512_si256(vector),
                _mm512_extracti64x4_epi64::<1>(vector),
            );
            _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half))
        }
        fn xor(a: __m512i, b: __m512i) -> __m512i { _mm512_xor_si512(a, b) }
        fn add(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi32(a, b) }
        fn reverse(a: __m512i) -> __m512i {
            _mm512_shuffle_epi8(a, _mm512_broadcast_i32x4(reversed()))
        }
        fn swap(a: __m512i) -> __m512i { _mm512_shuffle_epi32::<0x4e>(a) }
        fn aes_round(state: __m512i, key: __m512i) -> __m512i { _mm512_aesenc_epi128(state, key) }
        fn aes_last(state: __m512i, key: __m512i) -> __m512i {
            _mm512_aesenclast_epi128(state, key)
        }
        fn lanes() -> __m512i { _mm512_set_epi32(0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0) }
    }

    #[inline(always)]
    fn clmul<const HALVES: i32>(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: there is a `self` only where the CPU has this instruction.
        unsafe { _mm512_clmulepi64_epi128::<HALVES>(a, b) }
    }

    #[inline(always)]
    fn pin(self, a: &mut Self::Vector, b: &mut Self::Vector) {
        // SAFETY: there is a `self` only where the CPU has these registers.
        unsafe { pin_broad(a, b) }
    }
}

/// Loads less than 16 bytes, followed by zeros, in pieces of 8, 4, 2 and 1 bytes: one for each
/// binary digit of the length. So no byte goes through memory of our own, where it would stay
/// behind, and where a vector load would have to wait for it.
///
/// # Safety
/// `len` bytes are readable at `from`.
#[inline]
#[target_feature(enable = "avx")]
unsafe fn load_pieces(from: *const u8, len: usize) -> __m128i {
    let mut vector = _mm_setzero_si128();
    let mut end = len;
    // The last piece is loaded first: each earlier piece shifts it up.
    macro_rules! piece {
        ($type:ty, $len:literal, $insert:ident, $as:ty) => {
            if len & $len != 0 {
                end -= $len;
                // SAFETY: `len` bytes are readable.
                let piece = unsafe { from.add(end).cast::<$type>().read_unaligned() };
                vector = $insert::<0>(_mm_slli_si128::<$len>(vector), piece as $as);
            }
        };
    }
    piece!(u8, 1, _mm_insert_epi8, i32);
    piece!(u16, 2, _mm_insert_epi16, i32);
    piece!(u32, 4, _mm_insert_epi32, i32);
    piece!(u64, 8, _mm_insert_epi64, i64);
    vector
}

/// Stores the first `len` bytes, less than 16, in the pieces of [`load_pieces`].
///
/// # Safety
/// `len` bytes are writable at `to`.
#[inline]
#[target_feature(enable = "avx")]
unsafe fn store_pieces(to: *mut u8, len: usize, mut vector: __m128i) {
    let mut at = 0;
    macro_rules! piece {
        ($type:ty, $len:literal, $extract:ident) => {
            if len & $len != 0 {
                // SAFETY: `len` bytes are writable.
                unsafe {
                    to.add(at)
                        .cast::<$type>()
                        .write_unaligned($extract::<0>(vector) as $type)
                };
                vector = _mm_srli_si128::<$len>(vector);
                at += $len;
            }
        };
    }
    piece!(u64, 8, _mm_extract_epi64);
    piece!(u32, 4, _mm_extract_epi32);
    piece!(u16, 2, _mm_extract_epi16);
    if len & 1 != 0 {
        // SAFETY: as above.
        unsafe { to.add(at).write(_mm_extract_epi8::<0>(vector) as u8) };
    }
}

/// The order of bytes for `reverse`.
#[inline(always)]
fn reversed() -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) }
}

/// Returns the mask of the first `len` of 64 bytes.
#[inline(always)]
fn first(len: usize) -> u64 {
    !(u64::MAX.checked_shl(len as u32).unwrap_or(0))
}

#[inline]
#[target_feature(enable = "avx")]
fn pin_narrow(a: &mut __m128i, b: &mut __m128i) {
    // SAFETY: the assembly contains no instruction.
    unsafe {
        core::arch::asm!(
            "/* {} {} */",
            inout(xmm_reg) * a,
            inout(xmm_reg) * b,
            options(nomem, nostack, preserves_flags)
        )
    };
}

#[inline]
#[target_feature(enable = "avx")]
fn pin_middle(a: &mut __m256i, b: &mut __m256i) {
    // SAFETY: the assembly contains no instruction.
    unsafe {
        core::arch::asm!(
            "/* {} {} */",
            inout(ymm_reg) * a,
            inout(ymm_reg) * b,
            options(nomem, nostack, preserves_flags)
        )
    };
}

#[inline]
#[target_feature(enable = "avx512f")]
fn pin_broad(a: &mut __m512i, b: &mut __m512i) {
    // SAFETY: the assembly contains no instruction.
    unsafe {
        core::arch::asm!(
            "/* {} {} */",
            inout(zmm_reg) * a,
            inout(zmm_reg) * b,
            options(nomem, nostack, preserves_flags)
        )
    };
}
