//! Certificate revocation lists: what they refuse, how they can be invalid, and when they are
//! replaced.

use core::time::Duration;

use rcgen::{
    CertificateParams, CertificateRevocationListParams, CrlDistributionPoint,
    CrlIssuingDistributionPoint, CrlScope, KeyIdMethod, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};

use super::damage::damaged;
use super::forge::{Ca, ca_params, leaf_params};
use super::{as_server, at, chain, name, now};
use crate::error::{CertificateError, ConfigError, Error};
use crate::identity::{Authority, Identity, RevocationLists, Trust, Validity, VerifiedIdentity};

pub(super) const HOST: &str = "a.example";
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Two authorities, one below the other, and certificates issued by the lower one.
pub(super) struct World {
    pub(super) root: Authority,
    pub(super) below: Authority,
    pub(super) server: Identity,
    pub(super) client: Identity,
}

pub(super) fn world() -> World {
    let root = Authority::new("root").unwrap();
    let below = Authority::builder("below").build_under(&root).unwrap();
    World {
        server: below.issue_server([HOST]).unwrap(),
        client: below.issue_client("alice").unwrap(),
        root,
        below,
    }
}

/// Returns a list of this authority that revokes nothing.
pub(super) fn none_of(authority: &Authority) -> String {
    authority.revocation_list().issue_pem().unwrap()
}

fn lists(pem: &[String]) -> RevocationLists {
    RevocationLists::from_pem(pem.concat()).unwrap()
}

pub(super) fn trust(authority: &Authority, pem: &[String]) -> Trust {
    authority.trust().with_revocation_lists(lists(pem))
}

pub(super) fn as_client(
    trust: &Trust,
    identity: &Identity,
) -> Result<VerifiedIdentity, CertificateError> {
    trust.verify_client(&chain(identity), now())
}

#[track_caller]
fn both_refused(world: &World, trust: &Trust, error: CertificateError) {
    assert_eq!(
        as_server(trust, &chain(&world.server), HOST).map(drop),
        Err(error.clone())
    );
    assert_eq!(as_client(trust, &world.client).map(drop), Err(error));
}

#[track_caller]
fn both_accepted(world: &World, trust: &Trust) {
    as_server(trust, &chain(&world.server), HOST).unwrap();
    as_client(trust, &world.client).unwrap();
}

#[test]
fn every_certificate_up_to_the_root_is_looked_up() {
    let world = world();
    let World {
        root,
        below,
        server,
        client,
    } = &world;
    both_accepted(&world, &trust(root, &[none_of(root), none_of(below)]));
    // RFC 9846, 6.2: certificate_revoked(44).
    assert_eq!(CertificateError::Revoked.alert().0, 44);
    let leaves = below
        .revocation_list()
        .revoke(server)
        .revoke(client)
        .issue_pem()
        .unwrap();
    both_refused(
        &world,
        &trust(root, &[none_of(root), leaves]),
        CertificateError::Revoked,
    );
    let middle = root
        .revocation_list()
        .revoke_certificate(&below.certificates()[0])
        .issue_pem()
        .unwrap();
    both_refused(
        &world,
        &trust(root, &[middle, none_of(below)]),
        CertificateError::Revoked,
    );

    // Only one of them is revoked.
    let one = trust(
        root,
        &[
            none_of(root),
            below.revocation_list().revoke(client).issue_pem().unwrap(),
        ],
    );
    as_server(&one, &chain(server), HOST).unwrap();
    assert_eq!(
        as_client(&one, client).map(drop),
        Err(CertificateError::Revoked)
    );

    // The serial number is given as openssl prints it, and with leading zeros.
    let serial = crate::identity::certificate::Certificate::parse(&client.certificates()[0])
        .unwrap()
        .serial;
    for serial in [serial.to_vec(), [&[0], serial].concat()] {
        let list = below
            .revocation_list()
            .revoke_serial(serial)
            .issue_pem()
            .unwrap();
        assert_eq!(
            as_client(&trust(root, &[none_of(root), list]), client).map(drop),
            Err(CertificateError::Revoked)
        );
    }
    // If the lower authority itself is trusted, the list of the upper one is not needed.
    both_accepted(&world, &trust(below, &[none_of(below)]));
}

