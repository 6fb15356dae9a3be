//! What a program can ask of the valgrind that runs it: its client requests, as `valgrind.h` and
//! `memcheck.h` define them for x86-64 Linux.

#![expect(
    unsafe_code,
    reason = "four rotations that come to nothing: valgrind knows a request by them"
)]

/// Whether, and how deep, this is run by valgrind.
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

/// How many errors were reported so far, each time that it happened.
pub fn errors() -> usize {
    request(COUNT_ERRORS, 0, 0)
}

/// Marks as a secret: from now on valgrind reports each branch on it, each address from it, and
/// follows it through all that is computed from it.
pub fn secret(bytes: &mut [u8]) {
    request(MAKE_MEM_UNDEFINED, bytes.as_ptr().addr(), bytes.len());
}

/// Marks as known to everybody.
pub fn public(bytes: &[u8]) {
    request(MAKE_MEM_DEFINED, bytes.as_ptr().addr(), bytes.len());
}

/// Zero where no valgrind hears it.
fn request(number: usize, address: usize, len: usize) -> usize {
    let words = [number, address, len, 0, 0, 0];
    let mut answer = 0;
    // SAFETY: by itself it exchanges a register with itself, and rotates another by 128 bits;
    // valgrind reads six words. What it is asked to mark are bytes of a slice, and it changes none
    // of them.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") &words, inout("rdx") answer, out("rdi") _, options(nostack),
        );
    }
    answer
}
