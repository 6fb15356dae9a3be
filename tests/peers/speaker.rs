//! [`Speaker`]: one of `peer.go`, `peer.py` and `peer.mjs`, which take the same options and print
//! the same things; and the conversations with each of them, in both roles.

use std::io::Write;

use fleeting::{Client, ClientAuth, ClientBuilder, NamedGroup, Server, ServerBuilder};

use crate::program::{
    BULK, Door, Files, Program, Tls, World, connect, exchange, expect, expect_end, exported,
};
use crate::support::{CLIENT_NAME, SERVER_NAME, SUITES, Suite};
use crate::wire::PRE_SHARED_KEY;

pub const HYBRID: NamedGroup = NamedGroup::X25519_MLKEM768;
pub const X25519: NamedGroup = NamedGroup::X25519;
pub const P256: NamedGroup = NamedGroup::SECP256R1;

/// A program that is part of the tests.
pub struct Speaker {
    /// The program and its first arguments.
    pub command: Vec<String>,
    pub install: &'static str,
    /// If true, it knows as a server which group was used.
    pub server_knows_group: bool,
    /// If true, its client knows the server's identity in a resumed connection.
    pub client_remembers_peer: bool,
    /// If true, it knows whether there was a retry for another group.
    pub knows_retries: bool,
}

impl Speaker {
    fn start(&self, fixed: &[&str], more: &[&str]) -> Program {
        let (program, first) = self.command.split_first().unwrap();
        Program::start(
            program,
            self.install,
            first
                .iter()
                .map(String::as_str)
                .chain(fixed.iter().chain(more).copied()),
        )
    }

    /// Starts its client, which connects to us and checks our certificate and our name.
    pub fn client(&self, world: &World, door: &Door, more: &[&str]) -> Program {
        let address = format!("127.0.0.1:{}", door.port());
        self.start(&["--connect", &address, "--ca", &world.ca], more)
    }

    /// Starts its server. Returns the server and its port.
    pub fn server(&self, world: &World, files: &Files, more: &[&str]) -> (Program, u16) {
        let program = self.start(
            &[
                "--ca",
                &world.ca,
                "--cert",
                &files.chain,
                "--key",
                &files.key,
            ],
            more,
        );
        let port = program.wait_for_line("port: ").parse().unwrap();
        (program, port)
    }

    /// Checks that both sides agree about their connection of this number.
    fn agrees(&self, stream: &Tls, program: &Program, number: usize) {
        let says = |what: &str| program.wait_for_line(&format!("{number}. {what}: "));
        let (_, suite) = SUITES
            .into_iter()
            .find(|(suite, _)| *suite == stream.cipher_suite())
            .unwrap();
        assert_eq!(says("suite"), suite);
        assert_eq!(says("alpn").as_bytes(), stream.alpn().unwrap_or_default());
        assert_eq!(says("resumed"), stream.resumed().to_string());
        if self.knows_retries {
            assert_eq!(says("retried"), stream.get_ref().retried().to_string());
        }
        let group = says("group");
        let ours = [
            (HYBRID, "X25519MLKEM768"),
            (X25519, "X25519"),
            (P256, "P-256"),
        ];
        let (_, ours) = ours
            .into_iter()
            .find(|(ours, _)| *ours == stream.group())
            .unwrap();
        assert!(
            group == ours || group == "undefined" && !self.server_knows_group,
            "{ours}, and it says {group}"
        );
        assert_eq!(says("exported"), exported(stream));
    }
}

pub fn with_identity(files: &Files) -> [&str; 4] {
    ["--cert", &files.chain, "--key", &files.key]
}

/// Sends data and renews keys on a connection.
fn converse(stream: &mut Tls, program: &Program) {
    exchange(stream, program, "bulk", BULK);
    for _ in 0..3 {
        stream.rekey().unwrap();
        exchange(stream, program, "rekey", 100);
    }
    exchange(stream, program, "rekeyed", BULK);
}

