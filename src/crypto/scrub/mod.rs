//! [`scrubbed`]: overwrites the stack after a call that worked on a secret, and clears registers.
//!
//! The dependencies wipe what they own when it is dropped, but not what the compiler spills, moves
//! or returns by value: copies of keys stay in dead stack frames until something else happens to
//! overwrite them. So each call with a secret goes through here. It runs in a frame of its own, and
//! then a frame at the same place, as deep as any of those calls was measured to go, is filled with
//! zeros.
//!
//! Copies of keys also stay in vector registers, which a signal handler's frame would save to
//! memory. So those are cleared. Copying a secret by itself leaves it in registers too, unless a
//! call that goes through here follows before the application runs again.
//!
//! The closure should leave its result on the heap, by filling a `Secret` or returning a `Box`:
//! what it returns by value is copied into the caller's frame, which is not overwritten.
//!
//! Records are sealed and opened through here too: aes-gcm works on many blocks at once and spills
//! round keys for each. Overwriting once for each key, when it is dropped, would be cheaper, and
//! was tried. By then a copy may be in a frame that is still alive, in room that nothing writes to
//! (a `None`, a small variant), and moves with it. It costs about 100 ns a record, and about 7 ns
//! with our own kernel. An AEAD that wipes its own spills and registers is called directly.
//!
//! The required depth depends on how much the compiler optimizes. `just scrub-levels` measures it
//! at each level.

use zeroize::optimization_barrier;

use crate::crypto::hash::HashAlgorithm;
use crate::crypto::kernel::{Width, clear_registers};
use crate::crypto::suite::Suite;

/// Returns how many bytes of stack to overwrite: `fully` at level 3, `partly` at the other levels
/// that optimize and with debug assertions, and `not_at_all` at level 0, or if the level is unknown
/// (`build.rs` asks for it). At level 0 the frames are twenty times as large, and speed does not
/// matter.
///
/// The depths were measured with the dependencies at the same level, which is how cargo builds all
/// of them for an application.
const fn depth(fully: usize, partly: usize, not_at_all: usize) -> usize {
    if cfg!(all(optimized = "fully", not(debug_assertions))) {
        fully
    } else if cfg!(any(optimized = "fully", optimized = "partly")) {
        partly
    } else {
        not_at_all
    }
}

const KIB: usize = 1024;

/// The depth after a call into the curve code, or one that hashes with SHA-384.
///
/// The tests measure every such call and keep this at twice the deepest, which leaves room for
/// other compilers and targets.
const DEEP: usize = depth(10 * KIB, 12 * KIB, 32 * KIB);

/// The depth after ML-KEM, whose matrix and vectors of polynomials are on the stack, 50 KiB of them
/// with graviola. The margin is a half, because each of the three calls of a handshake takes some
/// microseconds to overwrite.
const KEM: usize = depth(96 * KIB, 96 * KIB, 160 * KIB);

/// The depth after the portable secp256r1, which keeps tables of points on the stack.
const P256: usize = depth(24 * KIB, 24 * KIB, 64 * KIB);

/// The depth after HMAC and HKDF with SHA-256. A handshake makes about thirty such calls, so the
/// cost of `DEEP` would be noticeable.
const SHALLOW: usize = depth(6 * KIB, 8 * KIB, 12 * KIB);

/// The depth after expanding a key for one of the crates' AEADs. The margin is a half, because each
/// direction of a connection and each KeyUpdate pays for it.
const KEY: usize = depth(6 * KIB, 12 * KIB, 24 * KIB);

/// The depth after expanding a key for our own kernel.
const KERNEL_KEY: usize = depth(2 * KIB, 4 * KIB, 16 * KIB);

/// The depth after a record under AES-GCM by `aes-gcm`, measured where it goes deepest: with
/// AVX-512 it takes 64 blocks at a time. Every record pays for it, so the margin is only a quarter.
const AES_GCM: usize = depth(14 * KIB, 18 * KIB, 48 * KIB);

