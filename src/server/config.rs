//! [`Server`]: what a program sets up once, and every connection shares.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::code_point::{CipherSuite, ExtensionType, NamedGroup};
use crate::error::{ConfigError, Error, Fault};
use crate::handshake::Settings;
use crate::identity::{Identity, Peer, ServerName, Trust};
use crate::record::Padding;
use crate::session::{ExternalPsk, ExternalPsks, ReplayGuard, TicketKeys};

/// How long a ticket is good unless the configuration says otherwise: long enough for a client that
/// comes back in the same sitting. Whoever gets hold of a ticket key learns nothing of what
/// connections made with it carried (psk_dhe_ke), but can pose as those clients until then, and as
/// the server to them.
const DEFAULT_TICKET_LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);

/// How long after a full handshake its session may be resumed, by one ticket after the other,
/// unless the configuration says otherwise.
const DEFAULT_MAX_SESSION_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How far the time at which a ClientHello says it was sent may be from our clock, unless the
/// configuration says otherwise: RFC 9846, 8.3: "For clients on the Internet, this implies windows
/// on the order of ten seconds".
const DEFAULT_EARLY_DATA_WINDOW: Duration = Duration::from_secs(10);

/// RFC 9846, 4.7.1: "Servers MUST NOT use any value greater than 604800 seconds (7 days)."
const MAX_TICKET_LIFETIME: Duration = Duration::from_secs(604_800);

/// The longest that it may be set to.
const MAX_EARLY_DATA_WINDOW: Duration = Duration::from_secs(60);

/// A server's configuration: who it is, whom it lets in, what it accepts. Cheap to clone, safe to
/// share.
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
    /// None where no tickets are given out or taken.
    pub(crate) ticket_keys: Option<TicketKeys>,
    pub(crate) ticket_lifetime: Duration,
    pub(crate) max_session_age: Duration,
    /// None where early data is not taken.
    pub(crate) early_data: Option<EarlyDataConfig>,
    pub(crate) external_psks: ExternalPsks,
    pub(crate) retry_cookie: bool,
    /// Serves every name that none of `named` does.
    default_identity: Option<Identity>,
    named: Vec<Named>,
}

/// Early data, where it is taken.
pub(crate) struct EarlyDataConfig {
    /// How much of it tickets allow, in bytes.
    pub(crate) max_size: u32,
    pub(crate) guard: ReplayGuard,
    /// How far the time at which a ClientHello says it was sent may be from our clock, on either
    /// side.
    pub(crate) window: Duration,
}

/// An identity for some names.
struct Named {
    /// The one name, in lower case; None for those in its certificate.
    name: Option<String>,
    identity: Identity,
}

impl Named {
    fn serves(&self, wanted: &str) -> bool {
        match &self.name {
            Some(name) => name == wanted,
            None => self.identity.matches_name(wanted),
        }
    }
}

/// Whether a server asks its clients for a certificate, and whom it trusts then.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientAuth {
    /// Clients are not asked who they are.
    #[default]
    None,
    /// Clients are asked, and may say nothing: then `peer()` is `None`. A certificate that is shown
    /// must be good.
    Optional(Trust),
    /// Clients without a good certificate are refused; but for those with an
    /// [external PSK](ServerBuilder::external_psks), who show none, and for whom `peer()` is
    /// `None`.
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
    /// Begins a configuration; an identity, or an external PSK, is the one setting it cannot do
    /// without.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            settings: Settings::default(),
            client_auth: ClientAuth::None,
            ticket_keys: Some(TicketKeys::rotating()),
            ticket_lifetime: DEFAULT_TICKET_LIFETIME,
            max_session_age: DEFAULT_MAX_SESSION_AGE,
            early_data: None,
            early_data_window: DEFAULT_EARLY_DATA_WINDOW,
            external_psks: Vec::new(),
            retry_cookie: false,
            default_identity: None,
            named: Vec::new(),
        }
    }
}

