//! Full handshakes in memory, both sides in one thread: what a connection costs the two CPUs together.

mod support;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use support::{SUITES, Setup};

fn full(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    for suite in SUITES {
        for (auth, client_certificate) in [("server auth", false), ("mutual auth", true)] {
            let setup = Setup::new(suite, client_certificate);
            group.bench_function(format!("{suite}, {auth}"), |b| b.iter(|| black_box(setup.connect())));
        }
    }
    group.finish();
}

criterion_group!(benches, full);
criterion_main!(benches);
