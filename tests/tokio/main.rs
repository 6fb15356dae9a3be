//! Streams and handshakes over tokio's transports.
//!
//! * `fickle.rs`: a transport that moves a random part of what it could, or nothing.
//! * `soak.rs`: futures that are dropped at random moments lose and repeat nothing.

mod ends;
mod extended;
mod fickle;
mod handshakes;
mod limits;
mod many;
mod sending;
mod soak;
mod time;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use fleeting::{
    AsyncStream, Authority, Client, ClientAuth, ClientBuilder, Error, Server, ServerBuilder,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};

const NAME: &str = "db.internal";

/// A client and a server that authenticate each other.
fn pair() -> (Client, Server) {
    let (client, server) = builders();
    (client.build().unwrap(), server.build().unwrap())
}

fn builders() -> (ClientBuilder, ServerBuilder) {
    let authority = Authority::new("tests").unwrap();
    let client = Client::builder()
        .trust(authority.trust())
        .identity(authority.issue_client("alice").unwrap());
    let server = Server::builder()
        .identity(authority.issue_server([NAME]).unwrap())
        .client_auth(ClientAuth::Required(authority.trust()));
    (client, server)
}

/// A connection over a pair of transports.
async fn connected<C, S>(client_io: C, server_io: S) -> (AsyncStream<C>, AsyncStream<S>)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (client, server) = pair();
    connected_by(&client, &server, client_io, server_io).await
}

async fn connected_by<C, S>(
    client: &Client,
    server: &Server,
    client_io: C,
    server_io: S,
) -> (AsyncStream<C>, AsyncStream<S>)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (client, server) = tokio::join!(
        client.connect_async(NAME, client_io),
        server.accept_async(server_io)
    );
    (client.unwrap(), server.unwrap())
}

/// Makes a connection from which the client has a ticket.
async fn fetch_ticket(client: &Client, server: &Server) {
    let (here, there) = duplex(1 << 16);
    let (client, server) =
        tokio::join!(client.connect_async(NAME, here), server.accept_async(there));
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    server.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

/// Polls a future at most so many times, and drops it. Returns its result if there was one.
async fn polled<F: Future>(times: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        let ready = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(result) = ready {
            return Some(result);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Awaits a future that must not stand still.
async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    // Far more than it takes, so that it fails for a lost wake-up only.
    let limit = Duration::from_secs(120);
    match tokio::time::timeout(limit, future).await {
        Ok(result) => result,
        Err(_) => panic!("{what} stands still"),
    }
}

/// Returns the crate's own error in an `io::Error`.
fn inner(error: std::io::Error) -> Error {
    error.downcast().expect("an error of the crate")
}

/// Returns bytes in which no short sequence is repeated soon.
fn content(from: usize, length: usize) -> Vec<u8> {
    (from..from + length)
        .map(|at| (at ^ ((at >> 8) * 7) ^ ((at >> 16) * 13)) as u8)
        .collect()
}

/// SplitMix64, so that a seed repeats a failure.
#[derive(Clone)]
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % limit
    }
}
