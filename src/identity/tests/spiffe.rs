//! SPIFFE IDs: which certificates have one, who vouches for it, and what else they are not.

use rcgen::{CertificateParams, KeyUsagePurpose, SanType};

use super::forge::{Ca, ca_params, leaf_params};
use super::{as_server, chain, name, now};
use crate::error::{CertificateError, ConfigError, Error};
use crate::identity::{Authority, Identity, Peer, RevocationLists, Trust, VerifiedIdentity, pem};

const DB: &str = "spiffe://example.org/db";

fn trust(domain: &str, authority: &Authority) -> Trust {
    Trust::spiffe_roots_from_pem(domain, authority.certificate_pem()).unwrap()
}

fn issue(authority: &Authority, names: &[&str]) -> Identity {
    let names = names.iter().copied();
    let issued = authority
        .certificate()
        .server(names)
        .client("alice")
        .issue();
    issued.unwrap()
}

fn as_client(trust: &Trust, identity: &Identity) -> Result<Peer, CertificateError> {
    let verified = trust.verify_client(&chain(identity), now())?;
    Ok(Peer::from_verified(verified))
}

fn error(result: Result<VerifiedIdentity, CertificateError>) -> CertificateError {
    result.map(drop).unwrap_err()
}

#[test]
fn a_server_is_reached_by_its_spiffe_id() {
    let authority = Authority::new("example.org").unwrap();
    let below = Authority::builder("below").build_under(&authority).unwrap();
    let identity = issue(&below, &["db.internal", DB]);
    let trust = trust("example.org", &authority);
    let peer = Peer::from_verified(as_server(&trust, &chain(&identity), DB).unwrap());
    assert_eq!(peer.spiffe_id().as_deref(), Some(DB));
    // The root vouches for nothing else.
    assert_eq!(
        (peer.names(), peer.uris()),
        (vec![DB.to_owned()], vec![DB.to_owned()])
    );
    assert_eq!((peer.subject(), peer.common_name()), (String::new(), None));
    assert_eq!(peer.certificate_info(), identity.certificate_info());
    assert!(peer.expires().is_some());
    let found = trust
        .check_server(identity.chain_pem(), DB, now().unix)
        .unwrap();
    assert_eq!(found.names, [DB]);
    assert!(matches!(
        error(as_server(&trust, &chain(&identity), "db.internal")),
        CertificateError::UnknownIssuer { .. }
    ));
    // Another path, also one that begins or ends like it.
    for other in [
        "spiffe://example.org/d",
        "spiffe://example.org/db/1",
        "spiffe://example.org/DB",
    ] {
        assert_eq!(
            error(as_server(&trust, &chain(&identity), other)),
            CertificateError::WrongName {
                expected: other.to_owned(),
                presented: vec![DB.to_owned()],
                more: 0
            }
        );
    }
    // Another domain has no roots here.
    assert!(matches!(
        error(as_server(
            &trust,
            &chain(&identity),
            "spiffe://example.com/db"
        )),
        CertificateError::UnknownIssuer { .. }
    ));
    // Without the certificate in the middle.
    assert!(matches!(
        error(as_server(&trust, &chain(&identity)[..1], DB)),
        CertificateError::UnknownIssuer { .. }
    ));
}

#[test]
fn no_domain_names_a_member_of_another() {
    let (ours, theirs) = (
        Authority::new("ours").unwrap(),
        Authority::new("theirs").unwrap(),
    );
    let trust = trust("example.org", &ours).and(trust("partner.example", &theirs));
    let good = issue(&ours, &[DB]);
    let forged = issue(&theirs, &[DB]);
    let partner = issue(&theirs, &["spiffe://partner.example/web"]);
    assert_eq!(
        as_client(&trust, &good).unwrap().spiffe_id().as_deref(),
        Some(DB)
    );
    assert_eq!(
        as_client(&trust, &partner).unwrap().names(),
        ["spiffe://partner.example/web"]
    );
    assert!(as_server(&trust, &chain(&good), DB).is_ok());
    for result in [
        trust.verify_client(&chain(&forged), now()),
        as_server(&trust, &chain(&forged), DB),
        as_server(&trust, &chain(&forged), "spiffe://partner.example/web"),
    ] {
        assert!(matches!(
            error(result),
            CertificateError::UnknownIssuer { .. } | CertificateError::WrongName { .. }
        ));
    }
    // An unknown domain.
    let unknown = issue(&ours, &["spiffe://elsewhere.example/db"]);
    assert!(matches!(
        error(trust.verify_client(&chain(&unknown), now())),
        CertificateError::UnknownIssuer { .. }
    ));
}

