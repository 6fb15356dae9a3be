//! A query to PostgreSQL, with a client certificate or a password.
//!
//! ```text
//! cargo run --package apps --bin postgres -- "host=localhost user=alice dbname=postgres" \
//!     --ca ca.pem --cert client.pem --key client.key "SELECT now()::text"
//! ```
//!
//! It prints the first column of each row, and before that what the server says about the
//! connection. A password is taken from PGPASSWORD. Text in the clear is never sent, whatever
//! `sslmode` says.

use std::path::PathBuf;

use apps::pki::Failure;
use apps::postgres::Tls;
use clap::Parser;
use fleeting::{Client, Identity, Trust};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, SimpleQueryMessage};

#[derive(Parser)]
struct Options {
    /// The connection string
    connection: Config,
    /// What to ask
    query: String,
    /// The authorities that may vouch for the server, in PEM
    #[arg(long)]
    ca: PathBuf,
    /// Our certificates, in PEM
    #[arg(long, requires = "key")]
    cert: Option<PathBuf>,
    /// The key of our certificate, in PEM
    #[arg(long, requires = "cert")]
    key: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let mut tls = Client::builder().trust(Trust::roots_from_pem_file(options.ca)?);
    if let (Some(cert), Some(key)) = (options.cert, options.key) {
        tls = tls.identity(Identity::from_pem_files(cert, key)?);
    }

    let mut config = options.connection;
    config.ssl_mode(SslMode::Require);
    if let Ok(password) = std::env::var("PGPASSWORD") {
        config.password(password);
    }
    let (session, connection) = config.connect(Tls::new(tls.build()?)).await?;
    let connection = tokio::spawn(connection);

    let facts = session
        .query_one(
            "SELECT version, cipher, coalesce(client_dn, 'nobody'), current_user::text
             FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            &[],
        )
        .await?;
    let [version, cipher, certificate, user]: [&str; 4] = [0, 1, 2, 3].map(|at| facts.get(at));
    println!("{version} with {cipher}; certificate: {certificate}; user: {user}");

    for message in session.simple_query(&options.query).await? {
        if let SimpleQueryMessage::Row(row) = message {
            println!("{}", row.get(0).unwrap_or("NULL"));
        }
    }
    drop(session);
    connection.await??;
    Ok(())
}
