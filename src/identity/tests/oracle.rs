//! What we read from a certificate is compared with another reader, `x509-cert`: whole fields,
//! every damage to them, and random fields.

use proptest::prelude::*;
use rcgen::{CertificateParams, DistinguishedName as Names, DnType, DnValue, KeyUsagePurpose};
use x509_cert::der::{self, Decode};
use x509_cert::ext::pkix;

use super::damage::damaged;
use super::forge::{Ca, ca_params, leaf_params};
use crate::identity::certificate::Certificate;
use crate::identity::distinguished_name::{DistinguishedName, plain};
use crate::identity::extensions::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use crate::identity::{Authority, Validity};

/// Returns certificates with everything that we read in them.
fn certificates() -> Vec<Vec<u8>> {
    let authority = Authority::builder("Root, \"quoted\"")
        .path_length(3)
        .build()
        .unwrap();
    let member = authority
        .certificate()
        .client("alice")
        .server(["*.a.example", "10.0.0.1"]);
    let mut params = leaf_params(&["a.example"]);
    params.distinguished_name = names();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![
        rcgen::ExtendedKeyUsagePurpose::ServerAuth,
        rcgen::ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 2]),
    ];
    let mut far = CertificateParams::clone(&params);
    far.not_after = rcgen::date_time_ymd(4096, 1, 1);
    let ca = Ca::new(ca_params("ca"));
    let mut all = vec![authority.certificates()[0].clone(), ca.der.clone()];
    all.push(member.issue().unwrap().certificates()[0].clone());
    all.extend([&params, &far].map(|params| ca.leaf(params)));
    all
}

/// Returns names with each type of string, and each character that must be escaped somewhere.
fn names() -> Names {
    let mut names = Names::new();
    let text = |text: &str| DnValue::Utf8String(text.into());
    names.push(
        DnType::CountryName,
        DnValue::PrintableString("CH".try_into().unwrap()),
    );
    names.push(DnType::OrganizationName, text(" #a+b,c;d<e>f\\g\"h "));
    names.push(
        DnType::OrganizationalUnitName,
        text("#\u{7}\u{80}\u{202e}\u{fc}\u{1F600}"),
    );
    names.push(
        DnType::LocalityName,
        DnValue::Ia5String("ia5".try_into().unwrap()),
    );
    names.push(
        DnType::StateOrProvinceName,
        DnValue::BmpString("bmp".try_into().unwrap()),
    );
    names.push(
        DnType::CommonName,
        DnValue::TeletexString("t61".try_into().unwrap()),
    );
    names.push(
        DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99999, 1]),
        text("unknown"),
    );
    names.push(
        DnType::CustomDnType(vec![1, 2, 840, 113549, 1, 9, 1]),
        text("a@b.example"),
    );
    names
}

/// Returns the name as `x509-cert` writes it, after escaping what it leaves unescaped.
fn their_text(name: &[u8]) -> der::Result<String> {
    let escaped = |character: char| match plain(character) {
        true => character.to_string(),
        false => character
            .to_string()
            .bytes()
            .map(|byte| format!("\\{byte:02x}"))
            .collect(),
    };
    Ok(x509_cert::name::Name::from_der(name)?
        .to_string()
        .chars()
        .map(escaped)
        .collect())
}

fn their_common_name(name: &[u8]) -> Option<String> {
    let name = x509_cert::name::Name::from_der(name).ok()?;
    let name = name.common_name().ok()??.value().into_owned();
    name.chars().all(plain).then_some(name)
}

/// Their reader refuses multi-valued names out of order, which ours shows. There is no other
/// difference.
#[track_caller]
fn compare_names(name: &[u8]) {
    let ours = DistinguishedName::read(name);
    match (&ours, their_text(name)) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours.text(), theirs, "{name:02x?}");
            assert_eq!(ours.common_name(), their_common_name(name), "{name:02x?}");
        }
        (Err(_), Err(_)) => {}
        (Ok(ours), Err(error)) => assert!(
            matches!(error.kind(), der::ErrorKind::SetOrdering),
            "{name:02x?}: {} although {error}",
            ours.text()
        ),
        (Err(_), Ok(theirs)) => panic!("{name:02x?}: refused, although it is {theirs}"),
    }
}

#[track_caller]
fn compare_key_usage(der: &[u8]) {
    let theirs = pkix::KeyUsage::from_der(der).ok().map(|usage| {
        (
            usage.digital_signature(),
            usage.key_cert_sign(),
            usage.crl_sign(),
            usage.0.bits(),
        )
    });
    let ours = KeyUsage::read(der).ok().map(|usage| {
        let all = (0..9)
            .filter(|bit| usage.contains(single(*bit)))
            .map(|bit| 1 << bit)
            .sum();
        (
            usage.digital_signature(),
            usage.key_cert_sign(),
            usage.crl_sign(),
            all,
        )
    });
    assert_eq!(ours, theirs, "{der:02x?}");
}

/// The key usage with only this bit, of 0 to 8.
fn single(bit: u32) -> KeyUsage {
    let bits = (0x8000_u16 >> bit).to_be_bytes();
    KeyUsage::read(&[3, 3, 7, bits[0], bits[1]]).unwrap()
}

