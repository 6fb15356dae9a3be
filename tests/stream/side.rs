//! One side of a conversation, driven one call at a time.

use std::io::{self, Read, Write};

use fleeting::{Authority, Client, ClientAuth, Error, Handshake, Progress, Server, Stream};

/// A client and a server that authenticate each other.
pub fn pair() -> (Client, Server) {
    let authority = Authority::new("tests").unwrap();
    let client = Client::builder()
        .trust(authority.trust())
        .identity(authority.issue_client("alice").unwrap())
        .build()
        .unwrap();
    let server = Server::builder()
        .identity(authority.issue_server(["db.internal"]).unwrap())
        .client_auth(ClientAuth::Required(authority.trust()))
        .build()
        .unwrap();
    (client, server)
}

/// Returns bytes in which no short sequence is repeated soon.
pub fn content(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|at| (at ^ ((at >> 8) * 7) ^ ((at >> 16) * 13)) as u8 ^ seed)
        .collect()
}

/// A side that sends `outgoing`, closes, and reads to the end.
pub struct Side<S: Read + Write> {
    stage: Stage<S>,
    outgoing: Vec<u8>,
    sent: usize,
    /// After how many bytes the keys are renewed, if they are.
    rekey_at: Option<usize>,
    /// How many bytes are written and read at once.
    chunk: usize,
    /// Whether written data is gathered.
    corked: bool,
    closed: bool,
    pub received: Vec<u8>,
    /// The peer's close_notify has arrived.
    pub ended: bool,
}

#[allow(
    clippy::large_enum_variant,
    reason = "a test moves few of them, and how large they are depends on the features"
)]
enum Stage<S: Read + Write> {
    Handshake(Handshake<S>),
    Open(Stream<S>),
    Over,
}

/// Returns true if the error means "not now".
pub fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Returns the crate's own error in an `io::Error`.
pub fn inner(error: io::Error) -> Error {
    error.downcast().expect("an error of the crate")
}

impl<S: Read + Write> Side<S> {
    pub fn new(handshake: Handshake<S>, outgoing: Vec<u8>) -> Self {
        Self::at(Stage::Handshake(handshake), outgoing)
    }

    /// Begins after the handshake.
    pub fn open(stream: Stream<S>, outgoing: Vec<u8>) -> Self {
        Self::at(Stage::Open(stream), outgoing)
    }

    fn at(stage: Stage<S>, outgoing: Vec<u8>) -> Self {
        Self {
            stage,
            outgoing,
            sent: 0,
            rekey_at: None,
            chunk: 10_000,
            corked: false,
            closed: false,
            received: Vec::new(),
            ended: false,
        }
    }

    pub fn rekey_at(mut self, at: usize) -> Self {
        self.rekey_at = Some(at);
        self
    }

    pub fn chunk(mut self, chunk: usize) -> Self {
        self.chunk = chunk;
        self
    }

    pub fn corked(mut self, corked: bool) -> Self {
        self.corked = corked;
        self
    }

    pub fn is_done(&self) -> bool {
        self.closed && self.ended
    }

    /// Makes one call of each kind that is possible now.
    pub fn step(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Over => Ok(()),
            Stage::Handshake(handshake) => {
                self.stage = match handshake.advance()? {
                    Progress::Done(mut stream) => {
                        stream.set_corked(self.corked)?;
                        Stage::Open(stream)
                    }
                    Progress::WouldBlock(handshake) => Stage::Handshake(handshake),
                    Progress::Ask(question, _) => panic!("{question:?} has no answer here"),
                    Progress::EarlyData(..) => panic!("none was sent"),
                };
                Ok(())
            }
            Stage::Open(mut stream) => {
                let result = self.talk(&mut stream);
                self.stage = Stage::Open(stream);
                Ok(result?)
            }
        }
    }

    fn talk(&mut self, stream: &mut Stream<S>) -> io::Result<()> {
        if self.rekey_at.is_some_and(|at| self.sent >= at) {
            match stream.rekey() {
                Ok(()) => self.rekey_at = None,
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error),
            }
        } else if self.sent < self.outgoing.len() {
            let end = self.outgoing.len().min(self.sent + self.chunk);
            match stream.write(&self.outgoing[self.sent..end]) {
                Ok(count) => self.sent += count,
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error),
            }
        } else if !self.closed {
            match stream.close() {
                Ok(()) => {
                    assert!(!stream.wants_write(), "close has said that all is sent");
                    self.closed = true;
                }
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if !self.ended {
            let mut buffer = vec![0; self.chunk];
            match stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Drives both sides until they are done. The number of rounds is bounded, so that a hang is a
/// failure.
pub fn converse<A: Read + Write, B: Read + Write>(
    a: &mut Side<A>,
    b: &mut Side<B>,
    rounds: usize,
) -> (Result<(), Error>, Result<(), Error>) {
    for _ in 0..rounds {
        let (left, right) = (a.step(), b.step());
        if left.is_err() || right.is_err() || (a.is_done() && b.is_done()) {
            return (left, right);
        }
    }
    panic!("neither done nor failed after {rounds} rounds");
}

/// Completes the handshakes of `a`, a client, and `b`, a server, and returns their streams.
pub fn streams<A: Read + Write, B: Read + Write>(
    mut a: Handshake<A>,
    mut b: Handshake<B>,
) -> (Stream<A>, Stream<B>) {
    let client = loop {
        match a.advance().unwrap() {
            Progress::Done(stream) => break stream,
            Progress::WouldBlock(again) => a = again,
            Progress::Ask(question, _) => panic!("{question:?} has no answer here"),
            Progress::EarlyData(..) => panic!("none was sent"),
        }
        match b.advance().unwrap() {
            Progress::WouldBlock(again) => b = again,
            Progress::Done(_) | Progress::Ask(..) | Progress::EarlyData(..) => {
                panic!("a server waits for its client")
            }
        }
    };
    loop {
        match b.advance().unwrap() {
            Progress::Done(stream) => return (client, stream),
            Progress::WouldBlock(again) => b = again,
            Progress::Ask(question, _) => panic!("{question:?} has no answer here"),
            Progress::EarlyData(..) => panic!("none was sent"),
        }
    }
}
