//! What an Identity is made from: PEM, PKCS#8, chains. Its secrets are not shown.

use base64ct::{Base64, Encoding as _};

use super::forge::{Ca, leaf_params};
use super::{vector, vector_der};
use crate::error::{CertificateError, ConfigError, Error};
use crate::identity::{Authority, Identity, PublicKey};

/// RFC 8410, 10.3: version 1; and version 2 with the public key and an attribute.
const RFC_8410_V1: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
const RFC_8410_V2: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";
const RFC_8410_PUBLIC: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

#[track_caller]
fn config_error(result: Result<Identity, Error>) -> ConfigError {
    match result {
        Err(Error::Config(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn decode(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    Base64::decode_vec(&body).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        Base64::encode_string(der)
    )
}

#[test]
fn both_versions_of_pkcs8() {
    let public: PublicKey = RFC_8410_PUBLIC.parse().unwrap();
    for text in [
        RFC_8410_V1.to_owned(),
        RFC_8410_V2.to_owned(),
        RFC_8410_V1.replace('\n', "\r\n"),
        format!("comment\n\n{RFC_8410_V2}\nmore"),
    ] {
        let identity = Identity::from_key_pem(&text).unwrap();
        assert_eq!(identity.public_key(), public);
        // Version 1 is always written.
        assert_eq!(
            core::str::from_utf8(identity.key_pem().unwrap().expose()).unwrap(),
            RFC_8410_V1
        );
    }
}

#[test]
fn a_key_alone_has_the_same_certificate_each_time() {
    let once = Identity::from_key_pem(RFC_8410_V1).unwrap();
    let again = Identity::from_key_pem(RFC_8410_V2).unwrap();
    assert_eq!(once.certificates(), again.certificates());
    assert_eq!(once.certificates().len(), 1);
}

#[test]
fn what_is_no_ed25519_key_is_refused() {
    let good = decode(RFC_8410_V1);
    let change = |at: usize, value: u8| {
        let mut der = good.clone();
        der[at] = value;
        pem("PRIVATE KEY", &der)
    };
    let mut wrong_public = decode(RFC_8410_V2);
    *wrong_public.last_mut().unwrap() ^= 1;
    let cut = pem("PRIVATE KEY", &good[..47]);
    let longer = pem("PRIVATE KEY", &[&good[..], &[0]].concat());
    // AlgorithmIdentifier with NULL parameters, which RFC 8410, section 3, forbids.
    let parameters = pem(
        "PRIVATE KEY",
        &[
            &[0x30, 0x30, 2, 1, 0, 0x30, 7, 6, 3, 0x2b, 0x65, 0x70, 5, 0],
            &good[12..],
        ]
        .concat(),
    );
    let cases = [
        ("an X25519 key", change(11, 0x6e)),
        ("an Ed448 key", change(11, 0x71)),
        ("version 3", change(4, 2)),
        ("a short inner OCTET STRING", change(15, 0x1f)),
        ("no inner OCTET STRING", change(14, 0x05)),
        ("another's public key", pem("PRIVATE KEY", &wrong_public)),
        ("cut", cut),
        ("one byte more", longer),
        ("parameters", parameters),
        (
            "no base64",
            "-----BEGIN PRIVATE KEY-----\n????\n-----END PRIVATE KEY-----\n".to_owned(),
        ),
        (
            "empty",
            "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n".to_owned(),
        ),
        (
            "no end",
            RFC_8410_V1.replace("-----END PRIVATE KEY-----", ""),
        ),
        ("two keys", [RFC_8410_V1, RFC_8410_V2].concat()),
        ("encrypted", pem("ENCRYPTED PRIVATE KEY", &good)),
        ("RSA", pem("RSA PRIVATE KEY", &good)),
        ("OpenSSH", pem("OPENSSH PRIVATE KEY", &good)),
    ];
    for (what, text) in cases {
        let error = config_error(Identity::from_key_pem(&text));
        let damaged_text = matches!(what, "no base64" | "no end");
        assert!(
            matches!(error, ConfigError::Pem { line: 1, .. } if damaged_text)
                || matches!(error, ConfigError::Key { .. } if !damaged_text),
            "{what}: {error:?}"
        );
        // The error contains no secret.
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("INTuctv5") && !shown.contains("d4ee72db"),
            "{what}: {shown}"
        );
    }
    // With an explicit tag around the public key, as old versions of ring wrote it.
    let mut ring = decode(RFC_8410_V2);
    let public = ring.split_off(ring.len() - 32);
    ring.truncate(48);
    ring[1..5].copy_from_slice(&[0x53, 2, 1, 1]);
    ring.extend([&[0xa1, 0x23, 0x03, 0x21, 0x00], &public[..]].concat());
    let ring = config_error(Identity::from_key_pem(pem("PRIVATE KEY", &ring)));
    assert!(ring.to_string().contains("ring"), "{ring}");
    let encrypted = config_error(Identity::from_key_pem(pem("ENCRYPTED PRIVATE KEY", &good)));
    assert!(
        encrypted.to_string().contains("decrypt it first"),
        "{encrypted}"
    );
}

#[test]
fn chain_and_key_in_every_arrangement() {
    let authority = Authority::new("CA").unwrap();
    let issued = authority.issue_server(["a.example"]).unwrap();
    let (chain, key) = (issued.chain_pem(), issued.key_pem().unwrap());
    let key = core::str::from_utf8(key.expose()).unwrap();
    let loaded = Identity::from_pem(&chain, key).unwrap();
    assert_eq!(
        (loaded.certificates(), loaded.public_key()),
        (issued.certificates(), issued.public_key())
    );

    for both in [
        format!("{chain}{key}"),
        format!("{key}{chain}"),
        format!("Subject: x\n{key}\n\n{chain}").replace('\n', "\r\n"),
    ] {
        assert_eq!(
            Identity::from_pem(&both, &both).unwrap().certificates(),
            issued.certificates()
        );
    }
    assert_eq!(
        Identity::from_der(issued.certificates().to_vec(), decode(key))
            .unwrap()
            .public_key(),
        issued.public_key()
    );

    let swapped = config_error(Identity::from_pem(key, &chain));
    assert_eq!(
        swapped,
        ConfigError::NoPemSection {
            wanted: "CERTIFICATE",
            found: Some("PRIVATE KEY".to_owned())
        }
    );
    assert!(swapped.to_string().contains("swapped"));
    let no_key = config_error(Identity::from_pem(&chain, &chain));
    assert_eq!(
        no_key,
        ConfigError::NoPemSection {
            wanted: "PRIVATE KEY",
            found: Some("CERTIFICATE".to_owned())
        }
    );
    assert_eq!(
        config_error(Identity::from_pem("", key)),
        ConfigError::NoPemSection {
            wanted: "CERTIFICATE",
            found: None
        }
    );
    let other = authority.issue_server(["a.example"]).unwrap();
    assert_eq!(
        config_error(Identity::from_pem(
            &chain,
            other.key_pem().unwrap().expose()
        )),
        ConfigError::KeyMismatch
    );
    assert!(matches!(
        config_error(Identity::from_der([] as [Vec<u8>; 0], decode(key))),
        ConfigError::Missing { .. }
    ));
}

#[test]
fn files() {
    let folder = std::env::temp_dir().join(format!("fleeting-identity-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let issued = Authority::new("CA")
        .unwrap()
        .issue_server(["a.example"])
        .unwrap();
    let (chain, key, both) = (
        folder.join("chain.pem"),
        folder.join("key.pem"),
        folder.join("both.pem"),
    );
    std::fs::write(&chain, issued.chain_pem()).unwrap();
    std::fs::write(&key, issued.key_pem().unwrap().expose()).unwrap();
    // The text is longer than the first buffer of the reader.
    let comment = "a comment\n".repeat(2000);
    std::fs::write(
        &both,
        [
            comment.as_bytes(),
            issued.chain_pem().as_bytes(),
            issued.key_pem().unwrap().expose(),
        ]
        .concat(),
    )
    .unwrap();
    let loaded = [
        Identity::from_pem_files(&chain, &key),
        Identity::from_pem_files(&both, &both),
    ];
    let missing = config_error(Identity::from_pem_files(&chain, folder.join("none.pem")));
    let folder_read = config_error(Identity::from_pem_files(&folder, &key));
    std::fs::remove_dir_all(&folder).unwrap();
    for identity in loaded {
        assert_eq!(identity.unwrap().public_key(), issued.public_key());
    }
    assert!(matches!(missing, ConfigError::File { path, .. } if path.contains("none.pem")));
    assert!(matches!(folder_read, ConfigError::File { .. }));
}

#[test]
fn certificates_that_a_peer_would_refuse_are_refused_when_loaded() {
    let key = decode(vector("leaf-key").trim());
    let load = |chain: Vec<Vec<u8>>| config_error(Identity::from_der(chain, &key));
    // The same certificate without the fault loads.
    Identity::from_der([vector_der("leaf")], &key).unwrap();
    Identity::from_der(
        [vector_der("leaf-rsa-sha256"), vector_der("rsa-inter")],
        &key,
    )
    .unwrap();

    let at = |index, error| ConfigError::Certificate { index, error };
    assert_eq!(
        load(vec![vector_der("rsa-leaf")]),
        at(0, CertificateError::UnsupportedAlgorithm)
    );
    assert_eq!(
        load(vec![vector_der("leaf"), b"nonsense".to_vec()]),
        at(1, CertificateError::Malformed)
    );
    assert_eq!(
        load(vec![vector_der("ca")]),
        at(0, CertificateError::KeyUsage)
    );
    assert_eq!(
        load(vec![vector_der("leaf"); 11]),
        at(10, CertificateError::TooComplex)
    );
    // RFC 9846, 4.5.1.2: the leaf must be allowed to sign.
    let mut params = leaf_params(&["a.example"]);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyAgreement];
    assert_eq!(
        load(vec![Ca::root().leaf(&params)]),
        at(0, CertificateError::KeyUsage)
    );
}

#[test]
fn chosen_by_name() {
    let server = Authority::new("CA")
        .unwrap()
        .issue_server(["a.example", "*.b.example", "10.0.0.1"])
        .unwrap();
    for name in ["a.example", "A.EXAMPLE", "x.b.example"] {
        assert!(server.matches_name(name), "{name}");
    }
    for name in ["b.example", "x.y.b.example", "c.example", "10.0.0.1", ""] {
        assert!(!server.matches_name(name), "{name}");
    }
    assert!(!Identity::generate().unwrap().matches_name(""));
}

#[test]
fn chosen_by_authority_and_by_filter() {
    let (one, two) = (
        Authority::new("one").unwrap(),
        Authority::new("two").unwrap(),
    );
    let below = Authority::builder("below one").build_under(&one).unwrap();
    let client = below.issue_client("alice").unwrap();
    let (one, two, below) = (one.trust(), two.trust(), below.trust());
    // RFC 9846, 4.3.4 and 4.5.1.2: at least one of the certificates in the chain is issued by a
    // listed CA.
    assert!(client.is_issued_by(&one.authorities()));
    assert!(client.is_issued_by(&below.authorities()));
    assert!(!client.is_issued_by(&two.authorities()));
    assert!(!client.is_issued_by(&[]));

    // RFC 9846, 4.3.5: key usage and extended key usage have matching rules, other extensions are
    // ignored.
    let (key_usage, extended, other) = (
        [6, 3, 0x55, 0x1d, 15],
        [6, 3, 0x55, 0x1d, 37],
        [6, 3, 0x55, 0x1d, 99],
    );
    assert!(client.matches_filter(&key_usage, &[3, 2, 7, 0x80]));
    assert!(!client.matches_filter(&key_usage, &[3, 2, 6, 0xc0]));
    assert!(!client.matches_filter(&key_usage, &[]));
    let purpose = |last| [0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, last];
    assert!(client.matches_filter(&extended, &purpose(2)));
    assert!(!client.matches_filter(&extended, &purpose(1)));
    assert!(client.matches_filter(&other, b"whatever"));
    assert!(
        !Identity::generate()
            .unwrap()
            .matches_filter(&extended, &purpose(2))
    );
}

#[test]
fn no_secret_is_shown() {
    let identity = Identity::from_key_pem(RFC_8410_V1).unwrap();
    let authority = Authority::new("CA").unwrap();
    let again =
        Authority::from_pem(authority.certificate_pem(), authority.key_pem().expose()).unwrap();
    let shown = format!(
        "{identity:?} {:?} {again:?} {:?}",
        Error::from(ConfigError::KeyMismatch),
        identity.public_key()
    );
    assert!(
        shown.contains(RFC_8410_PUBLIC) && shown.contains("CN=CA"),
        "{shown}"
    );
    let pem = authority.key_pem();
    let pem = core::str::from_utf8(pem.expose())
        .unwrap()
        .lines()
        .nth(1)
        .unwrap();
    for secret in [
        "INTuctv5",
        "d4ee72",
        "D4EE72",
        "212, 238, 114",
        &pem[24..40],
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
