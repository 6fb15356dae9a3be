//! Keys that are held elsewhere: by a signer that answers at once, on both sides, with
//! certificates; and by a signer that fails.

use fleeting::{
    AlertDescription, Client, ClientAuth, Error, Identity, PublicKey, Server, Signer, Validity,
};

use crate::cast::{DAY, cast, handshake, seen};
use crate::support::{NAME, NOW, Pair};
use crate::wire::Transport;

type Answer = Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;

/// A signer that answers with this function.
struct Elsewhere(fn(&[u8]) -> Answer);

impl Signer for Elsewhere {
    fn sign(&self, message: &[u8]) -> Answer {
        (self.0)(message)
    }
}

fn key() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[7; 32])
}

fn signs(message: &[u8]) -> Answer {
    Ok(ed25519_dalek::Signer::sign(&key(), message).to_vec())
}

/// Signs like an agent that has another key.
fn signs_otherwise(message: &[u8]) -> Answer {
    Ok(
        ed25519_dalek::Signer::sign(&ed25519_dalek::SigningKey::from_bytes(&[8; 32]), message)
            .to_vec(),
    )
}

fn is_gone(_: &[u8]) -> Answer {
    Err("the agent is gone".into())
}

fn public_key() -> PublicKey {
    key().verifying_key().to_bytes().into()
}

/// A client and a server after their handshake, each with a signer.
fn pair(server: fn(&[u8]) -> Answer, client: fn(&[u8]) -> Answer) -> Pair {
    let validity = Validity::between(NOW.unix - DAY, NOW.unix + DAY).unwrap();
    let authority = &cast().root;
    let certificate = || authority.certificate().validity(validity);
    let server = Identity::with_signer(
        certificate()
            .server([NAME])
            .issue_for(public_key())
            .unwrap(),
        Elsewhere(server),
    )
    .unwrap();
    let client = Identity::with_signer(
        certificate()
            .client("a client")
            .issue_for(public_key())
            .unwrap(),
        Elsewhere(client),
    )
    .unwrap();
    let client = Client::builder()
        .trust(authority.trust())
        .identity(client)
        .build()
        .unwrap();
    let server = Server::builder()
        .identity(server)
        .client_auth(ClientAuth::Required(authority.trust()))
        .build()
        .unwrap();
    handshake(&client, &server, Transport::Whole, 1)
}

#[test]
fn both_sides_sign_elsewhere() {
    let pair = pair(signs, signs);
    for end in [&pair.client, &pair.server] {
        assert_eq!(seen(&end.connection).unwrap().key, public_key());
    }
}

/// The side whose signer fails knows why, and the other side is told that it was not its fault: RFC
/// 9846, 6.2, internal_error.
#[test]
fn a_signer_that_does_not_sign_ends_the_handshake() {
    let assert_failed = |failed: &Error, told: &Error, reason: &str| {
        assert!(
            matches!(failed, Error::Signer(_)) && failed.to_string().contains(reason),
            "{failed}"
        );
        assert_eq!(failed.alert(), Some(AlertDescription::INTERNAL_ERROR));
        assert!(
            matches!(
                told,
                Error::AlertReceived {
                    alert: AlertDescription::INTERNAL_ERROR,
                    ..
                }
            ),
            "{told}"
        );
    };
    for (temper, reason) in [
        (is_gone as fn(&[u8]) -> Answer, "the agent is gone"),
        (signs_otherwise, "it holds another key"),
    ] {
        let server_fails = pair(temper, signs);
        assert_failed(
            server_fails.server.error(),
            server_fails.client.error(),
            reason,
        );
        let client_fails = pair(signs, temper);
        assert_failed(
            client_fails.client.error(),
            client_fails.server.error(),
            reason,
        );
    }
}
