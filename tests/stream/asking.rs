//! Questions of a handshake over a transport. `advance` returns them; `connect`, `accept` and
//! `finish` cannot.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use fleeting::{
    AlertDescription, Answer, Authority, Client, ClientAuth, EarlyData, Error, Handshake, Identity,
    LiveServer, Progress, PublicKey, Question, ReplayGuard, ReplayVerdict, Server, SessionCache,
    Stream,
};

use crate::pipe::{End, Fickle, Mood, pipe, wide_pipe};
use crate::side::is_pause;

const NAME: &str = "db.internal";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public_key() -> PublicKey {
    key().verifying_key().to_bytes().into()
}

fn sign(message: &[u8]) -> Answer {
    Answer::Signature(key().sign(message).to_vec())
}

/// A client and a server that authenticate each other with keys held elsewhere.
fn pair() -> (Client, Server) {
    pair_with(Duration::from_secs(10))
}

/// Like `pair`, with this handshake_timeout at the server.
fn pair_with(timeout: Duration) -> (Client, Server) {
    let authority = Authority::new("tests").unwrap();
    let asking = |chain: String| Identity::asking(chain).unwrap();
    let client = asking(
        authority
            .certificate()
            .client("alice")
            .issue_for(public_key())
            .unwrap(),
    );
    let server = asking(
        authority
            .certificate()
            .server([NAME])
            .issue_for(public_key())
            .unwrap(),
    );
    let client = Client::builder()
        .trust(authority.trust())
        .identity(client)
        .sessions(SessionCache::new(8))
        .early_data(true);
    let server = Server::builder()
        .identity(server)
        .client_auth(ClientAuth::Required(authority.trust()));
    let server = server
        .early_data(1000, ReplayGuard::asking("a store"))
        .handshake_timeout(timeout);
    (client.build().unwrap(), server.build().unwrap())
}

fn asked<S: Read + Write>(progress: Progress<S>) -> (Question, Handshake<S>) {
    match progress {
        Progress::Ask(question, handshake) => (question, handshake),
        other => panic!("nothing is asked: {}", kind(&other)),
    }
}

fn waits<S: Read + Write>(progress: Progress<S>) -> Handshake<S> {
    match progress {
        Progress::WouldBlock(handshake) => handshake,
        other => panic!("it does not wait: {}", kind(&other)),
    }
}

fn kind<S: Read + Write>(progress: &Progress<S>) -> &'static str {
    match progress {
        Progress::Done(_) => "done",
        Progress::WouldBlock(_) => "would block",
        Progress::Ask(..) => "asks",
        Progress::EarlyData(..) => "early data",
    }
}

/// One side of a handshake. It answers a question only after `patience` more calls of `advance`.
struct Party<S: Read + Write> {
    handshake: Option<Handshake<S>>,
    stream: Option<Stream<S>>,
    server: Server,
    patience: usize,
    asked: Vec<Question>,
    early: Vec<u8>,
}

impl<S: Read + Write> Party<S> {
    fn new(handshake: Handshake<S>, server: &Server, patience: usize) -> Self {
        let (asked, early) = Default::default();
        Self {
            handshake: Some(handshake),
            stream: None,
            server: server.clone(),
            patience,
            asked,
            early,
        }
    }

    fn step(&mut self) {
        let Some(handshake) = self.handshake.take() else {
            return;
        };
        match handshake.advance().unwrap() {
            Progress::Done(stream) => self.stream = Some(stream),
            Progress::WouldBlock(handshake) => self.handshake = Some(handshake),
            Progress::EarlyData(data, handshake) => {
                self.early.extend(data);
                self.handshake = Some(handshake);
            }
            Progress::Ask(question, mut handshake) => {
                self.asked.push(question);
                for _ in 0..self.patience {
                    handshake = match handshake.advance().unwrap() {
                        Progress::Ask(again, handshake) => {
                            assert_eq!(again, question);
                            handshake
                        }
                        // The transport is not ready to send.
                        other => waits(other),
                    };
                }
                self.handshake = Some(match question {
                    Question::Configuration => handshake.choose(&self.server).unwrap(),
                    Question::Replay => handshake
                        .answer(Answer::Replay(ReplayVerdict::Fresh))
                        .unwrap(),
                    Question::Signature => {
                        let answer = sign(handshake.to_sign().unwrap());
                        handshake.answer(answer).unwrap()
                    }
                    _ => panic!("{question:?}"),
                });
            }
        }
    }
}

