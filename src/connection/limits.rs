//! [`Limits`]: the part of a configuration that a connection needs after it has begun.

use core::time::Duration;

use crate::handshake::Settings;
use crate::handshake::settings::{DEFAULT_HANDSHAKE_TIMEOUT, DEFAULT_MAX_HANDSHAKE_SIZE};

/// The part of a configuration that a connection needs after it has begun.
pub(crate) struct Limits {
    pub(crate) handshake_timeout: Duration,
    pub(crate) max_handshake_size: usize,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        Self {
            handshake_timeout: settings.handshake_timeout,
            max_handshake_size: settings.max_handshake_size,
        }
    }
}

impl Default for Limits {
    /// The limits that hold until a configuration is chosen.
    fn default() -> Self {
        Self {
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
            max_handshake_size: DEFAULT_MAX_HANDSHAKE_SIZE,
        }
    }
}
