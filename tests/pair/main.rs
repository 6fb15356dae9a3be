//! A pair of connections in memory: what goes in comes out, in order, once, however it is cut; and
//! what is changed on the way is refused.
//!
//! Everything here uses the public API alone, with randomness from a seed, so that a whole
//! conversation can be played again byte for byte. What goes wrong in one direction is therefore
//! tried on one side alone, against a recording of the other.

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
mod signing;
mod tickets;
mod wire;
