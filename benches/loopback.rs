//! Placeholder until streams exist.
fn main() {}
