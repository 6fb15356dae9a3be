//! What waits to be sent is bounded, both when the application writes and whatever the peer does.

use fleeting::{Error, Fault, Status};

use crate::support::{Options, data};

/// Where `write` takes no more: four full records. The last record taken may go beyond it, as may a
/// KeyUpdate or alert.
const FULL: usize = 4 * 16_384;
const MOST: usize = 6 * 16_640;

#[test]
fn a_full_output_takes_no_more_until_it_is_sent() {
    let mut pair = Options::default().connected();
    let all = data(0, 1_000_000);
    let mut written = pair.client.connection.write(&all).unwrap();
    assert!((FULL..MOST).contains(&written), "{written}");
    assert_eq!(pair.client.connection.write(&all).unwrap(), 0);
    assert_eq!(pair.client.connection.write(&[]).unwrap(), 0);
    assert!((FULL..MOST).contains(&pair.client.connection.output().len()));
    let mut rounds = 0;
    while written < all.len() {
        // The transport takes little at a time.
        let bytes = pair.client.send(5000);
        pair.server.receive(&bytes, usize::MAX);
        written += pair.client.connection.write(&all[written..]).unwrap();
        assert!(pair.client.connection.output().len() < MOST);
        rounds += 1;
    }
    assert!(rounds > 100);
    pair.settle();
    assert!(pair.server.read == all);
}

#[test]
fn an_empty_write_sends_nothing() {
    let mut pair = Options::default().connected();
    assert_eq!(pair.client.connection.write(&[]).unwrap(), 0);
    assert!(pair.client.connection.output().is_empty());
}

/// The only output that a peer can cause is one answer to a KeyUpdate. While it has not been sent,
/// requests that arrive add none, however many there are.
#[test]
fn a_peer_that_asks_and_never_reads() {
    let mut pair = Options::default().connected();
    for _ in 0..200 {
        // Each KeyUpdate is followed by data, as too many without data are refused.
        pair.client.connection.rekey().unwrap();
        pair.client.write(b"x");
        let bytes = pair.client.send(usize::MAX);
        pair.server.receive(&bytes, usize::MAX);
        // The answer is one record: header, KeyUpdate, content type, tag.
        assert_eq!(pair.server.connection.output().len(), 5 + 5 + 1 + 16);
    }
    // It is the answer to all of them, and the data after it arrives.
    pair.server.write(b"y");
    pair.settle();
    assert_eq!(pair.client.read, b"y");
    assert_eq!(pair.server.read, [b'x'; 200]);
}

/// RFC 9846, 4.7.3 sets no limit to KeyUpdates. We limit those that come without any data.
#[test]
fn a_peer_that_only_renews_its_keys() {
    let mut pair = Options::default().connected();
    for _ in 0..64 {
        pair.client.connection.rekey().unwrap();
        let bytes = pair.client.send(usize::MAX);
        pair.server.receive(&bytes, usize::MAX);
        assert_eq!(*pair.server.status.as_ref().unwrap(), Status::NeedsInput);
    }
    pair.client.connection.rekey().unwrap();
    let bytes = pair.client.send(usize::MAX);
    pair.server.receive(&bytes, usize::MAX);
    assert!(
        matches!(
            pair.server.error(),
            Error::Protocol {
                fault: Fault::TooMany { limit: 64, .. },
                ..
            }
        ),
        "{}",
        pair.server.error()
    );
}

/// Many KeyUpdates that arrive together have one answer.
#[test]
fn several_questions_have_one_answer() {
    let mut pair = Options::default().connected();
    for _ in 0..10 {
        pair.client.connection.rekey().unwrap();
    }
    pair.client.write(b"x");
    let bytes = pair.client.send(usize::MAX);
    pair.server.receive(&bytes, usize::MAX);
    // The answer is one record: header, KeyUpdate, content type, tag.
    assert_eq!(pair.server.connection.output().len(), 5 + 5 + 1 + 16);
    pair.settle();
    assert_eq!(pair.server.read, b"x");
}

#[test]
fn the_space_to_receive_into_is_bounded() {
    let mut pair = Options::default().connected();
    let all = data(0, 400_000);
    let mut written = 0;
    while written < all.len() {
        written += pair.client.connection.write(&all[written..]).unwrap();
        let bytes = pair.client.send(usize::MAX);
        pair.server.receive(&bytes, usize::MAX);
        assert!(pair.server.connection.input().len() < MOST);
    }
    assert!(pair.server.read == all);
    // The output of an idle connection is small again.
    pair.client.write(b"x");
    pair.settle();
    assert!(pair.server.connection.input().len() <= 1024);
}
