//! `WouldBlock`, time-outs and `Interrupted` in every call, and transports that move little at a
//! time: nothing is lost, and nothing is repeated.

use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fleeting::{AlertDescription, Client, Error, Progress};

use crate::pipe::{Fickle, Mood, pipe, wide_pipe};
use crate::side::{Side, content, converse, inner, is_pause, pair, streams};

pub const MOODS: [&[Mood]; 6] = [
    &[Mood::Works],
    &[Mood::Works, Mood::WouldBlock],
    &[Mood::TimedOut, Mood::Works],
    &[Mood::Interrupted, Mood::Works],
    &[
        Mood::Interrupted,
        Mood::Interrupted,
        Mood::WouldBlock,
        Mood::Works,
    ],
    &[
        Mood::Works,
        Mood::Works,
        Mood::WouldBlock,
        Mood::Works,
        Mood::TimedOut,
    ],
];

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    let (client, server) = pair();
    for moods in MOODS {
        for chunk in [1, 2, 3, 17, 1021, usize::MAX] {
            for capacity in [1, 5, 100, 20_000, usize::MAX] {
                // Small chunks need many calls, so send less.
                let length = if chunk.min(capacity) < 100 {
                    3_000
                } else {
                    150_000
                };
                let (there, back) = (content(length, 1), content(length / 2, 2));
                let (a, b) = pipe(capacity, (None, None));
                let a = client
                    .start("db.internal", Fickle::new(a, chunk, moods))
                    .unwrap();
                let b = server.start(Fickle::new(b, chunk, moods));
                let mut a = Side::new(a, there.clone()).rekey_at(length / 3);
                let mut b = Side::new(b, back.clone()).rekey_at(length / 4).chunk(777);
                let (left, right) = converse(&mut a, &mut b, 100_000);
                let what = format!("{moods:?} chunk {chunk} capacity {capacity}");
                left.expect(&what);
                right.expect(&what);
                assert_eq!(b.received, there, "{what}");
                assert_eq!(a.received, back, "{what}");
            }
        }
    }
}

/// Data that `write` accepts is sent by later calls. Data that it does not accept is not sent.
#[test]
fn a_full_transport_takes_nothing_more() {
    let (client, server) = pair();
    let (a, b) = pipe(10_000, (None, None));
    let (mut a, mut b) = streams(client.start("db.internal", a).unwrap(), server.start(b));
    let data = content(1 << 20, 3);
    let accepted = a.write(&data).unwrap();
    assert!((1..=4 * (1 << 14)).contains(&accepted), "{accepted}");
    assert!(a.wants_write());
    for _ in 0..3 {
        assert!(is_pause(&a.write(&data[accepted..]).unwrap_err()));
        assert!(is_pause(&a.flush().unwrap_err()));
        assert!(is_pause(&a.rekey().unwrap_err()));
    }
    // Reading continues and sends nothing. `flush` sends what waits as there is room.
    b.write_all(b"go on").unwrap();
    let mut buffer = [0; 100];
    assert_eq!(a.read(&mut buffer).unwrap(), 5);
    let mut received = Vec::new();
    while received.len() < accepted {
        match b.fill_buf() {
            Ok(plaintext) => {
                let count = plaintext.len();
                received.extend_from_slice(plaintext);
                b.consume(count);
            }
            Err(error) => assert!(is_pause(&error)),
        }
        assert!(is_pause(&a.read(&mut buffer).unwrap_err()));
        assert!(a.flush().is_ok() || a.wants_write());
    }
    assert!(!a.wants_write());
    assert_eq!(received, data[..accepted]);
    assert!(
        is_pause(&b.fill_buf().unwrap_err()),
        "nothing that was not accepted"
    );
}

#[test]
fn several_buffers_are_written_in_order() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let (mut a, mut b) = streams(client.start("db.internal", a).unwrap(), server.start(b));
    let parts = [
        content(10, 1),
        Vec::new(),
        content(20_000, 2),
        content(1, 3),
    ];
    let slices: Vec<_> = parts.iter().map(|part| io::IoSlice::new(part)).collect();
    assert_eq!(a.write_vectored(&slices).unwrap(), 20_011);
    assert_eq!(a.write(b"").unwrap(), 0);
    assert_eq!(b.read(&mut []).unwrap(), 0);
    let mut received = vec![0; 20_011];
    b.read_exact(&mut received).unwrap();
    assert_eq!(received, parts.concat());
}

