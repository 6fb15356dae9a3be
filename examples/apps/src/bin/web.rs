//! A web server with axum, over HTTP/1.1 and HTTP/2.
//!
//! ```text
//! cargo run --package apps --bin web -- --pki pki
//! curl --cacert pki/ca.pem https://localhost:8443/
//! curl --cacert pki/ca.pem --cert pki/client.pem --key pki/client.key \
//!     https://localhost:8443/
//! curl http://localhost:9464/metrics
//! ```
//!
//! If the folder holds no PKI, one is made there. The first request is from nobody, the second one
//! from alice. The third one shows counters of both, as Prometheus reads them. Control-C ends the
//! server when all requests are answered.

use std::net::SocketAddr;
use std::path::PathBuf;

use apps::listener::{Client, Listener};
use apps::metrics;
use apps::pki::{self, Failure};
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::{get, post};
use clap::Parser;
use tokio::net::TcpListener;

#[derive(Parser)]
struct Options {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// The address at which Prometheus reads counters, without TLS
    #[arg(long, default_value = "127.0.0.1:9464")]
    metrics: SocketAddr,
    /// The folder with ca.pem, server.pem and server.key
    #[arg(long)]
    pki: PathBuf,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    pki::ensure(&options.pki, &["localhost", "127.0.0.1"])?;
    let server = pki::server(&options.pki, &["h2", "http/1.1"])?;
    let counted = server.clone();
    let metrics = metrics::routes(move || metrics::prometheus(&[(&[], counted.counters())]));
    let plain = TcpListener::bind(options.metrics).await?;
    println!("http://{}/metrics", plain.local_addr()?);
    tokio::spawn(axum::serve(plain, metrics).into_future());
    let listener = Listener::new(TcpListener::bind(options.listen).await?, server)?;
    let port = axum::serve::Listener::local_addr(&listener)?.port();
    println!(
        "curl --cacert {} https://localhost:{port}/",
        options.pki.join("ca.pem").display()
    );

    let app = Router::new()
        .route("/", get(hello))
        .route("/echo", post(async |body: String| body));
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<Client>(),
    )
    .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
    .await?;
    Ok(())
}

async fn hello(ConnectInfo(client): ConnectInfo<Client>, request: Request) -> String {
    let who = client
        .peer
        .map_or_else(|| "nobody".to_owned(), |peer| peer.subject().to_string());
    format!("hello, {who}, by {:?}\n", request.version())
}