/// Runs both handshakes until they are complete. The number of rounds is bounded.
fn meet<A: Read + Write, B: Read + Write>(
    a: &mut Party<A>,
    b: &mut Party<B>,
) -> (Stream<A>, Stream<B>) {
    for _ in 0..100_000 {
        a.step();
        b.step();
        if a.stream.is_some() && b.stream.is_some() {
            return (a.stream.take().unwrap(), b.stream.take().unwrap());
        }
    }
    panic!("neither done nor failed");
}

/// Over fickle transports with little room, a question is asked until it is answered, and nothing
/// is lost.
#[test]
fn everything_is_asked_and_answered() {
    use Question::{Configuration, Replay, Signature};
    const MOODS: [&[Mood]; 2] = [
        &[Mood::Works],
        &[
            Mood::WouldBlock,
            Mood::Works,
            Mood::TimedOut,
            Mood::Works,
            Mood::Interrupted,
        ],
    ];
    for (moods, capacity, patience) in [
        (MOODS[0], usize::MAX, 0),
        (MOODS[0], 100, 3),
        (MOODS[1], usize::MAX, 1),
        (MOODS[1], 10, 5),
    ] {
        let (client, server) = pair();
        for (expected, early) in [
            (vec![Configuration, Signature], &b""[..]),
            (vec![Configuration, Replay], b"GET /"),
        ] {
            // Early data and the server's flight cross. Each needs room, as neither side reads
            // before it has sent everything.
            let (a, b) = pipe(
                if early.is_empty() {
                    capacity
                } else {
                    usize::MAX
                },
                (None, None),
            );
            let chunk = if capacity == usize::MAX {
                usize::MAX
            } else {
                7
            };
            let mut handshake = client.start(NAME, Fickle::new(a, chunk, moods)).unwrap();
            let mut rest = early;
            while !rest.is_empty() {
                match handshake.early_data().unwrap().write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) => assert!(is_pause(&error), "{error}"),
                }
            }
            let mut a = Party::new(handshake, &server, patience);
            let mut b = Party::new(
                Handshake::undecided(Fickle::new(b, chunk, moods)),
                &server,
                patience,
            );
            let (mut client_stream, mut server_stream) = meet(&mut a, &mut b);
            assert_eq!(b.asked, expected);
            assert_eq!(
                a.asked,
                if early.is_empty() {
                    vec![Signature]
                } else {
                    vec![]
                }
            );
            assert_eq!(b.early, early);
            assert_eq!(
                client_stream.early_data(),
                if early.is_empty() {
                    EarlyData::NotOffered
                } else {
                    EarlyData::Accepted
                }
            );
            exchange(&mut server_stream, &mut client_stream);
            exchange(&mut client_stream, &mut server_stream);
        }
    }
}

/// Sends some data over transports that do not wait.
fn exchange<A: Read + Write, B: Read + Write>(from: &mut Stream<A>, to: &mut Stream<B>) {
    let (mut written, mut flushed, mut read) = (0, false, Vec::new());
    for _ in 0..10_000 {
        if written < 5 {
            match from.write(&b"hello"[written..]) {
                Ok(count) => written += count,
                Err(error) => assert!(is_pause(&error), "{error}"),
            }
        } else if !flushed {
            match from.flush() {
                Ok(()) => flushed = true,
                Err(error) => assert!(is_pause(&error), "{error}"),
            }
        }
        let mut buffer = [0; 10];
        match to.read(&mut buffer) {
            Ok(count) => read.extend_from_slice(&buffer[..count]),
            Err(error) => assert!(is_pause(&error), "{error}"),
        }
        if read == b"hello" {
            return;
        }
    }
    panic!("{read:?} came");
}

