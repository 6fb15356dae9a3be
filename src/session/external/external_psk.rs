//! [`ExternalPsk`]: a secret that two parties share from outside of TLS, and the PSKs that are
//! derived from it (RFC 9257 and 9258).
//!
//! ```text
//!                                    client, server   SHA-256   SHA-384
//! identity,   ┌─ as a client   ( own,    peer )  ─>  WirePsk   WirePsk     what is offered
//! secret,  ───┤
//! own, peer   └─ as a server   ( peer,   own  )  ─>  WirePsk   WirePsk     what is accepted
//! ```
//!
//! The names are part of what is imported, the client's first. So what one party offers is what the
//! other accepts, and what the first never accepts itself: a ClientHello that is sent back to its
//! sender names a PSK that is unknown there (RFC 9258, "Addressing Selfie").
//!
//! The secret is not kept once the four PSKs are derived (RFC 9257, section 6: "Where possible the
//! main PSK SHOULD be deleted").

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::code_point::ProtocolVersion;
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::suite::Suite;
use crate::error::{ConfigError, Error};
use crate::key_schedule::{EarlySecret, PskKind, import_psk};
use crate::secret::Secret;

/// The shortest secret in bytes. RFC 9257, section 6: a PSK "MUST be at least 128 bits long".
const MIN_SECRET_LEN: usize = 16;

/// The longest identity in bytes. It is in every ClientHello, with the names, once for each hash.
const MAX_IDENTITY_LEN: usize = 1024;

/// The longest name in bytes, whose length has one byte.
const MAX_NAME_LEN: usize = 255;

/// A secret that two parties received outside of TLS (an external pre-shared key). With it each
/// proves to the other who it is, without certificates or keys of their own.
///
/// Both parties create one from the same identity and the same secret, and each states which of the
/// two names is its own. This is the importer of RFC 9258 with the names as its context. Every
/// connection still agrees on fresh keys (psk_dhe_ke): whoever learns the secret later cannot
/// decrypt earlier connections.
///
/// It is cheap to clone. The secret itself is not kept. What is derived from it is wiped when the
/// last clone is dropped.
///
/// # Whom the secret is for
///
/// **Two parties and nobody else** (RFC 9257, section 4). Whoever holds the secret can be either
/// party. A secret shared by a fleet proves that somebody belongs to the fleet, but not who,
/// whatever the names say: each member can use every name, and if one is lost, all need a new
/// secret. A server with a thousand clients has a thousand of these.
///
/// Use the secret for nothing else: not in another protocol, not in TLS 1.2, and not also [without
/// the importer](Self::not_imported).
///
/// # How good the secret has to be
///
/// **32 bytes from a random number generator.** Never use a password or a value derived from one:
/// whoever observes or answers a single handshake can test any number of guesses offline, and then
/// be either party. Secrets of fewer than 16 bytes are refused. Whether 16 or more bytes were
/// random cannot be checked.
///
/// # What an observer sees
///
/// **The identity and both names are sent in the clear**, in the first message of each connection
/// that offers the secret. They identify the parties and link their connections. Keep private
/// data out of them.
///
/// # Examples
///
/// ```
/// use fleeting::{ExternalPsk, PskNames};
///
/// // 32 random bytes that both parties received, and that nobody else has.
/// # let secret = [*b"sixteen bytes...", *b"and another such"].concat();
/// let at_the_sensor =
///     ExternalPsk::new("2026-07", &secret, PskNames { own: "sensor 17", peer: "collector" })?;
/// let at_the_collector =
///     ExternalPsk::new("2026-07", &secret, PskNames { own: "collector", peer: "sensor 17" })?;
///
/// assert_eq!(at_the_sensor.identity(), at_the_collector.identity());
/// assert_eq!(at_the_sensor.own_name(), at_the_collector.peer_name());
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone)]
pub struct ExternalPsk(Arc<Inner>);

struct Inner {
    identity: Vec<u8>,
    /// The same in both directions.
    fingerprint: [u8; 32],
    keys: Keys,
}

enum Keys {
    Imported {
        own: String,
        peer: String,
        as_client: [WirePsk; 2],
        as_server: [WirePsk; 2],
    },
    /// The same in both directions.
    NotImported([WirePsk; 1]),
}

