//! AES-GCM in one pass, written once for all widths (NIST SP 800-38D).
//!
//! ```text
//! batch i:   counters ─ AES rounds ─ XOR ─> text i        a batch is N vectors wide
//!                        │ │ │ │
//! GHASH:     ............ text i - 1 (sealing) or text i (opening)
//!
//! In each of the first N rounds of a batch, one vector is multiplied by its powers of H.
//! ```
//!
//! * **Powers.** A batch of b blocks is multiplied by H^b ... H^1 and reduced once. The powers are
//!   in one table, highest first. A tail of fewer blocks begins further on in it, so that every
//!   group of blocks ends at the right power.
//! * **The tail first.** The rest that fills no batch is encrypted and hashed before the batches.
//!   It is too little to keep the AES units busy, so the CPU begins the first batch beside it. Its
//!   sum is only added at the end.
//! * **One sum at the end.** The hash so far and the block of lengths are each multiplied by the
//!   power for their place, and reduced together.
//! * **Bits.** GHASH counts bits from the left, so the bytes of blocks are reversed. The product of
//!   reversed polynomials is off by one bit, which the powers correct: they are stored times x.
//! * Branches and indices depend only on lengths.

use core::arch::x86_64::{_mm_set_epi64x, _mm_storeu_si128};

use zeroize::Zeroize;

use super::vector::{Block, Narrow, Wide};

/// The number of powers of H: as many as the widest batch has blocks.
pub(super) const POWERS: usize = 32;

const BLOCK: usize = 16;

/// An expanded key: the powers of H times x, the highest first; then the round keys, in order. A
/// part of a vector may be loaded from beyond the powers: the blocks there are multiplied by zero.
///
/// The blocks are numbers of 128 bits, in memory order, so that they are wiped sixteen bytes at a
/// time, not one by one.
#[repr(C, align(64))]
pub(super) struct Expanded<const ROUND_KEYS: usize> {
    pub(super) powers: [u128; POWERS],
    pub(super) round_keys: [u128; ROUND_KEYS],
}

impl<const ROUND_KEYS: usize> Zeroize for Expanded<ROUND_KEYS> {
    fn zeroize(&mut self) {
        self.powers.zeroize();
        self.round_keys.zeroize();
    }
}

impl<const ROUND_KEYS: usize> Expanded<ROUND_KEYS> {
    /// Returns a vector of powers that begins with the given one, from 1 to [`POWERS`].
    #[inline(always)]
    fn power<W: Wide>(&self, w: W, exponent: usize) -> W::Vector {
        debug_assert!((1..=POWERS).contains(&exponent));
        // SAFETY: at least one power is left there, and eleven round keys behind the last.
        unsafe {
            w.load(
                core::ptr::from_ref(self)
                    .cast::<u8>()
                    .add((POWERS - exponent) * BLOCK),
            )
        }
    }

    #[inline(always)]
    fn round<W: Wide>(&self, w: W, round: usize) -> W::Vector {
        // SAFETY: a round key is a block.
        w.broadcast(unsafe {
            w.narrow()
                .load(core::ptr::from_ref(&self.round_keys[round]).cast())
        })
    }

    /// Returns the same key, but the compiler does not know that. Otherwise it would load all round
    /// keys before a loop, and spill them to the stack.
    #[inline(always)]
    fn again(&self) -> &Self {
        let mut same = core::ptr::from_ref(self);
        // SAFETY: the assembly contains no instruction: the pointer stays what it was, a reference.
        unsafe {
            core::arch::asm!(
                "/* {} */",
                inout(reg) same,
                options(nostack, preserves_flags, readonly)
            );
            &*same
        }
    }
}

/// The text: where it is read, and where it is written. For the first `split` bytes one of the two
/// is the head. Everything else is read from and written to the buffer.
///
/// So `split` bytes of the head must be readable when the text is sealed, and writable when it is
/// opened. `len` bytes of the buffer must be both. Head and buffer must not overlap.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) head: *mut u8,
    /// A multiple of 64, at most `len`, and at the edge of a batch or after all of them: so no
    /// vector and no batch spans it.
    pub(super) split: usize,
    pub(super) buffer: *mut u8,
    pub(super) len: usize,
}

impl Text {
    #[inline(always)]
    fn place(self, offset: usize) -> *mut u8 {
        let base = if offset < self.split {
            self.head
        } else {
            self.buffer
        };
        base.wrapping_add(offset)
    }

    #[inline(always)]
    fn source<const SEAL: bool>(self, offset: usize) -> *const u8 {
        if SEAL {
            self.place(offset)
        } else {
            self.buffer.wrapping_add(offset)
        }
    }