#[test]
fn roots_without_a_domain_vouch_for_no_spiffe_id() {
    let (names, ids) = (
        Authority::new("names").unwrap(),
        Authority::new("ids").unwrap(),
    );
    let both = names.trust().and(trust("example.org", &ids));
    let claims = issue(&names, &["db.internal", DB]);
    assert!(matches!(
        error(as_server(&names.trust(), &chain(&claims), DB)),
        CertificateError::UnknownIssuer { .. }
    ));
    assert!(matches!(
        error(as_server(&both, &chain(&claims), DB)),
        CertificateError::UnknownIssuer { .. }
    ));
    // As a client it is who the root without a domain says, and has no ID.
    let peer = as_client(&both, &claims).unwrap();
    assert_eq!(peer.spiffe_id(), None);
    assert_eq!(peer.names(), ["db.internal"]);
    assert_eq!(peer.common_name().as_deref(), Some("alice"));
    // And a root of a domain vouches for no DNS name, next to one that does.
    let server = issue(&ids, &["db.internal", DB]);
    assert!(matches!(
        error(as_server(&both, &chain(&server), "db.internal")),
        CertificateError::UnknownIssuer { .. }
    ));
    let peer = as_client(&both, &server).unwrap();
    assert_eq!(
        (peer.names(), peer.common_name()),
        (vec![DB.to_owned()], None)
    );
    // One root can be trusted for both.
    let all = ids.trust().and(trust("example.org", &ids));
    assert!(as_server(&all, &chain(&server), "db.internal").is_ok());
    assert!(as_server(&all, &chain(&server), DB).is_ok());
    assert!(as_client(&all, &server).unwrap().spiffe_id().is_some());
}

#[test]
fn what_is_not_an_svid_is_refused() {
    let root = Ca::root();
    let trust = Trust::spiffe_roots_from_pem("example.org", &root.der).unwrap();
    let leaf = |uris: &[&str], usages: &[KeyUsagePurpose]| {
        let mut params: CertificateParams = leaf_params(&["db.internal"]);
        for uri in uris {
            let uri = SanType::URI((*uri).try_into().unwrap());
            params.subject_alt_names.push(uri);
        }
        params.key_usages = usages.to_vec();
        root.leaf(&params)
    };
    use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyCertSign};
    let long = format!("spiffe://example.org/{}", "x".repeat(2048));
    let reason = |error| match error {
        CertificateError::NotAnSvid { reason } => reason,
        other => panic!("{other:?}"),
    };
    for (uris, usages, expected) in [
        (&[][..], &[DigitalSignature][..], "exactly one URI"),
        (&[DB, DB], &[DigitalSignature], "exactly one URI"),
        (
            &[DB, "https://example.org/"],
            &[DigitalSignature],
            "exactly one URI",
        ),
        // Names that are not shown count too.
        (&[DB, "x:\n"], &[DigitalSignature], "exactly one URI"),
        (&[DB, &long], &[DigitalSignature], "exactly one URI"),
        (&[&long], &[DigitalSignature], "not a SPIFFE ID"),
        (
            &["https://example.org/db"],
            &[DigitalSignature],
            "not a SPIFFE ID",
        ),
        (
            &["spiffe://example.org"],
            &[DigitalSignature],
            "not a SPIFFE ID",
        ),
        (
            &["spiffe://example.org/"],
            &[DigitalSignature],
            "not a SPIFFE ID",
        ),
        (
            &["SPIFFE://example.org/db"],
            &[DigitalSignature],
            "not a SPIFFE ID",
        ),
        (&[DB], &[], "key usage"),
        (&[DB], &[DigitalSignature, KeyCertSign], "key usage"),
        (&[DB], &[DigitalSignature, CrlSign], "key usage"),
    ] {
        let leaf = leaf(uris, usages);
        for result in [
            trust.verify_client(&[&leaf], now()),
            as_server(&trust, &[&leaf], DB),
        ] {
            let error = error(result);
            assert_eq!(error.alert().0, 42);
            assert!(reason(error).contains(expected), "{uris:?} {usages:?}");
        }
    }
    assert!(
        trust
            .verify_client(&[&leaf(&[DB], &[DigitalSignature])], now())
            .is_ok()
    );
    // An authority is not a member, even with an ID.
    let mut params = ca_params("below");
    params.subject_alt_names = vec![SanType::URI(DB.try_into().unwrap())];
    params.key_usages = vec![DigitalSignature, KeyCertSign];
    let below = root.below(params);
    assert_eq!(
        error(as_server(&trust, &[&below.der], DB)),
        CertificateError::AuthorityAsLeaf
    );
    assert!(trust.verify_client(&[&below.der], now()).is_err());
}

