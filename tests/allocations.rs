//! A connection that has warmed up allocates nothing for what it writes and reads: no record, no call.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleeting::{Authority, Client, Connection, Now, Server, Status, SystemRandom};

/// The system's, which counts what each thread asks for.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends has no counter any more.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` allocates.
fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

fn now() -> Now {
    Now { monotonic: Duration::ZERO, unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap() }
}

/// Gives `to` what waits at `from`, and returns the data that comes of it, which is read into `out`.
fn deliver(from: &mut Connection, to: &mut Connection, out: &mut [u8]) -> usize {
    let mut count = 0;
    loop {
        let (read, status) = to.process_into(&mut out[count..], now(), &mut SystemRandom).unwrap();
        count += read;
        if status != Status::NeedsInput || from.output().is_empty() {
            return count;
        }
        let moved = receive(to, from.output());
        from.sent(moved);
    }
}

/// One read of the transport.
fn receive(to: &mut Connection, bytes: &[u8]) -> usize {
    let space = to.input();
    let count = space.len().min(bytes.len());
    space[..count].copy_from_slice(&bytes[..count]);
    to.received(count);
    count
}

fn connected() -> (Connection, Connection) {
    let authority = Authority::new("example").unwrap();
    let client = Client::builder().trust(authority.trust()).build().unwrap();
    let server = Server::builder().identity(authority.issue_server(["db.internal"]).unwrap()).build().unwrap();
    let (mut client, mut server) = (client.connection("db.internal", now(), &mut SystemRandom).unwrap(), server.connection(now()));
    while client.is_handshaking() || server.is_handshaking() {
        deliver(&mut client, &mut server, &mut []);
        deliver(&mut server, &mut client, &mut []);
    }
    (client, server)
}

#[test]
fn an_allocation_is_seen() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![0u8; 100]))), 1);
    assert_eq!(allocations(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(100)))), 1);
    // The first write of a connection makes the buffer that the later ones use.
    let (mut client, _) = connected();
    assert!(allocations(|| _ = client.write(&[7; 16_384]).unwrap()) > 0);
}

#[test]
fn a_steady_stream_allocates_nothing() {
    for length in [16_384, 100, 40_000] {
        let data = vec![7; length];
        let (mut client, mut server) = connected();
        // All that is sent, so that the reader's transport is never empty.
        let mut wire = Vec::with_capacity(8 << 20);
        let mut write = |times: usize| {
            for _ in 0..times {
                assert_eq!(client.write(&data).unwrap(), length);
                wire.extend_from_slice(client.output());
                client.sent(usize::MAX);
            }
        };
        write(2);
        assert_eq!(allocations(|| write((2 << 20) / length)), 0, "writing {length}");

        let (mut out, mut rest, mut total) = (vec![0; 16_384], &wire[..], 0);
        let mut read = |until: usize| {
            while rest.len() > until {
                match server.process_into(&mut out, now(), &mut SystemRandom).unwrap() {
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
fn small_questions_and_answers_allocate_nothing() {
    let (mut client, mut server) = connected();
    let mut exchange = || {
        for _ in 0..100 {
            let mut out = [0; 1000];
            client.write(&[7; 100]).unwrap();
            assert_eq!(deliver(&mut client, &mut server, &mut out), 100);
            server.write(&[8; 400]).unwrap();
            assert_eq!(deliver(&mut server, &mut client, &mut out), 400);
            // Each waits for the other with what it has then.
            assert!(client.input().len() <= 512 && server.input().len() <= 512);
        }
    };
    exchange();
    assert_eq!(allocations(exchange), 0);
}
