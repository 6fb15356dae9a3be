//! [`Limits`]: the part of a configuration that a connection needs after it has begun.

use core::time::Duration;
use std::sync::Arc;

use crate::handshake::settings::{DEFAULT_HANDSHAKE_TIMEOUT, DEFAULT_MAX_HANDSHAKE_SIZE};
use crate::handshake::{Connections, Negotiated, RekeyPolicy, Running, Settings, TimeLimits};
use crate::time::Now;

/// The part of a configuration that a connection needs after it has begun.
pub(crate) struct Limits {
    pub(crate) handshake_timeout: Duration,
    pub(crate) max_handshake_size: usize,
    /// The limits past which the peer is asked for a new key.
    pub(crate) rekey_policy: RekeyPolicy,
    pub(crate) time_limits: TimeLimits,
    /// Where the connection is listed while it runs.
    pub(crate) connections: Option<Connections>,
}

impl Limits {
    /// Returns how often connections of the list were ended.
    pub(crate) fn ends(&self) -> u64 {
        self.connections.as_ref().map_or(0, Connections::ends)
    }

    /// Begins the life of a connection that is complete now and was made at `began`. Returns `None`
    /// if nothing limits it. `ends` is what [`ends`](Self::ends) returned before the last message.
    pub(crate) fn begin(
        &self,
        negotiated: &Negotiated,
        began: Duration,
        ends: u64,
        now: Now,
    ) -> Option<Arc<Running>> {
        let connections = self.connections.as_ref();
        Running::begin(self.time_limits, connections, negotiated, began, ends, now)
    }
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        Self {
            handshake_timeout: settings.handshake_timeout,
            max_handshake_size: settings.max_handshake_size,
            rekey_policy: settings.rekey_policy.for_peer(),
            time_limits: settings.time_limits,
            connections: settings.connections.clone(),
        }
    }
}

impl Default for Limits {
    /// The limits that hold until a configuration is chosen.
    fn default() -> Self {
        Self {
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
            max_handshake_size: DEFAULT_MAX_HANDSHAKE_SIZE,
            rekey_policy: RekeyPolicy::default().for_peer(),
            time_limits: TimeLimits::default(),
            connections: None,
        }
    }
}
