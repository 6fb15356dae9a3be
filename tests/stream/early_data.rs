//! Early data over transports: written before the handshake, answered during it, collected by
//! `accept` (RFC 9846, 4.3.10).

use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use fleeting::{
    Authority, Client, EarlyData, Error, Handshake, Identity, Progress, ReplayGuard, Server,
    ServerBuilder, SessionCache, Stream, TicketKeys,
};

use crate::pipe::{End, Fickle, Mood, pipe, wide_pipe};
use crate::side::{content, is_pause, streams};

/// The early data in bytes that these servers accept: more than an output holds.
const MAX_SIZE: usize = 200_000;

/// A client and a server, with a session from an earlier connection.
struct World {
    authority: Authority,
    identity: Identity,
    sessions: SessionCache,
    keys: TicketKeys,
    client: Client,
    server: Server,
}

impl World {
    fn new() -> Self {
        let authority = Authority::new("tests").unwrap();
        let identity = authority.issue_server(["db.internal"]).unwrap();
        let (sessions, keys) = (SessionCache::new(8), TicketKeys::rotating());
        let client = Client::builder()
            .trust(authority.trust())
            .sessions(sessions.clone())
            .early_data(true)
            .build()
            .unwrap();
        let server = Server::builder()
            .identity(identity.clone())
            .ticket_keys(keys.clone());
        let server = server
            .early_data(MAX_SIZE as u32, ReplayGuard::in_memory(100))
            .build()
            .unwrap();
        let world = Self {
            authority,
            identity,
            sessions,
            keys,
            client,
            server,
        };
        world.meet();
        world
    }

    /// Performs a full handshake, which leaves tickets.
    fn meet(&self) {
        let (a, b) = wide_pipe();
        let (mut a, mut b) = streams(self.start(a), self.server.start(b));
        assert_eq!(
            (a.early_data(), b.early_data()),
            (EarlyData::NotOffered, EarlyData::NotOffered)
        );
        b.write_all(b"hello").unwrap();
        a.read_exact(&mut [0; 5]).unwrap();
        assert!(b.take_early_data().is_empty() && !self.sessions.is_empty());
    }

    fn start<S: Read + Write>(&self, io: S) -> Handshake<S> {
        self.client.start("db.internal", io).unwrap()
    }

    /// A server with the same ticket keys that no longer accepts early data.
    fn strict(&self) -> ServerBuilder {
        Server::builder()
            .identity(self.identity.clone())
            .ticket_keys(self.keys.clone())
    }
}

/// Calls `advance` once, and appends early data to `early`.
#[expect(
    clippy::result_large_err,
    reason = "taken apart as soon as it is returned"
)]
fn advance<S: Read + Write>(
    handshake: Handshake<S>,
    early: &mut Vec<u8>,
) -> Result<Stream<S>, Handshake<S>> {
    match handshake.advance().unwrap() {
        Progress::Done(stream) => Ok(stream),
        Progress::WouldBlock(again) => Err(again),
        Progress::EarlyData(data, again) => {
            early.extend_from_slice(&data);
            Err(again)
        }
        Progress::Ask(question, _) => panic!("{question:?} has no answer here"),
    }
}

/// Writes all of `data` as early data, in as many calls as it takes, and completes both handshakes.
/// Returns both streams, and the early data that the server received.
fn early_handshake<A: Read + Write, B: Read + Write>(
    mut a: Handshake<A>,
    mut b: Handshake<B>,
    data: &[u8],
) -> (Stream<A>, Stream<B>, Vec<u8>) {
    let (mut sent, mut early) = (0, Vec::new());
    // The number of rounds is bounded, so that a hang is a failure.
    let mut rounds = 0..100_000;
    let waits = "a server waits for its client";
    while sent < data.len() {
        rounds.next().expect("early data that goes out");
        let mut writer = a.early_data().expect("an offer of early data");
        assert_eq!(writer.remaining(), MAX_SIZE - sent);
        match writer.write(&data[sent..]) {
            Ok(count) => sent += count,
            Err(error) => assert!(is_pause(&error), "{error}"),
        }
        b = advance(b, &mut early).err().expect(waits);
    }
    let mut client = loop {
        rounds.next().expect("a client that is done");
        match advance(a, &mut Vec::new()) {
            Ok(stream) => break stream,
            Err(again) => a = again,
        }
        b = advance(b, &mut early).err().expect(waits);
    };
    loop {
        rounds.next().expect("a server that is done");
        // Send what the transport did not take at once.
        assert!(
            client
                .flush()
                .map_or_else(|error| is_pause(&error), |()| true)
        );
        match advance(b, &mut early) {
            Ok(stream) => return (client, stream, early),
            Err(again) => b = again,
        }
    }
}

