//! Certification requests: what is read, and that only the holder of the key can have made it.

use crate::crypto::signature::SigningKey;
use crate::error::{ConfigError, Error, NameError};
use crate::identity::pem;
use crate::identity::{Authority, CertificateInfo, CertificationRequest, Identity, Signer};
use crate::secret::Secret;

/// Made with `openssl req -new -key key.pem -subj "/O=Example/CN=db" -addext
/// "subjectAltName=DNS:DB.internal,IP:10.0.0.7,URI:spiffe://example.org/db,email:a@example.org"
/// -addext "basicConstraints=CA:TRUE"`, with the key of RFC 8410, section 10.3.
const FROM_OPENSSL: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIIBBDCBtwIBADAfMRAwDgYDVQQKDAdFeGFtcGxlMQswCQYDVQQDDAJkYjAqMAUG
AytlcAMhABm/RAlphM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbhoGUwYwYJKoZI
hvcNAQkOMVYwVDBEBgNVHREEPTA7ggtEQi5pbnRlcm5hbIcECgAAB4YXc3BpZmZl
Oi8vZXhhbXBsZS5vcmcvZGKBDWFAZXhhbXBsZS5vcmcwDAYDVR0TBAUwAwEB/zAF
BgMrZXADQQB3585/GrskLElwKiokygbb4yhCxkQrvQcZtSdc2X99ClBgWDKOKKTv
yJrkUIxyRiNofXWCdhIploY1gQ7QaHgC
-----END CERTIFICATE REQUEST-----
";

/// The same with a key of secp256r1.
const P256: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIHHMG8CAQAwDTELMAkGA1UEAwwCZGIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARUcFqoVU2/8Lh0EmGpG6p1LmGUsYyPQ2x3SUaT5B9A8IDFaCvAvq/wfH0gmjc2
OStD3bsat3bEBAM7mUF2C96IoAAwCgYIKoZIzj0EAwIDSAAwRQIgHEZhnX0XH1rn
gkRVahEcxBRk/oOE0ALwK9z/4l8+6s8CIQCzAKZWdWuAsE4T8mXSbmHPmgBoq1V8
mROoGnxVG00pEA==
-----END CERTIFICATE REQUEST-----
";

