//! SIGTERM and SIGINT.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::world::{
    LIMIT, Tunnel, World, ask, client_section, cut, echo, eventually, server_section, service, tcp,
};

fn start(world: &World, drain: &str) -> Tunnel {
    let section = server_section(echo());
    Tunnel::start(
        world,
        &format!("drain = \"{drain}\"\n{section}any_peer = true\n"),
    )
}

#[test]
fn connections_finish_first() {
    for signal in [Signal::TERM, Signal::INT] {
        let world = World::new();
        let mut tunnel = start(&world, "1m");
        let port = tunnel.port("server");
        let mut tls = world.connect("alice", port);
        ask(&mut tls, "before");
        tunnel.signal(signal);
        tunnel.wait_for("tunnel: ends: waiting for 1 connection(s)");
        eventually("nothing is accepted any more", || {
            TcpStream::connect(("127.0.0.1", port)).is_err()
        });
        ask(&mut tls, "after");
        tls.close().unwrap();
        assert_eq!(tls.read(&mut [0]).unwrap(), 0);
        assert_eq!(tunnel.wait().code(), Some(0));
        tunnel.wait_for("both sides ended it");
    }
}

#[test]
fn connections_are_cut_when_the_time_is_over() {
    let world = World::new();
    let mut server = start(&world, "300ms");
    let section = client_section(server.port("server"));
    let mut client = Tunnel::start(&world, &format!("drain = \"300ms\"\n{section}"));
    let mut tls = world.connect("alice", server.port("server"));
    let mut plain = tcp(client.port("client"));
    // A handshake that does not go on.
    let _silent = tcp(server.port("server"));
    ask(&mut tls, "hello");
    ask(&mut plain, "hello");
    let start = Instant::now();
    client.signal(Signal::TERM);
    assert_eq!(client.wait().code(), Some(0));
    assert_eq!(cut(plain.read(&mut [0])).kind(), ErrorKind::ConnectionReset);
    // The other tunnel does not take it for the end either.
    server.wait_for("the TLS side failed");
    server.signal(Signal::TERM);
    cut(tls.read(&mut [0]));
    assert_eq!(server.wait().code(), Some(0));
    assert!((600..10_000).contains(&start.elapsed().as_millis()));
    server.wait_for("end=\"the tunnel ends\"");
    server.wait_for("why=\"the tunnel ends\"");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let world = World::new();
    let (sender, received) = mpsc::channel();
    let to = service(move |mut tcp| {
        tcp.read_exact(&mut [0; 4]).unwrap();
        tcp.write_all(b"half").unwrap();
        let end = tcp.read_to_end(&mut Vec::new());
        sender.send(end.map_err(|error| error.kind())).unwrap();
    });
    // Killed, it leaves nobody with a stream that looks whole either.
    for second in [Signal::TERM, Signal::KILL] {
        let mut tunnel = world.server(to, "");
        let mut tls = world.connect("alice", tunnel.port("server"));
        ask(&mut tls, "half");
        tunnel.signal(Signal::TERM);
        tunnel.wait_for("tunnel: ends: ");
        tunnel.signal(second);
        let code = (second == Signal::TERM).then_some(1);
        assert_eq!(tunnel.wait().code(), code);
        cut(tls.read(&mut [0]));
        assert_eq!(
            received.recv_timeout(LIMIT).unwrap(),
            Err(ErrorKind::ConnectionReset)
        );
    }
}

/// A peer that reads nothing does not keep the tunnel from ending.
#[test]
fn a_peer_that_does_not_read() {
    let world = World::new();
    let mut tunnel = start(&world, "100ms");
    let mut tls = world.connect("alice", tunnel.port("server"));
    tls.get_mut()
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let stuck = tls.write_all(&vec![0; 100_000_000]);
    assert!(stuck.is_err());
    tunnel.signal(Signal::TERM);
    let start = Instant::now();
    assert_eq!(tunnel.wait().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10));
}
