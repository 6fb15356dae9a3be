//! Who is admitted: the list `peers` of a service.

use fleeting::{Peer, PublicKey, ServerName};
use serde::Deserialize;

/// Which of the peers that the roots accept may connect.
#[derive(Clone, Debug)]
pub enum Peers {
    /// Clients are not asked for a certificate.
    Anonymous,
    /// All that the roots accept.
    Any,
    /// Those that one of these rules describes.
    Listed(Vec<Rule>),
}

/// One entry of `peers`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum Rule {
    /// A DNS name or an IP address in the certificate.
    Name(String),
    /// The common name of the certificate's subject.
    CommonName(String),
    /// The whole subject (RFC 4514).
    Subject(String),
    /// A SPIFFE ID, which a root of its trust domain vouches for.
    SpiffeId(String),
    /// The public key of the certificate.
    Key(PublicKey),
}

impl Peers {
    /// Decides about a peer that the roots have accepted.
    pub fn admit(&self, peer: &Peer) -> Result<(), &'static str> {
        match self {
            Self::Anonymous | Self::Any => Ok(()),
            Self::Listed(rules) if rules.iter().any(|rule| rule.describes(peer)) => Ok(()),
            Self::Listed(_) => Err("no entry of `peers` describes it"),
        }
    }
}

impl Rule {
    fn describes(&self, peer: &Peer) -> bool {
        match self {
            // Only a name that the authority vouches for is ever among these.
            Self::Name(name) => peer
                .names()
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name)),
            Self::CommonName(name) => peer.common_name().as_ref() == Some(name),
            Self::Subject(subject) => peer.subject() == *subject,
            Self::SpiffeId(id) => peer.spiffe_id().as_ref() == Some(id),
            Self::Key(key) => peer.public_key() == *key,
        }
    }
}

impl TryFrom<String> for Rule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with("spiffe://") {
            let name = ServerName::parse(&text).map_err(|error| error.to_string())?;
            return Ok(Self::SpiffeId(name.to_string()));
        }
        let help = "expected \"cn:alice\", \"name:db.internal\" (a DNS name or an IP address), \
                    \"subject:CN=alice,O=Example\", \"spiffe://example.org/db\" or \"key:\" with \
                    a public key as `authority issue` prints it";
        let (kind, value) = text.split_once(':').ok_or(help)?;
        if value.is_empty() {
            return Err(help.to_owned());
        }
        match kind {
            "cn" => Ok(Self::CommonName(value.to_owned())),
            "subject" => Ok(Self::Subject(value.to_owned())),
            "name" => {
                let name = ServerName::parse(value).map_err(|error| error.to_string())?;
                Ok(Self::Name(name.to_string()))
            }
            "key" => {
                Ok(Self::Key(value.parse().map_err(
                    |error: fleeting::ConfigError| error.to_string(),
                )?))
            }
            _ => Err(help.to_owned()),
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "name:{name}"),
            Self::CommonName(name) => write!(f, "cn:{name}"),
            Self::Subject(subject) => write!(f, "subject:{subject}"),
            Self::SpiffeId(id) => write!(f, "{id}"),
            Self::Key(key) => write!(f, "key:{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let key = "key:MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        for text in [
            "cn:alice",
            "name:db.internal",
            "name:10.0.0.1",
            "subject:CN=alice,O=Example",
            "spiffe://example.org/db",
            key,
        ] {
            let rule = Rule::try_from(text.to_owned()).unwrap();
            assert_eq!(rule.to_string(), text);
        }
        for text in [
            "",
            "alice",
            "cn:",
            "dn:alice",
            "key:abc",
            "name:a b",
            "name:*.internal",
            "name:db:1",
            "spiffe://",
            "spiffe://Example.org/db",
            "CN:alice",
        ] {
            assert!(Rule::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