#[test]
fn what_no_list_tells_is_refused_unless_allowed() {
    let world = world();
    let World { root, below, .. } = &world;
    // certificate_unknown(46): the certificate is not at fault.
    assert_eq!(CertificateError::UnknownRevocation.alert().0, 46);
    let other = Authority::new("other").unwrap();
    for pem in [none_of(root), none_of(below), none_of(&other)] {
        both_refused(
            &world,
            &trust(root, std::slice::from_ref(&pem)),
            CertificateError::UnknownRevocation,
        );
        both_accepted(
            &world,
            &root
                .trust()
                .with_revocation_lists(lists(&[pem]).allow_unknown()),
        );
    }
    // Known revocations still apply.
    let middle = root
        .revocation_list()
        .revoke_certificate(&below.certificates()[0])
        .issue_pem()
        .unwrap();
    both_refused(
        &world,
        &root
            .trust()
            .with_revocation_lists(lists(&[middle]).allow_unknown()),
        CertificateError::Revoked,
    );

    // In a sum, lists apply to all of it, and only what all parts allow is allowed.
    let lenient = other
        .trust()
        .with_revocation_lists(lists(&[none_of(&other)]).allow_unknown());
    let strict = root.trust().with_revocation_lists(lists(&[none_of(root)]));
    both_accepted(&world, &root.trust().and(lenient.clone()));
    both_refused(
        &world,
        &strict.clone().and(lenient.clone()),
        CertificateError::UnknownRevocation,
    );
    both_accepted(
        &world,
        &lenient
            .and(strict)
            .with_revocation_lists(lists(&[none_of(below)])),
    );
}

#[test]
fn a_list_ends_when_the_next_is_due() {
    let world = world();
    let World {
        root,
        below,
        server,
        client,
    } = &world;
    assert_eq!(CertificateError::RevocationListExpired.alert().0, 46);
    let start = Duration::from_secs(now().unix.as_secs());
    let validity = Validity::between(start, start + DAY).unwrap();
    let list = below
        .revocation_list()
        .revoke(client)
        .validity(validity)
        .issue_pem()
        .unwrap();
    let strict = trust(root, &[none_of(root), list.clone()]);
    let lenient = root
        .trust()
        .with_revocation_lists(lists(&[none_of(root), list]).allow_expired());
    let verify = |trust: &Trust, unix| {
        trust
            .verify_server(&chain(server), Some(&name(HOST)), at(unix))
            .map(drop)
    };
    let last = start + DAY - Duration::from_secs(1);
    assert_eq!(verify(&strict, last), Ok(()));
    assert_eq!(
        verify(&strict, start + DAY),
        Err(CertificateError::RevocationListExpired)
    );
    assert_eq!(verify(&lenient, start + DAY), Ok(()));
    assert_eq!(
        lenient
            .verify_client(&chain(client), at(start + DAY))
            .map(drop),
        Err(CertificateError::Revoked)
    );

    // A session does not outlive it either.
    let expires = |trust: &Trust| {
        crate::identity::Peer::from_verified(as_server(trust, &chain(server), HOST).unwrap())
            .expires()
            .unwrap()
    };
    assert_eq!(expires(&strict), last);
    assert!(expires(&lenient) > start + 300 * DAY);
}

#[test]
fn a_list_counts_if_the_issuer_signed_it() {
    let world = world();
    let World {
        root,
        below,
        server,
        ..
    } = &world;
    assert_eq!(CertificateError::RevocationListNotIssuers.alert().0, 46);
    // The list of another authority with the same name has no effect: what it revokes is not
    // revoked, and what it does not revoke is not thereby valid.
    let impostor = Authority::new("below").unwrap();
    let theirs = impostor.revocation_list().issue_pem().unwrap();
    both_refused(
        &world,
        &trust(root, &[none_of(root), theirs.clone()]),
        CertificateError::RevocationListNotIssuers,
    );
    both_refused(
        &world,
        &root.trust().with_revocation_lists(
            lists(&[none_of(root), theirs])
                .allow_unknown()
                .allow_expired(),
        ),
        CertificateError::RevocationListNotIssuers,
    );
    // The root's list does not apply to the leaf's serial number.
    let serial = crate::identity::certificate::Certificate::parse(&server.certificates()[0])
        .unwrap()
        .serial;
    let upper = root
        .revocation_list()
        .revoke_serial(serial)
        .issue_pem()
        .unwrap();
    both_accepted(&world, &trust(root, &[upper, none_of(below)]));
    // The list has a wrong signature.
    let mut der = below.revocation_list().issue_der().unwrap();
    *der.last_mut().unwrap() ^= 1;
    let upper = root.revocation_list().issue_der().unwrap();
    let damaged = root
        .trust()
        .with_revocation_lists(RevocationLists::from_der([upper, der]).unwrap());
    both_refused(&world, &damaged, CertificateError::RevocationListNotIssuers);
}

