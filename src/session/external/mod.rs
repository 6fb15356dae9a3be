//! Pre-shared keys from outside of TLS.
//!
//! ```text
//! external_psk   ExternalPsk: a secret from outside, and what is offered and accepted under it
//! psk_identity   PskIdentity: which of them a client means, read for the application
//! ```

mod external_psk;
mod psk_identity;

pub use external_psk::{ExternalPsk, PskNames};
pub(crate) use external_psk::{ExternalPsks, WirePsk};
pub use psk_identity::PskIdentity;
