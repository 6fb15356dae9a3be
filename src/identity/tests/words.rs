//! What errors say: each cause has a text of its own, which names what is wrong and what to do.

use core::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};

use ::der::{SliceReader, Tag};

use super::forge::{Ca, Key, ca_params, leaf_params};
use super::{as_server, at, name, now, vector_der};
use crate::error::Error;
use crate::identity::certificate::Certificate;
use crate::identity::der::{context, inside, whole};
use crate::identity::{Authority, Identity, RevocationLists, Trust, pem};

const HOST: &str = "a.example";

/// An element of DER.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match length {
        [0, short @ 0..=0x7f] => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [head, content].concat()
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

/// The text and the alert of a refusal.
fn refusal(trust: &Trust, chain: &[&[u8]], host: &str) -> (String, u8) {
    let error = as_server(trust, chain, host).map(drop).unwrap_err();
    (error.to_string(), error.alert().0)
}

fn trust(ca: &Ca) -> Trust {
    Trust::roots_from_der([&ca.der]).unwrap()
}

fn self_signed(params: &CertificateParams) -> Vec<u8> {
    params.self_signed(&Key::new()).unwrap().der().to_vec()
}

#[test]
fn what_is_over_is_named_with_its_date() {
    let root = Ca::root();
    let mut params = leaf_params(&[HOST]);
    (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    let (text, alert) = refusal(&trust(&root), &[&root.leaf(&params)], HOST);
    says(&text, &["CN=leaf", "2002-01-01T00:00:00Z", "expired"]);
    assert_eq!(alert, 45);

    // Of two certificates, the one that has expired.
    let mut expired = ca_params("middle");
    (expired.not_before, expired.not_after) =
        (date_time_ymd(2001, 1, 1), date_time_ymd(2003, 2, 1));
    let middle = root.below(expired);
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    let (text, alert) = refusal(&trust(&root), &[&leaf, &middle.der], HOST);
    says(&text, &["CN=middle", "2003-02-01T00:00:00Z", "expired"]);
    assert!(!text.contains("CN=leaf"), "{text}");
    assert_eq!(alert, 45);

    (params.not_before, params.not_after) = (date_time_ymd(2901, 1, 1), date_time_ymd(2902, 1, 1));
    let (text, alert) = refusal(&trust(&root), &[&root.leaf(&params)], HOST);
    says(
        &text,
        &["CN=leaf", "2901-01-01T00:00:00Z", "not valid before"],
    );
    assert_eq!(alert, 45);

    // Without a subject, by its first name.
    let authority = Authority::new("CA").unwrap();
    let long = format!("{}.{HOST}", ["a"; 32].join("."));
    let server = authority.issue_server([long.as_str()]).unwrap();
    let late = at(Duration::from_secs(9_999_999_999));
    let error = authority
        .trust()
        .verify_server(&[&server.certificates()[0]], Some(&name(&long)), late)
        .map(drop)
        .unwrap_err();
    says(&error.to_string(), &[&long, "expired"]);
}

#[test]
fn a_subject_in_an_error_is_short_and_one_line() {
    let root = Ca::root();
    let mut params = leaf_params(&[HOST]);
    params.distinguished_name.push(
        rcgen::DnType::OrganizationName,
        format!("a\nb{}", "\u{e9}".repeat(5000)),
    );
    (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    let (text, _) = refusal(&trust(&root), &[&root.leaf(&params)], HOST);
    assert!(text.len() < 500 && !text.contains('\n'), "{text}");
    says(&text, &["2002-01-01"]);
}

#[test]
fn a_date_before_1970_is_named() {
    let root = Ca::root();
    let mut params = leaf_params(&[HOST]);
    params.not_before = date_time_ymd(1950, 3, 2);
    let (text, alert) = refusal(&trust(&root), &[&root.leaf(&params)], HOST);
    says(&text, &["1950-03-02", "1970"]);
    assert_eq!(alert, 42);
    // Before 1950 a date has another form (RFC 5280, 4.1.2.5).
    params.not_before = date_time_ymd(1949, 12, 31);
    let (text, alert) = refusal(&trust(&root), &[&root.leaf(&params)], HOST);
    says(&text, &["1949-12-31", "1970"]);
    assert_eq!(alert, 42);
    // On the path, too.
    let mut params = ca_params("middle");
    params.not_before = date_time_ymd(1969, 12, 31);
    let middle = root.below(params);
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    let (text, alert) = refusal(&trust(&root), &[&leaf, &middle.der], HOST);
    says(&text, &["1969-12-31", "1970"]);
    assert_eq!(alert, 42);
}

#[test]
fn a_peers_own_certificate_is_no_root() {
    // Self-signed, without the CA bit: as a root, and shown to somebody who trusts another.
    let own = self_signed(&leaf_params(&[HOST]));
    let error = Trust::roots_from_der([&own]).map(drop).unwrap_err();
    says(&error.to_string(), &["authority", "Trust::key_for"]);
    let (text, alert) = refusal(&trust(&Ca::root()), &[&own], HOST);
    says(&text, &["self-signed", "Trust::key_for"]);
    assert_eq!(alert, 48);

    // Issued by an authority.
    let leaf = Ca::root().leaf(&leaf_params(&[HOST]));
    let error = Trust::roots_from_der([&leaf]).map(drop).unwrap_err();
    says(&error.to_string(), &["authority", "Trust::key_for"]);

    // Self-signed with the CA bit, as `openssl req -x509` makes them: a root, and not a leaf.
    let own = vector_der("self");
    let trust = Trust::roots_from_der([&own]).unwrap();
    let (text, alert) = refusal(&trust, &[&own], "own.example");
    says(&text, &["CA", "own", "Trust::key_for"]);
    assert_eq!(alert, 42);
}

#[test]
fn each_way_in_which_a_path_is_not_allowed_has_its_text() {
    let root = Ca::root();
    // A leaf that issues.
    let middle = root.below(leaf_params(&["middle.example"]));
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    let (text, alert) = refusal(&trust(&root), &[&leaf, &middle.der], HOST);
    says(&text, &["issuer", "not an authority"]);
    assert_eq!(alert, 42);

    // A path that is longer than a CA on it allows, or than its root does.
    let mut params = ca_params("upper");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let upper = root.below(params.clone());
    let lower = upper.below(ca_params("lower"));
    let leaf = lower.leaf(&leaf_params(&[HOST]));
    let limited = refusal(&trust(&root), &[&leaf, &lower.der, &upper.der], HOST);
    let limited_root = refusal(&trust(&upper), &[&leaf, &lower.der], HOST);
    for (text, alert) in [limited, limited_root] {
        says(&text, &["longer", "path length"]);
        assert_eq!(alert, 42);
    }
}

#[test]
fn a_connection_by_address_sent_no_name() {
    let root = Ca::root();
    let leaf = root.leaf(&leaf_params(&[HOST]));
    let (text, alert) = refusal(&trust(&root), &[&leaf], "10.0.0.7");
    says(&text, &["10.0.0.7", HOST, "address is not sent"]);
    assert_eq!(alert, 42);
    let (text, _) = refusal(&trust(&root), &[&leaf], "b.example");
    assert!(!text.contains("address is not sent"), "{text}");
}

#[test]
fn a_wildcard_of_a_top_level_name_covers_nothing() {
    let root = Ca::root();
    let leaf = root.leaf(&leaf_params(&["*.internal"]));
    let (text, _) = refusal(&trust(&root), &[&leaf], "db.internal");
    says(&text, &["*.internal", "two labels"]);
}

#[test]
fn a_critical_extension_is_named() {
    let root = Ca::root();
    // certificatePolicies with anyPolicy.
    let mut policies = rcgen::CustomExtension::from_oid_content(
        &[2, 5, 29, 32],
        tlv(0x30, &[&tlv(0x30, &[&[0x06, 4, 0x55, 0x1d, 0x20, 0]])]),
    );
    let mut params = leaf_params(&[HOST]);
    params.custom_extensions = vec![policies.clone()];
    as_server(&trust(&root), &[&root.leaf(&params)], HOST).unwrap();
    policies.set_criticality(true);
    params.custom_extensions = vec![policies];
    let (text, alert) = refusal(&trust(&root), &[&root.leaf(&params)], HOST);
    says(&text, &["critical", "2.5.29.32"]);
    assert_eq!(alert, 43);
}

/// A list with these fields, whose signature is nobody's.
fn list(version: &[u8], dates: &[&[u8]], extensions: &[u8]) -> Vec<u8> {
    let algorithm = tlv(0x30, &[&[0x06, 3, 0x2b, 0x65, 0x70]]);
    let issuer = tlv(
        0x30,
        &[&tlv(
            0x31,
            &[&tlv(0x30, &[&[6, 3, 0x55, 4, 3], &[12, 2], b"CA"])],
        )],
    );
    let tbs = tlv(
        0x30,
        &[version, &algorithm, &issuer, &dates.concat(), extensions],
    );
    tlv(0x30, &[&tbs, &algorithm, &tlv(0x03, &[&[0; 65]])])
}

/// The extensions of a list: its number, and others.
fn numbered(number: &[u8], others: &[u8]) -> Vec<u8> {
    let id: &[u8] = &[0x06, 3, 0x55, 0x1d, 20];
    let number = tlv(0x30, &[id, &tlv(0x04, &[&tlv(0x02, &[number])])]);
    tlv(0xa0, &[&tlv(0x30, &[&number, others])])
}

#[test]
fn each_list_that_cannot_be_used_has_its_reason() {
    const VERSION_2: &[u8] = &[2, 1, 1];
    const DATES: [&[u8]; 2] = [b"\x17\x0d260101000000Z", b"\x17\x0d360101000000Z"];
    let refusal = |der: Vec<u8>| match RevocationLists::from_der([der]).map(drop) {
        Err(Error::Config(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let good = numbered(&[1], &[]);
    RevocationLists::from_der([list(VERSION_2, &DATES, &good)]).unwrap();

    // RFC 5280, 5.1.2.1: without a version, it is 1.
    for text in [
        refusal(list(&[], &DATES, &[])),
        refusal(list(&[2, 1, 0], &DATES, &[])),
    ] {
        says(&text, &["version 1", "version 2"]);
    }
    says(
        &refusal(list(VERSION_2, &DATES, &[])),
        &["no extensions", "CRL number"],
    );
    says(
        &refusal(list(VERSION_2, &DATES[..1], &good)),
        &["nextUpdate"],
    );
    says(
        &refusal(list(
            VERSION_2,
            &[b"\x17\x0d500101000000Z", DATES[1]],
            &good,
        )),
        &["date", "1970"],
    );
    // RFC 5280, 5.2.3: at most 20 octets.
    says(
        &refusal(list(VERSION_2, &DATES, &numbered(&[0x41; 21], &[]))),
        &["CRL number", "20 bytes"],
    );
    RevocationLists::from_der([list(VERSION_2, &DATES, &numbered(&[0x41; 20], &[]))]).unwrap();
    let delta = tlv(
        0x30,
        &[&[6, 3, 0x55, 0x1d, 27, 1, 1, 255], &[4, 3, 2, 1, 1]],
    );
    says(
        &refusal(list(VERSION_2, &DATES, &numbered(&[2], &delta))),
        &["delta", "complete"],
    );
    // Whatever else is wrong with it, it is not of version 1.
    let text = refusal(b"no list".to_vec());
    assert!(
        text.contains("well-formed") && !text.contains("version"),
        "{text}"
    );
}

/// The certificate as one of X.509 version 1: without the version, the extensions, and a signature
/// that fits. `openssl x509 -req` makes these if it is given no extensions.
fn version1(der: &[u8]) -> Vec<u8> {
    let mut outer = SliceReader::new(der).unwrap();
    let mut certificate = inside(&mut outer, Tag::Sequence).unwrap();
    let mut tbs = inside(&mut certificate, Tag::Sequence).unwrap();
    whole(&mut tbs, context(0, true)).unwrap();
    let fields = [Tag::Integer].into_iter().chain([Tag::Sequence; 5]);
    let fields: Vec<&[u8]> = fields.map(|tag| whole(&mut tbs, tag).unwrap()).collect();
    let tbs = tlv(0x30, &fields);
    let algorithm = whole(&mut certificate, Tag::Sequence).unwrap();
    let signature = whole(&mut certificate, Tag::BitString).unwrap();
    tlv(0x30, &[&tbs, algorithm, signature])
}

/// RFC 9846, 4.5.1.2: the certificate type MUST be X.509v3.
#[test]
fn x509_version_1_is_named() {
    let words = ["version 1", "version 3", "extensions"];
    let root = Ca::root();
    let key = Key::new();
    let leaf = leaf_params(&[HOST]).self_signed(&key).unwrap();
    let old = version1(leaf.der());

    // From a peer, also if its key is trusted.
    let public = Certificate::parse(leaf.der())
        .unwrap()
        .public_key()
        .unwrap();
    for trust in [trust(&root), Trust::key_for(HOST, public)] {
        let (text, alert) = refusal(&trust, &[&old], HOST);
        says(&text, &words);
        assert_eq!(alert, 43);
        let error = trust.verify_client(&[&old], now()).map(drop).unwrap_err();
        says(&error.to_string(), &words);
        assert_eq!(error.alert().0, 43);
    }
    // As a root, and as one's own.
    let old_root = version1(&root.der);
    let error = Trust::roots_from_der([&old_root]).map(drop).unwrap_err();
    says(&error.to_string(), &words);
    let own = Identity::from_pem(
        pem::write_certificates([&*old]),
        Identity::generate().unwrap().key_pem().unwrap().expose(),
    );
    says(&own.map(drop).unwrap_err().to_string(), &words);

    // A stranger in the chain does no harm, and an issuer that is needed is named.
    let middle = root.below(ca_params("middle"));
    let leaf = middle.leaf(&leaf_params(&[HOST]));
    let old_middle = version1(&middle.der);
    as_server(&trust(&root), &[&leaf, &old, &middle.der, &old_root], HOST).unwrap();
    let (text, alert) = refusal(&trust(&root), &[&leaf, &old_middle], HOST);
    says(&text, &words);
    assert_eq!(alert, 43);
}
