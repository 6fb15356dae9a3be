//! Keys that are held elsewhere: signers of every kind, and checks of their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::forge::{Ca, leaf_params};
use super::{vector, vector_der};
use crate::crypto::signature::{SigningKey, VerifyingKey};
use crate::error::{CertificateError, ConfigError, Error, Fault};
use crate::identity::own::pkcs8;
use crate::identity::own::signer::Defect;
use crate::identity::{Authority, Identity, PublicKey, Signer, pem};
use crate::secret::Secret;

const MESSAGE: &[u8] = b"what a CertificateVerify covers";

/// A signer that returns a function of the message and the right signature.
struct Tempered<F>(SigningKey, F);

impl<F: Fn(&[u8], &SigningKey) -> Result<Vec<u8>, &'static str> + Send + Sync> Signer
    for Tempered<F>
{
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok((self.1)(message, &self.0)?)
    }
}

/// RFC 8032, 7.1, test 1: the private key.
fn elsewhere() -> SigningKey {
    let seed = b"\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\
                 \x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
    SigningKey::from_seed(Secret::copy_of(seed)).unwrap()
}

fn chain_for(key: &SigningKey) -> String {
    Authority::new("CA")
        .unwrap()
        .certificate()
        .server(["a.example"])
        .issue_for(key.public_key().into())
        .unwrap()
}

fn with(
    temper: impl Fn(&[u8], &SigningKey) -> Result<Vec<u8>, &'static str> + Send + Sync + 'static,
) -> Identity {
    Identity::with_signer(chain_for(&elsewhere()), Tempered(elsewhere(), temper)).unwrap()
}

