//! A server in one thread: many `Connection`s over non-blocking sockets, driven by a poll loop.
//!
//! ```text
//! cargo run --example poll_loop
//! ```
//!
//! The loop is `mio`'s (epoll, kqueue, IOCP); another one would look the same. Four clients connect
//! from threads of their own, send some lines, and check that the server echoes them.

mod common;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use common::Failure;
use fleeting::{Authority, Client, Connection, Now, Server, Status, SystemRandom};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);
const CLIENTS: usize = 4;
const LINES: usize = 1000;

/// One client of the server: its socket and its TLS connection.
struct Session {
    tcp: TcpStream,
    tls: Connection,
}

/// What a session waits for.
#[derive(PartialEq)]
enum Turn {
    /// The socket: mio reports when it is ready.
    Waits,
    /// Nothing: both sides have closed.
    Done,
}

impl Session {
    /// Does everything that is possible without waiting. Called when the socket is ready, and when
    /// the handshake's time is over.
    fn turn(&mut self, now: Now) -> io::Result<Turn> {
        let result = self.work(now);
        if result.is_err() {
            // The alert for the client is in the output. It matters no more whether it arrives.
            let _ = self.send();
        }
        result
    }

    fn work(&mut self, now: Now) -> io::Result<Turn> {
        loop {
            let status = self.tls.process(now, &mut SystemRandom)?;
            // Before anything is waited for: the client may be waiting for this output.
            self.send()?;
            match status {
                Status::Data => {
                    let data = self.tls.plaintext().to_vec();
                    let taken = self.tls.write(&data)?;
                    self.tls.consume(taken);
                    if taken == 0 && !self.send()? {
                        // The client does not read: no more is received until it does.
                        return Ok(Turn::Waits);
                    }
                }
                Status::NeedsInput => match self.tcp.read(self.tls.input()) {
                    Ok(0) => self.tls.received_end(),
                    Ok(count) => self.tls.received(count),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Waits),
                    Err(error) => return Err(error),
                },
                Status::Closed => {
                    self.tls.close();
                    return Ok(if self.send()? {
                        Turn::Done
                    } else {
                        Turn::Waits
                    });
                }
                // Questions and early data come only from configurations that ask for them.
                other => return Err(io::Error::other(format!("unexpected: {other:?}"))),
            }
        }
    }

    /// Sends what the socket takes. Returns true if nothing is left.
    fn send(&mut self) -> io::Result<bool> {
        while !self.tls.output().is_empty() {
            match self.tcp.write(self.tls.output()) {
                Ok(count) => self.tls.sent(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// Serves until `expected` clients have come and gone. Returns how many of them failed.
fn serve(mut listener: TcpListener, server: &Server, expected: usize) -> io::Result<usize> {
    let start = Instant::now();
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(64);
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut sessions = HashMap::new();
    let (mut accepted, mut failed) = (0, 0);

    while accepted < expected || !sessions.is_empty() {
        // Sleeps until a socket is ready, or a handshake takes too long.
        let now = Now::since(start);
        let deadline = sessions
            .values()
            .filter_map(|s: &Session| s.tls.next_timeout())
            .min();
        let timeout = deadline.map(|deadline| deadline.saturating_sub(now.monotonic));
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }

        let now = Now::since(start);
        let mut ready: Vec<Token> = events.iter().map(|event| event.token()).collect();
        if ready.contains(&LISTENER) {
            loop {
                let (mut tcp, address) = match listener.accept() {
                    Ok(accepted) => accepted,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                };
                accepted += 1;
                let token = Token(accepted);
                let both = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut tcp, token, both)?;
                println!("client {accepted} comes from {address}");
                sessions.insert(
                    token,
                    Session {
                        tcp,
                        tls: server.connection(now),
                    },
                );
                ready.push(token);
            }
        }
        let is_late = |session: &Session| session.tls.next_timeout() <= Some(now.monotonic);
        let late = sessions
            .iter()
            .filter(|(_, s)| s.tls.is_handshaking() && is_late(s));
        ready.extend(late.map(|(token, _)| *token));

        for token in ready {
            let Some(session) = sessions.get_mut(&token) else {
                continue;
            };
            match session.turn(now) {
                Ok(Turn::Waits) => continue,
                Ok(Turn::Done) => println!("client {} has closed", token.0),
                // One client's failure is not the server's.
                Err(error) => {
                    failed += 1;
                    eprintln!("client {}: {error}", token.0);
                }
            }
            sessions.remove(&token);
        }
    }
    Ok(failed)
}

/// A client with a blocking stream: sends lines and reads them back.
fn talk(client: &Client, address: SocketAddr) -> io::Result<()> {
    let tcp = std::net::TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut tls = client.connect("echo.internal", tcp)?;
    for number in 0..LINES {
        let line = format!("line {number}\n");
        tls.write_all(line.as_bytes())?;
        let mut echo = vec![0; line.len()];
        tls.read_exact(&mut echo)?;
        if echo != line.as_bytes() {
            return Err(io::Error::other("the echo is not what was sent"));
        }
    }
    tls.close()?;
    // The server closes as well: an end without its close_notify would be an error here.
    match tls.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(io::Error::other("more came than was sent")),
    }
}

fn run() -> Result<(), Failure> {
    let authority = Authority::new("poll_loop")?;
    let server = Server::builder()
        .identity(authority.issue_server(["echo.internal"])?)
        .build()?;
    let client = Client::builder().trust(authority.trust()).build()?;

    let listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    let address = listener.local_addr()?;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || talk(&client, address))
        })
        .collect();
    let failed = serve(listener, &server, CLIENTS)?;
    for client in clients {
        client.join().map_err(|_| "a client panicked")??;
    }
    if failed > 0 {
        return Err(format!("{failed} of {CLIENTS} clients failed").into());
    }
    println!("{CLIENTS} clients sent {LINES} lines each and read them back, in one server thread");
    Ok(())
}

fn main() -> ExitCode {
    common::exit_code(run())
}
