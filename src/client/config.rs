//! [`Client`]: the configuration that a program creates once and all its connections share.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::code_point::{CipherSuite, NamedGroup, SignatureScheme};
use crate::counters::{Counters, Totals};
use crate::crypto::key_exchange::Group;
use crate::error::{ConfigError, Error, Offer, Said};
use crate::handshake::{RekeyPolicy, Settings};
use crate::identity::{Identity, Peer, ServerName, Trust};
use crate::record::Padding;
use crate::session::{ExternalPsk, PER_SERVER, SessionCache};

/// The number of tickets requested after a full handshake and after a resumed one (RFC 9149). A
/// used ticket is replaced, and one more allows two connections at once.
const DEFAULT_TICKETS: (u8, u8) = (2, 1);

/// A client's configuration: whom it trusts, who it is, and what it offers.
///
/// It is cheap to clone, and can be shared between threads.
///
/// ```
/// use fleeting::{Authority, Client};
///
/// # fn main() -> Result<(), fleeting::Error> {
/// let authority = Authority::new("my services")?;
/// let client = Client::builder().trust(authority.trust()).alpn(["h2"]).build()?;
/// // let mut tls = client.connect("db.internal", TcpStream::connect("db.internal:9846")?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) totals: Arc<Totals>,
}

/// The settings of a [`Client`].
pub(crate) struct ClientConfig {
    pub(crate) settings: Settings,
    /// `None` if only the external PSK is accepted.
    pub(crate) trust: Option<Trust>,
    pub(crate) external_psk: Option<ExternalPsk>,
    pub(crate) identity: Option<Identity>,
    /// The groups for which the first ClientHello has a share, in the order of `settings.groups`.
    pub(crate) key_shares: Vec<Group>,
    pub(crate) sessions: SessionCache,
    /// new_session_count and resumption_count (RFC 9149).
    pub(crate) tickets: (u8, u8),
    pub(crate) early_data: bool,
    pub(crate) compatibility_mode: bool,
    pub(crate) unnamed: bool,
}

impl Client {
    /// Begins a configuration. Only [`trust`](ClientBuilder::trust) or
    /// [`external_psk`](ClientBuilder::external_psk) is required.
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

    /// Returns what all connections of this client and its clones did until now.
    pub fn counters(&self) -> Counters {
        self.totals.snapshot()
    }

    /// Removes all sessions that were kept for this name, so that the next connection to it uses a
    /// full handshake. Connections to it that exist continue, and store no more sessions.
    ///
    /// Use it after a logout, or when the server's key may be in other hands. It covers all clients
    /// that share the [`SessionCache`], whatever their trust and identity. For all names at once,
    /// there is [`SessionCache::clear`].
    ///
    /// # Errors
    /// Returns [`Error::Name`] if the name is invalid.
    pub fn forget(&self, name: &str) -> Result<(), Error> {
        self.config.sessions.forget(&ServerName::parse(name)?);
        Ok(())
    }

    /// Removes all sessions, of every name: see [`SessionCache::clear`].
    pub fn forget_all(&self) {
        self.config.sessions.clear();
    }

    /// Returns what a connection to `name` offers, for the text of an alert that answers it.
    pub(crate) fn said(&self, name: Option<&ServerName>) -> Said {
        let settings = &self.config.settings;
        // `offer.rs` sends the same.
        let accepts_certificates = self.config.trust.is_some();
        Said::Offer(Arc::new(Offer {
            name: name.map(ServerName::to_string),
            cipher_suites: settings.suite_code_points(),
            groups: settings.group_code_points(),
            signature_schemes: accepts_certificates
                .then_some(SignatureScheme::ED25519)
                .into_iter()
                .collect(),
            alpn: settings.alpn.clone(),
            external_psk: self.config.external_psk.is_some(),
        }))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Client");
        out.field("cipher_suites", &self.config.settings.suites);
        #[cfg(feature = "key-log")]
        out.field("key_log", &self.config.settings.key_log);
        out.finish_non_exhaustive()
    }
}