/// `accept` collects early data until the handshake is complete. Data that is read was sent later.
#[test]
fn accept_collects_it() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = world.server.clone();
    let serving = thread::spawn(move || {
        let mut tls = server.accept(listener.accept().unwrap().0).unwrap();
        assert_eq!(tls.early_data(), EarlyData::Accepted);
        let early = tls.take_early_data();
        assert!(tls.take_early_data().is_empty());
        let mut rest = Vec::new();
        tls.read_to_end(&mut rest).unwrap();
        (early, rest)
    });
    let mut handshake = world.start(TcpStream::connect(address).unwrap());
    let all = content(MAX_SIZE - 100, 1);
    let mut writer = handshake.early_data().unwrap();
    writer.write_all(&all).unwrap();
    writer.flush().unwrap();
    assert_eq!(writer.remaining(), 100);
    assert_eq!(
        format!("{writer:?}"),
        "EarlyDataWriter { remaining: 100, .. }"
    );
    let mut tls = handshake.finish().unwrap();
    assert_eq!(tls.early_data(), EarlyData::Accepted);
    assert!(tls.take_early_data().is_empty());
    tls.write_all(b"after it").unwrap();
    tls.close().unwrap();
    let (early, rest) = serving.join().unwrap();
    assert!(early == all);
    assert_eq!(rest, b"after it");
}

/// A program that only reads the stream gets everything that the client was told is accepted, in
/// the order in which it was sent: from `read`, from `fill_buf`, and from the reading half.
#[cfg(unix)]
#[test]
fn what_is_not_taken_is_read_first() {
    fn by_lines(mut reader: impl BufRead) -> Vec<u8> {
        let (mut all, mut line) = (Vec::new(), Vec::new());
        while reader.read_until(b'\n', &mut line).unwrap() > 0 {
            all.append(&mut line);
        }
        all
    }
    fn by_three(mut reader: impl Read) -> Vec<u8> {
        let (mut all, mut three) = (Vec::new(), [0; 3]);
        assert_eq!(reader.read(&mut []).unwrap(), 0);
        loop {
            match reader.read(&mut three).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&three[..count]),
            }
        }
    }
    type Tls = Stream<std::os::unix::net::UnixStream>;
    let ways: [fn(Tls) -> Vec<u8>; 6] = [
        |tls| by_three(tls),
        |tls| by_lines(tls),
        |tls| by_three(tls.into_split().unwrap().0),
        |tls| by_lines(tls.into_split().unwrap().0),
        // What was read is not taken again, before a split and after it.
        |mut tls| {
            let mut all = vec![0; 2];
            tls.read_exact(&mut all).unwrap();
            all.append(&mut tls.take_early_data());
            by_three(&mut tls)
                .into_iter()
                .for_each(|byte| all.push(byte));
            all
        },
        |mut tls| {
            let mut all = vec![0; 2];
            tls.read_exact(&mut all).unwrap();
            let (mut reader, _writer) = tls.into_split().unwrap();
            all.resize(4, 0);
            reader.read_exact(&mut all[2..]).unwrap();
            all.append(&mut reader.take_early_data());
            all.append(&mut by_lines(reader));
            all
        },
    ];
    for (index, read) in ways.into_iter().enumerate() {
        let world = World::new();
        let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
        let server = world.server.clone();
        let serving = thread::spawn(move || read(server.accept(b).unwrap()));
        let mut handshake = world.start(a);
        handshake
            .early_data()
            .unwrap()
            .write_all(b"early ")
            .unwrap();
        let mut tls = handshake.finish().unwrap();
        assert_eq!(tls.early_data(), EarlyData::Accepted);
        tls.write_all(b"and\nafter it").unwrap();
        tls.close().unwrap();
        assert_eq!(
            serving.join().unwrap(),
            b"early and\nafter it",
            "way {index}"
        );
    }
}

