//! RULES: untrusted, expired, wrongly named or otherwise bad certificates, each with its typed
//! error and its alert (RFC 9846, 6.2).

use core::time::Duration;

use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};

use super::forge::{Ca, Key, ca_params, leaf_params};
use super::{as_server, at, expired, name, not_valid_yet, now, unknown_issuer, vector, vector_der};
use crate::code_point::AlertDescription;
use crate::error::CertificateError;
use crate::identity::certificate::Certificate;
use crate::identity::{Peer, Trust};

const HOST: &str = "a.example";

fn trust(ca: &Ca) -> Trust {
    Trust::roots_from_der([&ca.der]).unwrap()
}

#[track_caller]
fn refused(
    trust: &Trust,
    chain: &[&[u8]],
    host: &str,
    error: CertificateError,
    alert: AlertDescription,
) {
    let got = as_server(trust, chain, host).map(drop);
    assert_eq!(got, Err(error.clone()));
    assert_eq!(error.alert(), alert);
    assert!(!error.to_string().is_empty());
}

#[test]
fn the_forge_makes_good_ones_too() {
    let root = Ca::root();
    let middle = root.below(ca_params("middle"));
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    as_server(&trust(&root), &[&leaf, &middle.der], HOST).unwrap();
    // RFC 9846, 4.5.1: extra certificates and any order are accepted, with the leaf first.
    let other = Ca::root();
    as_server(
        &trust(&root),
        &[&leaf, &other.der, b"no certificate", &root.der, &middle.der],
        HOST,
    )
    .unwrap();
}

#[test]
fn an_unknown_issuer() {
    let leaf = Ca::root().leaf(&leaf_params(&[HOST]));
    refused(
        &trust(&Ca::new(ca_params("other"))),
        &[&leaf],
        HOST,
        unknown_issuer("CN=root", &["CN=other"]),
        AlertDescription::UNKNOWN_CA,
    );
    // The intermediate is missing.
    let root = Ca::root();
    let middle = root.below(ca_params("middle"));
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    refused(
        &trust(&root),
        &[&leaf],
        HOST,
        unknown_issuer("CN=middle", &["CN=root"]),
        AlertDescription::UNKNOWN_CA,
    );
}

#[test]
fn an_issuer_with_the_same_name_and_another_key() {
    let leaf = Ca::root().leaf(&leaf_params(&[HOST]));
    refused(
        &trust(&Ca::root()),
        &[&leaf],
        HOST,
        CertificateError::BadSignature,
        AlertDescription::BAD_CERTIFICATE,
    );
}

