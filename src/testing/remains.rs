//! Tests that no secret remains in memory: every secret is looked for in a process that has dropped
//! it.
//!
//! 1. A script runs here, with randomness from a seed, and every `Secret` that it drops is
//!    recorded.
//! 2. It runs again in a child, from the same seed and keys, and pauses at the same points.
//! 3. At each pause the child's heap and stacks are searched for what it has dropped by then: for
//!    the bytes themselves, expanded AEAD keys, the pads of HMAC, the halves of an Ed25519 key.
//!
//! In the child, signals arrive after the calls: on an alternate stack, and on the thread's own.
//! What is in a register when a call has returned is then in memory.
//!
//! What is still alive must be found, which proves that the search works. It runs from another
//! process so that neither it nor what it looks for leaves traces in the searched memory.

mod asking;
mod renewing;
mod streams;

use core::any::Any;
use core::time::Duration;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ::hkdf::Hkdf;
use aes_gcm::AesGcm;
use aes_gcm::aead::KeyInit;
use aes_gcm::aead::consts::U12;
use aes_gcm::aes::{Aes128Enc, Aes256Enc};
use chacha20poly1305::ChaCha20Poly1305;
use rand_core::TryRng;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::client::Client;
use crate::code_point::NamedGroup;
use crate::connection::{Connection, Status};
use crate::crypto::aead::AeadKey;
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::hkdf::Prk;
use crate::crypto::hmac::HmacKey;
use crate::crypto::kernel::CLEARED;
use crate::crypto::kernel::signal::{SignalStack, raise_here};
use crate::crypto::key_exchange::{EphemeralKey, Group};
use crate::crypto::random;
use crate::crypto::signature::SigningKey;
use crate::crypto::suite::Suite;
use crate::handshake::EarlyData;
use crate::identity::{Authority, Identity, Validity};
use crate::key_schedule::{EarlySecret, PskKind};
use crate::record::{Open, Seal};
use crate::secret::{Secret, recorder};
use crate::server::{ClientAuth, Server};
use crate::session::{
    ClientSession, ExternalPsk, PskNames, ReplayGuard, Session, TicketKey, TicketKeys, Whose,
};
use crate::testing::memory::{Memory, image};
use crate::testing::seeded::Seeded;
use crate::time::Now;