    #[inline(always)]
    fn target<const SEAL: bool>(self, offset: usize) -> *mut u8 {
        if SEAL {
            self.buffer.wrapping_add(offset)
        } else {
            self.place(offset)
        }
    }
}

/// The three parts of an unreduced sum of carry-less products: of weight 1, x^64 and x^128.
#[derive(Clone, Copy)]
struct Sum<V> {
    low: V,
    middle: V,
    high: V,
}

impl<V: Copy> Sum<V> {
    #[inline(always)]
    fn product<W: Wide<Vector = V>>(w: W, a: V, power: V) -> Self {
        Self {
            low: w.clmul::<0x00>(a, power),
            middle: w.xor(w.clmul::<0x01>(a, power), w.clmul::<0x10>(a, power)),
            high: w.clmul::<0x11>(a, power),
        }
    }

    #[inline(always)]
    fn plus<W: Wide<Vector = V>>(self, w: W, other: Self) -> Self {
        Self {
            low: w.xor(self.low, other.low),
            middle: w.xor(self.middle, other.middle),
            high: w.xor(self.high, other.high),
        }
    }

    /// Reduces modulo x^128 + x^7 + x^2 + x + 1, whose reversed form takes a carry-less product for
    /// each half.
    #[inline(always)]
    fn reduce<W: Wide<Vector = V>>(self, w: W) -> V {
        // SAFETY: SSE2 is part of x86-64.
        let polynomial =
            w.broadcast(unsafe { _mm_set_epi64x(0xc200_0000_0000_0000_u64.cast_signed(), 1) });
        let middle = w.xor(
            self.middle,
            w.xor(w.swap(self.low), w.clmul::<0x01>(polynomial, self.low)),
        );
        w.xor(
            self.high,
            w.xor(w.swap(middle), w.clmul::<0x01>(polynomial, middle)),
        )
    }
}

/// Returns `a` times the element that this power represents.
#[inline(always)]
pub(super) fn multiply(w: Narrow, a: Block, power: Block) -> Block {
    Sum::product(w, a, power).reduce(w)
}

/// Encrypts one block.
#[inline(always)]
pub(super) fn encrypt<const R: usize>(w: Narrow, key: &Expanded<R>, block: Block) -> Block {
    let mut state = w.xor(block, key.round(w, 0));
    for round in 1..R - 1 {
        state = w.aes_round(state, key.round(w, round));
    }
    w.aes_last(state, key.round(w, R - 1))
}

/// Returns the first states of the next N vectors of key stream, and advances the counter.
#[inline(always)]
fn stream<W: Wide, const N: usize, const R: usize>(
    w: W,
    key: &Expanded<R>,
    counter: &mut W::Vector,
    step: W::Vector,
) -> [W::Vector; N] {
    let first = key.round(w, 0);
    let mut states = [first; N];
    for state in &mut states {
        *state = w.xor(w.reverse(*counter), first);
        *counter = w.add(*counter, step);
    }
    states
}

#[inline(always)]
fn round<W: Wide, const N: usize, const R: usize>(
    w: W,
    key: &Expanded<R>,
    round: usize,
    states: &mut [W::Vector; N],
) {
    let key = key.round(w, round);
    for state in states {
        *state = w.aes_round(*state, key);
    }
}

#[inline(always)]
fn finish<W: Wide, const N: usize, const R: usize>(
    w: W,
    key: &Expanded<R>,
    from: usize,
    states: &mut [W::Vector; N],
) {
    for number in from..R - 1 {
        round(w, key, number, states);
    }
    let last = key.round(w, R - 1);
    for state in states {
        *state = w.aes_last(*state, last);
    }
}

/// Multiplies vector `at` of a batch of ciphertext, after adding `y` to its first block.
#[inline(always)]
fn hash_one<W: Wide, const N: usize, const R: usize>(
    w: W,
    key: &Expanded<R>,
    batch: &[W::Vector; N],
    at: usize,
    y: Block,
) -> Sum<W::Vector> {
    let mut blocks = w.reverse(batch[at]);
    if at == 0 {
        blocks = w.xor(blocks, w.widen(y));
    }
    Sum::product(w, blocks, key.power(w, (N - at) * W::BLOCKS))
}

/// Computes GHASH of a whole batch.
#[inline(always)]
fn hash<W: Wide, const N: usize, const R: usize>(
    w: W,
    key: &Expanded<R>,
    batch: &[W::Vector; N],
    y: Block,
) -> Block {
    let mut sum = hash_one(w, key, batch, 0, y);
    for at in 1..N {
        sum = sum.plus(w, hash_one(w, key, batch, at, y));
    }
    w.fold(sum.reduce(w))
}

