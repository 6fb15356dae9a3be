//! After its first writes and reads, a connection allocates nothing for a record or a call. A
//! connection that waits for its peer holds little memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleeting::{
    Authority, Client, ClientAuth, Connection, Identity, Now, Pair, Progress, ReadHalf, Server,
    Status, Stream, SystemRandom, Trust, WriteHalf,
};

/// The system's allocator. It counts each thread's allocations and the bytes that the thread holds.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<usize> = const { Cell::new(0) };
}

fn count(before: usize, after: usize) {
    // The counter of a thread that ends is gone already.
    let _ = COUNT.try_with(|count| count.set(count.get() + usize::from(after > 0)));
    let _ = HELD.try_with(|held| held.set(held.get().wrapping_add(after).wrapping_sub(before)));
}

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), size);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts the allocations of `work`.
fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

fn now() -> Now {
    Now::new(
        Duration::ZERO,
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap(),
    )
}

/// Moves the output of `from` to `to`, which reads into `out`. Returns how many bytes were read.
fn deliver(from: &mut Connection, to: &mut Connection, out: &mut [u8]) -> usize {
    let mut count = 0;
    loop {
        let (read, status) = to
            .process_into(&mut out[count..], now(), &mut SystemRandom)
            .unwrap();
        count += read;
        if status != Status::NeedsInput || from.output().is_empty() {
            return count;
        }
        let moved = receive(to, from.output());
        from.sent(moved);
    }
}

/// Receives as much as one read of the transport would.
fn receive(to: &mut Connection, bytes: &[u8]) -> usize {
    let space = to.input();
    let count = space.len().min(bytes.len());
    space[..count].copy_from_slice(&bytes[..count]);
    to.received(count);
    count
}

fn pair() -> (Client, Server) {
    let authority = Authority::new("example").unwrap();
    let client = Client::builder().trust(authority.trust()).build().unwrap();
    let server = Server::builder()
        .identity(authority.issue_server(["db.internal"]).unwrap())
        .build()
        .unwrap();
    (client, server)
}

fn connected() -> (Connection, Connection) {
    let (client, server) = pair();
    connected_as(&client, &server)
}

fn connected_as(client: &Client, server: &Server) -> (Connection, Connection) {
    let (mut client, mut server) = (
        client
            .connection("db.internal", now(), &mut SystemRandom)
            .unwrap(),
        server.connection(now()),
    );
    while client.is_handshaking() || server.is_handshaking() {
        deliver(&mut client, &mut server, &mut []);
        deliver(&mut server, &mut client, &mut []);
    }
    (client, server)
}

#[test]
fn an_allocation_is_seen() {
    assert_eq!(
        allocations(|| drop(std::hint::black_box(vec![0u8; 100]))),
        1
    );
    assert_eq!(
        allocations(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(100)))),
        1
    );
    // The first write of a connection allocates the buffer that later writes use.
    let (mut client, _) = connected();
    assert!(allocations(|| _ = client.write(&[7; 16_384]).unwrap()) > 0);
}

#[test]
fn a_steady_stream_allocates_nothing() {
    for length in [16_384, 100, 40_000] {
        let data = vec![7; length];
        let (mut client, mut server) = connected();
        // Encrypt everything in advance, so that the reader's transport is never empty.
        let mut wire = Vec::with_capacity(8 << 20);
        let mut write = |times: usize| {
            for _ in 0..times {
                assert_eq!(client.write(&data).unwrap(), length);
                wire.extend_from_slice(client.output());
                client.sent(usize::MAX);
            }
        };
        write(2);
        assert_eq!(
            allocations(|| write((2 << 20) / length)),
            0,
            "writing {length}"
        );

        let (mut out, mut rest, mut total) = (vec![0; 16_384], &wire[..], 0);
        let mut read = |until: usize| {
            while rest.len() > until {
                match server
                    .process_into(&mut out, now(), &mut SystemRandom)
                    .unwrap()
                {
                    (0, Status::NeedsInput) => rest = &rest[receive(&mut server, rest)..],
                    (count, _) => {
                        assert!(out[..count].iter().all(|byte| *byte == 7));
                        total += count;
                    }
                }
            }
        };
        read(wire.len() - (512 << 10));
        assert_eq!(allocations(|| read(512 << 10)), 0, "reading {length}");
        assert!(total > 1 << 20);
    }
}

