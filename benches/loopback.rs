//! Application data over loopback TCP: one thread writes, the other reads, as two programs would.
//! The kernel's copies are the larger part.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use support::{Kind, NAME, SUITES, Setup};

/// Bytes sent in one direction for one sample's iteration.
const BYTES: u64 = 64 << 20;

/// What one call of `write` is given, in bytes.
const CHUNK: usize = 64 << 10;

/// A reader that throws everything away and reports each time it has seen [`BYTES`] of it.
fn drain(mut from: impl Read + Send + 'static) -> mpsc::Receiver<()> {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        let mut seen = 0;
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            seen += count as u64;
            if seen >= BYTES {
                seen -= BYTES;
                if done.send(()).is_err() {
                    return;
                }
            }
        }
    });
    wait
}

fn send(to: &mut impl Write, done: &mpsc::Receiver<()>) {
    let chunk = vec![0x5a; CHUNK];
    for _ in 0..BYTES / CHUNK as u64 {
        to.write_all(&chunk).expect("written");
    }
    to.flush().expect("flushed");
    done.recv().expect("read");
}

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let near = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    let (far, _) = listener.accept().expect("accepted");
    near.set_nodelay(true).expect("no delay");
    far.set_nodelay(true).expect("no delay");
    (near, far)
}

fn one_way(c: &mut Criterion) {
    let mut group = c.benchmark_group("loopback");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .throughput(Throughput::Bytes(BYTES));

    let (mut near, far) = tcp();
    let done = drain(far);
    group.bench_function("bare TCP", |b| b.iter(|| send(&mut near, &done)));

    for suite in SUITES {
        let setup = Setup::new(Kind::full(suite));
        let (near, far) = tcp();
        let accepting = thread::spawn(move || setup.server.accept(far).expect("accepted"));
        let mut near = setup.client.connect(NAME, near).expect("connected");
        let done = drain(accepting.join().expect("no panic"));
        group.bench_function(suite.to_string(), |b| b.iter(|| send(&mut near, &done)));
    }
    group.finish();
}

criterion_group!(benches, one_way);
criterion_main!(benches);
