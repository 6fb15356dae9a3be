//! Spans and events, as a program's log shows them.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use fleeting::{Authority, Client, ClientAuth, Error, Now, Server, SystemRandom, TicketKeys};
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::fmt;

use crate::support::{NAME, NOW, Pair};
use crate::world::{World, asks, client_end, server_end, undecided};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Returns a log, and the subscriber that writes to it from a level on.
    fn at(level: tracing::Level) -> (Self, Dispatch) {
        // While there is only one subscriber, `tracing` asks that of the thread which comes first
        // to an event, and remembers its answer for all threads. Other tests have none.
        static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
        ANOTHER.get_or_init(|| Dispatch::new(NoSubscriber::new()));
        let log = Self::default();
        let writer = log.clone();
        let subscriber = fmt()
            .with_max_level(level)
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        (log, Dispatch::new(subscriber))
    }

    /// Returns what was logged since the last call.
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }

    /// Returns level and event of each line since the last call, for one side.
    fn events(text: &str, side: &str) -> Vec<String> {
        let of_side = format!("side={side:?}");
        text.lines()
            .filter(|line| line.contains(&of_side))
            .map(|line| {
                let level = line.split_whitespace().next().unwrap();
                let (_, event) = line.split_once(": fleeting: ").unwrap();
                format!("{level} {event}")
            })
            .collect()
    }
}

/// Runs with everything logged, and returns the log.
fn logged(work: impl FnOnce()) -> String {
    let (log, dispatch) = Log::at(tracing::Level::TRACE);
    dispatcher::with_default(&dispatch, work);
    log.take()
}

/// Asserts that a side logged these events, of which each begins like this.
#[track_caller]
fn assert_events(text: &str, side: &str, expected: &[&str]) {
    let events = Log::events(text, side);
    let matches = events.len() == expected.len()
        && events
            .iter()
            .zip(expected)
            .all(|(event, expected)| event.starts_with(expected));
    assert!(matches, "{side}: {events:#?}\nexpected: {expected:#?}");
}

#[test]
fn a_full_handshake_and_what_follows() {
    let text = logged(|| {
        let mut pair = World::new().pair(1);
        pair.client.now = Now::new(Duration::from_micros(1_234), NOW.unix);
        pair.settle();
        pair.server.write(b"hello");
        pair.settle();
        pair.client.connection.rekey().unwrap();
        pair.settle();
        pair.client.connection.close();
        pair.settle();
        pair.server.connection.close();
        pair.settle();
    });
    let complete = "DEBUG handshake complete ";
    assert_events(
        &text,
        "client",
        &[
            "DEBUG handshake begun",
            complete,
            "TRACE ticket received",
            "TRACE ticket received",
            "TRACE key update sent",
            "TRACE key update received",
            "DEBUG alert sent alert=\"close_notify\"",
            "DEBUG alert received alert=\"close_notify\"",
            "DEBUG closed",
        ],
    );
    assert_events(
        &text,
        "server",
        &[
            "DEBUG handshake begun",
            complete,
            "DEBUG tickets issued count=2",
            "TRACE key update received",
            "TRACE key update sent",
            "DEBUG alert received alert=\"close_notify\"",
            "DEBUG closed",
            "DEBUG alert sent alert=\"close_notify\"",
        ],
    );
    // The fields, in the event and from then on in the span.
    let fields = "suite=\"TLS_AES_128_GCM_SHA256\" group=\"x25519\" alpn=\"a\" resumed=false";
    let of_client = format!("peer=\"{NAME}\" {fields}");
    assert!(
        text.contains(&format!(
            "handshake complete {of_client} external_psk=false duration_us=1234"
        )),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "tls{{side=\"client\" server_name=\"{NAME}\" {of_client} duration_us=1234}}: fleeting: \
             closed"
        )),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "tls{{side=\"server\" server_name=\"{NAME}\" {fields} duration_us=0}}: fleeting: closed"
        )),
        "{text}"
    );
}

