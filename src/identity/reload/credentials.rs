//! [`Credentials`]: an identity and a trust that were loaded from files.

use crate::error::{ConfigError, Error};
use crate::identity::own::Identity;
use crate::identity::trust::Trust;

/// What [`CredentialFiles`](crate::CredentialFiles) loaded. The program makes a
/// [`Server`](crate::Server) or a [`Client`](crate::Client) of it, again after each change.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub(super) identity: Option<Identity>,
    pub(super) trust: Option<Trust>,
}

impl Credentials {
    /// Returns the identity.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] with [`ConfigError::Missing`] if no files of an identity are
    /// watched.
    pub fn identity(&self) -> Result<Identity, Error> {
        let what = "the files of an identity: call CredentialFiles::identity";
        self.identity
            .clone()
            .ok_or(ConfigError::Missing { what }.into())
    }

    /// Returns trust in the roots. The revocation lists are part of it, if there are some, and are
    /// replaced in it without a new `Trust`.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] with [`ConfigError::Missing`] if no roots are watched.
    pub fn trust(&self) -> Result<Trust, Error> {
        let what = "the file of the roots: call CredentialFiles::roots";
        self.trust
            .clone()
            .ok_or(ConfigError::Missing { what }.into())
    }
}
