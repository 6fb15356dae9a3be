//! Two parties that share 32 random bytes, and no certificate or key anywhere: an external PSK (RFC 9257 and 9258).
//!
//! ```text
//! cargo run --release --example psk
//! ```
//!
//! 1. A sensor and a collector were given the same secret. Each says which of the two names is its own.
//! 2. They connect: each knows the other by the secret alone. Keys are agreed afresh all the same, so who learns the secret later reads nothing of this.
//! 3. The sensor comes back, by a ticket, as it would after a handshake with certificates.
//! 4. Three that must not get in: one that has another secret, one that nobody knows, and the sensor itself, whose own ClientHello is brought back
//!    to it (the "Selfie" attack).

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use common::Failure;
use fleeting::{Client, ExternalPsk, PskNames, Server, Stream};
use zeroize::Zeroizing;

/// What the client asks for. No certificate says it here: who the server is says the PSK.
const NAME: &str = "collector.internal";

const SENSOR: PskNames<'_> = PskNames { own: "sensor 17", peer: "collector" };

const COLLECTOR: PskNames<'_> = PskNames { own: "collector", peer: "sensor 17" };

fn main() -> Result<(), Failure> {
    // Brought to both by other means, as when the sensor is made. Nothing else is a good secret: a password can be guessed by whoever watches one handshake.
    let secret = new_secret()?;
    let identity = "2026-11";
    let at_the_sensor = ExternalPsk::new(identity, secret.as_slice(), SENSOR)?;
    let at_the_collector = ExternalPsk::new(identity, secret.as_slice(), COLLECTOR)?;

    // A collector with a thousand sensors has a thousand of these: with one for all, any sensor could be any other, and the collector too.
    let server = Server::builder().external_psks([at_the_collector]).build()?;
    let address = serve(server)?;

    println!("fleeting external PSK: two that share a secret, and nobody who vouches for them\n");
    let sensor = Client::builder().external_psk(at_the_sensor.clone()).build()?;
    for resumed in [false, true] {
        let (tls, heard) = ask(&sensor, address)?;
        if tls.resumed() != resumed || tls.peer().is_some() {
            return Err("that was not to be expected".into());
        }
        println!("  {:<11} {}, {}", if resumed { "resumed" } else { "connected" }, tls.cipher_suite(), tls.group());
        println!("      the server is  {}", describe(&tls)?);
        println!("      the client is  {heard}");
    }

    println!();
    // The collector finds the PSK by its identity and the names, and then the proof is wrong.
    let guessed = ExternalPsk::new(identity, new_secret()?.as_slice(), SENSOR)?;
    refused("a sensor that has another secret", ask(&Client::builder().external_psk(guessed).build()?, address))?;

    // Which of the two it was, the one outside is not told: both look the same (RFC 9846, F.6).
    let unknown = ExternalPsk::new(identity, secret.as_slice(), PskNames { own: "sensor 18", peer: "collector" })?;
    refused("a sensor that nobody knows", ask(&Client::builder().external_psk(unknown).build()?, address))?;

    // The sensor is a server too. Somebody on the way brings what it says as a client back to it.
    let own_address = serve(Server::builder().external_psks([at_the_sensor]).build()?)?;
    refused("the sensor, by itself", ask(&sensor, own_address))?;
    Ok(())
}

fn new_secret() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret)?;
    Ok(secret)
}

/// Starts a server in a thread. It tells each client what it knows of it.
fn serve(server: Server) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            // One client's failure is not the server's. Here the client shows it.
            let _ = greet(&server, tcp);
        }
    });
    Ok(address)
}

fn greet(server: &Server, tcp: TcpStream) -> Result<(), Failure> {
    let mut tls = server.accept(tcp)?;
    let client = describe(&tls)?;
    tls.write_all(client.as_bytes())?;
    tls.close()?;
    Ok(())
}

/// Whom the PSK was shared with. There is no `peer()`: nobody has shown a certificate or a key.
fn describe(tls: &Stream<TcpStream>) -> Result<String, Failure> {
    let psk = tls.external_psk().ok_or("somebody without a PSK got in")?;
    let name = psk.peer_name().ok_or("a PSK without names")?;
    Ok(format!("{name}, by the PSK {}", psk.identity().escape_ascii()))
}

fn ask(client: &Client, address: SocketAddr) -> Result<(Stream<TcpStream>, String), Failure> {
    let mut tls = client.connect(NAME, TcpStream::connect(address)?)?;
    let mut heard = String::new();
    tls.read_to_string(&mut heard)?;
    tls.close()?;
    Ok((tls, heard))
}

fn refused<T>(what: &str, result: Result<T, Failure>) -> Result<(), Failure> {
    match result {
        Ok(_) => Err(format!("{what} was not refused").into()),
        Err(reason) => {
            println!("  {what}:\n      {reason}");
            Ok(())
        }
    }
}