#[test]
fn early_data_accepted_replayed_and_rejected() {
    let world = World::new();
    world.visit(b"hello");
    let mut flight = Vec::new();
    let text = logged(|| {
        let mut pair = world.pair(2);
        pair.client.connection.write_early_data(b"early").unwrap();
        flight = pair.client.send(usize::MAX);
        pair.server.receive(&flight, usize::MAX);
        pair.settle();
    });
    assert_events(
        &text,
        "client",
        &[
            "DEBUG handshake begun",
            "DEBUG ticket offered",
            "DEBUG handshake complete peer=\"pair.internal\"",
            "DEBUG early data accepted",
        ],
    );
    assert_events(
        &text,
        "server",
        &[
            "DEBUG handshake begun",
            "DEBUG handshake complete suite",
            "DEBUG early data accepted",
        ],
    );
    assert_eq!(text.matches("resumed=true external_psk").count(), 2);

    let text = logged(|| {
        let mut end = server_end(&world.server);
        end.receive(&flight, usize::MAX);
    });
    assert_events(
        &text,
        "server",
        &[
            "DEBUG handshake begun",
            "DEBUG replay refused",
            "DEBUG handshake abandoned",
        ],
    );

    let text = logged(|| {
        let strict = World::server_with(&world.keys).build().unwrap();
        let mut pair = Pair::between(&world.client, &strict, 4);
        pair.client.connection.write_early_data(b"no").unwrap();
        pair.settle();
    });
    for side in ["client", "server"] {
        let events = Log::events(&text, side);
        assert_eq!(events.last().unwrap(), "DEBUG early data rejected");
    }
}

/// A client's failure is at INFO; a server's, which anybody can cause, at DEBUG.
#[test]
fn failures() {
    let stranger = Authority::new("a stranger").unwrap();
    let distrusting = Client::builder().trust(stranger.trust()).build().unwrap();
    let server = World::server_with(&TicketKeys::rotating()).build().unwrap();
    let text = logged(|| Pair::between(&distrusting, &server, 1).settle());
    assert_events(
        &text,
        "client",
        &[
            "DEBUG handshake begun",
            "INFO handshake failed error=\"the peer's certificate was not accepted",
            "DEBUG alert sent alert=\"unknown_ca\"",
        ],
    );
    assert!(
        text.contains("alert sent: unknown_ca)\" alert=\"unknown_ca\"\n"),
        "{text}"
    );
    assert_events(
        &text,
        "server",
        &[
            "DEBUG handshake begun",
            "DEBUG alert received alert=\"unknown_ca\"",
            "DEBUG handshake failed error=\"",
        ],
    );

    // The server's own reason.
    let strict = World::server_with(&TicketKeys::rotating())
        .client_auth(ClientAuth::Required(stranger.trust()))
        .build()
        .unwrap();
    let world = World::new();
    let text = logged(|| Pair::between(&world.client, &strict, 1).settle());
    assert_events(
        &text,
        "server",
        &[
            "DEBUG handshake begun",
            "DEBUG handshake failed error=\"a client certificate is required",
            "DEBUG alert sent alert=\"certificate_required\"",
        ],
    );
    assert_events(
        &text,
        "client",
        &[
            "DEBUG handshake begun",
            "DEBUG handshake complete",
            "DEBUG alert received alert=\"certificate_required\"",
            "INFO connection failed error=\"",
        ],
    );

    // Cut.
    let text = logged(|| {
        let mut pair = world.pair(1);
        pair.settle();
        pair.client.end();
        pair.server.end();
        // Again, which changes nothing.
        pair.client.process();
    });
    for (side, event) in [("client", "INFO truncated"), ("server", "DEBUG truncated")] {
        let events = Log::events(&text, side);
        assert_eq!(events[events.len() - 1], event);
        assert_eq!(events.len(), 3, "{events:?}");
    }

    // An end that is nobody's fault is no failure.
    let idle = World::server_with(&TicketKeys::rotating()).idle_timeout(Duration::from_secs(9));
    let idle = idle.build().unwrap();
    let text = logged(|| {
        let mut pair = Pair::between(&world.client, &idle, 1);
        pair.settle();
        let monotonic = pair.server.now.monotonic + Duration::from_secs(9);
        pair.server.now = Now::new(monotonic, NOW.unix);
        pair.server.process();
        pair.settle();
    });
    let events = Log::events(&text, "server");
    let ended = "DEBUG ended error=\"the connection reached the limit that idle_timeout sets";
    let is_end = |event: &&String| event.starts_with(ended);
    assert_eq!(events.iter().filter(is_end).count(), 1, "{events:?}");
    let last = events.last().unwrap();
    assert_eq!(last, "DEBUG alert sent alert=\"close_notify\"");
    let events = Log::events(&text, "client");
    assert_eq!(events[events.len() - 1], "DEBUG closed");
    assert_eq!(idle.counters().connections_ended, 1);
    assert_eq!(idle.counters().connections_failed, 0);
}

