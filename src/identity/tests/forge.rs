//! Certificates that `Authority` would not issue, made by rcgen with our own key.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SerialNumber, SignatureAlgorithm,
};

use crate::crypto::random::SystemRandom;
use crate::crypto::signature::SigningKey;
use crate::identity::own::pkcs8;
use crate::identity::{Authority, pem};

pub(super) struct Key(SigningKey, pub(super) [u8; 32]);

impl Key {
    pub(super) fn new() -> Self {
        let key = SigningKey::generate(&mut SystemRandom).unwrap();
        let public = key.public_key();
        Self(key, public)
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.1
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.0.sign(message).to_vec())
    }
}

/// A CA, with its certificate in DER.
pub(super) struct Ca {
    issuer: Issuer<'static, Key>,
    pub(super) der: Vec<u8>,
}

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    )
    .unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.serial_number = Some(SerialNumber::from_slice(&[0x41; 16]));
    params.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![1; 20]);
    params
}

pub(super) fn ca_params(common_name: &str) -> CertificateParams {
    let mut params = params(common_name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

pub(super) fn leaf_params(names: &[&str]) -> CertificateParams {
    params("leaf", names)
}

impl Ca {
    pub(super) fn new(params: CertificateParams) -> Self {
        let key = Key::new();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self {
            issuer: Issuer::new(params, key),
            der,
        }
    }

    /// Returns one of our authorities under this name, with its key used without the checks of
    /// `Authority`.
    pub(super) fn of(authority: &Authority, called: &str) -> Self {
        let key = pkcs8::read(
            pem::private_key(authority.key_pem().expose())
                .unwrap()
                .expose(),
        )
        .unwrap();
        let key = Key(key, *authority.public_key().as_bytes());
        Self {
            issuer: Issuer::new(ca_params(called), key),
            der: authority.certificates()[0].clone(),
        }
    }

    pub(super) fn root() -> Self {
        Self::new(ca_params("root"))
    }

    /// A CA below this one.
    pub(super) fn below(&self, params: CertificateParams) -> Self {
        let key = Key::new();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Self {
            issuer: Issuer::new(params, key),
            der,
        }
    }

    /// Returns another certificate for the key of `other`, issued by this CA.
    pub(super) fn certify(&self, other: &Self, params: &CertificateParams) -> Vec<u8> {
        params
            .signed_by(other.issuer.key(), &self.issuer)
            .unwrap()
            .der()
            .to_vec()
    }

    /// Returns a revocation list signed with its key, even if its certificate does not allow that,
    /// under this name.
    pub(super) fn crl(&self, called: &str, params: &CertificateRevocationListParams) -> Vec<u8> {
        let mut issuer = ca_params(called);
        issuer.key_usages = vec![KeyUsagePurpose::CrlSign];
        params
            .signed_by(&Issuer::new(issuer, self.issuer.key()))
            .unwrap()
            .der()
            .to_vec()
    }

    /// Returns it as an `Authority` that issues.
    pub(super) fn authority(&self) -> Authority {
        Authority::from_pem(
            pem::write_certificates([&*self.der]),
            pem::write_private_key(&pkcs8::write(&self.issuer.key().0)).expose(),
        )
        .unwrap()
    }

    pub(super) fn leaf(&self, params: &CertificateParams) -> Vec<u8> {
        params
            .signed_by(&Key::new(), &self.issuer)
            .unwrap()
            .der()
            .to_vec()
    }
}
