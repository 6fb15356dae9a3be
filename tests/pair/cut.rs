//! A connection that is cut never looks like a short success (RFC 9846, 6.1). Wherever it is cut,
//! the end reports `Truncated`, and what was read before is a prefix of what was written.

use fleeting::{Error, Status};

use crate::support::{End, Options, Pair, SUITES, data};

/// A handshake and a short conversation: three records, two KeyUpdates and a close_notify each way.
fn recording(options: Options) -> Pair {
    let mut pair = options.pair();
    pair.settle();
    for (end, first) in [(&mut pair.client, 0), (&mut pair.server, 1000)] {
        end.write(&data(first, 10));
        end.write(&data(first + 10, 40));
        end.connection.rekey().unwrap();
        end.write(&data(first + 50, 7));
    }
    // Each side answers the other's KeyUpdate with one of its own, before its close_notify.
    pair.settle();
    pair.client.connection.close();
    pair.server.connection.close();
    pair.settle();
    assert_eq!(pair.client.status.as_ref().unwrap(), &Status::Closed);
    assert_eq!(pair.server.status.as_ref().unwrap(), &Status::Closed);
    pair
}

/// Returns one side, after the transport delivered this much of what the other side sent, and
/// ended.
fn cut(mut end: End, stream: &[u8]) -> End {
    end.receive(stream, usize::MAX);
    end.end();
    end
}

fn cut_everywhere(new: impl Fn() -> End, is_server: bool, stream: &[u8], written: &[u8]) {
    // The stream is delivered byte by byte, so that the end answers the KeyUpdate before it sees
    // the close_notify.
    let mut whole = new();
    whole.receive(stream, 1);
    whole.end();
    whole.send(usize::MAX);
    assert_eq!(*whole.status.as_ref().unwrap(), Status::Closed);
    assert!(whole.read == written);

    let mut read = 0;
    for at in 0..stream.len() {
        let is_cut = |error: &Error| match error {
            Error::NothingReceived => is_server && at == 0,
            Error::Truncated => !is_server || at > 0,
            _ => false,
        };
        let mut end = cut(new(), &stream[..at]);
        assert!(is_cut(end.error()), "cut at {at}: {}", end.error());
        // RFC 9846, 6.1: there is nobody left to alert.
        assert_eq!(end.error().alert(), None);
        end.send(usize::MAX);
        assert!(
            whole.sent.starts_with(&end.sent),
            "cut at {at}: it sends nothing that it would not have sent"
        );
        assert!(
            written.starts_with(&end.read) && end.read.len() >= read,
            "cut at {at}"
        );
        read = end.read.len();
        // The error is permanent.
        end.process();
        assert!(is_cut(end.error()));
        assert!(is_cut(&end.connection.write(b"x").unwrap_err()));
    }
    assert_eq!(read, written.len(), "only the close_notify was missing");
}

#[test]
fn the_server_is_told_nothing_more() {
    let options = Options::default();
    let pair = recording(options);
    cut_everywhere(
        || options.server_end(),
        true,
        &pair.client.sent,
        &data(0, 57),
    );
}

#[test]
fn the_client_is_told_nothing_more() {
    let options = Options {
        suite: SUITES[2],
        ..Options::default()
    };
    let pair = recording(options);
    cut_everywhere(
        || options.client_end(),
        false,
        &pair.server.sent,
        &data(1000, 57),
    );
}

#[test]
fn without_client_authentication() {
    let options = Options {
        client_auth: false,
        suite: SUITES[1],
        ..Options::default()
    };
    let pair = recording(options);
    cut_everywhere(
        || options.server_end(),
        true,
        &pair.client.sent,
        &data(0, 57),
    );
}

/// Bytes after a close_notify are ignored, and the transport may end there (RFC 9846, 6.1).
#[test]
fn after_the_close_notify_nothing_matters() {
    let options = Options::default();
    let pair = recording(options);
    for rest in [
        &b"x"[..],
        &[23, 3, 3, 0, 0],
        &[0xff; 40_000],
        &pair.client.sent,
    ] {
        for fragment in [1, usize::MAX] {
            let mut end = options.server_end();
            end.receive(
                &[
                    &pair.client.sent[..],
                    &rest[..rest.len().min(if fragment == 1 { 40 } else { rest.len() })],
                ]
                .concat(),
                fragment,
            );
            end.end();
            assert_eq!(*end.status.as_ref().unwrap(), Status::Closed);
            assert!(end.read == data(0, 57));
        }
    }
}
