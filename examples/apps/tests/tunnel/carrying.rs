//! Bytes, and how the ends of both sides are passed on.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use fleeting::Server;

use crate::world::{LIMIT, World, ask, cut, echo, reset, service, tcp};

#[test]
fn every_byte_arrives_through_both_tunnels() {
    let world = World::new();
    let (server, client, port) = world.both(echo());
    let data: Vec<u8> = (0..5_000_000_u32)
        .map(|at| (at.wrapping_mul(at) >> 7) as u8)
        .collect();
    let tcp = tcp(port);
    let (mut writer, sent) = (tcp.try_clone().unwrap(), data.clone());
    let sending = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    (&tcp).read_to_end(&mut received).unwrap();
    sending.join().unwrap();
    assert!(received == data);
    for (tunnel, peer) in [(&server, "\"CN=alice\""), (&client, "\"CN=localhost\"")] {
        let line = tunnel.wait_for(": ended from=127.0.0.1:");
        let expected = format!("peer={peer} forward=5000000 back=5000000 seconds=");
        assert!(line.contains(&expected), "{line}");
        assert!(line.ends_with("end=\"both sides ended it\""), "{line}");
    }
}

#[test]
fn many_connections_at_once() {
    let world = World::new();
    let (_server, _client, port) = world.both(echo());
    let all: Vec<_> = (0..50)
        .map(|number| {
            thread::spawn(move || {
                let mut tcp = tcp(port);
                for line in 0..20 {
                    ask(&mut tcp, &format!("{number}: {line}\n"));
                }
            })
        })
        .collect();
    for one in all {
        one.join().unwrap();
    }
}

/// The client ends its sending, and the answer comes afterwards.
#[test]
fn the_client_ends_first() {
    let world = World::new();
    let to = service(|mut tcp| {
        let mut question = Vec::new();
        tcp.read_to_end(&mut question).unwrap();
        let answer = vec![b'.'; question.len() * 100_000];
        tcp.write_all(&answer).unwrap();
    });
    let (_server, client, port) = world.both(to);
    let mut tcp = tcp(port);
    tcp.write_all(b"question").unwrap();
    tcp.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.len(), 800_000);
    client.wait_for("both sides ended it");
}

/// The service ends its sending, and goes on reading.
#[test]
fn the_service_ends_first() {
    let world = World::new();
    let (sender, received) = mpsc::channel();
    let to = service(move |mut tcp| {
        tcp.write_all(b"greeting").unwrap();
        tcp.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        tcp.read_to_end(&mut rest).unwrap();
        sender.send(rest.len()).unwrap();
    });
    let (_server, client, port) = world.both(to);
    let mut tcp = tcp(port);
    let mut greeting = String::new();
    tcp.read_to_string(&mut greeting).unwrap();
    assert_eq!(greeting, "greeting");
    tcp.write_all(&vec![b'.'; 800_000]).unwrap();
    drop(tcp);
    assert_eq!(received.recv_timeout(LIMIT).unwrap(), 800_000);
    client.wait_for("both sides ended it");
}

#[test]
fn a_client_that_is_cut_is_a_reset_for_the_service() {
    let world = World::new();
    let (sender, received) = mpsc::channel();
    let to = service(move |mut tcp| {
        let mut data = Vec::new();
        let end = tcp.read_to_end(&mut data);
        sender
            .send((data, end.map_err(|error| error.kind())))
            .unwrap();
    });
    let tunnel = world.server(to, "");
    let mut tls = world.connect("alice", tunnel.port("server"));
    tls.write_all(b"half").unwrap();
    tls.flush().unwrap();
    // A FIN without close_notify.
    drop(tls.into_inner());
    let (data, end) = received.recv_timeout(LIMIT).unwrap();
    assert_eq!(data, b"half");
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
    tunnel.wait_for("end=\"the TLS side failed: ");
}

#[test]
fn a_server_that_is_cut_is_a_reset_for_the_client() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tunnel = world.client_mode(listener.local_addr().unwrap().port(), "");
    let mut plain = tcp(tunnel.port("client"));
    let identity = fleeting::Identity::from_pem_files(
        world.folder.join("server.pem"),
        world.folder.join("server-key.pem"),
    );
    let server = Server::builder()
        .identity(identity.unwrap())
        .build()
        .unwrap();
    let mut tls = server.accept(listener.accept().unwrap().0).unwrap();
    tls.write_all(b"half").unwrap();
    tls.flush().unwrap();
    drop(tls.into_inner());
    let mut data = Vec::new();
    assert_eq!(
        cut(plain.read_to_end(&mut data)).kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(data, b"half");
}

#[test]
fn a_service_that_is_reset_is_no_end_in_order() {
    let world = World::new();
    let to = service(|mut tcp| {
        tcp.write_all(b"half").unwrap();
        // The tunnel has read it.
        tcp.read_exact(&mut [0; 3]).unwrap();
        reset(tcp);
    });
    let (server, _client, port) = world.both(to);
    let mut tls = world.connect("alice", server.port("server"));
    let mut half = [0; 4];
    tls.read_exact(&mut half).unwrap();
    tls.write_all(b"ack").unwrap();
    tls.flush().unwrap();
    let error = cut(tls.read(&mut half));
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
    // With a tunnel in front of it.
    let mut plain = tcp(port);
    plain.read_exact(&mut half).unwrap();
    plain.write_all(b"ack").unwrap();
    assert_eq!(
        cut(plain.read(&mut half)).kind(),
        ErrorKind::ConnectionReset
    );
    server.wait_for_all("end=\"the plain side failed: ", 2);
}

#[test]
fn a_service_that_cannot_be_reached_is_no_end_in_order() {
    let world = World::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = nobody.local_addr().unwrap().port();
    drop(nobody);
    let (server, _client, port) = world.both(to);
    let mut tls = world.connect("alice", server.port("server"));
    let error = cut(tls.read(&mut [0]));
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
    let line = server.wait_for("refused from=");
    assert!(line.contains("cannot connect to 127.0.0.1:"), "{line}");
    assert_eq!(
        cut(tcp(port).read(&mut [0])).kind(),
        ErrorKind::ConnectionReset
    );
}

#[test]
fn a_connection_on_which_nothing_moves_is_ended() {
    let world = World::new();
    let tunnel = world.server(echo(), "idle_timeout = \"400ms\"");
    let mut tls = world.connect("alice", tunnel.port("server"));
    let start = Instant::now();
    // What moves keeps it.
    for _ in 0..6 {
        thread::sleep(Duration::from_millis(100));
        ask(&mut tls, "hello");
    }
    let error = cut(tls.read(&mut [0]));
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
    assert!(start.elapsed() >= Duration::from_millis(1000));
    tunnel.wait_for("end=\"nothing was sent for too long\"");
}