/// RFC 9846, 2: the client receives ServerHello to Certificate before the signature is made, and
/// can process them meanwhile.
#[test]
fn what_is_there_goes_out_before_the_answer() {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let a = waits(client.start(NAME, a).unwrap().advance().unwrap());
    let (question, b) = asked(server.start(b).advance().unwrap());
    assert_eq!(question, Question::Signature);
    assert!(!b.wants_write() && b.time_left() > Duration::ZERO);
    assert!(b.client_hello().is_none() && b.replay_entry().is_none());
    let (mut end, mut heard) = (a.into_inner(), vec![0; 10_000]);
    let count = end.read(&mut heard).unwrap();
    // An unprotected record with server_hello(2), a ChangeCipherSpec, and protected records.
    assert_eq!((heard[0], heard[5]), (22, 2));
    let hello = 5 + usize::from(u16::from_be_bytes([heard[3], heard[4]]));
    assert_eq!(heard[hello..hello + 6], [20, 3, 3, 0, 1, 1]);
    assert_eq!(heard[hello + 6], 23);
    // A certificate chain is longer than this. CertificateVerify and Finished, with 8 + 64 and 4 +
    // 32 bytes, have not been sent yet.
    assert!(count > hello + 6 + 300);
    let answer = sign(b.to_sign().unwrap());
    drop(waits(b.answer(answer).unwrap().advance().unwrap()));
    let rest = end.read(&mut heard).unwrap();
    assert_eq!(rest, 5 + 8 + 64 + 4 + 32 + 1 + 16);
}

// ---- calls that cannot return questions ----

/// The error says what to do, and the peer receives an alert (RFC 9846, 6.1).
#[test]
fn without_pauses_there_is_nobody_to_ask() {
    fn assert_asked<T>(result: Result<T, Error>, question: &str) {
        let Err(error) = result else {
            panic!("it was not asked")
        };
        assert!(
            matches!(error, Error::Asked(asked) if asked == question),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains(question) && text.contains("start()") && text.contains("advance()"),
            "{text}"
        );
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidInput);
    }
    fn assert_told(handshake: Handshake<End>) {
        let told = handshake
            .advance()
            .map(|progress| kind(&progress))
            .unwrap_err();
        assert!(
            matches!(
                told,
                Error::AlertReceived {
                    alert: AlertDescription::INTERNAL_ERROR,
                    ..
                }
            ),
            "{told:?}"
        );
    }
    let (client, server) = pair();
    let hello = || {
        let (a, b) = wide_pipe();
        (waits(client.start(NAME, a).unwrap().advance().unwrap()), b)
    };
    type Finish = fn(&Server, End) -> Result<Stream<End>, Error>;
    let all: [(Finish, &str); 4] = [
        (|server, end| server.accept(end), "Signature"),
        (|server, end| server.start(end).finish(), "Signature"),
        (
            |server, end| LiveServer::new(server.clone()).accept(end),
            "Signature",
        ),
        (|_, end| Handshake::undecided(end).finish(), "Configuration"),
    ];
    for (finish, question) in all {
        let (a, b) = hello();
        assert_asked(finish(&server, b), question);
        assert_told(a);
    }

    // With a session and early data, there is another question.
    let (a, b) = wide_pipe();
    let (mut a, mut b) = (
        Party::new(client.start(NAME, a).unwrap(), &server, 0),
        Party::new(server.start(b), &server, 0),
    );
    let (mut a, mut b) = meet(&mut a, &mut b);
    exchange(&mut b, &mut a);
    let (a, b) = wide_pipe();
    let mut a = client.start(NAME, a).unwrap();
    a.early_data().unwrap().write_all(b"GET /").unwrap();
    let a = waits(a.advance().unwrap());
    assert_asked(server.accept(b), "Replay");
    assert_told(a);
}

