//! Early data (RFC 9846, 4.3.10 and section 8): its outcomes, its limits, and every disturbance of
//! it.

mod limits;
mod mutated;
mod outcomes;
mod world;
