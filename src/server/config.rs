//! [`Server`]: what a program sets up once, and every connection shares.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::code_point::{CipherSuite, ExtensionType};
use crate::error::{ConfigError, Error, Fault};
use crate::handshake::Settings;
use crate::identity::{Identity, Peer, Trust};
use crate::record::Padding;

/// A server's configuration: who it is, whom it lets in, what it accepts. Cheap to clone, safe to share.
///
/// ```
/// use fleeting::{Authority, ClientAuth, Server};
///
/// # fn main() -> Result<(), fleeting::Error> {
/// let authority = Authority::new("my services")?;
/// let server = Server::builder()
///     .identity(authority.issue_server(["db.internal"])?)
///     .client_auth(ClientAuth::Required(authority.trust()))
///     .build()?;
/// // let mut tls = server.accept(tcp)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Server {
    pub(crate) config: Arc<ServerConfig>,
}

/// What stands in a [`Server`].
pub(crate) struct ServerConfig {
    pub(crate) settings: Settings,
    pub(crate) client_auth: ClientAuth,
    /// Serves every name that none of `named` does.
    default_identity: Option<Identity>,
    /// Each serves the names in its certificate.
    named: Vec<Identity>,
}

/// Whether a server asks its clients for a certificate, and whom it trusts then.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientAuth {
    /// Clients are not asked who they are.
    #[default]
    None,
    /// Clients are asked, and may say nothing: then `peer()` is `None`. A certificate that is shown must be good.
    Optional(Trust),
    /// Clients without a good certificate are refused.
    Required(Trust),
}

impl ClientAuth {
    /// Whom to trust, if clients are asked.
    pub(crate) fn trust(&self) -> Option<&Trust> {
        match self {
            Self::None => None,
            Self::Optional(trust) | Self::Required(trust) => Some(trust),
        }
    }
}

impl Server {
    /// Begins a configuration; an identity is the one setting it cannot do without.
    pub fn builder() -> ServerBuilder {
        ServerBuilder { settings: Settings::default(), client_auth: ClientAuth::None, default_identity: None, named: Vec::new() }
    }
}

impl ServerConfig {
    /// Who this server is for a client that asked for `name`.
    pub(crate) fn identity_for(&self, name: Option<&str>) -> Result<&Identity, Fault> {
        let named = name.and_then(|name| self.named.iter().find(|identity| identity.matches_name(name)));
        match (named.or(self.default_identity.as_ref()), name) {
            (Some(identity), _) => Ok(identity),
            // RFC 6066, section 3: "unrecognized_name(112)".
            (None, Some(name)) => Err(Fault::UnrecognizedName { name: name.to_owned() }),
            // RFC 9846, 9.2: a server that requires server_name answers a ClientHello without it by missing_extension.
            (None, None) => Err(Fault::MissingExtension { message: "ClientHello", extension: ExtensionType::SERVER_NAME }),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("cipher_suites", &self.config.settings.suites).finish_non_exhaustive()
    }
}

/// Builds a [`Server`]. A setting that cannot be taken is refused by [`build`](Self::build).
#[must_use]
pub struct ServerBuilder {
    settings: Settings,
    client_auth: ClientAuth,
    default_identity: Option<Identity>,
    named: Vec<Identity>,
}

impl ServerBuilder {
    /// Who this server is, whatever name a client asks for, unless an [`identity_by_name`](Self::identity_by_name) fits better.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.default_identity = Some(identity);
        self
    }

    /// Who this server is for clients that ask for one of the names in this identity's certificate (SNI). May be called many times; the first that
    /// fits is taken. Without an [`identity`](Self::identity) besides, other names are refused with unrecognized_name, and clients that send
    /// none with missing_extension. A certificate without a DNS name is refused by [`build`](Self::build), since nobody could ask for it.
    pub fn identity_by_name(mut self, identity: Identity) -> Self {
        self.named.push(identity);
        self
    }

    /// Whether clients must show a certificate. They are not asked by default.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// The application protocols served (RFC 7301), in order of preference. A client that offers others only is refused; one that offers none
    /// is not. By default the server does not answer ALPN.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.settings.set_alpn(protocols);
        self
    }

    /// The cipher suites accepted, in order of preference. All that are implemented by default.
    pub fn cipher_suites(mut self, suites: impl IntoIterator<Item = CipherSuite>) -> Self {
        self.settings.set_suites(suites);
        self
    }

    /// Asked about every client that has proven who it is; an `Err` ends the connection with access_denied. Clients without a certificate are
    /// not asked about: [`ClientAuth::Required`] keeps them out.
    pub fn authorize<E>(mut self, hook: impl Fn(&Peer) -> Result<(), E> + Send + Sync + 'static) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.settings.set_authorize(hook);
        self
    }

    /// How records are padded, to hide their length (RFC 9846, 5.4). Not at all by default.
    pub fn padding(mut self, padding: Padding) -> Self {
        self.settings.padding = padding;
        self
    }

    /// How long a handshake may take: 30 seconds by default. Over a transport that blocks, give that a time-out too: see [`Server::accept`].
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.settings.handshake_timeout = limit;
        self
    }

    /// The longest handshake message accepted, in bytes: 32 KiB by default, at least 1 KiB.
    pub fn max_handshake_size(mut self, bytes: usize) -> Self {
        self.settings.set_max_handshake_size(bytes);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Config`] says which setting is missing or cannot work.
    pub fn build(self) -> Result<Server, Error> {
        self.settings.check()?;
        if self.default_identity.is_none() && self.named.is_empty() {
            return Err(ConfigError::Missing { what: "identity(): who this server is" }.into());
        }
        if self.named.iter().any(|identity| !identity.has_dns_names()) {
            let reason = "its certificate has no DNS name, so no client could ask for it; give it to identity() instead";
            return Err(ConfigError::Setting { name: "identity_by_name", reason }.into());
        }
        if let Some(trust) = self.client_auth.trust() {
            trust.check()?;
        }
        Ok(Server {
            config: Arc::new(ServerConfig {
                settings: self.settings,
                client_auth: self.client_auth,
                default_identity: self.default_identity,
                named: self.named,
            }),
        })
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Authority;

    #[test]
    fn an_identity_that_nobody_can_ask_for_is_refused() {
        let authority = Authority::new("CA").unwrap();
        let build = |by_name| Server::builder().identity(Identity::generate().unwrap()).identity_by_name(by_name).build().map(drop);
        for nameless in [Identity::generate().unwrap(), authority.issue_server(["10.0.0.1", "::1"]).unwrap()] {
            let error = build(nameless).unwrap_err();
            assert!(matches!(error, Error::Config(ConfigError::Setting { name: "identity_by_name", .. })), "{error:?}");
        }
        build(authority.issue_server(["10.0.0.1", "db.internal"]).unwrap()).unwrap();
    }
}
