//! [`EarlyDataWriter`]: what goes out before the handshake is complete (RFC 9846, 4.3.10).

use core::fmt;
use std::io::{self, Read, Write};

use crate::connection::Connection;
use crate::stream::transport;

/// Sends early data, at a client, or the answer to it, at a server: see
/// [`Handshake::early_data`](crate::Handshake::early_data).
///
/// `write` takes no more than is allowed: `Ok(0)` means that no more is, which `write_all` reports
/// as `WriteZero`, with a part on its way: so look at [`remaining`](Self::remaining) first, unless
/// the peer can go on from there. What was taken goes out as early data or not at all: whether the
/// server accepted it, says [`Stream::early_data`](crate::Stream::early_data) when the handshake is
/// complete.
///
/// What is taken counts as written, and goes out at once, or by the next `write`, `flush` or
/// [`advance`](crate::Handshake::advance): over a transport that does not block use `write`, not
/// `write_all`. `TcpStream::set_nodelay` keeps the system from holding it back.
///
/// It writes and never reads: over a transport that blocks, a client that sends more than the
/// transport holds, to a server that answers as much meanwhile, would wait for it as it waits for
/// the client.
///
/// ```no_run
/// use std::io::{self, Read, Write};
/// use std::net::TcpStream;
/// use fleeting::{Client, EarlyData, Stream};
///
/// /// Asks for something that may be asked for twice.
/// fn ask(client: &Client, request: &[u8]) -> io::Result<Stream<TcpStream>> {
///     let mut handshake = client.start("db.internal", TcpStream::connect("db.internal:9846")?)?;
///     // None where the configuration allows none, or there is no session that does.
///     let sent = match handshake.early_data() {
///         Some(mut early) if early.remaining() >= request.len() => {
///             early.write_all(request)?;
///             true
///         }
///         _ => false,
///     };
///     let mut tls = handshake.finish()?;
///     // Nothing is sent again by itself.
///     if !sent || tls.early_data() != EarlyData::Accepted {
///         tls.write_all(request)?;
///     }
///     Ok(tls)
/// }
/// ```
pub struct EarlyDataWriter<'a, S> {
    pub(super) io: &'a mut S,
    pub(super) connection: &'a mut Connection,
}

impl<S> EarlyDataWriter<'_, S> {
    /// How many bytes a client may still send early; a server's answer has no such limit, and this
    /// is 0.
    pub fn remaining(&self) -> usize {
        self.connection.early_data_left()
    }
}

impl<S: Read + Write> Write for EarlyDataWriter<'_, S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let (io, connection) = (&mut *self.io, &mut *self.connection);
        // What was accepted earlier goes first: there is room then.
        transport::send(io, connection)?;
        let taken = connection
            .write_early_data(data)
            .inspect_err(|_| transport::attempt(io, connection))?;
        // What is taken counts as written: it waits to be sent. An error is told by the next call,
        // which sends it first.
        let _ = transport::send(io, connection);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let (io, connection) = (&mut *self.io, &mut *self.connection);
        transport::send(io, connection)?;
        transport::flush(io)
    }
}

impl<S> fmt::Debug for EarlyDataWriter<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarlyDataWriter")
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