impl ServerConfig {
    /// Who this server is for a client that asked for `name`, and trusts these `authorities` if it
    /// names any. Nobody, if it takes PSKs alone.
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
        // RFC 9846, 4.5.1.2: the server's chain too is one that leads to certificate_authorities,
        // if there is a choice.
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
            (None, Some(name)) => Err(Fault::UnrecognizedName {
                name: name.to_owned(),
            }),
            // RFC 9846, 9.2: a server that requires server_name answers a ClientHello without it by
            // missing_extension.
            (None, None) => Err(Fault::MissingExtension {
                message: "ClientHello",
                extension: ExtensionType::SERVER_NAME,
            }),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("cipher_suites", &self.config.settings.suites)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Server`]. A setting that cannot be taken is refused by [`build`](Self::build), also
/// if it was set again; of several the first.
#[must_use]
pub struct ServerBuilder {
    settings: Settings,
    client_auth: ClientAuth,
    ticket_keys: Option<TicketKeys>,
    ticket_lifetime: Duration,
    max_session_age: Duration,
    early_data: Option<(u32, ReplayGuard)>,
    early_data_window: Duration,
    external_psks: Vec<ExternalPsk>,
    retry_cookie: bool,
    default_identity: Option<Identity>,
    named: Vec<Named>,
}

impl ServerBuilder {
    /// Who this server is, whatever name a client asks for, unless an
    /// [`identity_by_name`](Self::identity_by_name) or [`identity_for`](Self::identity_for) fits
    /// better. Replaces one set before.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.default_identity = Some(identity);
        self
    }

    /// Who this server is for clients that ask for one of the names in this identity's certificate
    /// (SNI). May be called many times; the first that fits is taken, or the first of them that one
    /// of the client's certificate_authorities issued. Without an [`identity`](Self::identity)
    /// besides, other names are refused with unrecognized_name, and clients that send none with
    /// missing_extension. A certificate without a DNS name is refused by [`build`](Self::build),
    /// since nobody could ask for it.
    pub fn identity_by_name(mut self, identity: Identity) -> Self {
        self.named.push(Named {
            name: None,
            identity,
        });
        self
    }

    /// Who this server is for clients that ask for this DNS name (SNI), whatever its certificate
    /// says: for keys without certificates. A server that has identities by name alone, and no
    /// [`identity`](Self::identity), refuses clients that ask for another name or for none, so
    /// nobody can pass on to it a connection that was meant for someone else (RFC 9846, F.9). A
    /// name that is none, or is given twice, is refused by [`build`](Self::build).
    pub fn identity_for(mut self, name: &str, identity: Identity) -> Self {
        match ServerName::parse(name) {
            Ok(parsed) => match parsed.dns() {
                Some(dns)
                    if self
                        .named
                        .iter()
                        .any(|named| named.name.as_deref() == Some(dns)) =>
                {
                    self.settings.refuse("identity_for", "names a name twice");
                }
                Some(dns) => self.named.push(Named {
                    name: Some(dns.to_owned()),
                    identity,
                }),
                None => self.settings.refuse(
                    "identity_for",
                    "clients cannot ask for an IP address: give the identity to identity() instead",
                ),
            },
            Err(error) => self.settings.refuse_name(error),
        }
        self
    }

    /// Keys that this server shares with clients, one with each: with its own a client and this
    /// server know each other, and no certificates are shown or asked for, whatever
    /// [`client_auth`](Self::client_auth) says. Replaces those set before. Besides an
    /// [`identity`](Self::identity), other clients are served by certificate; without, only these
    /// are.
    ///
    /// Besides an identity, whoever tries can find out which PSK identities are known here;
    /// without, both look the same (RFC 9846, F.6).
    ///
    /// A session that began with one resumes by ticket, and then allows early data, if that is
    /// taken. Where they are too many to be held, or change: choose the configuration when the
    /// ClientHello is there, by [`Handshake::undecided`](crate::Handshake::undecided) or
    /// [`Connection::undecided`](crate::Connection::undecided);
    /// [`ClientHello::psk_identities`](crate::ClientHello::psk_identities) and
    /// [`PskIdentity`](crate::PskIdentity) say which ones the client offers.
    pub fn external_psks(mut self, psks: impl IntoIterator<Item = ExternalPsk>) -> Self {
        self.external_psks = psks.into_iter().collect();
        self
    }

    /// Takes early data (0-RTT), up to so many bytes of it on a connection; the guard keeps account
    /// of what has been taken. Off by default. Tickets tell clients that they may send some when
    /// they come back: so early data comes under tickets alone, and never with the first handshake,
    /// or directly under an external PSK.
    ///
    /// How it is read: as it comes, by [`Progress::EarlyData`](crate::Progress::EarlyData) or
    /// [`Status::EarlyData`](crate::Status::EarlyData), and then it may be answered at once; or
    /// when the handshake is complete, by
    /// [`Stream::take_early_data`](crate::Stream::take_early_data). Until that is read, it is held
    /// in memory: `max_size` bytes at most.
    ///
    /// A configuration that takes another one's place, as in a [`LiveServer`](crate::LiveServer),
    /// is given a clone of the same guard: a new one rejects the early data under all tickets that
    /// are out.
    ///
    /// **Early data can be replayed**, within the limits that [`ReplayGuard`] describes, and it has
    /// no forward secrecy: act on it only if that may happen twice (RFC 9846, section 8 and F.5).
    pub fn early_data(mut self, max_size: u32, guard: ReplayGuard) -> Self {
        self.early_data = Some((max_size, guard));
        if max_size == 0 {
            self.settings.refuse(
                "early_data",
                "0 bytes are none: to take no early data, leave this out",
            );
        }
        self
    }

    /// How far the time at which a ClientHello says it was sent may be from this server's clock,
    /// for its early data to be taken: 10 seconds by default, a minute at most. Longer means more
    /// to be remembered by the guard; shorter, that slow clients' early data is rejected (RFC 9846,
    /// 8.3).
    ///
    /// A ticket's age counts from its handshake, and it goes out with the server's first data. If
    /// that comes later than this, no early data is taken under it; the session still resumes.
    pub fn early_data_window(mut self, window: Duration) -> Self {
        self.early_data_window = window;
        if window.is_zero() || window > MAX_EARLY_DATA_WINDOW {
            self.settings.refuse(
                "early_data_window",
                "it must be more than nothing, and at most a minute",
            );
        }
        self
    }

    /// Whether clients must show a certificate. They are not asked by default.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// The application protocols served (RFC 7301), in order of preference. A client that offers
    /// others only is refused; one that offers none is not. By default the server does not answer
    /// ALPN.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.settings.set_alpn(protocols);
        self
    }

    /// The cipher suites accepted, in order of preference. All that are implemented by default.
    pub fn cipher_suites(mut self, suites: impl IntoIterator<Item = CipherSuite>) -> Self {
        self.settings.set_suites(suites);
        self
    }

    /// The groups accepted for the key exchange, in order of preference. By default X25519MLKEM768,
    /// X25519 and secp256r1.
    ///
    /// A client that sent a share for one of them is not asked for another, with one exception:
    /// X25519MLKEM768 is worth a round trip, if it is the first that both support and the client
    /// sent shares for others only.
    pub fn groups(mut self, groups: impl IntoIterator<Item = NamedGroup>) -> Self {
        self.settings.set_groups(groups);
        self
    }

    /// The keys that tickets are sealed with, so that clients can resume their sessions. By default
    /// each `Server` makes keys of its own, renewed by themselves; several processes that serve the
    /// same name, with the same identity's key, share keys to take each other's tickets.
    ///
    /// Tickets go out with the server's first data, or with its close_notify, if that comes within
    /// a minute of the handshake: a client that only sends, and never reads, gets none. (Over a
    /// [`Connection`](crate::Connection) the minute is over when
    /// [`process`](crate::Connection::process) is told so.)
    pub fn ticket_keys(mut self, keys: TicketKeys) -> Self {
        self.ticket_keys = Some(keys);
        self
    }

    /// Neither gives out tickets nor takes them: every handshake is a full one.
    pub fn without_tickets(mut self) -> Self {
        self.ticket_keys = None;
        self
    }

    /// How long a ticket is good: 2 hours by default, from a second to 7 days. It counts when a
    /// ticket comes back too, so a shorter one holds for those that are out already.
    pub fn ticket_lifetime(mut self, lifetime: Duration) -> Self {
        self.ticket_lifetime = lifetime;
        if !(Duration::from_secs(1)..=MAX_TICKET_LIFETIME).contains(&lifetime) {
            self.settings.refuse(
                "ticket_lifetime",
                "it must be a second to 7 days; to give out none there is without_tickets()",
            );
        }
        self
    }

    /// How long after a full handshake its session may be resumed, by one ticket after the other:
    /// 24 hours by default. After that the client proves again who it is.
    pub fn max_session_age(mut self, age: Duration) -> Self {
        self.max_session_age = age;
        if age < Duration::from_secs(1) {
            self.settings.refuse(
                "max_session_age",
                "it must be at least a second; to give out no tickets there is without_tickets()",
            );
        }
        self
    }

    /// Whether every client has to repeat a cookie in a second ClientHello before anything is
    /// computed for it. Off by default: it costs a round trip, and over TCP brings nothing. It is
    /// for transports where anyone can write any sender's address: a client that never hears the
    /// cookie gets no further. A retry rejects early data, all of it. The server keeps the first
    /// ClientHello meanwhile, up to [`max_handshake_size`](Self::max_handshake_size) for each
    /// connection.
    pub fn retry_cookie(mut self, on: bool) -> Self {
        self.retry_cookie = on;
        self
    }

    /// The longest record that a client may send, in bytes of content, content type and padding
    /// together (RFC 8449): 64 to 16385, which is the default. A client that does not know the
    /// extension sends longer ones.
    pub fn record_size_limit(mut self, bytes: u16) -> Self {
        self.settings.set_record_size_limit(bytes);
        self
    }

    /// Asked about every client that has proven who it is by a certificate or a key, also when its
    /// session is resumed; an `Err` ends the connection with access_denied. Clients without a
    /// certificate are not asked about: [`ClientAuth::Required`] keeps them out. Nor are those with
    /// an [external PSK](Self::external_psks), which was given to one of them alone.
    ///
    /// About a client that sends [early data](Self::early_data) it is asked twice: before any of
    /// that is taken, where an `Err` rejects the early data alone, and when the client has shown to
    /// be there. The first time it may be about a replay.
    ///
    /// Of a resumed client there is its own certificate alone. A hook that goes by who issued it
    /// (the certificates above) has no answer then: put the issuers that may let clients in into
    /// the [`Trust`] instead, whose change ends tickets, or make every handshake a full one by
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

    /// How records are padded, to hide their length (RFC 9846, 5.4). Not at all by default.
    pub fn padding(mut self, padding: Padding) -> Self {
        self.settings.padding = padding;
        self
    }

    /// How long a handshake may take: 30 seconds by default, early data and the time included that
    /// the application takes over it or to answer a question. Over a transport that blocks, give
    /// that a time-out too: see [`Server::accept`].
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.settings.handshake_timeout = limit;
        self
    }

    /// The longest handshake message accepted, in bytes: 32 KiB by default, at least 4 KiB.
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
        let nameless = self.default_identity.is_none() && self.named.is_empty();
        if nameless && self.external_psks.is_empty() {
            return Err(ConfigError::Missing {
                what: "identity(), identity_for() or external_psks(): who this server is",
            }
            .into());
        }
        if nameless
            && !self
                .external_psks
                .iter()
                .any(|psk| psk.fits_any(&self.settings.suites))
        {
            let reason = "none of cipher_suites() goes with them: those that are not imported need \
                          a suite with SHA-256";
            return Err(ConfigError::Setting {
                name: "external_psks",
                reason,
            }
            .into());
        }
        if self.early_data.is_some() && self.ticket_keys.is_none() {
            let reason = "early data comes under tickets: it cannot go with without_tickets()";
            return Err(ConfigError::Setting {
                name: "early_data",
                reason,
            }
            .into());
        }
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
        Ok(Server {
            config: Arc::new(ServerConfig {
                settings: self.settings,
                client_auth: self.client_auth,
                ticket_keys: self.ticket_keys,
                ticket_lifetime: self.ticket_lifetime,
                max_session_age: self.max_session_age,
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
