#![cfg_attr(not(feature = "accelerate"), forbid(unsafe_code))]
#![cfg_attr(feature = "accelerate", deny(unsafe_code))]
#![warn(missing_docs, rust_2018_idioms, unreachable_pub)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions, clippy::panic))]
//! TLS 1.3.

mod code_point;
mod crypto;
mod error;
mod identity;
mod key_schedule;
mod level;
mod message;
mod record;
#[cfg(test)]
mod rfc8448;
mod secret;
mod time;

pub use code_point::{AlertDescription, CipherSuite, ContentType, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme};
pub use crypto::random::SystemRandom;
pub use error::{CertificateError, ConfigError, DecodeProblem, Error, Fault, Illegal, NameError};
pub use identity::{Authority, AuthorityBuilder, CertificateBuilder, Identity, Peer, PublicKey, ServerName, Trust, Validity};
pub use record::Padding;
pub use secret::Secret;
pub use time::Now;