/// Sends close_notify from one side and then from the other.
fn close(mut stream: Tls, mut program: Program, we_begin: bool) {
    if we_begin {
        stream.close().unwrap();
        program.wait_for("closed\n");
        expect_end(&mut stream, &program);
    } else {
        program.end_input();
        expect_end(&mut stream, &program);
        stream.close().unwrap();
    }
    program.finish_well();
}

/// Sends a line each way on this connection of a program that makes several, and ends it.
fn converse_briefly(mut stream: Tls, program: &Program, number: usize) {
    expect(
        &mut stream,
        format!("connection {number}\n").as_bytes(),
        program,
    );
    let line = format!("to connection {number}\n");
    stream.write_all(line.as_bytes()).unwrap();
    program.wait_for(&line);
    stream.close().unwrap();
    program.wait_for(format!("{number}. closed\n"));
    expect_end(&mut stream, program);
}

// ---- full handshakes ----

/// Covers all suites and every way to ask for its certificate.
pub fn client_talks_to_us(speaker: &Speaker) {
    let world = World::new();
    let trust = || world.pki.authority.trust();
    for suite in SUITES {
        for (client_auth, shown) in [
            (ClientAuth::None, false),
            (ClientAuth::Optional(trust()), false),
            (ClientAuth::Optional(trust()), true),
            (ClientAuth::Required(trust()), true),
        ] {
            println!("{}, {client_auth:?}, certificate shown: {shown}", suite.1);
            let builder = Server::builder()
                .identity(world.pki.server.clone())
                .client_auth(client_auth);
            let server = builder
                .alpn(["x", "y"])
                .cipher_suites([suite.0])
                .build()
                .unwrap();
            let door = Door::open();
            let mut arguments = vec!["--alpn", "z,y,x"];
            if shown {
                arguments.extend(with_identity(&world.client));
            }
            let program = speaker.client(&world, &door, &arguments);
            let mut stream = door.accept(&server, &program).unwrap();
            assert_eq!(stream.server_name(), Some(SERVER_NAME));
            assert_eq!(stream.alpn(), Some(&b"x"[..]));
            assert_eq!(
                stream.peer().and_then(|peer| peer.common_name()).as_deref(),
                shown.then_some(CLIENT_NAME)
            );
            assert_eq!(program.wait_for_line("peer: "), SERVER_NAME);
            assert_best(&stream, suite);
            speaker.agrees(&stream, &program, 1);
            converse(&mut stream, &program);
            close(stream, program, shown);
        }
    }
}

/// Covers all suites and every way to ask for our certificate.
pub fn we_talk_to_server(speaker: &Speaker) {
    let world = World::new();
    for suite in SUITES {
        for (asked, shown) in [
            ("none", false),
            ("none", true),
            ("optional", false),
            ("optional", true),
            ("required", true),
        ] {
            println!(
                "{}, client authentication {asked}, certificate shown: {shown}",
                suite.1
            );
            let (program, port) =
                speaker.server(&world, &world.server, &["--alpn", "y,x", "--auth", asked]);
            let mut client = Client::builder()
                .trust(world.pki.authority.trust())
                .alpn(["z", "x", "y"])
                .cipher_suites([suite.0]);
            if shown {
                client = client.identity(world.pki.client.clone());
            }
            let mut stream = connect(&client.build().unwrap(), port).unwrap();
            assert_eq!(
                stream.peer().unwrap().certificates(),
                world.pki.server.certificates()
            );
            assert_eq!(
                program.wait_for_line("peer: "),
                if shown && asked != "none" {
                    CLIENT_NAME
                } else {
                    "nobody"
                }
            );
            assert_eq!(program.wait_for_line("sni: "), SERVER_NAME);
            assert_best(&stream, suite);
            speaker.agrees(&stream, &program, 1);
            converse(&mut stream, &program);
            close(stream, program, shown);
        }
    }
}

