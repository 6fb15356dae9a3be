//! The hash in a certificate's signature, and the channel binding `tls-server-end-point`.

use super::{vector, vector_der};
use crate::error::CertificateError;
use crate::identity::certificate::Certificate;
use crate::identity::signature_hash::{SignatureHash, server_end_point};
use crate::identity::trust::path;
use crate::identity::{Authority, Identity};

fn hash_of(certificate: &str) -> Option<SignatureHash> {
    let der = vector_der(certificate);
    SignatureHash::of(Certificate::parse(&der).unwrap().signature_algorithm)
}

#[test]
fn the_end_point_is_what_openssl_computes() {
    let mut count = 0;
    for line in vector("end-points").lines() {
        let (certificate, expected) = line.split_once(' ').unwrap();
        let found = server_end_point(&vector_der(certificate)).unwrap();
        let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, expected, "{certificate}");
        count += 1;
    }
    assert_eq!(count, 13);
}

#[test]
fn signatures_with_no_hash_or_several_have_no_end_point() {
    let pinned = Identity::generate().unwrap();
    let issued = Authority::new("CA").unwrap();
    let issued = issued.issue_server(["a.example"]).unwrap();
    for certificate in [
        vector_der("leaf"),
        vector_der("self"),
        pinned.certificates()[0].clone(),
        issued.certificates()[0].clone(),
        // RSASSA-PSS with SHA-384, and SHA-256 in its mask generation function.
        vector_der("leaf-pss-mixed"),
        // A hash function that we do not have.
        vector_der("leaf-rsa-sha3"),
        b"no certificate".to_vec(),
    ] {
        assert_eq!(server_end_point(&certificate), None);
    }
}

#[test]
fn only_md5_and_sha_1_are_broken() {
    for (certificate, hash) in [
        ("leaf-rsa-md5", SignatureHash::Md5),
        ("leaf-rsa-sha1", SignatureHash::Sha1),
        ("leaf-ec-sha1", SignatureHash::Sha1),
        // RFC 4055, 3.1: SHA-1 is the default of both hashes of RSASSA-PSS.
        ("leaf-pss-sha1", SignatureHash::Sha1),
    ] {
        assert_eq!(hash_of(certificate), Some(hash), "{certificate}");
        assert!(hash.is_broken());
        // RFC 9846, 4.5.1.3: so the alert is bad_certificate.
        let der = vector_der(certificate);
        let algorithm = Certificate::parse(&der).unwrap().signature_algorithm;
        assert_eq!(path::unsupported(algorithm), CertificateError::BrokenHash);
    }
    for (certificate, hash) in [
        ("leaf-ec-sha224", SignatureHash::Sha224),
        ("leaf-rsa-sha256", SignatureHash::Sha256),
        ("leaf-pss-sha384", SignatureHash::Sha384),
        ("leaf-ec-sha512", SignatureHash::Sha512),
    ] {
        assert_eq!(hash_of(certificate), Some(hash), "{certificate}");
        assert!(!hash.is_broken());
    }
}

#[test]
fn malformed_algorithms_have_no_hash() {
    let der = vector_der("leaf-pss-sha384");
    let algorithm = Certificate::parse(&der).unwrap().signature_algorithm;
    assert_eq!(SignatureHash::of(algorithm), Some(SignatureHash::Sha384));
    for length in 0..algorithm.len() {
        assert_eq!(SignatureHash::of(&algorithm[..length]), None, "{length}");
    }
    for place in 0..algorithm.len() {
        for bit in 0..8 {
            let mut changed = algorithm.to_vec();
            changed[place] ^= 1 << bit;
            // Nothing panics, and no change of one bit leads to a hash that is broken.
            assert!(!SignatureHash::of(&changed).is_some_and(SignatureHash::is_broken));
        }
    }
}