/// Computes rounds of AES, and in each of the first N the product of one vector: the two units of
/// the CPU work side by side.
#[inline(always)]
fn finish_and_hash<W: Wide, const N: usize, const R: usize>(
    w: W,
    key: &Expanded<R>,
    states: &mut [W::Vector; N],
    batch: &[W::Vector; N],
    y: Block,
) -> Block {
    let mut batch = *batch;
    round(w, key, 1, states);
    let mut sum = hash_one(w, key, &batch, N - 1, y);
    for at in 1..N {
        w.pin(&mut states[0], &mut batch[N - 1 - at]);
        round(w, key, at + 1, states);
        sum = sum.plus(w, hash_one(w, key, &batch, N - 1 - at, y));
    }
    let y = w.fold(sum.reduce(w));
    finish(w, key, N + 1, states);
    y
}

/// Loads the text of a whole batch.
///
/// # Safety
/// The batch is within the text.
#[inline(always)]
unsafe fn load_batch<W: Wide, const N: usize, const SEAL: bool>(
    w: W,
    text: Text,
    offset: usize,
) -> [W::Vector; N] {
    let from = text.source::<SEAL>(offset);
    // SAFETY: as the caller promises.
    core::array::from_fn(
        #[inline(always)]
        |at| unsafe { w.load(from.wrapping_add(at * W::BLOCKS * BLOCK)) },
    )
}

/// Adds the text of a whole batch to its key stream, and stores and returns the result.
///
/// # Safety
/// As for [`load_batch`].
#[inline(always)]
unsafe fn add_text<W: Wide, const N: usize, const SEAL: bool>(
    w: W,
    text: Text,
    offset: usize,
    mut states: [W::Vector; N],
    input: &[W::Vector; N],
) -> [W::Vector; N] {
    let to = text.target::<SEAL>(offset);
    for (at, state) in states.iter_mut().enumerate() {
        *state = w.xor(*state, input[at]);
        // SAFETY: as the caller promises.
        unsafe { w.store(to.wrapping_add(at * W::BLOCKS * BLOCK), *state) };
    }
    states
}

/// N vectors of the tail, the last perhaps in part: encrypts or decrypts them, and returns their
/// sum. `counter` is that of the first, and `exponent` its power.
#[inline(always)]
fn tail<W: Wide, const N: usize, const R: usize, const SEAL: bool>(
    w: W,
    key: &Expanded<R>,
    text: Text,
    offset: usize,
    mut counter: W::Vector,
    step: W::Vector,
    exponent: usize,
) -> Sum<W::Vector> {
    let vector = W::BLOCKS * BLOCK;
    let mut states = stream::<W, N, R>(w, key, &mut counter, step);
    finish(w, key, 1, &mut states);
    let mut sum = None::<Sum<W::Vector>>;
    for (at, state) in states.into_iter().enumerate() {
        let offset = offset + at * vector;
        let (from, to) = (text.source::<SEAL>(offset), text.target::<SEAL>(offset));
        let left = (text.len - offset).min(vector);
        // SAFETY: `left` bytes of the text are there, and a whole vector where another follows.
        let ciphertext = unsafe {
            let input = if at + 1 < N {
                w.load(from)
            } else {
                w.load_part(from, left)
            };
            let output = w.xor(state, input);
            if at + 1 < N {
                w.store(to, output)
            } else {
                w.store_part(to, left, output)
            }
            match (SEAL, at + 1 < N) {
                (false, _) => input,
                (true, true) => output,
                (true, false) => w.keep(output, left),
            }
        };
        let product = Sum::product(
            w,
            w.reverse(ciphertext),
            key.power(w, exponent - at * W::BLOCKS),
        );
        sum = Some(match sum {
            Some(sum) => sum.plus(w, product),
            None => product,
        });
    }
    sum.unwrap_or_else(|| unreachable!())
}

