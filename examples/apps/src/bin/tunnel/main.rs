//! A tunnel: TLS 1.3, with both sides authenticated, for programs that speak plain TCP.
//!
//! ```text
//! program ──plain──> tunnel (client mode) ══TLS══> tunnel (server mode) ──plain──> service
//! ```
//!
//! Either end can also be a program that speaks TLS 1.3 itself. It needs Unix, for its signals.
//!
//! ```text
//! tunnel --check tunnel.toml      says what each service will do, or everything that is wrong
//! tunnel tunnel.toml              runs until SIGTERM or SIGINT
//! ```
//!
//! `examples/apps/tunnel.toml` shows all settings. What each service needs is this:
//!
//! ```toml
//! [service.redis]                         # beside the service
//! mode = "server"
//! listen = "0.0.0.0:6380"
//! connect = "127.0.0.1:6379"
//! certificate = "pki/redis.internal.pem"
//! key = "pki/redis.internal-key.pem"
//! roots = "pki/ca.pem"
//! peers = ["cn:alice"]
//!
//! [service.redis-client]                  # beside its client, in another file
//! mode = "client"
//! listen = "127.0.0.1:6379"
//! connect = "redis.internal:6380"
//! certificate = "pki/alice.pem"
//! key = "pki/alice-key.pem"
//! roots = "pki/ca.pem"
//! ```
//!
//! # Who is admitted
//!
//! Nobody is admitted because a setting is missing. In server mode a client must have a
//! certificate from `roots` and match an entry of `peers`:
//!
//! ```text
//! cn:alice                        the common name of its subject
//! subject:CN=alice,O=Example      its whole subject, as the log shows it
//! name:db.internal, name:10.0.0.1 a DNS name (not a pattern) or an IP address
//! spiffe://example.org/db         its SPIFFE ID; with trust_domain = "example.org"
//! key:MCowBQYDK2VwAyEA...         its public key
//! ```
//!
//! `any_peer = true` in place of `peers` admits everyone whom the roots accept, and
//! `anonymous_clients = true` in place of `roots` everyone. In client mode the server must have the
//! name `server_name`, by default the host of `connect`; `peers` narrows that further.
//!
//! # Files that change
//!
//! Certificates, keys, roots and revocation lists are loaded again when they change and at a
//! SIGHUP. New connections use what is new, others go on. What cannot be used is logged as a
//! PROBLEM, and what was loaded before stays in use. The configuration itself is read only at the
//! start: to change it, start the tunnel again.
//!
//! # Limits
//!
//! Connections above `max_connections` wait in the system's queue, and handshakes above
//! `handshakes_per_second` wait for their turn. In server mode one address (in IPv6, one /64
//! network) has a share alone: at most `handshakes_per_address` handshakes at a time, by default
//! half of `max_connections` (at least 8, but never all), and what is above is closed at once; and
//! at most half of `handshakes_per_second` (at least 1). A client that is admitted is trusted not
//! to use up `max_connections`.
//!
//! # Ends
//!
//! The end of one direction is passed on (FIN as close_notify, and the reverse), and the other
//! direction goes on. A connection that is cut or fails is cut on the other side too: the plain
//! side gets a reset, the TLS side no close_notify. So nobody takes a part for the whole. After
//! SIGTERM or SIGINT nothing more is accepted, and connections have the time `drain` to end. Then
//! the tunnel passes on what it has read, cuts what is still open, and ends with exit code 0. A
//! second signal ends it at once, with exit code 1.
//!
//! # What it says
//!
//! Lines go to standard error, one for each connection that ends. `forward` counts the bytes from
//! the accepted connection to the other one:
//!
//! ```text
//! redis: ended from=10.0.0.7:51312 peer="CN=alice" forward=52 back=1043 seconds=1.207 end="..."
//! redis: refused from=10.0.0.9:40110 seconds=0.004 why="..."
//! ```
//!
//! With `metrics`, Prometheus can read counters there: `tunnel_*` are those of the tunnel, and
//! `fleeting_*` those of TLS, which a client mode begins anew with new roots or a new identity.
//! `tunnel_problems` is above 0 for as long as a file cannot be used, or expires soon. The address
//! should be a private one: it is plain HTTP.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use config::Config;
use credentials::Side;
use log::log;
use metrics::{Counts, Measured};
use service::{Running, Shutdown};

