//! The key schedule (RFC 9846, section 7): secrets in, secrets out.
//!
//! The stages are on the left side of the standard's diagram and are consumed in order. The leaves
//! are on the right, and each knows its use:
//!
//! ```text
//! external ─> import_psk(identity, target hash)     = an imported PSK
//!
//!            0
//!            v
//! PSK ─> EarlySecret ──────┬─> binder_key(kind)       = BinderKey
//!            │             ├─> client_early_traffic() = TrafficSecret
//!            │             └─> early_exporter()       = ExporterSecret
//!            v
//! shared ─> HandshakeSecret┬─> client_traffic()       = TrafficSecret ─> keys(), finished_key()
//!            │             └─> server_traffic()       = TrafficSecret
//!            v
//! 0 ──> MainSecret ────────┬─> client_traffic()       = TrafficSecret ─> keys(), next()
//!            │             ├─> server_traffic()       = TrafficSecret
//!            │             ├─> exporter()             = ExporterSecret ─> export()
//!            │             ├─> epoch_exporter()       = ExporterSecret
//!            │             └─> into_resumption()      = ResumptionSecret ─> psk()
//!            v
//! shared ─> Epoch, next() ─┬─> client                 = TrafficSecret
//!            │ ^           ├─> server                 = TrafficSecret
//!            v │           └─> exporter               = ExporterSecret
//!            └─┘ one turn for each extended key update
//! ```
//!
//! A traffic secret is derived from the transcript at its moment (section 7.1), which is passed in
//! as a digest: nothing here hashes messages. Every intermediate value is written directly into a
//! [`Secret`](crate::secret::Secret) and wiped with the stage that it came from.

#![cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "the tests compare these with the traces: no early exporter is offered, because \
                  its output repeats with a replay (RFC 9846, F.5.1)"
    )
)]

mod epoch;
mod exporter;
mod importer;
mod label;
mod resumption;
mod stages;
mod traffic;

#[cfg(test)]
mod tests;

pub(crate) use epoch::{Epoch, EpochSecrets};
pub(crate) use exporter::ExporterSecret;
pub(crate) use importer::import_psk;
pub(crate) use resumption::{PskKind, ResumptionSecret};
pub(crate) use stages::{EarlySecret, MainSecret};
pub(crate) use traffic::{FinishedKey, Iv, RestingSecret, TrafficSecret};
