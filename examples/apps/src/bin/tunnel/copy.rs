//! Carries bytes both ways until both sides have ended, and passes on how each one ended.
//!
//! ```text
//! the plain side ends its writing (FIN)   the TLS side gets close_notify
//! the TLS side sends close_notify         the plain side gets a FIN
//! the TLS side is cut or fails            the plain side gets a RST
//! the plain side is reset                 the TLS side is cut, without close_notify
//! nothing moves for the idle time         both of these
//! the tunnel ends                         what was read is passed on; then both of these
//! ```
//!
//! So nobody takes a stream that was cut for a whole one.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use fleeting::AsyncStream;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::traffic::{Direction, Traffic};

/// The content of the longest record.
const BUFFER: usize = 16 * 1024;

/// How a connection ended.
#[derive(Debug)]
pub enum End {
    /// Both sides ended it.
    Complete,
    /// No byte moved for the idle time.
    Idle,
    /// The tunnel ends.
    Drained,
    /// A side failed or was cut.
    Failed {
        side: &'static str,
        error: io::Error,
    },
}

impl End {
    /// The label of a metric.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Idle => "idle",
            Self::Drained => "drained",
            Self::Failed { .. } => "failed",
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("both sides ended it"),
            Self::Idle => f.write_str("nothing was sent for too long"),
            Self::Drained => f.write_str("the tunnel ends"),
            Self::Failed { side, error } => write!(f, "the {side} side failed: {error}"),
        }
    }
}

const TLS: &str = "TLS";
const PLAIN: &str = "plain";

/// Carries everything, and ends both connections. The plain one must be one that [`ends_cut`].
pub async fn copy(
    mut tls: AsyncStream<TcpStream>,
    mut plain: TcpStream,
    traffic: &Traffic,
    to_plain: Direction,
    idle: Duration,
    closing: &CancellationToken,
) -> End {
    let end = carry(&mut tls, &mut plain, traffic, to_plain, idle, closing).await;
    match end {
        End::Complete => ends_whole(&plain),
        // Dropping the stream would send close_notify.
        End::Idle | End::Drained | End::Failed { .. } => drop(tls.into_inner()),
    }
    end
}

/// Makes the end of a plain connection a reset, by which its peer notices that it was cut. Said
/// when the connection begins, this holds even if the tunnel is killed.
pub fn ends_cut(plain: &TcpStream) {
    let _ = plain.set_zero_linger();
}

/// Takes back [`ends_cut`]: everything was passed on, and both sides have ended.
fn ends_whole(plain: &TcpStream) {
    let _ = SockRef::from(plain).set_linger(None);
}

async fn carry(
    tls: &mut AsyncStream<TcpStream>,
    plain: &mut TcpStream,
    traffic: &Traffic,
    to_plain: Direction,
    idle: Duration,
    closing: &CancellationToken,
) -> End {
    // Both directions are one task's, so the lock of these halves never waits. The stream's own
    // halves could not be put together again, and dropping one would send close_notify.
    let (tls_reader, tls_writer) = tokio::io::split(tls);
    let (plain_reader, plain_writer) = plain.split();
    let to_tls = to_plain.opposite();
    let both = async {
        tokio::try_join!(
            one_way(
                (TLS, tls_reader),
                (PLAIN, plain_writer),
                traffic,
                to_plain,
                closing
            ),
            one_way(
                (PLAIN, plain_reader),
                (TLS, tls_writer),
                traffic,
                to_tls,
                closing
            ),
        )
    };
    tokio::select! {
        result = both => match result {
            Ok((Stop::End, Stop::End)) => End::Complete,
            Ok(_) => End::Drained,
            Err((side, error)) => End::Failed { side, error },
        },
        () = traffic.idle(idle) => End::Idle,
    }
}

/// Why one direction stopped without an error.
enum Stop {
    /// The one side ended it, and the other side was told.
    End,
    /// The tunnel ends. What was read is passed on.
    Closing,
}

type Named<S> = (&'static str, S);

async fn one_way<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    (from_side, mut from): Named<R>,
    (to_side, mut to): Named<W>,
    traffic: &Traffic,
    direction: Direction,
    closing: &CancellationToken,
) -> Result<Stop, Named<io::Error>> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = tokio::select! {
            biased;
            () = closing.cancelled() => return Ok(Stop::Closing),
            read = from.read(&mut buffer) => read,
        };
        match read.map_err(|error| (from_side, error))? {
            0 => break,
            count => {
                // Flushed, so that no more waits than one buffer.
                to.write_all(&buffer[..count])
                    .await
                    .map_err(|error| (to_side, error))?;
                to.flush().await.map_err(|error| (to_side, error))?;
                traffic.add(direction, count);
            }
        }
    }
    match to.shutdown().await {
        // It has everything, and has gone. If that was too early, the other direction says so.
        Err(error) if has_gone(error.kind()) => Ok(Stop::End),
        shut => shut.map(|()| Stop::End).map_err(|error| (to_side, error)),
    }
}

fn has_gone(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected
    )
}
