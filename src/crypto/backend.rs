//! [`Backend`]: which of the two implementations of a primitive this CPU uses.
//!
//! `Portable` is always there and complete by itself, except for secp256r1 without the feature of
//! that name. `Graviola` is verified assembler, about twice as fast for X25519 and Ed25519 signing,
//! and four times and more for secp256r1 and ML-KEM. It panics on a CPU without the required
//! instructions, so the CPU is checked once, before the first call. Every other primitive has one
//! implementation.

use std::sync::OnceLock;

/// The implementation of key exchanges and Ed25519 signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// The dalek crates, `ml-kem` and `p256`: every target.
    Portable,
    /// graviola: x86-64 and aarch64 CPUs with the extensions that [`detect`] asks for.
    #[cfg(all(
        feature = "accelerate",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    Graviola,
}

impl Backend {
    /// Returns every backend that can run on this machine, for tests to compare.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        all.extend(Some(backend()).filter(|found| *found != Self::Portable));
        all
    }
}

/// Returns the fastest backend of this CPU.
pub(crate) fn backend() -> Backend {
    static BACKEND: OnceLock<Backend> = OnceLock::new();
    *BACKEND.get_or_init(detect)
}

/// Checks what graviola 0.4 asserts in every call (its `low/x86_64/cpu.rs`), and bmi2, which its
/// X25519 uses without checking.
#[cfg(all(feature = "accelerate", target_arch = "x86_64"))]
fn detect() -> Backend {
    let complete = std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq")
        && std::arch::is_x86_feature_detected!("ssse3")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2")
        && std::arch::is_x86_feature_detected!("adx")
        && std::arch::is_x86_feature_detected!("avx")
        && std::arch::is_x86_feature_detected!("avx2");
    if complete {
        Backend::Graviola
    } else {
        Backend::Portable
    }
}

/// Checks what graviola 0.4 asserts in every call (its `low/aarch64/cpu.rs`).
#[cfg(all(feature = "accelerate", target_arch = "aarch64"))]
fn detect() -> Backend {
    let complete = std::arch::is_aarch64_feature_detected!("neon")
        && std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull")
        && std::arch::is_aarch64_feature_detected!("sha2");
    if complete {
        Backend::Graviola
    } else {
        Backend::Portable
    }
}

/// Other targets have only the portable implementation.
#[cfg(not(all(
    feature = "accelerate",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
fn detect() -> Backend {
    Backend::Portable
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes sure that "all backends" in other tests means two where it should.
    #[test]
    fn graviola_is_chosen_exactly_where_it_runs() {
        let found = backend();
        #[cfg(not(all(
            feature = "accelerate",
            any(target_arch = "x86_64", target_arch = "aarch64")
        )))]
        assert_eq!(
            (found, Backend::all()),
            (Backend::Portable, vec![Backend::Portable])
        );

        #[cfg(all(
            feature = "accelerate",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ))]
        {
            // graviola asserts its requirements in every call.
            let runs = std::panic::catch_unwind(|| {
                graviola::key_agreement::x25519::StaticPrivateKey::from_array(&[7; 32]).public_key()
            });
            match runs {
                Ok(_) => assert_eq!(
                    (found, Backend::all()),
                    (
                        Backend::Graviola,
                        vec![Backend::Portable, Backend::Graviola]
                    )
                ),
                Err(_) => assert_eq!(
                    (found, Backend::all()),
                    (Backend::Portable, vec![Backend::Portable])
                ),
            }
        }
    }
}
