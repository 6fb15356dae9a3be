//! [`Server`]: the configuration that a program creates once and all its connections share.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::code_point::{CipherSuite, ExtensionType, NamedGroup};
use crate::counters::{Counters, Totals};
use crate::error::{ConfigError, Error, Fault, shown};
use crate::handshake::{RekeyPolicy, Settings};
use crate::identity::{Identity, Peer, ServerName, Trust};
use crate::record::Padding;
use crate::session::{ExternalPsk, ExternalPsks, ReplayGuard, RevokedSessions, TicketKeys};

/// The default lifetime of a ticket: long enough for a client that comes back soon. Whoever obtains
/// a ticket key cannot decrypt the connections that were made with it (psk_dhe_ke), but until the
/// ticket expires can impersonate those clients, and the server to them.
const DEFAULT_TICKET_LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);

/// The default time after a full handshake in which its session may be resumed, by one ticket after
/// another.
const DEFAULT_MAX_SESSION_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The default for how far the time at which a ClientHello claims to have been sent may differ from
/// our clock. RFC 9846, 8.3: "For clients on the Internet, this implies windows on the order of ten
/// seconds".
const DEFAULT_EARLY_DATA_WINDOW: Duration = Duration::from_secs(10);

/// RFC 9846, 4.7.1: "Servers MUST NOT use any value greater than 604800 seconds (7 days)."
const MAX_TICKET_LIFETIME: Duration = Duration::from_secs(604_800);

/// The longest window for early data that can be set.
const MAX_EARLY_DATA_WINDOW: Duration = Duration::from_secs(60);

/// A server's configuration: who it is, which clients it admits, and what it accepts.
///
/// It is cheap to clone, and can be shared between threads.
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
    /// A live server's configurations share them.
    pub(crate) totals: Arc<Totals>,
}

/// The settings of a [`Server`].
pub(crate) struct ServerConfig {
    pub(crate) settings: Settings,
    pub(crate) client_auth: ClientAuth,
    /// `None` if tickets are neither issued nor accepted.
    pub(crate) ticket_keys: Option<TicketKeys>,
    pub(crate) ticket_lifetime: Duration,
    pub(crate) max_session_age: Duration,
    /// `None` if no session can be revoked.
    pub(crate) revoked_sessions: Option<RevokedSessions>,
    /// `None` if early data is not accepted.
    pub(crate) early_data: Option<EarlyDataConfig>,
    pub(crate) external_psks: ExternalPsks,
    pub(crate) retry_cookie: bool,
    /// The identity for every name that no entry of `named` serves.
    default_identity: Option<Identity>,
    named: Vec<Named>,
}

/// The settings for early data, if it is accepted.
pub(crate) struct EarlyDataConfig {
    /// How many bytes of early data tickets allow.
    pub(crate) max_size: u32,
    pub(crate) guard: ReplayGuard,
    /// How far the time at which a ClientHello claims to have been sent may differ from our clock,
    /// in either direction.
    pub(crate) window: Duration,
}

/// An identity for some names.
struct Named {
    /// The one name, in lower case. `None` for the names in the certificate.
    name: Option<String>,
    identity: Identity,
}

impl Named {
    fn names(&self) -> impl Iterator<Item = &str> {
        let own = match self.name {
            Some(_) => &[],
            None => self.identity.dns_names(),
        };
        self.name.iter().chain(own).map(String::as_str)
    }

    fn serves(&self, wanted: &str) -> bool {
        match &self.name {
            Some(name) => name == wanted,
            None => self.identity.matches_name(wanted),
        }
    }
}

/// Whether a server asks its clients for a certificate or a key, and whom it trusts.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientAuth {
    /// Clients are not asked for a certificate or a key.
    #[default]
    None,
    /// Clients are asked and may decline: `peer()` is then `None`. A certificate or key that a
    /// client sends must be valid.
    Optional(Trust),
    /// Clients without a valid certificate or a trusted key are refused. The exception is a client
    /// with an [external PSK](ServerBuilder::external_psks): it sends neither, and `peer()` is
    /// `None`.
    Required(Trust),
}

