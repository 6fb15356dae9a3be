//! Raw public keys (RFC 7250): two sides that know each other's key, without certificates.
//!
//! ```text
//! cargo run --release --example raw_keys
//! ```
//!
//! 1. Each side generates a key. The public key, one line of base64, goes into the other side's
//!    configuration.
//! 2. The client binds the server's key to the server's name; the server binds the client's key to
//!    a name.
//! 3. They connect. Each sends a key of 44 bytes and a signature instead of a certificate chain.
//! 4. Three connections fail: a client with an unknown key, a server with another key, and a server
//!    that the client addresses by a wrong name.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;

use common::Failure;
use fleeting::{Client, ClientAuth, Identity, Peer, PublicKey, Server, Trust};

const NAME: &str = "db.internal";

fn main() -> ExitCode {
    common::exit_code(run())
}

fn run() -> Result<(), Failure> {
    // On two machines, save a key with `key_pem()` and load it with `Identity::from_key_pem`. Only
    // `public_key()` leaves the machine.
    let (server_identity, client_identity) = (Identity::generate()?, Identity::generate()?);
    // As in a configuration file.
    let (server_key, client_key) = (
        server_identity.public_key().to_string(),
        client_identity.public_key().to_string(),
    );
    println!("fleeting raw keys: two sides that know each other's key, without certificates\n");
    println!("  the server's key  {server_key}");
    println!("  the client's key  {client_key}\n");

    // The server accepts this name only. With `identity` it would accept any name. Then an attacker
    // who makes a client connect to the wrong address could forward that connection to this server
    // (RFC 9846, F.9).
    let server = Server::builder()
        .identity_for(NAME, server_identity)
        .client_auth(ClientAuth::Required(Trust::key_for(
            "reporting.internal",
            client_key.parse::<PublicKey>()?,
        )))
        .build()?;
    let address = serve(server)?;

    let server_key: PublicKey = server_key.parse()?;
    let client = Client::builder()
        .identity(client_identity.clone())
        .trust(Trust::key_for(NAME, server_key))
        .build()?;
    let mut tls = client.connect(NAME, TcpStream::connect(address)?)?;
    let mut heard = String::new();
    tls.read_to_string(&mut heard)?;
    tls.close()?;
    let peer = tls.peer().ok_or("a server always proves who it is")?;
    println!(
        "  connected         {}, {}",
        tls.cipher_suite(),
        tls.group()
    );
    println!("  the server is     {}", describe(peer));
    println!("  the client is     {heard}\n");

    // The server does not know this key.
    let stranger = Client::builder()
        .identity(Identity::generate()?)
        .trust(Trust::key_for(NAME, server_key))
        .build()?;
    refused(
        "a client that the server does not know",
        ask(&stranger, NAME, address),
    )?;

    // The client expects another key than the server's.
    let misled = Client::builder()
        .identity(client_identity.clone())
        .trust(Trust::key_for(NAME, client_identity.public_key()))
        .build()?;
    refused(
        "a server whose key the client does not know",
        ask(&misled, NAME, address),
    )?;

    // The key is right, but the name is not the server's.
    let other = "backup.internal";
    let redirected = Client::builder()
        .identity(client_identity)
        .trust(Trust::key_for(other, server_key))
        .build()?;
    refused(
        "a server addressed by another name",
        ask(&redirected, other, address),
    )?;
    Ok(())
}

/// Starts the server in a thread. It serves one client at a time, and tells each client what the
/// server knows about it.
fn serve(server: Server) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            // The failure of one client does not stop the server. Here the client prints it.
            let _ = answer(&server, tcp);
        }
    });
    Ok(address)
}

fn answer(server: &Server, tcp: TcpStream) -> Result<(), Failure> {
    let mut tls = server.accept(tcp)?;
    let client = tls
        .peer()
        .map(describe)
        .ok_or("a client without a key got in")?;
    tls.write_all(client.as_bytes())?;
    tls.close()?;
    Ok(())
}

/// Describes a peer: the key that it proved to hold, and the name that our configuration gives it.
fn describe(peer: &Peer) -> String {
    let certificates = peer.certificates().len();
    format!(
        "{}, key {}, {certificates} certificates",
        peer.names().join(" and "),
        peer.public_key()
    )
}

/// Connects and reads what the server sends. The client's handshake is complete before the server
/// has verified the client's key, so a refusal is reported by the first `read`.
fn ask(client: &Client, name: &str, address: SocketAddr) -> Result<String, Failure> {
    let mut tls = client.connect(name, TcpStream::connect(address)?)?;
    let mut heard = String::new();
    match tls.read_to_string(&mut heard) {
        Ok(_) => Ok(heard),
        Err(error) => Err(common::explain(&mut tls, error.into())),
    }
}

fn refused(what: &str, result: Result<String, Failure>) -> Result<(), Failure> {
    match result {
        Ok(_) => Err(format!("{what} was not refused").into()),
        Err(reason) => {
            println!("  {what}:\n      {reason}");
            Ok(())
        }
    }
}
