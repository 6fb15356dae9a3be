//! The certificate that a key makes for itself.

use base64ct::{Base64, Encoding as _};

use super::{as_server, chain};
use crate::crypto::signature::SigningKey;
use crate::error::{ConfigError, Error};
use crate::identity::alt_name::AltName;
use crate::identity::authority::encode::certificate::{self, Purpose, SignedBy, Template};
use crate::identity::own::self_signed::self_signed;
use crate::identity::public_key::PublicKey;
use crate::identity::{Identity, Trust, Validity, profile};
use crate::secret::Secret;

const HOST: &str = "a.example";

#[test]
fn self_signed_names_are_for_pinned_keys() {
    let own = Identity::self_signed([HOST, "10.0.0.1"]).unwrap();
    assert!(own.matches_name(HOST));
    as_server(&Trust::key_for(HOST, own.public_key()), &chain(&own), HOST).unwrap();
    assert!(matches!(
        Trust::roots_from_pem(own.chain_pem()),
        Err(Error::Config(ConfigError::Certificate { .. }))
    ));
}

/// The handwritten encoding equals that of the general encoder, for every form of a length.
#[test]
fn is_a_leaf_as_an_authority_signs_them() {
    let seeds = (0..40).map(|byte| [byte; 32]);
    let many: Vec<_> = (0..3000)
        .map(|number| AltName::Dns(format!("n{number}.{HOST}")))
        .collect();
    let others = [
        AltName::Ip("10.0.0.1".parse().unwrap()),
        AltName::Ip("2001:db8::1".parse().unwrap()),
        AltName::parse("*.b.example").unwrap(),
        AltName::Uri("spiffe://a.example/db".into()),
    ];
    let sets = (0..40)
        .map(|len| &many[..len])
        .chain([&many[..400], &many[..], &others]);
    let long = "n".repeat(64);
    for ((seed, names), common_name) in seeds.cycle().zip(sets).zip(
        [None, Some(HOST), Some(&*long), Some("ü")]
            .into_iter()
            .cycle(),
    ) {
        let key = SigningKey::from_seed(Secret::copy_of(&seed)).unwrap();
        let public_key = PublicKey::from(key.public_key());
        let id = profile::key_identifier(&public_key);
        let text = Base64::encode_string(&id);
        let template = Template {
            serial: profile::serial(id[..16].try_into().unwrap()),
            common_name: common_name.or(Some(&text)),
            names,
            purpose: Purpose::Leaf {
                server: false,
                client: false,
            },
            validity: Validity::unlimited(),
            key: public_key,
        };
        let issued = certificate::issue(&template, &SignedBy::Itself(&key)).unwrap();
        assert!(
            self_signed(&key, common_name, names) == issued,
            "{} names, {common_name:?}",
            names.len()
        );
    }
}
