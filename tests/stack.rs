//! The stack that connections need is no more than the guide says, section "Stack".
//!
//! Each step runs on a thread with that much and nothing else. A stack that overflows ends the
//! whole program; the message names the thread.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use fleeting::{Authority, CipherSuite, Client, ClientAuth, NamedGroup, Server};

/// The guide's numbers in KiB: a handshake with X25519MLKEM768, with another group, and everything
/// after the handshake.
const GUIDE: [usize; 3] = if cfg!(any(optimized = "fully", optimized = "partly")) {
    [144, 64, 48]
} else {
    [320, 320, 256]
};

/// Runs `step` on a thread that has so much stack.
fn on<T: Send + 'static>(kib: usize, name: &str, step: impl FnOnce() -> T + Send + 'static) -> T {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(kib * 1024)
        .spawn(step)
        .unwrap()
        .join()
        .unwrap()
}

#[test]
fn the_guide_says_how_much_is_enough() {
    let guide = include_str!("../src/guide/operation.md");
    for row in [
        "| handshake with X25519MLKEM768 (the default) | 144 | 320 |",
        "| handshake with X25519 or secp256r1 | 64 | 320 |",
        "| everything after the handshake | 48 | 256 |",
    ] {
        assert!(guide.contains(row), "{row}");
    }
}

/// Both sides authenticate with a certificate, and the server gives out tickets.
#[test]
fn connections_need_no_more() {
    let [hybrid, other, data] = GUIDE;
    let authority = Authority::new("example").unwrap();
    for (group, suite) in [
        (
            NamedGroup::X25519_MLKEM768,
            CipherSuite::TLS_AES_128_GCM_SHA256,
        ),
        (
            NamedGroup::X25519_MLKEM768,
            CipherSuite::TLS_AES_256_GCM_SHA384,
        ),
        (NamedGroup::X25519, CipherSuite::TLS_AES_256_GCM_SHA384),
        (
            NamedGroup::X25519,
            CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
        ),
        (NamedGroup::SECP256R1, CipherSuite::TLS_AES_256_GCM_SHA384),
    ] {
        let handshake = if group == NamedGroup::X25519_MLKEM768 {
            hybrid
        } else {
            other
        };
        let server = Server::builder()
            .identity(authority.issue_server(["db.internal"]).unwrap())
            .client_auth(ClientAuth::Required(authority.trust()))
            .groups([group])
            .build()
            .unwrap();
        let client = Client::builder()
            .trust(authority.trust())
            .identity(authority.issue_client("alice").unwrap())
            .groups([group])
            .cipher_suites([suite])
            .build()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = thread::spawn(move || {
            // A full handshake, and a resumed one.
            for _ in 0..2 {
                let (server, (tcp, _)) = (server.clone(), listener.accept().unwrap());
                let mut tls = on(handshake, "server's handshake", move || {
                    server.accept(tcp).unwrap()
                });
                on(data, "server's data", move || {
                    let mut data = vec![0; 20_000];
                    tls.read_exact(&mut data).unwrap();
                    tls.rekey().unwrap();
                    tls.write_all(&data).unwrap();
                    assert_eq!(tls.read(&mut data).unwrap(), 0);
                    tls.close().unwrap();
                });
            }
        });
        for resumed in [false, true] {
            let client = client.clone();
            let mut tls = on(handshake, "client's handshake", move || {
                let tcp = TcpStream::connect(address).unwrap();
                client.connect("db.internal", tcp).unwrap()
            });
            assert_eq!(tls.resumed(), resumed);
            on(data, "client's data", move || {
                let mut data = vec![7; 20_000];
                tls.write_all(&data).unwrap();
                tls.rekey().unwrap();
                tls.read_exact(&mut data).unwrap();
                tls.close().unwrap();
                assert_eq!(tls.read(&mut data).unwrap(), 0);
            });
        }
        serving.join().unwrap();
    }
}
