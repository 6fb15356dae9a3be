//! Our own AES-GCM, for CPUs that have the instructions for it, and what else needs `unsafe`, which
//! only this folder contains.
//!
//! ```text
//! mod.rs              which width this CPU gets
//! x86_64/mod.rs       GcmKey: the safe face; one function for each width
//! x86_64/vector.rs    what the kernel needs of a vector, for three widths
//! x86_64/gcm.rs       the pass over a text, written once
//! x86_64/setup.rs     the key schedule, the powers of H
//! width.rs            the three widths
//! elsewhere.rs        the same face on other targets, and without the feature: no key is ever made
//! registers.rs        clears the vector registers, also after what others compute
//! signal.rs           for tests: signals, which save the registers to memory
//! ```
//!
//! `aes-gcm` is always compiled in too, and the tests compare the kernel with it. Unlike `aes-gcm`,
//! the kernel encrypts and authenticates in one pass, works with vectors of up to 512 bits, and can
//! read a text in one place and write it in another. What it leaves in registers, and what the
//! compiler spills to the stack, is overwritten by the caller (`scrub`).

#[cfg(not(all(feature = "accelerate", target_arch = "x86_64")))]
mod elsewhere;
#[cfg_attr(
    all(
        feature = "accelerate",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ),
    expect(unsafe_code, reason = "assembly that writes to registers")
)]
mod registers;
#[cfg(all(test, target_os = "linux"))]
#[expect(
    unsafe_code,
    reason = "installing a signal handler, and raising the signal"
)]
pub(crate) mod signal;
#[cfg(all(test, feature = "accelerate", target_arch = "x86_64"))]
mod tests;
mod width;
#[cfg(all(feature = "accelerate", target_arch = "x86_64"))]
#[expect(
    unsafe_code,
    reason = "vector instructions, and loads and stores of whole vectors; each block says why it \
              may"
)]
mod x86_64;

use std::sync::OnceLock;

#[cfg(not(all(feature = "accelerate", target_arch = "x86_64")))]
pub(crate) use elsewhere::GcmKey;
#[cfg(test)]
pub(crate) use registers::CLEARED;
pub(crate) use registers::clear_registers;
pub(crate) use width::Width;
#[cfg(all(feature = "accelerate", target_arch = "x86_64"))]
pub(crate) use x86_64::GcmKey;

impl Width {
    /// Returns the widest width that this CPU has, if any.
    ///
    /// Builds with debug assertions, and so the tests, use the width that the environment variable
    /// `FLEETING_AES_GCM` names: `aes-ni`, `avx2`, `avx512`, or `portable` for none. Other builds
    /// ignore the variable.
    pub(crate) fn best() -> Option<Self> {
        static BEST: OnceLock<Option<Width>> = OnceLock::new();
        *BEST.get_or_init(|| {
            let forced = if cfg!(debug_assertions) {
                std::env::var("FLEETING_AES_GCM").ok()
            } else {
                None
            };
            let mut found = Self::ALL.into_iter().filter(|width| GcmKey::runs(*width));
            match forced {
                Some(name) => found.find(|width| width.name() == name),
                None => found.next_back(),
            }
        })
    }
}
