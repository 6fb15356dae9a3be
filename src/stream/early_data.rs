//! [`EarlyDataWriter`]: what is sent before the handshake is complete (RFC 9846, 4.3.10).

use core::fmt;
use std::io::{self, Read, Write};

use crate::connection::Connection;
use crate::stream::transport;

/// Sends early data (client) or the answer to it (server): see
/// [`Handshake::early_data`](crate::Handshake::early_data).
///
/// `write` accepts no more than is allowed. `Ok(0)` means that no more is allowed, which
/// `write_all` reports as `WriteZero`, after sending a part. So check
/// [`remaining`](Self::remaining) first, unless the peer can continue from there. Accepted data is
/// sent as early data or not at all. [`Stream::early_data`](crate::Stream::early_data) tells after
/// the handshake whether the server accepted it.
///
/// Accepted data counts as written. It is sent at once, or by the next `write`, `flush` or
/// [`advance`](crate::Handshake::advance). So use `write`, not `write_all`, over a non-blocking
/// transport. `TcpStream::set_nodelay` keeps the system from delaying it.
///
/// It only writes and never reads. Over a blocking transport, a client that sends more than the
/// transport holds, to a server that answers as much meanwhile, would wait for the server while the
/// server waits for the client.
///
/// ```no_run
/// use std::io::{self, Read, Write};
/// use std::net::TcpStream;
/// use fleeting::{Client, EarlyData, Stream};
///
/// /// Sends a request that may safely be processed twice.
/// fn ask(client: &Client, request: &[u8]) -> io::Result<Stream<TcpStream>> {
///     let mut handshake = client.start("db.internal", TcpStream::connect("db.internal:9846")?)?;
///     // `None` if the configuration or the session does not allow early data.
///     let sent = match handshake.early_data() {
///         Some(mut early) if early.remaining() >= request.len() => {
///             early.write_all(request)?;
///             true
///         }
///         _ => false,
///     };
///     let mut tls = handshake.finish()?;
///     // Rejected data is not sent again automatically.
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
    /// Returns how many bytes of early data a client may still send. 0 for a server's answer, which
    /// has no such limit.
    pub fn remaining(&self) -> usize {
        self.connection.early_data_left()
    }
}

impl<S: Read + Write> Write for EarlyDataWriter<'_, S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let (io, connection) = (&mut *self.io, &mut *self.connection);
        // What was accepted earlier is sent first, to make room.
        transport::send(io, connection)?;
        let taken = connection
            .write_early_data(data)
            .inspect_err(|_| transport::attempt(io, connection))?;
        // What was taken counts as written, even if it still waits. If sending fails here, the next
        // call fails too, before it takes anything.
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
