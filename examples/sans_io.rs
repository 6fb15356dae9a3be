//! The core without sockets, clocks and threads: two connections, and a network made of two queues.
//!
//! ```text
//! cargo run --example sans_io
//! ```
//!
//! Whoever brings an event loop of their own (epoll, io_uring, an async runtime, a simulation, an embedded network stack) does what `Endpoint` does here,
//! with their own way to move bytes. The contract stands with `fleeting::Connection`.

use std::collections::VecDeque;
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleeting::{Authority, Client, Connection, Now, Server, Status, SystemRandom};

/// How much the network carries at a time, in bytes: few, to show that boundaries mean nothing.
const SEGMENT: usize = 500;

/// How long it takes, by a clock that nobody has to wait for.
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
    /// The configurations a server chooses from when it has seen the ClientHello.
    servers: Vec<(&'static str, Server)>,
    heard: Vec<u8>,
}

impl Endpoint {
    /// What an event loop does when a connection's transport is ready. Returns whether anything happened.
    fn turn(&mut self, incoming: &mut Wire, outgoing: &mut Wire, now: Now) -> Result<bool, fleeting::Error> {
        // Receive: the connection lends the space that the transport reads into.
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

        // Work, until there is nothing left to work on.
        let result = self.work(now);

        // Send, whatever the result is: if it is an error, the alert for the peer is in the output.
        let output = self.connection.output();
        let sent = output.len();
        outgoing.bytes.extend(output);
        self.connection.sent(sent);

        let at = now.monotonic.as_millis();
        if count > 0 || sent > 0 {
            let stage = if self.connection.is_handshaking() { "handshake" } else { "connected" };
            println!("{at:>5} ms  {:<6}  {stage}  received {count:>3}, sends {sent:>3}", self.name);
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
                    // A server may take its time here: read a file, ask a database. Nothing goes on before it has answered.
                    let name = self.connection.client_hello().and_then(|hello| hello.server_name()).unwrap_or_default();
                    println!("          {:<6}  {question:?}? The client asks for {name:?}.", self.name);
                    let chosen = self.servers.iter().find(|(served, _)| *served == name).or(self.servers.first());
                    let (_, server) = chosen.expect("there is one");
                    self.connection.choose(server, now, &mut SystemRandom)?;
                }
                other => unreachable!("{other:?}"),
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let authority = Authority::new("sans_io")?;
    let client = Client::builder().trust(authority.trust()).build()?;
    let servers = ["shop.internal", "wiki.internal"]
        .into_iter()
        .map(|name| Ok((name, Server::builder().identity(authority.issue_server([name])?).build()?)))
        .collect::<Result<Vec<_>, fleeting::Error>>()?;

    // Time is what the caller says it is.
    let start = Now { monotonic: Duration::ZERO, unix: SystemTime::now().duration_since(UNIX_EPOCH)? };
    let mut now = start;
    let connection = client.connection("wiki.internal", now, &mut SystemRandom)?;
    let mut client = Endpoint { name: "client", connection, servers: Vec::new(), heard: Vec::new() };
    let mut server = Endpoint { name: "server", connection: Connection::undecided(now), servers, heard: Vec::new() };
    let (mut up, mut down) = (Wire::default(), Wire::default());

    // The handshake.
    let mut turns = 0;
    while client.connection.is_handshaking() || server.connection.is_handshaking() {
        turns += 1;
        now = after(start, LATENCY * turns);
        // An event loop would sleep until the transport is ready, or until this moment, and then call `process` again.
        let deadline = client.connection.next_timeout().expect("there is one as long as the handshake lasts");
        assert!(now.monotonic < deadline);
        client.turn(&mut down, &mut up, now)?;
        server.turn(&mut up, &mut down, now)?;
    }
    let negotiated = client.connection.negotiated().expect("the handshake is complete");
    println!("          agreed: {}, {}\n", negotiated.cipher_suite(), negotiated.group());

    // A conversation, with fresh keys in the middle of it, and its end.
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
    println!("\nThe server heard {:?}.", String::from_utf8_lossy(&server.heard));
    println!("The client heard {:?}.", String::from_utf8_lossy(&client.heard));

    // Only a close_notify is an end. The network's own end, by itself, is a cut.
    for (endpoint, incoming) in [(&mut client, &mut down), (&mut server, &mut up)] {
        incoming.ended = true;
        endpoint.turn(incoming, &mut Wire::default(), now)?;
    }
    println!("Both had closed before the network did, so nothing is missing.");
    Ok(())
}

fn after(start: Now, time: Duration) -> Now {
    Now { monotonic: start.monotonic + time, unix: start.unix + time }
}
