//! What is measured, and how a stack is driven for it.

use super::clock::{heap_in_use, timed};
use super::stack::{End, Kind, Stack};

/// Bytes that wait between the two ends while bulk data is measured: they stay in the processor's
/// cache.
const BATCH: usize = 256 * 1024;

#[derive(Clone, Copy)]
pub enum Measure {
    Handshake { kind: Kind, count: u32 },
    Bulk { record: usize, mebibytes: u32 },
    Memory { connections: u32 },
}

/// What one stack took in one round, in the order of [`Block::rows`]; not a number where it cannot
/// do this.
pub type Figures = Vec<f64>;

#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    /// Microseconds of CPU.
    Microseconds,
    Nanoseconds,
    /// Nanoseconds of CPU a byte.
    NanosecondsPerByte,
    /// 10^9 bytes in a second of the clock on the wall.
    GigabytesPerSecond,
    /// 10^3 in a second of the clock on the wall.
    ThousandsPerSecond,
    Bytes,
}

/// A measure's rows in the table.
pub struct Block {
    pub name: String,
    pub rows: &'static [(&'static str, Unit)],
    /// In each round, the figures of each stack.
    pub rounds: Vec<Vec<Figures>>,
}

impl Measure {
    pub fn name(&self) -> String {
        match self {
            Self::Handshake { kind, .. } => match kind {
                Kind::Full => "handshake".into(),
                Kind::ClientCertificate => "handshake, client certificate".into(),
                Kind::Hybrid => "handshake, X25519MLKEM768".into(),
                Kind::Resumed => "resumed handshake".into(),
            },
            Self::Bulk { record, .. } if record % 1024 == 0 => {
                format!("{} KiB records", record / 1024)
            }
            Self::Bulk { record, .. } => format!("{record}-byte records"),
            Self::Memory { .. } => "idle connection".into(),
        }
    }

    /// What each figure is.
    fn rows(&self) -> &'static [(&'static str, Unit)] {
        match self {
            Self::Handshake { .. } => &[
                ("client", Unit::Microseconds),
                ("server", Unit::Microseconds),
                ("both sides", Unit::Microseconds),
            ],
            Self::Bulk { .. } => &[
                ("write", Unit::NanosecondsPerByte),
                ("read", Unit::NanosecondsPerByte),
            ],
            Self::Memory { .. } => &[("client", Unit::Bytes), ("server", Unit::Bytes)],
        }
    }

    pub fn block(&self, rounds: Vec<Vec<Figures>>) -> Block {
        Block {
            name: self.name(),
            rows: self.rows(),
            rounds,
        }
    }

    pub fn run(&self, stack: &dyn Stack) -> Figures {
        match *self {
            Self::Handshake { kind, .. } if !stack.supports(kind) => {
                vec![f64::NAN; self.rows().len()]
            }
            Self::Handshake { kind, count } => handshakes(stack, kind, count),
            Self::Bulk { record, mebibytes } => bulk(stack, record, mebibytes),
            Self::Memory { connections } => memory(stack, connections),
        }
    }
}

/// The two ends of a connection, and what is on its way between them.
struct Pair {
    client: Box<dyn End>,
    server: Box<dyn End>,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
}

impl Pair {
    /// Makes a connection and completes its handshake; the CPU time of each side is added to what
    /// is given.
    fn new(stack: &dyn Stack, kind: Kind, client_time: &mut u64, server_time: &mut u64) -> Self {
        let client = timed(client_time, || stack.client(kind));
        let server = timed(server_time, || stack.server(kind));
        let mut pair = Self {
            client,
            server,
            to_client: Vec::new(),
            to_server: Vec::new(),
        };
        for _ in 0..10 {
            let client_done = timed(client_time, || {
                pair.client
                    .handshake(&mut pair.to_client, &mut pair.to_server)
            });
            let server_done = timed(server_time, || {
                pair.server
                    .handshake(&mut pair.to_server, &mut pair.to_client)
            });
            if client_done && server_done {
                // The ticket comes behind the handshake, at the latest with the first data.
                if kind == Kind::Resumed {
                    timed(server_time, || pair.server.write(b"x", &mut pair.to_client));
                    timed(client_time, || {
                        pair.client.read(&mut pair.to_client, &mut [0])
                    });
                }
                return pair;
            }
        }
        panic!("{} does not come to an end of its handshake", stack.name());
    }
}