/// Runs a script: either the recording here, or the child that is searched.
trait Run {
    /// Attributes the secrets dropped since the last call to `what`. In the child, signals arrive.
    fn dropped(&mut self, what: &'static str);

    /// Marks a point where the child waits to be searched.
    fn pause(&mut self);
}

// ---- the scripts ----

/// Creates every type that holds a secret, used by a connection or not, and then drops them.
fn types(_: &Path, run: &mut dyn Run) {
    let mut rng = Seeded(1);
    let mut secret = |len| random::secret(&mut rng, len).unwrap();
    let digest = HashAlgorithm::Sha256.hash(b"transcript");
    let mut alive: Vec<(&'static str, Box<dyn Any>)> = Vec::new();
    let mut add = |run: &mut dyn Run, what, value| {
        run.dropped(what);
        alive.push((what, value));
    };

    add(run, "Secret", Box::new(secret(32)));
    add(
        run,
        "Prk by extract",
        Box::new(Prk::extract(
            HashAlgorithm::Sha256,
            b"salt",
            secret(32).expose(),
        )),
    );
    add(
        run,
        "Prk of SHA-384",
        Box::new(Prk::from_secret(HashAlgorithm::Sha384, secret(48))),
    );
    for (algorithm, what) in HashAlgorithm::ALL
        .into_iter()
        .zip(["HmacKey of SHA-256", "HmacKey of SHA-384"])
    {
        add(
            run,
            what,
            Box::new(HmacKey::new(
                algorithm,
                secret(algorithm.output_len()).expose(),
            )),
        );
    }
    for (suite, what) in
        Suite::ALL
            .into_iter()
            .zip(["AeadKey, AES-128", "AeadKey, AES-256", "AeadKey, ChaCha20"])
    {
        add(
            run,
            what,
            Box::new(AeadKey::new(suite, secret(suite.key_len()).expose())),
        );
    }
    add(
        run,
        "SigningKey",
        Box::new(SigningKey::from_seed(secret(32)).unwrap()),
    );

    let early = |secret: Secret| EarlySecret::new(HashAlgorithm::Sha256, Some(&secret));
    add(run, "EarlySecret", Box::new(early(secret(32))));
    add(
        run,
        "BinderKey",
        Box::new(early(secret(32)).binder_key(PskKind::Resumption)),
    );
    add(
        run,
        "early TrafficSecret",
        Box::new(early(secret(32)).client_early_traffic(&digest)),
    );
    add(
        run,
        "early ExporterSecret",
        Box::new(early(secret(32)).early_exporter(&digest)),
    );
    let mut handshake = || early(secret(32)).into_handshake(secret(32));
    add(run, "HandshakeSecret", Box::new(handshake()));
    add(
        run,
        "TrafficSecret",
        Box::new(handshake().server_traffic(&digest)),
    );
    add(
        run,
        "FinishedKey",
        Box::new(handshake().client_traffic(&digest).finished_key()),
    );
    add(
        run,
        "RestingSecret",
        Box::new(handshake().client_traffic(&digest).rest()),
    );
    for (suite, what) in
        Suite::ALL
            .into_iter()
            .zip(["keys, AES-128", "keys, AES-256", "keys, ChaCha20"])
    {
        add(
            run,
            what,
            Box::new(handshake().client_traffic(&digest).keys(suite)),
        );
    }
    add(run, "MainSecret", Box::new(handshake().into_main()));
    add(
        run,
        "ExporterSecret",
        Box::new(handshake().into_main().exporter(&digest)),
    );
    add(
        run,
        "exported",
        Box::new(
            handshake()
                .into_main()
                .exporter(&digest)
                .export(b"label", b"", 32)
                .unwrap(),
        ),
    );
    add(
        run,
        "Epoch",
        Box::new(handshake().into_main().into_epoch(digest)),
    );
    add(
        run,
        "resumption PSK",
        Box::new(
            handshake()
                .into_main()
                .into_resumption(&digest)
                .psk(b"nonce"),
        ),
    );
    let mut seal = Seal::protected(Suite::Aes128GcmSha256, handshake().server_traffic(&digest));
    seal.update().unwrap();
    add(run, "Seal", Box::new(seal));
    let mut open = Open::protected(
        Suite::ChaCha20Poly1305Sha256,
        handshake().server_traffic(&digest),
    );
    open.update();
    add(run, "Open", Box::new(open));
    let (never, later) = (Duration::ZERO, Duration::from_secs(60 * 60));
    add(
        run,
        "TicketKey",
        Box::new(TicketKey::new(secret(32).expose(), never, later, later).unwrap()),
    );
    let names = PskNames {
        own: "client",
        peer: "server",
    };
    add(
        run,
        "ExternalPsk",
        Box::new(ExternalPsk::new("identity", secret(32).expose(), names).unwrap()),
    );
    add(
        run,
        "ExternalPsk, not imported",
        Box::new(ExternalPsk::not_imported("identity", secret(40).expose()).unwrap()),
    );
    let mut session = || Session {
        suite: Suite::Aes128GcmSha256,
        group: NamedGroup::X25519,
        psk: secret(32),
        since: never,
        whose: Whose::Nobody,
    };
    add(run, "Session", Box::new(session()));
    let kept = ClientSession {
        session: session(),
        ticket: vec![1].into(),
        age_add: 0,
        lifetime: later,
        received: never,
        early: None,
    };
    add(run, "ClientSession", Box::new(kept));
    for (group, what) in Group::ALL.into_iter().zip([
        "EphemeralKey, hybrid",
        "EphemeralKey, X25519",
        "EphemeralKey, secp256r1",
    ]) {
        let key = EphemeralKey::generate(group, &mut rng).unwrap();
        add(run, what, Box::new(key));
    }

    run.pause();
    for (what, value) in alive {
        drop(value);
        run.dropped(what);
    }
    run.pause();
}

/// Runs a conversation with everything in it, using this suite.
fn conversation(suite: Suite, keys: &Path, run: &mut dyn Run) {
    let authority = authority(keys);
    let (server, client) = (identity(keys, "server"), identity(keys, "client"));
    let nameless = Identity::from_key_pem(client.key_pem().unwrap().expose()).unwrap();
    authority
        .certificate()
        .validity(validity())
        .server(["other.internal"])
        .issue_for(nameless.public_key())
        .unwrap();
    drop(nameless);
    run.dropped("loading");

    let client = Client::builder()
        .trust(authority.trust())
        .identity(client)
        .cipher_suites([suite.code_point()]);
    #[cfg(feature = "key-log")]
    let log = || crate::handshake::KeyLogFile::open(keys.join("log")).unwrap();
    #[cfg(feature = "key-log")]
    let client = client.key_log(log());
    let client = client.early_data(true).build().unwrap();
    // The second server prefers another group, and still allows that of the session, under which
    // early data is encrypted. The third accepts only a group that the client sent no share for, so
    // it asks for a retry.
    let (ticket_keys, guard) = (TicketKeys::rotating(), ReplayGuard::in_memory(10));
    let groups: [&[Group]; 3] = [
        &[Group::X25519MlKem768],
        &[Group::X25519, Group::X25519MlKem768],
        &[Group::Secp256r1],
    ];
    let servers = groups.map(|groups| {
        let builder = Server::builder()
            .identity(server.clone())
            .client_auth(ClientAuth::Required(authority.trust()));
        #[cfg(feature = "key-log")]
        let builder = builder.key_log(log());
        builder
            .groups(groups.iter().map(|group| group.code_point()))
            .ticket_keys(ticket_keys.clone())
            .early_data(100, guard.clone())
            .build()
            .unwrap()
    });
    drop(server);
    let server = &servers[0];
    let mut pair = connect(&client, server, 1, false);
    run.dropped("handshake");

    for _ in 0..2 {
        pair.client.write(b"to the server").unwrap();
        pair.settle();
        pair.client.rekey().unwrap();
        pair.client.write(&[7; 20_000]).unwrap();
        pair.settle();
        pair.server.rekey().unwrap();
        pair.server.write(b"to the client").unwrap();
        pair.settle();
    }
    for end in [&pair.client, &pair.server] {
        drop(
            end.export_keying_material(b"EXPORTER-test", b"context", 64)
                .unwrap(),
        );
    }
    run.dropped("conversation");
    run.pause();

    // The client returns, with each group. Its early data is accepted, or rejected by a retry. Its
    // cached sessions are still alive.
    let resumed = [0, 1, 2].map(|at| {
        let mut again = connect(&client, &servers[at], 11 + at as u64, true);
        let expected = if at == 2 {
            EarlyData::Rejected
        } else {
            EarlyData::Accepted
        };
        assert_eq!(
            again.server.negotiated().unwrap().early_data(),
            expected,
            "{at}"
        );
        again.client.write(b"the client again").unwrap();
        again.settle();
        again.server.write(b"the server again").unwrap();
        again.settle();
        again
    });
    run.dropped("resumption");
    run.pause();
    drop(resumed);
    run.dropped("what was resumed");

    // Two parties that share only an external secret; then they resume with a ticket.
    let psk = |own, peer| {
        ExternalPsk::new(
            "identity",
            secret_from(1001).expose(),
            PskNames { own, peer },
        )
        .unwrap()
    };
    let theirs = Server::builder()
        .external_psks([psk("server", "client")])
        .build()
        .unwrap();
    let ours = Client::builder()
        .external_psk(psk("client", "server"))
        .cipher_suites([suite.code_point()])
        .build()
        .unwrap();
    let mut first = connect(&ours, &theirs, 21, false);
    first.server.write(b"with a ticket").unwrap();
    first.settle();
    drop(first);
    drop(connect(&ours, &theirs, 22, true));
    drop((ours, theirs));
    run.dropped("an external PSK");
    run.pause();

    // Another connection fails, and its tickets are forgotten with it. Both connections still exist
    // afterwards.
    let mut failed = connect(&client, server, 2, true);
    failed.server.write(b"with a ticket").unwrap();
    failed.settle();
    failed.client.write(b"broken").unwrap();
    let mut broken = failed.client.output().to_vec();
    *broken.last_mut().unwrap() ^= 1;
    let space = failed.server.input();
    space[..broken.len()].copy_from_slice(&broken);
    failed.client.sent(broken.len());
    failed.server.received(broken.len());
    assert!(failed.server.process(now(), &mut failed.rng).is_err());
    failed.settle();
    assert!(failed.client.process(now(), &mut failed.rng).is_err());
    pair.client.close();
    pair.server.close();
    pair.settle();
    assert_eq!(
        pair.client.process(now(), &mut pair.rng).unwrap(),
        Status::Closed
    );
    assert_eq!(
        pair.server.process(now(), &mut pair.rng).unwrap(),
        Status::Closed
    );
    run.dropped("closing and failing");
    run.pause();

    drop((pair, failed));
    drop((client, servers, ticket_keys, authority));
    run.dropped("the end");
    run.pause();
}

/// Returns an external secret that is the same in both runs.
fn secret_from(seed: u64) -> Secret {
    Secret::filled(32, |out| Seeded(seed).try_fill_bytes(out).unwrap())
}

fn pem(keys: &Path, name: &str) -> Secret {
    let mut file = fs::File::open(keys.join(name)).unwrap();
    let len = file.metadata().unwrap().len();
    Secret::filled(usize::try_from(len).unwrap(), |out| {
        file.read_exact(out).unwrap()
    })
}

/// Returns the authority whose certificate and key are in these files.
fn authority(keys: &Path) -> Authority {
    Authority::from_pem(
        pem(keys, "authority.pem").expose(),
        pem(keys, "authority.key").expose(),
    )
    .unwrap()
}

/// Returns the identity whose chain and key are in these files.
fn identity(keys: &Path, name: &str) -> Identity {
    Identity::from_pem_files(
        keys.join(format!("{name}.pem")),
        keys.join(format!("{name}.key")),
    )
    .unwrap()
}

/// The middle of 2026, in both runs, because a ticket's age is in the transcript.
fn now() -> Now {
    Now {
        monotonic: Duration::ZERO,
        unix: Duration::from_secs(1_782_864_000),
    }
}

/// The validity of all certificates.
fn validity() -> Validity {
    Validity::between(now().unix, now().unix + Duration::from_secs(60 * 60)).unwrap()
}

struct Pair {
    client: Connection,
    server: Connection,
    rng: Seeded,
}

fn connect(client: &Client, server: &Server, seed: u64, resumed: bool) -> Pair {
    let mut rng = Seeded(seed);
    let mut client = client
        .connection("server.internal", now(), &mut rng)
        .unwrap();
    client.write_early_data(b"early data").unwrap();
    let mut pair = Pair {
        client,
        server: server.connection(now()),
        rng,
    };
    pair.settle();
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.negotiated().unwrap().resumed(), resumed);
    }
    pair
}

