//! Async streams over TCP on the loopback interface, in a tokio runtime with two threads: data that
//! is echoed, short requests, and the memory of connections that wait.
//!
//! Both stacks are driven by the same code through tokio's traits. `tokio::io::split` separates the
//! directions, because tokio-rustls has no halves of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::harness::clock::{heap_in_use, process_usage};
use crate::harness::measure::{Block, Figures, Unit};
use crate::stack::fleeting::Fleeting;
use crate::stack::rustls::Rustls;

/// What one call of `write` is given, in bytes.
const CHUNK: usize = 64 * 1024;

/// How many connections make requests at the same time.
const CONNECTIONS: usize = 32;

/// Bytes of a request and of its answer.
const REQUEST: usize = 200;
const ANSWER: usize = 1000;

pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Io for S {}

pub type Begun = Pin<Box<dyn Future<Output = Box<dyn Io>> + Send>>;

/// What both ends of a connection begin with: a full handshake with X25519.
pub trait AsyncStack: Send + Sync {
    fn name(&self) -> String;
    fn connect(&self, tcp: TcpStream) -> Begun;
    fn accept(&self, tcp: TcpStream) -> Begun;
}

impl AsyncStack for Fleeting {
    fn name(&self) -> String {
        "fleeting".into()
    }

    fn connect(&self, tcp: TcpStream) -> Begun {
        let (name, client) = self.full_client();
        Box::pin(async move {
            let stream = client.connect_async(name, tcp).await.expect("a handshake");
            Box::new(stream) as Box<dyn Io>
        })
    }

    fn accept(&self, tcp: TcpStream) -> Begun {
        let server = self.full_server();
        Box::pin(async move {
            let stream = server.accept_async(tcp).await.expect("a handshake");
            Box::new(stream) as Box<dyn Io>
        })
    }
}

impl AsyncStack for Rustls {
    fn name(&self) -> String {
        format!("tokio-{}", self.stack_name())
    }

    fn connect(&self, tcp: TcpStream) -> Begun {
        let (name, client) = self.full_client();
        let connect = tokio_rustls::TlsConnector::from(client).connect(name, tcp);
        Box::pin(async move { Box::new(connect.await.expect("a handshake")) as Box<dyn Io> })
    }

    fn accept(&self, tcp: TcpStream) -> Begun {
        let accept = tokio_rustls::TlsAcceptor::from(self.full_server()).accept(tcp);
        Box::pin(async move { Box::new(accept.await.expect("a handshake")) as Box<dyn Io> })
    }
}

/// TCP as it is.
pub struct Bare;

impl AsyncStack for Bare {
    fn name(&self) -> String {
        "bare TCP".into()
    }

    fn connect(&self, tcp: TcpStream) -> Begun {
        Box::pin(async move { Box::new(tcp) as Box<dyn Io> })
    }

    fn accept(&self, tcp: TcpStream) -> Begun {
        self.connect(tcp)
    }
}

#[derive(Clone, Copy)]
pub enum Measure {
    Idle { connections: u32 },
    Echo { mebibytes: u32 },
    Requests { count: u32 },
}

impl Measure {
    pub fn block(self, rounds: Vec<Vec<Figures>>) -> Block {
        let (name, rows): (_, &'static [_]) = match self {
            Self::Idle { .. } => (
                "tokio, idle connection",
                &[("both sides and their tasks", Unit::Bytes)],
            ),
            Self::Echo { .. } => (
                "tokio, echo",
                &[
                    ("throughput each way", Unit::GigabytesPerSecond),
                    ("CPU in user mode", Unit::NanosecondsPerByte),
                ],
            ),
            Self::Requests { .. } => (
                "tokio, 32 connections",
                &[
                    ("requests", Unit::ThousandsPerSecond),
                    ("CPU in user mode a request", Unit::Microseconds),
                ],
            ),
        };
        Block {
            name: name.into(),
            rows,
            rounds,
        }
    }

    pub fn run(self, runtime: &Runtime, stack: &Arc<dyn AsyncStack>) -> Figures {
        match self {
            Self::Idle { connections } => runtime.block_on(idle(stack, connections as usize)),
            Self::Echo { mebibytes } => runtime.block_on(echo(stack, mebibytes as usize)),
            Self::Requests { count } => runtime.block_on(requests(stack, count as usize)),
        }
    }
}

pub fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

async fn connected(stack: &Arc<dyn AsyncStack>) -> (Box<dyn Io>, Box<dyn Io>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let near = TcpStream::connect(address).await.expect("connected");
    let (far, _) = listener.accept().await.expect("accepted");
    near.set_nodelay(true).expect("no delay");
    far.set_nodelay(true).expect("no delay");
    tokio::join!(stack.connect(near), stack.accept(far))
}

