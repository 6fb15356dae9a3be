//! Raw public keys (RFC 7250): the same trust as for keys in certificates, a single encoding, and
//! no trust by roots.

use super::forge::Ca;
use super::{chain, name, now, untrusted, vector_der};
use crate::code_point::AlertDescription;
use crate::error::CertificateError;
use crate::identity::certificate::Certificate;
use crate::identity::{Authority, Identity, Peer, PublicKey, Trust};

const HOST: &str = "a.example";

/// RFC 8410, section 4, written out: SEQUENCE { SEQUENCE { 1.3.101.112 }, BIT STRING (no unused
/// bits) }.
fn spki(key: &[u8; 32]) -> Vec<u8> {
    [
        &[
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ][..],
        key,
    ]
    .concat()
}

#[test]
fn a_raw_key_is_accepted_for_the_names_it_is_bound_to() {
    let own = Identity::generate().unwrap();
    assert_eq!(own.spki().as_slice(), spki(own.public_key().as_bytes()));
    let trust =
        Trust::key_for("b.example", own.public_key()).and(Trust::key_for(HOST, own.public_key()));
    let verified = trust
        .verify_server_key(&own.spki(), Some(&name(HOST)))
        .unwrap();
    assert_eq!(verified.key().to_bytes(), *own.public_key().as_bytes());
    let server = Peer::from_verified(verified);
    assert_eq!(
        (server.public_key(), server.names()),
        (own.public_key(), vec![HOST.to_owned()])
    );
    assert!(
        server.certificates().is_empty() && server.uris().is_empty() && server.subject().is_empty()
    );
    assert_eq!((server.common_name(), server.expires()), (None, None));
    assert!(format!("{server:?}").contains(HOST));

    let client = Peer::from_verified(trust.verify_client_key(&own.spki()).unwrap());
    assert_eq!(client.pinned_names(), [HOST, "b.example"]);

    // RFC 9846, F.9: the key is not accepted under another name, or without one.
    for other in [Some(name("c.example")), None] {
        let error = trust
            .verify_server_key(&own.spki(), other.as_ref())
            .map(drop)
            .unwrap_err();
        assert_eq!(
            (error.alert(), error),
            (AlertDescription::UNKNOWN_CA, untrusted(own.public_key()))
        );
    }
}

#[test]
fn a_set_of_keys_counts_for_raw_ones_too() {
    let (one, two) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let trust = Trust::keys([one.public_key()]);
    for host in [Some(name(HOST)), Some(name("::1")), None] {
        let peer =
            Peer::from_verified(trust.verify_server_key(&one.spki(), host.as_ref()).unwrap());
        assert!(peer.names().is_empty());
        assert_eq!(
            trust
                .verify_server_key(&two.spki(), host.as_ref())
                .map(drop),
            Err(untrusted(two.public_key()))
        );
    }
    trust.verify_client_key(&one.spki()).unwrap();
    assert_eq!(
        trust.verify_client_key(&two.spki()).map(drop),
        Err(untrusted(two.public_key()))
    );
}

#[test]
fn a_root_vouches_for_no_raw_key() {
    // This holds for a key that it has certified and for its own.
    let authority = Authority::new("CA").unwrap();
    let server = authority.issue_server([HOST]).unwrap();
    let trust = authority.trust().and(Trust::key_for(
        "pinned",
        Identity::generate().unwrap().public_key(),
    ));
    trust
        .verify_server(&chain(&server), Some(&name(HOST)), now())
        .unwrap();
    for public in [server.public_key(), authority.public_key()] {
        let key = public.to_spki();
        for trust in [&trust, &authority.trust()] {
            assert_eq!(
                trust.verify_server_key(&key, Some(&name(HOST))).map(drop),
                Err(untrusted(public))
            );
            assert_eq!(
                trust.verify_client_key(&key).map(drop),
                Err(untrusted(public))
            );
        }
    }
}