impl Pair {
    /// Moves what there is to send and discards the plaintext.
    fn settle(&mut self) {
        while !self.client.output().is_empty() || !self.server.output().is_empty() {
            deliver(&mut self.client, &mut self.server, &mut self.rng);
            deliver(&mut self.server, &mut self.client, &mut self.rng);
        }
    }
}

fn deliver(from: &mut Connection, to: &mut Connection, rng: &mut Seeded) {
    // What there is to send was written just now.
    signal();
    while !from.output().is_empty() {
        let space = to.input();
        let count = space.len().min(from.output().len());
        space[..count].copy_from_slice(&from.output()[..count]);
        to.received(count);
        from.sent(count);
        // The next call returns a failure.
        while let Ok(Status::Data | Status::EarlyData) = to.process(now(), rng) {
            signal();
            to.consume(usize::MAX);
        }
        signal();
    }
}

// ---- the recording ----

/// A secret, where it was dropped, and before which pause.
struct Dropped {
    secret: Vec<u8>,
    what: &'static str,
    before: usize,
}

#[derive(Default)]
struct Recording {
    dropped: Vec<Dropped>,
    pauses: usize,
}

impl Run for Recording {
    fn dropped(&mut self, what: &'static str) {
        let before = self.pauses;
        self.dropped
            .extend(recorder::take().into_iter().map(|secret| Dropped {
                secret,
                what,
                before,
            }));
    }