/// A client's question comes after the server is authenticated. The server receives the alert.
#[test]
fn a_client_that_connects_cannot_be_asked() {
    let (client, server) = pair();
    for start in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (a, (b, _)) = (
            TcpStream::connect(listener.local_addr().unwrap()).unwrap(),
            listener.accept().unwrap(),
        );
        let told = thread::scope(|scope| {
            let server = scope.spawn(|| {
                let (question, handshake) = asked(server.start(b).advance().unwrap());
                assert_eq!(question, Question::Signature);
                let answer = sign(handshake.to_sign().unwrap());
                handshake
                    .answer(answer)
                    .unwrap()
                    .advance()
                    .map(|progress| kind(&progress))
                    .unwrap_err()
            });
            let error = if start {
                client.start(NAME, a).unwrap().finish()
            } else {
                client.connect(NAME, a)
            }
            .map(drop)
            .unwrap_err();
            assert!(matches!(error, Error::Asked("Signature")), "{error:?}");
            server.join().unwrap()
        });
        assert!(
            matches!(
                told,
                Error::AlertReceived {
                    alert: AlertDescription::INTERNAL_ERROR,
                    ..
                }
            ),
            "{told:?}"
        );
    }
}

// ---- wrong and missing answers ----

/// A transport that fails once `broken` is set.
struct Breaks {
    inner: End,
    broken: Option<io::ErrorKind>,
}

impl Breaks {
    fn check(&self) -> io::Result<()> {
        self.broken.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl Read for Breaks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.read(out)
    }
}

impl Write for Breaks {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Returns a client that waits, and a server's handshake that asks `question`.
fn standing(question: Question) -> (Handshake<End>, Handshake<Breaks>) {
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let b = Breaks {
        inner: b,
        broken: None,
    };
    let a = waits(client.start(NAME, a).unwrap().advance().unwrap());
    let b = if question == Question::Configuration {
        Handshake::undecided(b)
    } else {
        server.start(b)
    };
    let (asks, b) = asked(b.advance().unwrap());
    assert_eq!(asks, question);
    (a, b)
}

const QUESTIONS: [Question; 2] = [Question::Configuration, Question::Signature];

fn failure<S: Read + Write>(result: Result<Progress<S>, Error>) -> Error {
    result.map(|progress| kind(&progress)).unwrap_err()
}

/// RFC 9846, 6.2: internal_error(80) reaches the peer.
#[test]
fn a_wrong_answer_ends_it() {
    for signature in [
        vec![],
        vec![0; 64],
        vec![0; 63],
        key().sign(b"something else").to_vec(),
    ] {
        let (a, b) = standing(Question::Signature);
        let error = b
            .answer(Answer::Signature(signature))
            .map(drop)
            .unwrap_err();
        assert!(matches!(error, Error::Signer(_)), "{error:?}");
        let told = failure(a.advance());
        assert!(
            matches!(
                told,
                Error::AlertReceived {
                    alert: AlertDescription::INTERNAL_ERROR,
                    ..
                }
            ),
            "{told:?}"
        );
    }
}

#[test]
fn a_refusal_reaches_the_peer() {
    for question in QUESTIONS {
        let (a, b) = standing(question);
        let mut transport = b.refuse(AlertDescription::ACCESS_DENIED);
        // The transport is returned, and still works.
        transport.write_all(b"").unwrap();
        let told = failure(a.advance());
        assert!(
            matches!(
                told,
                Error::AlertReceived {
                    alert: AlertDescription::ACCESS_DENIED,
                    ..
                }
            ),
            "{told:?}"
        );
    }
    // Without a question no alert is sent, and the handshake is abandoned.
    let (client, server) = pair();
    let (a, b) = wide_pipe();
    let a = waits(client.start(NAME, a).unwrap().advance().unwrap());
    drop(server.start(b).refuse(AlertDescription::ACCESS_DENIED));
    assert!(matches!(failure(a.advance()), Error::Truncated));
}

/// Answers `question` correctly and advances.
fn answer_and_advance<S: Read + Write>(
    question: Question,
    handshake: Handshake<S>,
) -> Result<Progress<S>, Error> {
    let answered = match question {
        Question::Signature => {
            let answer = sign(handshake.to_sign().unwrap());
            handshake.answer(answer)
        }
        _ => handshake.choose(&pair().1),
    };
    answered.unwrap().advance()
}

/// The peer leaves while a question waits. The question is asked again, since the answer may still
/// come; after it, the handshake fails with the transport's error.
#[test]
fn the_peer_is_gone() {
    for question in QUESTIONS {
        let (a, b) = standing(question);
        drop(a);
        let (again, b) = asked(b.advance().unwrap());
        assert_eq!(again, question);
        let error = failure(answer_and_advance(question, b));
        assert!(
            matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::BrokenPipe),
            "{error:?}"
        );

        for kind in [
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::Other,
        ] {
            let (_a, mut b) = standing(question);
            b.get_mut().broken = Some(kind);
            let (_, b) = asked(b.advance().unwrap());
            let error = failure(answer_and_advance(question, b));
            assert!(
                matches!(&error, Error::Io(error) if error.kind() == kind),
                "{error:?}"
            );
        }

        // A refusal works even if nobody receives it.
        let (a, b) = standing(question);
        drop(a);
        drop(b.refuse(AlertDescription::ACCESS_DENIED));
    }
    // If the answer is wrong too, the handshake fails with that error.
    let (a, b) = standing(Question::Signature);
    drop(a);
    assert!(matches!(
        b.answer(Answer::Signature(vec![])),
        Err(Error::Signer(_))
    ));
}

