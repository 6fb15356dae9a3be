//! The two halves of a stream, in two threads.

use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fleeting::{AlertDescription, Error, Pair, ReadHalf, Stream, WriteHalf};

use crate::pauses::MOODS;
use crate::pipe::{Fickle, Reader, pipe, wide_pipe};
use crate::side::{Side, content, inner, is_pause, pair, streams};

/// A record that no key opens.
const FORGERY: [u8; 21] = [
    23, 3, 3, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];

fn two() -> (Stream<TcpStream>, Stream<TcpStream>) {
    let (client, server) = pair();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || server.accept(listener.accept().unwrap().0).unwrap());
    let client = client
        .connect("db.internal", TcpStream::connect(address).unwrap())
        .unwrap();
    (client, serving.join().unwrap())
}

fn read_all(mut reader: ReadHalf<TcpStream>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        all
    })
}

/// Both sides write and read much data at once and renew their keys meanwhile. With one thread a
/// side, they would deadlock.
#[test]
fn both_directions_at_once() {
    const SIZE: usize = 12 << 20;
    let (a, b) = two();
    let write = |mut writer: WriteHalf<TcpStream>, seed| {
        thread::spawn(move || {
            for (number, part) in content(SIZE, seed).chunks(100_003).enumerate() {
                if number % 10 == 5 {
                    writer.rekey().unwrap();
                }
                writer.write_all(part).unwrap();
            }
            writer.close().unwrap();
            writer
        })
    };
    let ((a_reader, a_writer), (b_reader, b_writer)) =
        (a.into_split().unwrap(), b.into_split().unwrap());
    assert_eq!(b_reader.negotiated().peer().unwrap().subject(), "CN=alice");
    assert_eq!(
        a_writer.negotiated().cipher_suite(),
        b_writer.negotiated().cipher_suite()
    );
    let writing = [write(a_writer, 1), write(b_writer, 2)];
    let (at_a, at_b) = (read_all(a_reader), read_all(b_reader));
    assert!(at_b.join().unwrap() == content(SIZE, 1));
    assert!(at_a.join().unwrap() == content(SIZE, 2));
    for writer in writing {
        let mut writer = writer.join().unwrap();
        assert!(matches!(
            inner(writer.write(b"too late").unwrap_err()),
            Error::Closed
        ));
        assert!(matches!(inner(writer.rekey().unwrap_err()), Error::Closed));
    }
}

/// The peer requests KeyUpdates and continues to write, while our writer waits because the peer
/// does not read. Reading waits for neither.
#[test]
fn reading_goes_on_while_writing_waits() {
    const SIZE: usize = 24 << 20;
    let (a, mut b) = two();
    let (mut reader, mut writer) = a.into_split().unwrap();
    let (say, hear) = mpsc::channel();
    let writing = thread::spawn(move || {
        writer.write_all(&content(SIZE, 3)).unwrap();
        say.send(()).unwrap();
    });
    // No socket buffers that much data.
    assert!(hear.recv_timeout(Duration::from_millis(300)).is_err());
    for number in 0..50 {
        b.rekey().unwrap();
        writeln!(b, "line {number}").unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, format!("line {number}\n"));
    }
    assert!(hear.try_recv().is_err(), "it still waits");
    // The one answer to all requests precedes the next data, and the peer reads it like any record.
    let mut all = Vec::new();
    b.read_to_end(&mut all).unwrap();
    assert!(all == content(SIZE, 3));
    hear.recv().unwrap();
    writing.join().unwrap();
}