    fn pause(&mut self) {
        self.pauses += 1;
    }
}

// ---- what to look for ----

/// The length in bytes of the shortest needle: the IV of a nonce.
const SHORTEST: usize = 12;

const PIECE: usize = 16;

/// Returns the bytes that give a secret away, each with how they derive from it.
fn needles(secret: &[u8], public: &[u8]) -> Vec<(Vec<u8>, &'static str)> {
    let mut needles = Vec::new();
    let mut add = |bytes: &[u8], of: &'static str| {
        for piece in bytes.chunks(PIECE).filter(|piece| piece.len() >= SHORTEST) {
            // Zeros, counters and constants are not secret.
            let different: BTreeSet<_> = piece.iter().collect();
            if different.len() >= SHORTEST / 2
                && !public.windows(piece.len()).any(|window| window == piece)
            {
                needles.push((piece.to_vec(), of));
            }
        }
    };
    add(secret, "itself");
    if let Ok(key) = <[u8; 32]>::try_from(secret) {
        let halves = Sha512::digest(key);
        add(&halves, "an Ed25519 key's halves");
        add(&halves[1..31], "an Ed25519 scalar");
        add(&key[1..31], "an X25519 scalar");
        let key = &key;
        add(
            &secret_image(key, |key| {
                Box::new(ChaCha20Poly1305::new_from_slice(key).unwrap())
            }),
            "a ChaCha20 key",
        );
        add(
            &secret_image(key, |key| {
                Box::new(AesGcm::<Aes256Enc, U12>::new_from_slice(key).unwrap())
            }),
            "an AES-256 key's expansion",
        );
        add(
            &secret_image(key, |key| Box::new(Hkdf::<Sha256>::from_prk(key).unwrap())),
            "pads of HMAC with SHA-256",
        );
    }
    if let Ok(key) = <&[u8; 16]>::try_from(secret) {
        add(
            &secret_image(key, |key| {
                Box::new(AesGcm::<Aes128Enc, U12>::new_from_slice(key).unwrap())
            }),
            "an AES-128 key's expansion",
        );
    }
    if let Ok(key) = <&[u8; 48]>::try_from(secret) {
        add(
            &secret_image(key, |key| Box::new(Hkdf::<Sha384>::from_prk(key).unwrap())),
            "pads of HMAC with SHA-384",
        );
    }
    needles
}

