//! The client and the server: fixed keys, time and randomness, so that a recorded conversation is
//! understood again.

use std::sync::OnceLock;
use std::time::Duration;

use rand_core::{TryCryptoRng, TryRng};

use crate::client::Client;
use crate::code_point::NamedGroup;
use crate::connection::{Connection, Status};
use crate::error::Error;
use crate::handshake::{Answer, Question};
use crate::identity::{Identity, ServerName, Trust};
use crate::secret::Secret;
use crate::server::{ClientAuth, Server};
use crate::session::{
    ClientSession, ExternalPsk, PskNames, ReplayEntry, ReplayGuard, ReplayStore, ReplayVerdict,
    Session, SessionCache, SessionKey, StoredSessions, TicketKey, TicketKeys,
};
use crate::time::Now;

pub(super) const NAME: &str = "db.internal";

/// A key that is not secret: PKCS#8 (RFC 8410, section 7), 32 bytes of 3.
pub(super) const PKCS8: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\
                                  \x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\
                                  \x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03";

/// The same key as PEM.
pub(super) const CLIENT_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD\n-----END PRIVATE KEY-----\n";

const SERVER_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
                          MC4CAQAwBQYDK2VwBCIEIAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n\
                          -----END PRIVATE KEY-----\n";

/// How a party is set up, in one byte: the bits of its groups, and the constants below.
pub(super) type Choice = u8;

/// A client with a ticket from an earlier connection.
pub(super) const TICKET: Choice = 1;

/// A client without key shares: the server chooses a group, which takes a round trip more.
pub(super) const NO_SHARES: Choice = 8;

/// A server that sends a cookie and wants it back.
pub(super) const COOKIE: Choice = 1;

/// X25519 alone, one of the four sets that [`groups`] knows.
pub(super) const X25519: Choice = 2;

/// secp256r1 alone.
pub(super) const SECP256R1: Choice = 4;

/// A party that shows its key in a certificate and not as a raw key (RFC 7250).
pub(super) const CERTIFICATE: Choice = 16;

/// A client that sends early data, if its ticket allows it.
pub(super) const EARLY: Choice = 32;

/// A client that also holds a PSK, which every server knows.
pub(super) const PSK: Choice = 64;

/// A party whose key, and a server whose replay store, is held elsewhere.
pub(super) const ASKING: Choice = 128;

/// The data that a client with [`EARLY`] sends.
pub(super) const EARLY_DATA: &[u8] = b"early";

fn groups(choice: Choice) -> Vec<NamedGroup> {
    match choice & 6 {
        X25519 => vec![NamedGroup::X25519],
        SECP256R1 => vec![NamedGroup::SECP256R1],
        0 => vec![
            NamedGroup::X25519_MLKEM768,
            NamedGroup::X25519,
            NamedGroup::SECP256R1,
        ],
        _ => vec![NamedGroup::X25519_MLKEM768],
    }
}

/// A client and a server that know each other's keys. The keys never change, nor does the ticket
/// key.
struct Parties {
    client: Showing,
    server: Showing,
    trusted_by_client: Trust,
    trusted_by_server: Trust,
    ticket_keys: TicketKeys,
}

/// The same key with and without its certificate.
struct Showing {
    key: Identity,
    certificate: Identity,
    asking: Identity,
}

impl Showing {
    fn new(key: Identity) -> Self {
        // A certificate is shown if its chain was given.
        let certificate =
            Identity::from_pem(key.chain_pem(), key.key_pem().expect("it is here").expose())
                .expect("an identity");
        let asking = Identity::asking(key.chain_pem()).expect("an identity");
        Self {
            key,
            certificate,
            asking,
        }
    }

    fn by(&self, choice: Choice) -> &Identity {
        match (choice & ASKING != 0, choice & CERTIFICATE != 0) {
            (true, _) => &self.asking,
            (false, true) => &self.certificate,
            (false, false) => &self.key,
        }
    }
}

