//! [`Limits`]: what a connection needs of its configuration.

use core::time::Duration;

use crate::handshake::Settings;
use crate::handshake::settings::{DEFAULT_HANDSHAKE_TIMEOUT, DEFAULT_MAX_HANDSHAKE_SIZE};

/// What a connection needs of its configuration.
pub(crate) struct Limits {
    pub(crate) handshake_timeout: Duration,
    pub(crate) max_handshake_size: usize,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        Self { handshake_timeout: settings.handshake_timeout, max_handshake_size: settings.max_handshake_size }
    }
}

impl Default for Limits {
    /// Before there is a configuration.
    fn default() -> Self {
        Self { handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT, max_handshake_size: DEFAULT_MAX_HANDSHAKE_SIZE }
    }
}