/// Returns the memory image of a value made from this key, with zeros where it is the same for
/// another.
fn secret_image<T, const N: usize>(key: &[u8; N], make: impl Fn(&[u8]) -> Box<T>) -> Vec<u8> {
    let mut image = [image(&*make(key)), image(&*make(&[0x5a; N]))];
    let [ours, other] = &mut image;
    for (piece, other) in ours.chunks_mut(PIECE).zip(other.chunks(PIECE)) {
        if piece == other {
            piece.fill(0);
        }
    }
    ours.clone()
}

/// Derives the record key of a traffic secret (RFC 9846, 7.1 and 7.3). Both may live equally long.
fn record_key(secret: &[u8], suite: Suite) -> Vec<u8> {
    let length = u8::try_from(suite.key_len()).unwrap();
    let prk = Prk::from_secret(suite.hash(), Secret::copy_of(secret));
    prk.expand(&[&[0, length, 9], b"tls13 key", &[0]], suite.key_len())
        .expose()
        .to_vec()
}

// ---- the search ----

type Script = fn(&Path, &mut dyn Run);

const SCRIPTS: [(&str, Option<Suite>, Script); 11] = [
    ("types", None, types),
    ("AES-128", Some(Suite::Aes128GcmSha256), |keys, run| {
        conversation(Suite::Aes128GcmSha256, keys, run)
    }),
    ("AES-256", Some(Suite::Aes256GcmSha384), |keys, run| {
        conversation(Suite::Aes256GcmSha384, keys, run)
    }),
    (
        "ChaCha20",
        Some(Suite::ChaCha20Poly1305Sha256),
        |keys, run| conversation(Suite::ChaCha20Poly1305Sha256, keys, run),
    ),
    ("asking", Some(Suite::Aes256GcmSha384), |keys, run| {
        asking::script(Suite::Aes256GcmSha384, keys, run)
    }),
    ("gathering", Some(Suite::Aes128GcmSha256), |keys, run| {
        streams::gathering(Suite::Aes128GcmSha256, keys, run)
    }),
    ("halves", Some(Suite::Aes128GcmSha256), |keys, run| {
        streams::halves(Suite::Aes128GcmSha256, keys, run)
    }),
    ("panic", Some(Suite::ChaCha20Poly1305Sha256), |keys, run| {
        streams::panicking(Suite::ChaCha20Poly1305Sha256, keys, run)
    }),
    ("renewing", Some(Suite::Aes128GcmSha256), |keys, run| {
        let (suite, group) = (Suite::Aes128GcmSha256, Group::X25519);
        renewing::script(suite, group, keys, false, run)
    }),
    ("extended", Some(Suite::Aes128GcmSha256), |keys, run| {
        let (suite, group) = (Suite::Aes128GcmSha256, Group::X25519MlKem768);
        renewing::script(suite, group, keys, true, run)
    }),
    (
        "extended, P-256",
        Some(Suite::Aes256GcmSha384),
        |keys, run| {
            let (suite, group) = (Suite::Aes256GcmSha384, Group::Secp256r1);
            renewing::script(suite, group, keys, true, run)
        },
    ),
];

