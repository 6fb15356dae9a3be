//! Files that change while the tunnel runs.

use std::io::{ErrorKind, Read, Write};

use fleeting::{Authority, PublicKey};
use rustix::process::Signal;

use crate::limits::scrape;
use crate::world::{
    Tunnel, World, ask, client_section, cut, echo, eventually, server_section, tcp,
};

/// Files are looked at often.
const OFTEN: &str = "reload_interval = \"50ms\"\n";

fn server_key(world: &World, port: u16) -> PublicKey {
    let tls = world.connect("alice", port);
    tls.peer().unwrap().public_key()
}

fn renewed(world: &World) -> PublicKey {
    let identity = world.authority.issue_server(["localhost"]).unwrap();
    world.put("server", &identity);
    identity.public_key()
}

#[test]
fn a_new_certificate_by_itself_and_by_sighup() {
    for by_itself in [true, false] {
        let world = World::new();
        let section = server_section(echo());
        let config = match by_itself {
            true => format!("{OFTEN}{section}any_peer = true\n"),
            false => format!("reload_interval = \"1h\"\n{section}any_peer = true\n"),
        };
        let tunnel = Tunnel::start(&world, &config);
        let port = tunnel.port("server");
        let mut old = world.connect("alice", port);
        ask(&mut old, "before");
        let key = renewed(&world);
        if !by_itself {
            tunnel.signal(Signal::HUP);
        }
        tunnel.wait_for("server: identity: now in use: the certificate of ");
        assert_eq!(server_key(&world, port), key);
        // It has another key, and is not disturbed.
        ask(&mut old, "after");
        assert_ne!(old.peer().unwrap().public_key(), key);
    }
}

#[test]
fn broken_files_change_nothing() {
    let world = World::new();
    let section = server_section(echo());
    let metrics = "metrics = \"127.0.0.1:0\"\n";
    let config =
        format!("{OFTEN}{metrics}{section}any_peer = true\nrevocation_lists = [\"crl.pem\"]\n");
    let tunnel = Tunnel::start(&world, &config);
    let port = tunnel.port("server");
    let key = server_key(&world, port);
    world.write(
        "server.pem",
        "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n",
    );
    let line = tunnel.wait_for("PROBLEM: identity: ");
    assert!(line.contains("server.pem"), "{line}");
    world.write("ca.pem", "");
    world.write(
        "crl.pem",
        &Authority::new("other").unwrap().certificate_pem(),
    );
    tunnel.wait_for("PROBLEM: roots: ");
    tunnel.wait_for("PROBLEM: revocation lists: ");
    assert_eq!(server_key(&world, port), key);
    let measured = scrape(tunnel.port("metrics"));
    assert!(
        measured.contains("tunnel_problems{service=\"server\"} 3\n"),
        "{measured}"
    );
    // What is repaired comes into force.
    world.write("ca.pem", &world.authority.certificate_pem());
    world.write(
        "crl.pem",
        &world.authority.revocation_list().issue_pem().unwrap(),
    );
    let key = renewed(&world);
    tunnel.wait_for("server: identity: now in use: ");
    assert_eq!(server_key(&world, port), key);
    eventually("no problem is left", || {
        let measured = scrape(tunnel.port("metrics"));
        measured.contains("tunnel_problems{service=\"server\"} 0\n")
    });
}

#[test]
fn a_revoked_client_is_refused() {
    let world = World::new();
    let lists = "revocation_lists = [\"crl.pem\"]";
    let tunnel = world.server(echo(), lists);
    let port = tunnel.port("server");
    let client = world.client_mode(port, "");
    let through = client.port("client");
    let mut old = tcp(through);
    ask(&mut old, "before");
    let list = world.authority.revocation_list().revoke(&world.alice);
    world.write("crl.pem", &list.issue_pem().unwrap());
    tunnel.signal(Signal::HUP);
    tunnel.wait_for("server: revocation lists: now in use: ");
    // The client holds tickets, and they are no way around the list.
    for _ in 0..3 {
        let mut new = tcp(through);
        let _ = new.write_all(b"hello");
        assert_eq!(cut(new.read(&mut [0])).kind(), ErrorKind::ConnectionReset);
    }
    let lines = tunnel.wait_for_all(": refused from=", 3);
    assert!(lines[0].contains("revoked"), "{lines:?}");
    ask(&mut old, "after");
}

#[test]
fn a_client_gets_new_roots_and_a_new_identity() {
    let (old, new) = (World::new(), World::new());
    let servers = [old.server(echo(), ""), new.server(echo(), "")];
    let client = Tunnel::start(
        &old,
        &format!("{OFTEN}{}", client_section(servers[1].port("server"))),
    );
    let port = client.port("client");
    let reset = || tcp(port).read(&mut [0]).is_err();
    assert!(reset());
    // One part after the other: neither is enough.
    old.write("ca.pem", &new.authority.certificate_pem());
    client.wait_for("client: roots: now in use: 1 root(s)");
    assert!(reset());
    old.put("alice", &new.alice);
    client.wait_for("client: identity: now in use: the certificate of ");
    ask(&mut tcp(port), "hello");
}

#[test]
fn a_certificate_that_peers_would_refuse_is_not_used() {
    let world = World::new();
    let check = "any_peer = true\npeer_roots = \"ca.pem\"\nserver_name = \"localhost\"\n";
    let section = server_section(echo());
    let tunnel = Tunnel::start(&world, &format!("{OFTEN}{section}{check}"));
    let port = tunnel.port("server");
    let key = server_key(&world, port);
    let other = world.authority.issue_server(["other.internal"]).unwrap();
    world.put("server", &other);
    tunnel.wait_for("PROBLEM: identity: ");
    assert_eq!(server_key(&world, port), key);
}
