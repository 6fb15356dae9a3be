//! [`ServerName`]: the server that a client wants to reach.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use rustls_pki_types as pki;

use crate::error::NameError;
use crate::identity::uri;

/// The name of a server: a DNS name, an IP address or a SPIFFE ID.
///
/// A DNS name is stored in lower case and without a trailing dot, as `server_name` requires it (RFC
/// 6066, section 3). An IP address is compared with the IP addresses in a certificate, and is never
/// sent. Neither is a SPIFFE ID (`spiffe://example.org/db`), which is compared with the only URI in
/// a certificate: see [`Trust::spiffe_roots_from_pem`](crate::Trust::spiffe_roots_from_pem).
///
/// ```
/// use fleeting::{NameError, ServerName};
///
/// let name = ServerName::parse("DB.internal.")?;
/// assert_eq!(name.to_string(), "db.internal");
/// assert_eq!(name.dns(), Some("db.internal"));
/// assert_eq!(ServerName::parse("::1")?.dns(), None);
///
/// let wrong = ServerName::parse("db.internal:9846");
/// assert_eq!(wrong, Err(NameError::Port { name: "db.internal".to_owned() }));
/// # Ok::<(), NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerName(Kind);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Dns(Box<str>),
    Ip(IpAddr),
    Spiffe(Box<str>),
}

impl ServerName {
    /// Parses a DNS name, an IP address or a SPIFFE ID. An IPv6 address may be in brackets.
    ///
    /// # Errors
    ///
    /// Returns [`NameError`] if the name is empty, contains a port, is not ASCII, or is not a valid
    /// name. A SPIFFE ID is never made valid by changing its case or removing a slash.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if !name.is_ascii() {
            return Err(NameError::NotAscii);
        }
        if uri::has_spiffe_scheme(name) {
            return match uri::spiffe_trust_domain(name) {
                Some(_) => Ok(Self(Kind::Spiffe(name.into()))),
                None => Err(NameError::Uri),
            };
        }
        if let Some(parsed) = parse_bare(name) {
            return Ok(parsed);
        }
        if let Some((host, port)) = name.rsplit_once(':')
            && !port.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && let Some(host) = parse_bare(host)
        {
            return Err(NameError::Port {
                name: host.to_string(),
            });
        }
        Err(NameError::Invalid)
    }

    /// Returns the DNS name, which is sent in `server_name`. `None` for other names.
    pub fn dns(&self) -> Option<&str> {
        match &self.0 {
            Kind::Dns(name) => Some(name),
            Kind::Ip(_) | Kind::Spiffe(_) => None,
        }
    }

    /// Returns the IP address. `None` for other names.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.0 {
            Kind::Dns(_) | Kind::Spiffe(_) => None,
            Kind::Ip(ip) => Some(ip),
        }
    }

    /// Returns the SPIFFE ID. `None` for other names.
    pub fn spiffe_id(&self) -> Option<&str> {
        match &self.0 {
            Kind::Dns(_) | Kind::Ip(_) => None,
            Kind::Spiffe(id) => Some(id),
        }
    }

    /// Returns the same name for path validation, which does not know SPIFFE IDs.
    pub(crate) fn to_pki(&self) -> Option<pki::ServerName<'_>> {
        match &self.0 {
            Kind::Dns(name) => Some(pki::ServerName::DnsName(
                pki::DnsName::try_from(&**name).ok()?,
            )),
            Kind::Ip(ip) => Some(pki::ServerName::IpAddress((*ip).into())),
            Kind::Spiffe(_) => None,
        }
    }
}