#[test]
fn another_encoding_of_a_trusted_key_is_refused() {
    let own = Identity::generate().unwrap();
    let trust = Trust::keys([own.public_key()]);
    let good = own.spki();
    trust.verify_client_key(&good).unwrap();
    let refused = |bytes: &[u8]| {
        let error = trust.verify_client_key(bytes).map(drop).unwrap_err();
        assert_eq!(
            trust.verify_server_key(bytes, None).map(drop),
            Err(error.clone())
        );
        (error.alert(), error)
    };
    let malformed = (
        AlertDescription::BAD_CERTIFICATE,
        CertificateError::Malformed,
    );
    for len in 0..good.len() {
        assert_eq!(refused(&good[..len]), malformed);
    }
    for byte in [0x00, 0x30] {
        assert_eq!(refused(&[&good[..], &[byte]].concat()), malformed);
    }
    // Each byte before the key is changed. A changed OID is another algorithm's.
    for (at, mask) in (0..12).flat_map(|at| [0x01, 0x80, 0x20, 0xff].map(|mask| (at, mask))) {
        let mut bad = good;
        bad[at] ^= mask;
        let (alert, error) = refused(&bad);
        let fits = match error {
            CertificateError::Malformed => alert == AlertDescription::BAD_CERTIFICATE,
            CertificateError::UnsupportedAlgorithm => {
                (6..9).contains(&at) && alert == AlertDescription::UNSUPPORTED_CERTIFICATE
            }
            _ => false,
        };
        assert!(fits, "{at} {mask:#x} {error:?}");
    }
    // RFC 8410, section 3: the parameters MUST be absent. Here they are NULL. Then the lengths have
    // more bytes than DER allows. Then there is only the key.
    let key = own.public_key();
    let with_null = [
        &[
            0x30, 0x2c, 0x30, 0x07, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x05, 0x00, 0x03, 0x21, 0x00,
        ][..],
        key.as_bytes(),
    ]
    .concat();
    let long_form = [&[0x30, 0x81][..], &good[1..]].concat();
    for bad in [&with_null, &long_form, &key.as_bytes().to_vec()] {
        assert_eq!(refused(bad), malformed);
    }
    // A whole certificate with the key is sent after agreeing on a raw key.
    assert_eq!(refused(&own.certificates()[0]), malformed);
}

#[test]
fn a_raw_key_of_another_algorithm_is_unsupported() {
    let trust = Trust::keys([Identity::generate().unwrap().public_key()]);
    let rsa = vector_der("rsa-leaf");
    let rsa = Certificate::parse(&rsa).unwrap().spki;
    let x25519 = [
        &[
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00,
        ][..],
        &[9; 32],
    ]
    .concat();
    for other in [rsa, &x25519] {
        let error = trust.verify_client_key(other).map(drop).unwrap_err();
        assert_eq!(
            (error.alert(), error),
            (
                AlertDescription::UNSUPPORTED_CERTIFICATE,
                CertificateError::UnsupportedAlgorithm
            )
        );
    }
}

#[test]
fn a_raw_key_that_everybody_can_sign_for_is_refused() {
    // These are the points 1 and 0 (of order 1 and 4), and 2, which is not on the curve. `build()`
    // refuses such a trust. This tests verification without that check.
    for low in [1, 0, 2] {
        let mut bytes = [0; 32];
        bytes[0] = low;
        let trust = Trust::keys([bytes]).and(Trust::key_for(HOST, bytes));
        assert_eq!(
            trust.verify_client_key(&spki(&bytes)).map(drop),
            Err(CertificateError::Malformed)
        );
        assert_eq!(
            trust
                .verify_server_key(&spki(&bytes), Some(&name(HOST)))
                .map(drop),
            Err(CertificateError::Malformed)
        );
    }
}

#[test]
fn only_a_key_alone_is_shown_raw() {
    let generated = Identity::generate().unwrap();
    let loaded = Identity::from_key_pem(generated.key_pem().unwrap().expose()).unwrap();
    assert!(
        generated.prefers_raw_key() && loaded.prefers_raw_key() && loaded.clone().prefers_raw_key()
    );
    assert_eq!(generated.certificates().len(), 1);
    // An identity that was loaded with a chain, or that has a name, presents its certificate.
    let chain =
        Identity::from_pem(generated.chain_pem(), generated.key_pem().unwrap().expose()).unwrap();
    let issued = Authority::new("CA").unwrap().issue_server([HOST]).unwrap();
    for identity in [chain, issued, Identity::self_signed([HOST]).unwrap()] {
        assert!(!identity.prefers_raw_key(), "{identity:?}");
        assert_eq!(
            PublicKey::from_spki(&identity.spki()),
            Some(identity.public_key())
        );
    }
}

#[test]
fn a_trust_knows_what_it_holds() {
    let key = Identity::generate().unwrap().public_key();
    let roots = Trust::roots_from_der([Ca::root().der]).unwrap();
    for (trust, holds) in [
        (roots.clone(), (true, false)),
        (Trust::key_for(HOST, key), (false, true)),
        (Trust::keys([key]), (false, true)),
        (roots.and(Trust::keys([key])), (true, true)),
        (Trust::keys([] as [PublicKey; 0]), (false, false)),
    ] {
        assert_eq!(
            (trust.holds_roots(), trust.holds_keys()),
            holds,
            "{trust:?}"
        );
    }
}
