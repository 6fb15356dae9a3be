//! A pair of connections in memory. What is written is read, in order, once, however it is cut, and
//! what is changed on the way is refused.
//!
//! Everything here uses only the public API, with randomness from a seed, so that a whole
//! conversation can be replayed byte for byte. A disturbance in one direction is therefore tested
//! on one side alone, against a recording of the other.

#[path = "../support/pair.rs"]
mod support;

mod asking;
mod cast;
mod conversation;
mod cut;
mod disturbed;
mod early_data;
mod external_psk;
mod failed;
mod flipped;
mod limits;
mod matrix;
mod mismatch;
mod refusals;
mod signing;
mod tickets;
mod wire;
