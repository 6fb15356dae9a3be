//! A Redis client with a certificate: it counts how often it was run.
//!
//! ```text
//! cargo run --package apps --bin redis -- localhost:6380 --ca ca.pem --cert client.pem \
//!     --key client.key
//! ```

use std::path::PathBuf;

use apps::pki::Failure;
use clap::Parser;
use fleeting::{Client, Identity, Trust};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, AsyncTypedCommands, RedisConnectionInfo};
use tokio::net::TcpStream;

#[derive(Parser)]
struct Options {
    /// The server: a name that its certificate contains, and a port
    server: String,
    /// The authorities that may vouch for the server, in PEM
    #[arg(long)]
    ca: PathBuf,
    /// Our certificates, in PEM
    #[arg(long)]
    cert: PathBuf,
    /// The key of our certificate, in PEM
    #[arg(long)]
    key: PathBuf,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let (host, _) = options
        .server
        .rsplit_once(':')
        .ok_or("the server must be given as host:port")?;
    let tls = Client::builder()
        .trust(Trust::roots_from_pem_file(options.ca)?)
        .identity(Identity::from_pem_files(options.cert, options.key)?)
        .build()?;

    let tcp = TcpStream::connect(&options.server).await?;
    let stream = tls.connect_async(host, tcp).await?;
    println!("connected with {}", stream.cipher_suite());
    // A user and a password, a database and the version of the protocol are set in this.
    let info = RedisConnectionInfo::default();
    let config = AsyncConnectionConfig::new();
    let (mut redis, driver) = MultiplexedConnection::new_with_config(&info, stream, config).await?;
    tokio::spawn(driver);
    println!("run {} times", redis.incr("runs", 1).await?);
    Ok(())
}
