//! Every byte changed, cut and added, and random input: there is never a panic, an acceptance or
//! another key.

use proptest::prelude::*;

use super::{as_server, chain, name, now};
use crate::identity::alt_name::AltName;
use crate::identity::certificate::Certificate;
use crate::identity::own::pkcs8;
use crate::identity::{Authority, Identity, PublicKey, ServerName, Trust, pem};

const HOST: &str = "a.example";

/// Returns `der` with each byte changed in several ways, each prefix, and one byte more.
pub(super) fn damaged(der: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let changed = (0..der.len())
        .flat_map(|at| [0x01, 0x80, 0x20, 0xff].map(|mask| (at, mask)))
        .map(|(at, mask)| {
            let mut out = der.to_vec();
            out[at] ^= mask;
            out
        });
    let cut = (0..der.len()).map(|len| der[..len].to_vec());
    let longer = [0, 0x30].map(|byte| [der, &[byte]].concat());
    changed.chain(cut).chain(longer)
}

#[test]
fn a_damaged_certificate_on_a_path_is_refused() {
    let root = Authority::new("root").unwrap();
    let server = Authority::builder("below")
        .build_under(&root)
        .unwrap()
        .issue_server([HOST, "10.0.0.1"])
        .unwrap();
    let (leaf, middle) = (&server.certificates()[0], &server.certificates()[1]);
    let trust = root.trust();
    as_server(&trust, &[leaf, middle], HOST).unwrap();
    for bad in damaged(leaf) {
        assert!(as_server(&trust, &[&bad, middle], HOST).is_err());
        assert!(trust.verify_client(&[&bad, middle], now()).is_err());
    }
    for bad in damaged(middle) {
        assert!(as_server(&trust, &[leaf, &bad], HOST).is_err());
    }
}

#[test]
fn a_damaged_certificate_with_a_pinned_key_has_that_key_or_is_refused() {
    let own = Identity::self_signed([HOST]).unwrap();
    let trust = Trust::key_for(HOST, own.public_key());
    let mut accepted = 0;
    for bad in damaged(&own.certificates()[0]) {
        if let Ok(verified) = as_server(&trust, &[&bad], HOST) {
            assert_eq!(verified.key().to_bytes(), *own.public_key().as_bytes());
            accepted += 1;
        }
    }
    // The rest of the certificate is neither verified nor needed: CertificateVerify is the proof.
    assert!(accepted > 0);
}

#[test]
fn a_damaged_root_or_identity_is_refused_or_harmless_when_loaded() {
    let root = Authority::new("root").unwrap();
    let server = root.issue_server([HOST]).unwrap();
    let key = pkcs8::write(&issued_key(&server));
    for bad in damaged(&root.certificates()[0]) {
        drop(Trust::roots_from_der([bad]));
    }
    for bad in damaged(&server.certificates()[0]) {
        if let Ok(identity) = Identity::from_der([bad], key.expose()) {
            assert_eq!(identity.public_key(), server.public_key());
        }
    }
    for bad in damaged(key.expose()) {
        // Changed bytes of the seed make another key, which does not match.
        assert!(Identity::from_der(server.certificates().to_vec(), bad).is_err());
    }
}

fn issued_key(identity: &Identity) -> crate::crypto::signature::SigningKey {
    pkcs8::read(
        pem::private_key(identity.key_pem().unwrap().expose())
            .unwrap()
            .expose(),
    )
    .unwrap()
}

#[test]
fn our_reader_and_path_validation_read_the_same_key_and_names() {
    let root = Authority::new("root").unwrap();
    let server = root.issue_server([HOST, "*.b.example"]).unwrap();
    let mut compared = 0;
    for der in damaged(&server.certificates()[0]).chain([server.certificates()[0].clone()]) {
        let theirs_der = rustls_pki_types::CertificateDer::from(der.as_slice());
        if let (Ok(ours), Ok(theirs)) = (
            Certificate::parse(&der),
            webpki::EndEntityCert::try_from(&theirs_der),
        ) {
            assert_eq!(ours.spki, &*theirs.subject_public_key_info());
            assert!(
                ours.subject.ends_with(theirs.subject()) && ours.issuer.ends_with(theirs.issuer())
            );
            // The names that we show were checked. Of a list that ends in the middle we show
            // nothing.
            let names: Vec<_> = theirs
                .valid_dns_names()
                .map(str::to_ascii_lowercase)
                .collect();
            for ours in ours.alt_names() {
                assert!(
                    !matches!(&ours, AltName::Dns(name) if !names.contains(name)),
                    "{ours} {names:?}"
                );
            }
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn damaged_pem_is_refused_or_harmless() {
    let server = Authority::new("CA").unwrap().issue_server([HOST]).unwrap();
    let (chain_pem, key_pem) = (server.chain_pem(), server.key_pem().unwrap());
    for bad in damaged(chain_pem.as_bytes()) {
        if let Ok(identity) = Identity::from_pem(&bad, key_pem.expose()) {
            assert_eq!(identity.public_key(), server.public_key());
        }
    }
    for bad in damaged(key_pem.expose()) {
        if let Ok(identity) = Identity::from_pem(&chain_pem, &bad) {
            assert_eq!(identity.public_key(), server.public_key());
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_are_read_without_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        text in "\\PC{0,80}",
    ) {
        drop(Certificate::parse(&bytes));
        drop(pkcs8::read(&bytes));
        drop(pem::certificates(&bytes));
        drop(pem::private_key(&bytes));
        drop(Trust::roots_from_pem(&bytes));
        drop(Identity::from_pem(&bytes, &bytes));
        drop(text.parse::<PublicKey>());
        drop(AltName::parse(&text));
        if let Ok(name) = ServerName::parse(&text) {
            prop_assert_eq!(ServerName::parse(&name.to_string()), Ok(name));
        }
    }

    #[test]
    fn what_looks_like_der_is_read_without_harm(
        tail in proptest::collection::vec(any::<u8>(), 0..300),
        at in 0usize..400,
    ) {
        let own = Identity::from_key_pem(
            "-----BEGIN PRIVATE KEY-----\n\
             MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
             -----END PRIVATE KEY-----\n",
        )
        .unwrap();
        let mut der = own.certificates()[0].clone();
        let at = at.min(der.len());
        der.splice(at..(at + tail.len()).min(der.len()), tail);
        let trust = Trust::keys([own.public_key()]);
        if let Ok(verified) = trust.verify_server(&[&der], Some(&name(HOST)), now()) {
            prop_assert_eq!(verified.key().to_bytes(), *own.public_key().as_bytes());
        }
        prop_assert!(trust.verify_client(&chain(&own), now()).is_ok());
    }

    #[test]
    fn pem_sections_survive_what_stands_around_them(
        before in "[ -~\n]{0,100}",
        after in "[ -~\n]{0,100}",
    ) {
        prop_assume!(!before.contains("-----") && !after.contains("-----"));
        let own = Identity::generate().unwrap();
        let text = format!("{before}\n{}{after}", own.chain_pem());
        prop_assert_eq!(
            pem::certificates(text.as_bytes()).unwrap(),
            own.certificates().to_vec()
        );
    }
}
