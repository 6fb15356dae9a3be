//! [`Client`]: what a program sets up once, and every connection shares.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::code_point::{CipherSuite, NamedGroup};
use crate::crypto::key_exchange::Group;
use crate::error::{ConfigError, Error};
use crate::handshake::Settings;
use crate::identity::{Identity, Peer, Trust};
use crate::record::Padding;
use crate::session::{ExternalPsk, PER_SERVER, SessionCache};

/// How many tickets are asked for after a full handshake, and after a resumed one (RFC 9149): one
/// that is used is replaced, and one more lets two connections be opened at once.
const DEFAULT_TICKETS: (u8, u8) = (2, 1);

/// A client's configuration: whom it trusts, who it is, what it offers. Cheap to clone, safe to
/// share.
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
    /// None where the PSK is all that is accepted.
    pub(crate) trust: Option<Trust>,
    pub(crate) external_psk: Option<ExternalPsk>,
    pub(crate) identity: Option<Identity>,
    /// Those that the first ClientHello has a share for, in the order of `settings.groups`.
    pub(crate) key_shares: Vec<Group>,
    pub(crate) sessions: SessionCache,
    /// new_session_count and resumption_count (RFC 9149).
    pub(crate) tickets: (u8, u8),
    pub(crate) early_data: bool,
    pub(crate) compatibility_mode: bool,
    pub(crate) unnamed: bool,
}

