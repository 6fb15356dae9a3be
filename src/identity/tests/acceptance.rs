//! The offline check: it says what a connection would, and returns facts.

use core::time::Duration;

use super::{at, chain, expired, name, now, unknown_issuer, untrusted};
use crate::error::{CertificateError, ConfigError, Error, NameError};
use crate::identity::{Authority, Identity, RevocationLists, Trust, Validity};

const HOST: &str = "a.example";

#[track_caller]
fn refused<T>(result: Result<T, Error>) -> CertificateError {
    match result.map(drop) {
        Err(Error::Config(ConfigError::NotAccepted { error })) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn facts_about_a_server_and_a_client() {
    let authority = Authority::new("CA").unwrap();
    let below = Authority::builder("below").build_under(&authority).unwrap();
    let unix = now().unix;
    let end = Duration::from_secs(unix.as_secs()) + Duration::from_secs(1000);
    let server = below
        .certificate()
        .server([HOST, "10.0.0.1"])
        .validity(Validity::between(unix, end).unwrap())
        .issue()
        .unwrap();
    let trust = authority.trust();
    let pem = server.chain_pem();
    let found = trust.check_server(&pem, HOST, end).unwrap();
    assert_eq!(found.public_key, server.public_key());
    assert_eq!(found.names, [HOST, "10.0.0.1"]);
    assert_eq!(found.expires, Some(end));
    assert_eq!(found.certificate_info, server.certificate_info());

    // Another time, another name, another role, without the intermediate, another root.
    let late = end + Duration::from_secs(1);
    assert_eq!(
        refused(trust.check_server(&pem, HOST, late)),
        expired("CN=a.example", end.as_secs())
    );
    assert!(matches!(
        refused(trust.check_server(&pem, "b.example", end)),
        CertificateError::WrongName { .. }
    ));
    assert_eq!(
        refused(trust.check_client(&pem, end)),
        CertificateError::ExtendedKeyUsage
    );
    assert_eq!(
        refused(trust.check_server(&server.certificates()[0], HOST, end)),
        unknown_issuer("CN=below", &["CN=CA"])
    );
    let other = Authority::new("other").unwrap().trust();
    assert_eq!(
        refused(other.check_server(&pem, HOST, end)),
        unknown_issuer("CN=CA", &["CN=other"])
    );

    let client = authority.issue_client("alice").unwrap();
    let found = trust.check_client(client.chain_pem(), unix).unwrap();
    let info = found.certificate_info.unwrap();
    assert_eq!(info.subject(), "CN=alice");
    assert_eq!(found.names, ["alice"]);
}

#[test]
fn a_trusted_key_has_its_bound_names_and_no_end() {
    let own = Identity::self_signed(["forged.example"]).unwrap();
    let trust = Trust::key_for(HOST, own.public_key());
    for found in [
        trust.check_server(own.chain_pem(), HOST, Duration::MAX),
        trust.check_client(own.chain_pem(), Duration::ZERO),
    ] {
        let found = found.unwrap();
        assert_eq!(found.names, [HOST]);
        assert_eq!((found.expires, found.certificate_info), (None, None));
    }
    assert_eq!(
        refused(trust.check_server(own.chain_pem(), "b.example", Duration::ZERO)),
        untrusted(own.public_key())
    );
}

#[test]
fn it_agrees_with_a_connection_under_revocation_lists() {
    let authority = Authority::new("CA").unwrap();
    let server = authority.issue_server([HOST]).unwrap();
    let list = authority.revocation_list().revoke(&server);
    let lists = RevocationLists::from_pem(list.issue_pem().unwrap()).unwrap();
    let trust = authority.trust().with_revocation_lists(lists);
    let error = refused(trust.check_server(server.chain_pem(), HOST, now().unix));
    assert_eq!(error, CertificateError::Revoked);
    let connected = trust
        .verify_server(&chain(&server), Some(&name(HOST)), at(now().unix))
        .map(drop);
    assert_eq!(connected, Err(error));
}

#[test]
fn what_cannot_be_checked_is_an_error_of_its_own() {
    let authority = Authority::new("CA").unwrap();
    let trust = authority.trust();
    let pem = authority.issue_server([HOST]).unwrap().chain_pem();
    assert!(matches!(
        trust.check_server(&pem, "a.example:443", now().unix),
        Err(Error::Name(NameError::Port { .. }))
    ));
    assert!(matches!(
        trust.check_client("no certificate", now().unix),
        Err(Error::Config(ConfigError::NoPemSection { .. }))
    ));
    let defective = Trust::key_for("", [1; 32]);
    assert!(matches!(
        defective.check_server(&pem, HOST, now().unix),
        Err(Error::Name(NameError::Empty))
    ));
}
