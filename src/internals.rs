//! Functions that work on secrets, opened by the feature `_internals` to this repository's own
//! benchmarks and tests. This module is not part of the API: it may change or vanish with any
//! version.

use getrandom::Error as RandomError;
use rand_core::TryCryptoRng;

use crate::code_point::{CipherSuite, NamedGroup};
use crate::crypto::aead::AeadKey;
use crate::crypto::backend::Backend;
use crate::crypto::hash::Digest;
use crate::crypto::kernel::{GcmKey, Width};
use crate::crypto::key_exchange::{EphemeralKey, Group, respond_on};
use crate::crypto::signature::SigningKey;
use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::key_schedule::{EarlySecret, FinishedKey, Iv, PskKind};
use crate::secret::Secret;

/// One AEAD key, without the bookkeeping of a connection: the caller must not use a nonce twice.
pub struct Aead(AeadKey);

impl Aead {
    /// Returns `None` if the suite is not implemented or the key has the wrong length.
    #[must_use]
    pub fn new(suite: CipherSuite, key: &[u8]) -> Option<Self> {
        let suite = Suite::from_code_point(suite)?;
        (key.len() == suite.key_len()).then(|| Self(AeadKey::new(suite, key)))
    }

    /// Like [`new`](Self::new), with our own kernel of this width (`aes-ni`, `avx2` or `avx512`),
    /// or without it (`portable`). Also returns `None` if this CPU does not have the width.
    #[must_use]
    pub fn with_width(width: &str, suite: CipherSuite, key: &[u8]) -> Option<Self> {
        let suite = Suite::from_code_point(suite).filter(|suite| key.len() == suite.key_len())?;
        let width = match width {
            "portable" => None,
            name => Some(
                Width::ALL
                    .into_iter()
                    .find(|width| width.name() == name && GcmKey::runs(*width))?,
            ),
        };
        Some(Self(AeadKey::with(width, suite, key)))
    }

    /// Encrypts `head`, followed by the part of `buffer` after the length of `head`, into `buffer`.
    /// Returns the tag.
    ///
    /// # Panics
    ///
    /// Panics if `buffer` is shorter than `head`.
    #[expect(
        clippy::expect_used,
        reason = "for benchmarks and tests: a mistake in the calling code"
    )]
    pub fn seal(&self, nonce: &[u8; 12], aad: &[u8], head: &[u8], buffer: &mut [u8]) -> [u8; 16] {
        self.0
            .seal(nonce, aad, head, buffer)
            .expect("a buffer that holds the head")
    }

    /// Decrypts `buffer`: the first bytes into `head`, the others in place. Returns false if `tag`
    /// does not match.
    pub fn open(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; 16],
        head: &mut [u8],
    ) -> bool {
        self.0.open(nonce, aad, buffer, tag, head).is_ok()
    }
}

/// The implementation that computes key exchanges and signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The crates that are always present.
    Portable,
    /// graviola, even if the CPU does not report the features it needs. Without the feature
    /// `accelerate`, the same as `Portable`.
    Accelerated,
}

impl Column {
    fn backend(self) -> Backend {
        match self {
            #[cfg(all(
                feature = "accelerate",
                any(target_arch = "x86_64", target_arch = "aarch64")
            ))]
            Self::Accelerated => Backend::Graviola,
            _ => Backend::Portable,
        }
    }
}

/// The private half of a key share.
pub struct KeyShare(EphemeralKey);

impl KeyShare {
    /// Generates a key for this group.
    ///
    /// # Errors
    ///
    /// Returns an error if the group is not implemented or the generator fails.
    pub fn generate(
        column: Column,
        group: NamedGroup,
        rng: &mut dyn TryCryptoRng<Error = RandomError>,
    ) -> Result<Self, Fault> {
        EphemeralKey::generate_on(column.backend(), implemented(group)?, rng).map(Self)
    }

    /// Returns the public half, which is sent to the peer.
    pub fn public(&self) -> &[u8] {
        self.0.public()
    }

    /// Returns the secret that is shared with the peer, given its answer.
    ///
    /// # Errors
    ///
    /// Returns an error if the answer is not a share of the group, or if the shared secret would be
    /// known to everybody.
    pub fn agree(self, answer: &[u8]) -> Result<Secret, Fault> {
        self.0.agree(answer)
    }

    /// Answers a peer's share. Returns the answer and the shared secret.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`generate`](Self::generate) and [`agree`](Self::agree).
    pub fn respond(
        column: Column,
        group: NamedGroup,
        share: &[u8],
        rng: &mut dyn TryCryptoRng<Error = RandomError>,
    ) -> Result<(Vec<u8>, Secret), Fault> {
        respond_on(column.backend(), implemented(group)?, share, rng)
    }
}

fn implemented(group: NamedGroup) -> Result<Group, Fault> {
    Group::from_code_point(group).ok_or(Fault::Internal {
        what: "a group that is not implemented",
    })
}

/// An Ed25519 private key.
pub struct Ed25519(SigningKey);

impl Ed25519 {
    /// Returns `None` if the seed is not 32 bytes.
    #[must_use]
    pub fn new(column: Column, seed: &[u8]) -> Option<Self> {
        SigningKey::from_seed_with(column.backend(), Secret::copy_of(seed))
            .ok()
            .map(Self)
    }

    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.public_key()
    }

    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message)
    }
}

/// Everything that a connection derives from a PSK and a shared secret, all with the same
/// transcript.
pub struct KeySchedule {
    /// Record keys: each side's handshake key and application key, and the server's key after a
    /// KeyUpdate.
    pub records: Vec<Aead>,
    /// The static IVs of these keys.
    ivs: Vec<Iv>,
    finished: FinishedKey,
    transcript: Digest,
    /// The binder of the PSK.
    pub binder: Vec<u8>,
    /// Keying material for the application.
    pub exported: Secret,
    /// The PSK of a ticket.
    pub ticket: Secret,
}