impl Client {
    /// Begins a configuration; [`trust`](ClientBuilder::trust), or an
    /// [`external_psk`](ClientBuilder::external_psk), is the one setting it cannot do without.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            settings: Settings::default(),
            trust: None,
            external_psk: None,
            identity: None,
            key_shares: None,
            sessions: SessionCache::default(),
            tickets: DEFAULT_TICKETS,
            early_data: false,
            compatibility_mode: true,
            unnamed: false,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("cipher_suites", &self.config.settings.suites)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Client`]. A setting that cannot be taken is refused by [`build`](Self::build), also
/// if it was set again; of several the first.
#[must_use]
pub struct ClientBuilder {
    settings: Settings,
    trust: Option<Trust>,
    external_psk: Option<ExternalPsk>,
    identity: Option<Identity>,
    /// None for the default, which depends on the groups.
    key_shares: Option<Vec<Group>>,
    sessions: SessionCache,
    tickets: (u8, u8),
    early_data: bool,
    compatibility_mode: bool,
    unnamed: bool,
}

impl ClientBuilder {
    /// Whom to trust as a server. Required, but for an [`external_psk`](Self::external_psk).
    /// Replaces what was set before; for several there is [`Trust::and`].
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// A key that this client and one server hold already: with it both know each other, and no
    /// certificates are shown. It is offered to every server that this client connects to, in the
    /// clear but for the key itself: so a client with a PSK is a client for the one that holds it.
    /// Replaces one set before.
    ///
    /// **The name that one connects to is not checked then**: whoever holds the PSK answers for
    /// every name that this client asks for. Who that is says [`ExternalPsk::peer_name`].
    ///
    /// Besides [`trust`](Self::trust), a server that does not know the PSK may show a certificate.
    /// Without, it is refused.
    pub fn external_psk(mut self, psk: ExternalPsk) -> Self {
        self.external_psk = Some(psk);
        self
    }

    /// Who this client is, for servers that ask for a client certificate. Without it such a server
    /// gets an empty answer. Replaces one set before.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The application protocols offered (RFC 7301), in order of preference; a fleeting server
    /// follows its own order. None by default.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.settings.set_alpn(protocols);
        self
    }

    /// The cipher suites offered, in order of preference. All that are implemented by default.
    pub fn cipher_suites(mut self, suites: impl IntoIterator<Item = CipherSuite>) -> Self {
        self.settings.set_suites(suites);
        self
    }

    /// The groups offered for the key exchange, in order of preference. By default X25519MLKEM768,
    /// X25519 and secp256r1.
    pub fn groups(mut self, groups: impl IntoIterator<Item = NamedGroup>) -> Self {
        self.settings.set_groups(groups);
        self
    }

    /// The groups that the first ClientHello has a key share for, out of [`groups`](Self::groups):
    /// a server that wants another one of those asks for it, which costs a round trip; a share that
    /// is not used costs its key and its bytes. By default the first group, and if that is
    /// X25519MLKEM768 then X25519 too, for servers that do not know it. Without any the server
    /// always chooses, one round trip later.
    pub fn key_shares(mut self, groups: impl IntoIterator<Item = NamedGroup>) -> Self {
        self.key_shares = Some(self.settings.known_groups("key_shares", groups));
        self
    }

    /// Where sessions are kept to be resumed. By default each `Client` has a cache of its own for
    /// 256 of them. `SessionCache::new(0)` keeps none: then every handshake is a full one. Tickets
    /// arrive while the client reads: one that only writes has nothing to resume.
    ///
    /// A cache may be shared: a session is resumed only by a client that trusts the same, is the
    /// same, and asks for the same name.
    pub fn sessions(mut self, cache: SessionCache) -> Self {
        self.sessions = cache;
        self
    }

    /// How many tickets to ask the server for: after a full handshake, and after a resumed one (RFC
    /// 9149). A ticket is used once, so these many connections can be opened at a time without a
    /// full handshake. 2 and 1 by default, 8 at most, as no more are kept for a server. Servers
    /// that do not know the extension send what they like.
    pub fn tickets(mut self, new_session: u8, resumption: u8) -> Self {
        self.tickets = (new_session, resumption);
        if usize::from(new_session.max(resumption)) > PER_SERVER {
            self.settings
                .refuse("tickets", "at most 8 each: no more are kept for a server");
        }
        self
    }

    /// Whether early data (0-RTT) is offered where a session allows it: by [`Client::start`] and
    /// [`Client::connection`], whose caller can send some then, by
    /// [`Handshake::early_data`](crate::Handshake::early_data) and
    /// [`Connection::write_early_data`](crate::Connection::write_early_data). `connect` sends none.
    /// Off by default.
    ///
    /// **Early data can be replayed**: whoever records it can send it again, and a server that
    /// keeps no account, or not for long enough, takes it again. Nor has it forward secrecy. Send
    /// only what may happen twice, such as a read (RFC 9846, 2.3 and F.5). The server may reject
    /// it, as [`Stream::early_data`](crate::Stream::early_data) says; nothing is sent again by
    /// itself.
    pub fn early_data(mut self, on: bool) -> Self {
        self.early_data = on;
        self
    }

    /// Asked about every server that has proven who it is by a certificate or a key, also when a
    /// session is resumed, before anything is sent to it; an `Err` ends the handshake with
    /// access_denied. Where early data could be sent it is asked about the session's server before
    /// that as well: an `Err` then means that none is. A client keeps the server's whole chain with
    /// a session, so this sees the same when it is resumed. (A server does not: see
    /// [`ServerBuilder::authorize`](crate::ServerBuilder::authorize).)
    pub fn authorize<E>(
        mut self,
        hook: impl Fn(&Peer) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self
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

    /// The longest record that the server may send, in bytes of content, content type and padding
    /// together (RFC 8449): 64 to 16385, which is the default. A server that does not know the
    /// extension sends longer ones.
    pub fn record_size_limit(mut self, bytes: u16) -> Self {
        self.settings.set_record_size_limit(bytes);
        self
    }

    /// How long a handshake may take: 30 seconds by default, the time included that the application
    /// takes to answer a question. Over a transport that blocks, give that a time-out too: see
    /// [`Client::connect`].
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.settings.handshake_timeout = limit;
        self
    }

    /// The longest handshake message accepted, in bytes: 32 KiB by default, at least 4 KiB.
    pub fn max_handshake_size(mut self, bytes: usize) -> Self {
        self.settings.set_max_handshake_size(bytes);
        self
    }

    /// Whether to look like TLS 1.2 to middleboxes (RFC 9846, E.4). On by default; it costs 38
    /// bytes.
    pub fn compatibility_mode(mut self, on: bool) -> Self {
        self.compatibility_mode = on;
        self
    }

    /// Allows `connect_unnamed`, for transports where the server has no name (a pipe, a mesh): then
    /// its key alone says who it is, so [`trust`](Self::trust) must hold [`keys`](Trust::keys), or
    /// be left out for an [`external_psk`](Self::external_psk).
    pub fn allow_unnamed(mut self) -> Self {
        self.unnamed = true;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Config`] says which setting is missing or cannot work.
    pub fn build(mut self) -> Result<Client, Error> {
        let groups = &self.settings.groups;
        let key_shares = match self.key_shares {
            // RFC 9846, 4.3.8: shares stand in the order of supported_groups.
            Some(wanted) if wanted.iter().all(|group| groups.contains(group)) => groups
                .iter()
                .filter(|group| wanted.contains(group))
                .copied()
                .collect(),
            Some(_) => {
                self.settings
                    .refuse("key_shares", "names a group that groups() does not");
                Vec::new()
            }
            None => default_shares(groups),
        };
        self.settings.check()?;
        if self.trust.is_none() && self.external_psk.is_none() {
            return Err(ConfigError::Missing {
                what: "trust(), or external_psk(): whom to trust as a server",
            }
            .into());
        }
        if self.trust.is_none()
            && !self
                .external_psk
                .as_ref()
                .is_some_and(|psk| psk.fits_any(&self.settings.suites))
        {
            let reason = "none of cipher_suites() goes with it: one that is not imported needs a \
                          suite with SHA-256";
            return Err(ConfigError::Setting {
                name: "external_psk",
                reason,
            }
            .into());
        }
        let trust = self.trust;
        trust.iter().try_for_each(Trust::check)?;
        if self.unnamed && !trust.as_ref().is_none_or(Trust::accepts_unnamed) {
            let reason = "without a name nothing but a key can say who a server is: trust its key \
                          with Trust::keys, or share an external_psk";
            return Err(ConfigError::Setting {
                name: "allow_unnamed",
                reason,
            }
            .into());
        }
        Ok(Client {
            config: Arc::new(ClientConfig {
                settings: self.settings,
                trust,
                external_psk: self.external_psk,
                identity: self.identity,
                key_shares,
                sessions: self.sessions,
                tickets: self.tickets,
                early_data: self.early_data,
                compatibility_mode: self.compatibility_mode,
                unnamed: self.unnamed,
            }),
        })
    }
}

/// The first group; and where that is a hybrid, which not every server knows, the next one that is
/// none.
fn default_shares(groups: &[Group]) -> Vec<Group> {
    let first = groups.iter().take(1);
    let hybrid = groups.first().is_some_and(|group| group.is_post_quantum());
    let next = groups
        .iter()
        .find(|group| hybrid && !group.is_post_quantum());
    first.chain(next).copied().collect()
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}