impl ClientAuth {
    /// Returns whom to trust, if clients are asked for a certificate.
    pub(crate) fn trust(&self) -> Option<&Trust> {
        match self {
            Self::None => None,
            Self::Optional(trust) | Self::Required(trust) => Some(trust),
        }
    }
}

impl Server {
    /// Begins a configuration. Only an identity or an external PSK is required.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            settings: Settings::default(),
            client_auth: ClientAuth::None,
            ticket_keys: Some(TicketKeys::rotating()),
            ticket_lifetime: DEFAULT_TICKET_LIFETIME,
            max_session_age: DEFAULT_MAX_SESSION_AGE,
            revoked_sessions: None,
            early_data: None,
            early_data_window: DEFAULT_EARLY_DATA_WINDOW,
            external_psks: Vec::new(),
            retry_cookie: false,
            default_identity: None,
            named: Vec::new(),
        }
    }

    /// Returns what all connections of this server and its clones did until now.
    pub fn counters(&self) -> Counters {
        self.totals.snapshot()
    }
}

impl ServerConfig {
    /// Returns the identity for a client that asks for `name`, and that trusts these `authorities`
    /// if it names any. `None` if the server accepts only PSKs.
    pub(crate) fn identity_for(
        &self,
        name: Option<&str>,
        authorities: &[&[u8]],
    ) -> Result<Option<&Identity>, Fault> {
        if self.default_identity.is_none() && self.named.is_empty() {
            return Ok(None);
        }
        let mut serving = self
            .named
            .iter()
            .filter(|named| name.is_some_and(|name| named.serves(name)))
            .map(|named| &named.identity);
        let first = serving.clone().next();
        // RFC 9846, 4.5.1.2: certificate_authorities applies to the server's chain too, if there is
        // a choice.
        let named = if authorities.is_empty() {
            first
        } else {
            serving
                .find(|identity| identity.is_issued_by(authorities))
                .or(first)
        };
        match (named.or(self.default_identity.as_ref()), name) {
            (Some(identity), _) => Ok(Some(identity)),
            // RFC 6066, section 3: "unrecognized_name(112)".
            (None, Some(name)) => {
                let served = self.named.iter().flat_map(Named::names);
                let (served, more) = shown(served, str::to_owned);
                Err(Fault::UnrecognizedName {
                    name: name.to_owned(),
                    served,
                    more,
                })
            }
            // RFC 9846, 9.2: a server that requires server_name answers a ClientHello without it
            // with missing_extension.
            (None, None) => Err(Fault::MissingExtension {
                message: "ClientHello",
                extension: ExtensionType::SERVER_NAME,
            }),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Server");
        out.field("cipher_suites", &self.config.settings.suites);
        #[cfg(feature = "key-log")]
        out.field("key_log", &self.config.settings.key_log);
        out.finish_non_exhaustive()
    }
}

/// Builds a [`Server`].
///
/// [`build`](Self::build) reports invalid settings, and of several the first. A later valid call
/// does not undo the error.
#[must_use]
pub struct ServerBuilder {
    pub(super) settings: Settings,
    client_auth: ClientAuth,
    pub(super) ticket_keys: Option<TicketKeys>,
    ticket_lifetime: Duration,
    max_session_age: Duration,
    pub(super) revoked_sessions: Option<RevokedSessions>,
    early_data: Option<(u32, ReplayGuard)>,
    early_data_window: Duration,
    external_psks: Vec<ExternalPsk>,
    retry_cookie: bool,
    default_identity: Option<Identity>,
    named: Vec<Named>,
}

impl ServerBuilder {
    /// Sets who this server is for every name that a client asks for, unless an
    /// [`identity_by_name`](Self::identity_by_name) or [`identity_for`](Self::identity_for)
    /// matches. Replaces an earlier call.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.default_identity = Some(identity);
        self
    }