/// Builds a [`Client`].
///
/// [`build`](Self::build) reports invalid settings, and of several the first. A later valid call
/// does not undo the error.
#[must_use]
pub struct ClientBuilder {
    pub(super) settings: Settings,
    trust: Option<Trust>,
    external_psk: Option<ExternalPsk>,
    identity: Option<Identity>,
    /// `None` for the default, which depends on the groups.
    key_shares: Option<Vec<Group>>,
    sessions: SessionCache,
    tickets: (u8, u8),
    early_data: bool,
    compatibility_mode: bool,
    unnamed: bool,
}

impl ClientBuilder {
    /// Sets whom to trust as a server. Required, unless an [`external_psk`](Self::external_psk) is
    /// set.
    ///
    /// Replaces an earlier call. To combine several, use [`Trust::and`].
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Sets a key that this client and one server share. With it both sides authenticate each
    /// other, and no certificates are sent.
    ///
    /// The key's identity and names are offered, in the clear, to every server that this client
    /// connects to. So use a client with a PSK for the one server that holds it. Replaces an
    /// earlier call.
    ///
    /// **The name to connect to is not checked under a PSK**: whoever holds the key can answer for
    /// every name that this client asks for. [`ExternalPsk::peer_name`] says who that is.
    ///
    /// If [`trust`](Self::trust) is set too, a server that does not know the PSK may authenticate
    /// with a certificate. Otherwise it is refused.
    pub fn external_psk(mut self, psk: ExternalPsk) -> Self {
        self.external_psk = Some(psk);
        self
    }

