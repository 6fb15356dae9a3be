//! Whole journeys: issue, load, verify, refuse.

use core::time::Duration;

use super::*;
use crate::error::CertificateError;
use crate::time::Now;

fn now() -> Now {
    Now { monotonic: Duration::ZERO, unix: std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap() }
}

fn chain(identity: &Identity) -> Vec<&[u8]> {
    identity.certificates().iter().map(Vec::as_slice).collect()
}

fn name(text: &str) -> ServerName {
    ServerName::parse(text).unwrap()
}

#[test]
fn smoke() {
    let ca = Authority::new("CA").unwrap();
    let server = ca.issue_server(["a.example", "10.0.0.1"]).unwrap();
    ca.trust().verify_server(&chain(&server), Some(&name("a.example")), now()).unwrap();
    ca.trust().verify_server(&chain(&server), Some(&name("10.0.0.1")), now()).unwrap();
    assert!(matches!(
        ca.trust().verify_server(&chain(&server), Some(&name("b.example")), now()).map(|_| ()),
        Err(CertificateError::WrongName { .. })
    ));
}