/// After a split, the reading half has the early data.
#[cfg(unix)]
#[test]
fn it_is_not_lost_where_a_stream_is_split() {
    for taken_before in [false, true] {
        let world = World::new();
        let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
        let server = world.server.clone();
        let serving = thread::spawn(move || {
            let mut tls = server.accept(b).unwrap();
            let mut early = if taken_before {
                tls.take_early_data()
            } else {
                Vec::new()
            };
            let (mut reader, _writer) = tls.into_split().unwrap();
            early.extend(reader.take_early_data());
            assert!(reader.take_early_data().is_empty());
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).unwrap();
            (early, rest)
        });
        let mut handshake = world.start(a);
        handshake.early_data().unwrap().write_all(b"early").unwrap();
        let mut tls = handshake.finish().unwrap();
        tls.write_all(b"after it").unwrap();
        tls.close().unwrap();
        assert_eq!(
            serving.join().unwrap(),
            (b"early".to_vec(), b"after it".to_vec())
        );
    }
}

/// `advance` returns early data, and the server answers it before the client's Finished.
#[test]
fn it_is_answered_within_the_handshake() {
    let world = World::new();
    let (a, b) = wide_pipe();
    let (mut a, b) = (world.start(a), world.server.start(b));
    a.early_data().unwrap().write_all(b"question").unwrap();
    let Progress::EarlyData(data, mut b) = b.advance().unwrap() else {
        panic!("no early data")
    };
    assert_eq!(data, b"question");
    let mut writer = b.early_data().unwrap();
    assert_eq!(writer.remaining(), 0);
    writer.write_all(b"answer").unwrap();
    writer.flush().unwrap();
    let Progress::WouldBlock(b) = b.advance().unwrap() else {
        panic!("the client has not finished")
    };
    let mut a = a.finish().unwrap();
    let mut answer = [0; 6];
    a.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
    let mut b = b.finish().unwrap();
    assert_eq!(
        (a.early_data(), b.early_data()),
        (EarlyData::Accepted, EarlyData::Accepted)
    );
    // `advance` has returned it already.
    assert!(b.take_early_data().is_empty());
    a.write_all(b"and more").unwrap();
    let mut more = [0; 8];
    b.read_exact(&mut more).unwrap();
    assert_eq!(&more, b"and more");
}

/// `Ok(0)` means that no more early data is allowed.
#[test]
fn no_more_than_is_allowed() {
    let world = World::new();
    let (a, b) = wide_pipe();
    let mut a = world.start(a);
    let mut writer = a.early_data().unwrap();
    assert_eq!(writer.write(b"").unwrap(), 0);
    let error = writer.write_all(&vec![7; MAX_SIZE + 1]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    assert_eq!((writer.remaining(), writer.write(b"x").unwrap()), (0, 0));
    // The data that was sent is still valid.
    assert!(a.early_data().is_none());
    let (a, _, early) = early_handshake(a, world.server.start(b), &[]);
    assert!(early == vec![7; MAX_SIZE] && a.early_data() == EarlyData::Accepted);
}

/// There is no early data for `connect`, for a client without a session, and for a client that does
/// not allow it.
#[test]
fn where_there_is_none() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = world.server.clone();
    let serving = thread::spawn(move || {
        server
            .accept(listener.accept().unwrap().0)
            .unwrap()
            .early_data()
    });
    let tls = world
        .client
        .connect("db.internal", TcpStream::connect(address).unwrap())
        .unwrap();
    assert!(tls.resumed() && tls.early_data() == EarlyData::NotOffered);
    assert_eq!(serving.join().unwrap(), EarlyData::NotOffered);

    let fresh = Client::builder()
        .trust(world.authority.trust())
        .early_data(true)
        .build()
        .unwrap();
    let off = Client::builder()
        .trust(world.authority.trust())
        .sessions(world.sessions.clone())
        .build()
        .unwrap();
    for (client, resumed) in [(fresh, false), (off, true)] {
        let (a, b) = wide_pipe();
        let mut a = client.start("db.internal", a).unwrap();
        assert!(a.early_data().is_none());
        let (mut a, b) = streams(a, world.server.start(b));
        assert!(
            a.resumed() == resumed
                && a.early_data() == EarlyData::NotOffered
                && b.early_data() == EarlyData::NotOffered
        );
        assert!(a.take_early_data().is_empty());
    }
}

