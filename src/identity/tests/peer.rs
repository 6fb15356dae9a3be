//! `Peer::to_ticket` and `from_ticket`, and until when a peer is trusted.

use core::time::Duration;

use proptest::prelude::*;
use rcgen::{CertificateParams, date_time_ymd};

use super::forge::{Ca, ca_params, leaf_params};
use super::{as_server, at, chain, name, now};
use crate::identity::certificate::Certificate;
use crate::identity::{Authority, Identity, Peer, Trust, Validity};

const HOST: &str = "a.example";

/// Returns a peer of each kind.
fn peers() -> Vec<Peer> {
    let authority = Authority::builder("below")
        .build_under(&Authority::new("root").unwrap())
        .unwrap();
    let client = authority
        .certificate()
        .client("alice")
        .server([HOST, "10.0.0.1"])
        .issue()
        .unwrap();
    let own = Identity::generate().unwrap();
    let bound = Trust::key_for(HOST, own.public_key()).and(Trust::key_for("::1", own.public_key()));
    let keys = Trust::keys([own.public_key()]);
    [
        authority.trust().verify_client(&chain(&client), now()),
        as_server(&authority.trust(), &chain(&client), HOST),
        bound.verify_client(&chain(&own), now()),
        bound.verify_client_key(&own.spki()),
        bound.verify_server_key(&own.spki(), Some(&name("::1"))),
        keys.verify_client(&chain(&own), now()),
        keys.verify_client_key(&own.spki()),
    ]
    .into_iter()
    .map(|verified| Peer::from_verified(verified.unwrap()))
    .collect()
}

#[test]
fn a_peer_comes_back_from_a_ticket_as_it_was() {
    for peer in peers() {
        let ticket = peer.to_ticket();
        let back = Peer::from_ticket(&ticket).unwrap();
        assert_eq!(
            (back.names(), back.uris(), back.subject()),
            (peer.names(), peer.uris(), peer.subject())
        );
        assert_eq!(
            (back.public_key(), back.common_name()),
            (peer.public_key(), peer.common_name())
        );
        assert_eq!(
            (back.pinned_names(), back.expires()),
            (peer.pinned_names(), peer.expires())
        );
        // Only the leaf remains.
        assert_eq!(back.certificates().first(), peer.certificates().first());
        assert!(back.certificates().len() <= 1);
        assert_eq!(back.to_ticket(), ticket);
    }
}

#[test]
fn a_ticket_remembers_the_uris_of_a_peer() {
    let ca = Ca::root();
    let mut params = leaf_params(&[]);
    params.subject_alt_names.push(rcgen::SanType::URI(
        "spiffe://example.org/db".try_into().unwrap(),
    ));
    let leaf = ca.leaf(&params);
    let peer = Peer::from_verified(
        Trust::roots_from_der([&ca.der])
            .unwrap()
            .verify_client(&[&leaf, &ca.der], now())
            .unwrap(),
    );
    let back = Peer::from_ticket(&peer.to_ticket()).unwrap();
    assert_eq!(
        (back.uris(), back.certificates()),
        (vec!["spiffe://example.org/db".to_owned()], &[leaf][..])
    );
}

#[test]
fn a_ticket_is_what_its_documentation_says() {
    let [path, _, bound, bound_raw, .., key_raw] = &peers()[..] else {
        panic!("other peers")
    };
    let expires = path.expires().unwrap().as_secs();
    assert_eq!(
        path.to_ticket(),
        [&[1][..], &expires.to_be_bytes(), &path.certificates()[0]].concat()
    );
    assert_eq!(
        bound.to_ticket(),
        [b"\x02a.example\0::1\0\0", &bound.certificates()[0][..]].concat()
    );
    assert_eq!(
        bound_raw.to_ticket(),
        [
            b"\x02a.example\0::1\0\0",
            &bound_raw.public_key().to_spki()[..]
        ]
        .concat()
    );
    assert_eq!(
        key_raw.to_ticket(),
        [&[3], &key_raw.public_key().to_spki()[..]].concat()
    );
}

