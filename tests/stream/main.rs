//! Streams and handshakes over transports of every temper.
//!
//! * `pipe.rs`: a transport in memory that never waits, can be cut at any byte, and can be made
//!   fickle.
//! * `side.rs`: one side of a conversation, moved one call at a time, so that two of them fit in
//!   one thread.

mod asking;
mod corked;
mod cuts;
mod early_data;
mod ends;
mod failures;
mod live;
mod negotiation;
mod pauses;
mod pipe;
mod side;
mod split;
mod tcp;
