//! [`Client`]: what a program sets up once, and every connection shares.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::code_point::CipherSuite;
use crate::error::{ConfigError, Error};
use crate::handshake::Settings;
use crate::identity::{Identity, Peer, Trust};
use crate::record::Padding;

/// A client's configuration: whom it trusts, who it is, what it offers. Cheap to clone, safe to share.
///
/// ```
/// use fleeting::{Authority, Client};
///
/// # fn main() -> Result<(), fleeting::Error> {
/// let authority = Authority::new("my services")?;
/// let client = Client::builder().trust(authority.trust()).alpn(["h2"]).build()?;
/// // let mut tls = client.connect("db.internal", TcpStream::connect("db.internal:5432")?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) config: Arc<ClientConfig>,
}

/// What stands in a [`Client`].
pub(crate) struct ClientConfig {
    pub(crate) settings: Settings,
    pub(crate) trust: Trust,
    pub(crate) identity: Option<Identity>,
    pub(crate) compatibility_mode: bool,
    pub(crate) unnamed: bool,
}

impl Client {
    /// Begins a configuration; [`trust`](ClientBuilder::trust) is the one setting it cannot do without.
    pub fn builder() -> ClientBuilder {
        ClientBuilder { settings: Settings::default(), trust: None, identity: None, compatibility_mode: true, unnamed: false }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("cipher_suites", &self.config.settings.suites).finish_non_exhaustive()
    }
}

/// Builds a [`Client`]. A setting that cannot be taken is refused by [`build`](Self::build).
#[must_use]
pub struct ClientBuilder {
    settings: Settings,
    trust: Option<Trust>,
    identity: Option<Identity>,
    compatibility_mode: bool,
    unnamed: bool,
}

impl ClientBuilder {
    /// Whom to trust as a server. Required.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Who this client is, for servers that ask for a client certificate. Without it such a server gets an empty answer.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The application protocols offered (RFC 7301), in order of preference; a fleeting server follows its own order. None by default.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.settings.set_alpn(protocols);
        self
    }

    /// The cipher suites offered, in order of preference. All that are implemented by default.
    pub fn cipher_suites(mut self, suites: impl IntoIterator<Item = CipherSuite>) -> Self {
        self.settings.set_suites(suites);
        self
    }

    /// Asked about every server that has proven who it is, before anything is sent to it; an `Err` ends the handshake with access_denied.
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

    /// How long a handshake may take: 30 seconds by default. Over a transport that blocks, give that a time-out too: see [`Client::connect`].
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.settings.handshake_timeout = limit;
        self
    }

    /// The longest handshake message accepted, in bytes: 32 KiB by default, at least 1 KiB.
    pub fn max_handshake_size(mut self, bytes: usize) -> Self {
        self.settings.set_max_handshake_size(bytes);
        self
    }

    /// Whether to look like TLS 1.2 to middleboxes (RFC 9846, E.4). On by default; it costs 38 bytes.
    pub fn compatibility_mode(mut self, on: bool) -> Self {
        self.compatibility_mode = on;
        self
    }

    /// Allows `connect_unnamed`, for transports where the server has no name (a pipe, a mesh): then its key alone says who it is, so
    /// [`trust`](Self::trust) must hold [`keys`](Trust::keys).
    pub fn allow_unnamed(mut self) -> Self {
        self.unnamed = true;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Config`] says which setting is missing or cannot work.
    pub fn build(self) -> Result<Client, Error> {
        self.settings.check()?;
        let trust = self.trust.ok_or(ConfigError::Missing { what: "trust(): whom to trust as a server" })?;
        trust.check()?;
        if self.unnamed && !trust.accepts_unnamed() {
            let reason = "without a name nothing but a key can say who a server is: trust its key with Trust::keys";
            return Err(ConfigError::Setting { name: "allow_unnamed", reason }.into());
        }
        Ok(Client {
            config: Arc::new(ClientConfig {
                settings: self.settings,
                trust,
                identity: self.identity,
                compatibility_mode: self.compatibility_mode,
                unnamed: self.unnamed,
            }),
        })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}