#[test]
fn a_signature_is_verified_once_for_each_key() {
    let world = world();
    let World {
        root,
        below,
        server,
        ..
    } = &world;
    let handle = lists(&[none_of(root), none_of(below)]);
    assert_eq!(handle.signers(), [None, None]);
    let trust = root.trust().with_revocation_lists(handle.clone());
    // The key is remembered, not just that there is one: another authority with this name is still
    // refused.
    let impostor = Authority::new("below").unwrap();
    let theirs = impostor.issue_server([HOST]).unwrap();
    for _ in 0..2 {
        both_accepted(&world, &trust);
        assert_eq!(
            handle.signers(),
            [
                Some(*root.public_key().as_bytes()),
                Some(*below.public_key().as_bytes())
            ]
        );
        let other = impostor.trust().with_revocation_lists(handle.clone());
        assert_eq!(
            as_server(&other, &chain(&theirs), HOST).map(drop),
            Err(CertificateError::RevocationListNotIssuers)
        );
    }
    // Another list with the same signature is refused too.
    let mut der = below.revocation_list().issue_der().unwrap();
    let upper = root.revocation_list().issue_der().unwrap();
    let good = root
        .trust()
        .with_revocation_lists(RevocationLists::from_der([&upper, &der]).unwrap());
    as_server(&good, &chain(server), HOST).unwrap();
    let number = der
        .windows(3)
        .position(|bytes| bytes == [0x55, 0x1d, 20])
        .unwrap()
        + 7;
    der[number] ^= 1;
    let changed = root
        .trust()
        .with_revocation_lists(RevocationLists::from_der([&upper, &der]).unwrap());
    assert_eq!(
        as_server(&changed, &chain(server), HOST).map(drop),
        Err(CertificateError::RevocationListNotIssuers)
    );
}

#[test]
fn an_issuer_that_may_not_sign_lists() {
    let root = Ca::new(signing(ca_params("root")));
    let middle = root.below(ca_params("middle")); // keyCertSign alone
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    let crls = RevocationLists::from_der([
        root.crl("root", &crl(&[], 1, None)),
        middle.crl("middle", &crl(&[], 1, None)),
    ])
    .unwrap();
    let trust = Trust::roots_from_der([&root.der])
        .unwrap()
        .with_revocation_lists(crls);
    assert_eq!(
        as_server(&trust, &[&leaf, &middle.der], HOST).map(drop),
        Err(CertificateError::RevocationListNotIssuers)
    );
}

#[test]
fn pinned_keys_are_no_business_of_lists() {
    let world = world();
    let World {
        root,
        below,
        server,
        client,
    } = &world;
    let all = [
        none_of(root),
        below
            .revocation_list()
            .revoke(server)
            .revoke(client)
            .issue_pem()
            .unwrap(),
    ];
    let pinned = Trust::key_for(HOST, server.public_key()).and(Trust::keys([client.public_key()]));
    both_accepted(&world, &trust(root, &all).and(pinned.clone()));
    // Without roots, the lists would have no effect, so this is an error.
    let error = pinned
        .with_revocation_lists(lists(&all))
        .check()
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Config(ConfigError::Setting {
                name: "with_revocation_lists",
                ..
            })
        ),
        "{error:?}"
    );
}

