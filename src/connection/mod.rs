//! [`Connection`]: TLS 1.3 without I/O.
//!
//! ```text
//! ciphertext in ─> receive/: deframe, open ─┬─ application data ─> plaintext(), caller's buffer
//!                                           └─ messages ─> client / server step
//!                                                                   │
//!                                                            ConnectionSink
//!                                                                   │
//! write() ───────> send/: gather, seal ──────────> output() <───────┘
//! ```
//!
//! It opens no socket, reads no clock and starts no thread: time and randomness come in with the
//! calls that need them.

mod key_age;
mod limits;
mod machine;
mod notice;
mod observer;
mod receive;
mod sans_io;
mod send;
mod sink;
mod split;
mod status;
#[cfg(test)]
mod tests;
#[cfg(feature = "tracing")]
mod trace;

use crate::client::Client;
use crate::crypto::random::Rng;
use crate::error::{ConfigError, Error};
use crate::identity::ServerName;
use crate::server::{LiveServer, Server};
use crate::time::Now;

pub use sans_io::Connection;
#[cfg(all(test, target_os = "linux"))]
pub(crate) use send::seed_updates;
#[cfg(feature = "tokio")]
pub(crate) use split::ASKED;
pub(crate) use split::{Notes, ReceiveHalf, SendHalf, Shared};
pub use status::Status;

impl Client {
    /// Begins a connection to the server named `name`, a DNS name or an IP address. The ClientHello
    /// is in the output.
    ///
    /// For ML-KEM, a generator without state (of size zero) counts as the system's: see
    /// [`SystemRandom`](crate::SystemRandom).
    ///
    /// # Errors
    /// Returns [`Error::Name`] if `name` is not valid, or [`Error::Random`].
    pub fn connection(&self, name: &str, now: Now, rng: &mut Rng<'_>) -> Result<Connection, Error> {
        Connection::client(self, Some(ServerName::parse(name)?), true, now, rng)
    }

    /// Begins a connection to a server that has no name and is known by its key alone.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the configuration does not
    /// [allow](crate::ClientBuilder::allow_unnamed) it, or [`Error::Random`].
    pub fn connection_unnamed(&self, now: Now, rng: &mut Rng<'_>) -> Result<Connection, Error> {
        self.check_unnamed()?;
        Connection::client(self, None, true, now, rng)
    }
}

impl Client {
    pub(crate) fn check_unnamed(&self) -> Result<(), Error> {
        if self.config.unnamed {
            return Ok(());
        }
        let reason =
            "a connection without a name has to be allowed by ClientBuilder::allow_unnamed";
        Err(ConfigError::Setting {
            name: "allow_unnamed",
            reason,
        }
        .into())
    }
}

impl Server {
    /// Begins a connection to a client, whose ClientHello is the first thing to receive.
    pub fn connection(&self, now: Now) -> Connection {
        Connection::server(Some(self), now)
    }
}

impl LiveServer {
    /// Like [`Server::connection`], with the configuration that is current now.
    pub fn connection(&self, now: Now) -> Connection {
        self.current().connection(now)
    }
}
