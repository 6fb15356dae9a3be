//! A conversation with early data in which any byte or record is changed, dropped, repeated or
//! moved on the way. The result is an error or the same as without the change, and early data is
//! never read twice, or as ordinary data.

use std::sync::{Arc, OnceLock};

use fleeting::{
    Client, EarlyData, NamedGroup, ReplayEntry, ReplayGuard, ReplayStore, ReplayVerdict, Server,
    SessionCache, TicketKeys,
};

use crate::disturbed::{Disturbance, Outcome};
use crate::flipped::may_change;
use crate::support::{End, NAME, NOW, Pair, Seeded, data, pki, records};

/// A store that remembers nothing, so that one recording can be replayed again and again, and early
/// data that is taken twice is noticed.
struct Forgetful;

impl ReplayStore for Forgetful {
    fn check_and_insert(&self, _: &ReplayEntry) -> ReplayVerdict {
        ReplayVerdict::Fresh
    }
}

/// The outcome of the early data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Accepted,
    Rejected,
    /// Rejected by a HelloRetryRequest.
    Retried,
}

use Kind::{Accepted, Rejected, Retried};

fn ticket_keys() -> &'static TicketKeys {
    static KEYS: OnceLock<TicketKeys> = OnceLock::new();
    KEYS.get_or_init(TicketKeys::rotating)
}

impl Kind {
    fn server(self) -> Server {
        let server = Server::builder()
            .identity(pki().server.clone())
            .ticket_keys(ticket_keys().clone())
            .groups([NamedGroup::X25519]);
        match self {
            Accepted => {
                server.early_data(1000, ReplayGuard::with_store("one", Arc::new(Forgetful)))
            }
            Rejected => server,
            Retried => server.retry_cookie(true),
        }
        .build()
        .unwrap()
    }

    /// Returns a server's end. The same input makes it send the same bytes.
    fn server_end(self) -> End {
        End::new(self.server().connection(NOW), Seeded(4))
    }

    /// Returns the early data that the server reads.
    fn early(self) -> Vec<u8> {
        if self == Accepted {
            early()
        } else {
            Vec::new()
        }
    }
}

/// The early data, in two records. After it: the server's early answer, and what the client sends
/// once it is connected.
fn early() -> Vec<u8> {
    data(0, 30)
}

fn answer() -> Vec<u8> {
    data(1000, 20)
}

fn later() -> Vec<u8> {
    data(2000, 40)
}

/// Returning clients, each with its own ticket.
struct Returning {
    client: Client,
    sessions: SessionCache,
}

impl Returning {
    fn new() -> Self {
        let sessions = SessionCache::new(1);
        let client = Client::builder()
            .trust(pki().authority.trust())
            .groups([NamedGroup::X25519])
            .tickets(8, 0);
        Self {
            client: client
                .sessions(sessions.clone())
                .early_data(true)
                .build()
                .unwrap(),
            sessions,
        }
    }

    fn connect(&self, server: End, seed: u64) -> Pair {
        let mut rng = Seeded(seed);
        let connection = self.client.connection(NAME, NOW, &mut rng).unwrap();
        Pair {
            client: End::new(connection, rng),
            server,
        }
    }

    /// Returns the next client, after it has sent its early data.
    fn next(&self, kind: Kind) -> Pair {
        if self.sessions.is_empty() {
            let mut before = self.connect(Accepted.server_end(), 1);
            before.settle();
            // The server's data brings the tickets.
            before.server.write(b"come back");
            before.settle();
        }
        let mut pair = self.connect(kind.server_end(), 2);
        for piece in [&early()[..10], &early()[10..]] {
            assert_eq!(
                pair.client.connection.write_early_data(piece).unwrap(),
                piece.len()
            );
        }
        pair
    }
}

/// Returns all that the client sends: early data, two more records, and close_notify.
fn recording(kind: Kind) -> Vec<u8> {
    let mut pair = Returning::new().next(kind);
    pair.settle();
    pair.client.write(&later()[..10]);
    pair.client.write(&later()[10..]);
    pair.client.connection.close();
    pair.settle();
    assert_eq!(Outcome::of(&pair.server), Outcome::Sound);
    pair.client.sent
}

