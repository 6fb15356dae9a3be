//! CONNECTED: the messages that may follow the handshake (RFC 9846, 4.7).

use core::time::Duration;
use std::sync::Arc;

use crate::code_point::NamedGroup;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Said};
use crate::handshake::authentication::Authenticated;
use crate::handshake::{Context, KeyUpdates, Keys};
use crate::key_schedule::ResumptionSecret;
use crate::message::NewSessionTicket;
use crate::session::{ClientSession, EarlyTerms, Session, StoredSessions, Whose};

/// CONNECTED. The connection's keys are in the record layer.
pub(crate) struct Connected {
    /// `None` if no sessions are stored.
    pub(crate) memory: Option<Box<Memory>>,
    pub(crate) key_updates: KeyUpdates,
    /// What we answered if the server asked for our identity. The server's verdict comes now.
    pub(crate) said: Option<Arc<Said>>,
}

/// What is needed to turn a ticket into a session in the cache.
pub(crate) struct Memory {
    pub(crate) stored: StoredSessions,
    suite: Suite,
    group: NamedGroup,
    resumption: ResumptionSecret,
    whose: Whose,
    since: Duration,
    /// The protocol for early data under one of these tickets.
    alpn: Option<Vec<u8>>,
}

impl Memory {
    /// Must be called when the server's Finished is verified and ours is in the transcript. From
    /// then on tickets can be used.
    pub(crate) fn new(
        stored: StoredSessions,
        keys: Keys,
        server: Authenticated,
        alpn: Option<Vec<u8>>,
    ) -> Self {
        Self {
            stored,
            suite: keys.suite,
            group: keys.group,
            // RFC 9846, 7.1: the resumption_secret covers the transcript up to the client's
            // Finished.
            resumption: keys.main.into_resumption(&keys.transcript.digest()),
            whose: server.whose,
            since: server.since,
            alpn,
        }
    }
}

impl Connected {
    /// Stores the session for another connection.
    pub(crate) fn on_new_session_ticket(
        self,
        message: &NewSessionTicket<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Self, Fault> {
        // RFC 9846, 4.7.1: "Clients which receive a NewSessionTicket message but do not support
        // resumption MUST silently ignore this message", and "The value of zero indicates that the
        // ticket should be discarded immediately".
        if let Some(memory) = &self.memory
            && message.ticket_lifetime > 0
        {
            let psk = memory.resumption.psk(message.ticket_nonce);
            let session = ClientSession {
                session: Session {
                    suite: memory.suite,
                    group: memory.group,
                    psk,
                    since: memory.since,
                    whose: memory.whose.clone(),
                },
                ticket: message.ticket.to_vec().into(),
                age_add: message.ticket_age_add,
                lifetime: Duration::from_secs(message.ticket_lifetime.into()),
                received: cx.now.unix,
                early: message.early_data().map(|max_size| EarlyTerms {
                    max_size,
                    alpn: memory.alpn.clone(),
                }),
            };
            memory.stored.put(session, cx.now);
        }
        Ok(self)
    }
}
