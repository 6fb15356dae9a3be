//! The configuration file: what is written there, and what it means.
//!
//! A [`Config`] is complete and consistent. What TOML and the types of the fields can refuse, they
//! refuse with the place in the file; what depends on several fields names the service's line.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fleeting::ServerName;
use humantime::format_duration;
use serde::Deserialize;
use toml::Spanned;

use crate::peers::{Peers, Rule};

const DRAIN: Duration = Duration::from_secs(30);
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Long enough for pools that keep connections over a night.
const IDLE_TIMEOUT: Duration = Duration::from_secs(12 * 3600);
const MAX_CONNECTIONS: u32 = 1000;
/// A client may open a few connections at once, unless that would be all there are.
const LEAST_SHARE: u32 = 8;

/// What the file says.
#[derive(Debug)]
pub struct Config {
    pub metrics: Option<SocketAddr>,
    /// How long connections may go on after the tunnel was told to stop.
    pub drain: Duration,
    pub services: Vec<Service>,
}

/// One service.
#[derive(Clone, Debug)]
pub struct Service {
    pub name: String,
    /// The line of the file on which it begins.
    pub line: usize,
    pub listen: SocketAddr,
    pub connect: Target,
    pub role: Role,
    pub files: Files,
    pub peers: Peers,
    pub alpn: Vec<String>,
    pub limits: Limits,
}

/// On which side TLS is.
#[derive(Clone, Debug)]
pub enum Role {
    /// Accepts TLS, connects plain.
    Server {
        /// The name for which a new certificate is checked before it is used.
        checked_for: Option<String>,
    },
    /// Accepts plain, connects with TLS.
    Client {
        /// The name that the server must have.
        server_name: String,
    },
}

/// The files that are watched.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    pub roots: Option<PathBuf>,
    /// The roots vouch for the SPIFFE IDs of this trust domain alone.
    pub trust_domain: Option<String>,
    pub revocation_lists: Vec<PathBuf>,
    pub peer_roots: Option<PathBuf>,
    pub interval: Duration,
}

#[derive(Clone, Debug)]
pub struct Limits {
    pub max_connections: u32,
    pub handshakes_per_second: Option<u32>,
    /// At a time, of one address. `None` if nobody has to be kept apart.
    pub handshakes_per_address: Option<u32>,
    pub connect_timeout: Duration,
    pub handshake_timeout: Duration,
    pub idle_timeout: Duration,
}

/// A host and a port. The name is resolved for each connection.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Target {
    pub host: String,
    pub port: u16,
}

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    metrics: Option<SocketAddr>,
    drain: Option<Time>,
    reload_interval: Option<Time>,
    #[serde(default)]
    service: BTreeMap<String, Spanned<Section>>,
}

/// A `[service.NAME]`, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    mode: Mode,
    listen: SocketAddr,
    connect: Target,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    roots: Option<PathBuf>,
    trust_domain: Option<String>,
    #[serde(default)]
    revocation_lists: Vec<PathBuf>,
    peer_roots: Option<PathBuf>,
    peers: Option<Vec<Rule>>,
    #[serde(default)]
    any_peer: bool,
    #[serde(default)]
    anonymous_clients: bool,
    server_name: Option<String>,
    #[serde(default)]
    alpn: Vec<String>,
    max_connections: Option<NonZeroU32>,
    handshakes_per_second: Option<NonZeroU32>,
    handshakes_per_address: Option<NonZeroU32>,
    connect_timeout: Option<Time>,
    handshake_timeout: Option<Time>,
    idle_timeout: Option<Time>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Server,
    Client,
}