/// As with a whole stream: whatever a call of the transport returns, nothing is lost or repeated.
#[test]
fn over_transports_of_every_temper() {
    /// Returns the result, or `None` on a pause.
    fn now<T>(result: io::Result<T>) -> Option<T> {
        result
            .map_err(|error| assert!(is_pause(&error), "{error}"))
            .ok()
    }

    let (client, server) = pair();
    for moods in MOODS {
        for chunk in [1, 17, 1021, usize::MAX] {
            for capacity in [3000, usize::MAX] {
                let length = if chunk < 100 { 3000 } else { 150_000 };
                let (there, back) = (content(length, 1), content(length / 2, 2));
                let (a, b) = pipe(capacity, (None, None));
                let a = Pair {
                    reader: Fickle::steady(a.reader()),
                    writer: Fickle::steady(a),
                };
                let (mut a, b) = streams(client.start("db.internal", a).unwrap(), server.start(b));
                a.get_mut().reader.turn(chunk, moods);
                a.get_mut().writer.turn(chunk, moods);
                let (mut reader, mut writer) = a.into_split().unwrap();
                let mut b = Side::open(b, back.clone()).rekey_at(length / 4);
                let (mut sent, mut rekeyed, mut closed, mut ended) = (0, false, false, false);
                let (mut received, mut out) = (Vec::new(), [0; 5000]);
                // The number of rounds is bounded, so that a hang is a failure.
                let mut rounds = 0..100_000;
                while !(closed && ended && b.is_done()) {
                    rounds.next().expect("an end");
                    b.step().unwrap();
                    if sent >= length / 3 && !rekeyed {
                        rekeyed = now(writer.rekey()).is_some();
                    } else if sent < length {
                        sent += now(writer.write(&there[sent..length.min(sent + 70_000)]))
                            .unwrap_or_default();
                    } else if !closed {
                        closed = now(writer.close()).is_some();
                        assert!(!closed || !writer.wants_write());
                    }
                    match now(reader.read(&mut out)) {
                        Some(0) => ended = true,
                        Some(count) => received.extend_from_slice(&out[..count]),
                        None => {}
                    }
                }
                assert!(
                    b.received == there && received == back,
                    "{moods:?} chunk {chunk} capacity {capacity}"
                );
            }
        }
    }
}

/// RFC 9846, 4.7.3: an answer precedes the next data. An application that sends no data sends the
/// answer with `flush`.
#[test]
fn who_only_reads_can_answer_a_key_update() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let (a, mut b) = streams(
        client
            .start(
                "db.internal",
                Pair {
                    reader: a.reader(),
                    writer: a,
                },
            )
            .unwrap(),
        server.start(b),
    );
    let (mut reader, mut writer) = a.into_split().unwrap();
    for _ in 0..3 {
        assert!(!writer.wants_write());
        b.rekey().unwrap();
        b.write_all(b"news").unwrap();
        reader.read_exact(&mut [0; 4]).unwrap();
        assert!(writer.wants_write());
        writer.flush().unwrap();
        assert!(!writer.wants_write());
        // This reads the answer. Otherwise the next `rekey` would send no request.
        assert!(is_pause(&b.read(&mut [0; 10]).unwrap_err()));
    }
    b.rekey().unwrap();
    b.write_all(b"news").unwrap();
    reader.read_exact(&mut [0; 4]).unwrap();
    writer.close().unwrap();
    assert!(!writer.wants_write());
    assert_eq!(b.read(&mut [0; 10]).unwrap(), 0);
}

#[test]
fn dropping_the_write_half_closes_and_reading_goes_on() {
    let (a, mut b) = two();
    let (mut reader, mut writer) = a.into_split().unwrap();
    writer.write_all(b"all of it").unwrap();
    drop(writer);
    let mut text = String::new();
    b.read_to_string(&mut text).unwrap();
    assert_eq!(text, "all of it");
    b.rekey().unwrap();
    b.write_all(b"and more").unwrap();
    b.close().unwrap();
    text.clear();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "and more");
}

#[test]
fn dropping_the_read_half_leaves_the_other() {
    let (a, mut b) = two();
    let (reader, mut writer) = a.into_split().unwrap();
    drop(reader);
    writer.write_all(b"still here").unwrap();
    writer.close().unwrap();
    let mut text = String::new();
    b.read_to_string(&mut text).unwrap();
    assert_eq!(text, "still here");
}

/// Returns forged bytes, if there are any, before those that were received.
struct Forged {
    reader: Reader,
    forge: mpsc::Receiver<Vec<u8>>,
}

impl Read for Forged {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.forge.try_recv() {
            Ok(bytes) => bytes.as_slice().read(out),
            Err(_) => self.reader.read(out),
        }
    }
}

