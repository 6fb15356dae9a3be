//! Raw public keys (RFC 7250). In rustls a side uses raw keys only or not at all: if it has one or
//! asks for one, it accepts nothing else.

use std::sync::Arc;

use fleeting::{
    AlertDescription, CertificateError, Client, ClientAuth, Fault, Identity, PublicKey, Server,
    Trust,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, WebPkiServerVerifier};
use rustls::crypto::verify_tls13_signature_with_raw_key;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, HandshakeKind, ServerConfig,
    SignatureScheme,
};

use crate::pair::{
    Auth, PLAIN, Pair, Setting, chain, finish_client, finish_server, provider, roots,
    their_client_builder, their_client_verifier, their_server_builder, to_our_server,
    to_their_server,
};
use crate::support::{Pki, SERVER_NAME};

/// Accepts only this key, and no certificate.
#[derive(Debug)]
struct OneKey(PublicKey);

impl OneKey {
    fn verify(&self, spki: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        if spki.as_ref() == self.0.to_spki() {
            return Ok(());
        }
        Err(rustls::Error::InvalidCertificate(
            rustls::CertificateError::UnknownIssuer,
        ))
    }

    fn verify_signature(
        message: &[u8],
        spki: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let spki = SubjectPublicKeyInfoDer::from(spki.as_ref());
        verify_tls13_signature_with_raw_key(
            message,
            &spki,
            signature,
            &provider().signature_verification_algorithms,
        )
    }
}

type Checked = Result<HandshakeSignatureValid, rustls::Error>;

impl ServerCertVerifier for OneKey {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        assert!(rest.is_empty(), "a raw key is one entry");
        self.verify(key).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Checked {
        unreachable!("TLS 1.3 alone")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Checked {
        Self::verify_signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for OneKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        assert!(rest.is_empty(), "a raw key is one entry");
        self.verify(key).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Checked {
        unreachable!("TLS 1.3 alone")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Checked {
        Self::verify_signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// The credential that one side presents.
#[derive(Clone, Debug)]
enum Shown {
    Nothing,
    Certificate(Identity),
    RawKey(Identity),
}

use Shown::{Certificate, Nothing, RawKey};

impl Shown {
    fn identity(&self) -> Option<&Identity> {
        match self {
            Nothing => None,
            Certificate(identity) | RawKey(identity) => Some(identity),
        }
    }

    fn raw_key(&self) -> Option<PublicKey> {
        match self {
            Nothing | Certificate(_) => None,
            RawKey(identity) => Some(identity.public_key()),
        }
    }

    /// Returns the chain as our API gives it.
    fn certificates(&self) -> &[Vec<u8>] {
        match self {
            Nothing | RawKey(_) => &[],
            Certificate(identity) => identity.certificates(),
        }
    }

    /// Returns the entries as rustls gives them.
    fn entries(&self) -> Option<Vec<Vec<u8>>> {
        match self {
            Nothing => None,
            Certificate(identity) => Some(identity.certificates().to_vec()),
            RawKey(identity) => Some(vec![identity.public_key().to_spki().to_vec()]),
        }
    }
}

fn raw(identity: &Identity) -> Arc<CertifiedKey> {
    let (_, key) = chain(identity);
    let key = provider().key_provider.load_private_key(key).unwrap();
    let spki = key.public_key().unwrap().to_vec();
    Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], key))
}

fn their_server(pki: &Pki, server: &Shown, client: &Shown) -> Arc<ServerConfig> {
    let auth = if matches!(client, Nothing) {
        Auth::None
    } else {
        Auth::Required
    };
    let verifier = match client.raw_key() {
        Some(key) => Arc::new(OneKey(key)),
        None => their_client_verifier(pki, &Setting { auth, ..PLAIN }),
    };
    let theirs = their_server_builder(&PLAIN).with_client_cert_verifier(verifier);
    let theirs = match server {
        Nothing => panic!("a server shows something"),
        Certificate(identity) => {
            let (chain, key) = chain(identity);
            theirs.with_single_cert(chain, key).unwrap()
        }
        RawKey(identity) => theirs.with_cert_resolver(Arc::new(
            AlwaysResolvesServerRawPublicKeys::new(raw(identity)),
        )),
    };
    Arc::new(finish_server(theirs, &PLAIN))
}

fn their_client(pki: &Pki, server: &Shown, client: &Shown) -> Arc<ClientConfig> {
    let verifier: Arc<dyn ServerCertVerifier> = match server.raw_key() {
        Some(key) => Arc::new(OneKey(key)),
        None => {
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots(pki)), Arc::new(provider()))
                .build()
                .unwrap()
        }
    };
    let theirs = their_client_builder(&PLAIN)
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let theirs = match client {
        Nothing => theirs.with_no_client_auth(),
        Certificate(identity) => {
            let (chain, key) = chain(identity);
            theirs.with_client_auth_cert(chain, key).unwrap()
        }
        RawKey(identity) => theirs.with_client_cert_resolver(Arc::new(
            AlwaysResolvesClientRawPublicKeys::new(raw(identity)),
        )),
    };
    Arc::new(finish_client(theirs, &PLAIN))
}

