//! `crate::connection::send`: the library's own files, and a stand-in for the sender.

#[path = "../../../../src/connection/send/pending_key_updates.rs"]
pub(super) mod pending_key_updates;
#[path = "../../../../src/connection/send/send_side.rs"]
pub(super) mod send_side;
pub(crate) mod sender;
