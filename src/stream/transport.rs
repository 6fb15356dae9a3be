//! Bytes between the sans-IO core and a transport.
//!
//! The meaning of the transport's errors:
//!
//! * `Interrupted` has no meaning: the call is repeated.
//! * `WouldBlock` and `TimedOut` mean "not now". (A socket's time-out is one or the other,
//!   depending on the system.) Nothing is lost, and the same call continues later. (Unix also
//!   returns `TimedOut` for a connection that it has given up; the next call finds that out.)
//! * Any other error is final.

use std::io::{self, Read, Write};

use crate::connection::{Connection, ReceiveHalf, SendHalf};

/// Returns true if the same call can succeed later.
pub(super) fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Returns true if the other end is gone, so that what it sent last is already here and reading it
/// does not wait.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
    )
}

/// Something that has bytes for a transport.
pub(super) trait Outgoing {
    fn output(&self) -> &[u8];
    fn sent(&mut self, count: usize);
}

/// Something that takes bytes from a transport.
pub(super) trait Incoming {
    fn input(&mut self) -> &mut [u8];
    fn received(&mut self, count: usize);
    fn received_nothing(&mut self);
    fn received_end(&mut self);
}

macro_rules! outgoing {
    ($type:ty) => {
        impl Outgoing for $type {
            fn output(&self) -> &[u8] {
                self.output()
            }

            fn sent(&mut self, count: usize) {
                self.sent(count);
            }
        }
    };
}

macro_rules! incoming {
    ($type:ty) => {
        impl Incoming for $type {
            fn input(&mut self) -> &mut [u8] {
                self.input()
            }

            fn received(&mut self, count: usize) {
                self.received(count);
            }

            fn received_nothing(&mut self) {
                self.received_nothing();
            }

            fn received_end(&mut self) {
                self.received_end();
            }
        }
    };
}

outgoing!(Connection);
outgoing!(SendHalf);
incoming!(Connection);
incoming!(ReceiveHalf);

/// Sends all that waits, in as few calls as the transport allows.
pub(super) fn send(io: &mut impl Write, connection: &mut impl Outgoing) -> io::Result<()> {
    while !connection.output().is_empty() {
        send_once(io, connection)?;
    }
    Ok(())
}

/// Flushes the transport itself, which may have a buffer of its own.
pub(super) fn flush(io: &mut impl Write) -> io::Result<()> {
    retry(|| io.flush())
}

/// Sends what waits in one call, for last words: nobody is left to report an error to, and no
/// second call to wait for.
pub(super) fn attempt(io: &mut impl Write, connection: &mut impl Outgoing) {
    if !connection.output().is_empty()
        && send_once(io, connection).is_ok()
        && connection.output().is_empty()
    {
        let _ = flush(io);
    }
}

/// Receives once: some bytes, or the end.
pub(super) fn receive(io: &mut impl Read, connection: &mut impl Incoming) -> io::Result<()> {
    match retry(|| io.read(connection.input())) {
        Ok(0) => connection.received_end(),
        Ok(count) => connection.received(count),
        Err(error) => {
            connection.received_nothing();
            return Err(error);
        }
    }
    Ok(())
}

/// Sends what waits in one call of the transport.
pub(super) fn send_once(io: &mut impl Write, connection: &mut impl Outgoing) -> io::Result<()> {
    match retry(|| io.write(connection.output()))? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        count => {
            connection.sent(count);
            Ok(())
        }
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The transport of a stream: present until the stream returns it.
///
/// A type with a `Drop` of its own cannot be taken apart, so `into_inner` needs the `Option`.
pub(super) struct Transport<S>(Option<S>);

const TAKEN: &str = "only into_inner takes it, which consumes the stream";

impl<S> Transport<S> {
    pub(super) fn new(io: S) -> Self {
        Self(Some(io))
    }

    #[expect(
        clippy::expect_used,
        reason = "only into_inner takes it, which consumes the stream"
    )]
    pub(super) fn get(&self) -> &S {
        self.0.as_ref().expect(TAKEN)
    }

    #[expect(
        clippy::expect_used,
        reason = "only into_inner takes it, which consumes the stream"
    )]
    pub(super) fn get_mut(&mut self) -> &mut S {
        self.0.as_mut().expect(TAKEN)
    }

    #[expect(
        clippy::expect_used,
        reason = "only into_inner takes it, which consumes the stream"
    )]
    pub(super) fn take(&mut self) -> S {
        self.0.take().expect(TAKEN)
    }

    pub(super) fn is_taken(&self) -> bool {
        self.0.is_none()
    }
}
