//! Early data (0-RTT): the client sends a request with the first flight, and the server answers
//! before the handshake is complete.
//!
//! ```text
//! cargo run --release --example early_data
//! ```
//!
//! The client and two servers communicate over TCP with a latency of 20 ms each way. An attacker
//! records the traffic.
//!
//! 1. The first visit is a full handshake: two round trips until the answer arrives. The server
//!    sends tickets that allow early data.
//! 2. The second visit takes one round trip. The server answers before the client's Finished.
//! 3. The attacker sends the recorded first flight again, to the same server and to the other one,
//!    which accepts the same tickets. Neither server answers it.
//! 4. The client connects to the other server, which rejects early data under the first server's
//!    tickets. The library does not send it again. The client decides, because only it knows that
//!    this request may happen twice.
//!
//! **Early data can be replayed.** This example asks for a price. It would not send an order this
//! way.

mod common;

use std::io::{BufRead, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::Failure;
use fleeting::{Authority, Client, EarlyData, Identity, Progress, ReplayGuard, Server, TicketKeys};

const NAME: &str = "prices.internal";

const REQUEST: &str = "what does a lamp cost?\n";

/// The latency in each direction.
const DELAY: Duration = Duration::from_millis(20);

/// How long to wait for a silent peer. `handshake_timeout` is checked when a call of the socket
/// returns, so a blocking socket needs a time-out of its own.
const SILENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    common::exit_code(run())
}

fn run() -> Result<(), Failure> {
    let authority = Authority::new("early data")?;
    let identity = authority.issue_server([NAME])?;
    // The servers accept each other's tickets. Each has a replay guard of its own, so it accepts
    // early data under its own tickets only: no other server can have accepted the same data
    // before.
    let keys = TicketKeys::rotating();
    let east = serve(&identity, &keys)?;
    let west = serve(&identity, &keys)?;
    let (to_east, to_west) = (wire(east.address)?, wire(west.address)?);
    let client = Client::builder().trust(authority.trust()).early_data(true).build()?;

    println!("fleeting early data: a price, over a latency of {} ms\n", DELAY.as_millis());
    let first = visit(&client, &to_east)?;
    show("the first visit", &first, &east.report()?, (EarlyData::NotOffered, When::AfterFinished))?;
    let second = visit(&client, &to_east)?;
    show("the second visit", &second, &east.report()?, (EarlyData::Accepted, When::BeforeFinished))?;
    let recorded = to_east.first_flight();

    println!("\n  an attacker sends the {} bytes of its first flight again", recorded.len());
    replay("to the same server", &recorded, &east)?;
    replay("to the other server", &recorded, &west)?;

    println!();
    let third = visit(&client, &to_west)?;
    show("a visit to the other server", &third, &west.report()?, (EarlyData::Rejected, When::AfterFinished))?;
    println!("\nOne answer for each visit, and none for a replay.");
    Ok(())
}

// ---- the client ----

/// A visit from the client's side.
struct Visit {
    outcome: EarlyData,
    answer: String,
    took: Duration,
}

fn visit(client: &Client, wire: &Wire) -> Result<Visit, Failure> {
    let tcp = connect(wire.address)?;
    let began = Instant::now();
    let mut handshake = client.start(NAME, tcp)?;
    // `None` if no session allows early data, as on the first visit. What is written goes out at
    // once, after the ClientHello.
    let sent = match handshake.early_data() {
        Some(mut early) if early.remaining() >= REQUEST.len() => early.write_all(REQUEST.as_bytes()).map(|()| true)?,
        _ => false,
    };
    let mut tls = handshake.finish()?;
    let outcome = tls.early_data();
    match outcome {
        EarlyData::Accepted if sent => {}
        // The request was not sent early.
        EarlyData::Accepted | EarlyData::NotOffered => tls.write_all(REQUEST.as_bytes())?,
        // This server accepted none of it. But an attacker may have sent the first flight to
        // another server that did. So send it again only if it may happen twice.
        EarlyData::Rejected => tls.write_all(REQUEST.as_bytes())?,
    }
    let mut answer = String::new();
    tls.read_line(&mut answer)?;
    let took = began.elapsed();
    tls.close()?;
    Ok(Visit { outcome, answer, took })
}

// ---- the servers ----

/// A running server.
struct Remote {
    address: SocketAddr,
    reports: Receiver<Report>,
}

impl Remote {
    /// Returns the server's report of the next connection that has ended.
    fn report(&self) -> Result<Report, Failure> {
        Ok(self.reports.recv_timeout(2 * SILENCE)?)
    }
}

/// What a server did on one connection.
#[derive(Default)]
struct Report {
    answered: Vec<When>,
    /// The outcome of early data, if the handshake was completed.
    outcome: Option<EarlyData>,
    failure: Option<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// The request comes from the holder of the session's key, or it is a recording.
    BeforeFinished,
    AfterFinished,
}

fn serve(identity: &Identity, keys: &TicketKeys) -> Result<Remote, Failure> {
    // The tickets allow 4 KiB of early data. This server serves one client at a time.
    let guard = ReplayGuard::in_memory(10_000);
    let server = Server::builder().identity(identity.clone()).ticket_keys(keys.clone()).early_data(4096, guard).build()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (done, reports) = mpsc::channel();
    thread::spawn(move || {
        for tcp in listener.incoming() {
            let mut report = Report::default();
            report.failure = tcp.map_err(Failure::from).and_then(|tcp| answer(&server, tcp, &mut report)).err();
            if done.send(report).is_err() {
                break;
            }
        }
    });
    Ok(Remote { address, reports })
}

