//! PEM as tools and people leave it (RFC 7468): what is read, and that no section is lost in
//! silence.

use proptest::prelude::*;

use crate::error::{CertificateError, ConfigError, Error};
use crate::identity::tests::{vector, vector_der};
use crate::identity::{Authority, Identity, PublicKey, RevocationLists, Trust};

/// Certificates of three authorities.
fn three() -> [String; 3] {
    ["A", "B", "C"].map(|name| Authority::new(name).unwrap().certificate_pem())
}

fn roots(text: impl AsRef<[u8]>) -> Result<usize, Error> {
    Trust::roots_from_pem(text).map(|trust| trust.authorities().len())
}

fn count(text: impl AsRef<[u8]>) -> Option<usize> {
    roots(text).ok()
}

/// The line that an error names.
#[track_caller]
fn line<T>(result: Result<T, Error>) -> usize {
    match result.map(drop) {
        Err(Error::Config(ConfigError::Pem { line, .. })) => line,
        other => panic!("{other:?}"),
    }
}

/// A file with one section after the other, in the two ways in which an appended one can begin.
const JOINTS: [&str; 6] = ["", "\n", "\r\n", "\u{feff}", "\n\u{feff}", " \t"];

#[test]
fn sections_that_share_a_line_are_both_read() {
    let three = three();
    for joint in JOINTS {
        let text = three.each_ref().map(|pem| pem.trim_end()).join(joint);
        assert_eq!(count(&text), Some(3), "{joint:?}");
        assert_eq!(count(format!("\u{feff}{text}")), Some(3), "{joint:?}");
        assert_eq!(count(text.replace('\n', "\r\n")), Some(3), "{joint:?}");
        assert_eq!(count(text.replace('\n', "\r")), Some(3), "{joint:?}");
    }
}

#[test]
fn a_marker_that_begins_no_section_is_refused_with_its_line() {
    let [a, b, c] = three();
    let lines = |text: &str| text.lines().count();
    assert_eq!(line(roots(format!("{a}roots: {b}"))), lines(&a) + 1);
    assert_eq!(line(roots(format!("{a}\r\n> {b}"))), lines(&a) + 2);
    // An END alone, a BEGIN without an END, one in the middle of a section, another label.
    assert_eq!(
        line(roots(format!("{a}-----END CERTIFICATE-----\n{b}"))),
        lines(&a) + 1
    );
    let open: String = b.lines().take(3).map(|line| format!("{line}\n")).collect();
    assert_eq!(line(roots(format!("{a}{open}"))), lines(&a) + 1);
    assert_eq!(line(roots(format!("{a}{open}{c}"))), lines(&a) + 4);
    let other = b.replace("END CERTIFICATE", "END X509 CRL");
    assert_eq!(line(roots(format!("{a}{other}{c}"))), lines(&a) + lines(&b));
    // Everything on one line, and a marker with less or more than its five dashes.
    assert_eq!(line(roots(a.replace('\n', " "))), 1);
    assert_eq!(
        line(roots(format!(
            "{b}{}",
            a.replacen("CERTIFICATE-----", "CERTIFICATE----", 1)
        ))),
        lines(&b) + 1
    );
    assert_eq!(line(roots(format!("{b}-{a}"))), lines(&b) + 1);
    // Sections of other kinds are passed over, but not if they are broken.
    let key = Identity::generate().unwrap().key_pem().unwrap();
    let key = core::str::from_utf8(key.expose()).unwrap();
    assert_eq!(count(format!("{key}{a}{key}{b}")), Some(2));
    assert_eq!(
        line(roots(format!(
            "{a}{}{b}",
            key.replace("-----END PRIVATE KEY-----\n", "")
        ))),
        lines(&a) + 3
    );
}

#[test]
fn no_revocation_list_is_lost() {
    let [first, second] = ["A", "B"].map(|name| {
        let authority = Authority::new(name).unwrap();
        authority.revocation_list().issue_pem().unwrap()
    });
    let joined = format!("{}{second}", first.trim_end());
    let lists = RevocationLists::from_pem(&joined).unwrap();
    assert_eq!(lists.signers().len(), 2);
    let shifted = format!("{first}lists: {second}");
    assert_eq!(
        line(RevocationLists::from_pem(&shifted)),
        first.lines().count() + 1
    );
    assert_eq!(line(lists.reload_pem(&shifted)), first.lines().count() + 1);
    assert_eq!(lists.signers().len(), 2);
}

type Change<'a> = &'a dyn Fn(&str) -> String;