/// Parses a name without a port.
fn parse_bare(name: &str) -> Option<ServerName> {
    if let Some(inner) = name.strip_prefix('[') {
        let ip = inner.strip_suffix(']')?.parse().ok()?;
        return Some(ServerName(Kind::Ip(IpAddr::V6(ip))));
    }
    if let Ok(ip) = name.parse() {
        return Some(ServerName(Kind::Ip(ip)));
    }
    // RFC 6066, section 3: the name is sent without a trailing dot.
    let dns = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    // The check below accepts another trailing dot.
    if dns.ends_with('.') {
        return None;
    }
    pki::DnsName::try_from(dns.as_str()).ok()?;
    Some(ServerName(Kind::Dns(dns.into())))
}

/// Returns true if a dNSName of a certificate, which may begin with `*.`, covers `name`, to choose
/// among our own identities. Path validation does the check that security depends on.
pub(crate) fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        // RFC 9525, 6.3: a wildcard is exactly one label, the leftmost.
        Some(parent) => name
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => pattern.eq_ignore_ascii_case(name),
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Dns(name) | Kind::Spiffe(name) => f.write_str(name),
            Kind::Ip(ip) => ip.fmt(f),
        }
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ServerName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::parse(name)
    }
}

impl From<IpAddr> for ServerName {
    fn from(ip: IpAddr) -> Self {
        Self(Kind::Ip(ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_names_lose_case_and_trailing_dot() {
        for (text, kept) in [
            ("a", "a"),
            ("localhost", "localhost"),
            ("Db.Internal.", "db.internal"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(ServerName::parse(text).unwrap().dns(), Some(kept));
            assert_eq!(ServerName::parse(text).unwrap().to_string(), kept);
        }
        assert_eq!(
            "_srv.example".parse::<ServerName>().unwrap().dns(),
            Some("_srv.example")
        );
    }

    #[test]
    fn ip_literals_are_not_dns_names() {
        // RFC 6066, section 3: literal addresses are not permitted in HostName.
        for (text, kept) in [
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ] {
            let name = ServerName::parse(text).unwrap();
            assert_eq!((name.dns(), name.to_string().as_str()), (None, kept));
            assert_eq!(name.ip(), Some(kept.parse().unwrap()));
        }
    }

    #[test]
    fn a_bad_name_says_why() {
        assert_eq!(ServerName::parse(""), Err(NameError::Empty));
        assert_eq!(
            ServerName::parse("bücher.example"),
            Err(NameError::NotAscii)
        );
        for (text, host) in [
            ("db.internal:9846", "db.internal"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("[::1]:443", "::1"),
            ("DB.internal.:1", "db.internal"),
        ] {
            assert_eq!(
                ServerName::parse(text),
                Err(NameError::Port {
                    name: host.to_owned()
                }),
                "{text}"
            );
        }
        let long = format!("{}.example", "a".repeat(64));
        let longer = ["a"; 128].join(".");
        for text in [
            ".",
            "..",
            "a..",
            "a..b",
            ".a",
            "-a.b",
            "a-.b",
            "a b",
            "a/b",
            "https://db",
            "xspiffe://a/b",
            "https://db:1",
            "db:http",
            "db:",
            ":1",
            "*.a",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.4.",
            "256.1.1.1",
            "[1.2.3.4]",
            "[::1",
            "::1]",
            "fe80::1%eth0",
            "a\0b",
            "a\n",
            &long,
            &longer,
        ] {
            assert_eq!(ServerName::parse(text), Err(NameError::Invalid), "{text:?}");
        }
        for text in [
            "spiffe://a",
            "spiffe://a/",
            "SPIFFE://a/b",
            "spiffe:a",
            "spiffe://a/b:1",
        ] {
            assert_eq!(ServerName::parse(text), Err(NameError::Uri), "{text:?}");
        }
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        assert!(covers("a.example", "A.example"));
        assert!(covers("*.example", "a.EXAMPLE"));
        assert!(covers("*.a.example", "b.a.example"));
        for name in ["example", "a.b.example", ".example", "", "aexample"] {
            assert!(!covers("*.example", name), "{name}");
        }
        assert!(!covers("a.example", "b.example"));
    }
}