/// Returns trust in the credential that the other side presents. With `both`, it trusts
/// certificates and a key, one of which is not presented.
fn trust(pki: &Pki, shown: &Shown, both: bool) -> Trust {
    let key = |key: PublicKey| Trust::key_for(SERVER_NAME, key);
    match shown.raw_key() {
        Some(raw) if both => key(raw).and(pki.authority.trust()),
        Some(raw) => key(raw),
        None if both => pki
            .authority
            .trust()
            .and(key(Identity::generate().unwrap().public_key())),
        None => pki.authority.trust(),
    }
}

fn our_server(pki: &Pki, server: &Shown, client: &Shown, both: bool) -> Server {
    let auth = match client {
        Nothing => ClientAuth::None,
        _ => ClientAuth::Required(trust(pki, client, both)),
    };
    Server::builder()
        .identity(server.identity().unwrap().clone())
        .client_auth(auth)
        .build()
        .unwrap()
}

fn our_client(pki: &Pki, server: &Shown, client: &Shown, both: bool) -> Client {
    let ours = Client::builder().trust(trust(pki, server, both));
    match client.identity() {
        Some(identity) => ours.identity(identity.clone()).build().unwrap(),
        None => ours.build().unwrap(),
    }
}

fn fresh() -> Identity {
    Identity::generate().unwrap()
}

/// Covers certificates and raw keys in every combination, also resumed. The other side's identity
/// is known in each connection.
#[test]
fn raw_keys_and_certificates() {
    let pki = Pki::new();
    for server in [RawKey(fresh()), Certificate(pki.server.clone())] {
        for client in [Nothing, RawKey(fresh()), Certificate(pki.client.clone())] {
            for (we_serve, both) in [(false, false), (false, true), (true, false), (true, true)] {
                println!("we serve: {we_serve}, {server:?}, {client:?}, trust in both: {both}");
                let meet: &mut dyn FnMut() -> Pair = if we_serve {
                    let (ours, theirs) = (
                        our_server(&pki, &server, &client, both),
                        their_client(&pki, &server, &client),
                    );
                    &mut move || to_our_server(&ours, &theirs, SERVER_NAME)
                } else {
                    let (ours, theirs) = (
                        our_client(&pki, &server, &client, both),
                        their_server(&pki, &server, &client),
                    );
                    &mut move || to_their_server(&ours, &theirs, SERVER_NAME)
                };
                for resumed in [false, true] {
                    let mut pair = meet();
                    pair.run().assert_connected();
                    let negotiated = pair.ours.negotiated().unwrap();
                    assert_eq!(negotiated.resumed(), resumed);
                    assert_eq!(
                        pair.theirs.handshake_kind(),
                        Some(if resumed {
                            HandshakeKind::Resumed
                        } else {
                            HandshakeKind::Full
                        })
                    );
                    let (we_see, they_see) = if we_serve {
                        (&client, &server)
                    } else {
                        (&server, &client)
                    };
                    let peer = negotiated.peer();
                    assert_eq!(
                        peer.map(|peer| peer.public_key()),
                        we_see.identity().map(|identity| identity.public_key())
                    );
                    let certificates = peer.map_or(&[][..], |peer| peer.certificates());
                    // A ticket contains the first certificate.
                    assert_eq!(certificates.first(), we_see.certificates().first());
                    let theirs = pair
                        .theirs
                        .peer_certificates()
                        .map(|chain| chain.iter().map(|entry| entry.to_vec()).collect());
                    assert_eq!(theirs, they_see.entries());
                    pair.exporters_agree();
                    pair.exchange(40_000);
                    pair.close(resumed);
                }
            }
        }
    }
}

