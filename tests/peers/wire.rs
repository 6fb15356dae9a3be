//! [`Wire`]: a socket that records how the connection began, so that a test can see what was sent
//! in the clear.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use fleeting::Split;

/// ServerHello.random of a HelloRetryRequest: SHA-256 of "HelloRetryRequest" (RFC 9846, 4.2.4).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// How many bytes are recorded: more than two ClientHellos with two tickets each.
const REMEMBERED: usize = 8192;

/// The length of a JDK's record with a KeyUpdate: a message of five bytes, the content type, the
/// padding that it adds to every record, and the tag.
const KEY_UPDATE: usize = 5 + 1 + 16 + 16;

/// The extension with which a ticket is offered (RFC 9846, 4.3).
pub const PRE_SHARED_KEY: u16 = 41;

/// The extension that announces early data (RFC 9846, 4.3).
pub const EARLY_DATA: u16 = 42;

/// A socket, and the first bytes in each direction.
#[derive(Debug)]
pub struct Wire {
    tcp: TcpStream,
    sent: Vec<u8>,
    received: Vec<u8>,
    lengths: Lengths,
}

/// Finds the records in what is received.
#[derive(Debug, Default)]
struct Lengths {
    header: Vec<u8>,
    /// How much of the record's content is still to come.
    rest: usize,
    key_updates: usize,
}

impl Lengths {
    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let inside = self.rest.min(bytes.len());
            self.rest -= inside;
            bytes = &bytes[inside..];
            let needed = (5 - self.header.len()).min(bytes.len());
            if self.rest > 0 || needed == 0 {
                continue;
            }
            self.header.extend(&bytes[..needed]);
            bytes = &bytes[needed..];
            if let [content_type, _, _, high, low] = self.header[..] {
                self.rest = usize::from(u16::from_be_bytes([high, low]));
                self.key_updates += usize::from(content_type == 23 && self.rest == KEY_UPDATE);
                self.header.clear();
            }
        }
    }
}

impl Wire {
    pub fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            sent: Vec::new(),
            received: Vec::new(),
            lengths: Lengths::default(),
        }
    }

    /// Returns how many records were received that have the length of a JDK's KeyUpdate.
    pub fn key_updates(&self) -> usize {
        self.lengths.key_updates
    }

    /// Ends the connection without a close_notify, as a crash would.
    pub fn cut(&self) {
        self.tcp.shutdown(Shutdown::Both).unwrap();
    }

    /// Returns the recorded bytes that were received from the beginning.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// Returns true if the server sent a HelloRetryRequest.
    pub fn retried(&self) -> bool {
        [&self.sent, &self.received]
            .iter()
            .any(|bytes| bytes.windows(RETRY.len()).any(|window| window == RETRY))
    }

    /// Returns true if the (first) ClientHello has this extension.
    pub fn client_offered(&self, extension: u16) -> bool {
        let hello = [&self.sent, &self.received]
            .into_iter()
            .find_map(|bytes| first_client_hello(bytes))
            .expect("no ClientHello");
        extensions(hello).contains(&extension)
    }

    /// Returns the lengths of the longest protected records that we sent and that we received.
    pub fn longest_records(&self) -> (usize, usize) {
        (longest_record(&self.sent), longest_record(&self.received))
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.tcp.read(buffer)?;
        remember(&mut self.received, &buffer[..count]);
        self.lengths.follow(&buffer[..count]);
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.tcp.write(buffer)?;
        remember(&mut self.sent, &buffer[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

impl Split for Wire {
    type Reader = Self;
    type Writer = TcpStream;

    fn split(self) -> io::Result<(Self, TcpStream)> {
        let writer = self.tcp.try_clone()?;
        Ok((self, writer))
    }
}

fn remember(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = REMEMBERED - kept.len();
    kept.extend(&bytes[..room.min(bytes.len())]);
}

fn longest_record(mut bytes: &[u8]) -> usize {
    let mut longest = 0;
    while let [content_type, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        longest = longest.max(if *content_type == 23 { length } else { 0 });
        bytes = rest.get(length..).unwrap_or_default();
    }
    longest
}

/// Returns the body of a ClientHello at the beginning, in a record of its own.
fn first_client_hello(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [22, 3, _, _, _, 1, _, high, low, body @ ..] => {
            body.get(..usize::from(u16::from_be_bytes([*high, *low])))
        }
        _ => None,
    }
}

fn extensions(hello: &[u8]) -> Vec<u16> {
    // legacy_version and random
    let mut rest = &hello[2 + 32..];
    let mut skip = |length_bytes: usize| {
        let (length, after) = rest.split_at(length_bytes);
        let (inside, after) = after.split_at(
            length
                .iter()
                .fold(0, |sum, byte| sum * 256 + usize::from(*byte)),
        );
        rest = after;
        inside
    };
    let (_session_id, _suites, _compression, mut list) = (skip(1), skip(2), skip(1), skip(2));
    let mut found = Vec::new();
    while let [high, low, length_high, length_low, after @ ..] = list {
        found.push(u16::from_be_bytes([*high, *low]));
        list = &after[usize::from(u16::from_be_bytes([*length_high, *length_low]))..];
    }
    found
}
