//! [`TicketKey`]: the key that seals tickets, and its times.
//!
//! ```text
//! secret ─ HKDF-Extract ─> prk ─┬─ Expand(name)        = 16 bytes, in front of each ticket
//!                               ├─ Expand(key, salt)   = AES-256 key of one ticket
//!                               └─ Expand(nonce, salt) = its nonce
//! ```
//!
//! Processes that share a key cannot coordinate nonces, and 96 random bits are too few: the first
//! nonce that repeats breaks GCM. So each ticket has its own key, from 256 random bits. Only the
//! prk is kept; a one-time key lives as long as the call.

use core::fmt;
use core::time::Duration;

use crate::crypto::aead::AeadKey;
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::hkdf::Prk;
use crate::crypto::random::{self, Rng};
use crate::crypto::suite::Suite;
use crate::error::{ConfigError, Error, Fault};
use crate::secret::Secret;
use crate::time::Now;

/// The length in bytes of a key's name, by which the key of a ticket is found.
pub(crate) const NAME_LEN: usize = 16;

/// The length of a ticket's salt in bytes.
pub(crate) const SALT_LEN: usize = 32;

/// The shortest secret in bytes: the length of an AES-256 key.
const SECRET_LEN: usize = 32;

/// The suite whose AEAD seals tickets.
const SUITE: Suite = Suite::Aes256GcmSha384;

/// A key that seals tickets, for [`TicketKeys::install`](crate::TicketKeys::install). Processes
/// that are to accept each other's tickets need the same key.
///
/// Times are counted since 1970-01-01 00:00:00 UTC. The key seals tickets from `encrypt_from` until
/// before `encrypt_until`, and opens them until before `decrypt_until`;
/// [`TicketKeys`](crate::TicketKeys) says when it is wiped after that. A ticket's lifetime ends
/// with its key's. So set `decrypt_until` one ticket lifetime after `encrypt_until`, and no later
/// than needed: **whoever learns the secret before that can impersonate both sides to each other**
/// and read what is in the tickets. Connections, open or closed, stay secret: each agrees on keys
/// of its own (psk_dhe_ke).
///
/// ```
/// use std::time::{Duration, SystemTime, UNIX_EPOCH};
/// use fleeting::{TicketKey, TicketKeys};
///
/// # let secret_from_the_store = [7; 32];
/// let hour = Duration::from_secs(60 * 60);
/// let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
///
/// // Every process has the key before any of them seals with it, and keeps it until the last
/// // ticket under it has expired.
/// let key = TicketKey::new(secret_from_the_store, now + hour, now + 13 * hour, now + 15 * hour)?;
/// let keys = TicketKeys::empty();
/// keys.install(key);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TicketKey {
    name: [u8; NAME_LEN],
    prk: Prk,
    encrypt_from: Duration,
    encrypt_until: Duration,
    decrypt_until: Duration,
}

impl TicketKey {
    /// Creates a key from a secret of at least 32 random bytes, and its times. Wipe the secret
    /// where it came from.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] with [`ConfigError::Setting`] if the secret is too short or all
    /// zeros, or if the times are not in order.
    pub fn new(
        secret: impl AsRef<[u8]>,
        encrypt_from: Duration,
        encrypt_until: Duration,
        decrypt_until: Duration,
    ) -> Result<Self, Error> {
        let wrong = |reason| {
            Error::from(ConfigError::Setting {
                name: "TicketKey",
                reason,
            })
        };
        let secret = secret.as_ref();
        if secret.len() < SECRET_LEN {
            return Err(wrong("the secret has less than 32 bytes"));
        }
        if is_zero(secret) {
            return Err(wrong("the secret is all zeros: it was never filled"));
        }
        if encrypt_from >= encrypt_until {
            return Err(wrong("encrypt_until does not lie after encrypt_from"));
        }
        if encrypt_until > decrypt_until {
            return Err(wrong("decrypt_until lies before encrypt_until"));
        }
        Ok(Self::derive(
            secret,
            encrypt_from,
            encrypt_until,
            decrypt_until,
        ))
    }

