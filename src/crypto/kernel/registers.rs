//! [`clear_registers`]: clears the vector registers, in which a call may have left secrets.
//!
//! A signal handler's frame holds every register, and the dynamic linker saves those that may hold
//! arguments. So what is in a register when a call has returned gets into memory, and stays there.
//!
//! General registers are not cleared: what runs next needs them, and the tests found no secret in
//! one. Nor are the masks of AVX-512, which hold lengths and the results of comparisons.

/// False if [`clear_registers`] has no effect in this build.
#[cfg(test)]
pub(crate) const CLEARED: bool = cfg!(any(
    all(
        feature = "accelerate",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ),
    optimized = "fully",
    optimized = "partly"
));

/// Clears every vector register.
///
/// A write to the low part of a register clears all of it. Only Xeon Phi has AVX-512 without VL;
/// its upper sixteen registers are not cleared.
#[cfg(all(feature = "accelerate", target_arch = "x86_64"))]
#[inline(never)]
pub(crate) fn clear_registers() {
    macro_rules! clear {
        ($first:literal $(, $copy:literal $($number:literal)*)?) => {
            // SAFETY: the CPU has the instructions, and all vector registers are declared as
            // overwritten: that is what the name of this ABI stands for, on Windows too.
            unsafe {
                core::arch::asm!(
                    $first,
                    $($(concat!($copy, $number, ", xmm0"),)*)?
                    clobber_abi("sysv64"),
                    options(nomem, nostack, preserves_flags),
                )
            }
        };
    }
    if is_x86_feature_detected!("avx512vl") {
        clear!("vzeroall", "vmovdqa64 xmm" 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    } else if is_x86_feature_detected!("avx") {
        clear!("vzeroall");
    } else {
        clear!("pxor xmm0, xmm0", "movaps xmm" 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    }
}

/// Clears every vector register. A write to one also clears the part of it that only SVE uses.
#[cfg(all(feature = "accelerate", target_arch = "aarch64"))]
#[inline(never)]
pub(crate) fn clear_registers() {
    macro_rules! clear {
        ($($number:literal)*) => {
            // SAFETY: all vector registers are declared as overwritten. The ABI's list lacks v8 to
            // v15, half of which a call preserves.
            unsafe {
                core::arch::asm!(
                    $(concat!("movi v", $number, ".2d, #0"),)*
                    clobber_abi("C"),
                    out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                    out("v12") _, out("v13") _, out("v14") _, out("v15") _,
                    options(nomem, nostack, preserves_flags),
                )
            }
        };
    }
    clear!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
}

/// Overwrites vector registers as far as safe code can: it makes the compiler, and `memcpy`, use
/// them for zeros. Without optimization, this has no effect.
///
/// Floating-point numbers are in those registers, and loading one clears the rest of its register.
/// There are as many as registers, and each sum depends on the previous one, so that no two share a
/// register. Only `memcpy` uses the further registers of AVX-512: the copies are of the lengths for
/// which glibc's uses most of them.
#[cfg(not(all(
    feature = "accelerate",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[inline(never)]
pub(crate) fn clear_registers() {
    use core::hint::black_box;

    macro_rules! add {
        ($($number:ident)*) => {
            let ([$(mut $number,)*], mut last) = (black_box([0.0_f64; _]), 0.0);
            for _ in 0..black_box(1) {
                $(
                    $number += last;
                    last = $number;
                )*
            }
            black_box([$($number),*]);
        };
    }
    #[cfg(target_arch = "x86_64")]
    add!(a b c d e f g h i j k l m n o p);
    #[cfg(not(target_arch = "x86_64"))]
    add!(a b c d e f g h i j k l m n o p q r s t u v w x y z aa bb cc dd ee ff);

    static ZEROS: [u8; 1024] = [0; 1024];
    let (from, mut to) = (black_box(&ZEROS), [0; 1024]);
    for len in black_box([512, 1024]) {
        if let (Some(to), Some(from)) = (to.get_mut(..len), from.get(..len)) {
            to.copy_from_slice(from);
        }
        black_box(&mut to);
    }
}

#[cfg(all(
    test,
    feature = "accelerate",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod tests {
    use super::*;
    use crate::crypto::kernel::signal::SignalStack;

    /// Fills every vector register with these bytes. Returns their size in bytes, together.
    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    fn fill(bytes: &[u8; 64]) -> usize {
        macro_rules! fill {
            ($instruction:literal $($number:literal)*) => {
                // SAFETY: the CPU has the instruction, it reads at most 64 bytes, and all vector
                // registers are declared as overwritten.
                unsafe {
                    core::arch::asm!(
                        $(concat!($instruction, $number, ", [{0}]"),)*
                        in(reg) bytes,
                        clobber_abi("sysv64"),
                        options(readonly, nostack, preserves_flags),
                    )
                }
            };
        }
        if is_x86_feature_detected!("avx512vl") {
            fill!("vmovups zmm" 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            fill!("vmovups zmm" 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
            32 * 64
        } else if is_x86_feature_detected!("avx") {
            fill!("vmovups ymm" 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            16 * 32
        } else {
            fill!("movups xmm" 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            16 * 16
        }
    }

    #[cfg(target_arch = "aarch64")]
    #[inline(never)]
    fn fill(bytes: &[u8; 64]) -> usize {
        macro_rules! fill {
            ($($number:literal)*) => {
                // SAFETY: the instructions read 16 bytes. All vector registers are declared as
                // overwritten.
                unsafe {
                    core::arch::asm!(
                        $(concat!("ldr q", $number, ", [{0}]"),)*
                        in(reg) bytes,
                        clobber_abi("C"),
                        out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                        out("v12") _, out("v13") _, out("v14") _, out("v15") _,
                        options(readonly, nostack, preserves_flags),
                    )
                }
            };
        }
        fill!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        fill!(16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
        32 * 16
    }

    #[test]
    fn every_vector_register_is_cleared() {
        const BYTES: [u8; 64] = [0xb7; 64];
        let mut stack = SignalStack::new();
        let mut found = |clear: bool| {
            let size = fill(&BYTES);
            if clear {
                clear_registers();
            }
            let stack = stack.raise();
            (stack.iter().filter(|byte| **byte == BYTES[0]).count(), size)
        };
        let (before, size) = found(false);
        // Raising a signal needs a register or two, of which an ABI preserves a part at most.
        assert!(
            before >= size - 256,
            "the signal shows {before} bytes of {size}"
        );
        // A general register can contain the byte by chance.
        let (after, _) = found(true);
        assert!(after < 8, "{after} bytes remain");
    }
}