#[test]
fn reloading_replaces_them_everywhere() {
    let world = world();
    let World {
        root,
        below,
        server,
        client,
    } = &world;
    let first = below.revocation_list().issue_pem().unwrap();
    let handle = lists(&[none_of(root), first.clone()]);
    // The clone of a clone has another setting.
    let trusts = [
        root.trust().with_revocation_lists(handle.clone()),
        root.trust()
            .with_revocation_lists(handle.clone().allow_unknown()),
    ];
    let before = trusts.clone().map(|trust| trust.digest());
    trusts.iter().for_each(|trust| both_accepted(&world, trust));

    let second = below
        .revocation_list()
        .following(&first)
        .revoke(server)
        .revoke(client)
        .issue_pem()
        .unwrap();
    handle.reload_pem([none_of(root), second].concat()).unwrap();
    for (trust, before) in trusts.iter().zip(before) {
        both_refused(&world, trust, CertificateError::Revoked);
        assert_ne!(trust.digest(), before);
    }

    // An unusable list leaves the previous ones in force.
    let after = trusts.clone().map(|trust| trust.digest());
    let half = format!(
        "{}-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
        none_of(root)
    );
    let errors = [
        handle.reload_pem(half).unwrap_err(),
        handle.reload_pem(server.chain_pem()).unwrap_err(),
        handle.reload_pem("").unwrap_err(),
        handle.reload_der([[0_u8; 0]; 0]).unwrap_err(),
        handle.reload_pem_file("/nonexistent/crl.pem").unwrap_err(),
    ];
    let texts = errors.map(|error| error.to_string());
    for (text, words) in texts.iter().zip([
        "revocation list 1 (the first is 0) cannot be used: ",
        "\"X509 CRL\", found \"CERTIFICATE\"",
        "found none",
        "missing: ",
        "cannot read",
    ]) {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(trusts.clone().map(|trust| trust.digest()), after);
    both_refused(&world, &trusts[0], CertificateError::Revoked);

    // The same holds for a list from a file.
    let path = std::env::temp_dir().join(format!("fleeting-reload-{}.pem", std::process::id()));
    let since_now = Validity::between(now().unix, now().unix + DAY).unwrap();
    std::fs::write(&path, [none_of(root), none_in(below, since_now)].concat()).unwrap();
    handle.reload_pem_file(&path).unwrap();
    both_accepted(&world, &trusts[0]);
    both_accepted(
        &world,
        &root
            .trust()
            .with_revocation_lists(RevocationLists::from_pem_file(&path).unwrap()),
    );
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_older_list_does_not_take_the_place_of_a_newer_one() {
    let world = world();
    let World {
        root,
        below,
        server,
        client,
    } = &world;
    let start = Duration::from_secs(now().unix.as_secs());
    let since =
        |seconds| Validity::between(start - Duration::from_secs(seconds), start + DAY).unwrap();
    let upper = none_in(root, since(100));
    let older = below
        .revocation_list()
        .validity(since(100))
        .issue_pem()
        .unwrap();
    let newer = below
        .revocation_list()
        .validity(since(50))
        .revoke(server)
        .revoke(client)
        .issue_pem()
        .unwrap();
    let newest = below
        .revocation_list()
        .validity(since(50))
        .following(&newer)
        .revoke_serial([7])
        .issue_pem()
        .unwrap();
    let handle = lists(&[upper.clone(), older.clone()]);
    let trust = root.trust().with_revocation_lists(handle.clone());
    let refused = |pem: &[&String]| {
        let before = trust.digest();
        let error = handle
            .reload_pem(pem.iter().map(|pem| pem.as_str()).collect::<String>())
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Config(ConfigError::RevocationList { index: 1, .. })
            ),
            "{error:?}"
        );
        assert!(error.to_string().contains("older"), "{error}");
        // None of it is used.
        assert_eq!(trust.digest(), before);
        both_refused(&world, &trust, CertificateError::Revoked);
    };
    // thisUpdate decides, then cRLNumber (RFC 5280, 5.1.2.4 and 5.2.3). This holds even before
    // anything was looked up in the list.
    handle
        .reload_pem([upper.clone(), newer.clone()].concat())
        .unwrap();
    refused(&[&upper, &older]);
    handle
        .reload_pem([upper.clone(), newest.clone()].concat())
        .unwrap();
    refused(&[&upper, &newer]);
    // The same list again, or together with an older one, does not count as older.
    handle
        .reload_pem([older.clone(), newest.clone(), upper.clone()].concat())
        .unwrap();
    refused(&[&upper, &older]);
    both_refused(&world, &trust, CertificateError::Revoked);
    // A list that is removed blocks nothing: what it covered is then unknown, and so is its age.
    handle.reload_pem(&upper).unwrap();
    both_refused(&world, &trust, CertificateError::UnknownRevocation);
    handle.reload_pem([upper, older].concat()).unwrap();
    both_accepted(&world, &trust);
}

