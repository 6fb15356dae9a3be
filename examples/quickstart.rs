//! Two threads authenticate each other and send 1 GiB each way over a TCP socket.
//!
//! ```text
//! cargo run --release --example quickstart
//! ```
//!
//! 1. An authority is created in memory. It issues a certificate to the server and one to the
//!    client.
//! 2. The client connects over TCP. Each side verifies the other's certificate.
//! 3. The client sends 1 GiB, renews the keys in the middle, and closes its direction.
//! 4. The server does the same in the other direction.
//!
//! Every received byte is compared with what was sent.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use common::Failure;
use fleeting::{Authority, Client, ClientAuth, Peer, Server, Stream};
use indicatif::{ProgressBar, ProgressStyle};

/// How many bytes are sent in each direction.
const SIZE: usize = 1 << 30;

/// How many bytes are written and read at a time.
const CHUNK: usize = 1 << 18;

fn main() -> ExitCode {
    common::exit_code(run())
}

fn run() -> Result<(), Failure> {
    let authority = Authority::new("quickstart")?;
    let server = Server::builder()
        .identity(authority.issue_server(["db.internal"])?)
        .client_auth(ClientAuth::Required(authority.trust()))
        .build()?;
    let client = Client::builder().trust(authority.trust()).identity(authority.issue_client("alice")?).build()?;

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    println!("fleeting quickstart: TLS 1.3 between two threads over tcp://{address}\n");

    let serving = thread::spawn(move || serve(&listener, &server));

    let began = Instant::now();
    let tcp = TcpStream::connect(address)?;
    tcp.set_nodelay(true)?;
    let mut tls = client.connect("db.internal", tcp)?;
    let handshake = began.elapsed();

    send(&mut tls)?;
    let to_client = receive(&mut tls, "server to client")?;
    let (client_seen_by_server, to_server) = serving.join().expect("the server's thread panicked")?;

    let server_seen_by_client = tls.peer().ok_or("a server always has a certificate")?;
    println!("  cipher suite      {}", tls.cipher_suite());
    println!("  key exchange      {}", tls.group());
    println!("  connected         in {:.1} ms, both sides verified", handshake.as_secs_f64() * 1e3);
    println!("  the server is     {}", common::describe(server_seen_by_client));
    println!("  the client is     {}", common::describe(&client_seen_by_server));
    println!("  client to server  {}", rate(to_server));
    println!("  server to client  {}", rate(to_client));
    println!("\nEvery byte arrived. Each direction renewed its keys in the middle. All keys are wiped now.");
    Ok(())
}

/// The server: accepts one client, receives `SIZE` bytes and sends as many.
fn serve(listener: &TcpListener, server: &Server) -> Result<(Peer, Duration), Failure> {
    let (tcp, _) = listener.accept()?;
    tcp.set_nodelay(true)?;
    let mut tls = server.accept(tcp)?;
    let client = tls.peer().cloned().ok_or("a client without a certificate got in")?;
    let took = receive(&mut tls, "client to server")?;
    send(&mut tls)?;
    Ok((client, took))
}

/// Sends `SIZE` bytes, renews the keys in the middle, and closes this direction.
fn send(tls: &mut Stream<TcpStream>) -> Result<(), Failure> {
    let chunk = content();
    for number in 0..SIZE / CHUNK {
        if number == SIZE / CHUNK / 2 {
            tls.rekey()?;
        }
        tls.write_all(&chunk)?;
    }
    tls.close()?;
    Ok(())
}

/// Receives until the peer closes its direction, and checks every byte.
fn receive(tls: &mut Stream<TcpStream>, title: &'static str) -> Result<Duration, Failure> {
    let bar = ProgressBar::new(SIZE as u64)
        .with_message(title)
        .with_style(ProgressStyle::with_template("  {msg}  {bar:40} {bytes:>10} of {total_bytes}  {bytes_per_sec}")?);
    let expected = content();
    let mut buffer = vec![0; CHUNK];
    let mut total = 0;
    let began = Instant::now();
    loop {
        // `Ok(0)` is the peer's close_notify. A cut connection returns an error.
        let count = tls.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        let mut received = &buffer[..count];
        while !received.is_empty() {
            let at = total % CHUNK;
            let (now, later) = received.split_at(received.len().min(CHUNK - at));
            if now != &expected[at..at + now.len()] {
                return Err(format!("{title}: byte {total} and those after it differ from what was sent").into());
            }
            total += now.len();
            received = later;
        }
        bar.set_position(total as u64);
    }
    let took = began.elapsed();
    bar.finish_and_clear();
    if total != SIZE {
        return Err(format!("{title}: {total} bytes arrived instead of {SIZE}").into());
    }
    Ok(took)
}

/// The chunk that is sent repeatedly. All of its 64-bit words differ.
fn content() -> Vec<u8> {
    (0..CHUNK as u64 / 8).flat_map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

fn rate(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    format!("1 GiB in {seconds:.2} s: {:.2} GB/s", SIZE as f64 / seconds / 1e9)
}
