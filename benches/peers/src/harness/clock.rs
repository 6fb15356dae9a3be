//! What is measured with: the thread's CPU time, the cycle counter's frequency, the heap in use.

use std::time::{Duration, Instant};

/// CPU time that this thread has used, in nanoseconds.
pub fn thread_cpu() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a timespec of our own, which the call fills.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "the thread's CPU clock cannot be read");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CPU time that this thread has used in user mode and in the kernel, in nanoseconds. Where the
/// kernel counts by its tick, much has to happen between two calls.
pub fn thread_usage() -> (u64, u64) {
    usage(libc::RUSAGE_THREAD)
}

/// The same for all threads of the process.
pub fn process_usage() -> (u64, u64) {
    usage(libc::RUSAGE_SELF)
}

fn usage(who: libc::c_int) -> (u64, u64) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a struct of our own, which the call fills; zeros are a value of it
    // too.
    let usage = unsafe {
        assert_eq!(
            libc::getrusage(who, usage.as_mut_ptr()),
            0,
            "the usage cannot be read"
        );
        usage.assume_init()
    };
    let nanoseconds =
        |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1000;
    (nanoseconds(usage.ru_utime), nanoseconds(usage.ru_stime))
}

/// Calls `f` and adds the CPU time it took to `total`.
pub fn timed<T>(total: &mut u64, f: impl FnOnce() -> T) -> T {
    let from = thread_cpu();
    let result = f();
    *total += thread_cpu() - from;
    result
}

/// Bytes of heap that are in use: what the C library's allocator has handed out, all stacks' alike.
pub fn heap_in_use() -> u64 {
    // SAFETY: the call takes nothing and returns a struct by value.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd) as u64
}

/// Ticks of the processor's time stamp counter in a nanosecond, where there is one: it counts at a
/// constant rate, near the nominal clock.
pub fn ticks_per_ns() -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 has the instruction.
        let ticks = || unsafe { core::arch::x86_64::_rdtsc() };
        let (from, began) = (ticks(), Instant::now());
        while began.elapsed() < Duration::from_millis(50) {}
        Some((ticks() - from) as f64 / began.elapsed().as_nanos() as f64)
    }
    #[cfg(not(target_arch = "x86_64"))]
    None
}

pub fn cpu_description() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown CPU", |(_, model)| model);
    match ticks_per_ns() {
        Some(ticks) => {
            format!("{model}; cycles are ticks of its time stamp counter, {ticks:.2} GHz.")
        }
        None => format!("{model}."),
    }
}
