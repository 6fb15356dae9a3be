//! [`PeerKey`]: when the peer is asked for a new key (RFC 9846, 4.7.3 and 5.5).

use core::time::Duration;

use crate::connection::key_age::KeyAge;
use crate::handshake::RekeyPolicy;
use crate::record::KeyUse;

/// The peer is not asked more often than this.
const PAUSE: Duration = Duration::from_secs(1);

/// How often the peer is asked until this side sends application data. Peers limit how many
/// KeyUpdates may come without data between them: rustls and BoringSSL to 32, Go to 16.
const MAX_REQUESTS: u8 = 8;

/// The key that the peer sends under.
#[derive(Debug)]
pub(super) struct PeerKey {
    pub(super) age: KeyAge,
    /// When the peer was last asked.
    asked: Option<Duration>,
    /// How often it may still be asked.
    requests_left: u8,
}

impl PeerKey {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            age: KeyAge::new(now),
            asked: None,
            requests_left: MAX_REQUESTS,
        }
    }

    /// This side has sent application data.
    pub(super) fn data_sent(&mut self) {
        self.requests_left = MAX_REQUESTS;
    }

    /// Returns true if the key is past the policy's limits, by as much as a peer is allowed.
    #[inline]
    pub(super) fn is_late(&self, policy_for_peer: &RekeyPolicy, used: KeyUse) -> bool {
        policy_for_peer.reached(used, self.age.age()).is_some()
    }

    /// Returns true if the peer may be asked now.
    pub(super) fn may_ask(&self) -> bool {
        let now = self.age.now();
        self.requests_left > 0
            && self
                .asked
                .is_none_or(|asked| now.saturating_sub(asked) >= PAUSE)
    }

    /// The peer is asked.
    pub(super) fn asked(&mut self) {
        self.asked = Some(self.age.now());
        self.requests_left = self.requests_left.saturating_sub(1);
    }
}
