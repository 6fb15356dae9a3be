//! Streams over sockets, with threads.

use std::io::{BufRead, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use fleeting::{Error, Stream};

use crate::side::{content, inner, pair};

/// Runs `serve` and `ask` on the two ends of a connection over a socket.
fn over_tcp<A: Send + 'static, B>(
    serve: impl FnOnce(Stream<TcpStream>) -> A + Send + 'static,
    ask: impl FnOnce(Stream<TcpStream>) -> B,
) -> (A, B) {
    let (client, server) = pair();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving =
        thread::spawn(move || serve(server.accept(listener.accept().unwrap().0).unwrap()));
    let asked = ask(client
        .connect("db.internal", TcpStream::connect(address).unwrap())
        .unwrap());
    (serving.join().unwrap(), asked)
}

#[test]
fn much_data_both_ways() {
    const SIZE: usize = 16 << 20;
    let send = |tls: &mut Stream<TcpStream>, seed| {
        for (number, part) in content(SIZE, seed).chunks(100_003).enumerate() {
            if number % 40 == 20 {
                tls.rekey().unwrap();
            }
            tls.write_all(part).unwrap();
        }
        tls.close().unwrap();
    };
    let receive = |tls: &mut Stream<TcpStream>, seed| {
        let mut all = Vec::new();
        tls.read_to_end(&mut all).unwrap();
        assert!(all == content(SIZE, seed));
    };
    over_tcp(
        move |mut tls| {
            receive(&mut tls, 1);
            send(&mut tls, 2);
        },
        |mut tls| {
            send(&mut tls, 1);
            receive(&mut tls, 2);
        },
    );
}

#[test]
fn lines_and_answers() {
    over_tcp(
        |mut tls| {
            let mut line = String::new();
            while tls.read_line(&mut line).unwrap() > 0 {
                tls.write_all(line.to_uppercase().as_bytes()).unwrap();
                line.clear();
            }
        },
        |mut tls| {
            for number in 0..100 {
                writeln!(tls, "line {number}").unwrap();
                tls.flush().unwrap();
                let mut line = String::new();
                tls.read_line(&mut line).unwrap();
                assert_eq!(line, format!("LINE {number}\n"));
            }
        },
    );
}

/// A FIN without close_notify can be forged by an attacker.
#[test]
fn the_end_of_tcp_is_not_the_end_of_tls() {
    over_tcp(
        |mut tls| {
            tls.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
            tls.get_ref().shutdown(Shutdown::Write).unwrap();
            // The client has given up, so this side sees a cut too.
            assert!(matches!(
                inner(tls.read(&mut [0; 10]).unwrap_err()),
                Error::Truncated
            ));
        },
        |mut tls| {
            let mut text = Vec::new();
            let error = tls.read_to_end(&mut text).unwrap_err();
            assert_eq!(text, b"HTTP/1.1 200 OK\r\n");
            assert!(matches!(inner(error), Error::Truncated));
            assert!(matches!(inner(tls.close().unwrap_err()), Error::Truncated));
        },
    );
}

/// A server that refuses its client's certificate, or the lack of one, closes a socket while data
/// is still on its way to it. The connection is reset then, and yet the client reads the alert.
/// (Linux returns data that arrived before a reset; other systems may drop it.)
#[cfg(target_os = "linux")]
#[test]
fn a_refusal_is_read_from_a_socket_that_was_reset() {
    use fleeting::{AlertDescription, Authority, Client, ClientAuth, Server};

    let authority = Authority::new("tests").unwrap();
    let server = Server::builder()
        .identity(authority.issue_server(["db.internal"]).unwrap())
        .client_auth(ClientAuth::Required(authority.trust()))
        .build()
        .unwrap();
    let client = Client::builder().trust(authority.trust()).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..20 {
        let tcp = TcpStream::connect(address).unwrap();
        thread::scope(|scope| {
            let serving = scope.spawn(|| {
                server
                    .accept(listener.accept().unwrap().0)
                    .map(drop)
                    .unwrap_err()
            });
            let mut tls = client.connect("db.internal", tcp).unwrap();
            // The client's handshake is complete, so it may write. Some of the data arrives at a
            // closed socket.
            let failed = (0..10_000)
                .find_map(|_| tls.write_all(&[7; 5_000]).err())
                .expect("nobody reads 50 MB");
            assert!(
                !matches!(failed.kind(), std::io::ErrorKind::UnexpectedEof),
                "{failed:?}"
            );
            let error = inner(tls.read(&mut [0; 10]).unwrap_err());
            assert!(
                matches!(
                    error,
                    Error::AlertReceived {
                        alert: AlertDescription::CERTIFICATE_REQUIRED,
                        ..
                    }
                ),
                "{error:?}"
            );
            assert_eq!(
                serving.join().unwrap().alert(),
                Some(AlertDescription::CERTIFICATE_REQUIRED)
            );
        });
    }
}

/// A peer that disappears is told apart from one that closes.
#[test]
fn a_peer_that_was_killed() {
    let (client, server) = pair();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let serving = thread::spawn(move || {
        server
            .accept(listener.accept().unwrap().0)
            .map(drop)
            .unwrap_err()
    });
    // A part of a record's header, and the end.
    tcp.write_all(&[22, 3, 1]).unwrap();
    drop(tcp);
    assert!(matches!(serving.join().unwrap(), Error::Truncated));

    // Nobody answers: the transport's error is returned unchanged.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    drop(listener);
    match client.connect("db.internal", tcp).map(drop).unwrap_err() {
        Error::Truncated => {}
        Error::Io(error) => {
            assert!(
                matches!(
                    error.kind(),
                    std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe
                ),
                "{error:?}"
            )
        }
        other => panic!("{other:?}"),
    }
}
