//! CONNECTED: the messages that may follow the handshake (RFC 9846, 4.7).

use crate::handshake::KeyUpdates;

/// CONNECTED. The keys of the connection are in the record layer. `key_update.rs` has the handlers,
/// which are the client's too.
pub(crate) struct Connected {
    pub(crate) key_updates: KeyUpdates,
}