/// The names of the two parties that share an [`ExternalPsk`], as one of them sees it.
///
/// A name is any text of 1 to 255 bytes that is unique among all possible parties: a host name, a
/// serial number, a UUID. It is unrelated to DNS. Names are compared byte by byte, and any observer
/// can read them.
///
/// Both parties set both names. The names prevent a party that is both client and server from being
/// made to talk to itself: its own name is never the peer's.
///
/// ```
/// use fleeting::PskNames;
///
/// let at_the_sensor = PskNames { own: "sensor 17", peer: "collector" };
/// let at_the_collector = PskNames { own: "collector", peer: "sensor 17" };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PskNames<'a> {
    /// The name of the party that this configuration belongs to.
    pub own: &'a str,
    /// The name of the other party.
    pub peer: &'a str,
}

impl ExternalPsk {
    /// Creates a PSK from a secret that both sides import (RFC 9258). It works with every cipher
    /// suite. Wipe the secret where it came from.
    ///
    /// `identity` is any 1 to 1024 bytes that the two parties agreed on, compared byte by byte. It
    /// distinguishes secrets that the same two parties share, such as this month's from last
    /// month's.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] with [`ConfigError::Setting`] if the secret has fewer than 16
    /// bytes or repeats a single byte, if the identity or a name is empty or too long, or if the
    /// two names are equal.
    pub fn new(
        identity: impl AsRef<[u8]>,
        secret: impl AsRef<[u8]>,
        names: PskNames<'_>,
    ) -> Result<Self, Error> {
        let identity = checked_identity(identity.as_ref())?;
        let secret = checked_secret(secret.as_ref())?;
        if names.own.is_empty() || names.peer.is_empty() {
            return Err(refused("a name is empty"));
        }
        if names.own.len() > MAX_NAME_LEN || names.peer.len() > MAX_NAME_LEN {
            return Err(refused("a name has more than 255 bytes"));
        }
        // RFC 9258, "Addressing Selfie": if both names were equal, a party would accept what it
        // offers.
        if names.own == names.peer {
            return Err(refused(
                "both names are the same: then a party could be made to talk to itself",
            ));
        }
        let import = |client: &str, server: &str| {
            HashAlgorithm::ALL.map(|hash| {
                let wire_identity = imported_identity(&identity, &context(client, server), hash);
                let key = import_psk(&secret, &wire_identity, hash);
                WirePsk {
                    identity: wire_identity,
                    hash,
                    kind: PskKind::Imported,
                    key,
                }
            })
        };
        let (as_client, as_server) = (import(names.own, names.peer), import(names.peer, names.own));
        let [of_sha256, _] = &as_client;
        let fingerprint = of_sha256.fingerprint();
        let keys = Keys::Imported {
            own: names.own.to_owned(),
            peer: names.peer.to_owned(),
            as_client,
            as_server,
        };
        Ok(Self(Arc::new(Inner {
            identity,
            fingerprint,
            keys,
        })))
    }