    /// Sets who this client is, for servers that ask for a client's certificate or key. Without an
    /// identity, the client sends such a server an empty Certificate. Replaces an earlier call.
    ///
    /// The certificate is sent even if the server names only other authorities: those may be above
    /// the ones in this client's chain. A server that does not accept it refuses the connection.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Sets the application protocols to offer (RFC 7301), in order of preference. A fleeting
    /// server follows its own order. Defaults to none.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.settings.set_alpn(protocols);
        self
    }

    /// Sets the cipher suites to offer, in order of preference. Defaults to all that are
    /// implemented.
    pub fn cipher_suites(mut self, suites: impl IntoIterator<Item = CipherSuite>) -> Self {
        self.settings.set_suites(suites);
        self
    }

    /// Sets the key exchange groups to offer, in order of preference. Defaults to X25519MLKEM768,
    /// X25519 and, where it is [available](crate::guide#cargo-features), secp256r1.
    ///
    /// This holds for all data. Early data, which is encrypted before a key exchange, is sent only
    /// under a session whose connection used one of these groups. A session of another group is
    /// still resumed, since a resumed handshake exchanges keys in one of these groups.
    pub fn groups(mut self, groups: impl IntoIterator<Item = NamedGroup>) -> Self {
        self.settings.set_groups(groups);
        self
    }

    /// Sets for which of the [`groups`](Self::groups) the first ClientHello has a key share.
    ///
    /// If the server wants another of the groups, it requests a share, which costs a round trip. An
    /// unused share costs its computation and its bytes. Defaults to the first group, and if that
    /// is X25519MLKEM768, then to X25519 as well, for servers that do not support the former. With
    /// no shares, the server always requests one.
    pub fn key_shares(mut self, groups: impl IntoIterator<Item = NamedGroup>) -> Self {
        self.key_shares = Some(self.settings.known_groups("key_shares", groups));
        self
    }

    /// Sets where sessions are stored for resumption. By default each `Client` has a cache of its
    /// own for 256 sessions.
    ///
    /// `SessionCache::new(0)` stores none, so that every handshake is a full one. Tickets arrive
    /// while the client reads: a client that only writes has nothing to resume.
    ///
    /// A cache can be shared between clients. A session is resumed only by a client that connects
    /// to the same name with the same trust (including its revocation lists), the same identity and
    /// the same external PSK.
    pub fn sessions(mut self, cache: SessionCache) -> Self {
        if cache.capacity() > 0 {
            self.settings.resumes_by("sessions");
        }
        self.sessions = cache;
        self
    }

    /// Sets how many tickets to request from the server: after a full handshake, and after a
    /// resumed one (RFC 9149).
    ///
    /// A ticket is used once, so this is the number of connections that can be opened at a time
    /// without a full handshake. Defaults to 2 and 1. The maximum is 8, as no more are stored for a
    /// server. Servers that do not support the extension send any number.
    pub fn tickets(mut self, new_session: u8, resumption: u8) -> Self {
        self.tickets = (new_session, resumption);
        if new_session.max(resumption) > 0 {
            self.settings.resumes_by("tickets");
        }
        if usize::from(new_session.max(resumption)) > PER_SERVER {
            self.settings.refuse(
                "tickets",
                "each must be at most 8: no more are stored for a server",
            );
        }
        self
    }

    /// Sets whether early data (0-RTT) is offered if a session allows it. Off by default.
    ///
    /// It is offered by [`Client::start`] and [`Client::connection`], whose callers can then send
    /// it through [`Handshake::early_data`](crate::Handshake::early_data) and
    /// [`Connection::write_early_data`](crate::Connection::write_early_data). `connect` never sends
    /// any.
    ///
    /// **Early data can be replayed**: whoever records it can send it again, and a server without a
    /// replay guard, or with one that forgets too early, accepts it again. It also has no forward
    /// secrecy. Send only what may happen twice, such as a read (RFC 9846, 2.3 and F.5). The server
    /// can reject it, which [`Stream::early_data`](crate::Stream::early_data) reports. Nothing is
    /// sent again automatically.
    pub fn early_data(mut self, on: bool) -> Self {
        self.early_data = on;
        if on {
            self.settings.resumes_by("early_data");
        }
        self
    }

    /// Sets a hook that decides about every authenticated server, before anything is sent to it. If
    /// it returns `Err`, the handshake ends with access_denied.
    ///
    /// It is called for resumed sessions too. If early data could be sent, it is first called with
    /// the session's server, and an `Err` then means that no early data is sent. A client stores
    /// the server's whole chain with a session, so the hook sees the same certificates on
    /// resumption. (A server does not: see
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

    /// Sets how records are padded to hide their length (RFC 9846, 5.4). Defaults to no padding.
    pub fn padding(mut self, padding: Padding) -> Self {
        self.settings.padding = padding;
        self
    }

    /// Sets the longest record that the server may send, in bytes of content, content type and
    /// padding together (RFC 8449): 64 to 16385. Defaults to 16385.
    ///
    /// A server that does not support the extension sends longer records.
    pub fn record_size_limit(mut self, bytes: u16) -> Self {
        self.settings.set_record_size_limit(bytes);
        self
    }

    /// Sets when session keys are renewed without anyone asking. Defaults to
    /// [`RekeyPolicy::default`].
    pub fn rekey_policy(mut self, policy: RekeyPolicy) -> Self {
        self.settings.set_rekey_policy(policy);
        self
    }

    /// Sets whether keys are renewed by extended key updates, if the server agrees
    /// (draft-ietf-tls-extended-key-update). Off by default. **Experimental**: the draft has no
    /// numbers yet, so only fleeting speaks it, and a later version may use other numbers.
    ///
    /// An extended key update is a fresh key exchange, in the group of the handshake, inside the
    /// connection. It takes the place of each KeyUpdate: the
    /// [`RekeyPolicy`]'s, and those of `rekey`. So whoever learned all keys of the connection
    /// cannot read what is sent after the next update, if it only listens. (After a KeyUpdate it
    /// can, because the next keys are derived from the last ones alone.) It does not help against
    /// one who is in the middle at that moment and uses the old keys to exchange keys with both
    /// sides.
    ///
    /// * Tickets are off, because a stolen ticket would open connections later: no sessions are
    ///   resumed, and there is no early data.
    /// * An update takes a round trip. Nothing waits for it, so a key exceeds the limits of the
    ///   policy by what is sent meanwhile. Over a blocking stream, messages of an update are
    ///   sent by `write`, `flush` and `rekey` only.
    /// * At most eight updates a second are begun.
    /// * After the server has closed its side, no update is possible. A connection on which updates
    ///   never complete, for this reason or because the peer sends nothing, ends with
    ///   [`Error::KeyLimit`] when the AEAD's limit is reached (RFC 9846, 5.5).
    ///
    /// [`Negotiated::extended_key_update`](crate::Negotiated::extended_key_update) says whether the
    /// server agreed. If it did not, keys are renewed by KeyUpdates.
    pub fn extended_key_update(mut self, on: bool) -> Self {
        self.settings.extended_key_update = on;
        self
    }

    /// Sets how long a handshake may take, including the time in which the application answers a
    /// question. Defaults to 30 seconds.
    ///
    /// Over a blocking transport, set a time-out on the transport too: see [`Client::connect`].
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.settings.handshake_timeout = limit;
        self
    }

    /// Sets how long a connection may exist, from when it is made. By default there is no limit.
    ///
    /// At that age the connection ends, whatever it does: see
    /// [`ServerBuilder::max_connection_age`](crate::ServerBuilder::max_connection_age).
    pub fn max_connection_age(mut self, age: Duration) -> Self {
        self.settings.set_max_connection_age(age);
        self
    }

    /// Sets how long a connection may exist without application data in either direction. By
    /// default there is no limit: see
    /// [`ServerBuilder::idle_timeout`](crate::ServerBuilder::idle_timeout).
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.settings.set_idle_timeout(limit);
        self
    }

    /// Sets the longest handshake message that is accepted, in bytes, at least 4 KiB. Defaults to
    /// 80 KiB. A longer ticket is ignored, and the connection continues. Tickets of more than 16
    /// KiB are never stored.
    pub fn max_handshake_size(mut self, bytes: usize) -> Self {
        self.settings.set_max_handshake_size(bytes);
        self
    }

    /// Sets whether connections look like TLS 1.2 to middleboxes (RFC 9846, E.4). On by default.
    /// Each side then sends 38 bytes more, or 70 if the server sends a HelloRetryRequest.
    pub fn compatibility_mode(mut self, on: bool) -> Self {
        self.compatibility_mode = on;
        self
    }

    /// Allows `connect_unnamed`, for transports on which the server has no name, such as a pipe or
    /// a mesh.
    ///
    /// The server is then identified by its key alone, so [`trust`](Self::trust) must hold
    /// [`keys`](Trust::keys), or be left out in favor of an [`external_psk`](Self::external_psk).
    pub fn allow_unnamed(mut self) -> Self {
        self.unnamed = true;
        self
    }

    /// Checks the settings and creates the client.
    ///
    /// # Errors
    /// Returns [`Error::Config`] with the setting that is missing or invalid, or [`Error::Name`] if
    /// a name in the [`Trust`] is invalid.
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
                    .refuse("key_shares", "it names a group that groups() does not");
                Vec::new()
            }
            None => default_shares(groups),
        };
        self.settings.check()?;
        if self.trust.is_none() && self.external_psk.is_none() {
            return Err(ConfigError::Missing {
                what: "call trust() or external_psk() to say whom to trust as a server",
            }
            .into());
        }
        if self.trust.is_none()
            && !self
                .external_psk
                .as_ref()
                .is_some_and(|psk| psk.fits_any(&self.settings.suites))
        {
            let reason = "it fits none of cipher_suites(): a PSK that is not imported needs a \
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
            let reason = "without a name, only a key can identify a server: trust its key with \
                          Trust::keys, or share an external_psk";
            return Err(ConfigError::Setting {
                name: "allow_unnamed",
                reason,
            }
            .into());
        }
        if self.settings.extended_key_update {
            self.sessions = SessionCache::new(0);
        }
        Ok(Client {
            totals: Arc::default(),
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

/// Returns the first group, and, if that is a hybrid, which not every server supports, the next
/// group that is not.
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
