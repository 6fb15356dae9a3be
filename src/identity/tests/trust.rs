//! Roots, keys bound to names, sets of keys, and their sums.

use super::forge::{Ca, Key, ca_params, leaf_params};
use super::{as_server, chain, name, now, untrusted, vector};
use crate::code_point::AlertDescription;
use crate::error::{CertificateError, ConfigError, Error, NameError};
use crate::identity::{Authority, Identity, Peer, PublicKey, Trust};

const HOST: &str = "a.example";

#[test]
fn a_key_bound_to_a_name_stands_in_for_path_names_and_dates() {
    let server = Identity::generate().unwrap();
    let trust = Trust::key_for("A.example.", server.public_key());
    trust.check().unwrap();
    let verified = as_server(&trust, &chain(&server), HOST).unwrap();
    assert_eq!(verified.key().to_bytes(), *server.public_key().as_bytes());
    let peer = Peer::from_verified(verified);
    assert_eq!(
        (peer.public_key(), peer.pinned_names()),
        (server.public_key(), &[HOST.to_owned()][..])
    );
    assert_eq!(peer.certificates(), server.certificates());

    // The certificate has other names, is long expired, and is by an unknown authority.
    let mut params = leaf_params(&["b.example"]);
    (params.not_before, params.not_after) = (
        rcgen::date_time_ymd(2001, 1, 1),
        rcgen::date_time_ymd(2002, 1, 1),
    );
    let leaf = Ca::root().leaf(&params);
    let key = crate::identity::certificate::Certificate::parse(&leaf)
        .unwrap()
        .public_key()
        .unwrap();
    as_server(&Trust::key_for(HOST, key), &[&leaf], HOST).unwrap();

    // An IP address is a name too.
    as_server(
        &Trust::key_for("::1", server.public_key()),
        &chain(&server),
        "0::1",
    )
    .unwrap();
}

#[test]
fn a_key_bound_to_a_name_counts_for_no_other() {
    // RFC 9846, F.9: the owner of a trusted key must not be able to answer under another's name.
    let (one, two) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let trust = Trust::key_for("one.example", one.public_key())
        .and(Trust::key_for("two.example", two.public_key()));
    as_server(&trust, &chain(&one), "one.example").unwrap();
    as_server(&trust, &chain(&two), "two.example").unwrap();
    for (identity, host) in [
        (&one, "two.example"),
        (&two, "one.example"),
        (&one, "x.one.example"),
    ] {
        let error = as_server(&trust, &chain(identity), host)
            .map(drop)
            .unwrap_err();
        assert_eq!(
            (error.alert(), error),
            (
                AlertDescription::UNKNOWN_CA,
                untrusted(identity.public_key())
            )
        );
    }
    // It is not accepted without a name either.
    assert!(!trust.accepts_unnamed());
    assert_eq!(
        trust.verify_server(&chain(&one), None, now()).map(drop),
        Err(untrusted(one.public_key()))
    );
}

#[test]
fn a_set_of_keys_counts_for_every_name_and_without_one() {
    let (one, two) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let trust = Trust::keys([one.public_key()]);
    assert!(trust.accepts_unnamed());
    for host in [Some(name("one.example")), Some(name("::1")), None] {
        let verified = trust
            .verify_server(&chain(&one), host.as_ref(), now())
            .unwrap();
        assert!(Peer::from_verified(verified).pinned_names().is_empty());
        assert_eq!(
            trust
                .verify_server(&chain(&two), host.as_ref(), now())
                .map(drop),
            Err(untrusted(two.public_key()))
        );
    }
    trust.verify_client(&chain(&one), now()).unwrap();
    assert_eq!(
        trust.verify_client(&chain(&two), now()).map(drop),
        Err(untrusted(two.public_key()))
    );
}