/// Makes a connection of each kind, looks whether it is what the table says, and moves some bytes.
pub fn warm_up(stack: &dyn Stack) {
    for kind in Kind::ALL.into_iter().filter(|kind| stack.supports(*kind)) {
        if kind == Kind::Resumed {
            // The full one that leaves the first ticket behind.
            Pair::new(stack, kind, &mut 0, &mut 0);
        }
        let mut pair = Pair::new(stack, kind, &mut 0, &mut 0);
        let (client, server) = (pair.client.agreed(), pair.server.agreed());
        for side in [&client, &server] {
            assert_eq!(side.suite, "TLS_AES_128_GCM_SHA256", "{}", stack.name());
            assert_eq!(side.resumed, kind == Kind::Resumed, "{}", stack.name());
        }
        assert!(client.certificates > 0, "{}", stack.name());
        assert_eq!(
            server.certificates > 0,
            kind == Kind::ClientCertificate,
            "{}",
            stack.name()
        );

        let mut buffer = vec![0; 16 * 1024];
        pair.client.write(b"there", &mut pair.to_server);
        assert_eq!(
            pair.server.read(&mut pair.to_server, &mut buffer),
            5,
            "{}",
            stack.name()
        );
        assert!(buffer.starts_with(b"there"), "{}", stack.name());
        pair.server.write(b"and back", &mut pair.to_client);
        assert_eq!(
            pair.client.read(&mut pair.to_client, &mut buffer),
            8,
            "{}",
            stack.name()
        );
        assert!(buffer.starts_with(b"and back"), "{}", stack.name());
    }
}

fn handshakes(stack: &dyn Stack, kind: Kind, count: u32) -> Figures {
    let (mut client, mut server) = (0, 0);
    for _ in 0..count {
        let pair = Pair::new(stack, kind, &mut client, &mut server);
        assert_eq!(
            pair.client.agreed().resumed,
            kind == Kind::Resumed,
            "{}",
            stack.name()
        );
        timed(&mut client, || drop(pair.client));
        timed(&mut server, || drop(pair.server));
    }
    let each = |total: u64| total as f64 / f64::from(count) / 1000.0;
    vec![each(client), each(server), each(client + server)]
}

fn bulk(stack: &dyn Stack, record: usize, mebibytes: u32) -> Figures {
    let mut pair = Pair::new(stack, Kind::Full, &mut 0, &mut 0);
    let data = vec![0x5a; record];
    let mut buffer = vec![0; 16 * 1024];
    let (mut write, mut read) = (0, 0);
    // Small records are that much slower: no more than 65536 of them.
    let bytes = (mebibytes as usize * 1024 * 1024).min(record * 65536);
    let in_batch = BATCH / record;
    let batches = bytes.div_ceil(in_batch * record);
    // Two more first: buffers grow to their size, and caches and predictors learn.
    for batch in 0..batches + 2 {
        if batch == 2 {
            (write, read) = (0, 0);
        }
        timed(&mut write, || {
            (0..in_batch).for_each(|_| pair.client.write(&data, &mut pair.to_server))
        });
        let count = timed(&mut read, || {
            pair.server.read(&mut pair.to_server, &mut buffer)
        });
        assert_eq!(count, in_batch * record, "{} lost data", stack.name());
    }
    let per_byte = |total: u64| total as f64 / (batches * in_batch * record) as f64;
    vec![per_byte(write), per_byte(read)]
}

fn memory(stack: &dyn Stack, connections: u32) -> Figures {
    // What is made once, at the first connection, is not a connection's.
    warm_up(stack);
    let data = vec![0x5a; 16 * 1024];
    let mut buffer = vec![0; 16 * 1024];
    let mut clients = Vec::with_capacity(connections as usize);
    let mut servers = Vec::with_capacity(connections as usize);
    let before = heap_in_use();
    for _ in 0..connections {
        let mut pair = Pair::new(stack, Kind::Full, &mut 0, &mut 0);
        pair.client.write(&data, &mut pair.to_server);
        pair.server.read(&mut pair.to_server, &mut buffer);
        pair.server.write(&data, &mut pair.to_client);
        pair.client.read(&mut pair.to_client, &mut buffer);
        pair.client.wait();
        pair.server.wait();
        clients.push(pair.client);
        servers.push(pair.server);
    }
    let both = heap_in_use();
    drop(clients);
    let server = heap_in_use();
    let each = |bytes: u64| bytes as f64 / f64::from(connections);
    // The list of clients went with them.
    let list = u64::from(connections) * size_of::<Box<dyn End>>() as u64;
    let figures = vec![
        each((both - server).saturating_sub(list)),
        each((server + list).saturating_sub(before)),
    ];
    drop(servers);
    figures
}