/// A time with its unit, such as `10s`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Time(Duration);

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match humantime::parse_duration(&text) {
            Ok(time) if !time.is_zero() => Ok(Self(time)),
            _ => Err(
                "expected a time above zero with its unit, such as \"10s\", \"500ms\" or \
                      \"12h\""
                    .to_owned(),
            ),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let help = "expected a host and a port, such as \"db.internal:5432\" or \"[::1]:6379\"";
        let (host, port) = text.rsplit_once(':').ok_or(help)?;
        let host = match host.strip_prefix('[') {
            Some(inside) => inside.strip_suffix(']').ok_or(help)?,
            None if host.contains(':') => return Err(help.to_owned()),
            None => host,
        };
        match port.parse() {
            Ok(port) if port > 0 && !host.is_empty() => Ok(Self {
                host: host.to_owned(),
                port,
            }),
            _ => Err(help.to_owned()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Config {
    /// Reads a file. Each error is a text of its own, and says where and what to do.
    pub fn read(path: &Path) -> Result<Self, Vec<String>> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| vec![format!("{shown}: cannot be read: {error}")])?;
        // Paths in the file are relative to its folder, wherever the tunnel is started.
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(|errors| {
            let named = errors.into_iter().map(|error| format!("{shown}: {error}"));
            named.collect()
        })
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, Vec<String>> {
        let file: File = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        if file.service.is_empty() {
            return Err(vec![
                "there is no service: add a section [service.NAME]".to_owned(),
            ]);
        }
        let interval = file.reload_interval.map_or(RELOAD_INTERVAL, |time| time.0);
        let (mut services, mut errors) = (Vec::new(), Vec::new());
        for (name, section) in file.service {
            let line = text[..section.span().start].matches('\n').count() + 1;
            match service(&name, line, section.into_inner(), folder, interval) {
                Ok(service) => services.push(service),
                Err(error) => errors.push(format!("line {line}: service {name}: {error}")),
            }
        }
        match errors.is_empty() {
            true => Ok(Self {
                metrics: file.metrics,
                drain: file.drain.map_or(DRAIN, |time| time.0),
                services,
            }),
            false => Err(errors),
        }
    }
}

fn service(
    name: &str,
    line: usize,
    section: Section,
    folder: &Path,
    interval: Duration,
) -> Result<Service, String> {
    // It is in every log line and is a label of every metric.
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || !name.chars().all(plain) {
        return Err("a name has letters, digits, and the characters - _ .".to_owned());
    }
    let peers = peers(&section)?;
    let role = role(&section)?;
    let inside = |path: PathBuf| folder.join(path);
    let identity = match (section.certificate, section.key) {
        (Some(certificate), Some(key)) => Some((inside(certificate), inside(key))),
        (None, None) if section.mode == Mode::Client => None,
        (None, None) => return Err("a server needs `certificate` and `key`".to_owned()),
        _ => return Err("`certificate` and `key` belong together: give both".to_owned()),
    };
    if section.peer_roots.is_some() && identity.is_none() {
        return Err("`peer_roots` checks this side's certificate, and there is none".to_owned());
    }
    let max_connections = section.max_connections.map_or(MAX_CONNECTIONS, u32::from);
    let handshakes_per_address = match (section.mode, section.handshakes_per_address) {
        (Mode::Server, given) => {
            let share = (max_connections / 2).max(LEAST_SHARE);
            let share = share.min(max_connections.saturating_sub(1)).max(1);
            Some(given.map_or(share, u32::from))
        }
        (Mode::Client, None) => None,
        (Mode::Client, Some(_)) => {
            return Err("`handshakes_per_address` is for mode = \"server\"".to_owned());
        }
    };
    let time = |given: Option<Time>, default| given.map_or(default, |time| time.0);
    Ok(Service {
        name: name.to_owned(),
        line,
        listen: section.listen,
        connect: section.connect,
        role,
        files: Files {
            identity,
            roots: section.roots.map(inside),
            trust_domain: section.trust_domain,
            revocation_lists: section.revocation_lists.into_iter().map(inside).collect(),
            peer_roots: section.peer_roots.map(inside),
            interval,
        },
        peers,
        alpn: section.alpn,
        limits: Limits {
            max_connections,
            handshakes_per_second: section.handshakes_per_second.map(u32::from),
            handshakes_per_address,
            connect_timeout: time(section.connect_timeout, CONNECT_TIMEOUT),
            handshake_timeout: time(section.handshake_timeout, HANDSHAKE_TIMEOUT),
            idle_timeout: time(section.idle_timeout, IDLE_TIMEOUT),
        },
    })
}

/// Decides who is admitted. Nobody is admitted by leaving something out.
fn peers(section: &Section) -> Result<Peers, String> {
    let server = section.mode == Mode::Server;
    if section.roots.is_none() {
        let needless = section.peers.is_some()
            || section.any_peer
            || section.trust_domain.is_some()
            || !section.revocation_lists.is_empty();
        return match (server, section.anonymous_clients, needless) {
            (true, true, false) => Ok(Peers::Anonymous),
            (true, true, true) => Err("with `anonymous_clients = true` nobody is asked for a \
                                       certificate: leave out `peers`, `any_peer`, \
                                       `trust_domain` and `revocation_lists`"
                .to_owned()),
            (true, false, _) => Err(
                "give `roots`, the file of the authorities whose clients are \
                                     accepted (or `anonymous_clients = true`, and everyone is)"
                    .to_owned(),
            ),
            (false, ..) => Err(
                "give `roots`, the file of the authorities whose servers are \
                                accepted"
                    .to_owned(),
            ),
        };
    }
    if section.anonymous_clients {
        return Err("`anonymous_clients` is for a server without `roots`".to_owned());
    }
    match (&section.peers, section.any_peer) {
        (Some(rules), _) if rules.is_empty() => {
            Err("an empty `peers` admits nobody: name somebody".to_owned())
        }
        (Some(_), true) => Err("give `peers` or `any_peer = true`, not both".to_owned()),
        (Some(rules), false) => {
            let spiffe = rules.iter().any(|rule| matches!(rule, Rule::SpiffeId(_)));
            match &section.trust_domain {
                None if spiffe => Err("a SPIFFE ID in `peers` needs `trust_domain`, the domain \
                                       that `roots` vouch for"
                    .to_owned()),
                Some(_)
                    if !rules
                        .iter()
                        .all(|rule| matches!(rule, Rule::SpiffeId(_) | Rule::Key(_))) =>
                {
                    Err(
                        "with `trust_domain` a peer has a SPIFFE ID and a key, and nothing \
                         else that `peers` could name"
                            .to_owned(),
                    )
                }
                _ => Ok(Peers::Listed(rules.clone())),
            }
        }
        // The name of the server is checked in any case.
        (None, false) if !server => Ok(Peers::Any),
        (None, true) if !server => Err("`any_peer` is for mode = \"server\": a client accepts \
                                        the server that has `server_name`"
            .to_owned()),
        (None, true) => Ok(Peers::Any),
        (None, false) => Err("say who is admitted: `peers = [\"cn:alice\"]`, or \
                              `any_peer = true` for everyone with a certificate from `roots`"
            .to_owned()),
    }
}

fn role(section: &Section) -> Result<Role, String> {
    let name = match (section.mode, &section.server_name) {
        (_, Some(name)) => Some(name),
        (Mode::Client, None) => Some(&section.connect.host),
        (Mode::Server, None) => None,
    };
    if let Some(name) = name {
        ServerName::parse(name).map_err(|error| format!("`server_name` {name:?}: {error}"))?;
    }
    let is_spiffe_id = |name: &String| name.starts_with("spiffe://");
    if section.mode == Mode::Client
        && section.trust_domain.is_some()
        && !name.is_some_and(is_spiffe_id)
    {
        return Err(
            "with `trust_domain` the roots vouch for SPIFFE IDs alone: give one as \
                    `server_name`, such as \"spiffe://example.org/db\""
                .to_owned(),
        );
    }
    match (section.mode, name, &section.peer_roots) {
        (Mode::Client, Some(name), _) => Ok(Role::Client {
            server_name: name.clone(),
        }),
        (Mode::Server, Some(_), None) | (Mode::Server, None, Some(_)) => Err(
            "a server uses `server_name` and `peer_roots` together, to check a new \
                 certificate as its clients would: give both or none"
                .to_owned(),
        ),
        (_, name, _) => Ok(Role::Server {
            checked_for: name.cloned(),
        }),
    }
}

/// What the service does, and what somebody should know before it does it.
impl Service {
    /// Describes it in one paragraph.
    pub fn describe(&self) -> String {
        let Self {
            listen, connect, ..
        } = self;
        let Limits {
            max_connections,
            handshakes_per_second,
            handshakes_per_address,
            connect_timeout,
            handshake_timeout,
            idle_timeout,
        } = &self.limits;
        let who = match (&self.peers, &self.role) {
            (Peers::Anonymous, _) => "everyone (clients are not asked for a certificate)".into(),
            (Peers::Any, Role::Server { .. }) => "everyone whom the roots accept".into(),
            (Peers::Any, Role::Client { .. }) => String::new(),
            (Peers::Listed(rules), _) => {
                let rules: Vec<_> = rules.iter().map(Rule::to_string).collect();
                rules.join(", ")
            }
        };
        let does = match &self.role {
            Role::Server { .. } => {
                format!(
                    "accepts TLS on {listen} from {who}, and connects to {connect} in the clear"
                )
            }
            Role::Client { server_name } => {
                let also = if who.is_empty() {
                    ""
                } else {
                    ", which must also be "
                };
                let shows = match &self.files.identity {
                    Some(_) => "shows its certificate",
                    None => "shows no certificate",
                };
                format!(
                    "accepts on {listen} in the clear, and connects to {connect} with TLS: the \
                     server must be {server_name}{also}{who}; {shows}"
                )
            }
        };
        let revocation = match self.files.revocation_lists.len() {
            0 => "revocation is not checked".to_owned(),
            count => format!("revocation is checked by {count} file(s)"),
        };
        let rate = handshakes_per_second
            .map(|rate| format!(", {rate} handshakes a second"))
            .unwrap_or_default();
        let address = handshakes_per_address
            .map(|most| format!(", {most} handshakes at a time from one address"))
            .unwrap_or_default();
        format!(
            "{}: {does}; {revocation}; at most {max_connections} connections{rate}{address}; \
             {} to connect, {} for a handshake, {} idle",
            self.name,
            format_duration(*connect_timeout),
            format_duration(*handshake_timeout),
            format_duration(*idle_timeout),
        )
    }

    /// Returns what may be meant, and is a risk.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        match &self.role {
            Role::Client { .. } if !self.listen.ip().is_loopback() => warnings.push(format!(
                "{}: everybody who reaches {} can use this side's identity, in the clear: listen \
                 on a loopback address such as 127.0.0.1",
                self.name, self.listen
            )),
            Role::Server { .. } if !self.connect.is_loopback() => warnings.push(format!(
                "{}: what is decrypted goes to {} in the clear: run the tunnel beside the service",
                self.name, self.connect
            )),
            _ => {}
        }
        if matches!(self.peers, Peers::Anonymous) {
            warnings.push(format!("{}: it authenticates no client", self.name));
        }
        warnings
    }
}

