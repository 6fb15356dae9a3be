#![cfg_attr(not(feature = "accelerate"), forbid(unsafe_code))]
#![cfg_attr(feature = "accelerate", deny(unsafe_code))]
#![warn(missing_docs, rust_2018_idioms, unreachable_pub)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions, clippy::panic))]
//! TLS 1.3.

mod client;
mod code_point;
mod connection;
mod crypto;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod identity;
mod key_schedule;
mod level;
mod message;
mod record;
mod secret;
mod server;
mod stream;
#[cfg(test)]
mod testing;
mod time;

pub use client::{Client, ClientBuilder};
pub use code_point::{AlertDescription, CipherSuite, ContentType, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme};
pub use connection::{Connection, Status};
pub use crypto::random::SystemRandom;
pub use error::{CertificateError, ConfigError, DecodeProblem, Error, Fault, Illegal, NameError};
pub use handshake::{Negotiated, Question};
pub use identity::{Authority, AuthorityBuilder, CertificateBuilder, Identity, Peer, PublicKey, ServerName, Trust, Validity};
pub use record::Padding;
pub use secret::Secret;
pub use server::{ClientAuth, ClientHello, Server, ServerBuilder};
pub use stream::{Handshake, Progress, Stream};
pub use time::Now;
