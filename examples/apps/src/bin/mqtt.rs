//! An MQTT client with a certificate: it subscribes to a topic, publishes a message there, and
//! waits for it.
//!
//! ```text
//! cargo run --package apps --bin mqtt -- localhost:8883 --ca ca.pem --cert client.pem \
//!     --key client.key --topic greetings "hello"
//! ```

use std::path::PathBuf;

use apps::mqtt::Session;
use apps::pki::Failure;
use clap::Parser;
use fleeting::{Client, Identity, Trust};
use rumqttc::{Connect, Packet, Publish, QoS, Subscribe};
use tokio::net::TcpStream;

#[derive(Parser)]
struct Options {
    /// The broker: a name that its certificate contains, and a port
    broker: String,
    /// The message
    message: String,
    /// Where to publish it
    #[arg(long)]
    topic: String,
    /// The authorities that may vouch for the broker, in PEM
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
        .broker
        .rsplit_once(':')
        .ok_or("the broker must be given as host:port")?;
    let tls = Client::builder()
        .trust(Trust::roots_from_pem_file(options.ca)?)
        .identity(Identity::from_pem_files(options.cert, options.key)?)
        .build()?;

    let tcp = TcpStream::connect(&options.broker).await?;
    let stream = tls.connect_async(host, tcp).await?;
    println!("connected with {}", stream.cipher_suite());
    let mut session = Session::begin(stream, Connect::new("")).await?;
    let (topic, once) = (options.topic, QoS::AtLeastOnce);
    session.send(Subscribe::new(&topic, once)).await?;
    session
        .send(Publish::new(&topic, once, options.message))
        .await?;
    // Messages may come before the acknowledgement of our own, in either order.
    let (mut acknowledged, mut received) = (false, false);
    while !(acknowledged && received) {
        match session.receive().await? {
            Packet::PubAck(_) => acknowledged = true,
            Packet::Publish(message) => {
                println!(
                    "{}: {}",
                    message.topic,
                    String::from_utf8_lossy(&message.payload)
                );
                received = true;
            }
            _ => {}
        }
    }
    session.end().await
}
