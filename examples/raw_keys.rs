//! Two keys that know each other, and no certificate anywhere: raw public keys (RFC 7250).
//!
//! ```text
//! cargo run --release --example raw_keys
//! ```
//!
//! 1. Each side makes a key. The public halves, a line of base64 each, go into the other's configuration.
//! 2. The client knows the server's key by the name that it asks for; the server knows its clients' keys by their names.
//! 3. They connect: what goes over the wire is a key of 44 bytes and a signature, where a certificate would take some hundreds.
//! 4. Three who must not get in, or be talked to: a client that nobody knows, a server with another key, and a server that is asked for by
//!    a name that is not its own.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use common::Failure;
use fleeting::{Client, ClientAuth, Identity, Peer, PublicKey, Server, Trust};

const NAME: &str = "db.internal";

fn main() -> Result<(), Failure> {
    // On two machines: `key_pem()` keeps a key, `Identity::from_key_pem` brings it back, and only `public_key()` ever leaves.
    let (server_identity, client_identity) = (Identity::generate()?, Identity::generate()?);
    // As it stands in a file of configuration.
    let (server_key, client_key) = (server_identity.public_key().to_string(), client_identity.public_key().to_string());
    println!("fleeting raw keys: two that know each other, and nobody who vouches for them\n");
    println!("  the server's key  {server_key}");
    println!("  the client's key  {client_key}\n");

    // It answers to its name alone. With `identity` it would answer to any, and then whoever gets a client to connect to the wrong address could
    // pass that connection on to it (RFC 9846, F.9).
    let server = Server::builder()
        .identity_for(NAME, server_identity)
        .client_auth(ClientAuth::Required(Trust::key_for("reporting.internal", client_key.parse::<PublicKey>()?)))
        .build()?;
    let address = serve(server)?;

    let server_key: PublicKey = server_key.parse()?;
    let client = Client::builder().identity(client_identity.clone()).trust(Trust::key_for(NAME, server_key)).build()?;
    let mut tls = client.connect(NAME, TcpStream::connect(address)?)?;
    let mut heard = String::new();
    tls.read_to_string(&mut heard)?;
    tls.close()?;
    let peer = tls.peer().ok_or("a server always proves who it is")?;
    println!("  connected         {}, {}", tls.cipher_suite(), tls.group());
    println!("  the server is     {}", describe(peer));
    println!("  the client is     {heard}\n");

    // Nobody knows this one.
    let stranger = Client::builder().identity(Identity::generate()?).trust(Trust::key_for(NAME, server_key)).build()?;
    refused("a client that the server does not know", ask(&stranger, NAME, address))?;

    // The key that this client knows is not the server's: somebody else answers at the address.
    let misled = Client::builder().identity(client_identity.clone()).trust(Trust::key_for(NAME, client_identity.public_key())).build()?;
    refused("a server whose key the client does not know", ask(&misled, NAME, address))?;

    // The key is right, and the server is asked for as somebody whom it is not.
    let other = "backup.internal";
    let redirected = Client::builder().identity(client_identity).trust(Trust::key_for(other, server_key)).build()?;
    refused("a server that is asked for by another name", ask(&redirected, other, address))?;
    Ok(())
}

/// Starts the server in a thread. It tells each client what it knows of it.
fn serve(server: Server) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            // One client's failure is not the server's. Here the client shows it.
            let _ = answer(&server, tcp);
        }
    });
    Ok(address)
}

fn answer(server: &Server, tcp: TcpStream) -> Result<(), Failure> {
    let mut tls = server.accept(tcp)?;
    let client = tls.peer().map(describe).ok_or("a client without a key got in")?;
    tls.write_all(client.as_bytes())?;
    tls.close()?;
    Ok(())
}

/// What one side learns of the other: a key, that it holds the private half, and the name that our own configuration has for it.
fn describe(peer: &Peer) -> String {
    let certificates = peer.certificates().len();
    format!("{}, key {}, {certificates} certificates", peer.names().join(" and "), peer.public_key())
}

/// Connects and reads what the server says. A client's handshake is done before the server has looked at the client's key: if it is refused, reading
/// says so.
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