#[test]
fn no_other_bytes_are_a_peer() {
    let own = Identity::generate().unwrap();
    let (raw, leaf) = (&own.spki()[..], &own.certificates()[0][..]);
    for good in [
        &[b"\x02a\0b\0\0", raw].concat(),
        &[b"\x02a\0\0", leaf].concat(),
        &[b"\x01\0\0\0\0\0\0\0\0", leaf].concat(),
    ] {
        assert!(Peer::from_ticket(good).is_some());
    }
    for bad in [
        // Names that are empty, repeated, out of order, not in normal form, invalid, not text, or
        // without an end.
        [b"\x02\0", raw].concat(),
        [b"\x02a\0a\0\0", raw].concat(),
        [b"\x02b\0a\0\0", raw].concat(),
        [b"\x02A\0\0", raw].concat(),
        [b"\x02a.\0\0", raw].concat(),
        [b"\x02*.a\0\0", raw].concat(),
        [b"\x02\xff\0\0", raw].concat(),
        [b"\x02a\0", raw].concat(),
        // A path to a raw key, and unknown kinds.
        [b"\x01\0\0\0\0\0\0\0\0", raw].concat(),
        [b"\0", raw].concat(),
        [b"\x04", raw].concat(),
    ] {
        assert!(Peer::from_ticket(&bad).is_none(), "{bad:?}");
    }
    // A certificate whose key has another algorithm.
    assert!(Peer::from_ticket(&[b"\x03", &super::vector_der("rsa-leaf")[..]].concat()).is_none());
    for ticket in peers().iter().map(Peer::to_ticket) {
        for len in 0..ticket.len() {
            assert!(
                Peer::from_ticket(&ticket[..len]).is_none(),
                "{len} of {}",
                ticket.len()
            );
        }
        for byte in [0, 0x30] {
            assert!(Peer::from_ticket(&[&ticket[..], &[byte]].concat()).is_none());
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_no_peer_or_one_that_is_written_so(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        which in 0usize..7,
        at in any::<prop::sample::Index>(),
        mask in 1u8..,
    ) {
        let mut changed = peers()[which].to_ticket();
        let at = at.index(changed.len());
        changed[at] ^= mask;
        for bytes in [bytes, changed] {
            if let Some(peer) = Peer::from_ticket(&bytes) {
                prop_assert_eq!(peer.to_ticket(), bytes);
                drop((
                    peer.names(),
                    peer.uris(),
                    peer.subject(),
                    peer.common_name(),
                    format!("{peer:?}"),
                ));
            }
        }
    }
}

#[test]
fn a_peer_expires_with_the_first_certificate_on_its_path() {
    let year = |mut params: CertificateParams, year| {
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(year, 1, 1));
        params
    };
    // The root's dates are ignored, as are extra certificates from the peer.
    let root = Ca::new(year(ca_params("root"), 2024));
    let spare = root.below(year(ca_params("spare"), 2026));
    let seconds = |year| {
        Duration::from_secs(
            date_time_ymd(year, 1, 1)
                .unix_timestamp()
                .try_into()
                .unwrap(),
        )
    };
    for (upper, lower, leaf, first) in [
        (2030, 2031, 2032, 2030),
        (2031, 2030, 2032, 2030),
        (2032, 2031, 2030, 2030),
        (2030, 2030, 2030, 2030),
    ] {
        let upper = root.below(year(ca_params("upper"), upper));
        let lower = upper.below(year(ca_params("lower"), lower));
        let leaf = lower.leaf(&year(leaf_params(&[HOST]), leaf));
        let trust = Trust::roots_from_der([&root.der]).unwrap();
        let shown = [&leaf[..], &lower.der, &upper.der, &spare.der, &root.der];
        let now = at(seconds(2025));
        for verified in [
            trust.verify_server(&shown, Some(&name(HOST)), now),
            trust.verify_client(&shown, now),
        ] {
            assert_eq!(
                Peer::from_verified(verified.unwrap()).expires(),
                Some(seconds(first))
            );
        }
        // If a certificate in the middle is a root, nothing above it counts.
        let trust = Trust::roots_from_der([&lower.der]).unwrap();
        let peer = Peer::from_verified(trust.verify_client(&[&leaf], now).unwrap());
        assert_eq!(
            peer.expires(),
            Validity::from_der(Certificate::parse(&leaf).unwrap().validity)
                .map(|validity| validity.not_after())
        );
        // If the key is trusted, there is no expiry at all.
        let pinned = Trust::keys([peer.public_key()]);
        assert_eq!(
            Peer::from_verified(pinned.verify_client(&shown, now).unwrap()).expires(),
            None
        );
    }
}

#[test]
fn the_end_is_read_in_either_form() {
    // Path validation accepts a GeneralizedTime for a year that has a UTCTime (RFC 5280, 4.1.2.5),
    // so the expiry must be read from that too.
    let read = |der: &[u8]| Validity::from_der(der).unwrap().not_after().as_secs();
    assert_eq!(
        read(b"\x30\x20\x17\x0d200101000000Z\x18\x0f20300101000000Z"),
        1_893_456_000
    );
    assert_eq!(
        read(b"\x30\x1e\x17\x0d200101000000Z\x17\x0d300101000000Z"),
        1_893_456_000
    );
}

#[test]
fn a_peer_without_an_end_expires_with_time_itself() {
    // RFC 5280, 4.1.2.5: 99991231235959Z.
    let ca = Ca::root();
    let mut params = leaf_params(&[HOST]);
    params.not_after = date_time_ymd(9999, 12, 31) + Duration::from_secs(86_399);
    let trust = Trust::roots_from_der([&ca.der]).unwrap();
    let peer = Peer::from_verified(as_server(&trust, &[&ca.leaf(&params)], HOST).unwrap());
    assert_eq!(peer.expires(), Some(Duration::from_secs(253_402_300_799)));
    assert_eq!(
        Peer::from_ticket(&peer.to_ticket()).unwrap().expires(),
        peer.expires()
    );
}
