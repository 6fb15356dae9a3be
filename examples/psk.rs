//! An external PSK (RFC 9257 and 9258): two parties that share 32 random bytes, without
//! certificates.
//!
//! ```text
//! cargo run --release --example psk
//! ```
//!
//! 1. A sensor and a collector have the same secret. Each configures which of the two names is its
//!    own.
//! 2. They connect. The secret alone authenticates both. Keys are still agreed afresh, so whoever
//!    learns the secret later cannot decrypt this connection.
//! 3. The sensor resumes the session with a ticket, as after a handshake with certificates.
//! 4. Three connections fail: a client with another secret, an unknown client, and the sensor
//!    itself, whose own ClientHello is reflected to it (the "Selfie" attack).

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;

use common::Failure;
use fleeting::{Client, ExternalPsk, PskNames, Server, Stream};
use zeroize::Zeroizing;

/// The server name that the client sends. The PSK, not a certificate, authenticates the server.
const NAME: &str = "collector.internal";

const SENSOR: PskNames<'_> = PskNames {
    own: "sensor 17",
    peer: "collector",
};

const COLLECTOR: PskNames<'_> = PskNames {
    own: "collector",
    peer: "sensor 17",
};

fn main() -> ExitCode {
    common::exit_code(run())
}

fn run() -> Result<(), Failure> {
    // Both received it by other means, such as when the sensor was made. A password is not a good
    // secret: whoever observes one handshake can guess it offline.
    let secret = new_secret()?;
    let identity = "2026-11";
    let at_the_sensor = ExternalPsk::new(identity, secret.as_slice(), SENSOR)?;
    let at_the_collector = ExternalPsk::new(identity, secret.as_slice(), COLLECTOR)?;

    // A collector with a thousand sensors needs a thousand PSKs. With one PSK for all, each sensor
    // could impersonate every other, and the collector.
    let server = Server::builder()
        .external_psks([at_the_collector])
        .build()?;
    let address = serve(server)?;

    println!("fleeting external PSK: two parties that share a secret, without certificates\n");
    let sensor = Client::builder()
        .external_psk(at_the_sensor.clone())
        .build()?;
    for resumed in [false, true] {
        let (tls, heard) = ask(&sensor, address)?;
        if tls.resumed() != resumed || tls.peer().is_some() {
            return Err("this outcome was not expected".into());
        }
        println!(
            "  {:<11} {}, {}",
            if resumed { "resumed" } else { "connected" },
            tls.cipher_suite(),
            tls.group()
        );
        println!("      the server is  {}", describe(&tls)?);
        println!("      the client is  {heard}");
    }

    println!();
    // The collector finds the PSK by its identity and names; the proof (the binder) is wrong.
    let guessed = ExternalPsk::new(identity, new_secret()?.as_slice(), SENSOR)?;
    refused(
        "a sensor with another secret",
        ask(&Client::builder().external_psk(guessed).build()?, address),
    )?;

    // The client cannot tell the two refusals apart (RFC 9846, F.6).
    let unknown = ExternalPsk::new(
        identity,
        secret.as_slice(),
        PskNames {
            own: "sensor 18",
            peer: "collector",
        },
    )?;
    refused(
        "an unknown sensor",
        ask(&Client::builder().external_psk(unknown).build()?, address),
    )?;

    // The sensor is also a server. An attacker reflects its own ClientHello to it.
    let own_address = serve(Server::builder().external_psks([at_the_sensor]).build()?)?;
    refused("the sensor, connected to itself", ask(&sensor, own_address))?;
    Ok(())
}

fn new_secret() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret)?;
    Ok(secret)
}

/// Starts a server in a thread. It serves one client at a time, and tells each client what the
/// server knows about it.
fn serve(server: Server) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            // The failure of one client does not stop the server. Here the client prints it.
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

/// Describes the party that shares the PSK. `peer()` is `None`: there is no certificate and no key.
fn describe(tls: &Stream<TcpStream>) -> Result<String, Failure> {
    let psk = tls
        .external_psk()
        .ok_or("a client without a PSK was accepted")?;
    let name = psk.peer_name().ok_or("a PSK without names")?;
    Ok(format!(
        "{name}, by the PSK {}",
        psk.identity().escape_ascii()
    ))
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
