//! What comes in.
//!
//! ```text
//! bytes ─> RecordReceiver: deframe, open ─┬─ application data ─> CallerBuffer, or held
//!                                         └─ messages, alerts ─> Receiver ─> client / server step
//! ```
//!
//! [`FloodLimit`](flood_limit::FloodLimit) bounds what a peer may send that carries no data.

pub(super) mod caller_buffer;
mod flood_limit;
mod peer_key;
pub(super) mod receiver;
pub(super) mod record_receiver;
