//! What applications can read of a certificate: their own, and a peer's.

use core::time::Duration;

use rcgen::{DistinguishedName, DnType, SerialNumber, date_time_ymd};

use super::forge::{Ca, ca_params, leaf_params};
use super::{at, chain, name};
use crate::crypto::hash::sha256;
use crate::identity::{CertificateInfo, Identity, Peer, Trust, Validity};

const HOST: &str = "a.example";

/// 2026-01-02 and 2027-03-04, 00:00:00 UTC.
const FROM: Duration = Duration::from_secs(1_767_312_000);
const TO: Duration = Duration::from_secs(1_804_118_400);

#[test]
fn it_is_what_the_certificate_says() {
    let mut params = leaf_params(&[HOST]);
    params.serial_number = Some(SerialNumber::from(vec![0x80, 0x00, 0x17]));
    params.not_before = date_time_ymd(2026, 1, 2);
    params.not_after = date_time_ymd(2027, 3, 4);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Example, Inc.");
    params.distinguished_name.push(DnType::CommonName, "alice");
    let ca = Ca::new(ca_params("the root"));
    let leaf = ca.leaf(&params);

    let info = CertificateInfo::read(&leaf).unwrap();
    // RFC 4514, 2.1: the last relative name comes first; 2.4: a comma in a value is escaped.
    assert_eq!(info.subject(), "CN=alice,O=Example\\, Inc.");
    assert_eq!(info.issuer(), "CN=the root");
    assert_eq!(info.serial_number(), [0x80, 0x00, 0x17]);
    assert_eq!(info.validity(), Validity::between(FROM, TO).unwrap());
    assert_eq!(info.fingerprint(), &sha256(&leaf));

    let trust = Trust::roots_from_der([&ca.der]).unwrap();
    let peer = Peer::from_verified(
        trust
            .verify_server(&[&leaf], Some(&name(HOST)), at(FROM))
            .unwrap(),
    );
    assert_eq!(peer.subject(), info.subject());
    assert_eq!(peer.certificate_info(), Some(info));
    assert_eq!(peer.expires(), Some(TO));
}

#[test]
fn nobody_vouches_for_the_certificate_of_a_trusted_key() {
    let own = Identity::self_signed(["a.example"]).unwrap();
    let trust = Trust::keys([own.public_key()]);
    let peer = Peer::from_verified(trust.verify_client(&chain(&own), at(FROM)).unwrap());
    assert_eq!((peer.certificate_info(), peer.expires()), (None, None));
    // For our own certificate everything is shown.
    let info = own.certificate_info().unwrap();
    assert_eq!(info.validity(), Validity::unlimited());
    assert_eq!(info.subject(), info.issuer());
}