/// RFC 9846, 5.2: a record that cannot be decrypted ends the connection. The peer receives
/// bad_record_mac, and the writing half returns the same error.
#[test]
fn what_reading_fails_with_is_what_writing_gets() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let (forger, forge) = mpsc::channel();
    let (a, mut b) = streams(
        client
            .start(
                "db.internal",
                Pair {
                    reader: Forged {
                        reader: a.reader(),
                        forge,
                    },
                    writer: a,
                },
            )
            .unwrap(),
        server.start(b),
    );
    let (mut reader, mut writer) = a.into_split().unwrap();
    writer.write_all(b"before").unwrap();
    forger.send(FORGERY.to_vec()).unwrap();
    let error = inner(reader.read(&mut [0; 10]).unwrap_err());
    assert_eq!(error.alert(), Some(AlertDescription::BAD_RECORD_MAC));
    for _ in 0..2 {
        assert_eq!(
            inner(writer.write(b"after").unwrap_err()).alert(),
            Some(AlertDescription::BAD_RECORD_MAC)
        );
        assert_eq!(
            inner(writer.rekey().unwrap_err()).alert(),
            Some(AlertDescription::BAD_RECORD_MAC)
        );
        assert_eq!(
            inner(writer.close().unwrap_err()).alert(),
            Some(AlertDescription::BAD_RECORD_MAC)
        );
        assert_eq!(
            inner(reader.read(&mut [0; 10]).unwrap_err()).alert(),
            Some(AlertDescription::BAD_RECORD_MAC)
        );
    }
    let mut text = [0; 6];
    b.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"before");
    assert!(matches!(
        inner(b.read(&mut text).unwrap_err()),
        Error::AlertReceived {
            alert: AlertDescription::BAD_RECORD_MAC,
            ..
        }
    ));
}

/// Data that arrived before a forged record does not wait for the alert. If the reading half is not
/// called again, the writing half sends the alert, also in place of close_notify.
#[test]
fn what_came_before_a_failure_is_read_before_it_is_told() {
    for tells in ["reader", "writer", "drop"] {
        let (client, server) = pair();
        let (a, b) = wide_pipe();
        let (a, mut b) = streams(
            client
                .start(
                    "db.internal",
                    Pair {
                        reader: a.reader(),
                        writer: a,
                    },
                )
                .unwrap(),
            server.start(b),
        );
        b.write_all(b"true").unwrap();
        b.get_mut().write_all(&FORGERY).unwrap();
        let (mut reader, mut writer) = a.into_split().unwrap();
        let mut text = [0; 10];
        assert_eq!(reader.read(&mut text).unwrap(), 4);
        assert!(is_pause(&b.read(&mut text).unwrap_err()));
        match tells {
            "reader" => assert_eq!(
                inner(reader.read(&mut text).unwrap_err()).alert(),
                Some(AlertDescription::BAD_RECORD_MAC)
            ),
            "writer" => assert_eq!(
                inner(writer.flush().unwrap_err()).alert(),
                Some(AlertDescription::BAD_RECORD_MAC)
            ),
            _ => drop(writer),
        }
        assert!(matches!(
            inner(b.read(&mut text).unwrap_err()),
            Error::AlertReceived {
                alert: AlertDescription::BAD_RECORD_MAC,
                ..
            }
        ));
    }
}

/// RFC 9846, section 6: nothing is sent after a fatal alert, neither data that was accepted before
/// nor close_notify. The writing half returns the error.
#[test]
fn what_an_alert_keeps_back_is_not_said_to_be_sent() {
    for closes in [false, true] {
        let (client, server) = pair();
        let (a, b) = pipe(10_000, (None, None));
        let (mut a, mut b) = streams(
            client
                .start(
                    "db.internal",
                    Pair {
                        reader: a.reader(),
                        writer: a,
                    },
                )
                .unwrap(),
            server.start(b),
        );
        a.get_mut().write_all(&FORGERY).unwrap();
        let (mut reader, mut writer) = a.into_split().unwrap();
        assert_eq!(writer.write(&content(50_000, 1)).unwrap(), 50_000);
        assert!(is_pause(&writer.flush().unwrap_err()) && writer.wants_write());
        if closes {
            assert!(is_pause(&writer.close().unwrap_err()));
        }
        assert_eq!(
            inner(b.read(&mut [0; 10]).unwrap_err()).alert(),
            Some(AlertDescription::BAD_RECORD_MAC)
        );
        // Make room.
        while b.get_mut().read(&mut [0; 1000]).is_ok() {}
        assert!(matches!(
            inner(reader.read(&mut [0; 10]).unwrap_err()),
            Error::AlertReceived {
                alert: AlertDescription::BAD_RECORD_MAC,
                ..
            }
        ));
        for _ in 0..2 {
            assert!(matches!(
                inner(writer.flush().unwrap_err()),
                Error::AlertReceived {
                    alert: AlertDescription::BAD_RECORD_MAC,
                    ..
                }
            ));
            assert!(!writer.wants_write());
        }
        drop(writer);
        assert_eq!(
            b.get_mut().read(&mut [0; 10]).unwrap(),
            0,
            "nothing but the end"
        );
    }
}

