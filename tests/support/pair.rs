//! A client and a server joined in memory, with a clock that stands still and randomness from a
//! seed: the same seed gives the same bytes.

#![allow(dead_code, reason = "each test binary uses only a part")]

use std::sync::OnceLock;
use std::time::Duration;

use fleeting::{
    Authority, CipherSuite, Client, ClientAuth, Connection, Error, Identity, NamedGroup, Now,
    Padding, Server, Status, Validity,
};
use rand_core::{TryCryptoRng, TryRng};

pub const NAME: &str = "pair.internal";

pub const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_AES_128_GCM_SHA256,
    CipherSuite::TLS_AES_256_GCM_SHA384,
    CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
];

/// 2026-11-21. The clock stands still.
pub const NOW: Now = Now::new(Duration::ZERO, Duration::from_secs(1_795_219_200));

/// SplitMix64: random enough for a test, and reproducible.
#[derive(Clone)]
pub struct Seeded(pub u64);

impl Seeded {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 1 to `most`.
    pub fn up_to(&mut self, most: usize) -> usize {
        1 + usize::try_from(self.next() % u64::try_from(most).unwrap()).unwrap()
    }
}

impl TryRng for Seeded {
    type Error = getrandom::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::try_from(self.next() >> 32).unwrap())
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}

/// Certificates that are valid at [`NOW`]. They are made once, with keys from the system's
/// generator.
pub struct Pki {
    pub authority: Authority,
    pub server: Identity,
    pub client: Identity,
}

pub fn pki() -> &'static Pki {
    static PKI: OnceLock<Pki> = OnceLock::new();
    PKI.get_or_init(|| {
        let day = Duration::from_secs(86_400);
        let validity = Validity::between(NOW.unix - day, NOW.unix + day).unwrap();
        let authority = Authority::builder("pair")
            .validity(validity)
            .build()
            .unwrap();
        let server = authority
            .certificate()
            .server([NAME])
            .validity(validity)
            .issue()
            .unwrap();
        let client = authority
            .certificate()
            .client("a client")
            .validity(validity)
            .issue()
            .unwrap();
        Pki {
            authority,
            server,
            client,
        }
    })
}

/// The configuration of a pair. `tests/pair/matrix.rs` covers groups and tickets. Here a handshake
/// is made thousands of times, so it uses the fastest group and no tickets.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub suite: CipherSuite,
    pub client_auth: bool,
    pub padding: Padding,
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            suite: SUITES[0],
            client_auth: true,
            padding: Padding::None,
            seed: 1,
        }
    }
}

impl Options {
    pub fn client(&self) -> Client {
        let mut client = Client::builder()
            .trust(pki().authority.trust())
            .cipher_suites([self.suite])
            .alpn(["a", "b"])
            .padding(self.padding);
        client = client.groups([NamedGroup::X25519]);
        if self.client_auth {
            client = client.identity(pki().client.clone());
        }
        client.build().unwrap()
    }

    pub fn server(&self) -> Server {
        let mut server = Server::builder()
            .identity(pki().server.clone())
            .alpn(["b"])
            .padding(self.padding)
            .without_tickets();
        if self.client_auth {
            server = server.client_auth(ClientAuth::Required(pki().authority.trust()));
        }
        server.build().unwrap()
    }

    /// Returns a client's end, with the ClientHello in its output.
    pub fn client_end(&self) -> End {
        let mut rng = Seeded(self.seed);
        let connection = self.client().connection(NAME, NOW, &mut rng).unwrap();
        End::new(connection, rng)
    }

    pub fn server_end(&self) -> End {
        End::new(self.server().connection(NOW), Seeded(!self.seed))
    }

    pub fn pair(&self) -> Pair {
        Pair {
            client: self.client_end(),
            server: self.server_end(),
        }
    }

    /// Returns a pair after its handshake.
    pub fn connected(&self) -> Pair {
        let mut pair = self.pair();
        pair.settle();
        assert!(
            !pair.client.connection.is_handshaking() && !pair.server.connection.is_handshaking()
        );
        pair
    }
}

/// A connection, and the application that holds it.
pub struct End {
    pub connection: Connection,
    pub rng: Seeded,
    pub now: Now,
    /// The connection's last status.
    pub status: Result<Status, Error>,
    /// Everything that it has sent.
    pub sent: Vec<u8>,
    /// Everything that was read from it.
    pub read: Vec<u8>,
    /// Everything that was read from it as early data.
    pub early: Vec<u8>,
}

impl End {
    pub fn new(connection: Connection, rng: Seeded) -> Self {
        Self {
            connection,
            rng,
            now: NOW,
            status: Ok(Status::NeedsInput),
            sent: Vec::new(),
            read: Vec::new(),
            early: Vec::new(),
        }
    }

    /// Processes received bytes and takes all plaintext.
    pub fn process(&mut self) {
        self.work(usize::MAX);
    }