fn answer(server: &Server, tcp: TcpStream, report: &mut Report) -> Result<(), Failure> {
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(SILENCE))?;
    let mut request = Vec::new();
    let mut handshake = server.start(tcp);
    let mut tls = loop {
        handshake = match handshake.advance()? {
            Progress::Done(tls) => break tls,
            Progress::EarlyData(data, mut going_on) => {
                request.extend_from_slice(&data);
                // Asking for a price changes nothing, so the server answers at once. A request that
                // changes something must wait until the handshake is `Done`, as `accept` does with
                // all early data: see `Stream::take_early_data`.
                if let Some(answer) = price(&request) {
                    let mut early = going_on.early_data().ok_or("early data arrived, but no answer can be sent early")?;
                    early.write_all(answer.as_bytes())?;
                    report.answered.push(When::BeforeFinished);
                    request.clear();
                }
                going_on
            }
            Progress::WouldBlock(_) => return Err("the client is silent".into()),
            Progress::Ask(question, _) => return Err(format!("{question:?} was not expected").into()),
        }
    };
    report.outcome = Some(tls.early_data());
    loop {
        if let Some(answer) = price(&request) {
            tls.write_all(answer.as_bytes())?;
            report.answered.push(When::AfterFinished);
            request.clear();
        }
        // Append to early data, which may be only a part of the request.
        if tls.read_until(b'\n', &mut request)? == 0 {
            break;
        }
    }
    tls.close()?;
    Ok(())
}

/// Returns the answer, if the request is complete.
fn price(request: &[u8]) -> Option<&'static str> {
    (request == REQUEST.as_bytes()).then_some("12 crowns\n")
}

// ---- the attacker ----

/// A connection to a server, with latency, which an attacker records.
struct Wire {
    address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

/// What the client sent on the last connection before the server sent anything.
#[derive(Default)]
struct Heard {
    first_flight: Vec<u8>,
    answered: bool,
}

impl Wire {
    fn first_flight(&self) -> Vec<u8> {
        self.heard.lock().map(|heard| heard.first_flight.clone()).unwrap_or_default()
    }
}

fn wire(server: SocketAddr) -> Result<Wire, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, heard) = (listener.local_addr()?, Arc::new(Mutex::new(Heard::default())));
    let hearing = Arc::clone(&heard);
    thread::spawn(move || {
        for client in listener.incoming() {
            if let Err(failure) = client.map_err(Failure::from).and_then(|client| relay(client, connect(server)?, &hearing)) {
                eprintln!("the connection is cut: {failure}");
            }
        }
    });
    Ok(Wire { address, heard })
}

fn relay(client: TcpStream, server: TcpStream, heard: &Arc<Mutex<Heard>>) -> Result<(), Failure> {
    client.set_nodelay(true)?;
    if let Ok(mut heard) = heard.lock() {
        *heard = Heard::default();
    }
    for (from, to, from_client) in [(client.try_clone()?, server.try_clone()?, true), (server, client, false)] {
        let (heard, (bring, brought)) = (Arc::clone(heard), mpsc::channel());
        thread::spawn(move || take_in(from, from_client, &heard, |bytes| bring.send((Instant::now() + DELAY, bytes)).is_ok()));
        thread::spawn(move || hand_out(to, brought));
    }
    Ok(())
}

fn take_in(mut from: TcpStream, from_client: bool, heard: &Mutex<Heard>, mut bring: impl FnMut(Vec<u8>) -> bool) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if let Ok(mut heard) = heard.lock() {
            heard.answered |= !from_client;
            if !heard.answered {
                heard.first_flight.extend_from_slice(&buffer[..count]);
            }
        }
        if !bring(buffer[..count].to_vec()) {
            break;
        }
    }
}

fn hand_out(mut to: TcpStream, brought: Receiver<(Instant, Vec<u8>)>) {
    for (when, bytes) in brought {
        thread::sleep(when.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Sends the recorded first flight. Without the session's key the attacker can send nothing more.
fn replay(to: &str, first_flight: &[u8], server: &Remote) -> Result<(), Failure> {
    let mut tcp = connect(server.address)?;
    tcp.write_all(first_flight)?;
    tcp.shutdown(Shutdown::Write)?;
    let mut heard = Vec::new();
    tcp.read_to_end(&mut heard)?;
    let report = server.report()?;
    if !report.answered.is_empty() || report.outcome.is_some() {
        return Err(format!("{to}: a replay was answered").into());
    }
    // The server waited for a Finished, which needs the session's key, until the connection ended.
    report.failure.ok_or("a server accepted a replay")?;
    println!("      {to:<20} {} bytes of handshake came back, no answer", heard.len());
    Ok(())
}

// ---- shared by all ----

fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    let tcp = TcpStream::connect(address)?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(SILENCE))?;
    Ok(tcp)
}

/// Prints a visit. Returns an error if it differs from the expected one.
fn show(what: &str, visit: &Visit, report: &Report, expected: (EarlyData, When)) -> Result<(), Failure> {
    let (outcome, when) = expected;
    if let Some(failure) = &report.failure {
        return Err(format!("{what}: the server says: {failure}").into());
    }
    if (visit.outcome, report.outcome, &report.answered[..]) != (outcome, Some(outcome), &[when][..]) {
        return Err(format!("{what}: {:?} and {:?}, answered {:?}", visit.outcome, report.outcome, report.answered).into());
    }
    let early = match outcome {
        EarlyData::NotOffered => "no early data",
        EarlyData::Accepted => "early data accepted",
        EarlyData::Rejected => "early data rejected",
    };
    let answered = match when {
        When::BeforeFinished => "answered before the client's Finished",
        When::AfterFinished if outcome == EarlyData::Rejected => "asked again, answered after the handshake",
        When::AfterFinished => "answered after the handshake",
    };
    println!("  {what:<27} {early}, {answered}: {} after {} ms", visit.answer.trim_end(), visit.took.as_millis());
    Ok(())
}
