//! Tests of several primitives together.
//!
//! ```text
//! vectors   Wycheproof, on every backend of this machine
//! wiping    what holds a secret is wiped when dropped
//! ```

mod vectors;
mod wiping;