#[test]
fn keys_are_read_as_leniently_as_certificates() {
    let identity = Authority::new("A")
        .unwrap()
        .issue_server(["a.example"])
        .unwrap();
    let key = identity.key_pem().unwrap();
    let key = core::str::from_utf8(key.expose()).unwrap();
    let (public, chain) = (identity.public_key(), identity.chain_pem());
    let public_pem = format!("-----BEGIN PUBLIC KEY-----\n{public}\n-----END PUBLIC KEY-----\n");
    let uneven = |text: &str| {
        let (head, tail) = text.split_at(text.len() / 2);
        format!("{head}\n{tail}")
    };
    let changes: [(&str, Change<'_>); 8] = [
        ("blank at each end", &|text| text.replace('\n', " \n")),
        ("tab at each end", &|text| text.replace('\n', "\t\n")),
        ("empty lines", &|text| text.replace('\n', "\n\n")),
        ("indented", &|text| {
            format!("  {}", text.trim_end().replace('\n', "\n  "))
        }),
        ("uneven", &uneven),
        ("CR LF", &|text| text.replace('\n', "\r\n")),
        ("byte order mark", &|text| format!("\u{feff}{text}")),
        ("without the last line end", &|text| {
            text.trim_end().to_owned()
        }),
    ];
    for (what, change) in changes {
        let loaded = Identity::from_pem(change(&chain), change(key));
        assert_eq!(loaded.unwrap().public_key(), public, "{what}");
        let loaded = Identity::from_key_pem(change(key));
        assert_eq!(loaded.unwrap().public_key(), public, "{what}");
        assert_eq!(change(&public_pem).parse(), Ok(public), "{what}");
    }
    assert!(matches!(
        format!("{public_pem}{public_pem}").parse::<PublicKey>(),
        Err(ConfigError::PublicKey { .. })
    ));
}

#[test]
fn der_is_read_where_pem_is_expected() {
    let authority = Authority::new("A").unwrap();
    let identity = authority.issue_server(["a.example"]).unwrap();
    assert_eq!(count(&authority.certificates()[0]), Some(1));
    let list = authority.revocation_list().issue_der().unwrap();
    assert_eq!(RevocationLists::from_pem(&list).unwrap().signers().len(), 1);
    let key = identity.key_pem().unwrap();
    let key = crate::identity::pem::private_key(key.expose()).unwrap();
    let loaded = Identity::from_pem(&identity.certificates()[0], key.expose()).unwrap();
    assert_eq!(loaded.public_key(), identity.public_key());
}

#[test]
fn other_encodings_of_text_and_other_forms_are_named() {
    let [a, ..] = three();
    let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let units = "\u{feff}".encode_utf16().chain(a.encode_utf16());
        units.flat_map(order).collect()
    };
    assert_eq!(line(roots(utf16(u16::to_le_bytes))), 1);
    assert_eq!(line(roots(utf16(u16::to_be_bytes))), 1);
    for label in ["X509 CERTIFICATE", "X.509 CERTIFICATE"] {
        assert_eq!(count(a.replace("CERTIFICATE", label)), Some(1));
    }
    // A part in UTF-16, as a shell appends it.
    assert_eq!(
        line(roots([a.as_bytes(), &utf16(u16::to_le_bytes)].concat())),
        1 + a.lines().count()
    );
    let list = Authority::new("A")
        .unwrap()
        .revocation_list()
        .issue_pem()
        .unwrap();
    let lists = RevocationLists::from_pem(list.replace("X509 CRL", "CRL")).unwrap();
    assert_eq!(lists.signers().len(), 1);
    let padded = a.replace("CERTIFICATE-", "CERTIFICATE -");
    assert_eq!(line(roots(format!("{a}{padded}"))), 1 + a.lines().count());
    let shared = format!("{}BEGIN CERTIFICATE-----\nMIIB", a.trim_end());
    assert_eq!(line(roots(shared)), a.lines().count());
    let key = Identity::generate().unwrap().key_pem().unwrap();
    let trusted = a.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
    let both = [trusted.as_bytes(), key.expose()].concat();
    assert!(Identity::from_key_pem(both).is_ok());
    for label in ["TRUSTED CERTIFICATE", "PKCS7", "CMS", "PKCS #7 SIGNED DATA"] {
        let other = a.replace("CERTIFICATE", label);
        assert_eq!(line(roots(format!("{a}{other}"))), a.lines().count() + 1);
    }
}

