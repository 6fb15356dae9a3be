//! Application data in memory: what writing and reading a record cost, apart from any transport.
//!
//! `write` seals records of the given size into the output and drops them; `write and read` opens
//! them on the other side too. `small writes` are as many as make 16 KiB: a record each, and
//! corked, one record.

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

fn small_writes(c: &mut Criterion) {
    let mut group = c.benchmark_group("small writes");
    for suite in SUITES {
        let mut pair = Setup::new(Kind::full(suite)).connect();
        for (corked, how) in [(false, ""), (true, ", corked")] {
            pair.client.set_corked(corked).expect("corked");
            for size in [16, 64, 256] {
                let data = vec![0x5a; size];
                group.throughput(Throughput::Bytes(16384));
                group.bench_function(format!("{suite}, {size} bytes{how}"), |b| {
                    b.iter(|| {
                        for _ in 0..16384 / size {
                            assert_eq!(pair.client.write(black_box(&data)).expect("written"), size);
                        }
                        pair.client.flush().expect("flushed");
                        let records = pair.client.output().len();
                        pair.client.sent(black_box(records));
                    });
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, write, write_and_read, small_writes);
criterion_main!(benches);