fn parties() -> &'static Parties {
    static PARTIES: OnceLock<Parties> = OnceLock::new();
    PARTIES.get_or_init(|| {
        let (client, server) = (
            identity(),
            Identity::from_key_pem(SERVER_KEY).expect("a key"),
        );
        let ticket_keys = TicketKeys::empty();
        let (soon, later) = (
            now().unix + Duration::from_secs(1),
            now().unix + Duration::from_secs(1_000_000),
        );
        ticket_keys.install(TicketKey::new([5; 32], Duration::ZERO, soon, later).expect("a key"));
        Parties {
            trusted_by_client: Trust::key_for(NAME, server.public_key()),
            trusted_by_server: Trust::keys([client.public_key()]),
            client: Showing::new(client),
            server: Showing::new(server),
            ticket_keys,
        }
    })
}

fn client(choice: Choice, sessions: SessionCache) -> Client {
    let Parties {
        client,
        trusted_by_client,
        ..
    } = parties();
    let builder = Client::builder()
        .trust(trusted_by_client.clone())
        .identity(client.by(choice).clone())
        .alpn(["h2", "x"]);
    let builder = builder.groups(groups(choice)).sessions(sessions);
    let builder = if choice & NO_SHARES != 0 {
        builder.key_shares([])
    } else {
        builder
    };
    let builder = if choice & PSK != 0 {
        builder.external_psk(external_psk("client", "server"))
    } else {
        builder
    };
    let builder = builder.early_data(choice & EARLY != 0);
    builder.build().expect("a client")
}

pub(super) fn server(choice: Choice) -> Server {
    let Parties {
        server,
        trusted_by_server,
        ticket_keys,
        ..
    } = parties();
    let builder = Server::builder()
        .identity(server.by(choice).clone())
        .client_auth(ClientAuth::Optional(trusted_by_server.clone()));
    let guard = if choice & ASKING != 0 {
        ReplayGuard::asking(ZONE)
    } else {
        ReplayGuard::with_store(ZONE, Forgetful)
    };
    let builder = builder
        .early_data(100, guard)
        .external_psks([external_psk("server", "client")]);
    let builder = builder
        .alpn(["x"])
        .ticket_keys(ticket_keys.clone())
        .groups(groups(choice))
        .retry_cookie(choice & COOKIE != 0);
    builder.build().expect("a server")
}

/// The replay zone of all servers here.
const ZONE: &str = "fuzzing";

/// A store that has seen nothing, because the same input runs again and again.
struct Forgetful;

impl ReplayStore for Forgetful {
    fn check_and_insert(&self, _: &ReplayEntry) -> ReplayVerdict {
        ReplayVerdict::Fresh
    }
}

fn external_psk(own: &str, peer: &str) -> ExternalPsk {
    ExternalPsk::new(
        "fuzzing",
        b"thirty-two bytes that all know..",
        PskNames { own, peer },
    )
    .expect("a PSK")
}

/// Answers a question, as an application does.
pub(super) fn answer(
    connection: &mut Connection,
    question: Question,
    choice: Choice,
    random: &mut Fixed,
) -> Result<(), Error> {
    let Parties {
        client,
        server: own,
        ..
    } = parties();
    match question {
        Question::Configuration => {
            assert!(connection.client_hello().is_some());
            connection.choose(&server(choice), now(), random)
        }
        Question::Replay => {
            assert!(connection.replay_entry().is_some());
            connection.answer(Answer::Replay(ReplayVerdict::Fresh), now(), random)
        }
        Question::Signature => {
            let to_sign = connection
                .to_sign()
                .expect("a signature is asked for")
                .to_vec();
            let of_server = to_sign.windows(6).any(|word| word == b"server");
            let key = if of_server { &own.key } else { &client.key };
            let signature = key
                .sign(&to_sign)
                .expect("a key")
                .expect("a key that is here");
            connection.answer(Answer::Signature(signature.to_vec()), now(), random)
        }
    }
}