#[test]
fn dates() {
    let root = Ca::root();
    let mut params = leaf_params(&[HOST]);
    (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    refused(
        &trust(&root),
        &[&root.leaf(&params)],
        HOST,
        expired("CN=leaf", 1_009_843_200),
        AlertDescription::CERTIFICATE_EXPIRED,
    );
    (params.not_before, params.not_after) = (date_time_ymd(2901, 1, 1), date_time_ymd(2902, 1, 1));
    refused(
        &trust(&root),
        &[&root.leaf(&params)],
        HOST,
        not_valid_yet("CN=leaf", 29_379_542_400),
        AlertDescription::CERTIFICATE_EXPIRED,
    );

    // The intermediate is expired too.
    let mut params = ca_params("middle");
    (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    let middle = root.below(params);
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    refused(
        &trust(&root),
        &[&leaf, &middle.der],
        HOST,
        expired("CN=middle", 1_009_843_200),
        AlertDescription::CERTIFICATE_EXPIRED,
    );
}

#[test]
fn the_first_and_the_last_second_belong_to_it() {
    let root = Ca::root();
    let mut params = leaf_params(&[HOST]);
    (params.not_before, params.not_after) = (date_time_ymd(2030, 1, 1), date_time_ymd(2031, 1, 1));
    let leaf = root.leaf(&params);
    let verdict = |unix| {
        trust(&root)
            .verify_server(&[&leaf], Some(&name(HOST)), at(Duration::from_secs(unix)))
            .map(drop)
    };
    let (first, last) = (1_893_456_000, 1_924_992_000);
    assert_eq!(verdict(first - 1), Err(not_valid_yet("CN=leaf", first)));
    assert_eq!((verdict(first), verdict(last)), (Ok(()), Ok(())));
    assert_eq!(verdict(last + 1), Err(expired("CN=leaf", last)));
}

#[test]
fn names() {
    let root = Ca::root();
    let leaf = root.leaf(&leaf_params(&[
        HOST,
        "*.wild.example",
        "10.0.0.1",
        "2001:db8::1",
    ]));
    for host in [
        HOST,
        "A.Example.",
        "x.wild.example",
        "10.0.0.1",
        "2001:db8:0::1",
    ] {
        as_server(&trust(&root), &[&leaf], host).unwrap();
    }
    for host in [
        "b.example",
        "a.a.example",
        "example",
        "wild.example",
        "x.y.wild.example",
        "10.0.0.2",
        "::1",
        "leaf",
    ] {
        let presented = [HOST, "*.wild.example", "10.0.0.1", "2001:db8::1"]
            .map(str::to_owned)
            .to_vec();
        let error = CertificateError::WrongName {
            expected: host.to_owned(),
            presented,
            more: 0,
        };
        refused(
            &trust(&root),
            &[&leaf],
            host,
            error,
            AlertDescription::BAD_CERTIFICATE,
        );
    }
    // The common name does not count: names are only in subjectAltName.
    let unnamed = root.leaf(&leaf_params(&[]));
    let error = CertificateError::WrongName {
        expected: "leaf".to_owned(),
        presented: vec![],
        more: 0,
    };
    refused(
        &trust(&root),
        &[&unnamed],
        "leaf",
        error,
        AlertDescription::BAD_CERTIFICATE,
    );
}

#[test]
fn the_names_in_an_error_are_bounded() {
    let root = Ca::root();
    let names: Vec<String> = (0..1000)
        .map(|number| format!("n{number}.example"))
        .collect();
    let leaf = root.leaf(&leaf_params(
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    ));
    as_server(&trust(&root), &[&leaf], "n999.example").unwrap();
    let Err(CertificateError::WrongName { presented, .. }) =
        as_server(&trust(&root), &[&leaf], HOST).map(drop)
    else {
        panic!()
    };
    assert_eq!(presented.len(), 16);
}

#[test]
fn the_names_in_an_error_are_no_syntax() {
    // Any client can choose these names, and the text may be logged.
    const ADVICE: &str = ": connect by such a name, or issue one for the expected name";
    let root = Ca::root();
    let mut params = leaf_params(&["n.example"; 20]);
    for uri in ["x:\n2026-11-21 INFO admin logged in\x1b[2K", "x:y"] {
        params
            .subject_alt_names
            .insert(0, SanType::URI(uri.try_into().unwrap()));
    }
    let text = as_server(&trust(&root), &[&root.leaf(&params)], HOST)
        .map(drop)
        .unwrap_err()
        .to_string();
    let names = ["n.example"; 16].join(", ");
    assert_eq!(
        text,
        format!("it is not for \"a.example\", but for {names} and 4 more{ADVICE}")
    );

    let none = CertificateError::WrongName {
        expected: HOST.to_owned(),
        presented: vec![],
        more: 0,
    };
    assert_eq!(
        none.to_string(),
        "it is not for \"a.example\": it has no DNS name and no IP address; issue one that has"
    );
    let forged = CertificateError::WrongName {
        expected: HOST.to_owned(),
        presented: vec!["a\nb\u{202e}".to_owned()],
        more: 0,
    };
    assert_eq!(
        forged.to_string(),
        format!("it is not for \"a.example\", but for a\\nb\\u{{202e}}{ADVICE}")
    );
}

#[test]
fn key_usage_without_digital_signature() {
    // RFC 9846, 4.5.1.2: the digitalSignature bit MUST be set if the Key Usage extension is
    // present.
    let root = Ca::root();
    let mut params = leaf_params(&[HOST]);
    for usages in [
        vec![KeyUsagePurpose::KeyAgreement],
        vec![
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::KeyCertSign,
        ],
    ] {
        params.key_usages = usages;
        let leaf = root.leaf(&params);
        refused(
            &trust(&root),
            &[&leaf],
            HOST,
            CertificateError::KeyUsage,
            AlertDescription::UNSUPPORTED_CERTIFICATE,
        );
        assert_eq!(
            trust(&root).verify_client(&[&leaf], now()).map(drop),
            Err(CertificateError::KeyUsage)
        );
    }
    params.key_usages = vec![
        KeyUsagePurpose::KeyAgreement,
        KeyUsagePurpose::DigitalSignature,
    ];
    as_server(&trust(&root), &[&root.leaf(&params)], HOST).unwrap();
    params.key_usages = vec![];
    as_server(&trust(&root), &[&root.leaf(&params)], HOST).unwrap();
}

#[test]
fn extended_key_usage_for_another_role() {
    let root = Ca::root();
    let trust = trust(&root);
    let mut params = leaf_params(&[HOST]);
    let verdicts = |leaf: &[u8]| {
        (
            as_server(&trust, &[leaf], HOST).map(drop),
            trust.verify_client(&[leaf], now()).map(drop),
        )
    };
    let no = Err(CertificateError::ExtendedKeyUsage);

    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    assert_eq!(verdicts(&root.leaf(&params)), (no.clone(), Ok(())));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(verdicts(&root.leaf(&params)), (Ok(()), no.clone()));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    assert_eq!(verdicts(&root.leaf(&params)), (no.clone(), no));
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    assert_eq!(verdicts(&root.leaf(&params)), (Ok(()), Ok(())));
    assert_eq!(
        CertificateError::ExtendedKeyUsage.alert(),
        AlertDescription::UNSUPPORTED_CERTIFICATE
    );
}

#[test]
fn name_constraints() {
    let root = Ca::root();
    let mut params = ca_params("middle");
    let subtree = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![subtree("example")],
        excluded_subtrees: vec![subtree("secret.example")],
    });
    let middle = root.below(params);
    let leaf = |host| middle.leaf(&leaf_params(&[host]));
    as_server(&trust(&root), &[&leaf(HOST), &middle.der], HOST).unwrap();
    for host in ["a.other", "secret.example", "x.secret.example"] {
        refused(
            &trust(&root),
            &[&leaf(host), &middle.der],
            host,
            CertificateError::NameConstraint,
            AlertDescription::BAD_CERTIFICATE,
        );
    }
}