    /// Generates a random key for tickets of this lifetime. It seals for half as long.
    pub(crate) fn generate(lifetime: Duration, now: Now, rng: &mut Rng<'_>) -> Result<Self, Fault> {
        let secret = random::secret(rng, SECRET_LEN)?;
        // A generator that fills in nothing must not make a key that everybody knows.
        if is_zero(secret.expose()) {
            return Err(Fault::Random);
        }
        let encrypt_until = now.unix.saturating_add(lifetime / 2);
        Ok(Self::derive(
            secret.expose(),
            now.unix,
            encrypt_until,
            encrypt_until.saturating_add(lifetime),
        ))
    }

    #[expect(clippy::expect_used, reason = "the name is shorter than one block")]
    fn derive(
        secret: &[u8],
        encrypt_from: Duration,
        encrypt_until: Duration,
        decrypt_until: Duration,
    ) -> Self {
        let prk = Prk::extract(HashAlgorithm::Sha256, b"fleeting ticket v1", secret);
        let mut name = [0; NAME_LEN];
        prk.expand_into(&[b"name"], &mut name)
            .expect("a name is less than 255 blocks");
        Self {
            name,
            prk,
            encrypt_from,
            encrypt_until,
            decrypt_until,
        }
    }

    pub(crate) fn name(&self) -> &[u8; NAME_LEN] {
        &self.name
    }

    pub(crate) fn encrypt_from(&self) -> Duration {
        self.encrypt_from
    }

    pub(crate) fn decrypt_until(&self) -> Duration {
        self.decrypt_until
    }

    pub(crate) fn may_encrypt(&self, now: Now) -> bool {
        (self.encrypt_from..self.encrypt_until).contains(&now.unix)
    }

    /// Returns true before `encrypt_from` too: another machine's clock may be ahead.
    pub(crate) fn may_decrypt(&self, now: Now) -> bool {
        self.may_decrypt_at(now.unix)
    }

    pub(crate) fn may_decrypt_at(&self, unix: Duration) -> bool {
        unix < self.decrypt_until
    }

    /// Derives what seals or opens the one ticket with this salt.
    pub(crate) fn one_time(&self, salt: &[u8; SALT_LEN]) -> OneTimeKey {
        let key = self.prk.expand(&[b"key", salt], SUITE.key_len());
        OneTimeKey {
            key: AeadKey::new(SUITE, key.expose()),
            nonce: self.prk.expand(&[b"nonce", salt], Suite::NONCE_LEN),
        }
    }
}

/// Returns true if all bytes are zero. The time does not reveal where the first other byte is.
fn is_zero(secret: &[u8]) -> bool {
    secret.iter().fold(0, |all, byte| all | byte) == 0
}

/// Shows the name, which anyone can read, and the times, but nothing of the secret.
impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKey")
            .field(
                "name",
                &format_args!("{:032x}", u128::from_be_bytes(self.name)),
            )
            .field("encrypt_from", &self.encrypt_from)
            .field("encrypt_until", &self.encrypt_until)
            .field("decrypt_until", &self.decrypt_until)
            .finish_non_exhaustive()
    }
}

/// The key and nonce of one ticket.
pub(crate) struct OneTimeKey {
    key: AeadKey,
    nonce: Secret,
}

impl OneTimeKey {
    /// Encrypts `state` and returns the tag.
    pub(crate) fn seal(self, aad: &[u8], state: &mut [u8]) -> Result<[u8; Suite::TAG_LEN], Fault> {
        self.key.seal_in_place(self.nonce()?, aad, state)
    }

    /// Checks `tag` and decrypts `state`.
    pub(crate) fn open(
        self,
        aad: &[u8],
        state: &mut [u8],
        tag: &[u8; Suite::TAG_LEN],
    ) -> Result<(), Fault> {
        self.key.open_in_place(self.nonce()?, aad, state, tag)
    }

    fn nonce(&self) -> Result<&[u8; Suite::NONCE_LEN], Fault> {
        self.nonce.expose().first_chunk().ok_or(Fault::Internal {
            what: "sealing a ticket",
        })
    }
}