#[test]
fn a_client_is_shown_by_the_name_its_key_is_bound_to() {
    let (alice, bob, eve) = (
        Identity::generate().unwrap(),
        Identity::generate().unwrap(),
        Identity::generate().unwrap(),
    );
    let trust =
        Trust::key_for("alice", alice.public_key()).and(Trust::key_for("bob", bob.public_key()));
    for (client, called) in [(&alice, "alice"), (&bob, "bob")] {
        assert_eq!(
            Peer::from_verified(trust.verify_client(&chain(client), now()).unwrap()).names(),
            [called]
        );
    }
    assert_eq!(
        trust.verify_client(&chain(&eve), now()).map(drop),
        Err(untrusted(eve.public_key()))
    );
}

#[test]
fn a_trusted_key_cannot_borrow_a_name() {
    // RFC 9846, F.9. Mallory, whose key is trusted, presents it in a certificate that anybody can
    // make.
    let mallory = Authority::new("CA")
        .unwrap()
        .certificate()
        .server(["alice.example", "10.0.0.1"])
        .client("alice")
        .issue()
        .unwrap();
    let mut params = leaf_params(&["alice.example"]);
    params.subject_alt_names.push(rcgen::SanType::URI(
        "spiffe://example.org/alice".try_into().unwrap(),
    ));
    let leaf = Ca::root().leaf(&params);
    let key = crate::identity::certificate::Certificate::parse(&leaf)
        .unwrap()
        .public_key()
        .unwrap();
    let roots = Authority::new("CA").unwrap().trust();
    for (chain, key) in [
        (chain(&mallory), mallory.public_key()),
        (vec![leaf.as_slice()], key),
    ] {
        for (pin, names) in [
            (Trust::key_for("mallory", key), &["mallory"][..]),
            (Trust::keys([key]), &[]),
        ] {
            for trust in [pin.clone(), roots.clone().and(pin)] {
                let as_server = trust
                    .verify_server(&chain, Some(&name("mallory")), now())
                    .unwrap();
                for verified in [as_server, trust.verify_client(&chain, now()).unwrap()] {
                    let peer = Peer::from_verified(verified);
                    assert_eq!(
                        (peer.names(), peer.pinned_names()),
                        (
                            names.iter().map(|&name| name.to_owned()).collect(),
                            peer.names().as_slice()
                        )
                    );
                    assert_eq!(
                        (peer.common_name(), peer.subject(), peer.uris()),
                        (None, String::new(), vec![])
                    );
                    assert!(!format!("{peer:?}").contains("alice"));
                    assert_eq!(peer.certificates()[0], chain[0]);
                }
            }
        }
    }
}

#[test]
fn a_key_with_two_names_is_shown_by_both() {
    let own = Identity::generate().unwrap();
    let bind = |name| Trust::key_for(name, own.public_key());
    let trust = bind("b.example")
        .and(bind("10.0.0.1"))
        .and(bind("a.example"))
        .and(bind("B.example"));
    let client = Peer::from_verified(trust.verify_client(&chain(&own), now()).unwrap());
    assert_eq!(
        client.pinned_names(),
        ["a.example", "b.example", "10.0.0.1"]
    );
    // The name of a server is the one that was requested.
    let server = Peer::from_verified(as_server(&trust, &chain(&own), "b.example").unwrap());
    assert_eq!(server.pinned_names(), ["b.example"]);
}

#[test]
fn a_pinned_key_still_needs_a_certificate_that_may_sign() {
    // RFC 9846, 4.5.1.2 requires X.509v3 and digitalSignature, even for a trusted key.
    let mut params = leaf_params(&[HOST]);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyAgreement];
    let leaf = Ca::root().leaf(&params);
    let key = crate::identity::certificate::Certificate::parse(&leaf)
        .unwrap()
        .public_key()
        .unwrap();
    assert_eq!(
        as_server(&Trust::key_for(HOST, key), &[&leaf], HOST).map(drop),
        Err(CertificateError::KeyUsage)
    );

    let mut version1 = Identity::generate().unwrap().certificates()[0].clone();
    let at = version1
        .windows(5)
        .position(|bytes| bytes == [0xa0, 3, 2, 1, 2])
        .unwrap()
        + 4;
    version1[at] = 0;
    assert_eq!(
        as_server(&Trust::keys([key]), &[&version1], HOST).map(drop),
        Err(CertificateError::UnsupportedVersion { version: 1 })
    );

    // The key has another algorithm.
    let rsa = super::vector_der("rsa-leaf");
    assert_eq!(
        as_server(&Trust::keys([key]), &[&rsa], HOST).map(drop),
        Err(CertificateError::UnsupportedAlgorithm)
    );
}

