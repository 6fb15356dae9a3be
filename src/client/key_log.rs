//! The settings of the key log, with the feature `key-log`.

use crate::client::config::ClientBuilder;
use crate::handshake::KeyLog;

#[cfg_attr(docsrs, doc(cfg(feature = "key-log")))]
impl ClientBuilder {
    /// Sets where the secrets of all connections are logged, so that a recording of their traffic
    /// can be decrypted: a [`KeyLogFile`](crate::KeyLogFile), or another [`KeyLog`]. By default
    /// they are not logged. Replaces an earlier call.
    ///
    /// **Only for traffic that is not worth protecting.** See
    /// [the guide](crate::guide#decrypting-a-recording).
    pub fn key_log(mut self, sink: impl KeyLog + 'static) -> Self {
        self.settings.set_key_log(sink);
        self
    }

    /// Like [`key_log`](Self::key_log), with the file that the environment variable `SSLKEYLOGFILE`
    /// names. If the variable is unset or empty, this call changes nothing. Nothing else in this
    /// crate reads the variable.
    ///
    /// [`build`](Self::build) reports a file that
    /// [`KeyLogFile::open`](crate::KeyLogFile::open) refuses.
    pub fn key_log_from_env(mut self) -> Self {
        self.settings.set_key_log_from_env();
        self
    }
}
