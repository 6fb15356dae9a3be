//! One service: accepts connections within its limits, and carries each in a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleeting::{AsyncStream, Error, Peer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Service;
use crate::copy::{copy, ends_cut};
use crate::credentials::Side;
use crate::limits::{Addresses, Place, Rate};
use crate::log::log;
use crate::metrics::{Counts, Open, Refusal};
use crate::traffic::{Direction, Traffic};

/// When accepting fails, for example because too many files are open, it is tried again after this.
const PAUSE: Duration = Duration::from_millis(100);

/// After this long without data, the system asks whether a peer is still there. Three questions
/// without an answer end the connection.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How the tunnel ends: first it stops accepting, and later it closes what is still open.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    pub stopping: CancellationToken,
    pub closing: CancellationToken,
    pub connections: TaskTracker,
}

/// A service that runs.
pub struct Running {
    pub service: Service,
    pub side: Side,
    pub counts: Arc<Counts>,
}

/// What a connection waits for before its handshake, and holds during it.
type Turn = (Option<Place>, Option<Arc<Rate>>);

/// What a connection holds for as long as it is open.
struct Held {
    _permit: OwnedSemaphorePermit,
    _open: Open,
}

impl Running {
    /// Accepts connections until the tunnel stops.
    ///
    /// A connection above `max_connections` waits in the system's queue, and one above
    /// `handshakes_per_second` in a task of its own: a burst is served late, and nobody is refused
    /// for it. Those above the share of one address are closed at once, since waiting they would
    /// be in the way of others.
    pub async fn run(self: Arc<Self>, listener: TcpListener, shutdown: Shutdown) {
        let limits = &self.service.limits;
        let free = Arc::new(Semaphore::new(limits.max_connections as usize));
        let rate = limits.handshakes_per_second.map(Rate::new).map(Arc::new);
        let addresses = limits
            .handshakes_per_address
            .map(|most| Addresses::new(most, limits.handshakes_per_second));
        let mut failing = false;
        loop {
            let next = async {
                let permit = free.clone().acquire_owned().await;
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                biased;
                () = shutdown.stopping.cancelled() => return,
                next = next => next,
            };
            let Ok(permit) = permit else { return };
            let (tcp, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Once, and not ten times a second.
                    if !std::mem::replace(&mut failing, true) {
                        log!("{}: PROBLEM: accepting fails: {error}", self.service.name);
                    }
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            failing = false;
            let open = self.counts.accept();
            let place = match &addresses {
                Some(addresses) => match addresses.enter(address.ip(), Instant::now()) {
                    Some(place) => Some(place),
                    None => {
                        self.counts.refuse(Refusal::Address);
                        ends_cut(&tcp);
                        continue;
                    }
                },
                None => None,
            };
            let held = Held {
                _permit: permit,
                _open: open,
            };
            let closing = shutdown.closing.clone();
            let connection = self
                .clone()
                .connection(tcp, address, (place, rate.clone()), closing);
            shutdown.connections.spawn(async move {
                let _held = held;
                connection.await;
            });
        }
    }

    /// Carries one connection, and says how it ended.
    async fn connection(
        self: Arc<Self>,
        tcp: TcpStream,
        address: SocketAddr,
        turn: Turn,
        closing: CancellationToken,
    ) {
        let name = &self.service.name;
        let start = Instant::now();
        prepare(&tcp);
        let opened = self.open(tcp, turn, &closing).await;
        let (tls, plain, to_plain) = match opened {
            Ok(opened) => opened,
            Err((refusal, why)) => {
                self.counts.refuse(refusal);
                if refusal != Refusal::Nothing {
                    let seconds = start.elapsed().as_secs_f64();
                    log!("{name}: refused from={address} seconds={seconds:.3} why={why:?}");
                }
                return;
            }
        };
        let peer = tls.peer().map_or_else(|| "nobody".to_owned(), describe);
        let traffic = Traffic::new(self.counts.clone());
        let idle = self.service.limits.idle_timeout;
        let end = copy(tls, plain, &traffic, to_plain, idle, &closing).await;
        self.counts.end(end.label());
        let (forward, back) = (traffic.forward(), traffic.back());
        let seconds = start.elapsed().as_secs_f64();
        let end = end.to_string();
        log!(
            "{name}: ended from={address} peer={peer:?} forward={forward} back={back} \
             seconds={seconds:.3} end={end:?}"
        );
    }

    /// Connects to the other end, and makes one side of it a TLS connection.
    ///
    /// What ends here before its time must not look like an end in order: a TLS stream would send
    /// close_notify if it were dropped, and a plain one is reset.
    async fn open(
        &self,
        tcp: TcpStream,
        (place, rate): Turn,
        closing: &CancellationToken,
    ) -> Result<(AsyncStream<TcpStream>, TcpStream, Direction), Refused> {
        if let Side::Client(..) = &self.side {
            ends_cut(&tcp);
        }
        let turn = async {
            if let Some(place) = &place {
                place.turn().await;
            }
            if let Some(rate) = &rate {
                rate.turn().await;
            }
        };
        until(closing, turn).await?;
        match &self.side {
            Side::Server(_, server) => {
                let tls = until(closing, server.accept_async(tcp)).await?;
                let tls = tls.map_err(refused)?;
                // The peer is known now, and is admitted.
                drop(place);
                let connected = until(closing, self.connect()).await;
                match connected.and_then(|connected| connected) {
                    Ok(plain) => {
                        ends_cut(&plain);
                        Ok((tls, plain, Direction::Forward))
                    }
                    Err(refused) => {
                        drop(tls.into_inner());
                        Err(refused)
                    }
                }
            }
            Side::Client(client, server_name) => {
                let connecting = async {
                    let outside = self.connect().await?;
                    let tls = client.current().connect_async(server_name, outside).await;
                    tls.map_err(refused)
                };
                let tls = until(closing, connecting).await??;
                Ok((tls, tcp, Direction::Back))
            }
        }
    }

    async fn connect(&self) -> Result<TcpStream, Refused> {
        let target = &self.service.connect;
        let connecting = TcpStream::connect((target.host.as_str(), target.port));
        let connected = timeout(self.service.limits.connect_timeout, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match connected {
            Ok(tcp) => {
                prepare(&tcp);
                Ok(tcp)
            }
            Err(error) => {
                let why = format!("cannot connect to {target}: {error}");
                Err((Refusal::Connect, why))
            }
        }
    }
}

/// Why a connection is not carried: for the metrics, and in words.
type Refused = (Refusal, String);

/// Waits for the future, unless the tunnel ends before.
async fn until<T>(
    closing: &CancellationToken,
    future: impl Future<Output = T>,
) -> Result<T, Refused> {
    tokio::select! {
        biased;
        () = closing.cancelled() => Err((Refusal::Stopped, "the tunnel ends".to_owned())),
        done = future => Ok(done),
    }
}

fn refused(error: Error) -> Refused {
    let refusal = match &error {
        Error::NothingReceived => Refusal::Nothing,
        Error::HandshakeTimeout => Refusal::Timeout,
        error if error.is_authentication() => Refusal::Peer,
        _ => Refusal::Handshake,
    };
    (refusal, error.to_string())
}

/// Sets a socket's options. They are wishes: without them, the connection works too.
fn prepare(tcp: &TcpStream) {
    // What is passed on is ready to go.
    let _ = tcp.set_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE / 4)
        .with_retries(3);
    let _ = SockRef::from(tcp).set_tcp_keepalive(&keepalive);
}

/// Returns who a peer is, in the first way in which it has a name.
fn describe(peer: &Peer) -> String {
    let subject = peer.subject();
    match subject.is_empty() {
        false => subject,
        true => match peer.names().first() {
            Some(name) => name.clone(),
            None => format!("key:{}", peer.public_key()),
        },
    }
}
