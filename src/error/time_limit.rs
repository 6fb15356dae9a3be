//! [`TimeLimit`]: which limit of time ended a connection.

use core::fmt;

/// Which limit of time ended a connection: see [`Error::Expired`](crate::Error::Expired).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeLimit {
    /// `max_connection_age` of the configuration.
    ConnectionAge,
    /// `idle_timeout` of the configuration.
    Idle,
}

impl fmt::Display for TimeLimit {
    /// Writes the name of the setting.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConnectionAge => "max_connection_age",
            Self::Idle => "idle_timeout",
        })
    }
}