    /// Creates a PSK from a secret that is used directly, with SHA-256, for peers that cannot
    /// import.
    ///
    /// The section "Whom the secret is for" applies even more, because there are no names: **one of
    /// the two parties must always be the client, and the other the server.** A party that is both
    /// can be made to talk to itself (the Selfie attack).
    ///
    /// It works only with cipher suites that use SHA-256 (RFC 9846, 4.3.11).
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] with [`ConfigError::Setting`] if the secret has fewer than 16
    /// bytes or repeats a single byte, or if the identity is empty or has more than 1024 bytes.
    pub fn not_imported(
        identity: impl AsRef<[u8]>,
        secret: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        let identity = checked_identity(identity.as_ref())?;
        let key = checked_secret(secret.as_ref())?;
        let wire = WirePsk {
            identity: identity.clone(),
            hash: HashAlgorithm::Sha256,
            kind: PskKind::External,
            key,
        };
        Ok(Self(Arc::new(Inner {
            identity,
            fingerprint: wire.fingerprint(),
            keys: Keys::NotImported([wire]),
        })))
    }

    /// Returns the identity that the two parties gave the secret.
    pub fn identity(&self) -> &[u8] {
        &self.0.identity
    }

    /// Returns our name. `None` if the secret is [not imported](Self::not_imported).
    pub fn own_name(&self) -> Option<&str> {
        match &self.0.keys {
            Keys::Imported { own, .. } => Some(own),
            Keys::NotImported(_) => None,
        }
    }

    /// Returns the name of the other party. `None` if the secret is [not
    /// imported](Self::not_imported).
    pub fn peer_name(&self) -> Option<&str> {
        match &self.0.keys {
            Keys::Imported { peer, .. } => Some(peer),
            Keys::NotImported(_) => None,
        }
    }

    /// Returns what a session remembers this PSK by. It is the same in every process that has the
    /// same identity, secret and names, and differs if any of these does.
    pub(crate) fn fingerprint(&self) -> &[u8; 32] {
        &self.0.fingerprint
    }

    /// Returns true if it works with any of these suites.
    pub(crate) fn fits_any(&self, suites: &[Suite]) -> bool {
        self.as_client()
            .iter()
            .any(|wire| suites.iter().any(|suite| suite.hash() == wire.hash))
    }

    /// Returns what to offer as a client: one PSK for each hash, SHA-256 first.
    pub(crate) fn as_client(&self) -> &[WirePsk] {
        match &self.0.keys {
            Keys::Imported { as_client, .. } => as_client,
            Keys::NotImported(wire) => wire,
        }
    }

    /// Returns what to accept as a server.
    pub(crate) fn as_server(&self) -> &[WirePsk] {
        match &self.0.keys {
            Keys::Imported { as_server, .. } => as_server,
            Keys::NotImported(wire) => wire,
        }
    }
}

/// Shows the identity and the names, which anyone can read, and nothing of the secret.
impl fmt::Debug for ExternalPsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalPsk")
            .field(
                "identity",
                &format_args!("\"{}\"", self.identity().escape_ascii()),
            )
            .field("own_name", &self.own_name())
            .field("peer_name", &self.peer_name())
            .finish_non_exhaustive()
    }
}

/// One PSK in the sense of RFC 9846, 4.3.11: for one hash and one direction.
pub(crate) struct WirePsk {
    /// `PskIdentity.identity`.
    pub(crate) identity: Vec<u8>,
    /// The hash of the cipher suites that it works with.
    pub(crate) hash: HashAlgorithm,
    pub(crate) kind: PskKind,
    pub(crate) key: Secret,
}

impl WirePsk {
    /// Returns the binder of a text that no ClientHello begins with. It reveals as little of the
    /// PSK as the binders that anyone can read, and equals none of them.
    ///
    /// A hash of the secret would be shorter, but what is imported MUST NOT be used "for any
    /// purpose other than the importer", nor what comes of it "for any purpose other than TLS PSKs"
    /// (RFC 9258, section 4).
    #[expect(
        clippy::expect_used,
        reason = "a binder is as long as its hash, which is the first one's: SHA-256"
    )]
    fn fingerprint(&self) -> [u8; 32] {
        let text = [b"fleeting external PSK v1".as_slice(), &self.identity].concat();
        let binder_key = EarlySecret::new(self.hash, Some(&self.key)).binder_key(self.kind);
        binder_key
            .binder(&self.hash.hash(&text))
            .try_into()
            .expect("SHA-256 has 32 bytes")
    }
}

/// A server's PSKs, found by the identity that a client sends or by the fingerprint in a ticket.
#[derive(Default)]
pub(crate) struct ExternalPsks {
    /// Each with its index in [`ExternalPsk::as_server`].
    by_identity: BTreeMap<Vec<u8>, (ExternalPsk, usize)>,
    by_fingerprint: BTreeMap<[u8; 32], ExternalPsk>,
}

