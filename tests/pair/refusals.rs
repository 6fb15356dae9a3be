//! What both sides say of a handshake that fails: who refused it, what was offered, what was
//! required, and what to do. Each line is for a log, and on each side it must suffice.

use std::time::Duration;

use fleeting::{
    Authority, CertificateError, CipherSuite, Client, ClientAuth, ClientBuilder, Error,
    ExternalPsk, Fault, Identity, NamedGroup, Now, PskNames, RevocationLists, Said, Server,
    ServerBuilder, SessionCache, Side, SignatureScheme, Trust, Validity,
};

use crate::cast::{self, DAY, cast};
use crate::support::{NAME, NOW, Pair, SUITES};

/// A failure, the clocks of both sides as time after [`NOW`], and the side that refuses.
struct Row {
    what: &'static str,
    client: ClientBuilder,
    server: ServerBuilder,
    name: &'static str,
    later: Duration,
    refuses: Side,
    /// What the text of the refusing side contains.
    refused: Vec<String>,
    /// What the text of the other side contains.
    heard: Vec<String>,
}

use Side::{Client as ByClient, Server as ByServer};

impl Row {
    fn new(
        what: &'static str,
        refuses: Side,
        client: ClientBuilder,
        server: ServerBuilder,
    ) -> Self {
        Self {
            what,
            client,
            server,
            name: NAME,
            later: Duration::ZERO,
            refuses,
            refused: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn name(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    fn later(mut self, later: Duration) -> Self {
        self.later = later;
        self
    }

    fn refused<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.refused = words.into_iter().map(Into::into).collect();
        self
    }

    fn heard<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.heard = words.into_iter().map(Into::into).collect();
        self
    }

    /// Runs the handshake and returns both sides' texts: of the one that refuses, and of the other.
    fn run(self) -> (String, String) {
        let client = self.client.sessions(SessionCache::new(0)).build().unwrap();
        let server = self.server.build().unwrap();
        let now = Now::new(Duration::ZERO, NOW.unix + self.later);
        let mut pair = Pair::between_at(&client, &server, [now; 2], self.name, 1);
        pair.settle();
        let (client, server) = (pair.client.error(), pair.server.error());
        let (refuses, hears) = match self.refuses {
            ByClient => (client, server),
            ByServer => (server, client),
        };
        let Error::AlertReceived { alert, from, .. } = hears else {
            panic!("{hears}")
        };
        assert_eq!(
            (Some(*alert), *from),
            (refuses.alert(), self.refuses),
            "{}",
            self.what
        );
        let alert = refuses.alert().unwrap_or_else(|| panic!("{refuses}"));
        let (refuses, hears) = (refuses.to_string(), hears.to_string());
        let peer = match self.refuses {
            ByClient => "the client",
            ByServer => "the server",
        };
        // Who refused, in which words of the registry, on both sides.
        for (text, words) in [
            (
                &refuses,
                ["ended by this side", &format!("alert sent: {alert}")],
            ),
            (&hears, [peer, &format!("the alert {alert}")]),
        ] {
            for word in words {
                assert!(
                    text.contains(word),
                    "{}: {text:?} lacks {word:?}",
                    self.what
                );
            }
        }
        for (text, words) in [(&refuses, &self.refused), (&hears, &self.heard)] {
            assert!(!words.is_empty(), "{}", self.what);
            assert!(
                !text.contains('\n') && text.len() < 800,
                "{}: {text}",
                self.what
            );
            for word in words {
                assert!(
                    text.contains(word),
                    "{}: {text:?} lacks {word:?}",
                    self.what
                );
            }
        }
        (refuses, hears)
    }
}

fn client() -> ClientBuilder {
    Client::builder().trust(cast().root.trust())
}

fn server() -> ServerBuilder {
    Server::builder().identity(cast::Credential::Certificate.server().clone())
}

fn required() -> ServerBuilder {
    server().client_auth(ClientAuth::Required(cast().root.trust()))
}

/// A server of this authority, with a certificate for other names or times.
fn issued(authority: &Authority, name: &str, validity: Validity) -> Identity {
    let certificate = authority.certificate().server([name]);
    certificate.validity(validity).issue().unwrap()
}

fn psk(own: &str, peer: &str, byte: u8) -> ExternalPsk {
    ExternalPsk::new("site 4", [byte, 7].repeat(16), PskNames { own, peer }).unwrap()
}

fn rows() -> Vec<Row> {
    let key = |identity: &Identity| identity.public_key().to_string();
    let own_key = Identity::generate().unwrap();
    let pinned = Identity::generate().unwrap();
    let stranger = || cast::server_of(&cast().stranger);
    let soon = Validity::between(NOW.unix - DAY, NOW.unix + DAY).unwrap();
    let later = Validity::between(NOW.unix + DAY, NOW.unix + 2 * DAY).unwrap();
    let revoked = issued(&cast().root, NAME, cast::validity());
    let list = cast().root.revocation_list().revoke(&revoked);
    let list = list.validity(cast::validity()).issue_pem().unwrap();
    let lists = RevocationLists::from_pem(list).unwrap();
    let mut rows = vec![
        // ---- the ClientHello ----
        Row::new(
            "no suite",
            ByServer,
            client().cipher_suites([SUITES[0]]),
            server().cipher_suites([SUITES[1], SUITES[2]]),
        )
        .refused([
            "the client offers TLS_AES_128_GCM_SHA256",
            "this server accepts TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256",
            "configure the same cipher suite",
        ])
        .heard([
            "this client offers",
            "TLS_AES_128_GCM_SHA256",
            "ed25519",
            "X25519MLKEM768, x25519, secp256r1",
            "enable",
        ]),
        Row::new(
            "no group",
            ByServer,
            client().groups([NamedGroup::X25519]),
            server().groups([NamedGroup::SECP256R1]),
        )
        .refused([
            "the client offers x25519",
            "this server accepts secp256r1",
            "configure",
        ])
        .heard(["this client offers", "the groups x25519;"]),
        Row::new(
            "no protocol",
            ByServer,
            client().alpn(["h2", "weird\n"]),
            server().alpn(["http/1.1", "acme-tls/1"]),
        )
        .refused([
            "the client offers h2, weird\\n",
            "this server accepts http/1.1, acme-tls/1",
            "configure the same protocol",
        ])
        .heard(["this client offers (h2, weird\\n)", "configure"]),
        Row::new(
            "another name",
            ByServer,
            client(),
            Server::builder()
                .identity_by_name(issued(&cast().root, "a.internal", soon))
                .identity_by_name(issued(&cast().root, "b.internal", soon)),
        )
        .refused([NAME, "a.internal, b.internal", "identity_for()"])
        .heard(["pair.internal", "check the name"]),
        Row::new(
            "an address where a name is required",
            ByServer,
            client(),
            Server::builder().identity_by_name(issued(&cast().root, "a.internal", soon)),
        )
        .name("192.0.2.7")
        .refused(["server_name", "IP address", "identity()"])
        .heard(["192.0.2.7", "IP address", "connect by a name"]),
        Row::new(
            "no PSK where one is required",
            ByServer,
            client(),
            Server::builder().external_psks([psk("hub", "sensor", 1)]),
        )
        .refused(["pre_shared_key", "the client", "external_psk()"])
        .heard(["extension", "external PSK"]),
        Row::new(
            "an unknown PSK",
            ByServer,
            Client::builder().external_psk(psk("sensor", "hub", 1)),
            Server::builder().external_psks([psk("hub", "another", 1)]),
        )
        .refused(["PSK", "configure the same identity, names and secret"])
        .heard(["same external PSK", "identity, names and secret"]),
        Row::new(
            "a PSK with another secret",
            ByServer,
            Client::builder().external_psk(psk("sensor", "hub", 1)),
            Server::builder().external_psks([psk("hub", "sensor", 2)]),
        )
        .refused(["PSK", "configure the same secret"])
        .heard(["same external PSK", "identity, names and secret"]),
        Row::new(
            "a PSK where there are only certificates",
            ByServer,
            Client::builder().external_psk(psk("sensor", "hub", 1)),
            server(),
        )
        .refused([
            "signature_algorithms",
            "the client accepts no certificate",
            "external PSK",
        ])
        .heard(["extension", "external PSK"]),
        // ---- the server's certificate ----
        Row::new(
            "a server of an unknown authority",
            ByClient,
            client(),
            Server::builder().identity(stranger()),
        )
        .refused([
            "issued by CN=a stranger",
            "trusted: CN=root",
            "add its root to the trust",
        ])
        .heard([
            "this server's certificate",
            "CN=pair.internal, issued by CN=a stranger",
            "add the root",
        ]),
        Row::new(
            "a key of its own where roots are trusted",
            ByClient,
            client(),
            Server::builder().identity(own_key.clone()),
        )
        .refused([
            "self-signed".to_owned(),
            key(&own_key),
            "Trust::key_for".to_owned(),
        ])
        .heard([
            "this server's key".to_owned(),
            key(&own_key),
            "add the key".to_owned(),
        ]),
        Row::new(
            "another key than the pinned one",
            ByClient,
            Client::builder().trust(Trust::key_for(NAME, pinned.public_key())),
            Server::builder().identity(own_key.clone()),
        )
        .refused([key(&own_key), "add the key to the trust".to_owned()])
        .heard([
            "this server's key".to_owned(),
            key(&own_key),
            "add the key".to_owned(),
        ]),
        Row::new(
            "a certificate where another key is pinned",
            ByClient,
            Client::builder().trust(Trust::key_for(NAME, pinned.public_key())),
            server(),
        )
        .refused([
            key(cast::Credential::Certificate.server()),
            "add the key to the trust".to_owned(),
        ])
        .heard(["CN=pair.internal, issued by CN=below"]),
        Row::new(
            "a certificate that has expired",
            ByClient,
            client(),
            Server::builder().identity(issued(&cast().root, NAME, soon)),
        )
        .later(2 * DAY)
        .refused(["CN=pair.internal expired at 2026-11-22T00:00:00Z", "renew"])
        .heard([
            "CN=pair.internal",
            "valid until 2026-11-22T00:00:00Z",
            "renew",
        ]),
        Row::new(
            "a certificate that is not valid yet",
            ByClient,
            client(),
            Server::builder().identity(issued(&cast().root, NAME, later)),
        )
        .refused(["not valid before 2026-11-22T00:00:00Z", "clocks"])
        .heard(["not valid yet", "clock"]),
        Row::new(
            "a certificate for another name",
            ByClient,
            client(),
            Server::builder().identity(issued(&cast().root, "a.internal", soon)),
        )
        .refused([
            NAME,
            "but for a.internal",
            "issue one for the expected name",
        ])
        .heard([
            "CN=a.internal, issued by CN=root",
            "name",
            "extended key usage",
        ]),
        Row::new(
            "a certificate that was revoked",
            ByClient,
            Client::builder().trust(cast().root.trust().with_revocation_lists(lists)),
            Server::builder().identity(revoked),
        )
        .refused(["revoked by its issuer", "have a new one issued"])
        .heard(["CN=pair.internal, issued by CN=root", "revoked", "new one"]),
        Row::new(
            "a client's certificate at a server",
            ByClient,
            client(),
            Server::builder().identity(cast::client_of(&cast().root)),
        )
        .refused(["extended key usage", "serverAuth"])
        .heard(["CN=a client", "extended key usage"]),
        Row::new(
            "a server that is not authorized",
            ByClient,
            client().authorize(|_| Err("it is not on the list")),
            server(),
        )
        .refused([
            "not authorized by this application",
            "it is not on the list",
        ])
        .heard(["CN=pair.internal", "does not let in", "authorized there"]),
    ];
    // ---- the client's certificate ----
    rows.extend([
        Row::new(
            "no certificate where one is required",
            ByServer,
            client(),
            required(),
        )
        .refused(["a client certificate is required", "CN=root", "identity"])
        .heard(["this client has no identity", "configure"]),
        Row::new(
            "a client of an unknown authority",
            ByServer,
            client().identity(cast::client_of(&cast().stranger)),
            required(),
        )
        .refused([
            "issued by CN=a stranger",
            "trusted: CN=root",
            "add its root to the trust",
        ])
        .heard([
            "this client's certificate",
            "CN=a client, issued by CN=a stranger",
            "add the root",
        ]),
        Row::new(
            "a client with an unknown key",
            ByServer,
            client().identity(own_key.clone()),
            required().client_auth(ClientAuth::Required(Trust::keys([pinned.public_key()]))),
        )
        .refused([key(&own_key), "add the key to the trust".to_owned()])
        .heard([
            "this client's key".to_owned(),
            key(&own_key),
            "add the key".to_owned(),
        ]),
        Row::new(
            "a client that is not authorized",
            ByServer,
            client().identity(cast::client_of(&cast().root)),
            required().authorize(|_| Err("alice left")),
        )
        .refused(["not authorized by this application", "alice left"])
        .heard([
            "this client's certificate",
            "CN=a client",
            "authorized there",
        ]),
    ]);
    rows
}

#[test]
fn both_sides_say_who_refused_what_and_what_to_do() {
    for row in rows() {
        let what = row.what;
        let (refused, heard) = row.run();
        println!("{what}\n  {refused}\n  {heard}");
    }
}

/// Returns the errors of the client and of the server.
fn errors(client: ClientBuilder, server: ServerBuilder) -> (Error, Error) {
    let client = client.sessions(SessionCache::new(0)).build().unwrap();
    let mut pair = Pair::between(&client, &server.build().unwrap(), 1);
    pair.settle();
    (pair.client.error().clone(), pair.server.error().clone())
}

fn said(error: &Error) -> &Said {
    match error {
        Error::AlertReceived { said, .. } => said,
        error => panic!("{error}"),
    }
}

fn fault(error: &Error) -> &Fault {
    match error {
        Error::Protocol { fault, .. } => fault,
        error => panic!("{error}"),
    }
}

/// The same as data: lists and names to match on, on both sides.
#[test]
fn what_was_offered_and_required_can_be_matched_on() {
    let (client_error, server_error) = errors(
        client()
            .alpn(["h2"])
            .cipher_suites([CipherSuite::TLS_AES_128_GCM_SHA256]),
        server().alpn(["http/1.1"]),
    );
    let Said::Offer(offer) = said(&client_error) else {
        panic!("{client_error}")
    };
    assert_eq!(offer.name.as_deref(), Some(NAME));
    assert_eq!(offer.cipher_suites, [CipherSuite::TLS_AES_128_GCM_SHA256]);
    assert_eq!(
        offer.groups,
        [
            NamedGroup::X25519_MLKEM768,
            NamedGroup::X25519,
            NamedGroup::SECP256R1
        ]
    );
    assert_eq!(offer.signature_schemes, [SignatureScheme::ED25519]);
    assert_eq!(offer.alpn, [b"h2"]);
    assert!(!offer.external_psk);
    assert!(
        matches!(fault(&server_error), Fault::NoCommonProtocol { offered, accepted }
            if *offered == [b"h2".to_vec()] && *accepted == [b"http/1.1".to_vec()])
    );

    let stranger = cast::server_of(&cast().stranger);
    let until = stranger.certificate_info().unwrap().validity().not_after();
    let (client_error, server_error) = errors(client(), Server::builder().identity(stranger));
    assert!(matches!(
        fault(&client_error),
        Fault::Certificate(CertificateError::UnknownIssuer { issuer, trusted, more: 0 })
            if issuer == "CN=a stranger" && *trusted == ["CN=root"]
    ));
    assert_eq!(
        *said(&server_error),
        Said::Certificate {
            subject: "CN=pair.internal".to_owned(),
            issuer: "CN=a stranger".to_owned(),
            not_after: until,
        }
    );

    let own = Identity::generate().unwrap();
    let key = own.public_key().to_string();
    let (client_error, server_error) = errors(client(), Server::builder().identity(own));
    assert!(matches!(
        fault(&client_error),
        Fault::Certificate(CertificateError::SelfSigned { key: shown }) if *shown == key
    ));
    assert_eq!(*said(&server_error), Said::Key { key });

    let (client_error, server_error) = errors(client(), required());
    assert!(matches!(
        said(&client_error),
        Said::NoCertificate {
            why: "has no identity"
        }
    ));
    assert!(matches!(
        fault(&server_error),
        Fault::CertificateRequired { trusted, more: 0 } if *trusted == ["CN=root"]
    ));
}

/// A server with thousands of names repeats sixteen of them.
#[test]
fn what_a_server_has_is_bounded_in_an_error() {
    let names: Vec<String> = (0..1000)
        .map(|number| format!("n{number}.internal"))
        .collect();
    let certificate = cast().root.certificate();
    let certificate = certificate.server(names.iter().map(String::as_str));
    let many = certificate.validity(cast::validity()).issue().unwrap();
    let server = Server::builder()
        .identity_by_name(many)
        .identity_for("one.internal", Identity::generate().unwrap());
    let (_, error) = errors(client(), server);
    assert!(matches!(
        fault(&error),
        Fault::UnrecognizedName { name, served, more: 985 }
            if name == NAME && *served == names[..16]
    ));
}