const VARIABLE: &str = "FLEETING_TEST_REMAINS";

/// The child: prints that it pauses, and waits for an answer.
struct Searched;

impl Run for Searched {
    fn dropped(&mut self, _: &'static str) {
        signal();
    }

    fn pause(&mut self) {
        println!("\npaused");
        std::io::stdin().read_line(&mut String::new()).unwrap();
    }
}

thread_local! {
    /// In the child: the alternate stacks of the signals so far, and of the next one.
    static SIGNALS: RefCell<Vec<SignalStack>> = const { RefCell::new(Vec::new()) };
}

/// In the child, two signals arrive: one is handled on an alternate stack, which is kept, and one
/// on the thread's own stack.
fn signal() {
    SIGNALS.with_borrow_mut(|stacks| {
        if let Some(next) = stacks.last_mut() {
            next.raise();
            raise_here();
            stacks.push(SignalStack::new());
        }
    });
}

/// Does nothing unless it runs as the child of another test of this file.
#[test]
fn child() {
    if let Ok(value) = std::env::var(VARIABLE) {
        if CLEARED {
            SIGNALS.set(vec![SignalStack::new()]);
        }
        let (name, keys) = value.split_once(':').unwrap();
        let (.., script) = SCRIPTS.iter().find(|(script, ..)| *script == name).unwrap();
        script(Path::new(keys), &mut Searched);
    }
}

/// The keys of three parties in files, which both runs read.
struct Keys {
    folder: PathBuf,
    /// The parts of the files that are not secret.
    public: Vec<u8>,
}

