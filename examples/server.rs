//! A command-line server: it answers HTTP/1.1 requests with a report of what was negotiated, or
//! echoes what it receives. It starts a thread for each client. Renewed certificates, roots and
//! revocation lists are loaded while it runs.
//!
//! ```text
//! cargo run --example authority -- init
//! cargo run --example authority -- issue server localhost
//! cargo run --example authority -- issue client alice
//! cargo run --release --example server -- --cert pki/localhost.pem --key pki/localhost-key.pem
//! curl --cacert pki/ca.pem https://localhost:4433/
//!
//! # with client certificates, ALPN and echo
//! cargo run --release --example server -- --cert pki/localhost.pem --key pki/localhost-key.pem \
//!     --ca pki/ca.pem --alpn echo --echo
//! openssl s_client -connect localhost:4433 -CAfile pki/ca.pem -cert pki/alice.pem \
//!     -key pki/alice-key.pem -alpn echo
//! ```

mod common;

use std::io::{self, BufRead, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use common::Failure;
use fleeting::{ClientAuth, CredentialFiles, Reloading, Server, Stream, TicketKeys};

/// How long to wait for a silent client.
const PATIENCE: Duration = Duration::from_secs(30);

/// The maximum length of a request head, in bytes.
const MAX_HEAD: u64 = 16 * 1024;

/// Serves TLS 1.3 with Ed25519 certificates.
#[derive(Parser)]
struct Arguments {
    /// The certificate, followed by the intermediate certificates: a PEM file
    #[arg(long)]
    cert: PathBuf,
    /// The private key of the certificate: PKCS#8 in a PEM file
    #[arg(long)]
    key: PathBuf,
    /// Require client certificates issued under the roots in this PEM file
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Refuse the certificates that the lists in this PEM file revoke
    #[arg(long, requires = "ca")]
    crl: Option<PathBuf>,
    /// Also accept clients without a certificate
    #[arg(long, requires = "ca")]
    optional: bool,
    /// The address to listen on; by default all addresses of both IP versions
    #[arg(long)]
    address: Option<IpAddr>,
    /// The port to listen on; 0 lets the system choose
    #[arg(long, default_value_t = 4433)]
    port: u16,
    /// The application protocols to accept, in order of preference, separated by commas
    #[arg(long, value_delimiter = ',')]
    alpn: Vec<String>,
    /// Echo data instead of answering HTTP requests
    #[arg(long)]
    echo: bool,
}

fn main() -> ExitCode {
    common::exit_code(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let server = configure(arguments)?;
    let watched = server.clone();
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_secs(10));
            for event in watched.check() {
                eprintln!("{event}");
            }
        }
    });

    // On Linux and others the unspecified IPv6 address accepts IPv4, too. Some machines have no
    // IPv6.
    let all = [
        IpAddr::from(Ipv6Addr::UNSPECIFIED),
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
    ];
    let addresses = arguments
        .address
        .map_or(all.to_vec(), |address| vec![address]);
    let addresses: Vec<SocketAddr> = addresses
        .into_iter()
        .map(|address| (address, arguments.port).into())
        .collect();
    let listener = TcpListener::bind(&addresses[..])?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        // The client has left, or too many files are open. The next call may succeed.
        let (tcp, from) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accepting: {error}");
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        let (server, echo) = (server.current(), arguments.echo);
        thread::spawn(move || {
            if let Err(error) = serve(&server, tcp, from, echo) {
                eprintln!("{from}: {error}");
            }
        });
    }
}

/// Loads the files, and makes a server of them again when they change.
fn configure(arguments: &Arguments) -> Result<Reloading<Server>, Failure> {
    let mut files = CredentialFiles::new().identity(&arguments.cert, &arguments.key);
    if let Some(ca) = &arguments.ca {
        files = files.roots(ca);
    }
    if let Some(crl) = &arguments.crl {
        files = files.revocation_lists(crl);
    }
    let (alpn, clients) = (arguments.alpn.clone(), arguments.ca.is_some());
    let optional = arguments.optional;
    // The same for every configuration, so that clients can resume after a change.
    let tickets = TicketKeys::rotating();
    let server = files.watch(move |files| {
        let client_auth = match (clients, optional) {
            (false, _) => ClientAuth::None,
            (true, true) => ClientAuth::Optional(files.trust()?),
            (true, false) => ClientAuth::Required(files.trust()?),
        };
        Server::builder()
            .identity(files.identity()?)
            .client_auth(client_auth)
            .ticket_keys(tickets.clone())
            .alpn(alpn.clone())
            .build()
    })?;
    Ok(server)
}

/// Serves one client, from its ClientHello to its close_notify.
fn serve(server: &Server, tcp: TcpStream, from: SocketAddr, echo: bool) -> Result<(), Failure> {
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_write_timeout(Some(PATIENCE))?;
    let mut tls = match server.accept(tcp) {
        // A health check or a port scan.
        Err(fleeting::Error::NothingReceived) => return Ok(()),
        accepted => accepted?,
    };
    let report = common::report(&tls);
    println!("{from}: connected\n{report}");
    let talk = if echo {
        send_back(&mut tls)
    } else {
        answer(&mut tls, &report)
    };
    let count = talk.map_err(|error| common::explain(&mut tls, error))?;
    println!("{from}: closed after {count} bytes");
    Ok(())
}

/// Echoes data until the client closes its direction, and returns the number of bytes.
fn send_back(tls: &mut Stream<TcpStream>) -> Result<u64, Failure> {
    let mut buffer = vec![0; 64 * 1024];
    let mut total = 0;
    loop {
        match tls.read(&mut buffer)? {
            0 => break,
            count => {
                tls.write_all(&buffer[..count])?;
                total += count as u64;
            }
        }
    }
    tls.close()?;
    Ok(total)
}

/// Answers one request and returns the length of its head.
fn answer(tls: &mut Stream<TcpStream>, report: &str) -> Result<u64, Failure> {
    let head = read_head(tls)?;
    let request = head.lines().next().unwrap_or_default();
    let (status, body) = match request.split(' ').collect::<Vec<_>>()[..] {
        ["GET" | "HEAD", path, "HTTP/1.1" | "HTTP/1.0"] => {
            ("200 OK", format!("You asked for {path}, over\n{report}"))
        }
        [_, _, "HTTP/1.1" | "HTTP/1.0"] => (
            "405 Method Not Allowed",
            "Only GET and HEAD are answered here.\n".to_owned(),
        ),
        _ => ("400 Bad Request", "This is not HTTP/1.1.\n".to_owned()),
    };
    let length = body.len();
    let body = if request.starts_with("HEAD ") {
        ""
    } else {
        &body
    };
    write!(
        tls,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n{body}"
    )?;
    tls.close()?;
    // Wait until the client has closed, too. TCP resets a connection that is closed while received
    // data is unread, and the client could lose the answer.
    match io::copy(tls, &mut io::sink()) {
        // Some clients send no close_notify. They have the answer.
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        Err(error) => return Err(error.into()),
    }
    Ok(head.len() as u64)
}

/// Reads a request's head, including the empty line that ends it.
fn read_head(tls: &mut Stream<TcpStream>) -> Result<String, Failure> {
    let mut head = String::new();
    let mut lines = tls.take(MAX_HEAD);
    loop {
        let before = head.len();
        if lines.read_line(&mut head)? == 0 {
            return Err(if lines.limit() == 0 {
                "the request is too long"
            } else {
                "the request ends early"
            }
            .into());
        }
        if head[before..].trim_end_matches(['\r', '\n']).is_empty() {
            return Ok(head);
        }
    }
}
