//! Our identity and our trust from files that change while a program runs.
//!
//! ```text
//! reloading    CredentialFiles: which files. Reloading: what is made of them, and replaced
//! watch        one check of the files: what changed, what may replace what, what to report
//! watched      one group of files, what was seen in them last, and what is in use
//! event        ReloadEvent: what a check found
//! credentials  Credentials: what was loaded, for the program's own configuration
//! ```
//!
//! Nothing here has a thread: the program says when to check.

mod credentials;
mod event;
mod reloading;
mod watch;
mod watched;

pub use credentials::Credentials;
pub use event::{ReloadEvent, ReloadPart};
pub use reloading::{CredentialFiles, Reloading};
