//! Peers that renew their keys while we write and do not read.

use std::io::{Read, Write};

use fleeting::{Pair, Stream};

use crate::pipe::{End, Reader, wide_pipe};
use crate::side::{is_pause, pair, streams};

type Transport = Pair<Reader, End>;

fn two() -> (Stream<Transport>, Stream<Transport>) {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let transport = |end: End| Pair {
        reader: end.reader(),
        writer: end,
    };
    streams(
        client.start("db.internal", transport(a)).unwrap(),
        server.start(transport(b)),
    )
}

/// The peer renews its keys with each record that it receives, as a JDK does. We read that only
/// afterwards, and it is no flood, since the peer sent no more than we did.
#[test]
fn a_hundred_renewals_while_we_write() {
    const RENEWALS: usize = 100;
    for size in [200, 16_384] {
        let renew = |b: &mut Stream<Transport>| {
            b.read_exact(&mut vec![0; size]).unwrap();
            b.rekey().unwrap();
        };

        let (mut a, mut b) = two();
        for round in 0..10 {
            for _ in 0..RENEWALS {
                a.write_all(&vec![7; size]).unwrap();
                renew(&mut b);
            }
            b.write_all(b"done").unwrap();
            let mut done = [0; 4];
            a.read_exact(&mut done)
                .unwrap_or_else(|error| panic!("round {round}: {error}"));
        }

        let (a, mut b) = two();
        let (mut reader, mut writer) = a.into_split().unwrap();
        for round in 0..10 {
            for _ in 0..RENEWALS {
                writer.write_all(&vec![7; size]).unwrap();
                renew(&mut b);
            }
            b.write_all(b"done").unwrap();
            let mut done = [0; 4];
            reader
                .read_exact(&mut done)
                .unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
    }
}

/// What a stream has written before it is split counts too.
#[test]
fn what_was_written_before_the_split_counts() {
    let (mut a, mut b) = two();
    for _ in 0..100 {
        a.write_all(b"x").unwrap();
        b.read_exact(&mut [0]).unwrap();
        b.rekey().unwrap();
    }
    b.write_all(b"done").unwrap();
    let (mut reader, _writer) = a.into_split().unwrap();
    reader.read_exact(&mut [0; 4]).unwrap();
}

/// A program that only reads sends the answer by `flush`, and `wants_write` tells it to, even if
/// the request came together with data. Reading itself sends nothing.
#[test]
fn a_stream_that_only_reads_answers_by_flush() {
    let (mut a, mut b) = two();
    for _ in 0..3 {
        b.rekey().unwrap();
        b.write_all(b"x").unwrap();
        a.read_exact(&mut [0]).unwrap();
        assert!(is_silent(&b), "reading has sent something");
        assert!(a.wants_write());
        a.flush().unwrap();
        assert!(!a.wants_write() && !is_silent(&b));
        assert!(is_pause(&b.read(&mut [0]).unwrap_err()), "no data");
    }

    let (a, mut b) = two();
    let (mut reader, mut writer) = a.into_split().unwrap();
    for _ in 0..3 {
        b.rekey().unwrap();
        b.write_all(b"x").unwrap();
        reader.read_exact(&mut [0]).unwrap();
        assert!(is_silent(&b), "reading has sent something");
        assert!(writer.wants_write());
        writer.flush().unwrap();
        assert!(!writer.wants_write() && !is_silent(&b));
        assert!(is_pause(&b.read(&mut [0]).unwrap_err()), "no data");
    }
}

/// Returns true if nothing has arrived for this stream that it has not read.
fn is_silent(stream: &Stream<Transport>) -> bool {
    stream.get_ref().reader.is_empty()
}
