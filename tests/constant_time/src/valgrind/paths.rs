//! The code that runs with its secrets marked.

use fleeting::internals::{Aead, Column, Ed25519, KeySchedule, KeyShare};
use fleeting::{CipherSuite, NamedGroup};
use getrandom::Error;
use rand_core::{TryCryptoRng, TryRng};

use super::request::{public, secret};

/// The code to run, and how many reports are allowed that `valgrind.supp` cannot name.
pub struct Path {
    pub name: String,
    pub run: Box<dyn FnOnce()>,
    pub allowed: usize,
}

impl Path {
    fn new(name: String, run: impl FnOnce() + 'static) -> Self {
        Self {
            name,
            run: Box::new(run),
            allowed: 0,
        }
    }
}

const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_AES_128_GCM_SHA256,
    CipherSuite::TLS_AES_256_GCM_SHA384,
    CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
];

pub fn all() -> Vec<Path> {
    let mut all = Vec::new();
    for width in ["portable", "aes-ni"] {
        for suite in SUITES.into_iter().filter(|suite| {
            width == "portable" || *suite != CipherSuite::TLS_CHACHA20_POLY1305_SHA256
        }) {
            all.push(Path::new(format!("{suite}, {width}"), move || {
                records(width, suite)
            }));
        }
    }
    for suite in SUITES {
        all.push(Path::new(format!("key schedule, {suite}"), move || {
            key_schedule(suite)
        }));
    }
    for column in [Column::Portable, Column::Accelerated] {
        for group in [
            NamedGroup::X25519,
            NamedGroup::SECP256R1,
            NamedGroup::X25519_MLKEM768,
        ] {
            // p256 checks about four times whether a public key is the point at infinity before it
            // encodes it, in inlined code without a name of its own. Two keys are made here. A leak
            // in the multiplication would be reported for every digit of the scalar.
            let allowed = if (column, group) == (Column::Portable, NamedGroup::SECP256R1) {
                12
            } else {
                0
            };
            all.push(Path {
                allowed,
                ..Path::new(format!("{group}, {column:?}"), move || {
                    key_exchange(column, group)
                })
            });
        }
        all.push(Path::new(format!("Ed25519, {column:?}"), move || {
            signature(column)
        }));
    }
    all
}

/// Returns secret bytes, not all alike.
fn secrets<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    Seeded(N as u8).try_fill_bytes(&mut bytes).unwrap();
    bytes
}

/// Declares the result of a check public: an alert, or its absence, reveals it.
fn outcome(passed: bool) -> bool {
    let byte = std::hint::black_box([u8::from(passed)]);
    public(&byte);
    std::hint::black_box(&byte)[0] == 1
}

/// Seals records of each kind of length, opens them, and opens them with a wrong tag.
fn records(width: &str, suite: CipherSuite) {
    let (key, nonce) = (secrets::<32>(), secrets::<12>());
    let len = if suite == CipherSuite::TLS_AES_128_GCM_SHA256 {
        16
    } else {
        32
    };
    let key = Aead::with_width(width, suite, &key[..len]).expect("valgrind has this width");
    // The lengths are nothing, parts of a block, tails, a batch, and several batches with a rest.
    for len in [0, 1, 15, 16, 17, 100, 128, 257, 512, 1000, 4096, 16_401] {
        for head in [0, len / 2, len] {
            let mut buffer = vec![3; len];
            secret(&mut buffer);
            let mut text = vec![5; head];
            secret(&mut text);
            let tag = key.seal(&nonce, b"aad, public", &text, &mut buffer);
            // These bytes are sent.
            public(&buffer);
            public(&tag);
            let mut wrong = (buffer.clone(), tag);
            wrong.1[9] ^= 4;
            assert!(outcome(key.open(
                &nonce,
                b"aad, public",
                &mut buffer,
                &tag,
                &mut text
            )));
            assert!(!outcome(key.open(
                &nonce,
                b"aad, public",
                &mut wrong.0,
                &wrong.1,
                &mut text
            )));
        }
    }
}

/// Derives traffic keys from a PSK and a shared secret, seals a record under each, and computes the
/// Finished.
fn key_schedule(suite: CipherSuite) {
    let (psk, shared) = (secrets::<48>(), secrets::<64>());
    let schedule = KeySchedule::new(
        suite,
        &psk[..32],
        &shared,
        b"ClientHello and all that follows",
    )
    .unwrap();
    for (key, nonce) in schedule.records.iter().zip(schedule.nonces(3)) {
        let mut buffer = secrets::<100>();
        let tag = key.seal(&nonce, b"aad", b"", &mut buffer);
        public(&buffer);
        public(&tag);
        assert!(outcome(key.open(
            &nonce,
            b"aad",
            &mut buffer,
            &tag,
            &mut []
        )));
    }
    // verify_data is sent. It is encrypted under a key that a passive attacker does not have, but
    // needs no protection from the peer.
    let mut finished = schedule.verify_data();
    public(&finished);
    assert!(outcome(schedule.verify(&finished)));
    finished[7] ^= 1;
    assert!(!outcome(schedule.verify(&finished)));
}

/// Makes a client's share and a server's answer, and computes both shared secrets.
fn key_exchange(column: Column, group: NamedGroup) {
    let client = KeyShare::generate(column, group, &mut Seeded(1)).unwrap();
    public(client.public());
    let (answer, server_shared) =
        KeyShare::respond(column, group, client.public(), &mut Seeded(2)).unwrap();
    public(&answer);
    let client_shared = client.agree(&answer).unwrap();
    // The secrets are made public only now, to compare them.
    public(client_shared.expose());
    public(server_shared.expose());
    assert!(client_shared.expose() == server_shared.expose());
    if group == NamedGroup::X25519_MLKEM768 {
        // This ciphertext was changed on the way, which must not be visible before the handshake
        // fails.
        let mut changed = answer;
        changed[100] ^= 1;
        let rejected = KeyShare::generate(column, group, &mut Seeded(1))
            .unwrap()
            .agree(&changed)
            .unwrap();
        public(rejected.expose());
        assert!(rejected.expose() != server_shared.expose());
    }
}

fn signature(column: Column) {
    let key = Ed25519::new(column, &secrets::<32>()).unwrap();
    public(&key.public());
    let signature = key.sign(b"what is signed is sent, or known to both sides");
    public(&signature);
    assert!(signature != [0; 64]);
}

/// A generator whose bytes are all secret.
struct Seeded(u8);

impl TryRng for Seeded {
    type Error = Error;

    fn try_next_u32(&mut self) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        for byte in &mut *out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(3);
            *byte = self.0.rotate_left(3) ^ 0x5a;
        }
        secret(out);
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}
