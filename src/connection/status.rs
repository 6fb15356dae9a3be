//! [`Status`]: what a connection needs next.

use crate::handshake::Question;

/// What a connection needs next; returned by [`Connection::process`](crate::Connection::process).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Everything that was received is processed: receive more.
    NeedsInput,
    /// [`plaintext`](crate::Connection::plaintext) has data: read it, and
    /// [`consume`](crate::Connection::consume) it.
    Data,
    /// Early data has arrived before the handshake is complete: read it through
    /// [`early_plaintext`](crate::Connection::early_plaintext), and
    /// [`consume`](crate::Connection::consume) it. It can be answered with
    /// [`write_early_data`](crate::Connection::write_early_data).
    EarlyData,
    /// Nothing continues until the application has answered.
    Ask(Question),
    /// The peer has sent close_notify and will send nothing more. Writing still works.
    Closed,
}
