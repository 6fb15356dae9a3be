//! Private keys as PKCS#8 (RFC 5958), for Ed25519 (RFC 8410, section 7).
//!
//! ```text
//! OneAsymmetricKey ::= SEQUENCE {
//!     version                   INTEGER { v1(0), v2(1) },
//!     privateKeyAlgorithm       SEQUENCE { OBJECT IDENTIFIER 1.3.101.112 },
//!     privateKey                OCTET STRING (of an OCTET STRING of 32 bytes),
//!     attributes            [0] Attributes OPTIONAL,
//!     publicKey             [1] BIT STRING OPTIONAL                              -- v2 only
//! }
//! ```

use ed25519_dalek::pkcs8::{ALGORITHM_OID, PrivateKeyInfoRef};

use crate::crypto::signature::SigningKey;
use crate::error::ConfigError;
use crate::secret::Secret;

/// Everything before the seed in version 1, which we write because OpenSSL before 3.0 does not read
/// version 2.
const PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// How a key begins that old versions of ring wrote: version 2, with a tag around the public key
/// that RFC 5958 does not have.
const RING_PREFIX: [u8; 7] = [0x30, 0x53, 0x02, 0x01, 0x01, 0x30, 0x05];

/// Reads version 1 or 2. The parser borrows, so the seed is copied only once, into its `Secret`.
pub(crate) fn read(der: &[u8]) -> Result<SigningKey, ConfigError> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| ConfigError::Key {
        reason: if der.starts_with(&RING_PREFIX) {
            "its public key is encoded as old versions of ring did it, and not as in RFC 5958; \
             write the key again as version 1, without the public key"
        } else {
            "it is not PKCS#8"
        },
    })?;
    if info.algorithm.oid != ALGORITHM_OID {
        return Err(ConfigError::Key {
            reason: "it is not Ed25519; make one with Identity::generate, Authority, or openssl \
                     genpkey -algorithm ed25519",
        });
    }
    // RFC 8410, section 3: the parameters MUST be absent.
    if info.algorithm.parameters.is_some() {
        return Err(ConfigError::Key {
            reason: "its algorithm has parameters, which Ed25519 must not have (RFC 8410)",
        });
    }
    let seed = match info.private_key.as_bytes() {
        [0x04, 0x20, seed @ ..] if seed.len() == 32 => seed,
        _ => {
            return Err(ConfigError::Key {
                reason: "it is not 32 bytes in an OCTET STRING (RFC 8410)",
            });
        }
    };
    let key = SigningKey::from_seed(Secret::copy_of(seed)).map_err(|_| ConfigError::Key {
        reason: "it is not 32 bytes (RFC 8410)",
    })?;
    // RFC 5958, section 2: publicKey "contains the public key" of this key. Signing with a wrong
    // one would reveal the private key.
    if let Some(public) = info.public_key
        && public.as_bytes() != Some(&key.public_key())
    {
        return Err(ConfigError::Key {
            reason: "the public key in it does not belong to its private key",
        });
    }
    Ok(key)
}

/// Writes version 1.
pub(crate) fn write(key: &SigningKey) -> Secret {
    Secret::filled(PREFIX.len() + key.seed().len(), |out| {
        for (out, byte) in out.iter_mut().zip(PREFIX.iter().chain(key.seed().expose())) {
            *out = *byte;
        }
    })
}
