//! Signatures that are made outside the library, by ed25519-dalek and by rustls' own key. rustls
//! accepts them from a server and from a client.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use fleeting::{
    AlertDescription, Answer, Client, Error, Identity, PublicKey, Question, Server, Status,
    SystemRandom,
};
use rustls::SignatureScheme;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::pair::{
    Auth, PLAIN, Pair, Setting, provider, their_client, their_server, to_our_server,
    to_their_server,
};
use crate::support::{CLIENT_NAME, Pki, SERVER_NAME, SUITES, now};

const SEED: [u8; 32] = [7; 32];

fn public_key() -> PublicKey {
    SigningKey::from_bytes(&SEED)
        .verifying_key()
        .to_bytes()
        .into()
}

type Sign = fn(&[u8]) -> Vec<u8>;

fn by_dalek(message: &[u8]) -> Vec<u8> {
    ed25519_dalek::Signer::sign(&SigningKey::from_bytes(&SEED), message).to_vec()
}

fn by_rustls(message: &[u8]) -> Vec<u8> {
    // RFC 8410, section 7: PKCS #8 without the public key.
    let header = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from([&header[..], &SEED].concat()));
    let key = provider().key_provider.load_private_key(key).unwrap();
    key.choose_scheme(&[SignatureScheme::ED25519])
        .unwrap()
        .sign(message)
        .unwrap()
}

/// Runs until neither side has anything to send, with this answer to every question. Returns the
/// number of questions.
fn run(pair: &mut Pair, sign: Sign) -> usize {
    let mut asked = 0;
    loop {
        pair.run();
        if !matches!(pair.process(), Some(Status::Ask(Question::Signature))) {
            return asked;
        }
        asked += 1;
        let signature = sign(pair.ours.to_sign().unwrap());
        if let Err(error) = pair
            .ours
            .answer(Answer::Signature(signature), now(), &mut SystemRandom)
        {
            pair.our_error.get_or_insert(error);
        }
    }
}

/// Our server and rustls' client, each with a certificate. Our server's key is held elsewhere.
fn our_server(pki: &Pki, setting: &Setting) -> Pair {
    let chain = pki
        .authority
        .certificate()
        .server([SERVER_NAME])
        .issue_for(public_key())
        .unwrap();
    let server = Server::builder().identity(Identity::asking(chain).unwrap());
    let server = server
        .client_auth(fleeting::ClientAuth::Required(pki.authority.trust()))
        .build()
        .unwrap();
    to_our_server(&server, &Arc::new(their_client(pki, setting)), SERVER_NAME)
}

/// Our client and rustls' server. Our client's key is held elsewhere.
fn our_client(pki: &Pki, setting: &Setting) -> Pair {
    let chain = pki
        .authority
        .certificate()
        .client(CLIENT_NAME)
        .issue_for(public_key())
        .unwrap();
    let client = Client::builder()
        .trust(pki.authority.trust())
        .identity(Identity::asking(chain).unwrap())
        .build()
        .unwrap();
    to_their_server(&client, &Arc::new(their_server(pki, setting)), SERVER_NAME)
}

#[test]
fn a_signature_made_elsewhere_is_accepted() {
    let pki = Pki::new();
    for suite in SUITES {
        // A client that is not asked for a certificate needs no signature.
        for (auth, of_client) in [(Auth::Required, 1), (Auth::Optional, 1), (Auth::None, 0)] {
            for sign in [by_dalek as Sign, by_rustls] {
                let setting = Setting {
                    suite,
                    auth,
                    client: Some(pki.client.clone()),
                    ..PLAIN
                };
                for (mut pair, expected) in [
                    (our_server(&pki, &setting), 1),
                    (our_client(&pki, &setting), of_client),
                ] {
                    assert_eq!(run(&mut pair, sign), expected);
                    pair.exchange(40_000);
                    pair.exporters_agree();
                    pair.close(true);
                }
            }
        }
    }
}

/// A wrong signature is not sent, and rustls reads internal_error(80).
#[test]
fn a_wrong_one_is_not_sent() {
    fn of_another_message(_: &[u8]) -> Vec<u8> {
        by_dalek(b"another message")
    }
    let pki = Pki::new();
    for sign in [of_another_message as Sign, |_| Vec::new()] {
        let setting = Setting {
            auth: Auth::Required,
            client: Some(pki.client.clone()),
            ..PLAIN
        };
        for mut pair in [our_server(&pki, &setting), our_client(&pki, &setting)] {
            assert_eq!(run(&mut pair, sign), 1);
            assert!(
                matches!(pair.our_error, Some(Error::Signer(_))),
                "{:?}",
                pair.our_error
            );
            let told = rustls::Error::AlertReceived(AlertDescription::INTERNAL_ERROR.0.into());
            assert_eq!(pair.their_error, Some(told));
        }
    }
}
