//! Requests that a program can make to the valgrind that runs it: its client requests, as
//! `valgrind.h` and `memcheck.h` define them for x86-64 Linux.

#![expect(
    unsafe_code,
    reason = "four rotations without effect, by which valgrind recognizes a request"
)]

/// Asks under how many valgrinds this program runs.
const RUNNING_ON_VALGRIND: usize = 0x1001;
const COUNT_ERRORS: usize = 0x1201;
const MAKE_MEM_UNDEFINED: usize = memcheck(1);
const MAKE_MEM_DEFINED: usize = memcheck(2);

const fn memcheck(number: usize) -> usize {
    (b'M' as usize) << 24 | (b'C' as usize) << 16 | number
}

pub fn is_running() -> bool {
    request(RUNNING_ON_VALGRIND, 0, 0) != 0
}

/// Returns how many errors were reported so far, counting repetitions.
pub fn errors() -> usize {
    request(COUNT_ERRORS, 0, 0)
}

/// Marks the bytes as secret. From now on valgrind reports each branch on them and each address
/// computed from them, and follows them through all computations.
pub fn secret(bytes: &mut [u8]) {
    request(MAKE_MEM_UNDEFINED, bytes.as_ptr().addr(), bytes.len());
}

/// Marks the bytes as public.
pub fn public(bytes: &[u8]) {
    request(MAKE_MEM_DEFINED, bytes.as_ptr().addr(), bytes.len());
}

/// Makes a request. Returns zero if valgrind does not run this program.
fn request(number: usize, address: usize, len: usize) -> usize {
    let words = [number, address, len, 0, 0, 0];
    let mut answer = 0;
    // SAFETY: the instructions exchange a register with itself, and rotate another by 128 bits.
    // valgrind reads six words. It marks the bytes of a slice, and does not change them.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") &words, inout("rdx") answer, out("rdi") _, options(nostack),
        );
    }
    answer
}
