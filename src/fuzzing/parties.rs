//! The two who talk: fixed keys, time and randomness, so that a recorded conversation is understood again.

use std::sync::OnceLock;
use std::time::Duration;

use rand_core::{TryCryptoRng, TryRng};

use crate::client::Client;
use crate::connection::Connection;
use crate::identity::{Identity, Trust};
use crate::server::{ClientAuth, Server};
use crate::time::Now;

pub(super) const NAME: &str = "db.internal";

/// A key that is no secret: PKCS#8 (RFC 8410, section 7), 32 bytes of 3.
pub(super) const PKCS8: &[u8] =
    b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03";

/// The same as text.
pub(super) const CLIENT_KEY: &str =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD\n-----END PRIVATE KEY-----\n";

const SERVER_KEY: &str =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n-----END PRIVATE KEY-----\n";

pub(super) struct Parties {
    pub(super) client: Client,
    pub(super) server: Server,
}

/// A client and a server that know each other's keys, which never change.
pub(super) fn parties() -> &'static Parties {
    static PARTIES: OnceLock<Parties> = OnceLock::new();
    PARTIES.get_or_init(|| {
        let (client, server) = (identity(), Identity::from_key_pem(SERVER_KEY).expect("a key"));
        let known = Trust::keys([client.public_key()]);
        let trust = Trust::key_for(NAME, server.public_key());
        Parties {
            client: Client::builder().trust(trust).identity(client).alpn(["h2", "x"]).build().expect("a client"),
            server: Server::builder().identity(server).client_auth(ClientAuth::Optional(known)).alpn(["x"]).build().expect("a server"),
        }
    })
}

pub(super) fn new_client() -> Connection {
    parties().client.connection(NAME, now(), &mut Fixed::new(1)).expect("a connection")
}

pub(super) fn new_server() -> Connection {
    parties().server.connection(now())
}

/// Who has [`PKCS8`], in a self-signed certificate without a name.
pub(super) fn identity() -> Identity {
    Identity::from_key_pem(CLIENT_KEY).expect("a key")
}

/// The middle of 2026: certificates that `seeds` makes are good then.
pub(super) fn now() -> Now {
    Now { monotonic: Duration::ZERO, unix: Duration::from_secs(1_782_864_000) }
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