    /// Adds an identity for clients that ask for one of the names in its certificate (SNI). Can be
    /// called several times.
    ///
    /// The first identity that matches is used. If the client sends certificate_authorities, the
    /// first match that one of them issued is preferred. If no [`identity`](Self::identity) is set,
    /// other names are refused with unrecognized_name, and clients that send no name with
    /// missing_extension. [`build`](Self::build) refuses a certificate without a DNS name, since no
    /// client could ask for it.
    pub fn identity_by_name(mut self, identity: Identity) -> Self {
        self.named.push(Named {
            name: None,
            identity,
        });
        self
    }

    /// Adds an identity for clients that ask for this DNS name (SNI), whatever its certificate
    /// says. It is meant for keys without certificates.
    ///
    /// A server that has identities by name only, and no [`identity`](Self::identity), refuses
    /// clients that ask for another name or none. So nobody can forward to it a connection that was
    /// meant for another server (RFC 9846, F.9). [`build`](Self::build) refuses an invalid or
    /// repeated name.
    pub fn identity_for(mut self, name: &str, identity: Identity) -> Self {
        match ServerName::parse(name) {
            Ok(parsed) => match parsed.dns() {
                Some(dns)
                    if self
                        .named
                        .iter()
                        .any(|named| named.name.as_deref() == Some(dns)) =>
                {
                    self.settings
                        .refuse("identity_for", "it has this name already");
                }
                Some(dns) => self.named.push(Named {
                    name: Some(dns.to_owned()),
                    identity,
                }),
                None => self.settings.refuse(
                    "identity_for",
                    "clients cannot ask for an IP address or a SPIFFE ID: use identity() instead",
                ),
            },
            Err(error) => self.settings.refuse_name(error),
        }
        self
    }

    /// Sets the keys that this server shares with clients, one with each client. Replaces an
    /// earlier call.
    ///
    /// With such a key both sides authenticate each other, and no certificates are sent or
    /// requested, whatever [`client_auth`](Self::client_auth) is. If an
    /// [`identity`](Self::identity) is set too, other clients are served with its certificate.
    /// Otherwise only clients with one of these keys are served.
    ///
    /// With an identity, anyone can find out which PSK identities this server knows. Without one, a
    /// known and an unknown identity look alike (RFC 9846, F.6).
    ///
    /// A session that began with a PSK resumes by ticket, and then allows early data if that is
    /// enabled. If there are too many keys to hold, or if they change, choose the configuration
    /// after the ClientHello has arrived: see [`Handshake::undecided`](crate::Handshake::undecided)
    /// and [`Connection::undecided`](crate::Connection::undecided).
    /// [`ClientHello::psk_identities`](crate::ClientHello::psk_identities) and
    /// [`PskIdentity`](crate::PskIdentity) tell which keys the client offers.
    pub fn external_psks(mut self, psks: impl IntoIterator<Item = ExternalPsk>) -> Self {
        self.external_psks = psks.into_iter().collect();
        self
    }

