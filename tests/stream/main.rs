//! Streams and handshakes over transports of all kinds.
//!
//! * `pipe.rs`: a transport in memory that never waits. It can be cut at any byte, and can be made
//!   fickle.
//! * `side.rs`: one side of a conversation, driven one call at a time, so that one thread can run
//!   both.
//! * `waiting.rs`: blocking programs over pipes of limited size, which may wait for each other.

mod asking;
mod corked;
mod cuts;
mod early_data;
mod ends;
mod extended;
mod failures;
mod limits;
mod live;
mod negotiation;
mod pauses;
mod pipe;
mod reloading;
mod renewing;
mod side;
mod spiffe;
mod split;
mod tcp;
mod waiting;
