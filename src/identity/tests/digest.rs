//! `Trust::digest`: it is the same for the same trust, and different for any other.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, GeneralSubtree, IsCa, NameConstraints,
    SerialNumber, date_time_ymd,
};

use super::forge::{Ca, Key, ca_params};
use crate::identity::{Authority, Identity, PublicKey, Trust};

const HOST: &str = "a.example";

fn key() -> PublicKey {
    Identity::generate().unwrap().public_key()
}

fn root(ca: &Ca) -> Trust {
    Trust::roots_from_der([&ca.der]).unwrap()
}

#[test]
fn order_and_duplicates_do_not_matter() {
    let (first, second) = (root(&Ca::root()), root(&Ca::new(ca_params("second"))));
    let (alice, bob) = (key(), key());
    let parts = [
        first,
        second,
        Trust::key_for(HOST, alice),
        Trust::key_for("b.example", alice),
        Trust::keys([alice, bob]),
    ];
    let sum = |order: &[usize]| {
        order
            .iter()
            .map(|&at| parts[at].clone())
            .reduce(Trust::and)
            .unwrap()
            .digest()
    };
    let digest = sum(&[0, 1, 2, 3, 4]);
    for order in [
        &[4, 3, 2, 1, 0][..],
        &[2, 0, 4, 1, 3],
        &[0, 1, 2, 3, 4, 4, 3, 2, 1, 0],
    ] {
        assert_eq!(sum(order), digest, "{order:?}");
    }
    assert_eq!(
        Trust::keys([alice, bob]).digest(),
        Trust::keys([bob, alice, bob]).digest()
    );
    // Names are compared after parsing.
    assert_eq!(
        Trust::key_for("A.Example.", alice).digest(),
        Trust::key_for(HOST, alice).digest()
    );
    assert_eq!(
        Trust::key_for("0:0::1", alice).digest(),
        Trust::key_for("[::1]", alice).digest()
    );
}

#[test]
fn every_single_change_changes_the_digest() {
    let (first, second) = (root(&Ca::root()), root(&Ca::new(ca_params("second"))));
    let (alice, bob) = (key(), key());
    let all = [
        first.clone(),
        second.clone(),
        first.clone().and(second.clone()),
        Trust::key_for(HOST, alice),
        Trust::key_for("b.example", alice),
        Trust::key_for("10.0.0.1", alice),
        Trust::key_for("::ffff:10.0.0.1", alice),
        Trust::key_for(HOST, bob),
        Trust::key_for(HOST, alice).and(Trust::key_for(HOST, bob)),
        // It matters which key has which name.
        Trust::key_for(HOST, alice).and(Trust::key_for("b.example", bob)),
        Trust::key_for(HOST, bob).and(Trust::key_for("b.example", alice)),
        Trust::keys([alice]),
        Trust::keys([bob]),
        Trust::keys([alice, bob]),
        Trust::keys([alice]).and(Trust::key_for(HOST, bob)),
        first.clone().and(Trust::keys([alice])),
        first.clone().and(Trust::key_for(HOST, alice)),
        first.and(second).and(Trust::keys([alice])),
    ];
    for (at, one) in all.iter().enumerate() {
        for other in &all[..at] {
            assert_ne!(one.digest(), other.digest(), "{one:?} {other:?}");
        }
    }
}

#[test]
fn everything_about_a_root_that_decides_changes_the_digest() {
    let ca_key = Key::new();
    let digest = |key: &Key, change: &dyn Fn(&mut CertificateParams)| {
        let mut params = ca_params("root");
        change(&mut params);
        Trust::roots_from_der([params.self_signed(key).unwrap().der()])
            .unwrap()
            .digest()
    };
    let length = |length| {
        move |params: &mut CertificateParams| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length))
        }
    };
    let names = |permitted: &'static [&str], excluded: &'static [&str]| {
        let subtrees = |names: &[&str]| {
            names
                .iter()
                .map(|name| GeneralSubtree::DnsName((*name).to_owned()))
                .collect()
        };
        move |params: &mut CertificateParams| {
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: subtrees(permitted),
                excluded_subtrees: subtrees(excluded),
            });
        }
    };
    let same = |_: &mut CertificateParams| ();
    let digests = [
        digest(&ca_key, &same),
        digest(&Key::new(), &same),
        digest(&ca_key, &|params| {
            params
                .distinguished_name
                .push(DnType::CommonName, "another")
        }),
        digest(&ca_key, &length(0)),
        digest(&ca_key, &length(1)),
        digest(&ca_key, &names(&["a.example"], &[])),
        digest(&ca_key, &names(&["b.example"], &[])),
        digest(&ca_key, &names(&[], &["a.example"])),
        digest(&ca_key, &names(&["a.example"], &["b.example"])),
    ];
    for (at, one) in digests.iter().enumerate() {
        assert!(!digests[..at].contains(one), "{at}");
    }

    // Changes that affect no decision change nothing: here a root was renewed, with another serial
    // number and other dates.
    let renewed = digest(&ca_key, &|params| {
        params.serial_number = Some(SerialNumber::from_slice(&[0x42; 16]));
        params.not_after = date_time_ymd(2040, 1, 1);
    });
    assert_eq!(renewed, digests[0]);
}

#[test]
fn go_cve_2025_68121_removing_a_root_changes_the_digest() {
    // Go's crypto/tls resumed sessions after the roots had been changed under a shared ticket key
    // or cache: a certificate by an authority was accepted although the authority was no longer
    // trusted. Here sessions are tied to this digest.
    let (kept, removed) = (
        Authority::new("kept").unwrap().trust(),
        Authority::new("removed").unwrap().trust(),
    );
    let before = kept.clone().and(removed);
    assert_ne!(before.digest(), kept.digest());
    // A digest that was already computed is not kept either.
    let mut grown = kept.clone();
    assert_eq!(grown.digest(), kept.digest());
    grown = grown.and(Trust::keys([key()]));
    assert_ne!(grown.digest(), kept.digest());
}

#[test]
fn the_digest_is_that_of_the_text_in_its_documentation() {
    let (one, two) = (PublicKey::from([0x11; 32]), PublicKey::from([0x22; 32]));
    let trust = Trust::keys([two]).and(Trust::key_for("db", one));
    let text = [
        &b"fleeting trust\x02\0\0\0\x02db\0\0\0\x20"[..],
        &[0x11; 32],
        b"\x03\0\0\0\x20",
        &[0x22; 32],
    ]
    .concat();
    assert_eq!(trust.digest(), crate::crypto::hash::sha256(&text));
}