#[track_caller]
fn compare_basic_constraints(der: &[u8]) {
    let theirs = pkix::BasicConstraints::from_der(der).ok();
    let theirs = theirs.map(|constraints| (constraints.ca, constraints.path_len_constraint));
    let ours = BasicConstraints::read(der).ok();
    assert_eq!(
        ours.map(|ours| (ours.ca, ours.path_length)),
        theirs,
        "{der:02x?}"
    );
}

#[track_caller]
fn compare_extended_key_usage(der: &[u8]) {
    let theirs = pkix::ExtendedKeyUsage::from_der(der).ok();
    let ours = ExtendedKeyUsage::read(der).ok();
    assert_eq!(ours.is_some(), theirs.is_some(), "{der:02x?}");
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        let known = [pkix_oid("1.3.6.1.5.5.7.3.1"), pkix_oid("1.3.6.1.5.5.7.3.2")];
        for purpose in known.into_iter().chain(theirs.0.iter().copied()) {
            let wanted = pkix::ExtendedKeyUsage(vec![purpose]);
            let wanted = ExtendedKeyUsage::read(&der::Encode::to_der(&wanted).unwrap()).unwrap();
            assert_eq!(
                ours.contains(&wanted),
                theirs.0.contains(&purpose),
                "{der:02x?}"
            );
        }
    }
}

fn pkix_oid(text: &str) -> der::asn1::ObjectIdentifier {
    der::asn1::ObjectIdentifier::new_unwrap(text)
}

#[track_caller]
fn compare_validity(der: &[u8]) {
    type Theirs = x509_cert::time::Validity<x509_cert::certificate::Rfc5280>;
    let theirs = Theirs::from_der(der).ok();
    let theirs = theirs.map(|validity| {
        (
            validity.not_before.to_unix_duration(),
            validity.not_after.to_unix_duration(),
        )
    });
    let ours = Validity::from_der(der).map(|ours| (ours.not_before(), ours.not_after()));
    assert_eq!(ours, theirs, "{der:02x?}");
}

/// Compares the two readings of a field.
type Compare = fn(&[u8]);

#[test]
fn each_field_reads_the_same_and_each_damage_to_it() {
    let mut seen = [0; 5];
    for der in certificates() {
        let certificate = Certificate::parse(&der).unwrap();
        let both = |field: &[u8], compare: Compare| {
            compare(field);
            damaged(field).for_each(|damaged| compare(&damaged));
        };
        for name in [certificate.issuer, certificate.subject] {
            both(name, compare_names);
            seen[0] += 1;
        }
        both(certificate.validity, compare_validity);
        seen[1] += 1;
        let extensions: [(Option<&[u8]>, Compare); 3] = [
            (certificate.key_usage, compare_key_usage),
            (certificate.basic_constraints, compare_basic_constraints),
            (certificate.extended_key_usage, compare_extended_key_usage),
        ];
        for (seen, (extension, compare)) in seen[2..].iter_mut().zip(extensions) {
            if let Some(extension) = extension {
                both(extension, compare);
                *seen += 1;
            }
        }
    }
    assert!(seen.iter().all(|seen| *seen >= 2), "{seen:?}");
}

#[test]
fn the_names_are_what_rfc_4514_says() {
    let ca = Ca::new(ca_params("ca"));
    let mut params = leaf_params(&["a.example"]);
    params.distinguished_name = names();
    let der = ca.leaf(&params);
    let text = Certificate::parse(&der).unwrap().subject_text().unwrap();
    // 2.1: the last name comes first. 2.4: escapes; BMPString and unknown types as #hex of the DER.
    assert_eq!(
        text,
        "EMAIL=a@b.example,1.3.6.1.4.1.99999.1=#0c07756e6b6e6f776e,CN=t61,\
         2.5.4.8=#1e060062006d0070,L=ia5,OU=\\#\\07\\c2\\80\\e2\\80\\ae\u{fc}\u{1F600},\
         O=\\ #a\\+b\\,c\\;d\\<e\\>f\\\\g\\\"h\\ ,C=CH"
    );
    assert_eq!(
        Certificate::parse(&der).unwrap().common_name().as_deref(),
        Some("t61")
    );
}

/// The tags of the fields above.
const TAGS: &[u8] = &[0x01, 0x02, 0x03, 0x06, 0x0c, 0x13, 0x17, 0x18, 0x30, 0x31];

proptest! {
    #[test]
    fn random_fields_read_the_same(
        tag in prop::sample::select(TAGS),
        inner in prop::sample::select(TAGS),
        content in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let length = |content: &[u8]| u8::try_from(content.len()).unwrap();
        let element = [&[inner, length(&content)], &content[..]].concat();
        let outer = [&[tag, length(&element)], &element[..]].concat();
        for der in [&content, &element, &outer] {
            compare_names(der);
            compare_key_usage(der);
            compare_basic_constraints(der);
            compare_extended_key_usage(der);
            compare_validity(der);
        }
    }
}