/// Questions, answers, and the configuration that is chosen: all in one span.
#[test]
fn questions() {
    let world = World::new();
    let text = logged(|| {
        let client = client_end(&world.client);
        let mut pair = Pair {
            client,
            server: undecided(),
        };
        pair.settle();
        assert!(asks(&pair.server));
        pair.server.process();
        pair.server
            .connection
            .choose(&world.server, NOW, &mut SystemRandom)
            .unwrap();
        pair.settle();
    });
    assert_events(
        &text,
        "server",
        &[
            "DEBUG handshake begun",
            "DEBUG question asked question=\"Configuration\"",
            "DEBUG question answered question=\"Configuration\"",
            "DEBUG handshake complete",
        ],
    );
}

/// The span stands below the caller's at the beginning, whoever continues the connection.
#[test]
fn the_callers_span_is_the_parent() {
    let world = World::new();
    let text = logged(|| {
        let request = tracing::info_span!("request", id = 7);
        let mut pair = request.in_scope(|| world.pair(1));
        tracing::info_span!("elsewhere").in_scope(|| pair.settle());
    });
    assert!(!text.is_empty());
    for line in text.lines() {
        assert!(line.contains(" request{id=7}:tls{side="), "{line}");
    }
}

/// Below its level nothing is there, and nothing fails.
#[test]
fn levels() {
    let world = World::new();
    let (log, dispatch) = Log::at(tracing::Level::INFO);
    dispatcher::with_default(&dispatch, || {
        let mut pair = world.pair(1);
        pair.settle();
        pair.server.end();
    });
    assert_eq!(log.take(), "");
    let (log, dispatch) = Log::at(tracing::Level::WARN);
    dispatcher::with_default(&dispatch, || {
        let mut pair = world.pair(1);
        pair.settle();
        pair.client.end();
    });
    assert_eq!(log.take(), "");
}