#[test]
fn a_ca_certificate_that_shows_a_pinned_key_is_accepted() {
    // `openssl req -x509` makes such self-signed certificates.
    let own = Identity::from_pem(vector("self"), vector("leaf-key")).unwrap();
    as_server(&Trust::key_for(HOST, own.public_key()), &chain(&own), HOST).unwrap();
}

#[test]
fn sums_accept_what_either_part_accepts() {
    let (first, second) = (Ca::root(), Ca::new(ca_params("second")));
    let pinned = Identity::generate().unwrap();
    let trust = Trust::roots_from_der([&first.der])
        .unwrap()
        .and(Trust::key_for("pinned.example", pinned.public_key()))
        .and(Trust::roots_from_der([&second.der]).unwrap());
    trust.check().unwrap();
    for ca in [&first, &second] {
        as_server(&trust, &[&ca.leaf(&leaf_params(&[HOST]))], HOST).unwrap();
    }
    as_server(&trust, &chain(&pinned), "pinned.example").unwrap();
    assert_eq!(
        as_server(&trust, &chain(&pinned), HOST).map(drop),
        Err(CertificateError::SelfSigned {
            key: pinned.public_key().to_string()
        })
    );
    // With trusted keys too, no list of authorities is sent, since a client with a trusted key
    // would not find its own in it.
    assert!(trust.authorities().is_empty());
    let roots = Trust::roots_from_der([&first.der, &second.der, &Ca::root().der]).unwrap();
    assert_eq!(roots.authorities().len(), 2);
    assert!(
        roots.authorities()[1]
            .windows(6)
            .any(|part| part == b"second")
    );
    assert!(!roots.accepts_unnamed());
    assert!(matches!(
        roots
            .verify_server(&[&first.leaf(&leaf_params(&[HOST]))], None, now())
            .map(drop),
        Err(CertificateError::UntrustedKey { .. })
    ));
}

#[test]
fn a_list_of_authorities_that_is_too_long_is_left_out() {
    // With a part of the list, clients of the other authorities would conclude that they have no
    // suitable certificate.
    let key = Key::new();
    let root = |number: usize| {
        ca_params(&format!("{number:064}"))
            .self_signed(&key)
            .unwrap()
            .der()
            .to_vec()
    };
    let mut trust = Trust::roots_from_der((0..200).map(root)).unwrap();
    let names = trust.authorities().len();
    assert!(names == 200, "{names}");
    trust = trust.and(Trust::roots_from_der((200..210).map(root)).unwrap());
    let names = trust.authorities().len();
    assert!(names == 0, "{names}");
}

#[test]
fn a_defect_waits_for_build_and_trusts_nobody() {
    let key = Identity::generate().unwrap();
    let wrong_name = Trust::key_for("a.example:443", key.public_key());
    assert!(matches!(
        wrong_name.check(),
        Err(Error::Name(NameError::Port { .. }))
    ));
    assert!(as_server(&wrong_name, &chain(&key), HOST).is_err());
    assert!(wrong_name.verify_client(&chain(&key), now()).is_err());
    assert!(
        Trust::key_for(HOST, key.public_key())
            .and(wrong_name)
            .check()
            .is_err()
    );

    // These points have small order: anybody could sign for them.
    let number = |low| core::array::from_fn(|at| if at == 0 { low } else { 0 });
    for bytes in [number(0), number(1)] {
        for trust in [Trust::key_for(HOST, bytes), Trust::keys([bytes])] {
            assert!(
                matches!(
                    trust.check(),
                    Err(Error::Config(ConfigError::PublicKey { .. }))
                ),
                "{bytes:?}"
            );
        }
    }
    // About half of all y coordinates belong to no point.
    assert!((2..40).any(|low| Trust::keys([number(low)]).check().is_err()));
    assert!(matches!(
        Trust::keys([] as [PublicKey; 0]).check(),
        Err(Error::Config(ConfigError::Missing { .. }))
    ));
}

