//! What Authority issues, parsed again, and which parties accept it.

use core::time::Duration;

use super::forge::{Ca, ca_params, leaf_params};
use super::{as_server, at, chain, expired, name, not_valid_yet, now, unknown_issuer};
use crate::error::{CertificateError, ConfigError, Error, NameError};
use crate::identity::certificate::Certificate;
use crate::identity::{Authority, Identity, Peer, Trust, Validity, pem};

const HOST: &str = "a.example";

fn peer(authority: &Authority, client: &Identity) -> Peer {
    Peer::from_verified(
        authority
            .trust()
            .verify_client(&chain(client), now())
            .unwrap(),
    )
}

/// Returns why a certificate was not issued.
fn not_issued(result: Result<Identity, Error>) -> CertificateError {
    match result {
        Err(Error::Config(ConfigError::Certificate { index: 0, error })) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn server_and_client() {
    let authority = Authority::new("CA").unwrap();
    let server = authority
        .issue_server([HOST, "*.b.example", "10.0.0.1", "::1"])
        .unwrap();
    let client = authority.issue_client("alice").unwrap();
    for host in [HOST, "x.b.example", "10.0.0.1", "::1"] {
        as_server(&authority.trust(), &chain(&server), host).unwrap();
    }
    assert_eq!(
        authority
            .trust()
            .verify_client(&chain(&server), now())
            .map(drop),
        Err(CertificateError::ExtendedKeyUsage)
    );
    assert_eq!(
        as_server(&authority.trust(), &chain(&client), "alice").map(drop),
        Err(CertificateError::ExtendedKeyUsage)
    );

    let peer = peer(&authority, &client);
    assert_eq!(
        (peer.common_name().as_deref(), peer.subject().as_str()),
        (Some("alice"), "CN=alice")
    );
    assert_eq!(
        (peer.names(), peer.uris()),
        (vec!["alice".to_owned()], vec![])
    );
    assert_eq!(
        (peer.public_key(), peer.pinned_names()),
        (client.public_key(), &[][..])
    );
    let text = format!("{peer:?}");
    assert!(
        text.contains("alice") && text.contains(&client.public_key().to_string()),
        "{text}"
    );
}

#[test]
fn a_clients_name_is_text_and_not_syntax() {
    let authority = Authority::new("CA").unwrap();
    for called in [
        "Alice A.",
        "alice,O=admin",
        "CN=x",
        "a+b=c",
        "\"quoted\"",
        "Ærøskøbing",
        "alice@example.org",
        "#0403",
    ] {
        let peer = peer(&authority, &authority.issue_client(called).unwrap());
        assert_eq!(peer.common_name().as_deref(), Some(called));
        assert!(peer.names().is_empty());
    }
    for called in ["", &"x".repeat(65)] {
        let refused = authority.issue_client(called).map(drop);
        assert!(matches!(
            refused,
            Err(Error::Config(ConfigError::Setting {
                name: "common name",
                ..
            }))
        ));
        assert!(Authority::new(called).is_err());
    }
}

#[test]
fn a_server_with_a_long_name_has_no_subject() {
    // RFC 5280, 4.2.1.6: subjectAltName is then critical.
    let authority = Authority::new("CA").unwrap();
    let long = format!("{}.example", "a".repeat(60));
    let server = authority.issue_server([long.as_str()]).unwrap();
    as_server(&authority.trust(), &chain(&server), &long).unwrap();
    let leaf = Certificate::parse(&server.certificates()[0]).unwrap();
    assert_eq!(leaf.subject, [0x30, 0]);
    let critical = [0x55, 0x1d, 17, 0x01, 0x01, 0xff];
    assert!(
        server.certificates()[0]
            .windows(6)
            .any(|bytes| bytes == critical)
    );
}

#[test]
fn both_roles_and_either_role() {
    let authority = Authority::new("CA").unwrap();
    for member in [
        authority
            .certificate()
            .server(["node-1.mesh"])
            .client("node-1")
            .issue()
            .unwrap(),
        authority
            .certificate()
            .client("node-1.mesh")
            .server(["node-1.mesh"])
            .issue()
            .unwrap(),
    ] {
        as_server(&authority.trust(), &chain(&member), "node-1.mesh").unwrap();
        authority
            .trust()
            .verify_client(&chain(&member), now())
            .unwrap();
    }
    // Without a role there is no extended key usage, and both purposes are accepted.
    let any = authority.certificate().common_name("any").issue().unwrap();
    authority
        .trust()
        .verify_client(&chain(&any), now())
        .unwrap();
}

#[test]
fn names_that_are_none() {
    let authority = Authority::new("CA").unwrap();
    for bad in [
        "",
        "a.example:443",
        "bücher.example",
        "*.10.0.0.1",
        "*",
        "a.*.example",
        "**.example",
    ] {
        assert!(
            matches!(authority.issue_server([bad]), Err(Error::Name(_))),
            "{bad}"
        );
        assert!(
            matches!(Identity::self_signed([bad]), Err(Error::Name(_))),
            "{bad}"
        );
    }
    assert!(matches!(
        authority.issue_server([]),
        Err(Error::Config(ConfigError::Missing { .. }))
    ));
    assert!(matches!(
        authority.certificate().issue(),
        Err(Error::Config(ConfigError::Missing { .. }))
    ));
    assert!(matches!(
        Identity::self_signed([]),
        Err(Error::Config(ConfigError::Missing { .. }))
    ));
    assert!(matches!(
        Authority::builder("CA").permit(["*.example"]).build(),
        Err(Error::Name(NameError::Invalid))
    ));
}

#[test]
fn no_two_certificates_have_one_serial_number() {
    let authority = Authority::new("CA").unwrap();
    let serial = |identity: &Identity| {
        let der = identity.certificates()[0].clone();
        let at = der
            .windows(5)
            .position(|bytes| bytes == [0xa0, 3, 2, 1, 2])
            .unwrap()
            + 5;
        // The serial number is a positive INTEGER of 16 bytes, without a leading zero.
        assert_eq!(der[at..at + 2], [2, 16]);
        assert!((0x40..0x80).contains(&der[at + 2]));
        der[at + 2..at + 18].to_vec()
    };
    let mut serials: Vec<_> = (0..20)
        .map(|_| serial(&authority.issue_client("alice").unwrap()))
        .collect();
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
    // An authority below another may have none below it by default, and never more than the one
    // above allows.
    let generous = Authority::builder("generous")
        .path_length(5)
        .build_under(&root)
        .unwrap();
    for above in [&below, &generous] {
        let refused = Authority::builder("lower").build_under(above).map(drop);
        assert!(matches!(
            refused,
            Err(Error::Config(ConfigError::Issue { .. }))
        ));
        // The limit also applies for parties that trust only that authority.
        assert_eq!(
            Certificate::parse(&above.certificates()[0])
                .unwrap()
                .check_may_issue()
                .unwrap()
                .path_length,
            Some(0)
        );
    }

    // The authority is loaded again, with its chain.
    let loaded = Authority::from_pem(below.chain_pem(), below.key_pem().expose()).unwrap();
    as_server(
        &root.trust(),
        &chain(&loaded.issue_server([HOST]).unwrap()),
        HOST,
    )
    .unwrap();
    assert_eq!(loaded.certificates().len(), 2);
    assert_eq!(
        pem::certificates(below.certificate_pem().as_bytes()).unwrap(),
        below.certificates()[..1]
    );
    assert_eq!(root.certificate_pem(), root.chain_pem());
}

#[test]
fn a_root_whose_path_length_only_the_root_knows() {
    // RFC 5280, 6.2: a certificate issued against the limits is refused, even if a lower authority
    // claims more.
    let constrained = |name, length| {
        let mut params = ca_params(name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(length));
        params
    };
    let root = Ca::new(constrained("root", 1));
    let upper = root.below(constrained("upper", 5));
    let lower = upper.below(constrained("lower", 0));
    let leaf = lower.leaf(&leaf_params(&[HOST]));
    let trust = |ca: &Ca| Trust::roots_from_der([&ca.der]).unwrap();
    as_server(&trust(&upper), &[&leaf, &lower.der], HOST).unwrap();
    let verdict = as_server(&trust(&root), &[&leaf, &lower.der, &upper.der], HOST);
    assert_eq!(verdict.map(drop), Err(CertificateError::PathTooLong));
}

#[test]
fn trust_in_an_authority_is_not_trust_in_those_above() {
    let root = Authority::new("root").unwrap();
    let [one, other] = ["one", "other"].map(|name| {
        Authority::builder(name)
            .path_length(1)
            .build_under(&root)
            .unwrap()
    });
    let below = Authority::builder("below").build_under(&one);
    assert!(below.is_ok());
    let below = below.unwrap();
    for trust in [
        one.trust(),
        Trust::roots_from_pem(one.certificate_pem()).unwrap(),
    ] {
        for inside in [&one, &below] {
            trust
                .verify_client(&chain(&inside.issue_client("alice").unwrap()), now())
                .unwrap();
        }
        for outside in [&root, &other] {
            let mallory = outside.issue_client("alice").unwrap();
            let mut all = chain(&mallory);
            all.push(&root.certificates()[0]);
            assert_eq!(
                trust.verify_client(&all, now()).map(drop),
                Err(unknown_issuer("CN=root", &["CN=one"]))
            );
        }
    }
    // The root may allow everything inside.
    for inside in [&root, &one, &other, &below] {
        root.trust()
            .verify_client(&chain(&inside.issue_client("alice").unwrap()), now())
            .unwrap();
    }
}

#[test]
fn an_authority_may_have_the_name_of_the_one_above() {
    let root = Authority::new("same").unwrap();
    let below = Authority::builder("same").build_under(&root).unwrap();
    as_server(
        &root.trust(),
        &chain(&below.issue_server([HOST]).unwrap()),
        HOST,
    )
    .unwrap();
}

#[test]
fn what_is_forbidden_above_is_forbidden_below() {
    let root = Authority::new("root").unwrap();
    let upper = Authority::builder("upper")
        .path_length(2)
        .permit(["internal", "10.0.0.1"])
        .build_under(&root)
        .unwrap();
    let same = Authority::builder("same")
        .path_length(1)
        .build_under(&upper)
        .unwrap();
    let narrow = Authority::builder("narrow")
        .permit(["db.internal"])
        .build_under(&same)
        .unwrap();
    // This holds also for parties that trust only the lowest authority, for which nothing above
    // counts. The certificates are signed with its key, without the checks of `issue`.
    for (authority, called, good, bad) in [
        (
            &same,
            "same",
            &["db.internal", "10.0.0.1"][..],
            &["a.example", "10.0.0.2", "::1"][..],
        ),
        (
            &narrow,
            "narrow",
            &["a.db.internal"],
            &["a.internal", "10.0.0.1"],
        ),
    ] {
        let forged = Ca::of(authority, called);
        for host in good {
            as_server(
                &authority.trust(),
                &[&forged.leaf(&leaf_params(&[host]))],
                host,
            )
            .unwrap();
        }
        for host in bad {
            let verdict = as_server(
                &authority.trust(),
                &[&forged.leaf(&leaf_params(&[host]))],
                host,
            );
            assert_eq!(
                verdict.map(drop),
                Err(CertificateError::NameConstraint),
                "{called} {host}"
            );
        }
    }
    for wider in [&["example"][..], &["db.internal", "10.0.0.2"], &["::1"]] {
        let refused = Authority::builder("wider")
            .permit(wider.iter().copied())
            .build_under(&same)
            .map(drop);
        assert!(
            matches!(refused, Err(Error::Config(ConfigError::Issue { .. }))),
            "{wider:?}"
        );
    }
}

#[test]
fn names_of_other_forms_are_not_permitted() {
    // RFC 5280, 4.2.1.10: a name form without a subtree would be unrestricted, so an authority for
    // one name could issue any SPIFFE ID.
    let root = Authority::new("root").unwrap();
    let below = Authority::builder("below")
        .permit(["db.internal"])
        .build_under(&root)
        .unwrap();
    let forged = Ca::of(&below, "below");
    for name in [
        rcgen::SanType::URI("spiffe://example.org/admin".try_into().unwrap()),
        rcgen::SanType::URI("spiffe://db.internal/db".try_into().unwrap()),
        rcgen::SanType::Rfc822Name("admin@db.internal".try_into().unwrap()),
    ] {
        let mut params = leaf_params(&["db.internal"]);
        as_server(
            &root.trust(),
            &[&forged.leaf(&params), &below.certificates()[0]],
            "db.internal",
        )
        .unwrap();
        params.subject_alt_names.push(name);
        let leaf = forged.leaf(&params);
        for trust in [root.trust(), below.trust()] {
            let verdict = trust.verify_client(&[&leaf, &below.certificates()[0]], now());
            assert_eq!(verdict.map(drop), Err(CertificateError::NameConstraint));
        }
    }
}

#[test]
fn a_subject_is_one_line() {
    let authority = Authority::new("CA").unwrap();
    let forged = Ca::of(&authority, "CA");
    for (called, subject) in [
        ("alice\nroot", "CN=alice\\0aroot"),
        ("al\0ice", "CN=al\\00ice"),
        ("\u{202e}ecila", "CN=\\e2\\80\\aeecila"),
        ("alice\u{2028}root", "CN=alice\\e2\\80\\a8root"),
    ] {
        assert!(matches!(
            authority.issue_client(called),
            Err(Error::Config(ConfigError::Setting {
                name: "common name",
                ..
            }))
        ));
        let mut params = leaf_params(&[]);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, called);
        let peer = Peer::from_verified(
            authority
                .trust()
                .verify_client(&[&forged.leaf(&params)], now())
                .unwrap(),
        );
        assert_eq!(
            (peer.common_name(), peer.subject().as_str()),
            (None, subject)
        );
    }
    let mut params = leaf_params(&[]);
    for uri in ["spiffe://a/b", "x:\n", "x: y", &"x".repeat(2049)] {
        params
            .subject_alt_names
            .push(rcgen::SanType::URI(uri.try_into().unwrap()));
    }
    let peer = Peer::from_verified(
        authority
            .trust()
            .verify_client(&[&forged.leaf(&params)], now())
            .unwrap(),
    );
    assert_eq!(peer.uris(), ["spiffe://a/b"]);
}

#[test]
fn permitted_names_and_no_others() {
    let root = Authority::new("root").unwrap();
    let verdict = |permitted: &[&str], host: &str| {
        let below = Authority::builder("below")
            .permit(permitted.iter().copied())
            .build_under(&root)
            .unwrap();
        match below.issue_server([host]) {
            Ok(server) => as_server(&root.trust(), &chain(&server), host).map(drop),
            refused => Err(not_issued(refused)),
        }
    };
    let no = Err(CertificateError::NameConstraint);
    for host in ["db.internal", "a.db.internal"] {
        assert_eq!(verdict(&["db.internal"], host), Ok(()));
    }
    // RFC 5280, 4.2.1.10: a name form without a subtree would be unrestricted.
    for host in ["internal", "xdb.internal", "a.example", "10.0.0.1", "::1"] {
        assert_eq!(verdict(&["db.internal"], host), no, "{host}");
    }
    assert_eq!(verdict(&["db.internal", "10.0.0.1"], "10.0.0.1"), Ok(()));
    assert_eq!(verdict(&["db.internal", "10.0.0.1"], "10.0.0.2"), no);
    assert_eq!(verdict(&["db.internal", "10.0.0.1"], "::1"), no);
    assert_eq!(verdict(&["2001:db8::1"], "2001:db8::1"), Ok(()));
    assert_eq!(verdict(&["2001:db8::1"], "a.example"), no);
    // The same holds on a root.
    let root = Authority::builder("root")
        .permit(["example"])
        .build()
        .unwrap();
    as_server(
        &root.trust(),
        &chain(&root.issue_server([HOST]).unwrap()),
        HOST,
    )
    .unwrap();
    assert_eq!(
        not_issued(root.issue_server(["a.other"])),
        CertificateError::NameConstraint
    );
    assert_eq!(
        not_issued(root.issue_client("alice")),
        CertificateError::NameConstraint
    );
}

#[test]
fn validity() {
    let seconds = Duration::from_secs;
    let authority = Authority::builder("CA")
        .validity(Validity::between(seconds(1000), seconds(5000)).unwrap())
        .build()
        .unwrap();
    let leaf = |from, to| {
        authority
            .certificate()
            .server([HOST])
            .validity(Validity::between(seconds(from), seconds(to)).unwrap())
            .issue()
            .unwrap()
    };
    let verdict = |identity: &Identity, unix| {
        authority
            .trust()
            .verify_server(&chain(identity), Some(&name(HOST)), at(seconds(unix)))
            .map(drop)
    };
    let inside = leaf(2000, 3000);
    assert_eq!(
        verdict(&inside, 1999),
        Err(not_valid_yet("CN=a.example", 2000))
    );
    assert_eq!(
        (verdict(&inside, 2000), verdict(&inside, 3000)),
        (Ok(()), Ok(()))
    );
    assert_eq!(verdict(&inside, 3001), Err(expired("CN=a.example", 3000)));
    // The leaf is not valid longer than its authority, although path validation ignores the dates
    // of a root.
    let outside = leaf(0, 9000);
    assert_eq!(
        verdict(&outside, 999),
        Err(not_valid_yet("CN=a.example", 1000))
    );
    assert_eq!(
        (verdict(&outside, 1000), verdict(&outside, 5000)),
        (Ok(()), Ok(()))
    );
    assert_eq!(verdict(&outside, 5001), Err(expired("CN=a.example", 5000)));
    // The same holds after the authority was loaded.
    let loaded =
        Authority::from_pem(authority.certificate_pem(), authority.key_pem().expose()).unwrap();
    let outside = loaded
        .certificate()
        .server([HOST])
        .validity(Validity::unlimited())
        .issue()
        .unwrap();
    assert_eq!(verdict(&outside, 5001), Err(expired("CN=a.example", 5000)));

    assert!(Validity::between(seconds(5), seconds(5)).is_err());
    assert!(Validity::between(seconds(5), seconds(253_402_300_800)).is_err());
    assert_eq!(
        Validity::days(u32::MAX).not_after(),
        seconds(253_402_300_799)
    );
    assert_eq!(
        Validity::days(1).not_after() - Validity::days(0).not_before(),
        seconds(86_400 + 300)
    );
}

#[test]
fn dates_change_their_form_in_2050() {
    // RFC 5280, 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on.
    let seconds = Duration::from_secs;
    let (last, first) = (seconds(2_524_607_999), seconds(2_524_608_000));
    for (moment, text) in [
        (last, &b"\x17\x0d491231235959Z"[..]),
        (first, b"\x18\x0f20500101000000Z"),
        (seconds(253_402_300_799), b"\x18\x0f99991231235959Z"),
    ] {
        let authority = Authority::builder("CA")
            .validity(Validity::between(Duration::ZERO, moment).unwrap())
            .build()
            .unwrap();
        let der = pem::certificates(authority.certificate_pem().as_bytes())
            .unwrap()
            .remove(0);
        assert!(
            der.windows(text.len()).any(|bytes| bytes == text),
            "{moment:?}"
        );
        assert!(
            der.windows(15)
                .any(|bytes| bytes == b"\x17\x0d700101000000Z")
        );
    }
}

#[test]
fn a_key_that_is_kept_elsewhere() {
    let authority = Authority::new("CA").unwrap();
    let elsewhere = Identity::generate().unwrap();
    let chain_pem = authority
        .certificate()
        .server([HOST])
        .issue_for(elsewhere.public_key())
        .unwrap();
    let identity = Identity::from_pem(chain_pem, elsewhere.key_pem().unwrap().expose()).unwrap();
    as_server(&authority.trust(), &chain(&identity), HOST).unwrap();
}

#[test]
fn what_cannot_be_an_authority() {
    let authority = Authority::new("CA").unwrap();
    let leaf = authority.issue_server([HOST]).unwrap();
    let refused = |certificate: String, key: &Identity| match Authority::from_pem(
        certificate,
        key.key_pem().unwrap().expose(),
    )
    .map(drop)
    {
        Err(Error::Config(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(leaf.chain_pem(), &leaf),
        ConfigError::Certificate {
            index: 0,
            error: CertificateError::NotAnAuthority
        }
    );
    assert_eq!(
        refused(authority.certificate_pem(), &leaf),
        ConfigError::KeyMismatch
    );
    let swapped =
        Authority::from_pem(authority.key_pem().expose(), authority.certificate_pem()).map(drop);
    assert!(swapped.unwrap_err().to_string().contains("swapped"));
}

fn not_issuable<T>(result: Result<T, Error>) -> &'static str {
    match result.map(drop) {
        Err(Error::Config(ConfigError::Issue { reason })) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wildcard_that_nobody_accepts_is_not_issued() {
    let authority = Authority::new("CA").unwrap();
    let refused = |result: Result<Identity, Error>| {
        let error = not_issued(result);
        let text = error.to_string();
        assert!(
            text.contains("*.internal") && text.contains("two labels"),
            "{text}"
        );
    };
    for names in [&["*.internal"][..], &["db.internal", "*.internal"]] {
        refused(authority.issue_server(names.iter().copied()));
    }
    let server = authority.issue_server(["*.db.internal"]).unwrap();
    as_server(&authority.trust(), &chain(&server), "a.db.internal").unwrap();
    // Whether it is the only role or not.
    let both = authority.certificate().client("me").server(["*.internal"]);
    refused(both.issue());
}

#[test]
fn every_name_of_a_server_is_accepted() {
    let authority = Authority::new("CA").unwrap();
    let names = [
        "a",
        "localhost",
        "_srv.example",
        "A.Example.",
        "10.0.0.1",
        "::1",
    ];
    let server = authority.issue_server(names).unwrap();
    for name in names {
        as_server(&authority.trust(), &chain(&server), name).unwrap();
    }
}

#[test]
fn a_path_that_is_too_long_for_everybody_is_not_begun() {
    let mut authorities = vec![Authority::new("0").unwrap()];
    // RFC 5280 sets no limit; peers that validate as this library does accept six.
    for depth in 1..=6u8 {
        let above = authorities.last().unwrap();
        let below = Authority::builder(&depth.to_string())
            .path_length(200)
            .build_under(above)
            .unwrap();
        let server = below.issue_server([HOST]).unwrap();
        as_server(&authorities[0].trust(), &chain(&server), HOST).unwrap();
        authorities.push(below);
    }
    let lowest = authorities.last().unwrap();
    let reason = not_issuable(Authority::builder("7").path_length(200).build_under(lowest));
    assert!(reason.contains('6'), "{reason}");

    // Nor with an authority that somebody else made.
    let mut chain_pem = String::new();
    let mut ca = Ca::root();
    for depth in 0..7 {
        chain_pem.insert_str(0, &pem::write_certificates([&*ca.der]));
        ca = ca.below(ca_params(&depth.to_string()));
    }
    chain_pem.insert_str(0, &pem::write_certificates([&*ca.der]));
    let deep = Authority::from_pem(chain_pem, ca.authority().key_pem().expose()).unwrap();
    assert_eq!(
        not_issued(deep.issue_server([HOST])),
        CertificateError::TooComplex
    );
}

#[test]
fn a_validity_outside_of_the_authoritys_is_refused() {
    let seconds = Duration::from_secs;
    let between = |from, to| Validity::between(seconds(from), seconds(to)).unwrap();
    let authority = Authority::builder("CA")
        .validity(between(1000, 5000))
        .build()
        .unwrap();
    // By default it begins now, when the authority has long expired.
    for validity in [Some(between(10, 1000)), Some(between(5000, 9000)), None] {
        let mut leaf = authority.certificate().server([HOST]);
        let mut below = Authority::builder("below");
        let mut list = authority.revocation_list();
        if let Some(validity) = validity {
            leaf = leaf.validity(validity);
            below = below.validity(validity);
            list = list.validity(validity);
        }
        for reason in [
            not_issuable(leaf.issue()),
            not_issuable(below.build_under(&authority)),
            not_issuable(list.issue_pem()),
        ] {
            assert!(reason.contains("validity"), "{reason}");
        }
    }
}

#[test]
fn a_clients_name_becomes_a_servers_in_no_order() {
    let authority = Authority::new("CA").unwrap();
    let builder = || authority.certificate();
    for both in [
        builder().server([HOST]).client("alice.example"),
        builder().client("alice.example").server([HOST]),
    ] {
        let identity = both.issue().unwrap();
        let trust = authority.trust();
        as_server(&trust, &chain(&identity), HOST).unwrap();
        let refused = as_server(&trust, &chain(&identity), "alice.example").map(drop);
        assert!(matches!(refused, Err(CertificateError::WrongName { .. })));
        let peer = peer(&authority, &identity);
        assert_eq!(peer.common_name().as_deref(), Some("alice.example"));
        assert_eq!(peer.names(), [HOST]);
    }
    // A client alone keeps its name, whatever its common name becomes.
    let client = builder().client("alice.example").common_name("Alice");
    let client = peer(&authority, &client.issue().unwrap());
    assert_eq!(client.names(), ["alice.example"]);
    assert_eq!(client.common_name().as_deref(), Some("Alice"));
}
