//! [`Listener`]: TLS for `axum::serve`, ready to be copied.
//!
//! Handshakes run in tasks of their own, so that a slow client keeps nobody waiting. Their number
//! is limited. A client that is silent holds one of them until the server's `handshake_timeout`, so
//! set that to a few seconds. `ConnectInfo<Client>` tells a handler who the client is.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use fleeting::{AsyncStream, LiveServer, Peer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

/// How many handshakes run at the same time. More clients wait in the system's queue.
const HANDSHAKES: usize = 1024;

/// Accepts TLS connections.
pub struct Listener {
    ready: mpsc::Receiver<(AsyncStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Listener {
    /// Accepts from `tcp` with the configuration that is current at the time.
    pub fn new(tcp: TcpListener, server: impl Into<LiveServer>) -> io::Result<Self> {
        let address = tcp.local_addr()?;
        let (sender, ready) = mpsc::channel(HANDSHAKES);
        tokio::spawn(accept(tcp, server.into(), sender));
        Ok(Self { ready, address })
    }

    /// Returns the connections as a stream, for other servers than axum's.
    pub fn into_stream(self) -> impl Stream<Item = (AsyncStream<TcpStream>, SocketAddr)> {
        ReceiverStream::new(self.ready)
    }
}

/// Ends when the listener is dropped.
async fn accept(
    tcp: TcpListener,
    server: LiveServer,
    ready: mpsc::Sender<(AsyncStream<TcpStream>, SocketAddr)>,
) {
    let free = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let next = async {
            let permit = free.clone().acquire_owned().await;
            (tcp.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            next = next => next,
            () = ready.closed() => return,
        };
        let (tcp, address) = match accepted {
            Ok(accepted) => accepted,
            // Too many open files, or a connection that has gone: wait, and go on.
            Err(error) => {
                eprintln!("no connection was accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (server, ready) = (server.clone(), ready.clone());
        tokio::spawn(async move {
            let _permit = permit;
            // What is sent is ready to go, so nothing is gained by waiting for more.
            let _ = tcp.set_nodelay(true);
            match server.accept_async(tcp).await {
                Ok(stream) => drop(ready.send((stream, address)).await),
                Err(fleeting::Error::NothingReceived) => {}
                Err(error) => eprintln!("{address}: {error}"),
            }
        });
    }
}

impl axum::serve::Listener for Listener {
    type Io = AsyncStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The accepting task ends only after this listener.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Who a request comes from: `ConnectInfo<Client>` in a handler.
#[derive(Clone, Debug)]
pub struct Client {
    /// The address of the socket.
    pub address: SocketAddr,
    /// Whoever has proven to be there, if the client showed a certificate or a key.
    pub peer: Option<Peer>,
}

impl Connected<IncomingStream<'_, Listener>> for Client {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self {
            address: *stream.remote_addr(),
            peer: stream.io().peer().cloned(),
        }
    }
}
