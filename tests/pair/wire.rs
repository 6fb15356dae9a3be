//! Messages in the clear, parsed by hand, so that the tests can see what the connections did; and
//! transports.

use crate::support::{End, Pair, Seeded, records};

// RFC 9846, 4.3: ExtensionType.
pub const PRE_SHARED_KEY: u16 = 41;
pub const EARLY_DATA: u16 = 42;
pub const SUPPORTED_VERSIONS: u16 = 43;
pub const COOKIE: u16 = 44;
pub const KEY_SHARE: u16 = 51;

/// RFC 9846, 4.2.3: the ServerHello.random of a HelloRetryRequest.
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A ClientHello, ServerHello or HelloRetryRequest, the only messages in the clear.
#[derive(Clone)]
pub struct Hello {
    client: bool,
    pub random: [u8; 32],
    /// Everything from the session id to the compression method.
    pub middle: Vec<u8>,
    pub extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    /// Parses a record, which must hold exactly one whole message.
    fn read(record: &[u8]) -> Self {
        let (header, body) = record[5..].split_at(4);
        assert_eq!(
            usize::from(u16::from_be_bytes([header[2], header[3]])),
            body.len(),
            "one message in one record"
        );
        let client = header[0] == 1;
        let session_id = usize::from(body[34]) + 1;
        let suites = if client {
            2 + usize::from(u16::from_be_bytes([
                body[34 + session_id],
                body[35 + session_id],
            ]))
        } else {
            2
        };
        let compression = if client { 2 } else { 1 };
        let (fixed, mut rest) = body.split_at(34 + session_id + suites + compression);
        rest = &rest[2..];
        let mut extensions = Vec::new();
        while let [kind, low, high_length, length, after @ ..] = rest {
            let (value, more) =
                after.split_at(usize::from(u16::from_be_bytes([*high_length, *length])));
            extensions.push((u16::from_be_bytes([*kind, *low]), value.to_vec()));
            rest = more;
        }
        assert!(rest.is_empty());
        Self {
            client,
            random: fixed[2..34].try_into().unwrap(),
            middle: fixed[34..].to_vec(),
            extensions,
        }
    }

    /// Encodes the message as a record.
    pub fn write(&self) -> Vec<u8> {
        let two = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
        let with_length = |bytes: &[u8]| [&two(bytes.len())[..], bytes].concat();
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(kind, value)| [&kind.to_be_bytes()[..], &with_length(value)].concat())
            .collect();
        let body = [
            &[3, 3],
            &self.random[..],
            &self.middle,
            &with_length(&extensions),
        ]
        .concat();
        let message = [
            &[if self.client { 1 } else { 2 }, 0],
            &with_length(&body)[..],
        ]
        .concat();
        [&[22, 3, 3], &with_length(&message)[..]].concat()
    }

    pub fn is_retry(&self) -> bool {
        !self.client && self.random == RETRY_RANDOM
    }

    pub fn extension(&self, wanted: u16) -> Option<&[u8]> {
        self.extensions
            .iter()
            .find(|(kind, _)| *kind == wanted)
            .map(|(_, value)| value.as_slice())
    }

    /// Returns the groups of a ClientHello's key_share: a list of group and length, each followed
    /// by the share.
    pub fn share_groups(&self) -> Vec<u16> {
        let mut rest = &self.extension(KEY_SHARE).unwrap()[2..];
        let mut groups = Vec::new();
        while let [high, low, high_length, length, after @ ..] = rest {
            groups.push(u16::from_be_bytes([*high, *low]));
            rest = &after[usize::from(u16::from_be_bytes([*high_length, *length]))..];
        }
        groups
    }
}

/// Returns the messages in the clear, in order.
pub fn hellos(stream: &[u8]) -> Vec<Hello> {
    records(stream)
        .iter()
        .filter(|record| record[0] == 22)
        .map(|record| Hello::read(record))
        .collect()
}

/// Returns the number of records of a type.
pub fn count(stream: &[u8], content_type: u8) -> usize {
    records(stream)
        .iter()
        .filter(|record| record[0] == content_type)
        .count()
}

/// How bytes are delivered to the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// All that is available, at once.
    Whole,
    /// Byte by byte.
    Bytes,
    /// In pieces that end anywhere. The messages in the clear are also split into several records
    /// (RFC 9846, 5.1: they "MAY be ... fragmented across several records").
    Cut,
}

impl Transport {
    pub const ALL: [Self; 3] = [Self::Whole, Self::Bytes, Self::Cut];

    /// Delivers these whole records to the other side.
    pub fn deliver(self, bytes: &[u8], to: &mut End, rng: &mut Seeded) {
        match self {
            Self::Whole => to.receive(bytes, usize::MAX),
            Self::Bytes => to.receive(bytes, 1),
            Self::Cut => {
                let records: Vec<_> = records(bytes)
                    .iter()
                    .flat_map(|record| cut(record, rng))
                    .collect();
                let mut rest = records.as_slice();
                while !rest.is_empty() {
                    let (piece, more) = rest.split_at(rng.up_to(700).min(rest.len()));
                    to.receive(piece, usize::MAX);
                    rest = more;
                }
            }
        }
    }

    /// Moves bytes until neither side has any to send.
    pub fn settle(self, pair: &mut Pair, rng: &mut Seeded) {
        loop {
            let bytes = pair.client.send(usize::MAX);
            self.deliver(&bytes, &mut pair.server, rng);
            let answer = pair.server.send(usize::MAX);
            self.deliver(&answer, &mut pair.client, rng);
            if bytes.is_empty() && answer.is_empty() {
                return;
            }
        }
    }
}

/// Splits a record in the clear into several records. A protected record stays as it is.
fn cut(record: &[u8], rng: &mut Seeded) -> Vec<u8> {
    let (header, mut rest) = record.split_at(5);
    if header[0] != 22 {
        return record.to_vec();
    }
    let mut records = Vec::new();
    while !rest.is_empty() {
        // The first cut is in the message's header.
        let most = if records.is_empty() { 3 } else { 300 };
        let (piece, more) = rest.split_at(rng.up_to(most).min(rest.len()));
        records.extend_from_slice(&header[..3]);
        records.extend_from_slice(&u16::try_from(piece.len()).unwrap().to_be_bytes());
        records.extend_from_slice(piece);
        rest = more;
    }
    records
}
