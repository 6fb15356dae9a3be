//! Pre-shared keys (RFC 9846, 4.3.11): the binder that proves one, and whose session it was.

use core::time::Duration;

use crate::crypto::hash::Digest;
use crate::error::Fault;
use crate::identity::Peer;
use crate::key_schedule::{EarlySecret, PskKind};
use crate::session::Session;

/// A session that both sides have selected: its PSK is in the key schedule now, so whoever sends a good Finished held it.
pub(crate) struct Resumed {
    /// Who the peer proved to be then.
    pub(crate) peer: Option<Peer>,
    /// The unix time of that proof.
    pub(crate) since: Duration,
}

/// The binder with which a client offers a session; `transcript` ends with the truncated ClientHello (RFC 9846, 4.3.11.2).
pub(crate) fn binder(session: &Session, transcript: &Digest) -> Vec<u8> {
    early(session).binder_key(PskKind::Resumption).binder(transcript)
}

/// Checks a client's binder, and takes the session into the key schedule.
pub(crate) fn verify(session: Session, transcript: &Digest, binder: &[u8]) -> Result<(EarlySecret, Resumed), Fault> {
    let early = early(&session);
    // RFC 9846, 4.3.11: "Prior to accepting PSK key establishment, the server MUST validate the corresponding binder value".
    if !early.binder_key(PskKind::Resumption).verify(transcript, binder) {
        return Err(Fault::BadBinder);
    }
    Ok((early, Resumed { peer: session.whose.peer().cloned(), since: session.since }))
}

/// The server selected the session that we offered: it goes into the key schedule.
pub(crate) fn select(session: Session) -> (EarlySecret, Resumed) {
    (early(&session), Resumed { peer: session.whose.peer().cloned(), since: session.since })
}

fn early(session: &Session) -> EarlySecret {
    EarlySecret::new(session.suite.hash(), Some(&session.psk))
}
