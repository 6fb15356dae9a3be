//! Who is admitted.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use fleeting::{AlertDescription, Client, Error};

use crate::world::{Tunnel, World, ask, client_section, cut, echo, server_section, tcp};

/// Returns the alert that ends a connection before its first byte, or `None` if it is carried.
fn alert(client: &Client, name: &str, port: u16) -> Option<AlertDescription> {
    let connected = client.connect(name, tcp(port));
    let answered = connected.and_then(|mut tls| {
        let asked = tls.write_all(b"hello").and_then(|()| tls.flush());
        // A server refuses a client after the client's handshake is complete.
        match asked.and_then(|()| tls.read_exact(&mut [0; 5])) {
            Ok(()) => Ok(()),
            Err(error) => Err(error.downcast::<Error>().unwrap_or(Error::Truncated)),
        }
    });
    match answered {
        Ok(()) => None,
        Err(Error::AlertReceived { alert, .. }) => Some(alert),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn only_those_on_the_list() {
    let world = World::new();
    let both = world.authority.certificate().client("carol");
    let carol = both.names(["carol.internal"]).issue().unwrap();
    world.put("carol", &carol);
    let key = format!("\"key:{}\"", carol.public_key());
    for (peers, admitted) in [
        ("\"cn:alice\"", &["alice"][..]),
        ("\"cn:alice\", \"subject:CN=bob\"", &["alice", "bob"]),
        ("\"name:CAROL.internal\"", &["carol"]),
        ("\"name:internal\"", &[]),
        (&key, &["carol"]),
        ("\"cn:ali\", \"cn:alice2\", \"name:alice.internal\"", &[]),
    ] {
        let tunnel = world.server(echo(), &format!("peers = [{peers}]"));
        for who in ["alice", "bob", "carol"] {
            let denied = alert(&world.client(who), "localhost", tunnel.port("server"));
            let expected = match admitted.contains(&who) {
                true => None,
                false => Some(AlertDescription::ACCESS_DENIED),
            };
            assert_eq!(denied, expected, "{who} by {peers}");
        }
        for line in tunnel.wait_for_all(": refused from=", 3 - admitted.len()) {
            assert!(line.contains("no entry of `peers` describes it"), "{line}");
        }
    }
}

#[test]
fn nobody_without_a_certificate() {
    let world = World::new();
    let nobody = Client::builder()
        .trust(world.authority.trust())
        .build()
        .unwrap();
    let other = World::new();
    let stranger = Client::builder()
        .trust(world.authority.trust())
        .identity(other.alice.clone())
        .build()
        .unwrap();
    let tunnel = world.server(echo(), "any_peer = true");
    let port = tunnel.port("server");
    for who in ["alice", "bob"] {
        assert_eq!(alert(&world.client(who), "localhost", port), None);
    }
    let required = Some(AlertDescription::CERTIFICATE_REQUIRED);
    assert_eq!(alert(&nobody, "localhost", port), required);
    assert!(alert(&stranger, "localhost", port).is_some());

    let anonymous = "anonymous_clients = true";
    let config = server_section(echo()).replace("roots = \"ca.pem\"\n", anonymous);
    let tunnel = Tunnel::start(&world, &config);
    assert_eq!(alert(&nobody, "localhost", tunnel.port("server")), None);
    tunnel.wait_for("WARNING: server: it authenticates no client");
    tunnel.wait_for("peer=\"nobody\"");
}

#[test]
fn spiffe_ids() {
    let world = World::new();
    let issue = |id: &str| {
        let builder = world.authority.certificate();
        builder.server([id]).client(id).issue().unwrap()
    };
    world.put("server", &issue("spiffe://example.org/db"));
    for name in ["alice", "bob"] {
        world.put(name, &issue(&format!("spiffe://example.org/{name}")));
    }
    let domain = "trust_domain = \"example.org\"\n";
    let tunnel = world.server(
        echo(),
        &format!("{domain}peers = [\"spiffe://example.org/alice\"]"),
    );
    let port = tunnel.port("server");
    for (who, name, admitted) in [
        ("alice", "spiffe://example.org/db", true),
        ("alice", "spiffe://example.org/other", false),
        ("bob", "spiffe://example.org/db", false),
    ] {
        let section = client_section(port).replace("alice", who);
        let client = Tunnel::start(&world, &format!("{section}{domain}server_name = {name:?}"));
        let mut plain = tcp(client.port("client"));
        match admitted {
            true => ask(&mut plain, "hello"),
            false => {
                let _ = plain.write_all(b"hello");
                assert_reset(plain);
            }
        }
    }
    tunnel.wait_for("peer=\"spiffe://example.org/alice\"");
}

#[test]
fn a_client_accepts_only_the_server_that_it_names() {
    let world = World::new();
    let server = world.server(echo(), "");
    let port = server.port("server");
    for (more, why) in [
        ("server_name = \"other.internal\"", "other.internal"),
        // A list of peers narrows it further.
        (
            "peers = [\"key:MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\"]",
            "no entry of `peers` describes it",
        ),
    ] {
        let client = world.client_mode(port, more);
        assert_reset(tcp(client.port("client")));
        let line = client.wait_for("refused from=");
        assert!(line.contains(why), "{line}");
    }
    let client = world.client_mode(port, "peers = [\"name:127.0.0.1\"]");
    ask(&mut tcp(client.port("client")), "hello");
}

fn assert_reset(mut plain: TcpStream) {
    let end = cut(plain.read(&mut [0]));
    assert_eq!(end.kind(), ErrorKind::ConnectionReset, "{end}");
}
