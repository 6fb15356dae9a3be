//! `--check`, and starts that fail.

use std::path::Path;
use std::process::{Command, Output};

use fleeting::Authority;

use crate::world::{World, client_section, server_section};

fn check(file: &str, arguments: &[&str]) -> (bool, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_tunnel"))
        .args(arguments)
        .arg(file)
        .output();
    let Output {
        status,
        stdout,
        stderr,
    } = run.unwrap();
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    (status.success(), said)
}

#[test]
fn it_says_what_each_service_will_do() {
    let world = World::new();
    let (server, client) = (server_section(1), client_section(2));
    let config =
        format!("{server}peers = [\"cn:alice\"]\n{client}revocation_lists = [\"crl.pem\"]");
    let (good, said) = check(&world.write("tunnel.toml", &config), &["--check"]);
    assert!(good, "{said}");
    for text in [
        "server: accepts TLS on 127.0.0.1:0 from cn:alice, and connects to 127.0.0.1:1 in the \
         clear",
        "client: accepts on 127.0.0.1:0 in the clear, and connects to localhost:2 with TLS: the \
         server must be localhost",
    ] {
        assert!(said.contains(text), "{said}");
    }
}

/// All services are looked at. A start fails in the same way.
#[test]
fn files_that_cannot_be_used() {
    let world = World::new();
    world.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n",
    );
    let server = server_section(1) + "any_peer = true\n";
    let mut config = String::new();
    for (name, section) in [
        ("missing", server.replace("server.pem", "missing.pem")),
        ("broken", server.replace("ca.pem", "broken.pem")),
        ("swapped", server.replace("server.pem", "server-key.pem")),
        ("mismatch", server.replace("server.pem", "alice.pem")),
        ("domain", format!("{server}trust_domain = \"Example\"\n")),
        ("list", format!("{server}revocation_lists = [\"ca.pem\"]\n")),
        ("good", server.clone()),
    ] {
        config += &section.replace("service.server", &format!("service.{name}"));
    }
    let file = world.write("tunnel.toml", &config);
    for arguments in [&["--check"][..], &[]] {
        let (good, said) = check(&file, arguments);
        assert!(!good);
        assert_eq!(said.lines().count(), 6, "{said}");
        for (line, name, why) in [
            (1, "missing", "missing.pem"),
            (9, "broken", "broken.pem"),
            (17, "swapped", "check whether two arguments are swapped"),
            (25, "mismatch", "the private key does not belong"),
            (33, "domain", "trust domain"),
            (42, "list", "ca.pem"),
        ] {
            let place = format!("tunnel: {file}: line {line}: service {name}: ");
            let found = said.lines().find(|said| said.starts_with(&place));
            assert!(
                found.is_some_and(|found| found.contains(why)),
                "{place}{why}\n{said}"
            );
        }
    }
}

#[test]
fn texts_that_are_no_configuration() {
    let world = World::new();
    for (config, why) in [
        ("[service.a\n", "line 1"),
        ("lissten = 1\n", "unknown field `lissten`"),
        (
            &format!("{}kye = 1\n", server_section(1)),
            "line 8, column 1",
        ),
        (
            &server_section(1),
            "line 1: service server: say who is admitted",
        ),
    ] {
        let file = world.write("tunnel.toml", config);
        let (good, said) = check(&file, &["--check"]);
        assert!(
            !good && said.contains(&file) && said.contains(why),
            "{said}"
        );
    }
    let (good, said) = check("/nowhere/tunnel.toml", &[]);
    assert!(
        !good && said.contains("/nowhere/tunnel.toml: cannot be read"),
        "{said}"
    );
}

#[test]
fn an_address_that_is_taken() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = server_section(1).replace("127.0.0.1:0", &address) + "any_peer = true\n";
    let (good, said) = check(&world.write("tunnel.toml", &config), &[]);
    assert!(
        !good && said.contains(&format!("server: cannot listen on {address}")),
        "{said}"
    );
}

/// The example is one that works, with the files that it names.
#[test]
fn the_example() {
    let world = World::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("tunnel.toml");
    let text = std::fs::read_to_string(example).unwrap();
    std::fs::create_dir(world.folder.join("pki")).unwrap();
    let authority = Authority::new("example").unwrap();
    let server = authority.issue_server(["db.internal"]).unwrap();
    world.put("pki/db.internal", &server);
    world.put("pki/alice", &authority.issue_client("alice").unwrap());
    world.write("pki/ca.pem", &authority.certificate_pem());
    world.write(
        "pki/crl.pem",
        &authority.revocation_list().issue_pem().unwrap(),
    );
    let (good, said) = check(&world.write("tunnel.toml", &text), &["--check"]);
    assert!(good, "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
}