#[test]
fn a_read_takes_all_that_is_there() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let (mut a, mut b) = streams(client.start("db.internal", a).unwrap(), server.start(b));
    for part in 0..20 {
        a.write_all(&[part; 10]).unwrap();
    }
    a.close().unwrap();
    let mut buffer = [0; 1000];
    let mut count = 0;
    while count < 200 {
        count += b.read(&mut buffer[count..]).unwrap();
    }
    assert_eq!(count, 200);
    assert!(
        buffer[..200]
            .iter()
            .enumerate()
            .all(|(at, byte)| usize::from(*byte) == at / 10)
    );
    assert_eq!(b.read(&mut buffer).unwrap(), 0);
}

/// A handshake over a socket with a time-out ends with an error that says what to do, and the peer
/// receives an alert.
#[test]
fn a_blocking_handshake_ends_on_a_time_out() {
    let (client, server) = pair();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (silent, _) = listener.accept().unwrap();
    tcp.set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let Err(Error::Io(error)) = client.connect("db.internal", tcp) else {
        panic!("expected an I/O error")
    };
    assert!(is_pause(&error), "{error:?}");
    assert!(error.to_string().contains("start()"), "{error}");
    // RFC 9846, 6.1: user_canceled, then close_notify.
    let refused = server.accept(silent).map(drop).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::AlertReceived {
                alert: AlertDescription::CLOSE_NOTIFY,
                ..
            } | Error::Truncated
        ),
        "{refused:?}"
    );
}

#[test]
fn a_handshake_has_its_deadline() {
    let authority = fleeting::Authority::new("tests").unwrap();
    let limit = Duration::from_millis(60);
    let client = Client::builder()
        .trust(authority.trust())
        .handshake_timeout(limit)
        .build()
        .unwrap();
    let (a, mut b) = wide_pipe();
    let began = Instant::now();
    let mut handshake = client.start("db.internal", a).unwrap();
    assert!(handshake.time_left() <= limit);
    let error = loop {
        match handshake.advance() {
            Ok(Progress::WouldBlock(again)) => handshake = again,
            Ok(_) => panic!("nobody answered"),
            Err(error) => break error,
        }
        thread::sleep(handshake.time_left().min(Duration::from_millis(10)));
    };
    assert!(matches!(error, Error::HandshakeTimeout), "{error:?}");
    assert!(began.elapsed() >= limit);
    let mut sent = Vec::new();
    b.read_to_end(&mut sent).unwrap();
    // RFC 9846, 6.1: user_canceled(90) with level warning(1), then close_notify(0), each in its own
    // record.
    assert!(sent.ends_with(&[21, 3, 3, 0, 2, 1, 90, 21, 3, 3, 0, 2, 1, 0]));
}

#[test]
fn a_read_time_out_of_a_socket_loses_nothing() {
    let (client, server) = pair();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let sender = thread::spawn(move || {
        let mut tls = server.accept(listener.accept().unwrap().0).unwrap();
        for part in content(50_000, 5).chunks(5_000) {
            thread::sleep(Duration::from_millis(15));
            tls.write_all(part).unwrap();
        }
        tls.close().unwrap();
    });
    let mut tls = client
        .connect("db.internal", TcpStream::connect(address).unwrap())
        .unwrap();
    tls.get_ref()
        .set_read_timeout(Some(Duration::from_millis(2)))
        .unwrap();
    let (mut received, mut pauses) = (Vec::new(), 0);
    let mut buffer = [0; 7_000];
    loop {
        match tls.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if is_pause(&error) => pauses += 1,
            Err(error) => panic!("{:?}", inner(error)),
        }
    }
    sender.join().unwrap();
    assert_eq!(received, content(50_000, 5));
    assert!(pauses > 0);
}

/// Real non-blocking sockets, whose buffers fill.
#[test]
fn sockets_that_do_not_block() {
    let (client, server) = pair();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let a = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (b, _) = listener.accept().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    let (there, back) = (content(20 << 20, 1), content(3 << 20, 2));
    let mut a = Side::new(client.start("db.internal", a).unwrap(), there.clone())
        .rekey_at(1 << 20)
        .chunk(1 << 17);
    let mut b = Side::new(server.start(b), back.clone());
    let (left, right) = converse(&mut a, &mut b, 100_000_000);
    left.unwrap();
    right.unwrap();
    assert!(b.received == there && a.received == back);
}
