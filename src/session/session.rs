//! [`Session`]: what resumption carries, [`Whose`] it is, its [`EarlyTerms`], and the bounds of
//! everything that is remembered.

use core::time::Duration;

use crate::code_point::NamedGroup;
use crate::crypto::suite::Suite;
use crate::identity::Peer;
use crate::secret::Secret;
use crate::session::external::ExternalPsk;
use crate::time::Now;

/// The longest lifetime of a ticket. RFC 9846, 4.7.1: servers MUST NOT use any value greater than
/// 604800 seconds, and clients MUST NOT use a ticket for longer.
pub(crate) const MAX_LIFETIME: Duration = Duration::from_secs(604_800);

/// The longest ticket, in bytes. It must fit into a ClientHello, whose extensions have 2^16-1 bytes
/// together.
pub(crate) const MAX_TICKET_LEN: usize = 1 << 14;

/// How far in the future a past event may seem to be, since the clocks of machines that share keys
/// differ a little. If it is further, the clock was set back, and no age is known.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// What resumption carries from one connection to the next.
pub(crate) struct Session {
    /// The suite of the connection. A resumed one has the same hash (RFC 9846, 4.7.1).
    pub(crate) suite: Suite,
    /// The group of the connection's own key exchange, which bounds how secret the PSK is.
    pub(crate) group: NamedGroup,
    /// As long as the suite's hash.
    pub(crate) psk: Secret,
    /// Unix time of the full handshake at the beginning of the chain of resumptions.
    pub(crate) since: Duration,
    /// Who the other side of that handshake was.
    pub(crate) whose: Whose,
}

impl Session {
    /// Returns how much longer the peer's certificate is valid. `None` if there is none that
    /// expires.
    pub(super) fn peer_expires_in(&self, now: Now) -> Option<Duration> {
        Some(self.whose.peer()?.expires()?.saturating_sub(now.unix))
    }

    /// Returns true if the peer's certificate has not expired, and the session does not begin in
    /// the future.
    pub(super) fn is_current(&self, now: Now) -> bool {
        // A certificate is still valid in its last second (RFC 5280, 4.1.2.5).
        let expires = self.whose.peer().and_then(Peer::expires);
        expires.is_none_or(|expires| now.unix.as_secs() <= expires.as_secs())
            && has_happened(self.since, now)
    }
}

/// Who a session was made with: who has proven to be the other side, and how.
#[derive(Clone, Debug)]
pub(crate) enum Whose {
    /// Nobody has.
    Nobody,
    /// A peer has, by a signature with a certificate or a key that we trust.
    Peer(Peer),
    /// A holder of an external PSK has.
    Psk(ExternalPsk),
}

impl Whose {
    /// Returns who authenticated with a certificate or a key.
    pub(crate) fn peer(&self) -> Option<&Peer> {
        match self {
            Self::Peer(peer) => Some(peer),
            Self::Nobody | Self::Psk(_) => None,
        }
    }

    /// Returns the external PSK.
    pub(crate) fn psk(&self) -> Option<&ExternalPsk> {
        match self {
            Self::Psk(psk) => Some(psk),
            Self::Nobody | Self::Peer(_) => None,
        }
    }
}

/// The terms on which early data is allowed under a ticket (RFC 9846, 4.3.10). A resumption that
/// does not agree on the same terms sends none, or accepts none. The cipher suite, which must be
/// the same too, and the group, which must still be allowed, are the session's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EarlyTerms {
    /// The maximum size in bytes (RFC 9846, 4.7.1, `max_early_data_size`).
    pub(crate) max_size: u32,
    /// The protocol of the connection that issued the ticket, if there was one: 1 to 255 bytes.
    pub(crate) alpn: Option<Vec<u8>>,
}

/// Returns true if a moment is in the past, give or take the clock skew.
pub(super) fn has_happened(moment: Duration, now: Now) -> bool {
    moment <= now.unix.saturating_add(CLOCK_SKEW)
}
