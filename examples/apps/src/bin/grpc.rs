//! gRPC with tonic: a server, and a client that calls it.
//!
//! ```text
//! cargo run --package apps --bin grpc
//! ```
//!
//! The service is written by hand, so that no compiler for protocol buffers is needed: its messages
//! are texts as they are. A service that tonic-build generates is used in the same way. It answers
//! with the name that the client has proven.

use std::net::SocketAddr;
use std::path::Path;

use apps::listener::Listener;
use apps::pki::{self, Failure};
use apps::rpc::{self, Greeter};
use fleeting::HyperConnector;
use tokio::net::TcpListener;
use tonic::transport::{Endpoint, Server};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("fleeting-grpc-{}", std::process::id()));
    pki::ensure(&folder, &["localhost"])?;
    let result = run(&folder).await;
    std::fs::remove_dir_all(&folder)?;
    result
}

async fn run(folder: &Path) -> Result<(), Failure> {
    let address = serve(folder).await?;

    let client = pki::client(folder, &["h2"])?;
    // tonic takes https for its own TLS, so the URI says http. The connector knows only TLS.
    let endpoint = Endpoint::from_shared(format!("http://localhost:{}", address.port()))?;
    let channel = endpoint
        .connect_with_connector(HyperConnector::new(client))
        .await?;
    for name in ["world", "again"] {
        let answer = rpc::greet(channel.clone(), name).await?;
        println!("{answer}");
        if answer != format!("hello, {name}: you are CN=alice") {
            return Err(format!("an unexpected answer: {answer}").into());
        }
    }
    Ok(())
}

async fn serve(folder: &Path) -> Result<SocketAddr, Failure> {
    let server = pki::server(folder, &["h2"])?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(
        Server::builder()
            .add_service(Greeter)
            .serve_with_incoming(rpc::incoming(Listener::new(listener, server)?)),
    );
    Ok(address)
}
