//! From files to a TLS configuration, again when they change.

use std::sync::Arc;
use std::time::Duration;

use fleeting::{
    Client, ClientAuth, Counters, CredentialFiles, Error, LiveServer, ReloadEvent, Reloading,
    Server, SessionCache, TicketKeys,
};
use tokio::signal::unix::Signal;

use crate::config::{Role, Service};
use crate::log::log;
use crate::metrics::Counts;
use crate::peers::Peers;

/// How many sessions a client keeps. They are all for one server.
const SESSIONS: usize = 64;

/// A service's side of TLS. Each connection keeps the configuration with which it began.
#[derive(Clone)]
pub enum Side {
    /// The second one follows the first one. It counts for all configurations together.
    Server(Reloading<Server>, LiveServer),
    /// With the name that the server must have.
    Client(Reloading<Client>, String),
}

impl Side {
    /// Loads the files.
    pub fn open(service: &Service) -> Result<Self, Error> {
        let service = Arc::new(service.clone());
        let files = watched(&service);
        // Each new configuration takes over what lets peers resume their sessions.
        match &service.role {
            Role::Server { .. } => {
                let tickets = TicketKeys::rotating();
                let watch = files.watch(move |files| {
                    let auth = match service.peers {
                        Peers::Anonymous => ClientAuth::None,
                        Peers::Any | Peers::Listed(_) => ClientAuth::Required(files.trust()?),
                    };
                    let peers = service.peers.clone();
                    Server::builder()
                        .identity(files.identity()?)
                        .client_auth(auth)
                        .authorize(move |peer| peers.admit(peer))
                        .alpn(service.alpn.iter().cloned())
                        .ticket_keys(tickets.clone())
                        .handshake_timeout(service.limits.handshake_timeout)
                        .build()
                })?;
                let live = LiveServer::new(watch.current());
                Ok(Self::Server(watch, live))
            }
            Role::Client { server_name } => {
                let name = server_name.clone();
                let sessions = SessionCache::new(SESSIONS);
                let watch = files.watch(move |files| {
                    let peers = service.peers.clone();
                    let client = Client::builder()
                        .trust(files.trust()?)
                        .authorize(move |peer| peers.admit(peer))
                        .alpn(service.alpn.iter().cloned())
                        .sessions(sessions.clone())
                        .handshake_timeout(service.limits.handshake_timeout);
                    match service.files.identity {
                        Some(_) => client.identity(files.identity()?).build(),
                        None => client.build(),
                    }
                })?;
                Ok(Self::Client(watch, name))
            }
        }
    }

    /// Returns how many problems there are: files that cannot be used, and what expires soon. It
    /// waits for a check that is going on.
    fn problems(&self) -> usize {
        match self {
            Self::Server(server, _) => server.problems().len(),
            Self::Client(client, _) => client.problems().len(),
        }
    }

    /// Returns what TLS counts. A client counts anew with each new configuration.
    pub fn counters(&self) -> Counters {
        match self {
            Self::Server(_, live) => live.counters(),
            Self::Client(client, _) => client.current().counters(),
        }
    }

    fn check(&self, at_once: bool) -> Vec<ReloadEvent> {
        match self {
            Self::Server(server, live) => {
                let events = check(server, at_once);
                if events.iter().any(|event| !event.is_problem()) {
                    live.replace(server.current());
                }
                events
            }
            Self::Client(client, _) => check(client, at_once),
        }
    }
}

fn check<C: Clone>(files: &Reloading<C>, at_once: bool) -> Vec<ReloadEvent> {
    match at_once {
        true => files.reload(),
        false => files.check(),
    }
}

fn watched(service: &Service) -> CredentialFiles {
    let files = &service.files;
    let mut watched = CredentialFiles::new().interval(files.interval);
    if let Some((certificate, key)) = &files.identity {
        watched = watched.identity(certificate, key);
    }
    if let Some(roots) = &files.roots {
        watched = match &files.trust_domain {
            Some(domain) => watched.spiffe_roots(domain, roots),
            None => watched.roots(roots),
        };
    }
    for lists in &files.revocation_lists {
        watched = watched.revocation_lists(lists);
    }
    if let Some(roots) = &files.peer_roots {
        watched = watched.peer_roots(roots);
        watched = match &service.role {
            Role::Server { checked_for } => checked_for
                .iter()
                .fold(watched, |watched, name| watched.check_server(name)),
            Role::Client { .. } => watched.check_client(),
        };
    }
    watched
}

/// Checks the files for as long as the tunnel runs: from time to time, and at once at a SIGHUP.
pub async fn watch(
    name: String,
    side: Side,
    interval: Duration,
    mut hup: Signal,
    counts: Arc<Counts>,
) {
    counts.set_problems(side.problems());
    loop {
        let at_once = tokio::select! {
            told = hup.recv() => told.is_some(),
            () = tokio::time::sleep(interval) => false,
        };
        let checking = side.clone();
        // Files can be slow, for example over a network.
        let checked = tokio::task::spawn_blocking(move || {
            let events = checking.check(at_once);
            (events, checking.problems())
        });
        let Ok((events, problems)) = checked.await else {
            log!("{name}: PROBLEM: the files could not be checked");
            continue;
        };
        counts.set_problems(problems);
        if at_once && events.is_empty() {
            log!("{name}: SIGHUP: no file has changed");
        }
        for event in events {
            counts.reload(&event);
            match event.is_problem() {
                true => log!("{name}: PROBLEM: {event}"),
                false => log!("{name}: {event}"),
            }
        }
    }
}