mod config;
mod copy;
mod credentials;
mod limits;
mod log;
mod metrics;
mod peers;
mod service;
mod traffic;

/// Carries TCP connections over TLS 1.3, both sides of which are authenticated
#[derive(Parser)]
struct Arguments {
    /// Checks the configuration and all files that it names, says what each service will do, and
    /// ends
    #[arg(long)]
    check: bool,
    /// The configuration (examples/apps/tunnel.toml is an example)
    file: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(errors) => {
            for error in errors {
                log!("tunnel: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Runs until a signal. Returns everything that is wrong at the start.
async fn run(arguments: Arguments) -> Result<ExitCode, Vec<String>> {
    // From here on these signals end nothing at once.
    let mut signals = Signals::new().map_err(|error| vec![format!("signals: {error}")])?;
    let file = arguments.file.display();
    let config = Config::read(&arguments.file)?;
    let mut errors = Vec::new();
    let mut services = Vec::new();
    for service in config.services {
        match Side::open(&service) {
            Ok(side) => services.push(Arc::new(Running {
                side,
                counts: Arc::new(Counts::default()),
                service,
            })),
            Err(error) => errors.push(format!(
                "{file}: line {}: service {}: {error}",
                service.line, service.name
            )),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    for running in &services {
        for warning in running.service.warnings() {
            log!("WARNING: {warning}");
        }
    }
    if arguments.check {
        for running in &services {
            println!("{}", running.service.describe());
        }
        return Ok(ExitCode::SUCCESS);
    }

    let shutdown = Shutdown::default();
    let metrics = match config.metrics {
        Some(address) => Some(bind("metrics", address).await?),
        None => None,
    };
    // All or nothing: no service runs if another one cannot.
    let mut listeners = Vec::new();
    for running in &services {
        listeners.push(bind(&running.service.name, running.service.listen).await?);
    }
    if let Some(listener) = metrics {
        let measured = services.iter().map(|running| Measured {
            name: running.service.name.clone(),
            counts: running.counts.clone(),
            side: running.side.clone(),
        });
        tokio::spawn(metrics::serve(listener, measured.collect()));
    }
    for (running, listener) in services.iter().zip(listeners) {
        let Running {
            service,
            side,
            counts,
        } = &**running;
        let hup = signal(SignalKind::hangup()).map_err(|error| vec![error.to_string()])?;
        tokio::spawn(credentials::watch(
            service.name.clone(),
            side.clone(),
            service.files.interval,
            hup,
            counts.clone(),
        ));
        let listening = running.clone().run(listener, shutdown.clone());
        shutdown.connections.spawn(listening);
    }

    signals.wait().await;
    log!(
        "tunnel: ends: waiting for {} connection(s), at most {}; a second signal ends it at once",
        shutdown.connections.len().saturating_sub(services.len()),
        humantime::format_duration(config.drain)
    );
    tokio::select! {
        () = end(&shutdown, config.drain) => Ok(ExitCode::SUCCESS),
        // Returning would drop the streams, which would send close_notify for what is cut.
        () = signals.wait() => std::process::exit(1),
    }
}

/// Ends in order.
async fn end(shutdown: &Shutdown, drain: Duration) {
    /// Longer than the last word of a connection.
    const CLOSE: Duration = Duration::from_secs(5);
    shutdown.stopping.cancel();
    shutdown.connections.close();
    if tokio::time::timeout(drain, shutdown.connections.wait())
        .await
        .is_err()
    {
        shutdown.closing.cancel();
        let _ = tokio::time::timeout(CLOSE, shutdown.connections.wait()).await;
    }
}

async fn bind(name: &str, address: std::net::SocketAddr) -> Result<TcpListener, Vec<String>> {
    let bound = TcpListener::bind(address).await;
    let listener = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
    match listener {
        Ok((address, listener)) => {
            log!("{name}: listening on {address}");
            Ok(listener)
        }
        Err(error) => Err(vec![format!("{name}: cannot listen on {address}: {error}")]),
    }
}

/// The signals that end the tunnel.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Installed first, so that a SIGHUP during the start ends nothing.
    _hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
