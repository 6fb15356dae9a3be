//! A connection is cut at every byte: it never looks like an orderly end.

use std::io::{self, Read, Write};

use fleeting::Error;

use crate::pipe::{pipe, wide_pipe};
use crate::side::{Side, content, converse, inner, pair, streams};

const THERE: usize = 300;
const BACK: usize = 200;

/// Runs a conversation that is cut after this many bytes in each direction. Returns whether each
/// side saw an orderly end.
fn conversation(cuts: (Option<usize>, Option<usize>), corked: bool) -> (bool, bool) {
    let (client, server) = pair();
    let (a, b) = pipe(usize::MAX, cuts);
    let mut a = Side::new(client.start("db.internal", a).unwrap(), content(THERE, 1))
        .rekey_at(100)
        .chunk(100)
        .corked(corked);
    let mut b = Side::new(server.start(b), content(BACK, 2))
        .chunk(70)
        .corked(corked);
    let (left, right) = converse(&mut a, &mut b, 100);
    assert!(
        content(BACK, 2).starts_with(&a.received) && content(THERE, 1).starts_with(&b.received)
    );
    for (side, result, whole) in [
        (a.ended, left, a.received.len() == BACK),
        (b.ended, right, b.received.len() == THERE),
    ] {
        assert!(!side || whole, "an end before all was there, with {cuts:?}");
        if let Err(error) = result {
            // The side that fails second may write to a closed pipe.
            let gone =
                matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::BrokenPipe);
            assert!(
                match error {
                    // A server that is cut off before the first byte.
                    Error::NothingReceived => cuts.0 == Some(0),
                    _ => gone || matches!(error, Error::Truncated),
                },
                "{error:?} with {cuts:?}"
            );
        }
    }
    (a.ended, b.ended)
}

#[test]
fn at_every_byte_from_the_client() {
    for corked in [false, true] {
        assert_eq!(conversation((None, None), corked), (true, true));
        let mut whole = None;
        for cut in 0.. {
            // The server sees an end only once it has received the client's close_notify.
            let (_, ended) = conversation((Some(cut), None), corked);
            if ended {
                whole = Some(cut);
                break;
            }
        }
        // Every byte was needed: two hellos, a certificate each, the data.
        assert!(whole.unwrap() > 900, "{whole:?}");
    }
}

#[test]
fn at_every_byte_from_the_server() {
    let mut whole = None;
    for cut in 0.. {
        let (ended, _) = conversation((None, Some(cut)), false);
        if ended {
            whole = Some(cut);
            break;
        }
    }
    assert!(whole.unwrap() > 900, "{whole:?}");
}

/// What arrived before the cut can be read. After it, every call returns the error.
#[test]
fn what_came_before_can_be_read() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let (mut a, mut b) = streams(client.start("db.internal", a).unwrap(), server.start(b));
    a.write_all(b"before the cut").unwrap();
    drop(a.into_inner());
    let mut received = [0; 100];
    assert_eq!(b.read(&mut received).unwrap(), 14);
    for _ in 0..3 {
        let error = b.read(&mut received).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(matches!(inner(error), Error::Truncated));
    }
    let mut all = Vec::new();
    assert!(b.read_to_end(&mut all).is_err());
    assert!(all.is_empty());
}
