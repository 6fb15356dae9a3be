//! BoringSSL by the crate `boring`, and what it has not in common with OpenSSL's.

pub use boring::{pkey, ssl, x509};

use boring::error::ErrorStack;
use boring::ssl::SslContextBuilder;
use boring_sys as ffi;

pub fn name() -> String {
    // It has no releases; this number grows with its interface.
    format!("BoringSSL (API {})", ffi::BORINGSSL_API_VERSION)
}

/// How many tickets a server sends. The suites of TLS 1.3 cannot be chosen; where the CPU has AES,
/// the first is TLS_AES_128_GCM_SHA256.
pub fn set_suite_and_tickets(context: &mut SslContextBuilder, tickets: usize) {
    // SAFETY: the context is alive, and ours alone.
    let result = unsafe { ffi::SSL_CTX_set_num_tickets(context.as_ptr(), tickets) };
    assert_eq!(result, 1, "so many tickets");
}

pub fn set_group(context: &mut SslContextBuilder, group: &str) -> Result<(), ErrorStack> {
    context.set_curves_list(group)
}