#[track_caller]
fn defect(result: Result<[u8; 64], Fault>) -> Defect {
    match result {
        Err(Fault::Signer(reason)) => match reason.downcast_ref() {
            Some(Defect::Length(len)) => Defect::Length(*len),
            Some(Defect::Mismatch) => Defect::Mismatch,
            None => panic!("{reason}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Returns what is wrong with a signer's answer for the message.
#[track_caller]
fn refused(
    temper: impl Fn(&[u8], &SigningKey) -> Result<Vec<u8>, &'static str> + Send + Sync + 'static,
) -> Defect {
    defect(with(temper).sign(MESSAGE).map(Option::unwrap))
}

#[test]
fn a_signer_signs_for_its_certificate() {
    let identity = with(|message, key| Ok(key.sign(message).to_vec()));
    assert_eq!(
        identity.public_key(),
        PublicKey::from(elsewhere().public_key())
    );
    assert!(identity.matches_name("a.example") && !identity.prefers_raw_key());
    let signature = identity.sign(MESSAGE).unwrap().unwrap();
    VerifyingKey::parse(&elsewhere().public_key())
        .unwrap()
        .verify(MESSAGE, &signature)
        .unwrap();
}

#[test]
fn one_signer_serves_several_identities_and_signs_once_each_time() {
    struct Counting(SigningKey, AtomicUsize);
    impl Signer for Counting {
        fn sign(
            &self,
            message: &[u8],
        ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Ok(self.0.sign(message).to_vec())
        }
    }
    let signer = Arc::new(Counting(elsewhere(), AtomicUsize::new(0)));
    let shared: Arc<dyn Signer> = signer.clone();
    for count in 1..=3 {
        let identity = Identity::with_signer(chain_for(&elsewhere()), shared.clone()).unwrap();
        assert_eq!(
            signer.1.load(Ordering::Relaxed),
            count - 1,
            "it is not asked before a handshake does"
        );
        identity.clone().sign(MESSAGE).unwrap().unwrap();
        assert_eq!(signer.1.load(Ordering::Relaxed), count);
    }
}

#[test]
fn a_signer_that_fails_says_why() {
    match with(|_, _| Err("the agent is gone")).sign(MESSAGE) {
        Err(fault @ Fault::Signer(_)) => {
            // The peer is not at fault, so this is not an Error::Protocol.
            let error = fault.in_state("WAIT_CV");
            assert!(
                matches!(
                    &error,
                    Error::Signer(reason) if reason.to_string() == "the agent is gone"
                ),
                "{error:?}"
            );
            assert_eq!(
                std::error::Error::source(&error).unwrap().to_string(),
                "the agent is gone"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_signature_of_the_message_never_leaves() {
    for len in [0, 1, 32, 63, 65, 128] {
        let short_or_long = move |message: &[u8], key: &SigningKey| {
            let mut signature = key.sign(message).to_vec();
            signature.resize(len, 0);
            Ok(signature)
        };
        assert_eq!(refused(short_or_long), Defect::Length(len));
    }
    assert_eq!(refused(|_, _| Ok(vec![0; 64])), Defect::Mismatch);
    assert_eq!(refused(|_, _| Ok(vec![0xff; 64])), Defect::Mismatch);
    // Signatures of another message, of nothing, or by another key.
    assert_eq!(
        refused(|message, key| Ok(key.sign(&[message, b"."].concat()).to_vec())),
        Defect::Mismatch
    );
    assert_eq!(
        refused(|_, key| Ok(key.sign(b"").to_vec())),
        Defect::Mismatch
    );
    let another = SigningKey::from_seed(Secret::copy_of(&[7; 32])).unwrap();
    assert_eq!(
        refused(move |message, _| Ok(another.sign(message).to_vec())),
        Defect::Mismatch
    );
    // A bit is flipped, as by faulty hardware.
    for bit in 0..512 {
        let flipped = move |message: &[u8], key: &SigningKey| {
            let mut signature = key.sign(message).to_vec();
            signature[bit / 8] ^= 1 << (bit % 8);
            Ok(signature)
        };
        assert_eq!(refused(flipped), Defect::Mismatch, "bit {bit}");
    }
}

#[test]
fn an_identity_that_asks_checks_the_answer() {
    let identity = Identity::asking(chain_for(&elsewhere())).unwrap();
    assert_eq!(identity.sign(MESSAGE).unwrap(), None);
    let signature = elsewhere().sign(MESSAGE);
    assert_eq!(
        identity.check_signature(MESSAGE, &signature).unwrap(),
        signature
    );
    assert_eq!(
        defect(identity.check_signature(b"another", &signature)),
        Defect::Mismatch
    );
    assert_eq!(
        defect(identity.check_signature(MESSAGE, &signature[1..])),
        Defect::Length(63)
    );
    // Only a key that is held elsewhere is asked for signatures.
    let here = Identity::generate().unwrap();
    assert!(matches!(
        here.check_signature(MESSAGE, &signature),
        Err(Fault::Internal { .. })
    ));
}

/// The rows of `loading::certificates_that_a_peer_would_refuse_are_refused_when_loaded`, without a
/// key.
#[test]
fn the_chain_is_looked_at_as_with_a_key() {
    let not_asked = |_: &[u8], _: &SigningKey| Err("not asked");
    let load = |chain: String| {
        let errors = [
            Identity::asking(&chain),
            Identity::with_signer(&chain, Tempered(elsewhere(), not_asked)),
        ];
        let [one, two] = errors.map(|result| match result {
            Err(Error::Config(error)) => error,
            other => panic!("{other:?}"),
        });
        assert_eq!(one, two);
        one
    };
    let pem = |chain: &[Vec<u8>]| pem::write_certificates(chain.iter().map(Vec::as_slice));
    Identity::asking(pem(&[vector_der("leaf")])).unwrap();

    let at = |index, error| ConfigError::Certificate { index, error };
    assert_eq!(
        load(String::new()),
        ConfigError::NoPemSection {
            wanted: "CERTIFICATE",
            found: None
        }
    );
    let swapped = load(vector("leaf-key").to_owned());
    assert_eq!(
        swapped,
        ConfigError::NoPemSection {
            wanted: "CERTIFICATE",
            found: Some("PRIVATE KEY".to_owned())
        }
    );
    assert_eq!(
        load(pem(&[vector_der("rsa-leaf")])),
        at(0, CertificateError::UnsupportedAlgorithm)
    );
    assert_eq!(
        load(pem(&[vector_der("leaf"), b"nonsense".to_vec()])),
        at(1, CertificateError::Malformed)
    );
    assert_eq!(
        load(pem(&[vector_der("ca")])),
        at(0, CertificateError::KeyUsage)
    );
    assert_eq!(
        load(pem(&vec![vector_der("leaf"); 11])),
        at(10, CertificateError::TooComplex)
    );
    let mut params = leaf_params(&["a.example"]);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyAgreement];
    assert_eq!(
        load(pem(&[Ca::root().leaf(&params)])),
        at(0, CertificateError::KeyUsage)
    );
    // A key of small order makes no signature that anybody accepts. This is the neutral element.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let weak = Authority::new("CA")
        .unwrap()
        .certificate()
        .server(["a.example"])
        .issue_for(neutral.into());
    match weak {
        Ok(chain) => assert_eq!(load(chain), at(0, CertificateError::Malformed)),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_key_cannot_be_written_out_and_says_where_it_is() {
    let signs = with(|message, key| Ok(key.sign(message).to_vec()));
    let asks = Identity::asking(chain_for(&elsewhere())).unwrap();
    for (identity, held) in [
        (&signs, "with a signer"),
        (&asks, "asked for"),
        (&Identity::generate().unwrap(), "here"),
    ] {
        let shown = format!("{identity:?}");
        assert!(
            shown.contains(held) && shown.contains(&identity.public_key().to_string()),
            "{shown}"
        );
    }
    for identity in [signs, asks] {
        assert!(matches!(
            identity.key_pem().map(drop),
            Err(Error::Config(ConfigError::KeyElsewhere))
        ));
        // The chain can be exported. With the key from its own place, it makes an ordinary
        // identity.
        let pem = pem::write_private_key(&pkcs8::write(&elsewhere()));
        assert_eq!(
            Identity::from_pem(identity.chain_pem(), pem.expose())
                .unwrap()
                .public_key(),
            identity.public_key()
        );
    }
}
