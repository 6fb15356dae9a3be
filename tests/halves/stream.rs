//! `crate::stream`: the halves over a transport that records what is written.

#[path = "../../src/stream/collected.rs"]
pub(crate) mod collected;
#[path = "../../src/stream/split.rs"]
pub(crate) mod split;
#[path = "../../src/stream/transport.rs"]
pub(crate) mod transport;

#[cfg(feature = "tokio")]
#[path = "polled.rs"]
pub(crate) mod tokio;

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use crate::connection::receive::receiver::{Event, Receiver};
use crate::connection::sans_io::Connection;
use crate::connection::send::sender::Sender;
use crate::handshake::Negotiated;
use split::{ReadHalf, WriteHalf};

pub(crate) mod clock {
    use core::time::Duration;

    use crate::time::Now;

    #[derive(Clone, Copy)]
    pub(crate) struct Clock;

    impl Clock {
        pub(crate) fn monotonic(self) -> Duration {
            Duration::ZERO
        }

        pub(crate) fn now(self) -> Now {
            Now {
                monotonic: Duration::ZERO,
                unix: Duration::ZERO,
            }
        }
    }
}

/// The records that were sent. Each call of the transport takes one, so that other threads run
/// between two.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<Vec<u8>>>);

impl Wire {
    pub(crate) fn records(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Wire {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(&data[..1]);
        Ok(1)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A transport from which nothing more arrives.
pub(crate) struct Silence;

impl Read for Silence {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// The halves of a connection that receives `script`, over these parts of a transport.
pub(crate) fn halves<const N: usize, R: Read, W: Write + Send + 'static>(
    script: [Event; N],
    io: (R, W),
) -> (ReadHalf<R>, WriteHalf<W>) {
    let connection = Connection {
        receiver: Receiver::new(script),
        sender: Sender::default(),
    };
    split::halves(
        io,
        connection.split(),
        None,
        clock::Clock,
        Negotiated,
        collected::Collected::default(),
    )
}

/// Runs both halves of a connection that receives `script`, under every interleaving. `prepare`
/// runs before; `after` gets what `read` and `write` returned.
///
/// Loom misses some interleavings that begin in the thread that it runs first: it asks which thread
/// accessed an atomic last, and a thread that reads and then writes has accessed it itself. So each
/// half goes first once.
pub(crate) fn race<const N: usize, R: 'static, W: 'static>(
    script: [Event; N],
    prepare: impl Fn(&mut WriteHalf<Wire>) + Copy + Send + Sync + 'static,
    read: impl Fn(ReadHalf<Silence>) -> R + Copy + Send + Sync + 'static,
    write: impl Fn(WriteHalf<Wire>) -> W + Copy + Send + Sync + 'static,
    after: impl Fn(R, W, &Wire) + Copy + Send + Sync + 'static,
) {
    for reader_first in [true, false] {
        let script = script.clone();
        loom::model(move || {
            let wire = Wire::default();
            let (reader, mut writer) = halves(script.clone(), (Silence, wire.clone()));
            prepare(&mut writer);
            let (read, written) = if reader_first {
                let writing = loom::thread::spawn(move || write(writer));
                (read(reader), writing.join().unwrap())
            } else {
                let reading = loom::thread::spawn(move || read(reader));
                let written = write(writer);
                (reading.join().unwrap(), written)
            };
            after(read, written, &wire);
        });
    }
}
