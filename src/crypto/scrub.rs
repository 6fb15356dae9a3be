//! [`scrubbed`]: overwrites the stack after a call that worked on a secret.
//!
//! The dependencies wipe what they own when it is dropped, but not what the compiler spills, moves or returns by value: copies of keys stay
//! in dead stack frames until something else happens to stand there. So each call with a secret goes through here: it runs in a frame of its
//! own, and then a frame at the same place, as deep as any of those calls was measured to go, is filled with zeros.
//!
//! The closure should leave its result on the heap, by filling a `Secret` or returning a `Box`: what it returns by value is copied into the
//! caller's frame, which is not overwritten.
//!
//! Records too are sealed and opened through here: aes-gcm works on many blocks at once and spills round keys for each. Once for each key, when it
//! goes, would be cheaper, and was tried: by then a copy may stand in a frame that still lives, in room that nobody writes to (a `None`, a small
//! variant), and moves about with it. It costs some 100 ns a record. An AEAD that wipes its own spills is called without.

use zeroize::optimization_barrier;

use crate::crypto::hash::HashAlgorithm;
use crate::crypto::suite::Suite;

/// Bytes of stack overwritten after a call into the curve code, one that expands an AEAD key, or one that hashes with SHA-384.
///
/// The tests measure every such call and keep this at twice the deepest, which leaves room for other compilers and targets. Without
/// optimization the frames are six times as large, and nobody counts nanoseconds.
const DEEP: usize = if cfg!(debug_assertions) { 48 * 1024 } else { 8 * 1024 };

/// The same for ML-KEM, whose matrix and vectors of polynomials stand on the stack, 50 KiB of them with graviola: half as much again, as each
/// of the three calls of a handshake pays some microseconds.
const KEM: usize = if cfg!(debug_assertions) { 128 * 1024 } else { 96 * 1024 };

/// The same for the portable secp256r1, which keeps tables of points on the stack.
const P256: usize = if cfg!(debug_assertions) { 64 * 1024 } else { 24 * 1024 };

/// The same for HMAC and HKDF with SHA-256, of which a handshake makes some thirty: there the cost of `DEEP` would be seen.
const SHALLOW: usize = if cfg!(debug_assertions) { 16 * 1024 } else { 6 * 1024 };

/// The same for a record under AES-GCM, measured where it goes deepest: with AVX-512 it takes 64 blocks at a time. Every record pays for it, so there
/// is less to spare.
const AES_GCM: usize = if cfg!(debug_assertions) { 96 * 1024 } else { 12 * 1024 };

/// The same for a record under ChaCha20-Poly1305.
const CHACHA20: usize = if cfg!(debug_assertions) { 48 * 1024 } else { 6 * 1024 };

/// The same for a record under our own kernel, which keeps little on the stack: counters, and round keys where registers are few. Every record pays
/// for it.
const KERNEL: usize = if cfg!(debug_assertions) { 24 * 1024 } else { 1792 };

/// Runs `f`, then overwrites the stack that it used.
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

/// [`scrubbed`] for one record under our own kernel.
pub(crate) fn scrubbed_kernel<T>(f: impl FnOnce() -> T) -> T {
    scrubbed_to::<KERNEL, T>(f)
}

/// [`scrubbed`] for one record.
pub(crate) fn scrubbed_record<T>(suite: Suite, f: impl FnOnce() -> T) -> T {
    match suite {
        Suite::Aes128GcmSha256 | Suite::Aes256GcmSha384 => scrubbed_to::<AES_GCM, T>(f),
        Suite::ChaCha20Poly1305Sha256 => scrubbed_to::<CHACHA20, T>(f),
    }
}

fn scrubbed_to<const DEPTH: usize, T>(f: impl FnOnce() -> T) -> T {
    let result = apart(f);
    #[cfg(test)]
    if tests::OFF.get() {
        return result;
    }
    overwrite::<DEPTH>();
    result
}

/// Calls `f` in a frame below the caller's, where [`overwrite`]'s will be.
#[inline(never)]
fn apart<T>(f: impl FnOnce() -> T) -> T {
    f()
}

/// Fills the stack below the caller's frame with zeros.
#[inline(never)]
fn overwrite<const DEPTH: usize>() {
    let stack = [0u8; DEPTH];
    // The array counts as read, so that it has to be written.
    optimization_barrier(&stack);
}

#[cfg(test)]
mod tests;
