//! Full and resumed handshakes over TCP, with two servers that share an identity and a ticket key.
//!
//! ```text
//! cargo run --release --example resumption
//! ```
//!
//! 1. The first handshake is a full one. The server then sends tickets, which the client keeps.
//! 2. Each of the next connections uses one ticket, at the same server or the other. There are no
//!    certificates and no signatures, but still fresh keys.
//! 3. Both servers get a new ticket key while they run. Tickets under the old key are accepted
//!    until it expires or is revoked.
//! 4. If a client or server changes whom it trusts, the next handshake is a full one.
//!
//! A ticket that is not accepted causes a full handshake, not an error.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::Failure;
use fleeting::{Authority, Client, ClientAuth, Identity, Server, SessionCache, TicketKey, TicketKeys, Trust};
use zeroize::Zeroizing;

const NAME: &str = "db.internal";

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How many connections of each kind are measured.
const TIMED: usize = 200;

fn main() -> ExitCode {
    common::exit_code(run())
}

fn run() -> Result<(), Failure> {
    let authority = Authority::new("resumption")?;
    let (identity, known) = (authority.issue_server([NAME])?, authority.issue_client("alice")?);

    // Two servers accept each other's tickets because they share a secret from a common store. In
    // one process the default, `TicketKeys::rotating()`, is enough.
    let secret = new_secret()?;
    let (east_keys, west_keys) = (TicketKeys::empty(), TicketKeys::empty());
    for keys in [&east_keys, &west_keys] {
        keys.install(ticket_key(&secret)?);
    }
    let east = serve("east", &identity, authority.trust(), &east_keys)?;
    let west = serve("west", &identity, authority.trust(), &west_keys)?;

    // By default each client has a cache of its own. These share one, so that it can be counted. No
    // client resumes a session of another.
    let tickets = SessionCache::default();
    let client = |trust: &Trust, identity: &Identity| {
        Client::builder().trust(trust.clone()).identity(identity.clone()).sessions(tickets.clone()).build()
    };
    let trust = authority.trust();
    let (alice, carol) = (client(&trust, &known)?, client(&trust, &authority.issue_client("carol")?)?);

    println!("fleeting resumption: two clients, and two servers with the same ticket key\n");
    println!("  {:<50} {:<10} {:>7}   tickets kept", "", "handshake", "time");
    let step = |what: &str, client: &Client, server: &Remote, resumes: bool| -> Result<(), Failure> {
        let visit = visit(client, server)?;
        let kind = if visit.resumed { "resumed" } else { "full" };
        println!("  {:<50} {kind:<10} {:>4.2} ms   {}", what.replace('@', server.name), millis(visit.took), tickets.len());
        if visit.resumed != resumes {
            return Err(format!("{what}: this outcome was not expected").into());
        }
        Ok(())
    };

    step("alice, her first connection, to @", &alice, &east, false)?;
    step("alice, again to @", &alice, &east, true)?;
    step("alice, to @ for the first time", &alice, &west, true)?;
    step("carol, her first connection, to @", &carol, &west, false)?;

    println!("\n  both servers get a new ticket key");
    let next = new_secret()?;
    for keys in [&east_keys, &west_keys] {
        keys.install(ticket_key(&next)?);
    }
    step("alice, by a ticket under the old key, to @", &alice, &east, true)?;

    println!("\n  the old key is revoked");
    for keys in [&east_keys, &west_keys] {
        keys.install(revoked(&secret)?);
    }
    step("alice, by a ticket under the new key, to @", &alice, &west, true)?;
    step("carol, whose tickets are under the old key, to @", &carol, &west, false)?;

    println!("\n  another authority is trusted too");
    let more = trust.clone().and(Authority::new("another authority")?.trust());
    step("alice, who trusts it, to @", &client(&more, &known)?, &east, false)?;
    let south = serve("south", &identity, more, &east_keys)?;
    step("alice, who does not, to @, which trusts it", &alice, &south, false)?;

    // The time saved. Without network latency this is CPU time. Over a network the number of round
    // trips is the same, but no certificates are sent.
    let forgetful = Client::builder().trust(trust).identity(known).sessions(SessionCache::new(0)).build()?;
    let (mut full, mut resumed) = (Vec::new(), Vec::new());
    for _ in 0..TIMED {
        full.push(visit(&forgetful, &east)?.took);
        resumed.push(visit(&alice, &east)?.took);
    }
    let (full, resumed) = (median(full), median(resumed));
    println!("\n  {TIMED} of each, median: full {:.2} ms, resumed {:.2} ms", millis(full), millis(resumed));
    println!("  a resumed handshake saved {:.0} %, both sides together", 100.0 - 100.0 * resumed.as_secs_f64() / full.as_secs_f64());
    println!("\nThe servers knew the client each time. Each connection had keys of its own, which are wiped now.");
    Ok(())
}