#[test]
fn ca_as_leaf_and_leaf_as_ca() {
    let root = Ca::root();
    let mut params = leaf_params(&[HOST]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    refused(
        &trust(&root),
        &[&root.leaf(&params)],
        HOST,
        CertificateError::AuthorityAsLeaf,
        AlertDescription::BAD_CERTIFICATE,
    );

    // The intermediate has no CA bit, has it set to false, or has a Key Usage that does not allow
    // issuing (RFC 5280, 6.1.4 (k) and (n)).
    for (is_ca, usages) in [
        (IsCa::NoCa, vec![]),
        (IsCa::ExplicitNoCa, vec![]),
        (
            IsCa::Ca(BasicConstraints::Unconstrained),
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign],
        ),
    ] {
        let mut params = ca_params("middle");
        (params.is_ca, params.key_usages) = (is_ca, usages);
        let middle = root.below(params);
        let leaf = middle.leaf(&leaf_params(&[HOST]));
        refused(
            &trust(&root),
            &[&leaf, &middle.der],
            HOST,
            CertificateError::IssuerNotAnAuthority,
            AlertDescription::BAD_CERTIFICATE,
        );
    }
}

#[test]
fn a_path_longer_than_a_ca_allows() {
    let root = Ca::root();
    let mut params = ca_params("upper");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let upper = root.below(params);
    let lower = upper.below(ca_params("lower"));
    let leaf = lower.leaf(&leaf_params(&[HOST]));
    refused(
        &trust(&root),
        &[&leaf, &lower.der, &upper.der],
        HOST,
        CertificateError::PathTooLong,
        AlertDescription::BAD_CERTIFICATE,
    );
}

/// RFC 9846, 4.5.1: "all implementations SHOULD be prepared to handle potentially extraneous
/// certificates": any number behind those that are needed, of one subject or of many.
#[test]
fn surplus_certificates_are_ignored() {
    let root = Ca::root();
    let middle = root.below(ca_params("middle"));
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    let strangers: Vec<Ca> = (0..12)
        .map(|index| Ca::new(ca_params(&format!("stranger {index}"))))
        .collect();
    let namesakes: Vec<Ca> = (0..12).map(|_| root.below(ca_params("middle"))).collect();
    for surplus in [strangers, namesakes] {
        let mut chain = vec![leaf.as_slice(), &middle.der];
        chain.extend(surplus.iter().map(|ca| ca.der.as_slice()));
        let verified = as_server(&trust(&root), &chain, HOST).unwrap();
        // No more than these are held.
        let peer = Peer::from_verified(verified);
        assert_eq!(peer.certificates(), &chain[..10]);
    }
}

