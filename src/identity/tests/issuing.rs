//! What Authority makes, read again; and by whom it is accepted.

use core::time::Duration;

use super::{as_server, at, chain, name, now};
use crate::error::{CertificateError, ConfigError, Error, NameError};
use crate::identity::certificate::Certificate;
use crate::identity::{Authority, Identity, Peer, Trust, Validity, pem};

const HOST: &str = "a.example";

fn peer(authority: &Authority, client: &Identity) -> Peer {
    Peer::from_verified(authority.trust().verify_client(&chain(client), now()).unwrap())
}

/// Why a certificate was not even issued.
fn not_issued(result: Result<Identity, Error>) -> CertificateError {
    match result {
        Err(Error::Config(ConfigError::Certificate { index: 0, error })) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn server_and_client() {
    let authority = Authority::new("CA").unwrap();
    let server = authority.issue_server([HOST, "*.b.example", "10.0.0.1", "::1"]).unwrap();
    let client = authority.issue_client("alice").unwrap();
    for host in [HOST, "x.b.example", "10.0.0.1", "::1"] {
        as_server(&authority.trust(), &chain(&server), host).unwrap();
    }
    assert_eq!(authority.trust().verify_client(&chain(&server), now()).map(drop), Err(CertificateError::ExtendedKeyUsage));
    assert_eq!(as_server(&authority.trust(), &chain(&client), "alice").map(drop), Err(CertificateError::ExtendedKeyUsage));

    let peer = peer(&authority, &client);
    assert_eq!((peer.common_name().as_deref(), peer.subject().as_str()), (Some("alice"), "CN=alice"));
    assert_eq!((peer.names(), peer.uris()), (vec!["alice".to_owned()], vec![]));
    assert_eq!((peer.public_key(), peer.pinned_names()), (client.public_key(), &[][..]));
    let text = format!("{peer:?}");
    assert!(text.contains("alice") && text.contains(&client.public_key().to_string()), "{text}");
}

#[test]
fn a_clients_name_is_text_and_not_syntax() {
    let authority = Authority::new("CA").unwrap();
    for called in ["Alice A.", "alice,O=admin", "CN=x", "a+b=c", "\"quoted\"", "Ærøskøbing", "alice@example.org", "#0403"] {
        let peer = peer(&authority, &authority.issue_client(called).unwrap());
        assert_eq!(peer.common_name().as_deref(), Some(called));
        assert!(peer.names().is_empty());
    }
    for called in ["", &"x".repeat(65)] {
        let refused = authority.issue_client(called).map(drop);
        assert!(matches!(refused, Err(Error::Config(ConfigError::Setting { name: "common name", .. }))));
        assert!(Authority::new(called).is_err());
    }
}

#[test]
fn a_server_with_a_long_name_has_no_subject() {
    // RFC 5280, 4.2.1.6: subjectAltName is critical then.
    let authority = Authority::new("CA").unwrap();
    let long = format!("{}.example", "a".repeat(60));
    let server = authority.issue_server([long.as_str()]).unwrap();
    as_server(&authority.trust(), &chain(&server), &long).unwrap();
    let leaf = Certificate::parse(&server.certificates()[0]).unwrap();
    assert_eq!(leaf.subject, [0x30, 0]);
    let critical = [0x55, 0x1d, 17, 0x01, 0x01, 0xff];
    assert!(server.certificates()[0].windows(6).any(|bytes| bytes == critical));
}

#[test]
fn both_roles_and_either_role() {
    let authority = Authority::new("CA").unwrap();
    for member in [
        authority.certificate().server(["node-1.mesh"]).client("node-1").issue().unwrap(),
        authority.certificate().client("node-1.mesh").server(["node-1.mesh"]).issue().unwrap(),
    ] {
        as_server(&authority.trust(), &chain(&member), "node-1.mesh").unwrap();
        authority.trust().verify_client(&chain(&member), now()).unwrap();
    }
    // Without a role there is no extended key usage, and both pass.
    let any = authority.certificate().common_name("any").issue().unwrap();
    authority.trust().verify_client(&chain(&any), now()).unwrap();
}

#[test]
fn names_that_are_none() {
    let authority = Authority::new("CA").unwrap();
    for bad in ["", "a.example:443", "bücher.example", "*.10.0.0.1", "*", "a.*.example", "**.example"] {
        assert!(matches!(authority.issue_server([bad]), Err(Error::Name(_))), "{bad}");
        assert!(matches!(Identity::self_signed([bad]), Err(Error::Name(_))), "{bad}");
    }
    assert!(matches!(authority.issue_server([]), Err(Error::Config(ConfigError::Missing { .. }))));
    assert!(matches!(authority.certificate().issue(), Err(Error::Config(ConfigError::Missing { .. }))));
    assert!(matches!(Identity::self_signed([]), Err(Error::Config(ConfigError::Missing { .. }))));
    assert!(matches!(Authority::builder("CA").permit(["*.example"]).build(), Err(Error::Name(NameError::Invalid))));
}

#[test]
fn no_two_certificates_have_one_serial_number() {
    let authority = Authority::new("CA").unwrap();
    let serial = |identity: &Identity| {
        let der = identity.certificates()[0].clone();
        let at = der.windows(5).position(|bytes| bytes == [0xa0, 3, 2, 1, 2]).unwrap() + 5;
        // INTEGER of 16 bytes, positive, no leading zero.
        assert_eq!(der[at..at + 2], [2, 16]);
        assert!((0x40..0x80).contains(&der[at + 2]));
        der[at + 2..at + 18].to_vec()
    };
    let mut serials: Vec<_> = (0..20).map(|_| serial(&authority.issue_client("alice").unwrap())).collect();
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 20);
}

#[test]
fn authorities_below_authorities() {
    let root = Authority::builder("root").path_length(1).build().unwrap();
    let below = Authority::builder("below").build_under(&root).unwrap();
    let server = below.issue_server([HOST]).unwrap();
    assert_eq!(server.certificates().len(), 2);
    as_server(&root.trust(), &chain(&server), HOST).unwrap();
    as_server(&below.trust(), &chain(&server), HOST).unwrap();
    // An authority below another may have none below it, unless it is told so.
    let refused = Authority::builder("lower").build_under(&below).map(drop);
    assert!(matches!(refused, Err(Error::Config(ConfigError::Issue { .. }))));
    // Nor do longer promises of one in the middle help.
    let generous = Authority::builder("generous").path_length(5).build_under(&root).unwrap();
    assert!(Authority::builder("lower").build_under(&generous).is_err());
    // Whoever issues all the same is not believed: the root that it leads to allows one in between.
    let top = Trust::roots_from_der(&generous.certificates()[..1]).unwrap();
    let alone = Authority::from_pem(pem::write_certificates([generous.certificates()[0].as_slice()]), generous.key_pem().expose()).unwrap();
    let lower = Authority::builder("lower").build_under(&alone).unwrap();
    let server = lower.issue_server([HOST]).unwrap();
    as_server(&top, &chain(&server), HOST).unwrap();
    let verdict = as_server(&root.trust(), &[&server.certificates()[0], &server.certificates()[1], &generous.certificates()[0]], HOST);
    assert_eq!(verdict.map(drop), Err(CertificateError::PathConstraint));

    // Loaded again, with the chain.
    let loaded = Authority::from_pem(below.chain_pem(), below.key_pem().expose()).unwrap();
    as_server(&root.trust(), &chain(&loaded.issue_server([HOST]).unwrap()), HOST).unwrap();
    assert_eq!(loaded.certificates().len(), 2);
}

/// Who trusts an authority trusts neither the one above it nor its neighbours.
#[test]
fn trust_in_an_authority_below_is_trust_in_no_other() {
    let root = Authority::builder("root").build().unwrap();
    let [sales, support] = ["sales", "support"].map(|name| Authority::builder(name).build_under(&root).unwrap());
    let trusts = [sales.trust(), Trust::roots_from_pem(sales.certificate_pem()).unwrap()];
    for trust in trusts {
        trust.verify_client(&chain(&sales.issue_client("alice").unwrap()), now()).unwrap();
        for other in [&root, &support] {
            let verdict = trust.verify_client(&chain(&other.issue_client("alice").unwrap()), now());
            assert_eq!(verdict.map(drop), Err(CertificateError::UnknownIssuer));
        }
    }
}

#[test]
fn permitted_names_and_no_others() {
    let root = Authority::new("root").unwrap();
    let verdict = |permitted: &[&str], host: &str| {
        let below = Authority::builder("below").permit(permitted.iter().copied()).build_under(&root).unwrap();
        match below.issue_server([host]) {
            Ok(server) => as_server(&root.trust(), &chain(&server), host).map(drop),
            refused => Err(not_issued(refused)),
        }
    };
    let no = Err(CertificateError::NameConstraint);
    for host in ["db.internal", "a.db.internal"] {
        assert_eq!(verdict(&["db.internal"], host), Ok(()));
    }
    // RFC 5280, 4.2.1.10: a form that no subtree speaks of would be free.
    for host in ["internal", "xdb.internal", "a.example", "10.0.0.1", "::1"] {
        assert_eq!(verdict(&["db.internal"], host), no, "{host}");
    }
    assert_eq!(verdict(&["db.internal", "10.0.0.1"], "10.0.0.1"), Ok(()));
    assert_eq!(verdict(&["db.internal", "10.0.0.1"], "10.0.0.2"), no);
    assert_eq!(verdict(&["db.internal", "10.0.0.1"], "::1"), no);
    assert_eq!(verdict(&["2001:db8::1"], "2001:db8::1"), Ok(()));
    assert_eq!(verdict(&["2001:db8::1"], "a.example"), no);
    // On a root as well.
    let root = Authority::builder("root").permit(["example"]).build().unwrap();
    as_server(&root.trust(), &chain(&root.issue_server([HOST]).unwrap()), HOST).unwrap();
    assert_eq!(not_issued(root.issue_server(["a.other"])), CertificateError::NameConstraint);
    assert_eq!(not_issued(root.issue_client("alice")), CertificateError::NameConstraint);
}

#[test]
fn validity() {
    let seconds = Duration::from_secs;
    let authority = Authority::builder("CA").validity(Validity::between(seconds(1000), seconds(5000)).unwrap()).build().unwrap();
    let leaf =
        |from, to| authority.certificate().server([HOST]).validity(Validity::between(seconds(from), seconds(to)).unwrap()).issue().unwrap();
    let verdict =
        |identity: &Identity, unix| authority.trust().verify_server(&chain(identity), Some(&name(HOST)), at(seconds(unix))).map(drop);
    let inside = leaf(2000, 3000);
    assert_eq!(verdict(&inside, 1999), Err(CertificateError::NotValidYet));
    assert_eq!((verdict(&inside, 2000), verdict(&inside, 3000)), (Ok(()), Ok(())));
    assert_eq!(verdict(&inside, 3001), Err(CertificateError::Expired));
    // No longer than its authority, which path validation does not look at, since it is a root.
    let outside = leaf(0, 9000);
    assert_eq!(verdict(&outside, 999), Err(CertificateError::NotValidYet));
    assert_eq!((verdict(&outside, 1000), verdict(&outside, 5000)), (Ok(()), Ok(())));
    assert_eq!(verdict(&outside, 5001), Err(CertificateError::Expired));
    // Also after it was loaded.
    let loaded = Authority::from_pem(authority.certificate_pem(), authority.key_pem().expose()).unwrap();
    let outside = loaded.certificate().server([HOST]).validity(Validity::unlimited()).issue().unwrap();
    assert_eq!(verdict(&outside, 5001), Err(CertificateError::Expired));

    assert!(Validity::between(seconds(5), seconds(5)).is_err());
    assert!(Validity::between(seconds(5), seconds(253_402_300_800)).is_err());
    assert_eq!(Validity::days(u32::MAX).not_after(), seconds(253_402_300_799));
    assert_eq!(Validity::days(1).not_after() - Validity::days(0).not_before(), seconds(86_400 + 300));
}

#[test]
fn dates_change_their_form_in_2050() {
    // RFC 5280, 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on.
    let seconds = Duration::from_secs;
    let (last, first) = (seconds(2_524_607_999), seconds(2_524_608_000));
    for (moment, text) in
        [(last, &b"\x17\x0d491231235959Z"[..]), (first, b"\x18\x0f20500101000000Z"), (seconds(253_402_300_799), b"\x18\x0f99991231235959Z")]
    {
        let authority = Authority::builder("CA").validity(Validity::between(Duration::ZERO, moment).unwrap()).build().unwrap();
        let der = pem::certificates(authority.certificate_pem().as_bytes()).unwrap().remove(0);
        assert!(der.windows(text.len()).any(|bytes| bytes == text), "{moment:?}");
        assert!(der.windows(15).any(|bytes| bytes == b"\x17\x0d700101000000Z"));
    }
}

#[test]
fn a_key_that_is_kept_elsewhere() {
    let authority = Authority::new("CA").unwrap();
    let elsewhere = Identity::generate().unwrap();
    let chain_pem = authority.certificate().server([HOST]).issue_for(elsewhere.public_key()).unwrap();
    let identity = Identity::from_pem(chain_pem, elsewhere.key_pem().expose()).unwrap();
    as_server(&authority.trust(), &chain(&identity), HOST).unwrap();
}

#[test]
fn self_signed_names_are_for_pinned_keys() {
    let own = Identity::self_signed([HOST, "10.0.0.1"]).unwrap();
    assert!(own.matches_name(HOST));
    as_server(&Trust::key_for(HOST, own.public_key()), &chain(&own), HOST).unwrap();
    assert!(matches!(Trust::roots_from_pem(own.chain_pem()), Err(Error::Config(ConfigError::Certificate { .. }))));
}

#[test]
fn what_cannot_be_an_authority() {
    let authority = Authority::new("CA").unwrap();
    let leaf = authority.issue_server([HOST]).unwrap();
    let refused = |certificate: String, key: &Identity| match Authority::from_pem(certificate, key.key_pem().expose()).map(drop) {
        Err(Error::Config(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(leaf.chain_pem(), &leaf), ConfigError::Certificate { index: 0, error: CertificateError::PathConstraint });
    assert_eq!(refused(authority.certificate_pem(), &leaf), ConfigError::KeyMismatch);
    let swapped = Authority::from_pem(authority.key_pem().expose(), authority.certificate_pem()).map(drop);
    assert!(swapped.unwrap_err().to_string().contains("swapped"));
}