/// A request and its answer on each connection, after which both sides wait for more.
async fn idle(stack: &Arc<dyn AsyncStack>, connections: usize) -> Figures {
    // What is made once, such as a cache's or the runtime's tables, has been made by then.
    waiting(stack, connections).await.shutdown().await;
    let before = heap_in_use();
    let mut waiting = waiting(stack, connections).await;
    let used = heap_in_use().saturating_sub(before);
    waiting.shutdown().await;
    vec![used as f64 / connections as f64]
}

async fn waiting(stack: &Arc<dyn AsyncStack>, connections: usize) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let answered = Arc::new(Barrier::new(connections + 1));
    for _ in 0..connections {
        let (mut client, mut server) = connected(stack).await;
        let answered = answered.clone();
        tasks.spawn(async move {
            client.write_all(&[0x5a; REQUEST]).await.expect("a request");
            client.flush().await.expect("a request");
            client
                .read_exact(&mut [0; ANSWER])
                .await
                .expect("an answer");
            answered.wait().await;
            drop(answered);
            let _ = client.read(&mut [0]).await;
        });
        tasks.spawn(async move {
            server
                .read_exact(&mut [0; REQUEST])
                .await
                .expect("a request");
            server.write_all(&[0x5a; ANSWER]).await.expect("an answer");
            server.flush().await.expect("an answer");
            let _ = server.read(&mut [0]).await;
        });
    }
    answered.wait().await;
    // Until each of them has begun to wait.
    tokio::time::sleep(Duration::from_millis(200)).await;
    tasks
}

/// One side sends chunks and reads them back; the other one copies.
async fn echo(stack: &Arc<dyn AsyncStack>, mebibytes: usize) -> Figures {
    let (client, server) = connected(stack).await;
    let serving = tokio::spawn(async move {
        let (mut reader, mut writer) = split(server);
        copy(&mut reader, &mut writer).await.expect("an echo");
        writer.shutdown().await.expect("an end");
    });
    let bytes = mebibytes * 1024 * 1024;
    let (mut reader, mut writer) = split(client);
    let (began, used) = (Instant::now(), process_usage());
    let writing = tokio::spawn(async move {
        let data = vec![0x5a; CHUNK];
        for _ in 0..bytes / CHUNK {
            writer.write_all(&data).await.expect("a write");
        }
        writer.shutdown().await.expect("an end");
    });
    let mut buffer = vec![0; CHUNK];
    let mut read = 0;
    loop {
        match reader.read(&mut buffer).await.expect("a read") {
            0 => break,
            count => read += count,
        }
    }
    assert_eq!(read, bytes, "all of it comes back");
    let (wall, user) = (
        began.elapsed().as_nanos() as f64,
        (process_usage().0 - used.0) as f64,
    );
    writing.await.expect("no panic");
    serving.await.expect("no panic");
    vec![bytes as f64 / wall, user / bytes as f64]
}

/// Each connection sends a request, and the next one when it has the answer.
async fn requests(stack: &Arc<dyn AsyncStack>, count: usize) -> Figures {
    let mut serving = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, mut server) = connected(stack).await;
        clients.push(client);
        serving.push(tokio::spawn(async move {
            let (mut request, answer) = ([0; REQUEST], [0x5a; ANSWER]);
            while server.read_exact(&mut request).await.is_ok() {
                server.write_all(&answer).await.expect("an answer");
                server.flush().await.expect("an answer");
            }
        }));
    }
    let each = count / CONNECTIONS;
    let (began, used) = (Instant::now(), process_usage());
    let asking: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            tokio::spawn(async move {
                let (request, mut answer) = ([0x5a; REQUEST], [0; ANSWER]);
                for _ in 0..each {
                    client.write_all(&request).await.expect("a request");
                    client.flush().await.expect("a request");
                    client.read_exact(&mut answer).await.expect("an answer");
                }
                client
            })
        })
        .collect();
    // They are closed only when all are done.
    let mut done = Vec::new();
    for task in asking {
        done.push(task.await.expect("no panic"));
    }
    let (seconds, user) = (
        began.elapsed().as_secs_f64(),
        (process_usage().0 - used.0) as f64,
    );
    for mut client in done {
        client.shutdown().await.expect("an end");
    }
    for task in serving {
        task.await.expect("no panic");
    }
    let made = (each * CONNECTIONS) as f64;
    vec![made / seconds / 1e3, user / made / 1e3]
}