/// After the transport fails while sending, what the peer sent can still be read.
#[test]
fn a_broken_transport_is_no_failure_of_reading() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let (a, mut b) = streams(
        client
            .start(
                "db.internal",
                Pair {
                    reader: a.reader(),
                    writer: a,
                },
            )
            .unwrap(),
        server.start(b),
    );
    b.write_all(b"last words").unwrap();
    b.close().unwrap();
    drop(b);
    let (mut reader, mut writer) = a.into_split().unwrap();
    for _ in 0..2 {
        assert_eq!(
            writer.write(b"lost").unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "last words");
}

/// What was accepted is sent first. Nothing more is accepted until the transport has taken it.
#[test]
fn a_full_transport_takes_nothing_more() {
    let (client, server) = pair();
    let (a, b) = pipe(10_000, (None, None));
    let (a, _b) = streams(
        client
            .start(
                "db.internal",
                Pair {
                    reader: a.reader(),
                    writer: a,
                },
            )
            .unwrap(),
        server.start(b),
    );
    let (mut reader, mut writer) = a.into_split().unwrap();
    assert_eq!(writer.write(&content(15_000, 1)).unwrap(), 15_000);
    for _ in 0..3 {
        assert!(is_pause(&writer.write(b"x").unwrap_err()) && writer.wants_write());
        assert!(is_pause(
            &writer
                .write_with(1, |_| panic!("what waits goes first"))
                .unwrap_err()
        ));
        assert!(is_pause(&writer.rekey().unwrap_err()));
    }
    // An empty buffer does not call the transport.
    assert_eq!(reader.read(&mut []).unwrap(), 0);
    assert!(is_pause(&reader.read(&mut [0]).unwrap_err()));
}

/// A transport that fails once each time it is told to.
struct Faltering {
    end: crate::pipe::End,
    fails: mpsc::Receiver<io::ErrorKind>,
}

impl Write for Faltering {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self.fails.try_recv() {
            Ok(kind) => Err(kind.into()),
            Err(_) => self.end.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// After an error of the transport, bytes are missing: sending is over, even if the transport
/// recovers.
#[test]
fn what_sending_fails_with_sticks() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let (fail, fails) = mpsc::channel();
    let (a, mut b) = streams(
        client
            .start(
                "db.internal",
                Pair {
                    reader: a.reader(),
                    writer: Faltering { end: a, fails },
                },
            )
            .unwrap(),
        server.start(b),
    );
    let (_reader, mut writer) = a.into_split().unwrap();
    fail.send(io::ErrorKind::NetworkDown).unwrap();
    for _ in 0..2 {
        assert_eq!(
            writer.write(b"lost").unwrap_err().kind(),
            io::ErrorKind::NetworkDown
        );
        assert_eq!(
            writer.flush().unwrap_err().kind(),
            io::ErrorKind::NetworkDown
        );
        assert_eq!(
            writer.set_corked(true).unwrap_err().kind(),
            io::ErrorKind::NetworkDown
        );
        assert_eq!(
            writer.close().unwrap_err().kind(),
            io::ErrorKind::NetworkDown
        );
    }
    drop(writer);
    assert!(matches!(
        inner(b.read(&mut [0]).unwrap_err()),
        Error::Truncated
    ));
}

/// Both halves return the error of a cut connection.
#[test]
fn a_cut_connection() {
    let (a, b) = two();
    let (mut reader, mut writer) = a.into_split().unwrap();
    drop(b.into_inner());
    assert!(matches!(
        inner(reader.read(&mut [0; 10]).unwrap_err()),
        Error::Truncated
    ));
    assert!(matches!(
        inner(writer.write(b"x").unwrap_err()),
        Error::Truncated
    ));
}

#[cfg(unix)]
#[test]
fn over_unix_sockets() {
    let (client, server) = pair();
    let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
    let serving = thread::spawn(move || {
        let (mut reader, mut writer) = server.accept(b).unwrap().into_split().unwrap();
        io::copy(&mut reader, &mut writer).unwrap()
    });
    let (mut reader, mut writer) = client
        .connect("db.internal", a)
        .unwrap()
        .into_split()
        .unwrap();
    writer.write_all(&content(100_000, 4)).unwrap();
    writer.close().unwrap();
    let mut back = Vec::new();
    reader.read_to_end(&mut back).unwrap();
    assert_eq!(back, content(100_000, 4));
    assert_eq!(serving.join().unwrap(), 100_000);
}

#[test]
fn halves_go_to_other_threads() {
    fn goes<T: Send>() {}
    goes::<ReadHalf<TcpStream>>();
    goes::<WriteHalf<TcpStream>>();
}