/// The server skips early data, and nothing is sent again.
#[test]
fn a_server_that_does_not_take_it() {
    for retry in [false, true] {
        let world = World::new();
        let strict = world.strict().retry_cookie(retry).build().unwrap();
        let (a, b) = wide_pipe();
        let mut a = world.start(a);
        a.early_data()
            .unwrap()
            .write_all(&content(30_000, 3))
            .unwrap();
        let (mut a, mut b, early) = early_handshake(a, strict.start(b), &[]);
        assert!(early.is_empty() && b.take_early_data().is_empty());
        assert_eq!(
            (a.early_data(), b.early_data()),
            (EarlyData::Rejected, EarlyData::Rejected)
        );
        a.write_all(b"ordinary").unwrap();
        a.close().unwrap();
        let mut all = Vec::new();
        b.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"ordinary");
    }
}

/// Transports that move a few bytes at a time, that have little room (but enough for a server's
/// flight, as both sides send at once here), and that fail with "not now" or "again" in every other
/// call.
#[test]
fn over_transports_of_every_temper() {
    use Mood::{Interrupted, TimedOut, Works, WouldBlock};

    let moods: [&'static [Mood]; 4] = [
        &[Works],
        &[WouldBlock, Works],
        &[TimedOut, Works, Interrupted],
        &[Interrupted, WouldBlock, TimedOut, Works, Works],
    ];
    for mood in moods {
        for (capacity, chunk, length) in [
            (usize::MAX, usize::MAX, MAX_SIZE),
            (3000, 1000, 60_000),
            (2000, 7, 4000),
        ] {
            for taken in [true, false] {
                let world = World::new();
                let server = if taken {
                    world.server.clone()
                } else {
                    world.strict().build().unwrap()
                };
                let all = content(if taken { length } else { length.min(40_000) }, 5);
                let (a, b) = pipe(capacity, (None, None));
                let (a, b) = (
                    world.start(Fickle::new(a, chunk, mood)),
                    server.start(Fickle::new(b, chunk, mood)),
                );
                let (a, b, early) = early_handshake(a, b, &all);
                let became = if taken {
                    EarlyData::Accepted
                } else {
                    EarlyData::Rejected
                };
                assert_eq!((a.early_data(), b.early_data()), (became, became));
                assert!(
                    early == if taken { &all[..] } else { &[] },
                    "{capacity} {mood:?}"
                );
            }
        }
    }
}

/// `finish` returns an error on a pause, and the server receives an alert.
#[test]
fn finish_does_not_wait() {
    let world = World::new();
    let (a, b) = wide_pipe();
    let mut a = world.start(a);
    a.early_data().unwrap().write_all(b"question").unwrap();
    let error = a.finish().map(drop).unwrap_err();
    assert!(
        matches!(&error, Error::Io(inner) if inner.kind() == io::ErrorKind::WouldBlock),
        "{error:?}"
    );
    // user_canceled and close_notify are protected by the early key, as there is no other. The
    // server finds them after the early data, although nobody receives its flight.
    let told = world.server.accept(b).map(drop).unwrap_err();
    assert!(
        matches!(told, Error::AlertReceived { alert, .. } if alert.0 == 0),
        "{told:?}"
    );
}