impl Target {
    fn is_loopback(&self) -> bool {
        match self.host.parse::<std::net::IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host == "localhost",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "[service.db]\nmode = \"server\"\nlisten = \"127.0.0.1:1\"\n\
                          connect = \"localhost:2\"\ncertificate = \"c\"\nkey = \"k\"\n";
    const CLIENT: &str = "[service.db]\nmode = \"client\"\nlisten = \"127.0.0.1:1\"\n\
                          connect = \"db.internal:2\"\n";

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/tunnel")).map_err(|errors| errors.join("\n"))
    }

    #[test]
    fn a_complete_service() {
        let text = format!(
            "drain = \"1m\"\n{SERVER}roots = \"/ca.pem\"\nany_peer = true\nmax_connections = 70\n"
        );
        let config = parse(&text).unwrap();
        assert_eq!(config.drain, Duration::from_secs(60));
        let [service] = &config.services[..] else {
            panic!("{config:?}")
        };
        assert_eq!(service.line, 2);
        assert_eq!(service.connect.to_string(), "localhost:2");
        assert_eq!(service.limits.max_connections, 70);
        assert_eq!(service.limits.handshakes_per_address, Some(35));
        let files = service.files.clone();
        assert_eq!(files.roots.unwrap(), Path::new("/ca.pem"));
        assert_eq!(files.identity.unwrap().0, Path::new("/etc/tunnel/c"));
        assert!(service.warnings().is_empty());
    }

