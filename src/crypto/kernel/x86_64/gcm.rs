//! AES-GCM in one pass, written once for all widths (NIST SP 800-38D).
//!
//! ```text
//! batch i:     counters ─ AES rounds ─ XOR ─> text i         batches are N vectors wide
//!                          │ │ │ │                            in each of the first N rounds of batch i ...
//! GHASH:       ............ text i - 1 (sealing) or i (opening)   ... one vector is multiplied by its powers of H
//! ```
//!
//! * **Powers.** A batch of b blocks is multiplied by H^b ... H^1 and reduced once. They stand in one table, highest first; a tail of fewer blocks begins
//!   further on in it, so that every group of blocks ends at the power where it should.
//! * **One sum for a short text.** The block of additional data and the block of lengths are multiplied apart, by the powers that their places call for, and added
//!   to the tail's sum before its reduction: a record of less than a batch costs one reduction.
//! * **Bits.** GHASH counts bits from the left, so blocks are reversed bytewise. What the product of reversed polynomials is off by, one bit, is in the
//!   powers: they are stored times x.
//! * Nothing here branches on, or indexes by, anything but lengths.

use core::arch::x86_64::{_mm_set_epi64x, _mm_storeu_si128};

use zeroize::Zeroize;

use super::vector::{Block, Narrow, Wide};

/// How many powers of H are kept: as many as the widest batch has blocks.
pub(super) const POWERS: usize = 32;

const BLOCK: usize = 16;

/// An expanded key: the powers of H times x, the highest first; then the round keys, in order. A part of a vector may be loaded beyond the powers: what
/// stands there is multiplied by zero.
#[repr(C, align(64))]
pub(super) struct Expanded<const ROUND_KEYS: usize> {
    pub(super) powers: [[u8; BLOCK]; POWERS],
    pub(super) round_keys: [[u8; BLOCK]; ROUND_KEYS],
}

impl<const ROUND_KEYS: usize> Zeroize for Expanded<ROUND_KEYS> {
    fn zeroize(&mut self) {
        self.powers.zeroize();
        self.round_keys.zeroize();
    }
}

/// An [`Expanded`] key of either size.
#[derive(Clone, Copy)]
pub(super) struct Key {
    powers: *const u8,
    round_keys: *const u8,
    rounds: usize,
}

impl Key {
    pub(super) fn new<const ROUND_KEYS: usize>(expanded: &Expanded<ROUND_KEYS>) -> Self {
        let all = core::ptr::from_ref(expanded).cast::<u8>();
        Self { powers: all, round_keys: all.wrapping_add(POWERS * BLOCK), rounds: ROUND_KEYS - 1 }
    }

    /// A vector of powers that begins with the given one, from 1 to [`POWERS`].
    #[inline(always)]
    fn power<W: Wide>(self, w: W, exponent: usize) -> W::Vector {
        debug_assert!((1..=POWERS).contains(&exponent));
        // SAFETY: at least one power is left there, and eleven round keys behind the last.
        unsafe { w.load(self.powers.add((POWERS - exponent) * BLOCK)) }
    }

    #[inline(always)]
    fn round<W: Wide>(self, w: W, round: usize) -> W::Vector {
        debug_assert!(round <= self.rounds);
        // SAFETY: there are `rounds` + 1 round keys.
        w.broadcast(unsafe { w.narrow().load(self.round_keys.add(round * BLOCK)) })
    }

    /// The same key, of which the compiler does not know that: it would load all round keys before a loop, and spill them to the stack.
    #[inline(always)]
    #[expect(clippy::pointers_in_nomem_asm_block, reason = "it reads nothing: there is no instruction")]
    fn again(mut self) -> Self {
        // SAFETY: no instruction at all.
        unsafe { core::arch::asm!("/* {} */", inout(reg) self.round_keys, options(nomem, nostack, preserves_flags)) };
        self
    }
}