#[test]
fn a_list_that_turned_out_not_to_be_the_issuers_holds_nothing_up() {
    let world = world();
    let World {
        root,
        below,
        server,
        ..
    } = &world;
    let start = Duration::from_secs(now().unix.as_secs());
    let since =
        |seconds| Validity::between(start - Duration::from_secs(seconds), start + DAY).unwrap();
    let upper = none_in(root, since(100));
    let genuine = none_in(below, since(100));
    let forged = Authority::new("below")
        .unwrap()
        .revocation_list()
        .validity(since(10))
        .issue_pem()
        .unwrap();
    let handle = lists(&[upper.clone(), genuine.clone()]);
    let trust = root.trust().with_revocation_lists(handle.clone());
    handle.reload_pem([upper.clone(), forged].concat()).unwrap();
    // The issuer is not known yet.
    handle
        .reload_pem([upper.clone(), genuine.clone()].concat())
        .unwrap_err();
    assert_eq!(
        as_server(&trust, &chain(server), HOST).map(drop),
        Err(CertificateError::RevocationListNotIssuers)
    );
    handle
        .reload_pem([upper.clone(), genuine].concat())
        .unwrap();
    both_accepted(&world, &trust);

    // This does not allow a list that is older than the issuer's last one.
    let newer = below
        .revocation_list()
        .validity(since(50))
        .revoke(server)
        .issue_pem()
        .unwrap();
    handle
        .reload_pem([upper.clone(), newer.clone()].concat())
        .unwrap();
    assert_eq!(
        as_server(&trust, &chain(server), HOST).map(drop),
        Err(CertificateError::Revoked)
    );
    for seconds in [10, 9] {
        let forged = Authority::new("below")
            .unwrap()
            .revocation_list()
            .validity(since(seconds))
            .issue_pem()
            .unwrap();
        handle.reload_pem([upper.clone(), forged].concat()).unwrap();
        assert_eq!(
            as_server(&trust, &chain(server), HOST).map(drop),
            Err(CertificateError::RevocationListNotIssuers)
        );
        handle
            .reload_pem([upper.clone(), none_in(below, since(100))].concat())
            .unwrap_err();
    }
    handle.reload_pem([upper.clone(), newer].concat()).unwrap();
    assert_eq!(
        as_server(&trust, &chain(server), HOST).map(drop),
        Err(CertificateError::Revoked)
    );

    // A list that was found to be one authority's stays its own, even if another authority of that
    // name is looked up.
    let newest = none_in(below, since(40));
    handle.reload_pem([upper.clone(), newest].concat()).unwrap();
    both_accepted(&world, &trust);
    let impostor = Authority::new("below").unwrap();
    let theirs = impostor.issue_server([HOST]).unwrap();
    let other = impostor.trust().with_revocation_lists(handle.clone());
    assert_eq!(
        as_server(&other, &chain(&theirs), HOST).map(drop),
        Err(CertificateError::RevocationListNotIssuers)
    );
    handle
        .reload_pem([upper, none_in(below, since(100))].concat())
        .unwrap_err();
    both_accepted(&world, &trust);
}

#[test]
fn what_a_peer_was_accepted_under_is_in_its_digest() {
    let world = world();
    let World {
        root,
        below,
        server,
        ..
    } = &world;
    let handle = lists(&[none_of(root), none_of(below)]);
    let trust = root.trust().with_revocation_lists(handle.clone());
    let before = trust.digest();
    let verified = as_server(&trust, &chain(server), HOST).unwrap();
    handle
        .reload_pem(
            [
                none_of(root),
                below
                    .revocation_list()
                    .revoke_serial([9])
                    .issue_pem()
                    .unwrap(),
            ]
            .concat(),
        )
        .unwrap();
    assert_eq!(verified.trust_digest(), &before);
    assert_ne!(
        as_server(&trust, &chain(server), HOST)
            .unwrap()
            .trust_digest(),
        &before
    );
    assert_eq!(
        as_server(&trust, &chain(server), HOST)
            .unwrap()
            .trust_digest(),
        &trust.digest()
    );
}