#[test]
fn roots_that_cannot_be_roots_are_refused_when_loaded() {
    let refused = |trust: Result<Trust, Error>, index, error| {
        let Err(Error::Config(got)) = trust.map(drop) else {
            panic!("accepted")
        };
        assert_eq!(got, ConfigError::Certificate { index, error });
    };
    let root = Ca::root();
    let leaf = leaf_params(&[HOST]).self_signed(&Key::new()).unwrap();
    refused(
        Trust::roots_from_der([&root.der, &leaf.der().to_vec()]),
        1,
        CertificateError::NotAnAuthority,
    );
    let mut params = ca_params("no issuer");
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    refused(
        Trust::roots_from_der([Ca::new(params).der]),
        0,
        CertificateError::NotAnAuthority,
    );
    refused(
        Trust::roots_from_pem(vector("rsa-inter")),
        0,
        CertificateError::UnsupportedAlgorithm,
    );
    refused(
        Trust::roots_from_der([b"nonsense"]),
        0,
        CertificateError::Malformed,
    );
    assert!(matches!(
        Trust::roots_from_pem("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
        Err(Error::Config(ConfigError::Pem { line: 1, .. }))
    ));

    let none = Trust::roots_from_pem(vector("leaf-key")).map(drop);
    assert!(matches!(
        none,
        Err(
            Error::Config(
                ConfigError::NoPemSection { wanted: "CERTIFICATE", found: Some(found) }
            )
        )
            if found == "PRIVATE KEY"
    ));
    assert!(matches!(
        Trust::roots_from_pem(""),
        Err(Error::Config(ConfigError::NoPemSection { found: None, .. }))
    ));
    assert!(matches!(
        Trust::roots_from_der([] as [&[u8]; 0]),
        Err(Error::Config(ConfigError::Missing { .. }))
    ));
    let missing = Trust::roots_from_pem_file("/nonexistent/ca.pem").map(drop);
    assert!(matches!(
        missing,
        Err(Error::Config(ConfigError::File { path, .. })) if path.contains("ca.pem")
    ));
}

#[test]
fn an_intermediate_can_be_the_root() {
    let (root, middle) = {
        let root = Ca::root();
        let middle = root.below(ca_params("middle"));
        (root, middle)
    };
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    let trust = Trust::roots_from_der([&middle.der]).unwrap();
    as_server(&trust, &[&leaf], HOST).unwrap();
    as_server(&trust, &[&leaf, &middle.der, &root.der], HOST).unwrap();
    assert!(as_server(&trust, &[&root.leaf(&leaf_params(&[HOST]))], HOST).is_err());
}

#[test]
fn debug_says_whom_and_is_short() {
    let key = Identity::generate().unwrap().public_key();
    let trust = Authority::new("CA")
        .unwrap()
        .trust()
        .and(Trust::key_for(HOST, key));
    let text = format!("{trust:?}");
    assert!(
        text.contains(HOST) && text.contains(&key.to_string()) && text.len() < 300,
        "{text}"
    );
}

#[test]
fn an_expired_root_stays_trusted() {
    let mut params = ca_params("old");
    (params.not_before, params.not_after) = (
        rcgen::date_time_ymd(2001, 1, 1),
        rcgen::date_time_ymd(2002, 1, 1),
    );
    let old = Ca::new(params);
    let trust = Trust::roots_from_der([&old.der]).unwrap();
    as_server(&trust, &[&old.leaf(&leaf_params(&[HOST]))], HOST).unwrap();
}

#[test]
fn a_set_of_keys_may_hold_ones_own() {
    // Replicas may share one key. A name tells whether the peer is the wanted one.
    let own = Identity::generate().unwrap();
    as_server(&Trust::keys([own.public_key()]), &chain(&own), HOST).unwrap();
    let bound = Trust::key_for("own.example", own.public_key());
    assert_eq!(
        as_server(&bound, &chain(&own), HOST).map(drop),
        Err(untrusted(own.public_key()))
    );
}