/// The text: where it comes from, and where it goes to. At the first `split` bytes one of the two is the head, everywhere else both are the buffer.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) head: *mut u8,
    /// A multiple of 64, so that no vector lies on both sides.
    pub(super) split: usize,
    pub(super) buffer: *mut u8,
    pub(super) len: usize,
}

impl Text {
    #[inline(always)]
    fn place(self, offset: usize) -> *mut u8 {
        let base = if offset < self.split { self.head } else { self.buffer };
        base.wrapping_add(offset)
    }

    #[inline(always)]
    fn source<const SEAL: bool>(self, offset: usize) -> *const u8 {
        if SEAL { self.place(offset) } else { self.buffer.wrapping_add(offset) }
    }

    #[inline(always)]
    fn target<const SEAL: bool>(self, offset: usize) -> *mut u8 {
        if SEAL { self.buffer.wrapping_add(offset) } else { self.place(offset) }
    }
}

/// The three parts of a sum of carry-less products, not reduced: worth 1, x^64 and x^128.
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
        Self { low: w.xor(self.low, other.low), middle: w.xor(self.middle, other.middle), high: w.xor(self.high, other.high) }
    }

    /// Modulo x^128 + x^7 + x^2 + x + 1, whose reversed form is a carry-less product for each half.
    #[inline(always)]
    fn reduce<W: Wide<Vector = V>>(self, w: W) -> V {
        // SAFETY: SSE2 is part of x86-64.
        let polynomial = w.broadcast(unsafe { _mm_set_epi64x(0xc200_0000_0000_0000_u64.cast_signed(), 1) });
        let middle = w.xor(self.middle, w.xor(w.swap(self.low), w.clmul::<0x01>(polynomial, self.low)));
        w.xor(self.high, w.xor(w.swap(middle), w.clmul::<0x01>(polynomial, middle)))
    }
}

impl Sum<Block> {
    #[inline(always)]
    fn widen<W: Wide>(self, w: W) -> Sum<W::Vector> {
        Sum { low: w.widen(self.low), middle: w.widen(self.middle), high: w.widen(self.high) }
    }
}

/// a times the element whose power this is.
#[inline(always)]
pub(super) fn multiply(w: Narrow, a: Block, power: Block) -> Block {
    Sum::product(w, a, power).reduce(w)
}

/// Encrypts one block.
#[inline(always)]
pub(super) fn encrypt(w: Narrow, key: Key, block: Block) -> Block {
    let mut state = w.xor(block, key.round(w, 0));
    for round in 1..key.rounds {
        state = w.aes_round(state, key.round(w, round));
    }
    w.aes_last(state, key.round(w, key.rounds))
}

/// The next N vectors of key stream, and what is left of them to count on from.
#[inline(always)]
fn stream<W: Wide, const N: usize>(w: W, key: Key, counter: &mut W::Vector, step: W::Vector) -> [W::Vector; N] {
    let first = key.round(w, 0);
    let mut states = [first; N];
    for state in &mut states {
        *state = w.xor(w.reverse(*counter), first);
        *counter = w.add(*counter, step);
    }
    states
}

#[inline(always)]
fn round<W: Wide, const N: usize>(w: W, key: Key, round: usize, states: &mut [W::Vector; N]) {
    let key = key.round(w, round);
    for state in states {
        *state = w.aes_round(*state, key);
    }
}

#[inline(always)]
fn finish<W: Wide, const N: usize>(w: W, key: Key, from: usize, states: &mut [W::Vector; N]) {
    for number in from..key.rounds {
        round(w, key, number, states);
    }
    let last = key.round(w, key.rounds);
    for state in states {
        *state = w.aes_last(*state, last);
    }
}

/// The product of vector `at` of a batch of ciphertext, into whose first block `y` is added.
#[inline(always)]
fn hash_one<W: Wide, const N: usize>(w: W, key: Key, batch: &[W::Vector; N], at: usize, y: Block) -> Sum<W::Vector> {
    let mut blocks = w.reverse(batch[at]);
    if at == 0 {
        blocks = w.xor(blocks, w.widen(y));
    }
    Sum::product(w, blocks, key.power(w, (N - at) * W::BLOCKS))
}