/// The first ten certificates are looked at, and of each subject two keys: policies of ours.
#[test]
fn a_needed_certificate_among_the_surplus() {
    let root = Ca::root();
    let middle = root.below(ca_params("middle"));
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    let surplus: Vec<Ca> = (0..9)
        .map(|index| Ca::new(ca_params(&format!("stranger {index}"))))
        .collect();
    let mut chain = vec![leaf.as_slice()];
    chain.extend(surplus.iter().map(|ca| ca.der.as_slice()));
    chain[9] = &middle.der;
    as_server(&trust(&root), &chain, HOST).unwrap();
    chain.insert(1, &surplus[8].der);
    refused(
        &trust(&root),
        &chain,
        HOST,
        CertificateError::TooComplex,
        AlertDescription::BAD_CERTIFICATE,
    );

    let others: Vec<Ca> = (0..2).map(|_| root.below(ca_params("middle"))).collect();
    let (one, two) = (others[0].der.as_slice(), others[1].der.as_slice());
    as_server(&trust(&root), &[&leaf, one, &middle.der, two], HOST).unwrap();
    refused(
        &trust(&root),
        &[&leaf, one, two, &middle.der],
        HOST,
        CertificateError::TooComplex,
        AlertDescription::BAD_CERTIFICATE,
    );
    // Where nothing was left out, that is no reason.
    let elsewhere = Ca::new(ca_params("elsewhere"));
    refused(
        &trust(&elsewhere),
        &[&leaf, &middle.der],
        HOST,
        unknown_issuer("CN=root", &["CN=elsewhere"]),
        AlertDescription::UNKNOWN_CA,
    );
}

/// RFC 4210, 4.4: a root CA that renews its key publishes its old and its new key, each certified
/// by itself and by the other. All four are sent, in any order, to whoever trusts one of the two.
#[test]
fn a_root_that_renews_its_key() {
    let (old, new) = (Ca::root(), Ca::root());
    let old_with_new = new.certify(&old, &ca_params("root"));
    let new_with_old = old.certify(&new, &ca_params("root"));
    let four = [&old.der, &new.der, &old_with_new, &new_with_old].map(Vec::as_slice);
    for issuer in [&old, &new] {
        let leaf = issuer.leaf(&leaf_params(&[HOST]));
        for trusted in [&old, &new] {
            for order in 0..24 {
                let mut left = four.to_vec();
                let mut chain = vec![leaf.as_slice()];
                let mut order = order;
                for count in (1..=4).rev() {
                    chain.push(left.remove(order % count));
                    order /= count;
                }
                as_server(&trust(trusted), &chain, HOST).unwrap();
            }
        }
    }
}

/// A CA below the root that renews its certificate and keeps its key.
#[test]
fn a_ca_that_is_renewed_again_and_again() {
    let root = Ca::root();
    let middle = root.below(ca_params("middle"));
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    let renewed: Vec<_> = (1_u64..=5)
        .map(|serial| {
            let mut params = ca_params("middle");
            params.serial_number = Some(serial.into());
            root.certify(&middle, &params)
        })
        .collect();
    let mut chain = vec![leaf.as_slice()];
    chain.extend(renewed.iter().map(Vec::as_slice));
    as_server(&trust(&root), &chain, HOST).unwrap();
}