impl Keys {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("fleeting-remains-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let authority = Authority::builder("remains")
            .validity(validity())
            .build()
            .unwrap();
        let certificate = || authority.certificate().validity(validity());
        let mut public = [0; PIECE].to_vec();
        let mut write = |name: &str, chain: &str, key: &Secret| {
            fs::write(folder.join(format!("{name}.pem")), chain).unwrap();
            fs::write(folder.join(format!("{name}.key")), key.expose()).unwrap();
            public.extend_from_slice(chain.as_bytes());
            public.extend_from_slice(&[0; PIECE]);
        };
        write(
            "authority",
            &authority.certificate_pem(),
            &authority.key_pem(),
        );
        for (name, identity) in [
            (
                "server",
                certificate().server(["server.internal"]).issue().unwrap(),
            ),
            ("client", certificate().client("client").issue().unwrap()),
        ] {
            write(name, &identity.chain_pem(), &identity.key_pem().unwrap());
        }
        // RFC 8410, section 7: the public bytes before every seed, in DER and in PEM.
        public.extend_from_slice(&[
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ]);
        public.extend_from_slice(b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI");
        public.extend_from_slice(b"\n-----END PRIVATE KEY-----\n");
        public.extend_from_slice(&[0; PIECE]);
        Self { folder, public }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// Runs a script here and in a child, and fails if the child still holds a dropped secret at a
/// pause.
fn search(name: &str) {
    let (_, suite, script) = SCRIPTS
        .into_iter()
        .find(|(script, ..)| *script == name)
        .unwrap();
    let keys = Keys::new(name);
    recorder::take();
    let mut recording = Recording::default();
    script(&keys.folder, &mut recording);
    let Recording { dropped, pauses } = recording;
    if name == "halves" {
        streams::dropped_with_the_half_that_writes(&dropped);
    }

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "testing::remains::child",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(VARIABLE, format!("{name}:{}", keys.folder.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let memory = Memory::of_child(child.id());
    let (mut answer, mut lines) = (
        child.stdin.take().unwrap(),
        BufReader::new(child.stdout.take().unwrap()).lines(),
    );
    let mut failures = Vec::new();
    for pause in 0..pauses {
        while lines.next().unwrap().unwrap() != "paused" {}
        failures.extend(search_once(
            &memory,
            &dropped,
            pause,
            pauses,
            suite,
            &keys.public,
        ));
        answer.write_all(b"go on\n").unwrap();
    }
    while lines.next().is_some_and(|line| line.is_ok()) {}
    assert!(child.wait().unwrap().success());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn search_once(
    memory: &Memory,
    dropped: &[Dropped],
    pause: usize,
    pauses: usize,
    suite: Option<Suite>,
    public: &[u8],
) -> BTreeSet<String> {
    let (mut bytes, mut about) = (Vec::new(), Vec::new());
    for one in dropped {
        for (needle, of) in needles(&one.secret, public) {
            bytes.push(needle);
            about.push((one, of));
        }
    }
    // Secrets that are still alive may be found, and so may their record keys.
    let mut allowed = BTreeSet::new();
    for one in dropped.iter().filter(|one| one.before > pause) {
        let key = suite
            .filter(|suite| one.secret.len() == suite.hash().output_len())
            .map(|suite| record_key(&one.secret, suite));
        for secret in [Some(&one.secret), key.as_ref()].into_iter().flatten() {
            allowed.extend(
                needles(secret, public)
                    .into_iter()
                    .map(|(needle, _)| needle),
            );
        }
    }
    let found = memory.find(&bytes);

    // The search must find what is alive.
    let seen: BTreeSet<_> = found
        .iter()
        .map(|found| about[found.needle].0.what)
        .collect();
    if suite.is_none() && pause == 0 {
        let all: BTreeSet<_> = dropped.iter().map(|one| one.what).collect();
        assert_eq!(seen, all, "a type that is alive was not found");
        return BTreeSet::new();
    }
    if pause + 1 < pauses {
        let next: BTreeSet<_> = dropped
            .iter()
            .filter(|one| one.before == pause + 1)
            .map(|one| one.what)
            .collect();
        assert!(
            !seen.is_disjoint(&next),
            "pause {pause}: what is alive was not found"
        );
    }
    let wrong = found
        .iter()
        .filter(|found| !allowed.contains(&bytes[found.needle]));
    wrong
        .map(|found| {
            let (one, of) = about[found.needle];
            format!(
                "pause {pause}: {} bytes dropped in {}, {of}: {}",
                one.secret.len(),
                one.what,
                found.place
            )
        })
        .collect()
}

#[test]
fn of_any_type() {
    search("types");
}

#[test]
fn of_a_conversation_with_aes_128() {
    search("AES-128");
}

#[test]
fn of_a_conversation_with_aes_256() {
    search("AES-256");
}

#[test]
fn of_a_conversation_with_chacha20() {
    search("ChaCha20");
}

#[test]
fn of_handshakes_that_ask() {
    search("asking");
}

/// Written data is encrypted where it was gathered, and no copy of it remains.
#[test]
fn of_what_is_gathered() {
    search("gathering");
}

/// The write half is dropped, and the read half reads on.
#[test]
fn of_a_half() {
    search("halves");
}

/// Keys are renewed by the policy and by both programs, and the connection lives on.
#[test]
fn of_keys_that_are_renewed() {
    search("renewing");
}

/// The same, by extended key updates: nothing of an epoch is left in the next.
#[test]
fn of_an_epoch() {
    search("extended");
}

#[test]
fn of_an_epoch_with_secp256r1() {
    search("extended, P-256");
}

/// A panic drops a stream that is in use.
#[test]
fn of_a_panic() {
    search("panic");
}