/// The depth after a record under ChaCha20-Poly1305.
const CHACHA20: usize = depth(6 * KIB, 12 * KIB, 64 * KIB);

/// The depth after a record under our own kernel, by its width. Optimized, it keeps little on the
/// stack: counters, and vectors where registers are few.
const KERNEL: [usize; 3] = if cfg!(target_feature = "avx512f") {
    // If the target is known to have AVX-512, the compiler uses large vectors at every width.
    [depth(2304, 10 * KIB, 160 * KIB); 3]
} else {
    [
        depth(KIB, 3 * KIB, 64 * KIB),
        depth(1536, 6 * KIB, 96 * KIB),
        depth(1536, 10 * KIB, 160 * KIB),
    ]
};

/// Runs `f`, then clears the registers and overwrites the stack that it used.
pub(crate) fn scrubbed<T>(f: impl FnOnce() -> T) -> T {
    scrubbed_to::<DEEP, T>(f)
}

/// [`scrubbed`] for ML-KEM.
pub(crate) fn scrubbed_kem<T>(f: impl FnOnce() -> T) -> T {
    scrubbed_to::<KEM, T>(f)
}

/// [`scrubbed`] for secp256r1.
pub(crate) fn scrubbed_p256<T>(f: impl FnOnce() -> T) -> T {
    scrubbed_to::<P256, T>(f)
}

/// [`scrubbed`] for calls that only hash.
pub(crate) fn scrubbed_hash<T>(algorithm: HashAlgorithm, f: impl FnOnce() -> T) -> T {
    match algorithm {
        HashAlgorithm::Sha256 => scrubbed_to::<SHALLOW, T>(f),
        HashAlgorithm::Sha384 => scrubbed_to::<DEEP, T>(f),
    }
}

/// [`scrubbed`] for expanding a key of one of the crates' AEADs.
pub(crate) fn scrubbed_key<T>(f: impl FnOnce() -> T) -> T {
    scrubbed_to::<KEY, T>(f)
}

/// [`scrubbed`] for expanding a key of our own kernel.
pub(crate) fn scrubbed_kernel_key<T>(f: impl FnOnce() -> T) -> T {
    scrubbed_to::<KERNEL_KEY, T>(f)
}

/// [`scrubbed`] for one record.
pub(crate) fn scrubbed_record<T>(suite: Suite, f: impl FnOnce() -> T) -> T {
    match suite {
        Suite::Aes128GcmSha256 | Suite::Aes256GcmSha384 => scrubbed_to::<AES_GCM, T>(f),
        Suite::ChaCha20Poly1305Sha256 => scrubbed_to::<CHACHA20, T>(f),
    }
}

/// [`scrubbed`] for one record under our own kernel.
pub(crate) fn scrubbed_kernel<T>(width: Width, f: impl FnOnce() -> T) -> T {
    match width {
        Width::AesNi => scrubbed_to::<{ KERNEL[0] }, T>(f),
        Width::Avx2 => scrubbed_to::<{ KERNEL[1] }, T>(f),
        Width::Avx512 => scrubbed_to::<{ KERNEL[2] }, T>(f),
    }
}

fn scrubbed_to<const DEPTH: usize, T>(f: impl FnOnce() -> T) -> T {
    let result = apart(f);
    #[cfg(test)]
    if tests::OFF.get() {
        return result;
    }
    // First, because this saves what calls must preserve to the stack.
    clear_registers();
    overwrite::<DEPTH>();
    result
}

/// Calls `f` in a frame below the caller's, where the frame of [`overwrite`] will be.
#[inline(never)]
fn apart<T>(f: impl FnOnce() -> T) -> T {
    f()
}

/// Fills the stack below the caller's frame with zeros.
#[inline(never)]
fn overwrite<const DEPTH: usize>() {
    let stack = [0u8; DEPTH];
    // The barrier makes the array count as read, so that it has to be written.
    optimization_barrier(&stack);
    #[cfg(test)]
    tests::note(&stack);
}

#[cfg(test)]
mod tests;
