//! Corked streams: what the transport receives, and when.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::{panic, thread};

use fleeting::{AlertDescription, Error, Pair, Stream, WriteHalf};

use crate::pauses::MOODS;
use crate::pipe::{End, Fickle, Reader, pipe, wide_pipe};
use crate::side::{Side, content, converse, inner, is_pause, pair, streams};

/// The bytes that a record adds to its content.
const OVERHEAD: usize = 22;
const FULL: usize = 16_384;

/// Records the number of bytes of each call of `write`.
struct Noting {
    end: End,
    calls: Arc<Mutex<Vec<usize>>>,
}

impl Read for Noting {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.end.read(out)
    }
}

impl Write for Noting {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.calls.lock().unwrap().push(data.len());
        self.end.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.calls.lock().unwrap().push(0);
        Ok(())
    }
}

/// The calls of a stream's transport since the last `take`; 0 is a flush.
struct Calls(Arc<Mutex<Vec<usize>>>);

impl Calls {
    fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn noting() -> (Stream<Noting>, Stream<End>, Calls) {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let calls = Arc::default();
    let (mut a, mut b) = streams(
        client
            .start(
                "db.internal",
                Noting {
                    end: a,
                    calls: Arc::clone(&calls),
                },
            )
            .unwrap(),
        server.start(b),
    );
    // Tickets are sent with the first data: receive both.
    b.write_all(b"x").unwrap();
    a.read_exact(&mut [0]).unwrap();
    calls.lock().unwrap().clear();
    (a, b, Calls(calls))
}

/// A pipe and its reader: a transport that can be split.
type Halved = Pair<Reader, Noting>;

fn halved() -> (Stream<Halved>, Stream<End>, Calls) {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let calls = Arc::default();
    let io = Pair {
        reader: a.reader(),
        writer: Noting {
            end: a,
            calls: Arc::clone(&calls),
        },
    };
    let (a, b) = streams(client.start("db.internal", io).unwrap(), server.start(b));
    calls.lock().unwrap().clear();
    (a, b, Calls(calls))
}

fn reads(b: &mut Stream<End>, expected: &[u8]) {
    let mut text = vec![0; expected.len()];
    b.read_exact(&mut text).unwrap();
    assert!(text == expected);
    assert!(is_pause(&b.read(&mut [0]).unwrap_err()), "nothing more");
}

/// A stream, or the writing half of one.
trait Writer: Write {
    fn set_corked(&mut self, corked: bool) -> io::Result<()>;
    fn is_corked(&self) -> bool;
    fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> io::Result<usize>;
    fn close(&mut self) -> io::Result<()>;
    fn wants_write(&self) -> bool;
}

macro_rules! writer {
    ($type:ty) => {
        impl Writer for $type {
            fn set_corked(&mut self, corked: bool) -> io::Result<()> {
                self.set_corked(corked)
            }

            fn is_corked(&self) -> bool {
                self.is_corked()
            }

            fn write_with(
                &mut self,
                length: usize,
                write: impl FnOnce(&mut [u8]) -> usize,
            ) -> io::Result<usize> {
                self.write_with(length, write)
            }

            fn close(&mut self) -> io::Result<()> {
                self.close()
            }

            fn wants_write(&self) -> bool {
                self.wants_write()
            }
        }
    };
}

writer!(Stream<Noting>);
writer!(WriteHalf<Noting>);

fn few_calls(mut a: impl Writer, mut b: Stream<End>, calls: &Calls) {
    assert!(!a.is_corked());
    let data = content(100_000, 1);
    for part in data[..1000].chunks(100) {
        a.write_all(part).unwrap();
    }
    assert_eq!(calls.take(), [100 + OVERHEAD; 10], "a call each");
    a.set_corked(true).unwrap();
    assert!(a.is_corked());
    for part in data[1000..].chunks(100) {
        let written = if part[0] % 2 == 0 {
            a.write(part)
        } else {
            a.write_with(100, |place| part.as_ref().read(place).unwrap())
        };
        assert_eq!(written.unwrap(), 100);
        assert!(
            !a.wants_write(),
            "what is gathered does not wait for the transport"
        );
    }
    // `write_with` is given its whole length, so a record may end a little before it is full.
    let sent = calls.take();
    assert_eq!(sent.len(), 6);
    assert!(
        sent.iter()
            .all(|length| (FULL - 100..=FULL).contains(&(length - OVERHEAD))),
        "{sent:?}"
    );
    let left = 99_000 + 6 * OVERHEAD - sent.iter().sum::<usize>();
    a.flush().unwrap();
    assert_eq!(calls.take(), [left + OVERHEAD, 0]);
    reads(&mut b, &data);
    // Nothing is written if there is nothing to send.
    a.flush().unwrap();
    assert_eq!(calls.take(), [0]);
    a.write_all(b"one").unwrap();
    a.write_all(b"two").unwrap();
    assert_eq!(calls.take(), []);
    a.set_corked(false).unwrap();
    assert_eq!(calls.take(), [6 + OVERHEAD]);
    reads(&mut b, b"onetwo");
    a.set_corked(true).unwrap();
    a.write_all(b"the end").unwrap();
    a.close().unwrap();
    assert_eq!(
        calls.take(),
        [7 + 2 + 2 * OVERHEAD, 0],
        "data and close_notify in one call"
    );
    let mut text = String::new();
    b.read_to_string(&mut text).unwrap();
    assert_eq!(text, "the end");
    a.set_corked(false).unwrap();
    a.flush().unwrap();
}

#[test]
fn small_writes_become_few_calls() {
    let (a, b, calls) = noting();
    few_calls(a, b, &calls);
}

#[test]
fn small_writes_of_a_half_become_few_calls() {
    let (a, b, calls) = halved();
    let (_reader, a) = a.into_split().unwrap();
    few_calls(a, b, &calls);
}

/// Gathered data moves to the writing half.
#[test]
fn a_stream_is_split_while_it_gathers() {
    let (mut a, mut b, calls) = halved();
    a.set_corked(true).unwrap();
    a.write_all(b"before, ").unwrap();
    let (_reader, mut a) = a.into_split().unwrap();
    assert!(a.is_corked());
    a.write_all(b"after").unwrap();
    assert_eq!(calls.take(), []);
    a.flush().unwrap();
    reads(&mut b, b"before, after");
}

/// Gathered data and close_notify are sent in one call.
#[test]
fn dropping_sends() {
    let data = content(5000, 2);
    for splits in [false, true] {
        let (mut a, mut b, calls) = halved();
        a.set_corked(true).unwrap();
        a.write_all(&data).unwrap();
        if splits {
            let (_reader, writer) = a.into_split().unwrap();
            drop(writer);
        } else {
            drop(a);
        }
        assert_eq!(calls.take(), [5000 + 2 + 2 * OVERHEAD, 0]);
        let mut received = Vec::new();
        b.read_to_end(&mut received).unwrap();
        assert!(received == data);
    }
}

/// Dropping makes one call of the transport, however little that call sends.
#[test]
fn dropping_waits_for_no_second_call() {
    for splits in [false, true] {
        let (client, server) = pair();
        let (a, b) = wide_pipe();
        let io = Pair {
            reader: a.reader(),
            writer: Fickle::new(a, 100, MOODS[3]),
        };
        let (mut a, mut b) = streams(client.start("db.internal", io).unwrap(), server.start(b));
        a.set_corked(true).unwrap();
        a.write_all(&content(5000, 2)).unwrap();
        if splits {
            drop(a.into_split().unwrap())
        } else {
            drop(a)
        }
        assert!(matches!(
            inner(b.read(&mut [0]).unwrap_err()),
            Error::Truncated
        ));
    }
}

/// RFC 9846, section 6: nothing is sent after a fatal alert. If the alert follows data, reading has
/// not reported it yet.
#[test]
fn what_an_alert_keeps_back_is_not_said_to_be_sent() {
    for splits in [false, true] {
        let (mut a, mut b, _) = halved();
        a.set_corked(true).unwrap();
        a.write_all(b"gathered").unwrap();
        b.write_all(b"data").unwrap();
        // A record that makes the other side send an alert.
        a.get_mut()
            .write_all(&[
                23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                20,
            ])
            .unwrap();
        assert_eq!(
            inner(b.read(&mut [0; 10]).unwrap_err()).alert(),
            Some(AlertDescription::BAD_RECORD_MAC)
        );
        let error = if splits {
            let (mut reader, mut writer) = a.into_split().unwrap();
            assert_eq!(reader.read(&mut [0; 10]).unwrap(), 4);
            writer.set_corked(false).unwrap_err()
        } else {
            assert_eq!(a.read(&mut [0; 10]).unwrap(), 4);
            a.set_corked(false).unwrap_err()
        };
        assert!(matches!(
            inner(error),
            Error::AlertReceived {
                alert: AlertDescription::BAD_RECORD_MAC,
                ..
            }
        ));
    }
}

/// A thread that panics sends nothing more, and the peer sees that data is missing.
#[test]
fn unwinding_does_not_send() {
    for splits in [false, true] {
        let (mut a, mut b, _) = halved();
        a.set_corked(true).unwrap();
        a.write_all(b"half of").unwrap();
        let unwound = thread::spawn(move || {
            let mut a = Some(a);
            let _halves = splits.then(|| a.take().unwrap().into_split().unwrap());
            panic::resume_unwind(Box::new("on purpose, without a message"));
        });
        assert!(unwound.join().is_err());
        assert!(matches!(
            inner(b.read_to_end(&mut Vec::new()).unwrap_err()),
            Error::Truncated
        ));
    }
}

#[test]
fn into_inner_sends_nothing() {
    let (mut a, mut b, calls) = noting();
    a.set_corked(true).unwrap();
    a.write_all(b"gathered").unwrap();
    drop(a.into_inner());
    assert_eq!(calls.take(), []);
    assert!(matches!(
        inner(b.read(&mut [0]).unwrap_err()),
        Error::Truncated
    ));
}

/// A full record waits for the transport, and nothing is accepted after it. Corking and uncorking
/// still succeed.
#[test]
fn a_full_transport_takes_nothing_more() {
    let (client, server) = pair();
    let (a, b) = pipe(10_000, (None, None));
    let (mut a, mut b) = streams(client.start("db.internal", a).unwrap(), server.start(b));
    a.set_corked(true).unwrap();
    let data = content(100_000, 3);
    let mut accepted = 0;
    let error = loop {
        match a.write(&data[accepted..accepted + 100]) {
            Ok(count) => accepted += count,
            Err(error) => break error,
        }
    };
    assert!(is_pause(&error) && a.wants_write());
    assert_eq!(accepted, (FULL / 100 + 1) * 100);
    assert!(is_pause(
        &a.write_with(1, |_| panic!("what waits goes first"))
            .unwrap_err()
    ));
    assert!(is_pause(&a.flush().unwrap_err()));
    a.set_corked(false).unwrap();
    a.set_corked(true).unwrap();
    let mut received = Vec::new();
    let mut buffer = vec![0; 100_000];
    while received.len() < accepted {
        match b.read(&mut buffer) {
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) => assert!(is_pause(&error)),
        }
        assert!(a.flush().is_ok() || a.wants_write());
    }
    assert!(received == data[..accepted] && !a.wants_write());
}

