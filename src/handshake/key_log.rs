//! The key log (RFC 9850): the secrets of a connection, for programs that decrypt a recording.
//!
//! ```text
//! the configuration's ChosenKeyLog ── for_connection(client random) ──> SecretLog
//!     early()        CLIENT_EARLY_TRAFFIC_SECRET       offered by a client, accepted by a server
//!     handshake()    CLIENT_HANDSHAKE_TRAFFIC_SECRET, SERVER_HANDSHAKE_TRAFFIC_SECRET
//!     application()  CLIENT_TRAFFIC_SECRET_N, SERVER_TRAFFIC_SECRET_N, and the exporter's
//! ```
//!
//! Each secret is logged when it is derived, also by an extended key update. A KeyUpdate logs
//! nothing: its secret follows from the one before, so readers derive it (RFC 9846, 7.2). There is
//! no EARLY_EXPORTER_SECRET, because there are no early exporters here.
//!
//! Without the feature `key-log`, both types are empty and nothing is logged. So their callers are
//! the same in every build.

use core::fmt;
#[cfg(feature = "key-log")]
use std::sync::Arc;

use crate::key_schedule::{ExporterSecret, TrafficSecret};
use crate::secret::Secret;

/// Receives the secrets of connections, for decrypting a recording of their traffic
/// (RFC 9850). For [`ClientBuilder::key_log`](crate::ClientBuilder::key_log) and
/// [`ServerBuilder::key_log`](crate::ServerBuilder::key_log). [`KeyLogFile`](crate::KeyLogFile)
/// writes them to a file.
///
/// **Whoever receives these secrets can read and change the traffic.** RFC 9850: "this mechanism
/// MUST NOT be used in a production system".
///
/// ```
/// use fleeting::{KeyLog, Secret};
///
/// /// Tells which secrets a connection has, and not what they are.
/// struct Labels;
///
/// impl KeyLog for Labels {
///     fn log(&self, label: &str, client_random: &[u8; 32], secret: &Secret) {
///         println!("{label}: {} bytes, connection {:02x?}", secret.len(), &client_random[..4]);
///     }
/// }
/// ```
#[cfg(feature = "key-log")]
pub trait KeyLog: Send + Sync {
    /// Receives one secret, when it is derived.
    ///
    /// The label is RFC 9850's, such as `CLIENT_TRAFFIC_SECRET_0`. The client random is the
    /// `Random` of the ClientHello and identifies the connection. The line of a key log file
    /// consists of these three, the latter two in hexadecimal digits.
    ///
    /// The handshake waits for this call. Nothing can be returned: the connection goes on whether
    /// or not the secret could be logged.
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &Secret);
}

#[cfg(feature = "key-log")]
impl<T: KeyLog + ?Sized> KeyLog for Arc<T> {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &Secret) {
        (**self).log(label, client_random, secret);
    }
}

/// The setting: where secrets are logged, if anywhere.
#[derive(Clone, Default)]
pub(crate) struct ChosenKeyLog {
    #[cfg(feature = "key-log")]
    sink: Option<Arc<dyn KeyLog>>,
}

impl ChosenKeyLog {
    #[cfg(feature = "key-log")]
    pub(crate) fn new(sink: impl KeyLog + 'static) -> Self {
        Self {
            sink: Some(Arc::new(sink)),
        }
    }

    /// Returns the log of the connection whose ClientHello has this random. It is the same after a
    /// HelloRetryRequest (RFC 9846, 4.2.2).
    pub(crate) fn for_connection(&self, client_random: &[u8; 32]) -> SecretLog {
        #[cfg(not(feature = "key-log"))]
        let _ = client_random;
        SecretLog {
            #[cfg(feature = "key-log")]
            logged: self.sink.as_ref().map(|sink| {
                Arc::new(Logged {
                    sink: sink.clone(),
                    client_random: *client_random,
                })
            }),
        }
    }
}

/// Says whether secrets are logged.
#[cfg(feature = "key-log")]
impl fmt::Debug for ChosenKeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sink.is_some().fmt(f)
    }
}

/// The key log of one connection: cheap to clone and to keep. The default logs nothing.
#[derive(Clone, Default)]
pub(crate) struct SecretLog {
    #[cfg(feature = "key-log")]
    logged: Option<Arc<Logged>>,
}

#[cfg(feature = "key-log")]
struct Logged {
    sink: Arc<dyn KeyLog>,
    client_random: [u8; 32],
}

impl SecretLog {
    /// Logs client_early_traffic_secret.
    pub(crate) fn early(&self, client: &TrafficSecret) {
        self.log(format_args!("CLIENT_EARLY_TRAFFIC_SECRET"), client.secret());
    }

    /// Logs the secrets that protect the rest of the handshake.
    pub(crate) fn handshake(&self, client: &TrafficSecret, server: &TrafficSecret) {
        self.log(
            format_args!("CLIENT_HANDSHAKE_TRAFFIC_SECRET"),
            client.secret(),
        );
        self.log(
            format_args!("SERVER_HANDSHAKE_TRAFFIC_SECRET"),
            server.secret(),
        );
    }

    /// Logs the secrets of an epoch: 0 begins with the handshake, and each extended key update
    /// begins the next (draft-ietf-tls-extended-key-update, "SSLKEYLOGFILE Update").
    pub(crate) fn application(
        &self,
        epoch: u64,
        client: &TrafficSecret,
        server: &TrafficSecret,
        exporter: &ExporterSecret,
    ) {
        self.log(
            format_args!("CLIENT_TRAFFIC_SECRET_{epoch}"),
            client.secret(),
        );
        self.log(
            format_args!("SERVER_TRAFFIC_SECRET_{epoch}"),
            server.secret(),
        );
        match epoch {
            0 => self.log(format_args!("EXPORTER_SECRET"), exporter.secret()),
            _ => self.log(format_args!("EXPORTER_SECRET_{epoch}"), exporter.secret()),
        }
    }

    fn log(&self, label: fmt::Arguments<'_>, secret: &Secret) {
        #[cfg(feature = "key-log")]
        if let Some(Logged {
            sink,
            client_random,
        }) = self.logged.as_deref()
        {
            sink.log(&label.to_string(), client_random, secret);
        }
        #[cfg(not(feature = "key-log"))]
        let _ = (label, secret);
    }
}