impl ExternalPsks {
    /// Collects the PSKs of a server.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Setting`] if a client could mean two of them by the same bytes: one
    /// of the two would never be found, and the order would decide which. Also if one of them
    /// offers what another accepts, as in a list that was copied to both parties: each would then
    /// take itself for the other.
    pub(crate) fn new(psks: Vec<ExternalPsk>) -> Result<Self, ConfigError> {
        let mut all = Self::default();
        for psk in psks {
            for (at, wire) in psk.as_server().iter().enumerate() {
                if all
                    .by_identity
                    .insert(wire.identity.clone(), (psk.clone(), at))
                    .is_some()
                {
                    return Err(ConfigError::Setting {
                        name: "external_psks",
                        reason: "two of them have the same identity and names",
                    });
                }
            }
            all.by_fingerprint.insert(*psk.fingerprint(), psk);
        }
        // RFC 9258, "Addressing Selfie". Without names, the directions cannot be distinguished.
        let accepts_own = |psk: &ExternalPsk| {
            psk.own_name().is_some()
                && psk
                    .as_client()
                    .iter()
                    .any(|wire| all.find(&wire.identity).is_some())
        };
        if all.by_fingerprint.values().any(accepts_own) {
            return Err(ConfigError::Setting {
                name: "external_psks",
                reason: "two of them belong to the two parties of one secret: leave out the peer's",
            });
        }
        Ok(all)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_identity.is_empty()
    }

    /// Finds the PSK that a client means by `PskIdentity.identity`, compared as bytes (RFC 9257,
    /// 6.1.1).
    pub(crate) fn find(&self, identity: &[u8]) -> Option<(&ExternalPsk, &WirePsk)> {
        let (psk, at) = self.by_identity.get(identity)?;
        Some((psk, psk.as_server().get(*at)?))
    }

    /// Finds the PSK that a session was made under, if it is still there and unchanged.
    pub(crate) fn by_fingerprint(&self, fingerprint: &[u8; 32]) -> Option<&ExternalPsk> {
        self.by_fingerprint.get(fingerprint)
    }
}

/// Encodes an ImportedIdentity (RFC 9258, 5.1), with the names of the parties as its context:
///
/// ```text
/// struct {
///     opaque external_identity<1...2^16-1>;
///     opaque context<0..2^16-1>;
///     uint16 target_protocol;
///     uint16 target_kdf;
/// } ImportedIdentity;
/// ```
fn imported_identity(external_identity: &[u8], context: &[u8], target: HashAlgorithm) -> Vec<u8> {
    // RFC 9258, section 10.
    let target_kdf: u16 = match target {
        HashAlgorithm::Sha256 => 1,
        HashAlgorithm::Sha384 => 2,
    };
    let length = |bytes: &[u8]| {
        let [.., high, low] = bytes.len().to_be_bytes();
        [high, low]
    };
    let protocol = ProtocolVersion::TLS1_3.0.to_be_bytes();
    [
        &length(external_identity),
        external_identity,
        &length(context),
        context,
        &protocol,
        &target_kdf.to_be_bytes(),
    ]
    .concat()
}

/// Encodes the context of RFC 9258, "Addressing Selfie", with names in place of its MAC addresses:
///
/// ```text
/// struct {
///     opaque client<0..2^8-1>;
///     opaque server<0..2^8-1>;
/// } Context;
/// ```
fn context(client: &str, server: &str) -> Vec<u8> {
    let length = |name: &str| {
        let [.., length] = name.len().to_be_bytes();
        [length]
    };
    [
        &length(client),
        client.as_bytes(),
        &length(server),
        server.as_bytes(),
    ]
    .concat()
}

fn checked_identity(identity: &[u8]) -> Result<Vec<u8>, Error> {
    if identity.is_empty() {
        return Err(refused("the identity is empty"));
    }
    if identity.len() > MAX_IDENTITY_LEN {
        return Err(refused("the identity has more than 1024 bytes"));
    }
    Ok(identity.to_vec())
}

fn checked_secret(secret: &[u8]) -> Result<Secret, Error> {
    let first = match secret {
        [first, ..] if secret.len() >= MIN_SECRET_LEN => first,
        _ => {
            return Err(refused(
                "the secret has less than 16 bytes; take 32 random ones",
            ));
        }
    };
    // All bytes are read, so that the time does not reveal where the first different one is.
    if secret.iter().fold(0, |all, byte| all | (byte ^ first)) == 0 {
        return Err(refused(
            "the secret is one byte repeated: it was never filled",
        ));
    }
    Ok(Secret::copy_of(secret))
}

fn refused(reason: &'static str) -> Error {
    ConfigError::Setting {
        name: "ExternalPsk",
        reason,
    }
    .into()
}