/// Returns a new client. It has sessions of its own, so that no run affects the next.
pub(super) fn new_client(choice: Choice) -> Connection {
    let sessions = SessionCache::default();
    if choice & TICKET != 0 {
        StoredSessions::new(&sessions, session_key(choice)).put(session(), now());
    }
    let mut connection = client(choice, sessions)
        .connection(NAME, now(), &mut Fixed::new(1))
        .expect("a connection");
    connection
        .write_early_data(EARLY_DATA)
        .expect("a connection that has begun");
    connection
}

pub(super) fn new_server(choice: Choice) -> Connection {
    server(choice).connection(now())
}

/// Returns the session that a client keeps from an earlier connection.
fn session() -> ClientSession {
    static SESSION: OnceLock<ClientSession> = OnceLock::new();
    let kept = SESSION.get_or_init(|| {
        let sessions = SessionCache::default();
        let mut client = client(0, sessions.clone())
            .connection(NAME, now(), &mut Fixed::new(3))
            .expect("a connection");
        let (mut server, mut random) = (new_server(0), Fixed::new(4));
        for _ in 0..2 {
            deliver(&mut client, &mut server, 0, &mut random, &mut Vec::new());
            deliver(&mut server, &mut client, 0, &mut random, &mut Vec::new());
        }
        // Tickets are sent together with the next data.
        server.write(b"x").expect("a handshake that is done");
        deliver(&mut server, &mut client, 0, &mut random, &mut Vec::new());
        StoredSessions::new(&sessions, session_key(0))
            .take(now())
            .expect("a ticket")
    });
    let Session {
        suite,
        group,
        psk,
        since,
        whose,
    } = &kept.session;
    ClientSession {
        session: Session {
            suite: *suite,
            group: *group,
            psk: Secret::copy_of(psk.expose()),
            since: *since,
            whose: whose.clone(),
        },
        ticket: kept.ticket.clone(),
        age_add: kept.age_add,
        lifetime: kept.lifetime,
        received: kept.received,
        early: kept.early.clone(),
    }
}

fn session_key(choice: Choice) -> SessionKey {
    let Parties {
        client,
        trusted_by_client,
        ..
    } = parties();
    let psk = (choice & PSK != 0).then(|| external_psk("client", "server"));
    SessionKey::new(
        Some(&ServerName::parse(NAME).expect("a name")),
        trusted_by_client,
        Some(client.by(choice)),
        psk.as_ref(),
    )
}

/// Moves what one side has to send to the other, and adds it to `wire`.
pub(super) fn deliver(
    from: &mut Connection,
    to: &mut Connection,
    choice: Choice,
    random: &mut Fixed,
    wire: &mut Vec<u8>,
) {
    while !from.output().is_empty() {
        let space = to.input();
        let count = space.len().min(from.output().len());
        space[..count].copy_from_slice(&from.output()[..count]);
        wire.extend_from_slice(&from.output()[..count]);
        to.received(count);
        from.sent(count);
        loop {
            match to.process(now(), random).expect("an honest peer") {
                Status::Data | Status::EarlyData => to.consume(usize::MAX),
                Status::Ask(question) => {
                    answer(to, question, choice, random).expect("an honest peer")
                }
                Status::NeedsInput | Status::Closed => break,
            }
        }
    }
}

/// The client's identity: [`PKCS8`] in a self-signed certificate without a name.
pub(super) fn identity() -> Identity {
    Identity::from_key_pem(CLIENT_KEY).expect("a key")
}

/// The middle of 2026, when the certificates that `seeds` makes are valid.
pub(super) fn now() -> Now {
    Now {
        monotonic: Duration::ZERO,
        unix: Duration::from_secs(1_782_864_000),
    }
}

/// Randomness that is the same every time: a counter, well mixed.
pub(super) struct Fixed(u64);

impl Fixed {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed << 32)
    }
}

impl TryRng for Fixed {
    type Error = getrandom::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(8) {
            // splitmix64.
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.0;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}
