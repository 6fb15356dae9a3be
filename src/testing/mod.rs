//! Helpers for tests of several floors. This module is outside of the floors: any test may import
//! from it, and nothing else may.

pub(crate) mod broken;
#[cfg(target_os = "linux")]
pub(crate) mod memory;
#[cfg(target_os = "linux")]
mod remains;
pub(crate) mod rfc8448;
pub(crate) mod seeded;
mod shown;
#[cfg(feature = "tracing")]
mod traced;