#[test]
fn too_much_work() {
    let root = Ca::root();
    let huge = vec![0x30; 70_000];
    refused(
        &trust(&root),
        &[&huge],
        HOST,
        CertificateError::TooComplex,
        AlertDescription::BAD_CERTIFICATE,
    );

    // Nine CAs of one name, each signed by another of that name, have 9! orders. Most of them are
    // not even tried.
    let same: Vec<Ca> = (0..9).map(|_| Ca::new(ca_params("same"))).collect();
    let crossed: Vec<Ca> = same.iter().map(|ca| ca.below(ca_params("same"))).collect();
    let leaf = same[0].leaf(&leaf_params(&[HOST]));
    for count in [3, 9] {
        let mut chain: Vec<&[u8]> = vec![&leaf];
        chain.extend(crossed.iter().take(count).map(|ca| ca.der.as_slice()));
        refused(
            &trust(&root),
            &chain,
            HOST,
            CertificateError::TooComplex,
            AlertDescription::BAD_CERTIFICATE,
        );
    }
    // If the key is trusted, no path is needed.
    let key = Certificate::parse(&leaf).unwrap().public_key().unwrap();
    let chain: Vec<&[u8]> = crossed.iter().map(|ca| ca.der.as_slice()).collect();
    as_server(
        &Trust::key_for(HOST, key),
        &[&[leaf.as_slice()], &chain[..]].concat(),
        HOST,
    )
    .unwrap();
}

#[test]
fn a_ca_may_renew_its_key() {
    let root = Ca::root();
    let (old, new) = (
        root.below(ca_params("middle")),
        root.below(ca_params("middle")),
    );
    for ca in [&old, &new] {
        let leaf = ca.leaf(&leaf_params(&[HOST]));
        as_server(&trust(&root), &[&leaf, &old.der, &new.der], HOST).unwrap();
        // The same certificate twice counts once.
        as_server(
            &trust(&root),
            &[&leaf, &old.der, &old.der, &new.der, &new.der, &old.der],
            HOST,
        )
        .unwrap();
    }
}

#[test]
fn the_longest_search_is_short() {
    // This chain makes path building take the most steps (213), among all ways to name nine CAs and
    // their issuers by five names, with at most four certificates and two keys for each name (found
    // by hill climbing). Each step to the name of a trusted root verifies a signature.
    let names = ["0", "1", "2", "3", "4"];
    let keys: Vec<[Ca; 2]> = names
        .map(|name| [Ca::new(ca_params(name)), Ca::new(ca_params(name))])
        .into();
    let links = [
        (0, 0, 2),
        (0, 0, 2),
        (0, 1, 2),
        (0, 1, 2),
        (2, 0, 3),
        (2, 1, 3),
        (3, 0, 3),
        (3, 1, 0),
        (3, 1, 0),
    ];
    let links: Vec<Vec<u8>> = links
        .iter()
        .zip(1_u64..)
        .map(
            |(&(subject, key, issuer), serial): (&(usize, usize, usize), _)| {
                let mut params = ca_params(names[subject]);
                params.serial_number = Some(serial.into());
                keys[issuer][0].certify(&keys[subject][key], &params)
            },
        )
        .collect();
    let leaf = keys[0][0].leaf(&leaf_params(&[HOST]));
    let mut chain: Vec<&[u8]> = vec![&leaf];
    chain.extend(links.iter().map(Vec::as_slice));
    // Path validation gives up after 100 signatures: 33 of the steps are to the name "0", 68 to "2"
    // and 112 to "3".
    for (name, error) in [
        ("0", CertificateError::BadSignature),
        ("1", unknown_issuer("CN=3", &["CN=1"])),
        ("2", CertificateError::BadSignature),
        ("3", CertificateError::TooComplex),
        ("4", unknown_issuer("CN=3", &["CN=4"])),
    ] {
        let root = Ca::new(ca_params(name));
        refused(&trust(&root), &chain, HOST, error.clone(), error.alert());
    }
}

#[test]
fn too_many_extensions() {
    let root = Ca::root();
    let with = |mut params: rcgen::CertificateParams, count: u64| {
        params.custom_extensions = (0..count)
            .map(|number| CustomExtension::from_oid_content(&[1, 3, 9, number], vec![]))
            .collect();
        params
    };
    let bad = AlertDescription::BAD_CERTIFICATE;
    as_server(
        &trust(&root),
        &[&root.leaf(&with(leaf_params(&[HOST]), 20))],
        HOST,
    )
    .unwrap();
    let leaf = root.leaf(&with(leaf_params(&[HOST]), 33));
    refused(
        &trust(&root),
        &[&leaf],
        HOST,
        CertificateError::TooComplex,
        bad,
    );
    // This holds also on the way to a root, but not in a certificate that is not needed.
    let middle = root.below(with(ca_params("middle"), 1000));
    refused(
        &trust(&root),
        &[&middle.leaf(&leaf_params(&[HOST])), &middle.der],
        HOST,
        CertificateError::TooComplex,
        bad,
    );
    as_server(
        &trust(&root),
        &[&root.leaf(&leaf_params(&[HOST])), &middle.der],
        HOST,
    )
    .unwrap();
}