impl KeySchedule {
    /// Derives all keys.
    ///
    /// # Errors
    ///
    /// Returns an error if the suite is not implemented.
    pub fn new(
        suite: CipherSuite,
        psk: &[u8],
        shared: &[u8],
        transcript: &[u8],
    ) -> Result<Self, Fault> {
        let internal = Fault::Internal {
            what: "a suite that is not implemented",
        };
        let suite = Suite::from_code_point(suite).ok_or(internal)?;
        let transcript = suite.hash().hash(transcript);
        let early = EarlySecret::new(suite.hash(), Some(&Secret::copy_of(psk)));
        let binder = early.binder_key(PskKind::Resumption).binder(&transcript);
        let handshake = early.into_handshake(Secret::copy_of(shared));
        let (client, server) = (
            handshake.client_traffic(&transcript),
            handshake.server_traffic(&transcript),
        );
        let finished = server.finished_key();
        let main = handshake.into_main();
        let (client_data, server_data) = (
            main.client_traffic(&transcript),
            main.server_traffic(&transcript),
        );
        let exported = main
            .exporter(&transcript)
            .export(b"EXPORTER-Channel-Binding", b"", 32);
        let exported = exported.map_err(|_| Fault::Internal {
            what: "a label that is not allowed",
        })?;
        let ticket = main.into_resumption(&transcript).psk(&[0, 0]);
        let keys = [
            client.keys(suite),
            server.keys(suite),
            client_data.keys(suite),
            server_data.keys(suite),
            server_data.next().keys(suite),
        ];
        let (records, ivs) = keys.into_iter().map(|(key, iv)| (Aead(key), iv)).unzip();
        Ok(Self {
            records,
            ivs,
            finished,
            transcript,
            binder,
            exported,
            ticket,
        })
    }

    /// Returns the nonce of a record under each of the keys.
    pub fn nonces(&self, sequence: u64) -> Vec<[u8; 12]> {
        let nonce = |iv: &Iv| {
            let mut nonce = [0; 12].into();
            iv.nonce_into(sequence, &mut nonce);
            *nonce
        };
        self.ivs.iter().map(nonce).collect()
    }

    /// Returns the verify_data of the server's Finished.
    #[must_use]
    pub fn verify_data(&self) -> Vec<u8> {
        self.finished.verify_data(&self.transcript)
    }

    /// Returns true if `verify_data` is that of the server's Finished.
    #[must_use]
    pub fn verify(&self, verify_data: &[u8]) -> bool {
        self.finished.verify(&self.transcript, verify_data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_seals_the_same() {
        let suite = CipherSuite::TLS_AES_128_GCM_SHA256;
        let sealed = |width| {
            let mut buffer = [5; 100];
            let tag =
                Aead::with_width(width, suite, &[7; 16])?.seal(&[1; 12], b"aad", b"", &mut buffer);
            Some((buffer, tag))
        };
        let portable = sealed("portable").unwrap();
        for width in ["aes-ni", "avx2", "avx512"].into_iter().filter_map(sealed) {
            assert_eq!(width, portable);
        }
        assert!(sealed("avx1024").is_none());
        assert!(Aead::with_width("portable", suite, &[7; 32]).is_none());
    }

    #[test]
    fn shares_agree_and_keys_are_those_of_their_seeds() {
        let rng = &mut crate::crypto::random::SystemRandom;
        for group in Group::ALL.map(Group::code_point) {
            let client = KeyShare::generate(Column::Portable, group, rng).unwrap();
            let (answer, secret) =
                KeyShare::respond(Column::Portable, group, client.public(), rng).unwrap();
            assert!(client.agree(&answer).unwrap().expose() == secret.expose());
        }
        let key = Ed25519::new(Column::Portable, &[7; 32]).unwrap();
        assert_eq!(
            key.public(),
            *SigningKey::from_seed(Secret::copy_of(&[7; 32]))
                .unwrap()
                .public_key()
                .as_slice()
        );
        assert!(Ed25519::new(Column::Portable, &[7; 31]).is_none());
    }

    #[test]
    fn a_schedule_knows_its_finished() {
        let schedule = KeySchedule::new(
            CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
            &[1; 32],
            &[2; 32],
            b"transcript",
        )
        .unwrap();
        let mut verify_data = schedule.verify_data();
        assert!(schedule.verify(&verify_data));
        verify_data[31] ^= 1;
        assert!(!schedule.verify(&verify_data));
        assert_eq!((schedule.records.len(), schedule.nonces(0).len()), (5, 5));
    }

    #[test]
    fn opens_what_it_sealed_and_nothing_else() {
        let key = Aead::new(CipherSuite::TLS_AES_256_GCM_SHA384, &[7; 32]).unwrap();
        let mut buffer = *b"...behind";
        let tag = key.seal(&[1; 12], b"aad", b"in ", &mut buffer);
        let (mut again, mut head) = (buffer, [0; 3]);
        assert!(key.open(&[1; 12], b"aad", &mut buffer, &tag, &mut head));
        assert_eq!((&head, &buffer[3..]), (b"in ", &b"behind"[..]));
        assert!(!key.open(&[2; 12], b"aad", &mut again, &tag, &mut head));
        assert!(Aead::new(CipherSuite::TLS_AES_256_GCM_SHA384, &[7; 16]).is_none());
        assert!(Aead::new(CipherSuite::TLS_AES_128_CCM_SHA256, &[7; 16]).is_none());
    }
}
