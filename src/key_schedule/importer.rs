//! The PSK importer (RFC 9258, 5.1): derives, from a key that was agreed on outside of TLS, one for
//! a certain protocol, hash and context.
//!
//! ```text
//! epskx = HKDF-Extract(0, epsk)
//! ipskx = HKDF-Expand-Label(epskx, "derived psk", Hash(ImportedIdentity), L)
//! ```
//!
//! Two hashes are used here, and are easily confused. `Hash`, which HKDF uses too, is the external
//! key's: SHA-256, unless another was agreed on with the key. The target's hash only decides `L`.

use super::label::{self, Label};
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::hkdf::Prk;
use crate::secret::Secret;

/// The hash of every external PSK (RFC 9258, 5.1: "If the EPSK does not have such an associated
/// hash function, SHA-256 SHOULD be used").
const EXTERNAL: HashAlgorithm = HashAlgorithm::Sha256;

/// Returns ipskx, the PSK for cipher suites of the hash `target`. The identity is the serialized
/// ImportedIdentity, which names that hash too.
pub(crate) fn import_psk(
    external: &Secret,
    imported_identity: &[u8],
    target: HashAlgorithm,
) -> Secret {
    let epskx = Prk::extract(EXTERNAL, &[], external.expose());
    label::expand(
        &epskx,
        Label::DERIVED_PSK,
        EXTERNAL.hash(imported_identity).as_bytes(),
        target.output_len(),
    )
}

#[cfg(test)]
mod tests {
    use ::hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::message::testing::hex;

    /// Computed by OpenSSL 3.0 (`openssl kdf ... TLS13-KDF`), with the same result from Python's
    /// hmac. RFC 9258 has no example.
    #[test]
    fn known_answers() {
        let epsk = Secret::copy_of(&hex(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        ));
        let imported = "0007 323032362d3037 0014 09 73656e736f72203137 09 636f6c6c6563746f72 0304";
        for (target, kdf, ipskx) in [
            (
                HashAlgorithm::Sha256,
                "0001",
                "4ee10b599a3f358e7d2d0ad51ddecbb144fb737a39ea4ac928baf52b98292b36",
            ),
            (
                HashAlgorithm::Sha384,
                "0002",
                "48c541604574c0cb3375343b6f286d4f95ae09f438a5401993f33bc206aef4f1\
                 7584c4cdd2978bc18afa5782afd8341b",
            ),
        ] {
            let identity = hex(&format!("{imported} {kdf}"));
            assert!(
                import_psk(&epsk, &identity, target).expose() == hex(ipskx),
                "{target:?}"
            );
        }
    }

    /// HMAC with SHA-256, the only primitive of HKDF (RFC 5869).
    fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    #[test]
    fn is_by_the_book() {
        // RFC 9258, 5.1, RFC 9846, 7.1 and RFC 5869, using nothing of the code under test.
        for epsk in [&b"sixteen bytes..."[..], &[0x80; 32], &[7; 64], &[9; 200]] {
            for identity in [&b""[..], b"identity", &[0; 70_000]] {
                for (target, length) in
                    [(HashAlgorithm::Sha256, 32_u8), (HashAlgorithm::Sha384, 48)]
                {
                    let epskx = hmac(&[0; 32], &[epsk]);
                    let context = Sha256::digest(identity);
                    // HkdfLabel: uint16 length; opaque label<7..255> = "tls13 " + "derived psk";
                    // opaque context<0..255>.
                    let info = [
                        &[0, length, 17],
                        b"tls13 derived psk".as_slice(),
                        &[32],
                        &context,
                    ]
                    .concat();
                    let first = hmac(&epskx, &[&info, &[1]]);
                    let second = hmac(&epskx, &[&first, &info, &[2]]);
                    let expected = &[first, second].concat()[..length.into()];
                    assert!(
                        import_psk(&Secret::copy_of(epsk), identity, target).expose() == expected,
                        "{} {target:?}",
                        epsk.len()
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_but_the_same_gives_the_same() {
        let (epsk, other) = (Secret::copy_of(&[7; 32]), Secret::copy_of(&[8; 32]));
        let psk = import_psk(&epsk, b"identity", HashAlgorithm::Sha256);
        assert!(psk.expose() == import_psk(&epsk, b"identity", HashAlgorithm::Sha256).expose());
        assert!(psk.expose() != import_psk(&other, b"identity", HashAlgorithm::Sha256).expose());
        assert!(psk.expose() != import_psk(&epsk, b"identitz", HashAlgorithm::Sha256).expose());
        assert!(
            psk.expose() != &import_psk(&epsk, b"identity", HashAlgorithm::Sha384).expose()[..32]
        );
    }
}
