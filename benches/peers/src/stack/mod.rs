//! The TLS stacks that can be linked into one program.

mod fleeting;
mod libssl;
mod openssl;
mod rustls;

use self::openssl as library;
use crate::harness::stack::{Credentials, Stack};

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