    /// Accepts early data (0-RTT), up to `max_size` bytes a connection. `guard` remembers what was
    /// accepted. Off by default.
    ///
    /// Tickets tell clients that they may send early data when they return. So it is accepted only
    /// under tickets, never with the first handshake, and not directly under an external PSK.
    ///
    /// Read it as it arrives, through [`Progress::EarlyData`](crate::Progress::EarlyData) or
    /// [`Status::EarlyData`](crate::Status::EarlyData), in which case it can be answered at once;
    /// or after the handshake, from the stream, where it comes before all other data:
    /// [`Stream::take_early_data`](crate::Stream::take_early_data) tells it apart. Until it is read
    /// it is held in memory, at most `max_size` bytes.
    ///
    /// A configuration that replaces another one, as in a [`LiveServer`](crate::LiveServer), needs
    /// the same [`early_data_window`](Self::early_data_window), and either a clone of the same
    /// guard or, if the guard uses a store, a guard with the same store and zone name. Otherwise it
    /// rejects the early data of all tickets that were issued before.
    ///
    /// **Early data can be replayed**, within the limits that [`ReplayGuard`] describes, and has no
    /// forward secrecy. Act on it only if that may happen twice (RFC 9846, section 8 and F.5).
    pub fn early_data(mut self, max_size: u32, guard: ReplayGuard) -> Self {
        self.early_data = Some((max_size, guard));
        self.settings.resumes_by("early_data");
        if max_size == 0 {
            self.settings.refuse(
                "early_data",
                "it must be more than 0 bytes; to accept no early data, leave this out",
            );
        }
        self
    }

    /// Sets how far the time at which a client claims to have sent its ClientHello may differ from
    /// this server's clock for its early data to be accepted. Defaults to 10 seconds; the maximum
    /// is a minute.
    ///
    /// With a longer window the guard has more to remember; with a shorter one the early data of
    /// slow clients is rejected (RFC 9846, 8.3).
    ///
    /// A ticket's age counts from its handshake, and the ticket is sent with the server's first
    /// data. If that happens later than this window, no early data is accepted under the ticket.
    /// The session can still be resumed.
    pub fn early_data_window(mut self, window: Duration) -> Self {
        self.early_data_window = window;
        if window.is_zero() || window > MAX_EARLY_DATA_WINDOW {
            self.settings.refuse(
                "early_data_window",
                "it must be longer than zero, and at most a minute",
            );
        }
        self
    }