#[test]
fn the_newer_of_two_lists_counts_in_any_order() {
    let world = world();
    let World {
        root,
        below,
        server,
        client,
    } = &world;
    let start = Duration::from_secs(now().unix.as_secs());
    let since =
        |seconds| Validity::between(start - Duration::from_secs(seconds), start + DAY).unwrap();
    let first = below
        .revocation_list()
        .validity(since(100))
        .issue_pem()
        .unwrap();
    let later = below
        .revocation_list()
        .validity(since(50))
        .revoke(server)
        .revoke(client)
        .issue_pem()
        .unwrap();
    // Both are from the same second, so the number decides.
    let same_second = below
        .revocation_list()
        .validity(since(50))
        .following(&later)
        .revoke_serial([7])
        .issue_pem()
        .unwrap();
    let mut digests = Vec::new();
    for order in [[&first, &later], [&later, &first]] {
        let trust = trust(
            root,
            &[
                order[0].clone(),
                none_in(root, since(100)),
                order[1].clone(),
            ],
        );
        both_refused(&world, &trust, CertificateError::Revoked);
        digests.push(trust.digest());
    }
    // A list that follows another begins no earlier, so it counts as newer.
    let earlier = below
        .revocation_list()
        .validity(since(200))
        .following(&first)
        .revoke(server)
        .revoke(client)
        .issue_pem()
        .unwrap();
    both_refused(
        &world,
        &trust(root, &[first.clone(), none_in(root, since(100)), earlier]),
        CertificateError::Revoked,
    );
    // Lists that do not apply, are repeated, or are in another handle make no difference.
    digests.push(
        trust(
            root,
            &[none_in(root, since(100)), later.clone(), later.clone()],
        )
        .digest(),
    );
    digests.push(
        trust(root, std::slice::from_ref(&later))
            .with_revocation_lists(lists(&[none_in(root, since(100))]))
            .digest(),
    );
    assert!(digests.iter().all(|digest| *digest == digests[0]));
    for order in [[&same_second, &later], [&later, &same_second]] {
        let trust = trust(
            root,
            &[
                none_in(root, since(100)),
                order[0].clone(),
                order[1].clone(),
            ],
        );
        assert_eq!(
            trust.digest(),
            self::trust(root, &[none_in(root, since(100)), same_second.clone()]).digest()
        );
        assert_ne!(trust.digest(), digests[0]);
    }
}

/// Ed25519 makes the same signature for the same bytes.
fn none_in(authority: &Authority, validity: Validity) -> String {
    authority
        .revocation_list()
        .validity(validity)
        .issue_pem()
        .unwrap()
}

#[test]
fn everything_about_lists_that_decides_changes_the_digest() {
    let World {
        root,
        below,
        client,
        ..
    } = &world();
    let (upper, lower) = (none_of(root), none_of(below));
    let both = lists(&[upper.clone(), lower.clone()]);
    let digests = [
        root.trust().digest(),
        trust(root, std::slice::from_ref(&upper)).digest(),
        trust(root, std::slice::from_ref(&lower)).digest(),
        trust(root, &[upper.clone(), lower]).digest(),
        trust(
            root,
            &[
                upper,
                below.revocation_list().revoke(client).issue_pem().unwrap(),
            ],
        )
        .digest(),
        root.trust()
            .with_revocation_lists(both.clone().allow_unknown())
            .digest(),
        root.trust()
            .with_revocation_lists(both.clone().allow_expired())
            .digest(),
        root.trust()
            .with_revocation_lists(both.clone().allow_expired().allow_unknown())
            .digest(),
        below.trust().with_revocation_lists(both).digest(),
    ];
    for (at, one) in digests.iter().enumerate() {
        assert!(!digests[..at].contains(one), "{at}");
    }
}