/// The alert that the peer sent before it left is preferred to the transport's error.
#[test]
fn the_alert_of_a_peer_that_has_gone_is_preferred() {
    let (a, b) = standing(Question::Signature);
    let mut transport = a.into_inner();
    // access_denied(49), fatal, unprotected: the client has no keys yet.
    transport.write_all(&[21, 3, 3, 0, 2, 2, 49]).unwrap();
    drop(transport);
    // Nothing is sent here, so nothing is received: the alert has not been read yet.
    let (_, b) = asked(b.advance().unwrap());
    let error = failure(answer_and_advance(Question::Signature, b));
    assert!(
        matches!(
            error,
            Error::AlertReceived {
                alert: AlertDescription::ACCESS_DENIED,
                ..
            }
        ),
        "{error:?}"
    );
}

/// `advance` and an answer that comes too late both check the time. RFC 9846, 6.1: user_canceled
/// and close_notify are sent.
#[test]
fn no_answer_in_time() {
    const SHORT: Duration = Duration::from_millis(30);
    for by_answer in [false, true] {
        let (client, server) = pair_with(SHORT);
        let (a, b) = wide_pipe();
        let a = waits(client.start(NAME, a).unwrap().advance().unwrap());
        let (_, b) = asked(server.start(b).advance().unwrap());
        assert!(b.time_left() <= SHORT);
        thread::sleep(SHORT);
        assert_eq!(b.time_left(), Duration::ZERO);
        let answer = sign(b.to_sign().unwrap());
        let error = if by_answer {
            b.answer(answer).map(drop).unwrap_err()
        } else {
            failure(b.advance())
        };
        assert!(matches!(error, Error::HandshakeTimeout), "{error:?}");
        let told = failure(a.advance());
        assert!(
            matches!(
                told,
                Error::AlertReceived {
                    alert: AlertDescription::CLOSE_NOTIFY,
                    ..
                }
            ),
            "{told:?}"
        );
    }
}