/// Plays this stream to the server.
fn play(kind: Kind, stream: &[u8]) -> End {
    let mut end = kind.server_end();
    end.receive(stream, usize::MAX);
    end.end();
    // Whatever arrived, each byte is read once, in order, and as the kind of data that was sent.
    assert!(kind.early().starts_with(&end.early) && later().starts_with(&end.read));
    assert!(end.read.is_empty() || end.early == kind.early());
    end
}

/// Returns true if the server received everything, and treated the early data as this kind
/// requires.
fn is_sound(kind: Kind, end: &End) -> bool {
    let sound = end.status.is_ok();
    if sound {
        assert_eq!(Outcome::of(end), Outcome::Sound);
        let outcome = if kind == Accepted {
            EarlyData::Accepted
        } else {
            EarlyData::Rejected
        };
        assert_eq!(end.connection.negotiated().unwrap().early_data(), outcome);
        assert!(end.early == kind.early() && end.read == later());
    }
    sound
}

/// Returns everything that is done to a byte.
fn mutations(stream: &[u8], at: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    let (before, rest) = stream.split_at(at);
    let with = |bytes: &[u8], rest: &[u8]| [before, bytes, rest].concat();
    let (byte, rest) = (rest[0], &rest[1..]);
    let flips = [0x01, 0x02, 0x80, 0xff].map(|mask| {
        (
            format!("byte {at} by {mask:#04x}"),
            with(&[byte ^ mask], rest),
        )
    });
    let swapped = if let [next, rest @ ..] = rest {
        with(&[*next, byte], rest)
    } else {
        stream.to_vec()
    };
    let others = [
        ("dropped", with(&[], rest)),
        ("repeated", with(&[byte, byte], rest)),
        ("swapped", swapped),
    ];
    flips
        .into_iter()
        .chain(others.map(|(what, stream)| (format!("byte {at} {what}"), stream)))
}

/// Returns the range of rejected early data: records that do not open are skipped, whatever they
/// contain (RFC 9846, 4.3.10).
fn skipped(kind: Kind, stream: &[u8]) -> core::ops::Range<usize> {
    let lengths: Vec<usize> = records(stream).iter().map(Vec::len).collect();
    let start = lengths[0] + lengths[1];
    if kind == Accepted {
        start..start
    } else {
        start..start + lengths[2] + lengths[3]
    }
}

#[test]
fn every_byte_that_the_client_sends() {
    for kind in [Accepted, Rejected, Retried] {
        let stream = recording(kind);
        assert!(is_sound(kind, &play(kind, &stream)));
        let skipped = skipped(kind, &stream);
        for at in 0..stream.len() {
            for (what, mutated) in mutations(&stream, at) {
                let sound = is_sound(kind, &play(kind, &mutated));
                // Bytes after the close_notify are ignored. Here the last byte is repeated.
                let harmless = stream == mutated
                    || may_change(&stream, at)
                    || skipped.contains(&at)
                    || mutated.starts_with(&stream);
                assert!(!sound || harmless, "{kind:?}, {what}: nobody noticed");
            }
        }
    }
}

/// The server's first flight is changed, so the client must notice.
#[test]
fn every_byte_that_the_server_sends() {
    let returning = Returning::new();
    // Changes what the client receives. Returns whether neither side noticed, and the unchanged
    // flight.
    let play = |kind, mutated: &dyn Fn(&[u8]) -> Vec<u8>| {
        let mut pair = returning.next(kind);
        let flight = pair.client.send(usize::MAX);
        pair.server.receive(&flight, usize::MAX);
        let left = if kind == Accepted { answer().len() } else { 0 };
        assert_eq!(
            pair.server.connection.write_early_data(&answer()).unwrap(),
            left
        );
        let flight = pair.server.send(usize::MAX);
        pair.client.receive(&mutated(&flight), usize::MAX);
        let connected = pair.client.connection.negotiated().is_some();
        if connected {
            pair.client.write(&later());
        }
        pair.settle();
        assert!(pair.server.early == kind.early() && pair.client.early.is_empty());
        assert!(later().starts_with(&pair.server.read) && answer().starts_with(&pair.client.read));
        let sound = connected && pair.client.status.is_ok() && pair.client.read.len() == left;
        if sound {
            pair.assert_same_view();
            assert!(pair.server.read == later());
        }
        // A side that has noticed nothing yet waits for what does not come.
        pair.client.end();
        pair.server.end();
        assert!(pair.client.status.is_err() && pair.server.status.is_err());
        (sound, flight)
    };
    for kind in [Accepted, Rejected] {
        let (sound, flight) = play(kind, &|flight| flight.to_vec());
        assert!(sound);
        for at in 0..flight.len() {
            for number in 0..mutations(&flight, at).count() {
                let mutated = |flight: &[u8]| mutations(flight, at).nth(number).unwrap();
                let (sound, flight) = play(kind, &|flight| mutated(flight).1);
                let (what, mutated) = mutated(&flight);
                let harmless = flight == mutated || may_change(&flight, at);
                // An extra byte at the end begins a record that does not come.
                assert!(
                    !sound || harmless || mutated.starts_with(&flight),
                    "{kind:?}, {what}: nobody noticed"
                );
            }
        }
    }
}

