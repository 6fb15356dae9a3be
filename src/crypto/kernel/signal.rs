//! Signals for tests: the system saves every register to the stack before it calls a handler, and
//! the copy stays in memory afterwards.

use std::sync::Once;

/// More than any CPU needs for its registers, in bytes.
const LEN: usize = 32 * 1024;

/// An alternate stack for one signal.
pub(crate) struct SignalStack(Box<[u8]>);

impl SignalStack {
    pub(crate) fn new() -> Self {
        install();
        Self(vec![0; LEN].into_boxed_slice())
    }

    /// Raises a signal that is handled on this stack. Returns the stack, with the registers as they
    /// were.
    #[inline(never)]
    pub(crate) fn raise(&mut self) -> &[u8] {
        let stack = libc::stack_t {
            ss_sp: self.0.as_mut_ptr().cast(),
            ss_flags: 0,
            ss_size: LEN,
        };
        let mut former = stack;
        // SAFETY: both are valid for the call, and the stack is not used after it. The handler does
        // nothing.
        unsafe {
            assert_eq!(libc::sigaltstack(&raw const stack, &raw mut former), 0);
            assert_eq!(libc::raise(libc::SIGUSR1), 0);
            assert_eq!(
                libc::sigaltstack(&raw const former, std::ptr::null_mut()),
                0
            );
        }
        std::hint::black_box(&self.0)
    }
}

/// Raises a signal that is handled on the thread's own stack.
#[inline(never)]
pub(crate) fn raise_here() {
    install();
    // SAFETY: the handler does nothing.
    assert_eq!(unsafe { libc::raise(libc::SIGUSR2) }, 0);
}

extern "C" fn handler(_: libc::c_int) {}

fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        for (signal, flags) in [(libc::SIGUSR1, libc::SA_ONSTACK), (libc::SIGUSR2, 0)] {
            // SAFETY: zeros are a valid `sigaction`: an empty mask and no flags. Nothing else in
            // the tests uses these signals.
            unsafe {
                let mut action: libc::sigaction = core::mem::zeroed();
                let handler: extern "C" fn(libc::c_int) = handler;
                action.sa_sigaction = handler as libc::sighandler_t;
                action.sa_flags = flags;
                assert_eq!(
                    libc::sigaction(signal, &raw const action, std::ptr::null_mut()),
                    0
                );
            }
        }
    });
}
