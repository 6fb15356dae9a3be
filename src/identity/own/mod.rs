//! Who we are: a key and the certificates for it.
//!
//! ```text
//! identity     Identity: our key and the chain that we show
//! pkcs8        the format of private keys (RFC 5958, RFC 8410)
//! signer       Signer: a private key that is held elsewhere
//! self_signed  the certificate of a key that no authority certified
//! ```

pub(super) mod identity;
pub(super) mod pkcs8;
pub(super) mod self_signed;
pub(super) mod signer;

pub use identity::Identity;
pub use signer::Signer;
