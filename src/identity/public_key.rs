//! [`PublicKey`]: an Ed25519 public key, as configurations and people exchange it.

use core::fmt;
use core::str::FromStr;

use base64ct::{Base64, Encoding as _};
use der::Decode as _;
use ed25519_dalek::pkcs8::{ALGORITHM_OID, spki};

use crate::error::{CertificateError, ConfigError};
use crate::identity::pem;

/// The bytes before the 32 of the key in a DER SubjectPublicKeyInfo (RFC 8410, section 4).
/// Parameters are absent, so there is only one encoding.
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// An Ed25519 public key: 32 bytes.
///
/// As text it is the base64 of its DER SubjectPublicKeyInfo (RFC 8410), 60 characters. That is also
/// the content of the PEM that `openssl pkey -pubout` writes, which can be parsed as well.
///
/// ```
/// use fleeting::{Identity, PublicKey};
///
/// let key: PublicKey = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".parse()?;
/// assert_eq!(key.as_bytes()[..4], [0xd7, 0x5a, 0x98, 0x01]);
/// assert_eq!(PublicKey::from(*key.as_bytes()), key);
///
/// let mine = Identity::generate()?.public_key();
/// assert_eq!(mine.to_string().parse(), Ok(mine));
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Returns the key as RFC 8032 encodes it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the DER SubjectPublicKeyInfo (RFC 8410, section 4), which is also what a raw public
    /// key is on the wire (RFC 7250).
    pub fn to_spki(&self) -> [u8; 44] {
        let mut spki = [0; 44];
        for (out, byte) in spki.iter_mut().zip(SPKI_PREFIX.iter().chain(&self.0)) {
            *out = *byte;
        }
        spki
    }

    /// Reads a DER SubjectPublicKeyInfo. `None` if it is of another algorithm, or not DER.
    pub(crate) fn from_spki(spki: &[u8]) -> Option<Self> {
        Some(Self(spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok()?))
    }

    /// Reads what a peer shows as its raw public key (RFC 7250, section 3).
    pub(crate) fn from_raw(spki: &[u8]) -> Result<Self, CertificateError> {
        // RFC 8410, sections 3 and 4: DER, without parameters, and so these 44 bytes and no others.
        Self::from_spki(spki).ok_or_else(|| match spki::SubjectPublicKeyInfoRef::from_der(spki) {
            Ok(other) if other.algorithm.oid != ALGORITHM_OID => {
                CertificateError::UnsupportedAlgorithm
            }
            _ => CertificateError::Malformed,
        })
    }
}

impl From<[u8; 32]> for PublicKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Base64::encode_string(&self.to_spki()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = ConfigError;

    /// Reads what `Display` writes, or a PEM section `PUBLIC KEY`.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        let spki = if text.contains("-----") {
            pem::public_key(text.as_bytes())?
        } else {
            Base64::decode_vec(text).unwrap_or_default()
        };
        Self::from_spki(&spki).ok_or(ConfigError::PublicKey {
            reason: "expected the base64 of an Ed25519 SubjectPublicKeyInfo (60 characters), or \
                     that as PEM",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, 10.1.
    const TEXT: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

    #[test]
    fn reads_and_writes_the_example_of_rfc_8410() {
        let key: PublicKey = TEXT.parse().unwrap();
        assert_eq!(key.to_string(), TEXT);
        assert_eq!(key.as_bytes()[..2], [0x19, 0xbf]);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{TEXT}\n-----END PUBLIC KEY-----\n");
        assert_eq!(pem.parse(), Ok(key));
        assert_eq!(format!("  {TEXT}\n").parse(), Ok(key));
        assert_eq!(PublicKey::from_spki(&key.to_spki()), Some(key));
        assert!(format!("{key:?}").contains(TEXT));
    }

    #[test]
    fn other_text_is_refused() {
        // A key of another algorithm (X25519), a truncated one, one byte more, and no base64 at
        // all.
        for text in [
            "MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZg==",
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuEA",
            "",
            "no key",
            // A key has only one text: no other trailing bits (E is 000100), no other padding, no
            // line break, not the alphabet of URLs.
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuF=",
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE",
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE==",
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrB\nZ9w7lshQhqowtrbLDFw4rXAxZuE=",
            "MCowBQYDK2VwAyEA_7-ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
        ] {
            assert!(
                matches!(
                    text.parse::<PublicKey>(),
                    Err(ConfigError::PublicKey { .. })
                ),
                "{text}"
            );
        }
        let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(
            private.parse::<PublicKey>(),
            Err(ConfigError::NoPemSection {
                wanted: "PUBLIC KEY",
                ..
            })
        ));
    }
}