#[test]
fn the_digest_with_lists_is_that_of_the_text_in_its_documentation() {
    let root = Authority::new("root").unwrap();
    let lists = [
        root.revocation_list().issue_der().unwrap(),
        Authority::new("other")
            .unwrap()
            .revocation_list()
            .issue_der()
            .unwrap(),
    ];
    let trust = root
        .trust()
        .with_revocation_lists(RevocationLists::from_der(&lists).unwrap().allow_expired());
    let mut hashes = lists.map(|list| crate::crypto::hash::sha256(&list));
    hashes.sort();
    let text = [
        b"fleeting trust with revocation lists",
        &root.trust().digest()[..],
        &[0, 1],
        &hashes.concat(),
    ]
    .concat();
    assert_eq!(trust.digest(), crate::crypto::hash::sha256(&text));
}

// ---- lists that `Authority` would not issue, by rcgen ----

fn signing(mut params: CertificateParams) -> CertificateParams {
    params.key_usages.push(KeyUsagePurpose::CrlSign);
    params
}

fn crl(revoked: &[&[u8]], number: u64, scope: Option<CrlScope>) -> CertificateRevocationListParams {
    crl_at("http://crl.example/1", revoked, number, scope)
}

fn crl_at(
    uri: &str,
    revoked: &[&[u8]],
    number: u64,
    scope: Option<CrlScope>,
) -> CertificateRevocationListParams {
    CertificateRevocationListParams {
        this_update: date_time_ymd(2024, 1, 1),
        next_update: date_time_ymd(2999, 1, 1),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: scope.map(|scope| CrlIssuingDistributionPoint {
            distribution_point: CrlDistributionPoint {
                uris: vec![uri.to_owned()],
            },
            scope: Some(scope),
        }),
        revoked_certs: revoked
            .iter()
            .map(|serial| RevokedCertParams {
                serial_number: SerialNumber::from_slice(serial),
                revocation_time: date_time_ymd(2024, 1, 1),
                reason_code: Some(rcgen::RevocationReason::KeyCompromise),
                invalidity_date: Some(date_time_ymd(2024, 1, 1)),
            })
            .collect(),
        key_identifier_method: KeyIdMethod::PreSpecified(vec![1; 20]),
    }
}

#[test]
fn lists_of_others_for_some_certificates() {
    let root = Ca::new(signing(ca_params("root")));
    let leaf = root.leaf(&leaf_params(&[HOST])); // its serial number is 0x41, 16 times
    let trust = |lists: Vec<Vec<u8>>| {
        Trust::roots_from_der([&root.der])
            .unwrap()
            .with_revocation_lists(RevocationLists::from_der(lists).unwrap())
    };
    let verify = |lists| as_server(&trust(lists), &[&leaf], HOST).map(drop);
    assert_eq!(verify(vec![root.crl("root", &crl(&[], 1, None))]), Ok(()));
    assert_eq!(
        verify(vec![root.crl("root", &crl(&[&[0x41; 16]], 1, None))]),
        Err(CertificateError::Revoked)
    );
    // RFC 5280, 5.2.5: a list for CAs does not apply to a leaf, and does not hide the other list.
    let (users, cas) = (
        |revoked, number| crl(revoked, number, Some(CrlScope::UserCertsOnly)),
        |number| crl(&[], number, Some(CrlScope::CaCertsOnly)),
    );
    assert_eq!(
        verify(vec![root.crl("root", &cas(2))]),
        Err(CertificateError::UnknownRevocation)
    );
    assert_eq!(verify(vec![root.crl("root", &users(&[], 1))]), Ok(()));
    assert_eq!(
        verify(vec![root.crl("root", &users(&[&[0x41; 16]], 1))]),
        Err(CertificateError::Revoked)
    );
}

