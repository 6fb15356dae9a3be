//! The certificate revocation lists that an authority issues, parsed again.

use core::time::Duration;

use super::forge::{Ca, ca_params};
use super::revocation_lists::{DAY, HOST, World, as_client, none_of, trust, world};
use super::{as_server, chain, now};
use crate::error::CertificateError;
use crate::identity::{Authority, Validity};

#[test]
fn a_following_list_says_what_the_former_did() {
    let World {
        root,
        below,
        server,
        client,
    } = &world();
    let first = below.revocation_list().revoke(server).issue_pem().unwrap();
    let second = below
        .revocation_list()
        .following(&first)
        .revoke(client)
        .revoke(server)
        .issue_pem()
        .unwrap();
    let trust = trust(root, &[none_of(root), second.clone()]);
    assert_eq!(
        as_server(&trust, &chain(server), HOST).map(drop),
        Err(CertificateError::Revoked)
    );
    assert_eq!(
        as_client(&trust, client).map(drop),
        Err(CertificateError::Revoked)
    );
    // Each certificate is listed once, and the number is higher.
    let read = |pem: &str| {
        let der = crate::identity::pem::revocation_lists(pem.as_bytes())
            .unwrap()
            .remove(0);
        <x509_cert::crl::CertificateList as x509_cert::der::Decode>::from_der(&der)
            .unwrap()
            .tbs_cert_list
    };
    let number = |pem: &str| {
        let list = read(pem);
        let extension = list.crl_extensions.unwrap().remove(0);
        extension.extn_value.as_bytes().to_vec()
    };
    assert_eq!(read(&second).revoked_certificates.unwrap().len(), 2);
    assert!(number(&second) > number(&first));
    // RFC 5280, 5.1.2.6: without entries the field is absent.
    assert!(read(&none_of(below)).revoked_certificates.is_none());
}

#[test]
fn what_cannot_be_issued_says_why() {
    let World {
        root,
        below,
        server,
        ..
    } = &world();
    let other = Authority::new("root").unwrap();
    let in_1970 = Validity::between(Duration::ZERO, DAY).unwrap();
    let unix = now().unix;
    let soon = Validity::between(unix, unix + DAY).unwrap();
    let later = Validity::between(unix + 2 * DAY, unix + 3 * DAY).unwrap();
    let later = root.revocation_list().validity(later).issue_pem().unwrap();
    let strange = Ca::new(ca_params("root")).authority(); // keyCertSign alone
    for (built, words) in [
        (
            root.revocation_list().revoke(server),
            "issued by another authority",
        ),
        (
            root.revocation_list().revoke_certificate(b"no certificate"),
            "well-formed",
        ),
        (root.revocation_list().revoke_serial([0x7f; 21]), "20 bytes"),
        (root.revocation_list().following("nothing"), "X509 CRL"),
        (
            root.revocation_list().following(none_of(below)),
            "another authority's",
        ),
        (
            root.revocation_list().following(none_of(&other)),
            "another authority's",
        ),
        (strange.revocation_list(), "cRLSign"),
        (
            root.revocation_list().validity(in_1970),
            "outside of the authority's own",
        ),
        (
            root.revocation_list().following(later).validity(soon),
            "the former list begins",
        ),
    ] {
        let error = built.issue_pem().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
