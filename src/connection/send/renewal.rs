//! [`Renewal`]: when the key that we send under is renewed without anyone asking (RFC 9846, 5.5).

use core::time::Duration;

use crate::connection::key_age::KeyAge;
use crate::handshake::{ReachedLimit, RekeyPolicy};
use crate::record::KeyUse;

/// No key is renewed more often than this because of its age.
const SHORTEST_AGE: Duration = Duration::from_secs(1);

/// The policy for the key that we send under, and that key's age.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) policy: RekeyPolicy,
    pub(super) age: KeyAge,
    /// When a KeyUpdate of ours was last sent, or an extended key update begun.
    updated: Option<Duration>,
}

impl Renewal {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            policy: RekeyPolicy::default(),
            age: KeyAge::new(now),
            updated: None,
        }
    }

    /// A KeyUpdate was sent: the next key is in use from now on.
    pub(super) fn updated(&mut self) {
        self.age.begin();
        self.updated = Some(self.age.now());
    }

    /// An extended key update was begun. The next key is in use once it is complete.
    pub(super) fn began(&mut self) {
        self.updated = Some(self.age.now());
    }

    /// Returns true if the last update is long enough ago for another, whatever the cause.
    pub(super) fn may_update(&self) -> bool {
        self.is_past(self.policy.pause)
    }

    /// Returns the limit for which a key that has protected so much must be renewed now.
    #[inline]
    pub(super) fn due(&self, used: KeyUse) -> Option<ReachedLimit> {
        self.policy
            .reached(used, self.age.age())
            .filter(|reached| self.may_update_for(*reached))
    }

    fn may_update_for(&self, reached: ReachedLimit) -> bool {
        let pause = match reached {
            ReachedLimit::Age => self.policy.pause.max(SHORTEST_AGE),
            ReachedLimit::Bytes | ReachedLimit::Records => self.policy.pause,
        };
        self.is_past(pause)
    }

    fn is_past(&self, pause: Duration) -> bool {
        self.updated
            .is_none_or(|updated| self.age.now().saturating_sub(updated) >= pause)
    }
}