/// Stands for a secret from a store that all servers can read.
fn new_secret() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret)?;
    Ok(secret)
}

/// A key that seals tickets for one hour. A ticket is valid for 2 hours by default, so the key
/// opens tickets for 2 more hours.
fn ticket_key(secret: &[u8; 32]) -> Result<TicketKey, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(TicketKey::new(secret, now, now + HOUR, now + 3 * HOUR)?)
}

/// The same key with times that are over, as after a leak. It replaces the other, which is wiped.
fn revoked(secret: &[u8; 32]) -> Result<TicketKey, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(TicketKey::new(secret, now - 2 * HOUR, now - HOUR, now - HOUR)?)
}

/// A server as the client sees it.
struct Remote {
    name: &'static str,
    address: SocketAddr,
}

/// Starts a server in a thread. It serves one client at a time, and tells each client how it was
/// authenticated.
fn serve(name: &'static str, identity: &Identity, trusted: Trust, keys: &TicketKeys) -> Result<Remote, Failure> {
    let server =
        Server::builder().identity(identity.clone()).client_auth(ClientAuth::Required(trusted)).ticket_keys(keys.clone()).build()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for tcp in listener.incoming() {
            if let Err(failure) = tcp.map_err(Failure::from).and_then(|tcp| greet(&server, tcp)) {
                eprintln!("{name}: {failure}");
            }
        }
    });
    Ok(Remote { name, address })
}

fn greet(server: &Server, tcp: TcpStream) -> Result<(), Failure> {
    tcp.set_nodelay(true)?;
    let mut tls = server.accept(tcp)?;
    // In a resumed session the peer is the one that authenticated in the full handshake. An
    // `authorize` hook is called again.
    let client = tls.peer().and_then(|peer| peer.common_name()).ok_or("a client without a certificate was accepted")?;
    let how = if tls.resumed() { "by your ticket" } else { "by your certificate" };
    write!(tls, "{client}, {how}")?;
    tls.close()?;
    Ok(())
}

/// One connection.
struct Visit {
    resumed: bool,
    /// From the first byte of the handshake to the server's greeting, which follows the client's
    /// last message.
    took: Duration,
}

fn visit(client: &Client, server: &Remote) -> Result<Visit, Failure> {
    let tcp = TcpStream::connect(server.address)?;
    tcp.set_nodelay(true)?;
    let began = Instant::now();
    let mut tls = client.connect(NAME, tcp)?;
    let mut greeting = String::new();
    // The tickets come before the greeting and are stored while it is read. A client that never
    // reads gets no tickets.
    tls.read_to_string(&mut greeting)?;
    let took = began.elapsed();
    let resumed = tls.resumed();
    let expected = if resumed { "by your ticket" } else { "by your certificate" };
    if !greeting.ends_with(expected) {
        return Err(format!("the server says {greeting:?}; expected {expected:?}").into());
    }
    tls.close()?;
    Ok(Visit { resumed, took })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
