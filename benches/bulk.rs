//! Application data in memory: what writing and reading a record cost, apart from any transport.
//!
//! `write` seals records of the given size into the output and drops them; `write and read` opens them on the other side too.

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::{Kind, SUITES, Setup, deliver};

/// Bytes of application data in a record.
const SIZES: [usize; 4] = [64, 1024, 1400, 16384];

fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("write");
    for suite in SUITES {
        let mut pair = Setup::new(Kind::full(suite)).connect();
        for size in SIZES {
            let data = vec![0x5a; size];
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(format!("{suite}, {size} bytes"), |b| {
                b.iter(|| {
                    assert_eq!(pair.client.write(black_box(&data)).expect("written"), size);
                    let records = pair.client.output().len();
                    pair.client.sent(black_box(records));
                });
            });
        }
    }
    group.finish();
}

fn write_and_read(c: &mut Criterion) {
    let mut group = c.benchmark_group("write and read");
    for suite in SUITES {
        let mut pair = Setup::new(Kind::full(suite)).connect();
        for size in SIZES {
            let data = vec![0x5a; size];
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(format!("{suite}, {size} bytes"), |b| {
                b.iter(|| {
                    pair.client.write(black_box(&data)).expect("written");
                    assert_eq!(deliver(&mut pair.client, &mut pair.server), size);
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, write, write_and_read);
criterion_main!(benches);
