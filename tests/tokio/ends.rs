//! How streams end: closed, cut, dropped, by errors of the transport.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use fleeting::{AsyncStream, Error};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf,
    duplex,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

use crate::{NAME, connected, inner, pair, soon};

async fn streams() -> (AsyncStream<DuplexStream>, AsyncStream<DuplexStream>) {
    let (here, there) = duplex(1 << 16);
    connected(here, there).await
}

#[tokio::test]
async fn shutdown_is_the_end_of_one_direction() {
    let (mut client, mut server) = streams().await;
    client.write_all(b"all\nof it").await.unwrap();
    client.shutdown().await.unwrap();
    client.shutdown().await.unwrap();
    assert!(matches!(
        inner(client.write(b"x").await.unwrap_err()),
        Error::Closed
    ));

    let mut line = String::new();
    assert_eq!(server.read_line(&mut line).await.unwrap(), 4);
    server.read_to_string(&mut line).await.unwrap();
    assert_eq!(line, "all\nof it");
    server.write_all(b"answer").await.unwrap();
    server.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer");
}

/// `close` leaves the transport open for something else.
#[tokio::test]
async fn close_leaves_the_transport() {
    let (mut client, mut server) = streams().await;
    client.close().await.unwrap();
    server.close().await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    let (mut client, mut server) = (client.into_inner(), server.into_inner());
    client.write_all(b"plain").await.unwrap();
    let mut plain = [0; 5];
    server.read_exact(&mut plain).await.unwrap();
    assert_eq!(&plain, b"plain");
}

/// A TCP connection ends with close_notify and FIN, in both directions.
#[tokio::test]
async fn shutdown_ends_tcp_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (mut client, mut server) = connected(tcp, listener.accept().await.unwrap().0).await;
    client.shutdown().await.unwrap();
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(server.get_mut().read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_cut_connection_is_no_end() {
    let (client, mut server) = streams().await;
    drop(client.into_inner());
    let error = server.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(matches!(inner(error), Error::Truncated));
}

/// What was written and not flushed goes out when the stream is dropped, and close_notify.
#[tokio::test]
async fn a_dropped_stream_is_closed() {
    let (mut client, mut server) = streams().await;
    client.set_corked(true).unwrap();
    client.write_all(b"gathered").await.unwrap();
    assert!(client.is_corked() && !client.wants_write());
    drop(client);
    let mut text = String::new();
    server.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "gathered");

    let (client, server) = streams().await;
    let (mut reader, writer) = client.into_split().unwrap();
    drop(server);
    drop(writer);
    assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
}

/// No runtime is there any more, or never was in this thread.
#[test]
fn a_stream_is_dropped_after_its_runtime() {
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let (outer, inner) = (runtime(), runtime());
    let (client, server) = outer.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (client, server) = connected(tcp, listener.accept().await.unwrap().0).await;
        (client.into_split().unwrap(), server)
    });
    drop(outer);
    drop(client);
    drop(server);

    let (client, mut server) = inner.block_on(streams());
    drop(client);
    let read = inner.block_on(async { server.read(&mut [0]).await });
    assert_eq!(read.unwrap(), 0);
}

/// A transport whose calls fail with this kind once the handshake is done.
#[derive(Debug)]
struct Failing<S> {
    io: S,
    kind: Option<io::ErrorKind>,
    writes_fail: Option<io::ErrorKind>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Failing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.kind {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => Pin::new(&mut self.io).poll_read(cx, out),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Failing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.kind.or(self.writes_fail) {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => Pin::new(&mut self.io).poll_write(cx, data),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A socket that has given up says `TimedOut`. Nobody wakes the task for that, so it must not wait.
#[tokio::test]
async fn the_transports_errors_are_told() {
    for kind in [
        io::ErrorKind::TimedOut,
        io::ErrorKind::WouldBlock,
        io::ErrorKind::ConnectionReset,
    ] {
        let (here, there) = duplex(1 << 16);
        let failing = Failing {
            io: here,
            kind: None,
            writes_fail: None,
        };
        let (mut client, _server) = connected(failing, there).await;
        client.get_mut().kind = Some(kind);
        let read = soon("read", client.read(&mut [0])).await;
        assert_eq!(read.unwrap_err().kind(), kind);
        // The first write accepts the data; what follows says that it does not go out.
        let _ = client.write(b"x").await;
        let flushed = soon("flush", client.flush()).await;
        assert_eq!(flushed.unwrap_err().kind(), kind);
    }

    let (here, _there) = duplex(1 << 16);
    let failing = Failing {
        io: here,
        kind: Some(io::ErrorKind::TimedOut),
        writes_fail: None,
    };
    let (client, _) = pair();
    let error = soon("connect", client.connect_async(NAME, failing)).await;
    assert!(
        matches!(error.unwrap_err(), Error::Io(error) if error.kind() == io::ErrorKind::TimedOut)
    );
}

/// A task may use up what the runtime allows it for one turn. What is dropped in that turn is
/// closed all the same.
#[tokio::test]
async fn a_stream_is_closed_without_budget() {
    let (mut client, mut server) = streams().await;
    client.set_corked(true).unwrap();
    client.write_all(b"gathered").await.unwrap();
    tokio::spawn(async move {
        while tokio::task::coop::has_budget_remaining() {
            tokio::task::coop::consume_budget().await;
        }
        drop(client);
    })
    .await
    .unwrap();
    let mut text = String::new();
    server.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "gathered");
}

/// A transport that gives up while a read waits and something is to be sent.
#[tokio::test]
async fn an_error_while_sending_meanwhile_is_told() {
    let (here, there) = duplex(64);
    let failing = Failing {
        io: here,
        kind: None,
        writes_fail: None,
    };
    let (mut client, _server) = connected(failing, there).await;
    let _ = client.write(&[7; 1000]).await.unwrap();
    assert!(client.wants_write());
    client.get_mut().writes_fail = Some(io::ErrorKind::TimedOut);
    let error = soon("a read", client.read(&mut [0])).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}
