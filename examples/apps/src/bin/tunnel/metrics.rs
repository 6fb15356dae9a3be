//! What the tunnel counts, and how it tells: in Prometheus' text form, over plain HTTP.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use apps::metrics::{prometheus, routes};
use fleeting::ReloadEvent;
use tokio::net::TcpListener;

use crate::credentials::Side;
use crate::traffic::Direction;

/// Why a connection that was accepted was not carried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    /// Its address has its share of handshakes.
    Address,
    /// It was closed before a byte came, as health checks do.
    Nothing,
    /// The handshake took too long.
    Timeout,
    /// One side did not accept who the other is.
    Peer,
    /// The handshake failed otherwise.
    Handshake,
    /// The other end could not be reached.
    Connect,
    /// The tunnel ends.
    Stopped,
}

/// Labels, in the order of the variants.
const REFUSALS: [&str; 7] = [
    "address",
    "nothing",
    "timeout",
    "peer",
    "handshake",
    "connect",
    "stopped",
];

/// What `End::label` returns.
const ENDS: [&str; 4] = ["complete", "idle", "drained", "failed"];

/// The counters of one service.
#[derive(Debug, Default)]
pub struct Counts {
    open: AtomicU64,
    accepted: AtomicU64,
    refused: [AtomicU64; REFUSALS.len()],
    ended: [AtomicU64; ENDS.len()],
    forward: AtomicU64,
    back: AtomicU64,
    replaced: AtomicU64,
    problems: AtomicU64,
    problems_now: AtomicU64,
}

/// A connection that is open until this is dropped.
#[derive(Debug)]
pub struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl Counts {
    pub fn accept(self: &Arc<Self>) -> Open {
        self.accepted.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        Open(self.clone())
    }

    pub fn refuse(&self, refusal: Refusal) {
        self.refused[refusal as usize].fetch_add(1, Relaxed);
    }

    pub fn end(&self, label: &str) {
        if let Some(index) = ENDS.iter().position(|known| *known == label) {
            self.ended[index].fetch_add(1, Relaxed);
        }
    }

    pub fn bytes(&self, direction: Direction, count: u64) {
        match direction {
            Direction::Forward => self.forward.fetch_add(count, Relaxed),
            Direction::Back => self.back.fetch_add(count, Relaxed),
        };
    }

    /// Sets how many problems there are now. Whoever reads the metrics waits for no file.
    pub fn set_problems(&self, count: usize) {
        self.problems_now.store(count as u64, Relaxed);
    }

    pub fn reload(&self, event: &ReloadEvent) {
        match event.is_problem() {
            false => self.replaced.fetch_add(1, Relaxed),
            true => self.problems.fetch_add(1, Relaxed),
        };
    }
}

/// A service, as far as its metrics go.
pub struct Measured {
    pub name: String,
    pub counts: Arc<Counts>,
    pub side: Side,
}

/// Writes the tunnel's own metrics.
fn text(services: &[Measured]) -> String {
    let mut out = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &dyn Fn(&Measured) -> Values| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for service in services {
            for (label, value) in values(service) {
                let _ = writeln!(out, "{name}{{service=\"{}\"{label}}} {value}", service.name);
            }
        }
    };
    metric(
        "tunnel_connections_open",
        "gauge",
        "Connections that are open, or in their handshake.",
        &|service| one(&service.counts.open),
    );
    metric(
        "tunnel_connections_total",
        "counter",
        "Connections that were accepted.",
        &|service| one(&service.counts.accepted),
    );
    metric(
        "tunnel_refused_total",
        "counter",
        "Accepted connections that were not carried, by reason.",
        &|service| labeled("reason", &REFUSALS, &service.counts.refused),
    );
    metric(
        "tunnel_ended_total",
        "counter",
        "Connections that were carried and have ended, by how they did.",
        &|service| labeled("end", &ENDS, &service.counts.ended),
    );
    metric(
        "tunnel_bytes_total",
        "counter",
        "Bytes carried: forward from the accepted connection, and back to it.",
        &|service| {
            let Counts { forward, back, .. } = &*service.counts;
            [("forward", forward), ("back", back)]
                .map(|(label, value)| (format!(",direction=\"{label}\""), value.load(Relaxed)))
                .into()
        },
    );
    metric(
        "tunnel_reloads_total",
        "counter",
        "Changed files that are in use now.",
        &|service| one(&service.counts.replaced),
    );
    metric(
        "tunnel_reload_problems_total",
        "counter",
        "Problems that were found in files.",
        &|service| one(&service.counts.problems),
    );
    metric(
        "tunnel_problems",
        "gauge",
        "Problems that exist now: files that cannot be used, or that expire soon.",
        &|service| one(&service.counts.problems_now),
    );
    out
}

type Values = Vec<(String, u64)>;

fn one(value: &AtomicU64) -> Values {
    vec![(String::new(), value.load(Relaxed))]
}

fn labeled(name: &str, labels: &[&str], values: &[AtomicU64]) -> Values {
    let pairs = labels.iter().zip(values);
    pairs
        .map(|(label, value)| (format!(",{name}=\"{label}\""), value.load(Relaxed)))
        .collect()
}

/// Returns what Prometheus reads: the tunnel's own metrics, and those of TLS.
fn all(services: &[Measured]) -> String {
    let labels: Vec<_> = services
        .iter()
        .map(|service| [("service", service.name.as_str())])
        .collect();
    let sources: Vec<_> = labels
        .iter()
        .zip(services)
        .map(|(labels, service)| (&labels[..], service.side.counters()))
        .collect();
    text(services) + &prometheus(&sources)
}

/// Answers `GET /metrics`.
pub async fn serve(listener: TcpListener, services: Arc<[Measured]>) -> std::io::Result<()> {
    axum::serve(listener, routes(move || all(&services))).await
}
