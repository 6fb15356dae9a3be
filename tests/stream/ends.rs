//! `close`, dropping a stream, and what is left when it ends.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{panic, thread};

use fleeting::{Error, Stream};

use crate::pipe::{End, wide_pipe};
use crate::side::{inner, pair, streams};

fn two() -> (Stream<End>, Stream<End>) {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    streams(client.start("db.internal", a).unwrap(), server.start(b))
}

#[test]
fn each_direction_ends_for_itself() {
    let (mut a, mut b) = two();
    a.write_all(b"question").unwrap();
    a.close().unwrap();
    a.close().unwrap();
    let mut text = String::new();
    b.read_to_string(&mut text).unwrap();
    assert_eq!(text, "question");
    assert_eq!(b.read(&mut [0; 10]).unwrap(), 0);
    // RFC 9846, 6.1: the other direction continues.
    b.write_all(b"answer").unwrap();
    b.rekey().unwrap();
    b.write_all(b", and more").unwrap();
    b.close().unwrap();
    text.clear();
    a.read_to_string(&mut text).unwrap();
    assert_eq!(text, "answer, and more");

    let error = a.write(b"too late").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert!(matches!(inner(error), Error::Closed));
    assert!(matches!(inner(a.rekey().unwrap_err()), Error::Closed));
}

#[test]
fn dropping_closes() {
    let (mut a, mut b) = two();
    a.write_all(b"all of it").unwrap();
    drop(a);
    let mut text = String::new();
    b.read_to_string(&mut text).unwrap();
    assert_eq!(text, "all of it");
}

#[test]
fn unwinding_does_not_close() {
    let (mut a, mut b) = two();
    a.write_all(b"half of").unwrap();
    let unwound = thread::Builder::new().spawn(move || {
        let _a = a;
        panic::resume_unwind(Box::new("on purpose, without a message"));
    });
    assert!(unwound.unwrap().join().is_err());
    let mut text = Vec::new();
    let error = b.read_to_end(&mut text).unwrap_err();
    assert_eq!(text, b"half of");
    assert!(matches!(inner(error), Error::Truncated));
}

/// Counts calls of `write`, and takes nothing once `stuck` is set.
struct Stuck {
    end: End,
    writes: Arc<AtomicUsize>,
    stuck: bool,
}

impl Read for Stuck {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.end.read(out)
    }
}

impl Write for Stuck {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        if self.stuck {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            self.end.write(data)
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.end.flush()
    }
}

#[test]
fn dropping_makes_one_attempt() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let writes = Arc::new(AtomicUsize::new(0));
    let a = Stuck {
        end: a,
        writes: writes.clone(),
        stuck: false,
    };
    let (mut a, mut b) = streams(client.start("db.internal", a).unwrap(), server.start(b));
    a.get_mut().stuck = true;
    assert_eq!(a.write(b"accepted").unwrap(), 8);
    let before = writes.load(Ordering::Relaxed);
    drop(a);
    assert_eq!(writes.load(Ordering::Relaxed), before + 1);
    assert!(matches!(
        inner(b.read(&mut [0; 10]).unwrap_err()),
        Error::Truncated
    ));
}

#[test]
fn a_closed_stream_is_dropped_in_silence() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let writes = Arc::new(AtomicUsize::new(0));
    let a = Stuck {
        end: a,
        writes: writes.clone(),
        stuck: false,
    };
    let (mut a, _b) = streams(client.start("db.internal", a).unwrap(), server.start(b));
    a.close().unwrap();
    let before = writes.load(Ordering::Relaxed);
    drop(a);
    assert_eq!(writes.load(Ordering::Relaxed), before);
}

#[test]
fn the_transport_comes_back_as_it_is() {
    let (mut a, mut b) = two();
    a.close().unwrap();
    assert_eq!(b.read(&mut [0; 10]).unwrap(), 0);
    b.close().unwrap();
    assert_eq!(a.read(&mut [0; 10]).unwrap(), 0);
    let (mut a, mut b) = (a.into_inner(), b.into_inner());
    a.write_all(b"in the clear").unwrap();
    let mut text = [0; 12];
    b.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"in the clear");
}

#[test]
fn streams_and_handshakes_go_to_other_threads() {
    fn goes<T: Send + Sync>() {}
    goes::<Stream<std::net::TcpStream>>();
    goes::<fleeting::Handshake<std::net::TcpStream>>();
    goes::<fleeting::Client>();
    goes::<fleeting::Server>();
}

/// A transport on which nothing ever comes: it ends, or was reset.
struct Probe(Option<io::ErrorKind>);

impl Read for Probe {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.map_or(Ok(0), |kind| Err(kind.into()))
    }
}

impl Write for Probe {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Load balancers connect to see whether a server lives, and close or reset the connection. A
/// server can tell that from a client that is cut off in its ClientHello.
#[test]
fn a_health_check_is_told_from_a_failure() {
    let (client, server) = pair();
    for kind in [None, Some(io::ErrorKind::ConnectionReset)] {
        let text = server
            .accept(Probe(kind))
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(text.contains("health check"), "{text}");
    }
    let broken = server.accept(Probe(Some(io::ErrorKind::Other)));
    assert!(matches!(broken.map(drop), Err(Error::Io(_))));
    let (mut a, b) = wide_pipe();
    a.write_all(&[22, 3, 1]).unwrap();
    drop(a);
    let error = server.accept(b).map(drop);
    assert!(matches!(error, Err(Error::Truncated)), "{error:?}");

    // A server that closes or resets the connection has failed, or is none.
    let error = client.connect("db.internal", Probe(None)).map(drop);
    assert!(matches!(error, Err(Error::Truncated)), "{error:?}");
    let error = client.connect("db.internal", Probe(Some(io::ErrorKind::ConnectionReset)));
    assert!(matches!(error.map(drop), Err(Error::Io(_))));
}