/// A cut anywhere never looks like a short success.
#[test]
fn cut_anywhere() {
    for kind in [Accepted, Rejected, Retried] {
        let stream = recording(kind);
        let mut early = 0;
        for at in 0..stream.len() {
            let end = play(kind, &stream[..at]);
            let expected = match at {
                0 => Outcome::NothingReceived,
                _ => Outcome::Truncated,
            };
            assert_eq!(Outcome::of(&end), expected, "{kind:?} {at}");
            assert!(end.early.len() >= early);
            early = end.early.len();
        }
        assert_eq!(early, kind.early().len());
    }
}

#[test]
fn records_that_are_dropped_repeated_and_moved() {
    use Outcome::{
        BadRecordMac as Bad, ChangeCipherSpec, HelloChanged, Sound, Truncated, Unexpected,
    };
    let check = |kind, expected: &[[Outcome; 4]]| {
        let stream = recording(kind);
        let records = records(&stream);
        assert_eq!(records.len(), expected.len());
        for (at, expected) in expected.iter().enumerate() {
            for (disturbance, expected) in Disturbance::ALL.into_iter().zip(expected) {
                let end = play(kind, &disturbance.disturb(&records, at));
                assert_eq!(
                    Outcome::of(&end),
                    *expected,
                    "{kind:?}: {disturbance:?} {at}"
                );
                assert_eq!(is_sound(kind, &end), *expected == Sound);
            }
        }
    };
    // Each line has the outcomes of dropping, repeating, swapping with the next, and delaying to
    // the end.
    let hello = [
        ChangeCipherSpec,
        Unexpected(22),
        ChangeCipherSpec,
        ChangeCipherSpec,
    ];
    // A ChangeCipherSpec is accepted until Finished arrives. After the close_notify anything is.
    let change_cipher_spec = [Sound; 4];
    let close = [Truncated, Sound, Sound, Sound];
    // RFC 9846, 5.3: a record opens only under its own number.
    let [first, second, end_of_early_data, finished, data] = [[Bad; 4]; 5];
    check(
        Accepted,
        &[
            hello,
            change_cipher_spec,
            first,
            second,
            end_of_early_data,
            finished,
            data,
            data,
            close,
        ],
    );

    // RFC 9846, 4.3.10: records that do not open are skipped until one does. So early data may be
    // missing, repeated, or in any order before the Finished, but not after it. Without the
    // Finished everything is skipped, and if it is late, everything before it.
    let first = [Sound; 4];
    let second = [Sound, Sound, Bad, Sound];
    let finished = [Truncated, Bad, Bad, Truncated];
    check(
        Rejected,
        &[
            hello,
            change_cipher_spec,
            first,
            second,
            finished,
            data,
            data,
            close,
        ],
    );

    // After a retry, early data is skipped by its type until the second ClientHello arrives.
    let hello = [
        ChangeCipherSpec,
        HelloChanged,
        ChangeCipherSpec,
        ChangeCipherSpec,
    ];
    let second_hello = [Truncated, Unexpected(22), Bad, Truncated];
    let finished = [Bad; 4];
    check(
        Retried,
        &[
            hello,
            change_cipher_spec,
            first,
            second,
            second_hello,
            finished,
            data,
            data,
            close,
        ],
    );
}
