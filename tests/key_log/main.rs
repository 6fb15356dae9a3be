//! The key log: which secrets are logged, whether they decrypt what was sent, and the file.

#[cfg(unix)]
mod files;
mod opened;
mod secrets;
#[path = "../support/pair.rs"]
mod support;