#[test]
fn keys_and_signatures_of_other_algorithms() {
    let trust = Trust::roots_from_pem(vector("ca")).unwrap();
    let host = "vector.example";
    as_server(&trust, &[&vector_der("leaf")], host).unwrap();
    let unsupported = AlertDescription::UNSUPPORTED_CERTIFICATE;
    for leaf in ["rsa-leaf", "ec-leaf"] {
        refused(
            &trust,
            &[&vector_der(leaf)],
            host,
            CertificateError::UnsupportedAlgorithm,
            unsupported,
        );
    }
    for (leaf, issuer) in [
        ("leaf-rsa-sha256", "rsa-inter"),
        ("leaf-ec-sha256", "ec-inter"),
    ] {
        refused(
            &trust,
            &[&vector_der(leaf), &vector_der(issuer)],
            host,
            CertificateError::UnsupportedAlgorithm,
            unsupported,
        );
    }
    // RFC 9846, 4.5.1.3: a signature by MD5 MUST be answered with bad_certificate. For SHA-1 that
    // is RECOMMENDED.
    for (leaf, issuer) in [
        ("leaf-rsa-md5", "rsa-inter"),
        ("leaf-rsa-sha1", "rsa-inter"),
        ("leaf-ec-sha1", "ec-inter"),
    ] {
        let chain = [vector_der(leaf), vector_der(issuer)];
        refused(
            &trust,
            &[&chain[0], &chain[1]],
            host,
            CertificateError::BrokenHash,
            AlertDescription::BAD_CERTIFICATE,
        );
    }
}

#[test]
fn unknown_critical_extensions() {
    let root = Ca::root();
    let mut params = leaf_params(&[HOST]);
    let mut extension =
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    params.custom_extensions = vec![extension.clone()];
    as_server(&trust(&root), &[&root.leaf(&params)], HOST).unwrap();
    extension.set_criticality(true);
    params.custom_extensions = vec![extension];
    let leaf = root.leaf(&params);
    refused(
        &trust(&root),
        &[&leaf],
        HOST,
        CertificateError::UnsupportedExtension {
            id: Some("1.3.6.1.4.1.99999.1".to_owned()),
        },
        AlertDescription::UNSUPPORTED_CERTIFICATE,
    );
}

#[test]
fn what_is_no_certificate_at_all() {
    let trust = trust(&Ca::root());
    for der in [
        &b""[..],
        b"\x30",
        b"\x30\x00",
        b"\x30\x80\x00\x00",
        b"-----BEGIN CERTIFICATE-----",
        &[0xff; 100],
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
    ] {
        refused(
            &trust,
            &[der],
            HOST,
            CertificateError::Malformed,
            AlertDescription::BAD_CERTIFICATE,
        );
    }
    refused(
        &trust,
        &[],
        HOST,
        CertificateError::Malformed,
        AlertDescription::BAD_CERTIFICATE,
    );
    // It is the only possible issuer.
    let leaf = Ca::root().leaf(&leaf_params(&[HOST]));
    refused(
        &trust,
        &[&leaf[..], b"\x30\x00"],
        HOST,
        CertificateError::BadSignature,
        AlertDescription::BAD_CERTIFICATE,
    );
    let leaf = Ca::new(ca_params("other")).leaf(&leaf_params(&[HOST]));
    refused(
        &trust,
        &[&leaf[..], b"\x30\x00"],
        HOST,
        CertificateError::Malformed,
        AlertDescription::BAD_CERTIFICATE,
    );
}

#[test]
fn self_signed_is_no_path() {
    let key = Key::new();
    let certificate = leaf_params(&[HOST]).self_signed(&key).unwrap();
    refused(
        &trust(&Ca::root()),
        &[certificate.der()],
        HOST,
        CertificateError::SelfSigned {
            key: crate::identity::PublicKey::from(key.1).to_string(),
        },
        AlertDescription::UNKNOWN_CA,
    );
}
