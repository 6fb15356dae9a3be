//! Handshakes in memory, both sides in one thread: what a connection costs the two CPUs together.
//!
//! `handshake` are full ones with X25519, `groups` the same with one group after the other.
//! `resumed handshake` takes a ticket and leaves one, which comes with a byte of data, by X25519
//! again (psk_dhe_ke); the others leave none.

mod support;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fleeting::NamedGroup;
use support::{Kind, SUITES, Setup};

fn full(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    for suite in SUITES {
        for (auth, client_certificate) in [("server auth", false), ("mutual auth", true)] {
            let setup = Setup::new(Kind {
                client_certificate,
                ..Kind::full(suite)
            });
            group.bench_function(format!("{suite}, {auth}"), |b| {
                b.iter(|| black_box(setup.connect()))
            });
        }
    }
    group.finish();
}

fn groups(c: &mut Criterion) {
    let mut benches = c.benchmark_group("groups");
    for group in [
        NamedGroup::X25519_MLKEM768,
        NamedGroup::X25519,
        NamedGroup::SECP256R1,
    ] {
        let setup = Setup::new(Kind {
            group,
            ..Kind::full(SUITES[0])
        });
        benches.bench_function(group.to_string(), |b| b.iter(|| black_box(setup.connect())));
    }
    benches.finish();
}

fn resumed(c: &mut Criterion) {
    let mut group = c.benchmark_group("resumed handshake");
    for suite in SUITES {
        for (auth, client_certificate) in [("server auth", false), ("mutual auth", true)] {
            let setup = Setup::new(Kind {
                client_certificate,
                resumed: true,
                ..Kind::full(suite)
            });
            group.bench_function(format!("{suite}, {auth}"), |b| {
                b.iter(|| black_box(setup.connect()))
            });
        }
    }
    group.finish();
}

criterion_group!(benches, full, groups, resumed);
criterion_main!(benches);