#[test]
fn a_broken_transport_is_told() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let (mut a, b) = streams(client.start("db.internal", a).unwrap(), server.start(b));
    a.set_corked(true).unwrap();
    a.write_all(b"gathered").unwrap();
    drop(b);
    for _ in 0..2 {
        assert_eq!(a.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(
            a.set_corked(false).unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
        assert_eq!(
            a.write(b"more").unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    let (client, server) = pair();
    let (there, back) = (content(60_000, 1), content(40_000, 2));
    for moods in MOODS {
        for (chunk, capacity) in [(17, usize::MAX), (1021, 5), (usize::MAX, 20_000)] {
            let (a, b) = pipe(capacity, (None, None));
            let a = client
                .start("db.internal", Fickle::new(a, chunk, moods))
                .unwrap();
            let b = server.start(Fickle::new(b, chunk, moods));
            let mut a = Side::new(a, there.clone())
                .rekey_at(20_000)
                .chunk(99)
                .corked(true);
            let mut b = Side::new(b, back.clone())
                .rekey_at(10_000)
                .chunk(777)
                .corked(true);
            let (left, right) = converse(&mut a, &mut b, 1_000_000);
            let what = format!("{moods:?} chunk {chunk} capacity {capacity}");
            left.expect(&what);
            right.expect(&what);
            assert!(b.received == there && a.received == back, "{what}");
        }
    }
}
