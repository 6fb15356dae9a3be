//! An echo server and its clients as tasks of tokio, in two threads.
//!
//! ```text
//! cargo run --release --features tokio --example async_echo
//! ```
//!
//! 1. The server accepts connections, each in a task of its own, and echoes what it reads.
//! 2. A hundred clients connect at once. Each one reads in one task and writes in another, and
//!    renews its keys on the way.
//! 3. Each side closes properly: `shutdown`, then reading until the end.

mod common;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Failure;
use fleeting::{Authority, Client, ClientAuth, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How many clients there are.
const CLIENTS: usize = 100;

/// How many bytes each client sends and gets back.
const SIZE: usize = 4 << 20;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    common::exit_code(match runtime {
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => Err(error.into()),
    })
}

async fn run() -> Result<(), Failure> {
    let authority = Authority::new("async_echo")?;
    let server = Server::builder()
        .identity(authority.issue_server(["echo.internal"])?)
        .client_auth(ClientAuth::Required(authority.trust()))
        .build()?;
    let client = Client::builder()
        .trust(authority.trust())
        .identity(authority.issue_client("alice")?)
        .build()?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("an echo server at {address}, and {CLIENTS} clients\n");
    tokio::spawn(serve(listener, server));

    let began = Instant::now();
    let data: Arc<[u8]> = (0..SIZE).map(|at| (at ^ (at >> 8)) as u8).collect();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, data) = (client.clone(), data.clone());
        clients.spawn(async move {
            let tcp = TcpStream::connect(address).await?;
            ask(&client, tcp, &data).await
        });
    }
    while let Some(result) = clients.join_next().await {
        result??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let megabytes = (CLIENTS * SIZE) as f64 / 1e6;
    println!(
        "{megabytes:.0} MB there and back in {seconds:.2} s, {:.0} MB/s each way",
        megabytes / seconds
    );
    Ok(())
}

/// Accepts connections until the program ends.
async fn serve(listener: TcpListener, server: Server) {
    loop {
        let tcp = match listener.accept().await {
            Ok((tcp, _)) => tcp,
            Err(error) => {
                // Too many open files, for example.
                eprintln!("no connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let server = server.clone();
        // The handshake is in the task too, so that a slow client keeps nobody waiting.
        tokio::spawn(async move {
            if let Err(error) = echo(&server, tcp).await {
                eprintln!("a connection failed: {error}");
            }
        });
    }
}

async fn echo(server: &Server, tcp: TcpStream) -> Result<(), Failure> {
    tcp.set_nodelay(true)?;
    let (mut reader, mut writer) = server.accept_async(tcp).await?.into_split()?;
    tokio::io::copy(&mut reader, &mut writer).await?;
    writer.shutdown().await?;
    Ok(())
}

/// Sends the data, reads it back at the same time, and compares.
async fn ask(client: &Client, tcp: TcpStream, data: &Arc<[u8]>) -> Result<(), Failure> {
    tcp.set_nodelay(true)?;
    let tls = client.connect_async("echo.internal", tcp).await?;
    let (mut reader, mut writer) = tls.into_split()?;
    let sent = data.clone();
    let writing = tokio::spawn(async move {
        let (first, second) = sent.split_at(sent.len() / 2);
        writer.write_all(first).await?;
        writer.rekey().await?;
        writer.write_all(second).await?;
        writer.shutdown().await
    });
    let mut back = Vec::with_capacity(data.len());
    reader.read_to_end(&mut back).await?;
    writing.await??;
    if back != **data {
        return Err("the echo differs from what was sent".into());
    }
    Ok(())
}