/// Encrypts or decrypts the text, and returns the tag over its ciphertext and `aad`.
///
/// # Safety
/// The pointers must be as [`Text`] requires. The text must not have more blocks than the counter
/// has numbers.
#[inline(always)]
pub(super) unsafe fn crypt<W: Wide, const N: usize, const R: usize, const SEAL: bool>(
    w: W,
    key: &Expanded<R>,
    nonce: &[u8; 12],
    aad: &[u8],
    text: Text,
) -> Block {
    let narrow = w.narrow();
    let vector = W::BLOCKS * BLOCK;
    let (batches, rest) = (text.len / (N * vector), text.len % (N * vector));
    let blocks = rest.div_ceil(BLOCK);
    // SAFETY: SSE2 is part of x86-64.
    let number = |number: usize| unsafe { _mm_set_epi64x(0, number as i64) };

    // The counter is reversed, so that it counts in the lowest 32 bits.
    let base = narrow.reverse(block(narrow, nonce));
    let mask = encrypt(narrow, key, narrow.reverse(narrow.add(base, number(1))));
    let mut counter = w.add(w.add(w.broadcast(base), w.broadcast(number(2))), w.lanes());
    let step = w.broadcast(number(W::BLOCKS));

    // The block of lengths is hashed together with the tail, if a power is left for it.
    let joined = usize::from(blocks < POWERS);
    let mut tail_sum = number(0);
    let mut left = rest.div_ceil(vector);
    while left > 0 {
        let few = if left % 4 == 0 { 4 } else { left % 4 };
        left -= few;
        let key = key.again();
        let offset = text.len - rest + left * vector;
        let counter = w.add(counter, w.broadcast(number(offset / BLOCK)));
        let exponent = blocks + joined - left * W::BLOCKS;
        let sum = match few {
            1 => tail::<W, 1, R, SEAL>(w, key, text, offset, counter, step, exponent),
            2 => tail::<W, 2, R, SEAL>(w, key, text, offset, counter, step, exponent),
            3 => tail::<W, 3, R, SEAL>(w, key, text, offset, counter, step, exponent),
            _ => tail::<W, 4, R, SEAL>(w, key, text, offset, counter, step, exponent),
        };
        tail_sum = narrow.xor(tail_sum, w.fold(sum.reduce(w)));
    }

    let h = key.power(narrow, 1);
    // The value to add to the next block, before the product.
    let mut y = hash_aad(narrow, h, aad);
    if batches > 0 {
        y = multiply(narrow, y, h);
        // When sealing, a batch is hashed while the next one is encrypted, so the first is
        // encrypted alone.
        let mut batch = [step; N];
        if SEAL {
            let mut states = stream::<W, N, R>(w, key, &mut counter, step);
            finish(w, key, 1, &mut states);
            // SAFETY: there is a batch.
            batch = unsafe {
                add_text::<W, N, SEAL>(w, text, 0, states, &load_batch::<W, N, SEAL>(w, text, 0))
            };
        }
        for number in usize::from(SEAL)..batches {
            let key = key.again();
            let offset = number * N * vector;
            let mut states = stream::<W, N, R>(w, key, &mut counter, step);
            // SAFETY: there are so many batches.
            let input = unsafe { load_batch::<W, N, SEAL>(w, text, offset) };
            y = finish_and_hash(w, key, &mut states, if SEAL { &batch } else { &input }, y);
            // SAFETY: as above.
            batch = unsafe { add_text::<W, N, SEAL>(w, text, offset, states, &input) };
        }
        if SEAL {
            y = hash(w, key, &batch, y);
        }
    }

    // The exponent is one for each block after it, and one more for itself if it is still the
    // additional data.
    let mut exponent = blocks + joined + usize::from(batches == 0);
    if exponent > POWERS {
        y = multiply(narrow, y, key.power(narrow, exponent - POWERS));
        exponent = POWERS;
    }
    // SAFETY: SSE2 is part of x86-64.
    let lengths = unsafe { _mm_set_epi64x(8 * aad.len() as i64, 8 * text.len as i64) };
    let mut sum = Sum::product(narrow, y, key.power(narrow, exponent));
    if joined == 1 {
        sum = sum.plus(narrow, Sum::product(narrow, lengths, h));
    }
    y = narrow.xor(sum.reduce(narrow), tail_sum);
    if joined == 0 {
        y = multiply(narrow, narrow.xor(y, lengths), h);
    }
    narrow.xor(narrow.reverse(y), mask)
}

/// Hashes the additional data, without the last multiplication.
#[inline(always)]
fn hash_aad(w: Narrow, h: Block, aad: &[u8]) -> Block {
    let mut chunks = aad.chunks(BLOCK);
    let mut y = w.reverse(block(w, chunks.next().unwrap_or_default()));
    for chunk in chunks {
        y = w.xor(multiply(w, y, h), w.reverse(block(w, chunk)));
    }
    y
}

/// Loads up to 16 bytes, followed by zeros.
#[inline(always)]
fn block(w: Narrow, bytes: &[u8]) -> Block {
    let bytes = bytes.get(..BLOCK).unwrap_or(bytes);
    // SAFETY: so many bytes are there.
    unsafe { w.load_part(bytes.as_ptr(), bytes.len()) }
}

/// Stores a tag.
#[inline(always)]
pub(super) fn tag_bytes(tag: Block) -> [u8; BLOCK] {
    let mut bytes = [0; BLOCK];
    // SAFETY: SSE2 is part of x86-64, and there is room for a block.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), tag) };
    bytes
}
