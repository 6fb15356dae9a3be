//! The clients and servers of the matrix and related tests: two on each side, one with certificates
//! and one with a raw key, and the PSK that both sides share.

use std::sync::OnceLock;
use std::time::Duration;

use fleeting::{
    Authority, Client, Connection, ExternalPsk, Identity, Peer, PskNames, PublicKey, Server, Trust,
    Validity,
};

use crate::support::{NAME, NOW, Pair, Seeded, data};
use crate::wire::Transport;

/// The second name in the server's certificate.
pub const OTHER_NAME: &str = "other.internal";
/// The common name in the client's certificate.
const CLIENT_NAME: &str = "a client";
/// The name that is bound to the key of the client without certificates.
const CLIENT_KEY_NAME: &str = "client.internal";

/// The names of the two sides that share a PSK.
pub const PSK_CLIENT: &str = "who shares a secret";
pub const PSK_SERVER: &str = "with whom";

pub const DAY: Duration = Duration::from_secs(86_400);

/// How a side proves its identity, and how the other side verifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A chain of two certificates, verified by trusted roots.
    Certificate,
    /// A raw public key (RFC 7250), verified by trusted keys.
    RawKey,
}

impl Credential {
    pub const ALL: [Self; 2] = [Self::Certificate, Self::RawKey];

    pub fn server(self) -> &'static Identity {
        match self {
            Self::Certificate => &cast().server_certificate,
            Self::RawKey => &cast().server_key,
        }
    }

    pub fn client(self) -> &'static Identity {
        match self {
            Self::Certificate => &cast().client_certificate,
            Self::RawKey => &cast().client_key,
        }
    }

    /// What a client trusts to verify a server with this credential.
    pub fn trust_in_server(self) -> Trust {
        match self {
            Self::Certificate => cast().root.trust(),
            Self::RawKey => Trust::key_for(NAME, cast().server_key.public_key()),
        }
    }

    /// What a server trusts to verify a client with this credential.
    pub fn trust_in_client(self) -> Trust {
        match self {
            Self::Certificate => cast().root.trust(),
            Self::RawKey => Trust::key_for(CLIENT_KEY_NAME, cast().client_key.public_key()),
        }
    }

    /// What the client sees of the server.
    pub fn seen_server(self) -> Seen {
        let certificates = match self {
            Self::Certificate => self.server().certificates().to_vec(),
            Self::RawKey => Vec::new(),
        };
        // RFC 5280, 4.1.2.6: the subject of a certificate, which is the first name by default. A
        // key has none.
        let common_name = (self == Self::Certificate).then(|| NAME.to_owned());
        let names: &[&str] = if self == Self::Certificate {
            &[NAME, OTHER_NAME]
        } else {
            &[NAME]
        };
        Seen {
            key: self.server().public_key(),
            names: names.iter().map(|name| name.to_string()).collect(),
            common_name,
            certificates,
        }
    }

    /// What the server sees of the client, directly or by a ticket, which contains only the
    /// client's own certificate.
    pub fn seen_client(self, by_ticket: bool) -> Seen {
        let key = self.client().public_key();
        match self {
            Self::Certificate => {
                let certificates = self
                    .client()
                    .certificates()
                    .iter()
                    .take(if by_ticket { 1 } else { 2 })
                    .cloned()
                    .collect();
                Seen {
                    key,
                    names: Vec::new(),
                    common_name: Some(CLIENT_NAME.to_owned()),
                    certificates,
                }
            }
            Self::RawKey => Seen {
                key,
                names: vec![CLIENT_KEY_NAME.to_owned()],
                common_name: None,
                certificates: Vec::new(),
            },
        }
    }
}

/// What a side sees of the other side.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub key: PublicKey,
    pub names: Vec<String>,
    pub common_name: Option<String>,
    pub certificates: Vec<Vec<u8>>,
}

impl From<&Peer> for Seen {
    fn from(peer: &Peer) -> Self {
        Self {
            key: peer.public_key(),
            names: peer.names(),
            common_name: peer.common_name(),
            certificates: peer.certificates().to_vec(),
        }
    }
}

pub struct Cast {
    pub root: Authority,
    /// An authority that nobody trusts.
    pub stranger: Authority,
    server_certificate: Identity,
    server_key: Identity,
    client_certificate: Identity,
    client_key: Identity,
    pub psk_at_client: ExternalPsk,
    pub psk_at_server: ExternalPsk,
    /// The same names, but for another client.
    pub other_psk_at_server: ExternalPsk,
}

/// Issues a server's identity, with a fresh key.
pub fn server_of(authority: &Authority) -> Identity {
    authority
        .certificate()
        .server([NAME, OTHER_NAME])
        .validity(validity())
        .issue()
        .unwrap()
}

/// Issues a client's identity, with a fresh key.
pub fn client_of(authority: &Authority) -> Identity {
    authority
        .certificate()
        .client(CLIENT_NAME)
        .validity(validity())
        .issue()
        .unwrap()
}

/// The validity of all certificates: from a day before the time of all tests to 30 days after it.
pub fn validity() -> Validity {
    Validity::between(NOW.unix - DAY, NOW.unix + 30 * DAY).unwrap()
}

fn psk(own: &str, peer: &str) -> ExternalPsk {
    ExternalPsk::new("a secret", data(0, 32), PskNames { own, peer }).unwrap()
}

pub fn cast() -> &'static Cast {
    static CAST: OnceLock<Cast> = OnceLock::new();
    CAST.get_or_init(|| {
        let validity = validity();
        let root = Authority::builder("root")
            .validity(validity)
            .build()
            .unwrap();
        let below = Authority::builder("below")
            .validity(validity)
            .build_under(&root)
            .unwrap();
        let cast = Cast {
            server_certificate: server_of(&below),
            server_key: Identity::generate().unwrap(),
            client_certificate: client_of(&below),
            client_key: Identity::generate().unwrap(),
            psk_at_client: psk(PSK_CLIENT, PSK_SERVER),
            psk_at_server: psk(PSK_SERVER, PSK_CLIENT),
            other_psk_at_server: psk(PSK_SERVER, "another client"),
            stranger: Authority::builder("a stranger")
                .validity(validity)
                .build()
                .unwrap(),
            root,
        };
        assert!(
            [&cast.server_certificate, &cast.client_certificate]
                .iter()
                .all(|identity| identity.certificates().len() == 2)
        );
        cast
    })
}

/// Returns a pair after its handshake, whatever the outcome.
pub fn handshake(client: &Client, server: &Server, transport: Transport, seed: u64) -> Pair {
    let mut pair = Pair::between(client, server, seed);
    transport.settle(&mut pair, &mut Seeded(seed));
    pair
}

/// Asserts that the connection is complete, and returns what it sees of the other side.
pub fn seen(connection: &Connection) -> Option<Seen> {
    connection
        .negotiated()
        .expect("a complete handshake")
        .peer()
        .map(Seen::from)
}
