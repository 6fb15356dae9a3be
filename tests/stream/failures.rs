//! Transports that fail, and what each side learns of it.

use std::io::{self, Read, Write};

use fleeting::{AlertDescription, Authority, Client, ClientAuth, Error, Fault, Progress, Server};

use crate::pipe::{End, pipe, wide_pipe};
use crate::side::{content, inner, is_pause, pair, streams};

/// A transport whose peer has left: its last words can be read, and nothing can be written.
struct Gone {
    last_words: &'static [u8],
    error: io::ErrorKind,
}

impl Read for Gone {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.last_words.read(out)
    }
}

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.error.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// handshake_failure, fatal, unprotected.
const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 40];

#[test]
fn the_alert_of_a_peer_that_has_gone_is_preferred() {
    let (client, _) = pair();
    for error in [
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionAborted,
    ] {
        let told = client
            .connect(
                "db.internal",
                Gone {
                    last_words: ALERT,
                    error,
                },
            )
            .map(drop)
            .unwrap_err();
        assert!(
            matches!(
                told,
                Error::AlertReceived {
                    alert: AlertDescription::HANDSHAKE_FAILURE,
                    ..
                }
            ),
            "{told:?}"
        );
        let untold = client
            .connect(
                "db.internal",
                Gone {
                    last_words: &[],
                    error,
                },
            )
            .map(drop)
            .unwrap_err();
        assert!(
            matches!(&untold, Error::Io(inner) if inner.kind() == error),
            "{untold:?}"
        );
        let half = client
            .connect(
                "db.internal",
                Gone {
                    last_words: &ALERT[..4],
                    error,
                },
            )
            .map(drop)
            .unwrap_err();
        assert!(
            matches!(&half, Error::Io(inner) if inner.kind() == error),
            "{half:?}"
        );
    }
    // Another error does not say that the peer has left.
    let other = client
        .connect(
            "db.internal",
            Gone {
                last_words: ALERT,
                error: io::ErrorKind::Other,
            },
        )
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(&other, Error::Io(inner) if inner.kind() == io::ErrorKind::Other),
        "{other:?}"
    );
    let zero = client
        .connect("db.internal", TakesNothing)
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(&zero, Error::Io(inner) if inner.kind() == io::ErrorKind::WriteZero),
        "{zero:?}"
    );
}

struct TakesNothing;