/// A peer chooses names, and the log keeps its lines.
#[test]
fn a_peer_forges_no_line() {
    let forged = "evil\n ERROR tls{side=\"client\"}: fleeting: all keys leaked\u{1b}[2J";
    let world = World::new();
    let protocol = Client::builder()
        .trust(Authority::new("any").unwrap().trust())
        .alpn([forged])
        .build()
        .unwrap();
    let open = Server::builder()
        .identity(Authority::new("any").unwrap().issue_server([NAME]).unwrap())
        .alpn([forged])
        .build()
        .unwrap();
    let text = logged(|| {
        Pair::between(&protocol, &world.server, 1).settle();
        Pair::between(&protocol, &open, 1).settle();
    });
    assert!(text.contains("evil"), "{text}");
    for line in text.lines() {
        assert!(!line.starts_with(" ERROR"), "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
}

/// Two threads use the halves.
#[test]
fn split_halves_on_two_threads() {
    let world = World::new();
    let (log, dispatch) = Log::at(tracing::Level::TRACE);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = world.server.clone();
    let serving = thread::spawn(move || {
        let mut stream = server.accept(listener.accept().unwrap().0).unwrap();
        let mut word = [0; 5];
        stream.read_exact(&mut word).unwrap();
        stream.write_all(&word).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        stream.close().unwrap();
    });
    let (mut reader, mut writer) = dispatcher::with_default(&dispatch, || {
        let tcp = TcpStream::connect(address).unwrap();
        let stream = world.client.connect(NAME, tcp).unwrap();
        stream.into_split().unwrap()
    });
    let of_writer = dispatch.clone();
    let writing = thread::spawn(move || {
        dispatcher::with_default(&of_writer, || {
            writer.write_all(b"hello").unwrap();
            writer.rekey().unwrap();
            writer.close().unwrap();
        });
    });
    dispatcher::with_default(&dispatch, || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"hello");
    });
    writing.join().unwrap();
    serving.join().unwrap();
    let text = log.take();
    let mut events = Log::events(&text, "client");
    events.sort();
    for expected in [
        "DEBUG alert received alert=\"close_notify\"",
        "DEBUG alert sent alert=\"close_notify\"",
        "DEBUG closed",
        "TRACE key update sent",
        "TRACE ticket received",
    ] {
        assert!(events.iter().any(|event| event == expected), "{events:?}");
    }
    // Splitting begins nothing.
    assert_eq!(text.matches("handshake begun").count(), 1, "{text}");
    assert_eq!(text.matches("abandoned").count(), 0, "{text}");
}

#[test]
fn an_error_is_what_the_application_gets() {
    let world = World::new();
    let mut failure = None;
    let text = logged(|| {
        let mut end = server_end(&world.server);
        end.receive(b"GET / HTTP/1.1\r\n\r\n", usize::MAX);
        failure = Some(end.error().clone());
    });
    let failure: Error = failure.unwrap();
    assert!(
        text.contains(&format!("error={:?}", failure.to_string())),
        "{text}"
    );
}

#[cfg(feature = "tokio")]
mod tokio {
    use ::tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// The halves of an async stream, in two tasks. The events are in the span whoever polls.
    #[test]
    fn split_halves_in_two_tasks() {
        let world = World::new();
        let text = logged(|| {
            let runtime = ::tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            runtime.block_on(async {
                let (a, b) = duplex(100_000);
                let (client, server) = ::tokio::join!(
                    world.client.connect_async(NAME, a),
                    world.server.accept_async(b)
                );
                let (mut reader, mut writer) = client.unwrap().into_split().unwrap();
                let mut server = server.unwrap();
                let writing = ::tokio::spawn(async move {
                    writer.write_all(b"hello").await.unwrap();
                    writer.rekey().await.unwrap();
                    writer.shutdown().await.unwrap();
                });
                let mut word = [0; 5];
                server.read_exact(&mut word).await.unwrap();
                server.write_all(&word).await.unwrap();
                assert_eq!(server.read(&mut word).await.unwrap(), 0);
                drop(server);
                let mut all = Vec::new();
                reader.read_to_end(&mut all).await.unwrap();
                writing.await.unwrap();
            });
        });
        let events = Log::events(&text, "client");
        let expected = [
            "DEBUG handshake begun",
            "TRACE key update sent",
            "DEBUG alert sent alert=\"close_notify\"",
            "DEBUG closed",
        ];
        for event in expected {
            assert!(events.iter().any(|line| line == event), "{text}");
        }
        for line in text.lines() {
            assert!(line.contains("tls{side="), "{line}");
        }
        assert_eq!(text.matches("handshake begun").count(), 2, "{text}");
        assert_eq!(text.matches("abandoned").count(), 0, "{text}");
    }
}