#[test]
fn unknown_raw_keys_are_refused() {
    let pki = Pki::new();
    let (known, other) = (RawKey(fresh()), RawKey(fresh()));
    let untrusted = |fault: &Fault| {
        matches!(
            fault,
            Fault::Certificate(CertificateError::UntrustedKey { .. })
        )
    };
    let unknown = |error: &rustls::Error| {
        matches!(
            error,
            rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)
        )
    };

    let (ours, theirs) = (
        our_client(&pki, &known, &Nothing, false),
        their_server(&pki, &other, &Nothing),
    );
    to_their_server(&ours, &theirs, SERVER_NAME)
        .run()
        .assert_we_refused(untrusted, AlertDescription::UNKNOWN_CA);
    let (ours, theirs) = (
        our_client(&pki, &known, &other, false),
        their_server(&pki, &known, &other),
    );
    // The key is bound to another name.
    to_their_server(&ours, &theirs, "127.0.0.1")
        .run()
        .assert_we_refused(untrusted, AlertDescription::UNKNOWN_CA);
    let (ours, theirs) = (
        our_client(&pki, &known, &other, false),
        their_server(&pki, &known, &known),
    );
    to_their_server(&ours, &theirs, SERVER_NAME)
        .run()
        .assert_they_refused(unknown, AlertDescription::UNKNOWN_CA);

    let (ours, theirs) = (
        our_server(&pki, &known, &known, false),
        their_client(&pki, &known, &other),
    );
    to_our_server(&ours, &theirs, SERVER_NAME)
        .run()
        .assert_we_refused(untrusted, AlertDescription::UNKNOWN_CA);
    let (ours, theirs) = (
        our_server(&pki, &known, &Nothing, false),
        their_client(&pki, &other, &Nothing),
    );
    to_our_server(&ours, &theirs, SERVER_NAME)
        .run()
        .assert_they_refused(unknown, AlertDescription::UNKNOWN_CA);
}

/// If roots are required, no raw key is offered or chosen (RFC 9846, 4.5.1).
#[test]
fn no_raw_keys_where_roots_are_required() {
    let pki = Pki::new();
    let (key, certificate) = (RawKey(fresh()), Certificate(pki.server.clone()));
    let no_common_type =
        |error: &rustls::Error| matches!(error, rustls::Error::PeerIncompatible(_));

    // Our client trusts roots and does not offer raw keys, but rustls has nothing else.
    let (ours, theirs) = (
        our_client(&pki, &certificate, &Nothing, false),
        their_server(&pki, &key, &Nothing),
    );
    to_their_server(&ours, &theirs, SERVER_NAME)
        .run()
        .assert_they_refused(no_common_type, AlertDescription::HANDSHAKE_FAILURE);
    // Our client has a certificate, but rustls requires a key.
    let (ours, theirs) = (
        our_client(&pki, &certificate, &Certificate(pki.client.clone()), false),
        their_server(&pki, &certificate, &key),
    );
    to_their_server(&ours, &theirs, SERVER_NAME)
        .run()
        .assert_they_refused(no_common_type, AlertDescription::HANDSHAKE_FAILURE);

    // Our server trusts roots, but rustls' client has only a raw key (RFC 7250, 4.2).
    let (ours, theirs) = (
        our_server(&pki, &key, &Certificate(pki.client.clone()), false),
        their_client(&pki, &key, &key),
    );
    to_our_server(&ours, &theirs, SERVER_NAME)
        .run()
        .assert_we_refused(
            |fault| matches!(fault, Fault::NoCommonCertificateType { .. }),
            AlertDescription::UNSUPPORTED_CERTIFICATE,
        );
}