/// Asserts the choice of two sides that know everything, without a retry.
fn assert_best(stream: &Tls, suite: Suite) {
    assert_eq!(stream.cipher_suite(), suite.0);
    assert_eq!(stream.group(), HYBRID);
    assert!(!stream.get_ref().retried() && !stream.resumed());
}

// ---- resumption ----

/// A full handshake is followed by two resumed ones, then one at a server with other keys, which
/// cannot use the ticket, and one resumed there.
pub fn client_resumes(speaker: &Speaker) {
    let world = World::new();
    let trust = || world.pki.authority.trust();
    for suite in SUITES {
        for (client_auth, shown) in [
            (ClientAuth::None, false),
            (ClientAuth::Optional(trust()), false),
            (ClientAuth::Required(trust()), true),
        ] {
            println!("{}, {client_auth:?}", suite.1);
            let server = || {
                let builder = Server::builder()
                    .identity(world.pki.server.clone())
                    .client_auth(client_auth.clone());
                builder
                    .cipher_suites([suite.0])
                    .alpn(["x"])
                    .build()
                    .unwrap()
            };
            let door = Door::open();
            let mut arguments = vec!["--count", "5", "--alpn", "x"];
            if shown {
                arguments.extend(with_identity(&world.client));
            }
            let mut program = speaker.client(&world, &door, &arguments);
            let (first, other) = (server(), server());
            for (number, (server, resumed)) in (1..).zip([
                (&first, false),
                (&first, true),
                (&first, true),
                (&other, false),
                (&other, true),
            ]) {
                let stream = door.accept(server, &program).unwrap();
                assert_eq!(stream.resumed(), resumed, "connection {number}");
                assert_eq!(stream.get_ref().client_offered(PRE_SHARED_KEY), number > 1);
                assert_eq!(stream.server_name(), Some(SERVER_NAME));
                assert_eq!(
                    stream.peer().and_then(|peer| peer.common_name()).as_deref(),
                    shown.then_some(CLIENT_NAME)
                );
                let peer = program.wait_for_line(&format!("{number}. peer: "));
                assert_eq!(
                    peer,
                    if resumed && !speaker.client_remembers_peer {
                        "nobody"
                    } else {
                        SERVER_NAME
                    }
                );
                speaker.agrees(&stream, &program, number);
                converse_briefly(stream, &program, number);
            }
            program.finish_well();
        }
    }
}

/// A full handshake is followed by a resumed one. Then the server is restarted. (Node gives no new
/// tickets for old ones.)
pub fn we_resume(speaker: &Speaker) {
    let world = World::new();
    for suite in SUITES {
        for (asked, shown) in [("none", false), ("optional", false), ("required", true)] {
            println!("{}, client authentication {asked}", suite.1);
            let mut client = Client::builder()
                .trust(world.pki.authority.trust())
                .cipher_suites([suite.0])
                .alpn(["x"]);
            if shown {
                client = client.identity(world.pki.client.clone());
            }
            let client = client.build().unwrap();
            for anew in [false, true] {
                let (mut program, port) = speaker.server(
                    &world,
                    &world.server,
                    &["--count", "2", "--alpn", "x", "--auth", asked],
                );
                for number in 1..=2 {
                    let stream = connect(&client, port).unwrap();
                    assert_eq!(stream.resumed(), number > 1, "connection {number}");
                    assert_eq!(
                        stream.get_ref().client_offered(PRE_SHARED_KEY),
                        anew || number > 1
                    );
                    assert_eq!(stream.server_name(), Some(SERVER_NAME));
                    let peer = stream.peer().unwrap();
                    assert_eq!(
                        peer.certificates().first(),
                        world.pki.server.certificates().first()
                    );
                    assert_eq!(
                        program.wait_for_line(&format!("{number}. peer: ")),
                        if shown { CLIENT_NAME } else { "nobody" }
                    );
                    speaker.agrees(&stream, &program, number);
                    converse_briefly(stream, &program, number);
                }
                program.finish_well();
            }
        }
    }
}