#[test]
fn writing_by_other_ways_allocates_nothing() {
    let (mut client, _) = connected();
    let buffers = [&[7; 100][..], &[8; 3000], &[9; 16_384], &[7; 5]];
    let mut write = || {
        for _ in 0..100 {
            assert_eq!(client.write_vectored(&buffers).unwrap(), 19_489);
            assert_eq!(client.write_with(1000, |place| place.len()).unwrap(), 1000);
            client.sent(usize::MAX);
        }
    };
    write();
    assert_eq!(allocations(write), 0);
}

#[test]
fn gathering_allocates_nothing() {
    let (mut client, _) = connected();
    client.set_corked(true).unwrap();
    let mut gather = |times: usize| {
        for _ in 0..times {
            for _ in 0..300 {
                assert_eq!(client.write(&[7; 64]).unwrap(), 64);
                assert_eq!(client.write_with(50, |place| place.len()).unwrap(), 50);
            }
            client.flush().unwrap();
            assert!(client.output().len() > 300 * 114);
            client.sent(usize::MAX);
        }
    };
    gather(2);
    assert_eq!(allocations(|| gather(20)), 0);
    // Small batches on a connection that waits between them.
    let mut gather = |times: usize| {
        for _ in 0..times {
            for _ in 0..4 {
                client.write(&[7; 100]).unwrap();
            }
            client.flush().unwrap();
            client.sent(usize::MAX);
            assert!(client.input().len() <= 512);
        }
    };
    gather(2);
    assert_eq!(allocations(|| gather(20)), 0);
}

#[test]
fn small_questions_and_answers_allocate_nothing() {
    let (mut client, mut server) = connected();
    let mut exchange = || {
        for _ in 0..100 {
            let mut out = [0; 1000];
            client.write(&[7; 100]).unwrap();
            assert_eq!(deliver(&mut client, &mut server, &mut out), 100);
            server.write(&[8; 400]).unwrap();
            assert_eq!(deliver(&mut server, &mut client, &mut out), 400);
            // Both wait, with their small buffers.
            assert!(client.input().len() <= 512 && server.input().len() <= 512);
        }
    };
    exchange();
    assert_eq!(allocations(exchange), 0);
}

// ---- streams ----

/// One direction of a pipe with much room. Returns `WouldBlock` when empty.
#[derive(Clone)]
struct Way(Arc<Mutex<VecDeque<u8>>>);

impl Way {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(VecDeque::with_capacity(2 << 20))))
    }
}

impl Read for Way {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.0.lock().unwrap();
        if bytes.is_empty() {
            Err(io::ErrorKind::WouldBlock.into())
        } else {
            bytes.read(out)
        }
    }
}

impl Write for Way {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type End = Stream<Pair<Way, Way>>;

fn streams() -> (End, End) {
    let (client, server) = pair();
    let (there, back) = (Way::new(), Way::new());
    let mut client = client
        .start(
            "db.internal",
            Pair {
                reader: back.clone(),
                writer: there.clone(),
            },
        )
        .unwrap();
    let mut server = server.start(Pair {
        reader: there,
        writer: back,
    });
    let client = loop {
        match client.advance().unwrap() {
            Progress::Done(stream) => break stream,
            Progress::WouldBlock(again) => client = again,
            _ => unreachable!(),
        }
        match server.advance().unwrap() {
            Progress::WouldBlock(again) => server = again,
            _ => unreachable!(),
        }
    };
    let Progress::Done(server) = server.advance().unwrap() else {
        unreachable!()
    };
    (client, server)
}

/// Reads until the transport is empty, as an application does before it waits.
fn drain(reader: &mut impl Read) -> usize {
    let (mut out, mut total) = ([0; 5000], 0);
    loop {
        match reader.read(&mut out) {
            Ok(count) => total += count,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                return total;
            }
        }
    }
}

/// The size in bytes of the two buffers of a side that waits.
const SMALL: usize = 2 * 512;

/// Returns how many more bytes of heap are held after `work`.
fn kept(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    work();
    HELD.get()
        .wrapping_sub(before)
        .cast_signed()
        .try_into()
        .unwrap_or_default()
}

