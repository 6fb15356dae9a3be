//! [`ReloadEvent`]: what a check of the files found.

use core::fmt;
use core::time::Duration;

use crate::error::Error;
use crate::identity::validity::date;

/// What [`Reloading`](crate::Reloading) found when it checked the files.
///
/// `Display` writes one line for a log: which file, why, what stays in use, and what to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReloadEvent {
    /// A changed file was loaded, and is in use.
    Replaced {
        /// What was replaced.
        part: ReloadPart,
        /// What is in use now, in words.
        in_use: String,
    },
    /// A changed file cannot be used. What was loaded before stays in use, and the files are tried
    /// again with every check.
    Kept {
        /// What was not replaced.
        part: ReloadPart,
        /// What stays in use, in words.
        in_use: String,
        /// Why the change was not taken over. An error about a file names it.
        error: Error,
    },
    /// Peers would refuse the identity that is in use: it was accepted earlier, and is no longer,
    /// because of a changed root, of a revocation list, or of the time.
    NotAccepted {
        /// The identity that is in use, in words.
        in_use: String,
        /// Why it would be refused.
        error: Error,
    },
    /// A certificate of our own chain, or a revocation list, expires soon.
    Expiring {
        /// [`ReloadPart::Identity`] or [`ReloadPart::RevocationLists`].
        part: ReloadPart,
        /// The certificate's subject, or the list's issuer.
        name: String,
        /// When it expires, as time since 1970-01-01 00:00:00 UTC.
        at: Duration,
    },
    /// A certificate of our own chain, or a revocation list, has expired.
    Expired {
        /// [`ReloadPart::Identity`] or [`ReloadPart::RevocationLists`].
        part: ReloadPart,
        /// The certificate's subject, or the list's issuer.
        name: String,
        /// When it expired, as time since 1970-01-01 00:00:00 UTC.
        at: Duration,
    },
}

/// A part of what is loaded from files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReloadPart {
    /// Our certificates and our key.
    Identity,
    /// The roots that we trust.
    Roots,
    /// The roots that our peers trust, against which our own certificates are checked.
    PeerRoots,
    /// The certificate revocation lists.
    RevocationLists,
    /// The program's own configuration, which it makes of the other parts.
    Configuration,
}

impl ReloadEvent {
    /// Returns true if somebody has to do something: for all events but
    /// [`Replaced`](Self::Replaced).
    pub fn is_problem(&self) -> bool {
        !matches!(self, Self::Replaced { .. })
    }
}

impl fmt::Display for ReloadEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replaced { part, in_use } => write!(f, "{part}: now in use: {in_use}"),
            Self::Kept {
                part,
                in_use,
                error,
            } => write!(
                f,
                "{part}: a change was not taken over, so this stays in use: {in_use}: {error}"
            ),
            Self::NotAccepted { in_use, error } => write!(
                f,
                "peers would now refuse the identity that is in use: {in_use}: {error}"
            ),
            Self::Expiring { part, name, at } => write!(
                f,
                "{part}: {name}: it expires at {}: replace the file before",
                date(*at)
            ),
            Self::Expired { part, name, at } => write!(
                f,
                "{part}: {name}: it expired at {}: replace the file now",
                date(*at)
            ),
        }
    }
}

impl fmt::Display for ReloadPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::Roots => "roots",
            Self::PeerRoots => "roots of the peers",
            Self::RevocationLists => "revocation lists",
            Self::Configuration => "configuration",
        })
    }
}