// ---- groups, and retries for them ----

/// Options of the program, our settings, the agreed group, and whether there is a retry.
pub type ClientRow<'a> = (
    &'a str,
    fn(ServerBuilder) -> ServerBuilder,
    NamedGroup,
    bool,
);
pub type ServerRow<'a> = (
    &'a str,
    fn(ClientBuilder) -> ClientBuilder,
    NamedGroup,
    bool,
);

/// Makes each connection twice, with a client certificate, so that a retry also occurs with a
/// ticket.
pub fn client_is_led_to_group(speaker: &Speaker, more: &[ClientRow<'_>]) {
    let world = World::new();
    let rows: [ClientRow<'_>; 6] = [
        ("X25519", |ours| ours, X25519, false),
        ("P-256", |ours| ours, P256, false),
        ("X25519MLKEM768", |ours| ours, HYBRID, false),
        ("X25519,P-256", |ours| ours.groups([P256]), P256, true),
        (
            "X25519MLKEM768,P-256",
            |ours| ours.groups([X25519, P256]),
            P256,
            true,
        ),
        (
            "X25519,P-256",
            |ours| ours.groups([P256]).retry_cookie(true),
            P256,
            true,
        ),
    ];
    for &(groups, ours, group, retried) in rows.iter().chain(more) {
        println!("{groups} to {group}, retried: {retried}");
        let server = Server::builder()
            .identity(world.pki.server.clone())
            .client_auth(ClientAuth::Required(world.pki.authority.trust()));
        let server = ours(server).build().unwrap();
        let door = Door::open();
        let arguments = [
            &["--count", "2", "--groups", groups][..],
            &with_identity(&world.client),
        ]
        .concat();
        let mut program = speaker.client(&world, &door, &arguments);
        for number in 1..=2 {
            let stream = door.accept(&server, &program).unwrap();
            assert_eq!(
                (stream.group(), stream.get_ref().retried(), stream.resumed()),
                (group, retried, number == 2)
            );
            assert_eq!(
                stream.peer().unwrap().common_name().as_deref(),
                Some(CLIENT_NAME)
            );
            speaker.agrees(&stream, &program, number);
            converse_briefly(stream, &program, number);
        }
        program.finish_well();
    }
}

/// Makes each connection twice, with a client certificate, so that a retry also occurs with a
/// ticket.
pub fn we_are_led_to_group(speaker: &Speaker) {
    let world = World::new();
    let rows: [ServerRow<'_>; 6] = [
        ("X25519", |ours| ours, X25519, false),
        ("X25519MLKEM768", |ours| ours, HYBRID, false),
        ("P-256", |ours| ours, P256, true),
        ("P-256", |ours| ours.key_shares([P256]), P256, false),
        ("X25519", |ours| ours.key_shares([P256]), X25519, true),
        // The server has a share but wants a better group. OpenSSL does so only by default.
        ("", |ours| ours.key_shares([X25519]), HYBRID, true),
    ];
    for (groups, ours, group, retried) in rows {
        println!("{groups} leads to {group}, retried: {retried}");
        let client = ours(
            Client::builder()
                .trust(world.pki.authority.trust())
                .identity(world.pki.client.clone()),
        )
        .build()
        .unwrap();
        let mut arguments = vec!["--count", "2", "--auth", "required"];
        if !groups.is_empty() {
            arguments.extend(["--groups", groups]);
        }
        let (mut program, port) = speaker.server(&world, &world.server, &arguments);
        for number in 1..=2 {
            let stream = connect(&client, port).unwrap();
            assert_eq!(
                (stream.group(), stream.get_ref().retried(), stream.resumed()),
                (group, retried, number == 2)
            );
            assert_eq!(
                program.wait_for_line(&format!("{number}. peer: ")),
                CLIENT_NAME
            );
            speaker.agrees(&stream, &program, number);
            converse_briefly(stream, &program, number);
        }
        program.finish_well();
    }
}