#[test]
fn a_stream_that_waits_holds_little() {
    let (mut client, mut server) = streams();
    let data = vec![7; 60_000];
    let kept = kept(|| {
        for _ in 0..10 {
            client.write_all(&data).unwrap();
            assert_eq!(drain(&mut server), 60_000);
            server.write_all(&data).unwrap();
            assert_eq!(drain(&mut client), 60_000);
        }
        assert_eq!(drain(&mut server), 0);
    });
    assert!(kept <= 2 * SMALL, "{kept}");
}

/// Before the handshake is complete, anyone can be the peer. A peer that stalls inside a record
/// makes this side hold no more than the record, and no more than 4 KiB or twice what has come of
/// it.
#[test]
fn a_peer_that_stalls_in_its_handshake_makes_us_hold_little() {
    let (client, server) = pair();
    let hello = client
        .connection("db.internal", now(), &mut SystemRandom)
        .unwrap()
        .output()
        .to_vec();
    assert!((1000..2000).contains(&hello.len()));
    let after = |bytes: &[u8]| {
        let mut connection = server.connection(now());
        kept(|| {
            let mut rest = bytes;
            while !rest.is_empty() {
                rest = &rest[receive(&mut connection, rest)..];
                let status = connection.process(now(), &mut SystemRandom).unwrap();
                assert_eq!(status, Status::NeedsInput);
            }
            // It waits for more.
            assert!(!connection.input().is_empty());
        })
    };
    // The room is for this record and nothing else.
    for length in [1, 5, 511, 512, 600, hello.len() - 1] {
        let held = after(&hello[..length]);
        assert!(held <= hello.len().max(512), "{length} bytes: {held}");
    }
    // A header that promises much takes nothing.
    let long = [&[22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc][..], &[0; 16_379]].concat();
    for length in [5, 512, 513, 2000, 4096, 5000, 9000, 16_388] {
        let held = after(&long[..length]);
        assert!(held <= (2 * length).max(4096), "{length} bytes: {held}");
    }
}

/// Tickets wait until something is sent. A client with a long certificate that asks for many must
/// not make an idle connection hold much.
#[test]
fn tickets_that_wait_hold_little() {
    let names: Vec<_> = (0..400)
        .map(|number| format!("a-rather-long-label-{number:04}.internal"))
        .collect();
    let long = Identity::self_signed(names.iter().map(String::as_str)).unwrap();
    assert!(long.certificates()[0].len() > 14_000);
    let key = Identity::generate().unwrap();
    let client = Client::builder()
        .trust(Trust::key_for("db.internal", key.public_key()))
        .identity(long.clone())
        .tickets(8, 8)
        .build()
        .unwrap();
    let [with, without] = [true, false].map(|tickets| {
        let server = Server::builder()
            .identity(key.clone())
            .client_auth(ClientAuth::Required(Trust::keys([long.public_key()])));
        let server = if tickets {
            server
        } else {
            server.without_tickets()
        };
        let server = server.build().unwrap();
        // What is made once for all connections is not counted.
        drop(connected_as(&client, &server));
        let mut waiting = None;
        kept(|| waiting = Some(connected_as(&client, &server).1))
    });
    assert!(with > without, "{with} and {without}");
    assert!(with - without <= 17_000, "{with} and {without}");
}

#[test]
fn a_half_that_gathers_allocates_nothing() {
    let (client, mut server) = streams();
    let (_reader, mut writer) = client.into_split().unwrap();
    writer.set_corked(true).unwrap();
    let mut gather = || {
        for _ in 0..20 {
            for _ in 0..30 {
                writer.write_all(&[7; 64]).unwrap();
            }
            writer.flush().unwrap();
        }
    };
    gather();
    assert_eq!(allocations(gather), 0);
    assert_eq!(drain(&mut server), 2 * 20 * 30 * 64);
}

#[test]
fn a_stream_that_was_read_to_its_end_holds_little() {
    let (mut client, mut server) = streams();
    let kept = kept(|| {
        client.write_all(&[7; 60_000]).unwrap();
        client.close().unwrap();
        let (mut out, mut total) = ([0; 5000], 0);
        loop {
            match server.read(&mut out).unwrap() {
                0 => break,
                count => total += count,
            }
        }
        assert_eq!(total, 60_000);
    });
    assert!(kept <= SMALL, "{kept}");
    server.write_all(b"and the other way").unwrap();
}

