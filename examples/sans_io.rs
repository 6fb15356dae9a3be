//! The core without sockets, clocks and threads: two connections over a network of two queues.
//!
//! ```text
//! cargo run --example sans_io
//! ```
//!
//! A program with its own event loop (epoll, io_uring, an async runtime, a simulation, an embedded
//! network stack) does what `Endpoint` does here, with its own way to move bytes. The documentation
//! of `fleeting::Connection` has the contract.

mod common;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::Failure;
use fleeting::{Authority, Client, Connection, Now, Server, Status, SystemRandom};

/// How many bytes the network carries at a time: few, because record boundaries do not matter.
const SEGMENT: usize = 500;

/// The latency of the network, on a simulated clock.
const LATENCY: Duration = Duration::from_millis(20);

/// One direction of the network.
#[derive(Default)]
struct Wire {
    bytes: VecDeque<u8>,
    ended: bool,
}

/// One side of the conversation.
struct Endpoint {
    name: &'static str,
    connection: Connection,
    /// The configurations that a server chooses from after the ClientHello.
    servers: Vec<(&'static str, Server)>,
    heard: Vec<u8>,
}

impl Endpoint {
    /// Does what an event loop does when the transport of a connection is ready. Returns whether
    /// anything happened.
    fn turn(
        &mut self,
        incoming: &mut Wire,
        outgoing: &mut Wire,
        now: Now,
    ) -> Result<bool, fleeting::Error> {
        // Receive: the connection lends the buffer that the transport reads into.
        let space = self.connection.input();
        let count = SEGMENT.min(space.len()).min(incoming.bytes.len());
        for (place, byte) in space.iter_mut().zip(incoming.bytes.drain(..count)) {
            *place = byte;
        }
        self.connection.received(count);
        let ended = incoming.ended && incoming.bytes.is_empty();
        if ended {
            self.connection.received_end();
        }

        // Process everything that was received.
        let result = self.work(now);

        // Send, even after an error: the output then contains the alert for the peer.
        let output = self.connection.output();
        let sent = output.len();
        outgoing.bytes.extend(output);
        self.connection.sent(sent);

        let at = now.monotonic.as_millis();
        if count > 0 || sent > 0 {
            let stage = if self.connection.is_handshaking() {
                "handshake"
            } else {
                "connected"
            };
            println!(
                "{at:>5} ms  {:<6}  {stage}  received {count:>3}, sends {sent:>3}",
                self.name
            );
        }
        result.map(|()| count > 0 || sent > 0)
    }

    fn work(&mut self, now: Now) -> Result<(), fleeting::Error> {
        loop {
            match self.connection.process(now, &mut SystemRandom)? {
                Status::NeedsInput | Status::Closed => return Ok(()),
                Status::Data => {
                    let plaintext = self.connection.plaintext();
                    let count = plaintext.len();
                    self.heard.extend_from_slice(plaintext);
                    self.connection.consume(count);
                }
                Status::Ask(question) => {
                    // A server can take its time here, to read a file or query a database. The
                    // handshake waits for the answer.
                    let name = self
                        .connection
                        .client_hello()
                        .and_then(|hello| hello.server_name())
                        .unwrap_or_default();
                    println!(
                        "          {:<6}  {question:?}? The client asks for {name:?}.",
                        self.name
                    );
                    let chosen = self
                        .servers
                        .iter()
                        .find(|(served, _)| *served == name)
                        .or(self.servers.first());
                    let (_, server) = chosen.expect("at least one server");
                    self.connection.choose(server, now, &mut SystemRandom)?;
                }
                other => unreachable!("{other:?}"),
            }
        }
    }
}

fn main() -> ExitCode {
    common::exit_code(run())
}

fn run() -> Result<(), Failure> {
    let authority = Authority::new("sans_io")?;
    let client = Client::builder().trust(authority.trust()).build()?;
    let servers = ["shop.internal", "wiki.internal"]
        .into_iter()
        .map(|name| {
            Ok((
                name,
                Server::builder()
                    .identity(authority.issue_server([name])?)
                    .build()?,
            ))
        })
        .collect::<Result<Vec<_>, fleeting::Error>>()?;

    // The caller passes the time in.
    let start = Now::new(
        Duration::ZERO,
        SystemTime::now().duration_since(UNIX_EPOCH)?,
    );
    let mut now = start;
    let connection = client.connection("wiki.internal", now, &mut SystemRandom)?;
    let mut client = Endpoint {
        name: "client",
        connection,
        servers: Vec::new(),
        heard: Vec::new(),
    };
    let mut server = Endpoint {
        name: "server",
        connection: Connection::undecided(now),
        servers,
        heard: Vec::new(),
    };
    let (mut up, mut down) = (Wire::default(), Wire::default());

    // The handshake.
    let mut turns = 0;
    while client.connection.is_handshaking() || server.connection.is_handshaking() {
        turns += 1;
        now = after(start, LATENCY * turns);
        // An event loop would sleep until the transport is ready, or until this deadline, and then
        // call `process` again.
        let deadline = client
            .connection
            .next_timeout()
            .expect("a deadline during the handshake");
        assert!(now.monotonic < deadline);
        client.turn(&mut down, &mut up, now)?;
        server.turn(&mut up, &mut down, now)?;
    }
    let negotiated = client
        .connection
        .negotiated()
        .expect("the handshake is complete");
    println!(
        "          negotiated: {}, {}\n",
        negotiated.cipher_suite(),
        negotiated.group()
    );

    // A conversation, with new keys in the middle, and its end.
    client.connection.write(b"Who are you? ")?;
    client.connection.rekey()?;
    client.connection.write(b"And what do you do?")?;
    client.connection.close();
    server.connection.write(b"A wiki. I remember.")?;
    server.connection.close();
    loop {
        turns += 1;
        now = after(start, LATENCY * turns);
        let client_moved = client.turn(&mut down, &mut up, now)?;
        let server_moved = server.turn(&mut up, &mut down, now)?;
        if !client_moved && !server_moved {
            break;
        }
    }
    println!(
        "\nThe server heard {:?}.",
        String::from_utf8_lossy(&server.heard)
    );
    println!(
        "The client heard {:?}.",
        String::from_utf8_lossy(&client.heard)
    );

    // Only a close_notify ends a connection. If the network ends without it, the connection is cut.
    for (endpoint, incoming) in [(&mut client, &mut down), (&mut server, &mut up)] {
        incoming.ended = true;
        endpoint.turn(incoming, &mut Wire::default(), now)?;
    }
    println!("Both sent close_notify before the network ended, so no data is missing.");
    Ok(())
}

fn after(start: Now, time: Duration) -> Now {
    Now::new(start.monotonic + time, start.unix + time)
}
