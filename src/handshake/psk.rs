//! Pre-shared keys (RFC 9846, 4.3.11), from an earlier connection or external: the binder that
//! proves possession, and the peer that a PSK identifies.

use core::time::Duration;

use crate::crypto::hash::{Digest, HashAlgorithm};
use crate::error::Fault;
use crate::key_schedule::{EarlySecret, PskKind};
use crate::secret::Secret;
use crate::session::{ExternalPsk, Session, Whose, WirePsk};
use crate::time::Now;

/// A PSK, and what its use depends on.
#[derive(Clone, Copy)]
pub(crate) struct Psk<'a> {
    pub(crate) kind: PskKind,
    /// The only hash that it may be used with.
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

    /// Begins the key schedule with the PSK, which is being offered or which both sides have
    /// selected.
    pub(crate) fn early_secret(&self) -> EarlySecret {
        EarlySecret::new(self.hash, Some(self.key))
    }

    /// Returns the binder with which a client offers it. `transcript` ends with the truncated
    /// ClientHello (RFC 9846, 4.3.11.2).
    pub(crate) fn binder(&self, transcript: &Digest) -> Vec<u8> {
        self.early_secret().binder_key(self.kind).binder(transcript)
    }

    /// Verifies a client's binder, and begins the key schedule with the PSK.
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

/// A PSK that both sides have selected. It is in the key schedule, so a peer that sends a valid
/// Finished has it.
pub(crate) struct SelectedPsk {
    /// The other holder of the PSK.
    pub(crate) whose: Whose,
    /// The unix time at which the other holder authenticated: in the connection that the PSK comes
    /// from, or now if it is external.
    pub(crate) since: Duration,
    /// Whether it comes from an earlier connection.
    pub(crate) resumed: bool,
}

impl SelectedPsk {
    /// Makes it from a session's PSK.
    pub(crate) fn session(session: Session) -> Self {
        Self {
            whose: session.whose,
            since: session.since,
            resumed: true,
        }
    }

    /// Makes it from an external PSK.
    pub(crate) fn external(psk: &ExternalPsk, now: Now) -> Self {
        Self {
            whose: Whose::Psk(psk.clone()),
            since: now.unix,
            resumed: false,
        }
    }
}