impl Read for TakesNothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for TakesNothing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The handshake of a client is complete before the server refuses its missing certificate. The
/// client learns of it by reading, even after a write has failed.
#[test]
fn a_refusal_is_read_after_a_write_has_failed() {
    let authority = Authority::new("tests").unwrap();
    let client = Client::builder().trust(authority.trust()).build().unwrap();
    let server = Server::builder()
        .identity(authority.issue_server(["db.internal"]).unwrap())
        .client_auth(ClientAuth::Required(authority.trust()))
        .build()
        .unwrap();
    let (a, b) = wide_pipe();
    let (mut a, mut b) = (client.start("db.internal", a).unwrap(), server.start(b));
    let mut stream = loop {
        match a.advance().unwrap() {
            Progress::Done(stream) => break stream,
            Progress::WouldBlock(again) => a = again,
            Progress::Ask(..) | Progress::EarlyData(..) => unreachable!(),
        }
        b = match b.advance().unwrap() {
            Progress::WouldBlock(again) => again,
            _ => unreachable!(),
        };
    };
    let refusal = b.advance().map(drop).unwrap_err();
    assert!(
        matches!(
            refusal,
            Error::Protocol {
                fault: Fault::CertificateRequired { .. },
                ..
            }
        ),
        "{refusal:?}"
    );
    for _ in 0..2 {
        assert_eq!(
            stream.write(b"hello?").unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }
    for _ in 0..2 {
        let error = stream.read(&mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(matches!(
            inner(error),
            Error::AlertReceived {
                alert: AlertDescription::CERTIFICATE_REQUIRED,
                ..
            }
        ));
    }
    // What was negotiated is still known, for a log.
    assert!(stream.peer().is_some());
    assert!(stream.close().is_err());
    assert!(stream.channel_binding().is_err());
}

/// A transport whose `write` fails once. Reading still works, and so would later writes.
struct Half {
    end: End,
    fails: Option<io::ErrorKind>,
}

impl Read for Half {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.end.read(out)
    }
}

impl Write for Half {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self.fails.take() {
            Some(kind) => Err(kind.into()),
            None => self.end.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_came_is_read_after_a_write_has_failed() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let (mut a, mut b) = streams(
        client
            .start(
                "db.internal",
                Half {
                    end: a,
                    fails: None,
                },
            )
            .unwrap(),
        server.start(b),
    );
    b.write_all(b"first").unwrap();
    b.rekey().unwrap(); // wants an answer, which cannot be sent
    b.write_all(b", second").unwrap();
    b.close().unwrap();
    a.get_mut().fails = Some(io::ErrorKind::Other);
    assert_eq!(a.write(b"lost").unwrap_err().kind(), io::ErrorKind::Other);
    // The transport would work again, but a record is missing: nothing more is sent.
    assert_eq!(
        a.write(b"lost too").unwrap_err().kind(),
        io::ErrorKind::Other
    );
    assert_eq!(a.flush().unwrap_err().kind(), io::ErrorKind::Other);
    assert!(!a.wants_write());
    let mut text = String::new();
    a.read_to_string(&mut text).unwrap();
    assert_eq!(text, "first, second");
    drop(a);
    assert!(matches!(
        inner(b.read(&mut [0; 10]).unwrap_err()),
        Error::Truncated
    ));
}

/// A forged record ends the connection and is answered with an alert. Data that arrived before it
/// is read first.
#[test]
fn a_forged_record_comes_after_what_was_true() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let (mut a, mut b) = streams(client.start("db.internal", a).unwrap(), server.start(b));
    a.write_all(b"true").unwrap();
    a.get_mut()
        .write_all(&[
            23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
        ])
        .unwrap();
    let mut text = [0; 100];
    assert_eq!(b.read(&mut text).unwrap(), 4);
    // The alert may wait for the transport; the data before it does not.
    assert!(is_pause(&a.read(&mut text).unwrap_err()));
    for _ in 0..2 {
        let error = inner(b.read(&mut text).unwrap_err());
        assert!(
            matches!(
                error,
                Error::Protocol {
                    fault: Fault::BadRecordMac,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(matches!(
            inner(b.write(b"no").unwrap_err()),
            Error::Protocol {
                fault: Fault::BadRecordMac,
                ..
            }
        ));
    }
    let error = inner(a.read(&mut text).unwrap_err());
    assert!(
        matches!(
            error,
            Error::AlertReceived {
                alert: AlertDescription::BAD_RECORD_MAC,
                ..
            }
        ),
        "{error:?}"
    );
}

/// RFC 9846, section 6: nothing is sent after a fatal alert, not even data that was accepted
/// before. `flush` and `close` return the error.
#[test]
fn what_an_alert_keeps_back_is_not_said_to_be_sent() {
    let (client, server) = pair();
    let (a, b) = pipe(10_000, (None, None));
    let (mut a, mut b) = streams(client.start("db.internal", a).unwrap(), server.start(b));
    a.get_mut()
        .write_all(&[
            23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
        ])
        .unwrap();
    assert_eq!(a.write(&content(50_000, 1)).unwrap(), 50_000);
    assert!(is_pause(&a.flush().unwrap_err()) && a.wants_write());
    assert_eq!(
        inner(b.read(&mut [0; 10]).unwrap_err()).alert(),
        Some(AlertDescription::BAD_RECORD_MAC)
    );
    assert!(matches!(
        inner(a.read(&mut [0; 10]).unwrap_err()),
        Error::AlertReceived {
            alert: AlertDescription::BAD_RECORD_MAC,
            ..
        }
    ));
    for _ in 0..2 {
        assert!(matches!(
            inner(a.flush().unwrap_err()),
            Error::AlertReceived {
                alert: AlertDescription::BAD_RECORD_MAC,
                ..
            }
        ));
        assert!(matches!(
            inner(a.close().unwrap_err()),
            Error::AlertReceived {
                alert: AlertDescription::BAD_RECORD_MAC,
                ..
            }
        ));
        assert!(!a.wants_write());
    }
}

/// An `http://` client connects.
#[test]
fn another_protocol_is_refused_with_an_alert() {
    let (_, server) = pair();
    let (mut a, b) = wide_pipe();
    a.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let error = server.accept(b).map(drop).unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    let mut answer = Vec::new();
    a.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, error.alert().unwrap().0]);
}