fn refused(text: impl AsRef<[u8]>) -> ConfigError {
    match CertificationRequest::from_pem(text) {
        Err(Error::Config(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn reason(text: impl AsRef<[u8]>) -> &'static str {
    match refused(text) {
        ConfigError::Request { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_of_openssl() {
    let request = CertificationRequest::from_pem(FROM_OPENSSL).unwrap();
    assert_eq!(
        request.public_key().to_string(),
        "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
    );
    assert_eq!(request.subject(), "CN=db,O=Example");
    assert_eq!(request.common_name(), Some("db"));
    let names = ["db.internal", "10.0.0.7", "spiffe://example.org/db"];
    assert_eq!(request.names(), names);
    let der = pem::request(FROM_OPENSSL.as_bytes()).unwrap();
    assert_eq!(CertificationRequest::from_pem(der).unwrap(), request);
    let older = FROM_OPENSSL.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    assert_eq!(CertificationRequest::from_pem(older).unwrap(), request);
}

#[test]
fn a_request_of_ours() {
    let key = Identity::generate().unwrap();
    let names = [
        "db.internal",
        "*.db.internal",
        "::1",
        "https://example.org/x",
    ];
    let request = CertificationRequest::make_pem(&key, names).unwrap();
    assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
    let request = CertificationRequest::from_pem(request).unwrap();
    assert_eq!(request.public_key(), key.public_key());
    assert_eq!(request.common_name(), Some("db.internal"));
    assert_eq!(request.names(), names);
    let nothing = CertificationRequest::make_pem(&key, []).unwrap();
    let nothing = CertificationRequest::from_pem(nothing).unwrap();
    assert_eq!((nothing.subject(), nothing.common_name()), ("", None));
    assert!(nothing.names().is_empty());

    let authority = Authority::new("CA").unwrap();
    let builder = authority.certificate().server(["db.internal"]);
    let chain = builder.issue_for(request.public_key()).unwrap();
    Identity::from_pem(chain, key.key_pem().unwrap().expose()).unwrap();
    let bad = CertificationRequest::make_pem(&key, ["spiffe://example.org/"]);
    assert!(matches!(bad, Err(Error::Name(NameError::Uri))));
}

#[test]
fn a_key_that_is_held_elsewhere_signs_too() {
    struct Elsewhere(SigningKey);
    impl Signer for Elsewhere {
        fn sign(
            &self,
            message: &[u8],
        ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
            Ok(self.0.sign(message).to_vec())
        }
    }
    let key = SigningKey::from_seed(Secret::copy_of(&[7; 32])).unwrap();
    let chain = Authority::new("CA").unwrap();
    let chain = chain.certificate().client("alice");
    let chain = chain.issue_for(key.public_key().into()).unwrap();
    let identity = Identity::with_signer(&chain, Elsewhere(key)).unwrap();
    let request = CertificationRequest::make_pem(&identity, ["alice.internal"]).unwrap();
    let request = CertificationRequest::from_pem(request).unwrap();
    assert_eq!(request.public_key(), identity.public_key());
    let asking = CertificationRequest::make_pem(&Identity::asking(chain).unwrap(), []);
    assert!(matches!(
        asking,
        Err(Error::Config(ConfigError::KeyElsewhere))
    ));
}

#[test]
fn only_the_holder_of_the_key_can_make_it() {
    let der = pem::request(FROM_OPENSSL.as_bytes()).unwrap();
    // Another key with the signature of the first.
    let (mut other, key) = (der.clone(), Identity::generate().unwrap().public_key());
    let at = der
        .windows(4)
        .position(|four| four == [0x19, 0xbf, 0x44, 0x09])
        .unwrap();
    other[at..at + 32].copy_from_slice(key.as_bytes());
    assert!(reason(other).contains("signature"));
    // Every byte matters, and every length; nothing panics.
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 1;
        refused(changed);
        refused(&der[..at]);
    }
    refused([&der[..], &[0]].concat());
    refused(FROM_OPENSSL.repeat(2));
    refused(Identity::generate().unwrap().chain_pem());
    // The signature over a request for another key type is not even looked at.
    assert!(reason(P256).contains("Ed25519"));
}

#[test]
fn names_of_all_forms_are_issued() {
    let authority = Authority::new("CA").unwrap();
    let names = [
        "db.internal",
        "10.0.0.7",
        "https://example.org/x",
        "urn:uuid:1",
    ];
    let server = authority.certificate().names(names).issue().unwrap();
    let leaf = &server.certificates()[0];
    let found: Vec<_> = crate::identity::certificate::Certificate::parse(leaf)
        .unwrap()
        .alt_names()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found, names);
    // Each once, and a URI is not a common name that does not fit.
    let uri = format!("spiffe://example.org/{}", "x".repeat(60));
    let both = authority
        .certificate()
        .server([&*uri])
        .client(&uri)
        .issue()
        .unwrap();
    assert_eq!(both.certificate_info().unwrap().subject(), "");

    let issue = |reason| Error::Config(ConfigError::Issue { reason }).to_string();
    let error = |result: Result<Identity, Error>| result.map(drop).unwrap_err().to_string();
    assert_eq!(
        error(authority.issue_server(["spiffe://example.org/db"])),
        issue("a certificate with a SPIFFE ID is for both roles: call server() and client()")
    );
    assert_eq!(
        error(
            authority
                .certificate()
                .names(["spiffe://example.org/db", "https://example.org/"])
                .issue()
        ),
        issue("a certificate with a SPIFFE ID has no other URI")
    );
    for name in [
        "spiffe://example.org",
        "SPIFFE://example.org/db",
        "https://exämple.org",
    ] {
        let result = authority.certificate().names([name]).issue();
        assert!(matches!(result, Err(Error::Name(NameError::Uri))), "{name}");
    }
    // `permit` permits no URI.
    let narrow = Authority::builder("narrow")
        .permit(["internal"])
        .build()
        .unwrap();
    assert!(
        narrow
            .certificate()
            .names(["https://example.org/"])
            .issue()
            .is_err()
    );
}

#[test]
fn an_authority_from_files() {
    let folder = std::env::temp_dir().join(format!("fleeting-ca-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let root = Authority::new("root").unwrap();
    let below = Authority::builder("below").build_under(&root).unwrap();
    std::fs::write(&chain, below.chain_pem()).unwrap();
    std::fs::write(&key, below.key_pem().expose()).unwrap();
    let again = Authority::from_pem_files(&chain, &key).unwrap();
    assert_eq!(again.certificates(), below.certificates());
    let info: CertificateInfo = again.certificate_info().unwrap();
    assert_eq!((info.subject(), info.issuer()), ("CN=below", "CN=root"));
    for (one, other, named) in [(&key, &key, &key), (&chain, &chain, &chain)] {
        match Authority::from_pem_files(one, other).map(drop) {
            Err(Error::Config(ConfigError::InFile { path, .. })) => {
                assert_eq!(path, named.display().to_string());
            }
            other => panic!("{other:?}"),
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
