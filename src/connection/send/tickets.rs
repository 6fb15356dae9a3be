//! [`WaitingTickets`]: tickets that a server has made, until there is something else to send.

use core::time::Duration;

use crate::code_point::ContentType;
use crate::record::{Output, Seal, SealError};

/// How long tickets wait for something to go out with.
///
/// A ticket's lifetime begins when it is sealed, and the client counts it from its arrival, so the
/// client's count is wrong by at most this. A client that hears nothing for longer only sends, or
/// keeps its connection open: neither misses the tickets.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// NewSessionTicket messages that wait to be sent with the first data, or at the end if that is
/// soon.
///
/// They do not go out at once: a client that only sends would never read them, and when it closes
/// a TCP connection with unread data, its system discards what the client sent last. Besides, no
/// handshake then waits for room that only a reading client makes.
#[derive(Default)]
pub(super) struct WaitingTickets {
    messages: Vec<u8>,
    /// How many there are in `messages`.
    count: u64,
    /// Since when they wait, on the monotonic clock.
    since: Option<Duration>,
}

impl WaitingTickets {
    /// Adds one NewSessionTicket message.
    pub(super) fn add(&mut self, message: &[u8]) {
        // Not more than that, because it may be held for long.
        self.messages.reserve_exact(message.len());
        self.messages.extend_from_slice(message);
        self.count += 1;
    }

    /// Drops the tickets if they have waited for too long. `now` is monotonic, and is called only
    /// if there are any.
    pub(super) fn drop_old(&mut self, now: impl FnOnce() -> Duration) {
        if self.messages.is_empty() {
            return;
        }
        let now = now();
        let since = *self.since.get_or_insert(now);
        if now.saturating_sub(since) >= MAX_WAIT {
            self.clear();
        }
    }

    /// Drops all tickets and frees their memory.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Seals all tickets into `out`, or drops them if nothing can be sent any more. Returns how
    /// many it sealed.
    pub(super) fn send(
        &mut self,
        seal: Option<&mut Seal>,
        out: &mut Output,
    ) -> Result<u64, SealError> {
        if self.messages.is_empty() {
            return Ok(0);
        }
        let Self {
            messages, count, ..
        } = core::mem::take(self);
        let Some(seal) = seal else { return Ok(0) };
        for part in messages.chunks(seal.max_fragment().max(1)) {
            seal.seal(ContentType::HANDSHAKE, part, 0, out)?;
        }
        Ok(count)
    }
}
