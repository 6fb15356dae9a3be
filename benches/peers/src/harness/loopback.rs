//! Application data over TCP on the loopback interface, one way: one thread writes, another reads,
//! as two programs would.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use super::clock::thread_usage;
use super::measure::{Block, Figures, Unit};
use super::stack::Stack;

/// What one call of `write`, and at most one of `read`, is given, in bytes.
const CHUNK: usize = 64 * 1024;

pub const NAME: &str = "loopback TCP";

pub fn block(rounds: Vec<Vec<Figures>>) -> Block {
    let rows = &[
        ("CPU of both sides in user mode", Unit::NanosecondsPerByte),
        ("CPU of both sides", Unit::NanosecondsPerByte),
        ("throughput", Unit::GigabytesPerSecond),
    ];
    Block {
        name: NAME.into(),
        rows,
        rounds,
    }
}

/// By a stack, or by none: TCP as it is.
pub fn run(stack: Option<&dyn Stack>, mebibytes: u32) -> Figures {
    let (near, far) = tcp();
    let chunks = mebibytes as usize * 1024 * 1024 / CHUNK;
    let barrier = &Barrier::new(2);
    let (writer, reader) = thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let mut to: Box<dyn Write> = match stack {
                Some(stack) => stack.connect(near),
                None => Box::new(near),
            };
            let data = vec![0x5a; CHUNK];
            measured(
                barrier,
                |count| {
                    (0..count).for_each(|_| to.write_all(&data).expect("a write"));
                    to.flush().expect("a write");
                },
                chunks,
            )
        });
        let reader = scope.spawn(move || {
            let mut from: Box<dyn Read> = match stack {
                Some(stack) => stack.accept(far),
                None => Box::new(far),
            };
            let mut buffer = vec![0; CHUNK];
            measured(
                barrier,
                |count| {
                    let mut left = count * CHUNK;
                    while left > 0 {
                        let most = left.min(CHUNK);
                        let read = from.read(&mut buffer[..most]).expect("a read");
                        assert!(read > 0, "the data ends early");
                        left -= read;
                    }
                },
                chunks,
            )
        });
        (
            writer.join().expect("no panic"),
            reader.join().expect("no panic"),
        )
    });
    let bytes = (chunks * CHUNK) as f64;
    vec![
        (writer.user + reader.user) / bytes,
        (writer.all + reader.all) / bytes,
        bytes / writer.wall.max(reader.wall),
    ]
}

/// Nanoseconds.
struct Took {
    user: f64,
    all: f64,
    wall: f64,
}

/// Moves a few chunks, which completes the handshake and warms up, waits for the other thread, and
/// moves the others. The connection is still whole when both have seen the clock.
fn measured(barrier: &Barrier, mut work: impl FnMut(usize), chunks: usize) -> Took {
    work(4);
    barrier.wait();
    let (from, began) = (thread_usage(), Instant::now());
    work(chunks);
    let (to, wall) = (thread_usage(), began.elapsed().as_nanos() as f64);
    barrier.wait();
    Took {
        user: (to.0 - from.0) as f64,
        all: (to.0 + to.1 - from.0 - from.1) as f64,
        wall,
    }
}

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let near = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    let (far, _) = listener.accept().expect("accepted");
    near.set_nodelay(true).expect("no delay");
    far.set_nodelay(true).expect("no delay");
    (near, far)
}