/// Path validation does not know these constraints, and refuses what they could concern.
#[test]
fn constraints_of_uris_and_directory_names_refuse() {
    // `permit` excludes all URIs.
    let authority = Authority::new("CA").unwrap();
    let narrow = Authority::builder("narrow").permit(["internal"]);
    let narrow = Ca::of(&narrow.build_under(&authority).unwrap(), "narrow");
    let mut leaf = leaf_params(&["db.internal"]);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let without = narrow.leaf(&leaf);
    leaf.subject_alt_names
        .push(SanType::URI(DB.try_into().unwrap()));
    let with = narrow.leaf(&leaf);
    let both = authority.trust().and(trust("example.org", &authority));
    assert!(as_server(&both, &[&without, &narrow.der], "db.internal").is_ok());
    for host in ["db.internal", DB] {
        assert_eq!(
            error(as_server(&both, &[&with, &narrow.der], host)),
            CertificateError::NameConstraint
        );
    }
    // Every certificate has a subject, so a constraint of directory names refuses them all, even
    // those inside of it.
    let mut name = rcgen::DistinguishedName::new();
    name.push(rcgen::DnType::CommonName, "leaf");
    let subtrees = vec![rcgen::GeneralSubtree::DirectoryName(name)];
    let constraints = |permitted, excluded| rcgen::NameConstraints {
        permitted_subtrees: permitted,
        excluded_subtrees: excluded,
    };
    let root = Ca::root();
    for constraints in [
        constraints(subtrees.clone(), Vec::new()),
        constraints(Vec::new(), subtrees),
    ] {
        let mut params = ca_params("constrained");
        params.name_constraints = Some(constraints);
        let below = root.below(params);
        let leaf = below.leaf(&leaf_params(&["db.internal"]));
        let trust = Trust::roots_from_der([&root.der]).unwrap();
        assert_eq!(
            error(as_server(&trust, &[&leaf, &below.der], "db.internal")),
            CertificateError::NameConstraint
        );
    }
}

#[test]
fn a_domain_counts_in_the_digest_and_in_a_ticket() {
    let authority = Authority::new("CA").unwrap();
    let (one, two) = (trust("a", &authority), trust("b", &authority));
    let digests = [
        one.digest(),
        two.digest(),
        one.clone().and(two.clone()).digest(),
        authority.trust().digest(),
        authority.trust().and(one.clone()).digest(),
    ];
    for (index, digest) in digests.iter().enumerate() {
        assert_eq!(
            digests.iter().position(|other| other == digest),
            Some(index)
        );
    }
    assert_eq!(two.clone().and(one.clone()).digest(), digests[2]);
    // The list of authorities in a request has them.
    assert_eq!(one.authorities(), authority.trust().authorities());

    let member = issue(&authority, &["spiffe://a/x", "db.internal"]);
    let peer = as_client(&one, &member).unwrap();
    let ticket = peer.to_ticket();
    let expires = peer.expires().unwrap().as_secs();
    let leaf = &member.certificates()[0];
    assert_eq!(ticket, [&[4][..], &expires.to_be_bytes(), leaf].concat());
    let back = Peer::from_ticket(&ticket).unwrap();
    assert_eq!(back.spiffe_id().as_deref(), Some("spiffe://a/x"));
    assert_eq!(
        (back.names(), back.expires()),
        (peer.names(), peer.expires())
    );
    assert_eq!(back.to_ticket(), ticket);
    // A leaf without an ID is not remembered as having one.
    let other = authority.issue_client("alice").unwrap();
    let other = [&[4][..], &expires.to_be_bytes(), &other.certificates()[0]].concat();
    assert!(Peer::from_ticket(&other).is_none());
    let raw = [&[4][..], &expires.to_be_bytes(), &member.spki()].concat();
    assert!(Peer::from_ticket(&raw).is_none());
}

#[test]
fn lists_apply_and_keys_can_be_bound() {
    let authority = Authority::new("CA").unwrap();
    let member = issue(&authority, &[DB]);
    let list = authority
        .revocation_list()
        .revoke(&member)
        .issue_pem()
        .unwrap();
    let lists = RevocationLists::from_pem(list).unwrap();
    let trust = trust("example.org", &authority).with_revocation_lists(lists);
    trust.check().unwrap();
    assert_eq!(
        error(as_server(&trust, &chain(&member), DB)),
        CertificateError::Revoked
    );
    assert_eq!(
        error(trust.verify_client(&chain(&member), now())),
        CertificateError::Revoked
    );

    let key = Identity::generate().unwrap();
    let pinned = Trust::key_for(DB, key.public_key());
    pinned.check().unwrap();
    let peer = pinned
        .verify_server_key(&key.spki(), Some(&name(DB)))
        .unwrap();
    assert_eq!(Peer::from_verified(peer).pinned_names(), [DB]);
    let other = name("spiffe://example.org/web");
    assert!(pinned.verify_server_key(&key.spki(), Some(&other)).is_err());
}

#[test]
fn a_trust_domain_is_a_name() {
    let authority = Authority::new("CA").unwrap();
    for domain in [
        "",
        "Example.org",
        "example.org/",
        "spiffe://example.org",
        "a:1",
        "ä",
        "a b",
    ] {
        assert!(matches!(
            Trust::spiffe_roots_from_pem(domain, authority.certificate_pem()),
            Err(Error::Config(ConfigError::Setting {
                name: "trust domain",
                ..
            }))
        ));
    }
    assert!(matches!(
        Trust::spiffe_roots_from_pem("a", pem::write_certificates([])),
        Err(Error::Config(ConfigError::NoPemSection { .. }))
    ));
    let server = crate::identity::ServerName::parse(DB).unwrap();
    assert_eq!(
        (server.dns(), server.ip(), server.spiffe_id()),
        (None, None, Some(DB))
    );
    assert_eq!(server.to_string(), DB);
}
