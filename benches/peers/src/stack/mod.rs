//! The TLS stacks that can be linked into one program.

pub mod fleeting;
mod libssl;
mod openssl;
pub mod rustls;

use std::sync::Arc;

use self::openssl as library;
use crate::asynchronous::{AsyncStack, Bare};
use crate::harness::stack::{Credentials, Stack};

/// The stacks that have streams for tokio, and none at all.
pub fn asynchronous(credentials: &Credentials) -> Vec<Arc<dyn AsyncStack>> {
    use ::rustls::crypto::aws_lc_rs;
    vec![
        Arc::new(fleeting::Fleeting::new(credentials)),
        Arc::new(rustls::Rustls::new(
            "aws-lc-rs",
            aws_lc_rs::default_provider(),
            aws_lc_rs::Ticketer::new().expect("a ticket key"),
            credentials,
        )),
        Arc::new(Bare),
    ]
}

pub fn all(credentials: &Credentials) -> Vec<Box<dyn Stack>> {
    use ::rustls::crypto::{aws_lc_rs, ring};
    let rustls = |name, provider, ticketer: Result<_, _>| {
        Box::new(rustls::Rustls::new(
            name,
            provider,
            ticketer.expect("a ticket key"),
            credentials,
        ))
    };
    vec![
        Box::new(fleeting::Fleeting::new(credentials)),
        rustls(
            "aws-lc-rs",
            aws_lc_rs::default_provider(),
            aws_lc_rs::Ticketer::new(),
        ),
        rustls("ring", ring::default_provider(), ring::Ticketer::new()),
        rustls(
            "graviola",
            rustls_graviola::default_provider(),
            rustls_graviola::Ticketer::new(),
        ),
        Box::new(libssl::Libssl::new(credentials)),
    ]
}