    /// Sets whether clients must authenticate with a certificate or a key. By default they are not
    /// asked.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Sets the application protocols to serve (RFC 7301), in order of preference. By default the
    /// server does not answer ALPN.
    ///
    /// A client that offers only other protocols is refused. A client that offers none is not.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.settings.set_alpn(protocols);
        self
    }

    /// Sets the cipher suites to accept, in order of preference. Defaults to all that are
    /// implemented.
    pub fn cipher_suites(mut self, suites: impl IntoIterator<Item = CipherSuite>) -> Self {
        self.settings.set_suites(suites);
        self
    }

    /// Sets the key exchange groups to accept, in order of preference. Defaults to X25519MLKEM768,
    /// X25519 and, where it is [available](crate::guide#cargo-features), secp256r1.
    ///
    /// If the client sent a share for one of these groups, the server uses it and does not request
    /// another one. There is one exception: if X25519MLKEM768 is the first group that both sides
    /// support and the client sent shares only for others, the server requests one for it, which
    /// costs a round trip.
    ///
    /// This holds for all data. Early data, which is encrypted before a key exchange, is accepted
    /// only under a session whose connection used one of these groups. A session of another group
    /// is still resumed, since a resumed handshake exchanges keys in one of these groups.
    pub fn groups(mut self, groups: impl IntoIterator<Item = NamedGroup>) -> Self {
        self.settings.set_groups(groups);
        self
    }

    /// Sets the keys that seal tickets, with which clients resume their sessions. By default each
    /// `Server` creates keys of its own and renews them automatically.
    ///
    /// Several processes that serve the same name with the same identity's key share these keys in
    /// order to accept each other's tickets.
    ///
    /// Tickets are sent with the server's first data, or with its close_notify if that comes within
    /// a minute of the handshake. A client that never reads receives none. (Over a
    /// [`Connection`](crate::Connection), the minute passes when
    /// [`process`](crate::Connection::process) is told so.)
    ///
    /// The tickets of one connection have at most 16 KiB together, so a client with a long
    /// certificate receives fewer than it asks for.
    pub fn ticket_keys(mut self, keys: TicketKeys) -> Self {
        self.ticket_keys = Some(keys);
        self.settings.resumes_by("ticket_keys");
        self
    }

    /// Neither issues nor accepts tickets: every handshake is a full one.
    pub fn without_tickets(mut self) -> Self {
        self.ticket_keys = None;
        self
    }

    /// Sets how long a ticket is valid, from one second to 7 days. Defaults to 2 hours.
    ///
    /// It is checked when a ticket comes back too, so a shorter lifetime also applies to tickets
    /// that were issued before.
    pub fn ticket_lifetime(mut self, lifetime: Duration) -> Self {
        self.ticket_lifetime = lifetime;
        if !(Duration::from_secs(1)..=MAX_TICKET_LIFETIME).contains(&lifetime) {
            self.settings.refuse(
                "ticket_lifetime",
                "it must be 1 second to 7 days; to issue no tickets, use without_tickets()",
            );
        }
        self
    }

    /// Sets how long after a full handshake its session may be resumed, by one ticket after
    /// another. Defaults to 24 hours. After that the client must authenticate again.
    pub fn max_session_age(mut self, age: Duration) -> Self {
        self.max_session_age = age;
        if age < Duration::from_secs(1) {
            self.settings.refuse(
                "max_session_age",
                "it must be at least 1 second; to issue no tickets, use without_tickets()",
            );
        }
        self
    }

    /// Sets whether every client must repeat a cookie in a second ClientHello before anything is
    /// computed for it. Off by default.
    ///
    /// It costs a round trip and brings nothing over TCP. It is meant for transports on which
    /// anyone can forge a sender's address: a client that never receives the cookie gets no
    /// further. The retry rejects all early data. Meanwhile the server holds the first ClientHello,
    /// up to [`max_handshake_size`](Self::max_handshake_size) for each connection.
    pub fn retry_cookie(mut self, on: bool) -> Self {
        self.retry_cookie = on;
        self
    }

    /// Sets the longest record that a client may send, in bytes of content, content type and
    /// padding together (RFC 8449): 64 to 16385. Defaults to 16385.
    ///
    /// A client that does not support the extension sends longer records.
    pub fn record_size_limit(mut self, bytes: u16) -> Self {
        self.settings.set_record_size_limit(bytes);
        self
    }

    /// Sets a hook that decides about every client that has authenticated with a certificate or a
    /// key. If it returns `Err`, the connection ends with access_denied.
    ///
    /// It is called for resumed sessions too. It is not called for clients that sent neither a
    /// certificate nor a key ([`ClientAuth::Required`] refuses them), nor for clients with an
    /// [external PSK](Self::external_psks), which belongs to one client alone.
    ///
    /// For a client that sends [early data](Self::early_data) it is called twice: before the data
    /// is accepted, when an `Err` rejects the early data alone, and once the client has proven to
    /// be present. The first call may be for a replay.
    ///
    /// For a resumed client, only its own certificate is known. A hook that decides by issuers has
    /// no answer then: put the issuers that may admit clients into the [`Trust`] instead, whose
    /// change invalidates tickets, or make every handshake a full one with
    /// [`without_tickets`](Self::without_tickets).
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

    /// Sets when session keys are renewed without anyone asking. Defaults to
    /// [`RekeyPolicy::default`].
    pub fn rekey_policy(mut self, policy: RekeyPolicy) -> Self {
        self.settings.set_rekey_policy(policy);
        self
    }

    /// Sets whether keys are renewed by extended key updates with clients that ask for it. Off by
    /// default, and experimental. It turns tickets and early data off for all clients: see
    /// [`ClientBuilder::extended_key_update`](crate::ClientBuilder::extended_key_update).
    pub fn extended_key_update(mut self, on: bool) -> Self {
        self.settings.extended_key_update = on;
        self
    }

    /// Sets how long a handshake may take, including early data and the time in which the
    /// application reads it or answers a question. Defaults to 30 seconds.
    ///
    /// Over a blocking transport, set a time-out on the transport too: see [`Server::accept`].
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.settings.handshake_timeout = limit;
        self
    }

    /// Sets the longest handshake message that is accepted, in bytes, at least 4 KiB. Defaults to
    /// 80 KiB. Before it is authenticated, a client that sends as much can occupy about three times
    /// this memory: a buffer that grows by doubling, and the first ClientHello if it is asked for a
    /// second one. For the moment in which a ClientHello of many empty extensions is read, it is
    /// about ten times.
    ///
    /// Tickets with which the client's next ClientHello would be longer are not sent.
    pub fn max_handshake_size(mut self, bytes: usize) -> Self {
        self.settings.set_max_handshake_size(bytes);
        self
    }

    /// Checks the settings and creates the server.
    ///
    /// # Errors
    /// Returns [`Error::Config`] with the setting that is missing or invalid, or [`Error::Name`] if
    /// a name in the settings is invalid.
    pub fn build(mut self) -> Result<Server, Error> {
        self.settings.check()?;
        let nameless = self.default_identity.is_none() && self.named.is_empty();
        if nameless && self.external_psks.is_empty() {
            return Err(ConfigError::Missing {
                what: "call identity(), identity_by_name(), identity_for() or external_psks() to \
                       say who this server is",
            }
            .into());
        }
        if nameless
            && !self
                .external_psks
                .iter()
                .any(|psk| psk.fits_any(&self.settings.suites))
        {
            let reason = "none of the cipher_suites() works with them: those that are not imported \
                          need a suite with SHA-256";
            return Err(ConfigError::Setting {
                name: "external_psks",
                reason,
            }
            .into());
        }
        if self.early_data.is_some() && self.ticket_keys.is_none() {
            let reason =
                "early data needs tickets, so it cannot be combined with without_tickets()";
            return Err(ConfigError::Setting {
                name: "early_data",
                reason,
            }
            .into());
        }
        if self.settings.extended_key_update {
            self.ticket_keys = None;
        }
        self.check_revoked_sessions()?;
        let window = self.early_data_window;
        if self
            .named
            .iter()
            .any(|named| named.name.is_none() && !named.identity.has_dns_names())
        {
            let reason = "its certificate has no DNS name, so no client could ask for it; give it \
                          to identity() or identity_for() instead";
            return Err(ConfigError::Setting {
                name: "identity_by_name",
                reason,
            }
            .into());
        }
        if let Some(trust) = self.client_auth.trust() {
            trust.check()?;
        }
        if let Some(revoked) = &self.revoked_sessions {
            revoked.cover(self.ticket_lifetime);
        }
        Ok(Server {
            totals: Arc::default(),
            config: Arc::new(ServerConfig {
                settings: self.settings,
                client_auth: self.client_auth,
                ticket_keys: self.ticket_keys,
                ticket_lifetime: self.ticket_lifetime,
                max_session_age: self.max_session_age,
                revoked_sessions: self.revoked_sessions,
                early_data: self.early_data.map(|(max_size, guard)| EarlyDataConfig {
                    max_size,
                    guard: guard.for_window(window),
                    window,
                }),
                external_psks: ExternalPsks::new(self.external_psks)?,
                retry_cookie: self.retry_cookie,
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
        let build = |by_name| {
            Server::builder()
                .identity(Identity::generate().unwrap())
                .identity_by_name(by_name)
                .build()
                .map(drop)
        };
        for nameless in [
            Identity::generate().unwrap(),
            authority.issue_server(["10.0.0.1", "::1"]).unwrap(),
        ] {
            let error = build(nameless).unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::Config(ConfigError::Setting {
                        name: "identity_by_name",
                        ..
                    })
                ),
                "{error:?}"
            );
        }
        build(authority.issue_server(["10.0.0.1", "db.internal"]).unwrap()).unwrap();
    }
}