#[test]
fn what_any_list_of_the_issuer_names_is_revoked() {
    let root = Ca::new(signing(ca_params("root")));
    // its serial number is 0x41, 16 times, and it names no distribution point
    let leaf = root.leaf(&leaf_params(&[HOST]));
    let revoked: &[&[u8]] = &[&[0x41; 16]];
    let verify = |lists: [&Vec<u8>; 2]| {
        let lists = RevocationLists::from_der(lists).unwrap();
        as_server(
            &Trust::roots_from_der([&root.der])
                .unwrap()
                .with_revocation_lists(lists),
            &[&leaf],
            HOST,
        )
        .map(drop)
    };
    let users = |uri, revoked| {
        root.crl(
            "root",
            &crl_at(uri, revoked, 2, Some(CrlScope::UserCertsOnly)),
        )
    };
    let (first, second) = ("http://crl.example/1", "http://crl.example/2");
    for (harmless, harmful) in [
        // An authority's list is in two parts.
        (users(first, &[]), users(second, revoked)),
        (users(second, &[]), users(first, revoked)),
        // One list is for all certificates, and a later one for those of users.
        (root.crl("root", &crl(&[], 1, None)), users(first, revoked)),
        // RFC 5280, 4.1.2.2: a serial number identifies one certificate, whatever the scope of the
        // list.
        (
            root.crl("root", &crl(&[], 1, None)),
            root.crl("root", &crl(revoked, 1, Some(CrlScope::CaCertsOnly))),
        ),
    ] {
        assert_eq!(
            verify([&harmless, &harmful]),
            Err(CertificateError::Revoked)
        );
        assert_eq!(
            verify([&harmful, &harmless]),
            Err(CertificateError::Revoked)
        );
        // A list of another authority with the same name has no effect.
        let other = Ca::new(signing(ca_params("root"))).crl(
            "root",
            &crl_at(
                "http://crl.example/3",
                revoked,
                1,
                Some(CrlScope::UserCertsOnly),
            ),
        );
        let all = root.crl("root", &crl(&[], 1, None));
        assert_eq!(verify([&all, &other]), Ok(()));
    }

    // The same holds between the leaf and the root.
    let middle = root.below(signing(ca_params("middle"))); // with the same number
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    let cas = root.crl("root", &crl(revoked, 1, Some(CrlScope::CaCertsOnly)));
    for (upper, expected) in [
        (&cas, Err(CertificateError::Revoked)),
        (&users(first, &[]), Ok(())),
    ] {
        let lists = [
            root.crl("root", &crl(&[], 1, None)),
            middle.crl("middle", &crl(&[], 1, None)),
            upper.clone(),
        ];
        let trust = Trust::roots_from_der([&root.der])
            .unwrap()
            .with_revocation_lists(RevocationLists::from_der(lists).unwrap());
        assert_eq!(
            as_server(&trust, &[&leaf, &middle.der], HOST).map(drop),
            expected
        );
    }
}

#[test]
fn what_is_over_already_ends_no_session() {
    let root = Ca::new(signing(ca_params("root")));
    let leaf = root.leaf(&leaf_params(&[HOST]));
    let mut over = crl(&[], 1, Some(CrlScope::UserCertsOnly));
    over.next_update = date_time_ymd(2024, 1, 2);
    let mut current = crl(&[], 1, None);
    current.next_update = date_time_ymd(2300, 1, 1);
    let lists =
        RevocationLists::from_der([root.crl("root", &current), root.crl("root", &over)]).unwrap();
    let trust = Trust::roots_from_der([&root.der])
        .unwrap()
        .with_revocation_lists(lists);
    let peer = crate::identity::Peer::from_verified(as_server(&trust, &[&leaf], HOST).unwrap());
    // This is a second before 2300-01-01.
    assert_eq!(peer.expires(), Some(Duration::from_secs(10_413_791_999)));
}

#[test]
fn damaged_lists_are_refused_or_never_believed() {
    let World {
        root,
        below,
        server,
        client,
    } = &world();
    let upper = root.revocation_list().issue_der().unwrap();
    let good = below.revocation_list().revoke(server).issue_der().unwrap();
    let mut read = 0;
    for bad in damaged(&good) {
        let Ok(lists) = RevocationLists::from_der([&upper, &bad]) else {
            continue;
        };
        read += 1;
        let trust = root.trust().with_revocation_lists(lists);
        assert!(as_server(&trust, &chain(server), HOST).is_err());
        // A list that is not the issuer's does not lead to acceptance.
        assert!(as_client(&trust, client).is_err());
    }
    assert!(read > 100, "{read}");
    let pem = none_of(below);
    for bad in damaged(pem.as_bytes()) {
        drop(RevocationLists::from_pem(&bad));
        drop(below.revocation_list().following(&bad).issue_pem());
    }
}