/// The connection is cut at some byte: neither side takes a part for the whole.
#[test]
fn cut_in_the_middle() {
    for cut in (0..1200).step_by(13) {
        let world = World::new();
        let (a, b) = pipe(usize::MAX, (Some(cut), None));
        let (mut a, mut b) = (world.start(a), world.server.start(b));
        a.early_data().unwrap().write_all(&content(300, 7)).unwrap();
        let mut early = Vec::new();
        let whole = loop {
            match b.advance() {
                Ok(Progress::EarlyData(data, again)) => {
                    early.extend_from_slice(&data);
                    b = again;
                }
                Ok(Progress::WouldBlock(again)) => break Some(again),
                Err(error) => {
                    let is_cut = match error {
                        Error::NothingReceived => cut == 0,
                        Error::Truncated => cut > 0,
                        _ => false,
                    };
                    assert!(is_cut, "{cut}: {error}");
                    break None;
                }
                Ok(other) => panic!("{other:?}"),
            }
        };
        assert!(content(300, 7).starts_with(&early));
        // If the early data is complete, the client's Finished may still be lost.
        if let Some(b) = whole {
            assert!(early.len() == 300, "{cut}");
            let client = a.finish().map(drop);
            let server = b.finish().map(drop);
            assert!(client.is_ok());
            assert!(
                matches!(server, Ok(()) | Err(Error::Truncated)),
                "{cut}: {server:?}"
            );
        }
    }
}

/// A transport that fails while early data is written.
struct Breaks {
    inner: End,
    /// How many more calls of `write` succeed.
    left: usize,
}

impl Read for Breaks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.inner.read(out)
    }
}

impl Write for Breaks {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or(io::ErrorKind::ConnectionReset)?;
        self.inner.write(&data[..data.len().min(100)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[test]
fn a_transport_that_fails_in_the_middle() {
    for left in [0, 1, 4, 8, 12] {
        let world = World::new();
        let (a, b) = wide_pipe();
        let mut a = world.start(Breaks { inner: a, left });
        let error = a
            .early_data()
            .unwrap()
            .write_all(&content(2000, 9))
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let error = a.finish().map(drop).unwrap_err();
        assert!(
            matches!(&error, Error::Io(inner) if inner.kind() == io::ErrorKind::ConnectionReset),
            "{error:?}"
        );
        let told = world.server.accept(b).map(drop).unwrap_err();
        let is_cut = match told {
            Error::NothingReceived => left == 0,
            Error::Truncated => left > 0,
            _ => false,
        };
        assert!(is_cut, "{left}: {told}");
    }
}

/// `io::Write`: an error means that nothing was written. Data that was taken waits to be sent, so
/// the next call returns the error, and has taken nothing.
#[test]
fn what_is_taken_is_not_an_error() {
    let world = World::new();
    let (a, _b) = wide_pipe();
    let mut a = world.start(Breaks {
        inner: a,
        left: 100,
    });
    a.early_data().unwrap().flush().unwrap();
    a.get_mut().left = 0;
    let mut early = a.early_data().unwrap();
    let remaining = early.remaining();
    assert_eq!(early.write(b"GET /").unwrap(), 5);
    assert_eq!(
        early.write(b"again").unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
    assert_eq!(early.remaining(), remaining - 5);
}

/// A server fails and sends an alert, which `finish` returns.
#[test]
fn after_the_servers_alert() {
    let world = World::new();
    // handshake_failure, fatal, unprotected.
    let (a, mut b) = wide_pipe();
    let mut a = world.start(a);
    a.early_data().unwrap().write_all(b"question").unwrap();
    b.write_all(&[21, 3, 3, 0, 2, 2, 40]).unwrap();
    let error = a.finish().map(drop).unwrap_err();
    assert!(
        matches!(error, Error::AlertReceived { alert, .. } if alert.0 == 40),
        "{error}"
    );
}
