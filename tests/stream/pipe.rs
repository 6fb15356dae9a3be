//! Transports in memory.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

/// One direction of a pipe.
#[derive(Debug)]
struct Channel {
    bytes: VecDeque<u8>,
    /// How many bytes may be in the pipe.
    capacity: usize,
    /// How many more bytes arrive before the connection is cut, if it is to be cut.
    left: Option<usize>,
    /// Nothing more will arrive.
    ended: bool,
    /// The reader is gone.
    deaf: bool,
}

/// One end of a pipe that never waits: it returns `WouldBlock` where a socket would wait. Dropping
/// it ends both directions.
#[derive(Debug)]
pub struct End {
    input: Arc<Mutex<Channel>>,
    output: Arc<Mutex<Channel>>,
}

/// Returns two ends, with room for `capacity` bytes in each direction. What the first end sends is
/// cut after `cuts.0` bytes, what the second sends after `cuts.1`.
pub fn pipe(capacity: usize, cuts: (Option<usize>, Option<usize>)) -> (End, End) {
    let channel = |left| {
        Arc::new(Mutex::new(Channel {
            bytes: VecDeque::new(),
            capacity,
            left,
            ended: left == Some(0),
            deaf: false,
        }))
    };
    let (there, back) = (channel(cuts.0), channel(cuts.1));
    (
        End {
            input: back.clone(),
            output: there.clone(),
        },
        End {
            input: there,
            output: back,
        },
    )
}

/// Returns two ends with unlimited room.
pub fn wide_pipe() -> (End, End) {
    pipe(usize::MAX, (None, None))
}

/// The receiving part of an end, as a separate reader.
#[derive(Debug)]
pub struct Reader(Arc<Mutex<Channel>>);

impl End {
    pub fn reader(&self) -> Reader {
        Reader(self.input.clone())
    }
}

impl Reader {
    /// Returns true if nothing is there to read.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap().bytes.is_empty()
    }
}

impl Read for End {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.reader().read(out)
    }
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut channel = self.0.lock().unwrap();
        if channel.bytes.is_empty() && !channel.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        channel.bytes.read(out)
    }
}

impl Write for End {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut channel = self.output.lock().unwrap();
        if channel.deaf {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = channel.capacity - channel.bytes.len();
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = data.len().min(room);
        // Bytes after the cut are lost as on a network: the sender does not learn of it.
        let through = channel.left.map_or(count, |left| left.min(count));
        channel.bytes.extend(&data[..through]);
        if let Some(left) = &mut channel.left {
            *left -= through;
            channel.ended |= channel.left == Some(0);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.input.lock().unwrap().deaf = true;
        self.output.lock().unwrap().ended = true;
    }
}

/// What a call of a fickle transport does.
#[derive(Clone, Copy, Debug)]
pub enum Mood {
    Works,
    WouldBlock,
    TimedOut,
    Interrupted,
}

/// A transport whose calls follow its moods in turn, separately for each kind of call, and move at
/// most `chunk` bytes.
pub struct Fickle<S> {
    inner: S,
    chunk: usize,
    moods: &'static [Mood],
    /// The number of calls of `read`, `write` and `flush`.
    calls: [usize; 3],
}

impl<S> Fickle<S> {
    pub fn new(inner: S, chunk: usize, moods: &'static [Mood]) -> Self {
        Self {
            inner,
            chunk,
            moods,
            calls: [0; 3],
        }
    }

    /// Creates one that always works, until its moods are changed.
    pub fn steady(inner: S) -> Self {
        Self::new(inner, usize::MAX, &[Mood::Works])
    }

    pub fn turn(&mut self, chunk: usize, moods: &'static [Mood]) {
        (self.chunk, self.moods) = (chunk, moods);
    }

    fn mood(&mut self, call: usize) -> io::Result<()> {
        self.calls[call] += 1;
        match self.moods[self.calls[call] % self.moods.len()] {
            Mood::Works => Ok(()),
            Mood::WouldBlock => Err(io::ErrorKind::WouldBlock.into()),
            Mood::TimedOut => Err(io::ErrorKind::TimedOut.into()),
            Mood::Interrupted => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}

impl<S: Read> Read for Fickle<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.mood(0)?;
        let count = out.len().min(self.chunk);
        self.inner.read(&mut out[..count])
    }
}

impl<S: Write> Write for Fickle<S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.mood(1)?;
        self.inner.write(&data[..data.len().min(self.chunk)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.mood(2)?;
        self.inner.flush()
    }
}
