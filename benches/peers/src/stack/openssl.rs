//! OpenSSL by the crate of that name, and what BoringSSL's has not or calls otherwise.

pub use openssl::{pkey, ssl, x509};

use openssl::error::ErrorStack;
use openssl::ssl::SslContextBuilder;

pub fn name() -> String {
    // "OpenSSL 3.0.19 27 Jan 2026"
    openssl::version::version()
        .split(' ')
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

/// TLS_AES_128_GCM_SHA256, and how many tickets a server sends.
pub fn set_suite_and_tickets(context: &mut SslContextBuilder, tickets: usize) {
    context
        .set_ciphersuites("TLS_AES_128_GCM_SHA256")
        .expect("the suite");
    context.set_num_tickets(tickets).expect("so many tickets");
}

/// From OpenSSL 3.5 on there is X25519MLKEM768.
pub fn set_group(context: &mut SslContextBuilder, group: &str) -> Result<(), ErrorStack> {
    context.set_groups_list(group)
}