/// The halves hold little too. The reading half frees the memory of both when it waits, `flush`
/// frees it for an application that does not read, and dropping the writing half frees all that it
/// holds.
#[test]
fn halves_that_wait_hold_little() {
    let (client, mut server) = streams();
    let data = vec![7; 60_000];
    let (mut reader, mut writer) = client.into_split().unwrap();
    let waiting = kept(|| {
        writer.write_all(&data).unwrap();
        assert_eq!(drain(&mut server), 60_000);
        server.write_all(&data).unwrap();
        assert_eq!(drain(&mut reader), 60_000);
        assert_eq!(drain(&mut server), 0);
    });
    assert!(waiting <= 2 * SMALL, "{waiting}");
    let flushed = kept(|| {
        writer.write_all(&data).unwrap();
        writer.flush().unwrap();
        assert_eq!(drain(&mut server), 60_000);
    });
    assert!(flushed <= SMALL, "{flushed}");
    let dropped = kept(|| {
        writer.write_all(&data).unwrap();
        drop(writer);
    });
    assert!(dropped <= SMALL, "{dropped}");
    drop(reader);
}

/// A stream, whole or as two halves.
trait Talks {
    fn say(&mut self, data: &[u8]);
    fn hear(&mut self) -> usize;
}

impl Talks for End {
    fn say(&mut self, data: &[u8]) {
        self.write_all(data).unwrap();
    }

    fn hear(&mut self) -> usize {
        drain(self)
    }
}

impl Talks for (ReadHalf<Way>, WriteHalf<Way>) {
    fn say(&mut self, data: &[u8]) {
        self.1.write_all(data).unwrap();
    }

    fn hear(&mut self) -> usize {
        drain(&mut self.0)
    }
}

/// Memory that a wait frees is allocated again: once for sending, and two or three times for
/// receiving, whose buffer grows in steps and starts small. How much data, and how many records and
/// calls, come between two waits makes no difference. Data that fits the buffers of a waiting
/// connection costs nothing.
#[test]
fn a_wait_costs_few_allocations_however_much_comes_after_it() {
    fn converse(a: &mut impl Talks, b: &mut impl Talks, length: usize, times: usize) {
        let data = vec![7; length];
        let most = if length * times <= 490 {
            [0, 0]
        } else {
            [1, 3]
        };
        for round in 0..6 {
            let turn = |from: &mut dyn Talks, to: &mut dyn Talks| {
                let said = allocations(|| (0..times).for_each(|_| from.say(&data)));
                let heard = allocations(|| assert_eq!(to.hear(), times * length));
                assert!(
                    round < 3 || said <= most[0] && heard <= most[1],
                    "{times} times {length} bytes: {said} and {heard}"
                );
            };
            turn(a, b);
            turn(b, a);
        }
    }
    for (length, times) in [
        (1, 1),
        (490, 1),
        (490, 50),
        (491, 1),
        (1000, 1),
        (1000, 50),
        (16_384, 1),
        (16_384, 20),
        (60_000, 1),
        (60_000, 10),
    ] {
        let (mut client, mut server) = streams();
        converse(&mut client, &mut server, length, times);
        converse(
            &mut client.into_split().unwrap(),
            &mut server,
            length,
            times,
        );
    }
}

/// An application that only writes allocates nothing, with or without `flush`. The writing half
/// frees memory on `flush`, since the reading half may never do it.
#[test]
fn writing_without_a_wait_allocates_nothing() {
    for length in [400, 1000, 16_384, 60_000] {
        let data = vec![7; length];
        let (mut client, mut server) = streams();
        let write = |writer: &mut dyn Write, flushes: bool| {
            allocations(|| {
                for _ in 0..8 {
                    writer.write_all(&data).unwrap();
                    if flushes {
                        writer.flush().unwrap();
                    }
                }
            })
        };
        write(&mut client, false);
        assert_eq!(
            [write(&mut client, false), write(&mut client, true)],
            [0, 0],
            "{length}"
        );
        drain(&mut server);
        let (reader, mut writer) = client.into_split().unwrap();
        let most = if length == 400 { 0 } else { 8 };
        assert!(
            write(&mut writer, false) == 0 && write(&mut writer, true) <= most,
            "{length}"
        );
        drop(reader);
    }
}