    /// Processes received bytes, and takes at most `count` bytes of plaintext and all early data.
    pub fn work(&mut self, mut count: usize) {
        loop {
            self.status = self.connection.process(self.now, &mut self.rng);
            if self
                .status
                .as_ref()
                .is_ok_and(|status| *status == Status::EarlyData)
            {
                // There is never both.
                assert!(
                    self.connection.plaintext().is_empty()
                        && !self.connection.early_plaintext().is_empty()
                );
                self.early
                    .extend_from_slice(self.connection.early_plaintext());
                self.connection.consume(usize::MAX);
                continue;
            }
            assert!(self.connection.early_plaintext().is_empty());
            assert_eq!(
                matches!(self.status, Ok(Status::Data)),
                !self.connection.plaintext().is_empty()
            );
            let taken = self.connection.plaintext().len().min(count);
            if taken == 0 {
                return;
            }
            self.read
                .extend_from_slice(&self.connection.plaintext()[..taken]);
            self.connection.consume(taken);
            count -= taken;
        }
    }

    /// Sends at most `count` bytes of output.
    pub fn send(&mut self, count: usize) -> Vec<u8> {
        let count = self.connection.output().len().min(count);
        let bytes = self.connection.output()[..count].to_vec();
        self.connection.sent(count);
        self.sent.extend_from_slice(&bytes);
        bytes
    }

    /// Receives these bytes, at most `fragment` at a time, and processes each fragment.
    pub fn receive(&mut self, mut bytes: &[u8], fragment: usize) {
        while !bytes.is_empty() {
            let space = self.connection.input();
            assert!(!space.is_empty());
            let count = space.len().min(bytes.len()).min(fragment);
            let (now, rest) = bytes.split_at(count);
            space[..count].copy_from_slice(now);
            self.connection.received(count);
            self.process();
            bytes = rest;
        }
    }

    /// Reports the end of the transport.
    pub fn end(&mut self) {
        self.connection.received_end();
        self.process();
    }

    /// Writes all of `data`, for which the output must have space.
    pub fn write(&mut self, data: &[u8]) {
        assert_eq!(self.connection.write(data).unwrap(), data.len());
    }

    pub fn export(&self) -> Vec<u8> {
        self.connection
            .export_keying_material(b"EXPORTER-pair", b"context", 40)
            .unwrap()
            .expose()
            .to_vec()
    }

    /// Returns the error with which the connection failed.
    pub fn error(&self) -> &Error {
        self.status.as_ref().unwrap_err()
    }
}

pub struct Pair {
    pub client: End,
    pub server: End,
}

impl Pair {
    /// Returns a connection between this client and this server at [`NOW`], before anything has
    /// moved. The ClientHello waits.
    pub fn between(client: &Client, server: &Server, seed: u64) -> Self {
        Self::between_at(client, server, [NOW; 2], NAME, seed)
    }

    /// Like [`between`](Self::between), with another name, and with the clocks of the client and
    /// the server.
    pub fn between_at(
        client: &Client,
        server: &Server,
        clocks: [Now; 2],
        name: &str,
        seed: u64,
    ) -> Self {
        let mut rng = Seeded(seed);
        let connection = client.connection(name, clocks[0], &mut rng).unwrap();
        let mut pair = Self {
            client: End::new(connection, rng),
            server: End::new(server.connection(clocks[1]), Seeded(!seed)),
        };
        [pair.client.now, pair.server.now] = clocks;
        pair
    }

    /// Moves bytes until neither side has any to send.
    pub fn settle(&mut self) {
        self.settle_in(usize::MAX);
    }

    /// Moves bytes in fragments until neither side has any to send.
    pub fn settle_in(&mut self, fragment: usize) {
        loop {
            let bytes = self.client.send(fragment);
            self.server.receive(&bytes, fragment);
            let answer = self.server.send(fragment);
            self.client.receive(&answer, fragment);
            if bytes.is_empty() && answer.is_empty() {
                return;
            }
        }
    }

    /// Asserts that both sides are connected and agree about the connection.
    pub fn assert_same_view(&self) {
        let (client, server) = (&self.client.connection, &self.server.connection);
        let (of_client, of_server) = (client.negotiated().unwrap(), server.negotiated().unwrap());
        assert_eq!(of_client.cipher_suite(), of_server.cipher_suite());
        assert_eq!(of_client.group(), of_server.group());
        assert_eq!(of_client.alpn(), of_server.alpn());
        assert_eq!(of_client.server_name(), of_server.server_name());
        assert_eq!(self.client.export(), self.server.export());
    }
}

/// Splits a stream into its records, headers included.
pub fn records(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let [_, _, _, high, low, ..] = stream {
        let (record, rest) = stream.split_at(5 + usize::from(u16::from_be_bytes([*high, *low])));
        records.push(record.to_vec());
        stream = rest;
    }
    assert!(stream.is_empty(), "a cut record");
    records
}

/// Returns bytes whose content depends on their position, so that no two places of a stream look
/// alike.
pub fn data(from: usize, count: usize) -> Vec<u8> {
    let word = |index: usize| {
        u32::try_from(index)
            .unwrap()
            .wrapping_mul(0x9e37_79b1)
            .to_be_bytes()
    };
    (from..from + count)
        .map(|at| word(at / 4)[at % 4])
        .collect()
}