    /// Each refusal says where it is and what to do.
    #[test]
    fn refusals() {
        let roots = "roots = \"r\"\n";
        let any = "any_peer = true\n";
        for (text, expected) in [
            (String::new(), "add a section [service.NAME]"),
            (
                "services = 1".to_owned(),
                "expected one of `metrics`, `drain`",
            ),
            ("drain = \"0s\"".to_owned(), "line 1, column 9"),
            ("drain = 5".to_owned(), "invalid type: integer `5`"),
            (format!("{SERVER}{roots}{any}kye = 1\n"), "line 9, column 1"),
            (
                format!("{SERVER}{roots}{any}kye = 1\n"),
                "unknown field `kye`",
            ),
            (
                SERVER.replace("server", "sever"),
                "expected `server` or `client`",
            ),
            (SERVER.replace(":2", ""), "such as \"db.internal:5432\""),
            (SERVER.replace("127.0.0.1:1", "localhost"), "line 3"),
            (format!("\n{SERVER}"), "line 2: service db: give `roots`"),
            (format!("{SERVER}{roots}"), "say who is admitted"),
            (
                format!("{SERVER}{roots}peers = []\n"),
                "an empty `peers` admits nobody",
            ),
            (
                format!("{SERVER}{roots}peers = [\"alice\"]\n"),
                "expected \"cn:alice\"",
            ),
            (
                format!("{SERVER}{roots}{any}peers = [\"cn:a\"]\n"),
                "not both",
            ),
            (
                format!("{SERVER}{any}anonymous_clients = true\n"),
                "leave out `peers`",
            ),
            (
                format!("{SERVER}{roots}anonymous_clients = true\n"),
                "without `roots`",
            ),
            (
                format!("{SERVER}{roots}any_peer = false\n"),
                "say who is admitted",
            ),
            (
                format!("{SERVER}{roots}peers = [\"spiffe://a.b/c\"]\n"),
                "needs `trust_domain`",
            ),
            (
                format!("{SERVER}{roots}trust_domain = \"a.b\"\npeers = [\"cn:a\"]\n"),
                "and nothing else",
            ),
            (
                format!("{CLIENT}{roots}trust_domain = \"a.b\"\n"),
                "vouch for SPIFFE IDs alone",
            ),
            (
                format!("{SERVER}{roots}{any}max_connections = 0\n"),
                "expected a nonzero u32",
            ),
            (
                format!("{SERVER}{roots}{any}server_name = \"a\"\n"),
                "give both or none",
            ),
            (
                format!("{}{roots}{any}", SERVER.replace("key = \"k\"\n", "")),
                "belong together",
            ),
            (SERVER.replace(".db", ".\"d b\""), "a name has letters"),
            (CLIENT.to_owned(), "line 1: service db: give `roots`"),
            (format!("{CLIENT}{roots}{any}"), "is for mode = \"server\""),
            (
                format!("{CLIENT}{roots}handshakes_per_address = 1\n"),
                "is for mode = \"server\"",
            ),
            (
                format!("{CLIENT}{roots}server_name = \"a b\"\n"),
                "`server_name` \"a b\"",
            ),
            (
                format!("{CLIENT}{roots}peer_roots = \"p\"\n"),
                "there is none",
            ),
            (format!("{CLIENT}{roots}key = \"p\"\n"), "give both"),
        ] {
            let error = parse(&text).expect_err(&text);
            assert!(error.contains(expected), "{text}\n{error}");
        }
        let both = format!("{SERVER}{}", CLIENT.replace(".db", ".other"));
        assert_eq!(parse(&both).unwrap_err().lines().count(), 2);
    }

    #[test]
    fn plain_text_that_leaves_the_machine_is_a_warning() {
        let roots = "roots = \"r\"\n";
        for (text, warnings) in [
            (format!("{CLIENT}{roots}"), 0),
            (
                format!("{}{roots}", CLIENT.replace("127.0.0.1", "0.0.0.0")),
                1,
            ),
            (format!("{SERVER}anonymous_clients = true\n"), 1),
            (
                format!(
                    "{}{roots}any_peer = true",
                    SERVER.replace("localhost", "10.0.0.1")
                ),
                1,
            ),
        ] {
            let config = parse(&text).unwrap();
            assert_eq!(config.services[0].warnings().len(), warnings, "{text}");
        }
    }

    #[test]
    fn a_client_asks_for_the_host_unless_told_otherwise() {
        let name = |text: String| match &parse(&text).unwrap().services[0].role {
            Role::Client { server_name } => server_name.clone(),
            Role::Server { .. } => panic!("{text}"),
        };
        let client = format!("{CLIENT}roots = \"r\"\n");
        assert_eq!(name(client.clone()), "db.internal");
        assert_eq!(name(format!("{client}server_name = \"other\"")), "other");
        assert_eq!(name(client.replace("db.internal", "[::1]")), "::1");
    }
}