#[test]
fn an_error_about_a_file_names_the_file() {
    let folder = std::env::temp_dir().join(format!("fleeting-pem-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let authority = Authority::new("A").unwrap();
    let identity = authority.issue_server(["a.example"]).unwrap();
    let key = identity.key_pem().unwrap();
    let other = Identity::generate().unwrap().key_pem().unwrap();
    let empty = write("empty.pem", b"");
    let chain = write("chain.pem", identity.chain_pem().as_bytes());
    let key = write("key.pem", key.expose());
    let other = write("other.pem", other.expose());
    let list = write(
        "list.pem",
        authority.revocation_list().issue_pem().unwrap().as_bytes(),
    );
    let lists = RevocationLists::from_pem_file(&list).unwrap();
    let errors = [
        (Trust::roots_from_pem_file(&empty).map(drop), "empty.pem"),
        (Trust::roots_from_pem_file(&chain).map(drop), "chain.pem"),
        (
            Identity::from_pem_files(&empty, &key).map(drop),
            "empty.pem",
        ),
        (
            Identity::from_pem_files(&chain, &empty).map(drop),
            "empty.pem",
        ),
        (
            Identity::from_pem_files(&chain, &other).map(drop),
            "other.pem",
        ),
        (
            RevocationLists::from_pem_file(&chain).map(drop),
            "chain.pem",
        ),
        (lists.reload_pem_file(&key), "key.pem"),
    ];
    std::fs::remove_dir_all(&folder).unwrap();
    for (error, file) in errors {
        let error = error.unwrap_err();
        let Error::Config(ConfigError::InFile { path, .. }) = &error else {
            panic!("{file}: {error}");
        };
        assert!(path.contains(file), "{file}: {error}");
    }
}

#[test]
fn what_can_be_used_of_a_bundle_is_used_and_the_rest_returned() {
    let [a, b, _] = three();
    let rsa = vector("rsa-inter");
    let leaf = Authority::new("A")
        .unwrap()
        .issue_server(["a.example"])
        .unwrap();
    let leaf = crate::identity::pem::write_certificates([leaf.certificates()[0].as_slice()]);
    let nonsense = crate::identity::pem::write_certificates([&b"nonsense"[..]]);
    let bundle = format!("{rsa}{a}{leaf}{nonsense}{b}");
    let (trust, skipped) = Trust::usable_roots_from_pem(&bundle).unwrap();
    assert_eq!(trust.authorities().len(), 2);
    let skipped_why: Vec<_> = skipped
        .iter()
        .map(|root| (root.index, &root.error))
        .collect();
    assert_eq!(
        skipped_why,
        [
            (0, &CertificateError::UnsupportedAlgorithm),
            (2, &CertificateError::NotAnAuthority),
            (3, &CertificateError::Malformed),
        ]
    );
    assert_eq!(skipped[0].der, vector_der("rsa-inter"));
    assert!(skipped[0].to_string().contains("CN="), "{}", skipped[0]);
    assert!(skipped[2].subject.is_none());
    // Nothing is left out of a text that is damaged, and a trust in nobody is no trust.
    assert_eq!(
        line(Trust::usable_roots_from_pem(format!("{a}-{b}"))),
        a.lines().count() + 1
    );
    assert!(matches!(
        Trust::usable_roots_from_pem(format!("{nonsense}{rsa}")).map(drop),
        Err(Error::Config(ConfigError::Certificate {
            index: 0,
            error: CertificateError::Malformed
        }))
    ));
    // The strict call says which one it is.
    assert!(matches!(
        roots(&bundle),
        Err(Error::Config(ConfigError::Certificate {
            index: 0,
            error: CertificateError::UnsupportedAlgorithm
        }))
    ));
}

proptest! {
    /// Certificates and what a text can have around, between and in them.
    #[test]
    fn every_begin_is_a_section_or_the_text_is_refused(
        parts in prop::collection::vec((0usize..3, 0usize..10), 0..8),
    ) {
        let three = three();
        let odd = [
            "", "\n", "\r\n", " ", "\u{feff}", "# a comment\n", "-----BEGIN ",
            "-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n",
            "BEGIN CERTIFICATE-----\n",
        ];
        let text: String = parts
            .iter()
            .map(|(pem, between)| format!("{}{}", odd[*between], three[*pem].trim_end()))
            .collect();
        if let Ok(certificates) = crate::identity::pem::certificates(text.as_bytes()) {
            prop_assert_eq!(certificates.len(), text.matches("-----BEGIN").count());
            prop_assert_eq!(certificates.len(), text.matches("-----END").count());
        }
    }
}
