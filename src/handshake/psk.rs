//! Pre-shared keys (RFC 9846, 4.3.11), from an earlier connection or from outside: the binder that
//! proves one, and whose it is.

use core::time::Duration;

use crate::crypto::hash::{Digest, HashAlgorithm};
use crate::error::Fault;
use crate::key_schedule::{EarlySecret, PskKind};
use crate::secret::Secret;
use crate::session::{ExternalPsk, Session, Whose, WirePsk};
use crate::time::Now;

/// A PSK, with what its use depends on.
#[derive(Clone, Copy)]
pub(crate) struct Psk<'a> {
    pub(crate) kind: PskKind,
    /// The one hash that it may be used with.
    pub(crate) hash: HashAlgorithm,
    key: &'a Secret,
}

impl<'a> From<&'a Session> for Psk<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            kind: PskKind::Resumption,
            hash: session.suite.hash(),
            key: &session.psk,
        }
    }
}

impl<'a> From<&'a WirePsk> for Psk<'a> {
    fn from(psk: &'a WirePsk) -> Self {
        Self {
            kind: psk.kind,
            hash: psk.hash,
            key: &psk.key,
        }
    }
}

impl<'a> Psk<'a> {
    pub(crate) fn new(kind: PskKind, hash: HashAlgorithm, key: &'a Secret) -> Self {
        Self { kind, hash, key }
    }

    /// It goes into the key schedule: both sides have selected it, or it is offered.
    pub(crate) fn early_secret(&self) -> EarlySecret {
        EarlySecret::new(self.hash, Some(self.key))
    }

    /// The binder with which a client offers it; `transcript` ends with the truncated ClientHello
    /// (RFC 9846, 4.3.11.2).
    pub(crate) fn binder(&self, transcript: &Digest) -> Vec<u8> {
        self.early_secret().binder_key(self.kind).binder(transcript)
    }

    /// Checks a client's binder, and takes the PSK into the key schedule.
    pub(crate) fn verify(&self, transcript: &Digest, binder: &[u8]) -> Result<EarlySecret, Fault> {
        let early = self.early_secret();
        // RFC 9846, 4.3.11: "Prior to accepting PSK key establishment, the server MUST validate the
        // corresponding binder value".
        if early.binder_key(self.kind).verify(transcript, binder) {
            Ok(early)
        } else {
            Err(Fault::BadBinder)
        }
    }
}

/// A PSK that both sides have selected: it is in the key schedule now, so whoever sends a good
/// Finished held it.
pub(crate) struct SelectedPsk {
    /// Who else holds it.
    pub(crate) whose: Whose,
    /// The unix time at which they proved to be who they are: in the connection that the PSK comes
    /// from; now, if it comes from outside.
    pub(crate) since: Duration,
    /// Whether it comes from an earlier connection.
    pub(crate) resumed: bool,
}

impl SelectedPsk {
    /// That of a session.
    pub(crate) fn session(session: Session) -> Self {
        Self {
            whose: session.whose,
            since: session.since,
            resumed: true,
        }
    }

    /// One from outside.
    pub(crate) fn external(psk: &ExternalPsk, now: Now) -> Self {
        Self {
            whose: Whose::Psk(psk.clone()),
            since: now.unix,
            resumed: false,
        }
    }
}
