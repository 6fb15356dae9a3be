//! What operators see of connections: counters, and with the feature `tracing` spans and events.

mod counters;
#[cfg(feature = "tracing")]
mod events;
#[allow(dead_code, reason = "only a part is used here")]
#[path = "../stream/pipe.rs"]
mod pipe;
#[path = "../support/pair.rs"]
mod support;
mod world;