/// GHASH of a whole batch.
#[inline(always)]
fn hash<W: Wide, const N: usize>(w: W, key: Key, batch: &[W::Vector; N], y: Block) -> Block {
    let mut sum = hash_one(w, key, batch, 0, y);
    for at in 1..N {
        sum = sum.plus(w, hash_one(w, key, batch, at, y));
    }
    w.fold(sum.reduce(w))
}

/// Rounds of AES, and in each of the first N the product of one vector: two units of the CPU that work side by side.
#[inline(always)]
fn finish_and_hash<W: Wide, const N: usize>(w: W, key: Key, states: &mut [W::Vector; N], batch: &[W::Vector; N], y: Block) -> Block {
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

/// Up to N vectors at the end of a text, the last perhaps in part: encrypts or decrypts them, and returns their sum. `exponent` is the power of the first.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "all that a loop would have in registers")]
fn tail<W: Wide, const N: usize, const SEAL: bool>(
    w: W,
    key: Key,
    text: Text,
    offset: usize,
    counter: &mut W::Vector,
    step: W::Vector,
    exponent: usize,
    y: Block,
) -> Sum<W::Vector> {
    let vector = W::BLOCKS * BLOCK;
    let mut states = stream::<W, N>(w, key, counter, step);
    finish(w, key, 1, &mut states);
    let mut sum = None::<Sum<W::Vector>>;
    for (at, state) in states.into_iter().enumerate() {
        let offset = offset + at * vector;
        let (from, to) = (text.source::<SEAL>(offset), text.target::<SEAL>(offset));
        let left = (text.len - offset).min(vector);
        // SAFETY: `left` bytes of the text are there, and a whole vector where another follows.
        let (ciphertext, exponent) = unsafe {
            let input = if at + 1 < N { w.load(from) } else { w.load_part(from, left) };
            let output = w.xor(state, input);
            if at + 1 < N {
                w.store(to, output)
            } else {
                w.store_part(to, left, output)
            }
            let ciphertext = match (SEAL, at + 1 < N) {
                (false, _) => input,
                (true, true) => output,
                (true, false) => w.keep(output, left),
            };
            (ciphertext, exponent - at * W::BLOCKS)
        };
        let mut blocks = w.reverse(ciphertext);
        if at == 0 {
            blocks = w.xor(blocks, w.widen(y));
        }
        let product = Sum::product(w, blocks, key.power(w, exponent));
        sum = Some(match sum {
            Some(sum) => sum.plus(w, product),
            None => product,
        });
    }
    sum.unwrap_or_else(|| unreachable!())
}

/// Encrypts or decrypts the text, and returns the tag over its ciphertext and `aad`.
#[inline(always)]
pub(super) fn crypt<W: Wide, const N: usize, const SEAL: bool>(w: W, key: Key, nonce: &[u8; 12], aad: &[u8], text: Text) -> Block {
    let narrow = w.narrow();
    let vector = W::BLOCKS * BLOCK;
    let (batches, rest) = (text.len / (N * vector), text.len % (N * vector));
    let blocks = rest.div_ceil(BLOCK);

    // The counter stands reversed, so that it counts in the lowest 32 bits.
    let mut counted = [0; BLOCK];
    counted[..12].copy_from_slice(nonce);
    // SAFETY: a block is 16 bytes.
    let base = narrow.reverse(unsafe { narrow.load(counted.as_ptr()) });
    // SAFETY: SSE2 is part of x86-64.
    let number = |number: i64| unsafe { _mm_set_epi64x(0, number) };
    let mask = encrypt(narrow, key, narrow.reverse(narrow.add(base, number(1))));
    let mut counter = w.add(w.add(w.broadcast(base), w.broadcast(number(2))), w.lanes());
    let step = w.broadcast(number(W::BLOCKS as i64));

    let h = key.power(narrow, 1);
    // What is to be added to the next block, and then multiplied.
    let mut y = hash_aad(narrow, h, aad);
    // SAFETY: SSE2 is part of x86-64.
    let lengths = unsafe { _mm_set_epi64x(8 * aad.len() as i64, 8 * text.len as i64) };

    // Products of the two blocks that are no text, to be added to the tail's.
    let mut apart = Sum { low: number(0), middle: number(0), high: number(0) };
    if batches == 0 && blocks + 2 <= POWERS {
        apart = Sum::product(narrow, y, key.power(narrow, blocks + 2));
        y = number(0);
    } else {
        y = multiply(narrow, y, h);
    }

    if batches > 0 {
        let mut batch = None;
        for number in 0..batches {
            let offset = number * N * vector;
            let key = key.again();
            let (from, to) = (text.source::<SEAL>(offset), text.target::<SEAL>(offset));
            let mut states = stream::<W, N>(w, key, &mut counter, step);
            let mut input = states;
            for (at, input) in input.iter_mut().enumerate() {
                // SAFETY: a whole batch of the text is there.
                *input = unsafe { w.load(from.wrapping_add(at * vector)) };
            }
            match (SEAL, &batch) {
                (true, None) => finish(w, key, 1, &mut states),
                (true, Some(batch)) => y = finish_and_hash(w, key, &mut states, batch, y),
                (false, _) => y = finish_and_hash(w, key, &mut states, &input, y),
            }
            for (at, state) in states.iter_mut().enumerate() {
                *state = w.xor(*state, input[at]);
                // SAFETY: as above.
                unsafe { w.store(to.wrapping_add(at * vector), *state) };
            }
            batch = Some(states);
        }
        if SEAL && let Some(batch) = batch {
            y = hash(w, key, &batch, y);
        }
    }

    let joined = blocks < POWERS;
    if joined {
        let last = if blocks == 0 { narrow.xor(lengths, core::mem::replace(&mut y, number(0))) } else { lengths };
        apart = apart.plus(narrow, Sum::product(narrow, last, h));
    }
    let mut sum = apart.widen(w);
    let mut offset = text.len - rest;
    let mut exponent = blocks + usize::from(joined);
    while offset < text.len {
        let key = key.again();
        let vectors = (text.len - offset).div_ceil(vector);
        let product = match vectors {
            1 => tail::<W, 1, SEAL>(w, key, text, offset, &mut counter, step, exponent, y),
            2 => tail::<W, 2, SEAL>(w, key, text, offset, &mut counter, step, exponent, y),
            3 => tail::<W, 3, SEAL>(w, key, text, offset, &mut counter, step, exponent, y),
            _ => tail::<W, 4, SEAL>(w, key, text, offset, &mut counter, step, exponent, y),
        };
        sum = sum.plus(w, product);
        y = number(0);
        offset += vectors.min(4) * vector;
        exponent = exponent.saturating_sub(4 * W::BLOCKS);
    }
    let mut y = w.fold(sum.reduce(w));
    if !joined {
        y = multiply(narrow, narrow.xor(y, lengths), h);
    }
    narrow.xor(narrow.reverse(y), mask)
}

/// The additional data, up to and without the last multiplication.
#[inline(always)]
fn hash_aad(w: Narrow, h: Block, aad: &[u8]) -> Block {
    let mut chunks = aad.chunks(BLOCK);
    // SAFETY: a chunk has so many bytes.
    let block = |chunk: &[u8]| unsafe { w.reverse(w.load_part(chunk.as_ptr(), chunk.len())) };
    let mut y = chunks.next().map_or_else(|| block(&[]), block);
    for chunk in chunks {
        y = w.xor(multiply(w, y, h), block(chunk));
    }
    y
}

/// Stores a tag.
#[inline(always)]
pub(super) fn tag_bytes(tag: Block) -> [u8; BLOCK] {
    let mut bytes = [0; BLOCK];
    // SAFETY: SSE2 is part of x86-64, and there is room for a block.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), tag) };
    bytes
}
