//! [`Status`]: what a connection wants next.

use crate::handshake::Question;

/// What to do next; see [`Connection::process`](crate::Connection::process).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Everything that was received is processed: receive more.
    NeedsInput,
    /// [`plaintext`](crate::Connection::plaintext) has data: read and [`consume`](crate::Connection::consume) it.
    Data,
    /// Early data came, before the handshake is complete: read it as [`early_plaintext`](crate::Connection::early_plaintext), and
    /// [`consume`](crate::Connection::consume) it. It can be answered by [`write_early_data`](crate::Connection::write_early_data).
    EarlyData,
    /// Nothing goes on before the application has answered.
    Ask(Question),
    /// The peer has sent close_notify: nothing more will come. Writing still works.
    Closed,
}
