//! [`Limits`]: the part of a configuration that a connection needs after it has begun.

use core::time::Duration;

use crate::handshake::settings::{DEFAULT_HANDSHAKE_TIMEOUT, DEFAULT_MAX_HANDSHAKE_SIZE};
use crate::handshake::{RekeyPolicy, Settings};

/// The part of a configuration that a connection needs after it has begun.
pub(crate) struct Limits {
    pub(crate) handshake_timeout: Duration,
    pub(crate) max_handshake_size: usize,
    /// The limits past which the peer is asked for a new key.
    pub(crate) rekey_policy: RekeyPolicy,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        Self {
            handshake_timeout: settings.handshake_timeout,
            max_handshake_size: settings.max_handshake_size,
            rekey_policy: settings.rekey_policy.for_peer(),
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
        }
    }
}
