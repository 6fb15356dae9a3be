//! The calls that an application makes.

pub(super) mod read;
pub(super) mod write;
