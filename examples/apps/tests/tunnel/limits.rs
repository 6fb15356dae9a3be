//! Limits, and what is counted.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::world::{Tunnel, World, ask, cut, echo, eventually, server_section, tcp, tcp_from};

/// Asks for the metrics.
pub fn scrape(port: u16) -> String {
    let mut http = tcp(port);
    http.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    http.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    answer
}

#[test]
fn connections_above_the_limit_wait() {
    let world = World::new();
    let tunnel = world.server(echo(), "max_connections = 2");
    let port = tunnel.port("server");
    let mut first = world.connect("alice", port);
    let mut second = world.connect("alice", port);
    ask(&mut first, "one");
    ask(&mut second, "two");
    let waiting = {
        let (client, tcp) = (world.client("alice"), tcp(port));
        thread::spawn(move || {
            let mut third = client.connect("localhost", tcp).unwrap();
            ask(&mut third, "three");
        })
    };
    thread::sleep(Duration::from_millis(500));
    assert!(!waiting.is_finished());
    first.close().unwrap();
    drop(first);
    waiting.join().unwrap();
    ask(&mut second, "two");
}

#[test]
fn silent_clients_are_ended_and_harm_nobody() {
    let world = World::new();
    let tunnel = world.server(
        echo(),
        "handshake_timeout = \"1500ms\"\nhandshakes_per_address = 30",
    );
    let port = tunnel.port("server");
    let start = Instant::now();
    let mut silent: Vec<_> = (0..20).map(|_| tcp(port)).collect();
    // Half a ClientHello, and something else.
    silent[0].write_all(&[22, 3, 1, 1, 0, 1]).unwrap();
    ask(&mut world.connect("alice", port), "hello");
    assert!(start.elapsed() < Duration::from_millis(1500));
    for tcp in &mut silent {
        // A user_canceled alert, then the end.
        let _ = tcp.read_to_end(&mut Vec::new());
    }
    assert!(start.elapsed() >= Duration::from_millis(1400));
    tunnel.wait_for_all(": refused from=", 20);
}

#[test]
fn one_address_does_not_keep_others_out() {
    let world = World::new();
    let tunnel = world.server(echo(), "handshakes_per_address = 2");
    let port = tunnel.port("server");
    let _silent: Vec<TcpStream> = (0..2).map(|_| tcp_from([127, 0, 0, 2], port)).collect();
    cut(tcp_from([127, 0, 0, 2], port).read(&mut [0]));
    ask(&mut world.connect("alice", port), "hello");
    // What is authenticated does not count.
    let mut open: Vec<_> = (0..5).map(|_| world.connect("alice", port)).collect();
    for tls in &mut open {
        ask(tls, "hello");
    }
}

#[test]
fn handshakes_a_second() {
    let world = World::new();
    let tunnel = world.server(echo(), "handshakes_per_second = 4");
    let port = tunnel.port("server");
    let start = Instant::now();
    for last in 1..=12 {
        let tcp = tcp_from([127, 0, 0, last], port);
        let mut tls = world.client("alice").connect("localhost", tcp).unwrap();
        ask(&mut tls, "hello");
    }
    let took = start.elapsed();
    assert!(took > Duration::from_millis(1900), "{took:?}");
}

#[test]
fn what_is_counted() {
    let world = World::new();
    let config = format!(
        "metrics = \"127.0.0.1:0\"\n{}peers = [\"cn:alice\"]\nhandshake_timeout = \"200ms\"\n",
        server_section(echo())
    );
    let tunnel = Tunnel::start(&world, &config);
    let (port, metrics) = (tunnel.port("server"), tunnel.port("metrics"));
    let mut open = world.connect("alice", port);
    ask(&mut open, "hello");
    let mut ended = world.connect("alice", port);
    ask(&mut ended, "hello again");
    ended.close().unwrap();
    assert_eq!(ended.read(&mut [0]).unwrap(), 0);
    let mut bob = world.connect("bob", port);
    cut(bob.read(&mut [0]));
    drop(tcp(port));
    let _ = tcp(port).read(&mut [0]);
    tcp(port).write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    for line in [
        "tunnel_connections_total{service=\"server\"} 6",
        "tunnel_connections_open{service=\"server\"} 1",
        "tunnel_refused_total{service=\"server\",reason=\"peer\"} 1",
        "tunnel_refused_total{service=\"server\",reason=\"nothing\"} 1",
        "tunnel_refused_total{service=\"server\",reason=\"timeout\"} 1",
        "tunnel_refused_total{service=\"server\",reason=\"handshake\"} 1",
        "tunnel_refused_total{service=\"server\",reason=\"connect\"} 0",
        "tunnel_ended_total{service=\"server\",end=\"complete\"} 1",
        "tunnel_bytes_total{service=\"server\",direction=\"forward\"} 16",
        "tunnel_bytes_total{service=\"server\",direction=\"back\"} 16",
        "tunnel_problems{service=\"server\"} 0",
        "# TYPE tunnel_bytes_total counter",
        "fleeting_handshakes_begun_total{service=\"server\"} 6",
        "fleeting_received_bytes_total{service=\"server\"} 16",
    ] {
        eventually(line, || scrape(metrics).contains(&format!("\n{line}\n")));
    }
}
