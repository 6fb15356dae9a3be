//! The settings of a [`Server`](crate::Server) that end connections and sessions: limits of time,
//! the list of running connections, and revocation.

use core::time::Duration;

use crate::error::{ConfigError, Error};
use crate::handshake::Connections;
use crate::server::config::ServerBuilder;
use crate::session::{RevokedSessions, TicketKeys};

impl ServerBuilder {
    /// Allows sessions to be revoked before their tickets expire, through a clone of this handle.
    /// By default nothing is remembered that could refuse a ticket.
    ///
    /// It needs ticket keys that are this process's own: see [`RevokedSessions`].
    /// [`build`](Self::build) refuses it together with [`ticket_keys`](Self::ticket_keys) that
    /// others may share, because other servers, and this one after a restart, would not know what
    /// was revoked.
    pub fn revoked_sessions(mut self, revoked: RevokedSessions) -> Self {
        self.revoked_sessions = Some(revoked);
        self
    }

    /// Lists the connections that run, and allows them to be ended, through a clone of this handle:
    /// see [`Connections`]. By default no list is kept.
    pub fn connections(mut self, connections: Connections) -> Self {
        self.settings.connections = Some(connections);
        self
    }

    /// Sets how long a connection may exist, from when it is made. By default there is no limit.
    ///
    /// At that age the connection ends, whatever it does: what was written before is still sent,
    /// then close_notify; what was received before can still be read; then reading and writing
    /// return [`Error::Expired`], and the keys of both directions are wiped. A service that sets it
    /// knows that after this time all its clients have been admitted anew, under the configuration
    /// and the lists that are current. The peer sees an orderly end, so the protocol above must
    /// itself say where a message ends.
    ///
    /// Nothing runs in the background. A [`Stream`](crate::Stream) notices the end when one of its
    /// calls begins, or returns from the transport: a blocking `read` waits longer, unless the
    /// transport has a time-out of its own. An [`AsyncStream`](crate::AsyncStream) ends on time
    /// while a call is pending, by the runtime's timer. A [`Connection`](crate::Connection) ends
    /// when [`process`](crate::Connection::process) is told the time, which
    /// [`next_timeout`](crate::Connection::next_timeout) names.
    pub fn max_connection_age(mut self, age: Duration) -> Self {
        self.settings.set_max_connection_age(age);
        self
    }

    /// Sets how long a connection may exist without application data in either direction. By
    /// default there is no limit. A service that holds memory for its clients should have one.
    ///
    /// Then the connection ends as with [`max_connection_age`](Self::max_connection_age), and is
    /// noticed in the same way. KeyUpdates, tickets and empty records do not count, and neither
    /// does data that is [gathered](crate::Stream::set_corked) or that waits in the transport
    /// unread. The time that the application itself takes to answer counts as idle, so the limit
    /// must be longer than that. Data that arrives after the limit can be read if nobody has
    /// noticed the end, but cannot be answered.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.settings.set_idle_timeout(limit);
        self
    }

    /// Reports, for `build()`, whether a revocation could be forgotten before the tickets expire.
    pub(super) fn check_revoked_sessions(&self) -> Result<(), Error> {
        let shared = |keys: &TicketKeys| keys.may_be_shared();
        if self.revoked_sessions.is_some() && self.ticket_keys.as_ref().is_some_and(shared) {
            let reason = "others who have the ticket keys, and this server after a restart, would \
                          not know what was revoked: use TicketKeys::rotating()";
            return Err(ConfigError::Setting {
                name: "revoked_sessions",
                reason,
            }
            .into());
        }
        Ok(())
    }
}
