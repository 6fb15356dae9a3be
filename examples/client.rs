//! A command-line client: it connects standard input and output to a server, or gets one page by
//! HTTP/1.1.
//!
//! ```text
//! cargo run --example authority -- init
//! cargo run --example authority -- issue server localhost
//! cargo run --example authority -- issue client alice
//! cargo run --release --example client -- localhost --ca pki/ca.pem --get /
//!
//! # with a client certificate; the certificate's name can differ from the address
//! echo hello | cargo run --release --example client -- db.internal --connect 127.0.0.1 \
//!     --ca pki/ca.pem --cert pki/alice.pem --key pki/alice-key.pem --alpn echo
//!
//! # without an authority: the server's key is given
//! cargo run --release --example client -- localhost --pin MCowBQYDK2VwAyEA... --get /
//! ```
//!
//! The report of what was negotiated goes to standard error, data from the server to standard
//! output.

mod common;

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use clap::Parser;
use common::Failure;
use fleeting::{Client, Identity, PublicKey, Stream, Trust};

/// How long to wait for a silent server.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many bytes are read at a time.
const CHUNK: usize = 64 * 1024;

/// Connects to a TLS 1.3 server with an Ed25519 certificate.
#[derive(Parser)]
struct Arguments {
    /// The server's name as in its certificate: a DNS name or an IP address
    name: String,
    /// The host to connect to, if it is not the server's name
    #[arg(long)]
    connect: Option<String>,
    /// The port
    #[arg(long, default_value_t = 4433)]
    port: u16,
    /// Trust the roots in this PEM file
    #[arg(long, required_unless_present = "pin")]
    ca: Option<PathBuf>,
    /// Trust this public key of the server: SubjectPublicKeyInfo in base64
    #[arg(long)]
    pin: Option<PublicKey>,
    /// The client's certificate, followed by the intermediate certificates: a PEM file
    #[arg(long, requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of the certificate: PKCS#8 in a PEM file
    #[arg(long, requires = "cert")]
    key: Option<PathBuf>,
    /// The application protocols to offer, in order of preference, separated by commas
    #[arg(long, value_delimiter = ',')]
    alpn: Vec<String>,
    /// Get this page by HTTP/1.1 instead of connecting standard input and output
    #[arg(long, value_name = "PATH")]
    get: Option<String>,
}

fn main() -> ExitCode {
    common::exit_code(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let roots = arguments
        .ca
        .as_ref()
        .map(Trust::roots_from_pem_file)
        .transpose()?;
    let pin = arguments
        .pin
        .map(|key| Trust::key_for(&arguments.name, key));
    let trust = match (roots, pin) {
        (Some(roots), Some(pin)) => roots.and(pin),
        (Some(trust), None) | (None, Some(trust)) => trust,
        (None, None) => return Err("give --ca or --pin".into()),
    };
    let mut builder = Client::builder().trust(trust).alpn(arguments.alpn.clone());
    if let (Some(cert), Some(key)) = (&arguments.cert, &arguments.key) {
        builder = builder.identity(Identity::from_pem_files(cert, key)?);
    }
    let client = builder.build()?;

    let host = arguments.connect.as_ref().unwrap_or(&arguments.name);
    let tcp = TcpStream::connect((host.as_str(), arguments.port))?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let mut tls = client.connect(&arguments.name, tcp)?;
    eprintln!(
        "connected to {}\n{}",
        tls.get_ref().peer_addr()?,
        common::report(&tls)
    );

    let talk = match &arguments.get {
        Some(path) => get(&mut tls, &arguments.name, path),
        None => pipe(&mut tls),
    };
    // A server refuses a client's certificate after the client's handshake is complete. The first
    // call that fails can then be a write.
    talk.map_err(|error| common::explain(&mut tls, error))
}

/// Requests one page and prints the answer as it arrives.
fn get(tls: &mut Stream<TcpStream>, name: &str, path: &str) -> Result<(), Failure> {
    let host = if name.contains(':') {
        format!("[{name}]")
    } else {
        name.to_owned()
    };
    write!(
        tls,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: fleeting\r\nConnection: close\r\n\r\n"
    )?;
    // A cut connection returns an error. The end is the server's close_notify.
    io::copy(tls, &mut io::stdout().lock())?;
    tls.close()?;
    Ok(())
}

/// Copies data in both directions until both have ended.
///
/// One thread serves both directions, so neither may block the other. The socket is non-blocking.
/// The standard library has no `poll`, so the thread sleeps if there is nothing to do. A program
/// that serves many connections would wait with `mio` or `polling` instead.
fn pipe(tls: &mut Stream<TcpStream>) -> Result<(), Failure> {
    const SHORTEST_NAP: Duration = Duration::from_micros(200);
    const LONGEST_NAP: Duration = Duration::from_millis(20);

    tls.get_ref().set_nonblocking(true)?;
    let typed = standard_input();
    let mut stdout = io::stdout().lock();
    let mut buffer = vec![0; CHUNK];
    let mut nap = SHORTEST_NAP;
    // Input that is not yet accepted; `None` when that direction has ended.
    let mut pending = Some(Vec::new());
    let mut receiving = true;
    while receiving || pending.is_some() || tls.wants_write() {
        let mut moved = false;

        if pending.as_ref().is_some_and(Vec::is_empty) {
            match typed.try_recv() {
                Ok(bytes) => pending = Some(bytes?),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    pending = None;
                    // The next calls send what the socket does not take now.
                    unless_blocked(tls.close())?;
                }
            }
        }
        match &mut pending {
            Some(bytes) if !bytes.is_empty() => {
                let count = unless_blocked(tls.write(bytes))?.unwrap_or(0);
                bytes.drain(..count);
                moved |= count > 0;
            }
            _ => {
                let waited = tls.wants_write();
                moved |= unless_blocked(tls.flush())?.is_some() && waited;
            }
        }

        if receiving {
            match unless_blocked(tls.read(&mut buffer))? {
                Some(0) => receiving = false,
                Some(count) => {
                    stdout.write_all(&buffer[..count])?;
                    stdout.flush()?;
                    moved = true;
                }
                None => {}
            }
        } else {
            // The server has closed: stop sending, too.
            pending = None;
            unless_blocked(tls.close())?;
        }

        if moved {
            nap = SHORTEST_NAP;
        } else {
            thread::sleep(nap);
            nap = (nap * 2).min(LONGEST_NAP);
        }
    }
    Ok(())
}

/// Returns `None` if the call would block.
fn unless_blocked<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads standard input in a thread, because reading a terminal cannot be interrupted. It is at
/// most a few chunks ahead.
fn standard_input() -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::sync_channel(4);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut chunk = vec![0; CHUNK];
            let result = match stdin.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => {
                    chunk.truncate(count);
                    Ok(chunk)
                }
                Err(error) => Err(error),
            };
            let failed = result.is_err();
            if sender.send(result).is_err() || failed {
                break;
            }
        }
    });
    receiver
}
